"""Bars where a person looks, silence elsewhere, the same results."""

import contextlib
import io
import sys

import dask
import dask.array as da
import pytest

from mksdask import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def terminal():
    return contextlib.redirect_stderr(Terminal())


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    monkeypatch.delenv("MKSDASK_PROGRESS", raising=False)


@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
def test_a_bar_on_a_terminal(scheduler):
    with terminal() as screen, dask.config.set(scheduler=scheduler):
        (total,) = progress.compute(da.ones(100, chunks=10).sum(), label="adding")
    assert total == 100
    assert "adding" in screen.getvalue()
    assert "100%" in screen.getvalue()


def test_silence_in_logs(capsys):
    (total,) = progress.compute(da.ones(10, chunks=2).sum(), label="adding")
    assert total == 10
    assert capsys.readouterr() == ("", "")


def test_silence_when_asked(monkeypatch):
    with terminal() as screen:
        progress.compute(da.ones(10).sum(), label="adding", progress=False)
        monkeypatch.setenv("MKSDASK_PROGRESS", "0")
        progress.compute(da.ones(10).sum(), label="adding")
        list(progress.watched(range(3), "files"))
    assert screen.getvalue() == ""


def test_watched_items():
    with terminal() as screen:
        assert list(progress.watched(range(3), "files")) == [0, 1, 2]
    assert "3/3" in screen.getvalue()


def test_an_error_passes_and_the_bar_is_closed():
    def fail(block):
        raise RuntimeError("on purpose")

    with terminal() as screen, pytest.raises(RuntimeError, match="on purpose"):
        progress.compute(da.ones(4, chunks=1).map_blocks(fail, dtype=float), label="failing")
    assert screen.getvalue().endswith("\n")


def test_on_a_cluster(capsys):
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    )
    with cluster, distributed.Client(cluster):
        with terminal() as screen:
            quiet = progress.compute(da.ones(10, chunks=2).sum(), label="adding", progress=False)
        assert screen.getvalue() == ""
        with terminal() as screen:
            watched = progress.compute(da.ones(10, chunks=2).sum(), label="adding")
    assert quiet == watched == (10,)
    assert "adding" in screen.getvalue()
    assert "Completed" in capsys.readouterr().out


def test_in_a_notebook(monkeypatch):
    class ZMQInteractiveShell:
        pass

    class IPython:
        get_ipython = staticmethod(ZMQInteractiveShell)

    monkeypatch.setitem(sys.modules, "IPython", IPython)
    monkeypatch.setattr(progress.importlib.util, "find_spec", lambda name: None)  # no widgets
    assert progress.wants_progress()
    with contextlib.redirect_stderr(io.StringIO()) as output:
        progress.compute(da.ones(10, chunks=2).sum(), label="adding")
    assert "adding" in output.getvalue()
