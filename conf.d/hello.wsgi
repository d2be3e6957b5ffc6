"""A page that shows that it works. What `make serve` serves when APP is not given.

A program that asks (curl) gets a line of text, a browser gets a page with the
WSGI environ. Do not put this on a public server: it shows the environ to everybody.
"""

import html
import platform
import sys

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>It works: {product}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem;
       color: #1d2433; background: #fff }}
h1 {{ font-size: 1.6rem; margin-bottom: 0 }}
p {{ margin-top: .3rem }}
table {{ border-collapse: collapse; width: 100%; font: 13px/1.45 ui-monospace, monospace }}
th, td {{ text-align: left; vertical-align: top; padding: .25rem .6rem; border-bottom: 1px solid #e3e6ec;
         overflow-wrap: anywhere }}
th {{ font-weight: 600; width: 18rem }}
@media (prefers-color-scheme: dark) {{
  body {{ color: #e4e7ee; background: #14171d }} th, td {{ border-color: #2b303a }}
}}
</style>
</head>
<body>
<h1>It works.</h1>
<p>{summary}</p>
<table>
{rows}
</table>
</body>
</html>
"""


def product(environ):
    """Name and version of the server, such as "wsgigw 0.1.0"."""
    for name in ("wsgigw", "mod_wsgi"):
        version = environ.get(name + ".version")
        if version:
            return name + " " + (version if isinstance(version, str) else ".".join(map(str, version)))
    return "a WSGI server"


def summary(environ):
    where = environ.get("SERVER_SOFTWARE", "an unknown server")
    return f"{product(environ)} in {where}, Python {platform.python_version()}"


def text_page(environ):
    return f"Hello, world! This is {summary(environ)}.\n"


def html_page(environ):
    rows = "\n".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(repr(value))}</td></tr>"
        for name, value in sorted(environ.items())
    )
    facts = f"{summary(environ)}. sys.prefix is {sys.prefix}. This request's environ:"
    return PAGE.format(product=html.escape(product(environ)), summary=html.escape(facts), rows=rows)


def application(environ, start_response):
    if "text/html" in environ.get("HTTP_ACCEPT", ""):
        kind, page = "text/html", html_page(environ)
    else:
        kind, page = "text/plain", text_page(environ)
    body = page.encode("utf-8", "backslashreplace")
    start_response("200 OK", [
        ("Content-Type", kind + "; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Vary", "Accept"),
        ("Cache-Control", "no-store"),
    ])
    return [body]
