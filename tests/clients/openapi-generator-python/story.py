"""The Python client that openapi-generator makes of the 3.0 document, against a running gateway.

Arguments: the document. Environment: ECG_URL, ECG_TOKEN, ECG_ADMIN_TOKEN. Expects package `ecg_client` on the path.
Its models are pydantic's and strict: a member of another type than the document says is an error here.
"""

import os
import sys
import uuid

import ecg_client
from ecg_client.exceptions import NotFoundException
from operations import KEY_SET, report

CALLED = set()
ABSENT = "ic_00000000000000000000000000"


def call(operation, *arguments, **named):
    """Call one operation and note that it was."""
    answer = operation(*arguments, **named)
    CALLED.add(operation.__name__)
    return answer


class Story:
    """The APIs of a team's client, of an administrator's and of a stranger's, and what is done with them."""

    def __init__(self, client, admin, stranger):
        self.access_keys = ecg_client.AccessKeysApi(admin)
        self.api_keys = ecg_client.ApiKeysApi(admin)
        self.revocations = ecg_client.RevocationsApi(admin)
        self.adoption = ecg_client.ImageCachesApi(admin)
        self.audit = ecg_client.AuditApi(client)
        self.caches = ecg_client.ImageCachesApi(client)
        self.events = ecg_client.EventsApi(client)
        self.exchange = ecg_client.TokenExchangeApi(stranger)
        self.issuers = ecg_client.IssuersApi(admin)
        self.me = ecg_client.MeApi(client)
        self.operations = ecg_client.OperationsApi(client)
        self.operations_of_all = ecg_client.OperationsApi(admin)
        self.policy = ecg_client.PoliciesApi(client)
        self.teams = ecg_client.TeamsApi(admin)
        self.policies = ecg_client.PoliciesApi(admin)
        self.accounts = ecg_client.CloudAccountsApi(admin)
        self.profiles = ecg_client.RegionProfilesApi(admin)
        self.webhooks = ecg_client.WebhooksApi(client)

    def wait_until_ready(self, cache_id):
        """Repeat the bounded wait until the image cache is ready."""
        for _ in range(12):
            waited = call(self.caches.wait_for_image_cache, cache_id, wait_seconds=10)
            if waited.condition_met:
                return waited.image_cache
        raise AssertionError(f"{cache_id} is {waited.image_cache.status} after two minutes")

    def find_ready_event(self, cache_id):
        """Find the event in the feed that tells of this image cache."""
        kinds = ["image_cache.ready"]
        page = call(self.events.list_events, type=kinds, image_cache_id=cache_id, wait_seconds=10)
        assert page.items, f"no image_cache.ready of {cache_id} in the feed"
        event = page.items[0]
        assert event.version == 1 and event.data.image_cache.id == cache_id and event.data.generation == 1, event
        assert event.data.changed.status.to == "ready", event
        return event

    def follow_a_cache(self, endpoint):
        """Create, follow and read one image cache."""
        new = ecg_client.ImageCacheCreate(
            name="openapi-generator", region="cn-hangzhou", images=["registry.example.com/team/app:1"]
        )
        cache = call(self.caches.create_image_cache, new, idempotency_key=str(uuid.uuid4()))
        operation = call(self.operations.get_operation, cache.operation_id)
        assert operation.image_cache_id == cache.id
        unended = call(self.operations_of_all.list_operations, team=operation.team, limit=100)
        assert all(item.team == operation.team for item in unended.items), unended
        ready = self.wait_until_ready(cache.id)
        again = call(self.caches.get_image_cache, cache.id, wait_seconds=10)
        assert again.eci_cache_id == ready.eci_cache_id
        gate = call(self.caches.check_gate, new.images, new.region, wait_seconds=10)
        assert gate.image_cache.eci_cache_id, gate
        status = [ecg_client.ImageCacheStatusFilter.READY]
        listed = call(self.caches.list_image_caches, status=status, name=new.name, limit=100)
        assert cache.id in [item.id for item in listed.items]
        ensured = call(self.caches.ensure_image_cache, new)
        assert ensured.outcome in ("joined", "reused") and ensured.image_cache.images == new.images, ensured
        batch = call(self.caches.batch_ensure_image_caches, ecg_client.ImageCacheBatchEnsure(items=[new]))
        assert batch.failed == 0 and batch.items[0].image_cache.images == new.images, batch
        found = call(self.caches.batch_get_image_caches, ecg_client.ImageCacheBatchGet(ids=[cache.id, ABSENT]))
        assert [verdict.http_status for verdict in found.items] == [200, 404] and found.failed == 1, found
        dry = ecg_client.ImageCacheBatchDelete(ids=[cache.id], dry_run=True)
        assert call(self.caches.batch_delete_image_caches, dry).items[0].http_status == 200
        question = ecg_client.MatchQuestion(region=new.region, images=new.images)
        assert call(self.caches.match_image_caches, question).winner_id == cache.id
        assert call(self.caches.get_provider_record, cache.id).events, "no event of the cloud"
        assert call(self.caches.list_usage, new.region).team_ready_image_caches > 0
        transitions = call(self.caches.list_transitions, cache.id).items
        assert transitions[-1].to == "ready", transitions
        event = self.find_ready_event(cache.id)
        deliveries = call(self.webhooks.list_deliveries, webhook_endpoint_id=endpoint.id).items
        assert event.id in [delivery.event_id for delivery in deliveries], deliveries
        return cache

    def turn_the_endpoint(self, endpoint):
        """Change, rotate, test and pause the endpoint; look at a delivery and send it again."""
        changes = ecg_client.WebhookEndpointUpdate(rate_per_second=50, name_pattern="openapi-*")
        changed = call(self.webhooks.update_webhook_endpoint, endpoint.id, changes)
        assert (changed.rate_per_second, changed.name_pattern) == (50, "openapi-*"), changed
        rotation = ecg_client.SecretRotation(keep_old_hours=1)
        rotated = call(self.webhooks.rotate_webhook_secret, endpoint.id, rotation)
        assert rotated.secret != endpoint.secret and rotated.old_secret_until, rotated
        assert call(self.webhooks.test_webhook_endpoint, endpoint.id).outcome == "failed", "nobody is at that port"
        assert not call(self.webhooks.verify_webhook_endpoint, endpoint.id).disabled, "it was verified before"
        assert call(self.webhooks.pause_webhook_endpoint, endpoint.id).disabled
        ready = "image_cache.ready"
        waiting = call(
            self.webhooks.list_deliveries, webhook_endpoint_id=endpoint.id, status="waiting", event_type=[ready]
        ).items
        assert call(self.webhooks.get_delivery, waiting[0].id).event_id == waiting[0].event_id
        assert call(self.webhooks.list_delivery_attempts, waiting[0].id).items, "no attempt"
        assert call(self.webhooks.resend_delivery, waiting[0].id).status == "waiting"
        since = endpoint.created_at
        recovery, replay = ecg_client.Recovery(created_after=since), ecg_client.Replay(created_after=since)
        assert call(self.webhooks.recover_webhook_endpoint, endpoint.id, recovery).deliveries == 0
        assert call(self.webhooks.replay_webhook_endpoint, endpoint.id, replay).deliveries == 0
        assert not call(self.webhooks.resume_webhook_endpoint, endpoint.id).disabled

    def try_an_adoption(self):
        """Ask what would be adopted of all that the region holds."""
        filters = ecg_client.AdoptionFilter()
        new = ecg_client.AdoptionRequest(region="cn-hangzhou", filter=filters, dry_run=True)
        result = call(self.adoption.adopt_image_caches, new)
        assert result.dry_run and all(item.image_cache_id is None for item in result.adopted), result
        found = call(self.adoption.list_found_image_caches, region=new.region, limit=100)
        assert all(item.eci_cache_id and item.found_at for item in found.items), found

    def turn_an_access_key(self):
        """Create an access key, list it without its secret, revoke it."""
        new = ecg_client.AccessKeyCreate(description="openapi-generator", scopes=["read"])
        key = call(self.access_keys.create_access_key, new)
        assert key.access_key_secret, "no secret"
        listed = call(self.access_keys.list_access_keys, limit=100).items
        assert [item.access_key_secret for item in listed if item.id == key.id] == [None]
        call(self.access_keys.revoke_access_key, key.id)

    def turn_credentials(self):
        """Turn an access key, an API key and a revocation of tokens."""
        new = ecg_client.AccessKeyCreate(description="openapi-generator", scopes=["read"])
        access = call(self.access_keys.create_access_key, new)
        hour = ecg_client.KeyRotation(keep_old_hours=1)
        rotated = call(self.access_keys.rotate_access_key, access.id, hour)
        assert rotated.access_key_secret != access.access_key_secret and rotated.old_secret_until, rotated
        call(self.access_keys.revoke_access_key, access.id)
        key = call(self.api_keys.create_api_key, ecg_client.ApiKeyCreate(name="story", scopes=["read"]))
        assert key.key.startswith("ecg_"), key
        turned = call(self.api_keys.rotate_api_key, key.id, ecg_client.KeyRotation(keep_old_hours=0))
        assert turned.key != key.key and call(self.api_keys.get_api_key, key.id).key is None
        assert key.id in [item.id for item in call(self.api_keys.list_api_keys, limit=100).items]
        call(self.api_keys.revoke_api_key, key.id)
        new = ecg_client.RevocationCreate(jti="openapi-generator", reason="a story")
        revoked = call(self.revocations.create_revocation, new)
        assert revoked.id in [item.id for item in call(self.revocations.list_revocations, limit=100).items]
        call(self.revocations.delete_revocation, revoked.id)

    def keep_policies(self):
        """Register a team, give it a policy, fill in a region, try a create."""
        team_id, place = f"team-{uuid.uuid4().hex[:12]}", "default:cn-nowhere-1"
        team = call(self.teams.create_team, ecg_client.TeamCreate(id=team_id, display_name="Story"))
        changed = call(self.teams.update_team, team.id, ecg_client.TeamUpdate(cost_centre="4711"))
        assert changed.cost_centre == "4711" and call(self.teams.get_team, team.id).version == changed.version
        assert call(self.teams.list_teams, limit=100).items, "no team"
        own = call(self.me.get_me).team
        costs = [item for item in call(self.teams.list_team_costs, limit=100).items if item.team == own]
        assert costs and costs[0].used.image_caches > 0, costs
        policy = ecg_client.Policy(max_size_gib=100, registries=["registry.example.com/team/*"])
        assert call(self.policies.put_team_policy, team.id, policy).source == "team"
        assert call(self.policies.get_team_policy, team.id).policy.max_size_gib == 100
        call(self.policies.delete_team_policy, team.id)
        default = call(self.policies.get_default_policy)
        assert call(self.policies.put_default_policy, default.policy).policy == default.policy
        profile = ecg_client.RegionProfilePut(vswitch_ids=["vsw-1"])
        assert call(self.profiles.put_region_profile, place, profile).region == "cn-nowhere-1"
        assert call(self.profiles.get_region_profile, place).vswitch_ids == ["vsw-1"]
        assert place in [item.id for item in call(self.profiles.list_region_profiles, limit=100).items]
        call(self.profiles.delete_region_profile, place)
        assert call(self.policy.get_policy).used.image_caches is not None
        new = ecg_client.ImageCacheCreate(name="try", region="cn-hangzhou", images=["registry.example.com/team/try:1"])
        told = call(self.caches.dry_run_image_cache, new)
        assert told.allowed and told.image_cache.images == new.images, told

    def keep_cloud_accounts(self):
        """Add a cloud account, replace it, find it beside that of the settings, remove it."""
        name = f"story-{uuid.uuid4().hex[:12]}"
        role = ecg_client.CloudAccountRolePut(arn="acs:ram::1:role/story", external_id="story")
        new = ecg_client.CloudAccountPut(access_key_id="story", access_key_secret="secret", role=role)
        made = call(self.accounts.put_cloud_account, name, new)
        assert made.managed_by == "api" and made.role.has_external_id and made.usable, made
        # Its secret and the external id stay, for the role is the same.
        same = ecg_client.CloudAccountRolePut(arn=role.arn)
        new = ecg_client.CloudAccountPut(access_key_id="story", role=same)
        changed = call(self.accounts.put_cloud_account, name, new)
        assert changed.version == made.version + 1 and changed.usable, changed
        disabled = ecg_client.CloudAccountUpdate(disabled=True)
        changed = call(self.accounts.update_cloud_account, name, disabled)
        assert changed.version == made.version + 2 and changed.disabled_at and not changed.usable, changed
        assert call(self.accounts.get_cloud_account, name).role.has_external_id
        listed = call(self.accounts.list_cloud_accounts, limit=100).items
        assert {"api", "settings"} <= {item.managed_by for item in listed}, listed
        call(self.accounts.delete_cloud_account, name)

    def keep_issuers(self):
        """Add an issuer of tokens, change it, find it beside that of the settings, remove it."""
        name = f"story-{uuid.uuid4().hex[:12]}"
        rule = ecg_client.IssuerRule(
            name="app",
            match={"/repository": ["story/app"]},
            team=ecg_client.IssuerTeamSource(fixed="demo"),
            scopes=ecg_client.IssuerScopeSource(fixed=["read"]),
        )
        new = ecg_client.Issuer(
            name=name,
            issuer=f"https://{name}.example.com",
            audiences=["eci-cache-gateway"],
            keys=ecg_client.IssuerKeys(var_from="document", document=KEY_SET),
            algorithms=["ES256"],
            rules=[rule],
        )
        made = call(self.issuers.put_issuer, name, new)
        assert made.managed_by == "api" and made.document.keys.document == KEY_SET, made
        new.leeway_seconds = 0
        changed = call(self.issuers.put_issuer, name, new)
        assert changed.version == made.version + 1 and changed.document.leeway_seconds == 0, changed
        kept = call(self.issuers.get_issuer, name).document
        assert kept.rules[0].match == rule.match and kept.keys.var_from == "document", kept
        listed = call(self.issuers.list_issuers, limit=100).items
        assert {"api", "settings"} <= {item.managed_by for item in listed}, listed
        call(self.issuers.delete_issuer, name)

    def exchange_the_token(self):
        """See what the team's token becomes, exchange it for one that may only read, and show that."""
        token = os.environ["ECG_TOKEN"]
        explained = call(self.issuers.explain_token, ecg_client.TokenToExplain(token=token))
        assert explained.accepted and all(check.passed for check in explained.checks), explained
        issued = call(
            self.exchange.exchange_token,
            grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
            subject_token=token,
            subject_token_type="urn:ietf:params:oauth:token-type:jwt",
            scope="read",
        )
        assert (issued.token_type, issued.scope) == ("Bearer", "read"), issued
        with client_with(issued.access_token) as reader:
            me = call(ecg_client.MeApi(reader).get_me)
        assert me.scopes == ["read"] and [me.team] == explained.caller.teams, me

    def change_and_remove(self, cache):
        """Update the image cache, wait for the new build, delete it."""
        changes = ecg_client.ImageCacheUpdate(images=["registry.example.com/team/app:2"])
        updated = call(self.caches.update_image_cache, cache.id, changes)
        assert updated.generation == cache.generation + 1, updated
        self.wait_until_ready(cache.id)
        call(self.caches.delete_image_cache, cache.id)

    def read_the_audit(self, cache):
        """Find the create in the audit trail, by list and by id."""
        entries = call(self.audit.list_audit_entries, resource=cache.id, limit=100).items
        created = [entry for entry in entries if entry.action == "create_image_cache"]
        assert created, entries
        assert call(self.audit.get_audit_entry, created[0].id).request_id == created[0].request_id
        assert created[0].id in call(self.audit.export_audit_entries, format="csv", resource=cache.id)
        self.prove(created[0].id)

    def prove(self, entry_id):
        """Prove that an entry is sealed, and that the tree only grew."""
        proof = call(self.audit.get_audit_proof, entry_id)
        assert proof.leaf_index < proof.checkpoint.tree_size, proof
        newest = call(self.audit.list_audit_checkpoints, limit=1).items[0]
        assert newest.tree_size >= proof.checkpoint.tree_size, newest
        assert call(self.audit.get_audit_consistency, first_size=1).first_size == 1

    def meet_an_error(self):
        """An unknown id is a 404 with a typed problem."""
        try:
            self.caches.get_image_cache(ABSENT)
        except NotFoundException as refusal:
            assert isinstance(refusal.data, ecg_client.Problem), refusal
            assert refusal.data.status == 404 and refusal.data.code, refusal.data
        else:
            raise AssertionError("an unknown id was found")

    def tell(self):
        assert call(self.me.get_me).scopes
        assert call(self.policy.list_regions).others_allowed is not None
        assert "image_cache.ready" in [kind.name for kind in call(self.events.list_event_types).items]
        url = ecg_client.WebhookEndpointCreate(url="http://127.0.0.1:9/", skip_challenge=True)
        endpoint = call(self.webhooks.create_webhook_endpoint, url)
        assert endpoint.secret.startswith("whsec_")
        cache = self.follow_a_cache(endpoint)
        self.turn_the_endpoint(endpoint)
        self.try_an_adoption()
        self.turn_an_access_key()
        self.turn_credentials()
        self.keep_policies()
        self.keep_cloud_accounts()
        self.keep_issuers()
        self.exchange_the_token()
        self.change_and_remove(cache)
        self.read_the_audit(cache)
        listed = call(self.webhooks.list_webhook_endpoints, limit=100).items
        assert endpoint.id in [item.id for item in listed]
        assert call(self.webhooks.get_webhook_endpoint, endpoint.id).url == endpoint.url
        call(self.webhooks.delete_webhook_endpoint, endpoint.id)
        self.meet_an_error()


def client_with(token):
    """A client that shows this token, if any."""
    return ecg_client.ApiClient(ecg_client.Configuration(host=os.environ["ECG_URL"], access_token=token))


def main(document):
    team, administrator = os.environ["ECG_TOKEN"], os.environ["ECG_ADMIN_TOKEN"]
    with client_with(team) as client, client_with(administrator) as admin, client_with(None) as stranger:
        Story(client, admin, stranger).tell()
    report(document, CALLED)


main(sys.argv[1])
