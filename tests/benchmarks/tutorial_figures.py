"""Runs tutorials with several seeds and prints what their cells print, with seconds and memory.

    python tests/benchmarks/tutorial_figures.py 02 03 --seeds 0 1 2

The ranges in a tutorial's "You should see" come from here. Every run has a process of its own and
full settings; cells are run up to the exercises.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jupytext

FOLDER = Path(__file__).parents[2] / "tutorials"


def run(source: Path, seed: int) -> None:
    """Run one tutorial in this process; print each cell's heading, text and seconds."""
    os.environ["MPLBACKEND"] = "Agg"
    names, begin = {"__name__": "__main__"}, time.perf_counter()
    heading = ""
    for cell in jupytext.read(source, fmt="py:percent").cells:
        if cell.cell_type == "markdown":
            titles = [line for line in cell.source.splitlines() if line.startswith("## ")]
            heading = titles[-1] if titles else heading
            continue
        tags = cell.metadata.get("tags", [])
        if "exercise" in tags:
            break
        if "setup" in tags and "\nSEED = 0\n" not in cell.source:
            raise SystemExit(f"{source.name} does not set SEED = 0 in its setup cell.")
        code = cell.source.replace("\nSEED = 0\n", f"\nSEED = {seed}\n")
        start = time.perf_counter()
        exec(compile(code, source.name, "exec"), names)
        seconds = time.perf_counter() - start
        if seconds > 5.0:
            print(f"  ({seconds:.0f} s in a cell of {heading!r})")
    # Kilobytes on Linux, bytes on macOS.
    unit = 2**30 if sys.platform == "darwin" else 2**20
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    minutes = (time.perf_counter() - begin) / 60
    print(f"{source.stem}, seed {seed}: {minutes:.1f} minutes, {memory:.2f} GiB at most")


def main():
    """Run the tutorials named with every seed, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", metavar="NAME", help='number of a tutorial, as "02"')
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--here", action="store_true", help="run in this process, one seed")
    args = parser.parse_args()
    for name in args.names:
        source = next(FOLDER.glob(f"{name}*.py"))
        for seed in args.seeds:
            if args.here:
                run(source, seed)
                continue
            print(f"\n=== {source.stem}, seed {seed}", flush=True)
            script = Path(__file__).resolve()
            command = [sys.executable, script, name, "--here", "--seeds", str(seed)]
            with tempfile.TemporaryDirectory() as folder:
                environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
                environment.pop("KERAS_IMGEN_TUTORIAL", None)
                subprocess.run(command, cwd=folder, env=environment, check=True)


if __name__ == "__main__":
    main()
