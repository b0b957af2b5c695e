# %% [markdown]
# # 04 · VAE: a handwritten digit in three bytes
#
# **You will be able to**
#
# - explain why an encoder should answer with a cloud and not with a point;
# - write both terms of a VAE's loss, check them in numbers, and say what a nat is;
# - draw new digits from numbers of your own, and find your way on a map of all digits;
# - say what a VAE does better than a linear method, in decibels and in bytes;
# - predict what happens when one of the two terms is too strong.
#
# **You need** tutorial [01](01_generation_and_restoration.ipynb). Tutorial 02 helps to compare.
#
# **Time** on two CPU cores: 4 minutes of computing, 75 minutes with reading and exercises.

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

if "get_ipython" in globals():  # the check of an exercise says what it found, and nothing else
    tell = lambda shell, kind, error, trace, tb_offset=None: print(f"Not yet: {error}")
    get_ipython().set_custom_exc((AssertionError,), tell)  # noqa: F821

# %% [markdown]
# ## How can a digit fit into three bytes?
#
# A handwritten digit is 784 numbers. Left in this film is one that the network has never seen. It
# is turned into three bytes, the positions of eight knobs, and from these alone the right picture
# is drawn. Then three of the knobs are turned, one after the other.
#
# ![A film: eight knobs are turned, and a digit changes with them](attachment:cover)
#
# Three bytes cannot hold pixels. They must hold something like "a 3, narrow, leaning to the right,
# thick pen". Nobody will tell the network what to describe. *Guess: if you type three bytes of your
# own, the first letters of your name, will that be a digit, too?*

# %% tags=["setup"]
import base64
import inspect
import os
from statistics import NormalDist

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from IPython.display import HTML, Image
from matplotlib.animation import FuncAnimation
from matplotlib.patheffects import withStroke

import keras_imgen as ki

SEED = 0
EPOCHS = 20  # of the main training, with 16 latents
MAP_EPOCHS = 23  # of the training with 2 latents, after 2 at a lower price
BREAK_EPOCHS = 6  # of the three trainings of section 9
KNOBS = 3  # that the film turns
NUM_DIGITS = None  # all 4,000
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # a quick test: its figures mean nothing
    EPOCHS = MAP_EPOCHS = BREAK_EPOCHS = KNOBS = 1
    NUM_DIGITS = 128

keras.utils.set_random_seed(SEED)  # the same first weights, and so the same pictures, every time

# %% [markdown]
# ## 1. Two halves
#
# A **variational autoencoder** (VAE) consists of two networks that work together.
#
# - The **encoder** takes a picture $x$ and describes it by **latents** $z$, here 16 numbers. They
#   are called latent, hidden, because no data set contains them.
# - The **decoder** takes latents and draws a picture $\hat{x}$, read "x hat": the
#   **reconstruction**.
#
# The encoder returns two lists of 16 numbers. Section 3 says why.

# %%
digits = ki.load("digits", batch_size=64, seed=SEED)  # 4,000 to learn from
if NUM_DIGITS is not None:
    digits = ki.load_arrays(digits.take(NUM_DIGITS), batch_size=64, seed=SEED)
test = ki.load("digits", "test", labels=True)  # no model will learn from these
test_digits, test_labels = test.take(1000), test.labels[:1000]


def make_vae(latent_dim, kl_weight=1.0):
    """A new VAE, ready to be trained."""
    vae = ki.VAE(
        ki.networks.vae_encoder((28, 28, 1), latent_dim=latent_dim, filters=32),
        ki.networks.vae_decoder((28, 28, 1), latent_dim=latent_dim, filters=32),
        kl_weight=kl_weight,
        seed=SEED,
    )
    vae.compile(keras.optimizers.Adam(2e-3), loss="bernoulli")  # R of section 2
    return vae


vae = make_vae(latent_dim=16)
mean, log_variance = vae.encoder(test_digits[:1])
print("the encoder returns", mean.shape, "and", log_variance.shape)
print("the decoder returns", vae.decoder(mean).shape)

# %% [markdown]
# ## 2. First wish: come back
#
# How well does $\hat{x}$ describe $x$? Read every pixel of $\hat{x}$ as the probability that the
# pixel is white. Then the surprise at seeing the true picture is
#
# $$R(x, \hat{x}) = -\sum_i \bigl[ x_i \log \hat{x}_i + (1 - x_i) \log (1 - \hat{x}_i) \bigr]$$
#
# - $R$: the **reconstruction loss** of one picture, here a binary **cross-entropy** (in code
#   `bernoulli_nll`);
# - $x_i$, $\hat{x}_i$: the $i$-th of the 784 pixels, true and drawn;
# - $\log$: the natural logarithm. A surprise in natural logarithms is measured in **nats**. One nat
#   is 1.44 bits.
#
# Check it: a drawing that says "half" everywhere costs $\log 2 = 0.693$ nats for each pixel,
# whatever the picture is: $784 \times 0.693 = 543$ nats. The best single drawing for all digits is
# their mean, and costs less.

# %%
picture = test_digits[:1]
half = np.full_like(picture, 0.5)
mean_picture = np.broadcast_to(digits.take(digits.num_pictures).mean(axis=0), test_digits.shape)
print(f"half everywhere:  {float(ki.losses.bernoulli_nll(picture, half)[0]):.1f} nats")
mean_cost = float(np.mean(ki.losses.bernoulli_nll(test_digits, mean_picture)))
print(f"the mean picture: {mean_cost:.1f} nats, on average over 1,000 test digits")

# %% [markdown]
# ## 3. Second wish: be findable
#
# If coming back were all, an encoder could give each training picture a point anywhere in the space
# of latents, far from all others. Numbers that you invent would fall between the points, where the
# decoder was never asked for anything. So a VAE does two things.
#
# **The encoder answers with a cloud.** Its two lists are the middle $\mu$ and the logarithm of the
# variance, $\log \sigma^2$, of a normal distribution. The decoder gets a random point of the cloud:
#
# $$z = \mu + \sigma \, \varepsilon, \qquad \varepsilon \sim \mathcal{N}(0, 1)$$
#
# - $\mu$, $\sigma$: middle and width of the cloud, each 16 numbers, from the encoder;
# - $\varepsilon$: 16 fresh random numbers, normally distributed with mean 0 and variance 1.
#
# Now a whole neighbourhood must decode to the same digit. Writing the random point in this way is
# called the **reparameterisation trick**: the chance sits in $\varepsilon$, so the slope of $z$
# with respect to $\mu$ is 1, and that with respect to $\sigma$ is $\varepsilon$. Learning can pass
# through.
#
# **Every cloud is drawn to the origin.** The price for one that lies elsewhere is its
# **Kullback-Leibler divergence**,
#
# $$\mathrm{KL} = \frac{1}{2} \sum_j \left( \sigma_j^2 + \mu_j^2 - 1 - \log \sigma_j^2 \right)$$
#
# where $j$ counts the 16 latents. It is 0 only for $\mu = 0$ and $\sigma = 1$, for a cloud that
# says nothing about the picture. $R$ pulls the clouds apart, and together they become about as wide
# as one standard normal distribution. *Every nat of a description has to be paid for.*
#
# Check it. By definition KL is the mean of $\log q(z) - \log p(z)$ over points of the cloud,
# where $q$ is the density of the cloud and $p$ that of the standard normal distribution. Take
# $\mu = 2$ and $\sigma = 0.5$:

# %%
mu, sigma = 2.0, 0.5
epsilon = np.random.default_rng(SEED).standard_normal(200_000)
z = mu + sigma * epsilon
log_q = -0.5 * ((z - mu) / sigma) ** 2 - np.log(sigma)  # a constant is left out in both,
log_p = -0.5 * z**2  # and drops out of the difference
formula = ki.losses.kl_divergence(np.array([[mu]]), np.log(np.array([[sigma**2]])))
print(f"KL by its definition, 200,000 points: {np.mean(log_q - log_p):.3f} nats")
print(f"KL by the formula:                    {float(formula[0]):.3f} nats")

middle, width = tf.Variable(mu), tf.Variable(sigma)
with tf.GradientTape() as tape:
    point = middle + width * 1.5  # epsilon happens to be 1.5
slopes = [float(slope) for slope in tape.gradient(point, [middle, width])]
print(f"slope of z with respect to mu: {slopes[0]}, to sigma: {slopes[1]}")

# %% [markdown]
# The sum of both wishes is the loss:
#
# $$L = R(x, \hat{x}) + \beta \, \mathrm{KL}$$
#
# with $\beta$, in the library `kl_weight`, equal to 1. Then, on average, it is an upper bound of
# $-\log p(x)$, the surprise at the picture $x$ of somebody who draws latents at random and lets the
# decoder draw.
#
# In papers the decoder is written $p(x \mid z)$, how probable a picture is if its latents are $z$;
# the latents drawn at random are $p(z)$; and the encoder's cloud is $q(z \mid x)$. The bound takes
# four lines:
#
# $$
# \begin{aligned} \log p(x) &= \log \int p(x \mid z) \, p(z) \, dz && \text{all latents that could
# have been} \\ &= \log \; \mathbb{E}_{q(z \mid x)} \left[ \frac{p(x \mid z) \, p(z)}{q(z \mid x)}
# \right] && \text{multiplied and divided by } q \\ &\ge \mathbb{E}_{q(z \mid x)} \left[ \log p(x
# \mid z) + \log \frac{p(z)}{q(z \mid x)} \right] && \text{the logarithm of a mean is at least the
# mean of the logarithms} \\ &= \mathbb{E}_{q(z \mid x)} \left[ \log p(x \mid z) \right] -
# \mathrm{KL} && \text{by the definition of KL} \end{aligned}
# $$
#
# where $\mathbb{E}_{q(z \mid x)}$ is the mean over latents from the encoder's cloud. (The third
# line is **Jensen's inequality**.) The first part is $-R$, and the right side is $-L$: the
# **ELBO**, the evidence lower bound. Whoever makes $L$ small makes the pictures probable.
#
# But $-R$ is the logarithm of a probability for pictures of black and white alone. Of grey pixels
# it is a cross-entropy and no likelihood: a perfect copy would still cost something. For these
# digits $L$ is a good loss and not a bound. (What would be one: Loaiza-Ganem and Cunningham.)

# %% [markdown]
# ## 4. One step of the training
#
# One loss, one optimizer: Keras's own `train_step` will do.

# %%
print(inspect.getsource(ki.VAE.call))
print(inspect.getsource(ki.VAE.compute_loss))

# %% [markdown]
# - `mean, log_variance = self.encoder(...)`: the cloud, $\mu$ and $\log \sigma^2$.
# - `noise` is $\varepsilon$, `ops.exp(0.5 * log_variance)` is $\sigma$, and `latents` the random
#   point $z$.
# - `self.decoder(latents)`: the drawing $\hat{x}$, as **logits**: any numbers, of which a sigmoid
#   makes probabilities.
# - `self._cost`: $R$, one value per picture, *summed* over the pixels. With a mean in its place the
#   first wish would weigh 784 times less, and KL would win.
# - `kl`: the formula above, summed over the latents. The last line adds the two.
# - `update_state` keeps both parts for the logs. `penalty`, for layers that punish large weights,
#   is 0 here, and `backends.share`, for several devices, changes nothing.
#
# Do the parts in the logs add up? KL is still 0, since an encoder that has learned nothing says
# nothing, and the sum is that of "half everywhere":

# %%
logs = vae.evaluate(test_digits, verbose=0, return_dict=True)
print({name: round(value, 2) for name, value in logs.items()})
print(f"reconstruction + KL = {logs['reconstruction_loss'] + logs['kl_loss']:.2f}")

# %% [markdown]
# ## 5. Training
#
# *First predict*: the total loss will fall. Will KL fall, too? **About 80 seconds.**

# %%
history = vae.fit(digits, epochs=EPOCHS, validation_data=test_digits, verbose=0)
figure = ki.plotting.plot_history(history)
for ax in figure.axes:
    ax.set_ylabel("nats per picture")
figure

# %% [markdown]
# KL *rises*: the encoder learns that it pays to say more. The reconstruction loss falls by more, so
# their sum falls. The curve to watch is the validation loss: when it stops falling, the networks
# learn the training digits by heart (**overfitting**).
#
# Now let the decoder draw from 40 lists of 16 random numbers.

# %%
figure, ax = plt.subplots(figsize=(9, 4), layout="constrained")
ki.plotting.plot_images(vae.sample(40, seed=SEED), 10, "generated from random latents", ax=ax)
plt.show()

# %% [markdown]
# Most can be read, some are none. Compared with a GAN's digits they are softer: the decoder draws
# the average of what the sixteen numbers leave open.
#
# And how short is a description? KL is its price:

# %%
final = vae.evaluate(test_digits, verbose=0, return_dict=True)
nats = final["kl_loss"]
print(
    f"surprise at a test digit: {mean_cost:.1f} nats with the mean picture, "
    f"{final['loss']:.1f} with the VAE"
)
print(f"its description: {nats:.1f} nats = {nats / np.log(2):.1f} bits")

# %% [markdown]
# Sixteen numbers of 32 bits are 512 bits. But a cloud is wide: where exactly in it the point lies
# does not matter, and what matters is worth about 25 bits.

# %% [markdown]
# ## 6. What the numbers say
#
# Does it use all sixteen? KL is a sum over latents, so each one's share can be read off.


# %%
def describe(pictures):
    """The middle of each picture's cloud: its sixteen numbers."""
    mean, _ = vae.encoder(pictures)
    return mean.numpy()


mean, log_variance = vae.encoder(digits.take(1000))
each = 0.5 * np.mean(np.exp(log_variance) + np.square(mean) - 1.0 - log_variance, axis=0)
order = np.argsort(each)[::-1]  # the most talkative first
figure, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
ax.bar(range(1, 17), each[order])
ax.set(xlabel="latents, sorted", ylabel="nats per picture", title="what each latent tells")
plt.show()
print(f"{np.sum(each > 0.1)} of 16 latents tell more than a tenth of a nat")

# %% [markdown]
# It uses nine. A latent that tells nothing costs nothing: the second wish switches off what is not
# needed.
#
# What does a latent mean? Take one digit, change one of its numbers, leave the other fifteen alone,
# and draw by `predict_latents`: the decoder, and a sigmoid for its logits.

# %%
kept = order[:8]
walks = np.repeat(describe(test_digits[3:4]), 8 * 21, axis=0)
for row, latent in enumerate(kept):
    walks[21 * row : 21 * row + 21, latent] = np.linspace(-3.0, 3.0, 21)
frames = np.asarray(vae.predict_latents(walks))
some = [21 * row + column for row in range(3) for column in range(0, 21, 2)]
figure, ax = plt.subplots(figsize=(10, 3), layout="constrained")
title = "each row: one latent from -3 to +3, fifteen fixed"
ki.plotting.plot_images(frames[some], 11, title, ax=ax)
plt.show()

# %% [markdown]
# What moves is the whole stroke. But a latent has no *meaning* of its own, such as slant or width:
# nothing in the loss asks for that.
#
# Run the next cell in Jupyter, and move the sliders, among 168 pictures drawn in advance.


# %%
class Sliders(HTML):
    """A page with sliders; where none can be shown, a sentence."""

    def __repr__(self):
        return "(Two sliders, where this cell is run in Jupyter. The rows above are a part of it.)"


ki.plotting.save_grid("walks.png", frames, columns=21, padding=0)
sheet = base64.b64encode(Path("walks.png").read_bytes()).decode()
Sliders(f"""<div oninput="
  const [which, value] = this.querySelectorAll('input'), picture = this.lastElementChild;
  picture.style.backgroundPosition = `${{-224 * value.value}}px ${{-224 * which.value}}px`;
  this.querySelector('output').value =
    `latent ${{+which.value + 1}} is ${{(value.value * 0.3 - 3).toFixed(1)}}`;">
  which latent <input type="range" min="0" max="7" value="0">
  its value <input type="range" min="0" max="20" value="10"> <output>latent 1 is 0.0</output>
  <div style="width:224px; height:224px; image-rendering:pixelated; background:
    url(data:image/png;base64,{sheet}) -2240px 0 / {21 * 224}px {8 * 224}px"></div></div>""")

# %% [markdown]
# Now from one digit to another. In the upper row pixels are mixed, in the lower row descriptions.

# %%
pair = test_digits[[3, 9]]
ends = describe(pair)
shares = np.linspace(0.0, 1.0, 10, dtype="float32")
pixels = (1 - shares)[:, None, None, None] * pair[0] + shares[:, None, None, None] * pair[1]
mixed = np.asarray(vae.predict_latents((1 - shares)[:, None] * ends[0] + shares[:, None] * ends[1]))
figure, axes = plt.subplots(2, 1, figsize=(9, 2.4), layout="constrained")
ki.plotting.plot_images(pixels, 10, "pixels mixed: a double exposure", ax=axes[0])
ki.plotting.plot_images(mixed, 10, "descriptions mixed", ax=axes[1])
plt.show()

# %% [markdown]
# Below there is one stroke all the way, and it changes its shape. Halfway it may be a third digit,
# or none.

# %% [markdown]
# ## 7. A digit in three bytes
#
# 25 bits are about three bytes. Take this literally: keep the eight latents that tell most, each
# rounded to one of eight levels, one for each eighth of the normal distribution, and set the others
# to 0; what the ninth told is lost. Eight numbers of 3 bits are 24 bits.

# %%
LEVELS = np.array([NormalDist().inv_cdf((k + 0.5) / 8) for k in range(8)])
BORDERS = np.array([NormalDist().inv_cdf(k / 8) for k in range(1, 8)])  # between two levels


def levels_of(pictures):
    """The levels of each picture's eight latents, 0 to 7."""
    return np.digitize(describe(pictures)[:, kept], BORDERS)


def to_bytes(levels):
    """Three bytes for each eight levels: a number of eight digits in base 8."""
    return [int("".join(map(str, row)), base=8).to_bytes(3, "big") for row in levels]


def from_bytes(codes):
    """The picture for each three bytes."""
    levels = [[int(digit) for digit in f"{int.from_bytes(code, 'big'):08o}"] for code in codes]
    latents = np.zeros((len(codes), 16), "float32")
    latents[:, kept] = LEVELS[levels]
    return np.asarray(vae.predict_latents(latents))


codes = to_bytes(levels_of(test_digits))
print("the bytes of a 3:", codes[3].hex(" "))
names = [b"Ada", b"Eva", b"Leo", b"Max", b"Mei", b"Tom", b"Uma", b"Zoe"]
figure, ax = plt.subplots(figsize=(9, 1.6), layout="constrained")
title = "drawn from the letters Ada, Eva, Leo, Max, Mei, Tom, Uma, Zoe"
ki.plotting.plot_images(from_bytes(names), 8, title, ax=ax)
plt.show()

# %% [markdown]
# Write your own into `names`: three letters without accents each. Most draw something that can be
# read: with these levels any three bytes are as probable as any others.
#
# Is a network needed for this? The simplest rival is **principal component analysis** (PCA): the 16
# directions in which the training digits differ most. Its encoder and its decoder are one matrix
# each. Round its numbers in the same way, and also to twelve numbers of 2 bits, which suit it
# better. A classifier, `DigitFeatures`, reads what comes back. (Equal pictures are given 100 dB.)

# %%
flat = digits.take(digits.num_pictures).reshape(-1, 784)
center = flat.mean(axis=0)
variances, directions = np.linalg.eigh(np.cov(flat.T))  # the greatest last
spread, directions = np.sqrt(variances[:-17:-1]), directions[:, :-17:-1].T
numbers = (test_digits.reshape(-1, 784) - center) @ directions.T / spread  # each with variance 1


def pca_draw(numbers):
    """The pictures of the first few PCA numbers; the others are 0."""
    count = numbers.shape[1]
    drawn = numbers * spread[:count] @ directions[:count] + center
    return np.clip(drawn, 0.0, 1.0).reshape(-1, 28, 28, 1).astype("float32")


reader = ki.metrics.DigitFeatures()
quarters = BORDERS[::2][np.digitize(numbers[:, :12], BORDERS[1::2])]  # four levels
drawn = {
    "the test digits": test_digits,
    "their mean picture": mean_picture,
    "PCA, 16 numbers": pca_draw(numbers),
    "VAE, 16 numbers": vae.reconstruct(test_digits),
    "PCA, 8 x 3 bits": pca_draw(LEVELS[np.digitize(numbers[:, :8], BORDERS)]),
    "PCA, 12 x 2 bits": pca_draw(quarters),
    "VAE, 8 x 3 bits": from_bytes(codes),
}
for name, pictures in drawn.items():
    psnr = float(np.mean(ki.metrics.psnr(test_digits, pictures)))
    read = np.mean(reader.labels(pictures) == test_labels)
    print(f"{name:18}  PSNR {psnr:5.1f} dB   {read:4.0%} read as the true digit")

rows = (test_digits, drawn["VAE, 8 x 3 bits"], drawn["PCA, 12 x 2 bits"])
greyness = np.sum(rows[1] * (1 - rows[1]), axis=(1, 2, 3)) / np.sum(rows[1], axis=(1, 2, 3))
misread = np.flatnonzero(reader.labels(rows[1]) != test_labels)
ten = [*range(9), misread[np.argmin(greyness[misread])]]  # the last: the clearest of the misread
figure, axes = plt.subplots(3, 1, figsize=(10, 4), layout="constrained")
titles = ("unseen digits, and their three bytes", "VAE: from three bytes", "PCA: from three bytes")
for ax, title, pictures in zip(axes, titles, rows, strict=True):
    ki.plotting.plot_images(pictures[ten], 10, title, ax=ax)
for place, code in enumerate(codes[k] for k in ten):
    axes[0].text(30 * place + 13.5, 30, code.hex(" "), ha="center", va="top", family="monospace")
plt.show()

# %% [markdown]
# With sixteen exact numbers both are read equally well, though the VAE is 1.6 dB ahead. Its three
# bytes reach the 16.3 dB of PCA's sixteen numbers. From three bytes PCA loses more than a third of
# the digits, the VAE less than half as many: it was trained to be short. To be fair, whoever
# receives the bytes needs the decoder, too; and a digit that came back as another one may look as
# clean as the rest, like the last of these ten.
#
# Here is the film of the beginning. (Where it does not play, see the top.)

# %% tags=["cover"]
start = levels_of(test_digits[3:4])[0]
turns = [start] * 3
for knob in range(KNOBS):  # each one up, down, and back
    for level in [*range(start[knob], 8), *range(6, -1, -1), *range(1, start[knob] + 1)]:
        turns.append(np.where(np.arange(8) == knob, level, start))
turned = to_bytes(turns)
pictures = from_bytes(turned)

figure, (left, desk, right) = plt.subplots(1, 3, figsize=(6.4, 2.4), width_ratios=(1, 1.3, 1))
figure.subplots_adjust(0.01, 0.22, 0.99, 0.88, wspace=0.22)
left.imshow(test_digits[3], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
shown = right.imshow(pictures[0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
for ax, title in ((left, "an unseen digit"), (right, "drawn from the bytes")):
    ax.set_axis_off()
    ax.set_title(title, fontsize=10)
desk.vlines(range(1, 9), 0, 7, color="lightgrey", linewidth=3)
(knobs,) = desk.plot(range(1, 9), start, "ks", markersize=10)
desk.set(xlabel="latent", ylabel="level", xticks=range(1, 9), yticks=(0, 7), ylim=(-0.6, 7.6))


def turn(i):
    """Draw the film's frame i."""
    knobs.set_ydata(turns[i])
    shown.set_data(pictures[i])
    desk.set_title(f"bytes {turned[i].hex(' ')}", family="monospace", fontsize=10)


FuncAnimation(figure, turn, frames=len(turns)).save("film.gif", writer="pillow", fps=4)
plt.close(figure)
Image("film.gif", alt="A film: three of eight knobs are turned, and a drawn digit changes")

# %% [markdown]
# ## 8. A map of all digits
#
# With two latents instead of sixteen, the whole space fits on a sheet of paper. Put each test digit
# where the encoder puts it, coloured by its label, which no network was told. Beside it, let the
# decoder draw at a grid of places. Both panels are stretched so that all places are equally
# probable under the normal distribution.
#
# With two latents a training may get stuck: KL has its full price before the decoder has learned to
# use a description, and the encoder falls silent for good. So KL costs a tenth in the first two
# epochs (papers: **KL annealing**). *Guess: which digits will be neighbours?* **About
# 100 seconds.**

# %%
map_vae = make_vae(latent_dim=2, kl_weight=0.1)
map_vae.fit(digits, epochs=2, verbose=0)
map_vae.kl_weight = 1.0
map_vae.compile(keras.optimizers.Adam(2e-3), loss="bernoulli")  # to use the new price
map_vae.fit(digits, epochs=MAP_EPOCHS, verbose=0)
lines = [NormalDist().inv_cdf((k + 0.5) / 16) for k in range(16)]
grid = np.array([(right, up) for up in reversed(lines) for right in lines], "float32")
drawn_map = ki.plotting.image_grid(np.asarray(map_vae.predict_latents(grid)), 16, padding=0)
positions = np.asarray(map_vae.encoder(test_digits)[0])

# %%
stretch = np.vectorize(NormalDist().cdf)
figure, (dots, canvas) = plt.subplots(1, 2, figsize=(12, 6.4), layout="constrained")
for label in range(10):
    points, colour = stretch(positions[test_labels == label]), f"C{label}"
    dots.scatter(*points.T, s=16, color=colour, linewidth=0)
    gaps = np.linalg.norm(points[:, None] - points, axis=-1)
    middle = points[np.argmin(gaps.sum(axis=1))].clip(0.04, 0.96)  # the nearest to all others
    outline = [withStroke(linewidth=5, foreground="white")]
    style = {"fontsize": 28, "weight": "bold", "ha": "center", "va": "center"}
    dots.text(*middle, label, color=colour, path_effects=outline, zorder=3, **style)
canvas.imshow(drawn_map, cmap="gray", vmin=0, vmax=1, extent=(0, 1, 0, 1))
ticks = np.array([-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5])
for ax, title in ((dots, "1,000 test digits, coloured by label"), (canvas, "what is drawn there")):
    ax.set(xlabel="first latent", ylabel="second latent", xlim=(0, 1), ylim=(0, 1), aspect=1)
    ax.set_xticks(stretch(ticks), ticks)
    ax.set_yticks(stretch(ticks), ticks)
    ax.set_title(title)
plt.show()


def alike(points):
    """Of the ten nearest neighbours on a map, the share with the same label."""
    gaps = np.linalg.norm(points[:, None] - points, axis=-1)
    nearest = np.argsort(gaps, axis=1)[:, 1:11]
    return np.mean(test_labels[nearest] == test_labels[:, None])


print(f"ten nearest neighbours with the same label: {alike(positions):.0%} on this map,")
print(f"{alike(numbers[:, :2]):.0%} on a map by the first two numbers of PCA, 10% by chance")

# %% [markdown]
# Most digits have a country of their own, and what the decoder draws there mostly belongs to it.
# Nobody gave the labels: clouds that overlap must share a drawing, so similar pictures move
# together. Two numbers are few: 3, 5 and 8 are neighbours, 4 and 9 are mixed, and a clear 4 is
# drawn nowhere.

# %% [markdown]
# ## 9. Breaking it: one wish too loud
#
# The weight $\beta$ of the second wish was 1. *Guess: what do pictures that come back and new
# samples look like for $\beta = 0$, and for $\beta = 20$?*
#
# Three trainings of equal length. **About 60 seconds.**


# %%
models = {}
for kl_weight in (0, 1, 20):
    models[kl_weight] = make_vae(latent_dim=16, kl_weight=kl_weight)
    models[kl_weight].fit(digits, epochs=BREAK_EPOCHS, verbose=0)

figure, axes = plt.subplots(3, 2, figsize=(11, 3.1), layout="constrained")
for row, (beta, model) in zip(axes, models.items(), strict=True):
    logs = model.evaluate(test_digits, verbose=0, return_dict=True)
    mean, log_variance = model.encoder(test_digits)
    print(
        f"beta {beta:2}:  reconstruction {logs['reconstruction_loss']:5.1f} nats   "
        f"KL {logs['kl_loss']:5.1f} nats   middles spread by {np.std(mean):.2f}   "
        f"clouds {np.mean(np.exp(log_variance / 2)):.2f} wide"
    )
    returned = model.predict(test_digits[:8], verbose=0)[0]  # from random points of the clouds
    drawn = model.sample(8, seed=3)
    ki.plotting.plot_images(returned, 8, f"brought back, beta = {beta}", ax=row[0])
    ki.plotting.plot_images(drawn, 8, f"new samples, beta = {beta}", ax=row[1])
plt.show()

# %% [markdown]
# **$\beta = 0$: no samples.** What comes back can be read: its 406 nats cost nothing. But the
# middles lie far out, and the clouds have shrunk to points. Random numbers near the origin fall
# between them, and the decoder draws what it was never asked to draw. This is a plain
# **autoencoder**.
#
# **$\beta = 20$: no detail.** A nat of description now costs 20, and none is worth that. KL is
# nearly 0: every cloud is the standard normal distribution. The decoder learns nothing about the
# picture and draws what is best without knowing: the mean picture, for the 205 nats of section 2.
# This is called **posterior collapse**.

# %% [markdown]
# ## What to remember
#
# 1. The encoder answers with a cloud, the decoder draws from a random point in it: neighbours must
#    share a drawing.
# 2. The loss is a reconstruction, summed over pixels, plus a KL divergence, summed over latents:
#    both in nats, one value per picture.
# 3. KL is the price of a description. Latents that do not pay are switched off, and three bytes are
#    enough for most digits, of which a linear method loses more than a third.
# 4. Random numbers decode to new pictures only because training kept the clouds together.
# 5. Too little KL: a describer that cannot invent. Too much: a mean picture.

# %% [markdown]
# ## You should see / if not
#
# Measured with three values of `SEED`, on two CPU cores:
#
# - **Section 2**: 543.4 and 205.2 nats. *If not*: they do not depend on `SEED`. Was the test set
#   changed?
# - **Section 5**: 116 to 128 nats, of which 14 to 17 (20 to 25 bits) for the description;
#   more than half of the generated digits can be read. *If not*, above 150: train for more epochs.
# - **Section 7**: from three bytes 15.9 to 16.6 dB, and 82 to 86 % read as the true digit. PCA does
#   not depend on `SEED`: 63 %, or 88 % from sixteen numbers, with which the VAE has 86 to 90 %.
# - **Section 8**: each map lies in its own way, but 0 and 1 are far apart and 4 and 9 mixed; 59 to
#   63 % of the neighbours have the same label. *If not*, and all places look alike: train longer at
#   the lower price.
# - **Section 9**: middles spread by 3.6 to 6.1 for $\beta = 0$ and by about 0.8 for 1; for
#   $\beta = 20$ a KL of nearly 0 and 205 to 207 nats. *If not*, and $\beta = 0$ draws digits: train
#   it longer, and the middles move apart.
#
# With a graphics card, take all of MNIST (`ki.load("mnist")`, which is downloaded once), 64 filters
# and 60 epochs.
#
# ## Read on
#
# **In papers this is called.** The *encoder* is also the recognition model or inference network,
# the *decoder* the generative model; the *cloud* is the approximate posterior, the *standard normal
# distribution* the prior, a *description* a code. The *wishes* are the reconstruction term and the
# KL regulariser. Latents *switched off* are inactive units, *walks* are latent traversals and
# interpolations, the *map* is the latent space or the learned manifold.
#
# - D. P. Kingma and M. Welling, *Auto-Encoding Variational Bayes*, 2014, [arXiv
#   1312.6114](https://arxiv.org/abs/1312.6114): both terms, and the trick, on nine pages.
# - C. Doersch, *Tutorial on Variational Autoencoders*, 2016, [arXiv
#   1606.05908](https://arxiv.org/abs/1606.05908): the same, slowly and with pictures.
# - G. Loaiza-Ganem and J. Cunningham, *The continuous Bernoulli: fixing a pervasive error in
#   variational autoencoders*, 2019, [arXiv 1907.06845](https://arxiv.org/abs/1907.06845): a
#   likelihood of grey pixels.
# - I. Higgins and others, *beta-VAE*, 2017,
#   [OpenReview](https://openreview.net/forum?id=Sy2fzU9gl): what a weight above 1 can be good for.
# - S. Bowman and others, *Generating Sentences from a Continuous Space*, 2016, [arXiv
#   1511.06349](https://arxiv.org/abs/1511.06349): posterior collapse, and a cure for it.
#
# The digits are from MNIST (Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0).

# %% [markdown]
# ## Exercises
#
# Replace each `...` and run the cell, then the check below it.
#
# ### Exercise 1: the price of a description
#
# Write the KL divergence of section 3 in NumPy, for `mean` and `log_variance` of shape
# `(pictures, latents)`. One value per picture.


# %% tags=["exercise"]
def my_kl(mean, log_variance):
    """The KL divergence of each picture's cloud, in nats."""
    return ...


# %% tags=["solution"]
def my_kl(mean, log_variance):  # noqa: F811
    """The KL divergence of each picture's cloud, in nats."""
    return 0.5 * np.sum(np.exp(log_variance) + mean**2 - 1.0 - log_variance, axis=1)


# %% tags=["check"]
clouds = (
    np.array([[0.0, 0.0], [1.0, 2.0], [0.0, 1.0]]),
    np.log([[1.0, 1.0], [1.0, 1.0], [0.25, 2.0]]),
)
found, expected = my_kl(*clouds), np.asarray(ki.losses.kl_divergence(*clouds))
assert np.shape(found) == (3,), (
    f"my_kl should return one value per picture, here 3. It returned {found!r}. "
    "Hint: np.sum(..., axis=1) adds over the latents."
)
assert abs(found[0]) < 1e-6, (
    f"A cloud with mean 0 and variance 1 costs nothing. Yours costs {found[0]:.3f}. "
    "Hint: the variance is np.exp(log_variance), so it is 1 here, and 1 is subtracted."
)
assert abs(found[1] - 2.5) < 1e-6, (
    f"For the means 1 and 2 and variances 1, KL is (1 + 4) / 2 = 2.5. Yours is {found[1]:.3f}. "
    "Hint: a sum over latents, not a mean, and one half of it."
)
assert np.allclose(found, expected, atol=1e-5), (
    f"For the variances 0.25 and 2, KL is {expected[2]:.3f}. Yours is {found[2]:.3f}. "
    "Hint: the variance itself is np.exp(log_variance), and is added; its logarithm is subtracted."
)
print("Right: mean 0 and variance 1 are free, everything else has a price.")

# %% [markdown]
# ### Exercise 2: halfway
#
# Write `halfway`: for each pair of pictures, the drawing that belongs to the mean of their two
# descriptions. You have `describe` from section 6 and `vae.predict_latents`.
#
# *First predict*: the mean of two digits' **pixels**, or the drawing from the mean of their
# **descriptions**, which is nearer to a real digit? (Measured to the nearest training digit, in the
# 64 features that `reader` computes.)


# %% tags=["exercise"]
nearer = ...  # "pixels" or "descriptions"


def halfway(first, second):
    """One picture for each pair: halfway between the two descriptions."""
    return ...


# %% tags=["solution"]
nearer = "descriptions"  # the decoder has learned to draw strokes, not double exposures


def halfway(first, second):  # noqa: F811
    """One picture for each pair: halfway between the two descriptions."""
    return np.asarray(vae.predict_latents((describe(first) + describe(second)) / 2))


# %% tags=["check"]
pairs = test_digits[:500], test_digits[500:]
found = halfway(*pairs)
assert getattr(found, "shape", None) == (500, 28, 28, 1), (
    "halfway should return one picture for each of the 500 pairs, shape (500, 28, 28, 1). It "
    f"returned {getattr(found, 'shape', found)!r}. Hint: describe, average, vae.predict_latents."
)
mixed = np.asarray(vae.predict_latents((describe(pairs[0]) + describe(pairs[1])) / 2))
assert np.allclose(found, mixed, atol=1e-4), (
    "These are not the drawings of the mean descriptions. Hint: mix what describe(first) and "
    "describe(second) return, not the pictures, and draw with vae.predict_latents, not vae.decoder."
)
real, far = reader(digits.take(digits.num_pictures)), []
for name, batch in (("pixels", sum(pairs) / 2), ("descriptions", found), ("digits", pairs[0])):
    here = reader(batch)
    squares = np.sum(here**2, axis=1)[:, None] + np.sum(real**2, axis=1) - 2 * here @ real.T
    far.append(f"{name} {np.median(np.sqrt(squares.min(axis=1).clip(0))):.1f}")
measured = f"Median distances to the nearest training digit: {', '.join(far)}."
assert nearer in ("pixels", "descriptions"), f'"pixels" or "descriptions"? Found {nearer!r}.'
assert nearer == "descriptions", (
    f"You say {nearer!r}. {measured} "
    "Hint: how many digits are in a double exposure, and how many in a drawing of the decoder?"
)
print(f"Right. {measured} (The last are test digits themselves.)")
figure, axes = plt.subplots(4, 1, figsize=(9, 4.6), layout="constrained")
titles = ("one digit", "another", "halfway between their pixels", "halfway between descriptions")
for ax, title, batch in zip(axes, titles, (*pairs, sum(pairs) / 2, found), strict=True):
    ki.plotting.plot_images(batch[:10], 10, title, ax=ax)
plt.show()

# %% [markdown]
# ### Exercise 3: is this a digit at all?
#
# The loss is like a surprise: is it larger at pictures that do not belong? *And what does a black
# one cost?* Write `surprise`: for each picture $R + \mathrm{KL}$ in nats, with the drawing from the
# middle of its cloud. You have `vae.encoder`, which returns a pair, `vae.reconstruct`, which draws
# from the middle, and both formulas in `ki.losses`.


# %% tags=["exercise"]
def surprise(pictures):
    """R + KL of each picture, in nats."""
    return ...


# %% tags=["solution"]
def surprise(pictures):  # noqa: F811
    """R + KL of each picture, in nats."""
    mean, log_variance = vae.encoder(pictures)
    reconstruction = ki.losses.bernoulli_nll(pictures, vae.reconstruct(pictures))
    return np.asarray(reconstruction + ki.losses.kl_divergence(mean, log_variance))


# %% tags=["check"]
known = surprise(test_digits[:200])
assert np.shape(known) == (200,), (
    f"surprise should return one value per picture, here 200. It returned {known!r}. "
    "Hint: both functions of ki.losses already give one value per picture."
)
parts = {
    "R": ki.losses.bernoulli_nll(test_digits[:200], vae.reconstruct(test_digits[:200])),
    "KL": ki.losses.kl_divergence(*vae.encoder(test_digits[:200])),
}
means = ", ".join(f"{name} is {np.mean(values):.1f}" for name, values in parts.items())
assert np.allclose(known, sum(parts.values()), rtol=1e-3), (
    f"On average {means}. Your sum is {np.mean(known):.1f} nats. "
    "Hint: R compares pictures with their reconstructions; KL takes both answers of the encoder."
)
others = {
    "digits upside down": test_digits[:200, ::-1, ::-1],
    "digits mirrored": test_digits[:200, :, ::-1],
    "digits in pieces": np.roll(test_digits[:200], 14, axis=2),
    "a black picture": np.zeros_like(test_digits[:1]),
}
limit = np.quantile(known, 0.95)
print(f"Right. Digits cost {np.mean(known):.1f} nats on average, 95 % less than {limit:.1f}.")
for name, pictures in others.items():
    costs = surprise(pictures)
    print(f"{name:19} {np.mean(costs):6.1f} nats, {np.mean(costs > limit):4.0%} above that limit")
print("What is simple is cheap, digit or not.")
