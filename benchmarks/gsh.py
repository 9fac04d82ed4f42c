"""Generalized spherical harmonics: against PyMKS on the same orientations, and their memory.

    python benchmarks/gsh.py --pymks PATH/TO/python

Evaluates all functions of cubic crystals up to degree 10 at a million orientations, and of grains
(each orientation many times); then measures the memory that evaluation takes beyond its result.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np

from mksdask.bases import GSHBasis
from mksdask.generate import uniform_orientations

PEER = """
import sys, time
import numpy as np
np.complex = complex
from pymks.bases.gsh_functions import cub_eval
angles = np.load(sys.argv[1])
states = np.arange(80)
cub_eval(angles[:100], states)
start = time.perf_counter()
values = cub_eval(angles, states)
print(time.perf_counter() - start)
np.save(sys.argv[2], values[:1000])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pymks", help="interpreter with PyMKS")
    parser.add_argument("--n", type=int, default=1_000_000, help="orientations")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    angles = uniform_orientations(np.random.default_rng(0), args.n)
    full = GSHBasis("cubic", max_degree=10, form="complex")
    forms = {"complex": full, "real": GSHBasis("cubic", max_degree=10)}
    ours: dict[str, list[float]] = {name: [] for name in forms}
    peer: list[float] = []
    for basis in forms.values():
        basis.expand(angles[:5000])
    with tempfile.TemporaryDirectory() as folder:
        # The reference takes phi1 for phi2 in its cubic functions.
        np.save(f"{folder}/angles.npy", angles[:, ::-1])
        for _ in range(args.rounds):
            for name, basis in forms.items():
                start = time.perf_counter()
                values = basis.coefficients(angles, range(basis.n_states))
                ours[name].append(time.perf_counter() - start)
                if name == "complex":
                    first = values[:, :1000].T.copy()
                del values
            if args.pymks:
                peer.append(_peer(args.pymks, folder))
        if args.pymks:
            apart = np.abs(np.load(f"{folder}/values.npy") - first).max()
            print(f"largest difference to PyMKS: {apart:.1e}")
    for name, times in ours.items():
        line = f"{args.n} orientations, 80 functions, {name} form: {min(times):.2f} s"
        if peer:
            ratio = np.median(np.array(peer) / times)
            line += f"; PyMKS {min(peer):.1f} s, {ratio:.0f} times [goal >= 10]"
        print(line)
    _grains(forms["real"], args.n)
    _memory(forms["real"])


def _peer(python: str, folder: str) -> float:
    script = Path(folder) / "peer.py"
    script.write_text(PEER)
    done = subprocess.run(
        [python, "-W", "ignore", str(script), f"{folder}/angles.npy", f"{folder}/values.npy"],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def _grains(basis: GSHBasis, n: int) -> None:
    """Runs of ten equal voxels out of 1000 grains, beside all different ones."""
    rng = np.random.default_rng(0)
    grains = uniform_orientations(rng, 1000)
    field = np.repeat(grains[rng.integers(0, 1000, n // 10)], 10, axis=0)
    every = uniform_orientations(rng, len(field))
    times: dict[str, list[float]] = {"grains": [], "all different": []}
    for _ in range(3):
        for name, angles in (("grains", field), ("all different", every)):
            start = time.perf_counter()
            basis.coefficients(angles, range(basis.n_states))
            times[name].append(time.perf_counter() - start)
    ratio = min(times["all different"]) / min(times["grains"])
    print(f"1000 grains in {len(field)} voxels: {min(times['grains']):.2f} s, {ratio:.1f} times "
          "faster than as many different orientations")  # fmt: skip


def _memory(basis: GSHBasis) -> None:
    for n in (50_000, 200_000):
        angles = uniform_orientations(np.random.default_rng(0), n)
        basis.coefficients(angles[:10], range(basis.n_states))
        tracemalloc.start()
        values = basis.coefficients(angles, range(basis.n_states))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        print(f"{n} orientations: result {values.nbytes / 2**20:.0f} MiB, beyond it "
              f"{(peak - values.nbytes) / 2**20:.1f} MiB")  # fmt: skip


if __name__ == "__main__":
    main()
