"""`deployer state` and `force-unlock` against each place a state can be kept in: a file, a blob (Azurite),
a PostgreSQL database. One set of tests, three backends.
"""
import base64
import datetime
import email.utils
import fcntl
import glob
import hashlib
import hmac
import json
import os
import pty
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEPLOYER = os.environ.get("DEPLOYER", os.path.join(TOP, "build", "release", "deployer"))

STACK = "deployer: 1\nstack: shop\nlocation: japaneast\nazure: {subscription: s, resource_group: rg}\nservices: {}\n"
ID_A = "/subscriptions/s/resourceGroups/rg/providers/M.T/things/A"
ID_B = "/subscriptions/s/resourceGroups/rg/providers/M.T/things/B"


def entry(address, arm_id, *needs):
    return {"address": address, "id": arm_id, "kind": "thing", "depends_on": list(needs)}


def document(serial=3, stack="shop", lineage="11111111-1111-4111-8111-111111111111"):
    return {
        "format_version": 1, "lineage": lineage, "serial": serial, "salt": "00" * 16,
        "owner": {"stack": stack, "environment": "", "tenant": "", "subscription": "s", "endpoint": "", "target": "azure"},
        "entries": {ID_A.lower(): entry("web.a", ID_A), ID_B.lower(): entry("web.b", ID_B, "web.a")},
        "intents": {},
    }


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process, seconds=20):
    end = time.time() + seconds
    while time.time() < end and process.poll() is None:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("nothing listens on %d" % port)


class Place:
    """A folder, a stack and runs of deployer on its state."""

    url = None

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.stack = os.path.join(self.folder, "stack.yaml")
        with open(self.stack, "w", encoding="utf-8") as out:
            out.write(STACK)

    def environment(self):
        return {}

    def deployer(self, *words, status=0):
        command = [DEPLOYER, *words, "--yes"] + (["--state", self.url] if self.url else [])
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=self.folder,
                             env={**os.environ, "CI": "", **self.environment()})
        self.assertEqual(run.returncode, status, run.stderr + run.stdout)
        return run.stdout if status == 0 else run.stderr

    def push(self, content, *options, status=0):
        path = os.path.join(self.folder, "pushed.json")
        with open(path, "w", encoding="utf-8") as out:
            json.dump(content, out)
        return self.deployer("state", "push", self.stack, path, *options, status=status)

    def addresses(self):
        listed = json.loads(self.deployer("state", "list", self.stack, "-o", "json"))
        return sorted(e["address"] for e in listed["entries"])

    def serial(self):
        return json.loads(self.deployer("state", "show", self.stack))["serial"]


class Base(Place):
    """What every backend must do. Subclasses say where, hold the lock as somebody else, and damage what is there."""

    def test_nothing_yet(self):
        self.assertEqual(self.addresses(), [])

    def test_push_list_show_move_forget(self):
        self.push(document(), "--repair")
        self.assertEqual(self.addresses(), ["web.a", "web.b"])
        self.assertEqual(json.loads(self.deployer("state", "show", self.stack, "web.a"))["id"], ID_A)
        self.deployer("state", "mv", self.stack, "web.a", "site.a")
        self.assertEqual(self.addresses(), ["site.a", "web.b"])
        self.assertEqual(json.loads(self.deployer("state", "show", self.stack, "web.b"))["depends_on"], ["site.a"])
        self.assertIn("something is at", self.deployer("state", "mv", self.stack, "web.b", "site.a", status=65))
        self.assertIn("nothing is at", self.deployer("state", "mv", self.stack, "web.a", "x.y", status=65))
        self.deployer("state", "rm", self.stack, "web.b")
        self.assertEqual(self.addresses(), ["site.a"])

    def test_every_write_raises_the_serial(self):
        self.push(document(), "--repair")
        before = self.serial()
        self.deployer("state", "mv", self.stack, "web.a", "x.a")
        self.deployer("state", "mv", self.stack, "x.a", "x.b")
        self.assertEqual(self.serial(), before + 2)

    def test_pull_and_push(self):
        self.push(document(), "--repair")
        pulled = self.deployer("state", "pull", self.stack)
        old = json.loads(pulled)
        self.deployer("state", "mv", self.stack, "web.a", "x.a")
        self.assertIn("is newer", self.push(old, status=73))
        self.push(old, "--force")
        self.assertEqual(self.addresses(), ["web.a", "web.b"])
        old["entries"] = {}
        self.assertIn("checksum", self.push(old, status=65))
        other = document(serial=99, lineage="22222222-2222-4222-8222-222222222222")
        self.push(other, "--repair")
        self.assertIn("lineage", self.push(json.loads(pulled), status=73))

    def test_state_of_another_stack(self):
        self.push(document(stack="other"), "--repair")
        self.assertIn("stack is 'other' there and 'shop' here", self.deployer("state", "list", self.stack, status=65))

    def test_lock(self):
        self.push(document(), "--repair")
        release = self.hold()
        try:
            self.assertIn("somebody", self.deployer("state", "mv", self.stack, "web.a", "x.a", status=75))
            self.assertEqual(self.addresses(), ["web.a", "web.b"])  # reading needs no lock
            self.assertIn("somebody", self.deployer("force-unlock", self.stack))
            self.deployer("state", "mv", self.stack, "web.a", "x.a")
        finally:
            release()
        self.assertEqual(self.addresses(), ["web.b", "x.a"])
        self.assertIn("not locked", self.deployer("force-unlock", self.stack))

    def test_waits_for_the_lock(self):
        self.push(document(), "--repair")
        release = self.hold()
        waiting = subprocess.Popen([DEPLOYER, "state", "mv", self.stack, "web.a", "x.a", "--lock-timeout", "20s"]
                                   + (["--state", self.url] if self.url else []),
                                   env={**os.environ, "CI": "", **self.environment()}, cwd=self.folder)
        time.sleep(0.5)
        self.assertIsNone(waiting.poll())
        release()
        self.assertEqual(waiting.wait(timeout=30), 0)


    def test_a_damaged_one_is_kept(self):
        self.push(document(), "--repair")
        self.damage("half a state {")
        self.deployer("state", "list", self.stack, status=65)
        said = self.push(document(serial=9), "--repair")
        self.assertIn("The damaged one is kept as ", said)
        self.assertEqual(self.kept(said.split("kept as ")[1].strip()), "half a state {")
        self.assertEqual(self.addresses(), ["web.a", "web.b"])

    def test_a_lost_lock_stops_the_run(self):
        self.push(document(), "--repair")
        command = [DEPLOYER, "state", "rm", self.stack, "web.b"] + (["--state", self.url] if self.url else [])
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            os.execve(DEPLOYER, command, {**os.environ, "CI": "", **self.environment()})
        seen = b""
        while b"Forget" not in seen:  # it asks, and holds the lock meanwhile
            seen += os.read(terminal, 4096)
        self.assertIn("taken away", self.deployer("force-unlock", self.stack))
        os.write(terminal, b"yes\n")
        try:
            while True:
                more = os.read(terminal, 4096)
                seen += more
                if not more:
                    break
        except OSError:
            pass  # the terminal's end
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 75, seen)
        self.assertIn(b"nobody holds it now", seen)
        os.close(terminal)
        self.assertEqual(self.addresses(), ["web.a", "web.b"])


HOLDER = json.dumps({"user": "somebody", "host": "h", "pid": 1, "since": "2026-01-01T00:00:00Z"})


class File(Base, unittest.TestCase):
    def path(self, suffix=""):
        return os.path.join(self.folder, ".deployer", "shop.json" + suffix)

    def hold(self):
        lock = open(self.path(".lock"), "w", encoding="utf-8")
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(HOLDER)
        lock.flush()
        return lock.close

    def damage(self, text):
        with open(self.path(), "w", encoding="utf-8") as out:
            out.write(text)

    def kept(self, where):
        with open(where, encoding="utf-8") as copy:
            return copy.read()

    def test_modes(self):
        self.push(document(), "--repair")
        self.deployer("state", "mv", self.stack, "web.a", "x.a")
        self.assertEqual(os.stat(os.path.dirname(self.path())).st_mode & 0o777, 0o700)
        for suffix in ("", ".journal", ".lock"):
            self.assertEqual(os.stat(self.path(suffix)).st_mode & 0o777, 0o600)

    def test_damage_is_told_and_mended(self):
        self.push(document(), "--repair")
        with open(self.path(), encoding="utf-8") as text:
            edited = json.load(text)
        edited["suffix"] = "x"
        with open(self.path(), "w", encoding="utf-8") as out:
            json.dump(edited, out)
        self.assertIn("push --repair", self.deployer("state", "list", self.stack, status=65))
        self.push(edited, "--repair")
        self.assertEqual(self.addresses(), ["web.a", "web.b"])

    def test_a_state_by_name(self):
        self.push(document(), "--repair")
        listed = subprocess.run([DEPLOYER, "state", "list", "-", "--state", self.path()], capture_output=True, text=True,
                                timeout=20, env={**os.environ, "CI": ""})
        self.assertIn("web.a", listed.stdout)


def find_azurite():
    tries = [os.environ.get("DEPLOYER_AZURITE", ""), os.path.expanduser("~/.local/share/deployer/npm"), *glob.glob("/tmp/azurite*")]
    for folder in tries:
        main = os.path.join(folder, "node_modules", "azurite", "dist", "src", "blob", "main.js")
        if folder and os.path.exists(main):
            return main
    return None


AZURITE = find_azurite()
ACCOUNT, KEY = "acct", base64.b64encode(b"k" * 32).decode()


@unittest.skipUnless(AZURITE and shutil.which("node"), "missing: azurite (npm) and node")
class Azurite(Place):
    """An Azurite of the class, a blob of the test."""

    @classmethod
    def setUpClass(cls):
        cls.port = free_port()
        cls.data = tempfile.mkdtemp()
        cls.server = subprocess.Popen(
            ["node", AZURITE, "--blobHost", "127.0.0.1", "--blobPort", str(cls.port), "--inMemoryPersistence", "--silent",
             "--disableTelemetry"], cwd=cls.data, env={**os.environ, "AZURITE_ACCOUNTS": "%s:%s" % (ACCOUNT, KEY)})
        wait_for(cls.port, cls.server)
        cls.request("PUT", "/states", "restype=container")

    @classmethod
    def tearDownClass(cls):
        cls.server.terminate()
        cls.server.wait(timeout=20)
        shutil.rmtree(cls.data)

    @classmethod
    def request(cls, method, path, query="", body=b"", **headers):
        """A signed request: (status, headers)."""
        return cls.fetch(path, method, query, body, **headers)[:2]

    @classmethod
    def fetch(cls, path, method="GET", query="", body=b"", **headers):
        """The same: (status, headers, body)."""
        sent = {"x-ms-date": email.utils.format_datetime(datetime.datetime.now(datetime.timezone.utc), usegmt=True),
                "x-ms-version": "2021-12-02"}
        sent.update({k.replace("_", "-"): v for k, v in headers.items()})
        resource = "/%s/%s%s" % (ACCOUNT, ACCOUNT, path)
        resource += "".join("\n%s:%s" % tuple(p.split("=")) for p in sorted(query.split("&")) if p)
        text = method + "\n\n\n" + (str(len(body)) if body else "") + "\n" * 9 + "".join("%s:%s\n" % (k, sent[k]) for k in sorted(sent)) + resource
        mac = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
        sent["Authorization"] = "SharedKey %s:%s" % (ACCOUNT, base64.b64encode(mac).decode())
        url = "http://127.0.0.1:%d/%s%s%s" % (cls.port, ACCOUNT, path, "?" + query if query else "")
        made = urllib.request.Request(url, method=method, headers=sent, data=body if method == "PUT" else None)
        made.add_unredirected_header("Content-Type", "")
        try:
            with urllib.request.urlopen(made, timeout=10) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), b""

    def setUp(self):
        super().setUp()
        self.blob = "/states/%s.json" % os.path.basename(self.folder)
        self.url = "azblob://%s%s?endpoint=http://127.0.0.1:%d/%s" % (ACCOUNT, self.blob, self.port, ACCOUNT)

    def environment(self):
        return {"AZURE_STORAGE_KEY": KEY}

    def hold(self):
        status, headers = self.request("PUT", self.blob, "comp=lease", x_ms_lease_action="acquire", x_ms_lease_duration="60")
        self.assertEqual(status, 201)
        lease = {k.lower(): v for k, v in headers.items()}["x-ms-lease-id"]
        status, _ = self.request("PUT", self.blob, "comp=metadata", x_ms_lease_id=lease,
                                 x_ms_meta_holder=base64.b64encode(HOLDER.encode()).decode())
        self.assertEqual(status, 200)
        return lambda: self.request("PUT", self.blob, "comp=lease", x_ms_lease_action="release", x_ms_lease_id=lease)


class Blob(Azurite, Base, unittest.TestCase):
    def damage(self, text):
        self.assertEqual(self.request("PUT", self.blob, body=text.encode(), x_ms_blob_type="BlockBlob")[0], 201)

    def kept(self, where):
        return self.fetch(self.blob, query="snapshot=" + where.split("snapshot ")[1])[2].decode()

    def test_no_key_and_no_container(self):
        self.url = self.url.replace("/states/", "/nowhere/")
        self.assertIn("ContainerNotFound", self.deployer("state", "list", self.stack, status=1))


def find_postgres():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
    return os.path.dirname(found[-1]) if found else None


POSTGRES = find_postgres()


@unittest.skipUnless(POSTGRES and shutil.which("psql"), "missing: postgresql")
class Postgres(Base, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.port = free_port()
        cls.data = tempfile.mkdtemp()
        cls.user = None
        if os.geteuid() == 0:  # initdb and postgres refuse root
            try:
                cls.user = pwd.getpwnam("postgres")
            except KeyError:
                raise unittest.SkipTest("missing: a user postgres to run the server as") from None
            os.chown(cls.data, cls.user.pw_uid, cls.user.pw_gid)
        subprocess.run([POSTGRES + "/initdb", "-D", cls.data + "/db", "-U", "owner", "--auth=trust", "--no-sync"],
                       check=True, capture_output=True, timeout=120, cwd="/", **cls.as_user())
        cls.server = subprocess.Popen(
            [POSTGRES + "/postgres", "-D", cls.data + "/db", "-p", str(cls.port), "-h", "127.0.0.1", "-k", cls.data, "-F"],
            cwd="/", stderr=subprocess.DEVNULL, **cls.as_user())
        wait_for(cls.port, cls.server)
        end = time.time() + 20
        while cls.psql("SELECT 1").returncode != 0 and time.time() < end:
            time.sleep(0.1)

    @classmethod
    def as_user(cls):
        return {"user": cls.user.pw_uid, "group": cls.user.pw_gid} if cls.user else {}

    @classmethod
    def psql(cls, sql):
        return subprocess.run(["psql", "-At", "-h", "127.0.0.1", "-p", str(cls.port), "-U", "owner", "postgres", "-c", sql],
                              capture_output=True, text=True, timeout=20)

    @classmethod
    def tearDownClass(cls):
        cls.server.terminate()
        cls.server.wait(timeout=30)
        shutil.rmtree(cls.data)

    def setUp(self):
        super().setUp()
        self.row = os.path.basename(self.folder)
        self.url = "postgres://owner:unused-password@127.0.0.1:%d/postgres?state=%s" % (self.port, self.row)

    def hold(self):
        script = ("SELECT pg_advisory_lock(1684369516, hashtext('%s')); UPDATE deployer_state_lock SET holder = '%s'"
                  " WHERE name = '%s';\n\\echo held\n" % (self.row, HOLDER, self.row))
        session = subprocess.Popen(["psql", "-At", "-h", "127.0.0.1", "-p", str(self.port), "-U", "owner", "postgres"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        session.stdin.write(script)
        session.stdin.flush()
        while session.stdout.readline().strip() != "held":
            self.assertIsNone(session.poll())

        def release():
            session.kill()
            session.communicate()
        return release

    def damage(self, text):
        self.psql("UPDATE deployer_state SET snapshot = '%s' WHERE name = '%s'" % (text, self.row))

    def kept(self, where):
        return self.psql("SELECT snapshot FROM deployer_state WHERE name = %s" % where.split("row ")[1]).stdout.strip()

    def test_the_password_is_never_shown(self):
        self.url = self.url.replace(str(self.port), str(free_port()))
        self.assertNotIn("unused-password", self.deployer("state", "list", self.stack, status=69))

    def test_rows(self):
        self.push(document(), "--repair")
        self.deployer("state", "mv", self.stack, "web.a", "x.a")
        self.assertEqual(self.psql("SELECT count(*) FROM deployer_state_journal WHERE name = '%s'" % self.row).stdout, "1\n")


if __name__ == "__main__":
    unittest.main()
