"""Numbers that describe a microstructure beyond the principal components of its statistics."""

from mksdask.features.base import FeatureSet
from mksdask.features.correlations import AxisCorrelations, RadialCorrelation
from mksdask.features.mechanics import Interaction, SeriesParallel, SolverEstimates
from mksdask.features.paths import Connectivity, LinealPaths

__all__ = [
    "AxisCorrelations",
    "Connectivity",
    "FeatureSet",
    "Interaction",
    "LinealPaths",
    "RadialCorrelation",
    "SeriesParallel",
    "SolverEstimates",
]
