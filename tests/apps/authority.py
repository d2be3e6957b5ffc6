"""Scripts of authentication and access: what is answered, the name of the user or of the host says.

The suffix is .py, as many have it; there is no WSGI application in it.
"""
import json
import os
import time

SECRET = "sesame"


def shown(environ):
    """Return what of environ JSON can show, and the names of the rest."""
    known = {key: value if isinstance(value, (str, bool, int, float, list, tuple)) else repr(type(value))
             for key, value in environ.items()}
    known["https"] = environ["mod_ssl.is_https"]()
    lookup = environ["mod_ssl.var_lookup"]
    known["protocol"] = lookup and lookup("SSL_PROTOCOL")
    known["pid"] = os.getpid()
    return known


def show(environ, **more):
    """Write environ into the log of the request."""
    for name, value in {**shown(environ), **more}.items():
        print("SHOWN " + json.dumps([name, value]), file=environ["wsgi.errors"])
    print("SHOWN [\"complete\", true]", file=environ["wsgi.errors"])


def raise_error():
    """Raise what a script may raise."""
    raise ValueError("it does not work")


def leave():
    """Raise what is not an Exception."""
    raise SystemExit(3)


def hang():
    """Take longer than is allowed."""
    time.sleep(20)
    return True


ANSWERS = {
    "integer": lambda: 1, "zero": lambda: 0, "float": lambda: 1.5, "list": lambda: [True],
    "empty-list": lambda: [], "bytes": lambda: b"x", "empty": lambda: "", "object": object,
    "newline": lambda: "a\nb", "nul": lambda: "a\0b", "long": lambda: "x" * 1025,
    "surrogate": lambda: "\udc80", "raises": raise_error, "leaves": leave, "hangs": hang,
}
"""What is no answer, by the name of the user."""


def check_password(environ, user, password):
    """Return what the user's name says."""
    if user in ANSWERS:
        return ANSWERS[user]()
    if user == "unknown":
        return None
    if user == "denied":
        return False
    if user == "shows":
        show(environ, user=user)
    if user == "renamed":
        return "another"
    if user == "müller":
        return password == "größe" and "müller-2"
    if user == "blank":
        return password == ""
    if user == "colon":
        return password == "a:b:c"
    return password == SECRET


def get_realm_hash(environ, user, realm):
    """Return MD5 of user:realm:password."""
    import hashlib
    if user in ANSWERS:
        return ANSWERS[user]()
    if user == "unknown":
        return None
    if user == "true":
        return True
    digest = hashlib.md5(f"{user}:{realm}:{SECRET}".encode()).hexdigest()
    return digest.encode() if user == "as-bytes" else digest


def failing_groups():
    """Yield a group, then fail."""
    yield "others"
    raise_error()


GROUPS = {
    "huge": lambda: (f"group{i}" for i in range(200000)), "none": lambda: None, "text": lambda: "staff",
    "numbers": lambda: [1, 2], "failing": failing_groups, "raises-groups": raise_error,
    "nobody": lambda: [], "as-bytes": lambda: [b"staff"], "umlaut": lambda: ["größe"],
    "staff-and-failing": lambda: iter_then_fail("staff"), "true": lambda: True,
}


def iter_then_fail(name):
    """Yield what grants, then fail, which nobody sees."""
    yield name
    raise_error()


def groups_for_user(environ, user):
    """Return the groups that the user's name says."""
    if user == "shows":
        show(environ, groups=True)
    return GROUPS.get(user, lambda: ["staff", "others"])()


def allow_access(environ, host):
    """Return what the query says."""
    query = environ["QUERY_STRING"]
    if query == "shows":
        show(environ, host=host)
    if query in ANSWERS:
        return ANSWERS[query]()
    return {"none": None, "false": False, "text": "True"}.get(query, True)
