"""Small parts of models as JSON and arrays: parameters, and what scikit-learn estimators learnt.

Only classes in :data:`REGISTRY` are written and read. A part is made again by calling its class
with the parameters of ``get_params`` and setting the attributes listed there, so nothing is
unpickled and no other code runs. A part of another package takes part by :func:`register_part`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mksdask.bases import Basis, basis_from_dict
from mksdask.errors import DataError


class Part(NamedTuple):
    """Where a class is defined, and the attributes that ``fit`` gives it (none if stateless)."""

    module: str
    fitted: tuple[str, ...] = ()


_LINEAR = ("coef_", "intercept_", "n_features_in_")
_KERNELS = "sklearn.gaussian_process.kernels"

#: Name of each class that may be part of a saved model.
REGISTRY: dict[str, Part] = {
    "TwoPointStatistics": Part("mksdask.statistics"),
    "IncrementalPCA": Part("mksdask.reduction"),
    "PolynomialRegression": Part(
        "mksdask.linkage.polynomial",
        (
            "n_features_in_", "single_", "powers_", "centre_", "scale_", "term_centre_",
            "term_scale_", "intercept_", "coef_", "root_", "rank_", "dof_", "n_samples_",
            "residual_variance_",
        ),
    ),
    "SymmetrizedStatistics": Part("mksdask.statistics.symmetry"),
    "LogTarget": Part("mksdask.linkage.targets"),
    "BoundsPosition": Part("mksdask.linkage.targets"),
    "AxisCorrelations": Part("mksdask.features"),
    "Connectivity": Part("mksdask.features"),
    "Interaction": Part("mksdask.features"),
    "LinealPaths": Part("mksdask.features"),
    "RadialCorrelation": Part("mksdask.features"),
    "SeriesParallel": Part("mksdask.features"),
    "SolverEstimates": Part("mksdask.features"),
    "LinearRegression": Part("sklearn.linear_model", _LINEAR),
    "Ridge": Part("sklearn.linear_model", _LINEAR),
    "RidgeCV": Part("sklearn.linear_model", (*_LINEAR, "alpha_")),
    "Lasso": Part("sklearn.linear_model", _LINEAR),
    "ElasticNet": Part("sklearn.linear_model", _LINEAR),
    "KernelRidge": Part("sklearn.kernel_ridge", ("dual_coef_", "X_fit_", "n_features_in_")),
    "GaussianProcessRegressor": Part(
        "sklearn.gaussian_process",
        (
            "X_train_", "y_train_", "L_", "alpha_", "kernel_", "_y_train_mean", "_y_train_std",
            "n_features_in_",
        ),
    ),
    "RBF": Part(_KERNELS),
    "Matern": Part(_KERNELS),
    "RationalQuadratic": Part(_KERNELS),
    "DotProduct": Part(_KERNELS),
    "WhiteKernel": Part(_KERNELS),
    "ConstantKernel": Part(_KERNELS),
    "Sum": Part(_KERNELS),
    "Product": Part(_KERNELS),
    "Pipeline": Part("sklearn.pipeline"),
    "TransformedTargetRegressor": Part(
        "sklearn.compose", ("regressor_", "transformer_", "_training_dim")
    ),
    "MultiOutputRegressor": Part("sklearn.multioutput", ("estimators_", "n_features_in_")),
    "StandardScaler": Part(
        "sklearn.preprocessing",
        ("mean_", "scale_", "var_", "n_samples_seen_", "n_features_in_"),
    ),
    "PolynomialFeatures": Part(
        "sklearn.preprocessing",
        ("n_features_in_", "n_output_features_", "_min_degree", "_max_degree", "_n_out_full"),
    ),
    "PCA": Part(
        "sklearn.decomposition",
        (
            "components_", "mean_", "explained_variance_", "explained_variance_ratio_",
            "singular_values_", "noise_variance_", "n_components_", "n_samples_",
            "n_features_in_",
        ),
    ),
}  # fmt: skip


def register_part(kind: type, fitted: Sequence[str] = ()) -> None:
    """Let objects of a class of your own be saved in models; call it before saving and loading.

    ``kind`` has ``get_params`` in scikit-learn's way, and is called with these on loading;
    ``fitted`` are the attributes that ``fit`` sets (numbers, text, arrays, registered parts).
    """
    known = REGISTRY.get(kind.__name__)
    if known is not None and getattr(_found(kind.__name__), "__module__", "") != kind.__module__:
        raise ValueError(f"{kind.__name__} is the name of a part of {known.module}: take another")
    REGISTRY[kind.__name__] = Part(kind.__module__, tuple(fitted))


def part_to_saved(part: Any, name: str) -> tuple[Any, dict[str, np.ndarray]]:
    """A part (or any plain value) as JSON, and the arrays it refers to.

    >>> from sklearn.linear_model import Ridge
    >>> facts, arrays = part_to_saved(Ridge(alpha=0.5).fit([[0.0], [1.0]], [0.0, 2.0]), "regressor")
    >>> sorted(arrays), part_from_saved(facts, arrays).predict([[0.5]])
    (['regressor.coef_'], array([1.]))
    """
    arrays: dict[str, np.ndarray] = {}
    return _encoded(part, name, arrays), arrays


def part_from_saved(facts: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The part that was saved."""
    if isinstance(facts, list):
        return [part_from_saved(f, arrays) for f in facts]
    if not isinstance(facts, dict):
        return facts
    ((kind, content),) = ((k, v) for k, v in facts.items() if k not in ("params", "fitted"))
    if kind == "tuple":
        return tuple(part_from_saved(f, arrays) for f in content)
    if kind == "dict":
        return {k: part_from_saved(f, arrays) for k, f in content.items()}
    if kind == "array":
        return arrays[content]
    if kind == "number":
        return np.dtype(content[0]).type(content[1])
    if kind == "basis":
        return basis_from_dict(content)
    part = _found(content)(**{k: part_from_saved(f, arrays) for k, f in facts["params"].items()})
    allowed = REGISTRY[content].fitted
    for key, value in facts["fitted"].items():
        if key not in allowed:
            raise DataError(f"{content} has no attribute {key!r} to be loaded")
        setattr(part, key, part_from_saved(value, arrays))
    return part


def _encoded(value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        # NumPy's float64 and str_ are such too, and JSON takes them.
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, np.generic):
        return {"number": [str(value.dtype), value.item()]}
    if isinstance(value, np.ndarray) and value.dtype.kind in "iubfc":
        arrays[name] = value
        return {"array": name}
    if isinstance(value, (list, tuple)):
        entries = [_encoded(v, f"{name}.{i}", arrays) for i, v in enumerate(value)]
        return {"tuple": entries} if isinstance(value, tuple) else entries
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        return {"dict": {k: _encoded(v, f"{name}.{k}", arrays) for k, v in value.items()}}
    if isinstance(value, Basis):
        return {"basis": value.to_dict()}
    kind = type(value).__name__
    if kind not in REGISTRY or _found(kind) is not type(value):
        raise TypeError(
            f"{name} is a {type(value).__module__}.{kind}, which cannot be saved without pickle; "
            f"wanted one of {sorted(REGISTRY)}, or a class told to "
            "mksdask.linkage.parts.register_part; scores for any other program are what "
            "model.descriptors gives"
        )
    params = value.get_params(deep=False)
    return {
        "class": kind,
        "params": {k: _encoded(v, f"{name}.{k}", arrays) for k, v in params.items()},
        "fitted": {
            k: _encoded(getattr(value, k), f"{name}.{k}", arrays)
            for k in REGISTRY[kind].fitted
            if hasattr(value, k)
        },
    }


def _found(kind: str) -> Any:
    if kind not in REGISTRY:
        raise DataError(f"a part of class {kind!r} is unknown; wanted one of {sorted(REGISTRY)}")
    return getattr(importlib.import_module(REGISTRY[kind].module), kind)
