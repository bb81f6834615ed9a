"""plan against the sandbox: what it shows, what it costs, what it refuses."""
import json
import os
import unittest

from stacks import SandboxTest
from test_formats import Page


class Plan(SandboxTest):
    def test_first_plan(self):
        result = self.run_cli("plan", "--detailed-exitcode", "--skip-checks", status=2)
        self.assertRegex(result.out, r"Plan: \d+ to create, 0 to change, 0 to delete, 0 unchanged")
        self.assertLess(len(result.out.splitlines()), 50, "a second to read, not a page")
        # Nothing below a group that is not there is asked for.
        below = [r["path"] for r in self.sandbox.requests() if "/resourceGroups/rg-langfuse-dev/providers/" in r["path"]]
        self.assertEqual(below, [])
        self.assertFalse(os.path.exists(os.path.join(self.stack, ".deployer", "langfuse.json")))

    def test_secrets_do_not_show(self):
        for args in ([], ["-o", "json"], ["--save", "plan.json"], ["--log-level", "trace"]):
            result = self.run_cli("plan", *args)
            for secret in ("example-postgres-password", "example-clickhouse-password", "0123456789abcdef0123456789"):
                self.assertNotIn(secret, result.out + result.err)
        self.assertNotIn("example-postgres-password", self.read("plan.json"))

    def test_a_page_to_approve(self):
        self.apply()
        self.edit("stack.yaml", "owner: platform", "owner: '<b>others</b>'")
        self.edit(".env", "example-postgres-password", "another-postgres-password")
        self.run_cli("plan", "-o", "html=plan.html")
        text = self.read("plan.html")
        page = Page(text)
        self.assertEqual((page.faults, page.open), ([], []))
        for words in ("What apply would do", "Changed", "postgres.server", "tags.owner", "platform", "<b>others</b>", "(secret)"):
            self.assertIn(words, page.text)
        for secret in ("example-postgres-password", "another-postgres-password"):
            self.assertNotIn(secret, text)

    def test_requests_of_a_plan_without_change(self):
        self.apply()
        before = len(self.sandbox.requests())
        self.assert_no_change()
        asked = self.sandbox.requests()[before:]
        resources = len(self.state()["entries"])
        self.assertEqual([r for r in asked if r["method"] not in ("GET", "POST")], [])
        self.assertLess(len(asked), resources, "fewer requests than resources")
        self.assertEqual(len(asked), len({r["path"] for r in asked}), "nothing is asked for twice")

    def test_no_change_after_a_restart(self):
        self.apply()
        self.sandbox.stop()
        self.sandbox.start()
        self.assert_no_change()


class OneChange(SandboxTest):
    def setUp(self):
        super().setUp()
        self.start_applied()

    def one(self, address, *paths):
        plan = self.plan()
        changing = self.changing(plan)
        self.assertEqual(list(changing), [address], json.dumps(changing, indent=1)[:3000])
        self.assertEqual([c["path"] for c in changing[address]["changes"]], list(paths))
        return changing[address]

    def settles(self, *args):
        self.apply(*args)
        self.assert_no_change()

    def test_one_value(self):
        self.edit("stack.yaml", "with: {version: 16}", "with: {version: 16, backup_days: 9}")
        change = self.one("postgres.server", "properties.backup.backupRetentionDays")
        self.assertEqual(change["changes"][0]["desired"], 9)
        self.settles()

    def test_a_removed_tag(self):
        self.edit("stack.yaml", ", stage: \"${var.stage}\"}", "}")
        changing = self.changing(self.plan())
        for item in changing.values():
            self.assertEqual([(c["path"], c["action"]) for c in item["changes"]], [("tags.stage", "remove")])
        self.settles()
        for resource in self.sandbox.resources().values():
            self.assertNotIn("stage", resource.get("tags") or {})

    def test_an_added_and_removed_variable(self):
        self.edit("stack.yaml", "scheme: http}", "scheme: http, web_environment: {EXTRA: one}}")
        self.one("langfuse.web", "properties.template.containers[web].env[EXTRA]")
        self.settles()
        self.edit("stack.yaml", ", web_environment: {EXTRA: one}}", "}")
        change = self.one("langfuse.web", "properties.template.containers[web].env[EXTRA]")
        self.assertEqual(change["changes"][0]["action"], "remove")
        self.settles()

    def test_a_renamed_service_is_a_move(self):
        self.edit("stack.yaml", "  blob: {use: blob}", "  files: {use: blob}")
        changing = self.changing(self.plan())
        self.assertTrue(changing)
        self.assertEqual({a["action"] for a in changing.values()}, {"move"})
        before = [r for r in self.sandbox.requests() if r["method"] in ("PUT", "PATCH", "DELETE")]
        self.settles()
        after = [r for r in self.sandbox.requests() if r["method"] in ("PUT", "PATCH", "DELETE")]
        self.assertEqual(len(after), len(before), "the cloud was not touched")

    def test_a_removed_service_is_deleted(self):
        self.edit("stack.yaml", "  gateway:\n    use: gateway\n", "  #\n")
        self.edit("stack.yaml", "    # A try-out: for people take a certificate, as prod does.\n"
                  "    with: {insecure: true}\n    needs: {backend: langfuse}\n", "")
        changing = self.changing(self.plan())
        self.assertEqual(changing["gateway.gateway"]["action"], "delete")
        self.settles("--allow-data-loss", "all")
        self.assertFalse([i for i in self.sandbox.resources() if "applicationGateways" in i])

    def test_a_rotated_password(self):
        self.edit(".env", "example-postgres-password", "another-postgres-password")
        result = self.run_cli("plan")
        self.assertIn("(secret)", result.out)
        self.assertNotIn("another-postgres-password", result.out)
        changing = self.changing(self.plan())
        self.assertIn("postgres.server", changing)
        for app in ("langfuse.web", "langfuse.worker"):
            self.assertTrue([c for c in changing[app]["changes"] if c["path"].startswith("properties.template")], app)
        self.settles()

    def test_a_key_that_must_not_change(self):
        self.edit(".env", "ENCRYPTION_KEY=0123", "ENCRYPTION_KEY=4567")
        result = self.apply(status=73)
        self.assertIn("--allow-data-loss langfuse.encryption_key", result.err)
        self.settles("--allow-data-loss", "langfuse.encryption_key")

    def test_a_replacement_needs_leave(self):
        self.edit("stack.yaml", "clustering: NoCluster", "clustering: OSSCluster")
        self.assertEqual(self.changing(self.plan())["redis.database"]["action"], "update", "the one step that is possible")
        self.settles()
        self.edit("stack.yaml", "clustering: OSSCluster", "clustering: EnterpriseCluster")
        self.assertEqual(self.changing(self.plan())["redis.database"]["action"], "replace")
        result = self.apply(status=73)
        self.assertIn("--allow-data-loss redis.database", result.err)
        self.settles("--allow-data-loss", "redis.database")

    def test_drift(self):
        result = self.run_cli("plan", "--drift")
        self.assertIn("Nothing was changed by others", result.out)

    def test_saved_plan_is_done_once(self):
        self.edit("stack.yaml", "with: {version: 16}", "with: {version: 16, backup_days: 9}")
        self.run_cli("plan", "--save", "p.json")
        self.run_cli("apply", "--plan", "p.json")
        self.assert_no_change()
        result = self.run_cli("apply", "--plan", "p.json", status=74)
        self.assertIn("stale", result.err)

    def test_saved_plan_is_stale_after_an_edit(self):
        self.edit("stack.yaml", "with: {version: 16}", "with: {version: 16, backup_days: 9}")
        self.run_cli("plan", "--save", "p.json")
        self.edit("stack.yaml", "backup_days: 9", "backup_days: 10")
        self.run_cli("apply", "--plan", "p.json", status=74)


if __name__ == "__main__":
    unittest.main()
