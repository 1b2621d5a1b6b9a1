/* What a database belongs to: one store, whose logs its rows are made of, and one data folder, from
   which its jobs run. A server that has another of either would take all logs for gone and start
   running jobs a second time. */
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
    const char *data_dir;
    const char *issuer;  /* NULL: there is no identity provider */
    bool owns_database;  /* it is in the data folder, as a file */
    bool owns_store;     /* it is in the data folder, as a folder */
    bool adopts;         /* the database is to belong to this store and data folder from now on */
    bool is_single_user; /* the database is to be one person's, whatever it was before */
} PairingOptions;

/* Holds the database against store, data folder and identity provider, and records what is new.
   Ids are made where there are none. ERR_CONFLICT with code "server.other_data",
   "server.other_store" or "server.had_provider" names both sides and how to mend it; then nothing
   was changed but that the data folder may have got its id. Call it with the data folder locked. */
int pairing_check(const PairingOptions *options, Error *err) HAWK_MUST_USE;

#endif
