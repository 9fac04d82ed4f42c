"""Where a store lies: a local folder or an fsspec URL, with atomic small files and a writer lock."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import fsspec
import zarr
from zarr.storage import FsspecStore, LocalStore

from mksdask.errors import DataError

try:  # Windows has no flock; there the lock is a file that a killed writer leaves behind.
    import fcntl
except ImportError:  # pragma: no cover
    fcntl = None  # type: ignore[assignment]

LOCK = ".writer-lock"
# A replacement is written beside the ensemble and takes its place when it is complete.
INCOMING = ".incoming"
OUTGOING = ".outgoing"
# Zarr's local store writes through a file of this ending and renames it: what is left of it was
# never part of the data.
PARTIAL = ".partial"
# Seconds that a writer waits for a lock: who looks whether somebody writes holds it for a moment.
PATIENCE = 0.2
# Threads of this process ask for locks one after the other.
_ASKING = threading.Lock()


class Location:
    """A place for one store, given as path or URL.

    >>> here = Location("memory://somewhere.zarr")
    >>> here.exists(), here
    (False, Location('memory://somewhere.zarr'))
    """

    def __init__(
        self, store: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None
    ):
        if not isinstance(store, str | os.PathLike):
            raise TypeError(
                f"store is a {type(store).__name__}; wanted a path or an fsspec URL as text"
            )
        text = os.fspath(store).rstrip("/") if os.fspath(store) != "/" else "/"
        if not text:
            raise ValueError("store is empty; wanted a path or an fsspec URL")
        self.options = dict(storage_options or {})
        bare = text.removeprefix("file://").removeprefix("local://")
        self.local = "://" not in bare
        self.url = os.path.abspath(os.path.expanduser(bare)) if self.local else text
        self.fs, self.path = fsspec.core.url_to_fs(self.url, **self.options)

    def __repr__(self) -> str:
        return f"Location({self.url!r})"

    def __dask_tokenize__(self) -> Any:
        return ("mksdask-location", self.url, sorted(self.options.items()))

    def zarr_store(self, *, read_only: bool) -> Any:
        """The Zarr store object for this place."""
        if self.local:
            return LocalStore(self.url, read_only=read_only)
        return FsspecStore.from_url(self.url, storage_options=self.options, read_only=read_only)

    def array(self, name: str, *, read_only: bool = True) -> zarr.Array[Any]:
        """One stored array, opened by its own metadata."""
        if read_only:
            return zarr.open_array(self.zarr_store(read_only=True), path=name, mode="r")
        array = zarr.open_array(self.zarr_store(read_only=False), path=name, mode="r+")
        # A block of nothing but fill values must exist too: what does not exist is not written yet.
        return array.with_config({"write_empty_chunks": True})

    def exists(self) -> bool:
        """Whether anything is stored here (an empty folder is nothing)."""
        self.fs.invalidate_cache()
        if not self.holds():
            return False
        return not self.fs.isdir(self.path) or any(
            not str(key).endswith(PARTIAL) for key in self.fs.ls(self.path, detail=False)
        )

    def holds(self, key: str = "") -> bool:
        """Whether there is something at ``key``; what cannot be told is an error.

        fsspec's ``exists`` takes any error for absence, and then what is absent is written anew.
        """
        path = f"{self.path}/{key}" if key else self.path
        try:
            os.stat(path) if self.local else self.fs.info(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def has_incoming(self) -> bool:
        """Whether a replacement lies beside; who may not look there may still read what is here."""
        try:
            return self.sibling(INCOMING).exists()
        except PermissionError:
            return False

    def read_json(self, key: str) -> dict[str, Any] | None:
        """Content of the small JSON file ``key``, or None where there is none."""
        try:
            raw = self.fs.cat_file(f"{self.path}/{key}")
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            return json.loads(raw)
        except ValueError as error:
            raise DataError(f"{self.url}/{key} is not readable JSON: {error}") from None

    def write_json(self, key: str, content: Mapping[str, Any]) -> None:
        """Replace ``key`` as one step: a reader sees the old content or the new one."""
        raw = json.dumps(content, indent=1, allow_nan=True).encode()
        if not self.local:
            self.fs.pipe_file(f"{self.path}/{key}", raw)
            return
        target = Path(self.path) / key
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f"{target.name}.{uuid.uuid4().hex}{PARTIAL}")
        try:
            with temporary.open("wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)

    def keys(self, prefix: str) -> set[str]:
        """Every stored key below ``prefix``, relative to this place."""
        start, root = f"{self.path}/{prefix}", self.path.rstrip("/") + "/"
        found: Iterable[str]
        if self.local:  # fsspec would leave out the folders that it fails to list
            found = _files_below(start)
        else:
            self.fs.invalidate_cache()
            try:
                found = self.fs.find(start)
            except FileNotFoundError:
                return set()
        return {str(key)[len(root) :] for key in found if not str(key).endswith(PARTIAL)}

    def sweep(self) -> None:
        """Remove the temporary files that a killed writer left."""
        if self.local:
            for leftover in Path(self.path).rglob(f"*{PARTIAL}"):
                leftover.unlink(missing_ok=True)

    def sibling(self, suffix: str) -> Location:
        """The place beside this one with ``suffix`` appended to the name."""
        return Location(self.url + suffix, self.options)

    def move_to(self, other: Location) -> None:
        """Move all that is stored here."""
        if self.local:
            os.rename(self.path, other.path)
        else:
            self.fs.mv(self.path, other.path, recursive=True)
            self.fs.invalidate_cache()

    def delete(self) -> None:
        """Delete all that is stored here."""
        while self.holds():
            with suppress(FileNotFoundError):  # somebody else deletes it too
                self.fs.rm(self.path, recursive=True)

    def replace_by_incoming(self) -> None:
        """Let the complete replacement take this place; the old ensemble goes last."""
        incoming, outgoing = self.sibling(INCOMING), self.sibling(OUTGOING)
        if self.exists():
            outgoing.delete()
            self.move_to(outgoing)
        incoming.move_to(self)
        outgoing.delete()

    def writer(self) -> str | None:
        """Who is writing here now, if anybody."""
        if not self.local or fcntl is None:
            self.fs.invalidate_cache()
            try:
                return self.fs.cat_file(self.path + LOCK).decode(errors="replace")
            except FileNotFoundError:
                return None
        try:
            handle = os.open(self.path + LOCK, os.O_RDWR)
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.read(handle, 200).decode(errors="replace") or "another process"
        else:
            return None
        finally:
            os.close(handle)

    @contextmanager
    def lock(self, *, break_lock: bool = False) -> Iterator[None]:
        """Be the only writer; a second one is refused at once.

        The lock lies beside the store. On a POSIX file system it dies with its process. Elsewhere
        it is an object that a killed writer leaves behind, which ``break_lock`` removes.
        """
        if self.local and fcntl is not None:
            with self._flock():
                yield
            return
        lock = self.sibling(LOCK)
        key = lock.path
        mine = _signature().encode()
        self.fs.invalidate_cache()
        with _ASKING:  # fsspec's own memory looks first and creates then
            if lock.holds() and not break_lock:
                raise self._busy(self.writer() or "another process")
            try:
                self.fs.pipe_file(key, mine, mode="overwrite" if break_lock else "create")
            except FileExistsError:
                raise self._busy(self.writer() or "another process") from None
        # Where the file system cannot create exclusively, the last of two writers wins: look again.
        if self.fs.cat_file(key) != mine:
            raise self._busy(self.writer() or "another process")
        try:
            yield
        finally:
            if lock.holds() and self.fs.cat_file(key) == mine:
                self.fs.rm_file(key)

    @contextmanager
    def _flock(self) -> Iterator[None]:
        file = Path(self.path + LOCK)
        file.parent.mkdir(parents=True, exist_ok=True)
        patience = time.monotonic() + PATIENCE
        while True:
            handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Its last holder may have removed the file between our opening and locking it.
                if os.fstat(handle).st_nlink:
                    break
            except BlockingIOError:
                holder = os.read(handle, 200).decode(errors="replace") or "another process"
                os.close(handle)
                if time.monotonic() > patience:
                    raise self._busy(holder) from None
                time.sleep(PATIENCE / 20)
                continue
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)
        try:
            os.ftruncate(handle, 0)
            os.write(handle, _signature().encode())
            yield
        finally:
            file.unlink(missing_ok=True)
            os.close(handle)

    def _busy(self, holder: str) -> DataError:
        remedy = "wait for it to finish"
        if not self.local or fcntl is None:
            remedy = "wait for it, or if it was killed, call resume_ensemble(..., break_lock=True)"
        return DataError(f"{self.url} is being written by {holder}: {remedy}")


def _files_below(folder: str) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir():
            yield from _files_below(entry.path)
        else:
            yield entry.path


def _signature() -> str:
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    return f"process {os.getpid()} on {socket.gethostname()} since {now} ({uuid.uuid4().hex[:8]})"
