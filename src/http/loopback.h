/* Which names and addresses are this machine: requests to it are for no proxy, need no TLS, and may
   speak of its files. */
#ifndef HAWK_HTTP_LOOPBACK_H
#define HAWK_HTTP_LOOPBACK_H

#include "base/str.h"

/* Whether a name is localhost or an address that never leaves the machine: 127.0.0.0/8 (RFC 1122,
   section 3.2.1.3), ::1 (RFC 4291, section 2.5.3) or an IPv4 one written as ::ffff:127.0.0.1. Other
   names are not looked up. */
bool loopback_is_name(Str name);

/* The same of a Host header: a name or address, IPv6 in brackets, and perhaps a port (RFC 9110,
   section 7.2). */
bool loopback_is_host(Str host);

/* The same of the host of an http or https URL (RFC 3986, section 3.2). False for a URL with user
   information, which is easily taken for the host. */
bool loopback_is_url(Str url);

#endif
