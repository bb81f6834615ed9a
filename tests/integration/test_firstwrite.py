"""What is told before the first write: rights, providers, regions, names, soft-deleted namesakes, SKUs, quotas, images."""
import http.server
import json
import os
import threading
import time
import unittest

import support

STACK = """\
deployer: 1
stack: first
location: japaneast
azure: {subscription: "${env.AZURE_SUBSCRIPTION_ID}", resource_group: rg-first}
services:
  blob: {use: blob}
"""
POSTGRES = STACK.replace("blob: {use: blob}", "postgres: {use: postgres, with: {%s}}")
CATALOG_SERVICE = """\
format: 1
service: safe
title: Safe
main: vault
resources:
  vault:
    kind: key_vault
    name: "kv-${stack.name}"
    body:
      properties:
        tenantId: 00000000-0000-0000-0000-000000000001
        sku: {family: A, name: standard}
        enableRbacAuthorization: true
"""
VAULTS = STACK.replace("blob: {use: blob}", "safe: {use: safe}").replace("location:", "catalog: [catalog]\nlocation:")


def answer(path, body):
    return "faults:\n  - match: {path: '%s'}\n    do: {body: '%s'}\n" % (path, json.dumps(body))


class Case(unittest.TestCase):
    def sandbox(self, faults=None):
        self.box = support.Sandbox(faults=faults if faults is not None else "faults: []\n")
        self.addCleanup(self.box.__exit__)

    def stack(self, text=STACK):
        stack = support.Stack(self.box, text, "POSTGRES_PASSWORD=abcdefgh12345678\n")
        self.addCleanup(stack.__exit__)
        return stack

    def run_ok(self, stack, *args, status=0, env=None):
        done = stack.run(*args, env=env)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def checks(self, stack, *args):
        return json.loads(self.run_ok(stack, "plan", "-o", "json", *args).stdout)["checks"]

    def writes(self):
        return [r for r in self.box.requests() if r["method"] in ("PUT", "PATCH", "DELETE")]


class Rights(Case):
    def test_all_that_is_missing_is_told_at_once(self):
        self.sandbox("settings:\n  permissions:\n    actions: ['*']\n"
                     "    not_actions: ['Microsoft.Storage/*', Microsoft.Network/privateEndpoints/write]\n")
        stack = self.stack()
        missing = {f["action"] for f in self.checks(stack) if f["check"] == "permission"}
        self.assertEqual(missing, {
            "Microsoft.Storage/storageAccounts/write",
            "Microsoft.Storage/storageAccounts/blobServices/containers/write",
            "Microsoft.Storage/storageAccounts/privateEndpointConnectionsApproval/action",
            "Microsoft.Network/privateEndpoints/write"})
        done = self.run_ok(stack, "apply", "--yes", status=77)
        for action in missing:
            self.assertIn(action, done.stdout)
            self.assertIn(action, done.stderr)
        self.assertEqual(self.writes(), [])

    def test_a_key_that_is_read_and_role_assignments(self):
        self.sandbox("settings:\n  permissions:\n    actions: ['*']\n    not_actions: [Microsoft.Cache/*/action, "
                     "Microsoft.Authorization/*/write]\n")
        stack = self.stack(VAULTS.replace("safe: {use: safe}", "safe: {use: safe}"))
        os.makedirs(stack.path("catalog/services/safe"))
        stack.write("catalog/services/safe/service.yaml", CATALOG_SERVICE + """\
  cache:
    kind: redis_enterprise
    name: "c-${stack.name}"
    body: {sku: {name: Balanced_B0}, properties: {publicNetworkAccess: Enabled}}
  data:
    kind: redis_enterprise_database
    name: default
    parent: "${resource.cache.id}"
    body: {properties: {clientProtocol: Encrypted, port: 10000, clusteringPolicy: NoCluster, evictionPolicy: NoEviction, accessKeysAuthentication: Enabled}}
  key:
    kind: key_vault_secret
    name: key
    parent: "${resource.vault.id}"
    body: {properties: {value: "${resource.data.action.listKeys.primaryKey}"}}
  role:
    kind: role_assignment
    name: "${uuid5('x')}"
    on: "${resource.vault.id}"
    body: {properties: {roleDefinitionId: "/subscriptions/${azure.subscription}/providers/Microsoft.Authorization/roleDefinitions/4633458b-17de-408a-b874-0445c86b69e6", principalId: 00000000-0000-0000-0000-000000000009, principalType: ServicePrincipal}}
""")
        missing = {f["action"] for f in self.checks(stack) if f["check"] == "permission"}
        self.assertEqual(missing, {"Microsoft.Cache/redisEnterprise/databases/listKeys/action",
                                   "Microsoft.Authorization/roleAssignments/write"})

    def test_rights_that_cannot_be_read_fail_nothing(self):
        self.sandbox("faults:\n  - match: {path: '*/permissions'}\n    do: {status: 403, code: AuthorizationFailed}\n")
        stack = self.stack()
        notes = [f for f in self.checks(stack) if f["check"] == "permission"]
        self.assertEqual([f["severity"] for f in notes], ["note"])
        self.run_ok(stack, "apply", "--yes")

    def test_no_change_asks_nothing(self):
        self.sandbox()
        stack = self.stack()
        self.run_ok(stack, "apply", "--yes")
        before = len([r for r in self.box.requests() if "permissions" in r["path"]])
        self.assertEqual(self.checks(stack, "--detailed-exitcode"), [])
        self.assertEqual(len([r for r in self.box.requests() if "permissions" in r["path"]]), before)


class Providers(Case):
    def test_a_plan_says_and_an_apply_registers(self):
        self.sandbox()
        namespace = self.box.subscription + "/providers/Microsoft.Storage"
        self.assertEqual(self.box.call("POST", namespace + "/unregister", version="2021-04-01").status, 200)
        state = lambda: self.box.call("GET", namespace, version="2021-04-01").json["registrationState"]
        stack = self.stack()
        notes = [f for f in self.checks(stack) if f["check"] == "provider"]
        self.assertEqual([(f["provider"], f["severity"]) for f in notes], [("Microsoft.Storage", "note")])
        self.assertEqual(state(), "NotRegistered")
        self.run_ok(stack, "apply", "--yes")
        self.assertEqual(state(), "Registered")

    def test_a_region_that_is_not_offered(self):
        self.sandbox("faults:\n  - match: {path: '*/providers/Microsoft.Storage'}\n    do: {body: '%s'}\n" % json.dumps(
            {"registrationState": "Registered", "resourceTypes": [
                {"resourceType": "storageAccounts", "locations": ["West Europe"], "apiVersions": ["2026-04-01"]}]}))
        done = self.run_ok(self.stack(), "apply", "--yes", status=65)
        self.assertIn("storage account is not offered in japaneast", done.stderr)
        self.assertEqual(self.writes(), [])


    def test_a_region_that_has_nothing_is_one_finding(self):
        self.sandbox("faults: []\n")
        stack = self.stack(STACK.replace("japaneast", "japanest"))
        done = self.run_ok(stack, "apply", "--yes", status=65)
        self.assertEqual(done.stderr.count("region: "), 1, done.stderr)
        self.assertIn("resources are not offered in japanest: stack.group, ", done.stderr)


class Offers(Case):
    def test_a_name_that_is_taken(self):
        self.sandbox(answer("*/Microsoft.Storage/checkNameAvailability",
                            {"nameAvailable": False, "reason": "AlreadyExists", "message": "It is in use."}))
        done = self.run_ok(self.stack(), "apply", "--yes", status=65)
        self.assertIn("It is in use.", done.stderr)
        self.assertEqual(self.writes(), [])

    def test_skus(self):
        self.sandbox()
        stack = self.stack(POSTGRES % "tier: GeneralPurpose, sku: Standard_D2ds_v9")
        found = [f for f in self.checks(stack) if f["check"] == "sku"]
        self.assertIn("Standard_D2ds_v9 is not offered in japaneast (Standard_D2ds_v", found[0]["text"])
        stack.write("stack.yaml", POSTGRES % "tier: GeneralPurpose, sku: Standard_D2ds_v5, high_availability: ZoneRedundant")
        self.assertEqual(self.checks(stack), [])

    def test_storage_skus_and_restrictions(self):
        sku = {"resourceType": "storageAccounts", "name": "Standard_LRS", "kind": "StorageV2", "locations": ["japaneast"]}
        self.sandbox(answer("*/Microsoft.Storage/skus", {"value": [sku]}))
        stack = self.stack()
        self.assertEqual(self.checks(stack), [])
        sku["restrictions"] = [{"type": "Location", "values": ["japaneast"], "reasonCode": "NotAvailableForSubscription"}]
        self.box.set_faults(answer("*/Microsoft.Storage/skus", {"value": [sku]}))
        self.assertIn("NotAvailableForSubscription", [f["text"] for f in self.checks(stack)][0])
        self.box.set_faults(answer("*/Microsoft.Storage/skus", {"value": [dict(sku, locations=["westeurope"])]}))
        self.assertIn("Standard_LRS for StorageV2 is not offered in japaneast", [f["text"] for f in self.checks(stack)][0])

    def test_quota(self):
        usage = {"unit": "Count", "currentValue": 250, "limit": 250, "name": {"value": "StorageAccounts"}}
        self.sandbox(answer("*/Microsoft.Storage/locations/japaneast/usages", {"value": [usage]}))
        found = self.checks(self.stack())
        self.assertEqual([f["check"] for f in found], ["quota"])
        self.assertIn("250 of 250 are in use, 1 more", found[0]["text"])

    def test_a_closed_region_and_a_version(self):
        closed = [{"restricted": "Enabled", "reason": "No capacity.", "supportedServerVersions": [{"name": "15"}],
                   "supportedServerEditions": []}]
        self.sandbox(answer("*/capabilities", {"value": closed}))
        found = {f["check"]: f["text"] for f in self.checks(self.stack(POSTGRES % "version: 16"))}
        self.assertIn("No capacity.", found["region"])
        self.assertIn("PostgreSQL 16 is not offered", found["version"])

    def test_calls_that_a_cloud_lacks_fail_nothing(self):
        self.sandbox("faults:\n  - match: {path: '*/skus'}\n    do: {status: 404, code: NotFound}\n"
                     "  - match: {path: '*/usages'}\n    do: {status: 400, code: InvalidApiVersionParameter}\n")
        stack = self.stack()
        self.assertEqual({f["severity"] for f in self.checks(stack)}, {"note"})
        self.run_ok(stack, "apply", "--yes")

    def test_skip(self):
        self.sandbox(answer("*/Microsoft.Storage/checkNameAvailability", {"nameAvailable": False}))
        self.run_ok(self.stack(), "apply", "--yes", "--skip-checks")


class Buried(Case):
    def setUp(self):
        self.sandbox()
        self.vaults = self.stack(VAULTS)
        os.makedirs(self.vaults.path("catalog/services/safe"))
        self.vaults.write("catalog/services/safe/service.yaml", CATALOG_SERVICE)
        self.run_ok(self.vaults, "apply", "--yes")
        self.run_ok(self.vaults, "destroy", "--yes")
        listed = self.box.call("GET", self.box.subscription + "/providers/Microsoft.KeyVault/deletedVaults", version="2026-02-01")
        self.name = listed.json["value"][0]["name"]

    def deleted(self):
        return self.box.call("GET", self.box.subscription + "/providers/Microsoft.KeyVault/deletedVaults",
                             version="2026-02-01").json["value"]

    def test_it_is_recognised_before_the_first_write(self):
        before = len(self.writes())
        done = self.run_ok(self.vaults, "apply", "--yes", status=73)
        self.assertIn("--recover %s takes it back, --purge %s lets it go for good" % (self.name, self.name), done.stderr)
        self.assertEqual(len(self.writes()), before)

    def test_purge(self):
        self.run_ok(self.vaults, "apply", "--yes", "--purge", self.name)
        self.assertEqual(self.deleted(), [])
        self.run_ok(self.vaults, "plan", "--detailed-exitcode")

    def test_a_slow_purge_is_waited_for(self):
        self.box.stop()
        self.box.set_faults("settings: {purge_ms: 3000}\n")
        self.box.args += ["--faults", self.box.faults_file]
        self.box.start()
        began = time.monotonic()
        done = self.run_ok(self.vaults, "apply", "--yes", "--purge", self.name)
        self.assertGreater(time.monotonic() - began, 3)
        self.assertRegex(done.stderr, "purging {0}, which may take minutes\n.*{0} is gone for good, after [34]".format(self.name))
        looked = [r["path"] for r in self.box.requests() if "/deletedVaults" in r["path"]]
        purge = next(i for i, path in enumerate(looked) if "/purge" in path)
        self.assertIn(len(looked[purge + 1:]), (2, 3))  # every two seconds, until it is gone
        writes = self.box.requests()
        asked = max(i for i, r in enumerate(writes) if "/deletedVaults" in r["path"])
        made = next(i for i, r in enumerate(writes) if r["method"] == "PUT" and r["path"].endswith("/vaults/" + self.name)
                    and i > next(k for k, q in enumerate(writes) if "/purge" in q["path"]))
        self.assertGreater(made, asked)  # not before it is gone
        self.assertEqual(self.deleted(), [])
        self.run_ok(self.vaults, "plan", "--detailed-exitcode")

    def test_a_name_that_nothing_has_is_told(self):
        told = [f for f in self.checks(self.vaults, "--purge", self.name, "--recover", "kv-mistyped") if f["severity"] != "note"]
        self.assertEqual([(f["severity"], f["text"].split(":")[0]) for f in told], [("warning", "--recover kv-mistyped")])

    def test_recover(self):
        self.run_ok(self.vaults, "apply", "--yes", "--recover", self.name)
        self.assertEqual([r for r in self.box.requests() if "purge" in r["path"]], [])
        self.run_ok(self.vaults, "plan", "--detailed-exitcode")


class Registry(http.server.BaseHTTPRequestHandler):
    """A registry: one image for everybody with a token, one that needs a login, others unknown."""

    def do_HEAD(self):
        if self.path in ("/v2/public/app/manifests/1", "/v2/public/app/manifests/sha256:" + "0" * 64):
            if self.headers.get("Authorization") == "Bearer t":
                return self.reply(200)
            return self.reply(401, 'Bearer realm="http://%s/token",service="r",scope="repository:public/app:pull"'
                              % self.headers["Host"])
        if self.path.startswith("/v2/private/"):
            return self.reply(401, 'Basic realm="r"')
        return self.reply(404)

    def do_GET(self):
        body = b'{"token": "t"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def reply(self, status, challenge=None):
        self.send_response(status)
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class Images(Case):
    APP = """\
format: 1
service: app
title: App
main: app
inputs: {image: {type: string, required: true}}
needs: {env: {service: containers, implied: true}}
resources:
  app:
    kind: container_app
    name: app
    body:
      properties:
        environmentId: "${need.env.environment_id}"
        template: {containers: [{name: app, image: "${input.image}", resources: {cpu: 0.5, memory: 1Gi}}]}
"""

    def setUp(self):
        self.sandbox()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def found(self, image, *args):
        stack = self.stack(VAULTS.replace("safe: {use: safe}", "app: {use: app, with: {image: '%s'}}" % image))
        os.makedirs(stack.path("catalog/services/app"))
        stack.write("catalog/services/app/service.yaml", self.APP)
        return [(f["severity"], f["text"]) for f in self.checks(stack, *args) if f["check"] == "image"]

    def test_images(self):
        host = "127.0.0.1:%d" % self.server.server_port
        self.assertEqual(self.found(host + "/public/app:1", "--images", "check"), [])
        self.assertEqual(self.found(host + "/public/app@sha256:" + "0" * 64, "--images", "check"), [])
        self.assertEqual(self.found(host + "/public/app:1@sha256:" + "0" * 64, "--images", "check"), [])
        (severity, text), = self.found(host + "/public/app@sha256:" + "1" * 64, "--images", "check")
        self.assertEqual(severity, "error")
        (severity, text), = self.found(host + "/public/app:2", "--images", "check")
        self.assertEqual(severity, "error")
        self.assertIn("has no image", text)
        (severity, text), = self.found(host + "/private/app:1", "--images", "check")
        self.assertEqual(severity, "error")
        self.assertIn("can't be pulled without a login", text)
        self.assertEqual(self.found(host + "/public/app:2"), [])  # a sandbox pulls nothing

    def test_a_registry_that_the_stack_makes(self):
        """Nothing can be in it yet: that is no error."""
        stack = self.stack(VAULTS.replace("safe: {use: safe}", "app: {use: app}"))
        os.makedirs(stack.path("catalog/services/app"))
        stack.write("catalog/services/app/service.yaml", """\
format: 1
service: app
title: App
main: app
needs: {env: {service: containers, implied: true}}
resources:
  registry:
    kind: container_registry
    name: acrfirst
    body: {sku: {name: Basic}, properties: {adminUserEnabled: false}}
  ident: {kind: managed_identity, name: ident, body: {}}
  role:
    kind: role_assignment
    name: "${uuid5('pull')}"
    on: "${resource.registry.id}"
    body: {properties: {roleDefinitionId: "/subscriptions/${azure.subscription}/providers/Microsoft.Authorization/roleDefinitions/7f951dda-4ed3-4680-a7ca-43fe172d538d", principalId: "${resource.ident.properties.principalId}", principalType: ServicePrincipal}}
  app:
    kind: container_app
    name: app
    depends_on: [role]
    body:
      identity: {type: UserAssigned, userAssignedIdentities: "${map(resource.ident.id, {})}"}
      properties:
        environmentId: "${need.env.environment_id}"
        configuration: {registries: [{server: "${resource.registry.properties.loginServer}", identity: "${resource.ident.id}"}]}
        template: {containers: [{name: app, image: "${resource.registry.properties.loginServer}/app:1", resources: {cpu: 0.5, memory: 1Gi}}]}
""")
        found = [f for f in self.checks(stack, "--images", "check") if f["severity"] == "error"]
        self.assertEqual(found, [])

    def test_a_registry_out_of_reach_is_no_failure(self):
        (severity, text), = self.found("127.0.0.1:1/public/app:1", "--images", "check")
        self.assertEqual(severity, "note")
        self.assertIn("is not known", text)


class Refused(Case):
    def test_a_policy_is_named(self):
        self.sandbox("faults:\n  - match: {method: PUT, path: '*/storageAccounts/*'}\n    do: {status: 403, body: '%s'}\n" %
                     json.dumps({"error": {"code": "RequestDisallowedByPolicy", "message": "Disallowed.", "additionalInfo": [
                         {"type": "PolicyViolation", "info": {
                             "policyAssignmentDisplayName": "No public storage", "policyAssignmentId": "/p/assignments/a1",
                             "policyDefinitionId": "/p/definitions/d1", "evaluationDetails": {"evaluatedExpressions": [
                                 {"path": "properties.publicNetworkAccess", "expressionValue": "Disabled",
                                  "operator": "Equals", "targetValue": "Disabled"}]}}}]}}))
        done = self.run_ok(self.stack(), "apply", "--yes", status=1)
        for part in ("No public storage", "/p/assignments/a1", "/p/definitions/d1", "properties.publicNetworkAccess"):
            self.assertIn(part, done.stdout + done.stderr)

    def test_a_lock_is_named(self):
        self.sandbox()
        stack = self.stack()
        self.run_ok(stack, "apply", "--yes")
        group = self.box.subscription + "/resourceGroups/rg-first"
        self.assertIn(self.box.call("PUT", group + "/providers/Microsoft.Authorization/locks/keep",
                                    {"properties": {"level": "CanNotDelete"}}, "2020-05-01").status, (200, 201))
        done = self.run_ok(stack, "destroy", "--yes", "--skip-checks", status=1)
        self.assertIn("a lock on " + group.lower(), (done.stdout + done.stderr).lower())
        self.assertIn("az lock", done.stdout + done.stderr)


class Locks(Case):
    def lock(self, scope, level, name="keep", method="PUT"):
        done = self.box.call(method, self.box.subscription + scope + "/providers/Microsoft.Authorization/locks/" + name,
                             {"properties": {"level": level, "notes": "ask ops"}} if method == "PUT" else None, "2020-05-01")
        self.assertIn(done.status, (200, 201, 204))

    def locks(self, stack):
        return [f["text"] for f in self.checks(stack) if f["check"] == "lock"]

    def test_before_the_first_delete(self):
        self.sandbox()
        stack = self.stack()
        self.run_ok(stack, "apply", "--yes")
        vnet, = [r["path"] for r in self.writes() if "/virtualNetworks/" in r["path"] and "/subnets/" not in r["path"]
                 and "Microsoft.Authorization" not in r["path"]][-1:]
        before = len(self.writes())
        # of the subscription, of the group, of something in it: each is in the way of what it covers
        for scope, hit in (("", "stack.group"), ("/resourceGroups/rg-first", "stack.group"),
                           (vnet[len(self.box.subscription):], "network.vnet")):
            self.lock(scope, "CanNotDelete")
            written = len(self.writes())
            done = self.run_ok(stack, "destroy", "--yes", status=73)
            self.assertIn("nothing was deleted", done.stderr)
            self.assertIn("the lock keep (CanNotDelete: ask ops) on " + (self.box.subscription + scope), done.stderr)
            self.assertIn(hit, done.stderr)
            self.assertIn("az lock delete --ids", done.stderr)
            self.assertEqual(len(self.writes()), written)
            self.assertEqual(self.locks(stack), [])  # a plan without changes asks nothing
            self.lock(scope, "", method="DELETE")
        self.run_ok(stack, "destroy", "--yes")
        self.assertGreater(len(self.writes()), before)

    def test_read_only(self):
        self.sandbox()
        stack = self.stack()
        self.run_ok(stack, "apply", "--yes")
        self.lock("/resourceGroups/rg-first", "CanNotDelete")
        changed = STACK.replace("{use: blob}", "{use: blob, with: {containers: [langfuse, more]}}")
        stack.write("stack.yaml", changed)
        self.assertEqual(self.locks(stack), [])  # it only writes
        self.lock("/resourceGroups/rg-first", "ReadOnly", "frozen")
        text, = self.locks(stack)
        self.assertIn('blob.container["more"] can\'t be written: the lock frozen (ReadOnly: ask ops)', text)
        before = len(self.writes())
        self.run_ok(stack, "apply", "--yes", status=73)
        self.assertEqual(len(self.writes()), before)
        # a container that goes is told by both
        stack.write("stack.yaml", STACK.replace("{use: blob}", "{use: blob, with: {containers: [more]}}"))
        self.assertEqual(len(self.locks(stack)), 3)

    def test_a_lock_of_the_stack_itself(self):
        self.sandbox()
        stack = self.stack(VAULTS)
        os.makedirs(stack.path("catalog/services/safe"))
        stack.write("catalog/services/safe/service.yaml", CATALOG_SERVICE + """\
  lock:
    kind: management_lock
    name: keep
    on: "/subscriptions/${azure.subscription}/resourceGroups/${azure.resource_group}"
    body: {properties: {level: CanNotDelete}}
""")
        self.run_ok(stack, "apply", "--yes")
        self.run_ok(stack, "destroy", "--yes")
        deleted = [r["path"] for r in self.box.requests() if r["method"] == "DELETE"]
        self.assertIn("/locks/keep", deleted[0])  # it is on the group: nothing could go before it

    def test_rights_to_delete(self):
        self.sandbox()
        stack = self.stack()
        self.run_ok(stack, "apply", "--yes")
        self.box.set_faults("settings:\n  permissions: {actions: ['*'], not_actions: ['Microsoft.Network/*/delete']}\n")
        before = len(self.writes())
        done = self.run_ok(stack, "destroy", "--yes", status=77)
        for action in ("virtualNetworks/delete", "networkSecurityGroups/delete", "privateDnsZones/delete", "privateEndpoints/delete"):
            self.assertIn("Microsoft.Network/%s is not allowed" % action, done.stderr)
        self.assertEqual(len(self.writes()), before)
        done = self.run_ok(stack, "destroy", "--yes", "--skip-checks", status=1)
        self.assertIn("AuthorizationFailed", done.stdout)
        self.box.set_faults("settings: {}\n")
        done = self.run_ok(stack, "destroy", "--yes", "-o", "json")
        self.assertEqual(json.loads(done.stdout)["checks"], [])

    def test_locks_that_cannot_be_read_fail_nothing(self):
        self.sandbox("faults:\n  - match: {path: '*/locks'}\n    do: {status: 403, code: AuthorizationFailed}\n")
        stack = self.stack()
        self.assertEqual({f["severity"] for f in self.checks(stack)}, {"note"})
        self.run_ok(stack, "apply", "--yes")
        self.run_ok(stack, "destroy", "--yes")


class Local(Case):
    def test_ci_wants_a_local_state_named(self):
        self.sandbox()
        stack = self.stack()
        for verb in ("plan", "apply"):
            done = stack.run(verb, "--yes", env={"CI": "true"})
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("--state", done.stderr)
        self.assertEqual(self.writes(), [])
        self.run_ok(stack, "apply", "--yes", "--state", "here.json", env={"CI": "true"})


if __name__ == "__main__":
    unittest.main()
