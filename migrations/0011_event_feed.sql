-- The feed of one image cache. Without it, a reader who asks for one cache's events walks through all of its team's.
--
-- The team stands first, as in every read of a team's rows; transaction and number last, in the order of the feed.

CREATE INDEX events_of_image_cache ON events (team, image_cache, txid, seq);
