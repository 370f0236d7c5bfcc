#!/usr/bin/env python3
"""An independent fake of the backend contract: a backend like OmniMessage, in a process of its own.

Written from design.md §6 and §11 alone; knows nothing of our Rust types. It is strict about what it is sent: a
field of the wrong type, a missing one, a null, upper-case hex or an unknown word is a *violation*, answered 400 and
kept for the test to see. It has no leases: get_queue returns a row again and again until process_message makes it
final. Everything is in memory; every request goes into an append-only log of JSON lines.

    fake_backend.py [--host ADDRESS] [--port N] [--log FILE] [--cert FILE --key FILE [--client-ca FILE]] [--token TEXT]
                    [--ignore-keys] [--bare-rows] [--integer-ids] [--retry-seconds S] [--until-eof]

Listens on 127.0.0.1, or where --host says. Prints `READY <base URL>` once it does (port 0, the default, takes any free port).
--until-eof ends it when its standard input closes, so that it never outlives the test that started it.

Operations: frontend_register frontend_deregister insert_location delete_location insert_message get_queue
process_message; `*` in a fault is any of them.

    GET    /_control/state                        everything kept, violations included
    GET    /_control/requests[?operation=O]       every request so far, and whose it was, control requests excluded
    POST   /_control/faults                       one fault or a list of them, appended:
        {"operation": O, "fault": F, "times": N}  N defaults to 1, -1 is for ever; F and its own members:
          delay       seconds                     answers late
          status      status, error, retry_after  any status, nothing is done ({"error"} body)
          refuse      status (422), error, rp_cause
          nonsense    body, status (200)          a body that is no JSON, nothing is done
          garbage                                 octets that are no HTTP
          drop                                    closes the connection, nothing is done
          lose_answer                             does it, then closes the connection without an answer
    DELETE /_control/faults
    POST   /_control/enqueue                      {"location": L, ...row}: a row for L; answers it with its id
    POST   /_control/settings                     any of {ignore_keys, bare_rows, integer_ids, retry_seconds, token}
    POST   /_control/reset                        forgets everything but the settings
"""

import argparse
import collections
import json
import re
import socket
import ssl
import sys
import threading
import time
import urllib.parse
import uuid
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MAX_BODY = 1 << 20
MAX_MESSAGES = 500_000
MAX_RECORDED = 200_000
SUBMIT_KEY_WINDOW = 15 * 60

# What each field must be; "!" marks one that must be there.
TEXT, NUMBER, OCTET, BOOL, HEX, TIME, OBJECT = "text", "number", "octet", "bool", "hex", "time", "object"
RECORDS = {
    "frontend_register": {
        "frontend_name!": TEXT, "frontend_type!": TEXT, "hostname!": TEXT, "ip_address!": TEXT, "version!": TEXT,
        "uptime_seconds!": NUMBER, "expires_in!": NUMBER, "configuration!": OBJECT,
    },
    "insert_location": {
        "msisdn": TEXT, "imsi": TEXT, "impu!": TEXT, "location!": TEXT, "ims_capable!": BOOL, "contact": TEXT,
        "s_cscf": TEXT, "call_id": TEXT, "cseq": NUMBER, "imei": TEXT, "user_agent": TEXT,
        "access_network_info": TEXT, "visited_network": TEXT, "expires!": NUMBER,
        "event!": ("registered", "refreshed", "memory_available"),
    },
    "insert_message": {
        "source_msisdn!": TEXT, "destination_msisdn!": TEXT, "destination_ton!": OCTET, "destination_npi!": OCTET,
        "message_body!": TEXT, "source_smsc!": TEXT, "source_type!": ("ims", "smpp", "gsm", "http", "email"),
        "encoding!": ("gsm7", "ucs2", "binary"), "tp_dcs": OCTET, "tp_pid": OCTET, "tp_mr": OCTET, "tp_rd": BOOL,
        "tp_rp": BOOL, "rp_mr": OCTET, "udh": HEX, "raw_tpdu": HEX, "sc_address": TEXT, "submit_key": TEXT,
        "validity_period": NUMBER, "status_report_requested": BOOL, "call_id": TEXT, "icid": TEXT,
    },
    "process_message": {
        "dest_smsc!": TEXT, "attempt!": NUMBER,
        "status!": ("delivered", "failed", "absent", "memory_full", "rejected", "unknown", "released"),
        "reason": ("not_registered", "no_smsip", "no_answer"), "permanent!": ("no", "link", "message"),
        "rp_cause": OCTET, "tp_fcs": OCTET, "report_tpdu": HEX, "sip_status": NUMBER, "icid": TEXT, "detail!": TEXT,
    },
}


def fits(value, kind):
    """Whether a JSON value is what the contract says."""
    if isinstance(kind, tuple):
        return value in kind
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return {
        TEXT: isinstance(value, str),
        NUMBER: whole,
        OCTET: whole and value <= 255,
        BOOL: isinstance(value, bool),
        HEX: isinstance(value, str) and re.fullmatch(r"([0-9a-f]{2})*", value) is not None,
        TIME: isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value) is not None,
        OBJECT: isinstance(value, dict),
    }[kind]


def violations(operation, body):
    """What is wrong with a request's body, one sentence each. Unknown fields are ignored, as the contract says."""
    if not isinstance(body, dict):
        return [f"{operation}: the body is no JSON object"]
    found = []
    for field, kind in RECORDS[operation].items():
        name = field.rstrip("!")
        if name in body:
            if not fits(body[name], kind):
                found.append(f"{operation}: {name} is {body[name]!r}, not {kind}")
        elif field.endswith("!"):
            found.append(f"{operation}: {name} is missing")
    if operation == "insert_message" and not found:
        if body["encoding"] == "binary" and not fits(body["message_body"], HEX):
            found.append("insert_message: a binary message_body is lowercase hex")
        if body["destination_msisdn"].startswith("+") and body["destination_ton"] != 1:
            found.append("insert_message: only TON 1 gets a leading '+'")
    if operation == "process_message" and not found:
        if (body["status"] == "absent") != ("reason" in body):
            found.append("process_message: absent has a reason, nothing else has")
        if body["attempt"] < 1:
            found.append("process_message: attempts count from 1")
    return found


def utc(moment=None):
    """RFC 3339 UTC, whole seconds: the time a TP-SCTS can carry."""
    return (moment or datetime.now(timezone.utc)).strftime("%Y-%m-%dT%H:%M:%SZ")


def digits(number):
    """A number without its '+', for comparing."""
    return number.removeprefix("+")


def number_of(impu):
    """The number inside sip:+4477..@domain or tel:+4477..; an empty text if there is none."""
    found = re.match(r"(?:sips?|tel):\+?(\d+)(?=[@;]|$)", impu)
    return found.group(1) if found else ""


class Settings:
    """What the control endpoints may change while it runs."""

    def __init__(self, arguments):
        self.ignore_keys = arguments.ignore_keys
        self.bare_rows = arguments.bare_rows
        self.integer_ids = arguments.integer_ids
        self.retry_seconds = arguments.retry_seconds
        self.token = arguments.token


class Backend:
    """The state behind the contract. Every method is called under one lock."""

    def __init__(self, settings):
        self.settings = settings
        self.reset()

    def reset(self):
        self.frontends, self.locations, self.messages = {}, {}, {}
        self.queued = {}  # the messages that are not final
        self.by_key, self.by_submit_key = {}, {}
        self.faults, self.violations = [], []
        self.requests = collections.deque(maxlen=MAX_RECORDED)
        self.sequence = 0

    # the operations: (status, body or None)

    def frontend_register(self, _, __, body):
        known = body["frontend_name"] in self.frontends
        self.frontends[body["frontend_name"]] = {**body, "registered_at": utc()}
        return (200 if known else 201), {"status": "ok"}

    def frontend_deregister(self, name, _, __):
        return (204, None) if self.frontends.pop(name, None) else (404, {"error": "no such frontend"})

    def insert_location(self, _, __, body):
        known = body["impu"] in self.locations
        self.locations[body["impu"]] = {**body, "until": time.monotonic() + body["expires"]}
        for message in self.queued.values():
            if self.reaches(body, message["row"]["destination_msisdn"]):
                message["due"] = 0.0
        return (200 if known else 201), {"status": "ok"}

    def delete_location(self, impu, request, _):
        stored, query = self.locations.get(impu), request["query"]
        if stored is not None:
            same = "s_cscf" not in query or stored.get("s_cscf") in (None, query["s_cscf"])
            older = "cseq" not in query or stored.get("call_id") != query.get("call_id") \
                or stored.get("cseq", -1) < int(query["cseq"])
            if same and older:
                del self.locations[impu]
        return 204, None

    def insert_message(self, _, request, body):
        keys = [(self.by_key, request["headers"].get("idempotency-key"), None),
                (self.by_submit_key, body.get("submit_key"), SUBMIT_KEY_WINDOW)]
        if not self.settings.ignore_keys:
            for index, key, window in keys:
                known = index.get(key) if key else None
                if known and (window is None or time.monotonic() - known[1] < window):
                    first = self.messages[known[0]]
                    return 201, {"id": first["row"]["id"], "scts": first["row"]["scts"]}
        if len(self.messages) >= MAX_MESSAGES:
            return 503, {"error": f"{MAX_MESSAGES} messages are kept, and no more"}
        source, target = digits(body["source_msisdn"]), digits(body["destination_msisdn"])
        row = {
            "source_msisdn": source, "destination_msisdn": target, "kind": "submit",
            "message_body": body["message_body"], "encoding": body["encoding"],
            **{name: body[name] for name in ("tp_dcs", "tp_pid", "tp_rp", "udh", "raw_tpdu") if name in body},
            **({"source_ton": 1, "source_npi": 1} if source.isdigit() else {}),
        }
        if "validity_period" in body:
            row["expires"] = utc(datetime.now(timezone.utc) + timedelta(seconds=body["validity_period"]))
        message = self.keep(row, None)
        message["submitted"] = {**body, "idempotency_key": request["headers"].get("idempotency-key")}
        for index, key, _ in keys:
            if key:
                index[key] = (str(message["row"]["id"]), time.monotonic())
        return 201, {"id": message["row"]["id"], "scts": message["row"]["scts"]}

    def get_queue(self, _, request, __):
        location, limit = request["headers"]["smsc"], int(request["query"].get("limit", "100"))
        now, rows, reached = time.monotonic(), [], {}
        for message in self.queued.values():
            if message["due"] > now:
                continue
            target = message["row"]["destination_msisdn"]
            if target not in reached:
                reached[target] = self.location_of(target)
            found = reached[target]
            if location == (message["location"] or (found or {}).get("location")):
                rows.append(self.shown(message, found))
        pending = collections.Counter(row["destination_msisdn"] for row in rows)
        for row in rows:
            pending[row["destination_msisdn"]] -= 1
            if not self.settings.bare_rows:
                row.setdefault("more_to_send", pending[row["destination_msisdn"]] > 0)
        return 200, rows[:limit]

    def process_message(self, name, _, body):
        message = self.messages.get(name)
        if message is None:
            return 404, {"error": "no such message"}
        if message["state"] != "queued":
            return 409, {"error": f"already {message['state']}"}
        message["reports"].append({**body, "at": utc()})
        if body["status"] == "released":
            message["due"] = 0.0
            return 200, {"status": "ok"}
        message["attempts"] = max(message["attempts"], body["attempt"])
        # Not over this link: there is no other here, so it waits for the next registration.
        pause = 86_400 if body["permanent"] == "link" else self.settings.retry_seconds
        message["due"] = time.monotonic() + pause
        if body["status"] == "delivered" or body["permanent"] == "message":
            message["state"] = "delivered" if body["status"] == "delivered" else "failed"
            del self.queued[name]
            self.report_to_sender(message)
        return 200, {"status": "ok"}

    # what they call

    def keep(self, row, location):
        """Stores a row; its id and SCTS are set here, once."""
        self.sequence += 1
        row = {"id": self.sequence if self.settings.integer_ids else str(uuid.uuid4()), "scts": utc(), **row}
        message = {"row": row, "location": location, "state": "queued", "due": 0.0, "reports": [],
                   "attempts": row.get("delivery_attempts", 0)}
        self.messages[str(row["id"])] = self.queued[str(row["id"])] = message
        return message

    def report_to_sender(self, message):
        """Queues the SMS-STATUS-REPORT the sender asked for: TP-ST 0 received, 0x42 rejected (TS 23.040 §9.2.3.15)."""
        submitted, row = message.get("submitted", {}), message["row"]
        if submitted.get("status_report_requested") and "tp_mr" in submitted:
            report = {"message_id": row["id"], "tp_mr": submitted["tp_mr"], "scts": row["scts"], "dt": utc(),
                      "status": 0 if message["state"] == "delivered" else 0x42,
                      "destination_msisdn": row["destination_msisdn"]}
            self.keep({"source_msisdn": row["destination_msisdn"], "destination_msisdn": row["source_msisdn"],
                       "message_body": "", "kind": "status_report", "status_report": report}, None)

    def location_of(self, number):
        """Where a number is registered now."""
        now = time.monotonic()
        live = (stored for stored in self.locations.values() if stored["until"] > now)
        return next((stored for stored in live if self.reaches(stored, number)), None)

    @staticmethod
    def reaches(location, number):
        return digits(number) in (digits(location.get("msisdn", "")), number_of(location["impu"])) or \
            location["impu"] == number

    def shown(self, message, location):
        """A row as get_queue returns it."""
        row = dict(message["row"])
        if self.settings.bare_rows:
            return {name: row[name] for name in ("id", "source_msisdn", "destination_msisdn", "message_body")
                    if name in row}
        row["delivery_attempts"] = message["attempts"]
        for name in ("impu", "s_cscf", "ims_capable"):
            if location and name in location:
                row.setdefault(name, location[name])
        return row

    def fault_for(self, operation):
        """Takes the first fault scripted for an operation."""
        for fault in self.faults:
            if fault["operation"] in ("*", operation) and fault["times"] != 0:
                fault["times"] -= 1 if fault["times"] > 0 else 0
                return fault
        return None

    def control(self, method, name, request):
        """The control endpoints: (status, body)."""
        body, query = request["body"], request["query"]
        match method, name:
            case "GET", "state":
                return 200, {"frontends": self.frontends, "locations": self.locations, "faults": self.faults,
                             "messages": list(self.messages.values()), "violations": self.violations,
                             "settings": {**vars(self.settings), "token": self.settings.token is not None}}
            case "GET", "requests":
                wanted = query.get("operation")
                return 200, [r for r in self.requests if wanted in (None, r["operation"])]
            case "POST", "faults":
                for fault in body if isinstance(body, list) else [body]:
                    if fault["operation"] not in ("*", *OPERATIONS) or not set(fault) >= FAULTS[fault["fault"]]:
                        return 400, {"error": f"no such operation, or a member is missing: {fault}"}
                    self.faults.append({"times": 1, **fault})
                return 200, self.faults
            case "DELETE", "faults":
                self.faults.clear()
                return 204, None
            case "POST", "enqueue":
                row = {name: value for name, value in body.items() if name != "location"}
                return 201, self.keep({"kind": "submit", "message_body": "", **row}, body["location"])["row"]
            case "POST", "settings":
                if not set(body) <= set(vars(self.settings)):
                    return 400, {"error": f"no such setting among {sorted(body)}"}
                vars(self.settings).update(body)
                return 200, {"status": "ok"}
            case "POST", "reset":
                self.reset()
                return 204, None
        return 404, {"error": "no such control endpoint"}


# fault: the members it must have
FAULTS = {"delay": {"seconds"}, "status": {"status"}, "refuse": set(), "nonsense": set(), "garbage": set(),
          "drop": set(), "lose_answer": set()}

# operation: method, path pattern
OPERATIONS = {
    "frontend_register": ("POST", re.compile(r"/api/frontends/register()")),
    "frontend_deregister": ("DELETE", re.compile(r"/api/frontends/([^/]+)")),
    "insert_location": ("POST", re.compile(r"/api/locations()")),
    "delete_location": ("DELETE", re.compile(r"/api/locations/([^/]+)")),
    "insert_message": ("POST", re.compile(r"/api/messages()")),
    "get_queue": ("GET", re.compile(r"/api/messages/get_queue()")),
    "process_message": ("PATCH", re.compile(r"/api/messages/([^/]+)")),
}


class Answer:
    """What goes back: the faults are its constructors, each given the fault and the operation to run (or not)."""

    def __init__(self, status, body=None, headers=None, raw=None):
        self.status, self.headers = status, headers or {}
        self.raw = raw if raw is not None else (b"" if body is None else json.dumps(body).encode())
        self.kind = "application/json"

    @classmethod
    def delay(cls, fault, run):
        time.sleep(fault["seconds"])
        return run()

    @classmethod
    def status(cls, fault, _):
        after = {"Retry-After": str(fault["retry_after"])} if "retry_after" in fault else {}
        return cls(fault["status"], {"error": fault.get("error", "scripted")}, after)

    @classmethod
    def refuse(cls, fault, _):
        body = {"error": fault.get("error", "refused")}
        if "rp_cause" in fault:
            body["rp_cause"] = fault["rp_cause"]
        return cls(fault.get("status", 422), body)

    @classmethod
    def nonsense(cls, fault, _):
        answer = cls(fault.get("status", 200), raw=fault.get("body", "<html>It works!</html>").encode())
        answer.kind = "text/html"
        return answer

    @classmethod
    def garbage(cls, _, __):
        return cls(-1, raw=b"\x16\x03\x01 this is no HTTP\r\n\r\n")

    @classmethod
    def drop(cls, _, __):
        return cls(0)

    @classmethod
    def lose_answer(cls, _, run):
        run()
        return cls(0)


class Handler(BaseHTTPRequestHandler):
    """One connection. A recorded `status` of 0 or -1 means that no HTTP answer was given."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    backend, lock, log = None, threading.RLock(), None

    def serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            self.close_connection = True
            return self.send(Answer(413, {"error": f"more than {MAX_BODY} octets"}))
        octets = self.rfile.read(length)
        path, _, query = self.path.partition("?")
        try:
            body = json.loads(octets) if octets else None
        except ValueError:
            body = octets.decode("utf-8", "replace")
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = {"method": self.command, "path": path, "headers": headers, "body": body,
                   "query": dict(urllib.parse.parse_qsl(query, keep_blank_values=True))}
        if path.startswith("/_control/"):
            return self.send(self.control(path.removeprefix("/_control/"), request))
        return self.send(self.operate(request))

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = serve  # noqa: N815 (the names are the library's)

    def control(self, name, request):
        with self.lock:
            try:
                return Answer(*self.backend.control(request["method"], name, request))
            except (KeyError, TypeError, AttributeError) as error:
                return Answer(400, {"error": f"{type(error).__name__}: {error}"})

    def operate(self, request):
        """Runs an operation, or the fault scripted for it, and records what came of it."""
        operation, parameter = route(request["method"], request["path"])
        record = {"at": datetime.now(timezone.utc).isoformat(), "peer": self.client_address[0], "operation": operation,
                  "fault": None, **request}
        # The log must not become a place where a token can be read.
        record["headers"] = {n: "***" if n == "authorization" else v for n, v in request["headers"].items()}

        def run():
            with self.lock:
                return self.contract(operation, parameter, request, record)

        with self.lock:
            fault = self.backend.fault_for(operation)
        if fault is None:
            answer = run()
        else:
            record["fault"] = fault["fault"]
            answer = getattr(Answer, fault["fault"])(fault, run)
        record["status"] = answer.status
        with self.lock:
            self.backend.requests.append(record)
            if self.log:
                self.log.write(json.dumps(record) + "\n")
                self.log.flush()
        return answer

    def contract(self, operation, parameter, request, record):
        """The contract proper: credentials, form, operation."""
        backend = self.backend
        if backend.settings.token and request["headers"].get("authorization") != f"Bearer {backend.settings.token}":
            return Answer(401, {"error": "the token is not known"})
        if operation is None:
            return Answer(404, {"error": "no such resource"})
        found = []
        if operation in RECORDS:
            found = violations(operation, request["body"])
            if not request["headers"].get("content-type", "").startswith("application/json"):
                found.append(f"{operation}: the content type is not application/json")
        if operation == "get_queue":
            if not request["headers"].get("smsc"):
                found.append("get_queue: the header smsc is missing")
            if not request["query"].get("limit", "1").isdigit():
                found.append("get_queue: limit is no number")
        if operation == "delete_location" and not request["query"].get("cseq", "1").isdigit():
            found.append("delete_location: cseq is no number")
        if found:
            record["violations"] = found
            backend.violations.extend(found)
            return Answer(400, {"error": "; ".join(found)})
        return Answer(*getattr(backend, operation)(parameter, request, request["body"]))

    def send(self, answer):
        """Writes an answer in one piece, or ends the connection without one."""
        if answer.status <= 0:
            self.close_connection = True
            self.wfile.write(answer.raw)
            self.wfile.flush()
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the other side was quicker
            return
        self.send_response_only(answer.status)
        self.send_header("Date", self.date_time_string())
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.raw)))
            self._headers_buffer.append(b"\r\n" + answer.raw)
        else:
            self._headers_buffer.append(b"\r\n")
        self.flush_headers()

    def log_message(self, *_):
        """Nothing on the terminal: the log of requests says it all."""


def route(method, path):
    """The operation a request is for, and its path parameter, decoded; (None, None) if there is none."""
    for operation, (wanted, pattern) in OPERATIONS.items():
        found = pattern.fullmatch(path)
        if method == wanted and found:
            return operation, urllib.parse.unquote(found.group(1))
    return None, None


class Server(ThreadingHTTPServer):
    """A thread for each connection; TLS handshakes happen there, so that a slow one holds up nobody."""

    daemon_threads = True
    request_queue_size = 256
    tls = None

    def get_request(self):
        connection, address = super().get_request()
        if self.tls:
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # refused handshakes and closed connections are everyday
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser(description="a fake of the backend contract")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", help="append every request to this file, one JSON object a line")
    parser.add_argument("--cert", help="certificate chain (PEM): serve TLS")
    parser.add_argument("--key", help="its private key (PEM)")
    parser.add_argument("--client-ca", help="ask for client certificates signed by this CA (PEM)")
    parser.add_argument("--token", help="want this bearer token")
    parser.add_argument("--ignore-keys", action="store_true", help="every insert_message is a new message")
    parser.add_argument("--bare-rows", action="store_true", help="rows have id, source, destination and body only")
    parser.add_argument("--integer-ids", action="store_true", help="ids are numbers instead of UUIDs")
    parser.add_argument("--retry-seconds", type=float, default=1.0, help="pause after a report that is not final")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input closes")
    arguments = parser.parse_args()

    Handler.backend = Backend(Settings(arguments))
    if arguments.log:
        Handler.log = open(arguments.log, "a", encoding="utf-8")
    server = Server((arguments.host, arguments.port), Handler)
    if arguments.cert:
        server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.tls.load_cert_chain(arguments.cert, arguments.key)
        if arguments.client_ca:
            server.tls.verify_mode = ssl.CERT_REQUIRED
            server.tls.load_verify_locations(arguments.client_ca)
    if arguments.until_eof:
        threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    print(f"READY {'https' if arguments.cert else 'http'}://{arguments.host}:{server.server_port}", flush=True)
    try:
        server.serve_forever(poll_interval=0.1)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
