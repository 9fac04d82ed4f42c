"""Bounds and estimates from two-point statistics, against solved cells, laminates and each other."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st

import mksdask as mks
from mksdask.bounds import self_consistent_stiffness, stiffness_bounds
from mksdask.bounds.comparison import softest, stiffest
from mksdask.bounds.interaction import green_average
from mksdask.errors import DataError
from mksdask.simulate import cubic, effective_stiffness, isotropic

SOFT_STIFF = {"youngs_modulus": (120.0, 6000.0), "poissons_ratio": (0.3, 0.3)}


def cells(shape, n=4, seed=0, n_phases=2):
    rng = np.random.default_rng(seed)
    fractions = rng.dirichlet(np.ones(n_phases), size=n)
    grains = rng.integers(1, np.array(shape) + 1, size=(n, len(shape)))
    return mks.generate.multiphase(n, shape, grains, fractions, seed=seed).values


def assert_between(found, bounds, slack=1e-6):
    """found - lower and upper - found have no negative eigenvalue beyond the solver's error."""
    for inner, outer in ((found, bounds[:, 0]), (bounds[:, 1], found)):
        lowest = np.linalg.eigvalsh(inner - outer)[:, 0]
        assert (lowest >= -slack * np.abs(found).max(axis=(1, 2))).all(), lowest


def mean_stiffness(phase, table):
    """Voigt's mean and Reuss's."""
    fractions = np.stack([(phase == r).reshape(len(phase), -1).mean(1) for r in range(len(table))])
    voigt = np.einsum("rj,rab->jab", fractions, table)
    return np.linalg.inv(np.einsum("rj,rab->jab", fractions, np.linalg.inv(table))), voigt


def brute_force(phase, table, medium, grid):
    """The estimate from the variational principle itself, on the voxels, phase by phase.

    Polarizations are uniform in a phase; the operator is applied by full transforms to fields.
    """
    n = table.shape[-1]
    gamma = green_average(medium, grid)
    half = (*grid[:-1], grid[-1] // 2 + 1)
    full = np.zeros((n, n, *half))
    for row, (p, q) in enumerate(zip(*np.triu_indices(n), strict=True)):
        full[p, q] = full[q, p] = gamma[row].reshape(half)
    axes = tuple(range(1, 1 + len(grid)))
    present = np.unique(phase)
    size = len(present) * n
    matrix, right, moment = np.zeros((size, size)), np.zeros((size, n)), np.zeros((n, size))
    for i, s in enumerate(present):
        for c in range(n):
            tau = np.zeros((n, *grid))
            tau[:, phase == s] = (table[s] - medium)[:, c][:, None]
            spectrum = np.fft.rfftn(tau, axes=axes)
            strain = np.fft.irfftn(np.einsum("pq...,q...->p...", full, spectrum), grid, axes=axes)
            strain[c][phase == s] += 1
            moment[:, i * n + c] = tau.mean(axis=axes)
            for j, r in enumerate(present):
                matrix[j * n : (j + 1) * n, i * n + c] = strain[:, phase == r].mean(axis=1)
        right[i * n : (i + 1) * n] = np.eye(n)
    return medium + moment @ np.linalg.solve(matrix, right)


@pytest.mark.parametrize("shape", [(9, 9), (8, 6), (7, 7, 7), (6, 5, 4)])
def test_bounds_hold_for_solved_cells(shape):
    phase = cells(shape, n=6, seed=1)
    found = effective_stiffness(phase, **SOFT_STIFF, tolerance=1e-8)
    bounds = stiffness_bounds(phase, **SOFT_STIFF)
    assert_between(found, bounds)
    own = self_consistent_stiffness(phase, **SOFT_STIFF)
    assert_between(own, bounds)


@pytest.mark.parametrize("edges", [[3.0, 1.0], [0.5, 1.0, 4.0]])
def test_bounds_hold_for_boxes(edges):
    """Voxels that are no cubes, from labels and from statistics."""
    dims = ("sample", "x", "y", "z")[: len(edges) + 1]
    grid = (8, 6, 5)[: len(edges)]
    phase = xr.DataArray(cells(grid, n=5, seed=3), dims=dims, attrs={"voxel_size": edges})
    found = effective_stiffness(phase, **SOFT_STIFF, tolerance=1e-8).values
    bounds = stiffness_bounds(phase, **SOFT_STIFF)
    assert_between(found, bounds.values)
    assert np.abs(bounds - stiffness_bounds(phase.drop_attrs(), **SOFT_STIFF)).max() > 1
    own = self_consistent_stiffness(phase, **SOFT_STIFF)
    assert_between(own.values, bounds.values)
    f = mks.two_point_statistics(phase, mks.PrimitiveBasis(2), pairs=[(1, 1)])
    np.testing.assert_allclose(stiffness_bounds(f, **SOFT_STIFF), bounds, rtol=1e-9, atol=1e-9)


@settings(max_examples=10, deadline=None)
@example(seed=4, n_phases=3, space=(4, 5, 3))  # as isotropic, a negative Young's modulus
@example(seed=3, n_phases=2, space=(4, 5, 3))  # or a Poisson's ratio of 0.95
@given(
    seed=st.integers(0, 10**6),
    n_phases=st.integers(2, 4),
    space=st.sampled_from([(6, 6), (5, 4), (4, 5, 3)]),
)
def test_bounds_hold_for_any_phases(seed, n_phases, space):
    rng = np.random.default_rng(seed)
    table = []
    for _ in range(n_phases):  # anisotropic and in no order
        root = rng.normal(size=(6, 6))
        table.append(root @ root.T + 0.3 * np.eye(6))
    if len(space) == 2:
        table = [c[np.ix_([0, 1, 5], [0, 1, 5])] for c in table]
    phase = rng.integers(0, n_phases, size=(3, *space))
    found = effective_stiffness(phase, stiffness=table, tolerance=1e-9)
    bounds = stiffness_bounds(phase, stiffness=table)
    assert_between(found, bounds)
    reuss, voigt = mean_stiffness(phase, np.array(table))
    assert_between(bounds[:, 0], np.stack([reuss, voigt], axis=1))
    assert_between(bounds[:, 1], np.stack([reuss, voigt], axis=1))


def test_two_isotropic_bounds_out_of_order():
    """One phase has the larger bulk modulus, the other the larger shear modulus."""
    phase = cells((6, 6, 6), seed=2)
    moduli = {"youngs_modulus": (1.0, 1.2), "poissons_ratio": (0.45, 0.0)}
    bounds = stiffness_bounds(phase, **moduli)
    assert_between(effective_stiffness(phase, **moduli, tolerance=1e-9), bounds)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("medium", ["isotropic", "crystals"])
def test_laminates_are_exact(axis, medium):
    """Layers of two phases: every bound, the estimate and the solved cell are one."""
    layers = np.array([0, 0, 1, 0, 0, 0])
    phase = np.moveaxis(np.broadcast_to(layers, (3, 3, 6)), 2, axis)[None]
    if medium == "isotropic":
        table = [isotropic(1.0, 0.2), isotropic(9.0, 0.35)]
    else:
        table = [cubic(168.4, 121.4, 75.4), cubic(500.0, 200.0, 160.0)]
    exact = effective_stiffness(phase, stiffness=table, tolerance=1e-10)
    bounds = stiffness_bounds(phase, stiffness=table)
    np.testing.assert_allclose(bounds[:, 0], exact, rtol=1e-7, atol=1e-7 * exact.max())
    np.testing.assert_allclose(bounds[:, 1], exact, rtol=1e-7, atol=1e-7 * exact.max())
    own = self_consistent_stiffness(phase, stiffness=table, tolerance=1e-10)
    np.testing.assert_allclose(own, exact, rtol=1e-7, atol=1e-7 * exact.max())


def test_series_and_parallel_springs():
    """With nu = 0: C1111 across layers is the harmonic mean, along them the arithmetic."""
    phase = np.array([0, 1, 1, 1])[None, :, None] * np.ones((1, 4, 5), int)
    for c in np.moveaxis(stiffness_bounds(phase, (2.0, 10.0), (0.0, 0.0)), 1, 0):
        assert c[0, 0, 0] == pytest.approx(1 / (0.25 / 2 + 0.75 / 10))
        assert c[0, 1, 1] == pytest.approx(0.25 * 2 + 0.75 * 10)


@pytest.mark.parametrize("n_phases", [2, 3])
@pytest.mark.parametrize("shape", [(5, 6), (4, 5, 4)])
def test_equals_the_variational_principle_on_voxels(shape, n_phases):
    phase = cells(shape, n=2, seed=3, n_phases=n_phases)
    moduli = [(1.0, 0.2), (5.0, 0.3), (3.0, 0.1)][:n_phases]
    table = np.array([isotropic(*m) for m in moduli])
    if len(shape) == 2:
        table = table[:, [0, 1, 5]][:, :, [0, 1, 5]]
    bounds = stiffness_bounds(phase, stiffness=list(table))
    for sample, pair in zip(phase, bounds, strict=True):
        for medium, found in zip((softest(table), stiffest(table)), pair, strict=True):
            expected = brute_force(sample, table, medium, shape)
            np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10 * expected.max())


def test_statistics_give_what_labels_give():
    phase = xr.DataArray(cells((6, 5, 4), seed=4, n_phases=3), dims=("sample", "x", "y", "z"))
    moduli = {"youngs_modulus": (1.0, 7.0, 3.0), "poissons_ratio": (0.2, 0.3, 0.1)}
    from_labels = stiffness_bounds(phase, **moduli)
    basis = mks.PrimitiveBasis(n_states=3, domain=(0, 2))
    for pairs in ("all", [(0, 0), (2, 0), (2, 2)], [(1, 1), (1, 2), (2, 2)]):
        f = mks.two_point_statistics(phase, basis, pairs=pairs)
        xr.testing.assert_allclose(stiffness_bounds(f, **moduli), from_labels, rtol=1e-10)
        xr.testing.assert_allclose(
            self_consistent_stiffness(f, **moduli, tolerance=1e-12),
            self_consistent_stiffness(phase, **moduli, tolerance=1e-12),
            rtol=1e-9,
        )
    one = stiffness_bounds(f.isel(sample=1), **moduli)
    xr.testing.assert_allclose(one, from_labels.isel(sample=1, drop=True), rtol=1e-10)


def test_equal_phases_and_a_single_one():
    phase = cells((5, 5, 5), seed=5)
    expected = np.broadcast_to(isotropic(3.0, 0.3), (4, 6, 6))
    for found in (
        *np.moveaxis(stiffness_bounds(phase, (3.0, 3.0), (0.3, 0.3)), 1, 0),
        self_consistent_stiffness(phase, (3.0, 3.0), (0.3, 0.3)),
        *np.moveaxis(stiffness_bounds(phase * 0, (3.0,), (0.3,)), 1, 0),
        *np.moveaxis(stiffness_bounds(phase * 0, (3.0, 9.0), (0.3, 0.1)), 1, 0),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_more_phases_reduce_to_two():
    phase = cells((5, 6, 5), seed=6)
    two = stiffness_bounds(phase, (1.0, 9.0), (0.3, 0.2))
    unused = stiffness_bounds(2 * phase, (1.0, 4.0, 9.0), (0.3, 0.3, 0.2))
    np.testing.assert_allclose(unused, two, rtol=1e-10, atol=1e-12)
    # the same material under two names: the polarization may differ, so the bounds can only close
    split = np.where((phase == 1) & (np.arange(5) % 2 == 1), 2, phase)
    assert_between(
        stiffness_bounds(split, (1.0, 9.0, 9.0), (0.3, 0.2, 0.2))[:, 0], two, slack=1e-12
    )


def test_order_of_phases_does_not_matter():
    phase = cells((6, 5), seed=7, n_phases=3)
    order = np.array([2, 0, 1])
    moduli = np.array([[1.0, 5.0, 3.0], [0.3, 0.2, 0.1]])
    renamed = np.argsort(order)[phase]
    for work in (stiffness_bounds, self_consistent_stiffness):
        np.testing.assert_allclose(
            work(renamed, *moduli[:, order]), work(phase, *moduli), rtol=1e-9, atol=1e-9
        )


def test_plane_stress():
    phase = cells((8, 7), seed=8)
    options = {"plane": "stress", **SOFT_STIFF}
    assert_between(
        effective_stiffness(phase, **options, tolerance=1e-8), stiffness_bounds(phase, **options)
    )


def test_lazy_and_labelled():
    phase = cells((5, 5, 5), seed=9)
    plain = stiffness_bounds(phase, **SOFT_STIFF)
    lazy = stiffness_bounds(da.from_array(phase, chunks=(3, -1, -1, -1)), **SOFT_STIFF)
    assert isinstance(lazy, da.Array)
    np.testing.assert_allclose(lazy.compute(), plain, rtol=1e-12)
    named = xr.DataArray(
        phase, dims=("sample", "x", "y", "z"), coords={"sample": list("abcd")}
    ).chunk(sample=2)
    found = stiffness_bounds(named, **SOFT_STIFF)
    assert found.dims == ("sample", "bound", "tensor", "tensor_2")
    assert found.sample.values.tolist() == list("abcd")
    assert len(found.__dask_graph__()) <= 3 * 2 + 3
    np.testing.assert_allclose(found.sel(bound="upper"), plain[:, 1], rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda p: stiffness_bounds(p, (1.0, 2.0), (0.3,)), "2 entries and poissons_ratio 1"),
        (lambda p: stiffness_bounds(p.astype(float), (1.0, 2.0), (0.3, 0.3)), "integer labels"),
        (lambda p: stiffness_bounds(p, (1.0, 2.0), (0.3, 0.3), plane="stress"), "cells are 3D"),
        (lambda p: stiffness_bounds(p, (1.0, 2.0), (0.3, 0.3), plane="x"), "plane is 'x'"),
        (lambda p: stiffness_bounds(p[0, 0], (1.0, 2.0), (0.3, 0.3)), "has 2 axes"),
        (lambda p: self_consistent_stiffness(p, (1, 2), (0.3, 0.3), tolerance=0), "tolerance is 0"),
    ],
)
def test_bad_arguments(call, told):
    with pytest.raises((ValueError, TypeError), match=told):
        call(cells((4, 4, 4)))


def test_labels_without_moduli():
    with pytest.raises(DataError, match="holds the label 2, and moduli are given for 2 phases"):
        stiffness_bounds(np.full((1, 3, 3), 2), (1.0, 2.0), (0.3, 0.3))


def test_statistics_that_do_not_tell_enough():
    phase = xr.DataArray(cells((5, 5), seed=1, n_phases=3), dims=("sample", "x", "y"))
    basis = mks.PrimitiveBasis(n_states=3, domain=(0, 2))
    moduli = {"youngs_modulus": (1.0, 7.0, 3.0), "poissons_ratio": (0.2, 0.3, 0.1)}
    for options, told in (
        ({"pairs": [(0, 0), (1, 1)]}, "every pair of all phases but one"),
        ({"cutoff": 1}, "wanted all lags of periodic cells"),
        ({"boundary": "nonperiodic"}, "wanted all lags of periodic cells"),
    ):
        with pytest.raises(ValueError, match=told):
            stiffness_bounds(mks.two_point_statistics(phase, basis, **options), **moduli)
    f = mks.two_point_statistics(phase, basis)
    with pytest.raises(ValueError, match="moduli are given for 2 phases"):
        stiffness_bounds(f, (1.0, 2.0), (0.3, 0.3))
    with pytest.raises(ValueError, match="no attribute 'basis'"):
        stiffness_bounds(f.drop_attrs(), **moduli)
    masked = mks.two_point_statistics(phase, basis, mask=np.ones((5, 5)))
    with pytest.raises(ValueError, match="a masked volume; wanted whole cells"):
        stiffness_bounds(masked, **moduli)
    with pytest.raises(ValueError, match="voxel_size"):
        stiffness_bounds(f.assign_attrs(voxel_size=[1.0, -2.0]), **moduli)
    with pytest.raises(DataError, match="NaN or infinity"):
        stiffness_bounds(f.where(f.lag_x != 1), **moduli)
