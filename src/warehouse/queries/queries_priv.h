/* Building a query whose conditions depend on what was asked: text and bound values grow together.
   Values come from outside and are only ever bound; text is ours. */
#ifndef HAWK_WAREHOUSE_QUERIES_PRIV_H
#define HAWK_WAREHOUSE_QUERIES_PRIV_H

#include "base/arena.h"
#include "base/buf.h"
#include "sql/sql.h"
#include "warehouse/queries/queries.h"

enum {
    QUERY_ARGS_MAX = 320,
    QUERY_TEXT_MAX = 64 * 1024,
    QUERY_SEARCH_MAX = 1000, /* bytes of a search */
    QUERY_WORDS_MAX = 16,
    QUERY_LIMIT_MAX = 500,
    QUERY_PAGE_MAX = 1000 * 1000,
};

typedef struct Query {
    Arena *arena; /* of bound text; lives as long as the query */
    SqlDialect dialect;
    Buf text;
    SqlValue args[QUERY_ARGS_MAX];
    size_t n_args;
    const char *glue; /* what goes before the next condition: " WHERE " or " AND " */
} Query;

/* An empty query; release it. */
void query_init(Query *query, const Sql *sql);
void query_begin(Query *query, SqlDialect dialect);
void query_release(Query *query);
#define auto_query HAWK_CLEANUP(query_release)

/* Append text; "?" in it stands for the given value. Conditions are joined by AND. */
void query_add(Query *query, const char *text);
void query_add_value(Query *query, const char *text, SqlValue value);
void query_where(Query *query, const char *condition);
void query_where_value(Query *query, const char *condition, SqlValue value);
void query_where_word(Query *query, const char *expression, Str word); /* expression has the word */

/* "%word%" in the arena, for LIKE without ESCAPE: may find too much, never too little. */
Str query_like_loose(Arena *arena, Str word);

/* An expression that is true where the caller may see the row of eval with the alias "e". */
void query_add_access(Query *query, const QueriesAccess *access);

/* The same for listing_eval. Its rows differ in few ways; SQLite asks once for each. */
void query_add_listed_access(Query *query, const QueriesAccess *access);

/* Appends the condition that an expression is among numbers: "{1,2}" for PostgreSQL, "[1,2]" for
   SQLite. */
void query_add_in(Query *query, const char *expression, Str list);

/* The words of a search; ERR_USAGE when there are too many. */
typedef struct QueryWords {
    Str items[QUERY_WORDS_MAX];
    size_t n;
} QueryWords;
int query_words(Str search, QueryWords *ret, Error *err) HAWK_MUST_USE;

/* ERR_USAGE unless page and limit are in range; the order of rows must be total. */
int query_check_page(QueriesPage page, Error *err) HAWK_MUST_USE;
void query_add_page(Query *query, QueriesPage page,
                    int64_t more); /* LIMIT limit + more OFFSET ... */

/* A transaction that reads for somebody: in PostgreSQL, rows of evals that they may not see do not
   exist in it, whatever the conditions are (sql_begin_as). */
int query_begin_as(Sql *sql, const QueriesAccess *access, SqlTx **ret, Error *err) HAWK_MUST_USE;

/* The same for lists: PostgreSQL plans each statement for the values that it has. */
int query_begin_list(Sql *sql, const QueriesAccess *access, SqlTx **ret, Error *err) HAWK_MUST_USE;

/* A list whose plan is settled by its statement: the joins are in the order that it says, and it is
   planned once for a connection, since that takes longer than to run it. */
int query_begin_planned_list(Sql *sql, const QueriesAccess *access, SqlTx **ret,
                             Error *err) HAWK_MUST_USE;

/* Runs what has been put together; the query must live as long as the rows. */
int query_run(Query *query, SqlTx *tx, SqlRows **ret, Error *err) HAWK_MUST_USE;
int query_run_few(Query *query, SqlTx *tx, SqlRows **ret, Error *err) HAWK_MUST_USE;

/* The columns of one sample (s) and its eval (e), behind a first one that is not for the caller;
   the row is current on success. ERR_NOT_FOUND "Sample not found" or ERR_DENIED. */
int query_find_sample(Query *query, const QueriesAccess *access, const char *columns, Str uuid,
                      SqlTx *tx, SqlRows **ret, Error *err) HAWK_MUST_USE;

/* Write a column as a member. */
void query_kv_text(JsonOut *out, const char *key, const SqlRows *rows, int column);
void query_kv_int(JsonOut *out, const char *key, const SqlRows *rows, int column);
void query_kv_real(JsonOut *out, const char *key, const SqlRows *rows, int column);
void query_kv_bool(JsonOut *out, const char *key, const SqlRows *rows, int column);
void query_kv_time(JsonOut *out, const char *key, const SqlRows *rows, int column);
void query_kv_json(JsonOut *out, const char *key, const SqlRows *rows, int column);

/* Write where a log is below the folder of its eval set, from the columns of both. */
void query_kv_filename(JsonOut *out, const char *key, const SqlRows *rows, int location,
                       int eval_set_id);

#endif
