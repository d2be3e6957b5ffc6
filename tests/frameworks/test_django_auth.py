"""django.contrib.auth.handlers.modwsgi in the wsgi.py of a site: httpd asks Django who a user is."""
import base64
import os
import subprocess
import sys

import pytest

from harness import Site

pytest.importorskip("django", reason="python3-django is not installed")

MODES = ("embedded",)
SETTINGS = """
import pathlib
HERE = pathlib.Path(__file__).parent
SECRET_KEY = "for tests"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
TIME_ZONE = None  # it would set that of httpd, whose log has times
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": HERE / "db.sqlite3"}}
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
"""
WSGI = """
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
os.environ["DJANGO_SETTINGS_MODULE"] = "people.settings"
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
from django.contrib.auth.handlers.modwsgi import check_password, groups_for_user
"""
PEOPLE = """
import django
django.setup()
from django.contrib.auth.models import Group, User
staff = Group.objects.create(name="staff")
for name, password in (("ann", "secret"), ("bob", "hidden"), ("j\\u00fcrgen", "gr\\u00fcn"), ("gone", "past")):
    user = User.objects.create_user(name, password=password)
    if name != "bob":
        staff.user_set.add(user)
User.objects.filter(username="gone").update(is_active=False)
"""
PROTECTED = """
    Alias /%(place)s/any {htdocs}
    Alias /%(place)s/staff {htdocs}
    <LocationMatch ^/%(place)s/>
        AuthType Basic
        AuthName Django
        AuthBasicProvider wsgi
        WSGIAuthUserScript {work}/people/wsgi.py %(options)s
        WSGIAuthGroupScript {work}/people/wsgi.py %(options)s
    </LocationMatch>
    <Location /%(place)s/any>
        Require valid-user
    </Location>
    <Location /%(place)s/staff>
        Require wsgi-group staff
    </Location>
"""
SITE = Site("""
    WSGIDaemonProcess deciding pass-env=LD_PRELOAD,ASAN_OPTIONS,UBSAN_OPTIONS,PYTHONMALLOC
    <Directory />
        Require all granted
    </Directory>
""" + PROTECTED % {"place": "embedded", "options": "application-group=%{SERVER}"}
    + PROTECTED % {"place": "pool", "options": "process-group=deciding"}, modules=("auth_basic", "authz_user"))


@pytest.fixture(name="site", scope="module")
def make_site(server):
    """A project with people in it."""
    folder = server.work / "people"
    if not folder.exists():
        folder.mkdir()
        server.write_work("people/__init__.py", "")
        server.write_work("people/settings.py", SETTINGS)
        server.write_work("people/wsgi.py", WSGI.replace("os.path.dirname(os.path.abspath(__file__))",
                                                         repr(str(server.work))))
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "people.settings", "PYTHONPATH": str(server.work)}
        for command in (["-m", "django", "migrate", "-v0"], ["-c", PEOPLE]):
            subprocess.run([sys.executable, *command], check=True, cwd=server.work, env=environment,
                           capture_output=True)
        for path in (folder, folder / "db.sqlite3"):
            path.chmod(0o777)
        (server.htdocs / "page").write_text("page")
    return server


@pytest.mark.parametrize("place", ("embedded", "pool"))
@pytest.mark.parametrize("user, password, anybody, staff", (
    ("ann", "secret", 200, 200), ("ann", "wrong", 401, 401), ("bob", "hidden", 200, 401),
    ("jürgen", "grün", 200, 200), ("gone", "past", 401, 401), ("nobody", "x", 401, 401), ("ann", "", 401, 401)))
def test_people(site, place, user, password, anybody, staff):
    site.allow_log("WGW0193|WGW0014|FileNotFoundError|AH016")
    field = [("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())]
    assert site.get(f"/{place}/any/page", field).status == anybody
    assert site.get(f"/{place}/staff/page", field).status == staff
