"""Cases of YAML: our own (tests/data/yaml.json) and those of the YAML test suite, where its folder is named by YAML_SUITE."""
import json
import os
import re

from support import ROOT


def own():
    """name -> (bytes, what is expected: {"json": value} or {"code", "line", "column"})."""
    with open(os.path.join(ROOT, "tests", "data", "yaml.json")) as f:
        table = json.load(f)
    cases = {}
    for row in table:
        text = bytes.fromhex(row["hex"]) if "hex" in row else row["text"].encode()
        assert row["case"] not in cases, row["case"]
        cases[row["case"]] = (text * row.get("times", 1), {k: row[k] for k in ("json", "code", "line", "column") if k in row})
    return cases


def shown(text):
    """The suite writes what can't be seen with signs of its own."""
    text = re.sub("—*»", "\t", text.replace("␣", " "))
    text = text.replace("↵", "").replace("←", "\r").replace("⇔", "\ufeff")
    return re.sub("∎\n?$", "", text)


def blocks(path):
    """The items of one file of the suite: {"yaml", "json", "fail"} as far as they are there."""
    with open(path, encoding="utf-8") as f:
        lines = f.read().split("\n")
    items, key = [], None
    for line in lines:
        start = re.match(r"^(- |  )([a-z]+): ?(.*)$", line)
        if start:
            if start[1] == "- ":
                items.append({})
            key = start[2] if start[3].startswith("|") else None
            items[-1][start[2]] = "" if key else start[3]
        elif key and items and (line.startswith("    ") or not line.strip()):
            items[-1][key] += line[4:] + "\n"
    return items


def suite():
    """name -> (bytes, {"json": value} where the suite has one document's, {"fail": True})."""
    folder = os.environ.get("YAML_SUITE")
    cases = {}
    if not folder:
        return cases
    for name in sorted(os.listdir(os.path.join(folder, "src"))):
        for number, item in enumerate(blocks(os.path.join(folder, "src", name))):
            if "yaml" not in item:
                continue
            text = shown(re.sub("\n+$", "\n", item["yaml"]) if not item["yaml"].strip("\n") == "" else item["yaml"])
            expected = {"fail": True} if item.get("fail") == "true" else {}
            try:
                expected["json"] = json.loads(item.get("json", ""))
            except ValueError:
                pass
            cases["%s/%d" % (name[:-5], number)] = (text.encode(), expected)
    return cases
