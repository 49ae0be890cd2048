"""The conformance suite's file has the cases of its table: nothing else notices one that was never written."""

import json
import pathlib
import subprocess
import sys
import zipfile

FOLDER = pathlib.Path(__file__).parents[1] / "conformance"


def test_file_has_the_cases_of_the_table():
    # In a process of its own: the tables add to one list, which other tests take less of.
    names = subprocess.run([sys.executable, "-c", "import make_cases; print(*make_cases.CASES, sep='\\n')"], cwd=FOLDER, capture_output=True, text=True, check=True)
    index = json.loads(zipfile.ZipFile(FOLDER / "cases.zip").read("index.json"))
    assert [case["name"] for case in index["cases"]] == names.stdout.split(), "tests/conformance/make_cases.py writes the file anew"
