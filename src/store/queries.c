#include "store/queries.h"

/* The columns of each record, in the order of its field table, then those that are not in it. */
#define RISK_COLUMNS                                                                               \
    "risk.id, risk.ref, risk.title, risk.description, risk.impact, risk.probability, risk.score, " \
    "risk.level, risk.status, risk.category, risk.treatment, risk.owner, risk.tags, "              \
    "risk.frameworks, risk.source, risk.external_id, risk.custom_fields, risk.review_date, "       \
    "risk.created_by, risk.created_at, risk.updated_at, risk.version, risk.deleted_at"
#define ASSET_COLUMNS                                                                              \
    "asset.id, asset.name, asset.type, asset.criticality, asset.owner, asset.external_id, "        \
    "asset.risk_count, asset.created_by, asset.created_at, asset.updated_at, asset.version"
#define MITIGATION_COLUMNS                                                                         \
    "mitigation.id, mitigation.risk_id, mitigation.title, mitigation.description, "                \
    "mitigation.assignee, mitigation.status, mitigation.progress, mitigation.due_date, "           \
    "mitigation.cost, mitigation.mitigation_time, mitigation.created_by, mitigation.created_at, "  \
    "mitigation.updated_at, mitigation.version, mitigation.risk_ref, "                             \
    "mitigation.progress_by_hand, mitigation.import_key"
#define SUB_ACTION_COLUMNS                                                                         \
    "sub_action.id, sub_action.title, sub_action.completed, sub_action.mitigation_id, "            \
    "sub_action.position"
/* The password of a record is never stored: its column is NULL. */
#define ACCOUNT_COLUMNS                                                                            \
    "account.id, account.email, account.full_name, account.role, account.is_active, NULL, "        \
    "account.must_change_password, account.created_at, account.updated_at, "                       \
    "account.last_login_at, account.version, account.password_hash"

const char risk_columns[] = RISK_COLUMNS;
const char asset_columns[] = ASSET_COLUMNS;
const char mitigation_list_columns[] =
    MITIGATION_COLUMNS ", (SELECT title FROM risk WHERE risk.ref = mitigation.risk_ref)";
const char account_columns[] = ACCOUNT_COLUMNS;

/* What hangs on risks: on several, whose numbers arrive as a JSON array in one parameter, which
 * each engine reads in its way; or on the one with this id, so that it can be asked for together
 * with the risk itself. */
#define OF_REFS(before, after)                                                                     \
    before "IN (SELECT value FROM json_each($1))" after, READS,                                    \
        .postgres = before "= ANY (CAST(translate($1, '[]', '{}') AS BIGINT[]))" after
#define OF_ID(before, after) before "= (SELECT ref FROM risk WHERE id = $1)" after, READS

#define ASSETS_OF(which)                                                                           \
    which("SELECT " ASSET_COLUMNS ", risk_asset.risk_ref FROM risk_asset "                         \
          "JOIN asset ON asset.id = risk_asset.asset_id WHERE risk_asset.risk_ref ",               \
          " ORDER BY risk_asset.risk_ref, asset.name_fold")
#define MITIGATIONS_OF(which)                                                                      \
    which("SELECT " MITIGATION_COLUMNS " FROM mitigation WHERE risk_ref ", " ORDER BY risk_ref, "  \
                                                                           "id")
#define SUB_ACTIONS_OF(which)                                                                      \
    which("SELECT " SUB_ACTION_COLUMNS " FROM mitigation "                                         \
          "JOIN sub_action ON sub_action.mitigation_id = mitigation.id "                           \
          "WHERE mitigation.risk_ref ",                                                            \
          " ORDER BY sub_action.mitigation_id, sub_action.position, sub_action.id")

/* The first $1 different values of an indexed key, see value_store.c. `from`: table and condition.
 */
#define NEXT_VALUE(key, from, behind)                                                              \
    "SELECT " key " FROM " from " AND " key " > " behind " ORDER BY " key " LIMIT 1"
#define VALUES_BY(first, next)                                                                     \
    "SELECT value FROM (WITH RECURSIVE seen (value, number) AS (SELECT (" first "), 1 "            \
    "UNION ALL SELECT (" next "), number + 1 FROM seen WHERE value IS NOT NULL AND number < $1) "  \
    "SELECT value FROM seen WHERE value IS NOT NULL) AS in_use",                                   \
        READS
#define IN_USE(key, from)                                                                          \
    VALUES_BY(NEXT_VALUE(key, from, "''"), NEXT_VALUE(key, from, "seen.value"))

#define RISKS TOUCHES_RISKS
#define ASSETS TOUCHES_ASSETS
#define ACCOUNTS TOUCHES_ACCOUNTS

const struct query queries[QUERIES] = {
    /* Each engine's catalogue */
    /* 0: empty; 2: ours; 1: another program's */
    [QUERY_META_EXISTS] = {"meta_exists",
                           "SELECT count(*) FROM sqlite_schema "
                           "WHERE type = 'table' AND name IN ('meta', 'cache_generation')",
                           READS,
                           .postgres = "SELECT count(*) FROM pg_catalog.pg_class "
                                       "WHERE relname IN ('meta', 'cache_generation') "
                                       "AND relkind IN ('r', 'p') "
                                       "AND pg_catalog.pg_table_is_visible(oid)"},
    [QUERY_META_GET] = {"meta_get", "SELECT value FROM meta WHERE name = $1", READS},
    [QUERY_META_SET] = {"meta_set",
                        "INSERT INTO meta (name, value) VALUES ($1, $2) "
                        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                        TOUCHES_NOTHING},
    [QUERY_GENERATIONS] = {"generations", "SELECT scope, generation FROM cache_generation", READS},
    [QUERY_GENERATION_BUMP] = {"generation_bump",
                               "UPDATE cache_generation SET generation = CASE "
                               "WHEN generation + 1 > $2 THEN generation + 1 ELSE $2 END "
                               "WHERE scope = $1 RETURNING generation",
                               TOUCHES_NOTHING},
    /* Migration 2 rings. There is nothing to listen to in a file. */
    [QUERY_LISTEN] = {"listen", "SELECT 0", READS, .postgres = "LISTEN openrisk_generation"},
    [QUERY_COUNTER_ADD] = {"counter_add",
                           "UPDATE counter SET value = value + $2 WHERE name = $1 RETURNING value",
                           TOUCHES_NOTHING},
    /* SQLite: the library's own check of the file. PostgreSQL's server looks after its own. */
    [QUERY_INTEGRITY] = {"integrity", "PRAGMA integrity_check(20)", READS,
                         .postgres = "SELECT 'ok'"},

    /* How many connections the server takes from us and others; a file takes any number. */
    [QUERY_CONNECTIONS_MAX] = {"connections_max", "SELECT 0", READS,
                               .postgres =
                                   "SELECT CAST(current_setting('max_connections') AS BIGINT) - "
                                   "CAST(current_setting('superuser_reserved_connections') "
                                   "AS BIGINT)"},

    [QUERY_ACCOUNT_COUNT] = {"account_count", "SELECT count(*) FROM account", READS},
    [QUERY_ACCOUNT_BY_ID] = {"account_by_id",
                             "SELECT " ACCOUNT_COLUMNS " FROM account WHERE id = $1", READS},
    [QUERY_ACCOUNT_BY_EMAIL] = {"account_by_email",
                                "SELECT " ACCOUNT_COLUMNS " FROM account WHERE email = $1", READS},
    [QUERY_ACCOUNT_OTHER_ADMINS] = {"account_other_admins",
                                    "SELECT count(*) FROM account "
                                    "WHERE role = 'admin' AND is_active = 1 AND id <> $1",
                                    READS},
    [QUERY_ACCOUNT_INSERT] = {"account_insert",
                              "INSERT INTO account (id, email, full_name, role, is_active, "
                              "password_hash, must_change_password, created_at, updated_at, "
                              "last_login_at, version) "
                              "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                              ACCOUNTS},
    [QUERY_ACCOUNT_UPDATE] = {"account_update",
                              "UPDATE account SET email = $2, full_name = $3, role = $4, "
                              "is_active = $5, password_hash = $6, must_change_password = $7, "
                              "updated_at = $9, version = $11 WHERE id = $1",
                              ACCOUNTS},
    [QUERY_ACCOUNT_SIGNED_IN] = {"account_signed_in",
                                 "UPDATE account SET last_login_at = $2 WHERE id = $1 "
                                 "AND password_hash = $3 AND is_active = 1",
                                 TOUCHES_NOTHING},
    [QUERY_ACCOUNT_DELETE] = {"account_delete", "DELETE FROM account WHERE id = $1", ACCOUNTS},
    [QUERY_TOKEN_BY_HASH] = {"token_by_hash",
                             "SELECT token.id, token.is_session, token.scope, token.expires_at, "
                             "token.last_used_at, account.id, account.email, account.role, "
                             "account.must_change_password FROM token "
                             "JOIN account ON account.id = token.user_id "
                             "WHERE token.hash = $1 AND account.is_active = 1",
                             READS},
    [QUERY_TOKENS_OF_USER] = {"tokens_of_user",
                              "SELECT id, name, scope, created_at, expires_at, last_used_at "
                              "FROM token WHERE user_id = $1 AND is_session = 0 ORDER BY id",
                              READS},
    /* A new session is in no answer; a new API token only in its user's uncached list. */
    [QUERY_TOKEN_INSERT] = {"token_insert",
                            "INSERT INTO token (id, hash, user_id, is_session, name, scope, "
                            "created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                            TOUCHES_NOTHING},
    [QUERY_TOKEN_USED] = {"token_used", "UPDATE token SET last_used_at = $2 WHERE id = $1",
                          TOUCHES_NOTHING},
    [QUERY_TOKEN_DELETE] = {"token_delete",
                            "DELETE FROM token WHERE id = $1 AND user_id = $2 AND is_session = $3",
                            ACCOUNTS},
    [QUERY_TOKENS_DELETE_OF_USER] = {"tokens_delete_of_user",
                                     "DELETE FROM token WHERE user_id = $1 AND id <> $2", ACCOUNTS},
    [QUERY_TOKENS_DELETE_EXPIRED] = {"tokens_delete_expired",
                                     "DELETE FROM token WHERE expires_at < $1", TOUCHES_NOTHING},

    [QUERY_RISK_BY_ID] = {"risk_by_id", "SELECT " RISK_COLUMNS " FROM risk WHERE id = $1", READS},
    [QUERY_RISK_BY_REF] = {"risk_by_ref", "SELECT " RISK_COLUMNS " FROM risk WHERE ref = $1",
                           READS},
    [QUERY_RISK_BY_EXTERNAL_ID] = {"risk_by_external_id",
                                   "SELECT " RISK_COLUMNS " FROM risk "
                                   "WHERE COALESCE(source, '') = $1 AND external_id = $2",
                                   READS},
    [QUERY_RISKS_ALL] = {"risks_all", "SELECT " RISK_COLUMNS " FROM risk ORDER BY ref", READS,
                         .streams = true},
    [QUERY_RISKS_TOP] = {"risks_top",
                         "SELECT " RISK_COLUMNS " FROM risk WHERE deleted_at IS NULL "
                         "AND status <> 'CLOSED' ORDER BY score DESC, id LIMIT $1",
                         READS},
    [QUERY_RISKS_OF_REFS] = {"risks_of_refs",
                             OF_REFS("SELECT " RISK_COLUMNS " FROM risk WHERE ref ", "")},
    [QUERY_RISKS_COUNT] = {"risks_count", "SELECT count(*) FROM risk", READS},
    [QUERY_RISKS_OF_ASSET] = {"risks_of_asset",
                              "SELECT risk_ref FROM risk_asset WHERE asset_id = $1 "
                              "ORDER BY risk_ref",
                              READS},
    [QUERY_RISKS_BRIEF_OF_ASSET] = {"risks_brief_of_asset",
                                    "SELECT risk.id, risk.ref, risk.title, risk.score, "
                                    "risk.level, risk.status FROM risk_asset "
                                    "JOIN risk ON risk.ref = risk_asset.risk_ref "
                                    "WHERE risk_asset.asset_id = $1 AND risk.deleted_at IS NULL "
                                    "ORDER BY risk.score DESC, risk.id LIMIT $2",
                                    READS},
    [QUERY_OWNERS_IN_USE] = {"owners_in_use", IN_USE("owner", "risk WHERE deleted_at IS NULL")},
    [QUERY_CATEGORIES_IN_USE] = {"categories_in_use",
                                 IN_USE("category", "risk WHERE deleted_at IS NULL")},
    [QUERY_TAGS_IN_USE] = {"tags_in_use", IN_USE("label", "risk_label WHERE kind = 'tag'")},
    [QUERY_FRAMEWORKS_IN_USE] = {"frameworks_in_use",
                                 IN_USE("label", "risk_label WHERE kind = 'framework'")},
    [QUERY_SOURCES_IN_USE] = {"sources_in_use",
                              IN_USE("COALESCE(source, '')", "risk WHERE deleted_at IS NULL")},
    [QUERY_RISK_INSERT] = {"risk_insert",
                           "INSERT INTO risk (id, ref, title, description, impact, probability, "
                           "score, level, status, category, treatment, owner, tags, frameworks, "
                           "source, external_id, custom_fields, review_date, created_by, "
                           "created_at, updated_at, version, deleted_at, title_fold) "
                           "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, "
                           "$15, $16, $17, $18, $19, $20, $21, $22, $23, $24)",
                           RISKS},
    [QUERY_RISK_UPDATE] = {"risk_update",
                           "UPDATE risk SET title = $3, description = $4, impact = $5, "
                           "probability = $6, score = $7, level = $8, status = $9, "
                           "category = $10, treatment = $11, owner = $12, tags = $13, "
                           "frameworks = $14, source = $15, external_id = $16, "
                           "custom_fields = $17, review_date = $18, updated_at = $21, "
                           "version = $22, deleted_at = $23, title_fold = $24 "
                           "WHERE ref = $2",
                           RISKS},
    [QUERY_RISK_TEXT_INSERT] = {"risk_text_insert",
                                "INSERT INTO risk_text (risk_ref, search_text) VALUES ($1, $2)",
                                RISKS},
    [QUERY_RISK_TEXT_DELETE] = {"risk_text_delete", "DELETE FROM risk_text WHERE risk_ref = $1",
                                RISKS},
    /* SQLite: FTS5; deleting an entry takes the text that was inserted. PostgreSQL's index of
     * trigrams follows its table. */
    [QUERY_RISK_SEARCH_INSERT] = {"risk_search_insert",
                                  "INSERT INTO risk_search (rowid, search_text) VALUES ($1, $2)",
                                  RISKS, .postgres = ""},
    [QUERY_RISK_SEARCH_DELETE] = {"risk_search_delete",
                                  "INSERT INTO risk_search (risk_search, rowid, search_text) "
                                  "VALUES ('delete', $1, $2)",
                                  RISKS, .postgres = ""},
    [QUERY_LABEL_INSERT] = {"label_insert",
                            "INSERT INTO risk_label (kind, label, risk_ref) VALUES ($1, $2, $3)",
                            RISKS},
    [QUERY_LABELS_DELETE] = {"labels_delete", "DELETE FROM risk_label WHERE risk_ref = $1", RISKS},

    [QUERY_ASSET_BY_ID] = {"asset_by_id", "SELECT " ASSET_COLUMNS " FROM asset WHERE id = $1",
                           READS},
    [QUERY_ASSET_BY_NAME] = {"asset_by_name",
                             "SELECT " ASSET_COLUMNS " FROM asset WHERE name_fold = $1", READS},
    [QUERY_ASSETS_ALL] = {"assets_all", "SELECT " ASSET_COLUMNS " FROM asset ORDER BY id", READS,
                          .streams = true},
    [QUERY_ASSETS_OF_RISKS] = {"assets_of_risks", ASSETS_OF(OF_REFS)},
    [QUERY_ASSETS_OF_RISK] = {"assets_of_risk", ASSETS_OF(OF_ID)},
    [QUERY_ASSET_INSERT] = {"asset_insert",
                            "INSERT INTO asset (id, name, type, criticality, owner, external_id, "
                            "risk_count, created_by, created_at, updated_at, version, name_fold) "
                            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                            ASSETS},
    [QUERY_ASSET_UPDATE] = {"asset_update",
                            "UPDATE asset SET name = $2, type = $3, criticality = $4, owner = $5, "
                            "external_id = $6, updated_at = $10, version = $11, name_fold = $12 "
                            "WHERE id = $1",
                            ASSETS | RISKS},
    [QUERY_ASSET_DELETE] = {"asset_delete", "DELETE FROM asset WHERE id = $1", ASSETS | RISKS},
    [QUERY_ASSET_COUNT_ADD] = {"asset_count_add",
                               "UPDATE asset SET risk_count = risk_count + $2 WHERE id = $1",
                               ASSETS},
    [QUERY_LINK_INSERT] = {"link_insert",
                           "INSERT INTO risk_asset (risk_ref, asset_id) VALUES ($1, $2)",
                           RISKS | ASSETS},
    [QUERY_LINK_DELETE] = {"link_delete",
                           "DELETE FROM risk_asset WHERE risk_ref = $1 AND asset_id = $2",
                           RISKS | ASSETS},

    [QUERY_MITIGATION_BY_ID] = {"mitigation_by_id",
                                "SELECT " MITIGATION_COLUMNS " FROM mitigation WHERE id = $1",
                                READS},
    [QUERY_MITIGATIONS_OF_RISKS] = {"mitigations_of_risks", MITIGATIONS_OF(OF_REFS)},
    [QUERY_MITIGATIONS_OF_RISK] = {"mitigations_of_risk", MITIGATIONS_OF(OF_ID)},
    [QUERY_MITIGATION_INSERT] = {"mitigation_insert",
                                 "INSERT INTO mitigation (id, risk_id, title, description, "
                                 "assignee, status, progress, due_date, cost, mitigation_time, "
                                 "created_by, created_at, updated_at, version, risk_ref, "
                                 "progress_by_hand, import_key, hidden) VALUES ($1, $2, $3, $4, "
                                 "$5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
                                 RISKS},
    [QUERY_MITIGATION_UPDATE] = {"mitigation_update",
                                 "UPDATE mitigation SET title = $3, description = $4, "
                                 "assignee = $5, status = $6, progress = $7, due_date = $8, "
                                 "cost = $9, mitigation_time = $10, updated_at = $13, "
                                 "version = $14, progress_by_hand = $16 WHERE id = $1",
                                 RISKS},
    [QUERY_MITIGATION_DELETE] = {"mitigation_delete", "DELETE FROM mitigation WHERE id = $1",
                                 RISKS},
    [QUERY_MITIGATIONS_HIDE] = {"mitigations_hide",
                                "UPDATE mitigation SET hidden = $2 WHERE risk_ref = $1", RISKS},
    [QUERY_SUB_ACTIONS_OF_RISKS] = {"sub_actions_of_risks", SUB_ACTIONS_OF(OF_REFS)},
    [QUERY_SUB_ACTIONS_OF_RISK] = {"sub_actions_of_risk", SUB_ACTIONS_OF(OF_ID)},
    [QUERY_SUB_ACTION_BY_ID] = {"sub_action_by_id",
                                "SELECT " SUB_ACTION_COLUMNS " FROM sub_action WHERE id = $1",
                                READS},
    [QUERY_SUB_ACTION_INSERT] = {"sub_action_insert",
                                 "INSERT INTO sub_action (id, title, completed, mitigation_id, "
                                 "position) VALUES ($1, $2, $3, $4, $5)",
                                 RISKS},
    [QUERY_SUB_ACTION_UPDATE] = {"sub_action_update",
                                 "UPDATE sub_action SET title = $2, completed = $3 WHERE id = $1",
                                 RISKS},
    [QUERY_SUB_ACTION_DELETE] = {"sub_action_delete", "DELETE FROM sub_action WHERE id = $1",
                                 RISKS},
    [QUERY_SUB_ACTIONS_DELETE] = {"sub_actions_delete",
                                  "DELETE FROM sub_action WHERE mitigation_id = $1", RISKS},

    [QUERY_HISTORY_INSERT] = {"history_insert",
                              "INSERT INTO risk_history (risk_ref, at, actor_id, actor, action, "
                              "version, score, status, deleted, changes) "
                              "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                              RISKS},
    [QUERY_HISTORY_OF_RISK] = {"history_of_risk",
                               "SELECT at, actor_id, actor, action, version, score, status, "
                               "deleted, changes FROM risk_history WHERE risk_ref = $1 "
                               "ORDER BY seq",
                               READS},
    [QUERY_HISTORY_FIGURES] = {"history_figures",
                               "SELECT risk_ref, at, score, status, deleted FROM risk_history "
                               "ORDER BY risk_ref, seq",
                               READS, .streams = true},

    [QUERY_TALLY_ALL] = {"tally_all",
                         "SELECT impact, probability, level, status, count, score_sum "
                         "FROM risk_tally",
                         READS},
    [QUERY_TALLY_ADD] = {"tally_add",
                         "INSERT INTO risk_tally (impact, probability, level, status, count, "
                         "score_sum) VALUES ($1, $2, $3, $4, $5, $6) "
                         "ON CONFLICT (impact, probability, level, status) DO UPDATE SET "
                         "count = risk_tally.count + excluded.count, "
                         "score_sum = risk_tally.score_sum + excluded.score_sum",
                         RISKS},
    [QUERY_TALLY_CLEAR] = {"tally_clear", "DELETE FROM risk_tally", RISKS},
    [QUERY_TALLY_TOTAL] = {"tally_total", "SELECT COALESCE(SUM(count), 0) FROM risk_tally", READS},
    /* The days of a range, and the last one before it, whose state the range begins with. */
    [QUERY_DAYS] = {"days",
                    "SELECT day, critical, high, medium, low, score_sum FROM day_figure "
                    "WHERE day <= $2 AND day >= COALESCE((SELECT MAX(day) FROM day_figure "
                    "WHERE day < $1), $1) ORDER BY day",
                    READS},
    /* A day begins as the one before it ended. */
    [QUERY_DAY_OPEN] =
        {"day_open",
         "INSERT INTO day_figure (day, critical, high, medium, low, score_sum) "
         "SELECT CAST($1 AS BIGINT), COALESCE(MAX(critical), 0), COALESCE(MAX(high), 0), "
         "COALESCE(MAX(medium), 0), COALESCE(MAX(low), 0), "
         "COALESCE(MAX(score_sum), 0) FROM day_figure WHERE day = "
         "(SELECT MAX(day) FROM day_figure WHERE day < $1) "
         "ON CONFLICT (day) DO NOTHING",
         RISKS},
    /* Later days too: the clock may have been set back. */
    [QUERY_DAY_ADD] = {"day_add",
                       "UPDATE day_figure SET critical = critical + $2, high = high + $3, "
                       "medium = medium + $4, low = low + $5, score_sum = score_sum + $6 "
                       "WHERE day >= $1",
                       RISKS},
    [QUERY_DAY_SET] = {"day_set",
                       "INSERT INTO day_figure (day, critical, high, medium, low, score_sum) "
                       "VALUES ($1, $2, $3, $4, $5, $6)",
                       RISKS},
    [QUERY_DAYS_CLEAR] = {"days_clear", "DELETE FROM day_figure", RISKS},
    [QUERY_MITIGATION_TALLY_ALL] = {"mitigation_tally_all",
                                    "SELECT status, due_date, count, progress_sum, cost_sum "
                                    "FROM mitigation_tally",
                                    READS},
    /* $1 is today */
    [QUERY_MITIGATION_METRICS] = {"mitigation_metrics",
                                  "SELECT status, SUM(count), SUM(progress_sum), SUM(cost_sum), "
                                  "SUM(CASE WHEN due_date <> '' AND due_date < $1 THEN count "
                                  "ELSE 0 END) FROM mitigation_tally GROUP BY status",
                                  READS},
    [QUERY_MITIGATION_TALLY_ADD] = {"mitigation_tally_add",
                                    "INSERT INTO mitigation_tally (status, due_date, count, "
                                    "progress_sum, cost_sum) VALUES ($1, $2, $3, $4, $5) "
                                    "ON CONFLICT (status, due_date) DO UPDATE SET "
                                    "count = mitigation_tally.count + excluded.count, "
                                    "progress_sum = mitigation_tally.progress_sum + "
                                    "excluded.progress_sum, "
                                    "cost_sum = mitigation_tally.cost_sum + excluded.cost_sum",
                                    RISKS},
    [QUERY_MITIGATION_TALLY_CLEAR] = {"mitigation_tally_clear", "DELETE FROM mitigation_tally",
                                      RISKS},

    /* SQLite: rows that refer to nothing. PostgreSQL has none. */
    [QUERY_CHECK_REFERENCES] = {"check_references", "PRAGMA foreign_key_check", READS,
                                .postgres = ""},
    [QUERY_CHECK_ORPHANS] = {"check_orphans",
                             "SELECT risk_ref FROM risk_text WHERE risk_ref NOT IN "
                             "(SELECT ref FROM risk) UNION SELECT risk_ref FROM risk_label "
                             "WHERE risk_ref NOT IN (SELECT ref FROM risk)",
                             READS},
    /* What service/check.c compares, row by row. */
    [QUERY_CHECK_LINKS] = {"check_links",
                           "SELECT risk.ref, risk.impact, risk.probability, risk.score, "
                           "risk.level, risk.status, risk.deleted_at, COUNT(asset.id), "
                           "COALESCE(SUM(CASE asset.criticality WHEN 'LOW' THEN 80 "
                           "WHEN 'MEDIUM' THEN 100 WHEN 'HIGH' THEN 125 WHEN 'CRITICAL' THEN 150 "
                           "ELSE 0 END), 0) FROM risk "
                           "LEFT JOIN risk_asset ON risk_asset.risk_ref = risk.ref "
                           "LEFT JOIN asset ON asset.id = risk_asset.asset_id "
                           "GROUP BY risk.ref ORDER BY risk.ref",
                           READS, .streams = true},
    /* Each row of the following is a difference, unless a comment says otherwise. */
    [QUERY_CHECK_ASSET_COUNTS] = {"check_asset_counts",
                                  "SELECT asset.name, asset.risk_count, counted.risks FROM asset "
                                  "JOIN (SELECT asset.id AS id, COUNT(risk.ref) AS risks "
                                  "FROM asset LEFT JOIN risk_asset "
                                  "ON risk_asset.asset_id = asset.id LEFT JOIN risk "
                                  "ON risk.ref = risk_asset.risk_ref AND risk.deleted_at IS NULL "
                                  "GROUP BY asset.id) AS counted ON counted.id = asset.id "
                                  "WHERE asset.risk_count <> counted.risks",
                                  READS},
    /* All labels, beside the lists they were taken from. */
    [QUERY_CHECK_LABELS] = {"check_labels",
                            "SELECT risk.ref, risk.tags, risk.frameworks, risk_label.kind, "
                            "risk_label.label, risk.deleted_at FROM risk "
                            "LEFT JOIN risk_label ON risk_label.risk_ref = risk.ref "
                            "ORDER BY risk.ref",
                            READS, .streams = true},
    [QUERY_CHECK_MITIGATIONS] = {"check_mitigations",
                                 "SELECT mitigation.id FROM mitigation "
                                 "JOIN risk ON risk.ref = mitigation.risk_ref "
                                 "WHERE mitigation.risk_id <> risk.id OR mitigation.hidden <> "
                                 "CASE WHEN risk.deleted_at IS NULL THEN 0 ELSE 1 END",
                                 READS},
    [QUERY_CHECK_MITIGATION_TALLY] = {"check_mitigation_tally",
                                      "SELECT status, COALESCE(due_date, ''), COUNT(*), "
                                      "SUM(progress), SUM(cost) FROM mitigation "
                                      "WHERE hidden = 0 GROUP BY status, COALESCE(due_date, '')",
                                      READS},
    [QUERY_CHECK_HISTORY] = {"check_history",
                             "SELECT risk.ref FROM risk LEFT JOIN risk_history AS h "
                             "ON h.seq = (SELECT MAX(seq) FROM risk_history "
                             "WHERE risk_ref = risk.ref) WHERE h.seq IS NULL "
                             "OR h.score <> risk.score OR h.status <> risk.status "
                             "OR h.version <> risk.version OR h.deleted <> "
                             "CASE WHEN risk.deleted_at IS NULL THEN 0 ELSE 1 END",
                             READS},
    /* All texts, beside the folded ones. */
    [QUERY_CHECK_TEXTS] = {"check_texts",
                           "SELECT ref, title, description, external_id, title_fold, "
                           "search_text, deleted_at FROM risk "
                           "LEFT JOIN risk_text ON risk_ref = ref ORDER BY ref",
                           READS, .streams = true},
    /* SQLite: FTS5; $1 is a trigram that every search_text has. On PostgreSQL what is searched is
     * the table itself. */
    [QUERY_CHECK_SEARCH] = {"check_search",
                            "SELECT ref FROM risk WHERE (deleted_at IS NULL) <> (ref IN "
                            "(SELECT rowid FROM risk_search WHERE risk_search MATCH $1))",
                            READS, .postgres = ""},

    [QUERY_BASELINE_GET] = {"baseline_get",
                            "SELECT risk_ref, members FROM import_baseline "
                            "WHERE source = $1 AND external_id = $2",
                            READS},
    /* Not one statement with ON CONFLICT: SQLite guards that by a savepoint, at each of which FTS5
     * writes out what it has gathered. Imports of many risks took six times as long. */
    [QUERY_BASELINE_INSERT] = {"baseline_insert",
                               "INSERT INTO import_baseline (source, external_id, risk_ref, "
                               "members) VALUES ($1, $2, $3, $4)",
                               TOUCHES_NOTHING},
    [QUERY_BASELINE_UPDATE] = {"baseline_update",
                               "UPDATE import_baseline SET members = $3 "
                               "WHERE source = $1 AND external_id = $2",
                               TOUCHES_NOTHING},
    [QUERY_BASELINES_OF_RISK] = {"baselines_of_risk",
                                 "SELECT source, external_id, members FROM import_baseline "
                                 "WHERE risk_ref = $1 ORDER BY source, external_id",
                                 READS},

    [QUERY_AUDIT_INSERT] = {"audit_insert",
                            "INSERT INTO audit_log (at, actor_id, actor, action, target, address, "
                            "result, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                            TOUCHES_NOTHING},
};
