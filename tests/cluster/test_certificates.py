"""Keys are private, go with the run, and are needed."""

import os
import ssl
import stat
import time

import pytest

from mksdask.cluster import make_certificates
from mksdask.cluster.certificates import (
    new_credentials,
    shared_credentials,
    stored_credentials,
    write_credentials,
)


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_files_of_a_run_are_private_and_removed(tmp_path):
    old = os.umask(0)
    try:
        with shared_credentials(tmp_path / "shared") as held:
            assert mode(held.key) == mode(held.certificate) == 0o600
            assert mode(os.path.dirname(held.key)) == 0o700
            assert mode(tmp_path / "shared") == 0o700
            held.security().get_listen_args("scheduler")
    finally:
        os.umask(old)
    assert list((tmp_path / "shared").iterdir()) == []


def test_files_are_removed_when_the_run_fails(tmp_path):
    with pytest.raises(RuntimeError), shared_credentials(tmp_path):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_long_lived_certificates(tmp_path):
    folder = make_certificates(tmp_path / "keys", days=2)
    held = stored_credentials(folder)
    left = ssl.cert_time_to_seconds(
        ssl._ssl._test_decode_cert(held.certificate)["notAfter"]
    ) - ssl.cert_time_to_seconds(ssl._ssl._test_decode_cert(held.certificate)["notBefore"])
    assert left == 2 * 86400 + 3600
    with pytest.raises(FileExistsError, match="give a new folder"):
        make_certificates(folder)
    with pytest.raises(ValueError, match="days is 0"):
        make_certificates(tmp_path / "more", days=0)
    os.chmod(folder / "key.pem", 0o640)
    with pytest.raises(PermissionError, match="chmod 600"):
        stored_credentials(folder)
    (folder / "key.pem").unlink()
    with pytest.raises(FileNotFoundError, match=r"no key\.pem.*mksdask cluster certs"):
        stored_credentials(folder)


def test_every_run_has_another_key(tmp_path):
    assert new_credentials().key != new_credentials().key
    write_credentials(tmp_path, new_credentials())
    with pytest.raises(FileExistsError):
        write_credentials(tmp_path, new_credentials())


def test_a_key_lent_by_root_to_the_group_is_private(tmp_path, monkeypatch):
    from mksdask.cluster import certificates

    key = make_certificates(tmp_path / "keys") / "key.pem"

    class Stat:
        st_uid, st_gid, st_mode = 0, os.getgid(), 0o100440

    monkeypatch.setattr(certificates.os, "getuid", lambda: 1000)
    monkeypatch.setattr(type(key), "stat", lambda self, **_: Stat)
    certificates.check_private(key)
    Stat.st_mode = 0o100444
    with pytest.raises(PermissionError):
        certificates.check_private(key)
    Stat.st_mode, Stat.st_gid = 0o100440, -1
    with pytest.raises(PermissionError):
        certificates.check_private(key)


def test_what_a_killed_run_left_goes_when_it_is_of_no_use(tmp_path):
    for name, age in (("run-old", 61), ("run-young", 59), ("mine", 90)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key.pem").write_text("x")
        then = time.time() - age * 86400
        os.utime(tmp_path / name, (then, then))
    with shared_credentials(tmp_path):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine", "run-young"]
