#!/usr/bin/env python3
"""Runs the integration tests: run.py [NAME]... (test_NAME.py). Closes with one line of counts.

Most of their time is waiting, so files run side by side, each in a process of its own (JOBS at once;
one more than there are cores unless given); what a file printed is shown when it failed, or with V=1.

A test that can't run says which optional thing is missing (unittest's skip); with CI set, a skip
that names nothing missing counts as a failure.
"""
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
# These look at one deployed stack (stack_bed.shared), which one process makes once.
TOGETHER = [["transcript", "verify"]]
COUNTS = re.compile(r"^integration: (\d+) passed, (\d+) failed, (\d+) skipped", re.M)


def run_here(names):
    """The tests of some files in this process."""
    sys.path.insert(0, HERE)
    suite = unittest.TestSuite()
    for name in names:
        suite.addTests(unittest.defaultTestLoader.discover(HERE, pattern="test_%s.py" % name, top_level_dir=HERE))
    started = time.time()
    result = unittest.TextTestRunner(verbosity=2 if os.environ.get("V") else 1, buffer=True).run(suite)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    skipped = len(result.skipped)
    for test, why in result.skipped:
        print("skipped: %s: %s" % (test, why))
    if os.environ.get("CI"):
        silent = [why for _, why in result.skipped if not why.startswith("missing: ")]
        failed += len(silent)
        skipped -= len(silent)
    return report(result.testsRun - failed - skipped, failed, skipped, started)


def run_apart(names):
    """The tests of some files in a process of their own: their counts, what it printed, the time it took."""
    started = time.time()
    done = subprocess.run([sys.executable, os.path.abspath(__file__), "--here", *names], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    found = COUNTS.search(done.stdout)
    counts = [int(n) for n in found.groups()] if found else [0, 1, 0]
    if done.returncode != 0 and counts[1] == 0:
        counts[1] = 1
    return names, counts, COUNTS.sub("", done.stdout), time.time() - started


def report(passed, failed, skipped, started):
    print("integration: %d passed, %d failed, %d skipped in %.0f s" % (passed, failed, skipped, time.time() - started))
    return 0 if failed == 0 and passed + skipped > 0 else 1


def main():
    names = sys.argv[1:]
    if names[:1] == ["--here"]:
        return run_here(names[1:])
    if len(names) == 1:
        return run_here(names)
    names = names or sorted(os.path.basename(p)[5:-3] for p in glob.glob(os.path.join(HERE, "test_*.py")))
    groups = [[n for n in group if n in names] for group in TOGETHER]
    groups += [[n] for n in names if not any(n in group for group in TOGETHER)]
    jobs = int(os.environ.get("JOBS", (os.cpu_count() or 1) + 1))
    started = time.time()
    totals = [0, 0, 0]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for done in concurrent.futures.as_completed([pool.submit(run_apart, g) for g in groups if g]):
            group, counts, text, seconds = done.result()
            totals = [a + b for a, b in zip(totals, counts)]
            print("%-24s %3d passed, %d failed, %d skipped  %4.0f s" % (" ".join(group), *counts, seconds), flush=True)
            if counts[1] > 0 or os.environ.get("V"):
                print(text, flush=True)
            else:
                print("".join(line + "\n" for line in text.splitlines() if line.startswith("skipped: ")), end="", flush=True)
    return report(*totals, started)


if __name__ == "__main__":
    sys.exit(main())
