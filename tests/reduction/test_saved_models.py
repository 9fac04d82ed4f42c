"""A model comes back as it was, goes on learning, and what is unknown is refused."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr

from mksdask.bases import PrimitiveBasis
from mksdask.ensemble.location import Location
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
    assert sum(p.is_dir() for p in store.iterdir()) == 1
    other = tmp_path / "other"
    other.mkdir()
    (other / "data.txt").write_text("mine")
    with pytest.raises(ValueError, match="not a saved model"):
        save_model(IncrementalPCA(n_components=1).fit(x), other, overwrite=True)
    assert (other / "data.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("step", "call"), [("move_to", 1), ("write_json", 1), ("write_json", 2), ("delete", 1)]
)
def test_killed_while_replacing(tmp_path, monkeypatch, step, call):
    """Whatever step was the last one, the old model is there or the new one, and can be replaced."""

    class Killed(BaseException):
        pass

    x = np.random.default_rng(0).standard_normal((20, 4))
    store = tmp_path / "m.zarr"
    save_model(IncrementalPCA(n_components=2).fit(x), store)
    calls = []
    run = getattr(Location, step)

    def last(*args):
        run(*args)
        calls.append(args)
        if len(calls) == call:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Location, step, last)
        with pytest.raises(Killed):
            save_model(IncrementalPCA(n_components=1).fit(x), store, overwrite=True)
    new = (step, call) in (("write_json", 2), ("delete", 1))
    assert load_model(store).n_components_ == (1 if new else 2)
    save_model(IncrementalPCA(n_components=3).fit(x), store, overwrite=True)
    assert load_model(store).n_components_ == 3


def test_replaced_by_two_and_read_at_once(tmp_path):
    """The one that is last remains, and a reader sees one of them whole."""
    x = np.random.default_rng(0).standard_normal((20, 4))
    models = [IncrementalPCA(n_components=n).fit(x) for n in (1, 2)]
    store = tmp_path / "m.zarr"
    save_model(models[0], store)
    with ThreadPoolExecutor(3) as pool:
        writers = [
            pool.submit(lambda m: [save_model(m, store, overwrite=True) for _ in range(10)], m)
            for m in models
        ]
        while not all(w.done() for w in writers):
            assert load_model(store).n_components_ in (1, 2)
        for writer in writers:
            writer.result()
    assert load_model(store).n_components_ in (1, 2)


def test_what_is_unknown_or_damaged_is_refused(tmp_path):
    store = tmp_path / "m.zarr"
    save_model(
        IncrementalPCA(n_components=2).fit(np.random.default_rng(0).standard_normal((20, 4))), store
    )
    document = json.loads((store / "model.json").read_text())
    for change, said in (
        ({"version": 9}, "has version 9 of the format .* update mksdask"),
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
    (chunk,) = (store / document["commit"] / "components" / "c").rglob("0/0")
    content = chunk.read_bytes()
    chunk.write_bytes(content[:-3] + b"abc")
    with pytest.raises(DataError, match="damaged"):
        load_model(store)
    chunk.unlink()
    with pytest.raises(DataError, match=r"damaged \(a part of .*components is missing"):
        load_model(store)
    chunk.write_bytes(content)
    assert load_model(store).n_components_ == 2
    with pytest.raises(FileNotFoundError, match="no model"):
        load_model(tmp_path / "none.zarr")
    with pytest.raises(TypeError, match="wanted one of"):
        save_model({"a": 1}, tmp_path / "x.zarr")
