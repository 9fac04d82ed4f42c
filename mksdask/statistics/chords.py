"""Chord lengths: how long a phase is along straight lines."""

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


def chord_length_distribution(
    phase: Any,
    state: int | str,
    axis: str | int,
    *,
    boundary: str = "nonperiodic",
    border: str = "exclude",
    normalize: bool = True,
) -> Any:
    """Distribution of the lengths of the chords of a phase along an axis.

    A chord is a run of voxels of the phase along a line of the grid, ended by other phases.
    p(l) = n(l) / sum_l' n(l'), with n(l) the number of chords of l voxels on all lines.

    Parameters
    ----------
    phase
        Labels (sample, x[, y[, z]]); DataArray, Dask or NumPy, whole in space.
    state
        Label of the phase, or its name in ``phase.attrs["phase_names"]``.
    axis
        Direction of the lines: "x", "y", "z" or the number of the spatial axis.
    boundary
        "periodic" joins the ends of each line, so no chord is cut; a line wholly inside the phase
        has no ends and counts as one chord of N voxels. "nonperiodic" lines end at the border.
    border
        What happens along non-periodic axes to chords cut by the border, whose length is only
        known to be at least what is seen. "exclude" leaves them out, which favours short chords:
        a chord of l voxels fits into N + 1 - l of N + 1 places. "include" counts what is seen.
    normalize
        False returns the numbers n(l).

    Returns
    -------
    (sample, length) for lengths 1 .. N voxels, float64, the same kind of array as ``phase``; NaN
    for a sample without any chord if ``normalize``. The mean chord is
    ``(p * p.length).sum("length")``.

    Examples
    --------
    >>> line = np.array([[1, 0, 1, 1, 0, 0, 1]])
    >>> chord_length_distribution(line, 1, "x")
    array([[0., 1., 0., 0., 0., 0., 0.]])
    >>> chord_length_distribution(line, 1, "x", boundary="periodic", normalize=False)
    array([[0., 2., 0., 0., 0., 0., 0.]])
    """
    if border not in ("exclude", "include"):
        raise ValueError(f"border is {border!r}; wanted 'exclude' or 'include'")
    space = spatial_dims(phase)
    require_labels(phase)
    along = axis_index(axis, space)
    n = axis_length(phase, space, along)
    return lift(
        chord_density,
        phase,
        dims=[(SAMPLE, *space)],
        out_dims=(SAMPLE, "length"),
        dtype=float,
        sizes={"length": n},
        coords={"length": ("length", np.arange(1, n + 1), {"units": "voxel"})},
        attrs={"axis": space[along], "state": state},
        name="chord_length_distribution",
        kwargs={
            "state": state_label(state, phase),
            "axis": along,
            "periodic": is_periodic(boundary),
            "include_cut": border == "include",
            "normalize": normalize,
        },
    )


def chord_density(
    block: np.ndarray, *, state: int, axis: int, periodic: bool, include_cut: bool, normalize: bool
) -> np.ndarray:
    """Chord lengths of a block of samples: (sample, x[, y[, z]]) to (sample, N)."""
    inside, cut, full = run_histograms(block, state, axis, periodic)
    counts = inside + cut + full if include_cut or periodic else inside
    numbers = counts[:, 1:].astype(float)
    if not normalize:
        return numbers
    with np.errstate(invalid="ignore"):
        return numbers / numbers.sum(axis=1, keepdims=True)
