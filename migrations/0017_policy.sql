-- What teams may do: registered teams, their policies, and what a region of a cloud account fills in.

-- A team needs no row: what holds for one without is a setting. Nothing refers to this table, so that a team can be
-- registered before or after its first image cache.
CREATE TABLE teams (
    id           text PRIMARY KEY,
    display_name text NOT NULL,
    contacts     text[] NOT NULL,
    cost_centre  text,
    policy       jsonb,                                -- its own; none for the default one
    disabled_at  timestamptz,                          -- since when its requests are refused
    version      bigint NOT NULL CHECK (version >= 1), -- compare-and-set, the policy's changes among them
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);
-- Each gateway asks for these about once a second.
CREATE INDEX teams_disabled ON teams (id) WHERE disabled_at IS NOT NULL;

-- One row at most: the policy of teams without one of their own.
CREATE TABLE default_policy (
    only_one   boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    policy     jsonb NOT NULL,
    version    bigint NOT NULL CHECK (version >= 1),
    updated_at timestamptz NOT NULL
);

CREATE TABLE region_profiles (
    account           text NOT NULL,
    region            text NOT NULL,
    vswitch_ids       text[] NOT NULL,
    security_group_id text,
    eip_instance_id   text,
    resource_group_id text,
    zone_id           text,
    version           bigint NOT NULL CHECK (version >= 1),
    updated_at        timestamptz NOT NULL,
    PRIMARY KEY (account, region)
);

-- The tags of ours that say whose a cache is, as they were when it was asked for: a repeated attempt must send the same.
ALTER TABLE operations ADD COLUMN marks jsonb NOT NULL DEFAULT '[]';

-- What quotas count, without the long history of what is gone.
CREATE INDEX image_caches_counted ON image_caches (team)
    WHERE status IN ('pending', 'preparing', 'creating', 'ready', 'updating', 'update_failed', 'unknown');
-- The builds of a month.
CREATE INDEX operations_builds ON operations (team, created_at) WHERE kind IN ('create', 'update');

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'eci_runtime') THEN
        GRANT SELECT, INSERT, UPDATE ON teams, default_policy TO eci_runtime;
        GRANT SELECT, INSERT, UPDATE, DELETE ON region_profiles TO eci_runtime;
    END IF;
END $$;
