"""Small pipelines for the tests."""

from pathlib import Path

import yaml

CELLS = {
    "name": "cells",
    "do": "generate multiphase",
    "with": {"n_samples": 8, "shape": [9, 8], "grain_size": 3, "fractions": [0.4, 0.6], "chunks": 2},
}  # fmt: skip
RESPONSE = {
    "name": "response",
    "do": "simulate elasticity",
    "from": "cells",
    "with": {
        "youngs_modulus": [1, 5], "poissons_ratio": [0.3, 0.3], "macro_strain": {"xx": 0.01},
        "outputs": "mean_stress,strain",
    },
}  # fmt: skip
STATISTICS = {
    "name": "f",
    "do": "statistics",
    "from": "cells",
    "with": {"states": 2, "cutoff": 3, "pairs": "auto"},
}
SCORES = {
    "name": "scores",
    "do": "reduce",
    "from": "f",
    "with": {"components": 3, "save_model": "pca.zarr"},
}
STAGES = [CELLS, RESPONSE, STATISTICS, SCORES]


def write(folder, stages=STAGES, **more):
    """A pipeline file in a folder."""
    path = Path(folder) / "p.yaml"
    path.write_text(yaml.safe_dump({"stages": stages, **more}, sort_keys=False))
    return path


def changed(stage, **options):
    """A stage with other options; None leaves one out."""
    kept = {k: v for k, v in {**stage["with"], **options}.items() if v is not None}
    return {**stage, "with": kept}


BOTH = {"name": "both", "do": "join", "from": ["cells", "response"]}
FIT = {
    "name": "fit",
    "do": "homogenize",
    "from": "both",
    "with": {
        "property": "mean_stress", "component": "xx", "states": 2, "components": 2, "degree": 1,
        "test": 0.25,
    },
}  # fmt: skip
PREDICTED = {"name": "predicted", "do": "predict", "from": "cells", "with": {"model": "fit"}}
KERNEL = {
    "name": "kernel",
    "do": "localize",
    "from": "both",
    "with": {"states": 2, "response": "strain", "component": "xx", "held_out": 2, "ridge": 1e-3},
}
FIELDS = {"name": "fields", "do": "predict", "from": "cells", "with": {"model": "kernel"}}
LEARNING = [CELLS, RESPONSE, BOTH, FIT, PREDICTED, KERNEL, FIELDS]
