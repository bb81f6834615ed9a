"""States in a blob and in a database, and who takes them away."""
import json
import re
import unittest

import test_state
from fakes.server import Answer, Server
from message_scenes.sandbox import sealed
from test_state import KEY, STACK, document


class Blob:
    """A blob whose lease is lost when it is to be written, as the service tells it."""

    def __init__(self):
        self.content, self.code = sealed(document(), "checksum").encode(), None

    def __call__(self, request):
        what = request.query.get("comp")
        if what == "lease":
            acquired = request.headers["x-ms-lease-action"] == "acquire"
            return Answer(201 if acquired else 200, "", {"x-ms-lease-id": request.headers.get("x-ms-proposed-lease-id", "")})
        if what == "metadata":
            return Answer(200, "")
        if request.method == "PUT":
            return Answer(412, "", {"x-ms-error-code": self.code}) if b"serial" in request.body else Answer(409, "", {"x-ms-error-code": "BlobAlreadyExists"})
        return Answer(200, self.content, {"ETag": '"1"', "x-ms-lease-state": "available"})


def blob_scenes(book):
    blob = Blob()
    with Server(blob, tls=False) as server:
        book.write({"s.yaml": STACK})
        url = "--state azblob://acct/states/s.json?endpoint=%s/acct" % server.url
        blob.code = "LeaseIdMismatchWithBlobOperation"
        book.say("its lease ran out", "state mv s.yaml web.a x.a %s" % url, {"AZURE_STORAGE_KEY": KEY})
        book.say("a key that is none", "state list s.yaml %s" % url, {"AZURE_STORAGE_KEY": "#"})


def database_scenes(book):
    base = test_state.Postgres
    try:
        base.setUpClass()
    except unittest.SkipTest as missing:
        book.test.skipTest(str(missing))
    try:
        database(book, base)
    finally:
        base.tearDownClass()


def database(book, base):
    name = "postgres://owner@127.0.0.1:%d/postgres?state=s" % base.port
    url = " --state " + name
    book.write({"s.yaml": STACK, "push.json": json.dumps(document())})
    assert book.run("state push s.yaml push.json --yes --repair" + url).returncode == 0
    book.ask("the lock goes while a question waits", "state rm s.yaml web.b" + url, "yes\n", lambda: book.run("force-unlock s.yaml --yes" + url))
    base.psql("INSERT INTO deployer_state_journal VALUES ('s', 99, 'half a line')")
    book.say("a damaged row", "state mv s.yaml web.a x.a" + url)
    base.psql("DELETE FROM deployer_state_journal")
