#!/usr/bin/env python3
"""Holds every #include of src/ and include/ against the table in cmake/layers.txt, messages of libraries to naming no flag of the
command line, and each build.ninja that it is given to compiling each source once."""

import collections
import pathlib
import re
import sys

# Where a third-party header comes from. Names are those of layers.txt; only tests may use those of kTesting.
THIRD_PARTY = {
    'fmt/': 'fmt',
    'xxhash.h': 'xxhash',
    'openssl/': 'crypto',
    'libdeflate.h': 'deflate',
    'jpeglib.h': 'images',
    'jerror.h': 'images',
    'png.h': 'images',
    'nlohmann/': 'json',
    'flatbuffers/': 'flatbuffers',
    'google/protobuf/': 'protobuf',
    'executorch/': 'executorch',
    'c10/': 'executorch',
    'openvino/': 'openvino',
    'CLI/': 'cli11',
    'gtest/': 'testing',
    'gmock/': 'testing',
    'benchmark/': 'testing',
}
SYSTEM = re.compile(r'[a-z0-9_]+(\.h)?$|(sys|linux|netinet|arpa|sanitizer)/[a-z0-9_]+\.h$')
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)
OBJECT = re.compile(r'^build CMakeFiles/([^/]+)\.dir/(src/\S+)\.o:', re.MULTILINE)
# Comments and literals, and the flags in them.
TEXT = re.compile(r'//[^\n]*|"(?:\\.|[^"\\\n])*"')
FLAG = re.compile(r'(?<![\w-])--[a-z][a-z0-9-]*')
TEST = re.compile(r'_(test|fuzz|benchmark)\.(cc|h)$')


class Layer:
    def __init__(self, row):
        columns = [column.strip() for column in row.split('|')] + [''] * 5
        self.name = columns[0]
        self.includes = set(columns[2].split()) | {self.name}
        self.third_party = set(columns[3].split())
        self.tests_include = set(columns[4].split())


def read_layers(root):
    rows = (root / 'cmake/layers.txt').read_text().splitlines()
    layers = [Layer(row) for row in rows if row.strip() and not row.startswith('#')]
    return {layer.name: layer for layer in layers}


def layer_of(layers, folder):
    """The layer of a folder of src/: its own, or else that of the nearest folder above it. None if there is none."""
    while folder and folder not in layers:
        folder = folder.rpartition('/')[0]
    return layers.get(folder)


def third_party_of(header):
    for prefix, name in THIRD_PARTY.items():
        if header == prefix or (prefix.endswith('/') and header.startswith(prefix)):
            return name
    return None


def complaint(layers, layer, is_test, quote, header):
    """Why the header may not be included by a file of the layer (None: one of include/slipway), or None."""
    if header.startswith('slipway/'):
        return None
    if quote == '"':
        owner = layer_of(layers, header.rpartition('/')[0])
        if owner is None:
            return f'"{header}" lies in no layer of cmake/layers.txt'
        if layer is None:
            return 'a public header includes public headers only'
        allowed = layer.includes | (layer.tests_include if is_test else set())
        return None if owner.name in allowed else f'{layer.name} may not include {owner.name}'
    name = third_party_of(header)
    if name is None:
        return None if SYSTEM.match(header) else f'<{header}> belongs to no known library'
    if layer is None:
        return 'a public header includes no third-party header'
    if name == 'testing':
        return None if is_test else 'only tests and benchmarks use the test libraries'
    allowed = set(layer.third_party)
    if is_test:
        for other in layer.includes | layer.tests_include:
            allowed |= layers[other].third_party
    return None if name in allowed else f'{layer.name} may not use {name}'


def check(root):
    """All complaints about the tree at `root`, each 'file:line: why'."""
    layers = read_layers(root)
    complaints = []
    for path in sorted([*root.glob('src/**/*'), *root.glob('include/**/*')]):
        if path.suffix not in ('.h', '.cc'):
            continue
        file = path.relative_to(root)
        layer = None
        if file.parts[0] == 'src':
            folder = file.parent.relative_to('src').as_posix()
            layer = layer_of(layers, folder)
            if layer is None:
                complaints.append(f'{file}:1: src/{folder} is no layer of cmake/layers.txt')
                continue
        text = path.read_text()
        for match in INCLUDE.finditer(text):
            why = complaint(layers, layer, bool(TEST.search(file.name)), *match.groups())
            if why:
                line = text.count('\n', 0, match.start(1)) + 1
                complaints.append(f'{file}:{line}: {why}')
    return complaints


def flags(root):
    """A complaint about each flag that is named outside of src/cli: libraries say "option 'require_full'", and
    src/cli/option_names.cc has the flags."""
    complaints = []
    for path in sorted([*root.glob('src/**/*'), *root.glob('include/**/*')]):
        file = path.relative_to(root)
        if path.suffix not in ('.h', '.cc') or file.parts[:2] == ('src', 'cli') or TEST.search(file.name):
            continue
        text = path.read_text()
        for match in TEXT.finditer(text):
            if match.group().startswith('"slipway '):
                continue  # a whole command, as an example
            for flag in FLAG.findall(match.group()):
                line = text.count('\n', 0, match.start()) + 1
                complaints.append(f'{file}:{line}: {flag} is known to the command line alone: say "option \'require_full\'"')
    return complaints


def compiled_twice(ninja):
    """A complaint about each source of src/ that the text of a build.ninja compiles more than once."""
    targets = collections.defaultdict(list)
    for target, source in OBJECT.findall(ninja):
        targets[source].append(target)
    return [f'{source}:1: compiled for {" and for ".join(names)}' for source, names in sorted(targets.items())
            if len(names) > 1]


if __name__ == '__main__':
    root = pathlib.Path(__file__).resolve().parent.parent
    found = check(root) + flags(root)
    for ninja in sys.argv[1:]:
        found += compiled_twice(pathlib.Path(ninja).read_text())
    print('\n'.join(found) if found else 'includes: as cmake/layers.txt says')
    sys.exit(1 if found else 0)
