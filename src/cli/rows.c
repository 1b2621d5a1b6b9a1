/* Rows to a file or to standard output: see rows.h. */

#include "cli/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cli/api.h"
#include "cli/print.h"
#include "codec/frame_rows.h"
#include "server/parquet.h"
#include "server/routes.h"
#include "server/server.h"

enum { TABLE_BYTES_MAX = 64 << 20, LINE_MAX_BYTES = 256 << 20 };
enum { LIST_BYTES_MAX = 256 << 20 };

typedef enum Kind { KIND_TABLE, KIND_JSON, KIND_NDJSON, KIND_CSV, KIND_PARQUET, N_KINDS } Kind;

/* clang-format off */
static const struct { const char *name; const char *suffixes; FrameFormat wanted; } kinds[] = {
    [KIND_TABLE]   = { "table",   "",               FRAME_NDJSON },
    [KIND_JSON]    = { "json",    ".json",          FRAME_JSON },
    [KIND_NDJSON]  = { "ndjson",  ".ndjson|.jsonl", FRAME_NDJSON },
    [KIND_CSV]     = { "csv",     ".csv",           FRAME_CSV },
    [KIND_PARQUET] = { "parquet", ".parquet",       FRAME_FEED },
};
/* clang-format on */

struct Rows {
    Cli *cli;
    Kind kind;
    const char *file; /* borrowed, or NULL */
    char *part;       /* the file as long as it is not whole */
    int fd;           /* of part */
    Parquet *parquet;
    Buf held; /* rows of a table, or a line for a terminal that is not whole yet */
};

static bool has_suffix(const char *file, const char *suffixes)
{
    Str rest = str_of(suffixes);
    Str suffix = STR_NONE;
    while (str_split(&rest, '|', &suffix))
        if (suffix.n > 0 && str_ends(str_of(file), suffix))
            return true;
    return false;
}

/* Not without: a name that says one thing over bytes that are another is found out too late. */
static int check_suffix(const char *file, Kind kind, Error *err)
{
    const char *slash = strrchr(file, '/');
    const char *dot = strrchr(slash ? slash : file, '.');
    if (!dot || has_suffix(file, kinds[kind].suffixes))
        return 0;
    (void)error_set(err, ERR_USAGE, "%s: no format has the ending %s", file, dot);
    return error_fix(err, "name it .csv, .json, .ndjson or .parquet, or say --format");
}

static int choose_kind(const Cli *cli, const char *format, const char *file, Kind *ret, Error *err)
{
    *ret = cli->out_is_tty && !file ? KIND_TABLE : KIND_CSV;
    for (Kind kind = 0; kind < N_KINDS; kind++)
        if (format ? strcmp(format, kinds[kind].name) == 0
                   : file && has_suffix(file, kinds[kind].suffixes))
            *ret = kind;
    if (file && !format)
        return check_suffix(file, *ret, err);
    if (*ret == KIND_PARQUET && !file && cli->out_is_tty)
        return error_set(err, ERR_USAGE, "Parquet is not for a terminal; name a file with -o");
    return 0;
}

static int start_parquet(Rows *rows, Error *err)
{
    auto_free char *cache_dir = server_cache_dir(NULL);
    if (rows->kind != KIND_PARQUET)
        return 0;
    return parquet_start(cache_dir, rows->file ? rows->fd : STDOUT_FILENO, &rows->parquet, err);
}

int rows_open(Cli *cli, const char *format, const char *file, Rows **ret, Error *err)
{
    auto_rows Rows *rows = mem_alloc(sizeof(*rows));
    rows->cli = cli;
    rows->file = file;
    rows->fd = -1;
    if (choose_kind(cli, format, file, &rows->kind, err) < 0)
        return -1;
    rows->held = BUF_INIT(rows->kind == KIND_TABLE ? TABLE_BYTES_MAX : LINE_MAX_BYTES);
    if (file) {
        rows->part = mem_printf("%s.part-%d", file, (int)getpid());
        rows->fd = fs_open(rows->part, O_WRONLY | O_CREAT | O_TRUNC, 0644, err);
        if (rows->fd < 0)
            return -1;
    }
    if (start_parquet(rows, err) < 0)
        return -1;
    *ret = TAKE(rows);
    return 0;
}

FrameFormat rows_wanted(const Rows *rows)
{
    return kinds[rows->kind].wanted;
}

/* Whole lines only, so that nothing that a terminal would obey hides in a cut. */
static int put_on_terminal(Rows *rows, Error *err)
{
    ptrdiff_t end = str_rfind(buf_str(&rows->held), '\n');
    if (buf_check(&rows->held, "a row", err) < 0)
        return -1;
    if (end < 0)
        return 0;
    Str lines = str_slice(buf_str(&rows->held), 0, (size_t)end + 1);
    int failed = rows->kind == KIND_CSV ? print_text(rows->cli, lines, err)
                                        : print_json_text(rows->cli, lines, err);
    buf_consume(&rows->held, lines.n);
    return failed;
}

int rows_write(Rows *rows, Str bytes, Error *err)
{
    if (rows->parquet)
        return parquet_write(rows->parquet, bytes, err);
    if (rows->kind == KIND_TABLE) {
        buf_add_str(&rows->held, bytes);
        if (buf_check(&rows->held, "the table", err) < 0)
            return error_fix(err, "take another format: --format csv");
        return 0;
    }
    if (rows->file)
        return fs_write_all(rows->fd, bytes.p, bytes.n, err);
    if (!rows->cli->out_is_tty)
        return cli_put(rows->cli, bytes, err);
    buf_add_str(&rows->held, bytes);
    return put_on_terminal(rows, err);
}

/* --- tables --- */

static const char **column_names(Arena *arena, const Json *row, size_t *ret_n)
{
    const char **names = arena_array(arena, row->n + 1, sizeof(*names));
    size_t n = 0;
    for (const Json *member = row->first; member; member = member->next)
        names[n++] = arena_strndup(arena, member->key.p, member->key.n);
    *ret_n = n;
    return names;
}

static void add_row(Arena *arena, Table *table, const Json *row)
{
    for (const Json *member = row->first; member; member = member->next)
        table_add(table, print_value(arena, member));
}

static int write_table(Rows *rows, Table *table, Error *err)
{
    auto_buf Buf text = BUF_INIT(TABLE_BYTES_MAX);
    if (!rows->file)
        return print_table(rows->cli, table, err);
    table_write(table, &text);
    if (buf_check(&text, "the table", err) < 0)
        return -1;
    return fs_write_all(rows->fd, text.data, text.len, err);
}

/* The rows that were held as NDJSON; all have the same members. */
static int finish_table(Rows *rows, Error *err)
{
    Str rest = buf_str(&rows->held);
    Str line = STR_NONE;
    auto_arena Arena *arena = arena_new();
    auto_table Table *table = NULL;
    while (str_split(&rest, '\n', &line)) {
        Json *row = NULL;
        size_t n = 0;
        if (line.n == 0)
            continue;
        if (api_parse(arena, line, &row, err) < 0)
            return -1;
        if (!table) {
            const char *const *names = column_names(arena, row, &n);
            table = table_new(names, n);
        }
        add_row(arena, table, row);
    }
    return table ? write_table(rows, table, err) : 0;
}

int rows_finish(Rows *rows, Error *err)
{
    if (rows->kind == KIND_TABLE && finish_table(rows, err) < 0)
        return -1;
    if (rows->parquet && parquet_finish(rows->parquet, err) < 0)
        return -1;
    if (!rows->file)
        return 0;
    if (fsync(rows->fd) < 0 && errno != EINVAL)
        return error_errno(err, errno, "cannot write %s", rows->file);
    if (rename(rows->part, rows->file) < 0)
        return error_errno(err, errno, "cannot write %s", rows->file);
    free(TAKE(rows->part));
    return 0;
}

void rows_free(Rows *rows)
{
    if (!rows)
        return;
    parquet_free(rows->parquet);
    fs_close_cleanup(&rows->fd);
    if (rows->part)
        (void)unlink(rows->part);
    free(rows->part);
    buf_release(&rows->held);
    free(rows);
}

/* --- lists of objects --- */

int rows_put(Rows *rows, const Json *list, const char *shape, Error *err)
{
    auto_buf Buf text = BUF_INIT(LIST_BYTES_MAX);
    if (frame_rows_write(list, routes_shape_names(shape, rows->cli->arena), rows_wanted(rows),
                         false, &text, err) < 0)
        return -1;
    return rows_write(rows, buf_str(&text), err);
}

int rows_print(Cli *cli, const char *format, const Json *list, const char *shape, bool *ret_done,
               Error *err)
{
    auto_rows Rows *rows = NULL;
    *ret_done = format && strcmp(format, kinds[KIND_TABLE].name) != 0;
    if (!*ret_done)
        return 0;
    if (rows_open(cli, format, NULL, &rows, err) < 0 || rows_put(rows, list, shape, err) < 0)
        return -1;
    return rows_finish(rows, err);
}
