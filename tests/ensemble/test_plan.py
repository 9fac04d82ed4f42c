"""Chunks follow the memory."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mksdask as mks
from mksdask.ensemble.plan import inner_chunks, parse_memory


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 100_000),
    shape=st.lists(st.integers(1, 700), min_size=1, max_size=3),
    memory=st.sampled_from(["64 MiB", "2 GiB", "16 GiB"]),
)
def test_chunks_fit_the_memory(n, shape, memory):
    sizes = {"sample": n, **dict(zip("xyz", shape, strict=False))}
    plan = mks.plan_chunks(sizes, memory)
    assert list(plan.chunks) == list(sizes)
    assert all(1 <= plan.chunks[d] <= sizes[d] for d in sizes)
    chunk = 8 * math.prod(plan.chunks.values())
    whole = all(plan.chunks[d] == sizes[d] for d in "xyz" if d in sizes)
    assert chunk <= parse_memory(memory) // (8 if whole and plan.chunks["sample"] == 1 else 32)
    if not whole:
        assert plan.chunks["sample"] == 1
        assert 8 * math.prod(shape) > parse_memory(memory) // 8
    assert str(sizes["sample"] and plan.chunks["sample"]) in str(plan)


def test_the_plan_explains_itself():
    assert "samples stay whole" in str(mks.plan_chunks({"sample": 2000, "x": 64, "y": 64, "z": 64}))
    volume = mks.plan_chunks({"sample": 1, "x": 1024, "y": 1024, "z": 1024}, memory="1 GiB")
    assert "8.00 GiB" in str(volume)
    assert "samples are cut" in str(volume)


def test_every_dimension_counts():
    sizes = {"sample": 2000, "pair": 2, "lag_x": 41, "lag_y": 41, "lag_z": 41}
    plan = mks.plan_chunks(sizes)
    assert plan.chunks == {**sizes, "sample": 60}
    assert 8 * math.prod(plan.chunks.values()) <= (2 << 30) // 32


def test_bad_input():
    with pytest.raises(ValueError, match="empty dimensions"):
        mks.plan_chunks({"sample": 0, "x": 3})
    with pytest.raises(ValueError, match="memory is 'much'"):
        mks.plan_chunks({"sample": 1, "x": 3}, memory="much")
    with pytest.raises(ValueError, match="at least 1 MiB"):
        mks.plan_chunks({"sample": 1, "x": 3}, memory=10)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.lists(st.integers(1, 300), min_size=1, max_size=4),
    itemsize=st.sampled_from(["u1", "f8"]),
)
def test_inner_chunks_divide_the_shard(shape, itemsize):
    inner = inner_chunks(tuple(shape), itemsize)
    nbytes = math.prod(shape) * np.dtype(itemsize).itemsize
    if inner is None:
        assert nbytes <= 16 << 20
    else:
        assert all(s % i == 0 for s, i in zip(shape, inner, strict=True))
        assert math.prod(inner) * np.dtype(itemsize).itemsize <= 4 << 20
