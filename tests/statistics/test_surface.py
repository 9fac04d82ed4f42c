"""Specific surface of shapes whose surface is known, and against counted voxel faces."""

from __future__ import annotations

import itertools

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mksdask.bases import PrimitiveBasis
from mksdask.statistics import specific_surface, two_point_statistics


def statistics(phase, n_states=2, pairs="all", cutoff=1, **attrs):
    dims = ("sample", "x", "y", "z")[: phase.ndim]
    data = xr.DataArray(phase, dims=dims, attrs=attrs)
    return two_point_statistics(data, PrimitiveBasis(n_states), pairs, cutoff)


def counted_faces(phase, h, k=None):
    """Faces a voxel between phase h and k (or all others), around a periodic sample."""
    total = 0.0
    for axis in range(phase.ndim):
        here, there = phase == h, np.roll(phase, -1, axis)
        if k is None:
            total += 2 * (here & (there != h)).mean()
        else:
            total += (here & (there == k)).mean() + ((phase == k) & (there == h)).mean()
    return total


@pytest.mark.parametrize("shape", [(12,), (6, 7), (5, 4, 6)])
def test_aligned_counts_the_voxel_faces_of_each_interface(shape):
    phase = np.random.default_rng(0).integers(0, 3, (2, *shape))
    f = statistics(phase, 3)
    surface = specific_surface(f, interface="aligned")
    for i, sample in enumerate(phase):
        for h, k in itertools.combinations_with_replacement(range(3), 2):
            expected = counted_faces(sample, h, None if h == k else k)
            found = float(surface.isel(sample=i).sel(pair=f"{h},{k}"))
            assert found == pytest.approx(expected, abs=1e-12)
    # The faces of a phase are those it shares with all the others.
    np.testing.assert_allclose(
        surface.sel(pair="0,0"), surface.sel(pair=["0,1", "0,2"]).sum("pair"), atol=1e-12
    )


def test_laminate():
    phase = np.broadcast_to((np.arange(24) // 4 % 2)[:, None, None], (1, 24, 5, 5))
    f = statistics(phase, voxel_size=[0.5, 0.5, 0.5], voxel_unit="um")
    surface = specific_surface(f, interface="aligned")
    np.testing.assert_allclose(surface, 1 / 4)  # an interface every 4 voxels
    physical = specific_surface(f, interface="aligned", physical=True)
    np.testing.assert_allclose(physical, 1 / 2)  # every 2 micrometres
    assert physical.attrs["units"] == "1/um"


def test_flat_voxels_weigh_each_axis_by_its_edge():
    stripes = np.zeros((1, 8, 8), dtype=int)
    stripes[:, :, ::2] = 1
    f = statistics(stripes, voxel_size=[3.0, 0.25], voxel_unit="mm")
    found = specific_surface(f, interface="aligned", physical=True).sel(pair="0,1")
    assert float(found[0]) == pytest.approx(1 / 0.25)
    with pytest.raises(ValueError, match="physical=True"):
        specific_surface(f)


@pytest.mark.parametrize("dimension", [2, 3])
def test_checkerboard(dimension):
    cells = np.indices((12,) * dimension) // 3
    f = statistics(cells.sum(axis=0)[None] % 2)
    np.testing.assert_allclose(specific_surface(f, interface="aligned"), dimension / 3)


def balls(dimension, n, radius, count):
    """Digitized balls at random places: voxels whose centre is inside."""
    rng = np.random.default_rng(0)
    out = []
    for _ in range(count):
        centre = n / 2 + rng.random(dimension)
        squares = [(np.arange(n) - c) ** 2 for c in centre]
        out.append(sum(np.ix_(*squares)) <= radius**2)
    return np.array(out).astype(np.uint8)


@pytest.mark.parametrize(
    ("dimension", "n", "radius", "true"),
    [(2, 48, 15.0, 2 * np.pi * 15.0), (3, 32, 10.0, 4 * np.pi * 10.0**2)],
)
def test_ball_to_the_stated_bias(dimension, n, radius, true):
    phase = balls(dimension, n, radius, 12)
    surface = specific_surface(statistics(phase, pairs=[(1, 1)]))
    ratio = float(surface.mean()) * n**dimension / true
    # The stated bias is below 0.1 %; the rest is scatter of the mean over 12 places.
    assert ratio == pytest.approx(1 - 1 / (12 * radius**2), abs=0.01)
    steps = specific_surface(statistics(phase, pairs=[(1, 1)]), interface="aligned")
    assert float((surface / steps).mean()) == pytest.approx(np.pi / 4 if dimension == 2 else 2 / 3)


def test_curvature_bias_of_a_small_ball():
    """One step of a ball of radius R loses pi R^2 h - pi h^3 / 12 of its volume, on average."""
    radius = 1.8
    phase = balls(3, 8, radius, 1500)
    surface = specific_surface(statistics(phase, pairs=[(1, 1)]))
    ratio = float(surface.mean()) * 8**3 / (4 * np.pi * radius**2)
    assert ratio == pytest.approx(1 - 1 / (12 * radius**2), abs=0.006)


def test_kinds_and_types():
    phase = np.random.default_rng(1).integers(0, 2, (4, 6, 6))
    f = statistics(phase)
    expected = specific_surface(f)
    lazy = specific_surface(f.chunk(sample=2))
    assert lazy.chunks is not None
    np.testing.assert_array_equal(lazy.compute(), expected)
    np.testing.assert_array_equal(specific_surface(f.values), expected)
    plain = specific_surface(da.from_array(f.values, chunks=(1, -1, -1, -1)))
    np.testing.assert_array_equal(plain.compute(), expected)
    single = specific_surface(f.astype("float32"))
    assert single.dtype == "float32"
    np.testing.assert_allclose(single, expected, rtol=1e-5)
    one = specific_surface(f.sel(pair="0,1"))
    np.testing.assert_array_equal(one, expected.sel(pair="0,1"))
    assert (expected.values > 0).all()


def test_bad_calls():
    f = statistics(np.zeros((1, 4, 4), dtype=int))
    with pytest.raises(ValueError, match="interface is 'rough'"):
        specific_surface(f, interface="rough")
    with pytest.raises(ValueError, match="cutoff of at least 1"):
        specific_surface(f.sel(lag_x=[0]))
    with pytest.raises(ValueError, match="pair_first"):
        specific_surface(f.drop_vars("pair_first"))
    with pytest.raises(TypeError, match="complex"):
        specific_surface(f.astype(complex))
