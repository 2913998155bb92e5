/* SPDX-License-Identifier: MIT */
/* replay_main.c - run a fuzz target over files instead of an engine. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An exactly sized heap block lets ASan see a one-byte over-read. */
static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data;
    long size;

    if (!file)
        return -1;
    if (fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 ||
        fseek(file, 0, SEEK_SET) != 0) {
        fclose(file);
        return -1;
    }
    data = malloc(size ? (size_t)size : 1);
    if (!data || fread(data, 1, (size_t)size, file) != (size_t)size) {
        free(data);
        fclose(file);
        return -1;
    }
    fclose(file);
    LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    return 0;
}

static int replay_directory(const char *path)
{
    char name[4096];
    struct dirent *entry;
    DIR *dir = opendir(path);
    int files = 0;

    if (!dir)
        return -1;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (replay_file(name) < 0) {
            fprintf(stderr, "cannot read %s\n", name);
            closedir(dir);
            return -1;
        }
        files++;
    }
    closedir(dir);
    return files;
}

/* An empty or missing corpus is a failure: the test would prove nothing. */
int main(int argc, char **argv)
{
    int files = 0;

    for (int i = 1; i < argc; i++) {
        int n = replay_directory(argv[i]);

        if (n < 0)
            return EXIT_FAILURE;
        files += n;
    }
    printf("%d inputs replayed\n", files);
    return files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
