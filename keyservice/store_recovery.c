#include "keyservice/store_sql.h"

#include "crypto/suite.h"

static enum hk_error key_number(struct hk_txn *txn, const uint8_t *account, const uint8_t *key,
                                uint64_t *number)
{
    enum hk_error error = hk_sql_number(txn, number,
                                        "SELECT k.number FROM keys k JOIN accounts a ON a.number = k.account"
                                        " WHERE k.id = ? AND a.id = ?",
                                        HK_ARGS(HK_B(key, HK_ID_BYTES), HK_B(account, HK_ACCOUNT_BYTES)));
    return error == HK_NOT_FOUND ? HK_UNKNOWN_KEY : error;
}

enum hk_error hk_store_put_packet(struct hk_txn *txn, const uint8_t *account, const uint8_t *key,
                                  const uint8_t *set, const uint8_t *transcript, const void *packet,
                                  size_t size)
{
    uint64_t number;
    enum hk_error error = key_number(txn, account, key, &number);
    return error != HK_OK ? error
                          : hk_sql_run(txn,
                                       "INSERT OR REPLACE INTO packets (key, set_id, transcript, body)"
                                       " VALUES (?, ?, ?, ?)",
                                       HK_ARGS(HK_U(number), HK_B(set, HK_ID_BYTES), HK_B(transcript, 32),
                                               HK_B(packet, size)));
}

enum hk_error hk_store_get_packet_transcript(struct hk_txn *txn, const uint8_t *account, const uint8_t *key,
                                             const uint8_t *set, uint8_t *transcript)
{
    size_t size;
    enum hk_error error =
        hk_sql_blob(txn, transcript, 32, &size,
                    "SELECT p.transcript FROM packets p JOIN keys k ON k.number = p.key"
                    " JOIN accounts a ON a.number = k.account"
                    " WHERE a.id = ? AND p.set_id = ?"
                    " AND (k.id = ? OR (k.purpose = ? AND ? IS NULL)) LIMIT 1",
                    HK_ARGS(HK_B(account, HK_ACCOUNT_BYTES), HK_B(set, HK_ID_BYTES),
                            key != NULL ? HK_B(key, HK_ID_BYTES) : HK_N, HK_U(HK_PURPOSE_ACCOUNT),
                            key != NULL ? HK_B(key, HK_ID_BYTES) : HK_N));
    return error == HK_OK && size != 32 ? HK_INTERNAL : error;
}

enum hk_error hk_store_get_packet(struct hk_txn *txn, const uint8_t *account, const uint8_t *set, uint64_t n,
                                  uint8_t *out, size_t *size)
{
    return hk_sql_blob(txn, out, HK_STORE_PACKET_MAX, size,
                       "SELECT p.body FROM packets p JOIN keys k ON k.number = p.key"
                       " JOIN accounts a ON a.number = k.account WHERE a.id = ? AND p.set_id = ?"
                       " ORDER BY k.id LIMIT 1 OFFSET ?",
                       HK_ARGS(HK_B(account, HK_ACCOUNT_BYTES), HK_B(set, HK_ID_BYTES), HK_U(n)));
}

enum hk_error hk_store_keep_set(struct hk_txn *txn, const uint8_t *account, const uint8_t *set)
{
    return hk_sql_run(txn,
                      "DELETE FROM packets WHERE (? IS NULL OR set_id <> ?) AND key IN"
                      " (SELECT k.number FROM keys k JOIN accounts a ON a.number = k.account WHERE a.id = ?)",
                      HK_ARGS(set != NULL ? HK_B(set, HK_ID_BYTES) : HK_N,
                              set != NULL ? HK_B(set, HK_ID_BYTES) : HK_N, HK_B(account, HK_ACCOUNT_BYTES)));
}

enum hk_error hk_store_adopt_profile(struct hk_txn *txn, const uint8_t *account, uint64_t version,
                                     const uint8_t *hash, const void *profile, size_t size)
{
    enum hk_error error = hk_sql_change(
        txn, "UPDATE accounts SET profile_version = ?, profile_hash = ? WHERE id = ? AND profile_version = 0",
        HK_ARGS(HK_U(version), HK_B(hash, 32), HK_B(account, HK_ACCOUNT_BYTES)));
    if (error == HK_OK) {
        error = hk_sql_run(txn,
                           "INSERT INTO profiles (account, body) SELECT number, ? FROM accounts WHERE id = ?",
                           HK_ARGS(HK_B(profile, size), HK_B(account, HK_ACCOUNT_BYTES)));
    }
    return error == HK_NOT_FOUND ? HK_CONFLICT : error;
}
