"""Runs `keras-imgen demo` with several seeds and prints its figures with their spread.

    python tests/benchmarks/demo_figures.py --seeds 0 1 2 --out runs/seeds

Takes as many times 5 minutes as there are seeds. A seed whose folder is complete is not run again.
"""

import argparse
import json
import math
import os
import platform
import statistics
from pathlib import Path

import keras

from keras_imgen.cli import main as keras_imgen
from keras_imgen.cli.recipes import RECIPES


def main():
    """Run the demos and print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/seeds"))
    args = parser.parse_args()
    for seed in args.seeds:
        folder = args.out / str(seed)
        if status := keras_imgen(["demo", "--seed", str(seed), "--out", str(folder)]):
            raise SystemExit(status)
    print(
        f"\nSeeds {args.seeds}, {os.cpu_count()} cores, {platform.machine()}, "
        f"keras {keras.__version__}, {keras.backend.backend()}\n"
    )
    print("| family | figure | before | after: mean (smallest to largest) | seconds |")
    print("| --- | --- | --- | --- | --- |")
    for family in RECIPES:
        runs = [
            json.loads((args.out / str(seed) / family / "figures.json").read_text())
            for seed in args.seeds
        ]
        seconds = statistics.mean(run["seconds"] or math.nan for run in runs)  # none if cut off
        for name in runs[0]["measured"]:
            before = statistics.mean(run["measured"][name][0] for run in runs)
            after = [run["measured"][name][1] for run in runs]
            spread = f"{statistics.mean(after):.2f} ({min(after):.2f} to {max(after):.2f})"
            print(f"| {family} | {name} | {before:.2f} | {spread} | {seconds:.0f} |")


if __name__ == "__main__":
    main()
