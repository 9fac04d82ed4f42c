"""Responses and evolutions of microstructures."""

from mksdask.simulate.cahn_hilliard import cahn_hilliard, concentration_noise, free_energy
from mksdask.simulate.conduction import conduction, effective_conductivity
from mksdask.simulate.elasticity import effective_stiffness, elasticity
from mksdask.simulate.local_stress import stress
from mksdask.simulate.stiffness import cubic, hexagonal, isotropic

__all__ = [
    "cahn_hilliard",
    "concentration_noise",
    "conduction",
    "cubic",
    "effective_conductivity",
    "effective_stiffness",
    "elasticity",
    "free_energy",
    "hexagonal",
    "isotropic",
    "stress",
]
