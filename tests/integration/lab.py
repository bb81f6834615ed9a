"""Faulty servers on loopback for test_lab.py: a script of ../shared/lab started on free ports, the
CLI's probe run on it, everything stopped by its own pid."""
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("DEPLOYER_BUILD", os.path.join(ROOT, "build", "release"))
CLI = os.path.join(BUILD, "deployer")


def find_lab():
    """The folder, from a checkout or from a worktree beside it; None where it is not there."""
    for up in ("..", "../.."):
        path = os.path.normpath(os.path.join(ROOT, up, "shared", "lab"))
        if os.path.exists(os.path.join(path, "EXPECTED.tsv")):
            return path
    return None


LAB = find_lab()


def need_lab():
    if LAB is None:
        raise unittest.SkipTest("missing: ../shared/lab")


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Server:
    """A child that prints READY, or (ready_port) opens a port, or (pause_s) needs a moment."""

    def __init__(self, args, env=None, ready_port=None, pause_s=0):
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        stdin=subprocess.DEVNULL, text=True, env=env)
        try:
            if pause_s:
                time.sleep(pause_s)
            elif ready_port:
                self.wait_port(ready_port)
            else:
                self.wait_ready()
        except BaseException:
            self.stop()
            raise

    def wait_ready(self):
        for line in self.process.stdout:
            if line.strip() == "READY":
                return
            if line.startswith("SKIP"):
                raise unittest.SkipTest("missing: " + line.split("missing", 1)[-1].strip())
            if line.startswith("FAIL"):
                raise AssertionError(line.strip())
        raise AssertionError("the server ended before it was ready")

    def wait_port(self, port):
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("port %d never opened" % port)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Certificates:
    """The lab's throw-away CA, made once for a run in a folder that other users may enter."""
    folder = None

    @classmethod
    def env(cls):
        if cls.folder is None:
            cls.folder = tempfile.TemporaryDirectory(prefix="lab-certs-")
            os.chmod(cls.folder.name, 0o755)
            subprocess.run(["bash", os.path.join(LAB, "mkcerts.sh"), cls.folder.name], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return dict(os.environ, LAB_CERTS=cls.folder.name)

    @classmethod
    def path(cls, name):
        return os.path.join(cls.env()["LAB_CERTS"], name)


class Authority:
    """Two CAs of our own and what they signed, in a folder; needs nothing but openssl."""

    def __init__(self, folder):
        self.folder = folder
        for ca in ("ca", "otherca"):
            self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", ca + ".key", "-out", ca + ".crt",
                         "-days", "30", "-subj", "/CN=" + ca)

    def openssl(self, *args):
        subprocess.run(["openssl", *args], cwd=self.folder, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def path(self, name):
        return os.path.join(self.folder, name)

    def sign(self, name, alternatives, ca="ca", dates=None):
        """A leaf; `dates` are (first, last) as openssl ca wants them, default from now on."""
        with open(self.path("ext"), "w") as f:
            f.write("subjectAltName=%s\nextendedKeyUsage=serverAuth\n" % alternatives)
        with open(self.path("ca.cnf"), "w") as f:
            f.write("[ca]\ndefault_ca=c\n[c]\nnew_certs_dir=.\ndatabase=index.txt\nserial=serial\ndefault_md=sha256\n"
                    "policy=p\nunique_subject=no\n[p]\ncommonName=supplied\n")
        open(self.path("index.txt"), "w").close()
        with open(self.path("serial"), "w") as f:
            f.write("1000\n")
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name)
        first, last = dates or ("20200101000000Z", "20991231000000Z")
        self.openssl("ca", "-batch", "-config", "ca.cnf", "-cert", ca + ".crt", "-keyfile", ca + ".key", "-in", name + ".csr",
                     "-out", name + ".crt", "-startdate", first, "-enddate", last, "-extfile", "ext", "-notext")


class Postgres:
    """A real PostgreSQL on loopback whose certificate and settings change while it runs; user app, database appdb."""
    PASSWORD = "lab-pass-word-7"
    PROGRAMS = max(glob.glob("/usr/lib/postgresql/*/bin"), default="")
    LOGIN = "local all all trust\nhost all all all scram-sha-256\n"

    def __init__(self):
        if not os.path.exists(os.path.join(self.PROGRAMS, "postgres")):
            raise unittest.SkipTest("missing: postgresql")
        self.kept = tempfile.TemporaryDirectory(prefix="lab-pg-", ignore_cleanup_errors=True)
        self.folder = self.kept.name
        os.chmod(self.folder, 0o755)
        self.data = os.path.join(self.folder, "data")
        os.mkdir(self.data, 0o700)
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(self.data, self.user)
        self.port = free_ports(1)[0]
        self.process = None
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def run(self, program, *args):
        subprocess.run([os.path.join(self.PROGRAMS, program), *args], check=True, user=self.user, cwd="/", timeout=60,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def write(self, name, text):
        with open(os.path.join(self.data, name), "w") as f:
            f.write(text)
        if self.user:
            shutil.chown(f.name, self.user)
        os.chmod(f.name, 0o600)

    def start(self):
        self.run("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "--no-sync")
        self.settings()
        self.process = subprocess.Popen([os.path.join(self.PROGRAMS, "postgres"), "-D", self.data], user=self.user, cwd="/",
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.time() + 30
        while not os.path.exists(os.path.join(self.data, ".s.PGSQL.%d" % self.port)):
            if self.process.poll() is not None or time.time() > end:
                raise AssertionError("postgres did not start")
            time.sleep(0.05)
        for sql in ("create role app login password '%s'" % self.PASSWORD, "create database appdb owner app"):
            self.sql(sql)

    def sql(self, text):
        end = time.time() + 20
        while True:
            try:
                self.run("psql", "-h", self.data, "-p", str(self.port), "-U", "postgres", "-q", "-c", text)
                return
            except subprocess.CalledProcessError:
                if time.time() > end:
                    raise
                time.sleep(0.1)

    def settings(self, certificate=None, login=LOGIN, **more):
        """Writes both files; `certificate` is (crt, key) as paths, None: no TLS."""
        lines = ["listen_addresses = '127.0.0.1'", "port = %d" % self.port, "unix_socket_directories = '%s'" % self.data,
                 "fsync = off", "lc_messages = 'C'", "ssl = %s" % ("off" if certificate is None else "on")]
        lines += ["%s = '%s'" % pair for pair in more.items()]
        for name, source in zip(("server.crt", "server.key"), certificate or ()):
            with open(source) as f:
                self.write(name, f.read())
        self.write("postgresql.conf", "\n".join(lines) + "\n")
        self.write("pg_hba.conf", login)

    def reload(self, *args, **more):
        """New settings, in effect when it returns: a session of its own time says so."""
        self.settings(*args, **more)
        self.process.send_signal(signal.SIGHUP)
        until = time.time() + 10
        mark = "lab%d" % time.monotonic_ns()
        with open(os.path.join(self.data, "postgresql.conf"), "a") as f:
            f.write("cluster.mark = '%s'\n" % mark)
        self.process.send_signal(signal.SIGHUP)
        while True:
            done = subprocess.run([os.path.join(self.PROGRAMS, "psql"), "-h", self.data, "-p", str(self.port), "-U", "postgres",
                                   "-Atc", "show cluster.mark"], user=self.user, cwd="/", capture_output=True, text=True, timeout=20)
            if done.stdout.strip() == mark:
                return
            if time.time() > until:
                raise AssertionError("the settings do not come into effect: " + done.stderr)
            time.sleep(0.02)

    def url(self, host="localhost", password=None, **options):
        query = "&".join("%s=%s" % pair for pair in options.items())
        return "postgresql://app:%s@%s:%d/appdb?%s" % (password or self.PASSWORD, host, self.port, query)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(timeout=20)
        self.kept.cleanup()


def start(script, ports):
    return Server(["bash", os.path.join(LAB, script), *map(str, ports)], env=Certificates.env())


def start_double(program, port, *args, ready=True):
    return Server([sys.executable, os.path.join(LAB, "py", program), str(port), *args],
                  env=Certificates.env(), ready_port=port if ready else None, pause_s=0 if ready else 1)


def cli(*args, timeout=30, env=None, **more):
    return subprocess.run([CLI, *args], capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, env=env, **more)


def probe(*args, timeout=30):
    """The document of `deployer probe ARGS`, and how long it took."""
    started = time.monotonic()
    r = cli("probe", *args, "-o", "json", timeout=timeout)
    took = time.monotonic() - started
    if not r.stdout:
        raise AssertionError("exit %d: %s" % (r.returncode, r.stderr))
    return json.loads(r.stdout), took


def text_of(finding):
    return " ".join([finding["title"], finding["cause"], finding["fix"], *finding["evidence"]])


def lacking(text, wanted):
    """The parts of "a;b or c" that the text lacks."""
    low = text.lower()
    return [part for part in wanted.split(";")
            if not any(w.strip().lower() in low for w in part.split(" or "))]
