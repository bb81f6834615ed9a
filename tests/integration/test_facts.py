"""No condition waits for a fact that nobody collects: what the runbooks name, against what probes, kinds and services produce."""
import glob
import json
import os
import re
import sys
import unittest

from support import ROOT

sys.path.insert(0, os.path.join(ROOT, "tools"))
import facts  # noqa: E402

PRODUCED = facts.produced()


def is_produced(name):
    """A fact, or a member of one (`redis.nodes[].tcp`, `http.json.x`)."""
    parts = name.split("[]")[0].split(".")
    return any(".".join(parts[:n]) in PRODUCED for n in range(2, len(parts) + 1))


def front_matter(path):
    with open(path) as f:
        return f.read().split("\n---\n")[0]


def named_in(text):
    """Facts of conditions, and those of the texts of a finding."""
    found = re.findall(r'\bfact: "?([\w.\[\]]+)', text)
    for line in re.findall(r"^(?:cause|fix): .*", text, re.M):
        for alternatives in re.findall(r"\$\{([^}]+)\}", line):
            found += [a for a in alternatives.split("|") if re.fullmatch(facts.NAME, a)]
    return found


def leaves(document, path=""):
    for key, value in document.items():
        name = "%s.%s" % (path, key) if path else key
        if isinstance(value, dict) and name not in PRODUCED:
            yield from leaves(value, name)
        else:
            yield name


class Facts(unittest.TestCase):
    def unknown(self, pattern, names_of):
        paths = glob.glob(os.path.join(ROOT, *pattern))
        self.assertTrue(paths)
        return {os.path.basename(p): missing for p in paths for missing in [[n for n in names_of(p) if not is_produced(n)]] if missing}

    def test_every_fact_of_a_runbook_is_collected(self):
        self.assertEqual(self.unknown(("runbooks", "[A-Z]*-*.md"), lambda path: named_in(front_matter(path))), {})

    def test_conditions_of_checks_and_of_the_environment(self):
        def named(path):
            with open(path) as f:
                return [n for n in re.findall(r'\bfact: "?([\w.\[\]]+)', f.read()) if re.fullmatch(facts.NAME, n.split("[]")[0])]
        self.assertEqual(self.unknown(("services", "*", "*.yaml"), named), {})

    def test_recorded_evidence_is_what_probes_produce(self):
        def named(path):
            with open(path) as f:
                return list(leaves(json.load(f)["evidence"]))
        self.assertEqual(self.unknown(("tests", "data", "evidence", "*.json"), named), {})

    def test_every_fact_is_documented(self):
        with open(os.path.join(ROOT, "docs", "probes.md")) as f:
            text = f.read()
        short = {n for n in PRODUCED if "`.%s`" % n.rsplit(".", 1)[1] in text}
        self.assertEqual([n for n in sorted(PRODUCED) if n not in text and n not in short], [])

    def test_the_list_sees_what_is_missing(self):
        """The check itself: a fact that nobody sets, and one that is only looked at, are not in the list."""
        self.assertFalse(is_produced("redis.moon_phase"))
        self.assertEqual(facts.of_c('jsonx_at(e, "tcp.moon"); probe_fact(e, "tcp.sun", x);'), ["tcp.sun"])
        self.assertGreater(len(PRODUCED), 200)


if __name__ == "__main__":
    unittest.main()
