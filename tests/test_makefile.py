"""What `make` does to the folder it is called in."""

import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_clean_removes_what_make_made_and_no_runs():
    root = Path(__file__).parents[1]
    done = subprocess.run(["make", "-n", "clean"], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["rm", "-rf", ".venv", "demo"]
