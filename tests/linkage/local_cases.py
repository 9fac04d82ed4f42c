"""Microstructures with responses made by known kernels, by direct sums."""

from __future__ import annotations

import numpy as np

from mksdask.bases import FourierBasis, LegendreBasis, PrimitiveBasis

SHAPES = {1: (9,), 2: (7, 6), 3: (5, 4, 6)}


def microstructures(basis, shape, n=30, seed=0, dtype=None):
    """Labels for a primitive basis, a field for others."""
    rng = np.random.default_rng(seed)
    if isinstance(basis, PrimitiveBasis) and dtype is None:
        return rng.integers(0, basis.n_states, (n, *shape))
    a, b = basis.domain
    return rng.uniform(a, b, (n, *shape)).astype(dtype or float)


def decaying_kernels(n_states, shape, n_components=1, seed=1):
    """Real kernels (state, component, *shape), zero lag at shape // 2."""
    rng = np.random.default_rng(seed)
    lags = np.indices(shape) - np.array([n // 2 for n in shape]).reshape(-1, *[1] * len(shape))
    decay = np.exp(-np.sqrt((lags**2).sum(axis=0)))
    return rng.standard_normal((n_states, n_components, *shape)) * decay


def convolved(fields, kernels):
    """sum_h sum_r kernel[h; r] m[h; s - r], voxel by voxel: (n, *space, h) to (n, *space, c)."""
    n_space = kernels.ndim - 2
    space = tuple(range(1, 1 + n_space))
    out = 0
    for index in np.ndindex(*kernels.shape[2:]):
        lag = [i - n // 2 for i, n in zip(index, kernels.shape[2:], strict=True)]
        out = out + np.roll(fields, lag, axis=space) @ kernels[(slice(None), slice(None), *index)]
    return out


BASES = {
    "labels": PrimitiveBasis(3),
    "hats": PrimitiveBasis(3, domain=(-1, 1)),
    "legendre": LegendreBasis(4, domain=(-1, 1)),
    "fourier": FourierBasis(5, domain=(0, 1)),
}


def case(name, shape, n_components=1, n=30):
    """Basis, microstructures, the kernel, and responses (n, *shape, component)."""
    basis = BASES[name]
    X = microstructures(basis, shape, n, dtype=None if name == "labels" else float)
    kernels = decaying_kernels(basis.n_states, shape, n_components)
    if basis.is_complex:
        # Conjugate states have conjugate kernels, so that the response is real.
        kernels = kernels.astype(complex)
        for h in range(1, basis.n_states, 2):
            kernels[h] = kernels[h] + 1j * kernels[h + 1].real
            kernels[h + 1] = kernels[h].conj()
    y = convolved(basis.expand(X), kernels)
    assert np.abs(y.imag).max() < 1e-12
    return basis, X, kernels, np.ascontiguousarray(y.real)
