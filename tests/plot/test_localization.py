"""Pictures of localization show what they are given, on shared scales."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from mksdask import plot
from mksdask.bases import FourierBasis, PrimitiveBasis
from mksdask.linkage import LocalizationModel

RNG = np.random.default_rng(0)
DIMS = ("sample", "x", "y", "z")


def model(shape, basis=None, n=30):
    basis = basis or PrimitiveBasis(2)
    X = RNG.integers(0, 2, (n, *shape)) * 0.4
    dims = DIMS[: X.ndim]
    X = xr.DataArray(X if basis.is_complex else (X > 0).astype(int), dims=dims)
    return LocalizationModel(basis, ridge=1e-9).fit(X, X + 0.5 * X.roll(x=1))


@pytest.mark.parametrize(("shape", "n_panels"), [((9,), 1), ((9, 8), 2), ((5, 7, 6), 6)])
def test_kernel(shape, n_panels):
    found = plot.kernel(model(shape).kernel_, reach=2)
    bars = 0 if len(shape) == 1 else 1
    assert len(found.axes) == n_panels + bars
    if bars:
        low, high = found.axes[0].images[0].get_clim()
        assert -low == high > 0
        assert found.axes[0].images[0].get_array().shape == (5, 5)
    else:
        assert len(found.axes[0].lines) == 1 + 2


def test_kernel_of_a_complex_basis_and_of_one_state():
    kernel = model((9, 8), FourierBasis(3)).kernel_
    titles = [axes.get_title() for axes in plot.kernel(kernel).axes]
    assert titles[:2] == ["state 0 real", "state 0 imaginary"]
    assert len(plot.kernel(kernel.sel(state=1).real).axes) == 2


@pytest.mark.parametrize("shape", [(9,), (9, 8), (5, 7, 6)])
@pytest.mark.parametrize("lazy", [False, True])
def test_field_comparison(shape, lazy):
    simulated = xr.DataArray(RNG.random((3, *shape)), dims=DIMS[: 1 + len(shape)], name="strain")
    predicted = simulated + 0.1
    if lazy:
        simulated, predicted = simulated.chunk(sample=1), predicted.chunk(sample=1)
    phase = (simulated > 0.5).astype(int)
    found = plot.field_comparison(simulated, predicted, phase=phase, sample=1)
    rows = 3 if len(shape) == 3 else 1
    panels = [axes for axes in found.axes if axes.images]
    assert len(panels) == 4 * rows
    limits = [axes.images[0].get_clim() for axes in panels[:4]]
    assert limits[1] == limits[2]
    np.testing.assert_allclose(limits[3][1] - limits[3][0], limits[1][1] - limits[1][0])
    np.testing.assert_allclose(panels[3].images[0].get_array(), 0.1)
    assert [axes.get_title() for axes in panels[:4]] == [
        "microstructure", "simulated", "predicted", "difference"
    ]  # fmt: skip


def test_error_histogram():
    found = plot.error_histogram(
        {"first": xr.DataArray(RNG.random(50)).chunk(), "second": RNG.random(20)}, bins=10
    )
    labels = [t.get_text() for t in found.axes[0].get_legend().get_texts()]
    assert [label.split(" (")[0] for label in labels] == ["first", "second"]


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda: plot.kernel(np.zeros((2, 3))), TypeError, "kernel is a ndarray"),
        (lambda: plot.kernel(xr.DataArray(np.zeros(3), dims="x")), ValueError, "wanted a dim"),
        (
            lambda: plot.field_comparison(
                xr.DataArray(np.zeros((2, 3, 2)), dims=("sample", "x", "tensor")),
                xr.DataArray(np.zeros((2, 3)), dims=("sample", "x")),
            ),
            ValueError,
            "simulated has dims .* select one component",
        ),
        (
            lambda: plot.field_comparison(
                xr.DataArray(np.zeros((2, 3)), dims=("sample", "x")),
                xr.DataArray(np.zeros((2, 4)), dims=("sample", "x")),
            ),
            ValueError,
            "predicted has sizes",
        ),
        (lambda: plot.error_histogram({}), TypeError, "empty"),
        (lambda: plot.error_histogram({"a": [np.nan]}), ValueError, "finite"),
        (lambda: plot.error_histogram([1.0], bins=0), ValueError, "bins is 0"),
    ],
)
def test_bad_input(call, kind, said):
    with pytest.raises(kind, match=said):
        call()
