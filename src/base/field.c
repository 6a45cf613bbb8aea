#include "base/field.h"

#include <stdlib.h>
#include <string.h>

const struct field *field_find(const struct field_table *table, const char *name, size_t *ret_index)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->fields[i].name, name) == 0) {
            if (ret_index)
                *ret_index = i;
            return &table->fields[i];
        }
    }
    return NULL;
}

field_mask field_bit(const struct field_table *table, const char *name)
{
    size_t index;
    if (!field_find(table, name, &index))
        abort();
    return FIELD_BIT(index);
}

bool field_equal(const struct field *field, const void *a, const void *b)
{
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_LONG_TEXT:
    case FIELD_DATE:
    case FIELD_OBJECT:
        return text_equal(*FIELD_OF(char *, a, field), *FIELD_OF(char *, b, field));
    case FIELD_INT:
    case FIELD_TIME:
    case FIELD_HUNDREDTHS:
        return *FIELD_OF(int64_t, a, field) == *FIELD_OF(int64_t, b, field);
    case FIELD_BOOL:
        return *FIELD_OF(bool, a, field) == *FIELD_OF(bool, b, field);
    case FIELD_ENUM:
        return *FIELD_OF(int, a, field) == *FIELD_OF(int, b, field);
    case FIELD_TEXTS:
        return texts_equal(*FIELD_OF(struct texts, a, field), *FIELD_OF(struct texts, b, field));
    }
    abort();
}

void field_copy(const struct field *field, void *to, const void *from, struct arena *arena)
{
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_LONG_TEXT:
    case FIELD_DATE:
    case FIELD_OBJECT:
        *FIELD_AT(const char *, to, field) = arena_strdup(arena, *FIELD_OF(char *, from, field));
        return;
    case FIELD_INT:
    case FIELD_TIME:
    case FIELD_HUNDREDTHS:
        *FIELD_AT(int64_t, to, field) = *FIELD_OF(int64_t, from, field);
        return;
    case FIELD_BOOL:
        *FIELD_AT(bool, to, field) = *FIELD_OF(bool, from, field);
        return;
    case FIELD_ENUM:
        *FIELD_AT(int, to, field) = *FIELD_OF(int, from, field);
        return;
    case FIELD_TEXTS:
        *FIELD_AT(struct texts, to, field) =
            texts_copy(arena, *FIELD_OF(struct texts, from, field));
        return;
    }
    abort();
}

field_mask field_diff(const struct field_table *table, field_mask mask, const void *a,
                      const void *b)
{
    field_mask different = 0;
    for (size_t i = 0; i < table->count; i++)
        if ((mask & FIELD_BIT(i)) && !field_equal(&table->fields[i], a, b))
            different |= FIELD_BIT(i);
    return different;
}

void field_copy_all(const struct field_table *table, field_mask mask, void *to, const void *from,
                    struct arena *arena)
{
    for (size_t i = 0; i < table->count; i++)
        if (mask & FIELD_BIT(i))
            field_copy(&table->fields[i], to, from, arena);
}

field_mask field_mask_of(const struct field_table *table, unsigned flags)
{
    field_mask mask = 0;
    for (size_t i = 0; i < table->count; i++)
        if ((table->fields[i].flags & flags) == flags)
            mask |= FIELD_BIT(i);
    return mask;
}
