"""The smallest Flask application: make serve APP=conf.d/flask.wsgi"""

from flask import Flask

application = Flask(__name__)


@application.get("/")
def index():
    return "Hello from Flask\n", {"Content-Type": "text/plain; charset=utf-8"}
