/* The rows of the commands, one per command; the files cmd_*.c define them. */
#ifndef HAWK_CLI_COMMANDS_H
#define HAWK_CLI_COMMANDS_H

#include "cli/command.h"

extern const Command commands_auth_access_token;
extern const Command commands_auth_refresh_token;
extern const Command commands_auth_why;
extern const Command commands_compare;
extern const Command commands_complete;
extern const Command commands_completion;
extern const Command commands_config;
extern const Command commands_delete;
extern const Command commands_docs_cli;
extern const Command commands_doctor;
extern const Command commands_download;
extern const Command commands_download_artifacts;
extern const Command commands_edit_samples;
extern const Command commands_eval_set_resume;
extern const Command commands_rerun;
extern const Command commands_eval_set_run;
extern const Command commands_explain;
extern const Command commands_export;
extern const Command commands_import;
extern const Command commands_list_eval_sets;
extern const Command commands_list_evals;
extern const Command commands_list_imports;
extern const Command commands_list_jobs;
extern const Command commands_list_samples;
extern const Command commands_list_scans;
extern const Command commands_local_eval_set;
extern const Command commands_local_scan;
extern const Command commands_login;
extern const Command commands_logout;
extern const Command commands_logs;
extern const Command commands_man;
extern const Command commands_pause;
extern const Command commands_plan;
extern const Command commands_requeue;
extern const Command commands_resume_run;
extern const Command commands_retry;
extern const Command commands_scan_export;
extern const Command commands_scan_resume;
extern const Command commands_scan_run;
extern const Command commands_schema;
extern const Command commands_score;
extern const Command commands_search;
extern const Command commands_serve;
extern const Command commands_sql;
extern const Command commands_stacktrace;
extern const Command commands_status;
extern const Command commands_stop;
extern const Command commands_trace;
extern const Command commands_transcript;
extern const Command commands_transcripts;
extern const Command commands_validate;
extern const Command commands_human_register;
extern const Command commands_human_list;
extern const Command commands_human_update;
extern const Command commands_human_delete;
extern const Command commands_human_eval_start;
extern const Command commands_human_eval_ssh_command;
extern const Command commands_usage;
extern const Command commands_version;
extern const Command commands_view_sample;
extern const Command commands_watch;
extern const Command commands_web;

#endif
