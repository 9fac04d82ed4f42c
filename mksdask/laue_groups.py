"""The eleven Laue groups: which rotations leave a crystal's centrosymmetric properties as they are.

Setting: the main axis along z. Two-fold axes across it lie along x (for 32 and 622 the a axis);
the axis of the monoclinic group lies along y (unique axis b).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np


@dataclass(frozen=True)
class LaueGroup:
    """A Laue group by its rotations.

    >>> group = laue_group("m-3m")
    >>> group.name, group.rotation_symbol, group.order
    ('cubic', '432', 24)
    """

    #: Name used throughout this package.
    name: str
    #: Symbol of the Laue class.
    symbol: str
    #: Symbol of its group of proper rotations.
    rotation_symbol: str
    #: Axis and angle as a fraction of a turn of the rotations that generate the group.
    generators: tuple[tuple[tuple[int, int, int], int], ...]

    @property
    def order(self) -> int:
        """Number of proper rotations."""
        return len(self.matrices)

    @cached_property
    def matrices(self) -> np.ndarray:
        """The proper rotations, shape (order, 3, 3), the identity first."""
        found = [np.eye(3)]
        steps = [_turn(axis, fold) for axis, fold in self.generators]
        for known in found:  # grows while it is walked through
            for step in steps:
                product = step @ known
                if not any(np.allclose(product, other) for other in found):
                    found.append(product)
        return np.array(found)


def _turn(axis: tuple[int, int, int], fold: int) -> np.ndarray:
    """Rotation by a turn divided by ``fold`` about ``axis`` (Rodrigues)."""
    n = np.array(axis) / np.linalg.norm(axis)
    angle = 2 * np.pi / fold
    cross = np.array([[0, -n[2], n[1]], [n[2], 0, -n[0]], [-n[1], n[0], 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


_X, _Y, _Z, _DIAGONAL = (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)

#: All groups, from the least to the most symmetric of each system.
LAUE_GROUPS: tuple[LaueGroup, ...] = (
    LaueGroup("triclinic", "-1", "1", ()),
    LaueGroup("monoclinic", "2/m", "2", ((_Y, 2),)),
    LaueGroup("orthorhombic", "mmm", "222", ((_Z, 2), (_X, 2))),
    LaueGroup("tetragonal_low", "4/m", "4", ((_Z, 4),)),
    LaueGroup("tetragonal", "4/mmm", "422", ((_Z, 4), (_X, 2))),
    LaueGroup("trigonal_low", "-3", "3", ((_Z, 3),)),
    LaueGroup("trigonal", "-3m", "32", ((_Z, 3), (_X, 2))),
    LaueGroup("hexagonal_low", "6/m", "6", ((_Z, 6),)),
    LaueGroup("hexagonal", "6/mmm", "622", ((_Z, 6), (_X, 2))),
    LaueGroup("cubic_low", "m-3", "23", ((_DIAGONAL, 3), (_Z, 2))),
    LaueGroup("cubic", "m-3m", "432", ((_DIAGONAL, 3), (_Z, 4))),
)

_BY_NAME = {key: g for g in LAUE_GROUPS for key in (g.name, g.symbol, g.rotation_symbol)}


def laue_group(symmetry: Any) -> LaueGroup:
    """The group called ``symmetry``: a name, a Laue class or a group of rotations.

    >>> laue_group("hexagonal").symbol, laue_group("432").name
    ('6/mmm', 'cubic')
    """
    if not isinstance(symmetry, str) or symmetry not in _BY_NAME:
        known = ", ".join(f"{g.name} ({g.symbol}, {g.rotation_symbol})" for g in LAUE_GROUPS)
        error = ValueError if isinstance(symmetry, str) else TypeError
        raise error(f"symmetry is {symmetry!r}; wanted one of {known}")
    return _BY_NAME[symmetry]
