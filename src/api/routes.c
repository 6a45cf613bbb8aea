#include <stdio.h>
#include <string.h>

#include "api/handlers.h"
#include "base/mem.h"
#include "domain/asset.h"
#include "domain/mitigation.h"
#include "domain/risk.h"
#include "service/import.h"
#include "store/value_store.h"

#define PARAMS(array) .params = (array), .param_count = COUNT_OF(array)

static const struct param trend_params[] = {
    {"days", PARAM_INT, 1, 366, 30, .about = "how many days, today included"},
};
static const struct param top_params[] = {
    {"limit", PARAM_INT, 1, 50, 10, .about = "how many"},
};
static const struct param value_params[] = {
    {"member", PARAM_NAME, .names = value_member_names, .about = "of which member"},
    {"q", PARAM_PART, .max = 200, .about = "is in the value; case and accents do not matter"},
    {"limit", PARAM_INT, 1, 100, 20, .about = "how many"},
};
static const struct param cache_params[] = {
    {"scope", PARAM_NAME, .otherwise = CACHE_ALL_SCOPES, .names = scope_names,
     .about = "only what depends on this"},
};
static const struct param ops_params[] = {
    {"minutes", PARAM_INT, 1, 60, 60, .about = "how much of the last hour"},
};
static const struct param import_params[] = {
    {"format", PARAM_NAME, .otherwise = IMPORT_JSON, .names = import_format_names,
     .about = "of the body"},
    {"dry_run", PARAM_FLAG, .about = "check and answer, but write nothing"},
    {"skip_invalid", PARAM_FLAG, .about = "leave refused rows out instead of refusing the file"},
    {"restore", PARAM_FLAG, .about = "bring deleted risks back"},
};

/* What the reading routes depend on. */
enum { RISKS = 1 << SCOPE_RISKS, ASSETS = 1 << SCOPE_ASSETS };

const struct route routes[] = {
    {HTTP_POST, "/auth/login", WHO_PUBLIC, .act = auth_login, .status = 200, .body_kind = BODY_JSON,
     .lane = LANE_PASSWORD, .takes = "Login", .answers = "Session",
     .summary = "Sign in; a browser gets a cookie, a program a token"},
    {HTTP_POST, "/auth/logout", WHO_ANY, .act = auth_logout, .status = 204,
     .summary = "Sign out: the session is dead at once"},
    {HTTP_GET, "/users/me", WHO_ANY, .act = me_get, .status = 200, .answers = "User",
     .summary = "Who am I"},
    {HTTP_PATCH, "/users/me", WHO_ANY, .act = me_update, .status = 200, .body_kind = BODY_JSON,
     .takes = "OwnUserChange", .answers = "User", .summary = "Change my profile"},
    {HTTP_POST, "/users/me/password", WHO_ANY, .act = me_change_password, .status = 204,
     .body_kind = BODY_JSON, .lane = LANE_PASSWORD, .takes = "PasswordChange",
     .summary = "Change my password; ends all my other sessions and tokens"},
    {HTTP_GET, "/users", WHO_ADMIN, .act = users_list, .status = 200, .list = &user_list,
     .answers = "UserPage", .summary = "List users"},
    {HTTP_POST, "/users", WHO_ADMIN, .act = users_create, .status = 201, .body_kind = BODY_JSON,
     .lane = LANE_PASSWORD, .takes = "UserChange", .answers = "User", .summary = "Add a user"},
    {HTTP_PATCH, "/users/{id}", WHO_ADMIN, .act = users_update, .status = 200,
     .body_kind = BODY_JSON, .lane = LANE_PASSWORD, .takes = "UserChange", .answers = "User",
     .summary = "Change a user; a new password or inactivity ends their sessions and tokens"},
    {HTTP_DELETE, "/users/{id}", WHO_ADMIN, .act = users_delete, .status = 204,
     .summary = "Remove a user with their sessions and tokens"},
    {HTTP_GET, "/tokens", WHO_ANY, .act = tokens_list, .status = 200, .answers = "TokenItems",
     .summary = "List my API tokens"},
    {HTTP_POST, "/tokens", WHO_ANY, .act = tokens_create, .status = 201, .body_kind = BODY_JSON,
     .takes = "TokenChange", .answers = "NewToken", .summary = "Make an API token; shown once"},
    {HTTP_DELETE, "/tokens/{id}", WHO_ANY, .act = tokens_delete, .status = 204,
     .summary = "Revoke one of my API tokens"},

    {HTTP_GET, "/risks", WHO_ANY, .read = risks_list, .cache = {RISKS | ASSETS, TTL_RISKS},
     .status = 200, .list = &risk_list, .answers = "RiskPage",
     .summary = "List risks: search, filter, sort, page"},
    {HTTP_POST, "/risks", WHO_ANALYST, .act = risks_create, .status = 201, .body_kind = BODY_JSON,
     .takes = "RiskChange", .answers = "Risk", .summary = "Add a risk"},
    {HTTP_POST, "/risks/bulk", WHO_ANALYST, .act = risks_bulk, .status = 200,
     .body_kind = BODY_JSON, .takes = "Bulk", .answers = "BulkResult",
     .summary = "Change, delete or restore up to 200 risks, all or nothing"},
    {HTTP_GET, "/risks/values", WHO_ANY, .read = risks_values, .cache = {RISKS, TTL_RISKS},
     .status = 200, PARAMS(value_params), .answers = "Values",
     .summary = "The values of a member that are in use, to choose from"},
    {HTTP_GET, "/risks/{id}", WHO_ANY, .read = risks_get, .cache = {RISKS | ASSETS, TTL_RISKS},
     .status = 200, .answers = "Risk", .summary = "One risk, by id or ref"},
    {HTTP_PATCH, "/risks/{id}", WHO_ANALYST, .act = risks_update, .status = 200,
     .body_kind = BODY_JSON, .takes = "RiskChange", .answers = "Risk",
     .summary = "Change the members given"},
    {HTTP_DELETE, "/risks/{id}", WHO_CREATOR_OR_ADMIN, .act = risks_delete, .status = 204,
     .summary = "Delete a risk; it can be restored"},
    {HTTP_POST, "/risks/{id}/restore", WHO_CREATOR_OR_ADMIN, .act = risks_restore, .status = 200,
     .answers = "Risk", .summary = "Bring a deleted risk back"},
    {HTTP_GET, "/risks/{id}/timeline", WHO_ANY, .read = risks_timeline, .cache = {RISKS, TTL_RISKS},
     .status = 200, .list = &history_list, .answers = "ChangePage",
     .summary = "Recorded changes, newest first; total and limit count writes"},
    {HTTP_GET, "/risks/{id}/mitigations", WHO_ANY, .read = mitigations_of_risk,
     .cache = {RISKS, TTL_RISKS}, .status = 200, .answers = "MitigationItems",
     .summary = "A risk's mitigations"},
    {HTTP_POST, "/risks/{id}/mitigations", WHO_ANALYST, .act = mitigations_create, .status = 201,
     .body_kind = BODY_JSON, .takes = "MitigationChange", .answers = "Mitigation",
     .summary = "Plan a mitigation"},

    {HTTP_GET, "/mitigations", WHO_ANY, .read = mitigations_list, .cache = {RISKS, TTL_RISKS},
     .status = 200, .list = &mitigation_list, .answers = "MitigationPage",
     .summary = "List mitigations of all risks, earliest due date first"},
    {HTTP_PATCH, "/mitigations/{id}", WHO_ANALYST, .act = mitigations_update, .status = 200,
     .body_kind = BODY_JSON, .takes = "MitigationChange", .answers = "Mitigation",
     .summary = "Change a mitigation"},
    {HTTP_DELETE, "/mitigations/{id}", WHO_ANALYST, .act = mitigations_delete, .status = 204,
     .summary = "Remove a mitigation"},
    {HTTP_POST, "/mitigations/{id}/subactions", WHO_ANALYST, .act = sub_actions_create,
     .status = 201, .body_kind = BODY_JSON, .takes = "SubActionChange", .answers = "SubAction",
     .summary = "Add a sub-action; progress follows"},
    {HTTP_PATCH, "/mitigations/{id}/subactions/{sid}", WHO_ANALYST, .act = sub_actions_update,
     .status = 200, .body_kind = BODY_JSON, .takes = "SubActionChange", .answers = "SubAction",
     .summary = "Change a sub-action; progress follows"},
    {HTTP_DELETE, "/mitigations/{id}/subactions/{sid}", WHO_ANALYST, .act = sub_actions_delete,
     .status = 204, .summary = "Remove a sub-action; progress follows"},

    {HTTP_GET, "/assets", WHO_ANY, .read = assets_list, .cache = {ASSETS, TTL_RISKS}, .status = 200,
     .list = &asset_list, .answers = "AssetPage", .summary = "List assets"},
    {HTTP_POST, "/assets", WHO_ANALYST, .act = assets_create, .status = 201, .body_kind = BODY_JSON,
     .takes = "AssetChange", .answers = "AssetWithRisks", .summary = "Add an asset"},
    {HTTP_GET, "/assets/{id}", WHO_ANY, .read = assets_get, .cache = {RISKS | ASSETS, TTL_RISKS},
     .status = 200, .answers = "AssetWithRisks", .summary = "An asset with its highest risks"},
    {HTTP_PATCH, "/assets/{id}", WHO_ANALYST, .act = assets_update, .status = 200,
     .body_kind = BODY_JSON, .takes = "AssetChange", .answers = "AssetWithRisks",
     .summary = "Change an asset; another criticality rescores its risks"},
    {HTTP_DELETE, "/assets/{id}", WHO_CREATOR_OR_ADMIN, .act = assets_delete, .status = 204,
     .summary = "Remove an asset from the register and its risks"},

    {HTTP_GET, "/stats", WHO_ANY, .read = stats_get, .cache = {RISKS, TTL_STATS}, .status = 200,
     .answers = "Stats", .summary = "Key figures"},
    {HTTP_GET, "/stats/risk-matrix", WHO_ANY, .read = stats_matrix, .cache = {RISKS, TTL_MATRIX},
     .status = 200, .answers = "Matrix", .summary = "Risks per impact and probability"},
    {HTTP_GET, "/stats/trends", WHO_ANY, .read = stats_trends, .cache = {RISKS, TTL_TRENDS},
     .status = 200, PARAMS(trend_params), .answers = "Trend",
     .summary = "The state at the end of each day"},
    {HTTP_GET, "/stats/risk-distribution", WHO_ANY, .read = stats_distribution,
     .cache = {RISKS, TTL_STATS}, .status = 200, .answers = "Distribution",
     .summary = "Risks per level, status, impact, probability"},
    {HTTP_GET, "/stats/mitigation-metrics", WHO_ANY, .read = stats_mitigations,
     .cache = {RISKS, TTL_STATS}, .status = 200, .answers = "MitigationMetrics",
     .summary = "How treatment goes"},
    {HTTP_GET, "/stats/top-risks", WHO_ANY, .read = stats_top_risks, .cache = {RISKS, TTL_STATS},
     .status = 200, PARAMS(top_params), .answers = "RiskArray",
     .summary = "The highest open scores"},
    {HTTP_GET, "/activity", WHO_ANY, .read = activity_list, .cache = {RISKS, TTL_RISKS},
     .status = 200, .list = &history_list, .answers = "ActivityPage",
     .summary = "Recent changes over all risks"},
    {HTTP_GET, "/audit-logs", WHO_ADMIN, .act = audit_list_get, .status = 200, .list = &audit_list,
     .answers = "AuditPage", .summary = "Who did what, when, from where, with what result"},

    {HTTP_POST, "/import/risks", WHO_ANALYST, .act = import_post, .status = 200,
     .body_kind = BODY_FILE, PARAMS(import_params), .answers = "ImportResult",
     .summary = "Import a file, all or nothing"},
    {HTTP_GET, "/export/risks.json", WHO_ANY, .act = export_get, .status = 200, .list = &risk_list,
     .is_whole = true, .answers = "Export",
     .summary = "The whole register, for import elsewhere; with filters or an order the risks of "
                "that list"},

    {HTTP_GET, "/health", WHO_PUBLIC, .act = health_get, .status = 200, .lane = LANE_LOOP,
     .answers = "Health", .summary = "Is it well; 503 when it is not"},
    {HTTP_GET, "/pool", WHO_ADMIN, .act = pool_get_state, .status = 200, .lane = LANE_LOOP,
     .answers = "Pools",
     .summary = "How the database's connections are used: at this moment, and since the start"},
    {HTTP_GET, "/ops", WHO_ADMIN, .act = ops_get, .status = 200, .lane = LANE_LOOP,
     PARAMS(ops_params), .answers = "Ops",
     .summary = "The last hour in steps of ten seconds: requests, cache, pool, process"},
    {HTTP_GET, "/cache", WHO_ADMIN, .act = cache_get_state, .status = 200, .answers = "Cache",
     .summary = "What the cache holds, how often it helped, and how fresh it is"},
    {HTTP_DELETE, "/cache", WHO_ADMIN, .act = cache_invalidate, .status = 200, PARAMS(cache_params),
     .answers = "Generations",
     .summary = "Make all that is cached outdated, on every node: bumps the generations"},
    {HTTP_GET, "/openapi.json", WHO_PUBLIC, .act = openapi_get, .status = 200, .lane = LANE_LOOP,
     .answers = "OpenApi", .summary = "This document"},
    {HTTP_GET, "/", WHO_PUBLIC, .act = front_page, .status = 200, .lane = LANE_LOOP,
     .summary = "The web interface, its pages and files (outside the base path)"},
};
const size_t route_count = COUNT_OF(routes);

const struct schema schemas[] = {
    {"Risk", SCHEMA_RECORD, &risk_table, .more = "assets:[AssetBrief mitigations:[Mitigation"},
    {"RiskRecord", SCHEMA_RECORD, &risk_table},
    {"RiskChange", SCHEMA_RECORD, &risk_table, .for_writing = true, .more = "asset_ids:[string"},
    {"RiskBrief", SCHEMA_RECORD,
     .more = "id:string ref:integer title:string score:number "
             "level:string status:string"},
    {"RiskPage", SCHEMA_PAGE, .item = "Risk"},
    {"RiskArray", SCHEMA_ARRAY, .item = "RiskRecord"},
    {"Bulk", SCHEMA_RECORD,
     .more = "ids:[string set:RiskChange delete:boolean restore:boolean changes:[BulkChange"},
    {"BulkChange", SCHEMA_RECORD, .more = "id:string version:integer set:RiskChange"},
    {"BulkResult", SCHEMA_RECORD,
     .more = "updated:integer deleted:integer restored:integer items:[RiskVersion"},
    {"Values", SCHEMA_RECORD, .more = "items:[string is_complete:boolean"},
    {"RiskVersion", SCHEMA_RECORD, .more = "id:string version:integer"},
    {"Change", SCHEMA_RECORD,
     .more = "at:string actor:string actor_id:string? action:string "
             "version:integer member:string? subject:string? from:any "
             "to:any"},
    {"ChangePage", SCHEMA_PAGE, .item = "Change"},
    {"RiskName", SCHEMA_RECORD, .more = "id:string ref:integer title:string"},
    {"Activity", SCHEMA_RECORD,
     .more = "at:string actor:string actor_id:string? action:string "
             "version:integer risk:RiskName member:string? "
             "subject:string? from:any to:any"},
    {"ActivityPage", SCHEMA_PAGE, .item = "Activity"},
    {"Mitigation", SCHEMA_RECORD, &mitigation_table, .more = "sub_actions:[SubAction"},
    {"MitigationOfRisk", SCHEMA_RECORD, &mitigation_table, .more = "risk:RiskName"},
    {"MitigationChange", SCHEMA_RECORD, &mitigation_table, .for_writing = true},
    {"MitigationItems", SCHEMA_ITEMS, .item = "Mitigation"},
    {"MitigationPage", SCHEMA_PAGE, .item = "MitigationOfRisk"},
    {"SubAction", SCHEMA_RECORD, &sub_action_table},
    {"SubActionChange", SCHEMA_RECORD, &sub_action_table, .for_writing = true},
    {"Asset", SCHEMA_RECORD, &asset_table},
    {"AssetBrief", SCHEMA_RECORD, .more = "id:string name:string type:string? criticality:string"},
    {"AssetWithRisks", SCHEMA_RECORD, &asset_table, .more = "risks:[RiskBrief"},
    {"AssetChange", SCHEMA_RECORD, &asset_table, .for_writing = true},
    {"AssetPage", SCHEMA_PAGE, .item = "Asset"},
    {"User", SCHEMA_RECORD, &user_table},
    {"UserChange", SCHEMA_RECORD, &user_table, .for_writing = true},
    {"OwnUserChange", SCHEMA_RECORD, .more = "full_name:string?"},
    {"UserPage", SCHEMA_PAGE, .item = "User"},
    {"Login", SCHEMA_RECORD, .more = "email:string password:string"},
    {"PasswordChange", SCHEMA_RECORD, .more = "current_password:string new_password:string"},
    {"Session", SCHEMA_RECORD, .more = "token:string expires_in:integer user:User"},
    {"Token", SCHEMA_RECORD, &token_table},
    {"TokenChange", SCHEMA_RECORD, &token_table, .for_writing = true},
    {"NewToken", SCHEMA_RECORD, &token_table, .more = "token:string"},
    {"TokenItems", SCHEMA_ITEMS, .item = "Token"},
    {"LevelCounts", SCHEMA_RECORD,
     .more = "CRITICAL:integer HIGH:integer MEDIUM:integer LOW:integer"},
    {"StatusCounts", SCHEMA_RECORD,
     .more = "DRAFT:integer ACTIVE:integer MITIGATED:integer ACCEPTED:integer"},
    {"ScaleCounts", SCHEMA_RECORD, .more = "1:integer 2:integer 3:integer 4:integer 5:integer"},
    {"Stats", SCHEMA_RECORD,
     .more = "total_risks:integer global_risk_score:integer "
             "high_risks:integer mitigated_risks:integer "
             "risks_by_severity:LevelCounts overdue_mitigations:integer"},
    {"MatrixCell", SCHEMA_RECORD, .more = "impact:integer probability:integer count:integer"},
    {"Matrix", SCHEMA_ARRAY, .item = "MatrixCell"},
    {"TrendDay", SCHEMA_RECORD,
     .more = "date:string score:integer total:integer critical:integer "
             "high:integer medium:integer low:integer"},
    {"Trend", SCHEMA_ARRAY, .item = "TrendDay"},
    {"Distribution", SCHEMA_RECORD,
     .more = "total:integer by_level:LevelCounts "
             "by_status:StatusCounts by_impact:ScaleCounts "
             "by_probability:ScaleCounts"},
    {"MitigationMetrics", SCHEMA_RECORD,
     .more = "total:integer planned:integer in_progress:integer done:integer overdue:integer "
             "average_progress:number completion_rate:number total_cost:integer"},
    {"AuditEntry", SCHEMA_RECORD,
     .more = "at:string actor:string actor_id:string? action:string "
             "target:string address:string result:string "
             "detail:string"},
    {"AuditPage", SCHEMA_PAGE, .item = "AuditEntry"},
    {"ImportRefusal", SCHEMA_RECORD, .more = "row:integer column:string reason:string"},
    {"ImportResult", SCHEMA_RECORD,
     .more = "imported:integer updated:integer unchanged:integer "
             "skipped:integer unknown_columns:[string "
             "errors:[ImportRefusal errors_total:integer"},
    {"Export", SCHEMA_RECORD,
     .more = "format:string version:integer exported_at:string "
             "assets:[any risks:[any"},
    {"DatabaseHealth", SCHEMA_RECORD,
     .more = "status:string latency_us:integer? checked_ms_ago:integer"},
    {"PoolHealth", SCHEMA_RECORD,
     .more = "status:string verdict:string open:integer in_use:integer idle:integer "
             "waiting:integer max_open:integer"},
    {"RedisHealth", SCHEMA_RECORD, .more = "status:string breaker:string for_ms:integer"},
    {"Checks", SCHEMA_RECORD, .more = "database:DatabaseHealth pool:PoolHealth redis:RedisHealth?"},
    {"Health", SCHEMA_RECORD, .more = "status:string version:string checks:Checks"},
    {"PoolWait", SCHEMA_RECORD, .more = "count:integer mean_us:integer max_us:integer"},
    {"PoolClosed", SCHEMA_RECORD,
     .more = "lifetime:integer idle:integer surplus:integer broken:integer check:integer "
             "stopping:integer"},
    {"Pool", SCHEMA_RECORD,
     .more = "verdict:string open:integer in_use:integer idle:integer opening:integer "
             "max_open:integer max_idle:integer waiting:integer max_waiting:integer "
             "workers:integer cannot_open_for_ms:integer? jobs:integer refused:integer "
             "timed_out:integer held_long:integer wait:PoolWait opened:integer "
             "open_failures:integer closed:PoolClosed"},
    {"Pools", SCHEMA_RECORD, .more = "general:Pool password:Pool"},
    {"OpsRequests", SCHEMA_RECORD,
     .more = "rate:[number errors:[number p50_ms:[any p95_ms:[any p99_ms:[any"},
    {"OpsRoute", SCHEMA_RECORD,
     .more = "route:string method:string rate:[number errors:[number p50_ms:[any p95_ms:[any "
             "p99_ms:[any"},
    {"OpsPool", SCHEMA_RECORD, .more = "in_use:[integer waiting:[integer"},
    {"OpsProcess", SCHEMA_RECORD, .more = "cpu:[number resident_bytes:[integer"},
    {"Ops", SCHEMA_RECORD,
     .more = "step_seconds:integer at:[string all:OpsRequests routes:[OpsRoute hit_rate:[any "
             "pool:OpsPool process:OpsProcess"},
    {"Generations", SCHEMA_RECORD, .more = "risks:integer assets:integer accounts:integer"},
    {"CacheLosses", SCHEMA_RECORD,
     .more = "capacity:integer expired:integer outdated:integer replaced:integer"},
    {"CachePart", SCHEMA_RECORD,
     .more = "entries:integer bytes:integer max_bytes:integer hits:integer unverified:integer "
             "misses:integer coalesced:integer hit_rate:number? second_hits:integer loads:integer "
             "load_failures:integer "
             "repeats:integer stores:integer passed:integer too_large:integer late:integer "
             "evictions:CacheLosses loading:integer waiting:integer"},
    {"Cache", SCHEMA_RECORD,
     .more = "enabled:boolean generations:Generations age_ms:integer? responses:CachePart "
             "sessions:CachePart second_level:SecondLevel?"},
    {"SecondLevel", SCHEMA_RECORD,
     .more = "breaker:string for_ms:integer trouble:string hits:integer misses:integer "
             "refused:integer expired:integer not_asked:integer timeouts:integer errors:integer "
             "stores:integer store_errors:integer dropped:integer too_large:integer "
             "opened:integer reading:integer writing:integer"},
    {"OpenApi", SCHEMA_RECORD,
     .more = "openapi:string info:any paths:any components:any security:any servers:any"},
    {"FieldError", SCHEMA_RECORD, .more = "field:string message:string"},
    {"Problem", SCHEMA_RECORD,
     .more = "type:string title:string status:integer detail:string "
             "errors:[FieldError error:string"},
};
const size_t schema_count = COUNT_OF(schemas);

/** Does `path` fit the pattern? Each {name} takes one part that is not empty. */
static bool fits(const char *pattern, const char *path, const char *args[ROUTE_ARGS_MAX],
                 struct arena *arena)
{
    size_t count = 0;
    while (*pattern && *path) {
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        size_t length = strcspn(path, "/");
        if (length == 0)
            return false;
        args[count++] = arena_memdup(arena, path, length);
        path += length;
        pattern += strcspn(pattern, "}") + 1;
    }
    return !*pattern && !*path;
}

const char *route_label(const struct route *route, char *buffer)
{
    /* Only the front page lies outside the base path. */
    bool is_below = route && strcmp(route->pattern, "/") != 0;
    snprintf(buffer, ROUTE_LABEL_SIZE, "%s%s", is_below ? API_BASE_PATH : "",
             route ? route->pattern : "none");
    return buffer;
}

const char *route_method(const struct route *route)
{
    return route ? http_method_names[route->method] : "none";
}

struct route_match route_find(enum http_method method, const char *path, struct arena *arena)
{
    struct route_match match = {0};
    bool literal = false; /* /risks/bulk is not a risk called bulk */
    if (method == HTTP_HEAD)
        method = HTTP_GET;
    for (size_t i = 0; i < route_count; i++) {
        const char *args[ROUTE_ARGS_MAX] = {0};
        if (routes[i].pattern[1] != path[1] || !fits(routes[i].pattern, path, args, arena))
            continue;
        if (args[0] && literal)
            continue;
        literal |= !args[0];
        match.methods |= 1u << routes[i].method;
        if (routes[i].method == method) {
            match.route = &routes[i];
            memcpy(match.args, args, sizeof args);
        }
    }
    return match;
}
