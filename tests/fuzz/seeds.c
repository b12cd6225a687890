/* Writes the seeds of the newer targets: each what the real encoders and the real channel give.
 *   seeds FOLDER     makes FOLDER/fuzz_NAME/... */
#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "device/age.h"
#include "device/agent_protocol.h"
#include "device/certificate.h"
#include "device/invitation.h"
#include "device/hand_channel.h"
#include "device/join_channel.h"
#include "device/key_format.h"
#include "device/rotation.h"
#include "device/ssh_policy.h"
#include "device/share_text.h"
#include "device/sshsig.h"
#include "device/state.h"
#include "keyservice/file.h"
#include "keyservice/slots.h"
#include "protocol/address.h"
#include "protocol/merkle.h"
#include "tests/fuzz/channel.h"

static const char *root;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)data;
    (void)size;
    return 0;
}

static void put(const char *target, const char *name, const void *data, size_t size)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/fuzz_%s", root, target);
    MUST(mkdir(path, 0755) == 0 || errno == EEXIST);
    snprintf(path, sizeof(path), "%s/fuzz_%s/%s", root, target, name);
    FILE *file = fopen(path, "wb");
    MUST(file != NULL && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

static void put_text(const char *target, const char *name, const char *text)
{
    put(target, name, text, strlen(text));
}

static void frames(void)
{
    uint8_t frame[64] = {0};
    const uint8_t id[HK_SESSION_ID_BYTES] = {1, 2, 3}, none[HK_SESSION_ID_BYTES] = {0};
    char name[16];
    for (int type = HK_FRAME_HANDSHAKE_IK; type <= HK_FRAME_ANSWER; type++) {
        bool first = type <= HK_FRAME_HANDSHAKE_NK, counted = type >= HK_FRAME_REQUEST;
        hk_frame_header(frame, (enum hk_frame_type)type, first ? none : id, counted ? 5 : 0);
        snprintf(name, sizeof(name), "type-%d", type);
        put("frame", name, frame, sizeof(frame));
    }
    hk_frame_hint(frame, id, HK_BUSY);
    put("frame", "hint", frame, HK_FRAME_HINT_BYTES);
}

/* -- the channel -- */

struct tape {
    uint8_t bytes[20000];
    size_t size;
};

static void add(struct tape *tape, const void *part, size_t size)
{
    tape->bytes[tape->size++] = (uint8_t)(size >> 8);
    tape->bytes[tape->size++] = (uint8_t)size;
    memcpy(tape->bytes + tape->size, part, size);
    tape->size += size;
}

/* What the side that is not fed says; the side that is fed draws its randomness as the target does. */
static void handshake(size_t pattern, bool feed_initiator)
{
    static const struct hk_secret32 ephemeral = {{11, 12}};
    struct tape tape = {{(uint8_t)(pattern | (feed_initiator ? FUZZ_INITIATOR : 0))}, 1};
    struct hk_noise sides[2];
    uint8_t public_keys[2][32], message[512], out[64];
    size_t size, length;
    char name[40];
    hk_noise_public(public_keys[0], &fuzz_device_key);
    hk_noise_public(public_keys[1], &fuzz_service_key);
    for (int side = 0; side < 2; side++) {
        bool fed = (side == 0) == feed_initiator;
        struct hk_noise_setup setup = {.static_key = side == 0 ? &fuzz_device_key : &fuzz_service_key,
                                       .remote_static = public_keys[1 - side],
                                       .psk = &fuzz_psk,
                                       .ephemeral = fed ? NULL : &ephemeral};
        MUST(hk_noise_init(&sides[side], fuzz_patterns[pattern],
                           side == 0 ? HK_NOISE_INITIATOR : HK_NOISE_RESPONDER, &setup) == HK_OK);
    }
    fuzz_random();
    for (int from = 0; !hk_noise_is_finished(&sides[0]); from = 1 - from) {
        MUST(hk_noise_write(&sides[from], "", 0, message, sizeof(message), &size) == HK_OK);
        MUST(hk_noise_read(&sides[1 - from], message, size, out, sizeof(out), &length) == HK_OK);
        if ((from == 0) != feed_initiator) {
            add(&tape, message, size);
        }
    }
    snprintf(name, sizeof(name), "%.12s-%s", fuzz_patterns[pattern] + 6,
             feed_initiator ? "initiator" : "responder");
    put("handshake", name, tape.bytes, tape.size);
}

static enum hk_error admit(void *argument, const uint8_t static_key[HK_NOISE_KEY_BYTES], unsigned *caller)
{
    (void)argument;
    *caller = 2;
    return (static_key[0] & 1) != 0 ? HK_UNKNOWN_DEVICE : HK_OK;
}

/* A session opened, two requests, the first again, a frame that was changed. */
static void table(bool stranger)
{
    static uint8_t out[HK_FRAME_MAX];
    struct tape tape = {{FUZZ_TABLE}, 1};
    struct hk_session_table *sessions;
    struct hk_session session;
    struct hk_session_keys *keys = hk_secret_new(sizeof(*keys));
    struct hk_noise noise;
    uint8_t device_public[32], first[HK_HANDSHAKE_BYTES_MAX], frame[200];
    size_t size, length;
    uint64_t counter;
    struct hk_frame parsed;
    struct hk_session_table_setup setup = {
        .service = {.static_key = &fuzz_service_key, .admit = admit}, .unconfirmed = 4, .strangers = 4};
    hk_noise_public(setup.service.static_public, &fuzz_service_key);
    hk_noise_public(device_public, &fuzz_device_key);
    fuzz_random();
    MUST(hk_session_begin(&noise, stranger ? NULL : &fuzz_device_key, device_public,
                          setup.service.static_public, first, &size) == HK_OK);
    add(&tape, first, size);
    fuzz_random();
    MUST(hk_session_table_new(&sessions, &setup) == HK_OK && hk_frame_parse(&parsed, first, size) == HK_OK);
    MUST(hk_session_table_accept(sessions, &parsed, out, &length) == HK_OK);
    MUST(hk_session_finish(&session, keys, &noise, out, length) == HK_OK);
    for (int i = 0; i < 2; i++) {
        MUST(hk_session_seal_request(&session, "request", 7, frame, sizeof(frame), &length, &counter) ==
             HK_OK);
        add(&tape, frame, length);
    }
    add(&tape, frame, length);
    frame[length - 1] ^= 1;
    add(&tape, frame, length);
    put("handshake", stranger ? "table-stranger" : "table-device", tape.bytes, tape.size);
    hk_secret_free(hk_session_close(&session));
    hk_session_wipe(&session);
    hk_session_table_free(sessions);
}

/* -- the device -- */

static void state(void)
{
    static uint8_t bytes[1 << 18];
    struct hk_state *made;
    struct hk_state_seal seal;
    struct hk_home home = {.path = ""};
    uint8_t id[HK_ID_BYTES] = {3};
    size_t size;
    fuzz_random();
    MUST(hk_state_new(&made) == HK_OK);
    hk_state_make_device(made, "laptop", HK_ROLE_ADMIN);
    made->created = made->last_use = 1700000000;
    made->phase = HK_PHASE_ACTIVE;
    snprintf(made->address, sizeof(made->address), "tcp://127.0.0.1:7700");
    for (uint8_t n = 1; n <= 3; n++) {
        id[0] = n;
        struct hk_state_key *key = hk_state_add_key(made, id);
        MUST(key != NULL);
        key->suite = n;
        key->purpose = n;
        key->state = HK_KEY_ACTIVE;
        snprintf(key->name, sizeof(key->name), "key %d", n);
        hk_scalar_random(&hk_edwards25519, &key->half);
        hk_scalar_random(&hk_edwards25519, &key->next_half);
    }
    MUST(hk_state_keep_certificate(made, id, "certificate", 11, id) == HK_OK);
    bytes[0] = 0;
    MUST(hk_state_encode(made, bytes + 1, sizeof(bytes) - 1, &size) == HK_OK);
    put("state", "active", bytes, size + 1);
    made->refresh.stage = HK_REFRESH_STORED;
    made->enrolment.open = true;
    made->enrolment.record_size = made->enrolment.certificate_size = 5;
    made->log.report_count = 1;
    MUST(hk_state_encode(made, bytes + 1, sizeof(bytes) - 1, &size) == HK_OK);
    put("state", "refreshing", bytes, size + 1);
    MUST(hk_state_seal_make(&seal, NULL, 0) == HK_OK);
    snprintf(home.path, sizeof(home.path), "%s", fuzz_folder());
    MUST(hk_state_write(made, &seal, &home, "seed") == HK_OK);
    char path[256];
    snprintf(path, sizeof(path), "%s/0000000000000000.share", fuzz_folder());
    FILE *file = fopen(path, "rb");
    MUST(file != NULL);
    bytes[0] = 1;
    size = fread(bytes + 1, 1, sizeof(bytes) - 1, file);
    fclose(file);
    put("state", "file", bytes, size + 1);
    hk_state_free(made);
}

struct out {
    uint8_t bytes[1 << 17];
    size_t size;
};

static enum hk_error keep(void *context, const uint8_t *data, size_t size)
{
    struct out *out = context;
    MUST(out->size + size <= sizeof(out->bytes));
    memcpy(out->bytes + out->size, data, size);
    out->size += size;
    return HK_OK;
}

static void age(void)
{
    static struct out out;
    static const uint8_t private_keys[3][32] = {{3}, {4}, {5}};
    uint8_t recipients[3][32];
    char name[32];
    fuzz_random();
    for (int i = 0; i < 3; i++) {
        crypto_scalarmult_base(recipients[i], private_keys[i]);
    }
    for (size_t count = 1; count <= 3; count += 2) {
        for (int armored = 0; armored < 2; armored++) {
            struct fuzz_memory plain = {(const uint8_t *)"attack at dawn", 14, 0};
            struct hk_source source = {fuzz_read, &plain};
            struct hk_sink sink = {keep, &out};
            out.size = 0;
            MUST(hk_age_encrypt(&source, &sink, (const uint8_t(*)[32])recipients, count, armored != 0) ==
                 HK_OK);
            snprintf(name, sizeof(name), "%zu-%s", count, armored ? "armored" : "binary");
            put("age", name, out.bytes, out.size);
        }
    }
    /* The same stanza as age hands it to a plugin: line 2 and 3 of the armorless file. */
    struct fuzz_memory plain = {(const uint8_t *)"x", 1, 0};
    out.size = 0;
    MUST(hk_age_encrypt(&(struct hk_source){fuzz_read, &plain}, &(struct hk_sink){keep, &out},
                        (const uint8_t(*)[32])recipients, 1, false) == HK_OK);
    char talk[2048], stanza[256] = "", identity[HK_KEY_TEXT_MAX], recipient[HK_KEY_TEXT_MAX];
    const char *at = memchr(out.bytes, '\n', out.size);
    const char *stop = strstr(at, "\n---");
    snprintf(stanza, sizeof(stanza), "%.*s", (int)(stop - (at + 4)), at + 4);
    struct hk_plugin_identity all = {.all = true};
    hk_plugin_identity_encode(identity, &all);
    hk_age_recipient_encode(recipient, recipients[0]);
    for (int locked = 0; locked < 4; locked += 2) {
        snprintf(talk, sizeof(talk),
                 "%c-> add-identity %s\n\n-> recipient-stanza 0 %s\n-> done\n\n%s-> ok\n\n-> ok\n\n", locked,
                 identity, stanza, locked ? "-> ok\nY29ycmVjdCBob3JzZQ\n" : "");
        put("plugin", locked ? "identity-locked" : "identity", talk, 1 + strlen(talk + 1));
    }
    snprintf(talk, sizeof(talk),
             "%c-> add-identity %s\n\n-> add-recipient %s\n\n-> wrap-file-key\nAAAAAAAAAAAAAAAAAAAAAA\n-> "
             "done\n\n-> ok\n\n",
             1, identity, recipient);
    put("plugin", "recipient", talk, 1 + strlen(talk + 1));
}

static void texts(void)
{
    char text[HK_SSHSIG_TEXT_MAX], address[HK_ADDRESS_MAX + 1];
    uint8_t key[32] = {3};
    struct hk_sshsig signature = {.hash = HK_SSHSIG_SHA512, .namespace = "git"};
    hk_sshsig_encode(text, &signature);
    put_text("formats", "sshsig", text);
    hk_age_recipient_encode(text, key);
    put_text("formats", "recipient", text);
    hk_ssh_public_encode(text, key, "alice");
    put_text("formats", "ssh", text);
    MUST(hk_bech32_encode(text, "AGE-SECRET-KEY-", key, 32) == HK_OK);
    put_text("formats", "identity", text);
    struct hk_plugin_identity identity = {.account = {1}, .key = {2}};
    hk_plugin_identity_encode(text, &identity);
    put_text("formats", "plugin", text);
    put_text("formats", "hexadecimal", "0300000000000000000000000000000000000000000000000000000000000000\n");
    const char *const urls[] = {"tcp://127.0.0.1:7700", "ipc:///run/halfkey", "ws://[::1]:80/halfkey",
                                "tls+tcp://example.org:443"};
    for (size_t i = 0; i < 4; i++) {
        char name[8];
        MUST(hk_address_print(address, urls[i], key) == HK_OK);
        snprintf(name, sizeof(name), "%zu", i);
        put_text("address", name, address);
        snprintf(name, sizeof(name), "url-%zu", i);
        put_text("address", name, urls[i]);
    }
    put_text("settings", "file",
             "# mine\nservice = halfkey://abc@host:7700\n timeout=5 \nkey = mail\n\npassphrase-fd =\n");
}

static void join(void)
{
    static struct hk_join_bundle bundle;
    static uint8_t bytes[1 << 16];
    char code[HK_INVITATION_TEXT_MAX], address[HK_ADDRESS_MAX + 1];
    uint8_t account[HK_ACCOUNT_BYTES] = {1}, key[32] = {2};
    struct hk_invitation invitation;
    struct hk_join_hello hello = {.serial = {4}, .name = "phone", .report_key = {5}};
    size_t size;
    fuzz_random();
    MUST(hk_address_print(address, "tcp://127.0.0.1:7700", key) == HK_OK);
    MUST(hk_invitation_make(&invitation, address, account, key, 1700000000) == HK_OK);
    MUST(hk_invitation_print(code, &invitation) == HK_OK);
    put_text("join", "code", code);
    MUST(hk_join_hello_encode(&hello, bytes, sizeof(bytes), &size) == HK_OK);
    put("join", "hello", bytes, size);
    bundle.profile = bundle.record = bundle.certificate = HK_TEXT("signed");
    bundle.key_count = 2;
    for (uint8_t i = 0; i < 2; i++) {
        bundle.keys[i].id[0] = (uint8_t)(i + 1);
        bundle.keys[i].kept[0] = 9;
        bundle.keys[i].suite = i == 0 ? HK_SUITE_X25519 : HK_SUITE_SECP256K1_ECDH;
    }
    MUST(hk_join_bundle_encode(&bundle, bytes, sizeof(bytes), &size) == HK_OK);
    put("join", "bundle", bytes, size);
    static struct hk_hand_bundle handed;
    handed.profile_version = 2;
    handed.key_count = bundle.key_count;
    memcpy(handed.keys, bundle.keys, sizeof(handed.keys));
    MUST(hk_hand_bundle_encode(&handed, bytes, sizeof(bytes), &size) == HK_OK);
    put("join", "handed", bytes, size);
    struct hk_hand_parties parties = {.account = account, .administrator = key, .device = key};
    struct hk_scalar half;
    hk_scalar_random(&hk_edwards25519, &half);
    put("join", "deposit", bytes, hk_hand_deposit_prove(bytes, &hk_edwards25519, &parties, key, &half));
}

static void agent(void)
{
    static struct hk_agent_message message;
    static uint8_t bytes[1 << 14];
    struct hk_agent_key_row key = {
        .id = {1}, .suite = 1, .name = "mail", .created = 1700000000, .here = true};
    struct hk_agent_device_row device = {
        .serial = {2}, .name = "phone", .role = HK_ROLE_ADMIN, .is_this = true, .in_profile = true};
    size_t size;
    hk_agent_message_init(&message);
    hk_agent_set_u64(&message, HK_A_OP, HK_AGENT_SIGN);
    hk_agent_set_text(&message, HK_A_KEY, "git");
    hk_agent_set_bytes(&message, HK_A_MESSAGE, "hello", 5);
    MUST(hk_agent_encode(&message, bytes, sizeof(bytes), &size) == HK_OK);
    put("agent", "sign", bytes, size);
    MUST(hk_agent_key_row_encode(&key, bytes, sizeof(bytes), &size) == HK_OK);
    put("agent", "key-row", bytes, size);
    hk_agent_message_init(&message);
    hk_agent_set_u64(&message, HK_A_OP, HK_AGENT_KEY_LIST);
    MUST(hk_agent_add(&message, HK_A_ROWS, bytes, size));
    MUST(hk_agent_encode(&message, bytes, sizeof(bytes), &size) == HK_OK);
    put("agent", "rows", bytes, size);
    MUST(hk_agent_device_row_encode(&device, bytes, sizeof(bytes), &size) == HK_OK);
    put("agent", "device-row", bytes, size);
}

/* -- the service -- */

static size_t slot_copy(uint8_t *out, const char *path)
{
    static uint8_t file[1 << 16];
    FILE *opened = fopen(path, "rb");
    MUST(opened != NULL);
    size_t size = fread(file, 1, sizeof(file), opened);
    fclose(opened);
    memcpy(out, file, 64);
    size = size - 4096 < (size_t)4 * 128 ? size - 4096 : (size_t)4 * 128;
    memcpy(out + 64, file + 4096, size);
    return size + 64;
}

static void slots(void)
{
    static const struct hk_secret32 master = {{9}};
    const uint8_t serial[16] = {5};
    struct hk_slots *made;
    struct hk_secret32 key;
    uint8_t bytes[8192];
    char paths[2][128], reason[HK_REASON_MAX];
    uint64_t slot;
    fuzz_random();
    for (int copy = 0; copy < 2; copy++) {
        snprintf(paths[copy], sizeof(paths[copy]), "%s/%c", fuzz_folder(), 'a' + copy);
    }
    MUST(hk_slots_open(&made, paths[0], paths[1], &master, true, reason) == HK_OK);
    for (int i = 0; i < 3; i++) {
        MUST(hk_slots_allocate(made, serial, &slot, &key) == HK_OK);
    }
    MUST(hk_slots_erase(made, 1) == HK_OK && hk_slots_set_header(made, 4, 5) == HK_OK &&
         hk_slots_sync(made) == HK_OK);
    bytes[0] = 4;
    hk_slots_close(made);
    size_t size = 1 + slot_copy(bytes + 1, paths[0]);
    size += slot_copy(bytes + size, paths[1]);
    put("slots", "both", bytes, size);
    bytes[1 + 64 + 40] ^= 1;
    put("slots", "differ", bytes, size);
}

static uint8_t nodes[8][8][HK_MERKLE_BYTES];

static enum hk_error node_write(void *context, unsigned level, uint64_t index,
                                const uint8_t node[HK_MERKLE_BYTES])
{
    (void)context;
    memcpy(nodes[level][index], node, HK_MERKLE_BYTES);
    return HK_OK;
}

static enum hk_error node_read(void *context, unsigned level, uint64_t index, uint8_t out[HK_MERKLE_BYTES])
{
    (void)context;
    memcpy(out, nodes[level][index], HK_MERKLE_BYTES);
    return HK_OK;
}

static void log_proofs(void)
{
    struct hk_frontier frontier;
    uint8_t proof[HK_MERKLE_PROOF_MAX][HK_MERKLE_BYTES], bytes[24 + 96 + 32 * 16] = {0};
    size_t count;
    hk_frontier_init(&frontier);
    for (uint8_t i = 0; i < 7; i++) {
        uint8_t leaf[HK_MERKLE_BYTES];
        hk_merkle_leaf(leaf, &i, 1);
        MUST(hk_frontier_append(&frontier, leaf, node_write, NULL) == HK_OK);
        if (i == 2) {
            hk_frontier_root(bytes + 24 + 32, &frontier);
            memcpy(bytes + 24, leaf, 32);
        }
    }
    hk_frontier_root(bytes + 24 + 64, &frontier);
    bytes[7] = 3;  /* old size */
    bytes[15] = 7; /* size */
    bytes[23] = 2; /* index */
    MUST(hk_merkle_prove_inclusion(proof, &count, 2, 7, node_read, NULL) == HK_OK);
    memcpy(bytes + 24 + 96, proof, count * 32);
    put("log", "inclusion", bytes, 24 + 96 + count * 32);
    MUST(hk_merkle_prove_consistency(proof, &count, 3, 7, node_read, NULL) == HK_OK);
    memcpy(bytes + 24 + 96, proof, count * 32);
    put("log", "consistency", bytes, 24 + 96 + count * 32);
}

static void rotations(void)
{
    uint8_t bytes[HK_ROTATION_ENCODED_MAX];
    size_t size;
    for (size_t i = 0; hk_suite_at(i) != NULL; i++) {
        struct hk_rotation link = {.old_suite = hk_suite_at(i), .old_public = {2, 5}, .old_id = {1}};
        link.is_signed = hk_rotation_can_sign(link.old_suite);
        if (link.old_suite->purpose != HK_PURPOSE_ACCOUNT) {
            MUST(hk_rotation_encode(&link, bytes, &size) == HK_OK);
            put("rotation", link.old_suite->name, bytes, size);
        }
    }
}

/* -- SSH: beside what is recorded of OpenSSH 9.2, the files of these targets that begin with "real-" -- */

static void ssh(void)
{
    static uint8_t out[2 + HK_ATTACHMENT_MAX + 512];
    struct hk_ssh_policy policy = {.names_namespaces = true,
                                   .names_hosts = true,
                                   .forwarded = HK_SSH_FORWARDED_YES,
                                   .namespace_count = 2,
                                   .host_count = 1,
                                   .namespaces = {"git", "file"},
                                   .hosts = {{.name = "example.org", .fingerprint = {1}}}};
    size_t size = 0;
    MUST(hk_ssh_policy_encode(&policy, out + 2, HK_ATTACHMENT_MAX, &size) == HK_OK);
    out[0] = (uint8_t)(size >> 8);
    out[1] = (uint8_t)size;
    struct hk_ssh_writer writer = {out + 2 + size, 0, 512, false};
    hk_ssh_put(&writer, "SSHSIG", 6);
    hk_ssh_put_string(&writer, "git", 3);
    hk_ssh_put_string(&writer, NULL, 0);
    hk_ssh_put_string(&writer, "sha256", 6);
    hk_ssh_put_string(&writer, "0123456789abcdef0123456789abcdef", 32);
    put("ssh_signed", "policy", out, 2 + size + writer.size);
    put("ssh_agent", "unlock", "\0\0\0\7\x17\0\0\0\2pw\0\0\0\1\x0b", 16);
}

/* -- gpg -- */

/* A certificate with a subkey, or the secret key and a user id, not sealed. */
static size_t openpgp(uint8_t *out, size_t max, bool is_secret, struct hk_openpgp_self *first)
{
    static const uint8_t seed[32] = {0x81, 4, 2};
    uint8_t point[32], secret[64], body[HK_OPENPGP_KEY_MAX + 64], signature[64];
    struct hk_openpgp_writer writer = {out, max, 0, false}, inner = {body, sizeof(body), 0, false};
    struct hk_openpgp_key key, subkey;
    struct hk_openpgp_self self;
    crypto_sign_seed_keypair(point, secret, seed);
    hk_openpgp_key_init(&key, HK_OPENPGP_EDDSA, point, 1700000000);
    inner.size = hk_openpgp_key_encode(body, &key);
    size_t number = inner.size + 1;
    unsigned sum = 0;
    if (is_secret) {
        hk_openpgp_put(&inner, "", 1);
        hk_openpgp_put_mpi(&inner, seed, 32);
        for (size_t i = number; i < inner.size; i++) {
            sum += body[i];
        }
        hk_openpgp_put(&inner, (uint8_t[]){(uint8_t)(sum >> 8), (uint8_t)sum}, 2);
    }
    hk_openpgp_put_packet(&writer, is_secret ? HK_OPENPGP_SECRET_KEY : HK_OPENPGP_PUBLIC_KEY, body,
                          inner.size);
    hk_openpgp_self_user_id(&self, &key, "Ann <ann@example.org>", 1700000001);
    *first = self;
    crypto_sign_detached(signature, NULL, self.digest, 64, secret);
    hk_openpgp_put_packet(&writer, HK_OPENPGP_USER_ID, "Ann <ann@example.org>", 21);
    hk_openpgp_self_finish(&writer, &self, signature);
    if (!is_secret) {
        hk_openpgp_key_init(&subkey, HK_OPENPGP_ECDH, point, 1700000000);
        hk_openpgp_put_packet(&writer, HK_OPENPGP_PUBLIC_SUBKEY, body, hk_openpgp_key_encode(body, &subkey));
        hk_openpgp_self_subkey(&self, &key, &subkey, 1700000001);
        crypto_sign_detached(signature, NULL, self.digest, 64, secret);
        hk_openpgp_self_finish(&writer, &self, signature);
    }
    memcpy(out + writer.size, point, 32);
    return writer.size;
}

static void gpg(void)
{
    uint8_t bytes[2048];
    char text[HK_CERTIFICATE_ARMOR_MAX];
    struct hk_openpgp_self self;
    size_t size = openpgp(bytes, sizeof(bytes) - 32, false, &self);
    put("openpgp", "certificate", bytes, size);
    uint8_t shown[36 + HK_OPENPGP_SIGNED_MAX];
    memcpy(shown, bytes + size, 32);
    memcpy(shown + 32, (uint8_t[]){0x65, 0x53, 0xf1, 0x00}, 4); /* 1700000000 */
    memcpy(shown + 36, self.signed_data, self.signed_size);
    put("openpgp", "to-be-signed", shown, 36 + self.signed_size);
    size = openpgp(bytes, sizeof(bytes) - 32, true, &self);
    put("openpgp", "export", bytes, size);
    hk_certificate_armor(text, HK_BYTES(bytes, size));
    put_text("openpgp", "export-armored", text);
#define SIGN "PKSIGN --hash=sha256 HALFKEY.01000000000000000000000000000000\n"
#define DIGEST "SETDATA 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
    put_text("assuan", "learn",
             "0SERIALNO\nLEARN --force\nREADKEY HALFKEY.01000000000000000000000000000000\nKEYINFO --list\n"
             "GETATTR KEY-FPR\nGETINFO version\nBYE\n");
    put_text("assuan", "sign", "2SERIALNO --demand=D276000124010304FF48000000000000\n" DIGEST SIGN);
    put_text("assuan", "decrypt", "2" DIGEST "PKDECRYPT HALFKEY.02000000000000000000000000000000\nRESTART\n");
    put_text("assuan", "locked", "1" DIGEST SIGN "D correct%20horse\nEND\n" DIGEST SIGN);
    put_text("assuan", "other",
             "4SERIALNO --demand=D2760001240102000005000012340000\n" DIGEST "PKSIGN OPENPGP.1\nD 123456\n"
             "END\nGETINFO card_list\n----\nS SERIALNO D2760001240102000005000012340000\nOK\nOK\n"
             "INQUIRE NEEDPIN ||PIN\nD abc%25\nOK\nS SERIALNO D2760001240102000005000012340000\nOK\n");
}

/* The first byte says which. */
static void put_recovery(uint8_t which, const char *name, uint8_t *bytes, size_t size)
{
    memmove(bytes + 1, bytes, size);
    bytes[0] = which;
    put("recovery", name, bytes, size + 1);
}

static void recoveries(void)
{
    static uint8_t bytes[HK_RECOVERY_PACKET_MAX + HK_SHARE_TEXT_MAX];
    static struct hk_recovery_packet packet = {.suite = HK_SUITE_X25519, .epoch = 2, .holders = 3};
    static struct hk_recovery_contribution contribution = {.index = 2, .count = 1};
    struct hk_recovery_request request = {
        .device = "desk", .address = "tcp://127.0.0.1:7700", .count = 2, .index = {1, 3}};
    struct hk_share_facts facts = {.index = 2,
                                   .count = 3,
                                   .threshold = 2,
                                   .account = request.account,
                                   .service = "tcp://127.0.0.1:7700"};
    uint8_t code[HK_CODE_BYTES] = {7};
    size_t size;
    packet.dealings[0].count = packet.dealings[1].count = 2;
    MUST(hk_recovery_packet_encode(&packet, bytes, sizeof(bytes), &size) == HK_OK);
    put_recovery(0, "packet", bytes, size);
    MUST(hk_recovery_request_encode(&request, bytes, sizeof(bytes), &size) == HK_OK);
    put_recovery(1, "request", bytes, size);
    contribution.parts[0].point_bytes = 33;
    MUST(hk_recovery_contribution_encode(&contribution, bytes, sizeof(bytes), &size) == HK_OK);
    put_recovery(2, "contribution", bytes, size);
    MUST(hk_share_write((char *)bytes, &size, code, &facts) == HK_OK);
    put_recovery(4, "share", bytes, size);
}

int main(int argc, char **argv)
{
    MUST(argc == 2 && sodium_init() >= 0);
    root = argv[1];
    frames();
    for (size_t pattern = 0; pattern < FUZZ_PATTERNS; pattern++) {
        handshake(pattern, false);
        if (strncmp(fuzz_patterns[pattern] + 6, "X_", 2) != 0 &&
            strncmp(fuzz_patterns[pattern] + 6, "Np", 2) != 0) {
            handshake(pattern, true);
        }
    }
    table(false);
    table(true);
    state();
    age();
    texts();
    join();
    agent();
    slots();
    log_proofs();
    rotations();
    ssh();
    gpg();
    recoveries();
    return 0;
}
