"""
Start the prompt in a pseudo-terminal and time the first suggestions on its screen; read its memory.

    python benchmarks/start.py [--runs 9]

The time is given as a ratio to `python -c "import numpy, prompt_toolkit, rich"`, run in turn with it. Linux only
(/proc). pexpect comes with the test dependencies.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pexpect

IMPORTS = [sys.executable, "-c", "import numpy, prompt_toolkit, rich"]
PROVED = "exact"  # the last word of the strip, once the answer for the empty line is proved


def time_imports() -> float:
    """Return the seconds of the bare imports."""
    started = time.perf_counter()
    subprocess.run(IMPORTS, check=True)
    return time.perf_counter() - started


def time_prompt() -> tuple[float, float, bool]:
    """Return the seconds to the first suggestions, the resident memory in MB after some typing, and whether torch is loaded."""
    started = time.perf_counter()
    prompt = pexpect.spawn(sys.executable, ["-m", "autocomplete"], dimensions=(24, 80), encoding="utf-8", timeout=60)
    prompt.expect(PROVED)
    seconds = time.perf_counter() - started
    for key in "the quick brown fox jumps over the lazy dog and thinks about tria":
        prompt.send(key)
        time.sleep(0.03)
    prompt.expect("triangle")
    process = Path("/proc") / str(prompt.pid)
    status = (process / "status").read_text()
    memory = int(status.split("VmRSS:")[1].split()[0]) / 1024
    torch = "libtorch" in (process / "maps").read_text()
    prompt.sendcontrol("c")
    prompt.sendeof()
    prompt.expect(pexpect.EOF)
    prompt.close()
    return seconds, memory, torch


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    os.environ.setdefault("TERM", "xterm-256color")
    time_imports(), time_prompt()  # once without counting, to fill the caches
    pairs = [(time_imports(), *time_prompt()) for _ in range(runs)]
    imports, prompts, memories, torches = zip(*pairs, strict=True)
    ratios = [prompt / bare for bare, prompt in zip(imports, prompts, strict=True)]
    print(f"imports alone:      {statistics.median(imports):.3f} s (median of {runs})")
    print(f"first suggestions:  {statistics.median(prompts):.3f} s")
    print(f"ratio:              {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"resident memory:    {max(memories):.0f} MB at most, after typing a line")
    print(f"torch loaded:       {'yes' if any(torches) else 'no'}")


if __name__ == "__main__":
    main()
