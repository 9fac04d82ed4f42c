"""Errors of predicted fields against scikit-learn's numbers, whatever the chunks."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import r2_score

from mksdask import metrics

RNG = np.random.default_rng(0)
S = RNG.standard_normal((6, 5, 4, 2)) + 1e4
P = S + 0.3 * RNG.standard_normal(S.shape)


def labelled(values):
    return xr.DataArray(
        values, dims=("sample", "x", "y", "tensor"), coords={"sample": list("abcdef")}
    )


@pytest.mark.parametrize("chunks", [None, {"sample": 2}, {"sample": 1, "x": 3, "tensor": 1}])
def test_against_scikit_learn(chunks):
    s, p = labelled(S), labelled(P)
    if chunks:
        s, p = s.chunk(chunks), p.transpose("y", ...).chunk(chunks)
    one = metrics.r2(s.isel(tensor=0), p.isel(tensor=0))
    assert (one.chunks is not None) == (chunks is not None)
    assert float(one) == pytest.approx(r2_score(S[..., 0].ravel(), P[..., 0].ravel()), abs=1e-10)
    both = r2_score(S.reshape(-1, 2), P.reshape(-1, 2), multioutput="variance_weighted")
    assert float(metrics.r2(s, p)) == pytest.approx(both, abs=1e-10)
    each = metrics.r2(s, p, keep=("sample", "tensor"))
    wanted = [
        [r2_score(S[j, ..., c].ravel(), P[j, ..., c].ravel()) for c in (0, 1)] for j in range(6)
    ]
    np.testing.assert_allclose(each, wanted, rtol=1e-9)
    table = metrics.per_sample(s, p).compute()
    np.testing.assert_allclose(table.largest_absolute_error, abs(P - S).max(axis=(1, 2, 3)))
    error = metrics.mean_absolute_strain_error(s.isel(tensor=0), p.isel(tensor=0))
    assert float(error) == pytest.approx(abs(P - S)[..., 0].mean() / S[..., 0].mean())
    np.testing.assert_allclose(
        metrics.mean_absolute_strain_error(s, p, "sample"),
        abs(P - S).mean(axis=(1, 2)).sum(-1) / np.sqrt((S.mean(axis=(1, 2)) ** 2).sum(-1)),
    )


def test_kinds_and_laziness():
    assert isinstance(metrics.r2(da.from_array(S[..., 0], chunks=2), P[..., 0]), da.Array)
    assert isinstance(metrics.r2(labelled(S), P), xr.DataArray)
    assert float(metrics.r2(S[..., 0], labelled(P)[..., 0])) == float(
        metrics.r2(S[..., 0], P[..., 0])
    )
    single = metrics.r2(S.astype("f4")[..., 0], S.astype("f4")[..., 0])
    assert float(single) == 1.0


def test_near_the_border():
    error = np.zeros((3, 7, 6))
    error[:, 0] = 2
    found = metrics.error_near_border(np.zeros_like(error), error)
    np.testing.assert_allclose(found, [2 * np.sqrt(6 / 22), 0, 0])
    x_only = xr.DataArray(error, dims=("sample", "x", "y")).chunk(sample=1)
    found = metrics.error_near_border(0 * x_only, x_only, walls=("x",))
    np.testing.assert_allclose(found, [np.sqrt(2), 0, 0, 0])


def test_nan_is_not_hidden():
    bad = P.copy()
    bad[0, 0, 0, 0] = np.nan
    assert np.isnan(metrics.r2(S, bad))
    assert np.isnan(metrics.per_sample(S, bad).r2.values).tolist() == [True] + [False] * 5


@pytest.mark.parametrize(
    ("s", "p", "options", "kind", "said"),
    [
        (S, P[:5], {}, ValueError, "predicted has sizes"),
        (labelled(S), P[:5], {}, ValueError, "predicted has shape"),
        (labelled(S), labelled(P)[::-1], {}, ValueError, "'sample' coordinates .* differ"),
        (labelled(S), labelled(P), {"keep": "z"}, ValueError, "keep is 'z'"),
        (S, P.astype(complex), {}, TypeError, "complex128; wanted real"),
    ],
)
def test_bad_input(s, p, options, kind, said):
    with pytest.raises(kind, match=said):
        metrics.r2(s, p, **options)
    if not options:
        with pytest.raises(kind, match=said):
            metrics.mean_absolute_strain_error(s, p)


def test_border_needs_walls():
    with pytest.raises(ValueError, match="walls is"):
        metrics.error_near_border(labelled(S), labelled(P), walls=("z",))
