"""Runs and their tf-idf against scikit-learn's, weights that move in proportion, and whole runs."""

import itertools
import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.feature_extraction.text import TfidfVectorizer

import headstart as hs
import texts
from headstart.cli import main
from headstart.data.dataset import Samples
from headstart.data.texts import text_array
from headstart.export.graph import Graph
from headstart.modalities import tokenizer as tokenizers
from headstart.tasks.classification import Classification, ClassificationConfig
from headstart.tasks.lexical import BUCKETS, Lexical, characters
from headstart.training import optimisers
from headstart.training.config import TrainingConfig
from headstart.types import Batch

SAID = ["the cat sat on the mat", "a cat is happy :)", "happy cat, happy dog!", "你好世界 你好 cat"]
WORD = r"[^\W\d_]+|[^\w\s]+"


def words(text):
    found = re.findall(WORD, text)
    return [*found, *map(" ".join, itertools.pairwise(found))]


def runs_of_characters(text):
    found = []
    for word in re.findall(WORD, text):
        ended = f"^{word}^"
        parts = [ended[i : i + n] for n in range(1, 6) for i in range(len(ended) - n + 1)]
        found += [part for part in parts if part != "^"]
    return found


def read(kind):
    tokenizer = tokenizers.train(SAID * 3, kind, None, lowercase=True)
    vocabulary = tokenizers.vocabulary(tokenizer, 32)
    rows = [tokenizer.encode(tokenizers.spaced(text)).ids for text in SAID]
    x = torch.full((len(rows), 40), vocabulary.pad)
    for row, ids in zip(x, rows, strict=True):
        row[: len(ids) + 2] = torch.tensor([vocabulary.begin, *ids, vocabulary.end])
    return Lexical(vocabulary, 2), x


@pytest.mark.parametrize("kind", ["bpe", "wordpiece", "unigram"])
@pytest.mark.parametrize(("which", "analyzer"), [(0, words), (1, runs_of_characters)])
def test_runs_weigh_what_scikit_learn_says(kind, which, analyzer):
    lexical, x = read(kind)
    lexical.count([x[:2], x[2:]])
    vectoriser = TfidfVectorizer(analyzer=analyzer, min_df=2, binary=True)
    wanted = vectoriser.fit_transform(SAID)
    bucket, there = lexical.runs(x)[which]
    share = torch.nn.functional.normalize(lexical.rarity[bucket] * there, dim=1)
    bags = torch.zeros(len(x), BUCKETS).scatter_add_(1, bucket, share)
    # Which run has which bucket is the hash's affair; texts are as near to one another.
    alike = (wanted @ wanted.T).toarray()
    np.testing.assert_allclose((bags @ bags.T).numpy(), alike, atol=1e-5)


def test_a_run_that_one_text_holds_counts_nothing():
    lexical, x = read("bpe")
    lexical.count([x[:1]])
    torch.nn.init.ones_(lexical.weight)
    assert not lexical(x).any()


def test_characters_of_byte_pairs_are_whole():
    assert characters("Ġä½łå¥½") == "你好"
    assert characters("##ing") == "ing"
    assert characters("ä½") == "ä½"  # two bytes of three


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_weights_move_in_proportion_to_their_gradient(optimizer):
    """Adam moves every weight alike; beside it these take steps of plain descent."""
    own, other = (torch.nn.Parameter(torch.zeros(2)) for _ in range(2))
    config = TrainingConfig(optimizer=optimizer)
    optimiser = optimisers.build([own, other], config, {}, torch.device("cpu"), {own})
    optimisers.set_rate(optimiser, 1.0)
    gradient = torch.tensor([1e-3, 1e-1])
    own.grad = other.grad = gradient
    optimiser.step()
    moved = own.detach()
    assert float(moved[1] / moved[0]) == pytest.approx(100, rel=0.02)
    if optimizer == "adamw":
        moved = other.detach()
        assert float(moved[1] / moved[0]) == pytest.approx(1, rel=0.01)


def test_an_exported_graph_would_find_the_same(monkeypatch):
    """There every row is as wide as it could be, and weights are gathered, not bagged."""
    lexical, x = read("bpe")
    lexical.count([x])
    torch.nn.init.normal_(lexical.weight)
    said = lexical(x)
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    torch.testing.assert_close(lexical(x), said)


@pytest.mark.slow
def test_it_is_part_of_an_exported_graph():
    modality = texts.modality(length=32)
    encoder = texts.small("mlm", "ngram", modality.spec).encoder.eval()
    task = Classification(ClassificationConfig(), 32, {"classes": ["a", "b"]}).eval()
    lexical = Lexical(modality.spec.vocabulary, 2).eval()
    lexical.count([texts.rows()[:300, :32]])
    torch.nn.init.normal_(lexical.weight)
    graph = Graph(modality, encoder, task, lexical)
    x = graph.door.raw(Samples(text_array(texts.sentences()[:5])))
    program = graph.program(x).module()
    with torch.no_grad():
        for part in (x, x[:1, :9]):
            wanted = task.head(encoder(Batch(part)).pooled) + lexical(part)
            torch.testing.assert_close(program(part)[1], wanted, atol=1e-4, rtol=1e-4)


def test_it_tells_apart_what_a_word_decides_and_comes_back_from_the_folder(tmp_path):
    said = texts.sentences()[:200]
    kinds = ["files" if "path" in text.lower() else "other" for text in said]
    data = tmp_path / "data"
    data.mkdir()
    for split, part in (("train", slice(150)), ("test", slice(150, 200))):
        (data / f"{split}_text.txt").write_text("\n".join([*said[part], ""]), encoding="utf-8")
        (data / f"{split}_labels.txt").write_text("\n".join([*kinds[part], ""]))
    settings = tmp_path / "settings.yaml"
    settings.write_text(
        "backbone: {name: ngram, width: 4, buckets: 64}\nmodality: {vocabulary: 400}\n"
    )
    run = hs.finetune(
        data, out=tmp_path / "run", steps=8, batch_size=32, config=settings, baselines=False
    )
    kept = load_file(tmp_path / "run" / "model.safetensors")
    assert kept["lexical.weight"].any()
    again = hs.load(tmp_path / "run").evaluate()
    assert again["accuracy"] == run.result["test"]["accuracy"]


def test_where_there_are_no_texts_it_cannot_be_had(capsys, tmp_path):
    given = ["--set", "finetune.lexical=true", "--steps", "1", "--out", str(tmp_path / "run")]
    assert main(["finetune", "digits", *given]) == 2
    assert "only classes of whole texts" in capsys.readouterr().err
