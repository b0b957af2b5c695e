"""`load_pretrained`: restorers that ship with the package, trained on photographs."""

from pathlib import Path

import keras
import numpy as np

from keras_imgen import degradations, networks
from keras_imgen.checks import one_of
from keras_imgen.networks.layers import FramewiseModel
from keras_imgen.networks.motion import AlignNeighbors
from keras_imgen.restoration import Restorer
from keras_imgen.settings import as_meant

ASSETS = Path(__file__).parent / "assets"


def _denoiser(channels):
    network = networks.drunet(
        (None, None, channels),
        extra_channels=1,
        filters=(64, 96, 128),
        num_blocks=2,
        block_size=2,
    )
    # Half of the time the level is not given, and it must estimate it from the picture.
    noise = degradations.AdditiveNoise((0.0, 55 / 255), append_level=0.5, seed=0)
    return Restorer(network, noise, seed=0)


def _inpainter():
    network = networks.drunet(
        (None, None, 3),
        extra_channels=1,
        filters=(48, 64, 80, 96),
        num_blocks=2,
        block_size=2,
        fill_holes=True,
    )
    holes = [
        degradations.MissingPixels((0.1, 0.8), seed=0),
        degradations.MissingBlocks((0.05, 0.4), 8, seed=0),
        degradations.MissingBlocks((0.05, 0.4), 16, seed=1),
        degradations.FreeFormHoles((0.05, 0.4), seed=0),
        # In a large picture strokes are thicker than in the small ones of a training.
        degradations.FreeFormHoles((0.05, 0.4), strokes=1, seed=1),
        degradations.TextOverlay(size=14, seed=0),
    ]
    return Restorer(network, degradations.OneOf(holes, seed=0), keep_known=True, seed=0)


@as_meant()
def _film():
    # The grey denoiser sees each frame by itself; what follows, and learns, sees them together.
    denoiser = load_pretrained("denoiser-gray").network
    denoiser.trainable = False
    observed = keras.Input((None, None, None, 2), name="observed")
    frame, mask = observed[..., :1], observed[..., 1:]
    told = keras.ops.concatenate([frame, keras.ops.zeros_like(mask)], axis=-1)  # no noise level
    guide = FramewiseModel(denoiser, name="frame_by_frame")([told])
    aligned = AlignNeighbors(name="align")([guide, observed])
    restored = networks.conv_lstm((None, None, 1), extra_channels=aligned.shape[-1] - 1)(aligned)
    lost = [degradations.MissingFrames(count, seed=count) for count in range(4)]
    damage = [
        degradations.AdditiveNoise((0.0, 55 / 255), seed=0),
        degradations.OneOf(lost, seed=0),
    ]
    network = keras.Model(observed, restored, name="film")
    return Restorer(network, degradations.Compose(damage), seed=0)


UNTRAINED = {
    "denoiser-gray": lambda: _denoiser(1),
    "denoiser-color": lambda: _denoiser(3),
    "inpainter": _inpainter,
    "film-gray": _film,
}


def load_pretrained(name: str) -> Restorer:
    """Load a restorer that ships with the package.

    Its model card, `docs/pretrained.md`, says what it was trained on, how good it is, and where it
    fails. To train it further on pictures of your own, compile it with a small rate, such as
    `Adam(1e-5)`, and call `fit`.

    Args:
        name: `"denoiser-gray"` or `"denoiser-color"`, for Gaussian noise of any sigma up to 55
            grey levels, blind or given it: `restore(noisy)` or `restore(noisy, level=25 / 255)`;
            `"inpainter"`, for holes in pictures in colour: `restore(pictures, known=mask)`;
            `"film-gray"`, for Gaussian noise and lost frames in grey sequences:
            `restore(films, known=mask)`, a mask that is 0 in the lost ones.

    Returns:
        A `Restorer`, not compiled, for pictures of any size.

    Raises:
        ValueError: for another name.

    Example:
        >>> import numpy as np
        >>> from keras_imgen import load_pretrained
        >>> from keras_imgen.metrics import psnr
        >>> clean = np.full((1, 32, 32, 1), 0.5, "float32")
        >>> noisy = clean + np.random.default_rng(0).normal(0.0, 0.1, clean.shape).astype("float32")
        >>> restored = load_pretrained("denoiser-gray").restore(noisy)
        >>> bool(psnr(clean, restored)[0] > psnr(clean, noisy)[0] + 10.0)
        True
    """
    one_of("name", name, UNTRAINED)
    model = UNTRAINED[name]()
    with np.load(ASSETS / f"{name}.npz", allow_pickle=False) as file:
        # Kept in 16 bits: half the size, and no picture differs by a thousandth of a grey level.
        for weight, key in zip(model.network.trainable_weights, file.files, strict=True):
            weight.assign(file[key].astype("float32"))
    return model
