#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define TIME_MAX_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

static int64_t read_clock_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_now_ms(const struct clock *clock)
{
    return read_clock_us(CLOCK_REALTIME) / 1000 + clock->offset_ms;
}

int64_t clock_now_us(void)
{
    return read_clock_us(CLOCK_REALTIME);
}

int64_t clock_monotonic_us(void)
{
    return read_clock_us(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_ms(void)
{
    return clock_monotonic_us() / 1000;
}

int64_t clock_monotonic_coarse_ms(void)
{
    return read_clock_us(CLOCK_MONOTONIC_COARSE) / 1000;
}

int64_t clock_now_coarse_ms(const struct clock *clock)
{
    return read_clock_us(CLOCK_REALTIME_COARSE) / 1000 + clock->offset_ms;
}

int32_t clock_day(int64_t time_ms)
{
    return (int32_t)(time_ms >= 0 ? time_ms / CLOCK_DAY_MS : -((-time_ms - 1) / CLOCK_DAY_MS) - 1);
}

/*
 * Days and dates: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2013),
 * days_from_civil and civil_from_days, for years from 1970 on.
 */
static int32_t day_of_date(int year, int month, int day)
{
    year -= month <= 2;
    int era = year / 400;
    int year_of_era = year - era * 400;
    int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_of_day(int32_t days, int *ret_year, int *ret_month, int *ret_day)
{
    days += 719468;
    int era = days / 146097;
    int day_of_era = days - era * 146097;
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month = (5 * day_of_year + 2) / 153;
    *ret_day = day_of_year - (153 * month + 2) / 5 + 1;
    *ret_month = month + (month < 10 ? 3 : -9);
    *ret_year = year_of_era + era * 400 + (*ret_month <= 2);
}

/** Exactly `count` digits; returns where they end. */
static char *put_digits(char *at, unsigned value, int count)
{
    for (int i = count; i-- > 0; value /= 10)
        at[i] = (char)('0' + value % 10);
    return at + count;
}

const char *clock_format_day(int32_t day, char *buffer)
{
    int year, month, day_of_month;
    date_of_day(day, &year, &month, &day_of_month);
    char *at = put_digits(buffer, (unsigned)year, 4);
    *at++ = '-';
    at = put_digits(at, (unsigned)month, 2);
    *at++ = '-';
    *put_digits(at, (unsigned)day_of_month, 2) = '\0';
    return buffer;
}

const char *clock_format_time(int64_t time_ms, char *buffer)
{
    int32_t day = clock_day(time_ms);
    unsigned ms = (unsigned)(time_ms - day * CLOCK_DAY_MS);
    clock_format_day(day, buffer);
    char *at = buffer + CLOCK_DATE_SIZE - 1;
    *at++ = 'T';
    at = put_digits(at, ms / 3600000, 2);
    *at++ = ':';
    at = put_digits(at, ms / 60000 % 60, 2);
    *at++ = ':';
    at = put_digits(at, ms / 1000 % 60, 2);
    *at++ = '.';
    at = put_digits(at, ms % 1000, 3);
    *at++ = 'Z';
    *at = '\0';
    return buffer;
}

/** Exactly `count` digits. */
static bool digits(const char **at, int count, int *ret_value)
{
    int value = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        value = value * 10 + (**at - '0');
    }
    *ret_value = value;
    return true;
}

static bool literal(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

static bool date(const char **at, int32_t *ret_day)
{
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day;
    if (!digits(at, 4, &year) || !literal(at, '-') || !digits(at, 2, &month) || !literal(at, '-') ||
        !digits(at, 2, &day))
        return false;
    if (year < 1970 || month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > month_days[month - 1] + (month == 2 && leap))
        return false;
    *ret_day = day_of_date(year, month, day);
    return true;
}

bool clock_parse_day(const char *text, int32_t *ret_day)
{
    int32_t day;
    if (!date(&text, &day) || *text)
        return false;
    *ret_day = day;
    return true;
}

bool clock_parse_time(const char *text, int64_t *ret_time_ms)
{
    int32_t day;
    int hour, minute, second, ms = 0, offset_minutes = 0;
    if (!date(&text, &day) || (*text != 'T' && *text != 't' && *text != ' '))
        return false;
    text++;
    if (!digits(&text, 2, &hour) || !literal(&text, ':') || !digits(&text, 2, &minute) ||
        !literal(&text, ':') || !digits(&text, 2, &second) || hour > 23 || minute > 59 ||
        second > 60)
        return false;
    if (literal(&text, '.')) {
        int place = 100;
        if (*text < '0' || *text > '9')
            return false;
        for (; *text >= '0' && *text <= '9'; text++, place /= 10)
            ms += (*text - '0') * place;
    }
    if (*text == '+' || *text == '-') {
        int sign = *text++ == '+' ? 1 : -1, offset_hour, offset_minute;
        if (!digits(&text, 2, &offset_hour) || !literal(&text, ':') ||
            !digits(&text, 2, &offset_minute) || offset_hour > 23 || offset_minute > 59)
            return false;
        offset_minutes = sign * (offset_hour * 60 + offset_minute);
    } else if (!literal(&text, 'Z') && !literal(&text, 'z')) {
        return false;
    }
    if (*text)
        return false;
    int64_t time_ms = day * CLOCK_DAY_MS +
                      ((hour * 60 + minute - offset_minutes) * INT64_C(60) + second) * 1000 + ms;
    /* An offset or a leap second may lead out of the years that can be written. */
    if (time_ms < 0 || time_ms > TIME_MAX_MS)
        return false;
    *ret_time_ms = time_ms;
    return true;
}
