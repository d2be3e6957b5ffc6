/* The life of a daemon process, from START to its end. */
#ifndef WGW_WORKER_SERVE_H
#define WGW_WORKER_SERVE_H

/* Serve until told to end. `extension` is the file this code is from.
 * Context: the main thread, attached to the main interpreter; once.
 * Returns: the exit code. */
int wgw_py_serve(const char *extension);

#endif
