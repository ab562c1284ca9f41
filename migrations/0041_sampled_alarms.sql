-- A cache that vanished a short while ago is looked up again soon, and an alarm that lookups raised ends by lookups.

CREATE INDEX image_caches_vanished ON image_caches (account, region, updated_at)
    WHERE eci_cache_id IS NOT NULL AND status IN ('expired', 'evicted', 'lost');

-- Until when the lookups of caches that vanished have been carried out.
ALTER TABLE reconcile_groups ADD COLUMN revisited_at timestamptz;

-- Whether lookups of a few caches raised the alarm, and no list has done so since.
ALTER TABLE mass_vanishings ADD COLUMN sampled boolean NOT NULL DEFAULT false;
