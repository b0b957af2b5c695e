# %% [markdown]
# # 11 · From denoiser to generator
#
# **You will be able to**
#
# - say what a denoiser answers where noise leaves nothing to see, and why;
# - compute the best denoiser that there can be, and say why a generator must not be it;
# - lead noise to a digit by hand, in ten lines;
# - read the training step beside the formula; ask for a digit, and say what guidance costs;
# - choose between the truest answer and a likely one.
#
# **You need** [tutorial 05](05_cnn_denoising.ipynb), section 5 (the conditional mean), and
# [tutorial 02](02_gan.ipynb) to know what a generator and a Fréchet distance are.
#
# **Time** on two CPU cores: 5 minutes of computing, 75 minutes with reading and exercises.

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
# ## How does it draw what nobody wrote?
#
# A network has learned one thing: to remove noise from digits. Give it noise alone, with no digit
# under it, and follow what it says (a **diffusion model**):
#
# ![A film: twenty pictures of noise turn into twenty digits](attachment:cover)
#
# None of these twenty was ever written by anybody. Nothing is drawn at random on the way; all
# chance is in the first frame. **Write down a guess**: asked *once* what is under pure noise, what
# will the network answer?

# %% tags=["setup"]
import inspect
import itertools
import os
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Image

import keras_imgen as ki

SEED = 0
EPOCHS = 8  # in each of three cells
NUM, FEW = 1000, 500  # samples of each kind that are compared
STEPS = (1, 2, 4, 8, 18)
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # a quick test: its figures mean nothing
    EPOCHS, NUM, FEW, STEPS = 1, 100, 100, (1, 2)

keras.utils.set_random_seed(SEED)  # the same first weights, and so the same pictures, every time

# %% [markdown]
# ## 1. A denoiser for noise of every strength
#
# A U-Net (tutorial 07) gets a noisy digit, is told how strong the noise is, and in four cases of
# five which digit it is. It is asked for the smallest squared error, as every denoiser of this
# course. Section 5 reads the training step; until then let it learn. **Three times about 60
# seconds.**

# %%
digits = ki.load("digits", labels=True, batch_size=32, seed=SEED)
train_digits = digits.take(4000)
test = ki.load("digits", "test", labels=True)
test_digits, test_labels = test.take(1000), test.labels[:1000]

network = ki.networks.diffusion_unet((28, 28, 1), filters=(24, 48, 96), num_classes=10)
model = ki.Diffusion(network, ema_momentum=0.995, label_dropout=0.2, seed=SEED)
steps = 3 * EPOCHS * len(digits)
rate = keras.optimizers.schedules.CosineDecay(
    2e-4, steps - steps // 20, warmup_target=4e-3, warmup_steps=steps // 20, alpha=0.01
)  # small steps first, then large ones, and a rest at the end
model.compile(keras.optimizers.Adam(rate))
print(f"{network.count_params():,} weights, {len(train_digits):,} digits, {steps:,} steps")
history = model.fit(digits, epochs=EPOCHS, verbose=0)

# %%
history = model.fit(digits, epochs=EPOCHS, verbose=0)

# %%
history = model.fit(digits, epochs=EPOCHS, verbose=0)
print(f"loss of the last epoch: {history.history['loss'][-1]:.3f}")

# %% [markdown]
# `model.denoise(x, level)` is the denoiser: $\sigma$ = `level` is the standard deviation of the
# noise, as a share of the range from black to white. We do not tell it which digit it is.


# %%
def noisy(pictures, level):
    """Pictures with noise of a level; the same noise in every call."""
    rng = np.random.default_rng(5)
    return (pictures + level * rng.standard_normal(pictures.shape)).astype("float32")


def network_denoise(y, level, labels=None):
    """The network's answer, a few pictures at a time."""
    answers = []
    for part in (slice(i, i + 250) for i in range(0, len(y), 250)):
        told = None if labels is None else labels[part]
        answers.append(np.asarray(model.denoise(y[part], level, told)))
    return np.concatenate(answers)


def mean_psnr(clean, pictures):
    """The mean over several pictures; what lies outside [0, 1] is cut off, as on a screen."""
    return float(np.mean(ki.metrics.psnr(clean, np.clip(pictures, 0.0, 1.0))))


def show_rows(rows, columns=10, width=8):
    """Draw rows of pictures below each other; `rows` has a title for each."""
    size = (width, (0.32 + width / columns) * len(rows))
    _, axes = plt.subplots(len(rows), 1, figsize=size, layout="constrained", squeeze=False)
    for ax, (title, pictures) in zip(axes[:, 0], rows.items(), strict=True):
        shown = np.clip(pictures[:columns], 0.0, 1.0)
        ki.plotting.plot_images(shown, columns, title, ax=ax)
    plt.show()


levels = (0.1, 0.25, 0.5, 1.0, 2.0, 10.0, 100.0)
one = np.repeat(test_digits[3:4], len(levels), axis=0)
seen = np.concatenate([noisy(one[:1], level) for level in levels])
found = model.denoise(seen, np.array(levels))
title = "a test digit, noise of level " + ", ".join(f"{level:g}" for level in levels)
show_rows({title: seen, "denoised in one step": np.asarray(found)}, len(levels))

# %% [markdown]
# With little noise the answer is nearly perfect. At level 1 the eye hardly finds a digit, and the
# network still does, if a softer one. At 100 it answers with a bright spot. Was your guess a digit?
#
# ## 2. The best denoiser there can be
#
# The smallest squared error has a closed form: the conditional mean (tutorial 05). If the clean
# picture is one of $N$ pictures $x_i$, each equally likely, then after $y$ was seen
#
# $$\mathbb{E}[x \mid y] = \sum_{i=1}^{N} w_i \, x_i, \qquad w_i =
# \frac{\exp(-\lVert y - x_i \rVert^2 / 2 \sigma^2)}{\sum_j \exp(-\lVert y - x_j \rVert^2 / 2
# \sigma^2)}$$
#
# - $\lVert y - x_i \rVert^2$ is the sum of squared differences over all pixels: the nearer a
#   picture, the more it counts;
# - $\sigma$ is the level: with much noise all weights are about alike.
#
# We know the 4,000 digits that the network learned from. So this **optimal denoiser** is five lines
# of NumPy.
#
# *First predict: at level 100, what do both answer? And at 0.25, which of the two has the
# better PSNR on test digits: the network, or the optimal denoiser?*


# %%
def optimal_denoise(y, level, *labels):
    """The mean of all training digits, each weighted by how well it explains y."""
    known, flat = train_digits.reshape(len(train_digits), -1), np.float64(y).reshape(len(y), -1)
    exponents = (flat @ known.T - 0.5 * (known**2).sum(axis=1)) / level**2  # |y|^2 cancels out
    weights = np.exp(exponents - exponents.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return (weights @ known).reshape(y.shape).astype("float32")


def rms(difference):
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(difference))))


mean_digit = train_digits.mean(axis=0, keepdims=True)
some = test_digits[:200]
rows = {}
print("         PSNR on test digits    network to   distance to the mean digit")
print("level    network    optimal      optimal       network    optimal")
for level in levels:
    y = noisy(some, level)
    answers = network_denoise(y, level), optimal_denoise(y, level)
    psnrs = [mean_psnr(some, answer) for answer in answers]
    print(f"{level:5}    {psnrs[0]:4.1f} dB    {psnrs[1]:4.1f} dB", end="")
    print(f"{rms(answers[0] - answers[1]):12.3f}", end="")
    print(f"{rms(answers[0] - mean_digit):14.3f}{rms(answers[1] - mean_digit):11.3f}")
    if level == 0.25:
        rows |= {"level 0.25, network": answers[0], "level 0.25, optimal": answers[1]}
last = np.concatenate([answers[0][:5], answers[1][:4], mean_digit])
show_rows(
    {"test digits": some, **rows, "level 100: five by the network, four optimal; mean digit": last}
)

# %% [markdown]
# *Much noise.* Both give nearly the same answer, the mean digit, as the formula says: all weights
# are alike. Whoever asks once what is under pure noise gets the mean of all that there is.
#
# *Little noise.* Here they part. One training digit takes all the weight, and the optimal denoiser
# hands out *a copy of it*, once an eight in place of a two. It is optimal for the 4,000 digits and
# for no other. The network has met the same 4,000, and brings back digits that it never saw, by
# many decibels better. **It generalises because it fails to be optimal**: a few minutes are not
# enough to learn 4,000 digits by heart, and enough to learn strokes.
#
# ## 3. Many small steps
#
# If one large step leads to the mean, take small ones. Let a picture turn into noise as a hand of a
# clock turns, a quarter of a turn in all. Pixels now run from -1 to 1:
#
# $$x_t = \cos(t) \, x + \sin(t) \, n, \qquad 0 \le t \le \pi / 2$$
#
# - $x$ is the picture, $n$ white noise of standard deviation 1, and $t$ the time;
# - $x_0$ is the picture, $x_{\pi/2}$ noise. Divided by $\cos(t)$ it is the picture with noise of
#   strength $\tan(t)$; from black to white, which is 2 here, a level of $\tan(t) / 2$.
#
# So the denoiser can be asked at every time. It answers $\hat x$, and what remains must be noise,
# $\hat n = (x_t - \cos(t) \, \hat x) / \sin(t)$. Now **turn back a little**: put both together for
# a slightly earlier time, and ask again.


# %%
def walk(denoise, x, steps, labels=None):
    """Turn noise into pictures; return the noisy pictures of every step, and the answers."""
    path, answers = [x], []
    for now, then in itertools.pairwise(np.linspace(0.999 * np.pi / 2, 0.0, steps + 1)):
        y = 0.5 + 0.5 * x / np.cos(now)
        answers.append(denoise(y.astype("float32"), np.tan(now) / 2, labels))
        picture = 2.0 * answers[-1] - 1.0
        noise = (x - np.cos(now) * picture) / np.sin(now)
        x = np.cos(then) * picture + np.sin(then) * noise
        path.append(x)
    return [0.5 + 0.5 * x for x in path], answers


labels = np.arange(NUM) % 10
noise = np.random.default_rng(SEED).standard_normal((NUM, 28, 28, 1)).astype("float32")
path, answers = walk(network_denoise, noise[:20], 18, labels[:20])
picked = [0, 2, 4, 6, 8, 10, 12, 14, 16]
show_rows(
    {
        "on the way": np.stack([path[i][2] for i in picked] + [path[-1][2]]),
        "the denoiser's answer": np.stack([answers[i][2] for i in picked] + [answers[-1][2]]),
    }
)

# %% tags=["cover"]
frames = [ki.plotting.image_grid(np.clip(x, 0.0, 1.0), 10) for x in path[::2]]
ki.plotting.save_gif("walk.gif", frames, seconds=0.35, scale=2)
Image("walk.gif", alt="A film: twenty pictures of noise turn into twenty digits")

# %% [markdown]
# Look at the lower row. At first the answer is a mean (here of all twos, since we asked for one).
# The first step adds a trace of it to the noise. The next question is about *this* noise, some
# digits explain it better than others, and the answer is a mean over fewer. Step by step the
# choice narrows to one picture. Nobody made the choice, but for the noise.
#
# In the limit of ever smaller steps this is a curve with a **velocity**, and an **ordinary
# differential equation**:
#
# $$\frac{d x_t}{d t} = v = \cos(t) \, n - \sin(t) \, x$$
#
# The network gives the mean of $v$, given $x_t$. `model.sample` follows the same curve, by a step
# that asks twice (Heun's method; exercise 2). With the same noise it must draw the same digits.

# %%
t, h = 0.7, 1e-4
picture, n = 2.0 * test_digits[:1] - 1.0, noise[:1]
ends = [np.cos(s) * picture + np.sin(s) * n for s in (t - h, t + h)]
velocity = np.cos(t) * n - np.sin(t) * picture
print(f"the derivative is the velocity, up to {rms((ends[1] - ends[0]) / (2 * h) - velocity):.0e}")
by_library = np.asarray(model.predict_latents(noise[:10].reshape(10, -1), labels[:10]))
rows = {"model.predict_latents, 18 steps": by_library}
for count in (18, 72):
    by_hand = walk(network_denoise, noise[:10], count, labels[:10])[0][-1]
    rows[f"by hand, {count} steps"] = by_hand
    print(f"{count} steps by hand, to the library: {rms(np.clip(by_hand, 0, 1) - by_library):.3f}")
elsewhere = walk(network_denoise, noise[10:20], 18, labels[:10])[0][-1]
print(f"the same labels, drawn from other noise: {rms(elsewhere - by_library):.3f}")
show_rows(rows)

# %% [markdown]
# How many steps are needed? The Fréchet distance of tutorial 02 compares with the 1,000 test
# digits. *First predict: what will one step give?*

# %%
reader = ki.metrics.DigitFeatures()
test_features = reader(test_digits)


def frechet(pictures):
    """The Fréchet distance from the test digits."""
    pictures = np.clip(pictures, 0.0, 1.0).astype("float32")
    return ki.metrics.frechet_distance(test_features, reader(pictures))


rows = {}
for count in STEPS:
    by_hand = walk(network_denoise, noise, count, labels)[0][-1]
    print(f"by hand, steps: {count:2}            {frechet(by_hand):6.1f}")
    rows["1 step" if count == 1 else f"{count} steps"] = by_hand
by_library = model.predict_latents(noise.reshape(NUM, -1), labels, steps=5)
print(f"by the library, steps: 5      {frechet(by_library):6.1f}")
print(f"as many training digits       {frechet(train_digits[:NUM]):6.1f}")
show_rows(rows)

# %% [markdown]
# One step gives the mean of its label: section 2 again. Four steps bring digits, and from eight on
# little is gained: what is still wrong is in the network, not in the walk. Five steps of the
# library, which ask nine times, do as well as our eighteen.
#
# Is this good? The last digits can mostly be read, and some are crooked. The GAN of tutorial 02 was
# at 20 to 24, after half of the time. Three minutes are short for a diffusion model: on all 60,000
# digits of MNIST, after half an hour, its distance is 4.6, with 10,000 samples (a GAN after five
# minutes: 8.5; `docs/results.md` in the repository).
#
# ## 4. Breaking it: other denoisers on the same walk
#
# `walk` takes any denoiser. Three others (from here on with 500 samples, which makes the Fréchet
# distance a little larger). For each of them *write down first what it will draw*:
#
# - the **optimal denoiser** of section 2 (it takes no label);
# - the network, **told half** of the true level at every step;
# - the network, **told twice** the true level.

# %%
others = {
    "the network": network_denoise,
    "the optimal denoiser": optimal_denoise,
    "told half the level": lambda y, level, c: network_denoise(y, 0.5 * level, c),
    "told twice the level": lambda y, level, c: network_denoise(y, 2.0 * level, c),
}


def same_label_distance(pictures, labels):
    """Mean distance of two pictures of the same label."""
    groups = [pictures[labels == label] for label in range(10)]
    pairs = [np.roll(group, 1, axis=0) - group for group in groups]
    return np.mean([np.sqrt((pair**2).sum(axis=(1, 2, 3))).mean() for pair in pairs])


def diversity(pictures):
    """Their distance within a label, as a share of that of test digits."""
    real = same_label_distance(test_digits, test_labels)
    return same_label_distance(pictures, labels[: len(pictures)]) / real


rows = {}
print("                        Fréchet distance   nearest training digit   diversity")
for name, denoise in others.items():
    rows[name] = np.clip(walk(denoise, noise[:FEW], 18, labels[:FEW])[0][-1], 0.0, 1.0)
    indices, distances = ki.metrics.nearest(rows[name], train_digits)
    share = "" if denoise is optimal_denoise else f"{diversity(rows[name]):.2f}"
    print(f"{name:22} {frechet(rows[name]):14.1f} {distances.mean():22.3f} {share:>14}")
    if name == "the network":
        rows["the training digits that are nearest to these"] = train_digits[indices[:, 0]]
print(f"{'test digits':37} {ki.metrics.nearest(some, train_digits)[1].mean():22.3f}")
show_rows(rows)

# %% [markdown]
# - **The optimal denoiser** draws perfect digits, and nothing new: every one is a training digit,
#   pixel by pixel, at a distance of 0. The Fréchet distance praises it; it does not ask who wrote
#   them. *The best denoiser is a copying machine; a generator lives on its denoiser's errors.*
# - **Told half**, the network takes noise for picture. What it leaves standing is a stroke to the
#   next question, and grows.
# - **Told twice**, it draws *cleaner* digits than with the truth. It seems to take the crooked bits
#   of its own strokes for noise. It pays with **diversity** (tutorial 03): how far two samples of a
#   label are apart, as a share of how far two test digits are. In the Fréchet distance both count,
#   and it rises or falls with `SEED`. Section 6 does this on purpose.
# - The network's own digits are as far from the training digits as test digits are. Compare the
#   first two rows: alike, and in no case the same.
#
# ## 5. The training step
#
# What the library does in training, from its source:

# %%
print(inspect.getsource(ki.Diffusion.train_step))
print(inspect.getsource(ki.Diffusion._errors))

# %% [markdown]
# - `_errors` draws a time for each picture, evenly over the quarter of a turn, and `noise`. `x` is
#   $x_t$, and `velocity` is $v$, line by line the two formulas of section 3. The loss is the mean
#   square of `found - velocity`.
# - `gradients` and `apply` are the step of every network of this course. There is no second
#   network, no contest and nothing to balance.
# - `follow` keeps a **moving average** of the weights (tutorial 02); `denoise` and `sample` use it.
# - `_told` leaves labels out at random, one in five: section 6.
#
# Why velocities, in place of clean pictures? They are the same knowledge: $v = (\cos(t) \, x_t -
# x) / \sin(t)$, so a velocity that is wrong by $e$ is a picture that is wrong by $e \sin(t)$. The
# squared error of the velocity is that of the denoiser, divided by $\sin^2(t)$: little noise counts
# as much as much noise. In numbers:

# %%
t = 0.5
x = np.cos(t) * (2.0 * test_digits[:100] - 1.0) + np.sin(t) * noise[:100]
told = [x, np.full((100, 1), t / (np.pi / 2), "float32"), np.zeros((100, 10), "float32")]
velocity = np.asarray(model.ema_network([each.astype("float32") for each in told]))
truth = np.cos(t) * noise[:100] - np.sin(t) * (2.0 * test_digits[:100] - 1.0)
denoised = 2.0 * network_denoise(0.5 + 0.5 * x / np.cos(t), np.tan(t) / 2) - 1.0
of_denoiser = np.mean((denoised - 2.0 * test_digits[:100] + 1.0) ** 2)
print(f"squared error of the velocity:                     {np.mean((velocity - truth) ** 2):.5f}")
print(f"that of the clean picture, divided by sin(t)^2:    {of_denoiser / np.sin(t) ** 2:.5f}")

# %% [markdown]
# ## 6. Asking for a digit, and asking louder
#
# The label is one more input. Since it was left out in one training case of five (**label
# dropout**), one network gives both velocities: $v_c$ with the label $c$, and $v_0$ without. The
# difference is what the label adds, and can be made to count more (**guidance**):
#
# $$v = v_0 + g \, (v_c - v_0)$$
#
# - $g = 0$ leaves the label out, $g = 1$ takes it as it was learned, $g > 1$ exaggerates.
#
# *What will rise with $g$, and what will fall?*

# %%
rows = {}
print("guidance   read as asked   diversity   Fréchet distance")
for guidance in (0.0, 1.0, 3.0, 8.0):
    drawn = model.sample(FEW, labels[:FEW], seed=1, steps=8, guidance=guidance)
    print(f"{guidance:4}       {np.mean(reader.labels(drawn) == labels[:FEW]):9.0%}", end="")
    print(f"{diversity(drawn):14.2f}{frechet(drawn):16.1f}")
    rows[f"guidance {guidance:g}"] = drawn
show_rows(rows)

# %% [markdown]
# Without labels one in ten is what was asked for, by chance, and the digits are poor: the network
# has met fewer such cases. With $g = 3$ nearly all are what was asked for; but samples of one label
# come to resemble each other, and the Fréchet distance, which sees that, is best at 1. **Guidance
# buys what is typical and pays with diversity.**
#
# ## 7. The truest answer, and a likely one
#
# A digit under noise of level 0.75. There are two honest answers:
#
# - the **truest**, with the smallest squared error: the conditional mean, `model.denoise`, asked
#   once;
# - a **likely** one, a digit that may have been there: begin the walk at the noisy digit, at *its*
#   time, $\tan(t) = 2 \sigma$. Where several digits may be behind the noise, chance must choose
#   among them. So a part of the noise is drawn anew at each step.
#
# If the walk is right, *the mean of many likely answers is the truest one*. We draw eight for each
# of 25 digits, and count **grey** pixels, between 0.2 and 0.8: the more, the softer.
#
# Beside it another case: the lower half is missing. Now no single question gives the truest answer.
# `model.undo` draws likely ones, for this and every other linear degradation: a walk that is pulled
# at each step to what was observed.


# %%
def draw_behind(y, level, steps=20):
    """Draw digits that may be behind noisy ones."""
    start = np.arctan(2.0 * level)
    x = np.cos(start) * (2.0 * y - 1.0)
    for now, then in itertools.pairwise(np.linspace(start, 0.0, steps + 1)):
        seen = (0.5 + 0.5 * x / np.cos(now)).astype("float32")
        picture = 2.0 * network_denoise(seen, np.tan(now) / 2) - 1.0
        noise = (x - np.cos(now) * picture) / np.sin(now)
        anew = min(1.0, np.sqrt(1.0 - (np.cos(now) / np.cos(then)) ** 2) / np.sin(now))
        noise = np.sqrt(1.0 - anew**2) * noise + anew * rng.standard_normal(x.shape)
        x = np.cos(then) * picture + np.sin(then) * noise
    return 0.5 + 0.5 * x


LEVEL, rng = 0.75, np.random.default_rng(SEED)
clean, its_label = test_digits[:25], test_labels[:25]
observed, upper = noisy(clean, LEVEL), np.ones((1, 28, 28, 1), "float32")
upper[:, 14:] = 0.0
behind_noise = draw_behind(np.repeat(observed, 8, axis=0), LEVEL)
behind_half = model.undo(np.repeat(clean, 8, axis=0), known=upper, seed=SEED, steps=30)
behind_noise, behind_half = (x.reshape(25, 8, 28, 28, 1) for x in (behind_noise, behind_half))
truest = network_denoise(observed, LEVEL)
print("                               PSNR   grey pixels   read as the true digit")
for name, answers in {
    "noise: observed": observed[:, None],
    "noise: truest": truest[:, None],
    "noise: one drawn": behind_noise,
    "noise: mean of eight": behind_noise.mean(axis=1, keepdims=True),
    "half: observed": (clean * upper)[:, None],
    "half: one drawn": behind_half,
    "half: mean of eight": behind_half.mean(axis=1, keepdims=True),
    "clean": clean[:, None],
}.items():
    answers = np.clip(answers, 0.0, 1.0).astype("float32")
    psnr = np.mean([mean_psnr(clean, answers[:, i]) for i in range(answers.shape[1])])
    right = reader.labels(answers.reshape(-1, 28, 28, 1)).reshape(25, -1) == its_label[:, None]
    grey = np.mean((answers > 0.2) & (answers < 0.8))
    said = "" if name == "clean" else f"{psnr:.1f} dB"
    print(f"{name:25} {said:>10} {grey:10.0%} {right.mean():18.0%}")
gaps = [rms(truest - x) for x in (behind_noise[:, 0], behind_noise.mean(axis=1))]
print(f"to the truest: from one drawn {gaps[0]:.3f}, from the mean of eight {gaps[1]:.3f}")

rows = {}
for i, name in ((8, "one digit"), (18, "another")):
    panels = [observed[i], truest[i], behind_noise[i].mean(axis=0), *behind_noise[i, :6], clean[i]]
    rows[f"{name}: noise, truest, mean of eight, six drawn, clean"] = np.stack(panels)
    panels = [(clean * upper)[i], behind_half[i].mean(axis=0), *behind_half[i, :7], clean[i]]
    rows[f"{name}: upper half, mean of eight, seven drawn, clean"] = np.stack(panels)
show_rows(rows)

# %% [markdown]
# *Noise.* The truest answer has the best PSNR. A drawn one is as black and white as a real digit,
# and loses decibels where it is wrong: it *decides* where nothing decides. (In theory its squared
# error is twice that of the truest, 3 dB; we lose about 2.) The mean of eight is as good as the
# truest, within tenths of a decibel, and near it. All these answers came from one network.
#
# *Half a digit.* The eight tell different stories, half of them with another digit than the true
# one. Their mean is closer to the truth than any of them on average, and a blur.
#
# Nobody can have both. A sharp picture has to be invented in part, and the decibels say what that
# costs. Where the eight differ, nobody knows. Which would you print in a report, and what would you
# write under it?
#
# ## 8. The bridge the other way
#
# `denoiser-gray` comes with the package. It was trained to denoise 379 photographs, with noise
# up to 55/255, and for nothing else. If section 3 is right, it must be able to draw. We do not tell
# it how strong the noise is, but let it say so itself: what it would remove, $D(y) - y$, has the
# strength of the noise. Kadkhodaie and Simoncelli (2020) step towards the answer, and put a
# little noise back, in order not to end in a mean:
#
# $$y \leftarrow y + h \, (D(y) - y) + \gamma \, z, \qquad
# \gamma^2 = \big((1 - \beta h)^2 - (1 - h)^2\big) \, \sigma^2$$
#
# - $\sigma$ is the estimate, the root mean square of $D(y) - y$, $h$ the share of a step, and $z$
#   new white noise;
# - $\beta = 1$ puts no noise back; the smaller, the more. After a step the noise is down to
#   $(1 - \beta h) \, \sigma$.

# %%
blind = ki.load_pretrained("denoiser-gray")


def draw_blind(seed, start=10.0, beta=0.7, h=0.2, side=128):
    """Draw a picture by a blind denoiser; return it, and how often the denoiser was asked."""
    rng = np.random.default_rng(seed)
    y, sigma, count = 0.5 + start * rng.standard_normal((1, side, side, 1)), start, 0
    while sigma > 0.005:
        step = np.asarray(blind.denoise(y.astype("float32"))) - y
        sigma, count = rms(step), count + 1
        gamma = sigma * np.sqrt((1 - beta * h) ** 2 - (1 - h) ** 2)
        y = y + h * step + gamma * rng.standard_normal(y.shape)
    return y, count


figure, axes = plt.subplots(2, 3, figsize=(10, 7), layout="constrained")
for seed, ax in enumerate(axes.flat):
    start = 0.2 if seed == 5 else 10.0
    picture, count = draw_blind(seed, start)
    title = f"from noise of {start:g}, asked {count} times"
    ki.plotting.plot_images(np.clip(picture, 0.0, 1.0), title=title, ax=ax)
plt.show()

# %% [markdown]
# What is it? Smooth surfaces, sharp edges, bits of texture: what 379 photographs have in common, at
# the size of the denoiser's window. It is a draw from what the denoiser *expects*, made visible,
# and it was in there all the time. What is it not? A picture *of* something. Whoever sees rocks or
# clouds has done it alone. Nor is it a fair draw: noise of 10 lies far beyond what the network met.
# That it answers at all it owes to having no biases: a tenth of the picture gives a tenth of the
# answer (tutorial 06). Begin with noise of 0.2, which it knows, as in the last picture, and nearly
# nothing appears: noise that weak has no large, strong shapes to begin with.
#
# ## 9. GAN, VAE, diffusion: what each costs, and gives
#
# Seconds do not depend on the values of weights, so we take a generator and a decoder as in
# tutorials 02 and 04, untrained, and let each draw 64 digits.

# %%
drawers = {
    "GAN, generator": ki.networks.dcgan_generator((28, 28, 1), latent_dim=32, filters=32),
    "VAE, decoder": ki.networks.vae_decoder((28, 28, 1), latent_dim=16, filters=32),
}
ways = {
    name: lambda net=net: net(np.zeros((64, net.input_shape[1]), "float32"))
    for name, net in drawers.items()
}
ways["diffusion, 18 steps"] = lambda: model.sample(64, seed=0)
for name, draw in ways.items():
    draw()  # the first call prepares
    start = time.perf_counter()
    draw()
    print(f"64 digits, {name:20} {1000 * (time.perf_counter() - start):6.0f} ms")

# %% [markdown]
# | | GAN | VAE | diffusion |
# | --- | --- | --- | --- |
# | it learns | to please a second network | to describe, within a bound | to remove noise |
# | loss | two, against each other | one, two terms | one, a squared error |
# | it can fail by | collapse, a lost contest | blur | few steps, a short training, copies |
# | to draw, the network is asked | once | once | 8 to 50 times |
# | latents | few, no way back | few, with a way back | as many as pixels |
# | it restores by | seeking latents | seeking latents | drawing several answers |
# | Fréchet distance | 20 to 24, 80 s (02) | 137, 50 s (09) | 15 to 22, 3 minutes (here) |
#
# The distances are of 1,000 samples and the 1,000 test digits, the trainings of different lengths;
# `docs/results.md` in the repository has more.
#
# ## What to remember
#
# 1. Asked once what is under pure noise, a denoiser answers with the mean of all pictures. Many
#    small steps, each a question about the noise that is left, lead to one of them.
# 2. The optimal denoiser copies. A generator is a denoiser that has not learned its pictures by
#    heart.
# 3. The training step is a squared error, and nothing else. The time must be told truly.
# 4. Guidance trades diversity for what is typical.
# 5. The truest answer is a mean. A likely one is sharp, and decides where nothing decides.
#
# ## You should see / if not
#
# Measured with two values of `SEED`, on two CPU cores:
#
# - **Section 2**: 30 dB at level 0.1, 24 to 25 at 0.25; the optimal denoiser 15.4 at both. At 100
#   both are within 0.03 of the mean digit. *If not*, and the loss is above 0.13: did
#   all three cells of the training run?
# - **Section 3**: Fréchet distance 265 to 279, 41 to 49, 19 to 26, 15 to 23 and 15 to 22 for 1, 2,
#   4, 8 and 18 steps; by hand and by the library within 0.02 to 0.06 of each other (18 steps).
# - **Section 4**: half the level 280 to 290, twice the level 20 to 21 with a diversity of 0.65 to
#   0.66; the network 15 to 24 with 0.93. *If not*, and the optimal denoiser is not at a distance of
#   0: divide by `level**2`, in float64.
# - **Section 6**: for guidance 0, 1, 3, 8: read as asked 8, 87 to 90, 100 and 100 %, diversity 1.1,
#   0.98, 0.88 and about 0.8.
# - **Section 7**: truest 18.0 to 18.1 dB, one drawn 15.8 to 15.9, mean of eight 18.0; half a digit
#   12.6 dB and 14.8 to 14.9, one drawn read as the true digit in 48 %.
# - **Time**: within twice the seconds that are given. *If not*, other programs are running.
#
# ## Read on
#
# **In papers this is called.** The turn is a *variance-preserving* process with a *cosine
# schedule*, `walk` is *DDIM*, its curve the *probability flow ODE*. Learning $v$ is *v-prediction*,
# guidance *classifier-free guidance*.
#
# - J. Ho, A. Jain and P. Abbeel, *Denoising Diffusion Probabilistic Models*, 2020, [arXiv
#   2006.11239](https://arxiv.org/abs/2006.11239): algorithm 1 is section 5.
# - T. Salimans and J. Ho, *Progressive Distillation*, 2022, [arXiv
#   2202.00512](https://arxiv.org/abs/2202.00512): the turn and the velocity, appendix D.
# - J. Ho and T. Salimans, *Classifier-Free Diffusion Guidance*, 2022, [arXiv
#   2207.12598](https://arxiv.org/abs/2207.12598): section 6.
# - Z. Kadkhodaie and E. Simoncelli, *Solving Linear Inverse Problems Using the Prior Implicit in a
#   Denoiser*, 2020, [arXiv 2007.13640](https://arxiv.org/abs/2007.13640): section 8, algorithm 1.
#
# The digits are from MNIST (Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0).

# %% [markdown]
# ## Exercises
#
# Replace each `...` and run the cell, then the check below it. The check prints `Right`, or says
# what it found and gives a hint.
#
# ### Exercise 1: what is behind a velocity
#
# From $x_t$ and $v$ one can compute the picture and the noise. Both formulas are in section 3: two
# equations, two unknowns. Multiply each by $\cos(t)$ or $\sin(t)$, and add or subtract.


# %% tags=["exercise"]
def behind(x, v, t):
    """The picture and the noise behind noisy pictures x with velocities v at time t."""
    return ..., ...


# %% tags=["solution"]
def behind(x, v, t):  # noqa: F811
    """The picture and the noise behind noisy pictures x with velocities v at time t."""
    return np.cos(t) * x - np.sin(t) * v, np.sin(t) * x + np.cos(t) * v


# %% tags=["check"]
for t in (0.0, 0.3, 1.2, np.pi / 2):
    p, n = np.array([0.5, -1.0, 1.0]), np.array([2.0, 0.3, -0.7])
    found = behind(np.cos(t) * p + np.sin(t) * n, np.cos(t) * n - np.sin(t) * p, t)
    for name, got, want in (("picture", found[0], p), ("noise", found[1], n)):
        assert got is not ..., f"The {name} is still `...`."
        assert np.shape(got) == (3,), f"The {name} should have shape (3,), yours: {np.shape(got)}."
        assert np.allclose(got, want), (
            f"At t = {t:.1f} the {name} is {want}, yours {np.round(got, 2)}. Hint: cos(t) x has "
            "cos(t)^2 of the picture, and -sin(t) v has sin(t)^2 of it; what of the noise?"
        )
print("Right. `model.denoise` is this: it asks for the velocity and returns the picture.")

# %% [markdown]
# ### Exercise 2: a step that asks twice
#
# A straight step goes `then - now` in the direction of the velocity *here*. **Heun's method** also
# asks at the place where this leads, at the time `then`, and goes from *here* by the mean of both.


# %% tags=["exercise"]
def heun_step(velocity, x, now, then):
    """One step from time `now` to `then`; `velocity(x, t)` is a function."""
    return ...


# %% tags=["solution"]
def heun_step(velocity, x, now, then):  # noqa: F811
    """One step from time `now` to `then`; `velocity(x, t)` is a function."""
    here = velocity(x, now)
    there = velocity(x + (then - now) * here, then)
    return x + (then - now) * 0.5 * (here + there)


# %% tags=["check"]
for name, velocity, want, hint in (
    ("1", lambda x, t: 1.0, 0.5, "the step is then - now, which is negative on the way to 0"),
    ("t", lambda x, t: t, 0.625, "ask the second time at `then`"),
    ("x", lambda x, t: x, 0.625, "ask the second time at the place where the first step leads"),
):
    found = heun_step(velocity, 1.0, 1.0, 0.5)
    assert found is not ..., "The step is still `...`."
    assert abs(found - want) < 1e-9, (
        f"From x = 1 at time 1 to time 0.5, with the velocity {name}, a step leads to {want}. "
        f"Yours: {found:.3f}. Hint: {hint}, and start from x both times."
    )


def ask(x, t):
    """The velocity of ten digits, 0 to 9, by the network."""
    told = [x.astype("float32"), np.full((10, 1), t / (np.pi / 2), "float32"), np.eye(10)]
    return np.asarray(model.ema_network(told))


x = noise[:10]
times = np.linspace(np.pi / 2, 0.0, 19)
for now, then in itertools.pairwise(times[:-1]):
    x = heun_step(ask, x, now, then)
x = np.clip(0.5 + 0.5 * (x - times[-2] * ask(x, times[-2])), 0.0, 1.0)  # the last one asks once
of_library = np.asarray(model.predict_latents(noise[:10].reshape(10, -1), np.arange(10)))
print(f"Right. The same digits as by model.predict_latents, up to {rms(x - of_library):.0e}.")

# %% [markdown]
# ### Exercise 3: guidance by hand
#
# Write section 6's formula. `velocity(x, t, rows)` gives velocities; `rows` are rows of labels,
# `np.eye(10)[labels]`, and a row of zeros says nothing.


# %% tags=["exercise"]
def guided(velocity, x, t, rows, g):
    """Velocities in which the labels count g times."""
    return ...


# %% tags=["solution"]
def guided(velocity, x, t, rows, g):  # noqa: F811
    """Velocities in which the labels count g times."""
    without = velocity(x, t, np.zeros_like(rows))
    return without + g * (velocity(x, t, rows) - without)


# %% tags=["check"]
row = np.eye(10)[[7]]
for g, want in ((0.0, 1.0), (1.0, 8.0), (3.0, 22.0)):
    found = guided(lambda x, t, rows: x * t + rows @ np.arange(10.0), 2.0, 0.5, row, g)
    assert found is not ..., "The function still returns `...`."
    assert np.allclose(found, want), (
        f"Without a label the velocity is 1 here, with it 8. For g = {g:g} it should be {want:g}; "
        f"yours is {float(np.ravel(found)[0]):g}. Hint: begin with v_0, and ask for it with "
        "np.zeros_like(rows)."
    )
print("Right: 0 leaves the label out, 1 takes it as it is, 3 goes three times as far.")

# %% [markdown]
# ### Exercise 4: find the bug, noise in another notation
#
# Most papers write $x_t = \sqrt{\bar\alpha} \, x + \sqrt{1 - \bar\alpha} \, n$, with $\bar\alpha =
# \cos^2(t)$. This function has two famous bugs. One shows in the shape of what comes out, the
# other is silent and makes a training worse. **Which test would have found the silent one?**


# %% tags=["exercise"]
def diffused(pictures, noise, alpha_bar):
    """Noisy pictures (batch, height, width, channels); alpha_bar (batch,) from 1 to 0."""
    return alpha_bar * pictures + (1.0 - alpha_bar) * noise


# %% tags=["solution"]
def diffused(pictures, noise, alpha_bar):  # noqa: F811
    """Noisy pictures (batch, height, width, channels); alpha_bar (batch,) from 1 to 0."""
    alpha_bar = np.reshape(alpha_bar, (-1, 1, 1, 1))  # one for each picture, not for each column
    return np.sqrt(alpha_bar) * pictures + np.sqrt(1.0 - alpha_bar) * noise


# %% tags=["check"]
times = np.array([0.1, 0.8, 1.5])
p, n = np.random.default_rng(0).standard_normal((2, 3, 40, 50, 1))
found = diffused(p, n, np.cos(times) ** 2)
assert np.shape(found) == p.shape, (
    f"Yours has the shape {np.shape(found)}, the pictures {p.shape}. Hint: alpha_bar needs the "
    "shape (batch, 1, 1, 1)."
)
for i, t in enumerate(times):
    assert abs(found[i].std() - 1.0) < 0.1, (
        f"Picture and noise have standard deviation 1, and so must their mix. Yours at t = {t}: "
        f"{found[i].std():.2f}. Hint: variances add up, not standard deviations."
    )
    assert np.allclose(found[i], np.cos(t) * p[i] + np.sin(t) * n[i]), (
        f"At t = {t} it should be cos(t) x + sin(t) n. Hint: cos(t) is the root of alpha_bar."
    )
print("Right. The test: of pictures and noise of variance 1, the mix has variance 1 at all times.")
