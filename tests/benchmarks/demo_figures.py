"""Runs `keras-imgen demo` with several seeds and prints its figures with their spread.

    python tests/benchmarks/demo_figures.py --seeds 0 1 2 --out runs/seeds

Takes as many times `--minutes` as there are seeds. A seed whose folder is complete is kept.
"""

import argparse
import json
import math
import os
import platform
import statistics
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as keras_imgen does when it comes first

import keras

from keras_imgen.cli import main as keras_imgen
from keras_imgen.cli.recipes import RECIPES


def main():
    """Run the demos and print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--out", type=Path, default=Path("runs/seeds"))
    args = parser.parse_args()
    for seed in args.seeds:
        folder = args.out / str(seed)
        options = {"--seed": seed, "--minutes": args.minutes, "--out": folder}
        if status := keras_imgen(
            ["demo", *(str(part) for pair in options.items() for part in pair)]
        ):
            raise SystemExit(status)
    print(
        f"\nSeeds {args.seeds}, {os.cpu_count()} cores, {platform.machine()}, "
        f"keras {keras.__version__}, {keras.backend.backend()}\n"
    )
    print("| family | steps | figure | before | after: mean (smallest to largest) | seconds |")
    print("| --- | --- | --- | --- | --- | --- |")
    for family in RECIPES:
        runs = [
            json.loads((args.out / str(seed) / family / "figures.json").read_text())
            for seed in args.seeds
        ]
        seconds = statistics.mean(run["seconds"] or math.nan for run in runs)  # none if cut off
        steps = " to ".join(f"{f(run['steps'] for run in runs):,}" for f in (min, max))
        for name in runs[0]["measured"]:
            before = statistics.mean(run["measured"][name][0] for run in runs)
            after = [run["measured"][name][1] for run in runs]
            spread = f"{statistics.mean(after):.2f} ({min(after):.2f} to {max(after):.2f})"
            print(f"| {family} | {steps} | {name} | {before:.2f} | {spread} | {seconds:.0f} |")


if __name__ == "__main__":
    main()
