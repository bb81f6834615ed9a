"""cloud/arm against a scripted ARM: long operations, retries, throttling, conflicts, registration,
paging, claims, order of writes."""
import email.utils
import time
import unittest

from fakes.arm import GROUP, SUB, THING, Arm, Answer, error, read, remove, run, secret_env, thing, write
from fakes.dns import Dns
from fakes.server import Server, certificate


def ok(case, result):
    case.assertNotIn("error", result, result.get("error"))
    return result


class Reading(unittest.TestCase):
    def test_read_and_absence(self):
        with Arm({"GET /things/a": [Answer(200, b"\xef\xbb\xbf" + b'{"id":"x","properties":{}}')],
                  "GET /things/odd": [error(404, "InvalidResourceType", "no such type")]}) as arm:
            r = run(arm, [read(), read(GROUP + "/providers/Microsoft.Test/things/b"),
                          read(GROUP + "/providers/Microsoft.Test/things/odd")])
            self.assertEqual(ok(self, r.results[0])["document"]["id"], "x")  # the BOM is skipped
            self.assertTrue(r.results[1]["is_absent"])
            self.assertNotIn("error", r.results[1])
            self.assertEqual(r.results[2]["error"]["api_code"], "InvalidResourceType")
            headers = arm.seen("GET", "/things/a")[0].headers
            self.assertEqual(headers["accept"], "application/json")
            self.assertIn("x-ms-client-request-id", headers)
            runs = {q.headers["x-ms-correlation-request-id"] for q in arm.seen("GET", "/things/")}
            self.assertEqual(len(runs), 1)

    def test_pages_are_followed_on_the_same_host_only(self):
        with Arm() as arm, Server(lambda q: (200, {"value": []})) as other:
            things = GROUP + "/providers/Microsoft.Test/things"
            arm.routes = {
                "GET /rg/providers/Microsoft.Test/things": lambda q: Answer(
                    200, {"value": [{"id": "2"}], "nextLink": None} if "$skiptoken" in q.query else
                    {"value": [{"id": "1"}], "nextLink": arm.url + things + "?api-version=2025-01-01&$skiptoken=x%2B"}),
                "GET /other/providers/Microsoft.Test/things": lambda q: Answer(
                    200, {"value": [], "nextLink": other.url + "/steal"}),
                "GET /single": lambda q: Answer(200, {"id": "only"}),
            }
            r = run(arm, [{"op": "list", "id": THING, "kind": {}},
                          {"op": "list", "id": THING.replace("/rg/", "/other/"), "kind": {}},
                          {"op": "list", "id": THING, "kind": {"list": "{parent}/single"}},
                          {"op": "list", "id": THING.replace("/rg/", "/gone/"), "kind": {}}])
            self.assertEqual([d["id"] for d in ok(self, r.results[0])["document"]], ["1", "2"])
            self.assertIn("no token is sent there", r.results[1]["error"]["text"])
            self.assertEqual(other.requests, [])
            self.assertEqual(ok(self, r.results[2])["document"], [{"id": "only"}])
            self.assertEqual(ok(self, r.results[3])["document"], [])

    def test_denied_list(self):
        with Arm({"GET /things": [error(403, "AuthorizationFailed", "no right")]}) as arm:
            r = run(arm, [{"op": "list", "id": THING, "kind": {}}])
            self.assertEqual(r.results[0]["error"]["kind"], "denied")
            self.assertIn("role", r.results[0]["error"]["hint"])

    def test_actions(self):
        with Arm({"POST /things/a/listKeys": [error(503, "Busy"), Answer(200, {"keys": [{"value": "k"}]})],
                  "POST /things/a/start": [Answer(drop=True)],
                  "GET /things/a/parts": [Answer(200, {"value": [1]})],
                  "POST /things/a/long": lambda q: Answer(202, None, {"Location": arm.url + "/operations/long"}),
                  "GET /operations/long": [Answer(202), Answer(200, {"answer": 42})]}) as arm:
            act = lambda method, path: {"op": "act", "id": THING, "kind": {}, "method": method, "path": path}
            r = run(arm, [act("POST", "listKeys"), act("POST", "start"), act("GET", "parts"), act("POST", "long")],
                    serial=True)
            self.assertEqual(ok(self, r.results[0])["document"]["keys"][0]["value"], "k")
            self.assertIn("error", r.results[1])  # perhaps it has started: not asked again
            self.assertEqual(len(arm.seen("POST", "/start")), 1)
            self.assertEqual(ok(self, r.results[2])["document"], [1])
            self.assertEqual(ok(self, r.results[3])["document"], {"answer": 42})


class Operations(unittest.TestCase):
    def put(self, first, polls, final=None, **op):
        """A PUT answered by `first`, polled at /operations/1; returns (result, arm)."""
        with Arm() as arm:
            fill = lambda a: Answer(a.status, a.body, {k: v.replace("{url}", arm.url) for k, v in a.headers.items()})
            arm.routes = {"PUT /things/a": lambda q: fill(first), "GET /operations/1": polls,
                          "GET /things/a": final or [Answer(200, thing())]}
            r = run(arm, [write(**op)])
            return r.results[0], arm

    def test_each_shape(self):
        poll = lambda state, **more: Answer(200, dict({"status": state}, **more))
        rows = [
            ("synchronous", Answer(200, thing()), [], 1),
            ("no state", Answer(200, thing(None)), [], 1),
            ("async url", Answer(201, thing("Creating"), {"Azure-AsyncOperation": "{url}/operations/1"}),
             [poll("InProgress"), poll("Inventing"), poll("succeeded")], 5),
            ("async url before location", Answer(202, None, {"Azure-AsyncOperation": "{url}/operations/1",
                                                             "Location": "{url}/wrong"}), [poll("Completed")], 3),
            ("operation-location", Answer(202, None, {"Operation-Location": "{url}/operations/1"}),
             [poll("Succeeded")], 3),
            ("location", Answer(202, None, {"Location": "{url}/operations/1"}),
             [Answer(202), Answer(200, thing())], 4),
            ("broken poll url", Answer(201, thing("Creating"), {"Azure-AsyncOperation": "{url}/operations/1"}),
             [error(405, "NotAllowed")], 3),
            ("foreign poll url", Answer(201, thing("Creating"), {"Azure-AsyncOperation": "https://evil.example/1"}),
             [], 2),
            ("expired poll url", Answer(202, None, {"Location": "{url}/operations/1"}),
             [error(410, "Gone")], 3),
            ("a path", Answer(202, None, {"Location": "/operations/1?x=1"}), [Answer(202), Answer(200, thing())], 4),
            ("known a little later", Answer(202, None, {"Azure-AsyncOperation": "{url}/operations/1"}),
             [error(404, "NotFound"), error(404, "NotFound"), poll("InProgress"), poll("Succeeded")], 6),
            ("no operation's answer", Answer(202, None, {"Azure-AsyncOperation": "{url}/operations/1"}),
             [Answer(200, {"id": "x", "name": "y"})], 3),
            ("a token refused while polling", Answer(202, None, {"Azure-AsyncOperation": "{url}/operations/1"}),
             [poll("InProgress"), error(401, "ExpiredAuthenticationToken"), poll("Succeeded")], 5),
            ("transient while polling", Answer(201, thing("Creating"), {"Azure-AsyncOperation": "{url}/operations/1"}),
             [error(503, "Busy", headers={"retry-after-ms": "20"}), poll("Succeeded")], 4),
        ]
        for name, first, polls, requests in rows:
            with self.subTest(name):
                result, arm = self.put(first, polls)
                ok(self, result)
                self.assertEqual(result["document"]["properties"].get("provisioningState", "Succeeded"), "Succeeded")
                self.assertEqual(result["requests"], requests)

    def test_body_state_is_polled_at_the_resource(self):
        result, arm = self.put(Answer(201, thing("Creating"), {"Location": "{url}/classic-redis"}), [],
                               [Answer(200, thing("Creating")), Answer(200, thing("Linking")), Answer(200, thing())])
        ok(self, result)
        self.assertEqual(result["progress"], ["PUT sent", "accepted", "Creating", "Linking"])
        self.assertEqual(result["token"]["follow"], "resource")

    def test_new_thing_is_not_known_everywhere_at_once(self):
        result, arm = self.put(Answer(202, None, {"Azure-AsyncOperation": "{url}/operations/1"}),
                               [Answer(200, {"status": "Succeeded"})],
                               [error(404, "ResourceNotFound"), error(403, "AuthorizationFailed"), Answer(200, thing())])
        ok(self, result)

    def test_failed_operation_shows_the_innermost_reason(self):
        inner = {"code": "QuotaExceeded", "message": "4 cores asked, 2 left."}
        result, arm = self.put(
            Answer(202, None, {"Azure-AsyncOperation": "{url}/operations/1"}),
            [Answer(200, {"status": "Failed", "error": {"code": "DeploymentFailed", "message": "It failed.",
                                                        "details": [{"code": "Conflict", "message": "", "details": [inner]}]}})])
        e = result["error"]
        self.assertEqual(e["api_code"], "QuotaExceeded")
        self.assertIn("PUT: ended as Failed: QuotaExceeded: 4 cores asked, 2 left (in DeploymentFailed: It failed)", e["text"])
        self.assertIn("correlation id", e["text"])
        self.assertTrue(e["hint"])

    def test_failed_without_a_reason(self):
        result, arm = self.put(Answer(201, thing("Creating")), [], [Answer(200, thing("Failed"))])
        self.assertIn("ended as Failed: no reason given", result["error"]["text"])

    def test_failed_for_a_reason_that_passes(self):
        with Arm() as arm:
            ends = [Answer(200, {"status": "Failed", "error": {"code": "RetryableError", "message": "busy"}}),
                    Answer(200, {"status": "Succeeded"})]
            arm.routes = {"PUT /things/a": lambda q: Answer(202, None, {"Azure-AsyncOperation": arm.url + "/operations/1"}),
                          "GET /operations/1": ends, "GET /things/a": [Answer(200, thing())]}
            r = run(arm, [write(kind={"conflicts": [{"status": 0, "code": "RetryableError", "wait_s": 0.1, "for_s": 60}]})])
            ok(self, r.results[0])
            self.assertEqual(len(arm.seen("PUT")), 2)
            self.assertIn("RetryableError, again in 100 ms", r.results[0]["progress"])

    def test_retry_after_is_a_floor(self):
        result, arm = self.put(
            Answer(202, None, {"Azure-AsyncOperation": "{url}/operations/1", "Retry-After": "1"}),
            [Answer(200, {"status": "InProgress"}, {"x-ms-retry-after-ms": "700"}), Answer(200, {"status": "Succeeded"})])
        ok(self, result)
        put, first, second = arm.seen("PUT")[0].at, *[q.at for q in arm.seen("GET", "/operations/1")]
        self.assertGreaterEqual(first - put, 1.0)
        self.assertLess(first - put, 1.5)
        self.assertGreaterEqual(second - first, 0.7)
        self.assertLess(second - first, 1.2)

    def test_the_end_is_noticed_soon(self):
        with Arm() as arm:
            began = []

            def state(q):
                done = time.monotonic() - began[0] > 3.0
                return Answer(200, {"status": "Succeeded" if done else "Running"})

            def put(q):
                began.append(time.monotonic())
                return Answer(202, None, {"Azure-AsyncOperation": arm.url + "/operations/1"})

            arm.routes = {"PUT /things/a": put, "GET /operations/1": state, "GET /things/a": [Answer(200, thing())]}
            r = run(arm, [write(kind={"create_min": 0.05})])
            ok(self, r.results[0])
            self.assertLess(time.monotonic() - began[0], 4.5)
            self.assertLess(len(arm.seen("GET", "/operations/1")), 14)

    def test_delete(self):
        rows = [
            ("at once", lambda arm: [Answer(204)], [error(404, "ResourceNotFound")]),
            ("still shown for a while", lambda arm: [Answer(200)], [Answer(200, thing("Deleting")), error(404, "ResourceNotFound")]),
            ("absent already", lambda arm: [error(404, "ResourceNotFound")], []),
            ("location", lambda arm: [Answer(202, None, {"Location": arm.url + "/operations/1"})], [error(404, "ResourceNotFound")]),
            ("the rights go with it", lambda arm: [Answer(202, None, {"Location": arm.url + "/operations/1"})], [error(403, "AuthorizationFailed")]),
            ("no url", lambda arm: [Answer(202)], [Answer(200, thing("Deleting")), error(404, "ResourceNotFound")]),
        ]
        for name, delete, final in rows:
            with self.subTest(name), Arm() as arm:
                arm.routes = {"DELETE /things/a": delete(arm), "GET /operations/1": [Answer(202), Answer(204)],
                              "GET /things/a": final or [Answer(500)]}
                r = run(arm, [remove()])
                ok(self, r.results[0])
                self.assertTrue(r.results[0]["is_absent"])

    def test_a_delete_that_was_a_wrong_question(self):
        for code in ("InvalidResourceType", "SubscriptionNotFound"):
            with self.subTest(code), Arm({"DELETE /things/a": [error(404, code)]}) as arm:
                r = run(arm, [remove()])
                self.assertEqual(r.results[0]["error"]["api_code"], code)  # it may well be there

    def test_an_operation_that_nobody_knows_for_long(self):
        """The URL's 404 is believed once it can't be lag any more; then the resource tells."""
        with Arm() as arm:
            arm.routes = {"PUT /things/a": lambda q: Answer(202, None, {"Azure-AsyncOperation": arm.url + "/operations/1"}),
                          "GET /operations/1": [error(404, "NotFound")], "GET /things/a": [Answer(200, thing())]}
            r = run(arm, [write()], options={"time_scale": 0.1})
            ok(self, r.results[0])
            first, last = arm.seen("PUT")[0].at, arm.seen("GET", "/things/a")[0].at
            self.assertGreater(last - first, 1.4)
            self.assertLess(last - first, 4)

    def test_resume_sends_nothing_but_polls(self):
        with Arm() as arm:
            arm.routes = {"GET /operations/1": [Answer(200, {"status": "InProgress"}), Answer(200, {"status": "Succeeded"})],
                          "GET /things/a": [Answer(200, thing())]}
            token = {"method": "PUT", "id": THING, "follow": "status", "url": arm.url + "/operations/1",
                     "since_ms": int(time.time() * 1000) - 60000}
            away = dict(token, url="https://evil.example/1")
            r = run(arm, [write(resume=token), write(resume=away), write(resume={"x": 1})])
            ok(self, r.results[0])
            ok(self, r.results[1])  # the URL is not ours: the resource is asked
            self.assertEqual(r.results[2]["error"]["kind"], "config")
            self.assertEqual(arm.seen("PUT"), [])

    def test_without_a_token_the_resource_is_looked_at(self):
        with Arm() as arm:
            arm.routes = {"GET /things/a": [Answer(200, thing("Deleting")), Answer(200, thing("Deleting")), error(404, "ResourceNotFound")],
                          "GET /things/b": [Answer(200, thing("Updating")), Answer(200, thing())]}
            r = run(arm, [remove(resume={}), write(THING[:-1] + "b", resume={})])
            self.assertTrue(ok(self, r.results[0])["is_absent"])
            self.assertEqual(len(arm.seen("GET", "/things/a")), 3)
            ok(self, r.results[1])
            self.assertEqual(arm.seen("DELETE") + arm.seen("PUT"), [])
            self.assertLess(r.elapsed_ms, 5000)  # looked at soon: it is not known when it began

    def test_the_deadline_leaves_it_running(self):
        with Arm() as arm:
            arm.routes = {"PUT /things/a": [Answer(201, thing("Creating"))], "GET /things/a": [Answer(200, thing("Creating"))]}
            r = run(arm, [write(time_ms=1500)])
            self.assertEqual(r.results[0]["error"]["kind"], "timeout")
            self.assertIn("still Creating", r.results[0]["error"]["text"])
            self.assertIn("run the command again", r.results[0]["error"]["hint"])

    def test_secrets_go_out_and_nowhere_else(self):
        with Arm({"PUT /things/a": [Answer(200, thing())]}) as arm:
            r = run(arm, [write(body={"properties": {"password": {"$secret": 0}}}, secrets=["s3cr3t-of-the-test"])], log=True)
            ok(self, r.results[0])
            self.assertEqual(arm.seen("PUT")[0].json, {"properties": {"password": "s3cr3t-of-the-test"}})
            self.assertEqual(arm.seen("PUT")[0].headers["content-type"], "application/json")
            token = arm.seen("PUT")[0].headers["authorization"].split()[1]
            for text in ("s3cr3t-of-the-test", token, "hush-hush-value"):
                self.assertNotIn(text, r.stdout + r.stderr)
            self.assertIn("http.request", r.stderr.replace("deployer: ", "http.request ", 1))

    def test_patch_and_etag(self):
        with Arm({"PATCH /things/a": [Answer(200, thing())], "PUT /things/b": [error(412, "PreconditionFailed")]}) as arm:
            r = run(arm, [write(is_patch=True), write(THING[:-1] + "b", if_match='"7"')])
            ok(self, r.results[0])
            self.assertEqual(r.results[1]["error"]["code"], 412)
            self.assertEqual(arm.seen("PUT")[0].headers["if-match"], '"7"')


class Retries(unittest.TestCase):
    def test_transient_failures(self):
        fast = {"retry-after-ms": "20"}
        with Arm({"GET /things/a": [Answer(200, '{"id":', {"Content-Type": "application/json"}),
                                    Answer(200, {"id": "cut", "pad": "x" * 100}, cut=20), Answer(drop=True),
                                    error(503, "Busy", headers=fast), error(429, "TooMany", headers=fast),
                                    error(408, "Slow", headers=fast), Answer(200, thing())],
                  "GET /things/b": [error(400, "BadRequest", "no"), Answer(200, {})],
                  "GET /things/d": [Answer(200), Answer(200, thing())],
                  "GET /things/e": [Answer(503, "<html><title>503 Service Unavailable</title></html>",
                                           dict(fast, **{"Content-Type": "text/html"})), Answer(200, thing())],
                  "PUT /things/c": [error(500, "Oops", headers=fast), Answer(201, dict(thing(), id=THING[:-1] + "c"))]}) as arm:
            r = run(arm, [read(), read(THING[:-1] + "b"), write(THING[:-1] + "c"),
                          read(THING[:-1] + "d"), read(THING[:-1] + "e")])
            ok(self, r.results[0])
            self.assertEqual(ok(self, r.results[3])["requests"], 2)  # 200 without a body is not "absent"
            self.assertEqual(ok(self, r.results[4])["requests"], 2)
            self.assertEqual(len(arm.seen("GET", "/things/a")), 7)
            self.assertEqual(r.results[1]["requests"], 1)
            self.assertEqual(r.results[1]["error"]["api_code"], "BadRequest")
            self.assertEqual(ok(self, r.results[2])["requests"], 2)

    def test_nothing_is_no_answer(self):
        with Arm({"GET /things/a": [Answer(200)]}) as arm:
            r = run(arm, [read(time_ms=1500)])
            self.assertEqual(r.results[0]["error"]["text"], "GET: HTTP 200 without a body")
            self.assertEqual(r.results[0]["error"]["kind"], "proto")

    def test_retry_after_forms(self):
        date = lambda: email.utils.formatdate(time.time() + 2, usegmt=True)
        for headers, least in (({"Retry-After": "1"}, 1.0), ({"retry-after-ms": "300", "Retry-After": "9"}, 0.3),
                               ({"x-ms-retry-after-ms": "400"}, 0.4), ({"Retry-After": date}, 0.9)):
            with self.subTest(str(headers)):
                sent = {k: v() if callable(v) else v for k, v in headers.items()}
                with Arm({"GET /things/a": [error(429, "TooManyRequests", headers=sent), Answer(200, thing())]}) as arm:
                    r = run(arm, [read()])
                    ok(self, r.results[0])
                    first, second = [q.at for q in arm.seen("GET", "/things/a")]
                    self.assertGreaterEqual(second - first, least)
                    self.assertLess(second - first, least + 2.2)

    def test_long_retry_after_beyond_the_deadline_fails_at_once(self):
        with Arm({"GET /things/a": [error(429, "TooManyRequests", headers={"Retry-After": "300"})]}) as arm:
            r = run(arm, [read(time_ms=3000)])
            self.assertEqual(r.results[0]["error"]["code"], 429)
            self.assertLess(r.elapsed_ms, 2500)

    def test_conflicts_are_the_kinds_own(self):
        conflict = Answer(409, {"code": "ContainerAppLockConflict", "message": "busy"})  # without its wrapper
        kind = {"conflicts": [{"status": 409, "code": "ContainerAppLockConflict", "wait_s": 0.1, "for_s": 1},
                              {"status": 429, "code": "AccountTaken", "give_up": True}]}
        with Arm({"PUT /things/a": [conflict, conflict, Answer(200, thing())], "PUT /things/b": [conflict],
                  "PUT /things/c": [error(429, "RetryableError", details=[{"code": "AccountTaken", "message": "taken"}])],
                  "PUT /things/d": [conflict]}) as arm:
            r = run(arm, [write(kind=kind), write(THING[:-1] + "b", kind=kind), write(THING[:-1] + "c", kind=kind),
                          write(THING[:-1] + "d")])
            self.assertEqual(ok(self, r.results[0])["requests"], 3)
            self.assertIn("ContainerAppLockConflict, again in 150 ms", r.results[0]["progress"])
            self.assertEqual(r.results[1]["error"]["api_code"], "ContainerAppLockConflict")  # not for ever
            self.assertGreater(r.results[1]["requests"], 2)
            self.assertEqual(r.results[2]["requests"], 1)
            self.assertEqual(r.results[3]["requests"], 1)

    def test_connection_refused(self):
        with Arm() as arm, Arm() as gone:
            gone.__exit__()
            r = run(gone, [read(time_ms=2500)], options={"authority": arm.url, "audience": arm.url})
            self.assertEqual(r.results[0]["error"]["kind"], "net")
            self.assertLess(r.elapsed_ms, 3000)

    def test_a_login_that_hangs_ends_with_the_operation(self):
        with Arm() as arm:
            arm.token_answers = [Answer(200, {}, delay=3)]
            r = run(arm, [read(time_ms=700)])
            self.assertEqual(r.results[0]["error"]["kind"], "timeout")
            self.assertLess(r.elapsed_ms, 2000)

    def test_untrusted_certificate(self):
        with Arm() as arm:
            r = run(arm, [read()], http={})
            self.assertEqual(r.results[0]["error"]["kind"], "tls")
            self.assertLess(len(r.requests), 3)


class Registration(unittest.TestCase):
    def routes(self):
        states = ["NotRegistered", "Registering", "registered"]
        return {"PUT /things/a": [error(409, "MissingSubscriptionRegistration", "register it"), Answer(200, thing())],
                "GET /providers/Microsoft.Test": lambda q: Answer(200, {"registrationState": states.pop(0)}),
                "POST /providers/Microsoft.Test/register": [Answer(200, {"registrationState": "Registering"})],
                "GET /things/a": [error(409, "MissingSubscriptionRegistration")]}

    def test_a_write_registers(self):
        with Arm(self.routes()) as arm:
            r = run(arm, [write()])
            ok(self, r.results[0])
            self.assertIn("registering Microsoft.Test with the subscription", r.results[0]["progress"])
            self.assertEqual(len(arm.seen("POST", "/register")), 1)

    def test_a_read_does_not(self):
        with Arm(self.routes()) as arm:
            r = run(arm, [read()])
            self.assertEqual(r.results[0]["error"]["api_code"], "MissingSubscriptionRegistration")
            self.assertEqual(arm.seen("POST", "/register"), [])

    def test_denied(self):
        routes = self.routes()
        routes["POST /providers/Microsoft.Test/register"] = [error(403, "AuthorizationFailed")]
        with Arm(routes) as arm:
            r = run(arm, [write()])
            self.assertEqual(r.results[0]["error"]["kind"], "denied")
            self.assertIn("az provider register -n Microsoft.Test", r.results[0]["error"]["hint"])


class Order(unittest.TestCase):
    def test_serial_writes_never_overlap(self):
        busy, overlaps = set(), []
        with Arm() as arm:
            def put(q):
                parent = q.path.split("/things/")[0]
                if parent in busy:
                    overlaps.append(q.path)
                busy.add(parent)
                return Answer(202, None, {"Azure-AsyncOperation": arm.url + "/operations" + q.path})

            def poll(q):
                busy.discard(q.path[len("/operations"):].split("/things/")[0])
                return Answer(200, {"status": "Succeeded"})

            base = GROUP + "/providers/Microsoft.Test/nets/"
            ids = [base + "%s/things/%d" % (net, i) for net in ("n1", "N1", "n2") for i in range(3)]
            arm.routes = {}
            for i in {i.rsplit("/", 1)[1] for i in ids}:
                arm.routes["PUT /" + i] = lambda q: put(q)
            arm.answer_more = poll
            plain = arm.answer

            def answer(q):
                if q.path.startswith("/operations"):
                    return poll(q)
                if q.method == "GET" and "/things/" in q.path:
                    return Answer(200, {"id": q.path, "properties": {}})
                return plain(q)

            arm.handler = answer
            r = run(arm, [write(i, kind={"serial": ["parent"], "scope": "parent"}) for i in ids])
            for one in r.results:
                ok(self, one)
            self.assertEqual(overlaps, [])
            self.assertIn("waiting for another write to the same parent", r.results[1]["progress"])
            # the other parent does not wait for the first
            first_n2 = [q.at for q in arm.seen("PUT", "/n2/")][0]
            last_n1 = max(q.at for q in arm.seen("PUT", "/n1/"))
            self.assertLess(first_n2, last_n1)

    def test_by_a_value(self):
        with Arm() as arm:
            arm.handler_plain = arm.answer
            arm.routes = {"PUT /things/a": [Answer(200, thing(), delay=0.4)],
                          "PUT /things/b": [Answer(200, dict(thing(), id=THING[:-1] + "b"))]}
            kind = {"serial": ["ref:properties.subnet.id"]}
            body = lambda s: {"properties": {"subnet": {"id": s}}}
            r = run(arm, [write(body=body("/s/1"), kind=kind), write(THING[:-1] + "b", body=body("/S/1/"), kind=kind)])
            for one in r.results:
                ok(self, one)
            a, b = arm.seen("PUT", "/things/a")[0], arm.seen("PUT", "/things/b")[0]
            self.assertGreaterEqual(b.at - a.at, 0.4)


class Pace(unittest.TestCase):
    def test_no_429_that_we_caused(self):
        """ARM's bucket, twenty times as fast and smaller: our own count is corrected by what it says remains."""
        size, rate, refused = 40.0, 200.0, []
        state = {"tokens": size, "at": time.monotonic()}

        def put(q):
            now = time.monotonic()
            state["tokens"] = min(size, state["tokens"] + (now - state["at"]) * rate)
            state["at"] = now
            if state["tokens"] < 1:
                refused.append(q.path)
                return error(429, "TooManyRequests", headers={"Retry-After": "1"})
            state["tokens"] -= 1
            return Answer(200, {"id": q.path, "properties": {}},
                          {"x-ms-ratelimit-remaining-subscription-writes": str(int(state["tokens"]))})

        with Arm() as arm:
            plain = arm.answer
            arm.handler = lambda q: put(q) if q.method == "PUT" else plain(q)
            # The first answers come before the rest is sent, as in the engine with its few workers.
            r = run(arm, [write(THING + str(i)) for i in range(250)], serial=True)
            for one in r.results:
                ok(self, one)
            self.assertEqual(refused, [])

    def test_throttled_once_waits_as_told(self):
        with Arm({"PUT /things/a": [error(429, "TooManyRequests", headers={"Retry-After": "1"}), Answer(200, thing())],
                  "PUT /things/b": [Answer(200, dict(thing(), id=THING[:-1] + "b"))]}) as arm:
            r = run(arm, [write(), write(THING[:-1] + "b")])
            ok(self, r.results[0])
            self.assertTrue(any(p.startswith("throttled (HTTP 429), again in 1.") for p in r.results[0]["progress"]))


    def test_a_provider_that_has_had_enough_holds_nobody_else_up(self):
        other = GROUP + "/providers/Microsoft.Other/things/b"
        enough = error(429, "TooManyRequests", headers={"Retry-After": "2", "x-ms-ratelimit-remaining-subscription-writes": "150"})
        with Arm({"GET /things/slow": [Answer(200, thing(), delay=0.4)],
                  "PUT /Microsoft.Test/things/a": [enough, Answer(200, thing())],
                  "PUT /Microsoft.Test/things/c": [Answer(200, dict(thing(), id=THING[:-1] + "c"))],
                  "PUT /Microsoft.Other/things/b": [Answer(200, dict(thing(), id=other))]}) as arm:
            r = run(arm, [write(), read(THING[:-1] + "slow"), write(other), write(THING[:-1] + "c")], workers=2)
            first, a, b, c = [arm.seen("PUT", p)[n].at for p, n in (("/things/a", 0), ("/things/a", 1), ("/things/b", 0), ("/things/c", 0))]
            for one in r.results:
                ok(self, one)
            self.assertGreaterEqual(a - first, 2)
            self.assertGreaterEqual(c - first, 2)  # the same provider
            self.assertLess(b - first, 1.5)

    def test_a_provider_of_which_nothing_remains(self):
        empty = Answer(200, thing(), {"x-ms-ratelimit-remaining-resource": "Microsoft.Test/Put3Min;0,Microsoft.Test/Put30Min;90"})
        other = GROUP + "/providers/Microsoft.Other/things/b"
        with Arm({"PUT /Microsoft.Test/things/a": [empty], "PUT /Microsoft.Other/things/b": [Answer(200, dict(thing(), id=other))],
                  "PUT /Microsoft.Test/things/c": [Answer(200, dict(thing(), id=THING[:-1] + "c"))]}) as arm:
            r = run(arm, [write(), write(other), write(THING[:-1] + "c")], serial=True)
            for one in r.results:
                ok(self, one)
            a, b, c = [arm.seen("PUT", p)[0].at for p in ("/things/a", "/things/b", "/things/c")]
            self.assertLess(b - a, 1.0)
            self.assertGreaterEqual(c - a, 1.9)

    def test_the_tenants_bucket(self):
        """No subscription in the path: ARM counts for the tenant. Of an empty bucket nothing is asked."""
        low = {"x-ms-ratelimit-remaining-tenant-writes": "0"}
        with Arm({"PUT /things/a": [Answer(200, thing(), low)],
                  "PUT /things/c": [Answer(200, dict(thing(), id=THING[:-1] + "c"))]}) as arm:
            r = run(arm, [write(), write(THING[:-1] + "c")], serial=True)
            for one in r.results:
                ok(self, one)
            a, c = [arm.seen("PUT", p)[0].at for p in ("/things/a", "/things/c")]
            self.assertGreaterEqual(c - a, 0.15)  # two tokens at ten a second


class Connections(unittest.TestCase):
    def test_are_reused(self):
        with Arm({"GET /things/a": [Answer(200, thing())]}) as arm:
            r = run(arm, [read() for _ in range(20)], serial=True)
            self.assertEqual(sum(q["new"] for q in r.requests), 1)

    def test_own_resolver_and_address_map(self):
        """A private address is dialled elsewhere; the name in TLS and Host stays."""
        with Arm({"GET /things/a": [Answer(200, thing())]}) as arm, Dns("arm.test") as dns:
            dial = {"ca": certificate()[1], "resolver": dns.server, "map": "10.0.0.0/8=127.0.0.0/8"}
            endpoint = "https://arm.test:" + arm.url.rsplit(":", 1)[1]
            r = run(arm, [read()], options={"endpoint": endpoint}, http=dial)
            ok(self, r.results[0])
            self.assertIn("arm.test", dns.asked)
            self.assertTrue(arm.seen("GET", "/things/a")[0].headers["host"].startswith("arm.test:"))
            r = run(arm, [read(time_ms=9000)], options={"endpoint": endpoint.replace("arm.", "none.")}, http=dial)
            self.assertEqual(r.results[0]["error"]["kind"], "net")
            self.assertIn("name none.test", r.results[0]["error"]["text"])

    def test_any_request(self):
        with Arm({"GET /permissions": [Answer(200, {"value": [{"actions": ["*"]}]})],
                  "POST /checkNameAvailability": [Answer(200, {"nameAvailable": True})]}) as arm:
            send = lambda method, path, **more: dict({"op": "send", "kind": {}, "method": method, "path": path}, **more)
            r = run(arm, [send("GET", GROUP + "/providers/Microsoft.Authorization/permissions?api-version=2022-04-01"),
                          send("POST", "/subscriptions/%s/providers/Microsoft.Storage/checkNameAvailability?api-version=2025-01-01" % SUB,
                               body={"name": "x"})])
            self.assertEqual(ok(self, r.results[0])["document"], [{"actions": ["*"]}])
            self.assertEqual(ok(self, r.results[1])["document"], {"nameAvailable": True})


if __name__ == "__main__":
    unittest.main()
