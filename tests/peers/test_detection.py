"""torchvision's operators for the detection of objects, against torchvision."""

import pytest
import torch
import torchvision.ops as ops

import slipway_cli
from function_module import Function

torch.manual_seed(0)


def boxes(count, size=20.0):
    corner = torch.rand(count, 2) * size
    return torch.cat([corner, corner + torch.rand(count, 2) * size / 2], 1)


def rois(count, pictures=2, size=20.0):
    return torch.cat([torch.randint(0, pictures, (count, 1)).float(), boxes(count, size) - 2], 1)


def check(tmp_path, function, *inputs, dynamic=None):
    """On each set of inputs, in both dialects."""
    program = torch.export.export(Function(function), inputs[0], dynamic_shapes=dynamic)
    for dialect in (program, program.run_decompositions()):
        file = slipway_cli.compile(dialect, tmp_path)
        for each in inputs:
            got, _ = slipway_cli.run(file, list(each), tmp_path)
            expected = torch.utils._pytree.tree_leaves(function(*each))
            assert len(got) == len(expected)
            for a, b in zip(got, expected):
                torch.testing.assert_close(torch.from_numpy(a), b, rtol=1e-5, atol=1e-5)


BOXES = torch.export.Dim("boxes", max=300)


def test_nms(tmp_path):
    def function(boxes, scores):
        return ops.nms(boxes, scores, 0.3), ops.nms(boxes, scores, 0.5), ops.nms(boxes.double(), scores.double(), 0.7), ops.nms(boxes, scores, 0.0)

    equal = torch.tensor([[0.0, 0.0, 2.0, 2.0]]).repeat(9, 1), torch.tensor([0.5, 0.7, 0.7, 0.1, 0.7, 0.2, 0.3, 0.3, 0.0])
    # The second overlaps with the first by half exactly, and the third is empty.
    at_limit = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.0], [1.0, 1.0, 1.0, 1.0]]), torch.tensor([0.9, 0.8, 0.7])
    several = [(boxes(n), torch.rand(n)) for n in (40, 300, 1, 0)]
    check(tmp_path, function, *several, equal, at_limit, dynamic=(({0: BOXES}, {0: BOXES}),))


def test_nms_of_scores_that_are_nan(tmp_path):
    scores = torch.where(torch.arange(40) % 2 == 0, torch.nan, torch.rand(40))
    check(tmp_path, lambda boxes, scores: ops.nms(boxes, scores, 0.1), (boxes(40), scores))


def test_points_outside_a_picture_are_not_read(tmp_path):
    x = torch.zeros(1, 1, 3, 3)
    x[0, 0, 2, 2] = torch.inf
    check(tmp_path, lambda x, offset: ops.deform_conv2d(x, offset, torch.ones(1, 1, 1, 1)), (x, torch.full((1, 2, 3, 3), 9.0)))


def test_nms_of_classes(tmp_path):
    def function(boxes, scores, classes):
        kept = ops.batched_nms(boxes, scores, classes, 0.4)
        return boxes[kept], scores[kept]

    check(tmp_path, function, (boxes(50), torch.rand(50), torch.randint(0, 3, (50,))))


@pytest.mark.parametrize("aligned", (False, True))
def test_roi_align(tmp_path, aligned):
    def function(x, rois):
        return ops.roi_align(x, rois, 7, 1.0, 2, aligned), ops.roi_align(x, rois, (3, 2), 0.5, 1, aligned), ops.roi_align(x, rois, 1, 0.25, 3, aligned)

    dynamic = (({2: torch.export.Dim("height", max=64), 3: torch.export.Dim("width", max=64)}, {0: BOXES}),)
    # The last one lies outside.
    outside = torch.tensor([[0.0, -9.0, -9.0, 99.0, 99.0], [1.0, 3.0, 3.0, 3.0, 3.0], [0.0, 90.0, 90.0, 95.0, 95.0]])
    several = [(torch.randn(2, 3, h, w), rois(n)) for h, w, n in ((16, 20, 9), (2, 64, 300), (64, 2, 1), (8, 8, 0))]
    check(tmp_path, function, *several, (torch.randn(2, 3, 16, 16), outside), dynamic=dynamic)


@pytest.mark.parametrize("aligned", (False, True))
def test_roi_align_with_as_many_points_as_a_box_is_large(tmp_path, aligned):
    def function(x, rois):
        align = torch.ops.torchvision.roi_align
        return align(x, rois, 1.0, 3, 2, -1, aligned), align(x, rois, 0.5, 2, 7, 0, aligned), align(x[:1], rois * torch.tensor([0.0, 1, 1, 1, 1]), 0.3, 1, 1, -1, aligned)

    dynamic = (({2: torch.export.Dim("height", max=64), 3: torch.export.Dim("width", max=64)}, {0: BOXES}),)
    # Far larger than the picture, empty, turned round, and outside.
    odd = torch.tensor([[0.0, -900.0, -9.0, 999.0, 99.0], [1.0, 3.0, 3.0, 3.0, 3.0], [0.0, 9.0, 9.0, 2.0, 1.0], [0.0, 90.0, 90.0, 95.0, 95.0], [1.0, -1.0, -1.0, 16.5, 16.5]])
    several = [(torch.randn(2, 3, h, w), rois(n)) for h, w, n in ((16, 20, 9), (2, 64, 40), (64, 3, 1), (8, 8, 0))]
    check(tmp_path, function, *several, (torch.randn(2, 3, 16, 16), odd), (torch.randn(2, 3, 5, 7), odd * torch.tensor([1.0, 3, 3, 3, 3])), dynamic=dynamic)


@pytest.mark.parametrize("groups, offset_groups, use_mask", ((1, 1, False), (2, 1, True), (1, 2, True), (2, 4, False)))
def test_deform_conv2d(tmp_path, groups, offset_groups, use_mask):
    weight, bias = torch.randn(6, 4 // groups, 3, 2), torch.randn(6)

    def function(x, offset, mask):
        masked = mask if use_mask else None
        return ops.deform_conv2d(x, offset, weight, bias, (2, 1), (1, 2), (1, 2), masked), ops.deform_conv2d(x, offset * 0, weight, None, (2, 1), (1, 2), (1, 2), masked)

    def inputs(batch, height, width):
        out = (height + 2 - 3) // 2 + 1, width + 4 - 3 + 1
        return torch.randn(batch, 4, height, width), torch.randn(batch, offset_groups * 12, *out) * 2, torch.rand(batch, offset_groups * 6, *out)

    batch = {0: torch.export.Dim("batch", max=4)}
    check(tmp_path, function, *(inputs(n, 9, 8) for n in (2, 1, 4)), dynamic=((batch, batch, batch),))
