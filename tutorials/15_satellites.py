# %% [markdown]
# # 15 · Satellites: stripes and clouds
#
# **You will be able to**
#
# - write a degradation of your own in ten lines, and train a network to undo it;
# - judge a filled scene by the number that a map is made for, an area in hectares;
# - keep what a network learns from apart from what it is judged on, and write what counts into
#   its loss;
# - put several dates together, and draw a map of what none of them saw;
# - say what a median over time erases, and raise an alarm before it is lost.
#
# **You need** [tutorial 07](07_cnn_inpainting.ipynb) up to section 3.
#
# **Time** on two CPU cores: 2 minutes of computing, 70 minutes with reading and exercises.

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
# ## May a filled scene be measured?
#
# A water authority watches its lakes from space. Who may take how much water depends on how large
# the lake is. One of its satellites, Landsat 7, has a broken part: since May 2003 its scan line
# corrector no longer works, and about a fifth of every scene is missing, in slanted stripes.
#
# ![A scene with stripes, filled by a network, and as it was](attachment:cover)
#
# In the middle the stripes are filled, by a network that comes with the package. The scene looks
# complete. Would you measure the lake in it? Write down a guess: *of the lake's pixels that were
# lost, how many come back as water?*

# %% tags=["setup"]
import os

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops

import keras_imgen as ki

SEED = 0
PASSES = 8  # of the satellite with the broken corrector, each with its stripes elsewhere
DATES = 8  # of the scene with clouds
CROPS, EPOCHS = 384, 8  # of each training
FILTERS = (16, 24)  # of the network, at full and at half resolution
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # a quick test: its figures mean nothing
    PASSES, CROPS, EPOCHS, FILTERS = 2, 16, 1, (4, 4)

keras.utils.set_random_seed(SEED)  # the same first weights, and so the same pictures, every time

# %% [markdown]
# ## 1. The scene, and its stripes
#
# The scene is Rocky Mountain National Park in Colorado, taken by Landsat 8 on 21 September 2014.
# Landsat 8 is whole, so that we know what is under the stripes that we put over it. The dark lake
# at the lower left, with its arms, is Lake Granby, a reservoir.
#
# A pixel is 0.0015 degrees wide and high. One degree of latitude is 111.0 km here. A degree of
# longitude is shorter by the cosine of the latitude, 40.2 degrees. That makes the pixel's size in
# metres, and its area in **hectares** (1 ha = 10,000 square metres).

# %%
scene = ki.load_example("mountains")
high, wide = 0.0015 * 111_030, 0.0015 * 111_320 * np.cos(np.radians(40.2))  # metres
HECTARES = high * wide / 10_000
print(f"scene: {scene.shape}; a pixel is {high:.0f} m x {wide:.0f} m, or {HECTARES:.2f} ha")

# %% [markdown]
# The broken corrector as a degradation of our own. A degradation of the kind `WithMask` has to
# answer one question: which pixels are known? Here a pixel is lost if its place across the stripes,
# counted from where they begin, falls into a gap. Where they begin is drawn for each picture, since
# on every pass they lie elsewhere.


# %%
class Stripes(ki.degradations.WithMask):
    """Loses `gap` of every `period` rows, along lines that rise by `slope` rows a column."""

    def __init__(self, gap=7, period=32, slope=0.2, **kwargs):
        super().__init__(**kwargs)
        self.gap, self.period, self.slope = gap, period, slope

    def known(self, shape, seeds):
        first = keras.random.uniform((*shape[:-3], 1, 1, 1), 0, self.period, seed=next(seeds))
        rows = ops.arange(shape[-3], dtype="float32")[:, None, None]
        columns = ops.arange(shape[-2], dtype="float32")[:, None]
        return (rows + self.slope * columns + first) % self.period >= self.gap


striped = np.asarray(Stripes(seed=SEED)(scene[None]))
inpainter = ki.load_pretrained("inpainter")
filled_scene = inpainter.restore(striped)
print(f"lost: {np.mean(striped[..., 3] == 0):.1%} of the pixels")

# %% tags=["cover"]
around = (slice(258, 332), slice(68, 218))  # rows and columns around the lake
views = {"observed": striped[0, ..., :3], "filled": filled_scene[0], "clean": scene}
figure, axes = plt.subplots(
    2, 3, figsize=(10, 5), layout="constrained", height_ratios=[352 / 464, 74 / 150]
)
for column, (name, picture) in zip(axes.T, views.items(), strict=True):
    ki.plotting.plot_images(picture[None], title=name, ax=column[0])
    ki.plotting.plot_images(picture[around][None], title=f"the lake, {name}", ax=column[1])
plt.show()

# %% [markdown]
# From afar one would hardly know that anything was missing. Nearby, the lake's narrow arm is cut,
# its end fades away, and soft bands run over the land.
#
# An honest word about scale. On the real sensor the gaps are widest at the sides of a scene, about
# 14 pixels of 30 m, and close towards its middle. Ours are 7 pixels everywhere, but of 167 m. In
# metres they are nearly three times as wide as the widest real ones, so this is a harder case;
# section 3 shows how much that matters.
#
# ## 2. Keep two halves apart
#
# Later a network learns from this scene. It must not learn from the pixels that it is asked for, so
# we cut the scene in two. The **eastern half** is for learning and for choosing. The **western
# half**, with the lake, is for judging, and nothing is chosen there.
#
# The first thing to choose is a rule for water. Water returns little light, and least of all red:
#
# $$\text{water:}\quad \tfrac13 (R + G + B) < t \quad\text{and}\quad B > R$$
#
# - $R$, $G$ and $B$ are the pixel's red, green and blue, from 0 to 1;
# - $t$ is the **threshold**.
#
# (With an infrared channel the field has better rules. Our picture has three colours.) The eastern
# half holds next to no water, so what the rule calls water there is mostly shadow. Take the largest
# $t$, in steps of 0.02, that calls at most 1 % of it water.

# %%
west, east = scene[:, :232], scene[:, 232:]


def is_water(pictures, limit):
    """Which pixels are dark, and more blue than red."""
    return (pictures.mean(axis=-1) < limit) & (pictures[..., 2] > pictures[..., 0])


for limit in (0.08, 0.10, 0.12, 0.14, 0.16):
    print(f"t = {limit:.2f}: {np.mean(is_water(east, limit)):5.2%} of the east is called water")
LIMIT = 0.12

lake_box = (slice(268, 322), slice(88, 198))  # the authority knows where its lake is
lake = is_water(west, LIMIT)[lake_box]
TRUE_AREA = lake.sum() * HECTARES
print(f"the lake, in the clean scene: {lake.sum()} pixels, {TRUE_AREA:,.0f} ha")

# %% [markdown]
# What the rule finds in the clean scene is the ground truth here: not the lake itself, but what the
# authority would have measured without stripes.
#
# ## 3. Looks complete, measures short
#
# Eight passes over the western half, each with its stripes elsewhere. Two simple fills stand beside
# the network: the **mean** of all known pixels, and the **harmonic fill** of tutorial 07, which
# replaces each lost pixel by the average of its four neighbours until nothing changes.
#
# **First predict.** The network has learnt from hundreds of photographs. By how many decibels is it
# ahead of the harmonic fill inside the stripes? And how much of the lake's lost part does each
# bring back?


# %%
def fill_mean(observed):
    """Fill what is lost with the mean colour of what is known."""
    y, m = observed[..., :3], observed[..., 3:]
    return y + (1 - m) * y.sum(axis=(1, 2), keepdims=True) / m.sum(axis=(1, 2), keepdims=True)


def fill_harmonic(observed, steps=100):
    """Fill what is lost by averages of neighbours; a gap of s rows needs about 2 s * s steps."""
    y, m = observed[..., :3], observed[..., 3:]
    filled = fill_mean(observed)
    for _ in range(steps):
        f = np.pad(filled, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
        around = (f[:, :-2, 1:-1] + f[:, 2:, 1:-1] + f[:, 1:-1, :-2] + f[:, 1:-1, 2:]) / 4
        filled = y + (1 - m) * around
    return filled


def inside_psnr(pictures, known):
    """PSNR of the pixels that were not known, against the clean western half, in dB."""
    errors = (np.clip(pictures, 0, 1) - west)[known == 0]
    return 10 * np.log10(1 / np.mean(errors**2))


def judged(pictures, known):
    """Where pixels were lost: which share of lake and of land is called water? And each area."""
    called = np.stack([is_water(p, LIMIT)[lake_box] for p in pictures])
    lost = np.stack([k[lake_box] for k in known]) == 0
    areas = called.sum(axis=(1, 2)) * HECTARES
    return called[lost & lake].mean(), called[lost & ~lake].mean(), areas


def print_row(name, pictures, known):
    kept, wrong, areas = judged(pictures, known)
    print(f"{name:23} {inside_psnr(pictures, known):5.1f} dB {kept:10.0%} {wrong:10.1%}", end="")
    print(f" {areas.mean():9,.0f} ha ({areas.min():,.0f} to {areas.max():,.0f})")


HEAD = f"{'':23}   inside  lake kept  false lake      area (lowest to highest)"
passes = np.asarray(Stripes(seed=SEED)(np.repeat(west[None], PASSES, axis=0)))
known = passes[..., 3]
fills = {
    "mean": fill_mean(passes),
    "harmonic": fill_harmonic(passes),
    "inpainter": np.concatenate([inpainter.restore(p[None]) for p in passes]),
}
print(HEAD)
for name, pictures in fills.items():
    print_row(name, pictures, known)
print(f"{'clean':57} {TRUE_AREA:,.0f} ha")

# %% [markdown]
# *Lake kept* is the share of the lost lake pixels that are called water after filling; *false lake*
# the share of the lost land in the box. The area is that of one pass, and in brackets the smallest
# and the largest of eight.
#
# - By decibels, network and harmonic fill are level.
# - In the lake the network is ahead, but both lose about half of what was lost, and next to no land
#   is called water in return. So the errors do not cancel: on average the filled scenes measure a
#   lake that is about a tenth too small.
# - How much too small depends on where the stripes fell. Between two passes the lake seems to grow
#   or to shrink by hundreds of hectares, and nothing happened but the satellite flying by.
#
# Look at where the lake is lost: blue is lake that is called water, red lake that is called land,
# yellow land that is called water. (The specks at the right are ponds and shadow.)


# %%
def show_lake(methods, index=0):
    """Two rows: the lake in colour, and what the rule makes of it."""
    _, axes = plt.subplots(2, len(methods), figsize=(12, 3.9), layout="constrained")
    for column, (name, pictures) in zip(axes.T, methods.items(), strict=True):
        picture = pictures[index][lake_box]
        called = is_water(picture, LIMIT)
        colours = np.full((*lake.shape, 3), 0.9)
        colours[called & lake] = (0.1, 0.3, 0.7)
        colours[~called & lake] = (0.85, 0.1, 0.1)
        colours[called & ~lake] = (1.0, 0.75, 0.0)
        ki.plotting.plot_images(picture[None], title=name, ax=column[0])
        area = called.sum() * HECTARES
        ki.plotting.plot_images(colours[None], title=f"{area:,.0f} ha of water", ax=column[1])
    plt.show()


clean = {"clean": np.repeat(west[None], PASSES, axis=0)}
show_lake({"observed": passes[..., :3]} | {n: fills[n] for n in ("harmonic", "inpainter")} | clean)

# %% [markdown]
# Where the lake is broad, it comes back. The end of the lake and its narrow arm do not: across the
# stripe there is land, and the fill goes on with land.
#
# So it is not the share of lost pixels that decides, but the width of the gaps. The same share in
# other widths, filled harmonically:

# %%
print("gap of period   inside  lake kept")
for gap, period in ((2, 9), (4, 18), (7, 32), (14, 64)):
    observed = np.asarray(Stripes(gap, period, seed=SEED)(clean["clean"]))
    filled = fill_harmonic(observed, 2 * gap**2)
    kept, _, _ = judged(filled, observed[..., 3])
    print(f"{gap:3} of {period:2} {inside_psnr(filled, observed[..., 3]):14.1f} dB {kept:7.0%}")

# %% [markdown]
# Even gaps of two pixels, not as wide in metres as the widest real ones, lose more than a third of
# what they hide of the lake.
#
# ## 4. A small network of our own
#
# Perhaps photographs are the wrong school for a satellite. So train a network on crops of the
# eastern half, with stripes at other places in every step. Were it trained on the western half, it
# would later be asked for pixels that it has learnt from. Such a **leak** makes a figure look
# better than it is, and on a new scene nothing remains of it.
#
# The network is a small DRUNet, a U-Net of residual blocks. With `fill_holes=True` it begins with
# holes that are filled by means of what is around them, as the inpainter does, and learns what to
# change in that.
#
# **First predict.** Its loss is the mean squared error. Will it be ahead of the harmonic fill in
# decibels? In lake? **About 20 seconds.**


# %%
def learn(half, loss):
    """A network that has learnt to fill stripes in crops of one half of the scene."""
    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    corners = zip(rng.integers(0, 352 - 63, CROPS), rng.integers(0, 232 - 63, CROPS), strict=True)
    crops = np.stack([half[r : r + 64, c : c + 64] for r, c in corners])
    network = ki.networks.drunet(
        (None, None, 3), extra_channels=1, filters=FILTERS, num_blocks=1, fill_holes=True
    )
    restorer = ki.Restorer(network, Stripes(seed=SEED), keep_known=True, seed=SEED)
    schedule = keras.optimizers.schedules.CosineDecay(3e-3, EPOCHS * CROPS // 8)
    restorer.compile(keras.optimizers.Adam(schedule), loss=loss)
    restorer.fit(crops, epochs=EPOCHS, batch_size=8, verbose=0)
    return restorer


equal = learn(east, "mse")
fills["all pixels alike"] = np.concatenate([equal.restore(p[None]) for p in passes])
print(HEAD)
for name in ("harmonic", "all pixels alike"):
    print_row(name, fills[name], known)

# %% [markdown]
# Level in decibels again, and most of the lost lake stays lost. Squared error asks for the mean of
# what may be there. In the eastern half dark pixels are rare, so it pays to be right about a
# hundred pixels of land and wrong about one of water. PSNR counts in the same way, and hardly
# notices.
#
# If the lake is what counts, the loss must say so. Let an error at a dark pixel count 21 times
# that of any other:
#
# $$L = \frac1N \sum_i \, (1 + 20\, d_i) \, (x_i - \hat x_i)^2$$
#
# - $N$ is the number of values, $x_i$ a clean value and $\hat x_i$ the restored one;
# - $d_i$ is 1 where the clean pixel is darker than the threshold $t$, else 0. In training, the
#   clean picture is at hand.
#
# **First predict** what happens to the decibels, and to false lake. **About 20 seconds.**


# %%
def dark_counts_more(clean, restored):
    """The squared error, 21 times as heavy at dark pixels."""
    dark = ops.cast(ops.mean(clean, axis=-1, keepdims=True) < LIMIT, "float32")
    return ops.mean((1 + 20 * dark) * (clean - restored) ** 2)


unequal = learn(east, dark_counts_more)
fills["dark counts more"] = np.concatenate([unequal.restore(p[None]) for p in passes])
print(HEAD)
for name, pictures in fills.items():
    print_row(name, pictures, known)
print(f"{'clean':57} {TRUE_AREA:,.0f} ha")
chosen = ("harmonic", "all pixels alike", "dark counts more")
show_lake({n: fills[n] for n in chosen} | clean)

# %% [markdown]
# The same network, the same crops, the same number of steps. It has *lost* decibels and kept more
# of the lake than the harmonic fill. Had we chosen by PSNR, we would have chosen the network that
# erases it.
#
# It has its price: more land is called water than before. And it is no cure. It keeps about half of
# the lost lake, no more than the inpainter, because nothing in the scene says where the narrow arm
# ran.
#
# ## 5. Look again another day
#
# A single pass cannot say what it did not see. But satellites come back: Landsat every 16 days. So
# take several dates of the same place. Real ones bring clouds, too. Ours are **simulated**: eight
# copies of the western half, each a little brighter or darker, each with stripes of its own and
# with white clouds over 40 % of it. Real clouds also throw shadows and have thin rims, and finding
# them is an art; here the **cloud mask** is known exactly.


# %%
def clouds(share, rng, size=18):
    """Where clouds lie: the highest part of a smooth random field."""
    noise = np.fft.fft2(rng.standard_normal((352, 232)))
    squared = np.fft.fftfreq(352)[:, None] ** 2 + np.fft.fftfreq(232) ** 2
    field = np.fft.ifft2(noise * np.exp(-2 * (np.pi * size) ** 2 * squared)).real
    return field > np.quantile(field, 1 - share)


rng = np.random.default_rng(SEED)
brightness = rng.uniform(0.9, 1.1, (DATES, 1, 1, 1))
days = np.clip(brightness * west, 0, 1).astype("float32")
cloudy = np.stack([clouds(0.4, rng) for _ in range(DATES)])
seen = np.asarray(Stripes(seed=SEED + 1)(days))[..., 3].astype(bool) & ~cloudy
shown = np.where(cloudy[..., None], 0.95, days * seen[..., None])
print(f"seen by one date: {seen.mean():.0%}")
print(f"seen by none of the {DATES}: {np.mean(~seen.any(axis=0)):.1%}")

figure, axes = plt.subplots(1, 5, figsize=(11, 3.9), layout="constrained")
for day, ax in enumerate(axes[:4]):
    ki.plotting.plot_images(shown[day : day + 1], title=f"date {day + 1} (simulated)", ax=ax)
counts = axes[4].imshow(seen.sum(axis=0), cmap=plt.get_cmap("viridis", DATES + 1), vmin=-0.5)
counts.set_clim(-0.5, DATES + 0.5)
axes[4].imshow(np.ma.masked_equal(~seen.any(axis=0), 0), cmap="autumn", interpolation="nearest")
axes[4].set_axis_off()
axes[4].set_title("dates that saw it (red: none)", fontsize=10)
figure.colorbar(counts, ax=axes[4], shrink=0.8, ticks=range(DATES + 1))
plt.show()

# %% [markdown]
# The **median** over time takes, for each pixel and colour, the middle value of the dates that saw
# it. A picture put together from several dates is called a **composite**. What no date saw is
# filled harmonically, and red in the map.
#
# **First predict.** One date alone, filled as before, against the median of eight: how much of the
# lake does each find? All are judged where the single date saw nothing, on each of the eight in
# turn.


# %%
def median_of_seen(days, seen):
    """The median over the dates that saw a pixel, and which pixels any date saw."""
    any_date = seen.any(axis=0)
    values = np.where(seen[..., None], days, np.nan)
    values[:, ~any_date] = 0  # nothing there to take the median of
    return np.nanmedian(values, axis=0).astype("float32"), any_date


def with_mask(pictures, known):
    """Observed pictures: what is known, and behind it the mask."""
    mask = known[..., None].astype("float32")
    return np.concatenate([pictures * mask, mask], axis=-1)


single = with_mask(days, seen)
composite, any_date = median_of_seen(days, seen)
over_time = fill_harmonic(with_mask(composite, any_date)[None], 400)
methods = {
    "one date, harmonic": fill_harmonic(single, 400),
    "one date, inpainter": np.concatenate([inpainter.restore(day[None]) for day in single]),
    "median of the dates": np.repeat(over_time, DATES, axis=0),
}
print(HEAD)
for name, pictures in methods.items():
    print_row(name, pictures, seen)
print(f"{'clean':57} {TRUE_AREA:,.0f} ha")

figure, axes = plt.subplots(1, 4, figsize=(10, 4.5), layout="constrained")
views = {"date 1 (simulated)": shown} | methods | {"clean": west[None]}
del views["one date, harmonic"]
for ax, (name, pictures) in zip(axes, views.items(), strict=True):
    area = is_water(pictures[0], LIMIT)[lake_box].sum() * HECTARES
    ki.plotting.plot_images(pictures[:1], title=f"{name}\n{area:,.0f} ha of lake", ax=ax)
plt.show()

# %% [markdown]
# About fifteen decibels against more than thirty, and nearly the whole lake. No network, no
# training: the other dates *saw* what this one did not. With a single date the area depends on
# where the clouds happen to lie, and tells more about the weather than about the lake.
#
# Do not take these decibels home. Our dates are copies of one scene. Between real dates leaves
# fall, snow melts, shadows move, and the lake itself rises and falls.
#
# Date 1 is a lucky one that saw most of the lake. How many dates does it take, from date 1 on?

# %%
print("dates   never seen   lake kept      area")
for n in (1, 2, 4, DATES):
    composite, any_date = median_of_seen(days[:n], seen[:n])
    filled = fill_harmonic(with_mask(composite, any_date)[None], 400)
    kept = is_water(filled[0], LIMIT)[lake_box][lake].mean()
    area = is_water(filled[0], LIMIT)[lake_box].sum() * HECTARES
    print(f"{n:5} {np.mean(~any_date):12.1%} {kept:11.0%} {area:9,.0f} ha")

# %% [markdown]
# ## 6. Break it: a new reservoir
#
# A median drops what one date alone says, such as a cloud that the mask has missed. Now let
# something odd be true: on the last date there is a new reservoir, in the lake's own colour
# (simulated).
#
# **First predict.** Is it in the median of eight dates?

# %%
rows, columns = np.indices((352, 232))
places = [(60, 40), (120, 150), (200, 60), (235, 190), (150, 100), (300, 40)]  # all of them land
reservoirs = [((rows - r) / 9) ** 2 + ((columns - c) / 14) ** 2 < 1 for r, c in places]
reservoir = max(reservoirs, key=lambda inside: seen[-1][inside].mean())  # best seen on that day
changed = days.copy()
changed[-1][reservoir] = np.median(west[lake_box][lake], axis=0)

new_median, _ = median_of_seen(changed, seen)
there = reservoir & seen[-1]  # what the last date saw of it
for name, picture in {"last date": changed[-1], "median": new_median}.items():
    found = is_water(picture, LIMIT)[there].sum()
    print(f"{name:10} {found:4} of {there.sum()} pixels of the new reservoir called water")

difference = np.abs(changed[-1] - new_median).mean(axis=-1) * seen[-1]
alarm = difference > 0.15
print(
    f"alarm: {alarm[there].mean():.0%} of the reservoir, {alarm[~reservoir].mean():.1%} elsewhere"
)

figure, axes = plt.subplots(1, 3, figsize=(9, 4.7), layout="constrained")
last = np.where(cloudy[-1][..., None], 0.95, changed[-1] * seen[-1][..., None])
ki.plotting.plot_images(last[None], title="last date: a new reservoir", ax=axes[0])
on_paper = np.where(any_date[..., None], new_median, 0.8)  # grey: seen by no date
ki.plotting.plot_images(on_paper[None], title="median of all dates", ax=axes[1])
alarms = np.where(alarm[..., None], (0.85, 0.1, 0.1), 0.5 + 0.5 * on_paper)
ki.plotting.plot_images(alarms[None], title="alarm (red)", ax=axes[2])
for ax in axes:
    ax.contour(reservoir, levels=[0.5], colors="cyan", linewidths=1)
plt.show()

# %% [markdown]
# The median has erased it, without a trace, and the composite looks better than any of the dates.
# (Grey is what no date saw.)
#
# The cure is to look before it is lost. Where the newest date contradicts the median by more than
# 0.15, raise an **alarm**, and let somebody look. The alarm cannot say whether it is a reservoir, a
# cloud's shadow or a flood. Exercise 2 builds the composite that believes the newest date.
#
# ## 7. Who answers for it?
#
# > **A filled pixel is an opinion.** Whoever publishes a filled scene should publish the **fill
# > mask** with it: for each pixel, whether it was observed, on which date, or by which method it
# > was filled. A colour picture alone cannot say so.
# >
# > **Decisions about water rights.** An area that rests on filled pixels should be stated as such,
# > with the share that was filled and a range, as in the table of section 3. A fill that always
# > errs to one side takes from one party, always the same. Who decides must be able to ask for
# > another pass, or for a survey on the ground.
# >
# > **Which day?** A composite shows no day at all. A lake that fell by a metre between two dates
# > has, in the median, an area that it had on neither.
# >
# > **Licences.** Landsat's data are in the public domain, and the US Geological Survey asks to be
# > named. Images of commercial satellites come with licences, which often cover what is derived.
# >
# > **Privacy.** At 130 m nobody is seen. At 30 cm, houses and cars are, and a fill can add some
# > that were not there. What is added must not be held against anybody.
#
# ## What to remember
#
# 1. A filled scene looks complete because a fill is made of what surrounds it. That says nothing
#    about what was there.
# 2. Judge by the number that the map is for. Equal decibels can mean half of the lake or none.
# 3. The loss says what counts. If lake counts more than land, write it into the loss; PSNR will
#    fall. Learn and choose on other pixels than you judge.
# 4. Errors of one sign do not average out: all fills of sections 3 and 4 make the lake too small,
#    on the mean of eight passes.
# 5. Another date is evidence, a fill is not. First composite what was seen, then fill the rest and
#    mark it.
# 6. A median erases what one date alone has seen, errors and news alike.
#
# ## You should see / if not
#
# Measured with two values of `SEED`, on two CPU cores:
#
# - **Stripes**: 21.9 % lost; mean 14.4 dB and no lake, harmonic fill 17.3 dB and 42 to 46 % of the
#   lost lake, inpainter 17.2 dB and 58 to 63 %. *If not*, and all methods keep all of the lake: 1
#   in the mask means known.
# - **Widths**: from 62 % of the lost lake at 2 of 9 down to 23 to 30 % at 14 of 64. *If not*, and
#   the widest gaps are worse: they need more steps than narrow ones.
# - **Trained here**: all pixels alike 17.2 dB and 1 to 14 % of the lost lake; dark counts more 16.6
#   to 16.7 dB, 52 to 57 %, and 0.7 to 1.7 % false lake. *If not*, and both agree: does the loss
#   reach `compile`?
# - **Dates**: one alone 15.2 to 15.7 dB, 7 to 21 % of the lost lake with the harmonic fill, 13 to
#   40 % with the inpainter; median 32.6 to 34.0 dB and 96 to 100 %. Never seen: 0.2 to 0.7 %. *If
#   not*, and the composite is pale: clouds have got into the median.
# - **Reservoir**: all of it in the last date, at most 6 % of it in the median; alarm in 58 to 96 %
#   of it, fewer where it lies on dark forest. *If not*, and there are alarms everywhere: is
#   `difference` multiplied by what the last date saw?
#
# ## Read on
#
# **In papers this is called.** Missing stripes are the scan-line corrector gap (SLC-off), to fill
# them is gap filling. A scene put together from several dates is a composite, a mask of clouds
# comes from cloud screening, the share of the lost lake that comes back is recall.
#
# - J. Storey and others, *Landsat 7 Scan Line Corrector-Off Gap-Filled Product Development*, Pecora
#   16 conference, 2005: how the stripes were really filled, from other dates.
# - J. Chen and others, *A simple and effective method for filling gaps in Landsat ETM+ SLC-off
#   images*, Remote Sensing of Environment 115, 1053-1064, 2011: pixels that are alike, on another
#   date.
# - Q. Zhang and others, *Missing Data Reconstruction in Remote Sensing Image With a Unified
#   Spatial-Temporal-Spectral Deep Convolutional Neural Network*, IEEE Transactions on Geoscience
#   and Remote Sensing 56, 4274-4288, 2018: a network that is given the other dates.
# - J.-F. Pekel and others, *High-resolution mapping of global surface water and its long-term
#   changes*, Nature 540, 418-422, 2016: all lakes, from three million Landsat scenes.
#
# The scene is NASA Earth Observatory's image 88405, with data of the US Geological Survey, in the
# public domain.

# %% [markdown]
# ## Exercises
#
# Replace each `...` and run the cell, then the check below it. The check prints `Right`, or says
# what it found and gives a hint.
#
# ### Exercise 1: another scan angle
#
# Write the mask of stripes at any angle: 0 degrees are level stripes, 90 upright ones, and with
# growing angle they *fall* to the right. For the pixel in row $i$ and column $j$, the distance
# across the stripes is $i \cos a - j \sin a$, where $a$ is the angle. A pixel is lost if this
# distance, modulo `period`, is below `gap`. (`np.indices` gives rows and columns, `np.radians` the
# angle.)


# %% tags=["exercise"]
def stripe_mask(height, width, angle, gap, period):
    """A mask (height, width) of 1.0 where a pixel is known and 0.0 in stripes at an angle."""
    return ...


# %% tags=["solution"]
def stripe_mask(height, width, angle, gap, period):  # noqa: F811
    """A mask (height, width) of 1.0 where a pixel is known and 0.0 in stripes at an angle."""
    rows, columns = np.indices((height, width))
    a = np.radians(angle)
    return ((rows * np.cos(a) - columns * np.sin(a)) % period >= gap).astype("float32")


# %% tags=["check"]
level = stripe_mask(60, 90, 0, 3, 10)
assert getattr(level, "shape", None) == (60, 90), (
    "stripe_mask should return an array of shape (60, 90). "
    f"Found {getattr(level, 'shape', level)!r}. "
    "Hint: begin with rows, columns = np.indices((height, width))."
)
whole_rows = float(np.mean(np.all(level == 0, axis=1)))
assert abs(whole_rows - 0.3) < 1e-6, (
    f"At 0 degrees whole rows should be lost, 3 of 10: found {whole_rows:.0%} of the rows lost. "
    "Hint: lost is 0, known is 1; compare distance % period with gap."
)
upright = np.asarray(stripe_mask(60, 400, 90.0, 7, 32))
assert np.mean(np.ptp(upright, axis=0) == 0) > 0.9, (
    "At 90 degrees whole columns should be lost. Found mixed ones. "
    "Hint: np.cos and np.sin take radians: np.radians(angle)."
)
slanted = np.asarray(stripe_mask(200, 200, 30, 7, 32))
along = np.mean(slanted[:-11, :-19] == slanted[11:, 19:])  # 11 rows down, 19 columns right
assert along > 0.95, (
    "At 30 degrees, stripes that fall to the right should hold a pixel together with the one 11 "
    f"rows down and 19 columns to the right. That is so for {along:.0%}. "
    "Hint: rows * cos minus columns * sin."
)
mask = stripe_mask(352, 232, 60, 7, 32)[None]
turned = fill_harmonic(with_mask(west[None], mask))
print(f"Right: at 60 degrees {inside_psnr(turned, mask):.1f} dB inside the stripes, and ", end="")
print(f"{judged(turned, mask)[0]:.0%} of the lost lake is kept.")

# %% [markdown]
# ### Exercise 2: the newest pixel that was seen
#
# The median has erased the new reservoir. Make another composite, which takes for each pixel the
# value of the **last** date that saw it, and 0 where no date did. Clouds and stripes must not get
# into it.


# %% tags=["exercise"]
def newest_seen(days, seen):
    """From days (n, height, width, 3) and seen (n, height, width): the last value seen, or 0."""
    return ...


# %% tags=["solution"]
def newest_seen(days, seen):  # noqa: F811
    """From days (n, height, width, 3) and seen (n, height, width): the last value seen, or 0."""
    newest = np.zeros_like(days[0])
    for day, saw in zip(days, seen, strict=True):  # later dates lie over earlier ones
        newest = np.where(saw[..., None], day, newest)
    return newest


# %% tags=["check"]
found = newest_seen(changed, seen)
assert getattr(found, "shape", None) == west.shape, (
    f"newest_seen should return one picture of shape {west.shape}. "
    f"Found {getattr(found, 'shape', found)!r}. Hint: begin with np.zeros_like(days[0])."
)
assert np.array_equal(found[seen[-1]], changed[-1][seen[-1]]), (
    "What the last date saw should be taken from it, and is not. Hint: go through the dates from "
    "the first to the last, and let each overwrite what it saw."
)
earlier = seen[:-1].any(axis=0) & ~seen[-1]
latest = seen.shape[0] - 1 - np.argmax(seen[::-1], axis=0)
expected = np.take_along_axis(changed, latest[None, ..., None], axis=0)[0]
assert np.allclose(found[earlier], expected[earlier]), (
    "Where the last date saw nothing, the one before it that did should count. "
    f"{np.mean(np.isclose(found[earlier], expected[earlier])):.0%} of the values agree. "
    "Hint: np.where(saw[..., None], day, newest), not an average."
)
assert np.all(found[~seen.any(axis=0)] == 0), (
    "Where no date saw anything, the composite should be 0. Hint: begin with zeros."
)
print(f"Right: {is_water(found, LIMIT)[there].mean():.0%} of the new reservoir is water now.")
newest = newest_seen(days, seen)[None]
known_once = any_date[None] & ~seen[:1]  # what date 1 did not see, and another did
print("Without the reservoir: newest ", end="")
print(f"{inside_psnr(newest, ~known_once):.1f} dB, median ", end="")
print(f"{inside_psnr(over_time, ~known_once):.1f} dB. News has its price: one day's brightness.")

# %% [markdown]
# ### Exercise 3: how many dates?
#
# If each date hides a pixel with probability $p$, and dates do not depend on each other, the share
# that has been seen after $n$ dates is $1 - p^n$. Write two functions: the number of dates that
# this **formula** asks for, and the number that a **simulation** needed. In `seen` the dates are
# in order; count how many it takes until the goal is reached.


# %% tags=["exercise"]
def dates_by_formula(p, goal):
    """The smallest n for which 1 - p ** n is at least the goal."""
    return ...


def dates_needed(seen, goal):
    """How many of the dates, from the first on, until that share of the pixels has been seen."""
    return ...


# %% tags=["solution"]
def dates_by_formula(p, goal):  # noqa: F811
    """The smallest n for which 1 - p ** n is at least the goal."""
    return int(np.ceil(np.log(1 - goal) / np.log(p)))


def dates_needed(seen, goal):  # noqa: F811
    """How many of the dates, from the first on, until that share of the pixels has been seen."""
    shares = np.logical_or.accumulate(seen, axis=0).mean(axis=(1, 2))
    return int(np.argmax(shares >= goal)) + 1


# %% tags=["check"]
for p, goal, right in ((0.5, 0.99, 7), (0.53, 0.99, 8), (0.2, 0.9, 2)):
    n = dates_by_formula(p, goal)
    assert n == right, (
        f"1 - {p} ** n reaches {goal} for the first time at n = {right}. You say {n!r}. "
        "Hint: p ** n <= 1 - goal; take logarithms (both are negative), and round up."
    )
toy = np.zeros((4, 1, 4), bool)
toy[[0, 1, 3], 0, [0, 1, 2]] = True
for goal, right in ((0.25, 1), (0.5, 2), (0.7, 4)):
    n = dates_needed(toy, goal)
    assert n == right, (
        f"In four dates that see pixels 1, 2, none, 3 of four, {goal:.0%} takes {right} dates. "
        f"You say {n!r}. Hint: a pixel counts if any of the dates so far saw it: "
        "np.logical_or.accumulate, or seen[:n].any(axis=0).mean()."
    )
draws = np.random.default_rng(SEED).random((40, 352, 232))
half_hidden = np.where(np.arange(232) < 116, 0.3, 0.7)  # clear plains, cloudy mountains
print(f"Right: with p = 0.5, the formula asks for {dates_by_formula(0.5, 0.99)} dates.")
print(f"Simulated, the same everywhere: {dates_needed(draws >= 0.5, 0.99)}.")
print("Hidden 30 % of the time in the plains, 70 % in the mountains: ", end="")
print(f"{dates_needed(draws >= half_hidden, 0.99)}. The mean of p is 0.5 in both.")
