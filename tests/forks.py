"""Processes that have imported the package already, so that a start takes no time.

They are forked from one that has computed nothing: none finds what another one left.
"""

import multiprocessing
import os
from pathlib import Path

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["keras_imgen", "matplotlib.pyplot"])


def call(function, *args, folder: Path, environment: dict[str, str], seconds: float) -> str:
    """Call a function in a process of its own; return what it printed, or fail with that.

    Args:
        function: what is called; one of a module, not a local one.
        *args: its arguments.
        folder: in which the process runs; its output goes to a file there.
        environment: what is added to the environment that the tests run in.
        seconds: how long it may take.
    """
    printed = folder / "printed.txt"
    process = FORKS.Process(target=_begin, args=(function, args, folder, environment, printed))
    process.start()
    process.join(seconds)
    process.kill()  # no harm if it has ended
    process.join()
    text = printed.read_text("utf-8", "replace") if printed.exists() else ""
    assert process.exitcode == 0, f"exit status {process.exitcode}\n{text}"
    return text


def _begin(function, args, folder, environment, printed):
    with printed.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.environ.update(environment)
    os.chdir(folder)
    function(*args)
