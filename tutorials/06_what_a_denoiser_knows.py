# %% [markdown]
# # 06 · What a denoiser knows
#
# **You will be able to**
#
# - predict which noise a denoiser removes and which it leaves, without knowing its weights;
# - say what it costs a network not to know how strong the noise is, and what to tell it;
# - tell a failure of training from a failure of what was trained for;
# - split an error into bias and variance, and find where an answer was made up;
# - use a denoiser on noise for which it was not made.
#
# **You need** [tutorial 05](05_cnn_denoising.ipynb), sections 1, 2 and 5.
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
# ## How does a network know what is noise?
#
# Below are four pictures, each in the same low contrast, and what one and the same denoising
# network makes of them. It wipes out two and leaves most of the other two.
#
# ![Four faint patterns and what a denoiser leaves of them](attachment:cover)
#
# The second picture consists of the pixels of the fourth, not one grey value more or less, and yet
# it is wiped out. The third is noise through and through, exactly as strong as the first, and yet
# it is kept.
#
# What does it look at? By the end of section 3 you can say it in one sentence, and in the exercises
# you use the sentence to repair noise for which the network was not made.

# %% tags=["setup"]
import os

import keras
import matplotlib.pyplot as plt
import numpy as np

import keras_imgen as ki

SEED = 0
SIGMA = 25 / 255  # the noise that the first network is trained for
DEPTH, FILTERS = 7, 32
EPOCHS = 8
PIECES = 64  # of each photograph, in every epoch
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # a quick test: its figures mean nothing
    DEPTH, FILTERS = 4, 8
    EPOCHS, PIECES = 1, 4

keras.utils.set_random_seed(SEED)  # the same first weights, and so the same pictures, every time

# %% [markdown]
# ## 1. What tutorial 05 left us with
#
# **White noise** is added to a clean picture $x$ and gives the observed one:
#
# $$y = x + n, \qquad n_i \sim \mathcal{N}(0, \sigma^2)$$
#
# Each pixel $i$ gets a number of its own with standard deviation $\sigma$, here $25/255$ ("sigma
# 25"), which tells nothing about that of its neighbour. The **correlation** of neighbours, between
# -1 and 1, is 0 in white noise and near 1 in a photograph. A **box blur**, the mean over 3 x 3
# pixels, is the simplest remedy.

# %%
photos = ki.load("photos", size=48, crops=PIECES, batch_size=8, seed=SEED)  # nine, in pieces
test_photos = ki.load("photos", "test", size=128, crops=0).take(3)  # three others, whole
cat = test_photos[1:2]
flat = np.full((1, 128, 128, 1), 0.5, "float32")
rng = np.random.default_rng(SEED)


def noisy(pictures, sigma):
    """Pictures with noise of standard deviation sigma; the same noise in every call."""
    return np.asarray(ki.degradations.AdditiveNoise(sigma, seed=5)(pictures))


def correlation(pictures, distance=1):
    """The correlation of pixels that are `distance` apart in their row."""
    a, b = pictures[:, :, :-distance].ravel(), pictures[:, :, distance:].ravel()
    return np.corrcoef(a, b)[0, 1]


def box_blur(pictures, side=3):
    """The mean over a square around every pixel; at the border the last pixels are repeated."""
    height, width = pictures.shape[1:3]
    reach = side // 2
    wide = np.pad(pictures, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="edge")
    moved = [wide[:, i : i + height, j : j + width] for i in range(side) for j in range(side)]
    return np.mean(moved, axis=0)


def mean_psnr(clean, pictures):
    """The mean over several pictures; what lies outside [0, 1] is cut off, as on a screen."""
    return float(np.mean(ki.metrics.psnr(clean, np.clip(pictures, 0.0, 1.0))))


# %% [markdown]
# A DnCNN of seven layers predicts the noise and subtracts it. It is trained for the smallest mean
# squared error, and so answers with the **conditional mean** $\mathbb{E}[x \mid y]$: the average of
# all clean pictures that may be behind $y$. Its window has 15 x 15 pixels.
# **About 30 seconds.**


# %%
def train(noise, extra_channels=0):
    """Train a denoiser on the photographs: learning rate up quickly, then down along a cosine."""
    steps = EPOCHS * len(photos)
    rate = keras.optimizers.schedules.CosineDecay(
        1e-4,
        decay_steps=max(1, steps - steps // 20),
        warmup_target=2e-3,
        warmup_steps=steps // 20,
        alpha=0.01,
    )
    network = ki.networks.dncnn(
        extra_channels=extra_channels, depth=DEPTH, filters=FILTERS, batch_norm=False
    )
    model = ki.Restorer(network, noise, seed=SEED)
    model.compile(keras.optimizers.Adam(rate))
    model.fit(photos, epochs=EPOCHS, verbose=0)
    return model


denoiser = train(ki.degradations.AdditiveNoise(SIGMA, seed=SEED))
noisy_photos = noisy(test_photos, SIGMA)
for name, pictures in {
    "observed": noisy_photos,
    "box blur": box_blur(noisy_photos),
    "network": denoiser.restore(noisy_photos),
}.items():
    print(f"{name:9} {mean_psnr(test_photos, pictures):.1f} dB")

# %% [markdown]
# ## 2. Breaking it: noise of another strength
#
# The network has only ever seen $\sigma = 25/255$. Give it from 5 to 75. **What do you expect on
# either side?** It does not know how strong the noise is; nobody tells it.
#
# Beside it we train two that have met all strengths: a pair of values lets `AdditiveNoise` draw
# another $\sigma$ for each picture. The first is **blind**: it is not told which. The second is
# **conditioned on the noise level** (papers also say non-blind): with `append_level=True` a channel
# travels behind the picture that holds $\sigma$ at every pixel, as FFDNet has it. **Twice about 30
# seconds.**

# %%
NOISES = (5 / 255, 75 / 255)
blind = train(ki.degradations.AdditiveNoise(NOISES, seed=SEED))
conditioned = train(
    ki.degradations.AdditiveNoise(NOISES, append_level=True, seed=SEED), extra_channels=1
)

# %%
levels = [5, 10, 15, 25, 35, 50, 75]
methods = {
    "observed": lambda y, sigma: y,
    "box blur": lambda y, sigma: box_blur(y),
    "trained at 25": lambda y, sigma: denoiser.restore(y),
    "5 to 75, blind": lambda y, sigma: blind.restore(y),
    "5 to 75, conditioned": lambda y, sigma: conditioned.restore(y, level=sigma),
}
print("sigma x 255         ", *(f"{level:5}" for level in levels))
figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
for (name, method), style in zip(methods.items(), ("k:", "k--", "o-", "s-", "^-"), strict=True):
    answers = [method(noisy(test_photos, level / 255), level / 255) for level in levels]
    values = [mean_psnr(test_photos, answer) for answer in answers]
    print(f"{name:20}", *(f"{value:5.1f}" for value in values))
    ax.plot(levels, values, style, label=name)
ax.axvline(25, color="grey", linewidth=0.8)
ax.set(xlabel="noise, sigma x 255", ylabel="PSNR in dB", title="Noise of another strength")
ax.legend()
plt.show()

# %% [markdown]
# - **Weaker noise.** The curve of the specialist is flat. At 5 it puts out a *worse* picture than
#   it got: it removes what it has learnt to remove, which was noise at 25 and is fine texture at 5.
# - **Stronger noise.** It falls steeply, and at 75 a simple box blur is better by far. What
#   is much stronger than the noise that it knows is, as far as it knows, part of a picture.
# - **The blind generalist** gives up more than a decibel at 25, and from 35 on it is ahead. From
#   the window it can see how strong the noise is, and it has learnt to look. At 5 it does harm as
#   well: it had to share its weights and one short training among all strengths.
# - **The conditioned generalist** is ahead of the blind one everywhere, and does no harm at 5.
#   Nothing of what the window shows has to be spent on guessing. At 25 it comes close to the
#   specialist.
#
# A conditional mean is a mean over *the cases met in training*. All three minimise the same
# formula. What differs is what stands behind the bar in $\mathbb{E}[x \mid y]$; for the conditioned
# one it is $\mathbb{E}[x \mid y, \sigma]$, which gives it its name.
#
# And if the level is a **lie**? The noise is 25. Say 10, say 25, say 50.

# %%
claims = (5, 10, 15, 25, 35, 50, 75)
by_claim = {claim: conditioned.restore(noisy_photos, level=claim / 255) for claim in claims}
print("level given ", *(f"{claim:5}" for claim in claims))
print("PSNR in dB  ", *(f"{mean_psnr(test_photos, x):5.1f}" for x in by_claim.values()))
figure, axes = plt.subplots(1, 4, figsize=(11, 3.1), layout="constrained")
shown = {"clean": test_photos} | {f"level {claim} given": by_claim[claim] for claim in (10, 25, 50)}
for ax, (name, pictures) in zip(axes, shown.items(), strict=True):
    ki.plotting.plot_images(pictures[2:], title=name, ax=ax)
plt.show()

# %% [markdown]
# It believes what it is told. Told too little, it leaves noise standing; told too much, it takes
# texture for noise and wipes it out. This is a *knob* for real photographs, of which nobody knows
# the $\sigma$: turn it until the picture pleases. A blind network has no such knob.
#
# ## 3. Breaking it: noise of another kind
#
# Now the strength is right, exactly $25/255$ in every case, so PSNR of the observed pictures is the
# same (before they are cut off to [0, 1]). Only the kind differs:
#
# - **white** noise, as in training;
# - **blurred** noise: white noise after a 3 x 3 or a 5 x 5 box blur, made as strong as before.
#   Neighbours now resemble each other. Noise looks like this after a camera has resized or
#   compressed its picture;
# - **blurred, then shuffled**: the very same numbers in random order;
# - **salt and pepper**: a few pixels are black or white, all others are untouched.
#
# **Guess the order** from the best repaired to the worst, before you run the cell. Remember that
# the network was trained on photographs with white noise.


# %%
def as_strong_as_before(noise):
    """The same noise with mean 0 and standard deviation SIGMA."""
    return SIGMA * (noise - noise.mean()) / noise.std()


white = as_strong_as_before(rng.normal(size=test_photos.shape))
blurred = as_strong_as_before(box_blur(white, 3))
salt = rng.integers(0, 2, size=test_photos.shape) - test_photos  # every pixel becomes 0 or 1
share = SIGMA**2 / np.mean(salt**2)  # so many pixels may be hit for the same squared error
kinds = {
    "white": white,
    "blurred, 3 x 3": blurred,
    "blurred, 5 x 5": as_strong_as_before(box_blur(white, 5)),
    "3 x 3, then shuffled": rng.permutation(blurred.ravel()).reshape(blurred.shape),
    "salt and pepper": salt * (rng.random(salt.shape) < share),
}
print("                       correlation   observed   restored     gain")
answers = {}
for name, noise in kinds.items():
    observed = test_photos + noise
    answers[name] = denoiser.restore(observed)
    before, after = mean_psnr(test_photos, observed), mean_psnr(test_photos, answers[name])
    print(f"{name:22} {correlation(noise):8.2f}      {before:5.1f} dB   {after:5.1f} dB", end="")
    print(f"   {after - before:4.1f} dB")
size = np.sqrt(np.mean(salt**2)) / SIGMA
print(f"\nsalt and pepper: {share:.1%} of the pixels, off by {size:.1f} sigma")

# %%
figure, axes = plt.subplots(2, 3, figsize=(8.4, 6), layout="constrained")
shown = ("white", "blurred, 3 x 3", "3 x 3, then shuffled")
for name, column in zip(shown, axes.T, strict=True):
    ki.plotting.plot_images((test_photos + kinds[name])[:1], title=name, ax=column[0])
    ki.plotting.plot_images(answers[name][:1], title="restored", ax=column[1])
plt.show()

# %% [markdown]
# Compare the second row of the table with the fourth. *The same numbers*, not one of them changed,
# and so the same error before. In one order the network removes them as well as the noise that it
# knows. In the other order more than half of the gain is lost, and blotches remain.
#
# This answers the question. **The network knows noise by what noise does not have: any relation
# between neighbouring pixels.** The more of it there is, the more of the noise it takes for
# picture.
#
# In terms of the formula: $\mathbb{E}[x \mid y]$ was learnt from cases in which all that was
# related belonged to $x$, and all that was unrelated to $n$. A blotch of related pixels was always
# texture, so the mean over those cases keeps it.
#
# Salt and pepper is the other failure. It is unrelated to its neighbours, but a pixel that is off
# by nearly six times $\sigma$ was never noise in training.
#
# So we do not even need a noisy photograph. Take four patterns of the strength of the noise on flat
# grey. Only the last one is a picture. What does the network leave standing?

# %% tags=["cover"]
patterns = {
    "white noise": white[1:2],
    "a cat, shuffled": as_strong_as_before(rng.permutation(cat.ravel()).reshape(cat.shape)),
    "blurred noise": as_strong_as_before(blurred[1:2]),
    "a cat": as_strong_as_before(cat),
}
figure, axes = plt.subplots(2, 4, figsize=(10, 5.4), layout="constrained")
for (name, pattern), column in zip(patterns.items(), axes.T, strict=True):
    left_standing = denoiser.restore(0.5 + pattern)
    ki.plotting.plot_images(0.5 + pattern, title=name, ax=column[0])
    title = f"denoised: {np.std(left_standing) / np.std(pattern):.0%} left"
    ki.plotting.plot_images(left_standing, title=title, ax=column[1])
plt.show()

# %% [markdown]
# The percentages are standard deviations after and before. The shuffled cat goes the way of white
# noise. Most of the cat stays. And so does most of a pattern that is nothing but noise, with a
# little order in it.
#
# ## 4. A better network is surer of itself
#
# Half a minute on nine photographs is little. With the package come networks that were trained on
# 379 photographs, for any noise up to $55/255$; their card (`docs/pretrained.md` in the repository)
# says how, and how good they are. Surely a better network removes more of the blurred noise, too.
# **Guess**: how many decibels?

# %%
pretrained = ki.load_pretrained("denoiser-gray")
counts = [f"{model.network.count_params():,}" for model in (denoiser, pretrained)]
print(f"weights: {counts[0]} here, {counts[1]} in denoiser-gray\n")
print("gain                    here   denoiser-gray")
for name in shown:
    observed = test_photos + kinds[name]
    print(f"{name:21}", end="")
    for model in (denoiser, pretrained):
        gain = mean_psnr(test_photos, model.restore(observed)) - mean_psnr(test_photos, observed)
        print(f" {gain:5.1f} dB", end="")
    print()

coffee = ki.load_example("coffee")[None, 60:316, 150:406]
white_in_colour = as_strong_as_before(rng.normal(size=coffee.shape))
blurred_in_colour = as_strong_as_before(box_blur(white_in_colour))
for_colours = ki.load_pretrained("denoiser-color")
figure, axes = plt.subplots(1, 4, figsize=(12, 3.4), layout="constrained")
for name, noise, pair in (
    ("white", white_in_colour, axes[:2]),
    ("blurred", blurred_in_colour, axes[2:]),
):
    observed = coffee + noise
    for ax, title, pictures in zip(
        pair, (f"{name} noise", "restored"), (observed, for_colours.restore(observed)), strict=True
    ):
        title += f" · {mean_psnr(coffee, pictures):.1f} dB"
        ki.plotting.plot_images(pictures, title=title, ax=ax)
plt.show()

# %% [markdown]
# The better network is the worse one here. On white noise it gains more than ours, on blurred noise
# next to nothing. So the failure is not a lack of training. It has learnt *better* what white
# noise is, and takes everything else for picture with more confidence. The same holds in colour
# for `denoiser-color`, on the right.
#
# What helps is other cases in training, or noise made white (exercise 2).
#
# ## 5. Where it makes things up
#
# A restored picture looks like a photograph. Is it *this* photograph? If the same scene was taken
# several times, as a camera on a tripod can do, there is a way to tell. What was in the scene is in
# all answers. What the network reads into the noise changes from one to the next. (Here the
# exposures are made from the clean picture, by **other draws of the same noise**.)
#
# Over many draws $y^{(1)}, y^{(2)}, \dots$ of the noise on one picture $x$ the mean squared error
# splits into two parts:
#
# $$\mathbb{E}\big[(\hat x - x)^2\big] = \underbrace{\big(\mathbb{E}[\hat x] - x\big)^2}_{
# \text{bias}^2} + \underbrace{\mathbb{E}\big[(\hat x - \mathbb{E}[\hat x])^2\big]}_{
# \text{variance}}$$
#
# - $\hat x$ is the answer to one draw, and $\mathbb{E}$ the mean over draws;
# - the **bias** is what is wrong in all answers alike: detail that was smoothed away;
# - the **variance** is what differs between answers: noise that got through, in whatever form. It
#   can be measured without the clean picture.
#
# **First predict**: what are the two for a filter that does nothing?

# %%
DRAWS = 24
many = np.repeat(cat, DRAWS, axis=0)
draws = (many + 50 / 255 * rng.normal(size=many.shape)).astype("float32")
print("                 error    bias^2   variance   share   correlation of what differs")
for name, method in {
    "do nothing": lambda y: y,
    "box blur": box_blur,
    "denoiser-gray": pretrained.restore,
}.items():
    answers = method(draws)
    mean_answer, spread = answers.mean(axis=0), answers.std(axis=0, ddof=1)
    error, variance = np.mean((answers - cat) ** 2), np.mean(spread**2)
    bias = max(0.0, error - variance)  # squared; below 0 by chance only
    print(f"{name:14} {error:.5f}   {bias:.5f}    {variance:.5f}", end="")
    print(f"   {variance / error:5.0%}   {correlation(answers - mean_answer):.2f}")

figure, axes = plt.subplots(2, 4, figsize=(10, 5.4), layout="constrained")
zoom = (slice(None), slice(40, 88), slice(20, 68))  # an eye and its surroundings
for which, ax in enumerate(axes[0, :3]):
    ki.plotting.plot_images(answers[which : which + 1][zoom], title=f"draw {which + 1}", ax=ax)
ki.plotting.plot_images(cat[zoom], title="clean", ax=axes[0, 3])
maps = {
    "one answer": answers[:1],
    "mean of all": mean_answer[None],
    "spread x 8": 8 * spread[None],
    "|bias| x 8": 8 * np.abs(mean_answer - cat),
}
for ax, (name, pictures) in zip(axes[1], maps.items(), strict=True):
    ki.plotting.plot_images(pictures, title=name, ax=ax)
plt.show()

# %% [markdown]
# The filter that does nothing has no bias: all its error is variance. It has made up *nothing*;
# anybody sees that this is noise. So variance by itself is not invention. In the network's answers
# far less of it is left, but it has taken a shape: neighbours agree, as they do in a photograph.
# **What looks like detail and differs between draws is made up.**
#
# Three draws, three eyes: another pupil, another rim, and below it a line, a white spot or neither.
# Each is sharp, each is plausible, and no two agree. The mean of all answers is soft in these
# places. It shows what the *photograph* says; what is sharper than that was said by the noise.
#
# The fur is the other half. No answer has it, so they all agree that there is none. It does not
# show in the spread, only in the bias. **Where answers disagree, something was made up. Where they
# agree, something may still be missing.**
#
# The purest case is a wall: flat grey, on which there is nothing to find.

# %%
strokes = {}
figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
for ax, level in zip(axes, (15, 25, 50), strict=True):
    strokes[level] = 255 * (pretrained.restore(noisy(flat, level / 255)) - flat)
    print(f"sigma {level}: standard deviation {strokes[level].std():.2f} grey levels", end="")
    print(f", correlation of neighbours {correlation(strokes[level]):.2f}")
    image = ax.imshow(strokes[level][0, ..., 0], cmap="RdBu_r", vmin=-4, vmax=4)
    ax.set(title=f"a wall, sigma {level}", xticks=[], yticks=[])
figure.colorbar(image, ax=axes, label="off the wall, grey levels")
plt.show()

observed = noisy(flat, SIGMA)
halved = pretrained.restore(0.5 * observed) - 0.5 * pretrained.restore(observed)
darker = 255 * (pretrained.restore(observed - 0.25) - (flat - 0.25))
print(f"half the picture, half the answer: largest difference {np.abs(halved).max():.6f}")
print(f"a darker wall: again {darker.std():.2f} grey levels, correlation with those ", end="")
print(f"on the first wall {np.corrcoef(darker.ravel(), strokes[25].ravel())[0, 1]:.2f}")

# %% [markdown]
# The wall is not left empty. There are soft patches on it, and towards the border short strokes and
# edges, as if things were there. They are faint, mostly a grey level or two (all three have one
# scale). In a holiday picture nobody minds. In a picture from a microscope or a scanner, a faint
# stroke may be the very thing that is looked for.
#
# They are the same three times, since the noise is the same, only stronger, and they grow with it.
# Two reasons together, both in the last lines: this network has no biases, so half the picture
# gives half the answer; and how bright the wall is hardly matters to it.
#
# ## What to remember
#
# 1. The network knows noise by the missing relation between neighbours. Noise with such a relation
#    passes for texture, at the same strength and with the same values.
# 2. A better denoiser for the noise that it met may be a worse one for other noise.
# 3. The conditional mean is a mean over the cases met in training. One strength: best at this one,
#    harmful at others. All strengths: a little worse, and safe.
# 4. Conditioned on the noise level, a network obeys: too little leaves noise, too much wipes out
#    texture.
# 5. Error is bias and variance: what all answers lack, and noise that got through. What looks like
#    detail and differs between draws was made up.
#
# ## You should see / if not
#
# Measured with three values of `SEED`, on two CPU cores:
#
# - **Another strength**: the specialist at 28.5 to 29.0 dB for the weakest noise (observed: 34.2)
#   and 14.5 to 15.2 for the strongest; the blind generalist at 26.4 to 26.8 dB at 25, and 21.9 to
#   22.2 for the strongest; the conditioned one at 34.7 to 35.6 dB for the weakest and 27.4 to 27.6
#   at 25. *If not*, and the generalists' curves agree: was the level passed to `restore`?
# - **A lie**: 22.3 to 23.6 dB for 5, 23.6 to 23.8 for 75.
# - **Another kind**: gains of 7.4 to 7.5 dB for white noise and for shuffled noise, 2.8 to 3.2 for
#   3 x 3, 2.0 to 2.2 for 5 x 5, 4.4 to 4.8 for salt and pepper. *If not*, and shuffled noise gains
#   as little as blurred noise: `permutation` must get `ravel()`, or it shuffles whole photographs
#   only.
# - **A better network**: gains of 8.8 to 8.9 dB for white noise and for shuffled noise, and 0.2 for
#   blurred noise.
# - **Variance**: 100 % of the error for the filter that does nothing, 83 % for the box blur, 41 to
#   42 % for `denoiser-gray`. *If not*, and the first is 96 %: `std` must get `ddof=1`.
# - **Time**: within twice the seconds that are given. *If not*, other programs are running; the
#   figures stay valid.
#
# ## Read on
#
# **In papers this is called.** Noise of another kind or strength than in training is a distribution
# shift, or out of distribution. A *blind* denoiser is not given the noise level, a *conditioned*
# one is given a noise level map. Detail that was *made up* is called hallucinated.
#
# - K. Zhang, W. Zuo and L. Zhang, *FFDNet*, 2018, [arXiv
#   1710.04026](https://arxiv.org/abs/1710.04026): tell the network how strong the noise is, and it
#   need not guess.
# - Y. Zhou and others, *When AWGN-based Denoiser Meets Real Noises*, 2019, [arXiv
#   1904.03485](https://arxiv.org/abs/1904.03485): the problem of section 3 in real cameras; read
#   it after exercise 2.
# - S. Mohan, Z. Kadkhodaie, E. Simoncelli and C. Fernandez-Granda, *Robust and interpretable blind
#   image denoising via bias-free convolutional neural networks*, 2020, [arXiv
#   1906.05478](https://arxiv.org/abs/1906.05478): why a network without biases bears noise of
#   other strengths.
#
# The photographs are in the public domain or CC0; the package's `assets/LICENSES.md` names their
# authors.
#
# ## Exercises
#
# Replace each `...` and run the cell, then the check below it. The check prints `Right`, or says
# what it found and gives a hint.
#
# ### Exercise 1: twice the noise, without any training
#
# The specialist knows noise of $25/255$ and nothing else. In front of you is a picture with noise
# of $50/255$. Make it one that the specialist knows, let it be restored, and undo what you did.
#
# What becomes of $\sigma$ if you multiply $y$ by a number? Write it for any `sigma` above `SIGMA`.
# The function gets the network as `restore`: call it as `restore(pictures)`. It takes pictures
# around [0, 1] and returns pictures in [0, 1]. **Predict first**: will the result be better or
# worse than that of the blind generalist at 50?


# %% tags=["exercise"]
def restore_strong(observed, sigma, restore):
    """Restore pictures with noise `sigma` by a network made for noise SIGMA."""
    return ...


# %% tags=["solution"]
def restore_strong(observed, sigma, restore):  # noqa: F811
    """Restore pictures with noise `sigma` by a network made for noise SIGMA."""
    factor = SIGMA / sigma
    weaker = 0.5 + factor * (observed - 0.5)  # less contrast, and as much less noise
    return 0.5 + (restore(weaker) - 0.5) / factor


# %% tags=["check"]
received = []


def listen(pictures):
    """Stands in for the network: returns what it gets, and keeps it."""
    received.append(np.asarray(pictures))
    return received[-1]


for level in (50, 75):
    grey = noisy(flat, level / 255)
    received.clear()
    found = restore_strong(grey, level / 255, listen)
    assert getattr(found, "shape", None) == grey.shape, (
        f"The function should return pictures of shape {grey.shape}. It returned "
        f"{getattr(found, 'shape', type(found).__name__)}. "
        "Hint: multiply, call restore, divide."
    )
    assert received, "The function never calls restore. Hint: restore(...) is the network."
    strength = 255 * float(np.std(received[-1]))
    assert abs(strength - 25) < 1, (
        f"For sigma {level}/255 the network gets noise of {strength:.1f}/255, it knows 25/255. "
        "Hint: c * y has c times the noise of y."
    )
    undone = np.clip(found, 0, 1) - np.clip(grey, 0, 1)
    assert np.abs(undone).max() < 1e-3, (
        "With a network that changes nothing, the picture should come out as it went in. "
        "Hint: undo after restore exactly what you did before it, in reverse order."
    )
observed = noisy(test_photos, 50 / 255)
print("Right. At 50/255:")
for name, answer in {
    "specialist alone": denoiser.restore(observed),
    "specialist, your way": restore_strong(observed, 50 / 255, denoiser.restore),
    "blind generalist": blind.restore(observed),
}.items():
    print(f"{name:21} {mean_psnr(test_photos, answer):.1f} dB")

# %% [markdown]
# ### Exercise 2: make blurred noise white
#
# Section 3 says what the network looks at. Use it, again without any training.
#
# First: in white noise after a 3 x 3 box blur, how far apart must two pixels of a row be for their
# noise to be unrelated? Think which random numbers each of them contains, then check with
# `correlation(blurred, distance)`. This is `step`.
#
# Then write `restore_blurred`. From one picture make several smaller ones in which the noise is
# white, restore each by `restore(pictures)`, and put everything back in its place. A slice
# `pictures[:, i::step, j::step]` takes every `step`-th pixel.

# %% tags=["exercise"]
step = ...


def restore_blurred(observed, restore):
    """Restore pictures whose noise is related to its nearest neighbours."""
    return ...


# %% tags=["solution"]
step = 3


def restore_blurred(observed, restore):  # noqa: F811
    """Restore pictures whose noise is related to its nearest neighbours."""
    restored = np.empty_like(observed)
    for i in range(step):
        for j in range(step):
            restored[:, i::step, j::step] = restore(observed[:, i::step, j::step])
    return restored


# %% tags=["check"]
assert step == 3, (
    f"step is {step!r}. Hint: two means over 3 x 3 have no random number in common if their "
    "squares do not overlap. What is the smallest such distance?"
)
parts = []


def keep(pictures):
    """Stands in for the network: returns what it gets, and keeps it."""
    parts.append(np.asarray(pictures))
    return parts[-1]


found = restore_blurred(0.5 + blurred, keep)
assert getattr(found, "shape", None) == blurred.shape, (
    f"The function should return pictures of shape {blurred.shape}. It returned "
    f"{getattr(found, 'shape', type(found).__name__)}. "
    "Hint: begin with an empty array of the shape of `observed` and fill its slices."
)
assert parts, "The function never calls restore. Hint: restore(...) is the network."
for part in parts:
    assert max(part.shape[1:3]) <= 43, (
        f"The network gets pictures of {part.shape[1]} x {part.shape[2]} pixels. Hint: every third "
        "row and every third column of 128 are 43 or 42, observed[:, i::step, j::step]."
    )
    for r in (correlation(part), correlation(part.swapaxes(1, 2))):
        assert abs(r) < 0.2, (
            f"The network gets pictures whose neighbours have the correlation {r:.2f}. "
            "Hint: pass observed[:, i::step, j::step], for every i and j below step."
        )
assert np.abs(np.clip(found, 0, 1) - np.clip(0.5 + blurred, 0, 1)).max() < 1e-6, (
    "With a network that changes nothing, the picture should come out as it went in. "
    "Hint: write each part into the slice that it came from, restored[:, i::step, j::step]."
)
observed = (test_photos + blurred).astype("float32")
print("Right. White noise after a 3 x 3 blur:")
for name, answer in {
    "observed": observed,
    "box blur": box_blur(observed),
    "network alone": denoiser.restore(observed),
    "network, your way": restore_blurred(observed, denoiser.restore),
}.items():
    print(f"{name:18} {mean_psnr(test_photos, answer):.1f} dB")
print("Why not more? In the small pictures the photograph's own neighbours are 3 pixels apart too,")
print(f"and their correlation falls from {correlation(test_photos):.2f} ", end="")
print(f"to {correlation(test_photos, 3):.2f}.")
