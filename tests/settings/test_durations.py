from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.settings import Duration
from headstart.settings.durations import UNITS

amounts = st.floats(min_value=1e-9, max_value=1e15, allow_nan=False)
durations = st.one_of(
    st.builds(Duration, st.integers(1, 10**12), st.just("steps")),
    st.builds(Duration, amounts, st.sampled_from([u for u in UNITS if u != "steps"])),
)


@given(durations)
def test_parsing_what_was_printed_gives_the_same_duration(duration):
    assert Duration.parse(str(duration)) == duration


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("100 steps", 100, "steps"),
        ("5epochs", 5, "epochs"),
        ("1 epoch", 1, "epochs"),
        (" 1e6  Samples ", 1e6, "samples"),
        ("0.5 minutes", 0.5, "minutes"),
    ],
)
def test_people_may_write_it_as_they_speak(text, amount, unit):
    assert Duration.parse(text) == Duration(amount, unit)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("soon", "a number and a unit"),
        ("", "a number and a unit"),
        (5, "a number and a unit"),
        (None, "a number and a unit"),
        ("-5 steps", "a number and a unit"),
        ("5 parsecs", "'parsecs' is no unit"),
        ("0 steps", "above 0"),
        ("1e999 epochs", "above 0"),
        ("1.5 steps", "whole"),
        ("1.2.3 epochs", "'1.2.3' is not a number"),
    ],
)
def test_a_bad_duration_says_what_is_wrong(bad, says):
    with pytest.raises(ValueError, match=says):
        Duration.parse(bad)


@pytest.mark.parametrize(
    ("text", "steps"),
    [("7 steps", 7), ("2 epochs", 20), ("320 samples", 10), ("1 samples", 1), ("3 minutes", None)],
)
def test_a_duration_in_steps_of_32_over_320_samples(text, steps):
    assert Duration.parse(text).steps(batch_size=32, epoch_samples=320) == steps
