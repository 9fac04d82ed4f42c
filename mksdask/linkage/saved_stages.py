"""Staged localizations as JSON and arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mksdask.linkage.fields_request import Response
from mksdask.linkage.frequency_equations import FrequencyEquations
from mksdask.linkage.parts import part_from_saved, part_to_saved
from mksdask.linkage.stages import StageSums
from mksdask.linkage.symmetry import AxisMap

if TYPE_CHECKING:
    from mksdask.linkage.staged_localization import StagedLocalization

_ARRAYS = ("gram", "moment", "power", "means", "coefficients", "rank")


def staged_to_saved(model: StagedLocalization) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Parameters, plan, and the sums and solution of each stage."""
    plan = model.plan_
    params, arrays = part_to_saved(model.get_params(deep=False), "params")
    facts: dict[str, Any] = {
        "params": params,
        "shape": list(plan.shape),
        "space": list(plan.space),
        "edges": None if plan.edges is None else list(plan.edges),
        "group": [[list(g.axes), list(g.signs)] for g in plan.group],
        "response": model.response_.to_json(),
        "stages": [{"n_samples": s.n_samples, "epsilon": s.equations.epsilon} for s in model.sums_],
    }
    for i, (sums, (coefficients, rank)) in enumerate(zip(model.sums_, model.solved_, strict=True)):
        named = {**sums.equations.to_arrays(), "means": sums.means}
        named |= {"coefficients": coefficients, "rank": rank}
        arrays |= {f"stage_{i}_{name}": named[name] for name in _ARRAYS}
    return facts, arrays


def staged_from_saved(
    kind: type[StagedLocalization], facts: dict[str, Any], arrays: dict[str, np.ndarray]
) -> StagedLocalization:
    """The model that was saved."""
    model = kind(**part_from_saved(facts["params"], arrays))
    group = tuple(AxisMap(tuple(axes), tuple(signs)) for axes, signs in facts["group"])
    response = Response.from_json(facts["response"])
    edges = None if facts["edges"] is None else tuple(facts["edges"])
    model.begin(tuple(facts["shape"]), tuple(facts["space"]), response, group, edges)
    for i, stage in enumerate(facts["stages"]):
        gram, moment, power, means, coefficients, rank = (
            arrays[f"stage_{i}_{name}"] for name in _ARRAYS
        )
        n_samples, epsilon = stage["n_samples"], stage["epsilon"]
        equations = FrequencyEquations(n_samples, gram, moment, power, epsilon)
        model.adopt(i, StageSums(equations, means), (coefficients, rank))
    return model
