"""Maps of electron diffraction, laid out as the vendors' programs write them."""

import uuid

import numpy as np
import pytest

from mksdask.ensemble.ingest import ingest
from mksdask.errors import DataError
from mksdask.generate import uniform_orientations

NX, NY = 5, 3
ANGLES = uniform_orientations(np.random.default_rng(0), NX * NY).reshape(NX, NY, 3)
PHASE = np.random.default_rng(1).integers(1, 3, (NX, NY))
NAMES = ("Iron (Alpha)", "Austenite")

ANG_PHASE = """# Phase {number}
# MaterialName  \t{name}
# Formula     \tFe
# Info
# Symmetry              43
# LatticeConstants      2.870 2.870 2.870  90.000  90.000  90.000
# NumberFamilies        4
# hklFamilies   \t 1  1  0 1 0.000000 1
# Categories 0 0 0 0 0
#
"""


def ang(path, *, angles=ANGLES, phase=PHASE, names=NAMES, grid="SqrGrid", rows=None, extra=""):
    lines = ["# TEM_PIXperUM          1.000000\n# x-star                0.503000\n#\n"]
    lines += [ANG_PHASE.format(number=i + 1, name=name) for i, name in enumerate(names)]
    lines += [
        f"# GRID: {grid}\n# XSTEP: 0.500000\n# YSTEP: 0.250000\n# NCOLS_ODD: {NX}\n"
        f"# NCOLS_EVEN: {NX}\n# NROWS: {NY}\n#\n# OPERATOR: \tsupervisor\n#\n# SAMPLEID: \n#\n"
    ]
    for j in range(NY):
        for i in range(NX):
            a, b, c = angles[i, j]
            lines.append(
                f"  {a:.5f}   {b:.5f}   {c:.5f}      {i * 0.5:.5f}      {j * 0.25:.5f} "
                f"{100 + i:.1f}  {0.1 * j:.3f}  {phase[i, j]}      1  0.{i}{j}0\n"
            )
    path.write_text("".join(lines[:rows]) + extra, encoding="latin-1")
    return str(path)


def ctf(path, *, angles=ANGLES, phase=PHASE, names=NAMES, comma=False, drop="", rows=None):
    head = (
        "Channel Text File\r\nPrj\tC:\\maps\\stück.cpr\r\nAuthor\t[Unknown]\r\nJobMode\tGrid\r\n"
        f"XCells\t{NX}\r\nYCells\t{NY}\r\nXStep\t0.5\r\nYStep\t0.25\r\n"
        "AcqE1\t0\r\nAcqE2\t0\r\nAcqE3\t0\r\n"
        "Euler angles refer to Sample Coordinate system (CS0)!\tMag\t1000\tCoverage\t100\t"
        "Device\t0\tKV\t20\tTiltAngle\t70\tTiltAxis\t0\r\n"
        f"Phases\t{len(names)}\r\n"
    )
    for name in names:
        head += f"2.866;2.866;2.866\t90;90;90\t{name}\t11\t229\t\t\tSome reference\r\n"
    head += "Phase\tX\tY\tBands\tError\tEuler1\tEuler2\tEuler3\tMAD\tBC\tBS\r\n"
    lines = []
    degrees = np.rad2deg(angles)
    for j in range(NY):
        for i in range(NX):
            a, b, c = degrees[i, j]
            lines.append(
                f"{phase[i, j]}\t{i * 0.5:.4f}\t{j * 0.25:.4f}\t8\t0\t{a:.4f}\t{b:.4f}\t{c:.4f}\t"
                f"0.{i}{j}1\t{120 + i}\t255\r\n"
            )
    body = "".join(lines[:rows])
    body = body.replace(".", ",") if comma else body
    path.write_bytes((head.replace(drop, "") + body).encode("latin-1"))
    return str(path)


def read(path, **options):
    return ingest(path, f"memory://{uuid.uuid4().hex}.zarr", **options)


@pytest.mark.parametrize(
    ("write", "decimals"), [(ang, 5), (ctf, 4), (lambda p: ctf(p, comma=True), 4)]
)
def test_maps_become_ensembles(tmp_path, write, decimals):
    suffix = "ang" if write is ang else "ctf"
    ds = read(write(tmp_path / f"a.{suffix}"))
    assert ds.phase.dims == ("sample", "x", "y")
    np.testing.assert_array_equal(ds.phase[0], PHASE)
    assert ds.phase.dtype == np.uint8
    assert ds.orientation.dims == ("sample", "x", "y", "euler")
    np.testing.assert_allclose(ds.orientation[0], ANGLES, atol=10.0**-decimals)
    assert ds.attrs["voxel_size"] == [0.5, 0.25]
    assert ds.attrs["voxel_unit"] == "um"
    assert ds.attrs["phase_names"] == ["not indexed", *NAMES]


def test_other_columns_by_name(tmp_path):
    ds = read(ang(tmp_path / "a.ang"), variable="iq")
    np.testing.assert_array_equal(ds.iq[0, :, 1], 100 + np.arange(NX))
    ds = read(ctf(tmp_path / "a.ctf"), variable="contrast", dataset="BC")
    np.testing.assert_array_equal(ds.contrast[0, :, 2], 120 + np.arange(NX))
    with pytest.raises(DataError, match=r"no 'quality'; it has 'phase', 'orientation'.*'iq', 'ci'"):
        read(str(tmp_path / "a.ang"), variable="quality")


def test_points_without_solution(tmp_path):
    angles, phase = ANGLES.copy(), PHASE.copy()
    angles[2, 1] = 4 * np.pi  # as OIM writes it
    ds = read(ang(tmp_path / "a.ang", angles=angles))
    assert int(ds.phase[0, 2, 1]) == 0
    assert np.isnan(ds.orientation[0, 2, 1]).all()
    assert int(np.isnan(ds.orientation).sum()) == 3
    phase[2, 1], angles[2, 1] = 0, 0
    ds = read(ctf(tmp_path / "a.ctf", angles=angles, phase=phase))
    assert int(ds.phase[0, 2, 1]) == 0
    assert int(np.isnan(ds.orientation).sum()) == 3


def test_the_only_phase_may_have_number_zero(tmp_path):
    ds = read(ang(tmp_path / "a.ang", phase=np.zeros_like(PHASE), names=("Copper",)))
    assert (ds.phase == 1).all()
    assert ds.attrs["phase_names"] == ["not indexed", "Copper"]


def test_crop_and_stride_and_several_maps(tmp_path):
    for i in range(3):
        ang(tmp_path / f"m{i}.ang", angles=ANGLES * (1 - 0.1 * i))
    ds = read(str(tmp_path / "*.ang"), crop={"x": (1, 5)}, stride={"x": 2})
    assert dict(ds.sizes) == {"sample": 3, "x": 2, "y": 3, "euler": 3}
    np.testing.assert_allclose(ds.orientation[2], ANGLES[1:5:2] * 0.8, atol=1e-5)


@pytest.mark.parametrize(
    ("write", "match"),
    [
        (lambda p: ang(p / "a.ang", grid="HexGrid"), "HexGrid; wanted SqrGrid: convert it"),
        (lambda p: ang(p / "a.ang", rows=12), "has 8 rows; its header promises 5 x 3 = 15"),
        (lambda p: ang(p / "a.ang", angles=np.rad2deg(ANGLES)), "look like degrees"),
        (lambda p: ang(p / "a.ang", phase=PHASE + 1), "points of phase 3, and its header names"),
        (lambda p: ang(p / "a.ang", names=()), "names the phases {}; wanted at least one"),
        (lambda p: ang(p / "a.ang", rows=18, extra="  1.0 2.0 x\n"), "no number in column"),
        (lambda p: ang(p / "a.ang", rows=4), "no rows|no columns|rows"),
        (lambda p: ctf(p / "a.ctf", rows=14), "has 14 rows"),
        (lambda p: ctf(p / "a.ctf", angles=ANGLES + 7), "degrees"),
        (lambda p: ctf(p / "a.ctf", phase=PHASE + 1), "points of phase 3"),
        (lambda p: ctf(p / "a.ctf", drop="XCells\t5"), "no usable XCells"),
        (lambda p: ctf(p / "a.ctf", drop="Euler1\t"), r"no columns \['phi1'\]"),
        (lambda p: ctf(p / "a.ctf", drop="Phase\tX"), "no .ctf file"),
    ],
)
def test_bad_files_are_named(tmp_path, write, match):
    path = write(tmp_path)
    with pytest.raises(DataError, match=match) as raised:
        read(path).compute()
    assert path in str(raised.value)


@pytest.mark.parametrize("suffix", ["ang", "ctf"])
def test_files_of_something_else(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    for content in (b"", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), b"1 2 3\n4 5 6\n"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=str(path)):
            read(str(path)).compute()
