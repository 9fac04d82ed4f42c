"""Solve a block of periodic cells: NumPy in and out, small cells together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from mksdask import fft
from mksdask.errors import DataError
from mksdask.simulate.arguments import Control
from mksdask.simulate.cells import full_stiffness
from mksdask.simulate.cg import Solution, solve
from mksdask.simulate.green import green_blocks
from mksdask.simulate.loads import Load
from mksdask.simulate.small_cells import solve_small, suits
from mksdask.simulate.voxel_operator import VoxelOperator, Workers

# Unknowns solved side by side. Small cells share the cost of a call; the vectors of large ones
# would only drive each other out of the cache.
TOGETHER = 2**17
STATE = ("iterations", "residual", "converged")


class Phases(Protocol):
    """What the cells are made of, as elasticity and conduction each know it."""

    dimensions: int
    dtype: np.dtype[Any]

    @property
    def law(self) -> str:
        """Name of the compiled material law."""

    @property
    def by_voxel(self) -> bool:
        """Whether no property is shared by samples."""

    @property
    def unknowns(self) -> int:
        """Unknowns a voxel."""

    @property
    def voxel(self) -> tuple[float, ...]:
        """Edges of a voxel."""

    @property
    def scale(self) -> np.ndarray:
        """Gradient, a kernel's component each, in that of the unit voxels which are solved."""

    def nodal(self, u: np.ndarray) -> np.ndarray:
        """Nodal values on unit voxels, from those on voxels of the true edges."""

    @property
    def unit_loads(self) -> np.ndarray:
        """Mean gradients, in the kernel's components, that find the effective property."""

    def constants(self, blocks: Sequence[np.ndarray]) -> np.ndarray:
        """Constants (constant, x, y[, z]) of one sample."""

    def reference(self, constants: np.ndarray) -> np.ndarray:
        """Property of the homogeneous medium of the preconditioner."""

    def values(
        self,
        constants: np.ndarray,
        labels: np.ndarray,
        solution: Solution,
        components: Sequence[str],
        local: bool,
    ) -> dict[str, np.ndarray]:
        """Means and, if ``local``, fields of each job, components on the last axis."""


def solved(
    *blocks: np.ndarray,
    phases: Phases,
    control: Control,
    load: Load,
    components: Sequence[str],
    outputs: Mapping[str, bool],
) -> dict[str, np.ndarray]:
    """Results of each sample of a block under one load; ``outputs`` tells which are fields.

    The last of ``blocks`` holds the names of the samples.
    """
    cells, names = blocks[:-1], blocks[-1]
    n = len(names)
    space = blocks[0].shape[1 : 1 + phases.dimensions]
    results = {
        name: np.empty((n, *space, len(components)), phases.dtype)
        if local
        else np.empty((n, len(components)))
        for name, local in outputs.items()
        if name not in STATE
    }
    state = _State(names)
    with Workers(control.threads) as workers, fft.threads(control.threads):
        batches = _solutions(cells, names, phases, control, [load], workers)
        for first, constants, solution in batches:
            state.put(first, solution, 1)
            batch = slice(first, first + len(constants))
            local = any(outputs[name] for name in results)
            values = phases.values(constants, blocks[0][batch], solution, components, local)
            for name, result in results.items():
                result[batch] = values[name]
    failed = state.failures(control)
    for result in results.values():
        result[failed] = np.nan
    return results | {name: getattr(state, name) for name in STATE if name in outputs}


def homogenized(*blocks: np.ndarray, phases: Phases, control: Control) -> np.ndarray:
    """Effective property of each sample, from its mean flux under each unit gradient."""
    cells, names = blocks[:-1], blocks[-1]
    units = phases.unit_loads
    kept = units.any(axis=0)
    n, size = len(names), len(units)
    cases = [Load(row, np.zeros(len(row)), np.zeros(len(row), bool)) for row in units]
    out = np.empty((n, size, size))
    state = _State(names)
    voxels = int(np.prod(blocks[0].shape[1 : 1 + phases.dimensions]))
    # The load cases of a cell go side by side, unless one alone fills the cache.
    groups = [cases] if voxels * phases.unknowns <= TOGETHER else [[case] for case in cases]
    with Workers(control.threads) as workers, fft.threads(control.threads):
        done = 0
        for group in groups:
            batches = _solutions(cells, names, phases, control, group, workers)
            for first, constants, solution in batches:
                state.put(first, solution, len(group))
                flux = solution.flux[:, kept].reshape(len(constants), len(group), size)
                columns = slice(done, done + len(group))
                out[first : first + len(constants), :, columns] = flux.transpose(0, 2, 1)
            done += len(group)
    out[state.failures(control)] = np.nan
    # What is left of asymmetry is the error of the solution.
    return (out + out.transpose(0, 2, 1)) / 2


def _solutions(
    blocks: Sequence[np.ndarray],
    names: np.ndarray,
    phases: Phases,
    control: Control,
    loads: Sequence[Load],
    workers: Workers,
) -> Iterator[tuple[int, np.ndarray, Solution]]:
    """First sample, constants and solution (jobs: sample by sample, load by load) of each batch."""
    n = len(names)
    space = blocks[0].shape[1 : 1 + phases.dimensions]
    unknowns = int(np.prod(space)) * phases.unknowns * len(loads)
    together = max(1, TOGETHER // unknowns) if not phases.by_voxel else 1
    green = None
    weights = phases.scale**2 if phases.law == "scalar" else None
    for first in range(0, n, together):
        samples = range(first, min(first + together, n))
        constants = np.stack([_constants(phases, blocks, names, i) for i in samples])
        gradient = np.tile([load.gradient / phases.scale for load in loads], (len(samples), 1))
        flux = np.tile([load.flux * phases.scale for load in loads], (len(samples), 1))
        free = loads[0].free
        if control.engine == "sfepy":
            yield first, constants, _by_sfepy(phases, constants, gradient, flux, free)
            continue
        reference = phases.reference(constants[0])
        if green is None or phases.by_voxel:
            symbol = np.diagonal(reference) if phases.law == "scalar" else reference
            green = green_blocks(symbol, constants.shape[2:], phases.dtype)
        which = np.repeat(np.arange(len(samples)), len(loads))
        load = which, gradient, flux, free, reference, green, control.tolerance, control.exactly
        if suits(phases.law, constants.shape[2:], reference):
            solution = solve_small(constants, *load, workers)
        else:
            solution = solve(VoxelOperator(phases.law, constants, workers, weights), *load)
        solution.gradient *= phases.scale
        solution.flux /= phases.scale
        yield first, constants, solution


def _constants(
    phases: Phases, blocks: Sequence[np.ndarray], names: np.ndarray, i: int
) -> np.ndarray:
    try:
        return phases.constants([b[i] for b in blocks])
    except DataError as error:
        raise DataError(f"sample {names[i]}: {error}") from None


def _by_sfepy(
    phases: Phases,
    constants: np.ndarray,
    gradient: np.ndarray,
    flux: np.ndarray,
    free: np.ndarray,
) -> Solution:
    """By a direct solver on voxels of their true edges; its residual is not known."""
    from mksdask.simulate.sfepy_engine import solve_cell

    per_sample = len(gradient) // len(constants)
    stretch = np.multiply.outer(phases.scale, phases.scale)
    found = []
    for job in range(len(gradient)):
        true = full_stiffness(constants[job // per_sample]).T / stretch
        load = gradient[job] * phases.scale, flux[job] / phases.scale
        found.append(solve_cell(true.T, *load, free, phases.voxel))
    u, mean_gradient, mean_flux = (np.stack(x) for x in zip(*found, strict=True))
    jobs = len(u)
    return Solution(
        phases.nodal(u).astype(constants.dtype),
        mean_gradient,
        mean_flux,
        np.zeros(jobs, np.int64),
        np.full(jobs, np.nan),
        np.ones(jobs, bool),
    )


class _State:
    """Convergence of each sample of a block, the worst of its load cases."""

    def __init__(self, names: np.ndarray):
        n = len(names)
        self.names = names
        self.iterations = np.zeros(n, np.int64)
        self.residual = np.zeros(n)
        self.converged = np.ones(n, bool)

    def put(self, first: int, solution: Solution, loads: int) -> None:
        """Take note of a batch."""
        where = slice(first, first + len(solution.residual) // loads)
        for mine, given, worst in (
            (self.iterations, solution.iterations, np.max),
            (self.residual, solution.residual, np.max),
            (self.converged, solution.converged, np.min),
        ):
            merged = worst(given.reshape(-1, loads), axis=1)
            mine[where] = worst([mine[where], merged], axis=0)

    def failures(self, control: Control) -> np.ndarray:
        """Samples to be blanked; raises if that is what the caller wants."""
        if control.exactly is not None:
            return np.zeros(len(self.converged), bool)
        failed = ~self.converged
        if failed.any() and control.on_failure == "raise":
            worst = float(self.residual.max())
            some = ", ".join(map(str, self.names[failed][:8])) + ", ..." * int(failed.sum() > 8)
            raise DataError(
                f"{failed.sum()} of {len(failed)} cells of a block (sample {some}) did not converge to "
                f"{control.tolerance:g}: relative residual {worst:.1e} after "
                f"{self.iterations.max()} iterations; use a lower contrast, a larger tolerance or "
                "dtype='float64', pass on_failure='flag' to blank these cells, or max_iterations "
                "for an estimate"
            )
        return failed
