// What calls of the predictor borrow from Python for their length: a net's parameters, samples, and where the output goes.
//
// Nothing is raised here: what the core cannot take is left to the Python classes, which convert it or refuse it in words.
#pragma once

#include <algorithm>
#include <initializer_list>
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
    PyObject* frequencies = PyUnicode_InternFromString("frequencies");
    PyObject* phases = PyUnicode_InternFromString("phases");
    PyObject* n_passed = PyUnicode_InternFromString("n_passed");
    PyObject* sizes = PyUnicode_InternFromString("sizes");
    PyObject* activation = PyUnicode_InternFromString("activation");
};
inline const Keys& keys() {
    static const Keys one;
    return one;
}

// A net, and the arrays that it points to.
template <class T> struct Reading {
    model::Net<T> net;
    std::vector<py::object> arrays;

    // A parameter as the core takes it; null where it is not so. Sizes of 0 are any.
    Array<const T> parameter(PyObject* object, std::initializer_list<Index> sizes) {
        Array<const T> none = {nullptr, nullptr};
        if (!object || !PyArray_CheckExact(object)) return none;
        PyArrayObject* const array = reinterpret_cast<PyArrayObject*>(object);
        if (PyArray_TYPE(array) != type_number<T> || !PyArray_ISCARRAY_RO(array) || PyArray_NDIM(array) != static_cast<int>(sizes.size())) return none;
        const Array<const T> found = {static_cast<const T*>(PyArray_DATA(array)), array};
        int i = 0;
        for (const Index size : sizes) {
            if (found.dim(i) < 1 || (size && found.dim(i) != size)) return none;
            ++i;
        }
        arrays.push_back(py::reinterpret_borrow<py::object>(object));
        return found;
    }
    Array<const T> parameter(PyObject* state, PyObject* key, std::initializer_list<Index> sizes) { return parameter(PyDict_GetItemWithError(state, key), sizes); }

    // Columns that the steps so far give; 0 where that is not known yet.
    Index columns() const {
        if (!net.steps.empty()) return net.steps.back().n_outputs;
        return net.front.empty() ? 0 : net.front.back().n_outputs();
    }

    // The number of columns that pass a layer in front; -1 where it is none.
    static Index passed(PyObject* state) {
        PyObject* const held = PyDict_GetItemWithError(state, keys().n_passed);
        if (!held || !PyLong_CheckExact(held)) return -1;
        const Py_ssize_t count = PyLong_AsSsize_t(held);
        if (count == -1) PyErr_Clear();
        return count > (Py_ssize_t(1) << 31) ? -1 : count;
    }

    bool add_periodic(PyObject* state) {
        model::FrontStep<T> step;
        model::PeriodicShape& shape = step.periodic;
        const Array<const T> weights = parameter(state, keys().weights, {0, 0, 0});
        if (!weights.data) return false;
        shape = {0, weights.dim(0), weights.dim(1), weights.dim(2), passed(state)};
        step.weights = weights.data;
        step.frequencies = parameter(state, keys().frequencies, {shape.n_periodic, shape.n_frequencies}).data;
        step.phases = parameter(state, keys().phases, {shape.n_periodic, shape.n_frequencies}).data;
        step.biases = parameter(state, keys().biases, {shape.n_periodic, shape.n_mixed}).data;
        return step.frequencies && step.phases && step.biases && shape.n_passed >= 0 && add_front(step);
    }

    bool add_embedding(PyObject* state) {
        model::FrontStep<T> step;
        model::EmbeddingShape& shape = step.embedding;
        PyObject* const sizes = PyDict_GetItemWithError(state, keys().sizes);
        if (!sizes || !PyTuple_CheckExact(sizes)) return false;
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(sizes); ++i) {
            PyObject* const each = PyTuple_GET_ITEM(sizes, i);
            const Py_ssize_t size = PyLong_CheckExact(each) ? PyLong_AsSsize_t(each) : 0;
            if (size == -1) PyErr_Clear();
            if (size < 1 || size > (Py_ssize_t(1) << 31)) return false;
            shape.sizes.push_back(size);
        }
        const Array<const T> weights = shape.sizes.empty() ? Array<const T>{nullptr, nullptr} : parameter(state, keys().weights, {shape.n_levels(), 0});
        if (!weights.data) return false;
        step.weights = weights.data;
        shape.width = weights.columns();
        shape.n_passed = passed(state);
        return shape.n_passed >= 0 && add_front(step);
    }

    // In front of everything else.
    bool add_front(const model::FrontStep<T>& step) {
        if (!net.steps.empty() || (!net.front.empty() && net.front.back().n_outputs() != step.n_inputs())) return false;
        net.front.push_back(step);
        return true;
    }

    bool add_product(PyObject* state) {
        const Array<const T> weights = parameter(state, keys().weights, {columns(), 0});
        PyObject* const held = PyDict_GetItemWithError(state, keys().biases);
        if (!weights.data || !held) return false;
        model::ForwardStep<T> step;
        step.map = model::Map::product;
        step.n_inputs = weights.rows();
        step.n_outputs = weights.columns();
        step.weights = weights.data;
        if (held != Py_None) {
            step.biases = parameter(held, {1, step.n_outputs}).data;
            if (!step.biases) return false;
        }
        return add(step);
    }

    // A number for each column.
    bool add_row(PyObject* state, model::Map map) {
        const Array<const T> weights = parameter(state, keys().weights, {1, columns()});
        if (!weights.data) return false;
        model::ForwardStep<T> step;
        step.map = map;
        step.n_outputs = weights.columns();
        step.weights = weights.data;
        return add(step);
    }

    // In the step before it, where that has none yet.
    void add_activation(Activation activation, const double* parameters) {
        model::ForwardStep<T> alone;
        if (net.steps.empty() || net.steps.back().activation != Activation::identity) {
            alone.n_outputs = columns();
            add(alone);
        }
        model::ForwardStep<T>& step = net.steps.back();
        step.activation = activation;
        std::copy_n(parameters, most_names, step.parameters);
    }

    bool add(model::ForwardStep<T> step) {
        if (step.map != model::Map::product) step.n_inputs = step.n_outputs;
        net.steps.push_back(step);
        return true;
    }

    // Activations in front of the first parameters have as many columns as those; false without a product.
    bool finish() {
        Index behind = 0;
        for (std::size_t s = net.steps.size(); s-- > 0;) {
            model::ForwardStep<T>& step = net.steps[s];
            if (step.n_outputs == 0) step.n_inputs = step.n_outputs = behind;
            behind = step.n_inputs;
        }
        for (const model::ForwardStep<T>& step : net.steps)
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
