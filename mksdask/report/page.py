"""Read stores, models and a log, and write the page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from mksdask.ensemble import open_ensemble
from mksdask.report import html
from mksdask.report.ensembles import ensemble_section
from mksdask.report.log import log_section
from mksdask.report.models import model_section
from mksdask.saved_models import load_model, model_kind


def write_report(
    sources: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    title: str = "Report",
    log: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write one self-contained HTML page about ensembles and saved models.

    It shows sizes, parameters and pictures of each; predictions beside the simulated values, where
    another of the sources holds those of the same samples; and what the log of a pipeline tells of
    options, versions, seconds and memory. Pictures lie within the page, which loads nothing.

    Parameters
    ----------
    sources
        Paths or URLs of ensembles and of saved models, in the order in which they are shown.
    out
        The HTML file to write.
    title
        Of the page.
    log
        NAME.log.jsonl of a pipeline.
    overwrite
        Replace ``out``.
    """
    target = Path(out)
    if isinstance(sources, str | os.PathLike) or not sources:
        raise ValueError(f"sources is {sources!r}; wanted a list of ensembles and saved models")
    if target.suffix != ".html":
        raise ValueError(f"out is {target.name!r}; wanted a file such as report.html")
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} exists: give another path, or overwrite it")
    if log is not None and not Path(log).is_file():
        raise FileNotFoundError(f"there is no log at {log}: check the path")
    paths = [os.fspath(s) for s in sources]
    opened = {path: _opened(path) for path in paths}
    ensembles = [ds for ds in opened.values() if isinstance(ds, xr.Dataset)]
    sections = []
    for path, found in opened.items():
        name = path.rstrip("/").rpartition("/")[2].removesuffix(".zarr")
        if isinstance(found, xr.Dataset):
            others = [ds for ds in ensembles if ds is not found]
            sections.append(ensemble_section(name, path, found, others))
        else:
            sections.append(model_section(name, path, found))
    if log is not None:
        sections.append(log_section(os.fspath(log)))
    target.parent.mkdir(parents=True, exist_ok=True)
    written = target.with_name(f".{target.name}.partial")
    try:
        written.write_text(html.page(title, sections), encoding="utf-8")
        written.replace(target)
    finally:
        written.unlink(missing_ok=True)
    return target


def _opened(path: str) -> object:
    if model_kind(path) is not None:
        return load_model(path)
    return open_ensemble(path)
