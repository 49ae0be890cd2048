"""Holds programs to PyTorch on each engine: many at once, and those that fail by themselves."""

import json
import re
import zipfile
from collections import Counter
from dataclasses import dataclass

import torch

import operators
import oracle
from driver import Crash, Failure
from exemptions import REFUSED
from program import Refused, export, inputs_of


@dataclass
class Finding:
    engine: str
    dialect: str
    kind: str  # "wrong", "compile", "run", "crash", "refused"
    message: str
    output: int = -1
    index: int = -1  # of the set of inputs

    def text(self):
        place = f", output {self.output} with inputs {self.index}" if self.output >= 0 else f", inputs {self.index}" if self.index >= 0 else ""
        return f"{self.engine}, {self.dialect}: {self.kind}{place}: {self.message}"


class Archive:
    """A batch as a file, the program that each of its nodes belongs to, and the programs that were refused."""

    def __init__(self, path, exported, programs):
        torch.export.save(exported, str(path))
        self.path, self.owners, self.refused = path, {}, set()
        output = next(iter(reversed(exported.graph.nodes)))
        for result, k in zip(output.args[0], [k for k, program in enumerate(programs) for _ in program.outputs]):
            waiting = [result]
            while waiting:
                node = waiting.pop()
                if isinstance(node, torch.fx.Node) and node.name not in self.owners:
                    self.owners[node.name] = k
                    waiting += node.all_input_nodes

    def refusals(self, message):
        """The operators that a message of a compile names, by the number of the program."""
        found = {}
        for name, node in re.findall(r"((?:aten|prims)\.[\w.]+), (?:once|\d+ times, first): node (\w+) \(", message):
            if node in self.owners:
                found.setdefault(self.owners[node], set()).add(name)
        return found


class NotExported(Exception):
    """torch.export or eager PyTorch refuses the program, or the exported one means something else."""


class Checker:
    def __init__(self, driver, engines):
        self.driver, self.engines = driver, engines
        self.exempted, self.refused, self.not_exported = Counter(), Counter(), Counter()
        self.compared, self.skipped = 0, 0

    def check(self, programs, dialect, engines=None, count=True):
        """The findings of each program, None for one that can't be exported."""
        engines = engines or self.engines
        try:
            exported, expected = self.oracle(programs, dialect, count)
        except Refused as refused:
            return self.without_refused(programs, refused, dialect, engines, count)
        except NotExported as error:
            return self.without_guilty(programs, dialect, engines, count, str(error))
        if misstated := self.misstated(programs, expected):
            # With static sizes torch.export does not go by those that the example has.
            static = [k for k in misstated if count and programs[k].dynamic]
            for k in static:
                programs[k].make_static()
            messages = {} if static else dict.fromkeys(misstated, "PyTorch gives other sizes than torch.export records")
            return self.without(programs, messages, dialect, engines, count)
        archive = Archive(self.driver.path / "program.pt2", exported, programs)
        findings = [[] for _ in programs]
        for engine in engines:
            wanted = [k for k, program in enumerate(programs) if engine != "onnx" or lowered(program)]
            # What one engine refuses another does, too, mostly after it has built the engines of all others.
            doubtful = [k for k in wanted if k in archive.refused]
            for group in ([k for k in wanted if k not in archive.refused], doubtful):
                for k, found in self.on_engine(programs, group, dialect, engine, archive, expected, count) if group else ():
                    findings[k].append(found)
        return findings

    def without_refused(self, programs, refused, dialect, engines, count):
        """Exports again: with static sizes what torch.export makes static, and without what it refuses."""
        messages = dict(refused.messages)
        for k in refused.static:
            if count:
                programs[k].make_static()
            else:
                messages[k] = "a size is made static"
        return self.without(programs, messages, dialect, engines, count)

    def without_guilty(self, programs, dialect, engines, count, message):
        """Exports again without those programs that torch.export names; without a name, in halves."""
        bound = {int(k) for k in re.findall(r"\b[nmk]_(\d+)\b", message)} if "Constraints violated" in message else set()
        for k in bound if count else ():
            # Sizes that the program itself makes static.
            programs[k].make_static()
        if bound and count:
            return self.check(programs, dialect, engines, count)
        unsupported = re.match(r"UnsupportedOperatorException: (aten\.\w+\.\w+)", message)
        guilty = {k for k, program in enumerate(programs)
                  if len(programs) == 1 or (unsupported and any(node.text.startswith(unsupported[1] + "(") for node in program.nodes))}
        if not guilty:
            middle = len(programs) // 2
            return self.check(programs[:middle], dialect, engines, count) + self.check(programs[middle:], dialect, engines, count)
        return self.without(programs, dict.fromkeys(guilty, message), dialect, engines, count)

    def without(self, programs, guilty, dialect, engines, count):
        """`guilty`: messages by the number of the program."""
        if count:
            self.not_exported.update(re.sub(r"\d+", "N", message.splitlines()[0])[:120] for message in guilty.values())
        others = [program for k, program in enumerate(programs) if k not in guilty]
        found = iter(self.check(others, dialect, engines, count) if others else [])
        return [None if k in guilty else next(found) for k in range(len(programs))]

    def oracle(self, programs, dialect, count):
        try:
            exported = export(programs)
            if dialect == "core":
                exported = exported.run_decompositions()
            sets = max(program.sets for program in programs)
            expected = [oracle.expected(exported, self.inputs(programs, index), index * 100, self.exempted if count else None) for index in range(sets)]
        except Refused:
            raise
        except Exception as error:  # noqa: BLE001: whatever torch.export throws
            raise NotExported(f"{type(error).__name__}: {error}".strip()) from None
        self.leave_out_changed(programs, expected)
        return exported, expected

    def inputs(self, programs, index):
        return tuple(value for program in programs for value in inputs_of([program], min(index, program.sets - 1)))

    def misstated(self, programs, expected):
        """The numbers of programs in which a value has other sizes than the exported program says."""
        outputs = [k for k, program in enumerate(programs) for _ in program.outputs]
        return {k for each in expected for k, wrong in zip(outputs, each.misstated) if wrong}

    def leave_out_changed(self, programs, expected):
        """Where the exported program means something else than the module, which is PyTorch's own affair."""
        for index, each in enumerate(expected):
            at = 0
            for program in programs:
                values = program.evaluate(min(index, program.sets - 1))
                for name in program.outputs:
                    value = part(values, name)
                    if each.difference(at, value) is not None:
                        each.tainted[at] = {"none", "openvino", "onnx"}
                        self.skipped += 1
                    at += 1

    def on_engine(self, programs, wanted, dialect, engine, archive, expected, count):
        """Pairs of a program's number and a finding, of the programs with the numbers `wanted`."""
        first = [0]
        for program in programs:
            first.append(first[-1] + len(program.outputs))
        outputs_at = [at for k in wanted for at in range(first[k], first[k + 1])]
        sets = [self.inputs(programs, index) for index in range(len(expected))]
        try:
            if len(wanted) < len(programs):
                results = self.driver.run(engine, with_outputs(archive.path, self.driver.path / "part" / "program.pt2", outputs_at), sets)
            else:
                results = self.driver.run(engine, archive.path, sets)
            failed = any(isinstance(each, str) for each in results) or bool(self.driver.refusals)
        except (Crash, Failure) as error:
            results, failed = error, True
        if failed and len(wanted) > 1:
            if named := self.named(results, wanted, engine, archive):
                others = [k for k in wanted if k not in named]
                return self.on_engine(programs, others, dialect, engine, archive, expected, count) if others else []
            middle = len(wanted) // 2
            return [each for half in (wanted[:middle], wanted[middle:])
                    for each in self.on_engine(programs, half, dialect, engine, archive, expected, count)]
        if isinstance(results, Exception):
            return self.refusal(wanted[0], results, dialect, engine)
        found = [(wanted[0], Finding(engine, dialect, "refused", self.driver.refusals))] if self.driver.refusals else []
        for index, (outputs, each) in enumerate(zip(results, expected)):
            if isinstance(outputs, str):
                if engine != "onnx" and index < programs[wanted[0]].sets:
                    return [(wanted[0], Finding(engine, dialect, "run", outputs, index=index))]
                continue
            place = 0
            for k in wanted:
                for number in range(len(programs[k].outputs)):
                    at = first[k] + number
                    if index < programs[k].sets and engine not in each.tainted[at] and isinstance(each.outputs[at], torch.Tensor):
                        self.compared += 1
                        problem = each.difference(at, outputs[place])
                        if problem and not any(other == k for other, _ in found):
                            found.append((k, Finding(engine, dialect, "wrong", problem, number, index)))
                    place += 1
        return found

    def named(self, error, wanted, engine, archive):
        """Those of the programs that a compile refuses by name, which are counted here."""
        if engine == "onnx" or not isinstance(error, Failure) or not any(re.search(pattern, str(error)) for pattern in REFUSED):
            return {}
        refusals = {k: names for k, names in archive.refusals(str(error)).items() if k in wanted}
        self.refused.update(" ".join(sorted(names)) for names in refusals.values())
        archive.refused.update(refusals)
        return refusals

    def refusal(self, k, error, dialect, engine):
        if isinstance(error, Crash):
            return [(k, Finding(engine, dialect, "crash", str(error)))]
        if engine == "onnx" and not str(error).startswith("ONNX Runtime"):
            return []  # Not everything has a lowering.
        for pattern in REFUSED:
            if re.search(pattern, str(error)):
                self.refused[" ".join(sorted(set(re.findall(r"(?:aten|prims)\.[\w.]+", str(error))))) or pattern] += 1
                return []
        return [(k, Finding(engine, dialect, "compile", str(error)))]


def lowered(program):
    """Whether operators_onnx.md lists all operators that are called by name."""
    return all(not node.text.startswith("aten.") or node.op in operators.LOWERED for node in program.nodes) and "fft" not in "".join(node.text for node in program.nodes)


def with_outputs(archive, path, outputs):
    """The archive with some of its outputs, and the nodes that these need: exporting again would take longer."""
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith("/models/model.json"):
                data = json.dumps(cut(json.loads(data), outputs))
            target.writestr(name, data)
    return path


def cut(model, outputs):
    graph, signature = model["graph_module"]["graph"], model["graph_module"]["signature"]
    graph["outputs"] = [graph["outputs"][at] for at in outputs]
    signature["output_specs"] = [signature["output_specs"][at] for at in outputs]
    needed, kept = set(names_in(graph["outputs"])), []
    for node in reversed(graph["nodes"]):
        if needed.intersection(names_in(node["outputs"])):
            needed.update(names_in(node["inputs"]))
            kept.append(node)
    graph["nodes"] = kept[::-1]
    for call in model["graph_module"]["module_call_graph"]:
        if call["fqn"] == "" and call["signature"]:
            given = call["signature"]["outputs"]
            call["signature"]["outputs"] = [given[at] for at in outputs] if given else []
            call["signature"]["out_spec"] = tuple_spec(call["signature"]["out_spec"], len(outputs))
    return model


def tuple_spec(text, count):
    """The pytree of a flat tuple, in the form that the archive has it in."""
    version, spec = json.loads(text)
    spec["children_spec"] = spec["children_spec"][:1] * count
    return json.dumps([version, spec])


def names_in(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from names_in(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from names_in(each)


def part(values, name):
    match = re.fullmatch(r"(\w+)\[(\d+)\]", name)
    return values[match[1]][int(match[2])] if match else values[name]
