import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.errors import UserError
from headstart.settings import Duration, Faults, Settings, as_plain, merge, resolve, setting
from headstart.settings.files import parse_value, parse_yaml, to_yaml
from headstart.workflows.config import FinetuneConfig, PretrainConfig
from headstart.workflows.request import config_of, durations, layered, nest


class Inner(Settings):
    width: int = setting(3, "w")


class Outer(Settings):
    inner: Inner = setting(factory=Inner)
    name: str = setting("x", "n")


@given(st.integers(1, 10**9), st.sampled_from(["steps", "epochs", "samples", "minutes"]))
def test_durations_round_trip(amount, unit):
    duration = Duration(amount, unit)
    assert Duration.parse(str(duration)) == duration


@pytest.mark.parametrize("text", ["", "5", "steps", "-1 steps", "0 epochs", "1.5 steps", "3 weeks"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError):
        Duration.parse(text)


def test_duration_counts_steps():
    assert Duration(2, "epochs").steps(batch_size=10, epoch_samples=95) == 19
    assert Duration(1e6, "samples").steps(batch_size=100, epoch_samples=5) == 10_000
    assert Duration(3, "minutes").steps(1, 1) is None


def test_all_faults_are_named_at_once():
    faults = Faults()
    assert resolve(Outer, {"inner": {"widht": 3}, "name": 7}, faults) is None
    with pytest.raises(UserError) as caught:
        faults.raise_if_any()
    text = str(caught.value)
    assert "2 settings" in text
    assert "did you mean width" in text
    assert "'name'" in text


@given(st.integers(0, 99), st.floats(1e-6, 1), st.booleans())
def test_settings_survive_yaml(seed, lr, profiled):
    config = config_of(PretrainConfig, {"seed": seed, "training": {"lr": lr, "profile": profiled}})
    again = config_of(PretrainConfig, parse_yaml(to_yaml(as_plain(config)), "test"))
    assert again == config


def test_yaml_error_names_line_and_column():
    with pytest.raises(UserError, match=r"line 2, column"):
        parse_yaml("a: 1\nb: [1, 2", "file.yaml") and parse_yaml("a: 1\n b: {", "file.yaml")


def test_later_layers_win_and_a_renamed_component_starts_afresh():
    below = {"objective": {"name": "denoising", "noise": 0.5}, "seed": 1}
    assert merge(below, {"seed": 2})["seed"] == 2
    assert merge(below, {"objective": {"name": "variational"}})["objective"] == {
        "name": "variational"
    }
    assert merge(below, {"objective": {"mask": 0.1}})["objective"]["noise"] == 0.5


@pytest.mark.parametrize("name", ["labels", "labels_per_class", "labels_from"])
@pytest.mark.parametrize("below", ["labels: 40", "labels_per_class: 4", "labels_from: a.csv"])
def test_a_flag_of_labels_replaces_whatever_a_file_says_of_them(tmp_path, name, below):
    file = tmp_path / "config.yaml"
    file.write_text(below + "\n")
    said = {way: value for way, value in layered(None, file, {name: 5}, []).items() if value}
    assert said == {name: 5}
    assert list(layered(None, file, {"seed": 1}, [])) == [below.split(":")[0], "seed"]


def test_set_reaches_any_setting():
    raw = layered(None, None, {"seed": 1}, ["training.ema=0.99", "training.lr=1e-3"])
    config = config_of(FinetuneConfig, raw)
    assert (config.training.ema, config.training.lr, config.seed) == (0.99, 1e-3, 1)
    with pytest.raises(UserError, match="NAME=VALUE"):
        layered(None, None, {}, ["training.ema"])
    with pytest.raises(UserError, match="a value, not a group"):
        layered(None, None, {"seed": 1}, ["seed.deep=2"])


def test_flat_names_find_their_place():
    assert nest(FinetuneConfig, {"lr": 0.1, "labels": 5, "target": "y"}) == {
        "training": {"lr": 0.1},
        "labels": 5,
        "data": {"target": "y"},
    }
    with pytest.raises(UserError, match="did you mean patience"):
        nest(FinetuneConfig, {"patienc": 3})


def test_one_length_only():
    assert durations(None, 5, None) == Duration(5, "steps")
    assert durations(None, None, None) is None
    with pytest.raises(UserError, match="one of"):
        durations(1, 2, None)
    with pytest.raises(UserError, match="above 0"):
        durations(None, 0, None)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 1e-3), ("true", True), ("3", 3), ("[1, 2]", [1, 2]), ("a b", "a b")],
)
def test_values_read_as_people_mean_them(text, value):
    assert parse_value(text) == value


@pytest.mark.parametrize("name", ["article", "article-mended"])
def test_presets_resolve(name):
    config = config_of(PretrainConfig, layered(name, None, {}, []))
    assert config.backbone["widths"] == [128, 64, 32, 16, 8, 4, 2]
