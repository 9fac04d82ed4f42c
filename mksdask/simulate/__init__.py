"""Responses and evolutions of microstructures."""

from mksdask.simulate.cahn_hilliard import cahn_hilliard, concentration_noise, free_energy

__all__ = ["cahn_hilliard", "concentration_noise", "free_energy"]
