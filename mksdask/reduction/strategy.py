"""Which summary to keep, by the sizes of the problem; how to make and merge summaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mksdask.reduction.sketch import sketched
from mksdask.reduction.summary import Rows, Scatter, Summary, pieces, rows_of_scatter

#: Up to so many features their scatter matrix is kept (32 MB a chunk): exact.
FEW_FEATURES = 2000
#: Up to so many samples all of them are kept, if they are no more values than FEW_VALUES: exact.
FEW_SAMPLES = 1000
FEW_VALUES = 2**24

METHODS = ("auto", "gram", "svd")


@dataclass(frozen=True)
class Strategy:
    """``kind`` of the summary (scatter, rows or truncated), and how to truncate."""

    kind: str
    rank: int
    power_iterations: int

    def summarize(self, block: np.ndarray) -> Summary:
        """Summary of a block of samples, samples first."""
        found: Summary | None = None
        for piece in pieces(block):
            summary: Summary
            if self.kind == "scatter":
                summary = Scatter.of(piece)
            elif self.kind == "rows":
                summary = Rows.of(piece)
            else:
                summary = sketched(piece, self.rank, self.power_iterations)
            found = summary if found is None else self.merge([found, summary])
        assert found is not None
        return found

    def merge(self, parts: Sequence[Summary]) -> Summary:
        """Summary of all samples of ``parts``."""
        if len(parts) == 1 and self.kind != "truncated":
            return parts[0]
        if self.kind == "scatter":
            return Scatter.merged([p if isinstance(p, Scatter) else p.as_scatter() for p in parts])
        rows = [p if isinstance(p, Rows) else rows_of_scatter(p) for p in parts]
        return Rows.merged(rows, self.rank if self.kind == "truncated" else None)


def choose_kind(method: str, n_samples: int, n_features: int) -> str:
    """Kind of summary for so many samples in all.

    >>> choose_kind("auto", 5000, 800), choose_kind("auto", 500, 20_000)
    ('scatter', 'rows')
    >>> choose_kind("auto", 20_000, 9261)
    'truncated'
    """
    if method == "svd":
        return "truncated"
    if method == "gram":
        return "scatter" if n_features <= n_samples else "rows"
    few_samples = n_samples <= FEW_SAMPLES and n_samples * n_features <= FEW_VALUES
    if n_features <= FEW_FEATURES:
        return "rows" if few_samples and n_samples < n_features else "scatter"
    return "rows" if few_samples else "truncated"
