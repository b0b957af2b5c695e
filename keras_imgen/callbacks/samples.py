"""Callbacks that show what a model makes while it trains, as pictures and as a film."""

import importlib.util
from pathlib import Path

import keras
import numpy as np

from keras_imgen import backends, checks, plotting
from keras_imgen.callbacks.first import first_batch, labels_for
from keras_imgen.checks import whole_number
from keras_imgen.data import sources
from keras_imgen.files import write_whole
from keras_imgen.plotting.figures import figure_pixels
from keras_imgen.plotting.grids import check_seconds, enlarged, write_gif


class EpochPicture(keras.callbacks.Callback):
    """Make one picture after every few epochs, and write or show it.

    A subclass implements `draw()`, which returns an array of 8 bits `(height, width, channels)`,
    and `prepare()` if it depends on the model what can be drawn.
    """

    _shown = "Pictures"  # what they are, for those who cannot see them

    def __init__(self, folder=None, *, every=1, show=None, tensorboard=None):
        super().__init__()
        for package in ("tensorboard", "tensorflow"):  # which writes its files
            if tensorboard is not None and importlib.util.find_spec(package) is None:
                raise ImportError(
                    f"`tensorboard=` needs the {package} package. Install it with "
                    f"`pip install {package}`, or leave the argument out."
                )
        self.folder = None if folder is None else _path("folder", folder)
        self.every = whole_number("every", every, 1)
        self.show = _in_notebook() if show is None else show
        self.tensorboard = tensorboard
        self.image = None
        self._display = None
        self._writer = None

    def draw(self) -> np.ndarray:
        """Return the picture of the current model."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Refuse models that cannot be shown."""

    def on_train_begin(self, logs=None):
        """Begin a new picture in the notebook, and refuse what cannot be drawn."""
        self._display = None
        self.prepare()
        self.draw()  # what fails after the first epoch fails now

    def on_epoch_end(self, epoch, logs=None):
        """Write and show the picture, every `every` epochs."""
        if (epoch + 1) % self.every:
            return
        self.image = self.draw()
        if not backends.is_first():  # of several processes, which all have drawn it
            return
        if self.folder is not None:
            self._write(self.folder / f"epoch_{epoch + 1:04d}.png")
        if self.show:
            self._update_notebook(epoch)
        if self.tensorboard is not None:
            self._log_to_tensorboard(epoch)

    def on_train_end(self, logs=None):
        """Close the TensorBoard file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write(self, path):
        with write_whole(path) as unfinished:
            sources.as_image(self.image).save(unfinished)

    def _update_notebook(self, epoch):
        from IPython.display import display

        image = sources.as_image(self.image)
        said = f"{self._shown} after epoch {epoch + 1}."
        options = {"metadata": {"image/png": {"alt": said}}}  # for screen readers
        # One picture that changes in place, not one more picture per epoch.
        if self._display is None:
            self._display = display(image, display_id=True, **options)
        else:
            self._display.update(image, **options)

    def _log_to_tensorboard(self, epoch):
        import tensorflow as tf

        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(self.tensorboard))
        with self._writer.as_default():
            tf.summary.image(type(self).__name__, self.image[None], step=epoch)


class SampleGrid(EpochPicture):
    """Show a grid of what a `GAN`, `VAE` or `Diffusion` draws, after every few epochs.

    The latents are always the same, so that the frames compare. Of a conditional model each column
    shows a class. Given pictures, a `VAE` shows each of them beside its reconstruction instead.
    What else a model can show is drawn by `EpochFigure`.

    Args:
        folder: where to write `epoch_0001.png`, ...; by default nowhere.
        n: number of samples; by default 64, or eight of each class.
        pictures: array `(n, height, width, channels)` in [0, 1] to be reconstructed, or a dataset;
            for a conditional VAE with labels, or a pair of arrays; by default none.
        columns: pictures per row; by default as many as rows, or as classes.
        scale: side of the square that each pixel becomes.
        every: epochs between two pictures.
        seed: integer that fixes the latents.
        show: whether to show one picture that is updated in place in a notebook; by default if
            there is a notebook.
        tensorboard: log folder for TensorBoard; by default none.

    Raises:
        ValueError: at the start of training, if the model cannot be sampled, or labels are missing.
        ImportError: if `tensorboard` is given and not installed.

    Example:
        >>> from keras_imgen.callbacks import SampleGrid
        >>> samples = SampleGrid("runs/gan/samples", n=64, every=5)
    """

    _shown = "Pictures that the model draws"

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        n: int | None = None,
        pictures=None,
        columns: int | None = None,
        scale: int = 2,
        every: int = 1,
        seed: int = 0,
        show: bool | None = None,
        tensorboard: str | Path | None = None,
    ):
        super().__init__(folder, every=every, show=show, tensorboard=tensorboard)
        self.n = None if n is None else whole_number("n", n, 1)
        self.scale = whole_number("scale", scale, 1)
        self.columns = None if columns is None else whole_number("columns", columns, 1)
        self.seed = checks.seed(seed)
        self.pictures, self.labels, _ = first_batch(pictures, self.n or 64)

    def prepare(self):
        """Refuse models that cannot show what is asked for."""
        wanted = "sample" if self.pictures is None else "reconstruct"
        if not hasattr(self.model, wanted):
            raise ValueError(
                "SampleGrid shows models that draw (with `pictures` a VAE). Received: a "
                f"{type(self.model).__name__}. For a Restorer use BeforeAfter."
            )

    def draw(self):
        """Return the grid."""
        if self.pictures is None:
            classes = self.model.num_classes
            n, columns = self.n or 8 * (classes or 8), self.columns or classes or None
            shown = self.model.sample(n, seed=self.seed)
        else:
            labels = labels_for(self.model, self.labels)
            again = self.model.reconstruct(self.pictures, *labels)
            both = np.stack([self.pictures, again], axis=1)
            shown, columns = both.reshape(-1, *both.shape[2:]), 2 * (self.columns or 4)
        return enlarged(plotting.image_grid(shown, columns), self.scale)


class BeforeAfter(EpochPicture):
    """Show held-out pictures observed, restored and clean, with their PSNR, after every few epochs.

    The pictures are degraded by the model's own degradation with its fixed draw, so that the frames
    compare; a model that learns from pairs is shown pairs. A sequence is shown as a strip of
    frames.

    Args:
        pictures: clean pictures `(n, [time,] height, width, channels)` in [0, 1], or a dataset,
            whose first `n` are taken; of a model without a degradation a pair of arrays
            `(observed, clean)`, or a dataset of pairs.
        folder: where to write `epoch_0001.png`, ...; by default nowhere.
        n: number of pictures; of sequences the first one is shown.
        every: epochs between two pictures.
        show: whether to show one picture that is updated in place in a notebook; by default if
            there is a notebook.
        tensorboard: log folder for TensorBoard; by default none.

    Raises:
        ValueError: at the start of training, if the model is no `Restorer`.
        ImportError: if `tensorboard` is given and not installed.

    Example:
        >>> from keras_imgen import load
        >>> from keras_imgen.callbacks import BeforeAfter
        >>> panels = BeforeAfter(load("photos", "test"), "runs/denoise/samples", n=2)
    """

    _shown = "Pictures observed, restored and clean"

    def __init__(
        self,
        pictures,
        folder: str | Path | None = None,
        *,
        n: int = 3,
        every: int = 1,
        show: bool | None = None,
        tensorboard: str | Path | None = None,
    ):
        super().__init__(folder, every=every, show=show, tensorboard=tensorboard)
        self.clean, _, self._given = first_batch(pictures, whole_number("n", n, 1))

    def prepare(self):
        """Spoil the pictures, once for all frames."""
        if not hasattr(self.model, "restore"):
            raise ValueError(
                f"BeforeAfter shows a Restorer. Received: a {type(self.model).__name__}. "
                "For a GAN or a VAE use SampleGrid."
            )
        if self.model.learns_pairs != (self._given is not None):
            pairs = self.model.learns_pairs
            raise ValueError(
                f"BeforeAfter shows a Restorer {'without' if pairs else 'with'} a degradation "
                f"{'pairs' if pairs else 'clean pictures, which it degrades'}. Received: "
                f"{'clean pictures alone' if pairs else 'pairs'}. Pass "
                f"BeforeAfter({'(observed, clean)' if pairs else 'clean'}, ...)."
            )
        self.observed = self._given
        if self.observed is None:
            degraded = self.model.degradation(self.clean, training=False)
            self.observed = keras.ops.convert_to_numpy(degraded)

    def draw(self):
        """Return the panels."""
        restored = self.model.restore(self.observed)
        plot = plotting.plot_sequence if self.clean.ndim == 5 else plotting.plot_before_after
        return figure_pixels(plot(self.observed, restored, self.clean))


class TrainingGif(keras.callbacks.Callback):
    """Join the pictures that another callback wrote into one GIF, when training ends.

    Those that an earlier training left in the folder are not joined, unless this one goes on with
    it (`Resume`, or `initial_epoch`).

    Args:
        folder: where the other callback writes its PNG files.
        path: the GIF; by default the folder's name with the ending `.gif`, beside it.
        seconds: how long each picture is shown; the last one stays three times as long.

    Raises:
        FileNotFoundError: at the end of training, if the folder holds no picture.

    Example:
        >>> from keras_imgen.callbacks import SampleGrid, TrainingGif
        >>> callbacks = [SampleGrid("runs/gan/samples"), TrainingGif("runs/gan/samples")]
    """

    def __init__(self, folder: str | Path, path: str | Path | None = None, seconds: float = 0.4):
        super().__init__()
        self.folder = _path("folder", folder)
        self.path = self.folder.with_suffix(".gif") if path is None else _path("path", path)
        self.seconds = check_seconds(seconds)
        self._found, self._first_epoch = {}, None

    def on_train_begin(self, logs=None):
        """Note what is there already."""
        self._found, self._first_epoch = {file: _state(file) for file in self._files()}, None

    def on_epoch_begin(self, epoch, logs=None):
        """Note with which epoch the training begins."""
        self._first_epoch = epoch if self._first_epoch is None else self._first_epoch

    def on_train_end(self, logs=None):
        """Write the GIF."""
        if not backends.is_first():
            return
        if not (files := [file for file in self._files() if self._is_ours(file)]):
            raise FileNotFoundError(
                f"{str(self.folder)!r} holds no picture to join. Put a SampleGrid or BeforeAfter "
                "that writes there before TrainingGif."
            )
        write_gif(self.path, map(_read, files), self.seconds)  # one open file at a time

    def _files(self):
        return sorted(self.folder.glob("epoch_*.png"), key=lambda file: (len(file.name), file))

    def _is_ours(self, file):
        """Return whether this training has written a picture, or the one that it goes on with."""
        if self._found.get(file) != _state(file):
            return True
        number = file.stem.removeprefix("epoch_")
        # A training that had ended begins no epoch, and then all are whole.
        whole = self.params["epochs"] if self._first_epoch is None else self._first_epoch
        return number.isdigit() and int(number) <= whole


def _state(file):
    status = file.stat()
    return status.st_mtime_ns, status.st_ino


def _read(file):
    from PIL import Image

    with Image.open(file) as image:
        return image.copy()


def _path(name, value):
    checks.path(name, value)
    if not Path(value).name:
        raise ValueError(f"`{name}` must have a name. Received: {name}={checks.shown(value)}.")
    return Path(value)


def _in_notebook() -> bool:
    """Return whether a Jupyter kernel runs this code."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")
