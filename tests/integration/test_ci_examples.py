"""Every command and option in examples/ci exists, and every file that a later step reads is written."""
import glob
import os
import re
import unittest

from support import ROOT, cli

FILES = sorted(glob.glob(os.path.join(ROOT, "examples", "ci", "*.yml")))


def commands(text):
    """[argument list] of the lines that run deployer, and of those in comments that say how."""
    found = re.findall(r"(?:^|[\s`])deployer ((?:validate|plan|apply|verify|bootstrap|[a-z]+) [a-z]+\.yaml[^`\n]*)", text)
    return [c.split() for c in found]


def options_of(command):
    text = cli(command, "--help").stdout
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text))


class Examples(unittest.TestCase):
    def test_commands_and_options_exist(self):
        self.assertEqual(len(FILES), 2)
        for path in FILES:
            with open(path) as f:
                all_commands = commands(f.read())
            self.assertGreaterEqual({c[0] for c in all_commands}, {"validate", "plan", "apply", "verify"})
            for command in all_commands:
                known = options_of(command[0])
                for word in command[1:]:
                    if word.startswith("-"):
                        self.assertIn(word.split("=")[0], known, "%s: %s" % (path, " ".join(command)))

    def test_formats_exist(self):
        for path in FILES:
            with open(path) as f:
                for command in commands(f.read()):
                    for form in re.findall(r"-o ([a-z]+)", " ".join(command)):
                        done = cli(command[0], "/nowhere/stack.yaml", "-o", form)
                        self.assertNotEqual(done.returncode, 64, "%s -o %s: %s" % (command[0], form, done.stderr))

    def test_one_output_goes_to_the_terminal(self):
        for path in FILES:
            with open(path) as f:
                for command in commands(f.read()):
                    bare = [w for w in re.findall(r"-o (\S+)", " ".join(command)) if "=" not in w]
                    self.assertLessEqual(len(bare), 1, " ".join(command))

    def test_files_that_are_read_are_written(self):
        for path in FILES:
            with open(path) as f:
                text = f.read()
            written = set(re.findall(r"-o [a-z]+=(\S+)", text))
            read = set(re.findall(r"(?:cat|sarif_file:|path:|junit:|paths: \[)\s*([a-z]+\.[a-z]+)", text))
            self.assertTrue(read)
            self.assertLessEqual(read, written)

    def test_no_secret_of_azure_is_asked_for(self):
        for path in FILES:
            with open(path) as f:
                self.assertNotRegex(f.read(), "CLIENT_SECRET|secrets.AZURE")


if __name__ == "__main__":
    unittest.main()
