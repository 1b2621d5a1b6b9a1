/* GET /meta/scans and the way from a result to its file. */

#include "warehouse/scans/scan_queries.h"

#include "warehouse/queries/queries_priv.h"

enum { SCANNERS_MAX = 50, NAMES_MAX = 64 << 10 };

/* clang-format off */
static const char *const sortable[] = {
    "timestamp", "scan_id", "scan_name", "job_id", "location", "created_at", "scanner_result_count",
};
/* clang-format on */

#define COUNT "(SELECT count(*) FROM scanner_result r WHERE r.scan_pk = e.pk)"

static int add_order(Query *query, const ScanQueriesList *list, Error *err)
{
    const char *column = list->sort_by.p ? NULL : sortable[0];
    bool is_ascending = list->sort_order.p && str_eqz(list->sort_order, "asc");
    for (size_t i = 0; i < ARRAY_LEN(sortable); i++)
        if (str_eqz(list->sort_by, sortable[i]))
            column = sortable[i];
    if (!column)
        return error_set(err, ERR_USAGE, "sort_by: scans have no column '%.*s' to sort by",
                         STR_ARG(str_slice(list->sort_by, 0, 40)));
    query_add(query, " ORDER BY ");
    query_add(query, strcmp(column, "scanner_result_count") == 0 ? COUNT : "e.");
    if (strcmp(column, "scanner_result_count") != 0)
        query_add(query, column);
    query_add(query, is_ascending ? " ASC, e.pk ASC" : " DESC, e.pk DESC");
    return 0;
}

static void add_scope(Query *query, const QueriesAccess *access, const QueryWords *words)
{
    query_add(query, " FROM scan e");
    query_where(query, "");
    query_add_access(query, access);
    for (size_t i = 0; i < words->n; i++)
        query_where_word(query,
                         "e.scan_id || ' ' || coalesce(e.scan_name, '') || ' ' || "
                         "coalesce(e.job_id, '') || ' ' || e.location",
                         words->items[i]);
}

/* "x" of ".../scans/x/scan_id=y". */
static Str folder_of(Str location, Str job_id)
{
    ptrdiff_t at = str_find_str(location, STR("/scans/"));
    Str rest = at < 0 ? STR_NONE : str_slice(location, (size_t)at + strlen("/scans/"), location.n);
    Str folder = STR_NONE;
    return rest.p && str_split(&rest, '/', &folder) ? folder : job_id;
}

static void write_item(const SqlRows *rows, JsonOut *out)
{
    json_out_object(out);
    query_kv_text(out, "pk", rows, 0);
    query_kv_text(out, "scan_id", rows, 1);
    query_kv_text(out, "scan_name", rows, 2);
    query_kv_text(out, "meta_name", rows, 3);
    query_kv_text(out, "job_id", rows, 4);
    query_kv_text(out, "location", rows, 5);
    json_out_kv_str(out, "scan_folder", folder_of(sql_rows_text(rows, 5), sql_rows_text(rows, 4)));
    query_kv_time(out, "timestamp", rows, 6);
    query_kv_time(out, "created_at", rows, 7);
    query_kv_json(out, "errors", rows, 8);
    query_kv_int(out, "scanner_result_count", rows, 9);
    json_out_end_object(out);
}

static int write_items(Query *query, SqlTx *tx, JsonOut *out, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (query_run(query, tx, &rows, err) < 0)
        return -1;
    int more = 0;
    json_out_kv_array(out, "items");
    while ((more = sql_rows_next(rows, err)) == 1)
        write_item(rows, out);
    json_out_end_array(out);
    return more;
}

static int count_all(Query *query, SqlTx *tx, int64_t *ret, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (query_run(query, tx, &rows, err) < 0 || sql_rows_next(rows, err) < 0)
        return -1;
    *ret = sql_rows_int(rows, 0);
    return 0;
}

int scan_queries_list(Sql *sql, const QueriesAccess *access, const ScanQueriesList *list,
                      JsonOut *out, Error *err)
{
    QueryWords words = {0};
    auto_query Query items = {0};
    auto_query Query count = {0};
    auto_sql_tx SqlTx *tx = NULL;
    int64_t total = 0;
    if (query_check_page(list->page, err) < 0 || query_words(list->search, &words, err) < 0)
        return -1;
    query_init(&items, sql);
    query_init(&count, sql);
    query_add(&count, "SELECT count(*)");
    add_scope(&count, access, &words);
    query_add(&items, "SELECT e.pk, e.scan_id, e.scan_name, e.meta ->> ");
    query_add(&items, items.dialect == SQL_SQLITE ? "'$.name'" : "'name'");
    query_add(&items, ", e.job_id, e.location, e.timestamp, e.created_at, ");
    query_add(&items, items.dialect == SQL_SQLITE ? "e.errors" : "to_jsonb(e.errors)");
    query_add(&items, ", " COUNT);
    add_scope(&items, access, &words);
    if (add_order(&items, list, err) < 0)
        return -1;
    query_add_page(&items, list->page, 0);
    json_out_object(out);
    if (query_begin_as(sql, access, &tx, err) < 0 || write_items(&items, tx, out, err) < 0 ||
        count_all(&count, tx, &total, err) < 0)
        return -1;
    json_out_kv_int(out, "total", total);
    json_out_kv_int(out, "page", list->page.page);
    json_out_kv_int(out, "limit", list->page.limit);
    json_out_end_object(out);
    return 0;
}

/* --- the file of a result --- */

static const char *text_of(Arena *arena, const SqlRows *rows, int column)
{
    Str text = sql_rows_text(rows, column);
    return arena_strndup(arena, text.p ? text.p : "", text.n);
}

/* What matches what was asked for. */
typedef struct Found {
    ScanResultFile first;
    bool may; /* the caller may see it */
    size_t n; /* scanners */
    Buf names;
} Found;

static void found_release(Found *found)
{
    buf_release(&found->names);
}

#define auto_found HAWK_CLEANUP(found_release)

static int find(Query *query, SqlTx *tx, Arena *arena, Found *ret, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (query_run(query, tx, &rows, err) < 0)
        return -1;
    int has_row = 0;
    ret->n = 0;
    buf_reset(&ret->names);
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        if (ret->n++ == 0) {
            ret->first = (ScanResultFile){
                .scan_id = text_of(arena, rows, 0),
                .folder = arena_printf(arena, "scans/%s/scan_id=%s", text_of(arena, rows, 1),
                                       text_of(arena, rows, 0)),
                .scanner_key = text_of(arena, rows, 2),
                .scanner_name = text_of(arena, rows, 3),
            };
            ret->may = sql_rows_int(rows, 4) == 1;
        }
        buf_addz(&ret->names, ret->names.len ? ", " : "");
        buf_add_str(&ret->names, sql_rows_text(rows, 2));
    }
    return has_row < 0 ? -1 : 0;
}

/* Without the reader's role, so that what is there but not for the caller is told apart. */
static int find_with(Sql *sql, const QueriesAccess *access, const char *condition, Str value,
                     Str scanner, Arena *arena, Found *ret, Error *err)
{
    auto_query Query query = {0};
    auto_sql_tx SqlTx *tx = NULL;
    query_init(&query, sql);
    query_add(&query, "SELECT DISTINCT e.scan_id, e.job_id, r.scanner_key, r.scanner_name, CASE "
                      "WHEN ");
    query_add_access(&query, access);
    query_add(&query, " THEN 1 ELSE 0 END FROM scanner_result r JOIN scan e ON e.pk = r.scan_pk");
    query_where_value(&query, condition, SQL_TEXT(value));
    if (scanner.p)
        query_where_value(&query, "r.scanner_key = ?", SQL_TEXT(scanner));
    query_add_value(&query, " ORDER BY r.scanner_key LIMIT ?", SQL_INT(SCANNERS_MAX));
    if (sql_begin(sql, SQL_READ, &tx, err) < 0)
        return -1;
    return find(&query, tx, arena, ret, err);
}

/* Of a scanner that the scan does not have. */
static int set_no_scanner(const Found *scan, Str scanner, Error *err)
{
    return error_set(err, ERR_NOT_FOUND, "the scan %s has no scanner '%.*s', but: %s",
                     scan->first.scan_id, STR_ARG(str_slice(scanner, 0, 100)), scan->names.data);
}

int scan_queries_file(Sql *sql, const QueriesAccess *access, Str uuid, Str scanner, Arena *arena,
                      ScanResultFile *ret, Error *err)
{
    auto_found Found found = {.names = BUF_INIT(NAMES_MAX)};
    if (find_with(sql, access, "r.uuid = ?", uuid, STR_NONE, arena, &found, err) < 0 ||
        (!found.n &&
         find_with(sql, access, "e.scan_id = ?", uuid, scanner, arena, &found, err) < 0))
        return -1;
    bool has_scanner = found.n > 0;
    if (!has_scanner && scanner.p &&
        find_with(sql, access, "e.scan_id = ?", uuid, STR_NONE, arena, &found, err) < 0)
        return -1;
    if (found.n == 0) {
        (void)error_set(err, ERR_NOT_FOUND, "Scanner result with UUID '%.*s' not found",
                        STR_ARG(str_slice(uuid, 0, 100)));
        return error_fix(err, "'hawk list scans' has the ids of scans");
    }
    if (!found.may)
        return error_set(err, ERR_DENIED, "You do not have permission to export this scan.");
    if (!has_scanner)
        return set_no_scanner(&found, scanner, err);
    *ret = found.first;
    if (found.n == 1)
        return 0;
    (void)error_set(err, ERR_USAGE, "the scan %s has several scanners: %s", ret->scan_id,
                    found.names.data);
    return error_fix(err, "say which one with --scanner (the parameter scanner)");
}
