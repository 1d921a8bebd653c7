"""paperctl 1.2.0: its models are strict about types; it pages back, asks on a connection that it keeps, and takes gzip."""

import gzip
import os
from datetime import datetime, timedelta, timezone

from facts import LINES, SYSTEM, TOKEN, all_lines, fails, number
from paperctl.client.api import PapertrailClient
from paperctl.client.exceptions import APIError, AuthenticationError

client = PapertrailClient(TOKEN)


def search():
    found = client.search(query="line", limit=100)
    assert [number(event.message) for event in found.events] == list(range(LINES - 100, LINES))
    event = found.events[0]
    assert event.id.isdigit() and event.source_name == SYSTEM and event.program == "app/web.1", event
    pages = []
    for event in client.search_iter(query="line", page_limit=300):
        pages.append(number(event.message))
    # Within a page the oldest comes first.
    all_lines(sorted(pages))
    hour = datetime.now(timezone.utc) - timedelta(hours=1)
    within = {number(event.message) for event in client.search_iter(query="line", min_time=hour, page_limit=300)}
    assert within == set(range(LINES)), len(within)
    # It follows by the last id.
    found = client.search(query="line", min_id=found.max_id)
    assert not found.events and found.max_id
    assert len(list(client.search_iter(query="line", total_limit=7, page_limit=5))) == 7
    fails(lambda: PapertrailClient("wrong").search(), AuthenticationError)
    error = fails(lambda: client.search(limit=0), APIError)
    assert "limit" in str(error), error


def objects():
    systems = client.list_systems()
    system = [system for system in systems if system.name == SYSTEM][0]
    assert client.get_system(system.id).name == SYSTEM
    found = client.search(query="line", system_id=system.id, limit=5)
    assert len(found.events) == 5
    groups = client.list_groups()
    assert SYSTEM in [system.name for system in client.get_group(groups[0].id).systems]
    assert len(client.search(query="line", group_id=groups[0].id, limit=5).events) == 5


def archives():
    archives = client.list_archives()
    archive = archives[0]
    content = client.download_archive(archive.filename)
    assert len(content) == archive.filesize and gzip.decompress(content).count(b"\n") > 0


PARTS = {"search": search, "objects": objects, "archives": archives}
for part in os.environ["LOGDRAIN_PARTS"].split(","):
    PARTS[part]()
