"""deployer env --check tells bad environments from good ones, and names the variable; env --file completes one."""
import glob
import json
import os
import re
import unittest

from support import ROOT, cli

FACTS = os.path.join(os.path.dirname(os.path.dirname(ROOT)), "shared", "facts", "langfuse-env")
if not os.path.isdir(FACTS):
    FACTS = os.path.join(os.path.dirname(ROOT), "shared", "facts", "langfuse-env")


@unittest.skipUnless(os.path.isdir(FACTS), "shared/facts/langfuse-env is not beside the repository")
class Facts(unittest.TestCase):
    def test_good_ones_are_silent(self):
        for path in sorted(glob.glob(os.path.join(FACTS, "good", "*.env"))):
            with self.subTest(os.path.basename(path)):
                done = cli("env", "--check", path, "-o", "json")
                self.assertEqual(done.returncode, 0, done.stdout)
                self.assertEqual(json.loads(done.stdout)["findings"], [])

    def test_the_contract_has_every_variable(self):
        """Names, defaults, types and containers are those that Langfuse reads."""
        with open(os.path.join(os.path.dirname(FACTS), "langfuse-env.json")) as f:
            facts = {x["name"]: x for x in json.load(f)["variables"]}
        with open(os.path.join(ROOT, "services", "langfuse", "variables.json")) as f:
            ours = json.load(f)
        self.assertEqual(set(ours), set(facts))
        for name, fact in facts.items():
            both = {"web", "worker"} if "shared" in fact["containers"] else set(fact["containers"])
            kind = "integer" if fact.get("integer") else fact["type"]
            self.assertEqual(set(ours[name]["in"]), both, name)
            self.assertEqual(str(ours[name].get("default")).lower(), str(fact["default"]).lower(), name)
            self.assertIn(ours[name]["type"], (kind, fact["type"]), name)
            if not fact["required_by"]:
                self.assertNotIn("required", ours[name], name)

    def test_bad_ones_name_the_variable(self):
        paths = sorted(glob.glob(os.path.join(FACTS, "bad", "*.env")))
        self.assertTrue(paths)
        for path in paths:
            with self.subTest(os.path.basename(path)):
                done = cli("env", "--check", path, "-o", "json")
                self.assertEqual(done.returncode, 1, done.stdout)
                with open(path) as f:
                    told = f.readline().split("|")[0]
                named = set(re.findall(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|\bSALT\b", told))
                named |= {n.rstrip("_") for n in named}
                found = {f["variable"] for f in json.loads(done.stdout)["findings"]}
                self.assertTrue(any(v == n or v.startswith(n) for v in found for n in named), (named, found))


class Check(unittest.TestCase):
    def check(self, text, *options):
        path = os.path.join(self.enterContext(__import__("tempfile").TemporaryDirectory())
                            if hasattr(self, "enterContext") else self.folder(), "x.env")
        with open(path, "w") as f:
            f.write(text)
        return path, cli("env", "--check", path, "-o", "json", *options)

    def folder(self):
        import shutil
        import tempfile
        made = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, made)
        return made

    def found(self, text, *options):
        return {(f["rule"], f["variable"], f["line"]) for f in json.loads(self.check(text, *options)[1].stdout)["findings"]}

    def test_lines_and_rules(self):
        found = self.found("SALT=x\nREDIS_TLS=true\nLANGFUSE_LOG_LEVEL=Info\nREDIS_PORT=70000\n")
        self.assertIn(("env.unknown", "REDIS_TLS", 2), found)
        self.assertIn(("env.value", "LANGFUSE_LOG_LEVEL", 3), found)
        self.assertIn(("env.range", "REDIS_PORT", 4), found)

    def test_two_spellings_must_agree(self):
        url = "DATABASE_URL=postgresql://u:p@h:5432/n?sslmode=require\n"
        self.assertIn(("env.pg-spellings", "DB_HOST", 2), self.found(url + "DB_HOST=other\n"))
        self.assertNotIn("env.pg-spellings", {r for r, _, _ in self.found(url + "DB_HOST=h\nDB_USER=u\nDB_NAME=n\nDB_PORT=5432\n")})

    def test_secrets_are_never_shown(self):
        _, done = self.check("ENCRYPTION_KEY=planted-Secret-1\nDATABASE_URL=postgresql://u:planted-Secret-2#@h/n\n"
                             "REDIS_AUTH=' planted-Secret-3'\nLANGFUSE_INIT_USER_PASSWORD=planted\n")
        text, others = done.stdout + done.stderr, ("-o", "sarif")
        self.assertNotIn("planted", text)
        self.assertNotIn("planted", self.check("ENCRYPTION_KEY=planted-Secret-1\n", *others)[1].stdout)

    def test_context_from_the_command_line(self):
        text = "REDIS_CLUSTER_ENABLED=true\nREDIS_CLUSTER_NODES=h:1\n"
        self.assertIn("env.redis-azure-not-cluster", {r for r, _, _ in self.found(text, "--context", "clusteringPolicy=NoCluster")})
        self.assertNotIn("env.redis-azure-not-cluster", {r for r, _, _ in self.found(text)})

    def test_completed(self):
        path, _ = self.check("DB_HOST=h\nDB_USER=u\nDB_PASSWORD=p@/:?#%\nDB_NAME=n\n")
        done = cli("env", "--file", path, "-o", "docker")
        self.assertIn("DATABASE_URL=postgresql://u:p%40%2F%3A%3F%23%25@h:5432/n\n", done.stdout)
        with open(path, "w") as f:
            f.write("DATABASE_URL='postgresql://u:p%40%2F%3A%3F%23%25@h:5433/n?sslmode=require'\n")
        made = json.loads(cli("env", "--file", path, "-o", "json").stdout)["containers"]["web"]
        self.assertEqual({n: made[n]["value"] for n in made if n.startswith("DB_")},
                         {"DB_HOST": "h", "DB_PORT": "5433", "DB_USER": "u", "DB_PASSWORD": "p@/:?#%", "DB_NAME": "n"})
        k8s = cli("env", "--file", path, "-o", "k8s").stdout
        self.assertIn("kind: Secret", k8s)
        self.assertIn('DB_PASSWORD: "p@/:?#%"', k8s)

    def test_no_such(self):
        self.assertEqual(cli("env", "--check", "/nonexistent.env").returncode, 66)
        self.assertEqual(cli("env", "--check", "/dev/null", "--service", "nothing").returncode, 64)
        self.assertEqual(cli("env").returncode, 64)

    def test_generated_files_are_fresh(self):
        for option, name in (("--template", ".env.template"), ("--table", "docs/langfuse-variables.md")):
            with open(os.path.join(ROOT, name)) as f:
                self.assertEqual(cli("env", option).stdout, f.read(), f"{name} is stale: deployer env {option} > {name}")


if __name__ == "__main__":
    unittest.main()
