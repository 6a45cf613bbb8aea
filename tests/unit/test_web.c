/*
 * Which paths are pages of the web interface.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/web.h"

static void a_page_is_found_by_its_pattern(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *path;
        bool fits;
    } rows[] = {
        {"/", "/", true},
        {"/", "", false},
        {"/", "//", false},
        {"/", "/risks", false},
        {"/risks", "/risks", true},
        {"/risks", "/risks/", false},
        {"/risks", "/risk", false},
        {"/risks", "/risksome", false},
        {"/risks/:id", "/risks/R-12", true},
        {"/risks/:id", "/risks/é :x", true},
        {"/risks/:id", "/risks/:id", true},
        {"/risks/:id", "/risks/", false},
        {"/risks/:id", "/risks", false},
        {"/risks/:id", "/risks/R-12/", false},
        {"/risks/:id", "/risks/R-12/more", false},
        {"/a/:id/b/:sub", "/a/1/b/2", true},
        {"/a/:id/b/:sub", "/a/1/b/", false},
        {"/a/:id/b/:sub", "/a//b/2", false},
        {"/a/:id/b", "/a/1/b", true},
        {"/a/:id/b", "/a/1/c", false},
        {"/a/:id/b", "/a/1", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (web_fits(rows[i].pattern, rows[i].path) != rows[i].fits)
            fail_msg("%s and %s", rows[i].pattern, rows[i].path);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_is_found_by_its_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
