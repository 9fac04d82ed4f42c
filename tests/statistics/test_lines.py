"""Chords and lineal paths against a walk along every line."""

from __future__ import annotations

import itertools

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from mksdask.bases import PrimitiveBasis
from mksdask.statistics import (
    chord_length_distribution,
    lineal_path,
    two_point_statistics,
    volume_fractions,
)


def chords_of_line(line, periodic, include_cut):
    """Lengths of the chords of a line of booleans, by walking along it."""
    n = len(line)
    if all(line):
        return [n] if periodic or include_cut else []
    if periodic:
        start = line.index(False)
        line = line[start:] + line[:start]
    runs, place = [], 0
    for inside, run in itertools.groupby(line):
        m = len(list(run))
        touches = place == 0 or place + m == n
        if inside and (periodic or include_cut or not touches):
            runs.append(m)
        place += m
    return runs


def lines_of(sample, axis):
    moved = np.moveaxis(sample, axis, -1)
    return [list(map(bool, line)) for line in moved.reshape(-1, moved.shape[-1])]


cases = given(
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    axis=st.integers(0, 2),
    periodic=st.booleans(),
    include_cut=st.booleans(),
    density=st.sampled_from([0.0, 0.3, 0.8, 1.0]),
    chunk=st.integers(1, 3),
    seed=st.integers(0, 99),
)


@settings(max_examples=60, deadline=None)
@cases
def test_chords_agree_with_a_walk(shape, axis, periodic, include_cut, density, chunk, seed):
    axis %= len(shape)
    phase = (np.random.default_rng(seed).random((3, *shape)) < density).astype(np.uint8)
    n = shape[axis]
    expected = np.zeros((3, n))
    for row, sample in zip(expected, phase, strict=True):
        for line in lines_of(sample == 1, axis):
            for m in chords_of_line(line, periodic, include_cut):
                row[m - 1] += 1
    how = {
        "boundary": "periodic" if periodic else "nonperiodic",
        "border": "include" if include_cut else "exclude",
    }
    counts = chord_length_distribution(phase, 1, axis, normalize=False, **how)
    np.testing.assert_array_equal(counts, expected)
    lazy = chord_length_distribution(
        da.from_array(phase, chunks=(chunk, *shape)), 1, axis, normalize=False, **how
    )
    assert isinstance(lazy, da.Array)
    np.testing.assert_array_equal(lazy.compute(scheduler="synchronous"), expected)
    p = chord_length_distribution(phase, 1, axis, **how)
    any_chord = expected.sum(axis=1) > 0
    assert np.isnan(p[~any_chord]).all()
    np.testing.assert_allclose(p[any_chord].sum(axis=1), 1)


@settings(max_examples=60, deadline=None)
@cases
def test_lineal_path_agrees_with_all_segments(
    shape, axis, periodic, include_cut, density, chunk, seed
):
    axis %= len(shape)
    phase = (np.random.default_rng(seed).random((3, *shape)) < density).astype(int)
    n = shape[axis]
    expected = np.zeros((3, n))
    for row, sample in zip(expected, phase, strict=True):
        lines = lines_of(sample == 1, axis)
        for r in range(n):
            starts = range(n if periodic else n - r)
            row[r] = np.mean(
                [all(line[(s + k) % n] for k in range(r + 1)) for line in lines for s in starts]
            )
    boundary = "periodic" if periodic else "nonperiodic"
    path = lineal_path(phase, 1, axis, boundary=boundary)
    np.testing.assert_allclose(path, expected, atol=1e-14)
    lazy = lineal_path(da.from_array(phase, chunks=(chunk, *shape)), 1, axis, boundary=boundary)
    np.testing.assert_array_equal(lazy.compute(scheduler="synchronous"), path)


def test_many_samples_are_worked_off_in_batches(monkeypatch):
    from mksdask.statistics import runs

    phase = np.random.default_rng(0).integers(0, 2, (7, 5, 6))
    whole = chord_length_distribution(phase, 1, "y")
    monkeypatch.setattr(runs, "_BATCH_VOXELS", 61)
    np.testing.assert_array_equal(chord_length_distribution(phase, 1, "y"), whole)


@pytest.mark.parametrize("boundary", ["periodic", "nonperiodic"])
def test_lineal_path_starts_at_the_fraction_and_stays_below_the_autocorrelation(boundary):
    phase = xr.DataArray(
        np.random.default_rng(1).integers(0, 2, (4, 12, 9)), dims=("sample", "x", "y")
    )
    path = lineal_path(phase, 0, "x", 5, boundary=boundary)
    f = two_point_statistics(phase, PrimitiveBasis(2), pairs=[(0, 0)], boundary=boundary)
    ahead = f.isel(pair=0).sel(lag_y=0, lag_x=slice(0, 5))
    np.testing.assert_allclose(path.isel(length=0), volume_fractions(phase, 2).sel(state=0))
    assert (path.values <= ahead.values + 1e-12).all()
    np.testing.assert_allclose(path.values[:, :2], ahead.values[:, :2], atol=1e-12)


def test_chords_of_independent_voxels_are_geometric():
    v = 0.6
    phase = (np.random.default_rng(2).random((1, 400, 400)) < v).astype(np.uint8)
    p = chord_length_distribution(phase, 1, "x", boundary="periodic")[0]
    length = np.arange(1, 401)
    assert (p * length).sum() == pytest.approx(1 / (1 - v), rel=0.01)
    np.testing.assert_allclose(p[:8], (1 - v) * v ** (length[:8] - 1), atol=0.005)


def test_names_coordinates_and_kinds():
    phase = xr.DataArray(
        np.array([[[0, 1, 1, 0]] * 3]),
        dims=("sample", "x", "y"),
        coords={"sample": ["s1"]},
        attrs={"phase_names": ["pore", "solid"]},
    )
    p = chord_length_distribution(phase.chunk(), "solid", "y")
    assert p.dims == ("sample", "length")
    assert p.sample.item() == "s1"
    assert p.sel(length=2).values.tolist() == [1]
    path = lineal_path(phase, "pore", "y", max_length=2)
    assert path.length.values.tolist() == [0, 1, 2]
    np.testing.assert_allclose(path.values, [[0.5, 0, 0]])


labels = np.zeros((2, 4, 5), dtype=int)


@pytest.mark.parametrize("function", [chord_length_distribution, lineal_path])
@pytest.mark.parametrize(
    ("phase", "state", "axis", "kwargs", "error", "match"),
    [
        (labels.astype(float), 1, "x", {}, TypeError, "integer labels"),
        (labels, -1, "x", {}, ValueError, "at least 0"),
        (labels, 0.5, "x", {}, TypeError, "state is 0.5"),
        (labels, "pore", "x", {}, ValueError, "names"),
        (labels, 1, "z", {}, ValueError, "axis is 'z'"),
        (labels, 1, 2, {}, ValueError, "axis is 2"),
        (labels, 1, "x", {"boundary": "mirror"}, ValueError, "boundary is 'mirror'"),
        (labels[0, 0], 1, "x", {}, ValueError, r"phase\[None\]"),
        (labels[:, :0], 1, "x", {}, ValueError, "length 0"),
        (xr.DataArray(labels, dims=("sample", "x", "t")), 1, "x", {}, ValueError, "dims"),
    ],
)
def test_bad_calls(function, phase, state, axis, kwargs, error, match):
    with pytest.raises(error, match=match):
        function(phase, state, axis, **kwargs)


def test_bad_lengths_and_borders():
    with pytest.raises(ValueError, match="max_length is 4; wanted 0 to 3"):
        lineal_path(labels, 1, "x", 4)
    with pytest.raises(TypeError, match="max_length"):
        lineal_path(labels, 1, "x", 1.5)
    with pytest.raises(ValueError, match="border is 'clip'"):
        chord_length_distribution(labels, 1, "x", border="clip")
    with pytest.raises(ValueError, match="whole"):
        lineal_path(da.from_array(labels, chunks=(1, 2, 5)), 1, "y")
