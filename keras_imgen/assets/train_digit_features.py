"""Train the small network in whose features samples of digits are compared with real ones.

It reads digits, and what it computes just before it names a digit serves `keras_imgen.metrics` as
features. This script is the record of how it was made.

Usage: ``python train_digit_features.py [--data-dir DIR] [--out FILE]``, with MNIST as TFDS prepares
it; about three minutes on two cores.
"""

import argparse
from pathlib import Path

import keras
from keras import layers

import keras_imgen

EPOCHS = 12


def build() -> keras.Model:
    """Return the untrained network: digits in [0, 1] to features and logits of the ten digits."""
    digits = layers.Input((28, 28, 1), name="digits")
    x = digits
    for filters in (24, 48, 96):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
    x = layers.Dropout(0.3, seed=0)(layers.Flatten()(x))
    features = layers.Dense(64, activation="relu", name="features")(x)
    x = layers.Dropout(0.3, seed=1)(features)
    logits = layers.Dense(10, name="logits")(x)
    return keras.Model(digits, [features, logits], name="digit_features")


def main():
    """Train on the training digits, and print how many test digits are read rightly."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", help="where TFDS keeps its data")
    default = Path(__file__).with_name("digit_features.keras")
    parser.add_argument("--out", type=Path, default=default)
    args = parser.parse_args()
    keras.utils.set_random_seed(0)
    options = {"labels": True, "batch_size": 128, "seed": 0, "data_dir": args.data_dir}
    train = keras_imgen.load("mnist", "train", **options)
    test = keras_imgen.load("mnist", "test", **options)
    network = build()
    reader = keras.Model(network.input, network.outputs[1])
    steps = EPOCHS * len(train)
    reader.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    for epoch in range(EPOCHS):
        train.epoch = epoch  # in each epoch another order
        reader.fit(train, initial_epoch=epoch, epochs=epoch + 1, verbose=2)
    _, accuracy = reader.evaluate(test, verbose=0)
    print(f"read rightly: {accuracy:.2%} of {test.num_pictures:,} test digits")
    network.save(args.out)


if __name__ == "__main__":
    main()
