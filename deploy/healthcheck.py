"""Exit 0 if the process in this container answers HEALTH_PATH with 200; else 1, and say what it answered."""

# ruff: noqa: INP001 - a script of the image, in no package

import os
import sys
from http.client import HTTPConnection, HTTPException

# http.client, not urllib: it knows no proxies, and every import is paid again at each check.
connection = HTTPConnection("127.0.0.1", int(os.environ["HTTP_PORT"]), timeout=4)
try:
    connection.request("GET", os.environ["HEALTH_PATH"])
    answer = connection.getresponse()
    text = answer.read(1000).decode("utf-8", "replace")
except (OSError, HTTPException) as error:
    sys.exit(f"no answer: {error}")
if answer.status != 200:
    sys.exit(f"{answer.status} {text}")
