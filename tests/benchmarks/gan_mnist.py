"""Train the GAN on MNIST, all by default, beside the public Keras recipe, and measure both.

    python tests/benchmarks/gan_mnist.py --steps 800 --seeds 0 1 2 [--data-dir DIR]

Both train on the 60,000 training digits for the same wall time, one after the other, in this one
process: as long as so many steps of the recipe take, which is timed first. Machines then differ in
how long it takes, and not in what comes out. What compiling the step takes counts. Then 10,000
samples of each are compared with the 10,000 test digits, in the features of the network that ships
with the package.

    python tests/benchmarks/gan_mnist.py --rates 0.002 0.004 --filters 16 32

trains ours alone, on 50,000 training digits, and compares it with the other 10,000: the defaults
were chosen so, never by the test digits.

    python tests/benchmarks/gan_mnist.py --step

takes turns between a step of ours and one of the recipe, on the same two networks of the recipe,
batch and precision, and prints both times.
"""

import argparse
import itertools
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as keras_imgen does when it comes first

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

import keras_imgen as ki

BATCH = 64


class Recipe(keras.Model):
    """The GAN that ends Keras's guide on custom training steps in TensorFlow, rebuilt.

    Two passes of the generator and three of the discriminator a step, all of them in the mode of
    inference; labels with noise; Adam with learning rate 3e-4 for both. The guide trains on the
    test digits as well.
    """

    def __init__(self, seed):
        super().__init__()
        self.generator, self.discriminator = recipe_networks()
        self.latent_dim = self.generator.input_shape[-1]
        self.seeds = keras.random.SeedGenerator(seed)
        self.cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
        self.players = {
            network: keras.optimizers.Adam(3e-4) for network in (self.generator, self.discriminator)
        }
        self.built = True

    def train_step(self, data):
        """Take a step of the discriminator, then, with new latents, one of the generator."""
        real = data[0] if isinstance(data, tuple) else data
        count = tf.shape(real)[0]
        both = tf.concat([self.generator(self.latents(count)), real], axis=0)
        labels = tf.concat([tf.ones((count, 1)), tf.zeros((count, 1))], axis=0)
        labels += 0.05 * keras.random.uniform(tf.shape(labels), seed=self.seeds)
        d_loss = self.step(
            self.discriminator, lambda: self.cross_entropy(labels, self.discriminator(both))
        )
        latents, misleading = self.latents(count), tf.zeros((count, 1))
        g_loss = self.step(
            self.generator,
            lambda: self.cross_entropy(misleading, self.discriminator(self.generator(latents))),
        )
        return {"d_loss": d_loss, "g_loss": g_loss}

    def latents(self, count):
        return keras.random.normal((count, self.latent_dim), seed=self.seeds)

    def step(self, network, compute_loss):
        with tf.GradientTape() as tape:
            loss = compute_loss()
        gradients = tape.gradient(loss, network.trainable_weights)
        self.players[network].apply(gradients, network.trainable_weights)
        return loss

    def sample(self, n, seed):
        latents = keras.random.normal((n, self.latent_dim), seed=seed)
        parts = [self.generator(latents[i : i + 500], training=False) for i in range(0, n, 500)]
        return np.concatenate([np.asarray(part, "float32") for part in parts])


def recipe_networks():
    """Build the two networks of the guide."""
    generator = keras.Sequential(
        [
            keras.Input((128,)),
            layers.Dense(7 * 7 * 128),
            layers.LeakyReLU(0.2),
            layers.Reshape((7, 7, 128)),
            layers.Conv2DTranspose(128, 4, strides=2, padding="same"),
            layers.LeakyReLU(0.2),
            layers.Conv2DTranspose(128, 4, strides=2, padding="same"),
            layers.LeakyReLU(0.2),
            layers.Conv2D(1, 7, padding="same", activation="sigmoid"),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(64, 3, strides=2, padding="same"),
            layers.LeakyReLU(0.2),
            layers.Conv2D(128, 3, strides=2, padding="same"),
            layers.LeakyReLU(0.2),
            layers.GlobalMaxPooling2D(),
            layers.Dense(1),
        ]
    )
    return generator, discriminator


def our_gan(seed):
    """Build the GAN that is measured: whatever the library has by default."""
    shape = (28, 28, 1)
    gan = ki.GAN(
        ki.networks.dcgan_generator(shape), ki.networks.dcgan_discriminator(shape), seed=seed
    )
    gan.compile()
    return gan


def candidate(seed, rate, filters):
    """Build a GAN of other sizes and rates."""
    shape = (28, 28, 1)
    gan = ki.GAN(
        ki.networks.dcgan_generator(shape, filters=filters),
        ki.networks.dcgan_discriminator(shape, filters=filters),
        seed=seed,
    )
    gan.compile(*(keras.optimizers.Adam(rate, beta_1=0.5) for _ in range(2)))
    return gan


class Clock(keras.callbacks.Callback):
    """Ends a training after some seconds."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds, self.steps = seconds, 0

    def on_train_begin(self, logs=None):
        self.begin = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        if time.monotonic() - self.begin >= self.seconds:
            self.model.stop_training = True  # after this batch


def trained(model, digits, seconds):
    """Train a model for so many seconds, in the middle of an epoch if need be."""
    clock = Clock(seconds)
    model.fit(digits, epochs=10_000, verbose=0, callbacks=[clock])
    return clock.steps


def budget(args, digits):
    """Return the seconds that each training has."""
    if args.seconds:
        return args.seconds
    recipe = Recipe(0)
    recipe.compile(optimizer=None)
    step = statistics.median(seconds_of_steps({"recipe": recipe}, digits, turns=3)["recipe"])
    print(f"{args.steps} steps of the recipe, {1000 * step:.0f} ms each: {args.steps * step:.0f} s")
    return args.steps * step


def seconds_of_steps(models, digits, turns):
    """Return the mean seconds of a step of each model in each turn of 20; they take turns."""
    seconds = {name: [] for name in models}
    batches = [tf.constant(digits[i][0]) for i in range(20)]
    for turn in range(turns + 1):  # the first one compiles
        for name, model in models.items():
            begin = time.perf_counter()
            for batch in batches:
                model.train_on_batch(batch)
            if turn:
                seconds[name].append((time.perf_counter() - begin) / len(batches))
    return seconds


class Judge:
    """Holds digits that nothing was trained on, and measures samples against them."""

    def __init__(self, digits):
        self.reader = ki.metrics.DigitFeatures()
        self.metrics = {
            name: getattr(ki.metrics, name)(digits, self.reader)
            for name in ("FrechetDistance", "KernelDistance", "PrecisionRecall")
        }

    def __call__(self, samples):
        results = {name: metric(samples) for name, metric in self.metrics.items()}
        shares = np.bincount(self.reader.labels(samples), minlength=10) / len(samples)
        distributions = results["PrecisionRecall"]
        return {
            "Frechet": float(results["FrechetDistance"]),
            "kernel": float(results["KernelDistance"]),
            "kernel error": results["KernelDistance"].standard_error,
            "precision": distributions.precision,
            "recall": distributions.recall,
            "rarest digit": shares.min(),
            "most frequent": shares.max(),
        }, results


def compare(args):
    train, test = (
        ki.load("mnist", split, batch_size=BATCH, data_dir=args.data_dir)
        for split in ("train", "test")
    )
    judge = Judge(test.take(test.num_pictures))
    floor, results = judge(train.take(len(test.pictures)))
    print(f"training digits themselves: {'; '.join(map(str, results.values()))}\n")
    seconds = budget(args, train)
    rows = {"ours": [], "recipe": []}
    for seed in args.seeds:
        for name in rows:
            keras.utils.set_random_seed(seed)
            model = our_gan(seed) if name == "ours" else Recipe(seed)
            if name == "recipe":
                model.compile(optimizer=None)
            train.seed = seed
            steps = trained(model, train, seconds)
            samples = model.sample(args.samples, seed=seed)
            figures, _ = judge(samples)
            rows[name].append({"steps": steps, **figures})
            shown = ", ".join(f"{key} {value:.4g}" for key, value in rows[name][-1].items())
            print(f"{name}, seed {seed}: {shown}", flush=True)
            if args.out:
                args.out.mkdir(parents=True, exist_ok=True)
                ki.plotting.save_grid(args.out / f"{name}_{seed}.png", samples[:100], scale=2)
    print(f"\n| figure | test digits | {' | '.join(rows)} |")
    print("| --- " * (len(rows) + 2) + "|")
    for key in rows["ours"][0]:
        cells = [f"{floor[key]:.3g}" if key in floor else ""]
        for runs in rows.values():
            values = [run[key] for run in runs]
            spread = f"{min(values):.3g} to {max(values):.3g}"
            cells.append(f"{statistics.mean(values):.3g} ({spread})")
        print(f"| {key} | {' | '.join(cells)} |")
    if args.out:
        draw(args.out, args.seeds, seconds, rows)
    ratios = [
        a["Frechet"] / b["Frechet"] for a, b in zip(rows["ours"], rows["recipe"], strict=True)
    ]
    print(f"\nFréchet distance, ours as a share of the recipe's: {np.round(ratios, 3).tolist()}")


def draw(out, seeds, seconds, rows):
    """Put grids of both side by side into comparison.png: of each the seed with the median."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.1), layout="constrained")
    for ax, (name, runs) in zip(axes, rows.items(), strict=True):
        seed, distance = median_run(seeds, [run["Frechet"] for run in runs])
        ax.imshow(
            plt.imread(out / f"{name}_{seed}.png")[:360],
            interpolation="nearest",
            cmap="gray",
            vmin=0,
            vmax=1,
        )
        ax.set_axis_off()
        title = {"ours": "keras_imgen", "recipe": "Keras's guide"}[name]
        ax.set_title(f"{title}, {seconds:.0f} s: Fréchet distance {distance:.3g}")
    figure.suptitle(f"of {len(seeds)} seeds the one in the middle", fontsize="medium")
    figure.savefig(out / "comparison.png", dpi=100)


def median_run(seeds, distances):
    """Return seed and distance of the run in the middle; of an even number, the worse one."""
    runs = sorted(zip(distances, seeds, strict=True))
    distance, seed = runs[len(runs) // 2]
    return seed, distance


def choose(args):
    """Print how well other sizes and rates do in equal time, without looking at a test digit."""
    digits = ki.load("mnist", "train[:50000]", batch_size=BATCH, data_dir=args.data_dir)
    held_out = ki.load("mnist", "train[50000:]", data_dir=args.data_dir)
    judge = Judge(held_out.take(held_out.num_pictures))
    seconds = budget(args, digits)
    for seed, rate, filters in itertools.product(args.seeds, args.rates, args.filters):
        keras.utils.set_random_seed(seed)
        gan = candidate(seed, rate, filters)
        digits.seed = seed
        steps = trained(gan, digits, seconds)
        figures, _ = judge(gan.sample(args.samples, seed=seed))
        shown = ", ".join(f"{key} {value:.4g}" for key, value in figures.items())
        print(f"rate {rate:g}, {filters} filters, seed {seed}, {steps} steps: {shown}", flush=True)


def time_steps(args):
    """Print the seconds of a step of ours and of the recipe, in turn on the same networks."""
    digits = ki.load("mnist", batch_size=BATCH, data_dir=args.data_dir)
    gan = ki.GAN(*recipe_networks(), seed=0)
    gan.compile(*(keras.optimizers.Adam(3e-4) for _ in range(2)))
    recipe = Recipe(0)
    recipe.compile(optimizer=None)
    seconds = seconds_of_steps({"ours": gan, "recipe": recipe}, digits, args.turns)
    for name, values in seconds.items():
        print(f"{name}: {1000 * statistics.median(values):.1f} ms a step (median of {len(values)})")
    ratios = [a / b for a, b in zip(seconds["ours"], seconds["recipe"], strict=True)]
    print(
        f"ours / recipe: {statistics.median(ratios):.3f} (from {min(ratios):.3f} to "
        f"{max(ratios):.3f}), batches of {BATCH}, float32, {os.cpu_count()} cores"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=800, help="of the recipe, as time for each")
    parser.add_argument("--seconds", type=float, help="time for each instead")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--data-dir", help="where TFDS keeps its data")
    parser.add_argument("--out", type=Path, help="folder for grids of samples")
    parser.add_argument(
        "--rates", type=float, nargs="+", help="choose among these learning rates instead"
    )
    parser.add_argument(
        "--filters", type=int, nargs="+", default=[16], help="and these sizes, with --rates"
    )
    parser.add_argument("--step", action="store_true", help="time the steps instead")
    parser.add_argument("--turns", type=int, default=10, help="turns of 20 steps each, with --step")
    args = parser.parse_args()
    if args.step:
        time_steps(args)
    elif args.rates:
        choose(args)
    else:
        compare(args)


if __name__ == "__main__":
    main()
