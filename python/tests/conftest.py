import json
import os
import pathlib

import numpy as np
import pytest
import slipway

ROOT = pathlib.Path(os.environ["SLIPWAY_ROOT"])
GOLDEN = ROOT / "tests/data/golden"


class Golden:
    """A program with inputs and PyTorch's outputs, both flattened."""

    def __init__(self, name, folder):
        self.archive = GOLDEN / f"{name}.pt2"
        [case, *_] = json.loads((GOLDEN / "manifest.json").read_text())["models"][name]["cases"]
        read = lambda item: np.load(GOLDEN / item["file"]) if "file" in item else item.get("value")  # noqa: E731
        self.inputs, self.outputs = [list(map(read, case[key])) for key in ("inputs", "outputs")]
        self.file = folder / f"{name}.pte"

    def load(self, engine="none", **options):
        slipway.compile(self.archive, self.file, engine=engine)
        return slipway.load(self.file, **options)


@pytest.fixture
def golden(tmp_path):
    return lambda name: Golden(name, tmp_path)
