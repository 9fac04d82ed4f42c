"""Ensembles of the same samples put together."""

import numpy as np
import pytest
import xarray as xr

import mksdask as mks
from mksdask.cli import main
from mksdask.ensemble.join import join_ensembles


def ensemble(name, samples=(0, 1, 2), size=4, **attrs):
    values = np.arange(len(samples) * size, dtype=float).reshape(len(samples), size)
    return xr.Dataset({name: (("sample", "x"), values)}, {"sample": list(samples)}, attrs)


def test_joined_and_stored(tmp_path, capsys):
    for name in ("a", "b"):
        mks.create_ensemble(tmp_path / f"{name}.zarr", ensemble(name, voxel_size=[0.5]))
    stores = [str(tmp_path / f"{n}.zarr") for n in ("a", "b", "both")]
    assert main(["join", *stores[:2], "--out", stores[2]]) == 0
    assert "3 samples, a, b" in capsys.readouterr().out
    both = mks.open_ensemble(stores[2])
    np.testing.assert_array_equal(both.b, ensemble("b").b)
    assert both.attrs["voxel_size"] == [0.5]
    assert both.attrs["provenance"]["source"] == stores[:2]
    assert mks.validate_ensemble(stores[2]) == []


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ([], "there is 1 ensemble; wanted at least two"),
        ([ensemble("b", samples=(0, 2, 1))], "ensemble 1 has other samples than ensemble 0"),
        ([ensemble("b", samples=(0, 1))], "other samples"),
        ([ensemble("a")], "'a' is in ensemble 0 and in ensemble 1"),
        ([ensemble("b", size=5)], "5 entries along 'x', ensemble 0 has 4"),
        ([ensemble("b", voxel_size=[2.0])], "has voxel_size"),
    ],
)
def test_what_does_not_fit(others, message):
    with pytest.raises(ValueError, match=message):
        join_ensembles([ensemble("a", voxel_size=[0.5]), *others])
