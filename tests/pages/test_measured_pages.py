"""The benchmark of pages contains every page, so that none becomes slow unnoticed."""

from bench import pages
from bench.system import System
from treaty.settings import Settings
from treaty.web.routers import list_routers

SMALL = System(applications=12, integrations=20, versions=30, webhooks=2)


def list_paths() -> list[str]:
    """List the paths that the benchmark measures, with a placeholder for each value from its database."""
    return [
        path
        for paths in (pages.list_pages(SMALL, lambda *_: "x"), pages.list_contract_pages(SMALL, lambda *_: "x"))
        for path in paths.values()
    ]


def test_each_page_is_measured_or_has_a_reason() -> None:
    assert pages.list_unmeasured(list_paths()) == set()


def test_a_page_that_is_not_measured_is_named() -> None:
    without_trends = [path for path in list_paths() if not path.startswith("/trends/rows")]
    assert pages.list_unmeasured(without_trends) == {"/trends/rows"}


def test_exceptions_are_pages_that_are_not_measured() -> None:
    templates = {
        template
        for router in list_routers(Settings())
        for template, endpoint in router.endpoints.items()
        if endpoint.page is not None
    }
    assert pages.WITHOUT_MEASUREMENT.keys() <= templates
    assert pages.list_unmeasured(list_paths(), exceptions={}) == pages.WITHOUT_MEASUREMENT.keys()
