#!/usr/bin/env python3
"""wsgigw: looks at, and reloads, the daemon processes of a running httpd with mod_wsgigw.

Speaks to the supervisor by its control socket (src/supervisor/command.h has the protocol,
docs/command.md what is in the answers). Knows nothing of httpd and of the processes.
"""
import argparse
import contextlib
import errno
import json
import os
import socket
import struct
import sys

DEFAULT_SOCKET = "@CONTROL_SOCKET@"
PROTOCOL = 1
PATIENCE_S = 15  # the supervisor answers at once
WAIT_S = 660     # a little longer than the supervisor itself waits

OK, FAILED, USAGE, NO_HTTPD, NO_PERMISSION, NO_SUCH_POOL, TROUBLE = range(7)

EXIT_CODES = """exit codes:
  0  done
  1  reload --wait: not all processes were replaced, because the new code does not import,
     it took too long, or httpd was restarted or stopped meanwhile
  2  wrong usage
  3  no httpd with daemon processes listens at the socket
  4  no permission: run it as root, or as the user who started httpd
  5  no such pool
  6  the answer is late, or none that this version understands
"""


class Trouble(Exception):
    """What a person is told; `code` is the exit code."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


# --- the control socket ----------------------------------------------------------------------

def socket_path(options):
    """Return where the supervisor listens: --socket, WSGIGW_SOCKET, or the installed httpd's."""
    return options.socket or os.environ.get("WSGIGW_SOCKET") or DEFAULT_SOCKET


def connect(path):
    """Return a connection to the supervisor; raise Trouble."""
    link = socket.socket(socket.AF_UNIX)
    # Where many wait to be accepted, connect() waits; with a timeout of Python's it would fail.
    link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", PATIENCE_S, 0))
    try:
        link.connect(path)
        link.settimeout(PATIENCE_S)
    except PermissionError:
        raise Trouble(NO_PERMISSION, f"no permission to use {path}: run it as root, or as the user "
                      "who started httpd") from None
    except (FileNotFoundError, NotADirectoryError):
        raise Trouble(NO_HTTPD, f"there is no {path}: is httpd running, with a WSGIDaemonProcess? "
                      "Another WSGISocketPrefix has another path; name it with --socket or "
                      "WSGIGW_SOCKET (PREFIX.control.sock)") from None
    except ConnectionRefusedError:
        raise Trouble(NO_HTTPD, f"nobody listens at {path}: httpd has stopped, or is about to start "
                      "its supervisor again") from None
    except (OSError, TimeoutError) as error:
        raise Trouble(TROUBLE, f"{path}: {error}") from None
    return link


def ask(path, request, wait_s=PATIENCE_S):
    """Return the answer to one request, as the object that it is; raise Trouble."""
    pieces = []
    with connect(path) as link:
        try:
            with contextlib.suppress(BrokenPipeError):  # who is refused is so before it asks
                link.sendall(f"{PROTOCOL} {request}\n".encode())
            link.settimeout(wait_s)
            while piece := link.recv(65536):
                pieces.append(piece)
        except TimeoutError:
            raise Trouble(TROUBLE, f"no answer within {wait_s} s") from None
        except OSError as error:
            if not pieces or error.errno not in (errno.ECONNRESET, errno.EPIPE):
                raise Trouble(TROUBLE, f"{path}: {error}") from None
    try:
        answer = json.loads(b"".join(pieces))
        version = answer["version"]
    except (ValueError, KeyError, TypeError):
        raise Trouble(TROUBLE, "httpd was stopped or restarted meanwhile, or this is no control "
                      f"socket: {path}") from None
    if version != PROTOCOL:
        raise Trouble(TROUBLE, f"httpd's mod_wsgigw speaks version {version} of the protocol, this "
                      f"command version {PROTOCOL}: install both from one build, and restart httpd")
    return answer


def pool_names(path):
    """Return the names of the pools that can be reloaded."""
    return sorted({pool["name"] for pool in ask(path, "status").get("pools", ())
                   if not pool["is_ending"]})


def check(answer, path):
    """Raise Trouble for an answer that is a refusal."""
    if answer["ok"] or answer["error"] == "not-reloaded":
        return
    code = {"no-such-pool": NO_SUCH_POOL, "not-permitted": NO_PERMISSION,
            "ending": FAILED}.get(answer["error"], TROUBLE)
    text = answer["message"]
    if code == NO_SUCH_POOL:
        text += "; there are: " + (", ".join(map(shown, pool_names(path))) or "none")
    raise Trouble(code, text)


# --- for people ------------------------------------------------------------------------------

def shown(text):
    """Return a text from elsewhere so that it cannot do anything to a terminal."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def duration(seconds):
    """Return a time in its two largest units."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    for size, unit, part_size, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}{int(seconds % size // part_size):02}{part}"
    return ""


def request_line(request):
    return (f"{duration(request['age']):>8}  {request['phase']:<10}  {shown(request['client']):<15}  "
            f"{shown(request['request'])}")


def counted(counters):
    """Return the counters that are not 0."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in counters.items() if value)


def pool_lines(pool):
    """Yield the lines about one pool."""
    ready = [process for process in pool["processes"] if process["phase"] == "ready"]
    busy, threads = (sum(process[name] for process in ready) for name in ("busy", "threads"))
    state = "ending" if pool["is_ending"] else "up" if pool["is_up"] else "DOWN"
    queue = pool["queue"]
    yield (f"{shown(pool['name'])}  {state}  {len(ready)} of {pool['wanted']} processes ready, "
           f"{busy} of {threads} threads busy, {queue['waiting']} requests waiting"
           + (f" (since {duration(queue['oldest_wait'])})" if queue["waiting"] else ""))
    if pool["has_failed"]:
        yield "  THE NEWEST CODE DOES NOT IMPORT: the code before it goes on"
    if pool["failure"]:
        yield f"  last failure, {duration(pool['failure']['age'])} ago: {shown(pool['failure']['text'])}"
    if pool["next_start"]:
        yield f"  the next process is started in {duration(pool['next_start'])}"
    for title, counters in (("counted", pool["counters"]), ("replaced", pool["replaced"])):
        if counted(counters):
            yield f"  {title}: {counted(counters)}"
    for request in queue["requests"]:
        yield f"{'':>20}{request_line(request)}"
    yield from process_lines(pool)


def process_lines(pool):
    """Yield the lines about the processes of a pool."""
    if pool["processes"]:
        yield "       PID  PHASE     VERSION       AGE    SERVED   BUSY"
    for process in pool["processes"]:
        yield (f"{process['pid']:>10}  {process['phase']:<8}  {process['version']:>7}  "
               f"{duration(process['age']):>8}  {process['served']:>8}  "
               f"{process['busy']:>2}/{process['threads']}")
        for request in process["requests"]:
            yield f"{'':>20}{request_line(request)}"
    if pool["requests_left_out"]:
        yield f"  and {pool['requests_left_out']} requests more"


# --- subcommands -----------------------------------------------------------------------------

def status(options):
    """Show all pools."""
    path = socket_path(options)
    answer = ask(path, "status")
    check(answer, path)
    if options.json:
        print(json.dumps(answer, indent=1))
        return OK
    print(f"supervisor {answer['supervisor']}, configuration {answer['generation']}"
          + (", stopping" if answer["is_ending"] else ""))
    for pool in answer["pools"]:
        print()
        print("\n".join(pool_lines(pool)))
    return OK


def reload(options):
    """Replace the processes of one pool, or of all."""
    path = socket_path(options)
    request = ("reload-wait" if options.wait else "reload") + (f" {options.pool}" if options.pool else "")
    answer = ask(path, request, WAIT_S if options.wait else PATIENCE_S)
    check(answer, path)
    for pool in answer["pools"]:
        reason = f": {shown(pool['reason'])}" if pool.get("reason") else ""
        print(f"{shown(pool['name'])}: {pool['result']}{reason}",
              file=sys.stdout if pool["result"] in ("accepted", "done") else sys.stderr)
    return OK if answer["ok"] else FAILED


def pool_name(text):
    """Return the name of a pool; a line of the protocol has room for no other."""
    if not text or not text.isprintable() or len(os.fsencode(text)) > 400:
        raise argparse.ArgumentTypeError("not the name of a WSGIDaemonProcess")
    return text


def parser():
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--socket", metavar="PATH", help="the control socket; else the environment "
                        f"variable WSGIGW_SOCKET, else {DEFAULT_SOCKET}")
    made = argparse.ArgumentParser(prog="wsgigw", description="Look at and reload the daemon processes "
                                   "of a running httpd.", epilog=EXIT_CODES,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = made.add_subparsers(title="commands", required=True, metavar="COMMAND")
    one = commands.add_parser("status", parents=[common], help="show pools, processes and requests")
    one.add_argument("--json", action="store_true", help="as JSON (docs/command.md)")
    one.set_defaults(run=status)
    one = commands.add_parser("reload", parents=[common], help="replace processes, with nothing lost",
                              epilog=EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("pool", nargs="?", type=pool_name, metavar="POOL",
                     help="the name of a WSGIDaemonProcess; without it, all of them")
    one.add_argument("--wait", action="store_true",
                     help="until all are replaced, or the new code has failed to import")
    one.set_defaults(run=reload)
    return made


def main():
    options = parser().parse_args()
    try:
        return options.run(options)
    except Trouble as trouble:
        print(f"wsgigw: {shown(str(trouble))}", file=sys.stderr)
        return trouble.code
    except BrokenPipeError:  # whoever reads has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


if __name__ == "__main__":
    sys.exit(main())
