"""The files that a user copies: read by the program, and their commands run here."""

import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from mksdask.cluster import connect, make_certificates, read_settings
from mksdask.pipeline import read_pipeline

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "docker" / "compose.yaml").read_text())
KUBERNETES = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "mksdask.yaml").read_text()))


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("slurm/standard.yaml", "slurm"),
        ("slurm/large-nodes.yaml", "slurm"),
        ("slurm/shared-queue.yaml", "slurm"),
        ("ssh/ssh.yaml", "ssh"),
        ("docker/pipelines/cluster.yaml", "address"),
        ("kubernetes/cluster.yaml", "address"),
    ],
)
def test_cluster_files_are_valid(file, kind):
    assert read_settings(DEPLOY / file).kind == kind


def test_every_file_is_tested():
    known = {"compose.yaml", "mksdask.yaml", "demo.yaml", "example.yaml", "pipeline.yaml"}
    files = {p for p in DEPLOY.rglob("*.yaml") if p.name not in known}
    assert len(files) == 6


@pytest.mark.parametrize(
    "file", ["demo.yaml", "docker/pipelines/example.yaml", "kubernetes/pipeline.yaml"]
)
def test_pipelines_are_valid(file):
    assert read_pipeline(DEPLOY / file).stages


@pytest.mark.parametrize("place", ["slurm", "ssh", "docker", "kubernetes"])
def test_every_place_has_a_page(place):
    page = (DEPLOY / place / "README.md").read_text()
    assert 8 <= len(page.splitlines()) <= 14
    for name in re.findall(r"`([\w./-]+\.(?:yaml|sbatch))`", page):
        user_own = {"pipeline.yaml", "slurm.yaml", "cluster.yaml"}
        assert name in user_own or list(DEPLOY.rglob(Path(name).name)), name


def test_containers_have_no_rights_and_no_open_ports():
    for service in COMPOSE["services"].values():
        assert service["cap_drop"] == ["ALL"]
        assert "ports" not in service
    for document in KUBERNETES:
        if document["kind"] in ("Deployment", "Job"):
            pod = document["spec"]["template"]["spec"]
            assert pod["securityContext"]["runAsNonRoot"]
            assert not pod["automountServiceAccountToken"]
            assert {v["name"] for v in pod["volumes"]} == {
                m["name"] for m in pod["containers"][0]["volumeMounts"]
            }


def test_running_a_pipeline_leaves_the_cluster_as_it_is():
    # `docker compose run` brings the services its own depends on back to one container each.
    assert "depends_on" not in COMPOSE["services"]["driver"]


def test_every_container_runs_as_the_user_of_the_folders():
    for service in COMPOSE["services"].values():
        assert service["user"].startswith("${MKSDASK_USER:?")
        (keys,) = [v for v in service["volumes"] if not isinstance(v, str)]
        # Made by the engine, the folder would belong to root, and nobody could put keys in.
        assert keys["bind"] == {"create_host_path": False}
        assert keys["read_only"]
    assert "MKSDASK_USER=$(id -u):$(id -g)" in (DEPLOY / "docker" / "README.md").read_text()


def test_kubernetes_selectors_meet_their_pods():
    labels = {}
    for document in KUBERNETES:
        if document["kind"] in ("Deployment", "Job"):
            labels[document["metadata"]["name"]] = document["spec"]["template"]["metadata"][
                "labels"
            ]
        if document["kind"] == "Deployment":
            name = document["metadata"]["name"]
            assert document["spec"]["selector"]["matchLabels"] == labels[name]
    (service,) = [d for d in KUBERNETES if d["kind"] == "Service"]
    assert [n for n, found in labels.items() if found == service["spec"]["selector"]] == [
        service["metadata"]["name"]
    ]
    assert labels["driver"]["role"] == "driver"


def commands(place):
    if place == "docker":
        found = {n: shlex.split(s.get("command", "")) for n, s in COMPOSE["services"].items()}
    else:
        found = {
            d["metadata"]["name"]: d["spec"]["template"]["spec"]["containers"][0]["args"]
            for d in KUBERNETES
            if d["kind"] in ("Deployment", "Job")
        }
    return found["scheduler"], found["worker"]


@pytest.mark.slow
@pytest.mark.parametrize("place", ["docker", "kubernetes"])
def test_scheduler_and_worker_start_as_written(place, tmp_path):
    keys = make_certificates(tmp_path / "keys")
    dask = str(Path(sys.executable).parent / "dask")
    port = "18786" if place == "docker" else "18787"

    def here(word):
        word = dask if word == "dask" else word.replace("/certificates", str(keys))
        word = word.replace("tls://scheduler:8786", f"tls://127.0.0.1:{port}")
        return {"scheduler": "127.0.0.1", "8786": port, "localhost:8787": "localhost:0"}.get(
            word, word
        )

    with ExitStack() as stack:
        for call in commands(place):
            call = [dask, call[1], *map(here, call[2:])]
            process = stack.enter_context(
                subprocess.Popen(call, cwd=tmp_path, stderr=subprocess.DEVNULL)
            )
            stack.callback(process.terminate)
        address = f"tls://127.0.0.1:{port}"
        with connect(address, tls=str(keys), timeout=90) as client:
            assert client.submit(sum, [1, 2]).result() == 3
