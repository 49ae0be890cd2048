#!/usr/bin/env python3
"""A client of ray_serve.py and triton_serve.py, which needs NumPy alone and asks again where a server failed.

usage: client.py [--port 8000] ray x.npy, client.py triton x=x.npy, or client.py generate 1 2 3 --count 20

x.npy is one sample, without the dimension of the batch; Triton wants the inputs' names.
"""

import argparse
import http.client
import io
import itertools
import json
import time

import numpy as np


def to_npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def from_npz(data):
    arrays = np.load(io.BytesIO(data), allow_pickle=False)
    return [arrays[name] for name in arrays.files]


def to_triton(dtype):
    return str(dtype).upper().replace("FLOAT", "FP")


def from_triton(name):
    return name.lower().replace("fp", "float")


class ServerError(Exception):
    """The server, or the way to it, failed: the request may be sent again."""


class RequestError(Exception):
    """The server says what is wrong with the request."""


class Client:
    """A connection, for one thread. `retried` counts the requests that were sent again."""

    def __init__(self, host="127.0.0.1", port=8000, timeout=30, attempts=40):
        self.connection = http.client.HTTPConnection(host, port, timeout=timeout)
        self.attempts, self.retried = attempts, 0

    def post(self, path, body, headers={}):
        """The answer, whose body is not yet read."""
        try:
            self.connection.request("POST", path, body, headers)
            response = self.connection.getresponse()
            if response.status == 200:
                return response
            text = response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()  # opened again by the next request
            raise ServerError(f"no answer: {error!r}") from error
        # A server that starts knows its models later than it answers.
        later = response.status in (404, 429) or response.status >= 500
        raise (ServerError if later else RequestError)(f"{response.status}: {text.strip()}")

    def read(self, response):
        try:
            return response.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            raise ServerError(f"the answer broke off: {error!r}") from error

    def retry(self, ask):
        """What ask() gives. Asking twice does no harm: a model gives the same each time."""
        for attempt in itertools.count(1):
            try:
                return ask()
            except ServerError:
                if attempt >= self.attempts:
                    raise
                self.retried += 1
                time.sleep(min(0.05 * attempt, 1))

    def ask_ray(self, sample):
        """The outputs for one sample."""
        body = to_npy(sample)
        return self.retry(lambda: from_npz(self.read(self.post("/model", body))))

    def ask_triton(self, model="model", **inputs):
        """The outputs for one sample, by KServe's v2 protocol with its extension for binary tensors: JSON, then their bytes."""
        arrays = {name: np.ascontiguousarray(sample[None]) for name, sample in inputs.items()}
        tensors = [
            {"name": name, "shape": array.shape, "datatype": to_triton(array.dtype), "parameters": {"binary_data_size": array.nbytes}}
            for name, array in arrays.items()
        ]
        said = json.dumps({"inputs": tensors, "parameters": {"binary_data_output": True}}).encode()
        body = said + b"".join(array.tobytes() for array in arrays.values())
        headers = {"Inference-Header-Content-Length": str(len(said))}

        def ask():
            response = self.post(f"/v2/models/{model}/infer", body, headers)
            data = self.read(response)
            start = int(response.headers["Inference-Header-Content-Length"])
            outputs = []
            for output in json.loads(data[:start])["outputs"]:
                end = start + output["parameters"]["binary_data_size"]
                array = np.frombuffer(data[start:end], from_triton(output["datatype"]))
                outputs.append(array.reshape(output["shape"])[0])
                start = end
            return outputs

        return self.retry(ask)

    def generate(self, prompt, count):
        """Tokens as they come. Sending again is the caller's affair, who may have shown some already."""
        response = self.post("/generate", json.dumps({"prompt": prompt, "count": count}))
        try:
            for line in response:
                said = json.loads(line)
                if "done" in said:
                    response.read()
                    return
                yield said["token"]
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ServerError(f"the tokens broke off: {error!r}") from error
        finally:
            if not response.isclosed():
                self.connection.close()
        raise ServerError("the tokens broke off")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["ray", "triton", "generate"])
    parser.add_argument("values", nargs="+")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--count", type=int, default=20)
    options = parser.parse_args()
    client = Client(port=options.port)
    if options.what == "generate":
        for token in client.generate([int(value) for value in options.values], options.count):
            print(token, flush=True)
        return
    if options.what == "ray":
        outputs = client.ask_ray(np.load(options.values[0]))
    else:
        outputs = client.ask_triton(**{name: np.load(file) for name, file in (value.split("=", 1) for value in options.values)})
    for output in outputs:
        print(output)


if __name__ == "__main__":
    main()
