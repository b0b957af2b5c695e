"""Train the restorers that ship with the package; what they were made of stands in their card.

Usage: ``python train_restorers.py denoiser-gray --data FOLDER [--epochs N] [--out FOLDER]``, FOLDER
with photographs, of which the last ones by name are held out. The same command goes on where it was
cut off. It runs on any backend of Keras that trains a `Restorer`: on a GPU, ``KERAS_BACKEND=jax``.
With ``--begin-from denoiser-gray`` a denoiser begins with what that one has learned.
"""

import argparse
from pathlib import Path

import keras
import numpy as np

import keras_imgen as ki
from keras_imgen.data import PictureDataset
from keras_imgen.data.folders import list_pictures
from keras_imgen.data.panning import filmed
from keras_imgen.data.photos import read_picture
from keras_imgen.degradations import AdditiveNoise, OneOf
from keras_imgen.pretrained import UNTRAINED, load_pretrained

HELD_OUT = 20  # photographs
FILM = {"num_frames": 8, "height": 64, "width": 64}
CROPS = 20  # of each photograph in an epoch


@keras.saving.register_keras_serializable("keras_imgen")
class ObedientDenoiser(ki.Restorer):
    """Learns to remove as much noise as its level channel says, and to leave what is beyond.

    Colours show so well how noisy they are that a network soon stops looking at the level. So half
    of the pictures whose level is given have more noise than that, which is to stay.
    """

    def __init__(self, network, degradation, **kwargs):
        super().__init__(network, degradation, **kwargs)
        self.more = OneOf([AdditiveNoise(0.0), AdditiveNoise((0.0, 25 / 255))], seed=1)

    def prepared(self, batch, training):
        """Return observed pictures, degraded once more, and clean ones."""
        observed, clean = super().prepared(batch, training)
        if not training:
            return observed, clean
        noise, level = observed[..., :-1] - clean, observed[..., -1:]
        given = keras.ops.cast(level > 0.0, clean.dtype)
        wanted = clean + given * (self.more(clean) - clean)
        return keras.ops.concatenate([wanted + noise, level], axis=-1), wanted


def begin_from(model, trained):
    """Let a denoiser begin with the weights of another.

    One for colours begins as the grey one, applied to their sum; what tells them apart begins at
    random.
    """
    for weight, begin in zip(model.network.weights, trained.network.get_weights(), strict=True):
        if weight.shape != begin.shape:
            colors, places = model.image_shape[-1], 4
            if begin.shape[2] == 2 * places:  # the first layer, which takes a picture and its level
                begin = begin.reshape(3, 3, places, 2, -1)
                picture, level = begin[..., :1, :], begin[..., 1:, :]
                own = np.asarray(weight).reshape(3, 3, places, colors + 1, -1)[..., :colors, :]
                own = (own - own.mean(axis=-2, keepdims=True)) / 2
                # Divided by the root, the sum of three colours is as noisy as one of them.
                begin = np.concatenate([own + picture / colors**0.5, level], axis=-2)
            else:  # the last one, which tells the noise
                begin = begin.reshape(3, 3, -1, places, 1)
                begin = np.repeat(begin / colors**0.5, colors, axis=-1)
        weight.assign(begin.reshape(weight.shape))


def films_of(photographs, count, model, seed):
    """Return films of photographs, and what the part of `film-gray` that learns is given of them.

    The rest of it does not learn, so it need not be asked in each epoch anew.
    """
    rng = np.random.default_rng(seed)
    clean = np.stack([filmed(photographs, rng=rng, **FILM) for _ in range(count)])
    given = keras.Model(model.network.input, model.network.get_layer("align").output)
    parts = []
    for start in range(0, count, 8):
        observed = np.asarray(model.degradation(ki.data.to_float(clean[start : start + 8])))
        parts.append(given.predict_on_batch(observed))
    return np.concatenate(parts), ki.data.to_float(clean)


def film_learner(photographs, count):
    """Return what of `film-gray` learns, as a model of its own, and its data."""
    model = UNTRAINED["film-gray"]()
    parts = [(photographs[:-HELD_OUT], count, 0), (photographs[-HELD_OUT:], 64, 1)]
    sets = []
    for part, number, seed in parts:
        given, clean = films_of(part, number, model, seed)
        options = {"batch_size": 4, "shuffle": seed == 0, "seed": 0}
        sets.append(ki.load_arrays(clean, observed=given, **options))
    return ki.Restorer(model.network.get_layer("conv_lstm"), None, seed=0), *sets


def fit(model, train, held_out, args):
    """Train a model, and print how good it is on what was held out."""
    steps = args.epochs * len(train)
    print(f"{args.name}: {model.network.count_params():,} weights, {steps:,} batches", flush=True)
    rate = keras.optimizers.schedules.CosineDecay(
        1e-5, steps, warmup_target=args.rate, warmup_steps=min(500, steps // 10), alpha=1e-6
    )
    model.compile(
        keras.optimizers.Adam(rate, use_ema=True, ema_momentum=0.999, global_clipnorm=1.0),
        loss="mae",
        metrics=[],
    )
    args.out.mkdir(parents=True, exist_ok=True)
    resume = ki.callbacks.Resume(args.out / args.name)
    model.fit(train, epochs=args.epochs, validation_data=held_out, callbacks=[resume], verbose=2)
    # `fit` has put the averaged weights in place.
    model.compile()
    print(model.evaluate(held_out, verbose=0, return_dict=True))


def main():
    """Train one model, and print how good it is on held-out photographs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=UNTRAINED)
    parser.add_argument("--data", required=True, help="folder of photographs")
    parser.add_argument("--leave-out", nargs="*", default=[], help="names of files not to use")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--films", type=int, default=1200, help="for film-gray: how many")
    parser.add_argument("--crop", type=int, default=64, help="side in pixels")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--begin-from", choices=UNTRAINED, help="a model that is trained already")
    parser.add_argument("--rate", type=float, default=1e-3, help="peak of the learning rate")
    parser.add_argument("--given", type=float, default=0.5, help="share of the levels given")
    parser.add_argument("--weak-noise", action="store_true", help="half of it below 25 grey levels")
    parser.add_argument("--obedient", action="store_true", help="leave what exceeds the level")
    parser.add_argument("--precision", default="float32", help="or mixed_bfloat16, mixed_float16")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    args = parser.parse_args()
    keras.config.set_dtype_policy(args.precision)
    keras.utils.set_random_seed(0)
    model = UNTRAINED[args.name]()
    files = [f for f in sorted(list_pictures(args.data)[0]) if f.name not in args.leave_out]
    pictures = ki.data.sources.with_channels(map(read_picture, files), model.image_shape[-1])
    if args.begin_from:
        begin_from(model, load_pretrained(args.begin_from))
    if args.name.startswith("denoiser"):
        share = args.given == 1.0 or args.given
        noise = [
            AdditiveNoise((0.0, most / 255), append_level=share, seed=seed)
            for seed, most in enumerate((25, 55) if args.weak_noise else (55,))
        ]
        noise = OneOf(noise, seed=0) if args.weak_noise else noise[0]
        kind = ObedientDenoiser if args.obedient else ki.Restorer
        model = kind(model.network, noise, seed=0)
    if args.name == "film-gray":
        model, train, held_out = film_learner(pictures, args.films)
    else:
        options = {"batch_size": args.batch_size, "crop_size": (args.crop, args.crop), "seed": 0}
        train = PictureDataset(pictures[:-HELD_OUT], None, crops=CROPS, shuffle=True, **options)
        held_out = PictureDataset(pictures[-HELD_OUT:], None, crops=4, shuffle=False, **options)
    fit(model, train, held_out, args)
    weights = [np.asarray(weight, "float16") for weight in model.network.get_weights()]
    np.savez_compressed(Path(__file__).with_name(f"{args.name}.npz"), *weights)


if __name__ == "__main__":
    main()
