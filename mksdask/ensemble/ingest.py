"""Turn a folder of foreign files into a stored ensemble: checked first, then read block by block."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from mksdask.ensemble import formats, layout
from mksdask.ensemble.convert import Conversion, conversion
from mksdask.ensemble.files import Pattern, common_folder, find_files, one_format, sample_names
from mksdask.ensemble.foreign import ForeignFiles
from mksdask.ensemble.formats import Options, RawLayout
from mksdask.ensemble.location import Location
from mksdask.ensemble.properties import read_properties
from mksdask.ensemble.schema import LABELS, SAMPLE, SPACE
from mksdask.ensemble.write import Store, create_ensemble, resume_ensemble
from mksdask.errors import DataError
from mksdask.version import __version__

FILES, FOLDERS, FIRST_AXIS = "files", "folders", "first axis"
# Longer lists of source files are shortened in the provenance: sample names tell them anyway.
_FILES_LISTED = 1000


def ingest(
    pattern: Pattern,
    store: Store,
    *,
    variable: str | None = None,
    format: str | None = None,
    dataset: str | Mapping[str, str] | None = None,
    samples: str = FILES,
    axes: str | None = None,
    channel: int | None = None,
    raw: RawLayout | Mapping[str, Any] | None = None,
    crop: Mapping[str, tuple[int | None, int | None]] | None = None,
    stride: int | Mapping[str, int] = 1,
    dtype: Any = None,
    remap: Mapping[int, int] | None = None,
    threshold: Sequence[float] | float | str | None = None,
    names: str = "file",
    properties: str | os.PathLike[str] | None = None,
    voxel_size: float | Sequence[float] | None = None,
    voxel_unit: str | None = None,
    phase_names: Sequence[str] | None = None,
    periodic: bool | Sequence[str] | None = None,
    skip_bad: bool = False,
    overwrite: bool = False,
    resume: bool = False,
    memory: int | str | None = None,
    progress: bool | None = None,
) -> xr.Dataset:
    """Read files into a new ensemble, and open it.

    The headers of all files are read first, so that files that do not belong together are refused
    before anything is written. Then each task reads the files of one chunk: memory depends on the
    chunk, not on the number of files.

    Parameters
    ----------
    pattern
        A glob, a file, a folder, or a list of these. Files are taken in natural order (2 before
        10) and give the names of the samples.
    store
        Path or fsspec URL of the new ensemble.
    variable
        Name of the variable; ``phase`` by default. A DREAM.3D file gives ``grain``, ``phase`` and
        ``orientation``, as far as it has them, and an EBSD map (``.ang``, ``.ctf``) ``phase`` and
        ``orientation``, unless one is named; other columns of maps are named as in the file.
    format
        One of ``npy tiff image folder hdf5 dream3d ang ctf vti itk raw``; by default from the file ending.
    dataset
        Path of an HDF5 dataset, name of an array in a ``.vti`` or ``.npz`` file; or a mapping from
        variables to these, to read several.
    samples
        ``"files"``: each file is a sample. ``"folders"``: each folder of image slices is one.
        ``"first axis"``: the first axis of each file counts samples.
    axes
        Order of the axes in the files, such as ``"zyx"`` (``s`` for samples, ``c`` for components),
        where it is not the usual one: images, VTK, DREAM.3D and MetaImage have z slowest, other
        arrays have axis 0 as x.
    channel
        Which channel of colour images to take.
    raw
        For raw binary: ``shape``, ``dtype``, ``order`` and ``offset`` of :class:`RawLayout`.
    crop
        ``{"x": (start, stop), ...}`` in voxels; axes that are not named stay whole.
    stride
        Keep every n-th voxel, along all axes or by axis.
    threshold
        Increasing values: the label is how many of them a voxel exceeds. ``"otsu"``: one
        threshold for each sample, by Otsu's method.
    remap
        New labels by old ones.
    dtype
        Type to store. Values that do not fit are refused. With several variables, ``threshold``,
        ``remap`` and ``dtype`` apply to ``phase``.
    names
        ``"file"``: samples are called as their files; ``"path"``: as folder and file.
    properties
        CSV file with a row for each sample, joined by file name, whose columns become variables.
    voxel_size, voxel_unit
        Edge length of the voxels, one number or one for each axis, and its unit; by default what
        the files say.
    phase_names
        Names of the labels 0, 1, ...
    periodic
        True, or the names of the periodic axes.
    skip_bad
        Leave out files that cannot be used and record them in the store
        (``attrs["provenance"]["skipped"]``). Every file is then decoded twice.
    overwrite
        Replace an existing ensemble.
    resume
        Finish an ingest that was killed, with the same arguments; starts it if there is none.
    memory
        Memory of one worker, from which chunks are planned.
    progress
        Show progress bars; by default on terminals and in notebooks.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> for i in range(3):
    ...     np.save(f"{folder}/scan_{i}.npy", np.random.default_rng(i).random((8, 8, 8)))
    >>> ds = ingest(f"{folder}/*.npy", "memory://scans.zarr", threshold=0.5, voxel_size=0.5,
    ...             voxel_unit="um")
    >>> ds.phase.dims, ds.phase.dtype, ds.sample.values.tolist()
    (('sample', 'x', 'y', 'z'), dtype('uint8'), ['scan_0', 'scan_1', 'scan_2'])
    """
    if samples not in (FILES, FOLDERS, FIRST_AXIS):
        raise ValueError(f"samples is {samples!r}; wanted 'files', 'folders' or 'first axis'")
    given = {
        k: v for k, v in locals().items() if k not in ("progress", "store", "overwrite", "resume")
    }
    _check_store(store, overwrite, resume)
    ds = lazy_files(progress=progress, **given)
    if resume and Location(store).exists():
        return resume_ensemble(store, ds, progress=progress)
    return create_ensemble(store, ds, overwrite=overwrite, memory=memory, progress=progress)


def lazy_files(pattern: Pattern, *, progress: bool | None = None, **given: Any) -> xr.Dataset:
    """The lazy dataset that :func:`ingest` stores, from the headers of the files.

    ``given`` are the parameters of :func:`ingest` that do not concern the store.
    """
    given = {"pattern": pattern, **given}
    samples, format = given["samples"], given["format"]
    if format is not None:
        formats.format_of("", format)
    if samples == FOLDERS and format not in (None, "folder"):
        raise ValueError(
            f"samples='folders' reads folders of images; format is {format!r}: drop it"
        )
    raw, skip_bad = given["raw"], given["skip_bad"]
    raw = raw if raw is None or isinstance(raw, RawLayout) else RawLayout(**raw)
    if raw is not None and format is None:
        format = "raw"
    paths = find_files(pattern, format=format, folders=samples == FOLDERS)
    kind = "folder" if samples == FOLDERS else one_format(paths, format)
    _check_options(kind, {"dataset": given["dataset"], "channel": given["channel"], "raw": raw})
    called = sample_names(paths, given["names"])
    wanted = _Wanted(*(given[k] for k in ("dataset", "variable", "threshold", "remap", "dtype")))
    files = ForeignFiles(
        paths=paths,
        names=called,
        format=kind,
        many=samples == FIRST_AXIS,
        crop=dict(given["crop"] or {}),
        stride=given["stride"],
        memory=given["memory"],
        skip_bad=skip_bad,
        progress=progress,
    )
    for name, (where, change) in wanted.variables(kind, paths).items():
        files.add(name, Options(where, name, given["channel"], raw), given["axes"], change)
    if skip_bad:
        files.drop_undecodable()
    ds = files.dataset()
    if given["properties"] is not None:
        skipped = [files.names[p] for p in files.faults]
        ds = ds.assign(read_properties(given["properties"], ds, skipped))
    ds.attrs = _attributes(files, ds, given)
    return ds


@dataclass(frozen=True)
class _Wanted:
    """What the user asked to read and how to convert it."""

    dataset: str | Mapping[str, str] | None
    variable: str | None
    threshold: Any
    remap: Mapping[int, int] | None
    dtype: Any

    def variables(
        self, kind: str, paths: Sequence[str]
    ) -> dict[str, tuple[str | None, Conversion]]:
        """Where each variable is in a file, and its conversion."""
        where: dict[str, str | None]
        if isinstance(self.dataset, Mapping):
            if self.variable is not None:
                raise ValueError(
                    "give variable=, or dataset= as a mapping from variables, not both"
                )
            where = dict(self.dataset)
        elif formats.FORMATS[kind].several and self.variable is None and self.dataset is None:
            where = dict.fromkeys(_variables(kind, paths))
        else:
            where = {self.variable or "phase": self.dataset}
        if SAMPLE in where or set(where) & set(SPACE):
            raise ValueError(f"variables {list(where)} include the name of a dimension: rename it")
        changed = next(iter(where)) if len(where) == 1 else "phase"
        changes = {"threshold": self.threshold, "remap": self.remap, "dtype": self.dtype}
        asked = [k for k, v in changes.items() if v is not None]
        if asked and changed not in where:
            raise ValueError(
                f"{', '.join(asked)} would apply to 'phase', which is not among {list(where)}: "
                "ingest that variable alone"
            )
        return {
            name: (
                at,
                conversion(labels=name in LABELS, **(changes if name == changed else {})),
            )
            for name, at in where.items()
        }


def _check_store(store: Store, overwrite: bool, resume: bool) -> None:
    """Say before thousands of headers are read that the store cannot be written."""
    location = Location(store)
    if overwrite and resume:
        raise ValueError("overwrite and resume contradict each other: give one of them")
    if location.exists():
        if not overwrite and not resume:
            raise FileExistsError(
                f"{location.url} exists: give another path, overwrite=True (--overwrite) to replace "
                "it, or resume=True (--resume) to finish an ingest that was killed"
            )
        layout.root_document(location)
    if location.local:
        place = location.path
        while not os.path.exists(place):
            place = os.path.dirname(place)
        if not os.path.isdir(place):
            raise NotADirectoryError(f"{place} is a file, so {location.url} cannot be made in it")
        if not os.access(place, os.W_OK | os.X_OK):
            raise PermissionError(
                f"{place} is read-only, so {location.url} cannot be written: choose another path"
            )


def _check_options(kind: str, given: Mapping[str, Any]) -> None:
    """Refuse what a format would silently pass over."""
    for option, value in given.items():
        if value is not None and option not in formats.FORMATS[kind].takes:
            takers = [k for k, f in formats.FORMATS.items() if option in f.takes]
            raise ValueError(f"{option}= is for the formats {takers}; the files are {kind}")


def _variables(kind: str, paths: Sequence[str]) -> list[str]:
    """What the first readable file has; the others are held to it."""
    error: Exception | None = None
    for path in paths:
        try:
            found: list[str] = formats.module_of(kind).variables(path)
        except (OSError, ValueError) as fault:
            error = error or fault
            continue
        if found:
            return found
        raise DataError(
            f"{path} has none of FeatureIds, Phases, EulerAngles on an image geometry: name an "
            "array with variable= and dataset="
        )
    raise DataError(f"{paths[0]} cannot be read as {kind}: it {error}")


def _attributes(files: ForeignFiles, ds: xr.Dataset, given: Mapping[str, Any]) -> dict[str, Any]:

    attrs: dict[str, Any] = {}
    axes = [d for d in SPACE if d in ds.dims]
    spacing: Any = given["voxel_size"]
    if spacing is None:
        spacing = files.spacing
    elif np.ndim(spacing) == 0:
        spacing = [float(spacing)] * len(axes)
    if spacing is not None:
        attrs["voxel_size"] = [float(s) for s in spacing]
    unit = given["voxel_unit"] or next((i.unit for i in files.infos[0] if i.unit), None)
    if unit:
        attrs["voxel_unit"] = unit
    phases = given["phase_names"]
    if phases is None and not given["remap"] and given["threshold"] is None:
        phases = files.infos[0][0].phase_names
    if phases is not None:
        attrs["phase_names"] = list(phases)
    if given["periodic"] is not None:
        periodic = given["periodic"]
        attrs["periodic"] = (
            (axes if periodic else []) if isinstance(periodic, bool) else list(periodic)
        )
    folder = common_folder(files.paths)
    source: dict[str, Any] = {"folder": folder, "format": files.format, "files": len(files.paths)}
    if len(files.paths) <= _FILES_LISTED:
        source["names"] = [os.path.relpath(p, folder) for p in files.paths]
    attrs["provenance"] = {
        "created_by": "mksdask.ingest",
        "version": __version__,
        "parameters": {k: _plain(v) for k, v in given.items() if v is not None},
        "source": source,
        "skipped": [
            {"file": path, "reason": reason.removeprefix(path).strip()}
            for path, reason in files.faults.items()
        ],
    }
    return attrs


def _plain(value: Any) -> Any:
    """A parameter as JSON can hold it."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, RawLayout):
        return {
            "shape": value.shape,
            "dtype": str(value.dtype),
            "order": value.order,
            "offset": value.offset,
        }
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(v) for v in value]
    if isinstance(value, bool | int | float | str):
        return value
    return str(value)
