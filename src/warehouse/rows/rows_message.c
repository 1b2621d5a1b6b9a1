/* The conversation, and the long texts that messages and events refer to. */

#include "codec/json_scan.h"
#include "warehouse/rows/rows_priv.h"

int rows_put_message(RowsMaker *maker, const SamplePart *part, Error *err)
{
    Str message = STR_NONE;
    if (rows_condense(maker, part->raw, &message, err) < 0)
        return -1;
    SqlValue values[N_MESSAGE_COLUMNS] = {0};
    const RowsSpec *spec = rows_spec(ROWS_MESSAGE);
    values[MESSAGE_ORDER] = SQL_INT((int64_t)part->index);
    (void)rows_value(message, &spec->columns[MESSAGE_DATA], &maker->rules, maker->scratch,
                     &values[MESSAGE_DATA]);
    if (!values[MESSAGE_DATA].text.p)
        values[MESSAGE_DATA] = SQL_TEXTZ("null");
    return rows_put(maker->sink, ROWS_MESSAGE, values, err);
}

int rows_put_attachment(RowsMaker *maker, Str key, Str content, Error *err)
{
    if (!hash_map_add(&maker->attachments, murmur3_of(key), 0))
        return 0;
    SqlValue values[N_ATTACHMENT_COLUMNS] = {0};
    Str kept = sample_clean_text(content, maker->scratch);
    values[ATTACHMENT_KEY] = SQL_TEXT(sample_clean_text(key, maker->scratch));
    values[ATTACHMENT_CONTENT] = SQL_TEXT(kept);
    values[ATTACHMENT_BYTE_LEN] = SQL_INT((int64_t)kept.n);
    values[ATTACHMENT_SANITIZED] = SQL_BOOL(kept.n != content.n);
    return rows_put(maker->sink, ROWS_ATTACHMENT, values, err);
}
