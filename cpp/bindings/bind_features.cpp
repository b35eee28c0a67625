// Periodic features, embeddings, parametric activations
#include <optional>
#include <string>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "model/embedding.hpp"
#include "model/parametric.hpp"
#include "model/periodic.hpp"

namespace chainrule::bindings {
namespace {

// The number of columns that pass as they are.
Index passed_from(PyObject* object) {
    const std::uint64_t passed = unsigned_number(object, "n_passed");
    if (passed > (std::uint64_t(1) << 31)) throw std::invalid_argument("n_passed: expected at most 2^31, got " + std::to_string(passed));
    return static_cast<Index>(passed);
}

// --- periodic features --------------------------------------------------------------------------------------------------

// The parameters stand from args[first] on, the number of columns that pass behind them.
template <class T> struct PeriodicArguments {
    Array<const T> weights, inputs, frequencies, phases, biases;
    model::PeriodicShape shape;

    PeriodicArguments(Arguments args, int first) : weights(any_array<T>(args[first + 2], "weights")) {
        if (PyArray_NDIM(weights.object) != 3) throw_shape("weights", "3 dimensions", weights.object);
        shape = {0, weights.dim(0), weights.dim(1), weights.dim(2), passed_from(args[first + 4])};
        inputs = matrix_with_columns<T>(args[0], "inputs", shape.n_inputs());
        shape.samples = inputs.rows();
        frequencies = matrix_of<T>(args[first], "frequencies", shape.n_periodic, shape.n_frequencies);
        phases = matrix_of<T>(args[first + 1], "phases", shape.n_periodic, shape.n_frequencies);
        biases = matrix_of<T>(args[first + 3], "biases", shape.n_periodic, shape.n_mixed);
    }
};

struct PeriodicForward {
    static constexpr const char* name = "periodic_forward";
    static constexpr const char* first = "inputs";
    static constexpr Py_ssize_t arguments = 6;

    template <class T> static PyObject* call(Arguments args) {
        const PeriodicArguments<T> given(args, 1);
        NewArray<T> output({given.shape.samples, given.shape.n_outputs()});
        {
            const Unlocked unlocked(given.shape.flops());
            model::periodic_forward(given.shape, given.inputs.data, given.frequencies.data, given.phases.data, given.weights.data, given.biases.data, output.data());
        }
        return output.release();
    }
};

template <bool with_dinputs> struct PeriodicBackward {
    static constexpr const char* name = with_dinputs ? "periodic_backward" : "periodic_gradients";
    static constexpr const char* first = "inputs";
    static constexpr Py_ssize_t arguments = 7;

    template <class T> static PyObject* call(Arguments args) {
        const PeriodicArguments<T> given(args, 2);
        const Array<const T> dvalues = matrix_of<T>(args[1], "dvalues", given.shape.samples, given.shape.n_outputs());
        NewArray<T> dfrequencies(given.frequencies), dphases(given.phases), dweights(given.weights), dbiases(given.biases);
        std::optional<NewArray<T>> dinputs;
        if (with_dinputs) dinputs.emplace(given.inputs);
        {
            const Unlocked unlocked(2 * given.shape.flops());
            model::periodic_backward<T>(given.shape, given.inputs.data, dvalues.data, given.frequencies.data, given.phases.data, given.weights.data,
                                        {dfrequencies.data(), dphases.data(), dweights.data(), dbiases.data(), dinputs ? dinputs->data() : nullptr});
        }
        return tuple_of_new({dfrequencies.release(), dphases.release(), dweights.release(), dbiases.release(), released(dinputs)});
    }
};

// --- embeddings ---------------------------------------------------------------------------------------------------------

std::vector<Index> sizes_from(PyObject* object) {
    const py::object items = py::reinterpret_steal<py::object>(PySequence_Fast(object, "sizes: expected a sequence of ints"));
    if (!items) throw py::error_already_set();
    std::vector<Index> sizes;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.ptr()); ++i) {
        const Py_ssize_t size = PyNumber_AsSsize_t(PySequence_Fast_GET_ITEM(items.ptr(), i), nullptr);
        if (size == -1 && PyErr_Occurred()) throw py::error_already_set();
        if (size < 1 || size > (Py_ssize_t(1) << 31)) throw std::invalid_argument("sizes: expected ints from 1 to 2^31, got " + std::to_string(size));
        sizes.push_back(size);
    }
    return sizes;
}

// From args[first] on stand weights, sizes and the number of columns that pass. Codes are checked.
template <class T> struct EmbeddingArguments {
    Array<const T> weights, inputs;
    model::EmbeddingShape shape;

    EmbeddingArguments(Arguments args, int first) : weights(matrix<T>(args[first], "weights")) {
        shape.sizes = sizes_from(args[first + 1]);
        shape.width = weights.columns();
        if (weights.rows() != shape.n_levels()) throw_shape("weights", "(" + std::to_string(shape.n_levels()) + ", width)", weights.object);
        shape.n_passed = passed_from(args[first + 2]);
        inputs = matrix_with_columns<T>(args[0], "inputs", shape.n_inputs());
        shape.samples = inputs.rows();
        const Index place = model::first_without_code(shape, shape.samples, inputs.data, shape.n_inputs());
        if (place < shape.samples * shape.n_codes()) throw_no_code(place / shape.n_codes(), place % shape.n_codes());
    }

  private:
    [[noreturn]] void throw_no_code(Index row, Index k) const {
        const Index column = shape.n_passed + k;
        const py::object value = py::float_(static_cast<double>(inputs.data[row * shape.n_inputs() + column]));
        throw std::invalid_argument("inputs: expected a code from 0 to " + std::to_string(shape.sizes[static_cast<std::size_t>(k)] - 1) + " in column " + std::to_string(column) + ", got " +
                                    py::repr(value).cast<std::string>() + " in row " + std::to_string(row));
    }
};

struct EmbeddingForward {
    static constexpr const char* name = "embedding_forward";
    static constexpr const char* first = "inputs";
    static constexpr Py_ssize_t arguments = 4;

    template <class T> static PyObject* call(Arguments args) {
        const EmbeddingArguments<T> given(args, 1);
        NewArray<T> output({given.shape.samples, given.shape.n_outputs()});
        {
            const Unlocked unlocked(given.shape.values());
            model::embedding_forward(given.shape, given.inputs.data, given.weights.data, output.data());
        }
        return output.release();
    }
};

template <bool with_dinputs> struct EmbeddingBackward {
    static constexpr const char* name = with_dinputs ? "embedding_backward" : "embedding_gradients";
    static constexpr const char* first = "inputs";
    static constexpr Py_ssize_t arguments = 5;

    template <class T> static PyObject* call(Arguments args) {
        const EmbeddingArguments<T> given(args, 2);
        const Array<const T> dvalues = matrix_of<T>(args[1], "dvalues", given.shape.samples, given.shape.n_outputs());
        NewArray<T> dweights(given.weights);
        std::optional<NewArray<T>> dinputs;
        if (with_dinputs) dinputs.emplace(given.inputs);
        {
            const Unlocked unlocked(8 * given.shape.values());
            model::embedding_backward(given.shape, given.inputs.data, dvalues.data, dweights.data(), dinputs ? dinputs->data() : nullptr);
        }
        return tuple_of_new({dweights.release(), released(dinputs)});
    }
};

// --- parametric activations ---------------------------------------------------------------------------------------------

struct ParametricForward {
    static constexpr const char* name = "parametric_forward";
    static constexpr const char* first = "inputs";
    static constexpr Py_ssize_t arguments = 3;

    template <class T> static PyObject* call(Arguments args) {
        const Array<const T> shares = matrix<T>(args[2], "weights");
        const Array<const T> inputs = matrix_with_columns<T>(args[0], "inputs", shares.columns());
        const Array<const T> activated = array_like<T>(args[1], "activated", inputs);
        if (shares.rows() != 1) throw_shape("weights", shape_text({1, shares.columns()}), shares.object);
        NewArray<T> output(inputs);
        {
            const Unlocked unlocked(4.0 * static_cast<double>(inputs.size()));
            model::parametric_forward(inputs.rows(), inputs.columns(), inputs.data, activated.data, shares.data, output.data());
        }
        return output.release();
    }
};

struct ParametricBackward {
    static constexpr const char* name = "parametric_backward";
    static constexpr const char* first = "dvalues";
    static constexpr Py_ssize_t arguments = 5;

    template <class T> static PyObject* call(Arguments args) {
        const Array<const T> inputs = matrix<T>(args[2], "inputs");
        const Array<const T> dvalues = array_like<T>(args[0], "dvalues", inputs);
        const Array<const T> through = array_like<T>(args[1], "through", inputs);
        const Array<const T> activated = array_like<T>(args[3], "activated", inputs);
        const Array<const T> shares = matrix_of<T>(args[4], "weights", 1, inputs.columns());
        NewArray<T> dshares(shares), dinputs(inputs);
        {
            const Unlocked unlocked(8.0 * static_cast<double>(inputs.size()));
            model::parametric_backward(inputs.rows(), inputs.columns(), dvalues.data, through.data, inputs.data, activated.data, shares.data, dshares.data(),
                                       dinputs.data());
        }
        return tuple_of_new({dshares.release(), dinputs.release()});
    }
};

}  // namespace

void bind_features(py::module_& module) {
    static PyMethodDef methods[] = {
        fast_method<PeriodicForward>(
            "periodic_forward(inputs: numpy.ndarray, frequencies: numpy.ndarray, phases: numpy.ndarray, weights: numpy.ndarray, "
            "biases: numpy.ndarray, n_passed: int) -> numpy.ndarray\n\n"
            "cos(2 pi frequencies x + phases) . weights + biases, then x, of each column x of inputs (n, p + n_passed) but the last "
            "n_passed, which stay as they are; weights (p, k, m)."),
        fast_method<PeriodicBackward<true>>(
            "periodic_backward(inputs: numpy.ndarray, dvalues: numpy.ndarray, frequencies: numpy.ndarray, phases: numpy.ndarray, "
            "weights: numpy.ndarray, biases: numpy.ndarray, n_passed: int) -> "
            "tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray, numpy.ndarray, numpy.ndarray]\n\n"
            "The gradients of periodic_forward: dfrequencies, dphases, dweights, dbiases, dinputs."),
        fast_method<PeriodicBackward<false>>(
            "periodic_gradients(inputs: numpy.ndarray, dvalues: numpy.ndarray, frequencies: numpy.ndarray, phases: numpy.ndarray, "
            "weights: numpy.ndarray, biases: numpy.ndarray, n_passed: int) -> "
            "tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray, numpy.ndarray]\n\n"
            "periodic_backward without dinputs."),
        fast_method<EmbeddingForward>(
            "embedding_forward(inputs: numpy.ndarray, weights: numpy.ndarray, sizes: tuple[int, ...], n_passed: int) -> numpy.ndarray\n\n"
            "The first n_passed columns of inputs, then for each code in the others, len(sizes), its row of its table; weights (sum of "
            "the sizes, width) are the tables, one below the other."),
        fast_method<EmbeddingBackward<true>>(
            "embedding_backward(inputs: numpy.ndarray, dvalues: numpy.ndarray, weights: numpy.ndarray, sizes: tuple[int, ...], n_passed: int) -> "
            "tuple[numpy.ndarray, numpy.ndarray]\n\n"
            "The gradients of embedding_forward: dweights, dinputs; 0 in the columns of codes."),
        fast_method<EmbeddingBackward<false>>(
            "embedding_gradients(inputs: numpy.ndarray, dvalues: numpy.ndarray, weights: numpy.ndarray, sizes: tuple[int, ...], n_passed: int) -> "
            "tuple[numpy.ndarray]\n\n"
            "embedding_backward without dinputs."),
        fast_method<ParametricForward>(
            "parametric_forward(inputs: numpy.ndarray, activated: numpy.ndarray, weights: numpy.ndarray) -> numpy.ndarray\n\n"
            "(1 - weights) * inputs + weights * activated; weights (1, m)."),
        fast_method<ParametricBackward>(
            "parametric_backward(dvalues: numpy.ndarray, through: numpy.ndarray, inputs: numpy.ndarray, activated: numpy.ndarray, "
            "weights: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]\n\n"
            "dweights (1, m) = sum of dvalues * (activated - inputs), dinputs = (1 - weights) * dvalues + weights * through; through is what "
            "the activation makes of dvalues."),
        {nullptr, nullptr, 0, nullptr}};
    add_methods(module, methods);
}

}  // namespace chainrule::bindings
