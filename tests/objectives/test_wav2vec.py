import torch

from headstart.backbones.wave import Wave, WaveConfig
from headstart.objectives.wav2vec import Wav2Vec, Wav2VecConfig, contrast, hidden_spans
from headstart.types import Batch, Spec


def test_contrast_is_info_nce_written_out():
    torch.manual_seed(0)
    g, z = torch.randn(2, 5, 3), torch.randn(2, 5, 3)
    there = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]).bool()
    hidden = torch.tensor([[0, 1, 1, 0, 0], [1, 0, 0, 0, 0]]).bool()
    terms = []
    for b, i in hidden.nonzero().tolist():
        cosines = [
            torch.cosine_similarity(g[b, i], z[b, j], dim=0) / 0.1 for j in range(5) if there[b, j]
        ]
        terms.append(-torch.log_softmax(torch.stack(cosines), 0)[i])
    loss, _ = contrast(g, z, hidden, there, 0.1)
    torch.testing.assert_close(loss, torch.stack(terms).mean())


def test_about_the_share_is_hidden_in_spans_and_never_beyond_the_end():
    torch.manual_seed(0)
    there = torch.arange(200)[None] < torch.full((64, 1), 150)
    hidden = hidden_spans(there, 0.5, 5)
    assert not (hidden & ~there).any()
    assert abs(float(hidden[there].float().mean()) - 0.5) < 0.03
    assert hidden_spans(there[:, :3], 1e-6, 2).any(dim=1).all()


def test_a_step_weighs_what_is_hidden():
    spec = Spec("continuous", (1, 64), empty=0.0)
    encoder = Wave(WaveConfig(widths=(8, 8), strides=(2, 2), context=1, reach=3), spec)
    x = torch.randn(2, 1, 64)
    x[0, :, 4:] = 0  # of one frame, which is hidden in any case
    learner = Wav2Vec(Wav2VecConfig(hidden=0.9999, span=1), encoder, spec)
    assert learner(Batch(x), player="all", progress=0.0).weight == 1 + 16


def test_hidden_frames_of_a_rhythm_are_found():
    """What is hidden can be told from what surrounds it where sounds follow a rule."""
    torch.manual_seed(0)
    spec = Spec("continuous", (1, 640), empty=0.0)
    encoder = Wave(WaveConfig(widths=(16, 32), strides=(8, 4), context=2, reach=9), spec)
    learner = Wav2Vec(Wav2VecConfig(hidden=0.3, span=1), encoder, spec)
    optimiser = torch.optim.Adam(learner.parameters(), 3e-3)
    time = torch.arange(640.0)
    found = []
    for _ in range(80):
        phase = torch.rand(32, 1) * 640
        x = torch.sin(((time + phase) / 640) * 2 * torch.pi * 40 * (1 + (time + phase) / 640))
        step = learner(Batch(x[:, None] + 0.05), player="all", progress=0.0)
        optimiser.zero_grad()
        step.loss.backward()
        optimiser.step()
        found.append(float(step.logs["found"]))
    assert sum(found[-10:]) / 10 > 0.2  # by chance: 1 of 20
