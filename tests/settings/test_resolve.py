from typing import Any, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from headstart.errors import UserError
from headstart.settings import (
    Duration,
    Faults,
    Settings,
    as_plain,
    merge,
    resolve,
    set_path,
    setting,
)
from headstart.settings.files import parse_value, parse_yaml, read_preset, read_yaml, to_yaml


class Inner(Settings):
    """A group."""

    width: int = setting(4, "units")
    label: str = setting("a", "any text")


class Outer(Settings):
    """One field of every kind that settings have."""

    widths: tuple[int, ...] = setting((1, 2), "some numbers")
    rate: float | None = setting(None, "a number or null")
    on: bool = setting(False, "yes or no")
    mode: Literal["fast", "slow"] = setting("fast", "one of two")
    duration: Duration | None = setting(None, "how long")
    options: dict[str, Any] = setting(factory=dict, help="free")
    inner: Inner = setting(factory=Inner)


class Needy(Settings):
    """A field without a default."""

    size: int = setting(help="needed")


def faults_of(raw, cls=Outer, where=""):
    faults = Faults()
    assert resolve(cls, raw, faults, where) is None
    return faults.lines


def test_every_fault_is_named_at_once():
    raw = {"widhts": [1], "rate": "high", "mode": "medium", "inner": {"width": "x", "lable": "b"}}
    lines = faults_of(raw, where="model")
    assert len(lines) == 5
    for name in ("widhts", "rate", "mode", "inner.width", "inner.lable"):
        assert sum(f"'model.{name}'" in line for line in lines) == 1
    faults = Faults()
    resolve(Outer, raw, faults)
    with pytest.raises(UserError, match="5 settings are wrong") as caught:
        faults.raise_if_any()
    assert len(caught.value.hints) == 5


@pytest.mark.parametrize(
    ("raw", "guess"),
    [({"widhts": 1}, "widths"), ({"inner": {"lable": 1}}, "label"), ({"Mode": "fast"}, "mode")],
)
def test_the_nearest_name_is_suggested(raw, guess):
    (line,) = faults_of(raw)
    assert f"did you mean {guess}?" in line


def test_a_name_like_no_other_gets_the_list_of_names():
    (line,) = faults_of({"inner": {"zzzz": 1}})
    assert "known: width, label." in line


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ({"widths": [1, "two"]}, "widths.1"),
        ({"widths": 3}, "widths"),
        ({"on": "perhaps"}, "on"),
        ({"inner": 5}, "inner"),
        ({"inner": {"label": 5}}, "inner.label"),
        ({"duration": "soon"}, "duration"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_and_shown(raw, name):
    (line,) = faults_of(raw)
    assert line.startswith(f"setting '{name}' is ")


def test_a_missing_value_is_named():
    assert faults_of({}, Needy, "data") == ["setting 'data.size' is missing."]


def test_lists_become_tuples_and_text_becomes_durations():
    made = resolve(
        Outer, {"widths": [3, 4], "duration": "2 epochs", "inner": {"width": 9}}, Faults()
    )
    assert made == Outer(widths=(3, 4), duration=Duration(2, "epochs"), inner=Inner(width=9))


def test_no_fault_raises_nothing():
    Faults().raise_if_any()


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(text, inside, max_size=3),
    max_leaves=6,
)
outers = st.builds(
    Outer,
    widths=st.lists(st.integers(), max_size=4).map(tuple),
    rate=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    on=st.booleans(),
    mode=st.sampled_from(["fast", "slow"]),
    duration=st.none()
    | st.builds(Duration, st.floats(1e-6, 1e12), st.sampled_from(["epochs", "minutes"])),
    options=st.dictionaries(text, plain, max_size=3),
    inner=st.builds(Inner, width=st.integers(), label=text),
)


@given(outers)
def test_settings_survive_yaml(outer):
    back = resolve(Outer, parse_yaml(to_yaml(as_plain(outer)), "here"), Faults())
    assert back == outer


trees = st.recursive(
    st.integers(),
    lambda inside: st.dictionaries(st.sampled_from("abcd"), inside, max_size=3),
    max_leaves=8,
).filter(lambda tree: isinstance(tree, dict))


@given(trees, trees)
def test_the_upper_layer_decides_and_the_lower_fills_in(lower, upper):
    merged = merge(lower, upper)
    assert merge(merged, upper) == merged
    assert set(merged) == set(lower) | set(upper)
    for key, value in upper.items():
        expected = value
        if isinstance(value, dict) and isinstance(lower.get(key), dict):
            expected = merge(lower[key], value)
        assert merged[key] == expected


@given(trees)
def test_merging_changes_no_layer(tree):
    before = to_yaml(tree)
    merged = merge(tree, {"a": {"b": {"c": 1}}})
    merged["a"]["b"]["c"] = 2
    assert to_yaml(tree) == before
    assert merge(tree) == merge({}, tree) == merge(tree, {}) == tree


def test_a_component_of_another_name_forgets_the_settings_of_the_former():
    lower = {"objective": {"name": "denoising", "noise": 0.5}}
    assert merge(lower, {"objective": {"name": "autoencoder"}}) == {
        "objective": {"name": "autoencoder"}
    }
    assert merge(lower, {"objective": {"mask": 0.1}})["objective"] == {
        "name": "denoising",
        "noise": 0.5,
        "mask": 0.1,
    }


def test_set_path_reaches_into_groups_and_makes_them():
    raw = {"objective": {"name": "x"}}
    set_path(raw, "objective.temperature", 0.2)
    set_path(raw, "a.b.c", [1])
    set_path(raw, "seed", 3)
    assert raw == {
        "objective": {"name": "x", "temperature": 0.2},
        "a": {"b": {"c": [1]}},
        "seed": 3,
    }


def test_set_path_refuses_to_go_through_a_value():
    with pytest.raises(UserError, match="'seed' is a value"):
        set_path({"seed": 3}, "seed.more", 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.2", 0.2),
        ("1e-3", 1e-3),
        ("1e5", 100_000),
        ("true", True),
        ("[64, 32]", [64, 32]),
        ("null", None),
        ("gelu", "gelu"),
        ("5 epochs", "5 epochs"),
        ("nan", "nan"),
        ("infinity", "infinity"),
        ("a: b: c", "a: b: c"),
    ],
)
def test_set_reads_values_as_people_mean_them(text, value):
    assert parse_value(text) == value


def test_a_number_with_an_exponent_is_one_in_files_too_and_text_stays_text():
    text = "rate: 1e-3\nother: '1e-3'\nthird: 1E+05\nname: e3\n"
    assert parse_yaml(text, "here") == {
        "rate": 0.001, "other": "1e-3", "third": 1e5, "name": "e3",
    }  # fmt: skip
    for value in ("1e-3", "1E5", ".5e3", "+1e+2", "e3", 1e-9):
        assert parse_yaml(to_yaml({"x": value}), "here") == {"x": value}


@pytest.mark.parametrize("raw", ["label: 1\nwidth: '5'", "width: true", "width: 5.0", "width: 5.5"])
def test_a_files_whole_numbers_are_whole_numbers(raw):
    assert any("'width'" in line for line in faults_of(parse_yaml(raw, "here"), Inner))


def test_broken_yaml_is_located(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("seed: 1\nobjective: [a, b\nlr: 3\n")
    with pytest.raises(UserError, match=r"settings\.yaml is not valid YAML \(line 3, column 3\)"):
        read_yaml(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"- 1\n- 2\n", "name: value"),
        (b"just words", "name: value"),
        (b"1: 2\n", "name: value"),
        (b"\xff\xfe\xfa", "not UTF-8"),
        (b"a: \x07", "not valid YAML"),
        (b"a: !!python/object/apply:os.getcwd []", "not valid YAML"),
        (b"seed: 1\nlr: 2\nseed: 3\n", r"line 3, column 1.*'seed'"),
    ],
)
def test_a_file_that_holds_no_settings_is_refused(tmp_path, content, says):
    path = tmp_path / "settings.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=says):
        read_yaml(path)


def test_an_empty_file_sets_nothing(tmp_path):
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert read_yaml(tmp_path / "empty.yaml") == {}


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"cannot read the settings file .*none\.yaml"):
        read_yaml(tmp_path / "none.yaml")


def test_an_unknown_preset_is_refused():
    with pytest.raises(UserError, match="there is no preset 'nonesuch'"):
        read_preset("nonesuch")


def test_yaml_keeps_the_order_of_the_fields():
    assert list(yaml.safe_load(to_yaml(as_plain(Outer())))) == list(Outer.__dataclass_fields__)
