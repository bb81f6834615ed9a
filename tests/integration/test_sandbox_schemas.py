"""What the sandbox knows of bodies, against Azure's own type data: no member that Azure takes is refused."""
import http.client
import json
import os
import unittest

from support import ROOT, Sandbox

# Record types of one API: a record takes the members of its own type only.
OTHER_RECORDS = {"aRecords", "aaaaRecords", "cnameRecord", "mxRecords", "ptrRecords", "soaRecord", "srvRecords", "txtRecords"}
ENVELOPE = {"id", "name", "type", "apiVersion", "location", "tags", "systemData"}
UNKNOWN = "[length('foo')]"


def find_schemas():
    for up in ("..", "../.."):
        path = os.path.normpath(os.path.join(ROOT, up, "shared", "arm", "schemas"))
        if os.path.isdir(path):
            return path
    return None


class Members:
    """Every member that a request may hold, each as a body that holds it alone."""

    def __init__(self, schema):
        self.defs = schema.get("$defs", {})
        self.found = []
        self.walk(schema, lambda x: x, [], [])

    def resolve(self, schema):
        while "$ref" in schema:
            schema = {**self.defs[schema["$ref"].split("/")[-1]], **{k: v for k, v in schema.items() if k != "$ref"}}
        return schema

    def value(self, schema):
        schema = self.resolve(schema)
        if schema.get("enum"):
            return schema["enum"][0]
        if "const" in schema:
            return schema["const"]
        return {"integer": 1, "number": 1, "boolean": True, "array": [], "object": {}}.get(schema.get("type"), UNKNOWN)

    def walk(self, schema, build, path, seen):
        ref = schema.get("$ref")
        if ref in seen or len(path) > 9:
            return
        seen = seen + ([ref] if ref else [])
        schema = self.resolve(schema)
        for one in [schema] + [self.resolve(o) for o in schema.get("oneOf", [])]:
            for key, value in one.get("properties", {}).items():
                whole = self.resolve(value)
                if whole.get("x-readOnly"):
                    continue
                self.found.append((path + [key], build({key: self.value(value)})))
                if whole.get("type") == "array":
                    self.walk(whole.get("items", {}), lambda x, k=key: build({k: [x]}), path + [key], seen)
                else:
                    self.walk(value, lambda x, k=key: build({k: x}), path + [key], seen)
            if isinstance(one.get("additionalProperties"), dict):
                self.walk(one["additionalProperties"], lambda x: build({"k": x}), path + ["{}"], seen)


@unittest.skipUnless(find_schemas(), "missing: ../shared/arm/schemas")
class Schemas(unittest.TestCase):
    def test_every_member_is_known(self):
        refused, tried = [], 0
        with Sandbox() as s:
            s.call("GET", "/subscriptions", None, "2022-12-01")
            connection = http.client.HTTPSConnection("127.0.0.1", s.port, context=s.tls, timeout=60)
            for name in sorted(os.listdir(find_schemas())):
                if "@" not in name:
                    continue
                parts = name.split("@")[0].split(".")
                with open(os.path.join(find_schemas(), name)) as f:
                    members = Members(json.load(f)).found
                for path, body in members:
                    if path[0] in ENVELOPE or len(path) > 1 and path[1] in OTHER_RECORDS:
                        continue
                    tried += 1
                    sent = {"provider": ".".join(parts[:2]), "type": "/".join(parts[2:]), "resources": [dict(body, name=UNKNOWN)]}
                    connection.request("POST", "/providers/Microsoft.Resources/validateResources?api-version=2020-10-01", json.dumps(sent),
                                       {"Authorization": "Bearer " + s.token, "Content-Type": "application/json"})
                    text = connection.getresponse().read().decode()
                    if "Could not find member" in text or "Error converting" in text:
                        refused.append("%s %s: %s" % (".".join(parts), ".".join(path), text))
            connection.close()
        self.assertGreater(tried, 2000)
        self.assertEqual(refused, [])


if __name__ == "__main__":
    unittest.main()
