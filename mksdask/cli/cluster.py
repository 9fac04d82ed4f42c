"""Submit a pipeline to Slurm with its driver, look after it, and make certificates.

examples:
  mksdask cluster submit pipeline.yaml --cluster slurm.yaml --walltime 24:00:00
  mksdask cluster status pipeline.yaml
  mksdask cluster logs pipeline.yaml
  mksdask cluster cancel pipeline.yaml
  mksdask cluster certs ~/.mksdask/lab
"""

from __future__ import annotations

import argparse

from mksdask.cli.values import whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and the arguments of each."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    submit = actions.add_parser("submit", help="run a pipeline with its driver in a Slurm job")
    submit.add_argument("--cluster", help="where the workers run: a YAML file, slurm, or local")
    submit.add_argument(
        "--walltime", default="08:00:00", help="time limit of the driver (default: 08:00:00)"
    )
    submit.add_argument("--memory", default="4 GiB", help="memory of the driver (default: 4 GiB)")
    submit.add_argument(
        "--notice",
        type=whole,
        default=120,
        help="seconds before the limit at which it stops and is queued again (default: 120)",
    )
    submit.add_argument(
        "--requeues", type=whole, default=20, help="how often it may be (default: 20)"
    )
    status = actions.add_parser("status", help="what the job and the stages have come to")
    logs = actions.add_parser("logs", help="what the driver has printed")
    logs.add_argument("--lines", type=whole, default=50, help="how many at most (default: 50)")
    cancel = actions.add_parser("cancel", help="end the job; what is stored is kept")
    for action in (submit, status, logs, cancel):
        action.add_argument("pipeline", metavar="PIPELINE", help="YAML file of the pipeline")
    certs = actions.add_parser("certs", help="make a key and a certificate that you alone can read")
    certs.add_argument("folder", metavar="FOLDER", help="new folder for the two files")
    certs.add_argument(
        "--days", type=whole, default=365, help="how long they are valid (default: 365)"
    )


def run(args: argparse.Namespace) -> int:
    """Do the action."""
    return ACTIONS[args.action](args)


def _certs(args: argparse.Namespace) -> int:
    from mksdask.cluster import make_certificates

    folder = make_certificates(args.folder, days=args.days).absolute()
    files = f"--tls-ca-file {folder}/certificate.pem --tls-cert {folder}/certificate.pem"
    files += f" --tls-key {folder}/key.pem"
    print(f"{folder}: certificate.pem and key.pem, valid for {args.days} days\n")
    print(f"scheduler:  dask scheduler --protocol tls {files}")
    print(f"worker:     dask worker tls://HOST:8786 {files}")
    print(f'program:    mks.cluster.connect("tls://HOST:8786", tls="{folder}")')
    return 0


def _submit(args: argparse.Namespace) -> int:
    from mksdask.pipeline.submit import submit_pipeline

    job = submit_pipeline(
        args.pipeline,
        args.cluster,
        walltime=args.walltime,
        memory=args.memory,
        notice=args.notice,
        requeues=args.requeues,
    )
    print(f"job {job}: mksdask cluster status {args.pipeline} tells how it goes")
    return 0


def _status(args: argparse.Namespace) -> int:
    from mksdask.pipeline import read_pipeline
    from mksdask.pipeline.submit import driver_state

    known = driver_state(read_pipeline(args.pipeline))
    print(f"job {known['job']}: {known['state']}" if known["job"] else "never submitted")
    for name, status in known["stages"].items():
        print(f"{name}: {status}")
    return 0


def _logs(args: argparse.Namespace) -> int:
    from mksdask.pipeline import read_pipeline
    from mksdask.pipeline.submit import driver_log

    print(driver_log(read_pipeline(args.pipeline), args.lines), end="")
    return 0


def _cancel(args: argparse.Namespace) -> int:
    from mksdask.pipeline import read_pipeline
    from mksdask.pipeline.submit import cancel_driver

    print(f"job {cancel_driver(read_pipeline(args.pipeline))} is cancelled; what is stored is kept")
    return 0


ACTIONS = {
    "submit": _submit,
    "status": _status,
    "logs": _logs,
    "cancel": _cancel,
    "certs": _certs,
}
