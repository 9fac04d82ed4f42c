"""Misorientation, fundamental zone and averages of symmetric crystals."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mksdask.generate import Unimodal, uniform_orientations
from mksdask.laue_groups import LAUE_GROUPS, laue_group
from mksdask.orientation import (
    from_matrix,
    fundamental_zone,
    mean_orientation,
    misorientation_angle,
    to_matrix,
    to_quaternion,
)

NAMES = [group.name for group in LAUE_GROUPS]


def some(n, seed=0):
    return uniform_orientations(np.random.default_rng(seed), n)


@pytest.mark.parametrize("symmetry", NAMES)
def test_smallest_angle_over_all_equivalents(symmetry):
    a, b = some(30), some(30, 1)
    turns = laue_group(symmetry).matrices @ (to_matrix(b) @ to_matrix(a).swapaxes(1, 2))[:, None]
    cosine = (np.trace(turns, axis1=2, axis2=3) - 1) / 2
    expected = np.arccos(np.clip(cosine, -1, 1)).min(axis=1)
    np.testing.assert_allclose(misorientation_angle(a, b, symmetry), expected, atol=1e-7)
    np.testing.assert_allclose(misorientation_angle(b, a, symmetry), expected, atol=1e-7)


@pytest.mark.parametrize("symmetry", NAMES)
def test_equivalent_orientations_do_not_differ(symmetry):
    a = some(20)
    for rotation in laue_group(symmetry).matrices:
        b = from_matrix(rotation @ to_matrix(a))
        assert misorientation_angle(a, b, symmetry).max() < 1e-14
        reduced = fundamental_zone(b, symmetry)
        np.testing.assert_allclose(to_quaternion(reduced), to_quaternion(
            fundamental_zone(a, symmetry)), rtol=0, atol=1e-8)  # fmt: skip
        assert misorientation_angle(reduced, a, symmetry).max() < 1e-14


def test_small_angles_are_accurate():
    a = some(10)
    b = from_matrix(to_matrix(np.array([1e-9, 0, 0])) @ to_matrix(a))
    np.testing.assert_allclose(misorientation_angle(a, b, "cubic"), 1e-9, rtol=1e-5)


def test_largest_misorientation_of_cubic_crystals_is_mackenzies():
    angles = misorientation_angle(some(20000), some(20000, 1), "cubic")
    assert np.rad2deg(angles.max()) < 62.8 + 1e-2
    assert np.rad2deg(angles.mean()) == pytest.approx(40.7, abs=0.3)  # Mackenzie 1958


def test_borders_of_the_zone_have_one_answer():
    """A turn by 45 degrees about a cube axis is as far from both neighbours."""
    both = np.array([[np.pi / 4, 0, 0], [-np.pi / 4, 0, 0]])
    reduced = fundamental_zone(both, "cubic")
    np.testing.assert_allclose(reduced[0], reduced[1], atol=1e-12)


@pytest.mark.parametrize("symmetry", ["triclinic", "hexagonal", "cubic"])
def test_mean_of_a_grain_seen_through_its_symmetry(symmetry):
    rng = np.random.default_rng(0)
    center = (1.0, 0.7, 2.0)
    g = to_matrix(Unimodal(center, 0.03).sample(rng, 4000))
    operations = laue_group(symmetry).matrices
    mixed = from_matrix(operations[rng.integers(0, len(operations), 4000)] @ g)
    mean = mean_orientation(mixed.reshape(2, 40, 50, 3), symmetry)
    assert mean.shape == (2, 3)
    apart = misorientation_angle(mean, np.tile(center, (2, 1)), symmetry)
    assert apart.max() < 5 * 0.03 / np.sqrt(2000)


def test_lazy_and_labelled():
    g = xr.DataArray(some(24).reshape(2, 3, 4, 3), dims=("sample", "x", "y", "euler"))
    lazy = g.chunk(sample=1)
    assert isinstance(mean_orientation(lazy, "cubic").data, da.Array)
    np.testing.assert_array_equal(
        mean_orientation(lazy, "cubic"), mean_orientation(g.values, "cubic")
    )
    angle = misorientation_angle(lazy, lazy, "cubic")
    assert angle.dims == ("sample", "x", "y")
    assert fundamental_zone(lazy.chunk(x=1), "cubic").chunks is not None
    with pytest.raises(ValueError, match="'sample'"):
        mean_orientation(g.isel(sample=0), "cubic")
    with pytest.raises(ValueError, match="at least one axis of voxels"):
        mean_orientation(some(3), "cubic")
    with pytest.raises(ValueError, match="wanted one of triclinic"):
        misorientation_angle(g, g, "icosahedral")
