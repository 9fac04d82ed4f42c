"""Cahn-Hilliard: reference numbers, conservation, energy, growth rates, laziness, bad calls."""

from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mksdask.errors import DataError
from mksdask.simulate import cahn_hilliard, concentration_noise, free_energy
from mksdask.simulate.cahn_hilliard import largest_stable_step

REFERENCE = Path(__file__).parents[1] / "reference" / "cahn_hilliard.npz"


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_reference_numbers(ndim):
    with np.load(REFERENCE) as reference:
        start = reference[f"{ndim}d_initial"]
        wanted = reference[f"{ndim}d_50steps_dx0.25_dt0.001_gamma1"]
    found = cahn_hilliard(start, 50, dx=0.25, dt=1e-3, gamma=1.0)
    np.testing.assert_allclose(found, wanted, atol=1e-13)


def direct_step(c, dx, dt, gamma):
    """One step by full complex sums over an explicit Fourier matrix, on a rectangle."""
    waves = [2 * np.pi * np.fft.fftfreq(n, h) for n, h in zip(c.shape, dx, strict=True)]
    fx, fy = (np.exp(-2j * np.pi * np.outer(range(n), range(n)) / n) for n in c.shape)
    k2 = waves[0][:, None] ** 2 + waves[1] ** 2
    above = (fx @ c @ fy) * (1 + 3 * dt * k2) - dt * k2 * (fx @ c**3 @ fy)
    new = above / (1 - dt * k2 * (1 - gamma * k2 - 3))
    return (fx.conj() @ new @ fy.conj()).real / c.size


@pytest.mark.parametrize("shape", [(6, 9), (7, 4)])
def test_a_rectangle_with_its_own_spacing_on_each_axis(shape):
    start = np.random.default_rng(0).uniform(-1, 1, (1, *shape))
    wanted = start[0]
    for _ in range(3):
        wanted = direct_step(wanted, (0.3, 0.7), 2 * 0.005, 1.5)
    found = cahn_hilliard(start, 3, dx=(0.3, 0.7), dt=0.005, gamma=1.5, mobility=2)
    np.testing.assert_allclose(found[0], wanted, atol=1e-13)


def test_a_small_wave_grows_at_its_linear_rate():
    n, dx, gamma = 32, 0.5, 1.0
    k = 2 * np.pi * 2 / (n * dx)
    wave = 1e-6 * np.cos(k * dx * np.arange(n))[None]
    grown = cahn_hilliard(wave, 2000, dx=dx, dt=1e-3, gamma=gamma)
    rate = np.log(grown[0, 0] / wave[0, 0]) / 2
    assert rate == pytest.approx(k**2 * (1 - gamma * k**2), rel=2e-3)


@pytest.mark.parametrize(
    ("shape", "dx", "dt", "gamma"),
    [
        ((64,), 0.5, 0.5, 1.0),
        ((24, 17), (0.25, 0.4), 0.01, 1.0),
        ((9, 8, 10), 0.5, 0.1, 0.5),
        ((24, 24), 0.25, 1e-3, 1.0),
    ],
)
def test_mass_is_kept_and_energy_never_rises(shape, dx, dt, gamma):
    start = concentration_noise(2, shape, mean=0.1, amplitude=0.9, seed=3)
    run = cahn_hilliard(start, steps=range(0, 301, 3), dx=dx, dt=dt, gamma=gamma).compute()
    space = start.dims[1:]
    np.testing.assert_allclose(run.mean(space), 0.1, atol=2e-15)
    energy = free_energy(run, dx=dx, gamma=gamma)
    assert energy.dims == ("sample", "step")
    assert (energy.diff("step") <= 1e-13 * abs(energy).max()).all()
    assert (energy.isel(step=-1) < energy.isel(step=0)).all()


def test_energy_of_a_wave_is_the_integral():
    n, dx, gamma = 40, 0.3, 0.7
    k = 2 * np.pi * 3 / (n * dx)
    wave = 0.5 * np.cos(k * dx * np.arange(n))[None]
    # Means over a period: c^2 = a^2/2, c^4 = 3 a^4/8, |dc/dx|^2 = k^2 a^2/2.
    mean = (3 * 0.5**4 / 8 - 0.5**2 + 1) / 4 + gamma / 2 * k**2 * 0.5**2 / 2
    assert free_energy(wave, dx=dx, gamma=gamma)[0] == pytest.approx(mean * n * dx, rel=1e-12)
    highest = np.where(np.arange(n) % 2, -1.0, 1.0)[None]
    assert free_energy(highest, dx=dx)[0] == pytest.approx(0.5 * (np.pi / dx) ** 2 * n * dx)


def test_energy_never_rises_up_to_the_stated_amplitude():
    amplitude, gamma = 3.0, 1.0
    start = np.random.default_rng(1).uniform(-amplitude, amplitude, (4, 32, 32))
    run = cahn_hilliard(
        xr.DataArray(start, dims=("sample", "x", "y")),
        steps=[0, 1, 2, 3],
        dx=0.25,
        dt=largest_stable_step(amplitude, gamma),
    )
    assert (free_energy(run).diff("step") <= 0).all()


def test_snapshots():
    start = concentration_noise(3, (16, 16), seed=2)
    run = cahn_hilliard(start, 30, save_every=10)
    np.testing.assert_array_equal(run["step"], [10, 20, 30])
    assert run.dims == ("sample", "step", "x", "y")
    np.testing.assert_array_equal(run.isel(step=-1), cahn_hilliard(start, 30))
    chosen = cahn_hilliard(start, steps=[0, 7])
    np.testing.assert_allclose(chosen.isel(step=0), start, atol=1e-15)
    np.testing.assert_array_equal(cahn_hilliard(start, 0), start)
    assert chosen.attrs["dx"] == [0.25, 0.25]


def test_chunks_and_kinds():
    start = concentration_noise(6, (12, 10), seed=5, chunks=2)
    lazy = cahn_hilliard(start, 20)
    assert isinstance(lazy.data, da.Array)
    assert len(dict(lazy.data.dask)) <= 3 * 3
    wanted = cahn_hilliard(start.values, 20)
    assert isinstance(wanted, np.ndarray)
    np.testing.assert_array_equal(lazy, wanted)
    np.testing.assert_array_equal(cahn_hilliard(start.chunk(sample=6), 20), wanted)
    turned = cahn_hilliard(start.transpose("x", "sample", "y"), 20)
    np.testing.assert_array_equal(turned.transpose("sample", "x", "y"), wanted)
    with pytest.raises(ValueError, match=r"chunked along \['x'\]"):
        cahn_hilliard(start.chunk(x=3), 20)


def test_single_precision():
    start = concentration_noise(2, (16, 16), seed=5, amplitude=0.5)
    found = cahn_hilliard(start.astype(np.float32), 50)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, cahn_hilliard(start, 50), atol=2e-6)
    assert concentration_noise(1, (4,), dtype=np.float32).dtype == np.float32


def test_noise_has_its_mean_range_and_seed():
    start = concentration_noise(5, (30, 30), mean=-0.3, amplitude=0.05, seed=8)
    np.testing.assert_allclose(start.mean(("x", "y")), -0.3, atol=1e-15)
    assert abs(start + 0.3).max() < 0.055
    assert float(start.std()) == pytest.approx(0.05 / np.sqrt(3), rel=0.05)
    part = concentration_noise(2, (30, 30), mean=-0.3, amplitude=0.05, seed=8, first_sample=2)
    np.testing.assert_array_equal(part, start[2:4])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dt": 1.0}, "dt is 1, too large for gamma 1.*choose dt <= 0.72"),
        ({"dt": 0.01, "mobility": 100}, "choose dt <= 0.0072"),
        ({"dt": 0}, "dt is 0"),
        ({"dt": np.nan}, "dt is nan"),
        ({"gamma": -1}, "gamma is -1"),
        ({"mobility": 0}, "mobility is 0"),
        ({"dx": 0}, "dx is 0"),
        ({"dx": (1, 1, 1)}, "dx has shape"),
        ({"n_steps": -1}, "n_steps is -1"),
        ({"n_steps": 1.5}, "n_steps is 1.5"),
        ({"n_steps": None}, "n_steps is missing"),
        ({"save_every": 0}, "save_every is 0"),
        ({"save_every": 11}, "save_every is 11"),
        ({"steps": [1]}, "leave out n_steps"),
        ({"n_steps": None, "steps": [3, 2]}, "each larger"),
        ({"n_steps": None, "steps": []}, "wanted whole numbers"),
        ({"n_steps": None, "steps": [1.5]}, "wanted whole numbers"),
    ],
)
def test_bad_calls_are_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        cahn_hilliard(da.zeros((2, 4, 4)), **{"n_steps": 10, **changes})


def test_bad_fields_are_refused():
    with pytest.raises(ValueError, match="wanted sample"):
        cahn_hilliard(xr.DataArray(np.zeros((2, 4)), dims=("x", "y")), 1)
    with pytest.raises(ValueError, match="field has 1 axes"):
        cahn_hilliard(np.zeros(4), 1)
    with pytest.raises(TypeError, match="complex128"):
        cahn_hilliard(np.zeros((2, 4), complex), 1)
    with pytest.raises(TypeError, match="list"):
        cahn_hilliard([[1.0]], 1)
    broken = np.zeros((2, 4, 4))
    broken[1, 2, 2] = np.nan
    with pytest.raises(DataError, match="step 0 is not finite"):
        cahn_hilliard(broken, 1)
    with pytest.raises(DataError, match=r"reaches 20 at step 0.*choose at most"):
        cahn_hilliard(np.full((1, 4, 4), 20.0), 1)
    with pytest.raises(ValueError, match="amplitude is 0"):
        concentration_noise(1, (4,), amplitude=0)
    with pytest.raises(ValueError, match="mean is inf"):
        concentration_noise(1, (4,), mean=np.inf)
    with pytest.raises(TypeError, match="dtype is int"):
        concentration_noise(1, (4,), dtype=int)
