"""Every wrong call is said before anything is computed, and wrong data when they are met."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mksdask.bases import LegendreBasis, PrimitiveBasis
from mksdask.errors import DataError
from mksdask.statistics import two_point_statistics

BASIS = PrimitiveBasis(2)
X = np.random.default_rng(0).integers(0, 2, (3, 8, 6)).astype(np.uint8)
LAZY = da.from_array(X, chunks=(1, 8, 6))
NAMED = xr.DataArray(X, dims=("sample", "x", "y"), attrs={"phase_names": ["a", "b"]})


def call(data=LAZY, basis=BASIS, **kwargs):
    return two_point_statistics(data, basis, **kwargs)


@pytest.mark.parametrize(
    ("kwargs", "error", "match"),
    [
        ({"cutoff": 5}, ValueError, "cutoff of axis 'x' is 5; wanted 0 to 4.*periodic axis of 8"),
        ({"cutoff": [4, 4]}, ValueError, "axis 'y' is 4; wanted 0 to 3"),
        ({"cutoff": 6, "boundary": "nonperiodic"}, ValueError, "axis 'y' is 6; wanted 0 to 5"),
        ({"cutoff": -1}, ValueError, "cutoff of axis 'x' is -1"),
        ({"cutoff": 1.5}, TypeError, "cutoff of axis 'x' is 1.5; wanted an integer"),
        ({"cutoff": [1, 1, 1]}, ValueError, "cutoff has 3 entries"),
        ({"cutoff": {"x": 1}}, ValueError, r"cutoff has keys \['x'\]; wanted one for each"),
        ({"cutoff": {"x": 1, "y": 1, "z": 1}}, ValueError, "wanted one for each of"),
        ({"boundary": "wall"}, ValueError, "boundary of axis 'x' is 'wall'; wanted one of"),
        ({"boundary": ["periodic"]}, ValueError, "boundary has 1 entries"),
        ({"boundary": {"x": "periodic", "q": "periodic"}}, ValueError, "boundary has keys"),
        ({"pairs": [(0, 2)]}, ValueError, "state 2; wanted 0 to 1"),
        ({"pairs": [(-1, 0)]}, ValueError, "state -1"),
        ({"pairs": [(0, 1.0)]}, TypeError, "pairs has 1.0"),
        ({"pairs": [(0, 1, 1)]}, ValueError, "list of pairs"),
        ({"pairs": []}, ValueError, "list of pairs"),
        ({"pairs": 3}, TypeError, "list of pairs"),
        ({"pairs": "some"}, ValueError, "pairs is 'some'; wanted one of"),
        ({"pairs": [(0, 1), (0, 1)]}, ValueError, "more than once"),
        ({"pairs": [("a", "b")]}, ValueError, "carry no names"),
        ({"pairs": [("a", "c")], "data": NAMED}, ValueError, "phase 'c'; wanted one of"),
        ({"pairs": "cross", "basis": LegendreBasis(1)}, ValueError, "one state"),
        ({"basis": "primitive"}, TypeError, "basis is 'primitive'"),
        ({"mask": np.ones((8, 5))}, ValueError, r"mask has shape \(8, 5\); wanted \(8, 6\)"),
        ({"mask": np.ones((2, 8, 6))}, ValueError, "mask has shape"),
        ({"mask": np.full((8, 6), 1.5)}, DataError, r"mask has values from 1.5 to 1.5"),
        ({"mask": np.full((8, 6), -0.5)}, DataError, r"wanted all in \[0, 1\]"),
        ({"mask": np.full((8, 6), np.nan)}, DataError, "from nan to nan"),
        ({"mask": np.zeros((8, 6))}, DataError, "mask is 0 everywhere"),
        ({"mask": np.arange(3)[:, None, None] > np.zeros((8, 6))}, DataError, "1 of 3 samples"),
        ({"mask": "all"}, TypeError, "mask is a str"),
        ({"mask": np.full((8, 6), "a")}, TypeError, "mask has dtype"),
        ({"mask": NAMED.isel(sample=0).rename(x="z")}, ValueError, "mask has dims"),
        ({"data": np.zeros((3, 0, 6))}, ValueError, "axis 'x' has no voxels"),
        ({"data": np.zeros((0, 8, 6))}, ValueError, "no samples"),
        ({"data": np.zeros(8)}, ValueError, r"data\[None\]"),
        ({"data": np.zeros((1, 2, 2, 2, 2))}, ValueError, "5 axes"),
        ({"data": NAMED.rename(y="time")}, ValueError, r"wanted 'sample' \(or not\) and one to"),
        ({"data": NAMED.isel(x=0, y=0)}, ValueError, "data has dims"),
        ({"data": [[0, 1]]}, TypeError, "data is a list"),
        ({"data": X.astype(complex)}, TypeError, "dtype complex128"),
        ({"data": X.astype(str)}, TypeError, "wanted integer labels or a real field"),
    ],
)
def test_said_at_the_call(kwargs, error, match):
    with pytest.raises(error, match=match):
        call(**kwargs)


@pytest.mark.parametrize("chunks", [(1, 8, 6), (3, 4, 6)], ids=["ensemble", "tiles"])
@pytest.mark.parametrize(
    ("data", "kwargs", "match"),
    [
        (np.where(X == 1, 7, X), {}, r"from 0 to 7, outside the domain \[0, 1\]"),
        (np.where(X == 1, -1, X.astype(int)), {}, "from -1 to 0, outside"),
        (np.where(X == 1, np.nan, 0.5), {}, "NaN values"),
        (X, {"mask": np.zeros((3, 8, 6))}, "mask is 0 everywhere"),
        (X, {"mask": np.full((8, 6), 2.0)}, "mask has values from 2 to 2"),
    ],
)
def test_said_when_the_data_are_met(chunks, data, kwargs, match):
    kwargs = {k: da.from_array(v) for k, v in kwargs.items()}
    f = call(da.from_array(data, chunks=chunks), cutoff=2, **kwargs)
    with pytest.raises(DataError, match=match):
        f.compute(scheduler="synchronous")


def test_chunked_space_needs_a_cutoff():
    with pytest.raises(ValueError, match=r"chunked along \['x'\], and cutoff is None.*give a cut"):
        call(NAMED.chunk(x=2))
