/* Files of environment variables (.env):

       # a comment
       NAME=value             # spaces around are cut; " #" begins a comment
       export NAME="a\nb"     \n \r \t \a \b \f \v \\ \" \' mean what they do in C; other
   backslashes stay NAME='it\'s'           \' and \\ only

   A quoted value may go over lines. Nothing is expanded. */
#ifndef HAWK_CODEC_DOTENV_H
#define HAWK_CODEC_DOTENV_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

enum { DOTENV_BYTES_MAX = 1 << 20, DOTENV_VARIABLES_MAX = 4096 };

typedef struct DotenvVariable {
    Str name;  /* [A-Za-z_][A-Za-z0-9_.-]* */
    Str value; /* UTF-8 without NUL, with a NUL behind it; may be empty */
    int line;
} DotenvVariable;

typedef struct Dotenv {
    DotenvVariable *variables;
    size_t n;
} Dotenv;

/* Reads text into the arena; file is for messages. Errors are ERR_BAD_DATA "<file>:L: ..." and
 * never show a value. */
int dotenv_parse(Arena *arena, Str text, const char *file, Dotenv *ret, Error *err) HAWK_MUST_USE;

/* The value of the last variable of this name, or STR_NONE. */
Str dotenv_get(const Dotenv *env, const char *name);

#endif
