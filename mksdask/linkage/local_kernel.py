"""A calibrated kernel: what it takes to predict, and to make kernels for other grids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from mksdask.lazy import ArrayLike, is_lazy, lift, map_tiles, split_dims
from mksdask.linkage.convolution import (
    PART_VOXELS,
    Taps,
    convolve_block,
    convolve_tile,
    convolve_whole,
    padded_sizes,
    spectrum_of_taps,
    taps_of_spectrum,
    tile_reach,
)
from mksdask.linkage.fields_request import Response, check_edges, read_edges, read_samples
from mksdask.linkage.kernel_resize import (
    full_spectrum,
    interpolated_spectrum,
    truncated_taps,
)
from mksdask.linkage.labelled_fields import labelled, named, with_lags
from mksdask.linkage.local_features import LocalFeatures
from mksdask.statistics.request import Layout


@dataclass(frozen=True)
class LocalKernel:
    """p = constant + sum_a taps_a * f_a, for one grid or (``shape`` None) for any.

    ``taps`` have shape (features, components, *support), zero lag at support // 2; ``reference``
    is the mean of the features in calibration, ``edges`` are those of a voxel, if they are known.
    """

    features: LocalFeatures
    space: tuple[str, ...]
    wrap: tuple[bool, ...]
    response: Response
    taps: Taps
    constant: np.ndarray
    reference: np.ndarray
    shape: tuple[int, ...] | None
    edges: tuple[float, ...] | None = None

    def calibrated(
        self, spectrum: np.ndarray, constant: np.ndarray, reference: np.ndarray
    ) -> LocalKernel:
        """The same with these coefficients in half the spectrum of its grid."""
        return replace(self._with_spectrum(spectrum), constant=constant, reference=reference)

    def _with_spectrum(self, spectrum: np.ndarray) -> LocalKernel:
        assert self.shape is not None
        half = (*spectrum.shape[:2], *self.shape[:-1], self.shape[-1] // 2 + 1)
        return replace(self, taps=Taps(taps_of_spectrum(spectrum.reshape(half), self.shape)))

    def predict(self, X: ArrayLike) -> ArrayLike:
        """Fields of response, lazily; the kind of array that came in."""
        X, layout = read_samples(X, self.features.basis)
        self.check_grid(layout)
        check_edges(self.edges, read_edges(X, layout))
        dtype = self._predicted_dtype(X.dtype)
        component = self.response.component or "component"
        options = {"features": self.features, "dtype": dtype}
        if self.shape is None and (np.prod(layout.sizes) > PART_VOXELS or _split(X, layout)):
            options |= {"constant": self._constant_outside, "reference": self.reference}
            found = self._by_parts(X, layout, component, options)
            return labelled(found, self.response, layout)
        sizes = tuple(padded_sizes(layout.sizes, self.taps.support, self.wrap))
        padded = sizes != tuple(layout.sizes)
        found = lift(
            convolve_block,
            X,
            self.taps.spectrum(sizes),
            self._constant_outside if padded else self.constant,
            self.reference if padded else np.zeros_like(self.reference),
            dims=[
                layout.dims,
                ("feature", component, *(f"frequency_{d}" for d in layout.space)),
                (component,),
                ("feature",),
            ],
            out_dims=("sample", *layout.space, component),
            whole=(*layout.space, component),
            dtype=dtype,
            name="localization",
            kwargs={**options, "wrap": self.wrap, "sizes": sizes},
        )
        return labelled(found, self.response, layout)

    def _by_parts(
        self, X: ArrayLike, layout: Layout, component: str, options: dict[str, Any]
    ) -> ArrayLike:
        """Overlap-save over the chunks of volumes, or parts of whole ones."""
        n_components = self.response.n_components
        if is_lazy(X):
            reach = tile_reach(self.taps.support, self.features)
            return map_tiles(
                convolve_tile,
                X,
                dims=layout.dims,
                space=layout.space,
                reach=dict(zip(layout.space, reach, strict=True)),
                wrap=[d for d, around in zip(layout.space, self.wrap, strict=True) if around],
                sizes={component: n_components},
                dtype=dtype_of(options),
                shared=self.taps,
                kwargs=options,
            )
        return lift(
            convolve_whole,
            X,
            dims=[layout.dims],
            out_dims=("sample", *layout.space, component),
            sizes={component: n_components},
            whole=layout.space,
            dtype=dtype_of(options),
            name="localization",
            kwargs={**options, "taps": self.taps, "wrap": self.wrap},
        )

    @property
    def _constant_outside(self) -> np.ndarray:
        """Constant of the convolution of features from which the reference is taken out."""
        return self.constant + self.reference @ self.taps.sums

    def resized(self, shape: tuple[int, ...], method: str) -> LocalKernel:
        """The kernel of another grid."""
        if method == "pad":
            spectrum = spectrum_of_taps(self.taps.values, shape)
        else:
            spectrum = interpolated_spectrum(full_spectrum(self.taps.values), shape)
        return replace(self, shape=shape)._with_spectrum(spectrum)

    def truncated(self, support: tuple[int, ...]) -> tuple[LocalKernel, float]:
        """The kernel without the lags beyond ``support``, and the share of energy left out."""
        taps, left_out = truncated_taps(self.taps.values, support)
        return replace(self, taps=Taps(taps), shape=None), left_out

    @cached_property
    def by_state(self) -> xr.DataArray:
        """Coefficients of the states, (state[, component], lag_x[, lag_y[, lag_z]])."""
        n = len(self.features.all_parts)
        values = np.tensordot(self.features.to_states, self._by_function[:n], axes=1)
        return self._with_lags(values, "state", np.arange(len(values)))

    @cached_property
    def by_product(self) -> xr.DataArray:
        """Coefficients of the products with neighbours, (product[, component], lag_x ...)."""
        products = self.features.products
        labels = [
            f"f{p.first}[s] f{p.second}[s + ({', '.join(map(str, p.offset))})]" for p in products
        ]
        values = self._by_function[len(self.features.all_parts) :]
        return self._with_lags(values, "product", labels)

    @property
    def _by_function(self) -> np.ndarray:
        """Kernels of all functions of the basis and of the products."""
        features, taps = self.features, self.taps.values
        rows: list[int | None] = [
            features.parts.index(p) if p in features.parts else None for p in features.all_parts
        ]
        rows += range(len(features.parts), features.n_features)
        # At frequency 0, features and a constant are shared out with the least norm: functions
        # that are no features have coefficients there alone.
        matrix = np.vstack([self.taps.sums, self.constant[None]])
        means = np.linalg.pinv(features.from_features.T) @ matrix
        values = np.zeros((len(rows), *taps.shape[1:]))
        for i, row in enumerate(rows):
            if row is not None:
                values[i] = taps[row]
            missing = means[i] - values[i].sum(axis=tuple(range(1, values[i].ndim)))
            values[i] += (missing / np.prod(self.taps.support)).reshape(
                -1, *[1] * len(self.taps.support)
            )
        return values

    def _with_lags(self, values: np.ndarray, first: str, labels: Any) -> xr.DataArray:
        return named(with_lags(values, self.response, self.space, first, labels), self.response)

    def check_grid(self, layout: Layout) -> None:
        """Say if the kernel does not fit the grid."""
        sizes = tuple(layout.sizes)
        if layout.space != self.space:
            raise ValueError(f"X has axes {layout.space}; wanted {self.space} as in fit")
        if self.shape is not None and sizes != self.shape:
            raise ValueError(
                f"X has a grid of {sizes} voxels and the kernel is for {self.shape}: make one for "
                f"this grid with resize({sizes}), or for any larger one with truncate(support)"
            )
        if any(n < m for n, m in zip(sizes, self.taps.support, strict=True)):
            raise ValueError(
                f"X has a grid of {sizes} voxels, smaller than the support {self.taps.support} of "
                "the kernel: give a larger volume, or truncate the kernel to a smaller support"
            )

    def _predicted_dtype(self, dtype: Any) -> np.dtype:
        single = np.dtype(dtype) in (np.float32, np.float16)
        if np.dtype(dtype).kind in "iub":
            single = self.response.single
        return np.dtype(np.float32 if single else np.float64)


def dtype_of(options: dict[str, Any]) -> np.dtype:
    """Type of the prediction."""
    found: np.dtype = options["dtype"]
    return found


def _split(X: ArrayLike, layout: Layout) -> bool:
    """Whether the volume itself is chunked."""
    if isinstance(X, xr.DataArray):
        return bool(split_dims(X, layout.space))
    return is_lazy(X) and any(n > 1 for n in X.numblocks[1 : 1 + len(layout.space)])


def read_support(support: Any, space: Sequence[str], shape: Sequence[int]) -> tuple[int, ...]:
    """Odd numbers of voxels, one an axis.

    >>> read_support(5, ("x", "y"), (21, 11))
    (5, 5)
    """
    each = [support] * len(space) if isinstance(support, (int, np.integer)) else list(support)
    whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in each)
    if len(each) != len(space) or not whole or any(n < 1 or n % 2 == 0 for n in each):
        raise ValueError(
            f"support is {support!r}; wanted an odd number of voxels, or {len(space)} of them"
        )
    if any(n > m for n, m in zip(each, shape, strict=True)):
        raise ValueError(
            f"support is {support!r}, larger than the kernel's {tuple(shape)}: give a smaller one"
        )
    return tuple(int(n) for n in each)


def read_shape(shape: Any, space: Sequence[str]) -> tuple[int, ...]:
    """Voxels along each axis.

    >>> read_shape(21, ("x", "y"))
    (21, 21)
    """
    each = [shape] * len(space) if isinstance(shape, (int, np.integer)) else list(shape)
    whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in each)
    if len(each) != len(space) or not whole or any(n < 2 for n in each):
        raise ValueError(f"shape is {shape!r}; wanted {len(space)} numbers of at least 2 voxels")
    return tuple(int(n) for n in each)
