"""Hello world and nothing else: the work of the ratio, without the table of works.wsgi."""


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [b"Hello, world!"]
