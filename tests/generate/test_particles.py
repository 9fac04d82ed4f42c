"""Spheres and fibers: volume, shape, overlap, distributions, seeds and bad calls."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mksdask.errors import DataError
from mksdask.generate import fibers, spheres
from mksdask.generate.capsules import capsule_volumes, contacts, paint
from mksdask.generate.packing import separated


def segment_distances(points, center, half_axis):
    """Distances of points to a segment, by a search along it in 400 steps."""
    along = np.linspace(-1, 1, 401)
    segment = center + along[:, None] * half_axis
    return np.linalg.norm(points[:, None] - segment, axis=-1).min(axis=1)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), ndim=st.integers(1, 3), long=st.booleans())
def test_painting_is_the_distance_to_the_segment_over_the_radius(seed, ndim, long):
    rng = np.random.default_rng(seed)
    shape = (9, 8, 7)[:ndim]
    center = rng.random(ndim) * shape
    half_axis = rng.uniform(-1, 1, ndim) * long
    radius = 0.7 + 1.5 * rng.random()
    field = np.full(shape, np.inf)
    count = paint(field, center, half_axis, radius)
    middles = np.moveaxis(np.indices(shape), 0, -1).reshape(-1, ndim) + 0.5
    images = np.array(list(np.ndindex(*(3,) * ndim))) - 1
    scaled = np.min(
        [segment_distances(middles + i * shape, center, half_axis) for i in images], axis=0
    ).reshape(shape)
    scaled /= radius
    error = np.linalg.norm(half_axis) / 400 / radius + 1e-12  # half a step of the search
    inside = np.isfinite(field)
    assert (inside == (scaled <= 1))[abs(scaled - 1) > error].all()
    assert (abs(field - scaled) <= error)[inside].all()
    assert count == inside.sum()


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    ndim=st.integers(1, 3),
    kinds=st.sampled_from(["spheres", "fibers", "both", "parallel"]),
)
def test_contacts_are_the_shortest_distances_over_all_images(seed, ndim, kinds):
    rng = np.random.default_rng(seed)
    shape = np.array((7.0, 6.0, 8.0)[:ndim])
    centers = rng.random((5, ndim)) * shape
    half_axes = rng.uniform(-1, 1, (5, ndim))
    if kinds == "parallel":
        half_axes[:] = half_axes[0]
    if kinds != "fibers" and kinds != "parallel":
        half_axes[: 5 if kinds == "spheres" else 2] = 0
    reach = 5.0
    first, second, apart = contacts(centers, half_axes, reach, shape)
    assert (first < second).all()
    found = {}
    for i, j, vector in zip(first, second, apart, strict=True):
        found.setdefault((i, j), []).append(np.linalg.norm(vector))
    along = np.linspace(-1, 1, 201)
    for i in range(5):
        for j in range(i + 1, 5):
            wanted = []
            for image in (np.array(list(np.ndindex(*(3,) * ndim))) - 1) * shape:
                between = centers[i] - centers[j] - image
                if np.linalg.norm(between) < reach:
                    points = between + along[:, None] * half_axes[i]
                    wanted.append(segment_distances(points, 0.0, half_axes[j]).min())
            np.testing.assert_allclose(
                sorted(found.get((i, j), [])), sorted(wanted), atol=0.02, rtol=0.01
            )


def test_separated_capsules_do_not_overlap():
    rng = np.random.default_rng(3)
    half_axes = rng.standard_normal((30, 3))
    half_axes *= 4 / np.linalg.norm(half_axes, axis=1)[:, None]
    radii = 1 + rng.random(30)
    shape = (24, 20, 22)
    centers = separated(rng, half_axes, radii, shape)
    assert capsule_volumes(half_axes, radii).sum() / np.prod(shape) > 0.15
    first, second, apart = contacts(centers, half_axes, 20.0, shape)
    assert (np.linalg.norm(apart, axis=1) >= radii[first] + radii[second]).all()
    assert (centers >= 0).all()
    assert (centers < shape).all()


@pytest.fixture
def painted(monkeypatch):
    """The capsules painted while the test runs, as (center, half axis, radius)."""
    seen = []

    def record(field, center, half_axis, radius):
        seen.append((center, half_axis, radius))
        return paint(field, center, half_axis, radius)

    monkeypatch.setattr("mksdask.generate.particles.paint", record)
    return seen


def test_hard_core_spheres_do_not_overlap(painted):
    phase = spheres(1, (40, 36, 38), 5, 0.4, size_variation=0.2, seed=1).values[0]
    centers, _, radii = (np.array(part) for part in zip(*painted, strict=True))
    assert (4 / 3 * np.pi * radii**3).sum() == pytest.approx(1.03 * 0.4 * phase.size)
    for i, center in enumerate(centers):
        apart = np.abs(center - np.delete(centers, i, axis=0))
        apart = np.minimum(apart, np.array(phase.shape) - apart)
        assert (np.linalg.norm(apart, axis=1) >= radii[i] + np.delete(radii, i)).all()
    field = np.full(phase.shape, np.inf)
    for capsule in painted.copy():
        paint(field, *capsule)
    assert (field[phase == 1] <= 1).all()
    assert field[phase == 1].max() == pytest.approx(1.03 ** (-1 / 3), abs=0.01)


@pytest.mark.parametrize("hard_core", [True, False])
def test_sizes_vary_as_asked(painted, hard_core):
    spheres(
        20, (100, 100), 4, 0.3, size_variation=0.3, hard_core=hard_core, seed=4, chunks=20
    ).compute(scheduler="single-threaded")
    radii = np.array([radius for _, _, radius in painted])
    assert radii.mean() == pytest.approx(4, rel=0.05)
    assert radii.std() / radii.mean() == pytest.approx(0.3, rel=0.1)


def test_hard_core_is_denser_at_contact_than_overlapping():
    def perimeter(hard_core):
        phase = spheres(8, (64, 64), 5, 0.5, hard_core=hard_core, seed=2).values
        return sum((phase != np.roll(phase, 1, axis)).mean() for axis in (1, 2))

    # Overlap hides outline: by ln(1/(1-f)) (1-f) / f = 0.69 at f = 1/2.
    assert perimeter(False) / perimeter(True) == pytest.approx(0.69, abs=0.08)


@pytest.mark.parametrize("hard_core", [True, False])
@pytest.mark.parametrize(
    ("make", "shape", "arguments"),
    [
        (spheres, (40,), (3,)),
        (spheres, (50, 45), (4,)),
        (spheres, (30, 31, 32), (4,)),
        (fibers, (50, 45), (2, 14)),
        (fibers, (30, 31, 32), (2, 14)),
        (fibers, (30, 31, 32), (3, "through")),
    ],
)
def test_volume_fractions_are_met_within_half_a_voxel(make, shape, arguments, hard_core):
    options = {"direction": "z"} if arguments[-1] == "through" else {}
    phase = make(4, shape, *arguments, 0.3, hard_core=hard_core, size_variation=0.2, **options)
    voxels = np.prod(shape[:2] if arguments[-1] == "through" else shape)
    found = phase.mean(phase.dims[1:])
    assert (abs(found - 0.3) <= 0.5 / voxels + 1e-12).all()
    varied = make(2, shape, *arguments, [0.25, 0.35], hard_core=hard_core, **options)
    assert (abs(varied.mean(phase.dims[1:]) - varied.fraction) <= 0.5 / voxels + 1e-12).all()


def chord(phase, axis):
    """Mean length of the runs of phase 1 along an axis."""
    steps = (phase == 1) & (np.roll(phase, 1, axis) == 0)
    return (phase == 1).sum() / steps.sum()


def test_fibers_point_where_asked():
    call = {"n_samples": 4, "shape": (40, 40, 40), "radius": 2, "length": 20, "fraction": 0.1}
    along = fibers(direction="y", **call).values
    assert chord(along, 2) > 3 * chord(along, 1)
    assert chord(along, 1) == pytest.approx(chord(along, 3), rel=0.1)
    tilted = fibers(direction="y", misalignment=0.3, **call).values
    assert chord(along, 1) < chord(tilted, 2) < chord(along, 2)
    alike = fibers(**{**call, "n_samples": 10}).values
    lengths = [chord(alike, axis) for axis in (1, 2, 3)]
    np.testing.assert_allclose(lengths, np.mean(lengths), rtol=0.12)
    diagonal = fibers(direction=(1, 1, 0), **call).values
    assert chord(diagonal, 1) == pytest.approx(chord(diagonal, 2), rel=0.1)


def test_through_fibers_do_not_change_along_their_axis():
    phase = fibers(2, (9, 40, 30), 4, "through", 0.5, direction="x")
    assert (phase == phase.isel(x=0)).all()
    assert phase.attrs["provenance"]["parameters"]["length"] == "through"


@pytest.mark.parametrize("make", [spheres, fibers])
def test_seeds_chunks_and_parts(make):
    call = {"shape": (20, 22), "radius": 2, "fraction": 0.3, "seed": 7}
    if make is fibers:
        call["length"] = 9
    whole = make(7, chunks=7, **call)
    np.testing.assert_array_equal(make(7, chunks=3, **call), whole)
    np.testing.assert_array_equal(make(2, first_sample=4, **call), whole[4:6])
    assert len({s.tobytes() for s in whole.values}) == 7
    assert whole.attrs["periodic"] == ["x", "y"]
    assert len(dict(make(10_000, chunks=10, **call).data.dask)) <= 3 * 1000


@pytest.mark.parametrize(
    ("make", "changes", "said"),
    [
        (spheres, {"fraction": 0.8}, "packed up to 0.75 here"),
        (spheres, {"fraction": 0}, "fraction is 0"),
        (spheres, {"fraction": [0.2, 0.3]}, "fraction has shape"),
        (spheres, {"fraction": np.nan}, "fraction is nan"),
        (spheres, {"fraction": 0.01}, "less than one particle"),
        (spheres, {"radius": 0.2}, "radius is 0.2"),
        (spheres, {"radius": 15}, "30 voxels long, with the shortest axis at 30"),
        (spheres, {"radius": 8, "size_variation": 0.5}, "the largest particles"),
        (spheres, {"size_variation": -1}, "size_variation is -1"),
        (spheres, {"tolerance": -1}, "tolerance is -1"),
        (spheres, {"n_samples": 0}, "n_samples is 0"),
        (fibers, {"length": 3}, "length is 3; wanted 'through' or at least"),
        (fibers, {"length": "long"}, "length is 'long'"),
        (fibers, {"length": 30}, "30 voxels long"),
        (fibers, {"length": "through"}, "length='through' makes fibers along an axis"),
        (fibers, {"direction": "z"}, "direction is 'z'"),
        (fibers, {"direction": (0, 0)}, "direction is"),
        (fibers, {"direction": (1, 0, 0)}, "direction is"),
        (fibers, {"misalignment": 0.1}, "misalignment is about a direction"),
        (fibers, {"misalignment": 3.0, "direction": "x"}, "misalignment is 3.0"),
        (fibers, {"shape": (30,)}, "wanted two or three axes"),
    ],
)
def test_bad_calls(make, changes, said):
    call = {"n_samples": 4, "shape": (30, 30), "radius": 3, "fraction": 0.3}
    if make is fibers:
        call["length"] = 10
    with pytest.raises(ValueError, match=said):
        make(**{**call, **changes})


def test_what_cannot_be_packed_is_said(monkeypatch):
    monkeypatch.setattr("mksdask.generate.packing.MAX_ROUNDS", 3)
    phase = spheres(1, (40, 40), 4, 0.75)
    with pytest.raises(DataError, match="could not be moved apart"):
        phase.compute(scheduler="single-threaded")


def test_a_fraction_that_voxels_are_too_coarse_for_is_said(monkeypatch):
    monkeypatch.setattr("mksdask.generate.particles.SURPLUS", (-0.2,))
    phase = spheres(1, (60, 60), 4, 0.3)
    with pytest.raises(DataError, match="of the volume instead of"):
        phase.compute(scheduler="single-threaded")
    assert spheres(1, (60, 60), 4, 0.3, tolerance=0.2).mean() == pytest.approx(0.24, abs=0.02)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("fibers", {"n_samples": 4, "shape": (20, 20, 20), "radius": 3, "length": 19.5,
                    "fraction": 0.09, "direction": "x"}),
        ("fibers", {"n_samples": 6, "shape": (20, 20, 20), "radius": 3, "length": 19, "fraction": 0.08}),
        ("spheres", {"n_samples": 8, "shape": (4, 4), "radius": 1.9, "fraction": 0.75}),
        ("spheres", {"n_samples": 1, "shape": (20, 20, 20), "radius": 9.9, "fraction": 0.55}),
        ("fibers", {"n_samples": 6, "shape": (30, 30), "radius": 2, "length": 16, "fraction": 0.3,
                    "direction": "x"}),
    ],
)  # fmt: skip
def test_particles_nearly_as_long_as_the_box(kind, arguments):
    """Never one that meets its own image: the share of the volume holds, or it is refused."""
    from mksdask import generate
    from mksdask.errors import DataError

    try:
        phase = getattr(generate, kind)(**arguments).compute()
    except DataError as error:
        assert "choose" in str(error)  # noqa: PT017
        return
    voxels = phase[0].size
    share = phase.mean(phase.dims[1:]).values
    np.testing.assert_allclose(share, arguments["fraction"], atol=0.005 + 0.5 / voxels)
