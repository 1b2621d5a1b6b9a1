/* Packs: rows come out as they went in, also of memory that held others before. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "warehouse/rows/pack.h"
#include "warehouse/rows/rows_columns.h"

static void add_model(Pack *pack, const char *model)
{
    SqlValue values[ROWS_COLUMNS_MAX] = {0};
    values[SAMPLE_MODEL_MODEL] = SQL_TEXTZ(model);
    pack_add(pack, ROWS_SAMPLE_MODEL, values);
}

static void expect_models(const Pack *pack, const char *const *models, size_t n)
{
    SqlValue values[ROWS_COLUMNS_MAX];
    RowsTable table = N_ROWS_TABLES;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(pack_next(pack, &at, &table, values));
        assert_int_equal(table, ROWS_SAMPLE_MODEL);
        assert_true(str_eqz(values[SAMPLE_MODEL_MODEL].text, models[i]));
        assert_int_equal(values[ROWS_PK].type, SQL_TYPE_NULL);
    }
    assert_false(pack_next(pack, &at, &table, values));
}

static void rows_come_out_in_their_order(void **state)
{
    (void)state;
    auto_pack Pack *pack = pack_new(3);
    add_model(pack, "one");
    add_model(pack, "two");
    expect_models(pack, (const char *const[]){"one", "two"}, 2);
}

static void a_pack_that_is_emptied_has_only_what_comes_after(void **state)
{
    (void)state;
    auto_pack Pack *pack = pack_new(3);
    add_model(pack, "a longer name");
    pack->is_first = true;
    pack->is_failed = true;
    (void)error_set(&pack->problem, ERR_BAD_DATA, "broken");
    pack_reset(pack, 4);
    add_model(pack, "short");
    assert_int_equal(pack->sample, 4);
    assert_false(pack->is_first || pack->is_last || pack->is_failed);
    assert_int_equal(pack->problem.kind, ERR_NONE);
    expect_models(pack, (const char *const[]){"short"}, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_out_in_their_order),
        cmocka_unit_test(a_pack_that_is_emptied_has_only_what_comes_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
