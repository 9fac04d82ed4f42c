"""Averages over each voxel of the gradient and the flux of a solution."""

from __future__ import annotations

import numpy as np

from mksdask.simulate.stiffness import TENSOR


def mean_gradient(u: np.ndarray, axis: int) -> np.ndarray:
    """Derivative of nodal values along an axis, averaged over each periodic unit voxel.

    >>> mean_gradient(np.array([[0.0, 0.0], [1.0, 3.0]]), 0)
    array([[ 2.,  2.],
           [-2., -2.]])
    """
    for a in range(u.ndim):
        following = np.roll(u, -1, a)
        u = following - u if a == axis else (following + u) * u.dtype.type(0.5)
    return u


def strain(u: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Strain (x, y[, z], Voigt component) of displacements (component, x, y[, z]) and a mean."""
    labels = TENSOR[len(u)]
    out = np.empty((*u.shape[1:], len(labels)), u.dtype)
    for n, label in enumerate(labels):
        i, j = ("xyz".index(c) for c in label)
        value = mean_gradient(u[i], j)
        if i != j:
            value += mean_gradient(u[j], i)
        out[..., n] = value + u.dtype.type(mean[n])
    return out


def stress(constants: np.ndarray, strain: np.ndarray) -> np.ndarray:
    """Stress (x, y[, z], component) of a material (constant, x, y[, z]) as the kernels take it."""
    out = np.empty_like(strain)
    if len(constants) == 2:  # lambda and mu
        lam, mu = constants
        pressure = lam * (strain[..., 0] + strain[..., 1] + strain[..., 2])
        for n in range(3):
            out[..., n] = pressure + 2 * mu * strain[..., n]
        for n in range(3, 6):
            out[..., n] = mu * strain[..., n]
        return out
    n_components = strain.shape[-1]
    place = np.zeros((n_components, n_components), int)
    place[np.triu_indices(n_components)] = range(len(constants))
    place = np.maximum(place, place.T)
    for i in range(n_components):
        out[..., i] = sum(constants[place[i, j]] * strain[..., j] for j in range(n_components))
    return out
