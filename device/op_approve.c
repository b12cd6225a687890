/* device approve: waits for the device that was invited, shows its words, and on yes enrols it. */

#include "device/approval.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/enrolment.h"
#include "crypto/random.h"
#include "protocol/seam.h"

void hk_approval_free(void *approval)
{
    if (approval != NULL) {
        hk_join_wipe(&((struct hk_approval *)approval)->join);
        hk_secret_free(approval);
    }
}

enum hk_error hk_approval_relay(struct hk_core *core, const uint8_t gate_hash[32], enum hk_join_step step,
                                struct hk_bytes written, uint8_t *out, size_t max, size_t *size)
{
    struct hk_exchange *exchange;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, HK_OP_RELAY);
    hk_message_set_bytes(&exchange->request, HK_F_GATE_HASH, gate_hash, 32);
    hk_message_set_u64(&exchange->request, HK_F_STEP, step);
    if (written.data != NULL) {
        hk_message_set_bytes(&exchange->request, HK_F_RELAY, written.data, written.size);
    }
    error = hk_client_call(core->client, exchange);
    if (error == HK_OK && out != NULL) {
        const struct hk_value *relayed = &exchange->answer.value[HK_F_RELAY];
        bool is_there = hk_message_has(&exchange->answer, HK_F_RELAY);
        if (is_there && relayed->size > max) {
            error = HK_BAD_PEER;
        } else {
            *size = is_there ? relayed->size : 0;
            memcpy(out, is_there ? relayed->data : out, *size);
        }
    }
    hk_exchange_free(core->client, exchange);
    return error;
}

/* ---- waiting for the new device ---- */

/* The approval that `gate_hash` names, after a wait: NULL if it is another one by now. */
static struct hk_approval *find(struct hk_core *core, const uint8_t gate_hash[32])
{
    struct hk_approval *approval = core->approval;
    bool same = approval != NULL && memcmp(approval->keys.gate_hash, gate_hash, 32) == 0;
    return same ? approval : NULL;
}

static void drop(struct hk_core *core)
{
    hk_approval_free(core->approval);
    core->approval = NULL;
}

/* Sleeps with the gate open. */
static enum hk_error pause_between_polls(struct hk_core *core)
{
    hk_core_wait_begin(core);
    struct timespec pause = {0, HK_APPROVAL_POLL_MS * 1000000L};
    (void)nanosleep(&pause, NULL);
    return hk_core_wait_end(core);
}

/* A device has come: answers its handshake, the only one that is ever answered under this code. */
static enum hk_error answer(struct hk_core *core, struct hk_approval *approval)
{
    uint8_t message[HK_JOIN_HANDSHAKE_MAX];
    size_t size = 0;
    enum hk_error error = hk_approval_relay(core, approval->keys.gate_hash, HK_JOIN_MESSAGE_1,
                                            HK_BYTES(NULL, 0), message, sizeof(message), &size);
    if (error != HK_OK || size == 0) {
        return error != HK_OK ? error : HK_AGAIN;
    }
    error = hk_join_answer(&approval->join, &approval->invitation, &core->state->static_key, message, size,
                           approval->message, &approval->message_size);
    if (error == HK_OK) {
        error = hk_join_peer(&approval->join, approval->static_key);
    }
    if (error == HK_OK) {
        approval->stage = HK_APPROVAL_ANSWERED;
    }
    return error;
}

/* Sends message 2 (the same each time) and asks for the hello. */
static enum hk_error greet(struct hk_core *core, struct hk_approval *approval)
{
    uint8_t sealed[HK_JOIN_HELLO_MAX + HK_JOIN_SEAL_BYTES], hello[HK_JOIN_HELLO_MAX];
    size_t size = 0, hello_size;
    HK_SEAM("approve/answer/send");
    enum hk_error error =
        hk_approval_relay(core, approval->keys.gate_hash, HK_JOIN_MESSAGE_2,
                          HK_BYTES(approval->message, approval->message_size), NULL, 0, NULL);
    HK_SEAM("approve/answer/sent");
    if (error == HK_OK) {
        error = hk_approval_relay(core, approval->keys.gate_hash, HK_JOIN_HELLO, HK_BYTES(NULL, 0), sealed,
                                  sizeof(sealed), &size);
    }
    if (error != HK_OK || size == 0) {
        return error != HK_OK ? error : HK_AGAIN;
    }
    error = hk_join_open(&approval->join, HK_JOIN_HELLO, sealed, size, hello, sizeof(hello), &hello_size);
    if (error == HK_OK) {
        error = hk_join_hello_decode(&approval->hello, hello, hello_size) == HK_OK ? HK_OK : HK_BAD_PEER;
    }
    if (error == HK_OK) {
        approval->stage = HK_APPROVAL_GREETED;
    }
    return error;
}

/* One round of asking; HK_AGAIN while the device has not come. */
static enum hk_error poll_once(struct hk_core *core, struct hk_approval *approval)
{
    enum hk_error error = HK_OK;
    if (approval->stage == HK_APPROVAL_INVITED) {
        error = answer(core, approval);
    }
    if (error == HK_OK && approval->stage == HK_APPROVAL_ANSWERED) {
        error = greet(core, approval);
    }
    if (error == HK_UNREACHABLE || error == HK_TIMEOUT || error == HK_BUSY) {
        error = HK_AGAIN; /* the code's end is the time limit */
    }
    return error;
}

/* What the thread that attends to an invitation is given. */
struct attendance {
    struct hk_core *core;
    uint8_t gate_hash[32];
};

/* One look at the invitation; false when there is nothing left to attend to. */
static bool attend_once(struct attendance *attendance)
{
    struct hk_core *core = attendance->core;
    pthread_rwlock_wrlock(&core->gate);
    struct hk_approval *approval = atomic_load(&core->stopping) ? NULL : find(core, attendance->gate_hash);
    bool waits = approval != NULL && approval->stage < HK_APPROVAL_GREETED &&
                 approval->invitation.expires > hk_approval_now();
    if (waits) {
        enum hk_error error = poll_once(core, approval);
        waits = error == HK_AGAIN;
        if (error != HK_OK && error != HK_AGAIN) {
            drop(core);
        }
    }
    pthread_rwlock_unlock(&core->gate);
    return waits;
}

static void *attend(void *argument)
{
    struct attendance *attendance = argument;
    struct timespec pause = {0, HK_APPROVAL_POLL_MS * 1000000L};
    while (attend_once(attendance)) {
        (void)nanosleep(&pause, NULL);
    }
    free(attendance);
    return NULL;
}

enum hk_error hk_approval_attend(struct hk_core *core, const uint8_t gate_hash[32])
{
    pthread_t thread;
    struct attendance *attendance = malloc(sizeof(*attendance));
    if (attendance == NULL) {
        return HK_NO_MEMORY;
    }
    attendance->core = core;
    memcpy(attendance->gate_hash, gate_hash, 32);
    if (pthread_create(&thread, NULL, attend, attendance) != 0) {
        free(attendance);
        return HK_NO_MEMORY;
    }
    pthread_detach(thread);
    return HK_OK;
}

enum hk_error hk_op_approve_begin(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    struct hk_approval *approval = core->approval;
    uint8_t gate_hash[32];
    if (approval == NULL || approval->stage == HK_APPROVAL_DECIDED) {
        return hk_op_fail(call, HK_NOT_FOUND, "no invitation is open; make one with 'halfkey device invite'");
    }
    memcpy(gate_hash, approval->keys.gate_hash, sizeof(gate_hash));
    enum hk_error error;
    while ((error = approval->stage == HK_APPROVAL_GREETED ? HK_OK : poll_once(core, approval)) == HK_AGAIN) {
        if (approval->invitation.expires <= hk_approval_now()) {
            drop(core);
            return hk_op_fail(call, HK_TIMEOUT, "no device came before the code expired; make another one");
        }
        if ((error = pause_between_polls(core)) != HK_OK) {
            return error;
        }
        if ((approval = find(core, gate_hash)) == NULL) {
            return hk_op_fail(call, HK_NOT_FOUND, "this invitation was replaced by another one");
        }
    }
    if (error != HK_OK) {
        drop(core);
        return error == HK_BAD_PEER ? hk_op_fail(call, error,
                                                 "somebody came who does not have the code; the invitation "
                                                 "is void, make another one")
                                    : error;
    }
    char *words = hk_op_memory(call, HK_FINGERPRINT_TEXT_BYTES);
    if (words == NULL) {
        return HK_NO_MEMORY;
    }
    if ((error = hk_join_words(&approval->join, words)) == HK_OK) {
        hk_agent_set_text(call->answer, HK_A_WORDS, words);
        bool fits = hk_op_put(call, HK_A_DEVICE, approval->hello.name, strlen(approval->hello.name));
        error = fits ? HK_OK : HK_NO_MEMORY;
    }
    return error;
}

/* ---- yes ---- */

/* Everything that a yes needs, large and secret: from hk_secret_new. */
struct yes {
    struct hk_device_record record;
    uint8_t code[HK_CODE_BYTES];
    struct hk_profile profile;
    struct hk_join_bundle bundle;
    size_t count;
    struct hk_enrol_key keys[HK_KEYS_MAX];
    uint8_t ids[HK_KEYS_MAX][HK_ID_BYTES];
    struct hk_scalar subshares[HK_KEYS_MAX];
    uint8_t plain[HK_JOIN_RELAY_MAX], sealed[HK_JOIN_RELAY_MAX];
};

/* A name that the profile can take. */
static enum hk_error check_name(struct hk_op_call *call, const struct yes *yes, const char *name)
{
    for (size_t i = 0; i < yes->profile.device_count; i++) {
        if (strcmp(yes->profile.devices[i].name, name) == 0) {
            return hk_op_fail(call, HK_EXISTS,
                              "this account has a device '%s' already; let the new one join under another "
                              "name, with another code",
                              name);
        }
    }
    return yes->profile.device_count < HK_DEVICES ? HK_OK : HK_TOO_LARGE;
}

/* Step 4: record and certificate, signed by both, and kept before anything depends on them. */
static enum hk_error sign_objects(struct hk_core *core, const struct hk_approval *approval, struct yes *yes)
{
    struct hk_state *state = core->state;
    struct hk_state_enrolment *enrolment = &state->enrolment;
    struct hk_device_record *record = &yes->record;
    hk_random(yes->code, sizeof(yes->code));
    memcpy(record->account, state->account, HK_ACCOUNT_BYTES);
    memcpy(record->serial, approval->hello.serial, HK_ID_BYTES);
    memcpy(record->static_key, approval->static_key, 32);
    memcpy(record->name, approval->hello.name, sizeof(record->name));
    memcpy(record->report_key, approval->hello.report_key, 32);
    record->role = HK_ROLE_ORDINARY;
    hk_code_hash(record->code_hash, yes->code);
    record->created = hk_approval_now();
    record->has_gate = true;
    memcpy(record->gate_hash, approval->keys.gate_hash, 32);
    enum hk_error error = hk_account_sign_record(core, record, enrolment->record, &enrolment->record_size);
    if (error == HK_OK) {
        error = hk_account_sign_revocation(core, record->serial, enrolment->certificate,
                                           &enrolment->certificate_size);
    }
    if (error == HK_OK) {
        error = hk_state_keep_certificate(state, record->serial, enrolment->certificate,
                                          enrolment->certificate_size, NULL);
    }
    if (error != HK_OK) {
        return error;
    }
    enrolment->open = true;
    memcpy(enrolment->serial, record->serial, HK_ID_BYTES);
    enrolment->expires = hk_approval_now() + HK_INVITATION_SECONDS_MAX;
    return hk_core_save(core, "enrol/pending");
}

/* Splits this device's half of every key but the account's. */
static enum hk_error split_keys(const struct hk_state *state, struct yes *yes)
{
    for (size_t i = 0; i < state->key_count; i++) {
        const struct hk_state_key *key = &state->key[i];
        if (key->purpose == HK_PURPOSE_ACCOUNT) {
            continue;
        }
        const struct hk_suite *suite = hk_suite_by_id(key->suite);
        if (suite == NULL || key->state != HK_KEY_ACTIVE || !key->profiled) {
            return HK_LOCKED;
        }
        struct hk_enrol_key *public = &yes->keys[yes->count];
        struct hk_join_key *given = &yes->bundle.keys[yes->count];
        struct hk_scalar kept, passed;
        HK_WIPE_AT_EXIT(kept);
        HK_WIPE_AT_EXIT(passed);
        *public = (struct hk_enrol_key){.id = key->id, .suite = suite, .public_key = key->public_key};
        enum hk_error error =
            hk_enrol_split(&public->administrator, &kept, &passed, suite->group, key->public_key, &key->half);
        if (error != HK_OK) {
            return error;
        }
        HK_TELL("a", kept.bytes, 32);
        HK_TELL("p", passed.bytes, 32);
        struct hk_point point;
        suite->group->base_mul(&point, &key->half);
        memcpy(given->id, key->id, HK_ID_BYTES);
        given->suite = key->suite;
        memcpy(given->device_point, point.bytes, suite->group->point_bytes);
        memcpy(given->commitment, public->administrator.kept, suite->group->point_bytes);
        memcpy(given->passed, public->administrator.passed, suite->group->point_bytes);
        memcpy(given->kept, kept.bytes, suite->group->scalar_bytes);
        memcpy(yes->ids[yes->count], key->id, HK_ID_BYTES);
        yes->subshares[yes->count] = passed;
        yes->count++;
    }
    return HK_OK;
}

/* Takes the service's commitments from the answer to `enrol`. */
static enum hk_error take_commitments(struct yes *yes, const struct hk_message *answer_message)
{
    const struct hk_value *kept = &answer_message->value[HK_F_KEPT],
                          *passed = &answer_message->value[HK_F_PASSED];
    if (kept->count != yes->count || passed->count != yes->count) {
        return HK_BAD_PEER;
    }
    for (size_t i = 0; i < yes->count; i++) {
        size_t size = yes->keys[i].suite->group->point_bytes;
        if (kept->items[i].size != size || passed->items[i].size != size) {
            return HK_BAD_PEER;
        }
        memcpy(yes->keys[i].service.kept, kept->items[i].data, size);
        memcpy(yes->keys[i].service.passed, passed->items[i].data, size);
    }
    return HK_OK;
}

/* One element for each key, of its suite's length. */
static void put_dealings(struct hk_message *request, const struct yes *yes)
{
    hk_message_set_list(request, HK_F_KEPT, NULL, 0);
    for (size_t i = 0; i < yes->count; i++) {
        const struct hk_group *group = yes->keys[i].suite->group;
        hk_message_append(request, HK_F_KEPT, yes->keys[i].administrator.kept, group->point_bytes);
    }
    hk_message_set_list(request, HK_F_PASSED, NULL, 0);
    for (size_t i = 0; i < yes->count; i++) {
        const struct hk_group *group = yes->keys[i].suite->group;
        hk_message_append(request, HK_F_PASSED, yes->keys[i].administrator.passed, group->point_bytes);
    }
    hk_message_set_list(request, HK_F_SUBSHARES, NULL, 0);
    for (size_t i = 0; i < yes->count; i++) {
        const struct hk_group *group = yes->keys[i].suite->group;
        hk_message_append(request, HK_F_SUBSHARES, yes->subshares[i].bytes, group->scalar_bytes);
    }
}

/* Step 5. */
static enum hk_error send_enrol(struct hk_core *core, const struct hk_approval *approval, struct yes *yes)
{
    const struct hk_state_enrolment *enrolment = &core->state->enrolment;
    struct hk_exchange *exchange;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, HK_OP_ENROL);
    struct hk_message *request = &exchange->request;
    hk_message_set_bytes(request, HK_F_GATE_HASH, approval->keys.gate_hash, 32);
    hk_message_set_bytes(request, HK_F_RECORD, enrolment->record, enrolment->record_size);
    hk_message_set_bytes(request, HK_F_CERTIFICATE, enrolment->certificate, enrolment->certificate_size);
    hk_message_set_array(request, HK_F_KEYS, yes->ids, HK_ID_BYTES, yes->count);
    put_dealings(request, yes);
    HK_SEAM("enrol/send");
    error = hk_client_call(core->client, exchange);
    HK_SEAM("enrol/sent");
    if (error == HK_OK) {
        error = take_commitments(yes, &exchange->answer);
    }
    hk_exchange_free(core->client, exchange);
    return error;
}

/* Step 6: what goes to the new device, once. */
static enum hk_error send_bundle(struct hk_core *core, struct hk_approval *approval, struct yes *yes)
{
    const struct hk_state *state = core->state;
    const struct hk_state_enrolment *enrolment = &state->enrolment;
    struct hk_join_bundle *bundle = &yes->bundle;
    uint8_t record[32];
    hk_object_hash(record, enrolment->record, enrolment->record_size);
    struct hk_enrolment public = {.account = state->account,
                                  .administrator = state->serial,
                                  .device = yes->record.serial,
                                  .service_key = state->service_key,
                                  .record = record,
                                  .invitation = approval->keys.gate_hash,
                                  .epoch = state->epoch};
    enum hk_error error = hk_enrol_transcript(bundle->transcript, &public, yes->keys, yes->count);
    if (error != HK_OK) {
        return HK_BAD_PEER; /* the service's commitments are no points */
    }
    bundle->profile = HK_BYTES(state->profile, state->profile_size);
    bundle->record = HK_BYTES(enrolment->record, enrolment->record_size);
    bundle->certificate = HK_BYTES(enrolment->certificate, enrolment->certificate_size);
    memcpy(bundle->code, yes->code, sizeof(bundle->code));
    bundle->head = state->log.head;
    memcpy(bundle->administrator, state->serial, HK_ID_BYTES);
    bundle->epoch = state->epoch;
    bundle->key_count = yes->count;
    size_t plain_size, sealed_size;
    error = hk_join_bundle_encode(bundle, yes->plain, sizeof(yes->plain), &plain_size);
    if (error == HK_OK) {
        error = hk_join_seal(&approval->join, HK_JOIN_BUNDLE, yes->plain, plain_size, yes->sealed,
                             sizeof(yes->sealed), &sealed_size);
    }
    if (error == HK_OK) {
        HK_SEAM("enrol/bundle/send");
        error = hk_approval_relay(core, approval->keys.gate_hash, HK_JOIN_BUNDLE,
                                  HK_BYTES(yes->sealed, sealed_size), NULL, 0, NULL);
        HK_SEAM("enrol/bundle/sent");
    }
    return error;
}

/* Steps 4 to 6. */
static enum hk_error enrol(struct hk_op_call *call, struct hk_approval *approval, struct yes *yes)
{
    struct hk_core *core = call->core;
    enum hk_error error = hk_state_profile(core->state, &yes->profile);
    if (error == HK_OK) {
        error = check_name(call, yes, approval->hello.name);
    }
    if (error == HK_OK) {
        error = split_keys(core->state, yes);
    }
    if (error == HK_OK) {
        error = sign_objects(core, approval, yes);
    }
    if (error == HK_OK) {
        error = send_enrol(core, approval, yes);
    }
    return error == HK_OK ? send_bundle(core, approval, yes) : error;
}

/* ---- until the new device is active ---- */

/* Asks what has become of the enrolment: HK_OK once the device is active, HK_AGAIN while it is not,
 * HK_NOT_FOUND if the service has forgotten it. */
static enum hk_error ask_status(struct hk_core *core)
{
    struct hk_exchange *exchange;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, HK_OP_STATUS);
    error = hk_client_call(core->client, exchange);
    enum hk_error found = HK_NOT_FOUND;
    const struct hk_value *rows = &exchange->answer.value[HK_F_ROWS];
    for (size_t i = 0; error == HK_OK && i < rows->count; i++) {
        struct hk_device_row row;
        if (hk_row_decode(&row, rows->items[i].data, rows->items[i].size) != HK_OK) {
            error = HK_BAD_PEER;
        } else if (memcmp(row.serial, core->state->enrolment.serial, HK_ID_BYTES) == 0) {
            found = row.status == HK_STATUS_ACTIVE || row.status == HK_STATUS_SUSPENDED ? HK_OK
                    : row.status == HK_STATUS_ENROLLING                                 ? HK_AGAIN
                                                                                        : HK_REVOKED;
        }
    }
    hk_exchange_free(core->client, exchange);
    return error == HK_OK ? found : error;
}

static enum hk_error list_device(void *argument, struct hk_profile *profile)
{
    const struct hk_device_record *record = argument;
    size_t place = 0;
    while (place < profile->device_count &&
           memcmp(profile->devices[place].serial, record->serial, HK_ID_BYTES) < 0) {
        place++;
    }
    struct hk_profile_device *at = &profile->devices[place];
    if (place < profile->device_count && memcmp(at->serial, record->serial, HK_ID_BYTES) == 0) {
        return HK_EXISTS; /* after a crash: it is there */
    }
    if (profile->device_count == HK_DEVICES) {
        return HK_TOO_LARGE;
    }
    memmove(at + 1, at, (profile->device_count - place) * sizeof(*at));
    memset(at, 0, sizeof(*at));
    memcpy(at->serial, record->serial, HK_ID_BYTES);
    memcpy(at->static_key, record->static_key, 32);
    memcpy(at->name, record->name, sizeof(at->name));
    memcpy(at->report_key, record->report_key, 32);
    at->role = record->role;
    memcpy(at->code_hash, record->code_hash, 32);
    profile->device_count++;
    return HK_OK;
}

enum hk_error hk_approval_conclude(struct hk_core *core)
{
    struct hk_state_enrolment *enrolment = &core->state->enrolment;
    struct hk_state_key *account_key = hk_state_account_key(core->state);
    struct hk_device_record record;
    if (account_key == NULL) {
        return HK_NOT_ALLOWED;
    }
    enum hk_error error =
        hk_record_open(&record, enrolment->record, enrolment->record_size, account_key->public_key);
    if (error == HK_OK) {
        error = hk_core_next_profile(core, list_device, &record);
        error = error == HK_EXISTS ? HK_OK : error;
    }
    if (error != HK_OK) {
        return error;
    }
    enrolment->open = false;
    core->state->must_refresh = true;
    if ((error = hk_core_save(core, "enrol/listed")) != HK_OK) {
        return error;
    }
    return hk_core_refresh(core);
}

/* Nothing came of it: the device can never be active, and nobody lists it. */
static enum hk_error give_up(struct hk_core *core)
{
    core->state->enrolment.open = false;
    return hk_core_save(core, "enrol/void");
}

static enum hk_error wait_until_active(struct hk_core *core)
{
    uint8_t serial[HK_ID_BYTES];
    memcpy(serial, core->state->enrolment.serial, sizeof(serial));
    uint64_t expires = core->state->enrolment.expires;
    enum hk_error error;
    for (;;) {
        error = ask_status(core);
        bool is_temporary =
            error == HK_AGAIN || error == HK_UNREACHABLE || error == HK_TIMEOUT || error == HK_BUSY;
        if (!is_temporary) {
            return error;
        }
        if (expires <= hk_approval_now()) {
            return error == HK_AGAIN ? HK_NOT_FOUND : error;
        }
        if ((error = pause_between_polls(core)) != HK_OK) {
            return error;
        }
        if (!core->state->enrolment.open ||
            memcmp(core->state->enrolment.serial, serial, sizeof(serial)) != 0) {
            return HK_CONFLICT;
        }
    }
}

enum hk_error hk_resume_enrolment(struct hk_core *core)
{
    if (!core->state->enrolment.open) {
        return core->state->must_refresh ? hk_core_refresh(core) : HK_OK;
    }
    enum hk_error error = ask_status(core);
    if (error == HK_OK) {
        return hk_approval_conclude(core);
    }
    if (error == HK_AGAIN) {
        return HK_OK; /* the new device has not confirmed; asked again at the next resume */
    }
    return error == HK_NOT_FOUND || error == HK_REVOKED ? give_up(core) : error;
}

/* Its certificate ends it at the service, where it would otherwise keep keys and epoch locked until it
 * expires. */
static enum hk_error revoke_open(struct hk_core *core)
{
    struct hk_state_enrolment *enrolment = &core->state->enrolment;
    struct hk_state_certificate *certificate = hk_state_certificate(core->state, enrolment->serial);
    if (certificate == NULL) {
        return HK_INTERNAL;
    }
    certificate->revoked = true;
    enum hk_error error = hk_core_save(core, "enrol/end");
    return error == HK_OK ? hk_core_send_revocation(core, certificate) : error;
}

enum hk_error hk_approval_end_open(struct hk_core *core)
{
    enum hk_error error = ask_status(core);
    if (error == HK_OK) {
        return hk_approval_conclude(core);
    }
    if (error == HK_AGAIN) {
        error = revoke_open(core);
        error = error == HK_OK ? HK_REVOKED : error;
    }
    return error == HK_NOT_FOUND || error == HK_REVOKED ? give_up(core) : error;
}

/* ---- the answer ---- */

static enum hk_error say_no(struct hk_core *core, struct hk_approval *approval)
{
    uint8_t sealed[HK_JOIN_SEAL_BYTES];
    size_t size;
    enum hk_error error =
        hk_join_seal(&approval->join, HK_JOIN_BUNDLE, NULL, 0, sealed, sizeof(sealed), &size);
    if (error == HK_OK) { /* if it does not arrive, the code expires */
        error = hk_approval_relay(core, approval->keys.gate_hash, HK_JOIN_BUNDLE, HK_BYTES(sealed, size),
                                  NULL, 0, NULL);
    }
    (void)error;
    drop(core);
    return HK_OK;
}

static enum hk_error put_result(struct hk_op_call *call, const struct yes *yes,
                                const struct hk_state_certificate *certificate)
{
    char *words = hk_op_memory(call, HK_CODE_TEXT_BYTES);
    if (words == NULL || certificate == NULL) {
        return HK_NO_MEMORY;
    }
    hk_words_from_code(words, yes->code);
    hk_agent_set_text(call->answer, HK_A_WORDS, words);
    bool fits = hk_op_put(call, HK_A_DEVICE, yes->record.name, strlen(yes->record.name)) &&
                hk_op_put(call, HK_A_SERIAL, yes->record.serial, HK_ID_BYTES) &&
                hk_op_put(call, HK_A_CERTIFICATE, certificate->bytes, certificate->size);
    return fits ? HK_OK : HK_NO_MEMORY;
}

static enum hk_error say_yes(struct hk_op_call *call, struct hk_approval *approval, struct yes *yes)
{
    struct hk_core *core = call->core;
    enum hk_error error = enrol(call, approval, yes);
    drop(core);
    if (error != HK_OK) {
        bool unknown = error == HK_UNREACHABLE || error == HK_TIMEOUT;
        if (core->state->enrolment.open && !unknown) {
            enum hk_error saved = give_up(core);
            (void)saved; /* the error that led here is the one to show */
        }
        return error;
    }
    error = wait_until_active(core);
    if (error == HK_NOT_FOUND || error == HK_REVOKED) {
        enum hk_error saved = give_up(core);
        return hk_op_fail(call, saved == HK_OK ? HK_TIMEOUT : saved,
                          "the new device did not finish; make another invitation");
    }
    if (error == HK_CONFLICT) {
        return hk_op_fail(call, error, "this enrolment was ended by another invitation");
    }
    if (error == HK_OK) {
        error = hk_approval_conclude(core);
    }
    return error == HK_OK ? put_result(call, yes, hk_state_certificate(core->state, yes->record.serial))
                          : error;
}

enum hk_error hk_op_approve_confirm(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    struct hk_approval *approval = core->approval;
    if (approval == NULL || approval->stage != HK_APPROVAL_GREETED) {
        return hk_op_fail(call, HK_NOT_FOUND, "no device waits for an approval");
    }
    if (hk_agent_u64(call->request, HK_A_APPROVE) != 1) {
        return say_no(core, approval);
    }
    if (core->state->enrolment.open || core->state->refresh.stage != HK_REFRESH_NONE) {
        return hk_op_fail(call, HK_LOCKED, "an enrolment or a refresh is under way; try again shortly");
    }
    struct yes *yes = hk_secret_new(sizeof(*yes));
    if (yes == NULL) {
        return HK_NO_MEMORY;
    }
    approval->stage = HK_APPROVAL_DECIDED;
    enum hk_error error = say_yes(call, approval, yes);
    hk_secret_free(yes);
    return error;
}
