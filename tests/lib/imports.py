"""Who may import whom (design §1): checked against cargo's own metadata, and inside smsc-proto against the sources.

Prints a line for each rule that is broken, then "N passed, N failed".
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Crates of ours that each crate may name, dev-dependencies included: tests that need more belong to smsc-tests.
OURS = {
    "smsc-proto": set(),
    "smsc-config": set(),
    "smsc-backend": set(),
    "smsc-crds": set(),
    "smsc-store": {"smsc-backend", "smsc-proto"},
    "smsc-frontend": {"smsc-proto", "smsc-config", "smsc-backend", "smsc-store"},
    "smsc-operator": {"smsc-crds", "smsc-config", "smsc-backend"},
}
UNRESTRICTED = {"smsc-tests"}

# Names that must not be anywhere below a crate in what ships.
NEVER_BELOW = {
    "smsc-frontend": re.compile(r"^(kube(-.*)?|k8s-openapi|smsc-crds)$"),
    "smsc-operator": re.compile(r"^(smsc-frontend|smsc-proto|smsc-store)$"),
    "smsc-proto": re.compile(r"^(tokio(-.*)?|mio|socket2|rand|getrandom|reqwest|hyper)$"),
}

# Inside smsc-proto: which modules a module must not name (sms is below the three).
PROTO_MODULES = {
    "sip": {"smpp", "at"},
    "smpp": {"sip", "at"},
    "at": {"sip", "smpp"},
    "sms": {"sip", "smpp", "at"},
}

# What sans-IO code never names: sockets, clocks, threads, randomness.
IMPURE = re.compile(
    r"\b(Instant::now|SystemTime|UNIX_EPOCH|UdpSocket|TcpStream|TcpListener|thread::(spawn|sleep)|RandomState"
    r"|std::(fs|process|env)\b|\bio::(stdin|stdout|stderr))"
)


def main():
    metadata = json.loads(
        subprocess.run(
            ["cargo", "metadata", "--format-version", "1", "--locked", "--all-features"],
            cwd=ROOT, check=True, capture_output=True, text=True,
        ).stdout
    )
    checks = [*crate_checks(metadata), *tree_checks(metadata), *proto_checks(), *store_checks()]
    broken = [f"{name}: {fault}" for name, faults in checks for fault in faults]
    print("\n".join(broken), end="\n" if broken else "")
    failed = sum(1 for _, faults in checks if faults)
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


def crate_checks(metadata):
    """Each workspace crate names only the crates of ours that it may."""
    for package in members(metadata):
        name = package["name"]
        named = {d["name"] for d in package["dependencies"] if d["name"].startswith("smsc-") and d["name"] != name}
        if name in UNRESTRICTED:
            continue
        if name not in OURS:
            yield name, ["is not in the table of tests/lib/imports.py: say there what it may import"]
            continue
        yield name, [f"must not depend on {other}" for other in sorted(named - OURS[name])]


def tree_checks(metadata):
    """Nothing forbidden anywhere below a crate, dev-dependencies left out."""
    names = {package["id"]: package["name"] for package in metadata["packages"]}
    edges = {
        node["id"]: [d["pkg"] for d in node["deps"] if any(k["kind"] != "dev" for k in d["dep_kinds"])]
        for node in metadata["resolve"]["nodes"]
    }
    for package in members(metadata):
        forbidden = NEVER_BELOW.get(package["name"])
        if forbidden is None:
            continue
        path, queue, faults = {package["id"]: package["name"]}, [package["id"]], []
        while queue:
            for dependency in edges[at := queue.pop()]:
                if dependency in path:
                    continue
                path[dependency] = f"{path[at]} -> {names[dependency]}"
                queue.append(dependency)
                if forbidden.match(names[dependency]):
                    faults.append(path[dependency])
        yield f"{package['name']} (whole tree)", faults


def proto_checks():
    """The modules of smsc-proto keep apart and stay sans-IO."""
    source = ROOT / "frontend/proto/src"
    for module, others in PROTO_MODULES.items():
        files = sorted(source.glob(f"{module}.rs")) + sorted(source.glob(f"{module}/**/*.rs"))
        if files:
            yield f"smsc-proto::{module}", [fault for f in files for fault in names_module(f, others)]
    pure = [
        f"{place(f, line)} names {found[0]}"
        for f in sorted(source.glob("**/*.rs"))
        for line, text in code(f)
        if (found := IMPURE.search(text))
    ]
    yield "smsc-proto is sans-IO", pure


def store_checks():
    """smsc-store uses only the sms half of smsc-proto."""
    faults = [
        f"{place(f, line)}: {text.strip()}"
        for f in sorted((ROOT / "frontend/store/src").glob("**/*.rs"))
        for line, text in code(f)
        if re.search(r"\bsmsc_proto::(\{|(?!sms\b)\w)", text)
    ]
    yield "smsc-store uses smsc_proto::sms only", faults


def names_module(path, others):
    """Places where a source file names one of the other modules by an absolute path, in a grouped `use` too."""
    lines = list(code(path))
    text = "\n".join(text for _, text in lines)
    pattern = re.compile(
        r"\b(?:crate|smsc_proto)::(?:\{(?:[^;]*?[\s{,])?)?(" + "|".join(sorted(others)) + r")(?=\s*(?:::|[,;}]))"
    )
    for found in pattern.finditer(text):
        yield f"{place(path, lines[text.count(chr(10), 0, found.start(1))][0])} names {found[1]}"


def code(path):
    """Numbered lines of a source file up to its test module, comments left out; none of a test module's own files."""
    if "tests" in path.parts[path.parts.index("src"):] or path.name == "tests.rs":
        return
    for number, text in enumerate(path.read_text().splitlines(), start=1):
        if text.startswith("#[cfg(test)]"):
            return
        if not text.lstrip().startswith("//"):
            yield number, text


def place(path, line):
    return f"{path.relative_to(ROOT)}:{line}"


def members(metadata):
    ids = set(metadata["workspace_members"])
    return [package for package in metadata["packages"] if package["id"] in ids]


if __name__ == "__main__":
    sys.exit(main())
