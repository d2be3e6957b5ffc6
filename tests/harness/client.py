"""A strict HTTP/1.x client on sockets that tells a complete response from a cut one.

Knows nothing of servers or configurations.  Everything is bytes on the wire; header names and
values are handed out as latin-1 str.
"""
import re
import socket
import ssl
import struct
from typing import Iterable, Iterator, List, Optional, Tuple

Headers = Iterable[Tuple[str, str]]

STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)")
FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*"
                        rb"((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*"
                        rb"[\x21-\x7e\x80-\xff])?)?)[ \t]*")
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(?:;[\t\x20-\x7e]*)?")
BUFFER_BYTES = 65536


class ProtocolError(AssertionError):
    """The server sent what is no HTTP/1.x response."""


class Response:
    """One response; its body may still be on the way.

    framing: "none", "length", "chunked" or "close" (RFC 9112 section 6.3).
    complete: the end was seen as the framing promises it.
    reset: the connection ended by RST (or, with TLS, without close_notify).
    interim: status codes of the 1xx responses before this one.
    """

    def __init__(self, connection: "Connection", version: str, status: int, reason: str,
                 headers: List[Tuple[str, str]]) -> None:
        self.version, self.status, self.reason = version, status, reason
        self.headers = headers
        self.interim: List[int] = []
        self.trailers: List[Tuple[str, str]] = []
        self.body = b""
        self.framing = "none"
        self.complete = False
        self.reset = False
        self._connection = connection
        self._pieces: Iterator[bytes] = iter(())

    def header(self, name: str) -> Optional[str]:
        """Return the only value of a header, None if absent; raise if there are more."""
        values = self.all(name)
        if len(values) > 1:
            raise ProtocolError(f"{name} more than once: {values}")
        return values[0] if values else None

    def all(self, name: str) -> List[str]:
        """Return all values of a header in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def text(self) -> str:
        """Return the body as UTF-8 text."""
        return self.body.decode()

    def start_body(self, method: str) -> None:
        """Choose the framing by RFC 9112 section 6.3 and make the body readable."""
        length = self.header("Content-Length")
        if method == "HEAD" or self.status in (204, 304) or self.status < 200:
            self.framing, self.complete = "none", True
        elif self.header("Transfer-Encoding"):
            if self.header("Transfer-Encoding").lower() != "chunked" or length is not None:
                raise ProtocolError(f"framing of {self.headers}")
            self.framing, self._pieces = "chunked", self._read_chunks()
        elif length is not None:
            if not re.fullmatch("[0-9]+", length):
                raise ProtocolError(f"Content-Length {length!r}")
            self.framing, self._pieces = "length", self._read_length(int(length))
        else:
            self.framing, self._pieces = "close", self._read_to_close()

    def read_some(self) -> bytes:
        """Return the next bytes of the body as soon as there are any, b"" at the end or cut."""
        try:
            piece = next(self._pieces, b"")
        except (ConnectionError, ssl.SSLError):
            self.reset, piece = True, b""
        self.body += piece
        return piece

    def read_until(self, mark: bytes) -> bytes:
        """Read until the body so far contains `mark`; raise if it ends before."""
        while mark not in self.body:
            if not self.read_some():
                raise AssertionError(f"body ended without {mark!r}: {self.body[-200:]!r}")
        return self.body

    def read_all(self) -> "Response":
        """Read to the end, whole or cut; return self."""
        while self.read_some():
            pass
        return self

    def _read_length(self, remaining: int) -> Iterator[bytes]:
        while remaining:
            piece = self._connection.take(min(remaining, BUFFER_BYTES))
            if not piece:
                return
            remaining -= len(piece)
            yield piece
        self.complete = True

    def _read_to_close(self) -> Iterator[bytes]:
        while True:
            piece = self._connection.take(BUFFER_BYTES)
            if not piece:
                break
            yield piece
        self.complete = True

    def _read_chunks(self) -> Iterator[bytes]:
        while True:
            line = self._connection.line()
            if line is None:
                return
            match = CHUNK_LINE.fullmatch(line)
            if not match:
                raise ProtocolError(f"chunk line {line!r} after {self.body[-100:]!r}")
            remaining = int(match[1], 16)
            if not remaining:
                break
            while remaining:
                piece = self._connection.take(min(remaining, BUFFER_BYTES))
                if not piece:
                    return
                remaining -= len(piece)
                yield piece
            if self._connection.line() != b"":
                return
        self.trailers = self._connection.fields()
        self.complete = True

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.reason} {self.headers} {self.framing} " \
               f"complete={self.complete} reset={self.reset} {self.body[:500]!r}>"


class Connection:
    """A connection to a server; a context manager that closes it."""

    def __init__(self, port: int, tls: Optional[ssl.SSLContext] = None,
                 timeout_s: float = 30.0, address: str = "127.0.0.1", source: str = "") -> None:
        self.socket = socket.create_connection((address, port), timeout_s, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.authority = f"localhost:{port}"
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost",
                                          suppress_ragged_eofs=False)
        self.local_port = self.socket.getsockname()[1]
        self._buffer = b""

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection in the ordinary way."""
        self.socket.close()

    def reset(self) -> None:
        """Abort the connection with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def half_close(self) -> None:
        """Say that no more bytes will be sent; reading goes on."""
        self.socket.shutdown(socket.SHUT_WR)

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def request(self, method: str, target: str, headers: Headers = (), body: bytes = None,
                version: str = "HTTP/1.1", host: str = None) -> None:
        """Send a request; Host always, Content-Length if a body is given without framing."""
        fields = [("Host", host or self.authority), *headers]
        names = {name.lower() for name, _ in fields}
        if body is not None and not names & {"content-length", "transfer-encoding"}:
            fields.append(("Content-Length", str(len(body))))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields)
        self.send(f"{method} {target} {version}\r\n{head}\r\n".encode("latin-1") + (body or b""))

    def begin(self, method: str = "GET", skip_interim: bool = True) -> Response:
        """Read the head of the next response; the body is for read_some()/read_all()."""
        interim = []
        while True:
            response = self._head()
            if response.status >= 200 or not skip_interim:
                response.interim = interim
                response.start_body(method)
                return response
            interim.append(response.status)

    def response(self, method: str = "GET") -> Response:
        """Read the next response to its end, whole or cut."""
        return self.begin(method).read_all()

    def at_end(self) -> bool:
        """Wait for the server's next byte; say whether it closed (or reset) instead."""
        try:
            data = self._receive()
        except ConnectionError:
            return True
        self._buffer += data
        return not data

    def quiet(self, seconds: float) -> bool:
        """Say whether nothing arrives within `seconds`."""
        old = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            self._buffer += self.socket.recv(BUFFER_BYTES)
            return False
        except (TimeoutError, socket.timeout):
            return True
        finally:
            self.socket.settimeout(old)

    def take(self, limit: int) -> bytes:
        """Return up to `limit` bytes as soon as there are any, b"" at the end."""
        if not self._buffer:
            self._buffer = self._receive()
        data, self._buffer = self._buffer[:limit], self._buffer[limit:]
        return data

    def line(self) -> Optional[bytes]:
        """Return the next line without its CRLF, None if the connection ends before it."""
        while b"\n" not in self._buffer:
            data = self._receive()
            if not data:
                return None
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        if not line.endswith(b"\r"):
            raise ProtocolError(f"bare LF after {line!r}")
        return line[:-1]

    def fields(self) -> List[Tuple[str, str]]:
        """Read header or trailer lines up to the empty line."""
        found = []
        while True:
            line = self.line()
            if line == b"":
                return found
            match = FIELD_LINE.fullmatch(line or b"")
            if not match:
                raise ProtocolError(f"field line {line!r} after {found}")
            found.append((match[1].decode("latin-1"), match[2].decode("latin-1")))

    def _receive(self) -> bytes:
        try:
            return self.socket.recv(BUFFER_BYTES)
        except ssl.SSLEOFError as error:
            raise ConnectionResetError("TLS ended without close_notify") from error

    def _head(self) -> Response:
        line = self.line()
        if line is None:
            raise ProtocolError("connection closed without a response")
        match = STATUS_LINE.fullmatch(line)
        if not match:
            raise ProtocolError(f"status line {line!r}")
        return Response(self, f"HTTP/1.{match[1].decode()}", int(match[2]),
                        match[3].decode("latin-1"), self.fields())
