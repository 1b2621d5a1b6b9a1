/* Pools: what model events have as input, each message once for a sample. New logs have them; for
   old ones they are made here. */

#include "codec/json_scan.h"
#include "codec/json_sorted.h"
#include "warehouse/rows/rows_priv.h"

void rows_content_hash(Str raw, Buf *scratch, char ret[MURMUR3_HEX_MAX])
{
    buf_reset(scratch);
    /* Beyond the ceilings of sorting the text has to do as it is. */
    bool is_sorted = json_sorted_add(raw, scratch);
    (void)murmur3_hex(murmur3_of(is_sorted ? buf_str(scratch) : raw), ret);
}

static int put_entry(RowsMaker *maker, RowsTable table, size_t place, Str raw, int32_t earliest,
                     Error *err)
{
    char hash[MURMUR3_HEX_MAX];
    SqlValue values[N_MESSAGE_POOL_COLUMNS] = {0};
    const RowsSpec *spec = rows_spec(table);
    rows_content_hash(raw, &maker->text, hash);
    values[POOL_ORDER] = SQL_INT((int64_t)place);
    values[POOL_CONTENT_HASH] = SQL_TEXTZ(hash);
    (void)rows_value(raw, &spec->columns[POOL_DATA], &maker->rules, maker->scratch,
                     &values[POOL_DATA]);
    if (!values[POOL_DATA].text.p)
        values[POOL_DATA] = SQL_TEXTZ("null");
    if (table == ROWS_MESSAGE_POOL && earliest >= 0)
        values[POOL_EARLIEST_EVENT_ORDER] = SQL_INT(earliest);
    return rows_put(maker->sink, table, values, err);
}

int rows_put_pool_entry(RowsMaker *maker, const SamplePart *part, Error *err)
{
    bool is_message = part->kind == SAMPLE_PART_POOL_MESSAGE;
    return put_entry(maker, is_message ? ROWS_MESSAGE_POOL : ROWS_CALL_POOL, part->index, part->raw,
                     rows_earliest_of(&maker->facts->earliest, part->index), err);
}

/* The hash of a message without its id: what differs in nothing else is the same. */
static Murmur3 hash_without_id(RowsMaker *maker, Str raw)
{
    if (!rows_members_read(&maker->inner, raw, maker->scratch))
        return murmur3_of(raw);
    buf_reset(&maker->text);
    for (size_t i = 0; i < maker->inner.n; i++) {
        const RowsMember *member = &maker->inner.items[i];
        if (str_eqz(member->key, "id"))
            continue;
        buf_add_str(&maker->text, member->key);
        buf_addc(&maker->text, '\0');
        buf_add_str(&maker->text, member->raw);
    }
    return murmur3_of(buf_str(&maker->text));
}

int rows_pool_place(RowsMaker *maker, RowsPool *pool, Str raw, uint32_t *ret, Error *err)
{
    Murmur3 by_text = murmur3_of(raw);
    const uint32_t *known = hash_map_find(&pool->by_text, by_text);
    if (!known && pool->table == ROWS_MESSAGE_POOL) {
        Murmur3 by_content = hash_without_id(maker, raw);
        known = hash_map_find(&pool->by_content, by_content);
        if (!known)
            (void)hash_map_add(&pool->by_content, by_content, pool->n);
    }
    if (known) {
        *ret = *known;
        (void)hash_map_add(&pool->by_text, by_text, *ret);
        return 0;
    }
    (void)hash_map_add(&pool->by_text, by_text, pool->n);
    *ret = pool->n++;
    return put_entry(maker, pool->table, *ret, raw, maker->event_order, err);
}

static void write_range(RowsRefs *refs)
{
    if (refs->end > refs->start)
        buf_printf(&refs->text, "%s[%lld, %lld]", refs->text.len > 1 ? ", " : "",
                   (long long)refs->start, (long long)refs->end);
}

void rows_refs_begin(RowsRefs *refs)
{
    buf_reset(&refs->text);
    buf_addc(&refs->text, '[');
    refs->start = 0;
    refs->end = 0;
}

void rows_refs_add(RowsRefs *refs, int64_t place)
{
    if (place != refs->end || refs->end == refs->start) {
        write_range(refs);
        refs->start = place;
    }
    refs->end = place + 1;
}

Str rows_refs_end(RowsRefs *refs, Arena *arena)
{
    write_range(refs);
    buf_addc(&refs->text, ']');
    return arena_str(arena, buf_str(&refs->text));
}
