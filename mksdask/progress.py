"""Compute with a progress bar: threads and clusters, terminals and notebooks, silence in logs."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from typing import Any

import dask
import dask.system
from dask.callbacks import Callback


def compute(*collections: Any, label: str = "", progress: bool | None = None) -> tuple[Any, ...]:
    """Compute lazy collections together, watched by a progress bar.

    Parameters
    ----------
    collections
        Anything ``dask.compute`` takes: DataArrays, Datasets, Dask arrays, delayed values.
    label
        Shown before the bar.
    progress
        True or False to force the bar; by default it is shown on a terminal and in a notebook,
        and not where output goes to a file. ``MKSDASK_PROGRESS=0`` in the environment silences it.

    Examples
    --------
    >>> import dask.array as da
    >>> compute(da.ones(4).sum(), progress=False)
    (np.float64(4.0),)
    """
    if not wants_progress(progress):
        return dask.compute(*collections)
    client = _active_client()
    if client is None:
        with _TaskBar(label):
            return dask.compute(*collections)
    from distributed import progress as watch

    if label and not _in_notebook():
        print(label, file=sys.stderr)
    futures = client.compute(list(collections))
    try:
        watch(futures)
        if not _in_notebook():
            print(file=sys.stderr)
        return tuple(client.gather(futures))
    except BaseException:
        # A traceback may keep the futures alive, and with them results and errors on the cluster.
        client.cancel(futures)
        raise


def run(*collections: Any, label: str = "", progress: bool | None = None) -> None:
    """Compute lazy collections for what their tasks do, such as storing blocks.

    On a cluster each task is let go as soon as it is done. Results that waited on their workers for
    the last one would be lost with a worker, and the work be done again: never finished, where the
    workers live shorter than the whole takes.

    >>> import dask.array as da
    >>> run(da.ones(4).map_blocks(print, dtype=int, meta=da.ones(1)), progress=False)
    [1. 1. 1. 1.]
    """
    client = _active_client()
    if client is None:
        compute(*collections, label=label, progress=progress)
        return
    from distributed import as_completed, futures_of

    futures = futures_of(client.persist(list(collections)))
    try:
        with bar(len(futures), label, progress) as shown:
            for batch in as_completed(futures).batches():
                for future in batch:
                    if future.status != "finished":
                        future.result()  # raises what went wrong
                    future.release()
                    shown.update(1)
    except BaseException:
        # A traceback may keep the futures alive, and with them results and errors on the cluster.
        client.cancel(futures)
        raise


@contextmanager
def bar(total: int | None, label: str, progress: bool | None = None) -> Iterator[Any]:
    """A progress bar moved by hand (``.update(n)``), for work that is not a Dask graph.

    >>> with bar(3, "reading", progress=False) as b:
    ...     b.update(3)
    """
    if not wants_progress(progress):
        yield _Silent()
        return
    with _tqdm(total=total, desc=label or None) as shown:
        yield shown


def watched(items: Iterable[Any], label: str, progress: bool | None = None) -> Iterator[Any]:
    """Iterate under a progress bar.

    >>> list(watched([1, 2], "files", progress=False))
    [1, 2]
    """
    total = len(items) if isinstance(items, Sized) else None
    with bar(total, label, progress) as shown:
        for item in items:
            yield item
            shown.update(1)


def wants_progress(progress: bool | None = None) -> bool:
    """Whether a bar should be drawn here.

    >>> wants_progress(True), wants_progress(False)
    (True, False)
    """
    if progress is not None:
        return progress
    if os.environ.get("MKSDASK_PROGRESS", "") == "0":
        return False
    return _in_notebook() or bool(getattr(sys.stderr, "isatty", lambda: False)())


def threads() -> int:
    """Threads that a computation started here would run on, those of all workers together.

    >>> with dask.config.set(scheduler="threads", num_workers=3):
    ...     threads()
    3
    """
    client = _active_client()
    if client is not None:
        return max(1, sum(client.nthreads().values()))
    return int(dask.config.get("num_workers", None) or dask.system.CPU_COUNT)


class _Silent:
    def update(self, n: int = 1) -> None:
        """Do nothing."""


class _TaskBar(Callback):
    """One step of the bar for each finished task of a local Dask scheduler."""

    def __init__(self, label: str):
        super().__init__()
        self.label = label
        self.shown: Any = None

    def _start_state(self, dsk: Mapping[Any, Any], state: Mapping[str, Any]) -> None:
        # One computation may run several graphs; each gets a bar of its own length.
        total = sum(len(state[k]) for k in ("ready", "waiting"))
        self.shown = _tqdm(total=total, desc=self.label or None, unit="task")

    def _posttask(self, key: Any, result: Any, dsk: Any, state: Any, worker_id: Any) -> None:
        self.shown.update(1)

    def _finish(self, dsk: Any, state: Any, errored: bool) -> None:
        if self.shown is not None:
            self.shown.close()


def _tqdm(**kwargs: Any) -> Any:
    if _in_notebook() and importlib.util.find_spec("ipywidgets"):
        from tqdm.notebook import tqdm
    else:
        from tqdm import tqdm  # type: ignore[assignment]
    # The stream of now, not the one that was standard error when tqdm was imported.
    return tqdm(file=sys.stderr, **kwargs)


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"


def _active_client() -> Any:
    """The distributed client in use, without importing distributed when nobody has."""
    distributed = sys.modules.get("distributed")
    if distributed is None or dask.config.get("scheduler", None) not in (None, "dask.distributed"):
        return None
    try:
        return distributed.get_client()
    except ValueError:
        return None
