"""Makes a failing program small: fewer outputs, nodes, sets of inputs and elements, while it fails in the same way."""

import re

import torch

from program import Input, base

BUDGET = 60  # programs tried


class Shrinker:
    def __init__(self, checker, finding):
        self.checker, self.finding, self.tries = checker, finding, 0

    def fails(self, program):
        """The finding of the same kind, if the program still has one."""
        if self.tries >= BUDGET:
            return None
        program.drop_dead()
        if not program.outputs or not program.inputs:
            return None
        try:
            for index in range(program.sets):
                program.evaluate(index)
        except Exception:  # noqa: BLE001: whatever eager PyTorch refuses
            return None
        self.tries += 1
        for each in self.checker.check([program], self.finding.dialect, [self.finding.engine], False)[0] or []:
            if each.kind == self.finding.kind and kind_of(each) == kind_of(self.finding):
                return each
        return None

    def shrink(self, program):
        best, finding = program, self.finding
        progress = True
        while progress and self.tries < BUDGET:
            progress = False
            for candidate in candidates(best, finding):
                found = self.fails(candidate)
                if found:
                    best, finding, progress = candidate, found, True
                    break
        return best, finding


def kind_of(finding):
    """What has to stay the same while a program shrinks."""
    return finding.kind if finding.kind in ("wrong", "crash") else re.sub(r"[\d'\"`].*", "", finding.message)[:60]


def candidates(program, finding):
    if finding.output >= 0 and len(program.outputs) > 1:
        other = program.clone()
        other.outputs = [program.outputs[finding.output]]
        yield other
    if len(program.outputs) > 1:
        half = len(program.outputs) // 2
        for outputs in (program.outputs[:half], program.outputs[half:]):
            other = program.clone()
            other.outputs = outputs
            yield other
    if not program.symbols and program.sets > 1 and finding.index >= 0:
        yield one_set(program, finding.index)
    values = [program.evaluate(index) for index in range(program.sets)]
    # The last nodes first: what comes before such an input goes at once.
    for node in reversed(program.nodes):
        if not node.parts and base(program.outputs[0]) != node.name and (other := as_input(program, node, values)):
            yield other
    for node in reversed(program.nodes):
        for operand in node.operands:
            other = program.clone()
            other.nodes = [each for each in other.nodes if each.name != node.name]
            replace(other, node.name, operand)
            yield other
    for each in program.constants:
        other = program.clone()
        other.constants = [constant for constant in other.constants if constant.name != each.name]
        other.inputs.append(Input(each.name, tuple(each.value.shape), [each.value] * program.sets))
        yield other
    if program.symbols and finding.index >= 0:
        yield one_set(program, finding.index)
    for node in program.nodes:
        for simpler in simpler_numbers(node.text):
            other = program.clone()
            next(each for each in other.nodes if each.name == node.name).text = simpler
            yield other
    for k, each in enumerate(program.inputs):
        if each.values[0].dtype.is_floating_point:
            for make in (torch.ones_like, lambda value: value.nan_to_num(1.0, 2.0, -2.0)):
                changed = [make(value) for value in each.values]
                if not all(torch.equal(a, b) for a, b in zip(changed, each.values)):
                    other = program.clone()
                    other.inputs[k].values = changed
                    yield other


def one_set(program, index):
    other = program.clone()
    for each in other.inputs:
        each.sizes, each.values = tuple(each.values[index].shape), [each.values[index]]
    other.symbols, other.sets = {}, 1
    return other


def as_input(program, node, values):
    """The node's result as an input, where its sizes are those of symbols."""
    results = [each[node.name] for each in values]
    sizes = []
    for column in zip(*(each.shape for each in results)):
        if len(set(column)) == 1:
            sizes.append(column[0])
        else:
            symbol = next((name for name, found in program.symbols.items() if tuple(found) == column), None)
            if symbol is None:
                return None
            sizes.append(symbol)
    other = program.clone()
    other.nodes = [each for each in other.nodes if each.name != node.name]
    name = f"x{1 + max([int(each.name[1:]) for each in program.inputs if each.name[0] == 'x'] or [-1])}"
    other.inputs.append(Input(name, tuple(sizes), [each.contiguous() for each in results]))
    replace(other, node.name, name)
    return other


def replace(program, name, by):
    swap = lambda operand: by if operand == name or base(operand) == name else operand  # noqa: E731
    for node in program.nodes:
        node.operands = [swap(operand) for operand in node.operands]
    program.outputs = list(dict.fromkeys(swap(output) for output in program.outputs))


def simpler_numbers(text):
    for match in re.finditer(r"(?<![\w.{])-?\d+(\.\d+)?(e-?\d+)?(?![\w.}])", text):
        for simple in ("0", "1"):
            if match[0] not in ("0", "1", "-1", "1.0", "0.0"):
                yield text[:match.start()] + simple + text[match.end():]
