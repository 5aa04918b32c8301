"""The command line as a user has it: in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-m", "autocomplete"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "100", "PYTHONWARNINGS": "error"}


def autocomplete(*arguments: str, folder: Path, **options) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in a folder."""
    command = [*COMMAND, *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, env=ENVIRONMENT, check=False, **options
    )


def interrupted_training(*arguments: str, folder: Path, after: str = "parameters") -> tuple[int, str]:
    """Interrupt a training once a line on standard error says that it has begun; return its status and the further lines."""
    with subprocess.Popen(
        [*COMMAND, "train", *arguments],
        cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if after in line:
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    return process.returncode, errors
