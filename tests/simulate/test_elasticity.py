"""Elasticity against SfePy, exact solutions, bounds and the weak form written out."""

import itertools
import json

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from mksdask import simulate
from mksdask.errors import DataError
from mksdask.simulate import (
    cubic,
    effective_stiffness,
    elasticity,
    hexagonal,
    isotropic,
)
from mksdask.simulate.green import green_blocks
from mksdask.simulate.stiffness import in_plane, rotated, rotation

MODULI = {"youngs_modulus": (1.0, 10.0, 3.0), "poissons_ratio": (0.3, 0.2, 0.4)}
VOIGT = ("xx", "yy", "zz", "yz", "xz", "xy")


def random_labels(shape, n=3, seed=0):
    return np.random.default_rng(seed).integers(0, n, shape)


def random_stiffness(n, seed=0):
    a = np.random.default_rng(seed).standard_normal((n, 6, 6))
    return a @ a.transpose(0, 2, 1) + np.eye(6)


def assert_same(ours, theirs, tolerance=1e-8):
    for name in ("strain", "stress", "mean_strain", "mean_stress"):
        scale = np.abs(theirs[name]).max()
        np.testing.assert_allclose(ours[name], theirs[name], rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize(
    ("shape", "load"),
    [
        ((1, 4, 5, 3), {"macro_strain": 0.01}),
        ((1, 4, 3, 4), {"macro_strain": [0.01, -0.02, 0.003, 0.004, 0.02, 0.005]}),
        ((1, 3, 4, 1), {"macro_strain": {"xz": 0.01}}),
        ((1, 3, 3, 4), {"macro_strain": {"xx": 0.01}, "macro_stress": {"yy": 0.1, "yz": 0.2}}),
        ((2, 7, 6), {"macro_strain": [[0.01, 0.002], [0.002, -0.01]]}),
        ((1, 5, 8), {"macro_strain": {"xx": 0.01}, "macro_stress": {"yy": 0.0}}),
        ((1, 6, 5), {"macro_strain": {"xy": 0.01}, "plane": "stress"}),
    ],
)
def test_sfepy_gives_the_same_fields(shape, load):
    pytest.importorskip("sfepy")
    phase = random_labels(shape)
    ours = elasticity(phase, **MODULI, **load, tolerance=1e-11)
    assert_same(ours, elasticity(phase, **MODULI, **load, engine="sfepy"))


def test_sfepy_gives_the_same_fields_for_any_stiffness_and_orientation():
    pytest.importorskip("sfepy")
    rng = np.random.default_rng(5)
    load = {"macro_strain": rng.standard_normal(6), "stiffness": random_stiffness(2)}
    phase = random_labels((1, 3, 4, 3), 2)
    euler = xr.DataArray(
        rng.uniform(0, 2 * np.pi, (*phase.shape, 3)), dims=("sample", "x", "y", "z", "euler")
    )
    for orientation in (None, euler.values):
        ours = elasticity(phase, **load, orientation=orientation, tolerance=1e-11)
        assert_same(ours, elasticity(phase, **load, orientation=orientation, engine="sfepy"))
    voxels = rotated(load["stiffness"][phase], euler.values)
    direct = elasticity(None, stiffness=voxels, macro_strain=load["macro_strain"], tolerance=1e-11)
    assert_same(direct, ours)


def test_sfepy_gives_the_same_fields_in_the_plane_for_crystals():
    pytest.importorskip("sfepy")
    rng = np.random.default_rng(6)
    euler = np.zeros((1, 5, 6, 3))
    euler[..., 0] = rng.uniform(0, np.pi, (1, 5, 6))  # turns about z keep the plane problem
    args = {"stiffness": cubic(168.4, 121.4, 75.4), "orientation": euler, "macro_strain": 0.01}
    phase = np.zeros((1, 5, 6), int)
    for plane in ("strain", "stress"):
        ours = elasticity(phase, **args, plane=plane, tolerance=1e-11)
        assert_same(ours, elasticity(phase, **args, plane=plane, engine="sfepy"))


def test_plane_strain_is_a_cell_one_voxel_thick():
    phase = random_labels((1, 6, 7))
    flat = elasticity(
        phase, **MODULI, macro_strain=[0.01, 0.02, 0.03], components=("yy", "zz"), tolerance=1e-11
    )
    thick = elasticity(
        phase[..., None], **MODULI, macro_strain={"xx": 0.01, "yy": 0.02, "xy": 0.03},
        components=("yy", "zz"), tolerance=1e-11,
    )  # fmt: skip
    for name in ("strain", "stress"):
        np.testing.assert_allclose(flat[name], thick[name][:, :, :, 0], atol=1e-9)
        np.testing.assert_allclose(flat[f"mean_{name}"], thick[f"mean_{name}"], atol=1e-9)


def test_plane_stress_has_no_stress_across():
    phase = np.zeros((1, 4, 4), int)
    found = elasticity(
        phase, 2.0, 0.25, macro_stress={"xx": 1.0}, plane="stress", components=("xx", "yy", "zz")
    )
    np.testing.assert_allclose(found.mean_strain[0], [0.5, -0.125, -0.125], rtol=1e-12)
    np.testing.assert_allclose(found.stress[0, ..., 2], 0.0)


def laminate(c, fractions):
    """Effective stiffness of layers normal to x: traction and in-plane strain are uniform."""
    normal, inplane = [0, 4, 5], [1, 2, 3]

    def mean(values):
        return np.einsum("p,pij->ij", fractions, values)

    nn, nt, tt = (
        c[np.ix_(range(len(c)), a, b)]
        for a, b in ((normal, normal), (normal, inplane), (inplane, inplane))
    )
    inverse = np.linalg.inv(nn)
    across = np.linalg.inv(mean(inverse))
    coupling = mean(inverse @ nt)
    out = np.zeros((6, 6))
    out[np.ix_(normal, normal)] = across
    out[np.ix_(normal, inplane)] = across @ coupling
    out[np.ix_(inplane, normal)] = (across @ coupling).T
    inner = tt - nt.transpose(0, 2, 1) @ inverse @ nt
    out[np.ix_(inplane, inplane)] = mean(inner) + coupling.T @ across @ coupling
    return out


def test_laminates_are_exact():
    c = random_stiffness(3, seed=3)
    layers = np.array([0, 0, 1, 2, 2, 2, 1, 0])
    exact = laminate(c, np.bincount(layers) / len(layers))
    along_x = np.broadcast_to(layers[None, :, None, None], (1, 8, 2, 3))
    found = effective_stiffness(along_x, stiffness=c, tolerance=1e-12)[0]
    np.testing.assert_allclose(found, exact, atol=1e-10 * np.abs(exact).max())


def test_homogeneous_cell_takes_no_iteration():
    found = elasticity(np.zeros((1, 5, 4, 3), int), 7.0, 0.3, macro_strain=[1, 2, 3, 4, 5, 6])
    assert found.iterations == 0
    assert found.converged
    expected = isotropic(7.0, 0.3) @ [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(found.mean_stress[0], expected, rtol=1e-13)
    np.testing.assert_allclose(found.stress[0, 2, 1, 1], expected, rtol=1e-13)


def willis(phase, c, c0):
    """The estimate of Hashin, Shtrikman and Willis from the two-point statistics; two phases."""
    m = np.fft.fftn(phase) / phase.size
    half = green_blocks(c0, phase.shape)
    full = np.empty((6, *phase.shape))
    n = phase.shape[-1]
    k = [np.arange(s) for s in phase.shape]
    for index in itertools.product(*k):
        mirrored = (
            index
            if index[-1] <= n // 2
            else tuple(-i % s for i, s in zip(index, phase.shape, strict=True))
        )
        full[(slice(None), *index)] = half[(slice(None), *mirrored)]
    angle = np.stack(
        np.meshgrid(*(2 * np.pi * np.fft.fftfreq(s) for s in phase.shape), indexing="ij")
    )
    # The voxel average of the strain of a nodal wave; its discrete Green operator is a lower
    # estimate of the energy of the elements, so the bounds below are those of the solver.
    half_sum = np.cos(angle / 2)
    xi = np.stack(
        [
            2 * np.sin(angle[i] / 2) * np.prod([half_sum[j] for j in range(3) if j != i], axis=0)
            for i in range(3)
        ]
    )
    pairs = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
    order = {p: i for i, p in enumerate(pairs)}
    a = np.zeros((6, 6))
    power = np.abs(m) ** 2
    power[0, 0, 0] = 0
    for p, (i, j) in enumerate(pairs):
        for q, (r, s) in enumerate(pairs):
            term = 0
            for x, y in {(i, j), (j, i)}:
                for u, v in {(r, s), (s, r)}:
                    term = term + xi[x] * xi[u] * full[order[min(y, v), max(y, v)]]
            a[p, q] = np.sum(power * term)
    v = phase.mean()
    d = [np.linalg.pinv(x - c0) if np.abs(x - c0).max() > 0 else None for x in c]
    # One phase is the reference: its polarization vanishes, and 6 x 6 equations remain.
    other = 0 if d[0] is not None else 1
    share = v if other else 1 - v
    t = np.linalg.inv(a / share + d[other])
    return c0 + share * t


@pytest.mark.parametrize("seed", range(4))
def test_bounds_hold(seed):
    rng = np.random.default_rng(seed)
    width = rng.choice([0.5, 1.0, 2.0], 3)
    axes = [np.minimum(np.arange(8), 8 - np.arange(8)) for _ in range(3)]
    smooth = np.exp(
        -sum(np.meshgrid(*[(x / w) ** 2 for x, w in zip(axes, width, strict=True)], indexing="ij"))
    )
    noise = np.fft.ifftn(np.fft.fftn(rng.standard_normal((8, 8, 8))) * np.fft.fftn(smooth)).real
    phase = (noise > np.quantile(noise, rng.uniform(0.3, 0.7))).astype(int)
    c = np.array([isotropic(1.0, 0.3), isotropic(20.0, 0.2)])
    found = effective_stiffness(phase[None], stiffness=c, tolerance=1e-10)[0]
    share = np.array([1 - phase.mean(), phase.mean()])
    voigt = np.einsum("p,pij->ij", share, c)
    reuss = np.linalg.inv(np.einsum("p,pij->ij", share, np.linalg.inv(c)))
    lower = willis(phase, c, c[0])
    for smaller, larger in ((reuss, found), (found, voigt), (lower, found), (reuss, lower)):
        assert np.linalg.eigvalsh(larger - smaller)[0] > -1e-9
    assert np.linalg.eigvalsh(found)[0] > 0


def test_effective_stiffness_is_symmetric_before_it_is_made_so():
    phase = random_labels((1, 4, 5, 3))
    columns = [
        elasticity(phase, **MODULI, macro_strain=row, outputs=("mean_stress",), tolerance=1e-11)
        for row in np.eye(6)
    ]
    c = np.stack([column.mean_stress.values[0] for column in columns], axis=1)
    np.testing.assert_allclose(c, c.T, atol=1e-9 * c.max())
    np.testing.assert_allclose(
        effective_stiffness(phase, **MODULI, tolerance=1e-11)[0], c, atol=1e-9
    )


def test_turning_the_cell_turns_the_answer():
    phase = random_labels((1, 4, 4, 3))
    turned = np.rot90(phase, axes=(1, 2))  # x -> y, about z
    c = effective_stiffness(phase, **MODULI, tolerance=1e-11)[0]
    expected = rotated(c, np.array([np.pi / 2, 0.0, 0.0]))
    found = effective_stiffness(turned, **MODULI, tolerance=1e-11)[0]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def element_matrix(c):
    """Stiffness of a unit trilinear element, integrated with 2 x 2 x 2 points."""
    points = np.array(list(itertools.product([0.5 - 0.5 / 3**0.5, 0.5 + 0.5 / 3**0.5], repeat=3)))
    corners = np.array(list(itertools.product([0, 1], repeat=3)))
    k = np.zeros((24, 24))
    pairs = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
    for point in points:
        value = np.where(corners == 1, point, 1 - point)
        slope = np.where(corners == 1, 1.0, -1.0)
        b = np.zeros((6, 8, 3))
        for n in range(8):
            grad = [slope[n, a] * np.prod(np.delete(value[n], a)) for a in range(3)]
            for p, (i, j) in enumerate(pairs):
                b[p, n, i] += grad[j]
                if i != j:
                    b[p, n, j] += grad[i]
        b = b.reshape(6, 24)
        k += b.T @ c @ b / 8
    return k


@pytest.mark.parametrize("law", ["isotropic", "anisotropic"])
def test_operator_is_the_sum_of_element_matrices(law):
    from mksdask.simulate.cells import full_stiffness
    from mksdask.simulate.voxel_operator import VoxelOperator, Workers

    rng = np.random.default_rng(0)
    grid = (9, 4, 3)  # two slabs
    if law == "isotropic":
        constants = rng.uniform(0.5, 2, (2, *grid))
    else:
        constants = random_stiffness(108)[:, *np.triu_indices(6)].T.reshape(21, *grid)
    c = full_stiffness(constants)
    with Workers(1) as workers:
        operator = VoxelOperator(law, constants[None], workers)
        u = operator.vector(1)
        u[...] = rng.standard_normal(u.shape)
        found = np.empty_like(u)
        energy, _ = operator.apply(u, np.zeros(1, int), np.zeros((1, 6)), found)
    expected = np.zeros_like(found[0])
    for voxel in np.ndindex(*grid):
        nodes = [
            tuple((v + o) % n for v, o, n in zip(voxel, offset, grid, strict=True))
            for offset in itertools.product([0, 1], repeat=3)
        ]
        local = np.array([u[(0, slice(None), *node)] for node in nodes]).ravel()
        force = (element_matrix(c[(..., *voxel)]) @ local).reshape(8, 3)
        for node, f in zip(nodes, force, strict=True):
            expected[(slice(None), *node)] += f
    np.testing.assert_allclose(found[0], expected, atol=1e-12 * np.abs(expected).max())
    np.testing.assert_allclose(energy[0], np.sum(u * found), rtol=1e-12)


def test_stress_is_free_of_divergence_in_the_weak_sense():
    from mksdask.simulate.cg import solve
    from mksdask.simulate.voxel_operator import VoxelOperator, Workers

    rng = np.random.default_rng(0)
    constants = rng.uniform(0.5, 5, (1, 2, 6, 5, 4))
    reference = isotropic(1.0, 0.3)
    mean = np.array([[1.0, 0.2, 0, 0.5, 0, 0]])
    nothing = np.zeros((1, 6))
    with Workers(1) as workers:
        operator = VoxelOperator("isotropic", constants, workers)
        green = green_blocks(reference, (6, 5, 4))
        which = np.zeros(1, int)
        found = solve(operator, which, mean, nothing, nothing[0] > 0, reference, green, 1e-11)
        u = operator.vector(1)
        u[...] = found.u
        forces = np.empty_like(u)
        operator.apply(u, which, mean, forces)
        start = np.empty_like(u)
        operator.apply(operator.vector(1), which, mean, start)
    assert np.abs(forces).max() < 1e-9 * np.abs(start).max()
    assert np.abs(found.u.mean(axis=(2, 3, 4))).max() < 1e-12


@settings(max_examples=8, deadline=None)
@given(
    shape=st.tuples(*[st.integers(2, 5)] * 3),
    seed=st.integers(0, 1000),
    contrast=st.sampled_from([1e-4, 0.1, 7.0, 1e4]),
)
def test_means_are_imposed_exactly(shape, seed, contrast):
    rng = np.random.default_rng(seed)
    strain = rng.standard_normal(6)
    phase = random_labels((1, *shape), 2, seed)
    found = elasticity(phase, (1.0, contrast), (0.3, 0.2), macro_strain=strain)
    np.testing.assert_allclose(found.mean_strain[0], strain, rtol=1e-13)
    np.testing.assert_allclose(found.strain.mean(("x", "y", "z"))[0], strain, atol=1e-10)
    np.testing.assert_allclose(
        found.stress.mean(("x", "y", "z"))[0],
        found.mean_stress[0],
        atol=1e-9 * np.abs(found.mean_stress).max(),
    )


def test_mean_stress_is_imposed():
    target = {"xx": 0.2, "yy": 0.0, "zz": -0.1, "yz": 0.05, "xz": 0.0, "xy": 0.3}
    found = elasticity(random_labels((1, 5, 4, 6)), **MODULI, macro_stress=target, tolerance=1e-9)
    np.testing.assert_allclose(found.mean_stress[0], list(target.values()), atol=1e-8)


@pytest.mark.parametrize("contrast", [1e-4, 1e4])
def test_voids_and_rigid_phases_converge(contrast):
    phase = random_labels((1, 8, 8, 8), 2, seed=2)
    found = elasticity(phase, (1.0, contrast), (0.3, 0.3), macro_strain=1.0)
    assert found.converged
    assert found.residual < 2e-6
    finer = elasticity(phase, (1.0, contrast), (0.3, 0.3), macro_strain=1.0, tolerance=1e-10)
    scale = np.abs(finer.mean_stress).max()
    np.testing.assert_allclose(found.mean_stress, finer.mean_stress, atol=1e-5 * scale)


def test_iterations_do_not_grow_with_the_grid():
    counts = [
        int(elasticity(np.kron(random_labels((1, 4, 4, 4), 2), np.ones((1, m, m, m), int)),
                       (1.0, 10.0), (0.3, 0.3), macro_strain=1.0).iterations[0])
        for m in (2, 4)
    ]  # fmt: skip
    assert abs(counts[0] - counts[1]) <= 5


def test_max_iterations_are_done_exactly_and_without_complaint():
    phase = random_labels((2, 6, 5, 4), 2)
    args = {"youngs_modulus": (1.0, 100.0), "poissons_ratio": (0.3, 0.3)}
    exact = elasticity(phase, **args, macro_strain=1.0, tolerance=1e-10)
    errors = []
    for n in (0, 1, 3, 200):
        found = elasticity(phase, **args, macro_strain=1.0, max_iterations=n)
        if n < 20:
            assert (found.iterations == n).all()
            assert not found.converged.any()
        assert np.isfinite(found.stress).all()
        errors.append(float(np.abs(found.mean_stress - exact.mean_stress).max()))
    assert errors[0] > errors[1] > errors[2] > errors[3]
    uniform = elasticity(phase, **args, macro_strain=1.0, max_iterations=0)
    np.testing.assert_allclose(uniform.strain[..., 0], 1.0)
    estimate = effective_stiffness(phase, **args, max_iterations=2)
    # the energy of any trial field is an upper bound
    assert (estimate[:, 0, 0] >= effective_stiffness(phase, **args)[:, 0, 0]).all()


def test_failure_is_said(monkeypatch):
    monkeypatch.setattr("mksdask.simulate.cg.CAP", 3)
    phase = np.stack([random_labels((5, 5, 5), 2), np.zeros((5, 5, 5), int)])
    args = {"youngs_modulus": (1.0, 1e4), "poissons_ratio": (0.3, 0.3)}
    with pytest.raises(DataError, match=r"1 of 2 cells .* did not converge .* on_failure='flag'"):
        elasticity(phase, **args, macro_strain=1.0)
    found = elasticity(phase, **args, macro_strain=1.0, on_failure="flag")
    assert found.converged.values.tolist() == [False, True]
    assert np.isnan(found.strain[0]).all()
    assert np.isnan(found.mean_stress[0]).all()
    assert np.isfinite(found.stress[1]).all()
    assert found.iterations.values.tolist() == [3, 0]
    flagged = effective_stiffness(phase, **args, on_failure="flag")
    assert np.isnan(flagged[0]).all()
    assert np.isfinite(flagged[1]).all()


def test_float32():
    phase = random_labels((1, 9, 8, 7), 2)
    args = {"youngs_modulus": (1.0, 50.0), "poissons_ratio": (0.3, 0.2), "macro_strain": 0.01}
    double = elasticity(phase, **args, tolerance=1e-8)
    single = elasticity(phase, **args, dtype="float32")
    assert single.strain.dtype == np.float32
    assert single.converged
    np.testing.assert_allclose(
        single.stress, double.stress, atol=1e-3 * float(np.abs(double.stress).max())
    )


@pytest.mark.parametrize("space", [("x", "y"), ("x", "y", "z")])
def test_chunks_and_schedulers_do_not_matter(space):
    shape = (5, 7, 6, 5)[: 1 + len(space)]
    phase = xr.DataArray(
        random_labels(shape), dims=("sample", *space), coords={"sample": [3, 5, 7, 9, 11]}
    )
    args = {**MODULI, "macro_strain": 0.01}
    whole = elasticity(phase, **args)
    for chunk, scheduler in ((1, "threads"), (2, "synchronous")):
        lazy = elasticity(phase.chunk(sample=chunk), **args)
        assert all(isinstance(v.data, da.Array) for v in lazy.data_vars.values())
        with dask.config.set(scheduler=scheduler):
            xr.testing.assert_allclose(lazy.compute(), whole, rtol=1e-10, atol=1e-13)
        stiffness = effective_stiffness(phase.chunk(sample=chunk), **MODULI)
        np.testing.assert_allclose(stiffness, effective_stiffness(phase, **MODULI), rtol=1e-10)
    threaded = elasticity(phase, **args, threads=2)
    xr.testing.assert_allclose(threaded, whole, rtol=1e-10, atol=1e-13)


def test_one_solution_serves_all_outputs(monkeypatch):
    from mksdask.simulate import cell_blocks

    calls = []
    solve = cell_blocks.solve_small
    monkeypatch.setattr(cell_blocks, "solve_small", lambda *a: calls.append(1) or solve(*a))
    phase = xr.DataArray(random_labels((2, 4, 4)), dims=("sample", "x", "y")).chunk(sample=1)
    lazy = elasticity(phase, **MODULI, macro_strain=1.0)
    assert not calls
    # a block of labels, one of sample numbers, the solution, and each output picked from it
    assert len(dict(lazy.__dask_graph__())) <= 2 * (3 + 7)
    lazy.compute()
    assert len(calls) == 2


def test_chosen_outputs_and_a_cell_without_samples():
    phase = xr.DataArray(random_labels((4, 5)), dims=("x", "y"))
    found = elasticity(
        phase, **MODULI, macro_strain=1.0, outputs=("stress",), components=("xy", "xx")
    )
    assert list(found) == ["stress"]
    assert found.stress.dims == ("x", "y", "tensor")
    assert found.tensor.values.tolist() == ["xy", "xx"]
    everything = elasticity(phase.expand_dims("sample"), **MODULI, macro_strain=1.0)
    np.testing.assert_array_equal(
        found.stress.sel(tensor="xx"), everything.stress.sel(tensor="xx")[0]
    )
    assert effective_stiffness(phase, **MODULI).dims == ("tensor", "tensor_2")


def test_rows_longer_than_the_first_pitch():
    phase = random_labels((1, 2, 300), 2)
    found = elasticity(phase, (1.0, 10.0), (0.3, 0.3), macro_strain=1.0, tolerance=1e-9)
    swapped = elasticity(
        phase.transpose(0, 2, 1), (1.0, 10.0), (0.3, 0.3), macro_strain={"yy": 1.0}, tolerance=1e-9
    )
    np.testing.assert_allclose(found.mean_stress[0], swapped.mean_stress[0, [1, 0, 2]], atol=1e-8)


def test_hexagonal_and_cubic_rotations():
    c = hexagonal(162.4, 92.0, 69.0, 180.7, 46.7)
    about_axis = rotated(c, np.array([0.7, 0.0, 0.0]))
    np.testing.assert_allclose(about_axis, c, atol=1e-12 * c.max())
    copper = cubic(168.4, 121.4, 75.4)
    np.testing.assert_allclose(rotated(copper, np.array([0, np.pi / 2, 0])), copper, atol=1e-12)
    g = rotation(np.array([0.3, 0.5, 1.1]))
    np.testing.assert_allclose(g @ g.T, np.eye(3), atol=1e-15)
    # energy of a strain is the same in both axes
    strain = np.array([[0.1, 0.2, 0.3], [0.2, -0.1, 0.05], [0.3, 0.05, 0.4]])

    def voigt(e):
        return np.array([e[0, 0], e[1, 1], e[2, 2], 2 * e[1, 2], 2 * e[0, 2], 2 * e[0, 1]])

    in_crystal = voigt(g @ strain @ g.T)
    turned = rotated(c, np.array([0.3, 0.5, 1.1]))
    np.testing.assert_allclose(
        voigt(strain) @ turned @ voigt(strain), in_crystal @ c @ in_crystal, rtol=1e-13
    )
    e, nu = 2.0, 0.3
    expected = e / (1 - nu**2) * np.array([[1, nu, 0], [nu, 1, 0], [0, 0, (1 - nu) / 2]])
    np.testing.assert_allclose(in_plane(isotropic(e, nu), "stress"), expected, rtol=1e-13)


GOOD = np.zeros((2, 4, 4), int)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"poissons_ratio": 0.5}, ValueError, r"poissons_ratio is 0.5; wanted .* -1 and 0.5"),
        ({"poissons_ratio": -1.0}, ValueError, "poissons_ratio is -1"),
        ({"poissons_ratio": np.nan}, ValueError, "poissons_ratio is nan"),
        ({"youngs_modulus": -2.0}, ValueError, "youngs_modulus is -2; wanted a positive"),
        ({"youngs_modulus": 0.0}, ValueError, "for a void"),
        ({"youngs_modulus": np.inf}, ValueError, "youngs_modulus is inf"),
        ({"youngs_modulus": (1.0, 2.0)}, ValueError, "2 entries and poissons_ratio 1"),
        ({"poissons_ratio": None}, ValueError, "wanted together"),
        ({"stiffness": np.eye(6)}, ValueError, "wanted one way"),
        ({"macro_strain": None}, ValueError, "neither macro_strain nor macro_stress"),
        ({"macro_strain": [1.0, 2.0]}, ValueError, r"macro_strain has shape \(2,\)"),
        ({"macro_strain": np.eye(3)}, ValueError, r"macro_strain has shape \(3, 3\)"),
        ({"macro_strain": [[0, 1], [2, 0]]}, ValueError, "not symmetric"),
        ({"macro_strain": {"zz": 1.0}}, ValueError, r"names \['zz'\]"),
        ({"macro_strain": np.inf}, ValueError, "NaN or infinity"),
        ({"macro_strain": "xx"}, TypeError, "wanted numbers"),
        ({"macro_strain": {"xx": None}}, TypeError, r"macro_strain\['xx'\] is None; wanted a"),
        ({"macro_strain": {"yx": 0.1}}, ValueError, r"names \['yx'\].*use xy"),
        ({"tolerance": "a"}, ValueError, "tolerance is 'a'; wanted a number"),
        ({"macro_stress": 1.0}, ValueError, "both give xx"),
        ({"plane": "shell"}, ValueError, "plane is 'shell'"),
        ({"phase": np.zeros((1, 3, 3, 3), int), "plane": "stress"}, ValueError, "cells are 3D"),
        ({"phase": np.zeros((2, 4, 4))}, TypeError, "wanted integer labels"),
        ({"phase": np.zeros((2, 4), int)}, ValueError, "wanted sample, x, y"),
        ({"phase": [[0, 1]]}, TypeError, "phase is a list"),
        ({"phase": np.zeros((2, 0, 4), int)}, ValueError, "no empty axis"),
        ({"phase": np.full((1, 4, 4), 3)}, DataError, "label 3, and moduli are given for 1"),
        ({"phase": np.full((1, 4, 4), -1)}, DataError, "label -1"),
        ({"phase": None}, ValueError, "not given by voxel"),
        ({"engine": "abaqus"}, ValueError, "engine is 'abaqus'"),
        ({"outputs": ("strian",)}, ValueError, "strian"),
        ({"components": ("ab",)}, ValueError, "components"),
        ({"tolerance": 0.0}, ValueError, "tolerance is 0.0"),
        ({"max_iterations": -1}, ValueError, "max_iterations is -1"),
        ({"max_iterations": 2.5}, ValueError, "max_iterations is 2.5"),
        ({"on_failure": "ignore"}, ValueError, "on_failure is 'ignore'"),
        ({"dtype": "float16"}, ValueError, "dtype is float16"),
        ({"threads": 0}, ValueError, "threads is 0"),
        ({"orientation": np.zeros((2, 4, 4, 2))}, ValueError, "orientation has"),
        ({"orientation": np.zeros((2, 4, 3))}, ValueError, "orientation has 3 axes"),
        ({"orientation": np.zeros((2, 4, 4, 3), int)}, TypeError, "floating-point"),
    ],
)
def test_bad_input_is_said(change, error, message):
    args = {"phase": GOOD, "youngs_modulus": 1.0, "poissons_ratio": 0.3, "macro_strain": 0.01}
    if "stiffness" not in change and change.get("phase", GOOD) is None:
        args |= {"youngs_modulus": None, "poissons_ratio": None}
    args |= change
    with pytest.raises(error, match=message):
        elasticity(args.pop("phase"), **args)


@pytest.mark.parametrize(
    ("stiffness", "message"),
    [
        (-np.eye(6), "not positive definite"),
        (np.triu(np.ones((6, 6))), "not symmetric"),
        (np.eye(5), "wanted"),
        (np.full((6, 6), np.nan), "NaN"),
        (np.eye(3), r"\(3, 3\) and the cells are 3D"),
        ([np.eye(6), np.eye(3)], "one matrix a phase"),
    ],
)
def test_bad_stiffness_is_said(stiffness, message):
    with pytest.raises((ValueError, TypeError), match=message):
        elasticity(np.zeros((1, 3, 3, 3), int), stiffness=stiffness, macro_strain=1.0)


def test_bad_data_of_voxels_is_said():
    phase = np.zeros((1, 3, 3, 3), int)
    euler = np.full((1, 3, 3, 3, 3), np.nan)
    with pytest.raises(DataError, match="orientation holds NaN"):
        elasticity(phase, stiffness=cubic(3, 1, 2), orientation=euler, macro_strain=1.0)
    voxels = np.broadcast_to(np.eye(6), (1, 3, 3, 3, 6, 6)).copy()
    for value, message in ((np.nan, "NaN"), (-1.0, "positive definite")):
        voxels[0, 1, 1, 1, 0, 0] = value
        with pytest.raises(DataError, match=message):
            elasticity(None, stiffness=voxels, macro_strain=1.0)
    tilted = np.full((1, 4, 4, 3), 0.4)
    with pytest.raises(DataError, match="couples the plane"):
        elasticity(
            np.zeros((1, 4, 4), int),
            stiffness=cubic(3, 1, 2),
            orientation=tilted,
            macro_strain=1.0,
        )


@pytest.mark.parametrize(
    ("shape", "edges", "options"),
    [
        ((2, 3, 4, 5), [1.0, 2.0, 0.5], MODULI),
        ((1, 3, 4, 3), [0.2, 0.2, 0.6], {"stiffness": random_stiffness(3, 4)}),
        ((1, 6, 7), [3.0, 1.0], {**MODULI, "plane": "stress"}),
    ],
)
@pytest.mark.parametrize("mixed", [False, True])
def test_boxes_as_voxels_give_the_fields_of_sfepy(shape, edges, options, mixed):
    pytest.importorskip("sfepy")
    space = ("x", "y", "z")[: len(shape) - 1]
    phase = xr.DataArray(random_labels(shape), dims=("sample", *space), attrs={"voxel_size": edges})
    load = {"macro_strain": {"xx": 0.01, "xy": -0.004}}
    if mixed:
        load["macro_stress"] = {"yy": 0.02}
    args = {**options, **load}
    ours = elasticity(phase, **args, tolerance=1e-11)
    assert_same(ours, elasticity(phase, **args, engine="sfepy"))
    assert ours.attrs["voxel_size"] == edges
    cubes = elasticity(phase.drop_attrs(), **args, outputs=("mean_stress",))
    assert (
        np.abs(cubes.mean_stress - ours.mean_stress).max() > 1e-3 * np.abs(cubes.mean_stress).max()
    )
    longer = phase.assign_attrs(voxel_size=[7 * e for e in edges])  # lengths have no unit here
    np.testing.assert_allclose(
        elasticity(longer, **args, tolerance=1e-11).stress, ours.stress, rtol=1e-10, atol=1e-13
    )


def test_laminates_of_boxes_are_exact():
    c = random_stiffness(3, seed=3)
    layers = np.array([0, 0, 1, 2, 2, 2, 1, 0])
    exact = laminate(c, np.bincount(layers) / len(layers))
    along_x = xr.DataArray(
        np.broadcast_to(layers[None, :, None, None], (1, 8, 2, 3)),
        dims=("sample", "x", "y", "z"), attrs={"voxel_size": [0.3, 1.0, 2.0]},
    )  # fmt: skip
    found = effective_stiffness(along_x, stiffness=c, tolerance=1e-12)[0]
    np.testing.assert_allclose(found, exact, atol=1e-10 * np.abs(exact).max())
    by_voxel = along_x.copy(data=along_x.values)
    matrices = xr.DataArray(
        c[by_voxel.values], dims=(*along_x.dims, "tensor", "tensor_2"), attrs=along_x.attrs
    )
    again = effective_stiffness(None, stiffness=matrices, tolerance=1e-12)[0]
    np.testing.assert_allclose(again, exact, atol=1e-10 * np.abs(exact).max())


@pytest.mark.parametrize("edges", [[1.0, -1.0, 2.0], [1.0, 2.0], "mm", [1.0, np.nan, 1.0]])
def test_voxel_sizes_that_are_none_are_refused(edges):
    phase = xr.DataArray(labels_3d(), dims=("sample", "x", "y", "z"), attrs={"voxel_size": edges})
    with pytest.raises(ValueError, match=r"voxel_size.*wanted positive lengths"):
        elasticity(phase, (1.0, 5.0), (0.3, 0.3), macro_strain=0.01)
    with pytest.raises(ValueError, match="wanted positive lengths"):
        simulate.conduction(phase, (1.0, 5.0), macro_gradient=1.0)


def test_stiffness_by_voxel_may_be_rounded_to_float32():
    rng = np.random.default_rng(0)
    euler = rng.uniform(0, np.pi, (1, 4, 3, 3, 3))
    exact = rotated(cubic(168.4, 121.4, 75.4), euler)
    args = {"macro_strain": 0.01, "tolerance": 1e-9, "outputs": ("mean_stress",)}
    rounded = elasticity(None, stiffness=exact.astype(np.float32), **args)
    np.testing.assert_allclose(
        rounded.mean_stress, elasticity(None, stiffness=exact, **args).mean_stress, atol=1e-5
    )
    crooked = exact.copy()
    crooked[..., 0, 1] *= 1 + 1e-6
    with pytest.raises(DataError, match="sample 0: stiffness is not symmetric"):
        elasticity(None, stiffness=crooked, **args)
    flat = np.zeros((1, 4, 5, 3), np.float32)
    flat[..., 1] = np.pi  # turned over: exactly so in float64 only
    phase = np.zeros((1, 4, 5), int)
    found = elasticity(phase, stiffness=cubic(3, 1, 2), orientation=flat, macro_strain=1.0)
    np.testing.assert_allclose(found.mean_stress[0, 0], 3.0, rtol=1e-6)


def test_residuals_are_those_that_are_left():
    phase = random_labels((1, 5, 4, 6), 2)
    args = {"youngs_modulus": (1.0, 5.0), "poissons_ratio": (0.3, 0.3), "macro_strain": 1.0}
    assert 0 < elasticity(phase, **args, max_iterations=300).residual < 1e-11
    assert 0 < elasticity(phase, **args, tolerance=1e-13).residual < 1e-11
    assert elasticity(0 * phase, **args).residual < 1e-13
    assert elasticity(phase, **args | {"macro_strain": 0.0}).residual == 0


def test_faults_name_the_sample():
    phase = xr.DataArray(
        random_labels((4, 4, 5), 2), dims=("sample", "x", "y"), coords={"sample": [3, 5, 8, 13]}
    )
    phase[2, 1, 1] = 7
    args = {"youngs_modulus": (1.0, 1e4), "poissons_ratio": (0.3, 0.3), "macro_strain": 1.0}
    for whole in (phase, phase.chunk(sample=1), phase.chunk(sample=3)):
        with pytest.raises(DataError, match="sample 8: phase holds the label 7"):
            elasticity(whole, **args).compute()
        with pytest.raises(DataError, match="sample 8: phase holds the label 7"):
            simulate.effective_conductivity(whole, (1.0, 2.0)).compute()
    with pytest.raises(DataError, match="sample 2: phase"):
        elasticity(da.from_array(phase.values, chunks=(1, -1, -1)), **args).compute()
    coupled = np.broadcast_to(np.eye(6), (3, 4, 5, 6, 6)).copy()
    coupled[1, 0, 0, 0, 4] = coupled[1, 0, 0, 4, 0] = 0.1
    with pytest.raises(DataError, match="sample 1: stiffness: .* couples the plane"):
        elasticity(None, stiffness=coupled, macro_strain=1.0)


def test_failures_name_the_samples(monkeypatch):
    monkeypatch.setattr("mksdask.simulate.cg.CAP", 3)
    phase = xr.DataArray(
        np.stack([np.zeros((5, 5), int), random_labels((5, 5), 2)]), dims=("sample", "x", "y"),
        coords={"sample": ["uniform", "random"]},
    )  # fmt: skip
    with pytest.raises(DataError, match=r"1 of 2 cells .*\(sample random\) did not converge"):
        elasticity(phase, (1.0, 1e4), (0.3, 0.3), macro_strain=1.0)


def test_phases_declared_are_phases_given():
    phase = xr.DataArray(random_labels((2, 4, 5), 2), dims=("sample", "x", "y"), name="phase")
    three = {"youngs_modulus": (1.0, 2.0, 3.0), "poissons_ratio": (0.3,) * 3, "macro_strain": 1.0}
    assert elasticity(phase, **three).converged.all()  # a phase may be in no sample
    named = phase.assign_attrs(phase_names=["ferrite", "pearlite"])
    generated = phase.assign_attrs(provenance={"parameters": {"n_phases": 2}})
    for declared in (named, generated, phase.assign_attrs(n_phases=2)):
        with pytest.raises(ValueError, match="moduli are given for 3 phases, and phase has 2 by"):
            elasticity(declared, **three)
        with pytest.raises(ValueError, match="conductivity is given for 3 phases"):
            simulate.conduction(declared, (1.0, 2.0, 3.0), macro_gradient=1.0)
        assert elasticity(declared, (1.0, 2.0), (0.3, 0.3), macro_strain=1.0).converged.all()


def test_responses_tell_where_they_come_from():
    phase = xr.DataArray(
        random_labels((2, 4, 5), 2), dims=("sample", "x", "y"),
        attrs={"voxel_size": [0.5, 0.5], "voxel_unit": "um"},
    )  # fmt: skip
    found = elasticity(
        phase, np.array([1.0, 2.0]), (0.3, 0.2), macro_strain={"xx": np.float64(0.01)},
        components=("xx",), outputs=["mean_stress"],
    )  # fmt: skip
    told = json.loads(json.dumps(found.attrs))
    assert (told["voxel_size"], told["voxel_unit"]) == ([0.5, 0.5], "um")
    assert told["provenance"]["created_by"] == "mksdask.simulate.elasticity"
    assert told["provenance"]["parameters"] == {
        "youngs_modulus": [1.0, 2.0], "poissons_ratio": [0.3, 0.2], "macro_strain": {"xx": 0.01},
        "plane": "strain", "outputs": ["mean_stress"], "components": ["xx"], "dtype": "float64",
        "engine": "fft", "tolerance": 1e-6, "on_failure": "raise",
    }  # fmt: skip
    euler = np.zeros((2, 4, 5, 3))
    turned = effective_stiffness(phase, stiffness=[cubic(3, 1, 2)] * 2, orientation=euler)
    parameters = json.loads(json.dumps(turned.attrs))["provenance"]["parameters"]
    assert parameters["orientation"] == "by voxel"
    assert parameters["stiffness"][0][0][:2] == [3.0, 1.0]


def test_a_mask_is_two_phases():
    mask = labels_3d().astype(bool)
    a = simulate.effective_stiffness(mask, (1.0, 5.0), (0.3, 0.3))
    b = simulate.effective_stiffness(mask.astype(int), (1.0, 5.0), (0.3, 0.3))
    np.testing.assert_array_equal(a, b)


def test_a_tolerance_beyond_the_precision_is_refused():
    with pytest.raises(ValueError, match="which float32 can reach"):
        simulate.elasticity(
            labels_3d(), (1.0, 5.0), (0.3, 0.3), macro_strain=0.01, tolerance=1e-9, dtype="float32"
        )


def labels_3d():
    return np.random.default_rng(0).integers(0, 2, (1, 4, 5, 6))
