"""The CUDA engine beside PyTorch on one GPU: time of a call, difference, time to compile and to load.

usage: cuda_benchmark.py [--build build/release] [--folder build/bench] [--target sm_90a] [--runs 200] [--only NAME,...] [--types float16,...] [--no-peers]
                         [--candidates 1] [--libraries none]
It needs a GPU, PyTorch for it, NVRTC (`make setup-cuda`, or SLIPWAY_NVRTC), and the program `cuda_calls` (target of that name).

For each model with random weights: eager, eager in a CUDA graph, torch.compile (mode reduce-overhead), and a call of ours by CUDA graphs, all with
inputs and outputs on the GPU; "host" is `slipway run --cuda-graphs`, which takes its inputs from the host and gives its outputs there: both copies are
in its time. Medians. The difference is that of the first output, relative to the norm of PyTorch's. TF32 is off in PyTorch, as it is in the engine.
With --candidates the file has as many ways to compute products, and what is timed is tuned by `slipway tune`; with --libraries cublaslt,cudnn those libraries'
are among them (SLIPWAY_CUBLASLT and SLIPWAY_CUDNN say where they are).
The second table is of cuda_calls (bench/cuda_calls.cc says what its columns are).
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time

import numpy
import torch
import torch.ao.quantization.fx._decomposed  # registers the operators
from torch import nn

sys.path.insert(0, os.path.dirname(__file__))
import yolo  # noqa: E402


def conv(inputs, outputs, kernel, stride=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs))


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.body = nn.Sequential(conv(inputs, width, 1), nn.ReLU(), conv(width, width, 3, stride), nn.ReLU(), conv(width, 4 * width, 1))
        self.shortcut = nn.Identity() if inputs == 4 * width and stride == 1 else conv(inputs, 4 * width, 1, stride)

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


def resnet50():
    layers, inputs = [conv(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)], 64
    for width, count, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for i in range(count):
            layers.append(Bottleneck(inputs, width, stride if i == 0 else 1))
            inputs = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000)), (torch.randn(1, 3, 224, 224),)


class Block(nn.Module):
    """Of an encoder: attention, and two linear layers with GELU."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(2)])
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.body = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = self.qkv(self.norms[0](x)).view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        x = x + self.out(nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, width))
        return x + self.body(self.norms[1](x))


def encoder():
    """As large as BERT-base, of 128 tokens."""
    return nn.Sequential(*[Block(768, 12) for _ in range(12)]), (torch.randn(1, 128, 768),)


class Vision(nn.Module):
    """As vit_b_16."""

    def __init__(self, width=768, heads=12, layers=12):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, 16)
        self.token, self.places = nn.Parameter(torch.randn(1, 1, width)), nn.Parameter(torch.randn(1, 197, width))
        self.body, self.norm, self.head = nn.Sequential(*[Block(width, heads) for _ in range(layers)]), nn.LayerNorm(width), nn.Linear(width, 1000)

    def forward(self, x):
        x = torch.cat((self.token.expand(x.shape[0], -1, -1), self.patches(x).flatten(2).transpose(1, 2)), 1) + self.places
        return self.head(self.norm(self.body(x))[:, 0])


def vision():
    return Vision(), (torch.randn(1, 3, 224, 224),)


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return nn.functional.rms_norm(x, self.weight.shape, self.weight, 1e-5)


def rotated(x, cos, sin):
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat((-b, a), -1) * sin


class Layer(nn.Module):
    """Of a decoder. Where there is a cache, it attends to that alone, and gives its own keys and values to be put there."""

    def __init__(self, width, heads, groups, inner, cache):
        super().__init__()
        self.heads, self.groups, self.depth = heads, groups, width // heads
        self.norms = nn.ModuleList([RMSNorm(width) for _ in range(2)])
        self.qkv, self.out = nn.Linear(width, (heads + 2 * groups) * self.depth, bias=False), nn.Linear(width, width, bias=False)
        self.gate, self.up, self.down = (nn.Linear(*sizes, bias=False) for sizes in ((width, inner), (width, inner), (inner, width)))
        if cache:
            self.register_buffer('cache', torch.randn(2, 1, groups, cache, self.depth))

    def forward(self, x, cos, sin, mask):
        batch, length, width = x.shape
        parts = self.qkv(self.norms[0](x)).view(batch, length, -1, self.depth).transpose(1, 2)
        q, k, v = parts.split((self.heads, self.groups, self.groups), 1)
        q, k = rotated(q, cos, sin), rotated(k, cos, sin)
        keys, values = (k, v) if mask is None else self.cache
        y = nn.functional.scaled_dot_product_attention(q, keys, values, mask, is_causal=mask is None, enable_gqa=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, width))
        h = self.norms[1](x)
        return x + self.down(nn.functional.silu(self.gate(h)) * self.up(h)), torch.cat((k, v), 1)


class Decoder(nn.Module):
    """A Llama of 1.24 billion parameters, their head not shared."""

    def __init__(self, cache, layers=16, width=2048, heads=32, groups=8, inner=8192, vocabulary=128256):
        super().__init__()
        self.embedding, self.norm, self.head = nn.Embedding(vocabulary, width), RMSNorm(width), nn.Linear(width, vocabulary, bias=False)
        self.layers = nn.ModuleList([Layer(width, heads, groups, inner, cache) for _ in range(layers)])
        self.cache = cache
        angles = torch.outer(torch.arange(2048.0), 10000 ** (-torch.arange(0, width // heads, 2) * heads / width))
        self.register_buffer('cos', angles.cos().repeat(1, 2))
        self.register_buffer('sin', angles.sin().repeat(1, 2))

    def forward(self, tokens, places):
        x, cos, sin = self.embedding(tokens), self.cos[places], self.sin[places]
        mask = torch.arange(self.cache, device=places.device)[None] <= places[:, None] if self.cache else None
        fresh = []
        for layer in self.layers:
            x, pair = layer(x, cos, sin, mask)
            fresh.append(pair)
        return self.head(self.norm(x[:, -1:])).float(), torch.stack(fresh)


def decode():
    """One token, with a cache of 2048."""
    return Decoder(2048), (torch.tensor([[7]]), torch.tensor([2047]))


def prefill():
    return Decoder(0), (torch.arange(512)[None], torch.arange(512))


class QuantizedLinear(nn.Module):
    """Weights of 8 bits for each row, or of 4 in groups of 128."""

    def __init__(self, linear, bits):
        super().__init__()
        rows, columns = linear.weight.shape
        self.bits, self.most = bits, 2 ** (bits - 1)
        scales = (rows,) if bits == 8 else (rows, columns // 128)
        self.register_buffer('codes', torch.randint(-self.most, self.most, (rows, columns), dtype=torch.int8))
        self.register_buffer('scales', (torch.rand(scales) / self.most / columns**0.5).to(torch.bfloat16).float())
        self.register_buffer('zeros', torch.zeros(scales, dtype=torch.int64 if bits == 8 else torch.int8))

    def forward(self, x):
        ops = torch.ops.quantized_decomposed
        if self.bits == 8:
            weight = ops.dequantize_per_channel(self.codes, self.scales, self.zeros, 0, -self.most, self.most - 1, torch.int8).to(x.dtype)
        else:
            weight = ops.dequantize_per_channel_group(
                self.codes, self.scales, self.zeros, -self.most, self.most - 1, torch.int8, 128, x.dtype
            )
        return nn.functional.linear(x, weight)


def quantized_decode(bits):
    """Of `decode`, with all weights quantized but for the head's and the embedding's."""
    model, inputs = decode()
    for layer in model.layers:
        for name, child in list(layer.named_children()):
            if isinstance(child, nn.Linear):
                setattr(layer, name, QuantizedLinear(child, bits))
    return model, inputs


def batch_of(make, count):
    def batched():
        model, inputs = make()
        return model, tuple(x.expand(count, *x.shape[1:]).contiguous() for x in inputs)

    return batched


FLOATS, HALF, BRAIN = (torch.float32, torch.float16), (torch.float16,), (torch.bfloat16,)
MODELS = {
    'relu': (lambda: (nn.ReLU(), (torch.randn(16),)), (torch.float32,)),  # what a call takes besides its kernels
    'resnet50': (resnet50, FLOATS),
    'resnet50_32': (batch_of(resnet50, 32), HALF),
    'encoder': (encoder, FLOATS),
    'encoder_32': (batch_of(encoder, 32), HALF),
    'vit_b_16': (vision, FLOATS),
    'vit_b_16_32': (batch_of(vision, 32), HALF),
    'yolov8s': (lambda: (yolo.YoloV8('s'), (torch.randn(1, 3, 640, 640),)), HALF),
    'decode': (decode, BRAIN),
    'decode_int8': (lambda: quantized_decode(8), BRAIN),
    'decode_int4': (lambda: quantized_decode(4), BRAIN),
    'prefill': (prefill, BRAIN),
}
NO_PEERS = ('decode_int8', 'decode_int4')  # which write all weights out in each call


def timed(call, runs):
    for _ in range(10):
        call()
    times = []
    for _ in range(runs):
        torch.cuda.synchronize()
        start = time.perf_counter()
        call()
        torch.cuda.synchronize()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def graphed(model, inputs):
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            model(*inputs)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        model(*inputs)
    return graph.replay


def typed(model, dtype):
    """Of the type, but for scales, which stay float32."""
    scales = {name: buffer for name, buffer in model.named_buffers() if name.endswith('.scales')}
    model = model.eval().to(dtype)
    for name, buffer in scales.items():
        path, _, last = name.rpartition('.')
        setattr(model.get_submodule(path), last, buffer)
    return model


def run(name, dtype, args, loads):
    torch.manual_seed(0)
    model, inputs = MODELS[name][0]()
    model = typed(model, dtype)
    inputs = tuple(x.to(dtype) if x.is_floating_point() else x for x in inputs)
    os.makedirs(args.folder, exist_ok=True)
    archive, program = (os.path.join(args.folder, f'{name}.{extension}') for extension in ('pt2', 'pte'))
    slipway = os.path.join(args.build, 'slipway')
    row = [float('nan')] * 3
    with torch.inference_mode(False), torch.no_grad():
        torch.export.save(torch.export.export(model, inputs), archive)
        files = []
        for i, x in enumerate(inputs):
            files.append(os.path.join(args.folder, f'{i}.npy'))
            numpy.save(files[-1], x.numpy())
        model, on_gpu = model.cuda(), tuple(x.cuda() for x in inputs)
        expected = model(*on_gpu)
        expected = (expected if isinstance(expected, torch.Tensor) else expected[0]).float().cpu()
        if args.peers and name not in NO_PEERS:
            row = [timed(lambda: model(*on_gpu), args.runs), timed(graphed(model, on_gpu), args.runs)]
            compiled = torch.compile(model, mode='reduce-overhead')
            row.append(timed(lambda: compiled(*on_gpu), args.runs))
            del compiled
        del model, on_gpu
        torch.compiler.reset()
        torch.cuda.empty_cache()
    start = time.perf_counter()
    subprocess.run([slipway, 'compile', archive, '-o', program, '--engine', 'cuda', '--target', args.target, '--no-cache', '--require-full',
                    '--cuda-candidates', str(args.candidates), '--cuda-libraries', args.libraries], check=True)
    seconds = time.perf_counter() - start
    os.remove(archive)
    outputs = os.path.join(args.folder, 'out')
    given = [text for i, file in enumerate(files) for text in ('--input', f'{i}={file}')]
    if args.candidates > 1:
        subprocess.run([slipway, 'tune', program, *given], check=True)
    text = subprocess.run([slipway, 'run', program, *given, '--repeat', str(args.runs), '--cuda-graphs', '--output-dir', outputs],
                          check=True, capture_output=True, text=True).stdout
    lines = text.splitlines()
    header = next(i for i, line in enumerate(lines) if re.match(r'\s*runs\s+min\s+median', line))
    host = float(lines[header + 1].split()[2])
    calls = [os.path.join(args.build, 'benchmarks', 'cuda_calls'), program, str(args.runs), *files]
    loads[f'{name} {str(dtype)[6:]}'] = of_calls = json.loads(subprocess.run(calls, check=True, capture_output=True, text=True).stdout)
    ours = of_calls['call_us'] / 1e3
    difference = (torch.from_numpy(numpy.load(os.path.join(outputs, '0.npy'))).float() - expected).norm() / expected.norm()
    print(f'{name:12} {str(dtype)[6:]:9}' + ''.join(f'{value:10.3f}' for value in (*row, ours, ours / min(row), host)) +
          f'{difference.item():12.1e}{seconds:10.1f}{os.path.getsize(program) / 2**20:10.1f}', flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--build', default='build/release')
    parser.add_argument('--folder', default='build/bench')
    parser.add_argument('--target', default='sm_90a')
    parser.add_argument('--runs', type=int, default=200)
    parser.add_argument('--only')
    parser.add_argument('--candidates', type=int, default=1)
    parser.add_argument('--libraries', default='none')
    parser.add_argument('--types', help='float16, bfloat16')
    parser.add_argument('--no-peers', dest='peers', action='store_false')
    args = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    print(torch.cuda.get_device_name(), 'PyTorch', torch.__version__)
    titles = ('eager', 'graphed', 'compiled', 'ours, ms', 'ratio', 'host, ms')
    print(f'{"model":12} {"type":9}' + ''.join(f'{title:>10}' for title in titles) + f'{"difference":>12}{"compile, s":>10}{"MiB":>10}')
    loads = {}
    for name in args.only.split(',') if args.only else MODELS:
        for dtype in MODELS[name][1]:
            if args.types is None or str(dtype)[6:] in args.types.split(','):
                run(name, dtype, args, loads)
    for name, of_calls in loads.items():
        print(f'{name:22}', of_calls)


if __name__ == '__main__':
    main()
