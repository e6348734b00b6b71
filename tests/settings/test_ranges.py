"""Every number that can be set has a range, which is told, kept to, and wide enough for nothing to break."""

import dataclasses
import math
import typing

import numpy as np
import pytest
import torch

import headstart as hs
from headstart import backbones, objectives
from headstart.cli import main
from headstart.cli.parser import build_parser
from headstart.cli.reference import groups
from headstart.data.dataset import Samples
from headstart.data.splits import cut
from headstart.errors import UserError
from headstart.settings import Faults, Settings, as_plain, resolve, setting
from headstart.types import Batch, Spec, Vocabulary
from samples import digits

TRIED = (-1, 0, 2, math.nan, math.inf)


class Inner(Settings):
    """A group."""

    widths: tuple[int, ...] = setting((4,), "units", least=1)


class Outer(Settings):
    """One number of every kind."""

    share: float = setting(0.5, "of something", least=0, below=1)
    rate: float | None = setting(None, "how fast", above=0)
    part: float = setting(0.5, "of a whole", above=0, below=1)
    port: int = setting(80, "where", least=0, most=65_535)
    inner: Inner = setting(factory=Inner)


def faults_of(raw, cls=Outer, where=""):
    faults = Faults()
    resolve(cls, raw, faults, where)
    return faults.lines


def test_a_number_out_of_range_is_named_with_what_is_allowed_all_at_once():
    raw = {"share": 1, "rate": 0, "part": 1.0, "port": 65_536, "inner": {"widths": [3, 0]}, "x": 1}
    assert faults_of(raw, where="model")[:5] == [
        "setting 'model.share' is 1: it must be at least 0 and below 1.",
        "setting 'model.rate' is 0: it must be above 0.",
        "setting 'model.part' is 1.0: it must be between 0 and 1.",
        "setting 'model.port' is 65536: it must be 0 to 65,535.",
        "setting 'model.inner.widths.1' is 0: it must be at least 1.",
    ]
    assert "'model.x'" in faults_of(raw, where="model")[5]


def test_what_is_no_number_is_outside_every_range():
    assert faults_of({"rate": math.nan, "share": math.inf}) == [
        "setting 'share' is inf: it must be a finite number, at least 0 and below 1.",
        "setting 'rate' is nan: it must be a finite number, above 0.",
    ]
    assert faults_of({"inner": {"widths": []}}) == [
        "setting 'inner.widths' is []: it must hold one number at least."
    ]
    assert faults_of({"inner": {"widths": "24,48"}}) == [
        "setting 'inner.widths' is '24,48': it must be a list, [24,48]."
    ]


@pytest.mark.parametrize(
    "raw", [{"port": "80"}, {"port": True}, {"share": False}, {"share": "0.5"}]
)
def test_text_and_truth_are_no_numbers(raw):
    (line,) = faults_of(raw)
    assert line.startswith(f"setting '{next(iter(raw))}' is ")


def test_whole_numbers_are_numbers_and_numpys_are_too():
    made = resolve(Outer, {"share": 0, "port": np.int64(9), "rate": np.float32(2)}, Faults())
    assert (made.share, made.port, made.rate) == (0.0, 9, 2.0)
    assert type(made.share) is float
    assert type(made.port) is int


def test_the_help_prints_the_range(capsys):
    with pytest.raises(SystemExit):
        build_parser().parse_args(["finetune", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "validation_share" not in told
    assert "where there are 20 a class (at least 0 and below 1)" in told
    assert "of every random choice, the draw of labels too (0 to 2,147,483,647; default: 0)" in told


GROUPS = {name: cls for name, _, cls in groups()}


def numbers_of(cls):
    """The fields of `cls` and of the groups within it that hold numbers, and where they stand."""
    for field in dataclasses.fields(cls):
        hint = typing.get_type_hints(cls)[field.name]
        if isinstance(hint, type) and issubclass(hint, Settings):
            for path, inner, several in numbers_of(hint):
                yield (field.name, *path), inner, several
            continue
        parts = {hint, *typing.get_args(hint)}
        if parts & {int, float} or any({int, float} & set(typing.get_args(p)) for p in parts):
            yield (field.name,), field, typing.get_origin(hint) is tuple or "tuple" in str(hint)


def nested(path, value):
    for name in reversed(path):
        value = {name: value}
    return value


@pytest.mark.parametrize("group", GROUPS)
def test_every_number_has_a_range_that_holds_its_default(group):
    cls = GROUPS[group]
    assert [path for path, field, _ in numbers_of(cls) if field.metadata["range"] is None] == []
    assert resolve(cls, as_plain(cls()), faults := Faults()) is not None, faults.lines


@pytest.mark.parametrize("group", GROUPS)
def test_any_number_is_taken_or_named(group):
    for path, field, several in numbers_of(GROUPS[group]):
        for value in TRIED:
            lines = faults_of(nested(path, [value] if several else value), GROUPS[group])
            limits = field.metadata["range"]
            within = math.isfinite(value) and all(
                {"ge": value >= at, "le": value <= at, "gt": value > at, "lt": value < at}[name]
                for name, at in limits.constraints.items()
            )
            assert lines if not within else not lines, (path, value, lines)
            assert all(f"'{'.'.join(path)}" in line for line in lines)


def extremes(field, hint):
    """The smallest and largest numbers that a setting takes, and 1 and 2 if it takes them."""
    limits, whole = field.metadata["range"], "int" in str(hint)
    inside = {1, 2} if whole else {0.5, 1.0, 2.0}
    for limit, towards in (
        (limits.least, 0),
        (limits.most, 0),
        (limits.above, 1),
        (limits.below, -1),
    ):
        if limit is not None and (abs(limit) < 1e4 or field.name.endswith("seed")):
            inside.add(limit + towards * (1 if whole else 1e-6))
    named = {"ge": float.__ge__, "le": float.__le__, "gt": float.__gt__, "lt": float.__lt__}
    return sorted(
        v
        for v in inside
        if all(named[n](float(v), float(at)) for n, at in limits.constraints.items())
    )


WORDS = Vocabulary(
    size=40, pad=0, begin=1, end=2, mask=3, unknown=4, inside=(False,) * 40,
    spelling=("",) * 5 + tuple(f"w{i}" for i in range(35)), window=16,
)  # fmt: skip
KINDS = {
    "pictures": Spec("continuous", (1, 8, 8), low=0.0, high=1.0),
    "series": Spec("continuous", (2, 32), flagged=True),
    "waves": Spec("continuous", (1, 64), empty=0.0),
    "rows": Spec("mixed", (3,), cardinalities=(4,), edges=((-1.0, 0.0, 1.0), (-1.0, 1.0))),
    "texts": Spec("tokens", (16,), vocabulary=WORDS),
}
SMALL = {"transformer": {"depth": 1, "width": 16}, "causal": {"depth": 1, "width": 16}}


def some(kind, count=6):
    """Samples of a kind."""
    torch.manual_seed(0)
    spec = KINDS[kind]
    if kind == "texts":
        x = torch.randint(5, 40, (count, 16))
        x[:, 0], x[:, -1] = WORDS.begin, WORDS.end
        return x
    if kind == "rows":
        return torch.cat([torch.randn(count, 2), torch.randint(0, 4, (count, 1)).float()], dim=1)
    if kind == "series":
        return torch.cat([torch.randn(count, 1, 32), torch.ones(count, 1, 32)], dim=1)
    return torch.rand(count, *spec.shape)


def network(name, kind, **settings):
    cls = backbones.table.load(name)
    faults = Faults()
    config = resolve(cls.Config, {**SMALL.get(name, {}), **settings}, faults, "backbone")
    faults.raise_if_any()
    return cls(config, KINDS[kind])


def fitting(cls, needs=None):
    """A kind of samples, and a network for it, that suit a backbone or an objective."""
    for kind, spec in KINDS.items():
        if spec.kind not in cls.reads:
            continue
        for name in ("mlp", *backbones.table) if needs else (cls,):
            made = backbones.table.load(name) if needs else cls
            if needs and not (issubclass(made, needs) and spec.kind in made.reads):
                continue
            try:
                found = network(name, kind) if needs else made(made.Config(), spec)
                found(Batch(some(kind)))
            except UserError:
                continue
            return kind, name
    raise AssertionError("nothing suits it")


def step_of(learner, x):
    """What one step of every player is, as the engine takes it."""
    learner.train()
    many = torch.cat([x] * learner.views)
    noisy = many + 0.05 * torch.randn_like(many) if learner.views > 1 else many
    for player in learner.players():
        step = learner(Batch(noisy, views=learner.views, clean=x), player=player, progress=0.5)
        step.loss.backward()
    learner.after_step(0.5)


def cases(cls):
    for path, field, several in numbers_of(cls):
        for value in extremes(field, typing.get_type_hints(cls)[field.name]):
            yield nested(path, [value] if several else value)


@pytest.mark.parametrize("name", backbones.table)
def test_a_backbone_stands_the_extremes(name):
    cls = backbones.table.load(name)
    kind, _ = fitting(cls)
    for case in cases(cls.Config):
        try:
            made = network(name, kind, **case)
        except UserError:
            continue
        try:
            made.train()(Batch(some(kind))).pooled.sum().backward()
        except Exception as error:
            raise AssertionError(f"{case}: {error!r}") from error


@pytest.mark.parametrize("name", objectives.table)
def test_an_objective_stands_the_extremes(name):
    cls = objectives.table.load(name)
    kind, encoder = fitting(cls, cls.needs)
    for case in cases(cls.Config):
        faults = Faults()
        config = resolve(cls.Config, case, faults, "objective")
        faults.raise_if_any()
        try:
            learner = cls(config, network(encoder, kind), KINDS[kind])
        except UserError:
            continue
        try:
            step_of(learner, some(kind))
        except Exception as error:
            raise AssertionError(f"{case}: {error!r}") from error


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Sixty samples of each kind, as files."""
    folder = tmp_path_factory.mktemp("sources")
    x, y = (part[:60].numpy() for part in digits())
    np.savez(folder / "pictures.npz", x=x[:, 0], y=y % 2)
    np.savez(folder / "series.npz", x=x.reshape(60, 1, 64).astype(np.float32), y=y % 2)
    lines = [
        f"{a},{b},{c},{'ab'[c % 2]}"
        for a, b, c in zip(x[:, 0, 2, 2], x[:, 0, 3, 4], y, strict=True)
    ]
    (folder / "rows.csv").write_text("\n".join(["p,q,r,label", *lines]) + "\n")
    return {
        "image": [str(folder / "pictures.npz"), "--backbone", "mlp", "--set", "backbone.widths=[4]"],
        "series": [str(folder / "series.npz"), "--kind", "series", "--backbone", "tcn"],
        "table": [str(folder / "rows.csv"), "--target", "label", "--no-baselines"],
    }  # fmt: skip


# What would make a run another one (or a long one), not a stranger one.
LEFT = {"batch_size", "threads", "patience", "labels", "labels_per_class", "validation_share",
        "workers", "length", "size", "mean", "std", "rare", "lora"}  # fmt: skip


@pytest.mark.parametrize("end", ["least", "most"])
@pytest.mark.parametrize(
    "asked",
    [
        ["image"],
        ["image", "--unlabelled", "self-train"],
        ["image", "--unlabelled", "self-train", "--set", "self_training.graph=false"],
        ["image", "--unlabelled", "vat"],
        ["series"],
        ["table"],
    ],
    ids=" ".join,
)
def test_a_run_stands_all_extremes_at_once(sources, tmp_path, capsys, asked, end):
    kind, *more = asked
    chosen = ["training", "finetune", "finetune mode", "task classification", f"modality {kind}",
              "self_training", "vat"]  # fmt: skip
    for name, prefix, cls in groups():
        for path, field, _ in numbers_of(cls) if name in chosen else ():
            # `training` and `data` have groups of their own; only pictures are cut, and batches of
            # two views are not.
            own = len(path) == 1 or name.startswith("modality")
            odd = "cutmix" if kind != "image" else "accumulate" if "self-train" in asked else ""
            if own and path[-1] not in (*LEFT, odd):
                found = extremes(field, field.type)
                value = found[0] if end == "least" else found[-1]
                more += ["--set", f"{prefix}{'.'.join(path)}={value!r}"]
    code = main(
        ["finetune", *sources[kind], *more, "--labels", "30", "--steps", "2", "--no-report",
         "--out", str(tmp_path / "r")]
    )  # fmt: skip
    told = capsys.readouterr().err
    assert "fine-tuning on" in told, told  # whatever it says, it says it in training
    assert code == 0 or (end == "most" and code == 2), told  # what is largest may diverge


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("seed=-1", "'seed' is -1: it must be 0 to 2,147,483,647"),
        ("task.dropout=2", "'task.dropout' is 2: it must be at least 0 and below 1"),
        ("task.label_smoothing=3", "'task.label_smoothing' is 3: it must be"),
        ("self_training.share=1.5", "'self_training.share' is 1.5: it must be between 0 and 1"),
        ("self_training.share=0", "'self_training.share' is 0: it must be between 0 and 1"),
        ("self_training.rounds=0", "'self_training.rounds' is 0: it must be at least 1"),
        ("training.ema=2", "'training.ema' is 2: it must be at least 0 and below 1"),
        ("training.lr=nan", "'training.lr' is "),
    ],
)
def test_what_cannot_be_is_the_users_mistake(sources, tmp_path, capsys, setting, says):
    code = main(["finetune", *sources["image"], "--set", setting, "--out", str(tmp_path / "r")])
    assert code == 2
    assert says in capsys.readouterr().err


def test_neither_part_of_a_split_is_empty():
    samples = Samples(np.zeros((30, 2)), np.arange(30) % 2)
    for share, held in ((1e-6, 1), (0.5, 15), (1 - 1e-6, 29)):
        kept, apart = cut(samples, share, seed=0)
        assert (len(kept), len(apart)) == (30 - held, held)


def test_from_python_too():
    with pytest.raises(UserError, match="'labels' is 0: it must be at least 1"):
        hs.finetune("digits", labels=0)
