/* The database that tests run on: SQLite or, with
   HAWK_TEST_POSTGRES=postgresql://..., one that may be emptied. */
#ifndef HAWK_TESTS_DATABASE_H
#define HAWK_TESTS_DATABASE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "sql/sql.h"

static inline void database_empty(const char *url)
{
    auto_error Error err = ERROR_INIT;
    auto_sql Sql *sql = NULL;
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_open(url, 1, &sql, &err) < 0 || sql_begin(sql, SQL_WRITE, &tx, &err) < 0 ||
        sql_exec(tx, "DROP SCHEMA public CASCADE", SQL_NO_ARGS, NULL, &err) < 0 ||
        sql_exec(tx, "DROP SCHEMA IF EXISTS middleman CASCADE", SQL_NO_ARGS, NULL, &err) < 0 ||
        sql_exec(tx, "CREATE SCHEMA public", SQL_NO_ARGS, NULL, &err) < 0 ||
        sql_commit(TAKE(tx), &err) < 0)
        fail_msg("%s", error_text(&err));
}

/* URL of an empty database; what was in it is gone. The caller frees. */
static inline char *database_url(const char *folder)
{
    const char *postgres = getenv("HAWK_TEST_POSTGRES");
    if (!postgres) {
        auto_error Error err = ERROR_INIT;
        static const char *const suffixes[] = {"", "-wal", "-shm"};
        for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
            auto_free char *path = mem_printf("%s/w.db%s", folder, suffixes[i]);
            assert_int_equal(fs_remove_tree(path, &err), 0);
        }
        return mem_printf("sqlite:%s/w.db", folder);
    }
    database_empty(postgres);
    return mem_strdup(postgres);
}

/* A UUID that stands for a short name; they sort as the names do. */
enum { DATABASE_UUID_MAX = 37 };
static inline const char *database_uuid(const char *name, char ret[DATABASE_UUID_MAX])
{
    unsigned char last[6] = {0};
    for (size_t i = 0; i < sizeof(last) && name[i]; i++)
        last[i] = (unsigned char)name[i];
    (void)snprintf(ret, DATABASE_UUID_MAX, "00000000-0000-7000-8000-%02x%02x%02x%02x%02x%02x",
                   last[0], last[1], last[2], last[3], last[4], last[5]);
    return ret;
}

/* Takes out the spaces that PostgreSQL puts behind ':' and ',' of its JSON, in place. */
static inline char *database_tight(char *text)
{
    char *out = text;
    for (const char *p = text; *p; p++)
        if (!(*p == ' ' && p > text && (p[-1] == ':' || p[-1] == ',')))
            *out++ = *p;
    *out = '\0';
    return text;
}

#endif
