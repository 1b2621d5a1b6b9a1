/* YAML: whatever is read can be written and reads back equal; whatever is refused says where. */

#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "codec/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 64 << 20 };

static void must(bool claim)
{
    if (!claim)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const JsonLimits limits = {.bytes = 1 << 20, .depth = 50, .nodes = 20000};
    const JsonLimits wider = {.bytes = OUT_MAX, .depth = 50, .nodes = 20000};
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Json *root = NULL;
    if (yaml_parse(arena, (Str){(const char *)data, size}, "f", &limits, &root, &err) < 0) {
        must(err.kind == ERR_BAD_DATA && strncmp(error_text(&err), "f", 1) == 0);
        must(str_is_utf8(str_of(error_text(&err))));
        return 0;
    }
    auto_buf Buf written = BUF_INIT(OUT_MAX);
    yaml_write(&written, root);
    Json *again = NULL;
    must(yaml_parse(arena, buf_str(&written), "f", &wider, &again, &err) == 0);
    must(json_equal(root, again));
    return 0;
}
