"""The sandbox's control plane over HTTPS, as clients see it."""
import base64
import concurrent.futures
import hashlib
import json
import os
import shutil
import stat
import subprocess
import time
import unittest

from support import DEPLOYER, Sandbox, cli

RG = "2021-04-01"
NET = "2024-05-01"
DNS = "2020-06-01"
APP = "2025-07-01"
PG = "2025-08-01"
REDIS = "2025-07-01"
ST = "2025-08-01"
LAW = "2023-09-01"
KV = "2023-07-01"
VNET = {"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.1.0.0/16"]}}}


class Base(unittest.TestCase):
    latency, faults = 0, None

    def setUp(self):
        self.s = Sandbox(latency=self.latency, faults=self.faults)
        self.addCleanup(self.s.folder.cleanup)
        self.addCleanup(self.s.stop)
        self.group = self.s.subscription + "/resourceGroups/rg"
        self.assertEqual(self.s.call("PUT", self.group, {"location": "westeurope"}, RG).status, 201)

    def put(self, path, body, version, *statuses):
        answer = self.s.call("PUT", self.group + path, body, version)
        self.assertIn(answer.status, statuses or (200, 201, 202), answer.text)
        return answer

    def get(self, path, version, status=200):
        answer = self.s.call("GET", self.group + path, None, version)
        self.assertEqual(answer.status, status, answer.text)
        return answer.json

    def refused(self, answer, status, code):
        self.assertEqual((answer.status, answer.code), (status, code), answer.text)
        return answer


class Transport(Base):
    def test_tokens_metadata_and_openid_follow_the_host(self):
        tenant = self.s.info["tenant"]
        for host in ("localhost", "127.0.0.1"):
            base = "https://%s:%d" % (host, self.s.port)
            j = self.s.send("GET", "/%s/v2.0/.well-known/openid-configuration" % tenant, host=host).json
            self.assertEqual(j["issuer"], "%s/%s/v2.0" % (base, tenant))
            self.assertEqual(j["token_endpoint"], "%s/%s/oauth2/v2.0/token" % (base, tenant))
            self.assertIn("jwks_uri", j)
            j = self.s.send("GET", "/adfs/.well-known/openid-configuration", host=host).json
            self.assertEqual(j["token_endpoint"], base + "/adfs/oauth2/token")
            j = self.s.send("GET", "/metadata/endpoints?api-version=2015-01-01", host=host).json
            self.assertEqual(j["authentication"]["loginEndpoint"], base + "/adfs")
            self.assertEqual(self.s.send("GET", "/metadata/endpoints?api-version=2019-05-01").json[0]["name"], "AzureSandbox")

    def test_token_is_a_jwt_with_its_claims(self):
        j = self.s.login().json
        self.assertEqual(j["token_type"], "Bearer")
        claims = json.loads(base64.urlsafe_b64decode(j["access_token"].split(".")[1] + "=="))
        self.assertEqual(claims["tid"], self.s.info["tenant"])
        self.assertEqual(claims["appid"], self.s.info["client_id"])
        self.assertTrue(claims["oid"] and claims["exp"] > time.time())
        self.assertEqual(claims["aud"], "https://management.azure.com")

    def test_wrong_logins_are_refused(self):
        answer = self.s.login(client_secret="wrong")
        self.assertEqual((answer.status, answer.code), (401, "invalid_client"))
        self.assertIn("AADSTS7000215", answer.json["error_description"])
        self.assertEqual(self.s.login(grant_type="password").code, "unsupported_grant_type")
        self.assertEqual(self.s.login(client_id="nobody").code, "unauthorized_client")

    def test_every_call_needs_a_good_token(self):
        for headers in ({}, {"Authorization": "Bearer x.y.z"}, {"Authorization": "Basic eA=="}):
            answer = self.s.send("GET", self.group + "?api-version=" + RG, headers=headers)
            self.assertEqual(answer.status, 401)
            self.assertIn("Bearer authorization_uri=", answer.headers["WWW-Authenticate"])
            self.assertNotIn("claims", answer.headers["WWW-Authenticate"])

    def test_paths_are_forgiving(self):
        self.put("/providers/Microsoft.Network/virtualNetworks/v1", VNET, NET)
        path = self.group.replace("resourceGroups/rg", "RESOURCEGROUPS/%52G") + "//providers/microsoft.network//VIRTUALNETWORKS/V1"
        answer = self.s.call("GET", "/" + path, None, NET)
        self.assertEqual(answer.json["name"], "v1")
        self.assertEqual(answer.json["id"], self.group + "/providers/Microsoft.Network/virtualNetworks/v1")

    def test_ids_of_requests_come_back(self):
        answer = self.s.call("GET", self.group, None, RG, {"x-ms-correlation-request-id": "abc", "x-ms-client-request-id": "def"})
        self.assertEqual(answer.headers["x-ms-correlation-request-id"], "abc")
        self.assertEqual(answer.headers["x-ms-client-request-id"], "def")
        self.assertTrue(answer.headers["x-ms-request-id"] and answer.headers["x-ms-routing-request-id"])

    def test_errors_have_arms_form(self):
        answer = self.s.call("GET", self.group)
        self.refused(answer, 400, "MissingApiVersionParameter")
        self.assertEqual(answer.headers["Content-Type"], "application/json; charset=utf-8")
        self.refused(self.s.call("GET", self.group + "x", None, RG), 404, "ResourceGroupNotFound")
        self.refused(self.s.call("GET", "/subscriptions/11111111-1111-1111-1111-111111111111/resourcegroups", None, RG), 404, "SubscriptionNotFound")
        self.refused(self.s.call("GET", self.group + "/providers/Microsoft.Network/virtualNetworks/vnet", None, "1999-01-01"), 400, "NoRegisteredProviderFound")
        self.refused(self.s.call("GET", self.group + "/providers/Microsoft.Network/nothings/v", None, NET), 404, "InvalidResourceType")
        self.refused(self.s.call("GET", self.group + "/providers/No.Such/things/v", None, NET), 404, "InvalidResourceNamespace")
        answer = self.s.send("PUT", self.group + "?api-version=" + RG, '{"location":', {"Authorization": "Bearer " + self.s.token})
        self.refused(answer, 400, "InvalidRequestContent")

    def test_many_at_once(self):
        def one(i):
            return self.s.call("PUT", self.group + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-%d" % i, {"location": "westeurope"}, "2023-01-31").status
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            self.assertEqual(set(pool.map(one, range(60))), {201})

    def test_request_log_has_no_bodies(self):
        lines = self.s.requests()
        self.assertEqual(lines[-1]["method"], "PUT")
        self.assertEqual(lines[-1]["status"], 201)
        self.assertLessEqual(set(lines[-1]), {"t_ms", "method", "path", "api_version", "status", "client_request_id", "correlation_id"})

    def test_what_is_secret_is_private(self):
        for name in ("client-secret", "login.json", "ca-key.pem", "server-key.pem", "client.pem"):
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.s.dir, name)).st_mode), 0o600, name)


class Logins(Base):
    def assertion(self, key, header, claims, alg="RS256"):
        def b64(b):
            return base64.urlsafe_b64encode(b).rstrip(b"=").decode()
        text = b64(json.dumps(dict(header, alg=alg, typ="JWT")).encode()) + "." + b64(json.dumps(claims).encode())
        options = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"] if alg == "PS256" else []
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key, *options], input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
        return text + "." + b64(signature)

    def try_assertion(self, assertion):
        return self.s.login(client_secret=None, client_assertion=assertion,
                            client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer")

    @unittest.skipUnless(shutil.which("openssl"), "missing: openssl")
    def test_certificate(self):
        pem = self.s.info["client_certificate"]
        der = subprocess.run(["openssl", "x509", "-in", pem, "-outform", "DER"], stdout=subprocess.PIPE, check=True).stdout
        thumb = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
        me = self.s.info["client_id"]
        aud = "https://127.0.0.1:%d/%s/oauth2/v2.0/token" % (self.s.port, self.s.info["tenant"])
        good = {"aud": aud, "iss": me, "sub": me, "jti": "1", "nbf": int(time.time()), "exp": int(time.time()) + 600}
        for alg in ("RS256", "PS256"):
            answer = self.try_assertion(self.assertion(pem, {"x5t#S256": thumb}, good, alg))
            self.assertEqual(answer.status, 200, answer.text)
        for wrong, number in (({"exp": int(time.time()) - 3600}, "700024"), ({"aud": "https://elsewhere"}, "700023"), ({"sub": "x"}, "700021")):
            answer = self.try_assertion(self.assertion(pem, {"x5t#S256": thumb}, dict(good, **wrong)))
            self.assertEqual(answer.status, 401)
            self.assertIn("AADSTS" + number, answer.json["error_description"])
        broken = self.assertion(pem, {"x5t#S256": thumb}, good)
        self.assertIn("700027", self.try_assertion(broken[:-8] + "AAAAAAAA").json["error_description"])
        self.assertIn("700027", self.try_assertion(self.assertion(pem, {"x5t#S256": "AAAA"}, good)).json["error_description"])

    @unittest.skipUnless(shutil.which("openssl"), "missing: openssl")
    def test_federated_subject(self):
        key = os.path.join(self.s.dir, "issuer-key.pem")
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, stderr=subprocess.DEVNULL)
        subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-out", os.path.join(self.s.dir, "issuer.pem")], check=True, stderr=subprocess.DEVNULL)
        with open(os.path.join(self.s.dir, "logins.yaml"), "w") as f:
            f.write("federated:\n  - {issuer: https://ci.example, subject: repo:a/b, key: issuer.pem}\n")
        good = {"aud": "api://AzureADTokenExchange", "iss": "https://ci.example", "sub": "repo:a/b", "exp": int(time.time()) + 600}
        self.assertEqual(self.try_assertion(self.assertion(key, {}, good)).status, 200)
        self.assertIn("700213", self.try_assertion(self.assertion(key, {}, dict(good, sub="repo:a/c"))).json["error_description"])
        self.assertIn("700212", self.try_assertion(self.assertion(key, {}, dict(good, aud="x"))).json["error_description"])

    def test_token_runs_out(self):
        s = Sandbox(faults="settings: {token_lifetime_s: 1}\n")
        self.addCleanup(s.folder.cleanup)
        self.addCleanup(s.stop)
        self.assertEqual(s.call("GET", "/subscriptions", None, "2022-12-01").status, 200)
        time.sleep(1.2)
        self.refused(s.call("GET", "/subscriptions", None, "2022-12-01"), 401, "ExpiredAuthenticationToken")


class Rules(Base):
    def test_what_is_wrong_is_refused(self):
        net = "/providers/Microsoft.Network/virtualNetworks/"
        def try_put(path, body, version):
            return self.s.call("PUT", self.group + path, body, version)
        rows = [
            (net + "vnet", {"properties": VNET["properties"]}, NET, "LocationRequired"),
            (net + "vnet", dict(VNET, properties=dict(VNET["properties"], adressSpace=1)), NET, "InvalidRequestFormat"),
            (net + "vnet", {"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": "10.0.0.0/8"}}}, NET, "InvalidRequestFormat"),
            (net + "vnet", {"location": "westeurope", "properties": {}}, NET, "InvalidRequestFormat"),
            (net + "-vnet", VNET, NET, "InvalidResourceName"),
            (net + "vnet", dict(VNET, tags={"a": 1}), NET, "InvalidRequestContent"),
            (net + "vnet", dict(VNET, colour="red"), NET, "InvalidRequestFormat"),
            (net + "vnet", dict(VNET, properties=dict(VNET["properties"], subnets=[{"name": "a", "properties": {"addressPrefix": "10.9.0.0/24"}}])), NET, "NetcfgInvalidSubnet"),
            ("/providers/Microsoft.Network/privateDnsZones/example.com", {"location": "westeurope"}, DNS, "LocationNotAvailableForResourceType"),
            ("/providers/Microsoft.Storage/storageAccounts/Upper", {"location": "westeurope"}, ST, "AccountNameInvalid"),
            ("/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg-x", {"location": "westeurope", "sku": {"name": "x", "tier": "Cheap"}}, PG, "InvalidParameterValue"),
            ("/providers/Microsoft.App/containerApps/app", {"location": "westeurope", "properties": {"environmentId": self.group + "/providers/Microsoft.App/managedEnvironments/no", "template": {"containers": [{"name": "a", "image": "b"}]}}}, APP, "InvalidManagedEnvironment"),
            ("/providers/Microsoft.Cache/redisEnterprise/r", {"location": "westeurope", "sku": {"name": "Balanced_B0"}, "properties": {}}, REDIS, "BadRequest"),
        ]
        for path, body, version, code in rows:
            with self.subTest(code=code, path=path, body=body):
                self.refused(try_put(path, body, version), 400, code)
        self.assertEqual(self.get("/resources", RG)["value"], [])

    def test_parents_must_exist(self):
        answer = self.s.call("PUT", self.group + "/providers/Microsoft.Network/virtualNetworks/no/subnets/a", {"properties": {"addressPrefix": "10.1.0.0/24"}}, NET)
        self.refused(answer, 404, "ParentResourceNotFound")

    def test_what_is_immutable(self):
        self.put("/providers/Microsoft.Network/publicIPAddresses/p", {"location": "westeurope", "sku": {"name": "Standard"}, "properties": {"publicIPAddressVersion": "IPv4"}}, NET)
        answer = self.s.call("PUT", self.group + "/providers/Microsoft.Network/publicIPAddresses/p", {"location": "westeurope", "sku": {"name": "Standard"}, "properties": {"publicIPAddressVersion": "IPv6"}}, NET)
        self.refused(answer, 400, "PropertyChangeNotAllowed")
        answer = self.s.call("PUT", self.group + "/providers/Microsoft.Network/publicIPAddresses/p", {"location": "eastus"}, NET)
        self.refused(answer, 409, "InvalidResourceLocation")

    def test_read_only_values_in_a_body_are_ignored(self):
        path = "/providers/Microsoft.Network/publicIPAddresses/p"
        self.put(path, {"location": "westeurope"}, NET)
        shown = self.get(path, NET)
        shown["properties"]["ipAddress"] = "1.2.3.4"
        shown["tags"] = {"a": "b"}
        again = self.put(path, shown, NET).json
        self.assertNotEqual(again["properties"]["ipAddress"], "1.2.3.4")
        self.assertEqual(again["tags"], {"a": "b"})

    def test_network_children(self):
        net = "/providers/Microsoft.Network/virtualNetworks/vnet"
        body = json.loads(json.dumps(VNET))
        body["properties"]["subnets"] = [{"name": "a", "properties": {"addressPrefix": "10.1.0.0/24"}}]
        shown = self.put(net, body, NET).json
        self.assertEqual(shown["properties"]["subnets"][0]["id"], self.group + net + "/subnets/a")
        self.assertEqual(self.get(net + "/subnets/a", NET)["properties"]["privateEndpointNetworkPolicies"], "Disabled")
        self.put(net + "/subnets/b", {"properties": {"addressPrefix": "10.1.1.0/24"}}, NET)
        self.assertEqual([x["name"] for x in self.get(net, NET)["properties"]["subnets"]], ["a", "b"])
        self.refused(self.s.call("PUT", self.group + net + "/subnets/c", {"properties": {"addressPrefix": "10.1.1.128/25"}}, NET), 400, "NetcfgSubnetRangesOverlap")
        self.put(net, body, NET)
        self.get(net + "/subnets/b", NET, 404)

    def test_private_endpoint_writes_records(self):
        net, zone = "/providers/Microsoft.Network/virtualNetworks/vnet", "/providers/Microsoft.Network/privateDnsZones/privatelink.blob.core.windows.net"
        body = json.loads(json.dumps(VNET))
        body["properties"]["subnets"] = [{"name": "pe", "properties": {"addressPrefix": "10.1.0.0/24"}}]
        self.put(net, body, NET)
        account = "/providers/Microsoft.Storage/storageAccounts/stabc"
        self.put(account, {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}, ST)
        self.put(zone, {"location": "Global"}, DNS)
        self.assertEqual(self.get(zone, DNS)["location"], "global")
        endpoint = "/providers/Microsoft.Network/privateEndpoints/pe"
        connection = {"name": "c", "properties": {"privateLinkServiceId": self.group + account, "groupIds": ["blob"]}}
        answer = self.s.call("PUT", self.group + endpoint, {"location": "westeurope", "properties": {"subnet": {"id": self.group + net + "/subnets/pe"}, "privateLinkServiceConnections": [dict(connection, properties=dict(connection["properties"], groupIds=["nope"]))]}}, NET)
        self.assertEqual(answer.status, 400)
        shown = self.put(endpoint, {"location": "westeurope", "properties": {"subnet": {"id": self.group + net + "/subnets/pe"}, "privateLinkServiceConnections": [connection]}}, NET).json
        self.assertEqual(shown["properties"]["customDnsConfigs"], [{"fqdn": "stabc.blob.core.windows.net", "ipAddresses": ["10.1.0.4"]}])
        self.refused(self.s.call("DELETE", self.group + net + "/subnets/pe", None, NET), 400, "InUseSubnetCannotBeDeleted")
        self.put(endpoint + "/privateDnsZoneGroups/default", {"properties": {"privateDnsZoneConfigs": [{"name": "z", "properties": {"privateDnsZoneId": self.group + zone}}]}}, NET)
        record = self.get(zone + "/A/stabc", DNS)
        self.assertEqual(record["properties"]["aRecords"], [{"ipv4Address": "10.1.0.4"}])
        self.assertEqual([x["name"] for x in self.get(zone + "/ALL", DNS)["value"]], ["stabc", "@"])
        self.s.call("DELETE", self.group + endpoint, None, NET)
        self.get(zone + "/A/stabc", DNS, 404)

    def test_records(self):
        zone = "/providers/Microsoft.Network/privateDnsZones/example.com"
        self.put(zone, {"location": "global"}, DNS)
        answer = self.put(zone + "/A/DB", {"properties": {"ttl": 60, "aRecords": [{"ipv4Address": "10.0.0.1"}]}}, DNS, 201)
        self.assertEqual((answer.json["name"], answer.json["properties"]["fqdn"]), ("db", "db.example.com."))
        path = self.group + zone + "/A/db"
        body = {"properties": {"ttl": 61, "aRecords": [{"ipv4Address": "10.0.0.1"}]}}
        self.refused(self.s.call("PUT", path, body, DNS, {"If-None-Match": "*"}), 412, "PreconditionFailed")
        self.refused(self.s.call("PUT", path, body, DNS, {"If-Match": "x"}), 412, "PreconditionFailed")
        self.assertEqual(self.s.call("PUT", path, body, DNS, {"If-Match": answer.json["etag"]}).status, 200)
        self.put(zone + "/A/%2A", body, DNS, 201)
        self.assertEqual(self.get(zone, DNS)["properties"]["numberOfRecordSets"], 3)
        self.assertEqual(self.s.call("DELETE", path, None, DNS).status, 200)
        self.assertEqual(self.s.call("DELETE", path, None, DNS).status, 204)

    def test_secrets_are_never_shown(self):
        env = "/providers/Microsoft.App/managedEnvironments/env"
        self.put(env, {"location": "westeurope", "properties": {"appLogsConfiguration": {"destination": "log-analytics", "logAnalyticsConfiguration": {"customerId": "c", "sharedKey": "hush-1"}}}}, APP)
        app = "/providers/Microsoft.App/containerApps/app"
        def body(**secret):
            return {"location": "westeurope", "properties": {"environmentId": self.group + env, "configuration": {"secrets": [dict({"name": "s"}, **secret)], "ingress": {"external": True, "targetPort": 80}},
                    "template": {"containers": [{"name": "a", "image": "img", "env": [{"name": "S", "secretRef": "s"}]}]}}}
        self.refused(self.s.call("PUT", self.group + app, body(), APP), 400, "ContainerAppSecretInvalid")
        shown = self.put(app, body(value="hush-2"), APP).text + self.s.call("GET", self.group + env, None, APP).text
        self.assertNotIn("hush", shown)
        self.assertEqual(self.s.call("POST", self.group + app + "/listSecrets", None, APP).json, {"value": [{"name": "s", "value": "hush-2"}]})
        domain = self.get(env, APP)["properties"]["defaultDomain"]
        self.assertEqual(self.get(app, APP)["properties"]["configuration"]["ingress"]["fqdn"], "app." + domain)
        wrong = body(value="x")
        wrong["properties"]["template"]["containers"][0]["env"][0]["secretRef"] = "t"
        self.refused(self.s.call("PUT", self.group + app, wrong, APP), 400, "ContainerAppSecretRefNotFound")
        self.refused(self.s.call("DELETE", self.group + env, None, APP), 409, "ManagedEnvironmentHasContainerApps")
        self.assertEqual(self.s.call("PATCH", self.group + app, {"properties": {"template": {"scale": {"maxReplicas": 3}}}}, APP).status, 200)
        self.assertEqual(self.get(app, APP)["properties"]["template"]["containers"][0]["image"], "img")

    def test_postgres(self):
        pg = "/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg-x"
        body = {"location": "westeurope", "sku": {"name": "Standard_B1ms", "tier": "Burstable"}, "properties": {"administratorLogin": "lf", "administratorLoginPassword": "P4ss-w0rd!", "version": "16", "createMode": "Default", "storage": {"storageSizeGB": 64}}}
        self.put(pg, body, PG)
        shown = self.get(pg, PG)["properties"]
        self.assertNotIn("createMode", shown)
        self.assertNotIn("administratorLoginPassword", shown)
        self.assertEqual(shown["fullyQualifiedDomainName"], "pg-x.postgres.database.azure.com")
        self.assertEqual({x["name"] for x in self.get(pg + "/databases", PG)["value"]}, {"azure_maintenance", "azure_sys", "postgres"})
        self.put(pg + "/configurations/azure.extensions", {"properties": {"value": "VECTOR,pg_trgm", "source": "user-override"}}, PG)
        self.assertEqual(self.get(pg + "/configurations/azure.extensions", PG)["properties"]["source"], "user-override")
        self.refused(self.s.call("PUT", self.group + pg + "/configurations/azure.extensions", {"properties": {"value": "nope"}}, PG), 400, "InvalidParameterValue")
        self.put(pg + "/configurations/log_statement", {"properties": {"value": "all"}}, PG)
        body["properties"]["storage"]["storageSizeGB"] = 32
        self.refused(self.s.call("PUT", self.group + pg, body, PG), 400, "StorageSizeDecreaseNotAllowed")

    def test_keys(self):
        self.put("/providers/Microsoft.Storage/storageAccounts/stabc", {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}, ST)
        path = self.group + "/providers/Microsoft.Storage/storageAccounts/stabc"
        keys = self.s.call("POST", path + "/listKeys", None, ST).json["keys"]
        self.assertEqual([(k["keyName"], len(base64.b64decode(k["value"]))) for k in keys], [("key1", 64), ("key2", 64)])
        renewed = self.s.call("POST", path + "/regenerateKey", {"keyName": "key2"}, ST).json["keys"]
        self.assertEqual(renewed[0]["value"], keys[0]["value"])
        self.assertNotEqual(renewed[1]["value"], keys[1]["value"])
        self.put("/providers/Microsoft.OperationalInsights/workspaces/law1", {"location": "westeurope", "properties": {}}, LAW)
        shared = self.s.call("POST", self.group + "/providers/Microsoft.OperationalInsights/workspaces/law1/sharedKeys", None, LAW).json
        self.assertTrue(shared["primarySharedKey"])

    def test_lists_in_pages_and_filters(self):
        for i in range(5):
            self.put("/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-%d" % i, {"location": "westeurope", "tags": {"n": str(i)}}, "2023-01-31")
        path, names, pages = self.group + "/resources?$top=2&api-version=" + RG, [], 0
        while path:
            j = self.s.call("GET", path).json
            names += [x["name"] for x in j["value"]]
            pages += 1
            path = j.get("nextLink", "").replace("https://127.0.0.1:%d" % self.s.port, "")
        self.assertEqual((names, pages), (["id-%d" % i for i in range(5)], 3))
        j = self.get("/resources?$filter=tagName%20eq%20'n'%20and%20tagValue%20eq%20'3'&$expand=createdTime", RG)
        self.assertEqual([x["name"] for x in j["value"]], ["id-3"])
        self.assertIn("createdTime", j["value"][0])
        self.assertNotIn("properties", j["value"][0])

    def test_locks_roles_and_diagnostics(self):
        law = "/providers/Microsoft.OperationalInsights/workspaces/law1"
        self.put(law, {"location": "westeurope", "properties": {"sku": {"name": "PerGB2018"}}}, LAW)
        self.put("/providers/Microsoft.Authorization/locks/keep", {"properties": {"level": "CanNotDelete"}}, "2016-09-01")
        self.refused(self.s.call("DELETE", self.group + law, None, LAW), 409, "ScopeLocked")
        self.refused(self.s.call("DELETE", self.group, None, RG), 409, "ScopeLocked")
        self.assertEqual(self.s.call("DELETE", self.group + "/providers/Microsoft.Authorization/locks/keep", None, "2016-09-01").status, 200)
        role = self.s.subscription + "/providers/Microsoft.Authorization/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c"
        properties = {"roleDefinitionId": role, "principalId": "11111111-1111-1111-1111-111111111111", "principalType": "ServicePrincipal"}
        at = law + "/providers/Microsoft.Authorization/roleAssignments/"
        shown = self.put(at + "00000000-0000-0000-0000-00000000000a", {"properties": properties}, "2022-04-01", 201).json
        self.assertEqual(shown["properties"]["roleDefinitionId"], role[role.index("/providers/"):])
        self.put(at + "00000000-0000-0000-0000-00000000000a", {"properties": properties}, "2022-04-01", 200)
        self.refused(self.s.call("PUT", self.group + at + "00000000-0000-0000-0000-00000000000b", {"properties": properties}, "2022-04-01"), 409, "RoleAssignmentExists")
        other = dict(properties, principalId="22222222-2222-2222-2222-222222222222")
        self.refused(self.s.call("PUT", self.group + at + "00000000-0000-0000-0000-00000000000a", {"properties": other}, "2022-04-01"), 409, "RoleAssignmentUpdateNotPermitted")
        self.assertEqual(len(self.get(law + "/providers/Microsoft.Authorization/roleAssignments?$filter=atScope()", "2022-04-01")["value"]), 1)
        self.assertEqual(self.get("/providers/Microsoft.Authorization/permissions", "2022-04-01")["value"][0]["actions"], ["*"])

    def test_soft_delete(self):
        kv = "/providers/Microsoft.KeyVault/vaults/kv-one"
        body = {"location": "westeurope", "properties": {"tenantId": self.s.info["tenant"], "sku": {"family": "A", "name": "standard"}}}
        self.put(kv, body, KV)
        self.assertEqual(self.s.call("DELETE", self.group + kv, None, KV).status, 200)
        listed = self.s.call("GET", self.s.subscription + "/providers/Microsoft.KeyVault/deletedVaults", None, KV).json["value"]
        self.assertEqual([x["name"] for x in listed], ["kv-one"])
        self.refused(self.s.call("PUT", self.group + kv, body, KV), 409, "ConflictError")
        recover = json.loads(json.dumps(body))
        recover["properties"]["createMode"] = "recover"
        self.put(kv, recover, KV)
        self.s.call("DELETE", self.group + kv, None, KV)
        purge = self.s.subscription + "/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/kv-one/purge"
        self.assertIn(self.s.call("POST", purge, None, KV).status, (200, 202))
        self.put(kv, body, KV)
        law = "/providers/Microsoft.OperationalInsights/workspaces/law1"
        first = self.put(law, {"location": "westeurope", "properties": {}}, LAW).json["properties"]["customerId"]
        self.s.call("DELETE", self.group + law, None, LAW)
        self.assertEqual(self.put(law, {"location": "westeurope", "properties": {}}, LAW).json["properties"]["customerId"], first)
        self.s.call("DELETE", self.group + law + "?force=true", None, LAW)
        self.assertNotEqual(self.put(law, {"location": "westeurope", "properties": {}}, LAW).json["properties"]["customerId"], first)

    def test_names_that_are_taken(self):
        self.put("/providers/Microsoft.Storage/storageAccounts/stabc", {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}, ST)
        check = self.s.subscription + "/providers/Microsoft.Storage/checkNameAvailability"
        kind = "Microsoft.Storage/storageAccounts"
        self.assertEqual(self.s.call("POST", check, {"name": "stabc", "type": kind}, ST).json["reason"], "AlreadyExists")
        self.assertTrue(self.s.call("POST", check, {"name": "stother", "type": kind}, ST).json["nameAvailable"])
        self.s.call("PUT", self.s.subscription + "/resourceGroups/rg2", {"location": "westeurope"}, RG)
        answer = self.s.call("PUT", self.s.subscription + "/resourceGroups/rg2/providers/Microsoft.Storage/storageAccounts/stabc", {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}, ST)
        self.refused(answer, 409, "StorageAccountAlreadyTaken")

    def test_registration(self):
        ns = self.s.subscription + "/providers/Microsoft.Network"
        self.assertEqual(self.s.call("POST", ns + "/unregister", None, "2019-05-01").json["registrationState"], "NotRegistered")
        self.refused(self.s.call("PUT", self.group + "/providers/Microsoft.Network/virtualNetworks/vnet", VNET, NET), 409, "MissingSubscriptionRegistration")
        self.s.call("POST", ns + "/register", None, "2019-05-01")
        self.put("/providers/Microsoft.Network/virtualNetworks/vnet", VNET, NET)
        types = self.s.call("GET", ns, None, RG).json["resourceTypes"]
        self.assertIn("privateDnsZones/A", [t["resourceType"] for t in types])

    def test_restart_keeps_everything(self):
        path = "/providers/Microsoft.Network/publicIPAddresses/p"
        before = self.put(path, {"location": "westeurope", "tags": {"a": "b"}}, NET).json
        self.s.restart()
        self.assertEqual(self.get(path, NET), before)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.s.dir, "state.json")).st_mode), 0o600)

    def test_group_takes_all_with_it(self):
        self.put("/providers/Microsoft.Network/virtualNetworks/vnet", VNET, NET)
        self.assertEqual(self.s.call("HEAD", self.group, None, RG).status, 204)
        self.assertEqual(self.s.call("DELETE", self.group, None, RG).status, 200)
        self.assertEqual(self.s.call("HEAD", self.group, None, RG).status, 404)
        self.refused(self.s.call("DELETE", self.group, None, RG), 404, "ResourceGroupNotFound")


class Operations(Base):
    latency = 0.02

    def test_shapes(self):
        zone = self.put("/providers/Microsoft.Network/privateDnsZones/example.com", {"location": "global"}, DNS, 202)
        self.assertTrue(zone.headers["Azure-AsyncOperation"] and zone.headers["Location"])
        net = self.put("/providers/Microsoft.Network/virtualNetworks/vnet", VNET, NET, 201)
        self.assertIsNone(net.headers["Location"])
        self.assertEqual(net.headers["Retry-After"], "1")
        self.assertEqual(net.json["properties"]["provisioningState"], "Updating")
        account = self.put("/providers/Microsoft.Storage/storageAccounts/stabc", {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}, ST, 202)
        self.assertEqual(account.text, "")
        self.assertEqual(self.s.wait(account).json["name"], "stabc")
        self.assertEqual(self.s.wait(net).json["status"], "Succeeded")
        self.assertEqual(self.s.wait(zone).json["status"], "Succeeded")
        self.assertEqual(self.get("/providers/Microsoft.Network/virtualNetworks/vnet", NET)["properties"]["provisioningState"], "Succeeded")
        gone = self.s.call("DELETE", self.group + "/providers/Microsoft.Network/virtualNetworks/vnet", None, NET)
        self.assertEqual(gone.status, 202)
        self.assertEqual(self.s.wait(gone).status, 204)

    def test_operations_end_by_time(self):
        self.put("/providers/Microsoft.Network/virtualNetworks/vnet", VNET, NET)
        deadline = time.time() + 10
        while self.get("/providers/Microsoft.Network/virtualNetworks/vnet", NET)["properties"]["provisioningState"] != "Succeeded":
            self.assertLess(time.time(), deadline)
            time.sleep(0.05)

    def test_one_write_at_a_time(self):
        net = "/providers/Microsoft.Network/virtualNetworks/vnet"
        self.s.wait(self.put(net, VNET, NET))
        self.put(net + "/subnets/a", {"properties": {"addressPrefix": "10.1.0.0/24"}}, NET)
        answer = self.s.call("PUT", self.group + net + "/subnets/b", {"properties": {"addressPrefix": "10.1.1.0/24"}}, NET)
        self.refused(answer, 429, "RetryableError")
        self.assertTrue(answer.headers["Retry-After"])

    def test_a_restart_goes_on(self):
        answer = self.put("/providers/Microsoft.Network/virtualNetworks/vnet", VNET, NET)
        time.sleep(0.4)
        self.s.restart()
        self.assertEqual(self.s.wait(answer).json["status"], "Succeeded")


class Faults(Base):
    latency = 0.01
    faults = "faults: []\n"

    def script(self, text):
        time.sleep(0.02)  # another modification time
        self.s.set_faults(text)

    def test_answers_by_number(self):
        self.script("faults:\n  - {match: {method: GET, path: '*/virtualNetworks/*', nth: 2}, do: {status: 503, code: ServerBusy, headers: {Retry-After: 7}}}\n")
        path = "/providers/Microsoft.Network/virtualNetworks/vnet"
        self.get(path, NET, 404)
        answer = self.s.call("GET", self.group + path, None, NET)
        self.refused(answer, 503, "ServerBusy")
        self.assertEqual(answer.headers["Retry-After"], "7")
        self.get(path, NET, 404)

    def test_reset_cut_garbage_delay(self):
        self.script("faults:\n"
                    "  - {match: {path: '*/a'}, do: {reset: true}}\n"
                    "  - {match: {path: '*/b'}, do: {cut: true}}\n"
                    "  - {match: {path: '*/c'}, do: {body: '<html>'}}\n"
                    "  - {match: {path: '*/d'}, do: {delay: 400ms}}\n")
        net = self.group + "/providers/Microsoft.Network/virtualNetworks/"
        for name in "ab":
            with self.assertRaises(Exception):
                self.s.call("GET", net + name, None, NET)
        self.assertEqual(self.s.call("GET", net + "c", None, NET).text, "<html>")
        started = time.time()
        self.s.call("GET", net + "d", None, NET)
        self.assertGreaterEqual(time.time() - started, 0.35)

    def test_after_the_fact(self):
        self.script("faults:\n  - {match: {method: PUT, type: Microsoft.Network/publicIPAddresses, nth: 1}, do: {when: after, reset: true}}\n")
        with self.assertRaises(Exception):
            self.put("/providers/Microsoft.Network/publicIPAddresses/p", {"location": "westeurope"}, NET)
        self.get("/providers/Microsoft.Network/publicIPAddresses/p", NET)

    def test_operation_that_fails(self):
        self.script("faults:\n  - {match: {method: PUT, type: Microsoft.Network/virtualNetworks, nth: 1}, do: {lro: {duration: 100ms, code: QuotaExceeded, message: no more}}}\n")
        last = self.s.wait(self.put("/providers/Microsoft.Network/virtualNetworks/vnet", VNET, NET)).json
        self.assertEqual((last["status"], last["error"]), ("Failed", {"code": "QuotaExceeded", "message": "no more"}))
        self.assertEqual(self.get("/providers/Microsoft.Network/virtualNetworks/vnet", NET)["properties"]["provisioningState"], "Failed")
        last = self.s.wait(self.put("/providers/Microsoft.Network/virtualNetworks/vnet", VNET, NET)).json
        self.assertEqual(last["status"], "Succeeded")

    def test_lag(self):
        self.script("faults:\n  - {match: {method: PUT}, do: {lag: {get: 1500ms, list: 3s}}}\n")
        base = "/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
        self.put(base + "/id1", {"location": "westeurope"}, "2023-01-31")
        self.get(base + "/id1", "2023-01-31", 404)
        time.sleep(1.6)
        self.get(base + "/id1", "2023-01-31")
        self.assertEqual(self.get(base, "2023-01-31")["value"], [])
        time.sleep(1.6)
        self.assertEqual(len(self.get(base, "2023-01-31")["value"]), 1)

    def test_buckets(self):
        self.script("settings: {buckets: {reads: [3, 10], writes: [200, 10], deletes: [200, 10]}}\n")
        statuses = [self.s.call("GET", self.group, None, RG) for _ in range(6)]
        limited = [a for a in statuses if a.status == 429]
        self.assertTrue(limited)
        self.assertEqual(limited[0].code, "TooManyRequests")
        self.assertEqual(limited[0].headers["Retry-After"], "1")
        self.assertIsNotNone(statuses[0].headers["x-ms-ratelimit-remaining-subscription-reads"])

    def test_forms_of_retry_after(self):
        self.script("settings: {retry_after: date}\n")
        answer = self.put("/providers/Microsoft.Network/virtualNetworks/vnet", VNET, NET)
        self.assertIn("GMT", answer.headers["Retry-After"])


class Command(unittest.TestCase):
    def test_start_status_env_stop(self):
        import tempfile
        with tempfile.TemporaryDirectory(prefix="sandbox-test-") as folder:
            where = os.path.join(folder, "sb")
            started = cli("sandbox", "start", "--dir", where, "--services", "none", "-o", "json=" + os.path.join(folder, "out.json"))
            try:
                self.assertEqual(started.returncode, 0, started.stderr)
                self.assertIn("sandbox ready: https://127.0.0.1:", started.stdout)
                self.assertIn("already running", cli("sandbox", "start", "--dir", where).stdout)
                self.assertIn("0 resources", cli("sandbox", "status", "--dir", where).stdout)
                env = cli("sandbox", "env", "--sandbox-dir", where).stdout
                with open(os.path.join(where, "client-secret")) as f:
                    self.assertNotIn(f.read(), env)
                self.assertIn("ARM_RESOURCE_MANAGER_ENDPOINT=https://127.0.0.1:", env)
            finally:
                stopped = cli("sandbox", "stop", "--dir", where)
            self.assertEqual(stopped.returncode, 0, stopped.stderr)
            self.assertEqual(cli("sandbox", "status", "--dir", where).returncode, 66)
            self.assertEqual(cli("sandbox", "dance", "--dir", where).returncode, 64)
            self.assertEqual(cli("sandbox", "start", "--dir", where, "--services", "some").returncode, 1)


if __name__ == "__main__":
    unittest.main()
