"""Extractors: networks that turn pictures into the features in which they are compared."""

import keras
import numpy as np
from keras import ops

from keras_imgen.checks import shown, whole_number
from keras_imgen.data import check_pictures
from keras_imgen.data.sources import ASSETS
from keras_imgen.settings import as_meant

BATCH = 128  # pictures that a network works on at a time


class Features:
    """What a network computes from pictures, batch by batch.

    Calling it with pictures `(number, height, width, channels)`, float in [0, 1], returns a float32
    array `(number, features)`. A network whose output is a picture has it averaged over height and
    width. Grey pictures are repeated for a network that wants three channels.

    Args:
        network: any built Keras model from pictures to one vector, or one picture, each. What it
            wants other than [0, 1] it maps inside.
        name: what results call these features.
        resize: `(height, width)` to which pictures of another size are resized (bilinear, with
            antialiasing), or None to take them as they are.

    Raises:
        TypeError: if `network` is no Keras model.
        ValueError: if it is not built, has several inputs or outputs, or does not fit `resize`;
            when called, for pictures that the network cannot work on.

    Example:
        >>> import keras, numpy as np
        >>> from keras_imgen.metrics import Features
        >>> network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(5, 3)])
        >>> features = Features(network, "untrained", resize=(8, 8))
        >>> features(np.zeros((10, 12, 20, 1))).shape
        (10, 5)
    """

    def __init__(self, network, name: str, resize: tuple[int, int] | None = None):
        self.input_shape = _checked_network(network)
        if not isinstance(name, str) or not name:
            raise ValueError(f"`name` must be a text. Received: name={shown(name)}.")
        self.network, self.name = network, name
        self.resize = None if resize is None else _pair(resize)
        wanted = self.input_shape[:2]
        if self.resize and not _fits(self.resize, wanted):
            raise ValueError(
                "`resize` must be the size that the network works on. Received: "
                f"resize={self.resize} for a network on pictures of {wanted}."
            )

    def __call__(self, pictures) -> np.ndarray:
        """Return the features of pictures, `(number, features)`."""
        return self._outputs(self.network, pictures)

    def _outputs(self, network, pictures):
        check_pictures(pictures, (None, None, None))
        self._check_shape(tuple(pictures.shape[1:]))
        outputs = []
        for start in range(0, len(pictures), BATCH):
            batch = self._prepared(pictures[start : start + BATCH])
            output = network(batch, training=False)
            if len(output.shape) == 4:
                output = ops.mean(output, axis=(1, 2))
            outputs.append(ops.convert_to_numpy(ops.cast(output, "float32")))
        return np.concatenate(outputs)

    def _prepared(self, batch):
        batch = ops.cast(batch, "float32")
        if self.resize and tuple(batch.shape[1:3]) != self.resize:
            batch = ops.image.resize(
                batch, self.resize, antialias=True, data_format="channels_last"
            )
        if batch.shape[-1] == 1 and self.input_shape[-1] == 3:
            batch = ops.repeat(batch, 3, axis=-1)
        return batch

    def _check_shape(self, image_shape):
        wanted = self.input_shape[-1]
        if wanted not in (None, image_shape[-1]) and (image_shape[-1], wanted) != (1, 3):
            kinds = {1: "grey pictures, of 1 channel", 3: "pictures of 3 channels, or 1"}
            raise ValueError(
                f"The features {self.name!r} are those of "
                f"{kinds.get(wanted, f'pictures of {wanted} channels')}. Received: pictures of "
                f"shape {image_shape}. Load them with the right `channels`, or pass another "
                "`extractor`: InceptionFeatures() works on colour."
            )
        sides = self.input_shape[:2]
        if self.resize is None and not _fits(image_shape[:2], sides):
            raise ValueError(
                f"The features {self.name!r} are those of pictures of {sides} pixels. Received: "
                f"pictures of shape {image_shape}. Pass resize=(height, width) to Features."
            )


class DigitFeatures(Features):
    """Features of handwritten digits, from a small network that ships with the package.

    64 features of pictures of 28 x 28 pixels; others are resized. It read 99.3 % of MNIST's 10,000
    test digits rightly. It was trained on all of MNIST's 60,000 training digits, and the embedded
    "digits" were selected from these: it knows them. For grey pictures of other things the features
    exist, too, but say less.

    Example:
        >>> from keras_imgen import load
        >>> from keras_imgen.metrics import DigitFeatures
        >>> digits, features = load("digits", "test", labels=True), DigitFeatures()
        >>> features(digits.take(5)).shape
        (5, 64)
        >>> features.labels(digits.take(5)).tolist() == digits.labels[:5].tolist()
        True
    """

    def __init__(self):
        file = ASSETS / "digit_features.keras"
        both = keras.saving.load_model(file, compile=False, safe_mode=True)
        features, logits = both.outputs
        super().__init__(keras.Model(both.inputs[0], features), "digits", resize=(28, 28))
        self._reader = keras.Model(both.inputs[0], logits)

    def labels(self, pictures) -> np.ndarray:
        """Return the digit that the network reads in each picture, `(number,)`.

        It always names one, also where a person sees none. Counted, the digits show whether a
        generator leaves some out.

        Args:
            pictures: grey pictures `(number, height, width, 1)`, float in [0, 1].
        """
        return np.argmax(self._outputs(self._reader, pictures), axis=-1).astype("int32")


class InceptionFeatures(Features):
    """Features of photographs: 2,048, from Inception v3 trained on ImageNet.

    Pictures are resized to 299 x 299; grey ones are repeated in three channels. The weights are
    those of `keras.applications`, 88 MB, downloaded once unless they are on this machine. They are
    not those of the original FID code, so figures compare only with figures of these features, not
    with published ones.

    Raises:
        OSError: if the weights are not on this machine and cannot be downloaded.

    Source: Szegedy et al. 2016 (arXiv 1512.00567).

    Example:
        >>> from keras_imgen import load
        >>> from keras_imgen.metrics import InceptionFeatures
        >>> photos = load("photos", "test").take(3)
        >>> InceptionFeatures()(photos).shape  # doctest: +SKIP
        (3, 2048)
    """

    @as_meant()
    def __init__(self):
        pictures = keras.Input((299, 299, 3))
        # Keras's weights want [-1, 1], as `keras.applications.inception_v3.preprocess_input` says.
        scaled = keras.layers.Rescaling(2.0, offset=-1.0)(pictures)
        try:
            inception = keras.applications.InceptionV3(
                include_top=False, weights="imagenet", pooling="avg", input_shape=(299, 299, 3)
            )
        except Exception as error:  # Keras raises nothing more exact when a download fails
            raise OSError(
                "The weights of Inception v3 must be on this machine or be downloaded. Received: "
                f"{shown(str(error))}. Try again with a connection, or make InceptionFeatures() on "
                "a machine that has one and copy its folder ~/.keras/models. Features(network, "
                "name) takes any other network."
            ) from error
        super().__init__(keras.Model(pictures, inception(scaled)), "inception", resize=(299, 299))


def _checked_network(network):
    """Return the shape of the pictures that a network works on, or raise if they are none."""
    if not isinstance(network, keras.Model):
        raise TypeError(
            "`network` must be a Keras model from pictures to vectors. Received: "
            f"network={shown(network)}. A function of pictures can be an `extractor` itself."
        )
    inputs, outputs = getattr(network, "inputs", None), getattr(network, "outputs", None)
    if not inputs or not outputs:
        raise ValueError(
            f"`network` must be built. Received: {network.name!r}, which knows no shapes. Make it "
            "with keras.Input, as keras.Model(inputs, outputs) or in keras.Sequential."
        )
    shapes = [tuple(tensor.shape) for tensor in (*inputs, *outputs)]
    if len(shapes) != 2 or len(shapes[0]) != 4 or len(shapes[1]) not in (2, 4):
        raise ValueError(
            "`network` must turn a picture (height, width, channels) into one vector, or one "
            f"picture. Received: {network.name!r}, from {shapes[: len(inputs)]} to "
            f"{shapes[len(inputs) :]}. Choose one: keras.Model(network.inputs[0], "
            "network.get_layer(...).output)."
        )
    return shapes[0][1:]


def _fits(sides, wanted):
    return all(want in (None, side) for side, want in zip(sides, wanted, strict=True))


def _pair(resize):
    advice = "It is a pair (height, width) in whole pixels, or None."
    if not isinstance(resize, list | tuple) or len(resize) != 2:
        raise ValueError(f"`resize` must be a pair. Received: resize={shown(resize)}. {advice}")
    return tuple(whole_number("resize", side, 1, advice) for side in resize)
