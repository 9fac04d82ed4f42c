"""Euler angles, quaternions and matrices: there and back, also at gimbal lock."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from scipy.spatial.transform import Rotation

from mksdask.errors import DataError
from mksdask.generate import uniform_orientations
from mksdask.orientation import (
    from_matrix,
    from_quaternion,
    misorientation_angle,
    to_matrix,
    to_quaternion,
)

SOME = uniform_orientations(np.random.default_rng(0), 50)
PHI = [0.0, 1e-300, 1e-12, 1e-8, 1e-4, 1.0, np.pi - 1e-8, np.pi]
LOCKED = np.array([[a, phi, b] for a in (0.0, 0.3, 6.0) for b in (0.0, 1.1, 5.0) for phi in PHI])


def test_matrices_are_scipys_rotations():
    for euler in (SOME, LOCKED):
        theirs = Rotation.from_euler("ZXZ", euler).as_matrix().swapaxes(1, 2)
        np.testing.assert_allclose(to_matrix(euler), theirs, rtol=0, atol=1e-14)
        quaternion = Rotation.from_euler("ZXZ", euler).as_quat(scalar_first=True)
        same = np.abs((to_quaternion(euler) * quaternion).sum(axis=1))
        np.testing.assert_allclose(same, 1, rtol=0, atol=1e-14)


@pytest.mark.parametrize("euler", [SOME, LOCKED], ids=["some", "gimbal lock"])
def test_round_trips_keep_the_orientation(euler):
    for back in (from_matrix(to_matrix(euler)), from_quaternion(to_quaternion(euler))):
        np.testing.assert_allclose(to_matrix(back), to_matrix(euler), rtol=0, atol=1e-14)
        assert misorientation_angle(back, euler).max() < 1e-14
        assert (back >= 0).all()
        assert (back[:, ::2] < 2 * np.pi).all()
        assert (back[:, 1] <= np.pi).all()


def test_ordinary_angles_come_back_as_they_were():
    np.testing.assert_allclose(from_quaternion(to_quaternion(SOME)), SOME, rtol=0, atol=1e-13)


def test_at_gimbal_lock_the_second_angle_is_zero():
    back = from_quaternion(to_quaternion(np.array([[0.4, 0, 0.5], [0.9, np.pi, 0.5]])))
    np.testing.assert_allclose(back[0], [0.9, 0, 0], atol=1e-15)
    np.testing.assert_allclose(to_matrix(back[1]), to_matrix(np.array([0.4, np.pi, 0])), atol=1e-15)


def test_kinds_of_arrays():
    g = SOME.reshape(5, 10, 3)
    lazy = to_quaternion(da.from_array(g, chunks=(2, 5, 3)))
    assert isinstance(lazy, da.Array)
    named = xr.DataArray(g.astype("f4"), dims=("sample", "x", "euler"), attrs={"voxel_size": 2})
    q = to_quaternion(named)
    assert (q.dims, q.dtype) == (("sample", "x", "quaternion"), np.float32)
    assert list(q["quaternion"].values) == list("wxyz")
    np.testing.assert_allclose(q, lazy, atol=1e-6)
    assert to_matrix(named).dims == ("sample", "x", "crystal_axis", "sample_axis")
    back = from_quaternion(q)
    assert (back.dims, back.attrs["convention"]) == (("sample", "x", "euler"), "Bunge")
    assert back.attrs["voxel_size"] == 2


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: to_quaternion(np.rad2deg(SOME)), DataError, "look like degrees"),
        (lambda: to_matrix(np.full((2, 3), np.nan)), DataError, "2 of 2 orientations are NaN"),
        (lambda: to_matrix(np.zeros((4, 2))), ValueError, r"\(4, 2\); wanted 'euler' of length 3"),
        (lambda: to_matrix([[0, 0, 0]]), TypeError, "orientation is a list"),
        (lambda: to_matrix(np.zeros((4, 3), complex)), TypeError, "complex128"),
        (lambda: from_quaternion(np.array([[1.0, 1, 0, 0]])), DataError, "unit length"),
        (lambda: from_quaternion(np.array([[np.nan, 1, 0, 0]])), DataError, "unit length"),
        (lambda: from_matrix(2 * np.eye(3)), DataError, "not rotations"),
        (lambda: from_matrix(-np.eye(3)), DataError, "determinant 1"),
        (lambda: from_matrix(np.zeros((3, 2))), ValueError, "crystal_axis"),
    ],
)
def test_what_is_refused(call, error, match):
    with pytest.raises(error, match=match):
        call()
