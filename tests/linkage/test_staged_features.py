"""Features of sweeps and the stages, against loops and dense least squares."""

import numpy as np
import pytest

from mksdask.bases import LegendreBasis, PrimitiveBasis
from mksdask.linkage import StagedLocalization
from mksdask.linkage.spectral_products import combined
from mksdask.linkage.sweep_features import SweepFeatures

from .staged_cases import random_cells


def by_loops(kind, x, eps):
    """The features of one sample, voxel by voxel: x (contrast, *space), eps (component, *space)."""
    shape = x.shape[1:]
    columns = []
    for s in np.ndindex(*shape):
        here, strain = x[(slice(None), *s)], eps[(slice(None), *s)]
        near = np.zeros(len(x))
        for axis in range(len(shape)):
            for step in (1, -1):
                t = list(s)
                t[axis] = (t[axis] + step) % shape[axis]
                near += x[(slice(None), *t)] / (2 * len(shape))
        row = [a * e for a in here for e in strain]
        if kind != "lean":
            row += [*here, *strain]
        if kind == "neighbourhood":
            row += [b * e for b in near for e in strain]
            row += [a * b * e for a in here for b in near for e in strain]
            row += [a * b for a in here for b in near]
            row += [b * b for b in near]
            row += [a * b * b for a in here for b in near]
        columns.append(row)
    return np.array(columns).T.reshape(-1, *shape)


@pytest.mark.parametrize("kind", ["lean", "full", "neighbourhood"])
@pytest.mark.parametrize(("n_contrasts", "shape"), [(1, (3, 4)), (2, (3, 2, 4))])
def test_features_of_a_sweep(kind, n_contrasts, shape):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n_contrasts, 2, *shape))
    eps = rng.standard_normal((3, 2, *shape))
    features = SweepFeatures(kind, n_contrasts, 3)
    found = features.fields(x, eps)
    assert len(found) == features.n_features == len(features.names)
    for j in range(2):
        np.testing.assert_allclose(found[:, j], by_loops(kind, x[:, j], eps[:, j]), atol=1e-14)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@pytest.mark.parametrize("real", [True, False])
def test_products_of_spectra(dtype, real):
    rng = np.random.default_rng(0)

    def spectra(*shape):
        return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)

    f, a = spectra(3, 2, 1100), spectra(3, 4, 1100)
    a = np.ascontiguousarray(a.real) if real else a
    np.testing.assert_allclose(combined(f, a), np.einsum("fjk,fck->cjk", f, a), atol=1e-5)


def dense_stages(basis, n_contrasts, phase, y, sweeps, ridge, kind="lean", constant=0.0):
    """Training and prediction by least squares at each of all frequencies, one after the other."""
    n, shape = len(phase), phase.shape[1:]
    axes = tuple(range(1, 1 + len(shape)))
    states = np.moveaxis(basis.expand(phase), -1, 0)
    parts = states[:n_contrasts] if basis.redundant else states[1:]
    contrast = parts - constant
    truth = np.fft.fftn(np.moveaxis(y, -1, 1), axes=tuple(a + 1 for a in axes))
    features, eps = np.moveaxis(parts, 0, 1), None
    for stage in range(sweeps + 1):
        if stage:
            features = np.stack(
                [
                    by_loops(kind, contrast[:, j], eps[j].transpose(-1, *range(len(shape))))
                    for j in range(n)
                ]
            )
        spectra = np.fft.fftn(features, axes=tuple(a + 1 for a in axes))
        found = np.empty_like(truth)
        for k in np.ndindex(*shape):
            f, t = spectra[(..., *k)], truth[(..., *k)]
            if not any(k):
                found[(..., *k)] = t
                continue
            penalty = np.sqrt(ridge) * np.diag(np.sqrt((abs(f) ** 2).sum(axis=0)))
            a = np.linalg.lstsq(
                np.vstack([f, penalty]), np.vstack([t, np.zeros((f.shape[1], t.shape[1]))])
            )[0]
            found[(..., *k)] = f @ a
        eps = np.moveaxis(np.fft.ifftn(found, axes=tuple(a + 1 for a in axes)).real, 1, -1)
    return eps


@pytest.mark.parametrize(
    ("basis", "n_contrasts", "constant", "shape", "kind"),
    [
        (PrimitiveBasis(2), 1, 0.5, (5, 4), "lean"),
        (PrimitiveBasis(3), 2, 1 / 3, (4, 3), "full"),
        (LegendreBasis(3, (0, 2)), 2, 0.0, (3, 4), "lean"),
        (PrimitiveBasis(2), 1, 0.5, (3, 2, 4), "neighbourhood"),
    ],
)
def test_stages_are_least_squares(basis, n_contrasts, constant, shape, kind):
    phase, y = random_cells(40, shape, basis.n_states)
    model = StagedLocalization(basis, sweeps=2, ridge=1e-3, features=kind).fit(phase, y)
    expected = dense_stages(basis, n_contrasts, phase.values, y.values, 2, 1e-3, kind, constant)
    np.testing.assert_allclose(model.predict(phase), expected, atol=1e-10)
    single = model.predict(phase, components=["yy"], sweeps=1)
    earlier = dense_stages(basis, n_contrasts, phase.values, y.values, 1, 1e-3, kind, constant)
    np.testing.assert_allclose(single.sel(tensor="yy"), earlier[..., 1], atol=1e-10)
