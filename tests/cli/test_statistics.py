"""The statistics command computes what the function computes, and says what is wrong."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import xarray as xr

import mksdask as mks
from mksdask import cli
from mksdask.bases import FourierBasis, LegendreBasis, PrimitiveBasis
from mksdask.statistics import pair_correlation, two_point_statistics
from mksdask.statistics.bad_samples import bad_samples


@pytest.fixture(autouse=True)
def _command(monkeypatch):
    monkeypatch.setattr(cli, "COMMANDS", ("statistics",))


def dataset():
    rng = np.random.default_rng(0)
    return xr.Dataset(
        {
            "phase": (("sample", "x", "y"), rng.integers(0, 3, (7, 8, 6)).astype("uint8")),
            "field": (("sample", "x", "y"), 2 * rng.random((7, 8, 6)) - 1),
            "inside": (("sample", "x", "y"), rng.random((7, 8, 6)) < 0.7),
        },
        coords={"sample": [f"cut-{i}" for i in range(7)]},
        attrs={
            "voxel_size": [0.5, 0.5],
            "voxel_unit": "um",
            "phase_names": ["ferrite", "pearlite", "pore"],
            "periodic": ["x"],
        },
    )


@pytest.fixture
def store(tmp_path):
    path = str(tmp_path / "steel.zarr")
    mks.create_ensemble(path, dataset().chunk(sample=3))
    return path


def call(store, out, *options):
    return cli.main(["statistics", store, "--out", out, "--quiet", *options])


def expected(variable, basis, *args, **kwargs):
    data = dataset()[variable].assign_attrs(phase_names=dataset().attrs["phase_names"])
    return two_point_statistics(data, basis, *args, **kwargs)


def test_defaults_come_from_the_ensemble(store, tmp_path):
    out = str(tmp_path / "f.zarr")
    assert call(store, out) == 0
    f = mks.open_ensemble(out)["two_point"]
    wanted = expected("phase", PrimitiveBasis(3), boundary={"x": "periodic", "y": "nonperiodic"})
    assert f.dims == wanted.dims
    assert f.chunksizes["sample"] == (3, 3, 1)
    np.testing.assert_allclose(f, wanted, atol=1e-12)
    for name in ("sample", "pair", "pair_first", "pair_second", "lag_x", "lag_y"):
        np.testing.assert_array_equal(f[name], wanted[name])
    assert f.attrs["voxel_size"] == [0.5, 0.5]
    assert mks.validate_ensemble(out) == []
    g = pair_correlation(f, physical=True)
    assert g.radius.attrs["units"] == "um"


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--pairs", "0-0,0-2", "--cutoff", "2"], ([(0, 0), (0, 2)], 2, "periodic")),
        (["--pairs", "pearlite-pore", "--cutoff", "3,1"], ([(1, 2)], (3, 1), "periodic")),
        (["--pairs", "auto", "--boundary", "nonperiodic"], ("auto", None, "nonperiodic")),
        (["--boundary", "x=nonperiodic"], ("all", None, ["nonperiodic", "periodic"])),
    ],
)
def test_options(store, tmp_path, options, wanted):
    out = str(tmp_path / "f.zarr")
    if "--boundary" not in options:
        options = [*options, "--boundary", "periodic"]
    assert call(store, out, *options) == 0
    f = mks.open_ensemble(out)["two_point"]
    np.testing.assert_allclose(f, expected("phase", PrimitiveBasis(3), *wanted), atol=1e-12)


def test_volumes_stored_in_spatial_chunks(tmp_path):
    store, out = str(tmp_path / "volume.zarr"), str(tmp_path / "f.zarr")
    mks.create_ensemble(store, dataset()[["phase"]], chunks={"sample": 7, "x": 5, "y": 4})
    assert call(store, out, "--cutoff", "2") == 0
    f = mks.open_ensemble(out)["two_point"]
    wanted = expected("phase", PrimitiveBasis(3), cutoff=2, boundary=("periodic", "nonperiodic"))
    np.testing.assert_allclose(f, wanted, atol=1e-12)
    assert call(store, out, "--overwrite") == 2


def test_mask(store, tmp_path):
    out = str(tmp_path / "f.zarr")
    assert call(store, out, "--mask", "inside", "--boundary", "nonperiodic") == 0
    f = mks.open_ensemble(out)["two_point"]
    wanted = expected("phase", PrimitiveBasis(3), boundary="nonperiodic", mask=dataset()["inside"])
    np.testing.assert_allclose(f, wanted, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "basis"),
    [("legendre", LegendreBasis(3, (-1, 1))), ("fourier", FourierBasis(3, (-1, 1)))],
)
def test_fields_in_other_bases(store, tmp_path, name, basis):
    out = str(tmp_path / "f.zarr")
    options = ["--variable", "field", "--basis", name, "--states", "3", "--domain=-1,1"]
    assert call(store, out, *options, "--boundary", "periodic") == 0
    f = mks.open_ensemble(out)["two_point"]
    np.testing.assert_allclose(f, expected("field", basis), atol=1e-12)


def test_summary_and_overwrite(store, tmp_path, capsys):
    out = str(tmp_path / "f.zarr")
    assert cli.main(["statistics", store, "--out", out, "--cutoff", "2", "--pairs", "0-1"]) == 0
    said = capsys.readouterr().out
    assert said == f"{out}: 7 samples, pairs ferrite,pearlite; 5 x 5 lags\n"
    assert call(store, out) == 2
    assert "exists" in capsys.readouterr().err
    assert call(store, out, "--overwrite") == 0
    assert mks.open_ensemble(out).sizes["pair"] == 6


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--variable", "strain"], 2, "--variable is strain, and the ensemble has ['field'"),
        (["--mask", "hole"], 2, "--mask is hole"),
        (["--pairs", "0"], 2, "--pairs has '0'"),
        (["--pairs", "0-7"], 2, "state 7"),
        (["--pairs", "ferrite-slag"], 2, "slag"),
        (["--cutoff", "few"], 2, "--cutoff is 'few'"),
        (["--cutoff", "200"], 2, "cutoff"),
        (["--cutoff", "1,2,3"], 2, "cutoff"),
        (["--boundary", "mirror"], 2, "mirror"),
        (["--boundary", "q=periodic"], 2, "--boundary has 'q=periodic'"),
        (["--states", "1"], 2, "n_states"),
        (["--states", "2"], 1, "domain"),
        (["--basis", "legendre"], 2, "--states is not given"),
        (["--domain", "1"], 2, "--domain is '1'; wanted 2 numbers"),
    ],
)
def test_bad_calls_are_one_sentence(store, tmp_path, capsys, options, code, said):
    out = tmp_path / "f.zarr"
    assert call(store, str(out), *options) == code
    error = capsys.readouterr().err
    assert error.startswith("mksdask statistics: ")
    assert error.count("\n") == 1
    assert said in error


def test_missing_store(tmp_path, capsys):
    assert call(str(tmp_path / "none.zarr"), str(tmp_path / "f.zarr")) == 2
    assert "no ensemble at" in capsys.readouterr().err


def test_bad_samples_are_named_or_left_out(tmp_path, capsys):
    labels = np.random.default_rng(0).integers(0, 2, (300, 6, 6)).astype("uint8")
    labels[203, 2, 3] = 9
    labels[17, 0, 0] = 2
    phase = xr.DataArray(labels, dims=("sample", "x", "y")).chunk(sample=20)
    mks.create_ensemble(tmp_path / "s.zarr", phase.to_dataset(name="phase"), progress=False)
    words = ["statistics", str(tmp_path / "s.zarr"), "--states", "2", "--out"]
    with dask.config.set(scheduler="synchronous"):
        assert cli.main([*words, str(tmp_path / "bad.zarr")]) == 1
        said = capsys.readouterr().err
        assert ("sample 17: the field has values from 0 to 2" in said) or (
            "sample 203: the field has values from 0 to 9" in said
        )
        for chunked in ({}, {"x": 3}):
            data = mks.open_ensemble(tmp_path / "s.zarr").phase.chunk(chunked)
            found = bad_samples(data, PrimitiveBasis(2), False)
            assert list(found) == ["17", "203"]
        assert cli.main([*words, str(tmp_path / "f.zarr"), "--skip-bad"]) == 0
    assert "skipped 2 samples: 17, 203" in capsys.readouterr().out
    f = mks.open_ensemble(tmp_path / "f.zarr")
    assert list(f.attrs["provenance"]["skipped"]) == ["17", "203"]
    good = np.delete(np.arange(300), [17, 203])
    np.testing.assert_array_equal(f.sample, good)
    np.testing.assert_allclose(
        f.two_point, two_point_statistics(labels[good], PrimitiveBasis(2)), atol=1e-12
    )
    assert cli.main([*words, str(tmp_path / "g.zarr"), "--skip-bad", "--mask", "phase"]) == 2
    assert "--skip-bad and --mask are given" in capsys.readouterr().err
    with dask.config.set(scheduler="synchronous"):
        mks.create_ensemble(
            tmp_path / "all.zarr", (phase[:3] * 0 + 7).to_dataset(name="phase"), progress=False
        )
        words[1] = str(tmp_path / "all.zarr")
        assert cli.main([*words, str(tmp_path / "h.zarr"), "--skip-bad"]) == 1
    assert "all 3 samples are bad" in capsys.readouterr().err
