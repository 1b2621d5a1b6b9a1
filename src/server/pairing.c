/* Ids are looked at first and compared with the database's once more in the transaction that
   records them, so that a slow bucket keeps nobody from writing and of two first starts one wins.
 */

#include "server/pairing.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/random.h"
#include "server_embed.h"

enum {
    ID_LENGTH = 24,
    ID_FILE_MAX = 128,
    N_LOGS_LOOKED_AT = 32, /* of those that the database knows, to find one in a store */
};

static const SqlMigration migrations[] = {
    {1, &embed_sqlite_0001_pairing_sql, &embed_postgres_0001_pairing_sql},
};

/* What a database belongs to, of each kind. */
typedef enum PairKind { PAIR_STORE, PAIR_PROVIDER, N_PAIR_KINDS } PairKind;
static const char *const kind_names[] = {"store", "provider"};

/* One of them; where there is none both are NULL. */
typedef struct Pair {
    const char *id;
    const char *place;
} Pair;

typedef struct Pairing {
    const PairingOptions *options;
    Arena *arena;
    Pair was[N_PAIR_KINDS]; /* by the database */
    Pair is[N_PAIR_KINDS];
} Pairing;

/* ---- rows ---- */

static int read_pairs(SqlTx *tx, Arena *arena, Pair ret[N_PAIR_KINDS], Error *err)
{
    for (size_t i = 0; i < N_PAIR_KINDS; i++) {
        auto_sql_rows SqlRows *rows = NULL;
        if (sql_query(tx, "SELECT id, place FROM pairing WHERE kind = $1",
                      SQL_ARGS(SQL_TEXTZ(kind_names[i])), &rows, err) < 0)
            return -1;
        int more = sql_rows_next(rows, err);
        if (more < 0)
            return -1;
        ret[i] = (Pair){0};
        if (more)
            ret[i] = (Pair){arena_str(arena, sql_rows_text(rows, 0)).p,
                            arena_str(arena, sql_rows_text(rows, 1)).p};
    }
    return 0;
}

static bool is_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static int write_pair(SqlTx *tx, const char *kind, const Pair *is, Error *err)
{
    if (!is->id)
        return sql_exec(tx, "DELETE FROM pairing WHERE kind = $1", SQL_ARGS(SQL_TEXTZ(kind)), NULL,
                        err);
    return sql_exec(tx,
                    "INSERT INTO pairing (kind, id, place) VALUES ($1, $2, $3) "
                    "ON CONFLICT (kind) DO UPDATE SET id = excluded.id, place = excluded.place",
                    SQL_ARGS(SQL_TEXTZ(kind), SQL_TEXTZ(is->id), SQL_TEXTZ(is->place)), NULL, err);
}

/* Records what is not as it was, unless somebody else has changed that meanwhile. */
static int record(const Pairing *self, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    Pair now[N_PAIR_KINDS];
    bool has_changed = false;
    for (size_t i = 0; i < N_PAIR_KINDS; i++)
        has_changed |= !is_same(self->was[i].id, self->is[i].id) ||
                       !is_same(self->was[i].place, self->is[i].place);
    if (!has_changed)
        return 0;
    if (sql_begin(self->options->sql, SQL_WRITE, &tx, err) < 0 ||
        read_pairs(tx, self->arena, now, err) < 0)
        return -1;
    for (size_t i = 0; i < N_PAIR_KINDS; i++) {
        if (!is_same(now[i].id, self->was[i].id)) {
            (void)error_set(err, ERR_CONFLICT,
                            "another server that starts with this database was quicker");
            return error_fix(err, "start this one again, and see what it says");
        }
        if (write_pair(tx, kind_names[i], &self->is[i], err) < 0)
            return -1;
    }
    return sql_commit(TAKE(tx), err);
}

/* ---- ids ---- */

static const char *new_id(Arena *arena)
{
    char id[ID_LENGTH + 1];
    random_id(id, ID_LENGTH);
    return arena_strdup(arena, id);
}

/* The id that an object holds. */
static int id_of(Arena *arena, const Buf *body, const char *place, const char **ret, Error *err)
{
    Str id = str_trim(buf_str(body));
    bool is_good = id.n == ID_LENGTH;
    for (size_t i = 0; i < id.n; i++)
        is_good &= (id.p[i] >= 'a' && id.p[i] <= 'z') || (id.p[i] >= '0' && id.p[i] <= '9');
    if (!is_good) {
        (void)error_set(err, ERR_BAD_DATA, "%s is not what hawk wrote there, which was an id",
                        place);
        return error_fix(err, "put it back from a backup");
    }
    *ret = arena_strndup(arena, id.p, id.n);
    return 0;
}

/* NULL when the store has none. */
static int find_store_id(Store *store, Arena *arena, const char **ret, Error *err)
{
    auto_error Error problem = ERROR_INIT;
    auto_buf Buf body = BUF_INIT(ID_FILE_MAX);
    *ret = NULL;
    if (store_get(store, PAIRING_STORE_KEY, &body, &problem) < 0)
        return problem.kind == ERR_NOT_FOUND ? 0 : error_move(err, &problem);
    auto_free char *place = store_location(store, PAIRING_STORE_KEY);
    return id_of(arena, &body, place, ret, err);
}

/* Gives a store an id; *ret is the one that it has then, which another server may have given. */
static int give_store_id(Store *store, Arena *arena, const char *id, const char **ret, Error *err)
{
    auto_error Error problem = ERROR_INIT;
    auto_free char *line = mem_printf("%s\n", id);
    *ret = id;
    if (store_put(store, PAIRING_STORE_KEY, str_of(line), true, &problem) == 0)
        return 0;
    return problem.kind == ERR_CONFLICT ? find_store_id(store, arena, ret, err)
                                        : error_move(err, &problem);
}

int pairing_folder_id(const char *data_dir, char **ret, Error *err)
{
    auto_arena Arena *arena = arena_new();
    auto_free char *path = fs_join(data_dir, "id");
    auto_buf Buf body = BUF_INIT(ID_FILE_MAX);
    if (!fs_exists(path)) {
        auto_free char *line = mem_printf("%s\n", new_id(arena));
        if (fs_write_file(path, str_of(line), 0600, err) < 0)
            return -1;
    }
    const char *id = NULL;
    if (fs_read_file(path, &body, err) < 0 || id_of(arena, &body, path, &id, err) < 0)
        return -1;
    *ret = mem_strdup(id);
    return 0;
}

/* ---- the store ---- */

/* Keys of some logs that the database knows, in the arena. */
static int known_logs(const Pairing *self, const char ***ret, size_t *ret_n, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    const char **keys = arena_array(self->arena, N_LOGS_LOOKED_AT, sizeof(*keys));
    size_t n = 0;
    int more = 0;
    if (sql_begin(self->options->sql, SQL_READ, &tx, err) < 0 ||
        sql_query_few(tx,
                      "SELECT log_key FROM import_queue WHERE mark <> '' ORDER BY random() "
                      "LIMIT $1",
                      SQL_ARGS(SQL_INT(N_LOGS_LOOKED_AT)), &rows, err) < 0)
        return -1;
    while (n < N_LOGS_LOOKED_AT && (more = sql_rows_next(rows, err)) > 0)
        keys[n++] = arena_str(self->arena, sql_rows_text(rows, 0)).p;
    if (more < 0)
        return -1;
    *ret = keys;
    *ret_n = n;
    return 0;
}

static int has_one_of(Store *store, const char *const *keys, size_t n, bool *ret, Error *err)
{
    *ret = false;
    for (size_t i = 0; i < n && !*ret; i++) {
        auto_error Error problem = ERROR_INIT;
        StoreStat stat;
        if (store_stat(store, keys[i], &stat, &problem) == 0)
            *ret = true;
        else if (problem.kind != ERR_NOT_FOUND)
            return error_move(err, &problem);
    }
    return 0;
}

/* What a store is to a database that does not have its id. */
typedef enum Kinship {
    KIN_NONE,
    KIN_NEW, /* nothing of the database is lost with it, or that is wanted */
    KIN_OWN, /* it is the database's own: has logs of it, or lost all that it had, this id too */
} Kinship;

static int kinship(const Pairing *self, Kinship *ret, Error *err)
{
    const PairingOptions *options = self->options;
    const char **keys = NULL;
    size_t n = 0;
    *ret = KIN_NEW;
    if (options->adopts)
        return 0;
    if (known_logs(self, &keys, &n, err) < 0)
        return -1;
    /* A database that has no logs yet may have a server that is about to write the first. */
    if (n == 0 && (!self->was[PAIR_STORE].id || options->owns_database))
        return 0;
    *ret = KIN_NONE;
    if (self->was[PAIR_STORE].id && self->is[PAIR_STORE].id)
        return 0;
    bool is_own = options->owns_database && options->owns_store;
    if (!is_own && has_one_of(options->store, keys, n, &is_own, err) < 0)
        return -1;
    *ret = is_own ? KIN_OWN : KIN_NONE;
    return 0;
}

static int refuse_store(const Pair *was, const Pair *is, Error *err)
{
    if (!was->id)
        (void)error_set(err, ERR_CONFLICT,
                        "this database knows logs, and none of them is in the store %s (id %s)",
                        is->place, is->id ? is->id : "none");
    else
        (void)error_set(err, ERR_CONFLICT,
                        "this database belongs to the store %s (id %s), not to %s (id %s)",
                        was->place, was->id, is->place, is->id ? is->id : "none");
    (void)error_code(err, "server.other_store");
    return error_fix(err, "use that store (--data or HAWK_API_S3_BUCKET_NAME), or another "
                          "database; a store that was moved brings its logs and " PAIRING_STORE_KEY
                          " along; to give the database to this store, and take out of it what "
                          "is not there, start once with --adopt-database");
}

static int check_store(Pairing *self, Error *err)
{
    Store *store = self->options->store;
    const Pair *was = &self->was[PAIR_STORE];
    Pair *is = &self->is[PAIR_STORE];
    Kinship kin = KIN_NONE;
    auto_free char *location = store_location(store, PAIRING_STORE_KEY);
    is->place =
        arena_strndup(self->arena, location, strlen(location) - strlen("/" PAIRING_STORE_KEY));
    if (find_store_id(store, self->arena, &is->id, err) < 0)
        return -1;
    if (is->id && is_same(was->id, is->id))
        return 0;
    if (kinship(self, &kin, err) < 0)
        return -1;
    if (kin == KIN_NONE)
        return refuse_store(was, is, err);
    if (is->id)
        return 0;
    /* Another store that the database had may be somewhere still: it keeps its id for itself. */
    const char *id = kin == KIN_OWN && was->id ? was->id : new_id(self->arena);
    return give_store_id(store, self->arena, id, &is->id, err);
}

/* ---- the identity provider ---- */

static int check_provider(Pairing *self, Error *err)
{
    const Pair *was = &self->was[PAIR_PROVIDER];
    if (self->options->issuer)
        self->is[PAIR_PROVIDER] = (Pair){self->options->issuer, ""};
    if (!was->id || self->options->issuer || self->options->is_single_user)
        return 0;
    (void)error_set(err, ERR_CONFLICT,
                    "this database was served with the identity provider %s, and now none is set: "
                    "whoever starts this server would see everything",
                    was->id);
    (void)error_code(err, "server.had_provider");
    return error_fix(err, "set HAWK_API_MODEL_ACCESS_TOKEN_ISSUER; if the database is to be one "
                          "person's from now on, start once with --single-user");
}

int pairing_check(const PairingOptions *options, Error *err)
{
    auto_arena Arena *arena = arena_new();
    Pairing self = {.options = options, .arena = arena};
    if (sql_migrate(options->sql, "pairing", migrations, ARRAY_LEN(migrations), err) < 0)
        return -1;
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(options->sql, SQL_READ, &tx, err) < 0 || read_pairs(tx, arena, self.was, err) < 0)
        return -1;
    sql_rollback(TAKE(tx));
    /* The store last: it is given its id once nothing else is in the way. */
    if (check_provider(&self, err) < 0 || check_store(&self, err) < 0)
        return -1;
    return record(&self, err);
}
