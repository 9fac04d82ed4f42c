"""What a pipeline would do, from lazy arrays alone: shapes, chunks, bytes, memory."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass

import xarray as xr
from dask.utils import format_bytes

from mksdask.ensemble import open_ensemble
from mksdask.ensemble.location import Location
from mksdask.ensemble.plan import parse_memory
from mksdask.ensemble.prepare import choose_chunks, prepare
from mksdask.errors import missing_extra
from mksdask.pipeline.document import Pipeline, Stage
from mksdask.pipeline.state import State, decide, keys
from mksdask.saved_models import model_kind

# A Python process with the package, and the arrays of a kernel for each block it holds; the tests
# hold the measured peak of the demonstration below it.
PROCESS_BYTES = 400 << 20
BLOCKS_HELD = 4


@dataclass(frozen=True)
class StagePlan:
    """What one stage would read, write and need."""

    name: str
    do: str
    action: str
    variables: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    n_chunks: int
    bytes_read: int
    bytes_written: int
    block_bytes: int
    working_bytes: int

    def memory(self, threads: int) -> int:
        """Bytes that a worker with so many threads needs, roughly."""
        return PROCESS_BYTES + threads * (BLOCKS_HELD * self.block_bytes + self.working_bytes)


def plan_pipeline(pipeline: Pipeline) -> list[StagePlan]:
    """Build every stage lazily, so that all mistakes between them are found, and measure it."""
    state, digests = State(pipeline), keys(pipeline)
    lazy: dict[str, xr.Dataset | None] = {}
    plans = []
    for stage in pipeline.stages:
        _check_surroundings(stage)
        sources = stage.inputs[stage.command.reads[0]] if stage.command.reads else []
        opened = [_opened(stage, s) if isinstance(s, str) else lazy[s[0]] for s in sources]
        known = [ds for ds in opened if ds is not None]
        result = None
        # What follows from a stage whose result only the run can tell is not known before either.
        if stage.command.outline is not None and len(known) == len(opened):
            try:
                outline = stage.command.outline(stage.args, known)
                result = None if outline is None else _as_stored(outline)
            except (ValueError, TypeError) as error:
                raise type(error)(f"stage {stage.name}: {error}") from error
        lazy[stage.name] = result
        action = decide(state, stage, digests[stage.name])
        plans.append(_measured(stage, action, known, result))
    return plans


def _check_surroundings(stage: Stage) -> None:
    """What a stage needs beside its options: matplotlib for pictures, models that it can use."""
    pictures = stage.do == "report" or getattr(stage.args, "plots", None) is not None
    if pictures and importlib.util.find_spec("matplotlib") is None:
        raise missing_extra("matplotlib", "plot", f"stage {stage.name}, drawing pictures,")
    for source in stage.inputs.get("model", ()):
        if not isinstance(source, str):
            continue
        kind = model_kind(source)
        if kind not in stage.command.takes:
            found = f"a model of kind {kind}" if kind else "which is no model"
            raise ValueError(
                f"stage {stage.name}: model is {source}, {found}; wanted one of kind "
                f"{' or '.join(stage.command.takes)}"
            )


def _opened(stage: Stage, path: str) -> xr.Dataset | None:
    """An ensemble from outside; a stage without an outline, such as a report, takes models too."""
    if stage.command.outline is None and model_kind(path) is not None:
        return None
    return open_ensemble(path)


def _as_stored(ds: xr.Dataset) -> xr.Dataset:
    """With the samples and the chunks that the store will have."""
    new = prepare(ds)
    return new.chunk(choose_chunks(new, None, parse_memory(None)))


def _measured(
    stage: Stage, action: str, inputs: list[xr.Dataset], result: xr.Dataset | None
) -> StagePlan:
    read = [v for ds in inputs for v in ds.data_vars.values() if "sample" in v.dims]
    variables = result.data_vars.values() if result is not None else ()
    written = [v for v in variables if "sample" in v.dims]
    return StagePlan(
        name=stage.name,
        do=stage.do,
        action=action,
        variables={str(v.name): (v.shape, _chunk(v)) for v in written},
        n_chunks=sum(math.prod(v.data.numblocks) for v in written),
        bytes_read=sum(v.nbytes for v in read),
        bytes_written=sum(v.nbytes for v in written),
        working_bytes=stage.command.working
        * max((v.size // v.sizes["sample"] for v in read), default=0),
        # Labels become float64 fields.
        block_bytes=max((8 * math.prod(_chunk(v)) for v in read), default=0)
        + sum(8 * math.prod(_chunk(v)) for v in written),
    )


def _chunk(variable: xr.DataArray) -> tuple[int, ...]:
    return tuple(max(c) for c in variable.chunks) if variable.chunks else variable.shape


def describe_plan(pipeline: Pipeline, plans: list[StagePlan], threads: int = 1) -> str:
    """The plan as a table to read."""
    lines = [
        f"{pipeline.path.name}: {len(plans)} stages, stores in {Location(pipeline.folder).url}"
    ]
    for plan in plans:
        lines.append(f"\n{plan.name}: {plan.do} ({plan.action})")
        for name, (shape, chunk) in plan.variables.items():
            lines.append(f"  {name}: {_sizes(shape)} in chunks of {_sizes(chunk)}")
        if not plan.variables:
            lines.append(f"  reads {format_bytes(plan.bytes_read)}; the run tells what it writes")
            continue
        lines.append(
            f"  {plan.n_chunks} chunks; reads {format_bytes(plan.bytes_read)}, writes "
            f"{format_bytes(plan.bytes_written)} before compression; a worker of {threads} "
            f"thread{'s' if threads > 1 else ''} needs about {format_bytes(plan.memory(threads))}"
        )
    return "\n".join(lines)


def _sizes(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "1"
