"""Principal components of ensembles that do not fit in memory."""

from mksdask.reduction.pca import IncrementalPCA

__all__ = ["IncrementalPCA"]
