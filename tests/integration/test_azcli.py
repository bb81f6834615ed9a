"""Azure's own command line, unmodified (Debian's azure-cli 2.45), against the sandbox.

Each check stands alone: what az is not asked to make itself is put there by a plain request. Commands whose module
Debian's build cannot load (`az network vnet`, `private-dns link`) are asked as `az resource` or `az rest`.
"""
import base64
import json
import os
import shutil
import subprocess
import tempfile
import unittest

from support import Sandbox

GROUP = "azgroup"
PLACE = "westeurope"
NETWORK = "Microsoft.Network/virtualNetworks"
ZONE = "Microsoft.Network/privateDnsZones"
ENVIRONMENT = "Microsoft.App/managedEnvironments"
APP = "Microsoft.App/containerApps"
REDIS = "Microsoft.Cache/redisEnterprise"
POSTGRES = "Microsoft.DBforPostgreSQL/flexibleServers"
STORAGE = "Microsoft.Storage/storageAccounts"
SPACE = {"addressSpace": {"addressPrefixes": ["10.1.0.0/16"]}}


def app_body(environment):
    return {"managedEnvironmentId": environment, "workloadProfileName": "Consumption",
            "configuration": {"secrets": [{"name": "db-url", "value": "hidden-in-lists"}], "ingress": {"external": True, "targetPort": 3000}},
            "template": {"containers": [{"name": "web", "image": "docker.io/library/web:1", "resources": {"cpu": 1, "memory": "2Gi"},
                                         "env": [{"name": "DATABASE_URL", "secretRef": "db-url"}]}],
                         "scale": {"minReplicas": 1, "maxReplicas": 2}}}


@unittest.skipUnless(shutil.which("az"), "missing: azure-cli")
class AzureCli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.s = Sandbox(latency=0.001)
        cls.addClassCleanup(cls.s.__exit__)
        config = tempfile.TemporaryDirectory(prefix="azure-cli-")
        cls.addClassCleanup(config.cleanup)
        cls.env = {"PATH": os.environ["PATH"], "HOME": config.name, "LANG": "C.UTF-8", "AZURE_CONFIG_DIR": os.path.join(config.name, "azure"),
                   "AZURE_CORE_COLLECT_TELEMETRY": "false", "AZURE_CORE_NO_COLOR": "true", "REQUESTS_CA_BUNDLE": cls.s.info["ca"]}
        base = "https://localhost:%d" % cls.s.port
        cls.az("cloud", "register", "-n", "sandbox", "--endpoint-resource-manager", base, "--endpoint-management", base,
               "--endpoint-active-directory", base + "/adfs", "--endpoint-active-directory-resource-id", "https://management.azure.com/",
               "--endpoint-active-directory-graph-resource-id", base + "/", "--suffix-keyvault-dns", ".vault.localhost:%d" % cls.s.port,
               "--suffix-acr-login-server-endpoint", ".azurecr.io")
        cls.az("cloud", "set", "-n", "sandbox")
        with open(cls.s.info["client_secret"]) as f:
            cls.accounts = cls.az("login", "--service-principal", "-u", cls.s.info["client_id"], "-p", f.read(), "--tenant", cls.s.info["tenant"])
        cls.make("", GROUP, {"location": PLACE})

    @classmethod
    def run_az(cls, *args):
        return subprocess.run(["az", *args, "-o", "json"], env=cls.env, stdin=subprocess.DEVNULL, text=True, timeout=120,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    @classmethod
    def az(cls, *args):
        """What az printed, as JSON; that it ended well."""
        done = cls.run_az(*args)
        if done.returncode != 0:
            raise AssertionError("az %s: %d\n%s" % (" ".join(args[:4]), done.returncode, done.stderr))
        return json.loads(done.stdout) if done.stdout.strip() else None

    def refused(self, words, *args):
        done = self.run_az(*args)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertIn(words, done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    @classmethod
    def id(cls, kind, name):
        group = cls.s.subscription + "/resourceGroups/" + GROUP
        return "%s/providers/%s/%s" % (group, kind, name) if kind else cls.s.subscription + "/resourceGroups/" + name

    @classmethod
    def make(cls, kind, name, body, version="2021-04-01"):
        """A resource by a plain request; its id."""
        at = cls.id(kind, name)
        answer = cls.s.call("PUT", at, body, version=version)
        if answer.status not in (200, 201, 202):
            raise AssertionError(answer.text)
        if answer.headers["Azure-AsyncOperation"] or answer.headers["Location"]:
            cls.s.wait(answer)
        return at

    def network(self, name):
        return self.make(NETWORK, name, {"location": PLACE, "tags": {"made": "plainly"}, "properties": SPACE}, "2024-05-01")

    def environment(self, name):
        return self.make(ENVIRONMENT, name, {"location": PLACE, "properties": {
            "workloadProfiles": [{"name": "Consumption", "workloadProfileType": "Consumption"}]}}, "2025-07-01")

    def account(self, name):
        return self.make(STORAGE, name, {"location": PLACE, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "properties": {}}, "2023-05-01")

    def is_gone(self, at, version):
        return self.s.call("GET", at, version=version).status == 404

    # The login

    def test_login_finds_the_subscription(self):
        self.assertEqual([(a["id"], a["tenantId"], a["state"]) for a in self.accounts],
                         [(self.s.info["subscription"], self.s.info["tenant"], "Enabled")])
        self.assertEqual(self.az("account", "show")["user"], {"name": self.s.info["client_id"], "type": "servicePrincipal"})

    def test_wrong_secret(self):
        env, other = self.env, tempfile.TemporaryDirectory(prefix="azure-cli-")
        self.addCleanup(other.cleanup)
        shutil.copytree(env["AZURE_CONFIG_DIR"], os.path.join(other.name, "azure"))
        type(self).env = dict(env, AZURE_CONFIG_DIR=os.path.join(other.name, "azure"))
        try:
            self.refused("AADSTS7000215", "login", "--service-principal", "-u", self.s.info["client_id"], "-p", "wrong", "--tenant",
                         self.s.info["tenant"])
        finally:
            type(self).env = env

    def test_token_and_locations(self):
        token = self.az("account", "get-access-token")
        self.assertEqual((token["subscription"], token["tokenType"]), (self.s.info["subscription"], "Bearer"))
        self.assertIn(PLACE, [x["name"] for x in self.az("account", "list-locations")])

    # Groups

    def test_group_create_show_update(self):
        made = self.az("group", "create", "-n", "made", "-l", PLACE, "--tags", "a=b")
        self.assertEqual((made["properties"]["provisioningState"], made["tags"]), ("Succeeded", {"a": "b"}))
        self.assertEqual(self.az("group", "show", "-n", "MADE")["id"].lower(), made["id"].lower())
        self.assertEqual(self.az("group", "update", "-n", "made", "--set", "tags.c=d")["tags"], {"a": "b", "c": "d"})

    def test_group_list_by_tag(self):
        self.make("", "tagged", {"location": PLACE, "tags": {"of": "list"}})
        self.assertEqual([g["name"] for g in self.az("group", "list", "--tag", "of=list")], ["tagged"])
        self.assertLessEqual({"tagged", GROUP}, {g["name"] for g in self.az("group", "list")})

    def test_group_exists_and_delete(self):
        self.make("", "passing", {"location": PLACE})
        self.assertIs(self.az("group", "exists", "-n", "passing"), True)
        self.az("group", "delete", "-n", "passing", "--yes")
        self.assertIs(self.az("group", "exists", "-n", "passing"), False)
        self.refused("ResourceGroupNotFound", "group", "show", "-n", "passing")

    def test_group_wait(self):
        self.make("", "awaited", {"location": PLACE})
        self.az("group", "wait", "-n", "awaited", "--created", "--interval", "1", "--timeout", "20")
        self.az("group", "delete", "-n", "awaited", "--yes", "--no-wait")
        self.az("group", "wait", "-n", "awaited", "--deleted", "--interval", "1", "--timeout", "20")
        self.assertIs(self.az("group", "exists", "-n", "awaited"), False)

    # Generic commands

    def test_network_create(self):
        made = self.az("resource", "create", "-g", GROUP, "-n", "created", "--resource-type", NETWORK, "-l", PLACE, "--properties", json.dumps(
            dict(SPACE, subnets=[{"name": "inside", "properties": {"addressPrefix": "10.1.1.0/24"}}])))
        self.assertEqual((made["type"], made["properties"]["provisioningState"]), (NETWORK, "Succeeded"))
        subnet = self.az("resource", "show", "-g", GROUP, "--namespace", "Microsoft.Network", "--parent", "virtualNetworks/created",
                         "--resource-type", "subnets", "-n", "inside")
        self.assertEqual((subnet["name"], subnet["properties"]["addressPrefix"]), ("inside", "10.1.1.0/24"))

    def test_network_show(self):
        at = self.network("shown")
        for args in (["--ids", at], ["-g", GROUP, "-n", "shown", "--resource-type", NETWORK]):
            self.assertEqual(self.az("resource", "show", *args)["id"], at)

    def test_network_update(self):
        at = self.network("updated")
        self.az("resource", "update", "--ids", at, "--set", "properties.addressSpace.addressPrefixes=[\"10.2.0.0/16\"]")
        now = self.s.call("GET", at, version="2024-05-01").json
        self.assertEqual((now["properties"]["addressSpace"]["addressPrefixes"], now["tags"]), (["10.2.0.0/16"], {"made": "plainly"}))

    def test_network_tag(self):
        at = self.network("tagged")
        self.assertEqual(self.az("resource", "tag", "--ids", at, "--tags", "a=b")["tags"], {"a": "b"})
        self.assertEqual(self.az("resource", "tag", "--ids", at, "--tags", "c=d", "-i")["tags"], {"a": "b", "c": "d"})
        self.assertEqual([r["name"] for r in self.az("resource", "list", "--tag", "a=b")], ["tagged"])

    def test_network_list(self):
        self.network("listed")
        self.assertIn("listed", [r["name"] for r in self.az("resource", "list", "-g", GROUP, "--resource-type", NETWORK)])
        self.assertEqual([r["type"] for r in self.az("resource", "list", "-n", "listed")], [NETWORK])

    def test_network_wait(self):
        self.az("resource", "create", "-g", GROUP, "-n", "awaited", "--resource-type", NETWORK, "-l", PLACE, "--properties", json.dumps(SPACE))
        self.az("resource", "wait", "--ids", self.id(NETWORK, "awaited"), "--created", "--interval", "1", "--timeout", "20")

    def test_network_delete(self):
        at = self.network("deleted")
        self.az("resource", "delete", "--ids", at)
        self.assertTrue(self.is_gone(at, "2024-05-01"))
        self.refused("ResourceNotFound", "resource", "show", "--ids", at)

    def test_wrong_body(self):
        for prefix, code in (("10.1.0.0/99", "InvalidAddressPrefixFormat"), ("10.1.0.1/16", "InvalidCIDRNotation")):
            self.refused(code, "resource", "create", "-g", GROUP, "-n", "wrong", "--resource-type", NETWORK, "-l", PLACE,
                         "--properties", json.dumps({"addressSpace": {"addressPrefixes": [prefix]}}))

    def test_private_zone_with_link(self):
        self.network("resolving")
        zone = self.az("resource", "create", "-g", GROUP, "-n", "azure.example", "--resource-type", ZONE, "-l", "global", "--properties", "{}")
        self.assertEqual(zone["location"], "global")
        link = self.az("resource", "create", "-g", GROUP, "--namespace", "Microsoft.Network", "--parent", "privateDnsZones/azure.example",
                       "--resource-type", "virtualNetworkLinks", "-n", "link", "--is-full-object", "--properties", json.dumps({
                           "location": "global", "properties": {"registrationEnabled": False, "virtualNetwork": {"id": self.id(NETWORK, "resolving")}}}))
        self.assertEqual(link["properties"]["provisioningState"], "Succeeded")

    def test_private_zone_commands(self):
        self.make(ZONE, "records.example", {"location": "global"}, "2020-06-01")
        self.assertIn("records.example", [z["name"] for z in self.az("network", "private-dns", "zone", "list", "-g", GROUP)])
        made = self.az("network", "private-dns", "record-set", "a", "add-record", "-g", GROUP, "-z", "records.example", "-n", "db", "-a", "10.1.1.4")
        self.assertEqual([r["ipv4Address"] for r in made["aRecords"]], ["10.1.1.4"])

    def test_container_environment(self):
        made = self.az("resource", "create", "-g", GROUP, "-n", "env-created", "--resource-type", ENVIRONMENT, "-l", PLACE, "--properties", "{}")
        self.assertEqual(made["properties"]["provisioningState"], "Succeeded")
        self.assertIn(PLACE, made["properties"]["defaultDomain"])

    def test_container_app(self):
        environment = self.environment("env-of-app")
        made = self.az("resource", "create", "-g", GROUP, "-n", "web", "--resource-type", APP, "-l", PLACE,
                       "--properties", json.dumps(app_body(environment)))
        self.assertTrue(made["properties"]["configuration"]["ingress"]["fqdn"].startswith("web."))
        self.assertNotIn("hidden-in-lists", json.dumps(made))
        secrets = self.az("resource", "invoke-action", "--action", "listSecrets", "--ids", made["id"])
        self.assertIn("hidden-in-lists", json.dumps(secrets))

    def test_container_app_tag_and_delete(self):
        """`az resource tag` writes back what GET shows; the service refuses that when secrets are among it. A PATCH does not."""
        at = self.make(APP, "tagged-app", {"location": PLACE, "properties": app_body(self.environment("env-of-tagged"))}, "2025-07-01")
        self.refused("ContainerAppSecretInvalid", "resource", "tag", "--ids", at, "--tags", "a=b")
        self.rest("patch", at, "2025-07-01", {"tags": {"a": "b"}})
        self.az("resource", "wait", "--ids", at, "--created", "--interval", "1", "--timeout", "20")
        self.assertEqual(self.az("resource", "show", "--ids", at)["tags"], {"a": "b"})
        self.az("resource", "delete", "--ids", at)
        self.assertTrue(self.is_gone(at, "2025-07-01"))

    # Storage's own commands

    def test_storage_account_create(self):
        made = self.az("storage", "account", "create", "-g", GROUP, "-n", "azcreated", "-l", PLACE, "--sku", "Standard_LRS", "--kind", "StorageV2",
                       "--min-tls-version", "TLS1_2", "--allow-blob-public-access", "false")
        self.assertEqual((made["provisioningState"], made["sku"]["name"], made["minimumTlsVersion"]), ("Succeeded", "Standard_LRS", "TLS1_2"))
        self.assertIn("azcreated.blob.", made["primaryEndpoints"]["blob"])

    def test_storage_account_names_and_list(self):
        self.account("azlisted")
        self.assertIn("azlisted", [a["name"] for a in self.az("storage", "account", "list", "-g", GROUP)])
        self.assertEqual(self.az("storage", "account", "check-name", "-n", "azlisted")["reason"], "AlreadyExists")
        self.assertIs(self.az("storage", "account", "check-name", "-n", "azunknown")["nameAvailable"], True)

    def test_storage_keys(self):
        self.account("azkeys")
        keys = self.az("storage", "account", "keys", "list", "-g", GROUP, "-n", "azkeys")
        self.assertEqual([k["keyName"] for k in keys], ["key1", "key2"])
        self.assertEqual({len(base64.b64decode(k["value"])) for k in keys}, {64})
        renewed = self.az("storage", "account", "keys", "renew", "-g", GROUP, "-n", "azkeys", "--key", "primary")
        self.assertEqual([k["value"] == old["value"] for k, old in zip(renewed, keys)], [False, True])

    def test_storage_account_update_and_delete(self):
        at = self.account("azdeleted")
        self.assertEqual(self.az("storage", "account", "update", "-g", GROUP, "-n", "azdeleted", "--https-only", "true", "--tags", "a=b")["tags"],
                         {"a": "b"})
        self.az("storage", "account", "delete", "-g", GROUP, "-n", "azdeleted", "--yes")
        self.assertTrue(self.is_gone(at, "2023-05-01"))

    # az rest

    def rest(self, method, at, version, body=None):
        return self.az("rest", "--method", method, "--url", "%s?api-version=%s" % (at, version),
                       *([] if body is None else ["--body", json.dumps(body)]))

    def test_rest_redis(self):
        at = self.id(REDIS, "cache")
        self.rest("put", at, "2025-04-01", {"location": PLACE, "sku": {"name": "Balanced_B0"}, "properties": {"minimumTlsVersion": "1.2"}})
        self.az("resource", "wait", "--ids", at, "--created", "--interval", "1", "--timeout", "30")
        self.rest("put", at + "/databases/default", "2025-04-01", {"properties": {"port": 10000, "accessKeysAuthentication": "Enabled"}})
        self.az("resource", "wait", "--ids", at + "/databases/default", "--created", "--interval", "1", "--timeout", "30")
        self.assertEqual(set(self.rest("post", at + "/databases/default/listKeys", "2025-04-01")), {"primaryKey", "secondaryKey"})

    def test_rest_postgres(self):
        at = self.id(POSTGRES, "az-postgres")
        self.rest("put", at, "2025-08-01", {"location": PLACE, "sku": {"name": "Standard_B1ms", "tier": "Burstable"}, "properties": {
            "version": "16", "administratorLogin": "owner", "administratorLoginPassword": "P4ss-w0rd!x", "storage": {"storageSizeGB": 32}}})
        self.az("resource", "wait", "--ids", at, "--custom", "properties.state=='Ready'", "--interval", "1", "--timeout", "30")
        shown = self.rest("get", at, "2025-08-01")
        self.assertEqual(shown["properties"]["fullyQualifiedDomainName"], "az-postgres.postgres.database.azure.com")
        self.assertNotIn("P4ss-w0rd!x", json.dumps(shown))
        self.az("resource", "delete", "--ids", at)
        self.assertTrue(self.is_gone(at, "2025-08-01"))

    def test_rest_whole_url_and_error(self):
        listed = self.az("rest", "--method", "get", "--resource", "https://management.azure.com/", "--url",
                         "https://localhost:%d%s/resourcegroups?api-version=2021-04-01" % (self.s.port, self.s.subscription))
        self.assertIn(GROUP, [g["name"] for g in listed["value"]])
        self.refused("MissingApiVersionParameter", "rest", "--method", "get", "--url", self.s.subscription + "/resourceGroups")

    # Providers

    def test_registry(self):
        made = self.az("acr", "create", "-n", "azregistry1", "-g", GROUP, "--sku", "Basic")
        self.assertEqual((made["loginServer"], made["provisioningState"]), ("azregistry1.azurecr.io", "Succeeded"))
        self.assertEqual(self.az("acr", "list", "--query", "[].name"), ["azregistry1"])
        self.assertEqual(self.az("acr", "show", "-n", "azregistry1", "--query", "sku.name"), "Basic")

    def test_vault(self):
        """Made by a plain request: `az keyvault create` asks Graph for the caller, and there is none here."""
        self.make("Microsoft.KeyVault/vaults", "azvault1", {"location": PLACE, "properties": {
            "tenantId": self.s.info["tenant"], "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True}}, "2023-07-01")
        self.assertTrue(self.az("keyvault", "show", "-n", "azvault1")["properties"]["enableRbacAuthorization"])
        self.assertEqual(self.az("keyvault", "list", "--query", "[].name"), ["azvault1"])

    def test_tags(self):
        self.make("", "azgrouptags", {"location": PLACE, "tags": {"owner": "a"}})
        group = self.s.subscription + "/resourceGroups/azgrouptags"
        tags = lambda: self.az("tag", "list", "--resource-id", group)["properties"]["tags"]
        self.assertEqual(tags(), {"owner": "a"})
        self.az("tag", "update", "--resource-id", group, "--operation", "Merge", "--tags", "stage=dev")
        self.assertEqual(tags(), {"owner": "a", "stage": "dev"})
        self.az("tag", "update", "--resource-id", group, "--operation", "Delete", "--tags", "owner=a")
        self.assertEqual(tags(), {"stage": "dev"})
        self.assertIn("stage", [t["tagName"] for t in self.az("tag", "list")])

    def test_lock(self):
        self.make("", "azgrouplock", {"location": PLACE})
        self.az("lock", "create", "-n", "keep", "-g", "azgrouplock", "--lock-type", "CanNotDelete")
        self.assertEqual(self.az("lock", "list", "-g", "azgrouplock", "--query", "[].level"), ["CanNotDelete"])
        self.assertIn("ScopeLocked", self.run_az("group", "delete", "-n", "azgrouplock", "--yes").stderr)
        self.az("lock", "delete", "-n", "keep", "-g", "azgrouplock")

    def test_provider_register(self):
        self.az("provider", "register", "-n", "Microsoft.App", "--wait")
        shown = self.az("provider", "show", "-n", "Microsoft.App")
        self.assertEqual(shown["registrationState"], "Registered")
        self.assertLess({"managedEnvironments", "containerApps"}, {t["resourceType"] for t in shown["resourceTypes"]})
        self.assertIn("Microsoft.Network", [p["namespace"] for p in self.az("provider", "list")])


if __name__ == "__main__":
    unittest.main()
