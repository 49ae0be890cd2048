#!/usr/bin/env python3
"""Holds that no engine is named outside its own folder and the list of engines (src/engine_list/list.inc), tests aside."""

import pathlib
import re
import sys

LIST = 'src/engine_list/list.inc'
ENTRY = re.compile(r'^SLIPWAY_(?:ENGINE|DELEGATE|ENGINE_OF_TESTS)\((\w+)\)', re.MULTILINE)
TEST = re.compile(r'_(test|fuzz|benchmark)\.(cc|h)$')


def check(root):
    """All complaints about the tree at `root`, each 'file:line: why'."""
    engines = ENTRY.findall((root / LIST).read_text())
    pattern = re.compile('|'.join(engines), re.IGNORECASE)
    complaints = []
    for path in sorted([*root.glob('src/**/*'), *root.glob('include/**/*')]):
        file = path.relative_to(root)
        if path.suffix not in ('.h', '.cc', '.inc', '.txt') or TEST.search(file.name) or file.as_posix() == LIST:
            continue
        home = file.parts[1] if file.parts[0] == 'src' else ''
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for match in pattern.finditer(line):
                if match.group().lower() != home:
                    complaints.append(f'{file}:{number}: names the engine {match.group()}')
    return complaints


if __name__ == '__main__':
    found = check(pathlib.Path(__file__).resolve().parent.parent)
    print('\n'.join(found) if found else 'engines: named in their own folders only')
    sys.exit(1 if found else 0)
