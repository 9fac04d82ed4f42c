"""Features that know the mechanics: the interaction of phases, bounds, a few solver iterations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mksdask.bounds.interaction import green_average_of, interactions, phase_powers
from mksdask.bounds.stiffness import options_of, phase_table
from mksdask.bounds.willis import Source, bounds_of_block
from mksdask.errors import DataError
from mksdask.features.base import FeatureSet, grid_of, label_of, voxel_of
from mksdask.lazy import ArrayLike
from mksdask.simulate.arguments import Control
from mksdask.simulate.cells import ElasticPhases, elastic_table, voigt_scale
from mksdask.simulate.loads import parse_load
from mksdask.simulate.stiffness import TENSOR
from mksdask.statistics.correlate import batches

# Estimates differ by at least this much of themselves, or by rounding.
_SMALLEST_DROP = 1e-4


class Interaction(FeatureSet):
    """Volume fraction of a phase and how it acts on itself through an elastic medium.

    A = 1/S^2 sum_{k != 0} |m^(k)|^2 Gamma(k), scaled by 1/(v (1 - v)), for a medium of unit
    Young's modulus: the 6 x 6 (in the plane 3 x 3) numbers through which two-point statistics enter
    the Hashin-Shtrikman-Willis bounds, see :func:`mksdask.stiffness_bounds`. They tell shape
    anisotropy to first order and are smooth in the statistics, so few cells are needed to learn
    from them.

    Parameters
    ----------
    state
        Label of the phase.
    poissons_ratio
        Of the medium.
    symmetric
        Keep only the constants that do not change sign when an axis is reflected (9 of 21 in space,
        4 of 6 in the plane), for structures without preferred shear.

    Examples
    --------
    >>> layers = np.repeat([0, 1], 4)[None, :, None] * np.ones((1, 8, 8), int)
    >>> Interaction(poissons_ratio=0.0).transform(layers).round(3)   # v, xx, xx-yy, yy, xy
    array([[0.5, 1. , 0. , 0. , 2. ]])
    """

    def __init__(self, state: int = 1, poissons_ratio: float = 0.3, symmetric: bool = True):
        self.state = state
        self.poissons_ratio = poissons_ratio
        self.symmetric = symmetric

    def transform(self, phase: ArrayLike) -> ArrayLike:
        """Volume fraction, then the upper triangle of A / (v (1 - v)), (sample, feature)."""
        d = len(grid_of(phase))
        if d not in (2, 3):
            raise ValueError(f"phase has {d} axes of space; wanted 2 or 3")
        medium = phase_table((1.0,), (self.poissons_ratio,), None, "strain", d)[0]
        scale = voigt_scale(voxel_of(phase))
        state = label_of(self.state)
        labels = TENSOR[d]
        upper = [
            (i, j)
            for i in range(len(labels))
            for j in range(i, len(labels))
            if not self.symmetric or i == j or j < d
        ]
        names = ["v", *(f"A[{labels[i]},{labels[j]}]" for i, j in upper)]
        return self._lifted(
            _interaction,
            phase,
            names,
            state=state,
            medium=medium,
            scale=scale,
            upper=tuple(upper),
        )


class SeriesParallel(FeatureSet):
    """Springs in series and in parallel along each axis, logarithms.

    For each axis two ways to reduce a cell to springs of the phases' moduli E: sheets across the
    axis in series, each the mean of its voxels (too stiff), and columns along it in parallel, each
    the harmonic mean of its voxels (too soft). They see sheets that cut a phase and columns that
    run through it, which two-point statistics do not.

    Parameters
    ----------
    modulus
        One number a phase.

    Examples
    --------
    >>> layers = np.array([0, 1])[None, :, None] * np.ones((1, 2, 2), int)
    >>> np.exp(SeriesParallel((1.0, 3.0)).transform(layers))     # series along x, parallel along y
    array([[1.5, 1.5, 2. , 2. ]])
    """

    def __init__(self, modulus: Sequence[float]):
        self.modulus = modulus

    def transform(self, phase: ArrayLike) -> ArrayLike:
        """Sheets and columns along each axis, (sample, feature)."""
        modulus = np.asarray(self.modulus, float)
        if modulus.ndim != 1 or not len(modulus) or not (modulus > 0).all():
            raise ValueError(
                f"modulus is {self.modulus!r}; wanted a positive number for each phase"
            )
        names = [f"{way}[{d}]" for d in grid_of(phase) for way in ("sheets", "columns")]
        return self._lifted(_springs, phase, names, modulus=modulus)


class SolverEstimates(FeatureSet):
    """What the first iterations of the solver say of an effective constant, beside its bounds.

    Conjugate gradients approach the stored energy, hence the constant, from above: E_0 is the mean
    stiffness, E_1, E_2 ... the estimates after so many iterations, each a rigorous upper bound. For
    each load the features are log(E_n / lower), log(upper / E_n), the drops log(E_(i-1) / E_i) and
    their logarithms, and log of the ratio of successive drops, which says how fast the rest will
    follow; lower and upper are the bounds of :func:`mksdask.stiffness_bounds`. A model with these
    features is a solver stopped early and finished by regression.

    Parameters
    ----------
    youngs_modulus, poissons_ratio
        One number a phase.
    load
        Component of the mean strain, ``"xx"``, or several: ``("xx", "xy")``.
    iterations
        Increasing counts. Each is a solve of its own, so their sum sets the cost.

    Examples
    --------
    >>> phase = np.indices((6, 6)).sum(axis=0)[None] // 3 % 2
    >>> SolverEstimates((1.0, 5.0), (0.3, 0.3), "xx").transform(phase).shape
    (1, 7)
    """

    def __init__(
        self,
        youngs_modulus: Sequence[float],
        poissons_ratio: Sequence[float],
        load: str | Sequence[str] = "xx",
        iterations: Sequence[int] = (1, 2),
    ):
        self.youngs_modulus = youngs_modulus
        self.poissons_ratio = poissons_ratio
        self.load = load
        self.iterations = iterations

    def transform(self, phase: ArrayLike) -> ArrayLike:
        """Features of each load in turn, (sample, feature)."""
        d = len(grid_of(phase))
        if d not in (2, 3):
            raise ValueError(f"phase has {d} axes of space; wanted 2 or 3")
        loads = (self.load,) if isinstance(self.load, str) else tuple(self.load)
        unknown = [name for name in loads if name not in TENSOR[d]]
        if unknown or not loads:
            raise ValueError(f"load is {self.load!r}; wanted one or more of {TENSOR[d]}")
        counts = tuple(np.ravel(self.iterations).tolist())
        whole = all(isinstance(n, int) and not isinstance(n, bool) for n in counts)
        if not whole or not counts or counts[0] < 1 or (np.diff(counts) < 1).any():
            raise ValueError(
                f"iterations is {self.iterations!r}; wanted increasing counts from 1 on"
            )
        table, isotropic_phases = elastic_table(self.youngs_modulus, self.poissons_ratio, None, d)
        per_load = ["lower", "upper", *(f"drop{n}" for n in counts)]
        per_load += [f"log_drop{n}" for n in counts] + [f"rate{n}" for n in counts[1:]]
        names = [f"{what}[{load}]" for load in loads for what in per_load]
        voxel = voxel_of(phase)
        phases = ElasticPhases(
            table, isotropic_phases, d, "strain", False, np.dtype(np.float32), voxel
        )
        reduced = phase_table(self.youngs_modulus, self.poissons_ratio, None, "strain", d)
        return self._lifted(
            _solver_features,
            phase,
            names,
            phases=phases,
            bounding=options_of(reduced, voxel, Source(len(reduced))),
            loads=loads,
            counts=counts,
        )


def _interaction(
    block: np.ndarray,
    *,
    state: int,
    medium: np.ndarray,
    scale: np.ndarray,
    upper: tuple[tuple[int, int], ...],
) -> np.ndarray:
    space = block.shape[1:]
    # of the unit voxels that stand for boxes
    both = np.multiply.outer(scale, scale)
    gamma = green_average_of(tuple(map(tuple, (medium * both).tolist())), space)
    rows, columns = np.array(upper).T
    out = np.empty((len(block), 1 + len(upper)))
    for part in batches(len(block), 32 * int(np.prod(space))):
        fractions, powers = phase_powers((block[part] == state).astype(np.uint8), 2)
        tensor = interactions(powers, gamma, 2)[:, 1, 1] * both
        out[part, 0] = v = fractions[:, 1]
        # of a cell without one of the phases A is zero, and so is its limit here
        spread = np.maximum(v * (1 - v), 1e-3)
        out[part, 1:] = tensor[:, rows, columns] / spread[:, None]
    return out


def _springs(block: np.ndarray, *, modulus: np.ndarray) -> np.ndarray:
    if block.min(initial=0) < 0 or block.max(initial=0) >= len(modulus):
        raise DataError(
            f"phase holds labels from {block.min()} to {block.max()}, and modulus has "
            f"{len(modulus)} numbers; wanted labels from 0 to {len(modulus) - 1}"
        )
    out = np.empty((len(block), 2 * (block.ndim - 1)))
    for row, labels in zip(out, block, strict=True):
        sample = modulus[labels]
        for axis in range(sample.ndim):
            others = tuple(a for a in range(sample.ndim) if a != axis)
            row[2 * axis] = -np.log((1 / sample.mean(axis=others)).mean())
            row[2 * axis + 1] = np.log((1 / (1 / sample).mean(axis=axis)).mean())
    return out


def _solver_features(
    block: np.ndarray,
    *,
    phases: Any,
    bounding: dict[str, Any],
    loads: tuple[str, ...],
    counts: tuple[int, ...],
) -> np.ndarray:
    from mksdask.simulate.cell_blocks import solved  # here, as it brings in the compiler

    labels = TENSOR[phases.dimensions]
    bounds = bounds_of_block(block, **bounding)
    names = np.arange(len(block))  # labels are checked by now, so no message will tell them
    groups = []
    for load in loads:
        c = labels.index(load)
        lower, upper = np.log(bounds[:, 0, c, c]), np.log(bounds[:, 1, c, c])
        estimates = []
        for count in (0, *counts):
            control = Control.checked("fft", None, count, "flag", phases.dtype, 1)
            found = solved(
                block,
                names,
                phases=phases,
                control=control,
                load=parse_load({load: 1.0}, None, labels),
                components=(load,),
                outputs={"mean_stress": False},
            )
            estimates.append(np.log(found["mean_stress"][:, 0]))
        drops = np.maximum(-np.diff(estimates, axis=0), 0)
        log_drops = np.log(drops + _SMALLEST_DROP)
        groups += [estimates[-1] - lower, upper - estimates[-1], *drops, *log_drops]
        groups += list(np.diff(log_drops, axis=0))
    return np.stack(groups, axis=1)
