"""Matrix products on one thread, since Dask already runs one task a core."""

from __future__ import annotations

import numpy as np

# BLAS libraries multiply on one thread up to about this many products of two numbers (OpenBLAS:
# 4 times 65536); larger products are taken in pieces.
ONE_THREAD_PRODUCTS = 2**18


def matrix_times_columns(
    matrix: np.ndarray, columns: np.ndarray, out: np.ndarray | None = None
) -> np.ndarray:
    """``matrix @ columns`` for small (..., m, n) matrices and (..., n, many) columns, in ``out``.

    >>> matrix_times_columns(np.eye(2), np.arange(4.0).reshape(2, 2))
    array([[0., 1.],
           [2., 3.]])
    """
    n_rows, n = matrix.shape[-2:]
    row_step = max(1, min(n_rows, ONE_THREAD_PRODUCTS // (8 * n)))
    column_step = max(1, ONE_THREAD_PRODUCTS // (row_step * n))
    n_columns = columns.shape[-1]
    if row_step >= n_rows and column_step >= n_columns:
        return np.matmul(matrix, columns, out=out)
    if out is None:
        out = np.empty((*columns.shape[:-2], n_rows, n_columns), columns.dtype)
    for i in range(0, n_rows, row_step):
        for j in range(0, n_columns, column_step):
            piece = (..., slice(i, i + row_step), slice(j, j + column_step))
            rows = matrix[..., i : i + row_step, :]
            out[piece] = np.matmul(rows, columns[..., j : j + column_step])
    return out


def rows_times_matrix(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """``rows @ matrix`` for many rows (..., n) and a small (n, m) matrix.

    >>> rows_times_matrix(np.arange(4.0).reshape(2, 2), np.eye(2))
    array([[0., 1.],
           [2., 3.]])
    """
    n, m = matrix.shape
    flat = rows.reshape(-1, n)
    step = max(1, ONE_THREAD_PRODUCTS // max(1, n * m))
    out = np.empty((len(flat), m), np.result_type(rows, matrix))
    for i in range(0, len(flat), step):
        np.matmul(flat[i : i + step], matrix, out=out[i : i + step])
    return out.reshape(*rows.shape[:-1], m)
