#!/usr/bin/env python3
"""Writes cases.zip: the table's programs, exported, with inputs and PyTorch's results.

Run it with the Python of the peers suite (tools/setup_peers.sh) after changing the table: make_cases.py [file]. Running it twice
gives the same bytes.

Entries: index.json (one entry a case, see describe()), <case>.pt2, and .npy files named there.
"""

import io
import json
import pathlib
import re
import sys
import zipfile

import numpy as np
import torch

import operator_cases  # noqa: F401
import overload_cases  # noqa: F401
import role_variants  # noqa: F401
import type_variants  # noqa: F401
import value_cases  # noqa: F401
from table import CASES, Program, export

HERE = pathlib.Path(__file__).parent
LIMIT = 8 << 20

# Operators of docs/operators_onnx.md that no case can have, and why.
WITHOUT_CASE = {
    "aten._conj.default": "PyTorch refuses it for real tensors",
    "aten._local_scalar_dense.default": "export writes aten.item",
    "aten._native_batch_norm_legit.default": "of it, only what trains is not written as another operator",
    "aten.float.default": "PyTorch 2.14 has no such operator: export writes aten.to",
    "aten.lift_fresh.default": "export removes it",
    "aten.softsign.default": "PyTorch 2.14 has no such operator: export writes what it consists of",
    "aten.sym_constrain_range.default": "a number that depends on data",
    "aten.sym_constrain_range_for_size.default": "a number that depends on data",
    "aten.tanhshrink.default": "PyTorch 2.14 has no such operator: export writes what it consists of",
}


class Writer:
    def __init__(self, file, compression=zipfile.ZIP_DEFLATED):
        self.zip = zipfile.ZipFile(file, "w", compression, compresslevel=9)

    def add(self, name, data):
        # Without a time, so that the same contents are the same bytes.
        entry = zipfile.ZipInfo(name)
        entry.compress_type = self.zip.compression
        self.zip.writestr(entry, data)

    def add_array(self, name, array):
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, array, version=(1, 0))
        self.add(name, buffer.getvalue())


def compact(archive):
    """The archive without sample inputs and without where in which file each node comes from."""
    source = zipfile.ZipFile(io.BytesIO(archive))
    buffer = io.BytesIO()
    writer = Writer(buffer, zipfile.ZIP_STORED)
    for name in source.namelist():
        data = source.read(name)
        if "/sample_inputs/" in name or "/.data/" in name:
            continue
        if name.endswith("/models/model.json"):
            data = json.dumps(without_metadata(json.loads(data)), separators=(",", ":"))
        writer.add(name.replace(source.namelist()[0].split("/")[0], "case", 1), data)
    writer.zip.close()
    return buffer.getvalue()


def without_metadata(item):
    if isinstance(item, list):
        return [without_metadata(each) for each in item]
    if isinstance(item, dict):
        return {key: {} if key == "metadata" else without_metadata(value) for key, value in item.items()}
    return item


def targets(archive):
    text = zipfile.ZipFile(io.BytesIO(archive)).read("case/models/model.json").decode()
    return set(re.findall(r'"target":"torch\.ops\.([^"]+)"', text))


def describe(writer, name, value):
    """{"dtype", "file"} of a tensor, {"int"} of an integer; none for None."""
    if value is None:
        return None
    if isinstance(value, int):
        return {"int": value}
    tensor = value.detach().contiguous()
    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.dtype == torch.bfloat16:  # NumPy has no such type.
        tensor = tensor.view(torch.uint16)
    writer.add_array(name + ".npy", tensor.numpy())
    return {"dtype": dtype, "file": name + ".npy"}


def add_case(writer, name, case):
    program = export(case)
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    archive = compact(buffer.getvalue())
    writer.add(name + ".pt2", archive)
    runs = []
    for number, inputs in enumerate([case.inputs, *case.more]):
        # The program may write to its inputs.
        outputs = Program(case.function)(*[each.clone() if isinstance(each, torch.Tensor) else each for each in inputs])
        outputs = torch.utils._pytree.tree_leaves(outputs)
        stem = f"{name}.{number}"
        runs.append({
            "inputs": [describe(writer, f"{stem}.in{k}", value) for k, value in enumerate(inputs)],
            "outputs": [describe(writer, f"{stem}.out{k}", value) for k, value in enumerate(outputs)],
        })
    return {"name": name, "tolerance": case.tolerance, "runs": runs}, targets(archive)


def check_operators(used):
    """Every operator of the registry is in a case, or in WITHOUT_CASE."""
    page = (HERE.parents[1] / "docs/operators_onnx.md").read_text().split("## Left out")[0]
    documented = set(re.findall(r"^\| .*", page, re.MULTILINE))
    documented = {name for row in documented for name in re.findall(r"`((?:aten|quantized_decomposed)\.[^`]+)`", row.split("|")[1])}
    missing = documented - used
    wrong = sorted(missing ^ set(WITHOUT_CASE))
    if wrong:
        sys.exit(
            f"{len(wrong)} of {len(documented)} operators have no case and no reason in WITHOUT_CASE, or both: {' '.join(wrong)}"
        )


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    file = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE / "cases.zip")
    index, used = [], set()
    buffer = io.BytesIO()
    writer = Writer(buffer)
    with torch.no_grad():
        for name, case in CASES.items():
            try:
                entry, operators = add_case(writer, name, case)
            except Exception as error:
                raise RuntimeError(f"the case {name}") from error
            index.append(entry)
            used |= operators
    writer.add("index.json", json.dumps({"cases": index}, indent=1))
    writer.zip.close()
    if len(buffer.getvalue()) > LIMIT:
        sys.exit(f"The cases take {len(buffer.getvalue())} bytes, more than {LIMIT}.")
    file.write_bytes(buffer.getvalue())
    print(f"{file}: {len(index)} cases, {len(buffer.getvalue())} bytes")
    check_operators(used)


if __name__ == "__main__":
    main()
