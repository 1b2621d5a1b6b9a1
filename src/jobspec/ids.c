/* Ids and the names derived from them. Prefixes and ids are ASCII or are made so here, so bytes are
 * characters. */

#include "jobspec/ids.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/random.h"
#include "codec/digest.h"

enum {
    PREFIX_MAX = 25,
    RANDOM_LEN = 16,
    HASH_LEN = 12,
    RELEASE_MAX = 43,
    LABEL_MAX = 63,
    ID_SLOT_MIN = HASH_LEN + 2,
};

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_id(Str id, size_t max)
{
    if (id.n == 0 || id.n > max)
        return false;
    for (size_t i = 0; i < id.n; i++)
        if (!is_lower_or_digit(id.p[i]) && id.p[i] != '-')
            return false;
    return id.p[0] != '-' && id.p[id.n - 1] != '-';
}

bool ids_is_job_id(Str id)
{
    return is_id(id, IDS_JOB_ID_MAX);
}

bool ids_is_scanned_id(Str id)
{
    return is_id(id, IDS_SCANNED_ID_MAX);
}

bool ids_is_imported(Str id)
{
    return str_starts(id, STR("imported-"));
}

static Str strip(Str s, const char *bytes)
{
    while (s.n > 0 && strchr(bytes, s.p[0]))
        s = str_slice(s, 1, s.n);
    while (s.n > 0 && strchr(bytes, s.p[s.n - 1]))
        s = str_slice(s, 0, s.n - 1);
    return s;
}

/* One '-' for each character (not byte) that a namespace cannot have. */
static void add_clean(Buf *buf, Str s, const char *also)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = lower(s.p[i]);
        if (is_lower_or_digit(c) || (c && strchr(also, c)))
            buf_addc(buf, c);
        else if (((unsigned char)c & 0xc0) != 0x80)
            buf_addc(buf, '-');
    }
}

static Str clean(Arena *arena, Str s)
{
    auto_buf Buf buf = BUF_INIT(s.n + 1);
    add_clean(&buf, s, "-");
    return arena_str(arena, strip(buf_str(&buf), "-"));
}

void ids_generate(Str prefix, char ret[IDS_JOB_ID_MAX + 1])
{
    Str start = str_slice(prefix, 0, 4 * (size_t)IDS_NAMESPACE_MAX);
    auto_buf Buf buf = BUF_INIT(5 * (size_t)IDS_NAMESPACE_MAX);
    add_clean(&buf, start, "-");
    Str name = str_slice(strip(buf_str(&buf), "-"), 0, PREFIX_MAX);
    if (name.n == 0)
        name = STR("job");
    char suffix[RANDOM_LEN + 1];
    random_id(suffix, RANDOM_LEN);
    (void)snprintf(ret, IDS_JOB_ID_MAX + 1, "%.*s-%s", STR_ARG(name), suffix);
}

static void add_hash(Buf *buf, Str s, size_t n_digits)
{
    char hash[DIGEST_HEX_MAX];
    buf_add(buf, digest_sha256_hex(s, hash), n_digits);
}

Str ids_truncate_with_hash(Arena *arena, Str s, size_t max)
{
    if (s.n <= max)
        return arena_str(arena, s);
    size_t n = max > HASH_LEN + 1 ? max - HASH_LEN - 1 : 0;
    auto_buf Buf buf = BUF_INIT(max + HASH_LEN + 2);
    buf_add_str(&buf, str_slice(s, 0, n));
    buf_addc(&buf, '-');
    add_hash(&buf, s, HASH_LEN);
    return arena_str(arena, buf_str(&buf));
}

Str ids_release_name(Arena *arena, Str id)
{
    auto_buf Buf cleaned = BUF_INIT(id.n + 1);
    add_clean(&cleaned, id, "-.");
    auto_buf Buf joined = BUF_INIT(id.n + 1);
    Str rest = buf_str(&cleaned);
    Str label = STR_NONE;
    while (str_split(&rest, '.', &label)) {
        label = strip(label, "-");
        if (label.n == 0)
            continue;
        if (joined.len > 0)
            buf_addc(&joined, '.');
        buf_add_str(&joined, label);
    }
    Str name = joined.len > 0 ? buf_str(&joined) : STR("default");
    return ids_truncate_with_hash(arena, name, RELEASE_MAX);
}

int ids_runner_namespace(Arena *arena, Str prefix, Str id, Str *ret, Error *err)
{
    Str safe = str_slice(clean(arena, prefix), 0, IDS_NAMESPACE_MAX);
    if (safe.n + 1 + 2 + ID_SLOT_MIN > IDS_NAMESPACE_MAX)
        return error_set(err, ERR_USAGE, "the namespace prefix '%.*s' is too long", STR_ARG(safe));
    size_t budget = IDS_NAMESPACE_MAX - safe.n - 1 - 2;
    Str name = ids_truncate_with_hash(arena, clean(arena, id), budget);
    *ret = str_of(arena_printf(arena, "%.*s-%.*s", STR_ARG(safe), STR_ARG(name)));
    return 0;
}

Str ids_sandbox_namespace(Arena *arena, Str runner_namespace)
{
    return str_of(arena_printf(arena, "%.*s-s", STR_ARG(runner_namespace)));
}

Str ids_service_account(Arena *arena, Str app, Str job_type, Str id)
{
    const char *prefix = arena_printf(arena, "%.*s-%.*s-runner-", STR_ARG(app), STR_ARG(job_type));
    size_t used = strlen(prefix);
    size_t budget = used + ID_SLOT_MIN < IDS_NAMESPACE_MAX ? IDS_NAMESPACE_MAX - used : ID_SLOT_MIN;
    Str name = ids_truncate_with_hash(arena, id, budget);
    return str_of(arena_printf(arena, "%s%.*s", prefix, STR_ARG(name)));
}

Str ids_label(Arena *arena, Str s)
{
    auto_buf Buf buf = BUF_INIT(s.n + 1);
    bool in_run = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool is_kept = is_alnum(c) || c == '-' || c == '_' || c == '.';
        if (is_kept)
            buf_addc(&buf, c);
        else if (!in_run)
            buf_addc(&buf, '_');
        in_run = !is_kept;
    }
    return arena_str(arena, strip(str_slice(buf_str(&buf), 0, LABEL_MAX), "_-."));
}

Str ids_submitter_label(Arena *arena, Str subject)
{
    auto_buf Buf buf = BUF_INIT(IDS_SUBMITTER_LABEL_LEN + 1);
    add_hash(&buf, subject, IDS_SUBMITTER_LABEL_LEN);
    return arena_str(arena, buf_str(&buf));
}

static int compare_str(const void *a, const void *b)
{
    return str_cmp(*(const Str *)a, *(const Str *)b);
}

Str ids_model_access(Arena *arena, const Str *groups, size_t n)
{
    static const Str prefix = STR("model-access-");
    if (n == 0)
        return STR_NONE;
    Str *names = arena_array(arena, n, sizeof(*names));
    size_t size = 4;
    for (size_t i = 0; i < n; i++) {
        bool has_prefix = str_starts(groups[i], prefix);
        names[i] = str_slice(groups[i], has_prefix ? prefix.n : 0, groups[i].n);
        size += names[i].n + 2;
    }
    qsort(names, n, sizeof(*names), compare_str);
    auto_buf Buf buf = BUF_INIT(size);
    buf_addz(&buf, "__");
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && str_eq(names[i], names[i - 1]))
            continue;
        buf_add_str(&buf, names[i]);
        buf_addz(&buf, "__");
    }
    return arena_str(arena, buf_str(&buf));
}

Str ids_header_value(Arena *arena, Str s)
{
    auto_buf Buf buf = BUF_INIT(IDS_HEADER_VALUE_MAX);
    for (size_t i = 0; i < s.n && buf.len < IDS_HEADER_VALUE_MAX; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c < 0x7f)
            buf_addc(&buf, (char)c);
        else if ((c & 0xc0) != 0x80)
            buf_addc(&buf, '_');
    }
    return arena_str(arena, buf_str(&buf));
}

static bool is_segment(Str s, const char *also)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && !(s.p[i] && strchr(also, s.p[i])))
            return false;
    return s.n > 0 && !str_eqz(s, ".") && !str_eqz(s, "..");
}

bool ids_is_path_segment(Str s)
{
    return is_segment(s, "._=-");
}

bool ids_is_scanner_key(Str s)
{
    return is_segment(s, "._-");
}
