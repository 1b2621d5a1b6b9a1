/* Writes JSON as Python does: python_text dumps|str|repr|WIDTH, a value per line of standard input,
   for each a line with the text as a JSON string. A number is the width of pprint. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json_out.h"
#include "codec/python_text.h"

enum { LINE_MAX_BYTES = 64 << 20 };

static void write_value(const char *how, Str json, Buf *ret)
{
    if (strcmp(how, "dumps") == 0)
        python_text_dumps(ret, json);
    else if (strcmp(how, "str") == 0)
        python_text_str(ret, json);
    else if (strcmp(how, "repr") == 0)
        python_text_repr(ret, json);
    else
        python_text_pformat(ret, json, (size_t)strtoul(how, NULL, 10));
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n = 0;
    if (argc != 2)
        return 2;
    while ((n = getline(&line, &cap, stdin)) > 0) {
        auto_buf Buf text = BUF_INIT(LINE_MAX_BYTES);
        auto_buf Buf shown = BUF_INIT(LINE_MAX_BYTES);
        JsonOut out;
        size_t length = line[n - 1] == '\n' ? (size_t)n - 1 : (size_t)n;
        write_value(argv[1], (Str){line, length}, &text);
        json_out_init(&out, &shown, 0);
        json_out_str(&out, buf_str(&text));
        (void)printf("%s\n", shown.data);
    }
    free(line);
    return 0;
}
