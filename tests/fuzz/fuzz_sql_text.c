/* What PostgreSQL says of instants, arrays and bytes, by the first byte. What is read as an array
   is a JSON array. */

#include <stdint.h>

#include "codec/json_scan.h"
#include "sql/sql_postgres_text_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { TEXT_MAX = 65536, RESULT_MAX = 1024 * 1024 };
    if (size < 1 || size > TEXT_MAX)
        return 0;
    const Str text = {(const char *)data + 1, size - 1};
    auto_buf Buf result = BUF_INIT(RESULT_MAX);
    auto_error Error err = ERROR_INIT;
    int64_t us = 0;
    switch (data[0] % 3) {
    case 0: (void)!sql_postgres_text_instant(text, &us); break;
    case 1:
        if (sql_postgres_text_list(text, &result) == 0 && !result.overflowed &&
            json_scan_valid(buf_str(&result), false, &err) < 0)
            __builtin_trap();
        break;
    default:
        if (sql_postgres_text_bytes(text, &result) == 0 && result.len != (text.n - 2) / 2)
            __builtin_trap();
        break;
    }
    return 0;
}
