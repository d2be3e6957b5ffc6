"""What mod_wsgigw offers to the applications it serves.

version             (major, minor, micro) of mod_wsgigw: tuple of int
process_group       name of the daemon process group: str, '' in embedded mode
application_group   name of the interpreter's application group: str, '' for the main one
FileWrapper         the class of wsgi.file_wrapper (PEP 3333)
RequestTimeout      raised in a request that has run out of time: a BaseException
LogHandler          a logging.Handler that writes to httpd's error log, at the record's level

The names that begin with an underscore are called by the C part.
"""

import codecs
import importlib
import io
import logging
import os
import signal
import sys
import threading
import time
import traceback
import types
import warnings

import _wsgigw
from _wsgigw import FileWrapper, RequestTimeout

__all__ = ["version", "process_group", "application_group",
           "FileWrapper", "RequestTimeout", "LogHandler"]

version = (0, 1, 0)
process_group = ""
application_group = ""

_CRIT, _ERR, _WARN, _INFO, _DEBUG = 2, 3, 4, 6, 7  # as of syslog(3)


def _log(level, text):
    _wsgigw.log(level, text.encode("utf-8", "backslashreplace"))


class LogHandler(logging.Handler):
    """Write log records to httpd's error log, keeping their level.

    CRITICAL becomes crit, ERROR error, WARNING warn, INFO info and everything
    below debug; `LogLevel wsgi:...` decides what is written. A record of
    several lines becomes several lines of the log. Within a request it lands
    in the log of the request's virtual host, with the client and request id.
    """

    def emit(self, record):
        try:
            text = self.format(record)
            _log(_level_of(record.levelno), text)
        except Exception:  # as every logging.Handler does: logging must not raise
            self.handleError(record)


def _level_of(levelno):
    for least, level in ((logging.CRITICAL, _CRIT), (logging.ERROR, _ERR),
                         (logging.WARNING, _WARN), (logging.INFO, _INFO)):
        if levelno >= least:
            return level
    return _DEBUG


# --- sys.stdout and sys.stderr ---------------------------------------------------


class _StandardStream(io.TextIOBase):
    """Text stream into the error log, with what programs expect of sys.stdout."""

    encoding, errors, mode, line_buffering = "utf-8", "backslashreplace", "w", True

    def __init__(self, name):
        self.name = name
        self._stream = _wsgigw.log_stream(_ERR)
        self.buffer = _StandardBuffer(self)

    def write(self, text):
        return self._stream.write(text)

    def flush(self):
        self._stream.flush()

    def close(self):
        """Do nothing: the log stays open."""

    def writable(self):
        return True

    def fileno(self):
        """Return httpd's own standard error, for faulthandler and child processes."""
        return 2

    def reconfigure(self, **options):
        """Do nothing: encoding and buffering are the log's."""


class _StandardBuffer(io.BufferedIOBase):
    """The bytes below a _StandardStream."""

    def __init__(self, text):
        self._text = text
        self.name, self.mode, self.raw = text.name, "wb", self
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def write(self, data):
        data = bytes(data)
        self._text.write(self._decoder.decode(data))
        return len(data)

    def flush(self):
        self._text.flush()

    def close(self):
        """Do nothing: the log stays open."""

    def writable(self):
        return True

    def fileno(self):
        return self._text.fileno()


# --- setting up and winding up an interpreter ---------------------------------


_owns_gil = False
_server_pid, _set_signal = 0, None  # a forked copy has its signals back


def _set_up(process, group, folders, owns_gil):
    """Make the attached interpreter ready; `folders` go to the front of sys.path."""
    global process_group, application_group, _owns_gil, _server_pid, _set_signal
    process_group, application_group, _owns_gil = process, group, owns_gil
    sys.argv[:] = ["mod_wsgi"]
    sys.stdout = sys.__stdout__ = _StandardStream("<stdout>")
    sys.stderr = sys.__stderr__ = _StandardStream("<stderr>")
    warnings.showwarning = _show_warning
    _server_pid, _set_signal = os.getpid(), signal.signal
    signal.signal = _ignore_signal
    _add_folders(folders)


def _ignore_signal(signalnum, handler):
    """The signals of a server process are the server's. Takes the place of signal.signal()."""
    if os.getpid() != _server_pid:
        return _set_signal(signalnum, handler)
    _log(_INFO, f"WGW0018: signal.signal({signalnum}) is ignored: the signals of this process are "
                f"the server's; called from\n{''.join(traceback.format_stack(sys._getframe(1)))}")
    return signal.getsignal(signalnum)


def _add_folders(folders):
    """Do what site.addsitedir() does, but put what it adds first (WSGIPythonPath)."""
    if not folders:
        return
    import site

    before = list(sys.path)
    for folder in folders:
        site.addsitedir(folder)
    added = [entry for entry in sys.path if entry not in before]
    named = [entry for entry in folders if entry in before]
    front = named + added
    sys.path[:] = front + [entry for entry in sys.path if entry not in front]


def _show_warning(message, category, filename, lineno, file=None, line=None):
    text = warnings.formatwarning(message, category, filename, lineno, line)
    if file is None or file is sys.stderr:
        _log(_WARN, text)
    else:
        file.write(text)


def _wind_up(is_main, stays):
    """Let threads and atexit finish, as at the end of any Python.

    True when the interpreter may be ended: no thread is left in it, or it is the
    main one, which stops its daemon threads by itself; unless it stays, because
    another interpreter could not be ended.
    """
    import _thread
    import atexit

    threading._shutdown()
    if is_main and not stays:
        return True  # ending it runs atexit
    if not stays and _thread._count() == 0:
        threading._shutdown = lambda: None  # 3.12 calls it again, where it asserts that it was not
        return True
    atexit._run_exitfuncs()
    return False


# --- exceptions ----------------------------------------------------------------


def _report(heading, exception, trace):
    """Log an exception with its whole traceback, without our own frames at its top."""
    while trace and trace.tb_frame.f_code.co_filename == "<wsgigw>":
        trace = trace.tb_next
    lines = traceback.format_exception(type(exception), exception, trace)
    _log(_ERR, f"{heading}{_where()}\n{''.join(lines)}")
    _advise(exception)


_advised = set()  # what _advise() has been said of


def _chain(exception):
    """Yield an exception and what it was raised from or after."""
    seen = set()  # a chain may be a ring
    while exception is not None and id(exception) not in seen:
        seen.add(id(exception))
        yield exception
        exception = exception.__cause__ or exception.__context__


def _advise(exception):
    """Say what to do where an extension module refuses this interpreter: once of each."""
    refusals = [error for error in _chain(exception)
                if isinstance(error, ImportError) and "subinterpreter" in str(error)]
    text = str(refusals[-1]) if refusals else ""
    if not text or text in _advised or not application_group:
        return
    _advised.add(text)
    group = application_group.replace('"', '\\"')
    _log(_ERR, f"WGW0180: an extension module cannot be used in the interpreter of application group "
               f"'{application_group}' ({text}): {_remedy(group)}")


def _remedy(group):
    in_main = "serve it in the main interpreter: WSGIApplicationGroup %{GLOBAL}"
    if not _owns_gil:
        return in_main
    process = f'process-group="{process_group}" ' if process_group else ""
    return ("let it share the GIL of its process: <WSGIInterpreterOptions "
            f'{process}application-group="{group}"> with WSGIPerInterpreterGIL Off in it; or {in_main}')


def _where():
    """' in group ...' unless it is the main interpreter."""
    return f" (application group '{application_group}')" if application_group else ""


class _Refused(Exception):
    """A target cannot be called; the reason is in the log already."""

    def __init__(self, http_status):
        super().__init__(http_status)
        self.http_status = http_status


# --- scripts -------------------------------------------------------------------

_FIRST_DELAY, _LONGEST_DELAY = 1.0, 60.0  # seconds between tries of a failing import


class _Failure:
    """Why a script did not load, and when to try again."""

    def __init__(self, exception, files, http_status, before):
        self.summary = "".join(traceback.format_exception_only(type(exception), exception)).strip()
        self.files = {path: _identity(path) for path in files}
        self.http_status = http_status
        is_same = before is not None and before.files == self.files
        self.first = before.first if is_same else self.summary
        self.delay = min(before.delay * 2, _LONGEST_DELAY) if is_same else _FIRST_DELAY
        self.retry_at = time.monotonic() + self.delay

    def is_due(self):
        """True after the back-off, or when a file that took part has changed."""
        return (time.monotonic() >= self.retry_at
                or any(_identity(path) != seen for path, seen in self.files.items()))


def _identity(path):
    """(dev, ino, mtime in microseconds, size) of a file, or None when it is not there."""
    try:
        return _identity_of(os.stat(path))
    except OSError:
        return None


def _identity_of(status):
    return (status.st_dev, status.st_ino, status.st_mtime_ns // 1000, status.st_size)


def _new_script(key):
    script = _wsgigw.Script()
    script.key = key
    script.lock = threading.Lock()
    return script


_STALE = 1000  # WGW_BRIDGE_STALE


def _load(script, seen, wait, keeps):
    """Make `script` current: load it for the first time, or anew.

    seen   what the request saw of the file, (dev, ino, mtime_us, size), or None
    wait   seconds to wait for another thread that is loading it
    keeps  what was loaded is not loaded anew: another process will have the new code
    Raises _Refused.
    """
    if not script.lock.acquire(timeout=wait):
        _log(_ERR, f"WGW0012: '{_shown(script)}' is still being imported by another request; "
                   "this one waited as long as Timeout allows and gets 503")
        raise _Refused(503)
    try:
        if script.namespace is not None and (seen is None or _is_loaded(script)):
            return  # another thread has done it meanwhile
        if script.namespace is not None and keeps:
            raise _Refused(_STALE)
        if script.failure is None or script.failure.is_due():
            _try_load(script)
        if script.namespace is None:
            raise _Refused(script.failure.http_status)
    finally:
        script.lock.release()


def _is_loaded(script):
    """True when the file is now what was loaded; what the request saw of it may be older."""
    return _identity(script.key) == _loaded_identity(script)


def _loaded_identity(script):
    return (script.dev, script.ino, script.mtime_us, script.size)


def _shown(script):
    return script.key.removeprefix("module:")


def _try_load(script):
    try:
        if script.key.startswith("module:"):
            namespace, identity = _import_module(_shown(script)), (0, 0, 0, 0)
        else:
            namespace, identity = _run_script(script.key)
    except BaseException as exception:  # SystemExit must not end httpd either
        _note_failure(script, exception)
        return
    script.dev, script.ino, script.mtime_us, script.size = identity
    script.namespace, script.failure = namespace, None


def _import_module(name):
    return importlib.import_module(name).__dict__


def _module_name(path):
    import hashlib

    digest = hashlib.md5(os.fsencode(path), usedforsecurity=False).hexdigest()
    return f"_mod_wsgi_{digest}"


def _run_script(path):
    """Run a script file as a module of its own. Returns its namespace and identity."""
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        source = file.read()
    code = compile(source, path, "exec", dont_inherit=True)
    name = _module_name(path)
    module = types.ModuleType(name)
    module.__file__ = path
    module.__mtime__ = status.st_mtime
    before = sys.modules.get(name)
    sys.modules[name] = module  # pickle, dataclasses and others look there
    try:
        exec(code, module.__dict__)
    except BaseException:
        sys.modules.pop(name, None)
        if before is not None:
            sys.modules[name] = before
        raise
    return module.__dict__, _identity_of(status)


def _note_failure(script, exception):
    """Remember a failed load, and log it unless it is the one that is known."""
    http_status = 403 if _is_forbidden(script, exception) else 500
    known = script.failure
    failure = _Failure(exception, _files_of(script, exception), http_status, known)
    script.failure = failure
    if known and known.summary == failure.summary and known.files == failure.files:
        return
    _log_failure(script, failure, exception)


def _is_forbidden(script, exception):
    return isinstance(exception, PermissionError) and exception.filename == script.key


def _files_of(script, exception):
    """The files whose change may mend it: the script, and what the traceback names."""
    files = {_shown(script)} if not script.key.startswith("module:") else set()
    for cause in _chain(exception):
        files.update(frame.f_code.co_filename
                     for frame, _ in traceback.walk_tb(cause.__traceback__))
        if isinstance(cause, SyntaxError):
            files.add(cause.filename)
    return {path for path in files if isinstance(path, str) and os.path.isabs(path)}


def _log_failure(script, failure, exception):
    if failure.http_status == 403:
        _log(_ERR, f"WGW0013: '{script.key}' may not be read by the server's user "
                   f"(uid {os.geteuid()}, gid {os.getegid()}); requests get 403. Give that user "
                   "read permission for the file and search permission for its folders")
        return
    if script.namespace is not None:
        effect = "the code that was loaded before goes on serving"
    else:
        effect = f"requests get {failure.http_status}"
    advice = ""
    if isinstance(exception, SystemExit):
        advice = " (it called sys.exit() while being imported)"
    elif isinstance(exception, ModuleNotFoundError):
        where = ("python-home= and python-path= of WSGIDaemonProcess" if process_group
                 else "WSGIPythonHome and WSGIPythonPath")
        advice = (f" (module '{exception.name}' was looked for by Python "
                  f"{sys.version.split()[0]} in {sys.prefix}; see {where})")
    again = "" if failure.first == failure.summary else f" The first failure was: {failure.first}."
    _report(f"WGW0014: '{_shown(script)}' could not be loaded{advice}; {effect} until a file "
            f"that took part changes, or the next try in {failure.delay:.0f} s.{again}",
            exception, exception.__traceback__)


# --- callables -----------------------------------------------------------------

_MOST_MISSING = 1000
_missing = set()  # (key, name, identity) of callables that were reported


def _find_callable(script, name):
    """Find a callable by its name, dots allowed. Raises _Refused when there is none."""
    found = script.namespace.get(name)
    if found is None and "." in name:
        found = _walk(script.namespace, name)
    if callable(found):
        return found
    known = (script.key, name, _loaded_identity(script))
    if known not in _missing:
        if len(_missing) >= _MOST_MISSING:
            _missing.clear()  # a client may choose the name, by SetEnvIf and %{ENV:x}
        _missing.add(known)
        _log(_ERR, _missing_text(script, name, found))
    raise _Refused(500)


def _walk(namespace, name):
    first, *rest = name.split(".")
    found = namespace.get(first)
    for attribute in rest:
        found = getattr(found, attribute, None)
    return found


def _missing_text(script, name, found):
    if found is not None:
        return (f"WGW0015: '{name}' in '{_shown(script)}' is not callable: it is of type "
                f"'{type(found).__name__}'; requests get 500. A WSGI application is a function "
                "or an object with __call__(environ, start_response)")
    names = sorted(key for key, value in script.namespace.items()
                   if callable(value) and not key.startswith("_"))
    there = f"it has: {', '.join(names[:10])}" if names else "it has no callable at all"
    return (f"WGW0016: there is no '{name}' in '{_shown(script)}'; requests get 500. {there}. "
            "Name the right one with WSGICallableObject or callable-object=")


# --- files ---------------------------------------------------------------------

_READING = ("read", "readinto", "readall", "read1", "fileno", "tell", "seek")


def _is_plain(file, base):
    """True for a `base` whose way of reading is that of `base` itself."""
    kind = type(file)
    return kind is base or (isinstance(file, base) and all(
        getattr(kind, name, None) is getattr(base, name, None) for name in _READING))


def _plain_file(wrapper):
    """(descriptor, offset, path or None) if the rest of the wrapped file can be sent as
    it is, or None.

    Anything that is not a file of `io` (gzip, an encrypting wrapper, a subclass
    that reads in its own way) may have a descriptor and still yield other bytes.
    """
    kind = type(wrapper)
    if kind.__iter__ is not FileWrapper.__iter__ or kind.__next__ is not FileWrapper.__next__:
        return None
    file = _without_temporary(wrapper.filelike)
    is_buffered = _is_plain(file, io.BufferedReader) or _is_plain(file, io.BufferedRandom)
    raw = file.raw if is_buffered else file
    if not _is_plain(raw, io.FileIO):
        return None
    try:
        if not raw.readable():
            return None
        if isinstance(file, io.BufferedRandom):
            file.flush()
        path = os.fsencode(raw.name) if isinstance(raw.name, (str, bytes)) else None
        return raw.fileno(), file.tell(), path
    except (OSError, ValueError):  # a pipe, or a closed file: reading it will tell
        return None


def _without_temporary(file):
    tempfile = sys.modules.get("tempfile")
    if tempfile and type(file) is tempfile._TemporaryFileWrapper:
        return file.file
    return file
