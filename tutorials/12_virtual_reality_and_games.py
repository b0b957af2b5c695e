# %% [markdown]
# # 12 · Virtual reality and games
#
# **You will be able to**
#
# - send few pixels where the eye does not point, and fill the others with a network;
# - find the smallest share of pixels that keeps a stated quality where somebody looks;
# - cut a map into pieces without letting the test leak into the training;
# - train a GAN on heights, and compare its slopes with those of real land;
# - set a generator beside one that needs eight lines and no training;
# - find a copy that was moved.
#
# **You need** [tutorial 02](02_gan.ipynb) (the GAN) and [tutorial 07](07_cnn_inpainting.ipynb) up
# to section 2 (masks, harmonic fill).
#
# **Time** on two CPU cores: 3 minutes of computing, 70 minutes with reading and exercises.

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
# ## How many pixels does somebody need who looks at one place?
#
# A headset has two screens, close to the eyes, and draws or receives every pixel of both, many
# times a second. The eye sees sharply in a small spot only. So most of this work is for nobody:
#
# ![A cup of coffee: the pixels that were sent, and the picture filled from them](attachment:cover)
#
# Left: what was sent. The rest is black. Right: filled by a network that comes with the package, in
# a second. The circle is where somebody looks.
#
# You are to decide how many pixels the headset sends. Before you read on, write down a guess:
# *which share of them is enough, if the picture must be good (35 dB) inside the circle?*

# %% tags=["setup"]
import os

import keras
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cbook import get_sample_data
from matplotlib.colors import LightSource

import keras_imgen as ki

SEED = 0
SHRINK = 1  # take every pixel of the photograph
RADII = (2.0, 4.0, 8.0, 12.0, 16.0)  # degrees: how slowly the density of pixels falls
SPREAD = (0.4, 0.5, 0.6)  # more shares for pixels that are spread evenly
JUMPS = (0, 3, 6, 9, 12)  # degrees by which the eye moves
FILL_STEPS = 200  # of the harmonic fill
STRIDE, EPOCHS = 8, 6  # cells between two pieces of land; passes through all of them
SAMPLES, SEARCHED = 1000, 100  # generated pieces; how many of them are searched for
SEARCH_STRIDE = 2  # cells between two pieces of the thorough search
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # a quick test: its figures mean nothing
    SHRINK, RADII, SPREAD, JUMPS, FILL_STEPS = 4, (2.0, 16.0), (0.5,), (0, 6), 5
    STRIDE, EPOCHS, SAMPLES, SEARCHED, SEARCH_STRIDE = 64, 1, 32, 4, 16

keras.utils.set_random_seed(SEED)  # the same first weights, and so the same pictures, every time

# %% [markdown]
# ## Part A · Virtual reality: where nobody looks
#
# ## 1. Pixels that follow the eye
#
# To send fewer pixels away from the **gaze**, the point that the eye is directed at, is called
# **foveated rendering**: the fovea is the small spot of the retina that sees sharply.
# Distances from the gaze are angles. Let our photograph fill 60 degrees of what the eye sees; then
# 10 of its pixels are one degree.
#
# How much may be left out? The finest detail that the eye can tell grows about as $1 + d / r$ with
# the distance $d$ from the gaze, with $r$ near 2 degrees. That holds in both directions of the
# picture, so the number of pixels for each area may fall as the square:
#
# $$p(d) = \max\Bigl(p_0,\; \frac{1}{(1 + d / r)^2}\Bigr)$$
#
# - $p(d)$: the **density**, the probability that a pixel at the distance $d$ is kept;
# - $r$: the radius, in degrees. The larger, the more pixels are kept;
# - $p_0 = 0.05$: the least density, so that nothing gets lost completely.
#
# As a degradation this takes ten lines. `WithMask` does the rest: it sets pixels to 0 and appends
# the mask of those that are known (1) as a last channel.


# %%
def degrees_from(gaze, shape):
    """The distance of every pixel from the gaze (row and column), all in degrees."""
    rows, columns = np.indices(shape) / PIXELS_PER_DEGREE
    return np.hypot(rows - gaze[0], columns - gaze[1])


def density(distance, radius, least=0.05):
    """The probability that a pixel at this distance from the gaze is kept."""
    return np.maximum(least, 1.0 / (1.0 + distance / radius) ** 2)


class Foveated(ki.degradations.WithMask):
    """Keeps many pixels near the gaze, and few elsewhere."""

    def __init__(self, gaze, radius, **kwargs):
        super().__init__(**kwargs)
        self.gaze, self.radius = gaze, radius

    def known(self, shape, seeds):
        kept = density(degrees_from(self.gaze, shape[-3:-1]), self.radius)[..., None]
        return keras.random.uniform((*shape[:-1], 1), seed=next(seeds)) < kept


photo = ki.load_example("coffee")[None, ::SHRINK, ::SHRINK]
PIXELS_PER_DEGREE = photo.shape[2] / 60
GAZE = (19.0, 33.0)  # degrees from the top and from the left: the rim of the cup

observed = np.asarray(Foveated(GAZE, radius=8.0, seed=SEED)(photo))
mask = observed[..., 3:]
print(f"photograph {photo.shape[1:]}, observed {observed.shape[1:]}")
print(f"pixels sent: {mask.mean():.1%}")

# %% [markdown]
# ## 2. Fill what was not sent
#
# The `inpainter` has learned from photographs to fill holes of many kinds. Beside it stands the
# harmonic fill of tutorial 07: each missing pixel becomes the mean of its four neighbours, until
# nothing changes. It has learned nothing.
#
# **First predict**: by how many decibels is the network ahead?


# %%
def fill_harmonic(observed, steps=FILL_STEPS):
    """Fill missing pixels by averaging neighbours; the mask is the last channel."""
    y, m = observed[..., :-1], observed[..., -1:]
    filled = y + (1 - m) * y.sum((1, 2), keepdims=True) / m.sum((1, 2), keepdims=True)
    for _ in range(steps):
        f = np.pad(filled, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
        around = (f[:, :-2, 1:-1] + f[:, 2:, 1:-1] + f[:, 1:-1, :-2] + f[:, 1:-1, 2:]) / 4
        filled = y + (1 - m) * around
    return filled


def psnr_where(pictures, where):
    """PSNR of the pixels where `where` (height, width) is true, in dB."""
    return float(10 * np.log10(1 / np.mean((pictures[0] - photo[0])[where] ** 2)))


inpainter = ki.load_pretrained("inpainter")
fills = {"harmonic fill": fill_harmonic(observed), "inpainter": inpainter.restore(observed)}
missing = mask[0, ..., 0] == 0
looked_at = degrees_from(GAZE, missing.shape) < 5
places = {
    "whole picture": np.ones_like(missing),
    "all missing pixels": missing,
    "within 5 degrees": looked_at,
    "missing, within 5 degrees": looked_at & missing,
}
print(f"{'PSNR in dB':26} harmonic  inpainter")
for name, where in places.items():
    figures = [psnr_where(filled, where) for filled in fills.values()]
    print(f"{name:26} {figures[0]:8.1f} {figures[1]:10.1f}")

# %% tags=["cover"]
figure, axes = plt.subplots(1, 2, figsize=(12, 4.4), layout="constrained")
ki.plotting.plot_images(observed[..., :3], title=f"sent: {mask.mean():.0%} of pixels", ax=axes[0])
title = f"filled · {psnr_where(fills['inpainter'], looked_at):.1f} dB where somebody looks"
ki.plotting.plot_images(fills["inpainter"], title=title, ax=axes[1])
for ax in axes:
    centre = (GAZE[1] * PIXELS_PER_DEGREE, GAZE[0] * PIXELS_PER_DEGREE)
    ax.add_patch(plt.Circle(centre, 5 * PIXELS_PER_DEGREE, fill=False, color="cyan", linewidth=2))
plt.show()

# %% [markdown]
# In the whole picture it is a tie. Far from the gaze single pixels stand alone, and the network can
# guess the wood between them no better than a mean of neighbours can. It is ahead where pixels are
# dense enough to show an edge: near the gaze. Enlarged:

# %%
rows, columns = (slice(a // SHRINK, b // SHRINK) for a, b in ((150, 250), (300, 450)))
figure, axes = plt.subplots(2, 2, figsize=(11, 7.7), layout="constrained")
shown = {"sent": observed[..., :3], **fills, "original": photo}
for ax, (name, pictures) in zip(axes.ravel(), shown.items(), strict=True):
    ki.plotting.plot_images(np.clip(pictures[:, rows, columns], 0, 1), title=name, ax=ax)
plt.show()

# %% [markdown]
# The difference is small: the harmonic fill frays the edges of the stripe and of the cup more, the
# network leaves a few specks at the rim. Far from the gaze, on the cover, the grain of the wood is
# gone: nobody sent it, and the smallest squared error asks for a mean.
#
# What would a network have to add there? Texture that is *plausible* and need not be true, since
# nobody looks: a generator, trained against a discriminator. PSNR would punish it, and would be the
# wrong figure.

# %% [markdown]
# ## 3. The number: the fewest pixels for 35 dB near the gaze
#
# Here is your decision in one figure. Along the horizontal axis the share of pixels that are sent,
# along the vertical axis PSNR within 5 degrees of the gaze. The simplest thing to compare with is
# no gaze at all: the same number of pixels, spread evenly.

# %%
curves = {"at the gaze, inpainter": [], "at the gaze, harmonic": [], "even, inpainter": []}
shares = []
for radius in RADII:
    sent = np.asarray(Foveated(GAZE, radius, seed=SEED)(photo))
    shares.append(float(sent[..., 3].mean()))
    curves["at the gaze, inpainter"].append(psnr_where(inpainter.restore(sent), looked_at))
    curves["at the gaze, harmonic"].append(psnr_where(fill_harmonic(sent), looked_at))
for share in (*shares, *SPREAD):
    even = np.asarray(ki.degradations.MissingPixels(1 - share, seed=SEED)(photo))
    curves["even, inpainter"].append(psnr_where(inpainter.restore(even), looked_at))

figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
for (name, values), style in zip(curves.items(), ("o-", "s--", "^-"), strict=True):
    x = [*shares, *SPREAD][: len(values)]
    fewest = np.interp(35.0, values, x)
    print(f"{name:24} 35 dB with {fewest:.0%} of the pixels")
    ax.plot(np.multiply(x, 100), values, style, label=name)
ax.axhline(35, color="grey", linewidth=1)
ax.set(xlabel="pixels sent, %", ylabel="PSNR within 5 degrees of the gaze, dB")
ax.legend()
plt.show()

# %% [markdown]
# Most of the saving comes from *knowing where somebody looks*: about a quarter of the pixels does.
# The network saves about two more pixels of a hundred. In the whole picture, where the fills tie,
# its part would be invisible.
#
# Two reservations. A headset also has to know the gaze, and a film must not flicker. And 35 dB
# everywhere within 5 degrees asks for more than the eye needs, which sees less sharply there
# already.

# %% [markdown]
# ## 4. Break it: the eye moves
#
# The eye jumps several times a second, and what arrives was chosen for a place where somebody *has*
# looked. **First predict**: how many decibels does a jump of 6 degrees cost?

# %%
late, fresh = [], []
for jump in JUMPS:
    new_gaze = (GAZE[0], GAZE[1] - jump)  # to the left
    now = degrees_from(new_gaze, missing.shape) < 5
    sent = np.asarray(Foveated(new_gaze, 8.0, seed=SEED)(photo))
    late.append(psnr_where(fills["inpainter"], now))
    fresh.append(psnr_where(inpainter.restore(sent), now))
    print(f"jump of {jump:2} degrees: old pixels {late[-1]:.1f} dB, new pixels {fresh[-1]:.1f} dB")

figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
ax.plot(JUMPS, fresh, "o-", label="pixels chosen for the new gaze")
ax.plot(JUMPS, late, "s--", label="pixels chosen for the old gaze")
ax.axhline(35, color="grey", linewidth=1)
ax.set(xlabel="the eye has jumped by, degrees", ylabel="PSNR within 5 degrees of it, dB")
ax.legend()
plt.show()

# %% [markdown]
# At 6 degrees the late pixels cost more than 3 dB, in the same picture, as good as before on
# average; only somebody now looks at its poor part. (The upper curve falls at the end because the
# cup's outer edge is harder to fill than coffee.) The cure is a zone of safety around the gaze:
# exercise 1.

# %% [markdown]
# ## Part B · Games: land that nobody surveyed
#
# ## 5. A map, cut without a leak
#
# A game needs more land than anybody can shape by hand. Somebody has to decide whether generated
# land is like real land. We take heights measured by the US Geological Survey around Jacksboro in
# Tennessee; they come with matplotlib.
#
# Their cells are 93 m from north to south, but 74 m from west to east, since meridians converge. We
# want to turn pieces by 90 degrees, so first we make the cells square.

# %%
with get_sample_data("jacksboro_fault_dem.npz") as file:
    elevation, north_south, west_east = (file[k].astype(float) for k in ("elevation", "dy", "dx"))
CELL = north_south * 111_320  # metres: a degree from north to south is 111.32 km
across = west_east * 111_320 * np.cos(np.radians(36.6))  # a degree of longitude, at this latitude
old = np.arange(elevation.shape[1]) * across
land = np.stack([np.interp(np.arange(0, old[-1], CELL), old, row) for row in elevation])

TRAINING_ROWS = 248  # what lies south of it is the test
training_land, test_land = land[:TRAINING_ROWS], land[TRAINING_ROWS:]
print(f"{land.shape[0]} x {land.shape[1]} cells of {CELL:.0f} m, ", end="")
print(f"from {land.min():.0f} to {land.max():.0f} m above the sea")


def shaded(heights, high=600.0):
    """Colours for heights in metres, lit from the north-west, from 0 (green) to `high` (white)."""
    light = LightSource(azdeg=315, altdeg=45)
    options = {"blend_mode": "soft", "vert_exag": 2, "dx": CELL, "dy": CELL}
    colours = light.shade(heights, plt.cm.gist_earth, vmin=-0.5 * high, vmax=high, **options)
    return colours[..., :3]


figure, ax = plt.subplots(figsize=(7, 7), layout="constrained")
kilometres = CELL / 1000 * np.array([0, land.shape[1], land.shape[0], 0])
ax.imshow(shaded(land - land.min(), high=840), extent=kilometres)
ax.axhline(TRAINING_ROWS * CELL / 1000, color="white", linewidth=2)
ax.set(xlabel="km from the west", ylabel="km from the north", title="training above, test below")
plt.show()

# %% [markdown]
# Pieces of 32 x 32 cells are 3 km wide. They begin 8 cells apart, so neighbours share three
# quarters of their ground. Whoever cuts first and then draws test pieces by chance tests on ground
# that was trained on. So **split the map, not the pieces**: training above the white line, test
# below.
#
# Each piece is also mirrored and turned by quarters: eight from one.
#
# A decision: *how are heights scaled to [0, 1]?* By one scale for all, most pieces would be nearly
# flat grey, and a network's small faults would become hills. So each piece is scaled by itself, its
# lowest cell to 0, its highest to 1. The difference in metres, its **relief**, goes into a list,
# from which a generated piece draws one. The price: it may not fit. Section 8 measures it.


# %%
def cut(area, stride):
    """Pieces of 32 x 32 cells: their shapes in [0, 1], and their reliefs in metres."""
    windows = np.lib.stride_tricks.sliding_window_view(area, (32, 32))[::stride, ::stride]
    windows = windows.reshape(-1, 32, 32, 1)
    relief = np.ptp(windows, axis=(1, 2, 3))
    lowest = windows.min(axis=(1, 2, 3), keepdims=True)
    return ((windows - lowest) / relief[:, None, None, None]).astype("float32"), relief


def turned(shapes):
    """All eight positions of each piece."""
    both = np.concatenate([shapes, shapes[:, :, ::-1]])
    return np.concatenate([np.rot90(both, k, axes=(1, 2)) for k in range(4)])


def in_metres(shapes, relief):
    """Heights (n, 32, 32) above the lowest cell of each piece."""
    lowest = shapes.min(axis=(1, 2, 3), keepdims=True)
    span = np.ptp(shapes, axis=(1, 2, 3), keepdims=True)
    return ((shapes - lowest) / span)[..., 0] * relief[:, None, None]


rng = np.random.default_rng(SEED)
shapes, relief = cut(training_land, STRIDE)
test_shapes, test_relief = cut(test_land, STRIDE)
training_shapes = turned(shapes)
print(
    f"training: {len(shapes)} pieces, {len(training_shapes)} with turns; test: {len(test_shapes)}"
)
print(f"relief: 90 % of the pieces between {np.quantile(relief, 0.05):.0f} and ", end="")
print(f"{np.quantile(relief, 0.95):.0f} m")

# %% [markdown]
# ## 6. The simplest generator: waves with random phases
#
# Land is made of waves, long ones high and short ones low. How high the waves of each length and
# direction are is the **power spectrum**. Keep it, move every wave by a random amount, and add them
# up: a **Gaussian random field**, new land with the same spectrum. (The map is mirrored first, so
# that its opposite edges meet.)


# %%
def random_land(area, seed):
    """A Gaussian random field with the power spectrum of an area."""
    mirrored = np.concatenate([area, area[::-1]])
    mirrored = np.concatenate([mirrored, mirrored[:, ::-1]], axis=1)
    waves = np.abs(np.fft.fft2(mirrored - mirrored.mean()))  # how high each wave is
    noise = np.fft.fft2(np.random.default_rng(seed).standard_normal(mirrored.shape))
    return np.fft.ifft2(waves * noise / np.abs(noise)).real  # as high, elsewhere


field_shapes = cut(random_land(training_land, SEED), STRIDE)[0]
field_shapes = field_shapes[rng.permutation(len(field_shapes))[:SAMPLES]]

# %% [markdown]
# ## 7. A GAN for land
#
# A generator and a discriminator as in tutorial 02, for 32 x 32 cells, at the package's defaults.
# Not one setting is chosen for heights. **About 70 seconds**: 6 passes through 8,288 pieces, 1,554
# steps.

# %%
gan = ki.GAN(
    ki.networks.dcgan_generator((32, 32, 1), filters=32),
    ki.networks.dcgan_discriminator((32, 32, 1), filters=32),
    seed=SEED,
)
gan.compile()
gan.fit(ki.load_arrays(training_shapes, batch_size=32, seed=SEED), epochs=EPOCHS, verbose=0)
gan_shapes = gan.sample(SAMPLES, seed=SEED)

drawn = rng.permutation(len(shapes))
candidates = {
    "real": in_metres(shapes, relief)[drawn],
    "random field": in_metres(field_shapes, rng.choice(relief, len(field_shapes))),
    "GAN": in_metres(gan_shapes, rng.choice(relief, len(gan_shapes))),
}
figure, axes = plt.subplots(3, 1, figsize=(10, 9), layout="constrained")
for ax, (name, heights) in zip(axes, candidates.items(), strict=True):
    pictures = np.stack([shaded(h) for h in heights[:16]])
    ki.plotting.plot_images(pictures, 8, name, ax=ax)
plt.show()

# %%
figure = plt.figure(figsize=(13, 4.4), layout="constrained")
x, y = np.meshgrid(*[np.arange(32) * CELL / 1000] * 2)
for place, (name, heights) in enumerate(candidates.items(), start=1):
    ax = figure.add_subplot(1, 3, place, projection="3d")
    h = heights[np.argsort(np.ptp(heights, axis=(1, 2)))[-len(heights) // 8]]  # one of the highest
    ax.plot_surface(x, y, h, facecolors=shaded(h), rstride=1, cstride=1, shade=False)
    ax.set_box_aspect((3, 3, 1.2), zoom=1.15)  # heights are drawn twice as high
    ax.set(xlabel="km", ylabel="km", zlabel="m", zlim=(0, 600), title=name)
plt.show()

# %% [markdown]
# (Two real pieces may show the same valley: neighbours overlap.) Look for what each of them has
# understood. *Real*: ridges with gullies on both sides, valleys that branch, plains beside
# mountains. *Random field*: hills and hollows, everywhere alike; no valley leads anywhere. *GAN*:
# ridges, valleys and plains of different kinds, but softer than real ones, and some with a
# woven pattern that its layers leave.

# %% [markdown]
# ## 8. The number: slopes
#
# For a game the slope decides where a figure can walk. So compare the slopes of all cells. The
# **Wasserstein distance** of two sets of numbers says how far, on average, those of one have to be
# moved to become the other: sort both, and take the mean distance of partners. Its unit here is
# degrees; 0 is the same histogram.
#
# Two yardsticks. *Real, shuffled reliefs* is the price of our scaling: no generator of shapes can
# be expected to do better. *Real, the test land* is another part of the same map: who is nearer
# than that is as like the training land as its own neighbour is.
#
# A second figure, because a histogram forgets where each slope lies: **hollows**, cells that are
# lower than all eight neighbours. Rivers wear real land down until water finds a way out. And a
# third, for those who walk there: the share of cells steeper than 30 degrees.


# %%
def slopes(heights):
    """The slope of every cell, in degrees."""
    rise = np.gradient(heights, CELL, axis=(1, 2))  # metres for each metre, in both directions
    return np.degrees(np.arctan(np.hypot(*rise)))


def wasserstein(a, b, num=1000):
    """The Wasserstein distance of two sets of numbers, by their quantiles."""
    levels = (np.arange(num) + 0.5) / num
    return np.mean(np.abs(np.quantile(a, levels) - np.quantile(b, levels)))


def hollows(heights):
    """How many of 1,000 inner cells are lower than all eight neighbours."""
    moves = [(i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    around = np.min([heights[:, i : i + 30, j : j + 30] for i, j in moves], axis=0)
    return 1000 * np.mean(heights[:, 1:31, 1:31] < around)


compared = {
    "real": candidates["real"],
    "real, shuffled reliefs": in_metres(shapes, rng.permutation(relief)),
    "real, the test land": in_metres(test_shapes, test_relief),
    "random field": candidates["random field"],
    "GAN": candidates["GAN"],
}
steep = {name: slopes(heights) for name, heights in compared.items()}
print(f"{'':24} slope: median   Wasserstein   above 30°   hollows")
for name, heights in compared.items():
    far = wasserstein(steep[name], steep["real"])
    print(f"{name:24} {np.median(steep[name]):12.1f}° {far:12.2f}°", end="")
    print(f" {np.mean(steep[name] > 30):10.1%} {hollows(heights):9.1f}")

figure, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
for name, style in {"real": "k-", "random field": "C1--", "GAN": "C0-"}.items():
    share, edges = np.histogram(steep[name], bins=np.arange(0, 46, 1.5))
    ax.plot(edges[:-1] + 0.75, 100 * share / share.sum(), style, label=name)
ax.set(xlabel="slope, degrees", ylabel="share of cells, %")
ax.legend()
plt.show()

# %% [markdown]
# Read it as somebody who must decide:
#
# - **By slopes it is a tie.** Both generators are nearer to the training land than the test land
#   is, and with another `SEED` their order turns. Eight lines without any training equal a GAN.
# - **Both miss what a walker would notice.** Hardly any real hillside here is steeper than 30
#   degrees. Both generators make too many gentle cells, and a tail of cliffs. The tail is mostly
#   our own doing: real shapes with shuffled reliefs have it too. A plain that draws the relief of a
#   mountain becomes a cliff.
# - **By hollows the GAN is nearer to real land** than the random field, clearly or hardly,
#   depending on `SEED`. Waves with random phases know nothing of rivers.
# - **No figure here says that a valley leads somewhere.** You saw it; none of the three measures
#   it.
#
# So: for hills at the horizon take the random field, which is free and endless. For ground to walk
# on, neither is ready. First repair the scaling: a generator that is given the relief, as tutorial
# 02 gives it a label, could choose a shape that fits.

# %% [markdown]
# ## 9. Break the test: a copy that was moved
#
# Has the GAN copied? Tutorial 02 searches for the nearest training picture, with held-out pictures
# as yardstick. Try it on a cheat: a "generator" that returns pieces of the training land, moved by
# 4 cells, half the distance between two training pieces. **First predict**: which share of its
# pieces is found?

# %%
cheat = cut(training_land[4:, 4:], STRIDE)[0]
cheat = cheat[rng.permutation(len(cheat))[:SEARCHED]]
suspects = {"test land": test_shapes, "GAN": gan_shapes, "cheat": cheat}
print("nearest training piece:")
for name, pieces in suspects.items():
    found = ki.metrics.memorization(pieces, training_shapes, test_shapes)
    print(f"{name:10} median distance {np.median(found.distances):.3f}, ", end="")
    print(f"{found.share:.0%} within {found.threshold:.3f}")

# %% [markdown]
# About 95 % of the cheat pass, though a careful reader sees 5 % where 1 % is usual: pixel by pixel,
# a piece moved by 4 cells is as far from the training pieces as new land is. The test was not
# wrong, its list was too short: it holds every eighth position of the map. So search among pieces
# that begin 2 cells apart. (To save memory we turn the suspects instead of the map.) **About 10
# seconds.**

# %%
everywhere = cut(training_land, SEARCH_STRIDE)[0]


def nearest_anywhere(pieces):
    """The distance of each piece, in its best position, to the nearest piece of the map."""
    distances = ki.metrics.nearest(turned(pieces), everywhere)[1]
    return distances.reshape(8, len(pieces)).min(axis=0)


few = {name: pieces[:: max(1, len(pieces) // SEARCHED)] for name, pieces in suspects.items()}
anywhere = {name: nearest_anywhere(pieces) for name, pieces in few.items()}
threshold = np.quantile(anywhere["test land"], 0.01)
print(f"nearest of {len(everywhere):,} pieces of the training land, in all eight positions:")
for name, distances in anywhere.items():
    print(f"{name:10} median distance {np.median(distances):.3f}, ", end="")
    print(f"{np.mean(distances <= threshold):.0%} within {threshold:.3f}")

closest = np.argsort(anywhere["GAN"])[:6]
positions = turned(few["GAN"][closest])
indices, distances = (
    part[:, 0].reshape(8, -1) for part in ki.metrics.nearest(positions, everywhere)
)
best = distances.argmin(axis=0), np.arange(len(closest))
pairs = positions.reshape(8, -1, 32, 32, 1)[best], everywhere[indices[best]]
pictures = [np.stack([shaded(300 * shape[..., 0]) for shape in half]) for half in pairs]
ki.plotting.plot_neighbors(
    *pictures, distances[best], ["generated: those nearest to real land", "the nearest real land"]
)

# %% [markdown]
# Now every piece of the cheat is found, at a distance of 0. And the GAN is cleared by a test that
# can find something: as few of its pieces lie within the threshold as of the test land. Its nearest
# pieces are smooth ones, which are near to everything; the pairs are relatives, not copies.

# %% [markdown]
# ## Who answers for it
#
# > **Where you look is about you.** What an eye tracker records is personal data: it tells what
# > interests somebody, how tired he is, sometimes an illness. Foveated rendering needs the gaze of
# > this moment, on the headset itself. Nobody has to store or send it; if somebody does, the person
# > must know why, and agree.
# >
# > **Generated is generated.** Players, and shops that sell games, may want to know which content
# > was generated, and in some places rules ask for it. Write it down while you make it. And land
# > that looks like Tennessee is not Tennessee.
# >
# > **Licences.** The photograph is CC0, the heights are in the public domain. But the weights of
# > `inpainter` are *for research and teaching only*, like the photographs that it learned from: it
# > may not go into a headset that is sold. Your own GAN depends on the map that you train it on;
# > with a bought map, read the contract first.
# >
# > **The decision.** Write down who decided that 35 dB within 5 degrees is enough, and on what it
# > was measured: here on one photograph and one gaze.

# %% [markdown]
# ## What to remember
#
# 1. Quality counts where somebody looks. Measure there; the whole picture hides both the saving and
#    the failure.
# 2. Know the gaze first, fill second: most of the saved pixels come from the gaze, and few
#    from the network.
# 3. A picture that was right for the last gaze is wrong for the next one. Safety costs pixels.
# 4. Set every generator beside the simplest that could do the same, and beside other real data.
# 5. Agreement in one histogram is not likeness. Take a second figure for what the first one
#    forgets.
# 6. Split the map, not the pieces. Search for copies between the positions of the training list,
#    too.

# %% [markdown]
# ## You should see / if not
#
# Measured with two values of `SEED`, on two CPU cores:
#
# - **Fill**: 12 % sent; 24.7 to 24.9 dB in the whole picture with both fills; within 5 degrees 33.9
#   to 34.8 dB harmonic, 34.4 to 35.4 dB by the network. *If not*, and missing pixels are still
#   black: 1 in the mask means known.
# - **Fewest pixels for 35 dB**: 11 to 13 % at the gaze with the network, 13 to 15 % with the
#   harmonic fill, 48 to 52 % spread evenly. *If not*, and all curves agree: is PSNR taken within 5
#   degrees?
# - **Jump of 6 degrees**: 31.8 dB with old pixels, 35.1 to 36.1 dB with new ones.
# - **Slopes**: Wasserstein distance 1.3 to 1.4 degrees with shuffled reliefs, 2.2 for the test
#   land, 1.8 for the random field, 1.6 to 1.9 for the GAN. Above 30 degrees: 0.1 % of real cells, 5
#   % with shuffled reliefs, 2 % of the random field, 5 % of the GAN. *If not*, and the GAN's
#   distance is above 2.5: look at its pictures; if they are alike or flat, take another `SEED`.
# - **Hollows**: 12.2 real, 9.9 test land, 15 random field, 13 to 14.4 GAN.
# - **Cheat**: 5 or 6 % found in the short list, 100 % in the long one; of the GAN's pieces 0 or 1
#   %, then 1 or 2 %. *If not*, and the cheat is not found: `SEARCH_STRIDE` must divide 4.
# - **Time**: within twice the seconds that are given. *If not*, other programs are running; the
#   figures stay valid.
#
# With a graphics card, take pieces of 64 x 64 cells, `STRIDE = 4`, `filters=64` and 60 epochs.
#
# ## Read on
#
# **In papers this is called.** A picture that is fine where somebody looks is foveated. Land made
# by a rule is procedural generation, our *hollows* are local minima or sinks of the terrain, a
# *cheat* that copies its training data is memorisation, pieces of one map on both sides of a split
# are data leakage.
#
# - H. Strasburger, I. Rentschler and M. Jüttner, *Peripheral vision and pattern recognition: A
#   review*, Journal of Vision 11(5):13, 2011: how sharply the eye sees away from the gaze.
# - A. Radford and others, *Unsupervised Representation Learning with Deep Convolutional GANs*,
#   2016, [arXiv 1511.06434](https://arxiv.org/abs/1511.06434): the two networks used here.
# - C. Meehan and others, *A Non-Parametric Test to Detect Data-Copying in Generative Models*, 2020,
#   [arXiv 2004.05675](https://arxiv.org/abs/2004.05675): held-out data as the yardstick for copies.
# - L. Theis and others, *A note on the evaluation of generative models*, 2016, [arXiv
#   1511.01844](https://arxiv.org/abs/1511.01844): why nearest neighbours may miss what was moved.
#
# The photograph is by Rachel Michetti, courtesy of Pikolo Espresso Bar (CC0). The heights are from
# the US Geological Survey, as they come with matplotlib.

# %% [markdown]
# ## Exercises
#
# Replace each `...` and run the cell, then the check below it. The check prints `Right`, or says
# what it found and gives a hint.
#
# ### Exercise 1: a zone of safety
#
# The cure of section 4. Within `safe` degrees of the gaze every pixel is kept. Beyond, the density
# falls as before, but counted from the edge of the zone: at `safe + d` it is what `density` gives
# for `d`. Use `density`; distances are arrays.


# %% tags=["exercise"]
def safe_density(distance, radius, safe):
    """The probability that a pixel is kept, 1 within `safe` degrees of the gaze."""
    return ...


# %% tags=["solution"]
def safe_density(distance, radius, safe):  # noqa: F811
    """The probability that a pixel is kept, 1 within `safe` degrees of the gaze."""
    return density(np.maximum(0.0, distance - safe), radius)


# %% tags=["check"]
some = np.array([0.0, 3.0, 6.0, 10.0, 50.0])
found = safe_density(some, 4.0, 6.0)
assert np.shape(found) == some.shape, (
    f"For five distances safe_density should return five values. It returned {found!r}. "
    "Hint: density(..., radius) of the distances beyond the zone."
)
assert np.allclose(found[:3], 1.0), (
    f"At 0, 3 and 6 degrees, in a zone of 6, every pixel is kept. Yours: {np.round(found[:3], 3)}. "
    "Hint: a distance beyond the zone is never below 0: np.maximum(0.0, ...)."
)
assert np.allclose(found[3:], density(some[3:] - 6.0, 4.0)), (
    f"At 10 and 50 degrees it is {density(some[3:] - 6.0, 4.0)}. Yours: {np.round(found[3:], 3)}. "
    "Hint: density of the distance minus `safe`, with the radius that is given."
)
assert np.allclose(safe_density(some, 4.0, 0.0), density(some, 4.0)), (
    "A zone of 0 degrees should change nothing. Hint: use `safe`, no fixed number."
)
kept = safe_density(degrees_from(GAZE, missing.shape), 4.0, 6.0)
known = (np.random.default_rng(SEED).random(kept.shape) < kept)[None, ..., None].astype("float32")
after_jump = degrees_from((GAZE[0], GAZE[1] - 6), missing.shape) < 5
in_zone = psnr_where(inpainter.restore(photo * known, known=known), after_jump)
without = psnr_where(fills["inpainter"], after_jump)
wider = np.asarray(Foveated(GAZE, 10.0, seed=SEED)(photo))  # as many pixels, without a zone
in_wider = psnr_where(inpainter.restore(wider), after_jump)
print("Right. After a jump of 6 degrees, within 5 degrees of the new gaze:")
print(f"{mask.mean():.0%} of the pixels, without a zone: {without:.1f} dB")
print(f"{wider[..., 3].mean():.0%} of the pixels, a larger radius instead: {in_wider:.1f} dB")
print(f"{known.mean():.0%} of the pixels, with a zone of 6 degrees: {in_zone:.1f} dB")

# %% [markdown]
# ### Exercise 2: the slope on cells that are not square
#
# The map as it was delivered has cells of 93 m from north to south (between rows) and 74 m from
# west to east (between columns). Write the slope in degrees for a map (rows, columns) with any two
# distances. `np.gradient` takes one distance for each axis.


# %% tags=["exercise"]
def slope_degrees(heights, between_rows, between_columns):
    """The slope of every cell of a map, in degrees."""
    return ...


# %% tags=["solution"]
def slope_degrees(heights, between_rows, between_columns):  # noqa: F811
    """The slope of every cell of a map, in degrees."""
    return np.degrees(np.arctan(np.hypot(*np.gradient(heights, between_rows, between_columns))))


# %% tags=["check"]
row_numbers, column_numbers = np.indices((5, 7)).astype(float)
for heights, distances, expected, hint in (
    (10.0 * row_numbers, (10.0, 20.0), 45.0, "10 m up in 10 m are 45 degrees; np.degrees."),
    (10.0 * column_numbers, (20.0, 10.0), 45.0, "the second distance is that between columns."),
    (30 * row_numbers + 40 * column_numbers, (100.0, 100.0), 26.57, "np.hypot of both, not a sum."),
    (0.0 * row_numbers, (10.0, 10.0), 0.0, "a plain has no slope."),
):
    found = slope_degrees(heights, *distances)
    assert np.shape(found) == heights.shape, (
        f"A map of {heights.shape} cells has as many slopes. Yours: {found!r}. Hint: np.gradient."
    )
    assert np.allclose(found, expected, atol=0.01), (
        f"An even plane, with cells of {distances[0]:g} m and {distances[1]:g} m, has a "
        f"slope of {expected} degrees. Yours begins with {found[0, 0]:.2f}. Hint: {hint}"
    )
delivered = np.median(slope_degrees(elevation, CELL, across))
wrong = np.median(slope_degrees(elevation, CELL, CELL))
print(
    f"Right. Median slope of the map as delivered: {delivered:.1f} degrees; if you take its cells"
)
print(f"for squares of 93 m, {wrong:.1f}. A walker notices, a GAN never would.")

# %% [markdown]
# ### Exercise 3: find the leak
#
# Pieces of `size` x `size` cells are given by the row and column of their first cell: arrays of
# shape (n, 2). Two pieces share ground if their rows overlap *and* their columns overlap. Which
# share of the test pieces has ground in common with at least one training piece?


# %% tags=["exercise"]
def leaking_share(training, test, size=32):
    """The share of test pieces that share ground with a training piece."""
    return ...


# %% tags=["solution"]
def leaking_share(training, test, size=32):  # noqa: F811
    """The share of test pieces that share ground with a training piece."""
    apart = np.abs(test[:, None] - training[None])  # (tests, trainings, 2)
    return np.mean(np.any(np.all(apart < size, axis=-1), axis=1))


# %% tags=["check"]
one = np.array([[100, 100]])
for place, expected, hint in (
    ([[100, 131]], 1.0, "31 columns further they still share one column."),
    ([[100, 132]], 0.0, "32 columns further they only touch."),
    ([[69, 131]], 1.0, "a piece may begin before the other one: take np.abs."),
    ([[100, 300]], 0.0, "the same rows are not enough: rows AND columns."),
    ([[100, 90], [200, 200]], 0.5, "one test piece of two; count test pieces, not pairs."),
):
    found = leaking_share(one, np.array(place))
    assert isinstance(found, (int, float, np.number)), (
        f"leaking_share should return one number. It returned {found!r}. Hint: a mean."
    )
    assert abs(found - expected) < 1e-9, (
        f"Training piece at (100, 100), test pieces at {place}: the share is {expected}. Yours is "
        f"{found}. Hint: {hint}"
    )
found = leaking_share(np.array([[0, 0], [8, 0], [0, 8]]), np.array([[4, 4], [100, 100]]))
assert abs(found - 0.5) < 1e-9, (
    f"One of two test pieces leaks, into three training pieces. The share is 0.5, yours {found}. "
    "Hint: np.any over the training pieces first, then the mean over the test pieces."
)
places = np.stack(np.meshgrid(range(0, 312, 8), range(0, 290, 8), indexing="ij"), -1).reshape(-1, 2)
by_chance = np.random.default_rng(SEED).random(len(places)) < 0.2
north, south = places[places[:, 0] <= 216], places[places[:, 0] >= 248]
print("Right. A fifth of the pieces drawn by chance as test: ", end="")
print(f"{leaking_share(places[~by_chance], places[by_chance]):.0%} of them leak.")
print(f"The map split between rows: {leaking_share(north, south):.0%} of them.")
