"""What goes wrong on a cluster, in one sentence each."""

from __future__ import annotations


class ClusterError(OSError):
    """Workers or the scheduler could not be had, or were lost; the data and the call are right."""
