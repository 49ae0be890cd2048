"""The tool `slipway`."""

import os
import pathlib
import sys


def main():
    tool = pathlib.Path(__file__).parent / "bin" / "slipway"
    os.execv(tool, ["slipway", *sys.argv[1:]])


if __name__ == "__main__":
    main()
