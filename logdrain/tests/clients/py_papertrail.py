"""PyPapertrail 1.7: search, systems, groups, searches, destinations, users, accounts, archives."""

import gzip
import os
from datetime import datetime, timedelta, timezone

from facts import FOLDER, LINES, SYSTEM, TOKEN, all_lines, fails, number
from PyPapertrail.Destinations import Destinations
from PyPapertrail.Exceptions import AuthenticationError, BadRequestError, NotFoundError
from PyPapertrail.Groups import Groups
from PyPapertrail.Papertrail import Papertrail
from PyPapertrail.SavedSearches import SavedSearches
from PyPapertrail.Systems import Systems
from PyPapertrail.Usage import Usage
from PyPapertrail.Users import Users
from PyPapertrail.Archives import Archives

papertrail = Papertrail(api_key=TOKEN, do_load=False, use_warnings=False)


def search():
    found = papertrail.search(query="line", limit=100)
    assert [number(event.message) for event in found.events] == list(range(LINES - 100, LINES))
    event = found.events[-1]
    assert event.program == "app/web.1" and event.source_name == event.host_name == SYSTEM, event
    assert event.severity == "Info" and event.facility == "Local7", (event.severity, event.facility)
    assert event.source_ip == "127.0.0.1" and event.source_id > 0
    assert event.received_at.utcoffset() == timedelta(0), event.received_at
    assert abs(datetime.now(timezone.utc) - event.received_at) < timedelta(minutes=10)
    assert found.reached_record_limit and not found.reached_beginning
    # Back to the first line, page by page.
    seen = [number(event.message) for event in found.events]
    while not found.reached_beginning:
        found = papertrail.search(query="line", max_id=int(found.min_id), limit=100)
        seen = [number(event.message) for event in found.events] + seen
    all_lines(seen)
    # Forward from the first line, as it follows; and within a time, which it sends as a float.
    found = papertrail.search(query="line", min_id=0, limit=10)
    assert [number(event.message) for event in found.events] == list(range(10))
    hour = datetime.now(timezone.utc) - timedelta(hours=1)
    found = papertrail.search(query='"line 7 of"', min_time=hour, max_time=datetime.now(timezone.utc))
    assert [number(event.message) for event in found.events] == [7]
    found = papertrail.search(query="*", min_time=hour, system=SYSTEM, limit=5)
    assert len(found.events) == 5
    fails(lambda: papertrail.search(system="none-such"), NotFoundError)
    fails(lambda: papertrail.search(limit=0), BadRequestError)
    wrong = Papertrail(api_key="wrong", do_load=False, use_warnings=False)
    fails(lambda: wrong.search(), AuthenticationError)
    assert papertrail.rate_limits.limit > 0 and papertrail.rate_limits.remaining >= 0


def objects():
    systems = Systems(api_key=TOKEN, do_load=True)
    system = systems.get_by_name(SYSTEM)
    assert system.id > 0, system
    system.reload()
    destinations = Destinations(api_key=TOKEN, do_load=True)
    destination = destinations.destinations[0]
    assert destination.id > 0
    made = systems.register("made", host_name="made.example.com", destination_id=destination.id, description="by a client")
    assert made.name == "made" and made.last_event is None
    made.update(description="changed", ip_address="192.0.2.9")
    made.update(host_name="other.example.com")
    assert made.ip_address == "192.0.2.9"
    groups = Groups(api_key=TOKEN, do_load=True)
    assert any(group.name == "All Systems" for group in groups.groups)
    group = groups.create("shops", system_wildcard="sh*", systems=[made])
    assert group.name == "shops" and group.system_wildcard == "sh*"
    assert made in group.systems or made.id in [other.id for other in group.systems]
    group.update(name="more shops")
    assert SYSTEM in [other.name for other in group.systems], "by the wildcard"
    found = papertrail.search(query="line", group=group.id, limit=3)
    assert len(found.events) == 3
    group.remove_system(made)
    assert made.id not in [other.id for other in group.systems]
    group.add_system(made)
    searches = SavedSearches(api_key=TOKEN, do_load=True)
    search = searches.create("sevens", '"line 7"', group=group)
    assert search.query == '"line 7"' and search.group.id == group.id
    # It takes the link of a search for text, so that its own `update` and `reload` work with no server that sends objects.
    searches.reload()
    assert searches.get_by_name("sevens")[0].query == '"line 7"'
    groups.delete(group)
    systems.remove("made")
    users = Users(api_key=TOKEN, do_load=True)
    users.invite("reader@example.com", read_only=True, all_groups=True)
    users.reload()
    reader = users.get_by_email("reader@example.com")
    assert reader.id > 0
    users.delete(reader)
    usage = Usage(api_key=TOKEN, do_load=True)
    assert usage.data_used >= 0 and 0 <= usage.data_used_percent <= 100


def archives():
    archives = Archives(api_key=TOKEN, do_load=True)
    archive = archives.archives[0]
    assert archive.formatted_duration in ("1 hour", "1 day") and archive.file_size > 0
    done, size, path = archive.download(FOLDER, overwrite=True)
    assert done and size == os.path.getsize(path) == archive.file_size
    rows = gzip.open(path, "rt").read().splitlines()
    assert rows and all(len(row.split("\t")) == 10 for row in rows), rows[:3]


PARTS = {"search": search, "objects": objects, "archives": archives}
for part in os.environ["LOGDRAIN_PARTS"].split(","):
    PARTS[part]()
