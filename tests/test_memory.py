"""The C library does with freed memory what it is asked to, each time in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

BLOCKS = """
import sys
from autocomplete.storage import memory
def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024
if sys.argv[1] != "neither":
    getattr(memory, sys.argv[1])()
del [bytearray(2**24)][:]  # from now on the library itself keeps blocks of this size
before = resident()
blocks = [bytearray(2**20) for _ in range(60)]
del blocks[:-1]  # above what is freed, something stays
print(resident() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    ("asked", "least", "most"), [("neither", 30, 70), ("keep_memory", 30, 70), ("give_back_memory", 0, 10)]
)
def test_freed_blocks_are_kept_or_given_back(asked: str, least: float, most: float) -> None:
    run = subprocess.run([sys.executable, "-c", BLOCKS, asked], capture_output=True, text=True, check=True)
    assert least <= float(run.stdout) <= most
