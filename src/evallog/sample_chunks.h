/* SampleChunks: the parts of a sample in chunks, for SampleParts. */
#ifndef HAWK_EVALLOG_SAMPLE_CHUNKS_H
#define HAWK_EVALLOG_SAMPLE_CHUNKS_H

#include "evallog/evallog_priv.h"
#include "evallog/sample_parts.h"

typedef struct SampleChunks SampleChunks;

/* As the functions of SampleParts; shell is the member sample.json. */
int sample_chunks_open(const EvalLog *log, const ZipEntry *shell, SampleChunks **ret,
                       Error *err) HAWK_MUST_USE;
int sample_chunks_next(SampleChunks *chunks, SamplePart *ret, Error *err) HAWK_MUST_USE;
void sample_chunks_close(SampleChunks *chunks);

HAWK_DEFINE_AUTO(SampleChunks, sample_chunks, sample_chunks_close)
#define auto_sample_chunks HAWK_CLEANUP(sample_chunks_cleanup_)

#endif
