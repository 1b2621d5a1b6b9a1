/* Every column that a list of samples can be sorted by. */
#ifndef HAWK_TESTS_WAREHOUSE_SORTS_H
#define HAWK_TESTS_WAREHOUSE_SORTS_H

static const char *const warehouse_sorts[] = {
    "completed_at",
    "started_at",
    "id",
    "uuid",
    "epoch",
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "total_tokens",
    "action_count",
    "message_count",
    "working_time_seconds",
    "eval_id",
    "total_time_seconds",
    "generation_time_seconds",
    "eval_set_id",
    "task_name",
    "task_version",
    "model",
    "score_value",
    "score_scorer",
    "status",
    "author",
    "created_by",
    "invalid",
    "is_invalid",
    "error_message",
    "location",
};

#endif
