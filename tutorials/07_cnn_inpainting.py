# %% [markdown]
# # 07 · CNN inpainting
#
# **You will be able to**
#
# - write a picture with holes as a formula, and tell a network where its holes are;
# - measure an invention where it was made, and see through figures that flatter;
# - train a U-Net to fill holes, and compare it with a fill that learns nothing;
# - predict from its receptive field where a network sees nothing, and what it answers there;
# - choose a loss by the answer that it asks for, and a convolution by the holes;
# - repair a damaged photograph with a network that comes with the package.
#
# **You need** [tutorial 01](01_generation_and_restoration.ipynb), and [tutorial
# 05](05_cnn_denoising.ipynb) up to section 6.
#
# **Time** on two CPU cores: 7 minutes of computing, 110 minutes with reading and exercises.

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
# ## What may be put where nothing is known?
#
# Somebody has written over a photograph, and somebody has cut a window out of it:
#
# ![A photograph with writing removed, and one with a large hole filled](attachment:cover)
#
# It is the same photograph, repaired by the same network. In the upper row you would believe it. In
# the lower row you would not. About an eighth of the pixels is lost in both, so it is not the
# amount that makes the difference.
#
# To fill a hole, or **inpainting**, is to invent. This notebook is about the difference between an
# invention that follows from what is known and one that does not.

# %% tags=["setup"]
import inspect
import os

import keras
import matplotlib.pyplot as plt
import numpy as np

import keras_imgen as ki

SEED = 0
BLOCK = 12  # side of the holes in training
FILTERS = 16  # of the U-Nets, at full resolution
EPOCHS, TINY_EPOCHS, DIGIT_EPOCHS = 8, 5, 4
PIECES = 64  # of each photograph, in every epoch
DIGITS = 4000  # to learn from, in section 9
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # a quick test: its figures mean nothing
    FILTERS = 4
    EPOCHS = TINY_EPOCHS = DIGIT_EPOCHS = 1
    PIECES, DIGITS = 4, 64

keras.utils.set_random_seed(SEED)  # the same first weights, and so the same pictures, every time

# %% [markdown]
# ## 1. A picture with holes
#
# A picture with holes is written
#
# $$y = m \cdot x$$
#
# - $x$ is the clean picture, with values between 0 (black) and 1 (white);
# - $m$ is the **mask**: 1 at every pixel that is known, 0 inside the holes;
# - $y$ is the observed picture, 0 inside the holes.

# %%
photos = ki.load("photos", size=64, crops=PIECES, batch_size=8, seed=SEED)  # nine, in pieces
test_photos = ki.load("photos", "test", size=128, crops=0).take(3)  # three others, whole

holes = ki.degradations.MissingBlocks(0.2, BLOCK, seed=SEED)
holed = np.asarray(holes(test_photos))
y, m = holed[..., :1], holed[..., 1:]
print("clean:", test_photos.shape, " observed:", holed.shape)
print("y = m x:", np.array_equal(y, m * test_photos))
print(f"missing: {np.mean(m == 0):.1%}")

figure, axes = plt.subplots(1, 3, figsize=(8, 3), layout="constrained")
ki.plotting.plot_images(test_photos[:1], title="clean  $x$", ax=axes[0])
ki.plotting.plot_images(m[:1], title="mask  $m$", ax=axes[1])
ki.plotting.plot_images(y[:1], title="observed  $m x$", ax=axes[2])
plt.show()

# %% [markdown]
# The degradation returns two channels: behind the picture travels its mask. Look at the coat in the
# right picture to see why. A 0 in $y$ may be a hole or it may be black cloth, and $y$ alone does
# not say which.

# %%
dark = test_photos[0] < 0.05
print(f"pixels of this photograph that are as good as black: {np.mean(dark):.1%}")

# %% [markdown]
# ## 2. Two fills that learn nothing
#
# A method is worth something if it beats what costs nothing. So begin with that.
#
# **The mean.** Put the average of all known pixels into every hole.
#
# **Diffusion.** Begin with the mean. Then replace each missing pixel by the average of its four
# neighbours, again and again, while known pixels stay as they are:
#
# $$f_{i,j} \leftarrow \tfrac14 \big(f_{i-1,j} + f_{i+1,j} + f_{i,j-1} + f_{i,j+1}\big)
# \quad \text{wherever } m_{i,j} = 0$$
#
# - $f_{i,j}$ is the filled picture in row $i$ and column $j$;
# - $\leftarrow$ reads "is replaced by".
#
# What is known creeps into the hole from all sides, like heat into a cold plate. It ends where each
# missing pixel *is* the mean of its neighbours. This is called **harmonic inpainting**.


# %%
def fill_mean(observed):
    """Fill the holes of each picture with the mean of its known pixels."""
    y, m = observed[..., :1], observed[..., 1:]
    mean = y.sum(axis=(1, 2, 3), keepdims=True) / m.sum(axis=(1, 2, 3), keepdims=True)
    return y + (1 - m) * mean


def fill_diffusion(observed, steps=400):
    """Fill the holes by diffusion; a hole of side s needs about s * s steps."""
    y, m = observed[..., :1], observed[..., 1:]
    filled = fill_mean(observed)
    for _ in range(steps):
        f = np.pad(filled, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
        around = (f[:, :-2, 1:-1] + f[:, 2:, 1:-1] + f[:, 1:-1, :-2] + f[:, 1:-1, 2:]) / 4
        filled = y + (1 - m) * around
    return filled


by_mean, by_diffusion = fill_mean(holed), fill_diffusion(holed)
residue = np.abs(by_diffusion - fill_diffusion(holed, 401)).max()
print(f"one more step changes no pixel by more than {residue:.0e}")

figure, axes = plt.subplots(1, 3, figsize=(8, 3), layout="constrained")
ki.plotting.plot_images(y[:1], title="observed", ax=axes[0])
ki.plotting.plot_images(by_mean[:1], title="mean", ax=axes[1])
ki.plotting.plot_images(by_diffusion[:1], title="diffusion", ax=axes[2])
plt.show()

# %% [markdown]
# ## 3. Measure where the invention is
#
# How good are they? PSNR of the whole picture counts all known pixels as successes, though nobody
# did anything there. So measure inside the holes only:
#
# $$\mathrm{MSE}_{\text{in}} = \frac{1}{H} \sum_{i:\, m_i = 0} (x_i - \hat x_i)^2, \qquad
# \mathrm{PSNR}_{\text{in}} = 10 \log_{10} \frac{1}{\mathrm{MSE}_{\text{in}}} \;\text{dB}$$
#
# - $H$ is the number of missing pixels, and the sum runs over these alone;
# - $x_i$ is a clean pixel and $\hat x_i$ the one that was put in its place.
#
# If the known pixels are kept, all squared error lies inside, and it is divided by all $N$ pixels
# instead of by $H$. With the missing share $s = H / N$ this gives
#
# $$\mathrm{PSNR} = \mathrm{PSNR}_{\text{in}} + 10 \log_{10} \frac{1}{s}.$$
#
# For $s = 0.2$ the second term is 7.0 dB, **for nothing**.


# %%
def inside_psnr(clean, filled, mask):
    """PSNR of the missing pixels of all pictures together, in dB."""
    hidden = mask == 0
    return float(10 * np.log10(1 / np.mean((clean[hidden] - filled[hidden]) ** 2)))


share = np.mean(m == 0)
gift = 10 * np.log10(1 / share)
for name, filled in {"mean": by_mean, "diffusion": by_diffusion}.items():
    whole = 10 * np.log10(1 / np.mean((test_photos - filled) ** 2))
    inside = inside_psnr(test_photos, filled, m)
    print(f"{name:10} whole: {whole:.1f} dB   inside: {inside:.1f} dB   ", end="")
    print(f"inside + gift of {gift:.1f} dB: {inside + gift:.1f} dB")

# %% [markdown]
# Diffusion gains 6 to 8 dB over the mean, by where the holes lie, and has never seen a picture.
# Remember its figure. It is the one to beat, and it will be harder than you think.

# %% [markdown]
# ## 4. Networks that see far, and one that does not
#
# A DnCNN of $d$ layers sees $2d + 1$ pixels a side (tutorial 05). In a hole larger than that, the
# pixels in the middle see nothing known. More layers help slowly: one pixel per layer.
#
# The **U-Net** goes another way. It halves the picture three times. On the coarsest level one step
# is 8 pixels wide, so a few layers look far. Then it doubles the picture again, and on each level a
# **skip connection** hands over the finer picture from the way down, because a halved picture has
# lost its detail.
#
# `extra_channels=1` makes room for the mask. Beside the U-Net we set a DnCNN of 4 layers, and
# measure both receptive fields: change one pixel and look which outputs move.

# %%
unet = ki.networks.unet(extra_channels=1, filters=FILTERS)
tiny = ki.networks.dncnn(depth=4, extra_channels=1, filters=2 * FILTERS, batch_norm=False)


def field(network, place):
    """How many rows of the output move if the input changes at one place."""
    before = np.random.default_rng(SEED).random((1, 160, 160, 2)).astype("float32")
    after = before.copy()
    after[0, place, place] += 1.0
    moved = np.asarray(network(after)) != np.asarray(network(before))
    return int(moved.any(axis=(0, 2, 3)).sum())


for name, network in {"U-Net": unet, "tiny": tiny}.items():
    sides = [field(network, place) for place in range(76, 84)]
    print(f"{name:6} {network.count_params():8,} weights   ", end="")
    print(f"receptive field: {min(sides)} to {max(sides)} pixels")

# %% [markdown]
# For the U-Net it depends a little on where a pixel lies on the coarse grid. For the tiny network
# it is 9, as $2 \cdot 4 + 1$ says.

# %% [markdown]
# ## 5. The training step
#
# A `Restorer` spoils clean pictures and hands `(observed, clean)` to Keras's own training step.
# Tutorial 05 reads it line by line. Here is what spoils, and below it what is new, the way from
# observed to restored pictures:

# %%
print(inspect.getsource(ki.Restorer.prepared))
print(inspect.getsource(ki.Restorer.call))

# %% [markdown]
# Line by line:
#
# - `prepared` turns clean pictures $x$ into the pair of $(y, m)$ and $x$, with holes at other
#   places in every step. Keras's step computes the answer, the loss and its gradient on this pair,
#   and moves the weights.
# - `restored = applied(self.network, observed, ...)` is $U(y, m)$, the U-Net's idea of the whole
#   picture. It gets both channels. (`applied` is for networks that take certain sides only; for
#   all others it is `self.network(observed)`.)
# - `known = observed[..., -1:]` is the mask $m$, the last channel.
# - The line below `known` puts the picture together. Known pixels stay as they are, and only holes
#   are filled:
#
# $$\hat x = m \cdot y + (1 - m) \cdot U(y, m)$$
#
# where $\hat x$ is the answer. It happens only with `keep_known=True`.
#
# Two consequences. The mean squared error between $\hat x$ and $x$ is 0 at all known pixels, so no
# weight is ever changed for their sake: the network learns to fill and nothing else. And the PSNR
# that Keras logs is that of the whole picture, with the gift of section 3.
#
# Check the formula.

# %%
inpainter = ki.Restorer(
    unet, ki.degradations.MissingBlocks(0.2, BLOCK, seed=SEED), keep_known=True, seed=SEED
)
by_formula = m * y + (1 - m) * np.asarray(unet(holed))
print(f"largest difference: {np.abs(np.asarray(inpainter(holed)) - by_formula).max():.0e}")
print("known pixels kept:", np.array_equal(np.asarray(inpainter(holed))[m == 1], y[m == 1]))

# %% [markdown]
# ## 6. Training
#
# The optimizer is that of tutorial 05: the learning rate rises quickly and then falls to the end.


# %%
def warm_up_and_rest(peak, steps):
    """Adam whose learning rate rises for a twentieth of the steps, then falls along a cosine."""
    schedule = keras.optimizers.schedules.CosineDecay(
        peak / 20,
        decay_steps=max(1, steps - steps // 20),
        warmup_target=peak,
        warmup_steps=steps // 20,
        alpha=0.01,
    )
    return keras.optimizers.Adam(schedule)


inpainter.compile(warm_up_and_rest(3e-3, steps=EPOCHS * len(photos)))

# %% [markdown]
# **About 60 seconds.** Watch the holes on a photograph that the network does not learn from: they
# turn from stains into smears that follow what is around them. The figures above the pictures are
# those of the whole picture.

# %%
history = inpainter.fit(
    photos,
    epochs=EPOCHS,
    callbacks=[ki.callbacks.BeforeAfter(test_photos, n=1)],
    verbose=0,
)

# %%
ki.plotting.plot_history(history)

# %% [markdown]
# The tiny network, in the same way. **About 20 seconds.**

# %%
short_sighted = ki.Restorer(
    tiny, ki.degradations.MissingBlocks(0.2, BLOCK, seed=SEED), keep_known=True, seed=SEED
)
short_sighted.compile(warm_up_and_rest(3e-3, steps=TINY_EPOCHS * len(photos)))
short_sighted.fit(
    photos,
    epochs=TINY_EPOCHS,
    callbacks=[ki.callbacks.BeforeAfter(test_photos, n=1)],
    verbose=0,
)

fills = {
    "mean": fill_mean,
    "diffusion": fill_diffusion,
    "tiny network": short_sighted.restore,
    "U-Net": inpainter.restore,
}
print(f"inside holes of {BLOCK} x {BLOCK}, a fifth missing:")
for name, fill in fills.items():
    print(f"{name:13} {inside_psnr(test_photos, fill(holed), m):.1f} dB")

figure, axes = plt.subplots(1, 4, figsize=(10, 2.9), layout="constrained")
shown = {"observed": y, "diffusion": by_diffusion, "U-Net": inpainter.restore(holed)}
for ax, (name, pictures) in zip(axes, (shown | {"clean": test_photos}).items(), strict=True):
    ki.plotting.plot_images(pictures[2:], title=name, ax=ax)
plt.show()

# %% [markdown]
# The U-Net beats the network that cannot see far. It does not beat diffusion. Both hide
# the holes in smooth parts, and both smear where a bright rim or a handle ran through.
#
# Is something wrong with the network? No. In a hole of 12 pixels of a photograph, "neighbours
# agree" is most of what there is to know, and diffusion knows it perfectly. Nine photographs and a
# minute of training hardly teach more, and do not even teach that as well. In section 9 we look for
# pictures about which there is more to know.
#
# One more test before we break it. Training saw squares only. Here somebody has **written** on the
# photographs: the holes are strokes of handwritten digits.

# %%
test_digits = ki.load("digits", "test").take(300)
lines = [np.concatenate(list(test_digits[i : i + 4]), axis=1) for i in range(0, 16, 4)]
writing = np.pad(np.concatenate(lines), ((8, 8), (8, 8), (0, 0))) > 0.3  # (128, 128, 1)


def with_mask(pictures, mask):
    """Observed pictures: the known pixels, and behind them the mask."""
    mask = np.broadcast_to(mask, (*pictures.shape[:-1], 1)).astype("float32")
    return np.concatenate([pictures * mask, mask], axis=-1)


written = with_mask(test_photos, ~writing)
unwritten = inpainter.restore(written)
print(f"missing: {np.mean(writing):.0%}")
for name, fill in fills.items():
    print(f"{name:13} {inside_psnr(test_photos, fill(written), written[..., 1:]):.1f} dB")

figure, axes = plt.subplots(1, 3, figsize=(8.5, 3.2), layout="constrained")
shown = {"written over": written[..., :1], "U-Net": unwritten, "clean": test_photos}
for ax, (name, pictures) in zip(axes, shown.items(), strict=True):
    ki.plotting.plot_images(pictures[1:2], title=name, ax=ax)
plt.show()

# %% [markdown]
# The writing is gone, and the face is back. The network has never seen a stroke in training. It
# need not, because the mask tells it what is missing, and no pixel of a stroke is far from a known
# one. For the same reason diffusion is ahead again.

# %% [markdown]
# ## 7. Breaking it: larger holes
#
# Now let the holes grow: 4, 8, 16, 32, 64 pixels a side. They are set in a grid, so that it is
# *always exactly a quarter* of the picture that is missing. Only how far a missing pixel lies from
# the next known one changes.
#
# **Guess first**: at which size does the tiny network fall behind the U-Net? It sees 9 pixels.


# %%
def grid_of_holes(side):
    """A mask of 128 x 128 pixels with square holes, a quarter of all pixels."""
    tile = np.ones((2 * side, 2 * side, 1))
    tile[side // 2 : side // 2 + side, side // 2 : side // 2 + side] = 0
    return np.tile(tile, (64 // side, 64 // side, 1))


sizes = [4, 8, 16, 32, 64]
curves = {name: [] for name in fills}
for side in sizes:
    observed = with_mask(test_photos, grid_of_holes(side))
    for name, fill in fills.items():
        options = {"steps": max(100, side**2)} if name == "diffusion" else {}
        filled = fill(observed, **options)
        curves[name].append(inside_psnr(test_photos, filled, observed[..., 1:]))

print("side of the holes ", *(f"{side:5}" for side in sizes))
for name, values in curves.items():
    print(f"{name:18}", *(f"{value:5.1f}" for value in values))
figure, ax = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
for (name, values), style in zip(curves.items(), ("k:", "k--", "o-", "s-"), strict=True):
    ax.plot(sizes, values, style, label=name)
ax.set_xscale("log", base=2)
ax.set_xticks(sizes, sizes)
ax.set(xlabel="side of the holes in pixels", ylabel="PSNR inside, in dB")
ax.set_title("A quarter is missing, in few large or many small holes")
ax.legend()
plt.show()

# %% [markdown]
# All fall, though the same quarter is missing everywhere. **Not how much is lost decides, but how
# far it is to the next known pixel.**
#
# - **Up to 8 pixels** the tiny network keeps up with the U-Net, within about a decibel, though it
#   has a fraction of the weights. Its window of 9 pixels still reaches something known from
#   everywhere.
# - **From 16 on** it does not, and falls towards the mean.
# - **The U-Net** sees 70 pixels and more, so it could use what lies around a hole of 64. But it has
#   met holes of 12, now and then two or three of them side by side, and it never had to look so
#   far. At 64 it is no better than the tiny network. A receptive field says what a network *can*
#   see, training says what it looks at.
# - **Diffusion** knows no window. What is known creeps in however far it has to go.
#
# Now look into one large hole. The error is measured at each **distance to the border**, the number
# of steps to the nearest known pixel.

# %%
side = 32
mask = grid_of_holes(side)
observed = with_mask(test_photos, mask)
fills_of_32 = {
    "diffusion": fill_diffusion(observed, steps=side**2),
    "tiny network": short_sighted.restore(observed),
    "U-Net": inpainter.restore(observed),
}
to_border = np.minimum(np.arange(1, side + 1), np.arange(side, 0, -1))
distance = np.zeros((2 * side, 2 * side))
distance[side // 2 : side // 2 + side, side // 2 : side // 2 + side] = np.minimum.outer(
    to_border, to_border
)
distance = np.tile(distance, (2, 2))  # 0 where known, 1 at the border, 16 in the middle

figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
steps = np.arange(1, side // 2 + 1)
for (name, filled), style in zip(fills_of_32.items(), ("k--", "o-", "s-"), strict=True):
    errors = [255 * np.sqrt(np.mean((filled - test_photos)[:, distance == d] ** 2)) for d in steps]
    spread = [255 * np.mean([np.std(picture[distance == d]) for picture in filled]) for d in steps]
    axes[0].plot(steps, errors, style, label=name)
    axes[1].plot(steps, spread, style, label=name)
    print(
        f"{name:13} error at the border: {errors[0]:.0f}, in the middle: {errors[-1]:.0f}", end=""
    )
    print(f", spread in the middle: {spread[-1]:.1f}")
axes[0].set(xlabel="distance to the border", ylabel="grey levels", title="root mean squared error")
axes[1].set(xlabel="distance to the border", title="spread of what was put there")
axes[0].legend()
plt.show()

figure, axes = plt.subplots(1, 4, figsize=(10, 2.9), layout="constrained")
shown = {"observed": observed[..., :1]} | fills_of_32
for ax, (name, pictures) in zip(axes, shown.items(), strict=True):
    ki.plotting.plot_images(pictures[1:2], title=name, ax=ax)
plt.show()

# %% [markdown]
# The **spread** is the standard deviation of the grey values that were put at this distance. That
# of the tiny network falls to 0. From the fifth step on, its window of 9 x 9 pixels holds nothing
# known, so it must give the same answer everywhere. Which one?

# %%
nothing_known = np.zeros((1, 32, 32, 2), "float32")
answer = float(np.asarray(short_sighted(nothing_known))[0, 16, 16, 0])
average = np.mean([photos[i][0].mean() for i in range(len(photos))])
print(f"answer of the tiny network where it sees nothing: {answer:.2f}")
print(f"mean of all training pictures:                    {average:.2f}")

# %% [markdown]
# Nobody told it this number. It has found the mean of all photographs by itself, because that is
# the best answer if you may give only one.
#
# In terms of tutorial 05: the squared error is smallest for the conditional mean $\mathbb{E}[x \mid
# y, m]$, the average of all that may be behind what is seen. If nothing is seen, nothing stands
# behind the bar, and the answer is $\mathbb{E}[x]$: a flat grey. This is the honest answer. It
# means "I do not know".
#
# The tiny network learnt to give it, since it is blind in the middle of every hole of 12. The U-Net
# was never blind in training. So in the middle of a large hole it does not fall back on the mean.
# It answers to a case that it has never met, and what comes out differs from one `SEED` to the
# next: an error of 70 to 93 there, where the flat mean has 75.

# %% [markdown]
# ## 8. Holes of any form
#
# Scratches, cracks and an eraser leave no squares. `FreeFormHoles` draws strokes, at any angle and
# of any width. To learn from them, nothing has to change but the degradation. Two changes of the
# *convolution* have been made for such holes, though, because a plain one has a weakness. It adds
# up all pixels of its window, and a pixel in a hole is a 0, like black paint.
#
# - A **partial convolution** adds up known pixels only, and makes up for the missing ones:
#
#   $$z = \frac{9}{\sum_a m_a} \sum_a w_a \, m_a \, y_a + b$$
#
#   where the sums run over the 9 places $a$ of the window. A place whose window holds nothing known
#   stays a hole for the next layer, so holes shrink from layer to layer.
# - A **gated convolution** computes, beside each number $z$, a second one $g$ with weights of its
#   own, and puts out $z \cdot \mathrm{sigmoid}(g)$: between nothing and all of $z$. It *learns*
#   what to let through.
#
# The weakness and the first cure, on a grey wall of 0.6 with a stroke missing:

# %%
strokes = ki.degradations.FreeFormHoles(0.2, seed=SEED)
stroked = np.asarray(strokes(test_photos))
wall = 0.6 * stroked[:1, ..., 1:]  # grey, and 0 in the strokes


def window_sums(pictures):
    """The sum over the 3 x 3 pixels around each."""
    wide = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    return sum(wide[:, i : i + 128, j : j + 128] for i in range(3) for j in range(3))


known = window_sums(stroked[:1, ..., 1:])
plain_mean = window_sums(wall) / 9
partial_mean = np.where(known > 0, window_sums(wall) / np.maximum(known, 1), 0.0)
figure, axes = plt.subplots(1, 3, figsize=(8.5, 3.2), layout="constrained")
shown = {"observed": wall, "plain 3 x 3 mean": plain_mean, "partial 3 x 3 mean": partial_mean}
for ax, (name, pictures) in zip(axes, shown.items(), strict=True):
    ki.plotting.plot_images(pictures, title=name, ax=ax)
    values = np.unique(np.round(pictures, 3))
    print(f"{name:19} {len(values):2} values, {values.min():.2f} to {values.max():.2f}")
plt.show()

# %% [markdown]
# The plain mean turns the rim of the hole into a gradient that was never there, and all later
# layers have to see through it. The partial one knows 0.6 or nothing, and its hole is thinner.
#
# Does it matter? Train the U-Net on strokes, with each of the three. The gated one has twice the
# weights. **Three times about 70 seconds.** Guess the order.


# %%
def learn_strokes(convolution):
    """A U-Net that has learnt to fill strokes."""
    model = ki.Restorer(
        ki.networks.unet(extra_channels=1, filters=FILTERS, convolution=convolution),
        ki.degradations.FreeFormHoles(0.2, seed=SEED),
        keep_known=True,
        seed=SEED,
    )
    model.compile(warm_up_and_rest(3e-3, steps=EPOCHS * len(photos)))
    model.fit(photos, epochs=EPOCHS, verbose=0)
    return model


by_kind = {"squares, plain": inpainter, "strokes, plain": learn_strokes("plain")}

# %%
by_kind["strokes, gated"] = learn_strokes("gated")

# %%
by_kind["strokes, partial"] = learn_strokes("partial")

# %% [markdown]
# Inside the holes, for three kinds of holes:

# %%
cases = {"squares": holed, "strokes": stroked, "writing": written}
print("learnt from         ", *(f"{case:>10}" for case in cases))
methods = {"diffusion": fill_diffusion} | {name: m.restore for name, m in by_kind.items()}
for name, fill in methods.items():
    values = [inside_psnr(test_photos, fill(case), case[..., 1:]) for case in cases.values()]
    print(f"{name:20}", *(f"{value:7.1f} dB" for value in values))

figure, axes = plt.subplots(1, 4, figsize=(10, 2.9), layout="constrained")
shown = {"observed": stroked[..., :1], "diffusion": fill_diffusion(stroked)}
shown |= {"strokes, partial": by_kind["strokes, partial"].restore(stroked), "clean": test_photos}
for ax, (name, pictures) in zip(axes, shown.items(), strict=True):
    ki.plotting.plot_images(pictures[:1], title=name, ax=ax)
plt.show()

# %% [markdown]
# Read it column by column, and remember that the figures are of three photographs only.
#
# - **Writing**: all who learnt from strokes beat the one that learnt from squares, the partial
#   convolution most clearly. Every pixel of thin holes has something known in its window, and the
#   partial convolution is the only one that starts from the right brightness there.
# - **Squares**: with an ordinary convolution it costs a few tenths of a decibel to have learned
#   from strokes; with the partial one nothing, rather a gain. Strokes of all widths prepare for
#   squares as well.
# - Look at the sky in the picture above: the partial convolution leaves **sparkles**, single bright
#   pixels where the last hole closed. No decibel counts them as much as the eye does.
# - **Strokes**: these grow more than 20 pixels wide, and nobody is clearly ahead. Where nothing
#   known is near, it no longer matters how a convolution treats it.
# - The **gated** one has gained nothing. It is made for what is lacking here: many pictures and
#   long training, in which its gates can learn more than the rule of the partial convolution. In a
#   minute a good rule beats good learning. Plain diffusion, which is all rule, still beats all
#   four.
#
# ## 9. When a network knows more
#
# On photographs, a fill that knows nothing but "neighbours agree" has won at every size. So take
# pictures about which there is much to know. The same U-Net, holes of the same size, but
# **digits**. **About 40 seconds.**

# %%
digits = ki.load_arrays(ki.load("digits").take(DIGITS), seed=SEED)
digit_inpainter = ki.Restorer(
    ki.networks.unet(extra_channels=1, filters=FILTERS),
    ki.degradations.MissingBlocks(0.3, BLOCK, seed=SEED),
    keep_known=True,
    seed=SEED,
)
digit_inpainter.compile(warm_up_and_rest(2e-3, steps=DIGIT_EPOCHS * len(digits)))
digit_inpainter.fit(
    digits,
    epochs=DIGIT_EPOCHS,
    callbacks=[ki.callbacks.BeforeAfter(test_digits, n=2)],
    verbose=0,
)

middle = np.ones((28, 28, 1))
middle[8:20, 8:20] = 0
observed = with_mask(test_digits, middle)
answers = {
    "12 x 12 pixels lost, shown grey": observed[..., :1] + 0.5 * (1 - observed[..., 1:]),
    "diffusion": fill_diffusion(observed),
    "the U-Net that learnt from photographs": inpainter.restore(observed),
    "the U-Net that learnt from digits": digit_inpainter.restore(observed),
    "clean": test_digits,
}
figure, axes = plt.subplots(5, 1, figsize=(7, 5), layout="constrained")
for ax, (name, pictures) in zip(axes, answers.items(), strict=True):
    if "learnt" in name or name == "diffusion":
        name += f" · {inside_psnr(test_digits, pictures, observed[..., 1:]):.1f} dB inside"
    ki.plotting.plot_images(pictures[:10], 10, name, ax=ax)
plt.show()

# %% [markdown]
# Diffusion fills a 0 with fog: white all around, so white in the middle. The network of photographs
# does the same, for that is what photographs are like. The network of digits knows that strokes run
# on and that paper is empty. It closes the ring, keeps the inside black, and is ahead of diffusion
# by more than 2 dB. *This* is what a network can add: knowledge about its kind of pictures.
#
# Look at the fourth digit, the 3. Its middle stroke may run in several ways, and the answer is fog
# again. That fog is their average, the conditional mean.
#
# Finally, ask each for what it has never seen: let the network of digits fill a photograph.

# %%
by_digits = digit_inpainter.restore(holed)
by_photos = inpainter.restore(holed)
for name, filled in {"learnt from photographs": by_photos, "learnt from digits": by_digits}.items():
    print(f"{name:24} {inside_psnr(test_photos, filled, m):.1f} dB inside")
figure, axes = plt.subplots(1, 3, figsize=(8.5, 3.2), layout="constrained")
ki.plotting.plot_images(y[1:2], title="observed", ax=axes[0])
ki.plotting.plot_images(by_photos[1:2], title="learnt from photographs", ax=axes[1])
ki.plotting.plot_images(by_digits[1:2], title="learnt from digits", ax=axes[2])
plt.show()

# %% [markdown]
# Its filling is no nearer to the truth than the mean of section 2, and nothing in it says so.
# Inside the face it has put the white of strokes, at the border the black of empty paper. Knowledge
# about one kind of pictures is prejudice about another.

# %% [markdown]
# ## 10. What the loss sees
#
# The fog has a cause, and it stands in `compile`. Nothing was said there, so the loss is the
# squared error, and its best answer is the *mean* of what may be behind the hole. The **absolute
# error**, $|x - \hat x|$, has another best answer: the **median**, the value with as many possible
# ones above as below it.
#
# For a pixel that is white in 4 of 10 possible pictures and black in 6, the mean is 0.4, a grey
# that is in none of them. The median is 0. By the formula:

# %%
possible = np.array([0.0] * 6 + [1.0] * 4)
answers = np.linspace(0.0, 1.0, 101)
for name, power in {"squared": 2, "absolute": 1}.items():
    errors = [np.mean(np.abs(possible - c) ** power) for c in answers]
    print(f"best answer by the {name} error: {answers[np.argmin(errors)]:.2f}")

# %% [markdown]
# So the same network, digits and holes with `loss="mae"`, the mean absolute error, should decide
# where the other one hedges. **About 40 seconds.** Which will have the better PSNR?

# %%
decided = ki.Restorer(
    ki.networks.unet(extra_channels=1, filters=FILTERS),
    ki.degradations.MissingBlocks(0.3, BLOCK, seed=SEED),
    keep_known=True,
    seed=SEED,
)
decided.compile(warm_up_and_rest(2e-3, steps=DIGIT_EPOCHS * len(digits)), loss="mae")
decided.fit(digits, epochs=DIGIT_EPOCHS, verbose=0)

observed = with_mask(test_digits, middle)
inside = np.broadcast_to(middle == 0, test_digits.shape)
by_loss = {
    "squared error": digit_inpainter.restore(observed),
    "absolute error": decided.restore(observed),
    "clean": test_digits,
}
figure, axes = plt.subplots(3, 1, figsize=(7, 3.1), layout="constrained")
for ax, (name, pictures) in zip(axes, by_loss.items(), strict=True):
    grey = np.mean((pictures[inside] > 0.2) & (pictures[inside] < 0.8))
    print(f"{name:15} {grey:4.0%} of the missing pixels neither black nor white", end="")
    if name != "clean":
        absolute = np.mean(np.abs(pictures - test_digits)[inside])
        print(f"; {inside_psnr(test_digits, pictures, observed[..., 1:]):.1f} dB", end="")
        print(f", mean absolute error {absolute:.3f}", end="")
    print()
    ki.plotting.plot_images(pictures[:10], 10, name, ax=ax)
plt.show()

# %% [markdown]
# Each is the best by the figure that it was asked for: the squared error has the higher PSNR, the
# absolute error the smaller mean absolute error. And the second row looks better than its PSNR. It
# has less fog, about a third of its pixels instead of more than half (clean digits have a sixth, at
# the rims of strokes).
#
# It has not become wiser, though. Where the first network says "perhaps a stroke" in grey, the
# second says "a stroke" or "none", and where that is wrong it is altogether wrong. Of the last but
# one, a 5, neither makes anything. **A loss decides what is done about doubt. It does not remove
# the doubt.** A sharp answer from many possible ones, drawn by chance instead of averaged, is what
# the generative networks of tutorials 02 and 04 are for.
#
# ## 11. An old photograph
#
# Now a repair as people want it. A photograph has lain in a drawer: folded twice, a corner torn
# off, scratched, and grainy. The damage is made here, so that the truth is known.

# %%
old_photo = ki.load("photos", "test", size=256, crops=0).take(1)
rng = np.random.default_rng(SEED)
rows, columns = np.indices((256, 256))
scratches = np.asarray(ki.degradations.FreeFormHoles(0.05, strokes=7, seed=5)(old_photo))[..., 1:]
folds = (np.abs(rows - 141 - 0.03 * columns) < 2.0) | (np.abs(columns - 97 + 0.05 * rows) < 1.6)
corner = rows + 1.3 * columns > 520 + 6 * np.sin(rows / 5)
torn = corner[None, ..., None]
mask = scratches * ~folds[None, ..., None] * ~torn  # 1 = known
grain = 10 / 255 * rng.normal(size=old_photo.shape)
damaged = np.clip(mask * (old_photo + grain) + (1 - mask) * 0.97, 0.0, 1.0).astype("float32")
print(f"missing: {np.mean(mask == 0):.1%}, torn off: {np.mean(torn):.1%}")

# %% [markdown]
# Two networks come with the package, trained for longer on more photographs than a notebook can:
# `inpainter` for holes in colour pictures, and `denoiser-gray` for noise. First the holes, then
# the grain. (The other way round the denoiser would smear the white scratches.) The grey picture is
# given to the inpainter as three equal colours.

# %%
in_colour = np.repeat(damaged, 3, axis=-1)
filled = ki.load_pretrained("inpainter").restore(in_colour, known=mask).mean(-1, keepdims=True)
repaired = ki.load_pretrained("denoiser-gray").restore(filled)

diffused = fill_diffusion(np.concatenate([damaged * mask, mask], axis=-1), steps=2000)
scratched = np.where(torn, 1.0, mask)  # 0 where something is missing that is not torn off
print("inside                scratches and folds   torn corner   whole picture")
for name, pictures in {
    "damaged": damaged,
    "diffusion": diffused,
    "inpainter": filled,
    "... and denoiser-gray": repaired,
}.items():
    figures = [inside_psnr(old_photo, pictures, part) for part in (scratched, ~torn)]
    print(f"{name:21} {figures[0]:16.1f} dB {figures[1]:10.1f} dB", end="")
    print(f" {float(ki.metrics.psnr(old_photo, pictures)[0]):12.1f} dB")

figure, axes = plt.subplots(2, 2, figsize=(8.5, 8.8), layout="constrained")
shown = {
    "damaged": damaged,
    "mask, painted by hand": mask,
    "repaired": repaired,
    "clean": old_photo,
}
for ax, (name, pictures) in zip(axes.ravel(), shown.items(), strict=True):
    if name in ("damaged", "repaired"):
        name += f" · {float(ki.metrics.psnr(old_photo, pictures)[0]):.1f} dB"
    ki.plotting.plot_images(pictures, title=name, ax=ax)
plt.show()

# %% [markdown]
# - **Scratches and folds** are narrow, and the network is ahead of diffusion: it has learnt from
#   photographs how edges run on.
# - **The torn corner** it fills no better than diffusion, rather worse. Nobody knows what was
#   there. Both lay out what borders on it, and at a glance one does not see that it is
#   invented. If the photograph matters, leave the corner white, or say what was done.
# - **Most decibels of the whole picture** come from the denoiser. Its grain was everywhere.
#
# For a photograph of your own, paint the damage white on black in any program (the mask above the
# other way round), in a picture of the same size, and let the command do both steps:
#
# ```sh
# keras-imgen restore inpainter old.png --mask mask.png --out filled
# keras-imgen restore denoiser-color filled/old.png --out repaired
# ```

# %% [markdown]
# ## 12. Two inventions at a glance

# %% tags=["cover"]
cut = np.ones((128, 128, 1))
cut[42:86, 42:86] = 0  # as many pixels as the writing hides
cut_out = with_mask(test_photos, cut)
rows = {
    "written over": (1, written, unwritten),
    "cut out": (1, cut_out, inpainter.restore(cut_out)),
}
figure, axes = plt.subplots(2, 3, figsize=(8, 5.7), layout="constrained")
for line, (name, (which, observed, restored)) in zip(axes, rows.items(), strict=True):
    clean, seen, filled = (x[which : which + 1] for x in (test_photos, observed, restored))
    inside = inside_psnr(clean, filled, seen[..., 1:])
    ki.plotting.plot_images(seen[..., :1], title=name, ax=line[0])
    ki.plotting.plot_images(filled, title=f"filled · {inside:.1f} dB inside", ax=line[1])
    ki.plotting.plot_images(clean, title="clean", ax=line[2])
plt.show()

# %% [markdown]
# ## What to remember
#
# 1. $y = m \cdot x$, and the network needs both, $y$ and $m$: a black pixel may be paint or a hole.
# 2. $\hat x = m \cdot y + (1 - m) \cdot U(y, m)$. Measure inside the holes. With a share $s$
#    missing, PSNR of the whole picture is $10 \log_{10}(1/s)$ dB higher for nothing.
# 3. Not how much is missing decides, but how far it is to the next known pixel.
# 4. Where nothing is seen, the best answer is the mean of all pictures. A flat grey is honest.
# 5. A network beats plain diffusion by what it knows about its pictures. The same knowledge is
#    wrong for others.
# 6. The squared error asks for the mean and hedges; the absolute error asks for the median and
#    decides. Neither knows which picture it was.

# %% [markdown]
# ## You should see / if not
#
# Measured with three values of `SEED`, on two CPU cores:
#
# - **Holes of 12**: mean 12.2 to 13.3 dB, tiny network 16.6 to 17.2, U-Net 18.9 to 19.5, diffusion
#   19.7 to 20.2. *If not*, and the U-Net is below 17: was the cell with the schedule run, directly
#   before `fit`?
# - **Writing**: tiny network 19.3 to 20.9 dB, U-Net 20.4 to 21.1, diffusion 23.8. *If not*, and the
#   strokes are still black: 1 in the mask means known, so the writing must be 0.
# - **Larger holes**: U-Net from 21.3 to 21.9 dB at 4 down to 14.7 to 16.4 at 32 and 11.3 to 13.1 at
#   64; tiny network 20.8 to 21.2 at 8, and 16.4 to 16.7 at 16. *If not*, and both curves agree
#   everywhere: were both networks trained?
# - **Nothing known**: the answer 0.38 to 0.39, the mean 0.39. *If not*: `BLOCK` below 9 leaves no
#   pixel out of the tiny network's sight, so it never learns what to answer there.
# - **Strokes**: on writing, 20.4 to 21.1 dB learnt from squares and 21.9 to 22.5 with partial
#   convolutions. *If not*, and all rows agree: does each U-Net get its own `convolution`?
# - **Digits**: diffusion 7.4 dB, the network of digits 10.1 to 10.3. On photographs, the network of
#   digits reaches 9.2 to 12.2 dB inside the holes of section 1. *If not*, and its digits are fog:
#   train it for more epochs.
# - **Loss**: absolute error 9.3 to 9.8 dB, with 35 or 36 % of the pixels neither black nor white;
#   squared error 57 to 61 %. *If not*, and both agree: `loss="mae"` belongs into `compile`.
# - **The old photograph**: inside scratches and folds 23.6 to 23.7 dB by diffusion, 24.4 by the
#   inpainter, 24.8 at the end; the whole picture 32.0. *If not*, and it is white where the damage
#   was: 1 in the mask means known.
# - **Time**: within twice the seconds that are given. *If not*, other programs are running; the
#   figures stay valid.
#
# With a graphics card, raise `EPOCHS` to 40, `PIECES` to 256 and `FILTERS` to 32. Nine photographs
# are few for that: load a folder of your own with `ki.load_folder`.
#
# ## Read on
#
# - D. Pathak and others, *Context Encoders*, 2016, [arXiv
#   1604.07379](https://arxiv.org/abs/1604.07379): large holes, and why squared error alone leaves
#   them grey.
# - O. Ronneberger and others, *U-Net*, 2015, [arXiv
#   1505.04597](https://arxiv.org/abs/1505.04597): halvings and skip connections, on eight pages.
# - G. Liu and others, *Image Inpainting for Irregular Holes Using Partial Convolutions*, 2018,
#   [arXiv 1804.07723](https://arxiv.org/abs/1804.07723): the mask inside of every layer.
# - J. Yu and others, *Free-Form Image Inpainting with Gated Convolution*, 2019, [arXiv
#   1806.03589](https://arxiv.org/abs/1806.03589): the gate that is learned.
# - D. Ulyanov and others, *Deep Image Prior*, 2018, [arXiv
#   1711.10925](https://arxiv.org/abs/1711.10925): a network that fills holes without any training
#   pictures.
#
# The digits are from MNIST (Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0). The photographs are in
# the public domain or CC0; the package's `assets/LICENSES.md` names their authors.

# %% [markdown]
# ## Exercises
#
# Replace each `...` and run the cell, then the check below it. The check prints `Right`, or says
# what it found and gives a hint.
#
# ### Exercise 1: take back the gift
#
# A paper fills holes that make up 5 % of each picture, keeps all known pixels, and reports 33 dB
# for the whole picture. How good is the filling itself? Write it for any figures.


# %% tags=["exercise"]
def without_gift(whole, share):
    """PSNR inside the holes, in dB, from that of the whole picture and the missing share."""
    return ...


# %% tags=["solution"]
def without_gift(whole, share):  # noqa: F811
    """PSNR inside the holes, in dB, from that of the whole picture and the missing share."""
    return whole - 10 * np.log10(1 / share)


# %% tags=["check"]
found = without_gift(33.0, 0.05)
assert isinstance(found, (int, float, np.number)), (
    f"without_gift should return one number. It returned {found!r}. "
    "Hint: the last formula of section 3, solved for the PSNR inside."
)
assert abs(found - 19.99) < 0.01, (
    f"33 dB with 5 % missing are 20.0 dB inside. Yours is {found:.2f} dB. "
    "Hint: subtract 10 log10(1 / share); share is 0.05, and log10 is not the natural logarithm."
)
whole = 10 * np.log10(1 / np.mean((test_photos - by_diffusion) ** 2))
found, expected = without_gift(whole, share), inside_psnr(test_photos, by_diffusion, m)
assert abs(found - expected) < 0.01, (
    f"For the diffusion of section 2 yours is {found:.2f} dB, measured are {expected:.2f} dB. "
    "Hint: use both arguments, no fixed numbers."
)
print(f"Right: 33 dB are {without_gift(33.0, 0.05):.1f} dB inside.")

# %% [markdown]
# ### Exercise 2: how much of a hole is out of sight?
#
# A DnCNN of `depth` layers looks into a square hole of `side` pixels, with known pixels all around
# it. Some pixels of the hole have no known pixel at all in their window. **Predict their number**,
# with pencil and paper, for any `side` and `depth`. The check measures it: it changes all that is
# known and counts the pixels in the hole whose answer does not move.


# %% tags=["exercise"]
def out_of_sight(side, depth):
    """How many pixels of a hole see nothing known."""
    return ...


# %% tags=["solution"]
def out_of_sight(side, depth):  # noqa: F811
    """How many pixels of a hole see nothing known."""
    return max(0, side - 2 * depth) ** 2  # all that lie more than depth steps from the border


# %% tags=["check"]
for side in (20, 11, 6):
    predicted = out_of_sight(side, 4)
    assert isinstance(predicted, (int, float, np.number)), (
        f"out_of_sight should return a number. It returned {predicted!r}. "
        "Hint: a window of 2 d + 1 pixels reaches d pixels to every side."
    )
    hole = np.ones((64, 64, 1))
    hole[20 : 20 + side, 20 : 20 + side] = 0
    pictures = np.random.default_rng(1).random((9, 64, 64, 1)).astype("float32")
    outputs = np.asarray(short_sighted(with_mask(pictures, hole)))
    still = np.abs(outputs - outputs[:1]).max(axis=0) < 1e-7
    counted = int(np.sum(still & (hole == 0)))
    assert predicted == counted, (
        f"Side {side}, 4 layers: you predict {predicted}, measured are {counted}. Hint: from each "
        "border of the hole, `depth` pixels inwards still see something. What remains is a square, "
        "or nothing if the hole is small."
    )
assert out_of_sight(32, 16) == 0, "16 layers see into the middle of a hole of 32. Use `depth`."
assert out_of_sight(40, 7) == 676, "Side 40 and 7 layers should give 26 * 26. Use `depth`."
print("Right: in a hole of 20 x 20, 144 of 400 pixels are out of the tiny network's sight.")

# %% [markdown]
# ### Exercise 3: a scratch
#
# A scratch runs across the photographs along the diagonal: in row $i$ the columns $i - 2$ to $i +
# 2$ are lost, as far as they lie inside the picture. Make the mask (128 x 128 x 1, 1 = known) and
# let the U-Net repair the scratch. `with_mask` and `inpainter.restore` are at hand.
#
# Think first: in section 7, holes of 4 and 8 pixels were filled at the figures of the table. Will a
# scratch of 5 pixels, as long as the picture, be nearer to those or to those of a hole of 64?

# %% tags=["exercise"]
scratch = ...  # shape (128, 128, 1): the last axis is the channel
repaired = ...  # the three test photographs

# %% tags=["solution"]
rows, columns = np.indices((128, 128))
scratch = (np.abs(rows - columns) > 2)[..., None].astype("float32")
repaired = inpainter.restore(with_mask(test_photos, scratch))

# %% tags=["check"]
assert getattr(scratch, "shape", None) == (128, 128, 1), (
    f"scratch should have the shape (128, 128, 1). Found {getattr(scratch, 'shape', scratch)!r}. "
    "Hint: begin with np.ones((128, 128, 1)) and set a part of each row to 0."
)
lost = int(np.sum(np.asarray(scratch) == 0))
assert lost < 8000, f"The scratch hides {lost} pixels. Hint: 1 in the mask means known, 0 lost."
assert lost == 634, (
    f"The scratch hides {lost} pixels, it should hide 634: five in each row, fewer at both ends. "
    "Hint: a slice ends before its second number, and a negative first number counts from the end."
)
assert np.all(np.diagonal(scratch[..., 0]) == 0), "The scratch is not on the diagonal."
assert getattr(repaired, "shape", None) == test_photos.shape, (
    f"repaired should have the shape {test_photos.shape}. "
    f"Found {getattr(repaired, 'shape', repaired)!r}. Hint: inpainter.restore(with_mask(...))."
)
observed = with_mask(test_photos, scratch)
known = observed[..., 1:] == 1
assert np.allclose(np.asarray(repaired)[known], test_photos[known]), (
    "Known pixels have changed. Hint: 1 in the mask means known."
)
assert np.allclose(repaired, inpainter.restore(observed), atol=1e-4), (
    "The scratch was not filled by the U-Net. Hint: inpainter.restore(with_mask(...))."
)
print("Right. Inside the scratch:")
print(f"diffusion {inside_psnr(test_photos, fill_diffusion(observed), observed[..., 1:]):.1f} dB")
print(f"U-Net     {inside_psnr(test_photos, repaired, observed[..., 1:]):.1f} dB")
print("Long, but nowhere wide: no pixel of it is more than three steps from a known one.")
ki.plotting.plot_before_after(observed[:1], repaired[:1], test_photos[:1])

# %% [markdown]
# ### Exercise 4: two figures that cannot both be true
#
# A widely read example trains a network on pictures with values from 0 to 255. One line of its log
# says: mean absolute error 6.65, PSNR 6.54 dB. Both are of the same pictures.
#
# Between which limits must PSNR lie if the mean absolute error is `mae` and values go from 0 to
# `largest`? Think of the two extremes. If all pixels are off by equally much, what is the mean
# squared error? And if few pixels are off by as much as possible, by `largest`, and all others are
# right?


# %% tags=["exercise"]
def possible_psnr(mae, largest):
    """The lowest and the highest PSNR, in dB, that go with a mean absolute error."""
    return ...


# %% tags=["solution"]
def possible_psnr(mae, largest):  # noqa: F811
    """The lowest and the highest PSNR, in dB, that go with a mean absolute error."""
    # A share mae / largest of the pixels off by `largest` makes an MSE of mae * largest.
    return 10 * np.log10(largest / mae), 20 * np.log10(largest / mae)


# %% tags=["check"]
found = possible_psnr(6.65, 255)
assert np.shape(found) == (2,), (
    f"possible_psnr should return two numbers. It returned {found!r}. "
    "Hint: PSNR is 10 log10(largest^2 / MSE); put in the largest and the smallest possible MSE."
)
trials = np.random.default_rng(0)
for largest in (1.0, 255.0):
    for share in (1.0, 0.3, 0.01):  # of the pixels are off, by `off`
        for off in (0.1 * largest, largest):
            errors = off * (np.arange(10_000) < 10_000 * share)
            psnr = 10 * np.log10(largest**2 / np.mean(errors**2))
            low, high = possible_psnr(np.mean(errors), largest)
            assert low - 1e-6 <= psnr <= high + 1e-6, (
                f"{share:.0%} of the pixels off by {off:g} of {largest:g} have a PSNR of "
                f"{psnr:.1f} dB. You say {low:.1f} to {high:.1f}. Hint: the mean of squares lies "
                "between mae * mae and mae * largest."
            )
low, high = found
assert np.allclose(found, (15.84, 31.67), atol=0.01), (
    f"The limits can be reached, so they are 15.84 and 31.67 dB for 6.65 of 255. Yours are "
    f"{low:.2f} and {high:.2f}. Hint: all off by mae, or a share mae / largest off by largest."
)
print(
    f"Right: {low:.1f} to {high:.1f} dB. With a mean absolute error of 6.65, 6.54 dB is impossible."
)
print("One of the two figures is wrong, and to know it takes neither the code nor the pictures.")
