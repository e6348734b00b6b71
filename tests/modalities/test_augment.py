import colorsys
import math

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from scipy import ndimage
from sklearn.datasets import load_sample_image

from headstart.data.dataset import Samples
from headstart.modalities.augment import Augmentation, AugmentConfig, choose, colour, elastic
from headstart.modalities.augment.blur import blur_by
from headstart.modalities.augment.erase import erase, rectangles
from headstart.modalities.augment.geometry import move, random_crops, random_maps
from headstart.modalities.augment.settings import NAMES
from headstart.modalities.image import Image, ImageConfig
from headstart.modalities.numeric import Numeric, NumericConfig
from samples import config_of, digits

CPU = torch.device("cpu")
PADDING = {"black": "constant", "edge": "edge", "mirror": "symmetric"}
ALL = {
    "rotate": 15, "shear": 0.2, "scale": 0.2, "shift": 0.1, "crop": 0.5, "flip": 0.5,
    "elastic": 0.04, "brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1,
    "grey": 0.3, "solarise": 0.3, "blur": 0.05, "noise": 0.1, "erase": 0.3,
}  # fmt: skip


def amounts(**some):
    usual = {"jitter_share": 1.0, "blur_share": 1.0, "erase_share": 1.0}
    return {**dict.fromkeys(NAMES, 0.0), **usual, **some}


def photos(count=4, height=24, width=32):
    """Pieces of a real photograph, float `[count, 3, height, width]` in 0..1."""
    china = torch.from_numpy(load_sample_image("china.jpg").copy()).permute(2, 0, 1) / 255
    rows = [china[:, 60 * i : 60 * i + height, 90 * i : 90 * i + width] for i in range(count)]
    return torch.stack(rows)


def in_pixels(places, length):
    """-1..1 as `grid_sample` counts → pixel numbers."""
    return ((places + 1) * length - 1) / 2


def cubic(picture, where, padding):
    """Keys' cubic convolution with a = -3/4 (1981, doi:10.1109/TASSP.1981.1163711), one by one."""
    wide = 3 * max(picture.shape)
    picture = np.pad(picture, wide, mode=padding)

    def weight(t):
        t = abs(t)
        if t <= 1:
            return 1.25 * t**3 - 2.25 * t**2 + 1
        return -0.75 * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0.0

    out = np.zeros(where[0].shape)
    for place in np.ndindex(out.shape):
        y, x = (float(w[place]) + wide for w in where)
        rows, columns = (range(int(np.floor(c)) - 1, int(np.floor(c)) + 3) for c in (y, x))
        out[place] = sum(
            weight(y - r) * weight(x - c) * picture[r, c] for r in rows for c in columns
        )
    return out.clip(0, 1)


@pytest.mark.parametrize("ground", ["black", "edge", "mirror"])
def test_moving_is_cubic_convolution_at_the_same_places(ground):
    x = photos()
    strengths = amounts(rotate=30, shear=0.3, scale=0.3, shift=0.2, crop=0.5, flip=0.5)
    torch.manual_seed(1)
    theta = random_maps(4, 24 / 32, strengths, CPU).double()
    torch.manual_seed(1)
    moved = move(x, strengths, ground)
    ys, xs = np.mgrid[0:24, 0:32]
    place = np.stack([(2 * xs + 1) / 32 - 1, (2 * ys + 1) / 24 - 1, np.ones(xs.shape)])
    for i in range(4):
        u, v = np.einsum("ij,jhw->ihw", theta[i].numpy(), place)
        where = [in_pixels(v, 24), in_pixels(u, 32)]
        expected = cubic(x[i, 1].numpy(), where, PADDING[ground])
        np.testing.assert_allclose(moved[i, 1].numpy(), expected, atol=2e-4)


def test_bending_is_cubic_convolution_at_the_same_places():
    x = photos()
    torch.manual_seed(2)
    random_maps(4, 24 / 32, amounts(), CPU)
    wobble = elastic.displacements(x, 0.08).numpy()
    torch.manual_seed(2)
    bent = move(x, amounts(elastic=0.08), "black")
    ys, xs = np.mgrid[0:24, 0:32]
    where = [ys + 24 * wobble[2, ..., 1], xs + 32 * wobble[2, ..., 0]]
    expected = cubic(x[2, 0].numpy(), where, "constant")
    np.testing.assert_allclose(bent[2, 0].numpy(), expected, atol=2e-4)


def test_elastic_fields_have_the_law_of_smoothed_noise():
    """Unit deviation; correlation exp(-d²/4σ²) at distance d, as noise under a Gaussian has."""
    weights = elastic.interpolation(56, CPU).double()
    covariance = weights @ weights.T
    assert torch.allclose(covariance.diagonal(), torch.ones(56, dtype=torch.float64))
    d = torch.arange(56).double() / 56
    expected = torch.exp(-(d**2) / (4 * elastic.SMOOTHNESS**2))
    assert torch.allclose(covariance[0], expected, atol=2e-2)


def test_turning_by_the_limits_keeps_angles_in_wide_pictures():
    theta = random_maps(1000, 0.5, amounts(rotate=30), CPU).double()  # 20 high, 40 wide
    pixels = theta[:, :, :2].clone()
    pixels[:, 0, 1] /= 0.5
    pixels[:, 1, 0] *= 0.5
    assert torch.allclose(pixels @ pixels.mT, torch.eye(2).double().expand(1000, 2, 2), atol=1e-5)
    degrees = torch.rad2deg(torch.atan2(pixels[:, 1, 0], pixels[:, 0, 0]))
    assert 28 < degrees.max() <= 30.001
    assert -30.001 <= degrees.min() < -28


def test_crops_keep_their_area_and_lie_within_the_picture():
    size, centre = random_crops(4000, 0.8, CPU)
    area = size.prod(dim=1)
    assert 0.2 <= area.min() < 0.22
    assert 0.98 < area.max() <= 1.0
    assert area.mean() == pytest.approx(0.6, abs=0.02)
    assert (centre.abs() + size <= 1 + 1e-6).all()
    shape = size[:, 0] / size[:, 1]
    assert shape.min() >= 3 / 4 - 1e-4
    assert shape.max() <= 4 / 3 + 1e-4


def test_mirroring_is_exact_and_touches_its_share():
    x = photos(1).expand(400, -1, -1, -1)
    flipped = move(x, amounts(flip=0.3), "black")
    mirrored = ((flipped - x.flip(3)).abs().amax((1, 2, 3)) < 1e-4).float().mean()
    same = ((flipped - x).abs().amax((1, 2, 3)) < 1e-4).float().mean()
    assert mirrored + same == 1
    assert mirrored == pytest.approx(0.3, abs=0.08)


@pytest.mark.parametrize("deviation", [0.4, 1.0, 3.0])
def test_blur_equals_scipy_renormalised_at_the_edge(deviation):
    x = photos(2).double()
    blurred = blur_by(x, torch.tensor([deviation, 0.0], dtype=torch.float64))

    def smooth(picture):
        return ndimage.gaussian_filter(picture, deviation, mode="constant", truncate=12)

    expected = smooth(x[0, 0].numpy()) / smooth(np.ones((24, 32)))
    np.testing.assert_allclose(
        blurred[0, 0].numpy(), expected, atol=1e-3 if deviation < 1 else 1e-6
    )
    assert torch.equal(blurred[1], x[1])


@pytest.mark.parametrize("turn", [0.3, -1.1, math.pi])
def test_hue_turns_the_chroma_of_yiq_as_colorsys_has_it(turn):
    matrix = colour.colour_matrix(torch.tensor([0.7]), torch.tensor([turn]))[0].double()
    for rgb in ((0.3, 0.5, 0.4), (0.6, 0.4, 0.5)):
        y, i, q = colorsys.rgb_to_yiq(*rgb)
        i, q = (
            0.7 * (math.cos(turn) * i - math.sin(turn) * q),
            0.7 * (math.sin(turn) * i + math.cos(turn) * q),
        )
        made = matrix @ torch.tensor(rgb, dtype=torch.float64)
        assert colorsys.rgb_to_yiq(*made.tolist()) == pytest.approx((y, i, q), abs=5e-3)


def test_grey_equals_pillow():
    x = photos(1)
    made = colour.jitter(x, amounts(grey=1.0))
    pixels = (x[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    expected = np.asarray(Pillow.fromarray(pixels).convert("L"), dtype=np.float32) / 255
    for channel in range(3):
        np.testing.assert_allclose(made[0, channel].numpy(), expected, atol=1.01 / 255)


def test_brightness_and_contrast_follow_their_definitions():
    x = 0.25 + photos(1, 8, 8).expand(64, -1, -1, -1) / 4  # far from both bounds
    torch.manual_seed(0)
    bright = colour.jitter(x, amounts(brightness=0.3))
    ratio = bright / x
    assert torch.allclose(ratio, ratio[:, :1, :1, :1].expand_as(ratio), atol=1e-4)
    assert 0.7 <= ratio.min() < 0.75
    assert 1.25 < ratio.max() <= 1.3001
    hard = colour.jitter(x, amounts(contrast=0.3))
    assert torch.allclose(colour.mean_luma(hard), colour.mean_luma(x), atol=1e-5)
    spread = hard.std(dim=(1, 2, 3)) / x.std(dim=(1, 2, 3))
    assert spread.min() < 0.75
    assert spread.max() > 1.25


def test_solarise_inverts_the_bright_half():
    x = torch.tensor([0.0, 0.4, 0.5, 0.9]).view(1, 1, 2, 2)
    made = colour.solarise(x, amounts(solarise=1.0))
    assert torch.allclose(made.flatten(), torch.tensor([0.0, 0.4, 0.5, 0.1]))


@pytest.mark.parametrize("ground", ["black", "mirror"])
def test_erasing_leaves_one_exact_rectangle(ground):
    x = 0.2 + 0.8 * torch.rand(300, 3, 20, 30)
    made = erase(x, amounts(erase=0.3), ground)
    fill = torch.zeros(300, 3) if ground == "black" else x.mean((2, 3))
    areas = []
    for i in range(300):
        changed = (made[i] != x[i]).any(0)
        ys, xs = torch.nonzero(changed, as_tuple=True)
        if len(ys) == 0:
            continue
        top, bottom, left, right = ys.min(), ys.max() + 1, xs.min(), xs.max() + 1
        assert changed[top:bottom, left:right].all()
        inner = made[i, :, top:bottom, left:right]
        assert torch.allclose(inner, fill[i].view(3, 1, 1).expand_as(inner))
        areas.append(float(changed.float().mean()))
    assert max(areas) <= 0.33  # rounding to whole pixels
    assert np.mean(areas) == pytest.approx(0.15, abs=0.03)


def test_erased_rectangles_reach_every_pixel_alike():
    covered = rectangles(torch.zeros(6000, 1, 12, 12), 0.25).float().mean(0)
    assert covered.min() > 0
    assert covered[0, 0] == pytest.approx(float(covered[-1, -1]), abs=0.02)


def test_noise_has_at_most_its_deviation():
    x = torch.full((500, 1, 16, 16), 0.5)
    deviation = colour.add_noise(x, amounts(noise=0.1)).std(dim=(1, 2, 3))
    assert deviation.max() < 0.12
    assert deviation.mean() == pytest.approx(0.05, abs=0.005)


@pytest.mark.parametrize("shape", [(3, 1, 8, 8), (2, 3, 8, 12), (2, 3, 33, 32), (2, 3, 224, 224)])
@pytest.mark.parametrize("ground", ["black", "edge", "mirror"])
def test_everything_together_keeps_shape_range_and_seed(shape, ground):
    x = torch.rand(shape)
    augment = Augmentation("photos", ground, {"weak": amounts(), "strong": amounts(**ALL)})
    torch.manual_seed(3)
    one = augment(x, "strong")
    torch.manual_seed(3)
    assert torch.equal(one, augment(x, "strong"))
    assert not torch.equal(one, augment(x, "strong"))
    assert one.shape == x.shape
    assert one.dtype == x.dtype
    assert one.min() >= 0
    assert one.max() <= 1 + 1e-6
    assert torch.equal(augment(x, "weak"), x)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith("_share")])
def test_each_strength_alone_changes_pictures_each_by_its_own_amount(name):
    x = photos(1).expand(16, -1, -1, -1)
    made = Augmentation("photos", "mirror", {"weak": amounts(**{name: ALL[name]}), "strong": {}})(x)
    change = (made - x).abs().mean((1, 2, 3))
    assert change.max() > 1e-3
    assert change.std() > 1e-4  # equal pictures in, different ones out


def test_a_share_of_zero_leaves_pictures_alone():
    x = photos()
    off = {"jitter_share": 0.0, "blur_share": 0.0, "erase_share": 0.0}
    some = {"brightness": 0.5, "hue": 0.1, "blur": 0.1, "erase": 0.5}
    made = Augmentation("photos", "mirror", {"weak": amounts(**some, **off), "strong": {}})(x)
    assert torch.allclose(made, x, atol=1e-5)


def test_digits_are_never_mirrored_and_their_ground_is_black():
    made = choose(AugmentConfig(), digits()[0])
    assert (made.kind, made.ground) == ("digits", "black")
    assert made.amounts["weak"]["flip"] == made.amounts["strong"]["flip"] == 0


def test_kinds_are_told_from_pictures(shared_data):
    from headstart.data.sources import open_dataset

    mnist = torch.from_numpy(open_dataset(str(shared_data / "mnist")).train.inputs[:500].copy())[
        :, None
    ]
    assert choose(AugmentConfig(), mnist).kind == "digits"
    paper = choose(AugmentConfig(), 255 - mnist)
    assert (paper.kind, paper.ground) == ("digits", "edge")
    china = (photos() * 255).to(torch.uint8)
    assert choose(AugmentConfig(), china).kind == "photos"
    discs = torch.zeros(10, 1, 28, 28, dtype=torch.uint8)
    discs[:, :, 6:22, 6:22] = 200
    assert choose(AugmentConfig(), discs).kind == "objects"


def test_single_strengths_override_the_set_and_survive_the_run_folder():
    config = config_of(
        ImageConfig, augment={"kind": "objects", "rotate": 20, "strong": {"rotate": 40, "flip": 0}}
    )
    pictures = digits()[0][:, 0].numpy()
    made = Image.fit(Samples(pictures), config)
    weak, strong = made.augmentation.amounts["weak"], made.augmentation.amounts["strong"]
    assert (weak["rotate"], strong["rotate"]) == (20, 40)
    assert (weak["flip"], strong["flip"]) == (0.5, 0)
    again = Image.from_state(made.state())
    assert again.augmentation == made.augmentation
    for strength in ("weak", "strong"):
        torch.manual_seed(0)
        one = made.augment(digits()[0][:8], strength)
        torch.manual_seed(0)
        assert torch.equal(one, again.augment(digits()[0][:8], strength))


def test_strong_augmentation_of_rows_swaps_its_share():
    rows = np.random.default_rng(0).normal(size=(500, 6))
    numeric = Numeric.from_state(Numeric.fit(Samples(rows), NumericConfig()).state())
    x, _ = numeric.tensor(Samples(rows))
    assert torch.equal(numeric.augment(x), x)
    changed = (numeric.augment(x, "strong") != x).float().mean()
    assert changed == pytest.approx(0.6, abs=0.04)


def test_coarse_digits_are_moved_less_than_fine_ones():
    turned = {
        side: choose(AugmentConfig(kind="digits"), torch.zeros(2, 1, side, side).byte()).amounts[
            "strong"
        ]["rotate"]
        for side in (8, 28)
    }
    assert turned[8] < turned[28]
