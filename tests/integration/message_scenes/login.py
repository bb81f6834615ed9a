"""Each way to log in that does not work, against fakes of those who give the tokens."""
import base64

from fakes.arm import CLIENT, TENANT, Arm, Answer
from fakes.server import Server
from message_scenes.fake import NOWHERE, OPTIONS, announce
from message_scenes.machine import program
from test_messages import STACK

IDS = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT}
CLAIMS = base64.b64encode(b'{"access_token":{"nbf":{"essential":true}}}').decode()
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="", error="insufficient_claims", claims="%s"' % CLAIMS}


def scenes(book):
    book.write({"s.yaml": STACK})
    book.say("nothing to log in with", "plan s.yaml --state state.json", NOWHERE)
    with Arm() as arm:
        announce(book, arm)
        managed(book)
        pipelines(book)
        command_line(book, arm)
        announce(book, arm)
        arm.answer = lambda request: Arm.answer(arm, request) if request.path.endswith(("/token", "/endpoints")) else Answer(401, {}, CHALLENGE)
        arm.handler = arm.answer
        program(book, "bin/az", 'echo \'{"accessToken": "t", "expiresOn": "2099-01-01 00:00:00.000000"}\'\n')
        book.say("a claims challenge, which only a new login answers", "plan s.yaml --auth azure-cli " + OPTIONS, path(book))


def path(book):
    return {**NOWHERE, "PATH": book.path("bin")}


def managed(book):
    def answers(words, answer, **env):
        with Server(lambda request: answer, tls=False) as imds:
            book.say(words, "plan s.yaml --auth managed-identity " + OPTIONS, {**NOWHERE, "AZURE_POD_IDENTITY_AUTHORITY_HOST": imds.url, **env})
    answers("no identity at this machine", Answer(400, {"error": "invalid_request", "error_description": "Identity not found"}))
    answers("not that identity", Answer(400, {"error": "invalid_request", "error_description": "Identity not found"}), AZURE_CLIENT_ID=CLIENT)
    answers("an answer of something else", Answer(200, {"welcome": "to the hotspot"}))


def pipelines(book):
    for words, answer in (("GitHub refuses", Answer(403, {})), ("GitHub gives no token", Answer(200, {"count": 1}))):
        with Server(lambda request: answer, tls=False) as github:
            book.say(words, "plan s.yaml --auth github-oidc " + OPTIONS, {**NOWHERE, **IDS, "ACTIONS_ID_TOKEN_REQUEST_URL": github.url + "/x", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"})


def command_line(book, arm):
    book.say("no Azure CLI", "plan s.yaml --auth azure-cli " + OPTIONS, NOWHERE)
    program(book, "bin/az", "echo ERROR: Please run az login to setup account. >&2; exit 1\n")
    book.say("not logged in", "plan s.yaml --auth azure-cli " + OPTIONS, path(book))
    announce(book, arm, tenant="--debug")
    book.say("an option as a tenant", "plan s.yaml --auth azure-cli " + OPTIONS, path(book))
