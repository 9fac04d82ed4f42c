"""A model comes back as it was, goes on learning, and what is unknown is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from mksdask.bases import PrimitiveBasis
from mksdask.errors import DataError
from mksdask.reduction import IncrementalPCA
from mksdask.saved_models import load_model, save_model
from mksdask.statistics import two_point_statistics


def statistics(n=30, seed=0):
    rng = np.random.default_rng(seed)
    phase = xr.DataArray(
        rng.integers(0, 2, (n, 6, 8)),
        dims=("sample", "x", "y"),
        attrs={"phase_names": ["a", "b"], "voxel_size": np.array([0.5, 1.0])},
    )
    return two_point_statistics(phase, PrimitiveBasis(2), cutoff=2)


@pytest.mark.parametrize(
    "options",
    [
        {"n_components": np.int64(3)},
        {"n_components": 0.8, "method": "gram"},
        {"n_components": 3, "method": "svd", "oversampling": 2},
    ],
)
@pytest.mark.parametrize("place", ["folder", "memory"])
def test_round_trip(tmp_path, options, place):
    store = tmp_path / "pca.zarr" if place == "folder" else f"memory://{tmp_path.name}/pca.zarr"
    f = statistics()
    pca = IncrementalPCA(**options).fit(f)
    save_model(pca, store)
    again = load_model(store)
    assert again.get_params() == pca.get_params()
    for name in (n for n in vars(pca) if n.endswith("_") and n not in ("summary_", "features_")):
        np.testing.assert_array_equal(getattr(again, name), getattr(pca, name))
    xr.testing.assert_identical(again.components, pca.components)
    xr.testing.assert_identical(again.transform(f), pca.transform(f))
    more = statistics(20, seed=1)
    np.testing.assert_array_equal(
        again.partial_fit(more).components_, pca.partial_fit(more).components_
    )


def test_complex_and_plain(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20, 3, 4)) + 1j * rng.standard_normal((20, 3, 4))
    pca = IncrementalPCA(n_components=2).fit(x)
    save_model(pca, tmp_path / "m.zarr")
    again = load_model(tmp_path / "m.zarr")
    np.testing.assert_array_equal(again.transform(x), pca.transform(x))
    assert again.features_.dims is None


def test_replacing(tmp_path):
    x = np.random.default_rng(0).standard_normal((20, 4))
    store = tmp_path / "m.zarr"
    save_model(IncrementalPCA(n_components=2).fit(x), store)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        save_model(IncrementalPCA(n_components=1).fit(x), store)
    save_model(IncrementalPCA(n_components=1).fit(x), store, overwrite=True)
    assert load_model(store).n_components_ == 1
    assert [p.name for p in tmp_path.iterdir()] == ["m.zarr"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "data.txt").write_text("mine")
    with pytest.raises(ValueError, match="not a saved model"):
        save_model(IncrementalPCA(n_components=1).fit(x), other, overwrite=True)
    assert (other / "data.txt").read_text() == "mine"


def test_what_is_unknown_or_damaged_is_refused(tmp_path):
    store = tmp_path / "m.zarr"
    save_model(
        IncrementalPCA(n_components=2).fit(np.random.default_rng(0).standard_normal((20, 4))), store
    )
    document = json.loads((store / "model.json").read_text())
    for change, said in (
        ({"version": 2}, "has version 2 of the format .* update mksdask"),
        ({"kind": "os.system"}, "kind 'os.system'; wanted one of"),
        ({"format": "other"}, "not a model"),
        ({"model": {}}, "damaged"),
        ({"arrays": ["rows", "nothing"]}, "damaged"),
    ):
        (store / "model.json").write_text(json.dumps({**document, **change}))
        with pytest.raises(DataError, match=said):
            load_model(store)
    (store / "model.json").write_text("{")
    with pytest.raises(DataError, match="JSON"):
        load_model(store)
    (store / "model.json").write_text(json.dumps(document))
    (chunk,) = (store / "components" / "c").rglob("0/0")
    chunk.write_bytes(chunk.read_bytes()[:-3] + b"abc")
    with pytest.raises(DataError, match="damaged"):
        load_model(store)
    with pytest.raises(FileNotFoundError, match="no model"):
        load_model(tmp_path / "none.zarr")
    with pytest.raises(TypeError, match="wanted one of"):
        save_model({"a": 1}, tmp_path / "x.zarr")
