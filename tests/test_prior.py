"""`Restorer.undo`: a denoiser undoes what it was not trained for."""

import warnings

import keras
import numpy as np
import pytest

import keras_imgen as ki
from keras_imgen import degradations, matching, metrics
from keras_imgen.degradations import AdditiveNoise, Blur, Compose, Downsample, MissingPixels, Mosaic


@pytest.fixture(scope="module")
def grey():
    return ki.load_pretrained("denoiser-gray")


@pytest.fixture(scope="module")
def color():
    return ki.load_pretrained("denoiser-color")


@pytest.fixture(scope="module")
def clean():
    return ki.load("photos", "test").take(2)[:, 40:88, 30:85]  # of odd width


def gain(clean, degradation, model, passes=6, **options):
    """Return by how many dB an answer is better than what was observed, at least."""
    observed = np.asarray(degradation(clean))
    answer = model.undo(observed, degradation, passes=passes, **options)
    assert answer.shape == clean.shape
    assert answer.dtype == "float32"
    before = metrics.psnr(clean, observed[..., : clean.shape[-1]], clip=True)
    return np.min(np.asarray(metrics.psnr(clean, answer)) - np.asarray(before)), observed, answer


@pytest.mark.parametrize(
    "behind",
    [
        [],
        [Blur(1.2)],
        [degradations.MotionBlur(5.0, angle=30)],
        [Downsample(2)],
        [Mosaic()],
        [Blur(1.2), AdditiveNoise(0.01, seed=0)],
    ],
    ids=lambda parts: " and ".join(type(part).__name__ for part in parts) or "nothing",
)
@pytest.mark.parametrize("holes", ["first", "last"])
def test_what_was_observed_is_looked_at_wherever_the_holes_are_among_the_parts(
    clean, grey, behind, holes
):
    missing = MissingPixels(0.3, seed=0)
    parts = [missing, *behind] if holes == "first" else [*behind, missing]
    if holes == "last" and behind and isinstance(behind[-1], AdditiveNoise):
        parts = [behind[0], missing, behind[-1]]
    degradation = Compose(parts)
    observed = np.asarray(degradation(clean))
    seen, operator = matching.to_undo(grey.image_shape, observed, degradation, None)
    # With the true picture nothing but the noise is left over.
    rest = np.asarray(operator.forward(clean)) - seen
    shown = np.asarray(operator.forward(np.ones_like(clean))) != 0.0
    assert np.abs(rest[~shown]).max(initial=0.0) < 1e-6
    assert rest[shown].std() == pytest.approx(operator.sigma, rel=0.05, abs=1e-3)


@pytest.mark.parametrize("known", ["behind", "told"])
def test_blurred_holes_are_undone_without_a_warning(clean, grey, known):
    degradation = Compose([MissingPixels(0.3, seed=0), Blur(1.2)])
    observed = np.asarray(degradation(clean))
    pictures, mask = observed[..., :1], observed[..., 1:]
    given = (observed, None) if known == "behind" else (pictures, mask)
    answer = grey.undo(given[0], degradation, known=given[1], passes=6)
    gained = np.asarray(metrics.psnr(clean, answer)) - np.asarray(metrics.psnr(clean, pictures))
    assert 5.0 < gained.min() < 20.0


class Halved(degradations.Degradation):
    """A degradation of a user's own: nobody knows what it does to pixels."""

    def degrade(self, clean, seeds):
        return 0.5 * (clean + ki.degradations.Blur(2.0)(clean))


@pytest.mark.parametrize(
    "behind",
    [
        Blur(1.2),
        degradations.JpegCompression(50),
        Downsample(2),
        Halved(),
        degradations.OneOf([Blur(1.0), AdditiveNoise(0.1)]),
    ],
)
def test_a_model_that_learned_from_blurred_holes_is_not_told_to_overlook_them(clean, behind):
    network = ki.networks.dncnn((None, None, 1), extra_channels=1, depth=3, filters=2)
    missing = MissingPixels(0.3, seed=0)
    for degradation in (Compose([missing, behind]), Compose([Compose([missing]), behind])):
        model = ki.Restorer(network, degradation)
        observed = np.asarray(degradation(clean))
        with pytest.raises(ValueError, match="carried there.*Append the mask behind"):
            model.restore(observed[..., :1], known=observed[..., 1:])
        assert model.restore(observed).shape == clean.shape
    model = ki.Restorer(network, Compose([behind, missing]))
    observed = np.asarray(model.degradation(clean))
    np.testing.assert_array_equal(
        model.restore(observed[..., :1], known=observed[..., 1:]), model.restore(observed)
    )


class Emboss(degradations.Degradation):
    """Weights that cancel on white."""

    def draw(self, shape, seeds):
        return {}

    def apply(self, clean, parameters):
        return self.operator().forward(clean)

    def operator(self, known=None):
        roll = keras.ops.roll
        return degradations.Operator(lambda x: x + 0.5 * (roll(x, 1, -2) - roll(x, -1, -2)))


def test_weights_that_cancel_hide_nothing(clean, grey):
    degradation = Compose([MissingPixels(0.3, seed=0), Emboss()])
    observed = np.asarray(degradation(clean))
    seen, _ = matching.to_undo(grey.image_shape, observed, degradation, None)
    np.testing.assert_array_equal(seen, observed[..., :1])


@pytest.mark.parametrize(
    "degradation", [MissingPixels(0.3), Compose([Blur(1.0), MissingPixels(0.3)])]
)
def test_a_mask_behind_the_pictures_is_checked_as_one_beside_them(clean, grey, degradation):
    observed = np.asarray(degradation(clean))
    pictures, mask = observed[..., :1], observed[..., 1:]
    for wrong in (255 * mask, 0.5 * mask, np.where(mask == 0.0, np.nan, mask)):
        for given, known in ((np.concatenate([pictures, wrong], -1), None), (pictures, wrong)):
            with pytest.raises(ValueError, match="`known` must be 1 where a pixel is known"):
                grey.undo(given, degradation, known=known)
    with pytest.raises(ValueError, match="stands a mask already.*Leave out one"):
        grey.undo(observed, degradation, known=1.0 - mask)


class OwnMask(degradations.Degradation):
    """Holes of a user's own."""

    appends = ("mask",)

    def draw(self, shape, seeds):
        return {"mask": np.indices((*shape[:-1], 1))[-2] % 3 > 0}

    def apply(self, clean, parameters):
        mask = parameters["mask"].astype("float32")
        return np.concatenate([np.asarray(clean) * mask, mask], axis=-1)

    def operator(self, known=None):
        return degradations.Operator(lambda x: x * known, keeps=True)


def test_holes_of_a_users_own_are_holes(clean):
    with pytest.raises(ValueError, match="before something or behind it, not both"):
        Compose([MissingPixels(0.3, seed=0), Blur(1.0), OwnMask()]).operator(clean)
    assert Compose([AdditiveNoise(0.1, seed=0), OwnMask()]).operator(clean).sigma == 0.1


def test_two_masks_with_something_between_are_refused(clean, grey):
    holes = [MissingPixels(0.3, seed=seed) for seed in (0, 1)]
    degradation = Compose([holes[0], Blur(1.2), holes[1]])
    with pytest.raises(ValueError, match="before something or behind it, not both.*MissingPixels"):
        grey.undo(np.asarray(degradation(clean)), degradation)
    both = Compose([Blur(1.2), *holes])
    better, *_ = gain(clean, both, grey)
    assert 5.0 < better < 30.0


@pytest.mark.parametrize(
    ("degradation", "least", "most"),
    [
        (Compose([Blur(1.6), AdditiveNoise(0.01, seed=0)]), 2.0, 12.0),
        (degradations.MotionBlur(7.0, angle=30), 4.0, 25.0),
        (Downsample(2), 1.0, 10.0),
        (MissingPixels(0.5, seed=0), 12.0, 30.0),
        (Compose([Blur(1.0), MissingPixels(0.3, seed=0)]), 8.0, 30.0),
        (AdditiveNoise(25 / 255, seed=0), 5.0, 15.0),
    ],
    ids=["blur and noise", "motion", "few pixels", "holes", "blur and holes", "noise"],
)
def test_one_denoiser_undoes_them_all(clean, grey, degradation, least, most):
    better, observed, answer = gain(clean, degradation, grey)
    assert least < better < most
    # Degraded again, it is what was observed, but for the noise.
    known = observed[..., 1:] if observed.shape[-1] > 1 else None
    forward, sigma, keeps = degradation.operator(known)
    assert keeps is isinstance(degradation, MissingPixels)
    rest = np.asarray(forward(answer)) - observed[..., :1]
    assert rest.std() < 1.2 * max(sigma, 1.5 / 255)


def test_colours_come_back_out_of_a_mosaic(color):
    clean = ki.load("photos", "test", channels=3).take(1)[:, 40:88, 30:85]
    observed = np.asarray(Mosaic("GRBG")(clean))
    answer = color.undo(observed, Mosaic("GRBG"), passes=6)
    assert metrics.psnr(clean, answer)[0] > 30.0


def test_known_pixels_are_kept_and_what_stands_in_holes_is_not_seen(clean, grey):
    known = (np.random.default_rng(0).random((*clean.shape[:-1], 1)) < 0.6).astype("float32")
    answers = [
        grey.undo(np.where(known == 1.0, clean, junk), known=known, passes=3)
        for junk in (0.0, 1.0, np.nan)
    ]
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[0], answers[2])
    assert np.abs((answers[0] - clean) * known).max() < 1e-3
    assert np.abs((answers[0] - clean) * (1.0 - known)).max() > 0.01


def test_an_answer_is_that_of_the_picture_alone(clean, grey):
    blur = Blur(1.2)
    observed = np.asarray(blur(clean))
    both = grey.undo(observed, blur, passes=3)
    for i in range(2):
        alone = grey.undo(observed[i : i + 1], blur, passes=3)
        np.testing.assert_allclose(both[i : i + 1], alone, atol=2e-4)


def test_tiles_change_nothing(grey):
    clean = ki.load("photos", "test").take(1)[:, :96, :150]
    observed = np.asarray(Downsample(2)(clean))
    whole, tiled = (grey.undo(observed, Downsample(2), passes=2, tile=t) for t in (None, 64))
    np.testing.assert_allclose(whole, tiled, atol=2e-4)


def test_a_better_start_is_used(clean, grey):
    holes = degradations.MissingBlocks(0.3, 12, seed=3)
    observed = np.asarray(holes(clean))
    _, _, smooth = gain(clean, holes, grey, passes=2)
    answer = grey.undo(observed, holes, start=clean, passes=2)
    better = np.asarray(metrics.psnr(clean, answer)) - np.asarray(metrics.psnr(clean, smooth))
    assert better.min() > 3.0
    with pytest.raises(ValueError, match=r"`start` must be .*Received: \(1, 3, 3, 1\)"):
        grey.undo(observed, holes, start=np.zeros((1, 3, 3, 1), "float32"))


@pytest.mark.parametrize("lossy", ["motion", "holes"])
def test_the_degradation_turns_with_the_picture(grey, lossy):
    clean = ki.load("photos", "test").take(1)[:, 40:64, 30:61]
    motion = Compose([degradations.MotionBlur(5.0, angle=30), AdditiveNoise(0.005, seed=0)])
    degradation = {"motion": motion, "holes": MissingPixels(0.4, seed=0)}[lossy]
    observed = np.asarray(degradation(clean))
    options = {"passes": 3, "start": None if lossy == "motion" else clean}
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="An answer")  # all of them fit
        mean, std = grey.undo(observed, degradation, return_std=True, **options)
        alone = grey.undo(observed, degradation, **options)
    np.testing.assert_array_equal(
        mean, grey.undo(observed, degradation, self_ensemble=True, **options)
    )
    assert mean.shape == std.shape == clean.shape
    # The mean is one of many answers like this one, and better.
    assert 0.2 / 255 < std.mean() < 0.05
    assert np.abs(alone - mean).mean() < 3.0 * std.mean()
    error = [np.square(x - clean).mean() for x in (mean, alone)]
    assert 0.5 * error[1] < error[0] < 1.05 * error[1]
    if lossy == "holes":
        known = observed[..., 1:]
        assert np.all(std[known == 1.0] == 0.0)
        assert np.all(mean[known == 1.0] == clean[known == 1.0])


def test_the_mean_of_all_positions_turns_with_the_picture(clean, grey):
    blurred = np.asarray(Blur(1.0)(clean[:1, :16, :16]))
    mean, std = grey.undo(blurred, Blur(1.0), passes=2, return_std=True)
    turned = np.rot90(blurred, axes=(1, 2)).copy()
    again, other = grey.undo(turned, Blur(1.0), passes=2, return_std=True)
    np.testing.assert_allclose(again, np.rot90(mean, axes=(1, 2)), atol=5e-5)
    np.testing.assert_allclose(other, np.rot90(std, axes=(1, 2)), atol=5e-5)
    assert std.mean() > 3e-4


def test_large_holes_are_filled_from_their_rim(grey):
    ramp = np.linspace(0.5, 0.8, 64, dtype="float32")[None, :, None, None]
    clean = np.broadcast_to(ramp, (1, 64, 64, 1))
    known = np.ones_like(clean)
    known[:, 16:48, 16:48] = 0.0
    answer = grey.undo(clean, known=known, passes=1)
    assert np.abs(answer - clean).max() < 0.05


def test_a_wrong_degradation_is_noticed_and_the_right_one_is_not(clean, grey):
    observed = np.asarray(AdditiveNoise(0.1, seed=0)(Blur(1.6)(clean)))
    with pytest.warns(UserWarning, match="differs from what was observed by .*grey levels"):
        grey.undo(observed, Blur(1.6), passes=2)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="An answer")
        grey.undo(observed, Compose([Blur(1.6), AdditiveNoise(0.1)]), passes=2)


@pytest.fixture(scope="module")
def small():
    """Return an untrained denoiser that was never given a level, and an inpainter."""
    network = ki.networks.dncnn(depth=3, filters=4)
    holes = ki.networks.unet((None, None, 1), extra_channels=1, filters=4)
    return ki.Restorer(network, AdditiveNoise(0.1)), ki.Restorer(holes, MissingPixels())


@pytest.mark.parametrize(
    ("change", "error", "advice"),
    [
        ({"degradation": "blur"}, TypeError, "must be a degradation.*Blur\\(1.6\\)"),
        ({"degradation": Blur((1.0, 2.0))}, ValueError, "strength of Blur"),
        ({"known": np.ones((2, 48, 55, 1))}, ValueError, "`known` is for .*for Blur"),
        ({"degradation": None}, ValueError, "is not known. Received: no mask"),
        ({"degradation": None, "known": np.full((2, 48, 55, 1), 0.5)}, ValueError, "1 where a"),
        ({"passes": 0}, ValueError, "`passes`"),
        ({"passes": 2.5}, ValueError, "`passes`"),
        ({"progress": 1}, TypeError, "`progress`"),
        ({"start": np.zeros((2, 48, 54, 1), "float32")}, ValueError, "start"),
        ({"observed": np.zeros((2, 48, 55, 3), "float32")}, ValueError, "observed"),
        ({"observed": np.full((2, 48, 55, 1), np.nan, "float32")}, ValueError, "finite"),
        ({"observed": np.zeros((48, 55, 1), "uint8")}, ValueError, "observed"),
    ],
)
def test_bad_input_is_refused(clean, grey, change, error, advice):
    given = {"observed": clean, "degradation": Blur(1.0), "passes": 1, **change}
    with pytest.raises(error, match=advice):
        grey.undo(given.pop("observed"), **given)


@pytest.mark.filterwarnings("ignore:An answer")  # of an untrained network
@pytest.mark.parametrize("levels", [0.1, (0.05, 0.2), (0.001, 0.004)])
def test_the_denoiser_is_asked_for_levels_that_it_knows_and_no_others(clean, levels, monkeypatch):
    network = ki.networks.dncnn((28, 28, 1), depth=3, filters=4, extra_channels=1)
    model = ki.Restorer(network, AdditiveNoise(levels, append_level=True))
    asked, restore = [], model.restore
    monkeypatch.setattr(
        model, "restore", lambda x, level, **kw: asked.append(level) or restore(x, level=level)
    )
    model.undo(clean[:, :28, :28], Blur(1.0), passes=4)
    low, high = model.degradation.range
    assert len(asked) == 4
    assert all(low <= level <= high for level in asked)
    assert asked == sorted(asked, reverse=True)
    assert asked[0] == pytest.approx(min(max(49 / 255, low), high))
    assert asked[-1] == pytest.approx(min(max(2 / 255, low), high))


@pytest.mark.parametrize("sides", [(1, 1), (1, 40), (7, 1)])
@pytest.mark.parametrize("degradation", [Downsample(2), AdditiveNoise(0.1, seed=0), Mosaic()])
def test_a_side_of_one_pixel_is_undone(grey, sides, degradation):
    observed = np.asarray(degradation(np.full((1, *sides, 1), 0.4, "float32")))
    answer = grey.undo(observed, degradation, passes=2)
    assert answer.shape == (1, *sides, 1)
    assert np.all(np.isfinite(answer))


def test_who_restores_sequences_is_told_that_single_pictures_are_undone(clean):
    network = ki.networks.conv_lstm((28, 28, 1), filters=2, extra_channels=1)
    model = ki.Restorer(network, AdditiveNoise((0.0, 0.2), append_level=True))
    with pytest.raises(ValueError, match="single pictures.*Received: a model of sequences"):
        model.undo(np.stack([clean[:, :28, :28]] * 3, axis=1), Blur(1.0))


def test_who_is_no_denoiser_of_given_levels_is_told_so(clean, small):
    for model, appended in zip(small, ("nothing", "mask"), strict=True):
        with pytest.raises(ValueError, match=f"appends {appended}. Load denoiser-gray"):
            model.undo(clean, Blur(1.0))
