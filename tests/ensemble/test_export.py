"""Export: what each format holds, and what is refused. Round trips are in test_formats."""

from __future__ import annotations

import weakref

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mksdask.ensemble.export import export
from mksdask.ensemble.ingest import ingest

RNG = np.random.default_rng(0)


@pytest.fixture
def ensemble():
    """Three samples with labels, a field, angles and a property, lazily and in several chunks."""
    labels = RNG.integers(0, 3, (3, 4, 5, 6)).astype("uint8")
    dims = ("sample", "x", "y", "z")
    ds = xr.Dataset(
        {
            "phase": (dims, da.from_array(labels, chunks=(1, 4, 5, 3))),
            "temperature": (dims, da.from_array(RNG.random((3, 4, 5, 6)), chunks=(2, 2, 5, 6))),
            "orientation": ((*dims, "euler"), RNG.random((3, 4, 5, 6, 3)).astype("float32")),
            "mask": (dims, labels > 0),
            "stiffness": ("sample", [1.0, 2.0, 3.0]),
            "alloy": ("sample", ["steel", "brass", "bronze"]),
        },
        coords={"sample": ["a", "b", "c"]},
        attrs={
            "voxel_size": [0.5, 1.0, 2.0],
            "voxel_unit": "um",
            "phase_names": ["matrix", "fibre", "void"],
            "provenance": {"seed": 1},
        },
    )
    return ds


def test_vti_holds_every_variable_for_paraview(ensemble, tmp_path):
    vtk = pytest.importorskip("vtk")
    from vtk.util.numpy_support import vtk_to_numpy

    export(ensemble, tmp_path / "b.vti", sample="b")
    reader = vtk.vtkXMLImageDataReader()
    reader.SetFileName(str(tmp_path / "b.vti"))
    reader.Update()
    image = reader.GetOutput()
    assert image.GetDimensions() == (5, 6, 7)
    assert image.GetSpacing() == (0.5, 1.0, 2.0)
    cells = image.GetCellData()
    names = [cells.GetArrayName(i) for i in range(cells.GetNumberOfArrays())]
    assert sorted(names) == ["mask", "orientation", "phase", "temperature"]
    one = ensemble.sel(sample="b")
    # VTK's own numbering of cells: x fastest.
    cell = image.ComputeCellId((3, 1, 4))
    assert vtk_to_numpy(cells.GetArray("phase"))[cell] == one.phase[3, 1, 4]
    assert vtk_to_numpy(cells.GetArray("temperature"))[cell] == one.temperature[3, 1, 4]
    assert vtk_to_numpy(cells.GetArray("orientation"))[cell].tolist() == (
        one.orientation[3, 1, 4].values.tolist()
    )
    assert vtk_to_numpy(cells.GetArray("mask"))[cell] == one.mask[3, 1, 4]


def test_npy_of_all_samples(ensemble, tmp_path):
    export(ensemble, tmp_path / "t.npy", variable="temperature")
    assert np.array_equal(np.load(tmp_path / "t.npy"), ensemble.temperature.values)
    export(ensemble.stiffness, tmp_path / "s.npy")
    assert np.load(tmp_path / "s.npy").tolist() == [1.0, 2.0, 3.0]


def test_hdf5_holds_everything(ensemble, tmp_path):
    h5py = pytest.importorskip("h5py")
    export(ensemble, tmp_path / "all.h5")
    with h5py.File(tmp_path / "all.h5") as file:
        assert set(file) == {*ensemble.data_vars, "sample"}
        assert file["sample"].asstr()[:].tolist() == ["a", "b", "c"]
        assert file["alloy"].asstr()[:].tolist() == ["steel", "brass", "bronze"]
        assert np.array_equal(file["phase"][:], ensemble.phase.values)
        assert np.array_equal(file["orientation"][:], ensemble.orientation.values)
        assert list(file["orientation"].attrs["dims"]) == ["sample", "x", "y", "z", "euler"]
        assert file.attrs["voxel_size"].tolist() == [0.5, 1.0, 2.0]
        assert file.attrs["voxel_unit"] == "um"
        assert file.attrs["phase_names"] == '["matrix", "fibre", "void"]'


def test_hdf5_takes_long_attributes(ensemble, tmp_path):
    h5py = pytest.importorskip("h5py")
    ensemble.attrs["provenance"] = {"names": [f"scan_{i}.tif" for i in range(10_000)]}
    export(ensemble, tmp_path / "a.h5", sample="a", variable="phase")
    with h5py.File(tmp_path / "a.h5") as file:
        assert "scan_9999.tif" in file.attrs["provenance"]


def test_tiff_pages_rows_columns_and_voxels(ensemble, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    export(ensemble, tmp_path / "c.tif", sample="c", variable="phase")
    with tifffile.TiffFile(tmp_path / "c.tif") as tif:
        assert tif.is_imagej
        assert tif.imagej_metadata["spacing"] == 2.0
        assert tif.imagej_metadata["unit"] == "um"
        assert tif.series[0].axes == "ZYX"
        assert np.array_equal(tif.asarray(), ensemble.phase[2].values.transpose(2, 1, 0))
    export(ensemble, tmp_path / "t.tif", sample="c", variable="temperature")
    assert np.array_equal(
        tifffile.imread(tmp_path / "t.tif"), ensemble.temperature[2].values.transpose(2, 1, 0)
    )


@pytest.mark.parametrize("suffix", ["npy", "h5", "tif"])
def test_volumes_are_written_a_part_at_a_time(tmp_path, suffix):
    """Each chunk is computed once, and is gone before the last one is made."""
    if suffix != "npy":
        pytest.importorskip({"h5": "h5py", "tif": "tifffile"}[suffix])
    alive: list[weakref.ref] = []
    most = 0

    def block(block_info=None):
        nonlocal most
        values = np.full((8, 8, 4), block_info[None]["chunk-location"][2], "uint8")
        alive.append(weakref.ref(values))
        most = max(most, sum(r() is not None for r in alive))
        return values

    volume = da.map_blocks(
        block, chunks=((8,), (8,), (4,) * 64), dtype="uint8", meta=np.empty((0,) * 3, "uint8")
    )
    with dask.config.set(num_workers=2):
        export(xr.DataArray(volume, dims=("x", "y", "z"), name="phase"), tmp_path / f"v.{suffix}")
    assert len(alive) == 64
    assert most < 32
    back = ingest(tmp_path / f"v.{suffix}", tmp_path / "o.zarr")
    assert np.array_equal(back.phase[0, 0, 0].values, np.repeat(np.arange(64), 4))


def test_the_file_appears_when_it_is_complete(ensemble, tmp_path):
    def fail(block):
        raise RuntimeError("no luck")

    broken = ensemble.phase.copy(data=ensemble.phase.data.map_blocks(fail, dtype="uint8"))
    for suffix in ("npy", "h5", "tif"):
        with pytest.raises(RuntimeError, match="no luck"):
            export(broken, tmp_path / f"a.{suffix}", sample="a")
    assert list(tmp_path.iterdir()) == []


def test_existing_files_are_kept(ensemble, tmp_path):
    export(ensemble, tmp_path / "a.npy", variable="phase")
    with pytest.raises(FileExistsError, match=r"a\.npy exists.*overwrite=True"):
        export(ensemble, tmp_path / "a.npy", variable="temperature")
    export(ensemble, tmp_path / "a.npy", variable="temperature", overwrite=True)
    assert np.array_equal(np.load(tmp_path / "a.npy"), ensemble.temperature.values)


def test_samples_by_name_or_position(ensemble, tmp_path):
    numbered = ensemble.assign_coords(sample=[10, 20, 30])
    for n, (ds, sample) in enumerate(
        [
            (ensemble, "b"),
            (ensemble, 1),
            (numbered, 20),
            (numbered, "20"),
            (ensemble.drop_vars("sample"), 1),
        ]
    ):
        export(ds, tmp_path / f"{n}.npy", sample=sample, variable="phase")
        assert np.array_equal(np.load(tmp_path / f"{n}.npy"), ensemble.phase[1].values)


@pytest.mark.parametrize(
    ("path", "options", "said"),
    [
        ("a.xyz", {}, r"ends in none of \.npy"),
        ("a", {}, "ends in none of"),
        ("a.vti", {}, r"holds one sample and data has 3.*sample=, for example 'a'"),
        ("a.tif", {"sample": "a"}, "TIFF holds one variable"),
        ("a.tif", {"sample": "a", "variable": "orientation"}, "TIFF holds a volume"),
        ("a.npy", {}, r"\.npy holds one variable"),
        ("a.npy", {"variable": "strain"}, "no variable 'strain'"),
        ("a.npy", {"variable": "phase", "sample": "d"}, "no sample 'd' among 3"),
        ("a.npy", {"variable": "phase", "sample": 3}, "no sample 3 among 3"),
        ("a.vti", {"variable": "stiffness"}, "none of space"),
        ("a.tif", {"sample": "a", "variable": []}, "no variables"),
    ],
)
def test_wrong_calls(ensemble, tmp_path, path, options, said):
    with pytest.raises(ValueError, match=said):
        export(ensemble, tmp_path / path, **options)
    assert list(tmp_path.iterdir()) == []


def test_wrong_things(tmp_path):
    with pytest.raises(ValueError, match="no dimension 'sample'"):
        export(xr.DataArray(np.zeros(3), dims="x"), tmp_path / "a.npy", sample=0)
    with pytest.raises(TypeError, match="data is a ndarray"):
        export(np.zeros(3), tmp_path / "a.npy")
    with pytest.raises(FileNotFoundError, match="no folder"):
        export(xr.DataArray(np.zeros(3), dims="x"), tmp_path / "no" / "a.npy")
    with pytest.raises(ValueError, match="no variables"):
        export(xr.Dataset(), tmp_path / "a.npy")
