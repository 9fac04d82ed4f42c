"""Pictures: one function each, given labelled arrays, giving matplotlib figures."""

from mksdask.plot.microstructure import microstructure
from mksdask.plot.pair_correlation import pair_correlation
from mksdask.plot.two_point import two_point

__all__ = ["microstructure", "pair_correlation", "two_point"]
