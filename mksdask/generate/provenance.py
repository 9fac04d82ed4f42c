"""What a generated ensemble says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mksdask.version import __version__


def described(
    generator: str, periodic: Sequence[str], seed: int | None = None, **parameters: Any
) -> dict[str, Any]:
    """Attributes of a generated array: its periodic axes, and where it comes from.

    A generator that draws nothing has no seed. Parameters that differ from sample to sample are
    coordinates instead.

    >>> described("delta", ["x", "y"], n_phases=2)["provenance"]["parameters"]
    {'n_phases': 2}
    """
    origin: dict[str, Any] = {"generator": generator, "version": __version__}
    if seed is not None:
        origin["seed"] = int(seed)
    return {"periodic": list(periodic), "provenance": {**origin, "parameters": parameters}}
