"""A newcomer's mistakes in httpd.conf: httpd -t refuses with file, line, name and what is allowed."""
import pathlib
import re
import subprocess
import sys

import pytest

from harness import Site, StartError, system

MODES = ("embedded",)  # tests/httpd/test_daemon_options.py is about daemon mode's

OPTIONS = "process-group=, application-group=, callable-object= and pass-authorization="
TOKENS = r"allowed are a name, %\{GLOBAL\}, %\{SERVER\}, %\{RESOURCE\}, %\{HOST\} and %\{ENV:variable\}"

MISTAKES = {
    # id: (line, pattern of the message)
    "unknown option": ("WSGIScriptAlias / {apps}/probe.wsgi application-gruop=x",
                       f"'application-gruop=x' is not an option; allowed are {OPTIONS}"),
    "option without value": ("WSGIScriptAlias / {apps}/probe.wsgi callable-object",
                             f"'callable-object' is not an option; allowed are {OPTIONS}"),
    "space before =": ("WSGIScriptAlias / {apps}/probe.wsgi callable-object =x",
                       f"is not an option; allowed are {OPTIONS}"),
    "unknown token": ("WSGIApplicationGroup %{GLOBALS}", rf"'%\{{GLOBALS\}}' is not a token; {TOKENS}"),
    "unknown token in an option": ("WSGIScriptAlias / {apps}/probe.wsgi application-group=%{VHOST}",
                                   rf"application-group: '%\{{VHOST\}}' is not a token; {TOKENS}"),
    "empty group": ("WSGIScriptAlias / {apps}/probe.wsgi application-group=",
                    r"empty name is not allowed; the main interpreter is %\{GLOBAL\}"),
    "authorization option": ("WSGIScriptAlias / {apps}/probe.wsgi pass-authorization=Yes",
                             "pass-authorization 'Yes' is not allowed; allowed is On or Off"),
    "alias without file": ("WSGIScriptAlias /app", "WSGIScriptAlias takes URL-path file.folder"),
    "relative URL": ("WSGIScriptAlias app {apps}/probe.wsgi",
                     "URL-path 'app' does not begin with '/'"),
    "bad expression": ("WSGIScriptAliasMatch ^/( {apps}/probe.wsgi",
                       r"regular expression '\^/\(' could not be compiled"),
    "module with a path": ("WSGIModuleAlias / mysite/wsgi.py:application",
                           "allowed is package.module:callable, such as mysite.wsgi:application"),
    "module with a hyphen": ("WSGIModuleAlias / my-site:application", "allowed is package.module"),
    "module without callable": ("WSGIModuleAlias / mysite.wsgi:", "allowed is package.module"),
    "home missing": ("WSGIPythonHome {root}/no-venv",
                     "WSGIPythonHome: '.*/no-venv' cannot be used: .*No such file"),
    "home is a file": ("WSGIPythonHome {apps}/probe.wsgi",
                       "WSGIPythonHome: .* cannot be used: it is not a folder"),
    "path missing": ("WSGIPythonPath {work}:{root}/no-lib",
                     "WSGIPythonPath: '.*/no-lib' cannot be used: .*No such file"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_refused_with_file_line_and_cure(make_server, name):
    line, pattern = MISTAKES[name]
    made = make_server(Site(line), start=False)
    code, output = made.configtest()
    assert code != 0
    assert_matches(pattern, output)
    directive = line.split()[0]
    number = line_number(made, directive)
    assert f"line {number} of {made.root}/httpd.conf" in output and directive in output


def assert_matches(pattern, text):
    assert re.search(pattern, text), text


def line_number(server, directive):
    lines = (server.root / "httpd.conf").read_text().splitlines()
    return next(i for i, line in enumerate(lines, 1) if line.strip().startswith(directive))


def test_directive_of_a_later_issue_is_refused_by_httpd(make_server):
    code, output = make_server(Site("WSGINoSuchDirective On"), start=False).configtest()
    assert code != 0 and "WSGINoSuchDirective" in output


# --- the wrong virtual environment ---------------------------------------------------------

def embedded_version():
    """The version that the module was built for: the tests run with the same interpreter."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def other_interpreters():
    """Interpreters of another version, that run; and None: a made-up environment."""
    yield None
    for path in system.interpreters():
        done = subprocess.run([path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                              capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip() != embedded_version():
            yield path


def make_environment(folder, interpreter):
    if interpreter:
        subprocess.run([interpreter, "-m", "venv", "--without-pip", folder], check=True)
        return
    (folder / "lib" / "python3.9" / "site-packages").mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.9.1\n")


@pytest.mark.parametrize("interpreter", other_interpreters(),
                         ids=lambda path: pathlib.Path(path).name if path else "made up")
def test_environment_of_another_version(make_server, interpreter):
    """httpd does not start, instead of answering 500 to everybody."""
    made = make_server(Site("WSGIPythonHome {work}/venv\nWSGIScriptAlias / {apps}/probe.wsgi"),
                       start=False)
    make_environment(made.work / "venv", interpreter)
    code, output = made.configtest()
    assert code != 0
    assert_matches(rf"line \d+ of .*\s+WSGIPythonHome: '{made.work}/venv' cannot be used: there is no "
                   rf".*/lib/python{embedded_version()}: .*Make it with: \S+ -m venv", output)
    with pytest.raises(StartError, match="WSGIPythonHome: "):
        made.start()


@pytest.mark.skipif(not system.is_root(), reason="only root starts httpd for another user")
def test_environment_not_readable_by_the_servers_user(make_server):
    """httpd -t as root cannot tell; the log has to."""
    made = make_server(Site("WSGIPythonHome {work}/shut/venv\n"
                            "WSGIScriptAlias / {apps}/probe.wsgi"), start=False)
    folder = made.work / "shut"
    folder.mkdir(mode=0o700)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    made.start()
    assert made.get("/").status == 500
    made.expect_log(rf"WGW0001: Python \S+ could not be started with WSGIPythonHome {folder}/venv: ",
                    "crit")
    made.allow_log("ython path configuration|^  |sys\\.|^$|import")
