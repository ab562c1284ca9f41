-- Keys end with their makers: who made or rotated a key, with which credential, stands with it, so that a revocation
-- reaches what was made with what it revokes. A revocation may be one team's own.

ALTER TABLE api_keys
    -- The credential that it was made with, as the audit names it, and the one that that was exchanged for.
    ADD COLUMN made_with    text[],
    -- Who has known its secret since the last rotation.
    ADD COLUMN rotated_by   text,
    -- Everybody who ever rotated it, by subject and credentials: whoever knew a secret could have rotated it again, with
    -- the key itself, and knows the next one.
    ADD COLUMN rotated_with text[];

ALTER TABLE access_keys
    ADD COLUMN created_by   text,
    ADD COLUMN made_with    text[],
    ADD COLUMN rotated_by   text,
    ADD COLUMN rotated_with text[],
    -- Until when it is good; none: until it is revoked.
    ADD COLUMN expires_at   timestamptz;

ALTER TABLE revocations
    -- Whose tokens: none for every team's. A gateway of before takes each for every team's.
    ADD COLUMN team        text,
    -- The platform made it: the team cannot take it back.
    ADD COLUMN by_platform boolean NOT NULL DEFAULT true;
CREATE INDEX revocations_team ON revocations (team, id DESC) WHERE team IS NOT NULL;
