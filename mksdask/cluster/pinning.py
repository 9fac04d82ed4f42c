"""One thread for each library inside a worker: Dask already runs one task a core."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

# Read when the libraries are loaded, so they must be set before a worker process starts.
PINNED = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMEXPR_NUM_THREADS",
    ),
    "1",
)
# Numba refuses to see its variable change, and dask leaves what it sets before a worker starts in
# the environment of the program that starts it: this one is set inside the worker only.
PINNED_INSIDE = {"NUMBA_NUM_THREADS": "1"}


def exports() -> list[str]:
    """Lines of a shell script that pin the threads.

    >>> exports()[0]
    'export OMP_NUM_THREADS=1'
    """
    return [f"export {name}={value}" for name, value in (PINNED | PINNED_INSIDE).items()]


@contextmanager
def pinned_children() -> Iterator[None]:
    """Worker processes started in this context, and those that replace them, are pinned."""
    import dask

    before = {name: os.environ.get(name) for name in PINNED}
    configured = dask.config.get("distributed.nanny.pre-spawn-environ")
    # The variables of the caller would win over the configuration.
    os.environ.update(PINNED)
    try:
        with dask.config.set({"distributed.nanny.pre-spawn-environ": {**configured, **PINNED}}):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
