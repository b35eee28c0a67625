// The door: NumPy arrays checked once, then plain pointers and sizes.
//
// The compiled functions take arrays as they need them (see `check_array`) and raise ConversionNeeded for all others,
// before anything is done: the Python classes convert, visibly, and call again.
#pragma once

#include <pybind11/pybind11.h>

#define PY_ARRAY_UNIQUE_SYMBOL chainrule_numpy_api
#ifndef CHAINRULE_IMPORTS_NUMPY
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>

#include "bindings/array_memory.hpp"
#include "kernels/kernels.hpp"
#include "runtime/floating_point.hpp"

namespace chainrule::bindings {

namespace py = pybind11;

struct ConversionNeeded : std::runtime_error {
    using std::runtime_error::runtime_error;
};

template <class T> constexpr int type_number = sizeof(T) == sizeof(float) ? NPY_FLOAT : NPY_DOUBLE;

// A checked argument: its memory and its shape.
template <class T> struct Array {
    T* data;
    PyArrayObject* object;
    Index dim(int i) const { return PyArray_DIM(object, i); }
    Index size() const { return PyArray_SIZE(object); }
    Index rows() const { return dim(0); }
    Index columns() const { return dim(1); }
};

[[noreturn]] void throw_conversion(const char* name);
[[noreturn]] void throw_shape(const char* name, const std::string& expected, PyArrayObject* got);
std::string shape_text(PyArrayObject* array);
std::string shape_text(std::initializer_list<Index> shape);

// An exact ndarray, C-contiguous, aligned, of this machine's byte order, of type `number`.
inline PyArrayObject* check_array(PyObject* object, int number, const char* name) {
    if (!PyArray_CheckExact(object)) throw_conversion(name);
    PyArrayObject* const array = reinterpret_cast<PyArrayObject*>(object);
    if (PyArray_TYPE(array) != number || !PyArray_ISCARRAY_RO(array)) throw_conversion(name);
    return array;
}
template <class T> Array<const T> any_array(PyObject* object, const char* name) {
    PyArrayObject* const array = check_array(object, type_number<T>, name);
    return {static_cast<const T*>(PyArray_DATA(array)), array};
}
template <class T> Array<const T> matrix(PyObject* object, const char* name) {
    const Array<const T> array = any_array<T>(object, name);
    if (PyArray_NDIM(array.object) != 2) throw_shape(name, "2 dimensions", array.object);
    return array;
}
// (n, columns); the number of rows is free.
template <class T> Array<const T> matrix_with_columns(PyObject* object, const char* name, Index columns) {
    const Array<const T> array = any_array<T>(object, name);
    if (PyArray_NDIM(array.object) != 2 || array.columns() != columns)
        throw_shape(name, "(n, " + std::to_string(columns) + ")", array.object);
    return array;
}
template <class T> Array<const T> matrix_of(PyObject* object, const char* name, Index rows, Index columns) {
    const Array<const T> array = any_array<T>(object, name);
    if (PyArray_NDIM(array.object) != 2 || array.rows() != rows || array.columns() != columns)
        throw_shape(name, shape_text({rows, columns}), array.object);
    return array;
}
template <class T, class Like> Array<const T> array_like(PyObject* object, const char* name, const Array<Like>& like) {
    const Array<const T> array = any_array<T>(object, name);
    if (!PyArray_SAMESHAPE(array.object, like.object)) throw_shape(name, shape_text(like.object), array.object);
    return array;
}
template <class T> Array<T> writable(PyObject* object, const char* name) {
    const Array<const T> array = any_array<T>(object, name);
    if (!PyArray_ISWRITEABLE(array.object)) throw_conversion(name);
    return {const_cast<T*>(array.data), array.object};
}
template <class T, class Like> Array<T> writable_like(PyObject* object, const char* name, const Array<Like>& like) {
    const Array<const T> array = array_like<T>(object, name, like);
    if (!PyArray_ISWRITEABLE(array.object)) throw_conversion(name);
    return {const_cast<T*>(array.data), array.object};
}

// Two arrays of one shape, of which one is written to, may be the very same memory or none of it: where they overlap in
// part, a vector would be read after its neighbour was written.
template <class A, class B> void check_overlap(const Array<A>& written, const Array<B>& read, const char* name) {
    const char *a = reinterpret_cast<const char*>(written.data), *b = reinterpret_cast<const char*>(read.data);
    const Index bytes = written.size() * static_cast<Index>(sizeof(A));
    if (a != b && a < b + bytes && b < a + bytes) throw_conversion(name);
}

// A fresh array, owned until `release`.
template <class T> class NewArray {
  public:
    NewArray(std::initializer_list<Index> shape) {
        npy_intp dims[NPY_MAXDIMS_LEGACY_NUMPY];
        int n = 0;
        for (const Index size : shape) dims[n++] = size;
        make(n, dims);
    }
    template <class Like> explicit NewArray(const Array<Like>& like) { make(PyArray_NDIM(like.object), PyArray_DIMS(like.object)); }
    ~NewArray() { Py_XDECREF(object_); }
    NewArray(const NewArray&) = delete;
    NewArray& operator=(const NewArray&) = delete;
    T* data() const { return static_cast<T*>(PyArray_DATA(reinterpret_cast<PyArrayObject*>(object_))); }
    PyObject* release() {
        PyObject* const result = object_;
        object_ = nullptr;
        return result;
    }

  private:
    static constexpr int NPY_MAXDIMS_LEGACY_NUMPY = 32;
    void make(int n, const npy_intp* dims) {
        std::size_t bytes = sizeof(T);
        for (int i = 0; i < n; ++i) bytes *= static_cast<std::size_t>(dims[i]);
        if (bytes >= pooled_bytes) {
            const PooledMemory pooled;
            object_ = PyArray_SimpleNew(n, const_cast<npy_intp*>(dims), type_number<T>);
        } else {
            object_ = PyArray_SimpleNew(n, const_cast<npy_intp*>(dims), type_number<T>);
        }
        if (!object_) throw py::error_already_set();
    }
    PyObject* object_ = nullptr;
};

// The object of an array that may not be there: null then.
template <class T> PyObject* released(std::optional<NewArray<T>>& array) { return array ? array->release() : nullptr; }

// A tuple that takes new references over; null ones are left out.
inline PyObject* tuple_of_new(std::initializer_list<PyObject*> items) {
    Py_ssize_t count = 0, place = 0;
    for (PyObject* item : items) count += item != nullptr;
    PyObject* const result = PyTuple_New(count);
    if (!result) {
        for (PyObject* item : items) Py_XDECREF(item);
        throw py::error_already_set();
    }
    for (PyObject* item : items)
        if (item) PyTuple_SET_ITEM(result, place++, item);
    return result;
}

// What an array's numbers are; false where the core knows no such.
bool number_of_array(PyArrayObject* array, Number& number);

double number(PyObject* object, const char* name);
std::uint64_t unsigned_number(PyObject* object, const char* name);

// For a thread that the interpreter, at its end, takes back no more. Before Python 3.14 it calls pthread_exit, which unwinds
// the stack: a destructor on the way would give objects back without the lock, a noexcept function abort the process.
[[noreturn]] void wait_for_the_end();

// Makes a call of Python's C API that may run Python code, which may be its thread's last.
template <class Call> auto running_python(const Call& call) {
    try {
        return call();
    } catch (...) {
        wait_for_the_end();
    }
}

// Takes Python's lock again. A thread that comes back when the interpreter is at its end waits here until the process is gone.
void take_lock(PyThreadState* state) noexcept;

// Calls a method without arguments.
py::object call_method(PyObject* object, PyObject* name);

// Lets other Python threads run while a large call computes; a small one is over before the lock could change hands.
class Unlocked {
  public:
    Unlocked() : state_(PyEval_SaveThread()) {}
    explicit Unlocked(double work) : state_(work > 2e5 ? PyEval_SaveThread() : nullptr) {}
    ~Unlocked() {
        if (state_) take_lock(state_);
    }
    Unlocked(const Unlocked&) = delete;
    Unlocked& operator=(const Unlocked&) = delete;

  private:
    PyThreadState* state_;
};

// Of every function that computes: for a pybind11 definition; the others hold a FloatingPointFlags.
using KeepsFlags = py::call_guard<runtime::FloatingPointFlags>;

// --- functions with positional arguments only -------------------------------------------------------------------

using Arguments = PyObject* const*;

// The dtype of a call is that of its first argument.
inline bool is_double(PyObject* object, const char* name) {
    if (!PyArray_CheckExact(object)) throw_conversion(name);
    const int type = PyArray_TYPE(reinterpret_cast<PyArrayObject*>(object));
    if (type == NPY_DOUBLE) return true;
    if (type != NPY_FLOAT) throw_conversion(name);
    return false;
}

PyObject* translate_exception() noexcept;
PyObject* wrong_count(const char* name, Py_ssize_t expected, Py_ssize_t got) noexcept;

// Makes a METH_FASTCALL function of `Function::call<T>(arguments)`, chosen by the first argument's dtype.
template <class Function> PyObject* fast_call(PyObject*, PyObject* const* arguments, Py_ssize_t count) noexcept {
    if (count != Function::arguments) return wrong_count(Function::name, Function::arguments, count);
    const runtime::FloatingPointFlags flags;
    try {
        return is_double(arguments[0], Function::first) ? Function::template call<double>(arguments)
                                                        : Function::template call<float>(arguments);
    } catch (...) {
        return translate_exception();
    }
}
template <class Function> PyMethodDef fast_method(const char* documentation) {
    return {Function::name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&fast_call<Function>)), METH_FASTCALL, documentation};
}
void add_methods(py::module_& module, PyMethodDef* methods);

}  // namespace chainrule::bindings
