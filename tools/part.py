#!/usr/bin/env python3
"""Of the names on standard input those of this run's part: with SLIPWAY_PART=K/N one N-th, the K-th from 0; else all."""

import os
import sys
import zlib


def is_chosen(name):
    part, parts = map(int, os.environ.get('SLIPWAY_PART', '0/1').split('/'))
    return zlib.crc32(name.encode()) % parts == part


if __name__ == '__main__':
    sys.stdout.writelines(line for line in sys.stdin if is_chosen(line.rstrip('\n')))
