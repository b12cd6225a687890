#include "tests/support/answer_places.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/support/attack.h"
#include "tests/support/halfkey_join.h"

static struct halfkey_run run;

/* ---- the lie; it runs in a thread of the service, so nothing is asserted there ---- */

static const struct answer_place *place;
static const struct bad_value *value;
static atomic_bool told;

static void tell(void *argument, struct hk_job *job, enum hk_error *outcome)
{
    (void)argument;
    if (*outcome != HK_OK || job->row == NULL || job->row->op != place->op) {
        return;
    }
    struct hk_value *answer = &job->answer.value[place->field];
    bool is_list = answer->items != NULL;
    const struct hk_bytes *last = is_list && answer->count != 0 ? &answer->items[answer->count - 1] : NULL;
    const uint8_t *old = is_list ? (last != NULL ? last->data : NULL) : answer->data;
    size_t old_size = is_list ? (last != NULL ? last->size : 0) : answer->size;
    uint8_t *bytes = hk_job_memory(job, 512);
    struct hk_bytes *items = hk_job_memory(job, (answer->count + 1) * sizeof(*items));
    if (old == NULL || bytes == NULL || items == NULL || place->offset + 32 > old_size) {
        return;
    }
    size_t size = old_size - 32 + value->size;
    memcpy(bytes, old, place->offset);
    memcpy(bytes + place->offset, value->bytes, value->size);
    memcpy(bytes + place->offset + value->size, old + place->offset + 32, old_size - place->offset - 32);
    if (is_list) {
        memcpy(items, answer->items, answer->count * sizeof(*items));
        items[answer->count - 1] = HK_BYTES(bytes, size);
        hk_message_set_list(&job->answer, place->field, items, answer->count);
    } else {
        hk_message_set_bytes(&job->answer, place->field, bytes, size);
    }
    atomic_store(&told, true);
}

void answer_place(struct lying_service *lying, const struct answer_place *where, const struct bad_value *what)
{
    place = where;
    value = what;
    atomic_store(&told, false);
    lying_tell(tell, NULL);
    int status = place->run(lying);
    lying_tell(NULL, NULL);
    assert_true(atomic_load(&told));
    if (status != 1 || run.err[0] == '\0') {
        fail_msg("%s: %s: exit %d: %s", place->name, value->name, status, run.err);
    }
    HALFKEY_EXPECT(0, &lying->service, "sign", "--key", "git", "--format", "raw", "/dev/null", "-o",
                   "/dev/null");
    hk_tried("answer %s: %s", place->name, value->name);
}

/* ---- the commands ---- */

static void make_directory(char out[128], const struct lying_service *lying)
{
    static int number;
    (void)snprintf(out, 128, "%s/device%d", lying->service.directory, number++);
    assert_int_equal(mkdir(out, 0700), 0);
}

static int run_init(struct lying_service *lying)
{
    static struct halfkey_run stop;
    char directory[128];
    make_directory(directory, lying);
    halfkey_run(&run, directory, NULL,
                (const char *const[]){"init", "--service", lying->service.line, "--device", "laptop",
                                      "--no-passphrase", NULL});
    halfkey_run(&stop, directory, NULL, (const char *const[]){"agent", "--stop", NULL});
    return run.status;
}

static int run_create(struct lying_service *lying)
{
    HALFKEY_RUN(&run, &lying->service, NULL, "key", "create", "new", "--suite", "x25519");
    return run.status;
}

static int run_refresh(struct lying_service *lying)
{
    HALFKEY_RUN(&run, &lying->service, NULL, "refresh");
    return run.status;
}

static int run_join(struct lying_service *lying)
{
    static struct halfkey_run stop;
    char directory[128];
    make_directory(directory, lying);
    halfkey_join(&run, lying->service.directory, directory, "phone");
    halfkey_run(&stop, directory, NULL, (const char *const[]){"agent", "--stop", NULL});
    return run.status;
}

const struct answer_place answer_places[] = {
    {"create-account S", HK_OP_CREATE_ACCOUNT, HK_F_POINT, 0, true, false, run_init},
    {"create-account R", HK_OP_CREATE_ACCOUNT, HK_F_PROOF, 0, true, false, run_init},
    {"create-account z", HK_OP_CREATE_ACCOUNT, HK_F_PROOF, 32, false, false, run_init},
    {"keygen-start S", HK_OP_KEYGEN_START, HK_F_POINT, 0, true, false, run_create},
    {"keygen-start R", HK_OP_KEYGEN_START, HK_F_PROOF, 0, true, false, run_create},
    {"keygen-start z", HK_OP_KEYGEN_START, HK_F_PROOF, 32, false, false, run_create},
    {"refresh R", HK_OP_REFRESH, HK_F_PROOFS, 0, true, false, run_refresh},
    {"refresh z", HK_OP_REFRESH, HK_F_PROOFS, 32, false, false, run_refresh},
    {"enrol-fetch Q", HK_OP_ENROL_FETCH, HK_F_KEPT, 0, true, true, run_join},
    {"enrol-fetch Q'", HK_OP_ENROL_FETCH, HK_F_PASSED, 0, true, true, run_join},
    {"enrol-fetch b", HK_OP_ENROL_FETCH, HK_F_SUBSHARES, 0, false, true, run_join},
};
const size_t answer_place_count = sizeof(answer_places) / sizeof(*answer_places);

void answer_places_begin(struct lying_service *lying)
{
    lying_start(lying);
    HALFKEY_EXPECT(0, &lying->service, "init", "--service", lying->service.line, "--device", "laptop",
                   "--no-passphrase");
    HALFKEY_EXPECT(0, &lying->service, "key", "create", "git", "--suite", "ed25519");
    HALFKEY_EXPECT(0, &lying->service, "key", "create", "mail", "--suite", "x25519");
}

void answer_places_end(struct lying_service *lying, bool enrolled)
{
    char directory[128];
    if (enrolled) { /* for ten minutes agent and service wait for the device that gave up */
        HALFKEY_EXPECT(0, &lying->service, "agent", "--stop");
        lying_stop(lying);
        return;
    }
    HALFKEY_EXPECT(0, &lying->service, "refresh");
    HALFKEY_EXPECT(0, &lying->service, "key", "create", "new", "--suite", "x25519");
    make_directory(directory, lying);
    halfkey_join(&run, lying->service.directory, directory, "phone");
    if (run.status != 0) {
        fail_msg("an honest enrolment after all this: %s", run.err);
    }
    HALFKEY_AT(0, directory, "sign", "--key", "git", "--format", "raw", "/dev/null", "-o", "/dev/null");
    HALFKEY_EXPECT(0, &lying->service, "sign", "--key", "git", "--format", "raw", "/dev/null", "-o",
                   "/dev/null");
    HALFKEY_AT(0, directory, "agent", "--stop");
    HALFKEY_EXPECT(0, &lying->service, "agent", "--stop");
    lying_stop(lying);
}

void answer_places_all(struct lying_service *lying, bool points, size_t step, size_t slow_step)
{
    struct bad_value values[BAD_POINTS_MAX > BAD_SCALARS_MAX ? BAD_POINTS_MAX : BAD_SCALARS_MAX];
    size_t count = (points ? bad_points : bad_scalars)(values, &hk_edwards25519);
    answer_places_begin(lying);
    for (size_t i = 0; i < answer_place_count; i++) {
        const struct answer_place *at = &answer_places[i];
        for (size_t j = 0; j < count && at->is_point == points && !at->is_slow; j++) {
            if (values[j].size >= 32 && (i + j) % step == 0) { /* no message can carry less */
                answer_place(lying, at, &values[j]);
            }
        }
    }
    answer_places_end(lying, false);
    for (size_t i = 0; i < answer_place_count; i++) {
        const struct answer_place *at = &answer_places[i];
        for (size_t j = i % 3; j < count && at->is_point == points && at->is_slow; j += slow_step) {
            if (values[j].size >= 32) {
                answer_places_begin(lying);
                answer_place(lying, at, &values[j]);
                answer_places_end(lying, true);
            }
        }
    }
}
