"""One batch of random programs: made, checked, its failures shrunk, and everything counted."""

import hashlib
import re
import time
from collections import Counter

import operators
from check import Checker
from exemptions import OPEN
from generator import Generator, Schedule
from shrink import Shrinker

BATCH = 24
DIALECTS = ("training", "core")
COUNTS = ("open", "exempted", "refused", "not exported", "roles")


class Campaign:
    def __init__(self, seed, engines, driver, out, only=None, batch=BATCH):
        self.seed, self.engines, self.driver, self.out, self.size = seed, engines, driver, out, batch
        self.names = [name for name in operators.names() if not only or re.search(only, name)]
        self.added = [name for name in operators.ADDED if not only or re.search(only, name)]

    def programs(self, number):
        """The programs of a batch depend on nothing but the seed and its number."""
        schedule, programs, attempts = Schedule(self.seed, number, self.names), [], 0
        while len(programs) < self.size:
            program = Generator(f"{self.seed}:{number}:{attempts}", schedule, with_complex(number), self.added).make()
            if program.nodes and program.inputs and program.outputs:
                programs.append(program)
            attempts += 1
        return programs

    def run(self, number, known):
        """What is counted, as JSON takes it. `known` are failures that were shrunk before."""
        started, programs = time.monotonic(), self.programs(number)
        checker, dialect = Checker(self.driver, self.engines), DIALECTS[number % 2]
        counts, failures = {name: Counter() for name in COUNTS}, []
        findings = checker.check(programs, dialect, [each for each in self.engines if not (each == "onnx" and with_complex(number))])
        checked = [program for program, found in zip(programs, findings) if found is not None]
        for program in checked:
            counts["roles"].update(roles_in(program, self.names))
        for k, (program, found) in enumerate(zip(programs, findings)):
            for finding in without_repeats(found or []):
                self.report(checker, program, finding, f"{self.seed}:{number}:{k}", known + failures, failures, counts["open"])
        counts |= {"exempted": checker.exempted, "refused": checker.refused, "not exported": checker.not_exported}
        return {"batch": number, "programs": len(checked), "nodes": sum(len(program.nodes) for program in checked),
                "dynamic": sum(program.dynamic for program in checked), "compared": checker.compared, "changed": checker.skipped,
                "seconds": round(time.monotonic() - started, 1), "failures": failures} | counts

    def report(self, checker, program, finding, seed, known, failures, open_):
        if row := explained(finding, program):
            open_[row.what] += 1
            return
        failure = {"program": seed, "engine": finding.engine, "dialect": finding.dialect, "how": finding.kind, "message": finding.text()}
        # A kind that was shrunk before, of which the program holds all nodes: shrinking takes most of the time.
        same = next((each for each in known if (each["engine"], each["how"]) == (finding.engine, finding.kind) and "nodes" in each
                     and names_in(program).issuperset(each["nodes"])), None)
        if same:
            failures.append(failure | {"kind": same["kind"]})
            return
        shrinker = Shrinker(checker, finding)
        if not shrinker.fails(program.clone()):
            failures.append(failure | {"kind": f"{finding.engine} {finding.kind}, only in company"})
            return
        small, finding = shrinker.shrink(program)
        small.drop_dead()
        # What is left may show a known defect more clearly.
        if row := explained(finding, small):
            open_[row.what] += 1
            return
        kind = signature(small, finding)
        file = self.out / f"{re.sub(r'[^a-zA-Z0-9]+', '_', kind)[:90]}_{hashlib.sha1(kind.encode()).hexdigest()[:6]}.py"
        file.write_text(f'"""{seed}\n{finding.text()}\n"""\n' + small.source())
        failures.append(failure | {"kind": kind, "message": finding.text(), "nodes": sorted(names_in(small)), "file": file.name})


def with_complex(number):
    """ONNX has no complex numbers, and a batch is one model."""
    return number % 4 == 3


def explained(finding, program):
    return next((row for row in OPEN if row.matches(finding, names_in(program))), None)


def without_repeats(findings):
    """What kernels alone get wrong, they get wrong beside an engine too."""
    first = next((each for each in findings if each.engine == "none"), None)
    return [each for each in findings if each is first or first is None or each.kind != first.kind or (each.kind == "wrong" and each.engine == "onnx")]


def name_of(node):
    """The operator that a node calls by its name, or was drawn as."""
    return match[1] if (match := re.match(r"aten\.(\w+\.\w+)\(", node.text)) else node.op


def roles_in(program, names):
    """The operators of a program, each with the roles of its operands: "relu.default data"."""
    for node in program.nodes:
        if (name := name_of(node)) in names:
            roles = {program.roles[operand] for operand in node.operands} | ({"size"} if ".shape[" in node.text else set())
            yield from (f"{name} {role}" for role in roles)


def names_in(program):
    return {re.sub(r"\(.*", "", node.text) if node.text.startswith("aten.") else node.op for node in program.nodes}


def signature(program, finding):
    what = "" if finding.kind in ("wrong", "crash") else " " + re.sub(r"[^a-zA-Z ]+", "", finding.message)[:50]
    kind = finding.kind
    if kind == "wrong" and " instead of " in finding.message:
        kind = "wrong size or type"
    return f"{finding.engine} {kind}{what}: {' '.join(sorted(names_in(program)))}"
