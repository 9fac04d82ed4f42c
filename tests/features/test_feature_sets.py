"""Feature sets against direct counting, exact cells, the solver, and the rules of an estimator."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from scipy import ndimage
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import mksdask as mks
from mksdask.bounds import stiffness_bounds
from mksdask.errors import DataError
from mksdask.features import (
    AxisCorrelations,
    Connectivity,
    Interaction,
    LinealPaths,
    RadialCorrelation,
    SeriesParallel,
    SolverEstimates,
)
from mksdask.simulate import effective_stiffness

MODULI = ((1.0, 20.0), (0.3, 0.2))
SETS = [
    AxisCorrelations(),
    AxisCorrelations(state=0, cutoff=2),
    RadialCorrelation(),
    RadialCorrelation(cutoff=2),
    LinealPaths(),
    LinealPaths(states=(1,), max_length=3),
    Connectivity(),
    SeriesParallel((1.0, 20.0)),
    Interaction(),
    Interaction(symmetric=False),
    SolverEstimates(*MODULI, load=("xx", "xy"), iterations=(1, 3)),
]


def cells(shape=(6, 5, 4), n=5, seed=0):
    return mks.generate.multiphase(n, shape, 3, (0.4, 0.6), seed=seed).values


@pytest.mark.parametrize("features", SETS, ids=lambda f: repr(f)[:30])
@pytest.mark.parametrize("shape", [(6, 5, 4), (7, 6)])
def test_estimator_rules(features, shape):
    """The same numbers for any kind of array and chunking; names; nothing learnt."""
    phase = cells(shape)
    plain = clone(features).fit(phase).transform(phase)
    assert plain.shape[0] == 5
    assert plain.dtype == np.float64
    assert np.isfinite(plain).all()
    lazy = features.transform(da.from_array(phase, chunks=(2, *shape)))
    assert isinstance(lazy, da.Array)
    np.testing.assert_allclose(lazy.compute(), plain, rtol=1e-10, atol=1e-13)
    dims = ("sample", "x", "y", "z")[: phase.ndim]
    named = xr.DataArray(phase, dims=dims, coords={"sample": list("abcde")})
    found = features.transform(named.transpose(*dims[::-1]))
    assert found.dims == ("sample", "feature")
    assert found.sample.values.tolist() == list("abcde")
    assert found.feature.values.tolist() == features.get_feature_names_out().tolist()
    assert len(set(found.feature.values)) == plain.shape[1]
    np.testing.assert_allclose(found, plain, rtol=1e-12)


def test_names_want_a_grid():
    features = AxisCorrelations()
    with pytest.raises(NotFittedError, match="call fit or transform first"):
        features.get_feature_names_out()
    assert features.fit(cells((4, 3))).get_feature_names_out().tolist() == [
        "f[1]", "f[1; 1x]", "f[1; 2x]", "f[1; 1y]"
    ]  # fmt: skip


def test_names_look_at_no_value():
    """A label without modulus is found when it is reached."""
    fitted = SolverEstimates(*MODULI).fit(2 * cells((4, 4)))
    assert len(fitted.get_feature_names_out()) == 7


def boxes(phase, edges):
    return xr.DataArray(
        phase, dims=("sample", "x", "y", "z")[: phase.ndim], attrs={"voxel_size": edges}
    )


def test_shells_of_boxes():
    phase = boxes(cells((8, 12)), [3.0, 1.5])
    found = RadialCorrelation().transform(phase)
    assert found.shape == (5, 6)
    np.testing.assert_allclose(found[:, 0], f_at(phase.values, [(0, 1), (0, -1)]))
    shell = [(i, j) for i in (-1, 0, 1) for j in range(-3, 4) if 1.5 <= np.hypot(2 * i, j) < 2.5]
    np.testing.assert_allclose(found[:, 1], f_at(phase.values, shell))


def f_at(phase, lags):
    """Mean of the autocorrelation of phase 1 at some lags, counted."""
    found = [((phase == 1) & (np.roll(phase, lag, (1, 2)) == 1)).mean(axis=(1, 2)) for lag in lags]
    return np.mean(found, axis=0)


@pytest.mark.parametrize("edges", [[1.0, 3.0, 2.0], [4.0, 1.0]])
def test_mechanics_of_boxes(edges):
    """Estimates and interaction are of the boxes that the solver solves."""
    phase = boxes(cells((6, 5, 4)[: len(edges)], n=3, seed=5), edges)
    features = SolverEstimates(*MODULI, load="xx", iterations=(60,))
    found = features.transform(phase)
    exact = effective_stiffness(phase, *MODULI, tolerance=1e-8)[:, 0, 0]
    lower, upper = stiffness_bounds(phase, *MODULI).transpose("bound", ...)[:, :, 0, 0]
    np.testing.assert_allclose(found[:, 0], np.log(exact / lower), atol=1e-5)
    np.testing.assert_allclose(found[:, 1], np.log(upper / exact), atol=1e-5)
    # laid on its side, with its voxels
    turned = phase.rename({"x": "y", "y": "x"}).transpose(*phase.dims)
    turned.attrs["voxel_size"] = [edges[1], edges[0], *edges[2:]]
    first, second = (Interaction().fit(p) for p in (phase, turned))
    names = [str(n) for n in first.get_feature_names_out()]
    a, b = first.transform(phase), second.transform(turned)
    np.testing.assert_allclose(a[:, names.index("A[xx,xx]")], b[:, names.index("A[yy,yy]")])
    np.testing.assert_allclose(a[:, names.index("A[xy,xy]")], b[:, names.index("A[xy,xy]")])


@pytest.mark.parametrize("shape", [(6, 5, 4), (7, 8)])
def test_lines_and_shells_by_counting(shape):
    phase = cells(shape)
    axes = range(len(shape))

    def f(lag):
        moved = np.roll(phase, [-r for r in lag], axis=[1 + a for a in axes])
        return ((phase == 1) & (moved == 1)).reshape(len(phase), -1).mean(axis=1)

    expected = [f([0] * len(shape))]
    for axis, n in enumerate(shape):
        expected += [f([r if a == axis else 0 for a in axes]) for r in range(1, n // 2 + 1)]
    np.testing.assert_allclose(AxisCorrelations().transform(phase), np.stack(expected, 1))

    lags = np.stack(np.meshgrid(*(np.arange(n) - n // 2 for n in shape), indexing="ij"), -1)
    length = np.linalg.norm(lags, axis=-1)
    for r, found in enumerate(RadialCorrelation().transform(phase).T, start=1):
        shell = lags[(length >= r - 0.5) & (length < r + 0.5)]
        np.testing.assert_allclose(found, np.mean([f(lag) for lag in shell], axis=0))


def test_paths_by_counting():
    phase = cells((4, 6))
    found = LinealPaths(states=(0, 1), max_length=2).transform(phase)
    column = 0
    for state in (0, 1):
        for axis in (1, 2):
            inside = phase == state
            for r in range(3):
                run = np.all([np.roll(inside, -s, axis) for s in range(r + 1)], axis=0)
                np.testing.assert_allclose(found[:, column], run.mean(axis=(1, 2)))
                column += 1


def test_connectivity_by_tiling():
    """The largest periodic cluster is the one found in three copies a side, per copy."""
    phase = cells((6, 7), n=8, seed=3)
    found = Connectivity(states=(1,)).transform(phase)
    for sample, row in zip(phase, found, strict=True):
        labels, _ = ndimage.label(np.tile(sample == 1, (3, 3)))
        # voxels of one copy that are joined anywhere in the tiling
        best = 0
        folded = labels.reshape(3, 6, 3, 7).transpose(1, 3, 0, 2).reshape(42, 9)
        groups: list[set[int]] = []
        for names in folded:
            new = set(names[names > 0].tolist())
            touching = [g for g in groups if g & new]
            groups = [g for g in groups if not g & new] + [new.union(*touching)]
        for group in groups:
            best = max(best, np.isin(folded, list(group)).any(axis=1).sum())
        assert row[0] == pytest.approx(best / 42)
    bar = np.zeros((1, 5, 5, 5), int)
    bar[0, 2, :, 3] = 1
    np.testing.assert_allclose(
        Connectivity().transform(bar), [[0.96, 0.96, 0.96, 0.96, 0.04, 0, 0.04, 0]]
    )


def test_springs_are_exact_for_layers():
    phase = np.repeat([0, 1, 1], 2)[None, :, None] * np.ones((1, 6, 4), int)
    found = np.exp(SeriesParallel((2.0, 10.0)).transform(phase))[0]
    series, parallel = 3 / (1 / 2 + 2 / 10), (2 + 2 * 10) / 3
    np.testing.assert_allclose(found, [series, series, parallel, parallel])
    exact = effective_stiffness(phase, (2.0, 10.0), (0.0, 0.0), tolerance=1e-10)[0]
    np.testing.assert_allclose([exact[0, 0], exact[1, 1]], [series, parallel], rtol=1e-8)


def test_interaction_gives_the_bounds():
    """Features and volume fraction alone reproduce the bound in their medium."""
    phase = cells((5, 5, 5), seed=4)
    found = Interaction(poissons_ratio=0.3, symmetric=False).transform(phase)
    v = found[:, 0]
    tensor = np.zeros((5, 6, 6))
    upper = np.triu_indices(6)
    tensor[:, upper[0], upper[1]] = found[:, 1:]
    tensor[:, upper[1], upper[0]] = found[:, 1:]
    soft, stiff = (mks.simulate.isotropic(e, 0.3) for e in (1.0, 20.0))
    # one inclusion phase in the soft medium: C = C1 + v D (1 + (1 - v) A D)^-1
    excess = stiff - soft
    inside = np.linalg.inv(np.eye(6) + (1 - v)[:, None, None] * tensor @ excess)
    expected = soft + v[:, None, None] * (excess @ inside)
    bounds = stiffness_bounds(phase, (1.0, 20.0), (0.3, 0.3))
    np.testing.assert_allclose(bounds[:, 0], expected, rtol=1e-9, atol=1e-9)
    few = Interaction(poissons_ratio=0.3)
    kept = few.transform(phase)
    names = [str(n) for n in few.get_feature_names_out()]
    assert len(names) == 10
    assert kept[0, names.index("A[xx,yy]")] == pytest.approx(tensor[0, 0, 1])


def test_estimates_of_the_solver():
    phase = cells((6, 6, 6), seed=5)
    features = SolverEstimates(*MODULI, load="xy", iterations=(1, 2, 40))
    found = xr.DataArray(
        features.transform(phase),
        dims=("sample", "feature"),
        coords={"feature": features.get_feature_names_out()},
    )
    exact = effective_stiffness(phase, *MODULI, tolerance=1e-8)[:, 5, 5]
    lower, upper = stiffness_bounds(phase, *MODULI)[:, :, 5, 5].T
    np.testing.assert_allclose(found.sel(feature="lower[xy]"), np.log(exact / lower), atol=1e-5)
    np.testing.assert_allclose(found.sel(feature="upper[xy]"), np.log(upper / exact), atol=1e-5)
    one = effective_stiffness(phase, *MODULI, max_iterations=1)[:, 5, 5]
    two = effective_stiffness(phase, *MODULI, max_iterations=2)[:, 5, 5]
    drop = found.sel(feature="drop2[xy]")
    np.testing.assert_allclose(drop, np.log(one / two), rtol=1e-3)
    assert (found.sel(feature=["drop1[xy]", "drop2[xy]", "drop40[xy]"]) > 0).all()
    assert (found.sel(feature="drop1[xy]") > drop).all()


def test_homogeneous_cells():
    """Cells of one phase have features that are numbers."""
    phase = np.stack([np.zeros((4, 4, 4), int), np.ones((4, 4, 4), int)])
    for features in SETS:
        assert np.isfinite(features.transform(phase)).all()
    estimates = SolverEstimates(*MODULI).transform(phase)
    np.testing.assert_allclose(estimates[:, :4], 0, atol=1e-6)


@pytest.mark.parametrize(
    ("work", "told"),
    [
        (lambda p: AxisCorrelations(cutoff=0).transform(p), "cutoff is 0"),
        (lambda p: AxisCorrelations(state=-1).transform(p), "state is -1"),
        (lambda p: Interaction(state=1.5).transform(p), "state is 1.5"),
        (lambda p: LinealPaths(states=1).transform(p), "states is 1"),
        (lambda p: LinealPaths(states=("a",)).transform(p), "one of states is 'a'"),
        (lambda p: Connectivity(states=(1, 1)).transform(p), "each once"),
        (lambda p: Connectivity(states=()).transform(p), "each once"),
        (lambda p: SolverEstimates(*MODULI, iterations=(1.5, 2)).transform(p), "iterations is"),
        (lambda p: LinealPaths(max_length=-1).transform(p), "max_length is -1"),
        (lambda p: SeriesParallel((1.0, -2.0)).transform(p), "wanted a positive number"),
        (lambda p: SolverEstimates(*MODULI, load="zx").transform(p), "load is 'zx'"),
        (lambda p: SolverEstimates(*MODULI, iterations=(2, 1)).transform(p), "increasing counts"),
        (lambda p: Interaction().transform(p[:, 0, 0]), "1 axes of space"),
        (lambda p: Interaction().transform(p.astype(float)), "wanted integer labels"),
    ],
)
def test_bad_arguments(work, told):
    with pytest.raises((ValueError, TypeError), match=told):
        work(cells())


def test_labels_without_modulus():
    with pytest.raises(DataError, match="modulus has 1 numbers"):
        SeriesParallel((1.0,)).transform(cells())
    with pytest.raises(DataError, match="moduli are given for 2 phases"):
        SolverEstimates(*MODULI).transform(2 * cells())
