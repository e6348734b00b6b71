"""Recordings on the page, to be listened to: the worst mistakes, and what augmentation does."""

from __future__ import annotations

import base64
import io
import wave

import torch
from torch import Tensor

from headstart.modalities.audio import Audio
from headstart.report.page import Passage, Word
from headstart.workflows.loaded import LoadedRun

SHOWN = 12  # mistakes
AUGMENTED = 4  # recordings
LONGEST = 10  # seconds of each that go into the page
HEARD = 0.3  # root mean square of what is played: the common level is a soft one


def mistakes(run: LoadedRun, x: Tensor, outputs: Tensor, targets: Tensor) -> Passage | None:
    """The recordings whose answers are most wrong; None where every answer is right.

    x: compact `[N, L]`; outputs: of the task's head; targets: encoded.
    """
    task, modality = run.task, run.modality
    assert task is not None
    assert isinstance(modality, Audio)
    rows = []
    for i in task.worst(outputs, targets, SHOWN):
        sound = played(modality.heard(x[i : i + 1])[0], modality.reading.rate)
        rows.append([[Word(task.verdict(outputs[i], targets[i]))], [Word("", sound=sound)]])
    if not rows:
        return None
    return Passage(
        "Worst mistakes, to listen to", ["true → predicted", "as it was read"], rows,
        "Listen for wrong labels, cut-off words, noise, and voices that train has not.",
    )  # fmt: skip


def augmented(run: LoadedRun, x: Tensor) -> Passage:
    """Recordings as they are, and as weak and strong augmentation make them."""
    modality = run.modality
    assert isinstance(modality, Audio)
    x, rate = x[:AUGMENTED], modality.reading.rate
    torch.default_generator.manual_seed(0)
    columns = [modality.heard(x), modality.heard(x, "weak"), modality.heard(x, "strong")]
    rows = [
        [[Word("", sound=played(one[i], rate))] for one in columns] for i in range(len(x))
    ]  # fmt: skip
    return Passage(
        "What augmentation makes of recordings", ["as it is", "weakly", "strongly"], rows,
        "You should understand every one; where you cannot, the network is asked too much: lower"
        " the strengths (--set modality.augment.noise=0.02). Bands of pitch are stretched and"
        " hidden afterwards, in the map, which cannot be played.",
    )  # fmt: skip


def played(samples: Tensor, rate: int) -> str:
    """Samples `[n]` in -1..1 as a `data:` address of a WAV file, loud enough to be heard."""
    samples = samples[: LONGEST * rate].double()
    power = float(samples.square().mean().sqrt()) if len(samples) else 0.0
    gain = min(HEARD / power, 1 / float(samples.abs().max())) if power > 0 else 1.0
    whole = (samples * gain * 32_767).round().clamp(-32_768, 32_767).short().numpy()
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(whole.astype("<i2").tobytes())
    return "data:audio/wav;base64," + base64.b64encode(file.getvalue()).decode()
