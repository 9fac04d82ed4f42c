"""Run a pipeline of stages described in a YAML file, as far as it is not up to date.

examples:
  mksdask run pipeline.yaml --dry-run
  mksdask run pipeline.yaml --cluster slurm.yaml
  mksdask run --schema > pipeline.schema.json
"""

from __future__ import annotations

import argparse
import signal

from mksdask.cli.values import whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("pipeline", nargs="?", metavar="PIPELINE", help="YAML file")
    parser.add_argument(
        "--cluster",
        help="local, slurm, ssh, an address, or a YAML file (default: what the pipeline says, else "
        "the threads of this process)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything, and say what would be done"
    )
    parser.add_argument(
        "--retries",
        type=whole,
        default=3,
        help="how often a stage is tried again after a passing fault (default: 3)",
    )
    parser.add_argument(
        "--requeue",
        type=whole,
        metavar="N",
        help="in a Slurm job: on SIGUSR1, queue the job again, at most N times",
    )
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of the file")
    parser.add_argument("--quiet", action="store_true", help="say nothing of what is done")


def run(args: argparse.Namespace) -> int:
    """Run it; the report goes to standard output."""
    from mksdask.pipeline import Stopped, pipeline_schema, run_pipeline

    if args.schema:
        import json

        print(json.dumps(pipeline_schema(), indent=1))
        return 0
    if args.pipeline is None:
        raise ValueError("PIPELINE is not given: say which file to run")
    try:
        run_pipeline(
            args.pipeline,
            args.cluster,
            dry_run=args.dry_run,
            retries=args.retries,
            say=None if args.quiet else _say,
        )
    except Stopped as stopped:
        if args.requeue is None or stopped.number != signal.SIGUSR1:
            raise
        return _requeued(args.requeue)
    return 0


def _requeued(limit: int) -> int:
    from mksdask.pipeline.submit import queue_again

    _say("the time limit is near: stopped; what is stored is kept")
    if not queue_again(limit):
        _say(f"this job has been queued again {limit} times already: submit the pipeline anew")
        return 2
    _say("queued again")
    return 0


def _say(line: str) -> None:
    # A driver in a batch job writes to a file: each line is wanted there at once.
    print(line, flush=True)
