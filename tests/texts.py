"""What several test files share: a small real corpus, and networks on it.

The texts are sentences of Python's own documentation strings: real language, there on any machine.
"""

from __future__ import annotations

import re
from functools import cache

import torch

from headstart import backbones, objectives
from headstart.data.dataset import Samples
from headstart.data.texts import text_array
from headstart.modalities.text import Text, TextConfig
from headstart.settings import Faults, resolve


@cache
def sentences():
    import argparse
    import collections
    import logging
    import pathlib
    import random
    import unittest

    found = []
    for module in (argparse, collections, logging, pathlib, random, unittest):
        items = [item for item in vars(module).values() if hasattr(item, "__doc__")]
        items += [
            inner for item in items if isinstance(item, type) for inner in vars(item).values()
        ]
        for item in items:
            text = item.__doc__ if isinstance(item.__doc__, str) else ""
            found += [" ".join(part.split()) for part in re.split(r"(?<=\.)\s+", text)]
    return list(dict.fromkeys(text for text in found if 20 < len(text) < 300))


@cache
def modality(**settings):
    faults = Faults()
    config = resolve(TextConfig, {"vocabulary": 500, "window": 32, **settings}, faults)
    faults.raise_if_any()
    return Text.fit(Samples(text_array(sentences())), config)


@cache
def rows():
    """Token numbers `[N, T]`, as wide as the longest needs."""
    x, bad = modality().tensor(Samples(text_array(sentences())))
    assert not bad
    return modality().prepare(x)


def small(objective, backbone, spec=None, **settings):
    torch.manual_seed(0)
    spec = spec or modality().spec
    cls, base = objectives.table.load(objective), backbones.table.load(backbone)
    sizes = {"buckets": 512} if backbone == "ngram" else {"depth": 2}
    encoder = base(base.Config(width=32, dropout=0.0, **sizes), spec)
    return cls(cls.Config(**settings), encoder, spec)
