"""Drawing textures, their coefficients and distribution functions, colours of directions."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mksdask.bases import GSHBasis, PrimitiveBasis
from mksdask.errors import DataError
from mksdask.generate import (
    Fibre,
    Uniform,
    Unimodal,
    random_orientations,
    uniform_orientations,
    voronoi,
)
from mksdask.laue_groups import laue_group
from mksdask.orientation import (
    direction_colours,
    from_matrix,
    misorientation_angle,
    odf,
    texture_coefficients,
    texture_index,
    to_matrix,
)
from mksdask.orientation.colours import SECTORS

BASIS = GSHBasis("cubic", max_degree=6)


def test_uniform_textures_have_no_coefficients():
    g = random_orientations(2, (20000,), seed=3)
    c = texture_coefficients(g, BASIS)
    assert c.dims == ("sample", "state")
    np.testing.assert_allclose(c[:, 0], 1)
    # Each is the mean of 20,000 numbers of variance 2 l + 1.
    assert (np.abs(c[:, 1:]) < 5 * np.sqrt((2 * BASIS.degrees[1:] + 1) / 20000)).all()
    assert texture_index(c, BASIS).values == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("form", ["real", "complex"])
def test_distribution_function_of_a_smooth_texture(form):
    """f(g) = 1 + a T(g) is found again from random orientations of weight f(g)."""
    basis = GSHBasis("cubic", 6, form=form)
    g = uniform_orientations(np.random.default_rng(0), 200_000)
    shape = GSHBasis("cubic", indices=[(4, 2, 1)])
    f = 1 + 0.05 * shape.expand(g)[:, 0]
    assert f.min() > 0
    c = texture_coefficients(g[None], basis, weights=f[None])
    at = uniform_orientations(np.random.default_rng(1), 20)
    expected = 1 + 0.05 * shape.expand(at)[:, 0]
    np.testing.assert_allclose(odf(c, basis, at)[0], expected, atol=0.1)
    assert odf(c, basis, at).dtype == float


def test_both_forms_give_the_same_distribution_function():
    g = random_orientations(1, (500,), texture=Unimodal((1, 0.5, 0.2), 0.2))
    at = uniform_orientations(np.random.default_rng(1), 20)
    real, full = (
        odf(texture_coefficients(g, basis), basis, at)
        for basis in (BASIS, GSHBasis("cubic", 6, form="complex"))
    )
    np.testing.assert_allclose(real, full, atol=1e-10)


def test_unimodal_textures_spread_as_asked():
    g = Unimodal((1.0, 0.5, 0.2), 0.05).sample(np.random.default_rng(0), 5000)
    angle = misorientation_angle(g, np.tile([1.0, 0.5, 0.2], (5000, 1)))
    # The length of three normal numbers of standard deviation 0.05.
    assert (angle**2).mean() == pytest.approx(3 * 0.05**2, rel=0.05)


def test_fibre_textures_align_the_directions():
    g = Fibre((1, 1, 0), (1, 0, 0), 0.02).sample(np.random.default_rng(0), 5000)
    along = to_matrix(g) @ [1, 0, 0]
    tilt = np.arccos(np.clip(along @ [1, 1, 0] / np.sqrt(2), -1, 1))
    assert (tilt**2).mean() == pytest.approx(2 * 0.02**2, rel=0.06)
    across = to_matrix(g) @ [0, 0, 1]
    assert np.abs(across.mean(axis=0)).max() < 0.05  # every turn about the fibre
    opposite = Fibre((0, 0, -1), (0, 0, 1)).sample(np.random.default_rng(0), 3)
    np.testing.assert_allclose(to_matrix(opposite) @ [0, 0, 1], [[0, 0, -1]] * 3, atol=1e-12)


def test_orientations_depend_on_seed_and_sample_only():
    texture = Fibre((1, 1, 1), (0, 0, 1), 0.1)
    whole = random_orientations(5, (3, 4), texture=texture, seed=7, chunks=2)
    assert isinstance(whole.data, da.Array)
    part = random_orientations(2, (3, 4), texture=texture, seed=7, first_sample=3)
    np.testing.assert_array_equal(whole[3:], part)
    assert whole.attrs["units"] == "radian"


def test_grains_with_a_texture():
    cells = voronoi(2, (12, 12), 9, texture=Fibre((0, 0, 1), (0, 0, 1)), seed=1)
    along = to_matrix(cells.orientation.values) @ np.array([0, 0, 1.0])
    np.testing.assert_allclose(along[..., 2], 1, atol=1e-12)


def test_weights_and_chunks():
    g = uniform_orientations(np.random.default_rng(0), 24).reshape(2, 12, 3)
    weights = np.random.default_rng(1).integers(0, 3, (2, 12)).astype(float)
    weights[:, 0] = 1
    repeated = [np.repeat(a, w.astype(int), axis=0)[None] for a, w in zip(g, weights, strict=True)]
    expected = np.concatenate([texture_coefficients(r, BASIS) for r in repeated])
    holes = np.where(weights[..., None] > 0, g, np.nan)
    np.testing.assert_allclose(texture_coefficients(holes, BASIS, weights), expected, atol=1e-12)
    lazy = texture_coefficients(da.from_array(holes, chunks=(1, 12, 3)), BASIS, weights)
    assert isinstance(lazy, da.Array)
    np.testing.assert_allclose(lazy, expected, atol=1e-12)


@pytest.mark.parametrize("symmetry", list(SECTORS))
def test_equivalent_crystals_have_equal_colours(symmetry):
    g = uniform_orientations(np.random.default_rng(0), 50)
    colours = direction_colours(g, symmetry, (1, 2, 3))
    assert colours.min() >= 0
    assert colours.max() <= 1
    for rotation in laue_group(symmetry).matrices:
        turned = from_matrix(rotation @ to_matrix(g))
        np.testing.assert_allclose(
            direction_colours(turned, symmetry, (1, 2, 3)), colours, atol=1e-6
        )
    opposite = direction_colours(g, symmetry, (-1, -2, -3))
    np.testing.assert_allclose(opposite, colours, atol=1e-6)
    apart = np.abs(colours[:, None] - colours).max(axis=-1)
    assert (apart + np.eye(50) > 1e-3).all()  # others have other colours


def test_corners_of_the_cubic_triangle():
    vectors = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 1]])
    for vector, colour in zip(vectors, np.eye(3), strict=True):
        g = Fibre(tuple(vector.tolist()), (0, 1, 0)).sample(np.random.default_rng(0), 1)
        np.testing.assert_allclose(direction_colours(g, "m-3m", "y")[0], colour, atol=1e-3)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: Unimodal((0, 0), 0.1), ValueError, "three Euler angles"),
        (lambda: Unimodal((0, 0, 0), 10), ValueError, "np.deg2rad"),
        (lambda: Unimodal((0, 0, 0), -1), ValueError, "at least 0"),
        (lambda: Fibre((0, 0, 0), (0, 0, 1)), ValueError, "crystal is .*a direction"),
        (lambda: random_orientations(2, (4,), texture="cube"), TypeError, "texture is 'cube'"),
        (lambda: voronoi(2, (4, 4), 2, texture=3), TypeError, "texture is 3"),
        (lambda: direction_colours(np.zeros((1, 3)), "2/m"), ValueError, "no key of colours"),
        (lambda: direction_colours(np.zeros((1, 3)), "cubic", "w"), ValueError, "direction is 'w'"),
        (lambda: texture_coefficients(np.zeros((1, 1, 3)), PrimitiveBasis(2)), TypeError, "GSHBasis"),
        (lambda: texture_coefficients(np.zeros((1, 3)), BASIS), ValueError, "one axis of voxels"),
        (lambda: texture_coefficients(np.zeros((1, 2, 3)), BASIS, np.zeros((1, 2))), DataError,
         "weights"),
        (lambda: odf(np.ones((1, 3)), BASIS, np.zeros(3)), ValueError, r"wanted \(sample, 23\)"),
        (lambda: texture_index(np.ones((2, 1)), BASIS), ValueError, r"wanted \(sample, 23\)"),
        (lambda: texture_coefficients(xr.DataArray(np.zeros((1, 3)), dims=("x", "euler")), BASIS),
         ValueError, "'sample'"),
    ],
)  # fmt: skip
def test_what_is_refused(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_uniform_is_the_default():
    a, b = (random_orientations(1, (5,), texture=t) for t in (None, Uniform()))
    np.testing.assert_array_equal(a, b)
