#!/usr/bin/env python3
"""Whether verify's result has the checks that must be there: required_checks.py LIST RESULT.json

LIST has a line a check: its name and the status it must have. A check that is not in the result fails,
and so does one in the result that the list doesn't know.
"""
import json
import sys

wanted = {}
for line in open(sys.argv[1]):
    line = line.split("#")[0].split()
    if line:
        wanted[line[0]] = line[1]
got = {c["name"]: c for c in json.load(open(sys.argv[2]))["checks"]}
bad = 0
for name in sorted(set(wanted) | set(got)):
    status = got[name]["status"] if name in got else "missing"
    if status != wanted.get(name):
        bad += 1
        print("%s: %s, must be %s%s" % (name, status, wanted.get(name, "in %s" % sys.argv[1]),
                                       ": " + got[name]["reason"] if name in got and got[name].get("reason") else ""))
print("checks: %d passed, %d failed" % (len(set(wanted) | set(got)) - bad, bad))
sys.exit(1 if bad else 0)
