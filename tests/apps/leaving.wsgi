"""What may be under way when httpd leaves: sleeping requests, threads, atexit."""
import atexit
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from appkit import Routes, argument, note, start

routes = Routes()
application = routes.application


@routes("/atexit")
def at_exit(environ, start_response):
    """Note the end of the interpreter."""
    atexit.register(note, {"WGW_WORK": environ["WGW_WORK"]}, "atexit ran",
                    argument(environ, "key"))
    start(start_response)
    return [b"registered"]


@routes("/sleep")
def sleep(environ, start_response):
    """A request that takes long, in Python's time.sleep."""
    note(environ, "sleeping")
    time.sleep(float(argument(environ, "seconds")))
    start(start_response)
    return [b"slept"]


@routes("/spin")
def spin(environ, start_response):
    """A request that never ends and never waits."""
    note(environ, "spinning")
    while True:
        pass


@routes("/thread")
def thread(environ, start_response):
    """Start a thread that goes on for ever; daemon or not."""
    def run():
        note({"WGW_WORK": folder}, "running", key)
        while True:
            time.sleep(0.01)
    folder, key = environ["WGW_WORK"], argument(environ, "key")
    threading.Thread(target=run, daemon=argument(environ, "daemon") == "1").start()
    start(start_response)
    return [b"started"]


@routes("/thread-ends")
def thread_ends(environ, start_response):
    """Start a non-daemon thread that ends soon; it and the interpreter's end are noted."""
    def run():
        time.sleep(0.3)
        note({"WGW_WORK": folder}, "thread ended", key)
    folder, key = environ["WGW_WORK"], argument(environ, "key")
    atexit.register(note, {"WGW_WORK": folder}, "atexit ran", key)
    threading.Thread(target=run, daemon=False).start()
    start(start_response)
    return [b"started"]
