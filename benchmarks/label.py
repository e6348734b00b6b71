"""Labels chosen by `headstart label` against as many random ones, as many of each class.

    python benchmarks/label.py RUN DATA --out DIR [--labels 100] [--seeds 5] [--rules NAME ...]
        [--finetune-steps 600] [--pool 8000] [--quick]

RUN is a pre-trained run. First every rule chooses from a pool of train, and a logistic regression
on the run's features of those labels is judged on other samples of train: this decides which rule
goes on. Then the run is fine-tuned on the labels of that rule and on random balanced ones, the
same seeds, and the test split is read once for each. Finished runs in DIR are read, not repeated.
With --finetune-steps 0 it is the logistic regression that is tested.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import ttest_rel
from sklearn.linear_model import LogisticRegression

import headstart as hs
from common import QUIET
from headstart.data import budget
from headstart.data.dataset import Samples
from headstart.study.labelling import table
from headstart.study.labelling.choose import Pool, pool_of, to_label, write_list
from headstart.tasks.spreading import whitened
from headstart.workflows.answer import open_for
from headstart.workflows.config import DataConfig
from headstart.workflows.loaded import LoadedRun, load_run
from headstart.workflows.request import config_of
from headstart.workflows.supply import Supply

BALANCED = "random, balanced"
HELD_OUT = 5_000


def probe(z: NDArray[np.float32], y: NDArray, few: list[int], held: NDArray[np.intp]) -> float:
    """Error on `held` of a logistic regression on the features of `few`."""
    model = LogisticRegression(C=1.0, max_iter=300).fit(z[few] * 4, y[few])
    return 1.0 - float(model.score(z[held] * 4, y[held]))


def tested_probes(
    run: LoadedRun, data: DataConfig, pool: Pool, picks: dict[str, list[list[int]]]
) -> dict[str, list[float]]:
    """Error on the whole test split of the probe of each choice of positions in the pool."""
    test = open_for(run, data).splits["test"]
    with Supply({"test": test}, run.modality, data, seed=0, batch_size=512) as supply:
        seen = torch.cat([run.embeddings(x) for x, _ in supply.loaders["test"].in_order(512)])
    z = whitened(torch.cat([pool.features, seen])).numpy()
    y = np.concatenate([pool.samples.targets, test.targets])
    held = np.arange(len(pool.features), len(z))
    return {rule: [probe(z, y, few, held) for few in chosen] for rule, chosen in picks.items()}


def choices(pool: Pool, rules: list[str], count: int, seeds: int, size: int) -> dict:
    """Rule and seed → positions chosen, and the error on samples of train held out."""
    y = pool.samples.targets
    order = np.random.default_rng(0).permutation(len(y))
    held, rest = order[:HELD_OUT], order[HELD_OUT:]
    z = pool.space([], 0).z.numpy()
    found: dict = {}
    for seed in range(seeds):
        rows = np.sort(np.random.default_rng(seed).permutation(rest)[:size])
        part = Pool(pool.samples.take(rows), pool.features[torch.from_numpy(rows)], None, len(rows))
        for rule in [*rules, BALANCED]:
            begun = time.monotonic()
            if rule == BALANCED:
                own = Samples(np.zeros((len(rows), 1)), y[rows])
                chosen = budget.choose(
                    own, classes=True, labels=count, per_class=None, seed=seed, share=0.0
                ).train.tolist()
            else:
                chosen = part.choose(rule, count, [], seed)
            few = rows[chosen].tolist()
            error = probe(z, y, few, held)
            found[rule, seed] = few, error
            print(
                f"  seed {seed} {rule:16s} held-out train {error:6.2%}, {len(set(y[few]))} classes,"
                f" smallest {np.unique(y[few], return_counts=True)[1].min()},"
                f" {time.monotonic() - begun:.0f} s",
                flush=True,
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("data")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=5)
    first = [name for name in table if name not in ("margin", "entropy")]
    parser.add_argument("--rules", nargs="+", default=first)
    parser.add_argument("--finetune-steps", type=int, default=600)
    parser.add_argument("--pool", type=int, default=8_000)
    parser.add_argument("--quick", action="store_true", help="two seeds, few steps, a small pool")
    options = parser.parse_args()
    seeds = 2 if options.quick else options.seeds
    steps = 20 if options.quick else options.finetune_steps
    size = 500 if options.quick else options.pool
    options.out.mkdir(parents=True, exist_ok=True)
    run = load_run(options.run)
    data = config_of(DataConfig, {"path": options.data})
    dataset, _ = to_label(run, data)
    pool = pool_of(run, dataset, data, most=HELD_OUT + 2 * size)
    found = choices(pool, options.rules, options.labels, seeds, size)
    mean = {r: np.mean([found[r, s][1] for s in range(seeds)]) for r in [*options.rules, BALANCED]}
    for rule, error in sorted(mean.items(), key=lambda pair: pair[1]):
        print(f"  {rule:16s} mean error on held-out train {error:.2%}")
    best = min(options.rules, key=lambda rule: mean[rule])
    errors: dict[str, list[float]] = {best: [], BALANCED: []}
    if steps == 0:
        picks = {rule: [found[rule, seed][0] for seed in range(seeds)] for rule in errors}
        errors = tested_probes(run, data, pool, picks)
    for seed in range(seeds if steps else 0):
        for rule in (best, BALANCED):
            file = options.out / f"{rule.replace(', ', '-')}-{seed}.csv"
            write_list(file, [pool.names[i] for i in found[rule, seed][0]])
            out = file.with_suffix("")
            model = hs.load(out) if (out / "result.json").exists() else hs.finetune(
                options.data, start=options.run, labels_from=str(file), steps=steps, seed=seed,
                out=out, overwrite=True, **QUIET,
            )  # fmt: skip
            errors[rule].append(model.result["test"]["error"])
            print(f"  seed {seed} {rule:16s} test {errors[rule][-1]:.2%}", flush=True)
    print(
        f"{options.labels} labels of {options.data}, {seeds} seeds, fine-tuned {steps} steps, test"
    )
    for rule, values in errors.items():
        print(f"  {rule:16s} mean {np.mean(values):6.2%}  worst {max(values):6.2%}")
    print(f"  paired t-test: p = {ttest_rel(errors[best], errors[BALANCED]).pvalue:.3f}")


if __name__ == "__main__":
    main()
