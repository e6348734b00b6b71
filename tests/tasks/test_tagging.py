"""Tags for words: alignment, figures against an independent count, the whole way."""

import itertools
import json
import random

import numpy as np
import pytest
import torch

import headstart as hs
from headstart.cli import main
from headstart.data.sources import open_dataset
from headstart.errors import UserError
from headstart.tasks.entities import found_in, precision_recall_f1
from headstart.tasks.frames import blanked
from headstart.tasks.tagging import NO_WORD, Tagging, TaggingConfig
from texts import modality


def chunks(tags):
    """conlleval's rules, written from its tables of what starts and what ends a chunk."""
    found, open_ = [], None
    before, kind_before = "O", ""
    for i, tag in enumerate([*tags, "O"]):
        mark, kind = (tag[0], tag[2:]) if tag != "O" else ("O", "")
        pair = before + mark
        ends = pair in ("BB", "BO", "IB", "IO", "EE", "EI", "EO", "EB", "SS", "SB", "SI", "SE", "SO",
                        "BS", "IS", "ES") or (before != "O" and kind != kind_before)  # fmt: skip
        starts = pair in ("BB", "IB", "OB", "OI", "OE", "EE", "EI", "EB", "SB", "SI", "SE", "SS",
                          "OS", "BS", "IS", "ES") or (mark != "O" and kind != kind_before)  # fmt: skip
        if open_ is not None and ends:
            found.append((open_, i - 1, kind_before))
            open_ = None
        if starts:
            open_ = i
        before, kind_before = mark, kind
    return found


def test_entities_are_those_of_an_independent_count():
    marks = ["O", *[f"{m}-{k}" for m in "BIES" for k in ("PER", "LOC")]]
    for tags in itertools.product(marks, repeat=3):
        assert [e[1:] for e in sorted(found_in([tags]))] == chunks(tags), tags
    random.seed(0)
    truth, answers = ([[random.choice(marks) for _ in range(12)] for _ in range(50)] for _ in "ab")
    theirs = [
        {(i, *c) for i, row in enumerate(rows) for c in chunks(row)} for rows in (truth, answers)
    ]
    found = precision_recall_f1(found_in(truth), found_in(answers))
    right = len(theirs[0] & theirs[1])
    assert found["precision"] == right / len(theirs[1])
    assert found["recall"] == right / len(theirs[0])
    assert found["f1"] == pytest.approx(
        2 * found["precision"] * found["recall"] / (found["precision"] + found["recall"])
    )


TARGETS = np.array(["O B-PER", "B-LOC I-LOC O O", "O"], dtype=object)


def task():
    state = Tagging.fit(TaggingConfig(), TARGETS)
    return Tagging(TaggingConfig(), 4, state)


def outputs_for(made, rows):
    """Logits that answer `rows` of tags."""
    width = max(map(len, rows))
    said = torch.zeros(len(rows), width, len(made.tags))
    there = torch.zeros(len(rows), width, dtype=torch.bool)
    for i, row in enumerate(rows):
        for j, tag in enumerate(row):
            said[i, j, made.tags.index(tag)] = 5.0
            there[i, j] = True
    return blanked(said, there)


def test_figures_count_words_and_whole_entities():
    made = task()
    assert made.metric == "entity_f1"
    targets = made.encode(TARGETS, "test")
    assert targets.tolist()[2] == [made.tags.index("O"), NO_WORD, NO_WORD, NO_WORD]
    said = outputs_for(made, [["O", "B-PER"], ["B-LOC", "O", "O", "O"], ["O"]])
    found = made.figures(said, targets)
    assert found["token_accuracy"] == pytest.approx(6 / 7)
    assert (found["entity_precision"], found["entity_recall"]) == (0.5, 0.5)
    assert (found["f1_PER"], found["f1_LOC"]) == (1.0, 0.0)
    assert found["entities"] == 2
    assert made.columns(said)["tags"].tolist() == ["O B-PER", "B-LOC O O O", "O"]
    assert made.severity(said, targets).tolist() == [0, 1, 0]


def test_the_loss_is_the_mean_over_words_whatever_the_padding():
    made = task()
    targets = made.encode(TARGETS, "test")
    torch.manual_seed(0)
    logits = torch.randn(3, 4, len(made.tags))
    there = targets != NO_WORD
    loss = made.loss(blanked(logits, there), targets)
    each = [
        -logits[i, j].log_softmax(0)[targets[i, j]]
        for i in range(3) for j in range(4) if there[i, j]
    ]  # fmt: skip
    torch.testing.assert_close(loss, torch.stack(each).mean())
    assert made.counted(targets) == 7
    two = torch.stack([blanked(logits, there), blanked(logits.flip(2), there)])
    torch.testing.assert_close(made.average(two)[there].exp(), two.softmax(3).mean(dim=0)[there])


def test_a_tag_that_was_never_learned_counts_as_wrong_and_teaches_nothing():
    made = task()
    targets = made.encode(np.array(["O B-ORG"], dtype=object), "test")
    said = outputs_for(made, [["O", "B-PER"]])
    found = made.figures(said, targets)
    assert found["token_accuracy"] == 0.5
    assert found["entity_f1"] == 0.0
    assert found["unseen_tags"] == ["B-ORG"]
    torch.testing.assert_close(made.loss(said, targets), made.loss(said[:, :1], targets[:, :1]))


@pytest.mark.parametrize("kind", ["bpe", "wordpiece", "unigram"])
def test_every_word_is_answered_for_once_whatever_the_tokenizer(kind):
    from headstart.data.dataset import Samples
    from headstart.data.words import as_words
    from headstart.modalities.text import Text

    text = Text.from_state({**modality(kind=kind).state(), "by_words": True})
    words = [("U.S.", "don't", "argparse's", "\u200b", "好"), ("a",), ("word",) * 90]
    x, bad = text.tensor(Samples(as_words(words)))
    assert not bad
    frames, plain = text.frames(x), text.prepare(x)
    assert frames.shape == plain.shape
    assert frames.sum(dim=1).tolist() == [5, 1, 90]
    assert plain.min() >= 0
    assert not frames[:, 0].any()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Sentences whose names and places anyone can tell, in CoNLL's columns."""
    random.seed(0)
    folder = tmp_path_factory.mktemp("ner")
    forms = ["{n} lives in {p} .", "In {p} , {n} sleeps .", "Nobody goes to {p} ."]
    for split, count in (("train", 160), ("dev", 30), ("test", 40)):
        lines = ["-DOCSTART- -X- O", ""]
        for _ in range(count):
            for word in random.choice(forms).split():
                if word == "{n}":
                    lines.append(f"{random.choice(['Anna', 'U.S.', 'Farid'])} NN B-PER")
                elif word == "{p}":
                    place = random.choice(["Paris", "New York", "St. Gallen"]).split()
                    lines += [f"{w} NN {'I' if i else 'B'}-LOC" for i, w in enumerate(place)]
                else:
                    lines.append(f"{word} X O")
            lines.append("")
        (folder / f"{split}.conll").write_text("\n".join(lines))
    return folder


def test_the_whole_way_from_conll_files_to_tags(corpus, tmp_path):
    data = open_dataset(str(corpus))
    assert data.task == "tagging"
    assert [len(s) for s in data.splits.values()] == [160, 30, 40]
    assert data.train.name(0) == "train.conll:3"
    out = tmp_path / "run"
    small = ["--set", "backbone.width=32", "--set", "backbone.depth=1", "--quiet"]
    arguments = ["finetune", str(corpus), "--out", str(out), "--steps", "60", "--lr", "5e-3"]
    assert main([*arguments, *small]) == 0
    result = json.loads((out / "result.json").read_text())
    assert result["task"] == "tagging"
    assert result["test"]["entity_f1"] > 0.9
    (tmp_path / "new.txt").write_text("Farid lives in New York .\n")
    said = tmp_path / "said.csv"
    assert (
        main(["predict", str(out), str(tmp_path / "new.txt"), "--out", str(said), "--quiet"]) == 0
    )
    assert said.read_text().splitlines()[1].startswith("new.txt:1,B-PER O O B-LOC I-LOC O,0.")
    again = hs.load(out).evaluate(tta=2)
    assert again["entity_f1"] > 0.9


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--unlabelled", "self-train", "--labels", "50"], "answers for their parts"),
        (["--set", "finetune.mixup=0.2"], "their parts"),
    ],
)
def test_what_means_nothing_for_words_is_refused(corpus, tmp_path, capsys, more, message):
    assert main(["finetune", str(corpus), "--out", str(tmp_path / "r"), *more]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "r" / "config.yaml").exists()


def test_tagging_needs_words():
    with pytest.raises(UserError, match="tags words"):
        hs.finetune("digits", task="tagging", steps=1)
