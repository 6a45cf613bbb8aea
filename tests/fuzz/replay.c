/*
 * Replays known inputs, named on the command line, through a fuzz target without libFuzzer.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_MAX = 1 << 20 };

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "cannot be replayed: %s\n", what);
        abort();
    }
}

static void replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(FILE_MAX);
    require(file && bytes, path);
    size_t size = fread(bytes, 1, FILE_MAX, file);
    fclose(file);
    LLVMFuzzerTestOneInput((const uint8_t *)bytes, size);
    free(bytes);
}

int main(int argc, char **argv)
{
    require(argc > 1, "no file is named");
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%d files replayed\n", argc - 1);
    return 0;
}
