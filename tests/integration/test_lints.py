"""Every lint: a stack that has the fault gets exactly that finding, and its mended twin is silent.

tests/data/lints/CODE[@WHAT]/{bad,good}.yaml are overlays on examples/langfuse (JSON is YAML), laid over it as an environment.
"""
import concurrent.futures
import glob
import json
import os
import shutil
import tempfile
import unittest

from support import ROOT, cli

DATA = os.path.join(ROOT, "tests", "data", "lints")
ENV = {"PATH": os.environ["PATH"], "AZURE_SUBSCRIPTION_ID": "11111111-1111-1111-1111-111111111111",
       "POSTGRES_PASSWORD": "pgExamplePw1", "CLICKHOUSE_PASSWORD": "chExamplePw1", "NEXTAUTH_SECRET": "a" * 32,
       "SALT": "b" * 32, "ENCRYPTION_KEY": "0123456789abcdef" * 4}


def codes():
    return sorted(n for n in os.listdir(DATA) if os.path.isdir(os.path.join(DATA, n)) and n != "catalog")


class Lints(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="deployer-lints-")
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        with open(os.path.join(ROOT, "examples", "langfuse", "stack.yaml")) as f:
            cls.base = f.read()

    def validate(self, overlay, *options):
        """The result of an overlay laid over the example, and the file."""
        path = tempfile.mkstemp(dir=self.dir, suffix=".yaml")[1]
        with open(path, "w") as f:
            f.write(self.base + "  case:\n" + "".join("    " + line + "\n" for line in overlay.splitlines()))
        return cli("validate", path, "-e", "case", "--catalog", os.path.join(DATA, "catalog"), *options, env=ENV), path

    def findings(self, name, which):
        with open(os.path.join(DATA, name, which + ".yaml")) as f:
            done, path = self.validate(f.read(), "-o", "json")
        try:
            return done, json.loads(done.stdout)["findings"], path
        except ValueError:
            return done, [], path

    def check(self, name):
        problems = []
        done, found, path = self.findings(name, "bad")
        code = name.split("@")[0]
        if {f["code"] for f in found} != {code}:
            problems.append(f"{name} bad: {[(f['code'], f.get('cause') or f.get('text')) for f in found]} {done.stderr}")
        for f in found:
            with open(path) as text:
                lines = len(text.readlines())
            if not 1 <= f["line"] <= lines or f["column"] < 1 or f["file"] != path:
                problems.append(f"{name}: no place: {f}")
            if not f.get("fix") and not f.get("hint"):
                problems.append(f"{name}: does not say what to change: {f}")
        worst = {f["severity"] for f in found}
        if done.returncode != (1 if "error" in worst else 0):
            problems.append(f"{name} bad: exit status {done.returncode} for {worst}")
        done, found, _ = self.findings(name, "good")
        if found or done.returncode != 0:
            problems.append(f"{name} good: {[(f['code'], f.get('cause') or f.get('text')) for f in found]} {done.stderr}")
        return problems

    def test_each(self):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            problems = [p for ps in pool.map(self.check, codes()) for p in ps]
        self.assertEqual(problems, [], "\n".join(problems))

    def test_every_lint_has_a_case_and_a_line(self):
        tried = {name.split("@")[0] for name in codes()}
        with open(os.path.join(ROOT, "docs", "lints.md")) as f:
            listed = {line.split("|")[1].strip() for line in f if line.startswith("| ")}
        for path in sorted(glob.glob(os.path.join(ROOT, "runbooks", "*.md"))):
            with open(path) as f:
                front = f.read().split("\n---\n")[0]
            if "\nlint:\n" in front:
                self.assertIn("-".join(os.path.basename(path).split("-")[:2]), tried)
        self.assertEqual(tried - listed, set(), "not in the list of docs/lints.md")

    def test_formats_and_fail_on(self):
        with open(os.path.join(DATA, "RED-014", "bad.yaml")) as f:
            overlay = f.read()
        self.assertEqual(self.validate(overlay)[0].returncode, 0)
        self.assertEqual(self.validate(overlay, "--fail-on", "warn")[0].returncode, 1)
        self.assertEqual(self.validate(overlay, "--fail-on", "nonsense")[0].returncode, 64)
        for form, told in (("junit", "redis.preflight"), ("sarif", '"ruleId": "RED-014"'), ("markdown", "RED-014"), ("github", "::warning")):
            self.assertIn(told, self.validate(overlay, "-o", form)[0].stdout.replace("\\-", "-"))

    def test_the_place_is_the_input(self):
        with open(os.path.join(DATA, "RED-014", "bad.yaml")) as f:
            done, path = self.validate(f.read(), "-o", "json")
        found = json.loads(done.stdout)["findings"][0]
        self.assertEqual(found["path"], "services.redis.with.eviction")
        with open(path) as f:
            self.assertIn("AllKeysLRU", f.read().splitlines()[found["line"] - 1])

    def test_plan_stops_before_it_touches_anything(self):
        with open(os.path.join(DATA, "NET-002", "bad.yaml")) as f:
            path = self.validate(f.read())[1]
        for verb in ("plan", "apply"):
            done = cli(verb, path, "-e", "case", "--catalog", os.path.join(DATA, "catalog"), "--yes", env=ENV)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("TCP traffic", done.stderr)
            self.assertIn("nothing was touched", done.stderr)


if __name__ == "__main__":
    unittest.main()
