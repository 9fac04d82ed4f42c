"""Look at every file before anything is written: headers always, contents with ``skip_bad``."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mksdask import progress as watch
from mksdask.cluster.machine import usable_cores
from mksdask.ensemble import formats
from mksdask.ensemble.files import SHOWN
from mksdask.ensemble.formats import Info, Options
from mksdask.errors import DataError, is_passing

Faults = dict[str, str]
_THREADS = 8
# What stays after a second try is as likely a broken sector, or a file that is still written.
OF_A_FILE = {errno.EIO, errno.EAGAIN}


def probe_all(
    paths: Sequence[str], format: str, options: Options, progress: bool | None
) -> tuple[list[Info | None], Faults]:
    """The header of every file, and what is wrong with those that have none."""

    def one(path: str) -> Info:
        return formats.probe(path, format, options)

    return _each(one, paths, "checking headers", progress)


def try_all(
    read: Callable[[str], Any], paths: Sequence[str], progress: bool | None
) -> tuple[list[Any], Faults]:
    """Decode and convert every file once; what fails is a fault of that file."""
    return _each(read, paths, "decoding", progress, threads=usable_cores())


def uniform(
    paths: Sequence[str],
    infos: Sequence[Info | None],
    kind: Callable[[Info], Any],
    what: str,
    remedy: str,
    skip: bool,
) -> tuple[Any, Faults]:
    """The value of ``kind`` that the files share; those that differ are refused, or faults."""
    values = [kind(info) for info in infos if info is not None]
    counts = Counter(values)
    if not counts:
        return None, {}
    common, n = counts.most_common(1)[0]
    odd = {
        path: f"has {what} {kind(info)}; most have {common}"
        for path, info in zip(paths, infos, strict=True)
        if info is not None and kind(info) != common
    }
    if odd and not skip:
        others = ", ".join(
            f"{value} in {count}" for value, count in counts.most_common(4) if value != common
        )
        raise DataError(
            f"files of mixed {what}: {common} in {n} files, {others} ({_named(list(odd))}): {remedy}"
        )
    return common, odd


def refuse(faults: Faults, n_files: int) -> None:
    """Raise for files that cannot be used, unless there are none."""
    if not faults:
        return
    shown = "; ".join(_reason(path, reason) for path, reason in list(faults.items())[:SHOWN])
    more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    raise DataError(
        f"{len(faults)} of {n_files} files cannot be used: {shown}{more}. Repair them, or leave them "
        "out with skip_bad=True (--skip-bad)"
    )


def _each(
    function: Callable[[str], Any],
    paths: Sequence[str],
    label: str,
    progress: bool | None,
    threads: int = _THREADS,
) -> tuple[list[Any], Faults]:
    results: list[Any] = []
    faults: Faults = {}

    def attempt(path: str) -> Any:
        try:
            return function(path)
        except (DataError, OSError, MemoryError) as error:
            return error

    with ThreadPoolExecutor(threads) as pool, watch.bar(len(paths), label, progress) as bar:
        for result in pool.map(attempt, paths):
            results.append(result)
            bar.update(1)
    again = [i for i, result in enumerate(results) if _may_be_good(result)]
    if again:
        # Once more and alone: a machine out of memory or of open files fails on good files too.
        for i in watch.watched(again, f"{label} again", progress):
            results[i] = attempt(paths[i])
            if is_passing(results[i]) and results[i].errno not in OF_A_FILE:
                raise results[i]
    for i, path in enumerate(paths):
        if isinstance(results[i], Exception):
            faults[path] = str(results[i])
            results[i] = None
    return results, faults


def _may_be_good(result: Any) -> bool:
    """Whether the file of an error may be a good one; our own readers know a bad one."""
    if isinstance(result, DataError):
        return not isinstance(result.__cause__, ValueError | KeyError | None)
    return isinstance(result, Exception)


def _reason(path: str, reason: str) -> str:
    return reason if reason.startswith(path) else f"{path} {reason}"


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return ", ".join(paths[:SHOWN]) + more
