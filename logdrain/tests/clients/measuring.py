"""Where the server is, who may do what there, and small things that both clients' scripts use."""

import os
import time

HOST = os.environ["LOGDRAIN_HOST"]
RECORD = os.environ["LOGDRAIN_RECORD_TOKEN"]
READ = os.environ["LOGDRAIN_READ_TOKEN"]
# A second that is not over: all of it is in one step of an answer.
NOW = int(time.time())


def fails(what, with_a):
    """The error of what must fail."""
    try:
        what()
    except with_a as error:
        return error
    raise AssertionError("it did not fail")


def is_read(read, expected):
    """What each line of an answer says in its last step, by the value of its tag, once all that was sent is counted."""
    until = time.time() + 60
    found = None
    while found != expected:
        assert time.time() < until, f"{found}, and not {expected}"
        try:
            found = {"".join(line["tags"].values()): line["measurements"][-1]["value"] for line in read()["series"]}
        except Exception as error:
            # Nothing of it is there yet.
            found = error
        time.sleep(0.1)
