"""A scriptable ARM with a token endpoint, and how to run arm_tool against it."""
import base64
import json
import os
import subprocess
import tempfile

from .server import Answer, Server, certificate

SUB = "00000000-0000-0000-0000-000000000001"
TENANT = "00000000-0000-0000-0000-00000000000a"
CLIENT = "00000000-0000-0000-0000-00000000000c"
GROUP = "/subscriptions/%s/resourceGroups/rg" % SUB
THING = GROUP + "/providers/Microsoft.Test/things/a"

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.environ.get("DEPLOYER_BUILD", os.path.join(ROOT, "build", "release"))


def jwt(**claims):
    part = lambda o: base64.urlsafe_b64encode(json.dumps(o).encode()).decode().rstrip("=")
    return "%s.%s.sig" % (part({"alg": "none"}), part(claims))


def error(status, code, message="", headers=None, **more):
    return Answer(status, {"error": dict({"code": code, "message": message or code}, **more)}, headers)


def thing(state="Succeeded", **properties):
    return {"id": THING, "name": "a", "type": "Microsoft.Test/things",
            "properties": dict(properties, **({"provisioningState": state} if state else {}))}


class Arm(Server):
    """routes: {"METHOD path-suffix": [answers...]}: the last one repeats; a callable gets the request."""

    def __init__(self, routes=None, expires_in=3599):
        super().__init__(self.answer)
        self.routes = {k: list(v) if isinstance(v, list) else v for k, v in (routes or {}).items()}
        self.tokens, self.expires_in, self.token_answers = [], expires_in, []

    def answer(self, request):
        if request.path.startswith("/metadata/endpoints"):
            return self.metadata(request)
        if request.path.endswith("/token"):
            return self.token(request)
        if "authorization" not in request.headers:
            return error(401, "AuthenticationFailed")
        for key, answers in self.routes.items():
            method, suffix = key.split(" ", 1)
            if request.method == method and request.path.lower().endswith(suffix.lower()):
                one = answers
                if isinstance(answers, list):
                    one = answers.pop(0) if len(answers) > 1 else answers[0]
                return one(request) if callable(one) else one
        return None

    def metadata(self, request):
        return (200, {"name": "Fake", "resourceManager": self.url,
                      "authentication": {"loginEndpoint": self.url + "/", "audiences": [self.url]}})

    def token(self, request):
        if self.token_answers:
            answer = self.token_answers.pop(0)
            if answer is not None:
                return answer
        n = len(self.tokens) + 1
        self.tokens.append(request.form)
        return (200, {"token_type": "Bearer", "expires_in": self.expires_in,
                      "access_token": jwt(tid=TENANT, oid="object-1", appid=CLIENT, n=n)})


def clean_env(**more):
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("AZURE", "ARM_", "IDENTITY_", "MSI_", "ACTIONS_", "SYSTEM_", "GITHUB_"))
           and "proxy" not in k.lower()}
    # Where no metadata service is: nothing listens on port 9 of this machine.
    env["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = "http://127.0.0.1:9"
    env.update(more)
    return {k: v for k, v in env.items() if v is not None}


def secret_env(**more):
    return clean_env(**dict({"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT,
                             "AZURE_CLIENT_SECRET": "hush-hush-value"}, **more))


class Run:
    def __init__(self, process):
        self.status, self.stderr, self.stdout = process.returncode, process.stderr, process.stdout
        try:
            out = json.loads(process.stdout)
        except ValueError:
            raise AssertionError("arm_tool printed no JSON (exit %d): %s\n%s"
                                 % (process.returncode, process.stdout[-2000:], process.stderr[-4000:]))
        self.results, self.requests, self.elapsed_ms = out["results"], out["requests"], out["elapsed_ms"]


def run(server, ops, env=None, options=None, timeout=60, **script):
    """Runs arm_tool; ops without a kind get a plain one."""
    doc = dict({"options": dict({"endpoint": server.url if server else None, "subscription": SUB, "group": "rg"},
                                **(options or {})),
                "http": {"ca": certificate()[1]}, "ops": ops}, **script)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump(doc, f)
        f.flush()
        process = subprocess.run([os.path.join(BUILD, "tests", "arm_tool"), f.name], env=env or secret_env(),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout)
    if "Sanitizer" in process.stderr or "runtime error" in process.stderr or process.returncode < 0:
        raise AssertionError("arm_tool ended with %d: %s" % (process.returncode, process.stderr[-6000:]))
    return Run(process)


def read(id=THING, **more):
    return dict({"op": "read", "id": id, "kind": {}}, **more)


def write(id=THING, body=None, **more):
    return dict({"op": "write", "id": id, "kind": {}, "body": body or {"properties": {"x": 1}}}, **more)


def remove(id=THING, **more):
    return dict({"op": "remove", "id": id, "kind": {}}, **more)
