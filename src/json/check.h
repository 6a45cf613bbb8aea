/**
 * Limits of values, shared by the two ways in: read from JSON, or set by an import. Only for json/.
 */
#ifndef OPENRISK_JSON_CHECK_H
#define OPENRISK_JSON_CHECK_H

#include "json/json.h"

/** Add a fault to what is there, as a body is told all its faults at once. Returns INVALID. */
enum status json_fault(struct err *err, const char *name, const char *format, ...) PRINTF(3, 4);

/** A FIELD_OBJECT's value: names, kinds and lengths of its members. */
enum status json_check_object(const struct field *field, const char *name, const json *value,
                              struct err *err) MUST_CHECK;

/** A list's items: neither empty nor too long nor repeated. */
enum status json_check_texts(struct texts texts, const char *name, size_t max_items,
                             size_t max_length, struct err *err) MUST_CHECK;

#endif
