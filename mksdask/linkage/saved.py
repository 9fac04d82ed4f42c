"""A homogenization model as JSON and arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from mksdask.errors import DataError
from mksdask.linkage.cloud import Cloud
from mksdask.linkage.material import Grid
from mksdask.linkage.parts import part_from_saved, part_to_saved
from mksdask.linkage.properties import Properties
from mksdask.reduction import IncrementalPCA

if TYPE_CHECKING:
    from mksdask.linkage.homogenization import HomogenizationModel

REDUCER = "reducer."


def to_saved(model: HomogenizationModel) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Parameters and fitted parts; also what the regressor gives for a few samples, as a check."""
    arrays: dict[str, np.ndarray] = {}
    facts: dict[str, Any] = {"params": {}}
    for name, value in model.get_params(deep=False).items():
        facts["params"][name], more = part_to_saved(value, name)
        arrays |= more
    facts["regressor"], more = part_to_saved(model.regressor_, "regressor")
    arrays |= more
    if isinstance(model.reducer_, IncrementalPCA):
        inside, more = model.reducer_.to_saved()
        facts["pca"] = inside
        arrays |= {REDUCER + k: v for k, v in more.items()}
    else:
        facts["reducer"], more = part_to_saved(model.reducer_, "reducer")
        arrays |= more
    examples = model.cloud_.mean + np.linspace(-1, 1, 3)[:, None] * model.spread_
    arrays |= {
        "cloud.mean": model.cloud_.mean,
        "cloud.whitening": model.cloud_.whitening,
        "spread": model.spread_,
        "check": np.asarray(model.regressor_.predict(examples), float),
    }
    facts |= {
        "grid": asdict(model.grid_),
        "properties": model.properties_.to_json(),
        "limit": model.cloud_.limit,
        "descriptor_names": list(model.descriptor_names_),
        "n_samples": model.n_samples_,
        "dropped": model.dropped_.tolist(),
    }
    return facts, arrays


def from_saved(
    model: HomogenizationModel, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Give an unfitted model the parts that were saved, and check that it predicts the same."""
    grid = facts["grid"]
    dims = None if grid["dims"] is None else tuple(grid["dims"])
    model.grid_ = Grid(dims, tuple(grid["shape"]), grid["dtype"], grid["attrs"])
    # A statistics transformer looks at shapes only when it is fitted.
    model.statistics_ = (
        model._statistics().fit(model.grid_.example()) if model.n_components else None
    )
    if "pca" in facts:
        inside = {k.removeprefix(REDUCER): v for k, v in arrays.items() if k.startswith(REDUCER)}
        model.reducer_ = IncrementalPCA.from_saved(facts["pca"], inside)
    else:
        model.reducer_ = part_from_saved(facts["reducer"], arrays)
    model.regressor_ = part_from_saved(facts["regressor"], arrays)
    model.properties_ = Properties.from_json(facts["properties"])
    model.cloud_ = Cloud(arrays["cloud.mean"], arrays["cloud.whitening"], facts["limit"])
    model.spread_ = arrays["spread"]
    model.descriptor_names_ = tuple(facts["descriptor_names"])
    model.n_samples_ = facts["n_samples"]
    model.dropped_ = np.array(facts["dropped"])
    examples = model.cloud_.mean + np.linspace(-1, 1, 3)[:, None] * model.spread_
    found, wanted = np.asarray(model.regressor_.predict(examples)), arrays["check"]
    if not np.allclose(found, wanted, rtol=1e-6, atol=1e-9 * np.abs(wanted).max()):
        raise DataError(
            f"its {type(model.regressor_).__name__} predicts otherwise than when it was saved, so "
            "this version of scikit-learn keeps it in another way"
        )
