#!/usr/bin/env python3
"""The whole sweep of tests/torture/kill.py: run.py [apply] [change] [destroy] [--every N]."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kill  # noqa: E402


def main():
    args = sys.argv[1:]
    every = 1
    if "--every" in args:
        at = args.index("--every")
        every = int(args[at + 1])
        del args[at:at + 2]
    killer = kill.Killer()
    started = time.time()
    wrong = 0
    try:
        for verb in args or ["apply", "change", "destroy"]:
            _, failures = kill.sweep(killer, verb, lambda total: range(1, total + 1, every))
            wrong += len(failures)
    finally:
        killer.close()
    print("torture: %d wrong in %.0f s" % (wrong, time.time() - started))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
