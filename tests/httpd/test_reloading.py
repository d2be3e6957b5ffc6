"""WSGIScriptReloading, and what happens to code that does not import."""
import pytest

from harness import Site, eventually

MODES = ("embedded",)
MPMS = ("event", "worker")
ONE_CHILD = "StartServers 1\nServerLimit 1\nThreadsPerChild 8\nThreadLimit 8\n" \
            "MaxRequestWorkers 8\nMinSpareThreads 1\nMaxSpareThreads 8"
SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIScriptAlias / {work}/
    <Location /fixed.wsgi>
        WSGIScriptReloading Off
    </Location>
""", children=ONE_CHILD)


def source(text, before=""):
    return f"{before}\ndef application(environ, start_response):\n" \
           f"    start_response('200 OK', [])\n    return [b'{text}']\n"


def note(server, key):
    """A line for a script that notes each import."""
    return f"open('{server.work}/{key}.notes', 'a').write('imported\\n')"


def test_changed_file_is_loaded_again(server):
    server.write_work("app.wsgi", source("one"))
    assert server.get("/app.wsgi").body == b"one"
    server.write_work("app.wsgi", source("two"))
    assert server.get("/app.wsgi").body == b"two"


def test_changed_in_place_within_the_same_second(server):
    """Times are compared whole, and the size too."""
    path = server.write_work("place.wsgi", source("a"))
    for text in ("bb", "c", "dd"):
        path.write_text(source(text))
        assert server.get("/place.wsgi").body == text.encode()


def test_older_file_counts_as_changed(server):
    """A deploy may bring a file with an older time (rsync -t, a rollback)."""
    import os
    server.write_work("old.wsgi", source("new"))
    assert server.get("/old.wsgi").body == b"new"
    os.utime(server.write_work("old.wsgi", source("old")), (1, 1))
    assert server.get("/old.wsgi").body == b"old"


def test_off(server):
    server.write_work("fixed.wsgi", source("one"))
    assert server.get("/fixed.wsgi").body == b"one"
    server.write_work("fixed.wsgi", source("two"))
    assert server.get("/fixed.wsgi").body == b"one"


def test_unchanged_is_not_loaded_again(server, key):
    server.write_work("once.wsgi", source("once", note(server, key)))
    for _ in range(3):
        server.get("/once.wsgi")
    assert server.notes(key) == ["imported"]


BROKEN = {"raises": "1 / 0", "syntax": "def", "exits": "raise SystemExit(3)"}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_version_leaves_the_old_one_serving(server, kind):
    name = f"deploy-{kind}.wsgi"
    server.write_work(name, source("works"))
    assert server.get(f"/{name}").body == b"works"
    server.write_work(name, source("broken", BROKEN[kind]))
    for _ in range(5):
        assert server.get(f"/{name}").body == b"works"
    lines = server.expect_log(rf"WGW0014: '\S*/{name}' could not be loaded.*"
                              "the code that was loaded before goes on serving", "error")
    assert len(lines) == 1, "said once"
    server.allow_request(f"WGW0014: .*/{name}")
    server.write_work(name, source("mended"))
    assert server.get(f"/{name}").body == b"mended"


def test_vanished_script(server):
    server.write_work("gone.wsgi", source("here"))
    assert server.get("/gone.wsgi").body == b"here"
    (server.work / "gone.wsgi").unlink()
    assert server.get("/gone.wsgi").status == 404
    server.expect_log("WGW0040", "error")


# --- a first import that fails -------------------------------------------------------------

def failing(server, key, name, rest="1 / 0"):
    server.write_work(name, source("works", note(server, key) + "\n" + rest))
    for _ in range(5):
        assert server.get(f"/{name}").status == 500
    server.allow_request(f"WGW0014: .*/{name}")


def test_failed_import_is_logged_once_and_not_retried_for_every_request(server, key):
    failing(server, key, "failed.wsgi")
    assert server.notes(key) == ["imported"]
    assert len(server.expect_log("ZeroDivisionError", "error")) == 1


def test_retried_at_once_when_the_script_changed(server, key):
    failing(server, key, "mended.wsgi")
    server.write_work("mended.wsgi", source("mended", note(server, key)))
    assert server.get("/mended.wsgi").body == b"mended"
    assert server.notes(key) == ["imported"] * 2


def test_retried_at_once_when_an_imported_file_changed(server, key):
    """The fault is often in a module that the script imports."""
    server.write_work("helper_of_it.py", "1 / 0")
    failing(server, key, "imports.wsgi", f"import sys; sys.path.insert(0, '{server.work}')\n"
            "import helper_of_it")
    server.write_work("helper_of_it.py", "ready = 1\n")
    assert server.get("/imports.wsgi").body == b"works"


def test_retried_after_a_back_off(server, key):
    """The fault may lie in no file at all: a database that was down."""
    failing(server, key, "database.wsgi", "import os\n"
            f"if not os.path.exists('{server.work}/up'): raise OSError('database is down')")
    (server.work / "up").touch()
    eventually(lambda: server.get("/database.wsgi").status == 200, "a retry", timeout_s=30)
    assert len(server.log.find("OSError: database is down")) == 1


def test_same_failure_again_is_not_logged_again(server, key):
    failing(server, key, "down.wsgi", "raise OSError('still down')")
    eventually(lambda: server.get("/down.wsgi").status == 500 and len(server.notes(key)) > 1,
               "a second try", timeout_s=30)
    assert len(server.log.find("OSError: still down")) == 1


def test_missing_callable_is_logged_once(server):
    server.write_work("nameless.wsgi", "x = 1\n")
    for _ in range(3):
        assert server.get("/nameless.wsgi").status == 500
    assert len(server.expect_log("WGW0016", "error")) == 1
    server.write_work("nameless.wsgi", source("named"))
    assert server.get("/nameless.wsgi").body == b"named"
