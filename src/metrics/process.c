/*
 * From proc(5): /proc/self/stat and the list of descriptors. What Prometheus's own clients tell,
 * under the same names.
 */
#include "metrics/process.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "metrics/metrics.h"

/* The places of fields in /proc/self/stat, counted from the one after the name. */
enum {
    FIELD_UTIME = 11,
    FIELD_STIME = 12,
    FIELD_THREADS = 17,
    FIELD_START = 19,
    FIELD_VIRTUAL = 20,
    FIELD_RESIDENT = 21,
    FIELDS,
};

/** False if it cannot be read. `text` holds `size`. */
static bool read_file(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t length = fread(text, 1, size - 1, file);
    fclose(file);
    text[length] = '\0';
    return length > 0;
}

static void read_fields(double ret_fields[FIELDS])
{
    char text[1024];
    for (int i = 0; i < FIELDS; i++)
        ret_fields[i] = NAN;
    /* The name stands in parentheses and may hold anything, also these. */
    char *at = read_file("/proc/self/stat", text, sizeof text) ? strrchr(text, ')') : NULL;
    if (!at)
        return;
    at += 2;
    for (int i = 0; i < FIELDS && *at; i++) {
        char *end;
        ret_fields[i] = strtod(at, &end);
        at = end + strcspn(end, " ");
        at += *at == ' ';
    }
}

/** When the machine started, in seconds since 1970. */
static double boot_seconds(void)
{
    FILE *file = fopen("/proc/stat", "re");
    char line[256];
    double seconds = NAN;
    while (file && isnan(seconds) && fgets(line, sizeof line, file))
        if (strncmp(line, "btime ", 6) == 0)
            seconds = strtod(line + 6, NULL);
    if (file)
        fclose(file);
    return seconds;
}

/** Without the one that this takes. */
static double open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return NAN;
    int count = -1;
    for (const struct dirent *entry; (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

void process_read(struct metrics_reading *reading)
{
    double fields[FIELDS], ticks = (double)sysconf(_SC_CLK_TCK);
    struct rlimit descriptors;
    read_fields(fields);
    metrics_set(reading, METRIC_PROCESS_CPU, 0, 0,
                (fields[FIELD_UTIME] + fields[FIELD_STIME]) / ticks);
    metrics_set(reading, METRIC_PROCESS_RESIDENT, 0, 0,
                fields[FIELD_RESIDENT] * (double)sysconf(_SC_PAGESIZE));
    metrics_set(reading, METRIC_PROCESS_VIRTUAL, 0, 0, fields[FIELD_VIRTUAL]);
    metrics_set(reading, METRIC_PROCESS_THREADS, 0, 0, fields[FIELD_THREADS]);
    metrics_set(reading, METRIC_PROCESS_START, 0, 0, boot_seconds() + fields[FIELD_START] / ticks);
    metrics_set(reading, METRIC_PROCESS_FDS, 0, 0, open_descriptors());
    metrics_set(reading, METRIC_PROCESS_FDS_MAX, 0, 0,
                getrlimit(RLIMIT_NOFILE, &descriptors) == 0 ? (double)descriptors.rlim_cur : NAN);
}
