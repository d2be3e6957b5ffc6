"""WSGIDaemonProcess: every row of src/server/pool_table.h, and what it refuses before httpd starts."""
import grp
import os
import re
import subprocess
import sys

import pytest

from harness import Site, system

MODES = ("embedded",)
TABLE = (system.REPOSITORY / "src" / "server" / "pool_table.h").read_text()
ROWS = re.findall(r'X\("([\w-]+)", (\w+), \w+, "(.*?)", "(.*?)", "(.*?)",', TABLE)
LATER = re.findall(r'X\("([\w-]+)"\)', TABLE)

USER = system.server_user().pw_name
GROUP = grp.getgrgid(system.server_user().pw_gid).gr_name
ROOT_ONLY = pytest.mark.skipif(not system.is_root(), reason="httpd has to be started by root")

FLAG = ("on", [("1", "allowed is on or off"), ("", "allowed is on or off")])
USERS = [("no-such-user", "allowed is a user that exists, or # and a number"), ("#", "a user that"),
         ("#-1", "a user that"), ("#4294967295", "a user that"), ("#1x", "a user that"), ("", "a user")]
GROUPS = [("no-such-group", "allowed is a group that exists, or # and a number"), ("#", "a group that")]
TEXT = ("some text", [("", "allowed is text without control characters")])


def time(least, most, *wrong):
    allowed = f"{least} to {most}: a whole number of seconds, or with the unit ms, s, min or h"
    return "10s", [(text, allowed) for text in ("abc", "", "-1", "1.5", "10m", "10 s", "10S", "0x10",
                                                "1d", "99999999999999999999", "25h", *wrong)]


def long_time():
    value, wrong = time("1ms", "8760h", "8761h")
    return value, [one for one in wrong if one[0] != "25h"]


def size(least, most, *wrong):
    allowed = f"{least} to {most}: a whole number of bytes, or with the unit K, M or G"
    return "128M", [(text, allowed) for text in ("abc", "", "-1", "1.5M", "1m", "1MB", "1T", "9223372036854775807G",
                                                 *wrong)]


def number(least, most):
    allowed = f"allowed is a whole number from {least} to {most}"
    return str(most), [(text, allowed) for text in ("abc", "", "1x", "1K", "10s", str(least - 1),
                                                    str(most + 1), "99999999999999999999")]


def folder(*wrong):
    return "/tmp", [("tmp", "allowed is an absolute path"), ("", "allowed is an absolute path"),
                    ("/no/such", "'/no/such' cannot be used: No such file"),
                    ("/etc/passwd", "cannot be used: it is not a folder"), *wrong]


VALUES = {
    # option: (a value, [(wrong value, what the message says)])
    "processes": ("2-5", [(text, "allowed is a whole number from 1 to 1000, or two of them, the least and the most")
                          for text in ("abc", "", "0", "1001", "1x", "3-", "-3", "3-2", "0-2", "1-1001", "1-2-3", "1,2")]),
    "idle-timeout": time("1ms", "24h"),
    "threads": number(0, 1000),
    "user": (USER, USERS),
    "group": (GROUP, GROUPS),
    "supplementary-groups": (f"{GROUP},#12345", [*GROUPS, (f"{GROUP},no-such-group", "'no-such-group'"),
                                                 ("", "allowed is groups, with ',' between")]),
    "umask": ("0027", [("8", "allowed is an octal number from 0 to 0777"), ("01000", "an octal"),
                       ("", "an octal"), ("-1", "an octal"), ("u=rwx", "an octal")]),
    "home": folder(),
    "chroot": ("/", folder()[1] if system.is_root() else []),
    "lang": TEXT,
    "locale": TEXT,
    "display-name": ("%{GROUP}", [("", "text"), ("a-%{GROUP}", "allowed is text, or %{GROUP} alone")]),
    "cpu-priority": ("-5", [*number(-20, 19)[1], ("--5", "from -20 to 19"), ("-", "from -20")]),
    "stack-size": size("64K", "1G", "1", "65535", "1025M"),
    "memory-limit": size("16M", "1024G", "1", "512"),
    "virtual-memory-limit": size("64M", "1024G", "63M"),
    "no-new-privs": FLAG,
    "pass-env": ("PATH,LC_ALL", [("", "names of environment variables"), ("A,", "names of"),
                                 ("A=b", "names of"), ("1A", "names of")]),
    "env": ("A=b=c", [("A", "allowed is NAME=value"), ("=b", "NAME=value"), ("1A=b", "NAME=value")]),
    "python": (system.interpreters()[0], [("python3", "allowed is an absolute path"),
                                          ("/no/such", "cannot be used: No such file"),
                                          ("/tmp", "it is not a regular file"),
                                          ("/etc/passwd", "it is not executable")]),
    "python-home": ("/usr", folder(("/tmp", "neither bin/python3 nor bin/python. Make it with: "
                                    "python3.12 -m venv /tmp"))[1]),
    "python-path": ("/tmp:/usr", [("/tmp:/no/such", "python-path '/no/such' cannot be used: No such"),
                                  ("tmp", "allowed is absolute paths, with ':' between"),
                                  ("/tmp:usr", "absolute paths"), ("", "absolute paths")]),
    "python-eggs": ("/tmp/eggs", [("eggs", "allowed is an absolute path")]),
    "listen-backlog": number(1, 65535),
    "socket-user": (USER, USERS),
    "connect-timeout": time("0", "1h", "61min"),
    "socket-timeout": time("1ms", "24h"),
    "queue-timeout": time("1ms", "24h"),
    "send-buffer-size": size("512", "256M", "511"),
    "receive-buffer-size": size("512", "256M", "257M"),
    "header-buffer-size": ("8192", size("8K", "16M", "8191", "17M")[1]),
    "request-buffer": ("64M", size("0", "64M", "65M")[1]),
    "request-spool": FLAG,
    "response-buffer-size": size("64K", "1G", "65535"),
    "response-buffer": size("64K", "64G", "65535"),
    "response-socket-timeout": time("1ms", "24h"),
    "script-user": (USER, USERS),
    "script-group": (GROUP, GROUPS),
    "maximum-requests": ("1000,100", [(text, "allowed is a whole number from 0 to 1000000000, or two of them with a comma")
                                      for text in ("abc", "", "-1", "1K", "1000,", ",5", "1,2,3", "1-2", "1000000001",
                                                   "1,1000000001")]),
    "restart-interval": long_time(),
    "inactivity-timeout": long_time(),
    "cpu-time-limit": long_time(),
    "memory-reload": size("64K", "1024G", "1", "63K"),
    "graceful": ("keep", [(text, "allowed is reload or keep") for text in ("on", "", "restart")]),
    "startup-timeout": time("1ms", "24h"),
    "graceful-timeout": time("0", "24h"),
    "shutdown-timeout": time("0", "1h", "2h"),
    "eviction-timeout": time("1ms", "24h"),
    "request-timeout": time("1ms", "24h"),
    "interrupt-timeout": time("1ms", "24h"),
    "deadlock-timeout": time("0", "24h"),
    "switch-interval": ("0.005", [(text, "allowed is a number of seconds from 0.000001 to 60")
                                  for text in ("", "0", "-1", "abc", "5ms", "1.2.3", "61", "nan", "1e3")]),
}
WRONG = [(name, value, message) for name, (_, wrong) in VALUES.items() for value, message in wrong]


def configtest(make_server, text):
    return make_server(Site(text), start=False).configtest()


def refused(make_server, text):
    """Return what `httpd -t` says of a configuration that it has to refuse."""
    code, output = configtest(make_server, text)
    assert code != 0, output
    return output


def accepted(make_server, text):
    code, output = configtest(make_server, text)
    assert code == 0, output


def quoted(option):
    return f'"{option}"' if " " in option else option


def test_every_row_is_here():
    assert [row[0] for row in ROWS] and {row[0] for row in ROWS} == set(VALUES)


def test_right_values(make_server):
    apart = {"python-home": "b", "script-group": "b"}
    lines = {"a": "WSGIDaemonProcess a", "b": "WSGIDaemonProcess b"}
    for name, (value, _) in VALUES.items():
        lines[apart.get(name, "a")] += " " + quoted(f"{name}={value}")
    accepted(make_server, "\n".join(lines.values()))


@pytest.mark.parametrize("kind, least, most", [
    ("TIME", "500ms", "60min"), ("TIME", "1", "3600"), ("SIZE", "65536", "131072K")])
def test_units(make_server, kind, least, most):
    names = [row[0] for row in ROWS if row[1] == kind and row[0] not in (
        "memory-limit", "virtual-memory-limit", "header-buffer-size", "request-buffer")]
    for value in (least, most, "0"):
        accepted(make_server, "WSGIDaemonProcess a " + " ".join(f"{name}={value}" for name in names))


def test_limits_of_each_range(make_server):
    for index in (2, 3):
        options = " ".join(f"{row[0]}={row[index]}" for row in ROWS if row[3])
        accepted(make_server, "WSGIDaemonProcess a " + options)


@pytest.mark.parametrize("option, value, message", WRONG,
                         ids=[f"{name}={value}" for name, value, _ in WRONG])
def test_wrong_value(make_server, option, value, message):
    made = make_server(Site(f"# first\nWSGIDaemonProcess a {quoted(option + '=' + value)}"), start=False)
    number_of = max(i for i, line in enumerate((made.root / "httpd.conf").read_text().splitlines(), 1)
                    if line.startswith("WSGIDaemonProcess"))
    code, output = made.configtest()
    assert code != 0
    assert f"line {number_of} of {made.root}/httpd.conf" in output
    assert f"WSGIDaemonProcess: {option} '" in output and message in output


# --- the line as a whole -------------------------------------------------------------------

LINES = {
    "a thraeds=5": "'thraeds' is not an option; did you mean threads=?",
    "a pythonpath=/tmp": "'pythonpath' is not an option; did you mean python-path=?",
    "a memory_limit=1G": "'memory_limit' is not an option; did you mean memory-limit=?",
    "a Threads=5": "'Threads' is not an option; did you mean threads=?",
    "a zzzzzzzzzzzz=1": "'zzzzzzzzzzzz' is not an option; allowed are processes= threads= user=",
    "a threads": "threads needs a value: threads=...",
    "a threads =5": "threads needs a value: threads=...",
    "a =5": "'' is not an option",
    "a threads=5 threads=5": "threads is given twice",
    "a python=/usr/bin/python3 python-home=/usr": "python and python-home cannot be given together",
    f"a script-user={USER} script-group={GROUP}":
        "script-user and script-group cannot be given together",
    "": "takes a name, and options: name [option=value ...]",
    "%{GLOBAL}": "the name '%{GLOBAL}' is not allowed; allowed is a name without spaces",
    '"two words"': "the name 'two words' is not allowed",
    "threads=5": "the name 'threads=5' is not allowed",
    "%{ENV:x}": "the name '%{ENV:x}' is not allowed",
}


@pytest.mark.parametrize("line", LINES)
def test_wrong_line(make_server, line):
    output = refused(make_server, f"WSGIDaemonProcess {line}")
    assert LINES[line] in output and "httpd.conf:" in output


@pytest.mark.parametrize("option", LATER)
def test_option_that_is_not_there_yet(make_server, option):
    output = refused(make_server, f"WSGIDaemonProcess a {option}=1")
    assert f"'{option}' is an option of mod_wsgi that mod_wsgigw does not have yet" in output


@pytest.mark.parametrize("option", ['display-name="my site"', '"display-name=my site"',
                                    "'display-name=my site'", 'env="A=b c" env="B=d e"',
                                    "env=A= env=A=b", "display-name='(wsgi:x)'"])
def test_quotes_and_repetition(make_server, option):
    accepted(make_server, f"WSGIDaemonProcess a {option} threads=2")


# --- names and virtual hosts ---------------------------------------------------------------

VHOST = "<VirtualHost *:{port}>\nServerName %s\n%s\n</VirtualHost>\n"


def test_a_name_is_declared_once(make_server):
    for text in ("WSGIDaemonProcess a\nWSGIDaemonProcess a",
                 VHOST % ("one", "WSGIDaemonProcess a") + VHOST % ("two", "WSGIDaemonProcess a")):
        assert re.search(r"'a' is already declared \(.*httpd.conf, line \d+\); a name is allowed once in "
                         "all of httpd", refused(make_server, text))


@pytest.mark.parametrize("place", ["<Directory /tmp>", "<Location />"])
@pytest.mark.parametrize("line", ["WSGIDaemonProcess a", "WSGIImportScript /x process-group=%{GLOBAL} "
                                  "application-group=x"])
def test_not_in_a_directory(make_server, place, line):
    output = refused(make_server, f"{place}\n{line}\n{place[0]}/{place[1:].split()[0]}>")
    assert line.split()[0] in output and re.search("not allowed|cannot occur", output)


def test_name_of_another_virtual_host(make_server):
    text = VHOST % ("one", "WSGIDaemonProcess site-a") + VHOST % ("two", "WSGIProcessGroup site-a")
    assert re.search(r"WGW0073: WSGIProcessGroup \(.*httpd.conf, line \d+\): process group 'site-a' is "
                     r"declared in a virtual host with another ServerName \(.*, line \d+\)",
                     refused(make_server, text))


def test_names_that_may_be_used(make_server):
    one = VHOST % ("one", "WSGIDaemonProcess one")
    for text in (one + VHOST % ("ONE", "WSGIProcessGroup one"),
                 VHOST % ("one", "WSGIProcessGroup one") + one,
                 VHOST % ("two", "WSGIProcessGroup main") + "WSGIDaemonProcess main",
                 one + "WSGIProcessGroup one",
                 one + "<Location /x>\nWSGIProcessGroup one\n</Location>"):
        accepted(make_server, text)


IMPORT = "WSGIImportScript {apps}/probe.wsgi process-group=site-b application-group=x"


@pytest.mark.parametrize("text", ["WSGIProcessGroup site-b", IMPORT, VHOST % ("x", IMPORT),
                                  VHOST % ("x", "WSGIProcessGroup site-b"),
                                  "<Location /x>\nWSGIProcessGroup site-b\n</Location>"])
def test_name_that_is_not_declared(make_server, text):
    output = refused(make_server, "WSGIDaemonProcess site-a\n" + text)
    assert re.search(r"WGW0072: \w+ \(.*httpd.conf, line \d+\): process group 'site-b' is not declared; "
                     "did you mean 'site-a'", output)


ALIAS = "WSGIScriptAlias / {apps}/probe.wsgi process-group="


def test_name_in_an_alias(make_server):
    """In any order; mod_wsgi wants the declaration first only where it loads the script ahead."""
    accepted(make_server, f"WSGIDaemonProcess site-a\n{ALIAS}site-a")
    accepted(make_server, f"{ALIAS}site-a\nWSGIDaemonProcess site-a")
    accepted(make_server, ALIAS + "site-a application-group=%{GLOBAL}\nWSGIDaemonProcess site-a")
    for token in ("%{GLOBAL}", "%{ENV:x}", "%{SERVER}", "%{HOST}", "%{RESOURCE}"):
        accepted(make_server, ALIAS + token)
    output = refused(make_server, f"WSGIDaemonProcess site-a\n{ALIAS}site-b")
    assert re.search(r"WGW0072: WSGIScriptAlias \(.*httpd.conf, line \d+\): process group 'site-b' is not "
                     "declared; did you mean 'site-a'?", output)
    output = refused(make_server, VHOST % ("one", "WSGIDaemonProcess one") + VHOST % ("two", ALIAS + "one"))
    assert "WGW0073: WSGIScriptAlias" in output
    assert "process-group: '%{X}' is not a token" in refused(make_server, ALIAS + "%{X}")


def test_quotes_in_an_alias(make_server):
    accepted(make_server, f"WSGIDaemonProcess site-a\n{ALIAS}'site-a' application-group=\"%{{GLOBAL}}\"")


IMPORTS = {
    "/x": "takes file process-group=name application-group=name",
    "": "takes file",
    "/x process-group=%{GLOBAL}": "takes file",
    "/x application-group=x": "takes file",
    "/x process-group=%{ENV:x} application-group=x": "allowed is a name or %{GLOBAL}",
    "/x process-group=%{GLOBAL} application-group=%{RESOURCE}": "allowed is a name or %{GLOBAL}",
    "/x process-group=%{GLOBAL} application-group=": "allowed is a name or %{GLOBAL}",
    "/x process-group=%{GLOBAL} process-group=x": "process-group is given twice",
    "/x callable-object=x": "'callable-object' is not an option; allowed are process-group= and",
}


@pytest.mark.parametrize("line", IMPORTS)
def test_wrong_import(make_server, line):
    assert IMPORTS[line] in refused(make_server, "WSGIImportScript " + line)


# --- the sample ----------------------------------------------------------------------------

def test_sample(make_server, tmp_path):
    """conf.d/daemon.conf, with a user and folders that are here."""
    text = (system.REPOSITORY / "conf.d/daemon.conf").read_text()
    text = text.replace("user=example group=example", f"user={USER} group={GROUP}")
    for name in ("venv/bin", "app", "htdocs"):
        (tmp_path / name).mkdir(parents=True)
    program(tmp_path / "venv/bin/python3")
    accepted(make_server, text.replace("/srv/example", str(tmp_path)))


# --- root ----------------------------------------------------------------------------------

@ROOT_ONLY
@pytest.mark.parametrize("option, message", [
    ("user=root", "user 'root' is not allowed; allowed is any user but root"),
    ("user=#0", "user '#0' is not allowed; allowed is any user but root"),
    ("group=root", "group 'root' is not allowed; allowed is any group but root's"),
    ("group=#0", "any group but root's"),
    (f"supplementary-groups={GROUP},root", "supplementary-groups 'root' is not allowed"),
])
def test_root_is_refused(make_server, option, message):
    assert message in refused(make_server, f"WSGIDaemonProcess a {option}")


@ROOT_ONLY
def test_root_group_by_default_is_refused(make_server):
    """httpd itself refuses `User root`, but not the group."""
    output = refused(make_server, "WSGIDaemonProcess a\nGroup #0")
    assert re.search(r"WGW0071: WSGIDaemonProcess a \(.*httpd.conf, line \d+\): its group would be root's, as "
                     "httpd's Group is; give it group=", output)
    accepted(make_server, f"WSGIDaemonProcess a group={GROUP}\nGroup #0")


@ROOT_ONLY
def test_inside_chroot(make_server, tmp_path):
    tmp_path.chmod(0o755)
    made = make_server(Site(f"WSGIDaemonProcess a chroot={tmp_path}"), start=False)
    assert re.search(r"WGW0071: .*the interpreter of .* cannot be used: No such file.*\(inside chroot\)\. "
                     "Name one with python= or python-home=", made.configtest()[1])
    (tmp_path / "srv").mkdir()
    for option, path in (("home", "/tmp"), ("python-path", "/tmp"), ("python", "/bin/sh"),
                         ("python-home", "/usr")):
        output = refused(make_server, f"WSGIDaemonProcess a chroot={tmp_path} {option}={path}")
        assert f"{option} '{path}' cannot be used: No such file or directory (inside chroot)" in output
    make_jail(tmp_path)
    accepted(make_server, f"WSGIDaemonProcess a chroot={tmp_path} home=/srv python-path=/srv "
                          "python-home=/venv")
    (tmp_path / "venv/bin/python3").unlink()
    (tmp_path / "venv/bin/python3").symlink_to("/usr/bin/env")
    output = refused(make_server, f"WSGIDaemonProcess a chroot={tmp_path} python=/venv/bin/python3")
    assert "No such file or directory (inside chroot)" in output, "a link is followed inside"


def make_jail(root):
    """Put a virtual environment into `root`, with links as venv makes them."""
    for folder_name in ("usr/bin", "venv/bin"):
        (root / folder_name).mkdir(parents=True)
    program(root / "usr/bin/python3.11")
    (root / "venv/bin/python").symlink_to("/usr/bin/python3.11")
    (root / "venv/bin/python3").symlink_to("python")


def program(path):
    path.write_text("#!/bin/sh\nexit 1\n")
    path.chmod(0o755)


@ROOT_ONLY
def test_without_root_nothing_is_refused_and_it_is_said(make_server):
    """httpd as an ordinary user: user=, group= and chroot= are accepted without effect."""
    made = make_server(Site("WSGIDaemonProcess a user=root group=root supplementary-groups=root "
                            "chroot=/ socket-user=root\nWSGIDaemonProcess b"), start=False)
    made.user = system.server_user()
    for path in (made.root, *made.root.rglob("*")):
        os.chown(path, made.user.pw_uid, made.user.pw_gid)
    made.start()
    assert [record.message for record in made.log.find("WGW0075", "info")] == [
        "WGW0075: WSGIDaemonProcess a: no effect, as httpd was not started by root: user group "
        "supplementary-groups chroot socket-user"]


# --- Python --------------------------------------------------------------------------------

CONFIGS = {
    # id: (pyvenv.cfg, message or None)
    "3.11": ("home = /usr/bin\nversion = 3.11.2\n", None),
    "virtualenv": ("home = /usr/bin\nimplementation = CPython\nversion_info = 3.12.1.final.0\n"
                   "virtualenv = 20.1\n", None),
    "3.100": ("version=3.100.0", None),
    "4.0": ("version = 4.0", None),
    "empty": ("", None),
    "3.10": ("version = 3.10.9\n", "made by Python 3.10.9,"),
    "2.7": ("version_info = 2.7.18.final.0\nimplementation = CPython\n", "made by Python 2.7.18,"),
    "3.9 virtualenv": ("version = 3.12\nversion_info = 3.9.1.final.0\n", "made by Python 3.9.1,"),
    "pypy": ("implementation = PyPy\nversion_info = 3.11.11.final.42\n", "made by PyPy 3.11.11,"),
}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("option", ["python-home={}", "python={}/bin/python3"])
def test_virtual_environment(make_server, tmp_path, name, option):
    text, message = CONFIGS[name]
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin/python3")
    (tmp_path / "pyvenv.cfg").write_text(text)
    line = "WSGIDaemonProcess a " + option.replace("{}", str(tmp_path))
    if not message:
        accepted(make_server, line)
        return
    output = refused(make_server, line)
    assert f"{tmp_path}/pyvenv.cfg says that it was {message} and a daemon process needs CPython 3.11 " \
        "or newer. Make it anew with: python3.12 -m venv --clear" in output


def test_home_with_python_only(make_server, tmp_path):
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin/python")
    accepted(make_server, f"WSGIDaemonProcess a python-home={tmp_path}")
    (tmp_path / "bin/python").chmod(0o644)
    assert f"python-home '{tmp_path}' cannot be used: it is not executable" in \
        refused(make_server, f"WSGIDaemonProcess a python-home={tmp_path}")


def test_real_environments(make_server, tmp_path):
    for number_of, path in enumerate(system.interpreters()):
        done = subprocess.run([path, "-m", "venv", "--without-pip", str(tmp_path / str(number_of))],
                              check=False, capture_output=True)
        if done.returncode == 0:
            accepted(make_server, f"WSGIDaemonProcess a python-home={tmp_path / str(number_of)}")


def test_nothing_is_executed(make_server, tmp_path):
    """The configuration is read by root: the owner of an environment must not become root by it."""
    (tmp_path / "bin").mkdir()
    path = tmp_path / "bin/python3"
    path.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    path.chmod(0o755)
    accepted(make_server, f"WSGIDaemonProcess a python-home={tmp_path}")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_what_lies_in_an_environment_cannot_hold_httpd_up(make_server, tmp_path, make):
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin/python3")
    make(tmp_path / "pyvenv.cfg")
    accepted(make_server, f"WSGIDaemonProcess a python-home={tmp_path}")


def test_default_python_is_that_of_the_server(make_server, tmp_path):
    """WSGIPythonHome serves the processes too; where it has no interpreter, httpd does not start."""
    library = tmp_path / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    library.mkdir(parents=True)
    output = refused(make_server, f"WSGIPythonHome {tmp_path}\nWSGIDaemonProcess a")
    assert "WGW0071: WSGIDaemonProcess a" in output
    assert f"the interpreter of WSGIPythonHome {tmp_path} cannot be used" in output


# --- the other directives ------------------------------------------------------------------

def test_accept_mutex_is_said_to_have_no_effect(make_server):
    made = make_server(Site("WSGIAcceptMutex pthread\nWSGIAcceptMutex default"))
    assert len(made.log.find("WGW0074: WSGIAcceptMutex has no effect", "info")) == 1


def test_rotation_is_said_to_have_no_effect(make_server):
    assert make_server(Site("WSGISocketRotation Off")).log.find("WGW0083: WSGISocketRotation Off has no effect")
    assert not make_server(Site("")).log.find("WGW0083")


def test_main_group_is_said_for_each_pool(make_server):
    made = make_server(Site("""
        WSGIDaemonProcess one
        WSGIDaemonProcess two
        WSGIDaemonProcess three
        WSGIDaemonProcess four
        WSGIScriptAlias /a {apps}/probe.wsgi process-group=one
        WSGIScriptAlias /b {apps}/probe.wsgi process-group=two application-group=x
        WSGIScriptAlias /c {apps}/probe.wsgi process-group=two application-group=y
        WSGIScriptAlias /d {apps}/probe.wsgi process-group=three application-group=x
        WSGIImportScript {apps}/probe.wsgi process-group=three application-group=%{GLOBAL}
        WSGIImportScript {apps}/probe.wsgi process-group=four application-group=imported
    """))
    texts = [record.message for record in made.log.find("WGW0036", "info")]
    assert [text.split("'", 1)[1] for text in texts] == [
        f"localhost:{made.port}|/a' is the only one of process group one: the main interpreter serves it",
        "imported' is the only one of process group four: the main interpreter serves it"]
    assert not made.log.find("WGW0002"), "no request and no script is for httpd's children"


PROBE = "{apps}/probe.wsgi"
MAIN_GROUPS = {
    # id: (text, [(application group, process group; "" embedded mode) that is said to be the only one])
    "a variable may lead there": (
        f"WSGIScriptAlias /a {PROBE} process-group=one application-group=x\n"
        f"WSGIScriptAlias /b {PROBE} process-group=%{{ENV:G}} application-group=y", [("y", "")]),
    "a location may lead there": (
        f"WSGIScriptAlias /a {PROBE} process-group=one application-group=x\n"
        f"WSGIScriptAlias /b {PROBE} application-group=y\n"
        "<Location /b>\nWSGIProcessGroup one\n</Location>", [("y", "")]),
    "a location that says the same": (
        f"WSGIProcessGroup one\nWSGIApplicationGroup x\nWSGIScriptAlias /a {PROBE}\n"
        "<Location /b>\nWSGIProcessGroup one\nWSGIApplicationGroup x\n</Location>", [("x", "one")]),
    "a group in a location": (
        f"WSGIProcessGroup one\nWSGIApplicationGroup x\nWSGIScriptAlias /a {PROBE}\n"
        "<Location /b>\nWSGIApplicationGroup y\n</Location>", []),
    "a virtual host of its own": (
        VHOST % ("one", f"WSGIDaemonProcess own\nWSGIProcessGroup own\nWSGIApplicationGroup x\n"
                        f"WSGIScriptAlias / {PROBE}")
        + VHOST % ("two", f"WSGIApplicationGroup y\nWSGIScriptAlias / {PROBE}"),
        [("y", ""), ("x", "own")]),
    "an alias of the server in a virtual host": (
        f"WSGIProcessGroup one\nWSGIApplicationGroup x\nWSGIScriptAlias / {PROBE}\n"
        + VHOST % ("two", "WSGIApplicationGroup y"), []),
    "%{GLOBAL}": (f"WSGIScriptAlias / {PROBE} process-group=one application-group=%{{GLOBAL}}", []),
    "%{HOST}": (f"WSGIScriptAlias / {PROBE} process-group=one application-group=%{{HOST}}", []),
}


@pytest.mark.parametrize("name", MAIN_GROUPS)
def test_main_group(make_server, name):
    text, expected = MAIN_GROUPS[name]
    made = make_server(Site("WSGIDaemonProcess one\n" + text))
    said = [re.search(r"group '(\w+)' is the only one of (?:the configuration|process group (\w+)):",
                      record.message).groups("") for record in made.log.find("WGW0036", "info")]
    assert said == expected
