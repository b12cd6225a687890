/* operations.h - the functions behind the rows of the dispatch table (keyservice/dispatch.c). Each file
 * op_*.c is one idea; what a message has, and who may send it, is the table of protocol/message.h. */
#ifndef HALFKEY_KEYSERVICE_OPERATIONS_H
#define HALFKEY_KEYSERVICE_OPERATIONS_H

#include "keyservice/job.h"

/* X(operation's number, prefix of its functions, prepare?, apply?, finish?, flags) */
#define HK_OPERATIONS(X)                                                                                     \
    X(HK_OP_CREATE_ACCOUNT, create_account, HAS, NOT, NOT, 0)                                                \
    X(HK_OP_CREATE_FINISH, create_finish, HAS, HAS, NOT, HK_OPERATION_LEAF | HK_OPERATION_SECRET)            \
    X(HK_OP_CREATE_STATUS, create_status, HAS, HAS, NOT, HK_OPERATION_SECRET)                                \
    X(HK_OP_KEYGEN_START, keygen_start, HAS, NOT, NOT, HK_OPERATION_STOPS_REFRESH)                           \
    X(HK_OP_KEYGEN_FINISH, keygen_finish, HAS, HAS, NOT, HK_OPERATION_LEAF | HK_OPERATION_STOPS_REFRESH)     \
    X(HK_OP_KEYGEN_STATUS, keygen_status, NOT, HAS, NOT, 0)                                                  \
    X(HK_OP_KEY_IMPORT, key_import, HAS, HAS, NOT, HK_OPERATION_LEAF | HK_OPERATION_STOPS_REFRESH)           \
    X(HK_OP_AGREE, agree, HAS, NOT, NOT, HK_OPERATION_LEAF | HK_OPERATION_EARLY | HK_OPERATION_USE)          \
    X(HK_OP_SIGN, sign, HAS, HAS, NOT,                                                                       \
      HK_OPERATION_LEAF | HK_OPERATION_EARLY | HK_OPERATION_USE | HK_OPERATION_UNPROFILED)                   \
    X(HK_OP_REFRESH, refresh, HAS, HAS, NOT, HK_OPERATION_LEAF | HK_OPERATION_SECRET)                        \
    X(HK_OP_REFRESH_CONFIRM, refresh_confirm, HAS, HAS, NOT, HK_OPERATION_LEAF | HK_OPERATION_OWN_EPOCH)     \
    X(HK_OP_INVITE, invite, HAS, NOT, NOT, HK_OPERATION_LEAF)                                                \
    X(HK_OP_JOIN, join, HAS, NOT, NOT, 0)                                                                    \
    X(HK_OP_RELAY, relay, HAS, NOT, NOT, 0)                                                                  \
    X(HK_OP_ENROL, enrol, HAS, NOT, HAS, HK_OPERATION_LEAF)                                                  \
    X(HK_OP_ENROL_FETCH, enrol_fetch, HAS, NOT, NOT, HK_OPERATION_SECRET)                                    \
    X(HK_OP_ENROL_CONFIRM, enrol_confirm, HAS, HAS, HAS, HK_OPERATION_LEAF | HK_OPERATION_SECRET)            \
    X(HK_OP_ENROL_STATUS, enrol_status, NOT, HAS, NOT, HK_OPERATION_SECRET)                                  \
    X(HK_OP_REVOKE, revoke, HAS, HAS, HAS, HK_OPERATION_LEAF)                                                \
    X(HK_OP_REVOKE_BY_CERTIFICATE, revoke_by_certificate, HAS, HAS, HAS, HK_OPERATION_LEAF)                  \
    X(HK_OP_PROFILE_PUT, profile_put, HAS, HAS, NOT, HK_OPERATION_LEAF | HK_OPERATION_UNPROFILED)            \
    X(HK_OP_FETCH_PROFILE, fetch_profile, HAS, NOT, NOT, HK_OPERATION_UNPROFILED)                            \
    X(HK_OP_STATUS, status, HAS, NOT, NOT, HK_OPERATION_UNPROFILED)                                          \
    X(HK_OP_LOG_HEAD, log_head, HAS, NOT, NOT, HK_OPERATION_UNPROFILED)                                      \
    X(HK_OP_LOG_CONSISTENCY, log_consistency, HAS, NOT, NOT, HK_OPERATION_UNPROFILED)                        \
    X(HK_OP_LOG_INCLUSION, log_inclusion, HAS, NOT, NOT, HK_OPERATION_UNPROFILED)                            \
    X(HK_OP_LOG_LEAVES, log_leaves, HAS, NOT, NOT, HK_OPERATION_UNPROFILED)                                  \
    X(HK_OP_SUSPEND, suspend, NOT, HAS, NOT, HK_OPERATION_LEAF | HK_OPERATION_SUSPENDED)                     \
    X(HK_OP_RESUME, resume, NOT, HAS, NOT, HK_OPERATION_LEAF)                                                \
    X(HK_OP_ECDSA_RING, ecdsa_ring, HAS, HAS, NOT, 0)                                                        \
    X(HK_OP_ECDSA_SETUP, ecdsa_setup, HAS, HAS, NOT, HK_OPERATION_LEAF)                                      \
    X(HK_OP_ECDSA_COMMIT, ecdsa_commit, HAS, NOT, NOT, 0)                                                    \
    X(HK_OP_ECDSA_SIGN, ecdsa_sign, HAS, NOT, NOT,                                                           \
      HK_OPERATION_LEAF | HK_OPERATION_EARLY | HK_OPERATION_USE)                                             \
    X(HK_OP_KEY_DELETE, key_delete, HAS, HAS, NOT, HK_OPERATION_LEAF)                                        \
    X(HK_OP_RECOVERY_DEAL, recovery_deal, HAS, HAS, NOT,                                                     \
      HK_OPERATION_LEAF | HK_OPERATION_STOPS_REFRESH | HK_OPERATION_SECRET)                                  \
    X(HK_OP_RECOVERY_FETCH, recovery_fetch, HAS, NOT, NOT, 0)                                                \
    X(HK_OP_RECOVER_START, recover_start, HAS, NOT, NOT, 0)                                                  \
    X(HK_OP_RECOVER_KEY, recover_key, HAS, NOT, NOT, 0)                                                      \
    X(HK_OP_RECOVER_FINISH, recover_finish, HAS, HAS, HAS, HK_OPERATION_LEAF | HK_OPERATION_SECRET)          \
    X(HK_OP_CHANGE_ASK, change_ask, NOT, HAS, NOT, HK_OPERATION_LEAF)                                        \
    X(HK_OP_CHANGE_APPROVE, change_approve, NOT, HAS, NOT, HK_OPERATION_LEAF)                                \
    X(HK_OP_CHANGE_CANCEL, change_cancel, NOT, HAS, NOT, HK_OPERATION_LEAF | HK_OPERATION_SUSPENDED)         \
    X(HK_OP_CHANGES, changes, HAS, NOT, NOT, 0)                                                              \
    X(HK_OP_HAND_OPEN, hand_open, HAS, HAS, NOT, HK_OPERATION_LEAF)                                          \
    X(HK_OP_HAND_ASK, hand_ask, HAS, NOT, NOT, 0)                                                            \
    X(HK_OP_HAND_OFFER, hand_offer, HAS, NOT, HAS, HK_OPERATION_LEAF)                                        \
    X(HK_OP_HAND_SEAL, hand_seal, HAS, HAS, HAS, HK_OPERATION_LEAF)                                          \
    X(HK_OP_HAND_FETCH, hand_fetch, HAS, NOT, NOT, HK_OPERATION_SECRET)                                      \
    X(HK_OP_HAND_CONFIRM, hand_confirm, HAS, HAS, NOT, HK_OPERATION_LEAF)

#define HK_DECLARE_OPERATION(op, name, has_prepare, has_apply, has_finish, flags)                            \
    enum hk_error hk_prepare_##name(struct hk_job *job, struct hk_txn *txn);                                 \
    enum hk_error hk_apply_##name(struct hk_job *job, struct hk_txn *txn);                                   \
    bool hk_finish_##name(struct hk_job *job);
HK_OPERATIONS(HK_DECLARE_OPERATION)

#endif
