/* The statistics of comparisons: goldens of scipy 1.17 (binomtest, permutation_test, t.ppf), and
   the coverage of the interval by simulation. */
#include "cmocka_all.h"

#include <math.h>

#include "warehouse/compare/compare_stats.h"

#define NEAR 1e-9

static void assert_near(double found, double wanted)
{
    if (!(fabs(found - wanted) <= NEAR * fmax(1, fabs(wanted))))
        fail_msg("%.17g is not %.17g", found, wanted);
}

static void values_are_numbers_as_inspects_metrics_see_them(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        double number;
    } rows[] = {
        {"\"C\"", 1},    {"\"I\"", 0},     {"\"P\"", 0.5},   {"\"N\"", 0},   {"true", 1},
        {"false", 0},    {"0.25", 0.25},   {"-3", -3},       {"\"yes\"", 1}, {"\"No\"", 0},
        {"\"TRUE\"", 1}, {"\"false\"", 0}, {"\"4.5\"", 4.5}, {"\" 7 \"", 7}, {"\"\\u0043\"", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        double number = NAN;
        if (!compare_stats_number(str_of(rows[i].json), &number))
            fail_msg("%s is no number", rows[i].json);
        assert_near(number, rows[i].number);
    }
}

static void what_is_no_number_is_not_made_one(void **state)
{
    (void)state;
    static const char *const rows[] = {"null", "[1]",     "{\"a\":1}", "\"c\"", "\"maybe\"",
                                       "NaN",  "\"inf\"", "\"\"",      "1e999", "Infinity"};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        double number = 0;
        if (compare_stats_number(str_of(rows[i]), &number))
            fail_msg("%s was taken for %g", rows[i], number);
    }
}

static void mcnemar_agrees_with_the_binomial_test(void **state)
{
    (void)state;
    static const struct {
        size_t up;
        size_t down;
        double p;
    } rows[] = {
        {0, 0, 1},
        {1, 0, 1},
        {5, 0, 0.0625},
        {1, 9, 0.021484375},
        {3, 7, 0.34375},
        {12, 12, 1},
        {30, 11, 0.00432400493446039},
        {250, 180, 0.0008559705446208579},
        {5000, 4800, 0.04440414879984631},
        {100000, 99000, 0.025127217688360817},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_near(compare_stats_mcnemar(rows[i].up, rows[i].down), rows[i].p);
        assert_near(compare_stats_mcnemar(rows[i].down, rows[i].up), rows[i].p);
    }
}

static const double ten[] = {0.5, -0.25, 1, 0, 0.75, -1, 0.3, 0.2, 0.9, -0.1};

static void few_differences_are_permuted_in_all_ways(void **state)
{
    (void)state;
    CompareRandom random;
    bool is_exact = false;
    static const double four[] = {0.1, 0.2, 0.3, 0.4};
    compare_random_init(&random, 1, STR("x"));
    assert_near(compare_stats_permutation(ten, ARRAY_LEN(ten), 100, &random, &is_exact), 0.2734375);
    assert_true(is_exact);
    assert_near(compare_stats_permutation(four, ARRAY_LEN(four), 100, &random, &is_exact), 0.125);
    assert_near(compare_stats_permutation(four, 0, 100, &random, &is_exact), 1);
}

static void permuting_zeros_and_ones_is_mcnemars_test(void **state)
{
    (void)state;
    CompareRandom random;
    bool is_exact = false;
    double values[20] = {0};
    for (size_t i = 0; i < 12; i++)
        values[i] = i < 9 ? 1 : -1;
    compare_random_init(&random, 1, STR("x"));
    assert_near(compare_stats_permutation(values, ARRAY_LEN(values), 100, &random, &is_exact),
                compare_stats_mcnemar(9, 3));
}

static void many_differences_are_permuted_at_random_near_the_exact_value(void **state)
{
    (void)state;
    CompareRandom random;
    bool is_exact = true;
    double values[60];
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        values[i] = i < 39 ? 1 : -1;
    compare_random_init(&random, 7, STR("x"));
    double p = compare_stats_permutation(values, ARRAY_LEN(values), 10000, &random, &is_exact);
    assert_false(is_exact);
    assert_true(fabs(p - compare_stats_mcnemar(39, 21)) < 0.01);
}

static void quantiles_of_t_agree_with_scipy(void **state)
{
    (void)state;
    static const struct {
        double p;
        size_t df;
        double t;
    } rows[] = {
        {0.975, 1, 12.706204736174694},    {0.975, 2, 4.302652729749462},
        {0.975, 3, 3.1824463052837078},    {0.975, 9, 2.262157162798205},
        {0.95, 10, 1.8124611228116756},    {0.975, 100, 1.9839715185235518},
        {0.975, 1999, 1.9611514201705613}, {0.975, 5000, 1.9604385517065073},
        {0.995, 29, 2.756385903670605},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_near(compare_stats_t_quantile(rows[i].p, rows[i].df), rows[i].t);
}

static void means_lose_nothing_to_large_neighbours(void **state)
{
    (void)state;
    static const double values[] = {1e16, 1, -1e16, 1};
    assert_near(compare_stats_mean(values, ARRAY_LEN(values)), 0.5);
    assert_near(compare_stats_mean(ten, ARRAY_LEN(ten)), 0.23);
    assert_near(compare_stats_mean(ten, 0), 0);
}

static void holm_adjusts_as_published(void **state)
{
    (void)state;
    double p[] = {0.01, 0.04, 0.03, 0.005, 0.5, 0.04};
    static const double wanted[] = {0.05, 0.12, 0.12, 0.03, 0.5, 0.12};
    compare_stats_holm(p, ARRAY_LEN(p));
    for (size_t i = 0; i < ARRAY_LEN(p); i++)
        assert_near(p[i], wanted[i]);
}

static void the_same_seed_and_name_give_the_same_interval(void **state)
{
    (void)state;
    double low[3];
    double high[3];
    for (size_t i = 0; i < 3; i++) {
        CompareRandom random;
        compare_random_init(&random, i == 2 ? 8 : 7, STR("task\nscorer"));
        assert_true(
            compare_stats_interval(ten, ARRAY_LEN(ten), 0.95, 2000, &random, &low[i], &high[i]));
    }
    assert_true(low[0] == low[1] && high[0] == high[1]);
    assert_true(low[0] != low[2] || high[0] != high[2]);
}

static void one_difference_has_no_interval(void **state)
{
    (void)state;
    CompareRandom random;
    double low = 0;
    double high = 0;
    compare_random_init(&random, 1, STR(""));
    assert_false(compare_stats_interval(ten, 1, 0.95, 1000, &random, &low, &high));
}

typedef double Draw(CompareRandom *random);

static double uniform(CompareRandom *random)
{
    return (double)(compare_random_bits(random) >> 11) * 0x1p-53;
}

/* Right or wrong on both sides: 0.25 better, 0.15 worse; the mean is 0.1. */
static double draw_binary(CompareRandom *random)
{
    double u = uniform(random);
    return u < 0.25 ? 1 : u < 0.4 ? -1 : 0;
}

/* The mean over four epochs of a sample that has a leaning of its own; the mean is 0.1. */
static double draw_epochs(CompareRandom *random)
{
    double leaning = uniform(random) * 0.8 - 0.4;
    double sum = 0;
    for (int epoch = 0; epoch < 4; epoch++)
        sum += (uniform(random) < 0.55 + leaning / 2) - (uniform(random) < 0.45 - leaning / 2);
    return sum / 4;
}

/* Skewed to the right; the mean is 1. */
static double draw_skewed(CompareRandom *random)
{
    return -log(1 - uniform(random));
}

static double coverage(Draw *draw, double truth, size_t n)
{
    enum { TRIALS = 600, ROUNDS = 600, N_MAX = 100 };
    CompareRandom data;
    size_t n_inside = 0;
    double values[N_MAX];
    compare_random_init(&data, 20240501, STR("data"));
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        for (size_t i = 0; i < n; i++)
            values[i] = draw(&data);
        CompareRandom random;
        double low = 0;
        double high = 0;
        compare_random_init(&random, trial, STR("bootstrap"));
        assert_true(compare_stats_interval(values, n, 0.95, ROUNDS, &random, &low, &high));
        n_inside += low <= truth && truth <= high;
    }
    return (double)n_inside / TRIALS;
}

/* 600 trials of a coverage of 0.95 lie within 0.925 and 0.975 in 99.5 of 100 cases. */
static void the_interval_covers_the_truth_of_single_scores(void **state)
{
    (void)state;
    double found = coverage(draw_binary, 0.1, 40);
    if (found < 0.925 || found > 0.975)
        fail_msg("coverage is %g", found);
}

static void the_interval_covers_the_truth_of_samples_with_epochs(void **state)
{
    (void)state;
    double found = coverage(draw_epochs, 0.1, 20);
    if (found < 0.925 || found > 0.975)
        fail_msg("coverage is %g", found);
}

/* Twelve values of an exponential distribution: no interval of this kind is exact there. */
static void the_interval_of_few_skewed_scores_is_not_far_off(void **state)
{
    (void)state;
    double found = coverage(draw_skewed, 1, 12);
    if (found < 0.88 || found > 0.975)
        fail_msg("coverage is %g", found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_numbers_as_inspects_metrics_see_them),
        cmocka_unit_test(what_is_no_number_is_not_made_one),
        cmocka_unit_test(mcnemar_agrees_with_the_binomial_test),
        cmocka_unit_test(few_differences_are_permuted_in_all_ways),
        cmocka_unit_test(permuting_zeros_and_ones_is_mcnemars_test),
        cmocka_unit_test(many_differences_are_permuted_at_random_near_the_exact_value),
        cmocka_unit_test(quantiles_of_t_agree_with_scipy),
        cmocka_unit_test(means_lose_nothing_to_large_neighbours),
        cmocka_unit_test(holm_adjusts_as_published),
        cmocka_unit_test(the_same_seed_and_name_give_the_same_interval),
        cmocka_unit_test(one_difference_has_no_interval),
        cmocka_unit_test(the_interval_covers_the_truth_of_single_scores),
        cmocka_unit_test(the_interval_covers_the_truth_of_samples_with_epochs),
        cmocka_unit_test(the_interval_of_few_skewed_scores_is_not_far_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
