#!/usr/bin/env python3
"""Tests of check_engine_names.py: an engine that is named elsewhere is reported, in whatever spelling, and what is allowed is not."""

import pathlib
import tempfile
import unittest

import check_engine_names


class CheckEngineNames(unittest.TestCase):
    def check(self, files):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in {check_engine_names.LIST: 'SLIPWAY_ENGINE(warp)\nSLIPWAY_DELEGATE(weft)\nSLIPWAY_ENGINE_OF_TESTS(woof)\n', **files}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return check_engine_names.check(root)

    def test_allowed(self):
        self.assertEqual([], self.check({
            'src/warp/builder/builder.cc': 'Warp\n',
            'src/runtime/module_test.cc': '"WarpBackend"\n',
            'include/slipway/module.h': 'no engine\n',
            'tests/woof/builder/builder.cc': 'Woof\n'}))

    def test_reported(self):
        found = self.check({
            'src/runtime/module.cc': '\nWarpBackend\nwoof\n',
            'src/warp/builder/builder.cc': 'WEFT\n',
            'include/slipway/compile.h': 'warp weft\n'})
        self.assertEqual(['include/slipway/compile.h:1: names the engine warp', 'include/slipway/compile.h:1: names the engine weft',
                          'src/runtime/module.cc:2: names the engine Warp', 'src/runtime/module.cc:3: names the engine woof',
                          'src/warp/builder/builder.cc:1: names the engine WEFT'],
                         found)

    def test_platform(self):
        found = self.check({
            check_engine_names.LIST: 'SLIPWAY_ENGINE(cuda)\n',
            'src/cuda/format/description.cc': '"cuda" SlipwayCudaBackend\n',
            'src/runtime/module.cc': '"cuda:0" a CUDA stream, device = "cuda"\n#include "cuda/driver/driver.h"\ncuda::Device\nif (name == "cuda")\n',
            'src/compile/engines.cc': '#include "cuda/format/description.h"\ncuda::kCompiler\n'})
        self.assertEqual(['src/compile/engines.cc:1: names the engine cuda/format/', 'src/compile/engines.cc:2: names the engine cuda::kCompiler',
                          'src/runtime/module.cc:4: names the engine == "cuda"'], found)


if __name__ == '__main__':
    unittest.main()
