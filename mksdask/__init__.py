"""Materials knowledge systems at ensemble scale."""

from mksdask.ensemble import (
    ChunkPlan,
    append_samples,
    create_ensemble,
    discard_unfinished,
    open_ensemble,
    plan_chunks,
    resume_ensemble,
    validate_ensemble,
)
from mksdask.ensemble.export import export
from mksdask.ensemble.ingest import ingest
from mksdask.errors import DataError, IncompleteEnsembleError, IncompleteEnsembleWarning
from mksdask.version import __version__

__all__ = [
    "ChunkPlan",
    "DataError",
    "IncompleteEnsembleError",
    "IncompleteEnsembleWarning",
    "__version__",
    "append_samples",
    "create_ensemble",
    "discard_unfinished",
    "export",
    "ingest",
    "open_ensemble",
    "plan_chunks",
    "resume_ensemble",
    "validate_ensemble",
]
