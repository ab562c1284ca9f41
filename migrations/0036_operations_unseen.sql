-- What an attempt in doubt may have made counts as never made only once looks have not shown it for long.

-- Since when looks have not shown it, none of which could be too early.
ALTER TABLE operations ADD COLUMN unseen_since timestamptz;
