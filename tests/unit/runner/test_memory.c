/* What the kernel's files say about memory, from a folder made to look like a machine. */
#include "cmocka_all.h"

#include <stdio.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "runner/memory.h"

typedef struct Machine {
    char root[64];
} Machine;

static int set_up(void **state)
{
    Machine *machine = mem_alloc(sizeof(*machine));
    (void)snprintf(machine->root, sizeof(machine->root), "/tmp/hawk-memory-XXXXXX");
    assert_non_null(mkdtemp(machine->root));
    *state = machine;
    return 0;
}

static int tear_down(void **state)
{
    auto_error Error err = ERROR_INIT;
    Machine *machine = *state;
    assert_int_equal(fs_remove_tree(machine->root, &err), 0);
    free(machine);
    return 0;
}

static void put(const Machine *machine, const char *name, const char *text)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *path = mem_printf("%s/%s", machine->root, name);
    auto_free char *parent = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
    assert_int_equal(fs_make_dirs(parent, 0700, &err), 0);
    assert_int_equal(fs_write_file(path, str_of(text), 0600, &err), 0);
}

static void put_machine(const Machine *machine, const char *cgroup)
{
    put(machine, "proc/meminfo", "MemTotal:       9000 kB\nMemAvailable:   8000 kB\n");
    put(machine, "proc/vmstat", "nr_free_pages 1\noom_kill 7\n");
    put(machine, "proc/self/cgroup", cgroup);
}

static void a_machine_without_cgroups_has_what_is_available(void **state)
{
    const Machine *machine = *state;
    put_machine(machine, "");
    assert_int_equal(memory_available(machine->root), 8000 * 1024);
    assert_int_equal(memory_oom_kills(machine->root), 7);
}

static void a_limit_of_a_version_2_group_leaves_what_is_not_used_or_only_cache(void **state)
{
    const Machine *machine = *state;
    put_machine(machine, "0::/job\n");
    put(machine, "sys/fs/cgroup/job/memory.current", "900000\n");
    put(machine, "sys/fs/cgroup/job/memory.max", "1000000\n");
    put(machine, "sys/fs/cgroup/job/memory.stat", "anon 1\ninactive_file 50000\n");
    put(machine, "sys/fs/cgroup/job/memory.events", "low 0\noom 3\noom_kill 2\n");
    assert_int_equal(memory_available(machine->root), 150000);
    assert_int_equal(memory_oom_kills(machine->root), 2);
}

static void a_group_without_a_limit_has_the_machines_memory(void **state)
{
    const Machine *machine = *state;
    put_machine(machine, "0::/job\n");
    put(machine, "sys/fs/cgroup/job/memory.current", "900000\n");
    put(machine, "sys/fs/cgroup/job/memory.max", "max\n");
    assert_int_equal(memory_available(machine->root), 8000 * 1024);
}

static void a_limit_of_a_version_1_group_counts(void **state)
{
    const Machine *machine = *state;
    put_machine(machine, "9:memory:/job\n8:cpu:/\n");
    put(machine, "sys/fs/cgroup/memory/job/memory.usage_in_bytes", "900000\n");
    put(machine, "sys/fs/cgroup/memory/job/memory.limit_in_bytes", "1000000\n");
    put(machine, "sys/fs/cgroup/memory/job/memory.stat", "total_inactive_file 1000\n");
    put(machine, "sys/fs/cgroup/memory/job/memory.oom_control", "under_oom 0\noom_kill 4\n");
    assert_int_equal(memory_available(machine->root), 101000);
    assert_int_equal(memory_oom_kills(machine->root), 4);
}

static void a_container_sees_its_group_at_the_root(void **state)
{
    const Machine *machine = *state;
    put_machine(machine, "0::/kubepods/pod7\n");
    put(machine, "sys/fs/cgroup/memory.current", "900000\n");
    put(machine, "sys/fs/cgroup/memory.max", "1000000\n");
    assert_int_equal(memory_available(machine->root), 100000);
}

static void a_running_process_holds_memory(void **state)
{
    (void)state;
    assert_true(memory_of_process(getpid()) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_machine_without_cgroups_has_what_is_available, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_limit_of_a_version_2_group_leaves_what_is_not_used_or_only_cache, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_group_without_a_limit_has_the_machines_memory, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_limit_of_a_version_1_group_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_container_sees_its_group_at_the_root, set_up, tear_down),
        cmocka_unit_test(a_running_process_holds_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
