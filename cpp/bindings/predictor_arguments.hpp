// What calls of the predictor borrow from Python for their length: a net's parameters, samples, and where the output goes.
//
// Nothing is raised here: what the core cannot take is left to the Python classes, which convert it or refuse it in words.
#pragma once

#include <algorithm>
#include <vector>

#include "bindings/arrays.hpp"
#include "model/predictor.hpp"

namespace chainrule::bindings {

// Names that stay alive, to be looked up in dictionaries.
struct Keys {
    PyObject* forward = PyUnicode_InternFromString("forward");
    PyObject* weights = PyUnicode_InternFromString("weights");
    PyObject* biases = PyUnicode_InternFromString("biases");
    PyObject* name_in_core = PyUnicode_InternFromString("name_in_core");
    PyObject* parameters = PyUnicode_InternFromString("parameters");
};
inline const Keys& keys() {
    static const Keys one;
    return one;
}

// Steps, and the arrays that they point to.
template <class T> struct Reading {
    model::ForwardSteps<T> steps;
    std::vector<py::object> arrays;

    // A parameter (rows, columns) as the core takes it; null where it is not so. Sizes of 0 are any.
    Array<const T> parameter(PyObject* object, Index rows, Index columns) {
        Array<const T> none = {nullptr, nullptr};
        if (!object || !PyArray_CheckExact(object)) return none;
        PyArrayObject* const array = reinterpret_cast<PyArrayObject*>(object);
        if (PyArray_TYPE(array) != type_number<T> || !PyArray_ISCARRAY_RO(array) || PyArray_NDIM(array) != 2) return none;
        const Array<const T> found = {static_cast<const T*>(PyArray_DATA(array)), array};
        const bool fits = found.rows() > 0 && found.columns() > 0 && (!rows || found.rows() == rows) && (!columns || found.columns() == columns);
        if (!fits) return none;
        arrays.push_back(py::reinterpret_borrow<py::object>(object));
        return found;
    }

    bool add_product(PyObject* state) {
        const Index before = steps.empty() ? 0 : steps.back().n_outputs;
        const Array<const T> weights = parameter(PyDict_GetItemWithError(state, keys().weights), before, 0);
        PyObject* const held = PyDict_GetItemWithError(state, keys().biases);
        if (!weights.data || !held) return false;
        model::ForwardStep<T> step;
        step.map = model::Map::product;
        step.n_inputs = weights.rows();
        step.n_outputs = weights.columns();
        step.weights = weights.data;
        if (held != Py_None) {
            step.biases = parameter(held, 1, step.n_outputs).data;
            if (!step.biases) return false;
        }
        return add(step);
    }

    bool add_factors(PyObject* state) {
        const Index before = steps.empty() ? 0 : steps.back().n_outputs;
        const Array<const T> weights = parameter(PyDict_GetItemWithError(state, keys().weights), 1, before);
        if (!weights.data) return false;
        model::ForwardStep<T> step;
        step.map = model::Map::factors;
        step.n_outputs = weights.columns();
        step.weights = weights.data;
        return add(step);
    }

    // In the step before it, where that has none yet.
    void add_activation(Activation activation, const double* parameters) {
        model::ForwardStep<T> alone;
        if (steps.empty() || steps.back().activation != Activation::identity) {
            if (!steps.empty()) alone.n_outputs = steps.back().n_outputs;
            add(alone);
        }
        model::ForwardStep<T>& step = steps.back();
        step.activation = activation;
        std::copy_n(parameters, most_names, step.parameters);
    }

    bool add(model::ForwardStep<T> step) {
        if (step.map != model::Map::product) step.n_inputs = step.n_outputs;
        steps.push_back(step);
        return true;
    }

    // Activations in front of the first parameters have as many columns as those; false without a product.
    bool finish() {
        Index columns = 0;
        for (std::size_t s = steps.size(); s-- > 0;) {
            model::ForwardStep<T>& step = steps[s];
            if (step.n_outputs == 0) step.n_inputs = step.n_outputs = columns;
            columns = step.n_inputs;
        }
        for (const model::ForwardStep<T>& step : steps)
            if (step.map == model::Map::product) return true;
        return false;
    }
};

struct InputRows {
    model::Rows rows;
    Index columns = 0;
};

// X (n, d), or one sample (d,): rows of numbers side by side, any step apart. False where the core cannot read it.
inline bool read_inputs(PyObject* object, InputRows& inputs) {
    if (!PyArray_CheckExact(object)) return false;
    PyArrayObject* const array = reinterpret_cast<PyArrayObject*>(object);
    const int rank = PyArray_NDIM(array);
    if ((rank != 1 && rank != 2) || !PyArray_ISALIGNED(array) || !PyArray_ISNOTSWAPPED(array) || !number_of_array(array, inputs.rows.numbers)) return false;
    const Index size = PyArray_ITEMSIZE(array);
    inputs.columns = PyArray_DIM(array, rank - 1);
    inputs.rows.data = PyArray_DATA(array);
    inputs.rows.count = rank == 2 ? PyArray_DIM(array, 0) : 1;
    const Index stride = inputs.rows.count > 1 ? PyArray_STRIDE(array, 0) : inputs.columns * size;
    inputs.rows.apart = stride / size;
    return stride % size == 0 && (inputs.columns <= 1 || PyArray_STRIDE(array, rank - 1) == size);
}

// Bytes that an array spans.
struct Span {
    const char *begin, *end;
    explicit Span(PyArrayObject* array) {
        begin = end = PyArray_BYTES(array);
        for (int i = 0; i < PyArray_NDIM(array); ++i) {
            const Index reach = (PyArray_DIM(array, i) - 1) * PyArray_STRIDE(array, i);
            (reach < 0 ? begin : end) += reach;
        }
        end += PyArray_ITEMSIZE(array);
        if (PyArray_SIZE(array) == 0) end = begin;
    }
    bool overlaps(const Span& other) const { return begin < other.end && other.begin < end; }
};

// Where results (rows, columns) may be written: null where `out` is not so.
template <class T> T* read_out(PyObject* out, Index rows, Index columns) {
    if (!PyArray_CheckExact(out)) return nullptr;
    PyArrayObject* const array = reinterpret_cast<PyArrayObject*>(out);
    const bool fits = PyArray_NDIM(array) == 2 && PyArray_DIM(array, 0) == rows && PyArray_DIM(array, 1) == columns;
    if (PyArray_TYPE(array) != type_number<T> || !PyArray_ISCARRAY(array) || !fits) return nullptr;
    return static_cast<T*>(PyArray_DATA(array));
}
inline bool is_apart(PyObject* out, PyObject* other) {
    return !Span(reinterpret_cast<PyArrayObject*>(out)).overlaps(Span(reinterpret_cast<PyArrayObject*>(other)));
}

}  // namespace chainrule::bindings
