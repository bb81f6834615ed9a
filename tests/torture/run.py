#!/usr/bin/env python3
"""The whole sweep of tests/torture/kill.py: run.py [apply] [change] [reset] [destroy] [--every N] [--state postgres]."""
import os
import resource
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kill  # noqa: E402


def option(args, name, otherwise):
    if name not in args:
        return otherwise
    at = args.index(name)
    value = args[at + 1]
    del args[at:at + 2]
    return value


def sweep(verbs, every, state):
    killer = kill.Killer(state)
    wrong = 0
    try:
        for verb in verbs:
            _, failures = kill.sweep(killer, verb, lambda total: range(1, total + 1, every))
            wrong += len(failures)
    finally:
        killer.close()
    return wrong


def main():
    args = sys.argv[1:]
    every = int(option(args, "--every", "1"))
    place = option(args, "--state", "file")
    verbs = args or ["apply", "change", "reset", "destroy"]
    started = time.time()
    if place == "postgres":
        import test_state
        server = test_state.Postgres
        server.setUpClass()
        try:
            wrong = sweep(verbs, every, kill.Postgres(server))
        finally:
            server.tearDownClass()
    else:
        wrong = sweep(verbs, every, None)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print("torture (%s): %d wrong in %.0f s, %.0f s of processor time"
          % (place, wrong, time.time() - started, used.ru_utime + used.ru_stime))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
