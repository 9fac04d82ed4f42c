"""Properties that hold whatever the microstructure, and the numbers of another program."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mksdask.bases import FourierBasis, LegendreBasis, PrimitiveBasis
from mksdask.statistics import correlate, two_point_statistics
from mksdask.statistics.lags import make_axes
from mksdask.statistics.pairs import make_plan

REFERENCE = Path(__file__).parents[1] / "reference" / "pymks_statistics.npz"
EVERY = [(h, k) for h in range(3) for k in range(3)]


def labels(shape, n=3, seed=0):
    return np.random.default_rng(seed).integers(0, n, shape).astype(np.uint8)


@pytest.mark.parametrize("boundary", ["periodic", "nonperiodic"])
@pytest.mark.parametrize("masked", [False, True])
def test_all_ordered_pairs_add_up_to_one(boundary, masked):
    x = labels((4, 9, 8))
    mask = np.random.default_rng(1).random((9, 8)) < 0.8 if masked else None
    f = two_point_statistics(x, PrimitiveBasis(3), EVERY, 3, boundary, mask)
    np.testing.assert_allclose(f.sum(axis=1), 1, atol=1e-14)


def test_periodic_rows_add_up_to_the_volume_fraction():
    x = labels((4, 9, 8))
    f = two_point_statistics(x, PrimitiveBasis(3), EVERY).reshape(4, 3, 3, 9, 8)
    fractions = np.stack([(x == h).mean(axis=(1, 2)) for h in range(3)], axis=1)
    np.testing.assert_allclose(
        f.sum(axis=2), np.broadcast_to(fractions[..., None, None], (4, 3, 9, 8)), atol=1e-14
    )
    np.testing.assert_allclose(f[:, :, :, 4, 4], fractions[..., None] * np.eye(3), atol=1e-14)


@pytest.mark.parametrize(
    "basis", [PrimitiveBasis(3, (0, 1)), LegendreBasis(3), FourierBasis(3)], ids=lambda b: b.kind
)
@pytest.mark.parametrize("boundary", ["periodic", "nonperiodic"])
def test_turning_the_lag_around_exchanges_the_states(basis, boundary):
    x = np.random.default_rng(0).random((2, 7, 9))
    f = two_point_statistics(x, basis, EVERY, 3, boundary).reshape(2, 3, 3, 7, 7)
    np.testing.assert_allclose(
        f.swapaxes(1, 2), f[..., ::-1, ::-1].conj(), atol=1e-13 * max(1, np.abs(f).max())
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100), st.integers(0, 100), st.booleans())
def test_translation_along_periodic_axes_changes_nothing(i, j, counted):
    x = labels((2, 7, 10)) if counted else np.random.default_rng(0).uniform(0, 2, (2, 7, 10))
    moved = np.roll(x, (i, j), axis=(1, 2))
    basis = PrimitiveBasis(3)
    f, g = (two_point_statistics(y, basis, EVERY) for y in (x, moved))
    np.testing.assert_allclose(g, f, rtol=0, atol=0 if counted else 1e-14)


def test_a_vacuous_mask_is_no_mask():
    x = labels((2, 6, 7))
    for boundary in ("periodic", "nonperiodic", {"x": "periodic", "y": "nonperiodic"}):
        bare = two_point_statistics(x, PrimitiveBasis(3), "all", 2, boundary)
        full = two_point_statistics(x, PrimitiveBasis(3), "all", 2, boundary, np.ones((6, 7)))
        np.testing.assert_array_equal(full, bare)


def test_values_under_the_mask_are_not_looked_at():
    x = np.random.default_rng(0).random((2, 6, 7))
    mask = np.random.default_rng(1).random((2, 6, 7)) < 0.6
    hidden = np.where(mask, x, np.nan)
    basis = LegendreBasis(2)
    np.testing.assert_array_equal(
        two_point_statistics(hidden, basis, "all", 2, "nonperiodic", mask),
        two_point_statistics(x, basis, "all", 2, "nonperiodic", mask),
    )
    unlabelled = np.where(mask, labels((2, 6, 7)).astype(int), -7)
    two_point_statistics(unlabelled, PrimitiveBasis(3), "all", 2, "nonperiodic", mask)


def test_lags_without_overlap_are_nan_under_a_mask():
    mask = np.zeros((1, 9))
    mask[0, [0, 2, 8]] = 1
    f = two_point_statistics(labels((1, 9)), PrimitiveBasis(3), "auto", None, "nonperiodic", mask)
    has_pairs = np.isin(np.arange(-8, 9), [-8, -6, -2, 0, 2, 6, 8])
    np.testing.assert_array_equal(np.isfinite(f[0]), np.broadcast_to(has_pairs, (3, 17)))


def test_lags_are_once_each_with_zero_in_the_middle():
    f = two_point_statistics(labels((1, 6, 5)), PrimitiveBasis(3), [(0, 0)])
    assert f.shape == (1, 1, 6, 5)
    assert f[0, 0, 3, 2] == f.max()
    half = two_point_statistics(labels((1, 6, 5)), PrimitiveBasis(3), [(0, 0)], 2)
    np.testing.assert_array_equal(half[0, 0], f[0, 0, 1:6])


def test_dict_and_list_arguments_mean_the_same():
    x = labels((2, 6, 7))
    a = two_point_statistics(x, PrimitiveBasis(3), "all", [2, 4], ["periodic", "nonperiodic"])
    b = two_point_statistics(
        x, PrimitiveBasis(3), "all", {"y": 4, "x": 2}, {"y": "nonperiodic", "x": "periodic"}
    )
    np.testing.assert_array_equal(a, b)


def worst_structures(shape):
    """Structures whose power lies at few frequencies, where rounding errors add up most."""
    index = np.indices(shape)
    yield "checkerboard", index.sum(axis=0) % 2
    yield "layers", index[0] // max(1, shape[0] // 2) % 2
    yield "uniform", np.ones(shape, int)
    yield "one voxel", (index.sum(axis=0) == 0).astype(int)
    yield "random", np.random.default_rng(0).integers(0, 2, shape)


@pytest.mark.parametrize(
    "shape", [(512, 512), (51, 51, 51), (64, 64, 64), (61, 67, 59), (97, 89, 29), (2, 131072)]
)
@pytest.mark.parametrize("boundary", ["periodic", "nonperiodic"])
@pytest.mark.parametrize("cutoff", [1, None])
def test_counts_in_single_precision_need_little_rounding(shape, boundary, cutoff):
    if boundary == "nonperiodic":
        shape, cutoff = tuple(n // 2 for n in shape), 0 if cutoff else None
    axes = make_axes("xyz"[: len(shape)], shape, cutoff, boundary)
    assert correlate.single_precision_counts([axis.fft_size for axis in axes])
    for name, x in worst_structures(shape):
        arguments = x.astype(np.uint8)[None], None, PrimitiveBasis(2), axes, [(1, 1)]
        single = correlate._sums(*arguments, single=True)
        double = correlate._sums(*arguments, single=False)
        off = np.abs(single - np.rint(double)).max()
        # Half of what makes the count be computed again, a fifth of what would be wrong.
        assert off < correlate._ROUNDING_MARGIN / 2, (name, off)


def test_counts_are_exact_for_sizes_that_are_transformed_less_precisely():
    for shape in ((1, 509, 503), (1, 1009, 255)):
        assert not correlate.single_precision_counts(shape[1:])
        f = two_point_statistics(np.ones(shape, np.uint8), PrimitiveBasis(2), [(1, 1)], 3)
        np.testing.assert_array_equal(f, 1)


def test_counts_off_by_much_are_computed_again(monkeypatch):
    x = labels((2, 40, 41))
    expected = two_point_statistics(x, PrimitiveBasis(3), "all", 4)
    precise = correlate._sums
    monkeypatch.setattr(
        correlate, "_sums", lambda *args: precise(*args) + (0.3 if args[-1] else 0.0)
    )
    np.testing.assert_array_equal(two_point_statistics(x, PrimitiveBasis(3), "all", 4), expected)


@pytest.mark.parametrize(
    ("pairs", "n_states", "redundant", "n_states_transformed", "n_correlations"),
    [
        ([(0, 0), (0, 1), (1, 1)], 2, True, 1, 1),
        ([(0, 1)], 2, True, 1, 1),
        ([(0, 0)], 5, True, 1, 1),
        ([(h, k) for h in range(3) for k in range(3)], 3, True, 2, 3),
        ([(h, k) for h in range(3) for k in range(3)], 3, False, 3, 6),
        ([(1, 0), (0, 1)], 3, False, 2, 1),
    ],
)
def test_only_independent_pairs_are_transformed(
    pairs, n_states, redundant, n_states_transformed, n_correlations
):
    plan = make_plan(pairs, n_states, redundant, masked=False)
    assert len(plan.states) == n_states_transformed
    assert sum(-1 not in term for term in plan.terms) == n_correlations


@pytest.mark.parametrize("name", ["2d_odd", "2d_even", "3d"])
def test_reference_numbers(name):
    with np.load(REFERENCE) as stored:
        numbers = {k.removeprefix(f"tp_{name}_"): v for k, v in stored.items() if name in k}
    phase = numbers["phase"]
    pairs = [tuple(pair) for pair in numbers["pairs"].tolist()]
    basis = PrimitiveBasis(int(phase.max()) + 1)

    def agree(f, theirs):
        np.testing.assert_allclose(f, theirs, rtol=0, atol=2e-14)

    periodic = np.moveaxis(numbers["periodic"], -1, 1)
    # The reference has the first lag of an even axis a second time, at the end.
    once = tuple(slice(0, n) for n in phase.shape[1:])
    agree(two_point_statistics(phase, basis, pairs), periodic[(..., *once)])
    agree(
        two_point_statistics(phase, basis, pairs, 2),
        np.moveaxis(numbers["periodic_cutoff2"], -1, 1),
    )
    # It also has one lag without overlap at both ends of even non-periodic axes.
    overlapping = tuple(slice(1, -1) if n % 2 == 0 else slice(None) for n in phase.shape[1:])
    agree(
        two_point_statistics(phase, basis, pairs, None, "nonperiodic"),
        np.moveaxis(numbers["nonperiodic"], -1, 1)[(..., *overlapping)],
    )
    masked = two_point_statistics(phase, basis, [(0, 1)], None, "nonperiodic", numbers["mask"])[
        :, 0
    ]
    theirs = numbers["masked_nonperiodic"][(..., *overlapping)]
    agree(masked[np.isfinite(masked)], theirs[np.isfinite(masked)])
    assert np.isfinite(masked).mean() > 0.8
