"""Times a training step of each family, on each backend that is installed and in half precision.

Each backend has a process of its own, in which this file is run: it answers a line such as
`gan bfloat16` by the seconds that a step of `keras-imgen train gan --precision bfloat16` takes.
"""

import contextlib
import importlib.util
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import keras

from keras_imgen.cli.command import BACKENDS
from keras_imgen.cli.precision import WORTH_IT

FAMILIES = ("gan", "vae", "diffusion", "denoise", "sequence")
PRECISIONS = ("float32", "bfloat16")
PATIENCE = 120.0  # seconds for a figure, of which most are to build and compile
SLOWER = 2.0  # than float32: then no more than two steps are timed


class Child:
    """A process that computes by a backend, and tells how long steps take; started when asked.

    Args:
        backend: as `KERAS_BACKEND` calls it.
    """

    program = (sys.executable, "-m", "keras_imgen.cli.speed")

    def __init__(self, backend: str):
        self.environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = None

    def seconds(self, family: str, precision: str) -> float | None:
        """Return the seconds of a step, None if it fails, infinity if that takes too long."""
        if self.process is None:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            options = {"env": self.environment, "stderr": subprocess.DEVNULL, **pipes}
            self.process = subprocess.Popen(self.program, **options)
        begin = time.monotonic()  # before the timer's own: whoever it ends was too late
        late = threading.Timer(PATIENCE, self.process.kill)
        late.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.write(f"{family} {precision}\n")
                self.process.stdin.flush()
            if line := self.process.stdout.readline().strip():
                return float(line)
            self.close()
            return math.inf if time.monotonic() - begin >= PATIENCE else None
        finally:
            late.cancel()

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


def show() -> None:
    """Print a table of seconds and ratios, row by row, and what to do with it."""
    own = keras.backend.backend()
    names = sorted(filter(importlib.util.find_spec, BACKENDS), key=lambda name: name != own)
    print("\nTiming training steps, which takes some minutes ...")
    print(_row("", [BACKENDS[name] for name in names]), flush=True)
    ratios = {}
    with contextlib.ExitStack() as stack:
        children = {name: stack.enter_context(contextlib.closing(Child(name))) for name in names}
        for family, precision, seconds in _timed(children):
            ratios |= {(family, name, precision): s for name, s in seconds.items()}
            unit = ratios[family, own, "float32"]
            cells = [_cell(s, unit) for s in seconds.values()]
            print(_row(f"{family}, {precision}", cells), flush=True)
    print(f"\n{advice(ratios, own)}")


def _timed(children) -> Iterator[tuple[str, str, dict]]:
    for family in FAMILIES:
        for precision in PRECISIONS:
            seconds = {name: child.seconds(family, precision) for name, child in children.items()}
            yield family, precision, seconds


def advice(seconds: dict, own: str) -> str:
    """Return in one sentence which backend and precision is the quickest for each family.

    Args:
        seconds: of a step, by `(family, backend, precision)`; None where it fails.
        own: the backend that is taken without a word.
    """
    best = {}
    for family in dict.fromkeys(family for family, _, _ in seconds):
        found = {key[1:]: s for key, s in seconds.items() if key[0] == family and s is not None}
        unit = found.get((own, "float32"), math.inf)
        backend, precision = min(found, key=found.get, default=(own, "float32"))
        least = found.get((backend, precision), math.inf)
        if not least < WORTH_IT * unit:
            backend, precision = own, "float32"
        gain = f" ({least / unit:.2f} of the time)" if least < WORTH_IT * unit < math.inf else ""
        best.setdefault((backend, precision), []).append(family + gain)
    parts = [f"{_command(*how, own)} for {', '.join(of)}" for how, of in best.items()]
    return f"Quickest here: {'; '.join(parts)}."


def _command(backend, precision, own):
    before = "" if backend == own else f"KERAS_BACKEND={backend} "
    behind = "" if precision == "float32" else f" --precision {precision}"
    return f"`{before}keras-imgen train ...{behind}`"


def _row(name, cells):
    return f"{name:<21}" + "".join(f"{cell:<21}" for cell in cells).rstrip()


def _cell(seconds, unit):
    if seconds is None:
        return "fails"
    if seconds == math.inf:
        return f"over {PATIENCE:.0f} s to start"
    ratio = f", {seconds / unit:.2f}" if unit and unit < math.inf and seconds != unit else ""
    return f"{1000 * seconds:,.0f} ms{ratio}"


def _answer():
    """Answer lines by seconds, until there are no more."""
    from keras_imgen.cli.pace import plain_pace
    from keras_imgen.cli.runs import arguments, built

    found = {}
    for line in sys.stdin:
        family, precision = line.split()
        model, data, _ = built(arguments(family, precision=precision))
        slowest = SLOWER * found.get(family, math.inf)
        seconds = plain_pace(model, data, slowest).step
        found.setdefault(family, seconds)
        print(seconds, flush=True)


if __name__ == "__main__":
    _answer()
