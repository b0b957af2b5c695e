# %% [markdown]
# # 05 · CNN denoising
#
# **You will be able to**
#
# - say what sets noise apart from a photograph, and remove some of it without learning;
# - compute a convolution by hand, and say which pixels an output of a network depends on;
# - train a CNN that predicts noise and subtracts it, and measure what the subtraction buys;
# - say why a network asked for the smallest squared error answers with a conditional mean;
# - judge a denoiser by what it removed, and its first layer by what it has learnt.
#
# **You need** [tutorial 01](01_generation_and_restoration.ipynb), sections 1, 2 and 5.
#
# **Time** on two CPU cores: 2 minutes of computing, 65 minutes with reading and exercises.

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
# ## What was under the grain?
#
# A cup of coffee, photographed as if in bad light, and what a network made of it:
#
# ![A cup of coffee with noise, restored, and clean; below, a part enlarged](attachment:cover)
#
# The network has 48,000 weights and learnt for half a minute, from four photographs: an astronaut,
# a night sky, the inside of an eye and a rocket. It has never seen a cup or a spoon. So how does it
# know what was there? It does not. By the end of this notebook you can say what it knows instead,
# and why its answer is smooth where it cannot know.

# %% tags=["setup"]
import inspect
import os

import keras
import matplotlib.pyplot as plt
import numpy as np

import keras_imgen as ki

SEED = 0
SIGMA = 25 / 255  # the noise that the networks are trained for
DEPTH, FILTERS = 7, 32
EPOCHS = 8
PIECES = 64  # of each photograph, in every epoch
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # a quick test: its figures mean nothing
    DEPTH, FILTERS = 4, 8
    EPOCHS, PIECES = 1, 4

keras.utils.set_random_seed(SEED)  # the same first weights, and so the same pictures, every time

# %% [markdown]
# ## 1. What noise does not have
#
# Take a photograph and deal its pixels like a pack of cards.

# %%
photos = ki.load("photos", size=48, crops=PIECES, batch_size=8, seed=SEED)  # nine, in pieces
test_photos = ki.load("photos", "test", size=128, crops=0).take(3)  # three others, whole
cat = test_photos[1:2]

rng = np.random.default_rng(SEED)
shuffled_cat = rng.permutation(cat.ravel()).reshape(cat.shape)
white_noise = rng.normal(size=cat.shape)
print("the same grey values:", np.array_equal(np.sort(cat.ravel()), np.sort(shuffled_cat.ravel())))

figure, axes = plt.subplots(1, 3, figsize=(8, 3), layout="constrained")
ki.plotting.plot_images(cat, title="a photograph", ax=axes[0])
ki.plotting.plot_images(shuffled_cat, title="its pixels, shuffled", ax=axes[1])
ki.plotting.plot_images(0.5 + 0.25 * white_noise, title="random numbers", ax=axes[2])
plt.show()

# %% [markdown]
# The middle one holds every grey value exactly as often as the photograph does, and is noise to the
# eye. So noise cannot be told by its values. What the shuffling destroyed is the relation between
# neighbours: in a photograph a pixel next to a dark one is probably dark. This is measured by the
# **correlation** of horizontal neighbours, 1 if each tells everything about the next, and 0 if it
# tells nothing:
#
# $$r = \frac{\frac{1}{N} \sum_i (a_i - \bar a)(b_i - \bar b)}{s_a \, s_b}$$
#
# where $a_i$ is a pixel and $b_i$ the one on its right, for $N$ pairs, $\bar a$ and $\bar b$ are
# their means, and $s_a$ and $s_b$ their standard deviations.


# %%
def correlation(pictures):
    """The correlation of pixels with those on their right."""
    a, b = pictures[:, :, :-1].ravel(), pictures[:, :, 1:].ravel()
    return np.mean((a - a.mean()) * (b - b.mean())) / (a.std() * b.std())


left, right = cat[:, :, :-1].ravel(), cat[:, :, 1:].ravel()
print(f"by the formula: {correlation(cat):.3f}, by NumPy: {np.corrcoef(left, right)[0, 1]:.3f}")
for name, pictures in {
    "photograph": cat,
    "the same, shuffled": shuffled_cat,
    "random numbers": white_noise,
}.items():
    print(f"{name:19} {correlation(pictures):6.3f}")

# %% [markdown]
# Noise in which no pixel tells anything about another one is called **white noise**. Camera noise
# in bad light is close to it:
#
# $$y = x + n, \qquad n_i \sim \mathcal{N}(0, \sigma^2)$$
#
# where $x$ is the clean picture, $y$ the observed one, and $n$ the noise, with one number $n_i$ for
# each pixel, drawn from the normal distribution $\mathcal{N}$ with mean 0 and standard deviation
# $\sigma$. Here $\sigma = 25/255$; papers call it "sigma 25". The damage is measured as in tutorial
# 01, by the mean squared error in decibels, $\mathrm{PSNR} = 10 \, \log_{10} (1 / \mathrm{MSE})$.
# For an untouched noisy picture the MSE is $\sigma^2$.


# %%
def noisy(pictures, sigma):
    """Pictures with noise of standard deviation sigma; the same noise in every call."""
    return np.asarray(ki.degradations.AdditiveNoise(sigma, seed=5)(pictures))


def mean_psnr(clean, pictures):
    """The mean over several pictures; what lies outside [0, 1] is cut off, as on a screen."""
    return float(np.mean(ki.metrics.psnr(clean, np.clip(pictures, 0.0, 1.0))))


noisy_photos = noisy(test_photos, SIGMA)
measured = float(np.mean(ki.metrics.psnr(test_photos, noisy_photos)))
print(f"10 log10(1 / sigma^2): {10 * np.log10(1 / SIGMA**2):.1f} dB")
print(f"measured:              {measured:.1f} dB")
print(f"cut off to [0, 1]:     {mean_psnr(test_photos, noisy_photos):.1f} dB")

# %% [markdown]
# Cutting off what is blacker than black or whiter than white helps a little. From here on it is
# done for every method alike.
#
# ## 2. The oldest remedy: a mean of neighbours
#
# If neighbours in the picture agree and neighbours in the noise do not, take the mean over a square
# of $k$ x $k$ pixels. This is a **box blur**. It leaves of white noise only
#
# $$\sigma_k = \frac{\sigma}{k},$$
#
# the standard deviation of a mean of $k^2$ independent numbers.


# %%
def box_blur(pictures, side=3):
    """The mean over a square around every pixel; at the border the last pixels are repeated."""
    height, width = pictures.shape[1:3]
    reach = side // 2
    wide = np.pad(pictures, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="edge")
    moved = [wide[:, i : i + height, j : j + width] for i in range(side) for j in range(side)]
    return np.mean(moved, axis=0)


flat = np.full((1, 128, 128, 1), 0.5, "float32")
print("side   sigma/side   on flat grey   on photographs")
for side in (1, 3, 5, 7):
    remaining = 255 * np.std(box_blur(noisy(flat, SIGMA), side))
    psnr = mean_psnr(test_photos, box_blur(noisy_photos, side))
    print(f"{side}      {25 / side:4.1f}         {remaining:4.1f}           {psnr:.1f} dB")

# %% [markdown]
# On flat grey a larger square is always better, as the formula says (a little more remains at the
# border, where pixels are repeated). On photographs 3 x 3 wins and larger ones lose again: across
# an edge the neighbours do not agree, and the mean blurs it. One wants a mean over *those
# neighbours that belong together*.
#
# ## 3. Neighbours that belong together
#
# Before networks learnt it, people wrote it down. **Non-local means** (Buades, Coll and Morel,
# 2005) asks for each pixel: which other pixels have *surroundings* like mine? It takes their mean,
# the more alike, the more weight:
#
# $$\hat x_i = \frac{\sum_j w_{i,j} \, y_j}{\sum_j w_{i,j}}, \qquad
# w_{i,j} = \exp\Big(-\frac{\max(d_{i,j} - 2\sigma^2,\, 0)}{h^2}\Big)$$
#
# - $y_j$ are the pixels within 7 steps of pixel $i$, and $w_{i,j}$ their weights;
# - $d_{i,j}$ is the mean squared difference of the surroundings, 5 x 5 pixels each. Noise alone
#   makes it $2\sigma^2$, which is forgiven; $h = 0.4\,\sigma$ says how fast the weight falls.


# %%
def non_local_means(pictures, sigma, reach=7):
    """Weighted means over pixels whose surroundings of 5 x 5 pixels look alike."""
    height, width = pictures.shape[1:3]
    wide = np.pad(pictures, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="reflect")
    total = weights = 0.0
    for i in range(2 * reach + 1):
        for j in range(2 * reach + 1):
            moved = wide[:, i : i + height, j : j + width]
            squares = np.mean((pictures - moved) ** 2, axis=-1, keepdims=True)  # over the colours
            distance = box_blur(squares, 5)
            weight = np.exp(-np.maximum(distance - 2 * sigma**2, 0.0) / (0.4 * sigma) ** 2)
            total, weights = total + weight * moved, weights + weight
    return total / weights


by_hand = {
    "observed": noisy_photos,
    "box blur, 3 x 3": box_blur(noisy_photos),
    "non-local means": non_local_means(noisy_photos, SIGMA),
}
figure, axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained")
for ax, (name, pictures) in zip(axes, by_hand.items(), strict=True):
    print(f"{name:16} {mean_psnr(test_photos, pictures):.1f} dB")
    title = f"{name} · {mean_psnr(test_photos[:1], pictures[:1]):.1f} dB"
    ki.plotting.plot_images(pictures[:1], title=title, ax=ax)
plt.show()

# %% [markdown]
# Non-local means smooths the sky and leaves the man's outline sharp. **BM3D** (Dabov and others,
# 2007) refines the idea: it stacks similar pieces and denoises the stack as a whole
# (figures: `docs/results.md` in the repository).
#
# But somebody had to decide that 5 x 5 pixels are compared, by squared differences, with the
# weight of an exponential. A network learns from pictures what to compare.
#
# ## 4. Convolution
#
# A box blur multiplies nine pixels by 1/9 each and adds them up. A **convolution** does the same
# with nine weights of its own, a **filter**, which are the same at every place:
#
# $$z_{i,j} = b + \sum_{a=-1}^{1} \sum_{c=-1}^{1} w_{a,c} \; y_{i+a,\,j+c}$$
#
# - $y_{i,j}$ is the input's pixel in row $i$ and column $j$, and $z_{i,j}$ the output there;
# - $w_{a,c}$ are the nine weights, and $b$ is one number more, the **bias**.
#
# Beyond the border $y$ counts as 0, so the output has the size of the input. One filter by hand,
# beside the layer of Keras:

# %%
layer = keras.layers.Conv2D(1, 3, padding="same")
by_keras = np.asarray(layer(noisy_photos[1:2]))[0, :, :, 0]
w, b = np.asarray(layer.kernel)[:, :, 0, 0], float(layer.bias[0])

wide = np.pad(noisy_photos[1, :, :, 0], 1)
by_hand = np.full((128, 128), b)
for row in range(3):
    for column in range(3):
        by_hand += w[row, column] * wide[row : row + 128, column : column + 128]
print(f"largest difference: {np.abs(by_hand - by_keras).max():.0e}")

# %% [markdown]
# The network **DnCNN** is a stack of such layers. Each applies 32 filters to all that the layer
# before it put out, and sets negative numbers to 0 (a **ReLU**, without which many layers would be
# no better than one). The last layer has one filter, whose output is a picture again.

# %%
network = ki.networks.dncnn(depth=DEPTH, filters=FILTERS, batch_norm=False)
print(f"{DEPTH} layers, {network.count_params():,} weights")

# %% [markdown]
# Two things follow from the formula, before any training. The weights do not know where they are:
# if the picture moves by 5 rows, the output moves by 5 rows (except at the border, whose zeros do
# not move). And an output depends on a square of input pixels only, its **receptive field**. One
# layer sees 3 x 3, each further layer one pixel more on every side, so after $d$ layers the side is
# $2 d + 1$. To measure it, change a single pixel and look which outputs move.

# %%
picture = noisy_photos[1:2]
moved_then_restored = np.asarray(network(np.roll(picture, 5, axis=1)))
restored_then_moved = np.roll(np.asarray(network(picture)), 5, axis=1)
difference = np.abs(moved_then_restored - restored_then_moved)[0, :, :, 0]
inside = difference[5 + DEPTH : -DEPTH]
print(f"moved by 5 rows: largest difference {difference.max():.3f} at the border, ", end="")
print(f"{inside.max():.3f} inside")

touched = picture.copy()
touched[0, 64, 64] += 1.0
moved = np.asarray(network(touched)) != np.asarray(network(picture))
rows = np.flatnonzero(moved[0].any(axis=(1, 2)))
print(f"one pixel changed: outputs move in rows {rows.min()} to {rows.max()}, ", end="")
print(f"{len(rows)} rows; 2 d + 1 = {2 * DEPTH + 1}")

# %% [markdown]
# Whatever the network will know, it knows it everywhere alike, and from a window of 15 x 15 pixels.
# It never sees a cup.
#
# **Pooling** is the other layer that textbooks name. Of each block of 2 x 2 pixels it keeps only
# the largest value (max pooling), or the mean.

# %%
small = np.array([[1, 2, 0, 0], [3, 4, 0, 1], [5, 0, 2, 2], [0, 0, 2, 3]], "float32")
pooled = keras.layers.MaxPooling2D(2)(small[None, :, :, None])
print(small, np.asarray(pooled)[0, :, :, 0], sep="\n\n")

# %% [markdown]
# Behind it a filter of 3 x 3 spans twice as many pixels a side, for a quarter of the work. The
# price: *where* in its block the 5 stood is forgotten. A network that names what a picture shows
# can afford this. DnCNN has to answer at every pixel, and does not pool.
#
# ## 5. What it is asked for
#
# DnCNN has one fine idea. It does not put out the clean picture but the *noise*, and subtracts it:
#
# $$v = R(y), \qquad \hat x = y - R(y)$$
#
# - $R$ is the stack of layers, and $v$ its output, which should be the noise $n$;
# - $\hat x$ is the restored picture.
#
# This is **residual learning**. To pass on a picture unchanged, ordinary layers would have to learn
# to copy it, through 6 ReLUs. Here $R(y) = 0$ is enough.

# %%
for network_layer in network.layers[-3:]:
    print(network_layer.name)
noise_part = keras.Model(network.input, network.get_layer("noise").output)
difference = np.asarray(network(picture)) - (picture - np.asarray(noise_part(picture)))
print(f"x_hat - (y - R(y)), largest value: {np.abs(difference).max():.0e}")

# %% [markdown]
# The weights are chosen such that the **loss** is small, a number that says how bad the answers
# are: here the mean squared error. By this measure the best answer is not the likeliest picture. It
# is the **conditional mean**, the average of all clean values that may be behind $y$:
#
# $$\arg\min_c \; \mathbb{E}\big[(x - c)^2 \,\big|\, y\big] = \mathbb{E}[x \mid y]$$
#
# - $c$ is a possible answer, and $\arg\min$ reads "the one for which this is smallest";
# - $\mathbb{E}[\,\cdot \mid y]$ is the average over all cases in which $y$ was observed.
#
# The reason is one derivative: that of $\mathbb{E}[(x - c)^2 \mid y]$ is $2c - 2\,\mathbb{E}[x \mid
# y]$, which is 0 at $c = \mathbb{E}[x \mid y]$.
#
# Take a world with two grey values, 0.2 and 0.8, each equally often, and noise of $\sigma = 0.2$.
# We observe $y = 0.6$. **Which answer would you give?**

# %%
true_values = rng.choice([0.2, 0.8], size=1_000_000)
seen = true_values + 0.2 * rng.normal(size=true_values.shape)
behind = true_values[np.abs(seen - 0.6) < 0.01]  # the clean values in all cases of y = 0.6

answers = np.linspace(0.0, 1.0, 101)
errors = [np.mean((behind - c) ** 2) for c in answers]
likelihoods = np.exp(-((0.6 - np.array([0.2, 0.8])) ** 2) / (2 * 0.2**2))
print(f"the answer with the smallest squared error: {answers[np.argmin(errors)]:.2f}")
print(f"the average of the {len(behind):,} clean values:    {behind.mean():.2f}")
# Bayes's rule, each value weighted by how probable it makes 0.6:
by_bayes = likelihoods @ [0.2, 0.8] / likelihoods.sum()
print(f"E[x | y] by Bayes's rule:                    {by_bayes:.2f}")
for c in (0.8, behind.mean()):
    print(f"mean squared error of the answer {c:.2f}:       {np.mean((behind - c) ** 2):.3f}")

# %% [markdown]
# The likeliest value is 0.8. The best answer is 0.69, a grey that does not exist in this world. A
# wrong 0.8 is so far off that it pays to hedge. A denoiser hedges in the same way: where the noise
# leaves open which of several textures was there, it answers with their average, and an average of
# textures is smooth.
#
# ## 6. The training step
#
# A `Restorer` needs clean pictures only, and degrades them itself. Its whole training step, from
# the source of the library:

# %%
print(inspect.getsource(ki.Restorer.train_step))
print(inspect.getsource(ki.Restorer.prepared))

# %% [markdown]
# - `prepared` gets a batch of clean pictures $x$, `batch.clean`, and returns $y = x + n$ and $x$.
#   (Its first lines are for networks that do not take all sizes, and for those who bring pairs.)
#   The noise is drawn anew in every step, so the network never meets the same $y$ twice. This
#   leaves little room for **overfitting**, learning the training pictures by heart in place of a
#   rule.
# - `backends.prepared_step` passes both to `super().train_step`, Keras's own step. It computes the
#   answer $\hat x$, the loss, the **gradient** (in which direction each weight should go to make
#   the loss smaller), and moves the weights a little.
#
# Check that the loss which Keras reports is the formula. (Without arguments, `compile` takes the
# mean squared error and the optimizer Adam. Outside of training the noise is always the same.)

# %%
denoiser = ki.Restorer(network, ki.degradations.AdditiveNoise(SIGMA, seed=SEED), seed=SEED)
denoiser.compile()

batch = photos[0][0]
observed = np.asarray(denoiser.degradation(batch))
residual = np.asarray(noise_part(observed))
reported = denoiser.evaluate(batch, batch_size=len(batch), verbose=0, return_dict=True)
print(f"by the formula: {np.mean((observed - residual - batch) ** 2):.5f}")
print(f"by Keras:       {reported['loss']:.5f}")

# %% [markdown]
# ## 7. Training
#
# The **learning rate** says how far the weights go in each step. A short training gains much by a
# **schedule**: small steps first, then large ones, then smaller and smaller ones to come to rest.


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


first_weights = network.get_weights()  # for a comparison, below
denoiser.compile(warm_up_and_rest(2e-3, steps=EPOCHS * len(photos)))

# %% [markdown]
# **About 30 seconds.** The picture shows a photograph that the network does not learn from.

# %%
history = denoiser.fit(
    photos,
    epochs=EPOCHS,
    callbacks=[ki.callbacks.BeforeAfter(cat, n=1)],
    verbose=0,
)

# %% [markdown]
# **What has the subtraction bought?** Train a twin: the same layers and first weights, the same
# pieces and noise. But its output *is* the picture, $\hat x = R(y)$. **About 30 seconds.** Guess
# first: who is ahead after one epoch, and who at the end?

# %%
layers_of_twin = ki.networks.dncnn(depth=DEPTH, filters=FILTERS, batch_norm=False)
layers_of_twin.set_weights(first_weights)
twin = ki.Restorer(
    keras.Model(layers_of_twin.input, layers_of_twin.get_layer("noise").output),
    ki.degradations.AdditiveNoise(SIGMA, seed=SEED),
    seed=SEED,
)
twin.compile(warm_up_and_rest(2e-3, steps=EPOCHS * len(photos)))
of_twin = twin.fit(photos, epochs=EPOCHS, verbose=0)

figure, ax = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
epochs = np.arange(1, EPOCHS + 1)
for name, curve in {"y - R(y)": history, "R(y)": of_twin}.items():
    values = curve.history["psnr"]
    ax.plot(epochs, values, "o-", label=name)
    print(f"{name:9} after 1 epoch {values[0]:.1f} dB, after {EPOCHS}: {values[-1]:.1f} dB", end="")
    model = denoiser if curve is history else twin
    print(f"; test photographs {mean_psnr(test_photos, model.restore(noisy_photos)):.1f} dB")
ax.axhline(10 * np.log10(1 / SIGMA**2), color="k", linestyle=":", label="observed")
ax.set(xlabel="epoch", ylabel="PSNR in training, dB", title="The network and its twin")
ax.legend()
plt.show()

# %% [markdown]
# After one epoch the twin is about where the observed pictures are: it has learnt to copy. Later it
# catches up, and at the end it is a little behind. So the subtraction buys *time*. (The paper found
# the same for 17 layers: sooner, and further.) The PSNR in training is a mean over pieces, in which
# smooth ones count as much as rich ones; so it is higher than that of whole photographs.
#
# ## 8. What did it remove?
#
# Do not only look at what a denoiser gives you. Look at what it took away: $y - \hat x$, shown on
# grey. If it is good, this is noise and nothing else. **An edge that stands out there was stolen
# from the picture.**

# %%
restored_photos = denoiser.restore(noisy_photos)
blurred_photos = box_blur(noisy_photos)
removed = {
    "the noise $n$": noisy_photos - test_photos,
    "removed by the box blur": noisy_photos - blurred_photos,
    "removed by the network": noisy_photos - restored_photos,
}
figure, axes = plt.subplots(2, 3, figsize=(8.4, 6), layout="constrained")
tops = {
    "observed": noisy_photos,
    "box blur": blurred_photos,
    "network": restored_photos,
}
for ax, (title, pictures) in zip(axes[0], tops.items(), strict=True):
    print(f"{title:9} {mean_psnr(test_photos, pictures):.1f} dB")
    title += f" · {mean_psnr(test_photos[2:], pictures[2:]):.1f} dB"
    ki.plotting.plot_images(pictures[2:], title=title, ax=ax)
for ax, (title, pictures) in zip(axes[1], removed.items(), strict=True):
    ki.plotting.plot_images(0.5 + pictures[2:], title=title, ax=ax)
plt.show()

# %% [markdown]
# In the middle, the outlines stand out of the grey: the box blur took them for noise. On the right
# you have to search. How strong is what was removed where the clean picture has edges, and where it
# is flat?

# %%
steps_down = np.diff(test_photos, axis=1)[:, :, 1:]
steps_right = np.diff(test_photos, axis=2)[:, 1:]
slope = np.hypot(steps_down, steps_right)
on_edges, on_flat = slope > np.quantile(slope, 0.9), slope < np.quantile(slope, 0.5)
for name, pictures in removed.items():
    there, here = (255 * np.std(pictures[:, 1:, 1:][where]) for where in (on_edges, on_flat))
    print(f"{name:24} on edges: {there:.1f}   on flat parts: {here:.1f}")

# %% [markdown]
# The noise has 25 everywhere. The box blur removes more on edges than there is noise. The network
# removes *less* on edges than on flat parts. Where it is not sure it leaves things as they are: the
# conditional mean of the noise is nearer to 0 where picture and noise are hard to tell apart.
#
# ## 9. In colour
#
# A colour picture has three channels: red, green and blue. One may restore each as if it were a
# grey picture. Or one gives all three to a network whose filters span them, with 27 weights in the
# first layer in place of nine.
#
# Only four of the nine photographs are in colour. Take more pieces of each, and as many steps as
# before, **about 30 seconds**. *First predict*: who wins? What do the three colours of a pixel have
# in common that their noise has not?

# %%
in_colour = ki.Restorer(
    ki.networks.dncnn((None, None, 3), depth=DEPTH, filters=FILTERS, batch_norm=False),
    ki.degradations.AdditiveNoise(SIGMA, seed=SEED),
    seed=SEED,
)
first_layer = next(layer for layer in in_colour.network.layers if layer.weights)
untrained = np.asarray(first_layer.kernel)
colour_photos = ki.load(
    "photos", size=48, channels=3, crops=PIECES * 9 // 4, batch_size=8, seed=SEED
)
in_colour.compile(warm_up_and_rest(2e-3, steps=EPOCHS * len(colour_photos)))
in_colour.fit(colour_photos, epochs=EPOCHS, verbose=0)


# %%
def one_by_one(pictures):
    """Restore each colour as if it were a grey picture."""
    colours = [denoiser.restore(pictures[..., [c]]) for c in range(3)]
    return np.concatenate(colours, axis=-1)


coffee = ki.load_example("coffee")[None, 40:360, 110:430]
cat_in_colour = ki.load("photos", "test", size=128, channels=3, crops=0).take(1)
print("                      coffee     cat")
for name, method in {
    "observed": lambda y: y,
    "box blur, 3 x 3": box_blur,
    "non-local means": lambda y: non_local_means(y, SIGMA),
    "network, one by one": one_by_one,
    "network for colours": in_colour.restore,
}.items():
    print(f"{name:20}", end="")
    for clean in (coffee, cat_in_colour):
        print(f" {mean_psnr(clean, method(noisy(clean, SIGMA))):4.1f} dB", end="")
    print()
red, green = coffee[..., 0].ravel(), coffee[..., 1].ravel()
of_noise = (noisy(coffee, SIGMA) - coffee).reshape(-1, 3)
print(f"\ncorrelation of red and green: coffee {np.corrcoef(red, green)[0, 1]:.2f}", end="")
print(f", its noise {np.corrcoef(of_noise.T)[0, 1]:.2f}")

# %% tags=["cover"]
observed = noisy(coffee, SIGMA)
shown = {"observed": observed, "restored": in_colour.restore(observed), "clean": coffee}
part = (slice(None), slice(150, 300), slice(170, 320))  # the spoon
figure, axes = plt.subplots(2, 3, figsize=(10, 7), layout="constrained")
for (name, pictures), column in zip(shown.items(), axes.T, strict=True):
    title = name if name == "clean" else f"{name} · {mean_psnr(coffee, pictures):.1f} dB"
    ki.plotting.plot_images(pictures, title=title, ax=column[0])
    ki.plotting.plot_images(pictures[part], title="enlarged", ax=column[1])
plt.show()

# %% [markdown]
# On the cat the network for colours wins by more than a decibel, though it met four photographs and
# the grey one nine. The reason is section 1 again: red and green of a pixel are related in the
# photograph, and unrelated in its noise.
#
# On the coffee it is a tie, and with another `SEED` the grey network may be ahead. Non-local means,
# which learns nothing, is as good as both there: large smooth parts are easy. The dark parts are
# still full of specks: half a minute is short.
#
# ## 10. What the first layer has learnt
#
# A filter of the first layer has 3 x 3 weights for each colour, so it can be shown as a picture of
# nine pixels. Textbooks say that a CNN learns edges, textures and colours. **Guess**: how many of
# these 32 filters will look like one?


# %%
def as_pictures(filters):
    """Filters as pictures, eight pixels a weight: 0 is grey, the largest weight of each 0 or 1."""
    pictures = np.moveaxis(filters, -1, 0).repeat(8, axis=1).repeat(8, axis=2)
    return 0.5 + 0.5 * pictures / np.abs(pictures).max(axis=(1, 2, 3), keepdims=True)


trained = np.asarray(first_layer.kernel)  # rows, columns, colours, filters
before, after = untrained.reshape(27, -1), trained.reshape(27, -1)
lengths = np.linalg.norm(before, axis=0) * np.linalg.norm(after, axis=0)
similarity = np.sum(before * after, axis=0) / lengths
order = np.argsort(similarity)
print(f"similarity of a filter before and after: median {np.median(similarity):.2f}", end="")
print(f", from {similarity.min():.2f} to {similarity.max():.2f}")
figure, axes = plt.subplots(2, 1, figsize=(10, 3.6), layout="constrained")
ki.plotting.plot_images(as_pictures(untrained)[order], 16, "before the training", axes[0])
ki.plotting.plot_images(as_pictures(trained)[order], 16, "after it, most changed first", axes[1])
plt.show()

# %% [markdown]
# Most filters are still nearly the random numbers that they began as (1 would be the same filter, 0
# an unrelated one). This short training has changed few of them, and the layers behind make use of
# what chance put there. So filters prove little unless the untrained ones stand beside them. (The
# famous ones with stripes and colours, by Krizhevsky and others, have 11 x 11 weights, and learnt
# for days to *name* what pictures show.)
#
# What do they answer to? Take the filter that leans most to brightness (all weights of one sign),
# to an edge (one side against the other) or to colours (one against another), and let it run over
# the coffee.


# %%
def leanings(filters):
    """How far each filter leans to brightness, to edges in two directions, and to a colour."""
    of_colours = filters.sum(axis=(0, 1))
    brightness = np.abs(of_colours.sum(axis=0))
    return {
        "brightness": brightness,
        "left against right": np.abs((filters[:, 2] - filters[:, 0]).sum(axis=(0, 1))),
        "top against bottom": np.abs((filters[2] - filters[0]).sum(axis=(0, 1))),
        "colours": np.ptp(of_colours, axis=0) - brightness,
    }


answers = np.asarray(keras.ops.conv(coffee, trained, padding="same"))
figure, axes = plt.subplots(2, 4, figsize=(11, 4), layout="constrained", height_ratios=(1, 3))
for (name, lean), column in zip(leanings(trained).items(), axes.T, strict=True):
    print(f"{name:19} untrained {leanings(untrained)[name].max():.2f}, trained {lean.max():.2f}")
    best = int(np.argmax(lean))
    ki.plotting.plot_images(as_pictures(trained)[[best]], title=name, ax=column[0])
    image = column[1].imshow(answers[0, ..., best], cmap="RdBu_r", vmin=-0.5, vmax=0.5)
    column[1].set_axis_off()
figure.colorbar(image, ax=axes[1], label="answer")
plt.show()

# %% [markdown]
# The first answers to light and dark, the next two draw outlines, each in its direction, the last
# weighs one colour against another. Training has mostly made the strongest of each kind stronger.
# Nine places are enough for an edge and for a colour. A texture takes several layers.
#
# ## What to remember
#
# 1. White noise has no relation between neighbours, nor between colours; a photograph has both.
# 2. A mean removes noise, and all in which neighbours differ. Average what belongs together.
# 3. A convolution is a weighted sum over neighbours, the same everywhere. $d$ layers of 3 x 3 see
#    $2d + 1$ pixels a side, and nothing else.
# 4. DnCNN predicts the noise and subtracts it: $\hat x = y - R(y)$. This buys time.
# 5. The squared error is smallest for the conditional mean $\mathbb{E}[x \mid y]$. It hedges, and
#    hedging looks smooth.
# 6. Look at what was removed. A good denoiser leaves no edges there.
#
# ## You should see / if not
#
# Measured with three values of `SEED`, on two CPU cores:
#
# - **Training**: photographs from 20.5 dB up to 27.9. *If not*, below 27: was the cell with the
#   schedule run, directly before `fit`? The twin: 19.6 to 21.1 dB after one epoch (the network 24.3
#   to 24.5), and 27.6 to 27.7 on the photographs at the end. *If not*, and both curves agree: the
#   twin must end at the layer called "noise".
# - **What was removed**: 22.0 to 22.1 on edges and 23.1 to 23.4 on flat parts; for the box blur
#   36.4 and 23.8. *If not*, and edges have more: the training was too short.
# - **In colour**: the network for colours at 30.2 to 30.6 dB on the coffee and 28.9 to 29.0 on the
#   cat; one by one 30.3 to 30.4 and 27.7 to 27.8. Median similarity of filters: 0.94 to 0.96.
#   *If not*, and it is 1.00: was `untrained` copied before the training?
#
# With a graphics card, raise `DEPTH` to 17, `FILTERS` to 64, `PIECES` to 256 and `EPOCHS` to 30,
# and set `batch_norm=True`: that is the network of the paper.
#
# ## Read on
#
# **In papers this is called.** The clean picture is the ground truth, the noisy one corrupted by
# additive white Gaussian noise (AWGN). What the network predicts is the residual; the answer with
# the smallest mean squared error is the MMSE estimator, the conditional mean. *What was removed* is
# called method noise.
#
# - A. Buades, B. Coll and J.-M. Morel, *A non-local algorithm for image denoising*, CVPR 2005.
# - K. Dabov, A. Foi, V. Katkovnik and K. Egiazarian, *Image denoising by sparse 3-D
#   transform-domain collaborative filtering*, IEEE Transactions on Image Processing 16(8), 2007:
#   BM3D.
# - K. Zhang and others, *Beyond a Gaussian Denoiser*, 2017, [arXiv
#   1608.03981](https://arxiv.org/abs/1608.03981): DnCNN and residual learning.
# - J. Lehtinen and others, *Noise2Noise*, 2018, [arXiv
#   1803.04189](https://arxiv.org/abs/1803.04189): the conditional mean without clean pictures.
# - A. Krizhevsky, I. Sutskever and G. Hinton, *ImageNet classification with deep convolutional
#   neural networks*, NIPS 2012.
#
# [Tutorial 06](06_what_a_denoiser_knows.ipynb) breaks this network in three ways. The photographs
# are in the public domain or CC0; the package's `assets/LICENSES.md` names their authors.
#
# ## Exercises
#
# Replace each `...` and run the cell, then the check below it. The check prints `Right`, or says
# what it found and gives a hint.
#
# ### Exercise 1: a wider window
#
# A DnCNN of 3 x 3 convolutions should see at least 35 x 35 pixels. How many layers does it need?
# And how many weights has it, with 32 filters, grey pictures and no batch normalisation? With
# pencil and paper: the first layer turns 1 channel into 32, the last one 32 into 1, all between
# them 32 into 32. Each filter has nine weights for every channel that comes in, and one bias.

# %% tags=["exercise"]
layers_needed = ...
weights = ...

# %% tags=["solution"]
layers_needed = 17  # 2 * 17 + 1 = 35
first, inner, last = 32 * (9 * 1 + 1), 32 * (9 * 32 + 1), 1 * (9 * 32 + 1)
weights = first + (layers_needed - 2) * inner + last

# %% tags=["check"]
for name, value in (("layers_needed", layers_needed), ("weights", weights)):
    assert isinstance(value, (int, float, np.number)), (
        f"{name} should be a number. It is {value!r}. Hint: solve 2 d + 1 = 35 for d."
    )
assert layers_needed == 17, (
    f"{layers_needed} layers see {2 * layers_needed + 1:g} pixels a side. "
    "Hint: the smallest d with 2 d + 1 at least 35."
)
expected = ki.networks.dncnn(depth=17, filters=32, batch_norm=False).count_params()
assert weights == expected, (
    f"You count {weights:,} weights; the network has {expected:,}. "
    "Hint: an inner layer has 32 filters of 9 * 32 weights and one bias each. Of the 17 layers, "
    "how many are inner ones?"
)
print(f"Right: 17 layers, {expected:,} weights.")

# %% [markdown]
# ### Exercise 2: sixty-seven decibels
#
# A widely copied example restores dark photographs and reports 67 dB. Its pictures have values in
# [0, 1]. It measures with `their_psnr`, below.
#
# By how many decibels is this too much, for any pictures (`gift`)? What are the 67 dB in truth?
# There was a way to notice without any code. Nobody can store a photograph in 8 bits better than by
# rounding it to the nearest of 256 grey levels, $1/255$ apart. What PSNR has a picture whose only
# fault is this rounding (`ceiling`)? The errors are spread evenly over half a
# step to either side, and the mean square of such errors is $1/12$ of the squared step.


# %% tags=["exercise"]
def their_psnr(clean, restored):
    """PSNR of pictures in [0, 1], as the example has it."""
    return 10 * np.log10(255.0**2 / np.mean((clean - restored) ** 2))


gift = ...
truth = ...
ceiling = ...


# %% tags=["solution"]
def their_psnr(clean, restored):  # noqa: F811
    """PSNR of pictures in [0, 1], as the example has it."""
    return 10 * np.log10(255.0**2 / np.mean((clean - restored) ** 2))


gift = 20 * np.log10(255)  # the largest value is 1, and 255 was written
truth = 67 - gift
ceiling = 10 * np.log10(12 * 255**2)  # 1 / MSE, with MSE = (1 / 255)^2 / 12

# %% tags=["check"]
for name, value in (("gift", gift), ("truth", truth), ("ceiling", ceiling)):
    assert isinstance(value, (int, float, np.number)), (
        f"{name} should be a number of decibels. It is {value!r}. "
        "Hint: what has their formula in the place of 1 / MSE?"
    )
one, answer = test_photos[:1], restored_photos[:1]
measured = their_psnr(one, answer) - float(ki.metrics.psnr(one, answer)[0])
assert abs(gift - measured) < 0.01, (
    f"Measured on a restored photograph, the gift is {measured:.2f} dB. Yours is {gift:.2f} dB. "
    "Hint: 10 log10(255^2 / MSE) is 10 log10(255^2) + 10 log10(1 / MSE)."
)
assert abs(truth - (67 - measured)) < 0.01, (
    f"67 dB less the gift are not {truth:.2f} dB. Hint: subtract."
)
values = np.random.default_rng(0).random(100_000)  # grey values between the levels
rounded = 10 * np.log10(1 / np.mean((values - np.round(255 * values) / 255) ** 2))
assert abs(ceiling - rounded) < 0.05, (
    f"Rounded to 256 levels, a picture has {rounded:.1f} dB. Yours is {ceiling:.1f} dB. "
    "Hint: the step is 1 / 255, so MSE is (1 / 255)^2 / 12."
)
print(f"Right: a gift of {gift:.2f} dB, and the truth is {truth:.1f} dB.")
print(f"With more than {ceiling:.1f} dB a restored photograph would be closer to the scene than")
print("the photograph's own file. Be suspicious long before that.")
