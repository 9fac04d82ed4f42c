"""The exceptions that callers may want to tell apart."""

from __future__ import annotations

import errno

# A network, a file server or a busy machine that may be back in a moment. A full disk, a read-only
# one and a missing file are not among them: trying again would give the same.
PASSING = {
    errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EPIPE,
    errno.ECONNRESET, errno.ECONNREFUSED, errno.ECONNABORTED, errno.ENETUNREACH, errno.EHOSTUNREACH,
    errno.EMFILE, errno.ENFILE,
}  # fmt: skip


class DataError(ValueError):
    """The call was right, the data is not (a bad file, a label out of range, a broken chunk).

    The command line exits with 1 for it and with 2 for any other ``ValueError``.
    """


class IncompleteEnsembleWarning(UserWarning):
    """An ensemble was opened while some of its samples were never written."""


class ExtrapolationWarning(UserWarning):
    """A property was predicted for samples unlike those that the model was fitted on."""


class RankDeficientWarning(UserWarning):
    """Samples leave some coefficients of a model open; they were chosen of minimum norm."""


def is_passing(error: BaseException) -> bool:
    """Whether the same call may work a moment later: the fault tells nothing about the data.

    >>> is_passing(OSError(errno.EIO, "")), is_passing(OSError(errno.ENOSPC, "")), is_passing(ValueError())
    (True, False, False)
    """
    if isinstance(error, TimeoutError | ConnectionError):
        return True
    return isinstance(error, OSError) and error.errno in PASSING


def missing_extra(package: str, extra: str, purpose: str) -> ImportError:
    """Return the one sentence said when an optional package is absent.

    >>> str(missing_extra("matplotlib", "plot", "drawing pictures"))
    "drawing pictures needs matplotlib: pip install 'mksdask[plot]'"
    """
    return ImportError(f"{purpose} needs {package}: pip install 'mksdask[{extra}]'")
