"""DREAM.3D files: feature ids, phases and Euler angles of an image geometry.

The layout of versions 6 (``DataContainers``) and NX (``DataStructure``); cell arrays lie as
``z, y, x, component``. Angles are Bunge Euler angles in radians, as DREAM.3D writes them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mksdask.ensemble.formats.hdf5 import h5py
from mksdask.ensemble.formats.protocol import Info, Options, Region

# Our variables, and the names DREAM.3D's filters give these arrays.
ARRAYS = {
    "grain": ("FeatureIds", "GrainIds"),
    "phase": ("Phases",),
    "orientation": ("EulerAngles", "Eulers"),
}


def variables(path: str) -> list[str]:
    """Which of grain, phase and orientation the file has."""
    with h5py().File(path, "r") as file:
        return [v for v in ARRAYS if _candidates(file, v)]


def probe(path: str, options: Options) -> Info:
    """Shape, type and spacing of a cell array."""
    with h5py().File(path, "r") as file:
        dataset, geometry = _find(file, options)
        dims, spacing = _grid(geometry)
        planar = dims[2] == 1
        space = tuple(dims[:2][::-1]) if planar else tuple(dims[::-1])
        components = dataset.shape[3] if dataset.ndim == 4 else 1
        return Info(
            space if components == 1 else (*space, components),
            dataset.dtype,
            order="zyx",
            components=components > 1,
            sliceable=len(space),
            spacing=spacing[: len(space)],
            phase_names=_phase_names(geometry),
        )


def read(path: str, options: Options, region: Region = None) -> np.ndarray:
    """The values; a grid one voxel thick is 2D."""
    with h5py().File(path, "r") as file:
        dataset, geometry = _find(file, options)
        planar = _grid(geometry)[0][2] == 1
        components = dataset.shape[3] if dataset.ndim == 4 else 1
        n_space = 2 if planar else 3
        parts = list(region or (slice(None),) * (n_space + (components > 1)))
        if dataset.ndim == 4 and components == 1:
            parts.append(0)  # type: ignore[arg-type]
        return dataset[tuple([0, *parts] if planar else parts)]


def _find(file: Any, options: Options) -> tuple[Any, Any]:
    if options.dataset:
        for geometry, group in _cell_groups(file):
            for item in group.values():
                if item.name.strip("/") == options.dataset.strip("/"):
                    return item, geometry
            if "/" not in options.dataset and options.dataset in group:
                return group[options.dataset], geometry
        raise ValueError(f"has no cell array {options.dataset!r} on an image geometry")
    found = _candidates(file, options.variable or "phase")
    if len(found) != 1:
        names = [dataset.name for dataset, _ in found]
        raise ValueError(
            f"has {len(found)} arrays for {options.variable!r} {names}: choose one with dataset="
        )
    return found[0]


def _candidates(file: Any, variable: str) -> list[tuple[Any, Any]]:
    names = ARRAYS.get(variable, (variable,))
    found = []
    for geometry, group in _cell_groups(file):
        name = next((n for n in names if n in group), None)
        if name is not None:
            found.append((group[name], geometry))
    return found


def _cell_groups(file: Any) -> list[tuple[Any, Any]]:
    """Image geometries, and the groups in them whose arrays have one entry a voxel."""
    library = h5py()
    found = []
    for container in [*file.get("DataContainers", {}).values(), *_image_geometries(file)]:
        if not isinstance(container, library.Group) or not _has_grid(container):
            continue
        shape = tuple(_grid(container)[0][::-1])
        for group in container.values():
            if isinstance(group, library.Group) and any(
                isinstance(item, library.Dataset) and item.ndim > 2 and item.shape[:3] == shape
                for item in group.values()
            ):
                found.append((container, group))
    return found


def _image_geometries(file: Any) -> list[Any]:
    found: list[Any] = []
    library = h5py()

    def visit(_: str, item: Any) -> None:
        if isinstance(item, library.Group) and _has_grid(item):
            found.append(item)

    root = file.get("DataStructure")
    if root is not None:
        root.visititems(visit)
    return found


def _has_grid(group: Any) -> bool:
    return "_SIMPL_GEOMETRY/DIMENSIONS" in group or "_DIMENSIONS" in {**group.attrs, **dict(group)}


def _grid(geometry: Any) -> tuple[list[int], tuple[float, ...]]:
    """Cells and spacing along x, y, z."""
    where = geometry.get("_SIMPL_GEOMETRY")
    if where is not None:
        spacing = where["SPACING"] if "SPACING" in where else where["RESOLUTION"]
        dims = where["DIMENSIONS"][:]
    else:
        values = {**geometry.attrs, **dict(geometry)}
        dims, spacing = values["_DIMENSIONS"], values["_SPACING"]
    return [int(n) for n in np.ravel(dims)], tuple(float(f"{s:.7g}") for s in np.ravel(spacing[:]))


def _phase_names(geometry: Any) -> tuple[str, ...] | None:
    for group in ("CellEnsembleData", "Cell Ensemble Data"):
        for name in ("PhaseName", "MaterialName"):
            texts = geometry.get(f"{group}/{name}")
            if texts is not None and texts.dtype.kind in "OS":
                return tuple(
                    t.decode(errors="replace") if isinstance(t, bytes) else str(t)
                    for t in np.ravel(texts[:])
                )
    return None
