"""Scripts that decide in a pool of processes: no Python in httpd, and every trouble of a pool denies."""
import base64
import os
import pathlib
import signal
import threading
import time

import pytest

from harness import Site, eventually, system

MODES = ("embedded",)
PASS = "pass-env=LD_PRELOAD,ASAN_OPTIONS,UBSAN_OPTIONS,PYTHONMALLOC"
USER = [("Authorization", "Basic " + base64.b64encode(b"known:sesame").decode())]
PAGE = """
    Alias /page {htdocs}
    <Directory {htdocs}>
        AuthType Basic
        AuthName here
        AuthBasicProvider wsgi
        WSGIAccessScript {work}/script.py process-group=deciding %s
        WSGIAuthUserScript {work}/script.py process-group=deciding %s
        WSGIAuthGroupScript {work}/script.py process-group=deciding %s
        Require wsgi-group staff
    </Directory>
"""
SCRIPT = """
import os
import sys
import time
def check_password(environ, user, password):
    return password == "sesame"
def groups_for_user(environ, user):
    return ["staff"]
def allow_access(environ, host):
    query = environ["QUERY_STRING"]
    print("asked in", os.getpid(), file=sys.stderr)
    if query == "dies":
        os.kill(os.getpid(), 9)
    if query.startswith("sleeps"):
        time.sleep(float(query[6:]))
    return True
"""
MODULES = ("auth_basic", "authz_user")


def site(options="", group=""):
    """Return a site whose pool has these options, and whose scripts are in this application group."""
    place = f"application-group={group}" if group else ""
    return Site(f"WSGIDaemonProcess deciding {PASS} {options}\n" + PAGE.replace("%s", place), modules=MODULES)


def started(make_server, chosen, script=SCRIPT):
    """Start a server with the script and a page."""
    made = make_server(chosen, start=False)
    made.write_work("script.py", script)
    (made.htdocs / "page.txt").write_text("page")
    made.allow_log("asked in|AH016[13]")
    return made.start()


def status(made, query="", headers=USER):
    """Return the status of the page."""
    return made.get(f"/page/page.txt?{query}", headers).status


def maps_libpython(pid):
    """Say whether a process has Python in it."""
    return "libpython" in pathlib.Path(f"/proc/{pid}/maps").read_text()


def pids_of_pool(made):
    """Return the processes that have been asked."""
    return sorted({int(record.message.split()[-1]) for record in made.log.find("asked in")})


def test_httpd_has_no_python(make_server):
    made = started(make_server, Site("WSGIRestrictEmbedded On\n" + site().text, modules=MODULES))
    for _ in range(20):
        assert status(made) == 200
    assert status(made, headers=()) == 401
    pool = set(pids_of_pool(made))
    httpd = [process.pid for process in made.remember_processes()
             if pathlib.Path(f"/proc/{process.pid}/comm").read_text().startswith(("apache", "httpd"))]
    assert len(httpd) >= 2 and pool and not pool & set(httpd)
    assert not [pid for pid in httpd if maps_libpython(pid)]


def test_a_process_that_dies_denies(make_server):
    made = started(make_server, site("processes=2"))
    assert status(made, "dies") == 502
    made.expect_log("WGW0052", "error")
    made.allow_log("WGW01")
    eventually(lambda: status(made) == 200, "another process")


def test_nobody_is_there(make_server):
    """The pool's processes cannot start: nobody gets in, and httpd says why."""
    made = started(make_server, site("python=/bin/false connect-timeout=1s"))
    made.allow_log("WGW")
    assert status(made) == 503


def test_a_slow_script_is_504(make_server):
    made = started(make_server, site("socket-timeout=1s"))
    assert status(made, "sleeps3") == 504
    made.expect_log("WGW0053", "error")


def test_request_timeout_interrupts_it(make_server):
    made = started(make_server, site("request-timeout=1s interrupt-timeout=5s"))
    began = time.monotonic()
    assert status(made, "sleeps2") == 504
    assert time.monotonic() - began < 10
    made.allow_log(".")


def together(made, query, count):
    """Ask for the page so many times at once, and get it."""
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(status(made, query))) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [200] * count


def test_queue(make_server):
    """More than one wait for the only thread, and all get in."""
    together(started(make_server, site("processes=1 threads=1")), "sleeps0.2", 5)


def test_queue_timeout(make_server):
    made = started(make_server, site("processes=1 threads=1 queue-timeout=1s"))
    thread = threading.Thread(target=status, args=(made, "sleeps3"))
    thread.start()
    eventually(lambda: pids_of_pool(made), "the first one is asked")
    assert status(made) == 504
    made.expect_log("WGW0055", "error")
    thread.join()


@pytest.mark.parametrize("group", ("", "%{GLOBAL}", "named"))
def test_a_script_that_changes(make_server, group):
    """New processes, and no request that is denied or let in by mistake meanwhile."""
    made = started(make_server, site("processes=2 threads=4", group))
    assert status(made) == 200
    made.write_work("script.py", SCRIPT.replace('password == "sesame"', 'password == "other"'))
    made.allow_log("WGW01")
    assert status(made) == 401
    made.write_work("script.py", SCRIPT)
    assert status(made) == 200


def test_a_change_that_is_broken_leaves_the_former_code(make_server):
    """DESIGN section 1: new code takes over only after it has imported."""
    made = started(make_server, site("processes=2 threads=4"))
    made.expect_log("WGW0123", count=2)
    together(made, "sleeps0.2", 8)
    made.write_work("script.py", SCRIPT.replace("def allow_access(", "def another("))
    made.allow_log("WGW0|raceback|Error|File|  ")
    assert status(made) == 200
    assert status(made, headers=()) == 401


def test_a_dispatch_script_may_lose_a_function(make_server):
    """All three are optional, in new code, too."""
    text = """
    WSGIDaemonProcess deciding %s processes=1
    WSGIDaemonProcess serving
    WSGIScriptAlias /app {apps}/environ.wsgi
    <Location /app>
        WSGIDispatchScript {work}/script.py process-group=deciding
    </Location>
    """ % PASS
    choose = "def process_group(environ):\n    return 'serving'\n"
    made = started(make_server, Site(text), choose + "def callable_object(environ):\n    return 'nothing'\n")
    assert made.get("/app/dump").status == 500
    made.allow_log("'nothing'")
    made.write_work("script.py", "")
    assert made.get("/app/dump").status == 200, "in httpd, where the configuration has it"
    made.write_work("script.py", choose)
    assert made.get("/app/dump").status == 200
    assert not made.log.find("WGW0014|WGW0129")


def test_it_is_loaded_before_the_first_request(make_server):
    made = started(make_server, site("processes=1", "%{GLOBAL}"), SCRIPT + 'print("loaded", file=sys.stderr)\n')
    made.expect_log("^loaded")


def test_maximum_requests(make_server):
    made = started(make_server, site("processes=1 threads=2 maximum-requests=20"))
    eventually(lambda: all(status(made) == 200 for _ in range(5)) and len(pids_of_pool(made)) >= 3,
               "the third process; and nobody is denied meanwhile")


def test_a_stopped_pool(make_server):
    made = started(make_server, site("processes=1 threads=1 socket-timeout=1s queue-timeout=1s"))
    assert status(made) == 200
    pid = pids_of_pool(made)[0]
    made.allow_log("WGW")
    os.kill(pid, signal.SIGSTOP)
    try:
        assert status(made) == 504
    finally:
        os.kill(pid, signal.SIGCONT)
    made.expect_log("asked in", count=2)


@pytest.mark.parametrize("permissions, expected", ((0o644, 200), (0o664, 403)))
def test_owner_of_the_script(make_server, permissions, expected):
    """script-user= holds for it as for any script."""
    text = site(f"script-user=#{os.getuid()}").text.replace("{work}", "{root}/owned")
    made = make_server(Site(text, modules=MODULES), start=False)
    (made.htdocs / "page.txt").write_text("page")
    made.allow_log("asked in")
    folder = made.root / "owned"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "script.py").write_text(SCRIPT)
    (folder / "script.py").chmod(permissions)
    made.start()
    assert status(made) == expected
    if expected != 200:
        made.expect_log("WGW0078", "error")


def test_sample(make_server):
    """conf.d/auth.conf, with a script, a Python and a user that are here."""
    text = (system.REPOSITORY / "conf.d/auth.conf").read_text()
    text = text.replace("/srv/example/app/auth.py", "{work}/script.py").replace(
        "user=example group=example", PASS).replace("python-home=/srv/example/venv", "")
    text = text.replace("<Location /private>", "Alias /page {htdocs}\n<Location /page>")
    made = started(make_server, Site(text, modules=MODULES))
    assert status(made, headers=()) == 401
    assert status(made) == 200


def test_group_that_is_not_declared(make_server):
    made = make_server(Site(PAGE.replace("%s", ""), modules=MODULES), start=False)
    code, output = made.configtest()
    assert code != 0 and "WGW0072" in output and "deciding" in output
