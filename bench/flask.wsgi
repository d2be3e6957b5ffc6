from flask import Flask

application = Flask("bench")


@application.get("/")
def index():
    return "Hello, world!", {"Content-Type": "text/plain"}
