"""Train VAEs on MNIST in black and white, drawn anew in every epoch, and measure likelihoods.

    python tests/benchmarks/vae_mnist.py --minutes 30 --seeds 0 1 2 [--data-dir DIR] [--out DIR]

Each model trains on the 60,000 training digits for the same wall time, one after the other, in this
one process: how many steps of 128 that is, is timed first. The learning rate warms up and rests
over them, and the KL divergence warms up over a tenth. Then the negative log-likelihood of the test
digits, drawn once, is estimated with 1,000 points for each, and samples are compared with the test
digits, in the features of the network that ships with the package.

    python tests/benchmarks/vae_mnist.py --steps 20000 --held-out --only dense flow

takes so many steps instead, trains on 50,000 digits and measures by the other 10,000 of the
training set: whatever is chosen must be chosen so. `--pace` only tells how many steps fit into the
time while nothing else runs. `--out` keeps each training but the recipe's, and one of as many
steps that was cut off goes on. `recipe` is the VAE of Keras's own example, its parts put together
as published, its likelihood measured by our estimator.

    python tests/benchmarks/vae_mnist.py --step

takes turns between a step of the recipe's and two of ours, without XLA and with it (which the
command takes where it is quicker), all on the two networks of the recipe, and prints the times.
"""

import argparse
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as keras_imgen does when it comes first

import keras
import numpy as np
import tensorflow as tf
from gan_mnist import Judge, seconds_of_steps
from generators import StopAfter, shown, train_for
from keras import layers

import keras_imgen as ki
from keras_imgen.cli.pace import Pace, plain_pace

SHAPE, BATCH = (28, 28, 1), 128


class Recipe(keras.Model):
    """The VAE of Keras's example for code of one's own, rebuilt: two latents, Adam with 1e-3."""

    def __init__(self, seed):
        super().__init__()
        self.encoder, self.decoder = recipe_networks()
        self.seeds = keras.random.SeedGenerator(seed)
        self.trackers = [keras.metrics.Mean(name) for name in ("loss", "reconstruction", "kl")]
        self.built = True

    @property
    def metrics(self):
        return self.trackers

    def train_step(self, data):
        """Take a step: cross-entropy, summed over pixels, and KL divergence."""
        pictures = data[0] if isinstance(data, tuple) else data
        with tf.GradientTape() as tape:
            mean, log_variance = self.encoder(pictures)
            noise = keras.random.normal(tf.shape(mean), seed=self.seeds)
            drawn = self.decoder(mean + tf.exp(0.5 * log_variance) * noise)
            cost = keras.losses.binary_crossentropy(pictures, drawn)
            reconstruction = tf.reduce_mean(tf.reduce_sum(cost, axis=(1, 2)))
            kl = -0.5 * (1 + log_variance - tf.square(mean) - tf.exp(log_variance))
            kl = tf.reduce_mean(tf.reduce_sum(kl, axis=1))
            loss = reconstruction + kl
        gradients = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        for tracker, value in zip(self.trackers, (loss, reconstruction, kl), strict=True):
            tracker.update_state(value)
        return {tracker.name: tracker.result() for tracker in self.trackers}


def recipe_networks():
    """Build the two networks of the example."""
    pictures = keras.Input(SHAPE)
    x = layers.Conv2D(32, 3, activation="relu", strides=2, padding="same")(pictures)
    x = layers.Conv2D(64, 3, activation="relu", strides=2, padding="same")(x)
    x = layers.Dense(16, activation="relu")(layers.Flatten()(x))
    encoder = keras.Model(pictures, [layers.Dense(2)(x), layers.Dense(2)(x)])
    latents = keras.Input((2,))
    x = layers.Reshape((7, 7, 64))(layers.Dense(7 * 7 * 64, activation="relu")(latents))
    x = layers.Conv2DTranspose(64, 3, activation="relu", strides=2, padding="same")(x)
    x = layers.Conv2DTranspose(32, 3, activation="relu", strides=2, padding="same")(x)
    x = layers.Conv2DTranspose(1, 3, activation="sigmoid", padding="same")(x)
    return encoder, keras.Model(latents, x)


def recipe(seed, steps):
    model = Recipe(seed)
    model.compile(keras.optimizers.Adam(1e-3))
    return model


def vae(seed, steps, kind="dense", units=(300, 300), flow=False, ema=0.999, rate=2e-3, **options):
    """Build one of ours."""
    prior = ki.networks.FlowPrior(40) if flow else None
    if kind == "dense":
        size = {"latent_dim": 40, "units": units}
        encoder = ki.networks.dense_vae_encoder(SHAPE, **size)
        decoder = ki.networks.dense_vae_decoder(SHAPE, **size)
    else:
        encoder = ki.networks.vae_encoder(SHAPE, latent_dim=40, filters=32)
        decoder = ki.networks.vae_decoder(SHAPE, latent_dim=40, filters=32)
    warm_up = max(1, steps // 10)
    model = ki.VAE(
        encoder, decoder, prior, kl_warm_up=warm_up, ema_momentum=ema, seed=seed, **options
    )
    # JAX is slow without XLA, TensorFlow with it where it convolves; PyTorch has none.
    xla = keras.backend.backend() in (("tensorflow", "jax") if kind == "dense" else ("jax",))
    # After the first epoch norms lie between 25 and 120: none of these is cut.
    model.compile(keras.optimizers.Adam(rate, global_clipnorm=200.0), jit_compile=xla)
    return model


MODELS = {
    "recipe": (recipe, {}),
    "convolutions": (vae, {"kind": "convolutions"}),
    "dense": (vae, {}),
    "dense, no average": (vae, {"ema": 0.0}),
    "dense, 5 samples": (vae, {"num_importance_samples": 5}),
    "flow": (vae, {"flow": True}),
    "wide flow": (vae, {"flow": True, "units": (600, 600)}),
}


def made(name, seed, steps):
    keras.utils.set_random_seed(seed)
    build, options = MODELS[name]
    return build(seed, steps, **options)


def trained(model, data, steps, folder=None):
    """Train a model for so many steps, and return what measures it, and what was done."""
    if not isinstance(model, Recipe):
        return model, train_for(model, data, steps, folder)
    begin = time.monotonic()  # it has one rate from first to last
    model.fit(data, epochs=100_000, verbose=0, callbacks=[StopAfter(steps)])
    done = f"{steps} steps in {time.monotonic() - begin:.0f} s"
    model = ki.VAE(model.encoder, model.decoder, ema_momentum=0.0)
    model.compile(loss="bernoulli")
    return model, done


def pace_of(name, data):
    """Return how long the steps of a model take."""
    model = made(name, 0, 1000)
    if not isinstance(model, Recipe):
        return plain_pace(model, data)
    seconds = seconds_of_steps({name: model}, data, turns=3)[name]
    return Pace(first=np.nan, step=statistics.median(seconds))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0, help="of training for each")
    parser.add_argument("--steps", type=int, help="steps for each instead")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="+", choices=MODELS, default=["recipe", "dense", "flow"])
    parser.add_argument("--digits", type=int, default=10_000, help="whose likelihood is estimated")
    parser.add_argument("--points", type=int, default=1000, help="for the likelihood of each")
    parser.add_argument("--samples", type=int, default=10_000, help="drawn to be compared; or 0")
    parser.add_argument("--held-out", action="store_true", help="never look at a test digit")
    parser.add_argument("--pace", action="store_true", help="only tell the steps in that time")
    parser.add_argument("--step", action="store_true", help="only time the steps of both")
    parser.add_argument("--policy", default="float32", help="or mixed_bfloat16")
    parser.add_argument("--data-dir", help="where TFDS keeps its data")
    parser.add_argument("--out", type=Path, help="folder for grids of samples and the models")
    args = parser.parse_args()
    keras.config.set_dtype_policy(args.policy)
    splits = ("train[:50000]", "train[50000:]") if args.held_out else ("train", "test")
    options = {"batch_size": BATCH, "data_dir": args.data_dir, "binarize": "dynamic"}
    train, test = (
        ki.load("mnist", split, shuffle=split is splits[0], **options) for split in splits
    )
    if args.step:
        time_steps(train)
        return
    if args.pace:
        for name in args.only:
            steps = pace_of(name, train).steps_within(60.0 * args.minutes)
            print(f"{name}: {steps} steps", flush=True)
        return
    digits = test.take(args.digits)
    grey = ki.load("mnist", splits[1], shuffle=False, data_dir=args.data_dir)
    judge = Judge(grey.take(args.digits)) if args.samples else None
    for name in args.only:
        for seed in args.seeds:
            train.seed = seed
            steps = args.steps or pace_of(name, train).steps_within(60.0 * args.minutes)
            file = f"{name}_{seed}".replace(", ", "_").replace(" ", "_")
            folder = args.out and args.out / file
            model, done = trained(made(name, seed, steps), train, steps, folder)
            bound = model.evaluate(digits, verbose=0, return_dict=True)["loss"]
            nats = -model.log_likelihood(digits, args.points, batch_size=2000, seed=0)
            error = nats.std() / len(nats) ** 0.5
            print(
                f"{name}, seed {seed}: {done}, NLL {nats.mean():.2f} (standard error {error:.2f}), "
                f"bound {bound:.2f}",
                flush=True,
            )
            if judge:
                figures, _ = judge(model.sample(args.samples, seed=seed + 1))
                print(f"    samples (means) and grey digits: {shown(figures)}", flush=True)
            if args.out:
                args.out.mkdir(parents=True, exist_ok=True)
                model.save(args.out / f"{file}.keras")
                grid = model.sample(64, seed=seed)
                ki.plotting.save_grid(args.out / f"{file}.png", grid, scale=3)


def time_steps(data):
    """Print the time of a step of ours and of the recipe's, on networks of the same kind."""
    models = {"recipe": recipe(0, 0)}
    for name, jit_compile in (("ours", False), ("ours, XLA", True)):
        model = ki.VAE(*recipe_networks(), ema_momentum=0.0, seed=0)
        loss = ki.losses.bernoulli_nll
        model.compile(keras.optimizers.Adam(1e-3), loss=loss, jit_compile=jit_compile)
        models[name] = model
    seconds = seconds_of_steps(models, data, turns=10)
    for name, values in seconds.items():
        ratios = np.divide(values, seconds["recipe"])
        print(
            f"{name}: {1000 * statistics.median(values):.1f} ms, ratio {np.median(ratios):.2f} "
            f"({ratios.min():.2f} to {ratios.max():.2f})"
        )


if __name__ == "__main__":
    main()
