"""appoptics-metrics 5.1.0: single measurements, a queue, an aggregator; and what it reads back."""

import appoptics_metrics
from appoptics_metrics.aggregator import Aggregator
from appoptics_metrics.exceptions import ClientError, Forbidden, Unauthorized

from measuring import HOST, NOW, READ, RECORD, fails, is_read


def connect(token):
    return appoptics_metrics.connect(token, hostname=HOST, protocol="http")


api = connect(RECORD)
api.submit("ao.tagged", 7, tags={"region": "us"}, time=NOW)
api.submit("ao.tagged", 9, tags={"region": "eu"}, time=NOW)
with api.new_queue(tags={"host": "box"}) as queue:
    for number in range(700):
        queue.add("ao.queue", number, time=NOW)
aggregator = Aggregator(api, tags={"region": "eu"})
for number in range(5):
    aggregator.add_tagged("ao.summed", number)
aggregator.submit()

error = fails(lambda: api.submit("ao.late", 1, tags={"a": "b"}, time=NOW - 90_000), ClientError)
assert error.code == 422 and "time" in str(error), error
assert fails(lambda: connect("wrong").submit("ao.x", 1, tags={"a": "b"}), Unauthorized).code == 401
assert fails(lambda: connect(READ).submit("ao.x", 1, tags={"a": "b"}), Forbidden).code == 403

reader = connect(READ)


def read(name, **asked):
    return lambda: reader.get_measurements(name, duration=600, resolution=3600, **asked)


is_read(read("ao.tagged"), {"us": 7.0, "eu": 9.0})
is_read(read("ao.tagged", tags={"region": "us"}), {"us": 7.0})
is_read(read("ao.queue", summary_function="count"), {"box": 700.0})
is_read(read("ao.summed", summary_function="sum"), {"eu": 10.0})
