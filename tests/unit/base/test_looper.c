/* Threads that work in rounds. */
#include "cmocka_all.h"

#include <semaphore.h>

#include "base/looper.h"

enum { FOR_EVER_MS = 3600 * 1000 };

typedef struct Rounds {
    sem_t begun;
    bool has_ended;
} Rounds;

static void count(void *context, Looper *looper)
{
    Rounds *rounds = context;
    do
        (void)sem_post(&rounds->begun);
    while (looper_wait(looper, FOR_EVER_MS));
    rounds->has_ended = looper_is_ending(looper);
}

static void a_looper_works_when_it_is_woken_and_until_it_is_stopped(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    Rounds rounds = {0};
    Looper *looper = NULL;
    (void)sem_init(&rounds.begun, 0, 0);
    assert_int_equal(looper_start(count, &rounds, &looper, &err), 0);
    for (int i = 0; i < 100; i++) {
        (void)sem_wait(&rounds.begun);
        looper_wake(looper);
    }
    looper_stop(looper);
    assert_true(rounds.has_ended);
    (void)sem_destroy(&rounds.begun);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_looper_works_when_it_is_woken_and_until_it_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
