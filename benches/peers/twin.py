"""The gateway's two reads and its create, as a team would write them with FastAPI and asyncpg: a reference to measure beside.

Same database, same rows, same answers to a read. Each request has its token verified (HS256) and its audit entry, with a
keyed stamp, durable before the answer. A create records its intent, calls the cloud, records the outcome. What is not
here: limits, policies, idempotency, resolving lost answers, webhooks. `cargo bench --bench gateway` starts it.
"""

import base64
import datetime
import hashlib
import hmac
import os
import uuid
from contextlib import asynccontextmanager
from typing import Annotated
from urllib.parse import quote

import aiohttp
import asyncpg
import jwt
import orjson
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from pydantic import BaseModel

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LIVE = "status NOT IN ('deleted', 'expired', 'evicted', 'lost')"
SECRET = os.environ["TWIN_SECRET"]
KEY, KEY_SECRET = os.environ["TWIN_KEY"], os.environ["TWIN_KEY_SECRET"] + "&"

COLUMNS = """id, team, account, spec, status, provider_status, progress_percent, generation, version, operation, eci_cache_id,
    container_group_id, snapshot_id, flash_snapshot_id, created_at, updated_at, ready_at, expires_at, last_matched_at"""
READ = f"SELECT {COLUMNS} FROM image_caches WHERE team = $1 AND id = $2"
LIST = f"SELECT {COLUMNS} FROM image_caches WHERE team = $1 AND {LIVE} ORDER BY id DESC LIMIT 51"
LIST_AFTER = f"""SELECT {COLUMNS} FROM image_caches WHERE team = $1 AND {LIVE} AND id < $2
    ORDER BY id DESC LIMIT 51"""
AUDIT = """INSERT INTO bench_audit (id, at, team, subject, credential, door, request_id, address, action, resource, outcome,
    http_status, duration_ms, parameters, stamp)
    VALUES ($1, $2, $3, $4, $5, 'rest', $6, $7, $8, $9, 'succeeded', $10, 0, '{}', $11)"""
INSERT_CACHE = """INSERT INTO image_caches (id, team, account, region, name, images, spec, status, generation, version,
    sequence, operation, evidence, misses, created_at, updated_at)
    VALUES ($1, $2, 'default', $3, $4, $5, $6, 'pending', 1, 1, 1, $7, '{}', 0, $8, $8)"""
INSERT_OPERATION = """INSERT INTO operations (id, team, image_cache, kind, state, generation, spec, due_at, subject,
    request_id, created_at) VALUES ($1, $2, $3, 'create', 'running', 1, $4, $5, $6, $7, $5)"""
INSERT_TRANSITION = """INSERT INTO transitions (id, team, image_cache, sequence, generation, from_status, to_status, reason,
    at) VALUES ($1, $2, $3, $4, 1, $5, $6, 'requested', $7)"""
SETTLE_CACHE = """UPDATE image_caches SET status = 'preparing', version = version + 1, sequence = 2, eci_cache_id = $2,
    container_group_id = $3, updated_at = $4 WHERE id = $1 AND version = 1"""
SETTLE_OPERATION = """UPDATE operations SET state = 'succeeded', attempts = 1, provider_request_id = $2, finished_at = $3
    WHERE id = $1"""
INSERT_EVENT = """INSERT INTO events (id, team, type, image_cache, dedupe_key, body, occurred_at)
    VALUES ($1, $2, 'image_cache.created', $3, $4, $5, $6)"""


async def prepare(connection):
    await connection.set_type_codec(
        "jsonb", encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads, schema="pg_catalog"
    )


@asynccontextmanager
async def lifespan(app):
    app.state.pool = await asyncpg.create_pool(
        host=os.environ["TWIN_SOCKET"], port=5432, user="eci_runtime", database=os.environ["TWIN_DATABASE"],
        min_size=5, max_size=5, init=prepare,
    )
    app.state.cloud = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    yield
    await app.state.cloud.close()
    await app.state.pool.close()


app = FastAPI(lifespan=lifespan)


class Caller(BaseModel):
    team: str
    subject: str
    token: str
    scopes: set[str]


def caller(authorization: Annotated[str, Header()]) -> Caller:
    scheme, _, token = authorization.partition(" ")
    try:
        if scheme != "Bearer":
            raise jwt.InvalidTokenError
        claims = jwt.decode(
            token, SECRET, algorithms=["HS256"], issuer=os.environ["TWIN_ISSUER"],
            audience=os.environ["TWIN_AUDIENCE"], options={"require": ["exp", "iss", "aud", "sub"]},
        )
        team = claims.get("team") or claims["teams"]
    except (jwt.InvalidTokenError, KeyError):
        raise HTTPException(401, "the token is not good") from None
    team = team if isinstance(team, str) else team[0]
    return Caller(team=team, subject=claims["sub"], token=claims.get("jti", ""), scopes=set(claims["scope"].split()))


def needs(who: Caller, scope: str):
    if scope not in who.scopes:
        raise HTTPException(403, f"this needs the scope {scope}")


def now():
    return datetime.datetime.now(datetime.UTC)


def shown(prefix: str, number: uuid.UUID) -> str:
    value = number.int
    return prefix + "".join(ALPHABET[(value >> (place * 5)) & 31] for place in range(25, -1, -1))


def read_id(text: str) -> uuid.UUID:
    value = 0
    try:
        if not text.startswith("ic_") or len(text) != 29:
            raise ValueError
        for letter in text[3:]:
            value = value << 5 | ALPHABET.index(letter)
        return uuid.UUID(int=value)
    except ValueError:
        raise HTTPException(404, "there is no such image cache") from None


def moment(at: datetime.datetime) -> str:
    precision = "microseconds" if at.microsecond % 1000 else "milliseconds" if at.microsecond else "seconds"
    return at.isoformat(timespec=precision).replace("+00:00", "Z")


def view(row) -> dict:
    spec = row["spec"]
    seen = {
        "id": shown("ic_", row["id"]), "team": row["team"], "name": spec["name"],
        "cloud_account": row["account"], "region": spec["region"],
        "images": spec["images"], "status": row["status"], "provider_status": row["provider_status"],
        "progress_percent": row["progress_percent"], "generation": row["generation"], "version": row["version"],
        "operation_id": shown("op_", row["operation"]), "eci_cache_id": row["eci_cache_id"],
        "container_group_id": row["container_group_id"], "snapshot_id": row["snapshot_id"],
        "flash_snapshot_id": row["flash_snapshot_id"], "size_gib": spec.get("size_gib"), "tags": spec.get("tags", {}),
    }
    for name in ("last_matched_at", "created_at", "updated_at", "ready_at", "expires_at"):
        if row[name] is not None:
            seen[name] = moment(row[name])
    return {name: value for name, value in seen.items() if value is not None}


async def audit(connection, who: Caller, request: Request, action: str, resource: str | None, status: int):
    entry, at, named = uuid.uuid4(), now(), str(uuid.uuid4())
    words = [str(entry), moment(at), who.team, who.subject, who.token, named, action, resource or "", str(status)]
    stamp = hmac.digest(SECRET.encode(), "\n".join(words).encode(), hashlib.sha256)
    await connection.execute(
        AUDIT, entry, at, who.team, who.subject, who.token, named, request.client.host, action, resource, status, stamp
    )


def answer(value, status=200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


@app.get("/healthz")
async def healthz():
    return {}


@app.get("/v1/image-caches/{id}")
async def get_image_cache(id: str, request: Request, who: Annotated[Caller, Depends(caller)]):
    needs(who, "read")
    async with app.state.pool.acquire() as connection:
        row = await connection.fetchrow(READ, who.team, read_id(id))
        await audit(connection, who, request, "get_image_cache", id, 200 if row else 404)
    if row is None:
        raise HTTPException(404, "there is no such image cache")
    return answer(view(row))


@app.get("/v1/image-caches")
async def list_image_caches(
    request: Request, who: Annotated[Caller, Depends(caller)], limit: int = 50, cursor: str | None = None
):
    needs(who, "read")
    async with app.state.pool.acquire() as connection:
        if cursor is None:
            rows = await connection.fetch(LIST, who.team)
        else:
            rows = await connection.fetch(LIST_AFTER, who.team, read_id(cursor))
        await audit(connection, who, request, "list_image_caches", None, 200)
    items = [view(row) for row in rows[: min(limit, 50)]]
    return answer({"items": items, "next_cursor": items[-1]["id"]} if len(rows) > len(items) else {"items": items})


class NewImageCache(BaseModel):
    name: str
    region: str
    images: list[str]
    tags: dict[str, str] = {}


def encoded(text: str) -> str:
    return quote(text, safe="-_.~")


async def create_at_the_cloud(new: NewImageCache, token: uuid.UUID) -> dict:
    parameters = {
        "Action": "CreateImageCache", "Version": "2018-08-08", "Format": "JSON", "RegionId": new.region,
        "ImageCacheName": new.name, "SecurityGroupId": "sg-1", "VSwitchId": "vsw-1", "ClientToken": str(token),
        "AccessKeyId": KEY, "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0", "SignatureNonce": str(uuid.uuid4()),
        "Timestamp": now().strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    parameters |= {f"Image.{number}": image for number, image in enumerate(new.images, 1)}
    canonical = "&".join(f"{encoded(name)}={encoded(value)}" for name, value in sorted(parameters.items()))
    signed = hmac.digest(KEY_SECRET.encode(), f"POST&%2F&{encoded(canonical)}".encode(), hashlib.sha1)
    parameters["Signature"] = base64.b64encode(signed).decode()
    async with app.state.cloud.post(os.environ["TWIN_CLOUD"], data=parameters) as answered:
        answered.raise_for_status()
        return orjson.loads(await answered.read())


@app.post("/v1/image-caches")
async def create_image_cache(new: NewImageCache, request: Request, who: Annotated[Caller, Depends(caller)]):
    needs(who, "write")
    cache, operation, at, spec = uuid.uuid4(), uuid.uuid4(), now(), new.model_dump()
    async with app.state.pool.acquire() as connection, connection.transaction():
        await connection.execute(INSERT_CACHE, cache, who.team, new.region, new.name, new.images, spec, operation, at)
        await connection.execute(INSERT_OPERATION, operation, who.team, cache, spec, at, who.subject, str(uuid.uuid4()))
        await connection.execute(INSERT_TRANSITION, uuid.uuid4(), who.team, cache, 1, None, "pending", at)
        await audit(connection, who, request, "create_image_cache", shown("ic_", cache), 202)
    made = await create_at_the_cloud(new, operation)
    at = now()
    async with app.state.pool.acquire() as connection, connection.transaction():
        await connection.execute(SETTLE_CACHE, cache, made["ImageCacheId"], made.get("ContainerGroupId"), at)
        await connection.execute(SETTLE_OPERATION, operation, made["RequestId"], at)
        await connection.execute(INSERT_TRANSITION, uuid.uuid4(), who.team, cache, 2, "pending", "preparing", at)
        row = await connection.fetchrow(READ, who.team, cache)
        body = orjson.dumps({"type": "image_cache.created", "timestamp": moment(at), "data": view(row)}).decode()
        await connection.execute(INSERT_EVENT, uuid.uuid4(), who.team, cache, f"created:{cache}", body, at)
        await audit(connection, who, request, "create_image_cache", shown("ic_", cache), 201)
    return answer(view(row), 201)
