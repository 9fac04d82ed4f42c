"""Symmetries of load and grid: every sample stands for its mirror images and turned copies too.

A rotation or reflection Q that takes the voxel grid to itself, and the load to itself, takes a
solution to a solution: if a microstructure m(s) has the strain field eps(s), then m(Q^-1 s) has
Q eps(Q^-1 s) Q^T. It is a permutation of the axes with signs, so the spectra of the copy are those
of the sample at the frequency Q^-1 k, with the components permuted and signed. Sums over all copies
of a sample are therefore sums of what is known of the sample itself; nothing is transformed twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import numpy as np

from mksdask.linkage.local_features import LocalFeatures


@dataclass(frozen=True)
class AxisMap:
    """The orthogonal map s'_i = signs[i] s[axes[i]] of the axes of a grid.

    >>> AxisMap((1, 0), (1, -1)).apply((3, 5))
    (5, -3)
    """

    axes: tuple[int, ...]
    signs: tuple[int, ...]

    def apply(self, vector: Sequence[int]) -> tuple[int, ...]:
        """The image of a vector."""
        return tuple(sign * vector[axis] for axis, sign in zip(self.axes, self.signs, strict=True))

    def back(self, vector: Sequence[Any]) -> tuple[Any, ...]:
        """The vector (of numbers or arrays) whose image this is."""
        found: list[Any] = [0] * len(self.axes)
        for value, axis, sign in zip(vector, self.axes, self.signs, strict=True):
            found[axis] = sign * value
        return tuple(found)

    def after(self, first: AxisMap) -> AxisMap:
        """This map applied to what ``first`` gives."""
        axes = tuple(first.axes[a] for a in self.axes)
        signs = tuple(s * first.signs[a] for a, s in zip(self.axes, self.signs, strict=True))
        return AxisMap(axes, signs)


Group = tuple[AxisMap, ...]


@dataclass(frozen=True)
class Action:
    """What a map does to a list of fields: f'_a[k] = signs[a] f[sources[a]] at Q^-1 k, shifted.

    ``shifts`` are in voxels: field a is moved by shifts[a] before it is mapped; None for no shifts.
    """

    sources: tuple[int, ...]
    signs: tuple[int, ...]
    shifts: tuple[tuple[int, ...], ...] | None = None


def group_of(generators: Sequence[AxisMap], n_space: int) -> Group:
    """All maps that products of ``generators`` make, the identity first.

    >>> len(group_of([AxisMap((1, 0), (1, 1)), AxisMap((0, 1), (-1, 1))], 2))
    8
    """
    identity = AxisMap(tuple(range(n_space)), (1,) * n_space)
    found = {identity: None}
    fresh = [identity]
    while fresh:
        fresh = [m for m in (g.after(f) for f in fresh for g in generators) if m not in found]
        found.update(dict.fromkeys(fresh))
        fresh = list(dict.fromkeys(fresh))
    return tuple(found)


def grid_symmetries(shape: Sequence[int], edges: Sequence[float] | None = None) -> Group:
    """All maps of the axes that take a grid of this shape, and its voxels, to itself.

    ``edges`` are those of a voxel, all the same by default.

    >>> len(grid_symmetries((5, 5, 5))), len(grid_symmetries((5, 7, 7)))
    (48, 16)
    """
    n = len(shape)
    found = [
        AxisMap(axes, signs)
        for axes in permutations(range(n))
        if all(_alike(shape, edges, a, i) for i, a in enumerate(axes))
        for signs in product((1, -1), repeat=n)
    ]
    return tuple(found)


def _alike(shape: Sequence[int], edges: Sequence[float] | None, a: int, b: int) -> bool:
    """Whether two axes have as many voxels of the same length."""
    return shape[a] == shape[b] and (edges is None or bool(np.isclose(edges[a], edges[b])))


def action_on_labels(map_: AxisMap, labels: Sequence[str], space: Sequence[str]) -> Action:
    """How components named after axes change: "" a scalar, "x" of a vector, "xy" of a tensor.

    Axes that are not in ``space`` stay. Raises ValueError if a component turns into one that is
    not there.

    >>> turn = AxisMap((1, 0), (-1, 1))  # x' = -y, y' = x
    >>> action_on_labels(turn, ("xx", "yy", "xy"), ("x", "y"))
    Action(sources=(1, 0, 2), signs=(1, 1, -1), shifts=None)
    """
    sources, signs = [], []
    for label in labels:
        sign, letters = 1, []
        for letter in label:
            if letter in space:
                i = space.index(letter)
                sign *= map_.signs[i]
                letter = space[map_.axes[i]]
            letters.append(letter)
        image = "".join(sorted(letters))
        if image not in labels:
            raise ValueError(
                f"symmetries turn the component {label!r} into {image!r}, which is not among "
                f"{tuple(labels)}: give all components, or fewer symmetries"
            )
        sources.append(labels.index(image))
        signs.append(sign)
    return Action(tuple(sources), tuple(signs))


def action_on_features(map_: AxisMap, features: LocalFeatures) -> Action:
    """How functions of the local state, and products with neighbours, change.

    Functions of phases only move; those of crystal orientations turn as well.
    """
    n, n_space = len(features.parts), len(map_.axes)
    if features.basis.state_dims:
        return _action_on_crystals(map_, features)
    nothing = (0,) * n_space
    sources, shifts = list(range(n)), [nothing] * n
    place = {(p.first, p.second, p.offset): n + i for i, p in enumerate(features.products)}
    for found in features.products:
        origin = map_.back(found.offset)
        opposite = tuple(-t for t in origin)
        if (found.first, found.second, origin) in place:
            sources.append(place[found.first, found.second, origin])
            shifts.append(nothing)
        elif (found.second, found.first, opposite) in place:
            # m_a[s] m_b[s - t] is m_b[s] m_a[s + t], moved by t
            sources.append(place[found.second, found.first, opposite])
            shifts.append(opposite)
        else:
            raise ValueError(
                f"symmetries turn the neighbour at {origin} into that at {found.offset}, and only "
                "one of them is in neighbours: give both, or fewer symmetries"
            )
    moved = tuple(shifts) if any(map(any, shifts)) else None
    return Action(tuple(sources), (1,) * len(sources), moved)


def _action_on_crystals(map_: AxisMap, features: LocalFeatures) -> Action:
    identity = map_ == AxisMap(tuple(range(len(map_.axes))), (1,) * len(map_.axes))
    if identity:
        return Action(tuple(range(features.n_features)), (1,) * features.n_features)
    if features.basis.is_complex or features.products or len(map_.axes) < 3:
        raise ValueError(
            f"symmetries are given for {features.basis!r}"
            + (" with products of neighbours" if features.products else "")
            + f" on {len(map_.axes)} axes; wanted a real form, no neighbours and three axes"
        )
    matrix = np.zeros((3, 3))
    matrix[range(3), list(map_.axes)] = map_.signs
    # Crystals look the same after inversion, so a reflection turns them as a rotation does.
    sources, signs = features.basis.turned(np.linalg.det(matrix) * matrix)
    states = [part.state for part in features.parts]
    return Action(tuple(states.index(sources[h]) for h in states), tuple(signs[h] for h in states))


def read_symmetries(
    symmetries: Any,
    mean: np.ndarray | None,
    labels: Sequence[str] | None,
    space: Sequence[str],
    shape: Sequence[int],
    wrap: Sequence[bool] | None = None,
    edges: Sequence[float] | None = None,
) -> Group:
    """The group that the user asks for: None, "load", or reflections and swaps of axes.

    ``mean`` is the mean response of the components ``labels``, which the load fixes; ``wrap``
    tells which axes are periodic, all by default, and ``edges`` those of a voxel, by default a cube.

    >>> len(read_symmetries("load", np.eye(3)[0], ("xx", "yy", "xy"), ("x", "y"), (5, 5)))
    4
    >>> len(read_symmetries(("-y", "-z", "yz"), None, ("",), ("x", "y", "z"), (5, 5, 5)))
    8
    """
    identity = group_of((), len(space))
    if symmetries is None:
        return identity
    if labels is None:
        raise ValueError(
            "y has no names for its components, so symmetries cannot turn them: give a DataArray "
            "whose last dimension has labels such as 'xx', 'xy', or symmetries=None"
        )
    if isinstance(symmetries, str):
        if symmetries != "load" or mean is None:
            raise ValueError(_wanted(symmetries, space))
        if tuple(labels) == ("",):
            raise ValueError(
                "symmetries is 'load' and y is a single field without the name of a component, "
                "which does not tell the load: keep the name, as strain.sel(tensor=['xx']) does, "
                "or name symmetries that hold, such as ('-x', '-y')"
            )
        return tuple(
            m
            for m in _of_load(mean, labels, space, grid_symmetries(shape, edges))
            if _keeps(m, wrap)
        )
    try:
        generators = [_generator(text, space, shape, edges, symmetries) for text in symmetries]
    except TypeError:
        raise ValueError(_wanted(symmetries, space)) from None
    group = group_of(generators, len(space))
    for map_ in group:
        action_on_labels(map_, labels, space)
        if not _keeps(map_, wrap):
            raise ValueError(
                f"symmetries is {symmetries!r}, which swaps a periodic axis with one that is not"
            )
    return group


def _keeps(map_: AxisMap, wrap: Sequence[bool] | None) -> bool:
    return wrap is None or all(wrap[a] == wrap[i] for i, a in enumerate(map_.axes))


def _wanted(found: Any, space: Sequence[str]) -> str:
    return (
        f"symmetries is {found!r}; wanted None, 'load', or a tuple of reflections such as "
        f"'-{space[-1]}' and swaps of axes such as '{''.join(space[-2:])}'"
    )


def _generator(
    text: Any,
    space: Sequence[str],
    shape: Sequence[int],
    edges: Sequence[float] | None,
    all_: Any,
) -> AxisMap:
    n = len(space)
    if isinstance(text, str) and len(text) == 2 and text[0] == "-" and text[1] in space:
        signs = tuple(-1 if d == text[1] else 1 for d in space)
        return AxisMap(tuple(range(n)), signs)
    if isinstance(text, str) and len(text) == 2 and set(text) <= set(space) and text[0] != text[1]:
        a, b = (space.index(d) for d in text)
        if shape[a] != shape[b]:
            raise ValueError(
                f"symmetries has {text!r}, and the grid has {shape[a]} and {shape[b]} voxels along "
                "these axes; wanted axes of equal length"
            )
        if not _alike(shape, edges, a, b):
            raise ValueError(
                f"symmetries has {text!r}, and voxels with edges like {edges} (voxel_size) are not "
                "the same along these axes; wanted axes that can be swapped"
            )
        axes = list(range(n))
        axes[a], axes[b] = b, a
        return AxisMap(tuple(axes), (1,) * n)
    raise ValueError(_wanted(all_, space))


def _of_load(mean: np.ndarray, labels: Sequence[str], space: Sequence[str], grid: Group) -> Group:
    """Symmetries of the grid that leave the mean response as it is."""
    kept = []
    for map_ in grid:
        try:
            action = action_on_labels(map_, labels, space)
        except ValueError:  # a component that is not there must not be needed
            continue
        image = np.asarray(action.signs) * mean[list(action.sources)]
        if np.abs(image - mean).max() <= 1e-5 * np.abs(mean).max():
            kept.append(map_)
    return tuple(kept)
