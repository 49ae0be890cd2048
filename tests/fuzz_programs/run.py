#!/usr/bin/env python3
"""Random programs on every engine, against PyTorch (docs/fuzz_programs.md).

run.py --seed S (--programs N | --minutes M) [--engines none,openvino,onnx] [--disable-rule NAME] [--out FOLDER]

Runs with the Python of the peers suite (`make setup-peers`) after `ninja -C build/release program_driver`.
"""

import argparse
import hashlib
import logging
import os
import pathlib
import re
import sys
import time
import warnings
from collections import Counter

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")

import torch  # noqa: E402

import operators  # noqa: E402
from check import Checker  # noqa: E402
from driver import Driver  # noqa: E402
from exemptions import OPEN  # noqa: E402
from generator import Generator  # noqa: E402
from shrink import Shrinker  # noqa: E402

ROOT = pathlib.Path(__file__).parents[2]
BATCH = 24


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default="0", help="any text; programs of a seed are always the same")
    parser.add_argument("--programs", type=int, help="how many programs")
    parser.add_argument("--minutes", type=float, help="how long; the programs are those of --programs, as many as fit")
    parser.add_argument("--engines", default="none,openvino,onnx")
    parser.add_argument("--disable-rule", default="", help="a rule of `slipway compile --disable-rule` that is left out")
    parser.add_argument("--only", help="a pattern of operators to draw from")
    parser.add_argument("--batch", type=int, default=BATCH, help="programs in one archive")
    parser.add_argument("--first", type=int, default=0, help="the batch to begin with")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/fuzz_programs")
    parser.add_argument("--driver", type=pathlib.Path, default=ROOT / "build/release/fuzz_programs/program_driver")
    parser.add_argument("--table", action="store_true", help="print how often each operator came, by role")
    options = parser.parse_args()
    if not options.programs and not options.minutes:
        options.programs = 200
    return options


class Campaign:
    def __init__(self, options):
        self.options = options
        self.driver = Driver(options.driver, options.disable_rule)
        self.checker = Checker(self.driver, options.engines.split(","))
        self.names = operators.names()
        if options.only:
            self.names = [name for name in self.names if re.search(options.only, name)]
        self.kinds, self.open, self.shrunk, self.programs, self.nodes, self.dynamic = Counter(), Counter(), [], 0, 0, 0
        self.started = time.monotonic()

    def batch(self, number):
        """The programs of a batch depend on nothing but the seed and its number."""
        drawn, programs, attempts = {}, [], 0
        while len(programs) < self.options.batch:
            program = Generator(f"{self.options.seed}:{number}:{attempts}", drawn, self.names, with_complex(number)).make()
            if program.nodes and program.inputs and program.outputs:
                programs.append(program)
            attempts += 1
        return programs

    def run(self):
        number = self.options.first
        while not self.done():
            programs = self.batch(number)
            dialect = ("training", "core")[number % 2]
            engines = [each for each in self.checker.engines if not (each == "onnx" and with_complex(number))]
            findings = self.checker.check(programs, dialect, engines)
            for k, (program, found) in enumerate(zip(programs, findings)):
                if found is None:
                    continue
                self.programs += 1
                self.nodes += len(program.nodes)
                self.dynamic += program.dynamic
                for finding in without_repeats(found):
                    self.report(program, finding, f"{self.options.seed}:{number}:{k}")
            number += 1
            seconds = time.monotonic() - self.started
            print(f"batch {number}: {self.programs} programs, {self.programs / seconds:.1f}/s, {sum(self.kinds.values())} failures of {len(self.kinds)} kinds", flush=True)
        self.summary()
        return 1 if self.kinds else 0

    def done(self):
        if self.options.programs and self.programs >= self.options.programs:
            return True
        return bool(self.options.minutes) and time.monotonic() - self.started >= 60 * self.options.minutes

    def report(self, program, finding, seed):
        explained = next((row for row in OPEN if row.matches(finding, names_in(program))), None)
        if explained:
            self.open[explained.what] += 1
            return
        if known := self.known(program, finding):
            self.kinds[known] += 1
            return
        shrinker = Shrinker(self.checker, finding)
        if not shrinker.fails(program.clone()):
            self.kinds[f"{finding.engine} {finding.kind}, only in company"] += 1
            print(f"\n==== only in company ({seed}): {finding.text()}", flush=True)
            return
        small, finding = shrinker.shrink(program)
        small.drop_dead()
        # What is left may show a known defect more clearly.
        if explained := next((row for row in OPEN if row.matches(finding, names_in(small))), None):
            self.open[explained.what] += 1
            return
        kind = signature(small, finding)
        self.kinds[kind] += 1
        if self.kinds[kind] > 1:
            return
        self.shrunk.append((finding.engine, finding.kind, names_in(small), kind))
        source = f'"""{seed}\n{finding.text()}\n"""\n' + small.source()
        self.options.out.mkdir(parents=True, exist_ok=True)
        file = self.options.out / f"{re.sub(r'[^a-zA-Z0-9]+', '_', kind)[:90]}_{hashlib.sha1(kind.encode()).hexdigest()[:6]}.py"
        file.write_text(source)
        print(f"\n==== {kind} ({seed}), {file}\n{source}", flush=True)

    def known(self, program, finding):
        """A kind that was shrunk before, of which the program holds all nodes: shrinking takes most of the time."""
        names = names_in(program)
        return next((kind for engine, what, nodes, kind in self.shrunk if (engine, what) == (finding.engine, finding.kind) and nodes <= names), None)

    def summary(self):
        checker = self.checker
        print(f"\n{self.programs} programs of {self.nodes / max(1, self.programs):.1f} nodes, {self.dynamic} dynamic; {checker.compared} outputs compared, "
              f"{checker.skipped} changed by torch.export")
        for title, counts in (("kinds of failures", self.kinds), ("open defects", self.open), ("exemptions", checker.exempted), ("refused", checker.refused), ("not exported", checker.not_exported)):
            if counts:
                print(f"{title}:")
                for name, count in counts.most_common(25):
                    print(f"  {count:6} {name}")
        if self.options.table:
            table(checker.roles)


def with_complex(number):
    """ONNX has no complex numbers, and a batch is one model."""
    return number % 4 == 3


def without_repeats(findings):
    """What kernels alone get wrong, they get wrong beside an engine too."""
    first = next((each for each in findings if each.engine == "none"), None)
    return [each for each in findings if each is first or first is None or each.kind != first.kind or (each.kind == "wrong" and each.engine == "onnx")]


def table(roles):
    names = sorted({name for name, _ in roles})
    print(f"{len(names)} operators: data, constant, size")
    for name in names:
        print(f"  {name:60} {roles[name, 'data']:6} {roles[name, 'constant']:6} {roles[name, 'size']:6}")


def names_in(program):
    return {re.sub(r"\(.*", "", node.text) if node.text.startswith("aten.") else node.op for node in program.nodes}


def signature(program, finding):
    operators_ = " ".join(sorted(names_in(program)))
    what = "" if finding.kind in ("wrong", "crash") else " " + re.sub(r"[^a-zA-Z ]+", "", finding.message)[:50]
    kind = finding.kind
    if kind == "wrong" and " instead of " in finding.message:
        kind = "wrong size or type"
    return f"{finding.engine} {kind}{what}: {operators_}"


def main():
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    campaign = Campaign(arguments())
    try:
        return campaign.run()
    finally:
        campaign.driver.close()


if __name__ == "__main__":
    sys.exit(main())
