"""Random problems for the property tests, over everything two_point_statistics takes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from mksdask.bases import FourierBasis, LegendreBasis, PrimitiveBasis

LARGEST = {1: 24, 2: 9, 3: 5}


@dataclass
class Case:
    data: np.ndarray
    basis: Any
    pairs: list
    cutoff: list
    boundary: list
    mask: np.ndarray | None

    @property
    def periodic(self):
        return [b == "periodic" for b in self.boundary]

    def sample_weight(self, j):
        return None if self.mask is None else np.broadcast_to(self.mask, self.data.shape)[j]


@st.composite
def cases(draw, n_samples=2, scale=1):
    n_dims = draw(st.integers(1, 3))
    shape = tuple(draw(st.integers(1, LARGEST[n_dims] * scale)) for _ in range(n_dims))
    boundary = [draw(st.sampled_from(["periodic", "nonperiodic"])) for _ in shape]
    cutoff = [
        draw(st.integers(0, n // 2 if b == "periodic" else n - 1))
        for n, b in zip(shape, boundary, strict=True)
    ]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    whole = (n_samples, *shape)
    n_states = draw(st.integers(2, 4))
    kind = draw(st.sampled_from(["labels", "hat", "legendre", "fourier"]))
    if kind == "labels":
        basis = PrimitiveBasis(n_states)
        dtype = draw(st.sampled_from(["uint8", "int32", "int64"]))
        data = rng.integers(0, n_states, whole).astype(dtype)
    else:
        makers = {"hat": PrimitiveBasis, "legendre": LegendreBasis, "fourier": FourierBasis}
        basis = makers[kind](n_states, domain=(-1, 2))
        data = rng.uniform(-1, 2, whole)
    every = [(h, k) for h in range(n_states) for k in range(n_states)]
    pairs = draw(st.lists(st.sampled_from(every), min_size=1, max_size=9, unique=True))
    return Case(data, basis, pairs, cutoff, boundary, draw(_masks(rng, whole)))


def _masks(rng, shape):
    def some(mask):
        mask.reshape(len(mask), -1)[:, 0] = 1
        return mask

    return st.sampled_from(
        [
            None,
            some(rng.random(shape) < 0.7),
            some(rng.random(shape)),
            some((rng.random(shape) < 0.7).astype(float))[0],
        ]
    )


@st.composite
def chunkings(draw, shape):
    chunks = []
    for n in shape:
        walls = sorted({n, *draw(st.lists(st.integers(1, n), max_size=3))})
        chunks.append(tuple(np.diff([0, *walls]).tolist()))
    return tuple(chunks)
