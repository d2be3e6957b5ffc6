"""The module's files in a folder of one server's own, and other builds of them put in their place.

Another version is the same files with another text where the version is; another layout has
another text in what two builds compare before one goes on with the other's pools.
"""
import os
import pathlib

from harness import Server, Site, stage

VERSION, LAYOUT = b"0.1.0", b"TEXT name;TEXT server"
FOLDER = "{work}/module"


def site(of: Site) -> Site:
    """Return a site that loads the module from a folder of its own."""
    lines = stage.load_lines().replace(str(stage.session_folder() / "module"), FOLDER)
    return of._replace(text=lines + of.text, load_wsgi=False)


def originals() -> list:
    """Return the files that were built."""
    return [path for path in (stage.session_folder() / "module").iterdir() if path.is_file()]


def install(made: Server, version: str = "0.1.0", layout: bytes = LAYOUT) -> None:
    """Put the files of another build in place, each at once, as package managers do."""
    folder = made.work / "module"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    for path in originals():
        data = path.read_bytes().replace(VERSION, version.encode()).replace(LAYOUT, layout)
        put(folder / path.name, data, path.stat().st_mode)


def put(path: pathlib.Path, data: bytes, mode: int) -> None:
    """Replace one file."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(data)
    fresh.chmod(mode)
    os.replace(fresh, path)


def program(pid: int) -> bytes:
    """Return the file that a process runs; b"" when that is not there any more."""
    path = os.readlink(f"/proc/{pid}/exe")
    return b"" if path.endswith(" (deleted)") else pathlib.Path(path).read_bytes()
