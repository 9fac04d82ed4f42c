"""Lift a NumPy kernel over the chunks of labelled, Dask or plain arrays.

This is the only module that knows how Dask maps blocks. Everything else is a function of one
block of samples, which it hands to :func:`lift`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from itertools import product
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask import delayed

ArrayLike = Any
Kernel = Callable[..., np.ndarray]


def lift(
    kernel: Kernel,
    *arrays: ArrayLike,
    dims: Sequence[Sequence[str]],
    out_dims: Sequence[str],
    dtype: Any,
    sizes: Mapping[str, int] | None = None,
    whole: Collection[str] = (),
    coords: Mapping[str, Any] | None = None,
    attrs: Mapping[str, Any] | None = None,
    name: str | None = None,
    kwargs: Mapping[str, Any] | None = None,
) -> ArrayLike:
    """Apply ``kernel`` to every block of ``arrays``, lazily, one task a block.

    Dimensions found both in an input and in ``out_dims`` are *mapped*: they may be chunked, and
    the kernel sees one chunk of them at a time. Every other input dimension, and any named in
    ``whole``, reaches the kernel whole. ``out_dims`` found in no input are new.

    Parameters
    ----------
    kernel
        ``kernel(block_1, block_2, ..., **kwargs) -> block``: NumPy in, NumPy out, with axes in
        the order of ``dims`` and ``out_dims``.
    arrays
        ``xarray.DataArray`` (transposed to ``dims``), Dask or NumPy arrays (axes taken to be
        ``dims``).
    dims
        For each array, the names of its axes as the kernel wants them.
    out_dims
        Names of the axes of the result.
    dtype
        Of the result.
    sizes
        Lengths of the new dimensions, and of mapped ones that are ``whole`` if they change.
    whole
        Dimensions the kernel needs in one piece although they are also in the result.
    coords, attrs, name
        Added to a DataArray result. Coordinates of the inputs that still fit are kept.
    kwargs
        Keyword arguments of the kernel, the same for every block.

    Returns
    -------
    The kind of array that came in: DataArray if any input is one, else Dask if any is, else
    NumPy.

    Examples
    --------
    >>> import numpy as np
    >>> fractions = lift(
    ...     lambda phase: (phase == 1).mean(axis=(1, 2))[:, None],
    ...     xr.DataArray(np.eye(4, dtype=int)[None], dims=("sample", "x", "y")).chunk(sample=1),
    ...     dims=[("sample", "x", "y")], out_dims=("sample", "state"), sizes={"state": 1},
    ...     dtype=float)
    >>> fractions.dims, float(fractions[0, 0])
    (('sample', 'state'), 0.25)
    """
    sizes = dict(sizes or {})
    plain = [_plain(a, d, f"array {i}") for i, (a, d) in enumerate(zip(arrays, dims, strict=True))]
    extents = _extents(plain, dims)
    labelled = [a for a in arrays if isinstance(a, xr.DataArray)]
    result: ArrayLike
    if any(isinstance(p, da.Array) for p in plain):
        result = _blockwise(kernel, plain, dims, out_dims, dtype, sizes, whole, kwargs or {}, name)
    else:
        result = _run_kernel(kernel, len(out_dims), dtype, kwargs or {}, *plain)
        expected = tuple(sizes.get(d, extents.get(d, -1)) for d in out_dims)
        if result.shape != expected:
            raise RuntimeError(f"kernel gave shape {result.shape}, promised {expected}")
    if not labelled:
        return result
    out_coords = _kept_coords(labelled, out_dims, sizes)
    out_coords.update(coords or {})
    return xr.DataArray(result, dims=out_dims, coords=out_coords, attrs=attrs or {}, name=name)


@dataclass(frozen=True)
class Output:
    """One of the arrays a kernel of :func:`lift_many` gives: axes, type, sizes of new axes."""

    dims: tuple[str, ...]
    dtype: Any
    sizes: Mapping[str, int] = field(default_factory=dict)
    coords: Mapping[str, Any] = field(default_factory=dict)
    attrs: Mapping[str, Any] = field(default_factory=dict)


def lift_many(
    kernel: Callable[..., Any],
    *arrays: ArrayLike,
    dims: Sequence[Sequence[str]],
    outputs: Mapping[str, Output],
    kwargs: Mapping[str, Any] | None = None,
    name: str = "kernel",
) -> dict[str, ArrayLike]:
    """Apply a kernel that gives several arrays at once, by name; computed together, run once.

    As :func:`lift`, but ``sample`` alone is mapped; all other dimensions reach the kernel whole.

    >>> low_high = lift_many(
    ...     lambda a: {"low": a.min(axis=1), "high": a.max(axis=1)}, da.ones((4, 3), chunks=(2, 3)),
    ...     dims=[("sample", "x")],
    ...     outputs={"low": Output(("sample",), float), "high": Output(("sample",), float)})
    >>> low_high["high"].compute()
    array([1., 1., 1., 1.])
    """
    sources = [
        _plain(a, d, f"array {i}") for i, (a, d) in enumerate(zip(arrays, dims, strict=True))
    ]
    extents = _extents(sources, dims)
    whole = {d: n for d, n in extents.items() if d != "sample"}
    labelled = [a for a in arrays if isinstance(a, xr.DataArray)]
    results: dict[str, ArrayLike] = {}
    if any(isinstance(p, da.Array) for p in sources):
        # Blocks of this array are dictionaries; each output picks its own from them.
        packed = _blockwise(
            kernel, sources, dims, ("sample",), np.dtype(object), {}, (), kwargs or {}, name
        )
        for key, out in outputs.items():
            sizes = whole | dict(out.sizes)
            results[key] = _blockwise(
                _pick,
                [packed],
                [("sample",)],
                out.dims,
                out.dtype,
                {d: sizes[d] for d in out.dims if d != "sample"},
                (),
                {"key": key},
                f"{name}-{key}",
            )
    else:
        given: Any = kernel(*sources, **(kwargs or {}))
        for key, out in outputs.items():
            results[key] = _run_kernel(_pick, len(out.dims), out.dtype, {"key": key}, given)
    if not labelled:
        return results
    return {
        key: xr.DataArray(
            results[key],
            dims=out.dims,
            coords=_kept_coords(labelled, out.dims, out.sizes) | dict(out.coords),
            attrs=dict(out.attrs),
            name=key,
        )
        for key, out in outputs.items()
    }


def _pick(given: Mapping[str, np.ndarray], key: str) -> np.ndarray:
    return given[key]


def reduce_samples(
    array: ArrayLike,
    summarize: Callable[[np.ndarray], Any],
    merge: Callable[[list[Any]], Any],
    finish: Callable[[Any], np.ndarray],
    *,
    dtype: Any,
) -> ArrayLike:
    """Reduce the samples of ``array`` (dimension ``sample``, else axis 0), lazily, as a tree.

    ``summarize(block)`` of each chunk, ``merge([summary, ...])`` of summaries in any grouping,
    and ``finish(summary)`` at the end, which gives an array without the axis of samples. The other
    axes may be chunked too. The result is of the kind that came in; coordinates that still fit
    and attrs are kept.

    >>> reduce_samples(da.ones((6, 2), chunks=(2, 1)), lambda block: block.sum(axis=0), sum,
    ...                lambda total: total, dtype=float).compute()
    array([6., 6.])
    """
    if isinstance(array, xr.DataArray):
        rest = [d for d in array.dims if d != "sample"]
        data = array.transpose("sample", *rest).data
        reduced = reduce_samples(data, summarize, merge, finish, dtype=dtype)
        kept = {k: c for k, c in array.coords.items() if set(c.dims) <= set(rest)}
        return xr.DataArray(reduced, dims=rest, coords=kept, attrs=array.attrs, name=array.name)
    if not isinstance(array, da.Array):
        return finish(merge([summarize(np.asarray(array))]))
    return da.reduction(
        array,
        chunk=_Summarize(summarize),
        combine=_Merge(merge, None),
        aggregate=_Merge(merge, finish),
        axis=0,
        concatenate=False,
        dtype=np.dtype(dtype),
        meta=np.empty((0,) * (array.ndim - 1), dtype=dtype),
    )


def summarize_samples(
    array: da.Array,
    summarize: Callable[..., Any],
    merge: Callable[[list[Any]], Any],
    *others: ArrayLike,
    shared: Sequence[Any] = (),
) -> Any:
    """Merge the summaries of all chunks of samples (axis 0), lazily, as a tree of any objects.

    Like :func:`reduce_samples` where the result is not an array: gives a Dask delayed value. Each
    chunk is read by one task, ``summarize(block, *blocks of the others)``; the others are brought
    into the chunks of the first. The other axes must each be one chunk. ``shared`` objects, the
    same for all chunks, follow the blocks; they are in the graph once.

    >>> summarize_samples(da.ones((6, 2), chunks=(2, 2)), len, sum).compute()
    6
    >>> summarize_samples(da.arange(4, chunks=2), np.dot, sum, np.arange(4)).compute()
    np.int64(14)
    """
    arrays = [array, *(da.asarray(other).rechunk({0: array.chunks[0]}) for other in others)]
    for each_array in arrays:
        split = [axis for axis in range(1, each_array.ndim) if each_array.numblocks[axis] > 1]
        if split:
            raise ValueError(
                f"chunked along axes {split}, which this computation needs whole: "
                f".rechunk({{{', '.join(f'{axis}: -1' for axis in split)}}}) first"
            )
    each = delayed(summarize, pure=False, traverse=False)
    together = delayed(_merge_parts, pure=False, traverse=False)
    columns = [a.to_delayed().ravel() for a in arrays]
    same = [delayed(s, pure=False, traverse=False) for s in shared]
    parts = [each(*blocks, *same) for blocks in zip(*columns, strict=True)]
    while len(parts) > 1:
        parts = [together(merge, *parts[i : i + 4]) for i in range(0, len(parts), 4)]
    return parts[0]


def _merge_parts(merge: Callable[[list[Any]], Any], *parts: Any) -> Any:
    return merge(list(parts))


@dataclass(frozen=True)
class TilePlace:
    """Where a tile lies: in the volume (``start``), and in the block handed to the kernel.

    The block is the tile and its surroundings, cut off at the walls of the volume that are not
    periodic; along each axis the tile has ``size`` voxels and begins at ``offset`` in the block.
    """

    start: tuple[int, ...]
    size: tuple[int, ...]
    offset: tuple[int, ...]


def sum_tiles(
    kernel: Kernel,
    *arrays: ArrayLike,
    dims: Sequence[Sequence[str]],
    space: Sequence[str],
    reach: Mapping[str, tuple[int, int]],
    wrap: Collection[str],
    sizes: Mapping[str, int],
    dtype: Any,
    kwargs: Mapping[str, Any] | None = None,
) -> ArrayLike:
    """Add up what ``kernel`` makes of every tile of a volume, lazily, as a tree over the tiles.

    The chunks of the first array along ``space`` are the tiles. The kernel sees a tile with
    ``reach[dim] = (before, after)`` voxels around it, taken from as many neighbouring chunks as
    that needs, across the walls of the volume along the dimensions in ``wrap``. Each chunk is one
    task, computed once and read by the tiles around it.

    Parameters
    ----------
    kernel
        ``kernel(place, block_1, block_2, ..., **kwargs) -> block`` with a :class:`TilePlace`; its
        result has shape (samples, *sizes).
    arrays, dims
        As for :func:`lift`; all but the first may lack the dimension ``sample``. Those that are
        not chunked like the first are rechunked.
    sizes
        Dimensions of the result after ``sample``, with their lengths.

    Returns
    -------
    Dask array of shape (samples, *sizes), chunked along samples as the first array is; in a
    DataArray with the coordinates of the samples if the first array is one.

    Examples
    --------
    >>> volume = da.arange(6, chunks=2)[None]
    >>> def neighbour_sum(place, block):
    ...     inside = block[:, place.offset[0] : place.offset[0] + place.size[0]]
    ...     return (block.sum(axis=1) - inside.sum(axis=1))[:, None]
    >>> sum_tiles(neighbour_sum, volume, dims=[("sample", "x")], space=("x",),
    ...           reach={"x": (0, 1)}, wrap=("x",), sizes={"value": 1}, dtype=int).compute()
    array([[6]])
    """
    chunks, runs = _tile_runs(kernel, arrays, dims, space, reach, wrap, None, kwargs)
    merge = delayed(_add_up, pure=False, traverse=False)
    rows = []
    for n_samples, tiles in zip(chunks["sample"], runs, strict=True):
        sums = list(tiles.values())
        while len(sums) > 1:
            sums = [merge(*sums[i : i + 8]) for i in range(0, len(sums), 8)]
        rows.append(da.from_delayed(sums[0], (n_samples, *sizes.values()), dtype=dtype))
    total = da.concatenate(rows, axis=0)
    if not isinstance(arrays[0], xr.DataArray):
        return total
    out_dims = ("sample", *sizes)
    return xr.DataArray(total, dims=out_dims, coords=_kept_coords([arrays[0]], out_dims, sizes))


def map_tiles(
    kernel: Kernel,
    array: ArrayLike,
    *,
    dims: Sequence[str],
    space: Sequence[str],
    reach: Mapping[str, tuple[int, int]],
    wrap: Collection[str],
    sizes: Mapping[str, int],
    dtype: Any,
    shared: Any = None,
    kwargs: Mapping[str, Any] | None = None,
) -> ArrayLike:
    """Make of every tile of a volume and its surroundings a tile of another, lazily.

    As :func:`sum_tiles`, for a ``kernel(place, shared, block, **kwargs)`` that gives the tile
    itself: an array (samples, *tile, *sizes). ``shared`` is one object that all tasks use.

    >>> volume = da.arange(6, chunks=2)[None]
    >>> def neighbour(place, shared, block):
    ...     first = place.offset[0] + shared
    ...     return block[:, first : first + place.size[0]]
    >>> map_tiles(neighbour, volume, dims=("sample", "x"), space=("x",), reach={"x": (0, 1)},
    ...           wrap=("x",), sizes={}, dtype=int, shared=1).compute()
    array([[1, 2, 3, 4, 5, 0]])
    """
    node = delayed(shared, pure=False, traverse=False)
    chunks, runs = _tile_runs(kernel, [array], [dims], space, reach, wrap, node, kwargs)
    rows = []
    for n_samples, tiles in zip(chunks["sample"], runs, strict=True):
        blocks = np.empty([len(chunks[d]) for d in space] + [1] * len(sizes), dtype=object)
        for tile, piece in tiles.items():
            extent = [chunks[d][i] for d, i in zip(space, tile, strict=True)]
            shape = (n_samples, *extent, *sizes.values())
            blocks[(*tile, *[0] * len(sizes))] = da.from_delayed(piece, shape, dtype=dtype)
        rows.append(da.block(blocks.tolist()))
    whole = da.concatenate(rows, axis=0)
    if not isinstance(array, xr.DataArray):
        return whole
    out_dims = ("sample", *space, *sizes)
    return xr.DataArray(whole, dims=out_dims, coords=_kept_coords([array], out_dims, sizes))


def _tile_runs(
    kernel: Kernel,
    arrays: Sequence[ArrayLike],
    dims: Sequence[Sequence[str]],
    space: Sequence[str],
    reach: Mapping[str, tuple[int, int]],
    wrap: Collection[str],
    shared: Any,
    kwargs: Mapping[str, Any] | None,
) -> tuple[dict[str, tuple[int, ...]], list[dict[tuple[int, ...], Any]]]:
    """Chunks of the first array, and for each chunk of samples the delayed result of every tile."""
    plain = [_plain(a, d, f"array {i}") for i, (a, d) in enumerate(zip(arrays, dims, strict=True))]
    _extents(plain, dims)
    chunks = dict(zip(dims[0], da.asarray(plain[0]).chunks, strict=True))
    chunks.update({d: (sum(c),) for d, c in chunks.items() if d not in (*space, "sample")})
    blocks = [
        da.asarray(p).rechunk(tuple(chunks[d] for d in names)).to_delayed()
        for p, names in zip(plain, dims, strict=True)
    ]
    first = [] if shared is None else [shared]
    runs = []
    for sample in range(len(chunks["sample"])):
        tiles = {}
        for tile in np.ndindex(*(len(chunks[d]) for d in space)):
            around = {
                d: _segments(chunks[d], i, *reach[d], d in wrap)
                for d, i in zip(space, tile, strict=True)
            }
            place = _place(chunks, space, tile, reach, wrap)
            segments = [
                [around.get(d) or [(sample if d == "sample" else 0, slice(None))] for d in names]
                for names in dims
            ]
            operands = [
                keys[tuple(block for block, _ in piece)]
                for keys, along in zip(blocks, segments, strict=True)
                for piece in product(*along)
            ]
            cuts = [[[cut for _, cut in pieces] for pieces in along] for along in segments]
            run = partial(_run_tile, kernel, place, cuts, len(first), dict(kwargs or {}))
            tiles[tile] = delayed(run, pure=False, traverse=False)(*first, *operands)
        runs.append(tiles)
    return chunks, runs


def _segments(
    chunks: Sequence[int], tile: int, before: int, after: int, wrap: bool
) -> list[tuple[int, slice]]:
    """Chunks, and the part of each, that make up a tile and its surroundings along one axis."""
    ends = np.cumsum(chunks).tolist()
    n = ends[-1]
    here, stop = ends[tile] - chunks[tile] - before, ends[tile] + after
    if not wrap:
        here, stop = max(here, 0), min(stop, n)
    found = []
    while here < stop:
        turn = here // n * n
        block = int(np.searchsorted(ends, here - turn, side="right"))
        first = ends[block] - chunks[block] + turn
        last = min(stop, ends[block] + turn)
        found.append((block, slice(here - first, last - first)))
        here = last
    return found


def _place(
    chunks: Mapping[str, Sequence[int]],
    space: Sequence[str],
    tile: Sequence[int],
    reach: Mapping[str, tuple[int, int]],
    wrap: Collection[str],
) -> TilePlace:
    start = tuple(sum(chunks[d][:i]) for d, i in zip(space, tile, strict=True))
    size = tuple(chunks[d][i] for d, i in zip(space, tile, strict=True))
    offset = tuple(
        reach[d][0] if d in wrap else min(reach[d][0], s) for d, s in zip(space, start, strict=True)
    )
    return TilePlace(start, size, offset)


def _run_tile(
    kernel: Kernel,
    place: TilePlace,
    cuts: Sequence[Sequence[Sequence[slice]]],
    n_shared: int,
    kwargs: Mapping[str, Any],
    *pieces: Any,
) -> np.ndarray:
    """Put each array's pieces together and hand them to the kernel."""
    remaining = iter(pieces[n_shared:])
    surrounded = []
    for along in cuts:
        n = [len(c) for c in along]
        parts = np.empty(n, dtype=object)
        for index in np.ndindex(*n):
            piece = next(remaining)
            parts[index] = piece[tuple(c[i] for c, i in zip(along, index, strict=True))]
        surrounded.append(np.block(parts.tolist()) if parts.size > 1 else parts.flat[0])
    return kernel(place, *pieces[:n_shared], *surrounded, **kwargs)


def _add_up(*parts: np.ndarray) -> np.ndarray:
    return reduce(np.add, parts)


def is_lazy(data: ArrayLike) -> bool:
    """Whether ``data`` is (or wraps) a Dask array.

    >>> is_lazy(np.zeros(3)), is_lazy(da.zeros(3))
    (False, True)
    """
    return isinstance(data.data if isinstance(data, xr.DataArray) else data, da.Array)


def split_dims(data: xr.DataArray, dims: Collection[str]) -> list[str]:
    """Those of ``dims`` along which ``data`` is stored in more than one chunk.

    >>> split_dims(xr.DataArray(da.zeros((4, 4), chunks=(2, 4)), dims=("x", "y")), ("x", "y"))
    ['x']
    """
    return [d for d in dims if data.chunks and len(data.chunksizes[d]) > 1]


def _plain(array: ArrayLike, dims: Sequence[str], label: str) -> ArrayLike:
    if isinstance(array, xr.DataArray):
        if set(array.dims) != set(dims):
            raise ValueError(
                f"{array.name or label} has dims {tuple(map(str, array.dims))}; wanted {tuple(dims)}: "
                "rename or select them"
            )
        data = array.transpose(*dims).data
        return data if isinstance(data, da.Array) else np.asarray(data)
    if array.ndim != len(dims):
        raise ValueError(
            f"{label} has {array.ndim} axes of shape {array.shape}; wanted {len(dims)}: {tuple(dims)}"
        )
    return array


def _extents(plain: Sequence[ArrayLike], dims: Sequence[Sequence[str]]) -> dict[str, int]:
    extents: dict[str, int] = {}
    for array, names in zip(plain, dims, strict=True):
        for d, n in zip(names, array.shape, strict=True):
            if extents.setdefault(d, n) != n:
                raise ValueError(
                    f"dimension {d!r} has length {n} in one array and {extents[d]} in another: "
                    "select the same entries in both"
                )
    return extents


def _run_kernel(
    kernel: Kernel, ndim: int, dtype: Any, kwargs: Mapping[str, Any], *blocks: np.ndarray
) -> np.ndarray:
    out = kernel(*blocks, **kwargs)
    if np.dtype(dtype) == object:  # a dictionary on its way through lift_many
        return out
    if out.ndim != ndim or out.dtype != dtype:
        raise RuntimeError(
            f"kernel gave {out.ndim} axes of {out.dtype}, promised {ndim} of {np.dtype(dtype)}"
        )
    return out


class _BlockKernel:
    """A kernel with its promise, as one picklable callable that Dask can tokenize."""

    def __init__(self, kernel: Kernel, ndim: int, dtype: Any, kwargs: Mapping[str, Any]):
        self.parts = (kernel, ndim, np.dtype(dtype), dict(kwargs))

    def __call__(self, *blocks: np.ndarray) -> np.ndarray:
        kernel, ndim, dtype, kwargs = self.parts
        return _run_kernel(kernel, ndim, dtype, kwargs, *blocks)

    def __dask_tokenize__(self) -> Any:
        from dask.base import normalize_token

        return normalize_token(("mksdask-kernel", self.parts))


def _blockwise(
    kernel: Kernel,
    plain: Sequence[ArrayLike],
    dims: Sequence[Sequence[str]],
    out_dims: Sequence[str],
    dtype: Any,
    sizes: Mapping[str, int],
    whole: Collection[str],
    kwargs: Mapping[str, Any],
    name: str | None,
) -> da.Array:
    inputs = {d for names in dims for d in names}
    must_be_whole = {d for d in inputs if d not in out_dims} | set(whole)
    operands: list[Any] = []
    for array, names in zip(plain, dims, strict=True):
        split = [
            d
            for axis, d in enumerate(names)
            if d in must_be_whole and isinstance(array, da.Array) and array.numblocks[axis] > 1
        ]
        if split:
            raise ValueError(
                f"chunked along {split}, which this computation needs whole: "
                f".chunk({{{', '.join(f'{d!r}: -1' for d in split)}}}) first"
            )
        operands += [array, tuple(names)]
    return da.blockwise(
        _BlockKernel(kernel, len(out_dims), dtype, kwargs),
        tuple(out_dims),
        *operands,
        name=None,
        token=name or getattr(kernel, "__name__", "kernel"),
        dtype=np.dtype(dtype),
        new_axes={d: sizes[d] for d in out_dims if d not in inputs},
        adjust_chunks={d: (sizes[d],) for d in out_dims if d in inputs and d in sizes},
        concatenate=True,
        meta=np.empty((0,) * len(out_dims), dtype=dtype),
    )


def _kept_coords(
    labelled: Sequence[xr.DataArray], out_dims: Sequence[str], sizes: Mapping[str, int]
) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for array in labelled:
        for key, coord in array.coords.items():
            fits = all(d in out_dims and d not in sizes for d in coord.dims)
            if not fits:
                continue
            seen = kept.setdefault(str(key), coord)
            if key in array.dims and not seen.equals(coord):
                raise ValueError(
                    f"the {key!r} coordinates of the arrays differ: bring both into the same order, "
                    f"for example with xarray.align(..., join='inner')"
                )
    return kept


def visit(array: da.Array, visitor: Callable[[np.ndarray, tuple[int, ...]], int]) -> da.Array:
    """Call ``visitor(block, index)`` on every block, lazily: one integer a block.

    For work with side effects, such as storing blocks; the result has the shape
    ``array.numblocks``, so single blocks can be asked for by index. Every call gets names of its
    own, since a scheduler that remembers an equal task would not do the work again.

    >>> visit(da.ones((4, 2), chunks=(2, 2)), lambda block, index: index[0]).compute()
    array([[0],
           [1]])
    """
    return da.map_blocks(
        _Visitor(visitor),
        array,
        dtype=np.int64,
        chunks=tuple((1,) * n for n in array.numblocks),
        meta=np.empty((0,) * array.ndim, dtype=np.int64),
        name=f"visit-{uuid.uuid4().hex}",
    )


class _Visitor:
    def __init__(self, visitor: Callable[[np.ndarray, tuple[int, ...]], int]):
        self.visitor = visitor

    def __call__(self, block: np.ndarray, block_id: tuple[int, ...] = ()) -> np.ndarray:
        return np.full((1,) * block.ndim, self.visitor(block, block_id), dtype=np.int64)


class _Summarize:
    def __init__(self, summarize: Callable[[np.ndarray], Any]):
        self.summarize = summarize

    def __call__(self, block: np.ndarray, axis: Any = None, keepdims: bool = True) -> Any:
        return self.summarize(block)


class _Merge:
    def __init__(
        self, merge: Callable[[list[Any]], Any], finish: Callable[[Any], np.ndarray] | None
    ):
        self.merge = merge
        self.finish = finish

    def __call__(self, parts: Any, axis: Any = None, keepdims: bool = True) -> Any:
        merged = self.merge(parts if isinstance(parts, list) else [parts])
        return merged if self.finish is None else self.finish(merged)
