"""White noise smoothed periodically by a Gaussian, and cut into phases."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from mksdask import fft
from mksdask.products import ONE_THREAD_PRODUCTS, matrix_times_columns, rows_times_matrix

# Up to here a product with the circulant matrix of the kernel is quicker than two transforms:
# 5 times on 101 x 101, 2 to 3 times on 51^3, about even at 256.
MATRIX_LIMIT = 256


def smoothed(field: np.ndarray, filters: Sequence[np.ndarray | None]) -> np.ndarray:
    """Convolve fields periodically with a separable kernel, one filter of ``axis_filter`` an axis.

    Axes before those of the filters count fields; the numbers of one do not depend on the others.

    >>> wide = axis_filter(np.array([0.5, 0.25, 0.0, 0.25]))
    >>> smoothed(np.array([0.0, 4.0, 0.0, 0.0]), [wide])
    array([1., 2., 1., 0.])
    """
    fields = field.reshape(-1, *field.shape[field.ndim - len(filters) :])
    for axis, weights in enumerate(filters, 1):
        if weights is None:
            continue
        if weights.ndim == 2:
            fields = _matrix_along(fields, axis, weights)
        else:
            fields = np.stack([_spectral_along(each, axis - 1, weights) for each in fields])
    return fields.reshape(field.shape)


def axis_filter(kernel: np.ndarray) -> np.ndarray | None:
    """Prepare a symmetric kernel, its weights at the offsets 0, 1 ... N-1 of a periodic axis.

    Its circulant matrix on short axes, its half spectrum on long ones, None for no smoothing.

    >>> axis_filter(np.array([0.5, 0.25, 0.25]))
    array([[0.5 , 0.25, 0.25],
           [0.25, 0.5 , 0.25],
           [0.25, 0.25, 0.5 ]])
    """
    if kernel[0] == 1.0:
        return None
    if len(kernel) > MATRIX_LIMIT:
        return fft.rfftn(kernel, axes=(0,)).real
    offsets = np.arange(len(kernel))
    return kernel[(offsets[:, None] - offsets) % len(kernel)]


@lru_cache(maxsize=32)
def gaussian_filter(n: int, std: float, reach: float = np.inf) -> np.ndarray | None:
    """Filter of :func:`gaussian_kernel`, made once for the samples which share it.

    >>> gaussian_filter(4, 1.0).shape
    (4, 4)
    """
    return axis_filter(gaussian_kernel(n, std, reach))


def gaussian_kernel(n: int, std: float, reach: float = np.inf) -> np.ndarray:
    """Weights exp(-x^2 / 2 std^2), |x| <= reach, on a periodic axis of ``n`` voxels, sum 1.

    >>> gaussian_kernel(5, 1.0).round(4)
    array([0.3989, 0.2421, 0.0584, 0.0584, 0.2421])
    """
    # Beyond 9 standard deviations the weights are below the rounding of the sum.
    last = int(min(reach, np.ceil(9 * std)))
    offsets = np.arange(-last, last + 1)
    weights = np.exp(-(offsets**2) / (2 * std**2))
    kernel = np.zeros(n)
    np.add.at(kernel, offsets % n, weights)
    return kernel / kernel.sum()


def cut_at_ranks(fields: np.ndarray, ranks: Sequence[int]) -> np.ndarray:
    """Label 0 for the ``ranks[0]`` smallest values, 1 for those up to ``ranks[1]``, and so on.

    The first axis counts fields, each of which is cut by itself.

    >>> cut_at_ranks(np.array([[0.3, 0.1, 0.9, 0.5]]), [1, 3])
    array([[1, 0, 2, 1]], dtype=uint8)
    """
    flat = fields.reshape(len(fields), -1)
    inner = [r for r in ranks if 0 < r < flat.shape[1]]
    below = sum([r <= 0 for r in ranks])
    if not inner:
        return np.full(fields.shape, below, dtype=np.uint8)
    ordered = np.partition(flat, inner, axis=1)
    labels = (flat >= ordered[:, inner[0], None]).view(np.uint8)
    for rank in inner[1:]:
        labels += flat >= ordered[:, rank, None]
    if below:
        labels += np.uint8(below)
    return labels.reshape(fields.shape)


def cut_evenly(field: np.ndarray, n_phases: int) -> np.ndarray:
    """Cut the range of a field into equal intervals, one a phase.

    >>> cut_evenly(np.array([0.0, 0.4, 0.6, 1.0]), 2)
    array([0, 0, 1, 1], dtype=uint8)
    """
    low, high = field.min(), field.max()
    if low == high:
        return np.zeros(field.shape, dtype=np.uint8)
    scaled = (field - low) * (n_phases / (high - low))
    return np.minimum(scaled, n_phases - 1).astype(np.uint8)


def _matrix_along(fields: np.ndarray, axis: int, matrix: np.ndarray) -> np.ndarray:
    """Products of one shape for each field, as the order of their sums depends on the shape."""
    if axis < fields.ndim - 1:
        columns = fields.reshape(*fields.shape[: axis + 1], -1)
        return matrix_times_columns(matrix, columns).reshape(fields.shape)
    rows = fields.reshape(len(fields), -1, len(matrix))
    if rows[:1].size * len(matrix) <= ONE_THREAD_PRODUCTS:
        found = np.matmul(rows, matrix)  # symmetric, so it may stand on either side
    else:
        found = np.stack([rows_times_matrix(each, matrix) for each in rows])
    return found.reshape(fields.shape)


def _spectral_along(field: np.ndarray, axis: int, spectrum: np.ndarray) -> np.ndarray:
    transformed = fft.rfftn(field, axes=(axis,))
    transformed *= spectrum.reshape((-1,) + (1,) * (field.ndim - 1 - axis))
    return fft.irfftn(transformed, s=(field.shape[axis],), axes=(axis,))
