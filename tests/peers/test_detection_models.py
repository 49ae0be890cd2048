"""Small configurations of torchvision's models that detect objects, with random weights."""

import pytest
import torch
import torchvision.models.detection as detection
from torch import nn
from torchvision.ops import MultiScaleRoIAlign, boxes

import whole_models

SIZE = 64


def backbone():
    layers = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU())
    layers.out_channels = 8
    return layers


def anchors():
    return detection.rpn.AnchorGenerator(((8, 16),), ((0.5, 1.0),))


def faster_rcnn():
    heads = dict(
        box_roi_pool=MultiScaleRoIAlign(["0"], 3, 2),
        box_head=detection.faster_rcnn.TwoMLPHead(8 * 9, 16),
        box_predictor=detection.faster_rcnn.FastRCNNPredictor(16, 4),
    )
    counts = dict(rpn_pre_nms_top_n_test=40, rpn_post_nms_top_n_test=20, box_score_thresh=0.1)
    return detection.FasterRCNN(backbone(), min_size=SIZE, max_size=SIZE, rpn_anchor_generator=anchors(), **heads, **counts)


def retinanet():
    return detection.RetinaNet(backbone(), 4, min_size=SIZE, max_size=SIZE, anchor_generator=anchors(), score_thresh=0.01, topk_candidates=40)


def ssd():
    layers = backbone()
    layers.out_channels = [8]
    generator = detection.anchor_utils.DefaultBoxGenerator([[2]], steps=[4])
    return detection.ssd.SSD(layers, generator, (SIZE, SIZE), 4, score_thresh=0.1, topk_candidates=40)


class Detect(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, picture):
        [found] = self.model([picture])
        return found["boxes"], found["scores"], found["labels"]


@pytest.mark.parametrize("make", (faster_rcnn, retinanet, ssd))
def test_detector(tmp_path, monkeypatch, make):
    # torchvision's own looks at how many boxes there are, which torch.export refuses.
    monkeypatch.setattr(boxes, "batched_nms", lambda found, scores, kinds, limit: boxes.nms(found + 2 * SIZE * kinds.to(found)[:, None], scores, limit))
    torch.manual_seed(0)
    model = Detect(whole_models.enliven(make()))
    runs = [(torch.rand(3, SIZE, SIZE),) for _ in range(2)]
    assert all(len(model(*inputs)[0]) > 10 for inputs in runs)
    whole_models.check(tmp_path, model, *runs)
