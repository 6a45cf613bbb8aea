/*
 * The client for tests with large counts. tests/http/client.js starts it; --help tells what it
 * does.
 */
#include "client.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

enum { EXIT_WELL = 0, EXIT_FAULTS = 1, EXIT_USAGE = 2 };

enum { CONNECTIONS_MAX = 10000, OPERATIONS_MAX = 100000000 };

static const char usage[] =
    "Usage: client history --url URL --token TOKEN --risks ID,… [OPTION …]\n"
    "       client herd --url URL --token TOKEN --path PATH [OPTION …]\n"
    "\n"
    "history: connections that each send one request after the other, most of them reads of the\n"
    "risks and of lists, 3 % writes to the same risks. A read that begins after a write was\n"
    "acknowledged must show it, and no connection may see a version go back.\n"
    "  --connections N     64\n"
    "  --operations N      100000: requests of all connections together\n"
    "  --writers N         8: connections that also write\n"
    "  --tokens TOKEN,…    further ones, also of viewers: connections that only read take turns\n"
    "  --seed N            1: what is chosen\n"
    "The register must hold at most 200 risks.\n"
    "\n"
    "herd: the same GET on all connections at once; all must get the same body.\n"
    "  --connections N     64\n"
    "  --leave             close each connection after sending, without reading\n"
    "\n"
    "Exit codes: 0 all was well; 1 a fault, which is printed; 2 wrong usage.\n";

static const struct choice {
    const char *name;
    size_t offset;
    int64_t min, max; /* 0, 0: a text */
} choices[] = {
    {"url", offsetof(struct options, url)},
    {"token", offsetof(struct options, token)},
    {"tokens", offsetof(struct options, tokens)},
    {"risks", offsetof(struct options, risks)},
    {"path", offsetof(struct options, path)},
    {"connections", offsetof(struct options, connections), 1, CONNECTIONS_MAX},
    {"operations", offsetof(struct options, operations), 1, OPERATIONS_MAX},
    {"writers", offsetof(struct options, writers), 0, CONNECTIONS_MAX},
    {"seed", offsetof(struct options, seed), 1, INT64_MAX},
};
enum { CHOICES = sizeof choices / sizeof choices[0], LEAVE = CHOICES, HELP };

static enum status take(const struct choice *choice, const char *text, struct options *options,
                        struct err *err)
{
    void *place = (char *)options + choice->offset;
    if (choice->max == 0) {
        *(const char **)place = text;
        return OK;
    }
    int64_t *number = place;
    if (!text_to_int(text, number) || *number < choice->min || *number > choice->max)
        return err_set(err, INVALID, choice->name, "must be a number from %lld to %lld",
                       (long long)choice->min, (long long)choice->max);
    return OK;
}

static enum status parse_line(int argc, char **argv, struct options *options, bool *ret_help,
                              struct err *err)
{
    struct option all[CHOICES + 3] = {
        [LEAVE] = {"leave", no_argument, NULL, LEAVE},
        [HELP] = {"help", no_argument, NULL, HELP},
    };
    for (int i = 0; i < CHOICES; i++)
        all[i] = (struct option){choices[i].name, required_argument, NULL, i};
    int found;
    enum status status = OK;
    while (status == OK && (found = getopt_long(argc, argv, "", all, NULL)) != -1) {
        if (found == LEAVE)
            options->leave = true;
        else if (found == HELP)
            *ret_help = true;
        else if (found >= 0 && found < CHOICES)
            status = take(&choices[found], optarg, options, err);
        else
            status = err_set(err, INVALID, NULL, "try --help");
    }
    if (status == OK && !*ret_help && (!*options->url || !*options->token))
        status = err_set(err, INVALID, NULL, "--url and --token must be given");
    return status;
}

static enum status run(const char *mode, const struct options *options, bool *ret_is_well,
                       struct err *err)
{
    if (strcmp(mode, "history") == 0)
        return history_run(options, ret_is_well, err);
    if (strcmp(mode, "herd") == 0)
        return herd_run(options, ret_is_well, err);
    return err_set(err, INVALID, NULL, "history or herd? Try --help");
}

int main(int argc, char **argv)
{
    struct options options = {.url = "",
                              .token = "",
                              .tokens = "",
                              .risks = "",
                              .path = "",
                              .connections = 64,
                              .operations = 100000,
                              .writers = 8,
                              .seed = 1};
    struct err err = {0};
    bool help = false, is_well = false;
    char text[ERR_FIELD_SIZE + ERR_MESSAGE_SIZE];
    enum status status = parse_line(argc, argv, &options, &help, &err);
    if (status == OK && help) {
        fputs(usage, stdout);
        return EXIT_WELL;
    }
    if (status == OK)
        status = run(optind < argc ? argv[optind] : "", &options, &is_well, &err);
    if (status != OK)
        fprintf(stderr, "client: %s\n", err_text(&err, text, sizeof text));
    return status == INVALID ? EXIT_USAGE : status == OK && is_well ? EXIT_WELL : EXIT_FAULTS;
}
