"""Linkages between structure and properties or local fields, learnt from ensembles."""

from mksdask.linkage.homogenization import HomogenizationModel
from mksdask.linkage.learning import LearningCurve, learning_curve
from mksdask.linkage.localization import LocalizationModel
from mksdask.linkage.neighbour_gain import neighbour_gain
from mksdask.linkage.polynomial import PolynomialRegression
from mksdask.linkage.staged_localization import StagedLocalization
from mksdask.linkage.targets import BoundsPosition, LogTarget
from mksdask.linkage.tuning import Tuning, tune

__all__ = [
    "BoundsPosition",
    "HomogenizationModel",
    "LearningCurve",
    "LocalizationModel",
    "LogTarget",
    "PolynomialRegression",
    "StagedLocalization",
    "Tuning",
    "learning_curve",
    "neighbour_gain",
    "tune",
]
