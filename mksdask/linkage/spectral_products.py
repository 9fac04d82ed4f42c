"""Products of spectra with the coefficients of every frequency, compiled.

out[c, j, k] = sum_f A[f, c, k] F[f, j, k]. Sums of array products would go through memory once a
feature and component; here a piece of the spectrum stays in the cache until it is done.
"""

from __future__ import annotations

import numpy as np

from mksdask.simulate.compiled import kernel

PIECE = 512


@kernel
def _by_real(spectra, coefficients, out):  # type: ignore[no-untyped-def]
    """Complex arrays seen as pairs of reals on a last axis; real coefficients."""
    n_features, n_samples, n = spectra.shape[0], spectra.shape[1], spectra.shape[2] // 2
    for j in range(n_samples):
        for start in range(0, n, PIECE):
            stop = min(start + PIECE, n)
            for c in range(coefficients.shape[1]):
                total = out[c, j]
                for f in range(n_features):
                    a, s = coefficients[f, c], spectra[f, j]
                    if f == 0:
                        for k in range(start, stop):
                            total[2 * k] = a[k] * s[2 * k]
                            total[2 * k + 1] = a[k] * s[2 * k + 1]
                    else:
                        for k in range(start, stop):
                            total[2 * k] += a[k] * s[2 * k]
                            total[2 * k + 1] += a[k] * s[2 * k + 1]


@kernel
def _by_complex(spectra, coefficients, out):  # type: ignore[no-untyped-def]
    """Complex arrays seen as pairs of reals on a last axis."""
    n_features, n_samples, n = spectra.shape[0], spectra.shape[1], spectra.shape[2] // 2
    for j in range(n_samples):
        for start in range(0, n, PIECE):
            stop = min(start + PIECE, n)
            for c in range(coefficients.shape[1]):
                total = out[c, j]
                for k in range(2 * start, 2 * stop):
                    total[k] = 0
                for f in range(n_features):
                    a, s = coefficients[f, c], spectra[f, j]
                    for k in range(start, stop):
                        re, im = a[2 * k], a[2 * k + 1]
                        total[2 * k] += re * s[2 * k] - im * s[2 * k + 1]
                        total[2 * k + 1] += re * s[2 * k + 1] + im * s[2 * k]


def combined(spectra: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Spectra (feature, sample, K) times coefficients (feature, component, K), real or complex.

    Both of the same precision; gives (component, sample, K).

    >>> combined(np.array([[[1j]], [[2.0]]]), np.array([[[3.0]], [[4.0]]]))
    array([[[8.+3.j]]])
    """
    out = np.empty((coefficients.shape[1], *spectra.shape[1:]), spectra.dtype)
    real = spectra.real.dtype
    seen = [np.ascontiguousarray(a).view(real) for a in (spectra, coefficients)]
    run = _by_complex if np.iscomplexobj(coefficients) else _by_real
    run(*seen, out.view(real))
    return out
