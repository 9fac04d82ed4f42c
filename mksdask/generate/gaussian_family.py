"""Two-phase microstructures of randomly chosen anisotropy and volume fraction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from mksdask.generate.arguments import AXES, checked_samples, checked_shape
from mksdask.generate.blur import cut_at_ranks, gaussian_filter, smoothed
from mksdask.generate.provenance import described
from mksdask.generate.seeded import drawn_per_sample, lazy_samples


def gaussian_family(
    n_samples: int,
    shape: Sequence[int] = (51, 51, 51),
    *,
    widths: Sequence[float] = (1, 3, 5, 7),
    fractions: tuple[float, float] = (0.25, 0.75),
    seed: int = 0,
    first_sample: int = 0,
    chunks: int | None = None,
) -> xr.DataArray:
    """The family of cells on which localization and homogenization are compared in the literature.

    Uniform noise is smoothed periodically by a Gaussian of standard deviation width_i / 2 along
    axis i, and the largest values become phase 1. Each sample has its own widths, drawn from
    ``widths`` for each axis, and its own volume fraction of phase 1, uniform in ``fractions`` and
    met within half a voxel.

    Parameters
    ----------
    n_samples, shape
        Number of samples and voxels along x[, y[, z]].
    widths
        The filter widths to draw from, in voxels.
    fractions
        Smallest and largest volume fraction of phase 1.
    seed, first_sample, chunks
        As for :func:`multiphase`.

    Returns
    -------
    DataArray ``phase``, dims (sample, x[, y[, z]]), with the coordinates ``width_x`` ... and
    ``fraction`` on the dimension sample.

    Examples
    --------
    >>> phase = gaussian_family(4, (15, 15, 15), seed=2)
    >>> phase.width_x.values
    array([7., 7., 3., 3.])
    >>> bool((abs(phase.mean(("x", "y", "z")) - phase.fraction) <= 0.5 / 15**3).all())
    True
    """
    shape = checked_shape(shape)
    n_samples, chunks = checked_samples(n_samples, first_sample, chunks, shape, seed)
    choices = np.atleast_1d(np.asarray(widths, dtype=float))
    if choices.ndim != 1 or not choices.size or not (choices > 0).all():
        raise ValueError(f"widths is {choices.tolist()}; wanted one or more positive numbers")
    if choices.max() > min(shape):
        raise ValueError(
            f"widths has the value {choices.max():g}, longer than the shortest axis of "
            f"{min(shape)} voxels: choose smaller widths or a larger shape"
        )
    if np.shape(fractions) != (2,) or not 0 <= fractions[0] <= fractions[1] <= 1:
        raise ValueError(f"fractions is {fractions}; wanted (smallest, largest) within 0 and 1")
    drawn = drawn_per_sample(seed, first_sample, n_samples, len(shape) + 1, purpose=1)
    picked = choices[(drawn[:, :-1] * choices.size).astype(int)]
    fraction = fractions[0] + (fractions[1] - fractions[0]) * drawn[:, -1]
    return lazy_samples(
        _make,
        shape,
        n_samples,
        seed=seed,
        first_sample=first_sample,
        chunks=chunks,
        parameters=np.hstack([picked, fraction[:, None]]),
        coords={
            **{f"width_{AXES[i]}": picked[:, i] for i in range(len(shape))},
            "fraction": fraction,
        },
        attrs=described(
            "gaussian_family",
            AXES[: len(shape)],
            seed,
            n_phases=2,
            widths=choices.tolist(),
            fractions=[float(f) for f in fractions],
        ),
    )


def _make(
    rng: np.random.Generator, parameters: np.ndarray, *, shape: tuple[int, ...]
) -> np.ndarray:
    *widths, fraction = parameters.tolist()
    filters = [gaussian_filter(n, w / 2) for n, w in zip(shape, widths, strict=True)]
    field = smoothed(rng.random(shape), filters)
    return cut_at_ranks(field[None], [round((1 - fraction) * field.size)])[0]
