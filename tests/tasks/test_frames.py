"""Outputs for the parts of samples: what is gathered, and how long each sample is."""

import torch

from headstart.tasks import frames
from headstart.types import Features


def test_the_tokens_asked_about_are_moved_to_the_left_in_order():
    torch.manual_seed(0)
    tokens = torch.randn(3, 6, 2)
    asked = torch.tensor([[0, 1, 0, 1, 1, 0], [0, 0, 0, 0, 0, 1], [0] * 6]).bool()
    found = frames.gathered(Features(tokens[:, 0], tokens), asked)
    assert found.tokens.shape == (3, 3, 2)
    for row, part, mask, there in zip(tokens, found.tokens, asked, found.mask, strict=True):
        assert torch.equal(part[there], row[mask])


def test_without_a_question_all_tokens_that_are_there_are_answered():
    tokens = torch.randn(2, 4, 2)
    mask = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0]]).bool()
    found = frames.gathered(Features(tokens[:, 0], tokens, mask), None)
    assert found.tokens.shape[1] == 3
    assert torch.equal(found.mask, mask[:, :3])
    assert frames.gathered(Features(tokens[:, 0], tokens), None).mask.all()


def test_outputs_of_batches_of_different_widths_keep_their_lengths():
    parts = []
    for counts in ([2, 4], [1, 0, 3]):
        there = torch.arange(max(counts)) < torch.tensor(counts)[:, None]
        parts.append(frames.blanked(torch.randn(*there.shape, 5), there))
    whole = frames.joined(parts)
    assert whole.shape == (5, 4, 5)
    assert frames.lengths(whole).tolist() == [2, 4, 1, 0, 3]
    flat = [torch.randn(2, 3), torch.randn(4, 3)]
    assert torch.equal(frames.joined(flat), torch.cat(flat))


def test_no_gradient_comes_from_frames_that_are_not_there():
    raw = torch.randn(2, 3, 4, requires_grad=True)
    there = torch.tensor([[1, 1, 0], [1, 0, 0]]).bool()
    outputs = frames.blanked(raw, there)
    outputs[frames.present(outputs)].square().sum().backward()
    assert raw.grad.isfinite().all()
    assert torch.equal(raw.grad.abs().sum(dim=2) > 0, there)
