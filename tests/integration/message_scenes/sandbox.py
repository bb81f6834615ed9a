"""Stacks on one sandbox: what was taken over, locked, edited, saved, interrupted, and what the cloud answers meanwhile."""
import fcntl
import hashlib
import json
import os

from support import Sandbox
from test_messages import HEAD, SUBSCRIPTION

HOLDER = json.dumps({"user": "somebody", "host": "h", "pid": 1, "since": "2026-01-01T00:00:00Z"})
S = " s.yaml --state state.json"


def sealed(document, member):
    """With its sum, as the state's files have it."""
    bare = {k: v for k, v in document.items() if k != member}
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return json.dumps({**bare, member: hashlib.sha256(text.encode()).hexdigest()})


def scenes(book):
    with Sandbox(faults="faults: []\n") as box:
        book.box = box
        book.head = HEAD.replace(SUBSCRIPTION, box.info["subscription"])
        book.more = ["--target", "sandbox", "--sandbox-dir", box.dir]
        before(book)
        states(book)
        plans(book)
        journals(book)
        failures(book)
        waits(book)
        purge(book)


def before(book):
    """Nothing is deployed yet."""
    book.write({"s.yaml": book.head + "services: {network: {use: network}}\n"})
    book.say("before the first apply", "verify" + S)
    book.say("an id of nothing", "import s.yaml =/subscriptions/x --state state.json")
    book.say("in no group", "import s.yaml --resource-group rg-none --state state.json")
    book.write({"s.yaml": book.head + "services: {network: {use: network}, blob: {use: blob}}\n"})
    book.say("what stands in another one", "import s.yaml blob.link=/subscriptions/x --state state.json")
    vnet = "/subscriptions/%s/resourceGroups/rg-s/providers/Microsoft.Network/virtualNetworks/vnet-hub" % book.box.info["subscription"]
    book.write({"s.yaml": book.head + "services: {network: {use: network, existing: {vnet: %s}}}\n" % vnet})
    book.say("a network that is said to exist", "plan" + S)
    book.say("what is somebody else's", "import s.yaml network.vnet=%s --state state.json" % vnet)


def read(book, name):
    with open(book.path(name)) as f:
        return f.read()


def apply(book, *args):
    done = book.run("apply%s --yes %s" % (S, " ".join(args)))
    assert done.returncode == 0, done.stdout + done.stderr


def edited(book, change):
    """The state with a change in it, and its sum made anew."""
    document = json.loads(read(book, "state.json"))
    change(document)
    book.write({"state.json": sealed(document, "checksum")})


def states(book):
    book.write({"s.yaml": book.head + "services: {network: {use: network}}\n", "c/services/x/service.yaml": TAGS, "c/services/vars/service.yaml": LINES})
    apply(book)
    state = read(book, "state.json")
    lock = open(book.path("state.json.lock"), "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    lock.write(HOLDER)
    lock.flush()
    book.say("somebody is at it", "apply%s --yes" % S)
    lock.close()
    pulled = json.loads(state)
    for words, change in (("an older one", {"serial": 0}), ("another lineage", {"lineage": "00000000-0000-4000-8000-000000000000"}),
                          ("of another stack", {"owner": {**pulled["owner"], "stack": "other"}})):
        book.write({"push.json": sealed({**pulled, **change}, "checksum")})
        book.say(words + " is pushed", "state push s.yaml push.json --yes --state state.json")
    book.ask("a question that is answered with no", "state rm s.yaml network.vnet --state state.json", "no\n")
    book.ask("the lock goes while a question waits", "state rm s.yaml network.vnet --state state.json", "yes\n",
             lambda: book.run("force-unlock s.yaml --yes --state state.json"))
    os.rename(book.path("state.json"), book.path("away"))
    book.write({"state.json.journal": "x\n"})
    book.say("the state was removed, its journal not", "status" + S)
    book.write({"state.json": state, "state.json.journal": ""})
    vnet = next(e for e in pulled["entries"].values() if e["address"] == "network.vnet")
    edited(book, lambda d: d["entries"].update({"/x": {**vnet, "id": "/x", "kind": "gone", "address": "x.gone"}}))
    book.say("a kind of a folder that is not named", "plan" + S)
    for words, intent in (("an operation on a kind that is not known", {"kind": "gone"}), ("an operation whose token is damaged", {"kind": "virtual_network", "token": {"x": 1}})):
        book.write({"state.json": state})
        edited(book, lambda d: d.update(intents={vnet["id"].lower(): {"id": vnet["id"], "action": "update", "address": "network.vnet", **intent}}))
        book.say(words, "apply%s --yes" % S, once=True)
    book.write({"state.json": state})


def name_of(book):
    """Of two resources that come to one name when it is known."""
    book.write({"c/services/x/service.yaml": TAGS + """\
  c: {kind: managed_identity, name: "${resource.a.properties.clientId}", body: {}}
  d: {kind: managed_identity, name: "${resource.a.properties.clientId}", body: {}}
"""})
    book.say("two resources come to one name", "plan s.yaml --catalog c --state state.json")
    fresh(book, "unborn", "services: {x: {use: x, with: {v: a}}}\n")
    book.write({"c/services/x/service.yaml": TAGS + """\
  c: {kind: managed_identity, name: c, existing: "${resource.a.properties.clientId}"}
"""})
    book.say("the id of what exists comes from what is not made yet", "plan s.yaml --catalog c --state unborn.json")


TAGS = """\
format: 1
service: x
title: x
inputs: {v: {type: string}}
main: b
resources:
  a: {kind: managed_identity, name: "a-${stack.name}", body: {tags: {v: "${input.v}"}}}
  b: {kind: managed_identity, name: "b-${stack.name}", body: {tags: {v: "${resource.a.tags.v}"}}}
  zone: {kind: private_dns_zone, name: "${stack.name}.example", body: {tags: {v: "${input.v}"}}}
  e: {kind: managed_identity, name: "e-${stack.name}", body: {tags: {v: "${resource.zone.etag}"}}}
"""
LINES = """\
format: 1
service: vars
title: vars
environment:
  web: {KEY: {value: "a\\nb", reason: r}}
  worker: {OTHER: {value: b, reason: r}}
"""


def other(head):
    return head.replace("stack: s", "stack: t").replace("rg-s", "rg-t")


def plans(book):
    book.write({"s.yaml": other(book.head) + 'services: {vars: {use: vars}, x: {use: x, with: {v: "${env.V}"}}}\n', "state.json": "", ".env": "V=1\n"})
    os.remove(book.path("state.json"))
    apply(book, "--catalog c")
    book.say("no such container", "env s.yaml vars --container db --catalog c --state state.json")
    book.say("two lines in a variable", "env s.yaml vars --container web -o docker --catalog c --state state.json")
    book.write({".env": "V=2\n", "new.plan": json.dumps({"saved": "deployer plan", "format_version": 99, "basis": {}, "actions": []})})
    book.say("a plan of a newer program", "apply s.yaml --plan new.plan --yes --catalog c --state state.json")
    done = book.run("plan s.yaml --save old.plan --catalog c --state state.json")
    assert done.returncode == 0, done.stderr
    book.say("what follows from the plan is not in it", "apply s.yaml --plan old.plan --yes --catalog c --state state.json", once=True)
    name_of(book)


def journals(book):
    document = json.loads(read(book, "state.json"))
    line = {"lineage": document["lineage"], "serial": document["serial"] + 1, "ops": []}
    for words, lines in (("another state's journal", [{**line, "lineage": "other"}]), ("a commit is missing", [{**line, "serial": line["serial"] + 1}]),
                         ("an operation of a newer program", [{**line, "ops": [{"op": "fly"}]}]), ("damaged in the middle", ["half a li", line])):
        text = "".join((one if isinstance(one, str) else sealed(one, "sum")) + "\n" for one in lines)
        book.write({"state.json.journal": text})
        book.say(words, "status s.yaml --catalog c --state state.json")
    book.write({"state.json.journal": ""})


def fresh(book, name, services="services: {network: {use: network}}\n"):
    """Another stack, of which nothing is there yet."""
    book.write({"s.yaml": book.head.replace("stack: s", "stack: " + name).replace("rg-s", "rg-" + name) + services})


def faults(book, *entries, **settings):
    book.box.set_faults(json.dumps({"faults": [{"match": m, "do": d} for m, d in entries], "settings": settings}))


LANGFUSE = """\
services:
  postgres: {use: postgres, with: {password: "${secret.P}"}}
  redis: {use: redis, with: {clustering: OSSCluster}}
  clickhouse: {use: clickhouse, with: {password: "${secret.P}"}}
  blob: {use: blob}
  langfuse: {use: langfuse, with: {environment: {REDIS_CLUSTER_ENABLED: "false", REDIS_HOST: redis.example.com}}}
"""


def failures(book):
    fresh(book, "fail")
    faults(book, ({"method": "PUT", "path": "*/vnet-fail"}, {"status": 400, "code": "InvalidRequestFormat", "message": "No such thing."}))
    book.say("one is refused", "apply s.yaml --yes --state fail.json", once=True)
    faults(book, ({"method": "GET", "path": "*/vnet-fail"}, {"status": 404, "code": "ResourceNotFound"}),
           ({"method": "PUT", "path": "*/vnet-fail"}, {"lro": {"duration": "200ms"}}))
    book.say("what was written is not there", "apply s.yaml --yes --state fail.json --timeout 4s", once=True)
    book.box.set_faults("faults: []\n")
    book.write({"s.yaml": book.head + LANGFUSE, ".env": "P=pgExamplePw1\nSALT=%s\nNEXTAUTH_SECRET=%s\nENCRYPTION_KEY=%s\n" % ("a" * 32, "b" * 32, "c" * 64)})
    book.say("a finding", "apply s.yaml --yes --state finding.json")


def waits(book):
    """--timeout and Ctrl-C."""
    fresh(book, "wait")
    faults(book, ({"path": "/metadata/*"}, {"delay": "2s"}))
    book.say("a login that does not come", "plan s.yaml --state wait.json --timeout 500ms")
    faults(book, ({"method": "GET", "path": "/subscriptions/*"}, {"delay": "2s"}))
    book.say("answers that don't come", "plan s.yaml --state wait.json --timeout 500ms")
    faults(book, ({"method": "PUT", "path": "*/vnet-wait"}, {"lro": {"duration": "600s"}}),
           ({"method": "PUT", "path": "*/vnet-stop"}, {"lro": {"duration": "600s"}}))
    book.say("an operation that takes longer", "apply s.yaml --yes --state wait.json --timeout 2s", once=True)
    fresh(book, "stop")
    book.interrupt("Ctrl-C", "apply s.yaml --yes --state stop.json", lambda: any(r["method"] == "PUT" and r["path"].endswith("/vnet-stop") for r in book.box.requests()))
    book.say("what Ctrl-C left is waited for, but not for long enough", "apply s.yaml --yes --state stop.json --timeout 1s", once=True)
    fresh(book, "rate", "services: {network: {use: network}, x: {use: x, with: {v: a}}}\n")
    book.write({"c/services/x/service.yaml": TAGS})
    faults(book, ({"method": "PUT", "path": "*/nsg-rate-apps"}, {"status": 429, "code": "TooManyRequests", "headers": {"Retry-After": 40}}),
           ({"method": "PUT", "path": "*/a-rate"}, {"delay": "500ms"}))
    book.say("throttled for longer than there is time", "apply s.yaml --yes --catalog c --state rate.json --timeout 3s", once=True)
    fresh(book, "provider")
    faults(book, ({"method": "PUT", "path": "*/vnet-provider"}, {"status": 409, "code": "MissingSubscriptionRegistration", "message": "The subscription is not registered to use namespace 'Microsoft.Network'."}),
           ({"path": "*/providers/Microsoft.Network"}, {"body": json.dumps({"namespace": "Microsoft.Network", "registrationState": "Registering", "resourceTypes": []})}))
    book.say("a provider that stays unregistered", "apply s.yaml --yes --skip-checks --state provider.json --timeout 4s", once=True)


SAFE = """\
format: 1
service: safe
title: Safe
main: vault
resources:
  vault:
    kind: key_vault
    name: "kv-${stack.name}"
    body: {properties: {tenantId: 00000000-0000-0000-0000-000000000001, sku: {family: A, name: standard}, enableRbacAuthorization: true}}
"""


def purge(book):
    faults(book, purge_ms=600000)
    book.write({"c/services/safe/service.yaml": SAFE})
    fresh(book, "purge", "services: {safe: {use: safe}}\n")
    for verb in ("apply", "destroy"):
        done = book.run(verb + " s.yaml --yes --catalog c --state purge.json")
        assert done.returncode == 0, done.stderr
    name = book.box.call("GET", book.box.subscription + "/providers/Microsoft.KeyVault/deletedVaults", version="2026-02-01").json["value"][0]["name"]
    book.say("its name is taken by what was deleted", "apply s.yaml --yes --catalog c --state purge.json")
    book.say("what is purged stays", "apply s.yaml --yes --catalog c --state purge.json --timeout 3s --purge " + name, once=True)
