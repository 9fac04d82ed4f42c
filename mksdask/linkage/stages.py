"""Apply the stages of a staged localization to a block, and add up the sums of the next one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial, reduce
from typing import Any

import numpy as np

from mksdask import fft
from mksdask.errors import DataError, RankDeficientWarning
from mksdask.lazy import ArrayLike, is_lazy, lift
from mksdask.linkage.frequency_equations import FrequencyEquations
from mksdask.linkage.frequency_orbits import Symmetrization, frequency_orbits
from mksdask.linkage.local_features import LocalFeatures
from mksdask.linkage.localization_sums import batches, check_finite, check_varied
from mksdask.linkage.spectral_products import combined
from mksdask.linkage.sweep_features import SweepFeatures
from mksdask.linkage.symmetry import (
    Action,
    AxisMap,
    Group,
    action_on_features,
    action_on_labels,
)
from mksdask.progress import compute

# Of the largest component of the mean response: samples that differ by more had another load.
SAME_MEAN = 1e-4


@dataclass(frozen=True)
class StagePlan:
    """All that is known of a staged localization before it has seen its samples.

    ``labels`` name the components of the response after axes, ``("",)`` a single field; None if
    they have no names, which no symmetry but the identity can turn. ``single`` is the precision of
    the predictions, ``edges`` are those of a voxel, if they are known.
    """

    local: LocalFeatures
    sweep: SweepFeatures
    shape: tuple[int, ...]
    space: tuple[str, ...]
    labels: tuple[str, ...] | None
    group: Group
    single: bool
    edges: tuple[float, ...] | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the fields."""
        return np.dtype(np.float32 if self.single else np.float64)

    @cached_property
    def turning(self) -> list[Action]:
        """What each symmetry does to the components."""
        if self.labels is None:
            n = self.sweep.n_components
            return [Action(tuple(range(n)), (1,) * n) for _ in self.group]
        return [action_on_labels(g, self.labels, self.space) for g in self.group]

    def n_features(self, stage: int) -> int:
        """Number of fields a stage is linear in."""
        return self.sweep.n_features if stage else self.local.n_features

    def feature_names(self, stage: int, labels: Sequence[str]) -> list[str]:
        """Of the fields of a stage, with the components of the response named ``labels``."""
        if stage:
            named = ((x, "" if d is None else labels[d]) for x, d in self.sweep.names)
            return [" ".join(name).strip() for name in named]
        names = [f"{p.state} {p.part}".removesuffix(" whole") for p in self.local.parts]
        return names + [f"{p.first} {p.second} {p.offset}" for p in self.local.products]

    def symmetrization(self, stage: int) -> Symmetrization:
        """Of the sums and coefficients of a stage."""
        if stage:
            features = [self.sweep.action(turning) for turning in self.turning]
        else:
            features = [action_on_features(g, self.local) for g in self.group]
        return Symmetrization(frequency_orbits(self.shape, self.group), features, self.turning)

    def is_real(self, stage: int) -> bool:
        """Whether the coefficients are: A[k] = A[-k], if inversion is a symmetry."""
        moves = any(a.shifts is not None for a in self.symmetrization(stage).features)
        inversion = AxisMap(tuple(range(len(self.shape))), (-1,) * len(self.shape))
        if moves or inversion not in self.group:
            return False
        return min(self.turning[self.group.index(inversion)].signs) > 0

    def local_fields(self, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features of the first stage, and contrasts, of checked microstructures."""
        fields = self.local.fields(block, (True,) * len(self.shape))
        fields = fields.astype(self.dtype, copy=False)
        contrast = fields[: len(self.local.parts)]
        if self.local.basis.redundant:
            # Taken from the mean of the states, the contrasts of all of them add up to nothing.
            contrast = contrast - self.dtype.type(1 / self.local.basis.n_states)
        return fields, contrast

    def spectra(self, fields: np.ndarray) -> np.ndarray:
        """(field, samples, *space) to (field, samples, frequency)."""
        space = tuple(range(2, fields.ndim))
        return fft.rfftn(fields, axes=space).reshape(*fields.shape[:2], -1)

    def features(
        self, block: np.ndarray, mean: np.ndarray, coefficients: Sequence[np.ndarray]
    ) -> np.ndarray:
        """What a stage is linear in, after the stages with these coefficients."""
        fields, contrast = self.local_fields(block)
        for a in coefficients:
            fields = self.sweep.fields(contrast, self.strain(fields, a, mean), overwrite=True)
        return fields

    def strain(self, fields: np.ndarray, coefficients: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """Fields (component, samples, *space) that a stage gives, with the mean imposed."""
        found = combined(self.spectra(fields), coefficients)
        found[:, :, 0] = (mean * np.prod(self.shape))[:, None]
        half = (*self.shape[:-1], self.shape[-1] // 2 + 1)
        found = found.reshape(*found.shape[:2], *half)
        return fft.irfftn(found, s=self.shape, axes=tuple(range(2, found.ndim)), overwrite=True)

    def cast(self, coefficients: np.ndarray) -> np.ndarray:
        """In the precision of predictions."""
        complex_ = np.complex64 if np.iscomplexobj(coefficients) else 0
        return np.ascontiguousarray(coefficients, dtype=np.result_type(self.dtype, complex_))

    def warn_of_few(self, stage: int, n_samples: int, stacklevel: int) -> None:
        """Say if the samples do not determine the coefficients of a stage."""
        copies, n = len(self.group), self.n_features(stage)
        if n_samples * copies < n:
            warnings.warn(
                f"{n_samples} samples, {copies} copies of each, for the {n} features of stage "
                f"{stage} at every frequency: the ridge decides what they leave open. Give more "
                "samples or fewer features",
                RankDeficientWarning,
                stacklevel=stacklevel,
            )

    def batches(self, n: int) -> Any:
        """Slices of a few samples, so that what is made of them stays in the cache."""
        n_fields = max(self.n_features(0), self.n_features(1)) + self.sweep.n_components
        return batches(n, int(np.prod(self.shape)), n_fields)


def predict_block(
    block: np.ndarray,
    mean: np.ndarray,
    *coefficients: np.ndarray,
    plan: StagePlan,
    components: Sequence[int],
) -> np.ndarray:
    """Kernel: (samples, *space, *state_dims) to (samples, *space, component).

    Of the last stage, ``coefficients`` has the wanted ``components`` only.
    """
    plan.local.basis.check(block)
    # Components lie apart, as the transforms leave them.
    out = np.empty((len(components), len(block), *plan.shape), plan.dtype)
    *inner, last = coefficients
    for part in plan.batches(len(block)):
        fields = plan.features(block[part], mean, inner)
        out[:, part] = plan.strain(fields, last, mean[list(components)])
    return np.moveaxis(out, 0, -1)


def advance_block(
    block: np.ndarray,
    held: np.ndarray,
    mean: np.ndarray,
    coefficients: np.ndarray,
    *,
    plan: StagePlan,
) -> np.ndarray:
    """Kernel: one more sweep on predictions (samples, *space, component) that are held."""
    out = np.empty((held.shape[-1], *held.shape[:-1]), plan.dtype)
    for part in plan.batches(len(block)):
        _, contrast = plan.local_fields(block[part])
        strain = np.ascontiguousarray(np.moveaxis(held[part], -1, 0))
        out[:, part] = plan.strain(plan.sweep.fields(contrast, strain), coefficients, mean)
    return np.moveaxis(out, 0, -1)


def hold(
    X: ArrayLike,
    *held: ArrayLike,
    mean: np.ndarray,
    coefficients: np.ndarray,
    plan: StagePlan,
) -> ArrayLike:
    """Predictions of one stage, in memory: the first, or one that starts from those ``held``."""
    field = ("sample", *plan.space, "component")
    dims = [("sample", *plan.space, *plan.local.basis.state_dims), *[field for _ in held]]
    kernel: Any = (
        advance_block if held else partial(predict_block, components=range(plan.sweep.n_components))
    )
    found = lift(
        kernel,
        X,
        *held,
        mean,
        coefficients,
        dims=[*dims, ("component",), ("feature", "component", "frequency")],
        out_dims=field,
        whole=field[1:],
        dtype=plan.dtype,
        name="held_prediction",
        kwargs={"plan": plan},
    )
    return found.persist() if is_lazy(found) else found


@dataclass
class StageSums:
    """What one stage remembers of its samples: equations on orbits, and the means of the response.

    ``means`` has rows of the sum, the lowest and the highest mean of each component.
    """

    equations: FrequencyEquations
    means: np.ndarray

    @property
    def n_samples(self) -> int:
        """Number of samples added up."""
        return self.equations.n_samples

    @property
    def mean(self) -> np.ndarray:
        """Mean response of all samples, which must be the same for each."""
        total, low, high = self.means
        mean: np.ndarray = total / self.n_samples
        spread, largest = (high - low).max(), np.abs(mean).max()
        power = self.equations.power
        if power[:, 0].max() <= 1e-20 * power.max():
            raise DataError("the mean response is 0 in all samples; wanted responses to one load")
        if spread > SAME_MEAN * largest:
            raise DataError(
                f"the mean response differs by {spread:.3g} between samples ({largest:.3g} is its "
                "largest component); wanted the same mean in all, as an imposed mean strain gives"
            )
        return mean

    @classmethod
    def merged(cls, parts: Sequence[StageSums]) -> StageSums:
        """Sums over the samples of all ``parts``."""
        means = [p.means for p in parts]
        return cls(
            FrequencyEquations.merged([p.equations for p in parts]),
            np.stack(
                [
                    reduce(np.add, [m[0] for m in means]),
                    reduce(np.minimum, [m[1] for m in means]),
                    reduce(np.maximum, [m[2] for m in means]),
                ]
            ),
        )

    def solve(self, plan: StagePlan, stage: int, ridge: float) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (feature, component, orbit) and the rank of each orbit."""
        check_varied(self.equations)
        solution = self.equations.solve(ridge)
        solution.coefficients[:, :, 0] = 0
        if plan.is_real(stage):
            solution.coefficients.imag = 0
        return solution.coefficients, solution.rank

    def r2(self, coefficients: np.ndarray, symmetrization: Symmetrization) -> np.ndarray:
        """R^2 of each component over all voxels of the samples and their copies."""
        weight = symmetrization.orbits.weight[1:]
        left = self.equations.squared_residual(coefficients)[:, 1:] @ weight
        there = self.equations.power[:, 1:] @ weight
        # At other frequencies of an orbit, a component is what another is at the representative.
        sources = [list(turning.sources) for turning in symmetrization.components]
        left, there = (np.mean([total[i] for i in sources], axis=0) for total in (left, there))
        return 1 - np.divide(left, there, out=np.zeros_like(left), where=there > 0)


def sums_of_block(
    block: np.ndarray,
    response: np.ndarray,
    *before: np.ndarray,
    plan: StagePlan,
    stage: int,
    mean: np.ndarray,
    is_held: bool = False,
) -> StageSums:
    """Sums of ``stage`` over a block: (samples, *space, *state_dims), (samples, *space, component).

    ``before`` has the coefficients of the stages before, or if ``is_held`` what they predict, a
    field like the response.
    """
    n_components = plan.sweep.n_components
    half = int(np.prod(plan.shape[:-1])) * (plan.shape[-1] // 2 + 1)
    equations = FrequencyEquations.empty(plan.n_features(stage), n_components, half)
    plan.local.basis.check(block)
    means = np.empty((len(block), n_components))
    space = tuple(range(2, 2 + len(plan.shape)))
    for part in plan.batches(len(block)):
        if is_held:
            _, contrast = plan.local_fields(block[part])
            strain = np.ascontiguousarray(np.moveaxis(before[0][part], -1, 0))
            fields = plan.sweep.fields(contrast, strain)
        else:
            fields = plan.features(block[part], mean, before)
        truth = np.ascontiguousarray(np.moveaxis(response[part], -1, 0), dtype=plan.dtype)
        check_finite(truth, part.start)
        means[part] = truth.mean(axis=space, dtype=float).T
        equations.add(*(plan.spectra(f).transpose(1, 0, 2) for f in (fields, truth)))
    folded = plan.symmetrization(stage).fold(equations)
    return StageSums(folded, np.stack([means.sum(axis=0), means.min(axis=0), means.max(axis=0)]))


def first_mean(y: ArrayLike) -> np.ndarray:
    """Mean response of the first sample."""
    first = y[0].mean(axis=tuple(range(y.ndim - 2)), dtype=float)
    mean: np.ndarray = np.asarray(compute(first, label="mean response")[0])
    if not np.isfinite(mean).all():
        raise DataError("NaN or infinite values in the response of the first sample: leave it out")
    return mean
