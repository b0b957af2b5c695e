"""Lets Ctrl-C wait for a moment at which nothing is lost by it."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

__all__ = ["deferred"]


@contextlib.contextmanager
def deferred() -> Iterator[Callable[[], None]]:
    """Note Ctrl-C in place of raising it; pressed again, it is raised at once.

    While TensorFlow is imported, traces a step or writes a file, parts of it and of Keras swallow a
    KeyboardInterrupt or turn it into another error.

    Yields:
        A function that raises KeyboardInterrupt if Ctrl-C has been pressed.
    """
    pressed = []

    def press(*_):
        if pressed:
            raise KeyboardInterrupt
        pressed.append(True)

    def check():
        if pressed:
            raise KeyboardInterrupt

    # Only the main thread hears of signals; a program's own handler has the last word.
    heard = threading.current_thread() is threading.main_thread()
    if not heard or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield check
        return
    signal.signal(signal.SIGINT, press)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
