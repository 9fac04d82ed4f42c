"""Materials knowledge systems at ensemble scale."""

from mksdask import bounds, cluster, features, generate, metrics, orientation, plot, simulate
from mksdask.bases import FourierBasis, GSHBasis, LegendreBasis, PrimitiveBasis, discretize
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
from mksdask.ensemble.join import join_ensembles
from mksdask.errors import (
    DataError,
    ExtrapolationWarning,
    IncompleteEnsembleWarning,
    RankDeficientWarning,
)
from mksdask.linkage import (
    BoundsPosition,
    HomogenizationModel,
    LearningCurve,
    LocalizationModel,
    LogTarget,
    PolynomialRegression,
    StagedLocalization,
    Tuning,
    learning_curve,
    neighbour_gain,
    tune,
)
from mksdask.pipeline import run_pipeline
from mksdask.progress import compute
from mksdask.reduction import IncrementalPCA
from mksdask.saved_models import load_model, save_model
from mksdask.statistics import (
    SymmetrizedStatistics,
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
    "BoundsPosition",
    "ChunkPlan",
    "DataError",
    "ExtrapolationWarning",
    "FourierBasis",
    "GSHBasis",
    "HomogenizationModel",
    "IncompleteEnsembleWarning",
    "IncrementalPCA",
    "LearningCurve",
    "LegendreBasis",
    "LocalizationModel",
    "LogTarget",
    "PolynomialRegression",
    "PrimitiveBasis",
    "RankDeficientWarning",
    "StagedLocalization",
    "SymmetrizedStatistics",
    "Tuning",
    "TwoPointStatistics",
    "__version__",
    "append_samples",
    "bounds",
    "check_statistics",
    "chord_length_distribution",
    "cluster",
    "compute",
    "correlation_length",
    "create_ensemble",
    "describe_ensemble",
    "discard_unfinished",
    "discretize",
    "ensemble_mean",
    "ensemble_variance",
    "export",
    "features",
    "generate",
    "ingest",
    "join_ensembles",
    "learning_curve",
    "lineal_path",
    "load_model",
    "metrics",
    "neighbour_gain",
    "open_ensemble",
    "orientation",
    "pair_correlation",
    "plan_chunks",
    "plot",
    "resume_ensemble",
    "run_pipeline",
    "save_model",
    "simulate",
    "specific_surface",
    "tune",
    "two_point_statistics",
    "validate_ensemble",
    "volume_fractions",
]
