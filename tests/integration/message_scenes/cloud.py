"""Clouds that answer what no cloud should."""
from fakes.arm import SUB, Arm, Answer
from message_scenes.fake import OPTIONS, announce
from test_messages import HEAD, SUBSCRIPTION

HERE = HEAD.replace(SUBSCRIPTION, SUB)
GROUP = "/subscriptions/%s/resourceGroups/rg-s" % SUB


def scenes(book):
    book.write({"s.yaml": HERE + "services: {network: {use: network}}\n"})
    late_token(book)
    with Arm() as arm:
        announce(book, arm)
        plan(book, arm, "no cloud at all", {}, metadata=(200, {"cloudEndpoint": {}}))
        plan(book, arm, "the next page is elsewhere", {"GET /rg-s": group(), "GET /networkSecurityGroups": Answer(200, {"value": [], "nextLink": "https://elsewhere.example/page2"})})
        plan(book, arm, "an answer of nothing", {"GET /rg-s": Answer(200, b"")}, options=" --timeout 1s")
        plan(book, arm, "an endless answer", {"GET /rg-s": Answer(200, b" " * (17 << 20))})
        book.write({"s.yaml": HERE + "vault: kv-s\nservices: {db: {use: postgres, with: {password: \"${secret.P}\"}}}\n"})
        plan(book, arm, "a vault in a cloud that has none", {})
        metadata = Arm.metadata(arm, None)[1]
        routes = {"GET /P": Answer(200, {"welcome": "to the hotspot"})}
        plan(book, arm, "what answers is no vault", routes, metadata=(200, {**metadata, "suffixes": {"keyVaultDns": arm.url.replace("https://", "vault.localhost:").replace("127.0.0.1:", "")}}))


def late_token(book):
    """The first token is good for the login alone; the next one does not come."""
    with Arm(expires_in=20) as arm:
        announce(book, arm)
        give = arm.token
        arm.token = lambda request: give(request) if not arm.tokens else Answer(200, {}, delay=3)
        book.say("a new token does not come", "plan s.yaml --timeout 1s " + OPTIONS, once=True)


def group():
    return Answer(200, {"id": GROUP, "name": "rg-s", "type": "Microsoft.Resources/resourceGroups", "location": "japaneast", "properties": {"provisioningState": "Succeeded"}})


def plan(book, arm, words, routes, metadata=None, options=""):
    arm.routes = routes
    if metadata is not None:
        arm.metadata = lambda request: metadata
    book.say(words, "plan s.yaml " + OPTIONS + options)
    arm.__dict__.pop("metadata", None)
