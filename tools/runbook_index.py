#!/usr/bin/env python3
"""Writes runbooks/README.md, the index of the runbooks, from their front matter. With --check it
writes nothing and fails where the index is stale, a link leads nowhere, or a runbook's name and id,
sections or references to others don't fit."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.join(ROOT, "runbooks")
INDEX = os.path.join(FOLDER, "README.md")
SECTIONS = ["Symptom", "Cause", "Fix", "Prevent", "Evidence"]
AREAS = [("DNS", "Names"), ("NET", "Network"), ("TLS", "TLS"), ("CH", "ClickHouse"), ("RED", "Redis"),
         ("PG", "PostgreSQL"), ("ACA", "Container Apps"), ("AGW", "Application Gateway"), ("LF", "Langfuse"),
         ("DD", "Datadog"), ("ECS", "ECS"), ("CR", "Cloud Run"), ("SUP", "Supabase"), ("IAC", "Terraform and state")]
HEAD = """# Runbooks

One file for each failure: what it looks like, how it is recognised, why it happens, the way out and how it is kept
from coming back. `deployer verify` and `deployer probe` name them by id, `deployer explain 'a line of a log'`
finds them by text; [docs/runbooks.md](../docs/runbooks.md) has the format of the files.

Found by: **probe** (a condition on what a probe saw), **text** (a line of a log), **lint** (the stack file).

This page is made by `tools/runbook_index.py`.
"""


def read(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as f:
        _, front, body = f.read().split("---\n", 2)
    return front, body


def value(front, key):
    found = re.search(r"^%s: *(.*)$" % key, front, re.M)
    text = found.group(1).strip() if found else ""
    return text[1:-1].replace('\\"', '"') if text.startswith('"') else text


def load():
    """id -> (file name, front matter, body), and what is wrong with the names."""
    books, problems = {}, []
    for name in sorted(os.listdir(FOLDER)):
        if name == "README.md" or not name.endswith(".md"):
            continue
        front, body = read(name)
        id = value(front, "id")
        if not re.fullmatch(re.escape(id) + r"-[a-z0-9-]+\.md", name):
            problems.append("%s: the id is %s" % (name, id))
        books[id] = (name, front, body)
    return books, problems


def index(books):
    lines = [HEAD]
    for prefix, title in AREAS:
        ids = [id for id in books if id.rsplit("-", 1)[0] == prefix]
        if not ids:
            continue
        lines += ["## %s" % title, "", "| id | failure | found by |", "| --- | --- | --- |"]
        for id in ids:
            name, front, _ = books[id]
            ways = [w for k, w in (("when", "probe"), ("texts", "text"), ("lint", "lint")) if re.search(r"^%s:\n" % k, front, re.M)]
            lines.append("| [%s](%s) | %s | %s |" % (id, name, value(front, "title"), ", ".join(ways)))
        lines.append("")
    return "\n".join(lines)


def check(books):
    problems = []
    for id, (name, front, body) in books.items():
        if re.findall(r"^## (.*)$", body, re.M) != SECTIONS:
            problems.append("%s: the sections are not %s" % (name, ", ".join(SECTIONS)))
        if id.rsplit("-", 1)[0] not in [a for a, _ in AREAS]:
            problems.append("%s: %s belongs to no area" % (name, id))
        for other in re.findall(r"\b[A-Z]{2,3}-[0-9]{3}\b", front + body):
            if other.rsplit("-", 1)[0] in [a for a, _ in AREAS] and other not in books:
                problems.append("%s: there is no %s" % (name, other))
        for link in re.findall(r"\]\(([^)#]+)", body):
            if not link.startswith(("https://", "http://")) and not os.path.exists(os.path.join(FOLDER, link)):
                problems.append("%s: %s leads nowhere" % (name, link))
    return problems


def main():
    books, problems = load()
    problems += check(books)
    text = index(books)
    if "--check" in sys.argv:
        there = open(INDEX, encoding="utf-8").read() if os.path.exists(INDEX) else ""
        if there != text:
            problems.append("README.md is stale: tools/runbook_index.py writes it")
    else:
        with open(INDEX, "w", encoding="utf-8") as f:
            f.write(text)
    for p in problems:
        print("runbooks/" + p)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
