/* Layers stand in the order in which they win. A group that the configuration singles out has the
 * main interpreter, and what is said of the group by its name is said of that. */
#include "bridge/layer.h"

#include <string.h>

static const char *name_of(const wgw_bridge_config_t *config, const char *group)
{
    return config->main_group && strcmp(group, config->main_group) == 0 ? "" : group;
}

static bool is_for(const wgw_bridge_config_t *config, const wgw_layer_t *layer, const char *group)
{
    return !layer->group || strcmp(name_of(config, layer->group), name_of(config, group)) == 0;
}

bool wgw_layer_wants_own_gil(const wgw_bridge_config_t *config, const char *group)
{
    bool wants = false;

    for (size_t i = 0; i < config->layer_count; i++)
        if (config->layers[i].own_gil >= 0 && is_for(config, &config->layers[i], group))
            wants = config->layers[i].own_gil;
    return wants && *name_of(config, group);
}

/* A configuration with one group has the main interpreter only. */
bool wgw_layer_may_want_own_gil(const wgw_bridge_config_t *config)
{
    for (size_t i = 0; i < config->layer_count; i++)
        if (config->layers[i].own_gil > 0 && !config->main_group)
            return true;
    return false;
}

/* What is said of one group only must not change the GIL of others. */
static int64_t switch_interval_us(const wgw_interp_t *interp)
{
    const wgw_bridge_config_t *config = interp->bridge->config;
    int64_t found_us = 0;

    for (size_t i = 0; i < config->layer_count; i++) {
        const wgw_layer_t *layer = &config->layers[i];
        if (!layer->switch_interval_us || !is_for(config, layer, interp->group))
            continue;
        if (layer->group && !interp->owns_gil)
            wgw_log(&config->sink, WGW_LOG_WARN,
                    WGWNO(0182) "WSGISwitchInterval has no effect on application group '%s': its "
                    "interpreter shares the GIL of the process; say WSGIPerInterpreterGIL On for it, "
                    "or leave application-group= out", interp->group);
        else
            found_us = layer->switch_interval_us;
    }
    return found_us;
}

bool wgw_py_layer_set_switch_interval(const wgw_interp_t *interp)
{
    double seconds = (double)switch_interval_us(interp) / 1e6;

    if (seconds <= 0)
        return true;
    PyObject *module = PyImport_ImportModule("sys");
    PyObject *done = module ? PyObject_CallMethod(module, "setswitchinterval", "d", seconds) : NULL;
    Py_XDECREF(module);
    Py_XDECREF(done);
    return done != NULL;
}

static int add_folder(PyObject *folders, const char *path)
{
    PyObject *folder = PyUnicode_DecodeFSDefault(path);
    int rc = folder ? PyList_Append(folders, folder) : -1;

    Py_XDECREF(folder);
    return rc;
}

PyObject *wgw_py_layer_python_path(const wgw_interp_t *interp)
{
    const wgw_bridge_config_t *config = interp->bridge->config;
    PyObject *folders = PyList_New(0);
    int rc = folders ? 0 : -1;

    for (size_t i = config->layer_count; i-- > 0 && rc == 0;) {
        const wgw_layer_t *layer = &config->layers[i];
        for (size_t k = 0; k < layer->python_path_count && rc == 0; k++)
            if (is_for(config, layer, interp->group))
                rc = add_folder(folders, layer->python_path[k]);
    }
    for (size_t i = 0; i < config->python_path_count && rc == 0; i++)
        rc = add_folder(folders, config->python_path[i]);
    if (rc < 0)
        Py_CLEAR(folders);
    return folders;
}
