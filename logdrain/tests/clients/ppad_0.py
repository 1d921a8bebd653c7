"""ppad 0.0.11: downloads all archives, ten at a time, by the links of their list."""

import os
import sys

from facts import FOLDER, TOKEN

if "archives" in os.environ["LOGDRAIN_PARTS"].split(","):
    import ppad
    import requests

    os.chdir(FOLDER)
    sys.argv = ["ppad"]
    ppad.main()
    listed = requests.get(ppad.ARCHIVES_URL, headers={"X-Papertrail-Token": TOKEN}).json()
    assert listed, "there are archives"
    for archive in listed:
        assert os.path.getsize(archive["filename"]) == int(archive["filesize"]), archive
else:
    # It asks for archives alone.
    import ppad

    assert ppad.HEADERS["X-Papertrail-Token"] == TOKEN
