"""Statistics of microstructures."""

from mksdask.statistics.transformer import TwoPointStatistics
from mksdask.statistics.two_point import two_point_statistics

__all__ = ["TwoPointStatistics", "two_point_statistics"]
