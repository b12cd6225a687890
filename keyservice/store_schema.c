#include "keyservice/store_sql.h"

#include <stdio.h>

/* Each row brings the tables from the version before to its own, in a transaction of its own. Rows are only
 * ever added: an operator may come from any of them. */
static const char *const migrations[] = {
    /* 1: accounts, devices, keys and halves */
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO meta VALUES ('generation', 1), ('log_generation', 1);"
    "CREATE TABLE accounts ("
    "  number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, created INTEGER NOT NULL,"
    "  profile_version INTEGER NOT NULL DEFAULT 0, profile_hash BLOB);"
    "CREATE INDEX accounts_without_profile ON accounts (created) WHERE profile_version = 0;"
    "CREATE TABLE profiles ("
    "  account INTEGER PRIMARY KEY REFERENCES accounts (number) ON DELETE CASCADE, body BLOB NOT NULL);"
    "CREATE TABLE devices ("
    "  number INTEGER PRIMARY KEY, serial BLOB NOT NULL UNIQUE,"
    "  account INTEGER NOT NULL REFERENCES accounts (number) ON DELETE CASCADE,"
    "  static_key BLOB NOT NULL UNIQUE, report_key BLOB NOT NULL, code_hash BLOB, enrolment BLOB,"
    "  name TEXT NOT NULL, role INTEGER NOT NULL, state INTEGER NOT NULL, created INTEGER NOT NULL,"
    "  epoch INTEGER NOT NULL, tag_hash BLOB, sealed_tag BLOB, pending_epoch INTEGER NOT NULL DEFAULT 0,"
    "  last_use INTEGER NOT NULL DEFAULT 0, uses INTEGER NOT NULL DEFAULT 0,"
    "  stale_seen INTEGER NOT NULL DEFAULT 0, must_refresh INTEGER NOT NULL DEFAULT 0,"
    "  slot INTEGER UNIQUE);"
    "CREATE INDEX devices_of_account ON devices (account, enrolment);"
    "CREATE INDEX devices_by_code ON devices (code_hash) WHERE code_hash IS NOT NULL;"
    "CREATE TABLE keys ("
    "  number INTEGER PRIMARY KEY, account INTEGER NOT NULL REFERENCES accounts (number) ON DELETE CASCADE,"
    "  id BLOB NOT NULL, suite INTEGER NOT NULL, purpose INTEGER NOT NULL, public_key BLOB NOT NULL,"
    "  transcript BLOB NOT NULL, name TEXT NOT NULL, created INTEGER NOT NULL, imported INTEGER NOT NULL,"
    "  UNIQUE (account, id), UNIQUE (account, name));"
    "CREATE INDEX keys_by_id ON keys (id);"
    "CREATE TABLE halves ("
    "  device INTEGER NOT NULL REFERENCES devices (number) ON DELETE CASCADE, epoch INTEGER NOT NULL,"
    "  key INTEGER NOT NULL REFERENCES keys (number) ON DELETE CASCADE, sealed BLOB NOT NULL,"
    "  PRIMARY KEY (device, epoch, key)) WITHOUT ROWID;"
    "CREATE INDEX halves_of_key ON halves (key);"
    "CREATE TABLE pending ("
    "  device INTEGER PRIMARY KEY REFERENCES devices (number) ON DELETE CASCADE,"
    "  epoch INTEGER NOT NULL, sealed BLOB NOT NULL);",

    /* 2: signed objects, revocations and the log */
    "CREATE TABLE objects ("
    "  kind INTEGER NOT NULL, serial BLOB NOT NULL,"
    "  account INTEGER NOT NULL REFERENCES accounts (number) ON DELETE CASCADE, body BLOB NOT NULL,"
    "  PRIMARY KEY (kind, serial)) WITHOUT ROWID;"
    "CREATE INDEX objects_of_account ON objects (account);"
    "CREATE TABLE revocations ("
    "  serial BLOB PRIMARY KEY, account BLOB NOT NULL, time INTEGER NOT NULL, certificate BLOB) WITHOUT "
    "ROWID;"
    "CREATE TABLE logs ("
    "  account INTEGER NOT NULL REFERENCES accounts (number) ON DELETE CASCADE, generation INTEGER NOT NULL,"
    "  size INTEGER NOT NULL, frontier BLOB NOT NULL, PRIMARY KEY (account, generation)) WITHOUT ROWID;"
    "CREATE TABLE leaves ("
    "  account INTEGER NOT NULL REFERENCES accounts (number) ON DELETE CASCADE, generation INTEGER NOT NULL,"
    "  n INTEGER NOT NULL, leaf BLOB NOT NULL, PRIMARY KEY (account, generation, n)) WITHOUT ROWID;"
    "CREATE TABLE nodes ("
    "  account INTEGER NOT NULL REFERENCES accounts (number) ON DELETE CASCADE, generation INTEGER NOT NULL,"
    "  level INTEGER NOT NULL, n INTEGER NOT NULL, hash BLOB NOT NULL,"
    "  PRIMARY KEY (account, generation, level, n)) WITHOUT ROWID;",

    /* 3: what two-party ECDSA keeps: with a half, and once */
    "CREATE TABLE ecdsa ("
    "  device INTEGER NOT NULL, epoch INTEGER NOT NULL, key INTEGER NOT NULL, sealed BLOB NOT NULL,"
    "  PRIMARY KEY (device, epoch, key),"
    "  FOREIGN KEY (device, epoch, key) REFERENCES halves (device, epoch, key) ON DELETE CASCADE)"
    " WITHOUT ROWID;"
    "CREATE TABLE ring ("
    "  number INTEGER PRIMARY KEY CHECK (number = 1), sealed BLOB NOT NULL, proof BLOB NOT NULL);",

    /* 4: keys that wait for a device which was enrolled before them */
    "CREATE TABLE hands ("
    "  device INTEGER PRIMARY KEY REFERENCES devices (number) ON DELETE CASCADE, admin BLOB NOT NULL,"
    "  deposit BLOB, transcript BLOB, sealed BLOB, bundle BLOB, done BLOB);"
    "CREATE INDEX hands_of_admin ON hands (admin);",

    /* 5: recovery sets: one packet for each key, of the profile's set and of one that is being made */
    "CREATE TABLE packets ("
    "  key INTEGER NOT NULL REFERENCES keys (number) ON DELETE CASCADE, set_id BLOB NOT NULL,"
    "  transcript BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY (key, set_id)) WITHOUT ROWID;",

    /* 6: changes that wait */
    "CREATE TABLE changes ("
    "  account INTEGER NOT NULL REFERENCES accounts (number) ON DELETE CASCADE, kind INTEGER NOT NULL,"
    "  subject BLOB NOT NULL, asker BLOB NOT NULL, asked INTEGER NOT NULL, due INTEGER NOT NULL,"
    "  PRIMARY KEY (account, kind, subject)) WITHOUT ROWID;"
    "CREATE INDEX changes_by_asker ON changes (asker);",

    /* 7: the log's nodes beside the leaf that completes them; what is in the table of nodes is still read */
    "ALTER TABLE leaves ADD COLUMN nodes BLOB;",
};

unsigned hk_store_schema_version(void)
{
    return sizeof migrations / sizeof migrations[0];
}

static enum hk_error version_of(sqlite3 *db, unsigned *version)
{
    sqlite3_stmt *row;
    if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &row, NULL) != SQLITE_OK) {
        return HK_INTERNAL;
    }
    enum hk_error error = sqlite3_step(row) == SQLITE_ROW ? HK_OK : HK_INTERNAL;
    if (error == HK_OK) {
        *version = (unsigned)sqlite3_column_int(row, 0);
    }
    sqlite3_finalize(row);
    return error;
}

static enum hk_error migrate_one(sqlite3 *db, unsigned version)
{
    char stamp[64];
    snprintf(stamp, sizeof stamp, "PRAGMA user_version = %u; COMMIT", version);
    if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) {
        return HK_INTERNAL;
    }
    if (sqlite3_exec(db, migrations[version - 1], NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db, stamp, NULL, NULL, NULL) != SQLITE_OK) {
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
        return HK_INTERNAL;
    }
    return HK_OK;
}

enum hk_error hk_store_migrate(sqlite3 *db, unsigned wanted)
{
    unsigned version;
    enum hk_error error = version_of(db, &version);
    if (wanted == 0) {
        wanted = hk_store_schema_version();
    }
    if (error == HK_OK && version > hk_store_schema_version()) {
        return HK_UNSUPPORTED;
    }
    while (error == HK_OK && version < wanted) {
        error = migrate_one(db, ++version);
    }
    return error;
}
