"""What the faults of a cluster mean for a stage."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from dask.utils import format_bytes

from mksdask.cluster.faults import ClusterError
from mksdask.ensemble.plan import plan_chunks
from mksdask.pipeline.plan import StagePlan

CANCELLED = asyncio.CancelledError  # which distributed raises for work that it lost


def explained(
    error: BaseException, plan: StagePlan, client: Any, worker: tuple[int, int]
) -> BaseException:
    """The fault in terms of the pipeline, where it is one of the cluster.

    ``worker`` is what :func:`worker_size` has found while there were workers.
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "KilledWorker":
        return ClusterError(_too_large(error, plan, *worker))
    if client is not None and (isinstance(error, CANCELLED) or client.status != "running"):
        return ClusterError(
            f"stage {plan.name}: the scheduler is gone ({error or type(error).__name__}); what is "
            "stored is kept: the same call does the rest"
        )
    return error


def _too_large(error: BaseException, plan: StagePlan, limit: int, threads: int) -> str:
    said = f"stage {plan.name}: "
    if isinstance(error, MemoryError):
        said += "a worker had no memory left for a block"
    else:
        said += "the same block ended several workers one after the other, as too large ones do"
    need = plan.memory(threads)
    if limit:
        said += f"; a worker has {format_bytes(limit)} and needs about {format_bytes(need)}"
    if not plan.variables or (limit and need < limit // 2):
        return said + ", so memory is perhaps not the reason: see the logs of the workers"
    name, (shape, _) = max(plan.variables.items(), key=lambda item: item[1][1])
    sizes = _named(shape)
    fits = plan_chunks(sizes, max(1 << 20, (limit or 2 << 30) // threads)).chunks
    count = fits.get("sample", 1)
    return (
        f"{said}. Chunks of {count} sample{'s' if count > 1 else ''} of {name} would fit: make the "
        f"stage it is computed from anew with `chunks: {count}`, or give workers more memory"
    )


def _named(shape: tuple[int, ...]) -> Mapping[str, int]:
    return {"sample": shape[0], **{f"axis{i}": n for i, n in enumerate(shape[1:])}}


def worker_size(client: Any) -> tuple[int, int]:
    """Memory and threads of a worker; no memory is known without a cluster."""
    if client is None:
        return 0, 1
    workers = list(client.scheduler_info(n_workers=-1)["workers"].values())
    if not workers:
        return 0, 1
    return min(w["memory_limit"] or 0 for w in workers), max(w["nthreads"] for w in workers)
