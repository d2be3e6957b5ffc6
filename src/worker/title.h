/* The name under which a daemon process is listed (display-name). */
#ifndef WGW_WORKER_TITLE_H
#define WGW_WORKER_TITLE_H

/* Write `name` over the memory of the command line, cut to its length. argv[0] itself has to be
 * the interpreter when Python starts, or it does not find its virtual environment; by now Python
 * has copied it. Context: before any thread. */
void wgw_title_set(const char *name);

#endif
