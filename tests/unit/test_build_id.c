/*
 * The id of a build: the same for every run of a program, another for another program. Run with
 * "print" it prints its own and ends, and so does its twin, which differs from it by a constant.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/build_id.h"
#include "base/mem.h"

#ifndef TWIN
#define TWIN "test_build_id"
#endif
static const char *const own_name = TWIN;

enum { PATH_SIZE = 4096 };

/** What a program of these that lies beside this one prints. */
static void id_printed_by(const char *name, char id[BUILD_ID_SIZE])
{
    char path[PATH_SIZE];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    assert_true(length > 0);
    path[length] = '\0';
    AUTO_FREE char *command = mem_format("exec '%s/%s' print", dirname(path), name);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    memset(id, 0, BUILD_ID_SIZE);
    size_t got = fread(id, 1, BUILD_ID_SIZE, output);
    assert_int_equal(pclose(output), 0);
    assert_int_equal(got, BUILD_ID_SIZE - 1);
}

static void an_id_is_32_characters_of_hex(void **state)
{
    (void)state;
    char id[BUILD_ID_SIZE + 1];
    memset(id, '?', sizeof id);
    assert_ptr_equal(build_id(id), id);
    assert_int_equal(strlen(id), BUILD_ID_SIZE - 1);
    assert_int_equal(strspn(id, "0123456789abcdef"), BUILD_ID_SIZE - 1);
    assert_int_equal(id[BUILD_ID_SIZE], '?');
}

static void every_run_of_a_program_has_the_same(void **state)
{
    (void)state;
    char id[BUILD_ID_SIZE], again[BUILD_ID_SIZE], elsewhere[BUILD_ID_SIZE];
    build_id(id);
    build_id(again);
    assert_string_equal(id, again);
    for (int run = 0; run < 2; run++) {
        id_printed_by(own_name, elsewhere);
        assert_string_equal(id, elsewhere);
    }
}

static void another_program_has_another(void **state)
{
    (void)state;
    char id[BUILD_ID_SIZE], other[BUILD_ID_SIZE], again[BUILD_ID_SIZE];
    build_id(id);
    id_printed_by("build_id_twin", other);
    id_printed_by("build_id_twin", again);
    assert_string_equal(other, again);
    assert_string_not_equal(id, other);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_32_characters_of_hex),
        cmocka_unit_test(every_run_of_a_program_has_the_same),
        cmocka_unit_test(another_program_has_another),
    };
    char id[BUILD_ID_SIZE];
    if (argc == 2 && strcmp(argv[1], "print") == 0)
        return fputs(build_id(id), stdout) < 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
