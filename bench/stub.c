/* A minimal child, so that bench/speed.py measures the loop. It prints an init event, BENCH_BYTES of
   output (in lines of 1 KB, or with BENCH_ONE_LINE in one line) and a result event, appends to an
   artifact and signals. It appends its start time to the file BENCH_STAMP (CLOCK_MONOTONIC, ns). */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const ASK =
    "{\"status\": \"waiting\", \"for\": \"qa_answers\", \"questions\": [{\"title\": \"Which?\", "
    "\"why\": \"w\", \"options\": [\"this\", \"that\"], \"suggested\": \"A\"}]}";

static void put(const char *folder, const char *name, const char *mode, const char *text)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, mode);
    if (!file || fputs(text, file) < 0 || fclose(file)) {
        perror(path);
        exit(9);
    }
}

static void fill(long bytes, int one_line)
{
    static char line[1025];
    memset(line, 'x', sizeof line - 1);
    static const char head[] = "{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"";
    static const char tail[] = "\"}]}}\n";
    if (one_line)
        fputs(head, stdout);
    for (long sent = 0; sent < bytes; sent += 1024) {
        if (one_line)
            fwrite(line, 1, 1024, stdout);
        else
            printf("%s%.900s%s", head, line, tail);
    }
    if (one_line)
        fputs(tail, stdout);
}

int main(int count, char **words)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const char *session = NULL, *mode = "", *stamp = getenv("BENCH_STAMP"), *bytes = getenv("BENCH_BYTES");
    for (int i = 1; i + 1 < count; i++)
        if (!strcmp(words[i], "--add-dir"))
            session = words[i + 1];
        else if (!strcmp(words[i], "--permission-mode"))
            mode = words[i + 1];
    if (!session)
        return 9;
    if (stamp) {
        char text[64];
        snprintf(text, sizeof text, "%lld\n", now.tv_sec * 1000000000LL + now.tv_nsec);
        put("", stamp, "a", text);
    }
    printf("{\"type\":\"system\",\"subtype\":\"init\",\"session_id\":\"s\",\"model\":\"m\","
           "\"apiKeySource\":\"none\",\"permissionMode\":\"%s\"}\n", mode);
    if (bytes)
        fill(atol(bytes), getenv("BENCH_ONE_LINE") != NULL);
    puts("{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"result\":\"done\","
         "\"total_cost_usd\":0.01,\"num_turns\":1}");
    char artifact[64];
    time_t today = time(NULL);
    strftime(artifact, sizeof artifact, "%m-%d-%H:%M-dive-bench.md", localtime(&today));
    put(session, artifact, "a", "x");
    char signal[4096], ready[4096];
    snprintf(signal, sizeof signal, "%s/_signal.json.tmp", session);
    snprintf(ready, sizeof ready, "%s/_signal.json", session);
    const char *ask = getenv("BENCH_ASK"); /* if this file exists, remove it and ask */
    int asks = ask && !unlink(ask);
    put(session, "_signal.json.tmp", "w", asks ? ASK : "{\"status\": \"continue\"}");
    return rename(signal, ready) ? 9 : 0;
}
