# %% [markdown]
# # 07 · CNN inpainting
#
# **You will be able to**
#
# - repair a colour photograph with a network that comes with the package;
# - measure an invention where it was made, and see through figures that flatter;
# - train a U-Net to fill holes, and compare it with a fill that learns nothing;
# - predict from its receptive field where a network sees nothing, and what it answers there;
# - keep a hole from being taken for black paint, and choose a loss by the answer that it asks for.
#
# **You need** [tutorial 01](01_generation_and_restoration.ipynb), and [tutorial
# 05](05_cnn_denoising.ipynb) up to section 6.
#
# **Time** on two CPU cores: 4 minutes of computing, 75 minutes with reading and exercises.

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
# ## What may be put where nothing is known?
#
# Somebody has written over a photograph, and somebody has cut a square out of it:
#
# ![A cup of coffee with writing removed, and one with a square filled](attachment:cover)
#
# Both are repaired by the same network, which comes with this package. In the upper row you would
# believe it, in the lower row you would not. An eighth of the pixels is lost in both, so it is not
# the amount that makes the difference.
#
# **Inpainting**, to fill a hole, is to invent. When does an invention follow from what is known?

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
EPOCHS, TINY_EPOCHS, DIGIT_EPOCHS = 6, 5, 4
PIECES = 64  # of each photograph, in every epoch
DIGITS = 4000  # to learn from, in section 7
FILL_STEPS = 400  # of the fill that learns nothing
STEP = 1  # 1 takes every pixel of the colour photograph
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # a quick test: its figures mean nothing
    EPOCHS = TINY_EPOCHS = DIGIT_EPOCHS = 1
    FILTERS, PIECES, DIGITS, FILL_STEPS, STEP = 4, 4, 64, 20, 4

plt.rcParams["axes.titlesize"] = 14
keras.utils.set_random_seed(SEED)  # the same first weights, and so the same pictures, every time

# %% [markdown]
# ## 1. A repair in the first minute
#
# A picture with holes is written
#
# $$y = m \cdot x$$
#
# - $x$ is the clean picture, the ground truth, with values between 0 (black) and 1 (white);
# - $m$ is the **mask**: 1 at every pixel that is known, 0 inside the holes;
# - $y$ is the observed picture, 0 inside the holes.
#
# A 0 in $y$ may be a hole or black paint. So the network gets both: the mask travels behind the
# picture, as one more channel. `inpainter` has learned from 379 photographs in colour.

# %% tags=["cover"]
coffee = ki.load_example("coffee")[None, ::STEP, ::STEP]  # (1, 400, 600, 3)
test_digits = ki.load("digits", "test").take(300)


def handwriting(rows, columns):
    """True where ink lies: so many rows of digits, one beside the other."""
    digits = test_digits[: rows * columns].reshape(rows, columns, 28, 28)
    return digits.transpose(0, 2, 1, 3).reshape(28 * rows, 28 * columns, 1) > 0.35


def with_mask(pictures, known):
    """Observed pictures: the known pixels, and behind them the mask."""
    known = np.broadcast_to(known, (*pictures.shape[:-1], 1)).astype("float32")
    return np.concatenate([pictures * known, known], axis=-1)


def inside_psnr(clean, filled, observed):
    """PSNR of the missing pixels of all pictures together, in dB."""
    hidden = np.broadcast_to(observed[..., -1:] == 0, clean.shape)
    return float(10 * np.log10(1 / np.mean((clean[hidden] - filled[hidden]) ** 2)))


def panels(pairs, columns):
    """Pictures side by side, each below its title, which can be read from the last row."""
    lines, shape = len(pairs) // columns, pairs[0][1].shape
    size = (13.5, lines * (0.4 + 13.5 / columns * shape[1] / shape[2]))
    _, axes = plt.subplots(lines, columns, figsize=size, layout="constrained")
    for ax, (title, pictures) in zip(axes.ravel(), pairs, strict=True):
        ki.plotting.plot_images(pictures[:1], ax=ax)
        ax.set_title(title, fontsize=14)
    plt.show()


ink = handwriting(4, 7).repeat(3, axis=0).repeat(3, axis=1)
ink = np.pad(ink, ((32, 32), (6, 6), (0, 0)))[::STEP, ::STEP]
window = np.zeros(ink.shape, bool)
window[118 // STEP : 295 // STEP, 214 // STEP : 391 // STEP] = True  # as many pixels as the ink

inpainter = ki.load_pretrained("inpainter")
rows = {"written over": with_mask(coffee, ~ink), "cut out": with_mask(coffee, ~window)}
pairs = []
for name, observed in rows.items():
    print(f"{name:12} missing: {np.mean(observed[..., -1] == 0):.1%}")
    filled = inpainter.restore(observed)
    title = f"filled · {inside_psnr(coffee, filled, observed):.1f} dB inside"
    pairs += [(name, observed[..., :3]), (title, filled), ("clean", coffee)]
panels(pairs, columns=3)

# %% [markdown]
# To repair a photograph of your own, paint the damage white on black (the opposite of $m$) in a
# picture of its size, and call
# `keras-imgen restore inpainter old.png --mask mask.png --out filled`.
#
# ## 2. Measure where the invention is
#
# PSNR of the whole picture counts all known pixels as successes, though nobody did anything there.
# So measure inside the holes only:
#
# $$\mathrm{PSNR}_{\text{in}} = 10 \log_{10} \frac{1}{\mathrm{MSE}_{\text{in}}} \;\text{dB}, \qquad
# \mathrm{MSE}_{\text{in}} = \frac{1}{H} \sum_{i:\, m_i = 0} (x_i - \hat x_i)^2$$
#
# - $H$ is the number of missing pixels, and the sum runs over these alone;
# - $x_i$ is a clean pixel and $\hat x_i$ the one that was put in its place.
#
# If the known pixels are kept, all squared error lies inside, and it is divided by all $N$ pixels
# instead of by $H$. With the missing share $s = H / N$ this gives
#
# $$\mathrm{PSNR} = \mathrm{PSNR}_{\text{in}} + 10 \log_{10} \frac{1}{s}.$$
#
# For an eighth, the second term is 9 dB, **for nothing**.
#
# And a method is worth something only if it beats what costs nothing:
#
# - **The mean** of all known pixels, put into every hole.
# - **The harmonic fill.** Begin with the mean. Then replace each missing pixel by the average of
#   its four neighbours, again and again, while known pixels stay as they are:
#
# $$f_{i,j} \leftarrow \tfrac14 \big(f_{i-1,j} + f_{i+1,j} + f_{i,j-1} + f_{i,j+1}\big)
# \quad \text{wherever } m_{i,j} = 0$$
#
# where $f_{i,j}$ is the filled picture in row $i$ and column $j$. What is known creeps in from all
# sides, like heat into a cold plate, until each missing pixel *is* the mean of its neighbours: a
# solution of Laplace's equation, a **harmonic** function.
#
# **First predict**: by how many decibels will the network beat it on the writing?


# %%
def fill_mean(observed):
    """Fill the holes of each picture with the mean of its known pixels, colour by colour."""
    y, m = observed[..., :-1], observed[..., -1:]
    return y + (1 - m) * y.sum(axis=(1, 2), keepdims=True) / m.sum(axis=(1, 2), keepdims=True)


def fill_harmonic(observed, steps=FILL_STEPS):
    """Fill the holes with means of neighbours; one n pixels wide needs about n * n steps."""
    y, m = observed[..., :-1], observed[..., -1:]
    filled = fill_mean(observed)
    for _ in range(steps):
        f = np.pad(filled, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
        around = (f[:, :-2, 1:-1] + f[:, 2:, 1:-1] + f[:, 1:-1, :-2] + f[:, 1:-1, 2:]) / 4
        filled = y + (1 - m) * around
    return filled


observed = rows["written over"]
by_method = {"mean": fill_mean(observed), "harmonic fill": fill_harmonic(observed)}
by_method["network"] = inpainter.restore(observed)
gift = 10 * np.log10(1 / np.mean(observed[..., -1] == 0))
pairs = [("observed, a detail", observed[..., :3]), ("clean", coffee)]
for name, filled in by_method.items():
    whole = 10 * np.log10(1 / np.mean((coffee - filled) ** 2))
    inside = inside_psnr(coffee, filled, observed)
    print(f"{name:14} whole: {whole:.1f} dB   inside: {inside:.1f} dB   gift: {gift:.1f} dB")
    pairs.append((f"{name} · {inside:.1f} dB inside all holes", filled))
cut = rows["cut out"]
for name, fill in {"mean": fill_mean, "harmonic fill": fill_harmonic}.items():
    print(f"cut out, {name:13} inside: {inside_psnr(coffee, fill(cut), cut):.1f} dB")
detail = np.s_[:, 10 // STEP : 150 // STEP, 160 // STEP : 440 // STEP]
chosen = [pairs[i] for i in (0, 3, 4, 1)]  # without the mean
panels([(title, picture[detail]) for title, picture in chosen], columns=2)

# %% [markdown]
# On the writing the network is ahead, by half a decibel. On wood and saucer both fills are good.
# The rim of the cup shows who has learned something: the harmonic fill frays it, the network nearly
# continues it. But what was cut out it fills worse (9.4 dB) than both, even the mean: section 5
# says why. The harmonic fill will be harder to beat than you think.
#
# ## 3. A network of our own
#
# Now train one, on small grey pictures: nine photographs in pieces of 64 x 64, three others to test
# on, and holes of 12 x 12 pixels.
#
# How far must a network see? A DnCNN of $d$ layers sees $2d + 1$ pixels a side (tutorial 05), its
# **receptive field**. The **U-Net** halves the picture three times, so that one step on the
# coarsest level is 8 pixels wide. Then it doubles it again, and on each level a **skip connection**
# hands over the finer picture from the way down, because a halved one has lost its detail.
#
# Beside it stands a DnCNN of 4 layers. We measure both receptive fields: change one pixel, at eight
# places of such a step, and look which outputs move.

# %%
photos = ki.load("photos", size=64, crops=PIECES, batch_size=8, seed=SEED)
test_photos = ki.load("photos", "test", size=128, crops=0).take(3)
holed = np.asarray(ki.degradations.MissingBlocks(0.2, BLOCK, seed=SEED)(test_photos))

unet = ki.networks.unet(extra_channels=1, filters=FILTERS)  # extra_channels: the mask
tiny = ki.networks.dncnn(depth=4, extra_channels=1, filters=2 * FILTERS)


def field(network, place):
    """How many rows of the output move if the input changes at one place."""
    before = np.random.default_rng(SEED).random((1, 160, 160, 2)).astype("float32")
    after = before.copy()
    after[0, place, place] += 1.0
    moved = np.asarray(network(after)) != np.asarray(network(before))
    return int(moved.any(axis=(0, 2, 3)).sum())


for name, network in {"U-Net": unet, "tiny network": tiny}.items():
    sides = [field(network, place) for place in range(76, 84)]
    print(f"{name:13} {network.count_params():8,} weights   ", end="")
    print(f"receptive field: {min(sides)} to {max(sides)} pixels")

# %% [markdown]
# A `Restorer` degrades clean pictures anew in every step (tutorial 05 reads it line by line). New
# is the way from observed to restored:

# %%
print(inspect.getsource(ki.Restorer.call))

# %% [markdown]
# `restored = applied(...)` is $U(y, m)$, the U-Net's idea of the whole picture (its sides must be
# multiples of `self._multiple`), and `known` is $m$. The line below it fills only the holes:
#
# $$\hat x = m \cdot y + (1 - m) \cdot U(y, m)$$
#
# So the squared error between $\hat x$ and $x$ is 0 at all known pixels: the network learns to fill
# and nothing else.
#
# **About 60 seconds for the U-Net, 20 for the tiny network.** While the U-Net learns, we measure it
# after every epoch, on pieces of the nine photographs that it learns from and of the three others.


# %%
def learn(network, clean, epochs, peak=3e-3, share=0.2, loss="mse", callbacks=()):
    """Train a network to fill square holes; the learning rate rises, then falls to the end."""
    holes = ki.degradations.MissingBlocks(share, BLOCK, seed=SEED)
    model = ki.Restorer(network, holes, keep_known=True, seed=SEED)
    steps = epochs * len(clean)
    schedule = keras.optimizers.schedules.CosineDecay(
        peak / 20, steps - steps // 20, 0.01, warmup_target=peak, warmup_steps=steps // 20
    )
    model.compile(keras.optimizers.Adam(schedule), loss=loss)
    model.fit(clean, epochs=epochs, callbacks=list(callbacks), verbose=0)
    return model


pieces = {
    "the nine it learns from": ki.load("photos", size=64, crops=16).take(144),
    "the three others": ki.load("photos", "test", size=64, crops=48).take(144),
}
blocks = ki.degradations.MissingBlocks(0.2, BLOCK, seed=SEED + 1)
pieces = {name: (np.asarray(blocks(clean)), clean) for name, clean in pieces.items()}
to_beat = {name: inside_psnr(x, fill_harmonic(seen), seen) for name, (seen, x) in pieces.items()}
leads = {name: [] for name in pieces}


def measure(epoch, logs):
    """Note by how many decibels the U-Net is ahead of the harmonic fill."""
    for name, (seen, clean) in pieces.items():
        leads[name].append(inside_psnr(clean, np.asarray(unet(seen)), seen) - to_beat[name])


by_unet = learn(unet, photos, EPOCHS, callbacks=[keras.callbacks.LambdaCallback(None, measure)])

# %%
by_tiny = learn(tiny, photos, TINY_EPOCHS)


def pretrained(observed):
    """Fill grey pictures by the network of section 1: given as three equal colours."""
    in_colour = np.repeat(observed[..., :1], 3, axis=-1)
    return inpainter.restore(in_colour, known=observed[..., 1:]).mean(axis=-1, keepdims=True)


fills = {"mean": fill_mean, "tiny network": by_tiny.restore, "U-Net": by_unet.restore}
fills |= {"harmonic fill": fill_harmonic, "pretrained": pretrained}


def compare(title, observed, which, names):
    """One of the test photographs, filled in several ways; return the pairs for `panels`."""
    part, pairs = slice(which, which + 1), [(title, observed[which : which + 1, ..., :1])]
    for name in names:
        fill = fills[name]
        filled = fill(observed[part])
        inside = inside_psnr(test_photos[part], filled, observed[part])
        pairs.append((f"{name} · {inside:.1f} dB", filled))
    return pairs


print(f"inside holes of {BLOCK} x {BLOCK}, on the three test photographs:")
for name, fill in fills.items():
    print(f"{name:13} {inside_psnr(test_photos, fill(holed), holed):.1f} dB")
panels(compare("observed", holed, 2, ("U-Net", "harmonic fill", "pretrained")), columns=4)

# %% [markdown]
# The U-Net beats the network that cannot see far, and not the harmonic fill. In a hole of 12 pixels
# of a photograph, "neighbours agree" is most of what there is to know, and the harmonic fill knows
# it perfectly. The pretrained network beats them all, at this size.
#
# ## 4. Why does theirs win where ours does not?
#
# It has more of everything. **Photographs**: 379, ours has nine. **Time**: its training saw 1,047
# million pixels, ours 14 million. **Size**: nearly three times the weights. And another **start**:
# its first layer, which learns nothing, closes holes of up to 32 pixels, so that its convolutions
# see hardly any black.
#
# **First predict**: what does ours lack first? If photographs, it fails only on others than its
# nine; if anything else, on both.

# %%
figure, ax = plt.subplots(figsize=(9, 4.2), layout="constrained")
for (name, (seen, clean)), color in zip(pieces.items(), ("C0", "C1"), strict=True):
    theirs = inside_psnr(clean, pretrained(seen), seen) - to_beat[name]
    print(f"{name:24} U-Net {leads[name][-1]:+.1f} dB   pretrained {theirs:+.1f} dB")
    ax.plot(range(1, EPOCHS + 1), leads[name], "o-", color=color, label=f"U-Net, {name}")
    ax.axhline(theirs, ls="--", color=color, label=f"pretrained, {name}")
ax.axhline(0, color="k", lw=1)
ax.set(xlabel="epoch of our training", ylabel="lead over the harmonic fill, in dB")
ax.set_title("Who fills better than a fill that learns nothing?")
ax.legend(loc="lower right")
plt.show()

# %% [markdown]
# Ours fails on both. Even on the nine that it learns from it is behind a fill that learns nothing:
# more photographs would not help it there. First it lacks time, size or a better start; which of
# them, this does not tell (section 6 tries the start). On the others it is further behind. That
# proves no overfitting, which would widen the gap: it was widest after the first epoch. And leads
# on different photographs do not compare. The pretrained network knew none of the twelve.
#
# ## 5. Breaking it: larger holes
#
# Let the holes grow from 4 to 64 pixels a side, in a grid, so that *always exactly a quarter* of
# the picture is missing. Only the way from a missing pixel to the next known one changes.
#
# **First predict**: at which size does the tiny network fall behind the U-Net? It sees 9 pixels.


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
        steps = {"steps": FILL_STEPS * max(1, side // 16) ** 2} if fill is fill_harmonic else {}
        curves[name].append(inside_psnr(test_photos, fill(observed, **steps), observed))

print("side of the holes ", *(f"{side:5}" for side in sizes))
figure, ax = plt.subplots(figsize=(9, 4.4), layout="constrained")
for (name, values), style in zip(curves.items(), ("k:", "o-", "s-", "k--", "^-"), strict=True):
    print(f"{name:18}", *(f"{value:5.1f}" for value in values))
    ax.plot(sizes, values, style, label=name)
ax.set_xscale("log", base=2)
ax.set_xticks(sizes, sizes)
ax.set(xlabel="side of the holes in pixels", ylabel="PSNR inside, in dB")
ax.set_title("A quarter is missing, in many small or few large holes")
ax.legend()
plt.show()

of_32 = with_mask(test_photos, grid_of_holes(32))
panels(compare("holes of 32 x 32", of_32, 1, ("tiny network", "U-Net", "pretrained")), columns=4)

# %% [markdown]
# From 8 pixels on, all that look at neighbours fall. **Not how much is lost decides, but how far it
# is to the next known pixel.** At 4 our two networks are worse than at 8, presumably because they
# learned from holes of 12.
#
# - **The tiny network** keeps up with the U-Net to 8 pixels: its window of 9 still reaches
#   something known from everywhere. From 16 on it falls towards the mean.
# - **The U-Net** sees 70 pixels, but never had to look so far. A receptive field says what a
#   network *can* see, training says what it looks at.
# - **The pretrained network**: its first layer closes 32 pixels. In wider holes black is left in
#   the middle: in section 1, 177 are missing.
# - **The harmonic fill** knows no window. What is known creeps in however far it has to go: at 32
#   it ties with the pretrained network, at 64 it wins.
#
# The tiny network leaves flat grey squares. Where its window holds nothing known, it must give the
# same answer everywhere. Which one?

# %%
nothing_known = np.zeros((1, 32, 32, 2), "float32")
answer = float(np.asarray(by_tiny(nothing_known))[0, 16, 16, 0])
average = np.mean([photos[i][0].mean() for i in range(len(photos))])
print(f"answer of the tiny network where it sees nothing: {answer:.2f}")
print(f"mean of all training pictures:                    {average:.2f}")

# %% [markdown]
# Nobody told it this number. The squared error is smallest for the conditional mean $\mathbb{E}[x
# \mid y, m]$, the average of all that may be behind what is seen (tutorial 05). If nothing is seen,
# it is $\mathbb{E}[x]$: a flat grey. The honest answer: "I do not know".
#
# The tiny network has learned to give it, since it is blind in the middle of every hole of 12. The
# U-Net was never blind in training: what it puts into the middle of a large hole means nothing.
#
# ## 6. A hole is not black
#
# A convolution adds up all pixels of its window, and a pixel in a hole is a 0, like black paint.
# The pretrained network closes holes beforehand. Two other cures change the convolution:
#
# - A **partial convolution** adds up known pixels only, and makes up for the missing ones:
#   $$z = \frac{9}{\sum_a m_a} \sum_a w_a \, m_a \, y_a + b$$
#   where the sums run over the 9 places $a$ of the window. A place whose window holds nothing known
#   stays a hole for the next layer, so holes shrink from layer to layer.
# - A **gated convolution** computes, beside each number $z$, a second one $g$ with weights of its
#   own, and puts out $z \cdot \mathrm{sigmoid}(g)$. It *learns* what to let through.
#
# The weakness and the first cure, on a grey wall of 0.6 with a stroke missing:

# %%
stroked = np.asarray(ki.degradations.FreeFormHoles(0.2, seed=SEED)(test_photos))
mask = stroked[:1, ..., 1:]


def window_sums(pictures):
    """The sum over the 3 x 3 pixels around each."""
    wide = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    return sum(wide[:, i : i + 128, j : j + 128] for i in range(3) for j in range(3))


known = window_sums(mask)
pairs = [("a wall with a stroke, a detail", 0.6 * mask)]
pairs += [("plain 3 x 3 mean", window_sums(0.6 * mask) / 9)]
pairs += [("partial 3 x 3 mean", window_sums(0.6 * mask) / np.maximum(known, 1))]
for name, picture in pairs:
    values = np.unique(np.round(picture, 3))
    print(f"{name:31} {len(values):2} values, {values.min():.2f} to {values.max():.2f}")
panels([(name, picture[:, 50:110, 10:90]) for name, picture in pairs], columns=3)

# %% [markdown]
# The plain mean turns the rim of the hole into a gradient that was never there, and all later
# layers have to see through it. The partial one knows 0.6 or nothing, and its hole is thinner.
#
# Does it matter? The same U-Net, photographs, squares and epochs, with partial convolutions.
# **About 55 seconds.** Then both are tested on squares, on strokes of a brush, and on writing.

# %%
partial = ki.networks.unet(extra_channels=1, filters=FILTERS, convolution="partial")
by_partial = learn(partial, photos, EPOCHS)

written = with_mask(test_photos, ~np.pad(handwriting(4, 4), ((8, 8), (8, 8), (0, 0))))
cases = {"squares": holed, "strokes": stroked, "writing": written}
fills["partial"] = by_partial.restore
print("dB inside     ", *(f"{case:>9}" for case in cases))
for name in ("U-Net", "partial", "harmonic fill", "pretrained"):
    fill = fills[name]
    values = [inside_psnr(test_photos, fill(case), case) for case in cases.values()]
    print(f"{name:14}", *(f"{value:9.1f}" for value in values))
pairs = []
for name in ("strokes", "writing"):
    pairs += compare(f"{name}, a detail", cases[name], 0, ("U-Net", "partial"))
    pairs.append(("clean", test_photos))
panels([(name, pictures[:, :80, 48:]) for name, pictures in pairs], columns=4)

# %% [markdown]
# - **Squares and writing**: the partial convolution *gains*, or at worst nothing, for no more
#   weights. At every rim it starts from the right brightness. Over three values of `SEED` it gains
#   0.2 to 0.8 dB on squares and 0 to 1.5 on writing: this run shows the most.
# - **Strokes**: no clear gain. They are up to 20 pixels wide, wider than what both learned from.
#   Where nothing known is near, the convolution no longer matters.
# - Look at the pictures (the dB are of the whole photograph). Of the writing less is left. In the
#   strokes the partial convolution leaves outlines, dark streaks where the hole has closed, and,
#   enlarged, specks. The eye counts them more than a decibel.
# - The harmonic fill still beats both. Gated convolutions we leave to the paper.
#
# ## 7. When a network knows more
#
# On photographs, "neighbours agree" beats all that we have trained. So take pictures about which
# there is more to know: the same U-Net and holes, but **digits**. **About 40 seconds.**

# %%
digits = ki.load_arrays(ki.load("digits").take(DIGITS), seed=SEED)


def learn_digits(loss):
    """A U-Net that fills holes of 12 x 12 pixels in digits."""
    network = ki.networks.unet(extra_channels=1, filters=FILTERS)
    return learn(network, digits, DIGIT_EPOCHS, peak=2e-3, share=0.3, loss=loss)


by_digits = learn_digits("mse")

# %%
middle = np.ones((28, 28, 1))
middle[8:20, 8:20] = 0
lost = with_mask(test_digits, middle)
answers = {"12 x 12 lost": lost[..., :1] + 0.5 * (1 - lost[..., 1:])}
answers |= {"harmonic fill": fill_harmonic(lost), "U-Net of photographs": by_unet.restore(lost)}
answers |= {"U-Net of digits": by_digits.restore(lost), "clean": test_digits}


def enlarge(answers, chosen):
    """A few digits, large: a row for each, a column for each answer."""
    pairs = [(name, pictures[i : i + 1]) for i in chosen for name, pictures in answers.items()]
    panels(pairs, columns=len(answers))


for name in ("harmonic fill", "U-Net of photographs", "U-Net of digits"):
    print(f"{name:21} {inside_psnr(test_digits, answers[name], lost):.1f} dB inside")
enlarge(answers, chosen=(0, 3))

# %% [markdown]
# (Holes are drawn grey here, as black is paper.) The harmonic fill puts fog into the 0: white all
# around, so grey in the middle. So does the U-Net of photographs, for that is what photographs are
# like. The U-Net of digits knows that strokes run on and that paper is empty. It closes the ring,
# keeps the inside black, and is ahead by more than 2 dB. *This* is what a network can add:
# knowledge about its kind of pictures.
#
# The middle stroke of the 3 may run in several ways, and the answer is fog again: their mean.
#
# Finally, ask for what it has never seen: let the network of digits fill a photograph.

# %%
fills |= {"U-Net of photographs": by_unet.restore, "U-Net of digits": by_digits.restore}
print(f"U-Net of digits: {inside_psnr(test_photos, by_digits.restore(holed), holed):.1f} dB inside")
panels(compare("observed", holed, 1, ("U-Net of photographs", "U-Net of digits")), columns=3)

# %% [markdown]
# Its filling is further from the truth than the mean (12.2 dB), and nothing in it says so.
# It has put the white of strokes and the black of empty paper into a face. Knowledge about one kind
# of pictures is prejudice about another.
#
# ## 8. What the loss sees
#
# The fog in the 3 comes from the squared error, which asks for the *mean*. The **absolute error**,
# $|x - \hat x|$, asks for the **median**, the value with as many possible ones above as below it.
# For a pixel that is white in 4 of 10 possible pictures and black in 6, the mean is 0.4, a grey
# that is in none of them. The median is 0.
#
# So the same network with `loss="mae"`, the mean absolute error, should decide where the other one
# hedges. Call an answer *sure* if it is below 0.2 or above 0.8, and *wrong* if it is off by more
# than a half. **First predict**: which has the better PSNR, and which is more often sure and wrong?
# **About 40 seconds.**

# %%
by_absolute = learn_digits("mae")

# %%
answers = {"12 x 12 lost": answers["12 x 12 lost"]}
answers |= {"squared error": by_digits.restore(lost), "absolute error": by_absolute.restore(lost)}
answers["clean"] = test_digits
inside = np.broadcast_to(middle == 0, test_digits.shape)
for name in ("squared error", "absolute error"):
    filled = answers[name][inside]
    error, sure = np.abs(filled - test_digits[inside]), (filled < 0.2) | (filled > 0.8)
    print(f"{name:15} {inside_psnr(test_digits, answers[name], lost):.1f} dB", end="")
    print(f", mean absolute error {error.mean():.3f}, sure {sure.mean():.0%}", end="")
    print(f", sure and wrong {np.mean(sure & (error > 0.5)):.1%}")
enlarge(answers, chosen=(3, 8))

# %% [markdown]
# Each is the best by the figure that it was asked for. The second looks better than its PSNR, with
# less fog. But look at the 3: crisp, and without its middle stroke. Where the first network says
# "perhaps" in grey, the second more often decides (not always: the 5 is still grey), and is sure
# and wrong more than three times as often. **A loss decides what is done about doubt. It does not
# remove the doubt.** A crisp answer from many possible ones, drawn by chance instead of averaged,
# is what the generative networks of tutorials 02 and 04 are for.
#
# ## What to remember
#
# 1. The network needs $y$ and $m$: a black pixel may be paint or a hole.
# 2. Measure inside the holes. PSNR of the whole picture is $10
#    \log_{10}(1/s)$ dB higher for nothing.
# 3. Not how much is missing decides, but how far it is to the next known pixel.
# 4. Where nothing is seen, the best answer is the mean of all pictures. A flat grey is honest.
# 5. A network beats the harmonic fill by what it knows about its pictures, which is wrong for
#    others.
# 6. The squared error asks for the mean and hedges; the absolute error asks for the median. Crisp
#    is not true.
#
# ## You should see / if not
#
# Measured with three values of `SEED`, on two CPU cores:
#
# - **Coffee**: harmonic fill 23.4 dB, network 23.9; cut out 11.7 and 9.4. *If not*, and the strokes
#   are still black: 1 in the mask means known.
# - **Holes of 12**: tiny network 16.4 to 17.0 dB, U-Net 18.5 to 19.5, harmonic fill 19.7 to 20.2,
#   pretrained 20.3 to 21.4. *If not*, and the U-Net is below 17: did its training run to the end?
# - **Lead over the harmonic fill**: U-Net -0.6 to -0.4 dB on its own photographs, -1.3 to -1.0 on
#   others; pretrained +0.3 to +0.4 and +0.8 to +0.9.
# - **Holes of 32**: U-Net 12.7 to 16.6 dB, tiny network 13.3 to 13.4; **of 4**: 20.3 to 21.4 and
#   20.3 to 21.0.
# - **Nothing known**: 0.37 or 0.38, the mean 0.39. *If not*: `BLOCK` below 9 leaves no pixel out of
#   the tiny network's sight.
# - **Digits**: harmonic fill 7.4 dB, U-Net 10.2 to 10.3; with the absolute error 9.4 to 9.9, sure
#   and wrong 6.8 to 7.5 % in place of 1.8 to 2.0. *If not*, and all is fog: train for more epochs.
#
# ## Read on
#
# **In papers this is called.** The observed picture is masked or corrupted; to fill is also image
# completion; some write 1 for a hole in the mask. The harmonic fill is **harmonic inpainting**. It
# is called diffusion-based, after heat, and is no diffusion model.
#
# - D. Pathak and others, *Context Encoders*, 2016, [arXiv
#   1604.07379](https://arxiv.org/abs/1604.07379): large holes, and why squared error alone leaves
#   them blurred.
# - O. Ronneberger and others, *U-Net*, 2015, [arXiv
#   1505.04597](https://arxiv.org/abs/1505.04597).
# - G. Liu and others, *Image Inpainting for Irregular Holes Using Partial Convolutions*, 2018,
#   [arXiv 1804.07723](https://arxiv.org/abs/1804.07723).
# - J. Yu and others, *Free-Form Image Inpainting with Gated Convolution*, 2018, [arXiv
#   1806.03589](https://arxiv.org/abs/1806.03589).
# - D. Ulyanov and others, *Deep Image Prior*, 2017, [arXiv
#   1711.10925](https://arxiv.org/abs/1711.10925): a network that fills holes without any training
#   pictures.
#
# Digits: MNIST (Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0). Photographs: public domain or CC0
# (coffee: Rachel Michetti); the package's `assets/LICENSES.md` names all authors.
#
# ## Exercises
#
# Replace each `...`, run the cell, then the check below it.
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
    "Hint: the last formula of section 2, solved for the PSNR inside."
)
assert abs(found - 19.99) < 0.01, (
    f"33 dB with 5 % missing are 20.0 dB inside. Yours is {found:.2f} dB. "
    "Hint: inside is the lower one. share is 0.05, and log10 is not the natural logarithm."
)
whole = 10 * np.log10(1 / np.mean((test_photos - fill_harmonic(holed)) ** 2))
found = without_gift(whole, np.mean(holed[..., 1:] == 0))
expected = inside_psnr(test_photos, fill_harmonic(holed), holed)
assert abs(found - expected) < 0.01, (
    f"For the harmonic fill yours is {found:.2f} dB, measured are {expected:.2f} dB. "
    "Hint: use both arguments, no fixed numbers."
)
print(f"Right: 33 dB are {without_gift(33.0, 0.05):.1f} dB inside.")

# %% [markdown]
# ### Exercise 2: how much of a hole is out of sight?
#
# A DnCNN of `depth` layers looks into a square hole of `side` pixels. Some pixels of the hole have
# no known pixel at all in their window. **Predict their number** for any `side` and `depth`. The
# check measures it: it changes all that is known and counts the pixels whose answer does not move.


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
    outputs = np.asarray(by_tiny(with_mask(pictures, hole)))
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
# ### Exercise 3: two figures that cannot both be true
#
# Somebody trains on pictures with values from 0 to 255. One line of the log says: mean absolute
# error 6.65, PSNR 6.54 dB, both of the same pictures. Between which limits must PSNR lie if the
# mean absolute error is `mae` and values go from 0 to `largest`? Think of two extremes: all pixels
# are off by equally much, or few by `largest` and all others by nothing.


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
assert found[0] <= found[1], f"The lowest comes first. You return {found}. Hint: exchange them."
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
