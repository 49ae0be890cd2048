"""Runs a command and measures it: wall time, and peak memory sampled from /proc every millisecond.

RssAnon is memory that the process itself filled; RssFile is pages of mapped files, which the kernel
can drop at any time. The peak of each is reported apart.
"""

import dataclasses
import json
import os
import subprocess
import time


@dataclasses.dataclass
class Measurement:
    seconds: float
    peak_anon: int  # bytes
    peak_file: int  # bytes
    stdout: str


def median_call(tool, file, array, calls):
    """Milliseconds of a call by `slipway run`, with an array (.npy) as the only input."""
    command = [tool, "run", file, "--input", f"0={array}", "--repeat", str(calls), "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["timing"]["latency_ms"]["median"]


def _memory(pid):
    anon = file = 0
    try:
        with open(f"/proc/{pid}/status") as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    anon = int(line.split()[1]) * 1024
                elif line.startswith("RssFile:"):
                    file = int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return anon, file


def measure(command, **kwargs):
    """Raises CalledProcessError, with the output, when the command fails."""
    read_end, write_end = os.pipe()
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=write_end, stderr=subprocess.STDOUT, **kwargs)
    os.close(write_end)
    os.set_blocking(read_end, False)
    output = b""
    peak_anon = peak_file = 0
    while True:
        anon, file = _memory(process.pid)
        peak_anon, peak_file = max(peak_anon, anon), max(peak_file, file)
        try:
            output += os.read(read_end, 1 << 16)
        except BlockingIOError:
            pass
        if process.poll() is not None:
            break
        time.sleep(0.001)
    seconds = time.perf_counter() - start
    os.set_blocking(read_end, True)
    while chunk := os.read(read_end, 1 << 16):
        output += chunk
    os.close(read_end)
    text = output.decode(errors="replace")
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command, text)
    return Measurement(seconds, peak_anon, peak_file, text)
