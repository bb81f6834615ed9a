"""Collects from the C source every message the program can give: the calls that make errors and diagnostics."""
import glob
import os
import re

from support import ROOT

TEXT = r'((?:"(?:[^"\\]|\\.)*"\s*(?:PRI\w+\s*)?)+)'
FORMAT_MACRO = re.compile(r"\bPRI[diouxX](?:8|16|32|64|MAX|PTR)\b")
CALLS = {
    "err_new": re.compile(r"\berr_new\(\s*([^,\"]+),\s*[^,\"]+,\s*" + TEXT),
    "err_errno": re.compile(r"\berr_errno\(\s*([^,\"]+),\s*" + TEXT),
    "diag_add": re.compile(r"\bdiag_add\(\s*[^,\"]+,\s*DIAG_\w+,\s*\"([^\"]+)\",[^\";]*?(?:\"\",)?[^\";]*?" + TEXT),
}
CONVERSION = re.compile(r"%(?:[-+ #0]*\d*(?:\.(?:\d+|\*))?(?:hh|h|ll|l|z|j|t)?[diouxXfgescp]|%)")


class Message:
    def __init__(self, call, name, text, place):
        self.call, self.name, self.text, self.place = call, name, text, place

    def is_in(self, line):
        """Whether the line shows it: what is always the same of it, in this order."""
        at = 0
        for part in CONVERSION.split(self.text):
            at = line.find(part, at)
            if at < 0:
                return False
            at += len(part)
        return True

    @property
    def words(self):
        """The longest part of it that is always the same."""
        return max((p.strip() for p in CONVERSION.split(self.text)), key=len)


def collect(skip=("sandbox",)):
    found = []
    for path in sorted(glob.glob(os.path.join(ROOT, "deployer", "**", "*.c"), recursive=True)):
        name = os.path.relpath(path, os.path.join(ROOT, "deployer"))
        if name.split(os.sep)[0] in skip:
            continue
        with open(path) as f:
            source = f.read()
        for call, pattern in CALLS.items():
            for m in pattern.finditer(source):
                text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', FORMAT_MACRO.sub('"d"', m[2])))
                text = re.sub(r"\\(.)", lambda e: "\n" if e[1] == "n" else e[1], text)
                found.append(Message(call, m[1].strip(), text, "%s:%d" % (name, source[:m.start()].count("\n") + 1)))
    return found
