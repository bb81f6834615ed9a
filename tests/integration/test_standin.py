"""Langfuse's containers as apply sees them start, fail and come back: the stand-in plays them, the sandbox runs them."""
import json
import os
import shutil
import unittest

import stack_bed
from stack_bed import by_name, ids

REPLICAS = 3


@unittest.skipIf(stack_bed.missing(), stack_bed.missing() or "")
class Standin(unittest.TestCase):
    """One stack for all: its first apply meets a failing migration, its second goes through."""

    @classmethod
    def setUpClass(cls):
        cls.bed = stack_bed.Bed(is_bare=True)
        cls.addClassCleanup(cls.bed.close)
        cls.catalog()
        cls.bed.run("init", cls.bed.folder)
        cls.stack(web_min_replicas=REPLICAS)
        cls.control(migrate={"exit": 5})
        cls.failed = cls.apply()
        cls.events_of_failed = cls.events()
        cls.control(migrate={"start_s": 1})
        cls.second = cls.apply()

    @classmethod
    def catalog(cls):
        """Langfuse's service with probes that give up after seconds, not after five minutes."""
        cls.overrides = os.path.join(cls.bed.folder, "catalog")
        shutil.copytree(os.path.join(stack_bed.ROOT, "services", "langfuse"), os.path.join(cls.overrides, "services", "langfuse"))
        path = os.path.join(cls.overrides, "services", "langfuse", "service.yaml")
        with open(path) as f:
            text = f.read()
        text = text.replace("periodSeconds: 30", "periodSeconds: 1").replace("failureThreshold: 10", "failureThreshold: 3")
        with open(path, "w") as f:
            f.write(text.replace("initialDelaySeconds: 5", "initialDelaySeconds: 0"))

    @classmethod
    def stack(cls, **inputs):
        with open(stack_bed.EXAMPLE) as f:
            text = f.read()
        more = "".join("%s: %s, " % pair for pair in inputs.items())
        assert "with: {version: 3, hostname" in text
        with open(os.path.join(cls.bed.folder, "stack.yaml"), "w") as f:
            f.write(text.replace("with: {version: 3, hostname", "with: {%sversion: 3, hostname" % more))

    @classmethod
    def control(cls, **roles):
        with open(cls.bed.env["STANDIN_CONTROL"], "w") as f:
            json.dump(roles, f)

    @classmethod
    def apply(cls):
        done = cls.bed.run("apply", "stack.yaml", *cls.bed.on(), "--catalog", cls.overrides, "--yes", "-o", "json", timeout=240)
        if not done.stdout.startswith("{"):
            raise AssertionError("exit status %d: %s" % (done.returncode, done.stderr))
        return done.returncode, {r["address"]: r for r in json.loads(done.stdout)["results"]}

    @classmethod
    def events(cls, role=None, event=None):
        try:
            with open(cls.bed.env["STANDIN_LOG"]) as f:
                rows = [json.loads(line) for line in f]
        except OSError:
            return []
        return [r for r in rows if role in (None, r["role"]) and event in (None, r["event"])]

    def verify(self):
        return self.bed.verify("--only", "langfuse", "--catalog", self.overrides)

    def restore(self):
        """The next test begins with a stack that runs."""
        self.control()
        self.stack(web_min_replicas=REPLICAS)
        status, results = self.apply()
        self.assertEqual(status, 0, results)

    # ---- the first start ----

    def test_a_failed_migration_stops_the_apply_with_its_reason(self):
        status, results = self.failed
        self.assertEqual(status, 1)
        migrate = results["langfuse.migrate"]
        self.assertEqual(migrate["status"], "failed")
        for text in ("status is Failed", "container 'migrate' was terminated with exit code '5'", '"status": 5', "migrate.log"):
            self.assertIn(text, migrate["error"])
        self.assertIn("deployer explain ACA-003", migrate["hint"])
        skipped = {a: r["because"] for a, r in results.items() if r["status"] == "skipped"}
        self.assertEqual(skipped, dict.fromkeys(("langfuse.web", "langfuse.worker", "gateway.gateway"), "langfuse.migrate"))
        self.assertEqual([(e["role"], e["event"]) for e in self.events_of_failed], [("migrate", "start"), ("migrate", "end")])

    def test_the_next_apply_goes_on_with_what_is_left(self):
        status, results = self.second
        self.assertEqual(status, 0, results)
        self.assertEqual({a: r["status"] for a, r in results.items()},
                         dict.fromkeys(("langfuse.migrate", "langfuse.web", "langfuse.worker", "gateway.gateway"), "done"))

    def test_one_migration_for_three_replicas_and_all_after_it(self):
        runs = self.events("migrate")
        self.assertEqual([e.get("status") for e in runs], [None, 5, None, 0])
        end = runs[-1]["time"]
        started = [e for e in self.events(event="start") if e["role"] != "migrate"]
        self.assertTrue(all(e["time"] > end for e in started), [(e["role"], e["time"] - end) for e in started])
        first = [e["role"] for e in started][:REPLICAS + 1]
        self.assertEqual(sorted(first), ["web"] * REPLICAS + ["worker"])
        migrates = {e["role"]: e["environment"]["LANGFUSE_AUTO_CLICKHOUSE_MIGRATION_DISABLED"]
                    for e in self.events(event="start") if e["role"] != "worker"}
        self.assertEqual(migrates, {"migrate": "false", "web": "true"})
        status, document = self.verify()
        self.assertEqual((status, ids(document)), (0, []), json.dumps(document["findings"]))

    def test_an_unchanged_stack_starts_nothing(self):
        before = len(self.events(event="start"))
        status, results = self.apply()
        self.assertEqual((status, results, len(self.events(event="start"))), (0, {}, before))

    # ---- a start that fails ----

    def check_unready(self, error, reason, *more):
        """The reason is said once, although the revision and each of its replicas say it."""
        self.assertEqual(error["error"].count(reason), 1, "%r in %s" % (reason, error["error"]))
        for text in more:
            self.assertIn(text, error["error"])
        self.assertEqual(error["status"], "failed")
        self.assertIn("deployer explain ACA-003", error["hint"])

    def check_finding(self, text):
        """The old revision serves on; verify says what keeps the new one."""
        status, document = self.verify()
        self.assertEqual((status, ids(document)[0]), (1, "ACA-003"), json.dumps(document["findings"]))
        self.assertNotIn("ACA-011", ids(document))
        self.assertIn(text, document["findings"][0]["cause"])
        self.assertIs(by_name(document)["langfuse.web"]["evidence"]["arm"]["latest_is_ready"], False)

    def test_a_container_that_ends_is_reported_with_status_and_log(self):
        self.addCleanup(self.restore)
        self.control(web={"exit": 7})
        self.stack(web_min_replicas=REPLICAS, log_level="warn")
        migrations = len(self.events("migrate"))
        status, results = self.apply()
        self.assertEqual(status, 1)
        self.check_unready(results["langfuse.web"], "was terminated with exit code '7'", '"status": 7', "web.log")
        self.assertEqual(results["langfuse.worker"]["status"], "done")
        self.assertEqual(len(self.events("migrate")), migrations, "nothing that migrations read has changed")
        self.check_finding("exit code '7'")
        # The cause was elsewhere and is gone: the same file, and the revision is tried again at once.
        self.control()
        status, results = self.apply()
        self.assertEqual((status, results["langfuse.web"]["status"]), (0, "done"), results)

    def test_a_probe_that_fails_is_reported_with_what_it_got(self):
        self.addCleanup(self.restore)
        self.control(web={"health": 503})
        self.stack(web_min_replicas=REPLICAS, log_level="error")
        status, results = self.apply()
        self.assertEqual(status, 1)
        self.check_unready(results["langfuse.web"], "Startup probe failed 3 times, last: GET :3000/api/public/health: HTTP 503")
        self.check_finding("HTTP 503")


if __name__ == "__main__":
    unittest.main()
