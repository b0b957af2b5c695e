"""Hands thousands of odd inputs to the package and prints what became of them, by property.

    python tests/benchmarks/fuzz_inputs.py --inputs 5000 --seed 0

Takes about ten minutes on two cores. The exit status is 1 if any outcome is undocumented; each kind
is printed once, with its first input.
"""

import argparse
import collections
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzzing import PROPERTIES
from hypothesis import HealthCheck, Phase, given, seed, settings


def main():
    """Run all properties and print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=PROPERTIES, default=tuple(PROPERTIES))
    args = parser.parse_args()
    shares = sum(PROPERTIES[name].share for name in args.only)
    print("| property | inputs | success | refused | undocumented | ms each |")
    print("| --- | --- | --- | --- | --- | --- |")
    start, total, failures = time.monotonic(), 0, {}
    for name in args.only:
        count = -(-args.inputs * PROPERTIES[name].share // shares)
        began = time.monotonic()
        outcomes, undocumented = run(PROPERTIES[name], count, args.seed)
        inputs = outcomes.total() + sum(len(given) for given in undocumented.values())
        each = 1000 * (time.monotonic() - began) / inputs
        success = outcomes.pop("success", 0)
        refused = ", ".join(f"{number} {kind}" for kind, number in outcomes.most_common())
        bad = sum(len(given) for given in undocumented.values())
        print(f"| {name} | {inputs} | {success} | {refused} | {bad} | {each:.0f} |", flush=True)
        total += inputs
        failures |= {(name, message): given for message, given in undocumented.items()}
    seconds = time.monotonic() - start
    print(f"\n{total} inputs in {seconds:.0f} seconds, {total / seconds:.0f} a second.")
    for (name, message), inputs in failures.items():
        print(f"\nUndocumented, {name}, {len(inputs)} times: {message}\n  {inputs[0]!r}")
    return 1 if failures else 0


def run(checked, count, start):
    """Return how often each outcome came, and the inputs of each undocumented one."""
    outcomes, undocumented = collections.Counter(), collections.defaultdict(list)

    @seed(start)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(checked.inputs)
    def one(case):
        try:
            outcomes[checked.check(case)] += 1
        except Exception as error:
            undocumented[" ".join(str(error).split())[:300]].append(case)

    one()
    return outcomes, undocumented


if __name__ == "__main__":
    sys.exit(main())
