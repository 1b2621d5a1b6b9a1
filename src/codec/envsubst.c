/* One pass over the text; values and defaults are not looked into again, so nothing can grow beyond
 * one step. */

#include "codec/envsubst.h"

#include <assert.h>

/* What a '$' begins. */
typedef struct Reference {
    Str name;
    size_t size; /* bytes of the text that it takes, with the '$'; 0 when it is none */
    bool has_default;
    bool replaces_empty;
    Str otherwise;
} Reference;

static bool is_name_char(char c, bool is_first)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_')
        return true;
    return !is_first && c >= '0' && c <= '9';
}

static Str name_at(Str s)
{
    size_t n = 0;
    while (n < s.n && is_name_char(s.p[n], n == 0))
        n++;
    return str_slice(s, 0, n);
}

/* s begins with "${" and has a '}' somewhere, which the caller knows; looking for it here each time
   would make a text of open braces quadratic. */
static Reference read_braced(Str s)
{
    Reference ref = {.name = name_at(str_slice(s, 2, s.n))};
    size_t i = 2 + ref.name.n;
    if (ref.name.n == 0 || i >= s.n)
        return (Reference){0};
    if (s.p[i] == '}') {
        ref.size = i + 1;
        return ref;
    }
    ref.replaces_empty = s.p[i] == ':';
    i += ref.replaces_empty;
    if (i >= s.n || s.p[i] != '-')
        return (Reference){0};
    Str rest = str_slice(s, i + 1, s.n);
    ptrdiff_t close = str_find(rest, '}');
    assert(close >= 0);
    ref.has_default = true;
    ref.otherwise = str_slice(rest, 0, (size_t)close);
    ref.size = i + 1 + (size_t)close + 1;
    return ref;
}

/* s begins with '$'. */
static Reference read_reference(Str s, bool has_close)
{
    if (s.n > 1 && s.p[1] == '{')
        return has_close ? read_braced(s) : (Reference){0};
    Str name = name_at(str_slice(s, 1, s.n));
    return (Reference){.name = name, .size = name.n > 0 ? name.n + 1 : 0};
}

static void add_reference(Buf *ret, const Reference *ref, Str written, EnvsubstLookup *lookup,
                          void *context)
{
    Str value = STR_NONE;
    bool is_set = lookup(context, ref->name, &value);
    if (ref->has_default && (!is_set || (ref->replaces_empty && value.n == 0)))
        buf_add_str(ret, ref->otherwise);
    else
        buf_add_str(ret, is_set ? value : written);
}

void envsubst_expand(Str text, EnvsubstLookup *lookup, void *context, Buf *ret)
{
    ptrdiff_t last = str_rfind(text, '}');
    const char *last_close = last < 0 ? NULL : text.p + last;
    while (text.n > 0) {
        ptrdiff_t dollar = str_find(text, '$');
        size_t plain = dollar < 0 ? text.n : (size_t)dollar;
        buf_add_str(ret, str_slice(text, 0, plain));
        text = str_slice(text, plain, text.n);
        if (text.n == 0)
            return;
        size_t size = 1;
        if (text.n > 1 && text.p[1] == '$') {
            buf_addc(ret, '$');
            size = 2;
        } else {
            Reference ref = read_reference(text, last_close && last_close > text.p);
            if (ref.size > 0) {
                size = ref.size;
                add_reference(ret, &ref, str_slice(text, 0, size), lookup, context);
            } else {
                buf_addc(ret, '$');
            }
        }
        text = str_slice(text, size, text.n);
    }
}
