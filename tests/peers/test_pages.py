"""What README.md and docs/ show, run as a reader would: programs in Python and C++, commands, and what these print.

usage: test_pages.py PAGE shows one in a process of its own, in a folder of its own
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from slipway_cli import TOOL

ROOT = pathlib.Path(__file__).parents[2]
SITE, INSTALLED = ROOT / "build/python/site", ROOT / "build/python/installed"  # tools/wheel.sh makes them
# What is shown of files and of the insides; docs/formats/ has nothing else. And what tests/serving and test_decoder.py run.
DATA = ("docs/architecture.md", "docs/decoders.md", "docs/ir.md", "docs/serving.md")
PAGES = [str(page.relative_to(ROOT)) for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))]
# Whole suites, and what pip brings: tested as such.
SUITES = ("make ", "git clone ", ".deps/", "SLIPWAY_", "pip install ")
# A GPU, and a TensorRT that builds for Windows.
NEEDS_MORE = ("slipway tune", "slipway run engines.pt2", "slipway compile model.pt2 -o engines.pt2 --engine tensorrt --cross-compile")


def blocks(page):
    """(language, text) of each block between fences."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 4, 3, stride=4)
        self.linear = torch.nn.Linear(4, 5)

    def forward(self, x):
        return self.linear(torch.relu(self.convolution(x)).mean((2, 3)))


def shell(command):
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout + done.stderr


def without_numbers(line):
    return re.sub(r"\d+(\.\d+)?", "#", re.sub(r"\s+", " ", line.strip()))


def run_commands(text):
    """Lines of commands, each with what it does behind three spaces, or a transcript, whose lines must be printed as they stand but
    for numbers."""
    if text.startswith("$ "):
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, *shown = part.splitlines()
            printed = [without_numbers(line) for line in shell(command).splitlines()]
            if "--tune" in command:
                shown = [line for line in shown if line.startswith(("engine:", "  engines"))]
            for line in shown:
                assert line == "..." or without_numbers(line) in printed, (command, line, printed)
        return
    for line in text.splitlines():
        command = line.split("   ")[0]
        if command.startswith(NEEDS_MORE):
            assert subprocess.run(["bash", "-c", command], capture_output=True).returncode == 1, command
        elif command:
            assert command.startswith("slipway "), line
            shell(command)


def run_python(page, text, names, tmp_path):
    if "from failing import" in text:
        (tmp_path / "failing.py").write_text(
            "import torch\nfrom test_pages import Model as Program\ninputs, dynamic_shapes = [(torch.ones(2, 3, 8, 8),)], None\n"
        )
    exec(compile(text.replace("/opt/slipway", str(INSTALLED)), page, "exec"), names)


def build_cpp(snippets, cmake, tmp_path):
    """Programs of an installed Slipway: the first with the page's own project, the rest with what it says of compiling ones."""
    app = tmp_path / "app"
    app.mkdir()
    for position, snippet in enumerate(snippets):
        includes = "".join(line + "\n" for line in snippet.splitlines() if line.startswith("#include"))
        body = "\n".join(line for line in snippet.splitlines() if not line.startswith("#include"))
        name = f"app{position or ''}.cc"
        (app / name).write_text(
            f"#include <iostream>\n#include <slipway/slipway.h>\n{includes}\n"
            "int report(const slipway::Error& error) { return std::cerr << error.message() << '\\n', 1; }\n"
            f"int run() {{\n{body}\nreturn {'outputs.ok() ? 0 : 2' if 'outputs' in body else '0'};\n}}\nint main() {{ return run(); }}\n"
        )
    more = "find_package(slipway REQUIRED COMPONENTS compile)\nadd_executable(app1 app1.cc)\ntarget_link_libraries(app1 slipway::compile)\n"
    (app / "CMakeLists.txt").write_text(cmake + more)
    shell(
        f"{ROOT}/.deps/cmake/bin/cmake -S {app} -B {app}/build -G Ninja -DCMAKE_PREFIX_PATH={INSTALLED} && ninja -C {app}/build"
        f" && {app}/build/app && {app}/build/app1"
    )


def check_syntax(language, text, tmp_path):
    """Of a part of a program, whose names it does not declare."""
    (tmp_path / f"part.{language}").write_text(
        {
            "c": f"#include <stdio.h>\n#include <slipway/slipway_c.h>\nvoid f(const DLManagedTensorVersioned* const* inputs,"
            f" DLManagedTensorVersioned** outputs) {{\n{text}}}\n",
            "cpp": "#include <iostream>\n#include <slipway/slipway.h>\nvoid f(slipway::Method& method, void* x_on_gpu, void* y_on_gpu) {\n" f"{text}}}\n",
        }[language]
    )
    compiler = {"c": "gcc -std=c11", "cpp": "g++ -std=c++20"}[language]
    shell(f"{compiler} -fsyntax-only -Wall -Werror=implicit-function-declaration -I {INSTALLED}/include {tmp_path}/part.{language}")


def make_folder():
    """What the pages speak of, here: model.pt2, x.npy, cat.jpg and model.pte; the names of the programs in Python."""
    torch.manual_seed(0)
    model, x = Model().eval(), torch.randn(2, 3, 224, 224)
    pathlib.Path("examples").symlink_to(ROOT / "examples")
    pathlib.Path("crepe_tiny.pt2").symlink_to(ROOT / "examples/models/crepe_tiny.pt2")
    program = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},))
    torch.export.save(program, "model.pt2")
    np.save("x.npy", x.numpy())
    shutil.copy(ROOT / "tests/data/fuzz/image/rgb.jpg", "cat.jpg")
    shell("slipway compile model.pt2 -o model.pte --engine none")
    return {"model": model, "x": x, "torch": torch}


def show(page):
    """In the working directory, which is empty."""
    names = make_folder()
    here = pathlib.Path.cwd()
    sys.path[:0] = [str(here), str(SITE)]
    if "slipway compile engines.pt2" in (ROOT / page).read_text():
        shell("slipway compile model.pt2 -o engines.pt2 --engine tensorrt")
    cmake = [text for language, text in blocks(page) if language == "cmake"]
    if cmake:
        build_cpp([text for language, text in blocks(page) if language == "cpp"], cmake[0], here)
    for language, text in blocks(page):
        if language == "python":
            run_python(page, text, names, here)
        elif language in ("c", "cpp") and not cmake or language == "c":
            check_syntax(language, text, here)
        elif not language and not text.startswith(SUITES):
            run_commands(text)
        else:
            assert language in ("cmake", "cpp", ""), language


@pytest.mark.parametrize("page", [page for page in PAGES if page not in DATA and blocks(page)])
def test_what_a_page_shows(page, tmp_path):
    """In a process of its own: where ExecuTorch's package was imported before, its delegates are those of the process."""
    environment = {
        **os.environ,
        "PATH": f"{pathlib.Path(TOOL).parent}:{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join(map(str, (pathlib.Path(__file__).parent, os.environ.get("PYTHONPATH", "")))),
    }
    place = tmp_path / "page"
    place.mkdir()
    command = [sys.executable, __file__, page]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


if __name__ == "__main__":
    show(sys.argv[1])
