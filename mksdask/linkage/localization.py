"""Localization: local fields of response as convolutions of the local state."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted

from mksdask.bases import Basis, checked_basis
from mksdask.errors import RankDeficientWarning
from mksdask.lazy import ArrayLike
from mksdask.linkage.convolution import Taps
from mksdask.linkage.evolution import evolve
from mksdask.linkage.fields_request import (
    Response,
    check_edges,
    check_ridge,
    read_training,
    read_wrap,
)
from mksdask.linkage.frequency_orbits import Symmetrization, frequency_orbits
from mksdask.linkage.labelled_fields import score
from mksdask.linkage.local_features import LocalFeatures
from mksdask.linkage.local_kernel import LocalKernel, read_shape, read_support
from mksdask.linkage.localization_sums import LocalizationSums, calibrate, summed, sums_of_block
from mksdask.linkage.neighbours import read_neighbours
from mksdask.linkage.parts import part_from_saved, part_to_saved
from mksdask.linkage.symmetry import (
    action_on_features,
    action_on_labels,
    read_symmetries,
)

METHODS = ("interpolate", "pad")


class LocalizationModel(RegressorMixin, BaseEstimator):
    """First-order localization: the field of response is a convolution of the local state.

        p[s] = sum_h sum_r alpha[h; r] m[h; s - r]

    where m[h; s] is the microstructure expanded in a basis and alpha the kernel (influence
    coefficients). In Fourier space this is one small linear system a frequency. Calibration adds
    up its normal equations over the samples in one pass, chunk by chunk: it takes memory by the
    grid and the features only, gives the same numbers whatever the chunks, and can go on with new
    samples (``partial_fit``) or with another model's (``merge``).

    States that carry nothing of their own (the last one of a primitive basis, constants) get
    coefficients at frequency 0 only. Frequencies at which the samples leave a combination of
    features open take the solution of minimum norm, which a
    :class:`~mksdask.RankDeficientWarning` counts.

    Parameters
    ----------
    basis
        Of the local state.
    ridge
        Raises the diagonal of each normal equation by this share. With few samples or products
        of neighbours, 1e-5 to 1e-3 is usual.
    neighbours
        Adds products m[h; s] m[h'; s + t] of a voxel with its neighbours as further states (the
        second term of the series): a radius in voxels (1: across faces, 1.5: across edges as
        well), or a list of offsets t. Products that follow from others are left out.
    boundary
        ``"periodic"``, ``"nonperiodic"`` or a mapping by axis. Along axes that are not periodic,
        calibration tapers the samples with a sine window, so that what lies outside matters
        little; prediction takes the mean state of calibration to lie outside.
    symmetries
        Of load, grid and materials: each sample then stands for its mirror images and turned
        copies, at no cost, and the kernel has the symmetry. A tuple of reflections and swaps of
        axes that generate them, such as ``("-x", "yz")``; or ``"load"`` for all that leave the
        mean response as it is, which suits strains under one imposed mean strain in isotropic
        phases. Components named "xx", "xy" ... turn with the axes; a single field only moves, and
        does not tell the load (keep its name: ``strain.sel(tensor=["xx"])``).

    Attributes
    ----------
    kernel_
        Coefficients by state in real space, zero lag in the middle.
    rank_
        Number of independent features found at each frequency of half the spectrum (full is
        ``n_features_``), at frequency 0 that of the means.
    sums_, n_samples_seen_
        What further samples are merged with (None for a resized or truncated kernel), and how
        many it holds.
    local_kernel_
        The kernel in the form that predicts.
    energy_left_out_
        Share of the kernel's energy (sum of squares) that :meth:`truncate` has cut off.

    Examples
    --------
    >>> from mksdask.bases import PrimitiveBasis
    >>> phase = np.random.default_rng(0).integers(0, 2, (20, 8, 8))
    >>> response = 3.0 * phase + np.roll(phase, 1, axis=2)
    >>> model = LocalizationModel(PrimitiveBasis(n_states=2)).fit(phase, response)
    >>> bool(np.allclose(model.predict(phase), response))
    True
    """

    saved_kind = "LocalizationModel"
    sums_: LocalizationSums | None

    def __init__(
        self,
        basis: Basis,
        ridge: float = 0.0,
        neighbours: Any = None,
        boundary: Any = "periodic",
        symmetries: Any = None,
    ):
        self.basis = basis
        self.ridge = ridge
        self.neighbours = neighbours
        self.boundary = boundary
        self.symmetries = symmetries

    def fit(self, X: ArrayLike, y: ArrayLike) -> LocalizationModel:
        """Calibrate the kernel; reads the data once, now.

        ``X`` has dims (sample, x[, y[, z]]), ``y`` the same and at most one more, of components
        (of strain, for instance).
        """
        return self._learn(X, y, None)

    def partial_fit(self, X: ArrayLike, y: ArrayLike) -> LocalizationModel:
        """Go on with new samples."""
        return self._learn(X, y, self.local_kernel_ if hasattr(self, "local_kernel_") else None)

    def merge(self, other: LocalizationModel) -> LocalizationModel:
        """Add the samples that another fitted model has seen."""
        if not isinstance(other, LocalizationModel):
            raise TypeError(f"other is a {type(other).__name__}; wanted a LocalizationModel")
        mine, theirs = self._sums(), other._sums()
        _check_same(self.local_kernel_, other.local_kernel_, "other")
        return self._adopt(LocalizationSums.merged([mine, theirs]), self.local_kernel_)

    def predict(self, X: ArrayLike) -> ArrayLike:
        """Fields of response, lazily; the kind of array that came in.

        A kernel predicts on its own grid; one from :meth:`truncate` on any grid not smaller than
        its support, and on volumes in chunks tile by tile.
        """
        check_is_fitted(self)
        return self.local_kernel_.predict(X)

    def evolve(self, X: ArrayLike, steps: int | list[int]) -> ArrayLike:
        """Apply the kernel to its own predictions, for a response that is the field one step on.

        One number of steps gives that field, a list these steps (0 is ``X``) on the dimension
        ``step``. Raises :class:`~mksdask.DataError` when a field leaves the domain of the basis.
        """
        check_is_fitted(self)
        return evolve(self.local_kernel_, X, steps)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: Any = None) -> float:
        """R^2 over all voxels, samples and components; computes now."""
        check_is_fitted(self)
        if sample_weight is not None:
            raise ValueError("sample_weight is given; score weighs all voxels the same")
        kernel = self.local_kernel_
        return score(y, self.predict(X), kernel.response, kernel.space)

    def resize(self, shape: Any, method: str = "interpolate") -> LocalizationModel:
        """A model for a grid of another size.

        ``"interpolate"`` takes coefficients in between the frequencies of calibration (cubic;
        below two periods in the grid by direction only), ``"pad"`` extends the kernel in real
        space by zeros, which cuts off what decays slowly.
        """
        check_is_fitted(self)
        kernel = self.local_kernel_
        wanted = read_shape(shape, kernel.space)
        if method not in METHODS:
            raise ValueError(f"method is {method!r}; wanted one of {METHODS}")
        smaller = any(n < m for n, m in zip(wanted, kernel.taps.support, strict=True))
        if smaller and method == "pad":
            raise ValueError(
                f"shape is {wanted}, smaller than the kernel's {kernel.taps.support}, which cannot "
                "be padded to it: use method='interpolate'"
            )
        return self._with_kernel(
            kernel if wanted == kernel.shape else kernel.resized(wanted, method)
        )

    def truncate(self, support: Any) -> LocalizationModel:
        """A model for grids of any size, with the lags beyond ``support`` (odd, in voxels) cut.

        The sums of the kernel over all lags stay; ``energy_left_out_`` says what was cut.
        """
        check_is_fitted(self)
        kernel = self.local_kernel_
        wanted = read_support(support, kernel.space, kernel.taps.support)
        truncated, left_out = kernel.truncated(wanted)
        model = self._with_kernel(truncated)
        model.energy_left_out_ = 1 - (1 - left_out) * (1 - self.energy_left_out_)
        return model

    @property
    def kernel_(self) -> xr.DataArray:
        """Influence coefficients (state[, component], lag_x[, lag_y[, lag_z]]).

        The sum over lags is the coefficient at frequency 0; complex for complex bases.
        """
        check_is_fitted(self)
        return self.local_kernel_.by_state

    @property
    def product_kernel_(self) -> xr.DataArray:
        """The same for the products with neighbours (product[, component], lag_x ...)."""
        check_is_fitted(self)
        return self.local_kernel_.by_product

    def to_saved(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What :func:`mksdask.save_model` writes: JSON and arrays."""
        check_is_fitted(self)
        kernel = self.local_kernel_
        params, listed = part_to_saved(self.get_params(deep=False), "params")
        facts: dict[str, Any] = {
            "params": params,
            "space": list(kernel.space),
            "shape": None if kernel.shape is None else list(kernel.shape),
            "edges": None if kernel.edges is None else list(kernel.edges),
            "offsets": [list(offset) for offset in kernel.features.offsets],
            "response": kernel.response.to_json(),
            "energy_left_out": self.energy_left_out_,
            "n_samples_seen": self.n_samples_seen_,
            "sums": None,
        }
        arrays = {
            "taps": kernel.taps.values,
            "constant": kernel.constant,
            "reference": kernel.reference,
            "rank": self.rank_,
            **listed,
        }
        if self.sums_ is not None:
            facts["sums"], sums = self.sums_.to_saved()
            arrays |= sums
        return facts, arrays

    @classmethod
    def from_saved(cls, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> LocalizationModel:
        """The model that was saved."""
        model = cls(**part_from_saved(facts["params"], arrays))
        space = tuple(facts["space"])
        offsets = tuple(tuple(offset) for offset in facts["offsets"])
        model.local_kernel_ = LocalKernel(
            LocalFeatures(model.basis, offsets),
            space,
            read_wrap(model.boundary, space),
            Response.from_json(facts["response"]),
            Taps(arrays["taps"]),
            arrays["constant"],
            arrays["reference"],
            None if facts["shape"] is None else tuple(facts["shape"]),
            None if facts["edges"] is None else tuple(facts["edges"]),
        )
        sums = facts["sums"]
        model.sums_ = None if sums is None else LocalizationSums.from_saved(sums, arrays)
        model.n_samples_seen_ = facts["n_samples_seen"]
        model.energy_left_out_ = facts["energy_left_out"]
        model.rank_ = arrays["rank"]
        model.n_features_ = model.local_kernel_.features.n_features
        return model

    def _learn(self, X: ArrayLike, y: ArrayLike, known: LocalKernel | None) -> LocalizationModel:
        checked_basis(self.basis)
        check_ridge(self.ridge)
        X, y, layout, response, edges = read_training(X, y, self.basis)
        frame = LocalKernel(
            LocalFeatures(self.basis, read_neighbours(self.neighbours, layout.sizes)),
            layout.space,
            read_wrap(self.boundary, layout.space),
            response,
            shape=tuple(layout.sizes),
            edges=edges,
            **_NOTHING,
        )
        if not frame.features.parts:
            raise ValueError(f"basis is {self.basis!r}, a constant; wanted at least two states")
        seen = []
        if known is not None:
            seen = [self._sums()]
            _check_same(known, frame, "X")
        summarize = partial(sums_of_block, features=frame.features, wrap=frame.wrap)
        sums = summed(summarize, LocalizationSums.merged, X, y, label="localization")
        return self._adopt(LocalizationSums.merged([*seen, sums]), known or frame)

    def _adopt(self, sums: LocalizationSums, frame: LocalKernel) -> LocalizationModel:
        """Solve the equations; ``frame`` says of which features, on which grid."""
        assert frame.shape is not None
        symmetrization = self._symmetrization(sums, frame)
        found = calibrate(sums, frame.features, float(self.ridge), symmetrization)
        self.local_kernel_ = frame.calibrated(found.coefficients, found.constant, sums.reference)
        self.sums_ = sums
        self.n_samples_seen_ = sums.n_samples
        self.n_features_ = frame.features.n_features
        self.rank_ = found.rank.reshape(*frame.shape[:-1], -1)
        self.energy_left_out_ = 0.0
        if self.ridge == 0:
            self._warn_of_rank()
        return self

    def _symmetrization(self, sums: LocalizationSums, frame: LocalKernel) -> Symmetrization | None:
        if self.symmetries is None:
            return None
        assert frame.shape is not None
        labels = frame.response.axis_labels
        mean = sums.mean_moment[-1] / sums.n_samples
        group = read_symmetries(
            self.symmetries, mean, labels, frame.space, frame.shape, frame.wrap, frame.edges
        )
        return Symmetrization(
            frequency_orbits(frame.shape, group),
            [action_on_features(g, frame.features) for g in group],
            [action_on_labels(g, labels or (), frame.space) for g in group],
        )

    def _warn_of_rank(self) -> None:
        rank, n = self.rank_.ravel(), self.n_features_
        open_ones = rank[1:] < n
        said = []
        if open_ones.any():
            low, high = rank[1:].min(), rank[1:][open_ones].max()
            said.append(
                f"{open_ones.sum()} of {len(open_ones)} frequencies have rank "
                f"{low if low == high else f'{low} to {high}'} of {n}"
            )
        if rank[0] < n + 1:
            said.append(f"the means have rank {rank[0]} of {n + 1}")
        if said:
            warnings.warn(
                f"{self.n_samples_seen_} samples do not determine the kernel: {'; '.join(said)}. "
                "There it is the one of minimum norm: give more (and more diverse) samples, or a "
                "ridge",
                RankDeficientWarning,
                stacklevel=4,
            )

    def _sums(self) -> LocalizationSums:
        check_is_fitted(self)
        if self.sums_ is None:
            raise ValueError(
                "a resized or truncated kernel holds no sums to add samples to: continue with the "
                "model that it was made from"
            )
        sums: LocalizationSums = self.sums_
        return sums

    def _with_kernel(self, kernel: LocalKernel) -> LocalizationModel:
        model: LocalizationModel = clone(self)
        model.local_kernel_, model.sums_ = kernel, None
        for name in ("n_samples_seen_", "n_features_", "rank_", "energy_left_out_"):
            setattr(model, name, getattr(self, name))
        return model


# What a kernel is before its calibration.
_NOTHING: Any = {"taps": Taps(np.zeros((0, 0))), "constant": np.zeros(0), "reference": np.zeros(0)}


def _check_same(mine: LocalKernel, theirs: LocalKernel, what: str) -> None:
    for name in ("features", "space", "shape", "wrap"):
        wanted, found = getattr(mine, name), getattr(theirs, name)
        if wanted != found:
            raise ValueError(
                f"{what} has {name} {found}; wanted {wanted} as before: basis, neighbours, "
                "boundary and grid must be the same"
            )
    check_edges(mine.edges, theirs.edges)
    mine.response.check_same(theirs.response)
