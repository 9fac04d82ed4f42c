"""Small cells, solved side by side in lanes, against the solver that takes one after another."""

import numpy as np
import pytest

from mksdask.errors import DataError
from mksdask.simulate import cell_blocks, cubic, effective_stiffness, elasticity, isotropic
from mksdask.simulate.green import green_blocks
from mksdask.simulate.small_cells import LANES, LONGEST, solve_small
from mksdask.simulate.voxel_operator import Workers

MODULI = {"youngs_modulus": (1.0, 10.0, 3.0), "poissons_ratio": (0.3, 0.2, 0.4)}


def labels(shape, n=3, seed=0):
    return np.random.default_rng(seed).integers(0, n, shape)


@pytest.fixture
def one_by_one(monkeypatch):
    """Solve the other way."""

    def solve(work):
        with monkeypatch.context() as patch:
            patch.setattr(cell_blocks, "suits", lambda *_: False)
            patch.setattr(
                cell_blocks, "solve_small", lambda *_: pytest.fail("small cells after all")
            )
            return work()

    return solve


@pytest.mark.parametrize("grid", [(21, 21), (8, 6), (5, 12), (1, 7), (6, 1), (2, 2), (LONGEST, 3)])
@pytest.mark.parametrize(
    "load",
    [
        {"macro_strain": [0.01, -0.02, 0.005]},
        {"macro_strain": {"xx": 0.01}, "macro_stress": {"yy": 0.02, "xy": 0.01}},
        {"macro_stress": {"xy": 0.1}, "plane": "stress"},
    ],
)
def test_all_results_are_those_of_one_cell_after_another(one_by_one, grid, load):
    phase = labels((LANES + 5, *grid))

    def work():
        return elasticity(phase, **MODULI, **load, tolerance=1e-10)

    found, expected = work(), one_by_one(work)
    np.testing.assert_array_equal(found.iterations, expected.iterations)
    assert found.converged.all()
    np.testing.assert_allclose(found.residual, expected.residual, rtol=0.1, atol=1e-14)
    for name in ("strain", "stress", "mean_strain", "mean_stress"):
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-12 * scale)


def test_materials_of_any_kind(one_by_one):
    rng = np.random.default_rng(1)
    a = rng.standard_normal((3, 3, 3))
    euler = np.zeros((4, 7, 5, 3))
    euler[..., 0] = rng.uniform(0, np.pi, (4, 7, 5))
    phase = labels((4, 7, 5))
    crystals = {"stiffness": [cubic(168.4, 121.4, 75.4)] * 3, "orientation": euler}
    coupled = {"stiffness": a @ a.transpose(0, 2, 1) + np.eye(3)}  # this one may not go in lanes
    for args in (crystals, coupled):

        def work(args=args):
            return effective_stiffness(phase, **args, tolerance=1e-11)

        expected = one_by_one(work) if args is crystals else work()
        np.testing.assert_allclose(work(), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("n", [0, 1, 4, 400])
def test_a_number_of_iterations(one_by_one, n):
    phase = labels((3, 9, 8))

    def work():
        return elasticity(phase, **MODULI, macro_strain=1.0, max_iterations=n)

    found, expected = work(), one_by_one(work)
    assert (found.iterations == n).all() == (n < 400)
    np.testing.assert_array_equal(found.converged, expected.converged)
    np.testing.assert_allclose(found.stress, expected.stress, atol=1e-11)


def test_float32(one_by_one):
    phase = labels((3, 9, 8))

    def work():
        return elasticity(phase, **MODULI, macro_strain=1.0, dtype="float32", tolerance=1e-5)

    found = work()
    assert found.stress.dtype == np.float32
    assert found.converged.all()
    scale = np.abs(found.stress).max()
    np.testing.assert_allclose(found.stress, one_by_one(work).stress, atol=1e-4 * float(scale))


def test_neighbours_and_threads_do_not_matter():
    phase = labels((2 * LANES + 3, 6, 7))
    args = {**MODULI, "macro_strain": 1.0}
    together = elasticity(phase, **args)
    alone = elasticity(phase[-1:], **args)
    np.testing.assert_allclose(alone.stress[0], together.stress[-1], rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(
        elasticity(phase, **args, threads=2).iterations, together.iterations
    )


def test_hard_cells_converge_or_say_that_they_do_not(monkeypatch):
    phase = np.concatenate([labels((3, 12, 12), 2), np.zeros((1, 12, 12), int)])
    args = {"youngs_modulus": (1.0, 1e5), "poissons_ratio": (0.3, 0.3), "macro_stress": 1.0}
    found = elasticity(phase, **args)
    assert found.converged.all()
    assert found.iterations[-1] == 1  # of one phase, but not that of the preconditioner
    np.testing.assert_allclose(found.mean_stress[:, 0], 1.0, atol=1e-5)
    monkeypatch.setattr("mksdask.simulate.cg.CAP", 5)
    with pytest.raises(DataError, match=r"3 of 4 cells .*\(sample 0, 1, 2\)"):
        elasticity(phase, **args)
    flagged = elasticity(phase, **args, on_failure="flag")
    assert flagged.converged.values.tolist() == [False, False, False, True]
    assert flagged.iterations.values.tolist() == [5, 5, 5, 1]


def test_a_cell_that_is_not_finite_leaves_its_lane_clean():
    reference = isotropic(1.0, 0.3)[:3, :3]
    reference[2, 2] = 0.4
    jobs, grid = 3 * LANES, (4, 5)
    material = np.random.default_rng(0).uniform(1, 2, (jobs, 6, *grid))
    material[:, [1, 2, 4]] = 0
    material[:LANES, 0, 1, 1] = np.nan
    load = np.tile([1.0, 0, 0], (jobs, 1)), np.zeros((jobs, 3)), np.zeros(3, bool)
    green = green_blocks(reference, grid)
    with Workers(1) as workers, np.errstate(invalid="ignore"):
        found = solve_small(material, np.arange(jobs), *load, reference, green, 1e-8, None, workers)
    assert found.converged.tolist() == [False] * LANES + [True] * 2 * LANES
    assert np.isfinite(found.u[LANES:]).all()
