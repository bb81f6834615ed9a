"""No limit of a kind refuses what Azure takes: its own examples, every value and name that its type data allow.

The recorded examples and the type data are not part of this repository: they are looked for in shared/arm beside or above it;
without them those tests are skipped. DEPLOYER_EXAMPLES names a folder of further examples in the form of shared/arm/pairs.
"""
import concurrent.futures
import glob
import json
import os
import re
import shutil
import tempfile
import unittest

from support import ROOT, cli


def beside(*path):
    """What is in shared/arm, in the nearest place."""
    for up in ("..", "../.."):
        found = sorted(glob.glob(os.path.join(ROOT, up, "shared", "arm", *path)))
        if found:
            return found
    return []


def kinds():
    """type in lower case -> {"kind", "scope", "type", "api_version", "properties": {path: what stands behind it}}"""
    found = {}
    for path in glob.glob(os.path.join(ROOT, "templates", "azure", "*.yaml")):
        with open(path) as f:
            text = f.read()
        kind = {k: re.search(r'^%s: "?([^"\n]+)' % k, text, re.M)[1] for k in ("kind", "scope", "type", "api_version")}
        known = re.search(r"^properties:\n((  .*\n|\s*#.*\n|\n)*)", text, re.M)
        lines = re.sub(r"\n {4,}", " ", known[1] if known else "")
        kind["properties"] = dict(re.findall(r"^  ([A-Za-z][^\n:]*?): (\{.*)$", lines, re.M))
        found[kind["type"].lower()] = kind
    return found


KINDS = kinds()
EXAMPLES = beside("pairs", "*.json") + sorted(glob.glob(os.path.join(os.environ.get("DEPLOYER_EXAMPLES") or "/nowhere", "*.json")))
SCHEMAS = beside("schemas", "*@*.json")
# Examples that the service itself would refuse, and why.
REFUSED = {
    "010-Microsoft.Cache.redisEnterprise.databases-enterprisecluster-modules-aof.json": ["RediSearch needs evictionPolicy NoEviction"],
}
# Refused without, though the type data don't ask for it.
NEEDED = {
    "application_gateway": {"properties.sku.name", "properties.sku.tier"},
    "container_app": {"properties.environmentId", "properties.configuration.secrets[].name", "properties.template.volumes[].name"},
    "container_app_job": {"properties.environmentId", "properties.configuration.secrets[].name", "properties.template.volumes[].name"},
    "dns_a_record": {"properties.ttl", "properties.aRecords", "properties.aRecords[].ipv4Address"},
    "dns_cname_record": {"properties.ttl", "properties.cnameRecord.cname"},
    "dns_txt_record": {"properties.ttl", "properties.txtRecords"},
    "dns_zone_link": {"properties.virtualNetwork.id"},
    "key_vault_secret": {"properties.value"},
    "network_security_group": {"properties.securityRules[].name"},
    "private_dns_zone_group": {"properties.privateDnsZoneConfigs", "properties.privateDnsZoneConfigs[].properties.privateDnsZoneId"},
    "private_endpoint": {"properties.subnet.id"},
    "redis_access_policy_assignment": {"properties.user.objectId"},
    "role_definition": {"properties.roleName"},
    "route_table": {"properties.routes[].properties.addressPrefix"},
    "virtual_network": {"properties.addressSpace", "properties.subnets[].name"},
}
NAMES = {
    "activity_log_alert": (["Service health - Japan East", "a.b_c(1)"], ["what?", "ends."]),
    "blob_container": (["$web", "$root", "$logs", "a1-b2"], ["$other", "a--b", "-ab"]),
    "container_app": (["a1", "web-1"], ["Web", "1web", "a--b", "a" * 33]),
    "file_share": (["a-b"], ["a--b", "A-b"]),
    "key_vault": (["kv-Example1"], ["1kv-example", "kv--example"]),
    "managed_environment": (["managedEnvironment-rgweb-8f2c", "nicole--123"], ["a_b", "-ab"]),
    "redis_access_policy_assignment": (["11111111-2222-3333-4444-555555555555", "default"], ["a--b"]),
    "resource_group": (["rg-x", "rg_(1).x", "資源-東京"], ["ends.", "a b", "a/b"]),
    "storage_account": (["stexample1"], ["st-example", "Stexample"]),
    "virtual_network": (["vnet-1.a_"], ["-vnet", "v"]),
    "waf_policy": (["example-wafpolicy"], ["-x"]),
}
# Documents that are less usual and taken all the same.
ENVIRONMENT = "/subscriptions/1/resourceGroups/x/providers/Microsoft.App/managedEnvironments/e"
TAKEN = [
    ("virtual_network", {"properties": {"addressSpace": {"addressPrefixes": ["fd00:db8::/48"]}, "subnets": [
        {"name": "a", "properties": {"addressPrefix": "fd00:db8::/64"}}, {"name": "b", "properties": {"addressPrefix": "fd00:db8:0:1::/64"}}]}}),
    ("virtual_network", {"properties": {"addressSpace": {"ipamPoolPrefixAllocations": [{"numberOfIpAddresses": "256", "pool": {"id": "/subscriptions/1/x"}}]}}}),
    ("managed_environment", {"properties": {"workloadProfiles": [
        {"name": "Consumption", "workloadProfileType": "Consumption"}, {"name": "gpu", "workloadProfileType": "Consumption-GPU-NC8as-T4"}]}}),
    ("container_app", {"properties": {"environmentId": ENVIRONMENT, "workloadProfileName": "gpu", "template": {
        "containers": [{"name": "a", "image": "example.com/a:1", "resources": {"cpu": 8, "memory": "56Gi", "gpu": 1}}]}}}),
    ("network_security_group", {"properties": {"securityRules": [{"name": "exported", "properties": {
        "protocol": "TCP", "access": "Allow", "direction": "Inbound", "priority": 100, "sourcePortRange": "*", "sourcePortRanges": [],
        "destinationPortRange": "443", "destinationPortRanges": [], "sourceAddressPrefix": "*", "sourceAddressPrefixes": [],
        "destinationAddressPrefix": "", "destinationAddressPrefixes": ["10.0.0.0/24", "10.0.1.0/24"]}}]}}),
    ("application_gateway", {"properties": {"sku": {"name": "Standard_v2", "tier": "Standard_v2", "capacity": 1},
                                            "probes": [{"name": "p", "properties": {"protocol": "Tcp", "interval": 30, "timeout": 30}}]}}),
    ("postgres_server", {"properties": {"createMode": "Replica", "sourceServerResourceId": "/subscriptions/1/x"}}),
    ("postgres_server", {"sku": {"name": "Standard_D2ds_v9", "tier": "GeneralPurpose"}, "properties": {"version": "18"}}),
    ("storage_account", {"kind": "FileStorage", "sku": {"name": "StandardV2_ZRS"}, "properties": {"accessTier": "Hot"}}),
    ("container_registry", {"sku": {"name": "Standard"}, "properties": {"zoneRedundancy": "Enabled"}}),
]


def literal(value):
    """The value as a stack file has to write it: what an example says is never an expression."""
    if isinstance(value, dict):
        return {literal(k): literal(v) for k, v in value.items()}
    if isinstance(value, list):
        return [literal(v) for v in value]
    return value.replace("${", "$${") if isinstance(value, str) else value


class Limits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="deployer-limits-")
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        resources = {}
        for kind in KINDS.values():
            resource = {"kind": kind["kind"], "name": "${input.name}", "unique": False, "when": "${input.kind == '%s'}" % kind["kind"],
                        "body": {"$merge": "${input.body}"}}
            where = "/subscriptions/1/resourceGroups/x/providers/Microsoft.X/xs/x"
            resource.update({"parent": {"parent": where}, "extension": {"on": where}}.get(kind["scope"], {}))
            resources[kind["kind"]] = resource
        folder = os.path.join(cls.dir, "services", "example")
        os.makedirs(folder)
        with open(os.path.join(folder, "service.yaml"), "w") as f:
            json.dump({"format": 1, "service": "example", "title": "Example", "main": "subnet", "resources": resources,
                       "inputs": {"kind": {"type": "string"}, "name": {"type": "string"}, "body": {"type": "map"}}}, f)

    def findings(self, kind, name, body):
        handle, path = tempfile.mkstemp(dir=self.dir, suffix=".yaml")
        with os.fdopen(handle, "w") as f:
            json.dump({"deployer": 1, "stack": "s", "location": "japaneast",
                       "azure": {"subscription": "11111111-1111-1111-1111-111111111111", "resource_group": "rg-s"},
                       "services": {"e": {"use": "example", "with": {"kind": kind, "name": name, "body": literal(body)}}}}, f)
        done = cli("validate", path, "--catalog", self.dir, "-o", "json")
        return json.loads(done.stdout)["findings"]

    def errors(self, kind, name, body):
        """What is wrong with such a resource: the findings that are errors, and the rules that could not be judged. Names that
        lead nowhere (DNS-...) are a fault of a stack that holds this resource alone, and no limit."""
        return [f["text"] for f in self.findings(kind, name, body)
                if (f["severity"] == "error" and not f["code"].startswith("DNS-")) or f["code"] == "rule.not-judged"]

    def judge_example(self, path):
        with open(path) as f:
            example = json.load(f)
        kind = KINDS.get(example["type"].lower())
        if kind is None:
            return []
        body = {k: v for k, v in example["desired"].items() if k not in ("id", "name", "type", "location")}
        known = REFUSED.get(os.path.basename(path), [])
        told = self.errors(kind["kind"], example["url"].rstrip("/").split("/")[-1].split("?")[0], body)
        return ["%s: %s" % (os.path.basename(path), t) for t in told if not any(k in t for k in known)]

    @unittest.skipUnless(EXAMPLES, "missing: shared/arm/pairs")
    def test_examples_of_azure_are_taken(self):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            problems = [p for ps in pool.map(self.judge_example, EXAMPLES) for p in ps]
        self.assertEqual(problems, [], "\n".join(problems))

    def test_what_is_less_usual_is_taken(self):
        for kind, body in TAKEN:
            self.assertEqual(self.findings(kind, "example1", body), [], kind)

    def test_names(self):
        for kind, (taken, refused) in NAMES.items():
            for name in taken + refused:
                told = [t for t in self.errors(kind, name, {}) if "name of a" in t]
                self.assertEqual(bool(told), name in refused, "%s %s: %s" % (kind, name, told))


def members(schema, node):
    """A node and what it may be instead."""
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].split("/")[-1]]
    return [node] + [m for n in node.get("oneOf", []) for m in members(schema, n)]


def find(schema, path):
    """(node, whether its parent requires it) for each place of the type data that the path leads to."""
    at = [(schema, False)]
    for step in re.findall(r"[^.\[\]]+|\[\]", path):
        owners = [m for node, _ in at for m in members(schema, node)]
        if step == "[]":
            at = [(o["items"], False) for o in owners if "items" in o]
        elif step == "{}":
            at = [(o["additionalProperties"], False) for o in owners if isinstance(o.get("additionalProperties"), dict)]
        else:
            at = [(o["properties"][step], step in o.get("required", [])) for o in owners if step in o.get("properties", {})]
    return at


class Steps(unittest.TestCase):
    def test_paths(self):
        """A rule about a step is about a property that is there: else it never says anything."""
        for path in glob.glob(os.path.join(ROOT, "templates", "azure", "*.yaml")):
            with open(path) as f:
                text = f.read()
            known = KINDS[re.search(r'^type: "?([^"\n]+)', text, re.M)[1].lower()]["properties"]
            for step in re.findall(r"changes: \{path: ([^,]+),", text):
                self.assertIn(step, known, path)


@unittest.skipUnless(SCHEMAS, "missing: shared/arm/schemas")
class TypeData(unittest.TestCase):
    def setUp(self):
        self.schemas = {}
        for path in SCHEMAS:
            with open(path) as f:
                self.schemas[os.path.basename(path)[:-5].lower()] = json.load(f)

    def limits(self):
        """(kind, path, what the kind says, places of the type data) for each property that stands in both."""
        for kind in KINDS.values():
            schema = self.schemas.get("%s@%s" % (kind["type"].lower().replace("/", "."), kind["api_version"]))
            for path, text in kind["properties"].items() if schema else ():
                places = find(schema, path)
                if places:
                    yield kind["kind"], path, text, [(m, required) for n, required in places for m in members(schema, n)]

    def test_values(self):
        seen = 0
        for kind, path, text, places in self.limits():
            listed = re.search(r"[{ ]enum: \[(.*?)\]", text)
            if listed is None:
                continue
            seen += 1
            ours = {w.strip(' "').lower() for w in listed[1].split(",")}
            theirs = {str(v).lower() for m, _ in places for v in m.get("enum", []) + m.get("x-openEnum", [])}
            if "open: true" not in text:
                self.assertEqual(theirs - ours, set(), "%s %s refuses them" % (kind, path))
        self.assertGreater(seen, 40)

    def test_required(self):
        for kind, path, text, places in self.limits():
            if "required: true" in text and "open: true" not in text and not any(r for _, r in places):
                self.assertIn(path, NEEDED.get(kind, ()), "%s: the type data don't require it: say 'open: true', or why here" % kind)

    def test_ranges(self):
        for kind, path, text, places in self.limits():
            if "open: true" in text:
                continue
            for ours, keys, sign in (("min", ("minimum", "minLength", "minItems"), 1), ("max", ("maximum", "maxLength", "maxItems"), -1)):
                limit = re.search(r"[{ ]%s: (-?[0-9.]+)" % ours, text)
                for other in [m[k] for m, _ in places for k in keys if k in m] if limit else ():
                    self.assertLessEqual(sign * float(limit[1]), sign * other, "%s %s: %s is narrower" % (kind, path, ours))


if __name__ == "__main__":
    unittest.main()
