"""Building out of the tree, installing, uninstalling; configure's messages."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from harness import Site, stage, system

MADE = shutil.ignore_patterns(".git", "*.o", "*.lo", "*.la", ".libs", ".deps", ".dirstamp",
                              "config.status", "config.log", "Makefile", "libtool", "wsgigw_py.h",
                              "autom4te.cache", "__pycache__", ".pytest_cache", "*~")
pytestmark = pytest.mark.slow


def run(folder, *command, **environment):
    return subprocess.run([str(word) for word in command], cwd=folder, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600,
                          env={**clean_environment(), **environment})


def clean_environment():
    """Not the make that may have started these tests."""
    return {key: value for key, value in os.environ.items()
            if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "DESTDIR")}


def done(folder, *command, **environment):
    result = run(folder, *command, **environment)
    assert result.returncode == 0, result.stdout[-3000:]
    return result.stdout


def files(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir())


def apxs():
    return os.environ.get("APXS") or shutil.which("apxs") or shutil.which("apxs2")


@pytest.fixture(scope="module")
def source():
    """A copy of the source as a fresh clone after autoreconf has it."""
    if not (system.REPOSITORY / "configure").exists():
        pytest.skip("there is no configure: run ./bootstrap.sh or autoreconf -i")
    folder = stage.session_folder() / "build" / "source"
    shutil.copytree(system.REPOSITORY, folder, ignore=MADE)
    return folder


@pytest.fixture(scope="module")
def build(source):
    """An out-of-tree build of the copy, with warnings as errors."""
    folder = source.parent / "out of tree".replace(" ", "-")
    folder.mkdir()
    done(folder, source / "configure", "--enable-werror", f"--with-apxs={apxs()}",
         f"--with-python={sys.executable}")
    before = files(source)
    done(folder, "make", "-j2")
    assert files(source) == before, "an out-of-tree build writes nothing into the source"
    return folder


def loadmodule_files(folder):
    return re.findall(r" (/\S+)", done(folder, "make", "-s", "print-loadmodule"))


def test_print_loadmodule(build):
    named = loadmodule_files(build)
    assert [pathlib.Path(path).name for path in named] == ["mod_wsgigw.so", "wsgigw_embedded.so"]
    assert all(path.startswith(str(build)) and os.path.isfile(path) for path in named)


def test_print_loadmodule_of_this_build():
    """The lines that every other test of this session uses."""
    named = re.findall(r" (/\S+)", stage.ask_make())
    assert len(named) == 2 and all(map(os.path.isfile, named))


def test_the_build_serves(build, make_server):
    stage.make_readable(build)
    made = make_server(Site(done(build, "make", "-s", "print-loadmodule")
                            + "WSGIScriptAlias / {apps}/probe.wsgi", load_wsgi=False))
    assert made.get("/").status == 200


def test_nothing_to_do_the_second_time(build):
    assert "CC" not in done(build, "make")


def test_install_and_uninstall(build, tmp_path):
    done(build, "make", "install", f"DESTDIR={tmp_path}")
    installed = files(tmp_path)
    modules = pathlib.Path(system.apxs("LIBEXECDIR")).relative_to("/")
    assert modules / "mod_wsgigw.so" in installed
    assert pathlib.Path("usr/local/lib/wsgigw/wsgigw_embedded.so") in installed
    assert not [path for path in installed if path.suffix in (".la", ".a", ".o")]
    assert "usage: wsgigw" in done(tmp_path, tmp_path / "usr/local/bin/wsgigw", "--help")
    done(build, "make", "uninstall", f"DESTDIR={tmp_path}")
    assert files(tmp_path) == []
    assert not (tmp_path / "usr/local/lib/wsgigw").exists()


def test_installed_module_finds_its_companion(source, make_server):
    """Without WSGIEmbeddedLibrary: the folder that configure was told."""
    folder = source.parent / "prefix-build"
    prefix = source.parent / "prefix"
    folder.mkdir()
    done(folder, source / "configure", f"--prefix={prefix}", f"--with-apxs={apxs()}",
         f"--with-python={sys.executable}")
    done(folder, "make", "-j2", "install", f"moduledir={prefix}/modules")
    stage.make_readable(prefix)
    made = make_server(Site(f"LoadModule wsgigw_module {prefix}/modules/mod_wsgigw.so\n"
                            "WSGIScriptAlias / {apps}/probe.wsgi", load_wsgi=False))
    assert made.get("/").status == 200


def test_clean(source):
    """distclean gives back what was there after configure's sources were unpacked."""
    folder = source.parent / "clean"
    folder.mkdir()
    done(folder, source / "configure", f"--with-apxs={apxs()}", f"--with-python={sys.executable}")
    done(folder, "make", "-j2")
    done(folder, "make", "distclean")
    assert files(folder) == []


REFUSED = {
    "--with-apxs=/no/such/apxs": "apxs not found or not working (tried \"/no/such/apxs\")",
    "--with-python=/no/such/python": "--with-python=/no/such/python cannot be used",
    "--with-python=/bin/true": "--with-python=/bin/true cannot be used",
}


@pytest.mark.parametrize("option", REFUSED)
def test_configure_refuses(source, tmp_path, option):
    result = run(tmp_path, source / "configure", option)
    assert result.returncode != 0 and REFUSED[option] in result.stdout


@pytest.mark.skipif(not shutil.which("clang"), reason="no clang in PATH")
def test_clang(source, tmp_path):
    done(tmp_path, source / "configure", "CC=clang", "--enable-werror", f"--with-apxs={apxs()}",
         f"--with-python={sys.executable}")
    done(tmp_path, "make", "-j2")
