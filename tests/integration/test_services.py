"""What the shipped services make of a stack: variables, edges, rules, what is somebody else's."""
import json
import os
import re
import subprocess
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEPLOYER = os.environ.get("DEPLOYER", os.path.join(TOP, "build", "release", "deployer"))
EXAMPLE = os.path.join(TOP, "examples", "langfuse")
GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/hub"
VNET = GROUP + "/providers/Microsoft.Network/virtualNetworks/hub"


def read(name):
    with open(os.path.join(EXAMPLE, name), encoding="utf-8") as file:
        return file.read()


def validate(edits, environment=None):
    """The example with texts replaced: exit status, documents by address, standard error."""
    text = read("stack.yaml")
    for old, new in edits:
        if old not in text:
            raise AssertionError("the example has no %r" % old)
        text = text.replace(old, new)
    with tempfile.TemporaryDirectory() as folder:
        stack = os.path.join(folder, "stack.yaml")
        with open(stack, "w", encoding="utf-8") as file:
            file.write(text)
        with open(os.path.join(folder, ".env"), "w", encoding="utf-8") as file:
            file.write(read(".env.example"))
        command = [DEPLOYER, "validate", stack, "--documents", "-o", "json"]
        command += ["-e", environment] if environment else []
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    found = json.loads(run.stdout).get("documents", []) if run.stdout else []
    return run.returncode, {one["address"]: one for one in found}, run.stderr


def template(resource):
    return resource["body"]["properties"]["template"]


def variables(resource):
    return {one["name"]: one for one in template(resource)["containers"][0]["env"]}


def of(names, prefix):
    return sorted(name for name in names if name.startswith(prefix))


class Services(unittest.TestCase):
    def expand(self, *edits, environment=None):
        status, documents, errors = validate(edits, environment)
        self.assertEqual(0, status, errors)
        return documents

    def test_redis_variables_follow_from_clustering(self):
        common = ["REDIS_AUTH", "REDIS_TLS_ENABLED", "REDIS_TLS_SERVERNAME", "REDIS_USERNAME"]
        rows = [
            ("NoCluster", ["REDIS_HOST", "REDIS_PORT"]),
            ("EnterpriseCluster", ["REDIS_HOST", "REDIS_KEY_PREFIX", "REDIS_PORT"]),
            ("OSSCluster", ["REDIS_CLUSTER_ENABLED", "REDIS_CLUSTER_NODES", "REDIS_CLUSTER_SLOTS_REFRESH_TIMEOUT"]),
        ]
        for clustering, wanted in rows:
            with self.subTest(clustering=clustering):
                found = self.expand(("clustering: NoCluster", "clustering: " + clustering))
                for app in ("langfuse.web", "langfuse.worker"):
                    self.assertEqual(sorted(common + wanted), of(variables(found[app]), "REDIS_"))
                self.assertEqual(clustering, found["redis.database"]["body"]["properties"]["clusteringPolicy"])

    def test_both_containers_agree(self):
        found = self.expand()
        web, worker = variables(found["langfuse.web"]), variables(found["langfuse.worker"])
        own = {"PORT", "DEPLOYER_SECRETS"}
        for name in set(web) & set(worker) - own:
            self.assertEqual(web[name], worker[name])
        needed = {"DATABASE_URL", "SALT", "ENCRYPTION_KEY", "CLICKHOUSE_URL", "LANGFUSE_S3_EVENT_UPLOAD_BUCKET",
                  "REDIS_HOST", "HOSTNAME", "NEXTAUTH_URL"}
        self.assertEqual(set(), needed - set(web))
        self.assertEqual(set(), needed - set(worker))

    def test_only_the_job_migrates(self):
        found = self.expand()
        for name in ("LANGFUSE_AUTO_POSTGRES_MIGRATION_DISABLED", "LANGFUSE_AUTO_CLICKHOUSE_MIGRATION_DISABLED"):
            self.assertEqual("true", variables(found["langfuse.web"])[name]["value"])
            self.assertEqual("false", variables(found["langfuse.migrate"])[name]["value"])
        job = template(found["langfuse.migrate"])["containers"][0]
        self.assertEqual(template(found["langfuse.web"])["containers"][0]["image"], job["image"])
        self.assertEqual(["true"], job["args"])
        # What the migrations don't read is no reason to run them again.
        self.assertEqual([], of(variables(found["langfuse.migrate"]), "REDIS_"))

    def test_no_credentials_in_clickhouse_urls(self):
        web = variables(self.expand()["langfuse.web"])
        self.assertEqual("http://clickhouse:8123", web["CLICKHOUSE_URL"]["value"])
        self.assertEqual("clickhouse://clickhouse:9000", web["CLICKHOUSE_MIGRATION_URL"]["value"])
        self.assertIn("secretRef", web["CLICKHOUSE_PASSWORD"])

    def test_clickhouse_in_one_document(self):
        found = self.expand()
        properties = found["clickhouse.app"]["body"]["properties"]
        ingress = properties["configuration"]["ingress"]
        self.assertEqual(("tcp", 9000, 9000), (ingress["transport"], ingress["targetPort"], ingress["exposedPort"]))
        self.assertEqual([8123], [one["exposedPort"] for one in ingress["additionalPortMappings"]])
        self.assertEqual({"minReplicas": 1, "maxReplicas": 1}, properties["template"]["scale"])
        account = found["clickhouse.account"]["body"]
        self.assertEqual("FileStorage", account["kind"])
        self.assertFalse(account["properties"]["supportsHttpsTrafficOnly"])
        share = found["clickhouse.share"]["body"]["properties"]
        self.assertEqual(("NFS", "NoRootSquash"), (share["enabledProtocols"], share["rootSquash"]))
        self.assertGreaterEqual(share["shareQuota"], 100)
        # A directory over users.d or config.d would hide or break the image's own files.
        for mount in properties["template"]["containers"][0]["volumeMounts"]:
            self.assertNotRegex(mount["mountPath"], r"(users|config)\.d/?$")

    def test_probes_give_minutes(self):
        found = self.expand()
        for app in ("langfuse.web", "langfuse.worker", "clickhouse.app"):
            probes = {one["type"]: one for one in template(found[app])["containers"][0]["probes"]}
            start = probes["Startup"]
            self.assertGreaterEqual(start["periodSeconds"] * start["failureThreshold"], 180, app)
            self.assertEqual({"Startup", "Readiness", "Liveness"}, set(probes))

    def test_subnets_follow_the_address_space(self):
        rows = [
            ("10.20.0.0/16", ["10.20.0.0/20", "10.20.16.0/20", "10.20.32.0/20"]),
            ("192.168.8.0/22", ["192.168.8.0/26", "192.168.8.64/26", "192.168.8.128/26"]),
            ("10.1.0.0/24", ["10.1.0.0/26", "10.1.0.64/26", "10.1.0.128/26"]),
        ]
        for space, wanted in rows:
            with self.subTest(space=space):
                found = self.expand(("address_space: 10.20.0.0/16", "address_space: " + space))
                subnets = found["network.vnet"]["body"]["properties"]["subnets"]
                self.assertEqual(wanted, [one["properties"]["addressPrefix"] for one in subnets])

    def test_what_is_somebody_elses_is_not_written(self):
        zone = GROUP + "/providers/Microsoft.Network/privateDnsZones/privatelink.redis.azure.net"
        found = self.expand(
            ("  address_space: 10.20.0.0/16", "  existing: {vnet: %s, apps: %s/subnets/a}" % (VNET, VNET)),
            ("redis: {use: redis,", "redis: {use: redis, existing: {zone: %s}," % zone),
        )
        for address in ("network.vnet", "network.apps", "redis.zone", "network.nsg_apps"):
            self.assertNotIn(address, found)
        # The subnets that are missing there are made, as resources of their own.
        self.assertIn("network.pe", found)
        self.assertIn("redis.link", found)
        vnet = found["containers.environment"]["body"]["properties"]["vnetConfiguration"]
        self.assertEqual(VNET + "/subnets/a", vnet["infrastructureSubnetId"])

    def test_gateway(self):
        plain = self.expand()["gateway.gateway"]["body"]["properties"]
        self.assertEqual(["Http"], [one["properties"]["protocol"] for one in plain["httpListeners"]])
        found = self.expand(environment="prod")
        secure = found["gateway.gateway"]["body"]["properties"]
        self.assertEqual(["Http", "Https"], [one["properties"]["protocol"] for one in secure["httpListeners"]])
        self.assertEqual(["https", "to-https"], [one["name"] for one in secure["requestRoutingRules"]])
        self.assertIn("gateway.role", found)
        probe = secure["probes"][0]["properties"]
        self.assertEqual("/api/public/health", probe["path"])
        self.assertTrue(probe["pickHostNameFromBackendHttpSettings"])

    def test_rules(self):
        rows = [
            ([("{insecure: true}", "{insecure: false}")], r":23:3: services\.gateway\.with\.certificate: TLS needs"),
            ([("scheme: http", "scheme: https")], r"services\.gateway\.with\.insecure: the backend takes"),
            ([("version: 16", "version: 14"), ("version: 3,", "version: 4,")],
             r"services\.langfuse\.with\.version: Langfuse 4 needs PostgreSQL 15"),
            ([("version: 3,", 'version: 4, tag: "3.225.4",')], r"services\.langfuse\.with\.tag: the tag is of another"),
            ([("clustering: NoCluster", "clustering: noCluster")], r"services\.redis\.with\.clustering: 'noCluster' is not one of"),
            ([("version: 16", "version: 16, tier: burstable")], r"services\.postgres\.with\.tier: 'burstable' is not one of"),
        ]
        for edits, wanted in rows:
            with self.subTest(wanted=wanted):
                status, _, errors = validate(edits)
                self.assertEqual(65, status)
                self.assertTrue(re.search(wanted, errors), errors)


if __name__ == "__main__":
    unittest.main()
