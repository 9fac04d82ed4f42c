"""What a localization remembers of its samples: sums that can be merged, and their solution."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from mksdask import fft
from mksdask.errors import DataError
from mksdask.lazy import ArrayLike, is_lazy, summarize_samples
from mksdask.linkage.frequency_equations import FrequencyEquations
from mksdask.linkage.frequency_orbits import Symmetrization
from mksdask.linkage.local_features import LocalFeatures
from mksdask.progress import compute

# Fields and transforms of a few samples at once, so that they stay in the cache.
_BATCH_BYTES = 2**23


@dataclass
class LocalizationSums:
    """Normal equations at every frequency k != 0, and those of the means of the samples.

    The means obey mean p = c + sum_a A_a[0] mean f_a: ``mean_gram`` (F + 1, F + 1) and
    ``mean_moment`` (F + 1, C) are their normal equations, the constant last.
    """

    equations: FrequencyEquations
    mean_gram: np.ndarray
    mean_moment: np.ndarray

    @property
    def n_samples(self) -> int:
        """Number of samples added up."""
        return self.equations.n_samples

    @property
    def reference(self) -> np.ndarray:
        """Mean of every feature over all samples."""
        means: np.ndarray = self.mean_gram[-1, :-1] / self.mean_gram[-1, -1]
        return means

    @classmethod
    def merged(cls, parts: Sequence[LocalizationSums]) -> LocalizationSums:
        """Sums over the samples of all ``parts``."""
        return cls(
            FrequencyEquations.merged([p.equations for p in parts]),
            reduce(np.add, [p.mean_gram for p in parts]),
            reduce(np.add, [p.mean_moment for p in parts]),
        )

    def to_saved(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """JSON and arrays."""
        facts = {"n_samples": self.n_samples, "epsilon": self.equations.epsilon}
        means = {"mean_gram": self.mean_gram, "mean_moment": self.mean_moment}
        return facts, self.equations.to_arrays() | means

    @classmethod
    def from_saved(cls, facts: Any, arrays: Any) -> LocalizationSums:
        """The sums that were saved."""
        equations = FrequencyEquations(
            facts["n_samples"],
            arrays["gram"],
            arrays["moment"],
            arrays["power"],
            facts["epsilon"],
        )
        return cls(equations, arrays["mean_gram"], arrays["mean_moment"])


def summed(
    summarize: Callable[..., Any],
    merge: Callable[[list[Any]], Any],
    *fields: ArrayLike,
    shared: Sequence[np.ndarray] = (),
    label: str,
) -> Any:
    """Sums over all samples of ``summarize(*blocks of fields, *shared)``; computes now."""
    if any(is_lazy(field) for field in fields):
        tree = summarize_samples(fields[0], summarize, merge, *fields[1:], shared=shared)
        return compute(tree, label=label)[0]
    return summarize(*fields, *shared)


def sums_of_block(
    block: np.ndarray, response: np.ndarray, *, features: LocalFeatures, wrap: Sequence[bool]
) -> LocalizationSums:
    """Sums over a block: (samples, *space, *state_dims) and (samples, *space, component).

    Along axes that do not ``wrap`` around, deviations from the mean of each sample are tapered
    (see :func:`taper`) before they are transformed.
    """
    n_space = len(wrap)
    shape = block.shape[1 : 1 + n_space]
    space = tuple(range(2, 2 + n_space))
    n_components = response.shape[-1]
    n_frequencies = int(np.prod(shape[:-1])) * (shape[-1] // 2 + 1)
    equations = FrequencyEquations.empty(features.n_features, n_components, n_frequencies)
    means = np.ones((features.n_features + 1 + n_components, len(block)))
    features.basis.check(block)
    window = taper(shape, wrap)
    for part in batches(len(block), int(np.prod(shape)), features.n_features + n_components):
        fields = features.fields(block[part], wrap)
        given = np.ascontiguousarray(np.moveaxis(response[part], -1, 0))
        if given.dtype != np.float32:
            given = given.astype(np.float64, copy=False)
        check_finite(given, part.start)
        averages = [f.mean(axis=space, dtype=float) for f in (fields, given)]
        means[: features.n_features, part] = averages[0]
        means[features.n_features + 1 :, part] = averages[1]
        if window is not None:
            fields, given = (_tapered(f, window, space) for f in (fields, given))
        spectra = [
            fft.rfftn(f, axes=space).reshape(len(f), -1, n_frequencies).transpose(1, 0, 2)
            for f in (fields, given)
        ]
        equations.add(*spectra)
    inputs, outputs = means[: features.n_features + 1], means[features.n_features + 1 :]
    return LocalizationSums(equations, inputs @ inputs.T, inputs @ outputs.T)


def taper(shape: Sequence[int], wrap: Sequence[bool]) -> np.ndarray | None:
    """Half a period of a sine along the axes that do not wrap around; None if all do.

    A cut-out f w of a larger body has the response p w only where w hardly changes over the reach
    of the kernel; a periodic continuation would put a jump there instead. Of the usual windows the
    sine leaves the smallest error in kernels of known answer (a third of that of taking the
    cut-outs to be periodic, see the tests).

    >>> taper((4,), (False,)).round(3)
    array([0.383, 0.924, 0.924, 0.383])
    """
    if all(wrap):
        return None
    window = np.ones(tuple(shape))
    for axis, (n, around) in enumerate(zip(shape, wrap, strict=True)):
        if not around:
            along = np.sin(np.pi * (np.arange(n) + 0.5) / n)
            window *= along.reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return window


def batches(n: int, n_voxels: int, n_fields: int) -> Iterator[slice]:
    """Slices of a few samples each."""
    size = max(1, _BATCH_BYTES // max(1, 24 * n_voxels * n_fields))
    for start in range(0, n, size):
        yield slice(start, min(n, start + size))


@dataclass(frozen=True)
class Calibration:
    """Solved equations: coefficients (F, C, K) with those of the means at k = 0; constants (C,).

    ``rank`` has the rank at each frequency, at k = 0 that of the means (F + 1 is full).
    """

    coefficients: np.ndarray
    constant: np.ndarray
    rank: np.ndarray


def calibrate(
    sums: LocalizationSums,
    features: LocalFeatures,
    ridge: float,
    symmetrization: Symmetrization | None = None,
) -> Calibration:
    """Solve the normal equations, of the samples or of all their copies under symmetries."""
    check_varied(sums.equations)
    if symmetrization is None:
        solution = sums.equations.solve(ridge)
    else:
        solution = symmetrization.solve(sums.equations, ridge)
        means = symmetrization.means(sums.mean_gram, sums.mean_moment)
        sums = LocalizationSums(sums.equations, *means)
    slopes, constant, rank = _solved_means(sums, features, ridge)
    solution.coefficients[:, :, 0] = slopes
    solution.rank[0] = rank
    return Calibration(solution.coefficients, constant, solution.rank)


def check_varied(equations: FrequencyEquations) -> None:
    """Refuse sums over samples without content at any frequency but 0."""
    if equations.squares[:, 1:].max(initial=0) <= equations.rounding_floor():
        raise DataError(
            f"the {equations.n_samples} microstructures are all uniform: there is nothing to learn "
            "from them; give samples in which the local state varies"
        )


def _solved_means(
    sums: LocalizationSums, features: LocalFeatures, ridge: float
) -> tuple[np.ndarray, np.ndarray, int]:
    """Slopes (F, C), constants (C,) and rank of the regression of the means.

    Of many solutions, that of minimum norm in the coefficients of all states, the left out ones
    included. With a ridge, it shrinks the slopes, and not the constant.
    """
    matrix = features.from_features
    gram = matrix @ sums.mean_gram @ matrix.T
    upper = np.triu_indices(len(gram))
    means = FrequencyEquations(
        sums.n_samples,
        gram[upper][:, None].astype(complex),
        (matrix @ sums.mean_moment)[:, :, None].astype(complex),
        np.zeros((sums.mean_moment.shape[1], 1)),
        float(np.finfo(float).eps),
    ).solve()
    rank = int(means.rank[0])
    if ridge == 0:
        found = matrix.T @ means.coefficients[:, :, 0].real
        return found[:-1], found[-1], rank
    n, average = sums.n_samples, sums.mean_gram[-1, :-1] / sums.n_samples
    response = sums.mean_moment[-1] / n
    spread = sums.mean_gram[:-1, :-1] - n * np.outer(average, average)
    together = sums.mean_moment[:-1] - n * np.outer(average, response)
    scale = np.sqrt(sums.mean_gram.diagonal()[:-1])
    scale[scale == 0] = 1
    slopes = np.linalg.solve(
        spread / np.outer(scale, scale) + ridge * np.eye(len(scale)), together / scale[:, None]
    )
    slopes /= scale[:, None]
    return slopes, response - average @ slopes, rank


def _tapered(fields: np.ndarray, window: np.ndarray, space: tuple[int, ...]) -> np.ndarray:
    weight = window / window.sum()
    mean = (fields * weight).sum(axis=space, keepdims=True)
    return ((fields - mean) * window).astype(fields.dtype, copy=False)


def check_finite(given: np.ndarray, first: int) -> None:
    """Refuse NaN and infinity in responses (component, samples, *space), from number ``first`` on."""
    # The sum is finite unless a value is not, or it overflows: look closely only then.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(given.sum()):
            return
    bad = ~np.isfinite(given).all(axis=(0, *range(2, given.ndim)))
    if bad.any():
        raise DataError(
            f"NaN or infinite values in the responses of {bad.sum()} samples of a block (the first "
            f"is number {first + int(np.argmax(bad))} of it): leave these samples out"
        )
