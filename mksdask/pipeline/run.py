"""Run a pipeline: only what changed, from where it stopped, with a log of what happened."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from dask.utils import format_bytes

from mksdask.cluster import connect, read_settings
from mksdask.cluster.settings import ClusterSettings
from mksdask.errors import is_passing
from mksdask.pipeline.commands import RESERVED, module_of
from mksdask.pipeline.document import Pipeline, Stage, read_pipeline
from mksdask.pipeline.faults import CANCELLED, explained, worker_size
from mksdask.pipeline.journal import Journal, surroundings
from mksdask.pipeline.peak import forget_peaks, peaks
from mksdask.pipeline.plan import StagePlan, describe_plan, plan_pipeline
from mksdask.pipeline.state import KEEP, RESUME, State, decide, keys

# Seconds before a stage is tried again: twice as long each time.
FIRST_PAUSE = 1.0
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class Stopped(KeyboardInterrupt):
    """A signal asked to stop: what is stored is kept, and the same call does the rest."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


@dataclass(frozen=True)
class StageResult:
    """What was done for a stage, and how long it took."""

    name: str
    action: str
    seconds: float = 0.0
    peak_memory: int = 0
    retries: int = 0


def run_pipeline(
    path: str | os.PathLike[str],
    cluster: str | os.PathLike[str] | Mapping[str, Any] | ClusterSettings | None = None,
    *,
    dry_run: bool = False,
    retries: int = 3,
    say: Callable[[str], object] | None = print,
) -> list[StageResult]:
    """Run the stages of a pipeline that are not up to date.

    The whole pipeline is checked first: every stage is built lazily from the stages before it, so
    that a mistake in the last one is said before the first one runs. A stage is up to date if its
    options and all that goes into it are those of the run that made it, and its stores are as they
    were left. A stage that was interrupted is continued block by block.

    Parameters
    ----------
    path
        YAML file; docs/pipelines.md tells what is in it.
    cluster
        As for :func:`mksdask.cluster.connect`; by default what the file says, else the threads of
        this process.
    dry_run
        Only check and say what would be done.
    retries
        How often a stage is tried again after a passing fault of the network or a file server.
        Mistakes and bad data are not tried again.
    say
        Called with a line for each stage; None for silence.
    """
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise ValueError(f"retries is {retries!r}; wanted a whole number such as 3, or 0 for none")
    say = say or (lambda line: None)
    pipeline = read_pipeline(path)
    settings = read_settings(cluster) if cluster is not None else pipeline.cluster
    threads = settings.get("threads_per_worker", 1) if settings else 1
    plans = plan_pipeline(pipeline)
    if dry_run:
        say(describe_plan(pipeline, plans, threads))
        return [StageResult(p.name, p.action) for p in plans]
    state, journal = State(pipeline), Journal(pipeline)
    with _stopping(), state.location.lock():
        about = {"kind": settings.kind, **settings.values} if settings else None
        journal.add("run", pipeline=str(pipeline.path), cluster=about, **surroundings())
        if all(p.action == KEEP for p in plans):
            for plan in plans:
                say(f"{plan.name}: up to date")
            return [StageResult(p.name, KEEP) for p in plans]
        with ExitStack() as stack:
            client = stack.enter_context(connect(settings)) if settings else None
            return _run_stages(pipeline, plans, state, journal, client, retries, say)


def _run_stages(
    pipeline: Pipeline,
    plans: list[StagePlan],
    state: State,
    journal: Journal,
    client: Any,
    retries: int,
    say: Callable[[str], object],
) -> list[StageResult]:
    results = []
    worker = worker_size(client)
    for stage, plan in zip(pipeline.stages, plans, strict=True):
        key = keys(pipeline)[stage.name]
        action = decide(state, stage, key)
        if action == KEEP:
            say(f"{stage.name}: up to date")
            results.append(StageResult(stage.name, KEEP))
            continue
        about = {"stage": stage.name, "do": stage.do, "options": _options(stage), "key": key}
        journal.add("begin", action=action, **about)
        if hasattr(stage.args, "log"):
            stage.args.log = str(journal.path)
        start = time.monotonic()
        forget_peaks(client)
        tried = 0
        while True:
            try:
                state.begin(stage, key)
                summary = _run_stage(stage, decide(state, stage, key))
                break
            except BaseException as fault:
                passing = is_passing(fault) and tried < retries
                seconds = round(time.monotonic() - start, 3)
                event = "retry" if passing else "failed"
                journal.add(
                    event, seconds=seconds, error=f"{type(fault).__name__}: {fault}", **about
                )
                if not passing:
                    if isinstance(fault, Exception | CANCELLED):
                        raise explained(fault, plan, client, worker) from fault
                    raise
                say(f"{stage.name}: {fault}; trying again")
                time.sleep(FIRST_PAUSE * 2**tried)
                tried += 1
        seconds = round(time.monotonic() - start, 3)
        state.finish(stage, key, seconds=seconds)
        memory = peaks(client)
        journal.add(
            "done", seconds=seconds, retries=tried, peak_memory=memory,
            bytes_written=plan.bytes_written, chunks=plan.n_chunks, summary=summary, **about,
        )  # fmt: skip
        peak = max(memory.values(), default=0)
        say(f"{stage.name}: done in {seconds:.1f} s, at most {format_bytes(peak)} a worker")
        results.append(StageResult(stage.name, action, seconds, peak, tried))
    return results


def _run_stage(stage: Stage, action: str) -> str:
    """Do as the subcommand does; returns what it would print."""
    args = stage.args
    args.quiet = False
    args.overwrite = action != RESUME
    if hasattr(args, "resume"):
        args.resume = action == RESUME
    with contextlib.redirect_stdout(io.StringIO()) as said:
        module_of(args.command).run(args)
    return said.getvalue().strip()


def _options(stage: Stage) -> dict[str, Any]:
    hidden = ("command", *RESERVED)
    return {k: v for k, v in vars(stage.args).items() if k not in hidden and v is not None}


@contextmanager
def _stopping() -> Iterator[None]:
    """Let signals end the run as an interrupt does, with everything closed behind it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _: Any) -> None:
        for each in SIGNALS:  # a second one must not disturb what the first one set off
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(number)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
