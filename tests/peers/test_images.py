"""Images as inputs of the command line against Pillow and torchvision: the same numbers, to the last bit but in one place."""

import pathlib

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

import slipway_cli

IMAGES = pathlib.Path(__file__).parents[1] / "data/fuzz/image"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NORMALIZE = ("--mean", ",".join(map(str, MEAN)), "--std", ",".join(map(str, STD)))


class Copy(torch.nn.Module):
    def forward(self, x):
        return x.clone()


def compiled(dtype, channels, folder):
    """A program that gives its image back, of any height and width."""
    folder.mkdir()
    sizes = {2: torch.export.Dim("height", min=1, max=512), 3: torch.export.Dim("width", min=1, max=512)}
    example = torch.zeros(1, channels, 7, 9, dtype=dtype)
    return slipway_cli.compile(torch.export.export(Copy(), (example,), dynamic_shapes=(sizes,)), folder)


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("programs")
    return {
        "colours": compiled(torch.uint8, 3, folder / "colours"),
        "grey": compiled(torch.uint8, 1, folder / "grey"),
        "floats": compiled(torch.float32, 3, folder / "floats"),
    }


def read(program, image, folder, *options):
    slipway_cli.call("run", program, "--input", f"x={image}", "--output-dir", folder, *options)
    return np.load(folder / "0.npy")[0]


def photograph(width, height):
    """Smooth, with edges and noise."""
    row, column = np.mgrid[0:height, 0:width]
    waves = [128 + 90 * np.sin(row / a + column / b) for a, b in ((9, 31), (17, 5), (50, 40))]
    noise = np.random.default_rng(0).normal(0, 9, (height, width, 3))
    picture = np.stack(waves, axis=2) + noise + 60 * ((row // 20 + column // 30) % 2)[:, :, None]
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    picture = photograph(301, 223)
    for name, options in (("half.jpg", {}), ("wide.jpg", {"subsampling": 1}), ("scans.jpg", {"progressive": True, "quality": 60}), ("x.png", {})):
        picture.save(folder / name, **options)
    return sorted(folder.iterdir())


def test_files_are_read_as_pillow_reads_them(programs, photographs, tmp_path):
    # Pillow reads 16 bits of grey, and cuts off what is above 255; inks are refused.
    files = [file for file in sorted(IMAGES.iterdir()) if file.stem not in ("grey16", "inks")]
    for file in [*files, *photographs]:
        for program, mode in (("colours", "RGB"), ("grey", "L")):
            theirs = np.atleast_3d(np.asarray(Image.open(file).convert(mode))).transpose(2, 0, 1)
            np.testing.assert_array_equal(read(programs[program], file, tmp_path), theirs, err_msg=file.name)


@pytest.mark.parametrize("resize, crop", [(256, 224), (64, 60), (50, 7), (300, 300), ((100, 400), None), ((223, 20), None), ((512, 301), 211)])
def test_images_are_prepared_as_torchvision_does(programs, photographs, tmp_path, resize, crop):
    steps = [transforms.Resize(resize), *([transforms.CenterCrop(crop)] if crop else [])]
    options = ["--resize", str(resize) if isinstance(resize, int) else ",".join(map(str, resize)), *(["--crop", str(crop)] if crop else [])]
    file = photographs[0]
    theirs = transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])(Image.open(file))
    ours = read(programs["floats"], file, tmp_path, *options, *NORMALIZE)
    # Pillow takes the height first where that is faster, which rounds otherwise: a step of 255 at most.
    step = 1.001 / 255 / min(STD) if resize == (100, 400) else 0
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=step)
