"""Profiles as other tools read them, and the page of a file as a browser shows it."""

import html
import json
import pathlib
import re
import shutil
import subprocess

import pytest
import torch
from PIL import Image
from executorch.devtools import Inspector

import slipway_cli

GOLDEN = pathlib.Path(__file__).parents[1] / "data/golden"
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


# Of a page that was shown, as text: what stands in the picture, which is no part of the document.
PROBE = """<script>
const overlaps = graph.layers.flatMap(({ nodes }) => nodes.filter((node, i) => i && node.x < nodes[i - 1].x + nodes[i - 1].width)).length
  + graph.layers.filter(({ y }, i) => i && y < graph.layers[i - 1].y + graph.layers[i - 1].height).length;
const opened = () => graph.nodes.filter(node => node.opened).length;
const at_first = opened();
byId('open').click();
const closed = opened();
byId('open').click();
choose(graph.nodes.find(node => node.kind === 'engine') || graph.nodes[1]);
if (opened()) whole();
draw();
document.body.dataset.probe = JSON.stringify({
  nodes: graph.nodes.length, edges: graph.edges.length, jumps: graph.jumps.length, repeated: graph.nodes.filter(node => node.loops.length).length,
  inside: graph.nodes.filter(node => node.inside).map(({ inside }) => [inside.nodes.map(node => node.label + ': ' + node.type), inside.edges.length]),
  overlaps, opened: [at_first, closed, opened()], details: byId('details').textContent });
</script>"""


def in_browser(page, picture):
    """(milliseconds until it was shown, its document, what PROBE tells, what the console was told); a script that throws leaves none."""
    page.write_text(page.read_text().replace("</body>", PROBE + "</body>"))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--window-size=1400,1000"]
    command += ["--dump-dom", f"--screenshot={picture}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    ready, probe = re.search(r'data-ready="(\d+)"', done.stdout), re.search(r'data-probe="([^"]*)"', done.stdout)
    assert ready and probe, (console, done.stdout[-2000:])
    return int(ready[1]), done.stdout, json.loads(html.unescape(probe[1])), console


def colours_of(picture):
    """How many pixels of a screenshot have which colour."""
    return {colour: count for count, colour in Image.open(picture).convert("RGB").getcolors(1 << 24)}


INPUT, OUTPUT, KERNEL, ENGINE, JUMP = (217, 234, 211), (252, 229, 205), (219, 229, 241), (213, 201, 234), (142, 94, 162)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium")


@needs_chromium
def test_a_browser_shows_a_program_of_two_engines(tmp_path):
    program = torch.export.export(Model().eval(), (torch.randn(3, 8),))
    options = ("--exclude-op", "aten.cumsum", "--exclude-node", "xnnpack:linear_1")
    file = slipway_cli.compile(program, tmp_path, *options, engine="xnnpack,openvino")
    page, picture = tmp_path / "x.html", tmp_path / "x.png"
    slipway_cli.call("inspect", file, "--html", page)
    _, document, probe, console = in_browser(page, picture)
    assert not console
    assert "engine 0 of XnnpackBackend" in document and "engine 1 of OpenvinoBackend" in document
    assert probe["nodes"] == 6 and probe["edges"] == 5 and probe["overlaps"] == 0
    assert probe["opened"] == [2, 0, 2]
    # Engines have what they are given, their nodes, and what they give.
    [[first, first_edges], [second, second_edges]] = probe["inside"]
    assert first[:3] == ["x: float32[3, 8]", "linear (aten.linear.default): float32[3, 16]", "relu (aten.relu.default): float32[3, 16]"]
    assert len(first) == 4 and first_edges == 3
    assert len(second) == 3 and second_edges == 2
    assert "computes these nodes exactly" in probe["details"] and "linear (aten.linear.default)" in probe["details"]
    colours = colours_of(picture)
    for colour in (INPUT, OUTPUT, KERNEL, ENGINE):
        assert colours.get(colour, 0) > 1000, colour

    # A page that asks for anything outside of it, were there one, would be told so.
    page.write_text(page.read_text().replace("<section", '<img src="http://127.0.0.1:9/x.png"><section', 1))
    assert "Content Security Policy" in in_browser(page, picture)[3][0]


@needs_chromium
def test_a_browser_shows_loops(tmp_path):
    page, picture = tmp_path / "x.html", tmp_path / "x.png"
    slipway_cli.call("compile", GOLDEN / "while_loop.pt2", "-o", tmp_path / "x.pte", "--engine", "none", "--no-cache")
    slipway_cli.call("inspect", tmp_path / "x.pte", "--html", page)
    _, _, probe, console = in_browser(page, picture)
    assert not console and probe["overlaps"] == 0
    # The way out leads behind the last instruction.
    assert probe["jumps"] == 1 and probe["repeated"] >= 5
    assert colours_of(picture).get(JUMP, 0) > 500


@needs_chromium
def test_a_browser_shows_large_programs_and_times(tmp_path):
    program = torch.export.export(Model().eval(), (torch.randn(3, 8),))
    file = slipway_cli.compile(program, tmp_path, "--exclude-op", "aten.cumsum", engine="xnnpack")
    page, picture = tmp_path / "x.html", tmp_path / "x.png"
    slipway_cli.call("run", file, "--random-inputs", "1", "--repeat", "4", "--profile", tmp_path / "x.json")
    slipway_cli.call("inspect", file, "--html", page, "--profile", tmp_path / "x.json")

    # 5,000 instructions, whose names are hostile.
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
    milliseconds, document, probe, console = in_browser(page, picture)
    assert milliseconds < 10_000, "two seconds on a machine that does nothing else"
    assert not console and "<img" not in document and "&lt;img" in document
    assert "aten::cumsum.out" in document and "Times of 3 run(s)" in document
    assert probe["nodes"] == 5002 and probe["overlaps"] == 0
    assert colours_of(picture).get(KERNEL, 0) > 1000
