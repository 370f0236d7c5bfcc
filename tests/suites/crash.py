"""kill -9 in a loop under load: the store loses nothing that it answered 2xx, and does nothing twice.

Senders insert messages, a frontend takes them from the queue and reports deliveries, and all the while the store is
killed and started again. What has no answer is repeated under the same key, as our frontend does it.
"""

import http.client
import json
import random
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from harness import DOMAIN, LOCATION, Case, binary, free_port, main, request

KILLS = 15
SENDERS = 4
LEASE = 30  # seconds; the shortest the store allows


class KillUnderLoad(Case):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.config = self.dir / "config.yaml"
        self.config.write_text(
            f"location: {LOCATION}\nims_domain: {DOMAIN}\ntimers: {{tr1n: 20s}}\n"
            f"store: {{path: {self.dir}/store.db, listen: '127.0.0.1:{self.port}', lease: {LEASE}s, "
            f"retry: {{unknown: [1s]}}, routes: [{{prefix: '', location: {LOCATION}}}]}}\n"
        )
        self.running = threading.Event()
        self.stopping = False
        self.accepted = {}  # key -> the answers it ever got
        self.delivered = set()  # ids whose delivery the store took down
        self.problems = []

    def start_store(self):
        self.store = self.start("store", [binary("smsc-frontend"), "store", "--config", self.config], must_live=False)
        self.eventually("the store serves", self.serves, seconds=20)
        self.running.set()

    def serves(self):
        try:
            return request("GET", f"http://127.0.0.1:{self.port}/readyz")[0] == 200
        except OSError:
            return False

    def test_nothing_that_was_answered_2xx_is_lost(self):
        self.start_store()
        workers = [threading.Thread(target=self.work, args=(self.send_messages, n)) for n in range(SENDERS)]
        workers.append(threading.Thread(target=self.work, args=(self.deliver_messages,)))
        for worker in workers:
            worker.start()
        moments = random.Random(4711)
        for _ in range(KILLS):
            time.sleep(moments.uniform(0.05, 0.6))
            self.running.clear()
            self.store.kill()
            self.start_store()
        self.stopping = True
        for worker in workers:
            worker.join(60)
        self.assertEqual([], self.problems)
        self.deliver_the_rest()

        twice = {key: answers for key, answers in self.accepted.items() if len(answers) != 1}
        self.assertEqual({}, twice, "every key is one message with one TP-SCTS, however often it was sent")
        ids = {json.loads(next(iter(answers)))[0] for answers in self.accepted.values()}
        self.assertEqual(len(self.accepted), len(ids), "no two keys are one message")
        self.assertEqual((set(), set()), (ids - self.delivered, self.delivered - ids), "(lost, invented)")
        print(f"{len(ids)} messages, {KILLS} kills")
        self.assertGreater(len(ids), 20 * KILLS, "that was no load")

    def work(self, function, *arguments):
        try:
            function(*arguments)
        except Exception as error:  # of a thread: told by the test
            self.problems.append(f"{function.__name__}: {type(error).__name__}: {error}")

    def send_messages(self, sender):
        """Inserts one message after the other; what is not answered is sent again under its key."""
        number = 0
        while not self.stopping:
            key = f"sender-{sender}-message-{number}"
            body = {
                "source_msisdn": f"+44770091{sender:04}", "destination_msisdn": f"+4477{sender}{number:07}",
                "destination_ton": 1, "destination_npi": 1, "message_body": f"message {number}",
                "source_smsc": LOCATION, "source_type": "ims", "encoding": "gsm7", "tp_mr": number % 256,
            }
            # Every tenth is sent again though it was answered.
            for _ in range(2 if number % 10 == 0 else 1):
                status, answer = self.call("POST", "/api/messages", body, {"Idempotency-Key": key})
                if status != 201:
                    raise AssertionError(f"{key}: {status} {answer}")
                self.accepted.setdefault(key, set()).add(json.dumps([str(answer["id"]), answer.get("scts")]))
            number += 1

    def deliver_messages(self):
        """Takes what the queue gives and reports every message delivered."""
        while not self.stopping:
            self.deliver(self.queue())

    def deliver_the_rest(self):
        """Delivers what is left; rows whose answer a kill swallowed come back when their lease is over."""
        quiet_since = time.monotonic()
        while time.monotonic() < quiet_since + LEASE + 3:
            rows = self.queue()
            if rows:
                quiet_since = time.monotonic()
                self.deliver(rows)
            elif len(self.delivered) >= len(self.accepted):
                break
            else:
                time.sleep(0.5)
        self.assertEqual([], self.queue(), "what is delivered does not come back")

    def queue(self):
        status, rows = self.call("GET", "/api/messages/get_queue?limit=50", None, {"smsc": LOCATION})
        if status != 200:
            raise AssertionError(f"get_queue: {status} {rows}")
        return rows

    def deliver(self, rows):
        for row in rows:
            name = str(row["id"])
            if name in self.delivered:
                raise AssertionError(f"{name} was taken down as delivered and is in the queue again")
            report = {
                "dest_smsc": LOCATION, "attempt": row["delivery_attempts"] + 1, "status": "delivered",
                "permanent": "no", "detail": "the crash test's handset has it",
            }
            status, answer = self.call("PATCH", f"/api/messages/{name}", report)
            # 409: taken down before the answer was lost.
            if status not in (200, 409):
                raise AssertionError(f"process_message {name}: {status} {answer}")
            self.delivered.add(name)

    def call(self, method, path, body=None, headers=None):
        """One request, repeated until it is answered."""
        while True:
            if not self.running.wait(60):
                raise AssertionError("the store did not come back")
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            try:
                connection.request(
                    method, path, None if body is None else json.dumps(body),
                    {"Content-Type": "application/json", **(headers or {})},
                )
                answer = connection.getresponse()
                octets = answer.read()
                return answer.status, json.loads(octets) if octets else None
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)  # killed in the middle, or not up yet
            finally:
                connection.close()


if __name__ == "__main__":
    main()
