/* The table of commands, in the order of the help. */

#include "cli/commands.h"

#include <string.h>

const Command *const command_rows[] = {
    &commands_eval_set_run,
    &commands_eval_set_resume,
    &commands_rerun,
    &commands_local_eval_set,
    &commands_local_scan,
    &commands_scan_run,
    &commands_scan_resume,
    &commands_retry,
    &commands_scan_export,
    &commands_stop,
    &commands_pause,
    &commands_resume_run,
    &commands_requeue,
    &commands_score,
    &commands_delete,
    &commands_edit_samples,
    &commands_list_eval_sets,
    &commands_list_evals,
    &commands_list_samples,
    &commands_list_jobs,
    &commands_list_imports,
    &commands_list_scans,
    &commands_status,
    &commands_explain,
    &commands_watch,
    &commands_logs,
    &commands_trace,
    &commands_stacktrace,
    &commands_web,
    &commands_view_sample,
    &commands_search,
    &commands_sql,
    &commands_compare,
    &commands_usage,
    &commands_transcript,
    &commands_transcripts,
    &commands_download,
    &commands_download_artifacts,
    &commands_export,
    &commands_import,
    &commands_validate,
    &commands_plan,
    &commands_schema,
    &commands_serve,
    &commands_doctor,
    &commands_login,
    &commands_logout,
    &commands_auth_access_token,
    &commands_auth_refresh_token,
    &commands_auth_why,
    &commands_human_register,
    &commands_human_list,
    &commands_human_update,
    &commands_human_delete,
    &commands_human_eval_start,
    &commands_human_eval_ssh_command,
    &commands_version,
    &commands_config,
    &commands_completion,
    &commands_man,
    &commands_docs_cli,
    &commands_complete,
};
const size_t command_rows_n = ARRAY_LEN(command_rows);

/* clang-format off */
const CommandGroup command_groups[] = {
    {"auth",     "Print tokens of the login, or why a job may be seen", .is_folded = true},
    {"eval-set", "Submit and resume eval sets", "run"},
    {"human",    "Register people who take evaluations, and give them some", .is_folded = true},
    {"human eval", "Give an eval set to somebody who takes it"},
    {"list",     "List eval sets, evals, samples, jobs, imports, scans", .is_folded = true},
    {"local",    "Run in the foreground, without a server", .is_folded = true},
    {"scan",     "Scan transcripts with Inspect Scout", "run", .is_folded = true},
};
/* clang-format on */
const size_t command_groups_n = ARRAY_LEN(command_groups);

/* Whether the first words are this path; sets how many words it has. */
static bool path_matches(Str path, const char *const *words, size_t n_words, size_t *ret_n)
{
    Str rest = path;
    Str word = STR_NONE;
    size_t n = 0;
    while (str_split(&rest, ' ', &word)) {
        if (n >= n_words || !str_eqz(word, words[n]))
            return false;
        n++;
    }
    *ret_n = n;
    return true;
}

const Command *command_find(const char *const *words, size_t n_words, size_t *ret_n)
{
    const Command *best = NULL;
    *ret_n = 0;
    for (size_t i = 0; i < command_rows_n; i++) {
        size_t n = 0;
        if (path_matches(str_of(command_rows[i]->path), words, n_words, &n) && n > *ret_n) {
            best = command_rows[i];
            *ret_n = n;
        }
        Str rest = str_of(command_rows[i]->aliases);
        Str alias = STR_NONE;
        while (str_split(&rest, '|', &alias)) {
            if (path_matches(alias, words, n_words, &n) && n > *ret_n) {
                best = command_rows[i];
                *ret_n = n;
            }
        }
    }
    return best;
}

const CommandGroup *command_group_find(const char *const *words, size_t n_words, size_t *ret_n)
{
    const CommandGroup *best = NULL;
    *ret_n = 0;
    for (size_t i = 0; i < command_groups_n; i++) {
        size_t n = 0;
        if (path_matches(str_of(command_groups[i].name), words, n_words, &n) && n > *ret_n) {
            best = &command_groups[i];
            *ret_n = n;
        }
    }
    return best;
}
