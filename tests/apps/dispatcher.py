"""A dispatch script: the query says what it chooses."""
import os
import sys
from urllib.parse import parse_qs

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from authority import show


def chosen(environ, name):
    """Return the value of the query, None without."""
    query = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
    values = {"bytes": b"other", "number": 3, "none": None}
    value = query.get(name, [None])[0]
    if value == "raises":
        raise ValueError("it does not work")
    if value == "shows":
        show(environ)
        return None
    return values.get(value, value)


def process_group(environ):
    """Choose the processes."""
    return chosen(environ, "process")


def application_group(environ):
    """Choose the interpreter."""
    return chosen(environ, "application")


def callable_object(environ):
    """Choose the function."""
    return chosen(environ, "callable")
