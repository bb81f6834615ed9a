"""What stands in the way before anything is asked over a network: files, programs, options, the words of a stack."""
import json
import os
import shutil
import subprocess

from support import DEPLOYER, SANDBOX
from test_messages import HEAD, STACK

APP = HEAD + "services: {x: {use: x}}\n"
SERVICE = """\
format: 1
service: x
title: x
%s
"""
TWO_SECRETS = SERVICE % """\
inputs: {a: {type: string, secret: true}, b: {type: string, secret: true}}
environment: {web: {TOKEN: {value: "${input.a}", reason: r}}, worker: {TOKEN: {value: "${input.b}", reason: r}}}
main: r
resources: {r: {kind: managed_identity, name: abc, body: {tags: {x: "${length(environment_secrets('web', 'worker'))}"}}}}
"""


def program(book, name, text):
    """A shell script as the program beside deployer, or in PATH."""
    os.makedirs(os.path.dirname(book.path(name)), exist_ok=True)
    with open(book.path(name), "w") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(book.path(name), 0o755)


def scenes(book):
    say = book.say
    book.write({"s.yaml": STACK, ".env": "", "list.json": "[]", "d/x": ""})
    say("a folder where a file is to be written", "explain MOVED -o json=d")
    say("no object", "diff --type Microsoft.Network/virtualNetworks --desired list.json --actual list.json")
    say("nothing in it is a service's", "verify --env-file .env")
    book.write({"mine/stack.yaml": "", "mine/.env": ""})
    say("both are there", "init mine")
    os.makedirs(book.path("linked"))
    os.symlink("/nowhere/stack.yaml", book.path("linked/stack.yaml"))
    say("a link to nowhere is there", "init linked", once=True)
    say("no address of a resolver", "probe http://host --resolver nowhere")
    say("no address of a resolver, for a cloud", "plan s.yaml --state state.json --resolver nowhere", {"AZURE_TENANT_ID": "t"})
    say("which state?", "state list -")
    say("which row?", "state list - --state postgres://localhost/db", {})
    say("an endpoint of no host", "state list s.yaml --state azblob://a/b/c?endpoint=http://a,b/", {"AZURE_STORAGE_KEY": "a2V5"})
    say("a lease that can't be", "state list s.yaml --state azblob://a/b/c?lease_s=5", {"AZURE_STORAGE_KEY": "a2V5"})
    inputs(book)
    services(book)
    sandbox(book)


def inputs(book):
    for words, source in (("no Terraform state", "terraform: list.json"), ("no text", "file: image"), ("no text from a command", "command: [cat, image]")):
        book.write({"s.yaml": STACK + "inputs: {a: {%s}}\n" % source, "list.json": '{"version": 4}'})
        with open(book.path("image"), "wb") as f:
            f.write(bytes(range(128, 256)))
        book.say(words, "validate s.yaml")


def services(book):
    book.write({"s.yaml": APP, "c/services/x/service.yaml": SERVICE % "main: r\nresources: {r: {kind: managed_identity, name: abc, body: {tags: \"${file('image')}\"}}}\n"})
    shutil.copy(book.path("image"), book.path("c/services/x/image"))
    book.say("a file of a service that is no text", "validate s.yaml --catalog c")
    book.write({"s.yaml": HEAD + "services: {x: {use: x, with: {a: \"${secret.A}\", b: \"${secret.B}\"}}}\n", "c/services/x/service.yaml": TWO_SECRETS})
    book.say("two secrets of one name", "validate s.yaml --catalog c", {"A": "1", "B": "2"})
    several = SERVICE % "resources: {a: {kind: managed_identity, name: abc, body: {}}, b: {kind: managed_identity, name: abd, body: {}}}\n"
    book.write({"s.yaml": HEAD + "services: {x: {use: x, existing: /subscriptions/s}}\n", "c/services/x/service.yaml": several})
    book.say("which of them exists?", "validate s.yaml --catalog c")


def sandbox(book):
    book.write({"box/sandbox.json": "{}", "half/sandbox.json": '{"endpoint": "https://127.0.0.1:9", "tenant": "t", "client_id": "c", "pid": 1}', "s.yaml": STACK})
    for words, folder in (("no sandbox", "none"), ("a sandbox that says nothing", "box"), ("a sandbox without a login", "half")):
        book.say(words, "plan s.yaml --state state.json --target sandbox --sandbox-dir " + folder)
    book.say("a sandbox that says nothing", "sandbox env --dir box")
    book.say("a script that is not there", "sandbox start --dir own --faults none.yaml")
    os.makedirs(book.path("bin"))
    shutil.copy(DEPLOYER, book.path("bin/deployer"))
    book.program = book.path("bin/deployer")
    book.say("deployer alone", "sandbox start --dir own")
    program(book, "bin/deployer-sandbox", "exec sleep 3\n")
    book.say("it never answers", "sandbox start --dir own --timeout 300ms")
    program(book, "bin/deployer-sandbox", "exit 1\n")
    book.say("it says nothing", "sandbox start --dir own")
    with subprocess.Popen(["sh", "-c", "trap '' TERM; echo; sleep 3"], stdout=subprocess.PIPE) as deaf:
        deaf.stdout.readline()
        book.write({"own/sandbox.json": json.dumps({"endpoint": "https://127.0.0.1:9", "client_secret": "x", "pid": deaf.pid})})
        book.say("it does not end", "sandbox stop --dir own --timeout 200ms", quiet=[(r"kill -9 \d+", "kill -9 N")])
        deaf.kill()
