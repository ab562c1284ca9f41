-- Runs once, as the superuser, when the Postgres of docker-compose.yml makes its data (psql, by the image's
-- docker-entrypoint-initdb.d). On another server: do the same by hand, with passwords of your own.
--
-- eci_owner   owns the schema; used by `migrate`, and by `audit drop` for old months.
-- eci_runtime owns nothing; `migrate` grants it what the gateway needs, which on the audit tables is
--             SELECT and INSERT only. The gateway refuses to start with a stronger role. Another name for it is
--             told to `migrate` with ECG_DATABASE_RUNTIME_ROLE.

\set ON_ERROR_STOP on
\set owner_password `cat /run/secrets/eci_owner_password`
\set runtime_password `cat /run/secrets/eci_runtime_password`

-- psql goes on with an empty text if a file cannot be read: this fails (division by zero) instead.
SELECT 1 / (length(:'owner_password') >= 16 AND length(:'runtime_password') >= 16)::int AS passwords_are_there;

CREATE ROLE eci_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'owner_password';
CREATE ROLE eci_runtime LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'runtime_password';

CREATE DATABASE eci OWNER eci_owner;
REVOKE ALL ON DATABASE eci FROM PUBLIC;
GRANT CONNECT ON DATABASE eci TO eci_runtime;

\connect eci
ALTER SCHEMA public OWNER TO eci_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO eci_runtime;
