"""Random orientations: uniform, around one orientation, around a fibre."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import xarray as xr
from scipy.spatial.transform import Rotation

from mksdask.euler_angles import euler_to_matrix, matrix_to_euler
from mksdask.generate.arguments import AXES, CHUNK_BYTES, checked_shape
from mksdask.generate.orientations import uniform_orientations
from mksdask.generate.seeded import Streams, sample_rows
from mksdask.lazy import lift


class Texture(Protocol):
    """A distribution of orientations that can be drawn from."""

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Bunge Euler angles (n, 3) in radians."""


@dataclass(frozen=True)
class Uniform:
    """Every orientation equally likely.

    >>> Uniform().sample(np.random.default_rng(0), 4).shape
    (4, 3)
    """

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Bunge Euler angles (n, 3) in radians."""
        return uniform_orientations(rng, n)


@dataclass(frozen=True)
class Unimodal:
    """Orientations around one: turned from it by a random vector of rotation.

    Its three components are normal with standard deviation ``spread``, in radians.

    Parameters
    ----------
    center
        Bunge Euler angles in radians.
    spread
        About 0.1 (6 degrees) for a strong texture.

    Examples
    --------
    >>> texture = Unimodal((0.4, 0.7, 0.0), spread=1e-6)
    >>> texture.sample(np.random.default_rng(0), 2).round(4) % 6.2832
    array([[0.4, 0.7, 0. ],
           [0.4, 0.7, 0. ]])
    """

    center: tuple[float, float, float]
    spread: float

    def __post_init__(self) -> None:
        if np.shape(self.center) != (3,) or not np.isfinite(self.center).all():
            raise ValueError(f"center is {self.center!r}; wanted three Euler angles in radians")
        _check_spread(self.spread)

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Bunge Euler angles (n, 3) in radians."""
        center = euler_to_matrix(np.array(self.center, float))
        return matrix_to_euler(_small_turns(rng, n, self.spread) @ center)


@dataclass(frozen=True)
class Fibre:
    """Crystals with one of their directions along one of the sample, turned about it at random.

    Parameters
    ----------
    crystal
        Direction in the (cartesian) axes of the crystal, for example (1, 1, 1).
    sample_axis
        Direction in the axes of the sample, for example (0, 0, 1).
    spread
        Standard deviation, in radians, of the random vector of rotation added; 0 for none.

    Examples
    --------
    >>> g = Fibre((1, 1, 1), (0, 0, 1)).sample(np.random.default_rng(0), 3)
    >>> (euler_to_matrix(g) @ [0, 0, 1]).round(6)
    array([[0.57735, 0.57735, 0.57735],
           [0.57735, 0.57735, 0.57735],
           [0.57735, 0.57735, 0.57735]])
    """

    crystal: tuple[float, float, float]
    sample_axis: tuple[float, float, float]
    spread: float = 0.0

    def __post_init__(self) -> None:
        for name in ("crystal", "sample_axis"):
            direction = getattr(self, name)
            if np.shape(direction) != (3,) or not 0 < np.linalg.norm(direction) < np.inf:
                raise ValueError(f"{name} is {direction!r}; wanted a direction such as (1, 1, 1)")
        _check_spread(self.spread)

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Bunge Euler angles (n, 3) in radians."""
        crystal = np.array(self.crystal, float) / np.linalg.norm(self.crystal)
        aligned = Rotation.align_vectors(crystal[None], np.array([self.sample_axis], float))[0]
        turns = Rotation.from_rotvec(rng.random(n)[:, None] * 2 * np.pi * crystal)
        on_fibre = (turns * aligned).as_matrix()
        return matrix_to_euler(_small_turns(rng, n, self.spread) @ on_fibre)


def random_orientations(
    n_samples: int,
    shape: Sequence[int],
    *,
    texture: Texture | None = None,
    seed: int = 0,
    first_sample: int = 0,
    chunks: int | None = None,
) -> xr.DataArray:
    """Orientations of voxels (sample, x[, y[, z]], euler), each drawn on its own, lazily.

    Parameters
    ----------
    n_samples, shape
        Number of samples and voxels along x[, y[, z]].
    texture
        :class:`Uniform` (the default), :class:`Unimodal`, :class:`Fibre`, or any object with a
        method ``sample(rng, n)``.
    seed, first_sample
        Sample i depends on the seed and i only.
    chunks
        Samples a chunk; by default as many as take 64 MiB.

    Examples
    --------
    >>> random_orientations(2, (4, 4), seed=1).dims
    ('sample', 'x', 'y', 'euler')
    """
    shape = checked_shape(shape)
    texture = checked_texture(texture)
    if chunks is None:
        chunks = max(1, CHUNK_BYTES // (24 * int(np.prod(shape))))
    rows = sample_rows(shape, n_samples, seed=seed, first_sample=first_sample, chunks=chunks)
    dims = ("sample", *AXES[: len(shape)], "euler")
    return lift(
        _drawn,
        rows,
        dims=[("sample", "parameter")],
        out_dims=dims,
        sizes=dict(zip(dims[1:], (*shape, 3), strict=True)),
        coords={"euler": ["phi1", "Phi", "phi2"]},
        dtype=np.float64,
        name="orientation",
        attrs={"units": "radian", "convention": "Bunge"},
        kwargs={"seed": seed, "shape": shape, "texture": texture},
    )


def checked_texture(texture: Any) -> Texture:
    """``texture``, or the uniform one for None, or what is wrong with it."""
    if texture is not None and not hasattr(texture, "sample"):
        raise TypeError(f"texture is {texture!r}; wanted Uniform(), Unimodal(...) or Fibre(...)")
    return Uniform() if texture is None else texture


def _drawn(rows: np.ndarray, *, seed: int, shape: tuple[int, ...], texture: Texture) -> np.ndarray:
    streams = Streams(seed)
    out = np.empty((len(rows), *shape, 3))
    for target, index in zip(out, rows[:, 0].astype(int).tolist(), strict=True):
        target[...] = texture.sample(streams.of(index), int(np.prod(shape))).reshape(*shape, 3)
    return out


def _small_turns(rng: np.random.Generator, n: int, spread: float) -> np.ndarray:
    return Rotation.from_rotvec(spread * rng.standard_normal((n, 3))).as_matrix()


def _check_spread(spread: float) -> None:
    if not (np.isfinite(spread) and spread >= 0):
        raise ValueError(f"spread is {spread}; wanted an angle in radians, at least 0")
    if spread > np.pi:
        raise ValueError(
            f"spread is {spread:g} radians; wanted at most pi: for degrees use np.deg2rad, for a "
            "uniform texture Uniform()"
        )
