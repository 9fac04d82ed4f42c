"""Certificates that let a program into a cluster: whoever lacks the key is refused.

A cluster belongs to one person, so one key serves its scheduler, its workers and its clients; the
certificate is its own authority.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mksdask.errors import missing_extra

CERTIFICATE, KEY = "certificate.pem", "key.pem"
DAYS_OF_A_RUN = 60


@dataclass(frozen=True)
class Credentials:
    """Texts or paths of the authority, the certificate and the key."""

    authority: str
    certificate: str
    key: str

    def security(self) -> Any:
        """As distributed wants them."""
        from distributed.security import Security

        given: dict[str, Any] = {"tls_ca_file": self.authority}
        for role in ("client", "scheduler", "worker"):
            given[f"tls_{role}_cert"] = self.certificate
            given[f"tls_{role}_key"] = self.key
        return Security(require_encryption=True, **given)


def new_credentials(days: int = DAYS_OF_A_RUN) -> Credentials:
    """A new key and its certificate, as texts in memory."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID
    except ImportError:
        raise missing_extra("cryptography", "cluster", "making certificates") from None

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"mksdask-{secrets.token_hex(4)}")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # The clocks of the machines may differ a little.
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    text = certificate.public_bytes(serialization.Encoding.PEM).decode()
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    return Credentials(text, text, secret)


def make_certificates(folder: str | os.PathLike[str], *, days: int = 365) -> Path:
    """Make a key and a certificate in a new folder, readable by the user alone.

    For schedulers that outlive a run: start them with the files, and connect with
    ``tls="folder"``.

    >>> import tempfile
    >>> made = make_certificates(tempfile.mkdtemp() + "/certificates", days=30)
    >>> sorted(p.name for p in made.iterdir()), oct((made / "key.pem").stat().st_mode)[-3:]
    (['certificate.pem', 'key.pem'], '600')
    """
    if not isinstance(days, int) or isinstance(days, bool) or days < 1:
        raise ValueError(f"days is {days!r}; wanted a whole number of at least 1, such as 365")
    place = Path(folder).expanduser()
    if place.exists():
        raise FileExistsError(f"{place} exists: give a new folder, or remove it first")
    credentials = new_credentials(days)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.mkdir(mode=0o700)
    write_credentials(place, credentials)
    return place


def write_credentials(folder: Path, credentials: Credentials) -> Credentials:
    """Store them in files of mode 0600; returns their paths."""
    for name, text in ((CERTIFICATE, credentials.certificate), (KEY, credentials.key)):
        handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(text)
    return stored_credentials(folder)


def stored_credentials(folder: str | os.PathLike[str]) -> Credentials:
    """The paths in a folder of :func:`make_certificates`, once they are known to be safe."""
    place = Path(folder).expanduser().absolute()
    certificate, key = place / CERTIFICATE, place / KEY
    missing = [p.name for p in (certificate, key) if not p.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{place} has no {' and no '.join(missing)}: make them with `mksdask cluster certs {place}`"
        )
    check_private(key)
    return Credentials(str(certificate), str(certificate), str(key))


def given_credentials(tls: str | Mapping[str, str]) -> Credentials:
    """Those of a folder, or of three files named one by one."""
    if isinstance(tls, str):
        return stored_credentials(tls)
    missing = [path for path in tls.values() if not Path(path).is_file()]
    if missing:
        raise FileNotFoundError(f"tls names {', '.join(missing)}, which is no file here")
    check_private(Path(tls["key"]))
    return Credentials(**tls)


def check_private(key: Path) -> None:
    """Refuse a key that others can read: they could run programs as its owner.

    A key that belongs to root and is lent to a group of this process, as Kubernetes lends secrets,
    is private too.
    """
    if os.name != "posix":
        return
    found = key.stat()
    lent = found.st_uid == 0 != os.getuid() and found.st_gid in (os.getgid(), *os.getgroups())
    if found.st_mode & (0o037 if lent else 0o077):
        raise PermissionError(
            f"{key} can be read by others, who could run programs as you: chmod 600 {key}"
        )


@contextmanager
def shared_credentials(shared_directory: str | os.PathLike[str] | None) -> Iterator[Credentials]:
    """Credentials for one run, in files that go with it.

    They lie in a new folder of mode 0700 below ``shared_directory`` (``~/.mksdask`` by default),
    which the machines of a cluster share.
    """
    parent = Path(shared_directory or "~/.mksdask").expanduser()
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in parent.glob("run-*"):  # by a program that was killed; its certificate has expired
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > DAYS_OF_A_RUN * 86400:
                shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=parent))  # mode 0700
    try:
        yield write_credentials(folder, new_credentials())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
