"""What is said of figures that were put there."""

import pytest

from headstart.study.figures import kind_of
from headstart.study.statistics import holm, mean_of, paired, worth
from headstart.study.verdict import verdict

SCRATCH = {100: [0.098, 0.101, 0.095], 1_000: [0.040, 0.041, 0.039], 3_000: [0.02, 0.021, 0.019]}


def found(pretrained, metric="error", scratch=SCRATCH):
    """A comparison as `results.gather` would give it."""
    labels = sorted(scratch)
    values = {"vicreg": pretrained, "from scratch": scratch}

    def row(name, way, source=None, twin=None):
        points = [
            {"asked": n, "labels": n, "values": values[name][n], **vars(mean_of(values[name][n]))}
            for n in labels
        ]
        return {"name": name, "way": way, "source": source, "twin": twin, "points": points}

    tests = [paired(pretrained[n], scratch[n]) for n in labels]
    tested = tests[0].p is not None
    adjusted = holm([t.p for t in tests]) if tested else [None] * len(tests)
    smaller = kind_of(metric).smaller
    means = [mean_of(scratch[n]).mean for n in labels]

    def told(figure):
        return vars(worth(labels, means, figure, smaller=smaller))

    return {
        "metric": metric,
        "smaller_is_better": smaller,
        "seeds": 3,
        "labels": [{"asked": n, "labels": n} for n in labels],
        "methods": [row("vicreg", "fine-tuned", "vicreg", "from scratch"), row("from scratch", "scratch")],
        "comparisons": [
            {"method": "vicreg", "against": "from scratch", "asked": n, "main": True,
             **vars(t), "adjusted": p}
            for n, t, p in zip(labels, tests, adjusted, strict=True)
        ],
        "worth": [
            {"method": "vicreg", "labels": n, "as_many": told(mean_of(pretrained[n]).mean),
             "from": told(max(pretrained[n])), "to": told(min(pretrained[n])),
             "measured": [labels[0], labels[-1]]}
            for n in labels
        ],
    }  # fmt: skip


def test_it_helps_with_few_labels_and_not_with_many():
    said = verdict(
        found({100: [0.031, 0.029, 0.030], 1_000: [0.0402, 0.0395, 0.0401], 3_000: SCRATCH[3_000]})
    )
    assert said["helps"]
    assert said["headline"].startswith(
        "Pre-training by vicreg helps: with 100 labels it cuts the error from 9.8 % to 3.0 % (3 draws, p"
    )
    assert "from 1,000 labels on it makes no difference that 3 draws could show" in said["headline"]
    assert "100 labels are worth about 1,700 from scratch" in said["sentences"][0]


def test_it_does_not_help():
    same = {100: [0.1, 0.097, 0.099], 1_000: [0.041, 0.039, 0.04], 3_000: [0.02, 0.02, 0.02]}
    said = verdict(found(same))
    assert not said["helps"]
    assert said["headline"].startswith("Pre-training by vicreg does not help here: with 100 labels")


def test_a_gain_that_few_draws_cannot_show_is_not_called_none():
    two = {n: vs[:2] for n, vs in SCRATCH.items()}
    said = verdict(found({**two, 100: [0.03, 0.09]}, scratch=two))
    assert not said["helps"]
    assert said["headline"].startswith(
        "Pre-training by vicreg is not shown to help here: with 100 labels"
    )
    assert "Its mean is better with 100 labels; more draws" in said["headline"]


def test_of_several_ways_none_is_shown_to_help():
    two = {n: vs[:2] for n, vs in SCRATCH.items()}
    both = found({**two, 100: [0.03, 0.09]}, scratch=two)
    both["methods"].insert(1, {**both["methods"][0], "name": "simclr", "source": "simclr"})
    for name in ("comparisons", "worth"):
        both[name] += [{**one, "method": "simclr"} for one in both[name]]
    said = verdict(both)
    assert not said["helps"]
    assert said["headline"].startswith("Pre-training is not shown to help here; more draws")
    assert "Its mean is better with 100 labels" in said["sentences"][1]


def test_it_harms():
    worse = {100: [0.3, 0.303, 0.297], 1_000: [0.14, 0.141, 0.139], 3_000: [0.12, 0.121, 0.119]}
    worse = {n: [v + 0.001 * i for i, v in enumerate(vs)] for n, vs in worse.items()}
    said = verdict(found(worse))
    assert not said["helps"]
    assert "it harms: with 100 labels it raises the error from 9.8 %" in said["headline"]


def test_larger_is_better_for_other_figures():
    more = {n: [1 - v / 4 for v in vs] for n, vs in SCRATCH.items()}
    less = {n: [1 - v for v in vs] for n, vs in SCRATCH.items()}
    said = verdict(found(more, "macro_f1", less))
    assert said["helps"]
    assert "it raises the macro F1 from 90.2 % to 97.5 %" in said["headline"]


def test_one_draw_is_no_test():
    one = {n: vs[:1] for n, vs in SCRATCH.items()}
    said = verdict(found({n: [v / 2 for v in vs] for n, vs in one.items()}, scratch=one))
    assert not said["helps"]
    assert "tells nothing" in said["headline"]


@pytest.mark.parametrize(("metric", "text"), [("error", "0.12 %"), ("rmse", "0.00123")])
def test_figures_are_written_for_people(metric, text):
    assert kind_of(metric).write(0.00123) == text


@pytest.mark.parametrize("metric", ["unit_error_rate", "word_error_rate", "interval_width"])
def test_fewer_errors_are_better_by_whatever_name(metric):
    assert kind_of(metric).smaller


def test_what_means_alone_say_is_not_sold_as_found_out():
    there = found({n: [v / 2 for v in vs] for n, vs in SCRATCH.items()})
    best = [{**p, "mean": 0.001} for p in there["methods"][1]["points"]]
    there["methods"] += [
        {"name": "hog", "way": "baseline", "source": None, "twin": "from scratch", "points": best},
        {"name": "probe", "way": "linear probe", "source": "vicreg", "twin": "x", "points": best},
    ]
    frozen = verdict(there)["sentences"][-1]
    there["methods"].pop()
    classical = verdict(there)["sentences"][-1]
    assert frozen.startswith("By the means alone, untested: a frozen encoder")
    assert classical.startswith("By the means alone, untested: a classical model")
