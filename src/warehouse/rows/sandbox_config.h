/* SandboxConfig: what the warehouse keeps of a sandbox's config. */
#ifndef HAWK_WAREHOUSE_SANDBOX_CONFIG_H
#define HAWK_WAREHOUSE_SANDBOX_CONFIG_H

#include "base/arena.h"
#include "base/str.h"

/* A config, a JSON object or string, without nulls and without what its services have as
   "environment" and "env_file", which may hold secrets; STR_NONE when nothing is left or it is
   something else. */
Str sandbox_config_clean(Str json, Arena *arena);

#endif
