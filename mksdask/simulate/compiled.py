"""Compile kernels with numba: without the GIL, and kept in a cache where there can be one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

# Sums may be reordered into vector lanes; NaN and infinity keep their meaning, so that a broken
# material is seen and not optimized away.
FASTMATH = {"reassoc", "contract", "nsz", "arcp"}


def inlined(function: Callable[..., Any]) -> Any:
    """Compile ``function`` as a part of the kernels which call it.

    Their constants then reach into it, so that it is compiled for them.
    """
    return njit(error_model="numpy", nogil=True, fastmath=FASTMATH, forceinline=True)(function)


def kernel(function: Callable[..., Any]) -> Any:
    """Compile ``function`` for nogil use from many threads.

    The compiled code is kept on disk next to the source, or in the user's cache folder where the
    source is read-only. Where neither can be written it is compiled anew in each process.

    >>> @kernel
    ... def twice(x):
    ...     return 2 * x
    >>> twice(21)
    42
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": FASTMATH}
    try:
        return njit(cache=True, error_model="numpy", **options)(function)
    except RuntimeError:  # numba found no folder it may write to
        return njit(error_model="numpy", **options)(function)


def variant(*captured: int) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a kernel made inside a function that captures the numbers ``captured``.

    Each variant has files of its own in the cache: two processes that write different ones into
    the same files at the same time can leave the code of one under the name of the other. Nothing
    but plain numbers may be captured, since the cache does not know other things again.

    >>> def times(factor):
    ...     @variant(factor)
    ...     def multiply(x):
    ...         return factor * x
    ...     return multiply
    >>> times(2)(21), times(3)(21)
    (42, 63)
    """

    def compiled(function: Callable[..., Any]) -> Any:
        function.__qualname__ += "_" + "_".join(map(str, captured))
        return kernel(function)

    return compiled
