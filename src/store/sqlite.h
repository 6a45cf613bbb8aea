/**
 * What only SQLite can do. For store/files.c and tests that look at query plans.
 */
#ifndef OPENRISK_STORE_SQLITE_H
#define OPENRISK_STORE_SQLITE_H

struct sqlite3;
struct engine_conn;

/** The library's handle; NULL if `conn` is NULL. Borrowed. */
struct sqlite3 *sqlite_handle(struct engine_conn *conn);

/** Marks the file as OpenRisk's: "ORSK" in the header field application_id. */
enum { SQLITE_APPLICATION_ID = 0x4F52534B };

#endif
