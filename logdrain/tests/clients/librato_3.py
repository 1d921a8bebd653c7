"""librato-metrics 3.1.0: single measurements, a queue, aggregators; and what it reads back."""

import librato
from librato.aggregator import Aggregator
from librato.exceptions import ClientError, Forbidden, Unauthorized

from measuring import HOST, NOW, READ, RECORD, fails, is_read


def connect(token):
    # By its own words it speaks TLS; a server on this machine has none here.
    return librato.connect("me@example.com", token, hostname=HOST, protocol="http")


api = connect(RECORD)
# As it was before there were tags.
api.submit("py.gauge", 4.5, source="web.1", measure_time=NOW)
api.submit("py.gauge", 1.5, source="web.1", measure_time=NOW)
api.submit("py.counter", 100, type="counter", source="web.1", measure_time=NOW)
# And since.
api.submit("py.tagged", 7, tags={"region": "us"}, time=NOW)
api.set_tags({"host": "box"})
api.submit("py.inherited", 3)
api.set_tags({})
# More than it sends in one request.
with api.new_queue() as queue:
    for number in range(1000):
        queue.add("py.queue", number, tags={"part": str(number % 3)}, time=NOW)
with api.new_queue() as queue:
    for number in range(10):
        queue.add("py.old", number, source="db.%d" % (number % 2), measure_time=NOW)
aggregator = Aggregator(api, source="web.2", measure_time=NOW)
for number in range(5):
    aggregator.add("py.aggregated", number)
aggregator.submit()
aggregator = Aggregator(api, tags={"region": "eu"})
for number in range(5):
    aggregator.add_tagged("py.summed", number)
aggregator.submit()

assert "422" in str(fails(lambda: api.submit("no such name", 1, tags={"a": "b"}), ClientError))
error = fails(lambda: api.submit("py.late", 1, tags={"a": "b"}, time=NOW - 90_000), ClientError)
assert error.code == 422 and "time" in str(error), error
assert fails(lambda: connect("wrong").submit("py.x", 1, tags={"a": "b"}), Unauthorized).code == 401
assert fails(lambda: connect(READ).submit("py.x", 1, tags={"a": "b"}), Forbidden).code == 403

reader = connect(READ)


def read(name, **asked):
    return lambda: reader.get_tagged(name, duration=600, resolution=3600, **asked)


is_read(read("py.gauge", summary_function="sum"), {"web.1": 6.0})
is_read(read("py.gauge", summary_function="max"), {"web.1": 4.5})
is_read(read("py.counter", summary_function="last"), {"web.1": 100.0})
is_read(read("py.tagged", tags={"region": "us"}), {"us": 7.0})
is_read(read("py.inherited"), {"box": 3.0})
is_read(read("py.queue", summary_function="count"), {"0": 334.0, "1": 333.0, "2": 333.0})
is_read(read("py.queue", summary_function="sum", group_by="*"), {"": 499500.0})
is_read(read("py.old", summary_function="sum"), {"db.0": 20.0, "db.1": 25.0})
is_read(read("py.aggregated", summary_function="max"), {"web.2": 4.0})
is_read(read("py.aggregated"), {"web.2": 2.0})
is_read(read("py.summed", summary_function="count"), {"eu": 5.0})
