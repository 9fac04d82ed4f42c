"""What of a machine may be used, inside containers and jobs too."""

import pytest

from mksdask.cluster.machine import divide, usable_cores, usable_memory


def cgroup(root, line, limits):
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(line)
    for folder, (name, value) in limits.items():
        place = root / "sys/fs/cgroup" / folder
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(f"{value}\n")


@pytest.mark.parametrize(
    ("line", "limits", "wanted"),
    [
        ("0::/job/step\n", {"job": ("memory.max", 3 << 30)}, 3 << 30),
        (
            "0::/job/step\n",
            {"job": ("memory.max", 3 << 30), "job/step": ("memory.max", 1 << 30)},
            1 << 30,
        ),
        ("0::/job\n", {"job": ("memory.max", "max"), "": ("memory.max", 2 << 30)}, 2 << 30),
        ("0::/unseen\n", {"": ("memory.max", 2 << 30)}, 2 << 30),
        (
            "5:memory:/slurm/uid\n1:cpu:/\n",
            {"memory/slurm": ("memory.limit_in_bytes", 1 << 30)},
            1 << 30,
        ),
    ],
)
def test_memory_of_cgroups(tmp_path, line, limits, wanted):
    cgroup(tmp_path, line, limits)
    assert usable_memory({}, tmp_path) == wanted


def test_unlimited_cgroups_leave_the_machine(tmp_path):
    cgroup(tmp_path, "4:memory:/\n", {"memory": ("memory.limit_in_bytes", (1 << 63) - 4096)})
    assert usable_memory({}, tmp_path) == usable_memory({}, tmp_path / "nothing") > 1 << 28


def test_a_job_limits_both(tmp_path):
    assert usable_memory({"SLURM_MEM_PER_NODE": "512"}, tmp_path) == 512 << 20
    assert usable_cores({"SLURM_CPUS_PER_TASK": "1"}) == 1
    assert usable_cores({}) >= 1


@pytest.mark.parametrize("cores", [1, 2, 7, 64])
@pytest.mark.parametrize("memory", [1 << 30, 5 << 30, 512 << 30])
def test_division_never_takes_more_than_there_is(cores, memory):
    for n_workers in (None, 1, 3):
        for threads in (None, 1, 2):
            part = divide(cores, memory, n_workers, threads)
            assert part.n_workers * part.memory <= memory
            if n_workers is None or threads is None:
                assert part.n_workers * part.threads <= max(cores, n_workers or 0, threads or 0)
            assert n_workers in (None, part.n_workers)
            assert threads in (None, part.threads)
