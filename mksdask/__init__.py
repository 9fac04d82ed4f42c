"""Materials knowledge systems at ensemble scale."""

from mksdask import generate, plot, simulate
from mksdask.bases import FourierBasis, LegendreBasis, PrimitiveBasis, discretize
from mksdask.ensemble import (
    ChunkPlan,
    append_samples,
    create_ensemble,
    describe_ensemble,
    discard_unfinished,
    open_ensemble,
    plan_chunks,
    resume_ensemble,
    validate_ensemble,
)
from mksdask.ensemble.export import export
from mksdask.ensemble.ingest import ingest
from mksdask.errors import DataError, IncompleteEnsembleWarning
from mksdask.progress import compute
from mksdask.reduction import IncrementalPCA
from mksdask.saved_models import load_model, save_model
from mksdask.statistics import (
    TwoPointStatistics,
    check_statistics,
    chord_length_distribution,
    correlation_length,
    ensemble_mean,
    ensemble_variance,
    lineal_path,
    pair_correlation,
    specific_surface,
    two_point_statistics,
    volume_fractions,
)
from mksdask.version import __version__

__all__ = [
    "ChunkPlan",
    "DataError",
    "FourierBasis",
    "IncompleteEnsembleWarning",
    "IncrementalPCA",
    "LegendreBasis",
    "PrimitiveBasis",
    "TwoPointStatistics",
    "__version__",
    "append_samples",
    "check_statistics",
    "chord_length_distribution",
    "compute",
    "correlation_length",
    "create_ensemble",
    "describe_ensemble",
    "discard_unfinished",
    "discretize",
    "ensemble_mean",
    "ensemble_variance",
    "export",
    "generate",
    "ingest",
    "lineal_path",
    "load_model",
    "open_ensemble",
    "pair_correlation",
    "plan_chunks",
    "plot",
    "resume_ensemble",
    "save_model",
    "simulate",
    "specific_surface",
    "two_point_statistics",
    "validate_ensemble",
    "volume_fractions",
]
