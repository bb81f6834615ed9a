"""The messages of a run that meets the world: files and programs that are missing, logins, clouds, networks, states and locks.

Each section of tests/data/messages-run.txt is what people read after its commands (see test_messages.py); UPDATE=1 renews it.
"""
import json
import os
import re
import tempfile
import unittest

from message_scenes import machine
from support import DEPLOYER, ROOT
from test_messages import fill, hidden, run

GOLDEN = os.path.join(ROOT, "tests", "data", "messages-run.txt")
CODES = re.compile(r"^[a-z0-9_.-]+$")


class Book:
    """Runs commands in a folder and keeps what they say, as people and as programs read it."""

    def __init__(self, test, folder):
        self.test, self.folder, self.told, self.more, self.program = test, folder, [], [], DEPLOYER

    def write(self, files):
        fill(self.folder, files)

    def path(self, name):
        return os.path.join(self.folder, name)

    def say(self, words, command, env=None, once=False, quiet=(), **files):
        """One command. `once`: it changes what it finds, so that programs don't get a run of their own."""
        done = run(command, self.folder, env, self.more, self.program)
        text = hidden((done.stderr or done.stdout).replace(self.folder, "DIR"))
        for pattern, word in quiet:
            text = re.sub(pattern, word, text)
        self.told.append("(%s)\n$ deployer %s\n%sexit %d\n" % (words, command, text, done.returncode))
        if not once:
            self.read_by_programs(command, done, run(command, self.folder, env, [*self.more, "--log-format", "json"], self.program))
        return done

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

    def x_login(self):
        self.section("logins", login.scenes)

    def x_cloud(self):
        self.section("a cloud that misbehaves", cloud.scenes)

    def x_sandbox(self):
        self.section("stacks and their states", sandbox.scenes)

    def x_blob(self):
        self.section("a state in a blob", states.blob_scenes)

    def x_database(self):
        self.section("a state in a database", states.database_scenes)


if __name__ == "__main__":
    unittest.main()
