"""Pair correlation against loops over lags and the numbers of PyMKS."""

from __future__ import annotations

import itertools
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from mksdask.bases import PrimitiveBasis
from mksdask.statistics import pair_correlation, two_point_statistics

REFERENCE = Path(__file__).parents[1] / "reference" / "pair_correlation.npz"


def by_loops(f, steps=None, edges=None):
    """Means and counts by looking at every lag in turn; f is (..., lags) without coordinates."""
    n_lags = len(steps)
    shape = f.shape[-n_lags:]
    groups: dict[float, list[tuple[int, ...]]] = {}
    for place in itertools.product(*(range(n) for n in shape)):
        lag = [(i - n // 2) * h for i, n, h in zip(place, shape, steps, strict=True)]
        length = round(float(np.sqrt(sum(x * x for x in lag))), 9)
        if edges is None:
            groups.setdefault(length, []).append(place)
            continue
        for k in range(len(edges) - 1):
            last = k == len(edges) - 2
            if edges[k] <= length < edges[k + 1] or (last and length == edges[-1]):
                groups.setdefault(k, []).append(place)
    keys = sorted(groups)
    picked = [np.stack([f[(..., *p)] for p in groups[k]], axis=-1) for k in keys]
    return keys, picked


def labelled(f, **attrs):
    dims = ("sample", "pair", "lag_x", "lag_y", "lag_z")[: f.ndim]
    lags = {d: np.arange(n) - n // 2 for d, n in zip(dims[2:], f.shape[2:], strict=True)}
    return xr.DataArray(f, dims=dims, coords=lags, attrs=attrs)


@pytest.mark.parametrize("case", ["2d_odd", "2d_even", "3d"])
def test_agrees_with_pymks(case):
    saved = np.load(REFERENCE)
    f = saved[f"{case}_statistics"][:, None]
    g = pair_correlation(labelled(f))
    np.testing.assert_allclose(g.radius, saved[f"{case}_radius"], rtol=1e-12)
    np.testing.assert_allclose(g.values[:, 0], saved[f"{case}_mean"], rtol=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    dtype=st.sampled_from(["float32", "float64", "complex128"]),
    chunk=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_agrees_with_loops_over_lags(shape, dtype, chunk, seed):
    rng = np.random.default_rng(seed)
    f = rng.normal(size=(4, 2, *shape)).astype(dtype)
    if dtype == "complex128":
        f += 1j * rng.normal(size=f.shape)
    radii, picked = by_loops(f, steps=(1,) * len(shape))
    expected = np.stack([p.mean(axis=-1) for p in picked], axis=-1)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    plain = pair_correlation(f)
    assert isinstance(plain, np.ndarray)
    assert plain.dtype == dtype
    np.testing.assert_allclose(plain, expected, rtol=tolerance, atol=tolerance)
    lazy = pair_correlation(da.from_array(f, chunks=(chunk, 1, *shape)))
    assert isinstance(lazy, da.Array)
    np.testing.assert_array_equal(lazy.compute(scheduler="synchronous"), plain)
    g = pair_correlation(labelled(f))
    np.testing.assert_array_equal(g.values, plain)
    np.testing.assert_allclose(g.radius, radii, atol=1e-8)
    assert g["count"].values.tolist() == [p.shape[-1] for p in picked]
    assert g["count"].sum() == np.prod(shape)


def test_bins_hold_their_lags_and_their_mean_length():
    f = np.random.default_rng(0).random((2, 1, 9, 8))
    edges = [0, 0.5, 1, 3, 5, 7.5]
    keys, picked = by_loops(f, steps=(1, 1), edges=edges)
    g = pair_correlation(labelled(f), bins=edges)
    assert keys == [0, 2, 3, 4]  # no lag is between 0.5 and 1: length 1 begins the next bin
    assert g["count"].values.tolist() == [1, 0, *(p.shape[-1] for p in picked[1:])]
    assert np.isnan(g.isel(radius=1)).all()
    np.testing.assert_allclose(
        g.isel(radius=keys), np.stack([p.mean(-1) for p in picked], -1), rtol=1e-12
    )
    assert float(g.radius[1]) == 0.75
    lengths = [1, np.sqrt(2), 2, np.sqrt(5), np.sqrt(8)]
    assert float(g.radius[2]) == pytest.approx(np.average(lengths, weights=[4, 4, 4, 8, 4]))


def test_number_of_bins_takes_every_lag():
    f = np.random.default_rng(0).random((1, 1, 7, 7, 7))
    g = pair_correlation(labelled(f), bins=5)
    assert g.sizes["radius"] == 5
    assert g["count"].sum() == 7**3
    assert float((g * g["count"]).sum() / 7**3) == pytest.approx(f.mean())


def test_physical_radii_of_flat_voxels():
    f = np.random.default_rng(1).random((1, 1, 5, 5))
    data = labelled(f, voxel_size=[0.5, 0.1], voxel_unit="um")
    radii, picked = by_loops(f, steps=(0.5, 0.1))
    g = pair_correlation(data, physical=True)
    np.testing.assert_allclose(g.radius, radii, atol=1e-8)
    np.testing.assert_allclose(g.values[0, 0], [p.mean() for p in picked], rtol=1e-12)
    assert g.radius.attrs["units"] == "um"
    in_voxels = pair_correlation(data, physical=False)
    assert in_voxels.radius.attrs["units"] == "voxel"
    assert float(in_voxels.radius[1]) == 1
    with pytest.raises(ValueError, match=r"0\.5 x 0\.1 um.*physical=True"):
        pair_correlation(data)


def test_one_voxel_size_for_all_axes_and_planes_of_volumes():
    f = np.random.default_rng(1).random((1, 1, 3, 5, 5))
    plane = labelled(f, voxel_size=[0.5, 0.1, 2.0]).isel(lag_x=1)
    radii, _ = by_loops(f[:, :, 1], steps=(0.1, 2.0))
    np.testing.assert_allclose(pair_correlation(plane, physical=True).radius, radii, atol=1e-8)
    same = labelled(f, voxel_size=0.5)
    assert float(pair_correlation(same, physical=True).radius[1]) == 0.5


def test_equal_lengths_meet_in_one_radius_whatever_their_rounding():
    f = np.ones((1, 1, 21, 21))
    in_voxels = pair_correlation(labelled(f))
    scaled = pair_correlation(labelled(f, voxel_size=[0.1, 0.1]), physical=True)
    np.testing.assert_allclose(scaled.radius, 0.1 * in_voxels.radius.values)
    assert (scaled["count"].values == in_voxels["count"].values).all()


def test_hidden_lags_are_left_out_and_counted():
    f = np.random.default_rng(2).random((3, 2, 5, 5))
    f[1, :, 0] = np.nan
    f[2, 1, 2, 2] = np.nan
    _, picked = by_loops(f, steps=(1, 1))
    hidden_all = np.stack([np.isnan(p).all(-1) for p in picked], -1)
    expected = np.stack([np.nanmean(np.where(np.isnan(p).all(-1, keepdims=True), 0, p), -1)
                         for p in picked], -1)  # fmt: skip
    expected[hidden_all] = np.nan
    counts = np.stack([(~np.isnan(p)).sum(-1) for p in picked], -1)
    for g in (
        pair_correlation(labelled(f)),
        pair_correlation(labelled(f).chunk(sample=2), masked=True).compute(),
        pair_correlation(labelled(f, masked=True).chunk(sample=1)).compute(),
    ):
        np.testing.assert_allclose(g, expected, rtol=1e-12)
        assert g["count"].dims == ("sample", "pair", "radius")
        np.testing.assert_array_equal(g["count"], counts)
    np.testing.assert_allclose(pair_correlation(f), expected, rtol=1e-12)


def test_nan_that_was_not_announced_stays_nan():
    f = np.ones((1, 1, 3, 3))
    f[0, 0, 0, 1] = np.nan
    g = pair_correlation(labelled(f).chunk(), masked=None).compute()
    assert np.isnan(g.values[0, 0]).tolist() == [False, True, False]


def test_what_is_done_to_a_result_does_not_reach_the_next():
    f = xr.DataArray(np.random.default_rng(0).random((2, 5, 5)), dims=("pair", "lag_x", "lag_y"))
    g = pair_correlation(f)
    wanted = g.copy(deep=True)
    g["count"].values[:] = 0
    g.values[:] = 0
    xr.testing.assert_identical(pair_correlation(f), wanted)


def test_one_task_a_chunk_and_small_tasks():
    f = labelled(np.zeros((64, 3, 41, 41))).chunk(sample=1)
    g = pair_correlation(f)
    added = len(g.data.dask) - len(f.data.dask)
    assert added == 64
    (optimized,) = dask.optimize(g.data)
    assert len(optimized.dask) <= 2 * 64 + 2


def test_selected_pair_and_sample_need_no_dims():
    f = labelled(np.random.default_rng(3).random((2, 2, 5, 5)))
    g = pair_correlation(f)
    one = pair_correlation(f.isel(pair=1, sample=0))
    assert one.dims == ("radius",)
    np.testing.assert_array_equal(one, g.isel(pair=1, sample=0))


def test_end_to_end_from_labels():
    phase = xr.DataArray(
        np.random.default_rng(4).integers(0, 3, (5, 8, 7)),
        dims=("sample", "x", "y"),
        attrs={"phase_names": ["a", "b", "c"]},
    )
    f = two_point_statistics(phase.chunk(sample=2), PrimitiveBasis(3), cutoff=3)
    g = pair_correlation(f)
    assert g.dims == ("sample", "pair", "radius")
    assert g.pair.values[:2].tolist() == ["a,a", "a,b"]
    np.testing.assert_array_equal(g.pair_second, f.pair_second)
    eager = pair_correlation(two_point_statistics(phase, PrimitiveBasis(3), cutoff=3))
    np.testing.assert_allclose(g.compute(), eager, atol=1e-12)
    np.testing.assert_allclose(g.isel(radius=0, pair=0), (phase == 0).mean(("x", "y")), atol=1e-12)


@pytest.mark.parametrize(
    ("kwargs", "error", "match"),
    [
        ({"bins": 0}, ValueError, "bins is 0"),
        ({"bins": True}, TypeError, "bins is True"),
        ({"bins": [0, 2, 1]}, ValueError, "each larger"),
        ({"bins": [-1, 2]}, ValueError, "from 0 on"),
        ({"bins": [0, np.inf]}, ValueError, "finite"),
        ({"bins": [1]}, ValueError, "at least 2"),
        ({"physical": True}, ValueError, "voxel_size"),
    ],
)
def test_bad_arguments(kwargs, error, match):
    with pytest.raises(error, match=match):
        pair_correlation(labelled(np.zeros((1, 1, 3, 3))), **kwargs)


def test_bad_arrays():
    with pytest.raises(ValueError, match="wanted 3 to 5"):
        pair_correlation(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="lag_x"):
        pair_correlation(xr.DataArray(np.zeros((2, 2)), dims=("sample", "x")))
    with pytest.raises(ValueError, match="length 0"):
        pair_correlation(labelled(np.zeros((0, 1, 3))))
    with pytest.raises(ValueError, match="voxel_size"):
        pair_correlation(labelled(np.zeros((1, 1, 3, 3)), voxel_size=[1]))
    split = labelled(np.zeros((1, 1, 4, 4))).chunk(lag_x=2)
    with pytest.raises(ValueError, match="lag_x"):
        pair_correlation(split)


def test_masked_statistics_announce_themselves():
    rng = np.random.default_rng(5)
    phase = xr.DataArray(rng.integers(0, 2, (3, 6, 6)), dims=("sample", "x", "y"))
    mask = np.zeros((3, 6, 6))
    mask[0, :2], mask[1, :, 3:], mask[2] = 1, 1, 1
    f = two_point_statistics(
        phase.chunk(sample=1), PrimitiveBasis(2), "all", None, "nonperiodic", mask
    )
    g = pair_correlation(f)
    assert g.chunks is not None
    assert g["count"].chunks is not None
    g, f = g.compute(), f.compute()
    np.testing.assert_array_equal(g["count"].sum("radius"), f.notnull().sum(("lag_x", "lag_y")))
    assert (g["count"].sum("radius").values[:, 0] == [33, 55, 121]).all()
    np.testing.assert_array_equal(g.isnull(), g["count"] == 0)
