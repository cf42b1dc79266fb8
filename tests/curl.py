"""Does what the README asks of curl, for machines that have none."""

import sys
from argparse import ArgumentParser
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit


def main() -> None:
    """Send one request and print the body of the answer."""
    parser = ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-f", action="store_true")
    parser.add_argument("-o", dest="output")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", "--data-binary", dest="data")
    asked = parser.parse_args()
    data = sys.stdin.read() if asked.data == "@-" else asked.data
    method = asked.method or ("GET" if data is None else "POST")
    headers = dict(header.split(": ", 1) for header in asked.headers)
    parts = urlsplit(asked.url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    connection.request(method, parts.path, data, headers)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    if asked.f and response.status >= HTTPStatus.BAD_REQUEST:
        sys.exit(22)
    if asked.output is None:
        sys.stdout.buffer.write(answer)
    else:
        Path(asked.output).write_bytes(answer)


if __name__ == "__main__":
    main()
