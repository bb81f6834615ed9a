"""The messages of a run that meets the world: files and programs that are missing, logins, clouds, networks, states and locks.

Each section of tests/data/messages-run.txt is what people read after its commands (see test_messages.py); UPDATE=1 renews it.
"""
import json
import os
import pty
import re
import signal
import subprocess
import tempfile
import time
import unittest

from message_scenes import cloud, login, machine, sandbox, states
from support import DEPLOYER, ROOT
from test_messages import clean_env, fill, hidden, run

GOLDEN = os.path.join(ROOT, "tests", "data", "messages-run.txt")
RESULT = re.compile(r"^(?:Failed|Ended|\d+ not finished).*", re.M | re.S)  # behind the plan
PROGRESS = re.compile(r"^  \S .*\n", re.M)  # in the order in which things end
CODES = re.compile(r"^[A-Za-z0-9_.-]+$")


class Book:
    """Runs commands in a folder and keeps what they say, as people and as programs read it."""

    def __init__(self, test, folder):
        self.test, self.folder, self.told, self.more, self.program = test, folder, [], [], DEPLOYER

    def write(self, files):
        fill(self.folder, files)

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, command, env=None):
        return run(command, self.folder, env, self.more, self.program)

    def say(self, words, command, env=None, once=False, quiet=(), **files):
        """One command. `once`: it changes what it finds, so that programs don't get a run of their own."""
        done = self.run(command, env)
        text = done.stderr or done.stdout
        if once:
            text = "".join(RESULT.findall(done.stdout)) + PROGRESS.sub("", text)
        for pattern, word in quiet:
            text = re.sub(pattern, word, text)
        self.keep(words, command, text, done.returncode)
        if not once:
            self.read_by_programs(command, done, run(command, self.folder, env, [*self.more, "--log-format", "json"], self.program))
        return done

    def ask(self, words, command, answer, meanwhile=lambda: None, env=None):
        """A command that asks on a terminal; `meanwhile` happens before the answer."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            os.execve(self.program, [self.program, *command.split(), *self.more], clean_env(self.folder, env))
        said = b""
        try:
            while b"Type yes" not in said:
                said += os.read(terminal, 4096)
            meanwhile()
            os.write(terminal, answer.encode())
            while True:
                said += os.read(terminal, 4096)
        except OSError:
            pass  # its end
        os.close(terminal)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self.keep(words, command, said.decode().replace("\r", ""), status)

    def interrupt(self, words, command, is_time):
        """Ctrl-C once `is_time()`."""
        running = subprocess.Popen([self.program, *command.split(), *self.more], cwd=self.folder, env=clean_env(self.folder), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        end = time.time() + 30
        while not is_time() and running.poll() is None and time.time() < end:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        results, said = running.communicate(timeout=30)
        self.keep(words, command, "".join(RESULT.findall(results)) + PROGRESS.sub("", said), running.returncode)

    def keep(self, words, command, said, status):
        self.told.append("(%s)\n$ deployer %s\n%sexit %d\n" % (words, hidden(command), hidden(said.replace(self.folder, "DIR")), status))

    def read_by_programs(self, command, plain, done):
        """--log-format json says the same: one object a line, with a code."""
        with self.test.subTest(command):
            self.test.assertEqual(plain.returncode, done.returncode, done.stderr)
            for line in done.stderr.splitlines():
                o = json.loads(line)  # never a word that is no JSON
                if o["event"] in ("diagnostic", "failed"):
                    self.test.assertRegex(o["code"], CODES)
                    self.test.assertIn(hidden(o["message"].splitlines()[0]), hidden(plain.stderr))


def sections():
    try:
        with open(GOLDEN) as f:
            return dict(re.findall(r"^## (.*)\n((?:(?!## ).*\n)*)", f.read(), re.M))
    except FileNotFoundError:
        return {}


class Told(unittest.TestCase):
    maxDiff = None

    def section(self, title, scenes):
        with tempfile.TemporaryDirectory(prefix="messages-") as folder:
            book = Book(self, folder)
            scenes(book)
        text = "\n" + "\n".join(book.told) + "\n"
        known = sections()
        if os.environ.get("UPDATE"):
            known[title] = text
            with open(GOLDEN, "w") as f:
                f.write("".join("## %s\n%s" % one for one in sorted(known.items())).rstrip("\n") + "\n")
            known = sections()
        self.assertEqual(text.strip(), known.get(title, "").strip(),
                         "UPDATE=1 tests/integration/run.py messages_run renews tests/data/messages-run.txt: read what changed")

    def test_machine(self):
        self.section("this machine", machine.scenes)

    def test_login(self):
        self.section("logins", login.scenes)

    def test_cloud(self):
        self.section("a cloud that misbehaves", cloud.scenes)

    def test_sandbox(self):
        self.section("stacks and their states", sandbox.scenes)

    def test_blob(self):
        self.section("a state in a blob", states.blob_scenes)

    def test_database(self):
        self.section("a state in a database", states.database_scenes)


if __name__ == "__main__":
    unittest.main()
