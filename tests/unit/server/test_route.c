/* Finding routes: parameters, encoded slashes, methods. */
#include "cmocka_all.h"

#include "server/route.h"

static int never(RouteCtx *ctx, Error *err)
{
    (void)ctx;
    (void)err;
    return 0;
}

/* clang-format off */
static const Route rows[] = {
    { "GET",    "/",                 ROUTE_OPEN,   never, "root" },
    { "GET",    "/logs",             ROUTE_OPEN,   never, "list" },
    { "GET",    "/logs/{log*}",      ROUTE_OPEN,   never, "log" },
    { "GET",    "/a/{x}/b/{y}",      ROUTE_OPEN,   never, "two" },
    { "DELETE", "/a/{x}",            ROUTE_CHANGE, never, "delete" },
};
/* clang-format on */
static const RouteTable table = {rows, ARRAY_LEN(rows)};
static const RouteTable *const tables[] = {&table};

static const char *find(Arena *arena, const char *method, const char *path,
                        Str params[ROUTE_PARAMS_MAX])
{
    auto_error Error err = ERROR_INIT;
    const Route *route = NULL;
    if (route_find(tables, 1, str_of(method), str_of(path), arena, &route, params, &err) < 0)
        return err.code ? arena_strdup(arena, err.code) : error_kind_name(err.kind);
    return route->summary;
}

static void parameters_are_decoded_after_the_path_is_split(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    Str params[ROUTE_PARAMS_MAX];
    assert_string_equal(find(arena, "GET", "/a/p%2Fq/b/r%20s", params), "two");
    assert_true(str_eqz(params[0], "p/q"));
    assert_true(str_eqz(params[1], "r s"));
}

static void the_rest_of_a_path_may_be_one_encoded_segment_or_several(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    Str params[ROUTE_PARAMS_MAX];
    assert_string_equal(find(arena, "GET", "/logs/set%2Fx.eval", params), "log");
    assert_true(str_eqz(params[0], "set/x.eval"));
    assert_string_equal(find(arena, "GET", "/logs/set/x.eval", params), "log");
    assert_true(str_eqz(params[0], "set/x.eval"));
    assert_string_equal(find(arena, "GET", "/logs", params), "list");
}

static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    Str params[ROUTE_PARAMS_MAX];
    const char *paths[] = {"",       "/x",         "/logs/", "/a//b/c",
                           "/a/x/b", "/a/x/b/y/z", "//",     "/a/%zz/b/c"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        assert_string_equal(find(arena, "GET", paths[i], params), "not_found");
}

static void another_method_is_told_from_another_path(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    Str params[ROUTE_PARAMS_MAX];
    assert_string_equal(find(arena, "POST", "/logs", params), "method_not_allowed");
    assert_string_equal(find(arena, "DELETE", "/a/x", params), "delete");
    assert_string_equal(find(arena, "HEAD", "/logs", params), "list");
    assert_string_equal(find(arena, "HEAD", "/a/x", params), "method_not_allowed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_decoded_after_the_path_is_split),
        cmocka_unit_test(the_rest_of_a_path_may_be_one_encoded_segment_or_several),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(another_method_is_told_from_another_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
