"""The load on a periodic cell: each component of the mean strain or of the mean stress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Load:
    """Imposed mean gradient where ``free`` is False, imposed mean flux where it is True."""

    gradient: np.ndarray
    flux: np.ndarray
    free: np.ndarray


def parse_load(
    gradient: Any,
    flux: Any,
    labels: Sequence[str],
    names: tuple[str, str] = ("macro_strain", "macro_stress"),
) -> Load:
    """Read a load given as a number (first component), a mapping by label, a list or a matrix.

    A component may be named on one side only. Those on neither side are zero: of the flux if only
    a flux is given, of the gradient otherwise.

    >>> load = parse_load({"xx": 0.01}, {"yy": 0.0}, ("xx", "yy", "xy"))
    >>> load.gradient, load.free
    (array([0.01, 0.  , 0.  ]), array([False,  True, False]))
    """
    if gradient is None and flux is None:
        raise ValueError(
            f"neither {names[0]} nor {names[1]} is given; wanted a load, such as {names[0]}=0.01"
        )
    known = [
        _components(value, labels, name, shear)
        for value, name, shear in zip((gradient, flux), names, (2.0, 1.0), strict=True)
    ]
    both = [c for c in labels if c in known[0] and c in known[1]]
    if both:
        raise ValueError(
            f"{names[0]} and {names[1]} both give {', '.join(both)}; wanted one of them for each "
            f"component: pass mappings such as {names[0]}={{'xx': 0.01}}, {names[1]}={{'yy': 0}}"
        )
    free = np.array([c in known[1] or (gradient is None) for c in labels])
    return Load(
        np.array([known[0].get(c, 0.0) for c in labels]),
        np.array([known[1].get(c, 0.0) for c in labels]),
        free,
    )


def _components(value: Any, labels: Sequence[str], name: str, shear: float) -> Mapping[str, float]:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        unknown = [k for k in value if k not in labels]
        if unknown:
            turned = [k[::-1] for k in map(str, unknown) if k[::-1] in labels]
            hint = f" (use {', '.join(turned)}: the tensor is symmetric)" if turned else ""
            raise ValueError(
                f"{name} names {unknown}; wanted components among {list(labels)}{hint}"
            )
        for label, number in value.items():
            if np.ndim(number) or np.asarray(number).dtype.kind not in "iuf":
                raise TypeError(
                    f"{name}[{label!r}] is {number!r}; wanted a number: leave the component out "
                    "if it is not imposed"
                )
        found = {str(k): v for k, v in value.items()}
    else:
        array = np.asarray(value)
        d = {3: 2, 6: 3}.get(len(labels), 0)
        if array.dtype.kind not in "iuf":
            raise TypeError(f"{name} is {value!r}; wanted numbers")
        if array.shape == ():
            found = {labels[0]: array}
        elif array.shape == (len(labels),):
            found = dict(zip(labels, array, strict=True))
        elif labels[0] == "xx" and array.shape == (d, d):
            if not np.allclose(array, array.T):
                raise ValueError(f"{name} is not symmetric; wanted a symmetric tensor")
            axes = ["xyz".index(c[0]) for c in labels], ["xyz".index(c[1]) for c in labels]
            factor = np.where(np.equal(*axes), 1.0, shear)
            found = dict(zip(labels, array[axes] * factor, strict=True))
        else:
            matrix = f", or a symmetric ({d}, {d}) tensor" if labels[0] == "xx" else ""
            raise ValueError(
                f"{name} has shape {array.shape}; wanted one number for {labels[0]}, a mapping by "
                f"component, {len(labels)} numbers in the order {' '.join(labels)}{matrix}"
            )
    numbers = {k: float(v) for k, v in found.items()}
    if not np.isfinite(list(numbers.values())).all():
        raise ValueError(f"{name} holds NaN or infinity; wanted finite numbers")
    return numbers
