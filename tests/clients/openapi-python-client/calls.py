"""The clients of the story, and how it calls an operation."""

import os

from ecg_client import AuthenticatedClient, Client

SETTINGS = {"base_url": os.environ["ECG_URL"], "raise_on_unexpected_status": True, "timeout": 60}


def client_with(token):
    """A client that shows this token."""
    return AuthenticatedClient(token=token, **SETTINGS)


CLIENT = client_with(os.environ["ECG_TOKEN"])
ADMIN = client_with(os.environ["ECG_ADMIN_TOKEN"])
# A client that shows nothing.
STRANGER = Client(**SETTINGS)
# The operations that were called, by their ids.
CALLED = set()


def call(operation, *path, statuses=(200,), client=CLIENT, **arguments):
    """Call one operation, check the status, give the parsed answer."""
    answer = operation.sync_detailed(*path, client=client, **arguments)
    CALLED.add(operation.__name__.rsplit(".", 1)[-1])
    assert answer.status_code in statuses, (operation.__name__, answer.status_code, answer.content)
    return answer.parsed
