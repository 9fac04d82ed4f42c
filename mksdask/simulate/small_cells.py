"""Conjugate gradients for many small cells in the plane, side by side in the lanes of vectors.

The iteration is that of :mod:`mksdask.simulate.cg`. Cells lie along the last axis, ``LANES`` of
them: every step is then a loop over whole vectors, and the transforms of such short axes are
products with their matrices, several times quicker than fast transforms of one cell after another.
A lane whose cell is done takes up the next one, so that no cell waits for another and its numbers
do not depend on its neighbours.

The real basis: along an axis of n, place a <= n / 2 holds the wave cos(2 pi a x / n), and place
n - a the wave sin(2 pi a x / n). Even factors of the symbol of a homogeneous medium keep the place
of a wave and odd ones mirror it, a -> n - a, on both axes at once. With the second component of the
displacement stored at mirrored places, the preconditioner of an orthotropic medium is one
symmetric 2 x 2 block a place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from mksdask.products import matrix_times_columns, rows_times_matrix
from mksdask.simulate import cg
from mksdask.simulate.cg import Solution
from mksdask.simulate.compiled import inlined, kernel
from mksdask.simulate.voxel_operator import Workers

LANES = 16
LONGEST = 40  # voxels an axis; beyond about 50 fast transforms of one cell are quicker
# From one component to the other: a constant, so that the compiler knows them apart, and no
# multiple of a page, which would make them compete for the same lines of the cache.
PLACES = LONGEST * LONGEST
PITCH = PLACES * LANES + 9 * LANES
THIRD = 1.0 / 3.0

# What a lane does: nothing, its first residual, iterating, forming the true residual; it is done.
IDLE, FIRST, GOING, CHECK, DONE = 0, 1, 2, 3, 4


def suits(law: str, grid: Sequence[int], reference: np.ndarray) -> bool:
    """Whether cells of this kind go this way: small, in the plane, of orthotropic reference.

    >>> suits("plane", (21, 21), np.eye(3)), suits("plane", (21, 300), np.eye(3))
    (True, False)
    """
    if law != "plane" or max(grid) > LONGEST:
        return False
    return bool(np.abs(reference[:2, 2]).max() <= 1e-12 * np.abs(reference).max())


def solve_small(
    material: np.ndarray,
    which: np.ndarray,
    gradient: np.ndarray,
    flux: np.ndarray,
    free: np.ndarray,
    reference: np.ndarray,
    green: np.ndarray,
    tolerance: float,
    exactly: int | None,
    workers: Workers,
) -> Solution:
    """Solve as :func:`mksdask.simulate.cg.solve` does; ``material`` (material, constant, x, y)."""
    jobs, grid = len(which), material.shape[2:]
    found = Solution(
        np.zeros((jobs, 2, *grid), material.dtype),
        np.where(free, 0.0, gradient),
        np.zeros((jobs, 3)),
        np.zeros(jobs, np.int64),
        np.zeros(jobs),
        np.zeros(jobs, bool),
    )
    compliance = np.zeros_like(reference)
    compliance[np.ix_(free, free)] = np.linalg.inv(reference[np.ix_(free, free)])
    blocks = _real_blocks(green, grid)

    def some(first: int, last: int) -> None:
        lanes = _Lanes(material, which, flux, free, compliance, blocks, found)
        lanes.run(range(first, last), tolerance, exactly)

    workers.run(some, jobs)
    for axis, matrices in enumerate(_bases(grid, material.dtype.char)):
        for c in range(2):
            waves = np.moveaxis(found.u[:, c], 1 + axis, -1)
            found.u[:, c] = np.moveaxis(rows_times_matrix(waves, matrices[c]), -1, 1 + axis)
    found.flux /= np.prod(grid)
    return found


class _Lanes:
    """The state of the cells under way, one a lane, and what becomes of it in an iteration."""

    def __init__(
        self,
        material: np.ndarray,
        which: np.ndarray,
        flux: np.ndarray,
        free: np.ndarray,
        compliance: np.ndarray,
        blocks: np.ndarray,
        found: Solution,
    ):
        self.grid: tuple[int, int] = material.shape[2:]
        self.dtype, self.voxels = material.dtype, int(np.prod(self.grid))
        self.material, self.which, self.found = material, which, found
        self.free, self.blocks = free, blocks.astype(self.dtype)
        self.compliance = compliance / self.voxels
        self.flux = self.voxels * np.where(free, flux, 0.0)
        self.bases = _bases(self.grid, self.dtype.char)
        self.inverse = tuple(basis.swapaxes(1, 2).copy() for basis in self.bases)
        # Solution, direction and residual by waves; two fields go between waves and voxels.
        self.u, self.p, self.r, self.q, self.v, self.w = (
            np.zeros(2 * PITCH, self.dtype) for _ in range(6)
        )
        self.half = np.zeros((2, *self.grid, LANES), self.dtype)
        self.constants = np.zeros((*self.grid, 6, LANES), self.dtype)
        self.job = np.zeros(LANES, int)
        self.mode = np.full(LANES, IDLE)
        self.iterations, self.checks = np.zeros(LANES, int), np.zeros(LANES, int)
        self.rz, self.goal2, self.scale2, self.before = np.zeros((4, LANES))
        self.along, self.gradient, self.total, self.change = np.zeros((4, 3, LANES))
        self.missing, self.wanted = np.zeros((2, 3, LANES))

    def run(self, jobs: Sequence[int], tolerance: float, exactly: int | None) -> None:
        """Solve the jobs."""
        waiting = iter(jobs)
        limit = cg.CAP if exactly is None else exactly
        rounding2 = (cg.ROUNDING * float(np.finfo(self.dtype).eps)) ** 2
        for lane in range(LANES):
            self._take(lane, waiting)
        while self.mode.any():
            self._transform(self.p, self.v, inverse=True)
            _operate(self.v, self.constants, self.along, self.w, self.change, *self.grid)
            self._transform(self.w, self.q, inverse=False)
            done = _advance(
                self.u, self.p, self.r, self.q, self.blocks, self.free, self.compliance,
                self.wanted, self.along, self.change, self.gradient, self.total, self.missing,
                self.rz, self.goal2, self.scale2, self.before, self.mode, self.iterations,
                self.checks, self.voxels, tolerance, rounding2, limit, exactly is None, cg.RESTARTS,
            )  # fmt: skip
            if done:
                for lane in np.flatnonzero(self.mode == DONE).tolist():
                    self._store(lane, 0.0 if exactly is None else tolerance)
                    self._take(lane, waiting)

    def _store(self, lane: int, tolerance: float) -> None:
        """Write down what a lane has found."""
        found, job, rz = self.found, self.job[lane], self.rz[lane]
        found.u[job] = self._field(self.u)[..., lane]
        found.gradient[job], found.flux[job] = self.gradient[:, lane], self.total[:, lane]
        found.iterations[job] = self.iterations[lane]
        found.residual[job] = np.sqrt(rz / self.scale2[lane]) if rz > 0 else 0.0
        found.converged[job] = rz <= max(4 * self.goal2[lane], tolerance**2 * self.scale2[lane])
        if not np.isfinite(rz):  # what is not finite does not go away by a factor of zero
            for flat in (self.u, self.p, self.r):
                self._field(flat)[..., lane] = 0

    def _take(self, lane: int, waiting: Iterator[int]) -> None:
        """Put the next cell into a lane; leave the lane idle if there is none."""
        job = next(waiting, None)
        self.mode[lane] = IDLE if job is None else FIRST
        self.gradient[:, lane] = self.total[:, lane] = self.missing[:, lane] = 0
        self.along[:, lane] = 0
        if job is not None:
            self.job[lane], self.before[lane] = job, np.inf
            self.iterations[lane] = self.checks[lane] = 0
            self.along[:, lane] = self.found.gradient[job]
            self.wanted[:, lane] = self.missing[:, lane] = self.flux[job]
            cell = self.material[self.which[job]].transpose(1, 2, 0)
            np.multiply(cell, self.dtype.type(0.25), out=self.constants[..., lane])

    def _field(self, flat: np.ndarray) -> np.ndarray:
        """The values (component, x, y, lane) of a flat array."""
        used = flat.reshape(2, PITCH)[:, : self.voxels * LANES]
        return used.reshape(2, *self.grid, LANES)

    def _transform(self, source: np.ndarray, target: np.ndarray, inverse: bool) -> None:
        """From voxels to waves or, with the same steps turned over, back."""
        x, y = self.inverse if inverse else self.bases
        rows = self.half.reshape(2, self.grid[0], -1)
        matrix_times_columns(x, self._field(source).reshape(rows.shape), out=rows)
        matrix_times_columns(y[:, None], self.half, out=self._field(target))


@lru_cache(maxsize=16)
def _bases(grid: tuple[int, int], dtype: str) -> tuple[np.ndarray, ...]:
    """For each axis, the matrices (component, place, voxel) from voxels to waves."""
    found = []
    for n in grid:
        place = np.arange(n)
        angle = 2 * np.pi / n * (np.outer(np.minimum(place, n - place), place) % n)
        waves = np.where(place[:, None] > n / 2, np.sin(angle), np.cos(angle))
        waves /= np.linalg.norm(waves, axis=1, keepdims=True)
        found.append(np.stack([waves, waves[-place]]).astype(dtype))
    return tuple(found)


def _real_blocks(green: np.ndarray, grid: Sequence[int]) -> np.ndarray:
    """The blocks (place, xx yy xy) of the real basis from those of the half spectrum."""
    places = [np.arange(n) for n in grid]
    x, y = (np.minimum(a, n - a) for a, n in zip(places, grid, strict=True))
    blocks = green[:, x[:, None], y[None, :]].copy()
    sine = [a > n / 2 for a, n in zip(places, grid, strict=True)]
    # -d/dx d/dy takes cosines to sines with a minus sign on both axes or on one
    blocks[2] *= np.where(sine[0][:, None] == sine[1][None, :], -1.0, 1.0)
    return np.ascontiguousarray(blocks.reshape(3, -1).T)


@inlined
def _voxel(u00, u01, u10, u11, c, load, s):  # type: ignore[no-untyped-def]
    """Forces of a voxel on its four nodes; its flux is added to what is behind them in ``s``."""
    third = s.dtype.type(THIRD)
    for k in range(LANES):
        a, b, d, e = u00[k], u01[k], u10[k], u11[k]
        x_x, x_y, x_xy = (d + e) - (a + b), (b - a) + (e - d), (e - d) - (b - a)
        a, b, d, e = u00[PITCH + k], u01[PITCH + k], u10[PITCH + k], u11[PITCH + k]
        y_x, y_y, y_xy = (d + e) - (a + b), (b - a) + (e - d), (e - d) - (b - a)
        c11, c12, c16 = c[k], c[LANES + k], c[2 * LANES + k]
        c22, c26, c66 = c[3 * LANES + k], c[4 * LANES + k], c[5 * LANES + k]
        exx, eyy = x_x + load[k], y_y + load[LANES + k]
        exy = x_y + y_x + load[2 * LANES + k]
        sxx = c11 * exx + c12 * eyy + c16 * exy
        syy = c12 * exx + c22 * eyy + c26 * exy
        sxy = c16 * exx + c26 * eyy + c66 * exy
        cross = (c26 + c16) * third
        fx = (c11 + c66) * third * x_xy + cross * y_xy
        fy = (c22 + c66) * third * y_xy + cross * x_xy
        s[k], s[LANES + k] = (fx - sxy) - sxx, (fy - syy) - sxy
        s[2 * LANES + k], s[3 * LANES + k] = (sxy - fx) - sxx, (syy - fy) - sxy
        s[4 * LANES + k], s[5 * LANES + k] = sxx - (sxy + fx), sxy - (syy + fy)
        s[6 * LANES + k], s[7 * LANES + k] = sxx + (sxy + fx), sxy + (syy + fy)
        s[8 * LANES + k] += sxx
        s[9 * LANES + k] += syy
        s[10 * LANES + k] += sxy


@inlined
def _add(q, s):  # type: ignore[no-untyped-def]
    for k in range(LANES):
        q[k] += s[k]
        q[PITCH + k] += s[LANES + k]


@kernel
def _operate(u, c, load, q, flux, nx, ny):  # type: ignore[no-untyped-def]
    """Nodal forces ``q`` of ``u`` and a gradient, and the sums of the flux (component, lane).

    The law is :func:`mksdask.simulate.voxel_laws.plane`; constants come divided by 4.
    """
    c = c.reshape(-1)
    double = np.empty(3 * LANES, u.dtype)
    for n in range(3):
        for k in range(LANES):
            double[n * LANES + k] = 2 * load[n, k]
    s = np.zeros(11 * LANES, u.dtype)
    q[: nx * ny * LANES] = 0
    q[PITCH : PITCH + nx * ny * LANES] = 0
    flux[:, :] = 0
    for i in range(nx):
        below = i + 1 if i + 1 < nx else 0
        s[8 * LANES :] = 0
        for j in range(ny):
            right = j + 1 if j + 1 < ny else 0
            _voxel(
                u[(i * ny + j) * LANES :],
                u[(i * ny + right) * LANES :],
                u[(below * ny + j) * LANES :],
                u[(below * ny + right) * LANES :],
                c[(i * ny + j) * 6 * LANES :],
                double,
                s,
            )
            _add(q[(i * ny + j) * LANES :], s)
            _add(q[(i * ny + right) * LANES :], s[2 * LANES :])
            _add(q[(below * ny + j) * LANES :], s[4 * LANES :])
            _add(q[(below * ny + right) * LANES :], s[6 * LANES :])
        for n in range(3):
            for k in range(LANES):
                flux[n, k] += 2 * s[(8 + n) * LANES + k]


@kernel
def _advance(  # type: ignore[no-untyped-def]
    u, p, r, q, blocks, free, compliance, wanted, along, change, gradient, total, missing, rz,
    goal2, scale2, before, mode, iterations, checks, places, tolerance, rounding2, limit, checking,
    restarts,
):  # fmt: skip
    """The rest of an iteration, once ``q`` are the waves of the forces of the direction ``p``.

    A lane that begins, with its first cell or to form the true residual of what it has found,
    takes a step of length 1 from nothing in the direction of that. Tells whether a lane is done.
    """
    sums, energy = np.zeros(LANES), np.zeros(LANES)
    step, kept, fresh, found = np.zeros((4, LANES), u.dtype)
    for place in range(places):
        pp, qq = p[place * LANES :], q[place * LANES :]
        for k in range(LANES):
            sums[k] += pp[k] * qq[k] + pp[PITCH + k] * qq[PITCH + k]
    for k in range(LANES):
        energy[k] = sums[k]
        for n in range(3):
            energy[k] += along[n, k] * change[n, k]
        alpha, kept[k] = 1.0, 0.0
        if mode[k] == GOING:
            alpha = rz[k] / energy[k] if energy[k] > 0 else 0.0
            kept[k] = 1.0
        for n in range(3):
            gradient[n, k] += alpha * along[n, k]
            total[n, k] += alpha * change[n, k]
            if free[n]:
                missing[n, k] -= alpha * change[n, k]
        step[k], sums[k] = alpha, 0.0
    for place in range(places):
        xx, yy, xy = blocks[place, 0], blocks[place, 1], blocks[place, 2]
        uu, pp = u[place * LANES :], p[place * LANES :]
        for k in range(LANES):
            uu[k] = kept[k] * uu[k] + step[k] * pp[k]
            uu[PITCH + k] = kept[k] * uu[PITCH + k] + step[k] * pp[PITCH + k]
        rr, qq = r[place * LANES :], q[place * LANES :]
        for k in range(LANES):
            x = kept[k] * rr[k] - step[k] * qq[k]
            y = kept[k] * rr[PITCH + k] - step[k] * qq[PITCH + k]
            rr[k], rr[PITCH + k] = x, y
            gx, gy = xx * x + xy * y, xy * x + yy * y
            qq[k], qq[PITCH + k] = gx, gy
            sums[k] += x * gx + y * gy
    done = False
    energetic = np.zeros(3)
    for k in range(LANES):
        in_load = 0.0
        for n in range(3):
            energetic[n] = 0.0
            for m in range(3):
                energetic[n] += compliance[n, m] * missing[m, k]
            in_load += missing[n, k] * energetic[n]
        now, beta, going = sums[k] + in_load, 0.0, False
        if mode[k] == FIRST:
            size2 = energy[k] + in_load
            floor2 = rounding2 * size2
            # Where a uniform gradient leaves nothing but rounding, its energy is the scale.
            scale2[k] = now if now > floor2 else size2
            goal2[k] = max(tolerance * tolerance * scale2[k], floor2) if checking else floor2
            going = now > goal2[k] and limit > 0
            rz[k] = now
        elif mode[k] == CHECK:
            # The residual updated by the iteration drifts from the true one by rounding: go on
            # from the true one where it is not small, as long as that helps.
            checks[k] += 1
            helps = now > 4 * goal2[k] and now < 0.25 * before[k]
            going = helps and checks[k] < restarts and iterations[k] < limit
            before[k] = rz[k] = now
        elif mode[k] == GOING:
            iterations[k] += 1
            usable = energy[k] > 0
            if usable:
                beta = now / rz[k]
                rz[k] = now
            going = usable and rz[k] > goal2[k] and iterations[k] < limit
        fresh[k], step[k], found[k] = 0.0, 0.0, 0.0
        if going:
            mode[k] = GOING
            fresh[k], step[k] = 1.0, beta
            for n in range(3):
                along[n, k] = energetic[n] + beta * along[n, k]
        elif mode[k] == GOING and checking:
            mode[k] = CHECK
            found[k] = 1.0
            for n in range(3):
                along[n, k], gradient[n, k], total[n, k] = gradient[n, k], 0.0, 0.0
                missing[n, k] = wanted[n, k]
        elif mode[k] != IDLE:
            mode[k] = DONE
            done = True
    for place in range(places):
        pp, zz, uu = p[place * LANES :], q[place * LANES :], u[place * LANES :]
        for k in range(LANES):
            pp[k] = fresh[k] * zz[k] + step[k] * pp[k] + found[k] * uu[k]
            pp[PITCH + k] = (
                fresh[k] * zz[PITCH + k] + step[k] * pp[PITCH + k] + found[k] * uu[PITCH + k]
            )
    return done
