"""Colours of crystal directions: the key of inverse pole figures."""

from __future__ import annotations

from typing import Any

import numpy as np

from mksdask.euler_angles import checked_angles, euler_to_matrix
from mksdask.laue_groups import laue_group
from mksdask.lazy import ArrayLike, lift
from mksdask.orientation.layout import leading_dims

_BATCH = 8192
_AXES = {"x": (1.0, 0, 0), "y": (0, 1.0, 0), "z": (0, 0, 1.0)}

#: Azimuths, in degrees, between which lie the directions that are all different, by Laue group.
SECTORS = {
    "orthorhombic": (0, 90),
    "tetragonal": (0, 45),
    "trigonal": (-30, 30),
    "hexagonal": (0, 30),
    "cubic": (0, 45),
}


def direction_colours(orientation: ArrayLike, symmetry: str, direction: Any = "z") -> ArrayLike:
    """Red, green and blue for the crystal direction that lies along a direction of the sample.

    For cubic crystals [001] is red, [011] green and [111] blue; for the others with mirror planes
    through their main axis c, red is c, and green and blue are the ends of the equator (for
    hexagonal crystals [2-1-10] and [10-10]). Equivalent directions have equal colours.

    Parameters
    ----------
    orientation
        Bunge Euler angles (..., euler) in radians.
    symmetry
        "cubic", "hexagonal", "trigonal", "tetragonal" or "orthorhombic" (or their symbols).
    direction
        "x", "y", "z" or three components in the axes of the sample.

    Returns
    -------
    (..., rgb) between 0 and 1, lazily.

    Examples
    --------
    >>> direction_colours(np.zeros((1, 3)), "cubic")
    array([[1., 0., 0.]])
    """
    dims = leading_dims(orientation, {"euler": 3})
    group = laue_group(symmetry).name
    if group not in SECTORS:
        raise ValueError(
            f"symmetry is {symmetry!r}, for which there is no key of colours; wanted one of "
            f"{list(SECTORS)}"
        )
    return lift(
        _colours,
        orientation,
        dims=[(*dims, "euler")],
        out_dims=(*dims, "rgb"),
        sizes={"rgb": 3},
        coords={"rgb": ["red", "green", "blue"]},
        dtype=np.float64,
        name="direction_colours",
        kwargs={"symmetry": group, "direction": unit_direction(direction)},
    )


def unit_direction(direction: Any) -> tuple[float, ...]:
    """A direction of the sample as unit vector.

    >>> unit_direction([0, 3, 4])
    (0.0, 0.6, 0.8)
    """
    if isinstance(direction, str) and direction in _AXES:
        return _AXES[direction]
    try:
        vector = np.asarray(direction, float)
    except (TypeError, ValueError):
        vector = np.empty(0)
    length = np.linalg.norm(vector)
    if vector.shape != (3,) or not 0 < length < np.inf:
        raise ValueError(f"direction is {direction!r}; wanted 'x', 'y', 'z' or three components")
    return tuple((vector / length).tolist())


def colours_of_directions(vectors: np.ndarray, symmetry: str) -> np.ndarray:
    """Colours (..., 3) of unit vectors (..., 3) in the axes of the crystal.

    >>> colours_of_directions(np.array([[0, 0, -1.0], [0, 1, 1]]), "cubic")
    array([[1., 0., 0.],
           [0., 1., 0.]])
    """
    if symmetry == "cubic":
        low, middle, high = np.moveaxis(np.sort(np.abs(vectors), axis=-1), -1, 0)
        parts = [high - middle, (middle - low) * np.sqrt(2), low * np.sqrt(3)]
    else:
        polar = np.arctan2(np.hypot(vectors[..., 0], vectors[..., 1]), np.abs(vectors[..., 2]))
        # The inversion brings directions of the lower half up.
        azimuth = np.arctan2(vectors[..., 1], vectors[..., 0])
        azimuth = np.where(vectors[..., 2] < 0, azimuth + np.pi, azimuth)
        first, last = np.deg2rad(SECTORS[symmetry])
        width = last - first
        along = (azimuth - first) % (2 * width) / width
        along = np.where(along > 1, 2 - along, along)
        tilt = polar / (np.pi / 2)
        parts = [1 - tilt, tilt * (1 - along), tilt * along]
    rgb = np.stack(parts, axis=-1)
    # Brighter than linear in between, so that the middle of the sector is not grey.
    return np.sqrt(np.clip(rgb / rgb.max(axis=-1, keepdims=True), 0, 1))


def _colours(block: np.ndarray, symmetry: str, direction: tuple[float, ...]) -> np.ndarray:
    flat = checked_angles(block).reshape(-1, 3)
    out = np.empty_like(flat)
    for start in range(0, len(flat), _BATCH):
        part = slice(start, start + _BATCH)
        out[part] = colours_of_directions(euler_to_matrix(flat[part]) @ direction, symmetry)
    return out.reshape(block.shape)
