/* Reference counts, for the headers of 3.11 and interpreters that know immortal objects.
 *
 * Python.h of 3.11 counts with a plain ++ and --. From 3.12 on None, True, small numbers and the
 * static types are one and the same for all interpreters, and nobody changes their counts: they are
 * immortal. A plain ++ takes them beyond that mark until the -- that follows, and then every other
 * interpreter counts them, too. With one GIL that is harmless; with a GIL for each, two counts at a
 * time are lost, until one of these objects is freed.
 *
 * An immortal object has bit 31 of its count set, in all versions from 3.12 on with pointers of 64
 * bits. In 3.11 that is an object with two thousand million references, of which there is none. */
#ifndef WGW_BRIDGE_REFCOUNT_H
#define WGW_BRIDGE_REFCOUNT_H

static inline int wgw_py_is_immortal(const PyObject *object)
{
    return (int32_t)object->ob_refcnt < 0;
}

static inline PyObject *wgw_py_newref(PyObject *object)
{
    if (!wgw_py_is_immortal(object))
        object->ob_refcnt++;
    return object;
}

static inline PyObject *wgw_py_xnewref(PyObject *object)
{
    return object ? wgw_py_newref(object) : NULL;
}

static inline void wgw_py_decref(PyObject *object)
{
    if (!wgw_py_is_immortal(object) && --object->ob_refcnt == 0)
        _Py_Dealloc(object);
}

static inline void wgw_py_xdecref(PyObject *object)
{
    if (object)
        wgw_py_decref(object);
}

#undef Py_INCREF
#undef Py_DECREF
#undef Py_XINCREF
#undef Py_XDECREF
#undef Py_NewRef
#undef Py_XNewRef
#define Py_INCREF(object) ((void)wgw_py_newref(_PyObject_CAST(object)))
#define Py_DECREF(object) wgw_py_decref(_PyObject_CAST(object))
#define Py_XINCREF(object) ((void)wgw_py_xnewref(_PyObject_CAST(object)))
#define Py_XDECREF(object) wgw_py_xdecref(_PyObject_CAST(object))
#define Py_NewRef(object) wgw_py_newref(_PyObject_CAST(object))
#define Py_XNewRef(object) wgw_py_xnewref(_PyObject_CAST(object))

#endif
