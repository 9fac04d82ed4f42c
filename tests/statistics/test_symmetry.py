"""Statistics averaged over symmetries: against averaging by hand, on all kinds of axes."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr

import mksdask as mks
from mksdask.statistics import SymmetrizedStatistics, TwoPointStatistics

BASIS = mks.PrimitiveBasis(n_states=2)


def cells(shape, n=3, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (n, *shape))


def flipped(f, axes):
    """Lags turned around, on periodic axes of any length (zero lag in the middle)."""
    for axis in axes:
        n = f.shape[axis]
        f = np.take(f, (-(np.arange(n) - n // 2) + n // 2) % n, axis=axis)
    return f


@pytest.mark.parametrize("shape", [(5, 5), (6, 6), (4, 4, 4), (5, 3, 3), (6, 5, 5)])
def test_is_the_mean_over_the_images(shape):
    phase, d = cells(shape), len(shape)
    f = TwoPointStatistics(BASIS, "all").fit(phase)
    f = f.inverse_transform(f.transform(phase)).values
    swap = ["yz"] if d == 3 else ["xy"]
    symmetries = [*(f"-{a}" for a in "xyz"[:d]), *swap]
    expected = f
    for axis in range(2, 2 + d):
        expected = (expected + flipped(expected, [axis])) / 2
    last = np.swapaxes(expected, -1, -2)
    expected = (expected + last) / 2
    step = SymmetrizedStatistics(BASIS, "all", symmetries=symmetries).fit(phase)
    features = step.transform(phase)
    assert features.shape == (3, step.n_features_out_)
    assert len(set(step.get_feature_names_out())) == step.n_features_out_
    np.testing.assert_allclose(step.inverse_transform(features).values, expected, atol=1e-14)
    # distances are those of the averaged maps
    np.testing.assert_allclose(
        np.linalg.norm(features[0] - features[1]), np.linalg.norm(expected[0] - expected[1])
    )


def test_images_are_the_same_cell():
    phase = cells((6, 6, 5))
    step = SymmetrizedStatistics(BASIS, symmetries=("-x", "xy")).fit(phase)
    found = step.transform(phase)
    for image in (phase[:, ::-1], phase.swapaxes(1, 2), phase[:, :, ::-1].swapaxes(1, 2)):
        np.testing.assert_allclose(step.transform(image), found, atol=1e-14)


def test_default_reflects_every_axis():
    phase = cells((5, 7, 4))
    step = SymmetrizedStatistics(BASIS, [(0, 0)]).fit(phase)
    np.testing.assert_allclose(
        step.transform(phase[:, ::-1, :, ::-1]), step.transform(phase), atol=1e-14
    )
    assert step.n_features_out_ == 3 * 4 * 3


def test_other_boundaries_and_cutoffs():
    phase = cells((6, 6))
    step = SymmetrizedStatistics(
        BASIS, [(0, 1)], cutoff=2, boundary="nonperiodic", symmetries=("-x", "-y", "xy")
    ).fit(phase)
    f = mks.two_point_statistics(phase, BASIS, [(0, 1)], 2, "nonperiodic")
    expected = (f + f[:, :, ::-1]) / 2
    expected = (expected + expected[..., ::-1]) / 2
    expected = (expected + expected.swapaxes(-1, -2)) / 2
    np.testing.assert_allclose(step.inverse_transform(step.transform(phase)).values, expected)


def test_kinds_of_arrays():
    phase = cells((5, 5), n=4)
    step = SymmetrizedStatistics(BASIS).fit(phase)
    plain = step.transform(phase)
    lazy = step.transform(da.from_array(phase, chunks=(2, 5, 5)))
    assert isinstance(lazy, da.Array)
    np.testing.assert_array_equal(lazy.compute(), plain)
    named = step.transform(xr.DataArray(phase, dims=("sample", "x", "y")))
    assert named.dims == ("sample", "feature")
    single = SymmetrizedStatistics(mks.LegendreBasis(2)).fit(phase.astype("f4"))
    assert single.transform(phase.astype("f4")).dtype == np.float32
    waves = SymmetrizedStatistics(mks.FourierBasis(3)).fit(phase.astype(float))
    assert np.iscomplexobj(waves.transform(phase.astype(float)))


@pytest.mark.parametrize(
    ("symmetries", "told"),
    [
        (("-w",), "wanted operations such as '-x'"),
        (("xx",), "wanted operations such as '-x'"),
        ((3,), "wanted operations such as '-x'"),
        (("xy",), "wanted equal axes to swap"),
        ("-x", "wanted a list"),
    ],
)
def test_refusals(symmetries, told):
    with pytest.raises((ValueError, TypeError), match=told):
        SymmetrizedStatistics(BASIS, symmetries=symmetries).fit(cells((5, 4)))
    with pytest.raises(ValueError, match=r"wanted \(sample, 9\)"):
        SymmetrizedStatistics(BASIS, [(0, 0)]).fit(cells((5, 4))).inverse_transform(np.ones((2, 3)))


def test_axes_of_boxes_are_not_swapped():
    phase = xr.DataArray(np.zeros((2, 4, 4), int), dims=("sample", "x", "y"))
    swap = SymmetrizedStatistics(BASIS, symmetries=("xy",))
    with pytest.raises(ValueError, match="other edges along x than along y"):
        swap.fit(phase.assign_attrs(voxel_size=[1.0, 2.0]))
    assert swap.fit(phase.assign_attrs(voxel_size=2.0)).orbit_.shape == (4, 4)
