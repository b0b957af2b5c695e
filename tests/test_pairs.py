"""Pairs (observed, clean): what a `Restorer` without a degradation learns from, and it alone."""

import functools

import keras
import numpy as np
import pytest
from test_training import Batches, refused
from tiny_models import FAMILIES, conditional_diffusion, conditional_gan, equal, values

import keras_imgen
from keras_imgen import Restorer, callbacks, degradations, load_arrays, load_folder, networks
from keras_imgen.plotting import save_grid
from keras_imgen.training.batches import Batch, batch_of, pictures_in

RNG = np.random.default_rng(0)
CLEAN = RNG.random((10, 8, 8, 1), "float32")
DARK = (CLEAN / 4).astype("float32")  # what a camera gave


def restorer(extra_channels=0, seed=0, **settings):
    keras.utils.set_random_seed(seed)
    network = networks.dncnn(depth=3, filters=4, batch_norm=False, extra_channels=extra_channels)
    model = Restorer(network, None, seed=0, **settings)
    model.compile(keras.optimizers.Adam(1e-2))
    return model


class Pairs(keras.utils.PyDataset):
    """A data set of a user's own, around any Python."""

    def __init__(self, form=tuple):
        super().__init__()
        self.form = form

    def __len__(self):
        return 3

    def __getitem__(self, index):
        part = slice(4 * index, 4 * index + 4)
        return self.form((DARK[part], CLEAN[part]))


def named(pair):
    return dict(zip(("observed", "clean"), pair, strict=True))


def stream(values, size=4):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(values).batch(size)


FORMS = {
    "x and y": lambda: (DARK, CLEAN),
    "a tuple": lambda: ((DARK, CLEAN),),
    "a dict": lambda: ({"observed": DARK, "clean": CLEAN},),
    "load_arrays": lambda: (load_arrays(CLEAN, observed=DARK, batch_size=4, shuffle=False),),
    "a stream": lambda: (stream((DARK, CLEAN)),),
    "a stream of dicts": lambda: (stream({"observed": DARK, "clean": CLEAN}),),
    "a data set": lambda: (Pairs(),),
    "a data set of dicts": lambda: (Pairs(named),),
}


@pytest.fixture(scope="module")
def trained():
    model = restorer()
    model.fit(DARK, CLEAN, epochs=150, batch_size=5, verbose=0)
    return model


def test_the_clean_picture_is_what_is_learned(trained):
    assert np.abs(DARK - CLEAN).mean() > 0.3
    assert np.abs(trained.restore(DARK) - CLEAN).mean() < 0.05


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_of_pairs_give_the_same_figures(form, trained):
    error = np.square(trained.network.predict(DARK, verbose=0) - CLEAN).mean()
    figures = trained.evaluate(*FORMS[form](), verbose=0, return_dict=True)
    assert figures["loss"] == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_of_pairs_train(form):
    model = restorer()
    model.compile(run_eagerly=True)
    given = FORMS[form]()
    held_out = given if len(given) == 2 else given[0]
    logs = model.fit(*given, validation_data=held_out, epochs=2, verbose=0).history
    assert logs["val_loss"][1] < logs["val_loss"][0]


def test_a_share_of_pairs_is_held_out():
    model = restorer()
    model.fit(DARK, CLEAN, validation_split=0.3, verbose=0)
    logs = model.fit(DARK, CLEAN, validation_split=0.3, verbose=0, initial_epoch=0).history
    assert logs["val_loss"][0] == pytest.approx(model.evaluate(DARK[7:], CLEAN[7:], verbose=0)[0])


def test_a_step_by_hand_takes_pairs():
    model = restorer()
    first = model.train_on_batch(DARK, CLEAN)[0]
    for _ in range(20):
        model.train_on_batch((DARK, CLEAN))
    assert model.test_on_batch(DARK, CLEAN)[0] < first


def test_observed_pictures_may_have_channels_more():
    known = (RNG.random(CLEAN.shape) > 0.5).astype("float32")
    holed = np.concatenate([CLEAN * known, known], axis=-1)
    model = restorer(extra_channels=1, keep_known=True)
    model.fit(holed, CLEAN, verbose=0)
    restored = model.restore(CLEAN * known, known=known)
    np.testing.assert_array_equal(restored, model.restore(holed))
    np.testing.assert_allclose(restored * known, CLEAN * known, atol=1e-6)
    told = np.concatenate([DARK, np.full_like(DARK, 0.25)] + [np.zeros_like(DARK)], axis=-1)
    model = restorer(extra_channels=2)
    model.fit(told, CLEAN, verbose=0)
    assert model.restore(told).shape == CLEAN.shape
    refused(ValueError, "must fit the network", lambda: model.restore(DARK))
    for name, value in (("known", 1), ("level", 0.1)):
        refused(
            ValueError, f"`{name}` for pairs", lambda n=name, v=value: model.restore(DARK, **{n: v})
        )


def test_colours_may_be_learned_from_grey():
    grey = keras.Input((None, None, 1))
    network = keras.Model(grey, keras.layers.Conv2D(3, 1)(grey))
    model = Restorer(network, None)
    model.compile()
    model.fit(DARK, CLEAN.repeat(3, -1), verbose=0)
    assert model.restore(DARK).shape == (10, 8, 8, 3)


def test_sequences_come_in_pairs_too():
    films, seen = CLEAN.reshape(5, 2, 8, 8, 1), DARK.reshape(5, 2, 8, 8, 1)
    model = Restorer(networks.conv_lstm((8, 8, 1), filters=2), None)
    model.compile(run_eagerly=True)
    model.fit(seen, films, verbose=0, callbacks=[shown := callbacks.BeforeAfter((seen, films))])
    assert shown.image.ndim == 3
    assert model.restore(seen).shape == films.shape


# ---- saved, loaded, resumed ----


def test_a_training_on_pairs_resumes_bit_for_bit(tmp_path):
    whole, logs = restorer(), []
    logs.append(whole.fit(DARK, CLEAN, batch_size=4, epochs=4, verbose=0).history)
    for seed, epochs in ((0, 2), (1, 4)):
        model = restorer(seed=seed)
        resume = callbacks.Resume(tmp_path)
        options = {"batch_size": 4, "verbose": 0, "callbacks": [resume]}
        logs.append(model.fit(DARK, CLEAN, epochs=epochs, **options).history)
    assert equal(values(whole), values(model))
    assert logs[0] == logs[2]
    call = functools.partial(restorer().fit, callbacks=[callbacks.Resume(tmp_path)], verbose=0)
    with pytest.raises(ValueError, match="on other data"):
        call(DARK, CLEAN, batch_size=5, epochs=5)
    model.save(tmp_path / "pairs.keras")
    loaded = keras_imgen.load_model(tmp_path / "pairs.keras")
    assert loaded.degradation is None
    assert loaded.learns_pairs
    for other in (model, loaded):
        other.fit(DARK, CLEAN, batch_size=4, initial_epoch=4, epochs=5, verbose=0)
    assert equal(values(model), values(loaded))


# ---- refused where they are not meant ----

CONDITIONAL = {"conditional_gan": conditional_gan, "conditional_diffusion": conditional_diffusion}
OTHERS = {name: FAMILIES[name] for name in ("gan", "vae", "diffusion", "denoiser")} | CONDITIONAL
LABELS = np.arange(10) % 3
WRONG = {  # what stands beside the pictures
    "pictures": (CLEAN,),
    "pictures without channels": (CLEAN[..., 0],),
    "weights": (LABELS, np.ones(10, "float32")),
    "pictures and weights": (CLEAN, np.ones(10, "float32")),
}


@pytest.fixture(scope="module")
def others():
    return {name: build() for name, build in OTHERS.items()}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("name", OTHERS)
def test_other_models_refuse_pairs_at_every_door(name, case, others):
    model, entries = others[name], (DARK, *WRONG[case])
    advice = r"which is no label.*Restorer\(network, degradation=None\)"
    advice += "|Received: 3 entries|`y`|`sample_weight`"
    good = (CLEAN, LABELS)
    weights = {"sample_weight": entries[2]} if len(entries) > 2 else {}
    doors = [
        lambda: model.fit(entries, verbose=0),
        lambda: model.fit(stream(entries), verbose=0),
        lambda: model.fit(Whole(entries), verbose=0),
        lambda: model.fit(good, validation_data=entries, verbose=0),
        lambda: model.fit(good, validation_data=stream(entries), verbose=0),
        lambda: model.evaluate(entries, verbose=0),
        lambda: model.evaluate(stream(entries), verbose=0),
        lambda: model.train_on_batch(entries),
        lambda: model.test_on_batch(entries),
        lambda: model.train_on_batch(*entries[:2], **weights),
        lambda: model.test_on_batch(*entries[:2], **weights),
    ]
    for door in doors:
        refused(ValueError, advice, door, model)
    if case == "pictures":
        beside = {"image": DARK, "label": LABELS, "clean": CLEAN}
        refused(ValueError, advice, lambda: model.fit(stream(beside), verbose=0), model)
        refused(ValueError, "`y`|no label", lambda: model.fit(DARK, CLEAN, verbose=0), model)
        pairs = load_arrays(CLEAN, observed=DARK)
        refused(ValueError, "no label", lambda: model.fit(pairs, verbose=0), model)


class Whole(keras.utils.PyDataset):
    def __init__(self, entries):
        super().__init__()
        self.entries = entries

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.entries


@pytest.mark.parametrize("name", OTHERS)
def test_labels_still_go_in(name, others):
    model = others[name]
    masks = (CLEAN > 0.5).astype("uint8")  # as sets of TFDS have them
    for data in (
        stream((CLEAN, LABELS)),
        stream({"image": CLEAN, "label": LABELS, "segmentation_mask": masks}),
        (CLEAN, LABELS),
        load_arrays(CLEAN, LABELS, batch_size=5),
    ):
        model.evaluate(data, verbose=0)


def test_a_model_of_pairs_refuses_everything_else(trained):
    call = functools.partial(trained.fit, verbose=0)
    advice = r"fit\(observed, clean\)"
    for data in (CLEAN, stream(CLEAN), Batches(CLEAN), (CLEAN, LABELS), stream((CLEAN, LABELS))):
        refused(ValueError, advice, lambda d=data: call(d), trained)
        refused(ValueError, advice, lambda d=data: call(DARK, CLEAN, validation_data=d), trained)
    refused(ValueError, "3 entries", lambda: call((DARK, CLEAN, CLEAN)), trained)
    refused(ValueError, "`sample_weight`", lambda: call(DARK, CLEAN, sample_weight=LABELS), trained)
    refused(ValueError, r"\"observed\"", lambda: call({"image": CLEAN}), trained)
    refused(ValueError, "`y` goes with an array", lambda: call(Pairs(), CLEAN), trained)
    refused(ValueError, "same order", lambda: call(DARK[:5], CLEAN), trained)
    refused(ValueError, "one size", lambda: call(DARK[:, :4], CLEAN), trained)
    refused(ValueError, "clean pictures of x", lambda: call(DARK, CLEAN * 255), trained)
    refused(ValueError, "observed pictures of x", lambda: call(DARK * 255, CLEAN), trained)
    single = stream((DARK, CLEAN)).unbatch()
    refused(ValueError, r"`\.batch\(32\)`", lambda: call(single), trained)


def test_only_a_missing_degradation_means_pairs():
    network = networks.dncnn(depth=3, filters=2)
    refused(TypeError, "None for pairs", lambda: Restorer(network, "pairs"))
    refused(ValueError, "extra_channels=1", lambda: Restorer(network, None, keep_known=True))


# ---- data sets and callbacks ----


def test_both_pictures_of_a_pair_are_cut_at_one_place():
    from keras_imgen.data import PictureDataset

    places = np.arange(20 * 30, dtype="float32").reshape(20, 30, 1) / 600
    clean, observed = [places, places[::-1]], [1 - places, 1 - places[::-1]]
    for shuffle in (True, False):
        dataset = PictureDataset(
            clean, observed=observed, crop_size=(6, 9), crops=5, batch_size=4, shuffle=shuffle
        )
        for epoch in (0, 3):
            dataset.epoch = epoch
            for index in range(len(dataset)):
                seen, cut = dataset[index]
                assert cut.shape[1:] == (6, 9, 1)
                np.testing.assert_array_equal(seen, 1 - cut)
        np.testing.assert_array_equal(dataset.take_observed(7), 1 - dataset.take(7))


def test_wrong_pairs_are_refused_by_data_sets():
    refused(ValueError, "Leave out one", lambda: load_arrays(CLEAN, LABELS, observed=DARK))
    refused(ValueError, "same order", lambda: load_arrays(CLEAN, observed=DARK[:3]))
    refused(ValueError, "`observed` must lie", lambda: load_arrays(CLEAN, observed=DARK * 255))
    refused(ValueError, "with `observed=`", lambda: load_arrays(CLEAN).take_observed(2))
    mixed = [CLEAN[0], CLEAN[1][:4]]
    with pytest.raises(ValueError, match="pair 1"):
        keras_imgen.data.PictureDataset([CLEAN[0]] * 2, observed=mixed)


def write_pairs(folder, names=("a", "b/c"), sizes=((8, 9), (8, 9))):
    for name, size in zip(names, sizes, strict=True):
        picture = RNG.random((1, *size, 3), "float32")
        save_grid(folder / "clean" / f"{name}.png", picture, padding=0)
        save_grid(folder / "seen" / f"{name}.png", picture / 2, padding=0)
    return folder / "clean", folder / "seen"


def test_two_folders_are_read_as_pairs(tmp_path):
    clean, seen = write_pairs(tmp_path, sizes=((8, 9), (12, 10)))
    dataset = load_folder(clean, observed=seen, size=(5, 6), crops=3, batch_size=2)
    observed, cut = dataset[0]
    assert cut.shape == (2, 5, 6, 3)
    np.testing.assert_allclose(observed, cut / 2, atol=0.6 / 255)
    assert load_folder(clean, observed=seen, size=6, channels=1)[0][0].shape == (2, 6, 6, 1)
    with pytest.raises(ValueError, match=r"size=9 for '.*a.png' of 8 x 9 pixels"):
        load_folder(clean, observed=seen, size=9, crops=1)
    (seen / "b" / "c.png").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match="1 of 2 pairs .* is unreadable: .* It is left out"):
        assert load_folder(clean, observed=seen).num_pictures == 1


def test_folders_that_hold_no_pairs_are_refused(tmp_path):
    clean, seen = write_pairs(tmp_path)
    save_grid(clean / "alone.png", CLEAN[:1])
    refused(
        ValueError,
        "1 without a partner, such as 'alone'",
        lambda: load_folder(clean, observed=seen),
    )
    save_grid(seen / "alone.png", CLEAN[:1, :4])
    refused(ValueError, "for 'alone'", lambda: load_folder(clean, observed=seen))
    save_grid(seen / "alone.jpg", CLEAN[:1])
    refused(ValueError, "found by their names", lambda: load_folder(clean, observed=seen))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="holds no picture"):
        load_folder(clean, observed=tmp_path / "empty")


@pytest.mark.parametrize(
    "pairs",
    [
        (DARK, CLEAN),
        load_arrays(CLEAN, observed=DARK, shuffle=False),
        stream((DARK, CLEAN)),
        Pairs(),
    ],
    ids=["arrays", "load_arrays", "stream", "own"],
)
def test_pairs_are_shown_as_they_were_observed(pairs, trained):
    shown = callbacks.BeforeAfter(pairs, n=6)
    shown.set_model(trained)
    shown.on_train_begin()
    np.testing.assert_array_equal(shown.observed, DARK[:6])
    np.testing.assert_array_equal(shown.clean, CLEAN[:6])


def test_what_is_shown_is_what_is_learned(trained):
    call = functools.partial(trained.fit, DARK, CLEAN, verbose=0)
    refused(
        ValueError,
        r"Pass BeforeAfter\(\(observed, clean\), ...\)",
        lambda: call(callbacks=[callbacks.BeforeAfter(CLEAN)]),
        trained,
    )
    denoiser = FAMILIES["denoiser"]()
    refused(
        ValueError,
        r"Received: pairs. Pass BeforeAfter\(clean, ...\)",
        lambda: denoiser.fit(CLEAN, callbacks=[callbacks.BeforeAfter((DARK, CLEAN))], verbose=0),
        denoiser,
    )


def test_pairs_are_told_by_their_shapes():
    assert pictures_in((DARK, CLEAN)) == Batch(CLEAN, observed=DARK)
    assert pictures_in((DARK, LABELS)) == Batch(DARK, LABELS)
    assert pictures_in({"observed": DARK, "clean": CLEAN}).observed is DARK
    assert batch_of(FAMILIES["vae"](), (DARK, None, None)) == Batch(DARK)


def test_degradations_are_still_what_models_are_made_with():
    noise = degradations.AdditiveNoise(0.1)
    assert not Restorer(networks.dncnn(depth=3, filters=2), noise).learns_pairs
