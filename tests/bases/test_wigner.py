"""Wigner functions against the definition, and the group property of the matrices."""

import numpy as np
import pytest
from scipy.linalg import expm

from mksdask.bases.invariants import invariants
from mksdask.bases.wigner import fourier_coefficients, rotation_matrices, wigner_small_d
from mksdask.euler_angles import euler_to_matrix, matrix_to_euler
from mksdask.generate import uniform_orientations
from mksdask.laue_groups import LAUE_GROUPS, laue_group

NAMES = [group.name for group in LAUE_GROUPS]


def exponential_of_angular_momentum(degree, angle):
    """exp(-i b J_y) in the basis of J_z."""
    m = np.arange(-degree, degree)
    raising = np.diag(np.sqrt(degree * (degree + 1.0) - m * (m + 1)), -1)
    return expm(-angle * (raising - raising.T) / 2)


@pytest.mark.parametrize("degree", [0, 1, 2, 5, 16, 32])
def test_small_d_is_the_exponential_of_angular_momentum(degree):
    for angle in (0.0, 1e-9, 0.3, np.pi / 2, 2.0, np.pi - 1e-6, np.pi):
        np.testing.assert_allclose(
            wigner_small_d(degree, np.array(angle)),
            exponential_of_angular_momentum(degree, angle),
            rtol=0,
            atol=1e-12,
        )


def test_addition_theorem_of_small_d():
    a, b = 0.4, 1.9
    np.testing.assert_allclose(
        wigner_small_d(32, np.array(a)) @ wigner_small_d(32, np.array(b)),
        wigner_small_d(32, np.array(a + b)),
        rtol=0,
        atol=1e-12,
    )


@pytest.mark.parametrize("degree", [1, 4, 32])
def test_fourier_coefficients_add_up_to_small_d(degree):
    angle = np.linspace(-4, 7, 23)
    k = np.arange(degree + 1)
    order = np.arange(2 * degree + 1)
    even = (np.subtract.outer(order, order) % 2 == 0)[..., None]
    c = fourier_coefficients(degree)
    sums = np.where(even, c @ np.cos(np.outer(k, angle)), c @ np.sin(np.outer(k, angle)))
    np.testing.assert_allclose(sums, wigner_small_d(degree, angle), rtol=0, atol=1e-11)


@pytest.mark.parametrize("degree", [1, 2, 9])
def test_rotation_matrices_multiply_as_rotations_do(degree):
    g, h = uniform_orientations(np.random.default_rng(0), 2)
    product = matrix_to_euler(euler_to_matrix(g) @ euler_to_matrix(h))
    np.testing.assert_allclose(
        rotation_matrices(degree, g) @ rotation_matrices(degree, h),
        rotation_matrices(degree, product),
        rtol=0,
        atol=1e-12,
    )


def test_rotation_matrices_of_degree_one_are_rotations():
    g = uniform_orientations(np.random.default_rng(0), 5)
    trace = np.trace(rotation_matrices(1, g), axis1=1, axis2=2)
    np.testing.assert_allclose(trace, np.trace(euler_to_matrix(g), axis1=1, axis2=2), atol=1e-13)


@pytest.mark.parametrize(
    ("name", "order"), list(zip(NAMES, [1, 2, 4, 4, 8, 3, 6, 6, 12, 12, 24], strict=True))
)
def test_order_and_closure_of_the_laue_groups(name, order):
    rotations = laue_group(name).matrices
    assert len(rotations) == order
    np.testing.assert_allclose(np.linalg.det(rotations), 1)
    products = rotations[:, None] @ rotations[None]
    apart = np.abs(products[:, :, None] - rotations).max(axis=(-1, -2)).min(axis=-1)
    assert apart.max() < 1e-12


@pytest.mark.parametrize("name", NAMES)
def test_number_of_invariants_follows_from_the_characters(name):
    """Molien: the mean over the group of sin((2 l + 1) w/2) / sin(w/2), w the angle of rotation."""
    trace = np.trace(laue_group(name).matrices, axis1=1, axis2=2)
    half = np.arccos(np.clip((trace - 1) / 2, -1, 1)) / 2
    for degree in (*range(17), 32):
        with np.errstate(invalid="ignore"):
            character = np.sin((2 * degree + 1) * half) / np.sin(half)
        character[half < 1e-9] = 2 * degree + 1
        vectors = invariants(name, degree).vectors
        assert vectors.shape == (2 * degree + 1, round(character.mean()))
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(vectors.shape[1]), atol=1e-12)


def test_known_numbers_of_cubic_invariants():
    degrees = (0, 4, 6, 8, 9, 10, 12, 13, 14, 15, 16)
    counts = [invariants("cubic", degree).vectors.shape[1] for degree in degrees]
    assert counts == [1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 2]
    assert all(invariants("cubic", d).vectors.shape[1] == 0 for d in (1, 2, 3, 5, 7, 11))


def test_unknown_symmetries_are_answered_with_the_known():
    with pytest.raises(ValueError, match=r"'fcc'; wanted one of triclinic \(-1, 1\).*cubic \(m-3m"):
        laue_group("fcc")
    with pytest.raises(TypeError, match="symmetry is 225; wanted one of triclinic"):
        laue_group(225)
