"""Kernels on other grids: resized, truncated, tile by tile, with walls, and step after step."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from mksdask import metrics
from mksdask.bases import LegendreBasis, PrimitiveBasis
from mksdask.errors import DataError
from mksdask.generate import multiphase
from mksdask.linkage import LocalizationModel, convolution
from mksdask.simulate import cahn_hilliard, elasticity
from tests.linkage.local_cases import SHAPES, case, convolved, microstructures

TIGHT = {"rtol": 0, "atol": 1e-10}


def truncated_model(name="labels", shape=(9, 8), support=(5, 3), **options):
    basis, X, _, y = case(name, shape, n_components=2)
    return LocalizationModel(basis, **options).fit(X, y).truncate(support)


def direct(model, X, wrap):
    """Sum over lags with the states of ``kernel_``; beyond walls, the mean state of calibration."""
    basis, kernel = model.basis, model.kernel_
    k = kernel.transpose("state", "component", ...).values
    fields = basis.expand(X)
    if not all(wrap):
        half = [n // 2 for n in k.shape[2:]]
        features = model.local_kernel_.features
        mean = features.to_states.conj() @ (
            features.from_features[: len(features.all_parts)]
            @ np.append(model.local_kernel_.reference, 1)
        )
        margins = [(0, 0) if w else (h, h) for h, w in zip(half, wrap, strict=True)]
        padded = np.pad(fields - mean, [(0, 0), *margins, (0, 0)])
        found = convolved(padded + mean, k)
        inside = [slice(a, found.shape[i + 1] - b) for i, (a, b) in enumerate(margins)]
        return found[(slice(None), *inside)].real
    return convolved(fields, k).real


@pytest.mark.parametrize("name", ["labels", "legendre", "fourier"])
@pytest.mark.parametrize("n_space", SHAPES)
@pytest.mark.parametrize("boundary", ["periodic", "nonperiodic", {"x": "nonperiodic"}])
def test_tiles_equal_the_direct_sum(name, n_space, boundary):
    shape = {1: (9,), 2: (7, 6), 3: (5, 5, 6)}[n_space]
    model = truncated_model(name, shape, (3, 5, 1)[:n_space], boundary=boundary)
    wrap = model.local_kernel_.wrap
    volume = microstructures(model.basis, (11, 9, 6)[:n_space], n=2, seed=7)
    if name == "fourier":
        volume = microstructures(model.basis, (11, 9, 6)[:n_space], 2, 7, float)
    whole = model.predict(volume)
    np.testing.assert_allclose(whole, direct(model, volume, wrap), **TIGHT)
    chunks = (1, (4, 2, 5), (9,) if n_space < 3 else (5, 4), (3, 3))[: n_space + 1]
    tiles = model.predict(da.from_array(volume, chunks=chunks))
    assert tiles.chunks[:2] == ((1, 1), (4, 2, 5))
    np.testing.assert_allclose(tiles.compute(), whole, **TIGHT)
    phase = xr.DataArray(volume, dims=("sample", "x", "y", "z")[: n_space + 1])
    labelled = model.predict(phase.chunk(x=4))
    assert labelled.dims == (*phase.dims, "component")
    np.testing.assert_allclose(labelled.values, whole, **TIGHT)


@settings(max_examples=10, deadline=None)
@given(
    support=st.sampled_from([(1, 1), (3, 5), (7, 7), (9, 3)]),
    x=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    y=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    boundary=st.sampled_from(["periodic", "nonperiodic"]),
)
def test_any_tiles(support, x, y, boundary):
    model = truncated_model("labels", (9, 9), support, boundary=boundary)
    grid = (sum(x), sum(y))
    volume = microstructures(model.basis, grid, n=1, seed=3)
    if any(n < m for n, m in zip(grid, support, strict=True)):
        with pytest.raises(ValueError, match="smaller than the support"):
            model.predict(volume)
        return
    tiles = model.predict(da.from_array(volume, chunks=(1, tuple(x), tuple(y))))
    np.testing.assert_allclose(tiles.compute(), model.predict(volume), **TIGHT)


@pytest.mark.parametrize("boundary", ["periodic", "nonperiodic"])
def test_neighbours_in_tiles_and_parts(boundary, monkeypatch):
    basis, X, _, y = case("labels", (9, 8), 1)
    y = y[..., 0] + (X == 0) * (np.roll(X, -1, axis=1) == 1) * (np.roll(X, -1, axis=2) == 0)
    options = {"neighbours": [(1, 0), (1, 1)], "boundary": boundary, "ridge": 1e-8}
    model = LocalizationModel(basis, **options).fit(X, y).truncate(5)
    volume = microstructures(basis, (17, 15), n=2, seed=3)
    whole = model.predict(volume)
    tiles = model.predict(da.from_array(volume, chunks=(2, 6, (4, 11))))
    np.testing.assert_allclose(tiles.compute(), whole, **TIGHT)
    monkeypatch.setattr("mksdask.linkage.local_kernel.PART_VOXELS", 100)
    monkeypatch.setattr(convolution, "PART_VOXELS", 144)
    np.testing.assert_allclose(model.predict(volume), whole, **TIGHT)


def test_truncation_keeps_the_mean_and_says_what_it_leaves_out():
    basis, X, _, y = case("labels", (9, 8), 2)
    model = LocalizationModel(basis).fit(X, y)
    assert model.truncate((9, 7)).energy_left_out_ < model.truncate(3).energy_left_out_
    cut = model.truncate(3)
    taps, kept = model.local_kernel_.taps.values, model.local_kernel_.taps.values[..., 3:6, 3:6]
    assert cut.energy_left_out_ == pytest.approx(1 - (kept**2).sum() / (taps**2).sum())
    np.testing.assert_allclose(
        cut.predict(X).mean(axis=(1, 2)), model.predict(X).mean(axis=(1, 2)), **TIGHT
    )
    twice = model.truncate(7).truncate(3)
    assert twice.energy_left_out_ >= model.truncate(7).energy_left_out_
    # All lags of an odd grid are the kernel itself.
    odd = LocalizationModel(basis).fit(X[..., :7], y[..., :7, :])
    np.testing.assert_allclose(
        odd.truncate((9, 7)).predict(X[..., :7]), odd.predict(X[..., :7]), **TIGHT
    )


@pytest.mark.parametrize("shape", [(9, 8), (14, 11), (5, 6)])
@pytest.mark.parametrize("name", ["labels", "legendre", "fourier"])
def test_resize_of_a_short_kernel(name, shape):
    """Coefficients of a kernel of few lags are smooth; padding gives them exactly."""
    basis, X, _, _ = case(name, (9, 8))
    kernels = np.zeros((basis.n_states, 1, 9, 8), complex)
    kernels[1, 0, 4, 4], kernels[1, 0, 5, 4], kernels[1, 0, 4, 3] = 2, 0.5, 0.25
    if basis.is_complex:
        kernels[2] = kernels[1].conj()
    model = LocalizationModel(basis).fit(X, convolved(basis.expand(X), kernels).real[..., 0])
    small = kernels[:, :, 3:6, 3:6]
    volume = microstructures(basis, shape, 3, 9, None if name == "labels" else float)
    wanted = convolved(basis.expand(volume), small).real[..., 0]
    if np.all(np.array(shape) >= (9, 8)):
        padded = model.resize(shape, method="pad")
        np.testing.assert_allclose(padded.predict(volume), wanted, **TIGHT)
    if shape == (9, 8):
        np.testing.assert_allclose(model.resize(shape).predict(volume), wanted, **TIGHT)
    interpolated = model.resize(shape)
    assert metrics.r2(wanted, interpolated.predict(volume)) > 0.97
    assert interpolated.kernel_.shape == (basis.n_states, *shape)


def solved(phase):
    return elasticity(
        phase,
        youngs_modulus=(1, 10),
        poissons_ratio=(0.3, 0.3),
        macro_strain=1.0,
        outputs=("strain",),
        components=("xx",),
    ).strain.isel(tensor=0, drop=True)


@pytest.fixture(scope="module")
def cells():
    """Two-phase cells at contrast 10 with their strain, small and large."""
    found = {}
    for size, n in ((21, 120), (33, 20)):
        phase = multiphase(n, shape=(size, size), grain_size=3, n_phases=2, seed=size).compute()
        found[size] = phase, solved(phase)
    return found


def test_loss_of_resizing_a_real_kernel(cells):
    (phase, strain), (large, wanted) = cells[21], cells[33]
    model = LocalizationModel(PrimitiveBasis(2)).fit(phase[:100], strain[:100])
    own = model.score(phase[100:], strain[100:])
    interpolated = model.resize(33).score(large, wanted)
    padded = model.resize(33, method="pad").score(large, wanted)
    assert own > 0.78
    assert interpolated > own - 0.01
    assert interpolated > padded + 0.002
    # The imposed mean strain is what every prediction has on average.
    mean = model.resize(33).predict(large).mean(("x", "y"))
    np.testing.assert_allclose(mean, 1.0, atol=1e-5)
    cut = model.resize(33).truncate(15)
    assert cut.energy_left_out_ < 0.02
    assert cut.score(large, wanted) > own - 0.05


def test_cut_outs_of_larger_bodies_are_tapered():
    """A known kernel, found from windows of larger periodic cells."""
    rng = np.random.default_rng(0)
    smooth = np.exp(-0.5 * (np.minimum(np.arange(40), 40 - np.arange(40)) / 1.5) ** 2)
    blur = np.fft.rfft2(np.outer(smooth, smooth))
    noise = rng.standard_normal((200, 40, 40))
    X = (np.fft.irfft2(np.fft.rfft2(noise) * blur, s=(40, 40)) > 0).astype(int)
    lags = np.indices((40, 40)) - 20
    known = rng.standard_normal((40, 40)) * np.exp(-np.hypot(*lags) / 1.5)
    y = np.fft.irfft2(np.fft.rfft2(X) * np.fft.rfft2(np.fft.ifftshift(known)), s=(40, 40))
    inside = (slice(None), slice(0, 21), slice(0, 21))
    error, scores = {}, {}
    for boundary in ("periodic", "nonperiodic"):
        model = LocalizationModel(PrimitiveBasis(2), boundary=boundary).fit(X[inside], y[inside])
        # The feature is label 0, so that its kernel is the negative of that of label 1.
        found = -model.local_kernel_.taps.values[0, 0]
        wanted = known[10:31, 10:31]
        middle = (slice(6, 15), slice(6, 15))
        error[boundary] = np.linalg.norm((found - wanted)[middle]) / np.linalg.norm(wanted[middle])
        scores[boundary] = model.score(X[inside], y[inside])
        near = metrics.error_near_border(y[inside], model.predict(X[inside]))
        assert near[0] > 3 * near[5:].mean()
    assert error["nonperiodic"] < 0.1
    assert error["nonperiodic"] < 0.5 * error["periodic"]
    assert scores["nonperiodic"] > scores["periodic"]


def test_products_of_neighbours_are_learned():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, (60, 7, 6))
    y = (X == 0) * (np.roll(X, -1, axis=1) == 1) + 0.5 * (X == 1) * (np.roll(X, 2, axis=2) == 1)
    first = LocalizationModel(PrimitiveBasis(2)).fit(X, y)
    model = LocalizationModel(PrimitiveBasis(2), neighbours=[(1, 0), (-1, 0), (0, -2)]).fit(X, y)
    assert model.n_features_ == 3
    assert first.score(X, y) < 0.9
    more = rng.integers(0, 2, (5, 7, 6))
    wanted = (more == 0) * (np.roll(more, -1, axis=1) == 1)
    wanted = wanted + 0.5 * (more == 1) * (np.roll(more, 2, axis=2) == 1)
    np.testing.assert_allclose(model.predict(more), wanted, **TIGHT)
    assert list(model.product_kernel_["product"].values) == [
        "f0[s] f0[s + (1, 0)]",
        "f0[s] f0[s + (0, 2)]",
    ]
    basis = PrimitiveBasis(3)
    several = LocalizationModel(basis, neighbours=1, ridge=1e-6).fit(rng.integers(0, 3, X.shape), y)
    assert several.n_features_ == 2 + 2 * 4


@pytest.fixture(scope="module")
def grown():
    """Concentration fields, and the same some time later."""
    start = np.random.default_rng(0).uniform(-0.3, 0.3, (60, 24, 24))
    begun = cahn_hilliard(start, 20, dx=0.5, dt=0.02)
    return begun, cahn_hilliard(begun, 10, dx=0.5, dt=0.02)


def test_evolution(grown):
    begun, later = grown
    model = LocalizationModel(LegendreBasis(4, domain=(-1, 1)), ridge=1e-6).fit(
        begun[:50], later[:50]
    )
    steps = model.evolve(begun[50:], [0, 1, 3])
    assert steps.shape == (10, 3, 24, 24)
    np.testing.assert_array_equal(steps[:, 0], begun[50:])
    once = model.predict(begun[50:])
    np.testing.assert_allclose(steps[:, 1], once, **TIGHT)
    np.testing.assert_allclose(steps[:, 2], model.predict(model.predict(once)), **TIGHT)
    np.testing.assert_allclose(model.evolve(begun[50:], 3), steps[:, 2], **TIGHT)
    wanted = cahn_hilliard(begun[50:], dx=0.5, dt=0.02, steps=[0, 10, 30])
    errors = 1 - metrics.r2(wanted[:, 1], steps[:, 1]), 1 - metrics.r2(wanted[:, 2], steps[:, 2])
    assert errors[0] < 1e-4
    assert errors[0] < errors[1] < 1e-2
    field = xr.DataArray(begun[50:], dims=("sample", "x", "y")).chunk(sample=5)
    lazy = model.evolve(field, [1, 3])
    assert lazy.dims == ("sample", "step", "x", "y")
    np.testing.assert_allclose(lazy.sel(step=3), steps[:, 2], **TIGHT)


def test_evolution_that_leaves_the_domain_is_said(grown):
    begun, later = grown
    domain = (float(begun.min()), float(begun.max()))
    model = LocalizationModel(LegendreBasis(3, domain=domain), ridge=1e-6).fit(begun, 2 * later)
    with pytest.raises(DataError, match=r"step 2 cannot be taken: .* outside the domain"):
        model.evolve(begun, 5)
    with pytest.raises(ValueError, match="steps is .* rising"):
        model.evolve(begun, [3, 1])
    with pytest.raises(TypeError, match="floating-point"):
        model.evolve(np.zeros((1, 24, 24), int), 1)
    several = LocalizationModel(LegendreBasis(3), ridge=1e-6).fit(abs(begun), later[..., None])
    with pytest.raises(ValueError, match="another field"):
        several.evolve(begun, 1)
