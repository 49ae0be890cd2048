#!/usr/bin/env python3
"""Random programs on every engine, against PyTorch (docs/fuzz_programs.md).

run.py --seed S (--programs N | --minutes M) [--jobs N] [--engines none,openvino,xnnpack,onnx] [--disable-rule NAME] [--out FOLDER]

Runs with the Python of the peers suite (tools/setup_peers.sh) after `ninja -C build/release program_driver`; all that it needs is
PyTorch, and for `onnx` also onnx and onnxruntime.
"""

import argparse
import importlib.util
import json
import logging
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")

import torch  # noqa: E402

import operators  # noqa: E402
from campaign import BATCH, COUNTS, Campaign  # noqa: E402
from driver import Driver  # noqa: E402

ROOT = pathlib.Path(__file__).parents[2]
ROLES = ("data", "constant", "size")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default="0", help="any text; programs of a seed are always the same")
    parser.add_argument("--programs", type=int, help="how many programs")
    parser.add_argument("--minutes", type=float, help="how long; the programs are those of --programs, as many as fit")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes")
    parser.add_argument("--engines", default="none,openvino,xnnpack,onnx")
    parser.add_argument("--disable-rule", default="", help="a rule of `slipway compile --disable-rule` that is left out")
    parser.add_argument("--only", help="a pattern of operators to draw from")
    parser.add_argument("--batch", type=int, default=BATCH, help="programs in one archive")
    parser.add_argument("--first", type=int, default=0, help="the batch to begin with")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/fuzz_programs", help="where batches.jsonl and failing programs are written")
    parser.add_argument("--resume", action="store_true", help="go on with what --out holds of a run with the same arguments")
    parser.add_argument("--driver", type=pathlib.Path, default=ROOT / "build/release/fuzz_programs/program_driver")
    parser.add_argument("--table", action="store_true", help="print how often each operator came, by role")
    options = parser.parse_args()
    if not options.programs and not options.minutes:
        options.programs = 200
    options.engines = options.engines.split(",")
    missing = [name for name in ("onnx", "onnxruntime") if not importlib.util.find_spec(name)]
    if "onnx" in options.engines and missing:
        print(f"without the engine onnx: {' and '.join(missing)} can't be imported")
        options.engines.remove("onnx")
    return options


def work(connection, options, folder):
    """A process that does batches until it is told to end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    # What PyTorch warns of is of no use, unless it ends this process.
    os.dup2(os.open(f"{folder}/stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    driver = Driver(options.driver, folder, options.disable_rule)
    campaign = Campaign(options.seed, options.engines, driver, options.out, options.only, options.batch)
    try:
        while task := connection.recv():
            connection.send(campaign.run(*task))
    finally:
        driver.close()


class Worker:
    def __init__(self, options, folder):
        self.connection, theirs = multiprocessing.Pipe()
        self.folder = tempfile.mkdtemp(dir=folder)
        self.process = multiprocessing.get_context("fork").Process(target=work, args=(theirs, options, self.folder))
        self.process.start()
        theirs.close()
        self.number = None

    def begin(self, number, known):
        self.number = number
        self.connection.send((number, known))

    def lost(self):
        """The record of a batch in which PyTorch itself ended the process."""
        self.process.join()
        print(f"batch {self.number} ended the process ({self.process.exitcode}):\n{pathlib.Path(self.folder, 'stderr').read_text(errors='replace')[-2000:]}")
        return {"batch": self.number, "failures": []} | dict.fromkeys(("programs", "nodes", "dynamic", "compared", "changed", "seconds"), 0) | {
            name: {} for name in COUNTS} | {"not exported": {f"a batch in which PyTorch ended the process ({self.process.exitcode})": 1}}

    def end(self):
        self.process.terminate()
        self.process.join(10)
        self.process.kill()


class Run:
    def __init__(self, options):
        self.options, self.started = options, time.monotonic()
        self.records, self.next = {}, options.first
        self.settings = {name: str(getattr(options, name)) for name in ("seed", "engines", "disable_rule", "only", "batch")}
        options.out.mkdir(parents=True, exist_ok=True)
        self.path = options.out / "batches.jsonl"
        if options.resume and self.path.exists():
            for line in self.path.read_text().splitlines():
                record = json.loads(line)
                if record["settings"] == self.settings:
                    self.records[record["batch"]] = record
        else:
            self.path.unlink(missing_ok=True)

    def total(self, name):
        return sum(record[name] for record in self.records.values())

    def failures(self):
        return [failure for record in self.records.values() for failure in record["failures"]]

    def time_left(self):
        return 60 * self.options.minutes - (time.monotonic() - self.started) if self.options.minutes else None

    def task(self, busy):
        """The number of the next batch, if one is needed."""
        if self.options.programs and self.total("programs") + busy * self.options.batch >= self.options.programs:
            return None
        while self.next in self.records:
            self.next += 1
        self.next += 1
        return self.next - 1

    def run(self):
        with tempfile.TemporaryDirectory(prefix="fuzz_programs_") as folder:
            idle, busy = [Worker(self.options, folder) for _ in range(self.options.jobs)], {}
            try:
                while True:
                    while idle and (number := self.task(len(busy))) is not None:
                        worker = idle.pop()
                        worker.begin(number, [each for each in self.failures() if "nodes" in each])
                        busy[worker.connection] = worker
                    # Time over: batches that are half done are left out.
                    if not busy or not (ready := multiprocessing.connection.wait(list(busy), self.time_left())):
                        break
                    for connection in ready:
                        worker = busy.pop(connection)
                        try:
                            self.record(connection.recv())
                            idle.append(worker)
                        except EOFError:
                            self.record(worker.lost())
                            idle.append(Worker(self.options, folder))
                    if self.options.minutes and self.time_left() < 0:
                        break
            finally:
                for worker in [*idle, *busy.values()]:
                    worker.end()
        self.summary()
        return 1 if self.failures() or not self.total("programs") else 0

    def record(self, record):
        self.records[record["batch"]] = record
        with open(self.path, "a") as file:
            file.write(json.dumps(record | {"settings": self.settings}) + "\n")
        for failure in record["failures"]:
            if "file" in failure:
                print(f"\n==== {failure['kind']} ({failure['program']}), {self.options.out / failure['file']}\n{(self.options.out / failure['file']).read_text()}")
            elif failure["kind"].endswith("only in company"):
                print(f"\n==== {failure['kind']} ({failure['program']}): {failure['message']}")
        programs, failures = self.total("programs"), self.failures()
        print(f"batch {record['batch']}: {programs} programs, {programs / (time.monotonic() - self.started):.1f}/s, {len(failures)} failures of "
              f"{len({each['kind'] for each in failures})} kinds", flush=True)

    def summary(self):
        programs = self.total("programs")
        print(f"\n{programs} programs of {self.total('nodes') / max(1, programs):.1f} nodes, {self.total('dynamic')} dynamic; {self.total('compared')} outputs compared, "
              f"{self.total('changed')} changed by torch.export")
        counts = {name: sum((Counter(record[name]) for record in self.records.values()), Counter()) for name in COUNTS}
        roles = counts.pop("roles")
        for title, each in {"failures": Counter(each["kind"] for each in self.failures()), **counts}.items():
            if each:
                print(f"{title}:")
                for name, count in each.most_common(None if title == "failures" else 25):
                    print(f"  {count:6} {name}")
        if self.options.table:
            table(roles)


def table(roles):
    names = [name for name in operators.names() if "." in name]
    print(f"{len(names)} operators, those that came least first: {', '.join(ROLES)}")
    for name in sorted(names, key=lambda name: min(roles[f"{name} {role}"] for role in ROLES)):
        print(f"  {name:60}" + "".join(f"{roles[f'{name} {role}']:7}" for role in ROLES))


def main():
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    return Run(arguments()).run()


if __name__ == "__main__":
    sys.exit(main())
