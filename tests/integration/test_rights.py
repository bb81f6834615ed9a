"""Rights that the sandbox enforces, and what the program says before it runs into them."""
import base64
import json
import os
import subprocess
import unittest

import support
from test_firstwrite import Case, STACK

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
OPERATOR = "f1a07417-d97a-45cb-824c-7a7467783830"
REDIS = STACK.replace("blob: {use: blob}", "redis: {use: redis}")
OWN = STACK.replace("blob: {use: blob}", "own: {use: own}").replace("location:", "catalog: [catalog]\nlocation:")


def settings(**values):
    return "settings: %s\n" % json.dumps(values)


def permissions(*rows):
    return settings(permissions=list(rows))


class Rights(Case):
    def group(self, name="rg"):
        path = self.box.subscription + "/resourceGroups/" + name
        self.assertIn(self.box.call("PUT", path, {"location": "japaneast"}, "2021-04-01").status, (200, 201))
        return path

    def assign(self, scope, role, principal, name):
        return self.box.call("PUT", "%s/providers/Microsoft.Authorization/roleAssignments/00000000-0000-0000-0000-%012d" % (scope, name),
                             {"properties": {"principalId": principal, "principalType": "ServicePrincipal", "roleDefinitionId":
                              self.box.subscription + "/providers/Microsoft.Authorization/roleDefinitions/" + role}}, "2022-04-01")

    def refused(self, answer, code, *texts):
        self.assertEqual((answer.status, answer.code), (403, code), answer.text)
        for text in texts:
            self.assertIn(text, answer.message)


class Enforced(Rights):
    def test_actions(self):
        self.sandbox("settings: {}\n")
        group = self.group()
        account = group + "/providers/Microsoft.Storage/storageAccounts/strights"
        body = {"location": "japaneast", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": {}}
        self.assertIn(self.box.call("PUT", account, body, "2026-04-01").status, (200, 201, 202))
        self.box.set_faults(permissions({"actions": ["*/read", "Microsoft.Storage/*"], "not_actions": ["Microsoft.Storage/*/listKeys/action"]}))
        self.assertEqual(self.box.call("GET", account, version="2026-04-01").status, 200)
        self.assertIn(self.box.call("PUT", account, body, "2026-04-01").status, (200, 202))
        self.refused(self.box.call("POST", account + "/listKeys", version="2026-04-01"), "AuthorizationFailed",
                     "does not have authorization to perform action 'Microsoft.Storage/storageAccounts/listKeys/action' over scope '%s' "
                     "or the scope is invalid. If access was recently granted, please refresh your credentials." % account)
        self.refused(self.box.call("PUT", group, {"location": "japaneast"}, "2021-04-01"), "AuthorizationFailed",
                     "'Microsoft.Resources/subscriptions/resourceGroups/write'")
        self.refused(self.box.call("POST", self.box.subscription + "/providers/Microsoft.App/register", version="2021-04-01"),
                     "AuthorizationFailed", "'Microsoft.App/register/action'")
        # another role gives what the first takes away; a scope's row holds at it and nowhere else
        self.box.set_faults(permissions({"actions": ["*"], "not_actions": ["*/listKeys/action"]},
                                        {"scope": "*/storageaccounts/strights", "actions": ["*/listKeys/action"]}))
        self.assertEqual(self.box.call("POST", account + "/listKeys", version="2026-04-01").status, 200)
        shown = self.box.call("GET", group + "/providers/Microsoft.Authorization/permissions", version="2022-04-01").json["value"]
        self.assertEqual([(p["actions"], p["notActions"]) for p in shown], [(["*"], ["*/listKeys/action"])])
        # nothing is allowed, so nothing is listed
        self.box.set_faults(permissions())
        self.refused(self.box.call("GET", account, version="2026-04-01"), "AuthorizationFailed", "storageAccounts/read")
        self.assertEqual(self.box.call("GET", self.box.subscription + "/resourcegroups", version="2021-04-01").json["value"], [])

    def test_linked_scopes(self):
        self.sandbox("settings: {}\n")
        group, hub = self.group(), self.group("hub")
        vnet = hub + "/providers/Microsoft.Network/virtualNetworks/vnet"
        self.assertEqual(201, self.box.call("PUT", vnet, {"location": "japaneast", "properties": {
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
            "subnets": [{"name": "s", "properties": {"addressPrefix": "10.0.0.0/24"}}]}}, "2025-09-01").status)
        self.box.set_faults(permissions({"actions": ["*"], "not_actions": ["*/join/action"]}))
        self.refused(self.box.call("PUT", group + "/providers/Microsoft.App/managedEnvironments/env", {
            "location": "japaneast", "properties": {"vnetConfiguration": {"infrastructureSubnetId": vnet + "/subnets/s"}}}, "2026-01-01"),
            "LinkedAuthorizationFailed", "has permission to perform action 'Microsoft.App/managedEnvironments/write' on scope",
            "it does not have permission to perform action(s) 'Microsoft.Network/virtualNetworks/subnets/join/action' on the linked "
            "scope(s) '%s/subnets/s' (respectively) or the linked scope(s) are invalid." % vnet)

    def identity(self, group):
        """An identity, and a token for it by its federated credential."""
        path = group + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ident"
        made = self.box.call("PUT", path, {"location": "japaneast"}, "2024-11-30").json["properties"]
        self.assertIn(self.box.call("PUT", path + "/federatedIdentityCredentials/pipeline", {"properties": {
            "issuer": "https://ci.example", "subject": "a", "audiences": ["api://AzureADTokenExchange"]}}, "2024-11-30").status, (200, 201))
        parts = [{"alg": "RS256", "typ": "JWT"}, {"iss": "https://ci.example", "sub": "a", "aud": "api://AzureADTokenExchange",
                                                   "exp": 4102444800, "iat": 0, "nbf": 0}]
        text = ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts) + ".AAAA"
        answer = self.box.login(client_id=made["clientId"], client_secret=None, client_assertion=text, client_assertion_type=ASSERTION)
        self.assertEqual(answer.status, 200, answer.text)
        return made["principalId"], {"Authorization": "Bearer " + answer.json["access_token"]}

    def test_an_identity_has_what_it_was_given(self):
        self.sandbox("settings: {}\n")
        group, other = self.group(), self.group("other")
        principal, token = self.identity(group)
        ask = lambda method, path, body=None: self.box.call(method, path, body, "2024-11-30", headers=token)
        ident = group + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/"
        self.refused(ask("GET", ident + "ident"), "AuthorizationFailed", "with object id '%s'" % principal)
        self.assertEqual(self.assign(group, READER, principal, 1).status, 201)
        self.assertEqual(ask("GET", ident + "ident").status, 200)
        self.refused(ask("PUT", ident + "more", {"location": "japaneast"}), "AuthorizationFailed", "userAssignedIdentities/write")
        self.refused(ask("GET", other), "AuthorizationFailed", "resourceGroups/read")
        # a role of one's own, at the subscription
        role = "99999999-0000-0000-0000-000000000001"
        self.assertEqual(self.box.call("PUT", "%s/providers/Microsoft.Authorization/roleDefinitions/%s" % (self.box.subscription, role), {
            "properties": {"roleName": "Namer", "assignableScopes": [self.box.subscription],
                           "permissions": [{"actions": ["Microsoft.ManagedIdentity/*"], "notActions": ["*/delete"]}]}}, "2022-04-01").status, 201)
        self.assertEqual(self.assign(self.box.subscription, role, principal, 2).status, 201)
        self.assertIn(ask("PUT", ident + "more", {"location": "japaneast"}).status, (200, 201))
        self.refused(ask("DELETE", ident + "more"), "AuthorizationFailed", "userAssignedIdentities/delete")

    def test_data_actions(self):
        self.sandbox("settings: {}\n")
        group = self.group()
        self.assertIn(self.box.call("PUT", group + "/providers/Microsoft.KeyVault/vaults/kv-rights", {"location": "japaneast", "properties": {
            "tenantId": self.box.info["tenant"], "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True}},
            "2026-02-01").status, (200, 201))
        ask = lambda method, body=None: self.box.call(method, "/secrets/key", body, "7.4", {"Host": "kv-rights.vault.localhost:%d" % self.box.port})
        self.assertEqual(ask("PUT", {"value": "v"}).status, 200)
        self.box.set_faults(permissions({"actions": ["*"], "data_actions": ["Microsoft.KeyVault/vaults/secrets/*"],
                                         "not_data_actions": ["*/setSecret/action"]}))
        self.assertEqual(ask("GET").json["value"], "v")
        done = ask("PUT", {"value": "w"})
        self.assertEqual((done.status, done.json["error"]["innererror"]["code"]), (403, "ForbiddenByRbac"))
        self.assertIn("Action: 'Microsoft.KeyVault/vaults/secrets/setSecret/action'", done.message)
        self.box.set_faults(permissions({"actions": ["*"]}))  # an owner, who may not read a secret
        self.assertEqual(ask("GET").status, 403)

    def test_tags_by_themselves(self):
        self.sandbox("settings: {}\n")
        group = self.group()
        at = group + "/providers/Microsoft.Resources/tags/default"
        ask = lambda method, body=None: self.box.call(method, at, body, "2021-04-01")
        patch = lambda operation, **tags: ask("PATCH", {"operation": operation, "properties": {"tags": tags}}).json["properties"]["tags"]
        self.assertEqual(ask("GET").json["properties"]["tags"], {})
        self.assertEqual(patch("Merge", a="1", b="2"), {"a": "1", "b": "2"})
        self.assertEqual(patch("Delete", a="1", b="other"), {"b": "2"})
        self.assertEqual(ask("PUT", {"properties": {"tags": {"c": "3"}}}).json["properties"]["tags"], {"c": "3"})
        self.assertEqual(self.box.call("GET", group, version="2021-04-01").json["tags"], {"c": "3"})
        self.box.set_faults(permissions({"actions": ["*/read"]}))
        self.refused(ask("DELETE"), "AuthorizationFailed", "Microsoft.Resources/tags/write")

    def test_role_definitions(self):
        self.sandbox("settings: {}\n")
        path = self.box.subscription + "/providers/Microsoft.Authorization/roleDefinitions"
        found = self.box.call("GET", path + "?$filter=roleName%20eq%20'Managed%20Identity%20Operator'", version="2022-04-01").json["value"]
        self.assertEqual([r["name"] for r in found], [OPERATOR])
        one = self.box.call("GET", path + "/" + READER, version="2022-04-01").json
        self.assertEqual((one["properties"]["roleName"], one["properties"]["permissions"][0]["actions"]), ("Reader", ["*/read"]))
        self.assertGreater(len(self.box.call("GET", path, version="2022-04-01").json["value"]), 15)


class Told(Rights):
    def test_a_plan_with_too_few_rights_goes_on(self):
        self.sandbox("settings: {}\n")
        stack = self.stack(REDIS.replace("services:", "services:\n  blob: {use: blob}"))
        self.run_ok(stack, "apply", "--yes")
        stack.write("stack.yaml", REDIS.replace("services:", "services:\n  blob: {use: blob, with: {containers: [langfuse, more]}}"))
        self.box.set_faults(permissions({"actions": ["*/read"], "not_actions": ["Microsoft.Cache/*/read", "Microsoft.Network/privateDnsZones/*"]}))
        done = self.run_ok(stack, "plan")
        self.assertIn("not compared", done.stdout)
        self.assertIn("Microsoft.Cache/redisEnterprise/read", done.stdout)
        plan = json.loads(self.run_ok(stack, "plan", "-o", "json").stdout)
        action = {a["address"]: a["action"] for a in plan["actions"]}
        self.assertEqual((action["redis.cluster"], action['blob.container["more"]'], action["network.vnet"]), ("unknown", "create", "none"))
        missing = {f["action"] for f in plan["checks"] if f["check"] == "permission" and f["severity"] == "error"}
        self.assertEqual(missing, {"Microsoft.Storage/storageAccounts/blobServices/containers/write"})
        before = len(self.writes())
        self.run_ok(stack, "apply", "--yes", status=77)
        self.assertEqual(len(self.writes()), before)

        # What may be done is done, and what may not be looked at is no success.
        self.box.set_faults(permissions({"actions": ["*"], "not_actions": ["Microsoft.Cache/*/read"]}))
        done = self.run_ok(stack, "apply", "--yes", status=77)
        self.assertIn("1 created", done.stdout)
        self.assertRegex(done.stderr, "[0-9]+ of the stack's resources may not be read and were not compared")

    def test_a_right_that_is_given_at_the_resource(self):
        self.sandbox("settings: {}\n")
        hub = self.group("hub")
        vnet = hub + "/providers/Microsoft.Network/virtualNetworks/vnet"
        self.assertEqual(201, self.box.call("PUT", vnet, {"location": "japaneast", "properties": {
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
            "subnets": [{"name": "s", "properties": {"addressPrefix": "10.0.0.0/23", "delegations": [
                {"name": "d", "properties": {"serviceName": "Microsoft.App/environments"}}]}}]}}, "2025-09-01").status)
        stack = self.stack(OWN)
        os.makedirs(stack.path("catalog/services/own"))
        stack.write("catalog/services/own/service.yaml", """\
format: 1
service: own
title: Own
main: env
resources:
  ident: {kind: managed_identity, name: ident, body: {}}
  env:
    kind: managed_environment
    name: env
    body:
      identity: {type: UserAssigned, userAssignedIdentities: "${map(resource.ident.id, {})}"}
      properties: {vnetConfiguration: {infrastructureSubnetId: "%s/subnets/s"}, workloadProfiles: [{name: Consumption, workloadProfileType: Consumption}]}
""" % vnet)
        missing = lambda: {(f["action"], f["scope"]) for f in self.checks(stack) if f["check"] == "permission"}
        join, assign = "Microsoft.Network/virtualNetworks/subnets/join/action", "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
        self.assertEqual(missing(), set())
        most = {"actions": ["*"], "not_actions": ["*/join/action", "*/assign/action"]}
        self.box.set_faults(permissions(most))
        self.assertEqual(missing(), {(join, hub), (assign, self.box.subscription)})
        self.run_ok(stack, "apply", "--yes", status=77)
        # given at the subnet itself: only a question there tells
        at_subnet = {"scope": "*/subnets/s", "actions": ["*/join/action"]}
        assigning = {"actions": ["Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action"]}
        self.box.set_faults(permissions(most, at_subnet, assigning))
        self.assertEqual(missing(), set())
        self.run_ok(stack, "apply", "--yes")

    def test_by_role_assignments_alone(self):
        self.sandbox("settings: {}\n")
        stack = self.stack()
        group = self.group("rg-first")
        own = self.box.call("GET", group, version="2021-04-01")
        self.assertEqual(own.status, 200)
        token = json.loads(base64.urlsafe_b64decode(self.box.token.split(".")[1] + "=="))
        self.assertEqual(self.assign(self.box.subscription, READER, token["oid"], 1).status, 201)
        self.box.set_faults(settings(permissions="assigned"))
        missing = {f["action"] for f in self.checks(stack, "--take-over") if f["check"] == "permission"}
        self.assertIn("Microsoft.Network/virtualNetworks/write", missing)
        self.refused(self.box.call("PUT", group, {"location": "japaneast"}, "2021-04-01"), "AuthorizationFailed", "resourceGroups/write")


if __name__ == "__main__":
    unittest.main()
