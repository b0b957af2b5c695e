# %% [markdown]
# # 09 · Measuring quality: is that a good picture?
#
# **You will be able to**
#
# - show pictures of equal PSNR that look nothing alike, and say what SSIM and GMSD see in them;
# - let people judge pairs, and say how many pairs tell two measures apart;
# - compute a Fréchet distance by hand, and tell when two figures may be compared;
# - find the fault that one number hides: broken pictures, missing ones, copies.
#
# **You need** tutorials [02](02_gan.ipynb), [04](04_vae.ipynb) and [05](05_cnn_denoising.ipynb), to
# know what a GAN, a VAE and a denoiser are. Means and variances.
#
# **Time** on two CPU cores: 3 minutes of computing, 75 minutes with reading and exercises.

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
# ## Seven faults, one number
#
# ![One photograph and seven ways to spoil it, all of the same PSNR](attachment:cover)
#
# The first picture is a photograph. The other seven are spoiled, each in another way, and all have
# the same PSNR, the number by which tutorials 05 to 08 judge a restoration. *Write down your order,
# from the fault that you would accept to the one that you would not.*
#
# The first half of this notebook is about pictures that have an original (the **ground truth**),
# the second about generated ones, which have none.

# %% tags=["setup"]
import os

import keras
import matplotlib.pyplot as plt
import numpy as np

import keras_imgen as ki

SEED = 0
STEPS = 12  # of a search for equal PSNR, in section 1
VAE_EPOCHS, GAN_EPOCHS = 12, 10
NUM = 1000  # pictures of each kind that are compared
NUMBERS, DRAWS = (150, 300, 600, 1200, 2400), 20  # of pictures in section 6, each drawn 20 times
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # a quick test: its figures mean nothing
    STEPS, VAE_EPOCHS, GAN_EPOCHS, NUM, NUMBERS, DRAWS = 2, 1, 1, 200, (150, 300), 2

keras.utils.set_random_seed(SEED)  # the same first weights, and so the same pictures, every time

# %% [markdown]
# ## 1. Seven pictures of equal PSNR
#
# $$\mathrm{PSNR} = 10 \log_{10} \frac{1}{\mathrm{MSE}}$$
#
# The mean squared error (MSE) is a mean over pixels. It does not know where an error is, nor
# whether neighbours have the same one. We move a photograph by one pixel and note its PSNR. Then we
# spoil the photograph in six other ways and search the strength at which each has this PSNR, by
# halving an interval.

# %%
photo = ki.load_example("coffee")[None]
window = np.s_[:, 60:284, 180:404]
clean = photo[window]
rng = np.random.default_rng(SEED)
noise = rng.standard_normal(clean.shape).astype("float32")
spot = np.zeros_like(clean)
spot[:, 30:52, 30:52] = 1.0
cast = np.array([1.0, -0.8, 1.2], "float32")  # more red and blue, less green

FAULTS = {  # each is stronger for a larger t
    "less contrast": lambda t: clean + t * (np.mean(clean) - clean),
    "colour cast": lambda t: clean + t * cast,
    "black spot": lambda t: clean - t * spot,
    "noise": lambda t: clean + t * noise,
    "blur": lambda t: ki.degradations.Blur(0.1 + 8 * t)(clean),
    "JPEG": lambda t: ki.degradations.JpegCompression(100 - 99 * t)(clean),
}


def shown(pictures):
    """Pictures as a screen shows them: float32 in [0, 1]."""
    return np.clip(np.asarray(pictures), 0.0, 1.0).astype("float32")


def psnr(clean, pictures):
    """PSNR of each picture, in dB."""
    return np.asarray(ki.metrics.psnr(clean, pictures))


def show_rows(rows, columns, size):
    """Draw sets of pictures below each other, the first few of each, and its name above."""
    _, axes = plt.subplots(len(rows), 1, figsize=size, layout="constrained")
    for ax, (name, pictures) in zip(axes, rows.items(), strict=True):
        ki.plotting.plot_images(pictures[:columns], columns, ax=ax)
        ax.set_title(name, fontsize=12)
    plt.show()


moved = np.roll(photo, 1, axis=2)[window]
target = psnr(clean, moved)[0]
spoiled = {"original": clean, "moved by one pixel": moved}
for name, fault in FAULTS.items():
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        too_weak = psnr(clean, shown(fault(middle)))[0] > target
        low, high = (middle, high) if too_weak else (low, middle)
    spoiled[name] = shown(fault(high))

# %% tags=["cover"]
figure, axes = plt.subplots(2, 4, figsize=(11, 6.1), layout="constrained")
for ax, (name, picture) in zip(axes.flat, spoiled.items(), strict=True):
    title = name if picture is clean else f"{name} · {psnr(clean, picture)[0]:.1f} dB"
    ki.plotting.plot_images(picture, ax=ax)
    ax.set_title(title, fontsize=13)
plt.show()

# %% [markdown]
# Hardly anybody sees that the second picture moved. Nobody overlooks the last one.
#
# ## 2. Two measures that look at patterns
#
# The **structural similarity** (SSIM) compares small windows, of 11 x 11 pixels around each pixel:
#
# $$\mathrm{SSIM} = \frac{2 \mu_x \mu_y + c_1}{\mu_x^2 + \mu_y^2 + c_1} \cdot
# \frac{2 \sigma_{xy} + c_2}{\sigma_x^2 + \sigma_y^2 + c_2}$$
#
# - $\mu_x$, $\mu_y$: mean of the window in the original $x$ and in the other picture $y$. The first
#   factor is 1 if both are equally bright;
# - $\sigma_x^2$, $\sigma_y^2$: variances; $\sigma_{xy}$: covariance, which is large where both rise
#   and fall together. The second factor is 1 if the *pattern* is the same;
# - $c_1 = 0.01^2$, $c_2 = 0.03^2$: small, so that nothing is divided by 0.
#
# The mean over all windows and colours is 1 for equal pictures. `ki.metrics.ssim` computes it.
#
# Eyes look for edges. The **gradient magnitude similarity deviation** (GMSD) compares only these.
# In a grey copy of half the size, let $m_x$ and $m_y$ be the steepness at each pixel. Then
#
# $$s = \frac{2 m_x m_y + c}{m_x^2 + m_y^2 + c}, \qquad
# \mathrm{GMSD} = \text{standard deviation of } s \text{ over the picture}.$$
#
# It is 0 for equal pictures, and *larger is worse*. The deviation in place of the mean says that an
# uneven loss disturbs more than an even one; $c = 170 / 255^2$.
#
# *First predict: which fault will SSIM find worst, which GMSD? What will they say of the moved
# picture?*


# %%
def ssim(clean, pictures):
    """Structural similarity of each picture."""
    return np.asarray(ki.metrics.ssim(clean, pictures))


def steepness(pictures):
    """Gradient magnitude of a grey copy of half the size, by Prewitt's filters."""
    grey = pictures @ np.array([0.299, 0.587, 0.114], "float32")
    n, height, width = grey.shape
    grey = grey.reshape(n, height // 2, 2, width // 2, 2).mean(axis=(2, 4))
    right, down = grey[:, :, 2:] - grey[:, :, :-2], grey[:, 2:] - grey[:, :-2]
    right = (right[:, :-2] + right[:, 1:-1] + right[:, 2:]) / 3
    down = (down[:, :, :-2] + down[:, :, 1:-1] + down[:, :, 2:]) / 3
    return np.hypot(right, down)


def gmsd(clean, pictures):
    """Gradient magnitude similarity deviation of each picture: 0 is best."""
    a, b, c = steepness(clean), steepness(pictures), 170 / 255**2
    return np.std((2 * a * b + c) / (a**2 + b**2 + c), axis=(1, 2))


names = list(spoiled)[1:]
values = {  # the larger, the worse
    "PSNR": [-psnr(clean, spoiled[name])[0] for name in names],
    "SSIM": [-ssim(clean, spoiled[name])[0] for name in names],
    "GMSD": [gmsd(clean, spoiled[name])[0] for name in names],
}
figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained", sharey=True)
labels = ("PSNR in dB (more is better)", "SSIM (more is better)", "GMSD (less is better)")
for ax, label, worse in zip(axes, labels, values.values(), strict=True):
    bars = ax.barh(names, np.abs(worse), color="tab:blue")
    ax.bar_label(bars, fmt="%.1f" if "dB" in label else "%.3f", padding=3)
    ax.set(xlabel=label, xlim=(0, 1.25 * np.max(np.abs(worse))))
    worst = "none, all are equal" if "dB" in label else names[int(np.argmax(worse))]
    ax.set_title(f"worst of all: {worst}", fontsize=12)
axes[0].invert_yaxis()
plt.show()

# %% [markdown]
# SSIM and GMSD have an order, and each disagrees with the eye somewhere:
#
# - **SSIM** finds the noise by far the worst, though everything can be seen through it, and what
#   JPEG made of the cup less bad. The spot gets nearly 1: most windows do not hold it.
# - **GMSD** finds blur and JPEG worst. But it looks at a grey copy: the colour cast is free, and so
#   is nearly everything that keeps the edges. The spot costs as much as the invisible move.
# - **None** forgives the move. All three compare place by place. For SSIM it is worse than a colour
#   cast.
#
# **LPIPS** can do better: it compares features of a network and was fitted to many thousands of
# human votes. Its weights would have to be downloaded.
#
# ## 3. Ask people: twenty pairs
#
# Which measure is right? Only people can say. Here are 20 pairs of details. Two of five faults were
# drawn for each, with random strength and in random order: noise, blur, JPEG, and two restorations
# of a noisy detail by `denoiser-color`. One is *smooth*, told more noise than there is, and one is
# *crisp*, told less.

# %%
to_color = ki.load_pretrained("denoiser-color")
photos = [ki.load_example(name) for name in ("coffee", "tower", "mountains")]
for split in ("train", "test"):
    photos.append(ki.load("photos", split, size=256, crops=0, channels=3, shuffle=False).take(1)[0])
rng = np.random.default_rng(SEED)


def noisy(pictures, sigma):
    """Pictures with white noise of standard deviation sigma."""
    return pictures + (sigma * rng.standard_normal(pictures.shape)).astype("float32")


KINDS = {  # of fault; the strength t is between 0 and 1
    "noise": lambda x, t: noisy(x, 0.05 + 0.05 * t),
    "blur": lambda x, t: ki.degradations.Blur(0.8 + 1.2 * t)(x),
    "JPEG": lambda x, t: ki.degradations.JpegCompression(25 - 17 * t)(x),
    "smooth": lambda x, t: to_color.restore(noisy(x, 0.06 + 0.1 * t), level=0.2),
    "crisp": lambda x, t: to_color.restore(noisy(x, 0.1 + 0.1 * t), level=0.06 + 0.06 * t),
}
originals, pairs, kinds = [], [], []
for index in range(20):
    picture = photos[index % 5]
    corners = [[rng.integers(0, side - 128) for side in picture.shape[:2]] for _ in range(3)]
    details = [picture[None, row : row + 128, column : column + 128] for row, column in corners]
    originals.append(max(details, key=np.std))  # of three places the liveliest: not only sky
    kinds.append(rng.choice(list(KINDS), 2, replace=False))
    pairs.append([shown(KINDS[kind](originals[-1], rng.random())) for kind in kinds[-1]])

# %%
figure, axes = plt.subplots(5, 8, figsize=(11, 7.7), layout="constrained")
for index, ax in enumerate(axes.flat):
    ki.plotting.plot_images(pairs[index // 2][index % 2], ax=ax)
    ax.set_title(f"{index // 2 + 1} {'AB'[index % 2]}", fontsize=12)
plt.show()

# %% [markdown]
# Vote: *which of the two would you keep as the picture of this place?* Write the majority's
# letters, or your own, into `ANSWERS`, with `-` where you are divided. (For one large pair use
# `ki.plotting.plot_images(np.concatenate(pairs[0]), 2)`.) The original stays hidden.

# %%
ANSWERS = None  # the votes, 20 letters: for example "ABBA-..."
MEASURES = {"PSNR": psnr, "SSIM": ssim, "GMSD": lambda x, y: -gmsd(x, y)}


def interval(hits, n):
    """95 % interval (Wilson's) of a share, from hits among n."""
    share, z2 = hits / n, 1.96**2 / n
    half = np.sqrt(z2 * (share * (1 - share) + z2 / 4))
    return (share + z2 / 2 - half) / (1 + z2), (share + z2 / 2 + half) / (1 + z2)


clean_details, first, second = (
    np.concatenate(originals),
    *map(np.concatenate, zip(*pairs, strict=True)),
)
choices = {
    name: np.where(measure(clean_details, first) > measure(clean_details, second), "A", "B")
    for name, measure in MEASURES.items()
}
if ANSWERS is None:
    print("No votes yet: no people were asked. The measures among themselves, of 20 pairs:")
    for one, two in (("PSNR", "SSIM"), ("PSNR", "GMSD"), ("SSIM", "GMSD")):
        print(f"  {one} and {two} choose the same: {np.sum(choices[one] == choices[two])}")
else:
    votes = np.array(list(ANSWERS.upper()))
    assert np.sum(np.isin(votes, list("AB-"))) == 20, "ANSWERS should be 20 letters A, B or -."
    for name, choice in choices.items():
        n, hits = np.sum(votes != "-"), np.sum(choice == votes)
        low, high = interval(hits, n)
        print(f"{name}: with the votes in {hits} of {n}, 95 % interval {low:.0%} to {high:.0%}")
    print("A and B were:", "; ".join(f"{k} {a}, {b}" for k, (a, b) in enumerate(kinds, start=1)))
coins = np.quantile(np.random.default_rng(SEED).binomial(20, 0.5, 10_000), [0.025, 0.975])
print("who tosses a coin agrees with anybody in {:.0f} to {:.0f} of 20 (95 %)".format(*coins))

# %% [markdown]
# The stored output holds no votes. It shows only how far the measures agree with *each other*: GMSD
# with the other two no more than a coin might.
#
# How much could your 20 votes decide? Assume that one measure agrees with people in 60 % of all
# pairs and another in 80 %.

# %%
numbers = np.array([10, 20, 40, 80, 160, 320])
figure, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
for share, shift in ((0.6, 0.97), (0.8, 1.03)):
    low, high = interval(share * numbers, numbers)
    size = [share - low, high - share]
    label = f"agrees in {share:.0%}"
    ax.errorbar(numbers * shift, np.full(6, share), size, fmt="o", capsize=5, label=label)
ax.axhline(0.5, color="grey", linestyle="--", linewidth=1, label="a coin")
ax.set_xscale("log")
ax.set_xticks(numbers, numbers)
ax.minorticks_off()
ax.set(xlabel="number of pairs", ylabel="agreement with people", ylim=(0.2, 1.0))
ax.set_title("95 % intervals: how many pairs tell 60 % from 80 %?", fontsize=12)
ax.legend(loc="lower right")
plt.show()
for n in (20, 80, 160):
    (low, high), (low_of_better, high_of_better) = interval(0.6 * n, n), interval(0.8 * n, n)
    print(f"{n:3} pairs: 60 % may be {low:.1%} to {high:.1%}, ", end="")
    print(f"80 % may be {low_of_better:.1%} to {high_of_better:.1%}")

# %% [markdown]
# The two intervals of twenty pairs overlap widely: they cannot tell 60 from 80 %. The intervals
# part at about 80 pairs. (Counting only pairs in which the two measures differ is sharper, but few
# of 20 remain.) That is why sets of votes hold thousands of pairs.
#
# ## 4. Without an original: features
#
# A generated digit has no original. So a *set* of generated digits is compared with a *set* of real
# ones, by how far apart two pictures are. *Guess: a digit moved by one pixel, and another digit
# that looks most like it; which one is nearer in pixels?*

# %%
test_set = ki.load("digits", "test", labels=True)
test_digits, test_labels = test_set.take(NUM), np.asarray(test_set.labels)[:NUM]
digits_moved = np.roll(test_digits, 1, axis=2)  # the margin is black, so nothing is lost
indices, distances = ki.metrics.nearest(test_digits, test_digits, k=2)  # itself, and the next one
strangers = test_digits[indices[:, 1]]
nearer = distances[:, 1] < np.sqrt(np.mean((test_digits - digits_moved) ** 2, axis=(1, 2, 3)))
wrong = nearer & (test_labels[indices[:, 1]] != test_labels)

classifier = ki.metrics.DigitFeatures()
test_features = classifier(test_digits)
gaps = np.array([np.linalg.norm(test_features - one, axis=1) for one in test_features])
np.fill_diagonal(gaps, np.inf)  # to itself
still = gaps.min(axis=1) < np.linalg.norm(test_features - classifier(digits_moved), axis=1)
still_wrong = still & (test_labels[gaps.argmin(axis=1)] != test_labels)
print(f"of {NUM:,} digits, another one is nearer than the digit itself, moved by a pixel,")
print(f"in pixels:   for {np.sum(nearer)}, and for {np.sum(wrong)} it is of another class")
print(f"in features: for {np.sum(still)}, and for {np.sum(still_wrong)} it is of another class")

rows = {
    "eight digits": test_digits[wrong],
    "moved by one pixel: far in pixels": digits_moved[wrong],
    "another class: nearer in pixels": strangers[wrong],
}
show_rows(rows, min(8, np.sum(wrong)), (10, 5))

# %% [markdown]
# A network that *classifies* digits describes each picture by 64 numbers in its last layer but one.
# They are called **features**, and the network is the **extractor**. `ki.metrics.DigitFeatures`
# comes with the package. By features, too, another digit may be nearer, but never one of another
# class. From here on, a picture is a point in a space of 64 features.
#
# ## 5. The distance of two clouds
#
# A thousand real digits are a cloud of points, a thousand generated ones another. Describe each by
# its mean and its spread:
#
# $$F = |\mu_r - \mu_g|^2 + \mathrm{tr}\left( C_r + C_g - 2 \, (C_r C_g)^{1/2} \right)$$
#
# - $F$: the **Fréchet distance** (strictly, its square) of real $r$ and generated $g$ pictures;
# - $\mu_r$, $\mu_g$: the mean of each cloud, one number for each feature;
# - $C_r$, $C_g$: the **covariance** of each cloud, a square table: on the diagonal the variance of
#   each feature, elsewhere how much two features rise and fall together;
# - $\mathrm{tr}$: the sum of the diagonal; $(\cdot)^{1/2}$: the table that times itself gives this.
#
# If features do not rise and fall together, this is a sum over the features $j$, with standard
# deviations $\sigma$:
#
# $$F = \sum_j (\mu_{r,j} - \mu_{g,j})^2 + \sum_j (\sigma_{r,j} - \sigma_{g,j})^2$$
#
# By hand: the real cloud has mean (0, 0) and deviations 2 and 1. The same cloud with mean (3, 0):
# $3^2 = 9$. A narrow one, deviations 1 and 1: $(2 - 1)^2 = 1$. A turned one, 1 and 2: $1 + 1 = 2$.
# A *ring* with the same mean and deviations: *guess!* (Ellipses are drawn at two deviations.)

# %%
rng = np.random.default_rng(SEED)
plain = rng.standard_normal((20_000, 2))
angle = rng.uniform(0, 2 * np.pi, 20_000)
real_cloud = rng.standard_normal((20_000, 2)) * [2, 1]
clouds = {
    "moved": plain * [2, 1] + [3, 0],
    "narrow": plain,
    "turned": plain * [1, 2],
    "ring": np.sqrt(2) * np.stack([2 * np.cos(angle), np.sin(angle)], axis=1),
}
turn = np.linspace(0, 2 * np.pi, 100)
circle = 2 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
figure, axes = plt.subplots(1, 4, figsize=(11, 3.1), layout="constrained", sharey=True)
for ax, (name, cloud) in zip(axes, clouds.items(), strict=True):
    for points, label, style in ((real_cloud, "real", "-"), (cloud, "generated", "--")):
        ellipse = points.mean(axis=0) + circle @ np.linalg.cholesky(np.cov(points.T)).T
        (line,) = ax.plot(*ellipse.T, style, label=label)
        ax.scatter(*points[:300].T, s=3, color=line.get_color(), alpha=0.5)
    ax.set_aspect("equal")
    ax.set(xlim=(-6, 8), ylim=(-6, 6), xlabel="feature 1")
    ax.set_title(f"{name}: F = {ki.metrics.frechet_distance(real_cloud, cloud):.2f}", fontsize=12)
axes[0].set_ylabel("feature 2")
axes[0].legend(fontsize=9, loc="lower right")
plt.show()

# %% [markdown]
# The library agrees with the hand: about 9, 1 and 2. For the ring it finds nothing, although no
# point of the ring lies where most real points are. It compares two ellipses, and does not know
# what is inside.
#
# ## 6. Known faults, and how many pictures
#
# Before you measure something unknown, measure something known: real digits with known faults.
# Unspoiled ones give the **floor**, what a perfect model would get. *Guess: what is worse, a slight
# noise, or a model that knows only 100 pictures?*

# %%
real_set = ki.load("digits", labels=True)
real_digits, real_labels = real_set.take(4000), np.asarray(real_set.labels)
thousand = real_digits[:NUM]
steps = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]


def frechet(pictures):
    """Fréchet distance from the test digits."""
    return ki.metrics.frechet_distance(test_features, classifier(pictures))


faults = {
    "other real digits": thousand,
    "noise, sigma 0.05": shown(noisy(thousand, 0.05)),
    "noise, sigma 0.1": shown(noisy(thousand, 0.1)),
    "100 pictures, ten times each": np.tile(real_digits[:100], (10, 1, 1, 1))[:NUM],
    "never an 8": real_digits[real_labels != 8][:NUM],
    "fainter, 0.7 times": 0.7 * thousand,
    "blurred, 3 x 3": np.mean([np.roll(thousand, step, (1, 2)) for step in steps], axis=0),
    "mirrored": thousand[:, :, ::-1],
}
distance_of = {name: frechet(pictures) for name, pictures in faults.items()}
figure, axes = plt.subplots(4, 2, figsize=(12, 5.6), layout="constrained")
for ax, name in zip(axes.flat, sorted(distance_of, key=distance_of.get), strict=True):
    ki.plotting.plot_images(faults[name][:7], 7, ax=ax)
    ax.set_title(f"{name}: F = {distance_of[name]:.1f}", fontsize=12)
plt.show()

# %% [markdown]
# The measure sees every fault, even where seven pictures cannot show it: that 100 are repeated, or
# that an 8 is missing. But both cost less than noise of 0.1. The number means something only beside
# the floor.
#
# All this was 1,000 pictures against 1,000. *Guess: of 150 against 150, will it be smaller, larger,
# or only less certain?* We draw $n$ real digits and $n$ others, so a good measure says 0. Beside it
# stands the **kernel distance**: how much more alike are two different pictures of one set than two
# of both? (A kernel, here: a formula for how alike two lists of features are.) Its scale is not
# Fréchet's, and chance can make it negative.

# %%
all_features = np.concatenate([test_features, classifier(real_digits[: 4 * NUM])])
found = {"Fréchet distance: too large": [], "kernel distance: around 0": []}
for n in NUMBERS:
    drawn = [all_features[rng.permutation(len(all_features))[: 2 * n]] for _ in range(DRAWS)]
    frechets = [ki.metrics.frechet_distance(d[:n], d[n:]) for d in drawn]
    kernels = [ki.metrics.kernel_distance(d[:n], d[n:])[0] for d in drawn]
    text = f"{n:5} pictures:"
    for name, values in zip(found, (frechets, kernels), strict=True):
        found[name].append((np.mean(values), np.std(values)))
        text += "   {} {:5.1f}, spread {:4.1f}".format(name.split(":")[0], *found[name][-1])
    print(text)
figure, axes = plt.subplots(1, 2, figsize=(11, 3.4), layout="constrained")
for ax, (name, values) in zip(axes, found.items(), strict=True):
    ax.errorbar(NUMBERS, *np.array(values).T, marker="o", capsize=4)
    ax.axhline(0.0, color="grey", linestyle="--", linewidth=1)
    ax.set_xscale("log")
    ax.set_xticks(NUMBERS, NUMBERS)
    ax.minorticks_off()
    ax.set(xlabel="pictures of each kind, n", ylabel="real from real digits")
    ax.set_title(name, fontsize=12)
plt.show()

# %% [markdown]
# With few pictures the Fréchet distance is not only less certain, it is *too large*. It is a sum of
# squares: every error of a mean or a covariance adds, none takes away. Half as many pictures, twice
# the error. Such a one-sided error is called **bias**. Never compare figures of different $n$, nor
# of different extractors or ways to resize.
#
# The kernel distance has no bias, only a spread, and reports its **standard error**, from ten
# subsets of 100 pictures. But it is less sharp: for "never an 8" it is within two standard errors
# of 0, and proves nothing, while the Fréchet distance is nine times its floor.

# %%
frechet_of = ki.metrics.FrechetDistance(test_digits, classifier)
kernel_of = ki.metrics.KernelDistance(test_digits, classifier)
precision_recall_of = ki.metrics.PrecisionRecall(test_digits, classifier)
print(frechet_of(faults["never an 8"]))
print(kernel_of(faults["never an 8"]))

# %% [markdown]
# ## 7. Two models, two faults
#
# Now the VAE of [tutorial 04](04_vae.ipynb) and a GAN like that of [tutorial 02](02_gan.ipynb). We
# take 1,000 **samples** (generated pictures) of each. **About 50 and 80 seconds.**

# %%
digits = ki.load("digits", batch_size=64, seed=SEED)
keras.utils.set_random_seed(SEED)  # whatever was drawn above
vae = ki.VAE(
    ki.networks.vae_encoder((28, 28, 1), latent_dim=16, filters=32),
    ki.networks.vae_decoder((28, 28, 1), latent_dim=16, filters=32),
    seed=SEED,
)
vae.compile(keras.optimizers.Adam(2e-3), loss="bernoulli")
vae.fit(digits, epochs=VAE_EPOCHS, verbose=0)
models = {"VAE": vae.sample(NUM, seed=SEED)}

# %%
digits = ki.load("digits", seed=SEED)  # in batches of 32, as in tutorial 02
gan = ki.GAN(
    ki.networks.dcgan_generator((28, 28, 1), latent_dim=32, filters=32),
    ki.networks.dcgan_discriminator((28, 28, 1), filters=32, batch_norm=False),
    seed=SEED,
)
gan.compile(keras.optimizers.Adam(1e-3, beta_1=0.5), keras.optimizers.Adam(1e-3, beta_1=0.5))
gan.fit(digits, epochs=GAN_EPOCHS, verbose=0)
models["GAN"] = gan.sample(NUM, seed=SEED)

# %% [markdown]
# One number cannot say what is wrong with a model. Two questions can:
#
# - **Precision**: which share of the *generated* pictures lies among real ones?
# - **Recall**: which share of the *real* pictures lies among generated ones?
#
# "Among" means: in a ball. Around each point of a set lies a ball that just reaches its third
# nearest neighbour in the same set. In two dimensions, with the second neighbour:

# %%
toy = np.random.default_rng(6)
left, right, alone = toy.uniform(-1, 1, (9, 2)), toy.uniform(-1, 1, (9, 2)) + [4, 0.5], [[2, 3]]
toy_real = np.concatenate([left, right, alone])
left, far, guest = toy.uniform(-0.8, 0.8, (9, 2)), toy.uniform(-0.5, 0.5, (5, 2)), [[2, 2.2]]
toy_made = np.concatenate([left, far + [6.6, 2.8], guest])
figure, axes = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained")
shares = ki.metrics.precision_recall(toy_real, toy_made, neighbors=2)
panels = (
    ("precision", "generated points in balls of real ones", toy_real, "tab:blue"),
    ("recall", "real points in balls of generated ones", toy_made, "tab:orange"),
)
for ax, share, (name, text, owners, color) in zip(axes, shares, panels, strict=True):
    gaps = np.linalg.norm(owners[:, None] - owners, axis=2)
    for centre, radius in zip(owners, np.sort(gaps, axis=1)[:, 2], strict=True):
        ax.add_patch(plt.Circle(centre, radius, color=color, alpha=0.15, linewidth=0))
    ax.scatter(*toy_real.T, s=30, color="tab:blue", label="real")
    ax.scatter(*toy_made.T, s=30, color="tab:orange", marker="^", label="generated")
    ax.set_aspect("equal")
    ax.set(xticks=[], yticks=[], xlim=(-2.2, 8.2), ylim=(-2, 5.8))
    ax.set(xlabel="feature 1", ylabel="feature 2")
    ax.set_title(f"{name} {share:.2f}: {text}", fontsize=12)
axes[0].legend(loc="lower right")
plt.show()

# %% [markdown]
# The generated points on the far right cost precision, the real points that are never made recall.
# The lonely real point has a huge ball.
#
# Two more sets, built from real digits so that we know the truth: a **narrow** model draws only
# tidy digits, the 100 of each class that are nearest to the mean of their class; in a **broken**
# one 33 of 100 digits are put together from halves of two, so many that the Fréchet distance is the
# same. *Guess: which figure is low for which? And for 1,000 times the same black picture?*

# %%
tidy = []
for label in range(10):
    places = np.flatnonzero(real_labels == label)
    gaps = np.mean((real_digits[places] - real_digits[places].mean(axis=0)) ** 2, axis=(1, 2, 3))
    tidy.append(places[np.argsort(gaps)[:100]])
narrow = real_digits[rng.permutation(np.concatenate(tidy))][:NUM]
broken, cut = thousand.copy(), 33 * NUM // 100
broken[:cut, 14:] = real_digits[1000 : 1000 + cut, 14:]
broken = rng.permutation(broken)
third = shown(noisy(real_digits[1000 : 1000 + NUM], 0.02))  # for section 8


def show_figures(sets):
    """All figures of sets of generated pictures, one line each."""
    for name, pictures in sets.items():
        figures, kernel = precision_recall_of(pictures), kernel_of(pictures)
        print(
            f"{name:17} Fréchet {float(frechet_of(pictures)):6.1f}   "
            f"kernel {float(kernel):6.1f} +- {kernel.standard_error:4.1f}   "
            f"precision {figures.precision:.2f}   recall {figures.recall:.2f}"
        )


compared = {"narrow": narrow, "broken": broken, **models}
show_rows(compared, 12, (11, 5.2))
known = ("other real digits", "blurred, 3 x 3")
show_figures(compared | {name: faults[name] for name in known})
show_figures({"black": np.zeros_like(thousand)})

# %% [markdown]
# Precision and recall say *what* to repair. The VAE's digits are soft: they lie among real ones,
# and miss much of what writers do. The GAN's vary more, and more of them are broken. Which is
# *better* depends on the use.
#
# **Precision is not sharpness.** Blurred digits lie in the *middle* of the cloud, and the middle is
# full of balls. The black picture has a perfect precision, because it lies in the huge balls of a
# few unusual digits. Its recall tells. Read the two together.
#
# ## 8. Which of these three is the best?
#
# A is the VAE, B the GAN, and C a third program, the fastest of all.

# %%
models["C"] = third
letters = dict(zip("ABC", models.values(), strict=True))
show_rows({letter: pictures[12:] for letter, pictures in letters.items()}, 10, (10, 4.2))
show_figures(letters)

# %% [markdown]
# C gets the figures of a perfect model. It copies: it takes a training picture and adds noise that
# nobody sees. *None of these figures can know*: both draw pictures like the real ones.
#
# To catch it, compare with what it was *trained on*. `ki.metrics.memorization` finds the nearest
# training picture of every sample, by the root of the MSE. Within the **threshold** lies one of 100
# *test* digits, which were certainly not copied. Of an honest model's samples about one of 100
# should, too, or fewer if they are less like digits. More is **memorisation**.

# %%
rows = {}
for name, pictures in models.items():
    result = ki.metrics.memorization(pictures, real_digits, test_digits)
    print(f"{name}: {result}")
    if name != "VAE":
        rows[f"{name}: samples"] = pictures
        rows[f"{name}: the nearest training pictures"] = real_digits[result.indices]
show_rows(rows, 10, (10, 5.6))

# %% [markdown]
# The GAN's digits are new. But a copier that moves its pictures by a pixel would escape (section
# 4): a share that is not suspicious is no proof.
#
# ## 9. Break the measure
#
# Features were learned to tell a 3 from an 8. What does not matter for that, they may ignore.
# *Guess: which of these two faults gets the larger figure?*

# %%
dotted = thousand.copy()
dotted[:, 1:4, 1:4] = 0.7  # a bright square near the corner
grey = np.maximum(thousand, 0.05)  # the ground is not quite black
rows = {
    f"a bright square: F = {frechet(dotted):.1f}": dotted,
    f"a ground of 0.05 in place of 0: F = {frechet(grey):.1f}": grey,
}
show_rows(rows, 10, (10, 3.2))

rng = np.random.default_rng(SEED)  # two sets for exercise 3
annas, bens = shown(noisy(real_digits[2000:3000], 0.05)), real_digits[1200:1400]

# %% [markdown]
# Everybody sees the square, and the figure stays near the floor. The ground is hardly to be seen,
# and costs many times the floor. Another extractor would have other blind spots.
#
# **And who checks the checker?** `DigitFeatures` was trained on 60,000 digits, and all digits of
# this notebook are among them, the test digits, too. No model learned from the test digits, but
# their floor may look lower here than with digits that nobody has seen.
#
# ## What to remember
#
# 1. PSNR is a mean over pixels. SSIM and GMSD see patterns; each has blind spots, and all three
#    punish a shift that nobody sees.
# 2. Only people can say which measure is right, and twenty pairs are too few.
# 3. Generated pictures have no original. Compare sets, in features, beside the floor.
# 4. The Fréchet distance compares ellipses, and few pictures make it too large.
# 5. Precision asks for broken pictures, recall for missing ones. No such figure notices copies.
#
# Write under every figure: the data and who learned from it; how many pictures; the extractor; the
# resizing; the floor beside it; the training; how many seeds. And look at the pictures.
#
# **In papers this is called ...**
#
# | here | there |
# | --- | --- |
# | Fréchet distance in features | **Fréchet Inception distance** (FID), in 2,048 features |
# | kernel distance | KID, kernel Inception distance (Bińkowski) |
# | original, spoiled | reference, distorted; PSNR, SSIM, GMSD are *full-reference* measures |
# | twenty pairs | paired comparison, two-alternative forced choice |
# | narrow model | mode dropping, low coverage |
#
# ## You should see / if not
#
# Measured with three values of `SEED`, on two CPU cores:
#
# - **Sections 1 and 2**: the figures above, up to 0.005. *If not*: is it the same photograph?
# - **Section 3**: PSNR and SSIM choose the same in 17 to 20 of 20 pairs, GMSD and either of them in
#   12 to 15. The pairs depend on `SEED`: keep it while a class votes.
# - **Section 4**: 464 and 17, 387 and 0. *If not*: was the test set changed?
# - **Section 6**: Fréchet distances from 31 or more (150 pictures) to 2 (2,400), each about half of
#   the one before; the kernel distance within its spread of 0.
# - **Section 7**: both built models at 10. The VAE: Fréchet 134 to 255,
#   precision 0.81 to 0.86, recall 0.10 to 0.42. The GAN: 82 to 105, 0.66 to 0.70, 0.65 to 0.82.
# - **Section 8**: all of C's pictures within the threshold, of the models at most 0.1 %.
#
# ## Read on
#
# - Z. Wang and others, *Image Quality Assessment: From Error Visibility to Structural Similarity*,
#   IEEE Transactions on Image Processing 13(4), 2004: SSIM.
# - W. Xue and others, *Gradient Magnitude Similarity Deviation*, IEEE Transactions on Image
#   Processing 23(2), 2014, [arXiv 1308.3052](https://arxiv.org/abs/1308.3052).
# - R. Zhang and others, *The Unreasonable Effectiveness of Deep Features as a Perceptual Metric*,
#   2018, [arXiv 1801.03924](https://arxiv.org/abs/1801.03924): LPIPS, and how its votes were asked.
# - M. Heusel and others, *GANs Trained by a Two Time-Scale Update Rule*, 2017, [arXiv
#   1706.08500](https://arxiv.org/abs/1706.08500): the Fréchet distance of features.
# - M. Bińkowski and others, *Demystifying MMD GANs*, 2018, [arXiv
#   1801.01401](https://arxiv.org/abs/1801.01401): the kernel distance, and the bias of the other.
# - T. Kynkäänniemi and others, *Improved Precision and Recall Metric*, 2019, [arXiv
#   1904.06991](https://arxiv.org/abs/1904.06991): the balls.
#
# The digits are from MNIST (Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0).

# %% [markdown]
# ## Exercises
#
# Replace each `...` and run the cell, then the check below it.
#
# ### Exercise 1: SSIM of one window
#
# Write the formula of section 2 in NumPy for two arrays, each taken as one window.


# %% tags=["exercise"]
def my_ssim(x, y, c1=0.01**2, c2=0.03**2):
    """SSIM of two arrays as one window, one float."""
    return ...


# %% tags=["solution"]
def my_ssim(x, y, c1=0.01**2, c2=0.03**2):  # noqa: F811
    """SSIM of two arrays as one window, one float."""
    brightness = (2 * x.mean() * y.mean() + c1) / (x.mean() ** 2 + y.mean() ** 2 + c1)
    covariance = np.mean((x - x.mean()) * (y - y.mean()))
    return float(brightness * (2 * covariance + c2) / (x.var() + y.var() + c2))


# %% tags=["check"]
row = np.tile([0.3, 0.7], 50)  # mean 0.5, standard deviation 0.2
cases = {  # what is compared with the row: the other row, the right answer, a hint
    "the row itself": (
        row,
        1.0,
        "both factors are 1. A variance is x.var(), and no x.std(); np.cov needs bias=True.",
    ),
    "brighter by 0.2": (row + 0.2, 0.94595, "only the first factor changes: means 0.5 and 0.7."),
    "half the contrast": (
        0.5 * row + 0.25,
        0.80354,
        "the covariance is the mean of (x - its mean) times (y - its mean).",
    ),
    "mirrored": (1 - row, -0.97775, "where one rises, the other falls: a negative covariance."),
}
for name, (other, expected, hint) in cases.items():
    answer = my_ssim(row, other)
    assert isinstance(answer, float | np.floating), (
        f"my_ssim should return one number. It returned {answer!r}. Hint: x.mean() and x.var() are."
    )
    assert abs(answer - expected) < 1e-4, (
        f"For {name} SSIM is {expected:.3f}. Yours is {answer:.3f}. Hint: {hint}"
    )
whole = my_ssim(clean.ravel(), spoiled["noise"].ravel())
print(f"Right. The noisy cup as one window has {whole:.3f}, in small windows ", end="")
print(
    f"{ssim(clean, spoiled['noise'])[0]:.3f}: within a small window noise is most of the pattern."
)

# %% [markdown]
# ### Exercise 2: one feature
#
# Write the Fréchet distance of section 5 in NumPy for a single feature: `real` and `made` are two
# lists of numbers.


# %% tags=["exercise"]
def my_frechet(real, made):
    """The Fréchet distance of two lists of numbers, one float."""
    return ...


# %% tags=["solution"]
def my_frechet(real, made):  # noqa: F811
    """The Fréchet distance of two lists of numbers, one float."""
    return (np.mean(real) - np.mean(made)) ** 2 + (np.std(real) - np.std(made)) ** 2


# %% tags=["check"]
line = np.random.default_rng(1).standard_normal(2000)
line = (line - line.mean()) / line.std()  # mean 0 and standard deviation 1
cases = {  # what is compared with the line itself: the right answer, and a hint
    "moved by 3": (line + 3, 9.0, "the gap between the means is squared: 3 * 3."),
    "three times as wide": (
        3 * line,
        4.0,
        "the gap between the deviations (np.std, not the variance np.var) is squared: (3 - 1)^2.",
    ),
    "moved by -1, half as wide": (0.5 * line - 1, 1.25, "add both parts: 1 + 0.25."),
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
first_feature = test_features[:, 0], classifier(models["GAN"])[:, 0]
print(f"Right. For the GAN's first feature it is {my_frechet(*first_feature):.2f}.")

# %% [markdown]
# ### Exercise 3: a figure that cheats
#
# Anna measured her 1,000 pictures (`annas`) against the test digits, Ben his 200 (`bens`). Anna's
# distance is smaller, so she says that hers is better.
#
# 1. Is it? Write "Anna" or "Ben" for the one whose model is nearer to the test digits.
# 2. Write `fair`: both Fréchet distances (`frechet_of`), compared fairly. Where one set is larger,
#    use only its first pictures.

# %% tags=["exercise"]
print(f"Anna {float(frechet_of(annas)):.1f}, Ben {float(frechet_of(bens)):.1f}")
better = ...  # "Anna" or "Ben"


def fair(first, second):
    """The Fréchet distances of both sets as two floats, of equally many pictures."""
    return ...


# %% tags=["solution"]
print(f"Anna {float(frechet_of(annas)):.1f}, Ben {float(frechet_of(bens)):.1f}")
better = "Ben"  # his pictures are real digits


def fair(first, second):  # noqa: F811
    """The Fréchet distances of both sets as two floats, of equally many pictures."""
    n = min(len(first), len(second))
    return float(frechet_of(first[:n])), float(frechet_of(second[:n]))


# %% tags=["check"]
for first, second in ((annas, bens), (annas[:300], annas[:500])):
    n = min(len(first), len(second))
    pair = fair(first, second)
    assert np.shape(pair) == (2,), (
        f"fair should return two distances. It returned {pair!r}. "
        "Hint: return float(frechet_of(first)), float(frechet_of(second)), but of equal sets."
    )
    pair = [float(distance) for distance in pair]
    expected = [float(frechet_of(pictures[:n])) for pictures in (first, second)]
    assert np.allclose(pair, expected, rtol=1e-3), (
        f"For sets of {len(first)} and {len(second)} pictures the distances are "
        f"{expected[0]:.1f} and {expected[1]:.1f}. Yours are {pair[0]:.1f} and {pair[1]:.1f}. "
        "Hint: n = min(len(first), len(second)), then first[:n] and second[:n], in this order."
    )
annas_fair, bens_fair = map(float, fair(annas, bens))
assert str(better).lower() == "ben", (
    f"You say {better!r}. With 200 pictures each: Anna {annas_fair:.1f}, Ben {bens_fair:.1f}. "
    "Hint: whose first figure was made worse by the number of pictures?"
)
print(
    f"Right: with 200 pictures each it is {annas_fair:.1f} for Anna and {bens_fair:.1f} for Ben, "
    "whose pictures are real digits. Anna's have noise."
)
