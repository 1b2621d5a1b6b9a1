/* hawk man, hawk docs-cli: documentation from the tables. */

#include "cli/commands.h"
#include "cli/help.h"

enum { TEXT_MAX = 1 << 20 };

static int run_man(Cli *cli, const void *options, Error *err)
{
    (void)options;
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    help_add_man(&text);
    return cli_put(cli, buf_str(&text), err);
}

static int run_docs(Cli *cli, const void *options, Error *err)
{
    (void)options;
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    help_add_markdown(&text);
    return cli_put(cli, buf_str(&text), err);
}

const Command commands_man = {
    .path = "man",
    .section = COMMAND_SYSTEM,
    .summary = "Print the manual page",
    .examples = "hawk man | man -l -\nhawk man > ~/.local/share/man/man1/hawk.1",
    .run = run_man,
};

const Command commands_docs_cli = {
    .path = "docs-cli",
    .section = COMMAND_HIDDEN,
    .summary = "Print docs/cli.md",
    .run = run_docs,
};
