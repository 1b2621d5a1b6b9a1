/* Figures of the series, and what they say in words. */

#include <math.h>

#include "base/mem.h"
#include "codec/percent.h"
#include "warehouse/compare/compare_priv.h"
#include "warehouse/compare/compare_stats.h"

/* Resamples for each figure; less for very many samples, of which fewer do. */
enum {
    ROUNDS_MAX = 10000,
    ROUNDS_MIN = 1000,
    DRAWS_MAX = 200000000,
    WORDS_MAX = 512,
    LINK_MAX = 8192
};

#define LEVEL 0.95
#define ALPHA 0.05

typedef enum Verdict { TOO_FEW, A_BETTER, B_BETTER, NOT_TOLD_APART } Verdict;

/* clang-format off */
static const char *const verdict_names[] = {
    [TOO_FEW] = "too_few", [A_BETTER] = "a_better", [B_BETTER] = "b_better",
    [NOT_TOLD_APART] = "not_distinguishable",
};
/* clang-format on */

typedef struct Figures {
    const CompareSeries *series;
    double means[N_SIDES];
    double difference;
    bool has_interval;
    double low;
    double high;
    size_t rounds;
    const char *test;
    double p_value;
    double p_adjusted;
    Verdict verdict;
} Figures;

static size_t rounds_for(size_t n)
{
    size_t rounds = n == 0 ? ROUNDS_MAX : DRAWS_MAX / n;
    return rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds < ROUNDS_MIN ? ROUNDS_MIN : rounds;
}

static CompareRandom random_for(const CompareSeries *series, const CompareQuery *query)
{
    auto_free char *name = mem_printf("%.*s\n%.*s\n%.*s", STR_ARG(series->match->lanes[0]->task),
                                      STR_ARG(series->scorer), STR_ARG(series->key));
    CompareRandom random;
    compare_random_init(&random, query->seed, str_of(name));
    return random;
}

/* McNemar's test takes pairs that know nothing of one another: epochs of one sample do. */
static void run_test(Figures *figures, const double *differences, CompareRandom *random)
{
    const CompareSeries *series = figures->series;
    if (series->is_binary && series->n_pairs == series->n_samples) {
        figures->test = "mcnemar_exact";
        figures->p_value = compare_stats_mcnemar(series->up.n, series->down.n);
        return;
    }
    bool is_exact = false;
    figures->p_value = compare_stats_permutation(differences, series->n_samples, figures->rounds,
                                                 random, &is_exact);
    figures->test = is_exact ? "permutation_exact" : "permutation";
}

static Verdict judge(const Figures *figures)
{
    if (!figures->has_interval)
        return TOO_FEW;
    if (figures->p_value >= ALPHA || (figures->low <= 0 && figures->high >= 0))
        return NOT_TOLD_APART;
    return figures->difference > 0 ? B_BETTER : A_BETTER;
}

static void work_out(Figures *figures, const CompareSeries *series, const CompareQuery *query)
{
    size_t n = series->n_samples;
    *figures = (Figures){.series = series,
                         .means = {(double)NAN, (double)NAN},
                         .difference = (double)NAN,
                         .rounds = rounds_for(n),
                         .test = "none",
                         .p_value = 1};
    if (n == 0)
        return;
    auto_free double *differences = mem_array(n, sizeof(*differences));
    for (size_t i = 0; i < n; i++)
        differences[i] = series->means[SIDE_B][i] - series->means[SIDE_A][i];
    for (int side = 0; side < N_SIDES; side++)
        figures->means[side] = compare_stats_mean(series->means[side], n);
    figures->difference = compare_stats_mean(differences, n);
    CompareRandom random = random_for(series, query);
    figures->has_interval = compare_stats_interval(differences, n, LEVEL, figures->rounds, &random,
                                                   &figures->low, &figures->high);
    run_test(figures, differences, &random);
    figures->verdict = judge(figures);
}

/* "B is better by 4.2 points (95 % interval 1.1 to 7.3)". Points are hundredths, for scores from 0
   to 1. */
static void add_words(const Figures *figures, Buf *ret)
{
    const CompareSeries *series = figures->series;
    double scale = series->is_unit ? 100 : 1;
    const char *unit = series->is_unit ? " points" : "";
    int places = series->is_unit ? 1 : 3;
    bool a_better = figures->verdict == A_BETTER;
    double sign = a_better ? -scale : scale;
    double low = sign * (a_better ? figures->high : figures->low);
    double high = sign * (a_better ? figures->low : figures->high);
    switch (figures->verdict) {
    case TOO_FEW:
        buf_addz(ret, series->n_pairs == 0 ? "no sample was scored on both sides"
                                           : "one sample is too few to tell them apart");
        return;
    case NOT_TOLD_APART:
        buf_addz(ret, "cannot be told apart: ");
        if (figures->difference == 0)
            buf_addz(ret, "the means are equal");
        else
            buf_printf(ret, "B is %.*f%s %s A", places, fabs(figures->difference * scale), unit,
                       figures->difference < 0 ? "below" : "above");
        break;
    case A_BETTER:
    case B_BETTER:
        buf_printf(ret, "%s is %s by %.*f%s", a_better ? "A" : "B",
                   series->is_unit ? "better" : "higher", places, sign * figures->difference, unit);
        break;
    }
    buf_printf(ret, " (95 %% interval %.*f to %.*f)", places, low, places, high);
}

/* --- JSON --- */

static void write_link(const char *key, const CompareQuery *query, Str uuid, JsonOut *out)
{
    auto_buf Buf link = BUF_INIT(LINK_MAX);
    if (!query->link.p)
        return;
    buf_add_str(&link, query->link);
    percent_encode(&link, uuid, "");
    json_out_kv_str(out, key, buf_str(&link));
}

static void write_flips(const char *key, const CompareFlips *flips, const CompareQuery *query,
                        JsonOut *out)
{
    json_out_kv_array(out, key);
    for (const CompareFlip *flip = flips->first; flip; flip = flip->next) {
        json_out_object(out);
        json_out_kv_str(out, "id", flip->id);
        json_out_kv_int(out, "epoch", flip->epoch);
        json_out_key(out, STR("value_a"));
        json_out_raw(out, flip->values[SIDE_A]);
        json_out_key(out, STR("value_b"));
        json_out_raw(out, flip->values[SIDE_B]);
        json_out_kv_str(out, "uuid_a", flip->uuids[SIDE_A]);
        json_out_kv_str(out, "uuid_b", flip->uuids[SIDE_B]);
        write_link("link_a", query, flip->uuids[SIDE_A], out);
        write_link("link_b", query, flip->uuids[SIDE_B], out);
        json_out_end_object(out);
    }
    json_out_end_array(out);
}

static void write_counts(const CompareSeries *series, JsonOut *out)
{
    json_out_kv_int(out, "n_samples", (int64_t)series->n_samples);
    json_out_kv_int(out, "n_pairs", (int64_t)series->n_pairs);
    json_out_kv_int(out, "n_unpaired_a", (int64_t)series->n_unpaired[SIDE_A]);
    json_out_kv_int(out, "n_unpaired_b", (int64_t)series->n_unpaired[SIDE_B]);
    json_out_kv_int(out, "n_not_numbers", (int64_t)series->n_unusable);
}

static void write_figures(const Figures *figures, JsonOut *out)
{
    json_out_kv_real(out, "mean_a", figures->means[SIDE_A]);
    json_out_kv_real(out, "mean_b", figures->means[SIDE_B]);
    json_out_kv_real(out, "difference", figures->difference);
    if (!figures->has_interval) {
        json_out_kv_null(out, "interval");
        json_out_kv_null(out, "resamples");
    } else {
        json_out_kv_array(out, "interval");
        json_out_real(out, figures->low);
        json_out_real(out, figures->high);
        json_out_end_array(out);
        json_out_kv_int(out, "resamples", (int64_t)figures->rounds);
    }
    json_out_kvz(out, "test", figures->test);
    json_out_kv_real(out, "p_value", figures->p_value);
    json_out_kv_real(out, "p_adjusted", figures->p_adjusted);
}

static void write_one(const Figures *figures, const CompareQuery *query, JsonOut *out)
{
    const CompareSeries *series = figures->series;
    const CompareLane *const *lanes = series->match->lanes;
    auto_buf Buf words = BUF_INIT(WORDS_MAX);
    add_words(figures, &words);
    json_out_object(out);
    json_out_kv_str(out, "task", lanes[SIDE_A]->task);
    json_out_kv_str(out, "model_a", lanes[SIDE_A]->traits[TRAIT_MODEL]);
    json_out_kv_str(out, "model_b", lanes[SIDE_B]->traits[TRAIT_MODEL]);
    json_out_kv_str(out, "agent_a", lanes[SIDE_A]->traits[TRAIT_AGENT]);
    json_out_kv_str(out, "agent_b", lanes[SIDE_B]->traits[TRAIT_AGENT]);
    json_out_kv_str(out, "scorer", series->scorer);
    json_out_kv_str(out, "key", series->key);
    write_counts(series, out);
    write_figures(figures, out);
    json_out_kvz(out, "verdict", verdict_names[figures->verdict]);
    json_out_kv_str(out, "words", buf_str(&words));
    json_out_kv_int(out, "n_up", (int64_t)series->up.n);
    json_out_kv_int(out, "n_down", (int64_t)series->down.n);
    write_flips("up", &series->up, query, out);
    write_flips("down", &series->down, query, out);
    json_out_end_object(out);
}

/* Only comparisons that were tested count against one another. */
static void adjust(Figures *figures, size_t n)
{
    auto_free double *p_values = mem_array(n + 1, sizeof(*p_values));
    size_t n_tested = 0;
    for (size_t i = 0; i < n; i++)
        if (figures[i].has_interval)
            p_values[n_tested++] = figures[i].p_value;
    compare_stats_holm(p_values, n_tested);
    n_tested = 0;
    for (size_t i = 0; i < n; i++)
        figures[i].p_adjusted = figures[i].has_interval ? p_values[n_tested++] : 1;
}

void compare_write_series(const CompareSeries *first, const CompareQuery *query, JsonOut *out)
{
    size_t n = 0;
    for (const CompareSeries *series = first; series; series = series->next)
        n++;
    auto_free Figures *figures = mem_array(n + 1, sizeof(*figures));
    size_t i = 0;
    for (const CompareSeries *series = first; series; series = series->next)
        work_out(&figures[i++], series, query);
    adjust(figures, n);
    json_out_kv_array(out, "comparisons");
    for (i = 0; i < n; i++)
        write_one(&figures[i], query, out);
    json_out_end_array(out);
}
