# %% [markdown]
# # 03 · GAN: losses, failures, labels
#
# **You will be able to**
#
# - compare five pairs of losses, and four penalties, by what they push;
# - tell an even contest from one that is lost, and cure it;
# - show why a discriminator that is seldom wrong can be a bad teacher;
# - ask for a digit and get it, and notice when a good figure hides a bad generator.
#
# **You need** tutorial [02](02_gan.ipynb): the two losses, and the slopes of the score by the
# pixels.
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
importlib.import_module("keras_imgen")  # before TensorFlow, whose quickest convolutions it chooses

if "get_ipython" in globals():  # the check of an exercise says what it found, and nothing else
    tell = lambda shell, kind, error, trace, tb_offset=None: print(f"Not yet: {error}")
    get_ipython().set_custom_exc((AssertionError,), tell)  # noqa: F821

# %% [markdown]
# ## From which of these two would you learn?
#
# Two discriminators were trained on the same digits for the same time, each against a generator
# that learns thirteen times more slowly. Both are seldom wrong. Now both are shown the same fog,
# and asked what they wish: red pixels brighter, blue ones darker.
#
# ![A fog, and what two discriminators wish of it: blue blots, or red strokes](attachment:cover)
#
# One of the two generators is still drawing fog, the other one draws strokes. Before you read on,
# write down a guess: *whose pupil is which, and why?* Section 5 has the answer.

# %% tags=["setup"]
import os

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import keras_imgen as ki

SEED = 0
CONTEST_EPOCHS = 4  # of five short trainings, two of which go wrong
CONDITIONAL_EPOCHS = 6  # of the two trainings with labels
NUM_DIGITS = None  # all 4,000
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # a quick test: its figures mean nothing
    CONTEST_EPOCHS, CONDITIONAL_EPOCHS, NUM_DIGITS = 2, 1, 64

# %% [markdown]
# ## 1. Where we stand
#
# A **generator** $G$ turns 32 random numbers $z$, the latents, into a picture. A **discriminator**
# $D$ gives a picture a **score**: above 0 "real", below 0 "made" (papers write *generated* or
# *fake*). Call $r = D(x)$ the score of a real picture and $s = D(G(z))$ that of a made one. The
# discriminator minimises $L_D$, the generator $L_G$, each by its own weights only:
#
# $$L_D = -\log \sigma(r) - \log(1 - \sigma(s)), \qquad L_G = -\log \sigma(s)$$
#
# - $\sigma(s) = 1 / (1 + e^{-s})$, the **sigmoid**: the probability that belongs to a score.
#
# What reaches the generator is a slope for every pixel of its picture: how much brighter or darker
# the discriminator *wishes* it. Neither loss says how good the pictures are.

# %%
digits = ki.load("digits", seed=SEED)  # real ones: 4,000, in batches of 32
if NUM_DIGITS is not None:
    digits = ki.load_arrays(digits.take(NUM_DIGITS), seed=SEED)
test = ki.load("digits", "test", labels=True)  # real ones that neither player will see
test_digits, test_labels = test.take(1000), test.labels[:1000]
ki.plotting.plot_images(test_digits[:10], 10, "ten real digits")

# %% [markdown]
# ## 2. The losses side by side
#
# These were the first pair, and others have been tried since. The library holds five:
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
# Such formulas look alike until you draw their slopes, for it is the slopes that push: on the left
# the generator's, on the right the discriminator's, both by the score $s$ of a made picture. The
# score of the real one is kept at $r = 2$.

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
# - **least squares**: the push grows with the distance from 1, *and turns round beyond it*. No
#   score runs away, but a generator that is far behind is pushed wildly;
# - **hinge** and **Wasserstein**: always a push of 1. The generator's formulas are the same;
# - **relativistic**: as non-saturating, but what counts is the difference from a real picture. The
#   push fades where the made picture *overtakes the real one*, here at 2, and not at 0.
#
# And the right side, where hinge and Wasserstein part:
#
# - **hinge**: below -1 the discriminator rests, and spares its strength for pictures that are still
#   in doubt;
# - **Wasserstein**: it never rests. It can always lower its loss by making all its scores steeper.
#   *So this loss needs a penalty on steepness.*
#
# A **penalty** is added to $L_D$. With $\nabla_x D(x)$, the slopes of the score by all pixels of
# $x$ (the wishes), and $\lVert \cdot \rVert$, the length of such a list of numbers:
#
# | `penalty=` | what is added, times 10 | at which $x$ | who |
# | --- | --- | --- | --- |
# | `"r1"` | $\frac12 \lVert \nabla_x D(x) \rVert^2$ | real pictures | [6] |
# | `"r2"` | the same | made pictures | [6] |
# | `"r1_r2"` | both | both | [7] |
# | `"gradient_penalty"` | $(\lVert \nabla_x D(x) \rVert - 1)^2$ | between real and made | [8] |
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
#   falls while the pictures get better. It costs five steps of the discriminator for one.
# - **Relativistic**, with `penalty="r1_r2"`: when collapse comes back again and again.
#
# No loss is best everywhere: in a large comparison with equal budgets the pairs came out much
# alike, and good learning rates mattered more (Lucic and others, 2018). So change the loss last.

# %% [markdown]
# ## 3. Two ways to lose
#
# The fight teaches only while it is even. The callback `TrainingHealth` watches three numbers, and
# warns when one of them stays bad for some epochs:
#
# - the **discriminator's accuracy**: the share of pictures that it judges rightly;
# - the **diversity**: how far two made pictures are apart, on average, as a share of how far two
#   real ones are apart. 1 is as varied as the digits, 0 is always the same picture;
# - the **score slope**: how long the list of wishes is, on average. 0 means that the generator
#   hears nothing.
#
# First an even contest. Unlike in tutorial 02, no discriminator here has batch normalisation: a
# penalty asks for the slope of one picture's score, and with batch normalisation a score depends on
# the whole batch. (`compile` would refuse.) Four epochs are not enough for good digits, but they
# show who wins. **About 20 seconds.**


# %%
def contest(generator_rate, discriminator_rate, filters=32, **options):
    """A GAN trained with these learning rates, and its health (`options` go to `compile`)."""
    keras.utils.set_random_seed(SEED)  # all contests begin with the same weights
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


def show(contests):
    """Ten pictures of every generator, all from the same latents."""
    figure, axes = plt.subplots(len(contests), 1, figsize=(9, 1.2 * len(contests)))
    for ax, (title, (model, _)) in zip(np.atleast_1d(axes), contests.items(), strict=True):
        ki.plotting.plot_images(model.sample(10, seed=1), 10, title, ax=ax)
    figure.set_layout_engine("constrained")
    plt.show()


even = {"even: both learn alike": contest(1e-3, 1e-3)}
(_, health), *_ = even.values()
print(f"warnings: {len(health.findings)}")
show(even)
ki.plotting.plot_history(health)

# %% [markdown]
# The accuracy is high and stays below 1, the score slope stays away from 0, and the diversity
# climbs towards that of real digits. This is what a healthy contest looks like.
#
# What happens if one side is too strong? *Guess before you run it*: (a) the discriminator learns
# thirteen times as fast as the generator; (b) the generator learns ten times as fast as the
# discriminator, which is also made small. **About 30 seconds.** The warnings appear while the
# training runs; `findings` keeps them.

# %%
lost = {
    "a: the discriminator wins": contest(3e-4, 4e-3),
    "b: the generator wins": contest(1e-2, 1e-3, filters=4),
}
for name, (_, its_health) in lost.items():
    print(name)
    for finding in its_health.findings:
        print(f"   epoch {finding.epoch}: {finding.message}")
show(lost)

# %% [markdown]
# **(a)** The accuracy is close to 1: the discriminator knows nearly every made picture at once, and
# the generator is left in its fog. The non-saturating loss does not help. It keeps the slope of the
# loss *by the score* steep; what has lost its meaning is the slope of the score *by the pixels*.
#
# **(b)** The accuracy is below 0.5: this discriminator is fooled more often than not. And *whatever
# the latents are, the picture is nearly the same.* The generator found one smudge that the weak
# discriminator lets pass, and moved all its pictures there faster than the other could learn to
# refuse it. This is **mode collapse**, a mode being a place where pictures are frequent, such as
# the ones. Nothing in $L_G$ forbids it: the loss looks at one picture at a time, and never asks
# whether the others are different.

# %% [markdown]
# ## 4. Two cures
#
# For (a) we add the penalty R1 of section 2, and change nothing else. For (b) we lower the
# generator's learning rate to that of the discriminator, and leave the discriminator as small as it
# was. *Guess again*: can a fine for steep scores help a generator that is thirteen times too slow?
# **About 35 seconds.**

# %%
cured = {
    "a with the penalty R1": contest(3e-4, 4e-3, penalty="r1"),
    "b with a slower generator": contest(1e-3, 1e-3, filters=4),
}
for name, (_, its_health) in {**even, **lost, **cured}.items():
    last = {key: values[-1] for key, values in its_health.history.items()}
    print(
        f"{name:26} accuracy {last['discriminator_accuracy']:.2f}   diversity "
        f"{last['diversity']:.2f}   score slope {last['score_slope']:.2f}   "
        f"warnings: {len(its_health.findings)}"
    )
show(cured)

# %% [markdown]
# Both warnings are gone, and the pictures differ from each other. (They are cured, not well: both
# are far behind the even contest.) Look at (a) closely. The learning rates are as unequal as
# before, and the accuracy is still high. Yet there are strokes. And the score slope, once nearly as
# steep as in the even contest, is many times flatter. How can it teach more by pushing less?

# %% [markdown]
# ## 5. What the loser heard
#
# Show one fog of the lost contest (a) to the discriminator that won, and to the one that paid the
# penalty. As in tutorial 02 we take the mean of the slopes over 3 x 3 pixels. The optimizer, Adam,
# evens out how long they are; so each panel is divided by its own standard deviation.

# %% tags=["cover"]
judges = [lost["a: the discriminator wins"], cured["a with the penalty R1"]]
fog = judges[0][0].sample(10, seed=1)[:1]
figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.6), layout="constrained")
axes[0].imshow(fog[0, ..., 0], "gray", vmin=0.0, vmax=1.0)
axes[0].set_title("a fog, made in contest (a)")
for ax, name, (model, its_health) in zip(axes[1:], ("first", "second"), judges, strict=True):
    wishes = tf.nn.avg_pool2d(model.score_slopes(fog), 3, 1, "SAME")[0, ..., 0]
    shown = ax.imshow(wishes / np.std(wishes), "RdBu_r", vmin=-3.0, vmax=3.0)
    right = its_health.history["discriminator_accuracy"][-1]
    ax.set_title(f"wishes of the {name}: {right:.0%} right")
for ax in axes:
    ax.set(xticks=[], yticks=[])
bar = figure.colorbar(shown, ax=axes, ticks=[-3, 0, 3])
bar.ax.set_yticklabels(["darker", "as it is", "brighter"])
plt.show()

# %% [markdown]
# The first one is the winner. It says little more than *darker, where this fog is bright*. To tell
# such fogs from digits there is no need to know anything about strokes, and so nothing about
# strokes is passed on. The second one asks for strokes: red lines, blue on both sides.
#
# *Where the slopes point matters, not how steep they are.* A likely reason: what belongs to this
# fog alone is told by steep scores. A discriminator that pays for steepness must go by what differs
# widely between both kinds, and that is strokes. (A low slope is no good sign by itself: in (b) it
# is the lowest of all.)
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
# In a long training nobody sits and watches. `TrainingHealth(test_digits, rollback=0.5)` does more
# than warn: after a collapse, vanished slopes or a loss that is no number any more it takes the
# model back to its last healthy epoch (a **rollback**), halves the learning rates, and goes on.

# %% [markdown]
# ## 6. A digit on demand
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
# as it is. Why would it draw a 3 when asked for one?
#
# One thing is left to choose: how long should the vectors of the classes be in the beginning? We
# train twice, with vectors as long as the latents, "loud", and with vectors a tenth as long,
# "quiet". All else is the same; batch normalisation is on again. **About 70 seconds.**

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
# First a check in numbers. With the package comes a small **classifier** that reads digits; we call
# it the reader. How often does it read what we asked for?

# %%
reader = ki.metrics.DigitFeatures()
labels = np.arange(1000) % 10  # a hundred of each
made = {name: model.sample(1000, labels=labels, seed=1) for name, model in conditional.items()}

print(f"real test digits    {np.mean(reader.labels(test_digits) == test_labels):6.1%}")
for name, pictures in made.items():
    print(f"{name:19} {np.mean(reader.labels(pictures) == labels):6.1%} are read as asked for")

# %% [markdown]
# By chance it would be one in ten, so both obey. The one with loud labels does better, and seems
# perfect. Is it? *Guess*, then look at them. Each column has the same label; each row has the same
# latents.

# %%
latents = np.random.default_rng(SEED).standard_normal((4, 32)).astype("float32")
each_latents, each_label = np.repeat(latents, 10, axis=0), np.tile(np.arange(10), 4)
figure, axes = plt.subplots(1, 2, figsize=(13, 3.2), layout="constrained")
for ax, (name, model) in zip(axes, conditional.items(), strict=True):
    pictures = np.asarray(model.predict_latents(each_latents, each_label))
    ki.plotting.plot_images(pictures, 10, f"asked for 0 to 9, {name}", ax=ax)
plt.show()


def same_label_distance(pictures, labels):
    """Mean distance between two pictures of the same label."""
    groups = [pictures[labels == label] for label in range(10)]
    pairs = [np.roll(group, 1, axis=0) - group for group in groups]
    return np.mean([np.sqrt((pair**2).sum(axis=(1, 2, 3))).mean() for pair in pairs])


for name, pictures in made.items():
    share = same_label_distance(pictures, labels) / same_label_distance(test_digits, test_labels)
    print(f"{name:19} diversity within a label {share:.2f}")

# %% [markdown]
# Ten labels, ten pictures! With loud labels the latents change nothing: this is the collapse of
# section 3, once inside each label. The label decided on the whole picture before the latents had
# learned to vary it, and then it was too late. The reader, which was only asked what it reads, gave
# full marks. With quiet labels every column is written in several hands. The price is some digits
# that cannot be read. *A number answers the question that it was asked, and no other.* Tutorial
# [09](09_measuring_quality.ipynb) is about asking well.
#
# And why do they obey? Only *real* threes ever come with the label 3. So a perfect seven with the
# label 3 is a made one, and easily told. The generator's way to a high score is a picture that
# looks real *among the threes*.

# %% [markdown]
# ## What to remember
#
# 1. A loss is judged by its slopes: where it pushes, and where it goes flat.
# 2. Too strong a discriminator teaches nothing; too strong a generator repeats itself. Watch
#    accuracy and diversity.
# 3. Where the wishes point matters, not how steep they are. A penalty on steepness can turn a judge
#    into a teacher.
# 4. A conditional GAN draws what it is asked for, because the discriminator refuses a good picture
#    with a wrong label. No single number says that all is well.

# %% [markdown]
# ## You should see / if not
#
# Measured with three values of `SEED`, on two CPU cores:
#
# - **Sections 3 and 4**: even: no warning, accuracy 0.85 to 0.89, diversity 0.80 to 0.85. (a)
#   accuracy 0.96 to 0.99, diversity 0.11 to 0.24; with the penalty accuracy 0.92 to 0.94, diversity
#   0.42 to 0.59. (b) diversity 0.23 to 0.41, with the slower generator 0.37 to 0.65. *If not*, and
#   (a) is not warned of, as with one `SEED` of three: it won, but not for two epochs on end.
# - **Section 5**: blue blots from the first, bits of red strokes from the second. *If not*, take
#   another fog: `[1:2]` in place of `[:1]`.
# - **Section 6**: loud labels: 90 to 100 % and a diversity of 0.12 to 0.14 within a label; quiet
#   labels: 94 to 97 % and 0.88 to 0.92. *If not*, and it is 90 % with loud labels: where each label
#   has one picture only, the reader says yes or no to a tenth at a time.
# - **Time**: within twice the seconds that are given. *If not*, other programs are running.
#
# ## Read on
#
# **In papers this is called.** A *contest that is lost* ends in vanishing gradients: the
# discriminator has become too good. *Diversity* that falls is mode collapse. Our *label planes* are
# class conditioning. R1 and the gradient penalty (WGAN-GP) regularise the discriminator, which
# under a Wasserstein loss is called a critic.
#
# - M. Arjovsky and L. Bottou, *Towards Principled Methods for Training GANs*, 2017, [arXiv
#   1701.04862](https://arxiv.org/abs/1701.04862): why a discriminator that wins stops teaching.
# - M. Lucic and others, *Are GANs Created Equal?*, 2018, [arXiv
#   1711.10337](https://arxiv.org/abs/1711.10337): many losses, compared with equal budgets.
# - T. Miyato and M. Koyama, *cGANs with Projection Discriminator*, 2018, [arXiv
#   1802.05637](https://arxiv.org/abs/1802.05637): how section 6 uses the label.
#
# The digits are from MNIST (Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0).

# %% [markdown]
# ## Exercises
#
# Replace each `...` and run the cell, then the check below it. The check prints `Right`, or says
# what it found and gives a hint.
#
# ### Exercise 1: find the bug, between real and made
#
# This bug stood for years in a widely copied example. The pictures came, and nobody noticed. What
# helps is a test with a known answer.
#
# The gradient penalty of section 2 is taken at pictures *between* a real and a made one: draw a
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
# ### Exercise 2: find the bug, a label on every pixel
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
