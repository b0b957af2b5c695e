"""Train the restorers that ship with the package; what they were made of stands in their card.

Usage: ``python train_restorers.py denoiser-gray --data FOLDER [--steps N] [--out FOLDER]``, FOLDER
with photographs, of which the last ones by name are held out. The same command goes on where it was
cut off. It runs on any backend of Keras that trains a `Restorer`: on a GPU, ``KERAS_BACKEND=jax``.
"""

import argparse
import time
from pathlib import Path

import keras
import numpy as np

import keras_imgen as ki
from keras_imgen.data import PictureDataset
from keras_imgen.pretrained import UNTRAINED

HELD_OUT = 20  # photographs
CROPS = 20  # of each photograph in an epoch
CROP, BATCH = 64, 16


class Clock(keras.callbacks.Callback):
    """Says at the end of every epoch how long this part of the training has taken."""

    def on_train_begin(self, logs=None):
        """Look at the clock."""
        self.begin = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        """Print the hours."""
        print(f"{(time.monotonic() - self.begin) / 3600:.2f} hours", flush=True)


def main():
    """Train one model, and print how good it is on held-out photographs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=UNTRAINED)
    parser.add_argument("--data", required=True, help="folder of photographs")
    parser.add_argument("--leave-out", nargs="*", default=[], help="names of files not to use")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--precision", default="float32", help="or mixed_bfloat16, mixed_float16")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    args = parser.parse_args()
    keras.config.set_dtype_policy(args.precision)
    keras.utils.set_random_seed(0)
    model = UNTRAINED[args.name]()
    files = [f for f in ki.data.sources.list_pictures(args.data) if f.name not in args.leave_out]
    channels = model.picture_shape[-1]
    pictures = ki.data.sources.with_channels(map(ki.data.sources.read_picture, files), channels)
    options = {"batch_size": BATCH, "crop_size": (CROP, CROP), "seed": 0}
    train = PictureDataset(pictures[:-HELD_OUT], None, crops=CROPS, shuffle=True, **options)
    held_out = PictureDataset(pictures[-HELD_OUT:], None, crops=4, shuffle=False, **options)
    steps = args.epochs * len(train)
    print(f"{args.name}: {model.network.count_params():,} weights, {len(pictures)} photographs")
    print(f"{steps:,} batches of {BATCH} crops of {CROP} x {CROP}")
    rate = keras.optimizers.schedules.CosineDecay(
        1e-5, steps, warmup_target=1e-3, warmup_steps=500, alpha=1e-6
    )
    model.compile(
        keras.optimizers.Adam(rate, use_ema=True, ema_momentum=0.999, global_clipnorm=1.0),
        loss="mae",
    )
    args.out.mkdir(parents=True, exist_ok=True)
    resume = ki.callbacks.Resume(args.out / args.name)
    callbacks = [resume, Clock()]
    model.fit(train, epochs=args.epochs, validation_data=held_out, callbacks=callbacks, verbose=2)
    # `fit` has put the averaged weights in place.
    print(model.evaluate(held_out, verbose=0, return_dict=True))
    weights = [np.asarray(weight, "float16") for weight in model.network.get_weights()]
    np.savez_compressed(Path(__file__).with_name(f"{args.name}.npz"), *weights)


if __name__ == "__main__":
    main()
