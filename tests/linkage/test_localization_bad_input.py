"""What is wrong with a call or with data is said, and what to do."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mksdask.bases import LegendreBasis, PrimitiveBasis
from mksdask.errors import DataError, RankDeficientWarning
from mksdask.linkage import LocalizationModel, StagedLocalization
from mksdask.saved_models import load_model, save_model

RNG = np.random.default_rng(0)
X = RNG.integers(0, 2, (8, 6, 5))
Y = RNG.standard_normal(X.shape)
BASIS = PrimitiveBasis(2)


def labelled(values, first=0):
    return xr.DataArray(
        values,
        dims=("sample", "x", "y"),
        coords={"sample": np.arange(first, first + len(values))},
    )


@pytest.mark.parametrize(
    ("x", "y", "kind", "said"),
    [
        (X, Y[:7], ValueError, r"y has \(samples, voxels\) \(7, 6, 5\); wanted \(8, 6, 5\)"),
        (X, Y[:, :5], ValueError, r"\(8, 5, 5\); wanted \(8, 6, 5\)"),
        (X, Y.reshape(8, 30), ValueError, r"y has shape \(8, 30\); wanted \(8, 6, 5\), or"),
        (labelled(X), labelled(Y, 1), ValueError, "'sample' coordinates of X and y differ.*align"),
        (labelled(X), labelled(Y)[::-1], ValueError, "'sample' coordinates of X and y differ"),
        (labelled(X), labelled(Y).rename(x="z"), ValueError, "y has dims .*'z'.*wanted"),
        (X, Y.astype(complex), TypeError, "complex128; wanted real"),
        (X, Y[..., None][..., :0], ValueError, "no components"),
        (X.astype(complex), Y, TypeError, "dtype complex"),
        (np.ones_like(X), Y, DataError, "8 microstructures are all uniform"),
        (X * np.arange(8)[:, None, None], Y, DataError, "outside the domain"),
        (X, np.where(np.arange(8)[:, None, None] == 3, np.nan, Y), DataError,
         "NaN or infinite values in the responses of 1 samples .* number 3"),
        (X, np.where(Y.max() == Y, np.inf, Y), DataError, "NaN or infinite"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("lazy", [False, True])
def test_training_data(x, y, kind, said, lazy):
    if lazy:
        x, y = (
            a.chunk(sample=4)
            if isinstance(a, xr.DataArray)
            else da.from_array(a, chunks=(8, *a.shape[1:]))
            for a in (x, y)
        )
    with pytest.raises(kind, match=said):
        LocalizationModel(BASIS).fit(x, y)


def test_nan_in_microstructures():
    field = np.where(X == X, 0.5, 0.0)
    field[2, 1, 1] = np.nan
    with pytest.raises(DataError, match="NaN"):
        LocalizationModel(LegendreBasis(2)).fit(field, Y)


def test_too_few_samples_for_the_states():
    labels = RNG.integers(0, 6, (3, 6, 5))
    with pytest.warns(
        RankDeficientWarning,
        match="3 samples .* 17 of 17 frequencies have rank 3 of 5; the means",
    ):
        model = LocalizationModel(PrimitiveBasis(6)).fit(labels, Y[:3])
    assert model.rank_.shape == (6, 3)
    assert model.rank_.min() == 3
    # It says nothing when the user has chosen how to regularize.
    LocalizationModel(PrimitiveBasis(6), ridge=1e-3).fit(labels, Y[:3])


def test_frequencies_without_content():
    stripes = np.tile(np.arange(6) % 2, (4, 5, 1)) ^ (np.arange(4) % 2)[:, None, None]
    with pytest.warns(RankDeficientWarning, match="frequencies have rank 0 of 1"):
        LocalizationModel(BASIS).fit(stripes, RNG.standard_normal(stripes.shape))


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"ridge": -1}, ValueError, "ridge is -1"),
        ({"ridge": np.nan}, ValueError, "ridge is nan"),
        ({"ridge": "small"}, TypeError, "ridge is 'small'"),
        ({"ridge": True}, TypeError, "ridge is True"),
        ({"basis": "primitive"}, TypeError, "wanted a basis"),
        ({"basis": LegendreBasis(1)}, ValueError, "a constant; wanted at least two states"),
        ({"boundary": "open"}, ValueError, "boundary is 'open'"),
        ({"boundary": {"w": "periodic"}}, ValueError, "boundary is"),
        ({"neighbours": 0.5}, ValueError, "neighbours is 0.5; wanted a radius of 1"),
        ({"neighbours": []}, ValueError, "neighbours is empty"),
        ({"neighbours": [(0, 0)]}, ValueError, "belongs into the basis"),
        ({"neighbours": [(1, 0, 0)]}, ValueError, "wanted 2 whole numbers"),
        ({"neighbours": [(0, 3)]}, ValueError, "half or more of a grid"),
        ({"neighbours": True}, TypeError, "neighbours is True"),
    ],
)
def test_parameters(options, kind, said):
    with pytest.raises(kind, match=said):
        LocalizationModel(**{"basis": BASIS, **options}).fit(X, Y)


def test_prediction():
    model = LocalizationModel(BASIS).fit(X, Y)
    with pytest.raises(
        ValueError, match=r"grid of \(7, 5\) voxels and the kernel is for \(6, 5\): .*resize"
    ):
        model.predict(np.zeros((1, 7, 5), int))
    with pytest.raises(ValueError, match=r"smaller than the support \(5, 3\)"):
        model.truncate((5, 3)).predict(np.zeros((1, 4, 5), int))
    with pytest.raises(ValueError, match=r"X has axes \('x',\); wanted \('x', 'y'\)"):
        model.predict(np.zeros((1, 6), int))
    with pytest.raises(DataError, match="outside the domain"):
        model.predict(np.full((1, 6, 5), 2))
    with pytest.raises(ValueError, match=r"chunked along \['x'\].*chunk\(\{'x': -1\}\)"):
        model.predict(da.zeros((1, 6, 5), int, chunks=(1, 3, 5)))


@pytest.mark.parametrize("model", [LocalizationModel, StagedLocalization])
def test_training_samples_in_pieces(model):
    with pytest.raises(ValueError, match=r"X is chunked along \['x'\].*X\.rechunk\(\{1: -1\}\)"):
        model(BASIS).fit(da.from_array(X, chunks=(8, 3, 5)), Y)
    with pytest.raises(ValueError, match=r"X is chunked along \['y'\].*X\.chunk\(\{'y': -1\}\)"):
        model(BASIS).fit(labelled(X).chunk(y=2), labelled(Y))
    with pytest.raises(ValueError, match=r"y is chunked along \['y'\].*rechunk\(\{2: -1\}\)"):
        model(BASIS).fit(X, da.from_array(Y, chunks=(8, 6, 2)))


@pytest.mark.parametrize("model", [LocalizationModel, StagedLocalization])
def test_voxels_at_other_places(model):
    there = {"x": 0.5 * np.arange(6)}
    with pytest.raises(ValueError, match="'x' coordinates of X and y differ"):
        model(BASIS).fit(
            labelled(X).assign_coords(there), labelled(Y).assign_coords(there)[:, ::-1]
        )
    # Rounding of the places is no difference.
    LocalizationModel(BASIS).fit(
        labelled(X).assign_coords(there), labelled(Y).assign_coords(x=0.1 * 5 * np.arange(6))
    )


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("model", [LocalizationModel, StagedLocalization])
def test_voxels_of_another_form(model, lazy, tmp_path):
    one_mean = Y - Y.mean(axis=(1, 2), keepdims=True) + 1
    flat = labelled(X).assign_attrs(voxel_size=[1.0, 3.0])
    if lazy:
        flat = flat.chunk(sample=4)
    fitted = model(BASIS, ridge=1e-5).fit(flat, one_mean)
    save_model(fitted, tmp_path / "model.zarr")
    cubes = labelled(X).assign_attrs(voxel_size=[1.0, 1.0])
    for known in (fitted, load_model(tmp_path / "model.zarr")):
        with pytest.raises(ValueError, match="wanted .* as in fit: resample"):
            known.predict(cubes)
        with pytest.raises(ValueError, match="wanted .* as in fit"):
            known.partial_fit(cubes, one_mean)
        # The unit of length does not matter, and plain arrays tell nothing.
        same = known.predict(labelled(X).assign_attrs(voxel_size=[0.5, 1.5]))
        np.testing.assert_array_equal(same, known.predict(X))


def test_going_on():
    model = LocalizationModel(BASIS).fit(X, Y)
    with pytest.raises(ValueError, match=r"X has shape \(7, 5\); wanted \(6, 5\) as before"):
        model.partial_fit(np.ones((1, 7, 5), int), np.ones((1, 7, 5)))
    with pytest.raises(ValueError, match="components 2; wanted 1"):
        model.partial_fit(X, np.stack([Y, Y], axis=-1))
    with pytest.raises(ValueError, match="other has wrap"):
        model.merge(LocalizationModel(BASIS, boundary="nonperiodic").fit(X, Y))
    with pytest.raises(ValueError, match="other has features"):
        model.merge(LocalizationModel(BASIS, neighbours=1).fit(X, Y))
    with pytest.raises(TypeError, match="other is a str"):
        model.merge("model")
    with pytest.raises(ValueError, match="holds no sums"):
        model.resize(8).partial_fit(X, Y)
    with pytest.raises(ValueError, match="sample_weight"):
        model.score(X, Y, sample_weight=np.ones(8))


@pytest.mark.parametrize(
    ("method", "arguments", "said"),
    [
        ("resize", {"shape": (8, 8, 8)}, "shape is"),
        ("resize", {"shape": 1}, "at least 2 voxels"),
        ("resize", {"shape": 8, "method": "linear"}, "method is 'linear'"),
        ("resize", {"shape": 4, "method": "pad"}, "cannot be padded"),
        ("truncate", {"support": 4}, "odd number"),
        ("truncate", {"support": (3, 3, 3)}, "odd number"),
        ("truncate", {"support": 7}, "larger than the kernel's"),
    ],
)
def test_other_grids(method, arguments, said):
    with pytest.raises(ValueError, match=said):
        getattr(LocalizationModel(BASIS).fit(X, Y), method)(**arguments)
