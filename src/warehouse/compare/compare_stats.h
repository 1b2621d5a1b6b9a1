/* CompareStats: the statistics of two runs on the same samples. Pure functions; what is random in
   them comes from a CompareRandom, so that the same seed gives the same figures everywhere. */
#ifndef HAWK_WAREHOUSE_COMPARE_STATS_H
#define HAWK_WAREHOUSE_COMPARE_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "base/str.h"

/* xoshiro256**; open record, only these functions touch it. */
typedef struct CompareRandom {
    uint64_t state[4];
} CompareRandom;

/* Starts from a seed and the name of what it is for, so that figures do not depend on what was
   worked out before them. */
void compare_random_init(CompareRandom *random, uint64_t seed, Str name);

/* 64 random bits; a number below n (n > 0), each equally likely. */
uint64_t compare_random_bits(CompareRandom *random);
size_t compare_random_below(CompareRandom *random, size_t n);

/* A score's value as a number, as Inspect's metrics see it: C 1, P 0.5, I and N 0, yes and true 1,
   no and false 0, numbers, texts that are numbers. false for what is none (objects, arrays, null,
   other texts) or not finite. */
bool compare_stats_number(Str json, double *ret);

/* Sum that loses nothing to the order of its terms (Neumaier), over n. 0 when n is 0. */
double compare_stats_mean(const double *values, size_t n);

/* Two-sided p-value of McNemar's exact test: of n_up + n_down fair coins, how likely is a split at
   least as uneven. 1 when both are 0. */
double compare_stats_mcnemar(size_t n_up, size_t n_down);

/* Two-sided p-value of the paired permutation test of the mean: how often does giving the
   differences random signs bring their sum at least as far from 0. All signs are tried when at most
   COMPARE_STATS_EXACT_MAX differences are not 0 (*ret_is_exact), else `rounds` random ones, which
   counts the observed one as well and so never gives 0. */
enum { COMPARE_STATS_EXACT_MAX = 16 };
double compare_stats_permutation(const double *differences, size_t n, size_t rounds,
                                 CompareRandom *random, bool *ret_is_exact);

/* Bootstrap interval of the mean at a level (0.95): percentiles of the means of `rounds` resamples,
   widened for small n as Student's t is wider than the normal distribution (Hesterberg 2015,
   "expanded percentile interval"). false when n < 2. */
bool compare_stats_interval(const double *differences, size_t n, double level, size_t rounds,
                            CompareRandom *random, double *ret_low, double *ret_high);

/* Holm's adjustment for n p-values, in place of each. */
void compare_stats_holm(double *p_values, size_t n);

/* Quantiles of Student's t with df degrees of freedom, for 0.5 <= p < 1. */
double compare_stats_t_quantile(double p, size_t df);

#endif
