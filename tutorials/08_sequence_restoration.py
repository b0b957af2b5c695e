# %% [markdown]
# # 08 · Restoring a sequence
#
# **You will be able to**
#
# - say what averaging frames removes, what it destroys, and compute both;
# - write a recurrence, name the gates of an LSTM, and compute a ConvLSTM step by hand;
# - train a network that brings lost frames back, and measure it beside three simple methods;
# - test whether a network looks into the future;
# - predict where a network that may not see the future must fail.
#
# **You need** tutorial 01: `Restorer`, decibels, and what a squared error asks for. Tutorial 05
# helps.
#
# **Time** on two CPU cores: 3 minutes of computing, 80 minutes with reading and exercises.

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
# ## What does time know that one frame does not?
#
# A film is grainy, and two of its eight frames are gone. They are not damaged, they are gone: every
# pixel is 0. Here is such a film, what the network of this notebook makes of it, and the truth.
#
# ![A film with noise and two lost frames, restored, and clean](attachment:cover)
#
# Nothing of the black frames was left to repair. What you see in their place was known to the
# frames around them. This notebook is about a network that asks them, and about what happens when
# it may not.

# %% tags=["setup"]
import inspect
import os

import keras
import matplotlib.pyplot as plt
import numpy as np

import keras_imgen as ki

SEED = 0
HEIGHT, WIDTH, FRAMES, LOST = 28, 48, 8, 2  # the digits are 28 x 28, so they can only go sideways
SIGMA = 0.2  # standard deviation of the noise
SEQUENCES, BATCH, EPOCHS = 500, 4, 8  # of both trainings
FILTERS, CAUSAL_FILTERS = 16, 22  # so that both networks have about the same number of weights
TESTS, SHOWN = 64, 56  # films to measure on, and which of them to look at
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # a quick test: its figures mean nothing
    SEQUENCES, EPOCHS, FILTERS, CAUSAL_FILTERS, TESTS, SHOWN = 8, 1, 4, 5, 16, 4

keras.utils.set_random_seed(SEED)  # the same first weights, and so the same pictures, every time

# %% [markdown]
# ## 1. The film, and what can be done without learning
#
# A **sequence** is an array of shape `(frames, height, width, channels)`. In ours a handwritten
# digit slides to the left or to the right at a constant speed and bounces off the walls. How fast
# differs from film to film; at most 4.8 pixels per frame.
#
# What happens to a film is written
#
# $$y_t = m_t \, (x_t + n_t), \qquad t = 1, \dots, T$$
#
# - $x_t$: the clean frame number $t$, of $T$ (here 8);
# - $n_t$: noise, a random number per pixel with mean 0 and standard deviation $\sigma$ (here 0.2);
# - $m_t$: the **mask**, 1 at every pixel of a frame that arrived, 0 at every pixel of a lost one;
# - $y_t$: the **observed** frame. The mask travels behind it as a second channel.

# %%
film = {"num_frames": FRAMES, "num_digits": 1, "size": (HEIGHT, WIDTH)}
sequences = ki.load_moving_digits(
    num_sequences=SEQUENCES, batch_size=BATCH, seed=SEED, **film
)  # to learn from
films = ki.load_moving_digits("test", num_sequences=TESTS, **film).take(TESTS)  # other digits
spoil = ki.degradations.Compose(
    [
        ki.degradations.AdditiveNoise(SIGMA, seed=1),
        ki.degradations.MissingFrames(LOST, seed=2),
    ]
)
spoiled = np.asarray(spoil(films))
observed = spoiled[..., :1]  # without the mask
lost = spoiled[..., 1].max(axis=(2, 3)) == 0  # which frames of which films
print("films, frames, height, width, channels:", spoiled.shape)
print("lost frames:", lost.sum(), "of", lost.size)


def show_strips(rows, columns=FRAMES):
    """Draw films below each other, frame beside frame; `rows` has a title for each."""
    height = max(0.95, 0.75 * len(next(iter(rows.values()))) / columns)
    figsize = (8, height * len(rows))
    _, axes = plt.subplots(len(rows), 1, figsize=figsize, layout="constrained", squeeze=False)
    for ax, (title, frames) in zip(axes[:, 0], rows.items(), strict=True):
        ki.plotting.plot_images(frames, columns, title, ax=ax)
    plt.show()


show_strips({"clean  $x_t$": films[SHOWN], "observed  $y_t$": observed[SHOWN]})

# %% [markdown]
# Damage and repair are measured in PSNR, and always as **two** numbers. A frame with noise and a
# lost frame are different illnesses; their mean would hide how each of them is doing.


# %%
def mean_psnr(clean, pictures):
    """The mean over several pictures; what lies outside [0, 1] is cut off, as on a screen."""
    return float(np.mean(ki.metrics.psnr(clean, np.clip(pictures, 0.0, 1.0))))


def measure(restored):
    """PSNR of all frames with noise, and of all lost frames: two numbers in dB."""
    return tuple(mean_psnr(films[frames], restored[frames]) for frames in (~lost, lost))


def report(name, restored):
    noisy_db, lost_db = measure(restored)
    print(f"{name:32} frames with noise {noisy_db:5.1f} dB   lost frames {lost_db:5.1f} dB")


report("observed", observed)

# %% [markdown]
# What would you do without a network? Three ideas:
#
# - the **mean over time**: each pixel becomes its mean over the frames that arrived. Independent
#   noise averages out;
# - the **median over time**: the value in the middle instead, which ignores what is only there for
#   a moment;
# - **copying**: a lost frame becomes the nearest one that arrived.
#
# Guess before you run it: which of them improve the frames with noise?


# %%
def copy_nearest(frames, gone):
    """Put the nearest frame that arrived in the place of each lost one."""
    filled = frames.copy()
    for number, t in np.argwhere(gone):
        arrived = np.flatnonzero(~gone[number])
        filled[number, t] = frames[number, arrived[np.argmin(np.abs(arrived - t))]]
    return filled


with_gaps = np.where(lost[..., None, None, None], np.nan, observed)  # nan: left out of the mean
simple = {
    "mean over time": np.nanmean(with_gaps, axis=1, keepdims=True) + np.zeros_like(observed),
    "median over time": np.nanmedian(with_gaps, axis=1, keepdims=True) + np.zeros_like(observed),
    "nearest frame copied": copy_nearest(observed, lost),
}
report("observed", observed)
for name, frames in simple.items():
    report(name, frames)
show_strips({name: frames[SHOWN] for name, frames in simple.items()})

# %% [markdown]
# Mean and median make the frames with noise **worse** than they were. Much of the noise is gone. So
# is the digit: what moves is smeared along its path. Copying keeps the digit sharp, in the wrong
# place, and brings the noise of its neighbour along: by PSNR that is even worse than leaving the
# frame black.
#
# In numbers, on a film that stands still, so that nothing can smear. The mean of $T$ independent
# values has a $T$-th of their variance:
#
# $$\mathrm{Var}\Big(\frac{1}{T} \sum_{t=1}^{T} n_t\Big) = \frac{\sigma^2}{T},$$
#
# where $\mathrm{Var}$ is the variance, the square of the standard deviation.

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
# The mean needs all frames at once. A cheaper way walks through the film and carries a **memory**
# $h_t$ along, one number per pixel. In each step it keeps a share of the memory and mixes in the
# new value:
#
# $$h_t = a \, h_{t-1} + (1 - a) \, x_t$$
#
# - $x_t$: what comes in at step $t$;
# - $h_t$: the memory after step $t$, and at the same time the output; it starts with $h_1 = x_1$;
# - $a$: a number from 0 (forget at once) to just below 1 (hardly listen).
#
# This is called a **leaky average**. It is a **recurrence**: a formula that computes each value
# from the one before. Every recurrent network has this form, $h_t = f(x_t, h_{t-1})$, with
# something richer in the place of $f$.
#
# How much noise does it remove? Put the formula into itself again and again:
# $h_t = (1 - a)(x_t + a \, x_{t-1} + a^2 x_{t-2} + \dots)$. Independent variances add up with the
# squares of these factors, a geometric series:
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

# %% [markdown]
# With $a = 0.7$ less than a fifth of the variance is left. Now on pictures. The same memory, the
# same noise; only one of the two digits moves.

# %%
show_strips(
    {
        "a digit that stands still, with noise": still_noisy,
        "its leaky average, $a$ = 0.7: cleaner with every frame": leaky_average(still_noisy, 0.7),
        "a digit that moves, with noise": moving_noisy,
        "its leaky average, $a$ = 0.7: late": leaky_average(moving_noisy, 0.7),
    }
)

# %% [markdown]
# The memory is where the digit *was*. For the digit that stands still one would like a large $a$,
# for the one that moves a small one, and in a lost frame $a = 1$: there is nothing to listen to. So
# $a$ should not be a constant. It should be decided anew, at every step and every pixel, by what is
# seen. And the memory must be able to move.
#
# ## 3. A memory with gates
#
# The **LSTM** (long short-term memory) decides its $a$ anew in every step. It has two memories, a
# protected one $c_t$ and a visible one $h_t$, and three **gates**: numbers between 0 (closed) and 1
# (open), by which something is multiplied. At every step
#
# $$
# \begin{aligned}
# i_t &= S(W_i * x_t + U_i * h_{t-1} + b_i) && \text{input gate} \\
# f_t &= S(W_f * x_t + U_f * h_{t-1} + b_f) && \text{forget gate} \\
# o_t &= S(W_o * x_t + U_o * h_{t-1} + b_o) && \text{output gate} \\
# g_t &= \tanh(W_g * x_t + U_g * h_{t-1} + b_g) && \text{candidate} \\
# c_t &= f_t \cdot c_{t-1} + i_t \cdot g_t && \text{cell} \\
# h_t &= o_t \cdot \tanh(c_t) && \text{output}
# \end{aligned}
# $$
#
# - $x_t$: what comes in at step $t$;
# - $h_{t-1}$, $c_{t-1}$: the two memories after the step before; both start at 0;
# - $i_t$: how much of the new is let in; $f_t$: how much of the old is kept (a gate that is *open*
#   keeps); $o_t$: how much of the cell is shown;
# - $g_t$: the **candidate**, what would be written into the memory, between -1 and 1;
# - $c_t$: the **cell**, the protected memory; $h_t$: what the next layer sees;
# - $W$, $U$, $b$: weights that are learned, a set for each of the four lines;
# - $S(u) = 1 / (1 + e^{-u})$: the **sigmoid**, which squeezes every number into the range 0 to 1.
#
# Compare the line for $c_t$ with the leaky average: $f_t$ is $a$, and $i_t$ is $1 - a$. Only now
# they are computed from what is seen, and they need not add up to 1.
#
# The gates cure an illness, too. To learn that something 20 steps ago mattered, the slope of the
# loss must travel back through 20 steps, and in each of them it is multiplied by about $a$. With
# $a = 0.7$ that leaves $0.7^{20} = 0.0008$ of it: the **gradient vanishes**, and a plain recurrent
# network does not learn what is far away. In a cell the factor is $f_t$. A gate that is open, $f_t
# = 0.99$, leaves $0.99^{20} = 0.82$.
#
# In an LSTM over numbers, $*$ is a matrix product. In a **ConvLSTM**, $*$ is a **convolution**:
# each value of the result is a weighted sum over a small square around the same place. Then $x_t$,
# $h_t$, $c_t$ and all gates are pictures. Each place has gates of its own, and $U * h_{t-1}$ lets
# the memory move: a kernel of 3 x 3 can shift it by one
# place per step.
#
# Six lines of formula, and Keras has a layer for them. Is it the same? Compute it by hand, with the
# layer's own weights. Keras keeps the four sets in one array, in the order $i$, $f$, $g$, $o$.

# %%
layer = keras.layers.ConvLSTM2D(4, 3, padding="same", return_sequences=True)
by_keras = np.asarray(layer(spoiled[:1]))  # one film through a layer that has learned nothing yet

W, U, b = (
    dict(zip("ifgo", keras.ops.split(weights, 4, axis=-1), strict=True))
    for weights in layer.get_weights()
)


def convolve(pictures, kernel):
    """The operation * of the formulas: a convolution that keeps the size."""
    return keras.ops.conv(pictures, kernel, padding="same")


def step(x, h, c):
    """One step of a ConvLSTM: the six lines above."""
    mixed = {k: convolve(x, W[k]) + convolve(h, U[k]) + b[k] for k in "ifgo"}
    i, f, o = (keras.ops.sigmoid(mixed[k]) for k in "ifo")
    g = keras.ops.tanh(mixed["g"])
    c = f * c + i * g
    h = o * keras.ops.tanh(c)
    return h, c


h = c = keras.ops.zeros((1, HEIGHT, WIDTH, 4))
for t in range(FRAMES):
    h, c = step(spoiled[:1, t], h, c)
    difference = np.abs(np.asarray(h) - by_keras[:, t]).max()
    print(f"frame {t + 1}: the largest difference is {difference:.0e}")
print("shapes of W, U and b, all four sets:", [w.shape for w in layer.get_weights()])

# %% [markdown]
# Nothing but rounding. The whole recurrence is this loop of eight steps.
#
# ## 4. The network, and its training step
#
# `ki.networks.conv_lstm` puts a small convolutional network before and behind it:
#
# 1. **halve**: a convolution turns each frame and its mask into 16 pictures of half the size;
# 2. **remember**: a ConvLSTM walks through them from the first frame to the last. A second one,
#    with weights of its own, walks from the last to the first. So each frame knows its past and its
#    future: the network is **bidirectional**;
# 3. **enlarge**: what both remember is brought back to full size, joined with the observed frame,
#    and turned into a *change* that is added to the observed frame.
#
# Before training that change is 0, so the network begins by returning what it is given.

# %%
restorer = ki.Restorer(
    ki.networks.conv_lstm((HEIGHT, WIDTH, 1), extra_channels=1, filters=FILTERS),
    spoil,
    seed=SEED,
)
print("weights:", restorer.network.count_params())
untrained = np.asarray(restorer(spoiled[:2]))
print("largest change before training:", np.abs(untrained - observed[:2]).max())

# %% [markdown]
# How does it learn? The `Restorer` takes clean films and spoils them itself. What it makes small is
#
# $$L = \text{mean of } \; \big( r_\theta(y, m) - x \big)^2$$
#
# - $x$: a batch of clean films; $y = m (x + n)$: the same, spoiled anew with other noise and other
#   lost frames every time it comes by; $m$: the masks;
# - $r_\theta$: the network, with all its weights $\theta$;
# - $L$: the **loss**; the mean goes over all films, frames and pixels.
#
# The code says the same.

# %%
print(inspect.getsource(ki.Restorer.train_step))
print(inspect.getsource(ki.Restorer.prepared))

# %% [markdown]
# Line by line, beginning with the second function:
#
# - `batch.clean` is $x$. (The line with `check` refuses a kind of network that does not work on
#   pictures of all sizes. `batch.observed` is None, unless somebody has films of both kinds and
#   brings them as pairs.)
# - `self.degradation(batch.clean, training=True)` is $y$ with $m$, and the last line returns the
#   pair $(y \text{ with } m, \; x)$. `training=True` draws new noise and new lost frames.
# - `prepared_step(..., super().train_step, ...)` gives this pair to the training step of Keras,
#   which computes $r_\theta(y, m)$, the loss $L$ and its gradient, and lets the optimizer change
#   $\theta$.
#
# There is no word about time in it, and none about lost frames. The same step trains a denoiser of
# single pictures. That a sequence is a sequence is the network's business alone.
#
# Check the formula in numbers. Before training the network returns $y$. So the loss is known in
# advance: $\sigma^2$ in the frames that arrived, and the mean of $x^2$ in the lost ones, where
# $y = 0$.


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


STEPS = EPOCHS * len(sequences)
restorer.compile(decaying_adam(4e-3, STEPS), loss="mse")

predicted = (~lost).mean() * SIGMA**2 + lost.mean() * np.mean(films[lost] ** 2)
loss, _ = restorer.evaluate(films, batch_size=TESTS, verbose=0)
print(f"loss before training: predicted {predicted:.4f}, measured {loss:.4f}")
share = lost.mean() * np.mean(films[lost] ** 2) / predicted
print(f"share of it that comes from the lost frames: {share:.0%}")

# %% [markdown]
# ## 5. What will it do where it cannot know?
#
# A question before the training. If a network sees a digit before and behind a lost frame, it may
# still not know whether the digit was here or four pixels further. What should it answer?
#
# It depends on the loss. Take five places that are equally possible. The answer with the smallest
# squared error is their **mean**, that with the smallest absolute error their **median**. Try both
# answers.

# %%
possible = np.stack([np.roll(films[SHOWN, 2], shift, axis=1) for shift in (-4, -2, 0, 2, 4)])
answers = {"mean": possible.mean(axis=0), "median": np.median(possible, axis=0)}
for name, answer in answers.items():
    errors = possible - answer
    squared, absolute = np.mean(errors**2), np.mean(np.abs(errors))
    print(f"{name:7}  squared error {squared:.4f}   absolute error {absolute:.4f}")
show_strips({"five possible frames, their mean, their median": [*possible, *answers.values()]}, 7)

# %% [markdown]
# The mean is blurred: it shows everything that is possible, each as bright as it is likely. The
# median has hard edges, and it **erases**: a pixel is bright in it only if it is bright in more
# than half of the possibilities, so strokes go missing. Better a blur that shows the doubt than a
# stroke that has vanished. Hence we train with the squared error, `"mse"`. (Try `"mae"`, the
# absolute error, one day: lost digits come back with gaps.)
#
# Train it. **About 85 seconds.** The picture is a film that the network does not learn from. Watch
# the two black frames.

# %%
history = restorer.fit(
    sequences,
    epochs=EPOCHS,
    callbacks=[ki.callbacks.BeforeAfter(films[SHOWN:], n=1)],
    verbose=0,
)

# %%
ki.plotting.plot_history(history)

# %% [markdown]
# ## 6. The lost frames reappear
#
# The same table as before, with one more line.

# %%
restored = restorer.restore(spoiled)
report("observed", observed)
for name, frames in simple.items():
    report(name, frames)
report("ConvLSTM, both directions", restored)

# %% tags=["cover"]
show_strips({"observed": observed[SHOWN], "restored": restored[SHOWN], "clean": films[SHOWN]})

# %% [markdown]
# Look at several others, and at the lost frames only: restored above, clean below.

# %%
some = np.flatnonzero(lost.any(axis=1))[:8]
when = lost[some].argmax(axis=1)  # the first lost frame of each
show_strips({"lost frames, restored": restored[some, when], "clean": films[some, when]}, len(some))

# %% [markdown]
# Black frames have become digits: mostly the right ones, in the right places, softer than the
# others, and sometimes with a stroke too many, where two neighbours overlap. The lost frames gain 6
# dB, where the best of the simple methods gains 1. Each of them is close to the mean of what the
# frames around it leave possible, as section 5 predicted.
#
# ### A contender that knows what motion is
#
# Were the simple methods fair? None of them knew that things *move*. Whoever made the films by hand
# would do it: find out by how many pixels the digit went from the frame before the gap to the one
# behind it, move both of them to the place between, and take their mean. This is **motion
# compensation**, as old as video coding. Twenty lines, and nothing is learned.


# %%
def shifted(frame, pixels):
    """The frame, moved sideways by whole pixels; what comes in is black."""
    padded = np.pad(frame, ((0, 0), (abs(pixels), abs(pixels)), (0, 0)))
    return np.roll(padded, pixels, axis=1)[:, abs(pixels) : abs(pixels) + frame.shape[1]]


def compensate(frames, gone, fastest=5):
    """Put what lies between its neighbours, by their motion, in the place of each lost frame."""
    filled = frames.copy()
    for number, t in np.argwhere(gone):
        arrived = np.flatnonzero(~gone[number])
        before, after = arrived[arrived < t], arrived[arrived > t]
        if not len(after):  # at the end: go on as the last two frames moved
            a, b = before[-2:]
        elif not len(before):
            a, b = after[1], after[0]
        else:
            a, b = before[-1], after[0]
        first, last = frames[number, a], frames[number, b]
        reach = range(-fastest * abs(b - a), fastest * abs(b - a) + 1)
        way = min(reach, key=lambda pixels: np.mean((shifted(first, pixels) - last) ** 2))
        part = round(way * (t - a) / (b - a))
        between = min(a, b) < t < max(a, b)
        guess = shifted(last, part - way)
        filled[number, t] = (shifted(first, part) + guess) / 2 if between else guess
    return filled


def clear(frames):
    """Black wherever less than 0.3 is left: paper is black, and noise is weak."""
    return np.where(frames < 0.3, 0.0, frames)


by_motion = np.where(lost[..., None, None, None], clear(compensate(observed, lost)), observed)
report("nearest frame copied", simple["nearest frame copied"])
report("motion compensated", by_motion)
report("ConvLSTM, both directions", restored)
show_strips(
    {
        "lost frames, motion compensated": by_motion[some, when],
        "lost frames, ConvLSTM": restored[some, when],
        "clean": films[some, when],
    },
    len(some),
)

# %% [markdown]
# On the lost frames it is as good as the network, to a few tenths of a decibel, and to the eye it
# is sharper: it moves strokes and averages two of them, where the network averages all that may be.
# That is the fair figure, and the surprise is on the network's side: it was told nothing about
# motion, neither that there is any, nor that it is even, sideways and at most 5 pixels a frame. It
# found that out from films. What a method is told it need not learn; and what it is told wrongly it
# cannot unlearn. Break it: **two digits** in one film, each on its own way. Neither of the two
# knows such films.

# %%
pair = {**film, "num_digits": 2}
pair_films = ki.load_moving_digits("test", num_sequences=TESTS, **pair).take(TESTS)
pair_spoiled = np.asarray(spoil(pair_films))
pair_observed = pair_spoiled[..., :1]
pair_lost = pair_spoiled[..., 1].max(axis=(2, 3)) == 0
pair_by_motion = clear(compensate(pair_observed, pair_lost))
pair_restored = restorer.restore(pair_spoiled)
for name, frames in (
    ("observed", pair_observed),
    ("motion compensated", pair_by_motion),
    ("ConvLSTM, trained on one digit", pair_restored),
):
    value = mean_psnr(pair_films[pair_lost], frames[pair_lost])
    print(f"two digits, {name:31} lost frames {value:5.1f} dB")

# %% [markdown]
# One shift for the whole frame cannot be right for two digits. The network is ahead now by more
# than a decibel, although it has never seen two: what it has learned is local. Each place asks its
# own surroundings where they went.
#
# So neither is *better*. Where the rule of the motion is known, twenty lines do; where it is not,
# or bends, a network can find it out from examples. Ask of every table whether the simple method
# in it was allowed to know what a person knows.
#
# The frames with noise gain 10 dB. So time is good for both, it seems. Is it?
#
# ## 7. Breaking it: the frames shuffled
#
# What did the network use: that the other frames *exist*, or that they come *in order*? Take the
# same observed films and shuffle the frames of each. Restore. Put the frames back in order, and
# measure. All frames are there, with the same noise and the same frames lost; only the motion is
# gone.
#
# And the extreme case: give it **one frame at a time**, as films of length 1, so that it has no
# other frame at all.
#
# Guess both numbers for both experiments: what do the frames with noise lose, what the lost ones?


# %%
def reorder(sets, orders):
    """Put the frames of each film into an order of its own."""
    return np.stack([frames[order] for frames, order in zip(sets, orders, strict=True)])


rng = np.random.default_rng(0)
orders = np.array([rng.permutation(FRAMES) for _ in films])
back = np.argsort(orders, axis=1)  # the order that undoes it
assert np.array_equal(reorder(reorder(films, orders), back), films)

from_shuffled = reorder(restorer.restore(reorder(spoiled, orders)), back)
alone = restorer.restore(spoiled.reshape(-1, 1, *spoiled.shape[2:])).reshape(films.shape)
report("observed", observed)
report("restored in order", restored)
report("restored in shuffled order", from_shuffled)
report("restored frame by frame", alone)
show_strips(
    {
        "restored in order": restored[SHOWN],
        "restored in shuffled order, put back": from_shuffled[SHOWN],
        "restored frame by frame": alone[SHOWN],
    }
)

# %% [markdown]
# The lost frames fall by about 5 dB, to where the plain mean over time stood. With the order the
# motion is gone: the digit jumps about, and the network looks for it between two frames that are
# not neighbours. Frame by frame nothing comes back at all. The answer is one dark grey, because a
# convolution that sees the same everywhere answers the same everywhere, except near the border.
#
# And the frames with noise? They hardly notice: they lose two or three tenths of a decibel at most.
# What removes the noise in this network is one frame: strokes are connected, paper is black. A
# likely reason is in the formula. In $U * h_{t-1}$ the memory is seen through a convolution, which
# must have moved it to the right place before it can help with a single pixel, while $y_t$ is in
# place already. For a frame with noise a memory that is a little off is worth little. For a lost
# frame it is all there is.
#
# So this is what time knows here that one frame does not: **where things are, and not what they
# look like without noise**. On film with more noise or finer detail the balance may be another.
# A mean over all frames would have hidden this, and that is why we measured two numbers.
#
# ## 8. Breaking it: the future cut off
#
# Live video has no future. A network that may only use frames up to the present is called
# **causal**. Ours becomes causal by leaving out the ConvLSTM that walks backwards. To be fair, the
# other one gets more filters, so that both networks have about the same number of weights, and the
# training is the same.
#
# **About 75 seconds.**

# %%
causal_restorer = ki.Restorer(
    ki.networks.conv_lstm(
        (HEIGHT, WIDTH, 1), extra_channels=1, filters=CAUSAL_FILTERS, causal=True
    ),
    spoil,
    seed=SEED,
)
causal_restorer.compile(decaying_adam(4e-3, STEPS), loss="mse")
both = {"both directions": restorer, "causal": causal_restorer}
for name, model in both.items():
    print(f"{name:16} {model.network.count_params()} weights")
causal_history = causal_restorer.fit(
    sequences,
    epochs=EPOCHS,
    callbacks=[ki.callbacks.BeforeAfter(films[SHOWN:], n=1)],
    verbose=0,
)

# %% [markdown]
# First a test that it is causal, which needs no knowledge of its inside. Spoil the films a little
# more: exchange black and white in frame 6. Which of the eight answers change?

# %%
changed = spoiled.copy()
changed[:, 5, ..., 0] = 1.0 - changed[:, 5, ..., 0]
print("largest change of the answer in each frame, after a change in frame 6")
for name, model in both.items():
    moved = np.abs(model.restore(changed) - model.restore(spoiled)).max(axis=(0, 2, 3, 4))
    print(f"{name:16}", "  ".join("0   " if value == 0 else f"{value:.2f}" for value in moved))

# %% [markdown]
# Not small: exactly 0 in the five frames before the change. Every number that the causal network
# computed there is the same. In the other network, the news travels backwards too.
#
# Now measure. This time one frame is hidden on purpose, at the same place in all films, and every
# place has its turn. Guess: **at which place are the two equally good, and where do they differ
# most?**

# %%
few = films[::2]  # every second one is enough
few_noisy = np.asarray(ki.degradations.AdditiveNoise(SIGMA, seed=4)(few))


def hide(noisy, place):
    """Lose the frame at one place in all films, and append the mask."""
    mask = np.ones_like(noisy)
    mask[:, place] = 0.0
    return np.concatenate([noisy * mask, mask], axis=-1)


places = np.arange(FRAMES)
by_place = {
    name: [
        mean_psnr(few[:, place], model.restore(hide(few_noisy, place))[:, place])
        for place in places
    ]
    for name, model in both.items()
}
figure, ax = plt.subplots(figsize=(6.5, 3.3), layout="constrained")
for (name, values), style in zip(by_place.items(), ("o-", "s-"), strict=True):
    ax.plot(places + 1, values, style, label=name)
    print(f"{name:16}", "  ".join(f"{value:.1f}" for value in values))
ax.set(xlabel="which frame was lost", ylabel="its PSNR in dB", title="One lost frame of eight")
ax.legend()
plt.show()

# %%
restored_causal = causal_restorer.restore(spoiled)
report("ConvLSTM, both directions", restored)
report("ConvLSTM, causal", restored_causal)
first, middle = hide(few_noisy, 0), hide(few_noisy, FRAMES // 2)
show_strips(
    {
        "first frame lost, both directions": restorer.restore(first)[SHOWN // 2],
        "first frame lost, causal": causal_restorer.restore(first)[SHOWN // 2],
        "fifth frame lost, both directions": restorer.restore(middle)[SHOWN // 2],
        "fifth frame lost, causal": causal_restorer.restore(middle)[SHOWN // 2],
    }
)

# %% [markdown]
# Four things can be read off the curves:
#
# - **The first frame.** The causal network has nothing: its memory begins at $h_0 = c_0 = 0$, and
#   the frame is black. It answers with the dark grey of section 7. The other one reads the frame
#   off the future.
# - **The second frame** is where they differ most, by more than 4 dB. The causal network has seen
#   one frame. It knows what the digit looks like and where it was, but not where it was going.
# - **The middle.** Between a known past and a known future a network **interpolates**: the digit
#   must be between its two neighbours. With the past alone it **extrapolates**: it must judge the
#   speed, and whether a wall is near. That costs about 3 dB.
# - **The last frame.** There is no future for anybody. The two are equally good, within a decibel,
#   and the curve for both directions is nearly the same from the left and from the right.
#
# With the frames that have noise the causal network does no worse, if you compare with the table
# of section 6. After section 7 that is no surprise. It even has more filters to look at one frame.
#
# ## 9. A longer film, for nothing
#
# The loop of section 3 does not know how many steps it will take. So nothing in the network depends
# on the length of the film. It was trained on films of 8 frames. Give it 24, of which 6 are lost,
# the same share.

# %%
long_films = ki.load_moving_digits(
    "test", num_sequences=16, num_frames=24, num_digits=1, size=(HEIGHT, WIDTH)
).take(16)
spoil_long = ki.degradations.Compose(
    [
        ki.degradations.AdditiveNoise(SIGMA, seed=1),
        ki.degradations.MissingFrames(6, seed=2),
    ]
)
long_spoiled = np.asarray(spoil_long(long_films))
long_restored = restorer.restore(long_spoiled)
long_lost = long_spoiled[..., 1].max(axis=(2, 3)) == 0
for name, frames in (("frames with noise", ~long_lost), ("lost frames", long_lost)):
    before = mean_psnr(long_films[frames], long_spoiled[frames][..., :1])
    after = mean_psnr(long_films[frames], long_restored[frames])
    print(f"24 frames, {name:17}  observed {before:.1f} dB   restored {after:.1f} dB")
show_strips(
    {"observed, 24 frames": long_spoiled[3, ..., :1], "restored": long_restored[3]},
    8,
)

# %% [markdown]
# The same figures as on short films. No weight belongs to a certain frame, so there was nothing to
# be trained again.
#
# ### How far back can it remember?
#
# Any *length* is one thing, a long *way* from what is known to what is asked for another. Lose 1 to
# 6 frames in a row from the middle of these films, and look at the one in the middle of the gap.


# %%
long_noisy = np.asarray(ki.degradations.AdditiveNoise(SIGMA, seed=4)(long_films))
gaps = np.arange(1, 7)
by_gap = {"both directions": [], "causal": [], "motion compensated": []}
for gap in gaps:
    middle, gone = 12, np.zeros(long_films.shape[:2], bool)
    gone[:, middle - gap // 2 : middle - gap // 2 + gap] = True
    mask = np.ones_like(long_noisy) * ~gone[..., None, None, None]
    given = np.concatenate([long_noisy * mask, mask], axis=-1).astype("float32")
    answers = {name: model.restore(given) for name, model in both.items()}
    answers["motion compensated"] = clear(compensate(given[..., :1], gone))
    for name, answer in answers.items():
        by_gap[name].append(mean_psnr(long_films[:, middle], answer[:, middle]))
black = mean_psnr(long_films[:, middle], np.zeros_like(long_films[:, middle]))
figure, ax = plt.subplots(figsize=(6.5, 3.3), layout="constrained")
for (name, values), style in zip(by_gap.items(), ("o-", "s-", "^--"), strict=True):
    ax.plot(gaps, values, style, label=name)
    print(f"{name:19}", "  ".join(f"{value:.1f}" for value in values))
ax.axhline(black, color="grey", linewidth=0.8)
ax.annotate("a black frame", (4.6, black + 0.1), color="grey")
ax.set(xlabel="frames lost in a row", ylabel="PSNR of the middle one, dB")
ax.legend()
plt.show()

# %% [markdown]
# The training lost two frames of eight, so never more than two in a row. That far both networks
# remember. From three on they fall towards the black frame, and from five on the future no longer
# helps. Nothing in a recurrence forbids a longer memory, but a network learns to remember as far as
# its training made it pay. ("Recurrent networks keep long-distance dependencies" is said of what
# they *can* do.) Motion compensation falls, too. A likely reason: in so long a gap the digit often
# meets a wall, and its rule knows no walls.
#
# ## What to remember
#
# 1. An average over time removes noise and smears what moves. A recurrence
#    $h_t = f(x_t, h_{t-1})$ is an average that can be made cleverer.
# 2. Gates are the $a$ of a leaky average, decided anew at each step and place. A ConvLSTM is an
#    LSTM whose memory is a picture.
# 3. What time adds was the *place* of things: lost frames live by the order of the frames, those
#    with noise were restored nearly as well one by one.
# 4. Between two known frames a network interpolates, at the end it extrapolates. A causal network
#    always does the second, and at its first frame it has nothing to start from.
# 5. Measure frames with noise and lost frames separately, and beside the simplest method that knows
#    what a person knows: here motion compensation, which is as good until two digits move.
# 6. A network remembers as far as its training made it pay.
#
# ## You should see / if not
#
# Measured with three values of `SEED`, on two CPU cores:
#
# - **Mean over time**: 14.2 dB for frames with noise, 13.1 dB for lost ones. *If not*: this does
#   not depend on `SEED`. Was `SIGMA`, `LOST` or `TESTS` changed?
# - **A step by hand**: differences of about 1e-07 or less. *If not*: the order of the four sets is
#   $i$, $f$, $g$, $o$ in Keras, not that of the formulas above.
# - **ConvLSTM**: frames with noise 27.0 to 27.3 dB, lost frames 18.0 to 18.2 dB. *If not*, and the
#   lost frames are grey fog: it needs more steps, or the cell with `decaying_adam` was not run.
# - **Motion compensated**: 17.8 dB, and 13.5 dB with two digits (this does not depend on `SEED`),
#   where the network has about 14.8. *If not*: does `clear` set what is below 0.3 to black?
# - **Shuffled**: lost frames 13.1 dB; one by one 12.2 to 12.4. Frames with noise lose 0.1 to 0.3.
#   *If not*, and nothing falls: were the observed frames shuffled, mask and all?
# - **Causal**: lost frames 15.7 to 16.0 dB; the first frame 12.8 to 12.9 (both directions: 16.5 to
#   16.6), the fifth 17.2 to 17.5 (20.0 to 20.1). *If not*, and an answer before frame 6 changes:
#   was it built with `causal=True`?
# - **24 frames**: lost frames 18.3 to 18.4 dB; in the middle of a gap of one about 20, of six about
#   13 dB. *If not*: are 6 of 24 lost, and not more?
# - **Time**: within twice the seconds that are given, and 1.3 GiB of memory. *If not*, other
#   programs are running; the figures stay valid.
#
# With a graphics card, raise `SEQUENCES` to 4,000 first, then `FILTERS` to 32. Then try
# `HEIGHT = 48`: the digits move in all directions, which is much harder to learn.
#
# ## Read on
#
# - S. Hochreiter and J. Schmidhuber, *Long Short-Term Memory*, Neural Computation 1997; easier to
#   find and to read: K. Greff and others, *LSTM: A Search Space Odyssey*, 2015, [arXiv
#   1503.04069](https://arxiv.org/abs/1503.04069): which of the gates are needed.
# - X. Shi and others, *Convolutional LSTM Network*, 2015, [arXiv
#   1506.04214](https://arxiv.org/abs/1506.04214): the ConvLSTM, made for rain radar.
# - N. Srivastava and others, *Unsupervised Learning of Video Representations using LSTMs*, 2015,
#   [arXiv 1502.04681](https://arxiv.org/abs/1502.04681): the moving digits, and predicting the
#   future.
# - M. Tassano and others, *FastDVDnet*, 2019, [arXiv
#   1907.01361](https://arxiv.org/abs/1907.01361): video denoising without a memory, from five
#   neighbouring frames.
#
# The digits are from MNIST (Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0).

# %% [markdown]
# ## Exercises
#
# Replace each `...` and run the cell, then the check below it. The check prints `Right`, or says
# what it found and gives a hint.
#
# ### Exercise 1: as good as the mean of eight
#
# Section 1: the mean of 8 frames leaves an eighth of the variance. By how many dB is noise weaker
# then? And which $a$ makes a leaky average that leaves an eighth too? Pencil and paper first:
# section 2 has the formula.

# %% tags=["exercise"]
gain_db = ...  # a positive number, in dB
a_eighth = ...  # between 0 and 1

# %% tags=["solution"]
gain_db = 10 * np.log10(8)
a_eighth = 7 / 9  # (1 - a) / (1 + a) = 1 / 8, so 8 - 8 a = 1 + a

# %% tags=["check"]
for name, value in (("gain_db", gain_db), ("a_eighth", a_eighth)):
    assert isinstance(value, (int, float, np.floating)), (
        f"{name} should be a number. It is {value!r}. "
        "Hint: 10 log10 of a ratio of variances; and solve (1 - a) / (1 + a) = 1 / 8."
    )
assert abs(gain_db - 9.03) < 0.1, (
    f"gain_db is {gain_db:.2f}. Hint: the variance becomes 8 times smaller, and the decibel is "
    "10 log10 of a ratio of variances."
)
assert 0 < a_eighth < 1, f"a_eighth is {a_eighth}. It must lie between 0 and 1."
left = leaky_average(long_noise, a_eighth).var() / SIGMA**2
assert abs(left - 1 / 8) < 0.006, (
    f"With a = {a_eighth:.3f} the variance is multiplied by {left:.3f}, wanted is 0.125. "
    "Hint: multiply (1 - a) / (1 + a) = 1 / 8 by 8 (1 + a), and collect a."
)
print(f"Right: {gain_db:.1f} dB, and a = {a_eighth:.3f} leaves {left:.3f} of the variance.")

# %% [markdown]
# ### Exercise 2: count the weights
#
# How many weights has a ConvLSTM with `filters` filters and kernels of `k` x `k`, on frames of
# `channels` channels? Look at the shapes of $W$, $U$ and $b$ that section 3 printed, and write it
# as a formula.


# %% tags=["exercise"]
def count_weights(channels, filters, k):
    """The number of weights of ConvLSTM2D: an integer."""
    return ...


# %% tags=["solution"]
def count_weights(channels, filters, k):  # noqa: F811
    """The number of weights of ConvLSTM2D: an integer."""
    one_set = k * k * channels * filters + k * k * filters * filters + filters
    return 4 * one_set


# %% tags=["check"]
found = count_weights(2, 4, 3)
assert isinstance(found, (int, float, np.integer, np.floating)), (
    f"count_weights should return a number. It returned {found!r}. "
    "Hint: one set has a kernel W, a kernel U and a bias; there are four sets."
)
for channels, filters, k in ((2, 4, 3), (16, 16, 3), (5, 3, 5)):
    expected = keras.layers.ConvLSTM2D(filters, k, padding="same")
    expected.build((None, None, 8, 8, channels))
    found = count_weights(channels, filters, k)
    assert found == expected.count_params(), (
        f"With {channels} channels, {filters} filters and k = {k} there are "
        f"{expected.count_params()} weights. Yours: {found}. Hint: W leads from channels to "
        "filters, U from filters to filters, b has one number per filter; all of it four times."
    )
print(f"Right. The two ConvLSTMs of our network have {2 * count_weights(FILTERS, FILTERS, 3)}.")

# %% [markdown]
# ### Exercise 3: the one order that costs nothing
#
# Shuffled frames cost the lost ones several dB. Among the 40,320 orders of eight frames there is
# one, besides the true one, that costs practically nothing, because every film keeps its motion in
# it. Which? Write it as a list of the numbers 0 to 7, and measure the **fall** in dB: PSNR of the
# lost frames restored in order minus that of the lost frames restored in your order (and put back).
# Use `reorder`, which wants an order for every film, and `measure`, whose second number is that of
# the lost frames.

# %% tags=["exercise"]
order = ...  # a list of the numbers 0 to 7
fall = ...  # in dB

# %% tags=["solution"]
order = list(range(FRAMES))[::-1]  # a digit that slides backwards is a digit that slides
all_alike = np.array([order] * len(films))
turned = reorder(restorer.restore(reorder(spoiled, all_alike)), np.argsort(all_alike, axis=1))
fall = measure(restored)[1] - measure(turned)[1]

# %% tags=["check"]
assert isinstance(order, (list, tuple, range, np.ndarray)), (
    f"order should be a list of eight numbers. It is {order!r}. "
    "Hint: which change of order would you not notice if you watched such a film?"
)
assert sorted(int(t) for t in order) == list(range(FRAMES)), (
    f"order should hold each of the numbers 0 to 7 once. It is {order!r}."
)
tried = [int(t) for t in order]
assert tried != list(range(FRAMES)), "That is the true order. There is one more."
assert isinstance(fall, (int, float, np.floating)), (
    f"fall should be a number in dB. It is {fall!r}. "
    "Hint: measure(...) returns two numbers; the second is for the lost frames."
)
found = restorer.restore(spoiled[:, tried])[:, np.argsort(tried)]
expected = measure(restored)[1] - measure(found)[1]
assert tried == list(range(FRAMES))[::-1], (
    f"This order costs {expected:.1f} dB, and there is one in which no neighbours are parted. "
    "Hint: the speed must stay constant from frame to frame. Only its sign may change."
)
assert abs(fall - expected) < 0.05, (
    f"With this order the lost frames fall by {expected:.2f} dB. Yours is {fall:.2f}. "
    "Hint: put the restored frames back in order (np.argsort of your order) before you measure."
)
print(f"Right: played backwards, the lost frames fall by {fall:.2f} dB.")
