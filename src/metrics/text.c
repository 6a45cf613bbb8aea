/*
 * The table as text: Prometheus's exposition format 0.0.4, and the reference page.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "metrics/internal.h"

enum { VALUES_SHOWN = 20 };

/** Numbers are whole but for times, which are told to the µs. */
static void put_number(struct buf *out, double value)
{
    if (isnan(value))
        buf_puts(out, "NaN");
    else if (value == floor(value) && fabs(value) < 1e15)
        buf_printf(out, "%.0f", value);
    else
        buf_printf(out, "%.15g", value);
}

static void put_seconds(struct buf *out, double us)
{
    put_number(out, us / 1e6);
}

/** A value of a set: of one label, or of several between commas. */
static void put_labels(struct buf *out, enum metric_set set, const char *value, bool *had_one)
{
    const char *name = metric_set_labels[set];
    while (*name) {
        size_t name_length = strcspn(name, ","), length = strcspn(value, ",");
        buf_printf(out, "%s%.*s=\"%.*s\"", *had_one ? "," : "", (int)name_length, name, (int)length,
                   value);
        *had_one = true;
        name += name_length + (name[name_length] != '\0');
        value += length + (value[length] != '\0');
    }
}

static const char *value_of(const struct metrics_layout *layout, enum metric_set set, size_t place)
{
    return set == SET_NONE ? "" : layout->values[set].items[place];
}

struct series {
    const struct metric_row *row;
    const char *first, *second; /* values of its sets */
};

/** `upper` NULL: no bucket. */
static void put_name(struct buf *out, const struct series *series, const char *suffix,
                     const double *upper_us, bool is_last)
{
    bool has_labels = false, has_any = series->row->sets[0] != SET_NONE || upper_us;
    buf_printf(out, "%s%s%s", series->row->name, suffix, has_any ? "{" : "");
    put_labels(out, series->row->sets[0], series->first, &has_labels);
    put_labels(out, series->row->sets[1], series->second, &has_labels);
    if (upper_us) {
        buf_puts(out, has_labels ? ",le=\"" : "le=\"");
        if (is_last)
            buf_puts(out, "+Inf");
        else
            put_seconds(out, *upper_us);
        buf_puts(out, "\"");
    }
    buf_puts(out, has_any ? "} " : " ");
}

static void put_histogram(struct buf *out, const struct series *series, const double *values)
{
    const struct metric_row *row = series->row;
    double sum = 0;
    for (size_t i = 0; i <= row->bound_count; i++) {
        double upper_us = i < row->bound_count ? (double)row->bounds_us[i] : 0;
        sum += values[i];
        put_name(out, series, "_bucket", &upper_us, i == row->bound_count);
        put_number(out, sum);
        buf_putc(out, '\n');
    }
    put_name(out, series, "_sum", NULL, false);
    put_seconds(out, values[row->bound_count + 1]);
    buf_putc(out, '\n');
    put_name(out, series, "_count", NULL, false);
    put_number(out, sum);
    buf_putc(out, '\n');
}

static void put_series(struct buf *out, const struct series *series, const double *values)
{
    if (series->row->kind == METRIC_HISTOGRAM) {
        put_histogram(out, series, values);
        return;
    }
    put_name(out, series, "", NULL, false);
    put_number(out, *values);
    buf_putc(out, '\n');
}

void metrics_write(const struct metrics_reading *reading, struct buf *out)
{
    const struct metrics_layout *layout = metrics_layout();
    for (enum metric metric = 0; metric < METRICS; metric++) {
        const struct metric_row *row = &metric_table[metric];
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
                   metric_kind_names[row->kind]);
        for (size_t i = 0; i < metrics_count_of(row->sets[0]); i++)
            for (size_t j = 0; j < metrics_count_of(row->sets[1]); j++) {
                struct series series = {row, value_of(layout, row->sets[0], i),
                                        value_of(layout, row->sets[1], j)};
                put_series(out, &series, &reading->values[metrics_place(layout, metric, i, j)]);
            }
    }
}

/* The reference page */

static void put_set(struct buf *out, const struct metrics_layout *layout, enum metric_set set)
{
    const struct metric_values *values = &layout->values[set];
    if (set == SET_NONE)
        return;
    buf_printf(out, "`%s`", metric_set_labels[set]);
    if (set == SET_BUILD)
        return;
    if (values->count > VALUES_SHOWN) {
        buf_puts(out, " (see below)");
        return;
    }
    buf_puts(out, ": ");
    for (size_t i = 0; i < values->count; i++)
        buf_printf(out, "%s%s", i ? ", " : "", values->items[i]);
}

static void put_row(struct buf *out, const struct metrics_layout *layout,
                    const struct metric_row *row)
{
    buf_printf(out, "| `%s` | %s | ", row->name, metric_kind_names[row->kind]);
    put_set(out, layout, row->sets[0]);
    if (row->sets[1] != SET_NONE)
        buf_puts(out, "; ");
    put_set(out, layout, row->sets[1]);
    buf_printf(out, " | %s |\n", row->help);
}

static void put_long_set(struct buf *out, const struct metrics_layout *layout, enum metric_set set)
{
    const struct metric_values *values = &layout->values[set];
    buf_printf(out, "\n## Values of `%s`\n\n", metric_set_labels[set]);
    for (size_t i = 0; i < values->count; i++)
        buf_printf(out, "- `%s`\n", values->items[i]);
}

static void put_bounds(struct buf *out, const struct metric_row *row)
{
    buf_printf(out, "- `%s`:", row->name);
    for (size_t i = 0; i < row->bound_count; i++) {
        buf_putc(out, ' ');
        put_seconds(out, (double)row->bounds_us[i]);
    }
    buf_puts(out, " s\n");
}

void metrics_write_markdown(struct buf *out)
{
    const struct metrics_layout *layout = metrics_layout();
    buf_puts(out,
             "# Metrics\n\n"
             "Every metric that `/metrics` of the ops listener tells, as Prometheus reads it. This "
             "page is printed by\n`openrisk metrics --markdown`; a test compares. All series are "
             "there from the start, at 0. How to collect\nthem, and what to look at: "
             "[Monitoring](monitoring.md).\n\n"
             "| name | kind | labels | what it says |\n|---|---|---|---|\n");
    for (int metric = 0; metric < METRICS; metric++)
        put_row(out, layout, &metric_table[metric]);
    buf_puts(out, "\n## Bounds of histograms\n\n");
    for (int metric = 0; metric < METRICS; metric++)
        if (metric_table[metric].kind == METRIC_HISTOGRAM)
            put_bounds(out, &metric_table[metric]);
    for (enum metric_set set = 1; set < METRIC_SETS; set++)
        if (layout->values[set].count > VALUES_SHOWN)
            put_long_set(out, layout, set);
}
