"""One line that says what is being trained, and how long the whole still takes."""

import sys
import time
from collections.abc import Callable

import keras

WIDTH = 20
PAUSE = 0.5  # seconds between two looks of the line


class Progress(keras.callbacks.Callback):
    """Shows one line while a training of several goes on; in a log file, when it begins.

    Args:
        title: what is being trained.
        left: function from the seconds that this training still takes to those of the whole.
        begin: when the whole began, as `time.monotonic` counts.
        step: seconds of a step, until some have been taken.
    """

    def __init__(self, title: str, left: Callable, begin: float, step: float = 0.0):
        super().__init__()
        self.title, self.left, self.begin, self.step = title, left, begin, step

    def on_train_begin(self, logs=None):
        """Show the line."""
        self._began, self._shown, self._steps, self._epoch = time.monotonic(), 0.0, 0, 0
        self._show()

    def on_epoch_begin(self, epoch, logs=None):
        """Note how far the training is."""
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        """Show the line again, now and then."""
        self._steps += 1
        now = time.monotonic()
        self.step = (now - self._began) / self._steps
        if sys.stdout.isatty() and now - self._shown > PAUSE:
            self._shown = now
            self._show(batch + 1)

    def on_train_end(self, logs=None):
        """Make room for other lines."""
        if sys.stdout.isatty():
            print("\r\033[K", end="", flush=True)

    def _show(self, batch=0):
        steps = (self.params["epochs"] - self._epoch) * self.params["steps"] - batch
        left = self.left(steps * self.step)
        done = (time.monotonic() - self.begin) / max(time.monotonic() - self.begin + left, 1e-9)
        bar = ("=" * int(WIDTH * done) + ">").ljust(WIDTH, ".")
        line = f"[{bar[:WIDTH]}] {minutes(left)} left: {self.title}"
        if sys.stdout.isatty():
            print(f"\r\033[K{line}", end="", flush=True)
        else:
            print(line, flush=True)


def minutes(seconds: float) -> str:
    """Return seconds as minutes and seconds, such as 4:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
