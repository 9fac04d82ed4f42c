"""Which correlations must be transformed so that all pairs asked for follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

#: Stands for the weight of the voxels (the mask, or 1 inside the volume) in a correlation.
WEIGHT = -1

# Relative costs, from benchmarks/two_point.py: a cropped inverse is cheap beside a forward
# transform, and correlations with a weight that is 1 everywhere need no transform at all.
_INVERSE_COST = 0.4
_UNIT_WEIGHT_COST = 0.1

Pair = tuple[int, int]


#: State and sign of the complex conjugate of every state, None where it is not in the basis.
Conjugates = Sequence[tuple[int, int] | None]


class Share(NamedTuple):
    """A correlation's part in a pair: ``factor`` times correlation ``term``.

    At r or at -r (``mirrored``), as it is or its complex conjugate.
    """

    factor: int
    term: Pair
    mirrored: bool
    conjugated: bool = False


@dataclass(frozen=True)
class Plan:
    """How the pairs asked for are put together from few correlations.

    ``states`` are expanded and transformed; ``terms`` (a, b) are the correlations
    sum_s conj(m[a; s]) m[b; s + r] to compute, with WEIGHT for the weight in place of a state (that of
    the weight with itself only if there is a mask; else it is known); ``recipes`` has for each pair
    the correlations that add up to it.
    """

    pairs: tuple[Pair, ...]
    states: tuple[int, ...]
    terms: tuple[Pair, ...]
    recipes: tuple[tuple[Share, ...], ...]


def parse_pairs(pairs: Any, n_states: int, names: Sequence[str] | None) -> tuple[Pair, ...]:
    """Pairs of state indices from a keyword or a list of indices or phase names.

    >>> parse_pairs("all", 2, None), parse_pairs([("fcc", 1)], 2, ["bcc", "fcc"])
    (((0, 0), (0, 1), (1, 1)), ((1, 1),))
    """
    states = range(n_states)
    keywords = {
        "all": [(h, k) for h in states for k in states if h <= k],
        "auto": [(h, h) for h in states],
        "cross": [(h, k) for h in states for k in states if h < k],
    }
    if isinstance(pairs, str):
        if pairs not in keywords:
            raise ValueError(
                f"pairs is {pairs!r}; wanted one of {tuple(keywords)} or a list such as [(0, 1)]"
            )
        found = keywords[pairs]
        if not found:
            raise ValueError(f"pairs is {pairs!r} and the basis has one state: it has no such pair")
        return tuple(found)
    try:
        listed = [tuple(p) if not isinstance(p, str) else (p,) for p in pairs]
    except TypeError:
        raise TypeError(f"pairs is {pairs!r}; wanted a list of pairs such as [(0, 1)]") from None
    if not listed or any(len(p) != 2 for p in listed):
        raise ValueError(f"pairs is {pairs!r}; wanted a list of pairs such as [(0, 1)]")
    read = tuple((_state(h, n_states, names), _state(k, n_states, names)) for h, k in listed)
    repeated = [p for p, count in Counter(read).items() if count > 1]
    if repeated:
        raise ValueError(f"pairs has {repeated[0]} more than once: list each pair once")
    return read


def _state(state: Any, n_states: int, names: Sequence[str] | None) -> int:
    if isinstance(state, str):
        if names is None:
            raise ValueError(
                f"pairs names the phase {state!r}, and the data carry no names: give indices, or "
                "a DataArray with a list of names in attrs['phase_names']"
            )
        if state not in names:
            raise ValueError(f"pairs names the phase {state!r}; wanted one of {list(names)}")
        return list(names).index(state)
    if isinstance(state, bool) or not isinstance(state, (int, np.integer)):
        raise TypeError(f"pairs has {state!r}; wanted the index of a state or the name of a phase")
    if not 0 <= state < n_states:
        raise ValueError(f"pairs has state {state}; wanted 0 to {n_states - 1}")
    return int(state)


def make_plan(
    pairs: Sequence[Pair],
    n_states: int,
    redundant: bool,
    masked: bool,
    conjugates: Conjugates | None = None,
) -> Plan:
    """The cheapest way to all ``pairs``.

    f[h', h; r] = conj(f[h, h'; -r]) always. Where the states of a complex basis come in pairs,
    conj(m[h]) = s[h] m[h*], f[h, h'; r] = s[h] s[h'] conj(f[h*, h'*; r]) as well. Where the
    states add up to the weight c (``redundant``), any one of them, d, may be left out and
    follows from sum rules: with G(h, h') the correlations and U(h; r) = sum_s m[h; s] c[s + r],

    G(h, d) = U(h) - sum_{k != d} G(h, k),
    G(d, d; r) = G(c, c) - sum_{h != d} (U(h; r) + U(h; -r)) + sum_{h, k != d} G(h, k).

    >>> make_plan([(0, 0), (0, 1), (1, 1)], 2, redundant=True, masked=False).terms
    ((1, -1), (1, 1))
    """
    if conjugates is not None:
        return _complex_plan(pairs, conjugates, masked)
    droppable = range(n_states) if redundant else ()
    options = [_plan(pairs, n_states, d, masked) for d in (None, *droppable)]
    return min(options, key=lambda plan: _cost(plan, masked))


def _plan(pairs: Sequence[Pair], n_states: int, dropped: int | None, masked: bool) -> Plan:
    kept = [h for h in range(n_states) if h != dropped]
    recipes = tuple(_recipe(pair, kept, dropped) for pair in pairs)
    needed = {share.term for recipe in recipes for share in recipe} - {(WEIGHT, WEIGHT)}
    states = tuple(sorted({h for term in needed for h in term if h != WEIGHT}))
    if masked:
        needed.add((WEIGHT, WEIGHT))
    return Plan(tuple(pairs), states, tuple(sorted(needed)), recipes)


def _complex_plan(pairs: Sequence[Pair], conjugates: Conjugates, masked: bool) -> Plan:
    recipes = tuple((_of_equals(pair, conjugates),) for pair in pairs)
    needed = {share.term for (share,) in recipes}
    states = tuple(sorted({h for term in needed for h in term}))
    if masked:
        needed.add((WEIGHT, WEIGHT))
    return Plan(tuple(pairs), states, tuple(sorted(needed)), recipes)


def _of_equals(pair: Pair, conjugates: Conjugates) -> Share:
    """The first of the correlations that hold the same numbers."""
    h, k = pair
    equal = [Share(1, (h, k), False), Share(1, (k, h), True, True)]
    first, second = conjugates[h], conjugates[k]
    if first is not None and second is not None:
        (h, sign), (k, other) = first, second
        sign *= other
        equal += [Share(sign, (h, k), False, True), Share(sign, (k, h), True)]
    return min(equal, key=lambda share: share.term)


def _recipe(pair: Pair, kept: Sequence[int], dropped: int | None) -> tuple[Share, ...]:
    h, k = pair
    if dropped not in pair:
        return (_correlation(1, h, k),)
    if h == k:
        one_sided = [Share(-1, (a, WEIGHT), m) for a in kept for m in (False, True)]
        both = [_correlation(1, a, b) for a in kept for b in kept]
        return (Share(1, (WEIGHT, WEIGHT), False), *one_sided, *both)
    if h == dropped:
        return tuple(_mirrored(share) for share in _recipe((k, h), kept, dropped))
    return (Share(1, (h, WEIGHT), False), *(_correlation(-1, h, a) for a in kept))


def _correlation(factor: int, h: int, k: int) -> Share:
    return Share(factor, (min(h, k), max(h, k)), h > k)


def _mirrored(share: Share) -> Share:
    if share.term[0] == share.term[1]:
        return share
    return share._replace(mirrored=not share.mirrored)


def _cost(plan: Plan, masked: bool) -> float:
    cost = float(len(plan.states))
    for _, b in plan.terms:
        cost += _INVERSE_COST if masked or b != WEIGHT else _UNIT_WEIGHT_COST
    return cost
