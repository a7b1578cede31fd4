"""What tests/api/run needs of schemathesis beside its options."""

import itertools
import os

import schemathesis

# Without these nothing else could be asked: the admin who has signed in, and this device.
ADMIN = os.environ["SEATKEEPER_API_ADMIN"]
DEVICE = os.environ["SEATKEEPER_API_DEVICE"]
numbers = itertools.count()


@schemathesis.hook
def filter_case(context, case):
    path, named = case.operation.path, case.path_parameters or {}
    if path == "/v1/admins/{name}":
        return named.get("name") != ADMIN
    if path in ("/v1/devices/{id}/revoke", "/v1/devices/{id}/lost"):
        return str(named.get("id")).strip().lower() != DEVICE
    return True


@schemathesis.hook
def before_call(context, case, kwargs):
    # A key that was made up before would only have the earlier answer come again, or be refused. One that is malformed
    # stays so.
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and 0 < len(key) <= 240 and all("!" <= letter <= "~" for letter in key):
        case.headers["Idempotency-Key"] = f"{key}-{next(numbers)}"
