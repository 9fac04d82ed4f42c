"""From what a file holds to what an ensemble stores: threshold, remap, cast, and checks of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mksdask.errors import DataError

OTSU = "otsu"
# Integers spanning no more than this get one histogram bin a value; floats get 256 bins.
_EXACT_BINS = 1 << 16
_FLOAT_BINS = 256


def otsu(values: np.ndarray) -> float:
    """Otsu's threshold: the ``t`` that maximizes the variance between ``v <= t`` and ``v > t``.

    With ``w0(t), w1(t)`` the fractions and ``m0(t), m1(t)`` the means of the two classes, that
    variance is ``w0 w1 (m0 - m1)^2`` (N. Otsu, IEEE Trans. Syst. Man Cybern. 9 (1979) 62-66).

    >>> otsu(np.array([0, 1, 1, 2, 8, 9, 9, 10]))
    2.0
    """
    low, high = values.min(), values.max()
    if low == high:
        raise ValueError(f"is {low} everywhere, where Otsu finds no threshold: give thresholds")
    if values.dtype.kind in "iub" and int(high) - int(low) < _EXACT_BINS:
        offsets = np.subtract(values, low, dtype=np.int64)
        counts = np.bincount(offsets.ravel())
        centers = upper = np.arange(len(counts)) + float(low)
    else:
        counts, edges = np.histogram(values, _FLOAT_BINS)
        centers, upper = (edges[:-1] + edges[1:]) / 2, edges[1:]
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    sums = np.cumsum(counts * (centers - centers[0]))
    means = sums[:-1] / below, (sums[-1] - sums[:-1]) / above
    between = below * 1.0 * above * (means[0] - means[1]) ** 2
    return float(upper[int(np.argmax(between))])


@dataclass(frozen=True)
class Conversion:
    """Threshold, then remap, then cast, of one sample; and the checks that make labels labels.

    Attributes
    ----------
    labels
        Whether the result must be labels: whole numbers from 0.
    threshold
        Increasing values ``t``: the result is how many of them a voxel exceeds. Or ``"otsu"``.
    remap
        New label by old; labels that are not named stay.
    dtype
        Type of the result. Values that do not fit in it are refused.

    >>> Conversion(threshold=(10, 20))(np.array([5, 10, 15, 25]), "a.npy")
    array([0, 0, 1, 2], dtype=uint8)
    """

    labels: bool = True
    threshold: tuple[float, ...] | str | None = None
    remap: tuple[tuple[int, int], ...] = ()
    dtype: np.dtype[Any] | None = None

    def result_dtype(self, found: np.dtype[Any], where: str = "data") -> np.dtype[Any]:
        """Type of the result for files of type ``found``; refuses what cannot become labels."""
        current = found.newbyteorder("=")
        if self.threshold is not None:
            current = np.dtype("uint8")
        elif self.labels and current.kind == "f":
            if self.dtype is None:
                raise DataError(
                    f"{where} has values of type {found}, where labels (whole numbers) are expected: give "
                    "threshold=, or dtype='uint8' if they are whole numbers stored as floats, or "
                    "ingest them under another variable name"
                )
        elif self.labels and current.kind == "b":
            current = np.dtype("uint8")
        if self.remap and current.kind == "f" and self.dtype is None:
            raise DataError(
                f"{where} has values of type {found}; remap= is for whole numbers: give dtype= as well"
            )
        if self.dtype is not None:
            return self.dtype
        if self.remap:
            new = [n for _, n in self.remap]
            info = np.iinfo(current)
            if min(new) < info.min or max(new) > info.max:
                current = np.result_type(current, np.min_scalar_type(max(new)))
        return current

    def __call__(self, values: np.ndarray, where: str) -> np.ndarray:
        """Convert one sample; ``where`` names it in errors."""
        out_dtype = self.result_dtype(values.dtype, where)
        needs_numbers = self.labels or self.threshold is not None
        if needs_numbers and values.dtype.kind == "f" and np.isnan(values.min()):
            raise DataError(f"{where} has {int(np.isnan(values).sum())} NaN voxels: {_REMEDY}")
        if self.threshold is not None:
            values = self._classified(values, where)
        elif self.labels and values.dtype.kind == "f":
            values = _whole_numbers(values, where)
        if self.remap:
            values = _remapped(values, self.remap)
        if self.labels and values.dtype.kind == "i" and values.size and values.min() < 0:
            raise DataError(f"{where} has the negative label {values.min()}: {_REMEDY}")
        return _cast(values, out_dtype, where)

    def _classified(self, values: np.ndarray, where: str) -> np.ndarray:
        if isinstance(self.threshold, str):
            try:
                return (values > otsu(values)).view(np.uint8)
            except ValueError as error:
                raise DataError(f"{where} {error}") from None
        assert self.threshold is not None
        out = np.zeros(values.shape, np.uint8)
        for t in self.threshold:
            out += values > t
        return out


_REMEDY = (
    "repair the file, remap= or threshold= it, or leave such files out with skip_bad=True "
    "(--skip-bad)"
)


def conversion(
    *,
    labels: bool,
    threshold: Sequence[float] | float | str | None = None,
    remap: Mapping[int, int] | None = None,
    dtype: Any = None,
) -> Conversion:
    """A :class:`Conversion` from what a user writes, checked.

    >>> conversion(labels=True, threshold=0.5).threshold
    (0.5,)
    """
    if isinstance(threshold, str):
        if threshold != OTSU:
            raise ValueError(f"threshold is {threshold!r}; wanted 'otsu' or increasing numbers")
    elif threshold is not None:
        threshold = tuple(float(t) for t in np.ravel(threshold))
        steps = np.diff(threshold)
        if not threshold or len(threshold) > 255 or not np.isfinite(threshold).all():
            raise ValueError(f"threshold is {threshold}; wanted 1 to 255 finite numbers or 'otsu'")
        if (steps <= 0).any():
            raise ValueError(f"threshold is {threshold}; wanted increasing numbers")
    wanted = None if dtype is None else np.dtype(dtype)
    if wanted is not None and wanted.kind not in ("biu" if labels else "biuf"):
        raise ValueError(f"dtype is {wanted}; wanted {'an integer' if labels else 'a number'} type")
    pairs = tuple(sorted((int(k), int(v)) for k, v in (remap or {}).items()))
    if labels and any(new < 0 for _, new in pairs):
        raise ValueError(f"remap gives negative labels {dict(pairs)}; wanted labels from 0")
    return Conversion(labels, threshold, pairs, wanted)


def _whole_numbers(values: np.ndarray, where: str) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        whole = values.astype(np.int64)
    wrong = whole != values
    if wrong.any():
        raise DataError(
            f"{where} has values such as {values[wrong].flat[0]} where labels are whole numbers: "
            "give threshold="
        )
    return whole


def _remapped(values: np.ndarray, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    values = _cast(values, np.dtype(np.int64), "a sample to remap")
    old, new = (np.array(side, dtype=np.int64) for side in zip(*pairs, strict=True))
    at = np.minimum(np.searchsorted(old, values), len(old) - 1)
    return np.where(old[at] == values, new[at], values)


def _cast(values: np.ndarray, dtype: np.dtype[Any], where: str) -> np.ndarray:
    if values.dtype == dtype:
        return values
    if dtype.kind in "iub" and values.size and not np.can_cast(values.dtype, dtype):
        low, high = values.min(), values.max()
        limits = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if not (limits[0] <= low and high <= limits[1]):
            raise DataError(
                f"{where} has values from {low} to {high}, which do not fit in {dtype}: choose a "
                "wider dtype= or remap= them"
            )
    return values.astype(dtype)
