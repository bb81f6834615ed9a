"""What services do to a document that they were sent is no change, and what looks like it but isn't is
one: row by row, through `deployer diff`, as the kinds and the general rules know it.
"""
import json
import os
import subprocess
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEPLOYER = os.environ.get("DEPLOYER", os.path.join(TOP, "build", "release", "deployer"))

S = "/subscriptions/00000000-0000-0000-0000-000000000001"
RG = S + "/resourceGroups/rg/providers/"
APP = "Microsoft.App/containerApps"
ENV = "Microsoft.App/managedEnvironments"
JOB = "Microsoft.App/jobs"
REDIS = "Microsoft.Cache/redis"
AMR = "Microsoft.Cache/redisEnterprise"
AMR_DB = "Microsoft.Cache/redisEnterprise/databases"
PG = "Microsoft.DBforPostgreSQL/flexibleServers"
VNET = "Microsoft.Network/virtualNetworks"
NSG = "Microsoft.Network/networkSecurityGroups"
GATEWAY = "Microsoft.Network/applicationGateways"
STORAGE = "Microsoft.Storage/storageAccounts"
VAULT = "Microsoft.KeyVault/vaults"
DIAG = "Microsoft.Insights/diagnosticSettings"
ALERT = "Microsoft.Insights/metricAlerts"
OTHER = "Contoso.Things/widgets"


def nest(path, value):
    for name in reversed(path.split(".")):
        value = [value] if name == "[]" else {name: value}
    return value


def p(path, value):
    """A document with one member below `properties`; [] is a list of one element."""
    return {"properties": nest(path.replace("[]", ".[]"), value)}


# title, type, what was sent, what came back
SAME = [
    # container apps
    ("the twin of an id", APP, p("environmentId", RG + "Microsoft.App/managedEnvironments/e"),
     p("managedEnvironmentId", RG + "microsoft.app/managedenvironments/e")),
    ("a default, absent", APP, p("configuration.activeRevisionsMode", "Single"), p("configuration", {})),
    ("an enumeration in title case", APP, p("configuration.ingress.transport", "auto"),
     p("configuration.ingress.transport", "Auto")),
    ("the usual traffic, absent", APP, p("configuration.ingress.traffic", [{"weight": 100, "latestRevision": True}]),
     p("configuration.ingress", {"external": True})),
    ("a revision that gets nothing", APP,
     p("configuration.ingress.traffic", [{"revisionName": "a--1", "weight": 100}]),
     p("configuration.ingress.traffic", [{"revisionName": "a--1", "weight": 100}, {"revisionName": "a--0", "weight": 0}])),
    ("a secret is not told", APP, p("configuration.secrets", [{"name": "a", "value": "x"}]),
     p("configuration.secrets", [{"name": "a"}])),
    ("secrets in another order", APP, p("configuration.secrets", [{"name": "a"}, {"name": "b"}]),
     p("configuration.secrets", [{"name": "b", "identity": ""}, {"name": "a", "keyVaultUrl": ""}])),
    ("registries are keyed by server", APP, p("configuration.registries", [{"server": "a.io"}, {"server": "b.io"}]),
     p("configuration.registries", [{"server": "b.io", "username": ""}, {"server": "a.io", "identity": ""}])),
    ("an empty suffix", APP, p("template.revisionSuffix", ""), p("template", {"revisionSuffix": None})),
    ("a grace of 30 s", APP, p("template.terminationGracePeriodSeconds", 30),
     p("template.terminationGracePeriodSeconds", None)),
    ("a quantity", APP, p("template.containers", [{"name": "a", "resources": {"cpu": 1, "memory": "2Gi"}}]),
     p("template.containers", [{"name": "a", "resources": {"cpu": 1.0, "memory": "2.0Gi", "ephemeralStorage": "4Gi"}}])),
    ("variables in another order, and the platform's own", APP,
     p("template.containers", [{"name": "a", "env": [{"name": "X", "value": "1"}, {"name": "Y", "secretRef": "s"}]}]),
     p("template.containers", [{"name": "a", "env": [{"name": "Y", "secretRef": "s", "value": ""}, {"name": "X", "value": "1"},
                                                     {"name": "DOTNET_RUNNING_IN_CONTAINER", "value": "true"}]}])),
    ("what a probe has by default", APP,
     p("template.containers", [{"name": "a", "probes": [{"type": "liveness", "periodSeconds": 10, "failureThreshold": 3,
                                                         "successThreshold": 1, "timeoutSeconds": 1,
                                                         "httpGet": {"port": 80, "scheme": "HTTP"}}]}]),
     p("template.containers", [{"name": "a", "probes": [{"type": "Liveness", "httpGet": {"port": 80, "path": "/"}}]}])),
    ("what scaling has by default", APP,
     p("template.scale", {"minReplicas": 0, "maxReplicas": 10, "cooldownPeriod": 300, "pollingInterval": 30, "rules": []}),
     p("template.scale", {"minReplicas": None, "rules": None})),
    ("a custom rule of type http", APP,
     p("template.scale.rules", [{"name": "h", "custom": {"type": "http", "metadata": {"concurrentRequests": "50"}}}]),
     p("template.scale.rules", [{"name": "h", "http": {"metadata": {"concurrentRequests": "50"}}}])),
    ("a volume without a type", APP, p("template.volumes", [{"name": "v", "storageType": "EmptyDir"}]),
     p("template.volumes", [{"name": "v"}])),
    ("the profile everybody has", APP, p("workloadProfileName", "Consumption"), p("workloadProfileName", None)),
    ("what a job has by default", JOB,
     p("configuration", {"manualTriggerConfig": {"parallelism": 1, "replicaCompletionCount": 1}}),
     p("configuration", {"manualTriggerConfig": {}})),
    ("what a job's scaling has by default", JOB,
     p("configuration.eventTriggerConfig.scale", {"minExecutions": 0, "maxExecutions": 100, "pollingInterval": 30}),
     p("configuration.eventTriggerConfig.scale", {})),
    # environments
    ("the profile that is always there", ENV, p("workloadProfiles", [{"name": "big", "workloadProfileType": "D4"}]),
     p("workloadProfiles", [{"name": "Consumption", "workloadProfileType": "Consumption"},
                            {"name": "big", "workloadProfileType": "D4"}])),
    ("a count of none", ENV, p("workloadProfiles", [{"name": "Consumption", "minimumCount": 0}]),
     p("workloadProfiles", [{"name": "Consumption", "minimumCount": None}])),
    ("a key of logs is not told", ENV, p("appLogsConfiguration.logAnalyticsConfiguration", {"customerId": "c", "sharedKey": "k"}),
     p("appLogsConfiguration.logAnalyticsConfiguration", {"customerId": "c", "sharedKey": None})),
    ("no encryption", ENV, p("peerTrafficConfiguration.encryption.enabled", False), p("peerTrafficConfiguration", None)),
    ("a subject without its prefix", ENV + "/managedCertificates", p("subjectName", "langfuse.example.com"),
     p("subjectName", "CN=langfuse.example.com")),
    # caches
    ("a short version", REDIS, p("redisVersion", "6"), p("redisVersion", "6.0.14")),
    ("the latest version", REDIS, p("redisVersion", "latest"), p("redisVersion", "7.2.4")),
    ("both names of one number", REDIS, p("replicasPerMaster", 2), p("replicasPerPrimary", 2)),
    ("what a cache has by default", REDIS, p("disableAccessKeyAuthentication", False), {"properties": {}}),
    ("a port and a protocol by default", AMR_DB, {"properties": {"port": 10000, "clientProtocol": "Encrypted"}}, {"properties": {}}),
    ("modules with versions", AMR_DB, p("modules", [{"name": "RedisJSON"}]),
     p("modules", [{"name": "RedisJSON", "args": "", "version": "2.4"}])),
    ("no persistence", AMR_DB, p("persistence", {"aofEnabled": False, "rdbEnabled": False}), p("persistence", None)),
    ("a size without a capacity", AMR, {"sku": {"name": "Balanced_B5", "capacity": 0}}, {"sku": {"name": "Balanced_B5"}}),
    # databases
    ("made once", PG, {"properties": {"createMode": "Default", "administratorLoginPassword": "x"}}, {"properties": {}}),
    ("storage without a type", PG, p("storage", {"storageSizeGB": 32, "type": "Premium_LRS", "autoGrow": "Disabled"}),
     p("storage", {"storageSizeGB": 32, "type": "", "tier": "P4", "iops": 120})),
    ("storage that grew by itself", PG, p("storage", {"storageSizeGB": 32, "autoGrow": "Enabled"}),
     p("storage", {"storageSizeGB": 64, "autoGrow": "Enabled"})),
    ("zones that swapped in a failover", PG,
     {"properties": {"availabilityZone": "1", "highAvailability": {"mode": "ZoneRedundant", "standbyAvailabilityZone": "2"}}},
     {"properties": {"availabilityZone": "2", "highAvailability": {"mode": "ZoneRedundant", "standbyAvailabilityZone": "1"}}}),
    ("a zone that is now the standby's", PG, p("availabilityZone", "1"),
     {"properties": {"availabilityZone": "3", "highAvailability": {"standbyAvailabilityZone": "1"}}}),
    ("no high availability", PG, p("highAvailability.mode", "Disabled"), p("highAvailability", {"state": "NotEnabled"})),
    ("no window", PG, p("maintenanceWindow", {"customWindow": "Disabled", "dayOfWeek": 0}), p("maintenanceWindow", None)),
    ("a password is enough", PG, p("authConfig", {"activeDirectoryAuth": "Disabled", "passwordAuth": "Enabled"}), p("authConfig", None)),
    ("the service's own key", PG, p("dataEncryption.type", "SystemManaged"), {"properties": {}}),
    ("a switch in capitals", PG + "/configurations", p("value", "on"), p("value", "ON")),
    ("a set in small letters", PG + "/configurations", p("value", "PG_TRGM,BTREE_GIN"), p("value", "btree_gin,pg_trgm")),
    ("a number", PG + "/configurations", p("value", "100"), p("value", "100")),
    ("a charset's case", PG + "/databases", p("collation", "en_US.utf8"), p("collation", "en_us.UTF8")),
    ("a tenant that is not told", PG + "/administrators", p("tenantId", "t"), {"properties": {}}),
    # networks
    ("one prefix as a list", VNET, p("subnets", [{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24"}}]),
     p("subnets", [{"name": "a", "properties": {"addressPrefixes": ["10.0.0.0/24"]}}])),
    ("endpoints with regions", VNET + "/subnets", p("serviceEndpoints", [{"service": "Microsoft.Storage"}]),
     p("serviceEndpoints", [{"service": "microsoft.storage", "locations": ["eastus", "westus"]}])),
    ("rules in another order", NSG,
     p("securityRules", [{"name": "a", "properties": {"protocol": "Tcp"}}, {"name": "b", "properties": {"protocol": "*"}}]),
     p("securityRules", [{"name": "b", "properties": {"protocol": "*", "sourceAddressPrefixes": []}},
                         {"name": "a", "properties": {"protocol": "TCP"}}])),
    ("a network by one of its addresses", OTHER, p("addressPrefix", "10.0.0.9/24"), p("addressPrefix", "10.0.0.0/24")),
    ("an address as a network", VAULT, p("networkAcls.ipRules", [{"value": "1.2.3.4"}]), p("networkAcls.ipRules", [{"value": "1.2.3.4/32"}])),
    ("a certificate's data is not told", GATEWAY, p("sslCertificates", [{"name": "a", "properties": {"data": "x", "password": "y"}}]),
     p("sslCertificates", [{"name": "a", "properties": {"publicCertData": "z"}}])),
    ("codes that are healthy by default", GATEWAY,
     p("probes", [{"name": "p", "properties": {"minServers": 0, "match": {"statusCodes": ["200-399"]}}}]),
     p("probes", [{"name": "p", "properties": {"match": None}}])),
    # storage, monitoring, vaults
    ("what an account has by default", STORAGE,
     {"properties": {"supportsHttpsTrafficOnly": True, "allowSharedKeyAccess": True, "allowBlobPublicAccess": False}}, {"properties": {}}),
    ("an open account", STORAGE, p("networkAcls", {"bypass": "AzureServices", "defaultAction": "Allow", "ipRules": []}), {"properties": {}}),
    ("categories that are off", DIAG, p("logs", [{"category": "A", "enabled": True}]),
     p("logs", [{"category": "A", "enabled": True}, {"category": "B", "enabled": False}])),
    ("dedicated tables that a resource lacks", DIAG, p("logAnalyticsDestinationType", "Dedicated"), p("logAnalyticsDestinationType", None)),
    ("what an alert has by default", ALERT, p("autoMitigate", True), {"properties": {}}),
    ("scopes in another order and case", ALERT, p("scopes", [RG + "A.B/c/d", RG + "A.B/c/e"]), p("scopes", [RG.lower() + "a.b/c/e", RG + "A.B/c/d"])),
    ("one failing period", "Microsoft.Insights/scheduledQueryRules",
     p("criteria.allOf", [{"query": "q", "failingPeriods": {"numberOfEvaluationPeriods": 1, "minFailingPeriodsToAlert": 1}}]),
     p("criteria.allOf", [{"query": "q"}])),
    ("a placeholder for a URL with a key", "Microsoft.Insights/actionGroups",
     p("azureFunctionReceivers", [{"name": "f", "httpTriggerUrl": "https://f.example.com/?code=1"}]),
     p("azureFunctionReceivers", [{"name": "f", "httpTriggerUrl": "<httpTriggerUrl>"}])),
    ("a list as an object", "Microsoft.Portal/dashboards", p("lenses", [{"order": 0, "parts": [{"metadata": {"type": "x"}}]}]),
     p("lenses", {"0": {"order": 0, "parts": {"0": {"metadata": {"type": "x"}}}}})),
    ("a role by its guid", "Microsoft.Authorization/roleAssignments",
     p("roleDefinitionId", S + "/providers/Microsoft.Authorization/roleDefinitions/g"),
     p("roleDefinitionId", "/providers/Microsoft.Authorization/roleDefinitions/g")),
    ("no cap", "Microsoft.OperationalInsights/workspaces", p("workspaceCapping.dailyQuotaGb", -1), {"properties": {}}),
    # by general rules, for what no kind describes
    ("an id without its slash", OTHER, p("scopes", [S]), p("scopes", [S[1:]])),
    ("another resource, by its id", OTHER, p("gateway", {"id": RG + "A.B/c/d", "properties": {"size": 1}}), p("gateway", {"id": RG + "A.B/c/d"})),
    ("a child without a location", OTHER, {"location": "westus", "properties": {}},
     {"id": RG + "Contoso.Things/widgets/w/parts/p", "properties": {}}),
    ("a region under another name", OTHER, p("failoverLocation", "West US"), p("failoverLocation", "westus")),
    ("a URL without a path", OTHER, p("vaultUri", "https://Kv.vault.azure.net"), p("vaultUri", "https://kv.vault.azure.net/")),
    ("a text that holds JSON", OTHER, p("serializedData", '{"a":1,"b":[]}'), p("serializedData", '{ "b": [ ],\n "a": 1 }')),
    ("a text that holds XML", OTHER, p("policyContent", "<a> <b c='1'/></a>"), p("policyContent", "<a>\r\n  <b c='1'/>\r\n</a>")),
    ("a type's name", OTHER, p("endpointType", "Microsoft.network/TrafficManagerProfiles"), p("endpointType", "Microsoft.Network/trafficManagerProfiles")),
    ("a masked value of any name", OTHER, p("parameter", {"type": "SecureString", "value": "x"}), p("parameter", {"type": "SecureString", "value": "**********"})),
    ("a host's last dot", OTHER, p("fqdn", "a.example.com"), p("fqdn", "a.example.com.")),
    ("days behind a T", OTHER, p("retentionInterval", "PT7D"), p("retentionInterval", "P7D")),
    ("the value of a secret", OTHER, p("secrets", [{"name": "a", "value": "x"}]), p("secrets", [{"name": "a"}])),
    ("credentials as a whole", OTHER, p("azureCredentials", {"clientId": "x", "kind": "y"}), {"properties": {}}),
    ("where a copy came from", OTHER, p("sourceLocation", "westus"), {"properties": {}}),
]
SAME += [("a key by another name: " + name, OTHER, p(name, "x"), p(name, answer))
         for name in ("storageAccountAccessKey", "storageAccountKey", "workspaceKey", "radiusServerSecret", "repositoryToken",
                      "serviceUri", "sshPrivateKey", "encodedCertificate") for answer in (None, "")]

# title, type, what is wanted, what is there, and the places
DIFFERS = [
    ("every address", NSG, p("securityRules", [{"name": "a", "properties": {"sourceAddressPrefix": "10.0.0.0/8"}}]),
     p("securityRules", [{"name": "a", "properties": {"sourceAddressPrefix": "*"}}]), ["properties.securityRules[a].properties.sourceAddressPrefix"]),
    ("storage that must not grow", PG, p("storage", {"storageSizeGB": 32}), p("storage", {"storageSizeGB": 64, "autoGrow": "Disabled"}),
     ["properties.storage.storageSizeGB"]),
    ("more storage", PG, p("storage", {"storageSizeGB": 64}), p("storage", {"storageSizeGB": 32, "autoGrow": "Enabled"}), ["properties.storage.storageSizeGB"]),
    ("another zone", PG, p("availabilityZone", "1"), {"properties": {"availabilityZone": "2", "highAvailability": {"standbyAvailabilityZone": "3"}}},
     ["properties.availabilityZone"]),
    ("a custom rule of another type", APP, p("template.scale.rules", [{"name": "h", "custom": {"type": "cpu", "metadata": {}}}]),
     p("template.scale.rules", [{"name": "h", "http": {"metadata": {}}}]), ["properties.template.scale.rules[h].custom.type"]),
    ("a variable of others", APP, p("template.containers", [{"name": "a", "env": []}]),
     p("template.containers", [{"name": "a", "env": [{"name": "X", "value": "1"}]}]), ["properties.template.containers[a].env[X]"]),
    ("a variable's case", APP, p("template.containers", [{"name": "a", "env": [{"name": "X", "value": "Debug"}]}]),
     p("template.containers", [{"name": "a", "env": [{"name": "X", "value": "debug"}]}]), ["properties.template.containers[a].env[X].value"]),
    ("another traffic", APP, p("configuration.ingress.traffic", [{"weight": 50, "latestRevision": True}]), p("configuration.ingress", {"external": True}),
     ["properties.configuration.ingress.traffic[0].weight"]),
    ("a profile of others", ENV, p("workloadProfiles", [{"name": "a"}]), p("workloadProfiles", [{"name": "a"}, {"name": "b"}]), ["properties.workloadProfiles[b]"]),
    ("another reference", OTHER, p("gateway", {"id": RG + "A.B/c/d"}), p("gateway", {"id": RG + "A.B/c/e"}), ["properties.gateway.id"]),
    ("another network", OTHER, p("addressPrefix", "10.0.1.0/24"), p("addressPrefix", "10.0.0.0/24"), ["properties.addressPrefix"]),
    ("an address is no network", OTHER, p("address", "10.0.0.9"), p("address", "10.0.0.8"), ["properties.address"]),
    ("a path of a URL", OTHER, p("uri", "https://a.example.com/X"), p("uri", "https://a.example.com/x"), ["properties.uri"]),
    ("a value in JSON", OTHER, p("serializedData", '{"a":1}'), p("serializedData", '{"a":2}'), ["properties.serializedData"]),
    ("a blank in XML that counts", OTHER, p("policyContent", "<a>x </a>"), p("policyContent", "<a>x</a>"), ["properties.policyContent"]),
    ("a query's case", OTHER, p("query", "Heartbeat | take 1"), p("query", "heartbeat | take 1"), ["properties.query"]),
    ("a tag's case", OTHER, {"tags": {"a": "X"}}, {"tags": {"a": "x"}}, ["tags.a"]),
    ("an answered secret", OTHER, p("sharedKey", "x"), p("sharedKey", "y"), ["properties.sharedKey"]),
    ("a location that is gone", OTHER, {"location": "westus"}, {"id": RG + "Contoso.Things/widgets/w"}, ["location"]),
    ("a tag that is called like a secret", OTHER, {"tags": {"key": "x"}}, {"tags": {}}, ["tags.key"]),
    ("a location", OTHER, {"location": "westus"}, {"location": "eastus"}, ["location"]),
]


def compare(folder, arm_type, desired, actual):
    for name, document in (("desired", desired), ("actual", actual)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
            json.dump(document, out)
    run = subprocess.run([DEPLOYER, "diff", "--type", arm_type, "--desired", os.path.join(folder, "desired"), "--actual",
                          os.path.join(folder, "actual"), "-o", "json"], capture_output=True, text=True, timeout=30)
    if run.returncode not in (0, 1):
        raise AssertionError("exit status %d: %s" % (run.returncode, run.stderr))
    return json.loads(run.stdout)["changes"]


class Spellings(unittest.TestCase):
    def test_what_services_do_is_no_change(self):
        with tempfile.TemporaryDirectory() as folder:
            for title, arm_type, sent, back in SAME:
                with self.subTest(title):
                    self.assertEqual(compare(folder, arm_type, sent, back), [])

    def test_what_only_looks_like_it_is_one(self):
        with tempfile.TemporaryDirectory() as folder:
            for title, arm_type, wanted, there, places in DIFFERS:
                with self.subTest(title):
                    self.assertEqual([c["path"] for c in compare(folder, arm_type, wanted, there)], places)

    def test_one_step_of_what_cannot_be_changed_is_possible(self):
        with tempfile.TemporaryDirectory() as folder:
            for wanted, there, is_replaced in (("OSSCluster", "NoCluster", False), ("EnterpriseCluster", "nocluster", False),
                                               ("NoCluster", "OSSCluster", True), ("EnterpriseCluster", "OSSCluster", True)):
                with self.subTest(wanted=wanted, there=there):
                    found = compare(folder, AMR_DB, p("clusteringPolicy", wanted), p("clusteringPolicy", there))
                    self.assertEqual([c["forces_replacement"] for c in found], [is_replaced])


if __name__ == "__main__":
    unittest.main()
