#include "bindings/arrays.hpp"

#include <chrono>
#include <new>
#include <thread>
#if defined(__GLIBCXX__)
#include <cxxabi.h>
#endif

namespace chainrule::bindings {

void wait_for_the_end() {
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

void take_lock(PyThreadState* state) noexcept {
    try {
        PyEval_RestoreThread(state);
    } catch (...) {
        wait_for_the_end();
    }
}

py::object call_method(PyObject* object, PyObject* name) {
    PyObject* const result = running_python([=] { return PyObject_CallMethodNoArgs(object, name); });
    if (!result) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(result);
}

std::string shape_text(std::initializer_list<Index> shape) {
    std::string text = "(";
    for (const Index size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
    return text + (shape.size() == 1 ? ",)" : ")");
}

std::string shape_text(PyArrayObject* array) {
    std::string text = "(";
    for (int i = 0; i < PyArray_NDIM(array); ++i) text += (i ? ", " : "") + std::to_string(PyArray_DIM(array, i));
    return text + (PyArray_NDIM(array) == 1 ? ",)" : ")");
}

void throw_conversion(const char* name) {
    throw ConversionNeeded(std::string(name) +
                           ": expected a C-contiguous, aligned, native ndarray of the call's dtype (writeable where it is written to)");
}

void throw_shape(const char* name, const std::string& expected, PyArrayObject* got) {
    throw std::invalid_argument(std::string(name) + ": expected " + expected + ", got " + shape_text(got));
}

bool number_of_array(PyArrayObject* array, Number& number) {
    const int type = PyArray_TYPE(array);
    if (type == NPY_FLOAT || type == NPY_DOUBLE) {
        number = type == NPY_FLOAT ? Number::float32 : Number::float64;
        return true;
    }
    if (!PyTypeNum_ISINTEGER(type) && !PyTypeNum_ISBOOL(type)) return false;
    const bool is_signed = PyTypeNum_ISSIGNED(type);
    switch (PyArray_ITEMSIZE(array)) {
        case 1: number = is_signed ? Number::int8 : Number::uint8; break;
        case 2: number = is_signed ? Number::int16 : Number::uint16; break;
        case 4: number = is_signed ? Number::int32 : Number::uint32; break;
        default: number = is_signed ? Number::int64 : Number::uint64;
    }
    return true;
}

double number(PyObject* object, const char* name) {
    const double value = running_python([=] { return PyFloat_AsDouble(object); });
    if (value == -1.0 && PyErr_Occurred()) {
        const bool too_large = PyErr_ExceptionMatches(PyExc_OverflowError);
        PyErr_Clear();
        if (too_large) throw std::invalid_argument(std::string(name) + ": expected a number, got an int beyond float64");
        throw py::type_error(std::string(name) + ": expected a number, got " + Py_TYPE(object)->tp_name);
    }
    return value;
}

std::uint64_t unsigned_number(PyObject* object, const char* name) {
    const unsigned long long value = PyLong_AsUnsignedLongLong(object);
    if (PyErr_Occurred()) {
        PyErr_Clear();
        throw py::type_error(std::string(name) + ": expected an int from 0 to 2**64 - 1, got " + Py_TYPE(object)->tp_name);
    }
    return value;
}

PyObject* wrong_count(const char* name, Py_ssize_t expected, Py_ssize_t got) noexcept {
    PyErr_Format(PyExc_TypeError, "%s: expected %zd arguments, got %zd", name, expected, got);
    return nullptr;
}

static PyObject* conversion_needed_type = nullptr;

PyObject* translate_exception() noexcept {
    try {
        throw;
#if defined(__GLIBCXX__)
    } catch (const abi::__forced_unwind&) {  // Python code that the call has run was the thread's last
        wait_for_the_end();
#endif
    } catch (const ConversionNeeded& error) {
        PyErr_SetString(conversion_needed_type, error.what());
    } catch (py::error_already_set& error) {
        error.restore();
    } catch (const py::type_error& error) {
        PyErr_SetString(PyExc_TypeError, error.what());
    } catch (const py::cast_error& error) {
        PyErr_SetString(PyExc_TypeError, error.what());
    } catch (const std::invalid_argument& error) {
        PyErr_SetString(PyExc_ValueError, error.what());
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    } catch (const std::exception& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    } catch (...) {
        PyErr_SetString(PyExc_RuntimeError, "unknown C++ exception");
    }
    return nullptr;
}

void add_methods(py::module_& module, PyMethodDef* methods) {
    if (!conversion_needed_type) {
        conversion_needed_type = PyErr_NewExceptionWithDoc(
            "chainrule._core.ConversionNeeded",
            "An argument is not an array that the compiled functions take as it is; nothing was done.", PyExc_TypeError, nullptr);
        if (!conversion_needed_type) throw py::error_already_set();
        module.add_object("ConversionNeeded", py::handle(conversion_needed_type));
    }
    if (PyModule_AddFunctions(module.ptr(), methods) != 0) throw py::error_already_set();
}

}  // namespace chainrule::bindings
