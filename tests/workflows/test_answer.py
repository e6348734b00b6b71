"""What is written of answers is what was answered."""

import csv

import numpy as np

from headstart.workflows.answer import Answers, write_embeddings, write_predictions


def test_numbers_are_written_to_the_digit(tmp_path):
    amounts = np.array([1234567.25, 16777215, 0.1, 1 / 3, 1e-30, np.pi * 1e8], np.float32)
    write_predictions(tmp_path / "p.csv", Answers(list("abcdef"), {"value": amounts}, []))
    with (tmp_path / "p.csv").open(newline="") as file:
        read = [np.float32(row["value"]) for row in csv.DictReader(file)]
    assert read == amounts.tolist()


def test_texts_beside_embeddings_load_without_pickle(tmp_path):
    matrix = np.ones((2, 3), np.float32)
    tags = np.array(["B-PER O", "O"], dtype=object)
    write_embeddings(
        tmp_path / "e.npz", Answers(["a", "b"], {"embedding": matrix, "target": tags}, [])
    )
    with np.load(tmp_path / "e.npz") as arrays:
        assert arrays["name"].tolist() == ["a", "b"]
        assert arrays["target"].tolist() == ["B-PER O", "O"]
        assert (arrays["embedding"] == matrix).all()
