/* The options of WSGIDaemonProcess: one row for each. It drives parsing, range
 * checks, defaults and docs/directives.md.
 *
 * X(option, kind, field, least, most, default, help)
 *   kind          how the text is read, see pool_kinds.c; it decides the type of the field
 *   field         of wgw_pool_t
 *   least, most   of a number, a time or a size, as a user would write them; otherwise ""
 *   default       as a user would write it; "" when there is none, or it depends on the server
 *
 * A time or a size may always be 0: where `least` is above 0, that asks for the default.
 *
 * Includes nothing, so that the manual can be made from it without httpd. */
#ifndef WGW_SERVER_POOL_TABLE_H
#define WGW_SERVER_POOL_TABLE_H

#define WGW_POOL_OPTIONS(X) \
    X("processes", PROCESSES, process_count, "1", "1000", "1", \
      "Number of processes, or LEAST-MOST: then there are more while requests wait, and fewer when some " \
      "have nothing to do. Giving it at all, even as 1, makes wsgi.multiprocess true.") \
    X("threads", NUMBER, thread_count, "0", "1000", "15", \
      "Requests that one process serves at a time. 0: it runs its import scripts and serves none.") \
    X("user", USER, uid, "", "", "", \
      "User of the processes; httpd's User if not given. Has an effect where root starts httpd.") \
    X("group", GROUP, gid, "", "", "", \
      "Group of the processes; httpd's Group if not given. Has an effect where root starts httpd.") \
    X("supplementary-groups", GROUPS, groups, "", "", "", \
      "Their other groups; those of the user if not given.") \
    X("umask", MODE, umask, "0", "0777", "", "Mode bits that new files do not get.") \
    X("home", FOLDER, home, "", "", "", \
      "Working folder, and the first one of sys.path. If not given: the user's home where the user is " \
      "not httpd's, else /, and nothing in sys.path.") \
    X("chroot", FOLDER, chroot, "", "", "", \
      "Root folder of the processes. All other paths here are inside it, and so must be " \
      "the interpreter and what WSGIDaemonExtension names. Has an effect where root starts httpd.") \
    X("lang", TEXT, lang, "", "", "", "Environment variable LANG.") \
    X("locale", TEXT, locale, "", "", "", \
      "Locale, and environment variable LC_ALL. With neither of the two, LANG is C.UTF-8.") \
    X("display-name", DISPLAY, display_name, "", "", "", \
      "What ps shows; %{GROUP} stands for (wsgi:NAME).") \
    X("cpu-priority", NUMBER, nice, "-20", "19", "0", "Scheduling priority, as of nice.") \
    X("stack-size", SIZE, stack_bytes, "64K", "1G", "0", "Stack of a thread; 0: the system's.") \
    X("memory-limit", SIZE, memory_limit, "16M", "1024G", "0", \
      "Data memory of a process (RLIMIT_DATA); 0: no limit.") \
    X("virtual-memory-limit", SIZE, virtual_memory_limit, "64M", "1024G", "0", \
      "Address space of a process (RLIMIT_AS); 0: no limit.") \
    X("no-new-privs", NOT_FLAG, keeps_privileges, "", "", "on", \
      "Let no program that the processes start gain privileges, such as by a set-user-id bit.") \
    X("pass-env", NAMES, pass_env, "", "", "", \
      "Environment variables that are taken over from httpd, with ',' between them.") \
    X("env", ENV, env, "", "", "", "An environment variable, NAME=value; may be repeated.") \
    X("python", FILE, python, "", "", "", \
      "The interpreter: CPython 3.11 or newer. If neither this nor python-home is given: that of " \
      "WSGIPythonHome, else the one mod_wsgigw was configured with.") \
    X("python-home", FOLDER, python_home, "", "", "", \
      "A virtual environment or prefix with bin/python3 or bin/python in it.") \
    X("python-path", FOLDERS, python_path, "", "", "", \
      "Folders for the front of sys.path, with ':' between them; their .pth files are read.") \
    X("python-eggs", PATH, python_eggs, "", "", "", "Environment variable PYTHON_EGG_CACHE.") \
    X("listen-backlog", NUMBER, listen_backlog, "1", "65535", "100", \
      "Requests that may wait for a thread.") \
    X("socket-user", OWNER, socket_uid, "", "", "", \
      "Owner of the sockets; httpd's User if not given.") \
    X("connect-timeout", TIME, connect_timeout_us, "0", "1h", "15s", \
      "How long a request tries to reach a process.") \
    X("socket-timeout", TIME, socket_timeout_us, "1ms", "24h", "0", \
      "For one read or write between httpd and a process; 0: Timeout of the server.") \
    X("queue-timeout", TIME, queue_timeout_us, "1ms", "24h", "0", \
      "How long a request may wait for a thread before it gets 504; 0: no limit.") \
    X("send-buffer-size", SIZE, send_buffer_bytes, "512", "256M", "0", \
      "SO_SNDBUF of the sockets; 0: the system's.") \
    X("receive-buffer-size", SIZE, receive_buffer_bytes, "512", "256M", "0", \
      "SO_RCVBUF of the sockets; 0: the system's.") \
    X("header-buffer-size", SIZE, header_buffer_bytes, "8K", "16M", "32K", \
      "The longest header field of a response.") \
    X("request-buffer", SIZE, request_buffer_bytes, "0", "64M", "128K", \
      "A request body up to this size is read before a process gets the request.") \
    X("request-spool", FLAG, spools_requests, "", "", "off", \
      "Read a larger body into a file first, so that a slow client holds no Python thread.") \
    X("response-buffer-size", SIZE, response_flush_bytes, "64K", "1G", "8M", \
      "What httpd collects of a response before it sends it.") \
    X("response-buffer", SIZE, response_buffer_bytes, "64K", "64G", "8M", \
      "What a process keeps in memory of responses to slow clients; more goes to a file.") \
    X("response-socket-timeout", TIME, response_socket_timeout_us, "1ms", "24h", "0", \
      "For one write to the client; 0: socket-timeout.") \
    X("script-user", OWNER, script_uid, "", "", "", \
      "A script must belong to this user, and its folder too, and only the user may write them.") \
    X("script-group", OWNER_GROUP, script_gid, "", "", "", \
      "The same for this group, which may write them; not together with script-user.") \
    X("idle-timeout", TIME, idle_timeout_us, "1ms", "24h", "60s", \
      "With processes=LEAST-MOST: how long one process more than needed is kept.") \
    X("maximum-requests", REQUESTS, maximum_requests, "0", "1000000000", "0", \
      "A process is replaced after that many requests; N,JITTER: after N to N+JITTER of them, another " \
      "number for each process. 0: no limit.") \
    X("restart-interval", TIME, restart_interval_us, "1ms", "8760h", "0", \
      "A process is replaced after that time; 0: never.") \
    X("inactivity-timeout", TIME, inactivity_timeout_us, "1ms", "8760h", "0", \
      "A process that has served something is replaced by one that has loaded nothing, when it has had " \
      "nothing to do for so long; 0: never.") \
    X("cpu-time-limit", TIME, cpu_time_limit_us, "1ms", "8760h", "0", \
      "A process is replaced when it has used that much processor time; 0: no limit.") \
    X("memory-reload", SIZE, memory_reload_bytes, "64K", "1024G", "0", \
      "A process is replaced when its share of memory (PSS) is that large; 0: no limit.") \
    X("graceful", GRACEFUL, keeps_on_graceful, "", "", "reload", \
      "What a graceful restart of httpd does to processes whose definition has not changed: reload " \
      "replaces them one after another, keep leaves them alone.") \
    X("startup-timeout", TIME, startup_timeout_us, "1ms", "24h", "0", \
      "How long a process may take until it serves; 0: no limit, but 60s for one that is to replace " \
      "another.") \
    X("graceful-timeout", TIME, graceful_timeout_us, "0", "24h", "60s", \
      "How long a process that is to end may take for the requests it has.") \
    X("shutdown-timeout", TIME, shutdown_timeout_us, "0", "1h", "5s", \
      "How long it may take after that until it is killed.") \
    X("eviction-timeout", TIME, eviction_timeout_us, "1ms", "24h", "0", \
      "graceful-timeout for a process that was sent SIGUSR1; 0: graceful-timeout.") \
    X("request-timeout", TIME, request_timeout_us, "1ms", "24h", "0", \
      "How long a request may take, from when httpd began with it, the queue included; 0: no limit. " \
      "Exactly that long, where mod_wsgi takes it times 1 + ln(threads). At its end the stacks of all " \
      "threads go to the error log, and the client gets 504, or sees the response cut where it has " \
      "begun; the process is replaced when its other requests are done.") \
    X("interrupt-timeout", TIME, interrupt_timeout_us, "1ms", "24h", "0", \
      "At the end of request-timeout, first raise wsgigw.RequestTimeout in the request, and give it this " \
      "long to end by that; 0: do not.") \
    X("deadlock-timeout", TIME, deadlock_timeout_us, "0", "24h", "300s", \
      "How long no thread of a process can have the interpreter (its GIL) until the process is " \
      "replaced; 0: no limit.") \
    X("switch-interval", INTERVAL, switch_interval_us, "0.000001", "60", "", \
      "Seconds, or their fraction, that a thread keeps the interpreter while others want it, as of " \
      "sys.setswitchinterval(); Python's own if not given.")

/* Options of mod_wsgi that are not there yet: known, so that no other one is suggested. */
#define WGW_POOL_OPTIONS_LATER(X) \
    X("response-flush-delay") X("server-metrics")

#endif
