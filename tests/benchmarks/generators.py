"""Train GAN, VAE and Diffusion on MNIST for equal time, and measure what they draw.

    python tests/benchmarks/generators.py --minutes 5 --seeds 0 [--data-dir DIR] [--out DIR]

All three train on the 60,000 training digits for the same wall time, one after the other, in this
one process, each with its own defaults, the GAN with 32 filters; GAN and Diffusion are told the
labels. How many steps that is, is timed first, and the learning rate warms up and rests over them,
as `keras-imgen train` does. Then samples of each, every digit equally often, are compared with the
10,000 test digits, in the features of the network that ships with the package.

    python tests/benchmarks/generators.py --steps 6300 --only diffusion

takes so many steps of 64 digits instead (one number, or one for each model), and `--pace` only
tells how many steps fit into the time while nothing else runs, so that other jobs may run beside
the trainings. `--out` keeps each training in a folder of its own there: one of as many steps that
was cut off goes on, also in another process, one for each model at once. `--held-out` trains on
50,000 digits and compares with the other 10,000 of the training set: whatever is chosen must be
chosen so.
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as keras_imgen does when it comes first

import keras
import matplotlib.pyplot as plt
from gan_mnist import BATCH, Judge

import keras_imgen as ki
from keras_imgen.cli.pace import Stopwatch, plain_pace
from keras_imgen.cli.runs import WarmUpAndRest

SHAPE = (28, 28, 1)


def gan(seed):
    generator = ki.networks.dcgan_generator(SHAPE, filters=32, num_classes=10)
    discriminator = ki.networks.dcgan_discriminator(SHAPE, filters=32, num_classes=10)
    return ki.GAN(generator, discriminator, seed=seed)


def vae(seed):
    return ki.VAE(ki.networks.vae_encoder(SHAPE), ki.networks.vae_decoder(SHAPE), seed=seed)


def diffusion(seed):
    return ki.Diffusion(ki.networks.diffusion_unet(SHAPE, num_classes=10), seed=seed)


MODELS = {"gan": gan, "vae": vae, "diffusion": diffusion}


def compiled(name, seed):
    keras.utils.set_random_seed(seed)
    model = MODELS[name](seed)
    model.compile()
    return model


class StopAfter(keras.callbacks.Callback):
    """Ends a training after so many steps in all."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = int(self.model.optimizer.iterations) >= self.steps


def train_for(model, data, steps, folder=None):
    """Train a compiled model for so many steps; the rate warms up and rests over them.

    Args:
        model: a model of this package.
        data: what it trains on.
        steps: how many steps.
        folder: beginning of the name under which the training is kept, so that one of as many steps
            that was cut off goes on from there.

    Returns:
        What was done, in words.
    """
    callbacks = [WarmUpAndRest(float(model.optimizer.learning_rate), steps), StopAfter(steps)]
    if folder:
        # With other steps the rate would be another one: that is another training.
        callbacks.append(ki.callbacks.Resume(f"{folder}_{steps}_steps"))
    watch = Stopwatch()
    epochs = -(-steps // len(data))
    model.fit(data, epochs=epochs, verbose=0, callbacks=[*callbacks, watch])
    if int(model.optimizer.iterations) != steps:
        raise RuntimeError(f"{int(model.optimizer.iterations)} steps were taken for {steps}")
    if not watch.seconds:
        return f"{steps} steps, kept from before"
    part = "" if len(watch.seconds) == steps else f", the last {len(watch.seconds)} of them"
    return f"{steps} steps{part} in {sum(watch.seconds):.0f} s"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0, help="of training for each")
    parser.add_argument("--steps", type=int, nargs="+", help="steps instead: of all, or of each")
    parser.add_argument("--pace", action="store_true", help="only tell the steps in that time")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--held-out", action="store_true", help="never look at a test digit")
    parser.add_argument("--policy", default="float32", help="or mixed_bfloat16")
    parser.add_argument("--data-dir", help="where TFDS keeps its data")
    parser.add_argument("--out", type=Path, help="folder for grids of samples and the models")
    args = parser.parse_args()
    if args.steps and len(args.steps) not in (1, len(args.only)):
        parser.error(f"--steps takes one number or one for each of {', '.join(args.only)}")
    keras.config.set_dtype_policy(args.policy)
    splits = ("train[:50000]", "train[50000:]") if args.held_out else ("train", "test")
    options = {"batch_size": BATCH, "data_dir": args.data_dir, "labels": True}
    train, test = (ki.load("mnist", split, **options) for split in splits)

    def steps_of(name):
        return plain_pace(compiled(name, 0), train).steps_within(60.0 * args.minutes)

    if args.pace:
        for name in args.only:
            print(f"{name}: {steps_of(name)} steps", flush=True)
        return
    judge = Judge(test.take(10_000))
    floor, _ = judge(train.take(10_000))
    print(f"training digits themselves: {shown(floor)}")
    for seed in args.seeds:
        grids = {}
        for index, name in enumerate(args.only):
            train.seed = seed
            steps = args.steps[index % len(args.steps)] if args.steps else steps_of(name)
            model = compiled(name, seed)
            done = train_for(model, train, steps, args.out and args.out / f"{name}_{seed}")
            begin = time.monotonic()
            grids[name] = model.sample(64, seed=seed)
            drawing = time.monotonic() - begin
            figures, _ = judge(model.sample(args.samples, seed=seed + 1))
            print(
                f"{name}, seed {seed}: {done}, 64 digits drawn in {drawing:.1f} s, "
                f"{shown(figures)}",
                flush=True,
            )
            if args.out:
                model.save(args.out / f"{name}_{seed}.keras")
                ki.plotting.save_grid(args.out / f"{name}_{seed}.png", grids[name], scale=3)
        if args.out:
            draw(args.out / f"side_by_side_{seed}.png", grids)


def shown(figures):
    return ", ".join(f"{key} {value:.4g}" for key, value in figures.items())


def draw(path, grids):
    """Put samples of all models side by side, those that know labels with a digit a column."""
    figure, axes = plt.subplots(1, len(grids), figsize=(3.6 * len(grids), 2.6), squeeze=False)
    for ax, (name, pictures) in zip(axes.ravel(), grids.items(), strict=True):
        title = {"gan": "GAN", "vae": "VAE", "diffusion": "Diffusion"}[name]
        ki.plotting.plot_images(pictures[:60], 10, title, ax=ax)
    figure.savefig(path, dpi=120, bbox_inches="tight")


if __name__ == "__main__":
    main()
