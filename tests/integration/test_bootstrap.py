"""bootstrap: the storage for a remote state, an identity and a pipeline's federated credentials."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import stacks
import support
import test_state
from fakes.arm import jwt
from fakes.server import Server

STACK = """\
deployer: 1
stack: shop
location: japaneast
azure: {subscription: "${env.AZURE_SUBSCRIPTION_ID}", resource_group: rg-shop}
services:
  blob: {use: blob}
environments:
  prod: {location: westeurope}
"""
IDENTITY = "/resourceGroups/rg-shop-state/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-shop-deploy"
ORGANIZATION = "3a1a8b6e-0000-4000-8000-000000000001"


class Bootstrap(unittest.TestCase):
    def setUp(self):
        self.box = support.Sandbox()
        self.addCleanup(self.box.__exit__)
        self.stack = support.Stack(self.box, STACK)
        self.addCleanup(self.stack.__exit__)

    def bootstrap(self, *args, status=0, env=None):
        done = self.stack.run("bootstrap", "--yes", *args, env=env)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def get(self, path, version):
        return self.box.call("GET", self.box.subscription + path, version=version).json

    def account(self):
        accounts = self.get("/resourceGroups/rg-shop-state/providers/Microsoft.Storage/storageAccounts", "2026-04-01")["value"]
        self.assertEqual(len(accounts), 1)
        return accounts[0]

    def subjects(self):
        listed = self.get(IDENTITY + "/federatedIdentityCredentials", "2024-11-30")
        return {c["properties"]["subject"]: c["properties"]["issuer"] for c in listed["value"]}

    def writes(self):
        return len([r for r in self.box.requests() if r["method"] in ("PUT", "PATCH", "DELETE")])

    def test_a_state_alone(self):
        done = self.bootstrap()
        account = self.account()
        self.assertFalse(account["properties"]["allowSharedKeyAccess"])
        self.assertIn("state: azblob://%s/state/shop.json" % account["name"], done.stdout)
        containers = self.get(account["id"][len(self.box.subscription):] + "/blobServices/default/containers", "2026-04-01")
        self.assertEqual([c["name"] for c in containers["value"]], ["state"])
        self.assertNotIn("AZURE_CLIENT_ID", done.stdout)
        self.assertEqual(self.box.call("GET", self.box.subscription + IDENTITY, version="2024-11-30").status, 404)

    def test_a_second_run_changes_nothing(self):
        self.bootstrap("--github", "acme/shop")
        count = self.writes()
        again = json.loads(self.bootstrap("--github", "acme/shop", "-o", "json").stdout)
        self.assertEqual({i["action"] for i in again["plan"]["actions"]} - {"none"}, set())
        self.assertEqual(self.writes(), count)
        # Nor does one whose own state was lost, on another machine say.
        for name in os.listdir(self.stack.path(".deployer")):
            os.unlink(self.stack.path(".deployer/" + name))
        self.bootstrap("--github", "acme/shop")
        changed = [r["path"] for r in self.box.requests() if r["method"] in ("PUT", "PATCH", "DELETE")][count:]
        self.assertEqual([p.rsplit("/", 1)[1] for p in changed], ["rg-shop-state"])  # its marker
        self.assertEqual(list(self.subjects()), ["repo:acme/shop:ref:refs/heads/main"])

    def test_github(self):
        done = self.bootstrap("--github", "acme/shop", "--branch", "release/1.x", "--ci-environment", "prod", "--pull-requests")
        github = "https://token.actions.githubusercontent.com"
        self.assertEqual(self.subjects(), {
            "repo:acme/shop:ref:refs/heads/release/1.x": github, "repo:acme/shop:environment:prod": github,
            "repo:acme/shop:pull_request": github})
        identity = self.get(IDENTITY, "2024-11-30")["properties"]
        self.assertIn("AZURE_CLIENT_ID: " + identity["clientId"], done.stdout)
        self.assertIn("id-token: write", done.stdout)
        roles = self.get(self.account()["id"][len(self.box.subscription):] + "/providers/Microsoft.Authorization/roleAssignments",
                         "2022-04-01")["value"]
        self.assertIn(identity["principalId"], [r["properties"]["principalId"] for r in roles])

    def test_azure_pipelines(self):
        self.bootstrap("--azure-pipelines", "acme/shop/azure", status=64)
        done = self.bootstrap("--azure-pipelines", "acme/shop/azure", "--organization-id", ORGANIZATION)
        self.assertEqual(self.subjects(), {"sc://acme/shop/azure": "https://vstoken.dev.azure.com/" + ORGANIZATION})
        self.assertIn("azureSubscription: azure", done.stdout)

    def test_a_run_with_less_takes_nothing_away(self):
        self.bootstrap("--github", "acme/shop")
        done = self.bootstrap("-e", "prod")
        self.assertIn("/state/shop-prod.json", done.stdout)
        self.bootstrap("--github", "acme/shop", "--branch", "next")
        self.assertEqual(set(self.subjects()), {"repo:acme/shop:ref:refs/heads/main", "repo:acme/shop:ref:refs/heads/next"})

    def test_rights_to_deploy(self):
        self.bootstrap("--github", "acme/shop", "--grant", "subscription")
        principal = self.get(IDENTITY, "2024-11-30")["properties"]["principalId"]
        roles = self.get("/providers/Microsoft.Authorization/roleAssignments", "2022-04-01")["value"]
        own = [r["properties"]["roleDefinitionId"].rsplit("/", 1)[1] for r in roles
               if r["properties"]["principalId"] == principal and r["properties"]["scope"].count("/") == 2]
        self.assertEqual(len(own), 2)

    def test_options_that_do_not_fit(self):
        self.assertIn("--github", self.bootstrap("--branch", "main", status=64).stderr)

    def test_missing_rights_are_told_first(self):
        self.box.stop()
        self.box.set_faults("settings:\n  permissions:\n    actions: ['*']\n    not_actions: [Microsoft.Authorization/*/write]\n")
        self.box.args += ["--faults", self.box.faults_file]
        self.box.start()
        done = self.bootstrap(status=77)
        self.assertIn("Microsoft.Authorization/roleAssignments/write", done.stderr)

    def test_in_ci(self):
        self.bootstrap(env={"CI": "true"})


REAL = """\
deployer: 1
stack: shop
location: japaneast
azure: {subscription: "${env.AZURE_SUBSCRIPTION_ID}", resource_group: rg-shop}
services: {logs: {use: observability}}
"""


@unittest.skipUnless(test_state.AZURITE and shutil.which("dnsmasq") and shutil.which("openssl"),
                     "missing: azurite (npm), dnsmasq, openssl")
class Printed(unittest.TestCase):
    """What bootstrap prints is used as it is: the state by a person, then by a pipeline that logs in with its own token."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="bootstrap-")
        os.chmod(self.dir, 0o755)  # services drop their rights and must get in
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.box = stacks.Sandbox(os.path.join(self.dir, "sandbox"), services="real")
        self.addCleanup(self.box.close)
        self.subject = "repo:acme/shop:ref:refs/heads/main"

    def run_in(self, folder, line, env=None, status=0):
        """A command line as a shell would run it in a folder with the stack file."""
        path = os.path.join(self.dir, folder)
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, "stack.yaml"), "w") as f:
            f.write(REAL)
        words = line.split()
        self.assertEqual(words[0], "deployer")
        done = subprocess.run([stacks.DEPLOYER, *words[1:], "--target", "sandbox", "--sandbox-dir", self.box.dir], cwd=path,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, env=stacks.clean_env(env))
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def github(self):
        """The endpoint that a job asks for its token, with a certificate of the sandbox's authority."""
        def answer(request):
            audience = request.query.get("audience")
            return 200, {"value": jwt(iss="https://token.actions.githubusercontent.com", sub=self.subject, aud=audience, exp=4102444800)}
        box, path = self.box, lambda name: os.path.join(self.dir, name)
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "timeout": 30}
        subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", path("k.pem"), "-out", path("r.pem"),
                        "-subj", "/CN=github"], **quiet)
        with open(path("ext"), "w") as f:
            f.write("subjectAltName=IP:127.0.0.1\n")
        subprocess.run(["openssl", "x509", "-req", "-in", path("r.pem"), "-CA", box.info["ca"], "-CAkey",
                        os.path.join(box.dir, "ca-key.pem"), "-CAcreateserial", "-CAserial", path("serial"), "-days", "2",
                        "-extfile", path("ext"), "-out", path("c.pem")], **quiet)
        server = Server(answer, tls=(path("c.pem"), path("k.pem")))
        server.__enter__()
        self.addCleanup(server.__exit__)
        return {"ACTIONS_ID_TOKEN_REQUEST_URL": server.url + "/token?api-version=2", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "job"}

    def test_state_and_job(self):
        said = self.run_in("here", "deployer bootstrap stack.yaml --yes --github acme/shop --grant subscription").stdout
        state = re.search(r"^  state: (\S+)$", said, re.M).group(1)
        first = self.run_in("here", "deployer apply stack.yaml --yes --state " + state).stdout
        self.assertIn("3 created", first)
        self.assertFalse(os.path.exists(os.path.join(self.dir, "here", ".deployer", "shop.json")))
        # The job, on another machine.
        env = dict(re.findall(r"^    (AZURE_\w+): (\S+)$", said, re.M), **self.github())
        self.assertEqual(sum(name.startswith("AZURE_") for name in env), 3)
        line = re.search(r"- run: (deployer .*)$", said, re.M).group(1)
        second = self.run_in("there", line + " --auth github-oidc", env)
        self.assertIn("0 to create, 0 to change, 0 to delete, 3 unchanged", second.stdout)
        self.run_in("there", "deployer destroy stack.yaml --yes --auth github-oidc --state " + state, env)
        # Another branch's token is none of its own.
        self.subject = "repo:acme/shop:ref:refs/heads/other"
        self.assertIn("AADSTS700213", self.run_in("there", line + " --auth github-oidc", env, status=77).stderr)


if __name__ == "__main__":
    unittest.main()
