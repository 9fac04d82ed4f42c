"""The settings of a cluster: one table, from which they are checked and documented."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask.utils

from mksdask.errors import missing_extra

BATCH = ("slurm", "pbs", "lsf", "sge")
KINDS = ("local", *BATCH, "ssh", "address")
ALL = frozenset(KINDS)
STARTED = ALL - {"address"}
Check = Callable[[Any], Any]


@dataclass(frozen=True)
class Setting:
    """One setting: the kinds of clusters that have it, how a value is checked, what it means."""

    kinds: frozenset[str]
    check: Check
    schema: Mapping[str, Any]
    meaning: str


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("a whole number of at least 1, such as 4")
    return value


def _seconds(value: Any) -> float:
    wanted = "seconds as a number, or a text such as '10 minutes'"
    if isinstance(value, str):
        try:
            value = dask.utils.parse_timedelta(value)
        except (ValueError, KeyError):
            raise ValueError(wanted) from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ValueError(wanted)
    return float(value)


def _bytes(value: Any) -> int:
    wanted = "bytes of one worker, at least 100 MiB, such as '4 GiB'"
    try:
        found = int(dask.utils.parse_bytes(value))
    except (ValueError, TypeError, AttributeError):
        raise ValueError(wanted) from None
    if isinstance(value, bool) or found < 100 << 20:
        raise ValueError(wanted)
    return found


def _line(value: Any) -> str:
    """Text that goes into a job script must not begin another line of it."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError("a text of one line")
    return value.strip()


def _word(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[\w.,:@+%/-]+", value):
        raise ValueError("one word, without blanks or quotes")
    return value


def _lines(value: Any) -> list[str]:
    if not isinstance(value, list | tuple):
        raise ValueError("a list of texts of one line each")
    return [_line(v) for v in value]


def _words(value: Any) -> list[str]:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError("a list of names, such as [node1, node2]")
    return [_word(v) for v in value]


def _walltime(value: Any) -> str:
    # YAML reads 1:30:00 as a number of seconds (in base 60), and so do we.
    if isinstance(value, int) and not isinstance(value, bool) and value >= 60:
        return f"{value // 3600:02d}:{value // 60 % 60:02d}:{value % 60:02d}"
    if isinstance(value, str) and re.fullmatch(r"(\d+-)?\d+(:\d\d){1,2}", value):
        return value
    raise ValueError("hours, minutes and seconds as a text, such as '04:00:00'")


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _dashboard(value: Any) -> bool | str:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"[\w.-]*:\d+", value):
        return value
    raise ValueError(
        "true (on localhost), false, or an address to listen on, such as '0.0.0.0:8787'"
    )


def _tls(value: Any) -> bool | str | dict[str, str]:
    names = {"authority", "certificate", "key"}
    if isinstance(value, bool):
        return value
    if isinstance(value, str | os.PathLike) and os.fspath(value):
        return os.fspath(value)
    if isinstance(value, Mapping) and set(value) == names:
        return {k: str(Path(_line(v)).expanduser().absolute()) for k, v in value.items()}
    raise ValueError(
        "true (certificates made for the run), false, a folder made by `mksdask cluster certs`, or "
        "a mapping with the files authority, certificate and key"
    )


_TEXT, _WHOLE = {"type": "string"}, {"type": "integer", "minimum": 1}
_TEXTS = {"type": "array", "items": _TEXT}
_NUMBER_OR_TEXT = {"type": ["number", "string"]}
_ONLY_BATCH, _ONLY_SSH = frozenset(BATCH), frozenset({"ssh"})

SETTINGS: dict[str, Setting] = {
    "n_workers": Setting(
        STARTED, _whole, _WHOLE,
        "worker processes; local: one a core with 2 GiB each; ssh: one a host; batch: needed",
    ),
    "threads_per_worker": Setting(
        STARTED, _whole, _WHOLE, "threads of a worker; local: the cores there are; else 1"
    ),
    "memory": Setting(
        STARTED, _bytes, _NUMBER_OR_TEXT,
        "memory of one worker, such as '4 GiB'; local: a share of the machine; batch: needed",
    ),
    "scratch": Setting(
        STARTED, _line, _TEXT, "folder on each machine for what does not fit into memory"
    ),
    "dashboard": Setting(
        STARTED, _dashboard, {"type": ["boolean", "string"]},
        "true: on localhost (default); false: none; or an address to listen on",
    ),
    "tls": Setting(
        ALL, _tls, {"type": ["boolean", "string", "object"]},
        "true: certificates made for the run (default); a folder of `mksdask cluster certs`; a "
        "mapping of the files authority, certificate, key; false: no protection",
    ),
    "timeout": Setting(
        ALL, _seconds, _NUMBER_OR_TEXT,
        "how long to wait for the workers; default 60 s, for batch systems without end",
    ),
    "wait_for": Setting(
        ALL, _whole, _WHOLE, "workers to wait for before work begins; default 1, local: all"
    ),
    "queue": Setting(_ONLY_BATCH, _word, _TEXT, "queue or partition"),
    "account": Setting(_ONLY_BATCH, _word, _TEXT, "account or project to charge"),
    "walltime": Setting(
        _ONLY_BATCH, _walltime, _NUMBER_OR_TEXT,
        "time limit of a worker job, such as '04:00:00'; default 30 minutes",
    ),
    "workers_per_job": Setting(_ONLY_BATCH, _whole, _WHOLE, "workers in one job; default 1"),
    "replacements": Setting(
        _ONLY_BATCH, _whole, _WHOLE,
        "how often lost jobs are submitted again, together; default three times as many as jobs",
    ),
    "interface": Setting(
        _ONLY_BATCH | _ONLY_SSH, _word, _TEXT, "network interface of the nodes, such as ib0"
    ),
    "directives": Setting(
        _ONLY_BATCH, _lines, _TEXTS, "more options of the job, such as '--constraint=rome'"
    ),
    "prologue": Setting(
        _ONLY_BATCH, _lines, _TEXTS, "lines of the job script before the worker, such as module load"
    ),
    "log_directory": Setting(
        _ONLY_BATCH, _line, _TEXT, "folder for the output of the jobs; default mksdask-logs"
    ),
    "shared_directory": Setting(
        _ONLY_BATCH, _line, _TEXT,
        "folder seen by all nodes, for the certificates of the run; default ~/.mksdask",
    ),
    "python": Setting(
        _ONLY_BATCH | _ONLY_SSH, _line, _TEXT, "Python on the nodes; default: the one in use here"
    ),
    "hosts": Setting(_ONLY_SSH, _words, _TEXTS, "machines that work; the scheduler is on the first"),
    "username": Setting(_ONLY_SSH, _word, _TEXT, "login name on the hosts"),
    "port": Setting(_ONLY_SSH, _whole, _WHOLE, "SSH port"),
    "identity": Setting(_ONLY_SSH, _line, _TEXT, "file of the private SSH key; default: as ssh does"),
    "known_hosts": Setting(
        _ONLY_SSH, _line, _TEXT, "file of known host keys; default: as ssh does"
    ),
    "address": Setting(
        frozenset({"address"}), _line, _TEXT, "of a running scheduler, tls://HOST:PORT"
    ),
}  # fmt: skip

NEEDED = {
    **dict.fromkeys(BATCH, ("n_workers", "memory")),
    "ssh": ("hosts",),
    "address": ("address",),
}


@dataclass(frozen=True)
class ClusterSettings:
    """Checked settings: the kind of cluster, and the values that were given."""

    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def get(self, name: str, default: Any = None) -> Any:
        """The value that was given, else ``default``."""
        return self.values.get(name, default)


def read_settings(
    spec: str | os.PathLike[str] | Mapping[str, Any] | ClusterSettings = "local", **settings: Any
) -> ClusterSettings:
    """Check the description of a cluster; all mistakes are said at once and nothing is started.

    Parameters
    ----------
    spec
        A kind (``"local"``, ``"slurm"``, ``"pbs"``, ``"lsf"``, ``"sge"``, ``"ssh"``), the address
        of a scheduler (``"tls://host:8786"``), a YAML file, or a mapping with ``kind`` and the
        settings.
    settings
        Settings added to, or replacing, those of ``spec``.

    Examples
    --------
    >>> read_settings("slurm", n_workers=4, memory="8 GiB", queue="short").get("memory")
    8589934592
    >>> read_settings("local", n_worker=4)
    Traceback (most recent call last):
    ...
    ValueError: settings of the cluster: n_worker is not a setting of local (did you mean n_workers?)
    """
    if isinstance(spec, ClusterSettings):
        return read_settings({"kind": spec.kind, **spec.values}, **settings) if settings else spec
    given, source = _given(spec)
    given = {**given, **settings}
    kind = given.pop("kind", None)
    if kind is None and "address" in given:
        kind = "address"
    if kind not in KINDS:
        raise ValueError(f"{source}: kind is {kind!r}; wanted one of {', '.join(KINDS)}")
    faults: list[str] = []
    values: dict[str, Any] = {}
    for name, value in given.items():
        setting = SETTINGS.get(str(name))
        if setting is None or kind not in setting.kinds:
            faults.append(f"{name} is not a setting of {kind}{_hint(str(name), kind)}")
        elif value is not None:
            try:
                values[str(name)] = setting.check(value)
            except ValueError as wanted:
                faults.append(f"{name} is {value!r}; wanted {wanted}")
    faults += [f"{name} is missing" for name in NEEDED.get(kind, ()) if name not in given]
    if not faults:
        faults = list(_contradictions(kind, values))
    if faults:
        raise ValueError(f"{source}: {'; '.join(faults)}")
    return ClusterSettings(kind, values)


def _given(spec: Any) -> tuple[dict[str, Any], str]:
    """The settings as a dictionary, and how to call them in a message."""
    if isinstance(spec, Mapping):
        return dict(spec), "settings of the cluster"
    if not isinstance(spec, str | os.PathLike):
        raise TypeError(
            f"spec is a {type(spec).__name__}; wanted a kind such as 'local', an address, a YAML "
            "file, or a mapping"
        )
    text = os.fspath(spec)
    if "://" in text:
        return {"kind": "address", "address": text}, "settings of the cluster"
    if text in KINDS:
        return {"kind": text}, "settings of the cluster"
    if not text.endswith((".yaml", ".yml")):
        raise ValueError(
            f"spec is {text!r}; wanted {', '.join(BATCH)}, local, ssh, an address such as "
            "tls://host:8786, or a YAML file"
        )
    document = read_yaml(text)
    if not isinstance(document, Mapping):
        raise ValueError(f"{text} holds no settings; wanted lines such as `kind: slurm`")
    return {str(k): v for k, v in document.items()}, text


def read_yaml(path: str | os.PathLike[str]) -> Any:
    """The content of a YAML file, or one sentence about why it cannot be had."""
    try:
        import yaml
    except ImportError:
        raise missing_extra("pyyaml", "cluster", "reading YAML files") from None

    try:
        text = Path(path).read_text()
    except FileNotFoundError:
        raise FileNotFoundError(f"{os.fspath(path)} does not exist") from None
    except UnicodeDecodeError:
        raise ValueError(f"{os.fspath(path)} is not a text file") from None
    try:
        return yaml.load(text, Loader=_unique_keys())
    except yaml.YAMLError as error:
        raise ValueError(f"{os.fspath(path)} is not valid YAML: {error}") from None


def _unique_keys() -> Any:
    """YAML takes the last of two equal keys; here the second one is a mistake."""
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key_node, _ in node.value:
                if key_node.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key_node.value!r} is given twice", key_node.start_mark
                    )
                seen.add(key_node.value)
            return super().construct_mapping(node, deep=deep)

    return Loader


def _hint(name: str, kind: str) -> str:
    known = [n for n, s in SETTINGS.items() if kind in s.kinds]
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else f" (it has {', '.join(known)})"


def _contradictions(kind: str, values: Mapping[str, Any]) -> list[str]:
    faults = []
    if kind == "address":
        address, tls = values["address"], values.get("tls")
        match = re.fullmatch(r"(tcp|tls)://(\[[0-9a-fA-F:]+\]|[\w.-]+):\d+", address)
        if not match:
            faults.append(f"address is {address!r}; wanted tls://HOST:PORT, or tcp://HOST:PORT")
        elif match[1] == "tls" and not isinstance(tls, str | dict):
            faults.append(
                "tls is missing: say which certificates the scheduler has, a folder of `mksdask "
                "cluster certs` or the files authority, certificate and key"
            )
        elif match[1] == "tcp" and tls not in (None, False):
            faults.append(f"tls is given, and {address} is without it: write tls:// there")
        elif (
            match[1] == "tcp"
            and tls is None
            and match[2] not in ("localhost", "127.0.0.1", "[::1]")
        ):
            faults.append(
                f"{address} is not encrypted and lets anybody in: use tls://, or say tls=false where "
                "the network itself is closed"
            )
    if kind in BATCH:
        n, each = values["n_workers"], values.get("workers_per_job", 1)
        if n % each:
            faults.append(f"n_workers is {n}; wanted a multiple of workers_per_job, {each}")
    count = values.get("n_workers")
    if kind == "ssh":
        count = count or len(values["hosts"])
        if count % len(values["hosts"]):
            faults.append(
                f"n_workers is {count}; wanted a multiple of {len(values['hosts'])} hosts"
            )
    wanted = values.get("wait_for")
    if wanted is not None and count is not None and wanted > count:
        faults.append(f"wait_for is {wanted}; there will be {count} workers only")
    return faults


def settings_schema() -> dict[str, Any]:
    """JSON Schema of a cluster file."""
    properties: dict[str, Any] = {"kind": {"enum": list(KINDS), "description": "where workers run"}}
    for name, setting in SETTINGS.items():
        kinds = (
            ""
            if setting.kinds == ALL
            else f" [{', '.join(k for k in KINDS if k in setting.kinds)}]"
        )
        properties[name] = {**setting.schema, "description": setting.meaning + kinds}
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "anyOf": [{"required": ["kind"]}, {"required": ["address"]}],
    }
