"""Judges an outcome: success, or a documented exception whose message teaches."""

import contextlib
import signal
import warnings
from pathlib import Path

DOCUMENTED = (ValueError, TypeError, FloatingPointError)  # and OSError with all its subclasses
LONGEST = 1000  # characters of a message
SECONDS = 30.0  # for one input
# What the libraries below say to their own developers.
LEAKS = (
    "Traceback",
    "<tf.",
    "tf.Tensor",
    "EagerTensor",
    "KerasTensor",
    "{{",
    "[Op:",
    "Arguments received by",
    "Exception encountered when calling",
    "HDF5",
    "H5",
    "site-packages",
)


class StillRunning(BaseException):
    """Raised inside a call that takes too long; no `except Exception` keeps it."""


@contextlib.contextmanager
def time_limit():
    """Interrupt what takes longer than `SECONDS`."""

    def stop(*_):
        raise StillRunning

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def outcome(call, *paths, check=lambda result: None):
    """Return "success" or the name of a documented exception; `check` looks at the result.

    Args:
        call: function without arguments.
        *paths: the paths that were passed; a message may name one in place of "Received".
        check: function of what the call returned, which raises AssertionError if it is wrong.
    """
    try:
        with time_limit(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = call()
    except StillRunning:
        raise AssertionError(f"still running after {SECONDS:g} seconds") from None
    except Exception as error:
        own = type(error).__module__.startswith("keras_imgen") and isinstance(error, DOCUMENTED)
        if type(error) not in DOCUMENTED and not isinstance(error, OSError) and not own:
            text = f"{type(error).__name__} is not documented: {error}"
            raise AssertionError(text) from error
        check_message(error, paths)
        return type(error).__name__
    try:
        check(result)
    except AssertionError:
        raise
    except Exception as error:
        text = f"accepted, and of no use: {type(error).__name__}: {error}"
        raise AssertionError(text) from error
    return "success"


def check_message(error, paths=()):
    """Raise AssertionError unless a message is one short paragraph that says what was received."""
    text = str(error)
    named = [repr(path) if path in ("", ".") else str(path) for path in paths]
    named += [repr(path)[1:-1] for path in named] + [Path(path).name for path in named]
    problems = {
        "is empty": not text.strip(),
        "has several lines": "\n" in text,
        f"is longer than {LONGEST} characters": len(text) > LONGEST,
        "does not say what was received": "Received" not in text
        and not any(name and name in text for name in named),
        **{f"leaks {leak!r}": leak in text for leak in LEAKS},
    }
    if found := [problem for problem, is_there in problems.items() if is_there]:
        kind = type(error).__name__
        raise AssertionError(f"the message of a {kind} {', '.join(found)}: {text}") from error
