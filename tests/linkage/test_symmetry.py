"""Symmetries: equal to copies of the samples, and kept by what is learned."""

import numpy as np
import pytest
import xarray as xr
from sklearn.base import clone

from mksdask.bases import PrimitiveBasis
from mksdask.linkage import LocalizationModel, StagedLocalization
from mksdask.linkage.frequency_orbits import frequency_orbits
from mksdask.linkage.symmetry import grid_symmetries, group_of, read_symmetries
from mksdask.simulate.stiffness import TENSOR

from .staged_cases import (
    all_maps,
    copies,
    leaves_load,
    moved,
    random_cells,
    solved_cells,
    turned_strain,
)

SHAPES = [(4, 4), (5, 4), (4, 3, 3), (3, 4, 4), (3, 3, 3)]


def under_load(shape):
    return [q for q in all_maps(shape) if leaves_load(q)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("features", ["lean", "neighbourhood"])
def test_staged_is_a_fit_to_copies(shape, features):
    phase, strain = random_cells(6, shape)
    maps = under_load(shape)
    many = copies(phase, strain, maps)
    args = {"sweeps": 2, "features": features, "ridge": 1e-3}
    expected = StagedLocalization(PrimitiveBasis(2), **args).fit(*many)
    found = StagedLocalization(PrimitiveBasis(2), symmetries="load", **args).fit(phase, strain)
    assert len(found.symmetries_) == len(maps)
    for a, b in zip(found.coefficients_, expected.coefficients_, strict=True):
        scale = abs(b).max()
        np.testing.assert_allclose(a[..., 1:], b[..., 1:], atol=1e-10 * scale)
        assert np.isrealobj(a)  # inversion is among the symmetries
    for a, b in zip(found.training_r2_, expected.training_r2_, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-10)
    other, _ = random_cells(2, shape, seed=5)
    np.testing.assert_allclose(found.predict(other), expected.predict(other), atol=1e-10)


@pytest.mark.parametrize("shape", [(4, 5, 5), (4, 4)])
@pytest.mark.parametrize("neighbours", [None, 1, 1.5])
def test_first_order_is_a_fit_to_copies(shape, neighbours):
    phase, strain = random_cells(12, shape, 3)
    strain = strain + phase.mean(phase.dims[1:]) * 0.1
    many = copies(phase, strain, under_load(shape))
    args = {"ridge": 1e-4, "neighbours": neighbours if shape == (4, 5, 5) else None}
    expected = LocalizationModel(PrimitiveBasis(3), **args).fit(*many)
    generators = ("-x", "-y", "-z", "yz") if len(shape) == 3 else ("-x", "-y")
    model = LocalizationModel(PrimitiveBasis(3), symmetries=generators, **args)
    model.fit(phase, strain)
    np.testing.assert_allclose(model.kernel_, expected.kernel_, atol=1e-10)
    np.testing.assert_allclose(model.predict(phase), expected.predict(phase), atol=1e-10)


def test_staged_with_neighbours_is_a_fit_to_copies():
    phase, strain = random_cells(12, (4, 5, 5))
    many = copies(phase, strain, under_load((4, 5, 5)))
    args = {"sweeps": 1, "neighbours": 1.5, "ridge": 1e-4}
    expected = StagedLocalization(PrimitiveBasis(2), **args).fit(*many).predict(phase)
    found = StagedLocalization(PrimitiveBasis(2), symmetries="load", **args).fit(phase, strain)
    np.testing.assert_allclose(found.predict(phase), expected, atol=1e-10)


@pytest.mark.parametrize("model", [LocalizationModel, StagedLocalization])
def test_predictions_turn_with_the_microstructure(model):
    shape = (4, 3, 3)
    phase, strain = random_cells(5, shape)
    fitted = model(PrimitiveBasis(2), ridge=1e-5, symmetries="load").fit(phase, strain)
    predicted = fitted.predict(phase).values
    for q in under_load(shape):
        turned = fitted.predict(xr.DataArray(moved(q, phase.values), dims=phase.dims))
        expected = turned_strain(q, moved(q, predicted))
        np.testing.assert_allclose(turned, expected, atol=1e-12)


def test_a_vector_turns_too():
    rng = np.random.default_rng(0)
    shape = (4, 4)
    phase = rng.integers(0, 2, (5, *shape))
    field = rng.standard_normal((5, *shape, 2))
    field += np.array([1.0, 0.0]) - field.mean(axis=(1, 2), keepdims=True)
    label = {"dims": ("sample", "x", "y", "direction"), "coords": {"direction": ["x", "y"]}}
    keeps_load = [q for q in all_maps(shape) if q[0, 0] == 1]
    assert len(keeps_load) == 2
    many = [np.concatenate([moved(q, a) for q in keeps_load]) for a in (phase, field)]
    many[1] = np.concatenate([moved(q, field) @ q.T for q in keeps_load])
    basis = PrimitiveBasis(2)
    expected = StagedLocalization(basis, ridge=1e-3).fit(many[0], xr.DataArray(many[1], **label))
    found = StagedLocalization(basis, ridge=1e-3, symmetries="load")
    found.fit(phase, xr.DataArray(field, **label))
    np.testing.assert_allclose(found.predict(phase), expected.predict(phase), atol=1e-10)


@pytest.mark.parametrize("shape", [(4, 4), (5, 5, 5), (6, 4, 4), (5, 4)])
def test_orbits_partition_the_spectrum(shape):
    group = grid_symmetries(shape)
    orbits = frequency_orbits(shape, group)
    seen = {}
    for k in np.ndindex(*shape):
        image = []
        for q in all_maps(shape):
            for sign in (1, -1):
                turned = sign * (q @ np.array(k))
                image.append(tuple(int(t) % n for t, n in zip(turned, shape, strict=True)))
        seen.setdefault(min(image), set()).update(image)
    assert orbits.n == len(seen)
    assert orbits.weight.sum() == np.prod(shape)
    assert sorted(orbits.weight) == sorted(map(len, seen.values()))


def test_groups():
    assert len(grid_symmetries((5, 5, 5))) == 48
    assert len(group_of(grid_symmetries((4, 5, 5))[:3], 3)) in (2, 4)
    shear = np.array([0, 0, 0, 0, 0, 1.0])
    names, space = TENSOR[3], ("x", "y", "z")
    sizes = {
        tuple(load): len(read_symmetries("load", np.array(load), names, space, (6, 6, 6)))
        for load in ((1, 0, 0, 0, 0, 0), (1, 1, 1, 0, 0, 0), tuple(shear))
    }
    assert sizes == {(1, 0, 0, 0, 0, 0): 16, (1, 1, 1, 0, 0, 0): 48, tuple(shear): 8}


@pytest.mark.parametrize(
    ("symmetries", "match"),
    [
        ("loads", "wanted None, 'load', or a tuple"),
        (("-w",), "wanted None, 'load', or a tuple"),
        (("xy",), "4 and 5 voxels"),
        (7, "wanted None, 'load', or a tuple"),
    ],
)
@pytest.mark.parametrize("model", [LocalizationModel, StagedLocalization])
def test_bad_symmetries(model, symmetries, match):
    phase, strain = random_cells(3, (4, 5))
    with pytest.raises(ValueError, match=match):
        model(PrimitiveBasis(2), ridge=1e-3, symmetries=symmetries).fit(phase, strain)


@pytest.mark.parametrize("model", [LocalizationModel, StagedLocalization])
def test_voxels_that_are_no_cubes_have_fewer_symmetries(model):
    phase, strain = solved_cells(16, (5, 5, 5))
    phase.attrs["voxel_size"] = [1.0, 1.0, 3.0]
    found = model(PrimitiveBasis(2), ridge=1e-5, symmetries="load").fit(phase, strain)
    named = clone(found).set_params(symmetries=("-x", "-y", "-z")).fit(phase, strain)
    np.testing.assert_allclose(found.predict(phase), named.predict(phase), atol=1e-12)
    with pytest.raises(ValueError, match=r"'yz', and voxels with edges like .* are not the same"):
        clone(found).set_params(symmetries=("yz",)).fit(phase, strain)
    cubes = model(PrimitiveBasis(2), ridge=1e-5, symmetries="load").fit(phase.drop_attrs(), strain)
    assert float(abs(cubes.predict(phase) - named.predict(phase)).max()) > 1e-4


@pytest.mark.parametrize("model", [LocalizationModel, StagedLocalization])
def test_a_single_field_does_not_tell_the_load(model):
    phase, strain = random_cells(3, (4, 4))
    loaded = model(PrimitiveBasis(2), ridge=1e-3, symmetries="load")
    with pytest.raises(ValueError, match=r"does not tell the load: keep the name"):
        loaded.fit(phase, strain.sel(tensor="xx", drop=True))
    named = loaded.fit(phase, strain.sel(tensor=["xx"])).predict(phase)
    mirrored = model(PrimitiveBasis(2), ridge=1e-3, symmetries=("-x", "-y"))
    wanted = mirrored.fit(phase, strain.sel(tensor="xx", drop=True)).predict(phase)
    np.testing.assert_allclose(named[..., 0], wanted, atol=1e-12)


def test_symmetries_need_names_and_all_components():
    phase, strain = random_cells(3, (4, 4))
    model = StagedLocalization(PrimitiveBasis(2), symmetries="load")
    with pytest.raises(ValueError, match="no names for its components"):
        model.fit(phase.values, strain.values)
    model = StagedLocalization(PrimitiveBasis(2), symmetries=("xy",))
    with pytest.raises(ValueError, match="'xx' into 'yy', which is not among"):
        model.fit(phase, strain.sel(tensor=["xx", "xy"]))
    model = LocalizationModel(
        PrimitiveBasis(2), neighbours=[(1, 0)], symmetries=("xy",), ridge=1e-3
    )
    with pytest.raises(ValueError, match="neighbour at"):
        model.fit(phase, strain)
    boundary = {"x": "nonperiodic"}
    model = LocalizationModel(PrimitiveBasis(2), boundary=boundary, symmetries=("xy",), ridge=1e-3)
    with pytest.raises(ValueError, match="swaps a periodic axis"):
        model.fit(phase, strain)
