/* The registry's tables. PostgreSQL has them in a schema of its own, as people's SQL knows it. */

#include "access/models.h"

#include <stdlib.h>

#include "access/access.h"
#include "access_embed.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/random.h"
#include "codec/json_out.h"
#include "codec/yaml.h"

enum { NAME_MAX_BYTES = 512, CONFIG_MAX = 64 << 10 };

static const SqlMigration migrations[] = {
    {1, &embed_sqlite_0001_models_sql, &embed_postgres_0001_models_sql},
};

typedef enum Statement { PUT_GROUP, PUT_MODEL, PUT_CONFIG, GET_ALL, N_STATEMENTS } Statement;

/* The statements for one dialect. PostgreSQL does not infer the types of values in a SELECT, so
   each is told; SQLite's CAST would change them. */
#define STATEMENTS(schema, uuid, instant, json, flag)                                              \
    {                                                                                              \
        [PUT_GROUP] = "INSERT INTO " schema "model_group (pk, created_at, updated_at, name) "      \
                      "VALUES ($1, $2, $2, $3) ON CONFLICT (name) DO NOTHING",                     \
        [PUT_MODEL] =                                                                              \
            "INSERT INTO " schema "model (pk, created_at, updated_at, name, model_group_pk) "      \
            "SELECT $1" uuid ", $2" instant ", $2, $3, g.pk FROM " schema "model_group g "         \
            "WHERE g.name = $4 ON CONFLICT (name) DO UPDATE SET updated_at = "                     \
            "excluded.updated_at, model_group_pk = excluded.model_group_pk",                       \
        [PUT_CONFIG] =                                                                             \
            "INSERT INTO " schema "model_config (pk, created_at, updated_at, model_pk, config, "   \
            "is_active) SELECT $1" uuid ", $2" instant ", $2, m.pk, $4" json ", $5" flag           \
            " FROM " schema "model m WHERE m.name = $3 ON CONFLICT (model_pk) DO UPDATE SET "      \
            "updated_at = excluded.updated_at, config = excluded.config, "                         \
            "is_active = excluded.is_active",                                                      \
        [GET_ALL] = "SELECT m.name, g.name, c.config, c.is_active FROM " schema "model m "         \
                    "JOIN " schema "model_group g ON g.pk = m.model_group_pk LEFT JOIN " schema    \
                    "model_config c ON c.model_pk = m.pk ORDER BY m.name",                         \
    }

static const char *const statements[][N_STATEMENTS] = {
    [SQL_SQLITE] = STATEMENTS("", "", "", "", ""),
    [SQL_POSTGRES] = STATEMENTS("middleman.", "::uuid", "::timestamptz", "::jsonb", "::boolean"),
};

static const char *statement(const Sql *sql, Statement which)
{
    return statements[sql_dialect(sql)][which];
}

int models_migrate(Sql *sql, Error *err)
{
    return sql_migrate(sql, "models", migrations, ARRAY_LEN(migrations), err);
}

/* --- from a file --- */

static bool is_name(Str text)
{
    return text.n > 0 && text.n <= NAME_MAX_BYTES && str_eq(text, str_trim(text)) &&
           !memchr(text.p, '\0', text.n);
}

static int bad_entry(const char *path, const Json *entry, const char *what, Error *err)
{
    return error_set(err, ERR_BAD_DATA, "%s:%d:%d: %s", path, entry->line, entry->column, what);
}

static int check_entry(const char *path, const Json *entry, Error *err)
{
    const Json *dead = json_get(entry, "dead");
    if (entry->type != JSON_OBJECT)
        return bad_entry(path, entry, "expected a model: {name, group, ...}", err);
    if (!is_name(json_text(entry, "name", STR(""))))
        return bad_entry(path, entry, "expected name, the model's public name", err);
    if (!is_name(json_text(entry, "group", STR(""))))
        return bad_entry(path, entry, "expected group, such as model-access-public", err);
    if (!str_starts(json_text(entry, "group", STR("")), STR(ACCESS_GROUP_PREFIX)))
        return bad_entry(path, entry, "the group's name has to begin with " ACCESS_GROUP_PREFIX,
                         err);
    if (dead && dead->type != JSON_BOOL && dead->type != JSON_NULL)
        return bad_entry(path, dead, "expected true or false", err);
    return 0;
}

/* All but the name, the group and whether it is active, which have columns. */
static int write_config(const Json *entry, Buf *ret, Error *err)
{
    JsonOut out;
    json_out_init(&out, ret, 0);
    json_out_object(&out);
    for (const Json *item = entry->first; item; item = item->next) {
        if (str_eqz(item->key, "name") || str_eqz(item->key, "group") ||
            str_eqz(item->key, "is_active"))
            continue;
        json_out_key(&out, item->key);
        json_out_node(&out, item);
    }
    json_out_end_object(&out);
    return buf_check(ret, "a model's settings", err);
}

static int put_entry(Sql *sql, SqlTx *tx, const Json *entry, Error *err)
{
    char group_pk[RANDOM_UUID_MAX];
    char model_pk[RANDOM_UUID_MAX];
    char config_pk[RANDOM_UUID_MAX];
    auto_buf Buf config = BUF_INIT(CONFIG_MAX);
    SqlValue now = SQL_INSTANT(clock_now_us());
    SqlValue name = SQL_TEXT(json_text(entry, "name", STR_NONE));
    SqlValue group = SQL_TEXT(json_text(entry, "group", STR_NONE));
    if (write_config(entry, &config, err) < 0 ||
        sql_exec(tx, statement(sql, PUT_GROUP),
                 SQL_ARGS(SQL_TEXTZ(random_uuid7(group_pk)), now, group), NULL, err) < 0 ||
        sql_exec(tx, statement(sql, PUT_MODEL),
                 SQL_ARGS(SQL_TEXTZ(random_uuid7(model_pk)), now, name, group), NULL, err) < 0)
        return -1;
    return sql_exec(tx, statement(sql, PUT_CONFIG),
                    SQL_ARGS(SQL_TEXTZ(random_uuid7(config_pk)), now, name,
                             SQL_TEXT(buf_str(&config)),
                             SQL_BOOL(json_bool(entry, "is_active", true))),
                    NULL, err);
}

static int read_file(Arena *arena, const char *path, Json **ret, Error *err)
{
    static const JsonLimits limits = {
        .bytes = MODELS_FILE_MAX, .depth = 50, .nodes = (size_t)20 * MODELS_MAX};
    auto_buf Buf text = BUF_INIT(MODELS_FILE_MAX);
    if (fs_read_file(path, &text, err) < 0 ||
        yaml_parse(arena, arena_str(arena, buf_str(&text)), path, &limits, ret, err) < 0)
        return -1;
    if ((*ret)->type != JSON_ARRAY || (*ret)->n > MODELS_MAX)
        return error_set(err, ERR_BAD_DATA, "%s: expected a list of at most %d models", path,
                         MODELS_MAX);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const Json *const *left = a;
    const Json *const *right = b;
    return str_cmp(json_text(*left, "name", STR("")), json_text(*right, "name", STR("")));
}

/* A model that is listed in two groups would be in the last: a secret one may become public. */
static int check_groups(Arena *arena, const char *path, const Json *list, Error *err)
{
    const Json **models = arena_array(arena, list->n, sizeof(*models));
    size_t n = 0;
    for (const Json *entry = list->first; entry; entry = entry->next)
        models[n++] = entry;
    if (n > 0)
        qsort(models, n, sizeof(*models), by_name);
    for (size_t i = 1; i < n; i++) {
        const Json *one = models[i - 1];
        const Json *other = models[i];
        if (by_name(&one, &other) != 0 ||
            str_eq(json_text(one, "group", STR("")), json_text(other, "group", STR(""))))
            continue;
        bool is_later = one->line > other->line;
        return error_set(err, ERR_BAD_DATA, "%s:%d: %.*s is in another group already at line %d",
                         path, is_later ? one->line : other->line,
                         STR_ARG(json_text(one, "name", STR(""))),
                         is_later ? other->line : one->line);
    }
    return 0;
}

int models_seed(Sql *sql, const char *path, Error *err)
{
    auto_arena Arena *arena = arena_new();
    auto_sql_tx SqlTx *tx = NULL;
    Json *list = NULL;
    if (read_file(arena, path, &list, err) < 0)
        return -1;
    for (const Json *entry = list->first; entry; entry = entry->next)
        if (check_entry(path, entry, err) < 0)
            return -1;
    if (check_groups(arena, path, list, err) < 0 || sql_begin(sql, SQL_WRITE, &tx, err) < 0)
        return -1;
    for (const Json *entry = list->first; entry; entry = entry->next)
        if (put_entry(sql, tx, entry, err) < 0)
            return -1;
    return sql_commit(TAKE(tx), err);
}

/* --- reading --- */

static Model read_model(const SqlRows *rows, Arena *arena)
{
    auto_error Error ignored = ERROR_INIT; /* what is no object says nothing about the model */
    Json *config = NULL;
    Str text = sql_rows_text(rows, 2);
    if (!text.p ||
        json_parse(arena, arena_str(arena, text), &json_limits_config, &config, &ignored) < 0)
        config = json_new(arena, JSON_OBJECT);
    return (Model){
        .name = arena_str(arena, sql_rows_text(rows, 0)),
        .group = arena_str(arena, sql_rows_text(rows, 1)),
        .config = config,
        .is_active = sql_rows_is_null(rows, 3) || sql_rows_int(rows, 3) != 0,
        .is_dead = json_bool(config, "dead", false),
    };
}

int models_load(Sql *sql, Arena *arena, Models *ret, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    size_t room = 64;
    size_t n = 0;
    Model *items = arena_array(arena, room, sizeof(*items));
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx, statement(sql, GET_ALL), SQL_NO_ARGS, &rows, err) < 0)
        return -1;
    int more = sql_rows_next(rows, err);
    for (; more == 1 && n < MODELS_MAX; more = sql_rows_next(rows, err)) {
        if (n == room) {
            Model *larger = arena_array(arena, room * 2, sizeof(*items));
            memcpy(larger, items, n * sizeof(*items));
            items = larger;
            room *= 2;
        }
        items[n++] = read_model(rows, arena);
    }
    if (more < 0)
        return -1;
    if (more == 1)
        return error_set(err, ERR_BAD_DATA, "the registry has over %d models", MODELS_MAX);
    *ret = (Models){items, n};
    return 0;
}

const Model *models_match(const Models *models, Str name, size_t i)
{
    for (size_t at = 0; at < models->n; at++)
        if (str_eq(models->items[at].name, name))
            return i == 0 ? &models->items[at] : NULL;
    for (size_t at = 0; at < models->n; at++) {
        Str known = models->items[at].name;
        if ((str_ends_path(known, name) || str_ends_path(name, known)) && i-- == 0)
            return &models->items[at];
    }
    return NULL;
}
