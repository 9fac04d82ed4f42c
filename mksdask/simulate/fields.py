"""Averages over each voxel of the gradient and the flux of a solution."""

from __future__ import annotations

import numpy as np

from mksdask.simulate.stiffness import TENSOR


def mean_gradient(u: np.ndarray, axis: int) -> np.ndarray:
    """Derivative of nodal values (job, x, y[, z]), averaged over each periodic unit voxel.

    ``axis`` counts the axes of space from 0.

    >>> mean_gradient(np.array([[[0.0, 0.0], [1.0, 3.0]]]), 0)
    array([[[ 2.,  2.],
            [-2., -2.]]])
    """
    for a in range(1, u.ndim):
        following = np.roll(u, -1, a)
        u = following - u if a == axis + 1 else (following + u) * u.dtype.type(0.5)
    return u


def strain(u: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Strain (job, x, y[, z], component) of displacements (job, component, x, y[, z]) and means."""
    labels = TENSOR[u.shape[1]]
    out = np.empty((len(u), *u.shape[2:], len(labels)), u.dtype)
    for n, label in enumerate(labels):
        i, j = ("xyz".index(c) for c in label)
        value = mean_gradient(u[:, i], j)
        if i != j:
            value += mean_gradient(u[:, j], i)
        uniform = mean[:, n].astype(u.dtype)
        out[..., n] = value + uniform.reshape(-1, *[1] * (value.ndim - 1))
    return out


def stress(constants: np.ndarray, strain: np.ndarray) -> np.ndarray:
    """Stress (job, x, y[, z], component) of materials (job, constant, x, y[, z])."""
    out = np.empty_like(strain)
    c = np.moveaxis(constants, 1, 0)
    if len(c) == 2:  # lambda and mu
        lam, mu = c
        pressure = lam * (strain[..., 0] + strain[..., 1] + strain[..., 2])
        for n in range(3):
            out[..., n] = pressure + 2 * mu * strain[..., n]
        for n in range(3, 6):
            out[..., n] = mu * strain[..., n]
        return out
    n_components = strain.shape[-1]
    place = np.zeros((n_components, n_components), int)
    place[np.triu_indices(n_components)] = range(len(c))
    place = np.maximum(place, place.T)
    for i in range(n_components):
        out[..., i] = sum(c[place[i, j]] * strain[..., j] for j in range(n_components))
    return out
