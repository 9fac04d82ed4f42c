"""Crystal orientations: formats, misorientation, averages, texture, colours."""

from mksdask.orientation.colours import direction_colours
from mksdask.orientation.formats import from_matrix, from_quaternion, to_matrix, to_quaternion
from mksdask.orientation.misorientation import (
    fundamental_zone,
    mean_orientation,
    misorientation_angle,
)
from mksdask.orientation.texture import odf, texture_coefficients, texture_index

__all__ = [
    "direction_colours",
    "from_matrix",
    "from_quaternion",
    "fundamental_zone",
    "mean_orientation",
    "misorientation_angle",
    "odf",
    "texture_coefficients",
    "texture_index",
    "to_matrix",
    "to_quaternion",
]
