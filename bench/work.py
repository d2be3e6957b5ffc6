"""What the benchmark serves: the works, each with the answer it must give.

Must not know the servers, nor how the load is made.
"""

from __future__ import annotations

from dataclasses import dataclass

FILE_BYTES = 10 * 1024 * 1024
LIST_BYTES = 1024 * 1024
# Below the document root of an httpd without Python: the reference of the large answers.
STATIC_FILES = {"file-10m.bin": FILE_BYTES, "list-1m.bin": LIST_BYTES}


@dataclass(frozen=True)
class Work:
    """One thing to serve. reference: the URL path by which httpd serves the same bytes
    without Python, by mod_bare.c or as a static file; "" where nothing does."""

    name: str
    title: str
    path: str
    size_bytes: int
    connections: int
    reference: str = ""
    is_post: bool = False
    is_own: bool = False  # for those contenders only that name it
    script: str = ""  # of wrk
    is_extra: bool = False  # measured only when --works names it


WORKS = {work.name: work for work in (
    Work("hello", "13 bytes", "/wsgi", 13, 16, "/bare"),
    Work("list-1m", "1 MiB body, a list of 16 blocks", "/works/list-1m", LIST_BYTES, 8, "/list-1m.bin"),
    Work("file-10m", "10 MiB file by wsgi.file_wrapper", "/works/file-10m", FILE_BYTES, 8, "/file-10m.bin"),
    Work("generator-50", "a generator of 50 short lines", "/works/generator-50", 50 * 28, 8),
    Work("flask", "hello by Flask", "/flask", 13, 8, "/bare"),
    Work("echo-1m", "POST of 1 MiB, echoed", "/works/echo-1m", 1048576, 8, is_post=True),
    Work("spin", "60 ms of processor time in one of two applications of one process", "/spin-a", 4, 8,
         is_own=True, script="spin.lua"),
    Work("hello-unsized", "hello without Content-Length", "/works/hello-unsized", 13, 16, "/bare", is_extra=True),
    Work("hello-generator", "hello by a generator", "/works/hello-generator", 13, 16, "/bare", is_extra=True),
    Work("hello-write", "hello by write()", "/works/hello-write", 13, 16, "/bare", is_extra=True),
)}
