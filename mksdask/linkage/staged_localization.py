"""Staged localization: first order, then sweeps of a learned Lippmann-Schwinger iteration."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from mksdask.bases import Basis, checked_basis
from mksdask.lazy import ArrayLike, lift
from mksdask.linkage.convolution import taps_of_spectrum
from mksdask.linkage.crystal_stiffness import stiffness_of_contrasts
from mksdask.linkage.fields_request import (
    Response,
    check_edges,
    check_ridge,
    read_edges,
    read_samples,
    read_training,
)
from mksdask.linkage.labelled_fields import labelled, score, with_lags
from mksdask.linkage.local_features import LocalFeatures
from mksdask.linkage.localization_sums import summed
from mksdask.linkage.neighbours import read_neighbours
from mksdask.linkage.saved_stages import staged_from_saved, staged_to_saved
from mksdask.linkage.stages import (
    StagePlan,
    StageSums,
    first_mean,
    hold,
    predict_block,
    sums_of_block,
)
from mksdask.linkage.sweep_features import KINDS, SweepFeatures
from mksdask.linkage.symmetry import Group, read_symmetries
from mksdask.statistics.request import Layout

#: Of the diagonal of the normal equations.
RIDGE = {"lean": 1e-5, "full": 1e-5, "neighbourhood": 1e-3, "polarization": 1e-5}


class StagedLocalization(RegressorMixin, BaseEstimator):
    """Fields of strain at high contrast, where a convolution of the microstructure falls short.

    The strain obeys the Lippmann-Schwinger equation eps = E - Gamma0 * (dC : eps), dC the contrast
    of stiffness to a reference. Its solution by iteration starts with a convolution of the
    microstructure, and each sweep convolves products of the microstructure with the strain so far:

        eps_c^(n+1)[k] = sum_d B_cd[k] FFT(x eps_d^(n))[k],    k != 0,

    x the contrast of the local state, and the mean E imposed at k = 0. Here the operators are
    learned: every stage is one least-squares problem a frequency, fitted on what the stage before
    predicts. Calibration adds up normal equations in one pass over the samples a stage, chunk by
    chunk; nothing is iterated to convergence.

    Parameters
    ----------
    basis
        Of the local state.
    sweeps
        Number of sweeps after the first stage.
    features
        What a sweep is linear in, for two phases and six components: ``"lean"`` (6 fields:
        contrast times strain), ``"full"`` (13: the contrast and the strain as well), or
        ``"neighbourhood"`` (28: products with the mean contrast of the voxels across the faces
        too). ``"polarization"``, for crystals: the 6 components of the difference of the crystal's
        ``stiffness``, turned, to its mean over all orientations, times strain.
    neighbours
        Of the first stage, as in :class:`LocalizationModel`.
    ridge
        Raises the diagonal of each normal equation by this share; by default 1e-5, and 1e-3 in
        sweeps with ``"neighbourhood"``.
    symmetries
        Of load, grid and materials: each sample then stands for its mirror images and turned
        copies, at no cost. ``"load"`` for all symmetries of the grid that leave the mean strain as
        it is, which holds for isotropic phases; or a tuple of reflections and swaps such as
        ``("-x", "yz")``, which generate the group; or None. The components of the response must
        have names: "xx", "xy" ...
    stiffness
        Of the crystal in its own axes, 6 x 6 in Voigt order, for ``features="polarization"``; the
        basis must be able to express it (degree 4).
    hold_predictions
        Keep the predictions of each stage, as large as the responses, in (distributed) memory for
        the calibration of the next, in place of computing them again.

    Attributes
    ----------
    coefficients_
        For each stage those of its features at half the frequencies (feature, component,
        frequency).
    training_r2_
        For each stage R^2 of each component over all voxels of the training samples (and, with
        symmetries, their copies).
    rank_
        For each stage the number of independent features found at each frequency.
    mean_
        Mean of the response, which all samples must share.
    sums_, solved_, n_samples_seen_
        For each stage what further samples are merged with, its solution on orbits of
        frequencies, and the number of samples.
    shape_, response_, symmetries_, plan_
        Grid, labels of the response, maps of the axes in use, and all of these together.

    Examples
    --------
    >>> import mksdask as mks
    >>> phase = mks.generate.gaussian_family(8, (9, 9), widths=(1, 3), seed=0)
    >>> strain = mks.simulate.elasticity(phase, (1, 10), (0.3, 0.3), macro_strain=1.0).strain
    >>> model = StagedLocalization(mks.PrimitiveBasis(2), sweeps=2, symmetries="load")
    >>> model.fit(phase, strain).predict(phase).dims
    ('sample', 'x', 'y', 'tensor')
    >>> bool(model.training_r2_[2][0] > model.training_r2_[1][0] > model.training_r2_[0][0])
    True
    """

    saved_kind = "StagedLocalization"

    def __init__(
        self,
        basis: Basis,
        sweeps: int = 2,
        features: str = "lean",
        neighbours: Any = None,
        ridge: float | None = None,
        symmetries: Any = None,
        stiffness: Any = None,
        hold_predictions: bool = False,
    ):
        self.basis = basis
        self.sweeps = sweeps
        self.features = features
        self.neighbours = neighbours
        self.ridge = ridge
        self.symmetries = symmetries
        self.stiffness = stiffness
        self.hold_predictions = hold_predictions

    def fit(self, X: ArrayLike, y: ArrayLike) -> StagedLocalization:
        """Calibrate all stages; reads the data once a stage, now.

        ``X`` has dims (sample, x[, y[, z]]), ``y`` one more of the components of strain.
        """
        X, y = self._read(X, y, goes_on=False)
        held: tuple[ArrayLike, ...] = ()
        for stage in range(self.sweeps + 1):
            self.adopt(stage, self._sums(stage, X, y, held))
            if self.hold_predictions and stage < self.sweeps:
                held = (
                    hold(X, *held, mean=self.mean_, coefficients=self._ready[-1], plan=self.plan_),
                )
        return self

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, stage: int | None = None
    ) -> StagedLocalization:
        """Go on with new samples in one stage, with the stages before it held as they are.

        ``stage`` is 0 for the first, 1 for the first sweep and so on: one that has begun, or the
        next. The sums of a stage are made with the predictions of the stages before, so those
        after ``stage`` are forgotten. By default the last that has begun, or else the first.

        Passing all samples through stage 0, then all through stage 1, ... is ``fit``, whatever the
        portions. New samples for a finished model improve its last sweep only; that is cheap, and
        most of what they can do unless they are many.
        """
        begun = len(getattr(self, "sums_", ()))
        if stage is None:
            stage = max(begun - 1, 0)
        if isinstance(stage, bool) or not isinstance(stage, (int, np.integer)):
            raise TypeError(f"stage is {stage!r}; wanted None or the number of a stage, from 0")
        if not 0 <= stage <= min(begun, self.sweeps):
            raise ValueError(
                f"stage is {stage}; wanted 0 to {min(begun, self.sweeps)}: {begun} stages of "
                f"{self.sweeps + 1} have begun"
            )
        X, y = self._read(X, y, goes_on=begun > 0)
        found = self._sums(stage, X, y, ())
        if stage < begun:
            found = StageSums.merged([self.sums_[stage], found])
        self.adopt(stage, found)
        return self

    def merge(self, other: StagedLocalization) -> StagedLocalization:
        """Add the samples that another model has seen in the last stage of both.

        The stages before must be the same in both, as in copies of one model which were continued
        with different samples.
        """
        if not isinstance(other, StagedLocalization):
            raise TypeError(f"other is a {type(other).__name__}; wanted a StagedLocalization")
        check_is_fitted(self)
        check_is_fitted(other)
        for name in ("local", "sweep", "shape", "space", "group"):
            mine, theirs = getattr(self.plan_, name), getattr(other.plan_, name)
            if mine != theirs:
                raise ValueError(f"other has {name} {theirs}; wanted {mine}: merge models alike")
        self.response_.check_same(other.response_)
        stage = len(self.sums_) - 1
        earlier = zip(self.coefficients_[:stage], other.coefficients_[:stage], strict=False)
        if len(other.sums_) != stage + 1 or not all(np.array_equal(a, b) for a, b in earlier):
            raise ValueError(
                "the stages before the last differ, and the sums of the last rest on them: merge "
                "models after the first stage, or copies of one model continued in the same stage"
            )
        return self.adopt(stage, StageSums.merged([self.sums_[stage], other.sums_[stage]]))

    def predict(self, X: ArrayLike, components: Any = None, sweeps: int | None = None) -> ArrayLike:
        """Fields of the response, lazily; the kind of array that came in.

        ``components`` are labels (or places) of those that are wanted, all by default: leaving
        some out of the last sweep saves their transforms. ``sweeps`` stops earlier.
        """
        check_is_fitted(self)
        X, layout = read_samples(X, self.basis)
        self._check_grid(layout, read_edges(X, layout))
        last = len(self.coefficients_) - 1
        if sweeps is not None and not 0 <= sweeps <= last:
            raise ValueError(f"sweeps is {sweeps}; wanted 0 to {last}, those that were calibrated")
        picked = self.response_.places(components)
        stages = self._ready[: (last if sweeps is None else sweeps) + 1]
        every = components is None
        chosen = [*stages[:-1], stages[-1] if every else stages[-1][:, picked].copy()]
        name = self.response_.component or "component"
        given = f"{name}_given"
        found = lift(
            predict_block,
            X,
            self.mean_,
            *chosen,
            dims=[
                layout.dims,
                (given,),
                *(
                    (f"feature_{i}", given if i < len(stages) - 1 else name, "frequency")
                    for i in range(len(stages))
                ),
            ],
            out_dims=("sample", *layout.space, name),
            whole=(*layout.space, name),
            dtype=self.plan_.dtype,
            name="staged_localization",
            kwargs={"plan": self.plan_, "components": picked},
        )
        return labelled(found, self.response_, layout, picked)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: Any = None) -> float:
        """R^2 over all voxels, samples and components; computes now."""
        if sample_weight is not None:
            raise ValueError("sample_weight is given; score weighs all voxels the same")
        return score(y, self.predict(X), self.response_, self.plan_.space)

    def kernel(self, stage: int) -> xr.DataArray:
        """Real-space coefficients of a stage (feature, component, lag_x[, ...]), zero lag centred.

        Features are named by their factors: ``x0`` the contrast of state 0, ``y0`` its mean over
        neighbours, and the component of strain; those of stage 0 are the local states.
        """
        check_is_fitted(self)
        if not 0 <= stage < len(self.coefficients_):
            raise ValueError(f"stage is {stage}; wanted 0 to {len(self.coefficients_) - 1}")
        values = self.coefficients_[stage]
        half = (*self.shape_[:-1], self.shape_[-1] // 2 + 1)
        taps = taps_of_spectrum(
            values.astype(complex).reshape(*values.shape[:2], *half), self.shape_
        )
        labels = self.response_.labels
        names = self.plan_.feature_names(stage, [str(label) for label in labels])
        found = with_lags(taps, self.response_, self.plan_.space, "feature", names)
        return found.assign_coords({found.dims[1]: labels})

    def to_saved(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What :func:`mksdask.save_model` writes: JSON and arrays."""
        check_is_fitted(self)
        return staged_to_saved(self)

    @classmethod
    def from_saved(cls, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> StagedLocalization:
        """The model that was saved."""
        return staged_from_saved(cls, facts, arrays)

    def _read(self, X: ArrayLike, y: ArrayLike, goes_on: bool) -> tuple[ArrayLike, ArrayLike]:
        """Checked data without labels; begins with the first."""
        self._check_parameters()
        X, y, layout, response, edges = read_training(X, y, self.basis)
        if goes_on:
            self._check_grid(layout, edges)
            self.response_.check_same(response)
        else:
            mean = first_mean(y) if self.symmetries == "load" else None
            shape, labels = tuple(int(n) for n in layout.sizes), response.axis_labels
            group = read_symmetries(self.symmetries, mean, labels, layout.space, shape, edges=edges)
            self.begin(shape, layout.space, response, group, edges)
        return X, y

    def _check_parameters(self) -> None:
        checked_basis(self.basis)
        if isinstance(self.sweeps, bool) or not isinstance(self.sweeps, (int, np.integer)):
            raise TypeError(f"sweeps is {self.sweeps!r}; wanted a whole number of at least 0")
        if self.sweeps < 0:
            raise ValueError(f"sweeps is {self.sweeps}; wanted a whole number of at least 0")
        if self.features not in KINDS:
            raise ValueError(f"features is {self.features!r}; wanted one of {KINDS}")
        if self.ridge is not None:
            check_ridge(self.ridge)

    def begin(
        self,
        shape: tuple[int, ...],
        space: tuple[str, ...],
        response: Response,
        group: Group,
        edges: tuple[float, ...] | None,
    ) -> None:
        """Forget all stages; what comes is on this grid, with these components and symmetries."""
        local = LocalFeatures(self.basis, read_neighbours(self.neighbours, shape))
        if not local.parts:
            raise ValueError(f"basis is {self.basis!r}, a constant; wanted at least two states")
        stiffness = stiffness_of_contrasts(
            self.features, self.stiffness, self.basis, response.axis_labels
        )
        sweep = SweepFeatures(self.features, len(local.parts), response.n_components, stiffness)
        if self.sweeps and self.basis.state_dims and len(group) > 1 and not sweep.stiffness:
            raise ValueError(
                f"features is {self.features!r} with symmetries, which turn crystals; wanted "
                "features='polarization' and the stiffness of the crystal"
            )
        labels, single = response.axis_labels, response.single
        self.plan_ = StagePlan(local, sweep, shape, space, labels, group, single, edges)
        self.response_, self.shape_, self.symmetries_ = response, shape, group
        self.sums_: list[StageSums] = []
        self.coefficients_: list[np.ndarray] = []
        self.rank_: list[np.ndarray] = []
        self.training_r2_: list[np.ndarray] = []
        self.solved_: list[tuple[np.ndarray, np.ndarray]] = []
        self._ready: list[np.ndarray] = []  # coefficients in the precision of predictions
        for stage in (0, 1):
            self.plan_.symmetrization(stage)  # says what the symmetries lack

    def _sums(
        self, stage: int, X: ArrayLike, y: ArrayLike, held: tuple[ArrayLike, ...]
    ) -> StageSums:
        before = [] if held else self._ready[:stage]
        mean = self.mean_ if stage else np.zeros(self.response_.n_components)
        summarize = partial(
            sums_of_block, plan=self.plan_, stage=stage, mean=mean, is_held=bool(held)
        )
        found: StageSums = summed(
            summarize, StageSums.merged, X, y, *held, shared=before, label=f"stage {stage}"
        )
        return found

    def adopt(
        self, stage: int, sums: StageSums, solved: tuple[np.ndarray, np.ndarray] | None = None
    ) -> StagedLocalization:
        """Take the sums of a stage, and their solution if there is one; forget later stages."""
        plan = self.plan_
        mean = sums.mean
        if solved is None:
            plan.warn_of_few(stage, sums.n_samples, stacklevel=5)
            solved = sums.solve(plan, stage, self._ridge(stage))
        symmetrization = plan.symmetrization(stage)
        place = symmetrization.orbits.place
        found = symmetrization.unfold(solved[0])
        found = found.real.copy() if plan.is_real(stage) else found
        kept: list[Any]
        new: Any
        for kept, new in (
            (self.sums_, sums),
            (self.solved_, solved),
            (self.coefficients_, found),
            (self._ready, plan.cast(found)),
            (self.rank_, solved[1][place].reshape(*plan.shape[:-1], -1)),
            (self.training_r2_, sums.r2(solved[0], symmetrization)),
        ):
            kept[stage:] = [new]
        if stage == 0:
            self.mean_ = mean
        self.n_samples_seen_ = [s.n_samples for s in self.sums_]
        return self

    def _ridge(self, stage: int) -> float:
        if self.ridge is not None:
            return float(self.ridge)
        return RIDGE[self.features] if stage else RIDGE["lean"]

    def _check_grid(self, layout: Layout, edges: Sequence[float] | None) -> None:
        if layout.space != self.plan_.space or tuple(layout.sizes) != self.shape_:
            raise ValueError(
                f"X has {dict(zip(layout.space, layout.sizes, strict=True))} voxels; wanted "
                f"{dict(zip(self.plan_.space, self.shape_, strict=True))}, the grid of calibration, "
                "which the sweeps hold for alone: calibrate on this grid, or take a "
                "LocalizationModel, whose kernel can be resized or truncated"
            )
        check_edges(self.plan_.edges, edges)
