"""Lineal path: how far one can go straight without leaving a phase."""

from __future__ import annotations

from typing import Any

import numpy as np

from mksdask.lazy import lift
from mksdask.statistics.phase_axes import (
    SAMPLE,
    axis_index,
    axis_length,
    is_periodic,
    require_labels,
    spatial_dims,
    state_label,
)
from mksdask.statistics.runs import run_histograms


def lineal_path(
    phase: Any,
    state: int | str,
    axis: str | int,
    max_length: int | None = None,
    *,
    boundary: str = "nonperiodic",
) -> Any:
    """Lineal-path function of a phase along an axis.

    L(r) = probability that the voxels s, s + 1, ..., s + r along the axis are all in the phase,
    over the S(r) places where such a segment fits: all N of a line of N voxels if it is
    ``periodic``, N - r if not. L(0) is the volume fraction, and L(r) <= f(r), the autocorrelation
    at the same lag, which asks only for the ends.

    Every run of m voxels holds m - r segments of r steps, cut by the border or not, so no
    correction is needed; a periodic line wholly in the phase holds N.

    Parameters
    ----------
    phase
        Labels (sample, x[, y[, z]]); DataArray, Dask or NumPy, whole in space.
    state
        Label of the phase, or its name in ``phase.attrs["phase_names"]``.
    axis
        Direction: "x", "y", "z" or the number of the spatial axis.
    max_length
        Largest r, at most N - 1, which is the default.
    boundary
        "periodic" or "nonperiodic".

    Returns
    -------
    (sample, length) for r = 0 .. ``max_length`` steps, float64, the same kind of array as
    ``phase``.

    Examples
    --------
    >>> lineal_path(np.array([[1, 1, 1, 0]]), 1, "x", 2).round(3)
    array([[0.75 , 0.667, 0.5  ]])
    """
    space = spatial_dims(phase)
    require_labels(phase)
    along = axis_index(axis, space)
    longest = _checked_length(max_length, axis_length(phase, space, along))
    return lift(
        path_probability,
        phase,
        dims=[(SAMPLE, *space)],
        out_dims=(SAMPLE, "length"),
        dtype=float,
        sizes={"length": longest + 1},
        coords={"length": ("length", np.arange(longest + 1), {"units": "voxel"})},
        attrs={"axis": space[along], "state": state},
        name="lineal_path",
        kwargs={
            "state": state_label(state, phase),
            "axis": along,
            "longest": longest,
            "periodic": is_periodic(boundary),
        },
    )


def path_probability(
    block: np.ndarray, *, state: int, axis: int, longest: int, periodic: bool
) -> np.ndarray:
    """Lineal path of a block of samples: (sample, x[, y[, z]]) to (sample, longest + 1)."""
    inside, cut, full = run_histograms(block, state, axis, periodic)
    n = block.shape[1 + axis]
    n_lines = int(np.prod(block.shape[1:])) // n
    # A periodic line wholly in the phase has no ends: it is counted apart.
    runs = inside + cut + (0 if periodic else full)
    # Segments of r steps: sum over m > r of runs(m) (m - r), a sum of sums from the long end.
    at_least = np.cumsum(runs[:, ::-1], axis=1)[:, ::-1]
    segments = np.cumsum(at_least[:, :0:-1], axis=1)[:, ::-1]
    places = np.full(n, n) if periodic else n - np.arange(n)
    if periodic:
        segments = segments + n * full.sum(axis=1, keepdims=True)
    return (segments / (n_lines * places))[:, : longest + 1]


def _checked_length(max_length: Any, n: int) -> int:
    if max_length is None:
        return n - 1
    if isinstance(max_length, bool) or not isinstance(max_length, int | np.integer):
        raise TypeError(f"max_length is {max_length!r}; wanted an integer number of voxels")
    if not 0 <= max_length < n:
        raise ValueError(
            f"max_length is {max_length}; wanted 0 to {n - 1}, one less than the axis has voxels"
        )
    return int(max_length)
