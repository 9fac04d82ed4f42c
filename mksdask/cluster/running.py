"""A scheduler that runs already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mksdask.cluster.certificates import given_credentials
from mksdask.cluster.settings import ClusterSettings
from mksdask.cluster.started import Started


@contextmanager
def running_scheduler(settings: ClusterSettings) -> Iterator[Started]:
    """Its address and what it asks for; it is left running."""
    tls = settings.get("tls")
    security: Any = given_credentials(tls).security() if tls else None
    address = settings.get("address")
    yield Started(
        address,
        address,
        security,
        timeout=settings.get("timeout", 30.0),
        remedy="start some for this scheduler",
    )
