"""The client that openapi-python-client makes of the 3.1 document, against a running gateway.

Arguments: the document. Environment: ECG_URL, ECG_TOKEN, ECG_ADMIN_TOKEN. Expects package `ecg_client` on the path.
"""

import sys
import uuid

from calls import ADMIN, CALLED, call
from ecg_client.api.access_keys import create_access_key, list_access_keys, revoke_access_key, rotate_access_key
from ecg_client.api.api_keys import create_api_key, get_api_key, list_api_keys, revoke_api_key, rotate_api_key
from ecg_client.api.audit import (
    export_audit_entries,
    get_audit_consistency,
    get_audit_entry,
    get_audit_proof,
    list_audit_checkpoints,
    list_audit_entries,
)
from ecg_client.api.cloud_accounts import (
    delete_cloud_account,
    get_cloud_account,
    list_cloud_accounts,
    put_cloud_account,
    update_cloud_account,
)
from ecg_client.api.events import list_event_types, list_events
from ecg_client.api.image_caches import (
    adopt_image_caches,
    batch_delete_image_caches,
    batch_ensure_image_caches,
    batch_get_image_caches,
    check_gate,
    create_image_cache,
    delete_image_cache,
    dry_run_image_cache,
    ensure_image_cache,
    get_image_cache,
    get_provider_record,
    list_found_image_caches,
    list_image_caches,
    list_transitions,
    list_usage,
    match_image_caches,
    update_image_cache,
    wait_for_image_cache,
)
from ecg_client.api.me import get_me
from ecg_client.api.operations import get_operation, list_operations
from ecg_client.api.policies import (
    delete_team_policy,
    get_default_policy,
    get_policy,
    get_team_policy,
    list_regions,
    put_default_policy,
    put_team_policy,
)
from ecg_client.api.region_profiles import (
    delete_region_profile,
    get_region_profile,
    list_region_profiles,
    put_region_profile,
)
from ecg_client.api.revocations import create_revocation, delete_revocation, list_revocations
from ecg_client.api.teams import create_team, get_team, list_team_costs, list_teams, update_team
from ecg_client.api.webhooks import (
    create_webhook_endpoint,
    delete_webhook_endpoint,
    get_delivery,
    get_webhook_endpoint,
    list_deliveries,
    list_delivery_attempts,
    list_webhook_endpoints,
    pause_webhook_endpoint,
    recover_webhook_endpoint,
    replay_webhook_endpoint,
    resend_delivery,
    resume_webhook_endpoint,
    rotate_webhook_secret,
    test_webhook_endpoint,
    update_webhook_endpoint,
    verify_webhook_endpoint,
)
from ecg_client.models import (
    AccessKeyCreate,
    AccessKeyScope,
    AdoptionFilter,
    AdoptionRequest,
    ApiKeyCreate,
    AuditExportFormat,
    CloudAccountPut,
    CloudAccountRolePut,
    CloudAccountUpdate,
    DeliveryStatusFilter,
    EventTypeName,
    ImageCacheBatchDelete,
    ImageCacheBatchEnsure,
    ImageCacheBatchGet,
    ImageCacheCreate,
    ImageCacheStatusFilter,
    ImageCacheUpdate,
    KeyRotation,
    MatchQuestion,
    Policy,
    Problem,
    Recovery,
    RegionProfilePut,
    Replay,
    RevocationCreate,
    ScopeName,
    SecretRotation,
    TeamCreate,
    TeamUpdate,
    WebhookEndpointCreate,
    WebhookEndpointUpdate,
)
from ecg_client.types import UNSET
from operations import report
from tokens import exchange_the_token, keep_issuers

ABSENT = "ic_00000000000000000000000000"


def wait_until_ready(cache_id):
    """Repeat the bounded wait until the image cache is ready."""
    for _ in range(12):
        waited = call(wait_for_image_cache, cache_id, wait_seconds=10)
        if waited.condition_met:
            return waited.image_cache
    raise AssertionError(f"{cache_id} is {waited.image_cache.status} after two minutes")


def find_ready_event(cache_id):
    """Find the event in the feed that tells of this image cache."""
    page = call(list_events, type_=[EventTypeName.IMAGE_CACHE_READY], image_cache_id=cache_id, wait_seconds=10)
    assert page.items, f"no image_cache.ready of {cache_id} in the feed"
    event = page.items[0]
    assert event.version == 1 and event.data.image_cache.id == cache_id and event.data.generation == 1, event
    assert event.data.changed.status.to == "ready", event
    return event


def follow_a_cache(endpoint):
    """Create, follow and read one image cache."""
    new = ImageCacheCreate(
        name="openapi-python-client", region="cn-hangzhou", images=["registry.example.com/team/app:1"]
    )
    cache = call(create_image_cache, statuses=(201, 202), body=new, idempotency_key=str(uuid.uuid4()))
    operation = call(get_operation, cache.operation_id)
    assert operation.image_cache_id == cache.id
    unended = call(list_operations, client=ADMIN, team=operation.team, limit=100)
    assert all(item.team == operation.team for item in unended.items), unended
    ready = wait_until_ready(cache.id)
    again = call(get_image_cache, cache.id, wait_seconds=10)
    assert again.eci_cache_id == ready.eci_cache_id
    gate = call(check_gate, image=new.images, region=new.region, wait_seconds=10)
    assert gate.image_cache.eci_cache_id, gate
    listed = call(list_image_caches, status=[ImageCacheStatusFilter.READY], name=new.name, limit=100)
    assert cache.id in [item.id for item in listed.items]
    ensured = call(ensure_image_cache, body=new)
    assert ensured.outcome in ("joined", "reused") and ensured.image_cache.images == new.images, ensured
    batch = call(batch_ensure_image_caches, body=ImageCacheBatchEnsure(items=[new]))
    assert batch.failed == 0 and batch.items[0].image_cache.images == new.images, batch
    found = call(batch_get_image_caches, body=ImageCacheBatchGet(ids=[cache.id, ABSENT]))
    assert [verdict.http_status for verdict in found.items] == [200, 404] and found.failed == 1, found
    dry = call(batch_delete_image_caches, body=ImageCacheBatchDelete(ids=[cache.id], dry_run=True))
    assert dry.items[0].http_status == 200, dry
    question = MatchQuestion(region=new.region, images=new.images)
    assert call(match_image_caches, body=question).winner_id == cache.id
    assert call(get_provider_record, cache.id).events, "no event of the cloud"
    assert call(list_usage, region=new.region).team_ready_image_caches > 0
    transitions = call(list_transitions, cache.id).items
    assert transitions[-1].to == "ready", transitions
    event = find_ready_event(cache.id)
    deliveries = call(list_deliveries, webhook_endpoint_id=endpoint.id).items
    assert event.id in [delivery.event_id for delivery in deliveries], deliveries
    return cache


def turn_the_endpoint(endpoint):
    """Change, rotate, test and pause the endpoint; look at a delivery and send it again."""
    changes = WebhookEndpointUpdate(rate_per_second=50, name_pattern="openapi-*")
    changed = call(update_webhook_endpoint, endpoint.id, body=changes)
    assert (changed.rate_per_second, changed.name_pattern) == (50, "openapi-*"), changed
    rotated = call(rotate_webhook_secret, endpoint.id, body=SecretRotation(keep_old_hours=1))
    assert rotated.secret != endpoint.secret and rotated.old_secret_until, rotated
    assert call(test_webhook_endpoint, endpoint.id).outcome == "failed", "nobody is at that port"
    assert not call(verify_webhook_endpoint, endpoint.id).disabled, "it was verified before"
    assert call(pause_webhook_endpoint, endpoint.id).disabled
    of_endpoint = {"webhook_endpoint_id": endpoint.id, "status": DeliveryStatusFilter.WAITING}
    waiting = call(list_deliveries, event_type=[EventTypeName.IMAGE_CACHE_READY], **of_endpoint).items
    assert call(get_delivery, waiting[0].id).event_id == waiting[0].event_id
    assert call(list_delivery_attempts, waiting[0].id).items, "no attempt"
    assert call(resend_delivery, waiting[0].id).status == "waiting"
    since = endpoint.created_at
    assert call(recover_webhook_endpoint, endpoint.id, body=Recovery(created_after=since)).deliveries == 0
    assert call(replay_webhook_endpoint, endpoint.id, body=Replay(created_after=since)).deliveries == 0
    assert not call(resume_webhook_endpoint, endpoint.id).disabled


def try_an_adoption():
    """Ask what would be adopted of all that the region holds."""
    new = AdoptionRequest(region="cn-hangzhou", filter_=AdoptionFilter(), dry_run=True)
    result = call(adopt_image_caches, client=ADMIN, body=new)
    assert result.dry_run and all(item.image_cache_id is UNSET for item in result.adopted), result
    found = call(list_found_image_caches, client=ADMIN, region=new.region, limit=100)
    assert all(item.eci_cache_id and item.found_at for item in found.items), found


def turn_an_access_key():
    """Create an access key, list it without its secret, revoke it."""
    new = AccessKeyCreate(description="openapi-python-client", scopes=[AccessKeyScope.READ])
    key = call(create_access_key, statuses=(201,), client=ADMIN, body=new)
    assert key.access_key_secret, "no secret"
    listed = call(list_access_keys, client=ADMIN, limit=100).items
    assert [item.access_key_secret for item in listed if item.id == key.id] == [UNSET]
    call(revoke_access_key, key.id, statuses=(204,), client=ADMIN)


def turn_credentials():
    """Turn an access key, an API key and a revocation of tokens."""
    new = AccessKeyCreate(description="openapi-python-client", scopes=[AccessKeyScope.READ])
    access = call(create_access_key, statuses=(201,), client=ADMIN, body=new)
    rotated = call(rotate_access_key, access.id, client=ADMIN, body=KeyRotation(keep_old_hours=1))
    assert rotated.access_key_secret != access.access_key_secret and rotated.old_secret_until, rotated
    call(revoke_access_key, access.id, statuses=(204,), client=ADMIN)
    key = call(create_api_key, statuses=(201,), client=ADMIN, body=ApiKeyCreate(name="story", scopes=[ScopeName.READ]))
    assert key.key.startswith("ecg_"), key
    turned = call(rotate_api_key, key.id, client=ADMIN, body=KeyRotation(keep_old_hours=0))
    assert turned.key != key.key and call(get_api_key, key.id, client=ADMIN).key is UNSET
    assert key.id in [item.id for item in call(list_api_keys, client=ADMIN, limit=100).items]
    call(revoke_api_key, key.id, statuses=(204,), client=ADMIN)
    body = RevocationCreate(jti="openapi-python-client", reason="a story")
    revoked = call(create_revocation, statuses=(201,), client=ADMIN, body=body)
    assert revoked.id in [item.id for item in call(list_revocations, client=ADMIN, limit=100).items]
    call(delete_revocation, revoked.id, statuses=(204,), client=ADMIN)


def keep_policies():
    """Register a team, give it a policy, fill in a region, try a create."""
    team_id, place = f"team-{uuid.uuid4().hex[:12]}", "default:cn-nowhere-1"
    team = call(create_team, statuses=(201,), client=ADMIN, body=TeamCreate(id=team_id, display_name="Story"))
    changed = call(update_team, team.id, client=ADMIN, body=TeamUpdate(cost_centre="4711"))
    assert changed.cost_centre == "4711" and call(get_team, team.id, client=ADMIN).version == changed.version
    assert call(list_teams, client=ADMIN, limit=100).items, "no team"
    own = call(get_me).team
    costs = [item for item in call(list_team_costs, client=ADMIN, limit=100).items if item.team == own]
    assert costs and costs[0].used.image_caches > 0, costs
    policy = Policy(max_size_gib=100, registries=["registry.example.com/team/*"])
    assert call(put_team_policy, team.id, client=ADMIN, body=policy).source == "team"
    assert call(get_team_policy, team.id, client=ADMIN).policy.max_size_gib == 100
    call(delete_team_policy, team.id, statuses=(204,), client=ADMIN)
    default = call(get_default_policy, client=ADMIN)
    assert call(put_default_policy, client=ADMIN, body=default.policy).policy == default.policy
    profile = RegionProfilePut(vswitch_ids=["vsw-1"])
    assert call(put_region_profile, place, client=ADMIN, body=profile).region == "cn-nowhere-1"
    assert call(get_region_profile, place, client=ADMIN).vswitch_ids == ["vsw-1"]
    assert place in [item.id for item in call(list_region_profiles, client=ADMIN, limit=100).items]
    call(delete_region_profile, place, statuses=(204,), client=ADMIN)
    assert call(get_policy).used.image_caches is not UNSET
    new = ImageCacheCreate(name="try", region="cn-hangzhou", images=["registry.example.com/team/try:1"])
    told = call(dry_run_image_cache, body=new)
    assert told.allowed and told.image_cache.images == new.images, told


def keep_cloud_accounts():
    """Add a cloud account, replace it, find it beside that of the settings, remove it."""
    name = f"story-{uuid.uuid4().hex[:12]}"
    role = CloudAccountRolePut(arn="acs:ram::1:role/story", external_id="story")
    new = CloudAccountPut(access_key_id="story", access_key_secret="secret", role=role)
    made = call(put_cloud_account, name, client=ADMIN, body=new)
    assert made.managed_by == "api" and made.role.has_external_id and made.usable, made
    # Its secret and the external id stay, for the role is the same.
    same = CloudAccountPut(access_key_id="story", role=CloudAccountRolePut(arn=role.arn))
    changed = call(put_cloud_account, name, client=ADMIN, body=same)
    assert changed.version == made.version + 1 and changed.usable, changed
    changed = call(update_cloud_account, name, client=ADMIN, body=CloudAccountUpdate(disabled=True))
    assert changed.version == made.version + 2 and changed.disabled_at and not changed.usable, changed
    assert call(get_cloud_account, name, client=ADMIN).role.has_external_id
    listed = call(list_cloud_accounts, client=ADMIN, limit=100).items
    assert {"api", "settings"} <= {item.managed_by for item in listed}, listed
    call(delete_cloud_account, name, statuses=(204,), client=ADMIN)


def change_and_remove(cache):
    """Update the image cache, wait for the new build, delete it."""
    changes = ImageCacheUpdate(images=["registry.example.com/team/app:2"])
    updated = call(update_image_cache, cache.id, statuses=(200, 202), body=changes)
    assert updated.generation == cache.generation + 1, updated
    wait_until_ready(cache.id)
    call(delete_image_cache, cache.id, statuses=(200, 202))


def read_the_audit(cache):
    """Find the create in the audit trail, by list and by id."""
    entries = call(list_audit_entries, resource=cache.id, limit=100).items
    created = [entry for entry in entries if entry.action == "create_image_cache"]
    assert created, entries
    assert call(get_audit_entry, created[0].id).request_id == created[0].request_id
    assert created[0].id in call(export_audit_entries, format_=AuditExportFormat.CSV, resource=cache.id)
    prove(created[0].id)


def prove(entry_id):
    """Prove that an entry is sealed, and that the tree only grew."""
    proof = call(get_audit_proof, entry_id)
    assert proof.leaf_index < proof.checkpoint.tree_size, proof
    newest = call(list_audit_checkpoints, limit=1).items[0]
    assert newest.tree_size >= proof.checkpoint.tree_size, newest
    assert call(get_audit_consistency, first_size=1).first_size == 1


def main(document):
    assert call(get_me).scopes
    assert call(list_regions).others_allowed is not None
    assert "image_cache.ready" in [kind.name for kind in call(list_event_types).items]
    endpoint = call(
        create_webhook_endpoint,
        statuses=(201,),
        body=WebhookEndpointCreate(url="http://127.0.0.1:9/", skip_challenge=True),
    )
    assert endpoint.secret.startswith("whsec_")
    cache = follow_a_cache(endpoint)
    turn_the_endpoint(endpoint)
    try_an_adoption()
    turn_an_access_key()
    turn_credentials()
    keep_policies()
    keep_cloud_accounts()
    keep_issuers()
    exchange_the_token()
    change_and_remove(cache)
    read_the_audit(cache)
    assert endpoint.id in [item.id for item in call(list_webhook_endpoints, limit=100).items]
    assert call(get_webhook_endpoint, endpoint.id).url == endpoint.url
    call(delete_webhook_endpoint, endpoint.id, statuses=(204,))
    problem = call(get_image_cache, ABSENT, statuses=(404,))
    assert isinstance(problem, Problem) and problem.status == 404 and problem.code, problem
    report(document, CALLED)


main(sys.argv[1])
