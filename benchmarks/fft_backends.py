"""SciPy against pyFFTW: what decides the default backend of ``mksdask.fft``.

One forward and one inverse real transform of a block of samples, through the package's own
functions, both sides in turn; plans of pyFFTW are made before the clock starts and their cost is
printed beside.
"""

import time

import numpy as np

from mksdask import fft

BLOCKS = [
    (40, 128, 128),
    (100, 101, 101),
    (8, 51, 51, 51),
    (8, 64, 64, 64),
    (4, 67, 67, 67),
    (1, 128, 128, 128),
]
REPEATS = 7


def round_trip(x, axes):
    return fft.irfftn(fft.rfftn(x, axes=axes), s=x.shape[1:], axes=axes)


def main():
    ratios = {}
    print(f"{'block':>20} {'dtype':>8} {'scipy ms':>9} {'fftw ms':>8} {'plan ms':>8} scipy/fftw")
    for dtype in ("float64", "float32"):
        for shape in BLOCKS:
            x = np.random.default_rng(0).normal(size=shape).astype(dtype)
            axes = tuple(range(1, x.ndim))
            times = {name: [] for name in fft.BACKENDS}
            start = time.perf_counter()
            with fft.use_backend("pyfftw"):
                round_trip(x, axes)
            plan = time.perf_counter() - start
            for _ in range(REPEATS):
                for name in fft.BACKENDS:
                    with fft.use_backend(name):
                        start = time.perf_counter()
                        round_trip(x, axes)
                        times[name].append(time.perf_counter() - start)
            best = {name: min(t) for name, t in times.items()}
            ratio = best["scipy"] / best["pyfftw"]
            ratios.setdefault(dtype, []).append(ratio)
            print(
                f"{'x'.join(map(str, shape)):>20} {dtype:>8} {1e3 * best['scipy']:9.1f} "
                f"{1e3 * best['pyfftw']:8.1f} {1e3 * (plan - best['pyfftw']):8.0f} {ratio:10.2f}"
            )
    for dtype, values in ratios.items():
        print(f"geometric mean scipy/fftw, {dtype}: {np.exp(np.mean(np.log(values))):.2f}")


if __name__ == "__main__":
    main()
