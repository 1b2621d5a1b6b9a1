/* Numbers between spaces. */

#include "base/waits.h"

int waits_of(Str text, Waits *ret)
{
    Waits waits = {0};
    Str rest = str_trim(text);
    Str word = STR_NONE;
    int64_t seconds = 0;
    if (str_eqz(rest, "none")) {
        *ret = waits;
        return 0;
    }
    while (rest.p && str_split(&rest, ' ', &word)) {
        if (!word.n)
            continue;
        if (waits.n == WAITS_TRIES_MAX || str_to_i64(word, 0, WAITS_SECONDS_MAX, &seconds) < 0)
            return -1;
        waits.seconds[waits.n++] = (int)seconds;
    }
    if (waits.n == 0)
        return -1;
    *ret = waits;
    return 0;
}
