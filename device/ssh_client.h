/* ssh_client.h - one connection of an SSH client to the agent: its requests, one after the other.
 *
 * Shared by ssh_agent.c, which has the connections, ssh_client.c, which reads requests, and ssh_sign.c, which
 * answers the one that matters. */
#ifndef HALFKEY_DEVICE_SSH_CLIENT_H
#define HALFKEY_DEVICE_SSH_CLIENT_H

#include "device/ssh_agent.h"
#include "device/ssh_binding.h"

/* Message numbers of the protocol. */
enum hk_ssh_message {
    HK_SSH_FAILURE = 5,
    HK_SSH_SUCCESS = 6,
    HK_SSH_REQUEST_IDENTITIES = 11,
    HK_SSH_IDENTITIES = 12,
    HK_SSH_SIGN = 13,
    HK_SSH_SIGNATURE = 14,
    HK_SSH_LOCK = 22,
    HK_SSH_UNLOCK = 23,
    HK_SSH_EXTENSION = 27
};

#define HK_SSH_REFUSED_MAX 16
#define HK_SSH_REFUSED_MS 60000

/* What all connections share. */
struct hk_ssh_shared {
    struct hk_core *core;
    pthread_mutex_t lock;   /* what follows */
    pthread_mutex_t asking; /* held while a person is asked: one question at a time */
    bool locked;            /* by ssh-add -x */
    uint8_t lock_salt[32], lock_hash[32];
    unsigned lock_failures;
    struct hk_ssh_shown { /* keys that were shown last: shown on while the agent is sealed */
        uint8_t public_key[32];
        char name[HK_NAME_MAX + 1];
    } shown[HK_KEYS_MAX];
    size_t shown_count;
    struct hk_ssh_refused { /* hosts to which somebody has said no: not asked about again for a while */
        size_t session_size;
        uint8_t session[HK_SSH_SESSION_MAX];
        long long until; /* CLOCK_BOOTTIME, milliseconds */
    } refused[HK_SSH_REFUSED_MAX];
    size_t refused_next;
    atomic_bool was_unlocked; /* `shown` has been filled */
    struct hk_ssh_waiting {   /* requests that the service has not answered yet */
        bool open, told;
        long long since; /* CLOCK_BOOTTIME, milliseconds */
        pid_t peer;
        char what[HK_SSH_FRAME_MAX / 256];
    } waiting[HK_SSH_CONNECTIONS];
};

/* Large, and zeroed at the start; on the heap. */
struct hk_ssh_client {
    struct hk_ssh_shared *shared;
    int fd, fallback; /* fallback: -1 while it has not been asked */
    size_t place;     /* in shared->waiting */
    pid_t peer;
    struct hk_ssh_bindings bindings;
    uint8_t in[HK_SSH_FRAME_MAX], out[HK_SSH_FRAME_MAX], other[HK_SSH_FRAME_MAX];
    size_t in_size;
    struct hk_ssh_writer answer; /* into `out` */
    /* for operations of the agent */
    struct hk_op_call call;
    struct hk_agent_message request, result;
    char sentence[512];
    uint8_t memory[128 * 1024];
};

/* Reads and answers requests until the other side hangs up. */
void hk_ssh_client_serve(struct hk_ssh_client *client);

/* An empty request of the agent's own operations, in client->request; what it answers is in client->result,
 * with client->sentence on an error. */
void hk_ssh_operation(struct hk_ssh_client *client, enum hk_agent_op op);
enum hk_error hk_ssh_run(struct hk_ssh_client *client) HK_CHECK;
/* The same; asks for the passphrase, once, where the state is sealed and `ask` says so. Never for another
 * host: nobody there shall make a passphrase be typed. */
enum hk_error hk_ssh_run_unlocked(struct hk_ssh_client *client, bool ask) HK_CHECK;

/* Answers a sign request (its content, behind the number). False if the key is none of ours, and nothing has
 * been written. */
bool hk_ssh_sign(struct hk_ssh_client *client, struct hk_bytes request) HK_CHECK;
/* Puts the keys that this connection may see behind their count; returns it. */
uint32_t hk_ssh_list(struct hk_ssh_client *client);

/* Forgets what was written and answers "failed". */
void hk_ssh_refuse(struct hk_ssh_client *client);
/* The same, and tells the user why: "halfkey: 'NAME': SENTENCE". */
void hk_ssh_refuse_because(struct hk_ssh_client *client, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Passes the request on to the agent behind this one; its answer is in client->other. HK_NOT_FOUND if there
 * is none, HK_IO if it does not answer. */
HK_CHECK enum hk_error hk_ssh_pass_on(struct hk_ssh_client *client, struct hk_bytes *answer);

#endif
