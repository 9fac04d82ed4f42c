"""Polycrystals: grains against brute force, phases, orientations, seeds and bad calls."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mksdask.generate import voronoi
from mksdask.generate.tessellation import tessellate


def power_distances(centers, radii, shape, periodic):
    """|x - c|^2 - r^2 of every voxel and seed, the least over the images, by brute force."""
    middles = np.moveaxis(np.indices(shape), 0, -1) + 0.5
    apart = np.abs(middles[..., None, :] - centers)
    images = np.minimum(apart, np.abs(np.array(shape) - apart))
    apart = np.where(periodic, images, apart)
    return (apart**2).sum(axis=-1) - radii**2


@settings(max_examples=40, deadline=None)
@given(
    shape=st.lists(st.integers(1, 7), min_size=1, max_size=3),
    n=st.integers(1, 12),
    seed=st.integers(0, 10**6),
    spread=st.sampled_from([0.0, 0.5, 3.0]),
    data=st.data(),
)
def test_every_voxel_has_the_nearest_seed(shape, n, seed, spread, data):
    periodic = data.draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)))
    rng = np.random.default_rng(seed)
    centers = rng.random((n, len(shape))) * shape
    radii = spread * rng.random(n)
    found = tessellate(centers, shape, radii=radii if spread else None, periodic=periodic)
    distances = power_distances(centers, radii, tuple(shape), periodic)
    chosen = np.take_along_axis(distances, found[..., None].astype(int), axis=-1)[..., 0]
    np.testing.assert_allclose(chosen, distances.min(axis=-1), atol=1e-9)


def test_batches_do_not_show(monkeypatch):
    rng = np.random.default_rng(0)
    centers = rng.random((20, 3)) * 9
    whole = tessellate(centers, (9, 9, 9))
    monkeypatch.setattr("mksdask.generate.tessellation.BATCH", 100)
    np.testing.assert_array_equal(tessellate(centers, (9, 9, 9)), whole)


def test_radii_widen_the_grain_sizes():
    def variation(**options):
        grain = voronoi(10, (40, 40), 40, seed=1, **options).grain.values
        volumes = np.stack([np.bincount(g.ravel(), minlength=40) for g in grain])
        np.testing.assert_array_equal(volumes.sum(axis=1), 1600)
        return volumes.std() / volumes.mean()

    # Poisson-Voronoi cells in the plane have a coefficient of variation of 0.529.
    assert variation() == pytest.approx(0.529, rel=0.1)
    assert variation(size_variation=0.5) > 1.2 * variation()


def test_orientations_are_uniform():
    cells = voronoi(40, (12, 12), 100, seed=5)
    angles = cells.grain_orientation.values.reshape(-1, 3)
    assert (angles >= 0).all()
    assert (angles < [2 * np.pi, np.pi + 1e-12, 2 * np.pi]).all()
    n = len(angles)
    for scaled in (angles[:, 0] / (2 * np.pi), (1 - np.cos(angles[:, 1])) / 2):
        assert scipy.stats.kstest(scaled, "uniform").pvalue > 1e-3
    # Uniform rotations: the angle w has the distribution (w - sin w) / pi, before and after any
    # fixed rotation, and the matrix elements have mean 0 and mean square 1/3.
    rotations = Rotation.from_euler("ZXZ", angles)
    for fixed in (Rotation.identity(), Rotation.from_rotvec([0.3, -1.1, 0.7])):
        turned = (fixed * rotations).magnitude()
        assert scipy.stats.kstest(turned, lambda w: (w - np.sin(w)) / np.pi).pvalue > 1e-3
    matrices = rotations.as_matrix()
    assert abs(matrices.mean(axis=0)).max() < 4.5 * np.sqrt(1 / 3 / n)
    assert abs((matrices**2).mean(axis=0) - 1 / 3).max() < 4.5 * np.sqrt(4 / 45 / n)


def test_each_voxel_has_the_orientation_of_its_grain():
    cells = voronoi(3, (8, 9, 7), [5, 12, 30], seed=2, chunks=2).compute()
    for sample in range(3):
        one = cells.isel(sample=sample)
        table = one.grain_orientation.values
        count = int(one.n_grains)
        assert np.isfinite(table[:count]).all()
        assert np.isnan(table[count:]).all()
        np.testing.assert_array_equal(one.orientation, table[one.grain.values])


def test_phases_are_whole_grains_in_the_asked_fractions():
    shares = (0.2, 0.3, 0.5)
    cells = voronoi(6, (30, 30), 60, fractions=shares, seed=9).compute()
    for sample in range(6):
        grain, phase = (cells[v].values[sample] for v in ("grain", "phase"))
        volumes = np.bincount(grain.ravel(), minlength=60)
        for label in np.unique(grain):
            assert len(np.unique(phase[grain == label])) == 1
        found = np.cumsum(np.bincount(phase.ravel(), minlength=3)) / phase.size
        assert (abs(found - np.cumsum(shares)) <= volumes.max() / 2 / phase.size + 1e-12).all()
    assert not voronoi(1, (5, 5), 4).phase.values.any()
    varied = voronoi(2, (20, 20), 200, fractions=[[1, 0], [0, 1]])
    np.testing.assert_array_equal(varied.phase.mean(("x", "y")), [0, 1])
    np.testing.assert_array_equal(varied.fraction_0, [1, 0])


def test_seeds_chunks_and_parts():
    call = {"shape": (7, 8, 6), "n_grains": 9, "size_variation": 0.3, "fractions": (0.5, 0.5)}
    whole = voronoi(7, seed=3, chunks=7, **call)
    for other in (voronoi(7, seed=3, chunks=2, **call), voronoi(3, seed=3, first_sample=4, **call)):
        part = whole.sel(sample=other["sample"])
        for name in whole:
            np.testing.assert_array_equal(other[name], part[name])
    assert len({s.tobytes() for s in whole.grain.values}) == 7
    assert not (voronoi(7, seed=4, **call).grain == whole.grain).all()
    many = voronoi(10_000, (21, 21), 9, chunks=10)
    assert len(dict(many.phase.data.dask)) <= 4 * 1000


def test_periodic_edges():
    cells = voronoi(20, (24, 24), 12, periodic="x", seed=1)
    assert cells.attrs["periodic"] == ["x"]
    grain = cells.grain.values
    across_x = (grain[:, 0] == grain[:, -1]).mean()
    inside_x = (grain[:, 11] == grain[:, 12]).mean()
    across_y = (grain[:, :, 0] == grain[:, :, -1]).mean()
    assert abs(across_x - inside_x) < 0.1
    assert across_y < 0.2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n_grains": 0}, "n_grains has the value 0"),
        ({"n_grains": 26}, "n_grains has the value 26; wanted 1 to 25"),
        ({"n_grains": 2.5}, "n_grains is 2.5"),
        ({"n_grains": [3, 4]}, r"n_grains is \[3, 4\]"),
        ({"size_variation": -0.1}, "size_variation is -0.1"),
        ({"size_variation": np.nan}, "size_variation is nan"),
        ({"fractions": (0.5, 0.6)}, "fractions sum to 1.1"),
        ({"periodic": ["z"]}, r"periodic has \['z'\]"),
        ({"shape": ()}, "shape is"),
        ({"chunks": -1}, "chunks is -1"),
    ],
)
def test_bad_calls(changes, said):
    with pytest.raises(ValueError, match=said):
        voronoi(**{"n_samples": 3, "shape": (5, 5), "n_grains": 4, **changes})
