"""What is written of answers is what was answered."""

import numpy as np

from headstart.workflows.answer import Answers, write_embeddings


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
