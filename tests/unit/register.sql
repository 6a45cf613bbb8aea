-- A register of 100,000 risks for the test of plans, in an empty database of the program's schema:
-- skewed as such registers are, with values that nearly all rows have and values that few have, and
-- consistent enough to be read. Table `kev` holds tests/data/kev.csv. Every value is a hash of the
-- row's number, so that the register is the same each time.
SET session_replication_role = replica; -- no look at foreign keys
SET maintenance_work_mem = '256MB';
SET work_mem = '256MB';
SET synchronous_commit = off;

-- Nobody else takes statistics, or a snapshot that keeps VACUUM from marking pages as all visible:
-- plans near a tie would differ from one run to the next.
DO $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() LOOP
        EXECUTE format('ALTER TABLE %I SET (autovacuum_enabled = off)', t.tablename);
    END LOOP;
END
$$;

-- Indexes are made afterwards, which is much faster.
CREATE TEMPORARY TABLE made_later AS
    SELECT indexdef, indexname FROM pg_indexes WHERE schemaname = current_schema() AND indexname NOT IN
        (SELECT conname FROM pg_constraint WHERE conname IS NOT NULL);
DO $$
DECLARE
    i record;
BEGIN
    FOR i IN SELECT indexname FROM made_later LOOP
        EXECUTE format('DROP INDEX %I', i.indexname);
    END LOOP;
END
$$;

-- A number below `most`; and one that is mostly small: half of them below a sixteenth of `most`.
CREATE FUNCTION pick(n BIGINT, salt BIGINT, most BIGINT) RETURNS BIGINT LANGUAGE sql IMMUTABLE
    AS 'SELECT (hashint8extended(n, salt) & 9223372036854775807) % most';
CREATE FUNCTION skew(n BIGINT, salt BIGINT, most BIGINT) RETURNS BIGINT LANGUAGE sql IMMUTABLE
    AS 'SELECT CAST(floor(most * power(pick(n, salt, 1000000) / 1000000.0::float8, 4)) AS BIGINT)';
CREATE FUNCTION uuid_of(n BIGINT, kind TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE
    AS 'SELECT lpad(to_hex(1780000000000 + n), 12, ''0'') || ''-7'' || kind || lpad(to_hex(pick(n, 1, 281474976710656)), 12, ''0'')';
CREATE FUNCTION day_of(n BIGINT) RETURNS TEXT LANGUAGE sql IMMUTABLE
    AS 'SELECT to_char(date ''2024-06-01'' + CAST(n AS INTEGER), ''YYYY-MM-DD'')';

INSERT INTO account (id, email, full_name, role, is_active, must_change_password, created_at, updated_at, version)
    SELECT uuid_of(n, 'ac-'), 'user' || n || '@example.org', 'User ' || n,
           CASE WHEN n <= 3 THEN 'admin' WHEN n <= 100 THEN 'analyst' ELSE 'viewer' END, 1, 0, 1780000000000 + n, 1780000000000 + n, 1
    FROM generate_series(1, 2000) AS n;
INSERT INTO token (id, hash, user_id, is_session, name, scope, created_at, expires_at)
    SELECT uuid_of(n, 'to-'), md5(n::text), uuid_of(1 + pick(n, 2, 2000), 'ac-'), CASE WHEN n % 10 = 0 THEN 0 ELSE 1 END, NULL, 'full',
           1780000000000 + n, 1790000000000 + n
    FROM generate_series(1, 20000) AS n;

INSERT INTO asset (id, name, type, criticality, owner, risk_count, created_at, updated_at, version, name_fold)
    SELECT uuid_of(n, 'as-'), 'Server ' || n, CASE WHEN n = 7 THEN 'mainframe' WHEN n % 5 > 0 THEN 'server' END,
           (ARRAY['MEDIUM', 'HIGH', 'LOW', 'CRITICAL'])[1 + skew(n, 3, 4)], NULL, 0, 1780000000000 + n, 1780000000000 + pick(n, 4, 100000), 1,
           'server ' || n
    FROM generate_series(1, 3000) AS n;
INSERT INTO risk_asset (risk_ref, asset_id)
    SELECT DISTINCT n, uuid_of(1 + skew(n * 3 + link, 5, 3000), 'as-')
    FROM generate_series(1, 100000) AS n, generate_series(0, 2) AS link WHERE link <= skew(n, 6, 3);

INSERT INTO risk (id, ref, title, description, impact, probability, score, level, status, category, treatment, owner, tags, frameworks,
                  source, external_id, custom_fields, review_date, created_at, updated_at, version, deleted_at, title_fold)
    SELECT uuid_of(n, 'a0-'), n, title, description, impact, probability, score,
           CASE WHEN score >= 2000 THEN 'CRITICAL' WHEN score >= 1500 THEN 'HIGH' WHEN score >= 1000 THEN 'MEDIUM' ELSE 'LOW' END,
           (ARRAY['ACTIVE', 'CLOSED', 'MITIGATED', 'ACCEPTED', 'DRAFT'])[1 + skew(n, 7, 5)],
           CASE WHEN n % 4 > 0 THEN 'Category ' || skew(n, 8, 40) END, 'MITIGATE',
           CASE WHEN n % 5 > 0 THEN 'owner' || skew(n, 9, 300) || '@example.org' END,
           '', '', CASE WHEN n % 2 = 0 THEN 'CISA-KEV' WHEN n % 199 = 0 THEN 'scanner' END,
           CASE WHEN n % 2 = 0 OR n % 199 = 0 THEN 'EXT-' || n END, '{}', CASE WHEN n % 3 = 0 THEN day_of(pick(n, 10, 1200)) END,
           1780000000000 + n, 1780000000000 + n + pick(n, 11, 1000) * 3600000, 1, CASE WHEN n % 33 = 0 THEN 1790000000000 END, lower(title)
    FROM (SELECT n, kev.title || ' ' || n AS title, left(kev.description, 150) AS description, impact, probability,
                 CAST(round(impact * probability * (100 + 5 * skew(n, 12, 3))) AS BIGINT) AS score
          FROM (SELECT n, 5 - skew(n, 13, 5) AS impact, 5 - skew(n, 14, 5) AS probability FROM generate_series(1, 100000) AS n) AS r
          JOIN kev ON line = 1 + n % (SELECT count(*) FROM kev)) AS texts;

INSERT INTO risk_label (kind, label, risk_ref)
    SELECT DISTINCT 'tag', 'tag' || skew(n * 3 + tag, 15, 400), n
    FROM generate_series(1, 100000) AS n, generate_series(0, 2) AS tag WHERE tag <= skew(n, 16, 3) AND n % 33 > 0
    UNION ALL SELECT DISTINCT 'framework', 'Framework ' || skew(n * 2 + framework, 17, 12), n
    FROM generate_series(1, 100000) AS n, generate_series(0, 1) AS framework WHERE framework <= skew(n, 18, 2) AND n % 33 > 0;
UPDATE risk SET tags = labels.tags FROM
    (SELECT risk_ref, string_agg(label, E'\n') AS tags FROM risk_label WHERE kind = 'tag' GROUP BY risk_ref) AS labels WHERE risk_ref = ref AND ref % 10 = 0;
INSERT INTO risk_text (risk_ref, search_text)
    SELECT ref, title_fold || E'\x1f' || lower(description) || E'\x1f' || COALESCE(lower(external_id), '') || E'\x1fr-' || ref
    FROM risk WHERE deleted_at IS NULL ORDER BY ref;
UPDATE asset SET risk_count = risks FROM (SELECT asset_id, count(*) AS risks FROM risk_asset WHERE risk_ref % 33 > 0 GROUP BY asset_id) AS counted
    WHERE asset_id = id;

INSERT INTO mitigation (id, risk_id, title, assignee, status, progress, due_date, cost, mitigation_time, created_at, updated_at, version, risk_ref,
                        progress_by_hand, hidden)
    SELECT uuid_of(n * 2 + m, 'b0-'), uuid_of(n, 'a0-'), 'Apply the update', CASE WHEN n % 2 = 0 THEN 'owner' || skew(n, 19, 300) || '@example.org' END,
           (ARRAY['DONE', 'PLANNED', 'IN_PROGRESS'])[1 + skew(n * 2 + m, 20, 3)], 0, CASE WHEN n % 5 > 0 THEN day_of(pick(n * 2 + m, 21, 1200)) END, 100, 5,
           1780000000000 + n, 1780000000000 + n, 1, n, 0, CASE WHEN n % 33 = 0 THEN 1 ELSE 0 END
    FROM generate_series(1, 100000) AS n, generate_series(0, 1) AS m WHERE m <= skew(n, 22, 2);
INSERT INTO sub_action (id, title, completed, mitigation_id, position)
    SELECT uuid_of(n, 'ca-'), 'Step ' || n, n % 2, uuid_of(2 * (n / 2), 'b0-'), n % 2 FROM generate_series(2, 40000) AS n;

INSERT INTO risk_history (risk_ref, at, actor, action, version, score, status, deleted, changes)
    SELECT ref, updated_at, 'user1@example.org', 'created', version, score, status, CASE WHEN deleted_at IS NULL THEN 0 ELSE 1 END, '[]'
    FROM risk, generate_series(0, 1) AS change WHERE change <= skew(ref, 23, 2) ORDER BY change, ref;
INSERT INTO audit_log (at, actor, action, target, address, result, detail)
    SELECT 1780000000000 + n * 60000::bigint, 'user' || 1 + skew(n, 24, 2000) || '@example.org',
           (ARRAY['PATCH /risks/{id}', 'login', 'POST /risks', 'DELETE /risks/{id}'])[1 + skew(n, 25, 4)] || CASE WHEN n % 5000 = 0 THEN '!' ELSE '' END,
           '', '127.0.0.1', CASE WHEN n % 1000 = 0 THEN 'denied' ELSE 'ok' END, ''
    FROM generate_series(1, 100000) AS n;
INSERT INTO import_baseline (source, external_id, risk_ref, members)
    SELECT source, external_id, ref, '{}' FROM risk WHERE source IS NOT NULL;

INSERT INTO risk_tally (impact, probability, level, status, count, score_sum)
    SELECT impact, probability, level, status, count(*), sum(score) FROM risk WHERE deleted_at IS NULL GROUP BY 1, 2, 3, 4;
INSERT INTO mitigation_tally (status, due_date, count, progress_sum, cost_sum)
    SELECT status, COALESCE(due_date, ''), count(*), sum(progress), sum(cost) FROM mitigation WHERE hidden = 0 GROUP BY 1, 2;
INSERT INTO day_figure (day, critical, high, medium, low, score_sum)
    SELECT 20000 + n, n, n, n, n, 1000 * n FROM generate_series(1, 1500) AS n;

DO $$
DECLARE
    i record;
BEGIN
    FOR i IN SELECT indexdef FROM made_later LOOP
        EXECUTE i.indexdef;
    END LOOP;
END
$$;
DROP TABLE kev;
DROP FUNCTION day_of, uuid_of, skew, pick;
