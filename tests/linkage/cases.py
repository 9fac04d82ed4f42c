"""Small ensembles whose property is a known function of their statistics."""

from __future__ import annotations

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator

from mksdask.bases import PrimitiveBasis

BASIS = PrimitiveBasis(2)


def cells(n=60, shape=(8, 6), seed=0, names=True):
    """Random two-phase cells of different volume fractions, and a smooth property of each."""
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.2, 0.8, n)
    values = (rng.random((n, *shape)) < share[:, None, None]).astype("uint8")
    coords = {"sample": [f"c{seed}-{i}" for i in range(n)]} if names else {}
    phase = xr.DataArray(
        values,
        dims=("sample", "x", "y"),
        coords=coords,
        attrs={"voxel_size": [0.5, 0.5], "voxel_unit": "um"},
    )
    fraction = values.mean(axis=(1, 2))
    y = xr.DataArray(
        1 + fraction + 0.5 * fraction**2,
        dims="sample",
        coords=coords,
        name="stiffness",
        attrs={"unit": "GPa"},
    )
    return phase, y


class Fraction(BaseEstimator):
    """A feature set: powers of the volume fraction of phase 1."""

    def __init__(self, powers=1):
        self.powers = powers

    def transform(self, phase):
        from mksdask.lazy import lift

        names = ("sample", "x", "y")
        dims = tuple(phase.dims) if isinstance(phase, xr.DataArray) else names
        return lift(
            _powers,
            phase,
            dims=[dims],
            out_dims=("sample", "feature"),
            sizes={"feature": self.powers},
            dtype=float,
            kwargs={"n": self.powers},
        )

    def get_feature_names_out(self):
        return np.array([f"v^{i + 1}" for i in range(self.powers)])


def _powers(block, n):
    v = block.mean(axis=tuple(range(1, block.ndim)))
    return np.stack([v ** (i + 1) for i in range(n)], axis=1)


class Ratio(BaseEstimator):
    """A target transform: the logarithm of the property over 1 + v."""

    def __init__(self, shift=1.0):
        self.shift = shift

    def references(self, phase):
        return Fraction().transform(phase)

    def transform(self, y, references):
        return np.log(y / (self.shift + references))

    def inverse_transform(self, t, references):
        return np.exp(t) * (self.shift + references)
