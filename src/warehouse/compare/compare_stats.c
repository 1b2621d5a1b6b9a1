/* Statistics of paired differences: see compare_stats.h. */

#include "warehouse/compare/compare_stats.h"

#include <math.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "codec/json_scan.h"

enum { NUMBER_TEXT_MAX = 64, BISECTIONS = 200 };

/* Two sums of the same differences in another order are equal, up to this part of their size. */
#define SUM_TOLERANCE 1e-12

/* --- random numbers --- */

/* SplitMix64, by which xoshiro's authors fill its state. */
static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void compare_random_init(CompareRandom *random, uint64_t seed, Str name)
{
    uint64_t state = seed ^ UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < name.n; i++)
        state = (state ^ (unsigned char)name.p[i]) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < ARRAY_LEN(random->state); i++)
        random->state[i] = splitmix(&state);
}

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t compare_random_bits(CompareRandom *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

/* Lemire's multiplication with rejection; n is far below 2^32, so 32 bits do. */
size_t compare_random_below(CompareRandom *random, size_t n)
{
    uint32_t bound = (uint32_t)n;
    uint64_t product = (compare_random_bits(random) >> 32) * bound;
    if ((uint32_t)product < bound) {
        uint32_t threshold = -bound % bound;
        while ((uint32_t)product < threshold)
            product = (compare_random_bits(random) >> 32) * bound;
    }
    return (size_t)(product >> 32);
}

/* --- values --- */

/* clang-format off */
static const struct { const char *text; double number; bool any_case; } words[] = {
    { "C", 1, false }, { "P", 0.5, false }, { "I", 0, false }, { "N", 0, false },
    { "yes", 1, true }, { "true", 1, true }, { "no", 0, true }, { "false", 0, true },
};
/* clang-format on */

static bool text_number(Str text, double *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        Str word = str_of(words[i].text);
        if (words[i].any_case ? str_eq_nocase(text, word) : str_eq(text, word)) {
            *ret = words[i].number;
            return true;
        }
    }
    return text.n <= NUMBER_TEXT_MAX && str_to_double(str_trim(text), ret) == 0;
}

bool compare_stats_number(Str json, double *ret)
{
    double number = NAN;
    bool flag = false;
    Str text = STR_NONE;
    auto_arena Arena *arena = NULL;
    switch (json_scan_kind_of(json)) {
    case JSON_SCAN_NUMBER:
        if (!json_scan_double(json, &number) || !isfinite(number))
            return false;
        break;
    case JSON_SCAN_BOOL:
        if (!json_scan_bool(json, &flag))
            return false;
        number = flag;
        break;
    case JSON_SCAN_STRING:
        arena = arena_new();
        if (!json_scan_str(json, arena, &text) || !text_number(text, &number))
            return false;
        break;
    default: return false;
    }
    *ret = number;
    return true;
}

static double sum_of(const double *values, size_t n)
{
    double sum = 0;
    double lost = 0;
    for (size_t i = 0; i < n; i++) {
        double next = sum + values[i];
        lost += fabs(sum) >= fabs(values[i]) ? (sum - next) + values[i] : (values[i] - next) + sum;
        sum = next;
    }
    return sum + lost;
}

double compare_stats_mean(const double *values, size_t n)
{
    return n == 0 ? 0 : sum_of(values, n) / (double)n;
}

/* --- tests --- */

/* Terms of the binomial distribution from its middle outwards: each from the one before, so that
   only the first needs a logarithm. */
double compare_stats_mcnemar(size_t n_up, size_t n_down)
{
    size_t n = n_up + n_down;
    size_t k = n_up < n_down ? n_up : n_down;
    if (n_up == n_down)
        return 1;
    long double log_term = lgammal((long double)n + 1) - lgammal((long double)k + 1) -
                           lgammal((long double)(n - k) + 1) - (long double)n * logl(2);
    long double term = expl(log_term);
    long double sum = 0;
    for (size_t i = k; term > 0; i--) {
        sum += term;
        if (i == 0)
            break;
        term *= (long double)i / (long double)(n - i + 1);
    }
    return (double)(2 * sum < 1 ? 2 * sum : 1);
}

/* All signs, one change at a time (Gray code). The first keeps its sign: turning all around gives
   the same distance from 0. */
static double permute_all(const double *values, size_t n, double observed, double tolerance)
{
    size_t n_rounds = n == 0 ? 1 : (size_t)1 << (n - 1);
    size_t n_far = 0;
    double sign[COMPARE_STATS_EXACT_MAX];
    for (size_t i = 0; i < n; i++)
        sign[i] = 1;
    for (size_t round = 0; round < n_rounds; round++) {
        if (round > 0) {
            size_t changed = (size_t)__builtin_ctzll(round) + 1;
            sign[changed] = -sign[changed];
        }
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += sign[i] * values[i];
        n_far += fabs(sum) >= observed - tolerance;
    }
    return (double)n_far / (double)n_rounds;
}

static double permute_some(const double *values, size_t n, double observed, double tolerance,
                           size_t rounds, CompareRandom *random)
{
    size_t n_far = 0;
    for (size_t round = 0; round < rounds; round++) {
        double sum = 0;
        uint64_t bits = 0;
        for (size_t i = 0; i < n; i++) {
            bits = i % 64 == 0 ? compare_random_bits(random) : bits >> 1;
            sum += bits & 1 ? values[i] : -values[i];
        }
        n_far += fabs(sum) >= observed - tolerance;
    }
    return (double)(n_far + 1) / (double)(rounds + 1);
}

double compare_stats_permutation(const double *differences, size_t n, size_t rounds,
                                 CompareRandom *random, bool *ret_is_exact)
{
    auto_free double *values = mem_array(n + 1, sizeof(*values));
    size_t n_values = 0;
    double size = 0;
    for (size_t i = 0; i < n; i++) {
        if (differences[i] == 0)
            continue;
        values[n_values++] = differences[i];
        size += fabs(differences[i]);
    }
    double observed = fabs(sum_of(values, n_values));
    double tolerance = size * SUM_TOLERANCE;
    *ret_is_exact = n_values <= COMPARE_STATS_EXACT_MAX;
    return *ret_is_exact ? permute_all(values, n_values, observed, tolerance)
                         : permute_some(values, n_values, observed, tolerance, rounds, random);
}

/* --- the interval --- */

static double normal_cdf(double x)
{
    return erfc(-x / sqrt(2)) / 2;
}

/* Abramowitz and Stegun, 26.7.3 and 26.7.4: a finite sum for whole degrees of freedom. */
static double t_cdf(double t, size_t df)
{
    double angle = atan(t / sqrt((double)df));
    double cosine2 = cos(angle) * cos(angle);
    bool is_odd = df % 2 == 1;
    double term = is_odd ? cos(angle) : 1;
    double sum = df == 1 ? 0 : term;
    for (size_t i = is_odd ? 3 : 2; i + 1 < df; i += 2) {
        term *= cosine2 * (double)(i - 1) / (double)i;
        sum += term;
    }
    double central = is_odd ? 2 / M_PI * (angle + sin(angle) * sum) : sin(angle) * sum;
    return 0.5 + central / 2;
}

/* From here on the normal distribution with Cornish and Fisher's first terms is as good. */
enum { T_SUM_MAX = 2000 };

static double quantile_between(double p, size_t df)
{
    double low = 0;
    double high = 1;
    while (df == 0 ? normal_cdf(high) < p : t_cdf(high, df) < p)
        high *= 2;
    for (int i = 0; i < BISECTIONS && low < high; i++) {
        double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high)
            break;
        if ((df == 0 ? normal_cdf(middle) : t_cdf(middle, df)) < p)
            low = middle;
        else
            high = middle;
    }
    return low + (high - low) / 2;
}

double compare_stats_t_quantile(double p, size_t df)
{
    if (df <= T_SUM_MAX)
        return quantile_between(p, df);
    double z = quantile_between(p, 0);
    double z3 = z * z * z;
    double z5 = z3 * z * z;
    double n = (double)df;
    return z + (z3 + z) / (4 * n) + (5 * z5 + 16 * z3 + 3 * z) / (96 * n * n);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The quantile of sorted values, between two neighbours where it falls between them. */
static double quantile_of(const double *sorted, size_t n, double p)
{
    double at = p * (double)(n - 1);
    size_t i = (size_t)at;
    return i + 1 >= n ? sorted[n - 1] : sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

bool compare_stats_interval(const double *differences, size_t n, double level, size_t rounds,
                            CompareRandom *random, double *ret_low, double *ret_high)
{
    if (n < 2 || rounds < 2)
        return false;
    auto_free double *means = mem_array(rounds, sizeof(*means));
    for (size_t round = 0; round < rounds; round++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += differences[compare_random_below(random, n)];
        means[round] = sum / (double)n;
    }
    qsort(means, rounds, sizeof(*means), compare_doubles);
    double t = compare_stats_t_quantile(0.5 + level / 2, n - 1);
    double tail = normal_cdf(-t * sqrt((double)n / (double)(n - 1)));
    *ret_low = quantile_of(means, rounds, tail);
    *ret_high = quantile_of(means, rounds, 1 - tail);
    return true;
}

/* --- several comparisons --- */

void compare_stats_holm(double *p_values, size_t n)
{
    auto_free double *sorted = mem_array(n + 1, sizeof(*sorted));
    auto_free double *adjusted = mem_array(n + 1, sizeof(*adjusted));
    for (size_t i = 0; i < n; i++)
        sorted[i] = p_values[i];
    qsort(sorted, n, sizeof(*sorted), compare_doubles);
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        double p = sorted[i] * (double)(n - i);
        largest = p > largest ? p : largest;
        adjusted[i] = largest < 1 ? largest : 1;
    }
    for (size_t i = 0; i < n; i++) {
        const double *found = bsearch(&p_values[i], sorted, n, sizeof(*sorted), compare_doubles);
        p_values[i] = adjusted[found - sorted];
    }
}
