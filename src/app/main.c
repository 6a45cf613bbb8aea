/*
 * The command line. One table of commands; options, help and exit codes come from it.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/command.h"
#include "app/telemetry.h"
#include "base/log.h"
#include "base/mem.h"

enum { METRICS_PAGE_MAX = 1 << 20 };

static enum status run_config(struct call *call, struct err *err);
static enum status run_metrics(struct call *call, struct err *err);
static enum status run_version(struct call *call, struct err *err);

static const struct command commands[] = {
    {"serve",
     "",
     0,
     0,
     "serve the API until told to stop (SIGTERM, Ctrl-C)",
     "Prints one line that begins with \"ready\" once it serves. The first start makes the "
     "database and\n"
     "an administrator, and prints how to sign in. A second signal ends it at once.\n",
     {{"warm", NULL, "fill the cache with the first screens' answers before it is ready"}},
     .lists_settings = true,
     .run = run_serve},
    {"import",
     "FILE",
     1,
     1,
     "import risks from a file; - is standard input",
     "All or nothing: a refused file changes nothing, and every refusal is named. Importing the "
     "same\n"
     "file again changes only what changed in it; what people corrected by hand stays.\n",
     {{"format", "FORMAT", "json: what export wrote; kev: CISA's catalogue as CSV"},
      {"dry-run", NULL, "only say what would happen"},
      {"skip-invalid", NULL, "import the good rows of a file that has bad ones"},
      {"restore", NULL, "bring back risks that were deleted here"}},
     .run = run_import},
    {"export",
     "",
     0,
     0,
     "write all risks, assets and mitigations",
     "What it writes, import --format json reads.\n",
     {{"format", "FORMAT", "json (the default)"},
      {"output", "FILE", "a new file instead of standard output"}},
     .run = run_export},
    {"user",
     "ACTION [EMAIL]",
     1,
     2,
     "manage users",
     "Actions:\n"
     "  list                 all users\n"
     "  add EMAIL            --role, --name; the password is asked for\n"
     "  passwd EMAIL         a new password; ends all sessions and tokens of the user\n"
     "  role EMAIL           --role: what they may do\n"
     "  activate EMAIL, deactivate EMAIL\n"
     "                       let them sign in, or not\n",
     {{"role", "ROLE", "admin, analyst or viewer (the default of add)"},
      {"name", "TEXT", "full name, with add"},
      {"password-stdin", NULL, "read the password from the first line of standard input"},
      {"generate", NULL, "make a random password and print it; to be changed at sign-in"}},
     .run = run_user},
    {"token",
     "ACTION [ID]",
     1,
     2,
     "manage API tokens",
     "Actions:\n"
     "  list                 the tokens of --user\n"
     "  create               a token for --user, printed once; --name, --scope, --days\n"
     "  revoke ID            end a token of --user\n",
     {{"user", "EMAIL", "whose tokens"},
      {"name", "TEXT", "what the token is for"},
      {"scope", "SCOPE", "read or full (the default)"},
      {"days", "N", "how long it is valid, 1 to 366 (the default)"}},
     .run = run_token},
    {"backup", "FILE", 1, 1, "copy the database to a new file, also while it is served", NULL,
     .run = run_backup},
    {"restore", "FILE", 1, 1, "replace the database by a backup; the server must be stopped", NULL,
     .run = run_restore},
    {"copy",
     "",
     0,
     0,
     "copy everything from one database to another, empty one",
     "Any engine to any: this is how a register moves house. The source may be in use; the copy is "
     "of\n"
     "one moment. The target must be empty; it gets everything or stays as it was. Every row is "
     "read\n"
     "back and compared. Users, sessions and tokens stay valid.\n",
     {{"from", "URL", "the source: sqlite:PATH or postgres://…"}, {"to", "URL", "the target"}},
     .run = run_copy},
    {"check", "", 0, 0, "recompute every score, tally and link, and report differences", NULL,
     .run = run_check},
    {"config",
     "",
     0,
     0,
     "print each setting, its value and where it came from",
     NULL,
     {{"markdown", NULL, "print the reference page instead"}},
     .lists_settings = true,
     .run = run_config},
    {"metrics",
     "",
     0,
     0,
     "print each metric that serve exports",
     NULL,
     {{"markdown", NULL, "print the reference page instead"}},
     .run = run_metrics},
    {"version", "", 0, 0, "print the version", NULL, .run = run_version},
};

/** Options of every command. */
static const struct command_option common_options[] = {
    {"config", "FILE", "read settings from this file; the environment goes before it"},
    {"database", "URL", "use this instead of DATABASE_URL: sqlite:PATH"},
    {"help", NULL, "print this"},
};
enum { OPTION_CONFIG, OPTION_DATABASE, OPTION_HELP, COMMON_OPTIONS };

static const char exit_codes[] =
    "Exit codes: 0 done; 1 the command failed, or check found differences; 2 wrong usage or\n"
    "configuration; 3 the database is unavailable or busy.\n";

static size_t count_options(const struct command *command)
{
    size_t count = 0;
    while (count < COMMAND_OPTIONS_MAX && command->options[count].name)
        count++;
    return count;
}

static void print_options(const struct command_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[40];
        snprintf(text, sizeof text, "--%s %s", options[i].name,
                 options[i].value ? options[i].value : "");
        printf("  %-20s %s\n", text, options[i].about);
    }
}

static void print_help(void)
{
    puts("OpenRisk: a register of risks with an API.\n\n"
         "Usage: openrisk COMMAND [OPTION …] [ARGUMENT …]\n\n"
         "Commands:");
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        printf("  %-20s %s\n", commands[i].name, commands[i].summary);
    puts("\nOptions of every command:");
    print_options(common_options, COMMON_OPTIONS);
    printf("\n\"openrisk COMMAND --help\" tells more.\n\n%s", exit_codes);
}

static void print_command_help(const struct command *command)
{
    printf("Usage: openrisk %s [OPTION …]%s%s\n\n%c%s.\n", command->name,
           *command->arguments ? " " : "", command->arguments, command->summary[0] - 'a' + 'A',
           command->summary + 1);
    if (command->about)
        printf("\n%s", command->about);
    puts("\nOptions:");
    print_options(command->options, count_options(command));
    print_options(common_options, COMMON_OPTIONS);
    if (command->lists_settings) {
        puts("\nSettings, from the environment or the file of --config:");
        config_print_help(stdout);
    }
    printf("\n%s", exit_codes);
}

/* The command line */

const char *call_option(const struct call *call, const char *name)
{
    for (size_t i = 0; i < count_options(call->command); i++)
        if (strcmp(call->command->options[i].name, name) == 0)
            return call->values[i];
    abort();
}

enum status call_misused(struct call *call, struct err *err, const char *format, ...)
{
    char text[ERR_MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    call->is_usage = true;
    return err_set(err, INVALID, NULL, "%s; see \"openrisk %s --help\"", text, call->command->name);
}

/** The options of the command, then the common ones, as getopt_long wants them. */
static void make_long_options(const struct command *command, struct option *all)
{
    size_t own = count_options(command);
    for (size_t i = 0; i < own + COMMON_OPTIONS; i++) {
        const struct command_option *option =
            i < own ? &command->options[i] : &common_options[i - own];
        all[i] = (struct option){option->name, option->value ? required_argument : no_argument,
                                 NULL, 256 + (int)i};
    }
    all[own + COMMON_OPTIONS] = (struct option){0};
}

static enum status parse_line(int argc, char **argv, struct call *call, const char **common,
                              struct err *err)
{
    struct option all[COMMAND_OPTIONS_MAX + COMMON_OPTIONS + 1];
    make_long_options(call->command, all);
    size_t own = count_options(call->command);
    opterr = 0;
    for (;;) {
        int found = getopt_long(argc, argv, ":h", all, NULL);
        if (found == -1)
            break;
        if (found == '?' && optopt > 0 && optopt < 256)
            return call_misused(call, err, "unknown option -%c", optopt);
        if (found == '?')
            return call_misused(call, err, "unknown option %s", argv[optind - 1]);
        if (found == ':')
            return call_misused(call, err, "%s needs a value", argv[optind - 1]);
        if (found == 'h') {
            common[OPTION_HELP] = "";
            continue;
        }
        size_t index = (size_t)found - 256;
        const char *value = optarg ? optarg : "";
        if (index < own)
            call->values[index] = value;
        else
            common[index - own] = value;
    }
    call->arguments = argv + optind;
    call->argument_count = (size_t)(argc - optind);
    if (common[OPTION_HELP])
        return OK;
    if (call->argument_count < call->command->arguments_min)
        return call_misused(call, err, "%s is missing", call->command->arguments);
    if (call->argument_count > call->command->arguments_max)
        return call_misused(call, err, "unexpected argument \"%s\"",
                            call->arguments[call->command->arguments_max]);
    return OK;
}

/* Running */

static enum exit_code exit_code_of(enum status status, const struct call *call)
{
    if (status == OK)
        return EXIT_OK;
    if (call->is_usage)
        return EXIT_USAGE;
    return status == BUSY || status == UNAVAILABLE ? EXIT_UNAVAILABLE : EXIT_FAILED;
}

static void print_error(const struct err *err)
{
    size_t shown = err->count < ERR_ITEMS_MAX ? err->count : ERR_ITEMS_MAX;
    for (size_t i = 0; i < shown; i++)
        fprintf(stderr, "openrisk: %s%s%s\n", err->items[i].field, *err->items[i].field ? ": " : "",
                err->items[i].message);
    if (err->count > shown)
        fprintf(stderr, "openrisk: and %zu more\n", err->count - shown);
}

static enum status run_command(int argc, char **argv, struct call *call, struct err *err)
{
    const char *common[COMMON_OPTIONS] = {0};
    enum status status = parse_line(argc, argv, call, common, err);
    if (status != OK)
        return status;
    if (common[OPTION_HELP]) {
        print_command_help(call->command);
        return OK;
    }
    struct config_sources sources = {
        .file = common[OPTION_CONFIG],
        .environment = environ,
        .database_url = common[OPTION_DATABASE],
    };
    status = config_load(&sources, &call->config, err);
    if (status != OK) {
        call->is_usage = true;
        return status;
    }
    log_set_level(LOG_WARN); /* a person is watching; serve sets what is configured */
    call->has_database = common[OPTION_DATABASE];
    call->clock.offset_ms = call->config.values.clock_offset;
    return call->command->run(call, err);
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/** A full disk or a closed pipe is seen when the last bytes are written. */
static enum exit_code flush_output(enum exit_code code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "openrisk: cannot write to standard output\n");
    return code == EXIT_OK ? EXIT_FAILED : code;
}

/**
 * The next file that is opened gets the lowest number that is free. If standard error is closed, that
 * must not be the database, or the log would be written into it. Writing to these fails.
 */
static void occupy_standard_files(void)
{
    int file;
    do
        file = open("/dev/null", O_RDONLY);
    while (file >= 0 && file <= STDERR_FILENO);
    if (file >= 0)
        close(file);
}

int main(int argc, char **argv)
{
    occupy_standard_files();
    mem_init();
    umask(077);
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help();
        return flush_output(EXIT_OK);
    }
    if (strcmp(name, "--version") == 0)
        name = "version";
    struct call call = {.command = find_command(name)};
    if (!call.command) {
        fprintf(stderr, "openrisk: %s%s%s; \"openrisk --help\" lists the commands\n",
                *name ? "unknown command \"" : "a command is missing", name, *name ? "\"" : "");
        return EXIT_USAGE;
    }
    struct err err;
    err_init(&err);
    arena_init(&call.arena);
    enum status status = run_command(argc - 1, argv + 1, &call, &err);
    if (status != OK)
        print_error(&err);
    enum exit_code code = flush_output(exit_code_of(status, &call));
    config_release(&call.config);
    arena_release(&call.arena);
    return code;
}

/* The short commands */

static enum status run_config(struct call *call, struct err *err)
{
    (void)err;
    if (call_option(call, "markdown"))
        config_print_markdown(stdout);
    else
        config_print(&call->config, stdout);
    return OK;
}

static enum status run_metrics(struct call *call, struct err *err)
{
    (void)err;
    AUTO_TELEMETRY struct telemetry telemetry = {0};
    AUTO_BUF struct buf page;
    buf_init(&page, METRICS_PAGE_MAX);
    telemetry_start(&telemetry, "");
    if (call_option(call, "markdown"))
        metrics_write_markdown(&page);
    else
        for (int metric = 0; metric < METRICS; metric++)
            buf_printf(&page, "%-44s %-10s %s\n", metric_table[metric].name,
                       metric_kind_names[metric_table[metric].kind], metric_table[metric].help);
    fwrite(page.data, 1, page.length, stdout);
    return OK;
}

static enum status run_version(struct call *call, struct err *err)
{
    (void)call;
    (void)err;
    printf("openrisk %s\n", OPENRISK_VERSION);
    return OK;
}
