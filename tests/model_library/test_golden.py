#!/usr/bin/env python3
"""Compiles the golden programs to shared libraries and runs them from C without the tool; then what is said of a library that is missing and
of a model that is damaged.
usage: test_golden.py SLIPWAY RUN_MODEL LIBSLIPWAY_C.so GOLDEN_FOLDER WORK_FOLDER"""

import ctypes
import ctypes.util
import json
import os
import pathlib
import shutil
import subprocess
import sys

TOOL, RUN_MODEL, LIBRARY = sys.argv[1:4]
GOLDEN, WORK = map(pathlib.Path, sys.argv[4:6])
CALLS = '1000'  # without growth, of some models
PARTS = {'mlp', 'mutated_buffer'}


def compile_to(path, archive, engine):
    subprocess.run([TOOL, 'compile', GOLDEN / archive, '-o', path, '--engine', engine], check=True, capture_output=True)
    return path


def argument(value):
    if 'file' in value:
        return f'{value["dtype"]}={GOLDEN / value["file"]}'
    literal = value.get('value')
    for kind, type_ in (('boolean', bool), ('integer', int), ('number', float), ('text', str)):
        if isinstance(literal, type_):
            return f'{kind}={int(literal) if kind == "boolean" else literal}'
    return 'none'


def run_model(path, calls='1', values=(), library=LIBRARY):
    """What it prints as an error; empty if it ran."""
    environment = {name: value for name, value in os.environ.items() if name != 'SLIPWAY_C_LIBRARY'}
    if library:
        environment['SLIPWAY_C_LIBRARY'] = str(library)
    ran = subprocess.run([RUN_MODEL, path, calls, *values], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0 or ran.stderr, ran
    return ran.stderr if ran.returncode else ''  # libraries may print there, too


def expect(found, *parts):
    for part in parts:
        assert part in found, f'{part!r} is not in {found!r}'


def values_of(test, outputs=True):
    return [*map(argument, test['inputs']), *(['--', *map(argument, test['outputs'])] if outputs else [])]


def run_all():
    models = json.loads((GOLDEN / 'manifest.json').read_text())['models']
    ran = 0
    for name, model in models.items():
        # What has random numbers, or nothing to compare with, has no case.
        for engine in ('none', 'openvino') if model['cases'] else ():
            path = compile_to(WORK / f'{name}.so', model['files']['training'], engine)
            for test in model['cases']:
                error = run_model(path, '1', values_of(test))
                assert not error, f'{name}, {engine}: {error}'
                ran += 1
            if name in PARTS:
                error = run_model(path, CALLS, values_of(model['cases'][0], outputs=False))
                assert not error, f'{name}, {engine}: {error}'
    assert ran > 40, ran
    return values_of(models['mlp']['cases'][0])


def find_library(model, values):
    """Where it looks, and what it says of what is not there."""
    folder = WORK / 'deployed'
    (folder / 'lib').mkdir(parents=True)
    copy = shutil.copy(model, folder / 'model.so')
    expect(run_model(copy, library=None), 'libslipway_c.so', 'SLIPWAY_C_LIBRARY', str(copy))
    for place in (folder, folder / 'lib', WORK / 'lib'):
        place.mkdir(exist_ok=True)
        (place / 'libslipway_c.so').symlink_to(LIBRARY)
        assert not run_model(copy, '1', values, library=None)
        (place / 'libslipway_c.so').unlink()
    assert not run_model(copy, '1', values, library=pathlib.Path(LIBRARY).parent)
    expect(run_model(copy, library=WORK / 'no such folder'), 'SLIPWAY_C_LIBRARY', 'no such folder')
    expect(run_model(copy, library=ctypes.util.find_library('m')), 'another version', 'slipway_')


def refuse_damage(model, values):
    whole = model.read_bytes()
    damaged = WORK / 'damaged.so'
    subprocess.run(['strip', '-o', damaged, model], check=True)
    expect(run_model(damaged), str(damaged), 'strip')
    program = whole.index(b'ET12') - 4
    for end in (len(whole) - 1, len(whole) - 64, program + 10, program):
        damaged.write_bytes(whole[:end])
        expect(run_model(damaged), 'strip')
    # Of the program, and of the library before it.
    for at in (program + 100, whole.index(b'out of memory')):
        damaged.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
        expect(run_model(damaged), 'damaged')
    damaged.write_bytes(whole)
    assert not run_model(damaged, '1', values)


def run_two(first, second):
    """Libraries with functions of the same names, in one process."""
    os.environ['SLIPWAY_C_LIBRARY'] = LIBRARY
    counts = []
    for path in (first, second, first):
        model = ctypes.CDLL(str(path))
        model.slipway_model_output_count.restype = ctypes.c_size_t
        module, method = ctypes.c_void_p(), ctypes.c_void_p()
        assert not model.slipway_model_load(None, ctypes.c_size_t(0), None, None, ctypes.byref(module))
        assert not model.slipway_model_method(module, None, ctypes.byref(method))
        counts.append(model.slipway_model_output_count(method))
        model.slipway_model_function.restype = ctypes.c_void_p
        assert model.slipway_model_function(b'slipway_method_reset_state')
        assert not model.slipway_model_function(b'no such function')
    assert counts[0] == counts[2] != counts[1], counts


def refuse_without_pytorch(path):
    """AOTInductor's functions, of which PyTorch's are called."""
    model = ctypes.CDLL(str(path))
    container, error = ctypes.c_void_p(), ctypes.c_char_p()
    assert model.AOTInductorModelContainerCreateWithDevice(ctypes.byref(container), ctypes.c_size_t(1), b'cpu', None) == 1
    model.AOTInductorGetLastError(ctypes.byref(error))
    expect(error.value.decode(), str(path), 'no PyTorch is found in this process')


if __name__ == '__main__':
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    mlp_values = run_all()
    find_library(WORK / 'mlp.so', mlp_values)
    refuse_damage(WORK / 'mlp.so', mlp_values)
    run_two(WORK / 'mlp.so', WORK / 'consts.so')
    refuse_without_pytorch(WORK / 'mlp.so')
    shutil.rmtree(WORK)
