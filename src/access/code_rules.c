/* Two tables; a change is one transaction. */

#include "access/code_rules.h"

#include "access_embed.h"
#include "base/clock.h"
#include "base/random.h"

static const SqlMigration migrations[] = {
    {1, &embed_sqlite_0001_code_rules_sql, &embed_postgres_0001_code_rules_sql},
};

int code_rules_migrate(Sql *sql, Error *err)
{
    return sql_migrate(sql, "code_rules", migrations, ARRAY_LEN(migrations), err);
}

/* --- what may be said --- */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Of characters that are a word's, or among others; not empty. */
static bool is_made_of(Str text, const char *others)
{
    for (size_t i = 0; i < text.n; i++)
        if (!is_word(text.p[i]) && (text.p[i] == '\0' || !strchr(others, text.p[i])))
            return false;
    return text.n > 0;
}

/* A name as PEP 503 normalises it. */
static bool is_package(Str text)
{
    Str rest = text;
    Str part = STR_NONE;
    while (str_split(&rest, '-', &part))
        if (!is_made_of(part, ""))
            return false;
    return text.n > 0;
}

/* Digits, or 0x and hexadecimal ones: some read such a name as an address. */
static bool is_number(Str label)
{
    bool is_hex = str_starts(label, STR("0x")) && label.n > 2;
    for (size_t i = is_hex ? 2 : 0; i < label.n; i++) {
        char c = label.p[i];
        if (!(c >= '0' && c <= '9') && !(is_hex && c >= 'a' && c <= 'f'))
            return false;
    }
    return label.n > 0;
}

static bool is_byte(Str label)
{
    int64_t value = 0;
    return label.n <= 3 && (label.n == 1 || label.p[0] != '0') &&
           str_to_i64(label, 0, 255, &value) == 0;
}

static bool is_host(Str host)
{
    Str rest = host;
    Str label = STR_NONE;
    size_t n = 0;
    size_t n_numbers = 0;
    size_t n_bytes = 0;
    while (str_split(&rest, '.', &label)) {
        if (!is_made_of(label, "_-"))
            return false;
        n++;
        n_numbers += is_number(label);
        n_bytes += is_byte(label);
    }
    return n >= 2 && (n_numbers < n || (n == 4 && n_bytes == 4));
}

static int bad_prefix(Error *err, const char *what)
{
    return error_set(err, ERR_BAD_DATA, "url_prefix: %s", what);
}

static int check_prefix(Str prefix, Error *err)
{
    Str rest = prefix;
    Str host = STR_NONE;
    Str segment = STR_NONE;
    size_t n_segments = 0;
    if (prefix.n == 0 || prefix.n > CODE_RULES_PREFIX_MAX)
        return error_set(err, ERR_BAD_DATA, "url_prefix: has 1 to %d characters",
                         CODE_RULES_PREFIX_MAX);
    if (is_package(prefix))
        return 0;
    (void)str_split(&rest, '/', &host);
    if (!is_host(host))
        return bad_prefix(err, "expected host/path in small letters, without scheme, user and port "
                               "and with an IPv4 address as it is usual, or the normalised name "
                               "of a package");
    for (; str_split(&rest, '/', &segment); n_segments++)
        if (!is_made_of(segment, "._-") || str_eqz(segment, ".") || str_eqz(segment, "..") ||
            str_eqz(segment, "-"))
            return bad_prefix(err, "parts of the path are of small letters, digits and '._-', and "
                                   "none is empty, '.', '..' or '-'");
    if (n_segments > 2 && (str_eqz(host, "github.com") || str_ends(host, STR(".ghe.com"))))
        return bad_prefix(err, "at GitHub there is nothing below host/owner/repository");
    return 0;
}

int code_rules_check(const CodeRule *rule, Error *err)
{
    Str group = rule->group;
    if (check_prefix(rule->url_prefix, err) < 0)
        return -1;
    if (!group.p || (group.n <= CODE_RULES_GROUP_MAX && is_made_of(group, "_-") &&
                     group.p[0] >= 'a' && group.p[0] <= 'z'))
        return 0;
    return error_set(err, ERR_BAD_DATA,
                     "group: expected up to %d small letters, digits, '_' and '-', a letter first",
                     CODE_RULES_GROUP_MAX);
}

/* --- the tables --- */

int code_rules_list(Sql *sql, Arena *arena, CodeRule **ret, size_t *ret_n, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    CodeRule *rules = arena_array(arena, CODE_RULES_MAX, sizeof(*rules));
    size_t n = 0;
    int more = 0;
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx,
                  "SELECT r.pk, r.url_prefix, g.name FROM code_access_rule r LEFT JOIN code_group "
                  "g ON g.pk = r.code_group_pk ORDER BY r.url_prefix LIMIT $1",
                  SQL_ARGS(SQL_INT(CODE_RULES_MAX)), &rows, err) < 0)
        return -1;
    while ((more = sql_rows_next(rows, err)) == 1)
        rules[n++] = (CodeRule){
            .pk = arena_str(arena, sql_rows_text(rows, 0)),
            .url_prefix = arena_str(arena, sql_rows_text(rows, 1)),
            .group =
                sql_rows_is_null(rows, 2) ? STR_NONE : arena_str(arena, sql_rows_text(rows, 2)),
        };
    if (more < 0)
        return -1;
    *ret = rules;
    *ret_n = n;
    return 0;
}

static int put_group(SqlTx *tx, Str group, Error *err)
{
    char pk[RANDOM_UUID_MAX];
    if (!group.p)
        return 0;
    return sql_exec(tx,
                    "INSERT INTO code_group (pk, created_at, updated_at, name) VALUES ($1, $2, $3, "
                    "$4) ON CONFLICT (name) DO NOTHING",
                    SQL_ARGS(SQL_TEXTZ(random_uuid7(pk)), SQL_INSTANT(clock_now_us()),
                             SQL_INSTANT(clock_now_us()), SQL_TEXT(group)),
                    NULL, err);
}

static SqlValue text_or_null(Str text)
{
    return text.p ? SQL_TEXT(text) : SQL_NULL;
}

/* One of the same prefix breaks a constraint. */
static int is_taken(Error *err, Error *problem)
{
    if (problem->kind != ERR_CONFLICT)
        return error_move(err, problem);
    return error_set(err, ERR_CONFLICT, "a rule for this prefix already exists");
}

static int check_room(SqlTx *tx, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx, "SELECT count(*) FROM code_access_rule", SQL_NO_ARGS, &rows, err) < 0 ||
        sql_rows_next(rows, err) < 0)
        return -1;
    if (sql_rows_int(rows, 0) < CODE_RULES_MAX)
        return 0;
    return error_set(err, ERR_CONFLICT, "there are %d rules, which is the limit", CODE_RULES_MAX);
}

int code_rules_add(Sql *sql, Arena *arena, CodeRule *rule, Error *err)
{
    char pk[RANDOM_UUID_MAX];
    auto_sql_tx SqlTx *tx = NULL;
    auto_error Error problem = ERROR_INIT;
    SqlValue now = SQL_INSTANT(clock_now_us());
    if (sql_begin(sql, SQL_WRITE, &tx, err) < 0 || check_room(tx, err) < 0 ||
        put_group(tx, rule->group, err) < 0)
        return -1;
    if (sql_exec(tx,
                 "INSERT INTO code_access_rule (pk, created_at, updated_at, url_prefix, "
                 "code_group_pk) VALUES ($1, $2, $3, $4, (SELECT pk FROM code_group WHERE name = "
                 "$5))",
                 SQL_ARGS(SQL_TEXTZ(random_uuid7(pk)), now, now, SQL_TEXT(rule->url_prefix),
                          text_or_null(rule->group)),
                 NULL, &problem) < 0)
        return is_taken(err, &problem);
    if (sql_commit(TAKE(tx), err) < 0)
        return -1;
    rule->pk = arena_str(arena, str_of(pk));
    return 0;
}

static int check_was_there(int64_t n_changed, Error *err)
{
    return n_changed > 0 ? 0 : error_set(err, ERR_NOT_FOUND, "no such rule");
}

int code_rules_update(Sql *sql, const CodeRule *rule, Error *err)
{
    int64_t n = 0;
    auto_sql_tx SqlTx *tx = NULL;
    auto_error Error problem = ERROR_INIT;
    if (sql_begin(sql, SQL_WRITE, &tx, err) < 0 || put_group(tx, rule->group, err) < 0)
        return -1;
    if (sql_exec(tx,
                 "UPDATE code_access_rule SET updated_at = $2, url_prefix = $3, code_group_pk = "
                 "(SELECT pk FROM code_group WHERE name = $4) WHERE pk = $1",
                 SQL_ARGS(SQL_TEXT(rule->pk), SQL_INSTANT(clock_now_us()),
                          SQL_TEXT(rule->url_prefix), text_or_null(rule->group)),
                 &n, &problem) < 0)
        return is_taken(err, &problem);
    return check_was_there(n, err) < 0 ? -1 : sql_commit(TAKE(tx), err);
}

int code_rules_delete(Sql *sql, Str pk, Error *err)
{
    int64_t n = 0;
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(sql, SQL_WRITE, &tx, err) < 0 ||
        sql_exec(tx, "DELETE FROM code_access_rule WHERE pk = $1", SQL_ARGS(SQL_TEXT(pk)), &n,
                 err) < 0 ||
        check_was_there(n, err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}
