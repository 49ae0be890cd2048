"""One model in one process, by another runtime than Slipway; the protocol is inference_server.cc's.

usage: engine_peer.py pytorch NAME INPUT.npy...        eager, the model of engine_models.py
       engine_peer.py onnxruntime MODEL.onnx INPUT.npy...
       engine_peer.py xnnpack MODEL.pte INPUT.npy...   ExecuTorch, its XNNPACK delegate
"""

import sys
import time

import numpy as np

THREADS = 2


def pytorch(name, arrays):
    import torch

    import engine_models

    torch.set_num_threads(THREADS)
    torch.set_grad_enabled(False)
    model, _ = engine_models.make(name)
    inputs = [torch.from_numpy(array) for array in arrays]
    return lambda: model(*inputs)


def onnxruntime(path, arrays):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feeds = dict(zip([slot.name for slot in session.get_inputs()], arrays, strict=True))
    return lambda: session.run(None, feeds)[0]


def xnnpack(path, arrays):
    import torch
    from executorch.extension.pybindings import portable_lib
    from executorch.runtime import Runtime

    portable_lib._unsafe_reset_threadpool(THREADS)
    method = Runtime.get().load_program(path).load_method("forward")
    inputs = [torch.from_numpy(array) for array in arrays]
    return lambda: method.execute(inputs)[0]


def nanoseconds_of(work):
    start = time.perf_counter_ns()
    result = work()
    return time.perf_counter_ns() - start, result


def main():
    runtime, model, *inputs = sys.argv[1:]
    arrays = [np.load(file) for file in inputs]

    def load():
        infer = globals()[runtime](model, arrays)
        return infer, infer()

    first, (infer, output) = nanoseconds_of(load)
    print(first, float(np.asarray(output).sum(dtype=np.float64)), flush=True)
    for _ in sys.stdin:
        print(nanoseconds_of(infer)[0], flush=True)


if __name__ == "__main__":
    main()
