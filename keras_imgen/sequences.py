"""`Sequences`: sequences that come frame by frame, are longer than memory, or go on."""

from collections.abc import Iterable, Iterator

import numpy as np
from keras import ops

from keras_imgen import backends
from keras_imgen.checks import whole_number
from keras_imgen.data import check_pictures
from keras_imgen.data.dataset import NOISE
from keras_imgen.inference import directions, in_parts, readings_in_parts, step_of
from keras_imgen.matching import conditioned


class Sequences:
    """Part of `Restorer`: what is made of sequences."""

    def stream(
        self, frames: Iterable, *, known: Iterable | None = None, level: float | None = None
    ) -> Iterator[np.ndarray]:
        """Restore a film frame by frame: each one as soon as it comes, however many there are.

        What comes out is what `restore` makes of the whole film. The memory that it takes does not
        grow. The network must be causal, such as `networks.conv_lstm(..., causal=True)`.

        Args:
            frames: observed frames of one size, float arrays `(height, width, channels)`, with the
                channels that the degradation appends, or without those that follow; a generator, or
                anything else that gives one after the other.
            known: for a model that fills holes, a mask for each frame, 1 where a pixel is known,
                of the shape `(height, width, 1)` or anything that broadcasts to it: 0 for a frame
                that is lost, 1 for one that is not.
            level: as in `restore`.

        Yields:
            Restored frames, float32 arrays in [0, 1], `(height, width, channels)`.

        Raises:
            ValueError: if the network is not causal or not of sequences; at the frame itself if it
                does not fit, or if there are fewer or more masks than frames.

        Example:
            >>> import numpy as np
            >>> from keras_imgen import Restorer, degradations, networks
            >>> network = networks.conv_lstm((None, None, 1), filters=2, causal=True)
            >>> model = Restorer(network, degradations.AdditiveNoise(0.1, seed=0), seed=0)
            >>> camera = (np.random.rand(24, 32, 1) for _ in range(100))
            >>> sum(1 for frame in model.stream(camera))
            100
        """
        self._check_sequences("stream")
        if not self.streams:
            raise ValueError(
                "Frames can be restored one by one if none depends on what follows. Received: the "
                f"network {self.network.name!r}, which sees more of a sequence than the frames "
                "before, or remembers them in other layers than networks.ConvLSTM. Build it with "
                "causal=True, or restore(observed) the whole sequence."
            )
        return self._streamed(frames, known, level)

    @property
    def streams(self) -> bool:
        """Whether sequences can be restored frame by frame, by `stream`."""
        of_sequences = len(self.network.input_shape) == 5
        return of_sequences and not any(self._backwards()) and bool(self._readings(1))

    def extrapolate(self, observed, num_frames: int, *, at_a_time: int | None = None):
        """Predict the frames that follow a sequence, for a model that fills in lost frames.

        The frames to come are frames that are lost; none of them is ever seen. Train with
        `MissingFrames(num_frames, at_end=True)`.

        Args:
            observed: float array `(n, time, height, width, channels)`, with the mask or, if
                everything is known, without.
            num_frames: how many frames to predict.
            at_a_time: so many are predicted first, taken for observed ones, and so on; by default
                all at once. A model that has learned to predict one frame takes 1.

        Returns:
            float32 array in [0, 1], `(n, num_frames, height, width, channels)`.

        Raises:
            ValueError: if the model is not one of sequences with a mask, or the shape does not fit.

        Source: frames fed back: Ranzato et al. 2014 (arXiv 1412.6604), section 3.3.

        Example:
            >>> import numpy as np
            >>> from keras_imgen import Restorer, degradations, networks
            >>> network = networks.conv_lstm((None, None, 1), extra_channels=1, filters=2)
            >>> model = Restorer(network, degradations.MissingFrames(2, seed=0), seed=0)
            >>> model.extrapolate(np.random.rand(1, 6, 16, 16, 1), 3).shape
            (1, 3, 16, 16, 1)
        """
        self._check_sequences("extrapolate")
        num_frames = whole_number("num_frames", num_frames, 1)
        at_a_time = whole_number("at_a_time", at_a_time or num_frames, 1, most=num_frames)
        if self.appends != ("mask",):
            raise ValueError(
                "To predict frames, a model must have learned to fill in lost ones. Received: "
                f"{self.origin}, which appends no mask. Train it with "
                "MissingFrames(num_frames, at_end=True)."
            )
        observed = ops.convert_to_numpy(observed)
        channels = self.image_shape[-1]
        known = 1.0 if observed.shape[-1:] == (channels,) else None
        seen = conditioned(self, observed, known, None).astype("float32")
        for start in range(0, num_frames, at_a_time):
            count = min(at_a_time, num_frames - start)
            lost = np.zeros((len(seen), count, *seen.shape[2:]), "float32")
            made = self.restore(np.concatenate([seen, lost], axis=1))[:, -count:]
            made = np.concatenate([made, np.ones_like(lost[..., -1:])], axis=-1)
            seen = np.concatenate([seen, made], axis=1)
        return seen[:, -num_frames:, ..., :channels]

    def _streamed(self, frames, known, level):
        step, before, first = self._step(), None, None
        pairs = ((frame, None) for frame in frames) if known is None else _pairs(frames, known)
        for frame, mask in pairs:
            observed = conditioned(self, ops.convert_to_numpy(frame)[None, None], mask, level)
            check_pictures(observed, self.network.input_shape[1:], "frame", noise=NOISE)
            first = first or observed.shape
            if observed.shape != first:
                raise ValueError(
                    f"The frames of a film must have equal sizes. Received: {observed.shape[2:4]} "
                    f"after {first[2:4]}."
                )
            restored, before = step(observed.astype("float32", copy=False), before)
            yield np.clip(ops.convert_to_numpy(restored)[0, 0], 0.0, 1.0)

    def _film_in_parts(self, observed, size, progress):
        """Return restored sequences, not clipped, a few frames at a time."""
        how = self._backwards(), self._readings(size), progress
        return np.concatenate([in_parts(self._step(), film[None], size, *how) for film in observed])

    def _check_sequences(self, what):
        if len(self.network.input_shape) != 5:
            raise ValueError(
                f"`{what}` is for models of sequences. Received: one of pictures, of shape "
                f"{self.image_shape}. Use restore(observed)."
            )

    def _step(self):
        """Return the compiled step of a film, made only once."""
        return self._of_network("step", lambda: backends.compiled(step_of(self._restored)))

    def _backwards(self):
        return self._of_network("directions", lambda: directions(self.network, self._multiple))

    def _readings(self, size):
        """Return how often a sequence must be read in parts of so many frames, 0 for never."""
        size = min(size, 2)
        return self._does_no_more and self._of_network(
            f"parts of {size}", lambda: readings_in_parts(self.network, size, self._multiple)
        )


def _pairs(frames, known):
    """Give each frame with its mask, or raise if there are not as many."""
    missing, masks = object(), iter(known)
    for frame in frames:
        if (mask := next(masks, missing)) is missing:
            raise ValueError("`known` must hold a mask for each frame. Received: fewer masks.")
        yield frame, mask
    if next(masks, missing) is not missing:
        raise ValueError("`known` must hold a mask for each frame. Received: more masks.")
