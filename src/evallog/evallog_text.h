/* EvalLogText: one JSON text of a log (a member of the archive, a range of a `.json` log), in
   memory when it is small, else through a window. For the files of this folder. */
#ifndef HAWK_EVALLOG_EVALLOG_TEXT_H
#define HAWK_EVALLOG_EVALLOG_TEXT_H

#include "base/buf.h"
#include "base/source.h"
#include "codec/json_stream.h"
#include "codec/zip.h"
#include "evallog/evallog.h"

/* Stays where it is while it is open, since the stream refers to it. Zero bytes are a closed one.
 */
typedef struct EvalLogText {
    JsonStream *stream;
    Buf whole;    /* the text, when it was read into memory */
    Str borrowed; /* or when it was there before; else STR_NONE */
    bool is_whole;
    ZipMember *member;
    Source *source;
    uint64_t at; /* in the source */
    uint64_t left;
} EvalLogText;

/* Opens a member, or size bytes of the file at offset; what was open before is closed. Texts of up
   to SAMPLE_PARTS_WHOLE_MAX bytes are read at once; of larger ones no value may be over
   SAMPLE_PARTS_PART_MAX. */
int evallog_text_open_member(EvalLogText *text, const EvalLog *log, const ZipEntry *entry,
                             Error *err) HAWK_MUST_USE;
int evallog_text_open_range(EvalLogText *text, const EvalLog *log, uint64_t offset, uint64_t size,
                            Error *err) HAWK_MUST_USE;

/* A member through a window of 64 KB, whatever its size: for a reader who may stop before the end,
   and so before the checksum. */
int evallog_text_open_search(EvalLogText *text, const EvalLog *log, const ZipEntry *entry,
                             Error *err) HAWK_MUST_USE;

/* The same of a text in memory, which must outlive it. */
void evallog_text_open_text(EvalLogText *text, Str json);
void evallog_text_close(EvalLogText *text);

/* Starts a text that is whole again. */
void evallog_text_rewind(EvalLogText *text);

#define auto_evallog_text HAWK_CLEANUP(evallog_text_close)

#endif
