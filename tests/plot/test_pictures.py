"""Pictures show the numbers they are given, with their names and units."""

from __future__ import annotations

import subprocess
import sys

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mksdask import plot
from mksdask.bases import PrimitiveBasis
from mksdask.statistics import ensemble_mean, pair_correlation, two_point_statistics

pytest.importorskip("matplotlib")
from matplotlib.colors import to_rgba


def microstructures(dimension, n_states=2, **attrs):
    rng = np.random.default_rng(0)
    phase = rng.integers(0, n_states, (5, 12, 10, 8)[: dimension + 1])
    return xr.DataArray(phase, dims=("sample", "x", "y", "z")[: dimension + 1], attrs=attrs)


def statistics(dimension, n_states=2, pairs="all", **attrs):
    phase = microstructures(dimension, n_states, **attrs)
    return two_point_statistics(phase, PrimitiveBasis(n_states), pairs, 3)


def images(figure):
    return [axes.images[0] for axes in figure.axes if axes.images]


def drawn(figure):
    """Render, which is where layout and fonts would fail or warn."""
    return figure._repr_png_().startswith(b"\x89PNG")


def test_two_point_maps():
    f = statistics(2, voxel_size=[0.5, 0.5], voxel_unit="um", phase_names=["pore", "solid"])
    figure = plot.two_point(f, sample=3)
    maps = images(figure)
    assert [axes.get_title() for axes in figure.axes[:3]] == [
        "pore \u2192 pore",
        "pore \u2192 solid",
        "solid \u2192 solid",
    ]
    for image, pair in zip(maps, f.pair.values, strict=False):
        shown = f.isel(sample=3).sel(pair=pair).transpose("lag_y", "lag_x")
        np.testing.assert_array_equal(image.get_array(), shown)
        assert image.get_extent() == [-1.75, 1.75, -1.75, 1.75]
    assert len({image.get_clim() for image in maps}) == 1
    assert maps[0].get_clim() == (f[3].min(), f[3].max())
    assert figure.axes[0].get_xlabel() == "lag along x (\u00b5m)"
    assert figure.axes[0].get_ylabel() == "lag along y (\u00b5m)"
    in_voxels = plot.two_point(f, physical=False)
    assert images(in_voxels)[0].get_extent() == [-3.5, 3.5, -3.5, 3.5]
    assert drawn(figure)


def test_two_point_planes_of_a_volume():
    f = statistics(3, 3)
    figure = plot.two_point(f, pairs=["0,0", "1,2"])
    maps = images(figure)
    assert len(maps) == 6
    one = f.isel(sample=0).sel(pair="1,2")
    for image, (right, up, normal) in zip(maps[1::2], ("xyz", "xzy", "yzx"), strict=True):
        plane = one.sel({f"lag_{normal}": 0}).transpose(f"lag_{up}", f"lag_{right}")
        np.testing.assert_array_equal(image.get_array(), plane)
        assert image.axes.get_xlabel() == f"lag along {right} (voxels)"
    assert drawn(figure)


def test_two_point_curves():
    f = statistics(1)
    figure = plot.two_point(f)
    (axes,) = figure.axes
    assert len(axes.lines) == 3
    np.testing.assert_array_equal(axes.lines[1].get_xdata(), f.lag_x)
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), f[0, 1])
    assert drawn(figure)


def test_means_and_single_pairs_are_drawn():
    f = statistics(2)
    assert len(images(plot.two_point(ensemble_mean(f)))) == 3
    assert len(images(plot.two_point(f.sel(pair="0,1")))) == 1
    assert drawn(plot.two_point(f.where(f.lag_x > 0)))
    assert drawn(plot.two_point(f.where(f.lag_x > 9)))


def test_pair_correlation_curves_and_their_limits():
    f = statistics(2, 3)
    g = pair_correlation(f)
    figure = plot.pair_correlation(g, sample=2, pairs=["0,0", "0,1"])
    (axes,) = figure.axes
    curves = [line for line in axes.lines if line.get_linestyle() == "-"]
    limits = [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == "--"]
    np.testing.assert_array_equal(curves[1].get_ydata(), g[2, 1])
    np.testing.assert_array_equal(curves[1].get_xdata(), g.radius)
    fractions = [g[2, :, 0].sel(pair=p).item() for p in ("0,0", "1,1")]
    np.testing.assert_allclose(limits, [fractions[0] ** 2, fractions[0] * fractions[1]])
    assert axes.get_xlabel() == "distance (voxels)"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "0 \u2192 0",
        "0 \u2192 1",
    ]
    assert drawn(figure)
    binned = plot.pair_correlation(pair_correlation(f, bins=2))
    assert all(line.get_linestyle() == "-" for line in binned.axes[0].lines)


@pytest.mark.parametrize(("dimension", "panels"), [(1, 3), (2, 3), (3, 9)])
def test_microstructures(dimension, panels):
    phase = microstructures(dimension, phase_names=["pore", "solid"])
    figure = plot.microstructure(phase, samples=[0, 3, 4])
    pictures = images(figure)
    assert len(pictures) == panels
    assert [axes.get_title() for axes in figure.axes[:3]] == ["sample 0", "sample 3", "sample 4"]
    last = phase[4]
    expected = last.values[None] if dimension == 1 else last.isel(z=4, missing_dims="ignore").T
    np.testing.assert_array_equal(pictures[2].get_array(), expected)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["pore", "solid"]
    assert drawn(figure)


def test_colours_of_labels_are_discrete_and_the_same_in_all_samples():
    phase = xr.DataArray(np.zeros((2, 4, 4), dtype=int), dims=("sample", "x", "y"))
    phase[1] = 2
    first, second = images(plot.microstructure(phase, names=["a", "b", "c"]))
    legend = plot.microstructure(phase).legends[0]
    faces = [patch.get_facecolor() for patch in legend.get_patches()]
    assert first.to_rgba(np.array([[0]]))[0, 0].tolist() == list(faces[0])
    assert second.to_rgba(np.array([[2]]))[0, 0].tolist() == list(faces[2])
    assert len({to_rgba(c) for c in faces}) == 3
    assert [t.get_text() for t in legend.get_texts()] == ["phase 0", "phase 1", "phase 2"]


def test_fields_get_a_scale_and_grains_no_legend():
    field = xr.DataArray(
        np.random.default_rng(1).random((2, 5, 6)), dims=("sample", "x", "y"), name="strain"
    )
    figure = plot.microstructure(field)
    assert figure.axes[-1].get_ylabel() == "strain"
    assert images(figure)[0].get_clim() == (field.min(), field.max())
    grains = xr.DataArray(np.arange(400).reshape(1, 20, 20), dims=("sample", "x", "y"))
    assert not plot.microstructure(grains).legends
    ten = xr.DataArray(np.arange(10).reshape(1, 5, 2), dims=("sample", "x", "y"))
    assert len(plot.microstructure(ten).legends[0].get_patches()) == 10
    assert drawn(plot.microstructure(ten))


def test_physical_lengths_and_sample_names():
    phase = microstructures(2, voxel_size=[0.5, 2.0], voxel_unit="um")
    phase = phase.assign_coords(sample=[f"{'long/' * 8}scan{i}.tif" for i in range(5)])
    figure = plot.microstructure(phase, samples=1)
    assert images(figure)[0].get_extent() == [0, 6, 0, 20]
    assert figure.axes[0].get_xlabel() == "x (\u00b5m)"
    assert figure.axes[0].get_title().endswith("scan0.tif")
    assert len(figure.axes[0].get_title()) == 24


def test_only_the_shown_sample_is_computed():
    seen = []

    def block(values, block_info=None):
        seen.append(block_info[0]["chunk-location"][0])
        return values

    phase = microstructures(2)
    lazy = da.from_array(phase.values, chunks=(1, -1, -1)).map_blocks(
        block, dtype=phase.dtype, meta=np.empty((0, 0, 0), dtype=phase.dtype)
    )
    watched = phase.copy(data=lazy)
    f = two_point_statistics(watched, PrimitiveBasis(2), cutoff=2)
    plot.two_point(f, sample=3)
    plot.pair_correlation(pair_correlation(f), sample=-2)
    assert set(seen) == {3}
    plot.microstructure(watched, samples=[1])
    assert set(seen) == {3, 1}


def test_bad_calls():
    f, g, phase = statistics(2), pair_correlation(statistics(2)), microstructures(2)
    calls = [
        (lambda: plot.two_point(f.values), TypeError, "xarray.DataArray"),
        (lambda: plot.two_point(f, sample=5), ValueError, "sample is 5; wanted 0 to 4"),
        (lambda: plot.two_point(f, sample="a"), TypeError, "sample is 'a'"),
        (lambda: plot.two_point(f, pairs="0,7"), ValueError, "wanted some of"),
        (lambda: plot.two_point(f.astype(complex)), TypeError, "complex"),
        (lambda: plot.two_point(f, physical=True), ValueError, "voxel_size"),
        (lambda: plot.two_point(phase), ValueError, "lag_x"),
        (lambda: plot.pair_correlation(f), ValueError, "radius"),
        (lambda: plot.pair_correlation(g.astype(complex)), TypeError, "complex"),
        (lambda: plot.microstructure(phase.values), TypeError, "xarray.DataArray"),
        (lambda: plot.microstructure(f), ValueError, "dims"),
        (lambda: plot.microstructure(phase, samples=0), ValueError, "at least 1"),
        (lambda: plot.microstructure(phase, samples=[7]), ValueError, "from 0 to 4"),
        (lambda: plot.microstructure(phase, samples=True), TypeError, "samples is True"),
    ]
    for call, error, match in calls:
        with pytest.raises(error, match=match):
            call()


def test_pyplot_is_left_alone_and_absence_is_said():
    code = """
import sys
import numpy as np, xarray as xr
from mksdask import plot
assert "matplotlib" not in sys.modules
phase = xr.DataArray(np.eye(4, dtype=int)[None], dims=("sample", "x", "y"))
plot.microstructure(phase)._repr_png_()
assert "matplotlib.pyplot" not in sys.modules
for name in [m for m in sys.modules if m.split(".")[0] == "matplotlib" or "plot.picture" in m]:
    del sys.modules[name]
sys.modules["matplotlib"] = None
try:
    plot.two_point(xr.DataArray(np.ones((1, 1, 3)), dims=("sample", "pair", "lag_x")))
except ImportError as error:
    print(error)
try:
    plot.microstructure(phase)
except ImportError as error:
    print(error)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert (
        ran.stdout.splitlines()
        == ["drawing pictures needs matplotlib: pip install 'mksdask[plot]'"] * 2
    )
