"""Elasticity: against SfePy, against its own transforms, across grids, threads and memory.

    python benchmarks/elasticity.py [sfepy | small_cells] [iteration] [grids] [threads] [memory]

Each line ends with the goal. Sides that are compared run alternately; ratios are of minima.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable

import dask.array as da
import numpy as np

from mksdask import fft, generate
from mksdask.pipeline.peak import peak_memory
from mksdask.simulate import cg, elasticity, isotropic
from mksdask.simulate.cells import ElasticPhases
from mksdask.simulate.green import green_blocks
from mksdask.simulate.sfepy_engine import solve_cell
from mksdask.simulate.voxel_operator import VoxelOperator, Workers


def cells(shape: tuple[int, ...], n: int = 1, seed: int = 0) -> np.ndarray:
    """Two-phase cells of grains a few voxels wide."""
    return generate.multiphase(
        n, shape, grain_size=[min(5, s) for s in shape], fractions=(0.5, 0.5), seed=seed
    ).values


def timed(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    start = clock()
    work()
    return clock() - start


def alternately(
    repeats: int, *sides: Callable[[], object], clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Shortest time of each side; one thread's own clock is not disturbed by its neighbours."""
    for side in sides:
        side()
    times = [[timed(side, clock) for side in sides] for _ in range(repeats)]
    return np.min(times, axis=0).tolist()


def sfepy() -> None:
    stiffness = np.array([isotropic(1.0, 0.3), isotropic(10.0, 0.3)])
    phase = cells((17, 17, 17))
    args = {"youngs_modulus": (1.0, 10.0), "poissons_ratio": (0.3, 0.3), "macro_strain": 0.01}
    kwargs = {"tolerance": 1e-9, "outputs": ("stress",)}
    ours = elasticity(phase, **args, **kwargs)
    held = np.zeros(6, bool)
    mean = np.array([0.01, 0, 0, 0, 0, 0])
    small = np.moveaxis(stiffness[cells((3, 3, 3))[0]], (-2, -1), (0, 1))
    solve_cell(small, mean, mean, held)  # imports
    start = time.process_time()
    theirs = elasticity(phase, **args, engine="sfepy", outputs=("stress",))
    slow = time.process_time() - start
    [fast] = alternately(5, lambda: elasticity(phase, **args, **kwargs), clock=time.process_time)
    error = float(np.abs(ours.stress - theirs.stress).max() / np.abs(theirs.stress).max())
    print(
        f"17^3: SfePy {slow:.2f} s, ours {fast * 1e3:.1f} ms, {slow / fast:.0f} times "
        f"(difference {error:.1e} <= 1e-8) [>= 100]"
    )
    small_cells()


def small_cells() -> None:
    """100 cells of 21 x 21 against SfePy: setting of the literature, and a higher contrast."""
    against_sfepy("E 310, 200, nu 0.28, 0.3", (310.0, 200.0), (0.28, 0.3))
    against_sfepy("contrast 10", (1.0, 10.0), (0.3, 0.3))


def against_sfepy(name: str, young: tuple[float, float], poisson: tuple[float, float]) -> None:
    """By the time of one thread, and by the clock on all cores; what the transforms alone take."""
    phase = cells((21, 21), 100)
    args = {"youngs_modulus": young, "poissons_ratio": poisson, "macro_strain": 0.01}
    # the largest tolerance with which fields agree to 1e-8
    kwargs = {**args, "tolerance": 5e-9, "outputs": ("stress",)}
    ours = elasticity(phase, **kwargs)
    start, wall = time.process_time(), time.perf_counter()
    theirs = elasticity(phase, **args, engine="sfepy", outputs=("stress",))
    slow, slow_wall = time.process_time() - start, time.perf_counter() - wall
    [fast] = alternately(15, lambda: elasticity(phase, **kwargs), clock=time.process_time)
    error = float(np.abs(ours.stress - theirs.stress).max() / np.abs(theirs.stress).max())
    print(
        f"21 x 21, 100 cells, {name}: SfePy {slow:.2f} s, ours {fast * 1e3:.1f} ms, "
        f"{slow / fast:.0f} times (difference {error:.1e} <= 1e-8) [>= 200]"
    )
    chunks = da.from_array(np.tile(phase, (16, 1, 1)), chunks=(200, -1, -1))
    [together] = alternately(3, lambda: elasticity(chunks, **kwargs).compute())
    print(
        f"the same, 1,600 cells in 8 chunks, by the clock: {together / 16 * 1e3:.1f} ms a 100 "
        f"cells on {os.cpu_count()} cores, SfePy {slow_wall:.2f} s, "
        f"{slow_wall / together * 16:.0f} times"
    )
    iterations = int(
        elasticity(phase, **args, tolerance=5e-9, outputs=("iterations",)).iterations.max()
    )
    x = np.random.default_rng(0).standard_normal((100, 2, 21, 21))
    spectrum = fft.rfftn(x, axes=(2, 3))

    def transforms() -> None:
        fft.rfftn(x, axes=(2, 3))
        fft.irfftn(spectrum, s=(21, 21), axes=(2, 3))

    matrix, columns = x[0, 0], np.ascontiguousarray(x[:16].transpose(1, 2, 3, 0))

    def products() -> None:
        for _ in range(2):
            np.matmul(matrix, columns.reshape(2, 21, -1))
            np.matmul(matrix, columns)

    both, lanes = alternately(30, transforms, products, clock=time.process_time)
    print(
        f"of which the transforms of {iterations} iterations alone: {iterations * both * 1e3:.0f} ms "
        f"as fast transforms, {iterations * lanes * 100 / 16 * 1e3:.0f} ms as products"
    )


def iteration() -> None:
    for name, poisson, goal in (("equal", (0.3, 0.3), 2.1), ("different", (0.3, 0.2), 2.5)):
        each, transforms = one_iteration(poisson)
        print(
            f"51^3, {name} Poisson's ratios: iteration {each * 1e3:.1f} ms, transforms "
            f"{transforms * 1e3:.1f} ms, ratio {each / transforms:.2f} [<= {goal}]"
        )


def one_iteration(poisson: tuple[float, float], n: int = 51) -> tuple[float, float]:
    """Seconds of an iteration, and of three forward and three inverse transforms."""
    phase = cells((n, n, n))[0]
    x = np.random.default_rng(0).standard_normal((1, 3, n, n, n))
    spectrum = fft.rfftn(x, axes=(2, 3, 4))
    table = np.array([isotropic(1.0, poisson[0]), isotropic(10.0, poisson[1])])
    phases = ElasticPhases(table, True, 3, "strain", False, np.dtype(float), (1.0, 1.0, 1.0))
    constants = phases.constants([phase])[None]
    reference = phases.reference(constants[0])
    green = green_blocks(reference, (n, n, n))
    mean, nothing, held = np.eye(6)[:1], np.zeros((1, 6)), np.zeros(6, bool)
    which = np.zeros(1, int)

    def transforms() -> None:
        fft.rfftn(x, axes=(2, 3, 4))
        fft.irfftn(spectrum, s=(n, n, n), axes=(2, 3, 4))

    with Workers(1) as workers:
        operator = VoxelOperator("isotropic", constants, workers)

        def iterations(count: int) -> None:
            cg.solve(operator, which, mean, nothing, held, reference, green, 1e-6, count)

        few, many, two_way = alternately(
            9, lambda: iterations(2), lambda: iterations(12), transforms, clock=time.thread_time
        )
    return (many - few) / 10, two_way


def grids() -> None:
    counts = {}
    for n in (31, 51, 81):
        found = elasticity(
            cells((n, n, n)), (1.0, 10.0), (0.3, 0.3), macro_strain=1.0, outputs=("iterations",)
        )
        counts[n] = int(found.iterations[0])
    print(f"iterations by grid, contrast 10, 1e-6: {counts} [within +-3]")


def _spin(seconds: float) -> int:
    """Work of a bare process: how often it transforms a small array in a given time."""
    x = np.random.default_rng(0).standard_normal((51, 51, 51))
    count, stop = 0, time.perf_counter() + seconds
    while time.perf_counter() < stop:
        fft.rfftn(x, axes=(0, 1, 2))
        count += 1
    return count


def threads() -> None:
    phase = cells((51, 51, 51), 2)
    args = {"youngs_modulus": (1.0, 10.0), "poissons_ratio": (0.3, 0.3), "macro_strain": 1.0}
    args |= {"outputs": ("mean_stress",), "max_iterations": 15}

    def solve(samples: slice, n: int = 1) -> None:
        elasticity(phase[samples], **args, threads=n)

    def side_by_side() -> None:
        both = [threading.Thread(target=solve, args=(slice(i, i + 1),)) for i in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()

    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(_spin, [0.1, 0.1])
        single, double = [], []
        for _ in range(4):
            single.append(pool.apply(_spin, (0.7,)))
            double.append(sum(pool.map(_spin, [0.7, 0.7], chunksize=1)))
    alone, together, shared = alternately(
        7, lambda: solve(slice(0, 1)), side_by_side, lambda: solve(slice(0, 1), 2)
    )
    print(
        f"two bare processes {max(double) / max(single):.2f} times one; two samples side by side "
        f"{2 * alone / together:.2f} [>= 1.7 of 2], one sample on two threads "
        f"{alone / shared:.2f} [>= 1.7 of 2]"
    )


def memory() -> None:
    phase = cells((128, 128, 128))
    start = time.perf_counter()
    found = elasticity(
        phase,
        (1.0, 100.0),
        (0.3, 0.3),
        macro_strain=1.0,
        outputs=("strain", "mean_stress", "iterations"),
    )
    seconds = time.perf_counter() - start
    peak = peak_memory() / 2**30
    print(
        f"128^3, contrast 100: {int(found.iterations[0])} iterations, {seconds:.1f} s, peak "
        f"memory of the process {peak:.2f} GiB [<= 4]"
    )


if __name__ == "__main__":
    parts = {"sfepy": sfepy, "iteration": iteration, "grids": grids, "threads": threads}
    parts["memory"] = memory
    single = {**parts, "small_cells": small_cells}  # which is the second half of sfepy
    for part in sys.argv[1:] or parts:
        single[part]()
