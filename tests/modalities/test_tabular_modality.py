"""Columns → numbers and codes, against ranks, closed forms and what a file may do to them."""

import json

import numpy as np
import pytest
import torch
from scipy.stats import kstest, norm

from headstart.backbones.encoded import Encoded
from headstart.data.cells import joined
from headstart.data.dataset import Samples
from headstart.errors import UserError
from headstart.modalities.tabular import Table, TableConfig

RNG = np.random.default_rng(0)
N = 400


def texts(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def columns(n=N):
    skewed = np.exp(RNG.normal(size=n))
    holes = np.where(RNG.random(n) < 0.2, np.nan, RNG.normal(size=n))
    colours = texts([("red", "blue", "green", "")[i % 4] for i in range(n - 1)] + ["mauve"])
    dates = texts([f"2026-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(n)])
    return {"skewed": skewed, "holes": holes, "colour": colours, "when": dates}


def samples(**more):
    return Samples(joined({**columns(), **more}))


def again(table):
    """Through JSON and back."""
    return Table.from_state(json.loads(json.dumps(table.state())))


def test_numbers_are_normal_by_rank_and_missing_ones_are_told():
    train = samples()
    table = again(Table.fit(train, TableConfig()))
    x, bad = table.tensor(train)
    spec = table.spec
    assert bad == []
    assert x.shape == (N, spec.size)
    assert kstest(x[:, 0].numpy(), norm.cdf).pvalue > 0.5
    gaps = np.isnan(train.inputs["holes"])
    assert (x[:, 1].numpy()[gaps] == 0).all()
    codes = x[:, spec.numbers :]
    assert (codes[:, 0].numpy() == np.where(gaps, 0, 2)).all()
    assert spec.cardinalities == (3, 5)  # missing, unseen, and the values that are not rare
    assert codes[-1, 1] == 1  # mauve is rare
    assert ((codes[:, 1] == 0).numpy() == (train.inputs["colour"] == "")).all()


def test_ties_have_the_middle_of_their_ranks():
    cells = np.array([0.0] * 90 + [1.0] * 10)
    table = Table.fit(Samples(joined({"a": cells})), TableConfig(types={"a": "number"}))
    x, _ = table.tensor(Samples(joined({"a": np.array([0.0, 1.0, 0.5])})))
    low, high = norm.ppf(0.45), norm.ppf(0.95)
    np.testing.assert_allclose(x[:, 0], [low, high, (low + high) / 2], rtol=1e-5)


def test_a_value_that_most_rows_share_leaves_the_parts_to_the_others():
    gains = RNG.lognormal(9, 1, 2_000)
    cells = np.concatenate([np.zeros(18_000), gains])
    table = Table.fit(Samples(joined({"gain": cells})), TableConfig())
    (edges,) = table.spec.edges
    x = table.tensor(Samples(joined({"gain": gains})))[0][:, 0].numpy()
    held = np.histogram(x, edges)[0]
    assert len(edges) == 65  # 64 parts, of which quantiles of all would leave 7 to a tenth
    assert edges[0] < x.min()
    assert held[0] <= 1
    assert np.ptp(held[1:]) <= 2


def test_even_columns_are_cut_at_their_quantiles():
    cells = RNG.normal(size=6_401)
    table = Table.fit(Samples(joined({"a": cells})), TableConfig(numbers="standard"))
    wanted = np.quantile((cells - cells.mean()) / cells.std(), np.linspace(0, 1, 65))
    np.testing.assert_allclose(table.spec.edges[0], wanted, atol=1e-6)


def test_columns_in_any_order_with_others_beside_them_and_values_never_seen():
    train = samples()
    table = Table.fit(train, TableConfig())
    x, _ = table.tensor(train)
    other = columns()
    moved = {n: train.inputs[n] for n in ("when", "colour", "holes", "skewed")}
    y, _ = table.tensor(Samples(joined({"new": other["skewed"], **moved})))
    assert torch.equal(x, y)
    strange = {**moved, "colour": texts(["ultraviolet"] * N), "skewed": np.full(N, 1e9)}
    z, _ = table.tensor(Samples(joined(strange)))
    assert (z[:, -1] == 1).all()
    assert torch.isfinite(z).all()
    assert float(z[:, 0].max()) < 10


def test_a_column_that_is_lacking_or_of_another_kind_is_refused():
    train = samples()
    table = Table.fit(train, TableConfig())
    whole = {n: train.inputs[n] for n in train.inputs.dtype.names}
    for name, cells, message in (
        ("holes", None, "column 'holes' is lacking"),
        ("skewed", texts(["1"] * 5 + ["much"] * (N - 5)), "row 5, column 'skewed': 'much'"),
        ("colour", np.ones(N), "column 'colour' holds numbers; in train it has words"),
        ("when", texts(["yesterday"] * N), "'yesterday' is no date"),
    ):
        changed = {n: c for n, c in {**whole, name: cells}.items() if c is not None}
        named = Samples(joined(changed), names=[f"row {i}" for i in range(N)])
        with pytest.raises(UserError, match=message):
            table.tensor(named)
    with pytest.raises(UserError, match="rows of numbers without names"):
        table.tensor(Samples(np.ones((3, 4))))


def test_numbers_among_the_words_of_a_category_may_come_alone():
    size = texts([("1", "2", "1-2", "3+")[i % 4] for i in range(N)])
    table = again(Table.fit(Samples(joined({"size": size})), TableConfig()))
    alone = Samples(joined({"size": np.array([2.0, 7.0, np.nan, 1.0])}))
    assert table.tensor(alone)[0].T.tolist() == [[4, 1, 0, 2]]
    with pytest.raises(UserError, match="column 'size' holds numbers"):
        table.tensor(Samples(joined({"size": np.array([7.0, np.nan])})))


@pytest.mark.parametrize("words", [("true", "false"), ("True", "False"), ("y", "N")])
def test_truths_are_the_same_values_in_whatever_case(words):
    def rows(words):
        return Samples(joined({"paid": texts([words[i % 2] for i in range(N)])}))

    table = again(Table.fit(rows(words), TableConfig()))
    for spelling in (str.lower, str.title, str.upper):
        other = rows([spelling(word) for word in words])
        assert torch.equal(table.tensor(other)[0], table.tensor(rows(words))[0])
    mixed = texts([*words, words[0].swapcase(), words[1].swapcase(), "perhaps"])
    assert table.tensor(Samples(joined({"paid": mixed})))[0].T.tolist() == [[3, 2, 3, 2, 1]]


def test_truths_of_several_spellings_in_train_are_one_value_each():
    paid = texts([("true", "False", "True", "false")[i % 4] for i in range(N)])
    table = Table.fit(Samples(joined({"paid": paid})), TableConfig())
    assert table.spec.cardinalities == (4,)
    assert len(set(table.tensor(Samples(joined({"paid": paid})))[0][:4, 0].tolist())) == 2


def test_letters_that_are_no_truths_keep_their_case():
    base = texts([("a", "A", "c")[i % 3] for i in range(N)])
    table = Table.fit(Samples(joined({"base": base})), TableConfig())
    assert len(table.tensor(Samples(joined({"base": base})))[0].unique()) == 3


def test_a_number_column_with_a_word_in_it_is_named_and_may_be_overruled():
    cells = texts([str(i % 50) for i in range(99)] + ["old"])
    train = Samples(joined({"age": cells}), names=[f"a.csv:{i + 2}" for i in range(100)])
    with pytest.raises(UserError, match=r"a\.csv:101, column 'age': 'old' is no number"):
        Table.fit(train, TableConfig())
    with pytest.raises(UserError, match="row 99, column 'age'"):
        Table.fit(Samples(train.inputs), TableConfig())
    table = Table.fit(train, TableConfig(types={"age": "category"}, rare=1))
    assert table.spec.cardinalities == (53,)
    with pytest.raises(UserError, match="Did you mean age"):
        Table.fit(train, TableConfig(types={"agee": "category"}))


def test_nothing_is_learned_from_identifiers_and_texts():
    ids = np.arange(N).astype(float)
    table = Table.fit(samples(id=ids), TableConfig())
    assert table.left_out == {"id": "identifier"}
    assert any("left out: id (identifier)" in note for note in table.notes)
    with pytest.raises(UserError, match="no column is left"):
        Table.fit(Samples(joined({"id": ids})), TableConfig())


def test_augmentation_swaps_values_within_columns():
    train = samples()
    table = Table.fit(train, TableConfig())
    x, _ = table.tensor(train)
    assert torch.equal(table.augment(x), x)
    torch.manual_seed(0)
    strong = table.augment(x, "strong")
    assert 0.4 < float((strong[:, 0] != x[:, 0]).float().mean()) < 0.65
    for j in range(x.shape[1]):
        assert set(strong[:, j].tolist()) <= set(x[:, j].tolist())


def test_values_that_float32_cannot_tell_apart_make_no_part_without_width():
    """0 in half of the rows, then twelve orders of magnitude."""
    values = np.concatenate([np.zeros(510), np.logspace(-30, 3, 490)])
    table = Table.fit(Samples(joined({"p": values})), TableConfig())
    encoded = Encoded(table.spec, 16)
    assert (encoded.span > 0).all()
    assert encoded(table.tensor(Samples(joined({"p": values})))[0]).isfinite().all()
