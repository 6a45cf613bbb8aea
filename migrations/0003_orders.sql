-- More orders in which risks can be read, as store/list_specs.c writes their keys. What has no owner,
-- category or review date comes last: '0…' for a text, '1' for none.
CREATE INDEX risk_by_ref ON risk ((ref + 0), id) WHERE deleted_at IS NULL;
CREATE INDEX risk_by_owner ON risk (COALESCE('0' || owner, '1'), id) WHERE deleted_at IS NULL;
CREATE INDEX risk_by_category ON risk (COALESCE('0' || category, '1'), id) WHERE deleted_at IS NULL;
CREATE INDEX risk_by_review_date ON risk (COALESCE(review_date, '9999-12-31'), id) WHERE deleted_at IS NULL;
-- The risks of one source, as those of one owner have it.
CREATE INDEX risk_of_source ON risk (source, score DESC, id)
    WHERE deleted_at IS NULL AND source IS NOT NULL;
