"""Secrets that stand only in the stack's vault: what is asked, what is kept nowhere, what is said when it refuses."""
import json
import os
import re
import unittest

import stacks

API = "7.4"
VAULT = "kv-test"


def names_of(env):
    """{NAME: value} of a .env's secrets: what looks like one."""
    found = dict(re.findall(r"^([A-Z_]+)=(\S+)$", env, re.M))
    return {k: v for k, v in found.items() if re.search("PASSWORD|SECRET|KEY|SALT", k)}


class Vault(stacks.SandboxTest):
    def setUp(self):
        super().setUp()
        env = self.read(".env")
        self.secrets = names_of(env)
        self.assertGreaterEqual(len(self.secrets), 4)
        for name, value in self.secrets.items():
            env = env.replace("%s=%s" % (name, value), "")
        self.write(".env", env)
        self.edit("stack.yaml", "\nservices:", "\nvault: %s\nservices:" % VAULT)
        self.edit("stack.yaml", "{use: clickhouse}", "{use: clickhouse, with: {password: '${secret.CLICKHOUSE_PASSWORD}'}}")
        self.line = 1 + self.read("stack.yaml").split("\n").index("vault: " + VAULT)

    def make_vault(self, **properties):
        group = self.sandbox.subscription + "/resourceGroups/rg-vault"
        done = self.sandbox.call("PUT", group, {"location": "japaneast"}, "2025-04-01")
        self.assertIn(done.status, (200, 201), done.text)
        body = {"location": "japaneast", "properties": {"tenantId": self.sandbox.info["tenant"],
                "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True, **properties}}
        done = self.sandbox.call("PUT", "%s/providers/Microsoft.KeyVault/vaults/%s" % (group, VAULT), body, "2026-02-01")
        self.assertIn(done.status, (200, 201), done.text)

    def vault(self, method, path, body=None, **more):
        host = "%s.vault.localhost:%d" % (VAULT, self.sandbox.port)
        return self.sandbox.call(method, path, body, API, {"Host": host, **more})

    def put(self, name, value, **more):
        done = self.vault("PUT", "/secrets/" + name.replace("_", "-"), {"value": value, **more})
        self.assertEqual(done.status, 200, done.text)

    def fill(self):
        self.make_vault()
        for name, value in self.secrets.items():
            self.put(name, value)

    def asked(self):
        """Paths that the vault was asked for."""
        with open(os.path.join(self.sandbox.dir, "requests.jsonl")) as f:
            rows = [json.loads(line) for line in f]
        return [r["path"] for r in rows if r["path"].startswith("/secrets/") and r["method"] == "GET"]

    def assert_kept_nowhere(self, *results):
        texts = [r.out + r.err for r in results]
        for folder, _, files in os.walk(self.stack):
            for name in files:
                with open(os.path.join(folder, name), errors="replace") as f:
                    texts.append(f.read())
        for name, value in self.secrets.items():
            for text in texts:
                self.assertNotIn(value, text, name)

    def test_whole_way(self):
        valid = self.run_cli("validate")
        config = self.run_cli("config")
        for name in ("services.postgres.with.password", "services.langfuse.with.salt", "secret.CLICKHOUSE_PASSWORD"):
            self.assertRegex(config.out, r"\b%s = \(secret\) +# key vault %s, stack.yaml:%d\n" % (name, VAULT, self.line))
        self.assertRegex(config.out, r"\bservices.langfuse.with.init_user_password = \(secret\) +# key vault %s, if it has one, " % VAULT)
        self.fill()
        applied = self.apply("--log-level", "debug")
        asked = self.asked()
        self.assertEqual(len(asked), len(set(asked)), "each name once")
        self.assertLessEqual({"/secrets/" + n.replace("_", "-") for n in self.secrets}, set(asked))
        again = self.run_cli("plan", "--detailed-exitcode", "--save", "saved.plan", status=None)
        self.assertEqual(again.status, 0, str(again))
        outputs = self.run_cli("outputs", "-o", "json")
        self.assert_kept_nowhere(valid, config, applied, again, outputs)

        # What the containers were given is what the vault has.
        stored = json.dumps(list(self.sandbox.resources().values()))
        self.assertIn(self.secrets["SALT"], stored)

        # A rotated secret shows in the documents of its readers alone, as a digest.
        self.put("NEXTAUTH_SECRET", "another-value-of-some-length")
        plan = self.run_cli("plan", "-o", "json")
        self.assertNotIn("another-value-of-some-length", plan.out)
        changing = self.changing(plan.json())
        self.assertTrue(changing)
        for address in changing:
            self.assertTrue(address.startswith("langfuse."), address)
        self.assertEqual({a["action"] for a in changing.values()}, {"update"})
        self.assertIn("langfuse.web", changing)
        self.apply()
        self.assert_no_change()

    def test_the_environment_and_env_file_come_first(self):
        self.make_vault()
        for name, value in self.secrets.items():
            if name not in ("SALT", "POSTGRES_PASSWORD"):
                self.put(name, value)
        self.write(".env", self.read(".env") + "\nSALT=%s\n" % self.secrets["SALT"])
        self.plan(env={"POSTGRES_PASSWORD": self.secrets["POSTGRES_PASSWORD"]})
        self.assertNotIn("/secrets/SALT", self.asked())
        self.assertNotIn("/secrets/POSTGRES-PASSWORD", self.asked())

    def test_what_destroy_and_status_do_not_need(self):
        self.fill()
        self.apply()
        count = len(self.asked())
        self.vault("DELETE", "/secrets/SALT")
        self.run_cli("status")
        self.run_cli("destroy", "--yes")
        self.assertEqual(len(self.asked()), count)

    def test_what_is_missing(self):
        self.fill()
        self.vault("DELETE", "/secrets/SALT")
        plan = self.run_cli("plan", status=65)
        self.assertRegex(plan.err, r"stack\.yaml:\d+:\d+: .*the secret SALT is not set")
        self.assertIn("put it into the vault %s" % VAULT, plan.err)
        self.vault("PUT", "/secrets/SALT", {"value": "x"})
        self.assertEqual(self.vault("PUT", "/secrets/SALT", {"value": "x"}).status, 409)
        self.assertEqual(self.vault("POST", "/deletedsecrets/SALT/recover").status, 200)
        self.run_cli("plan")

    def test_a_value_of_the_wrong_form_is_told(self):
        self.fill()
        self.put("ENCRYPTION_KEY", "not-hexadecimal")
        plan = self.run_cli("plan", status=65)
        self.assertRegex(plan.err, r"stack\.yaml:\d+:\d+: ")
        self.assertIn("encryption_key", plan.err)
        self.assertNotIn("not-hexadecimal", plan.out + plan.err)


class Refusals(Vault):
    faults = "faults: []\n"
    FORBIDDEN = "{status: 403, body: '%s'}"

    def refuse(self, inner):
        body = json.dumps({"error": {"code": "Forbidden", "message": "Caller is not authorized.\r\nCaller: appid=x",
                                     "innererror": {"code": inner}}})
        self.sandbox.set_faults("faults:\n  - match: {path: '/secrets/*'}\n    do: " + self.FORBIDDEN % body + "\n")

    # Those of the base class ran already.
    test_whole_way = test_what_is_missing = test_the_environment_and_env_file_come_first = None
    test_what_destroy_and_status_do_not_need = test_a_value_of_the_wrong_form_is_told = None

    def test_each_says_what_to_do(self):
        self.fill()
        rows = [("ForbiddenByRbac", "Key Vault Secrets User"), ("AccessDenied", "access policies"),
                ("ForbiddenByFirewall", "firewall"), ("ForbiddenByConnection", "in its network")]
        for inner, hint in rows:
            self.refuse(inner)
            plan = self.run_cli("plan", status=77)
            self.assertRegex(plan.err, r"stack\.yaml:%d:8: vault %s: secret [A-Z-]+: HTTP 403 Forbidden \(%s\): Caller is not "
                             r"authorized\." % (self.line, VAULT, inner))
            self.assertIn(hint, plan.err)
            self.assertNotIn("appid", plan.err)
        self.sandbox.set_faults("faults:\n  - match: {path: '/secrets/*', count: 2}\n"
                                "    do: {status: 429, code: Throttled, message: slow down, headers: {Retry-After: 1}}\n")
        self.run_cli("plan")
        self.sandbox.set_faults("faults:\n  - match: {path: '/secrets/*', count: 1}\n"
                                "    do: {status: 401, code: Unauthorized, message: AKV10022}\n")
        self.run_cli("plan")
        self.sandbox.set_faults("faults:\n  - match: {path: '/secrets/*'}\n"
                                "    do: {status: 401, code: Unauthorized, message: 'AKV10032: Invalid issuer.'}\n")
        plan = self.run_cli("plan", status=77)
        self.assertIn("AKV10032", plan.err)
        self.assertIn("azure.tenant", plan.err)
        self.sandbox.set_faults("faults:\n  - match: {path: '/secrets/*'}\n    do: {status: 200, body: '{}'}\n")
        self.assertRegex(self.run_cli("plan", status=1).err, r"vault %s: secret [A-Z-]+: what answers is no vault" % VAULT)

    def test_vault_that_is_closed_or_not_there(self):
        plan = self.run_cli("plan", status=1)
        self.assertIn("vault %s: secret" % VAULT, plan.err)
        self.fill()
        self.make_vault(publicNetworkAccess="Disabled")
        plan = self.run_cli("plan", status=77)
        self.assertIn("ForbiddenByConnection", plan.err)
        self.make_vault(networkAcls={"defaultAction": "Deny"})
        plan = self.run_cli("plan", status=77)
        self.assertIn("ForbiddenByFirewall", plan.err)
        self.make_vault()
        self.put("SALT", self.secrets["SALT"], attributes={"enabled": False})
        plan = self.run_cli("plan", status=77)
        self.assertIn("enable the secret", plan.err)


class DataPlane(Vault):
    """The sandbox's own vault, as its clients see it."""
    test_whole_way = test_what_is_missing = test_the_environment_and_env_file_come_first = None
    test_what_destroy_and_status_do_not_need = test_a_value_of_the_wrong_form_is_told = None

    def test_versions_lists_and_challenge(self):
        self.make_vault()
        self.put("A", "first")
        self.put("A", "second", contentType="text/plain")
        now = self.vault("GET", "/secrets/A").json
        self.assertEqual((now["value"], now["contentType"]), ("second", "text/plain"))
        versions = self.vault("GET", "/secrets/A/versions").json["value"]
        self.assertEqual(len(versions), 2)
        self.assertEqual(self.vault("GET", "/secrets/A/" + versions[0]["id"].rsplit("/", 1)[1]).json["value"], "first")
        listed = self.vault("GET", "/secrets").json["value"]
        self.assertEqual([s["id"].rsplit("/", 1)[1] for s in listed], ["A"])
        self.assertNotIn("second", json.dumps(listed))
        host = "%s.vault.localhost:%d" % (VAULT, self.sandbox.port)
        bare = self.sandbox.send("GET", "/secrets/A?api-version=7.4", headers={"Host": host})
        self.assertEqual(bare.status, 401)
        self.assertIn('resource="https://vault.localhost:%d"' % self.sandbox.port, bare.headers["WWW-Authenticate"])
        self.assertEqual(self.vault("GET", "/secrets/none").code, "SecretNotFound")
        self.assertEqual(self.vault("GET", "/secrets/a_b").status, 400)
        self.assertEqual(self.vault("DELETE", "/secrets/A").status, 200)
        self.assertEqual(self.vault("GET", "/deletedsecrets/A").status, 200)
        self.assertEqual(self.vault("DELETE", "/deletedsecrets/A").status, 204)
        self.put("A", "third")
        self.assertEqual(self.vault("GET", "/secrets/A").json["value"], "third")
        # The control plane shows the same secret, without its value.
        path = self.sandbox.subscription + "/resourceGroups/rg-vault/providers/Microsoft.KeyVault/vaults/%s/secrets/A" % VAULT
        shown = self.sandbox.call("GET", path, version="2026-02-01")
        self.assertEqual(shown.status, 200)
        self.assertNotIn("third", shown.text)


if __name__ == "__main__":
    unittest.main()
