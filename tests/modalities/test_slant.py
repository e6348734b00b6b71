"""Writing set upright, against shears that are known."""

import pytest
import torch
import torch.nn.functional as F

from headstart.modalities.slant import lean, upright


def bar(slope, side=28):
    """A stroke 3 pixels wide that moves `slope` columns to the right for each row down."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    middle = side / 2 - 2 + slope * (y - side / 2)  # not in the middle of the picture
    drawn = ((1.5 - (x - middle).abs() + 0.5).clamp(0, 1)) * ((y > 5) & (y < side - 5))
    return drawn.float().view(1, 1, side, side)


@pytest.mark.parametrize("slope", [-0.6, -0.2, 0.0, 0.3, 0.7])
def test_the_lean_of_a_stroke_is_its_slope(slope):
    assert float(lean(bar(slope))) == pytest.approx(slope, abs=0.02)


@pytest.mark.parametrize("slope", [-0.5, 0.4])
@pytest.mark.parametrize("ground", [0.0, 0.7])
def test_upright_takes_back_its_share_of_the_lean_about_the_inks_middle(slope, ground):
    drawn = (ground - bar(slope)).abs()
    moved = (upright(drawn, share=1.0) - ground).abs()
    assert float(lean(moved)) == pytest.approx(0.0, abs=0.03)
    half = (upright(drawn) - ground).abs()
    assert float(lean(half)) == pytest.approx(slope / 2, abs=0.03)

    def middle(x):
        return (x.sum(dim=2) @ torch.arange(28.0)) / x.sum()

    torch.testing.assert_close(middle(moved), middle((drawn - ground).abs()), atol=0.1, rtol=0)


def test_what_has_no_ink_and_what_stands_upright_stay_as_they_are():
    for x in (torch.zeros(2, 3, 20, 30), bar(0.0), F.pad(bar(0.0), (0, 12))):
        torch.testing.assert_close(upright(x), x, atol=1e-4, rtol=0)
