"""Two services of one kind in one stack: what both need once is shared, the rest is told apart, and none of it is lost
when the one that owned it goes."""
import json
import os
import shutil
import unittest

from stacks import SandboxTest

HEAD = """\
deployer: 1
stack: langfuse
location: japaneast
azure: {subscription: "${env.AZURE_SUBSCRIPTION_ID}", resource_group: rg-twins}
services:
"""
TWINS = HEAD + "  cache: {use: redis}\n  queue: {use: redis}\n"
QUEUE = HEAD + "  queue: {use: redis}\n"
KINDS = HEAD + """\
  postgres: {use: postgres}
  analytics: {use: postgres}
  blob: {use: blob}
  media: {use: blob}
  redis: {use: redis}
  queue: {use: redis}
  clickhouse: {use: clickhouse}
  events: {use: clickhouse, with: {native_port: 9001, http_port: 8124}}
  langfuse: {use: langfuse, with: {hostname: a.example.com, scheme: http}, needs: {postgres: postgres, redis: redis, clickhouse: clickhouse, blob: blob}}
  trial: {use: langfuse, with: {hostname: b.example.com, scheme: http}, needs: {postgres: analytics, redis: queue, clickhouse: events, blob: media}}
  gateway: {use: gateway, with: {insecure: true}, needs: {backend: langfuse}}
  front: {use: gateway, with: {insecure: true}, needs: {backend: trial}}
"""
ZONE = "/privateDnsZones/privatelink.redis.azure.net"
GONE = ("--allow-data-loss", "all")


class Twins(SandboxTest):
    def setUp(self):
        super().setUp()
        self.write("stack.yaml", TWINS)

    def entries(self):
        """address -> the end of the id"""
        entries = self.state()["entries"].values()
        self.assertEqual(len(entries), len({e["address"] for e in entries}))
        return {e["address"]: e["id"].split("/providers/")[-1] for e in entries}

    def touched(self):
        """Requests so far that changed the zone or its link."""
        return [r for r in self.sandbox.requests() if ZONE in r["path"] and r["method"] not in ("GET", "HEAD")]

    def is_there(self, part):
        return any(i.endswith(part) for i in self.sandbox.resources())

    def test_life(self):
        text = self.run_cli("plan").out
        self.assertIn("zone shared with queue.zone", text)
        actions = {a["address"]: a for a in self.plan()["actions"]}
        self.assertEqual(actions["cache.zone"]["shared_with"], ["queue.zone"])
        self.assertEqual(actions["cache.link"]["shared_with"], ["queue.link"])
        self.assertIn("cache.zone", actions["queue.zone_group"]["needs"])
        self.assertNotIn("queue.zone", actions)
        self.apply()
        self.assert_no_change()
        self.assertEqual(len(self.touched()), 2)
        names = {self.entries()[a].split("/")[-1] for a in ("cache.cluster", "queue.cluster")}
        self.assertEqual(len(names), 2)
        # its user goes: nothing of what it used
        self.write("stack.yaml", TWINS.replace("  queue: {use: redis}\n", ""))
        self.assertEqual({a["action"] for a in self.changing(self.plan()).values()}, {"delete"})
        self.apply(*GONE)
        self.assert_no_change()
        self.assertIn("cache.zone", self.entries())
        self.assertEqual(len(self.touched()), 2)
        self.run_cli("destroy", "--yes")
        self.assertEqual(self.sandbox.resources(), {})

    def test_owner_goes(self):
        self.apply()
        self.write("stack.yaml", QUEUE)
        change = self.changing(self.plan())
        self.assertEqual((change["queue.zone"]["action"], change["queue.zone"]["moved_from"]), ("move", "cache.zone"))
        self.assertEqual(change["queue.link"]["action"], "move")
        self.assertEqual({a["action"] for n, a in change.items() if n.startswith("cache.")}, {"delete"})
        self.assertNotIn("cache.zone", change)
        self.run_cli("apply", "--yes", status=73)  # the other cache's data is protected as ever
        self.apply(*GONE)
        self.assert_no_change()
        entries = self.entries()
        self.assertTrue(entries["queue.zone"].endswith(ZONE))
        self.assertFalse([a for a in entries if a.startswith("cache.")])
        self.assertEqual(len(self.touched()), 2)  # made once, and not touched since
        self.assertTrue(self.is_there(ZONE) and self.is_there(ZONE + "/virtualNetworkLinks/vnet-langfuse"))
        # and back, in front of it: moved again
        self.write("stack.yaml", TWINS)
        self.apply()
        self.assert_no_change()
        self.assertEqual(len(self.touched()), 2)
        self.assertIn("cache.zone", self.entries())
        self.run_cli("destroy", "--yes")
        self.assertEqual(self.sandbox.resources(), {})
        self.assertEqual(self.state()["entries"], {})

    def test_names_stay(self):
        """The first one's when another comes, wherever it stands; the second one's when the first goes; both when renamed."""
        self.write("stack.yaml", QUEUE)
        self.apply()
        self.assertNotIn("labels", self.state())  # one of a kind: nothing to remember
        first = self.entries()["queue.cluster"]
        self.write("stack.yaml", TWINS)
        change = self.changing(self.plan())
        self.assertEqual({a["action"] for n, a in change.items() if n.startswith("queue.")}, set())
        self.apply()
        self.assert_no_change()
        self.assertEqual(self.entries()["queue.cluster"], first)
        second = self.entries()["cache.cluster"]
        self.assertNotEqual(first, second)
        self.write("stack.yaml", TWINS.replace("cache:", "sessions:"))
        self.assertEqual({a["action"] for a in self.changing(self.plan()).values()}, {"move"})
        self.apply()
        self.assert_no_change()
        self.write("stack.yaml", HEAD + "  sessions: {use: redis}\n")
        self.apply(*GONE)
        self.assert_no_change()
        self.assertEqual(self.entries()["sessions.cluster"], second)
        self.write("stack.yaml", HEAD + "  redis: {use: redis}\n")  # alone, and renamed
        self.assertEqual({a["action"] for a in self.changing(self.plan()).values()}, {"move"})
        self.apply()
        self.assert_no_change()
        self.assertEqual(self.entries()["redis.cluster"], second)
        # what is taken away and put back before it is gone is the same one
        self.write("stack.yaml", HEAD + "  redis: {use: redis}\n  queue: {use: redis}\n")
        self.apply()
        third = self.entries()["queue.cluster"]
        self.write("stack.yaml", HEAD + "  queue: {use: redis}\n")
        self.run_cli("apply", "--yes", status=73)
        self.write("stack.yaml", HEAD + "  redis: {use: redis}\n  queue: {use: redis}\n")
        self.assert_no_change()
        self.assertEqual((self.entries()["redis.cluster"], self.entries()["queue.cluster"]), (second, third))

    def test_saved_plan_and_lost_state(self):
        self.apply()
        self.write("stack.yaml", QUEUE)
        self.run_cli("plan", "--save", "p.json")
        self.run_cli("apply", "--yes", "--plan", "p.json", *GONE)
        self.assert_no_change()
        # whose tag still names the first owner
        shutil.rmtree(os.path.join(self.stack, ".deployer"))
        self.run_cli("import", "--yes", "--take-over")
        self.assertIn("queue.zone", self.entries())
        plan = self.changing(self.plan("--take-over"))
        self.assertFalse({a["action"] for a in plan.values()} & {"create", "delete", "replace"})

    def test_an_id_that_was_recorded_goes_along(self):
        """Taken over in another group: the next owner finds it there."""
        self.write("stack.yaml", TWINS.replace("rg-twins", "rg-old"))
        self.apply()
        shutil.rmtree(os.path.join(self.stack, ".deployer"))
        self.write("stack.yaml", TWINS)
        self.run_cli("import", "--yes", "--resource-group", "rg-old", "--take-over")
        self.apply()
        self.assert_no_change()
        self.write("stack.yaml", QUEUE)
        self.assertEqual(self.changing(self.plan())["queue.zone"]["action"], "move")
        self.apply(*GONE)
        self.assert_no_change()
        self.assertEqual(len(self.touched()), 2)
        ids = self.state()["ids"]
        self.assertIn("/rg-old/", ids["queue.zone"])
        self.assertNotIn("cache.zone", ids)

    def test_named_as_existing(self):
        """What the other service makes can be named as existing: read there, once it is there."""
        base = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-twins/providers/Microsoft.Network" + ZONE
        existing = TWINS.replace("queue: {use: redis}", 'queue: {use: redis, existing: {zone: "%s"}}' % base)
        self.write("stack.yaml", existing)
        self.assertIn("cache.zone makes it: take it out of `existing`", self.run_cli("apply", "--yes", status=65).err)
        self.write("stack.yaml", TWINS)
        self.apply()
        self.write("stack.yaml", existing)
        self.assertIn("are one resource", self.run_cli("plan", status=65).err)
        self.write("stack.yaml", existing.replace('"}', '", link: "%s/virtualNetworkLinks/vnet-langfuse"}' % base, 1))
        self.assert_no_change()
        self.apply()
        self.assertIn("cache.zone", self.entries())

    def test_every_kind(self):
        self.write("stack.yaml", KINDS)
        self.apply()
        self.assert_no_change()
        zones = [i for i in self.entries().values() if "/privateDnsZones/privatelink." in i and "/virtualNetworkLinks/" not in i]
        self.assertEqual(len(zones), 4)
        outputs = json.loads(self.run_cli("outputs", "-o", "json").out)
        self.assertIn("9001", json.dumps(outputs))
        self.run_cli("destroy", "--yes")
        self.assertEqual(self.sandbox.resources(), {})

    def test_what_can_not_be_twice(self):
        """Each has its next step."""
        self.write("stack.yaml", KINDS.replace(", with: {native_port: 9001, http_port: 8124}", ""))
        text = self.run_cli("validate", status=1).out
        self.assertIn("exposedPort 9000 is also that of clickhouse", text)
        self.assertIn("native_port", text)
        self.assertIn("analytics has the same POSTGRES_PASSWORD as postgres", text)
        self.assertIn('password: "${secret.ANALYTICS_PASSWORD}"', text)
        self.write("stack.yaml", KINDS.replace("postgres: postgres, redis: redis", "redis: redis"))
        error = self.run_cli("validate", status=65).err
        self.assertIn("several services fit, say which one: postgres, analytics", error)
        self.assertIn("langfuse: {use: langfuse, needs: {postgres: ", error)
        self.write("stack.yaml", HEAD + "  containers: {use: containers}\n  more: {use: containers}\n")
        self.assertIn("needs: {network: NAME}", self.run_cli("validate", status=1).out)


if __name__ == "__main__":
    unittest.main()
