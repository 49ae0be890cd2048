"""Pictures of uint8, which PyTorch resizes by integers of its own making: equal to the last bit, on kernels and in one engine."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import slipway_cli

MODES = list(itertools.product(("bilinear", "bicubic"), (False, True), (False, True)))
# Smaller and larger, by whole and by odd factors, of one place and of equal ones.
SIZES = [(1, 1), (7, 7), (5, 3), (4, 9), (8, 14), (2, 30), (7, 4), (16, 7), (31, 17)]


class Resized(torch.nn.Module):
    def __init__(self, requests, **options):
        super().__init__()
        self.requests, self.options = requests, options

    def forward(self, x):
        return tuple(F.interpolate(x, **request, **self.options) for request in self.requests)

    def reference(self, x):
        """With the channels last where the result is one place wide: PyTorch reads the wrong memory there otherwise, or fails."""
        last = x.contiguous(memory_format=torch.channels_last)
        given = [last if request.get("size", (0, 0))[1] == 1 else x for request in self.requests]
        return tuple(F.interpolate(x, **request, **self.options) for x, request in zip(given, self.requests, strict=True))


def pictures(*sizes):
    """Noise, edges of full contrast, and nothing but white."""
    noise = torch.randint(0, 256, sizes, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return [noise, (noise > 127).to(torch.uint8) * 255, torch.full(sizes, 255, dtype=torch.uint8)]


def check(expected, program, cases, folder, engine, is_one=False):
    file = slipway_cli.compile(program, folder, engine=engine)
    if is_one:
        slipway_cli.check_one_partition(file)
    for x in cases:
        ours, _ = slipway_cli.run(file, [x], folder)
        for mine, theirs in zip(ours, expected(x), strict=True):
            assert mine.dtype == np.uint8
            np.testing.assert_array_equal(mine, theirs.numpy())


@pytest.mark.parametrize("mode, antialias, align_corners, channels", [*((*mode, 3) for mode in MODES), ("bilinear", False, False, 5)])
def test_resizes_to_pytorchs_bits(mode, antialias, align_corners, channels, tmp_path):
    requests = [{"size": size} for size in SIZES]
    if not align_corners:
        requests += [{"scale_factor": factors} for factors in ((0.57, 2.3), (1.05, 0.5), (3, 1.9))]
    model = Resized(requests, mode=mode, antialias=antialias, align_corners=align_corners)
    for engine, dialect in (("none", "core"), ("openvino", "training")):
        inputs = pictures(2, channels, 7, 9)
        program = torch.export.export(model, (inputs[0],))
        if dialect == "core":
            program = program.run_decompositions()
        # PyTorch's own decomposition of the cubic is a step off its kernel in places.
        is_decomposed = dialect == "core" and mode == "bicubic" and not antialias
        expected = program.module() if is_decomposed else model.reference
        # Sums of antialiasing don't fit into float32.
        check(expected, program, inputs, tmp_path, engine, is_one=engine == "openvino" and not antialias)


@pytest.mark.parametrize("mode, antialias, align_corners", MODES)
def test_resizes_pictures_of_any_size(mode, antialias, align_corners, tmp_path):
    requests = [{"size": (6, 11)}]
    if not align_corners:
        requests += [{"scale_factor": (1.25, 0.5)}]
    height, width, count = (torch.export.Dim(name, min=4, max=64) for name in ("height", "width", "count"))
    model = Resized(requests, mode=mode, antialias=antialias, align_corners=align_corners)
    shapes = ({0: count, 2: height, 3: width},)
    program = torch.export.export(model, (pictures(5, 3, 7, 9)[0],), dynamic_shapes=shapes)
    cases = [pictures(*sizes)[0] for sizes in ((5, 3, 7, 9), (4, 3, 6, 11), (4, 3, 5, 64), (4, 3, 40, 5), (4, 3, 4, 4))]
    check(model.reference, program, cases, tmp_path, "none")


def test_says_which_integers_are_weighed(tmp_path):
    program = torch.export.export(Resized([{"scale_factor": 2}], mode="trilinear"), (torch.zeros(1, 1, 2, 2, 2, dtype=torch.uint8),))
    with pytest.raises(slipway_cli.ToolError, match="pictures of uint8, in two dimensions: convert them to float32"):
        slipway_cli.compile(program, tmp_path)
