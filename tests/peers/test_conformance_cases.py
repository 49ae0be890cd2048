"""The conformance suite's file has the cases of its tables: nothing else notices one that was never written."""

import json
import pathlib
import re
import sys
import zipfile

FOLDER = pathlib.Path(__file__).parents[1] / "conformance"
sys.path.insert(0, str(FOLDER))

import operator_cases  # noqa: E402, F401
import overload_cases  # noqa: E402, F401
import value_cases  # noqa: E402, F401
from table import CASES  # noqa: E402


def test_file_has_the_cases_of_the_tables():
    index = json.loads(zipfile.ZipFile(FOLDER / "cases.zip").read("index.json"))
    names = [case["name"] for case in index["cases"]]
    assert len(set(names)) == len(names)
    assert set(CASES) <= set(names), "tests/conformance/make_cases.py writes the file anew"
    # The others are of further types and roles, which take minutes to make.
    others = [name for name in names if name not in CASES]
    roles = r"(_of_(small|int|uint8|bool))?(_with_(first|rest)_constant|_of_any_length)?$"
    assert [name for name in others if re.sub(roles, "", name) not in CASES] == []
    assert len(others) > len(CASES)
