#!/usr/bin/env python3
"""Holds that no engine is named outside its own folder and the list of engines (src/engine_list/list.inc), tests aside."""

import pathlib
import re
import sys

LIST = 'src/engine_list/list.inc'
ENTRY = re.compile(r'^SLIPWAY_(?:ENGINE|DELEGATE|ENGINE_OF_TESTS)\((\w+)\)', re.MULTILINE)
# An engine that is called as NVIDIA's platform and PyTorch's device are: what is said of those names no engine. These do.
OWN = {'cuda': r'[=!]= "cuda"|\("cuda"|\bcuda/(?:format|compiler|delegate|builder)/|\bcuda::k(?:Description|Compiler)\b|SlipwayCudaBackend|libslipway_cuda'}
TEST = re.compile(r'_(test|fuzz|benchmark)\.(cc|h)$')


def check(root):
    """All complaints about the tree at `root`, each 'file:line: why'."""
    engines = ENTRY.findall((root / LIST).read_text())
    patterns = {engine: re.compile(OWN.get(engine, engine), re.IGNORECASE) for engine in engines}
    complaints = []
    for path in sorted([*root.glob('src/**/*'), *root.glob('include/**/*')]):
        file = path.relative_to(root)
        if path.suffix not in ('.h', '.cc', '.inc', '.txt') or TEST.search(file.name) or file.as_posix() == LIST:
            continue
        home = file.parts[1] if file.parts[0] == 'src' else ''
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = [(match.start(), match.group()) for engine, pattern in patterns.items() if engine != home for match in pattern.finditer(line)]
            complaints += [f'{file}:{number}: names the engine {text}' for _, text in sorted(found)]
    return complaints


if __name__ == '__main__':
    found = check(pathlib.Path(__file__).resolve().parent.parent)
    print('\n'.join(found) if found else 'engines: named in their own folders only')
    sys.exit(1 if found else 0)
