import platform
import resource
import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from headstart.training.memory import kept_memory

def faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.ones(9_000_000)  # 36 MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1])

without = faults(4)
with kept_memory():
    faults(20)  # until the holes between blocks fit
    within, held = faults(4), resident()
print(without, within, held, resident(), faults(4))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these switches")
def test_freed_memory_is_kept_within_and_returned_after():
    done = subprocess.run(
        [sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True
    )
    without, within, held, after, later = map(int, done.stdout.split())
    pages = 36_000_000 // resource.getpagesize()
    assert within < 0.05 * without
    assert held - after > 0.9 * pages
    assert later > 0.25 * without
