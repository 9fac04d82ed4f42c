"""Statistics of microstructures."""

from mksdask.statistics.checks import Violation, check_statistics
from mksdask.statistics.chords import chord_length_distribution
from mksdask.statistics.correlation_length import correlation_length
from mksdask.statistics.ensemble_moments import ensemble_mean, ensemble_variance
from mksdask.statistics.fractions import volume_fractions
from mksdask.statistics.lineal import lineal_path
from mksdask.statistics.radial import pair_correlation
from mksdask.statistics.surface import specific_surface
from mksdask.statistics.symmetry import SymmetrizedStatistics
from mksdask.statistics.transformer import TwoPointStatistics
from mksdask.statistics.two_point import two_point_statistics

__all__ = [
    "SymmetrizedStatistics",
    "TwoPointStatistics",
    "Violation",
    "check_statistics",
    "chord_length_distribution",
    "correlation_length",
    "ensemble_mean",
    "ensemble_variance",
    "lineal_path",
    "pair_correlation",
    "specific_surface",
    "two_point_statistics",
    "volume_fractions",
]
