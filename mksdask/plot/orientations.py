"""Pictures of crystal orientations: maps in the colours of inverse pole figures, and pole figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from mksdask.euler_angles import checked_angles, euler_to_matrix
from mksdask.laue_groups import laue_group
from mksdask.lazy import ArrayLike
from mksdask.orientation.colours import (
    SECTORS,
    colours_of_directions,
    direction_colours,
    unit_direction,
)
from mksdask.orientation.layout import leading_dims
from mksdask.plot.canvas import SPACE, make_figure, one_sample, unit_label
from mksdask.progress import compute
from mksdask.statistics.lag_grid import resolve_steps, voxel_attrs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Poles drawn at most, and the spread of each, about 7 degrees.
_MOST_POLES = 40_000
_CONCENTRATION = 60.0
_GRID = 81

_CORNERS = {
    "cubic": ("001", "101", "111"),
    "hexagonal": ("0001", "2-1-10", "10-10"),
    "trigonal": ("c", "-30\N{DEGREE SIGN}", "30\N{DEGREE SIGN}"),
    "tetragonal": ("001", "100", "110"),
    "orthorhombic": ("001", "100", "010"),
}


def orientation_map(
    orientation: xr.DataArray, symmetry: str, *, direction: Any = "z", sample: int = 0
) -> Figure:
    """Draw a sample in colours of the crystal direction along ``direction``, with their key.

    Two dimensions are drawn as they are, three as the three central planes. See
    :func:`mksdask.orientation.direction_colours` for the colours; voxels without orientation (NaN)
    are grey.

    Parameters
    ----------
    orientation
        Bunge Euler angles (sample, x, y[, z], euler), with or without ``sample``.
    symmetry
        "cubic", "hexagonal", "trigonal", "tetragonal" or "orthorhombic".
    direction
        "x", "y", "z" or three components in the axes of the sample.
    sample
        Number of the sample to draw.

    Examples
    --------
    >>> from mksdask.generate import voronoi
    >>> len(orientation_map(voronoi(1, (8, 8), 4).orientation, "cubic").axes)
    2
    """
    chosen = one_sample(orientation, sample, "orientation")
    space = [d for d in SPACE if d in chosen.dims]
    if len(space) < 2 or set(chosen.dims) != {*space, "euler"}:
        raise ValueError(
            f"orientation has dims {tuple(map(str, orientation.dims))}; wanted 'euler' and two or "
            f"three of {SPACE}"
        )
    group = _with_key(symmetry)
    unit_direction(direction)
    size, unit = voxel_attrs(chosen.attrs, space)
    steps, unit = resolve_steps(size is not None, size, unit, len(space))
    ends = {d: chosen.sizes[d] * h for d, h in zip(space, steps, strict=True)}
    pairs = [(a, b) for i, a in enumerate(space) for b in space[i + 1 :]]
    middle = {d: chosen.sizes[d] // 2 for d in space}
    planes = [chosen.isel({d: middle[d] for d in space if d not in pair}) for pair in pairs]
    angles = compute(*planes, label="orientations")
    figure = make_figure(2.6 * len(pairs) + 2.4, 2.9)
    panels = figure.subplots(
        1, len(pairs) + 1, squeeze=False, width_ratios=[1.0] * len(pairs) + [0.6]
    )[0]
    for axes, pair, plane in zip(panels, pairs, angles, strict=False):
        values = plane.transpose(*pair, "euler").values
        known = np.isfinite(values).all(axis=-1)
        colours = np.asarray(direction_colours(np.where(known[..., None], values, 0.0), group,
                                               direction))  # fmt: skip
        colours[~known] = 0.8
        axes.imshow(
            colours.swapaxes(0, 1),
            origin="lower",
            extent=(0, ends[pair[0]], 0, ends[pair[1]]),
            interpolation="nearest",
        )
        axes.set_xlabel(f"{pair[0]}{unit_label(unit)}")
        axes.set_ylabel(f"{pair[1]}{unit_label(unit)}")
    _draw_key(panels[-1], group, direction)
    return figure


def pole_figure(
    orientation: ArrayLike,
    poles: Sequence[Any] = ((0, 0, 1), (1, 1, 0), (1, 1, 1)),
    symmetry: str = "cubic",
    *,
    weights: Any = None,
) -> Figure:
    """Draw the density of crystal directions over the directions of the sample.

    Equal-area projections of the upper half of the sphere with z in the middle and x to the right,
    in multiples of the uniform density, smoothed over about 10 degrees. All orientations given are
    drawn together (up to 40,000 poles of them, evenly chosen).

    Parameters
    ----------
    orientation
        Bunge Euler angles (..., euler) in radians.
    poles
        Directions in the (cartesian) axes of the crystal; each is drawn with its equivalents.
    symmetry
        Laue group of the crystal.
    weights
        Of the orientations, of the same shape without the last axis, at least 0; orientations of
        weight 0 (that were not indexed, and are NaN, for instance) are left out.

    Examples
    --------
    >>> from mksdask.generate import Fibre, random_orientations
    >>> g = random_orientations(1, (200,), texture=Fibre((1, 1, 1), (0, 0, 1), 0.1))
    >>> len(pole_figure(g, [(1, 1, 1)]).axes)  # with the scale
    2
    """
    group = laue_group(symmetry)
    directions = [np.array(unit_direction(p)) for p in poles]
    if not directions:
        raise ValueError("poles is empty; wanted at least one direction such as (1, 1, 1)")
    angles, weight = _weighted(orientation, weights)
    step = -(-len(angles) * group.order // _MOST_POLES)
    g, weight = euler_to_matrix(angles[::step]), weight[::step]
    figure = make_figure(2.6 * len(poles) + 0.9, 3.0)
    from matplotlib.patches import Circle

    edge = 1 + 2 / _GRID
    axis = np.linspace(-1, 1, _GRID) * edge * (1 - 1 / _GRID)
    x, y = np.meshgrid(axis, axis, indexing="ij")
    radius = np.hypot(x, y)
    near = radius <= 1 + 3 / _GRID  # a little more, to be cut along the circle
    grid = _from_plane(x, y)[near]
    pictures = []
    for direction in directions:
        equal = np.unique((group.matrices @ direction).round(9), axis=0)
        found = np.einsum("nij,ki->nkj", g, equal).reshape(-1, 3)
        picture = np.full(x.shape, np.nan)
        picture[near] = _density(grid, found, np.repeat(weight, len(equal)))
        pictures.append(picture)
    top = max(np.nanmax(p) for p in pictures)
    panels = figure.subplots(1, len(directions), squeeze=False)[0]
    for axes, picture, pole in zip(panels, pictures, poles, strict=True):
        image = axes.imshow(
            picture.T, origin="lower", extent=(-edge, edge, -edge, edge), vmin=0, vmax=top
        )
        image.set_clip_path(Circle((0, 0), 1, transform=axes.transData))
        turn = np.linspace(0, 2 * np.pi, 200)
        axes.plot(np.cos(turn), np.sin(turn), color="0.2", linewidth=0.8)
        axes.set_title("{" + " ".join(f"{p:g}" for p in pole) + "}", pad=14)
        axes.text(1.04, 0, "x", va="center")
        axes.text(0, 1.04, "y", ha="center")
        axes.set_axis_off()
        axes.set_aspect("equal")
    figure.colorbar(image, ax=panels, label="multiples of uniform", shrink=0.8)
    return figure


def _weighted(orientation: ArrayLike, weights: Any) -> tuple[np.ndarray, np.ndarray]:
    """Angles (number, 3) and weights of all that weigh something."""
    dims = leading_dims(orientation, {"euler": 3})
    if weights is None:
        weights = np.ones(1)
    elif not isinstance(weights, xr.DataArray):
        weights = np.asarray(weights, float)
    if isinstance(orientation, xr.DataArray):
        orientation = orientation.transpose(*dims, "euler")
        if isinstance(weights, xr.DataArray) and set(weights.dims) == set(dims):
            weights = weights.transpose(*dims)
    values, weight = (np.asarray(v) for v in compute(orientation, weights, label="orientations"))
    if weight.shape not in ((1,), values.shape[:-1]):
        raise ValueError(f"weights has shape {weight.shape}; wanted {values.shape[:-1]}")
    weight = np.broadcast_to(weight.astype(float), values.shape[:-1]).ravel()
    if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.any()):
        raise ValueError("weights has negative or NaN values, or none above 0")
    return checked_angles(values.reshape(-1, 3)[weight > 0]), weight[weight > 0]


def _density(grid: np.ndarray, poles: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean of a von Mises-Fisher distribution around each pole and its opposite; 1 if uniform."""
    total = np.zeros(len(grid))
    norm = 2 * _CONCENTRATION / -np.expm1(-2 * _CONCENTRATION)
    for start in range(0, len(poles), 2048):
        cosine = np.abs(grid @ poles[start : start + 2048].T)
        total += np.exp(_CONCENTRATION * (cosine - 1)) @ weight[start : start + 2048]
    # A direction and its opposite are one pole, so half of the density is theirs.
    return total * norm / 2 / weight.sum()


def _from_plane(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Directions of the upper half whose equal-area projections lie at (x, y), radius 1.

    Points outside stand for the next ones on the circle.
    """
    outside = np.maximum(np.hypot(x, y), 1)
    x, y = x / outside, y / outside
    square = x**2 + y**2
    scale = np.sqrt(2 - square)
    return np.stack([x * scale, y * scale, 1 - square], axis=-1)


def _with_key(symmetry: str) -> str:
    group = laue_group(symmetry).name
    if group not in SECTORS:
        raise ValueError(
            f"symmetry is {symmetry!r}, for which there is no key of colours; wanted one of "
            f"{list(SECTORS)}"
        )
    return group


def _draw_key(axes: Any, group: str, direction: Any) -> None:
    """The sector of different directions, in equal-area projection."""
    first, last = np.deg2rad(SECTORS[group])
    n = 300
    x, y = np.meshgrid(np.linspace(-0.02, 1, n), np.linspace(np.sin(min(first, 0)), 1, n))
    vectors = _from_plane(x, y)
    azimuth = np.arctan2(y, x)
    inside = (x**2 + y**2 <= 1) & (azimuth >= first - 1e-9) & (azimuth <= last + 1e-9)
    if group == "cubic":
        inside &= vectors[..., 0] <= vectors[..., 2]
    colours = np.ones((n, n, 4))
    colours[..., :3] = colours_of_directions(vectors, group)
    colours[~inside] = 0
    axes.imshow(colours, origin="lower", extent=(x.min(), x.max(), y.min(), y.max()))
    corners = {
        "cubic": [(0, 0, 1), (1, 0, 1), (1, 1, 1)],
    }.get(group, [(0, 0, 1), (np.cos(first), np.sin(first), 0), (np.cos(last), np.sin(last), 0)])
    for name, corner in zip(_CORNERS[group], corners, strict=True):
        u = np.array(corner, float) / np.linalg.norm(corner)
        place = u[:2] / np.sqrt(1 + u[2])
        above = place[1] > 0.05
        axes.text(place[0], place[1] + (0.03 if above else -0.03), name, ha="center",
                  va="bottom" if above else "top", fontsize=8)  # fmt: skip
    shown = x[inside], y[inside]
    axes.set_xlim(shown[0].min() - 0.12, shown[0].max() + 0.12)
    axes.set_ylim(shown[1].min() - 0.12, shown[1].max() + 0.12)
    label = direction if isinstance(direction, str) else " ".join(f"{d:g}" for d in direction)
    axes.set_title(f"crystal direction\nalong {label}", fontsize=9)
    axes.set_axis_off()
