"""Which files a pattern means, in which order, and what their samples are called."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Sequence

from mksdask.ensemble.formats import FORMATS, format_of
from mksdask.ensemble.formats.folder import slices
from mksdask.ensemble.natural import natural_key
from mksdask.errors import DataError

Pattern = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

# How many offenders an error lists by name.
SHOWN = 3


def find_files(pattern: Pattern, *, format: str | None = None, folders: bool = False) -> list[str]:
    """Absolute paths in natural order, for a glob, a file, a folder, or a list of these.

    A folder means the files in it whose ending is known (or, with ``folders``, itself if it holds
    slices, else the folders in it). A glob or a list is taken at its word.
    """
    patterns = [pattern] if isinstance(pattern, str | os.PathLike) else list(pattern)
    found: list[str] = []
    for one in patterns:
        text = os.path.expanduser(os.fspath(one))
        if os.path.isdir(text):
            here = _in_folder(text, format, folders)
        elif os.path.exists(text):
            here = [text]
        else:
            matched = glob.glob(text, recursive=True)
            here = [p for p in matched if os.path.isdir(p) == folders]
            if matched and not here and not folders:
                raise FileNotFoundError(
                    f"{text!r} matches folders only: give samples='folders' (--samples folders) if "
                    "each holds the slices of a volume"
                )
        if not here:
            kind = "folder of slices" if folders else "file"
            raise FileNotFoundError(
                f"no {kind} matches {text!r} (looked from {os.getcwd()}): check the pattern, and "
                "quote it in a shell"
            )
        found += sorted(here, key=natural_key)
    paths = [os.path.abspath(p) for p in found]
    repeated = [p for p, n in Counter(paths).items() if n > 1]
    if repeated:
        raise ValueError(f"{_listed(repeated)} named more than once: name each file once")
    return paths


def one_format(paths: Sequence[str], format: str | None) -> str:
    """The format that all files share."""
    if format is not None:
        return format_of(paths[0], format)
    kinds: dict[str, list[str]] = {}
    unknown = []
    for path in paths:
        try:
            kinds.setdefault(format_of(path), []).append(path)
        except DataError:
            unknown.append(path)
    if not kinds:
        format_of(paths[0])
    if len(kinds) > 1:
        listed = ", ".join(f"{len(p)} {k} ({os.path.basename(p[0])})" for k, p in kinds.items())
        raise DataError(f"files of several formats: {listed}: narrow the pattern to one of them")
    return next(iter(kinds))


def sample_names(paths: Sequence[str], by: str = "file") -> list[str]:
    """Sample names from file names: the name without its ending, or with its folders (``"path"``).

    >>> sample_names(["/d/a/1.tif", "/d/b/1.tif"], by="path")
    ['a/1', 'b/1']
    """
    if by not in ("file", "path"):
        raise ValueError(f"names is {by!r}; wanted 'file' or 'path'")
    root = common_folder(paths)
    names: list[str] = []
    origin: dict[str, str] = {}
    for path in paths:
        full = os.path.relpath(path, root) if by == "path" else os.path.basename(path)
        stem, suffix = os.path.splitext(full)
        # A folder of slices may have a dot in its name that begins no ending.
        name = full if os.path.isdir(path) or not suffix else stem
        name = name.replace(os.sep, "/")
        if name in origin:
            remedy = "give names='path' (--names path) to call them by folder and file"
            if by == "path" or os.path.dirname(path) == os.path.dirname(origin[name]):
                remedy = "rename one of them"
            raise DataError(
                f"duplicate sample name {name!r}: it comes from {origin[name]} and from {path}: "
                f"{remedy}"
            )
        origin[name] = path
        names.append(name)
    return names


def common_folder(paths: Sequence[str]) -> str:
    """The folder below which all files lie."""
    return os.path.commonpath([os.path.dirname(p) for p in paths])


def _in_folder(folder: str, format: str | None, folders: bool) -> list[str]:
    names = [n for n in os.listdir(folder) if not n.startswith(".")]
    if folders:
        if slices(folder):
            return [folder]
        return [p for n in names if os.path.isdir(p := os.path.join(folder, n))]
    endings = tuple(
        s for k, f in FORMATS.items() for s in f.suffixes if format is None or k == format
    )
    paths = [os.path.join(folder, n) for n in names if n.lower().endswith(endings)]
    return [p for p in paths if os.path.isfile(p)]


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return ", ".join(paths[:SHOWN]) + more
