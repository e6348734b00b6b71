import json

import numpy as np
import pytest
import torch

from headstart.data.dataset import Samples
from headstart.errors import UserError
from headstart.modalities.augment.series import (
    NAMES,
    augmented,
    lengths,
    read_at,
    smooth_curve,
    wander_like,
)
from headstart.modalities.series import Series, SeriesConfig, by_itself, filled, running_max
from waves import waves


def fitted(x, **settings):
    return Series.fit(Samples(x), SeriesConfig(**settings))


def only(**given):
    return {**dict.fromkeys(NAMES, 0.0), **given}


def test_channels_are_normalised_by_what_was_measured_in_train():
    x, _ = waves(missing=0.2)
    series = fitted(x)
    made = series.prepare(series.tensor(Samples(x))[0])
    values, there = made.chunk(2, dim=1)
    for channel in range(2):
        known = values[:, channel][there[:, channel] > 0]
        assert float(known.mean()) == pytest.approx(0, abs=1e-4)
        assert float(known.std(correction=0)) == pytest.approx(1, abs=1e-4)
    np.testing.assert_array_equal(there.numpy() > 0, ~np.isnan(x))
    assert bool(made.isfinite().all())


def test_whole_series_of_one_length_have_no_flags():
    x, _ = waves(varying=False)
    series = fitted(x)
    assert series.spec.shape == (2, 48)
    assert not series.spec.flagged
    assert series.notes == ["series of 2 channels, 48 steps each"]


def test_a_state_goes_through_json():
    x, _ = waves(missing=0.1)
    series = fitted(x)
    again = Series.from_state(json.loads(json.dumps(series.state())))
    rows = series.tensor(Samples(x))[0]
    torch.testing.assert_close(series.prepare(rows), again.prepare(rows), rtol=0, atol=0)
    assert again.spec == series.spec


def test_missing_values_are_filled_as_numpy_interpolates():
    x, _ = waves(20, missing=0.4)
    rows = torch.from_numpy(x)
    made = filled(rows, ~rows.isnan()).numpy()
    for i in range(20):
        end = int((~np.isnan(x[i]).all(axis=0)).nonzero()[0].max()) + 1
        for channel in range(2):
            known = np.flatnonzero(~np.isnan(x[i, channel]))
            line = np.interp(np.arange(end), known, x[i, channel, known])
            np.testing.assert_allclose(made[i, channel, :end], line, rtol=1e-5)
        assert (made[i, :, end:] == 0).all()


def test_a_channel_that_a_series_lacks_is_zero():
    x = torch.full((1, 2, 5), torch.nan)
    x[0, 0, :3] = torch.tensor([1.0, torch.nan, 3.0])
    made = filled(x, ~x.isnan())
    assert made[0].tolist() == [[1, 2, 3, 0, 0], [0, 0, 0, 0, 0]]


def test_normalised_by_itself_each_series_has_mean_0_and_deviation_1():
    x, _ = waves(10)
    made = by_itself(torch.from_numpy(x))
    torch.testing.assert_close(made.nanmean(dim=2), torch.zeros(10, 2), atol=1e-5, rtol=0)
    torch.testing.assert_close(made.square().nanmean(dim=2), torch.ones(10, 2), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("varying", [False, True])
def test_each_transform_changes_values_and_keeps_ends(name, varying):
    """What lies after the end of a series stays nothing, and lengths stay what they are."""
    x, _ = waves(64, varying=varying, missing=0.05 if varying else 0.0)
    series = fitted(x)
    values, there = series._prepared(torch.from_numpy(x))
    torch.manual_seed(0)
    made, kept = augmented(values, there, only(**{name: 0.5}))
    assert made.shape == values.shape
    assert bool(made.isfinite().all())
    assert not torch.equal(made, values)
    if kept is not None:
        assert set(kept.unique().tolist()) <= {0.0, 1.0}
        ends = lengths(values, there)
        after = torch.arange(48) >= ends[:, None]
        assert float((made.abs().amax(dim=1) * after).max()) == 0
        assert float((kept.amax(dim=1) * after).max()) == 0


def test_no_strength_is_no_change():
    x = torch.randn(5, 2, 30)
    made, there = augmented(x, None, only())
    assert torch.equal(made, x)
    assert there is None


def test_a_roll_is_a_roll():
    x = torch.randn(20, 1, 30)
    torch.manual_seed(1)
    made, _ = augmented(x, None, only(roll=0.5))
    for one, other in zip(x, made, strict=True):
        assert any(torch.equal(one.roll(by, 1), other) for by in range(30))


def test_reading_between_steps_follows_a_parabola():
    """Catmull-Rom is exact on polynomials of the second degree."""
    t = torch.arange(20.0)
    x = (0.3 * t**2 - t + 2)[None, None]
    places = torch.tensor([[3.25, 7.5, 11.9]])
    expected = 0.3 * places**2 - places + 2
    torch.testing.assert_close(read_at(x, places)[:, 0], expected, rtol=1e-4, atol=1e-4)


def test_smooth_curves_pass_their_knots():
    knots = torch.randn(3, 2, 4)
    curve = smooth_curve(torch.zeros(3, 2, 31), knots)
    torch.testing.assert_close(curve[:, :, ::10], knots)


def test_wandering_noise_has_deviation_one_and_like_neighbours():
    torch.manual_seed(0)
    noise = wander_like(torch.zeros(400, 2, 60))
    assert float(noise.std()) == pytest.approx(1, abs=0.05)
    assert float((noise[..., 1:] * noise[..., :-1]).mean()) > 0.8


@pytest.mark.parametrize(
    ("settings", "change", "words"),
    [
        ({}, lambda x: x[:, :1], "series of 2 channels were expected; these have 1"),
        ({}, lambda x: np.pad(x, ((0, 0), (0, 0), (0, 9)), constant_values=1.0), "57 steps"),
        ({"missing": False}, lambda x: x, "modality.missing"),
    ],
)
def test_what_does_not_suit_train_is_named(settings, change, words):
    x, _ = waves()
    with pytest.raises(UserError, match=words):
        fitted(x, **settings).tensor(Samples(change(x)))


@pytest.mark.parametrize("count", [0, 1])
def test_series_of_no_course_are_named_or_skipped(count):
    x, _ = waves()
    series = fitted(x)
    x[7, :, count:] = np.nan
    with pytest.raises(UserError, match=f"series 7 has {count} step"):
        series.tensor(Samples(x))
    assert series.tensor(Samples(x), on_bad="skip")[1] == [7]


def test_a_value_missing_where_train_had_all_is_named():
    x, _ = waves(varying=False)
    series = fitted(x)
    x[3, 1, 5] = np.nan
    with pytest.raises(UserError, match="series 3 has no value at step 5"):
        series.tensor(Samples(x))


def test_longer_series_are_cut_where_a_length_was_set():
    x, _ = waves()
    series = fitted(x, length=30)
    assert series.tensor(Samples(x))[0].shape == (240, 2, 30)
    assert "are cut there" in series.notes[1]


@pytest.mark.parametrize("length", [1, 2, 7, 16, 33])
def test_running_max_is_cummax(length):
    x = torch.randint(-50, 50, (4, 3, length))
    assert torch.equal(running_max(x), x.cummax(dim=2).values)


def test_channels_are_found_by_their_names_whatever_their_order():
    x, _ = waves(varying=False)
    series = Series.fit(Samples(x, channels=["hip", "knee"]), SeriesConfig())
    again = Series.from_state(json.loads(json.dumps(series.state())))
    wanted, _ = series.tensor(Samples(x))  # who names none gives them in order
    more = np.stack([x[:, 1], x[:, 0] * 0, x[:, 0]], axis=1)
    for one in (series, again):
        found, _ = one.tensor(Samples(more, channels=["knee", "arm", "hip"]))
        assert torch.equal(found, wanted)
    with pytest.raises(
        UserError, match="no channel 'hip', which was learned from; they have knee, arm"
    ):
        series.tensor(Samples(x, channels=["knee", "arm"]))


def test_channels_of_another_make_stand_in_their_places():
    x, _ = waves(varying=False)
    series = Series.fit(Samples(x, channels=["hip", "knee"]), SeriesConfig())
    wanted, _ = series.tensor(Samples(x))
    found, _ = series.tensor(Samples(x, channels=["left", "right"]))
    assert torch.equal(found, wanted)
