/* A row of counters per route; only what was asked for at least once is written. */

#include "server/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"

enum { N_CLASSES = 5 }; /* 1xx to 5xx */

/* Upper bounds of the histogram in microseconds; behind the last comes +Inf. */
static const int64_t bounds_us[] = {1000, 5000, 20000, 50000, 100000, 500000, 1000000, 5000000};
enum { N_BOUNDS = ARRAY_LEN(bounds_us) };

typedef struct Counters {
    const Route *route; /* NULL: requests that no row fitted */
    atomic_llong answers[N_CLASSES];
    atomic_llong within[N_BOUNDS + 1]; /* not cumulative */
    atomic_llong sum_us;
} Counters;

struct Metrics {
    Counters *rows;
    size_t n;
};

Metrics *metrics_new(const RouteTable *const *tables, size_t n_tables)
{
    Metrics *metrics = mem_alloc(sizeof(*metrics));
    size_t n = 1;
    for (size_t i = 0; i < n_tables; i++)
        n += tables[i]->n;
    metrics->rows = mem_array(n, sizeof(*metrics->rows));
    metrics->n = 1;
    for (size_t i = 0; i < n_tables; i++)
        for (size_t j = 0; j < tables[i]->n; j++)
            metrics->rows[metrics->n++].route = &tables[i]->rows[j];
    return metrics;
}

void metrics_free(Metrics *metrics)
{
    if (!metrics)
        return;
    free(metrics->rows);
    free(metrics);
}

static Counters *find(const Metrics *metrics, const Route *route)
{
    for (size_t i = 1; route && i < metrics->n; i++)
        if (metrics->rows[i].route == route)
            return &metrics->rows[i];
    return &metrics->rows[0];
}

void metrics_count(Metrics *metrics, const Route *route, int status, int64_t took_us)
{
    Counters *row = find(metrics, route);
    size_t class = status >= 100 && status < 600 ? (size_t)(status / 100 - 1) : N_CLASSES - 1;
    size_t bound = 0;
    while (bound < N_BOUNDS && took_us > bounds_us[bound])
        bound++;
    atomic_fetch_add_explicit(&row->answers[class], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&row->within[bound], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&row->sum_us, took_us, memory_order_relaxed);
}

static long long value_of(const atomic_llong *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_labels(Buf *ret, const Route *route)
{
    buf_printf(ret, "method=\"%s\",route=\"%s\"", route ? route->method : "",
               route ? route->pattern : "");
}

static void write_answers(const Counters *row, Buf *ret)
{
    for (int class = 0; class < N_CLASSES; class ++) {
        if (value_of(&row->answers[class]) == 0)
            continue;
        buf_addz(ret, "hawk_http_requests_total{");
        add_labels(ret, row->route);
        buf_printf(ret, ",code=\"%dxx\"} %lld\n", class + 1, value_of(&row->answers[class]));
    }
}

static void write_times(const Counters *row, Buf *ret)
{
    long long n = 0;
    for (size_t i = 0; i <= N_BOUNDS; i++) {
        n += value_of(&row->within[i]);
        buf_addz(ret, "hawk_http_request_seconds_bucket{");
        add_labels(ret, row->route);
        if (i < N_BOUNDS)
            buf_printf(ret, ",le=\"%g\"} %lld\n", (double)bounds_us[i] / 1e6, n);
        else
            buf_printf(ret, ",le=\"+Inf\"} %lld\n", n);
    }
    buf_addz(ret, "hawk_http_request_seconds_sum{");
    add_labels(ret, row->route);
    buf_printf(ret, "} %.6f\nhawk_http_request_seconds_count{",
               (double)value_of(&row->sum_us) / 1e6);
    add_labels(ret, row->route);
    buf_printf(ret, "} %lld\n", n);
}

static bool was_asked(const Counters *row)
{
    for (size_t i = 0; i <= N_BOUNDS; i++)
        if (value_of(&row->within[i]) > 0)
            return true;
    return false;
}

void metrics_write(const Metrics *metrics, Buf *ret)
{
    buf_addz(ret, "# HELP hawk_http_requests_total Requests answered.\n"
                  "# TYPE hawk_http_requests_total counter\n");
    for (size_t i = 0; i < metrics->n; i++)
        write_answers(&metrics->rows[i], ret);
    buf_addz(ret,
             "# HELP hawk_http_request_seconds Time to the answer, of a stream to its beginning.\n"
             "# TYPE hawk_http_request_seconds histogram\n");
    for (size_t i = 0; i < metrics->n; i++)
        if (was_asked(&metrics->rows[i]))
            write_times(&metrics->rows[i], ret);
}

void metrics_gauge_head(Buf *ret, const char *name, const char *help)
{
    buf_printf(ret, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

void metrics_gauge(Buf *ret, const char *name, const char *label, const char *value, int64_t n)
{
    if (label)
        buf_printf(ret, "%s{%s=\"%s\"} %" PRId64 "\n", name, label, value, n);
    else
        buf_printf(ret, "%s %" PRId64 "\n", name, n);
}
