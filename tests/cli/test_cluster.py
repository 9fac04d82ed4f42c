"""The command for certificates."""

from mksdask.cli import main


def test_certs(tmp_path, capsys):
    folder = tmp_path / "keys"
    assert main(["cluster", "certs", str(folder), "--days", "3"]) == 0
    said = capsys.readouterr().out
    assert "valid for 3 days" in said
    assert f"--tls-key {folder}/key.pem" in said
    assert (folder / "key.pem").stat().st_mode & 0o077 == 0
    assert main(["cluster", "certs", str(folder)]) == 2
    assert "exists: give a new folder" in capsys.readouterr().err
    assert main(["cluster", "certs", str(tmp_path / "x"), "--days", "0"]) == 2
    assert "days is 0" in capsys.readouterr().err
