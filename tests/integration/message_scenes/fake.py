"""A cloud that a script plays, for `--target sandbox --sandbox-dir fake`."""
import json

from fakes.arm import CLIENT, SUB, TENANT
from fakes.server import certificate

OPTIONS = "--target sandbox --sandbox-dir fake --state state.json"
# Where no metadata service and no Azure CLI is: nothing listens on port 9 of this machine.
NOWHERE = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:9", "PATH": "/nowhere"}


def announce(book, arm, **more):
    """fake/sandbox.json, which names the cloud and the way to log in."""
    book.write({"fake/secret": "hush-hush-value", "fake/sandbox.json": json.dumps(
        {"endpoint": arm.url, "ca": certificate()[1], "tenant": TENANT, "client_id": CLIENT, "client_secret": "secret", "subscription": SUB, **more})})
