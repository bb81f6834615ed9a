"""Every lint: a stack that has the fault gets exactly that finding, and its mended twin is silent.

tests/data/lints/CODE[@WHAT]/{bad,good}.yaml are overlays on examples/langfuse (JSON is YAML), laid over it as an environment.
Those that differ in a few values stand in tests/data/lints/cases.json: a case names bodies of the test's service `raw` and sets
paths (SERVICE.INPUT.path[0]...) in both of them, in the good one, and in the bad one; it may say of what severity the finding is. UPDATE=1 renews the list in docs/lints.md.
"""
import concurrent.futures
import copy
import glob
import json
import os
import re
import shutil
import tempfile
import unittest

from support import ROOT, cli

DATA = os.path.join(ROOT, "tests", "data", "lints")
ENV = {"PATH": os.environ["PATH"], "AZURE_SUBSCRIPTION_ID": "11111111-1111-1111-1111-111111111111",
       "POSTGRES_PASSWORD": "pgExamplePw1", "CLICKHOUSE_PASSWORD": "chExamplePw1", "NEXTAUTH_SECRET": "a" * 32,
       "SALT": "b" * 32, "ENCRYPTION_KEY": "0123456789abcdef" * 4}


DOC = os.path.join(ROOT, "docs", "lints.md")


with open(os.path.join(DATA, "cases.json")) as table:
    TABLE = json.load(table)
CASES = {c["case"]: c for c in TABLE["cases"]}


def codes():
    return sorted([n for n in os.listdir(DATA) if os.path.isdir(os.path.join(DATA, n)) and n != "catalog"] + list(CASES))


def put(overlay, path, value):
    """Sets SERVICE.INPUT.a.b[0].c of an overlay; null takes it away, "$KEY" is a key of the overlay itself."""
    if path.startswith("$"):
        overlay[path[1:]] = value
        return
    service, rest = path.split(".", 1)
    at = overlay["services"].setdefault(service, {}).setdefault("with", {})
    steps = [int(s[1:-1]) if s[0] == "[" else s for s in re.findall(r"[^.\[]+|\[\d+\]", rest)]
    for step, following in zip(steps, steps[1:]):
        if isinstance(at, list):
            at = at[step]
        else:
            at = at.setdefault(step, [] if isinstance(following, int) else {})
    if isinstance(at, list) and steps[-1] == len(at):
        at.append(value)
    elif value is None and isinstance(at, dict):
        at.pop(steps[-1], None)
    else:
        at[steps[-1]] = value


def overlay_of(name, which):
    """The text of a case's good or bad overlay."""
    if name not in CASES:
        with open(os.path.join(DATA, name, which + ".yaml")) as f:
            return f.read()
    case = CASES[name]
    overlay = {"services": copy.deepcopy(case.get("services", {}))}
    if "raw" in case or any(p.startswith("raw.") for p in [*case.get("both", {}), *case.get("good", {}), *case["bad"]]):
        overlay["services"]["raw"] = {"use": "raw", "with": {k: copy.deepcopy(TABLE["bodies"][v]) for k, v in case.get("raw", {}).items()}}
    for part in ("both", which):
        for path, value in case.get(part, {}).items():
            put(overlay, path, copy.deepcopy(value))
    return json.dumps(overlay, indent=1)


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
        done, path = self.validate(overlay_of(name, which), "-o", "json")
        try:
            return done, json.loads(done.stdout)["findings"], path
        except ValueError:
            return done, [], path

    def check(self, name):
        """What is wrong with a case, and the first finding of its bad one."""
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
        told = next((f.get("cause") or f["text"] for f in found), "")
        worst = {f["severity"] for f in found}
        if name in CASES and "severity" in CASES[name] and worst != {CASES[name]["severity"]}:
            problems.append(f"{name} bad: {worst}, not {CASES[name]['severity']}")
        if done.returncode != (1 if "error" in worst else 0):
            problems.append(f"{name} bad: exit status {done.returncode} for {worst}")
        done, found, _ = self.findings(name, "good")
        if found or done.returncode != 0:
            problems.append(f"{name} good: {[(f['code'], f.get('cause') or f.get('text')) for f in found]} {done.stderr}")
        return problems, told

    def test_each(self):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            results = dict(zip(codes(), pool.map(self.check, codes())))
        problems = [p for ps, _ in results.values() for p in ps]
        self.assertEqual(problems, [], "\n".join(problems))
        rows = ["| %s | %s | %s |\n" % (n.split("@")[0], n, t.replace("|", "\\|")) for n, (_, t) in results.items()]
        with open(DOC) as f:
            before, head, rest = f.read().partition("| code | test | for example |\n| --- | --- | --- |\n")
        after = rest[rest.index("\n\n") + 1:]
        if os.environ.get("UPDATE"):
            with open(DOC, "w") as f:
                f.write(before + head + "".join(rows) + after)
        self.assertEqual(rest[:len(rest) - len(after)], "".join(rows), "docs/lints.md is stale: UPDATE=1 tests/integration/run.py lints")

    def test_every_lint_has_a_case(self):
        tried = {name.split("@")[0] for name in codes()}
        for path in sorted(glob.glob(os.path.join(ROOT, "runbooks", "*.md"))):
            with open(path) as f:
                front = f.read().split("\n---\n")[0]
            if "\nlint:\n" in front:
                self.assertIn("-".join(os.path.basename(path).split("-")[:2]), tried)

    def test_every_rule_has_a_case(self):
        """What a rule of a kind or a contract finds is shown by a stack, or docs/lints.md says why none can."""
        with open(DOC) as f:
            told = f.read().partition("## What a stack can't show")[2]
        known = set(re.findall(r"\b[A-Z]{2,4}-\d{3}\b", told)) | {name.split("@")[0] for name in codes()}
        for path in glob.glob(os.path.join(ROOT, "templates", "azure", "*.yaml")) + glob.glob(os.path.join(ROOT, "services", "*", "*.yaml")):
            with open(path) as f:
                text = f.read()
            self.assertEqual(set(re.findall(r"runbook: ([A-Z]+-\d+)", text)) - known, set(), path)
            rules = text.partition("\nrules:\n")[2]
            if "/templates/" in path and re.search(r"^  - (for|when|assert)(?!(.|\n    )*\n    runbook:)", rules, re.M):
                kind = "rule." + os.path.basename(path)[:-5]
                self.assertIn(kind, known, "it has rules and no case")

    def test_no_rule_fails_where_something_is_missing(self):
        """Each member of each body taken away: a rule that can't be judged then would be dropped in silence."""
        def paths(value, at=""):
            for key, member in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
                sub = at + ("[%d]" % key if isinstance(key, int) else "." + key)
                yield sub
                yield from paths(member, sub)

        def dropped(case):
            body, path = case
            overlay = {"services": {"raw": {"use": "raw", "with": {body: copy.deepcopy(TABLE["bodies"][body])}}}}
            put(overlay, "raw.%s%s" % (body, path), None)
            done = self.validate(json.dumps(overlay), "-o", "json")[0]
            return [(body, path, f["path"], f["text"]) for f in json.loads(done.stdout)["findings"] if f["code"] == "rule.not-judged"]

        cases = [(b, p) for b in TABLE["bodies"] for p in paths(TABLE["bodies"][b]) if not p.endswith("]")]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            rows = [row for rows in pool.map(dropped, cases) for row in rows]
        self.assertEqual(rows, [], "\n".join(map(str, rows)))

    def test_a_rule_that_fails_is_told(self):
        kinds = os.path.join(self.dir, "broken", "templates", "azure")
        os.makedirs(kinds)
        shutil.copy(os.path.join(ROOT, "templates", "azure", "log_workspace.yaml"), kinds)
        with open(os.path.join(kinds, "log_workspace.yaml"), "a") as f:
            f.write('rules:\n  - assert: "ratio(1, length([])) == 1"\n    text: never\n')
        done, _ = self.validate("{}", "--catalog", os.path.join(self.dir, "broken"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"log_workspace.yaml:\d+:\d+: warning: rule.log_workspace: a rule can't be judged: "
                         r"assert: .*can't divide by 0")

    def test_commands_of_the_runbooks(self):
        """PG-016: a psql that reads ~/.psqlrc and starts a pager is no command for a runbook."""
        for path in glob.glob(os.path.join(ROOT, "runbooks", "*-*.md")):
            with open(path) as f:
                for line in f:
                    if line.startswith("    psql"):
                        self.assertIn(" -X ", line, path)

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
