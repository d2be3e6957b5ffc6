/* Makes an importable extension module of the bridge, as the daemon process's is. */
#include "bridge/state.h"

PyMODINIT_FUNC PyInit__wsgigw(void);

PyMODINIT_FUNC PyInit__wsgigw(void)
{
    return wgw_py_module_init();
}
