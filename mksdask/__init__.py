"""Materials knowledge systems at ensemble scale."""

__version__ = "0.1.0"
