"""Certificates made by openssl while a test runs: authorities, those they issue, and a directory like a mounted Secret."""

import os
import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

_CONFIG = """
[ca]
default_ca = here
[here]
new_certs_dir = {0}
database = {0}/index.txt
default_md = sha256
policy = names
unique_subject = no
rand_serial = yes
copy_extensions = copyall
[names]
commonName = supplied
"""
_DATES = {"valid": ("20200101000000Z", "20890101000000Z"), "expired": ("20200101000000Z", "20210101000000Z")}


@dataclass
class Files:
    """A certificate, its key, and the authorities its holder believes."""

    cert: Path
    key: Path
    ca: Path

    def client(self):
        """A context for connecting: shows the certificate and verifies the server's, name included."""
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(self.cert, self.key)
        return context

    def server(self):
        """A context for accepting: whoever connects must have a certificate of the authorities."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self.cert, self.key)
        return context


class Authority:
    def __init__(self, directory, name="authority"):
        self.dir = Path(directory) / name
        self.dir.mkdir()
        (self.dir / "index.txt").touch()
        (self.dir / "config").write_text(_CONFIG.format(self.dir))
        self.cert = self.dir / "ca.crt"
        openssl("req", "-x509", *_new_key(self.dir / "ca.key"), "-subj", f"/CN={name}", "-days", "30", "-out", self.cert)

    def issue(self, name, *alternatives, dates="valid"):
        """A certificate for these subjectAltNames, such as `URI:sip:example.org`; `dates` is valid or expired."""
        files = Files(self.dir / f"{name}.crt", self.dir / f"{name}.key", self.cert)
        request = self.dir / f"{name}.csr"
        openssl("req", "-new", *_new_key(files.key), "-subj", f"/CN={name}",
                "-addext", f"subjectAltName={','.join(alternatives)}", "-out", request)
        begin, end = _DATES[dates]
        openssl("ca", "-batch", "-config", self.dir / "config", "-cert", self.cert, "-keyfile", self.dir / "ca.key", "-notext",
                "-startdate", begin, "-enddate", end, "-in", request, "-out", files.cert)
        return files


class Secret:
    """tls.crt, tls.key and ca.crt as the kubelet mounts them: links through `..data`, which is swapped in one step."""

    def __init__(self, directory, files):
        self.dir = Path(directory)
        self.dir.mkdir()
        self.versions = 0
        self.put(files)
        for name in ("tls.crt", "tls.key", "ca.crt"):
            (self.dir / name).symlink_to(f"..data/{name}")

    def put(self, files):
        self.versions += 1
        version = self.dir / f"..{self.versions}"
        version.mkdir()
        for name, file in [("tls.crt", files.cert), ("tls.key", files.key), ("ca.crt", files.ca)]:
            shutil.copy(file, version / name)
        link = self.dir / "..new"
        link.symlink_to(version.name)
        os.replace(link, self.dir / "..data")

    def section(self, **more):
        """The section `sip.tls` of the configuration."""
        keys = {"cert_file": self.dir / "tls.crt", "key_file": self.dir / "tls.key", "ca_file": self.dir / "ca.crt", **more}
        return "sip: {tls: {" + ", ".join(f"{key}: {value}" for key, value in keys.items()) + "}}\n"


def serial(cert):
    """The serial number of a certificate file."""
    return openssl("x509", "-noout", "-serial", "-in", cert).strip().removeprefix("serial=")


def openssl(*arguments, given=""):
    """Runs openssl; what it writes to its standard output."""
    command = ["openssl", *(str(argument) for argument in arguments)]
    run = subprocess.run(command, input=given, capture_output=True, text=True, timeout=30)
    if run.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {run.stderr}")
    return run.stdout


def _new_key(path):
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path]
