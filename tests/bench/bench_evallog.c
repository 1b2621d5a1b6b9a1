/* What reading logs costs, in seconds of the clock and of the processor: bench_evallog WHAT PATH
   [N].

     headers FOLDER [THREADS]     opens each log of the folder and reads its header
     parts LOG [THREADS]          all parts of all samples: unpacked, checksums and grammar checked
     unpack LOG [THREADS]         only unpacked and checksums checked
     one LOG ID                   opens the log, finds a sample in epoch 1 and takes its parts
     uuid LOG UUID                the same by its uuid
     unpack-one LOG ID            in an open log, only unpacks a sample and checks its checksum
     unpack-member LOG NAME       the same of a member
   Each is done several times; prints the median as JSON. */

#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "bench_peak.h"
#include "codec/zip.h"
#include "evallog/sample_parts.h"

enum { MANY_RUNS = 99, RUNS = 9, FEW_RUNS = 3, THREADS_MAX = 64 };
enum { SHORT_US = 20000, LONG_US = 2000000 }; /* of a run: below it many, above it few are made */

typedef struct Job Job;

/* Does one part of the work; -1 after an error, which it printed. */
typedef int Work(Job *job, size_t i);

struct Job {
    Work *work;
    const char *path;
    const char *id;
    char **names;
    size_t n; /* parts of the work */
    EvalLog *log;
    const EvalLogSamples *samples;
    Source *source;
    Zip *zip;
    atomic_size_t next;
    atomic_size_t n_bytes;
    atomic_size_t n_things;
    atomic_bool has_failed;
};

static int complain(const Error *err)
{
    fprintf(stderr, "%s\n", error_text(err));
    return -1;
}

static EvalLog *open_log(const char *path)
{
    auto_error Error err = ERROR_INIT;
    Source *source = NULL;
    EvalLog *log = NULL;
    if (source_open_file(path, &source, &err) < 0) {
        (void)complain(&err);
        return NULL;
    }
    if (evallog_open(source, &log, &err) < 0) {
        (void)complain(&err);
        source_close(source);
    }
    return log;
}

static int read_header(Job *job, size_t i)
{
    auto_error Error err = ERROR_INIT;
    auto_evallog EvalLog *log = open_log(job->names[i]);
    const EvalLogHeader *header = NULL;
    if (!log)
        return -1;
    if (evallog_header(log, &header, &err) < 0)
        return complain(&err);
    job->n_things++;
    job->n_bytes += header->raw.n;
    return 0;
}

static int take_parts(Job *job, const EvalLog *log, const EvalLogSample *sample)
{
    auto_error Error err = ERROR_INIT;
    auto_sample_parts SampleParts *parts = NULL;
    SamplePart part;
    if (sample_parts_open(log, sample, &parts, &err) < 0)
        return complain(&err);
    int has_part = 0;
    while ((has_part = sample_parts_next(parts, &part, &err)) == 1)
        job->n_things++;
    if (has_part < 0)
        return complain(&err);
    job->n_bytes += sample->size;
    return 0;
}

static int read_parts(Job *job, size_t i)
{
    return take_parts(job, job->log, &job->samples->items[i]);
}

static int unpack(Job *job, size_t i)
{
    auto_error Error err = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(SAMPLE_PARTS_PART_MAX);
    if (evallog_read_sample(job->log, &job->samples->items[i], &text, &err) < 0)
        return complain(&err);
    job->n_things++;
    job->n_bytes += text.len;
    return 0;
}

static int read_found(Job *job, bool by_uuid)
{
    auto_error Error err = ERROR_INIT;
    auto_evallog EvalLog *log = open_log(job->path);
    const EvalLogSample *sample = NULL;
    if (!log)
        return -1;
    int result = by_uuid ? evallog_find_uuid(log, str_of(job->id), &sample, &err)
                         : evallog_find_sample(log, str_of(job->id), 1, &sample, &err);
    return result < 0 ? complain(&err) : take_parts(job, log, sample);
}

static int read_one(Job *job, size_t i)
{
    (void)i;
    return read_found(job, false);
}

static int unpack_one(Job *job, size_t i)
{
    (void)i;
    auto_error Error err = ERROR_INIT;
    const EvalLogSample *sample = NULL;
    auto_buf Buf text = BUF_INIT(SAMPLE_PARTS_PART_MAX);
    if (evallog_find_sample(job->log, str_of(job->id), 1, &sample, &err) < 0 ||
        evallog_read_sample(job->log, sample, &text, &err) < 0)
        return complain(&err);
    job->n_bytes += text.len;
    return 0;
}

static int unpack_member(Job *job, size_t i)
{
    (void)i;
    auto_error Error err = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(SAMPLE_PARTS_PART_MAX);
    const ZipEntry *entry = zip_find(job->zip, str_of(job->id));
    if (!entry || zip_read(job->zip, entry, &text, &err) < 0)
        return complain(&err);
    job->n_bytes += text.len;
    return 0;
}

static int read_uuid(Job *job, size_t i)
{
    (void)i;
    return read_found(job, true);
}

static void *run_thread(void *context)
{
    Job *job = context;
    for (size_t i = job->next++; i < job->n && !job->has_failed; i = job->next++) {
        if (job->work(job, i) < 0)
            job->has_failed = true;
    }
    return NULL;
}

static int run_once(Job *job, int n_threads)
{
    pthread_t threads[THREADS_MAX];
    job->next = 0;
    job->n_bytes = 0;
    job->n_things = 0;
    for (int i = 1; i < n_threads; i++) {
        if (pthread_create(&threads[i], NULL, run_thread, job) != 0)
            return -1;
    }
    (void)run_thread(job);
    for (int i = 1; i < n_threads; i++)
        (void)pthread_join(threads[i], NULL);
    return job->has_failed ? -1 : 0;
}

static int64_t cpu_us(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

static int measure(Job *job, int n_threads)
{
    int64_t wall[MANY_RUNS];
    int64_t cpu[MANY_RUNS];
    int n = 0;
    int wanted = MANY_RUNS;
    while (n < wanted) {
        int64_t wall_from = clock_now_us();
        int64_t cpu_from = cpu_us();
        if (run_once(job, n_threads) < 0)
            return -1;
        wall[n] = clock_now_us() - wall_from;
        cpu[n] = cpu_us() - cpu_from;
        wanted = cpu[n] > LONG_US ? FEW_RUNS : cpu[n] > SHORT_US ? RUNS : MANY_RUNS;
        n++;
    }
    qsort(wall, (size_t)n, sizeof(*wall), compare);
    qsort(cpu, (size_t)n, sizeof(*cpu), compare);
    printf("{\"wall\":%.6f,\"cpu\":%.6f,\"things\":%zu,\"bytes\":%zu,\"peak_kb\":%ld}\n",
           (double)wall[n / 2] / 1e6, (double)cpu[n / 2] / 1e6, (size_t)job->n_things,
           (size_t)job->n_bytes, bench_peak_kb());
    return 0;
}

static int list_logs(Job *job)
{
    DIR *folder = opendir(job->path);
    if (!folder)
        return -1;
    size_t room = 0;
    const struct dirent *entry = NULL;
    while ((entry = readdir(folder))) {
        if (!str_ends(str_of(entry->d_name), STR(".eval")))
            continue;
        if (job->n == room) {
            room = room ? room * 2 : 64;
            job->names = mem_resize(job->names, room, sizeof(*job->names));
        }
        job->names[job->n++] = fs_join(job->path, entry->d_name);
    }
    (void)closedir(folder);
    return 0;
}

static int open_samples(Job *job)
{
    auto_error Error err = ERROR_INIT;
    job->log = open_log(job->path);
    if (!job->log)
        return -1;
    if (evallog_samples(job->log, &job->samples, &err) < 0)
        return complain(&err);
    job->n = job->samples->n;
    return 0;
}

static int open_one(Job *job)
{
    job->n = 1;
    job->log = open_log(job->path);
    return job->log ? 0 : -1;
}

static int open_archive(Job *job)
{
    auto_error Error err = ERROR_INIT;
    job->n = 1;
    if (source_open_file(job->path, &job->source, &err) < 0 ||
        zip_open(job->source, &job->zip, &err) < 0)
        return complain(&err);
    return 0;
}

static int open_nothing(Job *job)
{
    job->n = 1;
    return 0;
}

typedef struct Kind {
    const char *name;
    int (*prepare)(Job *job);
    Work *work;
} Kind;

/* clang-format off */
static const Kind kinds[] = {
    { "headers",       list_logs,    read_header },
    { "parts",         open_samples, read_parts },
    { "unpack",        open_samples, unpack },
    { "one",           open_nothing, read_one },
    { "uuid",          open_nothing, read_uuid },
    { "unpack-one",    open_one,     unpack_one },
    { "unpack-member", open_archive, unpack_member },
};
/* clang-format on */

int main(int argc, char **argv)
{
    Job job = {.path = argc > 2 ? argv[2] : "", .id = argc > 3 ? argv[3] : ""};
    int64_t n_threads = 1;
    int status = 1;
    for (size_t i = 0; i < ARRAY_LEN(kinds) && argc > 2; i++) {
        if (!str_eqz(str_of(argv[1]), kinds[i].name))
            continue;
        job.work = kinds[i].work;
        bool has_threads = kinds[i].prepare == list_logs || kinds[i].prepare == open_samples;
        if (has_threads && argc > 3 && str_to_i64(str_of(argv[3]), 1, THREADS_MAX, &n_threads) < 0)
            break;
        status = kinds[i].prepare(&job) < 0 || measure(&job, (int)n_threads) < 0;
    }
    evallog_close(job.log);
    zip_close(job.zip);
    source_close(job.source);
    for (size_t i = 0; job.names && i < job.n; i++)
        free(job.names[i]);
    free(job.names);
    return status;
}
