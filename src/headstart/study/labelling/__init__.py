"""The few labels chosen well: which samples to label first, and a page to label them on.

rules: the table of ways to choose, a file each kind (first: without a model; unsure: with one);
space: where samples are compared; choose: from a run and data to a list of samples; notebook:
labels on disk, a line each; session: what a labelling is about, its fine-tuning and next batch;
server: the local page; folder: what is left on disk.
"""

from __future__ import annotations

from headstart.tables import Table

table = Table(
    "labelling rule",
    {
        "covering": (
            "headstart.study.labelling.first:covering",
            "samples that most others lie close to, each time among those not covered yet",
        ),
        "typical": (
            "headstart.study.labelling.first:typical",
            "the densest sample of each cluster without a label, larger clusters first (TypiClust)",
        ),
        "far": (
            "headstart.study.labelling.first:far",
            "the sample farthest from all labelled ones, again and again (k-centre, CoreSet)",
        ),
        "random": ("headstart.study.labelling.first:at_random", "any samples"),
        "margin": (
            "headstart.study.labelling.unsure:margin",
            "samples whose two best classes are close, one a cluster of them; needs a model",
        ),
        "entropy": (
            "headstart.study.labelling.unsure:entropy",
            "samples whose answers are spread over classes, one a cluster; needs a model",
        ),
    },
)
