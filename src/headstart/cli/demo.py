"""`demo`."""

from __future__ import annotations

from argparse import Namespace

from headstart.cli.output import print_json, print_table
from headstart.errors import UserError
from headstart.training.display import progress_display, speaker


def demo(options: Namespace) -> None:
    """`headstart demo`."""
    from headstart.report import build
    from headstart.workflows.demo import LABELS_PER_CLASS
    from headstart.workflows.demo import demo as work

    if options.draws < 1:
        raise UserError(f"--draws must be at least 1, not {options.draws}.")
    say = speaker(quiet=options.quiet)
    with progress_display(quiet=options.quiet) as display:
        found = work(options.out, seed=options.seed, draws=options.draws, display=display, say=say)
    say("drawing the reports")
    pages = [build(found[name]) for name in ("pretrained_run", "finetuned_run")]
    if options.json:
        print_json({**found, "reports": [str(page) for page in pages]})
        return
    shown = [("pre-trained, then fine-tuned", "pretrained"), ("from scratch", "scratch")]
    heading = [f"{LABELS_PER_CLASS} labels a class of digits", "test accuracy", "each draw"]
    rows = [
        [
            title,
            f"{found[name]['mean']:.2%}",
            "  ".join(f"{accuracy:.2%}" for accuracy in found[name]["accuracies"]),
        ]
        for title, name in shown
    ]
    print()
    print_table([heading, *rows])
    gain = found["pretrained"]["mean"] - found["scratch"]["mean"]
    print(
        f"\nPre-training {'added' if gain >= 0 else 'cost'} {abs(gain) * 100:.1f} points,"
        f" over {options.draws} draws of labels, in {found['seconds']:.0f} s."
    )
    print("Open these in a browser:")
    for page in pages:
        print(f"  {page.resolve().as_uri()}")
    say("Next: headstart inspect DATA, then headstart pretrain DATA --out runs/pretrained")
