"""Local-state bases: from what a voxel is made of to coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mksdask.bases.base import Basis
from mksdask.bases.discretize import checked_basis, discretize
from mksdask.bases.fourier import FourierBasis
from mksdask.bases.gsh import GSHBasis
from mksdask.bases.legendre import LegendreBasis
from mksdask.bases.primitive import PrimitiveBasis

__all__ = [
    "Basis",
    "FourierBasis",
    "GSHBasis",
    "LegendreBasis",
    "PrimitiveBasis",
    "basis_from_dict",
    "checked_basis",
    "discretize",
]

_KINDS: dict[str, Any] = {
    b.kind: b for b in (PrimitiveBasis, LegendreBasis, FourierBasis, GSHBasis)
}


def basis_from_dict(saved: Mapping[str, Any]) -> Basis:
    """Make the basis that :meth:`Basis.to_dict` described.

    >>> basis_from_dict(LegendreBasis(4, domain=(-1, 2)).to_dict())
    LegendreBasis(n_states=4, domain=(-1.0, 2.0))
    """
    fields = dict(saved)
    kind = fields.pop("kind", None)
    if kind not in _KINDS:
        raise ValueError(f"basis kind {kind!r} is unknown; wanted one of {sorted(_KINDS)}")
    basis: Basis = _KINDS[kind](
        **{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    )
    return basis
