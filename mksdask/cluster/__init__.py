"""Where it runs: this machine, a batch system, machines behind SSH, or a scheduler that runs already.

Importing this package does not import ``distributed``; connecting does.
"""

from mksdask.cluster.certificates import make_certificates
from mksdask.cluster.connect import connect
from mksdask.cluster.faults import ClusterError
from mksdask.cluster.settings import ClusterSettings, read_settings

__all__ = ["ClusterError", "ClusterSettings", "connect", "make_certificates", "read_settings"]
