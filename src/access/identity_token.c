/* The single user of an installation. Whoever can read the token file is that user, which is what
   the mode of the file says; so a file that others can read is refused rather than used. */

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/access.h"
#include "access/identity.h"
#include "access/session.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"

enum { TOKEN_BYTES = 32, TOKEN_TEXT_MIN = 20, TOKEN_TEXT_MAX = 512, PASSWD_MAX = 16 * 1024 };

typedef struct TokenIdentity {
    Identity face; /* first, so that a pointer to one is a pointer to the other */
    Secret *token;
    Sessions *sessions;
    char *user;
} TokenIdentity;

static const char *const local_groups[] = {ACCESS_GROUP_LOCAL};

/* The name of the user that this process runs as, or "local". */
static char *user_name(void)
{
    auto_free char *text = mem_alloc(PASSWD_MAX);
    struct passwd record;
    struct passwd *found = NULL;
    if (getpwuid_r(geteuid(), &record, text, PASSWD_MAX, &found) != 0 || !found || !*found->pw_name)
        return mem_strdup("local");
    return mem_strdup(found->pw_name);
}

static int check(Identity *identity, Arena *arena, const IdentityProof *proof, Caller *ret,
                 Error *err)
{
    const TokenIdentity *self = (const TokenIdentity *)identity;
    int64_t expires_us = 0;
    if (proof->authorization.p) {
        Str given = identity_bearer(proof->authorization);
        if (!given.p || !secret_eq(self->token, given))
            return error_set(err, ERR_LOGIN, "the access token is not the one of this server");
    } else if (!sessions_find(self->sessions, proof->cookie, self->user, clock_now_us(),
                              &expires_us)) {
        return error_set(err, ERR_LOGIN, "your session has ended, please log in again");
    }
    *ret = (Caller){
        .sub = arena_strdup(arena, self->user),
        .is_admin = true,
        .sees_all = true,
        .by_cookie = !proof->authorization.p,
        .groups = local_groups,
        .n_groups = ARRAY_LEN(local_groups),
        .expires_us = expires_us,
    };
    return 0;
}

static int mint(Identity *identity, const Caller *caller, char code[IDENTITY_CODE_MAX], Error *err)
{
    TokenIdentity *self = (TokenIdentity *)identity;
    if (access_allows(caller, ACCESS_LOGIN_MINT, NULL, err) < 0)
        return -1;
    sessions_mint(self->sessions, caller->sub, clock_now_us(), code);
    return 0;
}

static int redeem(Identity *identity, Str code, char cookie[IDENTITY_COOKIE_MAX], Error *err)
{
    TokenIdentity *self = (TokenIdentity *)identity;
    return sessions_redeem(self->sessions, code, clock_now_us(), cookie, err);
}

static int forget(Identity *identity, Str cookie, Error *err)
{
    TokenIdentity *self = (TokenIdentity *)identity;
    return sessions_forget(self->sessions, cookie, err);
}

static void close_token(Identity *identity)
{
    TokenIdentity *self = (TokenIdentity *)identity;
    secret_free(self->token);
    sessions_close(self->sessions);
    free(self->user);
    free(self);
}

static const Identity token_face = {
    .name = "token",
    .check = check,
    .mint = mint,
    .redeem = redeem,
    .forget = forget,
    .close = close_token,
};

static int check_mode(int fd, const char *path, Error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(err, errno, "cannot look at %s", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERR_DENIED, "%s is not a file", path);
    if (st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
        (void)error_set(err, ERR_DENIED, "%s can be read or written by others", path);
        return error_fix(err, "remove it, restart the server and use the new token");
    }
    return 0;
}

/* Reads the token through one descriptor, so that what was looked at is what is read. */
static int read_token(const char *path, Secret **ret, Error *err)
{
    auto_fd int fd = fs_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, err);
    if (fd < 0 || check_mode(fd, path, err) < 0)
        return -1;
    char text[TOKEN_TEXT_MAX + 1];
    ssize_t n = read(fd, text, sizeof(text));
    if (n < 0)
        return error_errno(err, errno, "cannot read %s", path);
    Str token = str_trim((Str){text, (size_t)n});
    int done = 0;
    if (token.n < TOKEN_TEXT_MIN || token.n > TOKEN_TEXT_MAX)
        done = error_set(err, ERR_BAD_DATA, "%s does not hold a token", path);
    else
        *ret = secret_new(token);
    mem_wipe(text, sizeof(text));
    return done;
}

static int make_token(const char *path, Secret **ret, Error *err)
{
    auto_secret Secret *token = secret_random(TOKEN_BYTES);
    if (fs_write_file(path, secret_reveal(token), 0600, err) < 0)
        return -1;
    *ret = TAKE(token);
    return 0;
}

static int open_token(const char *path, Secret **ret, Error *err)
{
    auto_error Error missing = ERROR_INIT;
    if (read_token(path, ret, &missing) == 0)
        return 0;
    if (missing.kind != ERR_NOT_FOUND)
        return error_move(err, &missing);
    return make_token(path, ret, err);
}

int identity_token_open(const char *data_dir, Identity **ret, Error *err)
{
    auto_free char *token_path = fs_join(data_dir, "token");
    auto_free char *sessions_path = fs_join(data_dir, "sessions.json");
    TokenIdentity *self = mem_alloc(sizeof(*self));
    self->face = token_face;
    auto_identity Identity *owner = &self->face;
    self->user = user_name();
    if (fs_make_dirs(data_dir, 0700, err) < 0 || open_token(token_path, &self->token, err) < 0 ||
        sessions_open(sessions_path, &self->sessions, err) < 0)
        return -1;
    *ret = TAKE(owner);
    return 0;
}

int identity_read_token(const char *data_dir, Secret **ret, Error *err)
{
    auto_free char *path = fs_join(data_dir, "token");
    auto_error Error reading = ERROR_INIT;
    if (read_token(path, ret, &reading) == 0)
        return 0;
    if (reading.kind != ERR_NOT_FOUND)
        return error_move(err, &reading);
    return error_set(err, ERR_LOGIN, "there is no token in %s: no server was started there",
                     data_dir);
}
