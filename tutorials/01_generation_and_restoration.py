# %% [markdown]
# # 01 · Generation and restoration
#
# **You will be able to**
#
# - say what image generation and image restoration are, and which knowledge they share;
# - write a spoiled picture as a formula, and measure a repair in decibels;
# - train a GAN, a VAE, a denoising CNN and a ConvLSTM, each with one call of `fit`;
# - predict when a repair can be trusted, and when a network answers with what it would like to see.
#
# **You need** Python, NumPy arrays, and to have called `model.fit` in Keras once or twice.
#
# **Time** on two CPU cores: 4 minutes of computing, 70 minutes with reading and exercises.

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
# ## Two questions
#
# An old film comes out of its tin: grainy, and a frame is gone. *What did the scene look like?*
# That question is **restoration**.
#
# Now there is no film at all. *What could a scene look like?* That is **generation**.
#
# Here is what you will make in this notebook, with four models trained in front of your eyes:
#
# ![Digits from random numbers, a photograph and a film restored](attachment:cover)
#
# The upper part was made from random numbers: nobody ever wrote those digits. The rest was made
# from spoiled pictures. They look like two different arts. By the end you will have used the upper
# part to do the work of the lower one.

# %% [markdown]
# First the tools and the length of each training. TensorFlow may print a few lines while it starts;
# they are harmless.

# %% tags=["setup"]
import os

import keras
import matplotlib.pyplot as plt
import numpy as np

import keras_imgen as ki

SEED = 0
GAN_EPOCHS, VAE_EPOCHS, CNN_EPOCHS, LSTM_EPOCHS = 10, 10, 8, 7
PIECES = 64  # of each photograph, in every epoch
SEQUENCES = 384  # to learn from, in the last training
CANDIDATES = 5000  # pictures drawn from a generator in section 7
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # a quick test: its figures mean nothing
    GAN_EPOCHS = VAE_EPOCHS = CNN_EPOCHS = LSTM_EPOCHS = 1
    PIECES, SEQUENCES, CANDIDATES = 8, 16, 200

keras.utils.set_random_seed(SEED)  # the same first weights, and so the same pictures, every time

# %% [markdown]
# Before you train anything, see what such a network can do that learned for longer. It comes with
# the package. The tower stands in Beijing; its photograph has got strong noise.

# %%
tower = ki.load_example("tower")[None, 30:350, 60:360]  # danielbuechele, CC BY 2.0
noisy_tower = np.asarray(ki.degradations.AdditiveNoise(50 / 255, seed=0)(tower))
restored_tower = ki.load_pretrained("denoiser-color").restore(noisy_tower, level=50 / 255)
ki.plotting.plot_before_after(noisy_tower, restored_tower, tower)
keras.utils.set_random_seed(SEED)  # that network has drawn first weights, too

# %% [markdown]
# Nobody had shown it this photograph. How can it know? That is what the next hour are about.
#
# ## 1. What makes a picture a picture
#
# To a computer, a **picture** $x$ is an array of numbers, shape `(height, width, channels)`. Here
# they always lie between 0 (black) and 1 (white). A handwritten digit of 28 x 28 pixels is 784
# numbers.
#
# With 256 shades of grey there are $256^{784}$ such arrays, a number of 1,889 digits. Let us draw
# some of them at random, and put them beside real ones.

# %%
digits = ki.load("digits", seed=SEED)  # 4,000 to learn from, in batches
test_digits = ki.load("digits", "test").take(100)  # no model will learn from these
print("digits:", test_digits.shape, test_digits.dtype)

noise = np.random.default_rng(SEED).random((18, 28, 28, 1))

figure, axes = plt.subplots(1, 2, figsize=(7, 2), layout="constrained")
ki.plotting.plot_images(noise, 6, "784 random numbers each", ax=axes[0])
ki.plotting.plot_images(test_digits[:18], 6, "784 numbers each, from a pen", ax=axes[1])
plt.show()

# %% [markdown]
# You could draw arrays like those on the left for the age of the universe and never meet a digit.
# Real pictures are a vanishingly small and highly organised part of all arrays: strokes are
# connected, paper is empty.
#
# This organisation is written as a probability distribution, $p(x)$: large for arrays that look
# like real pictures, practically zero for all others. Nobody can write it down. Every model in this
# notebook learns something about it from examples.
#
# **Generation** is drawing from it:
#
# $$x \sim p(x)$$
#
# where $x$ is a picture, $p(x)$ the distribution of pictures, and $\sim$ reads "is drawn from".

# %% [markdown]
# ## 2. What spoils a picture, and how to measure it
#
# Between the scene and us stands a **degradation**: bad light, a scratch, a lost frame. It is
# written
#
# $$y = D(x) + n$$
#
# - $x$ is the **clean** picture, which we want;
# - $D$ is what happened to it: for a scratch, for instance, $D(x) = m \cdot x$, where the **mask**
#   $m$ is 1 at every pixel that survived and 0 inside the scratch;
# - $n$ is **noise**: random numbers, one for each pixel, with mean 0 and standard deviation
#   $\sigma$;
# - $y$ is the **observed** picture, which is all we have. Papers also call it degraded or
#   corrupted, and the clean one the **ground truth**.
#
# The order may be another one: a film is grainy first, and then loses a frame. Section 6 says so.
#
# In `keras_imgen` a degradation is an object that you call like a function.

# %%
photos = ki.load("photos", size=48, crops=PIECES, batch_size=16, seed=SEED)  # nine, in pieces
test_photos = ki.load("photos", "test", size=128, crops=0).take(3)  # three others, whole

grain = ki.degradations.AdditiveNoise(25 / 255, seed=0)
holes = ki.degradations.MissingPixels(0.5, seed=0)

cat = test_photos[1:2]
noisy_cat = np.asarray(grain(cat))
holed_cat = np.asarray(holes(cat))
print("clean:", cat.shape, " noisy:", noisy_cat.shape, " with holes:", holed_cat.shape)

figure, axes = plt.subplots(1, 3, figsize=(8, 3), layout="constrained")
ki.plotting.plot_images(cat, title="clean  $x$", ax=axes[0])
ki.plotting.plot_images(noisy_cat, title=r"noisy  $x + n$,  $\sigma$ = 25/255", ax=axes[1])
ki.plotting.plot_images(holed_cat[..., :1], title="half of the pixels lost  $m x$", ax=axes[2])
plt.show()

# %% [markdown]
# The third shape ends in 2, not 1: where pixels are missing, the mask $m$ travels behind the
# picture as one more channel. A network should know *where* it has to invent.
#
# How bad is the damage? We compare with the clean picture, pixel by pixel: the **mean squared
# error**
#
# $$\mathrm{MSE} = \frac{1}{N} \sum_{i=1}^{N} (x_i - \hat{x}_i)^2,$$
#
# where $N$ is the number of values in the picture, $x_i$ the clean ones and $\hat{x}_i$ those of
# the picture under judgement. Because such numbers are tiny, they are given in decibels, as the
# **peak signal-to-noise ratio**:
#
# $$\mathrm{PSNR} = 10 \, \log_{10} \frac{1}{\mathrm{MSE}} \;\text{dB}.$$
#
# The 1 is the square of the largest possible value, white. *Higher is better, and 10 dB more is a
# tenth of the squared error.*
#
# Check it once in numbers. If every pixel is wrong by 0.1, the MSE is 0.01 and the PSNR 20 dB. For
# noise the MSE is $\sigma^2$, so $\sigma = 25/255$ must give $20 \log_{10}(255/25) = 20.17$ dB,
# give or take the luck of the draw.

# %%
flat = np.full((1, 128, 128, 1), 0.5, "float32")
print(f"every pixel wrong by 0.1:  {float(ki.metrics.psnr(flat, flat + 0.1)[0]):.2f} dB")
print(f"noise of sigma 25/255:     {float(ki.metrics.psnr(cat, noisy_cat)[0]):.2f} dB")
print(f"half of the pixels lost:   {float(ki.metrics.psnr(cat, holed_cat[..., :1])[0]):.2f} dB")

# %% [markdown]
# As a rule of thumb for photographs: at 20 dB everybody sees the damage, at 35 dB one has to look
# for it. Of several pictures we take the mean:


# %%
def mean_psnr(clean, pictures):
    """The mean over several pictures; what lies outside [0, 1] is cut off, as on a screen."""
    return float(np.mean(ki.metrics.psnr(clean, np.clip(pictures, 0.0, 1.0))))


# %% [markdown]
# **Restoration** is drawing from what is left of the distribution of pictures once we have seen
# $y$:
#
# $$p(x \mid y) = \frac{p(y \mid x) \; p(x)}{p(y)}$$
#
# - $p(x \mid y)$, the **posterior**: how plausible a clean picture $x$ is, now that we observed
#   $y$;
# - $p(y \mid x)$, the **likelihood**: how well $x$ explains what we observed. The degradation tells
#   it;
# - $p(x)$, the **prior**: how plausible $x$ was before. *This is what a generator knows*;
# - $p(y)$: a number that does not depend on $x$. It only makes the probabilities add up to 1.
#
# Keep the product $p(y \mid x) \, p(x)$ in mind. We come back to it in section 7. Now four models,
# and for each of them one `fit`.

# %% [markdown]
# ## 3. GAN: generation as a contest
#
# A **generative adversarial network** is two networks. The **generator** turns a handful of random
# numbers, the **latents** $z$, into a picture. The **discriminator** gives each picture a score:
# high if it takes it for real, low if it takes it for generated (papers also say fake). One learns
# to tell, the other learns to be taken for real. Neither is ever shown how to draw a 7.
#
# The two networks are made first and handed to the model, with one optimizer for each.

# %%
gan = ki.GAN(
    ki.networks.dcgan_generator((28, 28, 1), filters=32),
    ki.networks.dcgan_discriminator((28, 28, 1), filters=32),
    seed=SEED,
)
gan.compile(
    keras.optimizers.Adam(1e-3, beta_1=0.5),  # the generator's
    keras.optimizers.Adam(1e-3, beta_1=0.5),  # the discriminator's
)
gan_before = gan.sample(24, seed=1)

# %% [markdown]
# Train it. **About 60 seconds.** The picture is drawn anew after every epoch (one pass through all
# the digits), always from the same 24 latents. Watch grey fog turn into blobs, blobs into strokes,
# strokes into digits.

# %%
gan_history = gan.fit(
    digits,
    epochs=GAN_EPOCHS,
    callbacks=[ki.callbacks.SampleGrid(n=24, columns=8)],
    verbose=0,
)

# %%
gan_after = gan.sample(24, seed=1)
figure, axes = plt.subplots(1, 2, figsize=(7, 2.5), layout="constrained")
ki.plotting.plot_images(gan_before, 6, "before training", ax=axes[0])
ki.plotting.plot_images(gan_after, 6, "after training", ax=axes[1])
plt.show()

# %% [markdown]
# Some could pass for real, some are letters of an unknown alphabet. For these pictures there is no
# PSNR, because there is no clean picture to compare with. Judging generation is a subject of its
# own; your eyes are a start.
#
# The logs are no help either. Look:

# %%
ki.plotting.plot_history(gan_history)

# %% [markdown]
# In ordinary training a falling loss means progress. These are the losses of two opponents: what
# one gains the other loses. What you want to see is that nobody wins. A discriminator that is right
# 6 times in 7 is still a useful teacher. If it is right every time, no small improvement of
# the generator changes its verdict, and the generator no longer learns what would be better.

# %% [markdown]
# ## 4. VAE: generation as an inverse of description
#
# A **variational autoencoder** also has two networks, and they cooperate. The **encoder** describes
# a picture by a few numbers, here 16 latents $z$. The **decoder** draws the picture from this
# description. A second term in the loss keeps the descriptions of all pictures spread like standard
# normal random numbers. That is the whole trick: *draw such random numbers, and the decoder draws a
# new picture.*

# %%
vae = ki.VAE(
    ki.networks.vae_encoder((28, 28, 1), latent_dim=16, filters=32),
    ki.networks.vae_decoder((28, 28, 1), latent_dim=16, filters=32),
    seed=SEED,
)
vae.compile(keras.optimizers.Adam(1e-3))
vae_before = vae.reconstruct(test_digits)

# %% [markdown]
# **About 50 seconds.** The picture shows digits that the decoder draws from 24 random descriptions.

# %%
vae_history = vae.fit(
    digits,
    epochs=VAE_EPOCHS,
    callbacks=[ki.callbacks.SampleGrid(n=24, columns=8)],
    verbose=0,
)

# %% [markdown]
# Unlike a GAN, a VAE can be asked about a given picture: encode, decode, compare. So here there is
# a PSNR, on 100 digits that it has never seen.

# %%
vae_after = vae.reconstruct(test_digits)
print(f"reconstructions before training: {mean_psnr(test_digits, vae_before):.1f} dB")
print(f"reconstructions after training:  {mean_psnr(test_digits, vae_after):.1f} dB")

figure, axes = plt.subplots(3, 1, figsize=(7, 3), layout="constrained")
ki.plotting.plot_images(test_digits[:10], 10, "unseen digits", ax=axes[0])
ki.plotting.plot_images(vae_after[:10], 10, "drawn from 16 numbers each", ax=axes[1])
ki.plotting.plot_images(vae.sample(10, seed=3), 10, "drawn from random numbers", ax=axes[2])
plt.show()

# %% [markdown]
# Compare with the GAN's: the VAE's digits are softer. Where 16 numbers leave open how exactly a
# stroke runs, the decoder draws the average of all possibilities, and an average of strokes is
# blurred. Remember that word, *average*. You will see it twice more.

# %% [markdown]
# ## 5. CNN: restoring a photograph
#
# Restoration can be learned from questions with known answers: take a clean picture, spoil it, and
# ask a network to bring it back. A `Restorer` does this with every batch, each time with new noise.
#
# The network is a **convolutional neural network** (CNN) called DnCNN. Each layer looks at a small
# neighbourhood of every pixel with the same weights. It has one fine idea: it does not predict the
# picture but the *noise*, which it then subtracts.

# %%
denoiser = ki.Restorer(
    ki.networks.dncnn(depth=7, filters=32, batch_norm=False),
    ki.degradations.AdditiveNoise(25 / 255, seed=SEED),
    seed=SEED,
)
denoiser.compile(keras.optimizers.Adam(1e-3))

# %% [markdown]
# **About 30 seconds.** Nine photographs are enough: cut into pieces of 48 x 48 and spoiled anew
# each time, no two batches are alike. The picture shows a photograph that is not among the nine.

# %%
cnn_history = denoiser.fit(
    photos,
    epochs=CNN_EPOCHS,
    callbacks=[ki.callbacks.BeforeAfter(cat, n=1)],
    verbose=0,
)

# %%
noisy_photos = np.asarray(denoiser.degradation(test_photos))
restored_photos = denoiser.restore(noisy_photos)
print(f"observed: {mean_psnr(test_photos, noisy_photos):.1f} dB")
print(f"restored: {mean_psnr(test_photos, restored_photos):.1f} dB")

# %% [markdown]
# It has learned from grey pictures. A picture in colour is three of them, one of its red, one of
# its green and one of its blue light. So restore three, and lay them over each other again:


# %%
def restore_colors(observed):
    """Each colour by itself, as a grey picture."""
    channels = [denoiser.restore(observed[..., i : i + 1]) for i in range(3)]
    return np.concatenate(channels, axis=-1)


color_photos = ki.load("photos", "test", channels=3, size=128, crops=0).take(2)
noisy_colors = np.asarray(denoiser.degradation(color_photos))
restored_colors = restore_colors(noisy_colors)
ki.plotting.plot_before_after(noisy_colors, restored_colors, color_photos)

# %% [markdown]
# Walls become smooth, edges stay. Look at the fur and the wood: their texture is as
# fine as the noise, and the network cannot tell them apart. It gives the average of what may have
# been there. That is the second time.

# %% [markdown]
# ## 6. ConvLSTM: restoring a sequence
#
# A film has something that a photograph has not: other frames. If one is lost, its neighbours know
# nearly everything about it. A network for this must carry what it has seen from frame to frame.
# **Recurrent** networks (RNN) do that, and a **ConvLSTM** is one whose memory is a picture.
#
# The material: sequences of 6 frames in which a digit moves and bounces off the walls. Each frame
# gets noise, and one of the six is lost altogether: $y = m \, (x + n)$, with a mask $m$ that is 0
# in a whole frame.

# %%
film = {"num_frames": 6, "num_digits": 1, "size": 36}
sequences = ki.load_moving_digits(num_sequences=SEQUENCES, batch_size=4, seed=SEED, **film)
test_sequences = ki.load_moving_digits("test", num_sequences=32, **film).take(32)
print("sequences, frames, height, width, channels:", test_sequences.shape)

spoil = ki.degradations.Compose(
    [
        ki.degradations.AdditiveNoise(0.15, seed=2),
        ki.degradations.MissingFrames(1, seed=2),
    ]
)
film_restorer = ki.Restorer(
    ki.networks.conv_lstm((36, 36, 1), extra_channels=1, filters=16),
    spoil,
    seed=SEED,
)
# A black frame is a comfortable answer. Large steps get stuck in it, so begin with small ones.
steps = LSTM_EPOCHS * len(sequences)
rate = keras.optimizers.schedules.CosineDecay(
    2e-4, steps, warmup_target=4e-3, warmup_steps=steps // 20
)
film_restorer.compile(keras.optimizers.Adam(rate), loss="mse")

# %% [markdown]
# **About 35 seconds.**

# %%
lstm_history = film_restorer.fit(
    sequences,
    epochs=LSTM_EPOCHS,
    callbacks=[ki.callbacks.BeforeAfter(test_sequences, n=1)],
    verbose=0,
)

# %%
spoiled_films = np.asarray(spoil(test_sequences))
restored_films = film_restorer.restore(spoiled_films)
observed_films = spoiled_films[..., :1]  # without the mask
lost = spoiled_films[..., 1].max(axis=(2, 3)) == 0  # which frames of which sequences
for name, frames in (("frames with noise", ~lost), ("lost frames", lost)):
    before = mean_psnr(test_sequences[frames], observed_films[frames])
    after = mean_psnr(test_sequences[frames], restored_films[frames])
    print(f"{name:17}  observed: {before:.1f} dB   restored: {after:.1f} dB")

# %% [markdown]
# A lost frame comes back in about the right place, but as a blob. Here the average has another
# reason. The digit moves evenly and both neighbours are there, so hardly any doubt is left about
# where it was: this network has not yet learned to say it. In 35 seconds it has found out *that*
# something is there, and about where. Tutorial [08](08_sequence_restoration.ipynb) trains longer,
# and the blob becomes a digit. A blur can be honest doubt, or lack of training. The picture does
# not tell which.
#
# The first two blurs have one cause, and so has this one. A squared error (cross-entropy too) is
# smallest, on average, at the *mean* of all pictures that are still possible *for all the network
# knows*, and a mean of sharp pictures is not sharp. The GAN is the only one of the four that was
# never asked for a mean, and the only one without blur.

# %% [markdown]
# ## 7. Breaking it, and what generation has to do with restoration
#
# Our denoiser knows noise of $\sigma = 25/255$ and has seen nothing but photographs. Let us be
# unkind: give it **digits**, with **four times the noise**. What do you expect?


# %%
def noisy(pictures, sigma):
    """Pictures with noise of standard deviation sigma; the same noise in every call."""
    return np.asarray(ki.degradations.AdditiveNoise(sigma, seed=5)(pictures))


weak, strong = noisy(test_digits, 25 / 255), noisy(test_digits, 100 / 255)
for name, observed in (("weak", weak), ("strong", strong)):
    restored = denoiser.restore(observed)
    before, after = mean_psnr(test_digits, observed), mean_psnr(test_digits, restored)
    print(f"{name:6} noise   observed: {before:.1f} dB   restored: {after:.1f} dB")


def show_rows(rows):
    """Draw rows of ten pictures below each other; `rows` has a title for each."""
    _, axes = plt.subplots(len(rows), 1, figsize=(7, len(rows)), layout="constrained")
    for ax, (title, pictures) in zip(axes, rows.items(), strict=True):
        ki.plotting.plot_images(pictures[:10], 10, title, ax=ax)
    plt.show()


show_rows(
    {
        "noise of 25/255": weak,
        "noise of 25/255, restored by the CNN": denoiser.restore(weak),
        "noise of 100/255": strong,
        "noise of 100/255, restored by the CNN": denoiser.restore(strong),
    }
)

# %% [markdown]
# At the noise it was trained for it does well, though it has never met a digit: noise looks the
# same on all pictures. At four times the noise it fails. Most of what it should remove is stronger
# than any noise it knows, so it takes it for part of the picture and leaves it standing.
#
# And yet *you* can read those digits. You know what it does not: what digits look like. You have a
# prior.
#
# So let us restore with nothing but a prior. No network will be trained for it. We draw 5,000
# digits from the VAE, and keep the one that explains the observed picture best:
#
# $$\hat{x} = \arg\max_{x_k} \; p(y \mid x_k), \qquad x_1, \dots, x_K \sim p(x)$$
#
# where $\hat{x}$ is the answer, $K$ the number of pictures drawn, $x_k$ one of them, and $\arg\max$
# reads "the one for which this is largest". Here is Bayes's product at work: candidates come from
# $p(x)$, the choice from $p(y \mid x)$. For noise, the likeliest candidate is simply the one with
# the smallest squared distance to $y$, whatever $\sigma$ is.

# %%
candidates = vae.sample(CANDIDATES, seed=SEED)


def restore_by_prior(observed):
    """For each observed picture the one of the candidates that is closest to it."""
    closest = [np.argmin(np.mean((candidates - y) ** 2, axis=(1, 2, 3))) for y in observed]
    return candidates[closest]


show_rows(
    {
        "noise of 100/255": strong,
        "restored by the VAE: the closest of its candidates": restore_by_prior(strong[:10]),
        "clean": test_digits,
    }
)

# %% [markdown]
# Look at the middle row: sharp, clean digits, from a model that was only ever taught to *generate*.
# Has it *restored* them? Compare with the row below, digit by digit, before you answer.
#
# PSNR alone will not tell. So ask two questions at many noise levels: how close are the pixels, and
# *is it still the same digit*? The second is answered by a network that reads digits, a
# **classifier**. It comes with the package. (It has seen these digits when it learned to read; none
# of the restored ones.)

# %%
reader = ki.metrics.DigitFeatures()
truth = reader.labels(test_digits)  # what it reads in the clean digits

levels = [10, 25, 50, 75, 100, 125, 150]
names = ("observed", "CNN", "VAE as prior")
psnrs, same = {name: [] for name in names}, {name: [] for name in names}
for level in levels:
    observed = noisy(test_digits, level / 255)
    answers = observed, denoiser.restore(observed), restore_by_prior(observed)
    for name, answer in zip(names, answers, strict=True):
        psnrs[name].append(mean_psnr(test_digits, answer))
        same[name].append(100 * np.mean(reader.labels(np.clip(answer, 0, 1)) == truth))

figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
for ax, curves, title in zip(
    axes, (psnrs, same), ("PSNR in dB", "read as the true digit, of 100"), strict=True
):
    for (name, values), style in zip(curves.items(), ("k:", "o-", "s-"), strict=True):
        ax.plot(levels, values, style, label=name)
    ax.axvline(25, color="grey", linewidth=0.8)
    ax.set(xlabel="noise, sigma x 255", title=title)
axes[0].annotate("the CNN was trained here", (27, 9), color="grey")
axes[1].legend()
plt.show()
at_100 = {name: f"{same[name][levels.index(100)]:.0f}" for name in names}
print("read as the true digit at 100/255, of 100:", at_100)

# %% [markdown]
# The picture to take home:
#
# - **The CNN listens to the observed picture.** With little noise it is far better: it keeps every
#   individual stroke. With much noise it repeats what it heard. (At the very left it even does
#   harm: it removes noise that is not there, and fine strokes with it.)
# - **The prior listens to itself.** Its curves are nearly flat. Noise hardly disturbs it, but
#   without any noise it still can only answer with one of the pictures that it has in mind. About
#   every fourth of its answers is a clean, sharp digit, and *another one*. Nothing in the
#   picture says so.
# - **The two figures disagree.** At strong noise the prior has more decibels than the CNN. A
#   postman would ask the right panel which one may sort the letters.
#
# Every restoration method lies somewhere between these two. The best ones weigh both, as the
# formula says: $p(y \mid x)$ from the observation, $p(x)$ from experience.
#
# One last unkindness, now for the prior. We show it pictures **without any noise**, but of other
# things: digits upside down, black and white exchanged, and three photographs made tiny.

# %%
upside_down = test_digits[[2, 3, 9, 12, 13], ::-1, ::-1]
exchanged = 1.0 - test_digits[[8, 20]]
tiny_photos = test_photos[:, 8:120, 8:120].reshape(3, 28, 4, 28, 4, 1).mean(axis=(2, 4))
strange = np.concatenate([upside_down, exchanged, tiny_photos])
show_rows(
    {
        "clean pictures of other things": strange,
        "what the prior makes of them": restore_by_prior(strange),
    }
)

# %% [markdown]
# It sees digits, because it has nothing else to see, and nothing in its answer says "I do not
# know". This is why one asks of a restored X-ray image: *which part of it comes from the patient,
# and which from the training set?*

# %% [markdown]
# ## 8. All four at a glance

# %% tags=["cover"]
figure, axes = plt.subplot_mosaic(
    [["gan", "vae"], ["photo", "photo"], ["film", "film"]],
    figsize=(6.2, 6.6),
    height_ratios=[2.4, 2.5, 2.5],
    layout="constrained",
)
vae_new = vae.sample(24, seed=3)
photo = np.concatenate([noisy_colors[:1], restored_colors[:1], color_photos[:1]])
strip = np.concatenate([observed_films[0], restored_films[0]])
ki.plotting.plot_images(gan_after, 6, "GAN: digits from random numbers", ax=axes["gan"])
ki.plotting.plot_images(vae_new, 6, "VAE: digits from random numbers", ax=axes["vae"])
ki.plotting.plot_images(photo, 3, "CNN: a noisy photograph, restored, clean", ax=axes["photo"])
ki.plotting.plot_images(strip, 6, "ConvLSTM: noise and a lost frame, restored", ax=axes["film"])
plt.show()

# %% [markdown]
# | | generation | restoration |
# | --- | --- | --- |
# | the question | what could it look like? | what did it look like? |
# | what goes in | random numbers $z$ | an observed picture $y$ |
# | the formula | $x \sim p(x)$ | $x \sim p(x \mid y) \propto p(y \mid x) \, p(x)$ |
# | right answers | as many as there are pictures | one, and $y$ may not tell which |
# | it is judged by | how real, how varied | the distance to the clean picture, in PSNR |
# | it fails by | nonsense, repetition | blur, leftovers, invention |
# | here | GAN, VAE | CNN, ConvLSTM |
#
# ($\propto$ reads "is proportional to": the number $p(y)$ has been left out.)
#
# ## What to remember
#
# 1. Generation draws from $p(x)$, restoration from $p(x \mid y)$. The second contains the first.
# 2. A degradation is a formula, $y = D(x) + n$. Knowing it is half of the repair.
# 3. PSNR compares with the clean picture: 10 dB more is a tenth of the squared error.
# 4. A network asked for the smallest squared error answers with an average of what is possible for
#    all it knows: blur is doubt, or lack of training.
# 5. A prior never says "I do not know". Its answers are sharp also where they are wrong: another
#    digit, with more decibels.

# %% [markdown]
# ## You should see / if not
#
# Measured with three values of `SEED`, on two CPU cores:
#
# - **GAN**: strokes from the fourth epoch on, and a discriminator accuracy that sinks from about
#   0.9 to 0.85. *If not*, all is flat grey, or 24 times the same: one player has won. Run
#   it again with another `SEED`.
# - **VAE**: reconstructions of 17.1 to 18.0 dB. *If not*, below 16: train for more epochs.
# - **CNN**: photographs from 20.5 dB up to 27.6 to 27.9. *If not*, below 26: was the cell with
#   `compile` run?
# - **ConvLSTM**: frames with noise from 19 dB up to 27 or 28, lost frames from 12 up to 14 or more.
#   *If not*, and the lost frames are black: it began with steps that were too large.
# - **Strong noise**: the CNN reaches 14.0 to 14.7 dB, the VAE as prior 15.2 to 15.6, and the curves
#   cross near 90. *If not*, and all candidates look the same: was the VAE trained?
# - **Time**: within twice the seconds that are given. *If not*, other programs are running; the
#   figures stay valid.
#
# With a graphics card, raise `GAN_EPOCHS` to 30 and `SEQUENCES` to 2,000 first: these two trainings
# are furthest from their end here.
#
# ## Read on
#
# **In papers this is called.** *Generation* is also called sampling or synthesis, what it starts
# from (our *latents*) the noise vector or code $z$. *Restoration* is an inverse problem, our
# *degradation* its forward model or corruption, the clean picture the ground truth $x$, the
# observed one the measurement $y$. To *fill holes* is inpainting.
#
# - I. Goodfellow and others, *Generative Adversarial Nets*, 2014, [arXiv
#   1406.2661](https://arxiv.org/abs/1406.2661): the contest, on nine pages.
# - D. P. Kingma and M. Welling, *Auto-Encoding Variational Bayes*, 2014, [arXiv
#   1312.6114](https://arxiv.org/abs/1312.6114): where the second term of the VAE's loss comes from.
# - K. Zhang and others, *Beyond a Gaussian Denoiser*, 2017, [arXiv
#   1608.03981](https://arxiv.org/abs/1608.03981): DnCNN, and why predicting the noise is easier.
# - X. Shi and others, *Convolutional LSTM Network*, 2015, [arXiv
#   1506.04214](https://arxiv.org/abs/1506.04214): a memory that is a picture, made for rain radar.
#
# The digits are from MNIST (Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0). The photographs are in
# the public domain or CC0; the package's `assets/LICENSES.md` names their authors.

# %% [markdown]
# ## Exercises
#
# Replace each `...` and run the cell, then the check below it. The check prints `Right`, or says
# what it found and gives a hint.
#
# ### Exercise 1: PSNR with your own hands
#
# Write the formula of section 2 for one picture, with NumPy alone.


# %% tags=["exercise"]
def my_psnr(clean, restored):
    """The PSNR of one picture, in dB: a number."""
    return ...


# %% tags=["solution"]
def my_psnr(clean, restored):  # noqa: F811
    """The PSNR of one picture, in dB: a number."""
    mse = np.mean((clean - restored) ** 2)
    return 10 * np.log10(1 / mse)


# %% tags=["check"]
found = my_psnr(flat[0], flat[0] + 0.1)
assert isinstance(found, (int, float, np.floating)), (
    f"my_psnr should return one number. It returned {found!r}. "
    "Hint: np.mean of the squared differences first, then np.log10."
)
assert abs(found - 20.0) < 0.01, (
    f"If every pixel is wrong by 0.1, PSNR is 20 dB. Yours is {found:.2f}. "
    "Hint: np.log is the natural logarithm, and the factor is 10 if you take no square root."
)
found, expected = my_psnr(cat[0], noisy_cat[0]), float(ki.metrics.psnr(cat, noisy_cat)[0])
assert abs(found - expected) < 0.01, (
    f"For the noisy cat yours is {found:.2f} dB and that of keras_imgen {expected:.2f} dB. "
    "Hint: square each difference before you take the mean."
)
print(f"Right: {found:.2f} dB.")

# %% [markdown]
# ### Exercise 2: a degradation with your own hands
#
# A square of 40 x 40 pixels has been cut out of the photograph: rows 44 to 83 and columns 44 to 83.
# Write the mask $m$, the observed picture $m \cdot x$, and the share of pixels that are lost.

# %% tags=["exercise"]
x = cat[0]  # shape (128, 128, 1)
mask = ...  # same shape: 1 where the pixel is known, 0 where it is lost
observed_x = ...
lost_share = ...

# %% tags=["solution"]
x = cat[0]  # shape (128, 128, 1)
mask = np.ones_like(x)  # same shape: 1 where the pixel is known, 0 where it is lost
mask[44:84, 44:84] = 0
observed_x = mask * x
lost_share = np.mean(mask == 0)

# %% tags=["check"]
assert isinstance(mask, np.ndarray), (
    f"mask should be an array. It is {mask!r}. "
    "Hint: begin with np.ones_like(x), then set a part of it to 0."
)
assert mask.shape == x.shape, f"mask should have the shape {x.shape}. It has {mask.shape}."
assert np.all(mask[44:84, 44:84] == 0), "The mask is not 0 everywhere inside the square."
assert mask.sum() == 128**2 - 40**2, (
    f"{int(x.size - mask.sum())} pixels are lost, it should be 1600. "
    "Hint: a slice ends before its second number, so row 83 is the last of 44:84."
)
assert isinstance(observed_x, np.ndarray), f"observed_x should be an array. It is {observed_x!r}."
assert np.allclose(observed_x, x * mask), "observed_x is not mask * x."
assert np.allclose(lost_share, 1600 / 128**2), (
    f"lost_share should be the lost pixels divided by all pixels, 0.098. It is {lost_share!r}."
)
print(f"Right: {lost_share:.1%} of the pixels are lost.")
figure, axes = plt.subplots(1, 3, figsize=(7, 2.5), layout="constrained")
for ax, picture, title in zip(axes, (x, mask, observed_x), ("x", "m", "m x"), strict=True):
    ki.plotting.plot_images(picture[None], title=title, ax=ax)
plt.show()

# %% [markdown]
# ### Exercise 3: predict, then measure
#
# The noise on the cat is doubled, from $\sigma = 25/255$ to $50/255$. **Before you compute
# anything**: by how many dB does the PSNR of the observed picture fall? The formula of section 2
# tells, with pencil and paper. Then measure what the denoiser gains at both noise levels: PSNR of
# the restored picture minus PSNR of the observed one. Use `noisy`, `denoiser.restore` and `my_psnr`
# or `mean_psnr`.

# %% tags=["exercise"]
predicted_fall = ...  # in dB, a positive number
gain_25 = ...  # in dB, at sigma 25 / 255
gain_50 = ...  # in dB, at sigma 50 / 255


# %% tags=["solution"]
def gain(sigma):
    """What the denoiser gains on the cat, in dB."""
    observed = noisy(cat, sigma)
    return mean_psnr(cat, denoiser.restore(observed)) - mean_psnr(cat, observed)


predicted_fall = 20 * np.log10(2)  # MSE is sigma squared: four times as large
gain_25 = gain(25 / 255)
gain_50 = gain(50 / 255)

# %% tags=["check"]
for name, value in (("fall", predicted_fall), ("gain", gain_25), ("gain", gain_50)):
    assert isinstance(value, (int, float, np.floating)), (
        f"A {name} should be a number in dB. Found {value!r}. "
        "Hint: twice the sigma is four times the MSE."
    )
assert abs(predicted_fall - 6.02) < 0.1, (
    f"You predict a fall of {predicted_fall:.2f} dB. "
    "Hint: MSE is sigma squared, so it becomes 4 times as large; 10 log10 of that?"
)
for level, value in ((25, gain_25), (50, gain_50)):
    observed = noisy(cat, level / 255)
    restored = denoiser.restore(observed)
    # With or without cutting the observed picture to [0, 1], both are fair.
    fair = [
        mean_psnr(cat, restored) - float(ki.metrics.psnr(cat, seen)[0])
        for seen in (observed, np.clip(observed, 0.0, 1.0))
    ]
    assert min(fair) - 0.1 <= value <= max(fair) + 0.1, (
        f"At sigma {level}/255 the gain is {fair[1]:.1f} dB. Yours is {value:.1f}. "
        "Hint: restored minus observed, both compared with the clean cat."
    )
print(f"Right: the observed picture falls by {predicted_fall:.2f} dB.")
print(f"The denoiser gains {gain_25:.1f} dB at the noise it knows, {gain_50:.1f} dB at twice that.")
