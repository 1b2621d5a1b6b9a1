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

/* The scans that a job has begun, in the order of their ids. */
enum { STATUS_SCANS_MAX = 200 };
typedef struct StatusScans {
    const char **keys;  /* of what each is to read */
    const char **marks; /* changes whenever one of its files does */
    size_t n;
} StatusScans;

/* Finds the scans of a job, without reading any; all in the arena. */
int status_scan_find(Jobs *jobs, const Job *job, Arena *arena, StatusScans *ret,
                     Error *err) HAWK_MUST_USE;

/* Reads the scanners of all of them into the arena. What is only half written says nothing. */
void status_scan_read(Jobs *jobs, const Job *job, const StatusScans *scans, Arena *arena,
                      StatusScanners *ret);

#endif
