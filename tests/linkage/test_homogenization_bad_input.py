"""What is wrong with a call is said before anything is computed."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from sklearn.linear_model import LinearRegression

from mksdask.bases import LegendreBasis, PrimitiveBasis
from mksdask.errors import DataError
from mksdask.features import Connectivity
from mksdask.linkage import HomogenizationModel, LogTarget, learning_curve, tune
from mksdask.statistics import TwoPointStatistics
from tests.linkage.cases import BASIS, Fraction, cells


def untouchable(like):
    """A lazy array of the shape and labels of another, whose blocks must not be computed."""

    def fail(block_info=None):
        raise AssertionError("computed")

    data = da.map_blocks(
        fail,
        chunks=[(n,) for n in like.shape],
        dtype=like.dtype,
        meta=np.empty((0,) * like.ndim, like.dtype),
    )
    return like.copy(data=data)


def fitted(**options):
    phase, y = cells()
    return HomogenizationModel(BASIS, n_components=2, **options).fit(phase, y)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda X, y: (X, y[:20]), ValueError, "no value for 40 of 60 samples: c0-20, .* and 30 more"),
        (lambda X, y: (X, y.assign_coords(sample=np.arange(60))), ValueError, "no value for 60"),
        (lambda X, y: (X, xr.concat([y[:1], y], "sample")), ValueError, "same label .c0-0."),
        (lambda X, y: (X, y.values[:20]), ValueError, "y has 20 samples and the microstructures are 60"),
        (lambda X, y: (X, y.rename(sample="cell")), ValueError, "dims .'cell',.; wanted 'sample'"),
        (lambda X, y: (X, X.astype(float)), ValueError, "a field over .'x', 'y'., not a property"),
        (lambda X, y: (X, X.values.astype(float)), ValueError, "a field, not a property"),
        (lambda X, y: (X, 3.0), ValueError, "a single number"),
        (lambda X, y: (X, y.astype(complex)), TypeError, "complex128; wanted real numbers"),
        (lambda X, y: (X, y.to_dataset(name="E")), TypeError, "Dataset with .'E'.; .*to_array"),
        (lambda X, y: (X.isel(sample=0), y), ValueError, "wanted 'sample'"),
        (lambda X, y: (X[:2], y[:2]), ValueError, "2 samples with properties; wanted at least 3"),
        (lambda X, y: (X[:5], y[:5]), ValueError, "5 samples to learn from vary in at most 4"),
    ],
)  # fmt: skip
def test_samples_and_properties(change, error, said):
    phase, y = cells()
    X, y = change(phase, y)
    with pytest.raises(error, match=said):
        HomogenizationModel(BASIS, n_components=5).fit(untouchable(X), y)


def test_missing_properties_are_named():
    phase, y = cells()
    y = y.copy()
    y[[3, 7]] = [np.nan, np.inf]
    with pytest.raises(DataError, match=r"2 of 60 samples: c0-3, c0-7: .*on_missing='drop'"):
        HomogenizationModel(BASIS).fit(untouchable(phase), y)
    with pytest.raises(DataError, match="for all 60 samples"):
        HomogenizationModel(BASIS, on_missing="drop").fit(untouchable(phase), y * np.nan)
    with pytest.raises(ValueError, match="on_missing is 'skip'"):
        HomogenizationModel(BASIS, on_missing="skip").fit(untouchable(phase), y)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"n_components": 0}, ValueError, "features is empty"),
        ({"n_components": -1}, ValueError, "n_components is -1"),
        ({"n_components": 2.0}, TypeError, "n_components is 2.0"),
        ({"n_components": 60}, ValueError, "60 samples to learn from vary in at most 59"),
        ({"pairs": [(0, 5)]}, ValueError, "5"),
        ({"cutoff": 99}, ValueError, "cutoff"),
        ({"statistics": TwoPointStatistics(BASIS), "cutoff": 2}, ValueError, "cutoff is 2 and statistics"),
    ],
)  # fmt: skip
def test_parameters(options, error, said):
    phase, y = cells()
    with pytest.raises(error, match=said):
        HomogenizationModel(BASIS, **options).fit(untouchable(phase), y)


def test_too_many_terms():
    phase, y = cells(20)
    with pytest.raises(ValueError, match="19 terms of 3 variables"):
        HomogenizationModel(BASIS, n_components=3, degree=3).fit(phase[:15], y[:15])


def test_all_statistics_constant():
    same = xr.DataArray(np.zeros((9, 4, 4), int), dims=("sample", "x", "y"))
    with pytest.raises(DataError, match="constant"):
        HomogenizationModel(BASIS).fit(same, np.arange(9.0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda X: X.isel(x=slice(4)), r"samples of shape .4, 6.; wanted .8, 6."),
        (lambda X: X.values[:, :4], r"samples of shape .4, 6.; wanted .8, 6."),
        (lambda X: X.rename(y="z"), "dims .'x', 'z'.; wanted .'x', 'y'."),
        (lambda X: X.assign_attrs(voxel_size=[0.5, 1.0]), r"voxel_size .0.5, 1.0.; wanted .0.5, 0.5."),
        (lambda X: X.assign_attrs(voxel_unit="nm"), "voxel_unit nm; wanted um"),
    ],
)  # fmt: skip
def test_prediction_on_another_grid(change, said):
    phase, y = cells()
    model = fitted()
    other = change(phase)
    if isinstance(other, xr.DataArray):
        other = untouchable(other)
    for call in (
        model.predict,
        model.extrapolation,
        model.descriptors,
        model.scores,
        lambda X: model.score(X, y),
    ):
        with pytest.raises(ValueError, match=said):
            call(other)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("basis", LegendreBasis(2, (0, 1))),
        ("cutoff", 2),
        ("boundary", "nonperiodic"),
        ("pairs", "all"),
        ("features", (Connectivity(),)),
        ("target", LogTarget()),
        ("statistics", TwoPointStatistics(PrimitiveBasis(2))),
    ],
)
def test_prediction_with_other_statistics_than_fitted(name, value):
    phase, _ = cells()
    model = fitted().set_params(**{name: value})
    with pytest.raises(ValueError, match=f"{name} is .*, and the model was fitted with"):
        model.predict(untouchable(phase))


def test_prediction_with_a_part_changed_since():
    phase, y = cells()
    model = HomogenizationModel(
        PrimitiveBasis(2), n_components=2, degree=1, features=(Connectivity(states=(0,)),)
    ).fit(phase, y)
    model.features[0].set_params(states=(1,))
    with pytest.raises(ValueError, match="features is .*, and the model was fitted with"):
        model.predict(untouchable(phase))


def test_voxel_sizes_that_differ_by_rounding_are_the_same():
    phase, y = cells()
    model = HomogenizationModel(BASIS, n_components=2)
    model.fit(phase.assign_attrs(voxel_size=[0.1 + 0.2, 0.3]), y)
    assert model.predict(phase.assign_attrs(voxel_size=0.3)).shape == y.shape


def test_boxes_are_not_the_cubes_of_voxels_without_size():
    phase, y = cells()
    boxes, bare = phase.assign_attrs(voxel_size=[1.0, 2.0]), phase.drop_attrs()
    for known, other in ((boxes, bare), (bare, boxes)):
        model = HomogenizationModel(BASIS, n_components=2).fit(known, y)
        with pytest.raises(ValueError, match="voxel_size .* as in fit"):
            model.predict(untouchable(other))
    model = HomogenizationModel(BASIS, n_components=2).fit(bare, y)
    assert model.predict(bare.assign_attrs(voxel_size=0.5)).shape == y.shape


def test_axes_in_another_order_are_no_other_grid():
    phase, _ = cells()
    model = fitted()
    np.testing.assert_allclose(
        model.predict(phase.transpose("y", "sample", "x")), model.predict(phase)
    )


def test_unknown_phases_are_a_fault_of_the_data():
    phase, _ = cells()
    with pytest.raises(DataError, match="outside the domain"):
        fitted().predict(phase + 1)


def test_intervals_need_a_regressor_that_knows_its_errors():
    phase, _ = cells()
    with pytest.raises(TypeError, match="LinearRegression, which does not know its errors"):
        fitted(regressor=LinearRegression()).predict_interval(untouchable(phase))
    with pytest.raises(ValueError, match="coverage is 95"):
        fitted().predict_interval(untouchable(phase), 95)


def test_scores_need_components():
    phase, y = cells()
    model = HomogenizationModel(BASIS, n_components=0, features=(Fraction(),)).fit(phase, y)
    with pytest.raises(ValueError, match="no principal components"):
        model.scores(phase)
    with pytest.raises(AttributeError, match="components_"):
        _ = model.components


@pytest.mark.parametrize(
    ("grid", "options", "error", "said"),
    [
        ({"cutoff": [2, 3]}, {}, ValueError, "grid has .'cutoff'.*call tune once for each"),
        ({"target": [None]}, {}, ValueError, "grid has .'target'"),
        ({}, {}, ValueError, "no parameters"),
        ({"degree": [1]}, {"cv": 1}, ValueError, "cv is 1; wanted 2 to 60"),
        ({"degree": [1]}, {"cv": "five"}, TypeError, "cv is 'five'"),
        ({"degree": [1], "regressor": [LinearRegression()]}, {}, ValueError, "does not see"),
        ({"n_components": [0]}, {}, ValueError, "features is empty"),
        ({"n_components": [50]}, {}, ValueError, "50, but 48 samples"),
    ],
)
def test_searches(grid, options, error, said):
    phase, y = cells()
    with pytest.raises(error, match=said):
        tune(HomogenizationModel(BASIS), phase, y, grid, **options)


def test_search_in_which_no_candidate_can_be_fitted():
    phase, y = cells(20)
    with pytest.raises(ValueError, match="no candidate could be fitted: .*19 terms"):
        tune(HomogenizationModel(BASIS), phase, y, {"n_components": [3], "degree": [3]}, cv=3)
    with pytest.raises(TypeError, match="wanted a HomogenizationModel"):
        tune(LinearRegression(), phase, y, {"degree": [1]})
    with pytest.raises(TypeError, match="wanted a HomogenizationModel"):
        learning_curve(LinearRegression(), phase, y)


@pytest.mark.parametrize(
    ("sizes", "error"),
    [([], TypeError), ([0.0], ValueError), ([1.5], ValueError), ([49], ValueError), (["a"], TypeError)],
)  # fmt: skip
def test_sizes_of_learning_curves(sizes, error):
    phase, y = cells()
    with pytest.raises(error, match="sizes is"):
        learning_curve(HomogenizationModel(BASIS, n_components=2), phase, y, sizes=sizes)
