"""The laws of statistics hold for those we compute, and each one broken is reported."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from mksdask.bases import PrimitiveBasis
from mksdask.statistics import Violation, check_statistics, two_point_statistics, volume_fractions


def microstructure(shape, n_states=3):
    phase = np.random.default_rng(0).integers(0, n_states, (4, *shape))
    dims = ("sample", "x", "y", "z")[: phase.ndim]
    return xr.DataArray(phase, dims=dims)


@pytest.mark.parametrize("shape", [(9,), (6, 7), (4, 5, 6)])
@pytest.mark.parametrize("boundary", ["periodic", "nonperiodic"])
@pytest.mark.parametrize("pairs", ["all", [(0, 1), (1, 0), (2, 2)]])
@pytest.mark.parametrize("dtype", ["int64", "float32"])
def test_computed_statistics_are_clean(shape, boundary, pairs, dtype):
    phase = microstructure(shape)
    f = two_point_statistics(
        phase.astype(dtype).chunk(sample=2), PrimitiveBasis(3), pairs, None, boundary
    )
    fractions = volume_fractions(phase.chunk(sample=3), 3)
    assert check_statistics(f, fractions, progress=False) == []


def test_masked_statistics_are_clean():
    mask = np.random.default_rng(1).random((4, 6, 7)) < 0.4
    f = two_point_statistics(microstructure((6, 7)), PrimitiveBasis(3), mask=mask)
    assert check_statistics(f) == []


def test_soft_fields_are_clean_only_as_such():
    field = xr.DataArray(np.random.default_rng(2).random((2, 6, 7)), dims=("sample", "x", "y"))
    f = two_point_statistics(field, PrimitiveBasis(2, (0, 1)))
    assert check_statistics(f, sharp=False) == []
    assert {v.check for v in check_statistics(f)} == {"zero lag", "fraction sum"}


def clean():
    f = two_point_statistics(microstructure((6, 7)), PrimitiveBasis(3))
    return f.copy(data=f.values.copy()).assign_attrs(masked=False)


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        ({"pair": "0,1", "lag_x": 1, "lag_y": 2}, 1.5, {("range", "0,1")}),
        ({"pair": "0,1", "lag_x": 1, "lag_y": 2}, -0.5, {("range", "0,1")}),
        ({"pair": "0,1", "lag_x": 1, "lag_y": 2}, np.inf, {("finite", "0,1")}),
        ({"pair": "0,1", "lag_x": 1, "lag_y": 2}, np.nan, set()),
        ({"pair": "0,1", "lag_x": 0, "lag_y": 0}, 0.1, {("zero lag", "0,1")}),
        ({"pair": "1,1", "lag_x": 1, "lag_y": 2}, 0.0, {("symmetry", "1,1")}),
        (
            {"pair": "1,1", "lag_x": 1, "lag_y": 2},
            0.9,
            {("symmetry", "1,1"), ("maximum", "1,1")},
        ),
        (
            {"pair": "2,2", "lag_x": 0, "lag_y": 0},
            0.9,
            {("volume fraction", "2,2"), ("fraction sum", "")},
        ),
        (
            {"pair": "2,2", "lag_x": 0, "lag_y": 0},
            np.nan,
            {("finite", "2,2"), ("volume fraction", "2,2"), ("fraction sum", "")},
        ),
    ],
)
def test_each_broken_law_is_reported(place, value, expected):
    f = clean()
    fractions = volume_fractions(microstructure((6, 7)), 3)
    assert check_statistics(f, fractions) == []
    f.loc[{"sample": 2, **place}] = value
    found = check_statistics(f.chunk(sample=3), fractions)
    assert {(v.check, v.pair) for v in found} == expected
    assert all(v.n_samples == 1 and v.worst_sample == 2 for v in found)


def test_reversed_pairs_must_mirror_each_other():
    f = two_point_statistics(microstructure((6, 7)), PrimitiveBasis(3), [(0, 1), (1, 0)])
    f = f.copy(data=f.values.copy())
    f[1, 0, 1, 1] += 0.01
    found = check_statistics(f)
    assert [(v.check, v.pair, round(v.excess, 6)) for v in found] == [
        ("symmetry", "0,1", 0.01),
        ("symmetry", "1,0", 0.01),
    ]


def test_report_reads_well_and_single_pairs_are_taken():
    f = clean().isel(sample=1).sel(pair="0,1")
    assert check_statistics(f) == []
    f.loc[{"lag_x": 0, "lag_y": 0}] = 0.25
    (violation,) = check_statistics(f)
    assert violation == Violation("zero lag", "0,1", 1, 0, 0.25)
    assert str(violation) == (
        "zero lag of pair 0,1: broken in 1 samples, worst by 0.25 in sample 0"
    )


def test_bad_calls():
    f = clean()
    with pytest.raises(ValueError, match="each lag r with its -r"):
        check_statistics(f.sel(lag_x=slice(0, None)))
    with pytest.raises(TypeError, match="real statistics"):
        check_statistics(f.astype(complex))
    with pytest.raises(ValueError, match="fractions has shape"):
        check_statistics(f, np.zeros((2, 3)))
    with pytest.raises(ValueError, match="wanted state 2"):
        check_statistics(f, np.stack([f.sel(pair=p)[:, 3, 3] for p in ("0,0", "1,1")], axis=1))
    with pytest.raises(ValueError, match="pair_first"):
        check_statistics(f.drop_vars("pair_first"))
