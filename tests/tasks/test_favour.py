"""The belief from which one class is answered, against every threshold there could be."""

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from headstart.tasks.classification import Classification, ClassificationConfig
from headstart.tasks.favour import favour_for_f1


def drawn(n=2_000, share=0.2):
    """Logits of two classes that are the true log-odds, and targets drawn with them."""
    generator = torch.Generator().manual_seed(0)
    odds = 1.5 * torch.randn(n, generator=generator) + np.log(share / (1 - share))
    targets = (torch.rand(n, generator=generator) < odds.sigmoid()).long()
    return torch.stack([torch.zeros(n), odds], dim=1), targets


def test_it_is_the_best_of_all_thresholds():
    logits, targets = drawn()
    by = favour_for_f1(logits, targets, 1)
    mine = f1_score(targets, logits[:, 1] + by > 0)
    best = max(f1_score(targets, logits[:, 1] >= cut) for cut in logits[:, 1].tolist()[::10])
    assert mine == pytest.approx(best, abs=0.005)
    # The threshold that is best in theory is half of the F1 it gives (Lipton et al., theorem 1).
    assert float(torch.sigmoid(torch.tensor(-by))) == pytest.approx(mine / 2, abs=0.06)


def test_what_is_right_already_is_left():
    logits = torch.tensor([[9.0, 0.0], [0.0, 9.0]])
    assert favour_for_f1(logits, torch.tensor([0, 1]), 1) == 0.0


@pytest.mark.parametrize(("metric", "favours"), [("f1_b", True), ("macro_f1", False)])
def test_answers_are_as_favoured_and_probabilities_as_before(metric, favours):
    logits, targets = drawn()
    task = Classification(ClassificationConfig(metric=metric), 4, {"classes": ["a", "b"]})
    before = task.figures(logits, targets)["f1_b"]
    state = task.calibrate(logits, targets)
    assert ("favour" in state) is favours
    after = task.figures(logits, targets)["f1_b"]
    assert after > before + 0.05 if favours else after == before
    again = Classification(ClassificationConfig(metric=metric), 4, {"classes": ["a", "b"], **state})
    labels, columns = again.columns(logits)["label"], again.columns(logits)
    assert (labels == np.array(["a", "b"])[task.chosen(logits).numpy()]).all()
    plain = (logits / again.temperature).softmax(dim=1)[:, 1].numpy()
    np.testing.assert_allclose(columns["probability_b"], plain)
