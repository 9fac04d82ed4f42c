"""Microstructure ensembles at rest: chunked, checked and self-describing on Zarr."""

from mksdask.ensemble.describe import describe_ensemble
from mksdask.ensemble.plan import ChunkPlan, plan_chunks
from mksdask.ensemble.read import open_ensemble
from mksdask.ensemble.validate import validate_ensemble
from mksdask.ensemble.write import (
    append_samples,
    create_ensemble,
    discard_unfinished,
    resume_ensemble,
)

__all__ = [
    "ChunkPlan",
    "append_samples",
    "create_ensemble",
    "describe_ensemble",
    "discard_unfinished",
    "open_ensemble",
    "plan_chunks",
    "resume_ensemble",
    "validate_ensemble",
]
