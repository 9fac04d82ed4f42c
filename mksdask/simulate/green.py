"""The exact inverse of the voxel operator for a homogeneous medium, one small block a frequency.

On a periodic grid the operator of a homogeneous medium is a convolution. With k the angle a voxel,
the one-dimensional factors of a multilinear element are t = 2 - 2 cos k (stiffness), m = (2 + cos
k) / 3 (mass) and s = sin k (mixed), so that

K_ij(k) = sum_pq C_ipjq S_pq(k),   S_xx = t_x m_y m_z,   S_xy = s_x s_y m_z, and so on:

real and symmetric for any C, and singular at k = 0 only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from mksdask.simulate.compiled import variant

VOIGT = {2: ((0, 0), (1, 1), (0, 1)), 3: ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))}


def green_blocks(stiffness: np.ndarray, grid: Sequence[int], dtype: Any = float) -> np.ndarray:
    """Inverse symbol on the half spectrum: upper triangle (xx, yy, zz, yz, xz, xy), then k.

    ``stiffness`` is a Voigt matrix (3 x 3 in the plane, 6 x 6 in space), or the conductivities
    along the axes.

    >>> green_blocks(np.array([2.0, 2.0, 2.0]), (4, 1, 1))[0].ravel()  # 1 / (2 (2 - 2 cos k))
    array([0.   , 0.25 , 0.125, 0.25 ])
    """
    d = len(grid)
    angles = [2 * np.pi * np.fft.fftfreq(n) for n in grid[:-1]]
    angles.append(2 * np.pi * np.fft.rfftfreq(grid[-1]))
    shaped = [k.reshape([-1 if a == b else 1 for b in range(d)]) for a, k in enumerate(angles)]
    t = [2 - 2 * np.cos(k) for k in shaped]
    m = [(2 + np.cos(k)) / 3 for k in shaped]
    s = [np.sin(k) for k in shaped]

    def factor(p: int, q: int) -> np.ndarray:
        if p == q:
            rest = [m[a] for a in range(d) if a != p]
            return np.prod(np.broadcast_arrays(t[p], *rest), axis=0)
        rest = [m[a] for a in range(d) if a not in (p, q)]
        return np.prod(np.broadcast_arrays(s[p] * s[q], *rest), axis=0)

    factors = {(p, q): factor(p, q) for p in range(d) for q in range(p, d)}
    shape = np.broadcast_shapes(*(k.shape for k in shaped))
    origin = (0,) * d
    if np.ndim(stiffness) == 1:
        total = sum(stiffness[p] * factors[p, p] for p in range(d))
        symbol = np.broadcast_to(total, shape).copy()
        symbol[origin] = np.inf
        return (1 / symbol)[None].astype(dtype)
    voigt = {pair: i for i, pair in enumerate(VOIGT[d])}
    blocks = np.zeros((len(VOIGT[d]), *shape))
    for (i, j), n in voigt.items():
        for p in range(d):
            for q in range(d):
                c = stiffness[voigt[min(i, p), max(i, p)], voigt[min(j, q), max(j, q)]]
                if c != 0.0:
                    blocks[n] += c * factors[min(p, q), max(p, q)]
    return _inverse(blocks, origin).astype(dtype)


def _inverse(a: np.ndarray, origin: tuple[int, ...]) -> np.ndarray:
    """Invert symmetric blocks given by their upper triangles; zero at the origin."""
    inverse = np.empty_like(a)
    if len(a) == 3:
        xx, yy, xy = a
        inverse[0], inverse[1], inverse[2] = yy, xx, -xy
        determinant = xx * yy - xy * xy
    else:
        xx, yy, zz, yz, xz, xy = a
        inverse[0], inverse[1], inverse[2] = yy * zz - yz * yz, xx * zz - xz * xz, xx * yy - xy * xy
        inverse[3], inverse[4], inverse[5] = xz * xy - xx * yz, xy * yz - yy * xz, xz * yz - zz * xy
        determinant = xx * inverse[0] + xy * inverse[5] + xz * inverse[4]
    determinant[origin] = np.inf
    inverse /= determinant
    return inverse


@cache
def precondition(parts: int) -> Callable[..., None]:
    """Compiled step in Fourier space: r -= alpha q; q = G r; sum of r* G r over all frequencies.

    ``r`` and ``q`` are complex arrays (job, component, x, y, z half) seen as flat real ones. The
    half spectrum counts twice, but for the frequencies 0 and, on even grids, the highest of the
    last axis.
    """

    @variant(parts)
    def apply(r, q, g, alpha, sums, planes, slabs, width, even, first, last):  # type: ignore[no-untyped-def]
        """Units (job, slab); a slab is a range of ``planes``, each ``width`` rows x columns."""
        nx, ny, nz = planes, width[0], width[1]
        m = nx * ny * nz
        for unit in range(first, last):
            job, slab = unit // slabs, unit % slabs
            o = slab * nx // slabs * ny * nz
            n = (slab + 1) * nx // slabs * ny * nz - o
            a = alpha[job]
            rj, qj = r[2 * job * parts * m + 2 * o :], q[2 * job * parts * m + 2 * o :]
            total = 0.0
            if parts == 3:
                r0, r1, r2 = rj, rj[2 * m :], rj[4 * m :]
                q0, q1, q2 = qj, qj[2 * m :], qj[4 * m :]
                g0, g1, g2 = g[o:], g[m + o :], g[2 * m + o :]
                g3, g4, g5 = g[3 * m + o :], g[4 * m + o :], g[5 * m + o :]
                for k in range(n):
                    xx, yy, zz, yz, xz, xy = g0[k], g1[k], g2[k], g3[k], g4[k], g5[k]
                    for e in range(2):
                        x = r0[2 * k + e] - a * q0[2 * k + e]
                        y = r1[2 * k + e] - a * q1[2 * k + e]
                        z = r2[2 * k + e] - a * q2[2 * k + e]
                        r0[2 * k + e], r1[2 * k + e], r2[2 * k + e] = x, y, z
                        gx, gy, gz = (
                            xx * x + xy * y + xz * z,
                            xy * x + yy * y + yz * z,
                            xz * x + yz * y + zz * z,
                        )
                        q0[2 * k + e], q1[2 * k + e], q2[2 * k + e] = gx, gy, gz
                        total += x * gx + y * gy + z * gz
            elif parts == 2:
                r0, r1, q0, q1 = rj, rj[2 * m :], qj, qj[2 * m :]
                g0, g1, g2 = g[o:], g[m + o :], g[2 * m + o :]
                for k in range(n):
                    for e in range(2):
                        x = r0[2 * k + e] - a * q0[2 * k + e]
                        y = r1[2 * k + e] - a * q1[2 * k + e]
                        r0[2 * k + e], r1[2 * k + e] = x, y
                        gx, gy = g0[k] * x + g2[k] * y, g2[k] * x + g1[k] * y
                        q0[2 * k + e], q1[2 * k + e] = gx, gy
                        total += x * gx + y * gy
            else:
                g0 = g[o:]
                for k in range(n):
                    for e in range(2):
                        x = rj[2 * k + e] - a * qj[2 * k + e]
                        rj[2 * k + e] = x
                        qj[2 * k + e] = g0[k] * x
                        total += g0[k] * x * x
            total *= 2
            for c in range(parts):
                for row in range(n // nz):
                    k = 2 * (c * m + row * nz)
                    total -= rj[k] * qj[k] + rj[k + 1] * qj[k + 1]
                    if even:
                        k += 2 * (nz - 1)
                        total -= rj[k] * qj[k] + rj[k + 1] * qj[k + 1]
            sums[unit] = total

    return apply
