"""The operator tables of src/schema against PyTorch's own schemas and ExecuTorch's own registry."""

import pathlib
import re

import executorch.exir.passes._quant_patterns_and_replacements  # noqa: F401
import executorch.exir.passes.dim_order_ops_registry  # noqa: F401
import executorch.kernels.quantized  # noqa: F401
import pytest
import torch
import torch.ao.quantization.fx._decomposed  # noqa: F401
import torchao.quantization  # noqa: F401
import torchvision  # noqa: F401
from executorch.extension.pybindings import portable_lib

import test_grouped_products  # noqa: F401

SCHEMAS = pathlib.Path(__file__).parents[2] / "src" / "schema"


def lines(table):
    return [line for line in (SCHEMAS / table).read_text().splitlines() if line and line[0] != "#"]


def split_name(text):
    name, _, overload = text.split("(")[0].partition(".")
    return name, overload


def is_torch_version(version):
    return torch.__version__.startswith(version)


@pytest.mark.skipif(not is_torch_version("2.14"), reason="the table is torch 2.14's")
@pytest.mark.parametrize("table", ["aten.txt", "kernels.txt"])
def test_schemas_are_those_of_torch(table):
    wrong = []
    compared = 0
    for line in lines(table):
        if not line.startswith(("aten::", "dim_order_ops::") if table == "kernels.txt" else ""):
            continue
        schema = str(torch._C._get_schema(*split_name(line)))
        compared += 1
        if schema != line:
            wrong.append(f"{line}\n  torch: {schema}")
    assert compared > 200
    assert not wrong, "\n".join(wrong)


@pytest.mark.skipif(not is_torch_version("2.14"), reason="the list is torch 2.14's")
def test_core_operators_compile_but_for_ten():
    """As docs/operators.md says."""
    compiled = set(re.findall(r"\| `aten\.(\S+)` \|", (SCHEMAS.parents[1] / "docs" / "operators.md").read_text()))
    left_out = {"atan2.out", "resize_.default", "sym_is_contiguous.default"}
    without_row = {"sym_stride.int", "sym_storage_offset.default"}
    count = 0
    for full in torch._C._dispatch_get_all_op_names():
        if not full.startswith("aten::"):
            continue
        name, _, overload = full.removeprefix("aten::").partition(".")
        operator = f"{name}.{overload or 'default'}"
        if torch.Tag.core not in getattr(getattr(torch.ops.aten, name), overload or "default").tags:
            continue
        count += 1
        is_left_out = operator in left_out | without_row or name.endswith("_backward")
        assert (operator in compiled) != is_left_out, operator
    assert count == 193


# What becomes instructions, nothing or another operator, and what can't be compiled, for which docs/operators.md has the reasons.
NOT_IN_THE_TABLE = {"_assert_scalar.default", "_assert_tensor_metadata.default", "as_strided_scatter.default"}
NOT_COMPILED = {"i0.default", "linalg_svd.default", "unflatten_dense_tensors.default"}


def test_operators_in_use_compile():
    """98 per cent of them at least, as docs/operators.md says."""
    page = (SCHEMAS.parents[1] / "docs" / "operators.md").read_text()
    compiled = set(re.findall(r"\| `aten\.(\S+)` \|", page)) | NOT_IN_THE_TABLE
    names = (pathlib.Path(__file__).parent / "operators_in_use.txt").read_text().splitlines()
    names = [name for name in names if name and name[0] != "#"]
    in_place = re.compile(r"_(?=\.\w+$)")  # becomes the functional one
    missing = {name for name in names if not {name, in_place.sub("", name)} & compiled}
    assert missing == NOT_COMPILED
    assert len(missing) <= 0.02 * len(names)
    assert f"Of {len(names)} operators" in page


def test_kernels_are_those_that_register():
    ours = {line.split("(")[0] for line in lines("kernels.txt")}
    theirs = set(portable_lib._get_operator_names())
    assert ours == theirs


def test_every_quantized_kernel_is_called_as_its_operator():
    """Its parameters without the out-arguments are those of the functional operator."""
    operators = {}
    for line in lines("aten.txt"):
        name, _ = split_name(line)
        operators.setdefault(name, []).append(re.sub(r"\*, ", "", line[line.index("(") + 1 : line.rindex(") ->")]))
    for line in lines("kernels.txt"):
        if not line.startswith("quantized_decomposed::"):
            continue
        arguments = re.sub(r"\*, ", "", line[line.index("(") + 1 : line.rindex(") ->")])
        arguments = re.sub(r"(, Tensor\(\w!\) \w+)+$", "", arguments)
        assert arguments in operators[split_name(line)[0]], line
