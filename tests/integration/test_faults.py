"""Each fault of the sandbox's script (docs/sandbox.md) against a whole apply: what the program does about it. Every
test fails when the answer to its fault is taken out of the program."""
import json
import os
import time
import unittest

import support
from test_firstwrite import CATALOG_SERVICE

STACK = """\
deployer: 1
stack: %(name)s
location: japaneast
azure: {subscription: "${env.AZURE_SUBSCRIPTION_ID}", resource_group: rg-%(name)s}
services:
  blob: {use: blob, with: {containers: [%(containers)s]}}
"""


class Faults(unittest.TestCase):
    latency = 0.002

    @classmethod
    def setUpClass(cls):
        cls.box = support.Sandbox(latency=cls.latency, faults="faults: []\n")
        cls.addClassCleanup(cls.box.__exit__)

    def stack(self, name, containers="langfuse", text=STACK):
        stack = support.Stack(self.box, text % {"name": name, "containers": containers})
        self.addCleanup(stack.__exit__)
        self.addCleanup(self.box.set_faults, "faults: []\n")
        return stack

    def faults(self, *entries, **settings):
        self.box.set_faults(json.dumps({"faults": list(entries), "settings": settings}))

    def run_ok(self, stack, *args, status=0):
        done = stack.run(*args)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def converged(self, stack):
        """Nothing is left to do, and nothing was made twice."""
        self.box.set_faults("faults: []\n")
        self.run_ok(stack, "plan", "--detailed-exitcode")

    def answers(self, method, part):
        """The statuses that requests to paths ending so got."""
        return [r["status"] for r in self.box.requests() if r["method"] == method and r["path"].lower().endswith(part.lower())]

    def test_errors_that_pass(self):
        for i, do in enumerate(({"status": 503, "code": "ServerBusy", "headers": {"Retry-After": 1}}, {"status": 408, "code": "RequestTimeout"},
                                {"status": 429, "code": "TooManyRequests", "headers": {"Retry-After": 1}})):
            with self.subTest(do=do):
                name = "pass%d" % i
                stack = self.stack(name)
                self.faults({"match": {"method": "PUT", "path": "*/virtualNetworks/vnet-%s" % name, "nth": 1}, "do": do})
                self.run_ok(stack, "apply", "--yes")
                self.assertEqual(self.answers("PUT", "/vnet-" + name)[:2], [do["status"], 201])
                self.converged(stack)

    def test_a_refusal_is_told_and_the_next_run_goes_on(self):
        stack = self.stack("refused")
        self.faults({"match": {"method": "PUT", "path": "*/virtualNetworks/vnet-refused"},
                     "do": {"status": 400, "code": "InvalidRequestFormat", "message": "No such thing."}})
        done = self.run_ok(stack, "apply", "--yes", status=1)
        self.assertIn("HTTP 400 InvalidRequestFormat: No such thing", done.stdout)
        self.assertEqual(self.answers("PUT", "/vnet-refused"), [400])  # not worth a second try
        self.box.set_faults("faults: []\n")
        self.run_ok(stack, "apply", "--yes")
        self.converged(stack)

    def test_a_claims_challenge(self):
        stack = self.stack("claims")
        self.faults({"match": {"method": "PUT", "path": "*/virtualNetworks/vnet-claims", "nth": 1}, "do": {
            "status": 401, "code": "InvalidAuthenticationToken", "headers": {"WWW-Authenticate":
                'Bearer realm="", error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZX19fQ=="'}}})
        self.run_ok(stack, "apply", "--yes")
        self.assertEqual(self.answers("PUT", "/vnet-claims")[:2], [401, 201])

    def test_an_answer_that_is_no_json(self):
        stack = self.stack("garbage")
        self.faults({"match": {"method": "PUT", "path": "*/virtualNetworks/vnet-garbage", "nth": 1}, "do": {"body": "<html>proxy</html>", "when": "after"}})
        first = stack.run("apply", "--yes")
        self.assertNotIn("Traceback", first.stderr)
        self.run_ok(stack, "apply", "--yes")
        self.converged(stack)

    def test_connections_that_break(self):
        for verb, do in (("GET", {"reset": True}), ("PUT", {"cut": True}), ("PUT", {"when": "after", "reset": True}),
                         ("PUT", {"when": "after", "status": 500, "code": "InternalServerError"})):
            with self.subTest(do=do, verb=verb):
                name = "broken" + "".join(do)
                stack = self.stack(name)
                self.faults({"match": {"method": verb, "path": "*/rg-%s*" % name, "nth": 2, "count": 2}, "do": do})
                self.run_ok(stack, "apply", "--yes")
                self.converged(stack)

    def test_a_slow_answer(self):
        stack = self.stack("slow")
        self.faults({"match": {"method": "PUT", "path": "*/virtualNetworks/vnet-slow", "nth": 1}, "do": {"delay": "3s"}})
        began = time.time()
        done = stack.run("apply", "--yes", "--timeout", "1s")
        self.assertNotEqual(done.returncode, 0)
        self.assertLess(time.time() - began, 8)
        self.box.set_faults("faults: []\n")
        self.run_ok(stack, "apply", "--yes")
        self.converged(stack)

    def test_operations_that_fail_or_are_cancelled(self):
        for status in ("Failed", "Canceled"):
            with self.subTest(status=status):
                name = "lro" + status.lower()
                stack = self.stack(name)
                self.faults({"match": {"method": "PUT", "path": "*/virtualNetworks/vnet-%s" % name, "nth": 1}, "do": {"lro": {
                    "duration": "300ms", "status": status, "code": "ResourceDeploymentFailure", "message": "outer",
                    "details": [{"code": "QuotaExceeded", "message": "Too many of them."}]}}})
                done = self.run_ok(stack, "apply", "--yes", status=1)
                self.assertIn("QuotaExceeded: Too many of them", done.stdout)
                self.box.set_faults("faults: []\n")
                vnet = "%s/resourceGroups/rg-%s/providers/Microsoft.Network/virtualNetworks/vnet-%s" % (self.box.subscription, name, name)
                self.assertEqual(self.state_of(vnet), status)
                self.run_ok(stack, "apply", "--yes")
                self.assertEqual(self.state_of(vnet), "Succeeded")
                self.converged(stack)

    def state_of(self, id):
        return self.box.call("GET", id, version="2025-09-01").json["properties"]["provisioningState"]

    def test_a_long_operation_is_waited_for(self):
        stack = self.stack("long")
        self.faults({"match": {"method": "PUT", "path": "*/virtualNetworks/vnet-long", "nth": 1}, "do": {"lro": {"duration": "2s"}}})
        self.run_ok(stack, "apply", "--yes")
        self.converged(stack)

    def test_what_was_made_is_seen_late(self):
        stack = self.stack("lagging")
        self.faults({"match": {"method": "PUT", "path": "*/rg-lagging/providers/*"}, "do": {"lag": {"get": "1s", "list": "60s"}}})
        self.run_ok(stack, "apply", "--yes")
        self.assertIn(404, [r["status"] for r in self.box.requests() if r["method"] == "GET" and "/rg-lagging/" in r["path"]])
        self.run_ok(stack, "plan", "--detailed-exitcode")  # the lists don't have it yet, and the state does

    def test_what_is_being_deleted_is_made_anew(self):
        """Somebody deletes the group (or a run was killed while it did): the next apply waits, and makes all of it again."""
        stack = self.stack("going")
        self.run_ok(stack, "apply", "--yes")
        self.faults({"match": {"method": "DELETE"}, "do": {"lro": {"duration": "2s"}}})
        group = self.box.subscription + "/resourceGroups/rg-going"
        self.assertEqual(self.box.call("DELETE", group, version="2025-04-01").status, 202)
        plan = self.run_ok(stack, "plan").stdout
        self.assertIn("is being deleted: that is waited for, then it is made anew", plan)
        before = len(self.box.requests())
        self.run_ok(stack, "apply", "--yes")
        self.assertEqual([r for r in self.box.requests()[before:] if r["method"] == "PUT" and r["status"] >= 400], [])
        self.converged(stack)

    def test_lists_that_lag_and_come_in_pages(self):
        stack = self.stack("pages", "langfuse, one, two, three, four")
        self.faults(list_lag_ms=60000, page_size=1)
        self.run_ok(stack, "apply", "--yes")
        self.run_ok(stack, "plan", "--detailed-exitcode")
        self.faults(page_size=2)
        self.run_ok(stack, "plan", "--detailed-exitcode")

    def test_buckets(self):
        stack = self.stack("bucket", ", ".join("c%03d" % i for i in range(60)))
        before = len(self.box.requests())
        self.faults(buckets={"reads": [100, 100], "writes": [20, 20], "deletes": [20, 20]})
        self.run_ok(stack, "apply", "--yes")
        refused = sum(r["status"] == 429 for r in self.box.requests()[before:])
        self.assertLess(refused, 2)  # it knows what the headers told

    def test_forms_of_retry_after(self):
        for form in ({"retry_after": "date"}, {"retry_after": "ms"}, {"retry_after": "none"}):
            with self.subTest(form=form):
                stack = self.stack("after" + "".join(str(v) for v in form.values()))
                self.faults(**form)
                self.run_ok(stack, "apply", "--yes")
                self.converged(stack)

    def test_a_token_that_runs_out_midway(self):
        stack = self.stack("token")
        self.faults({"match": {"method": "PUT", "path": "*/virtualNetworks/vnet-token", "nth": 1}, "do": {"lro": {"duration": "4s"}}},
                    token_lifetime_s=2)
        before = len(self.box.requests())
        self.run_ok(stack, "apply", "--yes")
        logins = [r for r in self.box.requests()[before:] if r["path"].endswith("/token")]
        self.assertGreater(len(logins), 1)
        self.assertNotIn(401, [r["status"] for r in self.box.requests()[before:]])  # a new one before the old one ends
        self.converged(stack)

    def test_conflicts_that_kinds_know(self):
        """A network that is busy, and an identity that is not known everywhere yet: both are worth a second try."""
        stack = self.stack("conflict", text=STACK.replace("services:", "services:\n  safe: {use: safe}")
                           .replace("location:", "catalog: [catalog]\nlocation:"))
        os.makedirs(stack.path("catalog/services/safe"))
        stack.write("catalog/services/safe/service.yaml", CATALOG_SERVICE + """\
  ident: {kind: managed_identity, name: ident, body: {}}
  role:
    kind: role_assignment
    name: "${uuid5('x')}"
    on: "${resource.vault.id}"
    body: {properties: {roleDefinitionId: "/subscriptions/${azure.subscription}/providers/Microsoft.Authorization/roleDefinitions/4633458b-17de-408a-b874-0445c86b69e6", principalId: "${resource.ident.properties.principalId}"}}
""")
        self.faults({"match": {"method": "PUT", "path": "*/virtualNetworks/vnet-conflict", "nth": 1},
                     "do": {"status": 409, "code": "AnotherOperationInProgress"}}, principal_lag_ms=1500)
        self.run_ok(stack, "apply", "--yes")
        self.assertEqual(self.answers("PUT", "/vnet-conflict")[:2], [409, 201])
        self.assertIn(400, self.answers("PUT", "/roleAssignments/" + self.role(stack)))
        self.converged(stack)

    def role(self, stack):
        return [r["path"] for r in self.box.requests() if "/roleAssignments/" in r["path"]][-1].rsplit("/", 1)[1]


class Unregistered(unittest.TestCase):
    def test_a_provider_that_is_not_registered(self):
        box = support.Sandbox(faults="settings: {unregistered: [Microsoft.Storage]}\n")
        self.addCleanup(box.__exit__)
        stack = support.Stack(box, STACK % {"name": "unreg", "containers": "langfuse"})
        self.addCleanup(stack.__exit__)
        done = stack.run("apply", "--yes", "--skip-checks")  # without the look at it before: the refusal itself is answered
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(409, [r["status"] for r in box.requests() if r["method"] == "PUT"])
        self.assertTrue([r for r in box.requests() if r["path"].endswith("/Microsoft.Storage/register")])


if __name__ == "__main__":
    unittest.main()
