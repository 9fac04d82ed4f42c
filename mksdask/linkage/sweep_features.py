"""What a sweep is linear in: products of the local contrast with the strain found so far.

The exact field obeys eps = E - Gamma0 * (dC : eps), a convolution of products of the contrast of
stiffness with the strain itself. A sweep replaces the operator Gamma0 by the best one for such
products with the previous, approximate strain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mksdask.linkage.symmetry import Action

KINDS = ("lean", "full", "neighbourhood", "polarization")


@dataclass(frozen=True)
class SweepFeatures:
    """Fields made of contrasts x_h and previous strain eps_d, in a fixed order.

    ``"lean"``: x_h eps_d; ``"full"``: also x_h and eps_d; ``"neighbourhood"``: also products with
    the mean y_g of x_g over the voxels across the faces: y_h eps_d, x_h y_g eps_d, x_h y_g, y_g^2
    and x_h y_g^2. For two phases and six components, that is 6, 13 and 28.

    ``"polarization"``: the stress dC eps, with dC = sum_h stiffness_h x_h; for crystals, whose
    stiffness is such a sum exactly, as many fields as components.

    >>> [SweepFeatures(kind, 1, 6).n_features for kind in KINDS]
    [6, 13, 28, 6]
    """

    kind: str
    n_contrasts: int
    n_components: int
    #: Of each contrast, for "polarization": (contrast, component, component).
    stiffness: tuple[tuple[tuple[float, ...], ...], ...] = ()

    @property
    def n_features(self) -> int:
        """Number of fields."""
        return len(self.names)

    @property
    def names(self) -> list[tuple[str, int | None]]:
        """Each field as its scalar factor, "" for 1, and the component of strain, if any."""
        strain = range(self.n_components)
        n = range(self.n_contrasts)
        if self.kind == "polarization":
            return [("dC", d) for d in strain]
        found: list[tuple[str, int | None]] = [(f"x{h}", d) for h in n for d in strain]
        if self.kind == "lean":
            return found
        found += [(f"x{h}", None) for h in n]
        found += [("", d) for d in strain]
        if self.kind == "full":
            return found
        found += [(f"y{g}", d) for g in n for d in strain]
        found += [(f"x{h} y{g}", d) for h in n for g in n for d in strain]
        found += [(f"x{h} y{g}", None) for h in n for g in n]
        found += [(f"y{g} y{g}", None) for g in n]
        return found + [(f"x{h} y{g} y{g}", None) for h in n for g in n]

    def fields(
        self, contrast: np.ndarray, strain: np.ndarray, overwrite: bool = False
    ) -> np.ndarray:
        """(contrast, samples, *space) and (component, samples, *space) to (feature, ...).

        With ``overwrite``, ``strain`` may be used for the result.
        """
        if overwrite and self.kind == "lean" and len(contrast) == 1:
            return np.multiply(contrast, strain, out=strain)
        found = np.empty((self.n_features, *strain.shape[1:]), strain.dtype)
        if self.kind == "polarization":
            return self._polarization(contrast, strain, found)
        place = iter(found)
        self._put(place, contrast, strain)
        if self.kind == "lean":
            return found
        self._put(place, contrast)
        self._put(place, strain)
        if self.kind == "full":
            return found
        near = neighbour_mean(contrast)
        both = [x * y for x in contrast for y in near]
        self._put(place, near, strain)
        self._put(place, both, strain)
        self._put(place, both)
        self._put(place, [y * y for y in near])
        n = len(near)
        self._put(place, [xy * near[i % n] for i, xy in enumerate(both)])
        return found

    def action(self, turning: Action) -> Action:
        """How a symmetry changes the fields, from what it does to the components of strain."""
        names = self.names
        sources = [i if d is None else i - d + turning.sources[d] for i, (_, d) in enumerate(names)]
        signs = [1 if d is None else turning.signs[d] for _, d in names]
        return Action(tuple(sources), tuple(signs))

    def _polarization(
        self, contrast: np.ndarray, strain: np.ndarray, out: np.ndarray
    ) -> np.ndarray:
        out[...] = 0
        stiffness = np.array(self.stiffness, dtype=strain.dtype)
        flat = contrast.reshape(len(contrast), -1)
        for c in range(self.n_components):
            for d in range(c, self.n_components):
                entry = (stiffness[:, c, d] @ flat).reshape(strain.shape[1:])
                out[c] += entry * strain[d]
                if d != c:
                    out[d] += entry * strain[c]
        return out

    @staticmethod
    def _put(
        place: Iterator[np.ndarray],
        scalars: Sequence[np.ndarray] | np.ndarray,
        strain: np.ndarray | None = None,
    ) -> None:
        for scalar in scalars:
            if strain is None:
                next(place)[...] = scalar
                continue
            for component in strain:
                np.multiply(scalar, component, out=next(place))


def neighbour_mean(fields: np.ndarray) -> np.ndarray:
    """Mean over the voxels across the faces, of periodic fields (field, samples, *space).

    >>> neighbour_mean(np.array([[[0.0, 0.0, 2.0, 0.0]]]))
    array([[[0., 1., 0., 1.]]])
    """
    axes = range(2, fields.ndim)
    total = sum(np.roll(fields, step, axis) for axis in axes for step in (1, -1))
    return total * fields.dtype.type(1 / (2 * len(axes)))
