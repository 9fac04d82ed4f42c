"""Models come back from disk and predict the same; nothing foreign is loaded."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import xarray as xr
from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA, KernelPCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge, RidgeCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from mksdask.bases import FourierBasis, LegendreBasis
from mksdask.errors import DataError, ExtrapolationWarning
from mksdask.linkage import HomogenizationModel, PolynomialRegression, parts
from mksdask.saved_models import load_model, save_model
from mksdask.statistics import TwoPointStatistics
from tests.linkage.cases import BASIS, Fraction, Ratio, cells


@pytest.fixture(autouse=True)
def _registry(monkeypatch):
    monkeypatch.setattr(parts, "REGISTRY", dict(parts.REGISTRY))


KERNEL = ConstantKernel(2.0) * RBF([1.0, 2.0, 3.0]) + Matern(2.0, nu=1.5) + WhiteKernel(1e-3)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {
            "degree": 1,
            "cutoff": {"x": 2, "y": 1},
            "boundary": {"x": "periodic", "y": "nonperiodic"},
        },
        {"basis": LegendreBasis(3, (0, 1)), "pairs": [(0, 1), (1, 1)]},
        {"basis": FourierBasis(3, (0, 2)), "pairs": "all"},
        {"regressor": PolynomialRegression(ridge=1e-3)},
        {"regressor": LinearRegression()},
        {"regressor": Ridge(alpha=0.1)},
        {"regressor": RidgeCV(alphas=np.array([0.1, 1.0]))},
        {"regressor": Lasso(alpha=1e-3)},
        {"regressor": ElasticNet(alpha=1e-3)},
        {"regressor": KernelRidge(alpha=1e-3, kernel="rbf", gamma=0.1)},
        {"regressor": GaussianProcessRegressor(KERNEL, optimizer=None, normalize_y=True)},
        {"regressor": make_pipeline(StandardScaler(), PolynomialFeatures(2), Ridge(alpha=0.1))},
        {"regressor": TransformedTargetRegressor(Ridge(), transformer=StandardScaler())},
        {"regressor": MultiOutputRegressor(Ridge()), "several": True},
        {"regressor": GaussianProcessRegressor(KERNEL, optimizer=None), "several": True},
        {"reducer": PCA(svd_solver="full")},
        {"statistics": TwoPointStatistics(BASIS, "auto", cutoff=2)},
        {"features": (Fraction(2),), "target": Ratio(2.0)},
        {"features": (Fraction(2),), "n_components": 0},
    ],
    ids=lambda o: ",".join(f"{k}={v}"[:40] for k, v in o.items()) or "default",
)
def test_round_trip(options, tmp_path):
    parts.register_part(Fraction)
    parts.register_part(Ratio)
    options = {"basis": BASIS, "n_components": 3, **options}
    phase, y = cells()
    if options.pop("several", False):
        y = xr.concat([y, y**2], "row").assign_coords(row=["a", "b"])
    model = HomogenizationModel(**options).fit(phase, y)
    save_model(model, tmp_path / "m.zarr")
    again = load_model(tmp_path / "m.zarr")
    new, _ = cells(20, seed=1)
    for method in ("predict", "predict_interval", "extrapolation", "descriptors"):
        try:
            wanted = getattr(model, method)(new.chunk(sample=5))
        except TypeError:
            assert method == "predict_interval"
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExtrapolationWarning)
            xr.testing.assert_allclose(
                getattr(again, method)(new.chunk(sample=5)).compute(), wanted.compute(), rtol=1e-12
            )
    if options["n_components"]:
        xr.testing.assert_identical(again.components, model.components)
    assert repr(again.get_params()) == repr(model.get_params())
    with pytest.raises(ValueError, match="as in fit"):
        again.predict(new[:, 1:])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"regressor": RandomForestRegressor(3)}, "cannot be saved without pickle; .*register_part"),
        ({"reducer": KernelPCA()}, "reducer is a sklearn.*KernelPCA"),
        ({"features": (Fraction(),)}, "features.0 is a tests.linkage.cases.Fraction"),
        ({"target": Ratio()}, "target is a tests"),
        ({"regressor": KernelRidge(kernel=lambda a, b: a @ b)}, "regressor.kernel is a builtins.function"),
    ],
)  # fmt: skip
def test_unknown_parts_are_refused_with_the_way_out(options, said, tmp_path):
    phase, y = cells()
    model = HomogenizationModel(BASIS, n_components=2, **options).fit(phase, y)
    with pytest.raises(TypeError, match=said):
        save_model(model, tmp_path / "m.zarr")
    assert not list(tmp_path.iterdir())


def test_nothing_foreign_is_loaded(tmp_path):
    phase, y = cells()
    save_model(
        HomogenizationModel(BASIS, n_components=2, regressor=Ridge()).fit(phase, y),
        tmp_path / "m.zarr",
    )
    path = tmp_path / "m.zarr" / "model.json"
    document = json.loads(path.read_text())
    for change, said in (
        ({"class": "Popen", "params": {"args": "true"}, "fitted": {}}, "class 'Popen' is unknown"),
        ({"class": "Ridge", "params": {}, "fitted": {"predict": 1}}, "no attribute 'predict'"),
    ):
        changed = {**document, "model": {**document["model"], "regressor": change}}
        path.write_text(json.dumps(changed))
        with pytest.raises(DataError, match=said):
            load_model(tmp_path / "m.zarr")


def test_a_regressor_that_no_longer_predicts_the_same_is_refused(tmp_path):
    phase, y = cells()
    save_model(
        HomogenizationModel(BASIS, n_components=2, regressor=Ridge()).fit(phase, y),
        tmp_path / "m.zarr",
    )
    path = tmp_path / "m.zarr" / "model.json"
    document = json.loads(path.read_text())
    document["model"]["regressor"]["fitted"]["intercept_"] = 7.0
    path.write_text(json.dumps(document))
    with pytest.raises(DataError, match="predicts otherwise than when it was saved"):
        load_model(tmp_path / "m.zarr")


def test_names_of_parts_are_not_taken_twice():
    class Ridge(BaseEstimator):
        pass

    with pytest.raises(ValueError, match=r"Ridge is the name of a part of sklearn.linear_model"):
        parts.register_part(Ridge)


def test_unfitted_models_are_not_saved(tmp_path):
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        save_model(HomogenizationModel(BASIS), tmp_path / "m.zarr")
