-- A team's lists, matches and gates ask for what still exists, the newest first. A team that builds a hundred image caches a
-- day has tens of thousands that have ended, and must not read past them for a page that is not full.
-- Beside them stands the unique (team, id), which serves the lists of what has ended, so the old index is not needed.
CREATE INDEX image_caches_live ON image_caches (team, id DESC)
    WHERE status NOT IN ('deleted', 'expired', 'evicted', 'lost');
CREATE INDEX image_caches_live_in_region ON image_caches (team, region, id DESC)
    WHERE status NOT IN ('deleted', 'expired', 'evicted', 'lost');
DROP INDEX image_caches_list;
