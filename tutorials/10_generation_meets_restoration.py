# %% [markdown]
# # 10 · Generation meets restoration
#
# **You will be able to**
#
# - say why an observed picture never tells its clean one, and what a prior adds;
# - read the slope of a probability off a denoiser, and check it where it is known;
# - fill holes with a denoiser in eight lines, and read the library's way line by line;
# - test an adjoint with one dot product;
# - say which wrong answers a fit gives away, and which it does not;
# - choose between a denoiser and a generator as a prior.
#
# **You need** [tutorial 01](01_generation_and_restoration.ipynb), sections 2 and 7, and [tutorial
# 06](06_what_a_denoiser_knows.ipynb), sections 1 and 2.
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
# ## What else can a denoiser do?
#
# The network behind this picture has learned one thing: to take white noise off photographs. Nobody
# showed it a hole, a shaken camera or a small picture. Above is what it was given, below what it
# made of it, with weights that nobody touched:
#
# ![A cup with missing pixels, blurred, and small; below each, restored](attachment:cover)
#
# Where does it know the rest of the cup from? Write down a guess. It takes generation and
# restoration together to answer.

# %% tags=["setup"]
import inspect
import os
import warnings

import keras
import matplotlib.pyplot as plt
import numpy as np

import keras_imgen as ki

SEED = 0
SIDE, LARGE = 160, 192  # of the photographs
PASSES = 12  # how often the denoiser is asked
STEPS = 150  # of the search for latents
EPOCHS = 8  # of the generator of digits
NUM_DIGITS, HALVES = None, 40  # to learn from: all 4,000; to complete
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # a quick test: its figures mean nothing
    SIDE, LARGE, PASSES, STEPS, EPOCHS, NUM_DIGITS, HALVES = 48, 48, 2, 2, 1, 64, 8

plt.rcParams["axes.titlesize"] = 9
keras.utils.set_random_seed(SEED)  # the same first weights, and so the same pictures, every time

# %% [markdown]
# ## 1. The answer first
#
# What happens to a picture $x$ is written
#
# $$y = F x + n, \qquad n_i \sim \mathcal{N}(0, \sigma^2)$$
#
# - $F$ is what was done to it, the **forward operator**: hide pixels, blur, shrink. It is *linear*:
#   $F(a + b) = F a + F b$;
# - $n$ is the noise behind it, and $y$ what was observed.
#
# Here is everything that the call needs: the picture, and the name of what happened to it. **About
# 15 seconds.**

# %% tags=["cover"]
denoiser = ki.load_pretrained("denoiser-color")
degradations = ki.degradations


def with_noise(degradation, sigma=2 / 255):
    """The degradation, and then white noise, by default of 2 grey levels."""
    return degradations.Compose([degradation, degradations.AdditiveNoise(sigma, seed=SEED)])


def observe(degradation, pictures):
    """What is left of the pictures, in their own channels."""
    return np.asarray(degradation(pictures))[..., : pictures.shape[-1]]


def psnr(clean, pictures):
    """PSNR of each picture, in dB; what lies outside [0, 1] is cut off, as on a screen."""
    return np.asarray(ki.metrics.psnr(clean, np.clip(pictures, 0, 1)))


def show(ax, pictures, title):
    """One picture below its title."""
    ki.plotting.plot_images(np.clip(pictures[:1], 0, 1), title=title, ax=ax)


photos = ki.load("photos", "test", channels=3).take(2)[:, :LARGE, :LARGE]
cat, cup = photos[:1], photos[1:]
damages = {
    "80 % missing": degradations.MissingPixels(0.8, seed=SEED),
    "camera moved": with_noise(degradations.MotionBlur(11, angle=30)),
    "a ninth of the pixels": degradations.Downsample(3),
}
figure, axes = plt.subplots(2, 3, figsize=(7.6, 5.4), layout="constrained")
for (name, damage), (above, below) in zip(damages.items(), axes.T, strict=True):
    restored = denoiser.undo(np.asarray(damage(cup)), damage, passes=PASSES)
    show(above, observe(damage, cup), f"{name} · {psnr(cup, observe(damage, cup))[0]:.1f} dB")
    show(below, restored, f"restored · {psnr(cup, restored)[0]:.1f} dB")
plt.show()

# %% [markdown]
# ## 2. Many pictures fit
#
# An observed picture does not determine its clean one. Two examples. To the cup we add fine
# stripes, 20 grey levels up and down: blur averages them away. And where pixels are missing, we put
# in a cat.

# %%
rows = np.arange(LARGE)[:, None, None]
stripes = 20 / 255 * (-1.0) ** rows * np.sin(np.pi * (rows + 0.5) / LARGE)  # faint at the border
blur = degradations.Blur(1.6).operator().forward
seen = observe(damages["80 % missing"], np.ones_like(cup))
pairs = {
    "with stripes": (cup + stripes.astype("float32"), blur),
    "a cat in the holes": (seen * cup + (1 - seen) * cat, lambda x: seen * x),
}
figure, axes = plt.subplots(1, 4, figsize=(10.4, 3), layout="constrained")
for (name, (other, forward)), pair in zip(pairs.items(), (axes[:2], axes[2:]), strict=True):
    gap = 255 * np.abs(np.asarray(forward(other)) - np.asarray(forward(cup))).max()
    print(f"{name:18} {psnr(cup, other)[0]:5.1f} dB; degraded, the largest difference is ", end="")
    print(f"{gap:.2f} grey levels")
    show(pair[0], other, name)
    show(pair[1], np.asarray(forward(other)), "... and degraded")
plt.show()

# %% [markdown]
# Both fit what was observed as well as the truth does. That neither *is* the truth you know from
# elsewhere: from what photographs look like. With Bayes's rule, as in tutorial 01,
#
# $$-\log p(x \mid y) = \underbrace{\frac{1}{2 \sigma^2} \lVert F x - y \rVert^2}_{\text{fit}}
# \; \underbrace{- \log p(x)}_{\text{prior}} \; + \; \text{constant}$$
#
# The **fit** is about this camera and knows no pictures. The **prior** is about pictures and knows
# no camera. So one prior serves every $F$, and a generator is a prior, by definition. What has that
# to do with a denoiser?
#
# ## 3. What a denoiser knows of the prior
#
# Trained for the smallest squared error, a denoiser answers with the conditional mean $D(y) =
# \mathbb{E}[x \mid y]$. Let $p_\sigma(y)$ be how probable the *noisy* pictures are:
# $p_\sigma(y) = \int p(x) \, \mathcal{N}(y; x, \sigma^2) \, dx$. Its slope goes under the integral,
# where the slope of the normal distribution is itself times $(x - y) / \sigma^2$. Divided by
# $p_\sigma(y)$, that is a mean over $p(x \mid y)$:
#
# $$D(y) - y = \sigma^2 \, \nabla \log p_\sigma(y)$$
#
# This is **Tweedie's formula**: *what a denoiser changes points to where pictures are more
# probable, and is the longer the steeper it gets.* Check it where all is known: "pictures" of one
# pixel, which is -1 or +1, each half of the time. On one side of the formula stand means over
# 400,000 drawn pairs, on the other the slope of $\log p_\sigma$, by differences.

# %%
rng = np.random.default_rng(SEED)
sigma, grid = 0.7, np.linspace(-2.5, 2.5, 51)
log_density = np.log(sum(np.exp(-((grid - x) ** 2) / (2 * sigma**2)) for x in (-1, 1)))
slope = sigma**2 * np.gradient(log_density, grid)
x = rng.choice([-1.0, 1.0], 400_000)
y = x + sigma * rng.normal(size=x.shape)
bins = np.digitize(y, (grid[1:] + grid[:-1]) / 2)
correction = np.array([np.mean(x[bins == i] - y[bins == i]) for i in range(len(grid))])
inner = slice(5, -5)
print(f"largest difference between -2 and 2: {np.abs(correction - slope)[inner].max():.3f}")

figure, axes = plt.subplots(1, 2, figsize=(9.6, 3.5), layout="constrained")
density = np.exp(log_density)
axes[0].plot(grid, density, color="grey")
arrow = {"arrowstyle": "->", "color": "C0", "linewidth": 1.5}
for i in range(5, 46, 4):
    to = grid[i] + correction[i]
    axes[0].annotate(
        "", (to, np.interp(to, grid, density)), (grid[i], density[i]), arrowprops=arrow
    )
axes[0].set(xlabel="noisy pixel y", ylabel="density, up to a factor", title="denoising goes uphill")
axes[1].plot(grid, slope, label="sigma^2 times the slope of log p")
axes[1].plot(grid[inner], correction[inner], "o", markersize=4, label="mean of x, minus y")
axes[1].set(xlabel="noisy pixel y", ylabel="correction", title="Tweedie's formula")
axes[1].legend()
plt.show()

# %% [markdown]
# The arrows lead from a noisy value to what is made of it: towards the two peaks. For photographs
# nobody knows $p(x)$. But a denoiser knows its slope, at every noise level that it was trained for.
# That is all that the prior term above needs to be walked downhill. (The denoisers of the package
# were trained for the absolute error: for them the formula holds nearly.)
#
# ## 4. Plug and play, by hand
#
# So let the two terms take turns. For holes: put the known pixels back (fit), denoise (prior), and
# again. The noise level given begins at 49 of 255, as the fill is very wrong at first, and falls to
# 2. **First predict**: will it matter what the holes are filled with at the beginning?
#
# The first beginning is the mean of the known pixels. The second is the **harmonic fill** of
# tutorial 07, here as the solution of linear equations, found by **conjugate gradients**: ten lines
# that solve any $A x = b$ if $A$ is symmetric and positive, and only ever *apply* $A$.


# %%
def solve(function, right, steps=60):
    """Conjugate gradients: the x for which function(x) is `right`."""
    x, rest, way, left = np.zeros_like(right), right, right, np.sum(right**2)
    for _ in range(steps):
        turned = function(way)
        length = left / np.sum(way * turned)
        x, rest = x + length * way, rest - length * turned
        before, left = left, np.sum(rest**2)
        if left < 1e-9:
            break
        way = rest + left / before * way
    return x


def bend(z):
    """By how much each pixel differs from its four neighbours, summed up."""
    f = np.pad(z, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    return 4 * z - f[:, :-2, 1:-1] - f[:, 2:, 1:-1] - f[:, 1:-1, :-2] - f[:, 1:-1, 2:]


def smooth_fill(y, known, function=bend, steps=60):
    """Fill holes so that function(x) is 0 in them."""
    hidden = 1 - known
    return y + solve(lambda z: hidden * function(hidden * z), -hidden * function(y), steps)


def plug_and_play(z, y, known, passes=PASSES):
    """Fill holes by turns: known pixels put back, denoised, at a level that falls."""
    answers = [z]
    for level in np.geomspace(49, 2, passes) / 255:
        z = known * y + (1 - known) * z
        z = denoiser.restore(z.astype("float32"), level=level)
        answers.append(known * y + (1 - known) * z)
    return answers


known = seen[..., :1]
y = known * cup
mean = y.sum(axis=(1, 2), keepdims=True) / known.sum()
starts = {"mean": y + (1 - known) * mean, "harmonic": smooth_fill(y, known)}
films = {name: plug_and_play(start, y, known) for name, start in starts.items()}

figure, axes = plt.subplots(2, 4, figsize=(8.4, 4.7), layout="constrained")
for (name, film), line in zip(films.items(), axes, strict=True):
    for ax, i in zip(line, (0, 1, PASSES // 2, PASSES), strict=True):
        show(ax, film[i], f"{name if i == 0 else f'pass {i}'} · {psnr(cup, film[i])[0]:.1f} dB")
plt.show()

# %% [markdown]
# It does. From the smooth beginning the picture gains. From the mean, the white specks of the rim
# stand to the end: the denoiser has taken them for a texture, and keeps it. It leads uphill to the
# *nearest* summit of $\log p$, and there are many.
#
# ## 5. The library's way
#
# `denoiser.undo` is the same for every $F$. Here are its core lines.

# %%
undone = ki.Restorer.undo.__globals__["undone"]
nearest_fit, adjoint = (undone.__globals__[name] for name in ("nearest_fit", "adjoint"))
lines = inspect.getsource(undone).splitlines()
first = next(i for i, line in enumerate(lines) if line.strip().startswith("if start is None"))
last = next(i for i, line in enumerate(lines) if "ops.clip" in line)
print("\n".join(line[4:] for line in lines[first:last]))
print("\n".join(inspect.getsource(nearest_fit).splitlines()[2:]))

answer = denoiser.undo(y, known=known, passes=PASSES)
print(f"\nby hand {psnr(cup, films['harmonic'][-1])[0]:.2f} dB, undo {psnr(cup, answer)[0]:.2f} dB")

# %% [markdown]
# - **Start**: the smoothest picture that fits, nearly our harmonic fill.
# - **Levels**: evenly in their logarithm, from `FIRST` = 49/255 down to `LAST` = 2/255, or to the
#   noise if it is stronger.
# - **Prior**: `denoise`, on pictures that are `level` wrong.
# - **Fit**: not "put known pixels back" but the nearest picture that fits,
#
#   $$z = \arg\min_z \; \lVert F z - y \rVert^2 + w \, \lVert z - x \rVert^2, \qquad
#   w = 0.23 \, (\sigma / \text{level})^2$$
#
#   where $x$ is the last answer. The weight $w$ grows as the level falls: at first the observation
#   counts, in the end the prior has its say. (Without noise, $\sigma$ is that of rounding.)
#
# The trick has a name: **half-quadratic splitting**. $x$ in the two terms of section 2 is split
# into $z$ for the fit and $x$ for the prior, held together by a spring of strength $w$. Any
# denoiser can be plugged in: **plug and play**.
#
# For a mask the minimum is a *weighted mean*, $z = (m \, y + w \, x) / (m + w)$: set the derivative
# $2 m (m z - y) + 2 w (z - x)$ to 0, with $m^2 = m$. For any other $F$ it reads
#
# $$(F^\top F + w) \, z = F^\top y + w \, x$$
#
# where $F^\top$ is the **adjoint** of $F$, in matrices the transpose: that for which
# $\langle F a, b \rangle = \langle a, F^\top b \rangle$ for *all* $a$ and $b$. Nobody writes down
# these matrices: conjugate gradients only apply them, and the library takes $F^\top$ from the
# slopes through $F$. Draw $a$ and $b$ at random, and the **dot-product test** finds nearly every
# mistake.

# %%
near, w = rng.random(y.shape).astype("float32"), 0.3
hide = lambda z: known * z
pull = adjoint(hide, y)
difference = nearest_fit(hide, pull, pull(y), near, w) - (known * y + w * near) / (known + w)
print(f"weighted mean: largest difference {np.abs(difference).max():.0e}\n")

print("                  <F a, b>    <a, F' b>   <a, F b>")
a, b = rng.normal(size=(2, 1, 48, 48, 1)).astype("float32")
for damage in (
    degradations.Blur(1.6),
    degradations.MotionBlur(11, angle=30),
    degradations.Downsample(3),
):
    forward = damage.operator().forward
    sums = [np.sum(p * q) for p, q in ((forward(a), b), (a, adjoint(forward, a)(b)))]
    print(f"{type(damage).__name__:15}", *(f"{value:11.4f}" for value in sums), end="")
    print(f"{np.sum(a * forward(b)):11.4f}")

# %% [markdown]
# The first two columns agree to the digits that numbers of 32 bits have. The last one takes $F$
# itself for its adjoint, as one is tempted to with a blur whose kernel is symmetric: that is right
# for this blur, and wrong for the other two: of the motion because of its mirrored border.
#
# ## 6. Four tasks, each beside the method that is made for it
#
# One network against four specialists that learned nothing, on three photographs: cup, tower, cat.
# Where a specialist has a number to choose, it is the best one for four other photographs, with the
# truth at hand.
#
# - **Missing pixels** (70 %): a **biharmonic fill**, the surface that bends least.
# - **Blur** of 1.6 pixels, noise of 2 grey levels: the Wiener filter of tutorial 16.
# - **Enlarging** twice: bicubic, which is what is observed here, and the same sharpened by an
#   unsharp mask.
# - **A camera's mosaic**, one colour per pixel: **bilinear**, the mean of the nearest neighbours of
#   that colour, and the same for the *differences* to green.
#
# **First predict**: where does the denoiser win most, and where does it hardly win? **About 40
# seconds.**


# %%
def wiener(y, k, sigma=1.6, pad=16):
    """Divide by the blur, frequency by frequency; beyond its border a picture is mirrored."""
    y = np.pad(y, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="symmetric")
    v, u = np.fft.fftfreq(y.shape[1])[:, None, None], np.fft.fftfreq(y.shape[2])[:, None]
    h = np.exp(-2 * (np.pi * sigma) ** 2 * (u**2 + v**2))  # the blur's own Fourier transform
    x = np.fft.ifft2(np.fft.fft2(y, axes=(1, 2)) * h / (h**2 + k), axes=(1, 2)).real
    return x[:, pad:-pad, pad:-pad].astype("float32")


def unsharp(y, amount):
    """Add what a blur takes away, `amount` times."""
    return y + amount * (y - np.asarray(degradations.Blur(1.0)(y)))


def around(x):
    """Sums over 3 x 3 pixels with the weights 1, 2, 1 in both directions."""
    f = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    f = f[:, :-2] + 2 * f[:, 1:-1] + f[:, 2:]
    return f[:, :, :-2] + 2 * f[:, :, 1:-1] + f[:, :, 2:]


def bilinear(y, seen):
    """Each missing colour is the mean of its nearest known neighbours."""
    return np.where(seen > 0, y, around(y * seen) / around(seen))


def by_differences(y, seen):
    """Green first, then red and blue as what they differ from green."""
    green = bilinear(y, seen)[..., 1:2]
    return green + bilinear(y - green, seen) * np.array([1, 0, 1], "float32")


tower = ki.load_example("tower")[None, 100 : 100 + SIDE, 100 : 100 + SIDE]
clean = np.concatenate([cup[:, :SIDE, -SIDE:], tower, cat[:, :SIDE, :SIDE]])
others = ki.load("photos", size=128, crops=0, channels=3).take(4)


def best(values, method, degradation):
    """The value with which a method does best on four other photographs."""
    observed = observe(degradation, others)
    return max(values, key=lambda value: np.mean(psnr(others, method(observed, value))))


tasks = {
    "holes": degradations.MissingPixels(0.7, seed=SEED),
    "blur": with_noise(degradations.Blur(1.6)),
    "enlarging": degradations.Downsample(2),
    "mosaic": degradations.Mosaic(),
}
y = {task: observe(damage, clean) for task, damage in tasks.items()}
one, m = observe(tasks["mosaic"], np.ones_like(clean)), np.asarray(tasks["holes"](clean))[..., 3:]
k = best((0.1, 0.03, 0.01, 0.003, 0.001), wiener, tasks["blur"])
amount = best((0.25, 0.5, 0.75, 1.0, 1.5, 2.0), unsharp, tasks["enlarging"])
sharpened = unsharp(y["enlarging"], amount)
bent = np.clip(smooth_fill(y["holes"], m, lambda z: bend(bend(z)), steps=100), 0, 1)
classical = {
    "holes": {"biharmonic fill": bent.astype("float32")},
    "blur": {"as it is": y["blur"], f"Wiener, k {k}": wiener(y["blur"], k)},
    "enlarging": {"bicubic": y["enlarging"], f"sharpened by {amount}": sharpened},
    "mosaic": {"bilinear": bilinear(y["mosaic"], one)},
}
classical["mosaic"]["by differences"] = by_differences(y["mosaic"], one)
answers = {n: denoiser.undo(np.asarray(d(clean)), d, passes=PASSES) for n, d in tasks.items()}
print("PSNR in dB                     cup   tower     cat")
for task, methods in classical.items():
    rows = methods | {"denoiser": answers[task]}
    if task == "holes":
        start = methods["biharmonic fill"]
        rows["denoiser from it"] = denoiser.undo(y[task], known=m, start=start, passes=PASSES)
    for name, pictures in rows.items():
        print(f"{task:10} {name:16}", *(f"{value:7.1f}" for value in psnr(clean, pictures)))

forward = tasks["blur"].operator().forward
pull = adjoint(forward, y["blur"])
step = nearest_fit(forward, pull, pull(y["blur"]), 0 * y["blur"], k)
gap = 255 * np.std(step - wiener(y["blur"], k))
print(f"\nWiener filter and a data step from a black picture differ by {gap:.2f} grey levels")

# %%
figure, axes = plt.subplots(4, 4, figsize=(7.2, 7.9), layout="constrained")
for line, (task, which) in zip(
    axes, {"holes": 1, "blur": 0, "enlarging": 2, "mosaic": 1}.items(), strict=True
):
    name, by_rule = list(classical[task].items())[-1]
    shown = {task: y[task], name: by_rule, "denoiser": answers[task], "clean": clean}
    for ax, (title, pictures) in zip(line, shown.items(), strict=True):
        one_picture = slice(which, which + 1)
        if title != "clean":
            title += f" · {psnr(clean, pictures)[which]:.1f} dB"
        show(ax, pictures[one_picture, 20:116, 20:116], title)
figure.suptitle("PSNR of the whole picture, of which a part is shown", fontsize=12)
plt.show()

# %% [markdown]
# - **The mosaic** is where the denoiser wins most, by 2 to 5 dB: the three colours of a pixel know
#   much about each other, and it has learned what.
# - **Blur and enlarging**: half a decibel to two, and on the tower's fine pattern hardly anything.
#   The last line says why not more: the Wiener filter *is* the data step, taken once, with a black
#   picture for the prior's answer.
# - **Missing pixels**: two decibels on the tower, one on the cup, none on the cat. Begun *from* the
#   biharmonic fill it is not worse than that anywhere. Where neighbours tell nearly everything, a
#   few lines of linear equations are hard to beat.
#
# There are better specialists: networks trained for one task, and for mosaics better formulas. None
# of them does all four.
#
# ## 7. Breaking it: tell it something wrong
#
# All this rests on $F$. Our file holds the cup in grey, blurred by 1.6 pixels, rounded to 8 bits.
# Tell `undo` other numbers. Then add noise of 8 grey levels, and say nothing of it. At the end
# `undo` degrades its answer once more, and warns if it differs from what was observed by more than
# three times the noise. **First predict**: which of the lies will it notice?

# %%
by_grey = ki.load_pretrained("denoiser-gray")
grey = clean[:1].mean(axis=-1, keepdims=True)
sharp = np.round(255 * observe(degradations.Blur(1.6), grey)) / np.float32(255)  # as a file has it
noisy = observe(with_noise(degradations.Blur(1.6), 8 / 255), grey)


told = {f"blur {s}": (sharp, degradations.Blur(s)) for s in (1.2, 1.6, 2.0, 2.4)}
told["no noise"] = noisy, degradations.Blur(1.6)
told["noise of 8"] = noisy, with_noise(degradations.Blur(1.6), 8 / 255)
figure, axes = plt.subplots(2, 4, figsize=(8.4, 4.8), layout="constrained")
show(axes[0, 0], sharp, f"observed, blur 1.6 · {psnr(grey, sharp)[0]:.1f} dB")
show(axes[1, 1], noisy, f"noise of 8 · {psnr(grey, noisy)[0]:.1f} dB")
places = [*axes[0, 1:], axes[1, 0], *axes[1, 2:]]
messages = []
print("told            PSNR   does not fit by")
for ax, (name, (observed, damage)) in zip(places, told.items(), strict=True):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        answer = by_grey.undo(observed, damage, passes=PASSES)
    warned = [str(w.message) for w in heard if str(w.message).startswith("An answer")]
    rest = 255 * np.std(np.asarray(damage.operator().forward(answer)) - observed)
    value, messages = psnr(grey, answer)[0], messages + warned
    show(ax, answer, f"told {name} · {value:.1f} dB")
    print(f"{name:11} {value:5.1f} dB   {rest:4.1f} grey levels{'   WARNED' if warned else ''}")
plt.show()
print(*messages[:1])

# %% [markdown]
# - **Too little blur** (1.2): less sharp than possible, and no harm done.
# - **Too much** rings: beside each edge runs a second one. At 2.4 `undo` notices: nothing that it
#   found looks, blurred by 2.4, like the file. At 2.0 the answer is already *worse than doing
#   nothing*, and it fits: no warning. **What does not fit is wrong. What fits may be wrong, too**:
#   many pictures fit.
# - **Noise that is not told** is blown up until nothing else is left, and noticed. Told, the answer
#   misses the observation by just under 8 grey levels, as it should: to fit better is to fit noise.
#
# So try several blurs, and take the largest without second edges.
#
# ## 8. A map of what was invented
#
# Missing pixels are invented, all of them; some are safe guesses. `return_std=True` asks for the
# answer in all eight positions, turned and mirrored, and returns their mean and their **spread**, a
# standard deviation at every pixel. It shows where the network is unsure. By how much it is wrong
# has to be calibrated: `ErrorBars` makes the spread longer until the errors of 90 % of the missing
# pixels lie within it (its **coverage**), on pictures whose truth is known: our four others. What
# it then covers must be counted on pictures that it has not seen.
#
# The second row is another damage: blocks of 16 pixels. **First predict** whether its bars hold.
# **About 30 seconds.**

# %%
kinds = {"pixels": tasks["holes"], "blocks": degradations.MissingBlocks(0.3, 16, seed=SEED)}


def in_all_positions(damage, pictures):
    """Pictures, their answer, how far the eight answers differ, and 1 where a pixel was missing."""
    observed = np.asarray(damage(pictures))
    y, known = observed[..., :3], observed[..., 3:]
    options = {"known": known, "passes": PASSES // 2, "return_std": True}
    start = np.clip(smooth_fill(y, known), 0, 1).astype("float32")
    return pictures, *denoiser.undo(y, start=start, **options), 1 - known


bars = ki.metrics.ErrorBars(0.9).fit(*in_all_positions(tasks["holes"], others))
print(f"nine errors of ten lie within {bars.scale:.0f} spreads")
figure, axes = plt.subplots(2, 4, figsize=(8.8, 4.4), layout="constrained")
for line, (name, damage) in zip(axes, kinds.items(), strict=True):
    truth, answer, std, hidden = in_all_positions(damage, clean)
    each = [bars.covered(*(x[i : i + 1] for x in (truth, answer, std, hidden))) for i in range(3)]
    print(f"{name}: cup {each[0]:.0%}, tower {each[1]:.0%}, cat {each[2]:.0%} covered")
    show(line[0], observe(damage, clean)[1:2], f"{name} missing")
    show(line[1], answer[1:2], "restored")
    maps = {"error bars": bars(std), "error": np.abs(answer - truth)}
    for ax, (title, values) in zip(line[2:], maps.items(), strict=True):
        grey_levels = 255 * np.mean(values * hidden, axis=-1)[1]
        shown = ax.imshow(grey_levels, cmap="inferno_r", vmin=0, vmax=120)
        ax.set(title=title, xticks=[], yticks=[])
figure.colorbar(shown, ax=axes, label="grey levels", shrink=0.9)
plt.show()

# %% [markdown]
# The bars are eleven spreads long: one network asked eight times errs the same way each time. They
# promise 90 % on average, for pictures *like the four and damaged alike*. The cup gets it; tower
# and cat, with their fine patterns, get 70 %. In blocks it is half to three quarters. The maps
# still show *where* not to trust: at edges and patterns more than on walls. Whoever prints one must
# say on what it was calibrated.
#
# ## 9. A prior of the wrong kind
#
# Now hide the lower half of a digit. **First predict**: what will the denoiser of photographs put
# there?
#
# Its competitor is a generator of digits, a VAE as in tutorial 04. Its prior is a set: the pictures
# $G(z)$ that it can draw. Its `undo` seeks the latents whose picture fits, with the price of
# unlikely latents as the prior term:
#
# $$\hat z = \arg\min_z \; \frac{1}{2 \sigma^2} \lVert F \, G(z) - y \rVert^2 + \frac{1}{2} \lVert z
# \rVert^2$$
#
# It walks downhill from several random places. **About 50 seconds.**

# %%
digits = ki.load("digits", seed=SEED)
if NUM_DIGITS is not None:
    digits = ki.load_arrays(digits.take(NUM_DIGITS), seed=SEED)
test = ki.load("digits", "test", labels=True)
whole, labels = test.take(HALVES), test.labels[:HALVES]
upper = np.zeros((1, 28, 28, 1), "float32")
upper[:, :14] = 1  # 1 where a pixel is known
halves = upper * whole

keras.utils.set_random_seed(SEED)
vae = ki.VAE(
    ki.networks.vae_encoder((28, 28, 1), latent_dim=16, filters=32),
    ki.networks.vae_decoder((28, 28, 1), latent_dim=16, filters=32),
    seed=SEED,
)
vae.compile(keras.optimizers.Adam(2e-3), loss="bernoulli")
vae.fit(digits, epochs=EPOCHS, verbose=0)

# %%
completed = {
    "hidden": halves,
    "denoiser": ki.load_pretrained("denoiser-gray").undo(halves, known=upper, passes=PASSES),
    "generator": vae.undo(halves, known=upper, seed=SEED, steps=STEPS),
    "clean": whole,
}
reader = ki.metrics.DigitFeatures()
figure, axes = plt.subplots(4, 1, figsize=(11, 5.6), layout="constrained")
for ax, (name, pictures) in zip(axes, completed.items(), strict=True):
    right = reader.labels(pictures) == labels
    print(
        f"{name:10} {np.mean(psnr(whole, pictures)):6.1f} dB, {right.sum()} of {HALVES} read right"
    )
    grey = pictures + 0.35 * (1 - upper) if name == "hidden" else pictures
    ki.plotting.plot_images(grey[:12], 12, title=f"{name}: {right.sum()} of {HALVES} read", ax=ax)
plt.show()

# %% [markdown]
# The denoiser lets the strokes fade into black, as things in photographs end in the dark. A few
# more are read, by a shadow that happens to lie right. The generator completes them: it has learned
# how digits go on. For most that is right; about one in eight becomes another digit, and is grey
# where the answer lies between several.
#
# One answer hides how many there are. Ask for eight, each from another random place:

# %%
figure, axes = plt.subplots(3, 1, figsize=(11, 4.3), layout="constrained")
for ax, which in zip(axes, (2, 3, 6), strict=True):
    same = np.repeat(halves[which : which + 1], 8, axis=0)
    several = vae.undo(same, known=upper, seed=SEED, steps=STEPS, tries=1)
    read = ", ".join(str(label) for label in reader.labels(several))
    row = np.concatenate([halves[which : which + 1] + 0.35 * (1 - upper), several])
    ki.plotting.plot_images(row, 9, title=f"a {labels[which]}; answers read as {read}", ax=ax)
plt.show()

# %% [markdown]
# Half a 4 leaves one way to go on, and so did this half of a 3. Half a 2 may as well be an 8, which
# fits, too. How many of eight become a 2 is no probability: the search looks for the best picture,
# not for a fair share of all. [Tutorial 11](11_from_denoiser_to_generator.ipynb) makes of a
# denoiser a generator that draws them.
#
# So neither prior is the better one. The denoiser knows little about everything and follows what
# was observed. The generator knows much about one thing, and sees it everywhere.
#
# ## What to remember
#
# 1. Observed is fit, and many pictures fit. The prior chooses.
# 2. A denoiser's correction is $\sigma^2$ times the slope of $\log p_\sigma$: it knows where
#    pictures are.
# 3. Plug and play: a step to what was observed, a step of the denoiser, at levels that fall. One
#    network serves every linear degradation that is known.
# 4. The fit needs $F$ and its adjoint. A dot product tests it.
# 5. A wrong $F$ gives a wrong answer, which may fit. Say what you assumed.
# 6. A prior answers with what it knows: photographs, or digits.
#
# ## You should see / if not
#
# Measured with three values of `SEED` (other holes, other noise, other first weights), on two CPU
# cores:
#
# - **By hand**: 17 dB from the mean, 26 from the harmonic fill, as `undo` has it. *If not*, and the
#   second is below 24: do the levels fall?
# - **Adjoint**: the first two columns agree to four digits, whatever they are.
# - **Tasks**, cup: holes 26.4 to 26.7 dB biharmonic, 27.4 to 27.9 by the denoiser; blur 27.3 and
#   29.1; enlarging 28.5 and 30.7; mosaic 30.4 and 32.7. *If not*, and the denoiser is behind
#   everywhere: is `PASSES` 12?
# - **Lies**: 31.1 dB for 1.6, 22.8 for 2.0, 16.3 for 2.4, which warns.
# - **Map**: 93 or 94 % of the cup, 70 to 72 % of tower and cat; in blocks 43 to 76 %.
# - **Digits**: 18 of 40 read when hidden, 24 by the denoiser, 29 to 35 by the generator. *If not*,
#   and the generator is below 24: did all epochs run?
#
# ## Read on
#
# **In papers this is called.** Undoing a known degradation is an *inverse problem*, which is
# *ill-posed* as many pictures fit. $F$ is the forward or measurement operator, the fit the data
# term or likelihood, the prior term the regulariser. The slope of $\log p$ is the *score* (not that
# of a GAN's discriminator); what a generator can draw is its range.
#
# - S. Venkatakrishnan, C. Bouman and B. Wohlberg, *Plug-and-Play Priors for Model Based
#   Reconstruction*, GlobalSIP 2013: the idea, with BM3D in the place of a network.
# - K. Zhang and others, *Plug-and-Play Image Restoration with Deep Denoiser Prior*, 2021, [arXiv
#   2008.13751](https://arxiv.org/abs/2008.13751): algorithm 1 is `undo`.
# - Z. Kadkhodaie and E. Simoncelli, *Solving Linear Inverse Problems Using the Prior Implicit in a
#   Denoiser*, 2021, [arXiv 2007.13640](https://arxiv.org/abs/2007.13640): Tweedie's formula (they
#   name Miyasawa) used to draw and to restore.
# - A. Bora, A. Jalal, E. Price and A. Dimakis, *Compressed Sensing using Generative Models*, 2017,
#   [arXiv 1703.03208](https://arxiv.org/abs/1703.03208): equation 3 is the search for latents.
#
# The photographs are in the public domain or CC0, but for the tower: by danielbuechele, [CC BY
# 2.0](https://creativecommons.org/licenses/by/2.0/), cut out and degraded here. The package's
# `assets/LICENSES.md` names their authors.
#
# ## Exercises
#
# Replace each `...` and run the cell, then the check below it. The check prints `Right`, or says
# what it found and gives a hint.
#
# ### Exercise 1: the adjoint of larger pixels
#
# A camera has pixels of twice the side: each is the mean of 2 x 2. Write the adjoint, from small
# pictures to large ones. It is tempting to say "each pixel repeated four times": does it pass?
# Which entries has one *row* of the matrix $F$, and so one *column* of $F^\top$?


# %% tags=["exercise"]
def shrink(x):
    """The means of 2 x 2 pixels: half the height and half the width."""
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def shrink_adjoint(y):
    """The adjoint of `shrink`: twice the height and twice the width."""
    return ...


# %% tags=["solution"]
def shrink(x):  # noqa: F811
    """The means of 2 x 2 pixels: half the height and half the width."""
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def shrink_adjoint(y):  # noqa: F811
    """The adjoint of `shrink`: twice the height and twice the width."""
    return y.repeat(2, axis=1).repeat(2, axis=2) / 4


# %% tags=["check"]
large, few = rng.normal(size=(1, 8, 12, 1)), rng.normal(size=(1, 4, 6, 1))
found = shrink_adjoint(few)
assert getattr(found, "shape", None) == large.shape, (
    f"From pictures of shape {few.shape} it should make {large.shape}. Found "
    f"{getattr(found, 'shape', found)!r}. Hint: few.repeat(2, axis=1) doubles the height."
)
left_side, right_side = np.sum(shrink(large) * few), np.sum(large * found)
assert np.isclose(left_side, right_side), (
    f"<F a, b> is {left_side:.3f}, <a, F' b> is {right_side:.3f}: "
    f"{right_side / left_side:.2f} times as much. Hint: a row of F has four entries of 1/4."
)
print(f"Right: {left_side:.6f} and {right_side:.6f}.")

# %% [markdown]
# ### Exercise 2: the data step of that camera
#
# For `shrink`, $F F^\top$ is $1/4$: shrinking what the adjoint made gives a quarter of it. So the
# data step needs no conjugate gradients. Show on paper that
#
# $$z = x + F^\top \, \frac{y - F x}{1/4 + w}$$
#
# solves $(F^\top F + w) z = F^\top y + w x$, and write it. Then the check enlarges the cat with it,
# by your own plug and play.


# %% tags=["exercise"]
def data_step(y, x, w):
    """The z with the smallest |shrink(z) - y|^2 + w |z - x|^2."""
    return ...


# %% tags=["solution"]
def data_step(y, x, w):  # noqa: F811
    """The z with the smallest |shrink(z) - y|^2 + w |z - x|^2."""
    return x + shrink_adjoint(y - shrink(x)) / (0.25 + w)


# %% tags=["check"]
for w in (0.01, 1.0, 100.0):
    z = data_step(few, large, w)
    assert getattr(z, "shape", None) == large.shape, (
        f"It should return pictures of shape {large.shape}. Found {getattr(z, 'shape', z)!r}."
    )
    off = np.abs(shrink_adjoint(shrink(z) - few) + w * (z - large)).max()
    assert off < 1e-6, (
        f"For w = {w} the derivative is not 0 at your z, but up to {off:.2g}. "
        "Hint: start from x, and add the adjoint of what does not fit, divided by 1/4 + w."
    )
few = shrink(clean[2:])
z = few.repeat(2, axis=1).repeat(2, axis=2)
print(f"Right. The cat, pixels repeated: {psnr(clean[2:], z)[0]:.1f} dB")
for level in np.geomspace(25, 2, PASSES) / 255:
    z = data_step(few, z, 0.23 * (1 / 255 / level) ** 2).astype("float32")
    z = denoiser.restore(z, level=level)
print(f"your plug and play:                 {psnr(clean[2:], z)[0]:.1f} dB")

# %% [markdown]
# ### Exercise 3: find the bugs
#
# A student's `fill` should do what `plug_and_play` does, and return the last answer. It has two
# faults: one makes the answer worse, the other makes it *false*. Which is which? Repair both.


# %% tags=["exercise"]
def fill(z, y, known, restore, passes=PASSES):
    """Fill holes by turns; `restore(pictures, level=...)` denoises."""
    for level in np.geomspace(2, 49, passes) / 255:
        z = known * y + (1 - known) * z
        z = restore(z.astype("float32"), level=level)
    return z


# %% tags=["solution"]
def fill(z, y, known, restore, passes=PASSES):  # noqa: F811
    """Fill holes by turns; `restore(pictures, level=...)` denoises."""
    for level in np.geomspace(49, 2, passes) / 255:
        z = known * y + (1 - known) * z
        z = restore(z.astype("float32"), level=level)
    return known * y + (1 - known) * z


# %% tags=["check"]
asked = []


def darker(pictures, level):
    """In the place of the denoiser: notes what it is asked, and answers a little darker."""
    asked.append((float(level), pictures.copy()))
    return 0.9 * pictures


where = known * np.ones_like(cup)
found = fill(np.full_like(cup, 0.5), known * cup, known, darker, passes=4)
assert len(asked) == 4, f"The denoiser should be asked 4 times, it was asked {len(asked)} times."
levels = [level for level, _ in asked]
assert np.all(np.diff(levels) < 0), (
    f"The levels were {', '.join(f'{255 * level:.0f}' for level in levels)} of 255. "
    "Hint: at first the fill is very wrong, in the end hardly."
)
assert all(np.allclose(p[where > 0], cup[where > 0]) for _, p in asked), (
    "The denoiser was shown known pixels that are not those of y. Hint: put them back before it."
)
changed = 255 * np.abs(found - cup)[where > 0].max()
assert changed < 0.01, (
    f"Known pixels come out changed, by up to {changed:.0f} grey levels: whoever reads 'only the "
    "holes were filled' is told something false. Hint: what must follow the last denoising?"
)
print("Right.")
