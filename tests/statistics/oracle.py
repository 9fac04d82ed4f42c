"""Two-point statistics by their definition: sums over voxels, shift by shift."""

from itertools import product

import numpy as np

from mksdask.statistics.combine import LEAST_OVERLAP


def lags_of(size, periodic, cutoff):
    lags = range(-cutoff, cutoff + 1)
    # Lags -N/2 and N/2 of an even periodic axis are the same one.
    return [r for r in lags if not (periodic and 2 * r == size)]


def direct(m, pairs, periodic, cutoff, weight=None):
    """f[p, r] of one sample from its microstructure function m[h, s].

    f = sum_s c[s] conj(m[h; s]) c[s + r] m[h'; s + r] / sum_s c[s] c[s + r].
    """
    space = m.shape[1:]
    weight = np.ones(space) if weight is None else np.asarray(weight, float)
    lags = [lags_of(*args) for args in zip(space, periodic, cutoff, strict=True)]
    out = np.full((len(pairs), *map(len, lags)), np.nan, m.dtype)
    for index in product(*(range(len(each)) for each in lags)):
        here, there = np.indices(space), np.indices(space)
        inside = np.ones(space, bool)
        for d, i in enumerate(index):
            there[d] += lags[d][i]
            if periodic[d]:
                there[d] %= space[d]
            inside &= (there[d] >= 0) & (there[d] < space[d])
        s = tuple(axis[inside] for axis in here)
        t = tuple(axis[inside] for axis in there)
        n_pairs = np.sum(weight[s] * weight[t])
        if n_pairs >= LEAST_OVERLAP:
            for p, (h, k) in enumerate(pairs):
                products = weight[s] * m[(h, *s)].conj() * weight[t] * m[(k, *t)]
                out[(p, *index)] = products.sum() / n_pairs
    return out
