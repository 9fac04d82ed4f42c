"""Where the training samples lie in the space of descriptors, and how far outside others are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Descriptors without spread may differ by this share of themselves: rounding, in any chunks. A
#: sample whose variation is shared by others by no more than this varies alone.
SAME = 1e-9


@dataclass(frozen=True)
class Cloud:
    """Mean and spread of training samples, and the largest distance that is nothing unusual.

    The distance of a sample z is Mahalanobis's, d^2 = (z - mean)^T C^-1 (z - mean), with C the
    covariance of the training samples. It is compared with the largest distance that a training
    sample has from all the others (mean and covariance taken without it). A further sample drawn
    like n training samples exceeds that with a probability of 1/(n + 1).

    Where a descriptor is the same in all training samples, any other value is outside. Training
    samples that alone vary in some direction are no measure for others. If all are such, as samples
    are too few for their descriptors, nothing can be told: the limit is infinite, distances NaN.
    """

    mean: np.ndarray
    whitening: np.ndarray
    limit: float

    @classmethod
    def of(cls, z: np.ndarray) -> Cloud:
        """The cloud of samples of shape (sample, descriptor)."""
        n = len(z)
        mean = z.mean(axis=0)
        moved = z - mean
        scale = np.abs(moved).max(axis=0)
        size = np.abs(z).max(axis=0)
        same = scale <= 8 * np.finfo(float).eps * size
        moved[:, same], scale[same] = 0, 1
        left, values, right = np.linalg.svd(moved / scale, full_matrices=False)
        kept = values > max(z.shape) * np.finfo(float).eps * values[:1].max(initial=0)
        whitening = right[kept].T / values[kept] * np.sqrt(n - 1) / scale[:, None]
        # Share of each sample in the scatter, from which it is taken out by Sherman and Morrison.
        share = (left[:, kept] ** 2).sum(axis=1)
        rest = 1 - n / (n - 1) * share
        rest[rest < SAME] = 0
        # One that alone varies in some direction is infinitely far from the others: no yardstick.
        alone = (n - 2) * (n / (n - 1)) ** 2 * share[rest > 0] / rest[rest > 0]
        limit = float(np.sqrt(alone.max(initial=0))) or np.inf
        if np.isfinite(limit) and same.any():
            steep = np.eye(len(mean))[:, same] * limit / (SAME * np.maximum(size[same], SAME))
            whitening = np.concatenate([whitening, steep], axis=1)
        return cls(mean, whitening, limit)

    def distances(self, z: np.ndarray) -> np.ndarray:
        """Distance of each sample in units of the limit; outside the cloud where above 1."""
        if not np.isfinite(self.limit):
            return np.full(len(z), np.nan)
        return np.sqrt((((z - self.mean) @ self.whitening) ** 2).sum(axis=1)) / self.limit
