/* The single user: token, one-time codes, sessions. */
#include "cmocka_all.h"

#include <sys/stat.h>
#include <unistd.h>

#include "access/identity.h"
#include "access/session.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/hawk-identity-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    return fs_remove_tree(folder, &err);
}

static Identity *open_identity(void)
{
    auto_error Error err = ERROR_INIT;
    Identity *identity = NULL;
    assert_int_equal(identity_token_open(folder, &identity, &err), 0);
    return identity;
}

static int check(Identity *identity, Str header, Str cookie, Caller *ret)
{
    auto_error Error err = ERROR_INIT;
    auto_arena Arena *arena = arena_new();
    const IdentityProof proof = {.authorization = header, .cookie = cookie};
    int done = identity_check(identity, arena, &proof, ret, &err);
    assert_int_equal(done < 0 ? ERR_LOGIN : ERR_NONE, err.kind);
    return done;
}

static char *token_header(const char *scheme)
{
    auto_error Error err = ERROR_INIT;
    auto_secret Secret *token = NULL;
    assert_int_equal(identity_read_token(folder, &token, &err), 0);
    return mem_printf("%s %.*s", scheme, STR_ARG(secret_reveal(token)));
}

static void the_token_of_the_file_lets_in_and_nothing_else_does(void **state)
{
    (void)state;
    auto_identity Identity *identity = open_identity();
    auto_free char *header = token_header("bearer");
    Caller caller = {0};
    assert_int_equal(check(identity, str_of(header), STR_NONE, &caller), 0);
    assert_true(caller.is_admin && caller.sees_all && !caller.by_cookie);
    auto_free char *wrong = mem_printf("%sx", header);
    auto_free char *basic = token_header("Basic");
    assert_int_equal(check(identity, str_of(wrong), STR_NONE, &caller), -1);
    assert_int_equal(check(identity, str_of(basic), STR_NONE, &caller), -1);
    assert_int_equal(check(identity, STR("Bearer "), STR_NONE, &caller), -1);
    assert_int_equal(check(identity, STR(""), STR_NONE, &caller), -1);
    assert_int_equal(check(identity, STR_NONE, STR_NONE, &caller), -1);
    assert_int_equal(check(identity, STR_NONE, STR(""), &caller), -1);
}

static void the_token_outlives_a_restart_and_is_readable_by_its_owner_only(void **state)
{
    (void)state;
    identity_close(open_identity());
    auto_free char *first = token_header("Bearer");
    identity_close(open_identity());
    auto_free char *second = token_header("Bearer");
    assert_string_equal(first, second);
    auto_free char *path = fs_join(folder, "token");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_token_file_that_others_can_read_is_refused(void **state)
{
    (void)state;
    identity_close(open_identity());
    auto_free char *path = fs_join(folder, "token");
    assert_int_equal(chmod(path, 0644), 0);
    auto_error Error err = ERROR_INIT;
    Identity *identity = NULL;
    assert_int_equal(identity_token_open(folder, &identity, &err), -1);
    assert_int_equal(err.kind, ERR_DENIED);
    assert_int_equal(chmod(path, 0600), 0);
}

static void log_in(Identity *identity, char cookie[IDENTITY_COOKIE_MAX])
{
    auto_error Error err = ERROR_INIT;
    char code[IDENTITY_CODE_MAX];
    auto_free char *header = token_header("Bearer");
    Caller caller = {0};
    auto_arena Arena *arena = arena_new();
    const IdentityProof proof = {.authorization = str_of(header)};
    assert_int_equal(identity_check(identity, arena, &proof, &caller, &err), 0);
    assert_int_equal(identity_mint(identity, &caller, code, &err), 0);
    assert_int_equal(identity_redeem(identity, str_of(code), cookie, &err), 0);
    char again[IDENTITY_COOKIE_MAX];
    assert_int_equal(identity_redeem(identity, str_of(code), again, &err), -1);
    assert_int_equal(err.kind, ERR_LOGIN);
}

static void a_code_lets_one_browser_in_once(void **state)
{
    (void)state;
    auto_identity Identity *identity = open_identity();
    char cookie[IDENTITY_COOKIE_MAX];
    log_in(identity, cookie);
    Caller caller = {0};
    assert_int_equal(check(identity, STR_NONE, str_of(cookie), &caller), 0);
    assert_true(caller.by_cookie);
    assert_true(caller.expires_us > clock_now_us());
}

static void a_wrong_header_is_not_saved_by_a_right_cookie(void **state)
{
    (void)state;
    auto_identity Identity *identity = open_identity();
    char cookie[IDENTITY_COOKIE_MAX];
    log_in(identity, cookie);
    Caller caller = {0};
    assert_int_equal(check(identity, STR("Bearer wrong"), str_of(cookie), &caller), -1);
}

static void a_session_outlives_a_restart_and_its_cookie_is_in_no_file(void **state)
{
    (void)state;
    char cookie[IDENTITY_COOKIE_MAX];
    Identity *first = open_identity();
    log_in(first, cookie);
    identity_close(first);
    auto_identity Identity *second = open_identity();
    Caller caller = {0};
    assert_int_equal(check(second, STR_NONE, str_of(cookie), &caller), 0);
    auto_free char *path = fs_join(folder, "sessions.json");
    auto_buf Buf text = BUF_INIT(64 * 1024);
    auto_error Error err = ERROR_INIT;
    assert_int_equal(fs_read_file(path, &text, &err), 0);
    assert_int_equal(str_find_str(buf_str(&text), str_of(cookie)), -1);
}

static void logging_out_ends_the_session(void **state)
{
    (void)state;
    auto_identity Identity *identity = open_identity();
    char cookie[IDENTITY_COOKIE_MAX];
    log_in(identity, cookie);
    auto_error Error err = ERROR_INIT;
    assert_int_equal(identity_forget(identity, str_of(cookie), &err), 0);
    Caller caller = {0};
    assert_int_equal(check(identity, STR_NONE, str_of(cookie), &caller), -1);
    assert_int_equal(identity_forget(identity, STR("unknown"), &err), 0);
}

static void a_code_and_a_session_end_when_their_time_is_over(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_free char *path = fs_join(folder, "s.json");
    auto_sessions Sessions *sessions = NULL;
    assert_int_equal(sessions_open(path, &sessions, &err), 0);
    char code[IDENTITY_CODE_MAX];
    char cookie[IDENTITY_COOKIE_MAX];
    const int64_t start = INT64_C(1700000000) * CLOCK_SECOND;
    int64_t at = start;
    sessions_mint(sessions, "ann", at, code);
    at += IDENTITY_CODE_SECONDS * CLOCK_SECOND;
    assert_int_equal(sessions_redeem(sessions, str_of(code), at, cookie, &err), -1);
    error_reset(&err);
    sessions_mint(sessions, "ann", at, code);
    assert_int_equal(sessions_redeem(sessions, str_of(code), at, cookie, &err), 0);
    int64_t ends = 0;
    assert_true(sessions_find(sessions, str_of(cookie), "ann", at, &ends));
    assert_false(sessions_find(sessions, str_of(cookie), "bob", at, &ends));
    assert_true(sessions_find(sessions, str_of(cookie), "ann", ends - 1, &ends));
    assert_false(sessions_find(sessions, str_of(cookie), "ann", ends, &ends));
}

static void only_so_many_sessions_are_kept(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_free char *path = fs_join(folder, "many.json");
    auto_sessions Sessions *sessions = NULL;
    assert_int_equal(sessions_open(path, &sessions, &err), 0);
    char first[IDENTITY_COOKIE_MAX] = "";
    char last[IDENTITY_COOKIE_MAX] = "";
    const int64_t at = INT64_C(1700000000) * CLOCK_SECOND;
    for (int i = 0; i <= SESSIONS_MAX; i++) {
        char code[IDENTITY_CODE_MAX];
        sessions_mint(sessions, "ann", at, code);
        assert_int_equal(sessions_redeem(sessions, str_of(code), at, i ? last : first, &err), 0);
    }
    int64_t ends = 0;
    assert_false(sessions_find(sessions, str_of(first), "ann", at, &ends));
    assert_true(sessions_find(sessions, str_of(last), "ann", at, &ends));
}

static void the_cookie_is_for_this_site_and_no_script(void **state)
{
    (void)state;
    auto_buf Buf header = BUF_INIT(1000);
    identity_set_cookie(&header, "abc");
    assert_true(str_starts(buf_str(&header), STR(IDENTITY_COOKIE "=abc; Path=/; Max-Age=")));
    assert_true(str_find_str(buf_str(&header), STR("HttpOnly; SameSite=Strict")) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_token_of_the_file_lets_in_and_nothing_else_does),
        cmocka_unit_test(the_token_outlives_a_restart_and_is_readable_by_its_owner_only),
        cmocka_unit_test(a_token_file_that_others_can_read_is_refused),
        cmocka_unit_test(a_code_lets_one_browser_in_once),
        cmocka_unit_test(a_wrong_header_is_not_saved_by_a_right_cookie),
        cmocka_unit_test(a_session_outlives_a_restart_and_its_cookie_is_in_no_file),
        cmocka_unit_test(logging_out_ends_the_session),
        cmocka_unit_test(a_code_and_a_session_end_when_their_time_is_over),
        cmocka_unit_test(only_so_many_sessions_are_kept),
        cmocka_unit_test(the_cookie_is_for_this_site_and_no_script),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
