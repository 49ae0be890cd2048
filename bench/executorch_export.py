"""The peer of `slipway compile`: ExecuTorch's own exporter, from a .pt2 to a .pte.

usage: executorch_export.py MODEL.pt2 MODEL.pte    prints the seconds spent after the imports
"""

import sys
import time

import torch
from executorch.exir import to_edge_transform_and_lower

start = time.perf_counter()
program = torch.export.load(sys.argv[1])
executorch_program = to_edge_transform_and_lower(program).to_executorch()
with open(sys.argv[2], "wb") as file:
    executorch_program.write_to_file(file)
print(f"seconds_after_imports={time.perf_counter() - start:.3f}")
