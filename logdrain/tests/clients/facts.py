"""What the server was sent, and small things that all scripts use."""

import os

TOKEN = os.environ["PAPERTRAIL_API_TOKEN"]
# So many lines `line N of many`, of one system, from program `app/web.1`.
LINES = int(os.environ["LOGDRAIN_LINES"])
SYSTEM = os.environ["LOGDRAIN_SYSTEM"]
# Hours that are archived; `none` while there are none.
FOLDER = os.environ["LOGDRAIN_FOLDER"]


def number(message):
    """The number of a line."""
    word, number, _ = message.split(" ", 2)
    assert word == "line", message
    return int(number)


def all_lines(numbers):
    """Each line once, in its order."""
    numbers = list(numbers)
    assert numbers == list(range(LINES)), f"{len(numbers)} of {LINES}: {numbers[:5]} ... {numbers[-5:]}"


def fails(what, with_a=Exception):
    """The error of what must fail."""
    try:
        what()
    except with_a as error:
        return error
    raise AssertionError("it did not fail")
