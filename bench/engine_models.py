"""The models of engine_benchmark.py, by name."""

import os
import sys

import torch
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

ROOT = os.path.join(os.path.dirname(__file__), "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "peers"))
import image_models  # noqa: E402
import minilm  # noqa: E402
import quantized_models  # noqa: E402
import yolo  # noqa: E402

# "tiny" is for what a process takes whatever its model is.
# What loads MiniLM changes how PyTorch draws the weights of models that are made later in the process: it is the last.
FLOATS = ("tiny", "resnet18", "mobilenet_v3_small", "vit_b_16", "crepe_tiny", "efficientnet_b0", "yolov8n", "minilm")
# Quantized statically by PT2E's quantizer for XNNPACK, and the same in float32.
QUANTIZED = ("resnet18_int8", "mobilenet_v2_int8", "mobilenet_v2")


def crepe_tiny():
    """A dynamic number of frames of sound; called with 48."""
    return torch.export.load(os.path.join(ROOT, "examples", "models", "crepe_tiny.pt2"))


def make(name):
    """PyTorch's own module, in evaluation mode, and its inputs."""
    torch.manual_seed(0)
    if name == "tiny":
        return torch.nn.Linear(4, 4).eval(), (torch.zeros(1, 4),)
    if name == "crepe_tiny":
        program = crepe_tiny()
        return program.module(), program.example_inputs[0]
    if name == "minilm":  # one sentence as long as can be
        size = (1, minilm.MAX_LENGTH)
        return minilm.load(), (torch.randint(1000, 30000, size), torch.ones(size, dtype=torch.int64))
    if name == "yolov8n":
        return yolo.YoloV8().eval(), (torch.randn(1, 3, 640, 640),)
    image = torch.randn(1, 3, 224, 224)
    model = image_models.make(name.removesuffix("_int8"))
    return quantize(model, "xnnpack", image) if name.endswith("_int8") else model, (image,)


def quantize(model, quantizer, image):
    """Statically, by PT2E."""
    prepared = prepare_pt2e(torch.export.export(model, (image,)).module(), quantized_models.QUANTIZERS[quantizer]())
    with torch.no_grad():
        prepared(image)
    return convert_pt2e(prepared)


def export(name):
    if name == "crepe_tiny":
        return crepe_tiny()
    model, inputs = make(name)
    if name == "minilm":  # batch and length are dynamic
        return minilm.export(model)
    return torch.export.export(model, inputs)
