"""What an ensemble is: dimensions, variables and attributes, declared once.

Any variable is welcome; those named here must look as declared, and every variable over space must
share one grid.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from mksdask.errors import DataError
from mksdask.lazy import is_lazy

SCHEMA_VERSION = 1

SAMPLE = "sample"
SPACE = ("x", "y", "z")

# NumPy kind codes that a Zarr array of ours may hold.
STORABLE_KINDS = "biufcUOT"


@dataclass(frozen=True)
class Variable:
    """How a variable of a known name must look."""

    kinds: str
    trailing: tuple[str, ...]
    meaning: str
    sizes: tuple[int, ...] = ()
    over_space: bool = True

    @property
    def kind_names(self) -> str:
        """The dtype kinds in words."""
        words = {"i": "integer", "u": "unsigned integer", "f": "float", "b": "boolean"}
        return " or ".join(words[k] for k in self.kinds)


VARIABLES: Mapping[str, Variable] = {
    "phase": Variable("iub", (), "phase label of each voxel, from 0"),
    "grain": Variable("iu", (), "grain (feature) number of each voxel"),
    "mask": Variable("bfiu", (), "weight of each voxel in [0, 1]"),
    "orientation": Variable("f", ("euler",), "Bunge Euler angles, radians", (3,)),
    "strain": Variable("f", ("tensor",), "strain, engineering shear"),
    "stress": Variable("f", ("tensor",), "stress"),
    "mean_stress": Variable("f", ("tensor",), "volume average of the stress", over_space=False),
    "effective_stiffness": Variable(
        "f", ("tensor", "tensor_2"), "stiffness of the homogenized cell", over_space=False
    ),
}

LABELS = ("phase", "grain")

# Facts of the whole ensemble, kept once among its attributes. A DataArray does not see the attributes
# of its Dataset, so an opened ensemble repeats them on the variables they speak of.
GRID_ATTRS = ("voxel_size", "voxel_unit", "periodic")


def shared_attrs(name: str, dims: tuple[str, ...]) -> tuple[str, ...]:
    """Which attributes of the ensemble a variable repeats.

    >>> shared_attrs("phase", ("sample", "x"))
    ('voxel_size', 'voxel_unit', 'periodic', 'phase_names')
    """
    grid = GRID_ATTRS if set(dims) & set(SPACE) else ()
    return (*grid, "phase_names") if name == "phase" else grid


def gathered(ds: xr.Dataset) -> xr.Dataset:
    """``ds`` with what its variables say of the whole ensemble among its own attributes only."""
    attrs = dict(ds.attrs)
    ds = ds.copy(deep=False)
    for key in ds.variables:
        own = dict(ds[key].attrs)
        for attr in (*shared_attrs(str(key), tuple(map(str, ds[key].dims))), "provenance"):
            if attr in own:
                value = own.pop(attr)
                if (
                    plain_attrs(attrs.setdefault(attr, value)) != plain_attrs(value)
                    and attr in GRID_ATTRS
                ):
                    raise DataError(
                        f"variable {str(key)!r} has {attr} {value!r}, the dataset {attrs[attr]!r}: "
                        "make them agree or remove one"
                    )
        ds[key].attrs = own
    ds.attrs = attrs
    return ds


def schema_violations(ds: xr.Dataset) -> list[str]:
    """Every way in which ``ds`` departs from the schema; data are not read.

    >>> ds = xr.Dataset({"phase": (("sample", "y", "x"), np.zeros((2, 3, 3)))})
    >>> for line in schema_violations(ds):
    ...     print(line)
    variable 'phase': dims are ('sample', 'y', 'x'); wanted space in the order ('x', 'y')
    variable 'phase': dtype is float64; wanted integer or unsigned integer or boolean: cast...
    """
    if not isinstance(ds, xr.Dataset):
        raise TypeError(
            f"dataset is a {type(ds).__name__}; wanted an xarray.Dataset "
            "(DataArray.to_dataset(name=...) makes one)"
        )
    found: list[str] = []
    if SAMPLE not in ds.dims:
        found.append(
            f"no dimension 'sample' among {tuple(map(str, ds.dims))}: expand_dims('sample')"
        )
    found += [f"dimension {str(d)!r} has length 0" for d, n in ds.sizes.items() if n == 0]
    for name, variable in ds.variables.items():
        found += _variable_violations(name, variable)
    if SAMPLE in ds.coords:
        found += _sample_violations(ds)
    return found + _attribute_violations(ds)


def _variable_violations(key: Hashable, variable: xr.Variable) -> list[str]:
    if not isinstance(key, str) or not re.fullmatch(r"[^/.][^/]*", key) or key == "zarr.json":
        return [f"variable {key!r}: the name cannot be stored; wanted text without '/'"]
    name = key
    found = []
    dims = tuple(map(str, variable.dims))
    try:
        json.dumps(plain_attrs(variable.attrs))
    except (TypeError, ValueError) as error:
        found.append(f"variable {name!r}: attrs cannot be written as JSON: {error}")
    if not isinstance(variable.dtype, np.dtype):
        return [*found, f"variable {name!r}: dtype {variable.dtype} of pandas: cast it to NumPy's"]
    if isinstance(variable, xr.IndexVariable) and variable.level_names:
        found.append(
            f"coordinate {name!r}: a MultiIndex cannot be stored; reset_index({name!r}) first"
        )
    elif variable.dtype.kind == "O" and not is_lazy(variable.data):
        odd = next((v for v in np.ravel(variable.values) if not isinstance(v, str)), None)
        if odd is not None or None in variable.values:
            found.append(
                f"variable {name!r}: holds the Python object {odd!r}; wanted numbers or text throughout"
            )
    if variable.dtype.kind not in STORABLE_KINDS:
        found.append(
            f"variable {name!r}: dtype {variable.dtype} cannot be stored; cast it to numbers or text"
        )
    if SAMPLE in dims and dims[0] != SAMPLE:
        found.append(f"variable {name!r}: dims are {dims}; wanted 'sample' first")
    spatial = tuple(d for d in dims if d in SPACE)
    if spatial != SPACE[: len(spatial)]:
        wanted = SPACE[: len(spatial)]
        found.append(f"variable {name!r}: dims are {dims}; wanted space in the order {wanted}")
    spec = VARIABLES.get(name)
    if spec is None:
        return found
    if variable.dtype.kind not in spec.kinds:
        found.append(
            f"variable {name!r}: dtype is {variable.dtype}; wanted {spec.kind_names}: "
            "cast or threshold it first"
        )
    rest = tuple(d for d in dims if d != SAMPLE and d not in SPACE)
    if rest != spec.trailing or (bool(spatial) != spec.over_space):
        space = ("x", "...") if spec.over_space else ()
        wanted = (SAMPLE, *space, *spec.trailing)
        found.append(f"variable {name!r}: dims are {dims}; wanted {wanted} ({spec.meaning})")
    elif spec.sizes and variable.shape[-len(spec.sizes) :] != spec.sizes:
        found.append(
            f"variable {name!r}: shape is {variable.shape}; wanted it to end with {spec.sizes} "
            f"({spec.meaning})"
        )
    return found


def _sample_violations(ds: xr.Dataset) -> list[str]:
    names = ds.indexes[SAMPLE]
    if names.is_unique:
        return []
    repeated = list(names[names.duplicated()].unique()[:3])
    return [f"coordinate 'sample': duplicate sample names, for example {repeated}: rename them"]


def _attribute_violations(ds: xr.Dataset) -> list[str]:
    found = []
    n_axes = sum(d in ds.dims for d in SPACE)
    attrs = ds.attrs
    try:
        json.dumps(plain_attrs(attrs))
    except (TypeError, ValueError) as error:
        found.append(f"attrs cannot be written as JSON: {error}")
    if "voxel_size" in attrs and n_axes:
        try:
            sizes = np.atleast_1d(np.asarray(attrs["voxel_size"], dtype=float))
        except (TypeError, ValueError):
            sizes = np.array([-1.0])
        if len(sizes) != n_axes or not (np.isfinite(sizes) & (sizes > 0)).all():
            found.append(
                f"attribute 'voxel_size' is {attrs['voxel_size']!r}; wanted {n_axes} positive "
                "numbers, one a spatial axis"
            )
    if "voxel_unit" in attrs and not isinstance(attrs["voxel_unit"], str):
        found.append(f"attribute 'voxel_unit' is {attrs['voxel_unit']!r}; wanted text such as 'um'")
    if "periodic" in attrs and n_axes:
        periodic = attrs["periodic"]
        axes = [d for d in SPACE if d in ds.dims]
        if not _is_texts(periodic) or not set(periodic) <= set(axes):
            found.append(f"attribute 'periodic' is {periodic!r}; wanted a list out of {axes}")
    if "phase_names" in attrs:
        names = attrs["phase_names"]
        if not _is_texts(names):
            found.append(f"attribute 'phase_names' is {names!r}; wanted a list of texts")
        elif len(set(names)) < len(names):
            found.append(f"attribute 'phase_names' is {names!r}; wanted different names")
    for reserved in ("mksdask", "coordinates"):
        if reserved in attrs:
            found.append(f"attribute {reserved!r} is used by the store itself: rename it")
    if "provenance" in attrs and not isinstance(attrs["provenance"], Mapping):
        found.append(f"attribute 'provenance' is {attrs['provenance']!r}; wanted a mapping")
    return found


def _is_texts(value: Any) -> bool:
    is_list = isinstance(value, list | tuple | np.ndarray)
    return is_list and all(isinstance(v, str) for v in value)


def plain_attrs(value: Any) -> Any:
    """``value`` with NumPy scalars, arrays and tuples turned into what JSON knows.

    >>> plain_attrs({"voxel_size": np.array([0.5, 1.0]), "axes": ("x",)})
    {'voxel_size': [0.5, 1.0], 'axes': ['x']}
    """
    if isinstance(value, Mapping):
        return {str(k): plain_attrs(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain_attrs(v) for v in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return value
