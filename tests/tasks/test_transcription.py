import itertools
import math

import numpy as np
import pytest
import torch

from headstart.errors import UserError
from headstart.tasks import ngrams, units
from headstart.tasks.ctc import (
    AROUND,
    aligned,
    best_path,
    ctc_loss,
    flat_loss,
    frames_needed,
    prefix_beam,
)
from headstart.tasks.edit_distance import distance, error_rate
from headstart.tasks.transcription import Transcription, TranscriptionConfig

TEXTS = np.array(["three one", "one", "two two one three"])


def task_of(texts=TEXTS, **settings):
    config = TranscriptionConfig(**settings)
    return Transcription(config, 4, Transcription.fit(config, texts))


def collapsed(path):
    return tuple(k for k, _ in itertools.groupby(path) if k != 0)


def by_enumeration(law):
    """Each text's probability, summed over all paths."""
    steps, size = law.shape
    found = {}
    for path in itertools.product(range(size), repeat=steps):
        p = math.exp(sum(float(law[t, k]) for t, k in enumerate(path)))
        found[collapsed(path)] = found.get(collapsed(path), 0.0) + p
    return found


@pytest.fixture
def law():
    return torch.randn(5, 4, generator=torch.Generator().manual_seed(1)).log_softmax(dim=1)


def test_loss_is_that_of_all_paths(law):
    texts = by_enumeration(law)
    for text in [(1,), (2, 2), (3, 1, 2)]:
        target = torch.tensor([[*text, -100]])
        loss = ctc_loss(law[None], torch.tensor([5]), target)
        assert float(loss) == pytest.approx(-math.log(texts[text]) / len(text), rel=1e-4)


@pytest.mark.parametrize("text", [(1,), (1, 2), (1, 1), (1, 1, 1), (2, 1, 1, 3), (1, 2, 1, 2)])
def test_a_text_takes_the_frames_without_which_no_path_spells_it(text):
    needed = int(frames_needed(torch.tensor([[*text, -100, -100]])))
    law = torch.zeros(6, 4).log_softmax(dim=1)
    shortest = next(t for t in range(1, 7) if text in by_enumeration(law[:t]))
    assert needed == shortest
    target = torch.tensor([[*text, -100]])
    assert float(ctc_loss(law[None], torch.tensor([needed]), target)) > 0
    assert float(ctc_loss(law[None], torch.tensor([needed - 1]), target)) == 0


def test_a_flat_start_is_the_mean_belief_about_each_even_place():
    outputs = torch.randn(2, 12, 4, generator=torch.Generator().manual_seed(2))
    texts, frames = [[3, 1, 1], [2]], [12, 7]
    wanted = []
    for law, text, t in zip(outputs.softmax(dim=2).numpy(), texts, frames, strict=True):
        each = []
        for i, unit in enumerate(text):
            places = [k + 0.5 for k in range(t)]
            long, middle = t / len(text), (i + 0.5) * t / len(text)
            near = [k for k, at in enumerate(places) if abs(at - middle) <= AROUND * long]
            each.append(-math.log(sum(law[k, unit] for k in near) / len(near)))
        wanted.append(sum(each) / len(each))
    target = torch.tensor([[3, 1, 1], [2, -100, -100]])
    loss = flat_loss(outputs, torch.tensor(frames), target)
    assert float(loss) == pytest.approx(sum(wanted) / 2, rel=1e-5)


def test_a_flat_start_teaches_which_unit_stands_where():
    """From nothing, by it alone: the even alignment, and nothing for an empty text."""
    outputs = torch.zeros(2, 12, 4, requires_grad=True)
    target = torch.tensor([[3, 1, 2], [-100, -100, -100]])
    flat_loss(outputs, torch.tensor([12, 12]), target).backward()
    assert (-outputs.grad[0]).argmax(dim=1)[[1, 6, 10]].tolist() == [3, 1, 2]
    assert not outputs.grad[1].any()


def test_a_flat_start_leaves_to_ctc_what_is_surely_elsewhere():
    outputs = torch.zeros(1, 12, 3)
    outputs[0, :6, 2] = outputs[0, 6:, 1] = 40.0  # the other way round than the text
    outputs.requires_grad_()
    flat_loss(outputs, torch.tensor([12]), torch.tensor([[1, 1, 1, 2, 2, 2]])).backward()
    assert not outputs.grad[0, [0, 1, 10, 11]].any()


def test_a_flat_start_asks_for_no_text_that_does_not_fit():
    outputs = torch.randn(1, 6, 4)
    target = torch.tensor([[1, 1, 2]])
    assert float(flat_loss(outputs, torch.tensor([4]), target)) > 0
    assert float(flat_loss(outputs, torch.tensor([3]), target)) == 0  # a blank parts the ones


def test_a_flat_start_fades():
    task = task_of(flat_start=0.4)
    outputs, targets = torch.randn(3, 9, len(task.units.symbols)), task.encode(TEXTS, "train")
    first, later = (float(task.lead(outputs, targets, at)) for at in (0.0, 0.3))
    assert later == pytest.approx(first / 4)
    assert task.lead(outputs, targets, 0.4) is None
    assert task_of(flat_start=0.0).lead(outputs, targets, 0.0) is None


def test_an_empty_text_takes_no_frame():
    assert frames_needed(torch.tensor([[-100, -100], [3, 3]])).tolist() == [0, 3]


def test_a_wide_beam_finds_the_likeliest_text(law):
    texts = by_enumeration(law)
    assert tuple(prefix_beam(law, 1_000)) == max(texts, key=texts.get)


def test_a_language_model_can_turn_the_scale():
    law = torch.tensor([[0.0, 1.0, 0.9], [3.0, 0.0, 0.0]]).log_softmax(dim=1)
    model = ngrams.Ngrams(ngrams.count([[2]] * 20, 2), 2, 2)
    assert prefix_beam(law, 8) == [1]
    assert prefix_beam(law, 8, model, 1.0) == [2]


def test_a_language_model_that_nothing_would_ask_is_refused():
    with pytest.raises(UserError, match="in a beam alone"):
        task_of(decode="greedy", language=0.1)


def test_ngrams_are_probabilities_and_follow_counts():
    model = ngrams.Ngrams(ngrams.count([[1, 2], [1, 3], [1, 2]], 2), 2, 3)
    for history in ((), (1,), (2,), (3, 3)):
        assert sum(math.exp(model.log_probability(u, history)) for u in range(4)) == pytest.approx(
            1
        )
    assert model.log_probability(2, (1,)) > model.log_probability(3, (1,))
    # Witten and Bell by hand: after 1 come 2 (twice) and 3; unigrams 1, 2, 3 and the end 9 in all.
    lower = (2 + 4 * 0.25) / (9 + 4)
    assert math.exp(model.log_probability(2, (1,))) == pytest.approx((2 + 2 * lower) / (3 + 2))


def test_paths_tell_when_units_were_said():
    units_ = torch.tensor([0, 1, 1, 0, 2, 0])
    law = (torch.nn.functional.one_hot(units_, 3) * 8.0).log_softmax(dim=1)
    heard = best_path(law)
    assert [(s.unit, s.begin, s.end) for s in heard] == [(1, 1, 3), (2, 4, 5)]
    placed = aligned(law, [1, 2])
    assert [(s.unit, s.begin, s.end) for s in placed] == [(1, 1, 3), (2, 4, 5)]
    assert aligned(law[:1], [1, 2]) == []


def test_edit_distance_by_hand():
    assert distance("kitten", "sitting") == 3
    assert distance("", "abc") == 3
    assert distance("abc", "") == 3
    assert error_rate(["abc", "d"], ["abd", ""]) == pytest.approx(2 / 4)


def test_rates_are_jiwer_s():
    jiwer = pytest.importorskip("jiwer")
    truth = ["three one four", "one", "five nine two six"]
    said = ["three one", "one one", "five two six six"]
    words = error_rate([t.split() for t in truth], [s.split() for s in said])
    assert words == pytest.approx(jiwer.wer(truth, said))
    assert error_rate(truth, said) == pytest.approx(jiwer.cer(truth, said))


@pytest.mark.parametrize("kind", ["words", "characters", "subwords"])
def test_units_give_texts_back(kind):
    state = units.fit(kind, TEXTS.tolist(), 30)
    made = units.made(state)
    for text in TEXTS.tolist():
        cut = made.cut(text)
        assert set(cut) <= set(made.symbols)
        assert made.join(cut) == text


def test_a_character_never_seen_is_missed_whatever_the_units():
    """A byte-pair tokenizer drops it: `onez` would be `one`, and heard right."""
    for kind in ("words", "characters", "subwords"):
        task = task_of(units=kind, pieces=30)
        truth = task.encode(np.array(["onez"]), "test")
        figures = task.figures(outputs_for(task, ["one"]), truth)
        assert figures["exact"] == 0
        assert figures["unit_error_rate"] > 0


def test_few_words_are_units_themselves_and_many_are_spelt():
    assert units.fit("auto", ["one two three"] * 10, 30)["units"] == "words"
    assert units.fit("auto", ["one two three"], 30)["units"] == "characters"


def outputs_for(task, texts):
    """Outputs that say exactly so, a blank between units."""
    rows = []
    for text in texts:
        numbers = [task.units.symbols.index(s) for s in task.units.cut(text)]
        path = [0, *itertools.chain(*((n, 0) for n in numbers))]
        rows.append(torch.nn.functional.one_hot(torch.tensor(path), len(task.units.symbols)) * 9.0)
    width = max(map(len, rows))
    full = torch.full((len(rows), width, rows[0].shape[1]), torch.nan)
    for i, row in enumerate(rows):
        full[i, : len(row)] = row
    return full


@pytest.mark.parametrize("decode", ["greedy", "beam"])
@pytest.mark.parametrize("kind", ["words", "characters"])
def test_figures_and_columns_of_a_perfect_answer(decode, kind):
    task = task_of(units=kind, decode=decode, language=0.1 * (decode == "beam"), order=2)
    task.seconds = 0.04
    outputs = outputs_for(task, TEXTS.tolist())
    targets = task.encode(TEXTS, "test")
    found = task.figures(outputs, targets)
    assert found["unit_error_rate"] == found["word_error_rate"] == 0
    assert found["exact"] == 1
    columns = task.columns(outputs)
    assert columns["text"].tolist() == TEXTS.tolist()
    assert task.severity(outputs, targets).sum() == 0
    assert float(task.loss(outputs, targets)) < 0.1
    spelt = {
        "words": "three 0.04-0.08 one 0.12-0.16",
        "characters": "three 0.04-0.40 one 0.52-0.72",
    }
    assert columns["times"][0] == spelt[kind]


def test_what_train_never_said_counts_as_wrong_and_is_not_learned():
    task = task_of(units="words")
    targets = task.encode(np.array(["three nine", "one"]), "test")
    outputs = outputs_for(task, ["three", "one"])
    assert task.figures(outputs, targets)["word_error_rate"] == pytest.approx(1 / 3)
    assert float(task.loss(outputs, targets)) < 0.1
    assert task.verdict(outputs[0], targets[0]) == "three nine → three"


def test_texts_without_words_are_refused():
    with pytest.raises(UserError, match="not one label"):
        task_of(np.array(["", " "]))
