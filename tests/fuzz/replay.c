/* A main for a fuzz target: runs it over the files given, as libFuzzer does, but built by any compiler. */
#include "tests/fuzz/fuzz.h"

int main(int argc, char **argv)
{
    static uint8_t data[1 << 17];
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (file == NULL) {
            fprintf(stderr, "%s cannot be read\n", argv[i]);
            return 1;
        }
        /* At the end of a heap block, so that memcheck and sanitizers see one byte too many. */
        size_t size = fread(data, 1, sizeof(data), file);
        fclose(file);
        uint8_t *copy = malloc(size != 0 ? size : 1);
        MUST(copy != NULL);
        memcpy(copy, data, size);
        (void)LLVMFuzzerTestOneInput(copy, size);
        free(copy);
    }
    printf("%d inputs\n", argc - 1);
    return argc < 2;
}
