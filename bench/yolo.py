"""Detection networks of YOLOv8's shape (https://docs.ultralytics.com/models/yolov8): random weights."""

import torch
from torch import nn


def conv(inputs, outputs, kernel=1, stride=1):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs, eps=1e-3), nn.SiLU()
    )


class Bottleneck(nn.Module):
    def __init__(self, channels, shortcut):
        super().__init__()
        self.body, self.shortcut = nn.Sequential(conv(channels, channels, 3), conv(channels, channels, 3)), shortcut

    def forward(self, x):
        return x + self.body(x) if self.shortcut else self.body(x)


class C2f(nn.Module):
    def __init__(self, inputs, outputs, depth, shortcut=False):
        super().__init__()
        self.half = outputs // 2
        self.first = conv(inputs, outputs)
        self.blocks = nn.ModuleList(Bottleneck(self.half, shortcut) for _ in range(depth))
        self.last = conv((2 + depth) * self.half, outputs)

    def forward(self, x):
        parts = list(self.first(x).chunk(2, 1))
        for block in self.blocks:
            parts.append(block(parts[-1]))
        return self.last(torch.cat(parts, 1))


class SPPF(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.first, self.last = conv(channels, channels // 2), conv(2 * channels, channels)

    def forward(self, x):
        parts = [self.first(x)]
        for _ in range(3):
            parts.append(nn.functional.max_pool2d(parts[-1], 5, 1, 2))
        return self.last(torch.cat(parts, 1))


class Head(nn.Module):
    """Boxes as distributions over 16 distances a side, and 80 classes."""

    def __init__(self, channels, bins=16, classes=80):
        super().__init__()
        self.bins, self.classes = bins, classes
        branch = lambda c, wide, out: nn.Sequential(conv(c, wide, 3), conv(wide, wide, 3), nn.Conv2d(wide, out, 1))  # noqa: E731
        self.boxes = nn.ModuleList(branch(c, 64, 4 * bins) for c in channels)
        self.scores = nn.ModuleList(branch(c, max(channels[0], classes), classes) for c in channels)
        self.register_buffer("distances", torch.arange(bins, dtype=torch.float32))

    def forward(self, levels):
        boxes = torch.cat([b(x).flatten(2) for b, x in zip(self.boxes, levels)], 2)
        scores = torch.cat([s(x).flatten(2) for s, x in zip(self.scores, levels)], 2)
        shares = boxes.unflatten(1, (4, self.bins)).softmax(2)
        return torch.cat([(shares * self.distances[:, None]).sum(2), scores.sigmoid()], 1)


class YoloV8(nn.Module):
    """Of the "n" scale, or of "s", whose channels are twice as many."""

    def __init__(self, scale="n"):
        super().__init__()
        w = {"n": 16, "s": 32}[scale]
        self.to3 = nn.Sequential(
            conv(3, w, 3, 2), conv(w, 2 * w, 3, 2), C2f(2 * w, 2 * w, 1, True), conv(2 * w, 4 * w, 3, 2), C2f(4 * w, 4 * w, 2, True)
        )
        self.to4 = nn.Sequential(conv(4 * w, 8 * w, 3, 2), C2f(8 * w, 8 * w, 2, True))
        self.to5 = nn.Sequential(conv(8 * w, 16 * w, 3, 2), C2f(16 * w, 16 * w, 1, True), SPPF(16 * w))
        self.up4, self.up3 = C2f(24 * w, 8 * w, 1), C2f(12 * w, 4 * w, 1)
        self.down4, self.out4 = conv(4 * w, 4 * w, 3, 2), C2f(12 * w, 8 * w, 1)
        self.down5, self.out5 = conv(8 * w, 8 * w, 3, 2), C2f(24 * w, 16 * w, 1)
        self.head = Head((4 * w, 8 * w, 16 * w))
        # As large in each layer as in the one before, so that the result depends on the image; of scores that differ little.
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=(1.5 if module.bias is None else 0.1) / module.weight[0].numel() ** 0.5)

    def forward(self, x):
        double = lambda y: nn.functional.interpolate(y, scale_factor=2.0, mode="nearest")  # noqa: E731
        p3 = self.to3(x)
        p4 = self.to4(p3)
        p5 = self.to5(p4)
        n4 = self.up4(torch.cat([double(p5), p4], 1))
        n3 = self.up3(torch.cat([double(n4), p3], 1))
        m4 = self.out4(torch.cat([self.down4(n3), n4], 1))
        m5 = self.out5(torch.cat([self.down5(m4), p5], 1))
        return self.head([n3, m4, m5])
