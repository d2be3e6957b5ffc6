"""`make check-layers`: proves the floors (docs/architecture.md).

    check_layers.py --srcdir DIR --builddir DIR    check the tree and the built modules
    check_layers.py --self-test                    check this checker

One line per rule, with the count of what was looked at. A rule that found nothing to
look at fails: it would prove nothing. Every violation is a line file:line: rule: text.
Function and file lengths are reported, not enforced.

The checker reads text: all branches of #if count, an include behind a macro is refused.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Callable, Iterable, Iterator

# --- what is allowed --------------------------------------------------------

# A file may include headers of its own floor and of floors with a lower number.
FLOORS = {
    "base": 0, "wire": 1, "exchange": 2, "bridge": 3,
    "embedded": 4, "worker": 4, "supervisor": 4, "server": 4, "cli": 5,
}

# include/wsgigw/: the contracts. A contract belongs to the lowest floor that knows it;
# it may be included from that floor up. A new header there gets a row here.
CONTRACTS = {
    "base.h": 0, "cursor.h": 0, "buffer.h": 0, "deadline.h": 0, "fdio.h": 0, "log.h": 0, "status.h": 0,
    "version.h": 0,
    "wire.h": 1,
    "exchange.h": 2, "request.h": 2,
    "bridge.h": 3, "embedded.h": 3,
    "exec.h": 4, "scoreboard.h": 4, "control.h": 4, "layout.h": 4,
}

# Kinds of foreign headers that a floor must not see, directly or through others.
FORBIDDEN_KINDS = {
    "base": {"python", "httpd"}, "wire": {"python", "httpd"}, "exchange": {"python", "httpd"},
    "bridge": {"httpd"}, "embedded": {"httpd"}, "worker": {"httpd"},
    "supervisor": {"python", "httpd"}, "server": {"python"}, "cli": {"python", "httpd"},
    "top": {"python"},
}
TOP_FILE = "mod_wsgigw.c"
TOP_FLOOR = 5

PYTHON_HEADER = re.compile(
    r"(.*/)?(Python|pyconfig|patchlevel|structmember|frameobject|pythread|datetime|py\w+|abstract|unicodeobject)\.h"
    r"|(cpython|internal)/.*|python3[^/]*/.*"
)
HTTPD_HEADER = re.compile(
    r"(httpd|http_\w+|ap_\w+|apr|apr_\w+|apu|apu_\w+|util_\w+|scoreboard|mpm_common|unixd|mod_\w+|cache_common)\.h"
    r"|(apache2|httpd|apr-1\.0|apr-1)/.*"
)

SERVER_MODULE = "mod_wsgigw.so"
SERVER_EXPORTS = {"wsgigw_module", "wsgi_module"}
EMBEDDED_LIBRARY = "wsgigw_embedded.so"
EMBEDDED_EXPORTS = {"wgw_embedded_api"}
SUPERVISOR = "wsgigw-supervisor"
SUPERVISOR_NEEDS = re.compile(r"(libc|ld-linux.*|ld64|libasan|libubsan|libm|libgcc_s)\.so\..*")
EXTENSION = "_wsgigw.abi3.so"
EXTENSION_EXPORTS = {"PyInit__wsgigw", "PyInit__wsgigw_worker"}
# Made by linkers and sanitizers, not by us.
TOOLCHAIN_SYMBOL = re.compile(r"_init|_fini|_edata|_end|__bss_start|__(odr_)?asan_.*|__(ubsan|gcov|llvm)_.*|mangle_path")

FUNCTION_LIMIT_LINES = 60
FILE_LIMIT_LINES = 700


@dataclass(frozen=True)
class Violation:
    file: str
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}: {self.text}"


@dataclass
class Result:
    """Of one rule: what it looked at, in words, and what it found."""

    rule: str
    counted: str
    count: int
    violations: list[Violation] = field(default_factory=list)


# --- the tree ---------------------------------------------------------------

INCLUDE = re.compile(r'^[ \t]*#[ \t]*(?:include|include_next|import)\b[ \t]*(.*)$', re.M)
INCLUDE_NAME = re.compile(r'"([^"]+)"|<([^>]+)>')


@dataclass(frozen=True)
class Include:
    file: str
    line: int
    name: str
    target: str | None  # a file of the project
    kind: str  # project, python, httpd, system, generated, unknown


def without_comments(text: str) -> str:
    """Comments become blanks, line numbers stay. Strings are kept: includes are strings."""
    pattern = re.compile(r'/\*.*?\*/|//(?:\\\n|[^\n])*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return pattern.sub(lambda m: m.group(0) if m.group(0)[0] in "\"'" else re.sub(r"[^\n]", " ", m.group(0)), text)


class Tree:
    """The C sources that belong to a floor, by path from the source directory."""

    def __init__(self, files: dict[str, str], generated: Iterable[str] = ()) -> None:
        self.files = {name: without_comments(text) for name, text in files.items()}
        self.generated = set(generated)
        self.includes = {name: list(self._includes(name)) for name in sorted(self.files)}

    @classmethod
    def read(cls, srcdir: Path, builddir: Path) -> "Tree":
        files: dict[str, str] = {}
        # The build directory may hold generated sources; those of the source directory win.
        for top in (builddir, srcdir):
            for path in [*top.glob("src/**/*.[ch]"), *top.glob("include/**/*.h"), *top.glob(TOP_FILE)]:
                files[path.relative_to(top).as_posix()] = path.read_text(encoding="utf-8", errors="replace")
        return cls(files, {p.name for p in builddir.glob("*.h")} | {"config.h"})

    def _includes(self, name: str) -> Iterator[Include]:
        for match in INCLUDE.finditer(self.files[name]):
            line = self.files[name].count("\n", 0, match.start()) + 1
            written = INCLUDE_NAME.match(match.group(1))
            if not written:
                yield Include(name, line, match.group(1).strip(), None, "macro")
                continue
            header = written.group(1) or written.group(2)
            target = self._resolve(name, header)
            yield Include(name, line, header, target, "project" if target else self._kind(header, bool(written.group(1))))

    def _resolve(self, includer: str, header: str) -> str | None:
        """Beside the includer, from the top, from src/, from include/."""
        here = PurePosixPath(includer).parent
        for base in (here, PurePosixPath("."), PurePosixPath("src"), PurePosixPath("include"),
                     PurePosixPath("include/wsgigw")):
            candidate = os.path.normpath(str(base / header))
            if candidate in self.files:
                return candidate
        return None

    def _kind(self, header: str, quoted: bool) -> str:
        if PYTHON_HEADER.fullmatch(header):
            return "python"
        if HTTPD_HEADER.fullmatch(header):
            return "httpd"
        if header in self.generated:
            return "generated"
        return "unknown" if quoted else "system"

    def floor(self, name: str) -> str | None:
        """The floor's name, "contract" for include/wsgigw, "top" for mod_wsgigw.c, or None."""
        parts = PurePosixPath(name).parts
        if name == TOP_FILE:
            return "top"
        if parts[:2] == ("include", "wsgigw") and len(parts) == 3:
            return "contract"
        if len(parts) >= 3 and parts[0] == "src" and parts[1] in FLOORS:
            return parts[1]
        return None

    def height(self, name: str) -> int | None:
        floor = self.floor(name)
        if floor == "top":
            return TOP_FLOOR
        if floor == "contract":
            return CONTRACTS.get(PurePosixPath(name).name)
        return FLOORS[floor] if floor else None

    def all_includes(self) -> list[Include]:
        return [i for includes in self.includes.values() for i in includes]

    def kinds_seen(self, name: str) -> dict[str, list[Include]]:
        """Foreign kinds in the transitive closure, each with a way that leads there."""
        seen: dict[str, list[Include]] = {}
        queue: list[tuple[str, list[Include]]] = [(name, [])]
        visited = {name}
        while queue:
            file, way = queue.pop(0)
            for include in self.includes[file]:
                if include.target is None:
                    seen.setdefault(include.kind, [*way, include])
                elif include.target not in visited:
                    visited.add(include.target)
                    queue.append((include.target, [*way, include]))
        return seen


# --- rules over the tree ----------------------------------------------------


def rule_places(tree: Tree) -> Result:
    """Every file belongs to a floor, every contract header is in the table."""
    result = Result("places", "files", len(tree.files))
    for name in sorted(tree.files):
        floor = tree.floor(name)
        if floor is None:
            result.violations.append(Violation(name, 1, "places", "is in no floor; floors are src/"
                                               + ", src/".join(FLOORS) + ", include/wsgigw/*.h"))
        elif floor == "contract" and PurePosixPath(name).name not in CONTRACTS:
            result.violations.append(Violation(name, 1, "places", "has no floor yet: add it to CONTRACTS in "
                                               "tests/layers/check_layers.py"))
    return result


def rule_includes(tree: Tree) -> Result:
    """An include names the own floor, a lower one, or a contract of at most the own height."""
    result = Result("includes", "includes between our files", 0)
    for include in tree.all_includes():
        if include.kind in ("macro", "unknown"):
            why = "include through a macro cannot be checked" if include.kind == "macro" else \
                f'"{include.name}" is neither a file of ours nor a known header of httpd, APR or Python'
            result.violations.append(Violation(include.file, include.line, "includes", why))
        if include.target is None:
            continue
        result.count += 1
        why = upward(tree, include)
        if why:
            result.violations.append(Violation(include.file, include.line, "includes", why))
    return result


def upward(tree: Tree, include: Include) -> str | None:
    """Why this include breaks the order of floors, or None."""
    assert include.target is not None
    if include.target.endswith(".c"):
        return f"{include.target} is not a header"
    own, other = tree.height(include.file), tree.height(include.target)
    own_floor, other_floor = tree.floor(include.file), tree.floor(include.target)
    if own is None or other is None or own_floor == other_floor != "contract":
        return None
    # At F0 to F3 there is one floor each, so a contract may use the headers of its own;
    # at F4 there are several, and a contract between two of them belongs to neither.
    level_is_shared = other >= 4 and other_floor not in ("contract", "top")
    if other < own or (other == own and "contract" in (own_floor, other_floor) and not level_is_shared):
        return None
    return f"{own_floor} (F{own}) may not include {include.target} (F{other})"


def rule_cycles(tree: Tree) -> Result:
    """No header reaches itself."""
    result = Result("cycles", "headers", sum(name.endswith(".h") for name in tree.files))
    done: set[str] = set()
    for start in sorted(tree.files):
        way: list[str] = []
        find_cycle(tree, start, way, done, result)
    return result


def find_cycle(tree: Tree, name: str, way: list[str], done: set[str], result: Result) -> None:
    if name in done:
        return
    way.append(name)
    for include in tree.includes[name]:
        if include.target in way:
            cycle = way[way.index(include.target):] + [include.target]
            result.violations.append(Violation(include.file, include.line, "cycles", " -> ".join(cycle)))
        elif include.target:
            find_cycle(tree, include.target, way, done, result)
    way.pop()
    done.add(name)


def describe(way: list[Include]) -> str:
    return " -> ".join(i.name for i in way)


def rule_worlds(tree: Tree) -> Result:
    """No file sees both Python.h and httpd's or APR's headers, also not through others."""
    result = Result("worlds", "files", len(tree.files))
    for name in sorted(tree.files):
        seen = tree.kinds_seen(name)
        if "python" in seen and "httpd" in seen:
            result.violations.append(Violation(
                name, seen["httpd"][0].line, "worlds",
                f"sees both Python ({describe(seen['python'])}) and httpd ({describe(seen['httpd'])})"))
    return result


def rule_foreign(tree: Tree) -> Result:
    """The floors that must not know Python or httpd do not."""
    result = Result("foreign", "files", 0)
    for name in sorted(tree.files):
        floor = tree.floor(name)
        if floor == "contract":
            # A contract is seen by every floor above it; F2 and below serve both worlds.
            forbidden = {"python", "httpd"} if (tree.height(name) or 0) <= 2 else {"httpd"}
        else:
            forbidden = FORBIDDEN_KINDS.get(floor or "", set())
        if not forbidden:
            continue
        result.count += 1
        for kind, way in sorted(tree.kinds_seen(name).items()):
            if kind in forbidden:
                result.violations.append(Violation(name, way[0].line, "foreign",
                                                   f"{floor} must not see {kind} headers: {describe(way)}"))
    return result


TREE_RULES: list[Callable[[Tree], Result]] = [rule_places, rule_includes, rule_cycles, rule_worlds, rule_foreign]


# --- rules over what was built ----------------------------------------------


@dataclass
class Library:
    """What nm -D and readelf -d say of one shared object."""

    name: str
    needed: list[str]
    undefined: list[str]
    defined: list[str]

    @classmethod
    def parse(cls, name: str, nm_text: str, readelf_text: str) -> "Library":
        defined, undefined = parse_nm(nm_text)
        needed = re.findall(r"\(NEEDED\).*\[([^\]]+)\]", readelf_text)
        return cls(name, needed, sorted(undefined), sorted(defined))

    @classmethod
    def read(cls, path: Path) -> "Library":
        if not path.is_file():
            print(f"there is no {path}: run make first")
            return cls(path.name, [], [], [])
        return cls.parse(path.name, output_of(["nm", "-D", str(path)]), output_of(["readelf", "-dW", str(path)]))


def parse_nm(text: str) -> tuple[set[str], set[str]]:
    """Defined and undefined symbols; versions (name@VERSION) are cut off."""
    defined, undefined = set(), set()
    for line in text.splitlines():
        match = re.fullmatch(r"\s*[0-9a-fA-F]*\s+([A-Za-z?-])\s+(\S+)", line)
        if match:
            kind, symbol = match.group(1), match.group(2).split("@")[0]
            (undefined if kind in "Uwv" else defined).add(symbol)
    return defined, undefined


def output_of(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    if done.returncode != 0:
        raise SystemExit(f"check-layers: {' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout


def exports_of(library: Library) -> set[str]:
    return {s for s in library.defined if not TOOLCHAIN_SYMBOL.fullmatch(s)}


def rule_server_module(library: Library) -> Result:
    """The module needs no libpython, and exports its two module records only."""
    rule = "server-module"
    exported = exports_of(library)
    result = Result(rule, "dynamic symbols", len(library.undefined) + len(exported))
    problems = [f"needs {n}" for n in library.needed if "python" in n.lower()]
    problems += [f"uses the Python symbol {s}" for s in library.undefined if re.match(r"_?Py[A-Z_]", s)]
    problems += [f"does not define {s}" for s in sorted(SERVER_EXPORTS - exported)]
    problems += [f"exports {s}" for s in sorted(exported - SERVER_EXPORTS)]
    result.violations = [Violation(library.name, 0, rule, p) for p in problems]
    return result


def rule_embedded_library(library: Library) -> Result:
    """The embedded library uses nothing of httpd, and exports its one table only."""
    rule = "embedded-library"
    exported = exports_of(library)
    result = Result(rule, "dynamic symbols", len(library.undefined) + len(exported))
    problems = [f"needs {n}" for n in library.needed if re.match(r"libapr", n)]
    problems += [f"uses the httpd or APR symbol {s}" for s in library.undefined if re.match(r"(ap|apr)_", s)]
    problems += [f"does not define {s}" for s in sorted(EMBEDDED_EXPORTS - exported)]
    problems += [f"exports {s}" for s in sorted(exported - EMBEDDED_EXPORTS)]
    result.violations = [Violation(library.name, 0, rule, p) for p in problems]
    return result


def rule_supervisor(library: Library) -> Result:
    """The supervisor may be root: it links libc, and nothing of Python, httpd or APR."""
    rule = "supervisor"
    result = Result(rule, "dynamic symbols", len(library.undefined))
    problems = [f"needs {n}" for n in library.needed if not SUPERVISOR_NEEDS.fullmatch(n)]
    problems += [f"uses the foreign symbol {s}" for s in library.undefined
                 if re.match(r"_?Py[A-Z_]|(ap|apr|apu)_", s)]
    result.violations = [Violation(library.name, 0, rule, p) for p in problems]
    return result


def rule_extension(library: Library) -> Result:
    """The extension links libc only: any CPython loads it. It exports its two init functions."""
    rule = "extension"
    exported = exports_of(library)
    result = Result(rule, "dynamic symbols", len(library.undefined))
    problems = [f"needs {n}" for n in library.needed if not SUPERVISOR_NEEDS.fullmatch(n)]
    problems += [f"uses the foreign symbol {s}" for s in library.undefined if re.match(r"(ap|apr|apu)_", s)]
    problems += [f"exports {s}" for s in sorted(exported - EXTENSION_EXPORTS)]
    problems += [f"does not export {s}" for s in sorted(EXTENSION_EXPORTS - exported)]
    result.violations = [Violation(library.name, 0, rule, p) for p in problems]
    return result


@dataclass
class Object:
    """One compiled file of a floor."""

    name: str
    floor: str
    defined: set[str]
    undefined: set[str]


def read_objects(builddir: Path) -> list[Object]:
    """One object per source: libtool makes a second one, in .libs, of the same code."""
    found: dict[tuple[str, str], Object] = {}
    for path in sorted(builddir.glob("src/**/*.o")):
        relative = path.relative_to(builddir)
        floor = relative.parts[1]
        if floor in FLOORS:
            defined, undefined = parse_nm(output_of(["nm", "-g", str(path)]))
            found[floor, path.name] = Object(relative.as_posix(), floor, defined, undefined)
    return list(found.values())


def rule_objects(objects: list[Object]) -> Result:
    """What an include cannot show: a symbol of a higher or a neighbouring floor, declared by hand."""
    result = Result("objects", "object files", len(objects))
    owners: dict[str, set[str]] = {}
    for item in objects:
        for symbol in item.defined:
            owners.setdefault(symbol, set()).add(item.floor)
    for item in objects:
        for symbol in sorted(item.undefined & owners.keys()):
            allowed = {f for f in owners[symbol] if f == item.floor or FLOORS[f] < FLOORS[item.floor]}
            if not allowed:
                result.violations.append(Violation(item.name, 0, "objects",
                                                   f"{item.floor} uses {symbol} of {', '.join(sorted(owners[symbol]))}"))
    return result


# --- lengths ----------------------------------------------------------------


def functions_of(text: str) -> Iterator[tuple[str, int, int]]:
    """Name, first line and length in lines of each function of a C file without comments."""
    text = re.sub(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', lambda m: "_" * len(m.group(0)), text)
    text = re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.M)
    depth, start, name = 0, 0, None
    head_start = 0
    for match in re.finditer(r"[{};]", text):
        if match.group(0) == "{":
            if depth == 0:
                head = text[head_start:match.start()]
                found = re.search(r"(\w+)\s*\((?:[^()]|\([^()]*\))*\)\s*(?:__attribute__.*)?$", head.strip(), re.S)
                name = found.group(1) if found and "=" not in head else None
                start = text.count("\n", 0, match.start()) + 1
            depth += 1
        elif match.group(0) == "}":
            depth = max(depth - 1, 0)
            if depth == 0 and name:
                yield name, start, text.count("\n", 0, match.start()) + 2 - start
                name = None
        if depth == 0:
            head_start = match.end()


def report_lengths(tree: Tree) -> list[str]:
    functions = [(length, name, line, function) for name, text in sorted(tree.files.items())
                 for function, line, length in functions_of(text)]
    long_files = [(text.count("\n"), name) for name, text in tree.files.items() if text.count("\n") > FILE_LIMIT_LINES]
    lines = []
    if functions:
        lengths = sorted(f[0] for f in functions)
        p95 = lengths[min(len(lengths) * 95 // 100, len(lengths) - 1)]
        lines.append(f"length {len(functions)} functions: median {statistics.median(lengths):.0f}, "
                     f"95th percentile {p95}, longest {lengths[-1]} lines")
    lines += [f"note   {name}:{line}: {function}() has {length} lines (aim: {FUNCTION_LIMIT_LINES})"
              for length, name, line, function in sorted(functions, reverse=True) if length > FUNCTION_LIMIT_LINES]
    lines += [f"note   {name}:1: {length} lines (aim: {FILE_LIMIT_LINES})" for length, name in sorted(long_files, reverse=True)]
    return lines


# --- self-test --------------------------------------------------------------

GOOD_TREE = {
    TOP_FILE: '#include "httpd.h"\n#include "src/server/hooks.h"\n',
    "include/wsgigw/log.h": "#include <stddef.h>\n",
    "include/wsgigw/exchange.h": '#include <wsgigw/log.h>\n#include "exchange/key.h"\n#include "base/cursor.h"\n',
    "src/exchange/key.h": '#include "base/cursor.h"\n',
    "include/wsgigw/embedded.h": '#include "wsgigw/exchange.h"\n',
    "src/base/cursor.h": "#include <stddef.h>\n",
    "src/base/cursor.c": '#include "config.h"\n#include "cursor.h"\n',
    "src/exchange/head.c": '#include "wsgigw/exchange.h"\n#include "base/cursor.h"\n',
    "src/bridge/environ.c": '/* not httpd.h: #include "httpd.h" */\n#include <Python.h>\n#include "wsgigw/exchange.h"\n',
    "src/embedded/start.c": '#include <Python.h>\n#include "wsgigw/embedded.h"\n',
    "src/server/hooks.h": '#include "httpd.h"\n#include <apr_tables.h>\n',
    "src/server/hooks.c": '#include "hooks.h"\n#include <wsgigw/embedded.h>\n',
}

# (rule, what is changed in the good tree)
BAD_TREES: list[tuple[str, dict[str, str]]] = [
    ("places", {"src/misc/x.c": "\n"}),
    ("places", {"include/wsgigw/surprise.h": "\n"}),
    ("places", {"include/other/log.h": "\n"}),
    ("includes", {"src/base/up.c": '#include "wsgigw/exchange.h"\n'}),
    ("includes", {"src/base/up.c": '#include "../exchange/head.h"\n', "src/exchange/head.h": "\n"}),
    ("includes", {"src/exchange/up.c": '#include "bridge/x.h"\n', "src/bridge/x.h": "\n"}),
    ("includes", {"src/bridge/up.c": '#  include   <embedded/x.h>\n', "src/embedded/x.h": "\n"}),
    ("includes", {"src/embedded/beside.c": '#include "server/hooks.h"\n'}),
    ("includes", {"src/server/beside.c": '#include "embedded/x.h"\n', "src/embedded/x.h": "\n"}),
    ("includes", {"include/wsgigw/log.h": '#include "wsgigw/exchange.h"\n', "include/wsgigw/exchange.h": "\n"}),
    ("includes", {"include/wsgigw/exchange.h": '#include "bridge/x.h"\n', "src/bridge/x.h": "\n"}),
    ("includes", {"include/wsgigw/embedded.h": '#include "embedded/x.h"\n', "src/embedded/x.h": "\n"}),
    ("includes", {"include/wsgigw/exec.h": '#include "worker/x.h"\n', "src/worker/x.h": "\n"}),
    ("cycles", {"src/exchange/key.h": '#include "wsgigw/exchange.h"\n'}),
    ("includes", {"src/base/macro.c": "#define H <x.h>\n#include H\n"}),
    ("includes", {"src/base/lost.c": '#include "nowhere.h"\n'}),
    ("includes", {"src/base/body.c": '#include "cursor.c"\n'}),
    ("cycles", {"src/base/a.h": '#include "b.h"\n', "src/base/b.h": '#include "c.h"\n', "src/base/c.h": '#include "a.h"\n'}),
    ("cycles", {"src/base/cursor.h": '#include "cursor.h"\n'}),
    ("worlds", {"src/worker/both.c": '#include <Python.h>\n#include "httpd.h"\n'}),
    ("worlds", {"src/server/both.c": '#include "hooks.h"\n#include "py.h"\n', "src/server/py.h": "#include <structmember.h>\n"}),
    ("worlds", {TOP_FILE: '#include "src/server/hooks.h"\n#include <Python.h>\n'}),
    ("foreign", {"src/base/py.c": "#include <Python.h>\n"}),
    ("foreign", {"src/base/apr.c": "#include <apr_pools.h>\n"}),
    ("foreign", {"src/exchange/py.c": '#include "py2.h"\n', "src/exchange/py2.h": "#include <python3.11/Python.h>\n"}),
    ("foreign", {"src/exchange/ap.c": '#include "http_protocol.h"\n'}),
    ("foreign", {"src/bridge/ap.c": '#include "httpd.h"\n'}),
    ("foreign", {"src/embedded/ap.c": "#include <apr_strings.h>\n"}),
    ("foreign", {"src/server/py.c": "#include <Python.h>\n"}),
    ("foreign", {"include/wsgigw/exchange.h": "#include <Python.h>\n"}),
    ("foreign", {"include/wsgigw/embedded.h": '#include "httpd.h"\n'}),
]

GOOD_MODULE = ("                 U ap_hook_handler\n                 w __gmon_start__\n                 U dlopen@GLIBC_2.34\n"
               "0000000000004040 D wsgi_module\n0000000000004140 D wsgigw_module\n")
GOOD_EMBEDDED = "                 U Py_InitializeFromConfig\n0000000000004040 T wgw_embedded_api\n"
LIBC = " 0x0001 (NEEDED)             Shared library: [libc.so.6]\n"
LIBPYTHON = " 0x0001 (NEEDED)             Shared library: [libpython3.11.so.1.0]\n"

# (nm -D, readelf -d) of each that must fail
BAD_MODULES = [
    (GOOD_MODULE, LIBC + LIBPYTHON),
    (GOOD_MODULE + "                 U PyErr_Clear\n", LIBC),
    (GOOD_MODULE + "                 w _Py_Dealloc\n", LIBC),
    (GOOD_MODULE + "0000000000001040 T wgw_log\n", LIBC),
    (GOOD_MODULE.replace(" D wsgi_module", " d wsgi_module2"), LIBC),
    (GOOD_MODULE.replace(" D wsgigw_module", " U wsgigw_module"), LIBC),
    ("", LIBC),
]
BAD_EMBEDDED = [
    (GOOD_EMBEDDED + "                 U ap_log_rerror_\n", LIBC),
    (GOOD_EMBEDDED + "                 U apr_palloc\n", LIBC),
    (GOOD_EMBEDDED + "0000000000001040 T wgw_py_attach\n", LIBC),
    (GOOD_EMBEDDED, LIBC + LIBC.replace("libc.so.6", "libapr-1.so.0")),
    ("", LIBC),
]

GOOD_SUPERVISOR = "                 U fork@GLIBC_2.2.5\n                 w __gmon_start__\n"
GOOD_EXTENSION = ("                 U PyLong_FromLong\n0000000000001000 T PyInit__wsgigw\n"
                  "0000000000001100 T PyInit__wsgigw_worker\n")
BAD_EXTENSIONS = [
    (GOOD_EXTENSION, LIBC + LIBPYTHON),
    (GOOD_EXTENSION + "                 U ap_hook_handler\n", LIBC),
    (GOOD_EXTENSION + "0000000000001200 T wgw_now_us\n", LIBC),
    ("                 U PyLong_FromLong\n", LIBC),
]
BAD_SUPERVISORS = [
    (GOOD_SUPERVISOR, LIBC + LIBPYTHON),
    (GOOD_SUPERVISOR, LIBC + LIBC.replace("libc.so.6", "libapr-1.so.0")),
    (GOOD_SUPERVISOR + "                 U apr_palloc\n", LIBC),
    (GOOD_SUPERVISOR + "                 U Py_Main\n", LIBC),
    ("", LIBC),
]

GOOD_OBJECTS = [
    Object("src/base/a.o", "base", {"wgw_a"}, {"malloc"}),
    Object("src/bridge/b.o", "bridge", {"wgw_b"}, {"wgw_a"}),
    Object("src/server/s.o", "server", {"wgw_s"}, {"wgw_a"}),
]
BAD_OBJECTS = [
    [*GOOD_OBJECTS, Object("src/base/x.o", "base", set(), {"wgw_b"})],
    [*GOOD_OBJECTS, Object("src/server/x.o", "server", set(), {"wgw_e"}),
     Object("src/embedded/e.o", "embedded", {"wgw_e"}, set())],
]


def failed_rules(results: Iterable[Result]) -> set[str]:
    return {r.rule for r in results if r.violations or r.count == 0}


def self_test() -> list[str]:
    """What is wrong with this checker, as lines."""
    wrong: list[str] = []

    def expect(what: str, failing: set[str], wanted: str | None) -> None:
        if (wanted is None and failing) or (wanted is not None and wanted not in failing):
            wrong.append(f"self-test: {what}: failing rules {sorted(failing)}, wanted {wanted or 'none'}")

    def check_tree(files: dict[str, str]) -> set[str]:
        return failed_rules(rule(Tree(files, {"config.h"})) for rule in TREE_RULES)

    expect("good tree", check_tree(GOOD_TREE), None)
    for rule, change in BAD_TREES:
        expect(f"tree with {change}", check_tree({**GOOD_TREE, **change}), rule)
    for rule_of in TREE_RULES:
        expect("empty tree", failed_rules([rule_of(Tree({}))]), rule_of(Tree({})).rule)

    def check_library(rule: Callable[[Library], Result], nm: str, readelf: str) -> set[str]:
        return failed_rules([rule(Library.parse("x.so", nm, readelf))])

    expect("good module", check_library(rule_server_module, GOOD_MODULE, LIBC), None)
    expect("good embedded", check_library(rule_embedded_library, GOOD_EMBEDDED, LIBC + LIBPYTHON), None)
    for nm, readelf in BAD_MODULES:
        expect(f"module {nm!r} {readelf!r}", check_library(rule_server_module, nm, readelf), "server-module")
    for nm, readelf in BAD_EMBEDDED:
        expect(f"embedded {nm!r} {readelf!r}", check_library(rule_embedded_library, nm, readelf), "embedded-library")
    expect("good supervisor", check_library(rule_supervisor, GOOD_SUPERVISOR, LIBC), None)
    for nm, readelf in BAD_SUPERVISORS:
        expect(f"supervisor {nm!r} {readelf!r}", check_library(rule_supervisor, nm, readelf), "supervisor")
    expect("good extension", check_library(rule_extension, GOOD_EXTENSION, LIBC), None)
    for nm, readelf in BAD_EXTENSIONS:
        expect(f"extension {nm!r} {readelf!r}", check_library(rule_extension, nm, readelf), "extension")
    expect("good objects", failed_rules([rule_objects(GOOD_OBJECTS)]), None)
    for objects in [*BAD_OBJECTS, []]:
        expect(f"objects {[o.name for o in objects]}", failed_rules([rule_objects(objects)]), "objects")

    text = without_comments('int f(void)\n{\n  if (1) { }\n  /* } */\n  g("}");\n}\nstruct s { int a; };\nint x[] = { f(1) };\n')
    if list(functions_of(text)) != [("f", 2, 5)]:
        wrong.append(f"self-test: functions_of found {list(functions_of(text))}")
    return wrong


SELF_TEST_COUNT = len(BAD_TREES) + len(TREE_RULES) + len(BAD_MODULES) + len(BAD_EMBEDDED) + len(BAD_SUPERVISORS) + \
    len(BAD_EXTENSIONS) + len(BAD_OBJECTS) + 8


# --- main -------------------------------------------------------------------


def print_result(result: Result) -> bool:
    """True when the rule holds."""
    for violation in result.violations:
        print(violation)
    if result.violations:
        print(f"FAIL   {result.rule}: {len(result.violations)} violations in {result.count} {result.counted}")
    elif result.count == 0:
        print(f"FAIL   {result.rule}: there was nothing to check (no {result.counted})")
    else:
        print(f"ok     {result.rule}: {result.count} {result.counted}")
    return not result.violations and result.count > 0


def run_self_test() -> bool:
    wrong = self_test()
    print("\n".join(wrong) + "\n" if wrong else "", end="")
    print(f"{'FAIL' if wrong else 'ok':<6} self-test: {SELF_TEST_COUNT} cases")
    return not wrong


def check(srcdir: Path, builddir: Path) -> bool:
    tree = Tree.read(srcdir, builddir)
    floors = {name: tree.floor(name) for name in tree.files}
    print("files  " + ", ".join(f"{f} {list(floors.values()).count(f)}"
                                for f in ["contract", *FLOORS, "top"] if f in floors.values()))
    results = [rule(tree) for rule in TREE_RULES]
    results.append(rule_server_module(Library.read(builddir / ".libs" / SERVER_MODULE)))
    results.append(rule_embedded_library(Library.read(builddir / ".libs" / EMBEDDED_LIBRARY)))
    results.append(rule_supervisor(Library.read(builddir / SUPERVISOR)))
    results.append(rule_extension(Library.read(builddir / ".libs" / EXTENSION)))
    results.append(rule_objects(read_objects(builddir)))
    held = [print_result(result) for result in results]
    for line in report_lengths(tree):
        print(line)
    return all(held)


def main() -> int:
    parser = argparse.ArgumentParser(prog="check_layers", description="Prove the floors of mod_wsgigw.")
    parser.add_argument("--srcdir", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--builddir", type=Path, default=Path("."))
    parser.add_argument("--self-test", action="store_true", help="check the checker only")
    options = parser.parse_args()
    held = run_self_test()
    if not options.self_test:
        held = check(options.srcdir, options.builddir) and held
    print("check-layers: all rules hold" if held else "check-layers: FAILED")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
