"""What judges an encoder without labels, and that every kind of data has objectives to choose."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from torch import nn

import headstart as hs
from headstart.backbones.base import Backbone
from headstart.data.cells import joined
from headstart.data.dataset import Samples
from headstart.modalities.tabular import Table, TableConfig
from headstart.parts.learner import Learner
from headstart.types import Features
from headstart.workflows.judges import columns_told
from waves import waves


class Through(Backbone):
    """Says of a row what stands in it, as a linear layer makes it."""

    def __init__(self, weight):
        nn.Module.__init__(self)
        self.linear = nn.Linear(*weight.shape[::-1], bias=False)
        self.linear.weight.data = weight
        self.dim = len(weight)

    def forward(self, batch):
        return Features(self.linear(batch.x))

    def layers(self):
        return [self.linear]


class Plain(Learner):
    def __init__(self, encoder):
        nn.Module.__init__(self)
        self.encoder = encoder

    def forward(self, batch, *, player, progress):
        raise NotImplementedError


def table_of(**columns):
    samples = Samples(joined({name: np.asarray(cells) for name, cells in columns.items()}))
    modality = Table.fit(samples, TableConfig(numbers="standard"))
    return modality, modality.tensor(samples)[0]


@pytest.fixture(scope="module")
def rows():
    """Two columns that tell each other, as far as noise lets them, and one that stands alone."""
    rng = np.random.default_rng(0)
    a, c = rng.normal(size=(2, 2_000))
    return table_of(a=a, b=a + 0.5 * rng.normal(size=2_000), c=c)


def told(rows, weight):
    modality, x = rows
    return columns_told(modality, x).score(Plain(Through(weight)).eval())


def test_columns_are_told_as_far_as_others_tell_them(rows):
    x = rows[1]
    torch.manual_seed(0)
    whole = told(rows, torch.eye(3))
    # A line of scikit-learn's from the other two columns; the hidden one says nothing.
    values, expected = x.numpy(), []
    for i in range(3):
        others = np.delete(values, i, axis=1)
        line = Ridge(alpha=10.0).fit(others[:1_000], values[:1_000, i])
        expected.append(max(0.0, line.score(others[1_000:], values[1_000:, i])))
    assert whole == pytest.approx(np.mean(expected), abs=0.02)
    assert whole == pytest.approx(0.8 * 2 / 3, abs=0.04)  # R² of 1 / (1 + 0.25), twice of three
    assert told(rows, torch.zeros(3, 3)) == 0  # a collapse tells nothing
    assert told(rows, torch.tensor([[0.0, 0.0, 1.0]])) < 0.02  # nor does the lonely column


def test_categories_are_told_too():
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, 1_200)
    names = np.array(["oak", "elm", "ash"], dtype=object)[kind]
    rows = table_of(height=np.array([1.0, 5.0, 9.0])[kind] + rng.normal(size=1_200), tree=names)
    assert 0.3 < told(rows, torch.eye(2)) < 1
    assert told(rows, torch.tensor([[0.0, 0.0]])) == 0


def a_table(folder, shared):
    return (
        shared / "tables" / "diabetes.csv",
        {"target": "diabetes"},
        {"name": "tabm", "members": 2, "width": 16},
    )


def a_series(folder, shared):
    x, y = waves(120)
    np.savez(folder / "waves.npz", x=x, y=y)
    return folder / "waves.npz", {"kind": "series"}, {"name": "tcn", "width": 8, "depth": 2}


def some_texts(folder, shared):
    lines = (shared / "tweets" / "irony" / "train_text.txt").read_text(encoding="utf-8")
    (folder / "tweets.txt").write_text("\n".join(lines.split("\n")[:200]), encoding="utf-8")
    return folder / "tweets.txt", {}, {"name": "transformer", "width": 16, "heads": 2, "depth": 1}


def recordings(folder, shared):
    files = sorted((shared / "spoken-digits").glob("[37]_theo_*.wav"))[:80]
    rows = [f"{file},{file.name[0]}" for file in files]
    (folder / "list.csv").write_text("\n".join(["file,digit", *rows]) + "\n")
    return folder / "list.csv", {}, {"name": "audioconv", "widths": [4, 8], "dim": 16}


VIEWS = {"simclr", "vicreg"}


@pytest.mark.parametrize(
    ("made", "tried", "judged_by"),
    [
        (a_table, {"vime", "scarf", "binning", "denoising"} | VIEWS, "columns told"),
        (a_series, {"autoregressive", "denoising"} | VIEWS, "weak views found"),
        (some_texts, {"mlm", "electra", "tsdae"} | VIEWS, "weak views found"),
        (recordings, {"wav2vec", "denoising"} | VIEWS, "weak views found"),
    ],
)
def test_every_kind_of_data_has_its_own_objectives_tried(
    made, tried, judged_by, shared_data, tmp_path
):
    source, settings, size = made(tmp_path, shared_data)
    run = hs.pretrain(
        source, objective={"name": "auto", "share": 0.9}, backbone=size,
        steps=90, batch_size=16, out=tmp_path / "run", **settings,
    )  # fmt: skip
    found = run.result["bakeoff"]
    scores = {t["objective"]: t["score"] for t in found["tried"] if t["score"] is not None}
    assert tried <= set(scores)
    assert all(0 <= score <= 1 for score in scores.values())
    assert len(set(scores.values())) > 1
    assert found["chosen"] == run.result["objective"] == max(scores, key=scores.get)
    assert found["judged_by"] == judged_by
    assert run.result["labels_probed"] == found["labels"] == 0
