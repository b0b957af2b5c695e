# %% [markdown]
# # 19 · Four questions, answered by experiments
#
# **You will be able to**
#
# - answer four questions, one for each model, with a number for each answer;
# - plan an ablation: take one part away, give its size and its time to the rest, measure;
# - say for each part what it is *not* needed for;
# - tell an explanation from a habit.
#
# **You need** tutorials [02](02_gan.ipynb) to [09](09_measuring_quality.ipynb).
#
# **Time** on two CPU cores: 10 minutes of computing, 80 minutes with reading and exercises. The
# questions do not depend on each other: whoever has less time runs the cells before question 1, and
# then those of one question.

# %%
# If the package is missing, this installs it: SOURCE, the wheel beside it, or the checkout around.
import importlib.util
import subprocess
import sys
from pathlib import Path

SOURCE = ""  # in Colab, for example: "git+" and the address of the package's repository

if importlib.util.find_spec("keras_imgen") is None:
    folders = [Path.cwd(), *Path.cwd().parents]
    found = [SOURCE] if SOURCE else []
    found += [wheel for f in folders for wheel in sorted(f.glob("keras_imgen-*.whl"))[-1:]]
    found += [folder for folder in folders if (folder / "keras_imgen" / "__init__.py").exists()]
    if not found:
        raise ModuleNotFoundError(
            "keras_imgen is not installed. Put its wheel beside this notebook, or set SOURCE above "
            "to the path or the address of its repository, and run this cell again."
        )
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", str(found[0])], check=True)
importlib.import_module("keras_imgen")  # before TensorFlow, whose quickest convolutions it chooses

if "get_ipython" in globals():  # the check of an exercise says what it found, and nothing else
    tell = lambda shell, kind, error, trace, tb_offset=None: print(f"Not yet: {error}")
    get_ipython().set_custom_exc((AssertionError,), tell)  # noqa: F821

# %% [markdown]
# ## Why both networks, why both halves, why convolutions, why recurrence?
#
# Each of the four models has a part that everybody explains in one sentence. *The discriminator
# judges. The encoder describes. Convolutions see neighbours. Memory connects frames.* Sentences are
# cheap. What happens if the part is taken away?
#
# ![What each model answers whole, and without one of its parts](attachment:cover)
#
# Taking a part away and measuring what is lost is called an **ablation**. It says something only if
# what remains has a fair chance. Four rules hold in every table below.
#
# - **Equal time.** Contenders train for the same time. One whose step is cheap takes more steps.
#   How many is fixed below, from the times of a step on one machine; the column *time* says what
#   came of it on yours, in units of the first contender's. (It is the only column that differs from
#   run to run.)
# - **Equal size**, in weights (numbers to learn), within a few per cent (a tenth in question 4), or
#   the text says so.
# - **Each its own learning rate**: the best of at least three, two to three times apart, on
#   *validation* pictures, which nobody learns from. (Tried beforehand, in question 4 with a third
#   of the steps.) What is reported comes from *test* pictures, which nobody has used for anything.
# - **The strongest contender.** Whoever leaves a part out may replace it by anything. An ablation
#   that beats only a bad replacement proves nothing.
#
# *Before you go on, write down one guess for each question: what will be lost, and what will not?*

# %% tags=["setup"]
import os
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers, ops

import keras_imgen as ki

SEED = 0
# Steps and learning rate of each contender: equal time, and the best rate on validation pictures.
CHOSEN = {
    "both networks": (950, 8e-3),
    "target for each": (900, 3e-3),  # with any rate it draws the same
    "distance of sets": (650, 1e-2),
    "both halves": (850, 4e-3),
    "no encoder": (800, 1e-2),
    "search": (100, 0.3),
    "convolution": (250, 1e-2),
    "locally connected, small": (510, 3e-2),
    "dense, small": (1660, 3e-2),
    "locally connected, large": (65, 1e-2),
    "the same, as many steps": (250, 1e-2),
    "dense, large": (900, 3e-3),
    "recurrence": (900, 6e-3),
    "3-D convolution": (800, 3e-3),
    "all frames at once": (1000, 6e-3),
    "frame by frame": (900, 6e-3),
}
CLIMB_STEPS, NUM_DIGITS, NUM_FILMS = 40, 3500, 500
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # a quick test: its figures mean nothing
    CHOSEN = {name: (2, rate) for name, (_, rate) in CHOSEN.items()}
    CLIMB_STEPS, NUM_DIGITS, NUM_FILMS = 2, 130, 8

keras.utils.set_random_seed(SEED)  # the same first weights, and so the same pictures, every time

# %% [markdown]
# Some small tools: an optimizer, a training of so many steps with a stopwatch, a table, rows of
# pictures. (The stopwatch takes a quick step as the measure, which pauses and other programs hardly
# change.)


# %%
def adam(name):
    """Adam at a contender's rate: it warms up, and slows down to the end of the training."""
    steps, rate = CHOSEN[name]
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 20, steps - steps // 20, warmup_target=rate, warmup_steps=steps // 20
    )
    return keras.optimizers.Adam(schedule)


class Deadline(keras.callbacks.Callback):
    """Ends a training after so many steps, and keeps the seconds of each."""

    def __init__(self, steps):
        super().__init__()
        self.steps, self.seconds = steps, []

    def on_train_batch_begin(self, batch, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)
        self.model.stop_training = len(self.seconds) >= self.steps


def train(name, model, data, table, weights=None, **options):
    """Train a contender; note its name, weights, steps and seconds in a table."""
    deadline = Deadline(CHOSEN[name][0])
    model.fit(*data, epochs=10_000, verbose=0, callbacks=[deadline], **options)
    seconds = deadline.steps * float(np.quantile(deadline.seconds, 0.2))
    table[name] = [weights or model.count_params(), deadline.steps, seconds]


def show_table(table):
    """Print a table; time in units of the first contender's."""
    unit = next(iter(table.values()))[2]
    for name, (weights, steps, seconds, result) in table.items():
        cost = f"{weights:>9,} weights {steps:>5} steps, time {seconds / unit:3.1f}"
        print(f"{name:25}{cost if steps else '':40} {result}")


def mean_psnr(clean, pictures):
    """The mean over several pictures; what lies outside [0, 1] is cut off, as on a screen."""
    return float(np.mean(ki.metrics.psnr(clean, np.clip(pictures, 0.0, 1.0))))


def show_rows(rows, columns=10):
    """Draw rows of pictures below each other; `rows` has a title for each."""
    _, height, width, _ = np.shape(next(iter(rows.values())))
    size = (8, (0.3 + 8 / columns * height / width) * len(rows))
    _, axes = plt.subplots(len(rows), 1, figsize=size, layout="constrained")
    for ax, (title, pictures) in zip(axes, rows.items(), strict=True):
        ki.plotting.plot_images(pictures[:columns], columns, title, ax=ax)
    plt.show()


all_digits = ki.load("digits").take(4000)
digits, validation = all_digits[:NUM_DIGITS], all_digits[3500:]
test = ki.load("digits", "test", labels=True)
test_digits, test_labels = test.take(1000), test.labels[:1000]
reader = ki.metrics.DigitFeatures()
test_features = reader(test_digits)
print(f"{len(digits):,} digits to learn from, {len(validation)} to choose by, 1,000 to test")

# %% [markdown]
# ## Question 1. Why does a GAN need both networks?
#
# The judge is that of [tutorial 09](09_measuring_quality.ipynb): `DigitFeatures`, a network that
# reads 99 % of the test digits rightly and describes each picture by 64 numbers. The **Fréchet
# distance** compares two clouds of such descriptions. We compare 1,000 generated pictures with the
# 1,000 test digits; small is good. Beside it stands how many of the ten kinds of digits occur, as
# the judge reads them (kinds with at least 1 % of the pictures).
#
# The contenders:
#
# - **both networks**: a GAN as in tutorial 02;
# - **no discriminator, a target for each**: a generator alone, with the weights of both. It gets
#   what every other network gets, a target: each random latent vector is given some real digit, and
#   the loss is the mean squared error;
# - **no discriminator, a distance of sets**: the same generator, but the loss compares 64
#   generated pictures with 64 real ones *as sets*, by a formula that is fixed. (Throw all pictures
#   onto a random line through the space of pixels, sort both sets along it, and compare the sorted
#   places; take the mean over 256 lines. It is called the sliced Wasserstein distance.)
# - **no generator**: the trained discriminator alone. Start with noise, and let every pixel follow
#   the slope of its score. It costs no training of its own, and so the column for time is empty.
#
# *Guess the order.* **About two minutes, in two cells.**


# %%
def sliced(real, made):
    """A distance of two sets of pictures: both sorted along 256 random lines."""
    lines = keras.random.normal((784, 256))
    real, made = (ops.sort(ops.reshape(x, (-1, 784)) @ lines, axis=0) for x in (real, made))
    return ops.mean(ops.square(real - made))


def pairs(pictures, seed):
    """Without end: 64 random latent vectors, and 64 real digits that have no part in them."""
    rng = np.random.default_rng(seed)
    while True:
        latents = rng.standard_normal((64, 32)).astype("float32")
        yield latents, pictures[rng.integers(len(pictures), size=64)]


def climb(pictures, discriminator, steps):
    """Let every pixel follow the slope of the discriminator's score."""
    pictures, optimizer = tf.Variable(pictures), keras.optimizers.Adam(0.05)
    for _ in range(steps):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(discriminator(pictures, training=False))
        optimizer.apply([tape.gradient(loss, pictures)], [pictures])
        pictures.assign(tf.clip_by_value(pictures, 0.0, 1.0))
    return pictures.numpy()


made, table = {}, {}
keras.utils.set_random_seed(SEED)
gan = ki.GAN(
    ki.networks.dcgan_generator((28, 28, 1), latent_dim=32, filters=32),
    ki.networks.dcgan_discriminator((28, 28, 1), filters=32),
    seed=SEED,
)
rate = CHOSEN["both networks"][1]
gan.compile(*[keras.optimizers.Adam(rate, beta_1=0.5) for _ in range(2)])
size = gan.generator.count_params() + gan.discriminator.count_params()
train("both networks", gan, [ki.load_arrays(digits, seed=SEED)], table, size)
made["both networks"] = gan.sample(1000, seed=1)

# %%
for name, loss in (("target for each", "mse"), ("distance of sets", sliced)):
    keras.utils.set_random_seed(SEED)
    generator = ki.networks.dcgan_generator((28, 28, 1), latent_dim=32, filters=45)
    generator.compile(adam(name), loss)
    train(name, generator, [pairs(digits, SEED)], table, shuffle=False)
    latents = np.random.default_rng(1).standard_normal((1000, 32)).astype("float32")
    made[name] = generator.predict(latents, verbose=0)
noise = np.random.default_rng(1).random((1000, 28, 28, 1)).astype("float32")
made["no generator"] = climb(noise, gan.discriminator, CLIMB_STEPS)
table["no generator"] = [gan.discriminator.count_params(), 0, 0.0]


# %%
def judged(pictures):
    """The Fréchet distance from the test digits, and the kinds of digits that are read."""
    distance = ki.metrics.frechet_distance(test_features, reader(pictures))
    kinds = np.bincount(reader.labels(pictures), minlength=10) >= len(pictures) / 100
    return f"Fréchet distance {distance:5.0f}, {kinds.sum():2} kinds"


for name, pictures in made.items():
    table[name].append(judged(pictures))
show_table(table)
print(f"{'other real digits':65} {judged(digits[:1000])}")
for name, pictures in (("real digits", test_digits), ("no generator", made["no generator"])):
    score = float(np.mean(gan.discriminator(pictures, training=False)))
    print(f"the discriminator's mean score of {name}: {score:.1f}")
show_rows(
    {
        "both networks": made["both networks"],
        "no discriminator, a target for each": made["target for each"],
        "no discriminator, a distance of sets": made["distance of sets"],
        "no generator: pixels that please the discriminator": made["no generator"],
    }
)

# %% [markdown]
# - **A target for each** gives one picture, the mean of all digits. That is not bad training, it is
#   the right answer to the wrong question: the latents say nothing about the target, and the
#   squared error is then smallest at the mean. A generator needs somebody who asks "is this *a*
#   digit?" in place of "is this *that* digit?".
# - **A distance of sets** asks just that, without any discriminator. All ten kinds appear, and some
#   pictures can be read. So a second network is *not* what makes generation possible. What it
#   brings is a better question: the fixed formula looks along random lines, most of which show
#   nothing of interest; the discriminator *learns* where generated and real pictures differ. At
#   equal time the distance of its digits is several times smaller.
# - **Without the generator** the score rises far above that of real digits, and there is nothing to
#   see. (Scores count only against each other: with batch normalisation, where their zero lies
#   depends on the batches that were seen.) The discriminator has only ever met real digits and what
#   the generator drew. About all other pictures it knows nothing, and the pixels run off to where
#   it is wrong. (This contender was not trained for its task. One that meets its own wrong pictures
#   in every step can draw: see Du and Mordatch below.)
#
# One warning about the judge. It names a digit for *any* picture, noise included. So the number of
# kinds says nothing alone; the distance and your eyes are needed, too.
#
# So: *a generator needs a judge of sets, and one that learns judges better than a fixed one; the
# judge needs a generator, which keeps the answer among pictures.*
#
# ## Question 2. Why does a VAE need both halves?
#
# Three abilities are to be compared: bring an unseen digit back through 16 numbers (PSNR, and how
# many are still read as the true digit), describe it quickly, and invent digits (Fréchet distance).
#
# - **both halves**: a VAE as in tutorial 04.
# - **no encoder**: a decoder alone, with the weights of both. Each digit gets 16 numbers of its
#   own. They begin at random, and are *learned*, along with the decoder, by following the slopes of
#   the loss. For an unseen digit the decoder is held fast, and 16 numbers are sought in the same
#   way, step by step. To invent, it draws from a normal distribution with the mean and covariance
#   of the numbers that it found for the training digits.
# - **no decoder**: the trained VAE's encoder alone. It can describe, and it can compare
#   descriptions. So it answers with the training digit whose description is nearest.
#
# (The table counts the weights of *both halves* twice: with a slow average of them the VAE is
# measured, and half of the number learns.)
#
# **About two minutes, in two cells.** We take 200 test digits to bring back: the search is slow.


# %%
def search(name, decoder, pictures, table, batch=64):
    """Seek 16 numbers for each picture, by the slopes of the loss; return them."""
    which = layers.Input((), dtype="int32")
    codes = layers.Embedding(len(pictures), 16, embeddings_initializer="random_normal")
    model = keras.Model(which, layers.Activation("sigmoid")(decoder(codes(which))))
    model.compile(adam(name), "binary_crossentropy")
    data = np.arange(len(pictures)), pictures
    train(name, model, data, table, batch_size=batch)
    return codes.get_weights()[0]


def squashed(decoder, latents):
    """The pictures that a decoder draws; its answers are logits."""
    return np.asarray(ops.sigmoid(decoder(latents.astype("float32"))))


some, some_labels = test_digits[:200], test_labels[:200]
back, invented, table = {}, {}, {}
keras.utils.set_random_seed(SEED)
vae = ki.VAE(
    ki.networks.vae_encoder((28, 28, 1), latent_dim=16, filters=16),
    ki.networks.vae_decoder((28, 28, 1), latent_dim=16, filters=16),
    seed=SEED,
)
vae.compile(adam("both halves"))
train("both halves", vae, [ki.load_arrays(digits, batch_size=64, seed=SEED)], table)
back["both halves"] = vae.reconstruct(some)
invented["both halves"] = vae.sample(1000, seed=1)

# %%
keras.utils.set_random_seed(SEED)
decoder = ki.networks.vae_decoder((28, 28, 1), latent_dim=16, filters=27)
codes = search("no encoder", decoder, digits, table)
decoder.trainable = False
back["no encoder"] = squashed(decoder, search("search", decoder, some, {}, batch=200))
drawn = np.random.default_rng(1).multivariate_normal(codes.mean(axis=0), np.cov(codes.T), 1000)
invented["no encoder"] = squashed(decoder, drawn)

known, asked = (vae.encode(x)[0] for x in (digits, some))
wanted = np.random.default_rng(1).standard_normal((1000, 16))


def nearest(wanted, offered):
    """For each row of `wanted` the index of the nearest row of `offered`."""
    return np.argmin((offered**2).sum(axis=1) - 2.0 * wanted @ offered.T, axis=1)


back["no decoder"] = digits[nearest(asked, known)]
invented["no decoder"] = digits[nearest(wanted, known)]
table["no decoder"] = [vae.encoder.count_params(), 0, 0.0]

for name in back:
    right = np.mean(reader.labels(back[name]) == some_labels)
    copies = np.mean(ki.metrics.nearest(invented[name], digits)[1] < 1e-6)
    distance = ki.metrics.frechet_distance(test_features, reader(invented[name]))
    table[name].append(
        f"{mean_psnr(some, back[name]):.1f} dB, {right:.0%} read rightly; "
        f"invented {distance:4.0f}, copies {copies:.0%}"
    )
show_table(table)
show_rows({"unseen digits": some, **{f"brought back, {k}": v for k, v in back.items()}})
show_rows({f"invented, {k}": v for k, v in invented.items()})

# %% [markdown]
# **Without the encoder** most people guess fog. It is not so. Numbers that are sought by slopes
# bring unseen digits back about as well as the encoder's, and what is drawn between them is about
# as good: neither is clearly ahead. The decoder alone arranges the digits. Similar ones get similar
# numbers, because that is easier to draw. What the encoder replaces is a *search*: it describes a
# digit that it has never met in one pass, where the search took a hundred passes forward and back.
# (In papers: *amortised inference*.) It also brings the cloud of tutorial 04, and with it the
# bound; the search knows only points.
#
# **Without the decoder** nothing is ever invented: every picture is a copy. Its Fréchet distance is
# by far the smallest, since copies of real digits are real digits. Whoever looks at this number
# alone must crown the copier (tutorial 09). Most of its answers are even of the right kind, about
# as many as anybody's, but not the digit that was shown: the PSNR is the lowest, because the
# nearest of 3,500 is still another person's handwriting.
#
# So: *the decoder turns numbers that nobody has used before into a picture that nobody has drawn
# before, and nothing here replaces it; the encoder replaces a search.*
#
# ## Question 3. Why do convolutions suit pictures?
#
# A convolution makes two assumptions: what matters is *near*, and all *places* are alike. There are
# layers that make only the first or neither, so that we can take them away one by one:
#
# | layer | near | all places alike |
# | --- | --- | --- |
# | convolution: 3 x 3 weights, the same everywhere | yes | yes |
# | **locally connected**: 3 x 3 weights, others at every place | yes | no |
# | dense: every pixel with every other | no | no |
#
# Keras has no locally connected layer any more. Twenty lines make one. Each place begins with the
# same weights, as in a convolution, and then learns on its own.


# %%
class LocallyConnected(layers.Layer):
    """A convolution of 3 x 3 with weights of its own at every place."""

    def __init__(self, maps, **options):
        super().__init__(**options)
        self.maps = maps

    def build(self, shape):
        _, height, width, channels = shape
        everywhere = keras.initializers.GlorotUniform(SEED)((9 * channels, self.maps))
        self.kernel = self.add_weight(
            shape=(height, width, 9 * channels, self.maps),
            initializer=lambda shape, dtype: ops.broadcast_to(everywhere, shape),
        )
        self.bias = self.add_weight(shape=(height, width, self.maps), initializer="zeros")

    def call(self, x):
        height, width = x.shape[1:3]
        x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        near = [x[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
        near = ops.concatenate(near, axis=-1)  # at each place the nine values around it
        return ops.einsum("bhwk,hwkm->bhwm", near, self.kernel) + self.bias


def convolution(maps):
    return layers.Conv2D(maps, 3, padding="same")


def stack(layer, maps, end="sigmoid"):
    """A network of one kind of layers, with so many maps (pictures) between them."""
    x = observed = layers.Input((28, 28, 1))
    for number in maps:
        x = layers.Activation("relu")(layer(number)(x))
    return keras.Model(observed, layers.Activation(end)(layer(1)(x)))


def dense(width):
    """Every pixel sees every pixel, through `width` numbers."""
    x = observed = layers.Input((28, 28, 1))
    x = layers.Dense(width, activation="relu")(layers.Flatten()(x))
    x = layers.Dense(784, activation="sigmoid")(x)
    return keras.Model(observed, layers.Reshape((28, 28, 1))(x))


# %% [markdown]
# The task is denoising, with strong noise ($\sigma = 0.4$). Five contenders: the three layers with
# about 16,000 weights, and the two that share nothing once more with 36 times as many, so that
# nobody can say that they were too small. All have equal time, but for one row that says otherwise.
#
# Then take away what the layers rely on, too:
#
# - **moved**: test digits moved by five pixels. Who learned that all places are alike, need not
#   care.
# - **shuffled**: the 784 pixels of *all* pictures, in training and test, are brought into another
#   order, always the same. No information is lost, anybody could put them back. But nothing is near
#   any more.
#
# *Guess which contender suffers from which.* **About two minutes, in two cells.**


# %%
def moved(pictures, pixels=5):
    """Pictures moved to the right; what leaves comes in again on the left."""
    return np.roll(pictures, pixels, axis=2)


order = np.random.default_rng(SEED).permutation(784)


def shuffled(pictures):
    """The same pixels in another order, the same for all pictures."""
    return pictures.reshape(-1, 784)[:, order].reshape(-1, 28, 28, 1)


def noisy(pictures):
    """Pictures with strong noise; the same noise in every call."""
    return np.asarray(ki.degradations.AdditiveNoise(0.4, seed=1)(pictures))


def trained(name, build, pictures, table):
    """A denoiser that learned from these pictures."""
    keras.utils.set_random_seed(SEED)
    denoiser = ki.Restorer(build(), ki.degradations.AdditiveNoise(0.4, seed=SEED), seed=SEED)
    denoiser.compile(adam(name))
    train(name, denoiser, [ki.load_arrays(pictures, seed=SEED)], table)
    return denoiser


def denoising_psnr(denoiser, clean):
    return mean_psnr(clean, denoiser.restore(noisy(clean)))


contenders = {
    "convolution": lambda: stack(convolution, [24] * 4, end="linear"),
    "locally connected, small": lambda: stack(LocallyConnected, [1]),
    "dense, small": lambda: dense(10),
    "locally connected, large": lambda: stack(LocallyConnected, [8, 8]),
    "the same, as many steps": lambda: stack(LocallyConnected, [8, 8]),
    "dense, large": lambda: dense(368),
}
denoisers, table = {}, {}


def compete(names):
    """Train each contender on digits and on shuffled ones, and measure it."""
    for name in names:
        other = trained(name, contenders[name], shuffled(digits), table)
        denoisers[name] = trained(name, contenders[name], digits, table)
        figures = (
            denoising_psnr(denoisers[name], test_digits),
            denoising_psnr(denoisers[name], moved(test_digits)),
            denoising_psnr(other, shuffled(test_digits)),
        )
        table[name].append("digits {:.1f}, moved {:.1f}, shuffled {:.1f} dB".format(*figures))


compete(list(contenders)[:3])

# %%
compete(list(contenders)[3:])
show_table(table)
print(f"observed: {mean_psnr(test_digits, noisy(test_digits)):.1f} dB")
noisy_moved = noisy(moved(test_digits[:10]))
denoised = {name: denoiser.restore(noisy_moved) for name, denoiser in denoisers.items()}
show_rows(
    {
        "observed: digits five pixels to the right of where they were in training": noisy_moved,
        **{f"restored, {n}": pictures for n, pictures in denoised.items() if "the same" not in n},
    }
)

# %% [markdown]
# What have the two learned that see only nine pixels at a time? Here are the first layer's weights:
# all 24 kernels of the convolution, and 24 of the 784 kernels of the large locally connected
# network's first map, from places along two lines through the middle. Red adds, blue subtracts.

# %%
shared = denoisers["convolution"].network.layers[1].get_weights()[0][:, :, 0].transpose(2, 0, 1)
own = denoisers["locally connected, large"].network.layers[1].get_weights()[0]
own = own[10:18:4, 2:26, :, 0].reshape(-1, 3, 3)[::2]
figure, axes = plt.subplots(2, 1, figsize=(8, 3.4), layout="constrained")
titles = (
    "convolution: 24 kernels, each used at all places",
    "locally connected: one map, 24 places",
)
for ax, kernels, title in zip(axes, (shared, own), titles, strict=True):
    scaled = kernels / np.abs(kernels).max(axis=(1, 2), keepdims=True)
    colors = plt.get_cmap("coolwarm")(0.5 + 0.5 * scaled)[..., :3]
    ki.plotting.plot_images(np.repeat(np.repeat(colors, 6, 1), 6, 2), 12, title, ax=ax)
plt.show()

# %% [markdown]
# Read the columns, not only the rows.
#
# - **Digits**: at equal size the convolution leads, then comes the layer that knows only what is
#   near, last the one that knows nothing. Each assumption, where it is true, replaces weights and
#   training. With 36 times the weights dense layers come closer, and pass the locally connected
#   ones: they *can* learn it. (The rivals' time came out at 0.4 to 0.9 of the convolution's in
#   several runs on an idle machine. The row with as many steps took two to three times as long
#   there, and still loses.)
# - **Moved**: the convolution hardly notices. All others lose 3 dB or more, the locally connected
#   ones, too: they had learned place by place. What they lack is called
#   **translation equivariance**: move the input, and the output moves with it.
# - **Shuffled**: the dense networks do not notice, to them the order of pixels never meant
#   anything. Locally connected layers lose what nearness had given them. The convolution falls
#   below all others. Its squares hold nine strangers, and it may not even learn which place is
#   usually black, as the others do.
#
# The row with as many steps answers an objection: steps of locally connected layers are slow, so
# equal time leaves the large network few of them. With as many steps as the convolution it gains on
# digits, and still not on moved ones what it lacks. Another objection stands: five layers of
# convolutions see 11 x 11 pixels, the locally connected ones, which afford two or three, 5 x 5 or
# 7 x 7. How much of the lead on digits is reach, this table cannot say; on moved ones it is not.
#
# The kernels: the convolution's are 24 different questions, some of them edges (red on one side,
# blue on the other), and each was taught by all 784 places. The locally connected kernels are still
# variations of the one with which all places began, most changed where strokes pass: each was
# taught by its own place alone, in a quarter of the steps.
#
# So: *convolutions are not better in general. They assume that what matters is near and that all
# places are alike. Pictures are like that. Where an assumption holds it replaces weights, time and
# data; where it does not, it is in the way.*
#
# ## Question 4. Why does recurrence suit sequences?
#
# The task of [tutorial 08](08_sequence_restoration.ipynb): noise on all frames, and two of eight
# are lost. Four networks with the same two ends, those of `networks.conv_lstm`: the first one looks
# at each frame and leads to a quarter of its sides, the last one brings it back to full size, joins
# it with what was seen of the frame, and adds the result to what was observed. Between the two ends
# stands
#
# - **recurrence**: a ConvLSTM forwards and one backwards, with 16 maps each. A memory walks from
#   frame to frame; this is `networks.conv_lstm` as it is;
# - **3-D convolution**: four layers whose windows are 3 frames long, 3 x 3 places each. No memory,
#   but the same weights at every moment: what a convolution does in space, it does in time, too;
# - **all frames at once**: the eight frames as channels of one picture, three convolutions. No
#   memory, and weights of its own for every frame: dense in time;
# - **frame by frame**: four convolutions that see one frame.
#
# Compare the list with the table of question 3. *Guess: who is best at noise, who at lost frames?*
# **About three minutes for all four.**

# %%
film = {"num_digits": 1, "size": (28, 48)}
films = ki.load_moving_digits(
    num_sequences=NUM_FILMS, num_frames=8, batch_size=4, seed=SEED, **film
)
test_films = ki.load_moving_digits("test", num_sequences=64, num_frames=8, **film).take(64)


def damage(seed, lost=2):
    """Noise on all frames, some of them lost, and a mask channel that says which."""
    noise = ki.degradations.AdditiveNoise(0.2, seed=seed)
    return ki.degradations.Compose([noise, ki.degradations.MissingFrames(lost, seed=seed + 1)])


def conv(maps, frames=1):
    """A convolution whose window is so many frames long, and 3 x 3 places."""
    return layers.Conv3D(maps, (frames, 3, 3), padding="same", activation="relu")


def conv_lstm():
    return ki.networks.conv_lstm((28, 48, 1), extra_channels=1, filters=16)


def convolution_3d(x):
    for number in (16, 16, 16, 32):
        x = conv(number, frames=3)(x)
    return x


def all_at_once(x):
    frames, height, width, maps = x.shape[1:]
    x = layers.Permute((2, 3, 1, 4))(x)  # moves axes: time comes to stand beside the maps
    x = layers.Reshape((height, width, frames * maps))(x)
    for number in (10, 10, frames * 32):
        x = layers.Conv2D(number, 3, padding="same", activation="relu")(x)
    return layers.Permute((3, 1, 2, 4))(layers.Reshape((height, width, frames, 32))(x))


def frame_by_frame(x):
    for _ in range(4):
        x = conv(32)(x)
    return x


def without_memory(middle, num_frames=None):
    """The same network, with something else between its ends in place of both memories."""
    network = conv_lstm()
    observed = layers.Input((num_frames, 28, 48, 2))
    fine = network.get_layer("look_at_frames")([observed])  # at half of the sides
    seen = network.get_layer("halve_frames")([fine])  # at a quarter
    known = layers.Concatenate()([seen, middle(seen)])
    return keras.Model(observed, network.get_layer("enlarge_frames")([known, fine, observed]))


def two_figures(clean, observed, restored):
    """PSNR of frames with noise and of lost frames, in dB."""
    lost = observed[..., 1].max(axis=(2, 3)) == 0
    noise, gone = (mean_psnr(clean[f], restored[f]) for f in (~lost, lost))
    return f"noisy frames {noise:.1f}, lost frames {gone:.1f} dB"


contenders = {
    "recurrence": conv_lstm,
    "3-D convolution": lambda: without_memory(convolution_3d),
    "all frames at once": lambda: without_memory(all_at_once, num_frames=8),
    "frame by frame": lambda: without_memory(frame_by_frame),
}
restorers, table = {}, {}

# %% [markdown]
# The first two. **About 90 seconds.**


# %%
def contend(name):
    """Train a contender."""
    keras.utils.set_random_seed(SEED)
    restorers[name] = ki.Restorer(contenders[name](), damage(SEED), seed=SEED)
    restorers[name].compile(adam(name))
    train(name, restorers[name], [films], table)


contend("recurrence")
contend("3-D convolution")

# %% [markdown]
# And the other two. **About 90 seconds.**

# %%
contend("all frames at once")
contend("frame by frame")

observed_films = np.asarray(damage(1)(test_films))
restored = {name: model.restore(observed_films) for name, model in restorers.items()}
for name in table:
    table[name].append(two_figures(test_films, observed_films, restored[name]))
show_table(table)
arrived = observed_films[..., 1:].max(axis=(2, 3), keepdims=True)
mean = (observed_films[..., :1] * arrived).sum(axis=1, keepdims=True) / arrived.sum(
    1, keepdims=True
)
simple = {"observed": observed_films[..., :1], "mean of the frames": mean + 0 * test_films}
for name, frames in simple.items():
    print(f"{name:65} {two_figures(test_films, observed_films, frames)}")
show_rows(
    {
        "observed": observed_films[0, ..., :1],
        **{f"restored, {name}": film[0] for name, film in restored.items()},
        "clean": test_films[0],
    },
    columns=8,
)

# %% [markdown]
# Now films of 24 frames. The networks have only ever seen 8, with at most two lost in a row. We
# lose one frame, then two, up to ten in a row from the middle, and measure the one in the middle of
# the gap. *Guess: what can the windows of four layers know about a gap of ten?*

# %%
long_films = ki.load_moving_digits("test", num_sequences=32, num_frames=24, **film).take(32)
gaps = np.arange(1, 11)
by_gap = {name: [] for name in restorers}
for gap in gaps:
    mask = np.ones_like(long_films)
    mask[:, 12 - gap // 2 : 12 - gap // 2 + gap] = 0.0
    noisy_films = np.asarray(ki.degradations.AdditiveNoise(0.2, seed=1)(long_films))
    given = np.concatenate([noisy_films * mask, mask], axis=-1)
    for name, model in restorers.items():
        try:
            by_gap[name].append(mean_psnr(long_films[:, 12], model.restore(given)[:, 12]))
        except ValueError as error:
            if gap == 1:
                print(f"{name} refuses: {str(error).split('Received')[0]}")
figure, ax = plt.subplots(figsize=(7.5, 3.8), layout="constrained")
styles = {"recurrence": "o-", "3-D convolution": "s-", "frame by frame": "^--"}
for name, style in styles.items():
    ax.plot(gaps, by_gap[name], style, label=name)
    print(f"{name:16}", "  ".join(f"{value:.1f}" for value in by_gap[name]))
black = mean_psnr(long_films[:, 12], np.zeros_like(long_films[:, 12]))
ax.axhline(black, color="grey", linewidth=0.8, label="a black frame")
ax.set(xlabel="frames lost in a row", ylabel="PSNR of the middle one, dB", xticks=gaps)
ax.set_title("Films of 24 frames, trained on 8")
ax.legend()
plt.show()

# %% [markdown]
# **Noise** hardly needs the other frames (tutorial 08 found the same): *frame by frame*, which sees
# none of them, is as good as any. **Lost frames**: there it can only answer a dark grey, always the
# same. What it would need is not in front of it.
#
# Who brings lost frames back best? **At equal size and time neither recurrence nor 3-D convolution
# for certain.** In the run above the recurrence is ahead by 0.7 dB. With `SEED` 1 it had not begun
# to use its memory when the time was over: 12.8 dB, no better than a grey frame, where the 3-D
# convolution reached 16.7. (*All frames at once* was stuck like it, at 12.9.) Such a training seems
# to stand still for a while before it finds out that other frames help, and when it does is luck.
# One run would have told a clear story, and hardly a true one.
#
# Recurrence and 3-D convolution have the same weights at every moment, and take films of any
# length. *All frames at once* knows as much, but learns anew for each place in the film where a
# digit is; it is behind the 3-D convolution in both runs, and refuses the longer film. So the
# assumption that pays is *all moments are alike*. A memory is one way to make it.
#
# In an earlier version of this notebook all four middles stood at *half* of the sides. There a step
# of the memory took three times as long as one of the 3-D convolution, and that one won in three
# runs of three. Behind today's ends a step takes about as long as anybody's. (The 3-D convolution
# reached up to 17.5 dB there, in two to three times the time of a training here.) An ablation
# answers for the network in which it was made, and for no other.
#
# What else is recurrence for? Its **reach** is not fixed by the number of layers: four windows of 3
# frames see 4 frames to each side, and beyond a gap of eight the 3-D convolution cannot know
# anything, ever. A memory could. The curves of this run show that *could* is not *does*: up to five
# lost frames the memory is ahead by 0.4 to 0.9 dB; from six on it is ahead still, but below the
# grey that *frame by frame* always answers, since no training film had such a gap. And it is
# **small**: to answer live, frame by frame, the forward ConvLSTM keeps two memories of 16 maps of
# 7 x 12, 2,688 numbers, however far it reaches. A 3-D convolution that may only look back keeps the
# last two frames that come into each of its four layers, 10,752, and more with every layer.
#
# Neither is the strongest method that is known for these films: motion compensation, 20 lines of
# tutorial 08 that learn nothing but are told what motion is, reaches 17.8 dB on the same 64 films.
#
# So: *to share weights over time is what pays, in recurrence as in convolution. A memory keeps what
# must be kept in little space; and only a training that asks for it teaches it to keep longer.*
#
# ## All four at a glance

# %% tags=["cover"]
figure, axes = plt.subplots(4, 3, figsize=(11, 4.9), layout="constrained")
moved_digits = {name: pictures[:5] for name, pictures in denoised.items()}
panels = [
    ("GAN", made["both networks"][:5]),
    ("no discriminator", made["target for each"][:5]),
    ("no generator", made["no generator"][:5]),
    ("VAE: digits invented", invented["both halves"][:5]),
    ("no encoder, numbers sought", invented["no encoder"][:5]),
    ("no decoder: copies", invented["no decoder"][:5]),
    ("convolution: moved digits denoised", moved_digits["convolution"]),
    ("locally connected", moved_digits["the same, as many steps"]),
    ("dense", moved_digits["dense, large"]),
    ("ConvLSTM: the last two were lost", restored["recurrence"][0, :4]),
    ("3-D convolution", restored["3-D convolution"][0, :4]),
    ("frame by frame", restored["frame by frame"][0, :4]),
]
for index, (ax, (title, pictures)) in enumerate(zip(axes.ravel(), panels, strict=True)):
    ki.plotting.plot_images(pictures, len(pictures), title, ax=ax)
    ax.title.set_color("tab:blue" if index % 3 == 0 else "tab:red")
plt.show()

# %% [markdown]
# ## What to remember
#
# 1. **Discriminator**: a judge of sets that learns. Without one, a fixed distance of sets
#    generates, too, but worse; a target for each gives the mean. **Generator**: it keeps the answer
#    among pictures.
# 2. **Decoder**: it draws what nobody has drawn. Without it there are only copies, which look best
#    to the judge. **Encoder**: it replaces a search.
# 3. **Convolutions** assume that what matters is near and that all places are alike. Each of the
#    two can be taken away, and each has its price.
# 4. **Recurrence** assumes that all moments are alike. So does a 3-D convolution, and which
#    of the two leads differed from run to run. A memory could reach further, in less space;
#    that it does was not shown.
# 5. A part is worth what is lost without it, at equal size and time, against the *strongest*
#    replacement, and it holds inside that network. Two of the usual sentences did not survive that:
#    *only an encoder can describe*, and *only memory connects frames*.
#
# ## You should see / if not
#
# Measured with `SEED` 0, 1 and 2, on two CPU cores.
#
# - **Question 1**: Fréchet distance 47 to 64 with both networks, 182 to 192 with the distance of
#   sets, 608 or 609 without a question; other real digits 3. *If not*: were there 3,500 digits?
# - **Question 2**: 15.3 to 16.2 dB with both halves, 15.7 to 16.5 without the encoder, 13.5 to 14.0
#   without the decoder.
# - **Question 3**: convolution 20.8 to 21.0 dB on digits and 20.4 to 20.5 on moved ones; everything
#   else at least 1.3 dB below on digits, and 4 on moved ones. *If not*: each has a rate of its own.
# - **Question 4** (`SEED` 0 and 1): lost frames 16.7 and 12.8 dB with recurrence, 16.0 and 16.7
#   with the 3-D convolution, 14.8 and 12.9 with all frames at once, 12.9 and 13.1 frame by frame;
#   noise 26.5 to 27.0 dB for the last two, 25.5 to 26.2 for the first.
# - **Time**: the ratios may differ by a third; another machine has other ones. Those in this copy
#   say little: other programs ran beside. Half of the steps were tried, for a shorter notebook: the
#   VAE then collapses, and nothing can be compared.
#
# ## Read on
#
# **In papers this is called.** *Generated* pictures are samples or fakes. Numbers sought for each
# picture are latent optimisation or an *auto-decoder*. What a layer assumes is its *inductive
# bias*. *Weights* are parameters, *equal time* is an equal compute budget.
#
# - Y. Du and I. Mordatch, *Implicit Generation and Generalization in Energy-Based Models*, 2019,
#   [arXiv 1903.08689](https://arxiv.org/abs/1903.08689): a discriminator without a generator that
#   draws.
# - Y. Li, K. Swersky and R. Zemel, *Generative Moment Matching Networks*, 2015, [arXiv
#   1502.02761](https://arxiv.org/abs/1502.02761): a generator with a fixed distance of sets.
# - P. Bojanowski and others, *Optimizing the Latent Space of Generative Networks*, 2018, [arXiv
#   1707.05776](https://arxiv.org/abs/1707.05776): a decoder without an encoder.
# - D. Ulyanov and others, *Deep Image Prior*, 2018, [arXiv
#   1711.10925](https://arxiv.org/abs/1711.10925): how much a convolutional network knows before it
#   has learned anything.
# - S. Bai and others, *An Empirical Evaluation of Generic Convolutional and Recurrent Networks for
#   Sequence Modeling*, 2018, [arXiv 1803.01271](https://arxiv.org/abs/1803.01271): question 4,
#   asked for text and music.
#
# The digits are from MNIST (Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0).

# %% [markdown]
# ## Exercises
#
# Replace each `...` and run the cell, then the check below it. The check prints `Right`, or says
# what it found and gives a hint.
#
# ### Exercise 1: what each assumption saves
#
# A photograph has 192 x 192 pixels, one channel. How many weights has one layer from one channel to
# one, biases included, if it is dense (every pixel with every pixel), locally connected (3 x 3,
# margins counted as full), or a convolution (3 x 3)?

# %% tags=["exercise"]
dense_weights = ...
local_weights = ...
convolution_weights = ...

# %% tags=["solution"]
pixels = 192 * 192
dense_weights = pixels * pixels + pixels
local_weights = pixels * (9 + 1)
convolution_weights = 9 + 1

# %% tags=["check"]
hints = {
    "convolution_weights": (10, "nine weights, the same at every place, and a bias"),
    "local_weights": (368_640, "as the convolution, but anew for each of the 36,864 pixels"),
    "dense_weights": (1_358_991_360, "a weight for each pair of pixels, a bias for each output"),
}
for name, (expected, hint) in hints.items():
    found = globals()[name]
    assert isinstance(found, (int, float, np.number)), (
        f"{name} should be a number. Found {found!r}. Hint: {hint}."
    )
    assert found == expected, f"{name}: you count {found:,}. Hint: {hint}."
print("Right: to be near saves a factor of 3,686, to be alike at all places one of 36,864.")

# %% [markdown]
# ### Exercise 2: does the output move along?
#
# Write `moves_along`. It gets a function `denoise` from pictures to pictures, and pictures. Compare
# *moved, then denoised* with *denoised, then moved*, using `moved` from question 3, and return the
# largest difference in the columns 10 to 21. (There neither the border nor what comes in again on
# the left can be seen by a network of 5 layers.)


# %% tags=["exercise"]
def moves_along(denoise, pictures):
    """The largest difference between both orders, in the columns 10 to 21."""
    return ...


# %% tags=["solution"]
def moves_along(denoise, pictures):  # noqa: F811
    """The largest difference between both orders, in the columns 10 to 21."""
    difference = denoise(moved(pictures)) - moved(denoise(pictures))
    return np.abs(difference[:, :, 10:22]).max()


# %% tags=["check"]
few = noisy(test_digits[:20])
spot = np.zeros_like(few)
spot[-1, 14, 21] = -3.0  # a single pixel that stays where it is
ramp = np.arange(28, dtype="float32")[None, None, :, None]  # more from column to column
for extra, expected in ((0.0, 0.0), (ramp, 5.0), (spot, 3.0)):
    found = moves_along(lambda pictures, extra=extra: pictures + extra, few)
    assert isinstance(found, (float, np.floating)), (
        f"moves_along should return one number, not {np.shape(found) or found!r}. "
        "Hint: np.abs(...).max()."
    )
    assert abs(found - expected) < 1e-4, (
        f"For pictures + something fixed the difference is {expected:.0f}, you find {found:.3f}. "
        "Hint: denoise(moved(pictures)) minus moved(denoise(pictures)); [:, :, 10:22]; np.abs "
        "before max."
    )
print("Right. As they were trained:")
for name, denoiser in denoisers.items():
    print(f"{name:25} {moves_along(denoiser.restore, few):.6f}")

# %% [markdown]
# ### Exercise 3: an ablation of your own
#
# DnCNN predicts the noise and subtracts it. Take the subtraction away: write `without_subtraction`,
# which takes a DnCNN and returns a `keras.Model` from the same input to what the layer `"noise"`
# puts out, `network.get_layer("noise").output`. Trained like the other, it must draw the clean
# picture itself.
#
# Tutorial 05 explained why the subtraction helps on photographs. *First predict*: by how many dB is
# the network with subtraction ahead of the one without, on digits with $\sigma = 0.4$, after
# equally many steps? (Any number between -20 and 20 is accepted.) Both take the rate of question
# 3's convolution, which has no subtraction: whose answer does that favour, and which of the four
# rules does it break? Try another rate for the one with subtraction before you believe the result.


# %% tags=["exercise"]
guess = ...


def without_subtraction(network):
    """The same layers, but what the layer "noise" puts out is the answer."""
    return ...


# %% tags=["solution"]
guess = -1.5  # the one without is ahead: black paper is easier to draw than noise to predict


def without_subtraction(network):  # noqa: F811
    """The same layers, but what the layer "noise" puts out is the answer."""
    return keras.Model(network.input, network.get_layer("noise").output)


# %% tags=["check"]
assert isinstance(guess, (int, float)), f"guess should be a number of dB. Found {guess!r}."
assert -20 <= guess <= 20, f"guess should lie between -20 and 20. Found {guess}."


def subtracting():
    return ki.networks.dncnn((28, 28, 1), depth=5, filters=24)


twin = subtracting()
alone = without_subtraction(twin)
assert isinstance(alone, keras.Model), (
    f"without_subtraction should return a keras.Model. It returned {alone!r}. "
    'Hint: keras.Model(network.input, network.get_layer("noise").output).'
)
assert np.allclose(alone(few), few - np.asarray(twin(few)), atol=1e-5), (
    'Its output should be what is subtracted, observed minus restored. Hint: the layer "noise".'
)
reached = {}
for name, build in (("with", subtracting), ("no", lambda: without_subtraction(subtracting()))):
    reached[name] = denoising_psnr(trained("convolution", build, digits, {}), test_digits)
    print(f"{name:4} subtraction: {reached[name]:.1f} dB")
ahead = reached["with"] - reached["no"]
print(f"Right. You guessed that subtraction is ahead by {guess:.1f} dB, it is {ahead:.1f} dB.")
