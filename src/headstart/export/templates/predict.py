#!/usr/bin/env python3
"""Answers of a model that headstart exported, as CSV.

    ./predict.py new/*.png > answers.csv       pictures; or recordings, new/*.wav
    ./predict.py new.txt                       texts, one a line
    ./predict.py new.csv                       a table
    ./predict.py raw.npy --out answers.npz     raw samples or series [N, C, T], all outputs

Needs numpy and onnxruntime, Pillow for pictures, tokenizers for texts, soundfile for recordings; no
headstart, no PyTorch.
"""

import argparse
import csv
import sys

import numpy as np
from headstart_model import Model


def main():
    """Read, ask, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("inputs", nargs="+", help="files to answer for")
    parser.add_argument("--out", help="a .csv, or a .npz of all outputs; by default CSV to stdout")
    options = parser.parse_args()
    model = Model()
    outputs = model(model.read(options.inputs))
    if options.out and options.out.endswith(".npz"):
        np.savez(options.out, **outputs)
        return
    rows = list(model.rows(outputs))
    count = len(rows)
    names = options.inputs if count == len(options.inputs) else [str(i) for i in range(count)]
    file = open(options.out, "w", newline="") if options.out else sys.stdout  # noqa: SIM115
    with file:
        writer = csv.DictWriter(file, ["name", *rows[0]], lineterminator="\n")
        writer.writeheader()
        writer.writerows({"name": n, **row} for n, row in zip(names, rows))


if __name__ == "__main__":
    main()
