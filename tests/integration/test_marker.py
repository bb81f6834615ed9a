"""The tag on a stack's resource group that tells of a second state; what is there and not ours; import."""
import json
import unittest

import support

STACK = """\
deployer: 1
stack: marked
location: japaneast
azure: {subscription: "${env.AZURE_SUBSCRIPTION_ID}", resource_group: rg-marked, tags: {owner: platform}}
services:
  blob: {use: blob}
"""


class Case(unittest.TestCase):
    def setUp(self):
        self.box = support.Sandbox()
        self.addCleanup(self.box.__exit__)

    def stack(self, text=STACK):
        stack = support.Stack(self.box, text)
        self.addCleanup(stack.__exit__)
        return stack

    def run_ok(self, stack, *args, status=0):
        done = stack.run(*args)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def group(self):
        return self.box.call("GET", self.box.subscription + "/resourceGroups/rg-marked", version="2025-04-01").json

    def lineage(self, stack, name=".deployer/marked.json"):
        with open(stack.path(name)) as f:
            return json.load(f)["lineage"]

    def writes(self):
        return [r for r in self.box.requests() if r["method"] in ("PUT", "PATCH", "DELETE")]


class Marker(Case):
    def test_the_group_names_lineage_and_place(self):
        stack = self.stack()
        self.run_ok(stack, "apply", "--yes")
        self.assertEqual(self.group()["tags"], {
            "owner": "platform", "deployer-state": self.lineage(stack) + " file:marked.json"})
        self.run_ok(stack, "plan", "--detailed-exitcode")

    def test_a_second_state_is_refused_with_both_named(self):
        first, second = self.stack(), self.stack()
        self.run_ok(first, "apply", "--yes")
        count = len(self.writes())
        for verb in ("plan", "apply", "import"):
            done = self.run_ok(second, verb, *(["--yes"] if verb == "apply" else []), status=73)
            self.assertIn(self.lineage(first), done.stderr)
            self.assertIn("this one is lineage", done.stderr)
            self.assertIn("--take-over", done.stderr)
        self.assertEqual(len(self.writes()), count)
        # Told to, it takes the group and what is in it; then the first one is the stranger.
        self.run_ok(second, "apply", "--yes", "--take-over", "--allow-adopt", "all")
        self.assertTrue(self.group()["tags"]["deployer-state"].startswith(self.lineage(second)))
        self.run_ok(second, "plan", "--detailed-exitcode")
        self.run_ok(first, "plan", status=73)

    def test_a_saved_plan_for_a_first_apply(self):
        stack = self.stack()
        self.run_ok(stack, "plan", "--save", "p.json")
        self.run_ok(stack, "apply", "--plan", "p.json", "--yes")
        self.assertTrue(self.group()["tags"]["deployer-state"].startswith(self.lineage(stack)))
        self.run_ok(stack, "plan", "--detailed-exitcode")

    def test_a_group_of_somebody_else_is_not_marked(self):
        group = self.box.subscription + "/resourceGroups/rg-marked"
        self.box.call("PUT", group, {"location": "japaneast", "tags": {"owner": "them"}}, "2025-04-01")
        stack = self.stack(STACK.replace("resource_group: rg-marked", "resource_group: {existing: %s}" % group))
        self.run_ok(stack, "apply", "--yes")
        self.assertEqual(self.group()["tags"], {"owner": "them"})


class Adopt(Case):
    def made_elsewhere(self):
        """Everything of the stack is there, and no state knows of it."""
        first = self.stack()
        self.run_ok(first, "apply", "--yes")
        group = dict(self.group())
        group.pop("properties", None)
        group["tags"] = {"owner": "platform"}
        self.assertEqual(self.box.call("PUT", group["id"], group, "2025-04-01").status, 200)
        return self.stack()

    def test_apply_over_what_is_not_ours_asks(self):
        stack = self.made_elsewhere()
        count = len(self.writes())
        plan = self.run_ok(stack, "plan")
        self.assertIn("Not ours yet", plan.stdout)
        done = self.run_ok(stack, "apply", "--yes", status=73)
        self.assertIn("--allow-adopt stack.group", done.stderr)
        self.assertIn("--allow-adopt blob.account", done.stderr)
        self.assertEqual(len(self.writes()), count)

    def test_import_takes_over_without_touching(self):
        stack = self.made_elsewhere()
        count = len(self.writes())
        done = self.run_ok(stack, "import", "--resource-group", "rg-marked", "-o", "json")
        adopted = {a["address"]: a["differences"] for a in json.loads(done.stdout)["adopted"]}
        self.assertIn("blob.account", adopted)
        self.assertEqual({a for a, n in adopted.items() if n}, {"stack.group"})  # the marker is still to come
        self.assertEqual(len(self.writes()), count)
        self.run_ok(stack, "apply", "--yes")
        self.run_ok(stack, "plan", "--detailed-exitcode")
        self.assertEqual([r["path"] for r in self.writes()[count:]], [self.group()["id"]])

    def test_import_of_another_group(self):
        stack = self.made_elsewhere()
        done = self.run_ok(stack, "import", "--resource-group", "rg-other", status=64)
        self.assertIn("rg-other", done.stderr)

    def test_import_of_some(self):
        stack = self.made_elsewhere()
        done = stack.run("import", "blob.account", "-o", "json")
        self.assertEqual([a["address"] for a in json.loads(done.stdout)["adopted"]], ["blob.account"])


if __name__ == "__main__":
    unittest.main()
