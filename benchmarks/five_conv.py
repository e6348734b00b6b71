"""The network of the SimCLR speed comparison: plain torch, so that both sides run the same."""

from __future__ import annotations

from torch import Tensor, nn

WIDTHS = (32, 64, 64, 64, 64)  # 0.13 M weights
SIDE = 32
PROJECTOR = (64, 256, 64)


class FiveConv(nn.Module):
    """Five 3×3 convolutions, the side halved between them: `[B, 3, 32, 32]` → `[B, 64]`."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for narrow, wide in zip((3, *WIDTHS), WIDTHS, strict=False):
            layers += [nn.Conv2d(narrow, wide, 3, padding=1, bias=False), nn.BatchNorm2d(wide)]
            layers += [nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Mean over places."""
        return self.layers(x).mean(dim=(2, 3))


def flops_of_a_step(images: int) -> float:
    """Multiply-adds (as 2 operations each) of the convolutions on two views of each image.

    Those with the zeros around a picture are not counted, for nobody computes them: on a side of 4
    they are 31 % of what kernel times pixels gives, on a side of 2 56 %. Forward, then backward to
    weights and to inputs: three times the forward, but the first layer owes its input no gradient.
    """
    total, side = 0.0, SIDE
    for i, (narrow, wide) in enumerate(zip((3, *WIDTHS), WIDTHS, strict=False)):
        taps = (3 * side - 2) ** 2  # of the kernel on pixels, over all places
        once = 2 * taps * narrow * wide
        total += once * (2 if i == 0 else 3)
        side //= 2
    return 2 * images * total
