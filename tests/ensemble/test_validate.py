"""Every violation is said, not the first."""

import numpy as np
import xarray as xr

import mksdask as mks
from tests.ensemble.test_store import make


def test_every_violation_of_a_dataset_is_said():
    ds = xr.Dataset(
        {
            "phase": (("sample", "y", "x"), np.zeros((2, 3, 4))),
            "orientation": (("sample", "x", "y", "euler"), np.zeros((2, 4, 3, 4))),
            "stress": (("sample", "tensor"), np.zeros((2, 3))),
            "mask": (("x", "sample", "y"), np.zeros((4, 2, 3))),
        },
        coords={"sample": ["a", "a"]},
        attrs={
            "voxel_size": [0.5, -1],
            "voxel_unit": 3,
            "periodic": ["w"],
            "phase_names": ["a", "a"],
            "provenance": "me",
        },
    )
    said = "\n".join(mks.validate_ensemble(ds))
    for part in (
        "wanted space in the order ('x', 'y')",
        "dtype is float64; wanted integer",
        "shape is (2, 4, 3, 4); wanted it to end with (3,)",
        "'stress': dims are ('sample', 'tensor')",
        "wanted 'sample' first",
        "duplicate sample names, for example ['a']",
        "'voxel_size'",
        "'voxel_unit'",
        "'periodic'",
        "wanted different names",
        "'provenance'",
    ):
        assert part in said


def test_values_are_checked_against_the_schema(tmp_path):
    ds = make(6, chunk=2)
    labels = ds.phase.values.copy()
    labels[3, 0, 0] = 7
    angles = np.zeros((6, 6, 5, 3))
    angles[4, 2, 2, 1] = np.nan
    mask = np.ones((6, 6, 5), dtype="float32")
    mask[0, 0, 0] = 1.5
    ds = ds.assign(
        phase=(("sample", "x", "y"), labels),
        orientation=(("sample", "x", "y", "euler"), angles),
        mask=(("sample", "x", "y"), mask),
    )
    mks.create_ensemble(tmp_path / "e.zarr", ds, chunks={"sample": 2})
    said = "\n".join(mks.validate_ensemble(tmp_path / "e.zarr"))
    assert "'phase': labels up to 7 for 3 phase_names in samples 2-3" in said
    assert "'orientation': NaN in samples 4-5" in said
    assert "'mask': values outside [0, 1] in samples 0-1" in said
    assert mks.validate_ensemble(tmp_path / "e.zarr", data=False) == []
