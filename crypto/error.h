/* error.h - the one list of what can go wrong.
 *
 * Every function that can fail returns an enum hk_error; zero is success, and output parameters are untouched
 * on failure. The list is a table: number, name on the wire, and a sentence that a user can act on. Numbers
 * go over the wire and into logs, so they never change. */
#ifndef HALFKEY_CRYPTO_ERROR_H
#define HALFKEY_CRYPTO_ERROR_H

#define HK_CHECK __attribute__((warn_unused_result))

/* X(identifier, number, name, sentence) */
#define HK_ERRORS(X)                                                                                         \
    X(HK_OK, 0, "ok", "done")                                                                                \
    X(HK_UNKNOWN_DEVICE, 1, "unknown-device", "the service does not know this device or account")            \
    X(HK_REVOKED, 2, "revoked", "this device is revoked; what it holds is of no use any more")               \
    X(HK_SUSPENDED, 3, "suspended",                                                                          \
      "this device is suspended; 'halfkey device resume' on an administrator's ends that")                   \
    X(HK_STALE_EPOCH, 4, "stale-epoch",                                                                      \
      "these halves are from before the last refresh: this is an old copy; enrol this device again")         \
    X(HK_ROLLED_BACK, 5, "rolled-back",                                                                      \
      "the service's store is older than this device's last refresh; ask its operator")                      \
    X(HK_BAD_POINT, 6, "bad-point", "a point is not valid")                                                  \
    X(HK_BAD_PROOF, 7, "bad-proof", "a proof or a commitment does not hold: the other side is wrong")        \
    X(HK_LOCKED, 8, "locked", "locked by a refresh or an enrolment that is under way; try again shortly")    \
    X(HK_OVER_QUOTA, 9, "over-quota", "too many requests; try again later")                                  \
    X(HK_NEEDS_APPROVAL, 10, "needs-approval", "this needs the approval of an administrator")                \
    X(HK_TOO_LARGE, 11, "too-large", "too large; sign a digest instead (ssh format, Ed25519ph)")             \
    X(HK_TOO_OLD, 12, "too-old", "a repeat of a frame whose answer is gone")                                 \
    X(HK_BAD_ENCODING, 13, "bad-encoding", "not well formed")                                                \
    X(HK_BUSY, 14, "busy", "the service is busy; try again")                                                 \
    X(HK_INTERNAL, 15, "internal", "the service could not store or compute this; nothing was done")          \
    X(HK_UNKNOWN_KEY, 16, "unknown-key", "there is no such key for this device")                             \
    X(HK_WRONG_PURPOSE, 17, "wrong-purpose", "this key is of another suite or purpose")                      \
    X(HK_NOT_ALLOWED, 18, "not-allowed", "this device may not do that; an administrator can")                \
    X(HK_CONFLICT, 19, "conflict", "this contradicts what is already stored")                                \
    X(HK_UNKNOWN_TAG, 20, "unknown-tag", "the service does not know this epoch's tag")                       \
    X(HK_UNKNOWN_RUN, 21, "unknown", "no such run; it was never finished or has expired; start again")       \
    X(HK_UNKNOWN_OP, 22, "unknown-op", "the service does not know this operation")                           \
    X(HK_QUARANTINE, 23, "quarantine",                                                                       \
      "the service's store and slot file do not fit together; its operator runs 'halfkeyd adopt-restore'")   \
    X(HK_PREPARED_OFF, 24, "prepared-off",                                                                   \
      "the service prepares nothing for ECDSA; commit to the message, in two round trips")                   \
    /* from here on: never on the wire */                                                                    \
    X(HK_BAD_SCALAR, 40, "bad-scalar", "a scalar is zero or not canonical")                                  \
    X(HK_NO_MEMORY, 41, "no-memory", "out of memory or over the locked-memory limit (ulimit -l)")            \
    X(HK_UNREACHABLE, 42, "unreachable", "the service cannot be reached")                                    \
    X(HK_TIMEOUT, 43, "timeout", "no answer within the time limit")                                          \
    X(HK_BAD_PEER, 44, "bad-peer", "the other side is not who it should be, or did not follow the protocol") \
    X(HK_IO, 45, "io", "a file could not be read or written")                                                \
    X(HK_AGENT_LOCKED, 46, "agent-locked", "locked; run 'halfkey unlock'")                                   \
    X(HK_NO_ACCOUNT, 47, "no-account", "no account here; run 'halfkey init' or 'halfkey device join'")       \
    X(HK_EXISTS, 48, "exists", "that name is already in use")                                                \
    X(HK_NOT_FOUND, 49, "not-found", "no such thing")                                                        \
    X(HK_BAD_PASSPHRASE, 50, "bad-passphrase", "wrong passphrase, or the file is damaged")                   \
    X(HK_BAD_SIGNATURE, 51, "bad-signature", "the signature is not valid")                                   \
    X(HK_USAGE, 52, "usage", "wrong usage; see --help")                                                      \
    X(HK_AUTH, 53, "auth", "authentication failed: damaged, or not for this key")                            \
    X(HK_UNSUPPORTED, 54, "unsupported", "not supported by this version")                                    \
    X(HK_LOG_FORKED, 55, "log-forked",                                                                       \
      "the service's log does not extend what this device has seen: something was hidden, changed, or put "  \
      "back from a backup; ask its operator")                                                                \
    X(HK_AGAIN, 56, "again", "not yet; ask again")

enum hk_error {
#define HK_ERROR_ENUM(id, number, name, sentence) id = number,
    HK_ERRORS(HK_ERROR_ENUM)
#undef HK_ERROR_ENUM
};

/* The name as it goes over the wire and into logs, such as "bad-point". Never NULL. */
const char *hk_error_name(enum hk_error error);

/* The sentence for the user. Never NULL. */
const char *hk_strerror(enum hk_error error);

#endif
