/* Parsing by an option table. */

#include "base/opt.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum { NAMES_MAX = 128 };

/* Where a parse stands. */
typedef struct Parse {
    Arena *arena;
    const OptTarget *targets;
    size_t n_targets;
    int argc;
    char *const *argv;
    int at;          /* the next word */
    size_t next_arg; /* of the first target */
    bool stopped;
    Error *err;
} Parse;

static void *field(void *record, size_t offset)
{
    return (char *)record + offset;
}

static bool takes_value(OptKind kind)
{
    return kind != OPT_FLAG && kind != OPT_STOP;
}

static bool is_choice(const char *choices, const char *value)
{
    Str rest = str_of(choices);
    Str one = STR_NONE;
    while (str_split(&rest, '|', &one))
        if (str_eqz(one, value))
            return true;
    return false;
}

static void list_add(Arena *arena, OptList *list, const char *value)
{
    if ((list->n & (list->n - 1)) == 0) {
        const char **items = arena_array(arena, list->n ? list->n * 2 : 1, sizeof(*items));
        if (list->n)
            memcpy(items, list->items, list->n * sizeof(*items));
        list->items = items;
    }
    list->items[list->n++] = value;
}

static int bad_number(const OptRow *row, const char *value, Error *err)
{
    const char *what = row->kind == OPT_INT ? "a whole number" : "a number";
    if (row->max != 0)
        return error_set(err, ERR_USAGE, "--%s wants %s from %g to %g, not '%s'", row->name, what,
                         row->min, row->max, value);
    return error_set(err, ERR_USAGE, "--%s wants %s of at least %g, not '%s'", row->name, what,
                     row->min, value);
}

static int set_int(const OptRow *row, void *record, const char *value, Error *err)
{
    int64_t number = 0;
    double max = row->max != 0 ? row->max : 9e15;
    if (str_to_i64(str_of(value), (int64_t)row->min, (int64_t)max, &number) < 0)
        return bad_number(row, value, err);
    *(int64_t *)field(record, row->offset) = number;
    return 0;
}

static int set_real(const OptRow *row, void *record, const char *value, Error *err)
{
    double number = 0;
    if (str_to_double(str_of(value), &number) < 0 || number < row->min ||
        (row->max != 0 && number > row->max))
        return bad_number(row, value, err);
    *(double *)field(record, row->offset) = number;
    return 0;
}

static int set_value(Arena *arena, const OptRow *row, void *record, const char *value, Error *err)
{
    switch (row->kind) {
    case OPT_FLAG:
    case OPT_STOP: *(bool *)field(record, row->offset) = true; return 0;
    case OPT_INT: return set_int(row, record, value, err);
    case OPT_REAL: return set_real(row, record, value, err);
    case OPT_LIST:
    case OPT_FILES: list_add(arena, field(record, row->offset), value); return 0;
    case OPT_CHOICE:
        if (!is_choice(row->choices, value))
            return error_set(err, ERR_USAGE, "--%s wants one of %s, not '%s'", row->name,
                             row->choices, value);
        break;
    case OPT_TEXT:
    case OPT_FILE:
    case OPT_FOLDER: break;
    }
    *(const char **)field(record, row->offset) = value;
    return 0;
}

static int set_defaults(const OptTarget *target, Arena *arena, Error *err)
{
    for (size_t i = 0; i < target->spec->n_rows; i++) {
        const OptRow *row = &target->spec->rows[i];
        if (row->fallback && set_value(arena, row, target->record, row->fallback, err) < 0)
            return -1;
    }
    return 0;
}

/* The row that a long name (letter 0) or a letter means, and the record it fills. */
static const OptRow *find_row(const Parse *parse, Str name, char letter, void **ret_record)
{
    for (size_t t = 0; t < parse->n_targets; t++) {
        const OptSpec *spec = parse->targets[t].spec;
        for (size_t i = 0; i < spec->n_rows; i++) {
            const OptRow *row = &spec->rows[i];
            if (letter ? row->letter == letter : str_eqz(name, row->name)) {
                *ret_record = parse->targets[t].record;
                return row;
            }
        }
    }
    return NULL;
}

static int no_such_option(const Parse *parse, Str name)
{
    const char *names[NAMES_MAX];
    size_t n = 0;
    for (size_t t = 0; t < parse->n_targets; t++) {
        const OptSpec *spec = parse->targets[t].spec;
        for (size_t i = 0; i < spec->n_rows && n < NAMES_MAX; i++)
            if (!spec->rows[i].is_hidden)
                names[n++] = spec->rows[i].name;
    }
    (void)error_set(parse->err, ERR_USAGE, "no such option: --%.*s", STR_ARG(name));
    const char *close = opt_closest(name, names, n);
    if (close)
        (void)error_fix(parse->err, "did you mean --%s?", close);
    return -1;
}

/* The value of an option: what stands behind '=' or in the cluster, else the next word. */
static int value_of(Parse *parse, const OptRow *row, const char *attached, const char **ret)
{
    if (!attached) {
        if (parse->at >= parse->argc)
            return error_set(parse->err, ERR_USAGE, "--%s needs a value (%s)", row->name,
                             opt_metavar(row));
        attached = parse->argv[parse->at++];
    }
    *ret = attached;
    return 0;
}

static int parse_long(Parse *parse, const char *word)
{
    Str name = str_of(word);
    ptrdiff_t equals = str_find(name, '=');
    const char *attached = NULL;
    if (equals >= 0) {
        attached = word + equals + 1;
        name = str_slice(name, 0, (size_t)equals);
    }
    void *record = NULL;
    const OptRow *row = find_row(parse, name, 0, &record);
    if (!row)
        return no_such_option(parse, name);
    const char *value = NULL;
    if (takes_value(row->kind)) {
        if (value_of(parse, row, attached, &value) < 0)
            return -1;
    } else if (attached) {
        return error_set(parse->err, ERR_USAGE, "--%s takes no value", row->name);
    }
    parse->stopped = row->kind == OPT_STOP;
    return set_value(parse->arena, row, record, value, parse->err);
}

static int parse_letters(Parse *parse, const char *letters)
{
    for (const char *p = letters; *p && !parse->stopped; p++) {
        void *record = NULL;
        const OptRow *row = find_row(parse, STR_NONE, *p, &record);
        if (!row)
            return error_set(parse->err, ERR_USAGE, "no such option: -%c", *p);
        if (takes_value(row->kind)) {
            const char *value = NULL;
            if (value_of(parse, row, p[1] ? p + 1 : NULL, &value) < 0)
                return -1;
            return set_value(parse->arena, row, record, value, parse->err);
        }
        parse->stopped = row->kind == OPT_STOP;
        if (set_value(parse->arena, row, record, NULL, parse->err) < 0)
            return -1;
    }
    return 0;
}

static int take_argument(Parse *parse, const char *word)
{
    const OptSpec *spec = parse->targets[0].spec;
    void *record = parse->targets[0].record;
    if (parse->next_arg >= spec->n_args)
        return error_set(parse->err, ERR_USAGE, "one argument too many: '%s'", word);
    const OptArg *arg = &spec->args[parse->next_arg];
    if (arg->kind == OPT_LIST || arg->kind == OPT_FILES) {
        list_add(parse->arena, field(record, arg->offset), word);
        return 0;
    }
    parse->next_arg++;
    if (arg->kind == OPT_CHOICE && !is_choice(arg->choices, word))
        return error_set(parse->err, ERR_USAGE, "%s must be one of %s, not '%s'", arg->name,
                         arg->choices, word);
    *(const char **)field(record, arg->offset) = word;
    return 0;
}

static int check_arguments(const Parse *parse)
{
    const OptSpec *spec = parse->targets[0].spec;
    for (size_t i = parse->next_arg; i < spec->n_args; i++) {
        const OptArg *arg = &spec->args[i];
        bool is_list = arg->kind == OPT_LIST || arg->kind == OPT_FILES;
        const OptList *list = is_list ? field(parse->targets[0].record, arg->offset) : NULL;
        if (!arg->is_optional && !(list && list->n > 0))
            return error_set(parse->err, ERR_USAGE, "missing argument %s", arg->name);
    }
    return 0;
}

int opt_parse(Arena *arena, const OptTarget *targets, size_t n_targets, int argc, char *const *argv,
              Error *err)
{
    assert(n_targets > 0 && n_targets <= OPT_TARGETS_MAX);
    Parse parse = {.arena = arena,
                   .targets = targets,
                   .n_targets = n_targets,
                   .argc = argc,
                   .argv = argv,
                   .err = err};
    for (size_t i = 0; i < n_targets; i++)
        if (set_defaults(&targets[i], arena, err) < 0)
            return -1;
    bool options_over = false;
    while (parse.at < argc && !parse.stopped) {
        const char *word = argv[parse.at++];
        int failed = 0;
        if (options_over || word[0] != '-' || word[1] == '\0')
            failed = take_argument(&parse, word);
        else if (strcmp(word, "--") == 0)
            options_over = true;
        else if (word[1] == '-')
            failed = parse_long(&parse, word + 2);
        else
            failed = parse_letters(&parse, word + 1);
        if (failed < 0)
            return -1;
    }
    return parse.stopped ? 0 : check_arguments(&parse);
}

const char *opt_closest(Str given, const char *const *names, size_t n)
{
    const char *best = NULL;
    size_t best_distance = given.n / 3 + 1;
    for (size_t i = 0; i < n; i++) {
        size_t distance = str_distance(given, str_of(names[i]));
        bool is_start = given.n >= 2 && str_starts(str_of(names[i]), given);
        if (distance <= best_distance || (is_start && !best)) {
            best = names[i];
            if (distance < best_distance)
                best_distance = distance;
        }
    }
    return best;
}
