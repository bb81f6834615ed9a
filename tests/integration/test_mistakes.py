"""The mistakes that a stack file gets while it is written, each made in a good one: what is read then, and nothing beside it."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from support import DEPLOYER

GOOD = """\
deployer: 1
stack: langfuse
location: japaneast
azure:
  subscription: 5b500000-0000-4000-8000-000000000001
  resource_group: rg-langfuse-${var.stage}
inputs:
  stage: dev
services:
  postgres: {use: postgres}
  redis: {use: redis}
  clickhouse: {use: clickhouse}
  blob: {use: blob}
  langfuse:
    use: langfuse
    with: {hostname: langfuse.example.com, scheme: http}
  gateway:
    use: gateway
    with: {insecure: true}
    needs: {backend: langfuse}
environments:
  prod: {inputs: {stage: prod}}
"""
SECRETS = """\
POSTGRES_PASSWORD=postgres-password-of-a-test
CLICKHOUSE_PASSWORD=clickhouse-password-of-a-test
NEXTAUTH_SECRET=nextauth-secret-of-a-test
SALT=salt-of-a-test-that-is-long-enough
ENCRYPTION_KEY=%s
""" % ("0f" * 32)


class Mistakes(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="deployer-test-")
        self.addCleanup(shutil.rmtree, self.dir)
        with open(os.path.join(self.dir, ".env"), "w") as f:
            f.write(SECRETS)

    def validate(self, text, *args):
        """Exit status and the errors of the stack file: lines without its name."""
        with open(os.path.join(self.dir, "s.yaml"), "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        clean = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "ASAN_OPTIONS", "UBSAN_OPTIONS")}
        done = subprocess.run([DEPLOYER, "validate", "s.yaml", *args], cwd=self.dir, env=clean, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
        lines = [l for l in done.stderr.decode().splitlines() if not l.startswith(("  next: ", "deployer: "))]
        return done.returncode, [re.sub(r"^s\.yaml:", "", l) for l in lines]

    def change(self, old, new):
        self.assertEqual(GOOD.count(old), 1, old)
        return GOOD.replace(old, new)


class Consequences(Mistakes):
    def test_the_good_one_is_good(self):
        self.assertEqual(self.validate(GOOD), (0, []))

    def test_what_follows_from_an_error_is_not_told_beside_it(self):
        rows = [
            ("{use: redis}", "{use: redys}", ["11:16: services.redis.use: there is no service 'redys' (did you mean redis?)"]),
            ("use: langfuse\n", "use: langfus\n", ["15:10: services.langfuse.use: there is no service 'langfus' (did you mean langfuse?)"]),
            ("{use: redis}", "{use: zzz}", ["11:16: services.redis.use: there is no service 'zzz'"]),
            ("{use: redis}", "{ues: redis}", ["11:11: services.redis.ues: is not known here (did you mean use?)"]),
            ("redis: {use: redis}", "redis: 5", ["11:10: services.redis: is text, but must be a map"]),
            ("redis: {use: redis}", "redis:", ["11:9: services.redis: is empty, but must be a map"]),
            ("{use: redis}", "{use: [redis]}", ["11:16: services.redis.use: is a list, but must be text"]),
            ("stack: langfuse", "stack: [a]", ["2:8: stack: is a list, but must be text"]),
            ("stack: langfuse", "stak: langfuse", ["2:1: stak: is not known here (did you mean stack?)"]),
            ("deployer: 1", "deployr: 1", ["1:1: deployr: is not known here (did you mean deployer?)"]),
            ("location: japaneast", "locatoin: japaneast", ["3:1: locatoin: is not known here (did you mean location?)"]),
            ("azure:\n", "azur:\n", ["4:1: azur: is not known here (did you mean azure?)"]),
            ("  subscription:", "  subscripton:", ["5:3: azure.subscripton: is not known here (did you mean subscription?)"]),
            ("services:\n", "servces:\n", ["9:1: servces: is not known here (did you mean services?)"]),
            ("inputs:\n", "input:\n", ["7:1: input: is not known here (did you mean inputs?)"]),
            ("  stage: dev", "  stage: {type: string}", ["8:3: inputs.stage: has no value: it has no default"]),
            ("hostname:", "hostnme:", ["16:12: services.langfuse.with.hostnme: there is no input of service 'langfuse' called "
                                       "'hostnme' (did you mean hostname?)"]),
            ("{use: postgres}", '{use: postgres, with: {pasword: "${secret.SALT}"}}',
             ["10:36: services.postgres.with.pasword: there is no input of service 'postgres' called 'pasword' (did you mean password?)"]),
        ]
        for old, new, told in rows:
            with self.subTest(new):
                self.assertEqual(self.validate(self.change(old, new)), (65, told))

    def test_an_input_that_an_overlay_misspells(self):
        text = GOOD.replace("{inputs: {stage: prod}}", "{inputs: {stagee: prod}}")
        told = ["22:19: warning: environments.prod.inputs.stagee: the base has no such input, and no ${var.stagee} reads it"]
        self.assertEqual(self.validate(text), (0, told))
        self.assertEqual(self.validate(text, "-e", "prod"), (0, told))
        new = text.replace("rg-", "${var.stagee ?? ''}rg-")
        self.assertEqual(self.validate(new, "-e", "prod"), (0, []))

    def test_of_an_overlay_either(self):
        bare = GOOD.replace("  subscription: 5b500000-0000-4000-8000-000000000001\n", "")
        text = bare.replace("{inputs: {stage: prod}}", "{azur: {subscription: 5b500000-0000-4000-8000-000000000001}}")
        self.assertEqual(self.validate(text, "-e", "prod"),
                         (65, ["21:10: environments.prod.azur: is not known here (did you mean azure?)"]))
        text = GOOD.replace("stage: dev", "stage: {type: string}")
        self.assertEqual(self.validate(text, "-e", "prd"), (65, ["22:3: environments: there is no environment 'prd' (did you mean prod?)"]))

    def test_what_does_not_follow_is_told(self):
        """The other service that is missing has nothing to do with the misspelt one."""
        text = self.change("{use: redis}", "{use: redys}").replace("  blob: {use: blob}\n", "")
        self.assertEqual([line.split(": ")[1] for line in self.validate(text)[1]], ["services.redis.use", "services.langfuse.needs.blob"])


class Overlays(Mistakes):
    def test_each_is_looked_at(self):
        """Without -e, too: the line is the overlay's own."""
        rows = [
            ("{sevices: {}}", "22:10: environments.prod.sevices: is not known here (did you mean services?)"),
            ("{services: {redsi: {with: {sku: Balanced_B1}}}}",
             "22:21: environments.prod.services.redsi: the base has no such service (did you mean redis?), and a new one needs 'use'"),
            ("{services: {redsi: null}}",
             "22:21: environments.prod: null removes 'redsi', but the base has no such key (did you mean redis?)"),
            ("{services: {redis: {with: {skuu: a}}}}", "22:36: environments.prod.services.redis.with.skuu: there is no input of service "
             "'redis' called 'skuu' (did you mean sku?)"),
            ("{services: {gateway: {needs: {backend: langfus}}}}",
             "22:48: environments.prod.services.gateway.needs.backend: 'langfus' is not a service of this stack (did you mean langfuse?)"),
            ("{network: {adress_space: a}}", "22:20: environments.prod.network.adress_space: there is no input of service 'network' "
             "called 'adress_space' (did you mean address_space?)"),
            ("{services: {redis: {with: {sku: Balanced_B3}}, blob: {needs: null}, cache: {use: redis}}, network: {address_space: 10.1.0.0/16}}", None),
        ]
        for overlay, told in rows:
            with self.subTest(overlay):
                status, lines = self.validate(GOOD.replace("{inputs: {stage: prod}}", overlay))
                if told is not None:
                    self.assertEqual((status, len(lines)), (65, 1), lines)
                    place, rest = told.split(": ", 1)
                    self.assertTrue(lines[0].startswith(place) and lines[0].endswith(rest.split(": ", 1)[1]), lines[0])
                else:
                    self.assertEqual([l for l in lines if "removes" not in l], [], lines)


VNET = "/subscriptions/0/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v"


class Forms(Mistakes):
    """What any cloud would refuse is refused before one is asked: the same rows without an error are good."""

    def test_values_of_no_use(self):
        identity = "'%s' is not an identity's id"
        rows = [  # what stands where, and what is said of it (None: nothing)
            ("location", "moon://x", "'moon://x' is not a region's name"), ("location", "Japan East", None),
            ("location", "' '", "' ' is not a region's name"), ("location", "'${services.postgres.host}'", "is known only after apply"),
            ("azure.subscription", "my-subscription", "'my-subscription' is not a subscription's id: 8-4-4-4-12 hexadecimal digits"),
            ("azure.subscription", "'${secret.SALT}'", "must be a subscription's id"),
            ("azure.tenant", "a/b", "'a/b' is not a tenant's id or domain"), ("azure.tenant", "example.com", None),
            ("azure.resource_group", "{}", "'existing' is missing: write a name, or {existing: ID}"),
            ("azure.resource_group", "'${services.postgres.host}'", "is known only after apply"),
            ("azure.resource_group", "{existing: 5}", "'5' is a number, but must be text: quote it"),
            ("azure.resource_group", "{existing: rg-x}", "'rg-x' is not a resource group's id"),
            ("azure.resource_group", "{existing: %s}" % VNET, "is not a resource group's id"),
            ("azure.resource_group", "{existing: /subscriptions/0/resourcegroups/x}", None),
            ("network.existing", "5", "'5' is a number, but must be text: quote it"), ("network.existing", "[a]", "is a list, but must be text"),
            ("network.existing", "{vnet: true}", "'true' is a boolean, but must be text: quote it"),
            ("network.existing", "x", "'x' is not an id of type Microsoft.Network/virtualNetworks"),
            ("network.existing", "{vnet: %s/subnets/a}" % VNET, "/subnets/a' is not an id of type Microsoft.Network/virtualNetworks"),
            ("network.existing", "'${secret.SALT}'", "must be an id of type Microsoft.Network/virtualNetworks: secret.SALT can't be"),
            ("network.existing", "{vnett: x}", "there is no resource 'vnett' (did you mean vnet?)"),
            ("network.existing", VNET.upper(), None), ("network.existing", VNET + "/", "/v/' is not an id"),
            ("services.redis.existing", "5", "'5' is a number, but must be text: quote it"),
            ("services.redis.existing", "[a]", "is a list, but must be text"),
            ("services.redis.existing", "{cluster: x}", "'x' is not an id of type Microsoft.Cache/redisEnterprise"),
            ("registry", "{server: https://r.example.com}", "'https://r.example.com' is not a registry's host"),
            ("registry", "{server: r.example.com/hub}", "'r.example.com/hub' is not a registry's host"),
            ("registry", "{server: 'r.example.com:5000', prefix: a/b-c}", None),
            ("registry", "{server: r, prefix: /a}", "'/a' is not a path before the names of images"),
            ("registry", "{server: r, identity: pull}", identity % "pull"),
            ("registry", "{server: r, existing: x}", "is not known here"),
            ("registry", "{server: '${secret.SALT}'}", "must be a registry's host: secret.SALT can't be"),
            ("state", "moon://x", "state 'moon://x': no such kind of state"), ("state", "azblob://x", "want azblob://ACCOUNT/CONTAINER/BLOB"),
            ("state", "'azblob://a/c/${var.stage}'", None), ("state", "'${secret.SALT}'", "there is no value that is known this early: 'secret'"),
            ("state", "'${stack.environment}'", "names no place: it is empty"), ("state", "' '", "names no place: it is empty"),
            ("state", "'${env.NOPE}'", "the variable NOPE is not set"),
            ("vault", "'kv-${var.stage}'", None), ("vault", "'kv-${stack.environment}'", "'kv-' is no vault's name"),
            ("vault", "'${secret.SALT}'", "there is no value that is known this early: 'secret'"), ("vault", "'${azure.tenant}'", "known this early"),
        ]
        for path, value, told in rows:
            with self.subTest(path=path, value=value):
                keys = path.split(".")
                text = re.sub(r"(?m)^%s:.*\n" % keys[0], "", GOOD) if len(keys) == 1 else GOOD
                if path.startswith("azure."):
                    text = re.sub(r"(?m)^  %s:.*\n" % keys[1], "", text).replace("azure:\n", "azure:\n  %s: %s\n" % (keys[1], value))
                elif path.startswith("services."):
                    text = text.replace("{use: redis}", "{use: redis, existing: %s}" % value)
                else:
                    text += "%s: %s\n" % (keys[0], value if len(keys) == 1 else "{%s: %s}" % (keys[1], value))
                status, lines = self.validate(text)
                if told is None:
                    self.assertEqual((status, lines), (0, []))
                else:
                    self.assertEqual((status, len(lines)), (65, 1), lines)
                    self.assertRegex(lines[0], r"^\d+:\d+: %s[.:[]" % re.escape(path))
                    self.assertIn(told, lines[0])

    def test_a_function_that_takes_no_secret(self):
        status, lines = self.validate(GOOD + "network: {address_space: '${secret.SALT}'}\n")
        self.assertEqual((status, [l.split(": ")[-1] for l in lines]), (65, ["split() does not take a secret"]))

    def test_a_key_that_nobody_reads(self):
        text = GOOD.replace("services:\n", "services:\n  network: {use: network}\n") + "network: {address_space: 10.0.0.0/16}\n"
        self.assertEqual(self.validate(text), (65, ["24:1: network: is not read: the stack names that service itself, and its "
                                                    "inputs stand under services.network.with"]))


if __name__ == "__main__":
    unittest.main()
