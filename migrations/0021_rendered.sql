-- An image cache as callers see it, kept beside the columns that it is made of: a read then costs the database and the
-- gateway no more than to hand it on. Expands only; a gateway of before knows nothing of it and harms nothing.
--
-- It counts only while it is of the row's version and in the form that the reader knows, so nobody who changes a row
-- must think of it. It is made by whoever reads the row first after a change, and written behind them.

ALTER TABLE image_caches
    ADD COLUMN rendered         text,                  -- JSON
    ADD COLUMN rendered_version bigint,                -- of which version of the row
    ADD COLUMN rendered_form    integer;               -- in which form: rises with what a gateway shows
-- Beside the row rather than out of line, as long as there is room: it is read far more often than the rest.
ALTER TABLE image_caches ALTER COLUMN rendered SET STORAGE MAIN;
-- Room for the next version of a row on the same page, so that no index is touched.
ALTER TABLE image_caches SET (fillfactor = 90);

-- Whoever repairs a row by hand may not raise its version; then what was rendered counts no more.
CREATE FUNCTION image_caches_unrender() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.rendered_version := NULL;
    NEW.rendered := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER image_caches_unrender BEFORE UPDATE ON image_caches FOR EACH ROW
    WHEN (NEW.version = OLD.version AND NEW.rendered IS NOT DISTINCT FROM OLD.rendered AND OLD.rendered IS NOT NULL)
    EXECUTE FUNCTION image_caches_unrender();
