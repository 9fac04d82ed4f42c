"""Apply the compiled stiffness operator to a batch of load cases, on one thread or several."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mksdask.simulate import voxel_kernels
from mksdask.simulate.voxel_laws import PAD


class Workers:
    """Spread numbered units of work over threads; one thread runs them in place.

    >>> with Workers(2) as workers:
    ...     workers.run(lambda first, last: None, 8)
    """

    def __init__(self, threads: int):
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def run(self, work: Callable[[int, int], object], units: int) -> None:
        """Call ``work(first, last)`` until all ``units`` are covered."""
        if self._pool is None:
            work(0, units)
            return
        n = min(self.threads, units)
        parts = [(i * units // n, (i + 1) * units // n) for i in range(n)]
        for done in [self._pool.submit(work, a, b) for a, b in parts]:
            done.result()


class VoxelOperator:
    """The stiffness of a batch of materials on one periodic grid of unit voxels.

    ``material`` has axes (material, constant, x, y[, z]). Fluxes are the stress in Voigt order, or
    the heat flux. ``weights`` are factors of the conductivity along the axes.
    """

    def __init__(
        self,
        law: str,
        material: np.ndarray,
        workers: Workers,
        weights: np.ndarray | None = None,
    ):
        self.law = law
        self.weights = np.ones(3) if weights is None else weights
        self.workers = workers
        self.grid = material.shape[2:]
        self.parts = {"scalar": 1, "plane": 2}.get(law, 3)
        self.fluxes = {"scalar": 3, "plane": 3}.get(law, 6)
        # nodal sums are this many times the mean gradient of the voxel
        self.scale = 2.0 if law == "plane" else 4.0
        self.dtype = material.dtype
        rows = np.moveaxis(material, 1, -2)
        filled = np.zeros((*rows.shape[:-1], voxel_kernels.padded(rows.shape[-1])), self.dtype)
        np.multiply(rows, self.dtype.type(self.scale**-2), out=filled[..., : rows.shape[-1]])
        self.material = filled.reshape(-1)
        # fixed by the grid alone, so that sums are always made in the same order
        self.slabs = max(1, min(8, self.grid[0] // 4))
        bounds = [(s + 1) * self.grid[0] // self.slabs % self.grid[0] for s in range(self.slabs)]
        self._next_planes = np.array(bounds)
        pitch = voxel_kernels.pitch_for(self.grid[-1])
        self._units = (
            voxel_kernels.operator_2d(pitch)
            if law == "plane"
            else voxel_kernels.operator_3d(voxel_kernels.LAWS[law], pitch)
        )

    def vector(self, jobs: int) -> np.ndarray:
        """Nodal values of zero for ``jobs`` load cases, with the spare room the kernels need."""
        shape = (jobs, self.parts, *self.grid)
        return np.zeros(int(np.prod(shape)) + PAD, self.dtype)[:-PAD].reshape(shape)

    def apply(
        self, u: np.ndarray, which: np.ndarray, load: np.ndarray, out: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Write to ``out`` the nodal forces of ``u`` plus a mean gradient ``load``.

        ``u`` comes from :meth:`vector`. Returns twice the energy of each job, and the
        sum over voxels of its flux.
        """
        jobs = len(u)
        units = jobs * self.slabs
        edge = np.empty((jobs, self.slabs, self.parts, *self.grid[1:]), self.dtype)
        sums = np.empty((units, 1 + self.fluxes))
        gradient = np.asarray(load * self.scale, self.dtype)
        if self.law == "scalar":
            gradient = np.hstack([gradient, np.tile(self.weights, (jobs, 1)).astype(self.dtype)])
        flat = u.base if u.base is not None else u
        if flat.shape != (u.size + PAD,):
            raise ValueError("u has no spare room at its end: make it with vector()")
        self.workers.run(
            lambda first, last: self._units(
                flat,
                self.material,
                which,
                gradient,
                out.reshape(-1),
                edge.reshape(-1),
                sums,
                self.grid,
                self.slabs,
                first,
                last,
            ),
            units,
        )
        for slab, plane in enumerate(self._next_planes):
            out[:, :, plane] += edge[:, slab]
        totals = sums.reshape(jobs, self.slabs, -1).sum(axis=1)
        return totals[:, 0], totals[:, 1:] * self.scale
