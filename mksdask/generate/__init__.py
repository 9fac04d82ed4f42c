"""Microstructures from nothing: lazy, seeded sample by sample."""

from mksdask.generate.checkerboard import checkerboard
from mksdask.generate.delta import delta
from mksdask.generate.fibers import fibers
from mksdask.generate.gaussian_family import gaussian_family
from mksdask.generate.multiphase import multiphase
from mksdask.generate.orientations import uniform_orientations
from mksdask.generate.spheres import spheres
from mksdask.generate.textures import Fibre, Uniform, Unimodal, random_orientations
from mksdask.generate.voronoi import voronoi

__all__ = [
    "Fibre",
    "Uniform",
    "Unimodal",
    "checkerboard",
    "delta",
    "fibers",
    "gaussian_family",
    "multiphase",
    "random_orientations",
    "spheres",
    "uniform_orientations",
    "voronoi",
]
