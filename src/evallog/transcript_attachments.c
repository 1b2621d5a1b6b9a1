/* What stands behind the references of a sample's parts: which are needed is noted in one pass over
   the sample, and found in the next. */

#include "evallog/transcript_priv.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/json_scan.h"

enum { KEYS_MAX = 100000 };

static const Str scheme = {"attachment://", 13};

static int compare(const void *a, const void *b)
{
    return str_cmp(((const TranscriptAttachment *)a)->key, ((const TranscriptAttachment *)b)->key);
}

static TranscriptAttachment *find(const TranscriptAttachments *attachments, Str key)
{
    const TranscriptAttachment wanted = {.key = key};
    return attachments->n
               ? bsearch(&wanted, attachments->items, attachments->n, sizeof(wanted), compare)
               : NULL;
}

Str transcript_text(TranscriptWriter *writer, Str text)
{
    Str content = STR_NONE;
    if (!str_starts(text, scheme))
        return text;
    if (writer->out
            ->overflowed) /* nothing will come of it, and one attachment may be named often */
        return text;
    const TranscriptAttachment *found =
        find(writer->attachments, str_slice(text, scheme.n, text.n));
    return found && found->raw.p && json_scan_str(found->raw, writer->arena, &content) ? content
                                                                                       : text;
}

static void add_key(TranscriptAttachments *attachments, Str key)
{
    if (attachments->n == KEYS_MAX)
        return;
    if (attachments->n == attachments->cap) {
        attachments->cap = attachments->cap ? attachments->cap * 2 : 16;
        attachments->items =
            mem_resize(attachments->items, attachments->cap, sizeof(*attachments->items));
    }
    attachments->items[attachments->n++] = (TranscriptAttachment){.key = key};
}

/* Names of attachments are letters and digits, which JSON has no reason to escape. */
void transcript_attachments_note(TranscriptAttachments *attachments, Arena *arena, Str raw)
{
    for (ptrdiff_t at = str_find_str(raw, scheme); at >= 0; at = str_find_str(raw, scheme)) {
        raw = str_slice(raw, (size_t)at + scheme.n, raw.n);
        ptrdiff_t end = str_find(raw, '"');
        if (end > 0 && end <= 128)
            add_key(attachments, arena_str(arena, str_slice(raw, 0, (size_t)end)));
    }
}

static void drop_doubles(TranscriptAttachments *attachments)
{
    TranscriptAttachment *items = attachments->items;
    size_t n = 0;
    qsort(items, attachments->n, sizeof(*items), compare);
    for (size_t i = 0; i < attachments->n; i++)
        if (n == 0 || !str_eq(items[n - 1].key, items[i].key))
            items[n++] = items[i];
    attachments->n = n;
}

int transcript_attachments_find(TranscriptAttachments *attachments, SampleParts *parts,
                                Arena *arena, Error *err)
{
    SamplePart part;
    int has_part = 0;
    size_t n_bytes = 0;
    if (attachments->n == 0)
        return 0;
    drop_doubles(attachments);
    while ((has_part = sample_parts_next(parts, &part, err)) == 1) {
        TranscriptAttachment *found =
            part.kind == SAMPLE_PART_ATTACHMENT ? find(attachments, part.key) : NULL;
        if (!found || n_bytes + part.raw.n > TRANSCRIPT_ATTACHMENTS_MAX)
            continue;
        n_bytes += part.raw.n;
        /* parts of a sample that is in memory stay */
        found->raw = sample_parts_is_whole(parts) ? part.raw : arena_str(arena, part.raw);
    }
    return has_part < 0 ? -1 : sample_parts_rewind(parts, err);
}

void transcript_attachments_release(TranscriptAttachments *attachments)
{
    free(attachments->items);
    *attachments = (TranscriptAttachments){0};
}
