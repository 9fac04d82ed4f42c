"""Localization of crystals: symmetric copies, polarization sweeps, what is refused."""

import numpy as np
import pytest

from mksdask.bases import GSHBasis
from mksdask.euler_angles import euler_to_matrix, matrix_to_euler
from mksdask.generate import voronoi
from mksdask.linkage import LocalizationModel, StagedLocalization
from mksdask.linkage.crystal_stiffness import stiffness_coefficients
from mksdask.linkage.local_features import LocalFeatures
from mksdask.linkage.symmetry import AxisMap, action_on_features, grid_symmetries
from mksdask.saved_models import load_model, save_model
from mksdask.simulate import cubic, elasticity, hexagonal
from mksdask.simulate.stiffness import rotated

COPPER = cubic(168.4, 121.4, 75.4)
BASIS = GSHBasis("cubic", max_degree=4)
SHAPE = (5, 5, 5)


def solved(n, seed=0, stiffness=COPPER, component="zz"):
    cells = voronoi(n, SHAPE, 10, seed=seed)
    strain = elasticity(
        cells.phase, stiffness=stiffness, orientation=cells.orientation,
        macro_strain={component: 1.0}, outputs=("strain",), tolerance=1e-8,
    ).strain  # fmt: skip
    return cells.orientation.compute(), strain.compute()


@pytest.fixture(scope="module")
def cells():
    return solved(24)


def turned(array, map_):
    """The copy of a field of scalars (sample, x, y, z, ...) on mapped axes."""
    moved = np.transpose(array, (0, *(1 + a for a in map_.axes), *range(4, array.ndim)))
    for axis, sign in enumerate(map_.signs, start=1):
        if sign < 0:
            moved = np.roll(np.flip(moved, axis), 1, axis)
    return moved


def copied_orientations(g, map_):
    q = np.zeros((3, 3))
    q[range(3), list(map_.axes)] = map_.signs
    return matrix_to_euler(euler_to_matrix(turned(g, map_)) @ (np.linalg.det(q) * q).T)


LOAD = [m for m in grid_symmetries(SHAPE) if m.axes[2] == 2]


@pytest.mark.parametrize("map_", LOAD[::3])
def test_a_turned_polycrystal_has_the_turned_field(map_, cells):
    """Solved again: the copy of a sample that symmetries stand for is a sample."""
    g, strain = (a.values[:1] for a in cells)
    copy = copied_orientations(g, map_)
    again = elasticity(
        np.zeros(copy.shape[:-1], int), stiffness=COPPER, orientation=copy,
        macro_strain={"zz": 1.0}, outputs=("strain",), tolerance=1e-8,
    ).strain.values  # fmt: skip
    np.testing.assert_allclose(again[..., 2], turned(strain, map_)[..., 2], atol=1e-6)
    action = action_on_features(map_, LocalFeatures(BASIS))
    fields = LocalFeatures(BASIS).fields(g, (True,) * 3)
    image = LocalFeatures(BASIS).fields(copy, (True,) * 3)
    for a, (source, sign) in enumerate(zip(action.sources, action.signs, strict=True)):
        np.testing.assert_allclose(image[a], sign * turned(fields[source], map_), atol=1e-9)


def test_symmetries_of_the_load_are_copies_of_the_samples(cells):
    g, strain = cells
    few = slice(0, 3)
    model = LocalizationModel(BASIS, ridge=1e-6, symmetries="load")
    model.fit(g[few], strain.sel(tensor=["zz"])[few])
    copies = [copied_orientations(g.values[few], m) for m in LOAD]
    answers = [turned(strain.values[few], m)[..., 2:3] for m in LOAD]
    plain = LocalizationModel(BASIS, ridge=1e-6)
    plain.fit(np.concatenate(copies), np.concatenate(answers))
    test = g.values[10:12]
    np.testing.assert_allclose(model.predict(test), plain.predict(test), atol=1e-8)


def test_sweeps_of_polarization_close_in_on_the_field():
    g, strain = solved(60)
    new, truth = solved(6, seed=9)
    model = StagedLocalization(
        BASIS, sweeps=2, features="polarization", stiffness=COPPER, symmetries="load"
    ).fit(g, strain)
    left = [
        float((((model.predict(new, sweeps=n) - truth).sel(tensor="zz")) ** 2).mean())
        / float(truth.sel(tensor="zz").var())
        for n in range(3)
    ]
    assert left[0] < 0.08
    assert left[1] < 0.01
    assert left[2] < left[1]


def test_polarization_is_the_difference_of_stiffness_times_strain(cells):
    model = StagedLocalization(BASIS, sweeps=0, features="polarization", stiffness=COPPER)
    plan = model.fit(*cells).plan_
    g, strain = (a.values[:2] for a in cells)
    _, contrast = plan.local_fields(g)
    found = plan.sweep.fields(contrast, np.moveaxis(strain, -1, 0))
    mean = stiffness_coefficients(COPPER, BASIS)[0]
    expected = np.einsum("...ij,...j->i...", rotated(COPPER, g) - mean, strain)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_hexagonal_and_saved(tmp_path):
    titanium = hexagonal(162.4, 92.0, 69.0, 180.7, 46.7)
    basis = GSHBasis("hexagonal", max_degree=4)
    g, strain = solved(40, stiffness=titanium)
    model = StagedLocalization(
        basis, sweeps=1, features="polarization", stiffness=titanium, symmetries="load"
    ).fit(g, strain)
    assert model.training_r2_[1][2] > 0.99
    save_model(model, tmp_path / "m.zarr")
    np.testing.assert_array_equal(
        load_model(tmp_path / "m.zarr").predict(g[:2]), model.predict(g[:2])
    )


@pytest.mark.parametrize("form", ["real", "complex"])
def test_both_forms_predict_the_same(form, cells):
    g, strain = cells
    y = strain.sel(tensor="zz", drop=True)
    model = LocalizationModel(GSHBasis("cubic", 4, form=form)).fit(g, y)
    expected = LocalizationModel(BASIS).fit(g, y).predict(g[:2])
    np.testing.assert_allclose(model.predict(g[:2]), expected, atol=1e-9)


def test_too_high_a_degree_for_the_data_is_said(cells):
    g, strain = cells
    with pytest.warns(UserWarning, match="rank|fewer features|minimum norm"):
        LocalizationModel(GSHBasis("cubic", 8)).fit(g, strain.sel(tensor="zz", drop=True))


def test_what_is_refused(cells):
    g, strain = (a[:2] for a in cells)
    zz = strain.sel(tensor=["zz"])

    def staged(**options):
        return StagedLocalization(BASIS, **{"sweeps": 1, "features": "polarization", **options})

    with pytest.raises(ValueError, match="wanted the 6 x 6 stiffness"):
        staged().fit(g, strain)
    with pytest.raises(ValueError, match="wanted all of"):
        staged(stiffness=COPPER).fit(g, zz)
    with pytest.raises(ValueError, match="wanted all functions up to degree 4"):
        StagedLocalization(
            GSHBasis("cubic", indices=[(0, 0, 1), (4, 0, 1)]), features="polarization",
            stiffness=COPPER,
        ).fit(g, strain)  # fmt: skip
    with pytest.raises(ValueError, match="which turn crystals"):
        StagedLocalization(BASIS, sweeps=1, symmetries=("-x", "-y", "xy")).fit(g, strain)
    with pytest.raises(ValueError, match="keep the z axis"):
        LocalizationModel(BASIS, symmetries=("yz",)).fit(g, strain)
    with pytest.raises(ValueError, match="wanted a real form"):
        LocalizationModel(GSHBasis("cubic", 4, form="complex"), symmetries=("-x",)).fit(g, strain)
    assert AxisMap((0, 1, 2), (1, 1, 1)) in LOAD
