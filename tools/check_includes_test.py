#!/usr/bin/env python3
"""Tests of check_includes.py: each kind of forbidden include, a source compiled twice and a flag in a library are reported, and what
is allowed is not."""

import pathlib
import tempfile
import unittest

import check_includes

LAYERS = """# comment
base     | runtime |      | fmt        |
runtime  | runtime | base | executorch | ir
ir       | compile | base |            |
"""


class CheckIncludes(unittest.TestCase):
    def check(self, files):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in {'cmake/layers.txt': LAYERS, **files}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return check_includes.check(root)

    def test_allowed(self):
        self.assertEqual([], self.check({
            'src/base/hash.h': '#include <fmt/format.h>\n#include <sys/mman.h>\n#include <unistd.h>\n',
            'src/runtime/module.cc': '#include "base/hash.h"\n#include "runtime/module.h"\n'
                                     '#include "slipway/module.h"\n#include <executorch/a/b.h>\n#include <span>\n',
            'src/runtime/module_test.cc': '#include "ir/graph.h"\n#include <gtest/gtest.h>\n#include <fmt/format.h>\n',
            'include/slipway/module.h': '#include "slipway/result.h"\n#include <vector>\n',
        }))

    def test_forbidden_layer(self):
        self.assertEqual(
            ['src/runtime/module.cc:2: runtime may not include ir'],
            self.check({'src/runtime/module.cc': '#include "base/hash.h"\n#include "ir/graph.h"\n'}))

    def test_the_rows_direction_counts(self):
        self.assertEqual(['src/base/a.h:1: base may not include runtime'],
                         self.check({'src/base/a.h': '#include "runtime/module.h"\n'}))

    def test_a_tests_row_does_not_open_the_layer(self):
        self.assertEqual(['src/runtime/a.h:1: runtime may not include ir'],
                         self.check({'src/runtime/a.h': '#  include "ir/graph.h"\n'}))

    def test_a_folder_below_belongs_to_the_layer(self):
        self.assertEqual(['src/ir/ops/a.cc:2: ir may not include runtime'],
                         self.check({'src/ir/ops/a.cc': '#include "ir/ops/a.h"\n#include "runtime/ops/a.h"\n'}))

    def test_third_party(self):
        self.assertEqual(
            ['src/ir/a.cc:1: ir may not use executorch', 'src/ir/a.cc:2: <boost/a.hpp> belongs to no known library',
             'src/ir/a.cc:3: only tests and benchmarks use the test libraries'],
            self.check({'src/ir/a.cc': '#include <executorch/a.h>\n#include <boost/a.hpp>\n#include <gtest/gtest.h>\n'}))

    def test_unknown_folders(self):
        self.assertEqual(['src/base/a.cc:1: "misc/b.h" lies in no layer of cmake/layers.txt',
                          'src/misc/a.cc:1: src/misc is no layer of cmake/layers.txt'],
                         self.check({'src/base/a.cc': '#include "misc/b.h"\n', 'src/misc/a.cc': ''}))

    def test_public_headers(self):
        self.assertEqual(['include/slipway/a.h:1: a public header includes no third-party header',
                          'include/slipway/a.h:2: a public header includes public headers only'],
                         self.check({'include/slipway/a.h': '#include <fmt/format.h>\n#include "base/hash.h"\n'}))

    def test_flags(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            files = {'src/cli/a.cc': 'add("--bound");\n', 'src/ir/a_test.cc': '"--bound"\n', 'src/ir/a.cc': 'for (;; --it) {}\n"slipway run --bound"\n',
                     'src/ir/b.cc': '// Why.\nfail("give --bound {}", x);  // or `--engine`\n', 'include/slipway/a.h': '// --trust\n'}
            for name, text in files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            found = check_includes.flags(root)
        self.assertEqual(['include/slipway/a.h:1: --trust', 'src/ir/b.cc:2: --bound', 'src/ir/b.cc:2: --engine'],
                         [complaint.split(' is known')[0] for complaint in found])

    def test_compiled_twice(self):
        ninja = ('build CMakeFiles/slipway_ir.dir/src/ir/ops/a.cc.o: CXX_COMPILER__slipway_ir_Release /x/src/ir/ops/a.cc\n'
                 'build CMakeFiles/slipway_ir.dir/src/ir/b.cc.o: CXX_COMPILER__slipway_ir_Release /x/src/ir/b.cc\n')
        again = 'build CMakeFiles/slipway_ir_ops.dir/src/ir/ops/a.cc.o: CXX_COMPILER__slipway_ir_ops_Release /x/a.cc\n'
        self.assertEqual([], check_includes.compiled_twice(ninja))
        self.assertEqual(['src/ir/ops/a.cc:1: compiled for slipway_ir and for slipway_ir_ops'],
                         check_includes.compiled_twice(ninja + again))


if __name__ == '__main__':
    unittest.main()
