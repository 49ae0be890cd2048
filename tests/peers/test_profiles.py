"""Profiles as other tools read them."""

import json

import pytest
import torch
from executorch.devtools import Inspector

import slipway_cli


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(8, 16), torch.nn.Linear(16, 4)

    def forward(self, x):
        return self.second(torch.relu(self.first(x))).cumsum(0)


@pytest.fixture(scope="module", params=["openvino", "xnnpack"])
def file(request, tmp_path_factory):
    program = torch.export.export(Model().eval(), (torch.randn(3, 8),))
    return slipway_cli.compile(program, tmp_path_factory.mktemp(request.param), "--exclude-op", "aten.cumsum", engine=request.param)


def test_executorchs_inspector_opens_an_etdump(file, tmp_path):
    etdump = tmp_path / "x.etdp"
    printed = slipway_cli.call("run", file, "--random-inputs", "1", "--repeat", "4", "--profile", etdump, "--json")
    [block] = Inspector(etdump_path=str(etdump)).event_blocks
    events = {event.name: event for event in block.events}
    engine = next(event for name, event in events.items() if "DELEGATE_CALL" in name)
    assert len(engine.perf_data.raw) == 3, "one a run, and none of the first"
    assert events["aten::cumsum.out"].perf_data.avg > 0
    assert [event for event in block.events if event.is_delegated_op], "layers of the engine"
    profile = json.loads(printed)["profile"]
    [ours] = [one for one in profile["instructions"] if one["name"].startswith("engine ")]
    assert ours["layers"]
    assert engine.perf_data.avg == pytest.approx(ours["ms"], rel=0.01)
