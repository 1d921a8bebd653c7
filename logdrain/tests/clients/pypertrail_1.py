"""pypertrail 1.0.0: what it changes is in the query, with an empty body; it invites by GET."""

import os

from facts import LINES, SYSTEM, TOKEN, number
from pypertrail.accounts import Account
from pypertrail.archives import Archive
from pypertrail.groups import Group
from pypertrail.saved_searches import SavedSearch
from pypertrail.search import Search
from pypertrail.systems import System
from pypertrail.users import User


def search():
    client = Search(TOKEN)
    found = client.events(query="line")
    numbers = [number(event["message"]) for event in found["events"]]
    assert numbers == list(range(LINES))[-1000:], numbers
    # It follows backwards, page by page.
    found = client.events(query="line", follow=True)
    assert len(found["events"]) == max(LINES - 1000, 0), len(found["events"])
    found = client.events(query="line", min_id="0", max_id=found["max_id"])
    assert found["events"]
    assert client.events(system_id="none-such")["status_code"] == 404
    assert Search("wrong").events()["status_code"] == 401
    assert "message" in Search("wrong").events()
    assert len(client.events(query='"line 7 of"', system_id=SYSTEM)["events"]) == 1


def objects():
    systems, groups, searches, users = System(TOKEN), Group(TOKEN), SavedSearch(TOKEN), User(TOKEN)
    assert SYSTEM in [system["name"] for system in systems.list()]
    made = systems.create({"system[name]": "pyper", "system[hostname]": "pyper", "destination_port": 0})
    made = made if "id" in made else systems.create({"system[name]": "pyper", "system[hostname]": "pyper"})
    assert made["name"] == "pyper", made
    assert systems.show(made["id"])["name"] == "pyper"
    assert "status_code" not in systems.update(made["id"], {"system[ip_address]": "192.0.2.9"})
    ids = [group["id"] for group in groups.list()]
    assert "status_code" not in systems.join_group(made["id"], {"group_id": ids[0]})
    search = searches.create({"search[name]": "pyper", "search[query]": "line"})
    assert searches.show(search["id"])["query"] == "line"
    assert "status_code" not in searches.update(search["id"], {"search[query]": "other"})
    assert searches.delete(search["id"])["message"] == "Search deleted"
    assert systems.delete(made["id"])["message"] == "System deleted"
    users.invite({"user[email]": "pyper@example.com", "user[read_only]": 1})
    member = [user for user in users.list() if user["email"] == "pyper@example.com"][0]
    assert "status_code" not in users.delete(member["id"])
    assert "log_data_transfer_used" in Account(TOKEN).list()


def archives():
    found = Archive(TOKEN).list()
    assert found and found[0]["filename"].endswith(".tsv.gz"), found


PARTS = {"search": search, "objects": objects, "archives": archives}
for part in os.environ["LOGDRAIN_PARTS"].split(","):
    PARTS[part]()
