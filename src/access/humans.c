/* One table. */

#include "access/humans.h"

#include "access_embed.h"
#include "base/clock.h"
#include "base/random.h"
#include "codec/digest.h"

static const SqlMigration migrations[] = {
    {1, &embed_sqlite_0001_humans_sql, &embed_postgres_0001_humans_sql},
    {2, &embed_sqlite_0002_human_evals_sql, &embed_postgres_0002_human_evals_sql},
};

static const char *const key_types[] = {
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
};

#define COLUMNS "name, ssh_public_key, created_by, created_at, updated_at"

int humans_migrate(Sql *sql, Error *err)
{
    return sql_migrate(sql, "humans", migrations, ARRAY_LEN(migrations), err);
}

int humans_check_name(Str name, Error *err)
{
    bool is_good =
        name.n > 0 && name.n <= HUMANS_NAME_MAX && name.p[0] != '-' && name.p[name.n - 1] != '-';
    for (size_t i = 0; is_good && i < name.n; i++) {
        char c = name.p[i];
        is_good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }
    if (is_good)
        return 0;
    (void)error_set(err, ERR_BAD_DATA,
                    "a name has 1 to %d lower-case letters, digits and hyphens, and no hyphen at "
                    "its ends",
                    HUMANS_NAME_MAX);
    return error_code(err, "human.bad_name");
}

static int bad_key(Error *err, const char *what)
{
    (void)error_set(err, ERR_BAD_DATA, "%s", what);
    return error_code(err, "human.bad_key");
}

/* The bytes of the second word. */
static bool read_blob(Str key, Str *ret_type, Buf *ret)
{
    Str rest = key;
    Str blob = STR_NONE;
    return str_split(&rest, ' ', ret_type) && str_split(&rest, ' ', &blob) && blob.n > 0 &&
           digest_read_base64(blob, ret) == 0;
}

int humans_check_key(Str key, Error *err)
{
    Str type = STR_NONE;
    auto_buf Buf blob = BUF_INIT(HUMANS_KEY_MAX);
    if (key.n > HUMANS_KEY_MAX)
        return bad_key(err, "the SSH key is too long");
    for (size_t i = 0; i < key.n; i++)
        if ((unsigned char)key.p[i] < 0x20 || key.p[i] == 0x7f)
            return bad_key(err, "SSH key must not contain newlines or control characters");
    if (read_blob(key, &type, &blob))
        for (size_t i = 0; i < ARRAY_LEN(key_types); i++)
            if (str_eqz(type, key_types[i]))
                return 0;
    return bad_key(err, "an SSH key is '<type> <base64> [comment]' with a type of: ssh-ed25519, "
                        "ssh-rsa, ecdsa-sha2-nistp256, ecdsa-sha2-nistp384, ecdsa-sha2-nistp521, "
                        "sk-ssh-ed25519@openssh.com, sk-ecdsa-sha2-nistp256@openssh.com");
}

void humans_add_fingerprint(Buf *buf, Str key)
{
    Str type = STR_NONE;
    unsigned char digest[DIGEST_SIZE];
    auto_buf Buf blob = BUF_INIT(HUMANS_KEY_MAX);
    auto_buf Buf text = BUF_INIT(64);
    (void)read_blob(key, &type, &blob);
    digest_sha256(buf_str(&blob), digest);
    digest_add_base64(&text, (Str){(const char *)digest, sizeof(digest)});
    while (text.len > 0 && text.data[text.len - 1] == '=')
        buf_truncate(&text, text.len - 1);
    buf_addz(buf, "SHA256:");
    buf_add_str(buf, buf_str(&text));
}

static const char *text_at(const SqlRows *rows, Arena *arena, int column)
{
    Str text = sql_rows_text(rows, column);
    return arena_strndup(arena, text.p ? text.p : "", text.n);
}

static Human read_row(const SqlRows *rows, Arena *arena)
{
    return (Human){
        .name = text_at(rows, arena, 0),
        .ssh_public_key = text_at(rows, arena, 1),
        .created_by = text_at(rows, arena, 2),
        .created_us = sql_rows_int(rows, 3),
        .updated_us = sql_rows_int(rows, 4),
    };
}

int humans_list(Sql *sql, HumansEach *each, void *context, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    auto_arena Arena *arena = arena_new();
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx, "SELECT " COLUMNS " FROM human ORDER BY name", SQL_NO_ARGS, &rows, err) < 0)
        return -1;
    int more = 0;
    while ((more = sql_rows_next(rows, err)) == 1) {
        arena_reset(arena);
        const Human human = read_row(rows, arena);
        if (each(context, &human, err) < 0)
            return -1;
    }
    return more;
}

int humans_get(Sql *sql, Arena *arena, Str name, Human *ret, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx, "SELECT " COLUMNS " FROM human WHERE name = $1", SQL_ARGS(SQL_TEXT(name)),
                  &rows, err) < 0)
        return -1;
    int found = sql_rows_next(rows, err);
    if (found < 0)
        return -1;
    if (found == 0) {
        (void)error_set(err, ERR_NOT_FOUND, "No human with name '%.*s'",
                        STR_ARG(str_slice(name, 0, HUMANS_NAME_MAX)));
        return error_code(err, "human.not_found");
    }
    *ret = read_row(rows, arena);
    return 0;
}

static int change(Sql *sql, const char *statement, const SqlValue *args, size_t n, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(sql, SQL_WRITE, &tx, err) < 0 || sql_exec(tx, statement, args, n, NULL, err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}

int humans_add(Sql *sql, const Human *human, Error *err)
{
    char pk[RANDOM_UUID_MAX];
    auto_error Error problem = ERROR_INIT;
    if (change(sql, "INSERT INTO human (pk, " COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6)",
               SQL_ARGS(SQL_TEXTZ(random_uuid7(pk)), SQL_TEXTZ(human->name),
                        SQL_TEXTZ(human->ssh_public_key), SQL_TEXTZ(human->created_by),
                        SQL_INSTANT(human->created_us), SQL_INSTANT(human->updated_us)),
               &problem) == 0)
        return 0;
    if (problem.kind != ERR_CONFLICT)
        return error_move(err, &problem);
    (void)error_set(err, ERR_CONFLICT, "A human with name '%s' already exists", human->name);
    return error_code(err, "human.exists");
}

int humans_update(Sql *sql, const Human *human, Error *err)
{
    return change(sql, "UPDATE human SET ssh_public_key = $2, updated_at = $3 WHERE name = $1",
                  SQL_ARGS(SQL_TEXTZ(human->name), SQL_TEXTZ(human->ssh_public_key),
                           SQL_INSTANT(human->updated_us)),
                  err);
}

int humans_delete(Sql *sql, Str name, Error *err)
{
    return change(sql, "DELETE FROM human WHERE name = $1", SQL_ARGS(SQL_TEXT(name)), err);
}

/* --- what they take --- */

int humans_assign(Sql *sql, Str name, Str eval_set_id, Error *err)
{
    char pk[RANDOM_UUID_MAX];
    return change(
        sql,
        sql_dialect(sql) == SQL_SQLITE
            ? "INSERT INTO human_eval_assignment (pk, created_at, updated_at, human_pk, "
              "eval_set_id) SELECT $1, $2, $2, pk, $4 FROM human WHERE name = $3"
            : "INSERT INTO human_eval_assignment (pk, created_at, updated_at, human_pk, "
              "eval_set_id) SELECT $1::uuid, $2::timestamptz, $2, pk, $4::text FROM human "
              "WHERE name = $3",
        SQL_ARGS(SQL_TEXTZ(random_uuid7(pk)), SQL_INSTANT(clock_now_us()), SQL_TEXT(name),
                 SQL_TEXT(eval_set_id)),
        err);
}

int humans_unassign(Sql *sql, Str name, Str eval_set_id, Error *err)
{
    return change(sql,
                  "DELETE FROM human_eval_assignment WHERE eval_set_id = $1 AND human_pk IN "
                  "(SELECT pk FROM human WHERE name = $2)",
                  SQL_ARGS(SQL_TEXT(eval_set_id), SQL_TEXT(name)), err);
}

int humans_assigned(Sql *sql, Arena *arena, Str eval_set_id, const char **ret, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx,
                  "SELECT h.name FROM human_eval_assignment a JOIN human h ON h.pk = a.human_pk "
                  "WHERE a.eval_set_id = $1 ORDER BY a.created_at",
                  SQL_ARGS(SQL_TEXT(eval_set_id)), &rows, err) < 0)
        return -1;
    int found = sql_rows_next(rows, err);
    if (found >= 0)
        *ret = found ? text_at(rows, arena, 0) : NULL;
    return found < 0 ? -1 : 0;
}

int humans_is_busy(Sql *sql, Str name, bool *ret, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx,
                  "SELECT 1 FROM human_eval_assignment a JOIN human h ON h.pk = a.human_pk "
                  "WHERE h.name = $1 LIMIT 1",
                  SQL_ARGS(SQL_TEXT(name)), &rows, err) < 0)
        return -1;
    int found = sql_rows_next(rows, err);
    if (found >= 0)
        *ret = found == 1;
    return found < 0 ? -1 : 0;
}
