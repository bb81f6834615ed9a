#!/usr/bin/env python3
"""Runs the integration tests: run.py [NAME]... (test_NAME.py). Closes with one line of counts.

A test that can't run says which optional thing is missing (unittest's skip); with CI set, a skip
that names nothing missing counts as a failure.
"""
import os
import sys
import time
import unittest

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)


def main():
    names = ["test_%s.py" % n for n in sys.argv[1:]] or ["test_*.py"]
    suite = unittest.TestSuite()
    for name in names:
        suite.addTests(unittest.defaultTestLoader.discover(here, pattern=name, top_level_dir=here))
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
    passed = result.testsRun - failed - skipped
    print("integration: %d passed, %d failed, %d skipped in %.0f s" % (passed, failed, skipped, time.time() - started))
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
