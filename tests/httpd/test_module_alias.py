"""WSGIModuleAlias: an installed application, without a script file."""
import json
import pathlib

import pytest

from harness import Site

MPMS = ("event", "worker")

PROBE = (pathlib.Path(__file__).parents[1] / "apps" / "probe.wsgi").read_text()
SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIPythonPath {work}/lib
    WSGIModuleAlias /module package.wsgi:application
    WSGIModuleAlias /other package.wsgi:other
    WSGIModuleAlias /option package.wsgi:application callable-object=other
    WSGIModuleAlias /dotted package.wsgi:Nested.application
    WSGIModuleAlias /default package.wsgi
    WSGIModuleAlias /missing package.absent:application
    WSGIModuleAlias /nameless package.wsgi:absent
    WSGIModuleAlias /broken package.broken:application
    WSGIModuleAlias /grouped package.wsgi:application application-group=apart
    <Location /module>
        Header set X-Location yes
    </Location>
    <Location /module/denied>
        Require all denied
    </Location>
""", modules=("headers",))

SPLITS = {
    "/module": ("application", "/module", ""),
    "/module/": ("application", "/module", "/"),
    "/module/x//y": ("application", "/module", "/x/y"),
    "/module//x": ("application", "/module", "/x"),
    "/other/x": ("other", "/other", "/x"),
    "/option/x": ("other", "/option", "/x"),
    "/dotted/x": ("dotted", "/dotted", "/x"),
    "/default/x": ("application", "/default", "/x"),
}


@pytest.fixture
def made(make_server):
    one = make_server(SITE, start=False)
    apps = one.places()["apps"]
    one.write_work("lib/package/__init__.py", "")
    one.write_work("lib/package/wsgi.py", f"import sys\nsys.path.append('{apps}')\n{PROBE}")
    one.write_work("lib/package/broken.py", "raise ValueError('on import')\n")
    return one.start()


def test_splits(made):
    for target, expected in SPLITS.items():
        answer = made.get(target)
        assert answer.status == 200, target
        known = json.loads(answer.body)
        environ = known["environ"]
        assert (known["callable"], environ["SCRIPT_NAME"], environ["PATH_INFO"]) == expected
        assert "SCRIPT_FILENAME" not in environ


def test_httpd_configuration_holds_for_it(made):
    """Location sections count; there is no folder behind the URL that could take part."""
    assert made.get("/module/x").header("X-Location") == "yes"
    assert made.get("/module/denied/x").status == 403
    made.expect_log("AH01630", "error")


@pytest.mark.modes("embedded")  # each of several processes says it once
@pytest.mark.parametrize("target, patterns", {
    "/missing": [r"WGW0014: 'package\.absent' could not be loaded",
                 "ModuleNotFoundError: No module named 'package.absent'"],
    "/nameless": [r"WGW0016: there is no 'absent' in 'package\.wsgi'.*application.*other"],
    "/broken": [r"WGW0014: 'package\.broken'", "ValueError: on import", r"broken\.py\", line 1"],
}.items(), ids=lambda value: value if isinstance(value, str) else "")
def test_500(made, target, patterns):
    for _ in range(3):
        assert made.get(target).status == 500
    assert [len(made.expect_log(pattern, "error")) for pattern in patterns] == [1] * len(patterns)
    made.allow_request(patterns[0])


def test_application_group(made):
    first, second = (json.loads(made.get(target).body) for target in ("/module", "/grouped"))
    assert first["interpreter"] == 0 != second["interpreter"]
    assert second["environ"]["mod_wsgi.application_group"] == "apart"


def test_mended_module_is_imported_without_a_restart(made):
    assert made.get("/broken").status == 500
    made.expect_traceback("ValueError: on import")
    made.write_work("lib/package/broken.py",
                    "def application(e, s):\n    s('200 OK', [])\n    return [b'mended']\n")
    assert made.get("/broken").body == b"mended"
