"""httpd's own lines at warn or above that say nothing about the module.  Each has a reason.

A line belongs here only if it can come in any test; a test that provokes a line marks it
itself, with Server.expect_log.
"""
import re

ALLOWED = [
    (r"AH01882: Init: this version of mod_ssl was compiled against a newer library",
     "Debian builds httpd against a newer libssl than it installs (DESIGN.md section 9)"),
    (r"AH01906: .* server certificate is a CA certificate",
     "the harness's certificate is self-signed by `openssl req -x509`"),
    (r"AH01873: Init: Session Cache is not configured",
     "a TLS session cache would only add shared memory to every server of the tests"),
    (r"AH00161: server reached MaxRequestWorkers",
     "prefork: tests that have one child, so that all requests meet in one thread"),
    (r"AH00558: .*Could not reliably determine the server's fully qualified domain name",
     "ServerName is localhost and the machine may have no domain"),
]

_COMPILED = [(re.compile(pattern), why) for pattern, why in ALLOWED]


def reason(text: str) -> str:
    """Return why the log line `text` is harmless, "" if it is not known to be."""
    return next((why for pattern, why in _COMPILED if pattern.search(text)), "")
