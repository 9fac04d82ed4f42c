"""Pictures: one function each, given labelled arrays, giving matplotlib figures."""

from mksdask.plot.components import components, explained_variance, scores
from mksdask.plot.microstructure import microstructure
from mksdask.plot.pair_correlation import pair_correlation
from mksdask.plot.two_point import two_point

__all__ = [
    "components",
    "explained_variance",
    "microstructure",
    "pair_correlation",
    "scores",
    "two_point",
]
