"""Put the driver of a pipeline into a Slurm job: a login node is no place for it.

Near its time limit Slurm sends the driver SIGUSR1; it stops cleanly, asks to be queued again, and
continues where it was.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mksdask.cluster import ClusterError, ClusterSettings, read_settings
from mksdask.cluster.pinning import exports
from mksdask.cluster.settings import SETTINGS
from mksdask.pipeline.document import Pipeline, read_pipeline
from mksdask.pipeline.journal import Journal
from mksdask.pipeline.plan import plan_pipeline
from mksdask.pipeline.state import State

RECORD = "_job.json"  # no stage is called so
ENDED = "not in the queue"


@dataclass(frozen=True)
class Driver:
    """What the job of a driver asks for."""

    walltime: str
    memory: int
    cores: int = 2
    # Seconds before the time limit at which it stops, and how often it may be queued again.
    notice: int = 120
    requeues: int = 20


def submit_pipeline(
    path: str | os.PathLike[str],
    cluster: str | os.PathLike[str] | None = None,
    *,
    walltime: str | int = "08:00:00",
    memory: int | str = "4 GiB",
    notice: int = 120,
    requeues: int = 20,
) -> str:
    """Check a pipeline, and submit a Slurm job that runs it; returns the number of the job.

    Parameters
    ----------
    path, cluster
        As for :func:`mksdask.pipeline.run_pipeline`; ``cluster`` says where the workers run and
        gives queue, account and prologue to the driver too.
    walltime, memory
        Of the driver.
    notice
        Seconds before the time limit at which the driver stops and is queued again.
    requeues
        How often that may happen.
    """
    driver = Driver(
        _checked("walltime", walltime), _checked("memory", memory), notice=notice, requeues=requeues
    )
    for name, value, least in (("notice", notice, 30), ("requeues", requeues, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} is {value!r}; wanted a whole number of at least {least}")
    pipeline = read_pipeline(path)
    settings = read_settings(cluster) if cluster is not None else pipeline.cluster
    if settings is None or settings.kind not in ("slurm", "local"):
        kind = settings.kind if settings else None
        raise ValueError(
            f"the workers would run on {kind}; a driver in a Slurm job wants --cluster with kind: "
            "slurm, or local for workers inside its own job"
        )
    plan_pipeline(pipeline)
    state = State(pipeline)
    holder = state.location.writer()
    if holder:
        raise ClusterError(f"{pipeline.name} is being run by {holder}: cancel that first")
    known = driver_state(pipeline)
    if known["state"] != ENDED:
        raise ClusterError(f"job {known['job']} runs {pipeline.name} already: cancel that first")
    pipeline.folder.mkdir(parents=True, exist_ok=True)
    script = driver_script(pipeline, settings, driver, cluster)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "driver.sh"
        file.write_text(script)
        said = _slurm("sbatch", "--parsable", str(file))
    job = said.strip().partition(";")[0]
    state.write(RECORD.removesuffix(".json"), {"job": job})
    Journal(pipeline).add("submitted", job=job)
    return job


def driver_script(
    pipeline: Pipeline,
    settings: ClusterSettings,
    driver: Driver,
    cluster: str | os.PathLike[str] | None,
) -> str:
    """The batch script."""
    directives = [
        f"--job-name=mksdask-{pipeline.name}",
        f"--output={_log(pipeline)}",
        "--open-mode=append",
        f"--chdir={pipeline.folder}",
        "--ntasks=1",
        f"--cpus-per-task={driver.cores}",
        f"--mem={driver.memory >> 20}M",
        f"--time={driver.walltime}",
        "--requeue",
        # To the batch script alone, which the driver has become by then.
        f"--signal=B:USR1@{driver.notice}",
    ]
    if settings.get("queue"):
        directives.append(f"--partition={settings.get('queue')}")
    if settings.get("account"):
        directives.append(f"--account={settings.get('account')}")
    call = [
        settings.get("python", sys.executable), "-m", "mksdask.cli", "run", str(pipeline.path),
        f"--requeue={driver.requeues}",
    ]  # fmt: skip
    if cluster is not None:
        text = os.fspath(cluster)
        call.append(f"--cluster={os.path.abspath(text) if os.path.isfile(text) else text}")
    lines = [
        "#!/usr/bin/env bash",
        *(f"#SBATCH {line}" for line in directives),
        *exports(),
        *settings.get("prologue", []),
        f"exec {shlex.join(call)}",
    ]
    return "\n".join(lines) + "\n"


def queue_again(requeues: int) -> bool:
    """Ask Slurm to queue the job of this process again; False where it may not be."""
    job, count = os.environ.get("SLURM_JOB_ID"), int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    if job is None or count >= requeues:
        return False
    _slurm("scontrol", "requeue", job)
    return True


def driver_state(pipeline: Pipeline) -> dict[str, Any]:
    """Number and state of the job of a pipeline, with what each stage has come to."""
    state = State(pipeline)
    job = state.record(RECORD.removesuffix(".json")).get("job")
    found = ENDED
    if job is not None:
        # An unknown job is an error for squeue, and just an absent one for us.
        listed = [
            "squeue",
            "--noheader",
            f"--jobs={job}",
            "--states=all",
            "--format=%T %M of %l %R",
        ]
        done = _call(listed)
        text = done.stdout.strip()
        if text and text.split()[0] in _ALIVE:
            found = text
    stages = {}
    for stage in pipeline.stages:
        record = state.record(stage.name)
        status = record.get("status", "not begun")
        stages[stage.name] = (
            f"{status} in {record['seconds']:.1f} s" if "seconds" in record else status
        )
    return {"job": job, "state": found, "stages": stages}


_ALIVE = {
    "PENDING", "RUNNING", "SUSPENDED", "COMPLETING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD",
    "REQUEUE_FED", "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED",
}  # fmt: skip


def driver_log(pipeline: Pipeline, lines: int = 50) -> str:
    """The last lines that the driver has printed."""
    path = _log(pipeline)
    if not path.exists():
        raise FileNotFoundError(f"no driver of {pipeline.name} has printed anything yet ({path})")
    with path.open(errors="replace") as file:
        return "".join(deque(file, maxlen=lines))


def cancel_driver(pipeline: Pipeline) -> str:
    """End the job of a pipeline; what is stored is kept. Returns its number."""
    known = driver_state(pipeline)
    if known["state"] == ENDED:
        raise ClusterError(f"no job of {pipeline.name} is in the queue")
    # Slurm sends SIGTERM first, on which the driver takes its workers down.
    _slurm("scancel", known["job"])
    return str(known["job"])


def _log(pipeline: Pipeline) -> Path:
    return pipeline.folder / f"{pipeline.name}.driver.log"


def _checked(name: str, value: Any) -> Any:
    try:
        return SETTINGS[name].check(value)
    except ValueError as wanted:
        raise ValueError(f"{name} is {value!r}; wanted {wanted}") from None


def _slurm(*call: str) -> str:
    done = _call(call)
    if done.returncode:
        raise ClusterError(f"{call[0]} fails: {' '.join(done.stderr.split())}")
    return done.stdout


def _call(call: Any) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(call, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        raise ClusterError(
            f"there is no {call[0]} here: run this on a machine of the cluster that has Slurm"
        ) from None
    except subprocess.TimeoutExpired:
        raise ClusterError(f"Slurm does not answer ({call[0]})") from None
