"""Temperature and calibration error, against laws that are known; stored with the run, and used."""

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score

import headstart as hs
from headstart.data.named import read_named
from headstart.data.splits import ensure_test
from headstart.tasks.calibration import expected_calibration_error, fit_temperature
from headstart.workflows.loaded import load_run


def drawn(temperature, n=20_000):
    """Logits, and targets drawn from their law at `temperature`."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(n, 4, generator=generator)
    law = (logits / temperature).softmax(1)
    return logits, torch.multinomial(law, 1, generator=generator)[:, 0]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_labels_were_drawn_at_is_found(temperature):
    logits, targets = drawn(temperature)
    assert fit_temperature(logits, targets) == pytest.approx(temperature, rel=0.03)
    error = expected_calibration_error((logits / temperature).softmax(1), targets)
    assert error < 0.02


def test_at_the_temperature_the_mean_logit_of_the_truth_is_the_expected_one():
    """Where the loss is least its slope in 1 / T is 0: Guo et al.'s appendix."""
    logits, targets = drawn(2.0)
    law = (logits / fit_temperature(logits, targets)).softmax(1)
    truth = logits.gather(1, targets[:, None]).mean()
    torch.testing.assert_close((law * logits).sum(1).mean(), truth, rtol=1e-3, atol=1e-3)


def test_a_few_right_answers_do_not_make_a_network_certain():
    logits = 2.0 * torch.eye(4).repeat(3, 1)
    found = fit_temperature(logits, torch.arange(4).repeat(3))
    assert 0.3 < found < 1.0


def test_weighted_classes_count_as_weighted():
    logits, targets = drawn(1.5)
    twice = torch.cat([torch.arange(len(targets)), torch.nonzero(targets == 2)[:, 0]])
    weight = torch.tensor([1.0, 1.0, 2.0, 1.0])
    assert fit_temperature(logits, targets, weight) == pytest.approx(
        fit_temperature(logits[twice], targets[twice]), rel=1e-3
    )


def test_calibration_error_is_the_papers_written_out():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(5) / 2, 400)
    y = rng.integers(0, 5, 400)
    belief, answer = p.max(1), p.argmax(1)
    wanted = 0.0
    for low in np.arange(15) / 15:
        inside = (belief > low) & (belief <= low + 1 / 15)
        if inside.any():
            gap = accuracy_score(y[inside], answer[inside]) - belief[inside].mean()
            wanted += inside.mean() * abs(gap)
    found = expected_calibration_error(torch.from_numpy(p), torch.from_numpy(y))
    assert found == pytest.approx(wanted, abs=1e-9)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Fine-tuned on enough labels to validate with."""
    out = tmp_path_factory.mktemp("calibration") / "run"
    return hs.finetune("digits", labels_per_class=60, steps=120, out=out)


def test_a_run_keeps_its_temperature_and_answers_at_it(run):
    record = run.result["calibration"]
    assert record["labels"] == 60
    state = json.loads((run.path / "preprocessing.json").read_text())["task"]
    assert state["temperature"] == record["temperature"] != 1.0
    assert record["test_ece"]["after"] < record["test_ece"]["before"]
    x = ensure_test(read_named("digits"), 0).splits["test"].inputs
    loaded = load_run(run.path)
    outputs = loaded.outputs(torch.from_numpy(x)[:, None])
    answers = run.predict(x)
    found = np.column_stack([answers[f"probability_{k}"] for k in range(10)])
    wanted = (outputs / record["temperature"]).softmax(1).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert run.evaluate()["ece"] == pytest.approx(record["test_ece"]["after"], abs=1e-6)


def test_without_validation_nothing_is_calibrated_and_that_is_said(model_run):
    assert model_run.result["calibration"] == {}
    assert any("not calibrated" in note for note in model_run.result["notes"])
    assert "ece" in model_run.result["test"]
    state = json.loads((model_run.path / "preprocessing.json").read_text())["task"]
    assert "temperature" not in state
