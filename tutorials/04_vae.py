# %% [markdown]
# # 04 · VAE: a picture in sixteen numbers
#
# **You will be able to**
#
# - explain why an encoder should answer with a cloud and not with a point;
# - write both terms of a VAE's loss, check them in numbers, and say what a nat is;
# - read the library's `call` and `compute_loss` beside the formulas;
# - walk through a space of descriptions, and draw new pictures from it;
# - predict what happens when one of the two terms is too strong.
#
# **You need** tutorial [01](01_generation_and_restoration.ipynb). Tutorial 02 helps to compare.
#
# **Time** on two CPU cores: 3 minutes of computing, 60 minutes with reading and exercises.

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
    tell = lambda shell, kind, error, trace, tb_offset=None: print(f"Not yet: {error}")  # noqa: E731
    get_ipython().set_custom_exc((AssertionError,), tell)  # noqa: F821

# %% [markdown]
# ## How can a picture become sixteen numbers and come back?
#
# A handwritten digit is 784 numbers. Below, each digit of the first row was turned into the sixteen
# numbers that the second row shows as shades of grey. From these sixteen alone the third row was
# drawn.
#
# ![Digits, sixteen numbers for each, and the digits drawn again from them](attachment:cover)
#
# How short is that? It will be measured: what the sixteen numbers say is about 17 nats, or 25 bits.
# *A handwritten digit in three bytes.* A description that short cannot hold pixels. It must hold
# something like "a 3, narrow, leaning to the right, thick pen". Nobody will tell the network what
# to describe. *Guess: could you also invent sixteen numbers yourself, and get a digit that nobody
# wrote?*

# %% tags=["setup"]
import inspect
import os
from statistics import NormalDist

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import keras_imgen as ki

SEED = 0
EPOCHS = 20  # of the main training, with 16 latents
MAP_EPOCHS = 25  # of the training with 2 latents
BREAK_EPOCHS = 6  # of the two trainings that go wrong
NUM_DIGITS = None  # all 4,000
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # a quick test: its figures mean nothing
    EPOCHS = MAP_EPOCHS = BREAK_EPOCHS = 1
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
# The encoder does something odd: it returns two lists of 16 numbers. We come to that in section 3.

# %%
digits = ki.load("digits", batch_size=64, seed=SEED)  # 4,000 to learn from
if NUM_DIGITS is not None:
    digits = ki.load_arrays(digits.take(NUM_DIGITS), batch_size=64, seed=SEED)
test_digits = ki.load("digits", "test").take(1000)  # no model will learn from these


def make_vae(latent_dim, kl_weight=1.0):
    """A new VAE, ready to be trained."""
    vae = ki.VAE(
        ki.networks.vae_encoder((28, 28, 1), latent_dim=latent_dim, filters=32),
        ki.networks.vae_decoder((28, 28, 1), latent_dim=latent_dim, filters=32),
        kl_weight=kl_weight,
        seed=SEED,
    )
    vae.compile(keras.optimizers.Adam(2e-3), loss="bernoulli")
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
# - $R$: the **reconstruction loss** of one picture, here a binary **cross-entropy**;
# - $x_i$, $\hat{x}_i$: the $i$-th of the 784 pixels, true and drawn;
# - a grey pixel counts as a share of white, so even a perfect copy of a picture with grey costs
#   something;
# - $\log$: the natural logarithm. A surprise in natural logarithms is measured in **nats**. One nat
#   is 1.44 bits.
#
# Check it: a drawing that says "half" everywhere costs $\log 2 = 0.693$ nats for each pixel,
# whatever the picture is. That makes $784 \times 0.693 = 543$ nats. The best single drawing for all
# digits is their mean, and costs less.

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
# of latents, far from all others. Between those points the decoder would never have been asked for
# anything. Numbers that you invent would fall between the points, and the drawing would be rubbish.
#
# So a VAE does two things.
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
# with respect to $\mu$ is simply 1, and that with respect to $\sigma$ is $\varepsilon$. Learning
# can pass through.
#
# **All clouds must stay near the origin**, together as wide as one standard normal distribution.
# The price for a cloud that lies elsewhere is its **Kullback-Leibler divergence**,
#
# $$\mathrm{KL} = \frac{1}{2} \sum_j \left( \sigma_j^2 + \mu_j^2 - 1 - \log \sigma_j^2 \right)$$
#
# where $j$ counts the 16 latents. It is 0 only for $\mu = 0$ and $\sigma = 1$, for a cloud that
# says nothing about the picture. *Every nat that a description carries has to be paid for.*
#
# Check all of it. By definition KL is the mean of $\log q(z) - \log p(z)$ over points of the cloud,
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
# with $\beta$, in the library `kl_weight`, equal to 1. For $\beta = 1$ it has a meaning that goes
# beyond this network: on average it is an upper bound of $-\log p(x)$, the surprise at the picture
# $x$ of somebody who draws latents at random and lets the decoder draw.
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
# One thing is not as clean as it looks. $-R$ is the logarithm of a probability for pictures of
# black and white alone. Of the grey pixels at the edges of these digits it is a cross-entropy and
# no likelihood: a perfect copy would still cost something. For these digits $L$ is a good loss and
# not a bound. (What would be one: Loaiza-Ganem and Cunningham, below.)

# %% [markdown]
# ## 4. One step of the training
#
# A VAE needs no special step: one loss, one optimizer, so Keras's own `train_step` will do. The
# library says what the parts are, and what the loss is.

# %%
print(inspect.getsource(ki.VAE.call))
print(inspect.getsource(ki.VAE.compute_loss))

# %% [markdown]
# - `mean, log_variance = self.encoder(...)`: the cloud, $\mu$ and $\log \sigma^2$.
# - `noise` is $\varepsilon$, `ops.exp(0.5 * log_variance)` is $\sigma$, and `latents` the random
#   point $z$. In training the noise is new each time. When the model is evaluated, it is drawn from
#   the same seed every time, so that two results can be compared.
# - `self.decoder(latents)`: the drawing $\hat{x}$, as **logits**: any numbers, of which a sigmoid
#   makes probabilities.
# - `reconstruction`: $R$, one value per picture, *summed* over the pixels. With a mean in its place
#   the first wish would weigh 784 times less, and KL would win. This is a frequent mistake.
# - `kl`: the formula above, summed over the latents. The last line adds the two.
# - The `update_state` lines keep both parts for the logs. `penalty` is 0 here: it is for layers
#   that punish large weights.
#
# Check that the parts in the logs add up to the loss. KL is still 0, since an encoder that has
# learned nothing says nothing, and the sum is that of "half everywhere":

# %%
logs = vae.evaluate(test_digits, verbose=0, return_dict=True)
print({name: round(value, 2) for name, value in logs.items()})
print(f"reconstruction + KL = {logs['reconstruction_loss'] + logs['kl_loss']:.2f}")

# %% [markdown]
# ## 5. Training
#
# **About 65 seconds.** After each epoch (one pass through the digits) the picture shows what the
# decoder draws from 40 lists of 16 random numbers, always the same ones.

# %%
history = vae.fit(
    digits,
    epochs=EPOCHS,
    validation_data=test_digits,
    callbacks=[ki.callbacks.SampleGrid(n=40, columns=10)],
    verbose=0,
)

# %%
ki.plotting.plot_history(history)

# %% [markdown]
# So yes, you could invent sixteen numbers yourself: any normal random numbers will do, most of the
# time. Compared with the GAN's digits these are softer, like strokes of a wet brush. The sixteen
# numbers leave open how exactly a stroke runs, and the decoder draws the average of what is open.
#
# While the reconstruction loss falls, KL *rises*: the encoder learns that it pays to say more.
# Their sum falls. The curve to watch is the validation loss: when it stops falling, the networks
# learn the training digits by heart.
#
# Here are the three rows that you saw at the beginning. Compare the first with the third, digit by
# digit: most come back, some as another digit. Sixteen numbers, learned from 4,000 examples, do not
# hold everything.


# %%
def describe(pictures):
    """The middle of each picture's cloud: its sixteen numbers."""
    mean, _ = vae.encoder(pictures)
    return mean.numpy()


def as_shades(latents):
    """Numbers as squares: black is -3, middle grey 0, white +3."""
    shades = np.clip(0.5 + latents / 6.0, 0.0, 1.0).reshape(-1, 4, 4, 1)
    return shades.repeat(7, axis=1).repeat(7, axis=2)


# %% tags=["cover"]
reconstructed = vae.reconstruct(test_digits)
rows = {
    "784 numbers each: unseen digits": test_digits,
    "16 numbers each: black -3, grey 0, white +3": as_shades(describe(test_digits)),
    "784 numbers again, drawn from the 16": reconstructed,
}
figure, axes = plt.subplots(3, 1, figsize=(7, 2.9), layout="constrained")
for ax, (title, pictures) in zip(axes, rows.items(), strict=True):
    ki.plotting.plot_images(pictures[:10], 10, title, ax=ax)
plt.show()

# %%
for name, pictures in (("the mean picture", mean_picture), ("drawn from 16", reconstructed)):
    print(f"{name:17} PSNR {float(np.mean(ki.metrics.psnr(test_digits, pictures))):.1f} dB")
final = vae.evaluate(test_digits, verbose=0, return_dict=True)
print(
    f"surprise at a test digit: {mean_cost:.1f} nats with the mean picture, "
    f"at most {final['loss']:.1f} with the VAE, {final['kl_loss']:.1f} of them for the description"
)

# %% [markdown]
# ## 6. What the numbers say
#
# Does it use all sixteen? KL is a sum over latents, so each one's share can be read off.

# %%
mean, log_variance = vae.encoder(test_digits)
each = 0.5 * np.mean(np.exp(log_variance) + np.square(mean) - 1.0 - log_variance, axis=0)
order = np.argsort(each)[::-1]  # the most talkative first
figure, ax = plt.subplots(figsize=(6, 2.4), layout="constrained")
ax.bar(range(1, 17), each[order])
ax.set(xlabel="latents, sorted", ylabel="nats per picture", title="what each latent tells")
plt.show()
print(f"{np.sum(each > 0.1)} of 16 latents tell more than a tenth of a nat")

# %% [markdown]
# A latent that tells nothing costs nothing: the second wish switches off what is not needed.
#
# To find out what a latent means, take one digit, change one of its numbers from -3 to +3, leave
# the other fifteen alone, and draw.

# %%
start = describe(test_digits[3:4])
walks = np.repeat(start, 30, axis=0)
for row, latent in enumerate(order[:3]):
    walks[10 * row : 10 * row + 10, latent] = np.linspace(-3.0, 3.0, 10)
ki.plotting.plot_images(
    np.asarray(vae.predict_latents(walks)), 10, "each row: one latent from -3 to +3, fifteen fixed"
)

# %% [markdown]
# Look at what moves: not a pixel here and there, but the whole stroke. Most of what lies on the way
# is a digit, too. But a latent does not have one *meaning*, such as slant or width: nothing in the
# loss asks for that.
#
# Now from one digit to another. In the upper row pixels are mixed, in the lower row descriptions.

# %%
pair = test_digits[[3, 9]]
ends = describe(pair)
shares = np.linspace(0.0, 1.0, 10, dtype="float32")
pixels = (1 - shares)[:, None, None, None] * pair[0] + shares[:, None, None, None] * pair[1]
mixed = (1 - shares)[:, None] * ends[0] + shares[:, None] * ends[1]
figure, axes = plt.subplots(2, 1, figsize=(7, 2), layout="constrained")
ki.plotting.plot_images(pixels, 10, "pixels mixed: a double exposure", ax=axes[0])
ki.plotting.plot_images(
    np.asarray(vae.predict_latents(mixed)),
    10,
    "descriptions mixed",
    ax=axes[1],
)
plt.show()

# %% [markdown]
# In the upper row two digits lie upon each other. In the lower row there is one stroke all the way,
# and it changes its shape. Halfway it may be a third digit, or none.

# %% [markdown]
# ## 7. A map of all digits
#
# With two latents instead of sixteen, the whole space fits on a sheet of paper. Lay a grid over it
# and draw the digit of each place. So that every place is equally probable, the lines of the grid
# are the quantiles of the normal distribution: between two lines lies a sixteenth of it.
#
# **About 65 seconds.**

# %%
map_vae = make_vae(latent_dim=2)
map_vae.fit(digits, epochs=MAP_EPOCHS, verbose=0)
lines = [NormalDist().inv_cdf(share) for share in np.linspace(1 / 16, 15 / 16, 15)]
places = np.array([(right, up) for up in reversed(lines) for right in lines], "float32")
drawn = np.asarray(map_vae.predict_latents(places))

figure, ax = plt.subplots(figsize=(5.4, 5.4), layout="constrained")
ax.imshow(ki.plotting.image_grid(drawn, 15, padding=0), cmap="gray", vmin=0, vmax=1)
ticks = 28 * np.arange(0, 15, 7) + 14
names = [f"{lines[i]:.1f}" for i in range(0, 15, 7)]
ax.set_xticks(ticks, names)
ax.set_yticks(ticks, names[::-1])
ax.set(xlabel="first latent", ylabel="second latent", title="two numbers, and what they draw")
plt.show()

# %% [markdown]
# Neighbours look alike, there is no gap, and nearly every digit has a country of its own. Nobody
# gave it the labels. It follows from the two wishes: clouds that overlap must be able to share a
# drawing, so similar pictures move together.

# %% [markdown]
# ## 8. Breaking it: one wish too loud
#
# The weight $\beta$ of the second wish was 1. *Guess before you run it: what do pictures that
# come back and new samples look like for $\beta = 0$, and for $\beta = 20$?*
#
# Three trainings of equal length. **About 45 seconds.**


# %%
models = {}
for kl_weight in (0, 1, 20):
    models[kl_weight] = make_vae(latent_dim=16, kl_weight=kl_weight)
    models[kl_weight].fit(digits, epochs=BREAK_EPOCHS, verbose=0)

figure, axes = plt.subplots(3, 2, figsize=(7.4, 2.7), layout="constrained")
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
# **$\beta = 0$: no samples.** What comes back can be read: nothing limits the
# description. But the middles lie far out, and the clouds have shrunk to points. Random numbers
# near the origin fall between the points, and the decoder draws what it was never asked to draw:
# faint and smeared. This is a plain **autoencoder**. It can describe, and cannot invent.
#
# **$\beta = 20$: no detail.** A nat of description now costs 20, and no description is worth that.
# KL is nearly 0: every cloud is the standard normal distribution, whatever the picture is. The
# decoder learns nothing about the picture and draws what is best without knowing: the mean picture,
# for the 205 nats of section 2. This is called **posterior collapse**. What it brings back and what
# it invents are the same.
#
# With $\beta = 1$ the two wishes are in the same currency, nats, and neither is too loud.

# %% [markdown]
# ## What to remember
#
# 1. The encoder answers with a cloud, the decoder draws from a random point in it: neighbours must
#    share a drawing.
# 2. The loss is a reconstruction, summed over pixels, plus a KL divergence, summed over latents:
#    both in nats, one value per picture.
# 3. KL is the price of a description. Latents that do not pay are switched off.
# 4. Random numbers decode to new pictures only because training kept the clouds together.
# 5. Too little KL: a describer that cannot invent. Too much: a mean picture. The blur of its
#    samples is the average of what the sixteen numbers leave open.

# %% [markdown]
# ## You should see / if not
#
# Measured with three values of `SEED`, on two CPU cores:
#
# - **Section 2**: 543.4 and 205.2 nats. *If not*: they do not depend on `SEED`. Was the test set
#   changed?
# - **Section 5**: digits that read in most places of the grid; 16.9 to 18.1 dB, and at most 115 to
#   123 nats, of which 15 to 17 for the description. *If not*, above 150: train for more epochs.
# - **Section 7**: a map without gaps, with many kinds of digits. *If not*, and all places look
#   alike: run the cell again with another `SEED`.
# - **Section 8**: middles spread by 2.6 to 5.5 for $\beta = 0$ and by about 0.8 for 1; for
#   $\beta = 20$ a KL of 0.1 at most and 205 to 207 nats, as much as the mean picture. *If not*, and
#   $\beta = 0$ draws digits: train it longer, and the middles move apart.
# - **Time**: within twice the seconds that are given. *If not*, other programs are running; the
#   figures stay valid.
#
# With a graphics card, take all of MNIST (`ki.load("mnist")`, which is downloaded once), 64 filters
# and 60 epochs.
#
# ## Read on
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
# Replace each `...` and run the cell, then the check below it. The check prints `Right`, or says
# what it found and gives a hint.
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
# descriptions. You have `describe` from section 5 and `vae.predict_latents`.
#
# *First predict*: the mean of two digits' **pixels**, or the drawing from the mean of their
# **descriptions**, which one has more pixels that are neither black nor white, say between 0.25 and
# 0.75?


# %% tags=["exercise"]
more_grey = ...  # "pixels" or "descriptions"


def halfway(first, second):
    """One picture for each pair: halfway between the two descriptions."""
    return ...


# %% tags=["solution"]
more_grey = "pixels"  # where only one of the two has ink, their mean is grey


def halfway(first, second):  # noqa: F811
    """One picture for each pair: halfway between the two descriptions."""
    return np.asarray(vae.predict_latents((describe(first) + describe(second)) / 2))


# %% tags=["check"]
pairs = test_digits[:100], test_digits[100:200]
found = halfway(*pairs)
assert getattr(found, "shape", None) == (100, 28, 28, 1), (
    "halfway should return one picture for each of the 100 pairs, shape (100, 28, 28, 1). It "
    f"returned {getattr(found, 'shape', found)!r}. Hint: describe, average, vae.predict_latents."
)
mixed = np.asarray(vae.predict_latents((describe(pairs[0]) + describe(pairs[1])) / 2))
assert np.allclose(found, mixed, atol=1e-4), (
    "These are not the drawings of the mean descriptions. Hint: mix what describe(first) and "
    "describe(second) return, not the pictures; their mean is the sum divided by 2."
)
grey = {
    name: float(np.mean((batch > 0.25) & (batch < 0.75)))
    for name, batch in (("pixels", (pairs[0] + pairs[1]) / 2), ("descriptions", found))
}
assert str(more_grey).lower() in grey, f'Say "pixels" or "descriptions". Found {more_grey!r}.'
assert str(more_grey).lower() == "pixels", (
    f"You say {more_grey!r}. Measured shares of grey pixels: "
    f"{', '.join(f'{name} {share:.0%}' for name, share in grey.items())}. "
    "Hint: where only one of the two digits has ink, what is the mean of black and white?"
)
print(
    f"Right: {grey['pixels']:.0%} of the mean pixels are grey, "
    f"{grey['descriptions']:.0%} of those drawn from the mean description."
)
figure, axes = plt.subplots(4, 1, figsize=(7, 3.8), layout="constrained")
titles = ("one digit", "another", "halfway between their pixels", "halfway between descriptions")
for ax, title, batch in zip(axes, titles, (*pairs, sum(pairs) / 2, found), strict=True):
    ki.plotting.plot_images(batch[:10], 10, title, ax=ax)
plt.show()

# %% [markdown]
# ### Exercise 3: is this a digit at all?
#
# The loss is a bound of the model's surprise at a picture. So it can tell pictures that do not
# belong. Write `surprise`: for each picture $R + \mathrm{KL}$ in nats, with the drawing from the
# middle of its cloud. (Training draws from a random point; for one picture the middle is steadier.)
# You have `vae.encoder`, `vae.reconstruct`, which draws from the middle, and both formulas in
# `ki.losses`.


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
cloud = vae.encoder(test_digits[:200])
parts = {
    "R": ki.losses.bernoulli_nll(test_digits[:200], vae.reconstruct(test_digits[:200])),
    "KL": ki.losses.kl_divergence(*cloud),
}
parts = {name: np.asarray(values) for name, values in parts.items()}
means = ", ".join(f"{name} is {np.mean(values):.1f}" for name, values in parts.items())
assert np.allclose(known - parts["R"], parts["KL"], rtol=0.01, atol=0.01), (
    f"On average {means}. Your sum is {np.mean(known):.1f} nats. "
    "Hint: ki.losses.bernoulli_nll(pictures, vae.reconstruct(pictures)) plus "
    "ki.losses.kl_divergence(mean, log_variance), both from the same pictures."
)
strangers = {
    "digits": test_digits[:200],
    "digits upside down": test_digits[:200, ::-1, ::-1],
    "digits mirrored": test_digits[:200, :, ::-1],
    "digits in pieces": np.roll(test_digits[:200], 14, axis=2),
}
print("Right. The mean surprise at digits, and at what are none:")
for name, pictures in strangers.items():
    print(f"{name:19} {np.mean(surprise(pictures)):6.1f} nats")
