"""Prepares the process from which servers are forked. The fork server imports this module last.

A server compiles SQL statements and templates when they are first needed, which takes longer than most tests. Forked
servers inherit those of the requests below. Objects that exist by then are exempt from garbage collection, which would
visit, and so copy, all memory that is shared with the fork server.
"""

import gc
from contextlib import closing, suppress
from tempfile import TemporaryDirectory

from structlog.testing import capture_logs

from tests import databases
from tests.api import filled
from tests.api.client import SECRET_KEY, Api
from tests.api.history import q
from treaty.settings import Secret, Settings
from treaty.store.engine.database import open_database
from treaty.web.application import build_application
from treaty.web.pages import templates
from treaty.web.routers import list_routers

SHOP, PRICES = (q(name) for name in (filled.CONSUMERS[0], filled.PROVIDER))
READS = (
    *("/", "/pacticipants", f"/pacticipants/{SHOP}", f"/pacticipants/{SHOP}/versions", "/environments", "/webhooks"),
    f"/pacts/provider/{PRICES}/consumer/{SHOP}/version/1/triggered-webhooks",
    f"/can-i-deploy?pacticipant={SHOP}&version=1&environment=production",
    f"/matrix?q[][pacticipant]={SHOP}&q[][pacticipant]={PRICES}",
    f"/pacts/provider/{PRICES}/for-verification",
)


def warm_up() -> None:
    with capture_logs(), TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/treaty.sqlite"
        databases.create_missing_file(url)
        with closing(open_database(url)) as database:
            settings = Settings(database_url=url, secret_key=Secret(SECRET_KEY), log_level="fatal")
            with closing(Api(build_application(settings, database))) as api:
                list_routers(settings)  # all modules, so that each server of a test need not load them
                filled.fill(api)
                for path in READS:
                    api.get(path)
    for name in templates().list_templates(["html"]):
        templates().get_template(name)


with suppress(Exception):  # the same failure occurs in tests, which report it
    warm_up()
gc.collect()
gc.freeze()
