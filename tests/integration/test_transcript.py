"""docs/verify.md shows what the program really says: UPDATE=1 writes it, otherwise it is compared."""
import os
import re
import unittest

import stack_bed
from fakes.dns import Dns
from support import ROOT

PAGE = os.path.join(ROOT, "docs", "verify.md")
BLOCK = re.compile(r"<!-- transcript ([a-z]+) -->\n(?:```console\n.*?```\n)?", re.S)


def settle(text):
    """Without what differs from run to run: durations, addresses, generated names, and the columns that follow from them."""
    text = re.sub(r"\b\d+(\.\d+)? (ms|s)\b", "N ms", text)
    text = re.sub(r"\b\d+ min( \d+ s)?\b", "N ms", text)
    text = re.sub(r"\b(10|127)(\.\d+){3}\b", "ADDRESS", text)
    text = re.sub(r"\b[a-z]+-[0-9a-f]{8}\.japaneast", "DOMAIN.japaneast", text)
    return re.sub(r"\s+", " ", text)


def shown(text):
    """For people: the folder of the test and the sandbox's endings don't matter."""
    return "\n".join(line.rstrip() for line in text.rstrip().split("\n"))


@unittest.skipIf(stack_bed.missing(), stack_bed.missing() or "")
class Transcript(unittest.TestCase):
    def test_page(self):
        self.maxDiff = None
        bed = stack_bed.shared()
        with open(PAGE) as f:
            old = f.read()
        made = {name: self.make(bed, name) for name in BLOCK.findall(old)}
        new = BLOCK.sub(lambda m: "<!-- transcript %s -->\n```console\n%s\n```\n" % (m[1], made[m[1]]), old)
        if os.environ.get("UPDATE"):
            with open(PAGE, "w") as f:
                f.write(new)
        self.assertEqual(settle(old) if not os.environ.get("UPDATE") else settle(new), settle(new),
                         "docs/verify.md is not what the program says: UPDATE=1 tests/integration/run.py transcript")

    def say(self, bed, line, *args, env=None):
        done = bed.run(*args, env=env)
        self.assertEqual(done.stderr, "")
        return "$ %s\n%s\n$ echo $?\n%d" % (line, shown(done.stdout), done.returncode)

    def verify(self, bed, line, *args, env=None):
        return self.say(bed, line, "verify", "stack.yaml", *bed.on(), *args, env=env)

    def make(self, bed, name):
        if name == "healthy":
            return self.verify(bed, "deployer verify stack.yaml")
        if name == "password":
            return self.verify(bed, "CLICKHOUSE_PASSWORD=another-one deployer verify stack.yaml --only clickhouse",
                               "--only", "clickhouse", env={"CLICKHOUSE_PASSWORD": "another-one"})
        if name == "address":
            _, document = bed.verify("--only", "redis.login")
            address = stack_bed.by_name(document)["redis.login"]["evidence"]["tcp"]["address"]
            return self.say(bed, "deployer probe tls://%s:10000" % address, "probe", "tls://%s:10000" % address,
                            "--ca", bed.info["ca"], "--address-map", bed.info["address_map"])
        if name == "explain":
            return self.say(bed, "deployer explain 'MOVED 10137 10.0.2.4:8500'", "explain", "MOVED 10137 10.0.2.4:8500")
        with Dns("nobody.example") as dns:
            outside = ["--resolver", dns.server, "--address-map", "none"]
            if name == "outside":
                return self.verify(bed, "deployer verify stack.yaml --only redis --only langfuse.web", *outside,
                                   "--only", "redis", "--only", "langfuse.web")
            with bed.closed_port("10000"):
                return self.verify(bed, "deployer verify stack.yaml --only redis.login", *outside, "--only", "redis.login")


if __name__ == "__main__":
    unittest.main()
