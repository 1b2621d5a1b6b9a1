/* What the files of a submit share: the record, and what is checked of it. */
#ifndef HAWK_JOBS_SUBMIT_PRIV_H
#define HAWK_JOBS_SUBMIT_PRIV_H

#include "jobs/jobs_priv.h"

/* A submit on its way. */
typedef struct Submit {
    Jobs *jobs;
    const Caller *caller;
    const JobsRequest *request;
    Arena *arena;
    Jobspec *spec;
    Job job;
    Str config;
    Str capsule;       /* STR_NONE: the packages are found anew */
    const Str *groups; /* of the models */
    size_t n_groups;
    bool is_new;    /* there was no row */
    bool had_files; /* there were logs or files of this id before */
} Submit;

/* Whether the job's variables fit, none is the server's own, those that the config declares are
   there, and none of their values is in the config. */
int submit_priv_check_secrets(Submit *submit, Error *err) HAWK_MUST_USE;

/* Finds the groups of the models, and of what a scan reads, and whether the caller may use them. */
int submit_priv_check_models(Submit *submit, Error *err) HAWK_MUST_USE;

#endif
