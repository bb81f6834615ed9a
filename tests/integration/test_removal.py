"""What the file no longer has is taken from the cloud, each sort of thing; what others added stays, and the
plan says so."""
import json
import os
import threading
import time
import unittest

import support

STACK = """\
deployer: 1
stack: edge
location: japaneast
catalog: [catalog]
azure: {subscription: "${env.AZURE_SUBSCRIPTION_ID}", resource_group: rg-edge, tags: {owner: us, stage: dev}}
services:
  edge:
    use: edge
    with:
      rules: {one: 100, two: 110}
      subnets: {a: 10.0.1.0/24, b: 10.0.2.0/24}
      addresses: [203.0.113.7, 203.0.113.8]
      dns: 10.0.0.10
      parameters: {work_mem: "8192", log_connections: "on"}
      records: [first, second]
      space: [10.0.0.0/16, 10.1.0.0/16]
      storage: 64
      release: 3.2.0
"""
SERVICE = """\
format: 1
service: edge
title: Edge
inputs:
  rules: {type: map, default: {}}
  subnets: {type: map, default: {}}
  addresses: {type: list, default: []}
  dns: {type: string}
  parameters: {type: map, default: {}}
  records: {type: list, default: []}
  space: {type: list}
  storage: {type: integer}
  release: {type: string}
  password: {type: string, secret: true, required: true, env: PASSWORD}
versions:
  input: release
  steps: [{from: "3.*", to: "3.*", only: up}, {from: "3.*", to: "4.*"}]
  text: one at a time
resources:
  guard:
    kind: network_security_group
    name: nsg-edge
    body:
      tags: {release: "${input.release}"}
      properties:
        securityRules:
          - $each: "${input.rules}"
            name: "${item.key}"
            properties: {priority: "${item.value}", direction: Inbound, access: Allow, protocol: Tcp, sourceAddressPrefix: "*",
                         sourcePortRange: "*", destinationAddressPrefix: "*", destinationPortRange: "443"}
  net:
    kind: virtual_network
    name: vnet-edge
    body:
      properties:
        addressSpace: {addressPrefixes: "${input.space}"}
        dhcpOptions: {$if: "${input.dns != null}", dnsServers: ["${input.dns}"]}
        subnets:
          - $each: "${input.subnets}"
            name: "${item.key}"
            properties: {addressPrefix: "${item.value}"}
  files:
    kind: storage_account
    name: stedge
    unique: false
    body:
      kind: StorageV2
      sku: {name: Standard_LRS}
      properties:
        minimumTlsVersion: TLS1_2
        networkAcls:
          defaultAction: Deny
          ipRules:
            - $each: "${input.addresses}"
              value: "${item.value}"
  server:
    kind: postgres_server
    name: psql-edge
    unique: false
    body:
      sku: {name: Standard_B1ms, tier: Burstable}
      properties: {version: "16", administratorLogin: us, administratorLoginPassword: "${input.password}", storage: {storageSizeGB: "${input.storage}"}}
  parameter:
    kind: postgres_configuration
    each: "${input.parameters}"
    name: "${each.key}"
    parent: "${resource.server.id}"
    body: {properties: {value: "${each.value}", source: user-override}}
  zone:
    kind: private_dns_zone
    name: edge.internal
    body: {}
  record:
    kind: dns_a_record
    each: "${input.records}"
    name: "${each.key}"
    parent: "${resource.zone.id}"
    body: {properties: {ttl: 60, aRecords: [{ipv4Address: 10.0.0.4}]}}
"""


class Edge(unittest.TestCase):
    def setUp(self):
        self.box = support.Sandbox(faults="faults: []\n")
        self.addCleanup(self.box.__exit__)
        self.stack = support.Stack(self.box, STACK, "PASSWORD=abcdefgh12345678\n")
        self.addCleanup(self.stack.__exit__)
        os.makedirs(self.stack.path("catalog/services/edge"))
        self.stack.write("catalog/services/edge/service.yaml", SERVICE)
        self.apply()

    def run_ok(self, *args, status=0):
        done = self.stack.run(*args)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def apply(self, *args):
        return self.run_ok("apply", "--yes", "--skip-checks", *args)

    def edit(self, old, new):
        with open(self.stack.path("stack.yaml")) as text:
            stack = text.read()
        self.assertIn(old, stack)
        self.stack.write("stack.yaml", stack.replace(old, new))

    def plan(self):
        actions = json.loads(self.run_ok("plan", "--skip-checks", "-o", "json").stdout)["actions"]
        return {a["address"]: a for a in actions if a["action"] not in ("none", "read")}

    def path(self, resource):
        return "%s/resourceGroups/rg-edge/providers/%s" % (self.box.subscription, resource)

    def get(self, resource, version="2025-05-01"):
        return self.box.call("GET", self.path(resource), version=version)

    def put(self, resource, change, version="2025-05-01"):
        """What somebody else does: reads, changes, writes."""
        document = self.get(resource, version).json
        change(document)
        answer = self.box.call("PUT", self.path(resource), document, version)
        self.assertLess(answer.status, 300, answer.text)

    def settles(self):
        self.apply()
        self.assertEqual(self.plan(), {})


NSG = "Microsoft.Network/networkSecurityGroups/nsg-edge"
VNET = "Microsoft.Network/virtualNetworks/vnet-edge"
STORAGE = "Microsoft.Storage/storageAccounts/stedge"


class Others(Edge):
    def names(self, resource, path, key="name", version="2025-05-01"):
        value = self.get(resource, version).json
        for name in path.split("."):
            value = value[name]
        return sorted(e[key] for e in value)

    def kept(self, address):
        item = self.plan()[address]
        self.assertEqual(item["action"], "update", item)
        return [(k["path"], k["lost"]) for k in item.get("kept", [])]

    def test_a_rule_of_others_stays(self):
        def add(nsg):
            nsg["properties"]["securityRules"].append({"name": "theirs", "properties": {
                "priority": 200, "direction": "Inbound", "access": "Deny", "protocol": "*", "sourceAddressPrefix": "*",
                "sourcePortRange": "*", "destinationAddressPrefix": "*", "destinationPortRange": "22"}})
            nsg.setdefault("tags", {})["theirs"] = "x"
        self.put(NSG, add)
        self.assertEqual(self.plan(), {}, "it is drift, and left alone")
        self.assertIn("properties.securityRules[theirs]", self.run_ok("plan", "--skip-checks", "--drift").stdout)
        self.edit("rules: {one: 100, two: 110}", "rules: {one: 101}")
        self.assertEqual(sorted(self.kept("edge.guard")), [("properties.securityRules[theirs]", False), ("tags.theirs", False)])
        self.assertIn("= properties.securityRules[theirs]: added by others, stays", self.run_ok("plan", "--skip-checks").stdout)
        self.settles()
        self.assertEqual(self.names(NSG, "properties.securityRules"), ["one", "theirs"])
        self.assertEqual(self.get(NSG).json["tags"]["theirs"], "x")

    def test_a_subnet_of_others_stays(self):
        self.put(VNET, lambda net: net["properties"]["subnets"].append(
            {"name": "theirs", "properties": {"addressPrefix": "10.0.9.0/24"}}))
        self.edit("b: 10.0.2.0/24", "c: 10.0.3.0/24")
        self.assertEqual(self.kept("edge.net"), [("properties.subnets[theirs]", False)])
        self.settles()
        self.assertEqual(self.names(VNET, "properties.subnets"), ["a", "c", "theirs"])

    def test_an_address_of_others_stays_in_a_patch(self):
        self.put(STORAGE, lambda s: s["properties"]["networkAcls"]["ipRules"].append({"value": "198.51.100.1"}), "2025-01-01")
        self.edit("[203.0.113.7, 203.0.113.8]", "[203.0.113.7]")
        self.assertEqual(self.kept("edge.files"), [("properties.networkAcls.ipRules[198.51.100.1]", False)])
        self.settles()
        self.assertEqual(self.names(STORAGE, "properties.networkAcls.ipRules", "value", "2025-01-01"), ["198.51.100.1", "203.0.113.7"])

    def test_a_list_that_the_file_does_not_have(self):
        self.edit("      subnets: {a: 10.0.1.0/24, b: 10.0.2.0/24}\n", "")
        self.settles()
        self.put(VNET, lambda net: net["properties"].update(subnets=[
            {"name": "theirs", "properties": {"addressPrefix": "10.0.9.0/24"}}]))
        self.edit("dns: 10.0.0.10", "dns: 10.0.0.11")
        self.settles()
        self.assertEqual(self.names(VNET, "properties.subnets"), ["theirs"])


class Meanwhile(Edge):
    """What others add while we are at it: after the plan has read it, and after the last look before the write."""

    RULE = {"name": "theirs", "properties": {
        "priority": 200, "direction": "Inbound", "access": "Deny", "protocol": "*", "sourceAddressPrefix": "*",
        "sourcePortRange": "*", "destinationAddressPrefix": "*", "destinationPortRange": "22"}}

    def while_it_waits(self, nth):
        """Applies; the nth look at it is answered late, and others write meanwhile. Returns what was asked."""
        self.box.set_faults("faults:\n  - {match: {method: GET, path: '*/nsg-edge', nth: %d}, do: {delay: 1500ms}}\n" % nth)
        before = len(self.box.requests())
        other = threading.Thread(target=self.add_rule, args=(before, nth))
        other.start()
        self.apply()
        other.join()
        self.box.set_faults("faults: []\n")
        self.assertEqual(self.plan(), {})
        return [(r["method"], r["status"]) for r in self.box.requests()[before:] if r["path"].endswith("/nsg-edge")]

    def add_rule(self, before, nth):
        for _ in range(1000):
            if len([r for r in self.box.requests()[before:] if r["path"].endswith("/nsg-edge")]) >= nth:
                break
            time.sleep(0.02)
        nsg = self.known
        nsg["properties"]["securityRules"].append(self.RULE)
        answer = self.box.call("PUT", self.path(NSG), nsg, "2025-05-01")
        self.assertEqual(answer.status, 200, answer.text)

    def setUp(self):
        super().setUp()
        self.edit("rules: {one: 100, two: 110}", "rules: {one: 101}")
        self.known = self.get(NSG).json

    def rules(self):
        return sorted((r["name"], r["properties"]["priority"]) for r in self.get(NSG).json["properties"]["securityRules"])

    def test_added_after_the_plan_has_read_it(self):
        asked = self.while_it_waits(1)
        self.assertEqual(asked[:4], [("GET", 200), ("PUT", 200), ("GET", 200), ("PUT", 200)])
        self.assertEqual(self.rules(), [("one", 101), ("theirs", 200)])

    def test_added_between_the_last_look_and_the_write(self):
        asked = self.while_it_waits(2)
        self.assertEqual([a for a in asked if a[0] == "PUT"], [("PUT", 200), ("PUT", 412), ("PUT", 200)])
        self.assertEqual(self.rules(), [("one", 101), ("theirs", 200)])


APP_SERVICE = """\
format: 1
service: edge
title: Edge
inputs:
  level: {type: string}
  password: {type: string, secret: true, required: true, env: PASSWORD}
resources:
  environment:
    kind: managed_environment
    name: cae-edge
    body: {properties: {}}
  app:
    kind: container_app
    name: ca-edge
    body:
      properties:
        environmentId: "${resource.environment.id}"
        configuration:
          secrets: [{name: ours, value: "${input.password}"}]
        template:
          containers:
            - {name: main, image: "example.invalid/app:1", env: [{name: LEVEL, value: "${input.level}"}, {name: KEY, secretRef: ours}]}
"""
APP = "Microsoft.App/containerApps/ca-edge"
APP_VERSION = "2026-01-01"


class Secrets(unittest.TestCase):
    """A container app's secrets that others added: GET does not show their values, a PUT without them removes them."""

    def setUp(self):
        self.box = support.Sandbox(faults="faults: []\n")
        self.addCleanup(self.box.__exit__)
        self.stack = support.Stack(self.box, STACK[:STACK.index("      rules:")] + "      level: one\n", "PASSWORD=abcdefgh12345678\n")
        self.addCleanup(self.stack.__exit__)
        os.makedirs(self.stack.path("catalog/services/edge"))
        self.stack.write("catalog/services/edge/service.yaml", APP_SERVICE)
        self.run_ok("apply", "--yes", "--skip-checks")
        self.app = "%s/resourceGroups/rg-edge/providers/%s" % (self.box.subscription, APP)
        document = self.box.call("GET", self.app, version=APP_VERSION).json
        document["properties"]["configuration"]["secrets"] = [{"name": "ours", "value": "abcdefgh12345678"}, {"name": "theirs", "value": "hush-hush"}]
        answer = self.box.call("PUT", self.app, document, APP_VERSION)
        self.assertLess(answer.status, 300, answer.text)
        self.edit("level: one", "level: two")

    run_ok, edit, plan = Edge.run_ok, Edge.edit, Edge.plan

    def secrets(self):
        listed = self.box.call("POST", self.app + "/listSecrets", None, APP_VERSION).json["value"]
        return {s["name"]: s["value"] for s in listed}

    def test_they_stay(self):
        item = self.plan()["edge.app"]
        self.assertEqual([(k["path"], k["lost"]) for k in item["kept"]], [("properties.configuration.secrets[theirs]", False)])
        self.run_ok("plan", "--skip-checks", "--save", "plan.json")
        before = len(self.box.requests())
        done = self.run_ok("apply", "--yes", "--plan", "plan.json", "--log-level", "trace", "-o", "json")
        asked = [r["method"] + r["path"].rpartition("ca-edge")[2] for r in self.box.requests()[before:] if "ca-edge" in r["path"]]
        self.assertEqual(asked[:asked.index("PUT") + 1], ["GET", "GET", "POST/listSecrets", "PUT"])
        self.assertEqual(self.secrets(), {"ours": "abcdefgh12345678", "theirs": "hush-hush"})
        self.assertEqual(self.plan(), {})
        for text in (done.stdout, done.stderr, self.read("plan.json"), self.read(".deployer/edge.json")):
            self.assertNotIn("hush-hush", text)

    def read(self, name):
        with open(self.stack.path(name)) as text:
            return text.read()

    def test_without_the_right_to_read_them_nothing_is_written(self):
        self.box.set_faults("settings:\n  permissions: {actions: ['*'], not_actions: [Microsoft.App/containerApps/listSecrets/action]}\n")
        found = [c for c in json.loads(self.run_ok("plan", "-o", "json").stdout)["checks"] if c["check"] == "permission"]
        self.assertEqual([c["action"] for c in found], ["Microsoft.App/containerApps/listSecrets/action"])
        done = self.run_ok("apply", "--yes", "--skip-checks", status=1)
        self.assertIn("what others added to properties.configuration.secrets, which the write would remove", done.stdout)
        self.box.set_faults("faults: []\n")
        self.assertEqual(self.secrets(), {"ours": "abcdefgh12345678", "theirs": "hush-hush"})


SERVER = "Microsoft.DBforPostgreSQL/flexibleServers/psql-edge"
ZONE = "Microsoft.Network/privateDnsZones/edge.internal"


class Removed(Edge):
    def removes(self, address, *paths, action="update"):
        plan = self.plan()
        self.assertEqual(list(plan), [address], plan)
        self.assertEqual((plan[address]["action"], [(c["path"], c["action"]) for c in plan[address]["changes"]]),
                         (action, [(p, "remove") for p in paths]))
        self.settles()

    def test_a_property(self):
        self.edit("      dns: 10.0.0.10\n", "")
        self.removes("edge.net", "properties.dhcpOptions")
        self.assertFalse(self.get(VNET).json["properties"].get("dhcpOptions", {}).get("dnsServers"))

    def test_an_element_by_its_key(self):
        self.edit("two: 110", "")
        self.removes("edge.guard", "properties.securityRules[two]")
        self.assertEqual([r["name"] for r in self.get(NSG).json["properties"]["securityRules"]], ["one"])

    def test_an_element_in_a_patch(self):
        self.edit("[203.0.113.7, 203.0.113.8]", "[203.0.113.8]")
        self.removes("edge.files", "properties.networkAcls.ipRules[203.0.113.7]")
        acls = self.get(STORAGE, "2025-01-01").json["properties"]["networkAcls"]
        self.assertEqual([r["value"] for r in acls["ipRules"]], ["203.0.113.8"])

    def test_the_last_element(self):
        self.edit("[203.0.113.7, 203.0.113.8]", "[]")
        self.removes("edge.files", "properties.networkAcls.ipRules[203.0.113.7]", "properties.networkAcls.ipRules[203.0.113.8]")
        self.assertEqual(self.get(STORAGE, "2025-01-01").json["properties"]["networkAcls"]["ipRules"], [])

    def test_a_tag_of_each_resource(self):
        self.edit(", stage: dev", "")
        plan = self.plan()
        self.assertEqual({c["path"] for a in plan.values() for c in a["changes"]}, {"tags.stage"})
        self.settles()
        for resource in (NSG, VNET):
            self.assertNotIn("stage", self.get(resource).json["tags"])
        self.assertNotIn("stage", self.get(STORAGE, "2025-01-01").json["tags"])

    def test_a_child(self):
        self.edit("[first, second]", "[first]")
        self.assertEqual({a: i["action"] for a, i in self.plan().items()}, {'edge.record["second"]': "delete"})
        self.settles()
        self.assertEqual(self.get(ZONE + "/A/second", "2024-06-01").status, 404)
        self.assertEqual(self.get(ZONE + "/A/first", "2024-06-01").status, 200)

    def test_a_resource(self):
        service = SERVICE[:SERVICE.index("  files:")] + SERVICE[SERVICE.index("  server:"):]
        self.stack.write("catalog/services/edge/service.yaml", service)
        self.assertEqual({a: i["action"] for a, i in self.plan().items()}, {"edge.files": "delete"})
        self.apply("--allow-data-loss", "edge.files")
        self.assertEqual(self.plan(), {})
        self.assertEqual(self.get(STORAGE, "2025-01-01").status, 404)

    def test_what_cannot_be_deleted_is_set_back(self):
        parameter = SERVER + "/configurations/work_mem"
        self.assertEqual(self.get(parameter, "2025-08-01").json["properties"]["value"], "8192")
        self.edit('work_mem: "8192", ', "")
        plan = self.plan()
        self.assertEqual({a: i["action"] for a, i in plan.items()}, {'edge.parameter["work_mem"]': "reset"})
        changes = plan['edge.parameter["work_mem"]']["changes"]
        self.assertIn(("properties.value", "8192", "4096"), [(c["path"], c["actual"], c["desired"]) for c in changes])
        self.assertRegex(self.run_ok("plan", "--skip-checks").stdout, 'reset +parameter\\["work_mem"\\]')
        self.assertIn("1 set back", self.apply().stdout)
        self.assertEqual(self.plan(), {})
        now = self.get(parameter, "2025-08-01").json["properties"]
        self.assertEqual((now["value"], now["source"]), ("4096", "system-default"))

    def test_what_goes_with_its_parent_is_not_set_back(self):
        service = SERVICE[:SERVICE.index("  server:")] + SERVICE[SERVICE.index("  zone:"):]
        self.stack.write("catalog/services/edge/service.yaml", service)
        plan = self.plan()
        self.assertEqual({a: i["action"] for a, i in plan.items() if i.get("goes_with") is None}, {"edge.server": "delete"})
        self.apply("--allow-data-loss", "edge.server")
        self.assertEqual(self.plan(), {})


class Refused(Edge):
    """Steps that a service does not take are errors of the plan, and nothing is written."""

    def refuses(self, *texts):
        found = [c for c in json.loads(self.run_ok("plan", "--skip-checks", "-o", "json").stdout)["checks"]
                 if c["check"] == "change"]
        self.assertEqual(len(found), 1, found)
        before = len(self.box.requests())
        done = self.run_ok("apply", "--yes", "--skip-checks", status=65)
        for text in texts:
            self.assertIn(text, found[0]["text"])
            self.assertIn(text, done.stderr)
        self.assertEqual([r for r in self.box.requests()[before:] if r["method"] in ("PUT", "PATCH", "DELETE")
                          and "/providers/" in r["path"]], [])

    def test_storage_that_only_grows(self):
        self.edit("storage: 64", "storage: 32")
        self.refuses("edge.server: properties.storage.storageSizeGB 64 -> 32", "can't be made smaller")

    def test_an_address_space_that_others_use(self):
        self.put(VNET, lambda net: net["properties"]["subnets"].append(
            {"name": "theirs", "properties": {"addressPrefix": "10.1.9.0/24"}}))
        self.edit("[10.0.0.0/16, 10.1.0.0/16]", "[10.0.0.0/16]")
        self.refuses("edge.net: properties.addressSpace.addressPrefixes", "10.1.9.0/24")

    def test_an_address_space_that_nobody_uses(self):
        self.edit("[10.0.0.0/16, 10.1.0.0/16]", "[10.0.0.0/16]")
        self.settles()

    def test_a_version_that_goes_back(self):
        self.edit("release: 3.2.0", "release: 3.1.9")
        self.refuses("edge.release: 3.2.0 -> 3.1.9: one at a time")

    def test_a_version_that_is_skipped(self):
        self.edit("release: 3.2.0", "release: 5.0.0")
        self.refuses("edge.release: 3.2.0 -> 5.0.0")
        self.edit("release: 5.0.0", "release: 4.0.0")
        self.settles()
        self.edit("release: 4.0.0", "release: 3.9.0")
        self.refuses("edge.release: 4.0.0 -> 3.9.0")
        self.run_ok("destroy", "--yes")  # what is taken down may have any version


if __name__ == "__main__":
    unittest.main()
