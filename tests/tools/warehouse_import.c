/* Imports logs of a store into a database, for comparison with what Inspect's own reader says and
   with what other importers make of them.

   warehouse_import [--threads N] DATABASE STORE KEY... prints "<outcome> <samples>" or "error:
   <text>" for each key. DATABASE is the path of an SQLite file or a "postgresql://" URL, STORE a
   folder or an "s3://" URL. */

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "warehouse/importer/importer.h"
#include "warehouse/warehouse.h"

static char *url_of(const char *scheme, const char *text)
{
    return strstr(text, "://") ? mem_strdup(text) : mem_printf("%s:%s", scheme, text);
}

static int import_all(const char *database, const char *place, char **keys, size_t n_threads,
                      Error *err)
{
    auto_sql Sql *sql = NULL;
    auto_store Store *store = NULL;
    auto_free char *database_url = url_of("sqlite", database);
    auto_free char *store_url = url_of("file", place);
    if (sql_open(database_url, 2, &sql, err) < 0 || warehouse_migrate(sql, err) < 0 ||
        store_open(store_url, &store, err) < 0)
        return -1;
    for (; *keys; keys++) {
        auto_error Error problem = ERROR_INIT;
        const ImporterOptions options = {.n_threads = n_threads};
        ImporterReport report;
        if (importer_import(sql, store, *keys, &options, &report, &problem) < 0)
            printf("error: %s\n", error_text(&problem));
        else
            printf("%s %zu\n", importer_outcome_name(report.outcome), report.n_samples);
    }
    return 0;
}

int main(int argc, char **argv)
{
    auto_error Error err = ERROR_INIT;
    int64_t n_threads = 1;
    if (argc > 2 && strcmp(argv[1], "--threads") == 0) {
        if (str_to_i64(str_of(argv[2]), 1, 16, &n_threads) < 0)
            n_threads = 1;
        argc -= 2;
        argv += 2;
    }
    if (argc < 4) {
        fprintf(stderr, "usage: warehouse_import [--threads N] DATABASE STORE KEY...\n");
        return 2;
    }
    if (import_all(argv[1], argv[2], argv + 3, (size_t)n_threads, &err) < 0) {
        fprintf(stderr, "%s\n", error_text(&err));
        return error_kind_exit(err.kind);
    }
    return 0;
}
