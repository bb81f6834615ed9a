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
            "owner": "platform", "deployer-state": self.lineage(stack) + " file:marked.json",
            "deployer-address": "marked/stack.group"})
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
        del group["tags"]["deployer-state"]
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

    def test_import_of_a_group_that_is_not_there(self):
        stack = self.made_elsewhere()
        done = self.run_ok(stack, "import", "--resource-group", "rg-other", status=66)
        self.assertIn("rg-other", done.stderr)

    def test_import_of_some(self):
        stack = self.made_elsewhere()
        done = stack.run("import", "blob.account", "-o", "json")
        self.assertEqual([a["address"] for a in json.loads(done.stdout)["adopted"]], ["blob.account"])


class Elsewhere(Case):
    """What the stack describes is there under another name, or in another group."""

    def unmarked(self, name="rg-marked"):
        """As if whoever made it knew of no state."""
        group = self.box.call("GET", self.box.subscription + "/resourceGroups/" + name, version="2025-04-01").json
        group.pop("properties", None)
        del group["tags"]["deployer-state"]
        self.assertEqual(self.box.call("PUT", group["id"], group, "2025-04-01").status, 200)

    def made_with_suffix(self, suffix, *more):
        """A whole stack whose unique names end otherwise, and whose state is lost."""
        stack = self.stack()
        self.run_ok(stack, "import")  # a first state, to have the suffix in
        pulled = self.pull(stack)
        pulled["suffix"] = suffix
        stack.write("pushed.json", json.dumps(pulled))
        done = support.cli("state", "push", "stack.yaml", "pushed.json", "--repair", "--force", "--yes", cwd=stack.dir)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.run_ok(stack, "apply", "--yes", *more)
        self.unmarked()
        return stack

    def pull(self, stack):
        return json.loads(support.cli("state", "pull", "stack.yaml", cwd=stack.dir).stdout)

    def accounts(self, group="rg-marked"):
        listed = self.box.call("GET", self.box.subscription + "/resourceGroups/%s/providers/Microsoft.Storage/"
                               "storageAccounts" % group, version="2024-01-01").json["value"]
        return {a["name"]: a for a in listed}

    def adopted(self, stack, *args):
        document = json.loads(self.run_ok(stack, "import", *args, "-o", "json").stdout)
        return {a["address"]: a for a in document["adopted"]}, document["not_adopted"]

    def rename_tag(self, account, value):
        body = {"tags": {**account["tags"], "deployer-address": value}}
        self.assertEqual(self.box.call("PATCH", account["id"], body, "2024-01-01").status, 200)

    def test_another_suffix_is_found_by_tag_and_its_name_stays(self):
        self.made_with_suffix("zzzzz")
        (name, account), = self.accounts().items()
        self.assertTrue(name.endswith("zzzzz"))
        self.assertEqual(account["tags"]["deployer-address"], "marked/blob.account")
        stack = self.stack()
        count = len(self.writes())
        adopted, told = self.adopted(stack)
        self.assertEqual((adopted["blob.account"]["id"], adopted["blob.account"]["by"]), (account["id"], "tag"))
        self.assertEqual(adopted["stack.group"]["by"], "id")
        self.assertEqual(told, [])
        self.assertIn(account["id"] + "/blobServices/default/containers/langfuse", [a["id"] for a in adopted.values()])  # what is in it, too
        self.assertEqual(len(self.writes()), count)
        self.assertEqual(self.pull(stack)["ids"]["blob.account"], account["id"])
        self.run_ok(stack, "apply", "--yes")
        self.run_ok(stack, "plan", "--detailed-exitcode")
        self.assertEqual([r["path"] for r in self.writes()[count:]], [self.group()["id"]])  # its marker alone
        self.assertEqual(list(self.accounts()), [name])
        # The address goes, the id goes with it; what is taken down is forgotten.
        support.cli("state", "mv", "stack.yaml", "blob.account", "store.account", cwd=stack.dir)
        self.assertEqual(self.pull(stack)["ids"]["store.account"], account["id"])
        support.cli("state", "mv", "stack.yaml", "store.account", "blob.account", cwd=stack.dir)
        self.run_ok(stack, "destroy", "--yes")
        self.assertEqual(self.pull(stack).get("ids"), {})

    def test_what_carries_one_tag_twice_is_told(self):
        self.made_with_suffix("zzzzz")
        (name, account), = self.accounts().items()
        twin = account["id"][:-5] + "yyyyy"
        body = {k: account[k] for k in ("location", "sku", "kind", "tags")}
        self.assertIn(self.box.call("PUT", twin, body, "2024-01-01").status, (200, 201, 202))
        stack = self.stack()
        adopted, told = self.adopted(stack)
        self.assertNotIn("blob.account", adopted)
        self.assertEqual([(t["address"], sorted(t["ids"])) for t in told], [("blob.account", sorted([account["id"], twin]))])
        done = self.run_ok(stack, "import")
        self.assertIn("deployer import stack.yaml 'blob.account=%s'" % twin, done.stdout)
        adopted, told = self.adopted(stack, "blob.account=" + account["id"])
        self.assertEqual([(a, v["by"]) for a, v in adopted.items()], [("blob.account", "given")])
        self.adopted(stack)
        self.run_ok(stack, "apply", "--yes")
        self.run_ok(stack, "plan", "--detailed-exitcode")
        self.assertEqual(sorted(self.accounts()), sorted([name, twin.rsplit("/", 1)[1]]))

    def test_a_name_alone_is_no_proof(self):
        self.made_with_suffix("zzzzz")
        (_, account), = self.accounts().items()
        self.rename_tag(account, None)
        stack = self.stack()
        adopted, told = self.adopted(stack)
        self.assertNotIn("blob.account", adopted)
        self.assertEqual([t["ids"] for t in told], [[account["id"]]])
        self.assertIn("suffix", told[0]["why"])

    def test_what_another_stack_made_is_left(self):
        self.made_with_suffix("zzzzz")
        (_, account), = self.accounts().items()
        stack = self.stack()
        for label in ("other/blob.account", "marked/prod/blob.account"):
            self.rename_tag(self.accounts()[account["name"]], label)
            adopted, told = self.adopted(stack, "blob.account")
            self.assertEqual((adopted, told), ({}, []), label)
        # At its own id it is told.
        pulled = self.pull(stack)
        pulled["suffix"] = "zzzzz"
        stack.write("pushed.json", json.dumps(pulled))
        support.cli("state", "push", "stack.yaml", "pushed.json", "--repair", "--force", "--yes", cwd=stack.dir)
        adopted, told = self.adopted(stack)
        self.assertEqual([(t["address"], t["why"]) for t in told], [("blob.account", "is tagged as marked/prod/blob.account")])
        adopted, told = self.adopted(stack, "blob.account")  # said by name, it is
        self.assertEqual(list(adopted), ["blob.account"])

    def test_what_is_in_another_group_stays_there(self):
        first = self.stack(STACK.replace("rg-marked", "rg-old"))
        self.run_ok(first, "apply", "--yes")
        old = self.accounts("rg-old")
        stack = self.stack()
        adopted, told = self.adopted(stack)
        self.assertEqual((adopted, told), ({}, []))
        adopted, told = self.adopted(stack, "--resource-group", "rg-old")
        (name, account), = old.items()
        self.assertEqual(adopted["blob.account"]["id"], account["id"])
        self.assertNotIn("stack.group", adopted)
        self.run_ok(stack, "apply", "--yes")  # the group that the file names is made, for what is new
        self.run_ok(stack, "plan", "--detailed-exitcode")
        self.assertEqual((list(self.accounts("rg-old")), self.accounts()), ([name], {}))
        # It is ours there, too, and the group is not.
        self.run_ok(stack, "destroy", "--yes")
        self.assertEqual(self.accounts("rg-old"), {})

    def test_a_namesake_in_the_other_group(self):
        text = STACK.replace("blob: {use: blob}", "network: {use: network}")
        self.run_ok(self.stack(text.replace("rg-marked", "rg-old")), "apply", "--yes")
        path = self.box.subscription + "/resourceGroups/rg-old/providers/Microsoft.Network/virtualNetworks"
        net, = self.box.call("GET", path, version="2024-05-01").json["value"]
        self.box.call("PATCH", net["id"], {"tags": {"owner": "platform"}}, "2024-05-01")
        net, = self.box.call("GET", path, version="2024-05-01").json["value"]
        self.assertEqual(net["tags"], {"owner": "platform"})
        stack = self.stack(text)
        done = self.run_ok(stack, "import", "--resource-group", "RG-old", "-o", "json")
        by = {a["id"]: a["by"] for a in json.loads(done.stdout)["adopted"]}
        self.assertEqual(by[net["id"]], "name")

    def test_an_id_that_can_not_be_it(self):
        stack = self.stack()
        account = self.box.subscription + "/resourceGroups/rg-marked/providers/Microsoft.Storage/storageAccounts/a1"
        for word, status, text in (("blob.account=" + account, 66, "is not there"),
                                   ("blob.account=/subscriptions/x", 64, "is no storage account"),
                                   ("blob.link=" + account, 64, "follows from"),
                                   ("blob.nothing=" + account, 64, "no resource 'blob.nothing'"),
                                   ("=" + account, 64, "want ADDRESS=ID")):
            done = self.run_ok(stack, "import", word, status=status)
            self.assertIn(text, done.stderr)


if __name__ == "__main__":
    unittest.main()
