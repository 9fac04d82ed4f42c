"""Pictures of components show the numbers of the reducer they are given."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from mksdask import plot
from mksdask.bases import PrimitiveBasis
from mksdask.reduction import IncrementalPCA
from mksdask.statistics import two_point_statistics

pytest.importorskip("matplotlib")


def fitted(dimension=2):
    rng = np.random.default_rng(0)
    phase = xr.DataArray(
        rng.integers(0, 2, (24, 9, 8, 7)[: dimension + 1]),
        dims=("sample", "x", "y", "z")[: dimension + 1],
    ).assign_coords(kind=("sample", np.repeat(["fine", "coarse"], 12)))
    f = two_point_statistics(phase, PrimitiveBasis(2), [(0, 0), (0, 1)], 2)
    pca = IncrementalPCA(n_components=3 if dimension == 1 else 4).fit(f)
    return pca, pca.transform(f.chunk(sample=5))


def drawn(figure):
    return figure._repr_png_().startswith(b"\x89PNG")


def test_explained_variance():
    pca, _ = fitted()
    figure = plot.explained_variance(pca)
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    np.testing.assert_allclose(heights, 100 * pca.explained_variance_ratio_)
    (line,) = figure.axes[0].lines
    np.testing.assert_allclose(line.get_ydata(), 100 * pca.explained_variance_ratio_.cumsum())
    np.testing.assert_array_equal(line.get_xdata(), [0, 1, 2, 3])
    assert drawn(figure)


def test_component_maps():
    pca, _ = fitted()
    figure = plot.components(pca.components, count=2)
    shown = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(shown) == 4
    for image, (k, pair) in zip(shown, [(k, p) for k in (0, 1) for p in (0, 1)], strict=True):
        wanted = pca.components.isel(component=k, pair=pair).transpose("lag_y", "lag_x")
        np.testing.assert_array_equal(image.get_array(), wanted)
        limit = np.abs(pca.components[:2]).max()
        assert image.get_clim() == (-limit, limit)
    assert figure.axes[0].get_ylabel() == "component 0\nlag along y"
    assert drawn(figure)


@pytest.mark.parametrize(("dimension", "n_axes"), [(1, 2), (3, 2 * 3 * 2 + 1)])
def test_components_in_other_dimensions(dimension, n_axes):
    pca, _ = fitted(dimension)
    figure = plot.components(pca.components, count=2)
    assert len(figure.axes) == n_axes
    if dimension == 1:
        np.testing.assert_array_equal(
            figure.axes[1].lines[1].get_ydata(), pca.components.isel(component=1, pair=1)
        )
    assert drawn(figure)


@pytest.mark.parametrize("axes", [(0, 1), (2, 0), (0, 1, 3)])
def test_scores_by_class(axes):
    _, points = fitted()
    figure = plot.scores(points, axes=axes, classes="kind")
    (panel,) = figure.axes
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["fine", "coarse"]
    share = 100 * float(points.explained_variance_ratio[axes[1]])
    assert panel.get_ylabel() == f"component {axes[1]} ({share:.2g} %)"
    if len(axes) == 2:
        np.testing.assert_allclose(
            panel.collections[1].get_offsets(), points.values[12:, list(axes)]
        )
    assert drawn(figure)
    plain = plot.scores(points.drop_vars("explained_variance_ratio"), axes=axes)
    assert plain.axes[0].get_xlabel() == f"component {axes[0]}"
    assert not plain.legends


def test_bad_input_is_said():
    pca, points = fitted()
    calls = [
        (lambda: plot.explained_variance("pca"), TypeError, "ratios is a str"),
        (lambda: plot.explained_variance([]), TypeError, "one number a component"),
        (lambda: plot.components(pca.components_), TypeError, "labelled statistics"),
        (lambda: plot.components(pca.components, count=0), ValueError, "count is 0"),
        (lambda: plot.components(pca.components, pairs="1,1"), ValueError, "wanted some of"),
        (lambda: plot.components(pca.components.astype(complex)), TypeError, "complex"),
        (lambda: plot.scores(points.values), TypeError, "'sample', 'component'"),
        (lambda: plot.scores(points, axes=(0,)), ValueError, "two or three numbers"),
        (lambda: plot.scores(points, axes=(0, 4)), ValueError, "from 0 to 3"),
        (lambda: plot.scores(points, classes="grain"), ValueError, "one of .*'kind'"),
        (lambda: plot.scores(points, classes=["a"]), ValueError, "each of 24 samples"),
        (lambda: plot.scores(points.astype(complex)), TypeError, "complex"),
    ]
    for call, error, match in calls:
        with pytest.raises(error, match=match):
            call()
