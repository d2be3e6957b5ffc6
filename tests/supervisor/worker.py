#!/usr/bin/python3 -IS
"""Plays a daemon process: writes down what it finds, then does what WGW_TEST_PLAN says."""
import json
import os
import select
import signal
import socket
import struct
import sys
import time

READY, LEAVING = b"\x10", b"\x11\x01"
plan = os.environ["WGW_TEST_PLAN"]
work = os.environ["WGW_TEST_WORK"]


def status():
    with open("/proc/self/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def pdeathsig():
    import ctypes
    value = ctypes.c_int()
    ctypes.CDLL(None).prctl(2, ctypes.byref(value), 0, 0, 0)
    return value.value


def report(start):
    import resource
    umask = os.umask(0)
    os.umask(umask)
    fds = {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
           if os.path.exists(f"/proc/self/fd/{fd}") or int(fd) < 6}
    facts = {
        "pid": os.getpid(), "uids": os.getresuid(), "gids": os.getresgid(),
        "groups": os.getgroups(), "umask": umask, "cwd": os.getcwd(), "env": dict(os.environ),
        "fds": fds, "argv": sys.argv[1:], "status": status(), "sid": os.getsid(0),
        "nice": os.getpriority(os.PRIO_PROCESS, 0), "pdeathsig": pdeathsig(),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE), "data": resource.getrlimit(resource.RLIMIT_DATA), "as": resource.getrlimit(resource.RLIMIT_AS),
        "blocking": [os.get_blocking(fd) for fd in range(6)],
        "start": list(struct.unpack_from("<BBIIII", start)), "worker": start[23:].decode(),
    }
    path = f"{work}/{os.getpid()}.json"
    with open(path + ".new", "w", encoding="ascii") as file:
        json.dump(facts, file)
    os.rename(path + ".new", path)


def wait_for_end(control):
    message = control.recv(64)
    with open(f"{work}/{os.getpid()}.told", "wb") as file:
        file.write(message)
    return message


def set_epoch(start, threads=4, idle=4):
    row, epoch = struct.unpack_from("<II", start, 2)
    os.pwrite(5, struct.pack("<IiI", epoch, idle, threads), 152 + row * 56)


if plan.startswith("code:"):
    sys.exit(int(plan[5:]))
signal.signal(signal.SIGTERM, signal.SIG_DFL)
control = socket.socket(fileno=os.dup(4))
begin = control.recv(300000)
report(begin)
if plan == "once":
    if os.path.exists(f"{work}/once"):
        os.write(2, b"Traceback: lines\nImportError: no \x1b[2J module\n<6>and so on\n")
        sys.exit(80)
    open(f"{work}/once", "w").close()
if plan == "never-ready":
    time.sleep(60)
if plan == "stuck":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
set_epoch(begin)
control.send(READY)
if plan == "crash":
    time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGSEGV)
elif plan == "crash-on-file":
    while not os.path.exists(f"{work}/crash"):
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGSEGV)
elif plan == "garbage":
    control.send(b"\xff" * 100)
elif plan == "twice":
    control.send(READY)
elif plan == "leave":
    time.sleep(1.2)
    control.send(LEAVING)
    sys.exit(0)
elif plan == "shutdown":
    socket.socket(fileno=3).shutdown(socket.SHUT_RDWR)
elif plan == "flood":
    block = b"flood \x1b[31m\n" * 4000
    while True:
        try:
            os.write(2, block)
        except BlockingIOError:
            select.select([], [2], [])
elif plan == "lines":
    os.write(1, b"<6>an info line\n<4>a warning\nplain \xff\x07 line\n" + b"x" * 20000 + b"\nno end")
elif plan == "exit:3":
    time.sleep(0.05)
    os._exit(3)
elif plan == "child" and not os.path.exists(f"{work}/once"):
    open(f"{work}/once", "w").close()
    if os.fork() == 0:
        time.sleep(1)
        os.write(2, b"a word of the child\n")
        os._exit(0)
if plan in ("stuck", "garbage", "shutdown", "twice"):
    time.sleep(60)
wait_for_end(control)
