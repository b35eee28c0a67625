// Targets of a loss: labels or values, checked against what the loss may be given.
#pragma once

#include "bindings/arrays.hpp"

namespace chainrule::bindings {

// int64 labels (rows,), each in [0, classes). Throws std::invalid_argument that names the first that is not.
const std::int64_t* check_labels(PyObject* object, const char* name, Index rows, Index classes);

// Values (rows, columns) within the domain; NaN passes. Throws std::invalid_argument that names the first that is not.
template <class T> void check_domain(const T* values, Index rows, Index columns, Domain domain, const char* name);

// An array of int64, of whichever of C's types has that size.
PyArrayObject* check_int64(PyObject* object, const char* name);

}  // namespace chainrule::bindings
