"""Waves `[B, L]` changed, each by its own random amounts; `lengths` `[B]` say where each ends."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from headstart.modalities.augment.draws import between, chance, rand, randn
from headstart.modalities.strengths import Amounts

WAVES = 6  # cosines over the bands that make an equaliser's curve
TILTS = 2.0  # noise lies between white and one whose power falls with the square of the pitch
QUIETEST = 0.05  # softest reverberation, as a share of what comes straight


def inside(x: Tensor, lengths: Tensor) -> Tensor:
    """`[B, L]`: which samples lie before the end of their recording."""
    return torch.arange(x.shape[1], device=x.device) < lengths[:, None]


def speeded(x: Tensor, lengths: Tensor, limit: float) -> tuple[Tensor, Tensor]:
    """Played faster or slower, so that pitch changes as well; what runs over the row is cut.

    limit: of the log of the factor, drawn evenly either way. Cubic interpolation (Catmull and Rom).
    """
    b, size = x.shape
    factor = torch.exp(between(b, limit, x.device))  # above 1: faster
    # Slower only as far as there is room: a cut word would be another word.
    factor = factor.maximum((lengths / size).clamp(max=1.0))
    at = torch.arange(size, device=x.device) * factor[:, None]  # [B, L], places in the original
    low = at.floor()
    t = at - low
    index = (low.long()[:, :, None] + torch.arange(-1, 3, device=x.device)).clamp(0, size - 1)
    p0, p1, p2, p3 = x.gather(1, index.flatten(1)).view(b, size, 4).unbind(2)
    curve = p1 + 0.5 * t * (
        p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0))
    )
    shorter = (lengths / factor).floor().long().clamp(1, size)
    return curve * inside(x, shorter), shorter


def shifted(x: Tensor, lengths: Tensor, most: float) -> tuple[Tensor, Tensor]:
    """Begun later, by at most `most` samples, as far as there is room at the end."""
    b, size = x.shape
    room = (size - lengths).clamp(max=most)
    start = (rand(b, device=x.device) * (room + 1)).floor().long()
    index = torch.arange(size, device=x.device) - start[:, None]
    moved = x.gather(1, index.clamp(min=0)) * (index >= 0)
    return moved, lengths + start


def filtered(x: Tensor, lengths: Tensor, rate: int, amounts: Amounts) -> Tensor:
    """Heard in a room, and through a microphone that prefers some pitches: both in one product.

    A room answers with noise that dies away exponentially (Moorer, 1979); the equaliser's curve is
    a sum of cosines over the logarithm of pitch.
    """
    b, size = x.shape
    longest = math.ceil(amounts["room"] * rate)
    answer = torch.fft.rfft(x, size + longest)  # [B, F]
    if amounts["room"]:
        answer = answer * torch.fft.rfft(_rooms(b, longest, amounts, x.device), size + longest)
    if amounts["equaliser"]:
        answer = answer * _curves(b, answer.shape[1], amounts["equaliser"], x.device)
    heard: Tensor = torch.fft.irfft(answer, size + longest)[:, :size] * inside(x, lengths)
    # As loud as before: only the colour changes here.
    before, after = (w.square().sum(1, keepdim=True) for w in (x, heard))
    return heard * torch.sqrt(before / after.clamp(min=1e-12))


def _rooms(b: int, longest: int, amounts: Amounts, device: torch.device) -> Tensor:
    """Responses `[B, longest]`: a click, and for a share of recordings what follows it."""
    time = torch.arange(longest, device=device) / longest
    dying = 0.1 + 0.9 * rand(b, device=device)  # of the longest reverberation
    decay = torch.exp(-math.log(1_000) * time / dying[:, None])  # 60 dB at its end
    loud = QUIETEST + (0.5 - QUIETEST) * rand(b, device=device)
    tail = randn(b, longest, device=device) * decay
    tail = tail / tail.square().sum(1, keepdim=True).sqrt() * loud[:, None]
    tail = tail * chance(b, amounts["room_share"], device)[:, None]
    tail[:, 0] = 1.0
    return tail


def _curves(b: int, bands: int, decibels: float, device: torch.device) -> Tensor:
    """Gains `[B, bands]` that wave smoothly, by at most about so many decibels."""
    pitch = torch.log1p(torch.arange(bands, device=device) / bands * 30) / math.log(31)  # 0..1
    waves = torch.arange(1, WAVES + 1, device=device)
    height = (2 * rand(b, WAVES, device=device) - 1) / waves.sqrt()
    phase = 2 * math.pi * rand(b, WAVES, device=device)
    # cos(a + φ) = cos a · cos φ − sin a · sin φ: the cosines of bands are taken once for all.
    angle = math.pi * waves[:, None] * pitch  # [WAVES, bands]
    curve = (height * phase.cos()) @ angle.cos() - (height * phase.sin()) @ angle.sin()
    curve = curve * 2 / math.sqrt(WAVES)  # [B, bands]
    gains: Tensor = torch.pow(10.0, curve.clamp(-1, 1) * decibels / 20)
    return gains


def louder(x: Tensor, decibels: float) -> Tensor:
    """Each louder or softer by at most so many decibels."""
    return x * torch.pow(10.0, between(len(x), decibels, x.device) / 20)[:, None]


def noisy(x: Tensor, lengths: Tensor, amounts: Amounts) -> Tensor:
    """Noise of a random colour added to a share of them, as loud as `noise` times a recording."""
    b, size = x.shape
    white = torch.fft.rfft(randn(b, size, device=x.device))
    pitch = torch.linspace(1 / size, 1, white.shape[1], device=x.device)
    tilt = TILTS * rand(b, device=x.device) / 2
    noise: Tensor = torch.fft.irfft(white * pitch.pow(-tilt[:, None]), size)
    noise = noise / noise.square().mean(1, keepdim=True).sqrt()
    power = x.square().sum(1) / lengths.clamp(min=1)  # behind the end all is silent
    loud = amounts["noise"] * power.sqrt() * rand(b, device=x.device)
    loud = loud * chance(b, amounts["noise_share"], x.device)
    return x + noise * loud[:, None] * inside(x, lengths)


def mixed(x: Tensor, lengths: Tensor, amounts: Amounts) -> Tensor:
    """Another recording of the batch beneath a share of them (as in BYOL-A, arXiv:2103.06695)."""
    loud = amounts["mix"] * rand(len(x), device=x.device)
    loud = loud * chance(len(x), amounts["mix_share"], x.device)
    return x + x.roll(1, dims=0) * loud[:, None] * inside(x, lengths)
