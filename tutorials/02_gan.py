# %% [markdown]
# # 02 · GAN: two networks that only fight
#
# **You will be able to**
#
# - write down what each of the two networks minimises, and check it in numbers;
# - explain how a network that is never shown a digit learns to draw digits;
# - read the library's training step beside the algorithm of the paper;
# - tell a healthy contest from one that is lost, by two numbers.
#
# **You need** tutorial [01](01_generation_and_restoration.ipynb): pictures as arrays in [0, 1],
# `fit`.
#
# **Time** on two CPU cores: 3 minutes of computing, 45 minutes with reading and exercises.
#
# **In the textbook**: sections 3.1 and 4.1.

# %%
# Installs the package in Google Colab; everywhere else it does nothing.
import subprocess
import sys

if "google.colab" in sys.modules:
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "keras-imgen"], check=True)

# %% [markdown]
# ## How can two networks that only fight learn to draw?
#
# One network makes pictures. It is never shown a picture, only told how badly it did. Another
# network gives marks. All that it is ever shown are the first one's pictures, mixed with real ones.
# Neither is taught to draw, and yet:
#
# ![Pictures from the same random numbers, from before the training to its end](attachment:cover)
#
# Each column comes from the same random numbers. Before you read on, write down a guess: *what
# exactly does the first network get from the second, so that fog turns into a digit?* Section 5
# shows it to you.

# %% tags=["setup"]
import inspect
import os

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import keras_imgen as ki

SEED = 0
EPOCHS = 16  # of the main training
CONTEST_EPOCHS = 4  # of three short trainings, two of which go wrong
TOY_EPOCHS = 20  # of the discriminator that looks at single numbers
NUM_DIGITS = None  # all 4,000
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # for a quick test of this notebook
    EPOCHS, CONTEST_EPOCHS, NUM_DIGITS = 3, 1, 64

keras.utils.set_random_seed(SEED)  # the same first weights, and so the same pictures, every time

# %% [markdown]
# ## 1. The two players
#
# The **generator** $G$ takes a vector $z$ of 32 random numbers, the **latents**, and returns a
# picture $G(z)$. The latents are all it ever gets: no picture goes in.
#
# Inside, the latents are spread over a stack of small pictures of 4 x 4 pixels, and layers that
# double the sides enlarge them to 28 x 28. (These layers are transposed convolutions; tutorial 04
# explains what a convolution is. The recipe is known as DCGAN, and `filters` is its size.)
#
# The **discriminator** $D$ goes the other way, from 28 x 28 down to a number. It takes a picture
# $x$ and returns one number, the **score** $D(x)$. Above 0 it says "real", below 0 "made". A score
# of this kind, any number from minus to plus infinity, is called a **logit**. The **sigmoid** turns
# it into a probability:
#
# $$\sigma(s) = \frac{1}{1 + e^{-s}}$$
#
# where $s$ is a score and $\sigma(s)$ the probability, according to the discriminator, that the
# picture is real. ($e$ is Euler's number, and $\log$ below is the natural logarithm.)

# %%
digits = ki.load("digits", seed=SEED)  # real ones: 4,000, in batches of 32
if NUM_DIGITS is not None:
    digits = ki.load_arrays(digits.take(NUM_DIGITS), seed=SEED)
test_digits = ki.load("digits", "test").take(1000)  # real ones that neither player will see

generator = ki.networks.dcgan_generator((28, 28, 1), latent_dim=32, filters=32)
discriminator = ki.networks.dcgan_discriminator((28, 28, 1), filters=32, dropout=0.0)
for network in (generator, discriminator):
    print(
        f"{network.name:14} {network.input_shape} -> {network.output_shape}, "
        f"{network.count_params():,} numbers to learn"
    )

gan = ki.GAN(generator, discriminator, seed=SEED)
gan.compile(
    keras.optimizers.Adam(1e-3, beta_1=0.5),  # the generator's
    keras.optimizers.Adam(1e-3, beta_1=0.5),  # the discriminator's
)

# beta_1 = 0.5 gives Adam a short memory: what helped against yesterday's opponent is soon outdated.
latents = np.random.default_rng(SEED).standard_normal((10, 32)).astype("float32")
snapshots = {"before training": np.asarray(gan.predict_latents(latents))}
ki.plotting.plot_images(
    snapshots["before training"], 10, "before training: ten latents, ten times grey"
)

# %% [markdown]
# ## 2. What each of them wants
#
# Give the discriminator a real picture $x$ and a made one $G(z)$. Its loss is
#
# $$L_D = -\log \sigma(D(x)) \; - \; \log\bigl(1 - \sigma(D(G(z)))\bigr)$$
#
# - $L_D$: what the discriminator minimises;
# - $-\log \sigma(D(x))$: its surprise that a real picture is real. 0 if it was sure, large if it
#   was sure of the opposite;
# - $-\log(1 - \sigma(D(G(z))))$: its surprise that a made picture is made.
#
# The generator's loss is the surprise with the roles exchanged. It wants its picture to be taken
# for real:
#
# $$L_G = -\log \sigma(D(G(z)))$$
#
# Check both in numbers. A discriminator that knows nothing gives the score 0 to everything. Then
# both probabilities are 1/2, so $L_D$ must be $2 \log 2 = 1.386$ and $L_G$ must be
# $\log 2 = 0.693$.

# %%
loss = ki.losses.ADVERSARIAL["non_saturating"]  # the pair of formulas above
for text, real_score, fake_score in (
    ("knows nothing", 0.0, 0.0),
    ("rather sure", 2.0, -2.0),
    ("fooled", 2.0, 2.0),
):
    scores = np.array([real_score]), np.array([fake_score])
    d_loss, g_loss = loss.discriminator(*scores)[0], loss.generator(scores[1])[0]
    print(f"the discriminator {text:14}  L_D = {d_loss:.3f}   L_G = {g_loss:.3f}")

# %% [markdown]
# There is a choice in $L_G$ that you should see once. If the generator simply wanted the opposite
# of what the discriminator wants, it would minimise $\log(1 - \sigma(D(G(z))))$. That falls and
# rises together with $L_G$, so why not?
#
# What a network learns from is not the loss but its slope. With $s = D(G(z))$, the slopes are
#
# $$\frac{d}{ds}\,\log\bigl(1 - \sigma(s)\bigr) = -\sigma(s),
# \qquad \frac{d}{ds}\,\bigl(-\log \sigma(s)\bigr) = \sigma(s) - 1.$$
#
# Both are negative: raising the score lowers the loss. Their size says how hard the generator is
# pushed. Early in the training every made picture is easily told, $s$ is far below 0, and
# $\sigma(s)$ is nearly 0.

# %%
score = tf.Variable(np.linspace(-8.0, 8.0, 161))
with tf.GradientTape(persistent=True) as tape:
    opposite = tf.math.log(1.0 - tf.sigmoid(score))
    chosen = loss.generator(score)
slopes = {"opposite": tape.gradient(opposite, score), "chosen": tape.gradient(chosen, score)}
for name, slope in slopes.items():
    print(f"slope at a score of -6, {name:8}: {slope.numpy()[20]:.4f}")

figure, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
ax.plot(score, slopes["opposite"], "--")
ax.plot(score, slopes["chosen"])
ax.axvline(0, color="grey", linewidth=0.8)
ax.text(-8, -0.15, r"the opposite of $L_D$: flat, saturating")
ax.text(-8, -0.92, r"$L_G$: steep, non-saturating")
ax.set(xlabel="score of a made picture", ylabel="slope of the generator's loss")
plt.show()

# %% [markdown]
# The generator needs the strongest push while its pictures are easily told. There the first loss is
# flat: the generator hears nothing. It is called **saturating**. The second pushes with full
# strength, and is called **non-saturating**; this is the one that the paper recommends and that we
# use.

# %% [markdown]
# ## 3. A mark is a measurement
#
# "Real or made" sounds like one bit. It is much more, and this is the secret of the method.
#
# Take pictures of a single pixel. Let the real values be drawn from a normal distribution around
# $+1$, and the made ones from one around $-1$, both with standard deviation 1. Which score
# minimises $L_D$? At a value $x$, real ones arrive with density $p_\text{data}(x)$ and made ones
# with density $p_G(x)$. So the score $s$ that belongs to $x$ costs $-p_\text{data}(x) \log
# \sigma(s) - p_G(x) \log(1 - \sigma(s))$. The slope of this is 0 where $\sigma(s) =
# p_\text{data}(x) / (p_\text{data}(x) + p_G(x))$, and solved for the score:
#
# $$D^*(x) = \log \frac{p_\text{data}(x)}{p_G(x)}$$
#
# - $D^*$: the best possible discriminator (Proposition 1 of the paper, which writes it as the
#   probability $\sigma(D^*)$);
# - $p_\text{data}(x)$: the density of real pictures at $x$;
# - $p_G(x)$: the density of made ones.
#
# The density of a normal distribution around $\mu$ is proportional to $e^{-(x - \mu)^2 / 2}$.
# For our two normal distributions this is $-\frac{(x - 1)^2}{2} + \frac{(x + 1)^2}{2} = 2x$. So
# train the smallest discriminator there is, $D(x) = a x + b$, and look whether it finds $a = 2$ and
# $b = 0$.

# %%
rng = np.random.default_rng(SEED)
values = np.concatenate([rng.normal(1, 1, (4000, 1)), rng.normal(-1, 1, (4000, 1))])
is_real = np.repeat([1.0, 0.0], 4000)[:, None]

straight = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
# Keras's cross-entropy is L_D: -log sigma(s) for real ones, -log(1 - sigma(s)) for made ones.
straight.compile(keras.optimizers.Adam(0.1), keras.losses.BinaryCrossentropy(from_logits=True))
straight.fit(values, is_real, epochs=TOY_EPOCHS, batch_size=1000, verbose=0)
a, b = (float(weight.numpy().item()) for weight in straight.weights)
print(f"D(x) = {a:.2f} x + {b:.2f}")

# %% [markdown]
# The discriminator was only ever told "real" and "made", and became a measuring instrument: it says
# by how much more often a value occurs among the real ones.
#
# And it does more: it points the way. The slope of the score at a made value is $a$, about $+2$. It
# tells the generator: *make this value larger, and I will like it better*. With 784 pixels there
# are 784 such slopes, one for each. That is what the generator gets. It gets no picture but an
# instruction for every pixel of its own.

# %% [markdown]
# ## 4. One step of the training
#
# Here is the library's own code, as it will run in a minute.

# %%
print(inspect.getsource(ki.GAN.train_step))

# %% [markdown]
# The paper's Algorithm 1 has four lines, for every batch:
#
# 1. draw real pictures $x$ and latents $z$;
# 2. move the discriminator's weights a step down the slope of $L_D$;
# 3. draw new latents $z$;
# 4. move the generator's weights a step down the slope of $L_G$.
#
# Find them in the code:
#
# - `real` is the batch, $x$ in the formulas, and `formulas` is the pair of losses from section 2.
# - `discriminator_loss`: `_latents` draws $z$, the generator makes pictures, both kinds get their
#   scores, and the first formula turns scores into one value per picture. `ops.mean` averages them.
# - `generator_loss`: *new* latents, new pictures, and the second formula. No real picture appears
#   in it. All that the generator learns comes through `self.discriminator(fake)`.
# - The first `minimize` moves `self.discriminator.trainable_variables` and nothing else, the second
#   one the generator's. This is the whole fight: two losses, and each player may move only its own
#   weights. `minimize` computes the slopes and hands them to the optimizer.
# - `_follow_generator` keeps a slow **moving average** of the generator's weights. A generator that
#   fights sways; its average is steadier, and `sample` and `predict_latents` use it.
# - The rest is housekeeping. `training=True` tells layers that behave differently in training that
#   this is training; `more_than_one` refuses batches of a single picture, with which some of them
#   cannot work; the penalty and the sums are 0 here; the trackers keep the logs. `_in_turn` simply
#   calls `generator_step` here: the paper allows several steps of the discriminator before it.
#
# If the discriminator could also move the generator's weights, it would win by making the
# generator worse. Check that it cannot, nor the other way round: the two lists of weights have
# nothing in common.

# %%
players = gan.generator.trainable_variables, gan.discriminator.trainable_variables
shared = {id(v) for v in players[0]} & {id(v) for v in players[1]}
print(f"weights: {len(players[0])} arrays, {len(players[1])} arrays; shared: {len(shared)}")

# %% [markdown]
# ## 5. What the generator hears
#
# Two epochs (passes through all digits) are enough for a first look. **About 10 seconds.**

# %%
gan.fit(digits, epochs=1, verbose=0)
snapshots["after one epoch"] = fogs = np.asarray(gan.predict_latents(latents))
gan.fit(digits, initial_epoch=1, epochs=2, verbose=0)


def score_and_slopes(discriminator, pictures):
    """The scores of pictures, and the slope of each score with respect to every pixel."""
    pictures = tf.convert_to_tensor(pictures)
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        scores = discriminator(pictures, training=False)
    return scores.numpy()[:, 0], tape.gradient(scores, pictures).numpy()


scores, slopes = score_and_slopes(discriminator, fogs)
print("scores of the fogs:", np.round(scores, 1))

# %% [markdown]
# The fogs are those of the end of the first epoch, and the discriminator has since learned for a
# second one. All scores are far below 0: it is not fooled. But look at its slopes. White
# means "make this pixel brighter and the score rises", black means "darker", grey "I do not mind".
# Below them, the fogs after 40 small steps in the direction of the wishes: one shade of 50 for the
# pixels about which the discriminator cares most.


# %%
def obey(pictures, steps=40, step=0.02):
    """Change the pixels with the steepest slopes a little, as the discriminator wishes; repeat."""
    for _ in range(steps):
        _, slopes = score_and_slopes(discriminator, pictures)
        steep = np.abs(slopes) > 0.3 * np.abs(slopes).max(axis=(1, 2, 3), keepdims=True)
        pictures = np.clip(pictures + step * steep * np.sign(slopes), 0.0, 1.0)
    return pictures.astype("float32")


def as_shades(slopes):
    """Slopes as pictures: grey is 0, white the steepest rise, black the steepest fall."""
    return 0.5 + 0.5 * slopes / np.abs(slopes).max()


wishes = as_shades(slopes)
obeyed = obey(fogs)
print("scores after obeying:", np.round(score_and_slopes(discriminator, obeyed)[0], 1))

figure, axes = plt.subplots(3, 1, figsize=(7, 2.9), layout="constrained")
ki.plotting.plot_images(fogs, 10, "made by the generator after one epoch", ax=axes[0])
ki.plotting.plot_images(wishes, 10, "what the discriminator wishes: white brighter", ax=axes[1])
ki.plotting.plot_images(obeyed, 10, "the same pictures, wishes granted", ax=axes[2])
plt.show()

# %% [markdown]
# There is the answer to the opening question. The discriminator has compared fogs with digits, and
# what tells them apart is strokes. So its slopes ask for strokes, exactly where the fog is nearly
# one. (The fine chequered pattern all over is a trace of its layers, which halve the picture by
# looking at every second pixel.) *The generator learns to draw because the one who finds its faults
# points at them, pixel by pixel.*
#
# The wishes of one moment do not lead far: obeyed blindly, they give scribbles that please this
# discriminator and nobody else. So both must go on learning, step by step, each from the other.

# %% [markdown]
# ## 6. The fight
#
# **About 75 seconds.** After each epoch the picture shows what the generator makes of the same 40
# latents; the last one stays. Training goes on from where it stopped.

# %%
history = gan.fit(
    digits,
    initial_epoch=2,
    epochs=EPOCHS,
    callbacks=[ki.callbacks.SampleGrid(n=40, columns=10)],
    verbose=0,
)

# %% [markdown]
# Most of them can be read, and some are letters of an unknown alphabet. Here are the ten pictures
# of the beginning again, on their way:

# %% tags=["cover"]
snapshots[f"after {EPOCHS} epochs"] = np.asarray(gan.predict_latents(latents))
figure, axes = plt.subplots(3, 1, figsize=(6.8, 2.8), layout="constrained")
for ax, (title, pictures) in zip(axes, snapshots.items(), strict=True):
    ki.plotting.plot_images(pictures, 10, title, ax=ax)
plt.show()

# %%
ki.plotting.plot_history(history)

# %% [markdown]
# Read the curves with section 2 in mind:
#
# - **Discriminator accuracy** is the share of pictures, real and made, that it judges rightly. 0.5
#   is guessing, 1.0 is never wrong. It sinks, because the pictures get better, and stays in
#   between.
# - **Discriminator loss** rises. It would be 1.386 if it knew nothing; below that it still has
#   something to teach.
# - **Generator loss** falls as the other one rises: what one loses the other gains. So *neither
#   loss says how good the pictures are*. For that you have to look at them.

# %% [markdown]
# ## 7. Has it learned, or copied?
#
# 4,000 digits are few enough to be learned by heart. Two tests. First, walk: from one latent vector
# to another in equal steps. A generator that had stored pictures would jump from one to the next.


# %%
def walk(start, end, steps=10):
    """Pictures on the straight way from one latent vector to another."""
    shares = np.linspace(0.0, 1.0, steps)[:, None].astype("float32")
    return np.asarray(gan.predict_latents((1.0 - shares) * start + shares * end))


walks = np.concatenate([walk(latents[i], latents[i + 1]) for i in (0, 3, 6)])
ki.plotting.plot_images(walks, 10, "from left to right: one latent vector turns into another")

# %% [markdown]
# Second, search: for each made picture the closest of the real ones it was trained on, by the root
# of the mean squared difference. To judge the distances we need a yardstick: the same search for
# test digits, which certainly were not copied.

# %%
real = digits.take(digits.num_pictures)


def closest_real(pictures):
    """For each picture the closest training picture, and the root mean squared difference."""
    flat, stored = pictures.reshape(len(pictures), -1), real.reshape(len(real), -1)
    squares = (flat**2).sum(1)[:, None] + (stored**2).sum(1) - 2.0 * flat @ stored.T
    return real[squares.argmin(1)], np.sqrt(np.maximum(squares.min(1), 0.0) / flat.shape[1])


made = gan.sample(1000, seed=1)
found, distances = closest_real(made)
_, yardstick = closest_real(test_digits)
print(f"distance of made pictures to the closest training digit: {np.median(distances):.3f}")
print(f"distance of test digits to the closest training digit:   {np.median(yardstick):.3f}")

figure, axes = plt.subplots(2, 1, figsize=(7, 2), layout="constrained")
ki.plotting.plot_images(made[:10], 10, "made", ax=axes[0])
ki.plotting.plot_images(found[:10], 10, "the closest of 4,000 training digits", ax=axes[1])
plt.show()

# %% [markdown]
# The made pictures are no closer to the training digits than new handwriting is. They are related
# to them, not copies.

# %% [markdown]
# ## 8. Two ways to lose
#
# The fight teaches only while it is even. What happens if one side is too strong? *Guess before you
# run it*: (a) the discriminator learns forty times as fast as the generator; (b) the generator
# learns ten times as fast as the discriminator, which is also made small.
#
# We watch two numbers. One is the discriminator's accuracy. The other is the **diversity**: how far
# two made pictures are apart, on average, as a share of how far two real digits are apart. 1 is as
# varied as the digits, 0 is always the same picture.


# %%
def mean_distance(pictures):
    """Mean distance between pictures that are paired at random."""
    others = np.roll(pictures, 1, axis=0)
    return np.mean(np.sqrt(np.sum((pictures - others) ** 2, axis=(1, 2, 3))))


def diversity(pictures):
    """1 for pictures as varied as the test digits, 0 for pictures that are all the same."""
    return mean_distance(pictures) / mean_distance(test_digits)


def contest(generator_rate, discriminator_rate, filters):
    """A GAN trained with these learning rates (`filters` is the discriminator's size)."""
    model = ki.GAN(
        ki.networks.dcgan_generator((28, 28, 1), latent_dim=32, filters=32),
        ki.networks.dcgan_discriminator((28, 28, 1), filters=filters, dropout=0.0),
        seed=SEED,
    )
    model.compile(
        keras.optimizers.Adam(generator_rate, beta_1=0.5),
        keras.optimizers.Adam(discriminator_rate, beta_1=0.5),
    )
    logs = model.fit(digits, epochs=CONTEST_EPOCHS, verbose=0).history
    return model, logs["discriminator_accuracy"][-1]


# %% [markdown]
# Four epochs each. **About 60 seconds.**

# %%
contests = {
    "even": contest(1e-3, 1e-3, filters=32),
    "a: the discriminator wins": contest(1e-4, 4e-3, filters=32),
    "b: the generator wins": contest(1e-2, 1e-3, filters=4),
}
rows = {}
for name, (model, accuracy) in contests.items():
    pictures = model.sample(1000, seed=1)
    print(f"{name:26} accuracy {accuracy:.2f}   diversity {diversity(pictures):.2f}")
    rows[name] = pictures[:10]
    if name.startswith("a"):
        _, slopes = score_and_slopes(model.discriminator, pictures[:10])
        rows["a: what this discriminator wishes"] = as_shades(slopes)

figure, axes = plt.subplots(4, 1, figsize=(6.8, 3.7), layout="constrained")
for ax, (title, pictures) in zip(axes, rows.items(), strict=True):
    ki.plotting.plot_images(pictures, 10, title, ax=ax)
plt.show()

# %% [markdown]
# **(a)** The accuracy is close to 1: the discriminator knows every made picture at once. Compare
# its wishes with those of section 5. There they were strokes. Here they are a pattern: to tell such
# pictures from digits there is no need to know anything about strokes, and so nothing about strokes
# is passed on. The generator answers with a pattern, too. (The non-saturating loss does not help
# here. It keeps the slope of the loss *by the score* steep; what has lost its meaning is the slope
# of the score *by the pixels*.)
#
# **(b)** The accuracy is below 0.5: this discriminator is fooled more often than not. And the
# diversity is far below 1: *whatever the latents are, the picture is nearly the same.*
# The generator found one smudge that the weak discriminator lets pass, and moved all its pictures
# there faster than the other could learn to refuse it. This is called **mode collapse**, a mode
# being a place where pictures are frequent, such as the ones or the zeros. Note that nothing in
# $L_G$ forbids it: the loss looks at one picture at a time, and never asks whether the others are
# different.
#
# So watch two numbers, and look at the pictures:
#
# | | accuracy | diversity | what to do |
# | --- | --- | --- | --- |
# | even | between 0.6 and 0.9 | above 0.7 | go on |
# | the discriminator wins | near 1 | says nothing yet | slow it down, or give it dropout |
# | collapse | not near 1 | below 0.5 | slow the generator down, or enlarge the discriminator |
#
# **Dropout** switches off a random share of a network's values in each step, here so that the
# discriminator cannot rely on any single detail.

# %% [markdown]
# ## What to remember
#
# 1. The discriminator does not say yes or no. Its best score is
#    $\log (p_\text{data} / p_G)$, a measurement of how the two kinds of pictures differ.
# 2. The generator learns from the slope of that score at every pixel of its own picture. It never
#    needs to see a real one.
# 3. Each player moves only its own weights. The two losses are opponents: neither tells how good
#    the pictures are.
# 4. The non-saturating loss keeps a beginner's slope steep.
# 5. Too strong a discriminator teaches nothing; too strong a generator repeats itself. Watch
#    accuracy and diversity.

# %% [markdown]
# ## You should see / if not
#
# Measured with three values of `SEED`, on two CPU cores:
#
# - **Section 5**: the fogs' scores below -5, and after obeying every score at least 4 higher, with
#   strokes in place of fog. *If not*, and the wishes are an even pattern: was the cell that trains
#   for two epochs run twice? Run the notebook again from the top.
# - **Section 6**: an accuracy that sinks from about 0.86 to between 0.72 and 0.76, and strokes that
#   read as digits in most places of the grid. *If not*, all is flat grey or 40 times the same: one
#   player has won. Run it again with another `SEED`.
# - **Section 7**: 0.20 to 0.21 for made pictures, 0.18 for test digits. *If not*, and the made ones
#   are far closer: they are copies; train for fewer epochs or on more digits.
# - **Section 8**: even: accuracy 0.82 to 0.85, diversity 0.82 to 0.88. (a) accuracy at least 0.98.
#   (b) diversity 0.16 to 0.32. *If not*, and (b) is varied: raise the generator's learning rate
#   further.
# - **Time**: within twice the seconds that are given. *If not*, other programs are running; the
#   figures stay valid.
#
# With a graphics card, take `filters=64` in both networks and 60 epochs of all of MNIST
# (`ki.load("mnist")`, which is downloaded once).
#
# ## Read on
#
# - I. Goodfellow and others, *Generative Adversarial Nets*, 2014, [arXiv
#   1406.2661](https://arxiv.org/abs/1406.2661): Algorithm 1 and Proposition 1, on nine pages.
# - A. Radford and others, *Unsupervised Representation Learning with Deep Convolutional GANs*,
#   2016, [arXiv 1511.06434](https://arxiv.org/abs/1511.06434): the two networks used here, and
#   walks between latents.
# - M. Arjovsky and L. Bottou, *Towards Principled Methods for Training GANs*, 2017, [arXiv
#   1701.04862](https://arxiv.org/abs/1701.04862): why a discriminator that wins stops teaching.
# - Y. Yazici and others, *The Unusual Effectiveness of Averaging in GAN Training*, 2019, [arXiv
#   1806.04498](https://arxiv.org/abs/1806.04498): why the average of the weights draws better.
#
# The digits are from MNIST (Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0).

# %% [markdown]
# ## Exercises
#
# Replace each `...` and run the cell, then the check below it. The check prints `Right`, or says
# what it found and gives a hint.
#
# ### Exercise 1: both losses with your own hands
#
# Write $L_D$ and $L_G$ of section 2 in NumPy, from scores. One value per picture; the arrays have
# any shape, the same for real and made ones.


# %% tags=["exercise"]
def sigmoid(score):
    """The probability that belongs to a score."""
    return 1.0 / (1.0 + np.exp(-score))


def my_discriminator_loss(real_scores, fake_scores):
    """L_D for each pair of a real and a made picture."""
    return ...


def my_generator_loss(fake_scores):
    """L_G for each made picture."""
    return ...


# %% tags=["solution"]
def sigmoid(score):  # noqa: F811
    """The probability that belongs to a score."""
    return 1.0 / (1.0 + np.exp(-score))


def my_discriminator_loss(real_scores, fake_scores):  # noqa: F811
    """L_D for each pair of a real and a made picture."""
    return -np.log(sigmoid(real_scores)) - np.log(1.0 - sigmoid(fake_scores))


def my_generator_loss(fake_scores):  # noqa: F811
    """L_G for each made picture."""
    return -np.log(sigmoid(fake_scores))


# %% tags=["check"]
some_real, some_fake = np.array([0.0, 1.5, -2.0]), np.array([0.0, -3.0, 0.5])
found_d, found_g = my_discriminator_loss(some_real, some_fake), my_generator_loss(some_fake)
for name, found in (("my_discriminator_loss", found_d), ("my_generator_loss", found_g)):
    assert np.shape(found) == (3,), (
        f"{name} should return one value per picture, here 3. It returned {found!r}. "
        "Hint: np.log works on whole arrays; take no mean."
    )
assert abs(found_g[0] - 0.693) < 0.001, (
    f"For a score of 0, L_G is log 2 = 0.693. Yours is {found_g[0]:.3f}. "
    "Hint: minus the logarithm of sigmoid(score)."
)
assert np.allclose(found_g, loss.generator(some_fake), atol=1e-5), (
    f"For scores {some_fake} L_G is {np.round(loss.generator(some_fake), 3)}. "
    f"Yours: {np.round(found_g, 3)}. Hint: a high score must give a small loss."
)
expected = np.asarray(loss.discriminator(some_real, some_fake))
assert np.allclose(found_d, expected, atol=1e-5), (
    f"For real scores {some_real} and made scores {some_fake}, L_D is {np.round(expected, 3)}. "
    f"Yours: {np.round(found_d, 3)}. Hint: two surprises, -log p and -log(1 - p); add them."
)
print("Right: your losses are those that the GAN was trained with.")

# %% [markdown]
# ### Exercise 2: the end of the fight
#
# Suppose the generator has become perfect: its pictures are distributed exactly like real ones.
# Suppose the discriminator is then the best there is. Use section 3 to predict, without computing:
# its score for any picture, its loss $L_D$, the generator's loss $L_G$, and its accuracy.

# %% tags=["exercise"]
perfect_score = ...
perfect_d_loss = ...
perfect_g_loss = ...
perfect_accuracy = ...

# %% tags=["solution"]
perfect_score = np.log(1.0)  # both kinds are equally frequent everywhere, so their ratio is 1
perfect_d_loss = 2 * np.log(2)
perfect_g_loss = np.log(2)
perfect_accuracy = 0.5  # it can only guess

# %% tags=["check"]
for name, value, right, hint in (
    (
        "perfect_score",
        perfect_score,
        0.0,
        "a score is no probability. log(p_data / p_G), both equal?",
    ),
    ("perfect_d_loss", perfect_d_loss, 1.386, "The first line that section 2 prints."),
    ("perfect_g_loss", perfect_g_loss, 0.693, "-log sigma(s) at the score that you found."),
    ("perfect_accuracy", perfect_accuracy, 0.5, "If both kinds look alike, it can only guess."),
):
    assert isinstance(value, (int, float, np.number)), (
        f"{name} should be a number. Found {value!r}. Hint: {hint}"
    )
    assert abs(value - right) < 0.01, f"{name} = {value:.3f} is not it. Hint: {hint}"
final = {name: values[-1] for name, values in history.history.items()}
print("Right. Our GAN's last epoch, for comparison:")
print(f"L_D {final['discriminator_loss']:.2f} of 1.39, L_G {final['generator_loss']:.2f} of 0.69")
print(f"accuracy {final['discriminator_accuracy']:.2f} of 0.50: there is still something to learn.")

# %% [markdown]
# ### Exercise 3: the doctor
#
# Write a function that looks at the scores of real and of made pictures and at the made pictures
# themselves, and returns `"even"`, `"discriminator wins"` or `"collapse"`. Compute the accuracy
# from the scores, use `diversity` from section 8, and take the limits 0.95 for the accuracy and 0.5
# for the diversity. If both are bad, the table above says which diagnosis comes first.


# %% tags=["exercise"]
def diagnose(real_scores, fake_scores, pictures):
    """Say how a contest stands."""
    return ...


# %% tags=["solution"]
def diagnose(real_scores, fake_scores, pictures):  # noqa: F811
    """Say how a contest stands."""
    accuracy = np.mean(np.concatenate([real_scores > 0, fake_scores < 0]))
    if accuracy > 0.95:
        return "discriminator wins"
    return "collapse" if diversity(pictures) < 0.5 else "even"


# %% tags=["check"]
patient = np.random.default_rng(1)
close, apart = (
    (patient.normal(m, 1, 400), patient.normal(-m, 1, 400)) for m in (0.5, 4.0)
)  # scores that overlap, and scores that do not
lopsided = np.full(400, 0.2), np.repeat([-0.2, 0.2], 200)  # half of the made ones pass for real
varied, alike = test_digits[:400], np.repeat(test_digits[:1], 400, axis=0)
patients = [
    (close, varied, "even", "here the accuracy is about 0.7 and the diversity about 1"),
    (apart, varied, "discriminator wins", "right is: real with score > 0, made with score < 0"),
    (close, alike, "collapse", "the pictures are all the same, so diversity(pictures) is 0"),
    (apart, alike, "discriminator wins", "both are bad; look into the table of section 8"),
    (lopsided, varied, "even", "all real and half of the made scores are right: accuracy 0.75"),
    (lopsided[::-1], varied, "even", "now only half of the real and none of the made are right"),
]
for (real_ones, made_ones), pictures, right, hint in patients:
    found = diagnose(real_ones, made_ones, pictures)
    assert found == right, f"This contest is {right!r}. You say {found!r}. Hint: {hint}."
print("Right: six patients, six diagnoses.")
