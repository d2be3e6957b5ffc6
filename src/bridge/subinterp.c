/* No limited API has Py_NewInterpreterFromConfig(), which alone can give an interpreter its own GIL,
 * and says why it has failed, where Py_NewInterpreter() ends the process. So it is looked up by its
 * name, and what it takes and returns is declared here, as the headers of the versions that are
 * listed have it. For a version that is not listed there is the shared GIL. */
#include "bridge/subinterp.h"

#include <dlfcn.h>
#include <string.h>

/* PyInterpreterConfig */
typedef struct {
    int use_main_obmalloc;
    int allow_fork;
    int allow_exec;
    int allow_threads;
    int allow_daemon_threads;
    int check_multi_interp_extensions;
    int gil;
} config_t;

enum { SHARED_GIL = 1, OWN_GIL = 2 };

/* PyStatus */
typedef struct {
    enum { STATUS_OK, STATUS_ERROR, STATUS_EXIT } type;
    const char *function;
    const char *message;
    int exit_code;
} status_t;

typedef status_t make_fn(PyThreadState **tstate_out, const config_t *config);

/* The versions whose headers have these declarations. */
enum { FIRST_MINOR = 12, LAST_MINOR = 14 };

static make_fn *find(void)
{
    unsigned long minor = Py_Version >> 16 & 0xff;
    make_fn *make = NULL;

    if (Py_Version >> 24 != 3 || minor < FIRST_MINOR || minor > LAST_MINOR)
        return NULL;
    void *symbol = dlsym(RTLD_DEFAULT, "Py_NewInterpreterFromConfig");
    memcpy(&make, &symbol, sizeof make); /* ISO C has no cast from an object to a function */
    return make;
}

bool wgw_py_subinterp_can_own_gil(void)
{
    return find() != NULL;
}

/* A free-threaded build lets no extension into a sub-interpreter that has not declared itself. */
static int must_check_extensions(bool owns_gil)
{
#ifdef Py_GIL_DISABLED
    (void)owns_gil;
    return 1;
#else
    return owns_gil;
#endif
}

/* In 3.12 something that hashlib loads keeps what it makes first for all interpreters. Where that was
 * made by an interpreter with memory of its own, the end of the main one frees what is not its own, and
 * the process aborts. So the main one, which allocates for all others, is the first. */
static void py_load_in_main(void)
{
    PyObject *module = PyImport_ImportModule("hashlib");

    if (!module)
        PyErr_Clear(); /* a Python without it has no trouble with it either */
    Py_XDECREF(module);
}

PyThreadState *wgw_py_subinterp_new(bool owns_gil, const char **wrong_out)
{
    const config_t config = {
        .use_main_obmalloc = !owns_gil,
        .allow_fork = 0, /* a copy of a sub-interpreter ends itself: os.fork() is to raise instead */
        .allow_exec = 1,
        .allow_threads = 1,
        .allow_daemon_threads = 1,
        .check_multi_interp_extensions = must_check_extensions(owns_gil),
        .gil = owns_gil ? OWN_GIL : SHARED_GIL,
    };
    make_fn *make = find();
    PyThreadState *tstate = NULL;

    *wrong_out = "out of memory?";
    if (!make)
        return Py_NewInterpreter();
    if (owns_gil)
        py_load_in_main();
    status_t status = make(&tstate, &config);
    if (status.type == STATUS_OK)
        return tstate;
    if (status.message)
        *wrong_out = status.message;
    return NULL;
}
