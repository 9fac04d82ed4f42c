"""Write a sample or a variable to a file that other programs open."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from mksdask.ensemble import formats
from mksdask.ensemble.formats.protocol import Exported
from mksdask.ensemble.schema import SAMPLE, SPACE, plain_attrs

# Formats of a plain array, which need no space and take every sample at once.
_ANY_SHAPE = ("npy", "hdf5")


def export(
    data: xr.Dataset | xr.DataArray,
    path: str | os.PathLike[str],
    sample: Hashable | None = None,
    variable: str | Sequence[str] | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Write a sample, or a variable over all samples, in the format of the ending of ``path``.

    =====================  ============================================================
    ``.vti``               one sample; every variable over space as a cell array
    ``.npy``               one variable, one sample or all; larger than memory is fine
    ``.h5 .hdf5``          variables as datasets; larger than memory is fine
    ``.tif .tiff``         one variable of one sample, a page for each z; written by slabs
    ``.mha .mhd .nrrd``    one variable of one sample
    =====================  ============================================================

    Axes are laid out as each format wants them, so that :func:`ingest` reads back the same array.
    ``.vti``, ``.mha`` and ``.nrrd`` hold the sample in memory while they write it. The file appears
    when it is complete.

    Parameters
    ----------
    data
        An ensemble, or one variable of it. Voxel size and unit are attributes of the ensemble, so
        they are written when the Dataset is given.
    path
        The file to write.
    sample
        Name of the sample, or its position if the samples have text names; needed where a format
        holds one sample and ``data`` has several.
    variable
        Name or names of the variables; by default all that the format can hold.
    overwrite
        Replace an existing file.

    Examples
    --------
    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/labels.npy"
    >>> labels = xr.DataArray(np.eye(4, dtype="uint8")[None], dims=("sample", "x", "y"))
    >>> export(labels.to_dataset(name="phase"), path, sample=0)
    >>> np.load(path).shape
    (4, 4)
    """
    target = os.path.abspath(os.path.expanduser(os.fspath(path)))
    kind = _writable(target)
    ds = _dataset(data)
    if os.path.exists(target) and not overwrite:
        raise FileExistsError(f"{target} exists: give another path, or overwrite=True")
    if not os.path.isdir(os.path.dirname(target)):
        raise FileNotFoundError(f"no folder {os.path.dirname(target)}: make it first")
    if sample is not None and SAMPLE not in ds.dims:
        raise ValueError(f"sample is {sample!r}; data has no dimension 'sample': drop it")
    fields = _fields(ds, kind, variable)
    if sample is not None or (kind not in _ANY_SHAPE and _n_samples(fields) == 1):
        fields = {
            n: f.isel({SAMPLE: _position(ds, sample)}) if SAMPLE in f.dims else f
            for n, f in fields.items()
        }
    elif kind not in _ANY_SHAPE and _n_samples(fields) > 1:
        first = ds.indexes[SAMPLE][0] if SAMPLE in ds.coords else 0
        raise ValueError(
            f"{os.path.basename(target)} holds one sample and data has {ds.sizes[SAMPLE]}: choose "
            f"with sample=, for example {first!r}"
        )
    exported = Exported(
        {n: f.transpose(..., *_space_first(f)) for n, f in fields.items()},
        *_voxels(ds),
        {
            k: v if isinstance(v, str | float | int) else json.dumps(plain_attrs(v))
            for k, v in ds.attrs.items()
        },
    )
    _write_whole(kind, target, exported)


def _writable(path: str) -> str:
    endings = {
        s: k for k, f in formats.FORMATS.items() if f.writes for s in f.suffixes if s != ".npz"
    }
    kind = endings.get(os.path.splitext(path)[1].lower())
    if kind is None:
        raise ValueError(f"{path} ends in none of {' '.join(endings)}: give the path one of them")
    return kind


def _dataset(data: xr.Dataset | xr.DataArray) -> xr.Dataset:
    if isinstance(data, xr.DataArray):
        ds = data.to_dataset(name=data.name or "data")
        ds.attrs = dict(data.attrs)
        return ds
    if not isinstance(data, xr.Dataset):
        raise TypeError(
            f"data is a {type(data).__name__}; wanted a Dataset (open_ensemble) or DataArray"
        )
    return data


def _fields(
    ds: xr.Dataset, kind: str, variable: str | Sequence[str] | None
) -> dict[str, xr.DataArray]:
    named = [variable] if isinstance(variable, str) else variable
    over_space = [str(n) for n, v in ds.data_vars.items() if any(d in v.dims for d in SPACE)]
    if named is None:
        named = [str(n) for n in ds.data_vars] if kind == "hdf5" else over_space
        named = named or [str(n) for n in ds.data_vars]
    missing = [n for n in named if n not in ds.data_vars]
    if missing:
        raise ValueError(f"no variable {missing[0]!r}; wanted one of {list(ds.data_vars)}")
    flat = [n for n in named if n not in over_space]
    if flat and kind not in _ANY_SHAPE:
        raise ValueError(
            f"variable {flat[0]!r} has dims {ds[flat[0]].dims}, none of space: export it to .npy or .h5"
        )
    if not named:
        raise ValueError("data has no variables to export")
    return {n: ds[n] for n in named}


def _n_samples(fields: dict[str, xr.DataArray]) -> int:
    return max(f.sizes.get(SAMPLE, 0) for f in fields.values())


def _position(ds: xr.Dataset, sample: Hashable | None) -> int:
    count = ds.sizes[SAMPLE]
    if sample is None:
        return 0
    if SAMPLE in ds.coords:
        index = ds.indexes[SAMPLE]
        wanted: Any = sample
        if index.dtype.kind in "iu" and isinstance(sample, str) and sample.lstrip("-").isdecimal():
            wanted = int(sample)
        found = index.get_indexer(pd.Index([wanted]))[0]
        if found >= 0:
            return int(found)
        named = index.dtype.kind not in "iu"
        first = f"; the first are {list(index[:3])}"
    else:
        named, first = True, ""
    position = int(str(sample)) if str(sample).isdecimal() else -1
    if not named or not 0 <= position < count:
        raise ValueError(f"no sample {sample!r} among {count}{first}")
    return position


def _space_first(field: xr.DataArray) -> list[Hashable]:
    """The trailing order of axes: space, then the rest; samples stay where they are, first."""
    space = [d for d in SPACE if d in field.dims]
    return [*space, *[d for d in field.dims if d != SAMPLE and d not in SPACE]]


def _voxels(ds: xr.Dataset) -> tuple[tuple[float, ...] | None, str]:
    size = ds.attrs.get("voxel_size")
    axes = [d for d in SPACE if d in ds.dims]
    if size is None:
        return None, str(ds.attrs.get("voxel_unit", ""))
    sizes = tuple(float(s) for s in np.broadcast_to(size, (len(axes),)))
    return sizes, str(ds.attrs.get("voxel_unit", ""))


def _write_whole(kind: str, target: str, exported: Exported) -> None:
    """Write beside the target and move: nobody finds half a file under its name."""
    folder, name = os.path.split(target)
    stem, suffix = os.path.splitext(name)
    partial = os.path.join(folder, f".{stem}.{uuid.uuid4().hex[:8]}.partial{suffix}")
    try:
        # Writers fill one file of this process, whatever cluster is connected.
        import dask

        with dask.config.set(scheduler="threads"):
            formats.module_of(kind).write(partial, exported)
        os.replace(partial, target)
    finally:
        if os.path.exists(partial):
            os.unlink(partial)
