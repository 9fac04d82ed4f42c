"""A matplotlib figure that belongs to its caller and shows itself in notebooks."""

from __future__ import annotations

import io

from matplotlib.figure import Figure


class Picture(Figure):
    """A figure outside of pyplot: nothing keeps it alive, no window and no backend is chosen.

    Notebooks draw figures by themselves only once pyplot is imported, hence the method below.
    """

    def _repr_png_(self) -> bytes:
        drawn = io.BytesIO()
        self.savefig(drawn, format="png", bbox_inches="tight")
        return drawn.getvalue()
