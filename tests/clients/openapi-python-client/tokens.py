"""The rooms of the story that are about tokens: their issuers, and one exchanged for another."""

import os
import uuid

from calls import ADMIN, STRANGER, call, client_with
from ecg_client.api.issuers import delete_issuer, explain_token, get_issuer, list_issuers, put_issuer
from ecg_client.api.me import get_me
from ecg_client.api.token_exchange import exchange_token
from ecg_client.models import (
    Issuer,
    IssuerKeys,
    IssuerKeysDocument,
    IssuerRule,
    IssuerRuleMatch,
    IssuerScopeSource,
    IssuerTeamSource,
    TokenExchange,
    TokenToExplain,
)
from operations import KEY_SET


def new_issuer(name):
    """An issuer whose tokens may read, if they come from one repository."""
    rule = IssuerRule(
        name="app",
        match=IssuerRuleMatch.from_dict({"/repository": ["story/app"]}),
        team=IssuerTeamSource(fixed="demo"),
        scopes=IssuerScopeSource(fixed=["read"]),
    )
    return Issuer(
        name=name,
        issuer=f"https://{name}.example.com",
        audiences=["eci-cache-gateway"],
        keys=IssuerKeys(from_="document", document=IssuerKeysDocument.from_dict(KEY_SET)),
        algorithms=["ES256"],
        rules=[rule],
    )


def keep_issuers():
    """Add an issuer of tokens, change it, find it beside that of the settings, remove it."""
    name = f"story-{uuid.uuid4().hex[:12]}"
    new = new_issuer(name)
    made = call(put_issuer, name, client=ADMIN, body=new)
    assert made.managed_by == "api" and made.document.keys.document.to_dict() == KEY_SET, made
    new.leeway_seconds = 0
    changed = call(put_issuer, name, client=ADMIN, body=new)
    assert changed.version == made.version + 1 and changed.document.leeway_seconds == 0, changed
    kept = call(get_issuer, name, client=ADMIN).document
    assert kept.rules[0].match == new.rules[0].match and kept.keys.from_ == "document", kept
    listed = call(list_issuers, client=ADMIN, limit=100).items
    assert {"api", "settings"} <= {item.managed_by for item in listed}, listed
    call(delete_issuer, name, statuses=(204,), client=ADMIN)


def exchange_the_token():
    """See what the team's token becomes, exchange it for one that may only read, and show that."""
    token = os.environ["ECG_TOKEN"]
    explained = call(explain_token, client=ADMIN, body=TokenToExplain(token=token))
    assert explained.accepted and all(check.passed for check in explained.checks), explained
    body = TokenExchange(
        grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token=token,
        subject_token_type="urn:ietf:params:oauth:token-type:jwt",
        scope="read",
    )
    issued = call(exchange_token, client=STRANGER, body=body)
    assert (issued.token_type, issued.scope) == ("Bearer", "read"), issued
    me = call(get_me, client=client_with(issued.access_token))
    assert me.scopes == ["read"] and [me.team] == explained.caller.teams, me
