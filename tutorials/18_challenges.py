# %% [markdown]
# # 18 · Challenges: robustness, generalisation, efficiency
#
# **You will be able to**
#
# - set quality against time, weights and memory;
# - plot what comes out against what went in, and say where a network does harm;
# - build a disturbance that nobody sees and a network multiplies;
# - test a network on pictures of other kinds;
# - recognise overfitting by its curves, and compare four remedies;
# - carry a method to another field, and write the label of a network.
#
# **You need** [tutorial 05](05_cnn_denoising.ipynb) and sections 1 to 3 of [tutorial
# 06](06_what_a_denoiser_knows.ipynb).
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
# ## Would you ship it?
#
# One photograph in six strips, each corrupted in another way. One network restores them all:
# `denoiser-color`, which is told nothing.
#
# ![A cup of coffee in six strips, corrupted and restored](attachment:cover)
#
# Two strips are saved, two are helped a little, one is left as it was, and one is *harmed*: the
# network takes the grain of the wood for noise. (The decibels are of the whole photograph.)
#
# Two customers want a denoiser. One builds it into a **phone**: twelve million pixels a photograph,
# and it must not get warm. The other builds it into a **microscope**: what it shows, somebody will
# believe. Which network do you ship to each, and what do you write on its **label**? Note down an
# answer now.

# %% tags=["setup"]
import os
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import keras_imgen as ki

SEED = 0
PIECES, EPOCHS = 4000, 2  # of photographs; how often a training sees them
SIDE, BIG = 192, 384  # of the test photographs; of the picture that is timed
EACH = 1  # so many pixels of the cover stand for one
ROUNDS, MANY = 12, 400  # in section 4: of MANY pieces each
LENGTH = 32000  # of a sound, in samples
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # a quick test: its figures mean nothing
    PIECES, EPOCHS, SIDE, BIG, ROUNDS, MANY, LENGTH = 16, 1, 64, 64, 1, 16, 6000
    EACH = 5
    tf.config.run_functions_eagerly(True)

keras.utils.set_random_seed(SEED)  # the same first weights, and so the same pictures, every time
SIGMA = 25 / 255
to_gray, to_color = (ki.load_pretrained(f"denoiser-{kind}") for kind in ("gray", "color"))


def noisy(pictures, sigma=SIGMA):
    """The pictures with white noise; sigma as a share of 1."""
    return np.asarray(ki.degradations.AdditiveNoise(sigma, seed=5)(pictures))


def psnr(clean, pictures):
    """Mean PSNR in dB, of the pictures as a screen can show them."""
    return float(np.mean(ki.metrics.psnr(clean, pictures, clip=True)))


def blurred_noise(pictures):
    """Add noise as strong as white noise of SIGMA, whose neighbours resemble each other."""
    noise = ki.degradations.Blur(1.0)(noisy(np.zeros_like(pictures)))
    return pictures + SIGMA * np.asarray(noise) / np.std(noise)


# %% tags=["cover"]
corruptions = {
    "white noise": noisy,
    "few photons": ki.degradations.PoissonNoise(1 / 30, seed=SEED),
    "salt and pepper": ki.degradations.SaltAndPepper(0.05, seed=SEED),
    "blurred noise": blurred_noise,
    "JPEG": ki.degradations.JpegCompression(10),
    "nearly clean": lambda pictures: noisy(pictures, 3 / 255),
}
coffee = ki.load_example("coffee")[None, ::EACH, ::EACH]
width = coffee.shape[2] // len(corruptions)
wholes = np.ones((2, *coffee.shape[1:]))
figure, axes = plt.subplots(1, 2, figsize=(12.5, 4.9), layout="constrained")
for place, (name, corrupt) in enumerate(corruptions.items()):
    observed = np.asarray(corrupt(coffee))
    restored, part = to_color.restore(observed), slice(place * width, (place + 1) * width)
    before, gain = psnr(coffee, observed), psnr(coffee, restored) - psnr(coffee, observed)
    says = f"{name}\n{before:.1f} dB", f"{gain:+.1f} dB"
    print(f"{name:17} {before:.1f} dB, {gain:+.1f}")
    for ax, whole, pictures, text in zip(axes, wholes, (observed, restored), says, strict=True):
        whole[:, part] = np.clip(pictures[0, :, part], 0, 1)
        color = "green" if gain > 1 else "firebrick"
        ax.text((place + 0.5) * width, -6, text, ha="center", va="bottom", color=color, size=9)
        ax.axvline(place * width - 0.5, color="white", linewidth=1.5)
for ax, name, whole in zip(axes, ("corrupted", "restored by one network"), wholes, strict=True):
    ax.imshow(whole)
    ax.set(xticks=[], yticks=[])
    ax.set_title(name, pad=36)
plt.show()

# %% [markdown]
# ## 1. Efficiency: what does a decibel cost?
#
# We train three small DnCNN (tutorial 05) for noise of $\sigma = 25/255$, in equal steps, each a
# few times larger than the last. **About 30 seconds.**

# %%
pieces = ki.load("photos", size=24, crops=PIECES // 8, seed=SEED).take(PIECES)  # of nine photos
test_photos = ki.load("photos", "test", size=SIDE, crops=0).take(3)  # three others, whole


def train(pictures, sigma=SIGMA, depth=5, filters=16):
    """A DnCNN trained for noise of this sigma, or of a range (low, high)."""
    keras.utils.set_random_seed(SEED)
    steps = EPOCHS * len(pictures) // 8
    rate = keras.optimizers.schedules.CosineDecay(
        1e-4, steps - steps // 20, alpha=0.01, warmup_target=4e-3, warmup_steps=steps // 20
    )
    network = ki.networks.dncnn(depth=depth, filters=filters)
    model = ki.Restorer(network, ki.degradations.AdditiveNoise(sigma, seed=SEED), seed=SEED)
    model.compile(keras.optimizers.Adam(rate))
    model.fit(pictures, batch_size=8, epochs=EPOCHS, verbose=0)
    return model


tiny = train(pieces, depth=4, filters=8)
small = train(pieces)
medium = train(pieces, depth=6, filters=32)

# %% [markdown]
# Beside them stand methods that learn nothing, their settings chosen on training photographs, and
# what the large network offers: the mean over **eight views** of the picture, turned and mirrored,
# and **half precision**, numbers of 16 bits in place of 32.


# %%
def median(pictures):
    """The median of the nine pixels of each 3 x 3 neighbourhood."""
    height, width = pictures.shape[1:3]
    wide = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    nine = [wide[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return np.median(nine, axis=0)


def gaussian(pictures, width):
    return ki.degradations.Blur(width)(pictures)


def best(method, candidates):
    """Which of the candidates restores training photographs best."""
    learn = ki.load("photos", size=SIDE, crops=0, shuffle=False).take(3)
    return max(candidates, key=lambda value: psnr(learn, np.asarray(method(noisy(learn), value))))


keras.config.set_dtype_policy("mixed_bfloat16")
half = ki.load_pretrained("denoiser-gray")
keras.config.set_dtype_policy("float32")
WIDTH = best(gaussian, (0.6, 0.7, 0.8, 0.9, 1.0))
methods = {  # name: what it does, and its network
    "median filter": (median, None),
    "Gaussian filter": (lambda y: np.asarray(gaussian(y, WIDTH)), None),
    "tiny": (tiny.restore, tiny),
    "small": (small.restore, small),
    "medium": (medium.restore, medium),
    "denoiser-gray": (lambda y: to_gray.restore(y, level=SIGMA), to_gray),
    "16 bits": (lambda y: half.restore(y, level=SIGMA), half),
    "eight views": (lambda y: to_gray.restore(y, level=SIGMA, self_ensemble=True), to_gray),
}
if importlib.util.find_spec("skimage"):  # without scikit-image this row is left out
    from skimage.restoration import denoise_nl_means

    def non_local(pictures, share):
        options = {"patch_size": 5, "patch_distance": 6, "h": share * SIGMA, "sigma": SIGMA}
        return np.stack([denoise_nl_means(x[..., 0], **options) for x in pictures])[..., None]

    SHARE = best(non_local, (0.5, 0.6, 0.7, 0.8, 0.9))
    methods["non-local means"] = (lambda y: non_local(y, SHARE), None)


# %% [markdown]
# Three prices. **Time** is that of all cores together, which is what a battery pays. We give it as
# a multiple of a reference, measured in the same run on the same picture: one layer of 32 filters
# over 32 channels. These multiples differ from run to run by a third and more, and between machines
# by still more. **Multiplications** per pixel are counted from the layers. **Memory** is what the
# largest layer holds per million pixels, input and output, where a picture is restored whole; on
# top come the weights, and what waits for a skip.


# %%
def counted(network, side=64):
    """Multiplications per pixel, and megabytes per megapixel of the largest layer."""
    shape = (side, side, network.input_shape[-1])
    copy = keras.models.clone_model(network, input_tensors=keras.Input(shape))
    products, values = 0, 0
    for layer in copy.layers:
        inputs = keras.tree.flatten(layer.input)
        values = max(values, sum(np.prod(x.shape[1:]) for x in (*inputs, layer.output)))
        if hasattr(layer, "kernel"):
            turned = isinstance(layer, keras.layers.Conv2DTranspose)
            places = (layer.input if turned else layer.output).shape[1:3]
            products += np.prod(layer.kernel.shape) * np.prod(places)
    return products / side**2, 4 * values / side**2


def seconds(function):
    """Seconds that all cores together spend on it."""
    start = time.process_time()
    function()
    return time.process_time() - start


big = noisy(np.tile(test_photos[:1], (1, 2, 2, 1)))[:, :BIG, :BIG]
layer, maps = keras.layers.Conv2D(32, 3, padding="same"), np.zeros((1, BIG, BIG, 32), "float32")
observed = noisy(test_photos)
quality = {name: psnr(test_photos, method(observed)) for name, (method, _) in methods.items()}
clocks = {"reference": lambda: layer(maps)}
clocks |= {name: lambda method=method: method(big) for name, (method, _) in methods.items()}
rounds = [{name: seconds(function) for name, function in clocks.items()} for _ in range(5)]
times = {name: min(each[name] for each in rounds) for name in clocks}
price = {name: times[name] / times["reference"] for name in methods}

print(f"observed {psnr(test_photos, observed):.1f} dB; Gaussian of width {WIDTH}")
print("                   PSNR   time   weights   products/pixel   MB/megapixel")
for name, (_, model) in methods.items():
    print(f"{name:16} {quality[name]:6.1f} {float(f'{price[name]:.1g}'):6g}", end="")
    if model:
        products, memory = counted(model.network)
        views = 8 if name == "eight views" else 1
        memory /= 2 if name == "16 bits" else 1
        print(f" {model.network.count_params():9,} {views * products:12,.0f}{memory:15.0f}", end="")
    print()

# %%
figure, ax = plt.subplots(figsize=(9, 5.2), layout="constrained")
for name, (_, model) in methods.items():
    weights = model.network.count_params() if model else 0
    color = "tab:blue" if model else "tab:grey"
    ax.scatter(price[name], quality[name], 25 + weights**0.5, color=color, alpha=0.6)
    below = name in ("16 bits", "small", "median filter", "non-local means")
    shift = (0.5 if weights > 1e6 else 0.3) * (-1 if below else 1)
    ax.text(price[name], quality[name] + shift, name, ha="center", va="center")
names = sorted(price, key=price.get)  # from cheap to dear
front = np.maximum.accumulate([quality[name] for name in names])  # the best so far
ax.step([price[name] for name in names], front, "k:", where="post")
ax.set(xscale="log", xlabel="processor time, in reference layers", ylabel="PSNR in dB")
ax.set_title("Quality against time; area of a dot: root of the weights")
ax.margins(0.12, 0.15)
plt.show()

# %% [markdown]
# The dotted line is the **Pareto front**: no method left of its corners is as good.
#
# - **The tiny network** has 1,321 weights and is more than a decibel above the filters of a few
#   pixels. From it to `denoiser-gray`, two decibels cost a hundred times the multiplications and a
#   thousand times the weights. Non-local means (tutorial 05) about ties with the medium network.
# - **Weights are neither time nor memory.** `denoiser-gray` has 45 times the weights of the medium
#   network, but 3.5 times its multiplications, and no larger layer: most of its weights work at
#   coarse levels, where there are few places.
# - **Eight views** bring 0.1 dB for eight times the work. **Half precision** loses nothing here and
#   halves the memory; where a processor has instructions for it, as here, it saves time.
#
# The three networks are trained for this one $\sigma$ and for seconds, `denoiser-gray` for all up
# to 55 and for hours: the figure shows offers, and is no verdict on architectures.
#
# For the phone: twelve million pixels times 130,752 are $1.6 \cdot 10^{12}$ multiplications a
# photograph with `denoiser-gray`.
#
# ## 2. Robustness
#
# **Robust** is a method that works under conditions for which it was not made. We plot what comes
# out against what goes in. On the diagonal a method does nothing, below it does *harm*. A fourth
# network joins, as large as the small one and trained in as many steps, but for all noise from 5 to
# 50, and **blind**: not told $\sigma$. `denoiser-gray`, so far told $\sigma$, estimates it here.
#
# **First predict**: which method wins under salt and pepper, and which ones harm a nearly clean
# picture? **About 10 seconds.**

# %%
blind = train(pieces, (5 / 255, 50 / 255))
networks = {"small, trained at 25": small, "small, 5 to 50, blind": blind, "denoiser-gray": to_gray}
levels = (3, 5, 10, 15, 20, 25, 35, 50)
given = [psnr(test_photos, noisy(test_photos, level / 255)) for level in levels]
figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
print("sigma x 255             ", *(f"{level:5}" for level in levels))
print("observed                ", *(f"{value:5.1f}" for value in given))
for (name, model), style in zip(networks.items(), ("o-", "s-", "^-"), strict=True):
    out = [psnr(test_photos, model.restore(noisy(test_photos, level / 255))) for level in levels]
    print(f"{name:24}", *(f"{value:5.1f}" for value in out))
    ax.plot(given, out, style, label=name)
ax.plot(given, given, "--", color="grey", label="does nothing")
ax.fill_between(given, given, min(given), color="firebrick", alpha=0.1)
ax.set(xlabel="PSNR of what goes in, dB", ylabel="PSNR of what comes out, dB")
ax.set_title("White noise of eight strengths; in the red it does harm")
ax.legend()
plt.show()


# %%
def show_gains(methods, cases, title):
    """What each method gains in each case, a pair of clean and observed pictures, as a table."""
    _, ax = plt.subplots(figsize=(9, 3.6), layout="constrained")
    gains = np.zeros((len(methods), len(cases)))
    for row, (name, method) in enumerate(methods.items()):
        gains[row] = [psnr(x, method(y)) - psnr(x, y) for x, y in cases.values()]
        print(f"{name:23}", *(f"{gain:+6.1f}" for gain in gains[row]))
    for (row, column), gain in np.ndenumerate(gains):
        color = "white" if abs(gain) > 6 else "black"
        ax.text(column, row, f"{gain:+.1f}", ha="center", va="center", color=color)
    ax.imshow(gains, cmap="RdBu", vmin=-10, vmax=10, aspect="auto")
    ax.set(xticks=range(len(cases)), xticklabels=cases)
    ax.set(yticks=range(len(methods)), yticklabels=methods)
    ax.set_title(f"{title}: gain in dB, red is harm")
    plt.show()


contenders = {"median filter": median} | {name: model.restore for name, model in networks.items()}
spoiled = {name: np.asarray(corrupt(test_photos)) for name, corrupt in corruptions.items()}
show_gains(contenders, {name: (test_photos, y) for name, y in spoiled.items()}, "Six corruptions")

# %% [markdown]
# **The curves.** Both small networks end in a flat line at 30 dB: no picture leaves them better,
# and from there on they do harm. The specialist is ahead near its own noise and falls steeply in
# stronger noise (tutorial 06). `denoiser-gray` never touches the red.
#
# **The table.** A median filter wins under salt and pepper by decibels, and harms a nearly clean
# picture as much as the small networks do. `denoiser-gray` is best at the noise it knows, and does
# *nothing* against blurred noise and JPEG. It does no harm here; `denoiser-color`, on the cover,
# did. **There is no robustness in general, only a list of conditions that somebody has tried.**
#
# ### Break it: a disturbance made for it
#
# Now somebody corrupts the picture on purpose. Add to every pixel at most $\varepsilon = 4/255$,
# such that the answer is as wrong as possible:
#
# $$\max_{|\delta_i| \le \varepsilon} E, \quad E = \lVert f(y + \delta) - x \rVert^2, \qquad
# \delta \leftarrow \delta + \alpha \, \mathrm{sign} \, \frac{\partial E}{\partial \delta}$$
#
# - $f$ is the method, $y$ the observed picture (noise of 10/255), $x$ the clean one;
# - $\alpha = \varepsilon / 2$ is the step, and after each of eight steps $\delta$ is cut off at
#   $\pm \varepsilon$.
#
# This is training turned round: the weights stay, the *picture* follows the slope, uphill. It
# begins with **coins**, $\pm \varepsilon$ by chance, and ends as an **adversarial example**, which
# is compared with other coins. **First predict**: which method breaks most?

# %%
LIMIT = 4 / 255


def attack(restorer, observed, clean, steps=8):
    """A disturbance of at most LIMIT a pixel that makes the answer as wrong as possible."""
    observed, clean = tf.constant(observed, "float32"), tf.constant(clean, "float32")
    added = LIMIT * tf.sign(noisy(np.zeros(clean.shape, "float32")))
    for _ in range(steps):
        with tf.GradientTape() as tape:
            tape.watch(added)
            error = tf.reduce_mean((restorer(observed + added) - clean) ** 2)
        uphill = tf.sign(tape.gradient(error, added))
        added = tf.clip_by_value(added + LIMIT / 2 * uphill, -LIMIT, LIMIT)
    return added.numpy()


one = test_photos[1:2]
seen = noisy(one, 10 / 255)
coin = LIMIT * np.sign(np.random.default_rng(SEED).normal(size=one.shape)).astype("float32")
victims = {
    "Gaussian filter": lambda y: gaussian(y, WIDTH),
    "small": small.denoise,
    "blind": blind.denoise,
    "denoiser-gray": to_gray.denoise,
    "the same, told": lambda y: to_gray.denoise(y, level=10 / 255),
}
made = {name: attack(victim, seen, one) for name, victim in victims.items()}
print("PSNR in dB, and how far the answer moves, in multiples of the disturbance")
print("                   as it is    by coins         made for it      made for denoiser-gray")
for name, victim in victims.items():
    calm = np.asarray(victim(seen))
    print(f"{name:18} {psnr(one, calm):6.1f}", end="")
    for added in (coin, made[name], made["denoiser-gray"]):
        answer = np.asarray(victim(seen + added))
        moved = np.sqrt(np.mean((answer - calm) ** 2)) / LIMIT
        print(f" {psnr(one, answer):9.1f} ({moved:.2f})", end="")
    print()


def show(clean, **panels):
    """Draw pictures in a row, below their names and PSNR."""
    _, axes = plt.subplots(1, len(panels), figsize=(12.6, 3.6), layout="constrained")
    for ax, (name, pictures) in zip(axes, panels.items(), strict=True):
        title = f"{name.replace('_', ' ')} · {psnr(clean, pictures):.1f} dB"
        ki.plotting.plot_images(pictures, title=title, ax=ax)
    plt.show()


disturbed = seen + made["denoiser-gray"]
restored, misled = to_gray.restore(seen), to_gray.restore(disturbed)
show(one, observed=seen, disturbed=disturbed, restored=restored, disturbed_and_restored=misled)

# %% [markdown]
# Coins cost every method half a decibel at most. Made on purpose, a disturbance no larger costs
# `denoiser-gray` 6 dB: it was the best, and falls behind the Gaussian filter. In brackets stands
# the reason. The Gaussian filter is an average, which cannot move further than what it averages:
# never above 1. The small networks stay below 1, too. `denoiser-gray` moves *twice* as far as it
# was pushed. It has to estimate the noise and to tell it from edges, and there the attack aims:
# noise is left standing as if it were fur. Told $\sigma$, it loses less: 4.6 dB.
#
# The same disturbance does less to the others. The attacker here knew the weights and the clean
# picture; nature does not. But what chance shows is not the worst case.
#
# ## 3. Generalisation
#
# **Generalisation** is to work on pictures like none in training. We train the small network on
# handwritten digits, and once more on half photographs and half digits, in equally many steps. All
# are tried with $\sigma = 25/255$ on four kinds of pictures; on two of them nobody has trained.
# **First predict** the sign of the field "trained on digits, tried on photographs". **About 15
# seconds.**

# %%
digits = ki.load("digits", seed=SEED).take(PIECES)[:, 2:26, 2:26]  # 24 x 24
kinds = {
    "photographs": test_photos,
    "digits": ki.load("digits", "test").take(200),
    "satellite": ki.load_example("mountains")[None, :SIDE, :SIDE].mean(axis=-1, keepdims=True),
    "retina": ki.load_example("lesions")[None],
}
on_digits = train(digits)
on_both = train(np.concatenate([pieces[::2], digits[::2]]))
table = {
    "Gaussian filter": methods["Gaussian filter"][0],
    "trained on photographs": small.restore,
    "trained on digits": on_digits.restore,
    "trained on both": on_both.restore,
    "denoiser-gray": methods["denoiser-gray"][0],
}
cases = {name: (pictures, noisy(pictures)) for name, pictures in kinds.items()}
show_gains(table, cases, "Four kinds of pictures")
seen = noisy(one)
show(one, observed=seen, by_photographs=small.restore(seen), by_digits=on_digits.restore(seen))

# %% [markdown]
# - **Digits taught little about photographs**: there the network does harm, and so it does to
#   satellite and retina. It makes dark grey black, and leaves the noise in light grey: look at the
#   cat. Photographs help the digits by 4 to 5 dB. (A Gaussian filter harms digits: it blurs more
#   than it averages away.)
# - **Both halves together** cost little: a few tenths on photographs, less than one decibel on
#   digits. The cheapest remedy is data of the kind that will come.
# - **Decibels of different columns do not compare.** A retina is smooth, and smooth pictures are
#   easy to denoise.
#
# ## 4. Overfitting
#
# A network that fails on new photographs may have learned its examples by heart: **overfitting**.
# So far this could hardly happen, since every step drew new noise. A microscope gives *pairs*: a
# noisy exposure and a long one, once. We take 8 pairs of 24 x 24 pixels, 4,608 numbers for a
# network of 28,000 weights, and go through them 600 times.
#
# Two photographs that are not trained on are watched after each round of 50 steps: the
# **validation** set. Its minimum says when to stop (**early stopping**). The three test photographs
# are looked at once, at the end. The remedies take equally many steps. **About 30 seconds.**

# %%
scenes = ki.load("photos", size=SIDE, crops=0, shuffle=False).take(9)
watched = scenes[7:]  # two photographs for validation; pieces come from the other seven
corners = np.random.default_rng(SEED).integers(0, SIDE - 24, size=(MANY, 2))
cut = [scenes[i % 7, y : y + 24, x : x + 24] for i, (y, x) in enumerate(corners)]
many, few = np.stack(cut), np.stack(cut[:8])
bad_few, bad_many = noisy(few), noisy(many)


def turned(pictures):
    """All eight positions: turned by quarters, and mirrored."""
    both = np.concatenate([pictures, pictures[:, :, ::-1]])
    return np.concatenate([np.rot90(both, turns, axes=(1, 2)) for turns in range(4)])


def repeated(pictures):
    return np.resize(pictures, (MANY, *pictures.shape[1:]))  # from the start, again and again


trainings = {  # observed and clean, and filters
    "8 pieces": (repeated(bad_few), repeated(few), 32),
    "a smaller network": (repeated(bad_few), repeated(few), 4),
    "8 pieces in 8 positions": (repeated(turned(bad_few)), repeated(turned(few)), 32),
    "400 pieces": (bad_many, many, 32),
}
figure, ax = plt.subplots(figsize=(7, 4.6), layout="constrained")
print("PSNR in dB                    training   validation: best   at the end   test photographs")
for name, (observed, clean, filters) in trainings.items():
    keras.utils.set_random_seed(SEED)
    model = ki.Restorer(ki.networks.dncnn(depth=5, filters=filters), None, seed=SEED)
    model.compile(keras.optimizers.Adam(2e-3))
    options = {"epochs": ROUNDS, "verbose": 0, "validation_data": (noisy(watched), watched)}
    history = model.fit(observed, clean, batch_size=8, **options).history
    curve = np.array(history["val_loss"])
    in_db = [-10 * np.log10(value) for value in (history["loss"][-1], min(curve), curve[-1])]
    print(f"{name:27} {in_db[0]:10.1f} {in_db[1]:18.1f} {in_db[2]:12.1f}", end="")
    print(f" {psnr(test_photos, model.restore(noisy(test_photos))):18.1f}")
    if name == "8 pieces":
        overfitted = curve
        ax.plot(history["loss"], "o-", label="training")
        ax.plot(curve, "s-", label="validation")
        ax.axvline(np.argmin(curve), color="grey", linestyle=":", label="early stopping")
ax.set(xlabel="rounds of 50 steps", ylabel="mean squared error", yscale="log")
ax.set_title("8 pieces: overfitting")
ax.legend()
plt.show()

# %% [markdown]
# The training error falls to a fraction of the noise: the network has learned the noise of its
# eight pieces. Validation turns round after a few rounds. **Overfitting is this: validation gets
# worse while training gets better**, and the training loss alone would have looked like a triumph.
# At the end the network is *worse than the Gaussian filter* of section 1 on the test photographs
# (26.8 dB).
#
# - **Early stopping** (dotted) saves 1.9 dB in validation, for nothing; it was not tested.
# - **A smaller network** cannot learn by heart, but learns no more than the filter, either.
# - **Augmentation**, the same pieces turned and mirrored, brings 2.5 dB on the test photographs. In
#   validation it is 1.5 dB above early stopping.
# - **More pictures** bring 2.9 dB in the test.
#
# (Compare within a column: some photographs are smoother than others.)
#
# ## 5. Another field: sound
#
# Sound becomes a picture by the **short-time Fourier transform**: short frames, one behind the
# other, and for each the strength of every frequency. The magnitudes are a **spectrogram**, and a
# chirp in it is a bright line. We make three sounds of chirps and hum, add as much white noise as
# there is sound (0 dB), and hand the spectrogram, a grey picture, to `denoiser-gray`.
#
# The field's simplest method is **spectral subtraction**: take the mean power of the noise, here
# four times of it, off each number. All methods answer with a share of each number that is kept;
# the **phases** (where each wave begins) stay noisy. The strength of the noise is told to all.
# Factors and width of the simple ones were chosen on a fourth sound; for the network nothing was
# chosen.

# %%
RATE, FRAME, HOP = 8000, 256, 64  # samples a second; of a frame; from frame to frame
window = np.sin(np.pi * (np.arange(FRAME) + 0.5) / FRAME)


def spectrogram(sound):
    """Complex numbers: a row for each frequency, a column for each frame."""
    sound = np.pad(sound, FRAME)
    starts = range(0, len(sound) - FRAME + 1, HOP)
    return np.fft.rfft([window * sound[i : i + FRAME] for i in starts], axis=1).T


def sound_of(columns, length):
    """The way back: frames laid over each other."""
    sound = np.zeros(length + 2 * FRAME)
    for i, frame in enumerate(np.fft.irfft(columns.T, FRAME, axis=1)):
        sound[i * HOP : i * HOP + FRAME] += window * frame
    return sound[FRAME:-FRAME] * 2 * HOP / FRAME


def birds(seed, length=LENGTH):
    """Twelve chirps over a hum with harmonics."""
    rng, t = np.random.default_rng(seed), np.arange(length) / RATE
    sound = np.zeros(length)
    for _ in range(12):
        u = (t - rng.uniform(0, 0.85 * t[-1])) / rng.uniform(0.1, 0.5)  # 0 to 1 while it sounds
        low, high = rng.uniform(500, 3500, 2)
        phase = 2 * np.pi * np.cumsum(low + (high - low) * np.clip(u, 0, 1)) / RATE
        sound += rng.uniform(0.3, 1) * np.sqrt(np.sin(np.pi * np.clip(u, 0, 1))) * np.sin(phase)
    pitch, loud = rng.uniform(150, 250), np.clip(np.sin(4 * t), 0, 1)
    for k in range(1, 8):
        sound += 0.25 * loud / np.sqrt(k) * np.sin(2 * np.pi * k * (pitch * t + np.sin(6 * t)))
    return sound


def snr(clean, sound):
    return 10 * np.log10(np.mean(clean**2) / np.mean((sound - clean) ** 2))


def kept(power, noise_power, factor=1.0):
    """The share of the power that is not noise, 0 to 1."""
    return np.clip(1 - factor * noise_power / np.maximum(power, 1e-12), 0, 1)


def denoised(sound, sigma):
    """The sound as each method leaves it."""
    columns = spectrogram(sound)
    size, noise = np.abs(columns), sigma**2 * np.sum(window**2)
    top = size.max()
    picture = (size / top).astype("float32")[None, ..., None]
    level = min(np.sqrt(noise / 2) / top, 55 / 255)
    smooth = top * to_gray.restore(picture, level=level)[0, ..., 0]
    averaged = top * np.asarray(gaussian(picture, 0.5))[0, ..., 0]
    shares = {
        "spectral subtraction": np.sqrt(kept(size**2, noise, 4)),
        "network alone": np.minimum(smooth / np.maximum(size, 1e-6), 1),
        "Gaussian filter, then Wiener": kept(averaged**2, noise, 2),
        "network, then Wiener": kept(smooth**2, noise),
    }
    sounds = {name: sound_of(share * columns, len(sound)) for name, share in shares.items()}
    return {"noisy": sound} | sounds, smooth


results = []
for seed in (1, 2, 3):  # factors and width were chosen on the sound of seed 0
    clean = birds(seed)
    sigma = np.std(clean)
    sound = clean + sigma * np.random.default_rng(100 + seed).normal(size=clean.shape)
    sounds, smooth = denoised(sound, sigma)
    results.append([snr(clean, x) for x in sounds.values()])
print("signal to noise, dB            three sounds")
for name, values in zip(sounds, np.transpose(results), strict=True):
    print(f"{name:28}", *(f"{value:6.1f}" for value in values))

# %%
figure, axes = plt.subplots(1, 4, figsize=(15, 3.8), layout="constrained")
names = "clean", "noisy", "the network's picture", "network, then Wiener"
pictures = [np.abs(spectrogram(x)) for x in (clean, sound, sounds["network, then Wiener"])]
pictures.insert(2, smooth)
scale = {"vmin": 0, "vmax": 40, "extent": (0, len(clean) / RATE, 0, RATE / 2000)}
for ax, name, picture in zip(axes, names, pictures, strict=True):
    ax.imshow(picture, cmap="gray", origin="lower", aspect="auto", **scale)
    ax.set(title=name, xlabel="seconds", ylabel="kHz")
plt.show()

# %% [markdown]
# *Alone* the network loses by far. It does what it learned, an average over what is possible, and
# in a spectrogram the average of noise is not zero: magnitudes are never negative.
#
# So its picture has a grey floor where nothing sounds. But it says well *where* the sound is. Put
# in place of the noisy one into the **Wiener** rule, the share of the power that is not noise, it
# gives more than a decibel above the best of the simple methods, in all three sounds. (A Gaussian
# filter in its place does no better than spectral subtraction.) So edges learned from photographs
# help chirps, if the physics of the field takes the last step. Speech is not tried here.
#
# ## 6. The label
#
# A **model card** is what travels with a network so that others can decide. Ours, for the phone:
#
# | entry | here: `small`, blind, trained at $\sigma$ of 5 to 50 |
# | --- | --- |
# | task | grey pictures with noise, to less noise |
# | data, and its licence | 4,000 pieces of nine photographs, public domain or CC0 |
# | tried, and helps | white noise of 10 to 50; few photons; salt and pepper |
# | tried, and helps little | blurred noise |
# | tried, and fails | JPEG; clean pictures: above 30 dB switch it off |
# | not tried | colour, digits, satellites, retinas, microscopes, faces, night |
# | the simplest method | Gaussian filter; under salt and pepper a median filter |
# | cost | 7,200 multiplications a pixel; 128 MB a megapixel, 1.5 GB for twelve; training: seconds |
# | worst case found | attack of 4 grey levels: 2 dB |
# | who made it, when, whom to ask | you |
#
# > **Who answers for it**
# >
# > - **The phone.** Say on the label that a picture is restored, keep the raw one where it may
# >   become evidence, and measure on *its* camera: its noise is not white (tutorial 06).
# > - **The microscope.** Not one of these figures was measured on it. Before you ship: pairs from
# >   this device, split by sample and not by piece; the number that the field asks for (tutorial
# >   14).
# > - **Whoever ships it signs the label.** "Not tried" is an honest entry, an empty one is not.
#
# What we would ship. **Phone**: a network of the small kind, trained on its own noise over its
# whole range, and switched off where the picture is good. (`denoiser-gray` may not be shipped at
# all: the photographs it learned from were given for research and teaching.) **Microscope**: none
# yet, and until then a filter whose error one can compute, with the raw picture beside it.
#
# ## What to remember
#
# 1. Quality has three prices that differ: time, weights, memory.
# 2. Plot out against in. Below the diagonal a restoration does harm.
# 3. Robust against what? Only what was tried may stand on the label, the simplest method beside it.
# 4. The better denoiser can break more easily.
# 5. Training loss falls and validation loss rises: overfitting. More pictures, or turned ones,
#    help.
# 6. In another field the noise has other rules. Let the network say where, the field how much.
#
# **In papers this is called** ... half precision: *bfloat16*, *mixed precision*. Eight views:
# *self-ensemble*, *test-time augmentation*. Our attack: *projected gradient descent*, PGD. Pictures
# of another kind: *out of distribution*, *domain shift*. Label: *model card*.

# %% [markdown]
# ## You should see / if not
#
# Measured with two values of `SEED`, on two CPU cores:
#
# - **Cover**: gains of 10.2, 10.8, 3.2, 2.4, 0.1 and -2.0 dB.
# - **Efficiency**: tiny 28.2, small 28.6, medium 28.8 or 28.9, `denoiser-gray` 30.1 dB; filters
#   25.6 and 26.8, non-local means 28.8. *If not*, and a small network is below 27 dB: was it cut
#   short?
# - **Robustness**: both small networks at 29.8 to 31.2 dB for the weakest noise, `denoiser-gray` at
#   41.3. Salt and pepper: median filter 11.8 or 11.9, networks 4.9 to 7.7 dB. *If not*, and the
#   median filter is last: is it the median over the first axis?
# - **Attack**: `denoiser-gray` 33.7 to 27.6 dB, moved by 2.0; Gaussian filter 31.3 to 29.3. *If
#   not*, and an attack does no more than coins: is the step added, not subtracted?
# - **Generalisation**: trained on digits, tried on photographs -1.2 to -0.4 dB; the reverse
#   4.6 to 5.0.
# - **Overfitting**: training at 39.5 to 40.3 dB; test 25.5 dB, with remedies 26.8 to 28.4.
# - **Sound**: 9.7 or 9.8 dB by subtraction, 10.9 to 11.3 by network and Wiener (without `SEED`).
# - **Time**: within twice the seconds that are given; multiples within a factor of two.
#
# ## Read on
#
# - M. Mitchell and others, *Model Cards for Model Reporting*, 2019, [arXiv
#   1810.03993](https://arxiv.org/abs/1810.03993).
# - I. Goodfellow, J. Shlens and C. Szegedy, *Explaining and Harnessing Adversarial Examples*, 2015,
#   [arXiv 1412.6572](https://arxiv.org/abs/1412.6572): one step along the sign of the slope.
# - S. Boll, *Suppression of Acoustic Noise in Speech Using Spectral Subtraction*, IEEE Transactions
#   on Acoustics, Speech, and Signal Processing 27(2), 1979.
#
# The photographs are in the public domain or CC0, the digits from MNIST; the package's
# `assets/LICENSES.md` names their authors.

# %% [markdown]
# ## Exercises
#
# Replace each `...` and run the cell, then the check below it. The check prints `Right`, or says
# what it found and gives a hint.
#
# ### Exercise 1: the range on the label
#
# From PSNR going in and coming out, find the **range of use**: the lowest and the highest input at
# which the method gains at least `least` decibels. The inputs tried lie a few decibels apart, so
# look at 1,001 evenly spaced inputs between the first and the last: `np.interp(x, xs, ys)` gives
# the curve between the points, and its `xs` must **rise**.


# %% tags=["exercise"]
def range_of_use(given, out, least):
    """Lowest and highest input, in dB, with a gain of at least `least`; None if there is none."""
    return ...


# %% tags=["solution"]
def range_of_use(given, out, least):  # noqa: F811
    """Lowest and highest input, in dB, with a gain of at least `least`; None if there is none."""
    order = np.argsort(given)
    x = np.linspace(min(given), max(given), 1001)
    gain = np.interp(x, np.array(given)[order], np.array(out)[order]) - x
    good = x[gain >= least]
    return (float(good[0]), float(good[-1])) if len(good) else None


# %% tags=["check"]
for points, outs in (([20, 30, 40], [30, 33, 29]), ([40, 30, 20], [29, 33, 30])):
    found = range_of_use(points, outs, 1.0)
    assert found is not ..., (
        "range_of_use returns `...`. Hint: np.linspace, np.interp, gain >= least."
    )
    assert np.shape(found) == (2,), (
        f"Two numbers are expected, lowest and highest. It returned {found!r}. "
        "Hint: the first and the last x at which the gain is large enough."
    )
    assert np.allclose(found, (20, 31.43), atol=0.05), (
        f"Inputs {points} that come out as {outs} gain 1 dB or more from 20 to 31.43 dB. "
        f"Yours: {found}. Hint: gain = out - given; np.interp wants rising inputs, so bring "
        "both into the order np.argsort(given)."
    )
try:
    found = range_of_use([20, 30], [20, 30], 1.0)
except IndexError as error:
    found = error
assert found is None, (
    "A method that does nothing gains 1 dB nowhere. Hint: return None where no x is left. "
    f"Yours: {found!r}."
)
found = range_of_use([10, 20, 30], [10, 25, 30], 2.0)
assert np.allclose(found, (14, 26), atol=0.05), (
    f"The range may begin above the lowest input: here 14 to 26 dB. Yours: {found}."
)
for name, model in networks.items():
    out = [psnr(test_photos, model.restore(noisy(test_photos, level / 255))) for level in levels]
    found = range_of_use(given, out, 1.0)
    low, high = (np.nan, np.nan) if found is None else found
    print(f"{name:22} gains 1 dB or more for inputs of {low:.1f} to {high:.1f} dB")
print("Right: and outside the inputs tried the label says nothing.")

# %% [markdown]
# ### Exercise 2: stop in time
#
# Early stopping may not look into the future. It stops as soon as the validation loss has not
# reached a new minimum for `patience` rounds in a row, and goes back to the best round so far.
# Return that round, counted from 0; if it never stops, the best of all.


# %% tags=["exercise"]
def early_stop(losses, patience):
    """The round to go back to."""
    return ...


# %% tags=["solution"]
def early_stop(losses, patience):  # noqa: F811
    """The round to go back to."""
    best = 0
    for current, loss in enumerate(losses):
        if loss < losses[best]:
            best = current
        elif current - best >= patience:
            break
    return best


# %% tags=["check"]
cases = {  # losses and patience: answer and hint
    ((3.0, 2.0, 1.0), 1): (2, "a loss that always falls is never stopped"),
    ((3.0, 2.0, 2.5, 2.6, 2.7), 2): (1, "go back to the best round, not to the last one"),
    ((3.0, 2.0, 2.5, 2.6, 1.0), 2): (1, "it stops in round 3 and never sees round 4"),
    ((3.0, 2.0, 2.5, 2.6, 1.0), 3): (4, "with patience 3 it is still running in round 4"),
    ((3.0, 2.0, 2.5, 1.9, 2.5, 2.4, 1.0), 2): (3, "falling is not enough: below the best so far"),
    ((3.0, 2.0, 2.5, 1.9, 2.5, 1.0), 2): (5, "a new minimum sets the count back to 0"),
}
for (losses, patience), (expected, hint) in cases.items():
    found = early_stop(losses, patience)
    assert found is not ..., "early_stop returns `...`. Hint: a loop that keeps the best round."
    assert found == expected, (
        f"For {losses} and patience {patience} the round is {expected}. It returned {found!r}. "
        f"Hint: {hint}."
    )
print("Right: of the curve of 8 pieces it keeps round", early_stop(list(overfitted), 2), end="")
print(f"; the lowest of all {len(overfitted)} is {np.argmin(overfitted)}.")
