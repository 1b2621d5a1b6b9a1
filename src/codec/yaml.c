/* Builds the tree from libyaml's events.

   libyaml finds the tokens; what they mean and how much of them is bearable is decided here. An
   alias becomes a copy of the nodes of its anchor (the strings are shared); every copied node and
   byte counts against the limits, so that a small document cannot grow into a large tree. */

#include "codec/yaml.h"

#include <assert.h>
#include <stdlib.h>

#include <yaml.h>

#include "base/mem.h"
#include "codec/json_lex.h"
#include "codec/json_priv.h"
#include "codec/yaml_priv.h"

enum { ANCHORS_MAX = 256 };

/* An anchored node and what copying it costs. */
typedef struct Anchor {
    const char *name;
    const Json *node;
    bool is_complete;
    size_t n_nodes;
    size_t n_bytes;
} Anchor;

/* A container that is not closed yet. */
typedef struct Level {
    Json *container;
    Anchor *anchor; /* NULL when it has none */
    size_t nodes_before;
    size_t bytes_before;
    bool has_key;
    Str key;
    int key_line;
    int key_column;
} Level;

typedef struct Reader {
    Arena *arena;
    const JsonLimits *limits;
    const char *file;
    Str text;
    yaml_parser_t *parser;
    Level *levels;
    size_t n_levels;
    size_t levels_max;
    Anchor *anchors;
    size_t n_anchors;
    size_t n_nodes;
    size_t n_bytes; /* of keys and scalars, with those of copies */
    Json *root;
    Error *err;
} Reader;

static int at_place(const Reader *r, int line, int column)
{
    return error_wrap(r->err, "%s:%d:%d", r->file, line, column);
}

static int at_mark(const Reader *r, yaml_mark_t mark)
{
    return at_place(r, (int)mark.line + 1, (int)mark.column + 1);
}

/* ---- syntax errors in words ---- */

typedef struct Explanation {
    const char *problem; /* of libyaml */
    const char *message;
    const char *fix;
} Explanation;

/* clang-format off */
static const Explanation explanations[] = {
    { "mapping values are not allowed in this context", "found ':' where no key can stand",
      "indent the line like its neighbours, or put the text in quotes if the ':' belongs to it" },
    { "did not find expected key", "expected a key or the end of the mapping",
      "indent the line like the keys above it" },
    { "did not find expected '-' indicator", "expected '-' or the end of the list",
      "indent the line like the '-' above it" },
    { "could not find expected ':'", "expected ':' behind the key", "write \"key: value\"" },
    { "found unexpected end of stream", "expected the closing quote, found the end of the text", NULL },
    { "found character that cannot start any token", "found a character that cannot start a value",
      "put the text in quotes" },
    { "found unknown escape character", "found an unknown escape in double quotes",
      "write the backslash twice, or use single quotes" },
    { "did not find expected alphabetic or numeric character", "expected a name behind '*' or '&'",
      "put the text in quotes if it is no alias or anchor" },
    { "did not find expected ',' or ']'", "expected ',' or ']'", NULL },
    { "did not find expected ',' or '}'", "expected ',' or '}'", NULL },
    { "block sequence entries are not allowed in this context", "found '-' where no list can stand",
      "put the list on lines of its own, or the text in quotes" },
    { "found duplicate %YAML directive", "found a second %YAML line", NULL },
};
/* clang-format on */

/* The text of a line, counted from 1. */
static Str line_of(Str text, size_t line)
{
    Str rest = text;
    Str found = STR_NONE;
    for (size_t i = 0; i < line; i++)
        if (!str_split(&rest, '\n', &found))
            return STR_NONE;
    return found;
}

static bool has_tab_in_indent(Str line)
{
    for (size_t i = 0; i < line.n && (line.p[i] == ' ' || line.p[i] == '\t'); i++)
        if (line.p[i] == '\t')
            return true;
    return false;
}

/* libyaml reports bytes it does not take by offset only. */
static int reader_failed(const Reader *r)
{
    size_t offset = r->parser->problem_offset < r->text.n ? r->parser->problem_offset : r->text.n;
    int line = 1;
    size_t line_start = 0;
    for (size_t i = 0; i < offset; i++)
        if (r->text.p[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    (void)error_set(r->err, ERR_BAD_DATA, "found the character U+%04X, which YAML does not allow",
                    (unsigned)r->parser->problem_value);
    (void)error_fix(r->err, "remove it, or write it as an escape in double quotes");
    return at_place(r, line, (int)(offset - line_start) + 1);
}

static int syntax_failed(const Reader *r)
{
    const yaml_parser_t *parser = r->parser;
    if (parser->error == YAML_READER_ERROR)
        return reader_failed(r);
    yaml_mark_t mark = parser->problem_mark;
    const char *problem = parser->problem ? parser->problem : "not YAML";
    if (has_tab_in_indent(line_of(r->text, mark.line + 1))) {
        (void)error_set(r->err, ERR_BAD_DATA, "found a tab in the indentation, expected spaces");
        (void)error_fix(r->err, "replace the tabs at the start of the line by spaces");
        return at_mark(r, mark);
    }
    const Explanation *explanation = NULL;
    for (size_t i = 0; i < ARRAY_LEN(explanations) && !explanation; i++)
        if (strcmp(problem, explanations[i].problem) == 0)
            explanation = &explanations[i];
    const char *message = explanation ? explanation->message : problem;
    if (parser->context && parser->context_mark.line < mark.line)
        (void)error_set(r->err, ERR_BAD_DATA, "%s (in what begins at line %d)", message,
                        (int)parser->context_mark.line + 1);
    else
        (void)error_set(r->err, ERR_BAD_DATA, "%s", message);
    if (explanation && explanation->fix)
        (void)error_fix(r->err, "%s", explanation->fix);
    return at_mark(r, mark);
}

/* ---- limits ---- */

static int count(Reader *r, size_t nodes, size_t bytes, yaml_mark_t mark)
{
    if (nodes > r->limits->nodes - r->n_nodes) {
        (void)error_set(r->err, ERR_BAD_DATA, "more than %zu values", r->limits->nodes);
        return at_mark(r, mark);
    }
    if (bytes > r->limits->bytes - r->n_bytes) {
        (void)error_set(r->err, ERR_BAD_DATA, "more than %zu bytes of text", r->limits->bytes);
        return at_mark(r, mark);
    }
    r->n_nodes += nodes;
    r->n_bytes += bytes;
    return 0;
}

static Level *top(Reader *r)
{
    return r->n_levels > 0 ? &r->levels[r->n_levels - 1] : NULL;
}

static int push(Reader *r, Json *container, Anchor *anchor, yaml_mark_t mark)
{
    if (r->n_levels >= r->limits->depth) {
        (void)error_set(r->err, ERR_BAD_DATA, "nested deeper than %zu levels", r->limits->depth);
        return at_mark(r, mark);
    }
    if (r->n_levels == r->levels_max) {
        r->levels_max = r->levels_max ? r->levels_max * 2 : 16;
        r->levels = mem_resize(r->levels, r->levels_max, sizeof(*r->levels));
    }
    r->levels[r->n_levels++] = (Level){
        .container = container,
        .anchor = anchor,
        .nodes_before = r->n_nodes - 1,
        .bytes_before = r->n_bytes,
    };
    return 0;
}

/* ---- anchors ---- */

/* Remembers an anchor (*ret NULL when name is); a name used again means the later one, as in YAML.
 */
static int add_anchor(Reader *r, const yaml_char_t *name, const Json *node, yaml_mark_t mark,
                      Anchor **ret)
{
    *ret = NULL;
    if (!name)
        return 0;
    if (r->n_anchors == ANCHORS_MAX) {
        (void)error_set(r->err, ERR_BAD_DATA, "more than %d anchors", ANCHORS_MAX);
        return at_mark(r, mark);
    }
    if (!r->anchors)
        r->anchors = mem_array(ANCHORS_MAX, sizeof(*r->anchors));
    Anchor *anchor = &r->anchors[r->n_anchors++];
    *anchor = (Anchor){.name = arena_strdup(r->arena, (const char *)name), .node = node};
    *ret = anchor;
    return 0;
}

static const Anchor *find_anchor(const Reader *r, const char *name)
{
    for (size_t i = r->n_anchors; i > 0; i--)
        if (strcmp(r->anchors[i - 1].name, name) == 0)
            return &r->anchors[i - 1];
    return NULL;
}

static Json *copy_nodes(Arena *arena, const Json *node)
{
    Json *copy = json_new(arena, node->type);
    *copy = *node;
    copy->next = NULL;
    copy->first = NULL;
    copy->last = NULL;
    copy->n = 0;
    for (const Json *child = node->first; child; child = child->next)
        json_link(copy, copy_nodes(arena, child));
    return copy;
}

static size_t depth_of(const Json *node)
{
    size_t deepest = 0;
    for (const Json *child = node->first; child; child = child->next) {
        size_t depth = depth_of(child);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + (node->type == JSON_ARRAY || node->type == JSON_OBJECT);
}

static int read_alias(Reader *r, const yaml_event_t *event, Json **ret)
{
    const char *name = (const char *)event->data.alias.anchor;
    const Anchor *anchor = find_anchor(r, name);
    char shown[JSON_LEX_SHOWN_MAX];
    if (!anchor || !anchor->is_complete) {
        (void)error_set(r->err, ERR_BAD_DATA,
                        "found the alias *%s, expected one whose anchor &%s %s",
                        json_lex_show(str_of(name), shown), shown,
                        anchor ? "does not contain it" : "stands above");
        (void)error_fix(r->err, "put the text in quotes if it is no alias");
        return at_mark(r, event->start_mark);
    }
    if (count(r, anchor->n_nodes, anchor->n_bytes, event->start_mark) < 0)
        return -1;
    if (depth_of(anchor->node) > r->limits->depth - r->n_levels) {
        (void)error_set(r->err, ERR_BAD_DATA, "nested deeper than %zu levels", r->limits->depth);
        return at_mark(r, event->start_mark);
    }
    *ret = copy_nodes(r->arena, anchor->node);
    (*ret)->key = STR_NONE;
    return 0;
}

/* ---- scalars ---- */

#define CORE_PREFIX STR("tag:yaml.org,2002:")

static bool is_core_tag(const yaml_char_t *tag, const char *name)
{
    Str given = str_of((const char *)tag);
    return str_starts(given, CORE_PREFIX) &&
           str_eqz(str_slice(given, CORE_PREFIX.n, given.n), name);
}

static int tag_failed(const Reader *r, const yaml_char_t *tag, const char *expected,
                      yaml_mark_t mark)
{
    Str given = str_of((const char *)tag);
    bool is_core = str_starts(given, CORE_PREFIX);
    char shown[JSON_LEX_SHOWN_MAX];
    (void)json_lex_show(is_core ? str_slice(given, CORE_PREFIX.n, given.n) : given, shown);
    (void)error_set(r->err, ERR_BAD_DATA, "found the tag %s%s, expected %s", is_core ? "!!" : "",
                    shown, expected);
    (void)error_fix(r->err, "remove the tag");
    return at_mark(r, mark);
}

typedef struct ScalarTag {
    const char *name;
    JsonType type;
} ScalarTag;

static const ScalarTag scalar_tags[] = {
    {"null", JSON_NULL},  {"bool", JSON_BOOL},  {"int", JSON_INT},
    {"float", JSON_REAL}, {"str", JSON_STRING},
};

/* Reads the text as the type that the tag names. */
static int apply_tag(const Reader *r, const yaml_event_t *event, Str text, Json *node)
{
    const yaml_char_t *tag = event->data.scalar.tag;
    for (size_t i = 0; i < ARRAY_LEN(scalar_tags); i++) {
        if (!is_core_tag(tag, scalar_tags[i].name))
            continue;
        if (scalar_tags[i].type == JSON_STRING)
            break;
        yaml_resolve(text, node);
        if (node->type == JSON_INT && scalar_tags[i].type == JSON_REAL) {
            node->type = JSON_REAL;
            node->real = (double)node->integer;
            node->text = STR_NONE;
        }
        if (node->type != scalar_tags[i].type)
            return tag_failed(r, tag, "a value that fits it", event->start_mark);
        return 0;
    }
    if (strcmp((const char *)tag, "!") != 0 && !is_core_tag(tag, "str"))
        return tag_failed(r, tag, "none but !!null, !!bool, !!int, !!float, !!str, !!seq and !!map",
                          event->start_mark);
    node->type = JSON_STRING;
    node->text = text;
    return 0;
}

static int read_scalar(Reader *r, const yaml_event_t *event, Json **ret)
{
    Json *node = json_new(r->arena, JSON_STRING);
    node->line = (int)event->start_mark.line + 1;
    node->column = (int)event->start_mark.column + 1;
    size_t n = event->data.scalar.length;
    if (count(r, 1, n, event->start_mark) < 0)
        return -1;
    Str text = {arena_strndup(r->arena, (const char *)event->data.scalar.value, n), n};
    if (event->data.scalar.tag) {
        if (apply_tag(r, event, text, node) < 0)
            return -1;
    } else if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        yaml_resolve(text, node);
    } else {
        node->text = text;
    }
    Anchor *anchor = NULL;
    if (add_anchor(r, event->data.scalar.anchor, node, event->start_mark, &anchor) < 0)
        return -1;
    if (anchor) {
        anchor->is_complete = true;
        anchor->n_nodes = 1;
        anchor->n_bytes = n;
    }
    *ret = node;
    return 0;
}

/* ---- structure ---- */

static int take_key(Reader *r, const yaml_event_t *event, const Json *node)
{
    Level *level = top(r);
    bool is_plain =
        event->type == YAML_SCALAR_EVENT && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (node->type != JSON_STRING) {
        (void)error_set(r->err, ERR_BAD_DATA, "expected a key that is text, found %s",
                        json_type_name(node->type));
        if (event->type == YAML_SCALAR_EVENT)
            (void)error_fix(r->err, "put the key in quotes");
        return at_mark(r, event->start_mark);
    }
    if (is_plain && str_eqz(node->text, "<<")) {
        (void)error_set(r->err, ERR_BAD_DATA,
                        "found a merge key (<<), which YAML 1.2 does not have");
        (void)error_fix(r->err, "write the keys out, or use an alias for a whole value");
        return at_mark(r, event->start_mark);
    }
    level->has_key = true;
    level->key = node->text;
    level->key_line = (int)event->start_mark.line + 1;
    level->key_column = (int)event->start_mark.column + 1;
    return 0;
}

static bool wants_key(Reader *r)
{
    const Level *level = top(r);
    return level && level->container->type == JSON_OBJECT && !level->has_key;
}

/* Hangs a node where the next one belongs. */
static void place(Reader *r, Json *node)
{
    Level *level = top(r);
    if (!level) {
        r->root = node;
        return;
    }
    if (level->has_key) {
        node->key = level->key;
        node->key_line = level->key_line;
        node->key_column = level->key_column;
        level->has_key = false;
    }
    json_link(level->container, node);
}

static int read_leaf(Reader *r, const yaml_event_t *event)
{
    Json *node = NULL;
    int status = event->type == YAML_ALIAS_EVENT ? read_alias(r, event, &node)
                                                 : read_scalar(r, event, &node);
    if (status < 0)
        return -1;
    if (wants_key(r))
        return take_key(r, event, node);
    place(r, node);
    return 0;
}

static int open_container(Reader *r, const yaml_event_t *event)
{
    bool is_mapping = event->type == YAML_MAPPING_START_EVENT;
    const yaml_char_t *tag =
        is_mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    const yaml_char_t *name =
        is_mapping ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    if (wants_key(r)) {
        (void)error_set(r->err, ERR_BAD_DATA, "expected a key that is text, found %s",
                        is_mapping ? "a mapping" : "a list");
        (void)error_fix(r->err, "put it in quotes if it is meant as text");
        return at_mark(r, event->start_mark);
    }
    if (tag && strcmp((const char *)tag, "!") != 0 && !is_core_tag(tag, is_mapping ? "map" : "seq"))
        return tag_failed(r, tag, is_mapping ? "none but !!map" : "none but !!seq",
                          event->start_mark);
    if (count(r, 1, 0, event->start_mark) < 0)
        return -1;
    Json *node = json_new(r->arena, is_mapping ? JSON_OBJECT : JSON_ARRAY);
    node->line = (int)event->start_mark.line + 1;
    node->column = (int)event->start_mark.column + 1;
    place(r, node);
    Anchor *anchor = NULL;
    if (add_anchor(r, name, node, event->start_mark, &anchor) < 0)
        return -1;
    return push(r, node, anchor, event->start_mark);
}

static int close_container(Reader *r)
{
    const Level *level = top(r);
    Json *node = level->container;
    if (level->anchor) {
        level->anchor->is_complete = true;
        level->anchor->n_nodes = r->n_nodes - level->nodes_before;
        level->anchor->n_bytes = r->n_bytes - level->bytes_before;
    }
    r->n_levels--;
    if (node->type != JSON_OBJECT)
        return 0;
    if (r->limits->allow_duplicates) {
        json_drop_duplicates(node);
        return 0;
    }
    const Json *earlier = NULL;
    const Json *later = json_find_duplicate(node, &earlier);
    if (!later)
        return 0;
    char shown[JSON_LEX_SHOWN_MAX];
    (void)error_set(r->err, ERR_BAD_DATA,
                    "found the key \"%s\" again (first at line %d, column %d)",
                    json_lex_show(later->key, shown), earlier->key_line, earlier->key_column);
    (void)error_fix(r->err, "remove one of the two");
    return at_place(r, later->key_line, later->key_column);
}

static int take_event(Reader *r, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (!r->root)
            return 0;
        (void)error_set(r->err, ERR_BAD_DATA, "found a second document, expected one");
        (void)error_fix(r->err, "put each document in a file of its own");
        return at_mark(r, event->start_mark);
    case YAML_SCALAR_EVENT:
    case YAML_ALIAS_EVENT: return read_leaf(r, event);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT: return open_container(r, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return close_container(r);
    default: return 0;
    }
}

static int read_events(Reader *r)
{
    bool is_over = false;
    while (!is_over) {
        yaml_event_t event;
        if (!yaml_parser_parse(r->parser, &event))
            return syntax_failed(r);
        int status = take_event(r, &event);
        is_over = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        if (status < 0)
            return -1;
    }
    return 0;
}

static int check_utf8(const Reader *r)
{
    size_t good = str_utf8_prefix(r->text);
    if (good == r->text.n)
        return 0;
    int line = 1;
    size_t line_start = 0;
    for (size_t i = 0; i < good; i++)
        if (r->text.p[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    (void)error_set(r->err, ERR_BAD_DATA, "found byte 0x%02X, expected UTF-8",
                    (unsigned char)r->text.p[good]);
    (void)error_fix(r->err, "save the file as UTF-8");
    return at_place(r, line, (int)(good - line_start) + 1);
}

static int read_yaml(Reader *r)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        abort();
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)r->text.p, r->text.n);
    r->parser = &parser;
    int status = read_events(r);
    yaml_parser_delete(&parser);
    r->parser = NULL;
    free(r->levels);
    free(r->anchors);
    if (status < 0)
        return -1;
    if (!r->root) {
        r->root = json_new(r->arena, JSON_NULL);
        r->root->line = 1;
        r->root->column = 1;
    }
    return 0;
}

/* JSON is read as such, since libyaml does not take all of it (surrogate pairs, keys over 1024
   bytes). Its errors are left to YAML to explain, since the text may only look like JSON. */
static Json *read_json(Arena *arena, Str text, const JsonLimits *limits)
{
    Str trimmed = str_trim(text);
    if (trimmed.n == 0 || (trimmed.p[0] != '{' && trimmed.p[0] != '['))
        return NULL;
    JsonLimits strict = *limits;
    strict.allow_nan = false;
    auto_error Error err = ERROR_INIT;
    Json *root = NULL;
    /* A tree of json_parse points into the text, which here need not live as long as the arena. */
    return json_parse(arena, arena_str(arena, text), &strict, &root, &err) == 0 ? root : NULL;
}

int yaml_parse(Arena *arena, Str text, const char *file, const JsonLimits *limits, Json **ret,
               Error *err)
{
    if (text.n > limits->bytes)
        return error_set(err, ERR_BAD_DATA, "%s has %zu bytes, over the limit of %zu", file, text.n,
                         limits->bytes);
    if (str_starts(text, STR("\xEF\xBB\xBF")))
        text = str_slice(text, 3, text.n);
    /* libyaml is never given a NULL, which it asserts against. */
    if (!text.p)
        text = STR("");
    Json *json = read_json(arena, text, limits);
    if (json) {
        *ret = json;
        return 0;
    }
    Reader reader = {.arena = arena, .limits = limits, .file = file, .text = text, .err = err};
    if (check_utf8(&reader) < 0 || read_yaml(&reader) < 0)
        return -1;
    *ret = reader.root;
    return 0;
}
