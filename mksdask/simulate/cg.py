"""Conjugate gradients for a batch of load cases, preconditioned by a homogeneous medium.

The unknowns of a load case are the periodic nodal values u and those components of the mean
gradient E whose mean flux is imposed in their place. The residual lives in Fourier space, where
the preconditioner is: an iteration is one application of the operator, one forward and one inverse
transform, and two passes over the vectors. The norm of the residual is that of the preconditioner,
which bounds the energy of the error up to the contrast and does not depend on the grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mksdask import fft
from mksdask.simulate.compiled import kernel
from mksdask.simulate.green import precondition
from mksdask.simulate.voxel_operator import VoxelOperator

CAP = 3000  # iterations after which a load case is given up
ROUNDING = 32  # times the precision: what is left of the forces of a solution
RESTARTS = 4  # times the iteration may begin again from the true residual
PIECES = 8  # units of a vector update


@dataclass
class Solution:
    """What is known of each load case when its iteration ends."""

    u: np.ndarray  # (job, component, x, y[, z]), the periodic part of the nodal values
    gradient: np.ndarray  # (job, flux component), mean gradient
    flux: np.ndarray  # (job, flux component), mean flux
    iterations: np.ndarray
    residual: np.ndarray  # relative to that of u = 0
    converged: np.ndarray


@kernel
def _advance(u, p, z, alpha, beta, size, first, last):  # type: ignore[no-untyped-def]
    """u += alpha p; p = z + beta p, in units of a ``PIECES``-th of a job."""
    for unit in range(first, last):
        job, piece = unit // PIECES, unit % PIECES
        a, b = alpha[job], beta[job]
        start, stop = job * size + size * piece // PIECES, job * size + size * (piece + 1) // PIECES
        uj, pj, zj = u[start:stop], p[start:stop], z[start:stop]
        for k in range(len(uj)):
            uj[k] += a * pj[k]
            pj[k] = zj[k] + b * pj[k]


def solve(
    operator: VoxelOperator,
    which: np.ndarray,
    gradient: np.ndarray,
    flux: np.ndarray,
    free: np.ndarray,
    reference: np.ndarray,
    green: np.ndarray,
    tolerance: float,
    exactly: int | None = None,
) -> Solution:
    """Solve one load case for each entry of ``which`` (the material it belongs to).

    Parameters
    ----------
    gradient, flux
        (job, flux component): imposed mean gradient where ``free`` is False, imposed mean flux
        where it is True.
    reference
        Voigt stiffness (or conductivity tensor) of the homogeneous medium.
    tolerance
        On the residual relative to that of u = 0.
    green
        ``green_blocks`` of the reference on this grid.
    exactly
        Do this many iterations whatever the residual.
    """
    jobs = len(which)
    found = Solution(
        np.zeros((jobs, operator.parts, *operator.grid), operator.dtype),
        np.where(free, 0.0, gradient),
        np.zeros((jobs, operator.fluxes)),
        np.zeros(jobs, np.int64),
        np.zeros(jobs),
        np.zeros(jobs, bool),
    )
    compliance = np.zeros_like(reference)
    compliance[np.ix_(free, free)] = np.linalg.inv(reference[np.ix_(free, free)])
    run = _Run(operator, which, free, flux, compliance, green, found)
    floor2 = run.rounding2
    # Where a uniform gradient leaves nothing but rounding, its energy is the scale.
    scale2 = np.where(run.rz > floor2, run.rz, run.size2)
    if exactly is not None:
        run.iterate(floor2, exactly)
        found.residual[:] = _relative(run.left2, scale2)
        found.converged[:] = run.left2 <= np.maximum(tolerance**2 * scale2, floor2)
        found.flux /= run.voxels
        return found
    goal2 = np.maximum(tolerance**2 * scale2, floor2)
    run.iterate(goal2, CAP)
    before = np.full(jobs, np.inf)
    for _ in range(RESTARTS):
        # The residual updated by the iteration drifts from the true one by rounding. Form the
        # true one, and where it is not small go on from it, as long as that helps.
        run = _Run(operator, which, free, flux, compliance, green, found)
        found.flux[:] = run.total
        found.residual[:] = _relative(run.rz, scale2)
        found.converged[:] = run.rz <= 4 * goal2
        helps = ~found.converged & (run.rz < 0.25 * before) & (found.iterations < CAP)
        if not helps.any():
            break
        before = run.rz.copy()
        run.active = helps
        run.iterate(goal2, CAP)
    found.flux /= run.voxels
    return found


def _relative(rz: np.ndarray, scale2: np.ndarray) -> np.ndarray:
    """Relative residual, zero where there is no load at all."""
    return np.sqrt(np.divide(rz, scale2, out=np.zeros_like(rz), where=rz > 0))


class _Run:
    """One conjugate gradient iteration, begun from the values in ``found`` and written to it."""

    def __init__(
        self,
        operator: VoxelOperator,
        which: np.ndarray,
        free: np.ndarray,
        flux: np.ndarray,
        compliance: np.ndarray,
        green: np.ndarray,
        found: Solution,
    ):
        self.operator, self.which, self.free = operator, which, free
        self.compliance, self.green, self.found = compliance, green, found
        self.jobs = np.arange(len(which))
        self.voxels = int(np.prod(operator.grid))
        self.axes = tuple(range(2, 2 + len(operator.grid)))
        self.u = operator.vector(len(which))
        self.u[...] = found.u
        self.q = np.empty_like(self.u)
        self.gradient = found.gradient.copy()
        energy, self.total = operator.apply(self.u, which, self.gradient, self.q)
        self.missing = np.where(free, self.voxels * flux - self.total, 0.0)
        self.r = fft.rfftn(self.q, axes=self.axes)
        np.negative(self.r, out=self.r)
        self.s = np.zeros_like(self.r)
        self.rz = self._precondition(np.zeros(len(which)))
        size = energy + np.einsum("ji,ji->j", self.missing, self.missing @ compliance) / self.voxels
        self.size2 = size
        self.rounding2 = (ROUNDING * np.finfo(operator.dtype).eps) ** 2 * size
        self.active = np.ones(len(which), bool)
        self.left2 = self.rz.copy()

    def iterate(self, goal2: np.ndarray, limit: int) -> None:
        """Iterate until the squared residual of every active job is below its goal."""
        goal2 = goal2.copy()
        self.active &= self.rz > goal2
        p = self.operator.vector(len(self.jobs))
        alpha, beta = np.zeros(len(p)), np.zeros(len(p))
        along = np.zeros_like(self.gradient)
        for _ in range(limit):
            if not self.active.any():
                break
            z = fft.irfftn(self.s, s=self.operator.grid, axes=self.axes)
            self._advance(p, z, alpha, beta)
            if 2 * self.active.sum() <= len(self.jobs):
                self._store(~self.active)
                p, along, beta, goal2 = self._keep(self.active, p, along, beta, goal2)
            along = self.energetic + beta[:, None] * along
            curvature, change = self.operator.apply(p, self.which, along, self.q)
            usable = self.active & (curvature > 0)
            alpha = np.divide(self.rz, curvature, out=np.zeros(len(p)), where=usable)
            self.gradient += alpha[:, None] * along
            self.total += alpha[:, None] * change
            self.missing -= alpha[:, None] * change * self.free
            self.s = fft.rfftn(self.q, axes=self.axes)
            rz = self._precondition(alpha)
            beta = np.divide(rz, self.rz, out=np.zeros(len(p)), where=usable)
            self.rz = np.where(usable, rz, self.rz)
            self.left2[self.jobs] = self.rz
            self.found.iterations[self.jobs] += self.active
            self.active = usable & (self.rz > goal2)
        self._advance(p, p, alpha, np.zeros(len(p)))
        self._store(np.ones(len(self.jobs), bool))

    def _precondition(self, alpha: np.ndarray) -> np.ndarray:
        """Take ``alpha`` times ``s`` off the residual; ``s`` becomes its preconditioned form."""
        grid, jobs = self.operator.grid, len(alpha)
        planes, *rest = self.r.shape[2:]
        width = (rest[0], rest[1]) if len(rest) == 2 else (1, rest[0])
        slabs = self.operator.slabs
        sums = np.empty(jobs * slabs)
        r, s = (x.view(self.operator.dtype).reshape(-1) for x in (self.r, self.s))
        step = np.asarray(alpha, self.operator.dtype)
        even = grid[-1] % 2 == 0
        compiled = precondition(self.operator.parts)
        self.operator.workers.run(
            lambda first, last: compiled(
                r, s, self.green.reshape(-1), step, sums, planes, slabs, width, even, first, last
            ),
            jobs * slabs,
        )
        self.energetic = self.missing @ self.compliance / self.voxels
        in_fourier = sums.reshape(jobs, slabs).sum(axis=1) / self.voxels
        return in_fourier + np.einsum("ji,ji->j", self.missing, self.energetic)

    def _advance(self, p: np.ndarray, z: np.ndarray, alpha: np.ndarray, beta: np.ndarray) -> None:
        flat = [x.reshape(-1) for x in (self.u, p, z)]
        size = flat[0].size // len(alpha)
        a, b = (np.asarray(x, self.operator.dtype) for x in (alpha, beta))
        self.operator.workers.run(
            lambda first, last: _advance(*flat, a, b, size, first, last), PIECES * len(alpha)
        )

    def _store(self, finished: np.ndarray) -> None:
        jobs = self.jobs[finished]
        self.found.u[jobs] = self.u[finished]
        self.found.gradient[jobs] = self.gradient[finished]
        self.found.flux[jobs] = self.total[finished]

    def _keep(
        self, active: np.ndarray, p: np.ndarray, *others: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Drop finished jobs, so that the last ones do not carry the first along."""
        n = int(active.sum())
        for name in ("jobs", "which", "gradient", "total", "missing", "energetic", "r", "rz", "q"):
            setattr(self, name, getattr(self, name)[active])
        u, direction = self.operator.vector(n), self.operator.vector(n)
        u[...], direction[...] = self.u[active], p[active]
        self.u, self.active = u, active[active]
        return direction, *(x[active] for x in others)
