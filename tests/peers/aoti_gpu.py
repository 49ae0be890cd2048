"""Loads packages with engines of a GPU into PyTorch there, and compares what they give with the golden outputs. By hand, on a machine with a GPU.

usage: aoti_gpu.py FOLDER, with packages of tests/data/golden by the models' names, and mutations.pt2, which is that of tests/data/pt2:

    for name in mlp conv_dyn ...; do slipway compile tests/data/golden/$name.pt2 -o FOLDER/$name.pt2 --format aoti --engine cuda; done

SLIPWAY_C_LIBRARY names libslipway_c.so."""

import gc
import json
import pathlib
import sys
import threading
import time

import numpy as np
import torch
import torch._inductor.package

GOLDEN = pathlib.Path(__file__).parents[1] / "data/golden"
MODELS = json.loads((GOLDEN / "manifest.json").read_text())["models"]
FOLDER = pathlib.Path(sys.argv[1])
WITH_STATE = {"mutated_buffer", "mask_assign_buffer"}
MIB = 1 << 20


def load(name, **options):
    return torch._inductor.package.load_package(str(FOLDER / f"{name}.pt2"), **options)


def tensors(values, device="cuda"):
    return [torch.from_numpy(np.load(GOLDEN / value["file"])).to(device) for value in values if "file" in value]


def arrive_late(inputs):
    """Copies on the current stream, behind work that takes some time."""
    late = [torch.zeros_like(x) for x in inputs]
    torch.cuda._sleep(20_000_000)
    for to, x in zip(late, inputs):
        to.copy_(x)
    return late


def expect_same(found, outputs, device=0):
    assert len(found) == len(outputs), (len(found), len(outputs))
    for one, expected in zip(found, outputs):
        if "file" not in expected:
            assert (one is None) == (expected["value"] is None)
            assert one is None or (one.device.type == "cpu" and one.item() == expected["value"])
            continue
        assert one.device == torch.device("cuda", device), one.device
        other = torch.from_numpy(np.load(GOLDEN / expected["file"]))
        tolerance = 1e-3 if other.dtype == torch.float16 else 1e-5
        torch.testing.assert_close(one.cpu(), other, rtol=tolerance, atol=tolerance, equal_nan=True)


def run_golden(name):
    stream = torch.cuda.Stream()
    if load(name).loader.get_metadata()["AOTI_DEVICE_KEY"] != "cuda":
        return "for the processor, since no engine of a GPU takes any of it"
    for case in MODELS[name]["cases"]:
        model = load(name).loader
        inputs = tensors(case["inputs"])
        expect_same(model.run(inputs), case["outputs"])
        if name in WITH_STATE:
            model = load(name).loader
        torch.cuda.synchronize()
        with torch.cuda.stream(stream):
            found = model.run(arrive_late(inputs))
            expect_same(found, case["outputs"])
        if name not in WITH_STATE:
            # What an earlier call gave is not overwritten.
            again = model.run([torch.zeros_like(x) for x in inputs])
            expect_same(found, case["outputs"])
            del again
    return f"{len(MODELS[name]['cases'])} cases"


def used():
    gc.collect()
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info()
    return total - free


def resident():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096


def call_often(name):
    case = MODELS[name]["cases"][0]
    model, inputs = load(name).loader, tensors(case["inputs"])
    for calls in (100, 1000):
        before, host, started = used(), resident(), time.perf_counter()
        for _ in range(calls):
            model.run(inputs)
        took = (time.perf_counter() - started) / calls
    grown, host = used() - before, resident() - host
    assert grown == 0 and host < 2 * MIB, (grown, host)
    return f"1000 calls, {took * 1e6:.0f} us each, device memory +{grown}, host +{host}"


def run_in_threads(name):
    case = MODELS[name]["cases"][0]
    model, inputs = load(name, num_runners=2).loader, tensors(case["inputs"])
    torch.cuda.synchronize()
    problems, done = [], []

    def call():
        try:
            with torch.cuda.stream(torch.cuda.Stream()):
                for _ in range(100):
                    expect_same(model.run(inputs), case["outputs"])
            done.append(1)
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 3, problems
    return "3 threads, 2 instances, 100 calls each"


def refuse_wrong_inputs():
    case = MODELS["mlp"]["cases"][0]
    model = load("mlp").loader
    (x,) = tensors(case["inputs"])
    texts = []
    for wrong in (x.cpu(), x.double(), x.t().contiguous().t(), x[:, :3].contiguous()):
        try:
            model.run([wrong])
        except RuntimeError as error:
            texts.append(str(error))
        else:
            raise AssertionError(f"{wrong.device} {wrong.dtype} {wrong.stride()} was taken")
    expect_same(model.run([x]), case["outputs"])
    return texts[0].splitlines()[0][:200]


def refuse_capture():
    """Of a stream that is being captured: a run would wait for it."""
    model = load("mlp").loader
    inputs = tensors(MODELS["mlp"]["cases"][0]["inputs"])
    model.run(inputs)
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            model.run(inputs)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0][:160]}"
    raise AssertionError("it was captured")


def load_again(name):
    for loads in (3, 10):
        before = used()
        for _ in range(loads):
            load(name).loader.run(tensors(MODELS[name]["cases"][0]["inputs"]))
            gc.collect()
    grown = used() - before
    assert grown <= 2 * MIB, grown
    return f"10 loads, device memory +{grown}"


def name_a_device():
    case = MODELS["mlp"]["cases"][0]
    for index in range(torch.cuda.device_count()):
        expect_same(load("mlp", device_index=index).loader.run(tensors(case["inputs"], f"cuda:{index}")), case["outputs"], index)
    try:
        load("mlp", device_index=torch.cuda.device_count())
    except RuntimeError as error:
        return f"{torch.cuda.device_count()} devices; past them: {str(error).splitlines()[0][:120]}"
    raise AssertionError("a device that there is not was taken")


def mutate_input():
    """It doubles its input, counts its calls, and gives the sum."""
    model = load("mutations").loader
    for call in range(1, 4):
        x = torch.tensor([3.0, 4.0], device="cuda")
        (found,) = model.run([x])
        torch.testing.assert_close(x.cpu(), torch.tensor([6.0, 8.0]))
        torch.testing.assert_close(found.cpu(), x.cpu() + call)
    return "3 calls"


CHECKS = [
    *((f"golden {path.stem}", run_golden, path.stem) for path in sorted(FOLDER.glob("*.pt2")) if path.stem in MODELS),
    ("wrong inputs", refuse_wrong_inputs),
    ("device index", name_a_device),
    ("mutated input", mutate_input),
    *((f"often {name}", call_often, name) for name in ("mlp", "conv_dyn", "mutated_buffer", "dict_io")),
    *((f"threads {name}", run_in_threads, name) for name in ("transformer_layer", "conv_dyn")),
    *((f"loads {name}", load_again, name) for name in ("mlp", "mutated_buffer")),
    ("capture", refuse_capture),
]

failed = 0
print(torch.__version__, torch.cuda.get_device_name())
for what, check, *arguments in CHECKS:
    try:
        print(f"{what}: {check(*arguments)}", flush=True)
    except Exception as problem:
        failed += 1
        print(f"{what}: FAILED: {type(problem).__name__}: {problem}", flush=True)
print(f"{len(CHECKS) - failed} of {len(CHECKS)}")
sys.exit(failed > 0)
