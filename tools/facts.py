#!/usr/bin/env python3
"""The facts that something produces, from what produces them: the probes and verify (C), the kinds'
`facts` and the `facts` of services' dialogues (YAML). Prints "FACT<tab>WHERE" lines; imported by
tests/integration/test_facts.py, which holds them against the runbooks and the docs."""
import glob
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GROUPS = ("probe", "target", "client", "dns", "tcp", "tls", "http", "clickhouse", "redis", "postgres", "blob", "dialog",
          "langfuse", "stack", "env", "arm", "net")
NAME = r"(?:%s)(?:\.[a-z_][a-z0-9_]*)+" % "|".join(GROUPS)
# What looks into evidence produces nothing.
READS = re.compile(r'jsonx_(?:at|text|int|bool)(?:_ci)?\([^;"]*"%s"' % NAME)


def of_c(text):
    return re.findall(r'"(%s)"' % NAME, READS.sub("", text))


def of_yaml(text):
    """Keys of maps (`take: {arm.x: ...}`) and the values of `exists` and `names_host`."""
    return re.findall(r"[{,\s](%s):[ \n]" % NAME, text) + re.findall(r"(?:exists|names_host): (%s)" % NAME, text)


def client_of(text):
    """What a check says of its application's side is copied to client.*."""
    return ["client." + key for members in re.findall(r"\bclient: \{([^{}]*)\}", re.sub(r'"[^"]*"', "x", text))
            for key in re.findall(r"(\w+):", members)]


def produced():
    """{fact: [file]}"""
    facts = {}

    def add(path, names):
        for name in names:
            facts.setdefault(name, set()).add(os.path.relpath(path, ROOT))

    for folder in ("probe", "verify"):
        for path in glob.glob(os.path.join(ROOT, "deployer", folder, "*.c")):
            with open(path) as f:
                add(path, of_c(f.read()))
    for path in glob.glob(os.path.join(ROOT, "templates", "azure", "*.yaml")):
        with open(path) as f:
            add(path, of_yaml(f.read().partition("\nfacts:\n")[2]))
    for path in glob.glob(os.path.join(ROOT, "services", "*", "*.yaml")):
        with open(path) as f:
            text = f.read()
        add(path, client_of(text))
        add(path, [n for part in re.findall(r"\bfacts: \{([^}]*)\}", text) for n in of_yaml("{" + part + " ")])
    return {name: sorted(paths) for name, paths in facts.items()}


if __name__ == "__main__":
    for name, paths in sorted(produced().items()):
        print(name, ", ".join(paths), sep="\t")
