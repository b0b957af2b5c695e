# %% [markdown]
# # 05 · CNN denoising
#
# **You will be able to**
#
# - compute a convolution by hand, and say which pixels an output of a network depends on;
# - train a CNN that predicts noise and subtracts it, read its training step, and measure what the
#   subtraction buys;
# - say why a network asked for the smallest squared error answers with a conditional mean;
# - judge a denoiser by what it removed, and predict which noise it will leave standing;
# - tell what a network found in a picture from what it made up, without the clean picture.
#
# **You need** [tutorial 01](01_generation_and_restoration.ipynb), sections 1, 2 and 5.
#
# **Time** on two CPU cores: 3 minutes of computing, 90 minutes with reading and exercises.

# %%
# If the package is missing: installs the wheel beside this notebook, or the checkout around it.
import importlib.util
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("keras_imgen") is None:
    folders = [Path.cwd(), *Path.cwd().parents]
    found = [wheel for folder in folders for wheel in sorted(folder.glob("keras_imgen-*.whl"))[-1:]]
    found += [folder for folder in folders if (folder / "keras_imgen" / "__init__.py").exists()]
    if not found:
        raise ModuleNotFoundError(
            "keras_imgen is not installed. Run `pip install PATH` with the path of its wheel or of "
            "its checkout, or put the wheel beside this notebook and run this cell again."
        )
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", str(found[0])], check=True)

# %% [markdown]
# ## How does a network know what is noise?
#
# Below are four pictures, each in the same low contrast, and what one and the same
# denoising network makes of them. It wipes out two and leaves most of
# the other two.
#
# ![Four faint pictures and what the denoiser leaves of them](attachment:cover)
#
# The second picture consists of the pixels of the fourth, not one grey value more or less, and yet
# it is wiped out. The third is noise through and through, exactly as strong as the first, and yet
# it is kept.
#
# What does it look at? By the end of this notebook you can say it in one sentence, and use the
# sentence to repair noise for which the network was not made.

# %% tags=["setup"]
import inspect
import os

import keras
import matplotlib.pyplot as plt
import numpy as np

import keras_imgen as ki

SEED = 0
SIGMA = 25 / 255  # the noise that the first network is trained for
DEPTH, FILTERS = 7, 32
EPOCHS = 8
PIECES = 64  # of each photograph, in every epoch
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # for a quick test of this notebook
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
# The middle one holds every grey value of the photograph exactly as often as the photograph does.
# To the eye it is noise.
#
# So noise cannot be told by its values. What the shuffling destroyed is the relation between
# neighbours. In a photograph a pixel next to a dark one is probably dark. This is measured by the
# **correlation** of horizontal neighbours, 1 if each tells everything about the next, and 0 if it
# tells nothing:
#
# $$r = \frac{\frac{1}{N} \sum_i (a_i - \bar a)(b_i - \bar b)}{s_a \, s_b}$$
#
# - $a_i$ is a pixel and $b_i$ the pixel on its right, for $N$ pairs;
# - $\bar a$ and $\bar b$ are the means of all $a_i$ and of all $b_i$;
# - $s_a$ and $s_b$ are their standard deviations.


# %%
def correlation(pictures, distance=1):
    """The correlation of pixels that are `distance` apart in their row."""
    a, b = pictures[:, :, :-distance].ravel(), pictures[:, :, distance:].ravel()
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
# in bad light is close to it, and it is the noise of this notebook:
#
# $$y = x + n, \qquad n_i \sim \mathcal{N}(0, \sigma^2)$$
#
# - $x$ is the clean picture and $y$ the observed one, with values around 0 (black) to 1 (white);
# - $n$ is the noise, with one number $n_i$ for each pixel $i$, drawn from the normal distribution
#   $\mathcal{N}$ with mean 0 and standard deviation $\sigma$.
#
# Here $\sigma = 25/255$. Papers call it "sigma 25", on the scale of 255 grey levels.
#
# As in tutorial 01, the damage is measured by the mean squared error over all $N$ pixels, in
# decibels:
#
# $$\mathrm{MSE} = \frac{1}{N} \sum_i (x_i - \hat x_i)^2, \qquad
# \mathrm{PSNR} = 10 \, \log_{10} \frac{1}{\mathrm{MSE}} \;\text{dB}$$
#
# where $\hat x$ is the picture under judgement. For an untouched noisy picture, $\hat x = y$, the
# MSE is $\sigma^2$.


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
# Cutting off what is blacker than black or whiter than white already helps a little. From here on
# it is done everywhere, for every method alike.
#
# ## 2. The oldest remedy: a mean of neighbours
#
# If neighbours in the picture agree and neighbours in the noise do not, take the mean over a square
# of $k$ x $k$ pixels. This is a **box blur**. It leaves of white noise only
#
# $$\sigma_k = \frac{\sigma}{k},$$
#
# where $k$ is the side of the square and $\sigma_k$ the standard deviation that remains: in a mean
# of $k^2$ independent numbers the errors partly cancel, and the standard deviation falls by
# $\sqrt{k^2} = k$.


# %%
def in_square(pictures, side):
    """The pixels of a square around every pixel; at the border the last pixels are repeated."""
    height, width = pictures.shape[1:3]
    reach = side // 2
    wide = np.pad(pictures, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="edge")
    return [wide[:, i : i + height, j : j + width] for i in range(side) for j in range(side)]


def box_blur(pictures, side=3):
    """The mean over a square around every pixel."""
    return np.mean(in_square(pictures, side), axis=0)


flat = np.full((1, 128, 128, 1), 0.5, "float32")
print("side   sigma/side   on flat grey   on photographs")
for side in (1, 3, 5, 7):
    remaining = 255 * np.std(box_blur(noisy(flat, SIGMA), side))
    psnr = mean_psnr(test_photos, box_blur(noisy_photos, side))
    print(f"{side}      {25 / side:4.1f}         {remaining:4.1f}           {psnr:.1f} dB")

# %% [markdown]
# On flat grey a larger square is always better, as the formula says. (A little more remains than it
# says: at the border, where the last pixels are repeated, fewer numbers are averaged.) On
# photographs 3 x 3 wins and larger ones lose again: across an edge the neighbours do not agree, and
# the mean blurs the edge.
#
# One wants a mean over *those neighbours that belong together*. Which ones do depends on the
# picture.
#
# ## 3. Neighbours that belong together
#
# Before networks learnt it, people wrote it down. **Non-local means** asks for each pixel: which
# other pixels have *surroundings* like mine? It takes their mean, the more alike, the more weight:
#
# $$\hat x_i = \frac{\sum_j w_{i,j} \, y_j}{\sum_j w_{i,j}}, \qquad
# w_{i,j} = \exp\Big(-\frac{\max(d_{i,j} - 2\sigma^2,\, 0)}{h^2}\Big)$$
#
# - $y_j$ are the pixels within some steps of pixel $i$, and $w_{i,j}$ their weights;
# - $d_{i,j}$ is the mean squared difference of the two surroundings, 5 x 5 pixels each. For equal
#   surroundings only the noise differs, which makes it $2\sigma^2$: this much is forgiven;
# - $h$ says how fast the weight falls; here $0.4\,\sigma$.
#
# No pixel is asked by itself: one pixel is mostly noise, 25 pixels hardly.


# %%
def non_local_means(pictures, sigma, reach=7):
    """Weighted means over pixels whose surroundings of 5 x 5 pixels look alike."""
    height, width = pictures.shape[1:3]
    wide = np.pad(pictures, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="reflect")
    total = weights = 0.0
    for i in range(2 * reach + 1):
        for j in range(2 * reach + 1):
            moved = wide[:, i : i + height, j : j + width]
            distance = box_blur((pictures - moved) ** 2, 5)
            weight = np.exp(-np.maximum(distance - 2 * sigma**2, 0.0) / (0.4 * sigma) ** 2)
            total, weights = total + weight * moved, weights + weight
    return total / weights


def median(pictures, side=3):
    """The middle one of the values in a square around every pixel."""
    return np.median(in_square(pictures, side), axis=0)


by_hand = {
    "observed": noisy_photos,
    "median, 3 x 3": median(noisy_photos),
    "box blur, 3 x 3": box_blur(noisy_photos),
    "non-local means": non_local_means(noisy_photos, SIGMA),
}
figure, axes = plt.subplots(1, 4, figsize=(10, 2.9), layout="constrained")
for ax, (name, pictures) in zip(axes, by_hand.items(), strict=True):
    print(f"{name:16} {mean_psnr(test_photos, pictures):.1f} dB")
    title = f"{name} · {mean_psnr(test_photos[:1], pictures[:1]):.1f} dB"
    ki.plotting.plot_images(pictures[:1], title=title, ax=ax)
plt.show()

# %% [markdown]
# Non-local means smooths the sky and leaves the man's outline sharp, since no pixel of the sky has
# surroundings like the coat's. Much of the best work before networks refines this idea; **BM3D**
# stacks similar pieces and denoises the stack as a whole.
#
# But somebody had to decide that 5 x 5 pixels are compared, by squared differences, with the
# weight of an exponential. A network learns what to compare from pictures. Its building block is
# already here.

# %% [markdown]
# ## 4. Convolution
#
# A box blur multiplies nine pixels by 1/9 each and adds them up. A **convolution** does the same
# with nine weights of its own. The weights are called a **filter**, and are the same at every
# place:
#
# $$z_{i,j} = b + \sum_{a=-1}^{1} \sum_{c=-1}^{1} w_{a,c} \; y_{i+a,\,j+c}$$
#
# - $y_{i,j}$ is the input's pixel in row $i$ and column $j$;
# - $w_{a,c}$ are the nine weights, and $b$ is one number more, the **bias**;
# - $z_{i,j}$ is the output at the same place.
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
# Two things follow from the formula, before any training. Check both.
#
# **Translation equivariance.** The weights do not know where they are. If the picture moves by 5
# rows, the output moves by 5 rows. Only near the border there is a difference, since the zeros
# beyond it do not move.
#
# **Receptive field.** The square of input pixels that one output can depend on. One layer sees
# 3 x 3. Each further layer adds one pixel on every side, so after $d$ layers the side is
#
# $$2 d + 1.$$
#
# To measure it, change a single pixel and look which outputs move.

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
# Keep both in mind. Whatever the network will know, it knows it everywhere alike, and from a window
# of 15 x 15 pixels. It never sees a cat.

# %% [markdown]
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
# to copy it, through 32 filters and 6 ReLUs. Here $R(y) = 0$ is enough: the picture is there from
# the start, and only the correction has to be learnt.

# %%
for network_layer in network.layers[-3:]:
    print(network_layer.name)
noise_part = keras.Model(network.input, network.get_layer("noise").output)
difference = np.asarray(network(picture)) - (picture - np.asarray(noise_part(picture)))
print(f"x_hat - (y - R(y)), largest value: {np.abs(difference).max():.0e}")

# %% [markdown]
# The weights are chosen such that the **loss** is small, a number that says how bad the answers
# are. Here it is the mean squared error. What is the best answer, by this measure? Not the
# likeliest picture. For each observed $y$ the smallest squared error is reached by the
# **conditional mean**, the average of all clean values that may be behind $y$:
#
# $$\arg\min_c \; \mathbb{E}\big[(x - c)^2 \,\big|\, y\big] = \mathbb{E}[x \mid y]$$
#
# - $c$ is a possible answer, and $\arg\min$ reads "the one for which this is smallest";
# - $\mathbb{E}[\,\cdot \mid y]$ is the average over all cases in which $y$ was observed.
#
# The reason is one derivative: that of $\mathbb{E}[(x - c)^2 \mid y]$ is $2c - 2\,\mathbb{E}[x \mid
# y]$, which is 0 at $c = \mathbb{E}[x \mid y]$.
#
# A world with two grey values shows what this means. A pixel is either 0.2 or 0.8, each equally
# often. The noise has $\sigma = 0.2$. We observe $y = 0.6$. **Which answer would you give?**

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
# wrong 0.8 is so far off that it pays to hedge.
#
# A denoiser hedges in the same way. Where the noise leaves open which of several textures was
# there, it answers with their average, and an average of textures is smooth.

# %% [markdown]
# ## 6. The training step
#
# A `Restorer` needs clean pictures only. It spoils them itself. This is its whole training step,
# from the source of the library:

# %%
print(inspect.getsource(ki.Restorer.train_step))
print(inspect.getsource(ki.Restorer.prepared))

# %% [markdown]
# Line by line:
#
# - `prepared`, the second function, gets a batch of clean pictures $x$, `batch.clean`, and returns
#   two things: $y = x + n$ and $x$. The noise is drawn anew in every step, so the network never
#   meets the same $y$ twice and cannot learn answers by heart. (Its first lines are for networks
#   that do not take all sizes, and for those who bring pairs.)
# - `super().train_step` is Keras's own step. From `(inputs, targets)` it computes the answer
#   $\hat x$, the loss, the **gradient** (in which direction each weight should go to make the loss
#   smaller), and moves the weights a little.
# - `backends.prepared_step` calls the second on the result of the first. It stands there because
#   Keras's step has different arguments on TensorFlow and on JAX.
#
# No gradient is written in this step, as it is for a GAN in tutorial 02: with one network and one
# loss, Keras does it. What remains of the formula is
#
# $$L = \frac{1}{N} \sum_i \big(y_i - R(y)_i - x_i\big)^2, \qquad y = D(x),$$
#
# where $L$ is the loss, $D$ the degradation, and $N$ the number of pixels in the batch. Check that
# this is what Keras reports. (Without arguments, `compile` takes the mean squared error and the
# usual optimizer, Adam.) Outside of training the degradation always draws the same noise.

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
# **schedule**: small steps first, while the gradients are wild, then large ones, then smaller and
# smaller ones to come to rest.


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

# %%
ki.plotting.plot_history(history)

# %% [markdown]
# The logged PSNR is a mean over pieces of photographs, each with decibels of its own. Smooth pieces
# count as much as rich ones, which is why it is higher than the PSNR of whole photographs.
#
# **What has the subtraction bought?** Train a twin: the same layers, the same first weights, the
# same pieces in the same order and the same noise. But its output *is* the picture, $\hat x =
# R(y)$.
# **About 30 seconds.** Guess first: who is ahead after one epoch, and who at the end?

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

epochs = np.arange(1, EPOCHS + 1)
for name, curve in {"y - R(y)": history, "R(y)": of_twin}.items():
    values = curve.history["psnr"]
    plt.plot(epochs, values, "o-", label=name)
    print(f"{name:9} after 1 epoch {values[0]:.1f} dB, after {EPOCHS}: {values[-1]:.1f} dB", end="")
    model = denoiser if curve is history else twin
    print(f"; test photographs {mean_psnr(test_photos, model.restore(noisy_photos)):.1f} dB")
plt.axhline(10 * np.log10(1 / SIGMA**2), color="k", linestyle=":", label="observed")
plt.xlabel("epoch"), plt.ylabel("PSNR in training, dB"), plt.legend()
plt.show()

# %% [markdown]
# After one epoch the twin is about where the observed pictures were before anybody did anything: it
# has spent the epoch on learning to copy. Later it catches up, and at the end it is a little
# behind. So the subtraction buys *time*. With it a network begins at the observed picture, without
# it at nothing. (The paper found the same for 17 layers: it gets there sooner, and further.)
#
# ## 8. What did it remove?

# %%
restored_photos = denoiser.restore(noisy_photos)
print(f"observed:      {mean_psnr(test_photos, noisy_photos):.1f} dB")
print(f"box blur, 3x3: {mean_psnr(test_photos, box_blur(noisy_photos)):.1f} dB")
print(f"network:       {mean_psnr(test_photos, restored_photos):.1f} dB")
ki.plotting.plot_before_after(noisy_photos[[0, 2]], restored_photos[[0, 2]], test_photos[[0, 2]])

# %% [markdown]
# Do not only look at what a denoiser gives you. Look at what it took away: $y - \hat x$, shown on
# grey. If it is good, this is noise and nothing else. **An edge that stands out there was stolen
# from the picture.**

# %%
blurred_photos = box_blur(noisy_photos)
removed = {
    "the noise $n$": noisy_photos - test_photos,
    "removed by the box blur": noisy_photos - blurred_photos,
    "removed by the network": noisy_photos - restored_photos,
}
figure, axes = plt.subplots(2, 3, figsize=(6.6, 4.7), layout="constrained")
tops = {
    "observed": noisy_photos,
    "box blur": blurred_photos,
    "network": restored_photos,
}
for ax, (title, pictures) in zip(axes[0], tops.items(), strict=True):
    title += f" · {mean_psnr(test_photos[2:], pictures[2:]):.1f} dB"
    ki.plotting.plot_images(pictures[2:], title=title, ax=ax)
for ax, (title, pictures) in zip(axes[1], removed.items(), strict=True):
    ki.plotting.plot_images(0.5 + pictures[2:], title=title, ax=ax)
plt.show()

# %% [markdown]
# In the middle, the outlines stand out of the grey: the box blur took them for noise. On the right
# you have to search. A figure for it: how strong is what was removed where the clean picture has
# edges, and where it is flat?

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

# %% [markdown]
# ## 9. Breaking it: noise of another strength
#
# The network has only ever seen $\sigma = 25/255$. Give it from 5 to 75. **What do you expect on
# either side?** It does not know how strong the noise is; nobody tells it.
#
# Beside it we train two that have met all strengths: a pair of values lets `AdditiveNoise` draw
# another $\sigma$ for each picture. The first is **blind**: it is not told which. The second is
# **told**: with `append_level=True` a channel travels behind the picture that holds $\sigma$ at
# every pixel, as FFDNet has it. **Twice about 30 seconds.**

# %%
NOISES = (5 / 255, 75 / 255)
generalists = {}
for name, told in {"blind": False, "told": True}.items():
    model = ki.Restorer(
        ki.networks.dncnn(extra_channels=int(told), depth=DEPTH, filters=FILTERS, batch_norm=False),
        ki.degradations.AdditiveNoise(NOISES, append_level=told, seed=SEED),
        seed=SEED,
    )
    model.compile(warm_up_and_rest(2e-3, steps=EPOCHS * len(photos)))
    model.fit(photos, epochs=EPOCHS, verbose=0)
    generalists[name] = model
blind, told = generalists.values()

levels = [5, 10, 15, 25, 35, 50, 75]
names = ("observed", "box blur", "trained at 25", "5 to 75, blind", "5 to 75, told")
curves = {name: [] for name in names}
for level in levels:
    observed = noisy(test_photos, level / 255)
    answers = (observed, box_blur(observed), denoiser.restore(observed), blind.restore(observed))
    answers += (told.restore(observed, level=level / 255),)
    for values, answer in zip(curves.values(), answers, strict=True):
        values.append(mean_psnr(test_photos, answer))

print("sigma x 255         ", *(f"{level:5}" for level in levels))
for name, values in curves.items():
    print(f"{name:20}", *(f"{value:5.1f}" for value in values))
figure, ax = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
for (name, values), style in zip(curves.items(), ("k:", "k--", "o-", "s-", "^-"), strict=True):
    ax.plot(levels, values, style, label=name)
ax.axvline(25, color="grey", linewidth=0.8)
ax.set(xlabel="noise, sigma x 255", ylabel="PSNR in dB", title="Noise of another strength")
ax.legend()
plt.show()

# %% [markdown]
# - **Weaker noise.** The curve of the specialist is flat. At 5 it puts out a *worse* picture than
#   it got: it removes what it has learnt to remove, which was noise at 25 and is fine texture at 5.
# - **Stronger noise.** It falls steeply, and at 75 a simple box blur is better by far. What
#   is much stronger than the noise that it knows is, as far as it knows, part of a picture.
# - **The blind generalist** gives up more than a decibel at 25, and from 35 on it is ahead. From
#   the window it can see how strong the noise is, and it has learnt to look. At 5 it does harm as
#   well: it had to share its weights and one short training among all strengths.
# - **The told generalist** is ahead of the blind one everywhere, and does no harm at 5. Nothing of
#   what the window shows has to be spent on guessing. At 25 it comes close to the specialist.
#
# A conditional mean is a mean over *the cases met in training*. All of them minimise the same
# formula. What differs is what stands behind the bar in $\mathbb{E}[x \mid y]$; for the told one it
# is $\mathbb{E}[x \mid y, \sigma]$.
#
# And if it is told a **lie**? The noise is 25. Say 10, say 25, say 50.

# %%
claims = (5, 10, 15, 25, 35, 50, 75)
by_claim = {claim: told.restore(noisy_photos, level=claim / 255) for claim in claims}
print("told       ", *(f"{claim:5}" for claim in claims))
print("PSNR in dB ", *(f"{mean_psnr(test_photos, x):5.1f}" for x in by_claim.values()))
figure, axes = plt.subplots(1, 4, figsize=(10, 2.9), layout="constrained")
shown = {"clean": test_photos} | {f"told {claim}": by_claim[claim] for claim in (10, 25, 50)}
for ax, (name, pictures) in zip(axes, shown.items(), strict=True):
    ki.plotting.plot_images(pictures[2:], title=name, ax=ax)
plt.show()

# %% [markdown]
# It believes what it is told. Told too little, it leaves noise standing; told too much, it takes
# texture for noise and wipes it out. This is a *knob* for real photographs, of which nobody knows
# the $\sigma$: turn it until the picture pleases. A blind network has no such knob.

# %% [markdown]
# ## 10. Breaking it: noise of another kind
#
# Now the strength is right, exactly $25/255$ in every case, so PSNR of the observed pictures is the
# same (before they are cut off to [0, 1]). Only the kind differs:
#
# - **white** noise, as in training;
# - **blurred** noise: white noise after a 3 x 3 or a 5 x 5 box blur, made as strong as before.
#   Neighbours now resemble each other. Noise looks like this after a camera has resized or
#   compressed its picture;
# - **blurred, then shuffled**: the very same numbers in random order;
# - **salt and pepper**: a few pixels are black or white, all others are untouched.
#
# **Guess the order** from the best repaired to the worst, before you run the cell. Remember that
# the network was trained on photographs with white noise.


# %%
def as_strong_as_before(noise):
    """The same noise with mean 0 and standard deviation SIGMA."""
    return SIGMA * (noise - noise.mean()) / noise.std()


white = as_strong_as_before(rng.normal(size=test_photos.shape))
blurred = as_strong_as_before(box_blur(white, 3))
salt = rng.integers(0, 2, size=test_photos.shape) - test_photos  # every pixel becomes 0 or 1
share = SIGMA**2 / np.mean(salt**2)  # so many pixels may be hit for the same squared error
kinds = {
    "white": white,
    "blurred, 3 x 3": blurred,
    "blurred, 5 x 5": as_strong_as_before(box_blur(white, 5)),
    "3 x 3, then shuffled": rng.permutation(blurred.ravel()).reshape(blurred.shape),
    "salt and pepper": salt * (rng.random(salt.shape) < share),
}
print("                       correlation   observed   restored     gain")
answers = {}
for name, noise in kinds.items():
    observed = test_photos + noise
    answers[name] = denoiser.restore(observed)
    before, after = mean_psnr(test_photos, observed), mean_psnr(test_photos, answers[name])
    print(f"{name:22} {correlation(noise):8.2f}      {before:5.1f} dB   {after:5.1f} dB", end="")
    print(f"   {after - before:4.1f} dB")
size = np.sqrt(np.mean(salt**2)) / SIGMA
print(f"\nsalt and pepper: {share:.1%} of the pixels, off by {size:.1f} sigma")

# %%
figure, axes = plt.subplots(2, 3, figsize=(6.6, 4.7), layout="constrained")
shown = ("white", "blurred, 3 x 3", "3 x 3, then shuffled")
for name, column in zip(shown, axes.T, strict=True):
    ki.plotting.plot_images((test_photos + kinds[name])[:1], title=name, ax=column[0])
    ki.plotting.plot_images(answers[name][:1], title="restored", ax=column[1])
plt.show()

# %% [markdown]
# Compare the second row of the table with the fourth. *The same numbers*, not one of them changed,
# and so the same error before. In one order the network removes them as well as the noise that it
# knows. In the other order more than half of the gain is lost, and blotches remain.
#
# This answers the question. **The network knows noise by what noise does not have: any relation
# between neighbouring pixels.** The more of it there
# is, the more of the noise it takes for picture.
#
# In terms of the formula: $\mathbb{E}[x \mid y]$ was learnt from cases in which all that was
# related belonged to $x$, and all that was unrelated to $n$. A blotch of related pixels was always
# texture, so the mean over those cases keeps it.
#
# Salt and pepper is the other failure. It is unrelated to its neighbours, but a pixel that is off
# by nearly six times $\sigma$ was never noise in training.
#
# So we do not even need a noisy photograph. Take four patterns of the strength of the noise on flat
# grey. Only the last one is a picture. What does the network leave standing?

# %% tags=["cover"]
patterns = {
    "white noise": white[1:2],
    "a cat, shuffled": as_strong_as_before(shuffled_cat),
    "blurred noise": as_strong_as_before(blurred[1:2]),
    "a cat": as_strong_as_before(cat),
}
figure, axes = plt.subplots(2, 4, figsize=(8, 4.4), layout="constrained")
for (name, pattern), column in zip(patterns.items(), axes.T, strict=True):
    left_standing = denoiser.restore(0.5 + pattern)
    ki.plotting.plot_images(0.5 + pattern, title=name, ax=column[0])
    title = f"denoised: {np.std(left_standing) / np.std(pattern):.0%} left"
    ki.plotting.plot_images(left_standing, title=title, ax=column[1])
plt.show()

# %% [markdown]
# The percentages are standard deviations after and before. The shuffled cat goes the way of white
# noise. Most of the cat stays. And so does most of a pattern that is nothing but noise, with a
# little order in it.
#
# ## 11. More training, more pictures
#
# A minute of training on nine photographs is little. With the package comes a network that was
# trained for two hours on 380 photographs, for any noise up to $55/255$. [Its
# card](../docs/pretrained.md) says how, on what, and how good it is. One line loads it. Beside it,
# all that this notebook has made:

# %%
pretrained = ki.load_pretrained("denoiser-gray")
print(f"{pretrained.network.count_params():,} weights, this notebook's: {network.count_params():,}")
methods = {
    "observed": lambda y, sigma: y,
    "median, 3 x 3": lambda y, sigma: median(y),
    "box blur, 3 x 3": lambda y, sigma: box_blur(y),
    "non-local means": non_local_means,
    "told, this notebook's": lambda y, sigma: told.restore(y, level=sigma),
    "denoiser-gray": lambda y, sigma: pretrained.restore(y),
}
print("sigma x 255              15     25     50")
for name, method in methods.items():
    print(f"{name:22}", end="")
    for level in (15, 25, 50):
        answer = method(noisy(test_photos, level / 255), level / 255)
        print(f" {mean_psnr(test_photos, answer):6.1f}", end="")
    print()

figure, axes = plt.subplots(1, 4, figsize=(9, 2.7), layout="constrained")
strong = noisy(test_photos, 50 / 255)
for ax, name in zip(axes, ("observed", *list(methods)[3:]), strict=True):
    answer = methods[name](strong, 50 / 255)
    title = f"{name} · {mean_psnr(cat, answer[1:2]):.1f} dB"
    ki.plotting.plot_images(answer[1:2], title=title, ax=ax)
plt.show()

# %% [markdown]
# It is ahead of all others at every strength, and blind. Look also at non-local means: twenty lines
# that have learnt nothing come within a decibel of our minute of training. BM3D, the best of its
# kind, is not in this notebook, since it takes a package of its own. In [the
# results](../docs/results.md) it stands beside the network, on twelve pictures that papers use.
#
# ## 12. Where it makes things up
#
# The answer on the right looks like a photograph. Is it *this* photograph? With the clean picture
# beside it you could compare. Without it there is a way: take the same picture with **other draws
# of the same noise**. What was in the picture is in all of them. What the network reads into the
# noise changes from draw to draw.
#
# The mean squared error splits into two parts, over many draws $y^{(1)}, y^{(2)}, \dots$ of the
# noise on one picture $x$:
#
# $$\mathbb{E}\big[(\hat x - x)^2\big] = \underbrace{\big(\mathbb{E}[\hat x] - x\big)^2}_{
# \text{bias}^2} + \underbrace{\mathbb{E}\big[(\hat x - \mathbb{E}[\hat x])^2\big]}_{
# \text{variance}}$$
#
# - $\hat x$ is the answer to one draw, and $\mathbb{E}$ the mean over draws;
# - the **bias** is what is wrong in all answers alike: detail that was smoothed away;
# - the **variance** is what differs between answers: detail that was made up.
#
# The variance needs no clean picture.

# %%
DRAWS = 24
many = np.repeat(cat, DRAWS, axis=0)
draws = many + 50 / 255 * rng.normal(size=many.shape)
answers = pretrained.restore(draws.astype("float32"))
mean_answer, spread = answers.mean(axis=0), answers.std(axis=0)
error = np.mean((answers - cat) ** 2)
bias, variance = np.mean((mean_answer - cat[0]) ** 2), np.mean(spread**2)
print(f"mean squared error {error:.6f} = bias^2 {bias:.6f} + variance {variance:.6f}")
print(f"made up: {variance / error:.0%} of the error")

figure, axes = plt.subplots(2, 4, figsize=(9, 4.9), layout="constrained")
zoom = (slice(None), slice(40, 88), slice(20, 68))  # an eye and its surroundings
for which, ax in enumerate(axes[0, :3]):
    ki.plotting.plot_images(answers[which : which + 1][zoom], title=f"draw {which + 1}", ax=ax)
ki.plotting.plot_images(cat[zoom], title="clean", ax=axes[0, 3])
maps = {
    "one answer": answers[:1],
    "mean of all": mean_answer[None],
    "spread x 8": 8 * spread[None],
    "|bias| x 8": 8 * np.abs(mean_answer - cat),
}
for ax, (name, pictures) in zip(axes[1], maps.items(), strict=True):
    ki.plotting.plot_images(pictures, title=name, ax=ax)
plt.show()

# %% [markdown]
# Three draws, three eyes: another pupil, another rim, another line below it. Each is sharp, each is
# plausible, and no two agree. The mean of all answers is soft in these places. It shows what the
# *photograph* says; what is sharper than that was said by the noise.
#
# The fur is the other half. No answer has it, so they all agree that there is none. It does not
# show in the spread, only in the bias. **Where answers disagree, something was made up. Where they
# agree, something may still be missing.**
#
# The purest case is a wall: flat grey, on which there is nothing to find.

# %%
wall = np.full((1, 128, 128, 1), 0.5, "float32")
figure, axes = plt.subplots(1, 3, figsize=(8.5, 3.2), layout="constrained")
for ax, level in zip(axes, (15, 25, 50), strict=True):
    painted = pretrained.restore(noisy(wall, level / 255))
    print(f"sigma {level}: standard deviation {255 * painted.std():.2f} grey levels", end="")
    print(f", correlation of neighbours {correlation(painted - painted.mean()):.2f}")
    ki.plotting.plot_images(0.5 + 8 * (painted - 0.5), title=f"sigma {level}, contrast x 8", ax=ax)
plt.show()

# %% [markdown]
# The wall is not left empty. There are short strokes and edges on it, and neighbours agree: to the
# network they were edges of things. They are faint, about a grey level, and shown with eight
# times the contrast, all three alike. In a holiday picture nobody minds. In a picture from a
# microscope or a scanner, a faint stroke may be the very thing that is looked for.
#
# (It is the same strokes three times since the noise is the same, only stronger. This network has
# no biases: to twice the noise it answers with twice the strokes.)
#
# ## What to remember
#
# 1. A convolution is a weighted sum over neighbours, the same everywhere. $d$ layers of 3 x 3 see
#    $2d + 1$ pixels a side, and nothing else.
# 2. DnCNN predicts the noise and subtracts it: $\hat x = y - R(y)$.
# 3. The squared error is smallest for the conditional mean $\mathbb{E}[x \mid y]$, over the cases
#    met in training. It hedges, and hedging looks smooth.
# 4. Look at what was removed. A good denoiser leaves no edges there.
# 5. The network knows noise by the missing relation between neighbours. Noise with such a relation
#    passes for texture, at the same strength and with the same values.
# 6. Told the strength of the noise, a network obeys: too little leaves noise, too much wipes out
#    texture.
# 7. Error is bias and variance: what was smoothed away, and what was made up. The second can be
#    seen without the clean picture: restore other draws of the noise.

# %% [markdown]
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
# - **Another strength**: the specialist at 28.5 to 28.9 dB for the weakest noise (observed: 34.2)
#   and 14.5 to 14.7 for the strongest; the blind generalist at 26.5 to 26.8 dB at 25, and 22.0 to
#   22.2 for the strongest; the told one at 34.8 to 35.6 dB for the weakest and 27.4 to 27.5 at 25.
#   *If not*, and the generalists' curves agree: was the level passed to `restore`?
# - **A lie**: 22.5 to 23.1 dB told 5, 23.6 to 23.8 told 75.
# - **Another kind**: gains of 7.4 to 7.5 dB for white noise and for shuffled noise, 2.9 to 3.2 for
#   3 x 3, 2.0 to 2.2 for 5 x 5, 4.5 to 4.7 for salt and pepper. *If not*, and shuffled noise gains
#   as little as blurred noise: `permutation` must get `ravel()`, or it shuffles whole photographs
#   only.
# - **Time**: within twice the seconds that are given. *If not*, other programs are running; the
#   figures stay valid.
#
# With a graphics card, raise `DEPTH` to 17, `FILTERS` to 64, `PIECES` to 256 and `EPOCHS` to 30,
# and set `batch_norm=True`: that is the network of the paper.
#
# ## Read on
#
# - K. Zhang and others, *Beyond a Gaussian Denoiser*, 2017, [arXiv
#   1608.03981](https://arxiv.org/abs/1608.03981): DnCNN, residual learning, one network for many
#   strengths.
# - K. Zhang, W. Zuo and L. Zhang, *FFDNet*, 2018, [arXiv
#   1710.04026](https://arxiv.org/abs/1710.04026): tell the network how strong the noise is, and it
#   need not guess.
# - J. Lehtinen and others, *Noise2Noise*, 2018, [arXiv
#   1803.04189](https://arxiv.org/abs/1803.04189): what follows from the conditional mean if no
#   clean picture exists at all.
# - Y. Zhou and others, *When AWGN-based Denoiser Meets Real Noises*, 2019, [arXiv
#   1904.03485](https://arxiv.org/abs/1904.03485): the problem of section 10 in real cameras; read
#   it after exercise 3.
#
# The photographs are in the public domain or CC0; the package's `assets/LICENSES.md` names their
# authors.

# %% [markdown]
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
# ### Exercise 2: twice the noise, without any training
#
# The specialist knows noise of $25/255$ and nothing else. In front of you is a picture with noise
# of $50/255$. Make it one that the specialist knows, let it be restored, and undo what you did.
#
# What becomes of $\sigma$ if you multiply $y$ by a number? Write it for any `sigma` above `SIGMA`.
# The function gets the network as `restore`: call it as `restore(pictures)`. It takes pictures
# around [0, 1] and returns pictures in [0, 1]. **Predict first**: will the result be better or
# worse than that of the blind generalist at 50?


# %% tags=["exercise"]
def restore_strong(observed, sigma, restore):
    """Restore pictures with noise `sigma` by a network made for noise SIGMA."""
    return ...


# %% tags=["solution"]
def restore_strong(observed, sigma, restore):  # noqa: F811
    """Restore pictures with noise `sigma` by a network made for noise SIGMA."""
    factor = SIGMA / sigma
    weaker = 0.5 + factor * (observed - 0.5)  # less contrast, and as much less noise
    return 0.5 + (restore(weaker) - 0.5) / factor


# %% tags=["check"]
received = []


def listen(pictures):
    """Stands in for the network: returns what it gets, and keeps it."""
    received.append(np.asarray(pictures))
    return received[-1]


for level in (50, 75):
    grey = noisy(flat, level / 255)
    received.clear()
    found = restore_strong(grey, level / 255, listen)
    assert getattr(found, "shape", None) == grey.shape, (
        f"The function should return pictures of shape {grey.shape}. It returned "
        f"{getattr(found, 'shape', type(found).__name__)}. "
        "Hint: multiply, call restore, divide."
    )
    assert received, "The function never calls restore. Hint: restore(...) is the network."
    strength = 255 * float(np.std(received[-1]))
    assert abs(strength - 25) < 1, (
        f"For sigma {level}/255 the network gets noise of {strength:.1f}/255, it knows 25/255. "
        "Hint: c * y has c times the noise of y."
    )
    undone = np.clip(found, 0, 1) - np.clip(grey, 0, 1)
    assert np.abs(undone).max() < 1e-3, (
        "With a network that changes nothing, the picture should come out as it went in. "
        "Hint: undo after restore exactly what you did before it, in reverse order."
    )
observed = noisy(test_photos, 50 / 255)
print("Right. At 50/255:")
for name, answer in {
    "specialist alone": denoiser.restore(observed),
    "specialist, your way": restore_strong(observed, 50 / 255, denoiser.restore),
    "blind generalist": blind.restore(observed),
}.items():
    print(f"{name:21} {mean_psnr(test_photos, answer):.1f} dB")

# %% [markdown]
# ### Exercise 3: make blurred noise white
#
# Section 10 says what the network looks at. Use it, again without any training.
#
# First: in white noise after a 3 x 3 box blur, how far apart must two pixels of a row be for their
# noise to be unrelated? Think which random numbers each of them contains, then check with
# `correlation(blurred, distance)`. This is `step`.
#
# Then write `restore_blurred`. From one picture make several smaller ones in which the noise is
# white, restore each by `restore(pictures)`, and put everything back in its place. A slice
# `pictures[:, i::step, j::step]` takes every `step`-th pixel.

# %% tags=["exercise"]
step = ...


def restore_blurred(observed, restore):
    """Restore pictures whose noise is related to its nearest neighbours."""
    return ...


# %% tags=["solution"]
step = 3


def restore_blurred(observed, restore):  # noqa: F811
    """Restore pictures whose noise is related to its nearest neighbours."""
    restored = np.empty_like(observed)
    for i in range(step):
        for j in range(step):
            restored[:, i::step, j::step] = restore(observed[:, i::step, j::step])
    return restored


# %% tags=["check"]
assert step == 3, (
    f"step is {step!r}. Hint: two means over 3 x 3 have no random number in common if their "
    "squares do not overlap. What is the smallest such distance?"
)
parts = []


def keep(pictures):
    """Stands in for the network: returns what it gets, and keeps it."""
    parts.append(np.asarray(pictures))
    return parts[-1]


found = restore_blurred(0.5 + blurred, keep)
assert getattr(found, "shape", None) == blurred.shape, (
    f"The function should return pictures of shape {blurred.shape}. It returned "
    f"{getattr(found, 'shape', type(found).__name__)}. "
    "Hint: begin with an empty array of the shape of `observed` and fill its slices."
)
assert parts, "The function never calls restore. Hint: restore(...) is the network."
for part in parts:
    assert max(part.shape[1:3]) <= 43, (
        f"The network gets pictures of {part.shape[1]} x {part.shape[2]} pixels. Hint: every third "
        "row and every third column of 128 are 43 or 42, observed[:, i::step, j::step]."
    )
    for r in (correlation(part), correlation(part.swapaxes(1, 2))):
        assert abs(r) < 0.2, (
            f"The network gets pictures whose neighbours have the correlation {r:.2f}. "
            "Hint: pass observed[:, i::step, j::step], for every i and j below step."
        )
assert np.abs(np.clip(found, 0, 1) - np.clip(0.5 + blurred, 0, 1)).max() < 1e-6, (
    "With a network that changes nothing, the picture should come out as it went in. "
    "Hint: write each part into the slice that it came from, restored[:, i::step, j::step]."
)
observed = (test_photos + blurred).astype("float32")
print("Right. White noise after a 3 x 3 blur:")
for name, answer in {
    "observed": observed,
    "box blur": box_blur(observed),
    "network alone": denoiser.restore(observed),
    "network, your way": restore_blurred(observed, denoiser.restore),
}.items():
    print(f"{name:18} {mean_psnr(test_photos, answer):.1f} dB")
print("Why not more? In the small pictures the photograph's own neighbours are 3 pixels apart too,")
print(f"and their correlation falls from {correlation(test_photos):.2f} ", end="")
print(f"to {correlation(test_photos, 3):.2f}.")

# %% [markdown]
# ### Exercise 4: sixty-seven decibels
#
# A widely copied example restores dark photographs and reports 67 dB. Its pictures have values in
# [0, 1]. It measures with `their_psnr`, below.
#
# By how many decibels is this too much, for any pictures (`gift`)? What are the 67 dB in truth?
#
# There was a way to notice without reading any code. Nobody can store a photograph in 8 bits
# better than by rounding it to the nearest of 256 grey levels, $1/255$ apart. What PSNR has a
# picture whose only fault is this rounding (`ceiling`)? The errors are spread evenly over half a
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
