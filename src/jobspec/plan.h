/* Plan: what a config will do, before it does it: every setting with its value and where the value
   comes from, the matrix of tasks, models and solvers, the packages, and the names (never the
   values) of the variables it reads. */
#ifndef HAWK_JOBSPEC_PLAN_H
#define HAWK_JOBSPEC_PLAN_H

#include "base/arena.h"
#include "base/buf.h"
#include "codec/json_out.h"
#include "jobspec/jobspec.h"

typedef enum PlanOrigin {
    PLAN_DEFAULT, /* nobody set it */
    PLAN_CONFIG,  /* the document; line says where */
    PLAN_OPTION,  /* the command line */
    PLAN_SERVER,  /* the server's settings */
} PlanOrigin;

/* A value that does not come from the document; it wins over the document for PLAN_OPTION and over
   the default only for PLAN_SERVER. */
typedef struct PlanSetting {
    const char *name; /* "limit", "runner.memory", "max_samples" */
    const char *json; /* the value */
    PlanOrigin origin;
    const char *where; /* "--limit", "HAWK_MAX_SAMPLES"; may be NULL */
} PlanSetting;

typedef struct PlanInput {
    const Jobspec *spec;
    const PlanSetting *settings;
    size_t n_settings;
    JobspecPins pins;
    bool no_env; /* do not take model keys from the environment */
} PlanInput;

/* A line of the plan. */
typedef struct PlanValue {
    const char *name;
    const Json *value;
    PlanOrigin origin;
    int line;
    const char *where;
} PlanValue;

/* One evaluation that will run; model, solver NULL where the task's own default counts. */
typedef struct PlanCell {
    const char *task;
    const char *model;
    const char *solver; /* or agent, or the scanner's filter */
    bool is_agent;
    size_t n_sample_ids; /* 0: all */
} PlanCell;

typedef struct Plan {
    const Jobspec *spec;
    PlanValue *values;
    size_t n_values;
    PlanCell *cells;
    size_t n_cells;
    size_t n_cells_dropped; /* past PLAN_CELLS_MAX */
    JobspecItems roles;
    JobspecStrings packages;
    JobspecStrings local_packages;
    JobspecEnvNames env;
    JobspecSecrets secrets;
} Plan;

enum { PLAN_CELLS_MAX = 10000 };

/* Works the plan out; it lives in the arena. */
Plan *plan_make(Arena *arena, const PlanInput *input);

/* Write it for people, or as one JSON object. */
void plan_format(const Plan *plan, Buf *ret);
void plan_write(const Plan *plan, JsonOut *out);

/* "default", "config", "option", "server". */
const char *plan_origin_name(PlanOrigin origin);

#endif
