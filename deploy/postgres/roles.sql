-- Runs once, as the superuser, when the Postgres of docker-compose.yml makes its data (psql, by the image's
-- docker-entrypoint-initdb.d). On another server: do the same by hand, with passwords of your own.
--
-- eci_owner   owns the schema; used by `migrate`, and by `audit drop` for old months.
-- eci_runtime owns nothing; `migrate` grants it what the gateway needs, which on the audit tables is
--             SELECT and INSERT only. The gateway refuses to start with a stronger role. Another name for it is
--             told to `migrate` with ECG_DATABASE_RUNTIME_ROLE.
--
-- The database has its name last: `eci` is there once all of this is done. Where it stopped half-way, mend what it said
-- and begin anew: docker compose down --volumes (there are no data yet).

\set ON_ERROR_STOP on
-- Passwords stand in two statements below: neither is logged, whatever is set and whatever becomes of it.
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
SET password_encryption = 'scram-sha-256';

-- Judged here, by the shell: a statement would stand in the server's log.
\set owner_good `[ "$(head -n 1 /run/secrets/eci_owner_password | tr -d '\n' | wc -m)" -ge 16 ] && [ -z "$(tail -n +2 /run/secrets/eci_owner_password)" ] && echo true || echo false`
\set runtime_good `[ "$(head -n 1 /run/secrets/eci_runtime_password | tr -d '\n' | wc -m)" -ge 16 ] && [ -z "$(tail -n +2 /run/secrets/eci_runtime_password)" ] && echo true || echo false`
\if :owner_good
\else
  \warn 'secrets/eci_owner_password: must be one line of at least 16 characters'
\endif
\if :runtime_good
\else
  \warn 'secrets/eci_runtime_password: must be one line of at least 16 characters'
\endif
SELECT :'owner_good' = 'true' AND :'runtime_good' = 'true' AS passwords_are_good \gset
\if :passwords_are_good
\else
  DO $$ BEGIN RAISE 'a password is missing or too short: nothing was made'; END $$;
\endif

\set owner_password `cat /run/secrets/eci_owner_password`
\set runtime_password `cat /run/secrets/eci_runtime_password`
CREATE ROLE eci_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'owner_password';
CREATE ROLE eci_runtime LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'runtime_password';
\unset owner_password
\unset runtime_password

CREATE DATABASE eci_half_made OWNER eci_owner;
REVOKE ALL ON DATABASE eci_half_made FROM PUBLIC;
GRANT CONNECT ON DATABASE eci_half_made TO eci_runtime;

\connect eci_half_made
ALTER SCHEMA public OWNER TO eci_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO eci_runtime;

\connect postgres
ALTER DATABASE eci_half_made RENAME TO eci;
