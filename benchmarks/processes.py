"""
The speed of two processes with one thread each beside one process with two threads: same network, same characters a step.

    python benchmarks/processes.py [--steps 150]

Both are started by PyTorch's launcher and train on sentences of English words; the speed is what `train` itself tells at the
end, without the start. In turns, and the median of the turns counts. The losses of both are compared, too.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from text_training import make_text

TURNS = 3


def trained(folder: Path, processes: int, threads: int, batch: int, steps: int) -> tuple[float, list[float]]:
    """Return characters a second, and the training bits at each validation."""
    log = folder / f"{processes}.jsonl"
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m", "autocomplete", "--"]
    settings = ["--steps", str(steps), "--batch", str(batch), "--precision", "fp32", "--validation", "few.txt"]
    subprocess.run(
        [
            sys.executable,
            "-m",
            *launcher,
            "train",
            "text.txt",
            *settings,
            "--log",
            log.name,
            "--name",
            str(processes),
            "--force",
        ],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        check=True,
        capture_output=True,
    )
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    validations = [event for event in events if event["event"] == "validation"]
    log.unlink()
    return validations[-1]["characters_per_second"], [event["training_bits"] for event in validations]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=150)
    steps = parser.parse_args().steps
    speeds: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make_text(folder / "text.txt")
        (folder / "few.txt").write_text("few words only, for this is about the speed of the steps\n", encoding="utf-8")
        for _ in range(TURNS):
            speed, alone = trained(folder, 1, 2, 64, steps)
            speeds[1].append(speed)
            speed, together = trained(folder, 2, 1, 32, steps)
            speeds[2].append(speed)
    one, two = (statistics.median(values) for values in speeds.values())
    print(f"one process, two threads, batch 64:    {one:10,.0f} characters a second")
    print(f"two processes, one thread, batch 32:   {two:10,.0f}   two / one: {two / one:.2f}")
    print(
        f"greatest difference of their training losses: {max(abs(a - b) for a, b in zip(alone, together, strict=False)):.5f} bits"
    )


if __name__ == "__main__":
    main()
