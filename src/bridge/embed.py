"""Turn wsgigw.py into a C header: embed.py SOURCE > HEADER."""

import sys


def main():
    with open(sys.argv[1], "rb") as source:
        data = source.read()
    compile(data, sys.argv[1], "exec")  # a syntax error stops the build, not the server
    numbers = ", ".join(str(byte) for byte in data + b"\0")
    print(f"/* Made from {sys.argv[1].rsplit('/', 1)[-1]} by embed.py. */")
    print(f"static const char WSGIGW_PY_SOURCE[] = {{ {numbers} }};")


if __name__ == "__main__":
    main()
