/* Time without the C library's time zones: civil dates by arithmetic. */

#include "base/clock.h"

#include <stdio.h>
#include <time.h>

typedef struct Civil {
    int64_t year;
    int month, day, hour, minute, second;
    int64_t micros;
} Civil;

int64_t clock_now_us(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * CLOCK_SECOND + ts.tv_nsec / 1000;
}

int64_t clock_monotonic_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct timespec clock_deadline(int64_t ms)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

/* Days since 1970-01-01 of a proleptic Gregorian date; years are counted from March. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, Civil *civil)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    civil->day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
    civil->month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    civil->year = year_of_era + era * 400 + (civil->month <= 2);
}

static char *put(char *at, char c)
{
    *at = c;
    return at + 1;
}

static char *put_digits(char *at, int64_t value, int n)
{
    for (int i = n - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + n;
}

/* By hand, because lists have many instants. */
char *clock_format(int64_t instant_us, char text[CLOCK_TEXT_MAX])
{
    int64_t seconds = instant_us / CLOCK_SECOND;
    int64_t micros = instant_us % CLOCK_SECOND;
    if (micros < 0) {
        micros += CLOCK_SECOND;
        seconds--;
    }
    int64_t days = seconds / 86400;
    int64_t rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    Civil civil = {0};
    civil_from_days(days, &civil);
    char *at = text;
    if (civil.year >= 0 && civil.year <= 9999)
        at = put_digits(at, civil.year, 4);
    else
        at += snprintf(text, CLOCK_TEXT_MAX, "%04d", (int)civil.year);
    at = put_digits(put(at, '-'), civil.month, 2);
    at = put_digits(put(at, '-'), civil.day, 2);
    at = put_digits(put(at, 'T'), rest / 3600, 2);
    at = put_digits(put(at, ':'), rest / 60 % 60, 2);
    at = put_digits(put(at, ':'), rest % 60, 2);
    if (micros)
        at = put_digits(put(at, '.'), micros, 6);
    *put(at, 'Z') = '\0';
    return text;
}

void clock_add(Buf *buf, int64_t instant_us)
{
    char text[CLOCK_TEXT_MAX];
    buf_addz(buf, clock_format(instant_us, text));
}

/* Takes exactly n digits off the front. By hand, because logs have many instants. */
static int take_digits(Str *s, size_t n, int *ret)
{
    int value = 0;
    if (s->n < n)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return -1;
        value = value * 10 + (s->p[i] - '0');
    }
    *s = (Str){s->p + n, s->n - n};
    *ret = value;
    return 0;
}

static int take_char(Str *s, const char *any)
{
    if (s->n == 0 || s->p[0] == '\0' || !strchr(any, s->p[0]))
        return -1;
    *s = (Str){s->p + 1, s->n - 1};
    return 0;
}

static int take_fraction(Str *s, int64_t *ret_micros)
{
    int64_t micros = 0;
    int64_t unit = 100000;
    size_t digits = 0;
    while (digits < s->n && s->p[digits] >= '0' && s->p[digits] <= '9') {
        micros += (s->p[digits] - '0') * unit;
        unit /= 10;
        digits++;
    }
    if (digits == 0 || digits > 9)
        return -1;
    *s = str_slice(*s, digits, s->n);
    *ret_micros = micros;
    return 0;
}

static int take_offset(Str *s, int *ret_minutes)
{
    *ret_minutes = 0;
    if (s->n == 0)
        return 0;
    if (s->n == 1 && (s->p[0] == 'Z' || s->p[0] == 'z')) {
        *s = str_slice(*s, 1, 1);
        return 0;
    }
    int sign = s->p[0] == '-' ? -1 : 1;
    int hours = 0;
    int minutes = 0;
    if (take_char(s, "+-") < 0 || take_digits(s, 2, &hours) < 0)
        return -1;
    if (s->n && s->p[0] == ':' && take_char(s, ":") < 0)
        return -1;
    if (take_digits(s, 2, &minutes) < 0 || hours > 23 || minutes > 59)
        return -1;
    *ret_minutes = sign * (hours * 60 + minutes);
    return 0;
}

static bool civil_is_valid(const Civil *c)
{
    return c->month >= 1 && c->month <= 12 && c->day >= 1 && c->day <= 31 && c->hour <= 23 &&
           c->minute <= 59 && c->second <= 60;
}

int clock_parse(Str s, int64_t *ret_us)
{
    Civil c = {0};
    int year = 0;
    int offset = 0;
    if (take_digits(&s, 4, &year) < 0 || take_char(&s, "-") < 0 ||
        take_digits(&s, 2, &c.month) < 0 || take_char(&s, "-") < 0 ||
        take_digits(&s, 2, &c.day) < 0 || take_char(&s, "Tt ") < 0 ||
        take_digits(&s, 2, &c.hour) < 0 || take_char(&s, ":") < 0 ||
        take_digits(&s, 2, &c.minute) < 0 || take_char(&s, ":") < 0 ||
        take_digits(&s, 2, &c.second) < 0)
        return -1;
    if (s.n && s.p[0] == '.' && (take_char(&s, ".") < 0 || take_fraction(&s, &c.micros) < 0))
        return -1;
    if (take_offset(&s, &offset) < 0 || s.n != 0 || !civil_is_valid(&c))
        return -1;
    int64_t days = days_from_civil(year, c.month, c.day);
    int64_t seconds = days * 86400 + c.hour * 3600 + c.minute * 60 + c.second - offset * 60;
    *ret_us = seconds * CLOCK_SECOND + c.micros;
    return 0;
}
