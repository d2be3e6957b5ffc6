"""What a daemon process finds when it begins."""
import os
import pathlib
import resource
import signal
import stat

import pytest

from harness_supervisor import FAILED, READY, is_alive

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="switching users needs root")


def one(supervisor, plan="serve", **changes):
    supervisor.serve(plan, **changes)
    return supervisor.wait_reports(1)[0]


@needs_root
def test_user_groups_and_capabilities(supervisor):
    found = one(supervisor, uid=12345, gid=23456, groups=[23456, 777])
    assert found["uids"] == [12345] * 3 and found["gids"] == [23456] * 3
    assert sorted(found["groups"]) == [777, 23456]
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(found["status"][name], 16) == 0, name
    assert found["status"]["NoNewPrivs"] == "1"


@needs_root
def test_no_new_privs_off(supervisor):
    found = one(supervisor, keeps_privileges=1)
    assert found["status"]["NoNewPrivs"] == "0"
    assert int(found["status"]["CapEff"], 16) == 0 and int(found["status"]["CapPrm"], 16) == 0


def test_session_umask_folder_limits_signals(supervisor):
    found = one(supervisor, umask=0o31, home=str(supervisor.work), nice=3,
                memory_limit=1 << 30, virtual_memory_limit=4 << 30)
    assert found["umask"] == 0o31 and found["cwd"] == str(supervisor.work)
    assert found["sid"] == found["pid"] and found["nice"] == 3
    assert found["data"] == [1 << 30] * 2 and found["as"] == [4 << 30] * 2
    assert found["files"] == list(resource.getrlimit(resource.RLIMIT_NOFILE))
    assert found["pdeathsig"] == signal.SIGCONT
    assert int(found["status"]["SigBlk"], 16) == 0
    python_ignores = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)
    of_libc = 3 << 31  # 32 and 33, which sigaction() lets nobody touch
    assert int(found["status"]["SigIgn"], 16) & ~(python_ignores | of_libc) == 0


def test_environment_and_arguments(supervisor):
    found = one(supervisor, python_args=["-O", "-W", "error"])
    assert set(found["env"]) - {"LC_CTYPE"} == {"WGW_TEST_PLAN", "WGW_TEST_WORK", "LANG"}
    assert found["argv"][:5] == ["-P", "-O", "-W", "error", "-c"]
    assert found["argv"][6:] == ["/nowhere/ext.so"]


def test_descriptors(supervisor):
    found = one(supervisor)
    fds = found["fds"]
    kinds = [fds[str(fd)].partition(":")[0] for fd in range(6)]
    assert kinds == ["/dev/null", "pipe", "pipe", "socket", "socket", "/memfd"]
    assert set(map(int, fds)) - {6} <= set(range(6))          # 6: worker.py's own copy of 4
    assert found["blocking"] == [True, False, False, False, True, True]


def test_start_message(supervisor):
    board = supervisor.serve(process_count=2)
    reports = supervisor.wait_reports(2)
    rows = sorted(r["start"][2] for r in reports)
    assert rows == [0, 1]
    for found in reports:
        kind, version, row, epoch, row_count, entry_count = found["start"]
        assert (kind, version, row_count, entry_count) == (1, 1, 4, 16)
        assert found["worker"] == "worker spec" and epoch
        assert board.row(row)[5] == found["pid"]


def test_sockets_are_private(supervisor):
    changes = {"socket_uid": 4321} if ROOT else {}
    one(supervisor, **changes)
    assert supervisor.sockets() == ["s.1.0.0.sock", "s.1.0.1.sock"]
    for path in supervisor.run.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.stat().st_uid == (4321 if ROOT else os.geteuid())


@needs_root
def test_chroot(supervisor):
    """The interpreter is looked for inside; there is none here."""
    supervisor.serve(chroot=str(supervisor.work), python="/bin/python3")
    lines = supervisor.wait_log("WGW0101")
    assert "exec of /bin/python3: No such file" in lines[0] and "chroot=" in lines[0]


@needs_root
@pytest.mark.parametrize("changes", [{"uid": 0}, {"gid": 0}, {"switches_user": 0}])
def test_root_is_refused(supervisor, changes):
    supervisor.serve(**changes)
    assert "do not run as root" in supervisor.wait_log("WGW0101")[0]
    supervisor.wait_log("exited with code 79")
    assert not supervisor.reports()


def test_home_missing(supervisor):
    supervisor.serve(home="/nowhere/home")
    line = supervisor.wait_log("WGW0101")[0]
    assert "pool 'pool'" in line and "/nowhere/home: No such file" in line and "home=" in line


def test_python_missing(supervisor):
    supervisor.serve(python="/nowhere/bin/python3")
    line = supervisor.wait_log("WGW0101")[0]
    assert "/nowhere/bin/python3: No such file" in line and "python-home=" in line


def test_python_too_old(supervisor):
    supervisor.serve("code:2")
    line = supervisor.wait_log("WGW0109")[0]
    assert str(supervisor.worker) in line and "python-home=" in line


def test_too_long_a_path_fails(supervisor):
    supervisor.generation(1)
    supervisor.pool(socket_path="/tmp/" + "x" * 120)
    kind, number, why = supervisor.commit()
    assert (kind, number) == (FAILED, 1) and "WSGISocketPrefix" in why


def test_no_folder_for_sockets_fails_and_changes_nothing(supervisor):
    supervisor.serve()
    first = supervisor.wait_reports(1)[0]
    supervisor.generation(2)
    supervisor.pool(socket_path=f"{supervisor.run}/s.2.0")
    supervisor.pool(socket_path="/nowhere/s.2.1")
    kind, number, why = supervisor.commit()
    assert (kind, number) == (FAILED, 2) and "/nowhere/s.2.1.0.sock" in why
    assert supervisor.sockets() == ["s.1.0.0.sock", "s.1.0.1.sock"]
    assert is_alive(first["pid"]) and len(supervisor.reports()) == 1
    supervisor.generation(3)
    supervisor.pool(socket_path=f"{supervisor.run}/s.3.0")
    assert supervisor.commit()[:2] == (READY, 3)


def test_supervisor_alone_does_not_start():
    import subprocess
    from harness_supervisor import PROGRAM
    done = subprocess.run([PROGRAM], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          check=False)
    assert done.returncode == 1 and "WGW0120" in done.stderr
    assert pathlib.Path(PROGRAM).is_file()
