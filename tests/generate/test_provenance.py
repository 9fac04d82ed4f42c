"""Every generator says how to make its ensemble again, and the store keeps it."""

import json

import pytest

import mksdask as mks
from mksdask import generate
from mksdask.simulate import concentration_noise

MADE = {
    "multiphase": lambda: generate.multiphase(2, (9, 8), 3, (0.25, 0.75), seed=4),
    "gaussian_family": lambda: generate.gaussian_family(2, (9, 8, 8), seed=4),
    "voronoi": lambda: generate.voronoi(2, (9, 8), 5, seed=4),
    "spheres": lambda: generate.spheres(2, (20, 20), 3, 0.3, seed=4),
    "fibers": lambda: generate.fibers(2, (20, 20), 2, 8, 0.2, direction=(1, 1), seed=4),
    "concentration_noise": lambda: concentration_noise(2, (9, 8), mean=0.5, seed=4),
    "delta": lambda: generate.delta(3, (9, 8)),
    "checkerboard": lambda: generate.checkerboard((8, 6), (2, 3)),
}
ASKED = {
    "multiphase": {"grain_size": [3, 3], "fractions": [0.25, 0.75], "n_phases": 2},
    "gaussian_family": {"widths": [1, 3, 5, 7], "fractions": [0.25, 0.75]},
    "voronoi": {"n_grains": 5, "size_variation": 0},
    "spheres": {"radius": 3, "fraction": 0.3, "hard_core": True, "tolerance": 0.005},
    "fibers": {"radius": 2, "length": 8, "fraction": 0.2, "misalignment": 0},
    "concentration_noise": {"mean": 0.5, "amplitude": 0.01},
    "delta": {"n_phases": 3},
    "checkerboard": {"square": [2, 3], "n_phases": 2},
}


@pytest.mark.parametrize("name", MADE)
def test_origin_is_stored(name, tmp_path):
    made = MADE[name]()
    assert set(made.attrs) == {"periodic", "provenance"}
    origin = made.attrs["provenance"]
    assert json.loads(json.dumps(origin)) == origin
    assert origin["generator"] == name
    assert origin["version"] == mks.__version__
    assert origin.get("seed") == (None if name in ("delta", "checkerboard") else 4)
    assert origin["parameters"].items() >= ASKED[name].items()
    ds = made if name == "voronoi" else made.to_dataset()
    written = mks.create_ensemble(tmp_path / "made.zarr", ds, progress=False)
    assert written.attrs["provenance"] == origin
    assert all("provenance" not in v.attrs for v in written.variables.values())
