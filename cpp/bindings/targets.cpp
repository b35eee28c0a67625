#include "bindings/targets.hpp"

namespace chainrule::bindings {
namespace {

std::string text_of(double value) {
    char* const text = PyOS_double_to_string(value, 'g', 9, Py_DTSF_ADD_DOT_0, nullptr);
    if (!text) throw py::error_already_set();
    const std::string result = text;
    PyMem_Free(text);
    return result;
}

template <class T, class Outside> void check_each(const T* values, Index rows, Index columns, const char* name, const char* expected, const Outside& outside) {
    const Index count = rows * columns;
    bool any = false;
    for (Index i = 0; i < count; ++i) any |= outside(values[i]);
    if (!any) return;
    Index first = 0;
    while (!outside(values[first])) ++first;
    throw std::invalid_argument(std::string(name) + ": expected " + expected + ", got " + text_of(static_cast<double>(values[first])) + " at index (" +
                                std::to_string(first / columns) + ", " + std::to_string(first % columns) + ")");
}

template <class T> bool holds(const T* values, Index count, T value) {
    bool found = false;
    for (Index i = 0; i < count; ++i) found |= values[i] == value;
    return found;
}

}  // namespace

PyArrayObject* check_int64(PyObject* object, const char* name) {
    if (!PyArray_CheckExact(object)) throw_conversion(name);
    PyArrayObject* const array = reinterpret_cast<PyArrayObject*>(object);
    if (!PyTypeNum_ISSIGNED(PyArray_TYPE(array)) || PyArray_ITEMSIZE(array) != 8 || !PyArray_ISCARRAY_RO(array)) throw_conversion(name);
    return array;
}

const std::int64_t* check_labels(PyObject* object, const char* name, Index rows, Index classes) {
    PyArrayObject* const array = check_int64(object, name);
    if (PyArray_NDIM(array) != 1 || PyArray_DIM(array, 0) != rows) throw_shape(name, shape_text({rows}), array);
    const auto* labels = static_cast<const std::int64_t*>(PyArray_DATA(array));
    for (Index i = 0; i < rows; ++i)
        if (labels[i] < 0 || labels[i] >= classes)
            throw std::invalid_argument(std::string(name) + ": label " + std::to_string(labels[i]) + " at index " + std::to_string(i) +
                                        ": expected 0 to " + std::to_string(classes - 1));
    return labels;
}

template <class T> void check_domain(const T* values, Index rows, Index columns, Domain domain, const char* name) {
    switch (domain) {
        case Domain::real: return;
        case Domain::unit_interval:
            return check_each(values, rows, columns, name, "values in [0, 1]", [](T y) { return (y < T(0)) | (y > T(1)); });
        case Domain::not_negative: return check_each(values, rows, columns, name, "values of at least 0", [](T y) { return y < T(0); });
        case Domain::signs:
            check_each(values, rows, columns, name, "-1 and 1, or 0 and 1", [](T y) { return (y != T(-1)) & (y != T(0)) & (y != T(1)) & (y == y); });
            if (holds(values, rows * columns, T(-1)))
                check_each(values, rows, columns, name, "-1 and 1, or 0 and 1, not both", [](T y) { return y == T(0); });
    }
}

template void check_domain(const float*, Index, Index, Domain, const char*);
template void check_domain(const double*, Index, Index, Domain, const char*);

}  // namespace chainrule::bindings
