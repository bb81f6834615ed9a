"""What services say of regions, SKUs and quotas before the first write: enough is silent, too little is told and
nothing is written."""
import json
import os
import unittest

from test_firstwrite import Case, POSTGRES, STACK

OWN = STACK.replace("blob: {use: blob}", "own: {use: own}").replace("location:", "catalog: [catalog]\nlocation:")


def settings(**values):
    return "settings: %s\n" % json.dumps(values)


def quotas(**values):
    return settings(quotas=values)


class Offers(Case):
    SERVER = """\
  it:
    kind: postgres_server
    name: "psql-own"
    body:
      sku: {name: %s, tier: %s}
      properties: {version: "%s", administratorLogin: x, administratorLoginPassword: abcdefgh12345678, createMode: Create, network: {publicNetworkAccess: Enabled}, %s}
"""

    def own(self, resources, text=OWN):
        """A stack of one service with these resources."""
        stack = self.stack(text)
        os.makedirs(stack.path("catalog/services/own"))
        self.write_own(stack, resources)
        return stack

    def write_own(self, stack, resources):
        stack.write("catalog/services/own/service.yaml",
                    "format: 1\nservice: own\ntitle: Own\nmain: it\nresources:\n" + resources)

    def told(self, stack, check):
        """The texts of errors of that check; all others are absent."""
        found = self.checks(stack)
        self.assertEqual({f["check"] for f in found if f["severity"] == "error"} - {check}, set(), found)
        return [f for f in found if f["check"] == check and f["severity"] == "error"]

    def refused(self, stack, *texts):
        before = len(self.writes())
        done = self.run_ok(stack, "apply", "--yes", status=65)
        for text in texts:
            self.assertIn(text, done.stderr)
        self.assertEqual(len(self.writes()), before)

    def test_postgres_vcores(self):
        self.sandbox(quotas(standardDDSv5Family={"left": 2}, cores={"used": 346, "limit": 350}))
        one = self.stack(POSTGRES % "tier: GeneralPurpose, sku: Standard_D2ds_v5")
        self.assertEqual(self.told(one, "quota"), [])
        self.box.set_faults(quotas(standardDDSv5Family={"used": 9, "limit": 10}))
        found, = self.told(one, "quota")
        self.assertEqual((found["address"], found["used"], found["limit"], found["wanted"]), ("postgres.server", 9, 10, 2))
        self.assertEqual((found["file"], found["line"]), ("stack.yaml", 6))
        self.assertIn("vCores of standardDDSv5Family for PostgreSQL in japaneast: 9 of 10 are in use, 2 more are planned",
                      found["text"])
        self.assertIn("ask for more", found["hint"])
        self.refused(one, "9 of 10 are in use", "stack.yaml:6")
        # a standby counts too, and the region's cores
        self.box.set_faults(quotas(standardDDSv5Family={"left": 3}, cores={"left": 3}))
        one.write("stack.yaml", POSTGRES % "tier: GeneralPurpose, sku: Standard_D2ds_v5, high_availability: SameZone")
        self.assertEqual([f["wanted"] for f in self.told(one, "quota")], [4, 4])
        # two servers take of one quota
        server = self.SERVER % ("Standard_D2ds_v5", "GeneralPurpose", "16", "")
        two = self.own(server + server.replace("  it:", "  b:").replace("psql-own", "psql-two"))
        found = self.told(two, "quota")
        self.assertEqual([f["wanted"] for f in found], [4, 4])
        self.assertTrue(found[0]["text"].startswith("own.it, own.b: "), found[0]["text"])
        # a burstable one takes of another one
        one.write("stack.yaml", POSTGRES % "sku: Standard_B2ms")
        self.assertEqual(self.told(one, "quota"), [])
        self.box.set_faults(quotas(standardBSFamily={"left": 1}))
        self.assertIn("standardBSFamily", self.told(one, "quota")[0]["text"])

    def test_an_update_takes_the_difference(self):
        self.sandbox(settings())
        stack = self.stack(POSTGRES % "tier: GeneralPurpose, sku: Standard_D2ds_v5")
        self.run_ok(stack, "apply", "--yes")
        self.box.set_faults(quotas(standardDDSv5Family={"left": 2}))
        stack.write("stack.yaml", POSTGRES % "tier: GeneralPurpose, sku: Standard_D4ds_v5")
        self.assertEqual(self.told(stack, "quota"), [])
        self.box.set_faults(quotas(standardDDSv5Family={"left": 1}))
        self.assertEqual([f["wanted"] for f in self.told(stack, "quota")], [2])
        stack.write("stack.yaml", POSTGRES % "tier: MemoryOptimized, sku: Standard_E4ds_v5")
        self.assertEqual(self.told(stack, "quota"), [])
        self.box.set_faults(quotas(standardEDSv5Family={"left": 3}))
        self.assertEqual([f["wanted"] for f in self.told(stack, "quota")], [4])

    def test_postgres_capabilities(self):
        self.sandbox(settings())
        gp = ("Standard_D2ds_v5", "GeneralPurpose", "16")
        rows = [  # body, settings, check, text
            (self.SERVER % (gp + ("availabilityZone: '1'",)), {}, "zone", None),
            (self.SERVER % (gp + ("availabilityZone: '4'",)), {}, "zone", "Standard_D2ds_v5 is not offered in zone 4 of japaneast"),
            (self.SERVER % (gp + ("highAvailability: {mode: ZoneRedundant, standbyAvailabilityZone: '9'}",)), {}, "zone", "in zone 9"),
            (self.SERVER % (gp + ("storage: {storageSizeGB: 4095}",)), {}, "storage", None),
            (self.SERVER % (gp + ("storage: {storageSizeGB: 4095}",)), {"not_offered": ["ManagedDisk"]}, "storage",
             "4095 GiB is no size of a server's disk"),
            (self.SERVER % (gp + ("storage: {storageSizeGB: 100, type: PremiumV2_LRS}",)), {}, "storage", None),
            (self.SERVER % (gp + ("storage: {storageSizeGB: 100, type: PremiumV2_LRS}",)), {"not_offered": ["ManagedDiskV2"]}, "storage",
             "100 GiB is no size of a Premium SSD v2 in japaneast"),
            (self.SERVER % (gp + ("backup: {geoRedundantBackup: Enabled}",)), {}, "storage", None),
            (self.SERVER % (gp + ("backup: {geoRedundantBackup: Enabled}",)), {"not_offered": ["GeoBackup"]}, "storage", "no geo-redundant"),
            (self.SERVER % ("Standard_D2ds_v5", "GeneralPurpose", "16", ""), {"not_offered": ["standard_d2ds_v5"]}, "sku",
             "Standard_D2ds_v5 is not offered in japaneast (Standard_D"),
            (self.SERVER % ("Standard_D2ds_v5", "GeneralPurpose", "16", ""), {"restricted": {"Standard_D2ds_v5": "No capacity today."}},
             "sku", "can't be had by this subscription in japaneast: No capacity today."),
            (self.SERVER % ("Standard_D2ds_v5", "GeneralPurpose", "17", ""), {"not_offered": ["17"]}, "version",
             "PostgreSQL 17 is not offered in japaneast"),
        ]
        stack = self.own(rows[0][0])
        for resources, faults, check, text in rows:
            with self.subTest(text=text, resources=resources):
                self.write_own(stack, resources)
                self.box.set_faults(settings(**faults))
                found = self.told(stack, check)
                if text is None:
                    self.assertEqual(found, [])
                    continue
                self.assertIn(text, " ".join(f["text"] for f in found))
                self.assertTrue(all(f["hint"] for f in found))
        self.write_own(stack, rows[0][0])
        self.box.set_faults(settings(restricted={"Microsoft.DBforPostgreSQL": "Choose another region."}))
        found = [f["text"] for f in self.checks(stack) if f["check"] == "region"]
        self.assertEqual(len(found), 2)
        self.assertIn("Choose another region.", found[1])
        self.refused(stack, "Choose another region.")

    def test_container_apps(self):
        own = """\
  env:
    kind: managed_environment
    name: env
    body: {properties: {workloadProfiles: [{name: Consumption, workloadProfileType: Consumption}%s]}}
  it:
    kind: container_app
    name: app
    body: {properties: {environmentId: "${resource.env.id}", template: {containers: [{name: a, image: a.io/b:1, resources: {cpu: 1.5, memory: 3Gi}}], scale: {minReplicas: %d, maxReplicas: 9}}}}
"""
        self.sandbox(quotas(ManagedEnvironmentCount={"left": 1}))
        stack = self.own(own % ("", 1))
        self.assertEqual(self.told(stack, "quota"), [])
        self.box.set_faults(quotas(ManagedEnvironmentCount={"used": 50}))
        found, = self.told(stack, "quota")
        self.assertIn("own.env: container apps environments in japaneast: 50 of 50 are in use, 1 more are planned", found["text"])
        self.refused(stack, "50 of 50 are in use")
        self.box.set_faults(settings(not_offered=["D4"]))
        self.write_own(stack, own % (", {name: d, workloadProfileType: D4, minimumCount: 1, maximumCount: 3}", 1))
        found, = self.told(stack, "sku")
        self.assertIn("the workload profile D4 is not offered in japaneast", found["text"])
        # what an environment has left is known once it is there
        self.box.set_faults(settings())
        self.run_ok(stack, "apply", "--yes")
        self.write_own(stack, own % (", {name: d, workloadProfileType: D4, minimumCount: 2, maximumCount: 3}", 3))
        self.box.set_faults(quotas(ManagedEnvironmentConsumptionCores={"left": 3}, ManagedEnvironmentGeneralPurposeCores={"left": 4}))
        self.assertEqual(self.told(stack, "quota"), [])
        self.box.set_faults(quotas(ManagedEnvironmentConsumptionCores={"left": 2}, ManagedEnvironmentGeneralPurposeCores={"left": 3}))
        self.assertEqual(sorted((f["address"], f["wanted"]) for f in self.told(stack, "quota")), [("own.env", 4), ("own.it", 3)])
        self.refused(stack, "cores of the environment: 0 of 2 are in use, 3 more are planned")

    def test_storage_and_network(self):
        self.sandbox(quotas(StorageAccounts={"left": 1}, VirtualNetworks={"left": 1}, NetworkSecurityGroups={"left": 3},
                            PrivateEndpoints={"left": 1}))
        stack = self.stack()
        self.assertEqual(self.told(stack, "quota"), [])
        self.box.set_faults(quotas(StorageAccounts={"left": 0}, VirtualNetworks={"left": 0}, NetworkSecurityGroups={"left": 2},
                                   PrivateEndpoints={"left": 0}))
        found = {f["address"]: f for f in self.told(stack, "quota")}
        self.assertEqual({a: f["wanted"] for a, f in found.items()},
                         {"blob.account": 1, "network.vnet": 1, "network.nsg_apps": 3, "blob.endpoint": 1})
        self.assertIn("network.nsg_apps, network.nsg_pe, network.nsg_gateway: ", found["network.nsg_apps"]["text"])
        self.refused(stack, "3 of 3 are in use, 1 more are planned")
        self.box.set_faults(settings(restricted={"Standard_ZRS": "NotAvailableForSubscription"}))
        self.assertEqual(self.told(stack, "sku"), [])
        stack.write("stack.yaml", STACK.replace("{use: blob}", "{use: blob, with: {sku: Standard_ZRS}}"))
        self.assertIn("NotAvailableForSubscription", self.told(stack, "sku")[0]["text"])
        self.box.set_faults(settings(not_offered=["Standard_ZRS"]))
        self.assertIn("Standard_ZRS for StorageV2 is not offered in japaneast", self.told(stack, "sku")[0]["text"])
        # what is there counts: a plan that adds nothing asks for nothing
        self.box.set_faults(settings())
        self.run_ok(stack, "apply", "--yes")
        usage = self.box.call("GET", self.box.subscription + "/providers/Microsoft.Storage/locations/japaneast/usages",
                              version="2026-04-01").json["value"][0]
        self.assertEqual((usage["currentValue"], "count" in usage), (4, False))

    def test_public_addresses_and_a_scaled_cache(self):
        self.sandbox(quotas(PublicIPAddresses={"left": 1}, IPv4StandardSkuPublicIpAddresses={"left": 1}))
        own = """\
  it:
    kind: public_ip
    name: ip
    body: {sku: {name: Standard}, properties: {publicIPAllocationMethod: Static}}
  cache:
    kind: redis_enterprise
    name: cache
    body: {sku: {name: %s}, properties: {publicNetworkAccess: Enabled}}
"""
        stack = self.own(own % "Balanced_B0")
        self.assertEqual(self.told(stack, "quota"), [])
        self.box.set_faults(quotas(PublicIPAddresses={"left": 1}, IPv4StandardSkuPublicIpAddresses={"left": 0}))
        self.assertIn("Standard SKU in japaneast", self.told(stack, "quota")[0]["text"])
        self.box.set_faults(settings())
        self.run_ok(stack, "apply", "--yes")
        self.write_own(stack, own % "Balanced_B5")
        self.assertEqual(self.told(stack, "sku"), [])
        self.box.set_faults(settings(not_offered=["Balanced_B5"]))
        self.assertIn("this cluster can't be scaled to Balanced_B5 (Balanced_B", self.told(stack, "sku")[0]["text"])
        self.refused(stack, "can't be scaled to Balanced_B5")


if __name__ == "__main__":
    unittest.main()
