"""Pictures of linkages show the numbers they are given."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from mksdask import plot
from mksdask.linkage import HomogenizationModel, learning_curve, tune
from mksdask.plot.canvas import LINE_COLOURS
from tests.linkage.cases import BASIS, cells

colors = pytest.importorskip("matplotlib.colors")


def drawn(figure):
    return figure._repr_png_().startswith(b"\x89PNG")


def test_parity():
    y = xr.DataArray([[1.0, 2.0], [3.0, 5.0]], dims=("sample", "row"))
    predicted = (y + 0.1).transpose("row", "sample").chunk(sample=1)
    figure = plot.parity(
        {"training": (y, predicted), "test": ([1.0, 2.0], [1.0, 2.0])}, label="E (GPa)"
    )
    upper, lower = figure.axes
    np.testing.assert_allclose(
        np.sort(upper.collections[0].get_offsets(), axis=0), [[v, v + 0.1] for v in (1, 2, 3, 5)]
    )
    np.testing.assert_allclose(lower.collections[0].get_offsets()[:, 1], 0.1)
    texts = [t.get_text() for t in upper.get_legend().get_texts()]
    assert texts == ["training, R² = 0.9954", "test, R² = 1.000000"]
    assert upper.get_ylabel() == "predicted E (GPa)"
    assert drawn(figure)


def test_tuning():
    phase, y = cells()
    found = tune(
        HomogenizationModel(BASIS), phase, y, {"n_components": [2, 3, 5], "degree": [1, 2]}, cv=3
    )
    figure = plot.tuning(found)
    (axes,) = figure.axes
    curve = axes.lines[1]
    assert colors.to_hex(curve.get_color()) == LINE_COLOURS[1]
    wanted = found.table[found.table.degree == 2]
    np.testing.assert_array_equal(curve.get_xdata(), [2, 3, 5])
    np.testing.assert_allclose(curve.get_ydata(), 1 - wanted.score)
    np.testing.assert_allclose(axes.lines[2].get_ydata(), [1 - found.best_score])
    assert axes.get_yscale() == "log"
    assert [t.get_text() for t in axes.get_legend().get_texts()][:2] == ["degree 1", "degree 2"]
    assert drawn(figure)


def test_learning_curve():
    phase, y = cells()
    found = learning_curve(
        HomogenizationModel(BASIS, n_components=3), phase, y, sizes=[15, 40], cv=3
    )
    figure = plot.learning_curve(found)
    (axes,) = figure.axes
    np.testing.assert_array_equal(axes.lines[1].get_xdata(), [15, 40])
    np.testing.assert_allclose(axes.lines[1].get_ydata(), 1 - found.table.test_score)
    assert drawn(figure)


def test_bad_input_is_said():
    phase, y = cells()
    found = tune(HomogenizationModel(BASIS), phase, y, {"degree": [1]}, cv=3)
    calls = [
        (lambda: plot.parity([1, 2]), TypeError, "pairs is a list"),
        (lambda: plot.parity({"a": 3}), TypeError, "not a pair"),
        (lambda: plot.parity({"a": ([1.0], [1.0, 2.0])}), ValueError, "shapes"),
        (lambda: plot.tuning(3), TypeError, "wanted the result of tune"),
        (lambda: plot.tuning(found, x="n_components"), ValueError, "wanted one of .'degree'."),
        (lambda: plot.learning_curve(found), TypeError, "result of learning_curve"),
    ]
    for call, error, match in calls:
        with pytest.raises(error, match=match):
            call()
