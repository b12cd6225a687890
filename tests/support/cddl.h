/* cddl.h - as much of CDDL (RFC 8610) as protocol/halfkey.cddl uses for maps, to hold encoded bytes against
 * it.
 *
 * Understood: `uint`, `bstr` and `tstr` with `.size`, numbers, names of rules, `[* type]`, maps `{ ? key =>
 * type }` and `{ 1*n tstr => type }`. Other rules may stand in the file and cannot be matched. For tests
 * only. */
#ifndef HALFKEY_TESTS_SUPPORT_CDDL_H
#define HALFKEY_TESTS_SUPPORT_CDDL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cddl; /* a loaded file */

/* NULL if it cannot be read. */
struct cddl *cddl_load(const char *path);
void cddl_free(struct cddl *cddl);

/* What stands behind `name =`, comments removed and spaces joined; NULL if there is no such rule. */
const char *cddl_body(const struct cddl *cddl, const char *name);
/* How many rules there are, and the name of each. */
size_t cddl_rules(const struct cddl *cddl);
const char *cddl_rule(const struct cddl *cddl, size_t index);

struct cddl_member {
    uint64_t key;
    bool optional;
    char type[64];
};
/* The members of a map rule, at most `max`; their number, or 0 if it is not such a rule. */
size_t cddl_members(const struct cddl *cddl, const char *name, struct cddl_member *out, size_t max);

/* True if the bytes are exactly one item (deterministic) that the rule describes. */
bool cddl_matches(const struct cddl *cddl, const char *name, const void *data, size_t size);

#endif
