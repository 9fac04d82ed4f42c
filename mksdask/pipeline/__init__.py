"""Declared pipelines: stages that read and write stores, run as far as they are not up to date."""

from mksdask.pipeline.document import Pipeline, read_pipeline
from mksdask.pipeline.run import StageResult, Stopped, run_pipeline
from mksdask.pipeline.schema import pipeline_schema

__all__ = [
    "Pipeline",
    "StageResult",
    "Stopped",
    "pipeline_schema",
    "read_pipeline",
    "run_pipeline",
]
