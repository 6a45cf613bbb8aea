-- Whoever bumps a generation, rings: the other nodes look at the generations at once instead of within
-- 200 ms. Nothing depends on its being heard (docs/cluster.md).
CREATE FUNCTION openrisk_ring() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN NOTIFY openrisk_generation; RETURN NULL; END';
CREATE TRIGGER ring AFTER UPDATE ON cache_generation
    FOR EACH STATEMENT EXECUTE FUNCTION openrisk_ring();
