"""`Restorer`: degrades clean pictures and learns to restore them, pictures and sequences alike."""

import math
import types
import warnings

import keras
import numpy as np
from keras import ops

from keras_imgen import backends
from keras_imgen.checks import flag, shown, whole_number
from keras_imgen.data import check_pictures
from keras_imgen.data.dataset import NOISE
from keras_imgen.degradations import Degradation
from keras_imgen.inference import (
    View,
    export,
    in_batches,
    in_tiles,
    over_positions,
    view_of,
)
from keras_imgen.matching import (
    check_match,
    checked_multiple,
    conditioned,
)
from keras_imgen.metrics import PSNR
from keras_imgen.prior import TILE, Prior
from keras_imgen.sequences import Sequences
from keras_imgen.sizes import applied, check_known_sides, needs_known_sides
from keras_imgen.training import (
    PictureModel,
    check_network,
    has_batch_norm,
)

LARGE = 500_000  # weights of a network that wants a lower learning rate


@keras.saving.register_keras_serializable("keras_imgen")
class Restorer(Sequences, Prior, PictureModel):
    """A network that learns to undo a degradation: denoising, inpainting, lost frames.

    It is trained on clean pictures: every batch is degraded anew, and the network learns
    to bring the clean ones back. Pictures `(N, H, W, C)` and sequences `(N, T, H, W, C)`
    differ only in the network.

    Who has pairs, what a camera gave and the picture that it should have given, passes
    `degradation=None`, and trains with `fit(observed, clean)`.

    Args:
        network: model from observed pictures (with the degradation's extra channels) to restored
            ones, such as `networks.dncnn`, `networks.unet` or `networks.conv_lstm`.
        degradation: what degrades the pictures, such as `degradations.AdditiveNoise`; None if the
            observed pictures come with the data, with whatever channels the network takes.
        keep_known: whether the known pixels of the observed picture are kept as they are, so that
            only the holes are filled. Needs a degradation that appends one mask, or pairs whose
            observed pictures have one behind them.
        seed: integer that fixes the order of the training data; the degradation has its own.

    Raises:
        TypeError, ValueError: if the network is not built, has nothing to train, or does not fit
            the degradation.

    Source: learning to invert a degradation from clean pictures: Burger et al. 2012 (CVPR), for
        noise; Pathak et al. 2016 (arXiv 1604.07379), for holes.

    Example:
        >>> import numpy as np
        >>> from keras_imgen import Restorer, degradations, networks
        >>> denoiser = Restorer(
        ...     networks.dncnn(depth=3, filters=4), degradations.AdditiveNoise(0.1, seed=0), seed=0
        ... )
        >>> denoiser.compile()
        >>> history = denoiser.fit(np.random.rand(64, 12, 20, 1), epochs=1, verbose=0)
        >>> denoiser.restore(np.random.rand(1, 31, 17, 1)).shape
        (1, 31, 17, 1)
    """

    _instead_of_predict = (
        "Call restore(observed), which takes pictures as they are, and a mask or level beside them."
    )

    def __init__(self, network, degradation, *, keep_known: bool = False, **kwargs):
        super().__init__(**kwargs)
        check_network("Restorer", "network", network)
        if not isinstance(degradation, Degradation | None):
            raise TypeError(
                "`degradation` must be a degradation, a layer of keras_imgen.degradations, or None "
                f"for pairs. Received: {degradation!r}. Example: AdditiveNoise(25 / 255)."
            )
        flag("keep_known", keep_known)
        check_match(network, degradation, keep_known)
        self._multiple = checked_multiple(network)
        self.network = network
        self.degradation = degradation
        self.keep_known = keep_known
        self._needs_batch = has_batch_norm(network)
        self._made = types.SimpleNamespace(network=None)  # what was compiled, of which network
        self.built = True

    @property
    def image_shape(self):
        """Shape of one clean picture or sequence; None is free."""
        *sides, _ = self.network.input_shape[1:]
        return (*sides, self.network.output_shape[-1])

    @property
    def observed_shape(self):
        """Shape of one observed picture or sequence, with all its channels; None is free."""
        return self.network.input_shape[1:]

    @property
    def default_rate(self):
        """Learning rate of the default optimizer: at 2e-3 a large DRUNet learns nothing."""
        return 1e-3 if self.network.count_params() > LARGE else 2e-3

    @property
    def learns_pairs(self):
        """Whether the observed pictures come with the data."""
        return self.degradation is None

    def compile(self, optimizer=None, loss="mse", metrics=None, **kwargs):
        """Choose optimizer, loss and metrics, as in `keras.Model.compile`.

        Args:
            optimizer: by default Adam with learning rate 2e-3, or 1e-3 if the network has more than
                half a million weights: at 2e-3 a large DRUNet learns nothing any more.
            loss: by default the mean squared error, the loss that PSNR measures.
            metrics: by default `[keras_imgen.metrics.PSNR()]`.
            **kwargs: as in Keras.
        """
        try:  # a misspelt name is refused now, not at the first batch
            keras.losses.get(loss)
        except (TypeError, ValueError):
            raise ValueError(
                '`loss` must be the name of a loss of Keras, such as "mse", or a function of clean '
                f"and restored pictures. Received: loss={shown(loss)}."
            ) from None
        metrics = [PSNR()] if metrics is None else metrics
        super().compile(optimizer, loss=loss, metrics=metrics, **kwargs)

    def prepared(self, batch, training):
        """Return observed and clean pictures; in training they are degraded anew."""
        check_known_sides(self.network, batch.clean)
        if batch.observed is not None:
            return batch.observed, batch.clean
        return self.degradation(batch.clean, training=training), batch.clean

    def call(self, observed, training=None):
        """Return the restored pictures, not clipped."""
        restored = applied(self.network, observed, self._multiple, training)
        if self.keep_known:
            known = observed[..., -1:]
            restored = known * observed[..., :-1] + (1.0 - known) * restored
        return restored

    def restore(
        self,
        observed,
        *,
        known=None,
        level: float | None = None,
        self_ensemble: bool = False,
        return_std: bool = False,
        tile: int | None = TILE,
        progress: bool = False,
    ):
        """Restore observed pictures of any size that the network takes.

        Args:
            observed: float array, shape `(n, [time,] height, width, channels)`, with the channels
                that the degradation appends, or without those that follow. Noise may go beyond
                [0, 1].
            known: for a model that fills holes, 1 where a pixel is known and 0 where it is missing,
                shape `(n, [time,] height, width, 1)` or anything that broadcasts to it.
            level: for a model conditioned on the strength of the degradation (`append_level`), its
                strength, as the degradation's own argument and within the range that it was given
                in training; by default the model estimates it itself, if it has learned to
                (`append_level=0.5`).
            self_ensemble: whether to restore each picture turned and mirrored in all eight ways
                (four, if the network's sides are fixed and unequal) and take the mean: a little
                better, eight times as slow.
            return_std: whether to return as well by how much the answers in all these positions
                differ, one standard deviation. Where they do, the network is unsure; by how much it
                is wrong, `metrics.ErrorBars` says.
            tile: larger pictures are restored in tiles of so many pixels a side, which bounds the
                memory and gives the same result, and as many smaller ones at a time as have no more
                pixels than a tile; None restores each picture whole. So does, with a warning, a
                network in which every pixel depends on the whole picture. Of a long sequence so
                many frames are restored at a time as have no more pixels than a tile, if its
                network remembers in `networks.ConvLSTM` alone; the result is the same.
            progress: whether to show a bar while tiles, or parts of sequences, are restored.

        Returns:
            float32 array in [0, 1], without the extra channels; with `return_std` two of them, of
            which the first is the mean over the positions.

        Raises:
            ValueError: if the shape does not fit the network, a value is not finite, or something
                is given that the model does not take.

        Source: self-ensemble: Timofte et al. 2016 (arXiv 1511.02228), section 3.2; tiles that see
            as much as the whole picture: Ronneberger et al. 2015 (arXiv 1505.04597), figure 2.
        """
        flag("self_ensemble", self_ensemble)
        flag("return_std", return_std)
        flag("progress", progress)
        if tile is not None:
            tile = whole_number("tile", tile, 64, "It is the side of a tile in pixels.")
        observed = conditioned(self, observed, known, level)
        check_pictures(observed, self.network.input_shape[1:], "observed", noise=NOISE)
        observed = observed.astype("float32", copy=False)
        if not (self_ensemble or return_std):
            restored = self._whole(observed, tile, progress)
            return np.clip(restored, 0.0, 1.0, out=restored)

        def answer(turn, back):
            turned = ops.convert_to_numpy(turn(observed))
            return back(self._whole(turned, tile, progress))

        height, width = self.network.input_shape[-3:-1]
        mean, std = over_positions(answer, observed.ndim, square=height == width)
        mean = np.clip(mean, 0.0, 1.0)
        return (mean, std) if return_std else mean

    def export(self, filepath, format: str = "tf_saved_model", **kwargs):
        """Export what restores pictures, as `restore` does without tiles.

        The file holds a plain function of observed pictures, with the channels that the degradation
        appends (a mask, a level), for programs that know nothing of this package.

        Args:
            filepath: folder or file to write.
            format: `"tf_saved_model"`, or another one that Keras knows.
            **kwargs: as in `keras.Model.export`.

        Raises:
            ImportError: if a package that the format needs is missing.
        """

        def restored(observed):
            return ops.clip(ops.cast(self(observed, training=False), "float32"), 0.0, 1.0)

        export(self, restored, self._inputs(), filepath, format, **kwargs)

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            "degradation": keras.saving.serialize_keras_object(self.degradation),
            "keep_known": self.keep_known,
        }

    def _inputs(self):
        return [keras.InputSpec("float32", self.network.input_shape, name="observed")]

    def _symbolic_build(self, iterator=None, data_batch=None):
        # Where Keras builds loss and metrics before the first step (JAX), it would take the clean
        # pictures of a batch for observed ones without targets.
        super()._symbolic_build(data_batch=(self.network.inputs[0], self.network.outputs[0]))

    def _whole(self, observed, tile, progress):
        """Return restored pictures, not clipped, in tiles if they are large."""
        side = tile or TILE
        if observed.ndim == 5:
            frames = max(side**2 // math.prod(observed.shape[2:4]), 1)  # at a time
            if tile is not None and observed.shape[1] > frames and self._readings(frames):
                return self._film_in_parts(observed, frames, progress)
        if observed.ndim == 5 or max(observed.shape[1:3]) <= side:
            at_a_time = side**2 // math.prod(observed.shape[1:-1])
            return in_batches(self._restored, observed, size=max(at_a_time, 1))
        largest = max(observed.shape[1:3])
        view = self._view_for_tiles(observed, tile) or View(0, largest)  # which is not cut
        channels = self.image_shape[-1]
        return in_tiles(self._lean_restored(), observed, channels, tile or largest, view, progress)

    def _restored(self, observed):
        """Return restored pictures as tensors."""
        return ops.cast(self(observed, training=False), "float32")

    def _view_for_tiles(self, observed, size):
        """Return how far the network sees, or None, with a warning, if it cannot be cut."""
        if size is None or None not in self.network.input_shape[-3:-1]:
            return None
        view = view_of(self, self.network if self._does_no_more else None, observed)
        if view is None:
            warnings.warn(
                "This network cannot be applied in tiles: what a pixel becomes depends on the "
                f"whole picture. Received: pictures of {observed.shape[1]} x {observed.shape[2]} "
                f"with tile={size}. They are restored whole, which takes more memory.",
                stacklevel=4,
            )
            return None
        return view._replace(grid=math.lcm(view.grid, self._multiple))

    def _lean_restored(self):
        """Return the function that restores one picture in little memory."""
        if needs_known_sides(self.network):
            return self._restored
        channels = self.network.input_shape[-1]
        return self._of_network("lean", lambda: backends.lean(self._restored, channels))

    def _of_network(self, name, make):
        """Return what is made of the network, only once for each network."""
        if self._made.network is not self.network:
            self._made = types.SimpleNamespace(network=self.network)
        if not hasattr(self._made, name):
            setattr(self._made, name, make())
        return getattr(self._made, name)

    @property
    def _does_no_more(self):
        """Whether it does what its network does: a subclass may do more."""
        return type(self).call is Restorer.call

    @property
    def appends(self) -> tuple[str, ...]:
        """What the channels behind the observed picture's own are, as far as it is known."""
        if self.degradation is None:
            return ("mask",) if self.keep_known else ()
        return self.degradation.appends

    @property
    def origin(self):
        """Where the observed pictures come from, for messages."""
        return "pairs" if self.degradation is None else type(self.degradation).__name__
