"""Kernels are recovered, whatever the basis, the chunks, the order and the scheduler."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from mksdask.bases import FourierBasis, LegendreBasis, PrimitiveBasis
from mksdask.errors import RankDeficientWarning
from mksdask.linkage import LocalizationModel
from mksdask.saved_models import load_model, save_model
from tests.linkage.local_cases import BASES, SHAPES, case, convolved, decaying_kernels

TIGHT = {"rtol": 0, "atol": 1e-10}


def labelled(X, y):
    space = ("x", "y", "z")[: X.ndim - 1]
    sample = [f"cell {i}" for i in range(len(X))]
    phase = xr.DataArray(X, dims=("sample", *space), coords={"sample": sample}, name="phase")
    strain = xr.DataArray(
        y,
        dims=("sample", *space, "tensor"),
        coords={"sample": sample, "tensor": ["xx", "yy", "xy"][: y.shape[-1]]},
        attrs={"unit": "1"},
        name="strain",
    )
    return phase, strain


@pytest.mark.parametrize("n_space", SHAPES)
@pytest.mark.parametrize("name", BASES)
def test_known_kernel(name, n_space):
    basis, X, kernels, y = case(name, SHAPES[n_space], n_components=2)
    model = LocalizationModel(basis).fit(X, y)
    more = case(name, SHAPES[n_space], 2, n=40)
    np.testing.assert_allclose(model.predict(more[1]), more[3], **TIGHT)
    # The kernel itself up to what cannot be known: the share of a state that follows from others.
    found = model.kernel_.transpose("state", "component", ...).values
    if name in ("labels", "hats"):
        difference = found - kernels
        difference -= difference[-1]
        n = np.prod(SHAPES[n_space])
        np.testing.assert_allclose(
            difference * n,
            difference.sum(axis=tuple(range(2, difference.ndim)), keepdims=True)
            * np.ones_like(difference),
            **TIGHT,
        )
    else:
        constant = kernels[0].sum(axis=tuple(range(1, kernels[0].ndim)))
        np.testing.assert_allclose(found[1:], kernels[1:], **TIGHT)
        np.testing.assert_allclose(
            found[0].sum(axis=tuple(range(1, found[0].ndim))), constant, **TIGHT
        )
    assert model.score(X, y) > 1 - 1e-12
    unlike = y + np.array([100.0, 0.0])
    from sklearn.metrics import r2_score

    wanted = r2_score(unlike.reshape(-1, 2), y.reshape(-1, 2), multioutput="variance_weighted")
    assert model.score(X, unlike) == pytest.approx(wanted)


@pytest.mark.parametrize(("name", "n_states"), [("2d", 3), ("3d", 2)])
def test_reference(name, n_states):
    reference = np.load("tests/reference/localization.npz")
    X, y = reference[f"loc_{name}_phase"], reference[f"loc_{name}_response"]
    model = LocalizationModel(PrimitiveBasis(n_states)).fit(X, y)
    coefficients = np.moveaxis(reference[f"loc_{name}_coeff_real"], -1, 0)
    np.testing.assert_allclose(model.kernel_, coefficients, **TIGHT)
    np.testing.assert_allclose(model.predict(X), reference[f"loc_{name}_predict"], **TIGHT)


def lstsq_per_frequency(basis, X, y, cutoff=1e-6):
    """The obvious way: all spectra, one least-squares problem a frequency, states and all."""
    space = tuple(range(1, X.ndim))
    M = np.fft.fftn(basis.expand(X), axes=space)
    P = np.fft.fftn(y, axes=space)
    A = np.zeros((*X.shape[1:], basis.n_states), complex)
    for k in np.ndindex(*X.shape[1:]):
        kept = slice(None, -1) if basis.redundant and any(k) else slice(None)
        A[(*k, kept)] = np.linalg.lstsq(M[(slice(None), *k, kept)], P[(slice(None), *k)], cutoff)[0]
    return A


@pytest.mark.parametrize("name", BASES)
@pytest.mark.parametrize("n", [2, 12])
def test_least_squares_of_noise(name, n):
    """Agrees with NumPy where samples are few (minimum norm) or contradict each other."""
    basis, X, _, _ = case(name, (6, 5), n=n)
    y = np.random.default_rng(5).standard_normal(X.shape)
    if n < 5:
        with pytest.warns(RankDeficientWarning, match=rf"{n} samples .* rank"):
            model = LocalizationModel(basis).fit(X, y)
    else:
        model = LocalizationModel(basis).fit(X, y)
    A = lstsq_per_frequency(basis, X, y)
    kernel = np.fft.fftshift(np.fft.ifftn(A, axes=(0, 1)), axes=(0, 1))
    np.testing.assert_allclose(model.kernel_.transpose(..., "state"), kernel, rtol=0, atol=1e-8)
    predicted = np.fft.ifftn((np.fft.fftn(basis.expand(X), axes=(1, 2)) * A).sum(-1), axes=(1, 2))
    np.testing.assert_allclose(model.predict(X), predicted, rtol=0, atol=1e-8)


def test_an_exponential_without_its_conjugate_stands_for_its_real_and_imaginary_part():
    X = np.random.default_rng(0).uniform(0, 1, (30, 12))
    y = np.cos(2 * np.pi * X) - 2 * np.roll(np.sin(2 * np.pi * X), 1, axis=1)
    model = LocalizationModel(FourierBasis(2)).fit(X, y)
    np.testing.assert_allclose(model.predict(X), y, **TIGHT)
    kernel = model.kernel_.sel(state=1)
    np.testing.assert_allclose(kernel.sel(lag_x=[-1, 0, 1]), [0, 1, 2j], **TIGHT)


@settings(max_examples=10, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 29), max_size=4, unique=True),
    order=st.permutations(range(30)),
    name=st.sampled_from(sorted(BASES)),
)
def test_any_split_and_order(cuts, order, name):
    basis, X, _, y = case(name, (7, 6), 2)
    y = y + np.random.default_rng(3).standard_normal(y.shape)
    once = LocalizationModel(basis).fit(X, y)
    parts = np.split(np.array(order), sorted(cuts))
    model = LocalizationModel(basis, ridge=1e-13)  # parts may have too few samples by themselves
    for part in parts:
        model.partial_fit(X[part], y[part])
    others = [LocalizationModel(basis, ridge=1e-13).fit(X[p], y[p]) for p in parts]
    while len(others) > 1:
        others.append(others.pop(0).merge(others.pop(0)))
    for found in (model, others[0]):
        assert found.n_samples_seen_ == 30
        np.testing.assert_allclose(found.kernel_, once.kernel_, rtol=0, atol=1e-9)
        np.testing.assert_allclose(
            found.sums_.equations.gram, once.sums_.equations.gram, rtol=1e-10, atol=1e-10
        )


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
@pytest.mark.parametrize("chunk", [1, 7, 30])
def test_chunks_and_schedulers(chunk, scheduler):
    basis, X, _, y = case("labels", (7, 6), 2)
    y = y + np.random.default_rng(3).standard_normal(y.shape)
    phase, strain = labelled(X, y)
    once = LocalizationModel(basis).fit(phase, strain)
    with dask.config.set(scheduler=scheduler):
        lazy = LocalizationModel(basis).fit(phase.chunk(sample=chunk), strain.chunk(sample=11))
        predicted = lazy.predict(phase.chunk(sample=chunk))
        assert isinstance(predicted.data, da.Array)
        np.testing.assert_allclose(predicted.values, once.predict(phase).values, **TIGHT)
    np.testing.assert_allclose(lazy.kernel_, once.kernel_, **TIGHT)


def test_labels_come_back():
    basis, X, _, y = case("labels", (7, 6), 3)
    phase, strain = labelled(X, y)
    model = LocalizationModel(basis).fit(phase, strain)
    predicted = model.predict(phase.transpose("y", "sample", "x"))
    assert predicted.dims == ("sample", "x", "y", "tensor")
    xr.testing.assert_allclose(predicted, strain, atol=1e-10)
    assert (predicted.name, predicted.attrs) == ("strain", {"unit": "1"})
    kernel = model.kernel_
    assert kernel.dims == ("state", "tensor", "lag_x", "lag_y")
    np.testing.assert_array_equal(kernel.lag_y, [-3, -2, -1, 0, 1, 2])
    one = model.predict(phase.isel(sample=4))
    xr.testing.assert_allclose(one, strain.isel(sample=4), atol=1e-10)
    alone = LocalizationModel(basis).fit(phase, strain.sel(tensor="yy"))
    assert alone.predict(phase).dims == ("sample", "x", "y")
    np.testing.assert_allclose(alone.kernel_, kernel.sel(tensor="yy"), **TIGHT)
    # Plain arrays give plain arrays.
    np.testing.assert_allclose(model.predict(X), y, **TIGHT)
    assert isinstance(model.predict(da.from_array(X, chunks=(4, 7, 6))).compute(), np.ndarray)


def test_float32():
    basis, X, _, y = case("legendre", (7, 6), 1)
    exact = LocalizationModel(basis).fit(X, y)
    single = LocalizationModel(basis).fit(X.astype("f4"), y.astype("f4"))
    assert single.predict(X.astype("f4")).dtype == np.float32
    assert single.sums_.equations.gram.dtype == np.complex128
    np.testing.assert_allclose(single.kernel_, exact.kernel_, rtol=0, atol=3e-5)
    labels = LocalizationModel(BASES["labels"]).fit(case("labels", (7, 6))[1], y.astype("f4"))
    assert labels.predict(case("labels", (7, 6))[1]).dtype == np.float32


def test_several_samples_many_small_blocks_give_the_same_as_one():
    """The batches inside of a block leave no trace."""
    from mksdask.linkage import localization_sums

    basis, X, _, y = case("labels", (5, 4, 6), 2)
    once = LocalizationModel(basis).fit(X, y)
    before = localization_sums._BATCH_BYTES
    try:
        localization_sums._BATCH_BYTES = 24 * 120 * 4 * 4
        batched = LocalizationModel(basis).fit(X, y)
        np.testing.assert_allclose(batched.kernel_, once.kernel_, **TIGHT)
        np.testing.assert_allclose(batched.predict(X), once.predict(X), **TIGHT)
    finally:
        localization_sums._BATCH_BYTES = before


def test_scikit_learn():
    basis, X, _, y = case("hats", (7, 6))
    y = y[..., 0] + 0.5 * np.random.default_rng(0).standard_normal(X.shape)
    model = LocalizationModel(basis, ridge=0.1)
    assert clone(model).get_params() == {
        "basis": basis,
        "ridge": 0.1,
        "symmetries": None,
        "neighbours": None,
        "boundary": "periodic",
    }
    search = GridSearchCV(model, {"ridge": [1e-3, 0.1, 10.0]}, cv=3).fit(X, y)
    assert search.best_params_["ridge"] in (1e-3, 0.1)
    assert search.best_estimator_.predict(X).shape == X.shape
    phase, strain = labelled(X, y[..., None])
    labelled_search = GridSearchCV(model, {"ridge": [1e-3, 0.1, 10.0]}, cv=3).fit(
        phase, strain.isel(tensor=0)
    )
    np.testing.assert_allclose(
        labelled_search.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"]
    )


def test_ridge_shrinks_as_stated():
    basis, X, _, y = case("labels", (6, 5), 1, n=8)
    y = np.random.default_rng(0).standard_normal(X.shape)
    model = LocalizationModel(basis, ridge=0.3).fit(X, y)
    M = np.fft.fftn(basis.expand(X), axes=(1, 2))[..., :-1]
    P = np.fft.fftn(y, axes=(1, 2))
    kernel = np.fft.fftn(np.fft.ifftshift(model.kernel_.values, axes=(1, 2)), axes=(1, 2))
    for k in [(0, 1), (2, 3), (3, 0)]:
        m, p = M[:, k[0], k[1]], P[:, k[0], k[1]]
        G = m.conj().T @ m
        A = np.linalg.solve(G + 0.3 * np.diag(np.diag(G)), m.conj().T @ p)
        np.testing.assert_allclose(kernel[:-1, k[0], k[1]], A, **TIGHT)


@pytest.mark.parametrize("name", ["labels", "legendre", "fourier"])
@pytest.mark.parametrize("made", ["fitted", "truncated", "neighbours"])
def test_saved_models_go_on(tmp_path, name, made):
    basis, X, _, y = case(name, (7, 6), 2)
    phase, strain = labelled(X, y)
    options = {"neighbours": [(0, 1)], "ridge": 1e-6} if made == "neighbours" else {}
    model = LocalizationModel(basis, **options).fit(phase[:20], strain[:20])
    if made == "truncated":
        model = model.truncate(3)
    save_model(model, tmp_path / "kernel.zarr")
    again = load_model(tmp_path / "kernel.zarr")
    assert again.get_params() == model.get_params()
    xr.testing.assert_identical(again.predict(phase), model.predict(phase))
    xr.testing.assert_identical(again.kernel_, model.kernel_)
    assert again.energy_left_out_ == model.energy_left_out_
    if made == "truncated":
        with pytest.raises(ValueError, match="continue with the model"):
            again.partial_fit(phase[20:], strain[20:])
    else:
        a, b = (m.partial_fit(phase[20:], strain[20:]).kernel_ for m in (again, model))
        xr.testing.assert_identical(a, b)


def test_smooth_fields_leave_what_rounding_hides_at_zero():
    """Frequencies with nothing but rounding in them get no coefficients, and a warning."""
    x = np.arange(32) * 2 * np.pi / 32
    rng = np.random.default_rng(0)
    a = rng.uniform(0.1, 0.4, (10, 3, 1))
    X = a[:, 0] * np.sin(x + a[:, 1]) + a[:, 2] * np.cos(2 * x)
    with pytest.warns(RankDeficientWarning, match="14 of 16 frequencies"):
        model = LocalizationModel(LegendreBasis(2, domain=(-1, 1))).fit(X, np.roll(X, 1, axis=1))
    spectrum = np.abs(np.fft.fft(model.kernel_.sel(state=1).values))
    assert spectrum[3:30].max() < 1e-12 < 0.1 < spectrum[1:3].min()
    np.testing.assert_allclose(model.predict(X), np.roll(X, 1, axis=1), **TIGHT)


def test_convolved_is_what_it_says():
    kernels = decaying_kernels(1, (3,))
    found = convolved(np.array([[1.0, 0, 0]])[..., None], kernels)
    np.testing.assert_allclose(found[0, :, 0], kernels[0, 0][[1, 2, 0]])
