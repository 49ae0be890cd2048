#!/usr/bin/env python3
"""A model behind NVIDIA's Triton, by PyTriton: instances, and dynamic batches (docs/serving.md).

usage: triton_serve.py model.pte [--instances 2] [--http-port 8000] [--grpc-port 8001]

Triton answers by its own protocols (KServe's v2): a request is a batch of one sample or more, for the model "model".
"""

import argparse
import contextlib
import os
import pathlib
import signal
import sys
import time

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

import slipway


def tensor(info):
    """A value of the program as Triton describes it: without the dimension of the batch."""
    sizes = [smallest if smallest == largest else -1 for smallest, largest in info.sizes[1:]]
    return Tensor(name=info.name, dtype=np.dtype(info.dtype).type, shape=tuple(sizes))


def instance(file):
    """A function that runs a module of its own. All of them share the weights of the file and this process, and run at the same
    time: Python's lock is released meanwhile."""
    model = slipway.load(file, engine_threads=1)
    names = [output.name for output in model.method().outputs]

    @batch
    def infer(**inputs):
        outputs = model(**inputs)
        return dict(zip(names, outputs if isinstance(outputs, tuple) else (outputs,)))

    return infer


def largest_batch(method, wanted):
    least, largest = zip(*(info.sizes[0] for info in method.inputs))
    if max(least) > 1:
        sys.exit(f"the first dimension of inputs has to vary from 1 on, or to be 1: {method.inputs}")
    return min(wanted, *largest)


def children(process):
    """The processes below one, such as Triton and those that it has for each instance."""
    for file in pathlib.Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, file.read_text().split()):
            yield child
            yield from children(child)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--instances", type=int, default=2, help="batches that run at the same time, each on a processor")
    parser.add_argument("--batch", type=int, default=16, help="samples at once, at most")
    parser.add_argument("--http-port", type=int, default=8000)
    parser.add_argument("--grpc-port", type=int, default=8001)
    options = parser.parse_args()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # by way of Triton's own end
    method = slipway.load(options.model).method()
    settings = TritonConfig(
        http_address="127.0.0.1",
        http_port=options.http_port,
        grpc_address="127.0.0.1",
        grpc_port=options.grpc_port,
        allow_metrics=False,
        exit_timeout_secs=2,
    )
    with Triton(config=settings) as triton:
        triton.bind(
            model_name="model",
            infer_func=[instance(options.model) for _ in range(options.instances)],
            inputs=[tensor(info) for info in method.inputs],
            outputs=[tensor(info) for info in method.outputs],
            config=ModelConfig(max_batch_size=largest_batch(method, options.batch), batcher=DynamicBatcher(max_queue_delay_microseconds=2000)),
            strict=True,
        )
        triton.run()
        print("ready", flush=True)
        # Without an instance's process Triton says that it is ready, and fails what it gives to that instance.
        processes = list(children(os.getpid()))
        while triton.is_alive() and all(os.path.exists(f"/proc/{process}/exe") for process in processes):
            time.sleep(0.5)
    # A Triton that was killed has left them behind. Python's own trackers remove what these shared, and end.
    for process in processes:
        with contextlib.suppress(OSError):
            if b"resource_tracker" not in pathlib.Path(f"/proc/{process}/cmdline").read_bytes():
                os.kill(process, signal.SIGKILL)
    sys.exit("a process of Triton has ended")  # what runs this starts it again


if __name__ == "__main__":
    main()
