"""The recorded request/response pairs of ARM: what was sent and what came back is no change, and a
change to each property that was sent and returned is seen, at its place.

The pairs are not part of this repository; they are looked for in `shared/arm/pairs` beside or above it.
"""
import copy
import glob
import json
import os
import re
import subprocess
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEPLOYER = os.environ.get("DEPLOYER", os.path.join(TOP, "build", "release", "deployer"))


def find_pairs():
    folder = TOP
    while folder != "/":
        folder = os.path.dirname(folder)
        found = sorted(glob.glob(os.path.join(folder, "shared", "arm", "pairs", "*.json")))
        if found:
            return found
    return []


PAIRS = find_pairs()


def diff(folder, arm_type, version, desired, actual):
    """The changes that `deployer diff` reports."""
    paths = []
    for name, document in (("desired", desired), ("actual", actual)):
        paths.append(os.path.join(folder, name + ".json"))
        with open(paths[-1], "w", encoding="utf-8") as out:
            json.dump(document, out)
    run = subprocess.run([DEPLOYER, "diff", "--type", arm_type, "--api-version", version, "--desired", paths[0],
                          "--actual", paths[1], "-o", "json"], capture_output=True, text=True, timeout=30)
    if run.returncode not in (0, 1):
        raise AssertionError("exit status %d: %s" % (run.returncode, run.stderr))
    result = json.loads(run.stdout)
    assert result["differs"] == (run.returncode == 1) == bool(result["changes"]), run.stdout
    return result["changes"]


def drop(document, path):
    """Removes a path such as "a.b[*].c"."""
    steps = path.replace("[*]", ".*").split(".")
    places = [document]
    for step in steps[:-1]:
        if step == "*":
            places = [e for p in places if isinstance(p, list) for e in p]
        else:
            places = [p[step] for p in places if isinstance(p, dict) and step in p]
    for place in places:
        if isinstance(place, dict):
            place.pop(steps[-1], None)


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, member in value.items():
            yield from leaves(member, path + (key,))
    elif isinstance(value, list):
        for i, element in enumerate(value):
            yield from leaves(element, path + (i,))
    else:
        yield path, value


def step(value, key):
    if isinstance(value, dict):
        return next((v for k, v in value.items() if str(k).lower() == str(key).lower()), None)
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return value[key]
    return None


def at(document, path):
    for key in path:
        document = step(document, key)
    return document


def put(document, path, value):
    for key in path[:-1]:
        document = document[key]
    document[path[-1]] = value


def other(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    return value + "x"


# Members whose text is somebody's own: each letter counts.
FREE = {"value", "query", "image", "path", "mountPath", "subPath", "description", "command", "args", "displayName"}
MAPS = {"tags", "env", "metadata"}
# Members that may be gone from an answer: told once, or told of by nothing else.
UNTOLD = re.compile("createMode|pointInTime|source|location$|[sS]ecret|password|token|Key$|Uri$|Url$|logAnalyticsDestinationType", re.I)


def otherwise(value):
    if isinstance(value, dict):
        return {k: otherwise(v) for k, v in value.items()}
    if isinstance(value, list):
        return [otherwise(v) for v in value]
    return None if value is None else other(value)


def lists(value, path=()):
    if isinstance(value, dict):
        for key, member in value.items():
            yield from lists(member, path + (key,))
    elif isinstance(value, list):
        if value:
            yield path, value
        for i, element in enumerate(value):
            yield from lists(element, path + (i,))


def with_change(document, path, change):
    changed = copy.deepcopy(document)
    change(at(changed, path))
    return changed


def without(document, path):
    """A copy that lacks the member, however it spells its name."""
    changed = copy.deepcopy(document)
    parent = at(changed, path[:-1])
    for key in [k for k in parent if k.lower() == path[-1].lower()]:
        del parent[key]
    return changed


def leaf_mutations(desired, actual):
    for path, value in leaves(desired):
        if at(actual, path) in (None, "") or (len(path) == 1 and path[0] in ("id", "name", "type")):
            continue
        is_free = isinstance(path[-1], str) and path[-1] in FREE or MAPS & {str(k) for k in path[:-1]}
        if is_free and isinstance(value, str) and value.swapcase() != value and not value.startswith("/subscriptions/"):
            changed = copy.deepcopy(desired)
            put(changed, path, value.swapcase())
            yield "another case", path, changed, actual
        if value and isinstance(path[-1], str) and not any(UNTOLD.search(str(k)) for k in path):
            yield "gone from the cloud", path, desired, without(actual, path)


def list_mutations(desired, actual):
    for path, value in lists(desired):
        there = at(actual, path)
        if not isinstance(there, list) or len(there) < len(value):
            continue
        for i in (0, len(value) - 1):
            yield "one less", path, with_change(desired, path, lambda l, i=i: l.pop(i)), actual
        yield "one more", path, with_change(desired, path, lambda l: l.append(otherwise(l[-1]))), actual
        if path[-1] in ("command", "args") and len(set(value)) == len(value) > 1:
            yield "another order", path, with_change(desired, path, lambda l: l.reverse()), actual


def members(path):
    """The names in a path, without keys and indexes of elements: what both spellings share."""
    return [str(k) for k in path if not isinstance(k, int)]


def reported_members(path):
    names = re.findall(r'\["([^"]*)"\]|([^.\[\]"]+)(?:\[[^"\]][^\]]*\])?', path)
    return [a or b for a, b in names]


def is_at(path, reported):
    want, have = members(path), reported_members(re.sub(r"\[[^\"][^\]]*\]", "", reported))
    # The key of an element is its identity: another one is an element that comes and one that goes.
    return have == want[:len(have)]


@unittest.skipUnless(PAIRS, "missing: shared/arm/pairs")
class Pairs(unittest.TestCase):
    def each(self):
        for path in PAIRS:
            with open(path, encoding="utf-8-sig") as text:
                pair = json.load(text)
            for ignored in pair.get("ignore", []):
                drop(pair["desired"], ignored)
                drop(pair["actual"], ignored)
                drop(pair.get("get", {}), ignored)
            if pair["use"] == "identity":
                for document in (pair["desired"], pair["actual"], pair.get("get", {})):
                    for name in ("id", "name"):
                        document.pop(name, None)
            yield os.path.basename(path), pair

    def types(self, pair):
        """As itself, by its kind, and as a type that nobody knows, by the general rules alone."""
        return (pair["type"], "Contoso.Unknown/" + pair["type"].split("/", 1)[1])

    def test_what_was_sent_and_came_back_is_no_change(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, pair in self.each():
                for answer in ("actual", "get"):
                    if answer not in pair:
                        continue
                    for arm_type in self.types(pair):
                        with self.subTest(pair=name, answer=answer, type=arm_type):
                            found = diff(folder, arm_type, pair["apiVersion"], pair["desired"], pair[answer])
                            if pair["use"] != "none":  # those contradict themselves: they only have to be read
                                self.assertEqual(found, [])

    def test_every_other_value_is_seen_at_its_place(self):
        count = 0
        with tempfile.TemporaryDirectory() as folder:
            for name, pair in self.each():
                if pair["use"] == "none":
                    continue
                for path, value in leaves(pair["desired"]):
                    there = at(pair["actual"], path)
                    if there in (None, "") or (len(path) == 1 and path[0] in ("id", "name", "type")):
                        continue
                    changed = copy.deepcopy(pair["desired"])
                    put(changed, path, other(value))
                    for arm_type in self.types(pair):
                        with self.subTest(pair=name, path=path, type=arm_type):
                            self.check(path, diff(folder, arm_type, pair["apiVersion"], changed, pair["actual"]))
                            count += 1
        self.assertGreater(count, 600)

    def test_members_and_letters_are_seen(self):
        count = {}
        with tempfile.TemporaryDirectory() as folder:
            for name, pair in self.each():
                if pair["use"] == "none":
                    continue
                mutations = (leaf_mutations(pair["desired"], pair["actual"]), list_mutations(pair["desired"], pair["actual"]))
                for what, path, desired, actual in (m for group in mutations for m in group):
                    own, unknown = self.types(pair)
                    if what == "another case" and own.endswith("/configurations"):
                        continue  # a parameter's value has none
                    # Where a kind knows the default, the absence of a value says nothing.
                    arm_type = unknown if what == "gone from the cloud" else own
                    with self.subTest(pair=name, what=what, path=path):
                        found = diff(folder, arm_type, pair["apiVersion"], desired, actual)
                        self.assertTrue(found)
                        self.assertTrue(all(is_at(path, c["path"]) for c in found), found)
                        count[what] = count.get(what, 0) + 1
        for what, least in (("another case", 12), ("gone from the cloud", 150), ("one less", 80), ("one more", 40)):
            self.assertGreater(count.get(what, 0), least, str(count))

    def check(self, path, found):
        self.assertTrue(found)
        self.assertTrue(all(is_at(path, c["path"]) for c in found), found)
        self.assertIn(sorted(c["action"] for c in found), (["update"], ["add", "remove"]))


if __name__ == "__main__":
    unittest.main()
