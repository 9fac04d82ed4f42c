"""Apply kernels to blocks of microstructures: p = c + sum_a A_a * f_a."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from mksdask import fft
from mksdask.lazy import TilePlace
from mksdask.linkage.local_features import LocalFeatures
from mksdask.linkage.localization_sums import batches

# Larger volumes are cut into parts whose transforms have about this size, 32 MiB an array in
# double precision, unless they would become smaller than their surroundings.
PART_VOXELS = 2**22


class Taps:
    """Real-space kernels (features, components, *support), zero lag at support // 2.

    Their spectra are remembered, as all tiles of a volume ask for the same one.
    """

    def __init__(self, values: np.ndarray):
        self.values = values

    @property
    def support(self) -> tuple[int, ...]:
        """Voxels along each axis."""
        return self.values.shape[2:]

    @property
    def sums(self) -> np.ndarray:
        """Sum over all lags, (features, components)."""
        found: np.ndarray = self.values.sum(axis=tuple(range(2, self.values.ndim)))
        return found

    def spectrum(self, sizes: Sequence[int]) -> np.ndarray:
        """Half spectrum on a grid of ``sizes``."""
        return _remembered_spectrum(self, tuple(sizes))


@lru_cache(maxsize=2)
def _remembered_spectrum(taps: Taps, sizes: tuple[int, ...]) -> np.ndarray:
    return spectrum_of_taps(taps.values, sizes)


def spectrum_of_taps(taps: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Half spectrum on a grid of ``sizes`` of real-space kernels with zero lag at shape // 2.

    Shape (features, components, *support) to (features, components, *half spectrum).

    >>> spectrum_of_taps(np.array([[[0.0, 1.0, 0.0]]]), (4,))
    array([[[1.+0.j, 1.+0.j, 1.+0.j]]])
    """
    support = taps.shape[2:]
    grid = np.zeros((*taps.shape[:2], *sizes))
    grid[(slice(None), slice(None), *[slice(0, n) for n in support])] = taps
    space = tuple(range(2, grid.ndim))
    grid = np.roll(grid, [-(n // 2) for n in support], axis=space)
    return fft.rfftn(grid, axes=space)


def taps_of_spectrum(spectrum: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Real-space kernels of the whole grid, zero lag at shape // 2.

    >>> taps_of_spectrum(np.ones((1, 1, 3)), (4,))
    array([[[0., 0., 1., 0.]]])
    """
    space = tuple(range(2, spectrum.ndim))
    taps = fft.irfftn(spectrum, s=tuple(shape), axes=space)
    return np.roll(taps, [n // 2 for n in shape], axis=space)


def padded_sizes(shape: Sequence[int], support: Sequence[int], wrap: Sequence[bool]) -> list[int]:
    """Lengths of transforms at which nothing comes in from the other side, where it must not.

    >>> padded_sizes((10, 10), (5, 5), (True, False))
    [10, 12]
    """
    return [
        n if around else fft.next_fast_len(n + support_n // 2)
        for n, support_n, around in zip(shape, support, wrap, strict=True)
    ]


def convolve_block(
    block: np.ndarray,
    spectrum: np.ndarray,
    constant: np.ndarray,
    reference: np.ndarray,
    *,
    features: LocalFeatures,
    wrap: Sequence[bool],
    sizes: Sequence[int],
    dtype: np.dtype,
) -> np.ndarray:
    """Kernel: (samples, *space, *state_dims) to (samples, *space, components).

    ``reference`` is what the features are outside of the block, along axes that do not ``wrap``;
    ``spectrum`` that of the kernels on a grid of ``sizes``, which are no less than those of space.
    """
    n_space = len(wrap)
    shape = block.shape[1 : 1 + n_space]
    n_components = spectrum.shape[1]
    features.basis.check(block)
    crop = (slice(None), *[slice(0, n) for n in shape])
    spectrum = spectrum.astype(np.result_type(dtype, np.complex64), copy=False)
    parts = list(batches(len(block), int(np.prod(sizes)), features.n_features + n_components))
    # What one transform gives is the result itself.
    at_once = len(parts) == n_components == 1 and tuple(sizes) == tuple(shape)
    out = np.empty((0,) if at_once else (len(block), *shape, n_components), dtype)
    for part in parts:
        fields = features.fields(block[part], wrap).astype(dtype, copy=False)
        if reference.any():
            fields = fields - reference.astype(dtype).reshape(-1, *[1] * (n_space + 1))
        for c, found in enumerate(_convolved(fields, spectrum, sizes)):
            if at_once:
                found += constant[c].astype(dtype)
                return found[..., None]
            np.add(found[crop], constant[c].astype(dtype), out=out[part][..., c])
    return out


def _convolved(
    fields: np.ndarray, spectrum: np.ndarray, sizes: Sequence[int]
) -> Iterator[np.ndarray]:
    """The components of the sum over features of fields (samples, *space) by their kernels."""
    space, n_components = tuple(range(1, fields.ndim - 1)), spectrum.shape[1]
    padded = fields.shape[2:] != tuple(sizes)
    total: list[np.ndarray] = []
    for i, (field, kernels) in enumerate(zip(fields, spectrum, strict=True)):
        transformed = fft.rfftn(field, axes=space, s=tuple(sizes) if padded else None)
        for c, kernel in enumerate(kernels):
            # The last use of a transform may destroy it.
            out = transformed if c == n_components - 1 else None
            added = np.multiply(transformed, kernel, out=out)
            if i == 0:
                total.append(added)
            else:
                total[c] += added
    while total:
        yield fft.irfftn(total.pop(0), s=tuple(sizes), axes=space, overwrite=True)


def tile_reach(support: Sequence[int], features: LocalFeatures) -> list[tuple[int, int]]:
    """Voxels before and after a tile that its prediction depends on."""
    more = features.reach or (0,) * len(support)
    return [((n - 1) // 2 + t, n // 2 + t) for n, t in zip(support, more, strict=True)]


def convolve_tile(
    place: TilePlace,
    taps: Taps,
    block: np.ndarray,
    *,
    constant: np.ndarray,
    reference: np.ndarray,
    features: LocalFeatures,
    dtype: np.dtype,
) -> np.ndarray:
    """Kernel: a tile with its surroundings to the prediction (samples, *tile, components).

    ``reference`` is what the features are beyond the block where that is cut off.
    """
    reach = tile_reach(taps.support, features)
    n_space, n_components = len(reach), taps.values.shape[1]
    steps = _part_sizes(place.size, [sum(r) for r in reach])
    sizes = [fft.next_fast_len(n + sum(r)) for n, r in zip(steps, reach, strict=True)]
    out = np.empty((len(block), *place.size, n_components), dtype)
    spectrum = taps.spectrum(sizes)
    corners = product(*(range(0, n, step) for n, step in zip(place.size, steps, strict=True)))
    for corner in corners:
        around, inside, target = [], [], []
        for i, (at, (before, after)) in enumerate(zip(corner, reach, strict=True)):
            first = place.offset[i] + at
            last = min(first + steps[i], place.offset[i] + place.size[i])
            low, high = max(first - before, 0), min(last + after, block.shape[1 + i])
            around.append(slice(low, high))
            inside.append(slice(first - low, last - low))
            target.append(slice(at, at + last - first))
        for j in range(len(block)):
            predicted = convolve_block(
                block[(slice(j, j + 1), *around)],
                spectrum,
                constant,
                reference,
                features=features,
                wrap=(False,) * n_space,
                sizes=sizes,
                dtype=dtype,
            )
            out[(slice(j, j + 1), *target)] = predicted[(slice(None), *inside)]
    return out


def convolve_whole(
    block: np.ndarray, taps: Taps, *, wrap: Sequence[bool], **options: Any
) -> np.ndarray:
    """Kernel: whole volumes part by part, as :func:`convolve_tile`."""
    reach = tile_reach(taps.support, options["features"])
    shape = block.shape[1 : 1 + len(wrap)]
    offset = tuple(r[0] if around else 0 for r, around in zip(reach, wrap, strict=True))
    margins = [r if around else (0, 0) for r, around in zip(reach, wrap, strict=True)]
    extra = [(0, 0)] * (block.ndim - 1 - len(wrap))
    surrounded = np.pad(block, [(0, 0), *margins, *extra], mode="wrap")
    place = TilePlace((0,) * len(wrap), shape, offset)
    return convolve_tile(place, taps, surrounded, **options)


def _part_sizes(shape: Sequence[int], margins: Sequence[int]) -> list[int]:
    """Cut a tile in halves until its parts and their surroundings are small enough."""
    steps = list(shape)
    while np.prod([n + m for n, m in zip(steps, margins, strict=True)]) > PART_VOXELS:
        widest = max(range(len(steps)), key=lambda i: steps[i] - margins[i])
        if steps[widest] <= max(margins[widest], 1):
            break
        steps[widest] = (steps[widest] + 1) // 2
    return steps
