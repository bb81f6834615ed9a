"""Faulty servers on loopback for test_lab.py: a script of ../shared/lab started on free ports, the
CLI's probe run on it, everything stopped by its own pid."""
import json
import os
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
