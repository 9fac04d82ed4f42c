"""What the statistics of a microstructure say of its properties without training."""

from mksdask.bounds.stiffness import self_consistent_stiffness, stiffness_bounds

__all__ = ["self_consistent_stiffness", "stiffness_bounds"]
