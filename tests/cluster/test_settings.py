"""Every mistake in the description of a cluster is said before anything starts."""

import subprocess
import sys

import jsonschema
import pytest

from mksdask.cluster import read_settings
from mksdask.cluster.settings import KINDS, SETTINGS, settings_schema

SLURM = {"kind": "slurm", "n_workers": 4, "memory": "4 GiB"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("cloud", "spec is 'cloud'; wanted slurm, pbs"),
        (3, "spec is a int; wanted a kind"),
        ({"n_workers": 2}, "kind is None; wanted one of local"),
        ({"kind": "local", "queue": "long"}, "queue is not a setting of local"),
        ({"kind": "local", "n_worker": 2}, r"did you mean n_workers\?"),
        ({"kind": "local", "n_workers": 0}, "n_workers is 0; wanted a whole number"),
        ({"kind": "local", "n_workers": True}, "n_workers is True"),
        ({"kind": "local", "memory": "lots"}, "memory is 'lots'; wanted bytes of one worker"),
        ({"kind": "local", "memory": "1 kB"}, "at least 100 MiB"),
        ({"kind": "local", "dashboard": "everywhere"}, "dashboard is 'everywhere'; wanted true"),
        ({"kind": "local", "tls": 1}, "tls is 1; wanted true"),
        ({"kind": "local", "timeout": "soon"}, "timeout is 'soon'; wanted seconds"),
        ({"kind": "local", "n_workers": 1, "wait_for": 2}, "wait_for is 2; there will be 1"),
        ({"kind": "slurm"}, "n_workers is missing; memory is missing"),
        (SLURM | {"walltime": "long"}, "walltime is 'long'; wanted hours"),
        (SLURM | {"queue": "a\n#SBATCH --uid=root"}, "queue is .*; wanted one word"),
        (SLURM | {"directives": ["-t 1\nrm -rf /"]}, "directives is .*; wanted a text of one line"),
        (SLURM | {"directives": "--x"}, "directives is '--x'; wanted a list"),
        (SLURM | {"workers_per_job": 3}, "n_workers is 4; wanted a multiple of workers_per_job, 3"),
        ({"kind": "ssh"}, "hosts is missing"),
        ({"kind": "ssh", "hosts": ["a; rm -rf /"]}, "hosts is .*; wanted one word"),
        ({"kind": "ssh", "hosts": ["a", "b"], "n_workers": 3}, "multiple of 2 hosts"),
        ("tls://host:8786", "tls is missing: say which certificates"),
        ("tcp://host:8786", "not encrypted and lets anybody in"),
        ("http://host", "address is 'http://host'; wanted tls://HOST:PORT"),
        ("none.yaml", "none.yaml does not exist"),
    ],
)
def test_mistakes(spec, message):
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=message):
        read_settings(spec)


def test_all_mistakes_are_said_at_once():
    with pytest.raises(ValueError, match=r"memory is .*; colour is not .*; n_workers is missing"):
        read_settings({"kind": "pbs", "memory": "big", "colour": "red"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: local\nkind: slurm", "'kind' is given twice"),
        ("kind: [", "not valid YAML"),
        ("local", "holds no settings"),
        ("kind: local\nmemory: huge", r"c\.yaml: memory is 'huge'"),
    ],
)
def test_mistakes_in_files(tmp_path, text, message):
    file = tmp_path / "c.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_settings(file)


def test_a_file_and_what_is_added_to_it(tmp_path):
    file = tmp_path / "slurm.yaml"
    file.write_text("kind: slurm\nn_workers: 4\nmemory: 8 GiB\nwalltime: 1:30:00\n")
    settings = read_settings(file, n_workers=6)
    assert settings.kind == "slurm"
    assert settings.values == {"n_workers": 6, "memory": 8 << 30, "walltime": "01:30:00"}
    assert read_settings("tcp://127.0.0.1:8786").values == {"address": "tcp://127.0.0.1:8786"}
    assert read_settings("tcp://inside:8786", tls=False).kind == "address"


def test_schema_knows_what_the_checks_know():
    schema = settings_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(schema["properties"]) == {"kind", *SETTINGS}
    valid = jsonschema.Draft202012Validator(schema).is_valid
    assert valid(SLURM)
    assert not valid(SLURM | {"n_worker": 3})
    assert not valid({"n_workers": 1})
    for setting in SETTINGS.values():
        assert setting.kinds <= set(KINDS)


def test_importing_does_not_import_distributed():
    code = "import sys, mksdask, mksdask.cluster; sys.exit('distributed' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
