"""What a periodic cell is made of: from labels and moduli to the constants the kernels take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mksdask.errors import DataError
from mksdask.simulate import fields
from mksdask.simulate import stiffness as st


@dataclass(frozen=True)
class ElasticPhases:
    """Stiffness of each phase, and how voxels get theirs."""

    table: np.ndarray  # (phase, 6, 6), or (phase, 3, 3) in the plane; empty if given by voxel
    isotropic: bool
    dimensions: int
    plane: str
    oriented: bool
    dtype: np.dtype[Any]
    voxel: tuple[float, ...]  # edges of a voxel

    @property
    def by_voxel(self) -> bool:
        """Whether every voxel brings its own stiffness."""
        return len(self.table) == 0

    @property
    def law(self) -> str:
        """Name of the compiled material law."""
        if self.dimensions == 2:
            return "plane"
        return "isotropic" if self.isotropic and self.cubes else "anisotropic"

    @property
    def cubes(self) -> bool:
        """Whether voxels are cubes."""
        return set(self.voxel) == {1.0}

    @cached_property
    def scale(self) -> np.ndarray:
        """Strain, a Voigt component each, in that of unit voxels.

        With u_i = v_i / h_i for voxels of the edges h, eps_ij = 1 / (h_i h_j) times the strain of
        v on unit voxels: a box of stiffness C is a cube of stiffness C_ijkl / (h_i h_j h_k h_l).
        """
        return voigt_scale(self.voxel)

    def stretched(self, stiffness: np.ndarray) -> np.ndarray:
        """Stiffness (..., Voigt, Voigt) of the unit voxels that stand for the boxes."""
        return stiffness if self.cubes else stiffness * np.multiply.outer(self.scale, self.scale)

    def nodal(self, u: np.ndarray) -> np.ndarray:
        """Nodal values on unit voxels, from displacements (..., component, x, y[, z]) of boxes."""
        return u * np.reshape(self.voxel, (-1, *[1] * self.dimensions))

    @property
    def unknowns(self) -> int:
        """Unknowns a voxel."""
        return self.dimensions

    @property
    def unit_loads(self) -> np.ndarray:
        """Unit strains, one a Voigt component."""
        return np.eye(len(st.TENSOR[self.dimensions]))

    def reduced(self, stiffness: np.ndarray, rounding: float = 1e-9) -> np.ndarray:
        """Stiffness in the components of the cell: 3 x 3 in the plane."""
        if self.dimensions == 3 or stiffness.shape[-1] == 3:
            return stiffness
        return st.in_plane(stiffness, self.plane, rounding)

    def reference(self, constants: np.ndarray) -> np.ndarray:
        """Stiffness of the homogeneous medium of the preconditioner.

        It follows from the phases alone where it can, so that no result depends on which samples
        are solved together.
        """
        if self.by_voxel:
            upper = constants.reshape(len(constants), -1).mean(axis=1, dtype=float)
            n = 3 if self.dimensions == 2 else 6
            c = np.zeros((n, n))
            c[np.triu_indices(n)] = upper
            return c + np.triu(c, 1).T
        if self.oriented:
            mean = np.mean([st.isotropic_average(c) for c in self.table], axis=0)
            return self.stretched(self.reduced(mean))
        return self.stretched(self.reduced(self.table).mean(axis=0))

    def constants(self, blocks: Sequence[np.ndarray]) -> np.ndarray:
        """Constants (constant, x, y[, z]) of one sample, from its labels and orientations."""
        if self.by_voxel:
            return self._of_voxels(blocks[0])
        labels = blocks[0]
        low, high = int(labels.min(initial=0)), int(labels.max(initial=0))
        if low < 0 or high >= len(self.table):
            raise DataError(
                f"phase holds the label {low if low < 0 else high}, and moduli are given for "
                f"{len(self.table)} phases; wanted labels from 0 to {len(self.table) - 1}"
            )
        if self.oriented:
            return self._turned(labels, blocks[1])
        return np.take(self._of_phases, labels, axis=1, mode="clip")  # all are in range

    @cached_property
    def _of_phases(self) -> np.ndarray:
        """Constants (constant, phase)."""
        if self.law == "isotropic":
            values = self.table[:, [0, 3], [1, 3]]
        else:
            reduced = self.stretched(self.reduced(self.table))
            values = reduced[(slice(None), *np.triu_indices(reduced.shape[-1]))]
        return np.ascontiguousarray(values.T, self.dtype)

    def values(
        self,
        constants: np.ndarray,
        labels: np.ndarray,
        solution: Any,
        components: Sequence[str],
        local: bool,
    ) -> dict[str, np.ndarray]:
        """Means and, if ``local``, fields of strain and stress, components on the last axis."""
        found = {"mean_strain": solution.gradient, "mean_stress": solution.flux}
        known = list(st.TENSOR[self.dimensions])
        across = "zz" in components and self.dimensions == 2
        if local or across:
            strain = fields.strain(solution.u, solution.gradient / self.scale)
            found["strain"], found["stress"] = strain, fields.stress(constants, strain)
            if not self.cubes:
                found["strain"] = strain * self.scale.astype(strain.dtype)
                found["stress"] /= self.scale.astype(strain.dtype)
        if across:
            known.append("zz")
            found = self._with_across(labels, found)
        picked = [known.index(c) for c in components]
        return {name: value[..., picked] for name, value in found.items()}

    def _with_across(
        self, labels: np.ndarray, values: dict[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Append the component zz, which the strain in the plane implies, to strain and stress."""
        across = self.table[:, 2][:, st.IN_PLANE]
        if self.plane == "stress":
            across = -across / self.table[:, 2, 2, None]
        strain = values["strain"]
        implied = np.sum(across.astype(strain.dtype)[labels] * strain, axis=-1)
        out = {}
        for name in ("strain", "stress"):
            zz = np.zeros_like(implied) if name == self.plane else implied
            out[name] = np.concatenate([values[name], zz[..., None]], axis=-1)
            mean = zz.mean(axis=(1, 2), dtype=float)[:, None]
            out[f"mean_{name}"] = np.concatenate([values[f"mean_{name}"], mean], axis=-1)
        return out

    def _turned(self, labels: np.ndarray, euler: np.ndarray) -> np.ndarray:
        if not np.isfinite(euler).all():
            raise DataError("orientation holds NaN or infinity; wanted Euler angles in radians")
        n = 6 if self.dimensions == 2 else 21
        out = np.empty((n, *labels.shape), self.dtype)
        for i in range(len(labels)):  # plane by plane: 6 x 6 matrices of all voxels are large
            turned = st.rotated(self.table[labels[i]], np.asarray(euler[i], float))
            out[:, i] = self._upper(self._checked_plane(turned, euler.dtype, "orientation"))
        return out

    def _checked_plane(self, stiffness: np.ndarray, given: np.dtype[Any], what: str) -> np.ndarray:
        """Stiffness of voxels in the components of the cell, as exact as numbers ``given`` are."""
        try:
            return self.stretched(self.reduced(stiffness, max(1e-9, 32 * np.finfo(given).eps)))
        except ValueError as error:
            raise DataError(f"{what}: {error}") from None

    def _upper(self, stiffness: np.ndarray) -> np.ndarray:
        upper = stiffness[(..., *np.triu_indices(stiffness.shape[-1]))]
        return np.ascontiguousarray(np.moveaxis(upper, -1, 0), self.dtype)

    def _of_voxels(self, given: np.ndarray) -> np.ndarray:
        """Constants from the matrices of all voxels, symmetric but for their rounding."""
        c = np.asarray(given, float)
        if not np.isfinite(c).all():
            raise DataError("stiffness holds NaN or infinity; wanted finite constants")
        largest = np.abs(c).max(initial=0.0)
        rounding = max(1e-8, 32 * float(np.finfo(given.dtype).eps))
        if np.abs(c - np.swapaxes(c, -1, -2)).max(initial=0.0) > rounding * largest:
            raise DataError("stiffness is not symmetric in some voxel; wanted C_ij = C_ji")
        c = (c + np.swapaxes(c, -1, -2)) / 2
        try:
            np.linalg.cholesky(c)
        except np.linalg.LinAlgError:
            raise DataError(
                "stiffness is not positive definite in some voxel; wanted stable materials"
            ) from None
        return self._upper(self._checked_plane(c, given.dtype, "stiffness"))


def voigt_scale(voxel: Sequence[float]) -> np.ndarray:
    """1 / (h_i h_j) of each Voigt component, for voxels of the edges h.

    >>> voigt_scale((2.0, 0.5))
    array([0.25, 4.  , 1.  ])
    """
    h = dict(zip(("x", "y", "z"), voxel, strict=False))
    return np.array([1 / (h[c[0]] * h[c[1]]) for c in st.TENSOR[len(voxel)]])


def full_stiffness(constants: np.ndarray) -> np.ndarray:
    """Stiffness (Voigt, Voigt, x, y[, z]) from the constants (constant, x, y[, z]) of the kernels.

    >>> full_stiffness(np.array([1.0, 0.5]).reshape(2, 1, 1, 1))[:2, :2, 0, 0, 0]
    array([[2., 1.],
           [1., 2.]])
    """
    if len(constants) == 2:  # lambda and mu
        direct = np.zeros((6, 6))
        direct[:3, :3] = 1
        shear = np.diag([2.0, 2.0, 2.0, 1.0, 1.0, 1.0])
        return np.multiply.outer(direct, constants[0]) + np.multiply.outer(shear, constants[1])
    n = 3 if len(constants) == 6 else 6
    c = np.empty((n, n, *constants.shape[1:]))
    c[np.triu_indices(n)] = constants
    c[np.triu_indices(n)[::-1]] = constants
    return c


def elastic_table(
    youngs_modulus: Any, poissons_ratio: Any, stiffness: Any, dimensions: int
) -> tuple[np.ndarray, bool]:
    """Stiffness of each phase, and whether all are isotropic, from what the caller gave."""
    if stiffness is None:
        if youngs_modulus is None or poissons_ratio is None:
            raise ValueError(
                "youngs_modulus and poissons_ratio are wanted together, one number a phase; or "
                "give stiffness"
            )
        young, poisson = np.atleast_1d(youngs_modulus), np.atleast_1d(poissons_ratio)
        for name, values in (("youngs_modulus", young), ("poissons_ratio", poisson)):
            if values.dtype.kind not in "iuf" or values.ndim != 1 or not len(values):
                raise TypeError(f"{name} is {values!r}; wanted one number a phase")
        if len(young) != len(poisson):
            raise ValueError(
                f"youngs_modulus has {len(young)} entries and poissons_ratio {len(poisson)}; "
                "wanted one of each for every phase"
            )
        return np.array([st.isotropic(*m) for m in zip(young, poisson, strict=True)]), True
    if youngs_modulus is not None or poissons_ratio is not None:
        raise ValueError("stiffness and youngs_modulus or poissons_ratio are given; wanted one way")
    phases = [stiffness] if np.ndim(stiffness[0]) == 1 else list(stiffness)
    table = [st.checked(c, f"stiffness of phase {i}") for i, c in enumerate(phases)]
    if not table or len({c.shape for c in table}) != 1:
        raise ValueError("stiffness wants one matrix a phase, all (6, 6) or all (3, 3)")
    if table[0].shape == (3, 3) and dimensions == 3:
        raise ValueError("stiffness has shape (3, 3) and the cells are 3D; wanted (6, 6)")
    return np.array(table), False
