-- What the platform changes for everybody is told to the endpoints of whoever holds platform:security: those that were
-- made with that scope, and not changed without it since.
ALTER TABLE webhook_endpoints ADD COLUMN platform boolean NOT NULL DEFAULT false;
CREATE INDEX webhook_endpoints_platform ON webhook_endpoints (team) WHERE platform AND NOT deleted;
