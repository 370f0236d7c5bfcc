"""What reading and writing one message costs: ours beside rsip and rsipstack on the same octets (tests/readers).

Time by criterion: it depends on what else the machine does, so it is shown, beside the limit where there is one.
Instructions by callgrind and allocations by a counting allocator are the same in every run: those have budgets.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
os.environ.setdefault("SMSC_PROFILE", "release")
from harness import TARGET, Case, binary, main

# Of ours, for each operation: instructions (some 30 % above what they were when the budget was set), allocations, and the
# nanoseconds it shall take on a machine of its own.
BUDGETS = {
    "parse an MO MESSAGE": (7500, 0, 600),
    "parse a 200 to an MT MESSAGE": (3500, 0, 600),
    "parse an MO MESSAGE, read its headers": (17800, 0, None),
    "judge a parsed MO MESSAGE": (17000, 0, None),
    "write an MT MESSAGE": (9200, 6, None),
    "decode RP-DATA + SMS-SUBMIT": (960, 0, 300),
    "encode RP-DATA + SMS-DELIVER": (890, 0, 300),
    "decode RP-ACK + SMS-SUBMIT-REPORT": (520, 0, 300),
    "encode RP-ACK + SMS-SUBMIT-REPORT": (660, 0, 300),
}


class Parsers(Case):
    def test_what_a_message_costs_to_read_and_write(self):
        times, counts = self.times(), self.counts()
        self.assertEqual(sorted(times), sorted(counts))
        self.assertEqual(set(BUDGETS), {operation for operation, _ in counts})
        over = []
        print(f"\n{'':40} {'':10} {'ns':>8} {'best':>8} {'limit':>6} {'instr.':>8} {'budget':>7} {'alloc.':>7} {'× ours':>7}")
        for (operation, by), (instructions, allocations) in counts.items():
            median, best = times[operation, by]
            ours = counts[operation, "ours"][0]
            row = f"{operation:40} {by:10} {median:8.0f} {best:8.0f} "
            if by == "ours":
                budget, most, limit = BUDGETS[operation]
                print(row + f"{limit or '':>6} {instructions:8.0f} {budget:7} {allocations:7}")
                if instructions > budget or allocations > most:
                    over.append(f"{operation}: {instructions:.0f} instructions, {allocations} allocations")
            else:
                print(row + f"{'':6} {instructions:8.0f} {'':7} {allocations:7} {instructions / ours:7.1f}")
        print("ns: median and best of criterion's samples; instructions by callgrind; × ours: by instructions\n")
        self.assertEqual([], over)

    def times(self):
        """Median and best nanoseconds by operation and by whom."""
        home = self.dir / "criterion"
        self.run_quietly([bench(), "--bench", "--noplot"], CRITERION_HOME=home)
        times = {}
        for made in home.glob("*/*/new"):
            about, sample = (json.loads((made / f"{name}.json").read_text()) for name in ("benchmark", "sample"))
            each = sorted(time / runs for time, runs in zip(sample["times"], sample["iters"]))
            times[about["group_id"], about["function_id"]] = each[len(each) // 2], each[0]
        return times

    def counts(self):
        """Instructions and allocations by operation and by whom."""
        works = [json.loads(line) for line in self.run_quietly([binary("count")]).splitlines()]
        out = self.dir / "callgrind"
        self.run_quietly([
            "valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
            "--toggle-collect=count::measured", "--dump-after=count::measured", binary("count"),
        ])
        # A dump for each work, and one more for what comes after the last of them.
        self.assertEqual(len(works) + 1, len(list(self.dir.glob("callgrind*"))))
        counts = {}
        for number, work in enumerate(works, start=1):
            dump = out.with_name(f"callgrind.{number}").read_text()
            summary = next(line for line in dump.splitlines() if line.startswith("summary: "))
            instructions = int(summary.split()[1]) / work["times"]
            self.assertGreater(instructions, 0, work)
            counts[work["operation"], work["by"]] = instructions, work["allocations"]
        return counts

    def run_quietly(self, command, **environment):
        """Runs to its end; returns what it printed."""
        outcome = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, timeout=300, cwd=self.dir,
            env={**os.environ, **{name: str(value) for name, value in environment.items()}},
        )
        self.assertEqual(0, outcome.returncode, f"{command[0]}: {outcome.stderr[-2000:]}")
        return outcome.stdout


def bench():
    """The newest build of the criterion bench."""
    built = [path for path in (TARGET / "release/deps").glob("codecs-*") if not path.suffix]
    return max(built, key=lambda path: path.stat().st_mtime)


if __name__ == "__main__":
    main()
