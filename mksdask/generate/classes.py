"""Ensembles made of classes: groups of samples that share their parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mksdask.generate.arguments import is_whole


def expanded(
    classes: Sequence[Mapping[str, Any]],
    defaults: Mapping[str, Any],
    n_samples: int | None = None,
    first_sample: int = 0,
) -> dict[str, Any]:
    """Give each sample the parameters of its class: one row a sample, and its ``class``.

    Parameters
    ----------
    classes
        Dicts with ``n_samples`` and any of the keys of ``defaults``.
    defaults
        Values of the parameters for the classes which do not give them; None where there are none.
    n_samples, first_sample
        The part of the ensemble wanted; all of it by default.

    Examples
    --------
    >>> members = expanded(
    ...     [{"n_samples": 1, "grain_size": (2, 9)}, {"n_samples": 2}], {"grain_size": (5, 5)})
    >>> members["grain_size"]
    array([[2., 9.],
           [5., 5.],
           [5., 5.]])
    >>> members["class"]
    array([0, 1, 1])
    """
    if not classes:
        raise ValueError("classes is empty; wanted at least one dict with n_samples")
    for i, group in enumerate(classes):
        unknown = set(group) - {"n_samples", *defaults}
        if unknown or "n_samples" not in group:
            raise ValueError(
                f"classes[{i}] has the keys {sorted(group)}; wanted n_samples and any of "
                f"{', '.join(defaults)}"
            )
        if not is_whole(group["n_samples"]) or group["n_samples"] < 1:
            raise ValueError(
                f"classes[{i}] has n_samples {group['n_samples']!r}; wanted a whole number of at "
                "least 1"
            )
    number = np.repeat(np.arange(len(classes)), [group["n_samples"] for group in classes])
    stop = len(number) if n_samples is None else first_sample + n_samples
    if not 0 <= first_sample < stop <= len(number):
        raise ValueError(
            f"first_sample is {first_sample} and n_samples {n_samples}; the classes hold "
            f"{len(number)} samples"
        )
    number = number[first_sample:stop]
    members: dict[str, Any] = {"class": number}
    for key, default in defaults.items():
        rows = [group.get(key, default) for group in classes]
        members[key] = None if all(row is None for row in rows) else _stacked(rows, key)[number]
    return members


def _stacked(rows: Sequence[Any], key: str) -> np.ndarray:
    if any(row is None for row in rows):
        raise ValueError(f"some classes have {key} and some have none: give it to all or to none")
    vectors = [np.atleast_1d(np.asarray(row, dtype=float)) for row in rows]
    shapes = {vector.shape for vector in vectors}
    if len(shapes) > 1 or vectors[0].ndim != 1:
        raise ValueError(
            f"the classes have {key} of shapes {sorted(shapes)}; wanted one list of numbers a "
            "class, all of one length"
        )
    return np.stack(vectors)
