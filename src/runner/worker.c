/* Unpacking and starting the worker. */

#include "runner/worker.h"

#include <assert.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "jobs/executor_env.h"
#include "runner_embed.h"

enum { GRACE_MS = 30 * 1000, PATH_MAX_BYTES = 64 * 1024, WORDS_MAX = 8 };

static char *sources_name(char ret[DIGEST_HEX_MAX])
{
    auto_digest Digest *digest = digest_new();
    unsigned char sum[DIGEST_SIZE];
    auto_buf Buf hex = BUF_INIT(DIGEST_HEX_MAX);
    for (size_t i = 0; i < ARRAY_LEN(runner_embed_files); i++) {
        digest_add(digest, str_of(runner_embed_files[i].path));
        digest_add(digest, (Str){(const char *)runner_embed_files[i].file->data,
                                 runner_embed_files[i].file->size});
    }
    digest_finish(digest, sum);
    digest_add_hex(&hex, (Str){(const char *)sum, sizeof(sum)});
    memcpy(ret, hex.data, hex.len + 1);
    return ret;
}

/* Writes each file in one step, so that runners which unpack at the same time do not disturb each
 * other. */
static int unpack(const char *folder, Error *err)
{
    auto_free char *ready = fs_join(folder, "ready");
    if (fs_exists(ready))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(runner_embed_files); i++) {
        const EmbeddedFile *file = &runner_embed_files[i];
        auto_free char *path = fs_join(folder, file->path);
        auto_free char *parent = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
        if (fs_make_dirs(parent, 0700, err) < 0 ||
            fs_write_file(path, (Str){(const char *)file->file->data, file->file->size}, 0600,
                          err) < 0)
            return -1;
    }
    return fs_write_file(ready, STR(""), 0600, err);
}

int worker_run(Run *run, const WorkerStart *start, RunChild *ret, Error *err)
{
    char name[DIGEST_HEX_MAX];
    auto_free char *folder = mem_printf("%s/worker/%.32s", start->cache_dir, sources_name(name));
    if (unpack(folder, err) < 0)
        return error_wrap(err, "cannot unpack the worker");
    auto_process_env ProcessEnv env = {0};
    process_env_init(&env, true);
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    const char *old_path = process_env_get(&env, "PATH");
    buf_printf(&path, "%s:%s", start->venv->bin,
               old_path ? old_path : "/usr/local/bin:/usr/bin:/bin");
    process_env_set(&env, "PATH", path.data);
    process_env_set(&env, "PYTHONPATH", folder);
    process_env_set(&env, "PYTHONDONTWRITEBYTECODE", NULL);
    process_env_set(&env, "PYTHONUNBUFFERED", "1");
    process_env_set(&env, "HAWK_LOG_FORMAT", "json");
    /* -B: it writes byte code itself once it can do so safely. */
    const char *argv[WORDS_MAX + 5] = {start->venv->python, "-B", "-m", "hawk_worker"};
    for (size_t i = 0; start->words[i]; i++) {
        assert(i < WORDS_MAX);
        argv[4 + i] = start->words[i];
    }
    const RunCommand command = {.service = "worker",
                                .argv = argv,
                                .envp = env.items,
                                .cwd = run->folder,
                                .grace_ms = GRACE_MS,
                                .input = start->input,
                                .guest = start->guest};
    output_forget_tail(run->output);
    return run_command(run, &command, ret, err);
}
