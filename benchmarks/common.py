"""What every benchmark does alike: its options, and its summary with hardware and command."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np


def options_of(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser that shows a script's own description and knows where to write the summary."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, help="a JSON file for the summary")
    return parser


def dev_and_test(predictions: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return (logits, targets) of dev and test from the predictions that a run writes beside its metrics."""
    import pyarrow.parquet as pq

    table = pq.read_table(predictions, columns=["split", "targets", "logits"])
    splits = np.asarray(table["split"].to_pylist())
    logits, targets = (np.asarray(table[name].to_pylist()) for name in ("logits", "targets"))
    return {split: (logits[splits == split], targets[splits == split]) for split in ("dev", "test")}


def tell(summary: dict[str, Any], out: Path | None) -> None:
    """Print a summary with what it was measured on and by which command, and write it where asked."""
    from affekt.hardware import hardware

    script = f"benchmarks/{Path(sys.argv[0]).name}"
    told = {**summary, "hardware": hardware(), "command": " ".join(["python", script, *sys.argv[1:]])}
    print(json.dumps(told, indent=2))
    if out:
        out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
