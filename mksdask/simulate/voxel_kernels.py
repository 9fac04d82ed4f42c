"""The stiffness operator of one multilinear element a voxel, on a periodic grid, compiled.

The nodal values of an element are turned into coefficients of the polynomials 1, x, y, z, xy, yz,
xz, xyz: sums and differences along each axis. Two points an axis integrate products of these
exactly, and they are orthogonal, so the 24 x 24 element matrix falls apart into a few small
blocks: about 200 operations a voxel in place of 1,152, for any material. Sums and differences
along x and z of a row of nodes are shared by the voxels on both sides of it, and what the voxels
before a row or plane of nodes owe to it is carried along, so every value is read and written once.
The inner loops run along the last axis with rows of a constant pitch, which lets the compiler turn
them into vector instructions.

All arrays are flat. ``u`` and ``q`` hold (job, component, x, y, z) and ``u`` ends with ``PAD``
spare values; ``material`` holds (material, x, y, constant, z) with the last axis filled up with
zeros to a multiple of ``PAD``. A job is one load case on one material. The work is cut into units
(job, slab of planes) whose number does not depend on the number of threads, so neither do the
results; ``edge`` is left with what each unit owes to the first plane of the next slab. ``load`` is
the mean gradient added to that of ``u``. ``sums`` receives, for each unit, the energy and then the
sum of each component of the flux.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from mksdask.simulate import voxel_laws
from mksdask.simulate.compiled import inlined, variant
from mksdask.simulate.voxel_laws import PAD

ISOTROPIC, ANISOTROPIC, SCALAR = 0, 1, 2
SHAPES = ((3, 2, 6), (3, 21, 6), (1, 1, 3))  # unknowns, constants, components of the flux
LAWS = {"isotropic": ISOTROPIC, "anisotropic": ANISOTROPIC, "scalar": SCALAR}
# Kernels kept on disk are known by their own file only; this makes them know the laws' too.
LAWS_STAMP = zlib.crc32(Path(voxel_laws.__file__).read_bytes())


def padded(n: int) -> int:
    """Length of a row of ``n`` voxels filled up to whole vectors.

    >>> padded(51)
    56
    """
    return -(-n // PAD) * PAD


def pitch_for(n: int) -> int:
    """Smallest compiled pitch that takes rows of ``n`` voxels; a new one costs a compilation.

    >>> pitch_for(51), pitch_for(300)
    (264, 2056)
    """
    pitch = 256
    while pitch < n + PAD:
        pitch *= 8
    return pitch + PAD


@inlined
def _gather_3d(near, far, n, width, rows, pitch):  # type: ignore[no-untyped-def]
    """Sums and differences along x and z of one component of a row of nodes."""
    for k in range(min(width, pitch)):
        a, b, c, d = near[k], near[k + 1], far[k], far[k + 1]
        rows[k] = (a + b) + (c + d)
        rows[pitch + k] = (b - a) + (d - c)
        rows[2 * pitch + k] = (c + d) - (a + b)
        rows[3 * pitch + k] = (d - c) - (b - a)
    a, b, c, d = near[n - 1], near[0], far[n - 1], far[0]
    rows[n - 1] = (a + b) + (c + d)
    rows[pitch + n - 1] = (b - a) + (d - c)
    rows[2 * pitch + n - 1] = (c + d) - (a + b)
    rows[3 * pitch + n - 1] = (d - c) - (b - a)


@inlined
def _scatter_3d(rows, n, owed, q, pitch):  # type: ignore[no-untyped-def]
    """Finish one row of nodes; keep what its voxels owe to the next plane."""
    for k in range(min(n, pitch) - 1):
        near = (rows[k + 1] - rows[pitch + k + 1]) + (rows[k] + rows[pitch + k])
        far = (rows[2 * pitch + k + 1] - rows[3 * pitch + k + 1]) + (
            rows[2 * pitch + k] + rows[3 * pitch + k]
        )
        q[k + 1] = owed[k + 1] + (near - far)
        owed[k + 1] = near + far
    e = n - 1
    near = (rows[0] - rows[pitch]) + (rows[e] + rows[pitch + e])
    far = (rows[2 * pitch] - rows[3 * pitch]) + (rows[2 * pitch + e] + rows[3 * pitch + e])
    q[0] = owed[0] + (near - far)
    owed[0] = near + far


@cache
def operator_3d(law: int, pitch: int) -> Callable[..., None]:
    """Operator in three dimensions for a material law, compiled for rows up to ``pitch``."""
    parts, constants, fluxes = SHAPES[law]
    carried = 4 * parts
    stamp = LAWS_STAMP

    @variant(law, pitch)
    def units(u, material, which, load, q, edge, sums, shape, slabs, first, last):  # type: ignore[no-untyped-def]
        nx, ny, nz = shape
        width = -(-nz // PAD) * PAD
        plane = ny * nz
        per_row = constants * width
        before, after = np.zeros(carried * pitch, u.dtype), np.zeros(carried * pitch, u.dtype)
        forces = np.zeros(2 * carried * pitch, u.dtype)
        ends = np.zeros(carried * pitch, u.dtype)
        total = np.zeros(1 + fluxes if stamp >= 0 else 0)
        for unit in range(first, last):
            job, slab = unit // slabs, unit % slabs
            values = u[job * parts * nx * plane :]
            results = q[job * parts * nx * plane :]
            properties = material[which[job] * nx * ny * per_row :]
            owed = edge[unit * parts * plane : (unit + 1) * parts * plane]
            owed[:] = 0
            total[:] = 0
            for i in range(slab * nx // slabs, (slab + 1) * nx // slabs):
                near, far = i * plane, (i + 1) % nx * plane
                for c in range(parts):
                    o = c * nx * plane
                    _gather_3d(
                        values[o + near :],
                        values[o + far :],
                        nz,
                        width,
                        before[4 * c * pitch :],
                        pitch,
                    )
                forces[carried * pitch :] = 0
                for j in range(ny):
                    for c in range(parts):
                        o = c * nx * plane + (j + 1) % ny * nz
                        _gather_3d(
                            values[o + near :],
                            values[o + far :],
                            nz,
                            width,
                            after[4 * c * pitch :],
                            pitch,
                        )
                    row = properties[(i * ny + j) * per_row :]
                    if law == ISOTROPIC:
                        voxel_laws.isotropic(
                            before, after, row, forces, load[job], width, total, pitch
                        )
                    elif law == ANISOTROPIC:
                        voxel_laws.anisotropic(
                            before, after, row, forces, load[job], width, total, pitch
                        )
                    else:
                        voxel_laws.scalar(
                            before, after, row, forces, load[job], width, total, pitch
                        )
                    if j == 0:
                        ends[:] = forces[: carried * pitch]
                    else:
                        for c in range(parts):
                            o = c * plane + j * nz
                            _scatter_3d(
                                forces[4 * c * pitch :],
                                nz,
                                owed[o:],
                                results[c * nx * plane + near + j * nz :],
                                pitch,
                            )
                    before, after = after, before
                for k in range(carried * pitch):
                    ends[k] += forces[carried * pitch + k]
                for c in range(parts):
                    o = c * nx * plane + near
                    _scatter_3d(ends[4 * c * pitch :], nz, owed[c * plane :], results[o:], pitch)
            sums[unit] = total

    return units


@inlined
def _gather_2d(near, n, width, rows, pitch):  # type: ignore[no-untyped-def]
    """Sums and differences along y of one component of a row of nodes."""
    for k in range(min(width, pitch)):
        a, b = near[k], near[k + 1]
        rows[k] = a + b
        rows[pitch + k] = b - a
    rows[n - 1] = near[n - 1] + near[0]
    rows[pitch + n - 1] = near[0] - near[n - 1]


@inlined
def _scatter_2d(rows, n, q, pitch):  # type: ignore[no-untyped-def]
    for k in range(min(n, pitch) - 1):
        q[k + 1] = (rows[k + 1] - rows[pitch + k + 1]) + (rows[k] + rows[pitch + k])
    q[0] = (rows[0] - rows[pitch]) + (rows[n - 1] + rows[pitch + n - 1])


@cache
def operator_2d(pitch: int) -> Callable[..., None]:
    """Operator in the plane, rows along y; each slab of rows is a unit."""
    stamp = LAWS_STAMP

    @variant(pitch)
    def units(u, material, which, load, q, edge, sums, shape, slabs, first, last):  # type: ignore[no-untyped-def]
        nx, ny = shape
        width = -(-ny // PAD) * PAD
        before, after = np.zeros(4 * pitch, u.dtype), np.zeros(4 * pitch, u.dtype)
        forces = np.zeros(8 * pitch, u.dtype)
        total = np.zeros(4 if stamp >= 0 else 0)
        for unit in range(first, last):
            job, slab = unit // slabs, unit % slabs
            values = u[job * 2 * nx * ny :]
            results = q[job * 2 * nx * ny :]
            properties = material[which[job] * nx * 6 * width :]
            owed = edge[unit * 2 * ny : (unit + 1) * 2 * ny]
            total[:] = 0
            forces[4 * pitch :] = 0
            start = slab * nx // slabs
            for c in range(2):
                _gather_2d(
                    values[(c * nx + start) * ny :], ny, width, before[2 * c * pitch :], pitch
                )
            for i in range(start, (slab + 1) * nx // slabs):
                for c in range(2):
                    o = (c * nx + (i + 1) % nx) * ny
                    _gather_2d(values[o:], ny, width, after[2 * c * pitch :], pitch)
                row = properties[i * 6 * width :]
                voxel_laws.plane(before, after, row, forces, load[job], width, total, pitch)
                for c in range(2):
                    _scatter_2d(forces[2 * c * pitch :], ny, results[(c * nx + i) * ny :], pitch)
                before, after = after, before
            for c in range(2):
                _scatter_2d(forces[(4 + 2 * c) * pitch :], ny, owed[c * ny :], pitch)
            sums[unit] = total

    return units
