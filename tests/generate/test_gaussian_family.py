"""The 51^3 family: filters, fractions, coordinates."""

import numpy as np
import pytest
import scipy.ndimage

from mksdask.generate import gaussian_family
from mksdask.generate.seeded import Streams


def test_a_sample_is_filtered_noise_cut_at_its_fraction():
    phase = gaussian_family(3, (16, 14, 15), seed=6)
    for i, sample in enumerate(phase):
        widths = [float(sample[f"width_{a}"]) for a in "xyz"]
        noise = Streams(6).of(i).random((16, 14, 15))
        field = scipy.ndimage.gaussian_filter(
            noise, [w / 2 for w in widths], mode="wrap", truncate=9
        )
        wanted = field > np.quantile(field, 1 - float(sample.fraction))
        assert (sample.values != wanted).sum() <= 1  # the quantile may fall between two voxels
        assert abs(sample.values.mean() - float(sample.fraction)) <= 0.5 / wanted.size + 1e-12


def test_widths_and_fractions_are_uniform():
    family = gaussian_family(4000, seed=1)
    for axis in "xyz":
        values, counts = np.unique(family[f"width_{axis}"], return_counts=True)
        np.testing.assert_array_equal(values, [1, 3, 5, 7])
        # Chi-square with 3 degrees of freedom: 16.3 at a probability of 0.001.
        assert ((counts - 1000) ** 2 / 1000).sum() < 16.3
    fraction = np.sort(family.fraction)
    expected = 0.25 + 0.5 * (np.arange(4000) + 0.5) / 4000
    assert abs(fraction - expected).max() / 0.5 < 1.95 / np.sqrt(4000)  # Kolmogorov-Smirnov
    assert family.sizes == {"sample": 4000, "x": 51, "y": 51, "z": 51}


def test_a_part_of_the_family_is_the_same():
    call = {"shape": (9, 9, 9), "seed": 3}
    whole = gaussian_family(10, **call)
    part = gaussian_family(3, first_sample=5, chunks=1, **call)
    np.testing.assert_array_equal(part, whole[5:8])
    np.testing.assert_array_equal(part.width_y, whole.width_y[5:8])
    np.testing.assert_array_equal(part.fraction, whole.fraction[5:8])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"widths": ()}, "widths is"),
        ({"widths": (0, 3)}, "widths is"),
        ({"widths": (3, 12)}, "widths has the value 12, longer than"),
        ({"fractions": (0.7, 0.3)}, r"fractions is \(0.7, 0.3\)"),
        ({"fractions": (0.5,)}, "fractions is"),
        ({"fractions": 0.5}, "fractions is"),
        ({"fractions": (0.5, 1.5)}, "fractions is"),
        ({"n_samples": -1}, "n_samples is -1"),
        ({"seed": 1.5}, "seed is 1.5"),
    ],
)
def test_bad_calls(changes, said):
    with pytest.raises(ValueError, match=said):
        gaussian_family(**{"n_samples": 2, "shape": (9, 9, 9), **changes})
