# %% [markdown]
# # 08 · Restoring a sequence
#
# **You will be able to**
#
# - compute what averaging frames removes, and see what it destroys;
# - write a recurrence, compute a ConvLSTM step by hand, and watch its gates at work;
# - train a network that brings lost frames back, beside averages and motion compensation;
# - find a leak: test whether a method looks into the future;
# - restore a film while it runs, and measure how a prediction decays.
#
# **You need** tutorial [01](01_generation_and_restoration.ipynb): `Restorer`, decibels, and what a
# squared error asks for. Tutorial [05](05_cnn_denoising.ipynb) helps.
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
# ## What does time know that one frame does not?
#
# A film is grainy, and two of its eight frames are gone: every pixel is 0. Here are three such
# films (left), what the network of this notebook makes of them (middle), and the truth.
#
# ![A film: digits slide, observed with noise and lost frames, restored, clean](attachment:cover)
#
# In a black frame nothing is left to repair. What you see in its place was known to the frames
# around it. First predict: *does a frame with noise need the other frames as well?*

# %% tags=["setup"]
import itertools
import os
import tracemalloc

import keras
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Image

import keras_imgen as ki

SEED = 0
HEIGHT, WIDTH, FRAMES, LOST = 28, 48, 8, 2  # the digits are 28 x 28, so they can only go sideways
SIGMA = 0.2  # standard deviation of the noise
SEQUENCES, BATCH, EPOCHS = 1000, 4, 8  # of both trainings
FILTERS, CAUSAL_FILTERS = 16, 20  # so that both networks have about the same number of weights
TESTS, SHOWN, AHEAD = 64, 56, 6  # films to measure on, which to look at, frames to predict
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # a quick test: its figures mean nothing
    SEQUENCES, EPOCHS, FILTERS, CAUSAL_FILTERS, TESTS, SHOWN = 8, 1, 4, 5, 16, 8

plt.rcParams["font.size"] = 13
keras.utils.set_random_seed(SEED)  # the same first weights, and so the same pictures, every time

# %% [markdown]
# ## 1. The film, and what can be done without learning
#
# A **sequence** is an array of shape `(frames, height, width, channels)`. In ours a handwritten
# digit slides to the left or to the right at a constant speed, at most 4.8 pixels per frame, and
# bounces off the walls.
#
# A film is degraded like this:
#
# $$y_t = m_t \, (x_t + n_t), \qquad t = 1, \dots, T$$
#
# - $x_t$: the clean frame number $t$, of $T$ (here 8);
# - $n_t$: noise, a random number per pixel with mean 0 and standard deviation $\sigma$ (here 0.2);
# - $m_t$: the **mask**, 1 at every pixel of a frame that arrived, 0 at every pixel of a lost one;
# - $y_t$: the **observed** frame. The mask travels behind it as a second channel.

# %%
film = {"num_frames": FRAMES, "num_digits": 1, "size": (HEIGHT, WIDTH)}
sequences = ki.load_moving_digits(num_sequences=SEQUENCES, batch_size=BATCH, seed=SEED, **film)
films = ki.load_moving_digits("test", num_sequences=TESTS, **film).take(TESTS)  # other digits
degrade = ki.degradations.Compose(
    [ki.degradations.AdditiveNoise(SIGMA, seed=1), ki.degradations.MissingFrames(LOST, seed=2)]
)


def split(degraded):
    """The observed frames without the mask, and which of them are lost."""
    return degraded[..., :1], degraded[..., 1].max(axis=(2, 3)) == 0


def show_strips(rows, columns=FRAMES):
    """Draw films below each other, frame beside frame; `rows` has a title for each."""
    figsize = (10, 1.2 * len(rows) + 0.1)
    _, axes = plt.subplots(len(rows), 1, figsize=figsize, layout="constrained", squeeze=False)
    for ax, (title, frames) in zip(axes[:, 0], rows.items(), strict=True):
        ki.plotting.plot_images(frames, columns, ax=ax)
        ax.set_title(title, fontsize=15)
    plt.show()


degraded = np.asarray(degrade(films))
observed, lost = split(degraded)
print("films, frames, height, width, channels:", degraded.shape)
print("lost frames:", lost.sum(), "of", lost.size)

# %% [markdown]
# We measure in PSNR, and always **two** numbers: noise and loss are different illnesses, which one
# mean would hide. Two ideas without a network:
#
# - the **mean over time**: each pixel becomes its mean over the frames that arrived;
# - **copying**: a lost frame becomes the nearest one that arrived.
#
# First predict: which of them improves the frames with noise, which the lost ones?


# %%
def psnr(clean, pictures):
    """Mean PSNR in dB, of the pictures as a screen can show them."""
    return float(np.mean(ki.metrics.psnr(clean, pictures, clip=True)))


def measure(restored, clean=films, gone=lost):
    """PSNR of all frames with noise, and of all lost frames: two numbers in dB."""
    return tuple(psnr(clean[chosen], restored[chosen]) for chosen in (~gone, gone))


def report(results, clean=films, gone=lost):
    """Print both numbers of each result."""
    for name, restored in results.items():
        noisy_db, lost_db = measure(restored, clean, gone)
        print(f"{name:34} frames with noise {noisy_db:5.1f} dB   lost frames {lost_db:5.1f} dB")


def copy_nearest(frames, gone):
    """Put the nearest frame that arrived in the place of each lost one."""
    filled = frames.copy()
    for number, t in np.argwhere(gone):
        arrived = np.flatnonzero(~gone[number])
        filled[number, t] = frames[number, arrived[np.argmin(np.abs(arrived - t))]]
    return filled


arrived_only = np.where(lost[..., None, None, None], np.nan, observed)  # nan: left out of the mean
results = {
    "observed": observed,
    "mean over time": 0 * films + np.nanmean(arrived_only, axis=1, keepdims=True),
    "nearest frame copied": copy_nearest(observed, lost),
}
report(results)
show_strips({**{name: frames[SHOWN] for name, frames in results.items()}, "clean": films[SHOWN]})

# %% [markdown]
# ($\sigma = 0.2$ means 14.0 dB; clipping halves the noise on black: 16.8.) The mean improves the
# lost frames (13.1 dB), and makes those with noise **worse**: much of the noise is gone, but what
# moves is smeared. Copying keeps the digit sharp, noisy, and in the wrong place: by PSNR that is
# worse than black.
#
# How much noise goes? The mean of $T$ independent values has a $T$-th of their variance (the square
# of the standard deviation):
#
# $$\mathrm{Var}\Big(\frac{1}{T} \sum_{t=1}^{T} n_t\Big) = \frac{\sigma^2}{T}.$$
#
# Test it on a film that stands still.

# %%
still = np.repeat(films[SHOWN, :1], FRAMES, axis=0)  # the first frame, again and again
noise = ki.degradations.AdditiveNoise(SIGMA, seed=3)
still_noisy, moving_noisy = np.asarray(noise(still)), np.asarray(noise(films[SHOWN]))
print(f"variance of the error, one frame:      {np.var(still_noisy[0] - still[0]):.4f}")
print(f"variance of the error, mean of eight:  {np.var(still_noisy.mean(axis=0) - still[0]):.4f}")
print(f"the formula says:                      {SIGMA**2:.4f} and {SIGMA**2 / FRAMES:.4f}")

# %% [markdown]
# ## 2. A memory of one number
#
# The mean needs all frames at once. A cheaper way walks through the film with a **memory** $h_t$,
# one number per pixel. Each step keeps a share of it and mixes in the new:
#
# $$h_t = a \, h_{t-1} + (1 - a) \, x_t$$
#
# - $x_t$: what comes in at step $t$, here and in section 3: for a film, $y_t$;
# - $h_t$: the memory after step $t$, and at the same time the output; it starts with $h_1 = x_1$;
# - $a$: a number from 0 (forget at once) to 1 (never listen).
#
# This **leaky average** is a **recurrence**: it computes each value from the one before. Every
# recurrent network has this form, $h_t = f(x_t, h_{t-1})$, with something richer for $f$.
#
# How much noise does it remove? Put the formula into itself again and again:
# $h_t = (1 - a)(x_t + a \, x_{t-1} + a^2 x_{t-2} + \dots)$. Independent variances add up with the
# squares of these factors, after many steps a geometric series:
#
# $$\mathrm{Var}(h) = (1 - a)^2 \, (1 + a^2 + a^4 + \dots) \, \sigma^2 = \frac{1 - a}{1 + a} \,
# \sigma^2.$$


# %%
def leaky_average(values, a):
    """Walk along the first axis with h = a h + (1 - a) x, and return every h."""
    h, all_h = values[0], []
    for x in values:
        h = a * h + (1 - a) * x
        all_h.append(h)
    return np.stack(all_h)


long_noise = np.random.default_rng(0).normal(0.0, SIGMA, 200_000)
for a in (0.5, 0.7, 0.9):
    left = leaky_average(long_noise, a).var() / SIGMA**2
    print(f"a = {a}:  variance times {left:.3f}   the formula says {(1 - a) / (1 + a):.3f}")
show_strips(
    {
        "a digit that stands still, with noise": still_noisy,
        "its leaky average, $a$ = 0.7: cleaner with every frame": leaky_average(still_noisy, 0.7),
        "a digit that moves, with noise": moving_noisy,
        "its leaky average, $a$ = 0.7: late": leaky_average(moving_noisy, 0.7),
    }
)

# %% [markdown]
# The memory is where the digit *was*. A digit that stands still wants a large $a$, one that moves a
# small one, and a lost frame $a = 1$: there is nothing to listen to. So $a$ should be decided anew,
# at every step and every pixel, by what is seen. And the memory must be able to move.
#
# ## 3. A memory with gates
#
# The **LSTM** (long short-term memory) does so. It has two memories, a protected one $c_t$ and a
# visible one $h_t$, and three **gates**: numbers between 0 (closed) and 1 (open), by which
# something is multiplied. At every step
#
# $$
# \begin{aligned}
# i_t &= S(W_i * x_t + U_i * h_{t-1} + b_i) && \text{input gate: how much of the new comes in} \\
# f_t &= S(W_f * x_t + U_f * h_{t-1} + b_f) && \text{forget gate: how much of the old is kept} \\
# o_t &= S(W_o * x_t + U_o * h_{t-1} + b_o) && \text{output gate: how much is shown} \\
# g_t &= \tanh(W_g * x_t + U_g * h_{t-1} + b_g) && \text{candidate: what would be written} \\
# c_t &= f_t \cdot c_{t-1} + i_t \cdot g_t && \text{cell: the protected memory} \\
# h_t &= o_t \cdot \tanh(c_t) && \text{output: what the next layer sees}
# \end{aligned}
# $$
#
# - $x_t$: what comes in; $h_{t-1}$, $c_{t-1}$: both memories after the step before, at first 0;
# - $W$, $U$, $b$: weights that are learned, a set for each of the first four lines;
# - $S(u) = 1 / (1 + e^{-u})$: the **sigmoid**, which squeezes every number into the range 0 to 1.
#
# Compare the line for $c_t$ with the leaky average: $f_t$ is $a$, and $i_t$ is $1 - a$ (but they
# need not add up to 1), computed from what is seen.
#
# The gates ease an illness, too. What mattered 20 steps ago is learned by a slope that travels back
# through 20 steps and is multiplied by $a$ in each: $0.7^{20} = 0.0008$. This **vanishing
# gradient** is why plain recurrent networks hardly learn what is far away. In a cell the factor is
# $f_t$: $0.99^{20} = 0.82$.
#
# In an LSTM over numbers, $*$ is a matrix product. In a **ConvLSTM** it is a **convolution**, a
# weighted sum over a small square around each place. So memories and gates are pictures, and
# $U * h_{t-1}$ lets the memory move: a kernel of 3 x 3 shifts it by one place per step.
#
# Does Keras's layer compute these six lines? Do it by hand, with its own weights, which lie in one
# array, in the order $i$, $f$, $g$, $o$.


# %%
def convolve(pictures, kernel):
    """The operation * of the formulas: a convolution that keeps the size."""
    return keras.ops.conv(pictures, kernel, padding="same")


def step(x, h, c, W, U, b):
    """One step of a ConvLSTM, the six lines above; and what two of the gates were."""
    mixed = {k: convolve(x, W[k]) + convolve(h, U[k]) + b[k] for k in "ifgo"}
    i, f, o = (keras.ops.sigmoid(mixed[k]) for k in "ifo")
    c = f * c + i * keras.ops.tanh(mixed["g"])
    h = o * keras.ops.tanh(c)
    return h, c, i, f


def walk(layer, frames):
    """Walk through films: outputs, input gates and forget gates, each (films, time, ...)."""
    weights = [
        dict(zip("ifgo", keras.ops.split(array, 4, axis=-1), strict=True))
        for array in layer.get_weights()
    ]
    h = c = keras.ops.zeros((*frames[:, 0].shape[:-1], layer.filters))
    steps = []
    for t in range(frames.shape[1]):
        h, c, i, f = step(frames[:, t], h, c, *weights)
        steps.append((h, i, f))
    return [np.asarray(keras.ops.stack(each, axis=1)) for each in zip(*steps, strict=True)]


layer = keras.layers.ConvLSTM2D(4, 3, padding="same", return_sequences=True)
by_keras = np.asarray(layer(degraded[:1]))  # one film through a layer that has learned nothing yet
by_hand = walk(layer, degraded[:1])[0]
differences = np.abs(by_hand - by_keras).max(axis=(0, 2, 3, 4))
print("largest difference in each frame:", *(f"{value:.0e}" for value in differences))
print("shapes of W, U and b, all four sets:", [w.shape for w in layer.get_weights()])

# %% [markdown]
# Nothing but rounding.
#
# ## 4. The lost frames reappear
#
# `ki.networks.conv_lstm` puts convolutions before and behind such a memory:
#
# 1. **look**: blocks of 2 x 2 pixels become one place with more channels; convolutions see each
#    frame and its mask at half the sides, two of them with what came in added to the result;
# 2. **halve**: a convolution with stride 2 leads to a quarter of the sides, 7 x 12 places;
# 3. **remember**: a ConvLSTM walks through them from the first frame to the last, a second one from
#    the last to the first. So each frame knows past and future: the network is **bidirectional**;
# 4. **enlarge**: all this goes back to half the sides, is joined with what step 1 saw, and becomes
#    a *change* that is added to the observed frame. Before training it is 0.
#
# Now one place is 4 pixels: by that much $U$ can move the memory in a step, where a digit moves up
# to 4.8. (But $W$ sees the neighbours of a place, too.)
#
# The `Restorer` takes clean films, degrades them anew every time, and minimises
#
# $$L = \text{mean of } \; \big( r_\theta(y, m) - x \big)^2$$
#
# - $x$, $y$, $m$: a batch of clean films, the same films degraded, and their masks;
# - $r_\theta$: the network, with all its weights $\theta$;
# - $L$: the **loss**; the mean goes over all films, frames and pixels.
#
# Where the network cannot know, this loss asks for the mean of all that is possible (tutorial 01).
# First predict: how will a lost digit look?
#
# The loss before training can be predicted, too: the network returns $y$, so it is $\sigma^2$ in
# the frames that arrived, and the mean of $x^2$ in the lost ones.


# %%
def decaying_adam(peak, steps):
    """Adam whose learning rate rises for a twentieth of the steps, then falls to nearly 0."""
    schedule = keras.optimizers.schedules.CosineDecay(
        peak / 20,
        decay_steps=steps - steps // 20,
        warmup_target=peak,
        warmup_steps=steps // 20,
        alpha=0.01,
    )
    return keras.optimizers.Adam(schedule)


def new_restorer(**options):
    """An untrained network with its degradation and its optimizer."""
    network = ki.networks.conv_lstm((HEIGHT, WIDTH, 1), extra_channels=1, **options)
    made = ki.Restorer(network, degrade, seed=SEED)
    made.compile(decaying_adam(4e-3, EPOCHS * len(sequences)), loss="mse")
    return made


restorer = new_restorer(filters=FILTERS)
predicted = (~lost).mean() * SIGMA**2 + lost.mean() * np.mean(films[lost] ** 2)
loss, _ = restorer.evaluate(films, batch_size=TESTS, verbose=0)
print(f"loss before training: predicted {predicted:.4f}, measured {loss:.4f}")

# %% [markdown]
# **About 85 seconds** on two idle cores.

# %%
history = restorer.fit(sequences, epochs=EPOCHS, verbose=0)
print("loss, epoch by epoch:", *(f"{value:.4f}" for value in history.history["loss"]))
restored = restorer.restore(degraded)
results["ConvLSTM, both directions"] = restored
report(results)

# %%
three = [
    ki.plotting.side_by_side(observed[n], restored[n], films[n]) for n in range(SHOWN, SHOWN + 3)
]
line = np.ones_like(three[0][:, :2])  # white, between the films
below = np.concatenate([three[0], line, three[1], line, three[2]], axis=1)
below = below.repeat(3, axis=1).repeat(3, axis=2)  # 3 times as large
ki.plotting.save_gif("film.gif", below, seconds=0.4)

# %% tags=["cover"]
Image("film.gif", alt="A film: digits slide, observed with noise and lost frames, restored, clean")

# %%
ki.plotting.plot_sequence(degraded, restored, films, SHOWN)

# %% [markdown]
# Black frames have become digits, in the right places, softer than the others. They gain 6 dB,
# where the mean gains 1.
#
# **Watch the gates.** Walk through the trained forwards ConvLSTM with the loop of section 3, and
# draw two gates, each as the mean of its 16 maps: black is 0, closed, white is 1, open. First
# predict: what will they do when a lost frame comes?

# %%
network = restorer.network
until = keras.Model(network.input, network.get_layer("halve_frames").output)  # steps 1 and 2
layer = network.get_layer("forwards")
seen = until(degraded)
remembered, *gates = walk(layer, seen)
print(f"by hand as by the layer, but for {np.abs(remembered - np.asarray(layer(seen))).max():.0e}")
drawn = {"observed": observed[SHOWN]}
for name, gate in zip(("input gate", "forget gate"), gates, strict=True):
    gate = gate.mean(axis=-1, keepdims=True)
    print(f"{name:12} mean in lost frames {gate[lost].mean():.2f}, in the others", end=" ")
    print(f"{gate[~lost].mean():.2f}")
    drawn[f"{name}, from 0 to 1"] = gate[SHOWN].repeat(4, axis=1).repeat(4, axis=2)
show_strips(drawn)

# %% [markdown]
# In a frame that arrived the input gate is open widest where the digit is, and the forget gate is
# dark: the old is overwritten. In a lost frame the forget gate opens everywhere, on average from
# 0.28 to 0.70: what is known is kept. The input gate falls from 0.53 to 0.42, and is darkest about
# where it was bright. That is what section 2 asked for: a large $a$ where there is nothing to
# listen to. Here it was learned.
#
# ## 5. A contender that knows what motion is
#
# Were the simple methods fair? None of them knew that things *move*. A person would find out by how
# many pixels the digit went from the frame before the gap to the one behind it, move both to the
# place between, and take their mean. This is **motion compensation**. Nothing is learned. What is
# left below 0.3, that is 1.5 $\sigma$, becomes black.


# %%
def shifted(frame, pixels):
    """The frame, moved sideways by whole pixels; what comes in is black."""
    padded = np.pad(frame, ((0, 0), (abs(pixels), abs(pixels)), (0, 0)))
    return np.roll(padded, pixels, axis=1)[:, abs(pixels) : abs(pixels) + frame.shape[1]]


def compensate(frames, gone, fastest=5):
    """Put what two neighbours say, moved at the speed between them, in each lost place."""
    filled = frames.copy()
    for number, t in np.argwhere(gone):
        arrived = np.flatnonzero(~gone[number])
        place = np.clip(np.searchsorted(arrived, t), 1, len(arrived) - 1)
        a, b = arrived[place - 1], arrived[place]  # around t; at an end of the film the nearest two
        first, last = frames[number, a], frames[number, b]
        reach = range(-fastest * (b - a), fastest * (b - a) + 1)
        way = min(reach, key=lambda pixels: np.mean((shifted(first, pixels) - last) ** 2))
        part = round(way * (t - a) / (b - a))
        filled[number, t] = (shifted(first, part) + shifted(last, part - way)) / 2
    return filled


def clear(frames):
    """Black wherever less than 0.3 is left."""
    return np.where(frames < 0.3, 0.0, frames)


results["motion compensated"] = clear(compensate(observed, lost))
results["both: ConvLSTM, then compensated"] = compensate(restored, lost)
report(results)
some = np.arange(8)
when = lost[some].argmax(axis=1)  # the first lost frame of each film
lost_shown = {f"lost frames, {name}": results[name][some, when] for name in list(results)[3:]}
show_strips({**lost_shown, "lost frames, clean": films[some, when]})

# %% [markdown]
# On the lost frames the rule is as good as the network, and sharper: where the digit met a wall
# (columns 2, 4 and 8), sharp in the wrong place. But nobody told the network that there is motion,
# even, sideways and at most 5 pixels a frame, and on the frames with noise it is far ahead. The
# best is **both**: the network removes the noise, the rule fills the gaps.
#
# Break it: **two digits** in one film, each on its own way. First predict: which method is best?

# %%
pair = {**film, "num_digits": 2}
pair_films = ki.load_moving_digits("test", num_sequences=TESTS, **pair).take(TESTS)
pair_degraded = np.asarray(degrade(pair_films))
pair_observed, pair_lost = split(pair_degraded)
pair_results = {
    "two digits: ConvLSTM": restorer.restore(pair_degraded),
    "two digits: motion compensated": clear(compensate(pair_observed, pair_lost)),
}
report(pair_results, pair_films, pair_lost)

# %% [markdown]
# One shift for the whole frame cannot be right for two digits: now the network is ahead of the rule
# by more than a decibel, although it has never seen two.
#
# ## 6. Breaking it: the frames shuffled
#
# What did the network use: that the other frames *exist*, or that they come *in order*? Shuffle the
# observed frames of each film, restore, and put them back in order: only the motion is gone. And
# the extreme case: give it **one frame at a time**, as films of length 1.
#
# First predict: what do the frames with noise lose, what the lost ones?


# %%
def reorder(sets, orders):
    """Put the frames of each film into an order of its own."""
    return np.stack([frames[order] for frames, order in zip(sets, orders, strict=True)])


rng = np.random.default_rng(0)
orders = np.array([rng.permutation(FRAMES) for _ in films])
back = np.argsort(orders, axis=1)  # the order that undoes it
orderly = {
    "restored in order": restored,
    "restored in shuffled order": reorder(restorer.restore(reorder(degraded, orders)), back),
    "restored frame by frame": restorer.restore(degraded.reshape(-1, 1, *degraded.shape[2:])),
}
orderly = {name: frames.reshape(films.shape) for name, frames in orderly.items()}
report(orderly)
show_strips({name: frames[SHOWN] for name, frames in orderly.items()})
one_film = {name: frames[SHOWN] for name, frames in orderly.items()}
ax = ki.plotting.plot_over_time(films[SHOWN], one_film, lost[SHOWN])
ax.set_title("The same film, frame by frame")
ax

# %% [markdown]
# The lost frames fall by about 5 dB, to where the plain mean over time stood: the network looks for
# the digit between two frames that are not neighbours. Frame by frame nothing comes back but a
# dark grey: a convolution that sees the same everywhere answers the same.
#
# The frames with noise do not notice (27.1 dB each time; in the diagram the curves lie on each
# other). So this is what time knows here that one frame does not: **where things are, and not what
# they look like without noise**.
#
# ## 7. Breaking it: the future cut off
#
# Live video has no future. A network that uses frames up to the present only is **causal**. Ours
# becomes so without the ConvLSTM that walks backwards. To be fair, it gets more filters, 20 in
# place of 16, and so about as many weights; all else is the same.
#
# **About 90 seconds.**

# %%
causal_restorer = new_restorer(filters=CAUSAL_FILTERS, causal=True)
causal_restorer.fit(sequences, epochs=EPOCHS, verbose=0)
both = {"both directions": restorer, "causal": causal_restorer}
print("weights:", *(model.network.count_params() for model in both.values()))
causal_restored = causal_restorer.restore(degraded)
report({"ConvLSTM, causal": causal_restored})

# %% [markdown]
# On lost frames it is behind (16.4 against 18.3 dB), on noise not (27.3 against 27.1).
#
# Is it causal? Exchange black and white in frame 6 (a lost one turns white). Which of the eight
# answers change?

# %%
changed = degraded.copy()
changed[:, 5, ..., 0] = 1.0 - changed[:, 5, ..., 0]
print("largest change of the answer in each frame, after a change in frame 6")
for name, model in both.items():
    moved = np.abs(model.restore(changed) - model.restore(degraded)).max(axis=(0, 2, 3, 4))
    print(f"{name:16}", "  ".join("0   " if value == 0 else f"{value:.2f}" for value in moved))

# %% [markdown]
# Exactly 0 in the five frames before the change. In the other network the news travels backwards,
# too. The same test finds methods that are called causal and are not: exercise 3.
#
# What is causal can work while the film runs: a frame comes, the network answers, keeps $h$ and
# $c$, and forgets the frame. This is **streaming**. First predict: how far are the answers from
# those to the whole film, and how does the memory grow with its length?

# %%
streamed = np.stack(list(causal_restorer.stream(frame for frame in degraded[SHOWN])))
print(
    f"largest difference from the whole film: {np.abs(streamed - causal_restored[SHOWN]).max():.0e}"
)


def most_memory(num_frames):
    """The most memory, in MB, that arrays take while so many frames are streamed."""
    camera = itertools.islice(itertools.cycle(degraded[SHOWN]), num_frames)
    tracemalloc.start()
    for _ in causal_restorer.stream(camera):
        pass
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 1e6


for num_frames in (10, 100, 300):
    whole = num_frames * degraded[0, 0].nbytes / 1e6
    print(
        f"{num_frames:3} frames: {most_memory(num_frames):.1f} MB, the film itself {whole:.1f} MB"
    )

# %% [markdown]
# They are equal, and the memory does not grow: $h$ and $c$ are 2 x 20 maps of 7 x 12 numbers.
# Trained on 8 frames, the network runs through 300: its loop does not know how many steps it will
# take.
#
# Now hide one frame in all films, each place in its turn. First predict: **at which place are the
# two equally good, and where do they differ most?**

# %%
few = films[::2]  # every second one is enough
few_noisy = np.asarray(ki.degradations.AdditiveNoise(SIGMA, seed=4)(few))


def hide(noisy, places):
    """Lose the frames at these places in all films, and append the mask."""
    mask = np.ones_like(noisy)
    mask[:, places] = 0.0
    return np.concatenate([noisy * mask, mask], axis=-1)


figure, ax = plt.subplots(figsize=(9, 4), layout="constrained")
hidden = {}
for (name, model), style in zip(both.items(), ("o-", "s-"), strict=True):
    found = [model.restore(hide(few_noisy, place))[:, place] for place in range(FRAMES)]
    values = [psnr(few[:, place], frames) for place, frames in enumerate(found)]
    print(f"{name:16}", "  ".join(f"{value:.1f}" for value in values))
    ax.plot(range(1, FRAMES + 1), values, style, label=name)
    hidden[f"each frame restored when it alone was lost, {name}"] = np.stack(found, 1)[SHOWN // 2]
ax.set(xlabel="which frame was lost", ylabel="its PSNR in dB", title="One lost frame of eight")
ax.legend()
plt.show()
show_strips({**hidden, "clean": few[SHOWN // 2]})

# %% [markdown]
# - **The first two frames** are where they differ most, by 4 dB. In the first the causal network
#   has nothing, and answers with a grey blot. In the second it knows the digit and where it was,
#   but not where it was going.
# - **The middle.** Between past and future a network **interpolates**. With the past alone it
#   **extrapolates**: it must judge the speed. That costs about 2 dB.
# - **The last frame.** No future for anybody: the two are equal within a decibel.
#
# ## 8. Prediction, and how errors grow
#
# Frames that are still to come are lost frames at the end: to fill them in is to **predict**. New
# films have 14 frames; 8 are seen, with noise, and 6 asked for. In training never more than two
# were lost. Four ways:
#
# - the **last frame copied**, as the causal network has restored it;
# - the **motion rule** of section 5, going on from the last two restored frames;
# - the causal network **all at once**: it sees six black frames;
# - the same network **one at a time**: its first prediction is called a frame that arrived, and so
#   on, a **roll-out**.
#
# First predict: is it better for a network to see black frames, or its own guesses?

# %%
later = {**film, "num_frames": FRAMES + AHEAD}
later_films = ki.load_moving_digits("test", num_sequences=TESTS, **later).take(TESTS)
later_noisy = np.asarray(ki.degradations.AdditiveNoise(SIGMA, seed=4)(later_films))
given, truth = later_noisy[:, :FRAMES], later_films[:, FRAMES:]
cleaned = causal_restorer.restore(hide(later_noisy, slice(FRAMES, None)))
unknown = np.arange(FRAMES + AHEAD) >= FRAMES
predicted = {
    "last frame copied": cleaned[:, FRAMES - 1 : FRAMES].repeat(AHEAD, axis=1),
    "motion rule": compensate(cleaned, np.array([unknown] * TESTS))[:, FRAMES:],
    "network, all at once": causal_restorer.extrapolate(given, AHEAD),
    "network, one at a time": causal_restorer.extrapolate(given, AHEAD, at_a_time=1),
    "black": 0 * truth,
}
figure, ax = plt.subplots(figsize=(9, 4), layout="constrained")
for (name, frames), style in zip(predicted.items(), ("v-", "^--", "o-", "s-", ":"), strict=True):
    values = [psnr(truth[:, t], frames[:, t]) for t in range(AHEAD)]
    brightness = frames.mean() / truth.mean()
    print(f"{name:23}", "  ".join(f"{v:.1f}" for v in values), f"  light {brightness:.2f}")
    ax.plot(range(1, AHEAD + 1), values, style, label=name)
ax.set(xlabel="frames ahead", ylabel="PSNR in dB", title="Prediction: errors grow")
ax.legend()
plt.show()
predicted = {name: frames for name, frames in predicted.items() if name != "black"}
show_strips({**{k: v[SHOWN] for k, v in predicted.items()}, "clean": truth[SHOWN]}, columns=AHEAD)

# %% [markdown]
# One frame ahead the rule is best (18.9 dB against 17.6); from the second on the network is. The
# rule knows no walls: in the picture it drives the 6 out of the frame, and from the fourth on it is
# worse than black. Copying is so from the third.
#
# **All at once** ends as fog, with 1.3 times the light of the truth, and six frames ahead it is
# hardly better than black. **One at a time** is ahead by 0.9 dB there and, in this film, sharper;
# but the 6 has become a ring. What was fog in one guess is taken for a fact in the next. A sharp
# prediction is not a sure one.
#
# ## What to remember
#
# 1. An average over time removes noise and smears what moves. The gates of a ConvLSTM are the $a$
#    of a leaky average, decided anew at each step and place.
# 2. What time added here was the *place* of things: lost frames live by the order of the frames,
#    those with noise were restored as well one by one.
# 3. Beside the network belongs the simplest method that knows what a person knows: motion
#    compensation is nearly as good on lost frames, until two digits move.
# 4. Between known frames a network interpolates, at the end it extrapolates; a causal one always.
#    But it can work while the film runs, in memory that does not grow.
# 5. Whether a method looks ahead is found by changing a frame and watching the answers before it.
# 6. Predictions decay with every step; fed back, a guess becomes a fact.
#
# ## You should see / if not
#
# Measured with `SEED` 0, 1 and 2:
#
# - **Without training**, whatever `SEED` is: mean over time 14.2 dB for frames with noise, 13.1 for
#   lost ones; motion compensated 18.9 and 18.1. *If not*: was `SIGMA`, `LOST` or `TESTS` changed?
# - **ConvLSTM**: 27.1 to 27.3 and 18.2 to 18.4 dB; then compensated 20.5 or 20.6. Two digits: 14.7
#   to 14.9, the rule 13.5. *If not*: was the training stopped?
# - **Gates**, in lost frames and the others: input 0.42 to 0.45 and 0.50 to 0.58, forget 0.70 to
#   0.73 and 0.28 to 0.38. *If not*: are these the weights of the trained layer?
# - **Shuffled**: lost frames 13.0; one by one 12.2 to 12.4. *If not*: was the mask shuffled, too?
# - **Causal**: 27.3 to 27.5 and 16.4 or 16.5; the second frame alone 15.1 or 15.2 (both directions:
#   19.2 to 19.4). *If not*, and an answer before frame 6 changes: was it built with `causal=True`?
# - **Prediction**: one frame ahead 17.6 to 17.9, six ahead 12.1 to 12.9 all at once, 12.9 or 13.0
#   one at a time. *If not*: was `at_a_time=1` passed?
#
# With a graphics card, raise `SEQUENCES`, then `FILTERS`.
#
# **In papers this is called.** Bringing lost frames back is error concealment or frame
# interpolation. Our films are known as Moving MNIST. A causal network works online, the other one
# offline.
#
# ## Read on
#
# - S. Hochreiter and J. Schmidhuber, *Long Short-Term Memory*, Neural Computation 9(8), 1997;
#   easier to read: K. Greff and others, *LSTM: A Search Space Odyssey*, 2015, [arXiv
#   1503.04069](https://arxiv.org/abs/1503.04069).
# - X. Shi and others, *Convolutional LSTM Network*, 2015, [arXiv
#   1506.04214](https://arxiv.org/abs/1506.04214): made for rain radar.
# - N. Srivastava and others, *Unsupervised Learning of Video Representations using LSTMs*, 2015,
#   [arXiv 1502.04681](https://arxiv.org/abs/1502.04681): the moving digits.
#
# The digits are from MNIST (Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0).

# %% [markdown]
# ## Exercises
#
# Replace each `...`, run the cell, then the check below it. These four methods are the suspects of
# exercise 3. Each is said to be causal.


# %%
def method_a(frames, gone):
    """A lost frame becomes the last one that arrived."""
    arrived = np.flatnonzero(~gone)
    places = [max(np.searchsorted(arrived, t, "right") - 1, 0) for t in range(len(frames))]
    return frames[arrived[places]]


def method_b(frames, gone):
    """Black and white are stretched by the darkest and brightest values so far."""
    low = np.minimum.accumulate(frames.min(axis=(1, 2, 3), keepdims=True))
    high = np.maximum.accumulate(frames.max(axis=(1, 2, 3), keepdims=True))
    return (frames - low) / (high - low + 0.01)


def method_c(frames, gone):
    """The median of three frames; what is missing at the ends is copied from there."""
    padded = np.concatenate([frames[:1], frames[:1], frames])
    return np.median([padded[2:], padded[1:-1], padded[:-2]], axis=0)


def method_d(frames, gone):
    """The mean of all frames that arrived up to now."""
    count = np.maximum(np.cumsum(~gone), 1)
    return np.cumsum(frames, axis=0) / count[:, None, None, None]


suspects = {"A": method_a, "B": method_b, "C": method_c, "D": method_d}
answers = {
    f"method {letter}": np.stack([method(*pair) for pair in zip(observed, lost, strict=True)])
    for letter, method in suspects.items()
}
report(answers)

# %% [markdown]
# ### Exercise 1: as good as the mean of eight
#
# Section 1: the mean of 8 frames leaves an eighth of the variance. By how many dB is the noise
# weaker? And which $a$ makes a leaky average that leaves an eighth, too?

# %% tags=["exercise"]
gain_db = ...  # a positive number, in dB
a_eighth = ...  # between 0 and 1

# %% tags=["solution"]
gain_db = 10 * np.log10(8)
a_eighth = 7 / 9  # (1 - a) / (1 + a) = 1 / 8, so 8 - 8 a = 1 + a

# %% tags=["check"]
for name, value, right, hint in (
    ("gain_db", gain_db, 9.03, "10 log10 of a ratio of variances, here 8."),
    ("a_eighth", a_eighth, 0.78, "multiply (1 - a) / (1 + a) = 1 / 8 by 8 (1 + a); collect a."),
):
    assert isinstance(value, (int, float, np.number)), (
        f"{name} should be a number. It is {value!r}. Hint: {hint}"
    )
    assert abs(value / right - 1) < 0.01, f"{name} = {value:.3f} is not it. Hint: {hint}"
left = leaky_average(long_noise, a_eighth).var() / SIGMA**2
print(f"Right: {gain_db:.1f} dB, and a = {a_eighth:.3f} leaves {left:.3f} of the variance.")

# %% [markdown]
# ### Exercise 2: count the weights
#
# How many weights has a ConvLSTM with `filters` filters and kernels of `k` x `k`, on frames of
# `channels` channels? Look at the shapes of $W$, $U$ and $b$ that section 3 printed.


# %% tags=["exercise"]
def count_weights(channels, filters, k):
    """The number of weights of ConvLSTM2D: an integer."""
    return ...


# %% tags=["solution"]
def count_weights(channels, filters, k):  # noqa: F811
    """The number of weights of ConvLSTM2D: an integer."""
    return 4 * (k * k * channels * filters + k * k * filters * filters + filters)


# %% tags=["check"]
for channels, filters, k in ((2, 4, 3), (16, 16, 3), (5, 3, 5)):
    made = keras.layers.ConvLSTM2D(filters, k, padding="same")
    made.build((None, None, 8, 8, channels))
    found = count_weights(channels, filters, k)
    assert found == made.count_params(), (
        f"With {channels} channels, {filters} filters and k = {k} there are {made.count_params()} "
        f"weights. Yours: {found!r}. Hint: W leads from channels to filters, U from filters to "
        "filters, each with k * k numbers a pair; b has one per filter; all of it four times."
    )
print(f"Right. The two ConvLSTMs of our network have {2 * count_weights(FILTERS, FILTERS, 3)}.")

# %% [markdown]
# ### Exercise 3: find the leak
#
# One of the four suspects above looks ahead, but not in every film. Write the test of section 7: in
# **all** films of `observed`, change a frame, each place in its turn, and see whether an earlier
# frame of the answer moves. Leave `lost` as it is. Then name the suspect.


# %% tags=["exercise"]
def looks_ahead(method):
    """True if the change of a frame ever moves an earlier frame of method(frames, gone)."""
    return ...


leak = ...  # "A", "B", "C" or "D"


# %% tags=["solution"]
def looks_ahead(method):  # noqa: F811
    """True if the change of a frame ever moves an earlier frame of method(frames, gone)."""
    for frames, gone in zip(observed, lost, strict=True):
        before = method(frames, gone)
        for t in range(1, FRAMES):
            changed = frames.copy()
            changed[t] = 1.0 - changed[t]
            if np.any(method(changed, gone)[:t] != before[:t]):
                return True
    return False


leak = "A"  # if the first frame is lost, it takes the first that arrives, which lies in the future

# %% tags=["check"]
kept = observed.copy(), lost.copy()
for trial, right, hint in (
    (lambda f, gone: f, False, "it changes nothing. Frame t itself may move, and later ones."),
    (lambda f, gone: 0 * f + f.mean(axis=0), True, "it is the mean over time. See [:t] alone."),
    (lambda f, gone: f[[0, 1, 2, 3, 4, 5, 7, 7]], True, "only frame 7 looks ahead. Change all."),
    (lambda f, gone: f + f[-1] * gone[0], True, "few films show it. Try all of them."),
    (suspects["D"], False, "method D adds up what was seen. Compare frames before t only."),
):
    said = looks_ahead(trial)
    assert isinstance(said, (bool, np.bool_)), (
        f"looks_ahead should return True or False. It returned {said!r}. Hint: a loop over the "
        "films, within it one over the places t; np.any(... != ...) compares."
    )
    assert said == right, f"looks_ahead says {said} of a method it should not. Hint: {hint}"
assert all(np.array_equal(a, b) for a, b in zip(kept, (observed, lost), strict=True)), (
    "Your test has changed the films themselves. Hint: change a copy, and run the notebook again."
)
assert leak in list(suspects), (
    f'leak should be "A", "B", "C" or "D". It is {leak!r}. Hint: ask looks_ahead about each.'
)
assert looks_ahead(suspects[leak]), (
    f"Not {leak}: whatever frame is changed, no earlier one of its answer moves, in no film. "
    "Hint: ask looks_ahead about the other three."
)
print(f"Right: {leak} looks ahead in the {lost[:, 0].sum()} films that begin with a loss.")
