"""Microstructures from nothing: lazy, seeded sample by sample."""

from mksdask.generate.multiphase import multiphase

__all__ = ["multiphase"]
