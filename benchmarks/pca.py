"""Principal components of 20,000 x 9,261 float32 numbers, side by side with two others.

python benchmarks/pca.py [--rounds 3]

Variances fall like 0.8^k in amplitude over a floor of noise. Chunks of 1,000 samples lie in files
(NumPy's, mapped), which ours and dask-ml's IncrementalPCA read chunk by chunk; scikit-learn's
randomized PCA has all in memory before its clock starts. Each program runs in a process of its
own, in turn; peak memory is that of the whole process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

N, D, CHUNK, K = 20_000, 9_261, 1_000, 10
PROGRAMS = ("ours", "scikit-learn", "dask-ml")


def write_samples(path: Path, noise: float) -> None:
    """The samples, chunk by chunk."""
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.standard_normal((D, 60)))[0].T.astype(np.float32)
    x = np.lib.format.open_memmap(path, "w+", np.float32, (N, D))
    for i in range(0, N, CHUNK):
        scores = (rng.standard_normal((CHUNK, 60)) * 0.8 ** np.arange(60)).astype(np.float32)
        floor = noise * rng.standard_normal((CHUNK, D), dtype=np.float32)
        x[i : i + CHUNK] = scores @ directions + floor + np.float32(0.25)
    x.flush()


def exact_directions(path: Path) -> np.ndarray:
    """Leading directions to rounding: subspace iteration on all samples in double precision."""
    x = np.load(path, mmap_mode="r")
    mean = x.mean(axis=0, dtype=float)
    # Forty directions shrink the rest by the noise over s_10, squared, in each round: 1e-3 here.
    basis = np.random.default_rng(1).standard_normal((D, 4 * K))
    for _ in range(7):
        basis, image = np.linalg.qr(basis)[0], np.zeros_like(basis)
        for i in range(0, N, CHUNK):
            deviation = x[i : i + CHUNK] - mean
            image += deviation.T @ (deviation @ basis)
        _, vectors = np.linalg.eigh(basis.T @ image)
        basis = image
    rotated = np.linalg.qr(image @ vectors[:, ::-1])[0]
    return rotated[:, :K].T


def largest_angle(a: np.ndarray, b: np.ndarray) -> float:
    """Between the spaces spanned by the rows."""
    a, b = (np.linalg.qr(v.T.astype(float))[0].T for v in (a, b))
    return float(np.arcsin(np.linalg.norm(a - (a @ b.T) @ b, 2)))


def run(program: str, path: Path, out: Path) -> None:
    """One fit, in this process."""
    offset = np.load(path, mmap_mode="r").offset
    if program == "scikit-learn":
        from sklearn.decomposition import PCA

        data, model = np.load(path), PCA(K, svd_solver="randomized", random_state=0)
    else:
        import dask.array as da

        def read(block_info=None):
            (start, stop), _ = block_info[None]["array-location"]
            with path.open("rb") as file:
                file.seek(offset + start * D * 4)
                return np.fromfile(file, np.float32, (stop - start) * D).reshape(-1, D)

        chunks = ((CHUNK,) * (N // CHUNK), (D,))
        data = da.map_blocks(read, chunks=chunks, dtype=np.float32, meta=np.empty((0, 0), "f4"))
        if program == "ours":
            from mksdask.reduction import IncrementalPCA

            model = IncrementalPCA(n_components=K)
        else:
            from dask_ml.decomposition import IncrementalPCA

            model = IncrementalPCA(n_components=K, batch_size=CHUNK)
    begin = time.perf_counter()
    model.fit(data)
    seconds = time.perf_counter() - begin
    np.save(out, np.asarray(model.components_))
    print(json.dumps({"seconds": seconds, "peak": peak_memory()}))


def peak_memory() -> float:
    """Largest resident memory of this program in GB (of Linux; NaN elsewhere).

    Not that of getrusage, which starts from the memory of the parent process.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) * 1024 / 1e9 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Print times, angles and memory, with the goals beside them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--noise", type=float, default=1e-3)
    parser.add_argument("--folder", help="where to write 741 MB for the time of the run")
    parser.add_argument("--program", choices=PROGRAMS, help=argparse.SUPPRESS)
    parser.add_argument("--files", nargs=2, type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.program:
        run(args.program, *args.files)
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        samples = Path(folder) / "samples.npy"
        write_samples(samples, args.noise)
        truth = exact_directions(samples)
        seconds: dict[str, list[float]] = {p: [] for p in PROGRAMS}
        facts = {}
        for _ in range(args.rounds):
            for program in PROGRAMS:
                out = Path(folder) / f"{program}.npy"
                call = [sys.executable, __file__, "--program", program, "--files", samples, out]
                ran = subprocess.run(call, capture_output=True, text=True, check=False)
                if ran.returncode:
                    print(f"{program}: did not run: {ran.stderr.strip().splitlines()[-1]}")
                    continue
                said = json.loads(ran.stdout.splitlines()[-1])
                seconds[program].append(said["seconds"])
                facts[program] = (said["peak"], largest_angle(np.load(out), truth))
    for program, (peak, angle) in facts.items():
        best = min(seconds[program])
        print(f"{program}: {best:.2f} s, largest angle {angle:.1e} rad, peak {peak:.2f} GB")
    print("goals for ours: largest angle <= 1e-3 rad, peak <= 1 GB")
    for program, goal in (("scikit-learn", "<= 1.5"), ("dask-ml", "< 1")):
        if seconds[program]:
            each = np.array(seconds["ours"]) / np.array(seconds[program])
            best = min(seconds["ours"]) / min(seconds[program])
            print(
                f"ours / {program}: {best:.2f} by smallest times, {np.median(each):.2f} in the "
                f"median of rounds [{goal}]"
            )


if __name__ == "__main__":
    main()
