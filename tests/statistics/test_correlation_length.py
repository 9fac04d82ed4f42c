"""Correlation length of structures and functions whose integral range is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import xarray as xr

from mksdask.bases import PrimitiveBasis
from mksdask.statistics import correlation_length, pair_correlation, two_point_statistics


def decaying(lengths, v=0.3, n=60):
    """Autocorrelation with an exponential decay of its own length along each axis."""
    lag = np.arange(-n, n + 1)
    exponent = sum(np.ix_(*(np.abs(lag) / a for a in lengths)))
    return (v**2 + (v - v**2) * np.exp(-exponent))[None, None]


def test_exponential_decay_along_each_axis():
    found = correlation_length(decaying([4.0, 9.0], n=150))
    # The trapezoids of a unit step overestimate exp(-r/a) by the fraction 1 / (12 a^2).
    expected = [a * (1 + 1 / (12 * a**2)) for a in (4.0, 9.0)]
    np.testing.assert_allclose(found[0, 0], expected, rtol=1e-4)


def by_hand(f, v):
    total, c = 0.0, [(x - v * v) / (v - v * v) for x in f]
    for a, b in itertools.pairwise(c):
        if b <= 0:
            return total + a * a / (a - b) / 2
        total += (a + b) / 2
    return total


def test_random_phases_agree_with_integration_by_hand():
    phase = np.repeat(np.random.default_rng(0).integers(0, 2, (3, 8, 10)), 3, axis=2)
    data = xr.DataArray(phase, dims=("sample", "x", "y"))
    f = two_point_statistics(data, PrimitiveBasis(2))
    found = correlation_length(f)
    assert found.dims == ("sample", "pair", "axis")
    assert found.axis.values.tolist() == ["x", "y"]
    assert found.pair.values.tolist() == ["0,0", "1,1"]
    for i in range(3):
        for state in (0, 1):
            auto = f.sel(pair=f"{state},{state}").isel(sample=i)
            for axis, other in (("x", "y"), ("y", "x")):
                line = auto.sel({f"lag_{other}": 0})
                line = line.sel({f"lag_{axis}": slice(None, 0)}).values[::-1]
                value = float(found.isel(sample=i).sel(pair=f"{state},{state}", axis=axis))
                assert value == pytest.approx(by_hand(line, line[0]), rel=1e-10)


def test_random_checkerboard_gives_half_a_cell():
    cells = np.random.default_rng(1).integers(0, 2, (4, 80, 80))
    phase = np.kron(cells, np.ones((1, 6, 6), dtype=int))
    f = two_point_statistics(
        xr.DataArray(phase, dims=("sample", "x", "y"), attrs={"voxel_size": [0.5, 0.5]}),
        PrimitiveBasis(2), "auto", 20,
    )  # fmt: skip
    np.testing.assert_allclose(correlation_length(f).mean("sample"), 3, rtol=0.05)
    physical = correlation_length(f, physical=True)
    np.testing.assert_allclose(physical, 0.5 * correlation_length(f))


def test_over_the_radius():
    lag = np.arange(-60, 61)
    r = np.sqrt(lag[:, None] ** 2 + lag[None, :] ** 2)
    f = xr.DataArray(
        (0.25 + 0.25 * np.exp(-r / 5))[None, None],
        dims=("sample", "pair", "lag_x", "lag_y"),
        coords={"pair_first": ("pair", [1]), "pair_second": ("pair", [1])},
    )
    g = pair_correlation(f.chunk(sample=1))
    found = correlation_length(g)
    assert found.dims == ("sample", "pair")
    assert float(found[0, 0]) == pytest.approx(5, rel=0.005)
    with pytest.raises(ValueError, match="pair_correlation"):
        correlation_length(g, physical=True)
    with pytest.raises(ValueError, match="without bins"):
        correlation_length(pair_correlation(f, bins=[0.5, 1, 2]))


def test_undecayed_and_uniform_phases_are_nan():
    assert np.isnan(correlation_length(decaying([30.0], n=20))).all()
    assert np.isfinite(correlation_length(decaying([30.0], n=20), tail=0.6)).all()
    for v in (0.0, 1.0):
        assert np.isnan(correlation_length(np.full((1, 1, 9), v))).all()
    hidden = decaying([2.0], n=20)
    hidden[..., 18] = np.nan
    assert np.isnan(correlation_length(hidden)).all()


def test_kinds_and_types():
    f = np.concatenate([decaying([4.0, 9.0]), decaying([2.0, 3.0])])
    expected = correlation_length(f)
    single = correlation_length(f.astype("float32"))
    assert single.dtype == "float32"
    np.testing.assert_allclose(single, expected, rtol=1e-4)
    data = xr.DataArray(
        f, dims=("sample", "pair", "lag_x", "lag_y"),
        coords={"pair_first": ("pair", [0]), "pair_second": ("pair", [0])},
    ).chunk(sample=1)  # fmt: skip
    np.testing.assert_array_equal(correlation_length(data).compute(), expected)


def test_bad_calls():
    f = decaying([4.0])
    with pytest.raises(ValueError, match="tail is 1"):
        correlation_length(f, tail=1)
    with pytest.raises(TypeError, match="complex"):
        correlation_length(f.astype(complex))
    data = xr.DataArray(
        f, dims=("sample", "pair", "lag_x"), coords={"lag_x": 2 * (np.arange(121) - 60)}
    )
    with pytest.raises(ValueError, match="every lag"):
        correlation_length(data)
    data = data.assign_coords(
        lag_x=np.arange(121) - 60, pair_first=("pair", [0]), pair_second=("pair", [1])
    )
    with pytest.raises(ValueError, match="no autocorrelation"):
        correlation_length(data)
