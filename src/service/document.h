/**
 * The members of the JSON document that export writes and import reads, and of import baselines,
 * which speak of risks in the same form:
 *
 *     {"format":"openrisk","version":1,"exported_at":…,
 *      "assets":[{…}],
 *      "risks":[{…, "asset_ids":[…], "mitigations":[{…, "sub_actions":[{…}]}],
 *                "history":[{…}], "baselines":[{"source":…,"external_id":…,"members":{…}}]}]}
 *
 * Records have the members of the API in its order, then those that the API does not show
 * (deleted_at, progress_by_hand, import_key).
 */
#ifndef OPENRISK_SERVICE_DOCUMENT_H
#define OPENRISK_SERVICE_DOCUMENT_H

#include "base/field.h"

#define DOCUMENT_FORMAT "openrisk"
enum { DOCUMENT_VERSION = 1 };

/** The source under which import keeps what a document last said; such baselines are not exported.
 */
#define DOCUMENT_SOURCE "openrisk-json"

/** The API's tables with the rest of each record behind them. */
struct document_tables {
    struct field_table risk, mitigation;
};
void document_tables_init(struct document_tables *tables, struct arena *arena);

/** struct history_entry, but for its changes. */
extern const struct field_table history_table;
/** struct baseline, but for its members. */
extern const struct field_table baseline_table;

#endif
