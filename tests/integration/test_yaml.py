"""YAML's features and traps: every case as a tree, a stack file, an overlay, a .env, a service and a runbook's front matter gives
what it says or an error with a place; never a crash, a hang, or a key that is dropped in silence.

The cases are tests/data/yaml.json and, where YAML_SUITE names a folder of it, the YAML test suite.
"""
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import yaml_cases
from support import BUILD, ROOT, cli

TOOL = os.path.join(BUILD, "tests", "doc_tool")
SUITE = os.environ.get("YAML_SUITE")
SECONDS_MAX = 20
STACK = """deployer: 1
stack: s
location: japaneast
azure: {subscription: 11111111-1111-1111-1111-111111111111, resource_group: rg}
services: {network: {use: network}}
"""
SECTIONS = "".join("## %s\ntext\n" % s for s in ("Symptom", "Cause", "Fix", "Prevent", "Evidence"))
# What libyaml reads although the suite says that it is none: a comment without a blank before it, a continued line that is not
# indented, "-" in a flow list. Nothing of it is lost.
LENIENT = {"9C9N/0", "9JBA/0", "CVW2/0", "DK95/1", "G5U8/0", "MUS6/0", "QB6E/0", "S98Z/0", "SU5Z/0", "X4QW/0", "Y79Y/3", "YJV2/0"}
# Read otherwise than the suite says, and meant so: nothing but comments is an empty map; a last line of blanks without an end.
OTHERWISE = {"DK95/7", "MUS6/2", "L24T/1"}


class Ways(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="deployer-yaml-")
        cls.addClassCleanup(shutil.rmtree, cls.dir)

    def write(self, name, data):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def trees(self, cases):
        """name -> {"json"} or {"diagnostics"} as the program reads it."""
        paths = {self.write("tree/" + n.replace("/", "-"), text): n for n, (text, _) in cases.items()}
        done = subprocess.run([TOOL, *paths], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        read = {paths[o["file"]]: o for o in map(json.loads, done.stdout.splitlines())}
        for line in done.stderr.splitlines():  # the file itself can't be read: too large
            read[paths[re.split(" exceeds |: ", line)[0]]] = {"file": line, "diagnostics": [{"code": "", "line": 1, "column": 1}]}
        return read

    def told(self, done, path, statuses):
        """What is wrong with how a command ended."""
        if done.returncode not in statuses:
            return "status %d: %s" % (done.returncode, done.stderr[-2000:])
        if done.returncode == 65 and path + " exceeds " not in done.stderr and not re.search(re.escape(path) + r":[1-9]\d*:[1-9]\d*: ", done.stderr):
            return "no place: " + done.stderr[-2000:]
        return None

    def as_stack(self, name, text):
        path = self.write("stack/%s.yaml" % name, text)
        return self.told(cli("validate", path, timeout=SECONDS_MAX), path, (0, 65))

    def as_overlay(self, name, text):
        lines = b"".join(b"    " + line for line in text.splitlines(keepends=True))
        path = self.write("overlay/%s.yaml" % name, STACK.encode() + b"environments:\n  case:\n" + lines)
        return self.told(cli("validate", path, "-e", "case", timeout=SECONDS_MAX), path, (0, 65))

    def as_dotenv(self, name, text):
        path = self.write("dotenv/%s.env" % name, text)
        done = cli("env", "--check", path, "-o", "json", timeout=SECONDS_MAX)
        if done.returncode in (0, 1):
            for finding in json.loads(done.stdout)["findings"]:
                if finding["line"] < 1:
                    return "no place: %s" % finding
        return self.told(done, path, (0, 1, 65))

    def as_service(self, name, text):
        path = self.write("service/%s/services/x/service.yaml" % name, text)
        stack = self.write("service/%s/stack.yaml" % name, STACK.replace("{network:", "{x: {use: x}, network:").encode())
        done = cli("validate", stack, "--catalog", os.path.join(self.dir, "service", name), timeout=SECONDS_MAX)
        return self.told(done, path, (65,))

    def as_runbook(self, name, text):
        path = self.write("runbook/%s/runbooks/XX-001-x.md" % name, b"---\n" + text + b"\n---\n" + SECTIONS.encode())
        done = cli("explain", "XX-001", "--catalog", os.path.join(self.dir, "runbook", name), timeout=SECONDS_MAX)
        return self.told(done, path, (65,))

    def run_all(self, cases):
        ways = (self.as_stack, self.as_overlay, self.as_dotenv, self.as_service, self.as_runbook)
        jobs = [(way, name, text) for name, (text, _) in cases.items() for way in ways]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            told = pool.map(lambda job: job[0](job[1].replace("/", "-"), job[2]), jobs)
            problems = ["%s %s: %s" % (way.__name__, name, t) for (way, name, _), t in zip(jobs, told) if t]
        self.assertEqual(problems, [], "\n".join(problems))


class Own(Ways):
    def test_trees(self):
        cases = yaml_cases.own()
        read = self.trees(cases)
        for name, (_, expected) in cases.items():
            with self.subTest(name):
                if "json" in expected:
                    self.assertEqual(read[name].get("json"), expected["json"], read[name])
                else:
                    first = read[name]["diagnostics"][0]
                    self.assertNotIn("json", read[name])
                    self.assertEqual((first["code"], first["line"], first["column"]), (expected["code"], expected["line"], expected["column"]))

    def test_every_way(self):
        self.run_all(yaml_cases.own())


@unittest.skipUnless(SUITE, "missing: the YAML test suite (YAML_SUITE names its folder)")
class Suite(Ways):
    def test_trees(self):
        cases = yaml_cases.suite()
        read = self.trees(cases)
        self.assertGreater(len(cases), 400)
        for name, (_, expected) in cases.items():
            with self.subTest(name):
                if "json" in read[name]:
                    self.assertTrue("fail" not in expected or name in LENIENT, read[name])
                    if "json" in expected and name not in LENIENT | OTHERWISE:
                        self.assertEqual(read[name]["json"], expected["json"])
                else:
                    self.assertTrue(read[name]["diagnostics"])
                    self.assertTrue(all(d["line"] >= 1 and d["column"] >= 1 for d in read[name]["diagnostics"]))

    def test_every_way(self):
        self.run_all(yaml_cases.suite())


if __name__ == "__main__":
    unittest.main()
