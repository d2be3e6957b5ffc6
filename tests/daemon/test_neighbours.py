"""What a process of a pool must not pass on to others: to programs it starts, to httpd's child.

Frames are written past the bridge, to the connection that the request came by.
"""
import os

import daemonkit as kit

from harness import Site

MODES = ("daemon",)
SITE = Site("""
    WSGIDaemonProcess pool threads=1 python-path={apps}
    WSGIProcessGroup pool
    WSGIApplicationGroup %{GLOBAL}
    WSGIScriptAlias / {apps}/inside.wsgi
""")
OF_PROGRAMS = """
import os, subprocess
result = {}
def links(number):
    return [os.readlink(f"/proc/{number}/fd/{name}") for name in os.listdir(f"/proc/{number}/fd")]
program = os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
for _ in range(500):
    if open(f"/proc/{program}/comm").read().strip() == "sleep":
        break
    __import__("time").sleep(0.01)
result = links(program)
os.kill(program, 9)
os.waitpid(program, 0)
"""
MANY_FILES = """
import array, os, socket, stat, struct, tempfile
def connections():
    for name in os.listdir("/proc/self/fd"):
        try:
            sock = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        try:
            if sock.family == socket.AF_UNIX and sock.getsockname().endswith(".sock"):
                sock.getpeername()
                yield sock
        except OSError:
            pass
def frame(kind, payload=b""):
    return struct.pack("<IBBH", len(payload), kind, 0, 0) + payload
sock = next(connections())
sock.setblocking(True)
file = tempfile.TemporaryFile()
file.write(b"x")
file.flush()
sock.sendall(frame(16, struct.pack("<H", 200) + struct.pack("<I", 2) + b"OK\\0" + struct.pack("<I", 0)))
try:
    for _ in range(COUNT):
        sock.sendmsg([frame(18, struct.pack("<QQ", 0, 1))],
                     [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file.fileno()]))])
    __import__("time").sleep(1)
except OSError:
    pass
os._exit(1)
"""


def test_descriptors_of_programs(server):
    """Not the listener, the control channel or the scoreboard, also where Python closes nothing."""
    links = kit.inside(server, OF_PROGRAMS)
    assert [link for link in links if link.startswith(("socket:", "/memfd:"))] == []


def test_many_files_in_one_response(server):
    """Descriptors stay open in httpd's child to the end of the response: they are bounded."""
    most, count = 0, 3000
    request = kit.Background(server, "/run", MANY_FILES.replace("COUNT", str(count)).encode())
    while request._thread.is_alive():
        for pid in kit.httpd_children(server):
            try:
                most = max(most, len(os.listdir(f"/proc/{pid}/fd")))
            except OSError:
                continue
    server.allow_log(r"WGW0051|WGW0052|WGW0104|WGW0049")
    answer = request.answer()
    server.expect_log("WGW0107")  # whenever it ends
    assert most < 150, most
    assert not answer.complete or answer.status == 502
