// One function of the module for each entry of a list of the catalogue, made when it is imported: the C function is the same,
// its `self` is the entry's place.
#pragma once

#include <string>

#include "bindings/arrays.hpp"

namespace chainrule::bindings {

using EntryFunction = PyObject* (*)(PyObject* self, PyObject* const* arguments, Py_ssize_t count);

void add_entry_method(py::module_& module, const std::string& name, int place, EntryFunction function, const std::string& documentation);

// The names as parameters of a signature: ", a: float, b: float".
std::string signature_of(const Names& names);

// Makes an EntryFunction of `Function::call<T>(place, arguments, count)`, chosen by the first argument's dtype.
template <class Function> PyObject* entry_call(PyObject* self, PyObject* const* arguments, Py_ssize_t count) noexcept {
    const runtime::FloatingPointFlags flags;
    try {
        if (count < 1) throw py::type_error(std::string(Function::first) + ": expected an array, got no argument");
        const int place = static_cast<int>(PyLong_AsLong(self));
        return is_double(arguments[0], Function::first) ? Function::template call<double>(place, arguments, count)
                                                        : Function::template call<float>(place, arguments, count);
    } catch (...) {
        return translate_exception();
    }
}

// The arguments from `first` on as numbers, by the catalogue's names.
template <class Parameters> void read_parameters(Arguments args, Py_ssize_t first, Py_ssize_t count, const Names& names, const char* function, Parameters& values) {
    if (count - first != names.count)
        throw py::type_error(std::string(function) + ": expected " + std::to_string(first + names.count) + " arguments, got " + std::to_string(count));
    for (int i = 0; i < names.count; ++i) values[static_cast<std::size_t>(i)] = number(args[first + i], names.name[i]);
}

}  // namespace chainrule::bindings
