/* Claims: which rows a server applies, so that several on one database share the work and none is
   left behind by one that dies.

   Each claim has a name that counts for one trial, and a folder of that name from before it is made
   until its outcome is recorded. So the folders say which leases are to be renewed, and at a start
   what an earlier server of this data folder left. The row of a server that is silent for as long
   as a lease is anybody's. Clocks that disagree, or a server that was only slow, make two of them
   apply a row: the log changes once all the same, as edits_apply.c says. */

#include <dirent.h>
#include <errno.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "edits/edits_priv.h"

enum { LEASE_PARTS = 4 /* a lease is renewed so often before it ends */, FOLDERS_MAX = 1000 };

/* The names of the folders, each a claim. */
static int read_claims(const Edits *edits, Arena *arena, Str **ret, size_t *ret_n, Error *err)
{
    Str *names = arena_array(arena, FOLDERS_MAX, sizeof(*names));
    auto_dir DIR *dir = opendir(edits->folder);
    const struct dirent *entry = NULL;
    size_t n = 0;
    if (!dir && errno != ENOENT)
        return error_errno(err, errno, "cannot read %s", edits->folder);
    while (dir && n < FOLDERS_MAX && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            names[n++] = str_of(arena_strdup(arena, entry->d_name));
    *ret = names;
    *ret_n = n;
    return 0;
}

int edits_priv_take_up(Edits *edits, Error *err)
{
    auto_arena Arena *arena = arena_new();
    Str *claims = NULL;
    size_t n = 0;
    if (read_claims(edits, arena, &claims, &n, err) < 0 ||
        edits_priv_release(edits->options.sql, claims, n, err) < 0 ||
        fs_remove_tree(edits->folder, err) < 0)
        return -1;
    return fs_make_dirs(edits->folder, 0700, err);
}

static void renew(const Edits *edits)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Str *claims = NULL;
    size_t n = 0;
    if (read_claims(edits, arena, &claims, &n, &err) < 0 ||
        (n > 0 && edits_priv_renew(edits->options.sql, claims, n, &err) < 0))
        log_error("edit.unrenewed", KV("error", error_text(&err)));
}

void *edits_priv_keep(void *context)
{
    Edits *edits = context;
    int64_t every_ms = EDITS_LEASE_S * 1000 / LEASE_PARTS;
    int64_t due_ms = clock_monotonic_ms() + every_ms;
    while (edits_priv_wait(edits, atomic_load(&edits->wakes))) {
        if (clock_monotonic_ms() < due_ms)
            continue;
        renew(edits);
        due_ms = clock_monotonic_ms() + every_ms;
    }
    return NULL;
}
