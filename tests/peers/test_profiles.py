"""Profiles as other tools read them, and the page of a file as a browser shows it."""

import json
import re
import shutil
import subprocess

import pytest
import torch
from executorch.devtools import Inspector

import slipway_cli

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


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


def in_browser(page):
    """The milliseconds that it took to show the page; what a script throws leaves none."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", page.as_uri()]
    document = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    ready = re.search(r'data-ready="(\d+)"', document)
    assert ready, document[-2000:]
    return int(ready[1]), document


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here (Debian's package chromium)")
def test_a_browser_shows_the_page(file, tmp_path):
    page = tmp_path / "x.html"
    slipway_cli.call("run", file, "--random-inputs", "1", "--repeat", "4", "--profile", tmp_path / "x.json")
    slipway_cli.call("inspect", file, "--html", page, "--profile", tmp_path / "x.json")
    _, document = in_browser(page)
    assert "aten::cumsum.out" in document and "Times of 3 run(s)" in document

    # The same with 5,000 instructions, whose names are hostile.
    head, rest = page.read_text().split('id="data">')
    text, tail = rest.split("</script>", 1)
    data = json.loads(text)
    [method] = data["file"]["methods"]
    name = "aten::add.out<img src=x onerror=alert(1)>"
    method["instructions"] = [name] * 5000
    method["outside"] = [{"name": "add", "op": name, "reason": name}]
    method["graph"]["values"] = [{"index": i, "kind": "tensor", "type": name, "bytes": 64, "buffer": 1, "offset": i % 7 * 64} for i in range(5001)]
    method["graph"]["calls"] = [{"reads": [i, max(i - 9, 0)], "writes": [i + 1], "origin": f"{name} {i}"} for i in range(5000)]
    method["graph"]["inputs"], method["graph"]["outputs"] = [0], [5000]
    page.write_text(f'{head}id="data">' + json.dumps(data).replace("<", "\\u003c") + "</script>" + tail)
    assert page.stat().st_size < 5 << 20
    milliseconds, document = in_browser(page)
    assert milliseconds < 10_000, "two seconds on a machine that does nothing else"
    assert "<img" not in document and "&lt;img" in document
