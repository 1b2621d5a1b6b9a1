/* What a database belongs to: one store, whose logs its rows are made of, and an identity provider
   once it had one. A server with another store would take all logs for gone; one without the
   provider would show everything to whoever starts it. */
#ifndef HAWK_SERVER_PAIRING_H
#define HAWK_SERVER_PAIRING_H

#include <stdbool.h>

#include "base/error.h"
#include "sql/sql.h"
#include "store/store.h"

#define PAIRING_STORE_KEY ".hawk-store" /* the object in a store that holds its id */

typedef struct PairingOptions {
    Sql *sql; /* with the tables of the warehouse */
    Store *store;
    const char *issuer;  /* NULL: there is no identity provider */
    bool owns_database;  /* it is in the data folder, as a file */
    bool owns_store;     /* it is in the data folder, as a folder */
    bool adopts;         /* the database is to belong to this store from now on */
    bool is_single_user; /* the database is to be one person's, whatever it was before */
} PairingOptions;

/* Holds the database against store and identity provider, and records what is new. An id is made
   where there is none. ERR_CONFLICT with code "server.other_store" or "server.had_provider" names
   both sides and how to mend it; then nothing was changed. */
int pairing_check(const PairingOptions *options, Error *err) HAWK_MUST_USE;

/* The id of a data folder, which its file `id` has from the first start on; *ret is on the heap. A
   copy of the folder has the same. */
int pairing_folder_id(const char *data_dir, char **ret, Error *err) HAWK_MUST_USE;

#endif
