/* ExportLists: lists that are no tables of the warehouse, jobs and imports, as files. They are
   short enough to be put together in memory. */
#ifndef HAWK_SERVER_EXPORT_LISTS_H
#define HAWK_SERVER_EXPORT_LISTS_H

#include "base/buf.h"
#include "base/error.h"
#include "codec/frame.h"
#include "server/route.h"

typedef struct ExportList ExportList;

/* The list of a name, or NULL; its name. */
const ExportList *export_list_find(Str name);
const char *export_list_name(const ExportList *list);

/* Appends what the caller may see of a list; ids are of eval sets or jobs, none: all. ERR_BAD_DATA
   when there is too much. */
int export_list_write(RouteCtx *ctx, const ExportList *list, const Str *ids, size_t n_ids,
                      FrameFormat format, bool for_excel, Buf *ret, Error *err) HAWK_MUST_USE;

#endif
