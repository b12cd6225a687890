#include "crypto/error.h"

const char *hk_error_name(enum hk_error error)
{
    switch (error) {
#define CASE(id, number, name, sentence)                                                                     \
    case id:                                                                                                 \
        return name;
        HK_ERRORS(CASE)
#undef CASE
    }
    return "unknown-error";
}

const char *hk_strerror(enum hk_error error)
{
    switch (error) {
#define CASE(id, number, name, sentence)                                                                     \
    case id:                                                                                                 \
        return sentence;
        HK_ERRORS(CASE)
#undef CASE
    }
    return "an error that this version does not know";
}
