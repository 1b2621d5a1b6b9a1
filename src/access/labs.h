/* Labs: whether models of one lab may be given to read what secret models of another have said. */
#ifndef HAWK_ACCESS_LABS_H
#define HAWK_ACCESS_LABS_H

#include "access/caller.h"
#include "access/models.h"

/* What a scan brings together: names of models, as configs and logs have them. */
typedef struct LabsScan {
    const Str *sources; /* whose transcripts are read */
    size_t n_sources;
    const Str *scanners; /* that read them */
    size_t n_scanners;
    bool is_allowed; /* the caller says that it is to be so all the same */
} LabsScan;

/* Each model of the sources that is not in ACCESS_GROUP_PUBLIC must be of the same lab as each
   scanner: its `lab` in the registry, or its `provider`. ERR_DENIED with code "job.cross_lab",
   ERR_BAD_DATA with "job.lab_unknown". Whoever audits the caller is told of a refusal, and of a
   scan that only is_allowed lets through. */
int labs_check(const Caller *caller, const Models *models, const LabsScan *scan,
               Error *err) HAWK_MUST_USE;

#endif
