"""Writes the archives of this folder and decoder.json, what PyTorch generates with them: python make_archives.py (torch 2.14.0)."""

import json
import pathlib
import sys

import torch

FOLDER = pathlib.Path(__file__).parent
sys.path.insert(0, str(FOLDER.parents[2] / "examples"))
import export_llama

torch.manual_seed(3)
model = export_llama.Llama(vocabulary=64, width=16, length=32).eval()
for name, program in export_llama.export(model).items():
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    torch.export.save(program, FOLDER / f"{name}.pt2")
prompts = [torch.randint(0, 64, (length,)).tolist() for length in (1, 3, 20)]
cases = [{"prompt": prompt, "tokens": export_llama.generate(model, prompt, 12)} for prompt in prompts]
(FOLDER / "decoder.json").write_text("[\n" + ",\n".join(map(json.dumps, cases)) + "\n]\n")
