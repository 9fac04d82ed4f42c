"""Kernels on disk: what is found there is what was asked for."""

import os
import subprocess
import sys
from pathlib import Path

SOURCE = """
from mksdask.simulate.compiled import variant

def times(factor):
    @variant(factor)
    def multiply(x):
        return factor * x
    return multiply

assert [times(factor)(10) for factor in (2, 3)] == [20, 30]
"""


def test_variants_do_not_share_files(tmp_path):
    """Two processes that write different variants at once would mix them up."""
    (tmp_path / "kernels.py").write_text(SOURCE)
    root = Path(__file__).parents[2]
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, tmp_path / "kernels.py"], env=env, check=True)
    ours = [p.name for p in (tmp_path / "cache").rglob("kernels.*.nbi")]
    assert len(ours) == 2, ours
