"""JSON Schema of pipelines, for editors that complete and check YAML."""

from __future__ import annotations

from typing import Any

from mksdask.cluster.settings import settings_schema
from mksdask.pipeline.commands import COMMANDS, kinds, stage_schema


def pipeline_schema() -> dict[str, Any]:
    """The schema; ``mksdask run --schema`` prints it.

    >>> sorted(pipeline_schema()["properties"])
    ['cluster', 'folder', 'stages']
    """
    text = {"type": "string"}
    stages = []
    for do, parser in kinds().items():
        command = COMMANDS[do.partition(" ")[0]]
        options = stage_schema(do, parser)
        properties = {
            "name": {"type": "string", "pattern": r"^[A-Za-z][\w-]*$"},
            "do": {"const": do, "description": parser.description or f"as `mksdask {do}`"},
            "out": {**text, "description": "store to write; default NAME.zarr"},
            "with": options,
        }
        required = ["name", "do"]
        if "required" in options:
            required.append("with")
        if command.reads:
            properties["from"] = {
                "anyOf": [text, {"type": "array", "items": text, "minItems": 1}],
                "description": "an earlier stage or a path; several for join",
            }
            required.append("from")
        stages.append(
            {
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": False,
            }
        )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mksdask pipeline",
        "type": "object",
        "properties": {
            "folder": {
                **text,
                "description": "where stores go, seen from the file; default: beside it",
            },
            "cluster": {
                "description": "where it runs: a kind, an address, a file, or settings",
                "anyOf": [text, settings_schema()],
            },
            "stages": {"type": "array", "minItems": 1, "items": {"oneOf": stages}},
        },
        "required": ["stages"],
        "additionalProperties": False,
    }
