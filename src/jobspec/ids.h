/* Ids of jobs, and the names that other systems know them by (Kubernetes, HTTP headers, paths). */
#ifndef HAWK_JOBSPEC_IDS_H
#define HAWK_JOBSPEC_IDS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

enum {
    IDS_JOB_ID_MAX = 43,     /* characters of a job id */
    IDS_SCANNED_ID_MAX = 45, /* of an eval set id that a scan reads: old ids were longer */
    IDS_NAMESPACE_MAX = 63,
    IDS_HEADER_VALUE_MAX = 512,
    IDS_SUBMITTER_LABEL_LEN = 40,
};

/* Lower-case letters, digits and '-', a letter or digit at both ends, 1 to 43 characters;
 * ids_is_scanned_id: to 45. */
bool ids_is_job_id(Str id);
bool ids_is_scanned_id(Str id);

/* Ids that begin with "imported-" belong to imports. */
bool ids_is_imported(Str id);

/* A new id from a prefix: its cleaned first 25 characters (or "job"), '-', 16 random characters of
 * [a-z0-9]. */
void ids_generate(Str prefix, char ret[IDS_JOB_ID_MAX + 1]);

/* s when it has at most max characters (max >= 14), else its first max - 13 characters, '-', and 12
   hex digits of its SHA-256. */
Str ids_truncate_with_hash(Arena *arena, Str s, size_t max);

/* The Helm release of a job. */
Str ids_release_name(Arena *arena, Str id);

/* "<prefix>-<id>"; ERR_USAGE when the prefix leaves fewer than 14 characters for the id.
   ids_sandbox_namespace: with
   "-s" behind a runner namespace. */
int ids_runner_namespace(Arena *arena, Str prefix, Str id, Str *ret, Error *err) HAWK_MUST_USE;
Str ids_sandbox_namespace(Arena *arena, Str runner_namespace);

/* "<app>-<job type>-runner-<id>", the id cut with a hash where it is too long. */
Str ids_service_account(Arena *arena, Str app, Str job_type, Str id);

/* Any text as the value of a Kubernetes label: runs of other characters become '_', 63 at most. */
Str ids_label(Arena *arena, Str s);

/* Forty hex digits that stand for a user. */
Str ids_submitter_label(Arena *arena, Str subject);

/* "__a__b__" from model groups, sorted, without their prefix "model-access-"; STR_NONE when there
 * are none. */
Str ids_model_access(Arena *arena, const Str *groups, size_t n);

/* Any text as the value of an HTTP header: bytes other than printable ASCII become '_', 512 at
 * most. */
Str ids_header_value(Arena *arena, Str s);

/* One segment of a path: [A-Za-z0-9._=-]+ but not "." or ".."; a scanner key has no '='. */
bool ids_is_path_segment(Str s);
bool ids_is_scanner_key(Str s);

#endif
