"""Kills trainings of all five families at random moments and compares what they end with.

`python tests/benchmarks/kill_trainings.py --kills 100` trains each family once undisturbed, then
again and again with kill -9 at random moments, and compares all files that are left: weights,
optimizers' moments, averages, random states, history, sample pictures, the GIF. It prints a table
and fails if a bit differs. The trainings are those of `tests/trainings.py`, in compiled steps.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import trainings


def main():
    """Read the arguments, kill, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="in all [%(default)s]")
    parser.add_argument("--seed", type=int, default=0, help="of the moments [%(default)s]")
    args = parser.parse_args()
    start, wrong, total = time.monotonic(), 0, 0
    print("family     kills  trainings  while a file was written  bits that differ")
    for family in trainings.FAMILIES:
        share = -(-args.kills // len(trainings.FAMILIES))
        with tempfile.TemporaryDirectory() as folder:
            kills, runs, writing, differ = _family(family, Path(folder), share, args.seed)
        print(
            f"{family:<10} {kills:5} {runs:10} {writing:25}  {', '.join(differ) or 'none'}",
            flush=True,
        )
        wrong += bool(differ)
        total += kills
    print(f"{total} kills in {time.monotonic() - start:.0f} seconds")
    return 1 if wrong or total < args.kills else 0


def _family(family, folder, wanted, seed):
    """Return kills, trainings, kills while a file was written, and the files that differ."""
    seconds = trainings.finish(family, folder / "undisturbed")
    expected = trainings.outcome(folder / "undisturbed")
    rng = random.Random(f"{family} {seed}")
    kills, runs, writing, differ = 0, 0, [], set()
    while kills < wanted:
        killed = folder / f"run {runs}"
        count = min(5, wanted - kills)
        kills += trainings.kill_and_resume(family, killed, seconds, count, rng, writing)
        found = trainings.outcome(killed)
        differ |= {n for n in {**expected, **found} if expected.get(n) != found.get(n)}
        shutil.rmtree(killed)
        runs += 1
    return kills, runs, sum(writing), sorted(differ)


if __name__ == "__main__":
    sys.exit(main())
