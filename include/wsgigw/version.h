/* The version of mod_wsgigw, here, in configure.ac and in wsgigw.py. */
#ifndef WSGIGW_VERSION_H
#define WSGIGW_VERSION_H

#define WGW_VERSION { 0, 1, 0 }
#define WGW_VERSION_TEXT "0.1.0"

#endif
