"""Multiphase microstructures: fractions, grain shapes, seeds, chunking and bad calls."""

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

from mksdask.generate import blur, multiphase


def reference_filter(shape, grain_size):
    """The reference's filter: the spectrum of ones, filtered at unit width, zero-padded."""
    small = np.fft.fftshift(
        scipy.ndimage.fourier_gaussian(np.ones(grain_size), np.ones(len(shape)))
    )
    padded = np.zeros(shape)
    corner = tuple(
        slice(n // 2 - g // 2, n // 2 - g // 2 + g) for n, g in zip(shape, grain_size, strict=True)
    )
    padded[corner] = small
    return np.fft.ifftshift(padded)


@pytest.mark.parametrize(
    ("shape", "grain_size"), [((11, 9), (5, 3)), ((15,), (7,)), ((6, 7, 5), (1, 7, 3))]
)
def test_field_is_the_reference_filter_on_uniform_noise(shape, grain_size):
    flat = multiphase(2, shape, 1, continuous=True, seed=4).values
    field = multiphase(2, shape, grain_size, continuous=True, seed=4)
    weights = reference_filter(shape, grain_size)
    axes = tuple(range(1, len(shape) + 1))
    spectrum = np.fft.fftn(weights / weights.sum())
    wanted = np.fft.ifftn(np.fft.fftn(flat, axes=axes) * spectrum, axes=axes).real
    np.testing.assert_allclose(field, wanted, atol=1e-13)
    assert field.name == "field"
    assert 0 <= flat.min() < 0.1
    assert 0.9 < flat.max() < 1


def test_transforms_and_matrices_smooth_alike(monkeypatch):
    noise = np.random.default_rng(0).random((12, 9, 10))
    kernels = [blur.gaussian_kernel(n, s) for n, s in zip(noise.shape, (1.5, 0.7, 3), strict=True)]
    by_matrix = blur.smoothed(noise, [blur.axis_filter(k) for k in kernels])
    monkeypatch.setattr(blur, "MATRIX_LIMIT", 0)
    by_transform = blur.smoothed(noise, [blur.axis_filter(k) for k in kernels])
    np.testing.assert_allclose(by_transform, by_matrix, atol=1e-13)
    by_scipy = scipy.ndimage.gaussian_filter(noise, (1.5, 0.7, 3), mode="wrap", truncate=9)
    np.testing.assert_allclose(by_matrix, by_scipy, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    shares=st.lists(st.integers(0, 20), min_size=1, max_size=5).filter(any),
    n=st.integers(3, 9),
    seed=st.integers(0, 2**40),
)
def test_cumulated_fractions_are_met_within_half_a_voxel(shares, n, seed):
    shares = np.array(shares) / sum(shares)
    phase = multiphase(2, (n, n + 2), 2, shares, seed=seed).values
    counts = np.stack([(phase == i).sum(axis=(1, 2)) for i in range(len(shares))], axis=1)
    wanted = np.cumsum(shares) * n * (n + 2)
    assert (np.abs(np.cumsum(counts, axis=1) - wanted) <= 0.5 + 1e-9).all()


def test_fractions_one_a_sample_and_their_variance():
    shares = np.array([[0.2, 0.8], [0.6, 0.4]])
    phase = multiphase(2, (20, 20), 3, shares)
    np.testing.assert_allclose((phase == 0).mean(("x", "y")), [0.2, 0.6])
    np.testing.assert_array_equal(phase.fraction_1, [0.8, 0.4])
    varied = multiphase(400, (20, 20), 3, (0.3, 0.7), fraction_variance=0.1)
    found = (varied == 0).mean(("x", "y")).values
    assert found.min() >= 0.2 - 1e-9
    assert found.max() <= 0.4 + 1e-9
    # The moments of a uniform number in 0.3 +- 0.1, four standard errors of 400 samples around.
    assert abs(found.mean() - 0.3) < 4 * 0.0577 / 20
    assert abs(found.std() - 0.1 / np.sqrt(3)) < 0.01


def test_without_fractions_the_range_is_cut_evenly():
    phase = multiphase(5, (30, 30), (6, 6), n_phases=3, seed=2)
    field = multiphase(5, (30, 30), (6, 6), continuous=True, seed=2)
    low, high = field.min(("x", "y")), field.max(("x", "y"))
    wanted = np.minimum((3 * (field - low) / (high - low)).astype(int), 2)
    np.testing.assert_array_equal(phase, wanted)
    assert len(np.unique((phase == 1).mean(("x", "y")))) > 1
    assert phase.attrs["provenance"]["parameters"]["n_phases"] == 3


def correlation_length(phase, dim):
    """Where the autocorrelation of the fluctuation along a dimension falls below 1/2."""
    fluctuation = phase.values.astype(float) - phase.values.mean()
    axis = phase.dims.index(dim)
    correlation = [
        (fluctuation * np.roll(fluctuation, r, axis)).mean() / fluctuation.var() for r in range(12)
    ]
    return np.interp(0.5, correlation[::-1], np.arange(12)[::-1])


def test_grains_are_as_long_as_asked_and_isotropic_where_equal():
    equal = multiphase(60, (48, 48), (12, 12), (0.5, 0.5), seed=5)
    assert correlation_length(equal, "x") == pytest.approx(correlation_length(equal, "y"), rel=0.1)
    longer = multiphase(60, (48, 48), (24, 12), (0.5, 0.5), seed=5)
    ratio = correlation_length(longer, "x") / correlation_length(longer, "y")
    assert ratio == pytest.approx(2, rel=0.1)
    # For a Gaussian field cut in the middle, f = 2/pi asin(rho), rho = exp(-r^2 / 4 s^2).
    half = 2 * 24 / (2 * np.pi) * np.sqrt(-np.log(np.sin(np.pi / 4)))
    assert correlation_length(longer, "x") == pytest.approx(half, rel=0.1)


def test_grain_size_one_a_sample():
    sizes = [[2, 9], [9, 2]]
    phase = multiphase(2, (30, 30), sizes, (0.5, 0.5), seed=3)
    np.testing.assert_array_equal(phase.grain_size_x, [2, 9])
    alone = multiphase(1, (30, 30), sizes[1:], (0.5, 0.5), seed=3, first_sample=1)
    np.testing.assert_array_equal(phase[1:], alone)


def test_samples_depend_on_seed_and_index_only():
    call = {"shape": (9, 8, 7), "grain_size": 3, "fractions": (0.4, 0.6), "seed": 11}
    whole = multiphase(12, chunks=12, **call)
    np.testing.assert_array_equal(multiphase(12, chunks=5, **call), whole)
    part = multiphase(4, first_sample=6, chunks=3, **call)
    np.testing.assert_array_equal(part, whole[6:10])
    np.testing.assert_array_equal(part["sample"], [6, 7, 8, 9])
    assert not (multiphase(12, **{**call, "seed": 12}) == whole).all()
    assert len({sample.tobytes() for sample in whole.values}) == 12


def test_it_is_lazy_labelled_and_light():
    phase = multiphase(100_000, (21, 21), 5, (0.5, 0.5), chunks=100)
    assert phase.chunksizes["sample"][0] == 100
    assert phase.dims == ("sample", "x", "y")
    assert phase.dtype == np.uint8
    assert len(dict(phase.data.dask)) <= 3 * 1000
    assert phase.attrs["periodic"] == ["x", "y"]
    assert multiphase(1000, (51, 51, 51), 5).chunksizes["sample"][0] == 63


def test_classes():
    classes = [
        {"grain_size": (15, 2), "n_samples": 3},
        {"n_samples": 2, "fractions": (0.25, 0.75)},
        {"grain_size": (2, 2), "n_samples": 4},
    ]
    call = {
        "shape": (20, 20),
        "grain_size": (7, 7),
        "fractions": (0.5, 0.5),
        "classes": classes,
        "seed": 1,
    }
    phase = multiphase(**call)
    np.testing.assert_array_equal(phase["class"], [0, 0, 0, 1, 1, 2, 2, 2, 2])
    np.testing.assert_array_equal(phase.grain_size_x, [15, 15, 15, 7, 7, 2, 2, 2, 2])
    np.testing.assert_allclose((phase == 0).mean(("x", "y"))[2:5], [0.5, 0.25, 0.25])
    part = multiphase(first_sample=4, **call)
    np.testing.assert_array_equal(part, phase[4:])
    np.testing.assert_array_equal(part["class"], phase["class"][4:])
    scalar = multiphase(shape=(20, 20), classes=[{"grain_size": 3, "n_samples": 2}])
    assert scalar.sizes["sample"] == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fractions": (0.3, 0.6)}, "fractions sum to 0.9.*divide"),
        ({"fractions": (-0.1, 1.1)}, "fractions has the value -0.1"),
        ({"fractions": [[0.5, 0.5]] * 2}, "fractions has shape"),
        ({"fractions": (np.nan, 1.0)}, "fractions has the value nan"),
        ({"n_phases": 3}, "n_phases is 3 but 2 fractions"),
        ({"fractions": None, "n_phases": 0}, "n_phases is 0"),
        ({"fractions": None, "n_phases": 300}, "n_phases is 300"),
        ({"fractions": None, "fraction_variance": 0.1}, "no fractions are given"),
        ({"fraction_variance": 0.6}, "fraction_variance is 0.6.*at most 0.5"),
        ({"fraction_variance": -1}, "fraction_variance is -1"),
        ({"grain_size": (11, 3)}, "grain_size along x is 11, longer than the axis of 10 voxels"),
        ({"grain_size": 0}, "grain_size has the value 0"),
        ({"grain_size": (np.nan, 2)}, "grain_size has the value nan"),
        ({"grain_size": (2, 2, 2)}, "grain_size has shape"),
        ({"grain_size": [[2, 2]] * 5}, "grain_size has shape"),
        ({"grain_size": None}, "grain_size is missing"),
        ({"shape": (10, 10, 10, 10)}, "shape is"),
        ({"shape": (10, 0)}, "shape is"),
        ({"shape": (10, 4.5)}, "shape is"),
        ({"n_samples": 0}, "n_samples is 0"),
        ({"n_samples": 2.0}, "n_samples is 2.0"),
        ({"n_samples": None}, "n_samples is missing"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": None}, "seed is None"),
        ({"first_sample": -1}, "first_sample is -1"),
        ({"chunks": 0}, "chunks is 0"),
        ({"continuous": True}, "leave out fractions"),
        ({"classes": []}, "classes is empty"),
        ({"classes": [{"n_samples": 3, "grain": 2}]}, r"classes\[0\] has the keys"),
        ({"classes": [{"grain_size": (2, 2)}]}, r"classes\[0\] has the keys"),
        ({"classes": [{"n_samples": 0}]}, r"classes\[0\] has n_samples 0"),
        ({"classes": [{"n_samples": 2}]}, "the classes hold 2 samples"),
        (
            {
                "n_samples": None,
                "fractions": None,
                "classes": [{"n_samples": 2, "fractions": (0.5, 0.5)}, {"n_samples": 2}],
            },
            "some classes have fractions",
        ),
        (
            {
                "n_samples": None,
                "classes": [{"n_samples": 2, "fractions": (0.5, 0.25, 0.25)}, {"n_samples": 2}],
            },
            "fractions of shapes",
        ),
    ],
)
def test_bad_calls_are_refused_before_any_work(changes, said):
    call = {"n_samples": 4, "shape": (10, 12), "grain_size": (3, 3), "fractions": (0.5, 0.5)}
    with pytest.raises(ValueError, match=said):
        multiphase(**{**call, **changes})
