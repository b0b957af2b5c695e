# %% [markdown]
# # 14 · Medicine: the lesion that a better picture lost
#
# **You will be able to**
#
# - show that a picture can gain 17 dB and lose what it was taken for;
# - replace PSNR by what matters to a clinic: contrast kept, lesions missed, false alarms;
# - plot them against the dose, beside methods that learn nothing;
# - train a small network for photons, and show what it believes about lesions;
# - say what a map of disagreement warns of, and what it cannot warn of;
# - say what has to be known before anybody may use such a network, and who answers for it.
#
# **You need** [tutorial 05](05_cnn_denoising.ipynb) up to section 8.
#
# **Time** on two CPU cores: 2 minutes of computing, 75 minutes with reading and exercises.

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
# ## May the clinic halve its light?
#
# In people with diabetes, small vessels of the retina bulge. These **microaneurysms** are among the
# first signs that sight is in danger. They are tiny dark spots, and a screening clinic photographs
# thousands of eyes to find them. A bright flash dazzles; an X-ray harms. So clinics want to use
# less, and let a network remove the noise:
#
# ![A retina in colour and a detail with two lesions, noisy, restored and clean](attachment:cover)
#
# In the upper row, in colour, the restored eye looks clean, until one searches for its thin
# vessels. In the lower row is a detail of another eye, in green light. PSNR rises by 17 dB. Look
# into the two circles.
#
# The clinic's director has to decide, and asks you: *may we take half of the light? A quarter? An
# eighth?* Before you read on, write down the smallest share that you would allow.

# %% tags=["setup"]
import os

import keras
import matplotlib.pyplot as plt
import numpy as np

import keras_imgen as ki

SEED = 0
DRAWS, TESTS = 40, 32  # of the noise, at each dose; so many of them to count misses
EPOCHS = 10  # of each training
PIECES = 576  # of photographs, in every epoch
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # a quick test: its figures mean nothing
    DRAWS, TESTS, EPOCHS, PIECES = 3, 2, 1, 18

keras.utils.set_random_seed(SEED)  # the same first weights, and so the same pictures, every time

# %% [markdown]
# ## 1. The question that everybody asks
#
# Two pictures come with the package: a whole retina in colour, and a detail of another one with two
# dark spots off the vessels. It holds the green channel only, in which blood is darkest. We call
# both spots **lesions**. In a study an expert would have to say so.
#
# Noise of $\sigma = 50/255$ is added, and the denoisers that come with the package remove it. They
# are told how strong the noise is, because a clinic knows its dose.

# %%
photographs = ki.load("photos", size=256, crops=0, channels=3, shuffle=False)
retina = photographs.take(3)[2:]  # (1, 256, 256, 3)
lesions = ki.load_example("lesions")[None]  # (1, 102, 102, 1)
to_gray, to_color = (ki.load_pretrained(f"denoiser-{kind}") for kind in ("gray", "color"))


def noisy(pictures, sigma):
    """The pictures with white noise; sigma as a share of 1."""
    return np.asarray(ki.degradations.AdditiveNoise(sigma, seed=SEED)(pictures))


def psnr(clean, pictures):
    """Mean PSNR in dB, of the pictures as a screen can show them."""
    return float(
        np.mean(ki.metrics.psnr(np.broadcast_to(clean, pictures.shape), pictures, clip=True))
    )


bad_eye, bad_detail = noisy(retina, 50 / 255), noisy(lesions, 50 / 255)
good_eye = to_color.restore(bad_eye, level=50 / 255)
good_detail = to_gray.restore(bad_detail, level=50 / 255)
print(f"whole eye: {psnr(retina, bad_eye):.1f} dB observed, {psnr(retina, good_eye):.1f} restored")
print(f"detail:    {psnr(lesions, bad_detail):.1f} dB observed, ", end="")
print(f"{psnr(lesions, good_detail):.1f} restored")

# %% [markdown]
# By this number the case is closed: the restored pictures are better by far.
#
# ## 2. The question that the clinic asks
#
# PSNR is a mean over all pixels. The two lesions are 26 of the 10,404 pixels of the detail. PSNR
# hardly notices if they go. But nobody screens for the other 10,378.
#
# So define what is looked for. The **contrast** of a place is how much darker it is than what
# surrounds it:
#
# $$c = \underbrace{\frac{1}{|R|} \sum_{i \in R} x_i}_{\text{mean of a ring}} -
# \underbrace{\frac{1}{|K|} \sum_{i \in K} x_i}_{\text{mean of a disc}}$$
#
# - $K$ is a disc of 2 pixels' radius around the place, 13 pixels in all;
# - $R$ is a ring around it, from 4.5 to 7.5 pixels from the centre;
# - $x_i$ are the grey levels, 0 to 255. A dark spot has $c > 0$.
#
# We compute it at every place at once: a convolution with fixed weights (tutorial 05).

# %%
PLACES = {"large lesion": (22, 16), "small lesion": (71, 49)}  # row and column
distance = np.hypot(*np.mgrid[-8:9, -8:9])
DISC, RING = distance <= 2, (distance > 4.5) & (distance <= 7.5)
WEIGHTS = RING / RING.sum() - DISC / DISC.sum()


def contrasts(pictures):
    """Contrast at every place, in grey levels: (n, height, width); nan where no ring fits."""
    levels, total = 255 * np.asarray(pictures)[..., 0], 0
    for row, column in np.argwhere(WEIGHTS):
        shifted = np.roll(levels, (8 - row, 8 - column), axis=(1, 2))
        total = total + WEIGHTS[row, column] * shifted
    inside = np.full_like(total, np.nan)
    inside[:, 8:-8, 8:-8] = total[:, 8:-8, 8:-8]
    return inside


clean_contrast = {name: contrasts(lesions)[0][place] for name, place in PLACES.items()}
for name, place in PLACES.items():
    print(f"contrast of the {name}, in grey levels: clean {clean_contrast[name]:.0f}", end="")
    print(f", observed {contrasts(bad_detail)[0][place]:.0f}", end="")
    print(f", restored {contrasts(good_detail)[0][place]:.0f}")


# %% tags=["cover"]
def circle(ax, color="gold"):
    """Draw circles around both lesions."""
    for row, column in PLACES.values():
        ax.add_patch(plt.Circle((column, row), 8, fill=False, color=color, linewidth=1.5))


figure, axes = plt.subplots(2, 3, figsize=(10, 7.2), layout="constrained")
rows = [(retina, bad_eye, good_eye), (lesions, bad_detail, good_detail)]
for line, (clean, observed, restored) in zip(axes, rows, strict=True):
    shown = {"observed": observed, "restored": restored, "clean": clean}
    for ax, (name, picture) in zip(line, shown.items(), strict=True):
        title = name if name == "clean" else f"{name} · {psnr(clean, picture):.1f} dB"
        if clean is lesions:
            found = [contrasts(picture)[0][place] for place in PLACES.values()]
            title += "\ncontrast of the lesions: {:.0f} and {:.0f}".format(*found)
            circle(ax)
        ki.plotting.plot_images(picture, title=title, ax=ax)
plt.show()

# %% [markdown]
# On average over its pixels the picture is far better, and both lesions are gone. Nothing in the
# restored picture says that they were there.
#
# It is no mistake of the network. It was trained to be off by little on average (tutorial 05), and
# in such noise a faint dark spot is far more often noise than a spot.
#
# ## 3. A reader with a threshold
#
# One draw of the noise is an anecdote. And contrast alone is unfair: a filter that makes all
# contrasts smaller also makes false spots fainter. A doctor gets used to that. So we need a
# **reader**: a rule that says at every place "spot" or "no spot". The field calls a program in this
# place a **model observer**. Ours is as simple as can be: say "spot" if $c$ is above a threshold
# $t$. A reader makes two errors:
#
# - a **miss**: there is a lesion, and it says "no spot";
# - a **false alarm**: the place is healthy, and it says "spot".
#
# A low threshold has few misses and many false alarms, a high one the reverse. So we fix one and
# count the other. **For every method and dose, $t$ is set such that 1 of 100 healthy places gives a
# false alarm, on some draws of the noise. Misses are counted on other draws.** Every method gets
# the threshold that suits it.
#
# Healthy places are those that are more than 8 pixels from vessels, lesions and the border.


# %%
def box_blur(pictures, side):
    """Replace each pixel by the mean of a square around it."""
    half, (height, width) = side // 2, pictures.shape[1:3]
    padded = np.pad(pictures, ((0, 0), (half, half), (half, half), (0, 0)), mode="edge")
    steps = [(i, j) for i in range(side) for j in range(side)]
    return sum(padded[:, i : i + height, j : j + width] for i, j in steps) / side**2


dark = box_blur(lesions, 21) - box_blur(lesions, 3) > 6 / 255  # vessels and lesions
healthy = box_blur(dark.astype("float32"), 17)[0, ..., 0] == 0
healthy[:8], healthy[-8:], healthy[:, :8], healthy[:, -8:] = 0, 0, 0, 0
print(f"healthy places: {healthy.sum()}, ", end="")
print(f"their largest contrast in the clean picture: {contrasts(lesions)[0][healthy].max():.0f}")

figure, axes = plt.subplots(1, 2, figsize=(9.5, 4.4), layout="constrained")
tinted = np.where(healthy[..., None], 0.7 * lesions[0] + [0, 0.25, 0], lesions[0])
ki.plotting.plot_images(tinted[None], title="green: healthy places", ax=axes[0])
for row, column in PLACES.values():
    for radius in (2, 4.5, 7.5):
        axes[0].add_patch(plt.Circle((column, row), radius, fill=False, color="gold"))
drawn = axes[1].imshow(contrasts(lesions)[0], cmap="RdBu_r", vmin=-40, vmax=40)
axes[1].set(title="contrast at every place, clean picture", xticks=[], yticks=[])
axes[1].set(facecolor="lightgrey")
figure.colorbar(drawn, label="grey levels")
plt.show()

# %% [markdown]
# In the outer 8 pixels, grey here, no ring fits. Along vessels the reader
# fires, too; so it is asked at healthy places and at the two lesions only.
#
# ## 4. Against the dose
#
# Light comes in photons. Of $N$ photons a sensor counts on average $N$, give or take $\sqrt N$. As
# a share of the signal this is $1 / \sqrt N$, so
#
# $$\sigma(d) = \frac{\sigma_1}{\sqrt d}$$
#
# - $d$ is the **dose**: the light as a share of what the clinic uses today;
# - $\sigma_1$ is the noise at today's dose, here $8.8/255$. A quarter of the light doubles it.
#
# Four methods: nothing at all, a box blur of 5 x 5, one of 7 x 7, and `denoiser-gray`.
# **First predict**, for the smallest dose: order the four by PSNR, then by misses. **About 20
# seconds.**

# %%
DOSES = [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32]
SIGMAS = [50 / 255 / np.sqrt(32 * dose) for dose in DOSES]
many = np.repeat(lesions, DRAWS, axis=0)


def judged(pictures):
    """PSNR, then for each lesion the mean contrast and the share of misses."""
    found = contrasts(pictures)
    threshold = np.quantile(found[TESTS:, healthy], 0.99)  # on other draws than the misses
    at_lesions = np.array([found[:TESTS, row, column] for row, column in PLACES.values()])
    return [psnr(lesions, pictures), *at_lesions.mean(axis=1), *(at_lesions <= threshold).mean(1)]


table = {"noisy": [], "box 5 x 5": [], "box 7 x 7": [], "denoiser-gray": []}
answers = {}  # of the denoiser, for later
for dose, sigma in zip(DOSES, SIGMAS, strict=True):
    observed = noisy(many, sigma)
    answers[dose] = to_gray.restore(observed, level=sigma)
    methods = (observed, box_blur(observed, 5), box_blur(observed, 7), answers[dose])
    for values, pictures in zip(table.values(), methods, strict=True):
        values.append(judged(pictures))
table = {name: np.array(values) for name, values in table.items()}  # (doses, 5)

COLUMNS = ("PSNR", "contrast, large", "contrast, small", "missed, large", "missed, small")
print("dose          ", *(f"{'1' if d == 1 else f'1/{1 / d:.0f}':>6}" for d in DOSES))
for column, what in enumerate(COLUMNS):
    for name, values in table.items():
        shown = [f"{v:6.0%}" if "missed" in what else f"{v:6.1f}" for v in values[:, column]]
        print(f"{name:14}", *shown, f"  {what}")

# %%
figure, axes = plt.subplots(1, 3, figsize=(12, 4.2), layout="constrained")
styles = {"noisy": "k:", "box 5 x 5": "s--", "box 7 x 7": "^--", "denoiser-gray": "o-"}
for name, values in table.items():
    for ax, column in zip(axes, (0, 2, 4), strict=True):
        scale = {0: 1, 2: 100 / clean_contrast["small lesion"], 4: 100}[column]
        ax.plot(DOSES, scale * values[:, column], styles[name], label=name)
names = ("PSNR, dB", "small lesion: contrast kept, %", "small lesion: missed, %")
for ax, name in zip(axes, names, strict=True):
    ax.set_xscale("log", base=2)
    ax.set(title=name, xlabel="dose (less light to the right)", xticks=DOSES)
    ax.set_xticklabels(["1", *(f"1/{1 / dose:.0f}" for dose in DOSES[1:])])
    ax.invert_xaxis()
axes[0].legend()
plt.show()

# %% [markdown]
# - **PSNR** says: denoise, always. The network is ahead at every dose, and at the smallest one by
#   more than 17 dB over doing nothing.
# - **Contrast kept** says: it depends. Noise does not change the contrast on average, and a box
#   blur takes the same share at every dose. The network takes more, the worse the picture. At 1/8 a
#   box blur keeps more of the small lesion than the network does.
# - **Misses** say: hardly anything helps. With 32 draws, 20 points more or less may be chance. The
#   network never misses clearly fewer lesions than the noisy picture does; at the smallest dose it
#   misses rather more.
#
# Behind the last point is a law: what the light did not bring, no filter can bring back. So no
# filter helps a *perfect* reader, who uses all the light that there is. Ours is not perfect: it
# averages 13 pixels, whatever lies beside them. A filter may help such a reader a little, and a
# tired doctor more; to know, ask doctors, not pixels.
#
# ## 5. A small network for photons
#
# So far the noise was equally strong everywhere. Photons are not like that. With $N$ photons in a
# white pixel, a pixel of value $x$ receives a Poisson number with mean $N x$. Divided by $N$ this
# is the observed value $y$, with
#
# $$\mathbb{E}[y] = x, \qquad \mathrm{Var}[y] = \frac{x}{N}.$$
#
# Bright pixels are noisier than dark ones. `PoissonNoise` does this; its `gain` is $1/N$. Our
# smallest dose, $\sigma = 50/255$, is about $N = 10$: a pixel of the detail catches four photons.
#
# A network for exactly this dose: six layers, which see blocks of 2 x 2 pixels as one place, so
# that 26 x 26 pixels are in its window. It learns from pieces of nine photographs. **About 20
# seconds.**

# %%
PHOTONS = 10


def photon_denoiser(pictures, name):
    """Train a small network to undo the noise of photons, and return it."""
    keras.utils.set_random_seed(SEED)  # all networks begin with the same weights
    network = ki.networks.dncnn(depth=6, filters=48, block_size=2)
    model = ki.Restorer(network, ki.degradations.PoissonNoise(1 / PHOTONS, seed=SEED), seed=SEED)
    steps = EPOCHS * len(pictures)
    rate = keras.optimizers.schedules.CosineDecay(
        1e-4, steps - steps // 20, warmup_target=3e-3, warmup_steps=steps // 20, alpha=0.01
    )
    model.compile(keras.optimizers.Adam(rate))
    history = model.fit(pictures, epochs=EPOCHS, verbose=0).history["psnr"]
    print(f"{name}: {history[0]:.1f} dB in the first epoch, {history[-1]:.1f} in the last")
    return model


photos = ki.load("photos", size=48, crops=PIECES // 9, batch_size=8, seed=SEED)
own = photon_denoiser(photos, "own network")
ratio = to_gray.network.count_params() / own.network.count_params()
print(f"denoiser-gray has {ratio:.0f} times as many weights")

# %%
photons = ki.degradations.PoissonNoise(1 / PHOTONS, seed=SEED)
observed = np.asarray(photons(many))
sigma = np.sqrt(lesions.mean() / PHOTONS)  # what the pretrained network is told
restored = {
    "noisy": observed,
    "box 7 x 7": box_blur(observed, 7),
    "denoiser-gray": to_gray.restore(observed, level=sigma),
    "own network": own.restore(observed),
}
print(
    f"{PHOTONS} photons in a white pixel; clean contrasts {clean_contrast['large lesion']:.0f}",
    end="",
)
print(f" and {clean_contrast['small lesion']:.0f}")


def print_judged(restored):
    """One line for each method."""
    print("                   PSNR    contrast        missed")
    for name, pictures in restored.items():
        decibels, large, small, miss_large, miss_small = judged(pictures)
        print(f"{name:16} {decibels:5.1f} dB  {large:5.1f} {small:5.1f}", end="")
        print(f"   {miss_large:5.0%} {miss_small:5.0%}")


print_judged(restored)
figure, axes = plt.subplots(1, 4, figsize=(14, 3.9), layout="constrained")
for ax, (name, pictures) in zip(axes, restored.items(), strict=True):
    title = f"{name} · {psnr(lesions, pictures[:1]):.1f} dB"
    ki.plotting.plot_images(pictures[:1], title=title, ax=ax)
    circle(ax)
plt.show()

# %% [markdown]
# By PSNR the order is clear: `denoiser-gray`, the box blur, our own network. It is not even better
# than a blur that has learnt nothing. By contrast kept the order of the two networks is the
# reverse: the own network keeps several times as much of both lesions.
#
# Be fair to both. `denoiser-gray` was never shown photons. It has twenty times as many weights and
# has seen two hundred times as many pixels. It knows photographs better, so it smooths more boldly;
# the own network hedges, leaves blotches everywhere, and the lesions with them. It misses fewer
# lesions than the noisy picture does, but with 32 draws that may be chance. (Set `DRAWS, TESTS =
# 400, 300` and see.) It is no cure: every fifth of the large ones and half of the small ones stay
# unseen.
#
# So PSNR ranks the two one way, contrast the other way, and so few draws cannot rank their misses.
# **Which number one chooses decides who wins.**
#
# ## 6. Breaking it: a network that has never seen a lesion
#
# What a network puts where the light says nothing is what it has learnt from: its **prior**. So let
# two networks learn from the same pieces of the healthy eye in colour (its green channel). For the
# second one, four dark spots of random place, width and depth are drawn into each piece. All else
# is equal: first weights, order, noise. Neither sees the eye that we judge by.
#
# **First predict**: which one keeps more of the lesions, and what does it pay? **Twice about 20
# seconds.**

# %%
rng = np.random.default_rng(SEED)


def healthy_pieces(count, side=48):
    """Random pieces of the eye without lesions, turned and mirrored, as one array."""
    pieces = []
    for _ in range(count):
        row, column = rng.integers(44, 212 - side, size=2)
        piece = np.rot90(retina[0, row : row + side, column : column + side, 1:2], rng.integers(4))
        pieces.append(piece[:, :: rng.choice([-1, 1])] * rng.uniform(0.9, 1.4))
    return np.clip(pieces, 0, 1).astype("float32")


def with_spots(pieces, number=4):
    """The same pieces with dark spots of random place, width and depth."""
    side = pieces.shape[1]
    rows, columns = np.mgrid[:side, :side]
    spotted = pieces.copy()
    for piece in spotted:
        for _ in range(number):
            row, column = rng.uniform(4, side - 4, size=2)
            width, depth = rng.uniform(1, 2), rng.uniform(0.2, 0.6)
            spot = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * width**2))
            piece *= (1 - depth * spot)[..., None]
    return spotted


pieces = healthy_pieces(PIECES)
training = {"never saw a spot": pieces, "saw spots": with_spots(pieces)}
twins = {}
for name, pictures in training.items():
    twins[name] = photon_denoiser(ki.load_arrays(pictures, batch_size=8, seed=SEED), name)

# %%
by_twins = {name: twin.restore(observed) for name, twin in twins.items()}
print_judged(by_twins)
for name, pictures in by_twins.items():
    spots = contrasts(pictures) > 8  # healthy places of the clean picture reach 6
    large = spots[(slice(None), *PLACES["large lesion"])]
    print(f"{name:16} contrast above 8: large lesion in {large.mean():.0%} of the draws, ", end="")
    print(f"{spots[:, healthy].mean():.2%} of the healthy places")

figure, axes = plt.subplots(2, 3, figsize=(10, 6.9), layout="constrained")
for line, (name, pictures) in zip(axes, training.items(), strict=True):
    ki.plotting.plot_images(pictures[:4], 2, title=f"{name}: it learnt from", ax=line[0])
    ki.plotting.plot_images(by_twins[name][:1], title="one answer", ax=line[1])
    mean = contrasts(by_twins[name].mean(axis=0, keepdims=True))[0]
    drawn = line[2].imshow(mean, cmap="RdBu_r", vmin=-15, vmax=15)
    line[2].set(title="contrast, mean answer", xticks=[], yticks=[], facecolor="lightgrey")
    figure.colorbar(drawn, label="grey levels")
    for ax in line[1:]:
        circle(ax, "black")
plt.show()

# %% [markdown]
# By PSNR the two are alike. They differ in what they believe. Read with one fixed threshold, 8 grey
# levels, the network that saw spots finds the large lesion far more often than its twin. It also
# reports spots at healthy places, where its twin reports next to none. With a threshold for each,
# as in section 3, neither misses clearly fewer than the other.
#
# Look at the misses of the large lesion, too: 6 and 16 %, where the noisy picture had 28. With 32
# draws that is at the border of chance; with `DRAWS, TESTS = 400, 300` it is beyond. Trained on
# eyes and for this noise, a network helps our imperfect reader with what is large enough. The small
# lesion is missed about as often as before, and having seen spots is not what helps. More lesions
# in the training data shift the balance between misses and false alarms, as a lower threshold does.
# That makes it a question to every vendor: *which pictures did it learn from, how many lesions were
# in them, and of which kinds?* A rare disease is, to a network, what it has never seen. And most of
# each lesion is lost to both networks.
#
# ## 7. A map that warns, and what it costs
#
# Take the same picture several times, and restore each. Where the answers differ, the noise decided
# and not the eye (tutorial 05, section 12). Their standard deviation at each pixel, their
# **spread**, is a map of warnings. At dose 1/32 we have all the answers of section 4.
#
# But each exposure costs light. A cheaper way takes *one* answer as if it were the truth, adds
# noise to it several times, and restores that. It needs no more light. (Statisticians call it a
# **parametric bootstrap**.) We draw both maps from ten pictures each, four times over.
#
# **First predict**: which of the two maps warns of the lesions that are lost? **About 10 seconds.**

# %%
least, groups = DOSES[-1], 4 if DRAWS == 40 else 1
each = DRAWS // groups
again = noisy(np.repeat(answers[least][:groups], each, axis=0), SIGMAS[-1])
together = noisy(many, SIGMAS[-1]).mean(axis=0, keepdims=True)  # of all noisy pictures
maps = {
    f"spread of {each} exposures": answers[least],
    "spread of noise added to one answer": to_gray.restore(again, level=SIGMAS[-1]),
}
figure, axes = plt.subplots(1, 4, figsize=(14, 3.9), layout="constrained")
ki.plotting.plot_images(answers[least][:1], title="one answer", ax=axes[0])
ki.plotting.plot_images(together, title=f"mean of {DRAWS} noisy exposures", ax=axes[3])
print("share of the healthy places that spread less than the lesion, in each of the groups:")
for ax, (name, pictures) in zip(axes[1:3], maps.items(), strict=True):
    spreads = 255 * pictures[..., 0].reshape(groups, each, *lesions.shape[1:3]).std(axis=1)
    drawn = ax.imshow(spreads[0], cmap="inferno", vmin=0, vmax=10)
    ax.set(xticks=[], yticks=[])
    ax.set_title(name, fontsize=10)
    for which, place in PLACES.items():
        ranks = [np.mean(spread[healthy] < spread[place]) for spread in spreads]
        print(f"{name:36} {which}:", *(f"{rank:4.0%}" for rank in ranks))
figure.colorbar(drawn, ax=axes[2], label="spread, grey levels")
for ax in axes:
    circle(ax)
plt.show()

averages = {"answers": answers[least].mean(axis=0, keepdims=True), "noisy exposures": together}
for name, picture in averages.items():
    found = [contrasts(picture)[0][place] for place in PLACES.values()]
    print(f"mean of {DRAWS} {name}: contrast {found[0]:.0f} and {found[1]:.0f}")

# %% [markdown]
# The spread of ten exposures is larger at both lesions than at nearly all healthy places, nearly
# every time: in some of the answers something of them is left. To the eye the large one stands out,
# the small one hardly. (It is large along vessels as well, so it says "look here", not "here is a
# lesion".) The cheap map cannot be relied on. In one group it warns, in the next it does not,
# perhaps by what the single answer happens to have kept. **What an answer has lost, no noise added
# to it brings to light.**
#
# And look at the last picture. Forty exposures together hold both lesions, nearly whole. The
# network was given each of the forty and took the lesions out of each; the mean of its answers
# does not have them. Who can take several exposures should add them up before anything else. (They
# cost the light of one good picture: $40 / 32 = 1.25$ doses.)

# %% [markdown]
# ## 8. What else is in the file
#
# Medical pictures travel as **DICOM** files. In front of the pixels stands a header with hundreds
# of possible entries. Some the doctor needs: the kind of device, the size of a pixel, which eye.
# Others say who it is: the patient's name, number and birth date, the hospital, the doctor, the
# day, the serial number of the device. They are also where nobody looks: in free comments, in
# private entries of a manufacturer, burnt into the pixels. The standard lists what to remove (DICOM
# part 15, annex E).
#
# Here is a header that is **made up**, and so is the patient. How many of its entries lead to the
# patient? Exercise 3 asks you to remove them.

# %%
header = {
    "Modality": "OP",  # ophthalmic photography
    "Laterality": "L",
    "Rows": 102,
    "Columns": 102,
    "PixelSpacing": (0.01, 0.01),
    "PatientName": "EXAMPLE^PATIENT",
    "PatientID": "MADE-UP-0042",
    "PatientBirthDate": "19000101",
    "ReferringPhysicianName": "EXAMPLE^DOCTOR",
    "InstitutionName": "Example Clinic",
    "StudyDate": "20000229",
    "DeviceSerialNumber": "EXAMPLE-7",
    "ImageComments": "second visit of EXAMPLE^PATIENT, dazzled",
    "PrivateEntry": "archive/MADE-UP-0042/left",
}
print(len(header), "entries")

# %% [markdown]
# A retina needs no header to be somebody's: the pattern of its vessels is used to recognise people.
#
# > **Who answers for it**
# >
# > - **Not a medical device.** Nothing in this package is made or tested for patients. Software
# >   that helps to diagnose is a medical device itself in most countries (in the European Union by
# >   Regulation 2017/745), and its maker has to prove what it is good for. A notebook proves
# >   nothing. The weights that are used here are for research and teaching only.
# > - **Evidence.** Two spots in one eye and one camera decide nothing. Needed are patients enough
# >   (exercise 2), with the diseases and devices of the clinic, experts who know the truth from
# >   elsewhere, doctors who read both pictures, and a threshold that was fixed before.
# > - **Consent.** Pictures were taken to help a patient. Training on them is another purpose: ask
# >   the patient, or the ethics board and the law of the place.
# > - **The original stays.** Whoever restores keeps the noisy picture, marks the restored one as
# >   such, and shows both.
# > - **The doctor signs, the clinic's director decides, the maker is liable.** "The network said
# >   so" is nobody's signature.
#
# ## What you may tell the director
#
# *In this test* half of the light lost no lesion, with any method. At a quarter the restored
# picture shows little more than half of the small lesion's contrast, and at an eighth less than a
# third. So a study, not yet the clinic, may begin with half of the light, and show the doctors the
# noisy picture, too. And if somebody offers a number in decibels, ask for misses.
#
# ## What to remember
#
# 1. PSNR is a mean over all pixels. A lesion is a few of them.
# 2. Ask the field's question: contrast kept, misses at a fixed rate of false alarms.
# 3. $\sigma \propto 1 / \sqrt{\text{dose}}$. What the light did not bring, no filter brings back;
#    it can only help a reader who does not use all of it.
# 4. A network fills in what it has learnt. Without lesions in its data it removes them, with them
#    it also finds some that are not there.
# 5. Add exposures up before restoring. Noise added to an answer does not show what it has lost.
# 6. A file names its patient in more places than one.

# %% [markdown]
# ## You should see / if not
#
# Measured with two values of `SEED`, on two CPU cores:
#
# - **First pictures**: 14.3 to 31 or 32 dB for the detail; contrasts of 44 and 29 clean, at most 11
#   and 2 restored. *If not*, and nothing is lost: is the noise `50 / 255`?
# - **Against the dose**, from 1 to 1/32: PSNR of `denoiser-gray` 39.1 to 31.8 dB, of the noisy
#   picture 29.2 to 14.3; contrast of the small lesion 25 down to 2, noisy 27 to 30; missed at 1/32:
#   72 to 88 % and 47 to 62 %. *If not*, and a quarter of the light has many misses: are threshold
#   and misses from pictures of one dose?
# - **Photons**: own network 27.8 to 28.3 dB (`denoiser-gray` 31.7, box blur 29.0), contrasts 22 to
#   26 and 12 to 14 (5 to 7 and 3; 16 or 17 and 10). *If not*, below 26 dB: was the training cut
#   short?
# - **Spots**: both networks 30.1 to 30.4 dB; the large lesion above 8 in 25 to 38 % of the draws
#   without and 72 to 82 % with spots; healthy places below 0.01 and about 0.2 %. *If not*, and both
#   agree: do the networks learn from different pictures?
# - **Maps**: ten exposures above 90 % in 15 of 16 groups; one answer anywhere from 2 to 99 %.
#
# ## Read on
#
# **In papers this is called.** A rule that reads pictures in a person's place is a model observer;
# its *misses* are false negatives, 1 minus the sensitivity, its *false alarms* false positives, 1
# minus the specificity. Counted photons are Poisson or shot noise. What a network adds or removes
# is called hallucination.
#
# - K. Li and others, *Assessing the Impact of Deep Neural Network-Based Image Denoising on Binary
#   Signal Detection Tasks*, IEEE Transactions on Medical Imaging 40(9), 2021, [arXiv
#   2104.14037](https://arxiv.org/abs/2104.14037): our section 4, done with care.
# - J. P. Cohen, M. Luck and S. Honari, *Distribution Matching Losses Can Hallucinate Features in
#   Medical Image Translation*, 2018, [arXiv 1805.08841](https://arxiv.org/abs/1805.08841): tumours
#   that come and go with the training data.
# - V. Antun and others, *On instabilities of deep learning in image reconstruction and the
#   potential costs of AI*, PNAS 117(48), 2020, [arXiv
#   1902.05300](https://arxiv.org/abs/1902.05300).
# - H. H. Barrett and K. J. Myers, *Foundations of Image Science*, Wiley, 2004: image quality as the
#   success of a reader.
#
# The detail is from the High-Resolution Fundus Image Database (A. Budai and others, 2013; picture
# by A. Maier), the eye in colour is by M. Häggström; both CC0. The package's `assets/LICENSES.md`
# says more.

# %% [markdown]
# ## Exercises
#
# Replace each `...` and run the cell, then the check below it. The check prints `Right`, or says
# what it found and gives a hint.
#
# ### Exercise 1: the dose of half the contrast
#
# At which dose has `denoiser-gray` taken half of a lesion's contrast? Doses were halved from step
# to step, so interpolate between the logarithms of the doses. `np.interp(x, xs, ys)` gives the
# value at `x` of the line through the points; its `xs` must **rise**.


# %% tags=["exercise"]
def half_dose(doses, kept):
    """Dose at which the share of contrast kept falls to 0.5; the lists begin with dose 1."""
    return ...


# %% tags=["solution"]
def half_dose(doses, kept):  # noqa: F811
    """Dose at which the share of contrast kept falls to 0.5; the lists begin with dose 1."""
    # Backwards, since the shares fall with the dose.
    return 2 ** np.interp(0.5, kept[::-1], np.log2(doses)[::-1])


# %% tags=["check"]
found = half_dose([1, 1 / 2, 1 / 4], np.array([1.0, 0.75, 0.25]))
assert isinstance(found, (float, np.floating)), (
    f"half_dose should return one number. It returned {found!r}. "
    "Hint: np.interp(0.5, shares, logarithms of the doses), both turned round with [::-1]."
)
assert abs(found - 0.375) > 1e-3, (
    "0.375 lies in the middle between the doses 1/2 and 1/4. Hint: interpolate the logarithms, "
    "np.log2(doses), and take 2 ** of the result."
)
assert abs(found - 2**-1.5) < 1e-3, (
    f"From 75 % at dose 1/2 to 25 % at 1/4, half is reached at 2^-1.5 = 0.354. Yours: {found:.3f}. "
    "Hint: np.interp wants rising shares; yours fall, so turn both lists round with [::-1]."
)
for column, name in ((1, "large lesion"), (2, "small lesion")):
    kept = table["denoiser-gray"][:, column] / clean_contrast[name]
    dose = half_dose(DOSES, kept)
    assert min(DOSES) <= dose <= 1, f"The {name} gives {dose}, which is none of the doses tried."
    print(f"{name}: half of its contrast is left at a dose of 1/{1 / dose:.0f}")
print("Right: and the smaller lesion decides. Which one is the smallest that matters?")

# %% [markdown]
# ### Exercise 2: no miss, in how many?
#
# "In our test not one lesion was missed." In how many? Suppose that the share of misses is really
# `share`. Then $n$ lesions in a row are found with probability $(1 - \text{share})^n$. **How many
# lesions must be tested**, all found, until this probability is at most 5 %, so that we may say
# "the share is smaller than that"? Return the smallest whole number.


# %% tags=["exercise"]
def lesions_needed(share):
    """Smallest number of lesions, all found, that rules out this share of misses at 95 %."""
    return ...


# %% tags=["solution"]
def lesions_needed(share):  # noqa: F811
    """Smallest number of lesions, all found, that rules out this share of misses at 95 %."""
    return int(np.ceil(np.log(0.05) / np.log(1 - share)))


# %% tags=["check"]
found = lesions_needed(0.1)
assert isinstance(found, (int, np.integer)), (
    f"lesions_needed should return a whole number. It returned {found!r}. "
    "Hint: solve (1 - share)^n = 0.05 for n with logarithms; int(np.ceil(...)) rounds up."
)
for share in (0.5, 0.1, 0.02, 0.01):
    found = lesions_needed(share)
    assert (1 - share) ** found <= 0.05 < (1 - share) ** (found - 1), (
        f"{share:.0%} of misses: {found} lesions are all found with probability "
        f"{(1 - share) ** found:.3f}, one lesion fewer with {(1 - share) ** (found - 1):.3f}. It "
        "should be at most 0.05, and with one fewer still above. Hint: log(0.05) / log(1 - share)."
    )
print(
    f"Right: to rule out 2 % of misses takes {lesions_needed(0.02)} lesions without a miss, about"
)
print(f"3 / share. Ours were 2 lesions: {TESTS} draws of the noise on one do not make it {TESTS}.")

# %% [markdown]
# ### Exercise 3: who is it?
#
# Take the made-up `header` of section 8. Write a function that returns a copy without the entries
# that say who the patient is, or that lead to the patient, and leaves what a network needs:
# `Modality`, `Laterality`, `Rows`, `Columns`, `PixelSpacing`. Names and numbers may also stand in
# entries that are not called so; drop these as well.


# %% tags=["exercise"]
def without_identity(header):
    """A copy of the header without the entries that identify the patient."""
    return ...


# %% tags=["solution"]
def without_identity(header):  # noqa: F811
    """A copy of the header without the entries that identify the patient."""
    # A list of what may stay also drops what nobody has thought of.
    needed = ("Modality", "Laterality", "Rows", "Columns", "PixelSpacing")
    return {name: header[name] for name in needed if name in header}


# %% tags=["check"]
before = dict(header)
found = without_identity(header)
assert isinstance(found, dict), (
    f"without_identity should return a dictionary. It returned {found!r}. "
    "Hint: {name: value for name, value in header.items() if ...}"
)
assert header == before, "The original has changed. Hint: make a new dictionary, delete nothing."
for name in ("Modality", "Laterality", "Rows", "Columns", "PixelSpacing"):
    assert name in found, (
        f"{name} is gone, and is needed. Hint: it does not say who the patient is."
    )
for name in ("PatientName", "PatientID", "PatientBirthDate"):
    assert name not in found, f"{name} is still there. It names the patient."
    hidden = [key for key, value in found.items() if header[name] in str(value)]
    assert not hidden, f"{hidden[0]} still holds the {name}. Hint: look into the values, too."
kept = set(found) & {"ReferringPhysicianName", "InstitutionName", "StudyDate", "DeviceSerialNumber"}
assert not kept, (
    f"{sorted(kept)[0]} is still there. Hint: a clinic, a day and a device together lead to one "
    "patient, as soon as somebody has the clinic's calendar."
)
other = {"Rows": 5, "PatientName": "OTHER^EXAMPLE", "EthnicGroup": "made up"}
assert "PatientName" not in without_identity(other), "Use the argument, not the global `header`."
print("Right:", found)
print("And an entry that you have not thought of? EthnicGroup", end=" ")
print(
    "stays. A list of what may stay is safer."
    if "EthnicGroup" in without_identity(other)
    else "goes."
)
