"""Staged localization: exact cases, sums in any portions, labels, files, refusals."""

import re

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from sklearn.base import clone

from mksdask import load_model, metrics, save_model
from mksdask.bases import PrimitiveBasis
from mksdask.errors import DataError, RankDeficientWarning
from mksdask.linkage import LocalizationModel, StagedLocalization
from mksdask.simulate import conduction, elasticity

from .staged_cases import random_cells, solved_cells

BASIS = PrimitiveBasis(2)


@pytest.fixture(scope="module")
def plane():
    return solved_cells(24, (9, 8))


@pytest.fixture(scope="module")
def cube():
    return solved_cells(6, (6, 5, 5))


def same(a, b, atol=1e-10):
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=atol, rtol=0)


def test_uniform_cells_have_the_mean_strain(cube):
    model = StagedLocalization(BASIS, sweeps=2, symmetries="load").fit(*cube)
    for state in (0, 1):
        found = model.predict(np.full((1, 6, 5, 5), state))
        same(found, np.broadcast_to([1.0, 0, 0, 0, 0, 0], found.shape), atol=1e-12)


def test_first_order_at_small_contrast_is_perturbation_theory():
    # The exact first-order response is that of a single voxel of vanishing contrast.
    contrast, shape = 1e-4, (7, 7)
    one = np.zeros((1, *shape), int)
    one[0, 0, 0] = 1
    args = {"poissons_ratio": (0.3, 0.3), "macro_strain": 1.0, "outputs": ("strain",)}
    single = elasticity(one, (1, 1 + contrast), **args, tolerance=1e-13).strain
    phase, strain = solved_cells(60, shape, contrast=1 + contrast)
    model = StagedLocalization(BASIS, sweeps=0, ridge=0).fit(phase, strain)
    deviation = (model.predict(one) - model.mean_) / contrast
    same(deviation, (single.values - [1, 0, 0]) / contrast, atol=2e-4)
    assert abs(deviation).max() > 0.3


def test_each_sweep_gains_an_order_of_the_contrast():
    # In layers under stress across them, strain is inverse to stiffness: an iteration of the
    # Lippmann-Schwinger equation multiplies the error by the contrast.
    phase = np.random.default_rng(0).integers(0, 2, (300, 16))
    errors = []
    for contrast in (0.2, 0.1):
        strain = 1 / (1 + contrast * phase)
        strain /= strain.mean(axis=1, keepdims=True)
        model = StagedLocalization(BASIS, sweeps=3, ridge=0, symmetries=("-x",))
        model.fit(phase, strain)
        errors.append([float((model.predict(phase, sweeps=n) - strain).std()) for n in range(4)])
    coarse, fine = np.array(errors)
    orders = np.log2(coarse / fine)
    same(orders, [2, 3, 4, 5], atol=0.4)


@pytest.mark.parametrize("features", ["lean", "full", "neighbourhood"])
def test_more_sweeps_do_not_worsen_training(plane, features):
    model = StagedLocalization(BASIS, sweeps=3, features=features, ridge=1e-8).fit(*plane)
    r2 = np.mean(model.training_r2_, axis=1)
    assert (np.diff(r2) > 0).all()


def test_training_r2_is_that_of_predictions(plane):
    phase, strain = plane
    model = StagedLocalization(BASIS, sweeps=1).fit(phase, strain)
    for stage, r2 in enumerate(model.training_r2_):
        predicted = model.predict(phase, sweeps=stage)
        direct = [metrics.r2(strain[..., c], predicted[..., c]) for c in range(3)]
        same(r2, direct)
    assert model.score(phase, strain) == pytest.approx(
        float(metrics.r2(strain, model.predict(phase))), abs=1e-12
    )


def test_first_stage_is_the_first_order_model(plane):
    phase, strain = plane
    first = LocalizationModel(BASIS, ridge=1e-5).fit(phase, strain).predict(phase)
    staged = StagedLocalization(BASIS, sweeps=0).fit(phase, strain).predict(phase)
    deviations = [a - a.mean(("x", "y")) for a in (first, staged)]
    same(*deviations)
    same(staged.mean(("x", "y")), np.broadcast_to([1.0, 0, 0], (24, 3)))


@pytest.mark.parametrize("symmetries", [None, "load"])
def test_portions_of_each_stage_are_a_fit(plane, symmetries):
    phase, strain = plane
    args = {"sweeps": 2, "symmetries": symmetries}
    whole = StagedLocalization(BASIS, **args).fit(phase, strain)
    model = StagedLocalization(BASIS, **args)
    for stage in range(3):
        for part in (slice(20, 24), slice(0, 3), slice(3, 20)):
            model.partial_fit(phase[part], strain[part], stage=stage)
    assert model.n_samples_seen_ == whole.n_samples_seen_ == [24, 24, 24]
    for a, b in zip(model.coefficients_, whole.coefficients_, strict=True):
        same(a, b, atol=1e-9 * abs(b).max())
    same(model.predict(phase), whole.predict(phase))


def test_portions_of_a_finished_model_go_to_its_last_sweep(plane):
    phase, strain = plane
    model = StagedLocalization(BASIS, sweeps=1).fit(phase[:12], strain[:12])
    first = model.coefficients_[0].copy()
    model.partial_fit(phase[12:], strain[12:])
    assert model.n_samples_seen_ == [12, 24]
    same(model.coefficients_[0], first, atol=0)
    # Least squares of all samples, on what the first stage of 12 samples predicts.
    direct = StagedLocalization(BASIS, sweeps=1).fit(phase[:12], strain[:12])
    direct.partial_fit(phase[:12], strain[:12], stage=0)  # the same samples twice: no change
    direct.partial_fit(phase, strain, stage=1)
    same(model.predict(phase), direct.predict(phase))
    model.partial_fit(phase[:2], strain[:2], stage=0)
    assert model.n_samples_seen_ == [14]


def test_merge(plane):
    phase, strain = plane
    halves = [
        StagedLocalization(BASIS, sweeps=1).partial_fit(phase[part], strain[part])
        for part in (slice(0, 10), slice(10, 24))
    ]
    merged = halves[0].merge(halves[1])
    copies = [clone(merged).partial_fit(phase, strain) for _ in range(2)]
    for copy, part in zip(copies, (slice(0, 10), slice(10, 24)), strict=True):
        copy.partial_fit(phase[part], strain[part], stage=1)
    model = copies[0].merge(copies[1])
    whole = StagedLocalization(BASIS, sweeps=1).fit(phase, strain)
    same(model.predict(phase), whole.predict(phase))
    assert model.n_samples_seen_ == [24, 24]


def test_merge_refuses_other_stages(plane):
    phase, strain = plane
    one, two = (
        StagedLocalization(BASIS, sweeps=1).fit(phase[part], strain[part])
        for part in (slice(0, 10), slice(10, 24))
    )
    with pytest.raises(ValueError, match="stages before the last differ"):
        one.merge(two)
    with pytest.raises(TypeError, match="wanted a StagedLocalization"):
        one.merge(LocalizationModel(BASIS))
    other = StagedLocalization(BASIS, sweeps=1, features="full").fit(phase, strain)
    with pytest.raises(ValueError, match="merge models alike"):
        one.merge(other)


@pytest.mark.parametrize("hold", [False, True])
@pytest.mark.parametrize("scheduler", ["sync", "threads"])
def test_chunks_and_schedulers_give_the_same(plane, hold, scheduler):
    phase, strain = plane
    args = {"sweeps": 2, "symmetries": "load"}
    expected = StagedLocalization(BASIS, **args).fit(phase, strain).predict(phase)
    model = StagedLocalization(BASIS, hold_predictions=hold, **args)
    with dask.config.set(scheduler=scheduler):
        model.fit(phase.chunk(sample=7), strain.chunk(sample=5))
        lazy = model.predict(phase.chunk(sample=5))
        assert isinstance(lazy.data, da.Array)
        same(lazy, expected)


def test_held_predictions_in_memory(plane):
    phase, strain = (a.values for a in plane)
    args = {"sweeps": 2}
    expected = StagedLocalization(BASIS, **args).fit(phase, strain).predict(phase)
    model = StagedLocalization(BASIS, hold_predictions=True, **args).fit(phase, strain)
    same(model.predict(phase), expected)


def test_kinds_and_labels(plane):
    phase, strain = plane
    model = StagedLocalization(BASIS).fit(phase, strain)
    found = model.predict(phase)
    assert found.dims == ("sample", "x", "y", "tensor")
    assert list(found.tensor.values) == ["xx", "yy", "xy"]
    assert found.name == "strain"
    assert found.attrs == strain.attrs
    turned = model.predict(phase.transpose("y", "sample", "x"), components="xy")
    same(turned.sel(tensor="xy"), found.sel(tensor="xy"))
    single = model.predict(phase[3])
    assert single.dims == ("x", "y", "tensor")
    same(single, found[3])
    plain = StagedLocalization(BASIS).fit(phase.values, strain.values)
    assert isinstance(plain.predict(phase.values), np.ndarray)
    lazy = plain.predict(da.from_array(phase.values, chunks=(5, -1, -1)), components=[2, 0])
    assert isinstance(lazy, da.Array)
    same(lazy, found.values[..., [2, 0]])
    kernel = model.kernel(1)
    assert kernel.dims == ("feature", "tensor", "lag_x", "lag_y")
    assert list(kernel.feature.values) == ["x0 xx", "x0 yy", "x0 xy"]
    assert model.kernel(0).sizes["feature"] == 1


def test_single_precision(cube):
    phase, strain = cube
    exact = StagedLocalization(BASIS, symmetries="load").fit(phase, strain).predict(phase)
    model = StagedLocalization(BASIS, symmetries="load").fit(phase, strain.astype(np.float32))
    found = model.predict(phase)
    assert found.dtype == np.float32
    same(found, exact, atol=2e-5)


def test_one_component_alone(plane):
    phase, strain = plane
    model = StagedLocalization(BASIS, sweeps=1, symmetries=("-x", "-y"))
    model.fit(phase, strain.sel(tensor="xx", drop=True))
    assert model.predict(phase).dims == ("sample", "x", "y")
    assert model.training_r2_[1][0] > model.training_r2_[0][0]


def test_more_phases():
    phase, strain = solved_cells(40, (8, 8), contrast=5, n_phases=3)
    model = StagedLocalization(PrimitiveBasis(3), sweeps=2, symmetries="load").fit(phase, strain)
    assert [round(float(r[0]), 2) for r in model.training_r2_] == sorted(
        round(float(r[0]), 2) for r in model.training_r2_
    )
    assert model.training_r2_[2][0] > 0.97


def test_gradients_of_conduction(plane):
    phase = plane[0].drop_attrs()
    gradient = conduction(phase, (1.0, 10.0), macro_gradient=[1.0, 0.0]).gradient
    model = StagedLocalization(BASIS, symmetries="load").fit(phase, gradient)
    assert len(model.symmetries_) == 2
    assert model.training_r2_[2][0] > 0.97


@pytest.mark.parametrize("symmetries", [None, "load", ("-x", "-y")])
def test_saved_and_continued(plane, tmp_path, symmetries):
    phase, strain = plane
    args = {"neighbours": [(1, 0), (0, 1)], "symmetries": symmetries, "sweeps": 1}
    model = StagedLocalization(BASIS, **args).fit(phase[:16], strain[:16])
    save_model(model, tmp_path / "staged.zarr")
    again = load_model(tmp_path / "staged.zarr")
    assert again.get_params() == model.get_params()
    same(again.predict(phase), model.predict(phase), atol=1e-14)
    for one in (again, model):
        one.partial_fit(phase[16:], strain[16:])
    same(again.predict(phase), model.predict(phase), atol=1e-14)


def test_the_mean_must_be_that_of_one_load(plane):
    phase, strain = plane
    factor = xr.DataArray(np.linspace(1, 1.1, 24), dims="sample")
    with pytest.raises(DataError, match="differs by 0.1 between samples"):
        StagedLocalization(BASIS).fit(phase, strain * factor)
    with pytest.raises(DataError, match="mean response is 0"):
        StagedLocalization(BASIS).fit(phase, strain - strain.mean(("x", "y")))


def test_bad_data(plane):
    phase, strain = plane
    with pytest.raises(DataError, match="all uniform"):
        StagedLocalization(BASIS).fit(phase * 0, strain)
    holed = strain.copy()
    holed[5, 0, 0, 0] = np.nan
    with pytest.raises(DataError, match=r"NaN .* responses of 1 samples"):
        StagedLocalization(BASIS).fit(phase, holed)
    with pytest.raises(DataError, match="first sample"):
        StagedLocalization(BASIS, symmetries="load").fit(phase[5:], holed[5:])
    with pytest.raises(DataError, match="outside the domain"):
        StagedLocalization(BASIS).fit(phase + 1, strain)
    with pytest.raises(ValueError, match="select the same samples"):
        StagedLocalization(BASIS).fit(phase, strain[:5])
    model = StagedLocalization(BASIS).fit(phase, strain)
    with pytest.raises(
        ValueError, match="'x': 8, 'y': 8.* wanted .*'x': 9, 'y': 8.*or take a LocalizationModel"
    ):
        model.predict(phase[:, :8])
    with pytest.raises(ValueError, match="the grid of calibration"):
        model.partial_fit(phase[:, :8], strain[:, :8])
    with pytest.raises(ValueError, match="components"):
        model.partial_fit(phase, strain.sel(tensor=["xx", "yy"]))


def test_few_samples_are_said():
    phase, strain = random_cells(2, (5, 5))
    with pytest.warns(RankDeficientWarning, match="2 samples, 1 copies of each, for the 3"):
        StagedLocalization(BASIS, sweeps=1).fit(phase, strain)


@pytest.mark.parametrize(
    ("params", "error", "match"),
    [
        ({"sweeps": -1}, ValueError, "sweeps is -1"),
        ({"sweeps": 1.5}, TypeError, "sweeps is 1.5"),
        ({"features": "fat"}, ValueError, "features is 'fat'; wanted one of"),
        ({"ridge": -1.0}, ValueError, "ridge is -1.0"),
        ({"ridge": "1"}, TypeError, "ridge is '1'"),
        ({"basis": 2}, TypeError, "wanted a basis"),
        ({"neighbours": [(9, 0)]}, ValueError, "half or more of a grid"),
    ],
)
def test_bad_parameters(plane, params, error, match):
    with pytest.raises(error, match=match):
        StagedLocalization(**{"basis": BASIS, **params}).fit(*plane)


def test_bad_calls(plane):
    phase, strain = plane
    model = StagedLocalization(BASIS, sweeps=1)
    with pytest.raises(ValueError, match=re.escape("stage is 1; wanted 0 to 0: 0 stages of 2")):
        model.partial_fit(phase, strain, stage=1)
    with pytest.raises(TypeError, match="stage is True"):
        model.partial_fit(phase, strain, stage=True)
    model.fit(phase, strain)
    with pytest.raises(ValueError, match="sweeps is 2; wanted 0 to 1"):
        model.predict(phase, sweeps=2)
    with pytest.raises(ValueError, match="components is 'zz'; wanted some of"):
        model.predict(phase, components="zz")
    with pytest.raises(ValueError, match="sample_weight"):
        model.score(phase, strain, sample_weight=np.ones(24))
    with pytest.raises(ValueError, match="stage is 2; wanted 0 to 1"):
        model.kernel(2)
    whole = phase.chunk(x=3)
    with pytest.raises(ValueError, match="chunked along"):
        model.predict(whole)
