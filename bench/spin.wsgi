"""60 ms of processor time, of the thread itself, in Python code."""

import time

CPU_S = 0.06


def application(environ, start_response):
    end = time.thread_time() + CPU_S
    while time.thread_time() < end:
        sum(number for number in range(2000))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
    return [b"done"]
