"""Every document that the examples send is valid by Azure's own type data.

The schemas are not part of the project: they are looked for in ../shared/arm/schemas beside it
(or in DEPLOYER_SCHEMAS). Without them the test is skipped, and says so.
"""
import json
import os
import re
import subprocess
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEPLOYER = os.environ.get("DEPLOYER", os.path.join(TOP, "build", "release", "deployer"))

# What an expression leaves behind: {"$expr"}, {"$unknown"}, {"$secret"} stand for any value.
MARKS = ("$expr", "$unknown", "$secret")


def schema_folder():
    """The folder with the schemas, or None. Worktrees of the project stand one folder deeper."""
    places = [os.environ.get("DEPLOYER_SCHEMAS")]
    places += [os.path.join(TOP, up, "shared", "arm", "schemas") for up in ("..", "../..")]
    for place in places:
        if place and os.path.exists(os.path.join(place, "index.json")):
            return place
    return None


def is_mark(value):
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in MARKS


class Walker:
    """Judges a document by one schema; only the keywords that the schemas use."""

    TYPES = {
        "object": dict, "array": list, "string": str, "boolean": bool,
        "integer": int, "number": (int, float), "null": type(None),
    }

    def __init__(self, schema):
        self.schema = schema
        self.errors = []

    def fail(self, path, text):
        self.errors.append("%s: %s" % (path or "(document)", text))

    def resolve(self, schema):
        while "$ref" in schema:
            schema = self.schema["$defs"][schema["$ref"].split("/")[-1]]
        return schema

    def check(self, value, schema=None, path=""):
        schema = self.resolve(self.schema if schema is None else schema)
        if is_mark(value):
            return
        if "oneOf" in schema:
            self.check_one_of(value, schema, path)
        if "enum" in schema and value not in schema["enum"]:
            self.fail(path, "%r is not one of %s" % (value, schema["enum"]))
        if "const" in schema and value != schema["const"]:
            self.fail(path, "%r is not %r" % (value, schema["const"]))
        if "type" in schema and not self.is_type(value, schema["type"]):
            self.fail(path, "%r is no %s" % (value, schema["type"]))
            return
        if isinstance(value, dict):
            self.check_object(value, schema, path)
        elif isinstance(value, list):
            self.check_size(len(value), schema, path, "Items")
            for i, item in enumerate(value):
                self.check(item, schema.get("items", {}), "%s[%d]" % (path, i))
        elif isinstance(value, str):
            self.check_size(len(value), schema, path, "Length")
            if "pattern" in schema and not re.search(schema["pattern"], value):
                self.fail(path, "%r does not match %s" % (value, schema["pattern"]))
        elif not isinstance(value, bool) and value is not None:
            if value < schema.get("minimum", value) or value > schema.get("maximum", value):
                self.fail(path, "%r is out of range" % value)

    def is_type(self, value, wanted):
        if isinstance(wanted, list):
            return any(self.is_type(value, one) for one in wanted)
        if isinstance(value, bool):
            return wanted == "boolean"
        return isinstance(value, self.TYPES[wanted])

    def check_size(self, size, schema, path, what):
        if size < schema.get("min" + what, 0) or size > schema.get("max" + what, size):
            self.fail(path, "%d is no allowed length" % size)

    def check_object(self, value, schema, path):
        properties = schema.get("properties", {})
        for name in schema.get("required", []):
            if name not in value:
                self.fail(path, "%s is missing" % name)
        for name, member in value.items():
            at = "%s.%s" % (path, name) if path else name
            known = properties.get(name)
            if known is None:
                extra = schema.get("additionalProperties", True)
                if extra is False:
                    self.fail(at, "there is no such property")
                elif isinstance(extra, dict):
                    self.check(member, extra, at)
            else:
                if known.get("x-readOnly"):
                    self.fail(at, "is read-only")
                self.check(member, known, at)

    def check_one_of(self, value, schema, path):
        """The variant that its discriminator names, else any that fits."""
        variants = schema["oneOf"]
        name = schema.get("x-discriminator")
        if name and isinstance(value, dict) and not is_mark(value.get(name)):
            chosen = [v for v in variants if self.names(v, name, value.get(name))]
            if not chosen:
                self.fail(path, "%s %r is not known" % (name, value.get(name)))
                return
            variants = chosen
        tried = []
        for variant in variants:
            walker = Walker(self.schema)
            walker.check(value, variant, path)
            if not walker.errors:
                return
            tried = tried or walker.errors
        self.errors += tried

    def names(self, variant, discriminator, wanted):
        known = self.resolve(self.resolve(variant).get("properties", {}).get(discriminator, {}))
        return wanted == known.get("const", None) or wanted in known.get("enum", [])


def problems(folder, resource):
    """What is wrong with one resource {type, api_version, body}; None where no schema is there."""
    name = "%s@%s.json" % (resource["type"].replace("/", "."), resource["api_version"])
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        walker = Walker(json.load(file))
    walker.check(resource["body"])
    return walker.errors


# Everything that the services can be asked for beyond what the examples ask for.
WIDE = """
deployer: 1
stack: wide
location: westeurope
azure: {subscription: 00000000-0000-0000-0000-000000000000, resource_group: rg-wide}
registry:
  server: mirror.azurecr.io
  identity: /subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/r/providers/Microsoft.ManagedIdentity/userAssignedIdentities/pull
network: {address_space: 10.9.0.0/24, nat_gateway: true, dns_servers: [10.9.0.4], private_dns: %(private_dns)s}
services:
  observability:
    use: observability
    with: {retention_days: 60, daily_quota_gb: 5, alerts: true, diagnostics: true, emails: [a@example.com], webhook: "${secret.WEBHOOK}"}
  containers:
    use: containers
    with: {zone_redundant: true, workload_profiles: [{name: big, workloadProfileType: D4, minimumCount: 1, maximumCount: 2}]}
  postgres:
    use: postgres
    with:
      version: 17
      high_availability: SameZone
      geo_backup: true
      parameters: {work_mem: "8192", log_min_duration_statement: "1000"}
      public_access: true
      firewall: {office: 192.0.2.1, range: 192.0.2.4-192.0.2.9}
      connection_limit: 10
      databases: [langfuse, other]
  redis: {use: redis, with: {clustering: %(clustering)s, sku: Balanced_B10, persistence: true, zones: ["1", "2"]}}
  clickhouse: {use: clickhouse, with: {workload_profile: big, cpu: 4, memory: 16Gi, storage_gb: 256}}
  blob:
    use: blob
    with: {containers: [langfuse, media-files], keep_deleted_days: 7, versioning: true, cors_origins: ["https://langfuse.example.com"]}
  langfuse:
    use: langfuse
    with:
      version: 4
      hostname: langfuse.example.com
      web_min_replicas: 3
      disable_signup: true
      init: {org_id: o, org_name: Org, project_id: p, public_key: pk-lf-1, user_email: a@example.com}
      environment: {LANGFUSE_INGESTION_QUEUE_DELAY_MS: 0}
  gateway:
    use: gateway
    with: {zones: ["1"], dns_label: wide-example, %(certificate)s}
"""
PFX = "pfx: \"${secret.PFX}\", pfx_password: \"${secret.PFX_PASSWORD}\""
VAULT = (
    "certificate: https://kv.vault.azure.net/certificates/wide, "
    "vault: /subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/r/providers/Microsoft.KeyVault/vaults/kv, "
    "waf_policy: /subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/r/providers/"
    "Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies/waf"
)
WIDE_SECRETS = {
    "WEBHOOK": "https://example.com/hook", "PFX": "AAAA", "PFX_PASSWORD": "example",
    "LANGFUSE_INIT_PROJECT_SECRET_KEY": "sk-lf-1", "LANGFUSE_INIT_USER_PASSWORD": "example-password",
}


def expanded(stack, environment, extra=None):
    """The resources of a stack, as `deployer validate --documents` shows them."""
    env = dict(os.environ)
    env.update(extra or {})
    example = os.path.join(TOP, "examples", "langfuse", ".env.example")
    with open(example, encoding="utf-8") as file:
        for line in file:
            if re.match(r"[A-Z_]+=", line):
                name, value = line.rstrip("\n").split("=", 1)
                env[name] = value
    command = [DEPLOYER, "validate", stack, "--documents", "-o", "json"]
    if environment:
        command += ["-e", environment]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, check=False)
    if run.returncode != 0:
        raise AssertionError("%s: exit status %d\n%s" % (" ".join(command), run.returncode, run.stderr))
    return json.loads(run.stdout)["documents"]


class Schemas(unittest.TestCase):
    def check(self, stack, environment, extra=None):
        folder = schema_folder()
        if folder is None:
            self.skipTest("missing: ../shared/arm/schemas beside the project, nothing to judge by")
        wrong = []
        without = []
        resources = expanded(stack, environment, extra)
        self.assertGreater(len(resources), 5)
        for resource in resources:
            found = problems(folder, resource)
            if found is None:
                without.append("%s %s" % (resource["type"], resource["api_version"]))
            else:
                wrong += ["%s: %s" % (resource["address"], one) for one in found]
        self.assertEqual([], wrong)
        self.assertEqual([], without, "no schema for these")

    def test_langfuse(self):
        self.check(os.path.join(TOP, "examples", "langfuse", "stack.yaml"), None)

    def test_langfuse_prod(self):
        self.check(os.path.join(TOP, "examples", "langfuse", "stack.yaml"), "prod")

    def test_every_option(self):
        rows = [
            {"clustering": "OSSCluster", "private_dns": "own", "certificate": PFX},
            {"clustering": "EnterpriseCluster", "private_dns": "policy", "certificate": VAULT},
        ]
        for row in rows:
            with self.subTest(**row), tempfile.TemporaryDirectory() as folder:
                stack = os.path.join(folder, "stack.yaml")
                with open(stack, "w", encoding="utf-8") as file:
                    file.write(WIDE % row)
                self.check(stack, None, WIDE_SECRETS)

    def test_the_walker_sees_what_is_wrong(self):
        schema = {
            "type": "object", "required": ["a"], "additionalProperties": False,
            "properties": {
                "a": {"type": "string", "pattern": "^x"}, "b": {"type": "integer", "maximum": 3},
                "c": {"type": "string", "x-readOnly": True},
                "d": {"type": "array", "items": {"type": "boolean"}},
            },
        }
        rows = [
            ({"a": "x"}, []),
            ({"a": {"$expr": "resource"}}, []),
            ({}, ["(document): a is missing"]),
            ({"a": "y"}, ["a: 'y' does not match ^x"]),
            ({"a": "x", "b": 4}, ["b: 4 is out of range"]),
            ({"a": "x", "b": True}, ["b: True is no integer"]),
            ({"a": "x", "c": "z"}, ["c: is read-only"]),
            ({"a": "x", "d": [True, "no"]}, ["d[1]: 'no' is no boolean"]),
            ({"a": "x", "e": 1}, ["e: there is no such property"]),
        ]
        for document, wanted in rows:
            with self.subTest(document=document):
                walker = Walker(schema)
                walker.check(document)
                self.assertEqual(wanted, walker.errors)


if __name__ == "__main__":
    unittest.main()
