"""Submit jobs again whose workers were lost: cancelled, out of time, on a node that failed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

logger = logging.getLogger(__name__)
# A worker that restarts is away for some seconds without being lost.
PERIOD, PATIENCE = 2.0, 8.0


class _Watch:
    """Sees which jobs have had workers and have none any more."""

    def __init__(self, cluster: Any, jobs: int, limit: int):
        self.cluster = cluster
        self.jobs = jobs
        self.left = limit
        self.seen: set[Any] = set()
        self.away: dict[Any, float] = {}

    def look(self) -> None:
        workers = self.cluster.scheduler_info["workers"].values()
        alive = {_job_of(w["name"], self.cluster.workers) for w in workers}
        self.seen |= alive
        for job in [j for j in self.cluster.workers if j in self.seen]:
            self.away[job] = 0.0 if job in alive else self.away.get(job, 0.0) + PERIOD
            if self.away[job] < PATIENCE or self.left < 1:
                continue
            self.left -= 1
            logger.warning("the workers of job %s are lost: submitting it again", job)
            self.cluster.loop.add_callback(self.cluster.workers.pop(job).close)
            self.seen.discard(job)
            del self.away[job]
            # Asked for the same number, the cluster submits what is missing.
            self.cluster.scale(jobs=self.jobs)
        self._give_up_without_hope(bool(alive))

    def _give_up_without_hope(self, working: bool) -> None:
        """End the scheduler when all jobs are lost for good, so that nobody waits for ever."""
        lost = [job for job in self.cluster.workers if self.away.get(job, 0.0) >= PATIENCE]
        if self.left < 1 and not working and len(lost) == len(self.cluster.workers):
            logger.error("all jobs are lost, and as many as allowed were submitted again")
            self.cluster.loop.add_callback(self.cluster.scheduler.close)


def _job_of(worker: Any, jobs: Any) -> Any:
    """The job of a worker: of its name, or of its name before the last hyphen.

    >>> _job_of("cluster-1", {"cluster-1": ...}), _job_of("cluster-1-0", {"cluster-1": ...})
    ('cluster-1', 'cluster-1')
    """
    return worker if worker in jobs else str(worker).rpartition("-")[0]


@contextmanager
def replaced_jobs(cluster: Any, jobs: int, limit: int) -> Iterator[None]:
    """While in this context, up to ``limit`` lost jobs are replaced."""
    from tornado.ioloop import PeriodicCallback

    watch = PeriodicCallback(_Watch(cluster, jobs, limit).look, PERIOD * 1000)
    cluster.loop.add_callback(watch.start)
    try:
        yield
    finally:
        cluster.loop.add_callback(watch.stop)
