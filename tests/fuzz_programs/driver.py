"""Compiles and runs archives with program_driver, and lowered models with ONNX Runtime."""

import os
import pathlib
import select
import struct
import subprocess
import time

import numpy as np
import torch

TYPES = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.float32, torch.float64, torch.complex32, torch.complex64,
         torch.complex128, torch.bool, torch.bfloat16]
TIMEOUT = 120


class Crash(Exception):
    """The driver ended, or did not answer."""


class Failure(Exception):
    """A message instead of results."""


def write_values(path, sets):
    with open(path, "wb") as file:
        file.write(struct.pack("<q", len(sets)))
        for values in sets:
            file.write(struct.pack("<q", len(values)))
            for value in values:
                value = value.detach().contiguous()
                file.write(struct.pack(f"<{2 + value.dim()}q", TYPES.index(value.dtype), value.dim(), *value.shape))
                file.write(value.flatten().view(torch.uint8).numpy().tobytes() if value.numel() and value.dim() else value.reshape(1).view(torch.uint8).numpy().tobytes() if value.numel() else b"")


def read_values(path):
    """For each set a list of values, or the message of a run that failed."""
    data = pathlib.Path(path).read_bytes()
    at = 0

    def number():
        nonlocal at
        at += 8
        return struct.unpack_from("<q", data, at - 8)[0]

    sets = []
    for _ in range(number()):
        count = number()
        if count < 0:
            length = number()
            sets.append(data[at:at + length].decode(errors="replace"))
            at += length
            continue
        values = []
        for _ in range(count):
            kind = number()
            if kind >= 0:
                shape = [number() for _ in range(number())]
                width = torch.empty((), dtype=TYPES[kind]).element_size()
                length = width * int(np.prod(shape, dtype=np.int64))
                raw = torch.frombuffer(bytearray(data[at:at + length]), dtype=TYPES[kind]) if length else torch.empty(0, dtype=TYPES[kind])
                values.append(raw.reshape(shape))
                at += length
            elif kind == -4:
                values.append(None)
            else:
                values.append(struct.unpack_from("<d" if kind == -2 else "<q", data, at)[0])
                at += 8
        sets.append(values)
    return sets


class Driver:
    def __init__(self, program, folder, rules=""):
        self.program, self.rules, self.process = str(program), rules, None
        self.path = pathlib.Path(folder)
        self.refusals = ""  # of the last archive: nodes that an engine's library did not take

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def ask(self, *fields):
        if self.process is None:
            self.errors = open(self.path / "stderr", "wb")
            self.process = subprocess.Popen([self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                            env=dict(os.environ, OMP_NUM_THREADS="1"))
        try:
            self.process.stdin.write(("\t".join([*map(str, fields), self.rules]) + "\n").encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        answer, end = b"", time.monotonic() + TIMEOUT
        while not answer.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            piece = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not piece:
                code = self.process.poll()
                self.close()
                raise Crash(f"program_driver ended ({code})" if ready else f"no answer in {TIMEOUT} s")
            answer += piece
        text = answer.decode(errors="replace").splitlines()[-1] if answer.count(b"\n") > 1 else answer.decode(errors="replace").rstrip("\n")
        self.refusals = self.plain(text.removeprefix("refused ")) if text.startswith("refused ") else ""
        if text != "ok" and not self.refusals:
            raise Failure(self.plain(text.removeprefix("error ")))

    def plain(self, message):
        return message.replace("\r", "\n").replace(f"{self.path}/part/", "").replace(f"{self.path}/", "")

    def run(self, engine, archive, sets):
        """The outputs for each set of inputs, or a message in their place."""
        if engine == "onnx":
            return self.run_onnx(archive, sets)
        write_values(self.path / "inputs", sets)
        self.ask(engine, archive, self.path / "inputs", self.path / "outputs")
        return [self.plain(each) if isinstance(each, str) else each for each in read_values(self.path / "outputs")]

    def run_onnx(self, archive, sets):
        import onnxruntime
        import onnx
        file = self.path / "model.onnx"
        self.ask("onnx", archive, "-", file)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        try:
            session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001
            raise Failure(f"ONNX Runtime: {error}") from None
        half = {each.name for each in onnx.load(file, load_external_data=False).graph.output if each.type.tensor_type.elem_type == onnx.TensorProto.BFLOAT16}
        results = []
        for values in sets:
            feeds = {}
            for each, value in zip(session.get_inputs(), values):
                feeds[each.name] = (onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(value.view(torch.int16).numpy().view(np.uint16), onnx.TensorProto.BFLOAT16)
                                    if value.dtype == torch.bfloat16 else onnxruntime.OrtValue.ortvalue_from_numpy(value.contiguous().numpy()))
            try:
                outputs = session.run_with_ort_values([each.name for each in session.get_outputs()], feeds)
            except Exception as error:  # noqa: BLE001
                results.append(f"ONNX Runtime: {error}")
                continue
            tensors = []
            for info, output in zip(session.get_outputs(), outputs):
                if info.name in half:
                    tensors.append(torch.from_dlpack(output._ortvalue.to_dlpack()) if hasattr(output._ortvalue, "to_dlpack") else None)
                else:
                    tensors.append(torch.from_numpy(np.array(output.numpy())))
            results.append(tensors)
        return results
