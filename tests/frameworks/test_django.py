"""Django and its admin, from Debian's python3-django: login with CSRF and session, static files
served by httpd beside the application; main interpreter and sub-interpreter; two sites at once."""
import http.cookiejar
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import pytest

from harness import Site

django = pytest.importorskip("django", reason="python3-django is not installed")

STATIC = os.path.join(os.path.dirname(django.__file__), "contrib", "admin", "static")
SETTINGS = '''
import pathlib
HERE = pathlib.Path(__file__).parent
SECRET_KEY = "for tests"
ALLOWED_HOSTS = ["localhost", "one.localhost", "two.localhost"]
ROOT_URLCONF = "{name}.urls"
STATIC_URL = "/static/"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": HERE / "db.sqlite3"}}}}
INSTALLED_APPS = ["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
                  "django.contrib.sessions", "django.contrib.messages",
                  "django.contrib.staticfiles"]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware",
              "django.middleware.common.CommonMiddleware",
              "django.middleware.csrf.CsrfViewMiddleware",
              "django.contrib.auth.middleware.AuthenticationMiddleware",
              "django.contrib.messages.middleware.MessageMiddleware"]
TEMPLATES = [{{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
              "OPTIONS": {{"context_processors": [
                  "django.template.context_processors.request",
                  "django.contrib.auth.context_processors.auth",
                  "django.contrib.messages.context_processors.messages"]}}}}]
'''
URLS = '''
from django.contrib import admin
from django.http import HttpResponse
from django.urls import path
admin.site.site_header = "site {name}"
urlpatterns = [path("admin/", admin.site.urls),
               path("who/", lambda request: HttpResponse("{name}"))]
'''
WSGI = '''
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "{name}.settings"
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
'''


def make_project(server, name):
    """Make a project below {work}/NAME with a database and a superuser."""
    for file, text in (("__init__", ""), ("settings", SETTINGS), ("urls", URLS), ("wsgi", WSGI)):
        server.write_work(f"{name}/{name}/{file}.py", text.format(name=name))
    folder = server.work / name
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": f"{name}.settings",
                   "PYTHONPATH": str(folder), "DJANGO_SUPERUSER_PASSWORD": f"secret-{name}"}
    for command in (["migrate", "-v0"], ["createsuperuser", "--noinput", "--username", "ann",
                                         "--email", "ann@example.org"]):
        subprocess.run([sys.executable, "-m", "django", *command], check=True, cwd=folder,
                       env=environment, capture_output=True)
    shutil.copytree(STATIC, folder / "static")
    for path in (folder / name, folder / name / "db.sqlite3"):
        path.chmod(0o777)  # the server's user writes the database, and its journal beside it


class Browser:
    """Keeps cookies, follows redirects, sends forms with their CSRF token."""

    def __init__(self, server, host="localhost"):
        self.base = f"http://127.0.0.1:{server.port}"
        self.host = f"{host}:{server.port}"
        self.cookies = {}

    def open(self, path, form=None):
        """Return the last status, URL path and text."""
        for _ in range(5):
            status, headers, text = self._once(path, form)
            if status not in (301, 302):
                return status, path, text
            path, form = headers["Location"], None
        raise AssertionError(f"too many redirects to {path}")

    def _once(self, path, form):
        fields = {"Host": self.host, "Referer": f"http://{self.host}/",
                  "Cookie": "; ".join(f"{key}={value}" for key, value in self.cookies.items())}
        data = None
        if form is not None:
            data = urllib.parse.urlencode({"csrfmiddlewaretoken": self.cookies.get("csrftoken", ""),
                                           **form}).encode()
        request = urllib.request.Request(self.base + path, data, fields)
        opener = urllib.request.build_opener(NoRedirect)
        try:
            answer = opener.open(request, timeout=60)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            for line in answer.headers.get_all("Set-Cookie") or ():
                key, value = line.partition(";")[0].split("=", 1)
                self.cookies[key] = value.strip('"')
                if not self.cookies[key]:
                    del self.cookies[key]
            return answer.status, answer.headers, answer.read().decode()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Leaves redirects to the browser above."""

    def redirect_request(self, *_):
        return None


def admin_scenario(server, name, host="localhost"):
    """Log in, see the index, add a user, log out."""
    browser = Browser(server, host)
    status, path, text = browser.open("/admin/")
    assert status == 200 and path.startswith("/admin/login/") and f"site {name}" in text
    status, _, text = browser.open(path, {"username": "ann", "password": "wrong"})
    assert status == 200 and "Please enter the correct" in text
    status, path, text = browser.open(path, {"username": "ann", "password": f"secret-{name}",
                                             "next": "/admin/"})
    assert (status, path) == (200, "/admin/") and "Site administration" in text
    assert "sessionid" in browser.cookies
    status, path, text = browser.open("/admin/auth/user/add/")
    assert status == 200
    status, path, text = browser.open(path, {"username": "bob", "password1": "x7-long-enough",
                                             "password2": "x7-long-enough"})
    assert status == 200 and "was added successfully" in text and "bob" in text
    static_files(server, text, host)
    status, _, text = browser.open("/admin/logout/", {})
    assert status == 200 and "Logged out" in text
    assert browser.open("/admin/")[1].startswith("/admin/login/")


def static_files(server, page, host):
    """What the page links is served by httpd itself, and is not the application's."""
    links = re.findall(r'(?:href|src)="(/static/admin/[^"]+\.(?:css|js))"', page)
    assert len(links) > 2
    for link in links:
        answer = server.get(link, host=f"{host}:{server.port}")
        assert answer.status == 200 and answer.header("ETag") and len(answer.body) > 100


def without_csrf(server, host="localhost"):
    browser = Browser(server, host)
    browser.open("/admin/login/")
    browser.cookies["csrftoken"] = "x" * 32
    status, _, text = browser.open("/admin/login/", {"csrfmiddlewaretoken": "y" * 32,
                                                     "username": "ann", "password": "x"})
    assert status == 403 and "CSRF verification failed" in text


ONE = """
    Alias /static {work}/one/static
    WSGIPythonPath {work}/one
"""
ROUTES = {
    "module in the main interpreter": "WSGIModuleAlias / one.wsgi:application\n"
                                      "WSGIApplicationGroup %{GLOBAL}",
    "script in the main interpreter": "WSGIScriptAlias / {work}/one/one/wsgi.py\n"
                                      "WSGIApplicationGroup %{GLOBAL}",
    "sub-interpreter": "WSGIModuleAlias / one.wsgi:application application-group=sub\n"
                       "WSGIModuleAlias /other one.wsgi:application application-group=other",
}
CSRF_LINES = "Forbidden \\(CSRF|Forbidden: /admin/login"


@pytest.mark.slow
@pytest.mark.parametrize("route", ROUTES)
def test_admin(make_server, route):
    made = make_server(Site(ONE + ROUTES[route]), start=False)
    make_project(made, "one")
    made.start()
    admin_scenario(made, "one")
    without_csrf(made)
    made.allow_log(CSRF_LINES)


@pytest.mark.slow
def test_two_sites(make_server):
    """Two projects with settings of their own in one child: an interpreter for each."""
    hosts = "".join(f"""
        <VirtualHost *:{{port}}>
            ServerName {name}.localhost
            Alias /static {{work}}/{name}/static
            WSGIScriptAlias / {{work}}/{name}/site.wsgi
        </VirtualHost>""" for name in ("one", "two"))
    made = make_server(Site(hosts), start=False)
    for name in ("one", "two"):
        make_project(made, name)
        made.write_work(f"{name}/site.wsgi", f"import sys\nsys.path.insert(0, "
                        f"{str(made.work / name)!r})\nfrom {name}.wsgi import application\n")
    made.start()
    for _ in range(3):
        for name in ("one", "two"):
            assert Browser(made, f"{name}.localhost").open("/who/")[2] == name
    for name in ("one", "two"):
        admin_scenario(made, name, f"{name}.localhost")


@pytest.mark.slow
def test_wrong_host_is_refused_by_django(make_server):
    """ALLOWED_HOSTS sees the Host header as it came."""
    made = make_server(Site(ONE + ROUTES["module in the main interpreter"]), start=False)
    make_project(made, "one")
    made.start()
    assert Browser(made, "evil.example").open("/who/")[0] == 400
    made.allow_log("Invalid HTTP_HOST header|Bad Request")
    made.allow_request("DisallowedHost")
