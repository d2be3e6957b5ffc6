/* Read once, and kept: the bridge looks at them whenever an interpreter is made. */
#include "worker/layer.h"

#include <stdlib.h>
#include <string.h>

/* Returns: 1, 0; -1 not said. */
static int flag_of(const char *text)
{
    return !*text ? -1 : strcmp(text, "on") == 0;
}

/* In one block: the array, then the text that it points into. */
static bool read_folders(const char *text, wgw_layer_t *layer)
{
    size_t most = strlen(text) + 1;
    const char **folders = malloc(most * sizeof *folders + most);
    char *rest = folders ? memcpy(folders + most, text, most) : NULL, *last = NULL;
    size_t count = 0;

    if (!folders)
        return false;
    for (char *folder = strtok_r(rest, ":", &last); folder; folder = strtok_r(NULL, ":", &last))
        folders[count++] = folder;
    layer->python_path = folders;
    layer->python_path_count = count;
    return true;
}

static bool read_layer(const char *const *texts, wgw_layer_t *layer)
{
    const char *group = texts[WGW_LAYER_GROUP];

    layer->group = *group == '=' ? group + 1 : NULL;
    layer->own_gil = flag_of(texts[WGW_LAYER_OWN_GIL]);
    layer->switch_interval_us = strtoll(texts[WGW_LAYER_SWITCH_INTERVAL], NULL, 10);
    return read_folders(texts[WGW_LAYER_PYTHON_PATH], layer);
}

bool wgw_wrk_layers_read(wgw_texts_t texts, const wgw_layer_t **layers_out, size_t *count_out)
{
    size_t count = texts.count / WGW_LAYER_TEXTS;
    wgw_layer_t *layers = calloc(count + 1, sizeof *layers);
    bool is_read = layers && texts.count % WGW_LAYER_TEXTS == 0;

    for (size_t i = 0; i < count && is_read; i++)
        is_read = read_layer(&texts.items[i * WGW_LAYER_TEXTS], &layers[i]);
    *layers_out = layers;
    *count_out = count;
    return is_read;
}
