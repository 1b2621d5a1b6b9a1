/* The table of commands, in the order of the help. */

#include "cli/commands.h"

const Command *const command_rows[] = {
    &commands_validate,
    &commands_plan,
    &commands_schema,
    &commands_completion,
    &commands_man,
    &commands_docs_cli,
};
const size_t command_rows_n = ARRAY_LEN(command_rows);

/* clang-format off */
const CommandGroup command_groups[] = {
    {"eval-set", "Submit and resume eval sets", "run"},
    {"list",     "List what the server knows"},
    {"local",    "Run without a server"},
};
/* clang-format on */
const size_t command_groups_n = ARRAY_LEN(command_groups);
