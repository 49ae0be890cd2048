"""examples/serving, started for real: many clients at once, and processes that are killed meanwhile.

SLIPWAY_SERVING_SECONDS=60 has the load last longer than its 8 seconds.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from load import EXAMPLES, MODELS, ROOT, Clients, Server, client, equal, free_ports, samples, wait_until

import slipway

SECONDS = float(os.environ.get("SLIPWAY_SERVING_SECONDS", 8))
DECODER = ROOT / "tests/data/serving"
CASES = samples()
TOKENS = json.loads((DECODER / "decoder.json").read_text())


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serving")
    slipway.compile(MODELS / "mtcnn_rnet.pt2", folder / "model.pte")
    slipway.compile(DECODER / "decoder.pt2", folder / "decoder.pte")
    return folder / "model.pte", folder / "decoder.pte"


@pytest.fixture(scope="module")
def ray_server(files):
    [port] = free_ports(1)
    with Server("ray_serve.py", files[0], "--decoder", files[1], "--port", port) as server:
        server.port = port
        yield server


def ask_ray(connection, number):
    sample, expected = CASES[number % len(CASES)]
    return equal(connection.ask_ray(sample), expected)


def ask_triton(connection, number):
    sample, expected = CASES[number % len(CASES)]
    return equal(connection.ask_triton(x=sample), expected)


def generate(connection, number):
    case = TOKENS[number % len(TOKENS)]
    return connection.retry(lambda: list(connection.generate(case["prompt"], len(case["tokens"])))) == case["tokens"]


def kill(*processes):
    """With requests in them."""
    for sent in (signal.SIGSTOP, signal.SIGKILL):
        for process in processes:
            os.kill(process, sent)
        time.sleep(0.3)


def run_client(port, *arguments):
    command = [sys.executable, EXAMPLES / "client.py", "--port", port, *arguments]
    return subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True).stdout


def check_command_line(port, server, folder, prefix):
    sample, expected = CASES[0]
    np.save(folder / "x.npy", sample)
    printed = run_client(port, server, f"{prefix}{folder / 'x.npy'}")
    values = [float(text) for text in re.findall(r"[-+.e\d]+", printed)]
    np.testing.assert_allclose(values, np.concatenate(expected), rtol=1e-5, atol=1e-5)


def test_ray_batches(ray_server):
    """Samples that wait are one batch, and each gets its own row."""
    sizes = []

    def ask(connection, number):
        sample, expected = CASES[number % len(CASES)]
        response = connection.post("/model", client.to_npy(sample))
        sizes.append(int(response.headers["Batch-Size"]))
        return equal(client.from_npz(connection.read(response)), expected)

    with Clients(32, ray_server.port, ask) as load:
        wait_until(lambda: len(sizes) > 200)
    assert load.wrong == 0 and not load.failed
    assert 1 < max(sizes) <= 16


def test_ray_command_line(ray_server, tmp_path):
    check_command_line(ray_server.port, "ray", tmp_path, "")
    case = TOKENS[0]
    printed = run_client(ray_server.port, "generate", *case["prompt"], "--count", len(case["tokens"]))
    assert [int(line) for line in printed.split()] == case["tokens"]


def test_ray_refuses_requests_that_do_not_fit(ray_server):
    connection = client.Client(port=ray_server.port)
    sample = CASES[0][0]
    for wrong in (sample[:, :-1], sample.astype(np.float64), sample[None]):
        with pytest.raises(client.RequestError, match=r"400: a sample is float32\[s77, 3, 24, 24\] without the first dimension"):
            connection.ask_ray(wrong)
    with pytest.raises(client.RequestError, match="not what numpy.save writes"):
        connection.post("/model", b"")
    for body, said in (
        ("[]", "not like"),
        ('{"prompt": [], "count": 1}', "needs a prompt"),
        ('{"prompt": [64], "count": 1}', "tokens from 0 to 63"),
        ('{"prompt": [1, 2], "count": 64}', "more than the 64 positions"),
    ):
        with pytest.raises(client.RequestError, match=said):
            connection.post("/generate", body)
    assert len(list(connection.generate([1, 2], 63))) == 63


def test_ray_streams_are_given_back(ray_server):
    """By clients that go away, too: there are eight."""
    for case in TOKENS + TOKENS[:2]:
        connection = client.Client(port=ray_server.port)
        tokens = connection.generate(case["prompt"], len(case["tokens"]))
        assert [next(tokens), next(tokens)] == case["tokens"][:2]
        tokens.close()
    with Clients(12, ray_server.port, generate) as load:
        wait_until(lambda: len(load.seconds) >= 24)
    assert load.wrong == 0 and not load.failed


def test_ray_answers_rightly_while_replicas_are_killed(ray_server):
    models, decoders = (ray_server.processes(f"ServeReplica:{name}") for name in ("model", "generate"))
    assert len(models) == len(decoders) == 2

    def replaced():
        there = ray_server.processes("ServeReplica:model")
        return len(there) == 2 and models[0] not in there

    with Clients(16, ray_server.port, ask_ray) as load, Clients(4, ray_server.port, generate) as streams:
        wait_until(lambda: len(load.seconds) > 50)
        time.sleep(SECONDS / 4)
        kill(models[0], decoders[0])
        killed = time.monotonic()
        time.sleep(SECONDS * 3 / 4)
        wait_until(lambda: replaced() and load.since(killed) > 100 and streams.since(killed) > 4)
    print(f"Ray Serve: {len(load.seconds)} answers, {load.retried} retries", end="; ")
    print(f"{len(streams.seconds)} streams, {streams.retried} retries")
    assert load.wrong == streams.wrong == 0 and not load.failed and not streams.failed
    assert load.retried > 0, "nothing was in flight"


def test_programs_without_a_batch_are_refused(files, tmp_path):
    import ray_serve
    import triton_serve

    slipway.compile(ROOT / "tests/data/golden/mlp.pt2", tmp_path / "fixed.pte", engine="none")
    for file, said in ((tmp_path / "fixed.pte", r"float32\[2, 8\]"), (files[1], "position")):
        with pytest.raises(ValueError, match=f"one input whose first dimension varies.*{said}"):
            ray_serve.Model.func_or_class(str(file), 16)
    with pytest.raises(SystemExit, match="first dimension of inputs has to vary"):
        triton_serve.largest_batch(slipway.load(tmp_path / "fixed.pte").method(), 16)
    assert triton_serve.largest_batch(slipway.load(files[0]).method(), 16) == 16
    assert triton_serve.largest_batch(slipway.load(files[1]).method(), 16) == 1


def test_triton_instances_give_each_request_its_rows(files):
    """A call of Triton's with several requests is one of the model."""
    import triton_serve
    from pytriton.proxy.types import Request

    infer = triton_serve.instance(str(files[0]))
    answers = infer([Request({"x": np.stack([sample, sample])}, {}) for sample, _ in CASES])
    for answer, (_, expected) in zip(answers, CASES):
        for row in range(2):
            assert equal([output[row] for output in answer.values()], expected)


def test_triton_answers_rightly_while_its_processes_are_killed(files, tmp_path):
    from pytriton.client import ModelClient

    http, grpc = free_ports(2)
    with Server("triton_serve.py", files[0], "--http-port", http, "--grpc-port", grpc) as server:
        connection = client.Client(port=http)
        with pytest.raises(client.RequestError, match="shape|dimensions"):
            connection.ask_triton(x=CASES[0][0][:, :-1])
        connection.connection.request("GET", "/v2/models/model/config")
        config = json.loads(connection.connection.getresponse().read())
        assert config["max_batch_size"] == 16 and "dynamic_batching" in config
        check_command_line(http, "triton", tmp_path, "x=")
        with ModelClient(f"http://127.0.0.1:{http}", "model") as theirs:
            assert equal(list(theirs.infer_sample(CASES[0][0]).values()), CASES[0][1])
        with Clients(16, http, ask_triton) as load:
            for name in ("triton_python_backend_stub", "bin/tritonserver"):
                time.sleep(SECONDS / 4)
                kill(server.processes(name)[0])
                assert server.process.wait(60) == 1  # what runs it starts it again
                server.start()
                started = time.monotonic()
                time.sleep(SECONDS / 4)
                wait_until(lambda: load.since(started) > 100)
    print(f"Triton: {len(load.seconds)} answers, {load.retried} retries")
    assert load.wrong == 0 and not load.failed and load.retried > 0
