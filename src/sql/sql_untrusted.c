/* Statements that users type. What they may do is the drivers' business, and the database's; here
   is looked at what a statement begins with, so that most of what is refused is refused in words.
 */

#include "base/mem.h"
#include "sql/sql_priv.h"

static const char *const beginnings[] = {"SELECT", "WITH", "VALUES", "EXPLAIN", "TABLE"};

static Str skip_block_comment(Str text)
{
    ptrdiff_t end = str_find_str(str_slice(text, 2, text.n), STR("*/"));
    return end < 0 ? str_slice(text, text.n, text.n) : str_slice(text, (size_t)end + 4, text.n);
}

static Str skip_line(Str text)
{
    ptrdiff_t end = str_find(text, '\n');
    return end < 0 ? str_slice(text, text.n, text.n) : str_slice(text, (size_t)end, text.n);
}

/* The first word, behind white space, comments and opening brackets. */
static Str first_word(Str text)
{
    for (;;) {
        text = str_trim(text);
        if (str_starts(text, STR("--")))
            text = skip_line(text);
        else if (str_starts(text, STR("/*")))
            text = skip_block_comment(text);
        else if (text.n > 0 && text.p[0] == '(')
            text = str_slice(text, 1, text.n);
        else
            break;
    }
    size_t n = 0;
    while (n < text.n && ((text.p[n] | 0x20) >= 'a' && (text.p[n] | 0x20) <= 'z'))
        n++;
    return str_slice(text, 0, n);
}

static int check_beginning(const char *statement, Error *err)
{
    Str word = first_word(str_of(statement));
    for (size_t i = 0; i < ARRAY_LEN(beginnings); i++)
        if (str_eq_nocase(word, str_of(beginnings[i])))
            return 0;
    (void)error_set(err, ERR_DENIED, "a statement may only read");
    return error_fix(err, "begin it with SELECT, WITH, VALUES or EXPLAIN");
}

int sql_query_untrusted(SqlTx *tx, const char *statement, int max_ms, SqlRows **ret, Error *err)
{
    if (strlen(statement) > SQL_UNTRUSTED_MAX)
        return error_set(err, ERR_USAGE, "the statement is over the limit of %d bytes",
                         SQL_UNTRUSTED_MAX);
    if (check_beginning(statement, err) < 0 || sql_tx_limit_ms(tx, max_ms, err) < 0)
        return -1;
    if (sql_query(tx, statement, SQL_NO_ARGS, ret, err) == 0)
        return 0;
    if (err->kind == ERR_INTERNAL)
        err->kind = ERR_USAGE; /* whoever typed it can mend it */
    return -1;
}
