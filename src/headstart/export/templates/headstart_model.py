"""A model that headstart exported, without headstart or PyTorch: NumPy and ONNX Runtime.

    from headstart_model import Model
    model = Model()                 # the folder that this file lies in
    model(model.read(["new.png"]))  # outputs by name, each [N, ...]

Pictures also need Pillow, texts `tokenizers`, recordings soundfile (and SciPy to resample them).
"""

import csv
import json
from pathlib import Path

import numpy as np
import onnxruntime

HERE = Path(__file__).resolve().parent
TAIL = 3.0  # deviations that a number outside what was learned from may be out
MISSING = {"", "NA", "nan", "NaN", "?", "null", "NULL"}  # cells that hold nothing
REAL = {"tensor(float)": np.float32, "tensor(double)": np.float64}


class Model:
    """Raw samples in, answers out. about: what goes in and what comes out."""

    def __init__(self, folder=HERE):
        path = Path(folder) / "model.onnx"
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        kept = self.session.get_modelmeta().custom_metadata_map
        self.about = json.loads(kept["headstart"])
        self.input = self.session.get_inputs()[0]
        self.classes = self.about["classes"]
        self.kind = self.about["modality"]
        task = self.about["preprocessing"].get("task") or {}
        favour = task.get("favour", {})  # log-odds that classes are given when one is answered
        self.favour = np.exp([favour.get(str(c), 0.0) for c in self.classes or []])
        self.tokenizer = None
        if self.kind == "text":
            from tokenizers import Tokenizer

            self.tokenizer = Tokenizer.from_file(str(path.with_name("model.tokenizer.json")))

    def __call__(self, raw, batch=64):
        """Raw samples [N, ...] -> outputs by name, each [N, ...]."""
        names = self.about["outputs"]
        raw = np.asarray(raw, REAL.get(self.input.type))
        parts = [
            self.session.run(names, {self.input.name: raw[i : i + batch]})
            for i in range(0, len(raw), batch)
        ]
        return {n: np.concatenate(values) for n, values in zip(names, zip(*parts, strict=True))}

    def rows(self, outputs):
        """Answers as rows for a file: the answer first."""
        if "probabilities" in outputs:
            for chances in outputs["probabilities"]:
                named = {f"probability_{c}": float(p) for c, p in zip(self.classes, chances)}
                if self.about["task"] == "multilabel":
                    said = [
                        c for c, p in zip(self.classes, chances) if p >= self.about["threshold"]
                    ]
                    yield {"labels": "|".join(said) or "|", **named}
                else:
                    yield {"label": self.classes[int((chances * self.favour).argmax())], **named}
        elif "prediction" in outputs:
            yield from ({"prediction": float(value)} for value in outputs["prediction"])
        else:
            name = self.about["outputs"][0]
            for values in outputs[name]:
                yield {f"{name}_{i}": float(v) for i, v in enumerate(np.ravel(values))}

    # What samples are made of

    def texts(self, texts):
        """Strings -> token numbers [N, T]."""
        encoded = self.tokenizer.encode_batch(list(texts))
        return np.array([one.ids for one in encoded], np.int64)

    def pictures(self, paths):
        """Picture files -> uint8 [N, C, H, W]."""
        from PIL import Image, ImageOps

        height, width = self.about["input"]["size"]
        mode = "L" if self.about["input"]["channels"] == 1 else "RGB"
        found = []
        for path in paths:
            with Image.open(path) as image:
                image.draft(None, (2 * max(height, width),) * 2)
                picture = ImageOps.exif_transpose(image)
                if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
                    picture = picture.convert("RGBA")
                    white = Image.new("RGBA", picture.size, "white")
                    picture = Image.alpha_composite(white, picture)
                picture = picture.convert(mode)
                if picture.size != (width, height):
                    picture = picture.resize(
                        (width, height), Image.Resampling.BILINEAR, reducing_gap=2.0
                    )
                pixels = np.array(picture, np.uint8)
            found.append(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))
        return np.stack(found)

    def table(self, rows):
        """Rows (a dict a row, cells as text, number or None) -> prepared columns [N, F]."""
        state = self.about["preprocessing"]
        if "columns" not in state:  # rows of numbers
            return np.array([[float(v) for v in row.values()] for row in rows], np.float64)
        numbers, codes = [], []
        for column in state["columns"]:
            cells = [row.get(column["name"]) for row in rows]
            cells = ["" if c is None else str(c).strip() for c in cells]
            cells = ["" if c in MISSING else c for c in cells]
            if column["kind"] in ("category", "boolean"):
                known = {value: 2 + i for i, value in enumerate(column["values"])} | {"": 0}
                called = [_called(c) if column["numeric"] else c for c in cells]
                if column["kind"] == "boolean":  # true is True
                    folded = {value.lower(): code for value, code in known.items()}
                    called = [c if c in known else c.lower() for c in called]
                    known = folded | known
                codes.append([known.get(c, 1) for c in called])
                continue
            if column["kind"] != "number":
                raise SystemExit(f"column {column['name']}: dates need headstart itself")
            values = np.array([float(c) if c else np.nan for c in cells])
            numbers.append(np.nan_to_num(_mapped(values, column["at"], column["to"])))
            if column["gaps"]:
                codes.append(np.where(np.isnan(values), 0, 2))
        return np.array(numbers + codes, np.float32).T

    def sounds(self, paths):
        """Recordings -> int16 [N, 2 + L]."""
        import soundfile
        from headstart_hearing import row

        found = []
        for path in paths:
            with soundfile.SoundFile(str(path)) as file:

                def read(start, count, file=file):
                    file.seek(start)
                    return file.read(count, "float32", always_2d=True).mean(axis=1)

                found.append(
                    row(read, file.frames, file.samplerate, **self.about["input"]["reading"])
                )
        return np.stack(found)

    def series(self, series):
        """Arrays [C, T], or [T] where there is one channel -> float32 [N, C, T], NaN at the end."""
        channels, length = (self.about["input"][name] for name in ("channels", "length"))
        cuts, missing = (self.about["preprocessing"][name] for name in ("cuts", "flagged"))
        found = np.full((len(series), channels, length), np.nan, np.float32)
        for i, one in enumerate(series):
            values = np.atleast_2d(np.asarray(one, np.float32))
            if len(values) != channels or (values.shape[1] > length and not cuts):
                raise SystemExit(
                    f"series {i} is of {len(values)} channels, {values.shape[1]} steps;"
                    f" {channels} channels of at most {length} steps were expected"
                )
            found[i, :, : values.shape[1]] = values[:, :length]
        if np.isnan(found).any() and not missing:
            raise SystemExit("values are missing, or steps; the model has learned of whole series")
        return found

    def read(self, inputs):
        """Files -> raw samples: pictures, recordings, .txt (a text a line), .csv, .npy."""
        paths = [Path(one) for one in inputs]
        if paths[0].suffix == ".npy":
            raw = np.concatenate([np.load(path) for path in paths])
            return self.series(raw) if self.kind == "series" else raw
        if self.kind == "image":
            return self.pictures(paths)
        if self.kind == "audio":
            return self.sounds(paths)
        if self.kind == "text":
            return self.texts(
                line for p in paths for line in p.read_text("utf-8").splitlines() if line.strip()
            )
        if self.kind == "table":
            rows = []
            for path in paths:
                with path.open(newline="", encoding="utf-8") as file:
                    rows += list(csv.DictReader(file))
            return self.table(rows)
        raise SystemExit(f"samples of kind {self.kind} are given as .npy: {self.about['input']}")


def _called(cell):
    """What a category is called whose values are numbers: whole ones without a point."""
    try:
        number = float(cell)
    except ValueError:
        return cell
    return str(int(number)) if number == int(number) else repr(number)


def _mapped(values, at, to):
    """Along a curve; outside it goes on as its ends do, a few deviations at most."""
    if len(at) < 2:
        return np.where(np.isnan(values), np.nan, to[0])
    found = np.interp(values, at, to)
    slope = (to[-1] - to[0]) / (at[-1] - at[0])
    found = np.where(values > at[-1], to[-1] + np.minimum(slope * (values - at[-1]), TAIL), found)
    return np.where(values < at[0], to[0] + np.maximum(slope * (values - at[0]), -TAIL), found)
