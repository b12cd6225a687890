/* The state as CBOR: every length bounded, every field in its place, nothing unknown. */

#include <string.h>

#include "device/state.h"
#include "device/state_codec.h"
#include "protocol/noise.h"
#include "protocol/object_fields.h"

static const struct hk_group *group_of(uint64_t suite_id)
{
    const struct hk_suite *suite = hk_suite_by_id(suite_id);
    return suite != NULL ? suite->group : NULL;
}

/* ---- writing ---- */

static void put_key(struct hk_cbor_writer *writer, const struct hk_state_key *key, bool refreshing)
{
    const struct hk_group *group = group_of(key->suite);
    if (group == NULL) {
        writer->error = HK_BAD_ENCODING;
        return;
    }
    bool set_up = key->ecdsa.n_bytes != 0;
    hk_cbor_put_map(writer, (refreshing ? 14u : 12u) + (set_up ? 3u : 0u) + (key->is_successor ? 1u : 0u));
    hk_put_bytes_field(writer, 1, key->id, HK_ID_BYTES);
    hk_put_uint_field(writer, 2, key->suite);
    hk_put_uint_field(writer, 3, key->purpose);
    hk_put_name_field(writer, 4, key->name, HK_NAME_MAX);
    hk_put_uint_field(writer, 5, key->created);
    hk_put_uint_field(writer, 6, key->imported);
    hk_put_uint_field(writer, 7, key->state);
    hk_put_uint_field(writer, 8, key->profiled);
    hk_put_bytes_field(writer, 9, key->transcript, HK_NAME_BYTES);
    hk_put_bytes_field(writer, 10, key->public_key, group->point_bytes);
    hk_put_bytes_field(writer, 11, key->service_point, group->point_bytes);
    hk_put_bytes_field(writer, 12, key->half.bytes, group->scalar_bytes);
    if (refreshing) {
        hk_put_bytes_field(writer, 13, key->next_half.bytes, group->scalar_bytes);
        hk_put_bytes_field(writer, 14, key->next_service_point, group->point_bytes);
    }
    if (set_up) {
        hk_put_bytes_field(writer, 15, key->ecdsa.n, key->ecdsa.n_bytes);
        hk_put_bytes_field(writer, 16, key->ecdsa.cipher, 2 * key->ecdsa.n_bytes);
        hk_put_uint_field(writer, 17, key->ecdsa.made);
    }
    if (key->is_successor) {
        hk_put_bytes_field(writer, 18, key->successor_of, HK_ID_BYTES);
    }
}

static void put_refresh(struct hk_cbor_writer *writer, const struct hk_state_refresh *refresh)
{
    hk_cbor_put_map(writer, 4);
    hk_put_uint_field(writer, 1, refresh->stage);
    hk_put_bytes_field(writer, 2, refresh->device_seed.bytes, 32);
    hk_put_bytes_field(writer, 3, refresh->service_seed.bytes, 32);
    hk_put_bytes_field(writer, 4, refresh->new_tag, HK_TAG_BYTES);
}

static void put_confirm(struct hk_cbor_writer *writer, const struct hk_state_confirm *confirm)
{
    hk_cbor_put_map(writer, 2);
    hk_put_bytes_field(writer, 1, confirm->old_tag, HK_TAG_BYTES);
    hk_cbor_put_uint(writer, 2);
    hk_cbor_put_array(writer, confirm->count);
    for (size_t i = 0; i < confirm->count; i++) {
        hk_cbor_put_bytes(writer, confirm->proof[i], confirm->proof_size[i]);
    }
}

static void put_enrolment(struct hk_cbor_writer *writer, const struct hk_state_enrolment *enrolment)
{
    hk_cbor_put_map(writer, 4);
    hk_put_bytes_field(writer, 1, enrolment->serial, HK_ID_BYTES);
    hk_put_uint_field(writer, 2, enrolment->expires);
    hk_put_bytes_field(writer, 3, enrolment->record, enrolment->record_size);
    hk_put_bytes_field(writer, 4, enrolment->certificate, enrolment->certificate_size);
}

static void put_log(struct hk_cbor_writer *writer, const struct hk_state_log *log)
{
    uint8_t head[HK_HEAD_BYTES];
    hk_cbor_put_map(writer, 3);
    hk_head_encode(head, &log->head);
    hk_put_bytes_field(writer, 1, head, sizeof(head));
    hk_put_uint_field(writer, 2, log->stopped);
    hk_cbor_put_uint(writer, 3);
    hk_cbor_put_array(writer, log->report_count);
    for (size_t i = 0; i < log->report_count; i++) {
        uint8_t row[HK_ID_BYTES + HK_HEAD_BYTES];
        memcpy(row, log->report[i].serial, HK_ID_BYTES);
        hk_head_encode(row + HK_ID_BYTES, &log->report[i].head);
        hk_cbor_put_bytes(writer, row, sizeof(row));
    }
}

/* Serials of the devices that are suspended. */
static void put_suspended(struct hk_cbor_writer *writer, const struct hk_state_log *log)
{
    size_t count = 0;
    for (size_t i = 0; i < log->report_count; i++) {
        count += log->report[i].suspended;
    }
    hk_cbor_put_array(writer, count);
    for (size_t i = 0; i < log->report_count; i++) {
        if (log->report[i].suspended) {
            hk_cbor_put_bytes(writer, log->report[i].serial, HK_ID_BYTES);
        }
    }
}

static void put_certificate(struct hk_cbor_writer *writer, const struct hk_state_certificate *certificate)
{
    hk_cbor_put_map(writer, certificate->has_code ? 4 : 3);
    hk_put_bytes_field(writer, 1, certificate->serial, HK_ID_BYTES);
    hk_put_uint_field(writer, 2, certificate->revoked);
    hk_put_bytes_field(writer, 3, certificate->bytes, certificate->size);
    if (certificate->has_code) {
        hk_put_bytes_field(writer, 4, certificate->code, sizeof(certificate->code));
    }
}

static void put_lists(struct hk_cbor_writer *writer, const struct hk_state *state)
{
    hk_cbor_put_uint(writer, 20);
    put_refresh(writer, &state->refresh);
    if (state->enrolment.open) {
        hk_cbor_put_uint(writer, 21);
        put_enrolment(writer, &state->enrolment);
    }
    hk_cbor_put_uint(writer, 22);
    put_log(writer, &state->log);
    hk_cbor_put_uint(writer, 23);
    hk_cbor_put_array(writer, state->certificate_count);
    for (size_t i = 0; i < state->certificate_count; i++) {
        put_certificate(writer, &state->certificate[i]);
    }
    hk_cbor_put_uint(writer, 24);
    hk_cbor_put_array(writer, state->key_count);
    for (size_t i = 0; i < state->key_count; i++) {
        put_key(writer, &state->key[i], state->refresh.stage == HK_REFRESH_STORED);
    }
}

enum hk_error hk_state_encode(const struct hk_state *state, uint8_t *out, size_t max, size_t *size)
{
    struct hk_cbor_writer writer;
    hk_cbor_writer_init(&writer, out, max);
    bool has_hand = state->hand.stage != HK_HAND_NONE;
    hk_cbor_put_map(&writer, 28 + (size_t)state->enrolment.open + (size_t)state->confirm.kept +
                                 (size_t)state->has_ring + (size_t)has_hand + (state->recovered ? 2u : 0u));
    hk_put_uint_field(&writer, 1, state->phase);
    hk_put_bytes_field(&writer, 2, state->account, HK_ACCOUNT_BYTES);
    hk_put_name_field(&writer, 3, state->address, HK_ADDRESS_MAX);
    hk_put_bytes_field(&writer, 4, state->service_key, 32);
    hk_put_bytes_field(&writer, 5, state->identity_key, 32);
    hk_put_bytes_field(&writer, 6, state->serial, HK_ID_BYTES);
    hk_put_name_field(&writer, 7, state->name, HK_NAME_MAX);
    hk_put_uint_field(&writer, 8, state->role);
    hk_put_uint_field(&writer, 9, state->created);
    hk_put_bytes_field(&writer, 10, state->static_key.bytes, 32);
    hk_put_bytes_field(&writer, 11, state->report_key.bytes, 64);
    hk_put_bytes_field(&writer, 12, state->record, state->record_size);
    hk_put_uint_field(&writer, 13, state->epoch);
    hk_put_bytes_field(&writer, 14, state->tag, HK_TAG_BYTES);
    hk_put_uint_field(&writer, 15, state->must_refresh);
    hk_put_uint_field(&writer, 16, state->last_use);
    hk_put_uint_field(&writer, 17, state->stale_copy_seen);
    hk_put_bytes_field(&writer, 18, state->join_transcript, HK_NAME_BYTES);
    hk_put_uint_field(&writer, 19, state->profile_version);
    put_lists(&writer, state);
    hk_put_bytes_field(&writer, 25, state->profile, state->profile_size);
    if (state->confirm.kept) {
        hk_cbor_put_uint(&writer, 26);
        put_confirm(&writer, &state->confirm);
    }
    hk_cbor_put_uint(&writer, 27);
    put_suspended(&writer, &state->log);
    if (state->has_ring) {
        hk_put_bytes_field(&writer, 28, state->ring, sizeof(state->ring));
    }
    hk_put_uint_field(&writer, 29, state->refreshed);
    hk_put_uint_field(&writer, 30, state->uses);
    if (has_hand) {
        hk_cbor_put_uint(&writer, 31);
        hk_state_put_hand(&writer, &state->hand);
    }
    hk_cbor_put_uint(&writer, 32);
    hk_state_put_holders(&writer, state);
    if (state->recovered) {
        hk_put_uint_field(&writer, 33, 1);
        hk_put_bytes_field(&writer, 34, state->recovery, state->recovery_size);
    }
    return hk_cbor_writer_finish(&writer, size);
}

/* ---- reading ---- */

/* A byte string of at most `max` bytes, copied. */
static size_t get_bytes(struct hk_fields *fields, uint64_t key, uint8_t *out, size_t max)
{
    hk_fields_need(fields, key);
    struct hk_bytes span = hk_cbor_get_bytes(fields->reader, 0, max);
    if (span.size != 0) {
        memcpy(out, span.data, span.size);
    }
    return span.size;
}

static void get_half(struct hk_fields *fields, uint64_t key, const struct hk_group *group,
                     struct hk_scalar *out)
{
    struct hk_scalar checked;
    HK_WIPE_AT_EXIT(checked);
    hk_fields_fixed(fields, key, out->bytes, group->scalar_bytes);
    if (fields->reader->error == HK_OK && hk_scalar_decode_nonzero(group, &checked, out->bytes) != HK_OK) {
        hk_cbor_fail(fields->reader);
    }
}

/* Judged in full, as what comes from the service is, whenever it is used. */
static void get_setup(struct hk_fields *fields, struct hk_state_ecdsa *setup)
{
    size_t size = get_bytes(fields, 15, setup->n, sizeof(setup->n));
    size_t cipher = get_bytes(fields, 16, setup->cipher, sizeof(setup->cipher));
    setup->made = hk_fields_uint(fields, 17, UINT64_MAX);
    if (size == 0 || cipher != 2 * size) {
        hk_cbor_fail(fields->reader);
    }
    setup->n_bytes = size;
}

static void get_key(struct hk_cbor_reader *reader, struct hk_state_key *key, bool refreshing)
{
    struct hk_fields fields = hk_fields_begin(reader, 18);
    hk_fields_fixed(&fields, 1, key->id, HK_ID_BYTES);
    key->suite = hk_fields_uint(&fields, 2, UINT64_MAX);
    key->purpose = hk_fields_uint(&fields, 3, UINT64_MAX);
    hk_fields_name(&fields, 4, key->name, HK_NAME_MAX);
    key->created = hk_fields_uint(&fields, 5, UINT64_MAX);
    key->imported = hk_fields_uint(&fields, 6, 1) != 0;
    key->state = (enum hk_key_state)hk_fields_uint(&fields, 7, HK_KEY_ACTIVE);
    key->profiled = hk_fields_uint(&fields, 8, 1) != 0;
    hk_fields_fixed(&fields, 9, key->transcript, HK_NAME_BYTES);
    const struct hk_suite *suite = hk_suite_by_id(key->suite);
    if (suite == NULL || (uint64_t)suite->purpose != key->purpose || (unsigned)key->state < HK_KEY_PENDING) {
        hk_cbor_fail(reader);
        return;
    }
    hk_fields_fixed(&fields, 10, key->public_key, suite->group->point_bytes);
    hk_fields_fixed(&fields, 11, key->service_point, suite->group->point_bytes);
    get_half(&fields, 12, suite->group, &key->half);
    if (refreshing) {
        get_half(&fields, 13, suite->group, &key->next_half);
        hk_fields_fixed(&fields, 14, key->next_service_point, suite->group->point_bytes);
    }
    if (hk_fields_has(&fields, 15)) {
        get_setup(&fields, &key->ecdsa);
    }
    key->is_successor = hk_fields_has(&fields, 18);
    if (key->is_successor) {
        hk_fields_fixed(&fields, 18, key->successor_of, HK_ID_BYTES);
    }
    hk_fields_end(&fields);
}

static void get_refresh(struct hk_cbor_reader *reader, struct hk_state_refresh *refresh)
{
    struct hk_fields fields = hk_fields_begin(reader, 4);
    refresh->stage = (enum hk_refresh_stage)hk_fields_uint(&fields, 1, HK_REFRESH_STORED);
    hk_fields_fixed(&fields, 2, refresh->device_seed.bytes, 32);
    hk_fields_fixed(&fields, 3, refresh->service_seed.bytes, 32);
    hk_fields_fixed(&fields, 4, refresh->new_tag, HK_TAG_BYTES);
    hk_fields_end(&fields);
}

static void get_confirm(struct hk_cbor_reader *reader, struct hk_state_confirm *confirm)
{
    struct hk_fields fields = hk_fields_begin(reader, 2);
    confirm->kept = true;
    hk_fields_fixed(&fields, 1, confirm->old_tag, HK_TAG_BYTES);
    hk_fields_need(&fields, 2);
    confirm->count = (size_t)hk_cbor_get_array(reader, HK_KEYS_MAX);
    for (size_t i = 0; i < confirm->count && reader->error == HK_OK; i++) {
        struct hk_bytes proof = hk_cbor_get_bytes(reader, 1, HK_STATE_PROOF_MAX);
        if (reader->error == HK_OK) {
            confirm->proof_size[i] = proof.size;
            memcpy(confirm->proof[i], proof.data, proof.size);
        }
    }
    hk_fields_end(&fields);
}

static void get_enrolment(struct hk_cbor_reader *reader, struct hk_state_enrolment *enrolment)
{
    struct hk_fields fields = hk_fields_begin(reader, 4);
    enrolment->open = true;
    hk_fields_fixed(&fields, 1, enrolment->serial, HK_ID_BYTES);
    enrolment->expires = hk_fields_uint(&fields, 2, UINT64_MAX);
    enrolment->record_size = get_bytes(&fields, 3, enrolment->record, sizeof(enrolment->record));
    enrolment->certificate_size =
        get_bytes(&fields, 4, enrolment->certificate, sizeof(enrolment->certificate));
    hk_fields_end(&fields);
}

static void get_log(struct hk_cbor_reader *reader, struct hk_state_log *log)
{
    uint8_t head[HK_HEAD_BYTES] = {0}, row[HK_ID_BYTES + HK_HEAD_BYTES] = {0};
    struct hk_fields fields = hk_fields_begin(reader, 3);
    hk_fields_fixed(&fields, 1, head, sizeof(head));
    hk_head_decode(&log->head, head);
    log->stopped = hk_fields_uint(&fields, 2, 1) != 0;
    hk_fields_need(&fields, 3);
    log->report_count = (size_t)hk_cbor_get_array(reader, HK_DEVICES);
    for (size_t i = 0; i < log->report_count && reader->error == HK_OK; i++) {
        hk_cbor_get_fixed(reader, row, sizeof(row));
        memcpy(log->report[i].serial, row, HK_ID_BYTES);
        hk_head_decode(&log->report[i].head, row + HK_ID_BYTES);
    }
    hk_fields_end(&fields);
}

static void get_suspended(struct hk_cbor_reader *reader, struct hk_state_log *log)
{
    uint8_t serial[HK_ID_BYTES] = {0};
    size_t count = (size_t)hk_cbor_get_array(reader, HK_DEVICES);
    for (size_t i = 0; i < count && reader->error == HK_OK; i++) {
        hk_cbor_get_fixed(reader, serial, sizeof(serial));
        for (size_t j = 0; j < log->report_count; j++) {
            if (memcmp(log->report[j].serial, serial, sizeof(serial)) == 0) {
                log->report[j].suspended = true;
            }
        }
    }
}

static void get_certificate(struct hk_cbor_reader *reader, struct hk_state_certificate *certificate)
{
    struct hk_fields fields = hk_fields_begin(reader, 4);
    hk_fields_fixed(&fields, 1, certificate->serial, HK_ID_BYTES);
    certificate->revoked = hk_fields_uint(&fields, 2, 1) != 0;
    certificate->size = get_bytes(&fields, 3, certificate->bytes, sizeof(certificate->bytes));
    certificate->has_code = hk_fields_has(&fields, 4);
    if (certificate->has_code) {
        hk_fields_fixed(&fields, 4, certificate->code, sizeof(certificate->code));
    }
    hk_fields_end(&fields);
}

static void get_lists(struct hk_fields *fields, struct hk_state *state)
{
    struct hk_cbor_reader *reader = fields->reader;
    hk_fields_need(fields, 20);
    get_refresh(reader, &state->refresh);
    if (hk_fields_has(fields, 21)) {
        hk_fields_need(fields, 21);
        get_enrolment(reader, &state->enrolment);
    }
    hk_fields_need(fields, 22);
    get_log(reader, &state->log);
    hk_fields_need(fields, 23);
    state->certificate_count = (size_t)hk_cbor_get_array(reader, HK_STATE_CERTIFICATES);
    for (size_t i = 0; i < state->certificate_count && reader->error == HK_OK; i++) {
        get_certificate(reader, &state->certificate[i]);
    }
    hk_fields_need(fields, 24);
    state->key_count = (size_t)hk_cbor_get_array(reader, HK_KEYS_MAX);
    for (size_t i = 0; i < state->key_count && reader->error == HK_OK; i++) {
        get_key(reader, &state->key[i], state->refresh.stage == HK_REFRESH_STORED);
        if (i > 0 && memcmp(state->key[i - 1].id, state->key[i].id, HK_ID_BYTES) >= 0) {
            hk_cbor_fail(reader);
        }
    }
}

enum hk_error hk_state_decode(struct hk_state *out, const uint8_t *data, size_t size)
{
    struct hk_cbor_reader reader;
    hk_wipe(out, sizeof(*out));
    hk_cbor_reader_init(&reader, data, size);
    struct hk_fields fields = hk_fields_begin(&reader, 34);
    out->phase = (enum hk_state_phase)hk_fields_uint(&fields, 1, HK_PHASE_RECOVERING);
    hk_fields_fixed(&fields, 2, out->account, HK_ACCOUNT_BYTES);
    hk_fields_name(&fields, 3, out->address, HK_ADDRESS_MAX);
    hk_fields_fixed(&fields, 4, out->service_key, 32);
    hk_fields_fixed(&fields, 5, out->identity_key, 32);
    hk_fields_fixed(&fields, 6, out->serial, HK_ID_BYTES);
    hk_fields_name(&fields, 7, out->name, HK_NAME_MAX);
    out->role = (enum hk_role)hk_fields_uint(&fields, 8, HK_ROLE_ADMIN);
    out->created = hk_fields_uint(&fields, 9, UINT64_MAX);
    hk_fields_fixed(&fields, 10, out->static_key.bytes, 32);
    hk_fields_fixed(&fields, 11, out->report_key.bytes, 64);
    out->record_size = get_bytes(&fields, 12, out->record, sizeof(out->record));
    out->epoch = hk_fields_uint(&fields, 13, UINT64_MAX);
    hk_fields_fixed(&fields, 14, out->tag, HK_TAG_BYTES);
    out->must_refresh = hk_fields_uint(&fields, 15, 1) != 0;
    out->last_use = hk_fields_uint(&fields, 16, UINT64_MAX);
    out->stale_copy_seen = hk_fields_uint(&fields, 17, UINT64_MAX);
    hk_fields_fixed(&fields, 18, out->join_transcript, HK_NAME_BYTES);
    out->profile_version = hk_fields_uint(&fields, 19, UINT64_MAX);
    get_lists(&fields, out);
    out->profile_size = get_bytes(&fields, 25, out->profile, sizeof(out->profile));
    if (hk_fields_has(&fields, 26)) { /* what came later is missing in older files */
        hk_fields_need(&fields, 26);
        get_confirm(&reader, &out->confirm);
    }
    if (hk_fields_has(&fields, 27)) {
        hk_fields_need(&fields, 27);
        get_suspended(&reader, &out->log);
    }
    out->has_ring = hk_fields_has(&fields, 28);
    if (out->has_ring) {
        hk_fields_fixed(&fields, 28, out->ring, sizeof(out->ring));
    }
    if (hk_fields_has(&fields, 29)) {
        out->refreshed = hk_fields_uint(&fields, 29, UINT64_MAX);
        out->uses = hk_fields_uint(&fields, 30, UINT64_MAX);
    }
    if (hk_fields_has(&fields, 31)) {
        hk_fields_need(&fields, 31);
        hk_state_get_hand(&reader, &out->hand);
    }
    if (hk_fields_has(&fields, 32)) {
        hk_fields_need(&fields, 32);
        hk_state_get_holders(&reader, out);
    }
    out->recovered = hk_fields_has(&fields, 33);
    if (out->recovered) {
        out->recovered = hk_fields_uint(&fields, 33, 1) != 0;
        out->recovery_size = get_bytes(&fields, 34, out->recovery, sizeof(out->recovery));
    }
    hk_fields_end(&fields);
    enum hk_error error = hk_cbor_reader_finish(&reader);
    if (error == HK_OK && (unsigned)out->phase < HK_PHASE_CREATING) {
        error = HK_BAD_ENCODING;
    }
    if (error != HK_OK) {
        hk_wipe(out, sizeof(*out));
        return error;
    }
    hk_noise_public(out->static_public, &out->static_key);
    memcpy(out->report_public, out->report_key.bytes + 32, 32);
    return HK_OK;
}
