/**
 * Importing: a file of risks, all or nothing, repeatable.
 *
 * The whole text is parsed and checked first, then written in one transaction. A risk is known by
 * (source, external_id); a file that export wrote knows it by id. What the file says is kept as the
 * baseline of each risk: when the file comes again, only members whose value at the source differs
 * from the baseline are changed, so corrections by hand survive. Deleted risks are skipped with a
 * reason, unless `restore`.
 */
#ifndef OPENRISK_SERVICE_IMPORT_H
#define OPENRISK_SERVICE_IMPORT_H

#include <stdbool.h>

#include "service/service.h"

enum import_format { IMPORT_KEV, IMPORT_JSON };
extern const char *const import_format_names[]; /* "kev", "json"; NULL-terminated */

enum { IMPORT_REFUSALS_MAX = 1000 };

struct import_options {
    enum import_format format;
    bool dry_run;      /* all checks and the answer, nothing written */
    bool skip_invalid; /* leave refused rows out instead of refusing the file */
    bool restore;      /* bring deleted risks back */
    /** Called now and then with what is done; may be NULL. */
    void (*progress)(void *context, int64_t done, int64_t all);
    void *progress_context;
};

struct import_refusal {
    int64_t row;        /* from 1, the header not counted; of JSON: the item; 0: the file */
    const char *column; /* column or member, "" if it is the row */
    const char *reason;
};

struct import_result {
    int64_t imported, updated, unchanged, skipped;
    struct texts unknown_columns;
    struct import_refusal *errors; /* also why rows were skipped */
    size_t error_count;            /* listed, at most IMPORT_REFUSALS_MAX */
    int64_t errors_total;
};

/**
 * OK with the result; INVALID if the file was refused, then `ret_result` tells why, row by row, and
 * nothing was written. `bytes` need not end in NUL.
 */
enum status import_risks(struct service *service, const struct import_options *options,
                         const char *bytes, size_t length, struct import_result *ret_result,
                         struct err *err) MUST_CHECK;

#endif
