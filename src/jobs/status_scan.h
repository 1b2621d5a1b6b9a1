/* How far the scanners of a scan have come, for EvalSetStatus. */
#ifndef HAWK_JOBS_STATUS_SCAN_H
#define HAWK_JOBS_STATUS_SCAN_H

#include "jobs/jobs_priv.h"

/* One scanner of one scan; texts live in the arena. */
typedef struct StatusScanner {
    const char *scan_id;
    const char *model; /* NULL: of none */
    const char *name;
    int64_t n_transcripts; /* that it is to read */
    int64_t n_scans;       /* that it has read */
    int64_t n_results;     /* in which it has found something */
    int64_t n_errors;      /* that it has failed on */
    bool is_complete;      /* the scan */
} StatusScanner;

enum { STATUS_SCANNERS_MAX = 1000 };
typedef struct StatusScanners {
    StatusScanner *items; /* STATUS_SCANNERS_MAX */
    size_t n;
} StatusScanners;

/* Reads the scanners of all scans that a job has begun, in the order of their ids, into the arena.
   What is only half written says nothing. */
int status_scan_read(Jobs *jobs, const Job *job, Arena *arena, StatusScanners *ret,
                     Error *err) HAWK_MUST_USE;

#endif
