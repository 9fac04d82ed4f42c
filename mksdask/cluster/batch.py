"""Workers as jobs of a batch system, by dask-jobqueue."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from mksdask.cluster.certificates import given_credentials, shared_credentials
from mksdask.cluster.faults import ClusterError
from mksdask.cluster.pinning import exports
from mksdask.cluster.replacing import replaced_jobs
from mksdask.cluster.settings import ClusterSettings
from mksdask.cluster.started import Started, link, listening
from mksdask.errors import missing_extra

CLASSES = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "lsf": "LSFCluster",
    "sge": "SGECluster",
}
# SGE has a project where the others have an account.
ACCOUNT = {"sge": "project", "lsf": "project"}


@contextmanager
def started_batch(settings: ClusterSettings) -> Iterator[Started]:
    """Submit the jobs; those that are lost are submitted again, a bounded number of times."""
    try:
        import dask_jobqueue
    except ImportError:
        raise missing_extra("dask-jobqueue", "cluster", "submitting batch jobs") from None

    with ExitStack() as stack:
        tls = settings.get("tls", True)
        security = None
        if tls:
            held = (
                stack.enter_context(shared_credentials(settings.get("shared_directory")))
                if tls is True
                else given_credentials(tls)
            )
            security = held.security()
        dashboard = settings.get("dashboard", True)
        jobs = settings.get("n_workers") // settings.get("workers_per_job", 1)
        try:
            cluster = stack.enter_context(
                getattr(dask_jobqueue, CLASSES[settings.kind])(
                    **job_options(settings),
                    security=security,
                    protocol="tls://" if tls else "tcp://",
                    scheduler_options={
                        "dashboard_address": listening(dashboard),
                        "dashboard": dashboard is not False,
                    },
                )
            )
        except RuntimeError as error:
            raise ClusterError(f"the scheduler cannot start here: {error}") from error
        _try_submission(settings.kind, cluster.job_script())
        cluster.scale(jobs=jobs)
        limit = settings.get("replacements", 3 * jobs)
        stack.enter_context(replaced_jobs(cluster, jobs, limit))
        yield Started(
            cluster,
            cluster.scheduler_address,
            security,
            jobs,
            dashboard=link(dashboard, cluster.scheduler.http_server.port),
            remedy=f"see the queue of {settings.kind} and the output of the jobs, or give a longer "
            "timeout",
        )


def job_options(settings: ClusterSettings) -> dict[str, Any]:
    """What dask-jobqueue wants to know.

    >>> from mksdask.cluster.settings import read_settings
    >>> job_options(read_settings("slurm", n_workers=4, workers_per_job=2, memory="1 GiB"))["memory"]
    '2147483648 B'
    """
    processes = settings.get("workers_per_job", 1)
    options: dict[str, Any] = {
        "processes": processes,
        "cores": processes * settings.get("threads_per_worker", 1),
        "memory": f"{processes * settings.get('memory')} B",
        "queue": settings.get("queue"),
        ACCOUNT.get(settings.kind, "account"): settings.get("account"),
        "walltime": settings.get("walltime"),
        "interface": settings.get("interface"),
        "local_directory": settings.get("scratch"),
        "log_directory": settings.get("log_directory", "mksdask-logs"),
        "python": settings.get("python"),
        "job_extra_directives": settings.get("directives"),
        "job_script_prologue": [*exports(), *settings.get("prologue", [])],
        # The pages of a worker would listen on all interfaces.
        "worker_extra_args": ["--no-dashboard", "--dashboard-address", "localhost:0"],
    }
    return {k: v for k, v in options.items() if v is not None}


def _try_submission(kind: str, script: str) -> None:
    """Let Slurm say what it would refuse, such as a partition that does not exist."""
    if kind != "slurm":
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.sh"
        path.write_text(script)
        call = ["sbatch", "--test-only", str(path)]
        try:
            said = subprocess.run(call, capture_output=True, text=True, timeout=60, check=False)
        except FileNotFoundError:
            raise ClusterError(
                "there is no sbatch here: run this on a machine of the cluster that has Slurm"
            ) from None
        except subprocess.TimeoutExpired:
            raise ClusterError(f"Slurm does not answer ({shlex.join(call[:2])})") from None
    if said.returncode:
        raise ClusterError(f"Slurm refuses the worker jobs: {' '.join(said.stderr.split())}")
