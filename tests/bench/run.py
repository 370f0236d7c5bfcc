"""What a message costs: the frontend with an accept-all backend, beside Kamailio + smsops and the floor of UDP.

One load after the other on the same machine in the same run, in several rounds; of each server the round that cost it
the least CPU counts, for what else runs here can only add. Each message is an MO MESSAGE that is answered 202 and
then acknowledged by RP-ACK in a MESSAGE of its own, which the load answers 200: two datagrams in, two out. The echo
sends one datagram back for one, so a message's floor is twice its figure.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
os.environ.setdefault("SMSC_PROFILE", "release")
from harness import ROOT, Case, binary, free_port, main, udp_bound

MESSAGES = int(os.environ.get("SMSC_BENCH_MESSAGES", "80000"))
WARM_UP = MESSAGES // 5
ROUNDS = 3
WINDOW = 32


class Bench(Case):
    def test_what_a_message_costs(self):
        servers = {
            "UDP echo (one datagram)": self.echo, "Kamailio + smsops": self.kamailio, "frontend": self.frontend,
        }
        rounds = [{name: measure() for name, measure in servers.items()} for _ in range(ROUNDS)]
        rows = {name: min((round[name] for round in rounds), key=lambda row: row["cpu_us"]) for name in servers}
        print(f"\nthe best of {ROUNDS} rounds: {MESSAGES} messages after {WARM_UP} to warm up, {WINDOW} under way at once")
        print(f"{'':24} {'CPU-µs':>8} {'msg/s':>8} {'p50 ms':>8} {'p99 ms':>8} {'MiB':>7} {'resent':>7}")
        for name, row in rows.items():
            print(
                f"{name:24} {row['cpu_us']:8.1f} {row['rate']:8.0f} {row['p50_us'] / 1000:8.2f} "
                f"{row['p99_us'] / 1000:8.2f} {row['memory_kib'] / 1024:7.1f} {row['resent']:7}"
            )
        ratio = rows["Kamailio + smsops"]["cpu_us"] / rows["frontend"]["cpu_us"]
        print(f"Kamailio uses {ratio:.1f} times the CPU of the frontend for a message\n")
        for name, row in ((name, row) for round in rounds for name, row in round.items()):
            self.assertEqual((0, 0), (row["failed"], row["refused"]), f"{name}: {row}")

    def echo(self):
        port = free_port()
        server = self.start("echo", [binary("sms-load"), "echo", "--local", f"127.0.0.1:{port}"])
        return self.load(server, port, free_port(), "--echo")

    def kamailio(self):
        port, handsets = free_port(), free_port()
        server = self.start(
            "kamailio",
            # At its best: the quickest of its allocators, two workers for two cores, and memory for the whole run (tm
            # keeps each transaction for 5 s, and smsops never frees what it decodes into).
            ["kamailio", "-DD", "-E", "-f", ROOT / "tests/bench/kamailio.cfg", "-x", "fm", "-m", 2048, "-M", 256,
             "-Y", self.dir, "-w", self.dir, "-P", self.dir / "kamailio.pid", "-A", f"LISTEN={port}", "-A", f"HANDSETS={handsets}"],
            death=signal.SIGTERM,
        )
        # Bound before it forks: main process, two workers, timers.
        self.eventually("Kamailio's workers", lambda: len(family(server.pid)) >= 1 + 2 + 1)
        return self.load(server, port, handsets)

    def frontend(self):
        port, handsets = free_port(), free_port()
        server = self.start(
            "frontend",
            [binary("bench-frontend"), "--listen", f"127.0.0.1:{port}", "--next-hop", f"127.0.0.1:{handsets}"],
        )
        return self.load(server, port, handsets)

    def load(self, server, port, local, *options):
        """Runs the load on a server and ends the server."""
        self.eventually(f"{server.name} listens", lambda: udp_bound(port))
        command = [binary("sms-load"), "load", "--target", f"127.0.0.1:{port}", "--local", f"127.0.0.1:{local}"]
        measured = family(server.pid)
        command += ["--pids", ",".join(str(pid) for pid in measured)]
        command += ["--messages", MESSAGES, "--warm-up", WARM_UP, "--window", WINDOW, *options]
        outcome = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300)
        self.assertEqual(0, outcome.returncode, f"load on {server.name}: {outcome.stderr}")
        self.assertEqual(measured, family(server.pid), f"{server.name}: the processes measured are not all there are")
        server.stop()
        return json.loads(outcome.stdout)


def family(pid):
    """A process and all below it: Kamailio's workers are its children."""
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it ended meanwhile
        children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for member in found:
        found += children.get(member, [])
    return found


if __name__ == "__main__":
    main()
