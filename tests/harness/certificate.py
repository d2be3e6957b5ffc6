"""A self-signed certificate for localhost, made once per session."""
import functools
import pathlib
import subprocess
from typing import NamedTuple


class Certificate(NamedTuple):
    """Paths of a PEM certificate and its key."""
    cert: pathlib.Path
    key: pathlib.Path


@functools.lru_cache(maxsize=None)
def certificate(folder: pathlib.Path) -> Certificate:
    """Make a certificate for localhost and 127.0.0.1 in `folder`."""
    made = Certificate(folder / "localhost.crt", folder / "localhost.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec",
                    "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", str(made.key), "-out", str(made.cert)],
                   check=True, capture_output=True)
    return made
