"""Values of options as text: each reader says what it found, what it wanted and how it looks."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any


def whole(text: str) -> int:
    """A whole number.

    >>> whole("64")
    64
    """
    return int(_read(int, text, text, "a whole number, such as 64"))


def number(text: str) -> float:
    """A number.

    >>> number("1e-6")
    1e-06
    """
    return float(_read(float, text, text, "a number, such as 0.5"))


def wholes(text: str) -> list[int]:
    """Whole numbers between commas.

    >>> wholes("51,51")
    [51, 51]
    """
    wanted = "whole numbers with commas between, such as 51,51"
    return [_read(int, part, text, wanted) for part in text.split(",")]


def floats(text: str) -> list[float]:
    """Numbers between commas.

    >>> floats("0.5,0.5")
    [0.5, 0.5]
    """
    wanted = "numbers with commas between, such as 0.5,0.5"
    return [_read(float, part, text, wanted) for part in text.split(",")]


def number_or_floats(text: str) -> float | list[float]:
    """One number, or a list where there are commas.

    >>> number_or_floats("5"), number_or_floats("15,2")
    (5.0, [15.0, 2.0])
    """
    found = floats(text)
    return found if "," in text else found[0]


def texts(text: str) -> list[str]:
    """Words between commas.

    >>> texts("ferrite, pearlite")
    ['ferrite', 'pearlite']
    """
    found = [part.strip() for part in text.split(",")]
    if not all(found):
        raise _unlike(text, "words with commas between, such as ferrite,pearlite")
    return found


def load(text: str) -> float | list[float] | dict[str, float]:
    """A macroscopic load: one number, all components, or some by name.

    >>> load("0.01"), load("xx=0.01,xy=0")
    (0.01, {'xx': 0.01, 'xy': 0.0})
    """
    wanted = "one number, all components, or some by name, such as xx=0.01,xy=0.002"
    if "=" not in text:
        found = [_read(float, part, text, wanted) for part in text.split(",")]
        return found[0] if len(found) == 1 else found
    named: dict[str, float] = {}
    for item in text.split(","):
        name, _, value = item.partition("=")
        if name.strip() in named:
            raise _unlike(text, f"each component once ({name.strip()} comes twice)")
        named[name.strip()] = float(_read(float, value, text, wanted))
    return named


def remap(text: str) -> dict[int, int]:
    """Old and new labels.

    >>> remap("0:0,255:1")
    {0: 0, 255: 1}
    """
    wanted = "pairs OLD:NEW of whole numbers with commas between, such as 0:0,255:1"
    changes: dict[int, int] = {}
    for pair in text.split(","):
        old, _, new = pair.partition(":")
        label = int(_read(int, old, text, wanted))
        if label in changes:
            raise _unlike(text, f"each old label once ({label} comes twice), such as 0:0,255:1")
        changes[label] = int(_read(int, new, text, wanted))
    return changes


def threshold(text: str) -> Any:
    """A method, or the values between the labels.

    >>> threshold("otsu"), threshold("80,160")
    ('otsu', [80.0, 160.0])
    """
    if text == "otsu":
        return text
    wanted = "otsu, or one or more gray values with commas between, such as 128 or 80,160"
    return [_read(float, part, text, wanted) for part in text.split(",")]


def crop(text: str) -> tuple[str, tuple[int | None, int | None]]:
    """The voxels to keep along an axis.

    >>> crop("x=10:90"), crop("z=5:")
    (('x', (10, 90)), ('z', (5, None)))
    """
    wanted = "AXIS=START:STOP, such as x=10:90 or z=5:"
    axis, _, span = text.partition("=")
    start, colon, stop = span.partition(":")
    if not axis or not colon:
        raise _unlike(text, wanted)
    first, last = (_read(int, end, text, wanted) if end else None for end in (start, stop))
    return axis.strip(), (first, last)


def grain_class(text: str) -> dict[str, Any]:
    """Samples and grain size of a class.

    >>> grain_class("200:15,2")
    {'n_samples': 200, 'grain_size': [15.0, 2.0]}
    """
    count, colon, sizes = text.partition(":")
    wanted = "a number of samples and a grain size, such as 200:15,2"
    if not colon or not count.isdecimal():
        raise _unlike(text, wanted)
    found = [_read(float, part, text, wanted) for part in sizes.split(",")]
    return {"n_samples": int(count), "grain_size": found if "," in sizes else found[0]}


def axes(text: str) -> list[str]:
    """Names of axes, or none.

    >>> axes("x,y"), axes("none")
    (['x', 'y'], [])
    """
    return [] if text == "none" else texts(text)


def fiber_length(text: str) -> str | float:
    """A length in voxels, or "through".

    >>> fiber_length("through"), fiber_length("20")
    ('through', 20.0)
    """
    if text == "through":
        return text
    return float(_read(float, text, text, "a length in voxels, such as 20, or through"))


def direction(text: str) -> str | list[float]:
    """A word, or the components of a vector.

    >>> direction("random"), direction("1,1,0")
    ('random', [1.0, 1.0, 0.0])
    """
    if text in ("random", "x", "y", "z"):
        return text
    wanted = "random, an axis x, y or z, or a vector such as 1,1,0"
    if "," not in text:
        raise _unlike(text, wanted)
    return [_read(float, part, text, wanted) for part in text.split(",")]


def _read(kind: Callable[[str], Any], part: str, text: str, wanted: str) -> Any:
    try:
        return kind(part)
    except ValueError:
        raise _unlike(text, wanted) from None


def _unlike(text: str, wanted: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"found {text!r}; wanted {wanted}")
