"""The provider: Schemathesis tests each operation of the application against its OpenAPI document."""

import schemathesis
from catalogue import app

schema = schemathesis.openapi.from_wsgi("/openapi.json", app)


@schema.parametrize()
def test_catalogue(case: schemathesis.Case) -> None:
    case.call_and_validate()
