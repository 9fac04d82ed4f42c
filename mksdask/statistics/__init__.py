"""Statistics of microstructures."""

from mksdask.statistics.two_point import two_point_statistics

__all__ = ["two_point_statistics"]
