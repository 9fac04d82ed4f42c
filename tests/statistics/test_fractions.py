"""Volume fractions from labels, from fields and from statistics."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mksdask.bases import FourierBasis, LegendreBasis, PrimitiveBasis
from mksdask.errors import DataError
from mksdask.statistics import fractions, two_point_statistics, volume_fractions

labels = np.random.default_rng(0).integers(0, 3, (5, 4, 6, 3)).astype(np.uint8)
counted = np.stack([(labels == h).mean(axis=(1, 2, 3)) for h in range(3)], axis=1)


def test_labels():
    np.testing.assert_allclose(volume_fractions(labels, 3), counted)
    lazy = volume_fractions(da.from_array(labels, chunks=(2, -1, -1, -1)), 4)
    assert isinstance(lazy, da.Array)
    np.testing.assert_allclose(lazy.compute()[:, :3], counted)
    data = xr.DataArray(labels, dims=("sample", "x", "y", "z"), coords={"sample": list("abcde")})
    v = volume_fractions(data.transpose("x", "sample", "z", "y").chunk(sample=1), 3)
    assert v.dims == ("sample", "state")
    assert float(v.sel(sample="c", state=1)) == pytest.approx(counted[2, 1])
    np.testing.assert_allclose(volume_fractions(labels > 1, 2)[:, 1], counted[:, 2])


@pytest.mark.parametrize(
    "basis", [PrimitiveBasis(3, (0, 1)), LegendreBasis(3, (0, 1)), FourierBasis(3, (0, 1))]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_basis_gives_mean_coefficients(basis, dtype, monkeypatch):
    monkeypatch.setattr(fractions, "_BATCH_VOXELS", 50)
    field = np.random.default_rng(1).random((4, 7, 5)).astype(dtype)
    v = volume_fractions(field, basis)
    assert v.dtype == basis.dtype(dtype)
    np.testing.assert_allclose(
        v, basis.expand(field).mean(axis=(1, 2)), rtol=1e-5 if dtype == "float32" else 1e-12
    )


@pytest.mark.parametrize("kind", ["dask", "labelled"])
def test_volumes_chunked_in_space(kind):
    lazy = da.from_array(labels, chunks=(2, 3, 4, 3))
    data = lazy if kind == "dask" else xr.DataArray(lazy, dims=("sample", "x", "y", "z"))
    v = volume_fractions(data, 3)
    assert isinstance(v, type(data))
    np.testing.assert_allclose(v.compute(), counted, rtol=1e-12)
    field = (data / 2).astype("float32")
    soft = volume_fractions(field, PrimitiveBasis(2))
    assert soft.dtype == "float32"
    np.testing.assert_allclose(soft.compute()[:, 1], labels.mean((1, 2, 3)) / 2, rtol=1e-6)


@pytest.mark.parametrize("boundary", ["periodic", "nonperiodic"])
def test_statistics_hold_the_fractions(boundary):
    data = xr.DataArray(labels, dims=("sample", "x", "y", "z")).chunk(sample=2)
    f = two_point_statistics(data, PrimitiveBasis(3), "all", 1, boundary)
    v = volume_fractions(f)
    assert v.dims == ("sample", "state")
    assert v.chunks is not None
    assert v.state.values.tolist() == [0, 1, 2]
    np.testing.assert_allclose(v, counted, atol=1e-12)
    np.testing.assert_allclose(volume_fractions(f.sel(pair="1,1")), counted[:, 1], atol=1e-12)
    with pytest.raises(ValueError, match="no autocorrelation"):
        volume_fractions(f.sel(pair=["0,1"]))


@pytest.mark.parametrize(
    ("data", "states", "error", "match"),
    [
        (labels, None, TypeError, "states is None"),
        (labels, 0, ValueError, "at least 1"),
        (labels, 2, DataError, "labels go from 0 to 2.*states=3"),
        (labels.astype(int) - 1, 3, DataError, "from -1 to 1"),
        (labels / 2, 3, TypeError, "integer labels"),
        (labels / 2, PrimitiveBasis(2, (0, 0.5)), DataError, "domain"),
        (labels[0, 0, 0], 3, ValueError, "wanted 2 to 4"),
    ],
)
def test_bad_calls(data, states, error, match):
    with pytest.raises(error, match=match):
        volume_fractions(data, states)
