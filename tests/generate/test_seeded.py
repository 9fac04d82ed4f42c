"""Random streams of samples."""

import numpy as np

from mksdask.generate.seeded import Streams, drawn_per_sample


def test_streams_are_the_jumps_of_the_bit_generator():
    start = np.random.PCG64DXSM(np.random.SeedSequence(9, spawn_key=(2,)))
    streams = Streams(9, purpose=2)
    for sample in (5, 0, 1, 12345678):
        wanted = np.random.Generator(start.jumped(sample)).random(3)
        np.testing.assert_array_equal(streams.of(sample).random(3), wanted)


def test_draws_of_a_sample_do_not_depend_on_the_first_one():
    whole = drawn_per_sample(3, 0, 100, 5, 1)
    np.testing.assert_array_equal(drawn_per_sample(3, 40, 7, 5, 1), whole[40:47])
    assert abs(whole.mean() - 0.5) < 4 / np.sqrt(12 * 500)
