/* frost.h - RFC 9591 FROST threshold Schnorr signatures, t of n, over any group and suite.
 *
 * This is the RFC's mathematics and nothing else; the form in which device and service use it, one round trip
 * for two, is cosign.h. A signing goes: every signer hk_frost_commit; all commitments in one list sorted by
 * identifier; hk_frost_session_init over message and list (binding factors, group commitment, challenge);
 * every signer hk_frost_sign_share; hk_frost_aggregate; hk_frost_verify. If that fails, hk_frost_verify_share
 * finds who.
 *
 * Signers hold contributions w_i with sum x: for additive halves they are the halves, for Shamir shares x_i
 * w_i = lambda_i * x_i (hk_frost_weigh). All functions are constant time in nonces and contributions. */
#ifndef HALFKEY_CRYPTO_FROST_H
#define HALFKEY_CRYPTO_FROST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/group.h"
#include "crypto/hash.h"

#define HK_FROST_SIGNERS_MAX 32
#define HK_FROST_DIGEST_BYTES_MAX 64
#define HK_FROST_RANDOM_BYTES 32
#define HK_FROST_SIGNATURE_BYTES_MAX (HK_POINT_BYTES_MAX + HK_SCALAR_BYTES_MAX)

/* The key that a signature is made under, where it differs from the public key X = [d + s]B: private key g *
 * (d + s) + t. Public. */
struct hk_frost_key {
    uint8_t group_key[HK_POINT_BYTES_MAX]; /* of g * x + t, even */
    bool negated;                          /* g is -1 */
    struct hk_scalar tweak;                /* t */
};

/* A row of the suite table, RFC 9591 section 6. Hashes take a list of byte strings and hash their
 * concatenation; `tag` is "rho", "nonce" (H1, H3) or "msg", "com" (H4, H5), and NULL for the challenge H2. */
struct hk_frost_suite {
    const char *name; /* "FROST(Ed25519, SHA-512)" */
    const struct hk_group *group;
    const char *context;
    size_t digest_bytes;
    size_t left_out; /* of the front of R's encoding in a signature: 1 for BIP-340, which has x alone */
    void (*hash_to_scalar)(struct hk_scalar *out, const struct hk_frost_suite *suite, const char *tag,
                           const struct hk_bytes *list, size_t count);
    void (*hash)(uint8_t *digest, const struct hk_frost_suite *suite, const char *tag,
                 const struct hk_bytes *list, size_t count);
    /* Checks a finished signature as ordinary verifiers do; NULL: the equation [z]B = R + [c]X over the
     * group. */
    enum hk_error (*verify)(const uint8_t *signature, const uint8_t *group_key, const void *message,
                            size_t size);
    /* BIP-340: of a group key or group commitment for which this is true the negative is meant, and
     * everybody's contribution or nonces enter negated. NULL: of none. */
    bool (*is_odd)(const struct hk_point *point);
    /* Where signatures are not made under the public key as it is; NULL: they are. See
     * hk_cosign_under. */
    enum hk_error (*signing_key)(struct hk_frost_key *out, const uint8_t *public_key,
                                 const struct hk_bytes *root);
};

/* RFC 9591 section 6.1; verifies with libsodium, so as strictly as RFC 8032 and it together. */
extern const struct hk_frost_suite hk_frost_ed25519;
/* RFC 9591 section 6.5, for the library's users: signatures are R (33 bytes) and z. */
extern const struct hk_frost_suite hk_frost_secp256k1;
/* The same with BIP-340's challenge and even-y rule: signatures are those of BIP-340, 64 bytes, and verified
 * by libsecp256k1. Context and order of hashing are those of FROST-secp256k1-SHA256-TR-v1. */
extern const struct hk_frost_suite hk_frost_bip340;

/* The length of a signature, and of its first part. */
static inline size_t hk_frost_signature_bytes(const struct hk_frost_suite *suite)
{
    return suite->group->point_bytes - suite->left_out + suite->group->scalar_bytes;
}

/* An identifier: a scalar other than zero, canonical (group->scalar_bytes). Public. */
struct hk_frost_identifier {
    uint8_t bytes[HK_SCALAR_BYTES_MAX];
};
/* A small number as identifier; not 0. */
void hk_frost_identifier_set(struct hk_frost_identifier *out, const struct hk_frost_suite *suite,
                             uint64_t value);

/* What a signer publishes in round one: an entry of the commitment list. Encoded points, untrusted. */
struct hk_frost_commitment {
    struct hk_frost_identifier identifier;
    uint8_t hiding[HK_POINT_BYTES_MAX], binding[HK_POINT_BYTES_MAX];
};

/* A signer's nonces, for one signature: must not be copied or stored. The function that consumes them wipes
 * them before it looks at anything else. */
struct hk_frost_nonces {
    uint64_t magic;
    struct hk_scalar hiding, binding;
    struct hk_frost_commitment commitment;
};

/* Round one, RFC 9591 sections 4.1 and 5.1: nonces H3(random || secret) and their commitments.
 *
 *   nonces   filled; nonces->commitment is to be published
 *   secret   the signer's share, hashed into the nonces
 *   random   2 * HK_FROST_RANDOM_BYTES for hiding, binding; NULL draws them (anything else is for test
 * vectors)
 *
 * HK_BAD_SCALAR if a nonce is zero (never, in practice). */
HK_CHECK enum hk_error hk_frost_commit(struct hk_frost_nonces *nonces, const struct hk_frost_suite *suite,
                                       const struct hk_frost_identifier *identifier,
                                       const struct hk_scalar *secret, const uint8_t *random);

/* The same from nonces that the caller derived. Takes over `hiding` and `binding` and wipes them. */
HK_CHECK enum hk_error hk_frost_commit_to(struct hk_frost_nonces *nonces, const struct hk_frost_suite *suite,
                                          const struct hk_frost_identifier *identifier,
                                          struct hk_scalar *hiding, struct hk_scalar *binding);

/* What message, group key and commitment list fix for everybody. Public. */
struct hk_frost_session {
    const struct hk_frost_suite *suite;
    uint8_t group_key[HK_POINT_BYTES_MAX]; /* the even one of X and -X where the suite has that rule */
    bool key_negated, nonces_negated;      /* that rule at work */
    size_t count;
    struct hk_frost_commitment list[HK_FROST_SIGNERS_MAX];
    struct hk_scalar factor[HK_FROST_SIGNERS_MAX];    /* binding factors, section 4.4 */
    struct hk_point commitment[HK_FROST_SIGNERS_MAX]; /* hiding + [factor]binding of each signer */
    struct hk_point group_commitment;                 /* R, section 4.5 */
    struct hk_scalar challenge;                       /* section 4.6 */
};

/* Sections 4.3 to 4.6.
 *
 *   group_key  X, encoded, decoded before by the caller
 *   list       count entries (1 to HK_FROST_SIGNERS_MAX), sorted by identifier, strictly increasing;
 * untrusted
 *
 * HK_BAD_POINT for a commitment that is not strictly encoded (the identity included) or a group commitment
 * that is the identity, HK_BAD_SCALAR for a bad identifier, HK_BAD_ENCODING for a bad order or count. */
HK_CHECK enum hk_error hk_frost_session_init(struct hk_frost_session *session,
                                             const struct hk_frost_suite *suite, const uint8_t *group_key,
                                             const void *message, size_t size,
                                             const struct hk_frost_commitment *list, size_t count);

/* w_i = lambda_i * x_i with lambda_i over the identifiers of `list`, section 4.2. HK_NOT_FOUND if the
 * identifier is not in the list, HK_BAD_SCALAR or HK_BAD_ENCODING if an identifier is not canonical or
 * appears twice. */
HK_CHECK enum hk_error hk_frost_weigh(struct hk_scalar *out, const struct hk_frost_suite *suite,
                                      const struct hk_frost_identifier *identifier,
                                      const struct hk_frost_commitment *list, size_t count,
                                      const struct hk_scalar *share);
/* The same for the public point of a share. */
HK_CHECK enum hk_error hk_frost_weigh_point(struct hk_point *out, const struct hk_frost_suite *suite,
                                            const struct hk_frost_identifier *identifier,
                                            const struct hk_frost_commitment *list, size_t count,
                                            const struct hk_point *share);

/* Round two, section 5.2: z_i = hiding + binding * factor_i + challenge * w_i.
 *
 *   share        group->scalar_bytes; untouched on failure
 *   nonces       wiped first; HK_CONFLICT if they were used before
 *   contribution w_i
 *
 * HK_BAD_PROOF if the session's list does not hold exactly the commitment that belongs to the nonces. */
HK_CHECK enum hk_error hk_frost_sign_share(uint8_t *share, struct hk_frost_nonces *nonces,
                                           const struct hk_frost_session *session,
                                           const struct hk_scalar *contribution);

/* Section 5.4: checks a signer's share (group->scalar_bytes, untrusted) against its public contribution
 * W_i = [w_i]B. HK_BAD_PROOF if it does not hold, HK_BAD_SCALAR if not canonical, HK_NOT_FOUND if the
 * identifier is not in the list. */
HK_CHECK enum hk_error hk_frost_verify_share(const struct hk_frost_session *session,
                                             const struct hk_frost_identifier *identifier,
                                             const uint8_t *share, const struct hk_point *contribution);

/* Section 5.3: enc(R) || enc(sum of shares), hk_frost_signature_bytes.
 *
 *   shares  session->count shares, each scalar_bytes, one after the other, in the list's order
 *
 * HK_BAD_SCALAR for one that is not canonical. The result is not verified: do that before it leaves. */
HK_CHECK enum hk_error hk_frost_aggregate(uint8_t *signature, const struct hk_frost_session *session,
                                          const uint8_t *shares);

/* HK_OK if the signature is valid for the message under the group key, else HK_BAD_SIGNATURE. */
HK_CHECK enum hk_error hk_frost_verify(const struct hk_frost_suite *suite, const uint8_t *signature,
                                       const uint8_t *group_key, const void *message, size_t size);

/* Steps of the above for forms of the protocol that know a signer's nonces and so save a multiplication. */

/* Binding factors for all entries of a list (section 4.4), which must be sorted; `digest` is H4(message). */
void hk_frost_binding_factors(struct hk_scalar *factors, const struct hk_frost_suite *suite,
                              const uint8_t *group_key, const uint8_t *digest,
                              const struct hk_frost_commitment *list, size_t count);
/* H4 of the message: suite->digest_bytes. */
void hk_frost_message_digest(uint8_t *digest, const struct hk_frost_suite *suite, const void *message,
                             size_t size);
/* hiding + [factor]binding for an untrusted entry, each point decoded strictly and once. HK_BAD_POINT. */
HK_CHECK enum hk_error hk_frost_signer_commitment(struct hk_point *out, const struct hk_frost_suite *suite,
                                                  const struct hk_scalar *factor,
                                                  const struct hk_frost_commitment *entry);
/* H2(R, X, message), section 4.6. */
void hk_frost_challenge(struct hk_scalar *out, const struct hk_frost_suite *suite,
                        const struct hk_point *group_commitment, const uint8_t *group_key,
                        const void *message, size_t size);

/* Takes -P for P if P is odd in the suite's sense; true if it was. */
bool hk_frost_make_even(struct hk_point *point, const struct hk_frost_suite *suite);
/* R and z as the suite's signatures have them: hk_frost_signature_bytes. */
void hk_frost_put_signature(uint8_t *signature, const struct hk_frost_suite *suite,
                            const struct hk_point *group_commitment, const struct hk_scalar *z);

/* Moves nonces out of where they are kept, wiping them there; false if they were used before. */
bool hk_frost_take(struct hk_frost_nonces *out, struct hk_frost_nonces *nonces) HK_CHECK;
/* Whether [share]B = commitment + [challenge]contribution. Not constant time: all public. */
bool hk_frost_share_holds(const struct hk_group *group, const struct hk_scalar *share,
                          const struct hk_point *commitment, const struct hk_scalar *challenge,
                          const struct hk_point *contribution) HK_CHECK;

#endif
