"""A Flask application as people write it."""
from wsgiref.validate import validator

from flask import (Flask, Response, abort, jsonify, redirect, request, send_file, session,
                   url_for)
from markupsafe import escape

application = Flask(__name__)
application.secret_key = "for tests"
validated = validator(application)


@application.get("/hello/<name>")
def hello(name):
    """Greet."""
    return f"<p>{escape(request.args.get('greeting', 'hello'))}, {escape(name)}!</p>"


@application.post("/login")
def login():
    """Remember the name in the session."""
    session["name"] = request.form["name"]
    return redirect(url_for("whoami"))


@application.get("/whoami")
def whoami():
    """Tell the name of the session."""
    return session.get("name", "nobody")


@application.post("/upload")
def upload():
    """Tell what was uploaded."""
    file = request.files["file"]
    data = file.read()
    return jsonify(name=file.filename, size=len(data), sum=sum(data))


@application.route("/json", methods=["GET", "POST"])
def answer_json():
    """Send JSON back."""
    return jsonify(got=request.get_json(), method=request.method)


@application.get("/stream")
def stream():
    """Yield rows."""
    return Response((f"row {number}\n" for number in range(100)), mimetype="text/plain")


@application.get("/abort")
def aborted():
    """Answer 418."""
    abort(418)


@application.get("/file")
def file():
    """Send this file, as a download."""
    return send_file(__file__, mimetype="text/plain", conditional=True)


@application.get("/crash")
def crash():
    """Raise."""
    return 1 // 0
