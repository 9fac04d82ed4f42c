"""Put the variables of several ensembles of the same samples together."""

from __future__ import annotations

import os
from collections.abc import Sequence

import xarray as xr

from mksdask.ensemble.schema import GRID_ATTRS, SAMPLE
from mksdask.errors import DataError
from mksdask.version import __version__


def join_ensembles(
    ensembles: Sequence[xr.Dataset], sources: Sequence[str | os.PathLike[str]] = ()
) -> xr.Dataset:
    """One lazy dataset with all variables, for models that learn one from another.

    The ensembles must have the same samples in the same order, no variable twice, and the same
    grid.

    >>> import numpy as np
    >>> cells = xr.Dataset({"phase": (("sample", "x"), np.eye(2, dtype="uint8"))}, {"sample": [0, 1]})
    >>> stiffness = xr.Dataset({"stiffness": ("sample", [1.0, 2.0])}, {"sample": [0, 1]})
    >>> list(join_ensembles([cells, stiffness]).data_vars)
    ['phase', 'stiffness']
    """
    called = [os.fspath(s) for s in sources] or [f"ensemble {i}" for i in range(len(ensembles))]
    if len(ensembles) < 2:
        raise ValueError(f"there is {len(ensembles)} ensemble; wanted at least two to join")
    first, owner = ensembles[0], dict.fromkeys(ensembles[0].data_vars, called[0])
    attrs = dict(first.attrs)
    for ds, name in zip(ensembles[1:], called[1:], strict=True):
        if not first.indexes[SAMPLE].equals(ds.indexes[SAMPLE]):
            raise DataError(
                f"{name} has other samples than {called[0]}, or in another order: join ensembles "
                "that were computed from one another"
            )
        for d in set(first.dims) & set(ds.dims) - {SAMPLE}:
            if first.sizes[d] != ds.sizes[d]:
                raise DataError(
                    f"{name} has {ds.sizes[d]} entries along {d!r}, {called[0]} has {first.sizes[d]}"
                )
        for key in GRID_ATTRS:
            if key in attrs and key in ds.attrs and list(attrs[key]) != list(ds.attrs[key]):
                raise DataError(f"{name} has {key} {ds.attrs[key]}, {called[0]} has {attrs[key]}")
        for variable in ds.data_vars:
            if variable in owner:
                raise DataError(
                    f"{variable!r} is in {owner[variable]} and in {name}: each variable once"
                )
            owner[variable] = name
        attrs = {**ds.attrs, **attrs}
    joined = xr.merge(
        list(ensembles), join="exact", compat="no_conflicts", combine_attrs="override"
    )
    joined.attrs = attrs
    joined.attrs["provenance"] = {
        "created_by": "mksdask.join_ensembles",
        "version": __version__,
        "source": [str(owner[v]) for v in joined.data_vars],
    }
    return joined
