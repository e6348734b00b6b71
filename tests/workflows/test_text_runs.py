"""The whole way on real texts: pre-train, fine-tune, evaluate, predict, generate, resume, report."""

import json

import numpy as np
import pytest

import headstart as hs
from headstart.cli import main
from headstart.errors import UserError
from texts import sentences

SMALL = ["--set", "backbone.width=32", "--set", "backbone.depth=1", "--no-report", "--quiet"]


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Sentences that speak of a file or folder, and others: two classes anyone can tell."""
    folder = tmp_path_factory.mktemp("texts")
    word = ("path", "file", "director")
    kinds = [int(any(w in text.lower() for w in word)) for text in sentences()]
    rows = list(zip(sentences(), kinds, strict=True))[:480]
    for split, part in (("train", rows[:360]), ("test", rows[360:])):
        (folder / f"{split}_text.txt").write_text("".join(f"{text}\n" for text, _ in part))
        (folder / f"{split}_labels.txt").write_text("".join(f"{kind}\n" for _, kind in part))
    (folder / "mapping.txt").write_text("0\tother\n1\tfiles\n")
    return folder


@pytest.fixture(scope="module")
def pretrained(texts, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "pretrained"
    assert main(["pretrain", str(texts), "--out", str(out), "--steps", "30", *SMALL]) == 0
    return out


def test_pretraining_leaves_a_tokenizer_and_a_falling_loss(pretrained):
    assert json.loads((pretrained / "tokenizer.json").read_text())["model"]["type"] == "BPE"
    kept = json.loads((pretrained / "preprocessing.json").read_text())
    assert kept["tokenizer"] == "tokenizer.json"
    result = json.loads((pretrained / "result.json").read_text())
    assert result["objective"] == "mlm"
    assert result["backbone"] == "transformer"
    assert any("tokenizer" in note for note in result["notes"])


def test_fine_tuning_answers_texts(pretrained, texts, tmp_path):
    run = hs.finetune(
        texts, start=pretrained, steps=60, lr=3e-3, out=tmp_path / "model",
        task={"name": "classification", "metric": "macro_f1", "balance": "weights"},
    )  # fmt: skip
    test = run.result["test"]
    assert {"f1_files", "f1_other", "macro_f1"} <= set(test)
    assert test["macro_f1"] == pytest.approx((test["f1_files"] + test["f1_other"]) / 2)
    assert test["balanced_accuracy"] > 0.6
    said = run.predict(["the path of a file", "random numbers"])
    assert len(said["label"]) == 2
    out = tmp_path / "said.csv"
    lines = tmp_path / "new.txt"
    lines.write_text("open the file in a directory\nshuffle a list\n")
    assert main(["predict", str(tmp_path / "model"), str(lines), "--out", str(out), "--quiet"]) == 0
    assert out.read_text().splitlines()[1].startswith("new.txt:1,")
    assert main(["report", str(tmp_path / "model")]) == 0
    page = (tmp_path / "model" / "report.html").read_text()
    assert "Words that decided" in page


def test_a_masked_model_shows_its_guesses(pretrained):
    assert main(["report", str(pretrained)]) == 0
    page = (pretrained / "report.html").read_text()
    assert "Hidden words and what was guessed" in page
    assert "____" in page
    assert "validation perplexity" in page


def test_a_causal_model_writes_and_others_do_not(pretrained, texts, tmp_path, capsys):
    out = str(tmp_path / "causal")
    arguments = ["pretrain", str(texts), "--objective", "causal", "--steps", "20", "--out", out]
    assert main([*arguments, *SMALL]) == 0
    capsys.readouterr()
    asked = ["generate", out, "--prompt", "return the", "--tokens", "8", "--count", "2", "--json"]
    assert main(asked) == 0
    first = json.loads(capsys.readouterr().out)["texts"]
    assert len(first) == 2
    assert all(text.startswith("return the") for text in first)
    assert main(asked) == 0
    assert json.loads(capsys.readouterr().out)["texts"] == first
    assert main(["generate", str(pretrained)]) == 2
    assert "has not learned to write" in capsys.readouterr().err


def test_a_killed_run_of_texts_goes_on_to_the_same_weights(pretrained, texts, tmp_path):
    out = tmp_path / "again"
    half = ["pretrain", str(texts), "--out", str(out), *SMALL]
    assert main([*half, "--steps", "30", "--set", "training.checkpoint_every=10 steps"]) == 0
    for checkpoint in sorted((out / "checkpoints").glob("step-*"))[1:]:
        checkpoint.unlink()
    (out / "model.safetensors").unlink()
    again = [*half, "--steps", "30", "--set", "training.checkpoint_every=10 steps", "--resume"]
    assert main(again) == 0
    assert (out / "model.safetensors").read_bytes() == (
        pretrained / "model.safetensors"
    ).read_bytes()


def test_what_does_not_read_texts_says_so(texts, tmp_path, capsys):
    for more, message in (
        (["--objective", "autoencoder"], "does not learn from samples of kind 'tokens'"),
        (["--backbone", "conv"], "backbone 'conv'"),
        (["--objective", "causal", "--backbone", "ngram"], "Use --backbone causal"),
    ):
        out = str(tmp_path / "x")
        assert main(["pretrain", str(texts), "--out", out, "--steps", "2", *more]) == 2
        assert message in capsys.readouterr().err
    with pytest.raises(UserError, match="is not a run"):
        hs.finetune("digits", start=texts, steps=1, out=tmp_path / "y")


def test_self_training_hides_words(texts, tmp_path):
    run = hs.finetune(
        texts, labels_per_class=10, unlabelled="self-train", steps=20, out=tmp_path / "s",
        backbone={"name": "ngram", "width": 16, "buckets": 512},
    )  # fmt: skip
    assert run.result["unlabelled"] > 0
    assert np.isfinite(run.result["test"]["accuracy"])
