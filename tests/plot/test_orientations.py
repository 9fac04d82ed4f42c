"""Maps of orientations and pole figures."""

import numpy as np
import pytest
import xarray as xr

pytest.importorskip("matplotlib")

from mksdask.generate import Fibre, Uniform, Unimodal, random_orientations, voronoi
from mksdask.orientation import direction_colours
from mksdask.plot import orientation_map, pole_figure


def pictures(figure):
    return [np.asarray(a.images[0].get_array()) for a in figure.axes if a.images]


def test_maps_show_the_colours_of_the_crystals():
    cells = voronoi(2, (9, 6), 5, seed=1)
    figure = orientation_map(cells.orientation, "cubic", direction="x", sample=1)
    shown = pictures(figure)[0]
    expected = direction_colours(cells.orientation[1].values, "cubic", "x")
    np.testing.assert_allclose(shown, expected.swapaxes(0, 1))
    assert len(figure.axes) == 2


@pytest.mark.parametrize("symmetry", ["hexagonal", "trigonal", "tetragonal", "orthorhombic"])
def test_volumes_show_three_planes_and_the_key(symmetry):
    cells = voronoi(1, (5, 6, 7), 5)
    figure = orientation_map(cells.orientation.isel(sample=0), symmetry)
    assert [p.shape[:2] for p in pictures(figure)[:3]] == [(6, 5), (7, 5), (7, 6)]
    key = pictures(figure)[3]
    assert key.shape[-1] == 4
    assert 0.05 < (key[..., 3] > 0).mean() < 0.9


def test_points_without_orientation_are_grey():
    g = random_orientations(1, (4, 5)).compute()
    g[0, 1, 2] = np.nan
    np.testing.assert_array_equal(pictures(orientation_map(g, "cubic"))[0][2, 1], 0.8)


def density(figure):
    """Of the first pole, and its mean over the disk, which has equal areas."""
    picture = np.asarray(figure.axes[0].images[0].get_array(), float)
    n = len(picture)
    axis = np.linspace(-1, 1, n) * (1 + 2 / n) * (1 - 1 / n)
    radius = np.hypot(*np.meshgrid(axis, axis))
    return picture, picture[radius <= 1].mean()


@pytest.mark.parametrize("texture", [Uniform(), Unimodal((0.3, 0.8, 1.1), 0.1)])
def test_the_mean_density_is_one(texture):
    g = random_orientations(1, (3000,), texture=texture)
    picture, mean = density(pole_figure(g, [(1, 1, 1)]))
    assert mean == pytest.approx(1, abs=0.03)
    if texture == Uniform():
        assert np.abs(picture[20:60, 20:60] - 1).max() < 0.3


def test_fibres_gather_at_their_axis():
    g = random_orientations(1, (2000,), texture=Fibre((1, 1, 1), (1, 0, 1), 0.05))
    picture, _ = density(pole_figure(g, [(1, 1, 1)]))
    column, row = np.unravel_index(np.nanargmax(picture.T), picture.shape)
    axis = np.linspace(-1, 1, 81) * (1 + 2 / 81) * (1 - 1 / 81)
    # Half way down to x lies at sqrt(1 - cos 45) of the radius.
    assert axis[column] == pytest.approx(np.sqrt(1 - np.sqrt(0.5)), abs=0.06)
    assert axis[row] == pytest.approx(0, abs=0.06)


def test_weights():
    g = np.concatenate([np.zeros((1, 3)), random_orientations(1, (1,), seed=2).values[0]])
    both = pole_figure(g, [(0, 0, 1)], weights=[1.0, 0.0])
    one = pole_figure(g[:1], [(0, 0, 1)])
    np.testing.assert_allclose(density(both)[0], density(one)[0], atol=1e-12)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda g: orientation_map(g, "2/m"), "no key of colours"),
        (lambda g: orientation_map(g, "cubic", direction="up"), "direction is 'up'"),
        (lambda g: orientation_map(g.isel(x=0), "cubic"), "wanted 'euler' and two"),
        (lambda g: orientation_map(g, "cubic", sample=3), "sample is 3"),
        (lambda g: pole_figure(g, []), "at least one direction"),
        (lambda g: pole_figure(np.rad2deg(g)), "look like degrees"),
        (lambda g: pole_figure(g.isel(euler=[0, 1])), "'euler' of length 3"),
        (lambda g: pole_figure(g.values[..., :2]), "'euler' of length 3"),
        (lambda g: pole_figure(g, weights=np.ones(3)), r"wanted \(1, 4, 5\)"),
        (lambda g: pole_figure(g, weights=-np.ones((1, 4, 5))), "negative or NaN"),
    ],
)
def test_what_is_refused(call, match):
    g: xr.DataArray = random_orientations(1, (4, 5))
    with pytest.raises(ValueError, match=match):
        call(g)


def test_points_without_orientation_are_left_out_by_their_weight():
    g = random_orientations(1, (4, 5), seed=2)
    holes = g.compute()
    holes[0, 1, 2] = np.nan
    weights = xr.ones_like(g.isel(euler=0, drop=True)).transpose("y", "x", "sample").compute()
    weights[2, 1, 0] = 0
    kept = np.delete(g.values.reshape(-1, 3), 7, axis=0)
    with pytest.raises(ValueError, match="1 of 20 orientations are NaN.*weights of 0"):
        pole_figure(holes)
    a, _ = density(pole_figure(holes, [(0, 0, 1)], weights=weights))
    b, _ = density(pole_figure(kept, [(0, 0, 1)]))
    np.testing.assert_allclose(a, b, atol=1e-12)
