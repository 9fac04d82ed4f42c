"""Each format, written by its own library, arrives with index 0 as x; exports are the inverse."""

from __future__ import annotations

import gc
import time
import uuid
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr

import mksdask as mks
from mksdask.ensemble import formats
from mksdask.ensemble.export import export
from mksdask.ensemble.formats import Options, RawLayout
from mksdask.ensemble.ingest import ingest
from mksdask.ensemble.sources import put
from mksdask.errors import DataError

# No two lengths agree, so no wrong order of axes goes unseen.
RNG = np.random.default_rng(9)
LABELS = np.random.default_rng(0).integers(0, 3, (5, 6, 7)).astype("uint8")
PLANE = LABELS[:, :, 0]


def fresh():
    """A store that no other test writes."""
    return f"memory://{uuid.uuid4().hex}.zarr"


def read(path, **options):
    """One file as the one sample of an ensemble."""
    ds = ingest(str(path), fresh(), **options)
    return ds.phase[0].values, ds


def test_npy(tmp_path):
    np.save(tmp_path / "a.npy", LABELS)
    assert np.array_equal(read(tmp_path / "a.npy")[0], LABELS)
    np.save(tmp_path / "f.npy", np.asfortranarray(LABELS))
    assert np.array_equal(read(tmp_path / "f.npy")[0], LABELS)


@pytest.mark.parametrize("shape", [(64, 64, 64), (16, 130, 128), (15, 140, 128), (70, 61, 67)])
@pytest.mark.parametrize("kind", ["u1", "f8"])
def test_volumes_are_turned_voxel_by_voxel(shape, kind):
    values = np.random.default_rng(0).integers(0, 255, shape).astype(kind).T
    for given in (values, np.ascontiguousarray(values), values[..., None]):
        target = np.empty(given.shape, kind)
        put(given, target)
        assert np.array_equal(target, given)


def test_npz_by_name(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", labels=LABELS, other=np.asfortranarray(LABELS[::-1]))
    assert np.array_equal(read(tmp_path / "a.npz", dataset="labels")[0], LABELS)
    assert np.array_equal(read(tmp_path / "a.npz", dataset="other")[0], LABELS[::-1])
    with pytest.raises(DataError, match=r"no array 'phase'.*'labels', 'other'"):
        read(tmp_path / "a.npz")


def test_headers_read_by_many_threads_at_once(tmp_path, garbage):
    """Python 3.11 fails to parse literals in two threads if one of them is interrupted by another."""
    path = str(tmp_path / "a.npz")
    np.savez(path, labels=LABELS)
    np.save(path.replace("npz", "npy"), LABELS)

    def all_ways(_):
        garbage()
        return [
            np.array_equal(formats.read(each), LABELS) and formats.probe(each).shape == LABELS.shape
            for each in (path, path.replace("npz", "npy"))
        ]

    with ThreadPoolExecutor(8) as pool:
        assert np.all(list(pool.map(all_ways, range(500))))


@pytest.fixture
def garbage():
    """Makes garbage whose collection gives way to other threads, often."""

    class Cycle:
        def __init__(self):
            self.me = self

        def __del__(self):
            time.sleep(0)

    before = gc.get_threshold()
    gc.set_threshold(50, 2, 2)
    yield lambda: [Cycle(), Cycle()]
    gc.set_threshold(*before)


def test_pickled_objects_are_never_loaded(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"a\.npy.*pickled Python objects"):
        read(tmp_path / "a.npy")


@pytest.mark.parametrize("keywords", [{}, {"compression": "zlib"}, {"imagej": True}, {"ome": True}])
def test_tiff_pages_are_z_rows_are_y(tmp_path, keywords):
    tifffile = pytest.importorskip("tifffile")
    stack = np.moveaxis(LABELS, (0, 1, 2), (2, 1, 0))  # page, row, column
    tifffile.imwrite(tmp_path / "a.tif", stack, **keywords)
    assert np.array_equal(read(tmp_path / "a.tif")[0], LABELS)
    cropped, _ = read(tmp_path / "a.tif", crop={"z": (2, 7)}, stride=2)
    assert np.array_equal(cropped, LABELS[::2, ::2, 2:7:2])


def test_tiff_written_by_another_program(tmp_path):
    pytest.importorskip("tifffile")
    image = pytest.importorskip("PIL.Image")
    pages = [image.fromarray(LABELS[:, :, k].T.copy()) for k in range(7)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert np.array_equal(read(tmp_path / "a.tif")[0], LABELS)


@pytest.mark.parametrize("kind", ["plain", "zlib", "imagej", "ome", "bare", "pillow"])
def test_a_truncated_tiff_is_never_a_shorter_stack(tmp_path, kind):
    """Wherever it breaks off: an error, or (with only trailing tags lost) the whole stack."""
    tifffile = pytest.importorskip("tifffile")
    image = pytest.importorskip("PIL.Image")
    stack = RNG.integers(0, 255, (7, 20, 30)).astype("uint8")
    path = tmp_path / "a.tif"
    if kind == "pillow":
        pages = [image.fromarray(p) for p in stack]
        pages[0].save(path, save_all=True, append_images=pages[1:], compression="tiff_deflate")
    else:
        keywords = {
            "plain": {},
            "zlib": {"compression": "zlib"},
            "imagej": {"imagej": True, "metadata": {"axes": "ZYX"}},
            "ome": {"ome": True, "metadata": {"axes": "ZYX"}},
            "bare": {"metadata": None},
        }[kind]
        tifffile.imwrite(path, stack, **keywords)
    assert np.array_equal(formats.read(str(path)), stack)
    content = path.read_bytes()
    assert formats.probe(str(path)).shape == stack.shape
    refused = 0
    for length in range(4, len(content), 89):
        path.write_bytes(content[:length])
        try:
            formats.probe(str(path))
        except DataError:
            refused += 1
            continue
        assert np.array_equal(formats.read(str(path)), stack)
    assert refused > 40


@pytest.mark.parametrize("compressed", [False, True])
def test_a_truncated_mha_is_one_error_and_no_noise(tmp_path, compressed, capfd):
    sitk = pytest.importorskip("SimpleITK")
    path = tmp_path / "a.mha"
    sitk.WriteImage(sitk.GetImageFromArray(LABELS), str(path), compressed)
    assert formats.probe(str(path)).shape == LABELS.shape
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match=r"a\.mha truncated"):
        formats.probe(str(path))
    assert capfd.readouterr().err == ""


def test_big_endian_tiff(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    wide = LABELS.astype("uint16") * 300
    tifffile.imwrite(tmp_path / "a.tif", wide.T, byteorder=">")
    values, ds = read(tmp_path / "a.tif", crop={"x": (1, 4)})
    assert np.array_equal(values, wide[1:4])
    assert ds.phase.dtype == np.dtype("uint16")


def test_colour_images_need_a_channel(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    image = pytest.importorskip("PIL.Image")
    colour = np.stack([PLANE.T, PLANE.T + 1, PLANE.T + 2], axis=-1)
    tifffile.imwrite(tmp_path / "a.tif", colour, photometric="rgb")
    image.fromarray(colour).save(tmp_path / "a.png")
    for name in ("a.tif", "a.png"):
        with pytest.raises(DataError, match=r"colour image.*channel=0"):
            read(tmp_path / name)
        assert np.array_equal(read(tmp_path / name, channel=1)[0], PLANE + 1)
        with pytest.raises(DataError, match="channel=3 is none of them"):
            read(tmp_path / name, channel=3)


@pytest.mark.parametrize("suffix", ["png", "bmp", "jpg"])
def test_images_as_2d_samples(tmp_path, suffix):
    image = pytest.importorskip("PIL.Image")
    grey = np.zeros((16, 24), "uint8")  # x, y
    grey[:8, 12:] = 255
    for name in ("s10", "s9"):
        image.fromarray(grey.T.copy()).save(tmp_path / f"{name}.{suffix}")
    ds = ingest(tmp_path, fresh(), threshold=128)
    assert list(ds.sample.values) == ["s9", "s10"]
    assert np.array_equal(ds.phase[1].values, grey > 128)


def test_images_as_slices_in_natural_order(tmp_path):
    image = pytest.importorskip("PIL.Image")
    tifffile = pytest.importorskip("tifffile")
    for sample in range(2):
        for kind in ("png", "tif"):
            folder = tmp_path / kind / f"s{sample}"
            folder.mkdir(parents=True)
            (folder / "notes.txt").write_text("not a slice")
            for k in range(7):
                # slice_10 would come before slice_9 in the order of characters
                page = (LABELS[:, :, k].T + sample).copy()
                if kind == "png":
                    image.fromarray(page).save(folder / f"slice_{k + 5}.png")
                else:
                    tifffile.imwrite(folder / f"slice_{k + 5}.tif", page)
    for kind in ("png", "tif"):
        ds = ingest(tmp_path / kind, fresh(), samples="folders")
        assert list(ds.sample.values) == ["s0", "s1"]
        assert np.array_equal(ds.phase.values, np.stack([LABELS, LABELS + 1]))
        one = ingest(
            tmp_path / kind / "s1",
            fresh(),
            samples="folders",
            crop={"z": (3, 5)},
        )
        assert np.array_equal(one.phase[0].values, LABELS[:, :, 3:5] + 1)


def test_slices_that_differ_are_named(tmp_path):
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "s").mkdir()
    for k in range(3):
        image.fromarray(np.zeros((4, 5 + (k == 1)), "uint8")).save(tmp_path / "s" / f"{k}.png")
    with pytest.raises(DataError, match=r"slice 1\.png has shape \(4, 6\)"):
        read(tmp_path / "s", samples="folders")


def test_palette_images_give_their_indices(tmp_path):
    image = pytest.importorskip("PIL.Image")
    picture = image.fromarray(PLANE.T.copy()).convert("P")
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    picture.putdata(PLANE.T.ravel().tolist())
    picture.save(tmp_path / "a.png")
    assert np.array_equal(read(tmp_path / "a.png")[0], PLANE)


def test_hdf5_by_path(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["deep/labels"] = LABELS
        file["deep/other"] = LABELS[::-1]
    assert np.array_equal(read(tmp_path / "a.h5", dataset="/deep/labels")[0], LABELS)
    part, _ = read(tmp_path / "a.h5", dataset="/deep/labels", axes="zyx", stride={"y": 3})
    assert np.array_equal(part, LABELS.T[:, ::3])
    with pytest.raises(DataError, match=r"no dataset.*/deep/labels, /deep/other"):
        read(tmp_path / "a.h5", dataset="/deep/nothing")


@pytest.mark.parametrize("layout", ["6", "nx"])
def test_dream3d(tmp_path, layout):
    h5py = pytest.importorskip("h5py")
    grain = np.arange(5 * 6 * 7, dtype="int32").reshape(5, 6, 7)
    euler = np.random.default_rng(1).random((5, 6, 7, 3)).astype("float32")
    with h5py.File(tmp_path / "a.dream3d", "w") as file:
        if layout == "6":
            geometry = file.create_group("DataContainers/SyntheticVolume/_SIMPL_GEOMETRY")
            geometry["DIMENSIONS"] = np.array([5, 6, 7], "int64")
            geometry["SPACING"] = np.array([0.5, 0.25, 2], "float32")
            geometry["ORIGIN"] = np.zeros(3, "float32")
            cells = file.create_group("DataContainers/SyntheticVolume/CellData")
            ensemble = file.create_group("DataContainers/SyntheticVolume/CellEnsembleData")
            ensemble["PhaseName"] = np.array([b"Unknown", b"Primary", b"Second"], "S9")
            features = file.create_group("DataContainers/SyntheticVolume/Grain Data")
            features["Phases"] = np.ones((9, 1), "int32")
        else:
            geometry = file.create_group("DataStructure/DataContainer")
            geometry.attrs["_DIMENSIONS"] = np.array([5, 6, 7], "uint64")
            geometry.attrs["_SPACING"] = np.array([0.5, 0.25, 2], "float32")
            cells = geometry.create_group("Cell Data")
        cells["FeatureIds"] = grain.T[..., None]
        cells["Phases"] = (LABELS.astype("int32") % 2 + 1).T[..., None]
        cells["EulerAngles"] = np.moveaxis(euler, (0, 1, 2), (2, 1, 0))
    store = fresh()
    ds = ingest(tmp_path / "a.dream3d", store)
    assert set(ds.data_vars) == {"grain", "phase", "orientation"}
    assert np.array_equal(ds.grain[0].values, grain)
    assert np.array_equal(ds.phase[0].values, LABELS % 2 + 1)
    assert ds.orientation.dims == ("sample", "x", "y", "z", "euler")
    assert np.array_equal(ds.orientation[0].values, euler)
    assert ds.attrs["voxel_size"] == [0.5, 0.25, 2.0]
    assert mks.validate_ensemble(store) == []
    if layout == "6":
        assert ds.attrs["phase_names"] == ["Unknown", "Primary", "Second"]
    one = ingest(tmp_path / "a.dream3d", fresh(), variable="grain", crop={"z": (2, 4)})
    assert list(one.data_vars) == ["grain"]
    assert np.array_equal(one.grain[0].values, grain[:, :, 2:4])


def test_planar_dream3d_is_2d(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.dream3d", "w") as file:
        geometry = file.create_group("DataContainers/Scan/_SIMPL_GEOMETRY")
        geometry["DIMENSIONS"] = np.array([5, 6, 1])
        geometry["SPACING"] = np.array([1, 1, 1], "float32")
        file["DataContainers/Scan/CellData/Phases"] = PLANE.T[None, ..., None].astype("int32")
    assert np.array_equal(read(tmp_path / "a.dream3d")[0], PLANE)


def test_dream3d_without_what_we_know(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.dream3d", "w") as file:
        file["x"] = 1
    with pytest.raises(DataError, match="none of FeatureIds, Phases, EulerAngles"):
        read(tmp_path / "a.dream3d")


def write_vti(path, cells, points=None, spacing=(1, 1, 1)):
    vtk = pytest.importorskip("vtk")
    from vtk.util.numpy_support import numpy_to_vtk

    image = vtk.vtkImageData()
    shape = next(iter(cells.values())).shape
    image.SetDimensions(*[n + 1 for n in shape[:3]])
    image.SetSpacing(*spacing)
    for data, arrays in ((image.GetCellData(), cells), (image.GetPointData(), points or {})):
        for name, values in arrays.items():
            flat = (
                np.stack([v.ravel("F") for v in np.moveaxis(np.atleast_3d(values), 3, 0)], -1)
                if (values.ndim == 4)
                else values.ravel("F")
            )
            array = numpy_to_vtk(np.ascontiguousarray(flat), deep=1)
            array.SetName(name)
            data.AddArray(array)
    writer = vtk.vtkXMLImageDataWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(image)
    writer.Write()


def test_vti_cell_and_point_arrays(tmp_path):
    points = np.random.default_rng(2).random((6, 7, 8))
    stress = np.random.default_rng(3).random((5, 6, 7, 6)).astype("float32")
    write_vti(tmp_path / "a.vti", {"phase": LABELS, "stress": stress}, {"T": points}, (0.5, 1, 2))
    values, ds = read(tmp_path / "a.vti")
    assert np.array_equal(values, LABELS)
    assert ds.attrs["voxel_size"] == [0.5, 1.0, 2.0]
    ds = ingest(tmp_path / "a.vti", fresh(), variable="temperature", dataset="T")
    assert np.array_equal(ds.temperature[0].values, points)
    ds = ingest(tmp_path / "a.vti", fresh(), dataset={"phase": "phase", "stress": "stress"})
    assert ds.stress.dims == ("sample", "x", "y", "z", "tensor")
    assert np.array_equal(ds.stress[0].values, stress)
    with pytest.raises(DataError, match=r"no array 'u'.*'phase', 'stress', 'T'"):
        read(tmp_path / "a.vti", dataset="u")


def test_broken_vti_is_one_error_and_no_noise(tmp_path, capfd):
    write_vti(tmp_path / "a.vti", {"phase": LABELS})
    whole = (tmp_path / "a.vti").read_bytes()
    for n, content in enumerate([b"hello", whole[: len(whole) // 2], whole[:-60]]):
        (tmp_path / f"bad{n}.vti").write_bytes(content)
        with pytest.raises(DataError, match=rf"bad{n}\.vti"):
            read(tmp_path / f"bad{n}.vti")[0]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("order", ["C", "F"])
def test_raw(tmp_path, order):
    wide = (LABELS.astype("u2") * 1000).astype(">u2")
    (tmp_path / "a.raw").write_bytes(b"header" + wide.tobytes(order))
    raw = {"shape": (5, 6, 7), "dtype": ">u2", "order": order, "offset": 6}
    assert np.array_equal(read(tmp_path / "a.raw", raw=raw)[0], wide)
    part, _ = read(tmp_path / "a.raw", raw=RawLayout(**raw), crop={"x": (1, 4), "z": (0, 2)})
    assert np.array_equal(part, wide[1:4, :, :2])
    with pytest.raises(DataError, match=r"426 bytes where shape \(5, 6, 8\)"):
        read(tmp_path / "a.raw", raw=raw | {"shape": (5, 6, 8)})
    with pytest.raises(DataError, match="needs its layout"):
        read(tmp_path / "a.raw")


def test_raw_layout_is_checked():
    for wrong in (
        {"shape": ()},
        {"shape": (0, 4)},
        {"order": "Z"},
        {"offset": -1},
        {"dtype": "u3"},
    ):
        with pytest.raises(ValueError, match="raw"):
            RawLayout(**({"shape": (4, 4), "dtype": "u1"} | wrong))


@pytest.mark.parametrize("suffix", ["mha", "nrrd", "mhd"])
def test_itk(tmp_path, suffix):
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.GetImageFromArray(LABELS.T.copy())
    image.SetSpacing((0.5, 1.0, 2.0))
    sitk.WriteImage(image, str(tmp_path / f"a.{suffix}"))
    values, ds = read(tmp_path / f"a.{suffix}")
    assert np.array_equal(values, LABELS)
    assert ds.attrs["voxel_size"] == [0.5, 1.0, 2.0]


def test_nrrd_written_by_another_library(tmp_path):
    nrrd = pytest.importorskip("nrrd")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its own, from Python 3.12 on
        nrrd.write(str(tmp_path / "a.nrrd"), LABELS)  # index 0 is x there too
    assert np.array_equal(read(tmp_path / "a.nrrd")[0], LABELS)


FIELD = np.random.default_rng(4).random((2, 5, 6, 7)).astype("float32")


@pytest.mark.parametrize("suffix", ["npy", "tif", "h5", "vti", "mha", "nrrd"])
@pytest.mark.parametrize("values", [LABELS, LABELS.astype("int32") - 1, FIELD[0], PLANE])
def test_export_and_ingest_are_inverse(tmp_path, suffix, values):
    dims = ("x", "y", "z")[: values.ndim]
    size = [0.5, 1.5, 2.0][: values.ndim]
    data = xr.DataArray(
        values, dims=dims, name="field", attrs={"voxel_size": size, "voxel_unit": "um"}
    )
    export(data, tmp_path / f"a.{suffix}")
    ds = ingest(tmp_path / f"a.{suffix}", fresh(), variable="field")
    assert np.array_equal(ds.field[0].values, values)
    assert ds.field.dtype == values.dtype
    assert ds.field.dims[1:] == dims
    if suffix in ("vti", "mha", "nrrd", "tif"):
        assert ds.attrs["voxel_size"] == pytest.approx(size)


@pytest.mark.parametrize("name", ["npy", "npz", "tif", "png", "h5", "mha", "vti", "dream3d"])
@pytest.mark.parametrize("content", [b"", b"not an image, whatever its name says", b"\0" * 4096])
def test_not_an_image(tmp_path, name, content, capfd):
    path = tmp_path / f"a.{name}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.{name} "):
        formats.probe(str(path), options=Options(variable="phase"))
    with pytest.raises(DataError, match=rf"a\.{name} "):
        formats.read(str(path), options=Options(variable="phase"))
    assert capfd.readouterr().err == ""


def test_unknown_format(tmp_path):
    (tmp_path / "a.xyz").write_bytes(b"")
    with pytest.raises(DataError, match=r"a\.xyz is of no known format.*format="):
        formats.probe(str(tmp_path / "a.xyz"))
    with pytest.raises(ValueError, match="format is 'tif'; wanted one of"):
        formats.probe(str(tmp_path / "a.xyz"), "tif")
