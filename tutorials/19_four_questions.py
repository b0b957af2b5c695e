# %% [markdown]
# # 19 · Four questions, answered by experiments
#
# **You will be able to**
#
# - answer four questions, one for each model, with a number for each answer;
# - plan an ablation: take one part away, give its size and its time to the rest, measure;
# - say for each part what it is *not* needed for;
# - tell an explanation from a habit.
#
# **You need** tutorials [02](02_gan.ipynb) to [08](08_sequence_restoration.ipynb).
#
# **Time** on two CPU cores: 7 minutes of computing, 80 minutes with reading and exercises.

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
    tell = lambda shell, kind, error, trace, tb_offset=None: print(f"Not yet: {error}")
    get_ipython().set_custom_exc((AssertionError,), tell)  # noqa: F821

# %% [markdown]
# ## Why both networks, why both halves, why convolutions, why recurrence?
#
# Each of the four models has a part that everybody explains in one sentence. *The discriminator
# judges. The encoder describes. Convolutions see neighbours. Memory connects frames.* Sentences are
# cheap. What happens if the part is taken away?
#
# ![What each model makes with all its parts, and without one of them](attachment:cover)
#
# Taking a part away and measuring what is lost is called an **ablation**. It is only fair if what
# remains gets what the part had used: its parameters (numbers to learn) and its training time. So
# every table below shows three columns beside the result: which parts, how many parameters, how
# many seconds. (Two contenders are not trained at all, but lent what the full model has learned.
# They cannot be made equal, and the text says so.)
#
# *Before you go on, write down one guess for each question: what will be lost, and what will not?*

# %% tags=["setup"]
import os
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

import keras_imgen as ki

SEED = 0
# Epochs (passes through the data) for each contender, chosen so that the seconds come out alike.
JUDGE_EPOCHS = 6
GAN_EPOCHS, LONE_GENERATOR_EPOCHS, CLIMB_STEPS = 7, 14, 100
VAE_EPOCHS, LONE_DECODER_EPOCHS = 10, 8
CONV_EPOCHS, DENSE_EPOCHS, LARGE_DENSE_EPOCHS = 3, 45, 12
LSTM_EPOCHS, FRAMEWISE_EPOCHS, STACKED_EPOCHS = 5, 3, 20
NUM_DIGITS, SEQUENCES, CANDIDATES = None, 320, 5000
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # a quick test: its figures mean nothing
    JUDGE_EPOCHS = GAN_EPOCHS = LONE_GENERATOR_EPOCHS = VAE_EPOCHS = LONE_DECODER_EPOCHS = 1
    CONV_EPOCHS = DENSE_EPOCHS = LARGE_DENSE_EPOCHS = 1
    LSTM_EPOCHS = FRAMEWISE_EPOCHS = STACKED_EPOCHS = 1
    CLIMB_STEPS, NUM_DIGITS, SEQUENCES, CANDIDATES = 2, 64, 4, 50

keras.utils.set_random_seed(SEED)  # the same first weights, and so the same pictures, every time

# %% [markdown]
# Some small tools: a fresh optimizer, a stopwatch around `fit`, a row of a table, and the mean
# PSNR.


# %%
def adam(steps, learning_rate=2e-3):
    """Adam that warms up, then slows down to the end of a training of so many steps."""
    return keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(
            learning_rate / 20,
            decay_steps=max(1, steps - steps // 20),
            warmup_target=learning_rate,
            warmup_steps=steps // 20,
        )
    )


def train(model, *data, **options):
    """Call fit and return the seconds it took."""
    start = time.perf_counter()
    model.fit(*data, verbose=0, **options)
    return time.perf_counter() - start


def report(name, parameters, seconds, result):
    """Print one row of a table."""
    print(f"{name:30} {parameters:>9,} parameters {seconds:>4.0f} s   {result}")


def mean_psnr(clean, pictures):
    """The mean over several pictures; what lies outside [0, 1] is cut off, as on a screen."""
    return float(np.mean(ki.metrics.psnr(clean, np.clip(pictures, 0.0, 1.0))))


def show_rows(rows, columns=10):
    """Draw rows of pictures below each other; `rows` has a title for each."""
    _, axes = plt.subplots(len(rows), 1, figsize=(7, 0.98 * len(rows)), layout="constrained")
    for ax, (title, pictures) in zip(axes, rows.items(), strict=True):
        ki.plotting.plot_images(pictures[:columns], columns, title, ax=ax)
    plt.show()


labelled = ki.load("digits", labels=True)
count = NUM_DIGITS or labelled.num_pictures
all_digits, labels = labelled.take(count), labelled.labels[:count]
test_digits = ki.load("digits", "test").take(200 if NUM_DIGITS else 1000)
print(f"{len(all_digits):,} digits to learn from, {len(test_digits):,} others to measure on")

# %% [markdown]
# ## Question 1. Why does a GAN need both networks?
#
# We need a judge that neither player has met: a small network that learns to read digits.
# **About 10 seconds.** We will ask it two things about a hundred made pictures: how many it reads
# with a certainty above 0.9, and how many of the ten kinds of digits occur among those.

# %%
judge = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        layers.Conv2D(16, 3, strides=2, activation="relu"),
        layers.Conv2D(32, 3, strides=2, activation="relu"),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
)
judge.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
seconds = train(judge, all_digits, labels, epochs=JUDGE_EPOCHS)


def judgement(pictures):
    """What the judge reads among pictures: how many, and of how many kinds."""
    certainty = judge.predict(pictures, verbose=0)
    read = certainty.max(axis=1) > 0.9
    kinds = len(np.unique(certainty.argmax(axis=1)[read]))
    return f"{np.mean(read):4.0%} read, {kinds:2} of 10 kinds"


report("the judge on unseen digits", judge.count_params(), seconds, judgement(test_digits))

# %% [markdown]
# Now three contenders:
#
# - **Both networks**: a GAN as in tutorial 02.
# - **No discriminator**: a generator alone, with the parameters of both. Something must tell it
#   what to draw, so it gets what every other network gets: a target. In every epoch each real digit
#   gets a fresh random latent vector $z$, and the loss is the mean squared error.
# - **No generator**: a discriminator alone can still point at every pixel, as in section 5 of
#   tutorial 02. Start with noise, and let the pixels follow the slopes of its score. We lend it the
#   knowledge of the whole fight: it is the discriminator of the trained GAN.
#
# **About 85 seconds for all three.**

# %%
digits = ki.load_arrays(all_digits, seed=SEED)
gan = ki.GAN(
    ki.networks.dcgan_generator((28, 28, 1), latent_dim=32, filters=32),
    ki.networks.dcgan_discriminator((28, 28, 1), filters=32, batch_norm=False),
    seed=SEED,
)
gan.compile(*[keras.optimizers.Adam(1e-3, beta_1=0.5) for _ in range(2)])
seconds = train(gan, digits, epochs=GAN_EPOCHS)
both_networks = gan.sample(100, seed=1)
size = gan.generator.count_params() + gan.discriminator.count_params()
report("both networks", size, seconds, judgement(both_networks))

lone_generator = ki.networks.dcgan_generator((28, 28, 1), latent_dim=32, filters=45)
lone_generator.compile(adam(LONE_GENERATOR_EPOCHS * len(digits)), "mse")
rng = np.random.default_rng(SEED)
seconds = 0
for _ in range(LONE_GENERATOR_EPOCHS):
    lots = rng.standard_normal((len(all_digits), 32)).astype("float32")
    seconds += train(lone_generator, lots, all_digits)
latents = rng.standard_normal((100, 32)).astype("float32")
no_discriminator = lone_generator.predict(latents, verbose=0)
report("no discriminator", lone_generator.count_params(), seconds, judgement(no_discriminator))


def climb(pictures, steps):
    """Let every pixel follow the slope of the discriminator's score."""
    pictures = tf.Variable(pictures)
    optimizer = keras.optimizers.Adam(0.02)
    for _ in range(steps):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(gan.discriminator(pictures, training=False))
        optimizer.apply([tape.gradient(loss, pictures)], [pictures])
        pictures.assign(tf.clip_by_value(pictures, 0.0, 1.0))
    return pictures.numpy()


start = time.perf_counter()
noise = rng.random((100, 28, 28, 1)).astype("float32")
no_generator = climb(noise, CLIMB_STEPS)
seconds = time.perf_counter() - start
report("no generator", gan.discriminator.count_params(), seconds, judgement(no_generator))
for name, pictures in (("real digits", test_digits[:100]), ("no generator", no_generator)):
    score = float(np.mean(gan.discriminator(pictures)))
    print(f"the discriminator's mean score of {name}: {score:.1f}")
show_rows(
    {
        "both networks": both_networks,
        "no discriminator: one mean for all": no_discriminator,
        "no generator: pixels that please the discriminator": no_generator,
    }
)

# %% [markdown]
# **Without the discriminator** there is one picture, the mean of all digits. That is not bad
# training, it is the right answer to the wrong question: the latents were random and say
# nothing about the target, and the squared error is then smallest at the mean. A generator needs
# somebody who asks "is this a digit?" in place of "is this *that* digit?".
#
# **Without the generator** the score rises far above that of real digits, and there is nothing to
# see. The discriminator has only ever met real digits and what the generator made. About all other
# pictures it knows nothing, and the pixels run off to where it is wrong. The generator's layers
# allow only pictures that hang together, and it learned what its pictures have in common.
#
# Note the judge's first column. It is certain about the mean picture, and about patterns that are
# no digits at all. A network says nothing reliable about pictures of a kind that it has never met;
# the second column and your eyes are needed.
#
# So: *the discriminator replaces the target that nobody has; the generator keeps the answer among
# pictures.*

# %% [markdown]
# ## Question 2. Why does a VAE need both halves?
#
# Two abilities are to be compared: bring back a given digit through 16 numbers (PSNR on unseen
# digits), and invent one (the judge). The contenders:
#
# - **Both halves**: a VAE as in tutorial 04.
# - **No encoder**: a decoder alone, with the parameters of both. Each training digit gets 16
#   random numbers, once and for all; the decoder learns to draw the digit from them. To bring back
#   an unseen digit we must search: among 5,000 random descriptions, take the one whose drawing is
#   closest.
# - **No decoder**: the trained VAE's encoder alone. It can describe, and it can compare
#   descriptions. So it answers with the training digit whose description is closest.
#
# **About 60 seconds for all three.**

# %%
vae = ki.VAE(
    ki.networks.vae_encoder((28, 28, 1), latent_dim=16, filters=32),
    ki.networks.vae_decoder((28, 28, 1), latent_dim=16, filters=32),
    seed=SEED,
)
vae.compile(keras.optimizers.Adam(1e-3))
seconds = train(vae, ki.load_arrays(all_digits, batch_size=64, seed=SEED), epochs=VAE_EPOCHS)
returned = {"both halves": vae.reconstruct(test_digits)}
invented = {"both halves": vae.sample(100, seed=1)}
rows = [("both halves", vae.count_params(), seconds)]

lone_decoder = keras.Sequential(
    [
        ki.networks.vae_decoder((28, 28, 1), latent_dim=16, filters=55),
        keras.layers.Activation("sigmoid"),  # its answers are logits
    ]
)
lots = rng.standard_normal((len(all_digits), 16)).astype("float32")
steps = LONE_DECODER_EPOCHS * len(all_digits) // 64
lone_decoder.compile(adam(steps, 1e-3), "binary_crossentropy")
seconds = train(lone_decoder, lots, all_digits, batch_size=64, epochs=LONE_DECODER_EPOCHS)


def closest(wanted, offered):
    """For each row of `wanted` the index of the closest row of `offered`."""
    wanted, offered = (rows.reshape(len(rows), -1) for rows in (wanted, offered))
    return np.argmin((offered**2).sum(axis=1) - 2.0 * wanted @ offered.T, axis=1)


tries = lone_decoder.predict(rng.standard_normal((CANDIDATES, 16)), verbose=0)
returned["no encoder"] = tries[closest(test_digits, tries)]
invented["no encoder"] = tries[:100]
rows.append(("no encoder", lone_decoder.count_params(), seconds))

start = time.perf_counter()
known, asked = (vae.encoder.predict(x, verbose=0)[0] for x in (all_digits, test_digits))
returned["no decoder"] = all_digits[closest(asked, known)]
invented["no decoder"] = all_digits[closest(rng.standard_normal((100, 16)), known)]
rows.append(("no decoder", vae.encoder.count_params(), time.perf_counter() - start))

for name, parameters, seconds in rows:
    psnr = mean_psnr(test_digits, returned[name])
    report(name, parameters, seconds, f"{psnr:.1f} dB   {judgement(invented[name])}")
show_rows({"unseen digits": test_digits, **{f"brought back, {k}": v for k, v in returned.items()}})
show_rows({f"invented, {k}": v for k, v in invented.items()})

# %% [markdown]
# **Without the encoder** descriptions mean nothing. Two similar digits got different numbers, and
# two similar lists of numbers belong to different digits. The decoder cannot learn 4,000
# meaningless pairs in this time, and between two of them there is nothing to learn: it draws means.
#
# **Without the decoder** nothing is ever invented. What comes back is sharp, and the judge reads
# most of it, since these are real digits. But ask for the individual digit: the PSNR is lower,
# because the closest of 4,000 is still another person's handwriting. This row is also a warning
# about the judge: *whoever only asks whether pictures look real can be pleased with copies*, and
# with a fog: of the means it reads more than of the VAE's digits, all as one kind.
#
# So: *the encoder gives similar pictures similar numbers, and only this makes the numbers between
# them meaningful; the decoder turns numbers that nobody has used before into a picture that nobody
# has drawn before.*

# %% [markdown]
# ## Question 3. Why do convolutions suit pictures?
#
# The task is denoising, with strong noise ($\sigma = 0.4$) on digits. The contenders:
#
# - **Convolutions**: a DnCNN of 5 layers, as in tutorial 05.
# - **Dense, equal size**: a layer in which every pixel is connected with every other, as narrow as
#   the equal number of parameters demands.
# - **Dense, 50 times the size**, with the same training time.
#
# And here is the twist. Take away not the convolutions but what they rely on: shuffle the 784
# pixels of all pictures, always in the same order. No information is lost, anybody could shuffle
# back. But neighbours are not neighbours any more.
#
# *Guess: which contender will suffer?* **About 70 seconds.**


# %%
def dense_denoiser(width):
    """Every pixel sees every pixel, through `width` numbers."""
    observed = layers.Input((28, 28, 1))
    x = layers.Dense(width, activation="relu")(layers.Flatten()(observed))
    picture = layers.Dense(784, activation="sigmoid")(x)
    return keras.Model(observed, layers.Reshape((28, 28, 1))(picture))


def convolutional_denoiser():
    return ki.networks.dncnn((28, 28, 1), depth=5, filters=24, batch_norm=False)


def moved(pictures, pixels=5):
    """Pictures moved to the right; what leaves comes in again on the left."""
    return np.roll(pictures, pixels, axis=2)


order = np.random.default_rng(SEED).permutation(784)


def shuffled(pictures):
    """The same pixels in another order, the same for all pictures."""
    return pictures.reshape(-1, 784)[:, order].reshape(-1, 28, 28, 1)


def noisy(pictures):
    """Pictures with strong noise; the same noise in every call."""
    return np.asarray(ki.degradations.AdditiveNoise(0.4, seed=1)(pictures))


def trained_denoiser(build, epochs, pictures):
    """A denoiser that learned from these pictures, and the seconds it took."""
    keras.utils.set_random_seed(SEED)
    data = ki.load_arrays(pictures, seed=SEED)
    denoiser = ki.Restorer(build(), ki.degradations.AdditiveNoise(0.4, seed=SEED), seed=SEED)
    denoiser.compile(adam(epochs * len(data)))
    return denoiser, train(denoiser, data, epochs=epochs)


def denoising_psnr(denoiser, clean):
    """PSNR of pictures that were spoiled and restored."""
    return mean_psnr(clean, denoiser.restore(noisy(clean)))


contenders = {
    "convolutions": (convolutional_denoiser, CONV_EPOCHS),
    "dense, equal size": (lambda: dense_denoiser(10), DENSE_EPOCHS),
    "dense, 50 times the size": (lambda: dense_denoiser(512), LARGE_DENSE_EPOCHS),
}
noisy_moved, denoised = noisy(moved(test_digits)), {}
for name, (build, epochs) in contenders.items():
    denoiser, seconds = trained_denoiser(build, epochs, all_digits)
    shuffled_denoiser, _ = trained_denoiser(build, epochs, shuffled(all_digits))
    denoised[name] = denoiser.restore(noisy_moved)
    report(
        name,
        denoiser.count_params(),
        seconds,
        f"digits {denoising_psnr(denoiser, test_digits):.1f} dB   "
        f"moved {denoising_psnr(denoiser, moved(test_digits)):.1f} dB   "
        f"shuffled {denoising_psnr(shuffled_denoiser, shuffled(test_digits)):.1f} dB",
    )
print(f"observed: {mean_psnr(test_digits, noisy(test_digits)):.1f} dB")
show_rows(
    {
        "observed: digits five pixels to the right of where they were in training": noisy_moved,
        **{f"restored, {name}": pictures for name, pictures in denoised.items()},
    }
)

# %% [markdown]
# Read the columns, not only the rows.
#
# - **Digits**: at equal size convolutions lead by far. With fifty times the parameters the dense
#   network catches up: it *can* learn to denoise digits.
# - **Moved** by five pixels: convolutions hardly notice, since the same weights look at every
#   place. The dense networks had learned what stands *where*, and lose most of what they gained.
#   The property that they lack has a name, **translation equivariance**: move the input, and the
#   output moves with it.
# - **Shuffled**: the dense networks do not notice, to them the order of pixels has never meant
#   anything. The convolutions fall behind even the small dense network: a window of 3 x 3 holds
#   nine strangers. What is left needs no neighbours, such as: a dark pixel was probably black.
#
# So: *convolutions are not better in general. They assume that neighbours belong together and that
# every place is like every other. Pictures are like that. Where it holds, the assumption replaces
# parameters and data; where it does not, it is in the way.*

# %% [markdown]
# ## Question 4. Why does recurrence suit sequences?
#
# The task of tutorial 08: noisy frames, and two of eight lost. The contenders have about equal size
# and time:
#
# - **Recurrence**: a ConvLSTM, which carries a memory from frame to frame.
# - **No memory**: a CNN that restores every frame by itself.
# - **All frames at once**: a CNN that sees the eight frames as eight channels of one picture. It
#   has no memory, but it does not need one.
#
# **About 90 seconds for all three.**

# %%
film = {"num_frames": 8, "num_digits": 1, "size": (28, 48)}
sequences = ki.load_moving_digits(num_sequences=SEQUENCES, batch_size=4, seed=SEED, **film)
test_films = ki.load_moving_digits("test", num_sequences=64, **film).take(64)


def spoil(seed):
    """Noise on all frames, two of them lost, and a mask channel that says which."""
    return ki.degradations.Compose(
        [
            ki.degradations.AdditiveNoise(0.2, seed=seed),
            ki.degradations.MissingFrames(2, seed=seed + 1),
        ]
    )


def framewise():
    """The same CNN for every frame: it cannot know what the others show."""
    frame = ki.networks.dncnn((28, 48, 1), extra_channels=1, depth=6, filters=34, batch_norm=False)
    observed = layers.Input((None, 28, 48, 2))
    # TimeDistributed applies a network to every frame.
    return keras.Model(observed, layers.TimeDistributed(frame)(observed))


def stacked(num_frames=8):
    """A CNN that takes the frames and their masks as channels of one picture."""
    observed = layers.Input((num_frames, 28, 48, 2))
    x = layers.Permute((2, 3, 4, 1))(observed)  # moves axes: time becomes the last one
    x = layers.Reshape((28, 48, 2 * num_frames))(x)
    cnn = ki.networks.dncnn(
        (28, 48, num_frames), extra_channels=num_frames, depth=6, filters=32, batch_norm=False
    )
    x = layers.Reshape((28, 48, 1, num_frames))(cnn(x))
    return keras.Model(observed, layers.Permute((4, 1, 2, 3))(x))


contenders = {
    "recurrence": (
        lambda: ki.networks.conv_lstm((28, 48, 1), extra_channels=1, filters=16),
        LSTM_EPOCHS,
    ),
    "no memory": (framewise, FRAMEWISE_EPOCHS),
    "all frames at once": (stacked, STACKED_EPOCHS),
}
observed_films = np.asarray(spoil(7)(test_films))
lost = observed_films[..., 1].max(axis=(2, 3)) == 0  # which frames of which sequences
restorers, films = {}, {}
for name, (build, epochs) in contenders.items():
    keras.utils.set_random_seed(SEED)
    restorers[name] = ki.Restorer(build(), spoil(SEED), seed=SEED)
    restorers[name].compile(adam(epochs * len(sequences), 3e-3))
    seconds = train(restorers[name], sequences, epochs=epochs)
    films[name] = restorers[name].restore(observed_films)
    figures = [mean_psnr(test_films[frames], films[name][frames]) for frames in (~lost, lost)]
    report(
        name,
        restorers[name].count_params(),
        seconds,
        f"noisy frames {figures[0]:.1f} dB   lost frames {figures[1]:.1f} dB",
    )
figures = [mean_psnr(test_films[f], observed_films[..., :1][f]) for f in (~lost, lost)]
print(f"observed: noisy frames {figures[0]:.1f} dB, lost frames {figures[1]:.1f} dB")
show_rows(
    {
        "observed": observed_films[0, ..., :1],
        **{f"restored, {name}": film[0] for name, film in films.items()},
        "clean": test_films[0],
    },
    columns=8,
)

# %% [markdown]
# Now a film of 12 frames, with three of them lost. The networks have only ever seen 8.

# %%
long_films = ki.load_moving_digits("test", num_sequences=32, **{**film, "num_frames": 12}).take(32)
long_spoil = ki.degradations.Compose(
    [ki.degradations.AdditiveNoise(0.2, seed=7), ki.degradations.MissingFrames(3, seed=8)]
)
long_observed = np.asarray(long_spoil(long_films))
long_lost = long_observed[..., 1].max(axis=(2, 3)) == 0
for name, restorer in restorers.items():
    try:
        long_restored = restorer.restore(long_observed)
    except ValueError as error:
        print(f"{name:20} refuses: {str(error).split('Received')[0]}")
        continue
    figures = [mean_psnr(long_films[f], long_restored[f]) for f in (~long_lost, long_lost)]
    print(f"{name:20} noisy frames {figures[0]:.1f} dB   lost frames {figures[1]:.1f} dB")

# %% [markdown]
# **Without memory** the frames with noise come out *better* than with it. All its parameters serve
# the single picture, at full resolution, and tutorial 08 has shown that noise hardly needs the
# other frames. But a lost frame is nothing but black, and all it can answer is the same dark grey
# every time. What it would need is not in front of it.
#
# **All frames at once** knows as much as the ConvLSTM and does worse at both, with the same size
# and time. Where frames enter and leave it needs weights of its own for each: what it learned about
# the third frame it has to learn again for the fourth. And it refuses the longer film, because a
# ninth frame has no weights. Recurrence uses the same weights at every moment, and the film may go
# on.
#
# So: *recurrence does for time what convolution does for space. It assumes that every moment is
# like every other, and so each weight learns from all of them. What it brings is what the present
# does not show; what the present shows, one picture tells as well.*

# %% [markdown]
# ## All four at a glance

# %% tags=["cover"]
figure, axes = plt.subplots(4, 2, figsize=(7.4, 4.3), layout="constrained")
panels = [
    ("GAN", both_networks[:6]),
    ("without discriminator", no_discriminator[:6]),
    ("VAE: digits brought back", returned["both halves"][:6]),
    ("without encoder", returned["no encoder"][:6]),
    ("moved digits denoised by convolutions", denoised["convolutions"][:6]),
    ("without: by dense layers", denoised["dense, equal size"][:6]),
    ("ConvLSTM: the third of these was lost", films["recurrence"][0, 4:]),
    ("without memory", films["no memory"][0, 4:]),
]
for ax, (title, pictures) in zip(axes.ravel(), panels, strict=True):
    ki.plotting.plot_images(pictures, len(pictures), title, ax=ax)
plt.show()

# %% [markdown]
# ## What to remember
#
# 1. **Discriminator**: it replaces the target that nobody has. Without it, the mean of all
#    pictures. **Generator**: it keeps the answer among pictures. Without it, pixels that only
#    please the judge.
# 2. **Encoder**: it gives similar pictures similar numbers. Without it, numbers mean nothing.
#    **Decoder**: it draws what nobody has drawn. Without it, there is only what there was.
# 3. **Convolutions** assume that neighbours belong together and that all places are alike. This
#    replaces parameters, as long as it is true.
# 4. **Recurrence** assumes that every moment is like every other. It replaces parameters, too, and
#    works for any length.
# 5. A part is worth what is lost without it, at equal size and equal time. Everything else is
#    habit.

# %% [markdown]
# ## You should see / if not
#
# Measured with two values of `SEED`, on two CPU cores:
#
# - **Question 1**: both networks 45 % to 65 % of the pictures read, of at least nine kinds; no
#   discriminator: one kind; no generator: a score above 15. *If not*, and the lone generator draws
#   several things: were the latents drawn anew in every epoch?
# - **Question 2**: 16.7 to 16.8 dB with both halves, 12.2 without encoder, 14.6 to 14.7 without
#   decoder. *If not*, and the lone decoder reaches more: did each digit keep its numbers?
# - **Question 3**: convolutions 19.5 to 19.7 dB on digits, 19.2 to 19.6 on moved and 13.5 on
#   shuffled ones; dense of equal size 15.0, 11.2 and 15.0. *If not*: the order of the shuffled
#   pixels must be the same in training and test.
# - **Question 4**: lost frames 16.3 dB with recurrence, 12.6 without memory, 13.8 with all frames
#   at once; noisy frames are best without memory. *If not*, and the lost frames are grey
#   everywhere: it needs more steps.
# - **Time**: seconds within twice those that are given. Within a table they are of the same order,
#   not equal: the contender that is smaller or simpler takes fewer. *If not*,
#   other programs are running; the figures stay valid.
#
# With a graphics card, raise all epochs four times and see which gaps close: a part that only saves
# time is another thing than a part that cannot be replaced.
#
# ## Read on
#
# - P. Bojanowski and others, *Optimizing the Latent Space of Generative Networks*, 2018, [arXiv
#   1707.05776](https://arxiv.org/abs/1707.05776): a generator without discriminator and without
#   encoder whose latents are learned as well. Compare with questions 1 and 2.
# - D. Ulyanov and others, *Deep Image Prior*, 2018, [arXiv
#   1711.10925](https://arxiv.org/abs/1711.10925): how much a convolutional network knows before it
#   has learned anything.
# - S. Bai and others, *An Empirical Evaluation of Generic Convolutional and Recurrent Networks for
#   Sequence Modeling*, 2018, [arXiv 1803.01271](https://arxiv.org/abs/1803.01271): question 4,
#   asked for text and music, with an answer that may surprise you.
# - R. Meyes and others, *Ablation Studies in Artificial Neural Networks*, 2019, [arXiv
#   1901.08644](https://arxiv.org/abs/1901.08644): where the word comes from, and what it can show.
#
# The digits are from MNIST (Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0).

# %% [markdown]
# ## Exercises
#
# Replace each `...` and run the cell, then the check below it. The check prints `Right`, or says
# what it found and gives a hint.
#
# ### Exercise 1: what the assumption saves
#
# A photograph has 192 x 192 pixels, one channel. How many parameters has one dense layer that
# connects every pixel with every pixel and adds a bias to each output? How many has one
# convolution of 3 x 3 from one channel to one, with a bias?

# %% tags=["exercise"]
dense_parameters = ...
convolution_parameters = ...

# %% tags=["solution"]
pixels = 192 * 192
dense_parameters = pixels * pixels + pixels
convolution_parameters = 3 * 3 + 1

# %% tags=["check"]
for name, value in (
    ("dense_parameters", dense_parameters),
    ("convolution_parameters", convolution_parameters),
):
    assert isinstance(value, (int, float, np.number)), f"{name} should be a number, not {value!r}."
assert convolution_parameters == 10, (
    f"You count {convolution_parameters}. Hint: nine weights, the same at every place, and a bias."
)
assert dense_parameters == (192**2) ** 2 + 192**2, (
    f"You count {dense_parameters:,}. Hint: 36,864 pixels go in, 36,864 come out; each pair has a "
    "weight of its own, and each output a bias."
)
print(f"Right: {dense_parameters:,} against 10.")

# %% [markdown]
# ### Exercise 2: does the output move along?
#
# Write `moves_along`. It gets a function `denoise` from pictures to pictures, and pictures. Compare
# *moved, then denoised* with *denoised, then moved*, using `moved` from question 3, and return the
# largest difference in the columns 10 to 21. (There neither the border nor what comes in again on
# the left can be seen by a network of 5 layers.)


# %% tags=["exercise"]
def moves_along(denoise, pictures):
    """The largest difference between both orders, in the columns 10 to 21."""
    return ...


# %% tags=["solution"]
def moves_along(denoise, pictures):  # noqa: F811
    """The largest difference between both orders, in the columns 10 to 21."""
    difference = denoise(moved(pictures)) - moved(denoise(pictures))
    return np.abs(difference[:, :, 10:22]).max()


# %% tags=["check"]
some = noisy(test_digits[:20])
stays = moves_along(lambda pictures: pictures, some)
assert isinstance(stays, (float, np.floating)), (
    f"moves_along should return one number, not {np.shape(stays) or stays!r}. "
    "Hint: np.abs(...).max()."
)
assert stays == 0, (
    f"A function that changes nothing moves along exactly. You find {stays:.3f}. "
    "Hint: denoise(moved(pictures)) minus moved(denoise(pictures))."
)
for slope in (1.0, -1.0):  # adds a number to each column, and so does not move along
    ramp = slope * np.arange(28, dtype="float32")[None, None, :, None]
    found = moves_along(lambda pictures, ramp=ramp: pictures + ramp, some)
    assert abs(found - 5.0) < 1e-4, (
        "A function that adds more from column to column does not move along: five columns further "
        f"the difference is 5. You find {found:.3f}. "
        "Hint: np.abs first; and compare the columns 10 to 21 only, as [:, :, 10:22]."
    )
for place in (0, len(some) - 1):  # a single pixel of one picture stays where it is
    spot = np.zeros_like(some)
    spot[place, 14, 12] = 3.0
    found = moves_along(lambda pictures, spot=spot: pictures + spot, some)
    assert abs(found - 3.0) < 1e-4, (
        f"One pixel of one picture is off by 3. You find {found:.3f}. "
        "Hint: the largest difference over all pictures and pixels, np.abs(...).max()."
    )
print("Right. Untrained networks, before anything was learned:")
for name, network in (("convolutions", convolutional_denoiser()), ("dense", dense_denoiser(10))):
    found = moves_along(lambda pictures, network=network: np.asarray(network(pictures)), some)
    print(f"{name:13} {found:.6f}")

# %% [markdown]
# ### Exercise 3: an ablation of your own
#
# DnCNN predicts the noise and subtracts it. Take the subtraction away: write `without_subtraction`,
# which takes a DnCNN and returns a `keras.Model` from the same input to what the layer `"noise"`
# puts out, `network.get_layer("noise").output`. Trained like the other, it must draw the clean
# picture itself.
#
# Tutorial 05 explained why the subtraction helps. *First predict*: by how many dB is the network
# with subtraction ahead of the one without, on digits with $\sigma = 0.4$, after one epoch each?
# (Any number between -20 and 20 is accepted.)


# %% tags=["exercise"]
guess = ...


def without_subtraction(network):
    """The same layers, but what the layer "noise" puts out is the answer."""
    return ...


# %% tags=["solution"]
guess = -1.5  # the one without is ahead: black paper is easier to draw than noise to predict


def without_subtraction(network):  # noqa: F811
    """The same layers, but what the layer "noise" puts out is the answer."""
    return keras.Model(network.input, network.get_layer("noise").output)


# %% tags=["check"]
assert isinstance(guess, (int, float)), f"guess should be a number of dB. Found {guess!r}."
assert -20 <= guess <= 20, f"guess should lie between -20 and 20. Found {guess}."
twin = convolutional_denoiser()
alone = without_subtraction(twin)
assert isinstance(alone, keras.Model), (
    f"without_subtraction should return a keras.Model. It returned {alone!r}. "
    'Hint: keras.Model(network.input, network.get_layer("noise").output).'
)
assert np.allclose(alone(some), some - np.asarray(twin(some)), atol=1e-5), (
    'Its output should be what is subtracted, observed minus restored. Hint: the layer "noise".'
)
reached = {}
for name, build in {
    "with": convolutional_denoiser,
    "without": lambda: without_subtraction(convolutional_denoiser()),
}.items():
    twin, _ = trained_denoiser(build, 1, all_digits)
    reached[name] = denoising_psnr(twin, test_digits)
    print(f"{name:8} subtraction: {reached[name]:.1f} dB after one epoch")
ahead = reached["with"] - reached["without"]
print(f"Right. You guessed that subtraction is ahead by {guess:.1f} dB, it is {ahead:.1f} dB.")
if ahead < 0:
    print("An explanation holds where it was measured. On photographs with weak noise, most of the")
    print(
        "answer is in front of the network already. On digits with strong noise hardly anything is,"
    )
    print("and black paper is easier to draw than every grain of noise is to predict.")
