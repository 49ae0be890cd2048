#!/usr/bin/env python3
"""Tests of check_exports.py: what it reads in headers and symbols, and that it reports each that lacks the other."""

import os
import pathlib
import subprocess
import tempfile
import unittest

import check_exports

HEADER = """// A "comment"; with int braces(int) { in it.
#pragma once
#include <string>
#define MACRO(x) \\
  int of_macro(int);
namespace slipway {
class Forward;
using Name = std::string;
enum class Kind { kOne };
inline constexpr int kMost = 3;
inline int inlined() { return 1; }
template <class T>
int of_template(T value);
SLIPWAY_API int free_function(const std::function<void(int)>& done = {}, const char* text = "a;b");
SLIPWAY_API std::string free_function(int);
SLIPWAY_API extern const char* const kNames[];
struct Plain {
  SLIPWAY_API bool operator<(const Plain&) const;
  bool operator==(const Plain&) const = default;
  std::map<int, int> map = {{1, 2}};
  std::function<int(int)> function;
  int x{3};
};
template <class T>
class [[nodiscard]] Result {
  int f();
};
class Pointer {
 public:
  SLIPWAY_API Pointer(Pointer&&) noexcept;
  explicit Pointer(int a) : a_(a), b_{a} {}
  SLIPWAY_API ~Pointer();
  class Impl;

 private:
  explicit Pointer(std::unique_ptr<Impl> impl);
  friend void of_friend(Pointer);
  int a_;
};
class SLIPWAY_API Thrown : public std::exception {
 public:
  const char* what() const noexcept override;
};
}  // namespace slipway
extern "C" {
SLIPWAY_API int slipway_c(void);
}
"""

SYMBOLS = """
0000000000001000 T slipway::free_function[abi:cxx11](int)
0000000000001000 T slipway::free_function(std::function<void (int)> const&, char const*)
0000000000001000 R slipway::kNames
0000000000001000 T slipway::Plain::operator<(slipway::Plain const&) const
0000000000001000 T slipway::Pointer::Pointer(slipway::Pointer&&)
0000000000001001 T slipway::Pointer::Pointer(slipway::Pointer&&)
0000000000001000 T slipway::Pointer::~Pointer()
0000000000001000 T slipway::Thrown::what() const
0000000000001000 W slipway::Thrown::~Thrown()
0000000000001000 V typeinfo for slipway::Thrown
0000000000001000 T slipway_c
"""


class CheckExports(unittest.TestCase):
    def unmarked(self, text):
        return [complaint.split(': ', 1)[1] for complaint in check_exports.unmarked(check_exports.declared(text))]

    def compare(self, symbols):
        return [complaint.split(': ', 1) for complaint in check_exports.compare(check_exports.declared(HEADER), symbols)]

    def test_declared(self):
        found = check_exports.declared(HEADER)
        self.assertEqual(['slipway::free_function', 'slipway::free_function', 'slipway::kNames', 'slipway::Plain::operator<',
                          'slipway::Pointer::Pointer', 'slipway::Pointer::~Pointer', 'slipway::Pointer::Pointer',
                          'slipway::Thrown::what', 'slipway_c'], [one.name for one in found if not one.is_class])
        self.assertEqual(['slipway::Plain', 'slipway::Pointer', 'slipway::Thrown'], [one.name for one in found if one.is_class])
        lines = HEADER.splitlines()
        for one in found:
            self.assertIn(one.name.split('::')[-1], lines[one.line - 1])
        self.assertEqual(['slipway::Pointer::Pointer'], [one.name for one in found if not one.is_public])

    def test_all_is_well(self):
        self.assertEqual([], self.unmarked(HEADER))
        self.assertEqual([], self.compare(SYMBOLS))

    def test_of_c(self):
        headers = check_exports.declared('extern "C" { SLIPWAY_API int slipway_f(void); }') + check_exports.declared(HEADER)
        for name in ('c', 'model'):
            headers[0].file = f'include/slipway/slipway_{name}.h'
            self.assertEqual(headers[:1], check_exports.of_library(headers, f'libslipway_{name}.so'))
            self.assertEqual(headers[1:], check_exports.of_library(headers, 'libslipway_shared.so'))

    def test_unmarked(self):
        self.assertEqual(['slipway::f is public: mark it with SLIPWAY_API'], self.unmarked('namespace slipway { int f(); }'))
        self.assertEqual(['A::g is public: mark it with SLIPWAY_API'], self.unmarked('class A { int f(); public: static int g(); };'))
        self.assertEqual(['A::x is public: mark it with SLIPWAY_API'], self.unmarked('struct A { static const int x; };'))
        self.assertEqual(['A::operator() is public: mark it with SLIPWAY_API'], self.unmarked('struct A { int operator()(int); };'))
        self.assertEqual(['A has virtual functions: mark the class with SLIPWAY_API'],
                         self.unmarked('struct A { virtual ~A() {} };'))
        self.assertEqual([], self.unmarked('struct SLIPWAY_API A { virtual int f(); };'))

    def test_exported_and_not_declared(self):
        for symbol in ('slipway::hidden_function(int)', 'slipway::Pointer::hidden()', 'typeinfo for slipway::Pointer',
                       'std::vector<slipway::Plain, std::allocator<slipway::Plain> >::clear()', 'ZSTD_compress', 'void slipway::of_template<int>(int)'):
            self.assertEqual([[symbol, 'exported, and no public header declares it with SLIPWAY_API']],
                             self.compare(SYMBOLS + '0000000000001000 T ' + symbol + '\n'))

    def test_another_overload_is_exported(self):
        (where, why), = self.compare(SYMBOLS + '0000000000001000 T slipway::Pointer::Pointer(int)\n')
        self.assertIn('more of slipway::Pointer::Pointer is exported than declared', why)

    def test_declared_and_not_exported(self):
        for line, name in ((1, 'free_function is declared 2 times and exported 1'), (3, 'kNames is declared 1 times and exported 0'),
                           (4, 'Plain::operator< is'), (7, 'Pointer::~Pointer is'), (11, 'slipway_c is')):
            lines = SYMBOLS.splitlines()
            del lines[line]
            (where, why), = self.compare('\n'.join(lines))
            self.assertIn(name, why)

    def test_real_library(self):
        """What the compiler makes of a marked function, of one that is not, of one that is not defined and of one in no header."""
        with tempfile.TemporaryDirectory() as folder:
            header = pathlib.Path(check_exports.__file__).parent.parent / 'include/slipway/export.h'
            declares = ('namespace slipway { SLIPWAY_API int marked(); int forgotten(); SLIPWAY_API int missing(); '
                        'struct A { SLIPWAY_API A(int); SLIPWAY_API int f() const; }; }\n')
            (pathlib.Path(folder) / 'a.cc').write_text(
                f'#include "{header}"\n#include <vector>\n{declares}'
                'namespace slipway { int marked() { return 1; } int forgotten() { return 2; } A::A(int) {} int A::f() const { return 3; }\n'
                '__attribute__((visibility("default"))) int stray() { return 4; } }\n')
            library = f'{folder}/a.so'
            subprocess.run([os.environ.get('CXX', 'c++'), '-std=c++20', '-fPIC', '-shared', '-fvisibility=hidden',
                            '-fvisibility-inlines-hidden', f'{folder}/a.cc', '-o', library], check=True)
            nm = subprocess.run(['nm', '-D', '--defined-only', '-C', library], check=True, capture_output=True, text=True).stdout
            declarations = check_exports.declared(declares)
            self.assertEqual([':1: slipway::forgotten is public: mark it with SLIPWAY_API'], check_exports.unmarked(declarations))
            self.assertEqual(['slipway::stray(): exported, and no public header declares it with SLIPWAY_API',
                              ':1: slipway::missing is declared 1 times and exported 0 times'], check_exports.compare(declarations, nm))


if __name__ == '__main__':
    unittest.main()
