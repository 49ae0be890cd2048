#!/usr/bin/env python3
"""Holds the public headers to marking with SLIPWAY_API what a library defines, and each shared library of Slipway that it is given to
exporting what is marked, and nothing else."""

import collections
import pathlib
import re
import subprocess
import sys

COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/', re.DOTALL)
DIRECTIVE = re.compile(r'^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', re.MULTILINE)
LITERAL = re.compile(r'"(?!C")(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'')
ATTRIBUTE = re.compile(r'\[\[.*?\]\]|\balignas\s*\([^)]*\)')
ARROW = re.compile(r'(?<!operator)->')
# What a statement is, without template arguments.
NAMESPACE = re.compile(r'(?:inline\s+)?namespace\s*([\w:]*)$')
CLASS = re.compile(r'(class|struct|union)\s+(SLIPWAY_API\s+)?(\w+)(?:\s+final)?\s*(:.*)?$', re.DOTALL)
ACCESS = re.compile(r'(public|protected|private)\s*$')
FUNCTION = re.compile(r'(operator\s*\(\s*\)|operator\s*[^\s\w(]+|operator\s[\w:&*\s]+?|~?\w+)\s*\(')
VARIABLE = re.compile(r'(?:SLIPWAY_API\s+)?(?:extern|static)\b[^(]*?(\w+)\s*(?:\[[^\]]*\]\s*)*$')
NO_DECLARATION = re.compile(r'(template|using|typedef|friend|static_assert|enum|class|struct|union)\b')
DEFINED_HERE = re.compile(r'\b(inline|constexpr|consteval)\b|=\s*(0|default|delete)$')
OF_PYTORCH = re.compile(r' T AOTInductor\w+$')
# What the demangled names of a class's tables begin with.
TABLES = ('typeinfo for ', 'typeinfo name for ', 'vtable for ', 'VTT for ')


class Declaration:
    """Of a class, or of a function or variable that is not defined where it is declared."""

    def __init__(self, name, line, is_public, is_marked, is_class=False):
        self.name, self.line, self.is_public, self.is_marked, self.is_class = name, line, is_public, is_marked, is_class
        self.is_polymorphic = False
        self.file = ''

    def __str__(self):
        return f'{self.file}:{self.line}'

    def owner(self):
        return self.name.rpartition('::')[0]


class Scope:
    """Of a namespace, of extern "C", or of a class with its declaration."""

    def __init__(self, name, is_public=True, declaration=None):
        self.name, self.is_public, self.declaration = name, is_public, declaration


def blank(match):
    return re.sub(r'[^\n]', ' ', match.group())


def without_templates(text):
    """The text without what stands in angle brackets, but for the names of operators."""
    text = re.sub(r'operator\s*[<>=-]+', lambda match: match.group().translate({ord('<'): '\1', ord('>'): '\2'}), ARROW.sub(blank, text))
    while (shorter := re.sub(r'<[^<>]*>', ' ', text)) != text:
        text = shorter
    return text.translate({1: '<', 2: '>'})


def end_of_braces(text, start):
    depth = 0
    for brace in re.compile('[{}]').finditer(text, start):
        depth += 1 if brace.group() == '{' else -1
        if depth == 0:
            return brace.end()
    return len(text)


def declared(text):
    """The declarations in the text of a header."""
    for pattern in (COMMENT, DIRECTIVE, LITERAL, ATTRIBUTE):
        text = pattern.sub(blank, text)
    found, scopes = [], []

    def declaration(name, line, is_marked, is_class=False):
        names = [scope.name for scope in scopes if scope.name]
        name = name if 'extern "C"' in [*names, name] else '::'.join([*names, name])
        found.append(Declaration(name, line, all(scope.is_public for scope in scopes), is_marked, is_class))
        return found[-1]

    def member(statement, line):
        if NO_DECLARATION.match(statement) or DEFINED_HERE.search(statement):
            return
        function = FUNCTION.search(statement)
        if function and '=' not in statement[:function.start()]:
            declaration(' '.join(function.group(1).split()), line, 'SLIPWAY_API' in statement)
        elif variable := VARIABLE.match(statement):
            declaration(variable.group(1), line, 'SLIPWAY_API' in statement)

    begin = at = parentheses = 0
    while at < len(text):
        character = text[at]
        parentheses += {'(': 1, ')': -1}.get(character, 0)
        at += 1
        if parentheses or character not in ':;{}':
            continue
        statement = without_templates(text[begin:at - 1]).strip()
        if character == ':':
            if not ACCESS.match(statement):
                continue
            scopes[-1].is_public = statement.strip() != 'private'
        line = text.count('\n', 0, at - len(text[begin:at].lstrip())) + 1
        if scopes and scopes[-1].declaration and re.search(r'\b(virtual|override)\b', statement):
            scopes[-1].declaration.is_polymorphic = True
        if character == ';':
            member(statement, line)
        elif character == '}':
            scopes.pop()
        elif character == '{':
            if match := NAMESPACE.match(statement):
                scopes.append(Scope(match.group(1)))
            elif statement == 'extern "C"':
                scopes.append(Scope(statement))
            elif match := CLASS.match(statement):
                made = declaration(match.group(3), line, bool(match.group(2)), is_class=True)
                scopes.append(Scope(match.group(3), match.group(1) != 'class', made))
            else:  # a function's body, an initializer, an enumeration, a template
                at = end_of_braces(text, at - 1)
        begin = at
    return found


def declarations(root):
    """Those of all public headers of the tree at `root`."""
    result = []
    for path in sorted((root / 'include').glob('**/*.h')):
        for declaration in declared(path.read_text()):
            declaration.file = path.relative_to(root).as_posix()
            result.append(declaration)
    return result


def of_library(headers, name):
    """The declarations of what a library of that file name exports: the interface of C has one for itself, and so has a model."""
    own = {'libslipway_c.so': 'slipway_c.h', 'libslipway_model.so': 'slipway_model.h'}
    if name in own:
        return [declaration for declaration in headers if declaration.file.endswith(own[name])]
    return [declaration for declaration in headers if not declaration.file.endswith(tuple(own.values()))]


def marked_classes(headers):
    return {declaration.name for declaration in headers if declaration.is_class and declaration.is_marked}


def unmarked(headers):
    """A complaint about each declaration that lacks the mark."""
    classes = marked_classes(headers)
    complaints = []
    for declaration in headers:
        if declaration.is_marked or not declaration.is_public or declaration.owner() in classes:
            continue
        if not declaration.is_class:
            complaints.append(f'{declaration}: {declaration.name} is public: mark it with SLIPWAY_API')
        elif declaration.is_polymorphic:
            complaints.append(f'{declaration}: {declaration.name} has virtual functions: mark the class with SLIPWAY_API')
    return complaints


def name_of(symbol):
    """The qualified name in a demangled symbol, and whether it is that of a class with tables."""
    for table in TABLES:
        if symbol.startswith(table):
            return symbol[len(table):], True
    symbol = without_templates(re.sub(r'\[abi:\w+\]', '', symbol))
    parameters = re.search(r'(?<!operator)\(', symbol)
    return (symbol[:parameters.start()] if parameters else symbol).strip(), False


def compare(headers, nm):
    """A complaint about each symbol that no header declares with the mark, and about each such declaration that has no symbol. `nm` is
    what nm prints of the library; several constructors or destructors of the same parameters are one symbol."""
    symbols = {columns[2] for line in nm.splitlines() if len(columns := line.split(None, 2)) == 3}
    classes = marked_classes(headers)
    wanted = collections.defaultdict(list)
    for declaration in headers:
        if declaration.is_marked and not declaration.is_class:
            wanted[declaration.name].append(declaration)
    exported = collections.defaultdict(list)
    complaints = []
    for symbol in sorted(symbols):
        name, is_class = name_of(symbol)
        exported[name].append(symbol)
        is_of_class = (name if is_class else name.rpartition('::')[0]) in classes
        if not is_of_class and (is_class or name not in wanted):
            complaints.append(f'{symbol}: exported, and no public header declares it with SLIPWAY_API')
    for name, overloads in wanted.items():
        where = ' '.join(map(str, overloads))
        if len(exported[name]) < len(overloads):
            complaints.append(f'{where}: {name} is declared {len(overloads)} times and exported {len(exported[name])} times')
        elif len(exported[name]) > len(overloads) and overloads[0].owner() not in classes:
            complaints.append(f'{where}: more of {name} is exported than declared: {"; ".join(exported[name])}')
    return complaints


if __name__ == '__main__':
    root = pathlib.Path(__file__).resolve().parent.parent
    headers = declarations(root)
    found = unmarked(headers)
    for library in sys.argv[1:]:
        nm = subprocess.run(['nm', '-D', '--defined-only', '-C', library], check=True, capture_output=True, text=True)
        # Of a model, which PyTorch's own header declares.
        symbols = ''.join(line for line in nm.stdout.splitlines(keepends=True) if not OF_PYTORCH.search(line))
        found += compare(of_library(headers, pathlib.Path(library).name), symbols)
    print('\n'.join(found) if found else 'exports: as the public headers say')
    sys.exit(1 if found else 0)
