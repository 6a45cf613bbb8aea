/** The units in which settings are written: times in milliseconds, sizes in bytes. */
#ifndef OPENRISK_APP_UNITS_H
#define OPENRISK_APP_UNITS_H

#include <stdint.h>

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#endif
