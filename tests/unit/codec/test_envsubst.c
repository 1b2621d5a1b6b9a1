/* Variables in texts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "codec/envsubst.h"

enum { OUT_MAX = 4 << 20, MANY = 200000 };

static bool lookup(void *context, Str name, Str *ret_value)
{
    (void)context;
    if (str_eqz(name, "A"))
        *ret_value = STR("val$B");
    else if (str_eqz(name, "EMPTY"))
        *ret_value = STR("");
    else
        return false;
    return true;
}

typedef struct Golden {
    const char *text;
    const char *result;
} Golden;

/* clang-format off */
static const Golden goldens[] = {
    { "", "" }, { "plain", "plain" }, { "$", "$" }, { "a$", "a$" }, { "$$", "$" }, { "$$A", "$A" }, { "$$$A", "$val$B" },
    { "$A", "val$B" }, { "${A}", "val$B" }, { "x$A.y", "xval$B.y" }, { "$A$A", "val$Bval$B" }, { "$AB", "$AB" },
    { "$B", "$B" }, { "${B}", "${B}" }, { "$EMPTY|${EMPTY}", "|" },
    { "${B-d}", "d" }, { "${B:-d}", "d" }, { "${EMPTY-d}", "" }, { "${EMPTY:-d}", "d" }, { "${A-d}${A:-d}", "val$Bval$B" },
    { "${B-}", "" }, { "${B:-}", "" }, { "${B:-a$A}", "a$A" }, { "${B:-${A}}", "${A}" }, { "${B-a b:-{c}", "a b:-{c" },
    { "${B-x\ny}", "x\ny" },
    { "$1", "$1" }, { "${1A}", "${1A}" }, { "${}", "${}" }, { "${A", "${A" }, { "${B-d", "${B-d" }, { "${A:d}", "${A:d}" },
    { "${A:}", "${A:}" }, { "${A?x}", "${A?x}" }, { "${ A}", "${ A}" }, { "${$A}", "${val$B}" }, { "$ A", "$ A" },
    { "${", "${" }, { "$\xC3\xA9", "$\xC3\xA9" }, { "}$A}", "}val$B}" }, { "}${A", "}${A" },
};
/* clang-format on */

static void variables_are_replaced_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(goldens); i++) {
        auto_buf Buf buf = BUF_INIT(OUT_MAX);
        envsubst_expand(str_of(goldens[i].text), lookup, NULL, &buf);
        if (strcmp(buf.data, goldens[i].result) != 0)
            fail_msg("%s became %s", goldens[i].text, buf.data);
    }
}

static void open_braces_do_not_take_forever(void **state)
{
    (void)state;
    auto_buf Buf text = BUF_INIT(OUT_MAX);
    for (int i = 0; i < MANY; i++)
        buf_addz(&text, "${B-");
    auto_buf Buf buf = BUF_INIT(OUT_MAX);
    envsubst_expand(buf_str(&text), lookup, NULL, &buf);
    assert_true(str_eq(buf_str(&buf), buf_str(&text)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_are_replaced_once),
        cmocka_unit_test(open_braces_do_not_take_forever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
