"""Job scripts, without a batch system."""

import pytest

from mksdask.cluster.batch import CLASSES, job_options
from mksdask.cluster.replacing import _Watch
from mksdask.cluster.settings import read_settings

dask_jobqueue = pytest.importorskip("dask_jobqueue")


@pytest.mark.parametrize("kind", CLASSES)
def test_scripts_pin_threads_and_hide_pages(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = read_settings(
        kind, n_workers=4, workers_per_job=2, threads_per_worker=3, memory="2 GiB", queue="short",
        account="steel", walltime="01:00:00", scratch="/scratch", prologue=["module load python"],
    )  # fmt: skip
    cls = getattr(dask_jobqueue, CLASSES[kind]).job_cls
    script = cls("tls://10.0.0.1:1", name="w", **job_options(settings)).job_script()
    assert "export OPENBLAS_NUM_THREADS=1" in script
    assert "export NUMBA_NUM_THREADS=1" in script
    assert script.index("module load python") < script.index("dask_worker")
    assert "--no-dashboard --dashboard-address localhost:0" in script
    assert "--nthreads 3" in script
    assert "--nworkers 2" in script
    assert "--memory-limit 2.00GiB" in script
    assert "--local-directory /scratch" in script
    assert all(word in script for word in ("short", "steel", "01:00"))


class FakeCluster:
    """Jobs by name, and the workers that the scheduler sees."""

    def __init__(self):
        self.workers = dict.fromkeys(("c-0", "c-1"), self)
        self.alive = ["c-0-0", "c-0-1", "c-1-0"]
        self.scaled = []
        self.loop = self
        self.scheduler = self

    @property
    def scheduler_info(self):
        return {"workers": {n: {"name": n} for n in self.alive}}

    def add_callback(self, callback):
        callback()

    def close(self):
        self.scaled.append("closed")

    def scale(self, jobs):
        self.scaled.append(jobs)


def test_lost_jobs_are_replaced_a_bounded_number_of_times():
    cluster = FakeCluster()
    watch = _Watch(cluster, 2, limit=1)
    for _ in range(10):
        watch.look()
    assert cluster.scaled == []
    cluster.alive = ["c-0-1"]  # the job has another worker
    for _ in range(2):
        watch.look()
    assert cluster.scaled == []  # it may only be restarting
    for _ in range(10):
        watch.look()
    assert cluster.scaled == ["closed", 2]
    assert list(cluster.workers) == ["c-0"]
    cluster.alive = []
    for _ in range(4):
        watch.look()
    assert cluster.scaled == ["closed", 2, "closed"]  # the scheduler: nobody is left to work


def test_jobs_that_wait_in_the_queue_are_left_alone():
    cluster = FakeCluster()
    cluster.alive = []
    watch = _Watch(cluster, 2, limit=5)
    for _ in range(20):
        watch.look()
    assert cluster.scaled == []
