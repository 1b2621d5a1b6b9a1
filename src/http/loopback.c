/* Which names and addresses are this machine. */

#include "http/loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

bool loopback_is_name(Str name)
{
    char text[INET6_ADDRSTRLEN] = "";
    struct in_addr v4;
    struct in6_addr v6;
    if (str_eq_nocase(name, STR("localhost")))
        return true;
    if (name.n == 0 || name.n >= sizeof(text))
        return false;
    memcpy(text, name.p, name.n);
    if (inet_pton(AF_INET, text, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    if (inet_pton(AF_INET6, text, &v6) != 1)
        return false;
    return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

bool loopback_is_host(Str host)
{
    bool is_v6 = host.n && host.p[0] == '[';
    ptrdiff_t end = is_v6 ? str_find(host, ']') : str_find(host, ':');
    if (is_v6 && end < 0)
        return false;
    Str name = str_slice(host, is_v6, end < 0 ? host.n : (size_t)end);
    /* Behind the name there is nothing, or a port. */
    Str rest = end < 0 ? STR_NONE : str_slice(host, (size_t)end + is_v6, host.n);
    int64_t port = 0;
    if (rest.n && (rest.p[0] != ':' || str_to_i64(str_slice(rest, 1, rest.n), 0, 65535, &port) < 0))
        return false;
    return loopback_is_name(name);
}

/* The part of a URL between its slashes: host and port. */
static Str authority_of(Str url)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        Str scheme = str_of(schemes[i]);
        if (!str_starts(url, scheme))
            continue;
        size_t end = scheme.n;
        while (end < url.n && !strchr("/?#", url.p[end]))
            end++;
        return str_slice(url, scheme.n, end);
    }
    return STR_NONE;
}

bool loopback_is_url(Str url)
{
    Str authority = authority_of(url);
    if (str_find(authority, '@') >= 0)
        return false;
    bool is_v6 = authority.n && authority.p[0] == '[';
    ptrdiff_t end = str_find(authority, is_v6 ? ']' : ':');
    if (is_v6 && end < 0)
        return false;
    return loopback_is_name(str_slice(authority, is_v6, end < 0 ? authority.n : (size_t)end));
}
