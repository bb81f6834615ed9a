"""Each way to log in against fakes: what is sent, what is refreshed, what is said when none works."""
import base64
import hashlib
import json
import os
import stat
import subprocess
import tempfile
import time
import unittest

from fakes.arm import CLIENT, SUB, TENANT, THING, Arm, Answer, clean_env, jwt, read, run, secret_env, thing
from fakes.server import Server

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
IDS = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT}
TOKEN = {"op": "token", "kind": {}}


def b64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="login-")
        self.addCleanup(folder.cleanup)
        self.dir = folder.name

    def file(self, name, text, mode=0o600):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def login(self, arm, env, **more):
        return run(arm, [dict(TOKEN)], env=env, **more)

    def works(self, r, method):
        self.assertNotIn("error", r.results[0], r.results[0].get("error"))
        self.assertEqual(r.results[0]["who"]["method"], method)
        return r.results[0]


class Secret(Folder):
    def test_works(self):
        with Arm() as arm:
            r = self.login(arm, secret_env())
            who = self.works(r, "client-secret")["who"]
            self.assertEqual((who["tenant"], who["object_id"], who["client_id"]), (TENANT, "object-1", CLIENT))
            request = arm.seen("POST")[0]
            self.assertEqual(request.path, "/%s/oauth2/v2.0/token" % TENANT)
            form = request.form
            self.assertEqual(form.pop("scope"), arm.url + "/.default")
            self.assertEqual(json.loads(form.pop("claims")), {"access_token": {"xms_cc": {"values": ["cp1"]}}})
            self.assertEqual(form, {"grant_type": "client_credentials", "client_id": CLIENT,
                                    "client_secret": "hush-hush-value"})

    def test_refused(self):
        with Arm() as arm:
            arm.token_answers = [Answer(401, {"error": "invalid_client", "error_description":
                                              "AADSTS7000215: Invalid client secret provided.\r\nTrace ID: x"})]
            r = self.login(arm, secret_env())
            e = r.results[0]["error"]
            self.assertEqual(e["kind"], "auth")
            self.assertEqual(e["text"], "login by client-secret: Entra refused it: HTTP 401 invalid_client: "
                                        "AADSTS7000215: Invalid client secret provided.")
            self.assertEqual(e["hint"], "the client secret is wrong: give its value, not its id")
            self.assertEqual(len(arm.seen("POST")), 1)  # no other way is tried in silence

    def test_entra_is_busy(self):
        with Arm() as arm:
            arm.token_answers = [Answer(503, "busy", {"retry-after-ms": "10"}), Answer(429, "", {"retry-after-ms": "10"})]
            self.works(self.login(arm, secret_env()), "client-secret")

    def test_other_scopes(self):
        with Arm() as arm:
            r = run(arm, [dict(TOKEN), dict(TOKEN, scope="https://storage.azure.com/.default"), dict(TOKEN)])
            self.assertEqual(sorted(f["scope"] for f in arm.tokens),
                             sorted([arm.url + "/.default", "https://storage.azure.com/.default"]))


class Certificate(Folder):
    def pem(self, password=None):
        key, cert = os.path.join(self.dir, "k.pem"), os.path.join(self.dir, "c.pem")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": True, "timeout": 30}
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert,
                        "-days", "2", "-subj", "/CN=login"], **quiet)
        if password:
            subprocess.run(["openssl", "pkcs8", "-topk8", "-in", key, "-out", key + "2", "-passout", "pass:" + password], **quiet)
            key += "2"
        der = subprocess.run(["openssl", "x509", "-in", cert, "-outform", "DER"], stdout=subprocess.PIPE, timeout=30).stdout
        return self.file("both.pem", open(key).read() + open(cert).read()), der, cert

    def verify(self, assertion, cert):
        head, claims, signature = assertion.split(".")
        signed, sig, pub = (os.path.join(self.dir, n) for n in ("signed", "sig", "pub"))
        open(signed, "w").write(head + "." + claims)
        open(sig, "wb").write(b64(signature))
        subprocess.run(["openssl", "x509", "-in", cert, "-pubkey", "-noout", "-out", pub], check=True, timeout=30)
        subprocess.run(["openssl", "dgst", "-sha256", "-verify", pub, "-signature", sig, "-sigopt", "rsa_padding_mode:pss",
                        "-sigopt", "rsa_pss_saltlen:32", signed], check=True, stdout=subprocess.DEVNULL, timeout=30)
        return json.loads(b64(head)), json.loads(b64(claims))

    def test_works(self):
        path, der, cert = self.pem()
        with Arm() as arm:
            r = self.login(arm, clean_env(AZURE_CLIENT_CERTIFICATE_PATH=path, **IDS))
            self.works(r, "client-certificate")
            form = arm.tokens[0]
            self.assertEqual(form["client_assertion_type"], ASSERTION)
            self.assertNotIn("client_secret", form)
            head, claims = self.verify(form["client_assertion"], cert)
            self.assertEqual((head["alg"], head["typ"]), ("PS256", "JWT"))
            self.assertEqual(b64(head["x5t#S256"]), hashlib.sha256(der).digest())
            self.assertNotIn("x5c", head)
            self.assertEqual((claims["iss"], claims["sub"]), (CLIENT, CLIENT))
            self.assertEqual(claims["aud"], "%s/%s/oauth2/v2.0/token" % (arm.url, TENANT))
            self.assertEqual(claims["exp"] - claims["nbf"], 600)
            self.assertLess(abs(claims["nbf"] - time.time()), 10)

    def test_password_and_chain(self):
        path, der, cert = self.pem("open sesame")
        env = clean_env(AZURE_CLIENT_CERTIFICATE_PATH=path, AZURE_CLIENT_CERTIFICATE_PASSWORD="open sesame",
                        AZURE_CLIENT_SEND_CERTIFICATE_CHAIN="true", **IDS)
        with Arm() as arm:
            self.works(self.login(arm, env), "client-certificate")
            head, _ = self.verify(arm.tokens[0]["client_assertion"], cert)
            self.assertEqual(base64.b64decode(head["x5c"][0]), der)
            env["AZURE_CLIENT_CERTIFICATE_PASSWORD"] = "wrong"
            r = self.login(arm, env)
            self.assertIn("no private key in PEM that the password opens", r.results[0]["error"]["text"])

    def test_what_is_wrong_is_named(self):
        with Arm() as arm:
            for text, want in ((None, "No such file"), ("hello", "no private key")):
                path = self.file("x.pem", text) if text else os.path.join(self.dir, "none.pem")
                r = self.login(arm, clean_env(AZURE_CLIENT_CERTIFICATE_PATH=path, **IDS))
                self.assertIn(want, r.results[0]["error"]["text"])
                self.assertIn(path, r.results[0]["error"]["text"])


class Federated(Folder):
    def test_workload_identity_reads_the_file_each_time(self):
        path = self.file("token", "assertion-one\n")
        with Arm(expires_in=2) as arm:
            def change(q):
                self.file("token", "assertion-two")
                return Answer(200, thing())

            arm.routes = {"GET /things/a": change}
            r = run(arm, [read(), read()], env=clean_env(AZURE_FEDERATED_TOKEN_FILE=path, **IDS), serial=True)
            self.assertEqual([f["client_assertion"] for f in arm.tokens], ["assertion-one", "assertion-two"])
            self.assertEqual(arm.tokens[0]["client_assertion_type"], ASSERTION)

    def test_github(self):
        def handler(q):
            self.assertEqual(q.headers["authorization"], "Bearer request-token")
            return Answer(200, {"value": "github-%s" % q.query["audience"]})

        with Arm() as arm, Server(handler) as github:
            env = clean_env(ACTIONS_ID_TOKEN_REQUEST_URL=github.url + "/x?api-version=2.0",
                            ACTIONS_ID_TOKEN_REQUEST_TOKEN="request-token", **IDS)
            r = self.login(arm, env)
            self.works(r, "github-oidc")
            self.assertEqual(arm.tokens[0]["client_assertion"], "github-api://AzureADTokenExchange")
            self.assertNotIn("request-token", r.stderr + r.stdout)

    def test_github_refuses(self):
        with Arm() as arm, Server(lambda q: Answer(403, "no")) as github:
            env = clean_env(ACTIONS_ID_TOKEN_REQUEST_URL=github.url + "/x", ACTIONS_ID_TOKEN_REQUEST_TOKEN="t", **IDS)
            e = self.login(arm, env).results[0]["error"]
            self.assertIn("id-token: write", e["hint"])

    def test_federation_refused(self):
        with Arm() as arm:
            arm.token_answers = [Answer(401, {"error": "invalid_request", "error_description":
                                              "AADSTS700213: No matching federated identity record found"})]
            env = clean_env(AZURE_FEDERATED_TOKEN_FILE=self.file("token", "t"), **IDS)
            e = self.login(arm, env).results[0]["error"]
            self.assertIn("federated credential", e["hint"])

    def test_azure_pipelines(self):
        def handler(q):
            self.assertEqual((q.method, q.headers["authorization"]), ("POST", "Bearer job-token"))
            self.assertEqual(q.query, {"api-version": "7.1", "serviceConnectionId": "connection"})
            return Answer(200, {"oidcToken": "pipeline-assertion"})

        with Arm() as arm, Server(handler) as devops:
            env = clean_env(SYSTEM_OIDCREQUESTURI=devops.url + "/oidctoken", SYSTEM_ACCESSTOKEN="job-token",
                            AZURESUBSCRIPTION_CLIENT_ID=CLIENT, AZURESUBSCRIPTION_TENANT_ID=TENANT,
                            AZURESUBSCRIPTION_SERVICE_CONNECTION_ID="connection")
            self.works(self.login(arm, env), "azure-pipelines")
            self.assertEqual(arm.tokens[0]["client_assertion"], "pipeline-assertion")


class Managed(Folder):
    def test_container_apps_endpoint(self):
        def handler(q):
            self.assertEqual(q.headers["x-identity-header"], "header-secret")
            self.assertEqual(q.query["api-version"], "2019-08-01")
            self.assertEqual(q.query["client_id"], CLIENT)
            return Answer(200, {"access_token": jwt(tid=TENANT), "expires_on": str(int(time.time()) + 80000),
                                "resource": q.query["resource"], "token_type": "Bearer"})

        with Arm() as arm, Server(handler, tls=False) as identity:
            env = clean_env(IDENTITY_ENDPOINT=identity.url + "/msi/token", IDENTITY_HEADER="header-secret",
                            AZURE_CLIENT_ID=CLIENT)
            self.works(self.login(arm, env), "managed-identity")
            self.assertEqual(identity.requests[0].query["resource"], arm.url)

    def imds(self, q):
        if "metadata" not in q.headers:
            return Answer(400, {"error": "bad_request_102", "error_description": "Required metadata header not specified"})
        self.asked += 1
        if self.asked == 1:
            return Answer(410, {"error": "updating"}, {"retry-after-ms": "10"})
        return Answer(200, {"access_token": jwt(tid=TENANT), "expires_on": int(time.time()) + 3600})

    def test_imds_is_probed(self):
        self.asked = 0
        with Arm() as arm, Server(self.imds, tls=False) as imds:
            env = clean_env(AZURE_POD_IDENTITY_AUTHORITY_HOST=imds.url)
            self.works(self.login(arm, env), "managed-identity")
            self.assertNotIn("metadata", imds.requests[0].headers)
            self.assertEqual(imds.requests[1].query["api-version"], "2018-02-01")

    def test_no_probe_when_forced(self):
        self.asked = 0
        with Arm() as arm, Server(self.imds, tls=False) as imds:
            env = secret_env(AZURE_POD_IDENTITY_AUTHORITY_HOST=imds.url)
            self.works(self.login(arm, env, options={"auth": "managed-identity"}), "managed-identity")
            self.assertIn("metadata", imds.requests[0].headers)

    def test_no_identity_assigned_goes_on(self):
        with Arm() as arm, Server(lambda q: Answer(400, {"error": "invalid_request", "error_description": "Identity not found"}),
                                  tls=False) as imds:
            env = clean_env(AZURE_POD_IDENTITY_AUTHORITY_HOST=imds.url, PATH="/nowhere")
            e = self.login(arm, env).results[0]["error"]
            self.assertIn("managed-identity: no identity is assigned here", e["text"])
            self.assertIn("azure-cli: the Azure CLI (az) is not installed", e["text"])


class Cli(Folder):
    def az(self, script):
        self.file("az", "#!/bin/sh\n" + script, 0o755)
        return clean_env(PATH=self.dir + ":/usr/bin:/bin")

    def test_works(self):
        env = self.az('echo "$@" > %s/args\nprintf \'{"accessToken":"%s","expires_on":%d,"expiresOn":"2000-01-01 00:00:00.000000"}\'\n'
                      % (self.dir, jwt(tid=TENANT, upn="me@example.com"), time.time() + 3600))
        with Arm() as arm:
            self.works(self.login(arm, env), "azure-cli")
            self.assertEqual(open(os.path.join(self.dir, "args")).read().split(),
                             ["account", "get-access-token", "-o", "json", "--resource", arm.url, "--subscription", SUB])

    def test_old_cli_and_tenant(self):
        local = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() + 3600))
        env = self.az('echo "$@" > %s/args\nprintf \'{"accessToken":"t","expiresOn":"%s.123456"}\'\n' % (self.dir, local))
        env["AZURE_TENANT_ID"] = TENANT
        with Arm({"GET /things/a": [Answer(200, thing())]}) as arm:
            r = run(arm, [read(), read()], env=env, serial=True)
            self.assertNotIn("error", r.results[1])
            self.assertIn("--tenant " + TENANT, open(os.path.join(self.dir, "args")).read())

    def test_not_logged_in(self):
        env = self.az('echo "ERROR: Please run \'az login\' to setup account." >&2\nexit 1\n')
        with Arm() as arm:
            e = self.login(arm, env).results[0]["error"]
            self.assertIn("azure-cli: az account get-access-token: ERROR: Please run 'az login'", e["text"])

    def test_no_option_slips_in(self):
        env = self.az("touch %s/ran\n" % self.dir)
        env["AZURE_TENANT_ID"] = "--debug;x"
        with Arm() as arm:
            e = self.login(arm, env, options={"auth": "azure-cli"}).results[0]["error"]
            self.assertIn("is no tenant", e["text"])
            self.assertFalse(os.path.exists(os.path.join(self.dir, "ran")))


class Chain(Folder):
    def test_none_works(self):
        with Arm() as arm:
            env = clean_env(PATH="/nowhere", AZURE_CLIENT_ID=CLIENT, GITHUB_ACTIONS="true")
            e = self.login(arm, env).results[0]["error"]
            self.assertEqual(e["kind"], "auth")
            lines = e["text"].split("\n")
            self.assertEqual(lines[0], "no login to Azure works; tried in this order:")
            self.assertEqual([l.strip().split(":")[0] for l in lines[1:]],
                             ["client-secret", "client-certificate", "workload-identity", "github-oidc", "azure-pipelines",
                              "managed-identity", "azure-cli"])
            self.assertIn("client-secret: AZURE_TENANT_ID, AZURE_CLIENT_SECRET are not set", lines[1])
            self.assertIn("id-token: write", lines[4])
            self.assertIn("az login", e["hint"])

    def test_forced(self):
        with Arm() as arm:
            e = self.login(arm, secret_env(), options={"auth": "workload-identity"}).results[0]["error"]
            self.assertEqual(e["text"], "login by workload-identity: AZURE_FEDERATED_TOKEN_FILE is not set")

    def test_unknown(self):
        with Arm() as arm:
            r = self.login(arm, secret_env(), options={"auth": "magic"})
            self.assertEqual(r.status, 64)
            self.assertIn("--auth 'magic' is no way to log in: client-secret, client-certificate", r.stderr)

    def test_order(self):
        with Arm() as arm:
            env = secret_env(AZURE_FEDERATED_TOKEN_FILE=self.file("token", "t"))
            self.works(self.login(arm, env), "client-secret")
            del env["AZURE_CLIENT_SECRET"]
            self.works(self.login(arm, env), "workload-identity")


class Renewal(Folder):
    def test_401_in_the_middle_of_a_run(self):
        with Arm() as arm:
            arm.routes = {"GET /things/a": [Answer(200, thing()), Answer(401, {"error": {"code": "ExpiredAuthenticationToken"}}),
                                            Answer(200, thing())]}
            r = run(arm, [read(), read()], serial=True)
            self.assertNotIn("error", r.results[1])
            self.assertEqual(len(arm.tokens), 2)
            used = [q.headers["authorization"] for q in arm.seen("GET", "/things/a")]
            self.assertEqual(used[0], used[1])
            self.assertNotEqual(used[1], used[2])

    def test_401_for_good(self):
        with Arm() as arm:
            arm.routes = {"GET /things/a": [Answer(401, {"error": {"code": "InvalidAuthenticationToken", "message": "no"}})]}
            r = run(arm, [read()])
            self.assertEqual(r.results[0]["error"]["kind"], "auth")
            self.assertEqual(len(arm.tokens), 2)

    def test_claims_challenge(self):
        wanted = {"access_token": {"nbf": {"essential": True, "value": "1"}}}
        header = 'Bearer realm="", authorization_uri="https://x/", error="insufficient_claims", claims="%s"' % (
            base64.b64encode(json.dumps(wanted).encode()).decode())
        with Arm() as arm:
            arm.routes = {"GET /things/a": [Answer(401, {"error": {"code": "x"}}, {"WWW-Authenticate": header}),
                                            Answer(200, thing())]}
            r = run(arm, [read()])
            self.assertNotIn("error", r.results[0])
            self.assertEqual(json.loads(arm.tokens[1]["claims"]),
                             {"access_token": dict(wanted["access_token"], xms_cc={"values": ["cp1"]})})

    def test_refresh_in(self):
        with Arm() as arm:
            arm.routes = {"GET /things/a": [Answer(200, thing(), delay=1.2), Answer(200, thing())]}
            short = Answer(200, {"access_token": jwt(n=0), "expires_in": 3600, "refresh_in": 1})
            arm.token_answers = [short, Answer(503, "", {"Retry-After": "100"}), None]
            r = run(arm, [read(), read(), read()], serial=True)
            for one in r.results:
                self.assertNotIn("error", one)
            # refreshed in the background; a failure leaves the old one in use
            self.assertEqual({q.headers["authorization"] for q in arm.seen("GET", "/things/a")},
                             {"Bearer " + jwt(n=0)})


class Clouds(Folder):
    def test_older_metadata(self):
        with Arm() as arm:
            def metadata(q):
                if q.query["api-version"] != "2015-01-01":
                    return Answer(400, {"error": {"code": "InvalidApiVersion"}})
                return Answer(200, {"galleryEndpoint": "x", "authentication": {
                    "loginEndpoint": arm.url + "/adfs", "audiences": ["https://management.example/"]}})

            arm.metadata = metadata
            self.works(self.login(arm, secret_env()), "client-secret")
            request = arm.seen("POST")[0]
            self.assertEqual(request.path, "/adfs/oauth2/token")
            self.assertEqual(request.form["resource"], "https://management.example/")

    def test_metadata_without_answer(self):
        with Arm() as arm:
            arm.metadata = lambda q: Answer(404, "")
            e = self.login(arm, secret_env()).results[0]["error"]
            self.assertIn("asking %s where to log in" % arm.url, e["text"])

    def test_authority_variable(self):
        with Arm() as arm, Arm() as login:
            self.works(self.login(arm, secret_env(AZURE_AUTHORITY_HOST=login.url + "/")), "client-secret")
            self.assertEqual(len(login.tokens), 1)
            self.assertEqual(arm.tokens, [])

    def test_no_plain_http(self):
        r = run(None, [dict(TOKEN)], env=secret_env(AZURE_AUTHORITY_HOST="http://login"))
        self.assertIn("authority 'http://login' is no https address", r.stderr)


if __name__ == "__main__":
    unittest.main()
