/* Secret: text that does not print, does not serialise and is wiped when it ends. */
#ifndef HAWK_BASE_SECRET_H
#define HAWK_BASE_SECRET_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

typedef struct Secret Secret;

/* Copies the text, or makes n random bytes in base64url (RFC 4648, section 5, without padding). */
Secret *secret_new(Str text) HAWK_MUST_USE;
Secret *secret_random(size_t n_bytes) HAWK_MUST_USE;

/* Wipes and frees; NULL is fine. */
void secret_free(Secret *secret);

/* The text, for the one place that hands it to its user (a header, an environment, a hash). */
Str secret_reveal(const Secret *secret);

/* Comparison whose time does not depend on where the texts differ. */
bool secret_eq(const Secret *secret, Str other);

/* Whether a variable of this name would hold a secret: API_KEY, HF_TOKEN. */
bool secret_sounds(Str name);

HAWK_DEFINE_AUTO(Secret, secret, secret_free)
#define auto_secret HAWK_CLEANUP(secret_cleanup_)

#endif
