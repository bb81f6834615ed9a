"""A state in a blob when the network and others meddle: lost answers, foreign writes, a lease that runs out or is broken,
and the login by Entra. Azurite behind a proxy (fakes/proxy.py)."""
import json
import os
import pty
import shutil
import subprocess
import tempfile
import threading
import time
import unittest

import stacks
import support
import test_state
from fakes.proxy import Proxy
from test_state import DEPLOYER, HOLDER, document


class Case(test_state.Azurite):
    """The state's URL goes through the proxy, where `meddle` stands."""

    def setUp(self):
        super().setUp()
        self.meddle = lambda request, forward: forward()
        self.proxy = Proxy(("127.0.0.1", self.port), lambda *a: self.meddle(*a))
        self.proxy.__enter__()
        self.addCleanup(self.proxy.__exit__)
        self.direct = self.url
        self.url = self.url.replace(":%d/" % self.port, ":%d/" % self.proxy.port)

    def once(self, meddle):
        """At the next save of the blob, and never again."""
        left = [meddle]

        def one(request, forward):
            if request.is_save and left:
                return left.pop()(request, forward)
            return forward()
        self.meddle = one

    def saves(self):
        return len([r for r in self.proxy.requests if r.is_save])

    def write_foreign(self, request, serial):
        """Somebody else's state in its place, under the lease of the request."""
        content = document(serial=serial)
        with open(os.path.join(self.folder, "foreign.json"), "w", encoding="utf-8") as out:
            json.dump(content, out)
        other = "/states/other-%s.json" % os.path.basename(self.folder)
        subprocess.run([DEPLOYER, "state", "push", self.stack, os.path.join(self.folder, "foreign.json"), "--repair", "--yes",
                        "--state", self.direct.replace(self.blob, other)], check=True, timeout=60, capture_output=True,
                       env={**os.environ, "CI": "", **self.environment()})
        _, _, sealed = self.fetch(other)
        lease = {k.lower(): v for k, v in request.headers.items()}["x-ms-lease-id"]
        status, _ = self.request("PUT", self.blob, body=sealed, x_ms_blob_type="BlockBlob", x_ms_lease_id=lease)
        self.assertEqual(status, 201)


class Answers(Case, unittest.TestCase):
    def test_a_write_whose_answer_is_lost(self):
        self.push(document(), "--repair")
        before, count = self.serial(), self.saves()
        self.once(lambda request, forward: forward() and None)
        self.deployer("state", "mv", self.stack, "web.a", "x.a")
        self.assertEqual((self.serial(), self.saves()), (before + 1, count + 2))
        self.assertEqual(self.addresses(), ["web.b", "x.a"])

    def test_a_write_that_is_lost(self):
        self.push(document(), "--repair")
        before = self.serial()
        self.once(lambda request, forward: None)
        self.deployer("state", "mv", self.stack, "web.a", "x.a")
        self.assertEqual(self.serial(), before + 1)

    def test_a_server_that_is_busy(self):
        self.push(document(), "--repair")
        from fakes.proxy import Reply
        self.once(lambda request, forward: Reply(503, [("x-ms-error-code", "ServerBusy")]))
        self.deployer("state", "mv", self.stack, "web.a", "x.a")

    def test_answers_to_the_lease_are_lost(self):
        self.push(document(), "--repair")
        lost = []

        def lose_first(request, forward):
            kind = request.query.get("comp")
            if request.method == "PUT" and kind in ("lease", "metadata") and kind not in lost:
                lost.append(kind)
                forward()
                return None
            return forward()
        self.meddle = lose_first
        self.deployer("state", "mv", self.stack, "web.a", "x.a")
        self.assertEqual(lost, ["lease", "metadata"])
        self.assertIn("not locked", self.deployer("force-unlock", self.stack))

    def test_a_foreign_write_in_between(self):
        self.push(document(), "--repair")
        ours = self.serial()

        def foreign(request, forward):
            self.write_foreign(request, 41)
            return forward()
        self.once(foreign)
        said = self.deployer("state", "mv", self.stack, "web.a", "x.a", status=74)
        self.assertIn("was changed by somebody else (serial 42 there, %d here)" % ours, said)
        self.assertEqual(self.addresses(), ["web.a", "web.b"])

    def test_a_foreign_write_whose_refusal_is_lost(self):
        """What is there is not ours: a second attempt must not take it for our own."""
        self.push(document(), "--repair")

        def foreign(request, forward):
            self.write_foreign(request, 41)
            forward()
        self.once(foreign)
        self.assertIn("somebody else", self.deployer("state", "mv", self.stack, "web.a", "x.a", status=74))


class Leases(Case, unittest.TestCase):
    def break_at_save(self, then=None):
        def unlock(request, forward):
            url, self.url = self.url, self.direct
            self.assertIn("taken away", self.deployer("force-unlock", self.stack))
            self.url = url
            if then is not None:
                then()
            return forward()
        self.once(unlock)

    def test_broken_by_another(self):
        self.push(document(), "--repair")
        self.break_at_save()
        said = self.deployer("state", "mv", self.stack, "web.a", "x.a", status=75)
        self.assertIn("the lock was lost", said)
        self.assertIn("nobody holds it now", said)
        self.assertEqual(self.addresses(), ["web.a", "web.b"])

    def test_broken_and_taken_by_another(self):
        self.push(document(), "--repair")
        held = []
        self.break_at_save(lambda: held.append(self.hold()))
        said = self.deployer("state", "mv", self.stack, "web.a", "x.a", status=75)
        self.assertIn("it is held by somebody on h, process 1, since 2026", said)
        held[0]()

    def test_it_holds_for_longer_than_it_lasts(self):
        """A lease of 15 s: renewed while a save hangs for longer, and taken up again after a question that nobody answered
        for longer. Both at once, on two blobs."""
        self.push(document(), "--repair")
        self.url += "&lease_s=15"
        slow = threading.Thread(target=self.deployer, args=("state", "mv", self.stack, "web.a", "x.a"))

        def hang(request, forward):
            time.sleep(17)
            return forward()
        asked = Question(self)
        self.once(hang)
        slow.start()
        time.sleep(16)
        asked.answer()
        slow.join(30)
        self.assertEqual(self.addresses(), ["web.b", "x.a"])
        renewals = [r for r in self.proxy.requests if {k.lower(): v for k, v in r.headers.items()}.get("x-ms-lease-action") == "renew"]
        self.assertGreaterEqual(len(renewals), 3)

    def test_how_long_it_may_last(self):
        for wrong in ("14", "61", "x"):
            url, self.url = self.url, self.url + "&lease_s=" + wrong
            self.assertIn("lease_s", self.deployer("state", "list", self.stack, status=64))
            self.url = url


class Question:
    """`state rm` on a blob of its own, waiting for an answer with the lock held."""

    def __init__(self, case):
        self.case = case
        self.url = case.direct.replace(".json", "-asked.json") + "&lease_s=15"
        url, case.url = case.url, self.url
        case.push(document(), "--repair")
        case.url = url
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execve(DEPLOYER, [DEPLOYER, "state", "rm", case.stack, "web.b", "--state", self.url],
                      {**os.environ, "CI": "", **case.environment()})
        seen = b""
        while b"Forget" not in seen:
            seen += os.read(self.terminal, 4096)

    def answer(self):
        os.write(self.terminal, b"yes\n")
        self.case.assertEqual(os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]), 0)
        os.close(self.terminal)


class Run(Case, unittest.TestCase):
    """A whole apply on a sandbox, with its lock taken away in the middle."""

    def test_no_request_is_sent_after_the_loss(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        sandbox = stacks.Sandbox(os.path.join(folder, "sandbox"))
        self.addCleanup(sandbox.close)
        os.mkdir(os.path.join(folder, "stack"))
        for name, target in (("stack.yaml", "stack.yaml"), (".env.example", ".env")):
            shutil.copy(os.path.join(support.ROOT, "examples", "langfuse", name), os.path.join(folder, "stack", target))
        saves, at = [], []

        def unlock_late(request, forward):
            """At the sixth save or a later one, which announces something."""
            if request.is_save:
                saves.append(json.loads(request.body))
            if request.is_save and not at and len(saves) >= 6 and set(saves[-1]["intents"]) - set(saves[-2]["intents"]):
                at.append(len(saves))
                url, self.url = self.url, self.direct
                self.deployer("force-unlock", self.stack)
                self.url = url
            return forward()
        self.meddle = unlock_late
        command = [DEPLOYER, "apply", ".", "--yes", "--target", "sandbox", "--sandbox-dir", sandbox.dir, "--state", self.url]
        first = subprocess.run(command, cwd=os.path.join(folder, "stack"), capture_output=True, text=True, timeout=60,
                               env=stacks.clean_env(self.environment()))
        self.assertEqual(first.returncode, 75, first.stderr)
        self.assertIn("nobody holds it now", first.stderr)
        # What was written is what stood in the state before; what only the refused save announced was not.
        before, refused = saves[at[0] - 2:at[0]]
        told, only_now = set(before["intents"]) | set(before["entries"]), set(refused["intents"]) - set(before["intents"])
        sent = {path.split("?")[0].lower() for _, path, _ in self.writes(sandbox)}
        self.assertGreater(len(only_now), 0)
        self.assertEqual((sent - told, sent & only_now), (set(), set()))
        again = subprocess.run(command, cwd=os.path.join(folder, "stack"), capture_output=True, text=True, timeout=60,
                               env=stacks.clean_env(self.environment()))
        self.assertEqual(again.returncode, 0, again.stderr)
        created = [p for m, p, s in self.writes(sandbox) if s == 201]
        self.assertEqual(len(created), len(set(created)))

    def writes(self, sandbox):
        return [(r["method"], r["path"], r["status"]) for r in sandbox.requests() if r["method"] in ("PUT", "PATCH", "DELETE")]


@unittest.skipUnless(test_state.AZURITE and shutil.which("node") and shutil.which("openssl"), "missing: azurite (npm), node, openssl")
class Entra(unittest.TestCase):
    """Azurite over TLS, which takes Entra's tokens for https://storage.azure.com; the sandbox gives them."""

    def setUp(self):
        self.sandbox = support.Sandbox()
        self.addCleanup(self.sandbox.__exit__)
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.port = test_state.free_port()
        self.server = subprocess.Popen(
            ["node", test_state.AZURITE, "--blobHost", "127.0.0.1", "--blobPort", str(self.port), "--inMemoryPersistence",
             "--silent", "--disableTelemetry", "--oauth", "basic", "--cert", self.certificate(), "--key", self.path("key.pem")],
            cwd=self.folder, env={**os.environ, "AZURITE_ACCOUNTS": "acct:" + test_state.KEY}, stdout=subprocess.DEVNULL)
        self.addCleanup(self.server.wait, 20)
        self.addCleanup(self.server.terminate)
        test_state.wait_for(self.port, self.server)
        self.stack = self.path("stack.yaml")
        with open(self.stack, "w", encoding="utf-8") as out:
            out.write(test_state.STACK)

    def path(self, name):
        return os.path.join(self.folder, name)

    def certificate(self):
        """For 127.0.0.1, by the sandbox's own authority."""
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "timeout": 30}
        subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path("key.pem"), "-out",
                        self.path("r.pem"), "-subj", "/CN=blob"], **quiet)
        with open(self.path("ext"), "w", encoding="utf-8") as out:
            out.write("subjectAltName=IP:127.0.0.1\n")
        subprocess.run(["openssl", "x509", "-req", "-in", self.path("r.pem"), "-CA", self.sandbox.info["ca"], "-CAkey",
                        os.path.join(self.sandbox.dir, "ca-key.pem"), "-CAcreateserial", "-CAserial", self.path("serial"),
                        "-days", "2", "-extfile", self.path("ext"), "-out", self.path("cert.pem")], **quiet)
        return self.path("cert.pem")

    def deployer(self, *words, status=0):
        url = "azblob://acct/states/s.json?endpoint=https://127.0.0.1:%d/acct" % self.port
        done = subprocess.run([DEPLOYER, *words, "--yes", "--state", url, "--target", "sandbox", "--sandbox-dir", self.sandbox.dir],
                              capture_output=True, text=True, timeout=60, cwd=self.folder, env=stacks.clean_env())
        self.assertEqual(done.returncode, status, done.stderr + done.stdout)
        return done.stdout if status == 0 else done.stderr

    def make_container(self):
        token = self.sandbox.login(scope="https://storage.azure.com/.default").json["access_token"]
        connection = support.http.client.HTTPSConnection("127.0.0.1", self.port, context=self.sandbox.tls, timeout=20)
        connection.request("PUT", "/acct/states?restype=container", headers={
            "Authorization": "Bearer " + token, "x-ms-version": "2021-12-02", "Content-Length": "0"})
        self.assertEqual(connection.getresponse().status, 201)
        connection.close()

    def test_a_token_is_the_login(self):
        self.assertIn("ContainerNotFound", self.deployer("state", "list", self.stack, status=1))
        self.make_container()
        with open(self.path("pushed.json"), "w", encoding="utf-8") as out:
            json.dump(document(), out)
        self.deployer("state", "push", self.stack, self.path("pushed.json"), "--repair")
        self.deployer("state", "mv", self.stack, "web.a", "x.a")
        listed = json.loads(self.deployer("state", "list", self.stack, "-o", "json"))
        self.assertEqual(sorted(e["address"] for e in listed["entries"]), ["web.b", "x.a"])
        self.assertIn("not locked", self.deployer("force-unlock", self.stack))


if __name__ == "__main__":
    unittest.main()
