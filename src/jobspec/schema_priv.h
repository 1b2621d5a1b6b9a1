/* Tables and rules that the schema files share. */
#ifndef HAWK_JOBSPEC_SCHEMA_PRIV_H
#define HAWK_JOBSPEC_SCHEMA_PRIV_H

#include "jobspec/schema.h"

/* Items of lists and values of maps that occur in several places. */
extern const SchemaField schema_text_item;
extern const SchemaField schema_any_item;
extern const SchemaField schema_secret_item;
extern const SchemaField schema_model_package_item;   /* one entry of `models` */
extern const SchemaField schema_model_role_item;      /* one value of `model_roles` */
extern const SchemaField schema_scanner_package_item; /* one entry of `scanners` */
extern const SchemaField schema_where_item;

extern const SchemaObject schema_runner;
extern const SchemaObject schema_online_scan;
extern const SchemaObject schema_generate_config;
extern const SchemaObject schema_eval_set;
extern const SchemaObject schema_scan;

extern const SchemaChoice schema_model_role_choice;

/* Builtin when `package` is exactly "inspect-ai", else the package form; objects[0] is the package
 * form. */
const SchemaObject *schema_pick_package(const SchemaObject *const *objects, const Json *node);

/* Rules of single fields. */
SchemaRule schema_rule_image;
SchemaRule schema_rule_secret_name;
SchemaRule schema_rule_variable;
SchemaRule schema_rule_variables;
SchemaRule schema_rule_isolation;
SchemaRule schema_rule_adaptive;
SchemaRule schema_rule_absolute_path;
SchemaRule schema_rule_package;
SchemaRule schema_rule_eval_set_id;
SchemaRule schema_rule_approver_args;
SchemaRule schema_rule_logit_bias;

/* Rules of whole objects. */
SchemaObjectRule schema_rule_runner;
SchemaObjectRule schema_rule_aws_secret;
SchemaObjectRule schema_rule_isolation_exceptions;
SchemaObjectRule schema_rule_trigger;
SchemaObjectRule schema_rule_model_package;
SchemaObjectRule schema_rule_scanner;
SchemaObjectRule schema_rule_online_scan;
SchemaObjectRule schema_rule_scan;
SchemaObjectRule schema_rule_eval_set;

/* What to say about keys that go on unchecked. */
SchemaUnknown schema_unknown_model_arg;
SchemaUnknown schema_unknown_eval_set;
SchemaUnknown schema_unknown_scan;

#endif
