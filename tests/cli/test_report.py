"""One page that holds all it shows."""

import base64
import json
import re

import numpy as np
import pytest
import xarray as xr

import mksdask as mks
from mksdask.cli import main
from mksdask.report import write_report

pytest.importorskip("matplotlib")


@pytest.fixture
def cells(tmp_path):
    phase = mks.generate.multiphase(shape=(8, 8), n_samples=6, grain_size=3, seed=0)
    ds = phase.to_dataset(name="phase")
    ds["stiffness"] = xr.DataArray(np.arange(6.0), dims="sample")
    mks.create_ensemble(tmp_path / "cells.zarr", ds, progress=False)
    return tmp_path / "cells.zarr"


def test_all_that_is_shown_lies_in_the_page(cells, tmp_path, capsys):
    f = mks.two_point_statistics(mks.open_ensemble(cells).phase, mks.PrimitiveBasis(2)).compute()
    pca = mks.IncrementalPCA(n_components=3).fit(f)
    mks.save_model(pca, tmp_path / "pca.zarr")
    log = tmp_path / "p.log.jsonl"
    done = {"event": "done", "stage": "cells", "do": "generate", "seconds": 1.5, "options": {}}
    log.write_text(json.dumps({"event": "run", "mksdask": "9.9"}) + "\n" + json.dumps(done) + "\n{")
    out = tmp_path / "r.html"
    words = ["report", str(cells), str(tmp_path / "pca.zarr"), "--log", str(log), "--out", str(out)]
    assert main([*words, "--title", "<script>alert(1)</script>"]) == 0
    assert "2 sources" in capsys.readouterr().out
    text = out.read_text()
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    assert len(pictures) == text.count("<img") == 2
    assert all(base64.b64decode(p).startswith(b"\x89PNG") for p in pictures)
    # Mean, deviation and range of 0 ... 5.
    assert "<td>stiffness</td><td>2.5</td><td>1.70783</td><td>0</td><td>5</td>" in text
    assert f"<td>{100 * pca.explained_variance_ratio_[0]:.6g}</td>" in text
    assert "<td>mksdask</td><td>9.9</td>" in text
    assert main(words) == 2
    assert "exists" in capsys.readouterr().err
    assert main([*words, "--overwrite", "--quiet"]) == 0
    assert [p.name for p in tmp_path.iterdir() if "partial" in p.name] == []


def test_predictions_beside_what_they_predict(cells, tmp_path):
    ds = mks.open_ensemble(cells).compute()
    predicted = (ds.stiffness + 0.5).chunk().to_dataset(name="stiffness")
    predicted.attrs["provenance"] = {"created_by": "mksdask.HomogenizationModel.predict"}
    mks.create_ensemble(tmp_path / "predicted.zarr", predicted, progress=False)
    text = write_report([cells, tmp_path / "predicted.zarr"], tmp_path / "r.html").read_text()
    # 1 - 6 / 4 / sum (0 ... 5 - 2.5)^2
    assert f"{1 - 1.5 / 17.5:.6g}" in text
    other = predicted.assign_coords(sample=[f"s{i}" for i in range(6)])
    mks.create_ensemble(tmp_path / "other.zarr", other, progress=False)
    text = write_report([cells, tmp_path / "other.zarr"], tmp_path / "q.html").read_text()
    assert "R^2" not in text


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"sources": []}, ValueError, "wanted a list of ensembles"),
        ({"out": "r.pdf"}, ValueError, "wanted a file such as report.html"),
        ({"sources": ["none.zarr"]}, FileNotFoundError, "none.zarr"),
        ({"log": "none.jsonl"}, FileNotFoundError, "there is no log at none.jsonl"),
    ],
)
def test_bad_calls(cells, tmp_path, monkeypatch, given, error, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        write_report(**{"sources": [cells], "out": "r.html"} | given)
    assert not (tmp_path / "r.html").exists()
