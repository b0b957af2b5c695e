# %% [markdown]
# # 09 · Measuring quality: is that a good digit?
#
# **You will be able to**
#
# - explain why neither a loss nor a comparison of pixels says how good made pictures are;
# - compute a Frechet distance by hand, and say what it sees and what it does not;
# - tell when two figures may be compared, and refuse to compare them when they may not;
# - find the fault that one number hides: broken pictures, missing kinds, copies;
# - write a figure so that somebody else can measure it again.
#
# **You need** tutorials [02](02_gan.ipynb) and [04](04_vae.ipynb): what a GAN and a VAE are. Means
# and variances; a covariance is explained.
#
# **Time** on two CPU cores: 3 minutes of computing, 90 minutes with reading and exercises.

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
# ## Which of these three is the best?
#
# Three programs were asked for handwritten digits. Here are 40 pictures of each.
#
# ![Forty made digits of each of three programs, A, B and C](attachment:cover)
#
# *Write down two guesses: which one draws best, and which one gets the best figure?* One of them
# will get the figure of a perfect program, and is worth nothing. Section 7 shows you which.

# %% tags=["setup"]
import os

import keras
import matplotlib.pyplot as plt
import numpy as np

import keras_imgen as ki

SEED = 0
SHORT = 4  # epochs after which the first samples are taken
VAE_EPOCHS, GAN_EPOCHS = 12, 10
READER_EPOCHS = 8  # of a small network that reads digits, in section 8
DRAWS = 20  # how often section 5 measures each number of pictures
NUM_DIGITS = None  # all 4,000
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # a quick test: its figures mean nothing
    SHORT, VAE_EPOCHS, GAN_EPOCHS, READER_EPOCHS, DRAWS = 1, 2, 2, 1, 2
    NUM_DIGITS = 128

keras.utils.set_random_seed(SEED)  # the same first weights, and so the same pictures, every time

# %% [markdown]
# ## 1. Two models, and no answer in their losses
#
# We train the VAE of tutorial 04 and a GAN like that of tutorial 02, both for less than a minute.
# We take 1,000 **samples** (made pictures) of each after four epochs, and 1,000 at the end.
#
# **About 40 seconds for each of the two.**

# %%
digits = ki.load("digits", batch_size=64, seed=SEED)
if NUM_DIGITS is not None:
    digits = ki.load_arrays(digits.take(NUM_DIGITS), batch_size=64, seed=SEED)

vae = ki.VAE(
    ki.networks.vae_encoder((28, 28, 1), latent_dim=16, filters=32),
    ki.networks.vae_decoder((28, 28, 1), latent_dim=16, filters=32),
    seed=SEED,
)
vae.compile(keras.optimizers.Adam(2e-3), loss="bernoulli")
losses, samples = {}, {}
losses["VAE, short"] = vae.fit(digits, epochs=SHORT, verbose=0)
samples["VAE, short"] = vae.sample(1000, seed=SEED)
losses["VAE"] = vae.fit(digits, epochs=VAE_EPOCHS, initial_epoch=SHORT, verbose=0)
samples["VAE"] = vae.sample(1000, seed=SEED)

# %%
digits = ki.load("digits", seed=SEED)  # in batches of 32, as in tutorial 02
if NUM_DIGITS is not None:
    digits = ki.load_arrays(digits.take(NUM_DIGITS), seed=SEED)

gan = ki.GAN(
    ki.networks.dcgan_generator((28, 28, 1), latent_dim=32, filters=32),
    ki.networks.dcgan_discriminator((28, 28, 1), filters=32, batch_norm=False),
    seed=SEED,
)
gan.compile(keras.optimizers.Adam(1e-3, beta_1=0.5), keras.optimizers.Adam(1e-3, beta_1=0.5))
losses["GAN, short"] = gan.fit(digits, epochs=SHORT, verbose=0)
samples["GAN, short"] = gan.sample(1000, seed=SEED)
losses["GAN"] = gan.fit(digits, epochs=GAN_EPOCHS, initial_epoch=SHORT, verbose=0)
samples["GAN"] = gan.sample(1000, seed=SEED)

# %%
figure, axes = plt.subplots(4, 1, figsize=(8, 4.4), layout="constrained")
for ax, (name, pictures) in zip(axes, samples.items(), strict=True):
    ki.plotting.plot_images(pictures[:40], 20, name, ax=ax)
plt.show()
for name, history in losses.items():
    logs = {key: value[-1] for key, value in history.history.items() if key.endswith("loss")}
    print(f"{name:11}", {key: round(value, 2) for key, value in logs.items()})

# %% [markdown]
# *Write down your order of the four before you read on, and how sure you are.* Most people agree
# about the short trainings. They do not agree about the long ones: the VAE's digits are soft and
# calm, the GAN's are sharp, and some of them are no digits.
#
# The losses do not help.
#
# - The VAE's loss is in nats, the GAN's losses are surprises of two opponents. They have no common
#   unit.
# - The losses of a GAN do not even say whether it improves. Between the short and the long training
#   the pictures became better, and the *discriminator's* loss became worse. Each loss says how one
#   player does against the other. Two bad players can have the losses of two good ones.
# - A denoiser could be compared with the clean picture. A made digit has no original.
#
# So a set of made pictures must be compared with a *set of real ones*. We take the 1,000 test
# digits. For that we need to say how far apart two pictures are.

# %% [markdown]
# ## 2. Why pixels do not do
#
# The simplest distance of two pictures is the root of their mean squared difference, pixel by
# pixel: 0 for equal pictures, 1 for black and white. *Guess: a digit that is moved to the right by
# one pixel, and another digit that looks most like it; which one is nearer in pixels?*

# %%
test_set = ki.load("digits", "test", labels=True)
test_digits, test_labels = test_set.take(1000), np.asarray(test_set.labels)


def moved(pictures, pixels):
    """Pictures moved to the right. (The margin of a digit is black, so nothing is lost.)"""
    return np.roll(pictures, pixels, axis=2)


def pixel_distance(first, second):
    """Root of the mean squared difference, of each pair of pictures."""
    return np.sqrt(np.mean(np.square(first - second), axis=(1, 2, 3)))


indices, distances = ki.metrics.nearest(test_digits, test_digits, k=2)  # itself, and the next one
strangers, stranger_distance = test_digits[indices[:, 1]], distances[:, 1]
own_distance = pixel_distance(test_digits, moved(test_digits, 1))
nearer = stranger_distance < own_distance
wrong = nearer & (test_labels[indices[:, 1]] != test_labels)
print(f"another digit is nearer than the digit itself, one pixel moved: {np.sum(nearer)} of 1,000")
print(f"and this other digit is of another kind:                       {np.sum(wrong)} of 1,000")

rows = {
    "ten digits": test_digits,
    "the same, moved by one pixel: far in pixels": moved(test_digits, 1),
    "digits of another kind: nearer in pixels": strangers,
}
figure, axes = plt.subplots(3, 1, figsize=(7, 2.9), layout="constrained")
for ax, (title, pictures) in zip(axes, rows.items(), strict=True):
    ki.plotting.plot_images(pictures[wrong][:10], 10, title, ax=ax)
plt.show()

# %% [markdown]
# Nobody would call the third row more similar to the first than the second is. Pixels do not know
# what a stroke is. We need numbers that change when the digit changes, and change little when it
# only moves.
#
# A network that *reads* digits has such numbers. In its last layer but one it describes each
# picture by 64 numbers, and from these alone it names the digit. They are called **features**, and
# the network that computes them is the **extractor**. `ki.metrics.DigitFeatures` is a small one,
# trained on 60,000 digits, that comes with the package.

# %%
reader = ki.metrics.DigitFeatures()
test_features = reader(test_digits)
print("features of 1,000 digits:", test_features.shape)
print(f"read rightly: {np.mean(reader.labels(test_digits) == test_labels):.1%}")


def feature_distance(first, second):
    """Distance of the features of each pair of pictures."""
    return np.linalg.norm(reader(first) - reader(second), axis=1)


right = feature_distance(test_digits[wrong], moved(test_digits[wrong], 1)) < feature_distance(
    test_digits[wrong], strangers[wrong]
)
print(f"pairs above that the features put right: {np.sum(right)} of {np.sum(wrong)}")

other = (test_labels + 1) % 10  # for each digit another one of the next kind
partner = np.array([np.flatnonzero(test_labels == label)[0] for label in other])
steps = range(5)
curves = {}
for name, distance in (("pixels", pixel_distance), ("features", feature_distance)):
    unit = np.mean(distance(test_digits, test_digits[partner]))
    curves[name] = [np.mean(distance(test_digits, moved(test_digits, step))) for step in steps]
    curves[name] = np.array(curves[name]) / unit
figure, ax = plt.subplots(figsize=(5, 2.8), layout="constrained")
for name, values in curves.items():
    ax.plot(steps, values, marker="o", label=name)
ax.axhline(1.0, color="grey", linestyle="--", linewidth=1, label="a digit of another kind")
ax.set(xlabel="moved by so many pixels", ylabel="distance", xticks=steps, ylim=(0, 1.2))
ax.set_title("a moved digit, by two rulers", fontsize=10)
ax.legend(fontsize=8)
plt.show()
print("moved by 2 pixels:", {name: round(float(values[2]), 2) for name, values in curves.items()})

# %% [markdown]
# Both curves are drawn in the same unit: 1 is the distance of a digit of another kind. In pixels
# two steps make a digit nearly as far away as another digit. In features it is still nearer to
# itself. The features are not blind to the move, they only weigh it less. From here on, a picture
# is a point in a space of 64 features.

# %% [markdown]
# ## 3. The distance of two clouds
#
# A thousand real digits are a cloud of points, a thousand made ones another. How far apart are
# clouds? Describe each by two things only: its middle, and how it spreads.
#
# $$F = |\mu_r - \mu_m|^2 + \mathrm{tr}\left( C_r + C_m - 2 \, (C_r C_m)^{1/2} \right)$$
#
# - $F$: the **Frechet distance** (strictly, its square) of real pictures $r$ and made ones $m$;
# - $\mu_r$, $\mu_m$: the mean of each cloud, a vector with one number for each feature;
# - $|\cdot|^2$: squared length, the sum of the squares of all numbers;
# - $C_r$, $C_m$: the **covariance** of each cloud, a square table. On the diagonal stands the
#   variance of each feature, elsewhere how much two features rise and fall together;
# - $\mathrm{tr}$: the trace, the sum of the diagonal;
# - $(\cdot)^{1/2}$: the root of a table, the table which times itself gives it back.
#
# That looks worse than it is. If features do not rise and fall together, the tables are empty
# beside the diagonal, and all is a sum over the features $j$:
#
# $$F = \sum_j (\mu_{r,j} - \mu_{m,j})^2 + \sum_j (\sigma_{r,j} - \sigma_{m,j})^2$$
#
# with $\sigma_{r,j}$ and $\sigma_{m,j}$ the widths (standard deviations) of feature $j$. *The
# middles differ, or the widths differ: nothing else counts.*
#
# Compute by hand. The real cloud has the middle (0, 0) and the widths 2 and 1. Then
#
# - the same cloud with the middle (3, 0): $3^2 = 9$;
# - a narrow cloud, widths 1 and 1: $(2 - 1)^2 = 1$;
# - a turned cloud, widths 1 and 2: $(2 - 1)^2 + (1 - 2)^2 = 2$;
# - a *ring* with the same middle and the same widths: *guess!*

# %%
rng = np.random.default_rng(SEED)
plain = rng.standard_normal((20_000, 2))
angle = rng.uniform(0, 2 * np.pi, 20_000)
ring = np.sqrt(2) * np.stack([2 * np.cos(angle), np.sin(angle)], axis=1)  # its widths: 2 and 1
real_cloud = rng.standard_normal((20_000, 2)) * [2, 1]
made_clouds = {
    "moved": plain * [2, 1] + [3, 0],
    "narrow": plain * [1, 1],
    "turned": plain * [1, 2],
    "a ring": ring,
}


def draw_cloud(ax, points, color, label):
    """300 points, and the ellipse of middle and covariance: two widths in each direction."""
    turn = np.linspace(0, 2 * np.pi, 100)
    root = np.linalg.cholesky(np.cov(points.T))
    ellipse = points.mean(axis=0) + 2 * np.stack([np.cos(turn), np.sin(turn)], axis=1) @ root.T
    ax.scatter(*points[:300].T, s=3, color=color, alpha=0.5)
    ax.plot(*ellipse.T, color=color, label=label)


figure, axes = plt.subplots(1, 4, figsize=(9.6, 2.8), layout="constrained", sharey=True)
for ax, (name, cloud) in zip(axes, made_clouds.items(), strict=True):
    draw_cloud(ax, real_cloud, "tab:blue", "real")
    draw_cloud(ax, cloud, "tab:orange", "made")
    ax.set_aspect("equal")
    ax.set(xlim=(-6, 8), ylim=(-6, 6))
    ax.set_title(f"{name}: F = {ki.metrics.frechet_distance(real_cloud, cloud):.2f}", fontsize=10)
axes[0].legend(fontsize=8, loc="lower right")
plt.show()

# %% [markdown]
# The library agrees with the hand: about 9, 1 and 2. For the ring it finds nothing at all, although
# not one of its points lies in the middle, where most real points are. The Frechet distance
# compares two ellipses. It does not know what is inside.

# %% [markdown]
# ## 4. Calibrating the ruler
#
# Before you measure something unknown with a new ruler, measure something known. Take real digits,
# spoil them in a way that you know, and look at the figure. The unspoiled ones give the **floor**:
# what a perfect model would get, since other real digits are not at 0 either.
#
# *Guess before you run it: which fault is worse for the ruler, a slight blur or a digit that is
# never drawn? Weak noise, or a model that knows only 100 pictures?*

# %%
real_set = ki.load("digits", labels=True)
real_digits, real_labels = real_set.take(4000), np.asarray(real_set.labels)
thousand = real_digits[:1000]  # to be spoiled
rng = np.random.default_rng(SEED)


def noisy(pictures, sigma):
    """Pictures with white noise of standard deviation sigma."""
    noise = sigma * rng.standard_normal(pictures.shape)
    return np.clip(pictures + noise, 0.0, 1.0).astype("float32")


def blurred(pictures):
    """Each pixel replaced by the mean of its 3 x 3 neighbourhood."""
    steps = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    return np.mean([np.roll(pictures, step, axis=(1, 2)) for step in steps], axis=0)


def frechet(pictures):
    """Frechet distance from the test digits, in the features of the reader."""
    return ki.metrics.frechet_distance(test_features, reader(pictures))


spoiled = {
    "other real digits": thousand,
    "noise, sigma 0.05": noisy(thousand, 0.05),
    "noise, sigma 0.1": noisy(thousand, 0.1),
    "noise, sigma 0.2": noisy(thousand, 0.2),
    "100 pictures, each ten times": np.tile(real_digits[:100], (10, 1, 1, 1)),
    "never an 8": real_digits[real_labels != 8][:1000],
    "fainter, 0.7 times": 0.7 * thousand,
    "only 0 to 4": real_digits[real_labels < 5][:1000],
    "blurred, 3 x 3": blurred(thousand),
    "mirrored": thousand[:, :, ::-1],
}
distance_of = {name: frechet(pictures) for name, pictures in spoiled.items()}
order = sorted(distance_of, key=distance_of.get)
figure, axes = plt.subplots(5, 2, figsize=(9, 4), layout="constrained")
for ax, name in zip(axes.T.flat, order, strict=True):
    ki.plotting.plot_images(spoiled[name][:12], 12, f"{name}: F = {distance_of[name]:.1f}", ax=ax)
plt.show()
floors = [frechet(real_digits[start : start + 1000]) for start in range(0, 4000, 1000)]
print("the floor, four times 1,000 real digits:", " ".join(f"{floor:.1f}" for floor in floors))

# %% [markdown]
# - The ruler sees every fault here, and a stronger fault more. So it can serve.
# - It has its own opinion about which fault is worse. A digit that is *never drawn* costs less than
#   noise which you hardly notice. And a model that knows only 100 pictures costs as little, because
#   100 digits already have about the right ellipse.
# - Mirrored digits are perfect strokes. Their price is high since they are not *these* digits: they
#   lie elsewhere.
# - The number itself has no unit that you could explain to anybody. It means something beside the
#   floor, and beside another figure of the same kind.

# %% [markdown]
# ## 5. How many pictures?
#
# All figures above are of 1,000 pictures against 1,000. *Guess: with 150 against 150 real digits,
# will the figure be smaller, larger, or just less certain?*
#
# We shuffle all 5,000 real digits, take $n$ of them as "real" and $n$ others as "made". There is no
# difference between the two, so a good measure says 0. Beside the Frechet distance we put the
# **kernel distance**. It asks: how much more alike are two pictures of one set than two pictures of
# both?
#
# $$K = \overline{k(r, r')} + \overline{k(m, m')} - 2 \, \overline{k(r, m)}, \qquad
# k(a, b) = \left( \tfrac{1}{d} \, a \cdot b + 1 \right)^3$$
#
# - $K$: the kernel distance; the bars are means over all pairs of two *different* pictures $r$,
#   $r'$ (real) or $m$, $m'$ (made), and of one of each;
# - $k(a, b)$: how alike two lists of features are; $a \cdot b$ is the sum of their products and
#   $d = 64$ their number.

# %%
all_features = np.concatenate([test_features, reader(real_digits)])
numbers = (150, 300, 600, 1200, 2400)
table = {}
for n in numbers:
    frechets, kernels = [], []
    for _ in range(DRAWS):
        drawn = all_features[rng.permutation(5000)[: 2 * n]]
        frechets.append(ki.metrics.frechet_distance(drawn[:n], drawn[n:]))
        kernels.append(ki.metrics.kernel_distance(drawn[:n], drawn[n:]))
    table[n] = np.array(frechets), np.array(kernels)
    value, error = table[n][1].T
    print(
        f"{n:5} pictures: Frechet {np.mean(frechets):5.2f} (spread {np.std(frechets):.2f})   "
        f"kernel {np.mean(value):6.2f} (spread {np.std(value):5.2f}; it says {np.mean(error):5.2f})"
    )

figure, axes = plt.subplots(1, 2, figsize=(8.4, 3), layout="constrained")
frechets, kernels = zip(*table.values(), strict=True)
for ax, values, name in (
    (axes[0], frechets, "Frechet distance: too large"),
    (axes[1], [kernel[:, 0] for kernel in kernels], "kernel distance: uncertain, but around 0"),
):
    spread = [np.std(value) for value in values]
    ax.errorbar(numbers, [np.mean(v) for v in values], spread, marker="o", capsize=3)
    ax.axhline(0.0, color="grey", linestyle="--", linewidth=1)
    ax.set_xscale("log")
    ax.set_xticks(numbers, numbers)
    ax.minorticks_off()
    ax.set(xlabel="pictures of each kind, n", ylabel="distance of real digits from real digits")
    ax.yaxis.label.set_fontsize(8)
    ax.set_title(name, fontsize=10)
plt.show()

# %% [markdown]
# With few pictures the Frechet distance is not just less certain, it is *too large*, always. The
# mean and the covariance of $n$ pictures are a little wrong, and the distance is a sum of squares:
# every error adds, none takes away. Half as many pictures, twice the error. This one-sided error is
# called **bias**. Two models measured with different $n$ are not compared at all. The one with
# fewer pictures loses even if both are perfect.
#
# The kernel distance has no bias. On average it is 0 for every $n$; only its spread grows. (A
# picture is never paired with itself: that is the trick.) It also says by itself how far it would
# vary, its **standard error**: a difference of less than two or three of them is none. So why not
# always take it? It is less sharp. Where an 8 is never drawn, the Frechet distance says 28 against
# a floor of 3. The kernel distance says "14, give or take 8".
#
# With fewer pictures than features a covariance is not even determined. That is why the library
# refuses fewer than twice as many. And because a figure means nothing without its protocol, a
# result says more than a number:

# %%
frechet_of = ki.metrics.FrechetDistance(test_digits, reader)
kernel_of = ki.metrics.KernelDistance(test_digits, reader)
precision_recall_of = ki.metrics.PrecisionRecall(test_digits, reader)
try:
    frechet_of(thousand[:100])
except ValueError as error:
    print(error)
print(frechet_of(thousand))
print(kernel_of(spoiled["never an 8"]))

# %% [markdown]
# One more part of a protocol: how pictures were brought to the size that the extractor wants. Here
# are the same real digits, made smaller and brought back to 28 x 28.

# %%
for side in (28, 24, 20):
    for method in ("bilinear", "bicubic"):
        small = keras.ops.image.resize(thousand, (side, side), method, data_format="channels_last")
        back = keras.ops.image.resize(small, (28, 28), method, data_format="channels_last")
        back = np.clip(keras.ops.convert_to_numpy(back), 0.0, 1.0)
        print(f"{side} x {side} and back, {method:8}: Frechet distance {frechet(back):5.1f}")

# %% [markdown]
# The digits are real, and all of the difference is in the resizing. So never compare figures of
# different $n$, of different extractors, or of different ways to resize, not even when both are
# called FID (**Frechet Inception distance**, the same formula in 2,048 features of a network that
# knows photographs).

# %% [markdown]
# ## 6. One number hides two faults
#
# Two models, built from real digits so that we know the truth:
#
# - the **narrow** one draws perfect digits, but only tidy ones: the 50 of each kind that are
#   nearest to the mean picture of their kind;
# - the **broken** one knows all kinds of digits, but 42 of 100 are put together from the upper half
#   of one and the lower half of another.

# %%
tidy = []
for label in range(10):
    places = np.flatnonzero(real_labels == label)
    from_mean = pixel_distance(real_digits[places], real_digits[places].mean(axis=0))
    tidy.append(places[np.argsort(from_mean)[:50]])
narrow = np.tile(real_digits[np.concatenate(tidy)], (2, 1, 1, 1))[rng.permutation(1000)]

broken = thousand.copy()
broken[:420, 14:] = real_digits[1000:1420, 14:]
broken = broken[rng.permutation(1000)]

figure, axes = plt.subplots(2, 1, figsize=(8, 2.1), layout="constrained")
for ax, (name, pictures) in zip(axes, {"narrow": narrow, "broken": broken}.items(), strict=True):
    ki.plotting.plot_images(pictures[:40], 20, f"{name}: F = {frechet(pictures):.1f}", ax=ax)
plt.show()

# %% [markdown]
# The Frechet distance finds them about equal, and cannot say what is wrong. Two questions can:
#
# - **Precision**: which share of the *made* pictures lies among real ones?
# - **Recall**: which share of the *real* pictures lies among made ones?
#
# "Among" is made exact by balls. Around each point of a set lies a ball that just reaches its third
# nearest neighbour in the same set. All balls together are the region of the set. In two
# dimensions, with few points and the second neighbour:

# %%
toy = np.random.default_rng(6)
left, right, alone = toy.uniform(-1, 1, (9, 2)), toy.uniform(-1, 1, (9, 2)) + [4, 0.5], [[2, 3]]
toy_real = np.concatenate([left, right, alone])
left, far, guest = toy.uniform(-0.8, 0.8, (9, 2)), toy.uniform(-0.5, 0.5, (5, 2)), [[2, 2.2]]
toy_made = np.concatenate([left, far + [6.6, 2.8], guest])
figure, axes = plt.subplots(1, 2, figsize=(9, 3.3), layout="constrained")
shares = ki.metrics.precision_recall(toy_real, toy_made, neighbors=2)
panels = (
    ("precision", "made points in balls of real ones", toy_real, "tab:blue"),
    ("recall", "real points in balls of made ones", toy_made, "tab:orange"),
)
for ax, share, (name, text, owners, color) in zip(axes, shares, panels, strict=True):
    gaps = np.linalg.norm(owners[:, None] - owners, axis=2)
    for centre, radius in zip(owners, np.sort(gaps, axis=1)[:, 2], strict=True):
        ax.add_patch(plt.Circle(centre, radius, color=color, alpha=0.15, linewidth=0))
    ax.scatter(*toy_real.T, s=16, color="tab:blue", label="real")
    ax.scatter(*toy_made.T, s=16, color="tab:orange", marker="^", label="made")
    ax.set_aspect("equal")
    ax.set(xticks=[], yticks=[], xlim=(-2.2, 8.2), ylim=(-2, 5.8))
    ax.set_title(f"{name} {share:.2f}: {text}", fontsize=10)
axes[0].legend(fontsize=8, loc="lower right")
plt.show()

# %% [markdown]
# The five made points on the far right lie in no ball of a real one: they cost precision. The group
# of real points that the model never makes lies in no ball of a made one: it costs recall. And look
# at the real point at the top that is alone. Its neighbours are far away, so its ball is huge.
#
# Now in 64 features. *Guess first: which of the two figures is low for the narrow model, and which
# for the broken one? And for two more: all digits blurred, and 1,000 times the same black picture?*


# %%
def show_figures(name, pictures):
    """All figures of made pictures in one line."""
    figures = precision_recall_of(pictures)
    kernel = kernel_of(pictures)
    print(
        f"{name:18} Frechet {float(frechet_of(pictures)):6.1f}   "
        f"kernel {float(kernel):6.1f} +- {kernel.standard_error:4.1f}   "
        f"precision {figures.precision:.2f}   recall {figures.recall:.2f}"
    )


black = np.zeros_like(thousand)
show_figures("other real digits", thousand)
show_figures("narrow", narrow)
show_figures("broken", broken)
show_figures("blurred, 3 x 3", spoiled["blurred, 3 x 3"])
show_figures("black", black)

# %% [markdown]
# Narrow: its digits are fine and many real ones are not reached. Broken: nothing is missing, and
# too many lie outside. Now we know *what* to repair. (It is not 58 out of 100 for the broken one:
# some upper and lower halves happen to fit, and real digits do not reach 1.00 either.)
#
# The last two lines are a warning. **Precision is not sharpness.** Blurred digits differ less from
# each other than sharp ones, so they lie in the *middle* of the cloud, and the middle is full of
# balls. And the black picture has a perfect precision: five unusual real digits are alone like the
# point at the top of the picture above, and their wide balls take the black picture in. Recall
# tells at once that something is wrong. So read the two together, never one alone, and look at the
# pictures.
#
# Here are the four sets of section 1. *Compare with your order.*

# %%
for name, pictures in samples.items():
    show_figures(name, pictures)

# %% [markdown]
# This is what the eye suspected. The VAE's digits lie among real ones, and they are all of one
# manner: they miss much of what writers do. The GAN's digits have more variety, and more of them
# are broken. By the Frechet distance the GAN wins. Which one is *better* depends on what it is for:
# to show calm digits, or to stand for all digits. And look at the two short trainings: more
# precision than after the long ones, and hardly any recall.

# %% [markdown]
# ## 7. Counting, and catching a copier
#
# Are all ten kinds there? The reader has `labels`: the digit that it reads in each picture. Each
# kind is a tenth of the digits that the models learned from.

# %%
counted = {name: samples[name] for name in ("VAE", "GAN")} | {"black pictures": black}
figure, axes = plt.subplots(1, 3, figsize=(8.4, 2.3), layout="constrained", sharex=True)
for ax, (name, pictures) in zip(axes, counted.items(), strict=True):
    counts = np.bincount(reader.labels(pictures), minlength=10)
    ax.bar(range(10), counts)
    ax.axhline(100, color="grey", linestyle="--", linewidth=1)
    ax.set(xticks=range(10), xlabel="read as")
    ax.set_title(f"{name}: {counts.min()} to {counts.max()} of a kind", fontsize=10)
plt.show()

# %% [markdown]
# A kind that is never drawn would be an empty column, and you would see *which* one. But the third
# picture shows the weakness: the reader always names a digit, also where there is none. Count only
# what you have looked at.
#
# Now a third model. It is the fastest of all: it takes a training picture and adds noise which
# nobody sees. *Guess: its Frechet distance, its precision, its recall?*

# %%
copies = noisy(real_digits[1000:2000], 0.02)
models = {"VAE": samples["VAE"], "GAN": samples["GAN"], "the copier": copies}
for name, pictures in models.items():
    show_figures(name, pictures)

# %% tags=["cover"]
figure, axes = plt.subplots(3, 1, figsize=(8, 3.2), layout="constrained")
for ax, letter, pictures in zip(axes, "ABC", models.values(), strict=True):
    ki.plotting.plot_images(pictures[:40], 20, letter, ax=ax)
plt.show()

# %% [markdown]
# C, the copier, gets the figures of a perfect model. *None of them can know*: a perfect model and a
# copier both draw pictures like the real ones. If you guessed C at the beginning, you saw the
# quality, and could not see the cheating either.
#
# To catch it, compare with what it was *trained on*. `ki.metrics.memorization` looks for the
# nearest training picture of every sample. How near is too near? The test digits say: they were
# certainly not copied, and one of 100 of them finds a training picture within the **threshold**.
# Of a model's samples about one of 100 should, too. More of them is **memorisation**. (Here
# distances of pixels are right after all: a copy has the same pixels.)

# %%
found = {}
for name, pictures in models.items():
    found[name] = ki.metrics.memorization(pictures, real_digits, test_digits)
    print(f"{name}: {found[name]}")
result = found["the copier"]
ki.plotting.plot_distances(result.distances, result.held_out_distances, result.threshold)

# %%
ki.plotting.plot_neighbors(
    copies[:12],
    real_digits[result.indices[:12]],
    result.distances[:12],
    ["the copier's digits", "the nearest training pictures"],
)

# %%
result = found["GAN"]
ki.plotting.plot_neighbors(
    samples["GAN"][:12],
    real_digits[result.indices[:12]],
    result.distances[:12],
    ["the GAN's digits", "the nearest training pictures"],
)

# %% [markdown]
# The GAN's digits are new: similar to a training picture, and drawn otherwise. A copier that moves
# its pictures by one pixel would escape, as section 2 explains. A share that is not suspicious is
# no proof; look at the pairs.

# %% [markdown]
# ## 8. What the ruler does not see
#
# The features were learned in order to tell a 3 from an 8. What does not matter for that, they may
# ignore. And to what never occurred in their training they may answer wildly. *Guess: which of
# these two faults gets the larger figure?*

# %%
dotted = thousand.copy()
dotted[:, 1:4, 1:4] = 0.7  # a bright square near the corner
grey = np.maximum(thousand, 0.05)  # the ground is not quite black
titles = {"a bright square": dotted, "a ground of 0.05 in place of 0": grey}
figure, axes = plt.subplots(2, 1, figsize=(7, 2.1), layout="constrained")
for ax, (name, pictures) in zip(axes, titles.items(), strict=True):
    ki.plotting.plot_images(pictures[:10], 10, f"{name}: F = {frechet(pictures):.1f}", ax=ax)
plt.show()

# %% [markdown]
# Everybody sees the square, and the figure stays at the floor: to read a digit, nobody needs this
# corner. (Move the square to the lower right, and it costs more. Nobody planned that either.) The
# ground is hardly to be seen, and the figure is many times the floor.
#
# Is it a matter of *this* reader? Train another one, smaller, on the 4,000 training digits.
# `ki.metrics.Features` makes an extractor of any network. **About 10 seconds.**

# %%
inputs = keras.Input((28, 28, 1))
outputs = inputs
for filters in (16, 32):
    outputs = keras.layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(outputs)
described = keras.layers.Dense(64, activation="relu")(keras.layers.Flatten()(outputs))
small_network = keras.Model(inputs, keras.layers.Dense(10)(described))
small_network.compile(
    "adam",
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
small_network.fit(real_digits, real_labels, batch_size=64, epochs=READER_EPOCHS, verbose=0)
_, accuracy = small_network.evaluate(test_digits, test_labels, verbose=0)
print(f"the small reader reads {accuracy:.1%} of the test digits, which it never saw, rightly")

small_reader = ki.metrics.Features(keras.Model(inputs, described), "small reader")
small_frechet_of = ki.metrics.FrechetDistance(test_digits, small_reader)
compared = {
    "other real digits": thousand,
    "a bright square": dotted,
    "a grey ground": grey,
    "noise, sigma 0.1": spoiled["noise, sigma 0.1"],
    "never an 8": spoiled["never an 8"],
    "fainter, 0.7 times": spoiled["fainter, 0.7 times"],
    **models,
}
for name, pictures in compared.items():
    values = float(frechet_of(pictures)), float(small_frechet_of(pictures))
    print(f"{name:18} DigitFeatures {values[0]:6.1f}   small reader {values[1]:6.1f}")

# %% [markdown]
# Two rulers, and different numbers for everything. The small reader sees a little of the square. By
# `DigitFeatures`, fainter real digits are better than the VAE's, and by the small reader they are
# worse. So a figure of one extractor says nothing about a figure of another. What *both* say can be
# trusted more: here the order of the three models, with the copier at the floor.
#
# **And who checks the checker?** A fair test uses pictures that nobody has learned from. The test
# digits are unknown to the VAE and the GAN. But they are not unknown to `DigitFeatures`: all digits
# that come with the package were selected from the 60,000 that it was trained on (its description
# says so). That it reads 99.9 % of them therefore proves nothing; of 10,000 digits that it never
# saw it read 99.3 %. Does this spoil our figures? It knows the real digits and does not know the
# made ones, so it might see a larger gap than there is. The small reader is a check. It never saw a
# test digit, and yet it puts the models in the same order. So the order does not come from what
# `DigitFeatures` remembers. The floor is less certain: with digits that no extractor has seen it
# might be higher.

# %% [markdown]
# ## What to remember
#
# 1. Made pictures have no original. Sets are compared, in features, because pixels do not know what
#    a stroke is.
# 2. The Frechet distance compares two ellipses: middles and widths. Print the floor, the figure of
#    other real pictures, beside it.
# 3. Few pictures make it too large. Never compare figures of different $n$, extractor or resizing.
# 4. The kernel distance has no bias, and says how uncertain it is.
# 5. Precision asks for broken pictures, recall for missing ones. Read both, and neither as
#    sharpness.
# 6. No such figure notices copies. Compare with the training pictures, too.
# 7. An extractor sees what it needed for its own task. Look at the pictures.
#
# Write this under every figure:
#
# | what | here |
# | --- | --- |
# | data | MNIST, the 1,000 embedded test digits, none of which a model learned from |
# | number | 1,000 made against 1,000 real |
# | extractor | `DigitFeatures`, 64 features, which knows the test digits |
# | resizing | none, 28 x 28 |
# | figure beside it | the floor: 2.5 to 3.6 for other real digits |
# | budget | 12 epochs (VAE) and 10 epochs (GAN) of 4,000 digits, on two CPU cores |
# | seeds | how many, and the spread; one seed is an example |
# | also looked at | precision and recall, kinds, copies, and the pictures themselves |

# %% [markdown]
# ## You should see / if not
#
# Measured with three values of `SEED`, on two CPU cores:
#
# - **Section 1**: for the VAE a loss of 124 to 141 nats at the end; for the GAN a discriminator's
#   loss that rises from 0.6 to 0.8, up to 1.0 or 1.1. *If not*, and a grid is grey or all alike:
#   run the training again with another `SEED`.
# - **Sections 2 to 4**: 464 and 17 of 1,000; a floor of 2.5 to 3.6. *If not*: these do not depend
#   on `SEED`. Was the test set changed?
# - **Section 5**: Frechet distances from 30 or more (150 pictures) to 2 (2,400), each about half of
#   the one before; the kernel distance within its spread of 0. *If not*, draw more often.
# - **Section 6**: both built models at 15; precision 0.95 and 0.76, recall 0.31 and 0.90. The VAE:
#   Frechet 135 to 225, precision 0.78 to 0.87, recall 0.12 to 0.52. The GAN: 95 to 105, 0.68 to
#   0.72, 0.65 to 0.76. *If not*, and a model lies outside: look at its grid first.
# - **Section 7**: 100 % of the copier's pictures within the threshold, of the models at most 0.1 %.
#   *If not*, and a model has more than 2 %: it copies, or it is blurred. Look at the pairs.
# - **Section 8**: the square at the floor of `DigitFeatures`, the ground at 25. The small reader
#   reads 94 to 95 % rightly. *If not*, below 90 %: train it for more epochs.
# - **Time**: within twice the seconds that are given. *If not*, other programs are running; the
#   figures stay valid.
#
# With a graphics card, train both for 60 epochs on all of MNIST (`ki.load("mnist")`, downloaded
# once), and measure 10,000 samples against its 10,000 test digits, which the extractor never saw.
#
# ## Read on
#
# - M. Heusel and others, *GANs Trained by a Two Time-Scale Update Rule*, 2017, [arXiv
#   1706.08500](https://arxiv.org/abs/1706.08500): where the Frechet distance of features comes
#   from; the figure with growing faults is the model for section 4.
# - M. Binkowski and others, *Demystifying MMD GANs*, 2018, [arXiv
#   1801.01401](https://arxiv.org/abs/1801.01401): the kernel distance, and why the Frechet distance
#   has a bias.
# - T. Kynkaanniemi and others, *Improved Precision and Recall Metric*, 2019, [arXiv
#   1904.06991](https://arxiv.org/abs/1904.06991): the balls.
# - G. Parmar and others, *On Aliased Resizing*, 2022, [arXiv
#   2104.11222](https://arxiv.org/abs/2104.11222): what resizing does to an FID.
# - L. Theis and others, *A note on the evaluation of generative models*, 2016, [arXiv
#   1511.01844](https://arxiv.org/abs/1511.01844): why good in one figure is not good in another.
#
# The digits are from MNIST (Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0).

# %% [markdown]
# ## Exercises
#
# Replace each `...` and run the cell, then the check below it. The check prints `Right`, or says
# what it found and gives a hint.
#
# ### Exercise 1: one feature
#
# Write the Frechet distance of section 3 in NumPy for a single feature: `real` and `made` are two
# lists of numbers. Means and widths are all you need.


# %% tags=["exercise"]
def my_frechet(real, made):
    """The Frechet distance of two lists of numbers, one float."""
    return ...


# %% tags=["solution"]
def my_frechet(real, made):  # noqa: F811
    """The Frechet distance of two lists of numbers, one float."""
    return (np.mean(real) - np.mean(made)) ** 2 + (np.std(real) - np.std(made)) ** 2


# %% tags=["check"]
line = np.random.default_rng(1).standard_normal(2000)
line = (line - line.mean()) / line.std()  # middle 0 and width 1
cases = {  # what is compared with the line itself: the right answer, and a hint
    "moved by 3": (line + 3, 9.0, "the gap between the middles is squared: 3 * 3."),
    "three times as wide": (
        3 * line,
        4.0,
        "the gap between the widths (np.std, not the variance np.var) is squared: (3 - 1)^2.",
    ),
    "moved by -1, half as wide": (0.5 * line - 1, 1.25, "add both parts: 1 + 0.25."),
    "mirrored": (-line, 0.0, "middle and width are the same, whatever the single values are."),
}
for name, (cloud, expected, hint) in cases.items():
    answer = my_frechet(line, cloud)
    assert isinstance(answer, float | np.floating), (
        f"my_frechet should return one number. It returned {answer!r}. "
        "Hint: np.mean(...) and np.std(...) of a list are one number each."
    )
    assert abs(answer - expected) < 0.01, (
        f"For a cloud that is {name} the distance is {expected}. Yours is {answer:.3f}. "
        f"Hint: {hint}"
    )
first_feature = test_features[:, 0], reader(samples["GAN"])[:, 0]
by_library = ki.metrics.frechet_distance(*(column[:, None] for column in first_feature))
print(
    f"Right. For the GAN's first feature yours gives {my_frechet(*first_feature):.3f}, "
    f"the library {by_library:.3f}: it divides by n - 1."
)

# %% [markdown]
# ### Exercise 2: a figure that cheats
#
# Two students compare their models. Anna measured her 1,000 pictures against the test digits, Ben
# his 200. Run the cell: Anna's distance is smaller, so she says that hers is better.
#
# 1. Is it? Write "Anna" or "Ben" for the one whose model is nearer to the test digits.
# 2. Write `fair`: the two Frechet distances from the test digits, compared fairly. Where one set is
#    larger, use only its first pictures. You have `frechet_of` from section 5.

# %% tags=["exercise"]
annas, bens = noisy(real_digits[2000:3000], 0.05), real_digits[1200:1400]
print(f"Anna {float(frechet_of(annas)):.1f}, Ben {float(frechet_of(bens)):.1f}")
better = ...  # "Anna" or "Ben"


def fair(first, second):
    """The Frechet distances of both sets as two floats, of equally many pictures."""
    return ...


# %% tags=["solution"]
annas, bens = noisy(real_digits[2000:3000], 0.05), real_digits[1200:1400]
print(f"Anna {float(frechet_of(annas)):.1f}, Ben {float(frechet_of(bens)):.1f}")
better = "Ben"  # his pictures are real digits


def fair(first, second):  # noqa: F811
    """The Frechet distances of both sets as two floats, of equally many pictures."""
    n = min(len(first), len(second))
    return float(frechet_of(first[:n])), float(frechet_of(second[:n]))


# %% tags=["check"]
for first, second in ((annas, bens), (bens, annas), (annas[:300], annas[:500])):
    n = min(len(first), len(second))
    pair = fair(first, second)
    assert np.shape(pair) == (2,), (
        f"fair should return two distances. It returned {pair!r}. "
        "Hint: return float(frechet_of(first)), float(frechet_of(second)), but of equal sets."
    )
    pair = [float(value) for value in pair]
    expected = [float(frechet_of(pictures[:n])) for pictures in (first, second)]
    unfair = [float(frechet_of(pictures)) for pictures in (first, second)]
    assert not np.allclose(pair, unfair), (
        f"For sets of {len(first)} and {len(second)} pictures yours are {pair[0]:.1f} and "
        f"{pair[1]:.1f}: the figures of all pictures, of different n. Hint: section 5."
    )
    assert np.allclose(pair, expected, rtol=1e-3), (
        f"For sets of {len(first)} and {len(second)} pictures the distances are "
        f"{expected[0]:.1f} and {expected[1]:.1f}. Yours are {pair[0]:.1f} and {pair[1]:.1f}. "
        "Hint: n = min(len(first), len(second)), then first[:n] and second[:n], in this order."
    )
assert str(better).lower() in ("anna", "ben"), f'Say "Anna" or "Ben". Found {better!r}.'
annas_fair, bens_fair = (float(value) for value in fair(annas, bens))
assert str(better).lower() == "ben", (
    f"You say {better!r}. With 200 pictures each: Anna {annas_fair:.1f}, Ben {bens_fair:.1f}. "
    "Hint: whose first figure was made worse by the number of pictures?"
)
print(
    f"Right: with 200 pictures each it is {annas_fair:.1f} for Anna and {bens_fair:.1f} for Ben, "
    "whose pictures are real digits. Anna's have noise."
)

# %% [markdown]
# ### Exercise 3: precision by hand
#
# Write `my_precision` for two arrays of features, `(pictures, features)`: the share of made points
# that lie in a ball of at least one real point. The ball of a real point reaches to its third
# nearest *other* real point. `gaps(a, b)` gives all distances, one row for each point of `a`.


# %% tags=["exercise"]
def gaps(a, b):
    """Distance of each point of a from each point of b."""
    return np.linalg.norm(a[:, None] - b[None], axis=2)


def my_precision(real, made):
    """Share of made points in a ball of a real one, one float."""
    return ...


# %% tags=["solution"]
def gaps(a, b):
    """Distance of each point of a from each point of b."""
    return np.linalg.norm(a[:, None] - b[None], axis=2)


def my_precision(real, made):  # noqa: F811
    """Share of made points in a ball of a real one, one float."""
    radius = np.sort(gaps(real, real), axis=1)[:, 3]  # at 0 stands the point itself
    return float(np.mean(np.any(gaps(made, real) <= radius, axis=1)))


# %% tags=["check"]
real_row, made_row = np.arange(10.0)[:, None], np.array([[-2.0], [-3.5], [4.2], [11.5], [30.0]])
answer = my_precision(real_row, made_row)
assert isinstance(answer, float | np.floating), (
    f"my_precision should return one number. It returned {answer!r}. "
    "Hint: np.mean of a list of True and False is a share."
)
# The balls of 0 and 9 reach 3 beyond, to -3 and 12.
answers = {  # what a wrong answer would be: its hint
    0.2: "np.sort(gaps(real, real), axis=1) has the point itself at 0; the third other is at 3.",
    0.4: "the third neighbour is at [:, 3], since the point itself stands at 0.",
    0.5: "that is a share of the real points. Ask for each made one: np.any(..., axis=1).",
}
hint = next((text for value, text in answers.items() if abs(answer - value) < 1e-6), None)
assert abs(answer - 0.6) < 1e-6, (
    "The real points 0 to 9 reach from -3 to 12, so 3 of the 5 made points -2, -3.5, 4.2, 11.5 and "
    f"30 lie in a ball: 0.6. Yours is {answer:.2f}. "
    f"Hint: {hint or 'a made point counts if it is in the ball of any real point.'}"
)
toy = np.random.default_rng(5)
wide, tight = toy.normal(size=(200, 2)) * [3, 1], toy.normal(size=(150, 2)) + [1, 1]
for first, second in ((wide, tight), (tight, wide)):
    answer = my_precision(first, second)
    expected, recall = ki.metrics.precision_recall(first, second)
    assert abs(answer - expected) < 1e-6, (
        f"For two clouds the library finds a precision of {expected:.3f} and a recall of "
        f"{recall:.3f}. Yours is {answer:.3f}. Hint: the radius belongs to the real points, and "
        "each has its own; in gaps(made, real) real points are the columns."
    )
answer = my_precision(test_features, reader(samples["GAN"]))
print(f"Right: for the GAN {answer:.3f}, as in section 6.")
