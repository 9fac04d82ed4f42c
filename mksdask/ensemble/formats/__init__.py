"""Foreign file formats: which exist, which module reads each, and the one place that calls them."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from mksdask.ensemble.formats.protocol import Info, Options, RawLayout, Region
from mksdask.errors import DataError, is_passing

__all__ = ["FORMATS", "Info", "Options", "RawLayout", "format_of", "module_of", "probe", "read"]


@dataclass(frozen=True)
class Format:
    """A format: the module that reads it, the endings of its files, and what it can be told.

    ``several`` formats hold several of our variables: their module has ``variables(path)``.
    """

    module: str
    suffixes: tuple[str, ...]
    writes: bool = False
    takes: tuple[str, ...] = ()
    several: bool = False


FORMATS: dict[str, Format] = {
    "npy": Format("npy", (".npy", ".npz"), writes=True, takes=("dataset",)),
    "tiff": Format("tiff", (".tif", ".tiff"), writes=True, takes=("channel",)),
    "image": Format("images", (".png", ".jpg", ".jpeg", ".bmp"), takes=("channel",)),
    "folder": Format("folder", (), takes=("channel",)),
    "hdf5": Format("hdf5", (".h5", ".hdf5", ".hdf"), writes=True, takes=("dataset",)),
    "dream3d": Format("dream3d", (".dream3d",), takes=("dataset",), several=True),
    "ang": Format("ang", (".ang",), takes=("dataset",), several=True),
    "ctf": Format("ctf", (".ctf",), takes=("dataset",), several=True),
    "vti": Format("vti", (".vti",), writes=True, takes=("dataset",)),
    "itk": Format("itk", (".mha", ".mhd", ".nrrd"), writes=True),
    "raw": Format("raw", (".raw", ".bin", ".dat"), takes=("raw",)),
}


def format_of(path: str, format: str | None = None) -> str:
    """Name of the format of a file, from its ending unless given.

    >>> format_of("a.TIF"), format_of("a.dat", "raw")
    ('tiff', 'raw')
    """
    if format is not None:
        if format not in FORMATS:
            raise ValueError(f"format is {format!r}; wanted one of {sorted(FORMATS)}")
        return format
    suffix = os.path.splitext(path)[1].lower()
    for name, entry in FORMATS.items():
        if suffix in entry.suffixes:
            return name
    if os.path.isdir(path):
        return "folder"
    known = " ".join(s for f in FORMATS.values() for s in f.suffixes)
    raise DataError(f"{path} is of no known format (known: {known}): name it with format=")


def module_of(format: str) -> Any:
    """The reader module of a format."""
    return importlib.import_module(f"mksdask.ensemble.formats.{FORMATS[format].module}")


def probe(path: str, format: str | None = None, options: Options | None = None) -> Info:
    """What the header of a file says; a bad file is a ``DataError`` that names it."""
    module = module_of(format_of(path, format))
    try:
        info: Info = module.probe(path, options or Options())
    except ImportError:
        raise
    except Exception as error:  # decoders raise what they like on files that are not theirs
        raise _fault(path, error) from error
    if info.dtype.kind not in "biuf":
        raise DataError(f"{path} holds values of type {info.dtype}; wanted numbers")
    return info


def read(
    path: str, format: str | None = None, options: Options | None = None, region: Region = None
) -> np.ndarray:
    """The values of a file, or of a region of it, in the file's own order of axes.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/a.npy", np.arange(6).reshape(2, 3))
    ...     read(f"{folder}/a.npy", region=(slice(1, 2), slice(None)))
    array([[3, 4, 5]])
    """
    module = module_of(format_of(path, format))
    try:
        values: np.ndarray = module.read(path, options or Options(), region)
    except ImportError:
        raise
    except Exception as error:
        remedy = ": repair it, or leave such files out with skip_bad=True (--skip-bad)"
        raise _fault(path, error, remedy) from error
    return values


def _fault(path: str, error: Exception, remedy: str = "") -> Exception:
    """What to raise, naming the file: it is bad, or it cannot be had at the moment."""
    if isinstance(error, MemoryError):
        return MemoryError(f"{path}: {error or 'not enough memory to read it'}")
    if is_passing(error):
        said = f"{path} cannot be read now ({error}): try again"
        number = getattr(error, "errno", None)
        return type(error)(said) if number is None else OSError(number, said)
    return DataError(f"{path} {_reason(error)}{remedy}")


def _reason(error: Exception) -> str:
    if isinstance(error, DataError):
        return str(error)
    text = " ".join(str(error).split()) or type(error).__name__
    # Our own readers speak of the file as the subject; the libraries do not.
    return text if type(error) is ValueError else f"cannot be read ({type(error).__name__}: {text})"
