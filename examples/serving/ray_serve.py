#!/usr/bin/env python3
"""A model behind Ray Serve: replicas, dynamic batches, and tokens that are streamed (docs/serving.md).

usage: ray_serve.py model.pte [--decoder decoder.pte] [--replicas 2] [--port 8000]

POST /model takes one sample, the model's input without the dimension of the batch, as numpy.save writes it, and gives the
outputs as numpy.savez does. POST /generate takes {"prompt": [1, 2, 3], "count": 20} and gives a line of JSON for each token as
soon as it is there; only the last line, {"done": 20}, says that nothing is missing.
"""

import argparse
import asyncio
import io
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import ray
from ray import serve
from starlette.responses import Response, StreamingResponse

import slipway


QUIET = {"enable_access_log": False}


@serve.deployment(max_ongoing_requests=64, logging_config=QUIET)
class Model:
    def __init__(self, file, batch):
        self.model = slipway.load(file, engine_threads=1)
        self.input, *others = self.model.method().inputs
        (least, most), *self.sizes = self.input.sizes
        if others or least > 1:
            raise ValueError(f"{file} needs one input whose first dimension varies from 1 on, or is 1: {[self.input, *others]}")
        # Samples of several sizes don't stack.
        varies = any(smallest != largest for smallest, largest in self.sizes)
        self.run_batch.set_max_batch_size(1 if varies else min(batch, most))

    @serve.batch(batch_wait_timeout_s=0.002)
    async def run_batch(self, samples):
        outputs = await asyncio.to_thread(self.model, np.stack(samples))
        rows = zip(*(outputs if isinstance(outputs, tuple) else (outputs,)))
        return [(row, len(samples)) for row in rows]

    def fits(self, sample):
        """Whether the model takes it; one that it refuses would fail the whole batch."""
        return (
            sample.dtype == self.input.dtype
            and sample.ndim == len(self.sizes)
            and all(smallest <= size <= largest for size, (smallest, largest) in zip(sample.shape, self.sizes))
        )

    async def __call__(self, request):
        try:
            sample = np.load(io.BytesIO(await request.body()), allow_pickle=False)
        except (ValueError, EOFError) as error:
            return Response(f"the body is not what numpy.save writes: {error}", 400)
        if not self.fits(sample):
            given = f"{sample.dtype}{list(sample.shape)}"
            return Response(f"a sample is {self.input.text} without the first dimension, not {given}", 400)
        outputs, size = await self.run_batch(sample)
        answer = io.BytesIO()
        np.savez(answer, *outputs)
        return Response(answer.getvalue(), headers={"Batch-Size": str(size)}, media_type="application/octet-stream")


@serve.deployment(ray_actor_options={"num_cpus": 0}, logging_config=QUIET)
class Decoder:
    """Of a program that takes a token and its position and gives logits; caches [batch, heads, positions, width] are state."""

    def __init__(self, file, streams):
        # A request has a module, and thereby a state, of its own: they share the weights of the file. Its only thread ends what
        # a client that went away left there before it begins anything for the next one.
        self.free = asyncio.Queue()
        for _ in range(streams):
            method = slipway.load(file, engine_threads=1).method()
            self.free.put_nowait((method, ThreadPoolExecutor(1)))
        self.positions = min(cache.shape[2] for cache in method.state().values() if cache.ndim == 4)
        self.words = method.outputs[0].sizes[-1][1]

    async def generate(self, prompt, count):
        method, thread = await self.free.get()
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(thread, method.reset_state)
            for position in range(len(prompt) + count - 1):
                if position < len(prompt):
                    token = prompt[position]
                logits = await loop.run_in_executor(thread, method, np.array([token]), np.array([position]))
                if position >= len(prompt) - 1:
                    token = int(np.argmax(logits))
                    yield json.dumps({"token": token}) + "\n"
            yield json.dumps({"done": count}) + "\n"
        finally:
            self.free.put_nowait((method, thread))

    async def __call__(self, request):
        try:
            asked = json.loads(await request.body())
            prompt, count = [int(token) for token in asked["prompt"]], int(asked["count"])
        except (ValueError, KeyError, TypeError):
            return Response('the body is not like {"prompt": [1, 2, 3], "count": 20}', 400)
        if not prompt or count < 1 or not all(0 <= token < self.words for token in prompt):
            return Response(f"needs a prompt of tokens from 0 to {self.words - 1}, and a count of 1 or more", 400)
        if len(prompt) + count - 1 > self.positions:
            return Response(f"the prompt and {count} tokens are more than the {self.positions} positions of the cache", 400)
        return StreamingResponse(self.generate(prompt, count), media_type="application/x-ndjson")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--decoder")
    parser.add_argument("--replicas", type=int, default=2, help="processes that have the model, each on a processor")
    parser.add_argument("--batch", type=int, default=16, help="samples at once, at most")
    parser.add_argument("--streams", type=int, default=4, help="requests that a replica of the decoder serves at once")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()

    # A cluster that is there already is ray.init(address="auto"), and has the files where its replicas run.
    processors = max(os.cpu_count(), options.replicas)
    ray.init(num_cpus=processors, object_store_memory=100 << 20, include_dashboard=False)
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": options.port})
        model = Model.options(num_replicas=options.replicas)
        served = [serve.RunTarget(model.bind(os.path.abspath(options.model), options.batch), name="model", route_prefix="/model")]
        if options.decoder:
            decoder = Decoder.options(num_replicas=options.replicas, max_ongoing_requests=options.streams)
            application = decoder.bind(os.path.abspath(options.decoder), options.streams)
            served.append(serve.RunTarget(application, name="generate", route_prefix="/generate"))
        serve.run_many(served)
        print("ready", flush=True)
        threading.Event().wait()  # until a signal: Ray makes SIGTERM end Python as it ends by itself
    finally:
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    main()
