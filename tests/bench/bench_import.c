/* What a log costs: its samples out of the archive, rows of them, and all of it into a database.

   bench_import unpack|rows STORE KEY
   bench_import import STORE KEY DATABASE THREADS
   bench_import migrate DATABASE
   prints {"seconds", "cpu_seconds", "bytes", "rows", "peak_mb"}; bytes are of JSON, rows of an
   import its samples. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "bench_peak.h"
#include "warehouse/importer/importer.h"
#include "warehouse/rows/rows_maker.h"
#include "warehouse/warehouse.h"

typedef struct Totals {
    uint64_t bytes;
    uint64_t rows;
} Totals;

typedef struct Counter {
    RowsSink sink;
    Totals *totals;
} Counter;

static double now(clockid_t clock)
{
    struct timespec at;
    clock_gettime(clock, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static int count_row(RowsSink *sink, RowsTable table, const SqlValue *values, Error *err)
{
    Counter *counter = (Counter *)sink;
    (void)values;
    (void)err;
    counter->totals->rows += rows_spec(table)->name != NULL;
    return 0;
}

static int read_samples(EvalLog *log, bool with_rows, Totals *totals, Error *err)
{
    static const SampleCleanRules rules = {.json_max = SAMPLE_CLEAN_JSON_MAX};
    const EvalLogSamples *samples = NULL;
    auto_rows_maker RowsMaker *maker = rows_maker_new();
    Counter counter = {.sink = {.put = count_row}, .totals = totals};
    if (evallog_samples(log, &samples, err) < 0)
        return -1;
    for (size_t i = 0; i < samples->n; i++) {
        auto_sample_parts SampleParts *parts = NULL;
        totals->bytes += samples->items[i].size;
        if (sample_parts_open(log, &samples->items[i], &parts, err) < 0)
            return -1;
        if (with_rows && rows_maker_sample(maker, parts, &rules, &counter.sink, err) < 0)
            return -1;
    }
    return 0;
}

static int read_log(const char *place, const char *key, bool with_rows, Totals *totals, Error *err)
{
    auto_store Store *store = NULL;
    auto_evallog EvalLog *log = NULL;
    Source *source = NULL;
    if (store_open(place, &store, err) < 0 || store_source(store, key, &source, err) < 0)
        return -1;
    if (evallog_open(source, &log, err) < 0) {
        source_close(source);
        return -1;
    }
    return read_samples(log, with_rows, totals, err);
}

static int import_log(const char *place, char **argv, Totals *totals, Error *err)
{
    auto_store Store *store = NULL;
    auto_sql Sql *sql = NULL;
    int64_t n_threads = 0;
    ImporterReport report = {0};
    if (str_to_i64(str_of(argv[2]), 1, 16, &n_threads) < 0)
        return error_set(err, ERR_USAGE, "threads are a number from 1 to 16");
    if (store_open(place, &store, err) < 0 || sql_open(argv[1], 4, &sql, err) < 0)
        return -1;
    const ImporterOptions options = {.n_threads = (size_t)n_threads};
    if (importer_import(sql, store, argv[0], &options, &report, err) < 0)
        return -1;
    totals->rows = report.n_samples;
    return 0;
}

int main(int argc, char **argv)
{
    auto_error Error err = ERROR_INIT;
    Totals totals = {0};
    bool is_import = argc == 6 && strcmp(argv[1], "import") == 0;
    bool is_migrate = argc == 3 && strcmp(argv[1], "migrate") == 0;
    if (!is_import && !is_migrate && argc != 4) {
        fprintf(stderr, "usage: bench_import unpack|rows STORE KEY, import STORE KEY "
                        "DATABASE THREADS, or migrate DATABASE\n");
        return 2;
    }
    auto_sql Sql *sql = NULL;
    auto_free char *place = mem_printf("file:%s", argv[2]);
    double wall = now(CLOCK_MONOTONIC);
    double cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    int result =
        is_migrate  ? (sql_open(argv[2], 1, &sql, &err) < 0 ? -1 : warehouse_migrate(sql, &err))
        : is_import ? import_log(place, argv + 3, &totals, &err)
                    : read_log(place, argv[3], strcmp(argv[1], "rows") == 0, &totals, &err);
    wall = now(CLOCK_MONOTONIC) - wall;
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    if (result < 0) {
        fprintf(stderr, "%s\n", error_text(&err));
        return error_kind_exit(err.kind);
    }
    printf("{\"seconds\": %.4f, \"cpu_seconds\": %.4f, \"bytes\": %llu, \"rows\": %llu, "
           "\"peak_mb\": %.1f}\n",
           wall, cpu, (unsigned long long)totals.bytes, (unsigned long long)totals.rows,
           (double)bench_peak_kb() / 1024);
    return 0;
}
