"""Pictures: one function each, given labelled arrays, giving matplotlib figures."""

from mksdask.plot.components import components, explained_variance, scores
from mksdask.plot.linkage import learning_curve, parity, tuning
from mksdask.plot.localization import error_histogram, field_comparison, kernel
from mksdask.plot.microstructure import microstructure
from mksdask.plot.orientations import orientation_map, pole_figure
from mksdask.plot.pair_correlation import pair_correlation
from mksdask.plot.two_point import two_point

__all__ = [
    "components",
    "error_histogram",
    "explained_variance",
    "field_comparison",
    "kernel",
    "learning_curve",
    "microstructure",
    "orientation_map",
    "pair_correlation",
    "parity",
    "pole_figure",
    "scores",
    "tuning",
    "two_point",
]
