# %% [markdown]
# # 02 · GAN: two networks that only fight
#
# **You will be able to**
#
# - write down what each of the two networks minimises, and check it in numbers;
# - explain how a network that is never shown a digit learns to draw digits;
# - read the library's training step beside the algorithm of the paper;
# - compare five pairs of losses by what they push;
# - tell a healthy contest from one that is lost, and cure it;
# - ask for a digit and get it.
#
# **You need** tutorial [01](01_generation_and_restoration.ipynb): pictures as arrays in [0, 1],
# `fit`.
#
# **Time** on two CPU cores: 5 minutes of computing, 75 minutes with reading and exercises.

# %%
# If the package is missing: installs the wheel beside this notebook, or the checkout around it.
import importlib.util
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("keras_imgen") is None:
    folders = [Path.cwd(), *Path.cwd().parents]
    found = [wheel for folder in folders for wheel in sorted(folder.glob("keras_imgen-*.whl"))[-1:]]
    found += [folder for folder in folders if (folder / "keras_imgen" / "__init__.py").exists()]
    if not found:
        raise ModuleNotFoundError(
            "keras_imgen is not installed. Run `pip install PATH` with the path of its wheel or of "
            "its checkout, or put the wheel beside this notebook and run this cell again."
        )
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", str(found[0])], check=True)

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
CONDITIONAL_EPOCHS = 6  # of the training with labels
CONTEST_EPOCHS = 4  # of four short trainings, two of which go wrong
TOY_EPOCHS = 20  # of the discriminator that looks at single numbers
NUM_DIGITS = None  # all 4,000
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # for a quick test of this notebook
    EPOCHS, CONDITIONAL_EPOCHS, CONTEST_EPOCHS, NUM_DIGITS = 3, 1, 2, 64

keras.utils.set_random_seed(SEED)  # the same first weights, and so the same pictures, every time

# %% [markdown]
# ## 1. The two players
#
# The **generator** $G$ takes a vector $z$ of 32 random numbers, the **latents**, and returns a
# picture $G(z)$. The latents are all it ever gets: no picture goes in.
#
# Inside, the latents are spread over a stack of small pictures of 4 x 4 pixels, and layers that
# double the sides enlarge them to 28 x 28. (These layers are transposed convolutions; tutorial 05
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
discriminator = ki.networks.dcgan_discriminator((28, 28, 1), filters=32, batch_norm=False)
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
    d_loss, g_loss = loss.discriminator(*scores)[0], loss.generator(*scores)[0]
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
    chosen = loss.generator(None, score)  # no real score is needed
slopes = {"opposite": tape.gradient(opposite, score), "chosen": tape.gradient(chosen, score)}
for name, slope in slopes.items():
    print(f"slope at a score of -6, {name:8}: {slope.numpy()[20]:.4f}")

figure, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
ax.plot(score, slopes["opposite"], "--", label="the opposite of $L_D$")
ax.plot(score, slopes["chosen"], label="$L_G$")
ax.axvline(0, color="grey", linewidth=0.8)
ax.legend(loc="center left")
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
# 3. draw latents $z$ again;
# 4. move the generator's weights a step down the slope of $L_G$.
#
# Read the end of the method first, where it happens in this order; the small functions above it are
# only called there. `real` is the batch, $x$ in the formulas, and `formulas` is the pair of losses
# from section 2. There are no `labels` before section 11.
#
# - *The generator draws pictures.* `drawn` draws latents and makes `fake`, $G(z)$; `recorded` notes
#   what was computed on the way, so that later a wish for the pictures can be turned into one for
#   the generator's weights: that is `pull_back`.
# - *The discriminator takes a step* is line 2. `gradients` are the slopes of `discriminator_loss`
#   by `critics`, the discriminator's weights: both kinds of pictures get their scores, the first
#   formula turns scores into one value per picture, `ops.mean` averages them. `apply` moves these
#   weights and nothing else; where the made pictures came from plays no part.
# - *What do its new scores wish?* The discriminator has just moved. It gives new scores to *the
#   same* pictures, and the second formula turns them into $L_G$, in `generator_loss`. No real
#   picture appears in it: all that the generator learns comes through the scores of its own
#   pictures. (`neutral is None` marks two losses that need more than that; section 9.) `wishes` are
#   its slopes by the pictures, the instruction for every pixel of section 3.
# - Line 4: `pull_back` follows the wishes from the pictures back into the generator, and `apply`
#   moves `makers`, the generator's weights, and nothing else. This is the whole fight: two losses,
#   and each player may move only its own weights.
# - Line 3 is missing. The paper draws new latents for the generator's step; here both steps look at
#   the same pictures, which saves drawing others. Many programs do that.
# - `follow` keeps a slow **moving average** of the generator's weights. A generator that
#   fights sways; its average is steadier, and `sample` and `predict_latents` use it.
# - The rest is housekeeping. `training=True` tells layers that behave differently in training that
#   this is training. `turn` is true in every step here: the paper allows several steps of the
#   discriminator for one of the generator. `_augmented` changes nothing, and penalty and
#   totals are 0, because we asked for none of them. `_track` keeps the logs.
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
first_made = gan.sample(1000, seed=1)  # kept for section 8
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
# what tells them apart is strokes. So its slopes ask for bits of strokes, exactly where the fog is
# nearly one: brighter here, darker beside it. (The fine chequered pattern all over is a trace of
# its layers, which halve the picture by looking at every second pixel.) *The generator learns to
# draw because the one who finds its faults points at them, pixel by pixel.*
#
# The wishes of one moment do not lead far: obeyed blindly, they give scribbles that please this
# discriminator and nobody else. So both must go on learning, step by step, each from the other.

# %% [markdown]
# ## 6. The fight
#
# **About 55 seconds.** After each epoch the picture shows what the generator makes of the same 40
# latents; the last one stays. Training goes on from where it stopped. `health` measures something
# at the end of each epoch; section 10 reads it.

# %%
health = ki.callbacks.TrainingHealth(test_digits)
history = gan.fit(
    digits,
    initial_epoch=2,
    epochs=EPOCHS,
    callbacks=[ki.callbacks.SampleGrid(n=40, columns=10), health],
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
# 4,000 digits are few enough to be learned by heart, which is called **memorisation**. Two tests.
#
# First, walk: from one latent vector to another in equal steps, a **latent traversal**. A generator
# that had stored pictures would jump from one to the next.
#
# Which way? 32 normal numbers have a length of about $\sqrt{32} = 5.7$, nearly all draws are that
# long, and the generator has seen no others. The straight line between two of them passes the
# origin at a distance of about 4. So we keep the length and turn the direction, as on a globe:
#
# $$z(t) = \frac{\sin((1 - t)\,\theta)\; z_0 + \sin(t\,\theta)\; z_1}{\sin \theta}$$
#
# - $z_0$, $z_1$: the latents at both ends;
# - $t$: from 0 at the start to 1 at the end;
# - $\theta$: the angle between $z_0$ and $z_1$.


# %%
def arc(start, end, steps=10):
    """Latents in equal steps on the arc from one vector to another."""
    cosine = start @ end / (np.linalg.norm(start) * np.linalg.norm(end))
    angle, t = np.arccos(cosine), np.linspace(0.0, 1.0, steps)[:, None]
    return (np.sin((1.0 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle)


on_arcs = [arc(latents[i], latents[i + 1]) for i in (0, 3, 6)]
middle = (latents[:-1] + latents[1:]) / 2.0  # half way on the straight lines
for name, vectors in (("drawn", latents), ("on the arcs", on_arcs), ("middle of lines", middle)):
    print(f"mean length, {name:15}: {np.linalg.norm(vectors, axis=-1).mean():.1f}")

walks = np.asarray(gan.predict_latents(np.concatenate(on_arcs).astype("float32")))
ki.plotting.plot_images(walks, 10, "from left to right: one latent vector turns into another")

# %% [markdown]
# No jumps: a digit becomes another one through pictures that are nearly digits themselves. (The
# callback `ki.callbacks.LatentTraversal` draws such walks after each epoch.)
#
# Second, search: for each made picture the nearest of the real ones that it was trained on. The
# distance is the root of the mean squared difference per pixel. To judge the distances we need a
# yardstick: the same search for test digits, which certainly were not copied. The nearest 1 % of
# them give the threshold. If the generator copies, far more than 1 % of its pictures lie below it.

# %%
training_digits = digits.take(digits.num_pictures)
made = gan.sample(1000, seed=1)
search = ki.metrics.memorization(made, training_digits, test_digits)
print(search)
print(f"median distance of made pictures: {np.median(search.distances):.3f}")
print(f"median distance of test digits:   {np.median(search.held_out_distances):.3f}")

ki.plotting.plot_neighbors(
    made[:10],
    training_digits[search.indices[:10]],
    search.distances[:10],
    ["made", "the nearest of 4,000 training digits"],
)

# %% [markdown]
# Hardly one of 1,000 lies below the threshold. The made pictures are relatives of their neighbours,
# not copies. And the typical one is *farther* away than new handwriting is. That is no merit: it
# also says that the made ones are not yet quite like digits.
#
# Keep one weakness in mind: pixel by pixel, a copy that was moved by one pixel is far away, too.

# %% [markdown]
# ## 8. A first figure of quality
#
# "Most can be read" is no number. The **Frechet distance** is one. A small network that has learned
# to read digits describes each picture by 64 numbers, its **features**. Real pictures form a cloud
# in this space, and made pictures form another; the Frechet distance says how far apart the two
# clouds are, in place and in shape. 0 would be the same cloud.
#
# Alone it says nothing. So we also measure other real digits, which is the best that can be
# expected, and the pictures of the end of the first epoch.

# %%
distance = ki.metrics.FrechetDistance(test_digits)
candidates = {
    "real digits of the training set": ki.load("digits").take(1000),
    f"made after {EPOCHS} epochs": made,
    "made after one epoch": first_made,
}
for name, pictures in candidates.items():
    print(f"{name:32} Frechet distance {float(distance(pictures)):6.1f}")

# %% [markdown]
# The training has gone most of the way: about 600 became about 50. And it is not at its end, for
# other real digits are far nearer still.
#
# One number never says *what* is wrong: bad strokes, or a digit that is never made? Tutorial
# [09](09_measuring_quality.ipynb) tells the two apart.

# %% [markdown]
# ## 9. The losses side by side
#
# $L_D$ and $L_G$ of section 2 were the first pair, and others have been tried since. The library
# holds five. Write $r$ for the score of a real picture and $s$ for that of a made one:
#
# | `loss=` | $L_D$ | $L_G$ | who |
# | --- | --- | --- | --- |
# | `"non_saturating"` | $-\log \sigma(r) - \log(1 - \sigma(s))$ | $-\log \sigma(s)$ | [1] |
# | `"least_squares"` | $\frac12 (r - 1)^2 + \frac12 s^2$ | $\frac12 (s - 1)^2$ | [2] |
# | `"hinge"` | $\max(0, 1 - r) + \max(0, 1 + s)$ | $-s$ | [3] |
# | `"wasserstein"` | $s - r$ | $-s$ | [4] |
# | `"relativistic"` | $-\log \sigma(r - s)$ | $-\log \sigma(s - r)$ | [5] |
#
# [1] Goodfellow and others, 2014, [arXiv 1406.2661](https://arxiv.org/abs/1406.2661);
# [2] Mao and others, 2017, [arXiv 1611.04076](https://arxiv.org/abs/1611.04076);
# [3] Lim and Ye, 2017, [arXiv 1705.02894](https://arxiv.org/abs/1705.02894);
# [4] Arjovsky and others, 2017, [arXiv 1701.07875](https://arxiv.org/abs/1701.07875);
# [5] Jolicoeur-Martineau, 2018, [arXiv 1807.00734](https://arxiv.org/abs/1807.00734).
#
# Formulas like these look alike until you draw their slopes, for it is the slopes that push. On the
# left the generator's, on the right the discriminator's, both by the score $s$ of a made picture.
# The score of the real one is kept at $r = 2$.

# %%
made_score, real_score = tf.Variable(np.linspace(-5.0, 5.0, 201)), tf.constant(2.0, "float64")
styles = {
    "non_saturating": ("C0", "-"),
    "least_squares": ("C1", "-"),
    "hinge": ("C2", "-"),
    "wasserstein": ("C3", "--"),
    "relativistic": ("C4", "-"),
}
figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained", sharex=True)
for name, (colour, line) in styles.items():
    pair = ki.losses.ADVERSARIAL[name]
    with tf.GradientTape(persistent=True) as tape:
        g_loss, d_loss = (
            play(real_score, made_score) for play in (pair.generator, pair.discriminator)
        )
    for ax, value in zip(axes, (g_loss, d_loss), strict=True):
        ax.plot(made_score, tape.gradient(value, made_score), line, color=colour, label=name)
axes[0].set(
    ylim=(-2.2, 1.2), ylabel="slope of the loss", title="the generator: below 0 is a push up"
)
axes[1].set(ylim=(-1.2, 2.2), title="the discriminator: above 0 is a push down")
for ax in axes:
    ax.axhline(0, color="grey", linewidth=0.8)
    ax.set_xlabel("score of a made picture")
axes[1].legend(fontsize=8)
plt.show()

# %% [markdown]
# Read the left side from the right to the left, from a generator that is believed to one that is
# caught:
#
# - **non-saturating**: a push of 1 when caught, none when believed;
# - **least squares**: the push grows with the distance from 1, *and turns round beyond it*: a
#   picture that scores 3 is pulled back. No score runs away, but a generator that is far behind is
#   pushed wildly;
# - **hinge** and **Wasserstein**: always a push of 1. The generator's formulas are the same;
# - **relativistic**: as non-saturating, but what counts is the difference from a real picture. The
#   push fades where the made picture *overtakes the real one*, here at 2, and not at 0.
#
# And the right side, where hinge and Wasserstein part:
#
# - **hinge**: below -1 the discriminator rests. It is sure enough, and spares its strength for
#   pictures that are still in doubt;
# - **Wasserstein**: it never rests. It can make its loss smaller and smaller by making all its
#   scores steeper. *So this loss needs a penalty on steepness, or it never ends.*
#
# A **penalty** is added to $L_D$. With $\nabla_x D(x)$, the slopes of the score by all pixels of
# $x$ (the wishes of section 5), and $\lVert \cdot \rVert$, the length of such a list of numbers:
#
# | `penalty=` | what is added, times 10 | at which $x$ | who |
# | --- | --- | --- | --- |
# | `"r1"` | $\frac12 \lVert \nabla_x D(x) \rVert^2$ | real pictures | [6] |
# | `"r2"` | the same | made pictures | [6] |
# | `"r1_r2"` | both | both | [7] |
# | `"gradient_penalty"` | $(\lVert \nabla_x D(x) \rVert - 1)^2$ | between real and made | [8] |
#
# Another weight is asked for by an object, as in `penalty=ki.losses.R1(weight=1.0)`.
#
# [6] Mescheder and others, 2018, [arXiv 1801.04406](https://arxiv.org/abs/1801.04406);
# [7] Huang and others, 2025, [arXiv 2501.05441](https://arxiv.org/abs/2501.05441): with the
# relativistic loss this is their R3GAN;
# [8] Gulrajani and others, 2017, [arXiv 1704.00028](https://arxiv.org/abs/1704.00028).
#
# When to take which?
#
# - **Non-saturating**: first, always. Add `penalty="r1"` if the discriminator wins.
# - **Least squares**: when the scores run far away from 0.
# - **Hinge**: for larger pictures, with `spectral_norm=True` in the discriminator.
# - **Wasserstein**, with `penalty="gradient_penalty", critic_steps=5`: when you want a loss that
#   falls while the pictures get better. It costs five steps of the discriminator for one of the
#   generator.
# - **Relativistic**, with `penalty="r1_r2"`: when collapse comes back again and again. Both
#   penalties make each step slower.
#
# No loss is best everywhere: in a large comparison with equal budgets, the pairs came out much
# alike, and the search for good learning rates mattered more (Lucic and others, 2018). So change
# the loss last.

# %% [markdown]
# ## 10. Two ways to lose, and their cures
#
# The fight teaches only while it is even. The callback `TrainingHealth` watches three numbers, and
# warns when one of them stays bad for some epochs:
#
# - the **discriminator's accuracy**;
# - the **diversity**: how far two made pictures are apart, on average, as a share of how far two
#   real ones are apart. 1 is as varied as the digits, 0 is always the same picture;
# - the **score slope**: how long the list of wishes of section 5 is, on average. 0 means that the
#   generator hears nothing.
#
# In section 6 it found nothing to complain of. Its `history` is what a healthy contest looks like:

# %%
print(f"warnings in section 6: {len(health.findings)}")
ki.plotting.plot_history(health)

# %% [markdown]
# The accuracy sinks slowly, the score slope stays away from 0, and the diversity rises to that of
# real digits and stays there.
#
# What happens if one side is too strong? *Guess before you run it*: (a) the discriminator learns
# thirteen times as fast as the generator; (b) the generator learns ten times as fast as the
# discriminator, which is also made small.


# %%
def contest(generator_rate, discriminator_rate, filters=32, **options):
    """A GAN trained with these learning rates, and its health (`options` go to `compile`)."""
    keras.utils.set_random_seed(SEED)  # the sick one and the cured one begin with the same weights
    model = ki.GAN(
        ki.networks.dcgan_generator((28, 28, 1), latent_dim=32, filters=32),
        ki.networks.dcgan_discriminator((28, 28, 1), filters=filters, batch_norm=False),
        seed=SEED,
    )
    model.compile(
        keras.optimizers.Adam(generator_rate, beta_1=0.5),
        keras.optimizers.Adam(discriminator_rate, beta_1=0.5),
        **options,
    )
    health = ki.callbacks.TrainingHealth(test_digits, patience=2)
    model.fit(digits, epochs=CONTEST_EPOCHS, callbacks=[health], verbose=0)
    return model, health


# %% [markdown]
# Four epochs each. **About 35 seconds.** The warnings appear while the training runs; `findings`
# keeps them.

# %%
contests = {
    "a: the discriminator wins": contest(3e-4, 4e-3),
    "b: the generator wins": contest(1e-2, 1e-3, filters=4),
}
rows = {}
for name, (model, its_health) in contests.items():
    print(name)
    for finding in its_health.findings:
        print(f"   epoch {finding.epoch}: {finding.message}")
    rows[name] = pictures = model.sample(10, seed=1)
    if name.startswith("a"):
        _, slopes = score_and_slopes(model.discriminator, pictures)
        rows["a: what this discriminator wishes"] = as_shades(slopes)

figure, axes = plt.subplots(3, 1, figsize=(6.8, 2.8), layout="constrained")
for ax, (title, pictures) in zip(axes, rows.items(), strict=True):
    ki.plotting.plot_images(pictures, 10, title, ax=ax)
plt.show()

# %% [markdown]
# **(a)** The accuracy is close to 1: the discriminator knows nearly every made picture at once.
# Compare its wishes with those of section 5. There they were strokes. Here they are a pattern: to
# tell such pictures from digits there is no need to know anything about strokes, and so nothing
# about strokes is passed on. The generator answers with a pattern, too. (The non-saturating loss
# does not help here. It keeps the slope of the loss *by the score* steep; what has lost its meaning
# is the slope of the score *by the pixels*.)
#
# **(b)** The accuracy is about 0.5 or below: this discriminator is fooled half of the time or more.
# And *whatever the latents are, the picture is nearly the same.* The generator found one smudge
# that the weak discriminator lets pass, and moved all its pictures there faster than the other
# could learn to refuse it. This is called **mode collapse**, a mode being a place where pictures
# are frequent, such as the ones or the zeros. Note that nothing in $L_G$ forbids it: the loss looks
# at one picture at a time, and never asks whether the others are different. (The callback warns of
# a low diversity, too, but not as long as it still grows: every training begins without any.)
#
# Now the cures. For (a) we add the penalty R1 of section 9, and change nothing else. For (b) we
# lower the generator's learning rate to that of the discriminator, and leave the discriminator as
# small as it was. *Guess again*: can a fine for steep scores help a generator that is thirteen
# times too slow? **About 35 seconds.**

# %%
cures = {
    "a with the penalty R1": contest(3e-4, 4e-3, penalty="r1"),
    "b with a slower generator": contest(1e-3, 1e-3, filters=4),
}
everybody = {"even (section 6)": (gan, health), **contests, **cures}
for name, (_, its_health) in everybody.items():
    last = {key: values[-1] for key, values in its_health.history.items()}
    print(
        f"{name:26} accuracy {last['discriminator_accuracy']:.2f}   diversity "
        f"{last['diversity']:.2f}   score slope {last['score_slope']:.2f}   "
        f"warnings: {len(its_health.findings)}"
    )

figure, axes = plt.subplots(2, 1, figsize=(6.8, 1.9), layout="constrained")
for ax, (title, (model, _)) in zip(axes, cures.items(), strict=True):
    ki.plotting.plot_images(model.sample(10, seed=1), 10, title, ax=ax)
plt.show()

# %% [markdown]
# Both warnings are gone, and the pictures of both differ from each other. Look at (a) closely: the
# learning rates are as unequal as before, and the accuracy is still high. Yet there are strokes.
# Without the penalty the score slope was *steep*, as steep as in the even contest, and useless. The
# penalty made it many times flatter, and it teaches. *Where the slopes point matters, not how steep
# they are.* (The optimizer, Adam, evens out the size anyway.) A likely reason: fine patterns are
# told by steep scores. A discriminator that pays for steepness must go by what differs widely
# between both kinds, and that is strokes.
#
# A low slope is no good sign by itself, either: in (b) it is the lowest of all.
#
# So watch these numbers, and look at the pictures:
#
# | | accuracy | diversity | what to do |
# | --- | --- | --- | --- |
# | even | between 0.6 and 0.9 | above 0.7 | go on |
# | the discriminator wins | near 1 | says nothing yet | slow it down; dropout; a penalty |
# | collapse | not near 1 | below 0.5 | slow the generator down; enlarge the other |
#
# **Dropout** switches off a random share of a network's values in each step, here so that the
# discriminator cannot rely on any single detail.
#
# In a long training nobody sits and watches. `TrainingHealth(test_digits, rollback=0.5)` then does
# more than warn: after a collapse, vanished slopes or a loss that is no number any more it takes
# the model back to its last healthy epoch (a **rollback**), halves the learning rates, and goes on.

# %% [markdown]
# ## 11. A digit on demand
#
# So far we take what comes. To *ask* for a digit, tell both players its **label** $c$, a number
# from 0 to 9. Such a GAN is called **conditional**.
#
# - The generator $G(z, c)$ gets the label beside the latents. Each class has a vector of its own,
#   32 learned numbers, which is appended to $z$.
# - The discriminator $D(x, c)$ gets the label beside the picture:
#
# $$D(x, c) = a \cdot f(x) + v_c \cdot f(x)$$
#
# - $f(x)$: what the discriminator's layers have made of the picture $x$, a long vector;
# - $a$: learned weights, as before: does it look real? (A learned constant is added, too.)
# - $v_c$: learned weights of the class $c$: does it look like a $c$?
# - the dot means: multiply number by number and add up.
#
# *Guess before you go on*: nobody tells the generator what a 3 looks like, and its loss $L_G$ stays
# as it is. Why would it draw a 3 when asked for one? What would happen if only the generator got
# the label?
#
# One thing is left to choose: how long should the vectors of the classes be in the beginning? We
# train twice, with vectors as long as the latents, "loud", and with vectors a tenth as long,
# "quiet". All else is the same. **About 70 seconds.**

# %%
labelled = ki.load("digits", labels=True, seed=SEED)  # batches are (pictures, labels)
if NUM_DIGITS is not None:
    few = labelled.take(NUM_DIGITS), labelled.labels[:NUM_DIGITS]
    labelled = ki.load_arrays(*few, seed=SEED)

conditional = {}
for name, factor in (("loud labels", 10.0), ("quiet labels", 1.0)):
    keras.utils.set_random_seed(SEED)  # both begin with the same weights, but for this factor
    image_shape, classes = (28, 28, 1), {"filters": 32, "num_classes": 10}
    generator = ki.networks.dcgan_generator(image_shape, latent_dim=32, **classes)
    vectors = generator.get_layer("class_latents").kernel
    vectors.assign(factor * vectors)
    model = ki.GAN(generator, ki.networks.dcgan_discriminator(image_shape, **classes), seed=SEED)
    model.compile(*[keras.optimizers.Adam(1e-3, beta_1=0.5) for _ in range(2)])
    model.fit(labelled, epochs=CONDITIONAL_EPOCHS, verbose=0)
    conditional[name] = model

# %% [markdown]
# First a check in numbers. The network that reads digits, from section 8, reads 1,000 made ones:
# how often does it read what we asked for?

# %%
reader = ki.metrics.DigitFeatures()
real_labelled = ki.load("digits", "test", labels=True)
real_pictures, real_labels = real_labelled.take(1000), real_labelled.labels[:1000]
labels = np.arange(1000) % 10  # a hundred of each
made_labelled = {
    name: model.sample(1000, labels=labels, seed=1) for name, model in conditional.items()
}

print(f"real test digits    {np.mean(reader.labels(real_pictures) == real_labels):6.1%}")
for name, pictures in made_labelled.items():
    print(f"{name:19} {np.mean(reader.labels(pictures) == labels):6.1%} are read as asked for")

# %% [markdown]
# By chance it would be one in ten, so both obey. The one with loud labels does better, and seems
# perfect. Is it? *Guess*, then look at them. Each column has the same label; each row has the same
# latents.

# %%
each_latents, each_label = tf.repeat(latents[:4], 10, axis=0), np.tile(np.arange(10), 4)
figure, axes = plt.subplots(2, 1, figsize=(6.8, 6), layout="constrained")
for ax, (name, model) in zip(axes, conditional.items(), strict=True):
    pictures = np.asarray(model.predict_latents(each_latents, each_label))
    ki.plotting.plot_images(pictures, 10, f"asked for 0 to 9, {name}", ax=ax)
plt.show()


def same_label_distance(pictures, labels):
    """Mean distance between two pictures of the same label."""
    groups = [pictures[labels == label] for label in range(10)]
    pairs = [np.roll(group, 1, axis=0) - group for group in groups]
    return np.mean([np.sqrt((pair**2).sum(axis=(1, 2, 3))).mean() for pair in pairs])


for name, pictures in made_labelled.items():
    share = same_label_distance(pictures, labels) / same_label_distance(real_pictures, real_labels)
    print(f"{name:19} diversity within a label {share:.2f}")

# %% [markdown]
# Ten labels, ten pictures! With loud labels the latents change nothing: this is the collapse of
# section 10, once inside each label. The label decided on the whole picture before the latents had
# learned to vary it, and then it was too late. The reader, which was only asked what it reads, gave
# full marks. With quiet labels every column is written in several hands. (Look along a row, too:
# latents that write a wide 0 write a wide 4.) The price is some digits that cannot be read. *A
# number answers the question that it was asked, and no other.* Tutorial
# [09](09_measuring_quality.ipynb) is about asking well.
#
# And why do they obey? Only *real* threes ever come with the label 3. So a perfect seven with the
# label 3 is a made one, and easily told. The generator's way to a high score is a picture that
# looks real *among the threes*. If only the generator got the label, nothing would punish the
# seven, and the label would be one more random number.

# %% [markdown]
# ## What to remember
#
# 1. The discriminator does not say yes or no. Its best score is
#    $\log (p_\text{data} / p_G)$, a measurement of how the two kinds of pictures differ.
# 2. The generator learns from the slope of that score at every pixel of its own picture. It never
#    needs to see a real one.
# 3. Each player moves only its own weights. The two losses are opponents: neither tells how good
#    the pictures are.
# 4. A loss is judged by its slopes: where it pushes, and where it goes flat.
# 5. Too strong a discriminator teaches nothing; too strong a generator repeats itself. Watch
#    accuracy and diversity.
# 6. A conditional GAN draws what it is asked for, because the discriminator refuses a good picture
#    with a wrong label. No single number says that all is well.

# %% [markdown]
# ## You should see / if not
#
# Measured with three values of `SEED`, on two CPU cores:
#
# - **Section 5**: the fogs' scores below -5, and after obeying every score at least 2 higher, with
#   bits of strokes in place of fog. *If not*, and the wishes are an even pattern: was the cell that
#   trains for two epochs run twice? Run the notebook again from the top.
# - **Section 6**: an accuracy that sinks from about 0.86 to 0.72 to 0.74, and strokes that read as
#   digits in most places of the grid. *If not*, all is flat grey or 40 times the same: one player
#   has won. Run it again with another `SEED`.
# - **Section 7**: 0.20 for made pictures, 0.18 for test digits, and at most 0.1 % below the
#   threshold. *If not*, and the made ones are far closer: they are copies; train for fewer epochs
#   or on more digits.
# - **Section 8**: 3 for real digits, 46 to 56 after the training, 560 to 820 after one epoch. *If
#   not*, and the made ones are above 100: look at the grid of section 6.
# - **Section 10**: even: no warning, diversity 0.96 or 0.97. (a) accuracy 0.96 to 0.99, diversity
#   0.11 to 0.19; with the penalty accuracy 0.92 to 0.94, diversity 0.42 to 0.59. (b) diversity
#   0.23 to 0.34, with the slower generator 0.37 to 0.61. *If not*, and (a) is not warned of, as
#   with one `SEED` of three: it won, but not for two epochs on end.
# - **Section 11**: loud labels: 90 to 100 % and a diversity of 0.13 or 0.14 within a label; quiet
#   labels: 94 to 97 % and 0.90 to 0.92. *If not*, and it is 90 % with loud labels: where each label
#   has one picture only, the reader says yes or no to a tenth at a time.
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
# - M. Lucic and others, *Are GANs Created Equal?*, 2018, [arXiv
#   1711.10337](https://arxiv.org/abs/1711.10337): many losses, compared with equal budgets.
# - T. Miyato and M. Koyama, *cGANs with Projection Discriminator*, 2018, [arXiv
#   1802.05637](https://arxiv.org/abs/1802.05637): how section 11 uses the label.
# - T. White, *Sampling Generative Networks*, 2016, [arXiv
#   1609.04468](https://arxiv.org/abs/1609.04468): why to walk on an arc.
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
assert np.allclose(found_g, loss.generator(None, some_fake), atol=1e-5), (
    f"For scores {some_fake} L_G is {np.round(loss.generator(None, some_fake), 3)}. "
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
# ### Exercise 3: find the bug, between real and made
#
# This bug stood for years in a widely copied example. The programs ran, the pictures came, and
# nobody noticed. So it can happen to anybody; what helps is a test with a known answer.
#
# The gradient penalty of section 9 is taken at pictures *between* a real and a made one: draw a
# share $u$ between 0 and 1, each share as likely as any other and a new one for each pair, and mix
# $u$ times the real picture with $1 - u$ times the made one.
#
# The known answer: let pictures have a single pixel, real ones 0 and made ones 1, and let the
# score be $D(x) = x^2 / 2$. Its slope is $x$, the penalty $(|x| - 1)^2$, and its mean over all $x$
# between 0 and 1 is
#
# $$\int_0^1 (x - 1)^2 \, dx = \frac13.$$
#
# Below is `mixed` with the bug. Run it: the figure shows where the points lie, for pictures of two
# pixels, between a real one at (0, 0) and a made one at (1, 0.5). Then repair it. It must work for
# pictures of any size.


# %% tags=["exercise"]
def mixed(real, fake, rng):
    """Pictures between real and made ones, all arrays (batch, height, width, channels)."""
    share = rng.normal(size=(len(real), 1, 1, 1))
    return share * real + (1.0 - share) * fake


two_pixels = (
    np.zeros((200, 1, 2, 1)),
    np.tile(np.array([1.0, 0.5]).reshape(1, 1, 2, 1), (200, 1, 1, 1)),
)
points = mixed(*two_pixels, np.random.default_rng(0))[:, 0, :, 0]
figure, ax = plt.subplots(figsize=(5, 2.4), layout="constrained")
ax.plot(*points.T, ".", markersize=4)
ax.plot([0, 1], [0, 0.5], "k-", linewidth=1)
ax.plot([0], [0], "ko", [1], [0.5], "kx")
ax.set(xlabel="first pixel", ylabel="second pixel", title="o real, x made, dots: mixed")
plt.show()


# %% tags=["solution"]
def mixed(real, fake, rng):
    """Pictures between real and made ones, all arrays (batch, height, width, channels)."""
    # A normal draw is below 0 or above 1 two times in three: those points lie beyond both ends.
    share = rng.uniform(size=(len(real), 1, 1, 1))
    return share * real + (1.0 - share) * fake


two_pixels = (
    np.zeros((200, 1, 2, 1)),
    np.tile(np.array([1.0, 0.5]).reshape(1, 1, 2, 1), (200, 1, 1, 1)),
)
points = mixed(*two_pixels, np.random.default_rng(0))[:, 0, :, 0]
figure, ax = plt.subplots(figsize=(5, 2.4), layout="constrained")
ax.plot(*points.T, ".", markersize=4)
ax.plot([0, 1], [0, 0.5], "k-", linewidth=1)
ax.plot([0], [0], "ko", [1], [0.5], "kx")
ax.set(xlabel="first pixel", ylabel="second pixel", title="o real, x made, dots: mixed")
plt.show()

# %% tags=["check"]
for shape in ((5, 2, 3, 1), (3, 4, 2, 3)):
    found = np.asarray(mixed(np.zeros(shape), np.ones(shape), np.random.default_rng(0)))
    assert found.shape == shape, (
        f"Mixed pictures have the shape of what is mixed, here {shape}. Yours: {found.shape}. "
        "Hint: one share for each picture, of shape (batch, 1, 1, 1)."
    )
black, white = np.zeros((5000, 2, 3, 1)), np.ones((5000, 2, 3, 1))
found = mixed(black, white, np.random.default_rng(1))
outside = np.mean((found < 0.0) | (found > 1.0))
assert outside == 0.0, (
    f"{outside:.0%} of your points lie beyond the real or the made picture, not between them. "
    "Hint: which random draw gives numbers between 0 and 1 only?"
)
assert np.ptp(found, axis=(1, 2, 3)).max() < 1e-6, (
    "Within one picture the share must be the same for every pixel; yours differs, so the points "
    "lie off the line. Hint: the shape (batch, 1, 1, 1)."
)
assert np.ptp(found[:, 0, 0, 0]) > 0.9, (
    f"Each picture needs a share of its own, anywhere from 0 to 1. Yours run from "
    f"{found.min():.2f} to {found.max():.2f}. Hint: as many draws as pictures, rng.uniform."
)
for pair, name in (((black, white), "real 0, made 1"), ((white, black), "real 1, made 0")):
    penalty = np.mean((np.abs(mixed(*pair, np.random.default_rng(2))[:, 0, 0, 0]) - 1.0) ** 2)
    assert abs(penalty - 1 / 3) < 0.02, (
        f"With {name} the penalty of the score x^2 / 2 is 1/3. Yours: {penalty:.3f}. "
        "Hint: every share between 0 and 1 must be as likely as any other."
    )
again = mixed(black, white, np.random.default_rng(3))
assert not np.allclose(found, again), (
    "Another random generator must give other points; yours gives the same. Hint: draw from `rng`."
)
first, second = np.full((900, 1, 1, 1), 0.2), np.full((900, 1, 1, 1), 0.6)
found = mixed(first, second, np.random.default_rng(4))
assert np.all((found >= 0.2) & (found <= 0.6)), (
    f"Between 0.2 and 0.6 yours run from {found.min():.2f} to {found.max():.2f}. "
    "Hint: the two shares must add up to 1."
)
print("Right: the penalty is taken between the pictures, and its known value is 1/3.")

# %% [markdown]
# ### Exercise 4: find the bug, a label on every pixel
#
# Our discriminator gets the label as a vector. Another way is to lay it over the picture as extra
# channels, one for each class, called **label planes**: *at every pixel* stands the picture's row
# of labels, 1 for its class and 0 for all others. With three classes and the label 1 that is
# `[0, 1, 0]` at each pixel.
#
# This bug, too, stood in a widely copied example. The planes have the right shape and the right
# sum, so nothing complains; and the GAN even learns something, because the labels are still in
# there somewhere. Only no pixel carries its own. Look at what the function returns, then repair it.
# Pictures need not be square.


# %% tags=["exercise"]
def label_planes(rows, height, width):
    """From rows of labels (batch, classes) to planes (batch, height, width, classes)."""
    planes = np.repeat(rows, height * width)
    return planes.reshape(-1, height, width, rows.shape[1])


some_rows = np.eye(3)[[1, 0]]  # two pictures, of class 1 and of class 0
print("labels of the first picture, at the pixels of its first column:")
print(label_planes(some_rows, 5, 2)[0, :, 0])


# %% tags=["solution"]
def label_planes(rows, height, width):
    """From rows of labels (batch, classes) to planes (batch, height, width, classes)."""
    # `repeat` without an axis repeats each single number: a picture begins with all the zeros of
    # its first class. What must be repeated is the whole row.
    return np.tile(rows[:, None, None, :], (1, height, width, 1))


some_rows = np.eye(3)[[1, 0]]  # two pictures, of class 1 and of class 0
print("labels of the first picture, at the pixels of its first column:")
print(label_planes(some_rows, 5, 2)[0, :, 0])

# %% tags=["check"]
for classes, asked_for, height, width in (
    (3, [1, 0], 5, 2),
    (4, [3, 1, 0, 2, 1], 7, 5),
    (10, [9, 0, 4], 1, 3),
    (2, [1], 3, 3),
):
    rows = np.eye(classes)[asked_for]
    right = np.zeros((len(rows), height, width, classes))
    for index, label in enumerate(asked_for):
        right[index, :, :, label] = 1.0
    found = np.asarray(label_planes(rows, height, width))
    assert found.shape == right.shape, (
        f"{len(rows)} pictures of {height} x {width} pixels with {classes} classes need planes of "
        f"shape {right.shape}. Yours: {found.shape}. Hint: height comes before width."
    )
    wrong = np.mean(np.any(found != right, axis=-1))
    assert wrong == 0.0, (
        f"{wrong:.0%} of the pixels do not carry their picture's label ({len(rows)} pictures of "
        f"{height} x {width} pixels, {classes} classes). Hint: repeat whole rows, not single "
        "numbers, and keep the pictures in their order; np.repeat has an `axis`, and np.tile or "
        "np.broadcast_to work on rows[:, None, None, :]."
    )
    soft = np.random.default_rng(classes).random((2, classes))
    found = np.asarray(label_planes(soft, height, width))
    assert np.allclose(found, soft[:, None, None, :]), (
        "Rows of other numbers than 0 and 1 must be laid over the pictures as they are. Hint: "
        "repeat the rows that the function is given; do not make new ones."
    )
print("Right: every pixel carries its picture's label.")
