# %% [markdown]
# # 02 · GAN: two networks that only fight
#
# **You will be able to**
#
# - write down what each of the two networks minimises, and check it in numbers;
# - explain how a network that is never shown a digit learns to draw digits;
# - read the library's training step beside the algorithm of the paper;
# - show that a generator has learned and not copied, and say in one number how good it is.
#
# **You need** tutorial [01](01_generation_and_restoration.ipynb): pictures as arrays in [0, 1],
# `fit`.
#
# **Time** on two CPU cores: 2 minutes of computing, 60 minutes with reading and exercises.

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
# ## How can two networks that only fight learn to draw?
#
# One network makes pictures. It is never shown a picture, only told how badly it did. Another
# network gives marks. All that it is ever shown are the first one's pictures, mixed with real ones.
# Neither is taught to draw, and yet:
#
# ![A film of the training: twenty pictures turn from fog into digits](attachment:cover)
#
# Each place in this film has the same random numbers all the time. Before you read on, write down a
# guess: *what exactly does the first network get from the second, so that fog turns into a digit?*
# Section 5 shows it to you.

# %% tags=["setup"]
import inspect
import os

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from IPython.display import Image

import keras_imgen as ki

SEED = 0
EPOCHS = 16  # of the main training
TOY_EPOCHS = 20  # of the discriminator that looks at single numbers
NUM_DIGITS = None  # all 4,000
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # a quick test: its figures mean nothing
    EPOCHS, NUM_DIGITS = 2, 64

# %% [markdown]
# ## 1. The two players
#
# The **generator** $G$ takes a vector $z$ of 32 random numbers, the **latents**, and returns a
# picture $G(z)$. The latents are all it ever gets: no picture goes in.
#
# Inside, the latents are spread over a stack of small pictures of 4 x 4 pixels, and layers that
# double the sides enlarge them to 28 x 28. (They are transposed convolutions; tutorial 05 explains
# what a convolution is. The recipe is known as DCGAN, and `filters` is its size.)
#
# The **discriminator** $D$ goes the other way, from 28 x 28 down to a number. It takes a picture
# $x$ and returns one number, the **score** $D(x)$. Above 0 it says "real", below 0 "made". (Papers
# write *generated* or *fake*.) A score of this kind, any number from minus to plus infinity, is
# called a **logit**. The **sigmoid** turns it into a probability:
#
# $$\sigma(s) = \frac{1}{1 + e^{-s}}$$
#
# where $s$ is a score and $\sigma(s)$ the probability, according to the discriminator, that the
# picture is real. ($\log$ below is the natural logarithm.)
#
# Both networks use **batch normalisation**: between two layers, the values of a batch are shifted
# and scaled to mean 0 and variance 1. That makes the training quicker, and in the discriminator it
# does more. Real and made pictures reach it as two batches, so it notices how varied each of them
# is: who draws one picture again and again gives himself away. The price is that a score depends on
# the other pictures of its batch.

# %%
digits = ki.load("digits", seed=SEED)  # real ones: 4,000, in batches of 32
if NUM_DIGITS is not None:
    digits = ki.load_arrays(digits.take(NUM_DIGITS), seed=SEED)
test = ki.load("digits", "test", labels=True)  # real ones that neither player will see
test_digits, test_labels = test.take(1000), test.labels[:1000]


def new_gan():
    """Two untrained players; they begin with the same weights every time."""
    keras.utils.set_random_seed(SEED)
    generator = ki.networks.dcgan_generator((28, 28, 1), latent_dim=32, filters=32)
    discriminator = ki.networks.dcgan_discriminator((28, 28, 1), filters=32)
    gan = ki.GAN(generator, discriminator, seed=SEED)
    # beta_1 = 0.5 gives Adam a short memory: what helped against yesterday's opponent is outdated.
    gan.compile(
        keras.optimizers.Adam(4e-3, beta_1=0.5),  # the generator's
        keras.optimizers.Adam(4e-3, beta_1=0.5),  # the discriminator's
    )
    return gan


gan = new_gan()
for network in (gan.generator, gan.discriminator):
    print(
        f"{network.name:14} {network.input_shape} -> {network.output_shape}, "
        f"{network.count_params():,} numbers"
    )

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
# Programs call this the *binary cross-entropy*.
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
# There is a choice in $L_G$. If the generator simply wanted the opposite of what the discriminator
# wants, it would minimise $\log(1 - \sigma(D(G(z))))$. That falls and rises together with $L_G$, so
# why not?
#
# What a network learns from is not the loss but its slope. With $s = D(G(z))$, the slopes are
#
# $$\frac{d}{ds}\,\log\bigl(1 - \sigma(s)\bigr) = -\sigma(s),
# \qquad \frac{d}{ds}\,\bigl(-\log \sigma(s)\bigr) = \sigma(s) - 1.$$
#
# Their size says how hard the generator is pushed. Early in the training $s$ is far below 0, and
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
# strength: it is **non-saturating**, and the one that the paper recommends and that we use.

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
# Here is the library's own code.

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
# Read the end of the method first; the small functions above it are only called there. `real` is
# the batch, $x$ in the formulas; `formulas` is the pair of losses from section 2.
#
# - *The generator draws pictures.* `drawn` draws latents and makes `fake`, $G(z)$; `recorded` notes
#   what was computed on the way, so that `pull_back` can later turn a wish for the pictures into
#   one for the generator's weights.
# - *The discriminator takes a step* is line 2. `gradients` are the slopes of `discriminator_loss`
#   by `critics`, the discriminator's weights: both kinds of pictures get their scores, the first
#   formula turns scores into one value per picture, `ops.mean` averages them. `apply` moves these
#   weights and nothing else.
# - *What do its new scores wish?* The discriminator has just moved. It gives new scores to *the
#   same* pictures, and the second formula turns them into $L_G$, in `generator_loss`. No real
#   picture appears in it (but for losses whose `neutral is None`, and ours is none of them).
#   `wishes` are its slopes by the pictures, the instruction for every pixel of section 3.
# - Line 4: `pull_back` follows the wishes from the pictures back into the generator, and `apply`
#   moves `makers`, the generator's weights, and nothing else. This is the whole fight: two losses,
#   and each player may move only its own weights.
# - Line 3 is missing. The paper draws new latents for the generator's step; here, as in many
#   programs, both steps look at the same pictures.
# - `follow` keeps a slow **moving average** of the generator's weights. A generator that
#   fights sways; its average is steadier, and `sample` and `predict_latents` use it.
# - The rest is housekeeping. `turn` is true in every step here: the paper allows several steps of
#   the discriminator for one of the generator. Labels, `_augmented`, `weighed`, the penalty and the
#   totals change nothing, because we asked for none of them. `_track` keeps the logs.
#
# If the discriminator could move the generator's weights, it would win by making the generator
# worse. Check that the two lists of weights have nothing in common:

# %%
players = gan.generator.trainable_variables, gan.discriminator.trainable_variables
shared = {id(v) for v in players[0]} & {id(v) for v in players[1]}
print(f"weights: {len(players[0])} arrays, {len(players[1])} arrays; shared: {len(shared)}")

# %% [markdown]
# ## 5. What the generator hears
#
# One **epoch**, a pass through all digits, is enough for a first look. **About 7 seconds.**

# %%
early = new_gan()
early.fit(digits, epochs=1, verbose=0)
fogs = snapshots["after one epoch"] = np.asarray(early.predict_latents(latents))
first_made = early.sample(1000, seed=1)  # kept for section 8


def smoothed(slopes):
    """The mean of 3 x 3 pixels around each: what neighbours agree on."""
    return tf.nn.avg_pool2d(slopes, 3, 1, "SAME")


def obey(pictures, steps=40, step=0.02):
    """Change the pixels a little in the direction of the smoothed slopes; repeat."""
    for _ in range(steps):
        wishes = smoothed(early.score_slopes(pictures))
        steepest = tf.reduce_max(tf.abs(wishes), axis=(1, 2, 3), keepdims=True)
        pictures = np.clip(pictures + step * wishes / steepest, 0.0, 1.0)
    return pictures


slopes, obeyed = early.score_slopes(fogs), obey(fogs)
for name, pictures in (("fogs", fogs), ("after obeying", obeyed)):
    print(f"scores, {name:14}", np.round(np.asarray(early.score(pictures))[:, 0], 1))

# %% [markdown]
# All scores of the fogs are far below 0: the discriminator is not fooled. But look at its slopes,
# one for each pixel, here by the first fog. Red says "make this pixel brighter and the score
# rises", blue "darker", white "I do not mind". Slopes of single pixels flicker, for the layers
# halve the picture by looking at every second pixel; so the third panel shows the mean over 3 x 3
# pixels. In the last one, the fog has taken 40 small steps in that direction.

# %%
means = smoothed(slopes)
panels = {
    "made after one epoch": (fogs, "gray", 0.0, 1.0),
    "slopes: red brighter, blue darker": (slopes / np.std(slopes[0]), "RdBu_r", -4.0, 4.0),
    "slopes, mean of 3 x 3": (means / np.std(means[0]), "RdBu_r", -4.0, 4.0),
    "the fog, wishes granted": (obeyed, "gray", 0.0, 1.0),
}
figure, axes = plt.subplots(1, 4, figsize=(13, 3.5), layout="constrained")
for ax, (title, (pictures, colours, low, high)) in zip(axes, panels.items(), strict=True):
    ax.imshow(pictures[0, ..., 0], colours, vmin=low, vmax=high)
    ax.set(title=title, xticks=[], yticks=[])
plt.show()

# %% [markdown]
# There is the answer to the opening question. The discriminator has compared fogs with digits, and
# what tells them apart is strokes. So its slopes draw strokes into the fog: brighter where the fog
# is nearly one, darker beside it. *The generator learns to draw because the one who finds its
# faults points at them, pixel by pixel.*
#
# The wishes of one moment do not lead far: obeyed blindly, they give crisp strokes, and no digit.
# So both must go on learning, step by step, each from the other.

# %% [markdown]
# ## 6. The fight
#
# Now the whole training, from the same first weights. After each epoch `SampleGrid` shows what the
# generator makes of twenty latents, always the same, and writes the picture into the folder `film`;
# at the end `TrainingGif` joins all of them. **About 80 seconds.**

# %%
gan = new_gan()
history = gan.fit(
    digits,
    epochs=EPOCHS,
    callbacks=[ki.callbacks.SampleGrid("film", n=20, columns=10), ki.callbacks.TrainingGif("film")],
    verbose=0,
)

# %% [markdown]
# This is the film. (Where it does not play here, it stands at the top of this page.)

# %% tags=["cover"]
Image("film.gif", alt="A film: twenty smudges become digits, epoch by epoch")

# %% [markdown]
# Strokes come before digits, and the last epochs only polish. Most of the pictures can be read in
# the end, and some are letters of an unknown alphabet. The ten of the beginning, on their way:

# %%
snapshots[f"after {EPOCHS} epochs"] = np.asarray(gan.predict_latents(latents))
figure, axes = plt.subplots(3, 1, figsize=(9, 3.6), layout="constrained")
for ax, (title, pictures) in zip(axes, snapshots.items(), strict=True):
    ki.plotting.plot_images(pictures, 10, title, ax=ax)
plt.show()

# %%
ki.plotting.plot_history(history)

# %% [markdown]
# Read the curves with section 2 in mind:
#
# - **Discriminator accuracy** is the share of pictures, real and made, that it judges rightly. 0.5
#   is guessing, 1.0 is never wrong. It stays in between: the generator gets better, and so does its
#   judge.
# - **Discriminator loss** would be 1.386 if it knew nothing. It stays below that: it still has
#   something to teach.
# - **Generator loss** falls at first and then rises again, while the film gets better and better.
#   So *neither loss says how good the pictures are*. For that you have to look at them.

# %% [markdown]
# ## 7. Has it learned, or copied?
#
# 4,000 digits are few enough to be learned by heart, which is called **memorisation**. Two tests.
#
# First, walk: from one latent vector to another in equal steps, a **latent traversal**. A generator
# that had stored pictures would jump from one to the next.
#
# Which way? 32 normal numbers have a length of about $\sqrt{32} = 5.7$, and the generator has seen
# no others. The straight line between two of them passes the origin at a distance of about 4. So we
# keep the length and turn the direction, as on a globe: `arc`.
#
# And from where to where? From a clear 3 to a clear 8, for example. With the package comes a small
# **classifier**, a network that has learned to read digits; we call it the reader. Just before it
# names the digit, it describes a picture by 64 numbers, its **features**. Among 500 made pictures
# we take the one that it reads as a 3 and whose features lie nearest to the mean of real threes.


# %%
def arc(start, end, steps=10):
    """Latents in equal steps on the arc from one vector to another."""
    cosine = start @ end / (np.linalg.norm(start) * np.linalg.norm(end))
    angle = np.arccos(min(cosine, 0.999))  # were both the same, the quotient below would be 0 / 0
    t = np.linspace(0.0, 1.0, steps)[:, None]
    return (np.sin((1.0 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle)


reader = ki.metrics.DigitFeatures()
many = np.random.default_rng(SEED).standard_normal((500, 32)).astype("float32")
drawn = np.asarray(gan.predict_latents(many))
features, read, real_features = reader(drawn), reader.labels(drawn), reader(test_digits)


def clearest(digit):
    """The latents of the picture that is read as this digit and most like real ones of it."""
    typical = real_features[test_labels == digit].mean(axis=0)
    distances = np.linalg.norm(features - typical, axis=1)
    return many[np.argmin(np.where(read == digit, distances, np.inf))]


arcs = [arc(clearest(start), clearest(end)) for start, end in ((3, 8), (1, 7), (4, 9))]
middle = (many[:-1] + many[1:]) / 2.0  # half way on straight lines
for name, vectors in (("drawn", many), ("on the arcs", arcs), ("middle of lines", middle)):
    print(f"mean length, {name:15}: {np.linalg.norm(vectors, axis=-1).mean():.1f}")

walks = np.asarray(gan.predict_latents(np.concatenate(arcs).astype("float32")))
for row in reader.labels(walks).reshape(3, 10):
    print("read as", *row)
figure, ax = plt.subplots(figsize=(9, 3), layout="constrained")
ki.plotting.plot_images(walks, 10, "from left to right: one digit turns into another", ax=ax)
plt.show()

# %% [markdown]
# No jumps: strokes bend, close and open, one step after the other. (The callback
# `ki.callbacks.LatentTraversal` draws such walks after each epoch.)
#
# Second, search: for each made picture the nearest of the training digits, by the root of the mean
# squared difference per pixel. The yardstick is the same search for test digits, which certainly
# were not copied. The nearest 1 % of them give the threshold. If the generator copies, far more
# than 1 % of its pictures lie below it.

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
# Far fewer than 1 % lie below the threshold: relatives of their neighbours, not copies. And the
# typical one is *farther* away than new handwriting is. That is no merit: it also says that the
# made ones are not yet quite like digits. (Keep one weakness in mind: pixel by pixel, a copy that
# was moved by one pixel is far away, too.)

# %% [markdown]
# ## 8. A first figure of quality
#
# "Most can be read" is no number. The **Fréchet distance** is one. In the space of the reader's 64
# features real pictures form a cloud, and made pictures form another; the Fréchet distance says how
# far apart the two clouds are, in place and in shape. 0 would be the same cloud.
#
# Alone it says nothing. So we also measure other real digits, the best that can be expected, and
# the pictures after one epoch.

# %%
distance = ki.metrics.FrechetDistance(test_digits)
candidates = {
    "real digits of the training set": ki.load("digits").take(1000),
    f"made after {EPOCHS} epochs": made,
    "made after one epoch": first_made,
}
for name, pictures in candidates.items():
    print(f"{name:32} Fréchet distance {float(distance(pictures)):6.1f}")

# %% [markdown]
# The training has gone most of the way: nearly 400 became about 20. And it is not at its
# end, for other real digits are far nearer still.
#
# One number never says *what* is wrong. Tutorial [09](09_measuring_quality.ipynb) does.

# %% [markdown]
# ## What to remember
#
# 1. The discriminator does not say yes or no. Its best score is
#    $\log (p_\text{data} / p_G)$, a measurement of how the two kinds of pictures differ.
# 2. The generator learns from the slope of that score at every pixel of its own picture. It never
#    needs to see a real one.
# 3. Each player moves only its own weights. The two losses are opponents: neither tells how good
#    the pictures are.
# 4. So look at them, ask whether they are copies, and measure them beside real ones.
#
# Here the fight was even, and we took whatever digit came. What happens when one side wins, which
# other losses there are, and how to ask for a 3: tutorial [03](03_gan_losses.ipynb).

# %% [markdown]
# ## You should see / if not
#
# Measured with three values of `SEED`, on two CPU cores:
#
# - **Section 5**: all scores of the fogs below -1, and after obeying each at least 7 higher; slopes
#   that draw strokes. *If not*, was the cell stopped? Run it again.
# - **Section 6**: an accuracy of 0.71 to 0.81 in all epochs, and digits that can be read in about
#   three of four places. *If not*, all is flat grey or twenty times the same: one player has won.
#   Run it again with another `SEED`.
# - **Section 7**: walks that begin and end at the digits that were asked for. 0.19 or 0.20 for made
#   pictures, 0.18 for test digits, and 0.2 to 0.5 % below the threshold. *If not*, and the made
#   ones are far closer: they are copies; train for fewer epochs or on more digits.
# - **Section 8**: 3 for real digits, 19 to 25 after the training, 350 to 400 after one epoch. *If
#   not*, and the made ones are above 60: look at the film of section 6.
# - **Time**: within twice the seconds that are given. *If not*, other programs are running.
# - With a graphics card, take `filters=64` in both networks and 60 epochs of `ki.load("mnist")`.
#
# ## Read on
#
# **In papers this is called.** The *discriminator* is also called critic or classifier, its *score*
# (before the sigmoid) the logit. The *made* pictures are generated, fake or synthetic samples; the
# *averaged weights* of the generator an exponential moving average (EMA). What we call wishes of
# the discriminator are gradients of the loss by the generated pixels.
#
# - I. Goodfellow and others, *Generative Adversarial Nets*, 2014, [arXiv
#   1406.2661](https://arxiv.org/abs/1406.2661): Algorithm 1 and Proposition 1, on nine pages.
# - A. Radford and others, *Unsupervised Representation Learning with Deep Convolutional GANs*,
#   2016, [arXiv 1511.06434](https://arxiv.org/abs/1511.06434): the two networks used here, batch
#   normalisation in both, and walks between latents.
# - T. White, *Sampling Generative Networks*, 2016, [arXiv
#   1609.04468](https://arxiv.org/abs/1609.04468): why to walk on an arc.
# - Y. Yazıcı and others, *The Unusual Effectiveness of Averaging in GAN Training*, 2019, [arXiv
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
