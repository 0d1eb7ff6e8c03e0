/* columns: print one column of lines of text. See README.md. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
    char delimiter;
    long column; /* counted from 1 */
};

static void usage(void)
{
    fputs("usage: columns [-d CHAR] -f N [FILE ...]\n", stderr);
}

/* The column's number, 0 when TEXT is none. */
static long parse_column(const char *text)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < 1)
        return 0;
    return number;
}

/* Write the wanted column of LINE, which has no newline; nothing when the line is too short. */
static void print_column(const char *line, const struct options *options)
{
    for (long at = 1; at < options->column; at++) {
        line = strchr(line, options->delimiter);
        if (line == NULL)
            return;
        line++;
    }
    const char *end = strchr(line, options->delimiter);
    fwrite(line, 1, end != NULL ? (size_t)(end - line) : strlen(line), stdout);
}

static int print_file(FILE *file, const struct options *options)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    while ((length = getline(&line, &size, file)) != -1) {
        if (length > 0 && line[length - 1] == '\n')
            line[length - 1] = '\0';
        print_column(line, options);
        putchar('\n');
    }
    free(line);
    return ferror(file) ? 1 : 0;
}

static int print_named(const char *name, const struct options *options)
{
    FILE *file = fopen(name, "r");
    if (file == NULL || print_file(file, options) != 0) {
        fprintf(stderr, "columns: %s: %s\n", name, strerror(errno));
        if (file != NULL)
            fclose(file);
        return 1;
    }
    fclose(file);
    return 0;
}

int main(int argc, char **argv)
{
    struct options options = {'\t', 0};
    int option, failed = 0;
    while ((option = getopt(argc, argv, "d:f:")) != -1) {
        if (option == 'd' && strlen(optarg) == 1)
            options.delimiter = optarg[0];
        else if (option == 'f' && parse_column(optarg) != 0)
            options.column = parse_column(optarg);
        else {
            usage();
            return 2;
        }
    }
    if (options.column == 0) {
        usage();
        return 2;
    }
    if (optind == argc)
        failed = print_file(stdin, &options);
    for (; optind < argc; optind++)
        failed |= print_named(argv[optind], &options);
    return failed;
}
