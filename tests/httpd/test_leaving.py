"""Leaving is bounded in time whatever is still in Python, and in order where it can be."""
import os
import signal
import threading
import time

import pytest

from harness import Site, eventually, processes

MODES = ("embedded",)
EVERY_MPM = True
BOUND_S = {"stop": 30.0, "restart": 30.0, "graceful-stop": 45.0}
"""Threads and requests of the application cost the 2.5 s of child.c and httpd's pauses.  At
graceful-stop a request that never ends is waited for: GracefulShutdownTimeout, here 3 s, and then
the 10 to 12 s after which httpd itself kills a child."""
GROUPS = {"main": "WSGIApplicationGroup %{GLOBAL}\nWSGIScriptAlias / {apps}/leaving.wsgi",
          "sub": "WSGIScriptAlias /two {apps}/leaving.wsgi application-group=two\n"
                 "WSGIScriptAlias / {apps}/leaving.wsgi application-group=one"}


def site(group):
    return Site(GROUPS[group] + "\nGracefulShutdownTimeout 3\n")


def in_background(made, target):
    """Send a request that will not be answered in time; its client does not care."""
    connection = made.connect()
    connection.request("GET", target)
    return connection


def leave(made, how):
    """Stop the server; return the seconds until every process of it was gone."""
    known = made.remember_processes()
    begin = time.monotonic()
    if how == "restart":
        made.graceful()
    else:
        made.stop(graceful=how == "graceful-stop")
    gone = {process for process in known if how != "restart" or process.pid != made.pid}
    eventually(lambda: not any(map(processes.alive, gone)), "the end of the processes",
               timeout_s=30)
    return time.monotonic() - begin


def no_crash(made):
    made.log.poll()
    lines = [record.text for record in made.log.records
             if any(word in record.text for word in ("AH00052", "Fatal Python", "exit signal"))]
    assert not lines


by_group = pytest.mark.parametrize("group", GROUPS)
ways = pytest.mark.parametrize("how", ["stop", "graceful-stop", "restart"])


@by_group
@ways
def test_atexit_runs(make_server, key, group, how):
    made = make_server(site(group))
    made.get(f"/atexit?key={key}")
    seconds = leave(made, how)
    assert made.notes(key) == ["atexit ran"]
    assert not made.log.find("WGW0033"), "an idle interpreter ends in order"
    assert seconds < BOUND_S[how]
    no_crash(made)


@by_group
def test_atexit_after_the_threads(make_server, key, group):
    """As at the end of any Python: non-daemon threads are waited for, then atexit runs."""
    made = make_server(site(group))
    made.get(f"/thread-ends?key={key}")
    leave(made, "stop")
    assert made.notes(key) == ["thread ended", "atexit ran"]
    no_crash(made)


@pytest.mark.slow
@by_group
@pytest.mark.parametrize("how, target", [
    (how, target) for how in ("stop", "graceful-stop", "restart")
    for target in ("/sleep?seconds=60", "/spin?", "/thread?daemon=0", "/thread?daemon=1")])
def test_bounded(make_server, key, group, how, target):
    """A request that sleeps or spins; a thread that never ends."""
    if how == "restart" and target[:3] in ("/sl", "/sp"):
        pytest.skip("a graceful restart lets a request finish, as long as it takes")
    made = make_server(site(group))
    made.allow_log("AH00045|AH00046|AH00047|AH10292")
    with in_background(made, f"{target}&key={key}"):
        made.wait_notes(key)
        seconds = leave(made, how)
    assert seconds < BOUND_S[how]
    no_crash(made)


@by_group
def test_graceful_restart_lets_a_request_finish(make_server, key, group):
    made = make_server(site(group))
    with in_background(made, f"/sleep?seconds=4&key={key}") as connection:
        made.wait_notes(key)
        made.graceful()
        assert made.get(f"/atexit?key={key}2").body == b"registered", "the new generation serves"
        answer = connection.response()
    assert answer.complete and answer.body == b"slept"
    no_crash(made)


@by_group
def test_graceful_stop_lets_a_request_finish(make_server, key, group):
    made = make_server(site(group))
    with in_background(made, f"/sleep?seconds=1.5&key={key}") as connection:
        made.wait_notes(key)
        os.kill(made.pid, signal.SIGWINCH)
        answer = connection.response()
    assert answer.complete and answer.body == b"slept"
    eventually(lambda: not made.is_running(), "the end")
    no_crash(made)


def test_many_graceful_restarts(make_server, key):
    """Each generation begins and ends its interpreters in order."""
    made = make_server(site("main"))
    for number in range(5):
        made.get(f"/atexit?key={key}")
        leave(made, "restart")
        assert made.notes(key) == ["atexit ran"] * (number + 1)
    no_crash(made)


def test_stop_while_python_starts(make_server, key):
    """A child that is told to leave before its interpreter is ready."""
    made = make_server(site("main"))
    for _ in range(5):
        os.kill(made.pid, signal.SIGUSR1)
        time.sleep(0.02)
    begin = time.monotonic()
    made.stop()
    assert time.monotonic() - begin < BOUND_S["stop"]
    no_crash(made)


def test_stop_during_a_slow_import(make_server, key):
    made = make_server(Site("WSGIApplicationGroup %{GLOBAL}\n"
                            "WSGIScriptAlias / {work}/slow.wsgi process-group=%{GLOBAL} "
                            "application-group=%{GLOBAL}"), start=False)
    made.write_work("slow.wsgi", f"open('{made.work}/{key}.notes', 'w').write('importing\\n')\n"
                    "import time\ntime.sleep(60)\n")
    made.start()
    made.wait_notes(key)
    assert leave(made, "stop") < BOUND_S["stop"]
    no_crash(made)


@pytest.mark.mpms("worker", "prefork")  # event crashes here without us, too: see Server.stop()
def test_requests_at_the_moment_of_the_stop(make_server):
    """Answers come whole or the connection ends; nothing crashes."""
    made = make_server(site("sub"))
    made.allow_log("AH00468")  # event closes the sockets of its workers under their hands
    wrong = []

    def ask():
        while True:
            try:
                answer = made.get("/two/atexit?key=none")
            except (OSError, AssertionError):
                return
            if answer.status not in (200, 503):
                wrong.append(answer)
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    made.stop()
    for thread in threads:
        thread.join()
    assert not wrong
    no_crash(made)
