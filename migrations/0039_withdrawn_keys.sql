-- What is left of keys, and of secrets of keys, that are no longer taken: enough to say whose they were, and why they went.

ALTER TABLE api_keys
    -- Hashes of the secrets before the one before the last rotation, the youngest first, the last few: whoever uses one
    -- is told that it was rotated away, and named.
    ADD COLUMN retired_hashes bytea[],
    -- The revocation that took it along; none where the key was revoked by itself.
    ADD COLUMN revoked_with   uuid;
ALTER TABLE access_keys ADD COLUMN revoked_with uuid;
