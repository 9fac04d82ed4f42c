"""Many foreign files as one lazy Dataset: probed, screened, and cut into blocks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mksdask.ensemble import screening
from mksdask.ensemble.convert import OTSU, Conversion
from mksdask.ensemble.formats import Info, Options
from mksdask.ensemble.plan import plan_chunks
from mksdask.ensemble.schema import SAMPLE
from mksdask.ensemble.screening import Faults
from mksdask.ensemble.sources import Source, file_axes, read_block
from mksdask.errors import DataError
from mksdask.lazy import lift

MIXED = "ingest them separately, or leave the odd ones out with skip_bad=True (--skip-bad)"


class ForeignFiles:
    """The files that remain, the variables read from them, and what was found wrong."""

    def __init__(
        self,
        *,
        paths: Sequence[str],
        names: Sequence[str],
        format: str,
        many: bool,
        crop: dict[str, tuple[int | None, int | None]],
        stride: int | Mapping[str, int],
        memory: int | str | None,
        skip_bad: bool,
        progress: bool | None,
    ):
        steps = stride.values() if isinstance(stride, Mapping) else [stride]
        if any(int(n) != n or n < 1 for n in steps):
            raise ValueError(f"stride is {stride!r}; wanted whole numbers of at least 1")
        self.paths = list(paths)
        self.names = dict(zip(paths, names, strict=True))
        self.found = len(paths)
        self.format, self.many = format, many
        self.crop, self.stride, self.memory = crop, stride, memory
        self.skip_bad, self.progress = skip_bad, progress
        self.sources: list[Source] = []
        self.infos: list[list[Info]] = []  # by source, then file
        self.dtypes: list[np.dtype[Any]] = []
        self.faults: Faults = {}

    def add(self, variable: str, options: Options, axes: str | None, change: Conversion) -> None:
        """Probe one variable in all files."""
        infos, faults = screening.probe_all(self.paths, self.format, options, self.progress)
        if not self.skip_bad:
            screening.refuse(faults, self.found)
        odd: Faults = {}
        kinds, differing = screening.uniform(
            self.paths, infos, lambda i: len(i.shape), "number of axes", MIXED, self.skip_bad
        )
        odd |= differing
        if kinds is not None:
            usable = [None if p in odd else i for p, i in zip(self.paths, infos, strict=True)]
            first = next(i for i in usable if i is not None)
            source = Source(
                variable, self.format, options, file_axes(first, variable, self.many, axes), change
            )
            at = source.axes.find("s")
            _, differing = screening.uniform(
                self.paths,
                usable,
                lambda i: tuple(n for k, n in enumerate(i.shape) if k != at),
                "shape",
                MIXED,
                self.skip_bad,
            )
            odd |= differing
            if change.dtype is None:
                found, differing = screening.uniform(
                    self.paths,
                    usable,
                    lambda i: i.dtype.newbyteorder("="),
                    "dtype",
                    "give dtype= to cast all to one, or ingest them separately",
                    self.skip_bad,
                )
                odd |= differing
            else:
                found = first.dtype
            self.sources.append(source)
            self.infos.append(infos)  # type: ignore[arg-type]
            self.dtypes.append(change.result_dtype(found, self.paths[infos.index(first)]))
        self._drop({**faults, **odd})

    def drop_undecodable(self) -> None:
        """Decode everything once, a block at a time, and leave out what fails."""
        for k, (source, dtype) in enumerate(zip(self.sources, self.dtypes, strict=True)):
            by_path = dict(zip(self.paths, self.infos[k], strict=True))

            def attempt(
                path: str,
                source: Source = source,
                dtype: Any = dtype,
                infos: Mapping[str, Info] = by_path,
            ) -> None:
                for inside, positions in self._pieces(source, infos[path]):
                    names = np.full(len(inside), path, dtype=object)
                    read_block(names, inside, *positions, source=source, dtype=dtype)

            _, faults = screening.try_all(attempt, self.paths, self.progress)
            self._drop(faults)

    def dataset(self) -> xr.Dataset:
        """Every variable over every sample, lazily."""
        arrays = {}
        for source, infos, dtype in zip(self.sources, self.infos, self.dtypes, strict=True):
            arrays[source.variable] = self._lazy(source, infos, dtype)
        ds = xr.Dataset(arrays)
        return ds.assign_coords({SAMPLE: self._sample_coordinate()})

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """Voxel size after the stride, if the files give it; they must agree."""
        infos = self.infos[0]
        known = {
            path: i.spacing
            for path, i in zip(self.paths, infos, strict=True)
            if i.spacing is not None
        }
        if not known:
            return None
        (path, first), *rest = known.items()
        for other, spacing in rest:
            if not np.allclose(spacing, first, rtol=1e-5):
                raise DataError(
                    f"voxel sizes differ: {first} in {path}, {spacing} in {other}: give voxel_size="
                )
        axes = self.sources[0].space
        return tuple(s * self._step(d) for s, d in zip(first, axes, strict=True))

    def _lazy(self, source: Source, infos: Sequence[Info], dtype: np.dtype[Any]) -> xr.DataArray:
        counts = [source.lengths(i).get("s", 1) for i in infos]
        positions = self._positions(source, infos[0])
        chunks = self._chunks(source, infos[0], sum(counts))
        paths = np.repeat(np.array(self.paths, dtype=object), counts)
        inside = np.concatenate([np.arange(n) for n in counts])
        per_sample: Any = chunks[SAMPLE]
        if source.many and "s" not in source.divisible(infos[0]):
            per_sample = tuple(counts)  # such a file is decoded whole, so once
        tail = infos[0].shape[len(source.axes) - len(source.trailing) :]
        array: xr.DataArray = lift(
            read_block,
            da.from_array(paths, chunks=(per_sample,)),
            da.from_array(inside, chunks=(per_sample,)),
            *[
                da.from_array(p, chunks=chunks[d])
                for d, p in zip(source.space, positions, strict=True)
            ],
            dims=[(SAMPLE,), (SAMPLE,), *[(d,) for d in source.space]],
            out_dims=(SAMPLE, *source.space, *source.trailing),
            sizes=dict(zip(source.trailing, tail, strict=True)),
            dtype=dtype,
            name=f"ingest-{source.variable}",
            kwargs={"source": source, "dtype": dtype},
        )
        return xr.DataArray(array, dims=(SAMPLE, *source.space, *source.trailing))

    def _pieces(
        self, source: Source, info: Info
    ) -> Iterator[tuple[np.ndarray, tuple[np.ndarray, ...]]]:
        """Indices of samples and voxels of one file, cut as the blocks will be."""
        count = source.lengths(info).get("s", 1)
        chunks = self._chunks(source, info, count)
        step = chunks[SAMPLE] if "s" in source.divisible(info) else count
        axes = [np.arange(count), *self._positions(source, info)]
        steps = [step, *[chunks[d] for d in source.space]]
        cuts = [
            np.split(a, range(n, len(a), n)) if n < len(a) else [a]
            for a, n in zip(axes, steps, strict=True)
        ]
        for inside, *positions in itertools.product(*cuts):
            yield inside, tuple(positions)

    def _chunks(self, source: Source, info: Info, n_samples: int) -> dict[str, int]:
        """Chunk lengths as planned, except along axes that a file can only be read whole along."""
        sizes = {
            d: len(p) for d, p in zip(source.space, self._positions(source, info), strict=True)
        }
        planned = plan_chunks({SAMPLE: n_samples, **sizes}, self.memory).chunks
        chunks = {
            d: planned[d] if d == SAMPLE or d in source.divisible(info) else sizes[d]
            for d in (SAMPLE, *sizes)
        }
        if source.conversion.threshold == OTSU and any(chunks[d] < n for d, n in sizes.items()):
            raise ValueError(
                f"threshold 'otsu' needs whole samples, and one of {tuple(sizes.values())} is too "
                "large for the memory: give more memory=, or thresholds by value"
            )
        return chunks

    def _positions(self, source: Source, info: Info) -> list[np.ndarray]:
        """The voxels kept along each axis, as indices in the file."""
        lengths = source.lengths(info)
        wrong = set(self.crop) - set(source.space)
        if isinstance(self.stride, Mapping):
            wrong |= set(self.stride) - set(source.space)
        if wrong:
            raise ValueError(f"crop or stride name {sorted(wrong)}; wanted axes of {source.space}")
        positions = []
        for d in source.space:
            start, stop = self.crop.get(d, (None, None))
            kept = np.arange(lengths[d])[start : stop : self._step(d)]
            if not len(kept) or max(abs(start or 0), abs(stop or 0)) > lengths[d]:
                raise ValueError(
                    f"crop of {d} is {self.crop.get(d)}; wanted start < stop within 0 to {lengths[d]}"
                )
            positions.append(kept)
        return positions

    def _step(self, d: str) -> int:
        return int(self.stride.get(d, 1) if isinstance(self.stride, Mapping) else self.stride)

    def _sample_coordinate(self) -> np.ndarray:
        if not self.many:
            return np.array([self.names[p] for p in self.paths])
        counts = [self.sources[0].lengths(i)["s"] for i in self.infos[0]]
        if len(self.paths) == 1:
            return np.arange(counts[0])
        width = len(str(max(counts) - 1))
        stems = [self.names[p] for p in self.paths]
        return np.array(
            [f"{s}/{k:0{width}d}" for s, n in zip(stems, counts, strict=True) for k in range(n)]
        )

    def _drop(self, faults: Faults) -> None:
        if not faults:
            return
        keep = [p not in faults for p in self.paths]
        self.infos = [list(itertools.compress(infos, keep)) for infos in self.infos]
        self.paths = list(itertools.compress(self.paths, keep))
        self.faults |= faults
        if not self.paths:
            screening.refuse(self.faults, self.found)
